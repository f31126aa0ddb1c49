//! What the first-order solvers share: valuing an iterate and its dual point, stopping, and the metric of the columns.

use crate::direction::separated;
use crate::frame::{Frame, Losses, Point};
use crate::hessian;
use crate::smooth::SmoothLosses;
use crate::tracker::Tracker;

/// Evaluations without progress of the gap after which a solver gives up.
const PATIENCE: u32 = 60;

/// Values iterates on the true gap. Invariant: the tracker only ever gets points with their exact outputs, and dual points that
/// [`Frame::lower`] has made feasible.
pub(crate) struct Evaluation<'a, S> {
    frame: &'a Frame<'a>,
    losses: &'a S,
    name: &'static str,
    idle: u32,
    alpha: Vec<f64>,
    v: Vec<f64>,
}

impl<'a, S: Losses> Evaluation<'a, S> {
    /// For the solver called `name`.
    pub(crate) fn new(frame: &'a Frame<'a>, losses: &'a S, name: &'static str) -> Self {
        let (size, width) = (frame.rows() * frame.outputs, frame.columns() * frame.outputs);
        Evaluation { frame, losses, name, idle: 0, alpha: vec![0.0; size], v: vec![0.0; width] }
    }

    /// Offers a dual point that lies in the losses' domain up to rounding; it is made feasible first.
    pub(crate) fn dual(&mut self, alpha: &[f64], tracker: &mut Tracker) {
        self.alpha.copy_from_slice(alpha);
        let (lower, _) = self.frame.lower(self.losses, &mut self.alpha, &mut self.v);
        tracker.offer_dual(lower, &self.alpha);
    }

    /// Offers `−c·loss′(z)`.
    pub(crate) fn natural(&mut self, z: &[f64], tracker: &mut Tracker) {
        self.losses.natural_dual(z, &mut self.alpha);
        let (lower, _) = self.frame.lower(self.losses, &mut self.alpha, &mut self.v);
        tracker.offer_dual(lower, &self.alpha);
    }

    /// Offers a point with its outputs and says whether the solver is to end: gap reached, told to stop, rows separated, not
    /// finite, or no progress for long.
    pub(crate) fn ends(&mut self, point: &Point, z: &[f64], tracker: &mut Tracker) -> bool {
        let value = self.losses.value(z) + self.frame.penalty_value(point);
        tracker.offer_point(value, point);
        tracker.report(self.name);
        if tracker.done() || separated(self.frame, self.losses, point, z, tracker) {
            return true;
        }
        if !value.is_finite() {
            tracker.trouble = Some(format!("{} met numbers that are not finite: rescale the columns", self.name));
            return true;
        }
        self.idle = if tracker.progressed() { 0 } else { self.idle + 1 };
        if self.idle >= PATIENCE {
            tracker.trouble = Some(format!(
                "{PATIENCE} evaluations of {} narrowed the gap by less than a hundredth; another solver may go on",
                self.name
            ));
        }
        self.idle >= PATIENCE
    }
}

/// Diagonal of the Hessian at outputs z, penalty included, per output the columns and then the constant; where it is 0, 1.
/// Steps measured by it do not depend on the units of the columns.
pub(crate) fn diagonal(frame: &Frame, losses: &impl SmoothLosses, z: &[f64]) -> Vec<f64> {
    let (mut alpha, mut curvature) = (vec![0.0; z.len()], vec![0.0; z.len()]);
    losses.derivatives(z, 1.0, &mut alpha, &mut curvature);
    let mut diagonal = hessian::diagonal(frame, losses, &curvature);
    diagonal.iter_mut().filter(|value| !(**value > 0.0)).for_each(|value| *value = 1.0);
    diagonal
}

/// The next of a sequence of random 64-bit numbers (splitmix64; Steele, Lea, Flood, OOPSLA 2014).
pub(crate) fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let x = (*state ^ (*state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

/// A random index below `n`.
pub(crate) fn random_index(state: &mut u64, n: usize) -> usize {
    ((u128::from(random(state)) * n as u128) >> 64) as usize
}

/// Which epochs are valued: the first ten, then each a tenth later than the one before.
pub(crate) fn is_due(epoch: u64, next: &mut u64) -> bool {
    let due = epoch >= *next;
    if due {
        *next = (epoch + 1).max(epoch + epoch / 10);
    }
    due
}
