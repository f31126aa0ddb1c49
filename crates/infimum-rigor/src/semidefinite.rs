//! Proof that a symmetric matrix, known up to enclosures of its entries, is positive semidefinite: a floating-point Cholesky
//! factorisation of the matrix less a diagonal that pays for every error (after Rump, *Verification of positive definiteness*,
//! BIT 46, 2006; the error bound below is Higham, *Accuracy and Stability of Numerical Algorithms*, 2002, sections 8.1 and 10.1).
//!
//! **Derivation.** A ∈ R^(n×n) symmetric, a_ij in an interval with midpoint m_ij and radius ρ_ij. u = 2^-53, γ_k = ku/(1 − ku).
//!
//! 1. A row whose entries are all exactly 0 is left out; every other needs m_ii > 0. For any positive d_i, A is positive semidefinite iff
//!    DAD is. d_i is the power of two with ½ ≤ b_ii < 2, where b_ij = d_i m_ij d_j; so scaling is exact but for underflow, at most
//!    2^-1074 an entry (the larger factor comes first: it cannot overflow where |b_ij| ≤ 2, and |b_ij| > 2 contradicts the diagonal).
//! 2. A symmetric E with |e_ij| ≤ ε_ij fulfils E ⪰ −diag(Σ_j ε_ij) (diagonal dominance). So DAD ⪰ B − diag(δ) with δ_i ≥ Σ_j (d_i ρ_ij d_j + 2^-1074).
//! 3. Let C have b_ij beside the diagonal, c_ii = fl(b_ii − t_i), t_i ≥ δ_i + σ, 0 < c_ii < 2, and let its Cholesky factorisation
//!    run to the end with finite l_ij and positive pivots. In whatever order the sums are evaluated, with fused operations or not,
//!    `|c_ij − Σ_k l_ik l_jk| ≤ γ_{n+1} Σ_k |l_ik||l_jk| + 4n·2^-1074` (each operation is off by a factor 1 + δ, |δ| ≤ u, and where
//!    it may underflow by at most 2^-1075 more; sums do not underflow). By Cauchy–Schwarz the sum is at most ‖l_i‖‖l_j‖, and for j = i
//!    ‖l_i‖² ≤ (c_ii + 4n·2^-1074)/(1 − γ_{n+1}). So |c_ij − (LLᵀ)_ij| ≤ 2γ_{n+1}/(1 − γ_{n+1})·(1 + 2^-50) + 2^-1000, and again
//!    by diagonal dominance C ⪰ LLᵀ − n(…)·I ⪰ −n(…)·I.
//! 4. B − diag(δ) ⪰ C + (σ − 2u)·I since rounding c_ii moves it by at most u·2. It is positive semidefinite if
//!    σ ≥ 2u + 2n γ_{n+1}/(1 − γ_{n+1})·(1 + 2^-50) + 2^-900. With γ/(1 − γ) = (n+1)u/(1 − 2(n+1)u) and n ≤ 2^20 the choice
//!    σ = 2(n+1)(n+2)u will do: it exceeds 2n(n+1)u by 4(n+1)u ≥ 8u, while the rest is less than 2u + 2n(n+1)u·2^-30 + 2^-900 < 3u + 2nu.

use crate::interval::add_up;
use crate::{Interval, vectorized};

/// Rows beyond which the analysis was not made.
const MOST_ROWS: usize = 1 << 20;

const UNIT: f64 = f64::EPSILON / 2.0;

/// The power of two d with ½ ≤ a·d² < 2, for a > 0.
fn balance(a: f64) -> f64 {
    let (scaled, shift) = if a < f64::MIN_POSITIVE { (a * 2f64.powi(54), -54) } else { (a, 0) };
    let exponent = ((scaled.to_bits() >> 52) & 0x7ff) as i64 - 1023 + shift;
    // a lies in [2^e, 2^(e+1)): d = 2^-⌈e/2⌉, an exponent within ±538.
    let half = (exponent + 1).div_euclid(2);
    f64::from_bits(((1023 - half) as u64) << 52)
}

/// `a·s·t` with the larger factor first.
fn scale(a: f64, s: f64, t: f64) -> f64 {
    (a * s.max(t)) * s.min(t)
}

/// Whether *every* symmetric matrix with entry (i, j) in `entries[i·order + j]`, j ≤ i, is proven positive semidefinite. `false`
/// proves nothing. The part above the diagonal is not read; a matrix of other than order² entries is not proven anything.
pub fn is_positive_semidefinite(order: usize, entries: &[Interval]) -> bool {
    if order > MOST_ROWS || entries.len() != order * order {
        return false;
    }
    let entry = |i: usize, j: usize| if i >= j { entries[i * order + j] } else { entries[j * order + i] };
    let kept: Vec<usize> = (0..order).filter(|&i| (0..order).any(|j| entry(i, j) != Interval::ZERO)).collect();
    let n = kept.len();
    let diagonal: Vec<f64> = kept.iter().map(|&i| entry(i, i).midpoint_radius().0).collect();
    if !diagonal.iter().all(|&a| a > 0.0 && a.is_finite()) {
        return false;
    }
    let factors: Vec<f64> = diagonal.iter().map(|&a| balance(a)).collect();
    let mut lower = vec![0.0; n * n];
    let mut radii = vec![0.0f64; n];
    for i in 0..n {
        for j in 0..=i {
            let (middle, radius) = entry(kept[i], kept[j]).midpoint_radius();
            let scaled = scale(middle, factors[i], factors[j]);
            if !(scaled.abs() <= 2.0 && radius >= 0.0) {
                return false;
            }
            lower[i * n + j] = scaled;
            let radius = scale(radius, factors[i], factors[j]);
            radii[i] += radius;
            if j < i {
                radii[j] += radius;
            }
        }
    }
    let shift = 2.0 * ((n + 1) * (n + 2)) as f64 * UNIT;
    for i in 0..n {
        // n additions and the scaling round by factors of at most 1 + u each; 2^-1000 covers what underflows.
        let radius = radii[i] * (1.0 + 4.0 * (n + 2) as f64 * UNIT) + n as f64 * 2f64.powi(-1000);
        lower[i * n + i] -= add_up(radius, shift * (1.0 + 8.0 * UNIT));
    }
    factorizes(n, &mut lower)
}

/// Cholesky factorisation of the lower triangle in place; whether all pivots are positive and finite.
fn factorizes(n: usize, lower: &mut [f64]) -> bool {
    vectorized(
        #[inline(always)]
        || {
            for i in 0..n {
                let (above, row) = lower.split_at_mut(i * n);
                for j in 0..i {
                    let other = &above[j * n..][..=j];
                    row[j] = (row[j] - dot(&row[..j], &other[..j])) / other[j];
                }
                let pivot = row[i] - dot(&row[..i], &row[..i]);
                if !(pivot > 0.0 && pivot.is_finite()) {
                    return false;
                }
                row[i] = pivot.sqrt();
            }
            true
        },
    )
}

#[inline(always)]
fn dot(a: &[f64], b: &[f64]) -> f64 {
    const LANES: usize = 16;
    let mut sums = [0.0; LANES];
    let (left, right) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest: f64 = left.remainder().iter().zip(right.remainder()).map(|(x, y)| x * y).sum();
    for (x, y) in left.zip(right) {
        for lane in 0..LANES {
            sums[lane] = x[lane].mul_add(y[lane], sums[lane]);
        }
    }
    sums.iter().sum::<f64>() + rest
}
