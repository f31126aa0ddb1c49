//! Working sets and proximal Newton for smooth losses with λ1 > 0.
//!
//! Most weights are zero at the optimum. Each round takes a set of columns that holds the support and the worst
//! violators of the optimality conditions, and minimises over it by proximal Newton steps ([`crate::quadratic`] solves the quadratic model
//! with its ℓ1 term to the end). Then one pass over all columns gives `v = Xᵀα`, a feasible dual point, the true gap, and
//! the next set (working sets as in Massias, Gramfort, Salmon, *Celer*, ICML 2018; proximal Newton as in Lee, Sun, Saunders,
//! SIAM J. Optim. 2014).
//!
//! Gap-safe screening (Ndiaye, Fercoq, Gramfort, Salmon, JMLR 2017): g_i is strongly concave with modulus 1/(c_i L), L the
//! largest curvature of the loss, so `|x_j·(α* − α)| ≤ sqrt(2·gap·L·Σ c_i x_ij²)`; a column whose |v_j| cannot reach λ1 s_j
//! within that distance has weight 0 at every optimum and never returns.

use infimum_problem::{DenseMatrix, Matrix, SparseMatrix};

use crate::design;
use crate::frame::{Frame, Point};
use crate::penalty::Penalty;
use crate::quadratic::Quadratic;
use crate::smooth::SmoothLosses;
use crate::tracker::Tracker;

/// Smallest number of columns added to the support.
const FEWEST: usize = 20;
/// Largest order of the quadratic model.
const LARGEST_ORDER: usize = 6_000;
/// Newton steps per round.
const NEWTON_STEPS: usize = 30;
/// Rounds without progress on either bound after which `f64` has met its limit.
const PATIENCE: u32 = 10;

/// Minimises a smooth problem with an ℓ1 term from the tracker's point; `curvature` bounds the loss's second derivative.
pub(crate) fn solve(frame: &Frame, losses: &impl SmoothLosses, curvature: f64, tracker: &mut Tracker) {
    let (n, d, outputs) = (frame.rows(), frame.columns(), frame.outputs);
    let mut point = tracker.point.clone();
    let mut z = vec![0.0; n * outputs];
    let mut alpha = vec![0.0; n * outputs];
    let mut v = vec![0.0; d * outputs];
    let mut sums = vec![0.0; outputs];
    let norms = weighted_norms(frame);
    let mut screened = vec![false; d];
    let mut size = FEWEST;
    let mut idle = 0;
    // The best intercept alone first: at λ1 ≥ λmax that is the optimum.
    let mut set: Vec<usize> = Vec::new();
    loop {
        let mut modelled = vec![0.0; n * outputs];
        if !improve(frame, losses, &set, &mut point, &mut z, &mut modelled, &norms, curvature, tracker) {
            return;
        }
        let upper = frame.upper(losses, &point, &mut z);
        losses.natural_dual(&z, &mut alpha);
        design::transpose_multiply(frame.matrix, &alpha, &mut v, &mut sums);
        let mut violations = violations(frame, &point, &v);
        let mut scaled = alpha.clone();
        let mut scaled_v = v.clone();
        let lower = frame.lower(losses, &mut scaled, &mut scaled_v);
        let mut better = tracker.offer_point(upper, &point) | tracker.offer_dual(lower, &scaled);
        let mut lower = lower;
        let mut modelled_v = vec![0.0; d * outputs];
        let modelled_lower = frame.lower(losses, &mut modelled, &mut modelled_v);
        if modelled_lower > lower {
            better |= tracker.offer_dual(modelled_lower, &modelled);
            (lower, scaled_v) = (modelled_lower, modelled_v);
        }
        tracker.explored += 1;
        tracker.report("working-set");
        if tracker.done() {
            return;
        }
        idle = if better { 0 } else { idle + 1 };
        if idle == PATIENCE {
            tracker.trouble =
                Some("working-set rounds improve neither bound any more (limit of double precision)".into());
            return;
        }
        let radius = (2.0 * (tracker.upper - lower).max(0.0) * curvature).sqrt();
        for j in 0..d {
            let reach = (0..outputs).map(|k| scaled_v[k * d + j].abs()).fold(0.0, f64::max);
            screened[j] |= reach + radius * norms[j] < frame.penalty.l1(j) * (1.0 - 1e-12);
            if screened[j] {
                violations[j] = 0.0;
            }
        }
        let support: Vec<usize> = (0..d).filter(|&j| (0..outputs).any(|k| point.weights[k * d + j] != 0.0)).collect();
        size = (2 * support.len()).max(size).max(FEWEST);
        let mut order: Vec<usize> = (0..d).filter(|&j| violations[j] > 0.0 && !support.contains(&j)).collect();
        order.sort_by(|&a, &b| violations[b].total_cmp(&violations[a]));
        order.truncate(size.saturating_sub(support.len()).max(FEWEST));
        set = support;
        set.extend(order);
        set.sort_unstable();
        if (set.len() + 1) * outputs > LARGEST_ORDER {
            set.truncate(LARGEST_ORDER / outputs - 1);
            tracker.trouble = Some(format!(
                "more than {LARGEST_ORDER} weights may be non-zero, which this solver does not hold; raise --l1"
            ));
            if idle > 0 {
                return;
            }
        }
        size *= 2;
    }
}

