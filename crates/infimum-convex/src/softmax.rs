//! Being written.

use crate::frame::{Frame, Losses};
use crate::tracker::Tracker;

/// The softmax losses of all rows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SoftmaxLosses<'a> {
    /// Class of each row, < outputs.
    pub(crate) classes: &'a [u32],
    /// c_i > 0.
    pub(crate) weights: &'a [f64],
    /// Number of classes K.
    pub(crate) outputs: usize,
}

impl Losses for SoftmaxLosses<'_> {
    fn value(&self, _z: &[f64]) -> f64 {
        0.0
    }
    fn natural_dual(&self, _z: &[f64], _alpha: &mut [f64]) {}
    fn clip(&self, _alpha: &mut [f64]) {}
    fn balance(&self, _alpha: &mut [f64]) {}
    fn gain(&self, _alpha: &[f64]) -> (f64, f64) {
        (0.0, 0.0)
    }
    fn settle(&self, _alpha: &mut [f64], _balanced: bool) {}
    fn separation(&self, _z: &[f64]) -> Option<f64> {
        None
    }
}

/// Being written.
pub(crate) fn newton(frame: &Frame, losses: &SoftmaxLosses, tracker: &mut Tracker) {
    tracker.trouble = Some("not there yet".into());
    let _ = (frame, losses);
}

/// Being written.
pub(crate) fn newton_cg(frame: &Frame, losses: &SoftmaxLosses, tracker: &mut Tracker) {
    tracker.trouble = Some("not there yet".into());
    let _ = (frame, losses);
}
