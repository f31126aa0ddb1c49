//! Accelerated proximal gradient for smooth losses with any penalty (Beck & Teboulle, *A fast iterative
//! shrinkage-thresholding algorithm for linear inverse problems*, SIAM J. Imaging Sci. 2009).
//!
//! From the extrapolated point u = x + β(x − x₋) each iteration goes to
//!
//! ```text
//! x₊ = argmin_w  −v·(w − u) + (L/2) Σ D_j (w_j − u_j)² + penalty(w),   v = Xᵀα(z_u)
//! ```
//!
//! which is one soft threshold and one division for each weight. D is the diagonal of the Hessian at the start, so that the units of the
//! columns do not matter, and L is doubled until the quadratic lies above the losses at x₊. Where the step points back against
//! the momentum the momentum is dropped (adaptive restart, O'Donoghue & Candès, *Adaptive restart for accelerated
//! gradient schemes*, Found. Comput. Math. 2015, the gradient scheme), and L may fall again. Invariant: `z`, `z_before` are the
//! outputs of x and x₋, computed from the weights.

use infimum_problem::Intercept;

use crate::design;
use crate::first_order::{Evaluation, diagonal};
use crate::frame::{Frame, Point};
use crate::penalty::Penalty;
use crate::smooth::SmoothLosses;
use crate::tracker::Tracker;

/// Iterations between two valuations of a dual point.
const VALUE_EVERY: u64 = 5;
/// Doublings of L in one iteration; the curvature of a loss is never that far from that at the start.
const DOUBLINGS: usize = 60;

/// Minimises a problem with smooth losses from the tracker's point.
pub(crate) fn solve(frame: &Frame, losses: &impl SmoothLosses, tracker: &mut Tracker) {
    let size = frame.rows() * frame.outputs;
    let mut point = tracker.point.clone();
    let mut z = tracker.outputs(frame);
    let metric = diagonal(frame, losses, &z);
    let mut evaluation = Evaluation::new(frame, losses, "fista");
    evaluation.natural(&z, tracker);
    let (mut before, mut z_before) = (point.clone(), z.clone());
    let (mut alpha, mut next_alpha) = (vec![0.0; size], vec![0.0; size]);
    let (mut v, mut sums) = (vec![0.0; frame.columns() * frame.outputs], vec![0.0; frame.outputs]);
    let (mut lipschitz, mut momentum) = (1.0f64, 1.0f64);
    loop {
        let next_momentum = 0.5 * (1.0 + (1.0 + 4.0 * momentum * momentum).sqrt());
        let beta = (momentum - 1.0) / next_momentum;
        let ahead = extrapolate(&point, &before, beta);
        let z_ahead: Vec<f64> = z.iter().zip(&z_before).map(|(z, before)| z + beta * (z - before)).collect();
        losses.natural_dual(&z_ahead, &mut alpha);
        design::transpose_multiply(frame.matrix, &alpha, &mut v, &mut sums);
        let value = losses.value(&z_ahead);
        let mut next = point.clone();
        let mut next_z = vec![0.0; size];
        for _ in 0..DOUBLINGS {
            if tracker.stop().is_some() {
                break;
            }
            next = proximal_step(frame, &ahead, &v, &sums, &metric, lipschitz);
            design::multiply(frame.matrix, &next.weights, &next.intercepts, &mut next_z);
            // The losses' distance above their tangent, and twice an upper bound on it that does not cancel.
            losses.natural_dual(&next_z, &mut next_alpha);
            let (mut tangent, mut bound) = (0.0, 0.0);
            for i in 0..size {
                let dz = next_z[i] - z_ahead[i];
                tangent += alpha[i] * dz;
                bound += (alpha[i] - next_alpha[i]) * dz;
            }
            let allowed = 0.5 * lipschitz * squared_distance(frame, &next, &ahead, &metric);
            if losses.value(&next_z) - value + tangent <= allowed || bound <= allowed {
                break;
            }
            lipschitz *= 2.0;
        }
        if tracker.stop().is_some() {
            evaluation.ends(&point, &z, tracker);
            return;
        }
        tracker.explored += 1;
        let backwards = against(frame, &ahead, &next, &point, &metric) > 0.0;
        (before, z_before) = (std::mem::replace(&mut point, next), std::mem::replace(&mut z, next_z));
        momentum = next_momentum;
        if backwards {
            momentum = 1.0;
            lipschitz *= 0.7;
        }
        if tracker.explored.is_multiple_of(VALUE_EVERY) {
            evaluation.natural(&z, tracker);
            if evaluation.ends(&point, &z, tracker) {
                return;
            }
        }
    }
}

fn extrapolate(point: &Point, before: &Point, beta: f64) -> Point {
    let go = |now: &[f64], before: &[f64]| now.iter().zip(before).map(|(now, b)| now + beta * (now - b)).collect();
    Point { weights: go(&point.weights, &before.weights), intercepts: go(&point.intercepts, &before.intercepts) }
}

/// One weight of the step: `argmin_w −slope·(w − u) + (q/2)(w − u)² + l1|w| + (l2/2) w²`.
pub(crate) fn shrink(u: f64, slope: f64, q: f64, l1: f64, l2: f64) -> f64 {
    Penalty::weight_of(l1, q + l2, q * u + slope)
}

fn proximal_step(frame: &Frame, from: &Point, v: &[f64], sums: &[f64], metric: &[f64], lipschitz: f64) -> Point {
    let d = frame.columns();
    let block = d + usize::from(frame.has_intercept());
    let entry = |e: usize| {
        let j = e % d;
        let q = lipschitz * metric[e / d * block + j];
        shrink(from.weights[e], v[e], q, frame.penalty.l1(j), frame.penalty.l2(j))
    };
    let constant = |k: usize| {
        if !frame.has_intercept() {
            return 0.0;
        }
        let l1 = if frame.intercept == Intercept::Penalized { frame.penalty.lambda1 } else { 0.0 };
        shrink(from.intercepts[k], sums[k], lipschitz * metric[k * block + d], l1, frame.curvature(d))
    };
    Point {
        weights: (0..from.weights.len()).map(entry).collect(),
        intercepts: (0..frame.outputs).map(constant).collect(),
    }
}

/// `Σ D_j (a_j − b_j)²`.
fn squared_distance(frame: &Frame, a: &Point, b: &Point, metric: &[f64]) -> f64 {
    weighted_sum(frame, metric, |part, e| {
        let (a, b) = if part { (&a.weights, &b.weights) } else { (&a.intercepts, &b.intercepts) };
        (a[e] - b[e]) * (a[e] - b[e])
    })
}

/// `Σ D_j (u_j − x₊_j)(x₊_j − x_j)`: positive where the step from u points against the way from x.
fn against(frame: &Frame, ahead: &Point, next: &Point, point: &Point, metric: &[f64]) -> f64 {
    weighted_sum(frame, metric, |part, e| {
        let pick = |p: &Point| if part { p.weights[e] } else { p.intercepts[e] };
        (pick(ahead) - pick(next)) * (pick(next) - pick(point))
    })
}

/// `Σ D·term` over weights (`true`, entry) and intercepts (`false`, output).
fn weighted_sum(frame: &Frame, metric: &[f64], term: impl Fn(bool, usize) -> f64) -> f64 {
    let (d, constant) = (frame.columns(), frame.has_intercept());
    let block = d + usize::from(constant);
    let weights: f64 = (0..d * frame.outputs).map(|e| metric[e / d * block + e % d] * term(true, e)).sum();
    if !constant {
        return weights;
    }
    weights + (0..frame.outputs).map(|k| metric[k * block + d] * term(false, k)).sum::<f64>()
}
