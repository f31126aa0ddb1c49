//! From the best points of a solve to the claim of a certificate.

use infimum_problem::{Block, Intercept, Storage, with_values};
use infimum_rigor::{ColumnSums, Interval, Rows, Sum, margins, transpose_product_by};

use crate::design;
use crate::frame::{Frame, Losses, Point};

/// Rounding margin of a claim relative to the sum of its terms' magnitudes; the checker's enclosures are narrower. The
/// margin makes claims pass, it does not make them true: only the checker does.
const MARGIN: f64 = 2e-14;

/// Rows enclosed at a time.
const ENCLOSED: usize = 1 << 16;

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

/// Settles the dual point on the grid, shrinks it into the penalty's domain where λ2 = 0, and evaluates both claims with
/// matrix products as accurate as the checker's. Falls back to alpha = 0, whose value is 0, whenever the result would be
/// worse.
///
/// `room` is how much the upper claim may be above the value for the sake of speed.
pub(crate) fn witness(frame: &Frame, losses: &impl Losses, point: &Point, alpha: &[f64], room: f64) -> Witness {
    let upper = claimed_upper(frame, losses, point, room);
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

/// The value at the point with what rounding may hide of it, up to [`MARGIN`].
///
/// Outputs in plain double precision are off by at most `γ (|x|·|w| + |b|)`, γ ≈ 2^-53 for each addition, in whatever order.
/// Where that hides more than `room` they are enclosed as the checker does it, unless the run was told to stop: then there is no time.
fn claimed_upper(frame: &Frame, losses: &impl Losses, point: &Point, room: f64) -> f64 {
    let size = frame.rows() * frame.outputs;
    let (mut z, mut errors) = (vec![0.0; size], vec![0.0; size]);
    design::multiply_with_sizes(frame.matrix, &point.weights, &point.intercepts, &mut z, &mut errors);
    let gamma = (design::longest_row(frame.matrix) + 4) as f64 * f64::EPSILON;
    errors.iter_mut().for_each(|size| *size *= gamma);
    let penalty = frame.penalty_value(point);
    let (value, hidden) = losses.value_and_rounding(&z, &errors);
    if hidden <= room || frame.monitor.stop().is_some() {
        return value + penalty + hidden;
    }
    let outputs = frame.outputs;
    for first in (0..frame.rows()).step_by(ENCLOSED) {
        let range = first..(first + ENCLOSED).min(frame.rows());
        design::for_each_block(frame.matrix, range, |block| {
            let (first, count) = (block.rows.start, block.rows.len());
            let enclosures = with_values!(block.storage.values(), |values| {
                margins(rows(block.storage, values), first, count, &point.weights, &point.intercepts)
            });
            let z = &mut z[block.first * outputs..][..count * outputs];
            z.iter_mut().zip(&enclosures).for_each(|(z, enclosure)| *z = 0.5 * (enclosure.lower + enclosure.upper));
        });
    }
    errors.fill(0.0);
    let (value, hidden) = losses.value_and_rounding(&z, &errors);
    value + penalty + hidden
}

/// Rows as the rigorous kernels take them; `values` are those of the storage.
fn rows<'a, T>(storage: Storage<'a>, values: &'a [T]) -> Rows<'a, T> {
    match storage {
        Storage::Dense(dense) => Rows::Dense { columns: dense.columns, values },
        Storage::Sparse(sparse) => Rows::Sparse {
            columns: sparse.columns,
            starts: &sparse.row_starts,
            indices: &sparse.column_indices,
            values,
        },
    }
}

/// Enclosures of `Xᵀ alpha`.
fn transpose_product(frame: &Frame, alpha: &[f64]) -> Vec<Interval> {
    let outputs = frame.outputs;
    let add = |range, sums: &mut ColumnSums| {
        let add = |block: Block| {
            let alpha = &alpha[block.first * outputs..];
            with_values!(block.storage.values(), |values| sums.add(rows(block.storage, values), block.rows, alpha));
        };
        frame.matrix.for_each_block(range, add)
    };
    // After a fault the outcome is dropped.
    transpose_product_by(frame.rows(), frame.columns(), outputs, add).unwrap_or_default()
}

fn settled_value(frame: &Frame, losses: &impl Losses, alpha: &mut [f64]) -> Option<f64> {
    let balanced = frame.intercept == Intercept::Free;
    let outputs = frame.outputs;
    // For λ2 = 0, |v| ≤ λ1 s must hold for the checker's enclosure; a point that was scaled to the boundary in plain double
    // precision lies on either side of it, and rounding to the grid moves v, so the reserve grows until the rounded point is
    // inside.
    let mut reserve = 1e-14;
    if frame.penalty.lambda2 == 0.0 {
        alpha.iter_mut().for_each(|a| *a *= 1.0 - reserve);
    }
    for _ in 0..16 {
        losses.settle(alpha, balanced);
        let v = transpose_product(frame, alpha);
        let v: Vec<f64> = v.iter().map(|v| v.magnitude()).collect();
        // Other intercepts' sums are 0 by now, or nobody's.
        let counted = if frame.intercept == Intercept::Penalized { outputs } else { 0 };
        let mut sums = vec![0.0; outputs];
        for (k, magnitude) in sums.iter_mut().enumerate().take(counted) {
            let mut sum = Sum::new();
            alpha.iter().skip(k).step_by(outputs).for_each(|&a| sum.add(a));
            *magnitude = sum.enclose().magnitude();
        }
        let (gain, magnitude) = losses.gain_and_magnitude(alpha);
        if frame.penalty.lambda2 > 0.0 {
            let conjugate = frame.conjugate(&v, &sums);
            return Some(gain - conjugate - MARGIN * (magnitude + conjugate));
        }
        let factor = frame.shrink(&v, &sums);
        if factor == 0.0 {
            return None;
        }
        let within = |v: f64, bound: f64| v <= (1.0 - 1e-15) * bound;
        let inside = (v.iter().enumerate())
            .all(|(entry, &v)| within(v, frame.penalty.l1(entry % frame.columns().max(1))))
            && (frame.intercept != Intercept::Penalized || sums.iter().all(|&sum| within(sum, frame.penalty.lambda1)));
        if inside {
            return Some(gain - MARGIN * magnitude);
        }
        alpha.iter_mut().for_each(|a| *a *= factor * (1.0 - reserve));
        reserve *= 8.0;
    }
    None
}

#[cfg(test)]
mod tests {
    use infimum_problem::{DenseMatrix, Matrix, Silent};

    use super::*;
    use crate::losses::Squared;
    use crate::penalty::Penalty;
    use crate::scalar::ScalarLosses;

    /// Columns of 1e8 that cancel, and targets on that side of the exact outputs on which rounding makes the loss look smaller.
    #[test]
    fn claims_are_above_the_value_either_way() {
        let n = 300;
        let small = |i: usize| (i * 7919 % 211) as f64 - 105.0;
        let values: Vec<f64> = (0..n).flat_map(|i| [1e8 + small(i), 1e8 - small(i + 50)]).collect();
        let weights = vec![1.0; n];
        let weight = 1.0 + 2f64.powi(-40);
        let point = Point { weights: vec![weight, -weight], intercepts: vec![0.0] };
        let matrix = Matrix::Dense(DenseMatrix { rows: n, columns: 2, values: values.into() });
        let frame = Frame {
            kernel: None,
            dictionary: None,
            matrix: &matrix,
            weights: &weights,
            penalty: Penalty { lambda1: 0.0, lambda2: 1.0, scales: None },
            intercept: Intercept::None,
            outputs: 1,
            monitor: &Silent,
        };
        let mut z = vec![0.0; n];
        design::multiply(&matrix, &point.weights, &point.intercepts, &mut z);
        // Integers of 8 bits times 41 bits: exact.
        let exact = |i: usize| (small(i) + small(i + 50)) * weight;
        let targets: Vec<f64> = (0..n).map(|i| exact(i) + if z[i] > exact(i) { 1.0 } else { -1.0 }).collect();
        let losses = ScalarLosses { loss: Squared, targets: &targets, weights: &weights, is_margin: false };
        let value = (0..n).map(|i| 0.5 * (exact(i) - targets[i]).powi(2)).sum::<f64>() + weight * weight;
        let seen = frame.upper(&losses, &point, &mut z);
        let plain = claimed_upper(&frame, &losses, &point, f64::INFINITY);
        let enclosed = claimed_upper(&frame, &losses, &point, 0.0);
        assert!(seen < value * (1.0 - 1e-11), "{seen} {value}");
        assert!(value <= plain && plain <= value * (1.0 + 1e-6), "{plain} {value}");
        assert!(value <= enclosed * (1.0 + MARGIN) && enclosed < plain, "{enclosed} {value}");
    }
}
