//! The rows as the search sees them: reduced, in coordinates in which the bound is a Euclidean length, scaled.
//!
//! With the Cholesky factor `T Tᵀ = L Lᵀ`, `q = L⁻ᵀ q̃`, `v = L ṽ` and `x̃_p = Lᵀ C_p`: `‖Tᵀq‖ = ‖q̃‖`, `q·v = q̃·ṽ`,
//! `C_p·v = x̃_p·ṽ`, and `u = Tᵀ L⁻ᵀ ũ` has `x_p·u = x̃_p·ũ` and `‖u‖ = ‖ũ‖`. Weights are multiplied by a power of two
//! so that `Σ|w_p|‖x_p‖` is about 1.

use infimum_problem::Basis;

use super::reduction::{Reduction, cholesky};
use crate::Points;

/// A vector of the reduced space.
pub(super) type Vector<const R: usize> = [f64; R];

/// Rows with one sign of w.
#[derive(Default)]
pub(super) struct Side<const R: usize> {
    /// Which distinct row.
    pub(super) index: Vec<u32>,
    /// `|w_p| x̃_p`.
    pub(super) scaled: Vec<[f64; R]>,
}

/// All rows with w_p ≠ 0 that are not 0.
pub(super) struct Rows<const R: usize> {
    /// Rows with w_p > 0.
    pub(super) positive: Side<R>,
    /// Rows with w_p < 0.
    pub(super) negative: Side<R>,
    /// Generators of the fan: `s_j e_j`, then `−Σ_j s_j e_j`, in the search's coordinates.
    pub(super) fan: Vec<Vector<R>>,
    /// s_j.
    pub(super) lengths: Vec<f64>,
    /// What q·v_k must exceed its requirement by, relative to Σ|w_p x_p·v_k|, so that the rounding of sums does not
    /// matter; the checker's rounding included.
    pub(super) slack: f64,
    /// The same for the rounding of v_k, relative to Σ|w_p|‖x_p‖ (which is scaled to at most 1) times ‖v_k‖.
    pub(super) generator_slack: f64,
    /// Values of the search times this are values of the problem.
    pub(super) unit: f64,
    /// The basis as it is recorded.
    pub(super) basis: Option<Basis>,
    /// L, lower triangular.
    factor: [[f64; R]; R],
    /// T, r × D.
    coefficients: Vec<f64>,
}

/// Slack for sums.
const SLACK: f64 = 4e-13;
/// Slack for generators: each split adds about 2e-16, and trees are some tens of splits deep.
const GENERATOR_SLACK: f64 = 5e-14;
/// Slack for each addition of a checker.
const SLACK_PER_ROW: f64 = 3e-16;

/// Sums Σ|w_p|‖x_p‖ for which no square of a bound overflows or underflows.
const SIZES: std::ops::Range<f64> = 1e-140..1e140;

