//! From multipliers to witnesses, and from those to a dual point whose bounds are at most β together (docs/relu.md, theorems 1 and 3).

use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, MatRef, Par};
use infimum_problem::{BoundProof, Intercept, Moments, Witness};

use super::DualPoint;
use super::trust_region::Ball;
use crate::ray::{best_scale, charge, room, total};
use crate::{Instance, Points};

/// Relative slack of a bound, for the rounding of the search and of the checker.
const SLACK: f64 = 1e-10;

/// Free numbers of theorem 3 for one w: whatever they are, a bound comes out.
#[derive(Debug, Clone, Default)]
pub struct Multipliers {
    /// τ_p, M of them.
    pub(super) tau: Vec<f64>,
    /// g_p, M × D; or empty: all 0.
    pub(super) g: Vec<f64>,
    /// σ_p, M of them.
    pub(super) sigma: Vec<f64>,
}

/// Multipliers of which a proof is made for any w.
pub(super) trait Proving {
    /// The witness for `scale·w` with the multipliers scaled likewise. The proof holds for all weights that differ from `scale·w_p` by at most
    /// `scale·errors_p`; none: 0. Where numbers overflow, that of theorem 2.
    fn witness(&self, points: &Points, w: &[f64], errors: &[f64], scale: f64) -> Witness;
}

impl Proving for Multipliers {
    fn witness(&self, points: &Points, w: &[f64], errors: &[f64], scale: f64) -> Witness {
        self.moments(points, w, errors, scale).unwrap_or_else(|| norms_within(points, w, errors, scale))
    }
}

impl Multipliers {
    /// The better of this witness and that of theorem 2.
    pub(crate) fn best_witness(&self, points: &Points, w: &[f64], errors: &[f64]) -> Witness {
        let witness = self.witness(points, w, errors, 1.0);
        let other = norms_within(points, w, errors, 1.0);
        if witness.bound < other.bound { witness } else { other }
    }

    /// g is rounded to `f32` first, then c, Q, q, λ and s follow from what is recorded. The bound is computed with slack for rounding.
    fn moments(&self, points: &Points, w: &[f64], errors: &[f64], scale: f64) -> Option<Witness> {
        let (d, m) = (points.dimension, points.len());
        let g: Vec<f32> = self.g.iter().map(|&g| (scale * g) as f32).collect();
        let (mut tau, mut sigma) = (Vec::with_capacity(m), Vec::with_capacity(m));
        let (mut constant, mut magnitude, mut wrong) = (0.0, 0.0, 0.0);
        let mut linear = vec![0.0; d];
        let mut weights = vec![0.0; m];
        for p in 0..m {
            let x = points.point(p);
            let row = g.get(p * d..(p + 1) * d).unwrap_or(&[]);
            let r = row.iter().map(|&g| f64::from(g) * f64::from(g)).sum::<f64>().sqrt() * (1.0 + 1e-14);
            let (w, s) = (scale * w[p], scale * self.sigma[p]);
            let c = (0.5 * w + r + s.abs()).max(0.0);
            let norm = x.iter().map(|x| x * x).sum::<f64>().sqrt();
            // A row of zeros has the term 0: any tiny τ will do.
            let t = if norm == 0.0 { 1e-200 } else { self.tau[p].clamp(1e-12 * norm, 1e6 * norm) };
            // An error e of w changes the term by e|t|/2 in q and by e(t²/τ + τ)/4 in the rest, |t| ≤ ‖x‖.
            let error = scale * errors.get(p).copied().unwrap_or(0.0);
            wrong += if norm == 0.0 { error * t } else { error * (norm + norm * norm / t + t) };
            constant += 0.5 * c * t;
            weights[p] = 0.5 * c / t;
            magnitude += weights[p] * norm * norm + (r + 0.5 * w.abs() + s.abs()) * norm;
            linear.iter_mut().zip(x).for_each(|(q, x)| *q += (0.5 * w - s) * x);
            tau.push(t);
            sigma.push(s);
        }
        let matrix = quadratic(points, &weights, &g);
        let ball = Ball::new(&matrix, &linear)?;
        let (lambda, s) = ball.multipliers(0.0)?;
        let largest = (0..d).fold(s, |top, j| top.max(lambda - matrix[(j, j)]));
        let slack = SLACK * (lambda + s + constant) + rounding(m, d, largest, magnitude) + wrong;
        let (lambda, s) = ball.multipliers(slack)?;
        let bound = (lambda + s + constant) * (1.0 + 1e-12) + wrong;
        bound.is_finite().then_some(Witness { bound, proof: BoundProof::Moments(Moments { tau, g, sigma, lambda, s }) })
    }
}

