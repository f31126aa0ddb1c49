//! Hessians of smooth problems, `H = Σ_i Σ_t w_it (e_t e_tᵀ) ⊗ x̃_i x̃_iᵀ` plus the penalty's, with the terms t of [`SmoothLosses::terms`], their weights w ≥ 0, and the constant 1 last in
//! x̃ where the model has an intercept. Orders are those of [`crate::direction::Direction::flatten`]: outputs outermost.
//!
//! An estimate takes fewer of the products: weights below a threshold τ are kept with probability w/τ, and then count as τ. Its mean is the
//! Hessian, and each of its values is positive semidefinite. Most rows of a softmax problem are sure of their class and weigh next to nothing, so a small share of the products is left.

use faer::Mat;

use crate::design;
use crate::direction::Direction;
use crate::first_order::random;
use crate::frame::Frame;
use crate::gram::{weighted_gram, weighted_gram_and_pull};
use crate::smooth::{SmoothLosses, Term};
use crate::sums::sum;

/// Weights by which a threshold is found.
const SAMPLED: usize = 8_192;

/// The diagonal.
pub(crate) fn diagonal(frame: &Frame, losses: &impl SmoothLosses, curvature: &[f64]) -> Vec<f64> {
    let (d, outputs) = (frame.columns(), frame.outputs);
    let block = d + usize::from(frame.has_intercept());
    let weights: Vec<f64> = (0..frame.rows())
        .flat_map(|i| (0..outputs).map(move |k| (i, k)))
        .map(|(i, k)| losses.diagonal(curvature, i, k))
        .collect();
    let (mut squares, mut sums) = (vec![0.0; outputs * d], vec![0.0; outputs]);
    design::transpose_multiply_squares(frame.matrix, &weights, &mut squares, &mut sums);
    let mut diagonal = Direction { weights: squares, intercepts: sums }.flatten(frame.has_intercept());
    diagonal.iter_mut().enumerate().for_each(|(entry, value)| *value += frame.curvature(entry % block));
    diagonal
}

/// Lower triangle of the Hessian, `v = Aᵀ X` and the sums of the columns of A = alpha; of one output from one pass over the rows.
pub(crate) fn hessian_and_pull(
    frame: &Frame,
    losses: &impl SmoothLosses,
    curvature: &[f64],
    alpha: &[f64],
    v: &mut [f64],
    sums: &mut [f64],
) -> Mat<f64> {
    if frame.outputs > 1 {
        design::transpose_multiply(frame.matrix, alpha, v, sums);
        return hessian(frame, losses, curvature);
    }
    // The curvature of one output is the weight of its only term.
    let (mut hessian, pull) = weighted_gram_and_pull(frame, curvature, frame.has_intercept(), Some(alpha));
    (0..hessian.nrows()).for_each(|j| hessian[(j, j)] += frame.curvature(j));
    v.copy_from_slice(&pull);
    sums[0] = sum(alpha.len(), 0.0, |i| alpha[i]);
    hessian
}

/// Lower triangle of the Hessian.
fn hessian(frame: &Frame, losses: &impl SmoothLosses, curvature: &[f64]) -> Mat<f64> {
    let weight = |i: usize, term: Term| losses.term(curvature, i, term);
    assembled(frame, &losses.terms(), frame.outputs, weight, 0.0)
}

/// Lower triangle of an estimate of the Hessian from about `entries` products of each term.
pub(crate) fn estimate(frame: &Frame, losses: &impl SmoothLosses, curvature: &[f64], entries: usize) -> Mat<f64> {
    let (terms, weight) = (losses.terms(), |i: usize, term: Term| losses.term(curvature, i, term));
    assembled(frame, &terms, frame.outputs, weight, threshold(frame.rows(), &terms, entries, weight))
}

/// The same of the block of output `k` alone.
pub(crate) fn block_estimate(
    frame: &Frame,
    losses: &impl SmoothLosses,
    curvature: &[f64],
    k: usize,
    entries: usize,
) -> Mat<f64> {
    let (terms, weight) = ([(0, None)], |i: usize, _: Term| losses.diagonal(curvature, i, k));
    assembled(frame, &terms, 1, weight, threshold(frame.rows(), &terms, entries, weight))
}

