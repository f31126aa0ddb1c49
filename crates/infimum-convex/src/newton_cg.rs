//! Truncated Newton with preconditioned conjugate gradients, for smooth losses with many weights.
//!
//! Each iteration solves the Newton system approximately by conjugate gradients with the preconditioner of [`crate::preconditioner`]; a
//! product with the Hessian is one product with X and one with Xᵀ. The relative residual asked for falls with the gradient,
//! so that convergence is superlinear (Lin, Weng, Keerthi, *Trust region Newton method for logistic regression*, JMLR 2008;
//! Eisenstat & Walker 1996 for the forcing sequence). The step is followed by the exact line search of [`crate::smooth`], and the dual point is
//! that of the Newton model, `alpha − H dz`, as in [`crate::newton`].

use crate::design;
use crate::direction::{Direction, separated};
use crate::frame::{Frame, Point};
use crate::preconditioner::Preconditioner;
use crate::smooth::{SmoothLosses, floor_after, line_search};
use crate::tracker::Tracker;

/// Most conjugate-gradient steps per Newton step.
const MOST_STEPS: usize = 2_000;
/// Newton steps without progress on either bound after which `f64` has met its limit.
const PATIENCE: u32 = 20;

/// Minimises a smooth problem from the tracker's point.
pub(crate) fn solve(frame: &Frame, losses: &impl SmoothLosses, tracker: &mut Tracker) {
    let (d, outputs) = (frame.columns(), frame.outputs);
    let size = frame.rows() * outputs;
    let mut point: Point = tracker.point.clone();
    let mut z = tracker.outputs(frame);
    let (mut alpha, mut curvature) = (vec![0.0; size], vec![0.0; size]);
    let (mut v, mut sums) = (vec![0.0; d * outputs], vec![0.0; outputs]);
    let mut preconditioner = Preconditioner::new(frame, losses);
    let (mut first_norm, mut steps) = (None, 0);
    let mut tighten = 1.0;
    let mut floor = tracker.relative_gap().min(1.0);
    let mut idle = 0;
    while !tracker.done() {
        losses.derivatives(&z, floor, &mut alpha, &mut curvature);
        design::transpose_multiply(frame.matrix, &alpha, &mut v, &mut sums);
        let gradient = Direction::negative_gradient(frame, &point, &v, &sums);
        preconditioner.update(frame, losses, &curvature, steps);
        let norm = preconditioner.scaled(&gradient).dot(&gradient).sqrt();
        let relative: f64 = norm / *first_norm.get_or_insert(norm.max(f64::MIN_POSITIVE));
        let forcing = tighten * relative.sqrt().min(0.1);
        let solved =
            conjugate_gradients(frame, losses, &curvature, &gradient, &preconditioner, forcing, &mut alpha, tracker);
        let Some((step, dz, count)) = solved else {
            return;
        };
        steps = count;
        losses.derivatives(&z, floor, &mut alpha, &mut curvature);
        losses.subtract_curved(&curvature, &dz, outputs, &mut alpha);
        let (lower, _) = frame.lower(losses, &mut alpha, &mut v);
        tracker.offer_dual(lower, &alpha);

        let (linear, quadratic) = step.penalty_along(frame, &point);
        let decrement = gradient.dot(&step);
        let t = line_search(losses, &z, &dz, |t| (linear + quadratic * t, quadratic), -decrement, tracker);
        z.iter_mut().zip(&dz).for_each(|(z, dz)| *z += t * dz);
        step.apply(t, &mut point);
        let value = losses.value(&z) + frame.penalty_value(&point);
        floor = floor_after(decrement, value);
        tracker.offer_point(value, &point);
        tracker.explored += 1;
        tracker.report("newton-cg");
        if separated(frame, losses, &point, &z, tracker) {
            return;
        }
        idle = if tracker.progressed() { 0 } else { idle + 1 };
        if idle > 0 {
            tighten = (0.1 * tighten).max(1e-6);
        }
        if idle == PATIENCE {
            tracker.trouble = Some("Newton steps improve neither bound any more (limit of double precision)".into());
            return;
        }
    }
}

/// Solves `H s = gradient` to the relative residual `forcing` in the preconditioner's norm, or as well as the preconditioner's patience lets it; returns s,
/// X s and the number of steps; `hdz` is a vector of the rows to calculate in. `None` if told to stop.
fn conjugate_gradients(
    frame: &Frame,
    losses: &impl SmoothLosses,
    curvature: &[f64],
    gradient: &Direction,
    preconditioner: &Preconditioner,
    forcing: f64,
    hdz: &mut [f64],
    tracker: &Tracker,
) -> Option<(Direction, Vec<f64>, usize)> {
    let (d, outputs) = (frame.columns(), frame.outputs);
    let size = frame.rows() * outputs;
    let mut residual = gradient.clone();
    let mut solution = Direction { weights: vec![0.0; d * outputs], intercepts: vec![0.0; outputs] };
    let mut solution_z = vec![0.0; size];
    let mut preconditioned = preconditioner.apply(frame, &residual);
    let mut direction = preconditioned.clone();
    let mut product = solution.clone();
    let mut dz = vec![0.0; size];
    let mut rho = residual.dot(&preconditioned);
    let target = forcing * forcing * rho;
    let mut steps = 0;
    while steps < MOST_STEPS.min(preconditioner.patience()) {
        if tracker.stop().is_some() {
            return None;
        }
        design::multiply(frame.matrix, &direction.weights, &direction.intercepts, &mut dz);
        losses.curve(curvature, &dz, hdz);
        design::transpose_multiply(frame.matrix, hdz, &mut product.weights, &mut product.intercepts);
        for (entry, (product, s)) in product.weights.iter_mut().zip(&direction.weights).enumerate() {
            *product += frame.curvature(entry % d) * s;
        }
        for (product, s) in product.intercepts.iter_mut().zip(&direction.intercepts) {
            *product = if frame.has_intercept() { *product + frame.curvature(d) * s } else { 0.0 };
        }
        let bend = direction.dot(&product);
        if !(bend > 0.0) {
            break;
        }
        steps += 1;
        let length = rho / bend;
        add(&mut solution, length, &direction);
        solution_z.iter_mut().zip(&dz).for_each(|(z, dz)| *z += length * dz);
        add(&mut residual, -length, &product);
        preconditioned = preconditioner.apply(frame, &residual);
        let next = residual.dot(&preconditioned);
        if !(next > target) {
            break;
        }
        let beta = next / rho;
        rho = next;
        let follow = |direction: &mut [f64], new: &[f64]| {
            direction.iter_mut().zip(new).for_each(|(direction, new)| *direction = new + beta * *direction);
        };
        follow(&mut direction.weights, &preconditioned.weights);
        follow(&mut direction.intercepts, &preconditioned.intercepts);
    }
    Some((solution, solution_z, steps))
}

fn add(target: &mut Direction, factor: f64, other: &Direction) {
    target.weights.iter_mut().zip(&other.weights).for_each(|(t, o)| *t += factor * o);
    target.intercepts.iter_mut().zip(&other.intercepts).for_each(|(t, o)| *t += factor * o);
}
