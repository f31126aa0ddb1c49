//! Preconditioners for the conjugate gradients of [`crate::newton_cg`]: the Hessian's diagonal, or a factorised estimate of the Hessian.
//!
//! The Hessian is `Σ_i Σ_t w_it (e_t e_tᵀ) ⊗ x̃_i x̃_iᵀ` plus the penalty's, with the terms t of [`SmoothLosses::terms`] and weights w ≥ 0. Where there are more of
//! them than the estimate needs, weights below a threshold τ are kept with probability w/τ, and then count as τ: the mean of the estimate is the
//! Hessian, and each of its values is positive semidefinite. Most rows are sure of their class and weigh next to nothing, so a small share of the products is
//! left. The threshold is that for which about [`ENTRIES_PER_WEIGHT`] products are expected for each weight of a term.
//!
//! A factorisation costs as much as some number of conjugate-gradient steps. It is made when the last Newton step took more than that
//! many, so that it costs at most as much again as was spent without it.

use crate::cholesky::Cholesky;
use crate::design;
use crate::direction::Direction;
use crate::first_order::random;
use crate::frame::Frame;
use crate::gram::weighted_gram;
use crate::smooth::SmoothLosses;

/// Largest order that is factorised.
const LARGEST: usize = 4_000;
/// Products x̃ x̃ᵀ of a term for each of its weights.
const ENTRIES_PER_WEIGHT: usize = 12;
/// Rows by which the threshold is found.
const SAMPLED: usize = 4_096;
/// How many times as fast multiplications are in products of matrices as in passes over the rows.
const FASTER: f64 = 3.0;
/// Least share of its diagonal that is added to an estimate.
const DAMPING: f64 = 1e-9;

/// What stands for the inverse of the Hessian.
pub(crate) struct Preconditioner {
    /// Reciprocal diagonal; 0 for intercepts that the model does not have.
    diagonal: Direction,
    /// One for all outputs, or one for each; none yet, or none at all.
    factors: Vec<Cholesky>,
    /// Conjugate-gradient steps that cost as much as a factorisation; infinite where none is made.
    worth: f64,
}

impl Preconditioner {
    /// The diagonal alone.
    pub(crate) fn new(frame: &Frame, losses: &impl SmoothLosses) -> Preconditioner {
        let outputs = frame.outputs;
        let block = frame.columns() + usize::from(frame.has_intercept());
        let together = outputs * block <= LARGEST;
        let terms = if together { losses.terms().len() } else { outputs };
        let possible = block <= LARGEST && block > 0 && (terms == 1 || !frame.matrix.is_spilled());
        let order = if together { outputs * block } else { block } as f64;
        let entries = (terms * frame.rows()).min(terms * ENTRIES_PER_WEIGHT * block) as f64;
        let cost = 0.5 * entries * (block * block) as f64
            + outputs as f64 * order.powi(3) / 6.0 / if together { outputs as f64 } else { 1.0 };
        let step = 2.0 * (frame.matrix.stored() * outputs).max(1) as f64;
        let worth = if possible { cost / (FASTER * step) } else { f64::INFINITY };
        let diagonal = Direction { weights: Vec::new(), intercepts: Vec::new() };
        Preconditioner { diagonal, factors: Vec::new(), worth }
    }

    /// Brings the diagonal up to date, and makes a new factorisation if the last Newton step took so many steps that it pays.
    pub(crate) fn update(&mut self, frame: &Frame, losses: &impl SmoothLosses, curvature: &[f64], steps: usize) {
        self.diagonal = inverse_diagonal(frame, losses, curvature);
        if steps as f64 > self.worth {
            self.factors = factorised(frame, losses, curvature).unwrap_or_default();
        }
    }

    /// Steps after which it is better to factorise than to go on.
    pub(crate) fn patience(&self) -> usize {
        (2.0 * self.worth).clamp(10.0, 1e9) as usize
    }

    /// The diagonal's inverse times a direction.
    pub(crate) fn scaled(&self, direction: &Direction) -> Direction {
        let multiply = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).collect();
        Direction {
            weights: multiply(&self.diagonal.weights, &direction.weights),
            intercepts: multiply(&self.diagonal.intercepts, &direction.intercepts),
        }
    }

    /// The best inverse at hand times a direction.
    pub(crate) fn apply(&self, frame: &Frame, direction: &Direction) -> Direction {
        if self.factors.is_empty() {
            return self.scaled(direction);
        }
        let constant = frame.has_intercept();
        let mut flat = direction.flatten(constant);
        let each = flat.len() / self.factors.len();
        flat.chunks_exact_mut(each).zip(&self.factors).for_each(|(part, factor)| factor.solve(part));
        Direction::from_flat(&flat, frame.columns(), frame.outputs, constant)
    }
}

