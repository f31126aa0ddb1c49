//! From the best points of a solve to the claim of a certificate.

use infimum_problem::Intercept;

use crate::design;
use crate::frame::{Frame, Losses, Point};

/// Rounding margin of a claim relative to the sum of its terms' magnitudes; the checker's enclosures are narrower. The
/// margin makes claims pass, it does not make them true: only the checker does.
const MARGIN: f64 = 2e-14;

/// What a solve claims: `lower ≤ U(θ)` for all θ with the exactly feasible dual point, `upper ≥ U(point)`.
#[derive(Debug, Clone)]
pub(crate) struct Witness {
    pub(crate) upper: f64,
    pub(crate) lower: f64,
    pub(crate) alpha: Vec<f64>,
}

/// Unit of the dyadic grid for a dual vector with the given largest magnitude: 2^-52 of the next power of two.
pub(crate) fn grid_unit(largest: f64) -> f64 {
    let exponent = largest.log2().floor() as i32 + 1;
    2f64.powi((exponent - 52).max(-1060))
}

/// Settles the dual point on the grid, shrinks it into the penalty's domain where λ2 = 0, and evaluates both claims.
/// Falls back to alpha = 0, whose value is 0, whenever the result would be worse.
pub(crate) fn witness(frame: &Frame, losses: &impl Losses, point: &Point, alpha: &[f64]) -> Witness {
    let mut z = vec![0.0; frame.rows() * frame.outputs];
    let upper = frame.upper(losses, point, &mut z);
    let upper = upper + MARGIN * upper.abs();
    let mut alpha = alpha.to_vec();
    match settled_value(frame, losses, &mut alpha) {
        Some(lower) if lower > 0.0 => Witness { upper, lower, alpha },
        _ => {
            alpha.fill(0.0);
            Witness { upper, lower: 0.0, alpha }
        }
    }
}

fn settled_value(frame: &Frame, losses: &impl Losses, alpha: &mut [f64]) -> Option<f64> {
    let balanced = frame.intercept == Intercept::Free;
    let mut v = vec![0.0; frame.outputs * frame.columns()];
    let mut sums = vec![0.0; frame.outputs];
    for _ in 0..8 {
        losses.settle(alpha, balanced);
        design::transpose_multiply(frame.matrix, alpha, &mut v, &mut sums);
        if frame.penalty.lambda2 > 0.0 {
            let conjugate = frame.conjugate(&v, &sums);
            let (gain, magnitude) = losses.gain(alpha);
            return Some(gain - conjugate - MARGIN * (magnitude + conjugate));
        }
        // λ2 = 0: |v| ≤ λ1 s must hold for the checker's enclosure of v, hence the reserve.
        let reserve = 1e-13;
        let factor = frame.shrink(&v, &sums);
        if factor == 0.0 {
            return None;
        }
        let inside = v
            .iter()
            .enumerate()
            .all(|(entry, v)| v.abs() <= (1.0 - reserve) * frame.penalty.l1(entry % frame.columns().max(1)))
            && (frame.intercept != Intercept::Penalized
                || sums.iter().all(|sum| sum.abs() <= (1.0 - reserve) * frame.penalty.lambda1));
        if inside {
            let (gain, magnitude) = losses.gain(alpha);
            return Some(gain - MARGIN * magnitude);
        }
        alpha.iter_mut().for_each(|a| *a *= factor * (1.0 - 4.0 * reserve));
    }
    None
}
