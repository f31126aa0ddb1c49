//! Being written.

use crate::frame::Frame;
use crate::losses::ScalarLoss;
use crate::scalar::ScalarLosses;
use crate::softmax::SoftmaxLosses;
use crate::tracker::Tracker;

/// Being written.
pub(crate) fn solve<L: ScalarLoss>(frame: &Frame, losses: &ScalarLosses<L>, tracker: &mut Tracker) {
    tracker.trouble = Some("not there yet".into());
    let _ = (frame, losses);
}

/// Being written.
pub(crate) fn solve_softmax(frame: &Frame, losses: &SoftmaxLosses, tracker: &mut Tracker) {
    tracker.trouble = Some("not there yet".into());
    let _ = (frame, losses);
}