/// `sqrt(Σ_i c_i x_ij²)` of every column.
fn weighted_norms(frame: &Frame) -> Vec<f64> {
    let mut squares = vec![0.0; frame.columns()];
    for i in 0..frame.rows() {
        let c = frame.weights[i];
        frame.matrix.row(i).for_each(|j, x| squares[j] += c * x * x);
    }
    squares.into_iter().map(f64::sqrt).collect()
}

/// How far each column's optimality condition is violated, over its outputs: the distance of v − λ2 s² w from λ1 s ∂|w|.
fn violations(frame: &Frame, point: &Point, v: &[f64]) -> Vec<f64> {
    let d = frame.columns();
    let mut worst = vec![0.0f64; d];
    for (entry, (&v, &w)) in v.iter().zip(&point.weights).enumerate() {
        let j = entry % d;
        let (l1, l2) = (frame.penalty.l1(j), frame.penalty.l2(j));
        let distance = if w == 0.0 { v.abs() - l1 } else { (v - l2 * w - l1 * w.signum()).abs() };
        worst[j] = worst[j].max(distance);
    }
    worst
}

/// The matrix restricted to the columns of `set`.
fn restrict(matrix: &Matrix, set: &[usize]) -> Matrix {
    match matrix {
        Matrix::Dense(dense) => {
            let mut values = Vec::with_capacity(dense.rows * set.len());
            for i in 0..dense.rows {
                let row = dense.row(i);
                values.extend(set.iter().map(|&j| row[j]));
            }
            Matrix::Dense(DenseMatrix { rows: dense.rows, columns: set.len(), values })
        }
        Matrix::Sparse(sparse) => {
            let mut place = vec![u32::MAX; sparse.columns];
            set.iter().enumerate().for_each(|(position, &j)| place[j] = position as u32);
            let (mut starts, mut indices, mut values) = (Vec::with_capacity(sparse.rows + 1), Vec::new(), Vec::new());
            starts.push(0);
            for i in 0..sparse.rows {
                let (row, entries) = sparse.row(i);
                for (&j, &x) in row.iter().zip(entries) {
                    if place[j as usize] != u32::MAX {
                        indices.push(place[j as usize]);
                        values.push(x);
                    }
                }
                starts.push(values.len());
            }
            Matrix::Sparse(SparseMatrix {
                rows: sparse.rows,
                columns: set.len(),
                row_starts: starts,
                column_indices: indices,
                values,
            })
        }
    }
}

