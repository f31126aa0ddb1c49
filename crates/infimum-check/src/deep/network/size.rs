//! Norms rounded up, and the arithmetic of error bounds.

use infimum_rigor::Interval;

use super::product::Packed;

/// u = 2^-53.
pub(super) const UNIT: f64 = f64::EPSILON / 2.0;

/// Covers whatever one layer's operations may lose to underflow: fewer than 2^57 operations per number and 2^28 numbers, 2^-1074 each.
const UNDERFLOW: f64 = 9.332636185032189e-302; // 2^-1000

/// Covers what squares that underflow leave out of a norm: √n·2^-537 for n < 2^56.
const LOST: f64 = 3.054936363499605e-151; // 2^-500

/// How often a matrix is multiplied by its transpose for a bound of its largest singular value.
const SQUARINGS: usize = 4;

/// Order up to which that is done.
const MOST_ORDER: usize = 1_024;

/// γ_n = nu/(1 − nu) rounded up, n < 2^40.
pub(super) fn gamma(n: usize) -> f64 {
    let n = n as f64;
    n * UNIT * (1.0 + 4.0 * n * UNIT + 16.0 * UNIT)
}

/// The root of a number ≥ 0, rounded up.
pub(super) fn root(square: f64) -> f64 {
    Interval::new(0.0, square).sqrt().upper
}

/// A number that the norm does not exceed; +∞ or NaN if a number is not finite. n − 1 additions and n squares are off by a factor (1 + u)^(n+1) at most.
pub(super) fn norm(values: &[f64]) -> f64 {
    const LANES: usize = 8;
    let mut sums = [0.0; LANES];
    let chunks = values.chunks_exact(LANES);
    let rest: f64 = chunks.remainder().iter().map(|x| x * x).sum();
    for chunk in chunks {
        for lane in 0..LANES {
            sums[lane] += chunk[lane] * chunk[lane];
        }
    }
    let squares = sums.iter().sum::<f64>() + rest;
    (squares * (1.0 + 4.0 * (values.len() + 4) as f64 * UNIT)).sqrt() * (1.0 + 4.0 * UNIT) + LOST
}

/// `Σ a·b` over pairs of numbers ≥ 0, rounded up, and room for underflow; +∞ if the error before, or a number, is not finite. So an error that is not known stays
/// unknown, whatever it is multiplied by.
pub(super) fn grown(before: f64, terms: &[(f64, f64)]) -> f64 {
    if !before.is_finite() || terms.iter().any(|(a, b)| !(a.is_finite() && b.is_finite())) {
        return f64::INFINITY;
    }
    let sum =
        terms.iter().fold(Interval::point(UNDERFLOW), |sum, &(a, b)| sum + Interval::point(a) * Interval::point(b));
    if sum.upper.is_finite() { sum.upper } else { f64::INFINITY }
}

/// A number that the largest singular value of the matrix (rows of `inputs` numbers) does not exceed: at most its Frobenius norm, and
/// for matrices X of moderate size `‖X‖² = ‖X Xᵀ‖ ≤ ‖P‖ + γ‖X‖_F²` with the computed product P, the same again for P, a few times.
pub(super) fn largest_singular_value(weights: &[f64], inputs: usize) -> f64 {
    let units = weights.len() / inputs;
    let frobenius = norm(weights);
    if units.min(inputs) > MOST_ORDER || !(1e-15..1e15).contains(&frobenius) {
        return frobenius;
    }
    if units <= inputs {
        return squared(weights, inputs, frobenius, SQUARINGS).min(frobenius);
    }
    let transposed: Vec<f64> = (0..inputs).flat_map(|k| weights.iter().skip(k).step_by(inputs).copied()).collect();
    squared(&transposed, units, frobenius, SQUARINGS).min(frobenius)
}

fn squared(matrix: &[f64], inputs: usize, frobenius: f64, left: usize) -> f64 {
    if left == 0 {
        return frobenius;
    }
    let packed = Packed::new(matrix, inputs);
    let order = packed.units();
    let mut product = vec![0.0; order * order];
    packed.multiply(matrix, &mut product);
    let rounding = grown(0.0, &[(packed.relative_error(), grown(0.0, &[(frobenius, frobenius)]))]);
    let own = squared(&product, order, norm(&product), left - 1);
    root(grown(0.0, &[(own, 1.0), (rounding, 1.0)]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn singular_values_are_bounded_closely() {
        // Orthogonal columns of lengths 3, 2, 1: Hadamard signs.
        let lengths = [3.0, 2.0, 1.0];
        let mut matrix = Vec::new();
        for i in 0..64u32 {
            for (j, length) in lengths.iter().enumerate() {
                let sign = if (i & (j as u32 + 1)).count_ones().is_multiple_of(2) { 1.0 } else { -1.0 };
                matrix.push(sign * length / 8.0);
            }
        }
        let bound = largest_singular_value(&matrix, 3);
        assert!((3.0..3.02).contains(&bound), "{bound}");
        let transposed: Vec<f64> = (0..3).flat_map(|k| matrix.iter().skip(k).step_by(3).copied()).collect();
        assert!((3.0..3.02).contains(&largest_singular_value(&transposed, 64)));
        assert!(norm(&matrix) >= 14f64.sqrt() && norm(&matrix) < 14f64.sqrt() * (1.0 + 1e-13));
        assert!(largest_singular_value(&[f64::MAX, 1.0], 2) >= f64::MAX);
        assert!((0.0..1e-140).contains(&largest_singular_value(&[0.0; 6], 2)));
    }

    #[test]
    fn what_is_unknown_stays_unknown() {
        assert_eq!(grown(f64::INFINITY, &[(0.0, 1.0)]), f64::INFINITY);
        assert_eq!(grown(f64::NAN, &[]), f64::INFINITY);
        assert_eq!(grown(0.0, &[(0.0, f64::NAN)]), f64::INFINITY);
        assert_eq!(grown(0.0, &[(1e200, 1e200)]), f64::INFINITY);
        assert!(grown(0.0, &[(0.1, 3.0)]) >= 0.3);
        assert!(norm(&[1.0, f64::NAN]).is_nan() && norm(&[f64::INFINITY]) == f64::INFINITY);
        assert!(norm(&[1e-200]) >= 1e-200);
    }
}