/// What a proof by Cholesky's method that the matrix is positive semidefinite loses: about `2 (D + 2)²` units of rounding of its
/// largest diagonal entry (Rump, BIT 2006), and `M/256 + 256` of the `magnitude` of what Q's entries are summed from; both twice.
pub(super) fn rounding(m: usize, d: usize, largest: f64, magnitude: f64) -> f64 {
    let unit = 0.5 * f64::EPSILON;
    let order = d as f64 + 2.0;
    4.0 * unit * order * order * largest + (512.0 + m as f64 / 128.0) * unit * magnitude
}

/// `Q = Σ_p weight_p x_p x_pᵀ − ½ Σ_p (x_p g_pᵀ + g_p x_pᵀ)`.
pub(super) fn quadratic(points: &Points, weights: &[f64], g: &[f32]) -> Mat<f64> {
    const CHUNK: usize = 512;
    let (d, m) = (points.dimension, points.len());
    let mut sum = Mat::<f64>::zeros(d, d);
    let mut right = Vec::with_capacity(CHUNK * d);
    for first in (0..m).step_by(CHUNK) {
        let range = first..(first + CHUNK).min(m);
        right.clear();
        for p in range.clone() {
            let row = g.get(p * d..(p + 1) * d);
            let x = points.point(p);
            right.extend((0..d).map(|j| weights[p] * x[j] - row.map_or(0.0, |row| f64::from(row[j]))));
        }
        let left = &points.values[range.start * d..range.end * d];
        let (left, right) = (
            MatRef::from_column_major_slice(left, d, range.len()),
            MatRef::from_column_major_slice(&right, d, range.len()),
        );
        matmul(sum.as_mut(), Accum::Add, left, right.transpose(), 1.0, Par::Seq);
    }
    Mat::from_fn(d, d, |i, j| 0.5 * (sum[(i, j)] + sum[(j, i)]))
}

/// The witness of theorem 2.
pub(super) fn norms(points: &Points, w: &[f64], scale: f64) -> Witness {
    let norm = |p: usize| points.point(p).iter().map(|x| x * x).sum::<f64>().sqrt();
    let sum: f64 = w.iter().enumerate().filter(|(_, w)| **w > 0.0).map(|(p, w)| scale * w * norm(p)).sum();
    Witness { bound: sum * (1.0 + 1e-12), proof: BoundProof::Norms }
}

/// That for all weights that differ from `scale·w_p` by at most `scale·errors_p`.
pub(super) fn norms_within(points: &Points, w: &[f64], errors: &[f64], scale: f64) -> Witness {
    let mut witness = norms(points, w, scale);
    witness.bound += scale * points.norm_sum(errors);
    witness
}

/// The best multiple of a dual point with its witnesses. `alpha` may be a little outside of its domain; `multipliers` are for w = α_k and
/// w = −α_k, for every output k. All bounds scale with α, so the value along the ray is the concave `t ↦ g(tα) − t²R`, up to the t
/// where a bound or the domain ends.
pub(super) fn certified(instance: &Instance, mut alpha: Vec<f64>, multipliers: &[impl Proving]) -> DualPoint {
    if instance.output_bias == Intercept::Free {
        instance.losses.clip(&mut alpha);
        instance.losses.balance(&mut alpha);
    }
    instance.losses.clip(&mut alpha);
    let weights: Vec<Vec<f64>> = (0..multipliers.len()).map(|b| signed(instance, &alpha, b)).collect();
    let errors: Vec<Vec<f64>> = (0..instance.outputs).map(|k| instance.merging_errors(&alpha, k)).collect();
    let witnesses = |scale: f64| -> Vec<Witness> {
        let parts = multipliers.iter().zip(&weights).enumerate();
        parts.map(|(b, (part, w))| part.witness(&instance.points, w, &errors[b / 2], scale)).collect()
    };
    let bound = total(&witnesses(1.0));
    let limit = if bound > 0.0 { instance.beta / bound } else { f64::INFINITY };
    let mut scale = best_scale(instance, &alpha, limit.min(room(instance, &alpha)));
    let mut shrink = 1e-13;
    for _ in 0..12 {
        let witnesses = witnesses(scale);
        if total(&witnesses) <= instance.beta {
            alpha.iter_mut().for_each(|a| *a *= scale);
            instance.losses.clip(&mut alpha);
            let value = instance.losses.gain(&alpha) - charge(instance, &alpha);
            return DualPoint { alpha, witnesses, value };
        }
        // Rounding g to f32 moves the bound by about 1e-8 of itself.
        scale *= (instance.beta / total(&witnesses)).min(1.0) * (1.0 - shrink);
        shrink *= 10.0;
    }
    DualPoint::zero(instance)
}

/// w_p for bound number `b`: that of output b/2, with sign − if b is odd.
pub(super) fn signed(instance: &Instance, alpha: &[f64], b: usize) -> Vec<f64> {
    let mut w = instance.merged(alpha, b / 2);
    if b % 2 == 1 {
        w.iter_mut().for_each(|w| *w = -*w);
    }
    w
}