/// Proximal Newton over the columns of `set` (and the intercepts), all other weights staying as they are (zero). Leaves `z`
/// as the outputs at the new point and `modelled` as the dual point of the last quadratic model, `alpha − H dz`, which
/// meets the optimality conditions on the set to first order better than `alpha` at the new point. `false` if told to stop or the model is not finite.
fn improve(
    frame: &Frame,
    losses: &impl SmoothLosses,
    set: &[usize],
    point: &mut Point,
    z: &mut [f64],
    modelled: &mut [f64],
    norms: &[f64],
    bound: f64,
    tracker: &mut Tracker,
) -> bool {
    let (d, outputs) = (frame.columns(), frame.outputs);
    let matrix = restrict(frame.matrix, set);
    let scales: Vec<f64> = set.iter().map(|&j| frame.penalty.scale(j)).collect();
    let small = Frame { matrix: &matrix, penalty: Penalty { scales: Some(&scales), ..frame.penalty }, ..*frame };
    let m = set.len();
    let mut inner = Point {
        weights: (0..outputs)
            .flat_map(|k| set.iter().map(move |&j| (k, j)))
            .map(|(k, j)| point.weights[k * d + j])
            .collect(),
        intercepts: point.intercepts.clone(),
    };
    let (mut alpha, mut curvature, mut dz) = (vec![0.0; z.len()], vec![0.0; z.len()], vec![0.0; z.len()]);
    let (mut v, mut sums) = (vec![0.0; m * outputs], vec![0.0; outputs]);
    let mut value = small.upper(losses, &inner, z);
    // The curvature bound of each weight: damping 1 makes the model lie above the objective.
    let mut majorant: Vec<f64> = set.iter().map(|&j| bound * norms[j] * norms[j]).collect();
    majorant.extend(frame.has_intercept().then(|| bound * frame.weights.iter().sum::<f64>()));
    let mut damping = 0.0f64;
    let mut first = None;
    for _ in 0..NEWTON_STEPS {
        if tracker.stop().is_some() {
            break;
        }
        losses.derivatives(z, &mut alpha, &mut curvature);
        design::transpose_multiply(&matrix, &alpha, &mut v, &mut sums);
        let hessian = losses.hessian(&small, &curvature);
        let diagonal: Vec<f64> = majorant.iter().map(|bound| damping * bound).collect();
        let Some(quadratic) = Quadratic::new(&small, hessian, &inner, &v, &sums, &diagonal) else {
            tracker.trouble = Some("the Hessian is not finite: rescale the columns".into());
            return false;
        };
        let (step, predicted) = quadratic.minimise(tracker);
        design::multiply(&matrix, &step.weights, &step.intercepts, &mut dz);
        losses.curve(&curvature, &dz, modelled);
        modelled.iter_mut().zip(&alpha).for_each(|(modelled, alpha)| *modelled = alpha - *modelled);
        // Backtracking on the convex objective; the whole step is taken near the optimum.
        let mut t = 1.0;
        let mut accepted = false;
        for _ in 0..12 {
            let mut trial = inner.clone();
            step.apply(t, &mut trial);
            let trial_z: Vec<f64> = z.iter().zip(&dz).map(|(z, dz)| z + t * dz).collect();
            let trial_value = losses.value(&trial_z) + small.penalty_value(&trial);
            // Where the model promises less than rounding shows, its whole step still mends the gradient.
            let blind = t == 1.0 && predicted <= 1e-11 * value.abs() && trial_value <= value * (1.0 + 1e-14);
            if trial_value < value || blind {
                accepted = true;
                z.copy_from_slice(&trial_z);
                inner = trial;
                value = trial_value;
                break;
            }
            t *= 0.5;
        }
        // The model's decrease falls quadratically; a thousandth of the first is enough before the set is looked at again.
        let first = *first.get_or_insert(predicted);
        if !accepted || t < 0.3 {
            if damping >= 1.0 {
                break;
            }
            damping = (100.0 * damping).clamp(1e-8, 1.0);
            continue;
        }
        damping = if damping < 1e-12 { 0.0 } else { 0.1 * damping };
        if predicted <= 1e-3 * first.max(1e-300) && t == 1.0 && damping < 1e-6 {
            break;
        }
    }
    point.weights.fill(0.0);
    for k in 0..outputs {
        set.iter().enumerate().for_each(|(position, &j)| point.weights[k * d + j] = inner.weights[k * m + position]);
    }
    point.intercepts = inner.intercepts;
    true
}
