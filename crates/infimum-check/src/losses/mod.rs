//! Losses as the checker sees them: an upper bound of the loss over an enclosure of the output, the domain of its
//! negative conjugate g, and a lower bound of g. One file per loss; none is shared with the solvers.

mod hinge;
mod logistic;
mod softmax;
mod squared;
mod squared_hinge;

pub(crate) use softmax::Softmax;

use infimum_problem::Loss;
use infimum_rigor::{Interval, Sum};

/// A loss of one output.
pub(crate) trait ScalarLoss {
    /// A number that `loss(y, z)` does not exceed for any z in the enclosure; +∞ if unknown.
    fn upper(&self, y: f64, z: Interval) -> f64;

    /// Why α lies outside the domain of g, or `None` if it lies inside. Comparisons only: exact.
    fn outside(&self, y: f64, c: f64, alpha: f64) -> Option<String>;

    /// Adds terms whose exact sum does not exceed `g(α)`, for α in the domain.
    fn add_gain(&self, sum: &mut Sum, y: f64, c: f64, alpha: f64);
}

/// The one-output loss of that name; `None` for softmax.
pub(crate) fn scalar(loss: Loss) -> Option<&'static dyn ScalarLoss> {
    match loss {
        Loss::Logistic => Some(&logistic::Logistic),
        Loss::Hinge => Some(&hinge::Hinge),
        Loss::SquaredHinge => Some(&squared_hinge::SquaredHinge),
        Loss::Squared => Some(&squared::Squared),
        Loss::Softmax => None,
    }
}

/// The margin `y·z` for y = ±1, exactly.
fn margin(y: f64, z: Interval) -> Interval {
    if y > 0.0 { z } else { -z }
}

/// Checks `low ≤ y·α ≤ high` for y = ±1.
fn outside_box(y: f64, alpha: f64, low: f64, high: f64) -> Option<String> {
    let a = if y > 0.0 { alpha } else { -alpha };
    (!(low <= a && a <= high)).then(|| format!("y·α = {a:e} is not in [{low}, {high:e}]"))
}