/// Lower triangle of the sum over the terms, which are between `outputs` outputs. Told to stop, it is of fewer rows; callers ask the monitor before they rely on it.
fn assembled(
    frame: &Frame,
    terms: &[Term],
    outputs: usize,
    weight: impl Fn(usize, Term) -> f64,
    threshold: f64,
) -> Mat<f64> {
    let constant = frame.has_intercept();
    let block = frame.columns() + usize::from(constant);
    let mut sum = Mat::zeros(outputs * block, outputs * block);
    let mut h = vec![0.0; frame.rows()];
    let mut state = 0;
    for &(k, other) in terms {
        for (i, h) in h.iter_mut().enumerate() {
            *h = weight(i, (k, other));
            if *h < threshold {
                let uniform = (random(&mut state) >> 11) as f64 / (1u64 << 53) as f64;
                *h = if uniform * threshold < *h { threshold } else { 0.0 };
            }
        }
        let gram = weighted_gram(frame, &h, constant);
        let first = k * block;
        for column in 0..block {
            for row in column..block {
                let value = gram[(row, column)];
                sum[(first + row, first + column)] += value;
                if let Some(l) = other {
                    // l < k: the block stands below the diagonal, and both of its triangles count.
                    let second = l * block;
                    sum[(second + row, second + column)] += value;
                    sum[(first + row, second + column)] -= value;
                    if row != column {
                        sum[(first + column, second + row)] -= value;
                    }
                }
            }
        }
    }
    for j in 0..outputs * block {
        sum[(j, j)] += frame.curvature(j % block);
    }
    sum
}

