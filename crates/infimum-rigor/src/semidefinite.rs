//! Proof that a symmetric matrix, known up to enclosures of its entries, is positive semidefinite: a floating-point Cholesky
//! factorisation of the matrix less a diagonal that pays for every error (after Rump, *Verification of positive definiteness*,
//! BIT 46, 2006; the error bound below is Higham, *Accuracy and Stability of Numerical Algorithms*, 2002, sections 8.1 and 10.1).
//!
//! **Derivation.** A ∈ R^(n×n) symmetric, a_ij in an interval with midpoint m_ij and radius ρ_ij. u = 2^-53, γ_k = ku/(1 − ku).
//!
//! 1. A row whose entries are all exactly 0 stands for one with a diagonal of 1 and nothing beside it: the matrix is positive semidefinite if the one with that is. Every other row
//!    needs m_ii > 0. For any positive d_i, A is positive semidefinite iff
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
//!
//! Zeros at the front of a row ([`Envelope`]) are zeros of L too (c_ij = 0 and l_ik = 0 for k < j give l_ij = 0), so that leaving them out changes no number.

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

/// The lower triangle of a symmetric matrix whose rows begin with zeros: of row i only the entries from column `first_i ≤ i` to the diagonal are
/// held. Cholesky's factor has its zeros in the same places, so that they cost nothing.
#[derive(Debug, Clone, Default)]
pub struct Envelope {
    /// Column of the first entry of each row, and where its entries begin.
    rows: Vec<(usize, usize)>,
    entries: Vec<Interval>,
}

impl Envelope {
    /// The next row: its entries from column `first` to the diagonal, which has to be there.
    pub fn push(&mut self, first: usize, entries: &[Interval]) {
        assert!(!entries.is_empty() && first + entries.len() == self.rows.len() + 1, "a row ends at the diagonal");
        self.rows.push((first, self.entries.len()));
        self.entries.extend_from_slice(entries);
    }

    /// Number of rows.
    pub fn order(&self) -> usize {
        self.rows.len()
    }

    /// First column and entries of row i.
    fn row(&self, i: usize) -> (usize, &[Interval]) {
        let (first, start) = self.rows[i];
        (first, &self.entries[start..=start + i - first])
    }

    /// Whether *every* symmetric matrix with these entries is proven positive semidefinite. `false` proves nothing.
    pub fn is_positive_semidefinite(&self) -> bool {
        let order = self.order();
        if order > MOST_ROWS {
            return false;
        }
        // Rows (and columns) of zeros are left out: they are rows of a diagonal of 1 beside which nothing stands.
        let mut is_zero = vec![true; order];
        for i in 0..order {
            let (first, row) = self.row(i);
            for (j, _) in row.iter().enumerate().filter(|entry| *entry.1 != Interval::ZERO) {
                (is_zero[i], is_zero[first + j]) = (false, false);
            }
        }
        let diagonal = |i: usize| if is_zero[i] { 1.0 } else { self.row(i).1[i - self.row(i).0].midpoint_radius().0 };
        let diagonals: Vec<f64> = (0..order).map(diagonal).collect();
        if !diagonals.iter().all(|&a| a > 0.0 && a.is_finite()) {
            return false;
        }
        let factors: Vec<f64> = diagonals.iter().map(|&a| balance(a)).collect();
        let mut lower = vec![0.0; self.entries.len()];
        let mut radii = vec![0.0f64; order];
        for i in 0..order {
            let (first, start) = self.rows[i];
            for j in first..=i {
                let entry = self.entries[start + j - first];
                let (middle, radius) = if is_zero[i] && i == j { (1.0, 0.0) } else { entry.midpoint_radius() };
                let scaled = scale(middle, factors[i], factors[j]);
                if !(scaled.abs() <= 2.0 && radius >= 0.0) {
                    return false;
                }
                lower[start + j - first] = scaled;
                let radius = scale(radius, factors[i], factors[j]);
                radii[i] += radius;
                if j < i {
                    radii[j] += radius;
                }
            }
        }
        let shift = 2.0 * ((order + 1) * (order + 2)) as f64 * UNIT;
        for i in 0..order {
            // n additions and the scaling round by factors of at most 1 + u each; 2^-1000 covers what underflows.
            let radius = radii[i] * (1.0 + 4.0 * (order + 2) as f64 * UNIT) + order as f64 * 2f64.powi(-1000);
            let (first, start) = self.rows[i];
            lower[start + i - first] -= add_up(radius, shift * (1.0 + 8.0 * UNIT));
        }
        factorizes(&self.rows, &mut lower)
    }
}

/// Whether *every* symmetric matrix with entry (i, j) in `entries[i·order + j]`, j ≤ i, is proven positive semidefinite. `false`
/// proves nothing. The part above the diagonal is not read; a matrix of other than order² entries is not proven anything.
pub fn is_positive_semidefinite(order: usize, entries: &[Interval]) -> bool {
    if order > MOST_ROWS || entries.len() != order * order {
        return false;
    }
    let mut envelope = Envelope::default();
    (0..order).for_each(|i| envelope.push(0, &entries[i * order..=i * order + i]));
    envelope.is_positive_semidefinite()
}

/// Cholesky factorisation in place of the lower triangle whose row i has its first column and its place in `rows`; whether all pivots are
/// positive and finite.
fn factorizes(rows: &[(usize, usize)], lower: &mut [f64]) -> bool {
    vectorized(
        #[inline(always)]
        || {
            for (i, &(first, start)) in rows.iter().enumerate() {
                let (above, row) = lower.split_at_mut(start);
                let row = &mut row[..=i - first];
                for j in first..i {
                    let (other_first, other_start) = rows[j];
                    let other = &above[other_start..][..=j - other_first];
                    let from = first.max(other_first);
                    let sum = dot(&row[from - first..j - first], &other[from - other_first..j - other_first]);
                    row[j - first] = (row[j - first] - sum) / other[j - other_first];
                }
                let last = i - first;
                let pivot = row[last] - dot(&row[..last], &row[..last]);
                if !(pivot > 0.0 && pivot.is_finite()) {
                    return false;
                }
                row[last] = pivot.sqrt();
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