/// Reciprocal diagonal of the Hessian; 0 for intercepts that the model does not have.
fn inverse_diagonal(frame: &Frame, losses: &impl SmoothLosses, curvature: &[f64]) -> Direction {
    let (d, outputs) = (frame.columns(), frame.outputs);
    let mut weights: Vec<f64> = (0..d * outputs).map(|entry| frame.curvature(entry % d)).collect();
    let mut intercepts = vec![frame.curvature(d); outputs];
    design::for_each_row(frame.matrix, |i, row| {
        for k in 0..outputs {
            let h = losses.diagonal(curvature, i, k);
            if h > 0.0 {
                let weights = &mut weights[k * d..(k + 1) * d];
                row.for_each(|j, x| weights[j] += h * x * x);
                intercepts[k] += h;
            }
        }
    });
    let invert = |x: &mut f64| *x = if *x > 0.0 { 1.0 / *x } else { 1.0 };
    weights.iter_mut().for_each(invert);
    intercepts.iter_mut().for_each(invert);
    if !frame.has_intercept() {
        intercepts.fill(0.0);
    }
    Direction { weights, intercepts }
}

/// Factors of the estimate: of all outputs together, or of each output's block where that is too large. `None` if it is not finite, or told to stop.
fn factorised(frame: &Frame, losses: &impl SmoothLosses, curvature: &[f64]) -> Option<Vec<Cholesky>> {
    let (n, outputs, constant) = (frame.rows(), frame.outputs, frame.has_intercept());
    let block = frame.columns() + usize::from(constant);
    let together = outputs * block <= LARGEST;
    let terms = if together { losses.terms() } else { (0..outputs).map(|k| (k, None)).collect() };
    let weight = |i: usize, (k, other): (usize, Option<usize>)| match together {
        true => losses.term(curvature, i, (k, other)),
        false => losses.diagonal(curvature, i, k),
    };
    let threshold = threshold(n, &terms, terms.len() * ENTRIES_PER_WEIGHT * block, weight);
    let (order, count) = if together { (outputs * block, 1) } else { (block, outputs) };
    let mut estimates = vec![faer::Mat::<f64>::zeros(order, order); count];
    let mut h = vec![0.0; n];
    let mut state = 0;
    let mut uniform = || (random(&mut state) >> 11) as f64 / (1u64 << 53) as f64;
    for &(k, other) in &terms {
        for (i, h) in h.iter_mut().enumerate() {
            let w = weight(i, (k, other));
            *h = match w >= threshold {
                true => w,
                false if uniform() * threshold < w => threshold,
                false => 0.0,
            };
        }
        let gram = weighted_gram(frame, &h, constant);
        if frame.monitor.stop().is_some() {
            return None;
        }
        let (estimate, first) = if together { (&mut estimates[0], k * block) } else { (&mut estimates[k], 0) };
        for column in 0..block {
            for row in column..block {
                let value = gram[(row, column)];
                estimate[(first + row, first + column)] += value;
                if let Some(l) = other {
                    // l < k: the block stands below the diagonal, and both of its triangles count.
                    let second = l * block;
                    estimate[(second + row, second + column)] += value;
                    estimate[(first + row, second + column)] -= value;
                    if row != column {
                        estimate[(first + column, second + row)] -= value;
                    }
                }
            }
        }
    }
    for estimate in &mut estimates {
        for j in 0..order {
            estimate[(j, j)] += frame.curvature(j % block);
        }
    }
    estimates.into_iter().map(|estimate| Cholesky::new(estimate, DAMPING)).collect()
}

/// The least τ for which `Σ min(1, w/τ)` is at most `entries`, by a sample of the rows; 0 if all weights are few enough.
///
/// From `τ = Σ w/entries`, which is too large, `τ ← Σ_{w<τ} w / (entries − #{w ≥ τ})` falls to it.
fn threshold(
    n: usize,
    terms: &[(usize, Option<usize>)],
    entries: usize,
    weight: impl Fn(usize, (usize, Option<usize>)) -> f64,
) -> f64 {
    if n * terms.len() <= entries {
        return 0.0;
    }
    let stride = (n / SAMPLED).max(1);
    let weights: Vec<f64> = (0..n)
        .step_by(stride)
        .flat_map(|i| terms.iter().map(move |&term| (i, term)))
        .map(|(i, term)| weight(i, term))
        .collect();
    let wanted = entries as f64 / stride as f64;
    let mut threshold = weights.iter().sum::<f64>() / wanted;
    for _ in 0..20 {
        let below: f64 = weights.iter().filter(|&&w| w < threshold).sum();
        let above = weights.iter().filter(|&&w| w >= threshold).count() as f64;
        let next = below / (wanted - above).max(1.0);
        if !(next < 0.999 * threshold) {
            break;
        }
        threshold = next;
    }
    threshold
}