/// The least τ for which `Σ min(1, w/τ)` is at most `entries` for each term, by a sample of the rows (64 of them at least); 0 if there are no more rows than that.
///
/// From `τ = Σ w/entries`, which is too large, `τ ← Σ_{w<τ} w / (entries − #{w ≥ τ})` falls to it.
fn threshold(n: usize, terms: &[Term], entries: usize, weight: impl Fn(usize, Term) -> f64) -> f64 {
    if n <= entries {
        return 0.0;
    }
    let stride = (n * terms.len() / SAMPLED).clamp(1, n.div_ceil(64));
    let rows = (0..n).step_by(stride);
    let weights: Vec<f64> =
        rows.flat_map(|i| terms.iter().map(move |&term| (i, term))).map(|(i, term)| weight(i, term)).collect();
    let wanted = (entries * terms.len()) as f64 / stride as f64;
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

#[cfg(test)]
mod tests {
    use infimum_problem::{DenseMatrix, Intercept, Matrix, Silent};

    use super::*;
    use crate::penalty::Penalty;
    use crate::softmax::SoftmaxLosses;

    const ROWS: usize = 3_000;
    const COLUMNS: usize = 4;
    const OUTPUTS: usize = 3;

    fn uniform(state: &mut u64) -> f64 {
        (random(state) >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    }

    /// Does something with a softmax problem of rows most of which are sure of their class, and the curvature there.
    fn with_problem(test: impl Fn(&Frame, &SoftmaxLosses, &[f64])) {
        let mut state = 7;
        let values: Vec<f64> = (0..ROWS * COLUMNS).map(|_| uniform(&mut state)).collect();
        let matrix = Matrix::Dense(DenseMatrix { rows: ROWS, columns: COLUMNS, values: values.into() });
        let classes: Vec<u32> = (0..ROWS).map(|_| (random(&mut state) % OUTPUTS as u64) as u32).collect();
        let weights: Vec<f64> = (0..ROWS).map(|_| 1.5 + uniform(&mut state)).collect();
        let frame = Frame {
            kernel: None,
            dictionary: None,
            matrix: &matrix,
            weights: &weights,
            penalty: Penalty { lambda1: 0.0, lambda2: 0.5, scales: None },
            intercept: Intercept::Penalized,
            outputs: OUTPUTS,
            monitor: &Silent,
        };
        let losses = SoftmaxLosses { classes: &classes, weights: &weights, outputs: OUTPUTS };
        let z: Vec<f64> = (0..ROWS * OUTPUTS).map(|_| 6.0 * uniform(&mut state)).collect();
        let (mut alpha, mut curvature) = (vec![0.0; z.len()], vec![0.0; z.len()]);
        losses.derivatives(&z, 0.0, &mut alpha, &mut curvature);
        test(&frame, &losses, &curvature);
    }

    fn product(lower: &Mat<f64>, v: &[f64]) -> Vec<f64> {
        let entry = |i: usize, j: usize| if i >= j { lower[(i, j)] } else { lower[(j, i)] };
        (0..v.len()).map(|i| (0..v.len()).map(|j| entry(i, j) * v[j]).sum()).collect()
    }

    fn dot(a: &[f64], b: &[f64]) -> f64 {
        a.iter().zip(b).map(|(a, b)| a * b).sum()
    }

    /// By the products with X and Xᵀ that conjugate gradients make.
    #[test]
    fn the_hessian_is_that_of_the_products() {
        with_problem(|frame, losses, curvature| {
            let (h, diagonal) = (hessian(frame, losses, curvature), diagonal(frame, losses, curvature));
            let mut state = 1;
            for place in 0..h.nrows() {
                assert!((h[(place, place)] - diagonal[place]).abs() <= 1e-10 * diagonal[place], "{place}");
                let v: Vec<f64> = (0..h.nrows()).map(|_| uniform(&mut state)).collect();
                let step = Direction::from_flat(&v, COLUMNS, OUTPUTS, true);
                let (mut dz, mut curved) = (vec![0.0; ROWS * OUTPUTS], vec![0.0; ROWS * OUTPUTS]);
                design::multiply(frame.matrix, &step.weights, &step.intercepts, &mut dz);
                losses.curve(curvature, &dz, &mut curved);
                let (mut weights, mut intercepts) = (vec![0.0; COLUMNS * OUTPUTS], vec![0.0; OUTPUTS]);
                design::transpose_multiply(frame.matrix, &curved, &mut weights, &mut intercepts);
                let expected = Direction { weights, intercepts }.flatten(true);
                for ((got, expected), v) in product(&h, &v).iter().zip(expected).zip(&v) {
                    assert!((got - (expected + 0.5 * v)).abs() < 1e-9 * ROWS as f64, "{got} {expected}");
                }
            }
        });
    }

    /// Along any direction an estimate has about the curvature that the Hessian has, whether of all outputs or of one; with as many entries as rows it is the Hessian.
    #[test]
    fn estimates_are_near_and_positive() {
        with_problem(|frame, losses, curvature| {
            let exact = hessian(frame, losses, curvature);
            let near = |estimate: &Mat<f64>, exact: &dyn Fn(&[f64]) -> Vec<f64>, least: f64, most: f64| {
                let mut state = 3;
                for _ in 0..200 {
                    let v: Vec<f64> = (0..estimate.nrows()).map(|_| uniform(&mut state)).collect();
                    let ratio = dot(&product(estimate, &v), &v) / dot(&exact(&v), &v);
                    assert!((least..=most).contains(&ratio), "{ratio}");
                }
            };
            let whole = |v: &[f64]| product(&exact, v);
            near(&estimate(frame, losses, curvature, 150), &whole, 0.6, 1.6);
            near(&estimate(frame, losses, curvature, ROWS), &whole, 1.0 - 1e-12, 1.0 + 1e-12);
            let block = COLUMNS + 1;
            for k in 0..OUTPUTS {
                let own = |v: &[f64]| {
                    let mut all = vec![0.0; OUTPUTS * block];
                    all[k * block..(k + 1) * block].copy_from_slice(v);
                    product(&exact, &all)[k * block..(k + 1) * block].to_vec()
                };
                near(&block_estimate(frame, losses, curvature, k, 150), &own, 0.6, 1.6);
                near(&block_estimate(frame, losses, curvature, k, ROWS), &own, 1.0 - 1e-12, 1.0 + 1e-12);
            }
            // So few products are taken that the estimate is another matrix.
            let few = estimate(frame, losses, curvature, 150);
            assert!((0..few.nrows()).any(|j| (few[(j, j)] - exact[(j, j)]).abs() > 1e-6 * exact[(j, j)]));
        });
    }
}