impl<const R: usize> Rows<R> {
    /// `None` if sums overflow or underflow.
    pub(super) fn new(points: &Points, w: &[f64], errors: &[f64], reduction: &Reduction) -> Option<Rows<R>> {
        let flat = cholesky(&reduction.gram(), R)?;
        let factor: [[f64; R]; R] = std::array::from_fn(|i| std::array::from_fn(|j| flat[i * R + j]));
        let whole = reduction.columns.len() == reduction.dimension;
        let coordinates = |p: usize| -> Vector<R> {
            let row = points.point(p);
            let entries: Vector<R> = std::array::from_fn(|j| row[reduction.columns[j]]);
            std::array::from_fn(|j| (j..R).map(|i| factor[i][j] * entries[i]).sum())
        };
        let mut total = 0.0;
        for p in (0..points.len()).filter(|&p| w[p] != 0.0) {
            total += w[p].abs() * length(&coordinates(p));
        }
        if !(total == 0.0 || SIZES.contains(&total)) {
            return None;
        }
        // With all rows 0 any unit does.
        let unit = if total > 0.0 { 2f64.powi(total.log2().ceil() as i32) } else { 1.0 };
        let (mut positive, mut negative) = (Side::default(), Side::default());
        let mut rows = 0;
        for p in (0..points.len()).filter(|&p| w[p] != 0.0) {
            rows += 1;
            let scale = w[p].abs() / unit;
            let scaled = coordinates(p).map(|x| x * scale);
            if scaled.iter().any(|&x| x != 0.0) {
                let side: &mut Side<R> = if w[p] > 0.0 { &mut positive } else { &mut negative };
                side.index.push(p as u32);
                side.scaled.push(scaled);
            }
        }
        let mut fan: Vec<Vector<R>> = Vec::with_capacity(R + 1);
        let mut lengths = Vec::with_capacity(R);
        for j in 0..R {
            let axis = forward(&factor, std::array::from_fn(|i| f64::from(u8::from(i == j))));
            let s = 1.0 / length(&axis);
            lengths.push(s);
            fan.push(axis.map(|value| value * s));
        }
        fan.push(std::array::from_fn(|i| -(0..R).map(|j| fan[j][i]).sum::<f64>()));
        let basis = (!whole).then(|| Basis {
            columns: reduction.columns.iter().map(|&column| column as u32).collect(),
            coefficients: reduction.coefficients.clone(),
        });
        let slack = SLACK + SLACK_PER_ROW * rows as f64;
        // An error of w changes what is required at a generator v by at most the error times |C_p·v| ≤ ‖C_p‖‖v‖.
        let wrong: f64 = errors.iter().enumerate().map(|(p, error)| error * length(&coordinates(p))).sum();
        let generator_slack = if total == 0.0 { 0.0 } else { GENERATOR_SLACK } + 2.0 * wrong / unit;
        let coefficients = reduction.coefficients.clone();
        Some(Rows { positive, negative, fan, lengths, slack, generator_slack, unit, basis, factor, coefficients })
    }

    /// `L⁻ᵀ q̃` in the problem's units: q as it is recorded.
    pub(super) fn recorded(&self, q: &Vector<R>) -> Vector<R> {
        backward(&self.factor, q.map(|value| value * self.unit))
    }

    /// `‖Tᵀq‖` of a recorded q, rounded up amply.
    pub(super) fn bound_of(&self, q: &[f64]) -> f64 {
        length_of(&self.transposed(q)) * (1.0 + 1e-13)
    }

    /// The unit vector `Tᵀ L⁻ᵀ ũ`.
    pub(super) fn direction(&self, u: &Vector<R>) -> Vec<f64> {
        let mut direction = self.transposed(&backward(&self.factor, *u));
        let length = length_of(&direction);
        direction.iter_mut().for_each(|value| *value /= length);
        direction
    }

    /// `Tᵀ q`.
    fn transposed(&self, q: &[f64]) -> Vec<f64> {
        let dimension = self.coefficients.len() / R;
        let entry = |j: usize| (0..R).map(|i| self.coefficients[i * dimension + j] * q[i]).sum();
        (0..dimension).map(entry).collect()
    }
}

/// `L⁻¹ v`.
fn forward<const R: usize>(factor: &[[f64; R]; R], mut v: Vector<R>) -> Vector<R> {
    for i in 0..R {
        let known: f64 = (0..i).map(|k| factor[i][k] * v[k]).sum();
        v[i] = (v[i] - known) / factor[i][i];
    }
    v
}

/// `L⁻ᵀ v`.
fn backward<const R: usize>(factor: &[[f64; R]; R], mut v: Vector<R>) -> Vector<R> {
    for i in (0..R).rev() {
        let known: f64 = (i + 1..R).map(|k| factor[k][i] * v[k]).sum();
        v[i] = (v[i] - known) / factor[i][i];
    }
    v
}

#[inline(always)]
pub(super) fn inner<const R: usize>(a: &Vector<R>, b: &Vector<R>) -> f64 {
    let mut sum = 0.0;
    for j in 0..R {
        sum += a[j] * b[j];
    }
    sum
}

#[inline(always)]
pub(super) fn length<const R: usize>(v: &Vector<R>) -> f64 {
    inner(v, v).sqrt()
}

fn length_of(v: &[f64]) -> f64 {
    let largest = v.iter().fold(0.0f64, |largest, value| largest.max(value.abs()));
    match largest > 0.0 {
        true => largest * v.iter().map(|value| (value / largest).powi(2)).sum::<f64>().sqrt(),
        false => 0.0,
    }
}
