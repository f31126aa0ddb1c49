//! L-BFGS for smooth problems without ℓ1 (Nocedal & Wright, *Numerical Optimization*, 2006, Algorithms 7.4 and 7.5).
//!
//! The inverse Hessian is approximated from the last changes s of the point and y of the gradient by the two-loop recursion,
//! starting from `θ·D⁻¹`, D the diagonal of the Hessian at the latest refresh and θ = s·y/(y·D⁻¹y). The line search of
//! [`crate::smooth`] ends where the slope has fallen to a thousandth, which is stronger than Wolfe's curvature condition, so
//! that s·y > 0. Invariants: `z = X W + b`, `gradient = −∇U` at the point, s·y > 0 for every pair kept.
//!
//! Two dual points are offered: `−c·loss′(z)`, and that of the quadratic model along the step, `alpha − H dz` as in
//! [`crate::newton`], which gets better the more the direction is Newton's.

use std::collections::VecDeque;

use crate::design;
use crate::direction::Direction;
use crate::first_order::{Evaluation, diagonal};
use crate::frame::Frame;
use crate::smooth::{SmoothLosses, line_search};
use crate::tracker::Tracker;

/// Pairs of changes kept.
const MEMORY: usize = 20;
/// Iterations between two valuations of dual points.
const VALUE_EVERY: u64 = 4;

/// A change of the point and the change of the gradient that went with it.
struct Pair {
    s: Vec<f64>,
    y: Vec<f64>,
    /// s·y > 0.
    product: f64,
}

/// Minimises a smooth problem from the tracker's point.
pub(crate) fn solve(frame: &Frame, losses: &impl SmoothLosses, tracker: &mut Tracker) {
    let (d, outputs, constant) = (frame.columns(), frame.outputs, frame.has_intercept());
    let size = frame.rows() * outputs;
    let mut point = tracker.point.clone();
    let mut z = tracker.outputs(frame);
    let mut evaluation = Evaluation::new(frame, losses, "lbfgs");
    let (mut alpha, mut curvature, mut dz, mut modelled) =
        (vec![0.0; size], vec![0.0; size], vec![0.0; size], vec![0.0; size]);
    let (mut v, mut sums) = (vec![0.0; d * outputs], vec![0.0; outputs]);
    let mut pairs: VecDeque<Pair> = VecDeque::with_capacity(MEMORY + 1);
    let mut metric = Vec::new();
    let mut last: Option<(Vec<f64>, Vec<f64>)> = None;
    loop {
        losses.derivatives(&z, 0.0, &mut alpha, &mut curvature);
        design::transpose_multiply(frame.matrix, &alpha, &mut v, &mut sums);
        let gradient = Direction::negative_gradient(frame, &point, &v, &sums);
        let flat = gradient.flatten(constant);
        if let Some((s, before)) = last.take() {
            let y: Vec<f64> = before.iter().zip(&flat).map(|(before, now)| before - now).collect();
            let product = dot(&s, &y);
            if product > 0.0 {
                pairs.push_back(Pair { s, y, product });
            }
            if pairs.len() > MEMORY {
                pairs.pop_front();
            }
        }
        if tracker.explored.is_multiple_of(MEMORY as u64) || metric.is_empty() {
            metric = diagonal(frame, losses, &z);
        }
        let mut step = recursion(&pairs, &metric, flat.clone());
        if !(dot(&step, &flat) > 0.0) {
            // Rounding has spoilt the pairs: begin again with the scaled gradient.
            pairs.clear();
            step = recursion(&pairs, &metric, flat.clone());
        }
        let step = Direction::from_flat(&step, d, outputs, constant);
        design::multiply(frame.matrix, &step.weights, &step.intercepts, &mut dz);
        if tracker.explored.is_multiple_of(VALUE_EVERY) {
            evaluation.dual(&alpha, tracker);
            losses.curve(&curvature, &dz, &mut modelled);
            modelled.iter_mut().zip(&alpha).for_each(|(modelled, alpha)| *modelled = alpha - *modelled);
            evaluation.dual(&modelled, tracker);
            if evaluation.ends(&point, &z, tracker) {
                return;
            }
        }
        let (linear, quadratic) = step.penalty_along(frame, &point);
        let t = line_search(losses, &z, &dz, |t| (linear + quadratic * t, quadratic), -gradient.dot(&step), tracker);
        step.apply(t, &mut point);
        // Outputs from the weights: added up over many steps they would keep each one's rounding.
        frame.upper(losses, &point, &mut z);
        last = Some((step.flatten(constant).iter().map(|step| t * step).collect(), flat));
        tracker.explored += 1;
        if tracker.stop().is_some() {
            evaluation.ends(&point, &z, tracker);
            return;
        }
    }
}

/// The two-loop recursion: the approximate inverse Hessian times `direction`.
fn recursion(pairs: &VecDeque<Pair>, metric: &[f64], mut direction: Vec<f64>) -> Vec<f64> {
    let mut coefficients = Vec::with_capacity(pairs.len());
    for Pair { s, y, product } in pairs.iter().rev() {
        let coefficient = dot(s, &direction) / product;
        direction.iter_mut().zip(y).for_each(|(q, y)| *q -= coefficient * y);
        coefficients.push(coefficient);
    }
    let scale = pairs.back().map_or(1.0, |Pair { y, product, .. }| {
        product / y.iter().zip(metric).map(|(y, metric)| y * y / metric).sum::<f64>()
    });
    direction.iter_mut().zip(metric).for_each(|(q, metric)| *q *= scale / metric);
    for (Pair { s, y, product }, coefficient) in pairs.iter().zip(coefficients.into_iter().rev()) {
        let correction = coefficient - dot(y, &direction) / product;
        direction.iter_mut().zip(s).for_each(|(q, s)| *q += correction * s);
    }
    direction
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
