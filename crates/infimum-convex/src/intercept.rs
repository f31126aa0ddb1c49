//! The best free intercept for given outputs.

use crate::losses::ScalarLoss;
use crate::scalar::ScalarLosses;
use crate::smooth::SmoothLosses;
use crate::tracker::Tracker;

/// Minimises `Σ c·loss(z + b)` over b, from `start`: Newton's method inside a bracket that bisection closes
/// where the loss has no curvature. What is reached when the tracker says stop will do.
pub(crate) fn best_intercept<L: ScalarLoss>(losses: &ScalarLosses<L>, z: &[f64], start: f64, tracker: &Tracker) -> f64 {
    let ones = vec![1.0; z.len()];
    let derivatives = |b: f64| losses.along(z, &ones, b);
    let (mut below, mut above) = (f64::NEG_INFINITY, f64::INFINITY);
    let (mut b, mut width) = (start, 1e-3 * (1.0 + start.abs()));
    for _ in 0..100 {
        let (slope, curvature) = derivatives(b);
        if slope == 0.0 || slope.is_nan() || tracker.stop().is_some() {
            break;
        }
        if slope > 0.0 {
            above = b
        } else {
            below = b
        }
        let newton = b - slope / curvature;
        let next = match (below.is_finite() && above.is_finite(), newton > below && newton < above) {
            (true, true) => newton,
            (true, false) => 0.5 * (below + above),
            // No bracket yet: go on in ever longer steps, or as far as Newton's method says.
            (false, inside) => {
                width *= 4.0;
                if inside && (newton - b).abs() < width { newton } else { b - slope.signum() * width }
            }
        };
        if (next - b).abs() <= 1e-15 * (1.0 + b.abs()) {
            break;
        }
        b = next;
    }
    b
}
