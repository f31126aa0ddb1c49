//! Local maxima of `f(u) = Σ_p w_p relu(x_p·u)` on the unit sphere.
//!
//! `u ← ∇f(u)/‖∇f(u)‖` as long as f grows: for convex f it always does (power-type method, Journée, Nesterov,
//! Richtárik, Sepulchre, JMLR 11, 2010), otherwise it may stop early, which costs nothing but the quality of the point.

use super::rows::{Rows, Vector, inner, length};

/// Steps of one ascent.
const STEPS: usize = 30;

/// A unit vector and its value, in the search's units.
#[derive(Debug, Clone, Copy)]
pub(super) struct Best<const R: usize> {
    pub(super) u: Vector<R>,
    pub(super) value: f64,
}

/// The best point of an ascent from `start`, which is not 0.
pub(super) fn ascend<const R: usize>(rows: &Rows<R>, start: &Vector<R>) -> Best<R> {
    let size = length(start);
    let mut u = start.map(|value| value / size);
    let (mut value, mut gradient) = value_and_gradient(rows, &u);
    for _ in 0..STEPS {
        let size = length(&gradient);
        if !(size > 0.0) {
            break;
        }
        let next = gradient.map(|value| value / size);
        let (next_value, next_gradient) = value_and_gradient(rows, &next);
        if !(next_value > value) {
            break;
        }
        let grown = next_value - value > 1e-15 * value;
        (u, value, gradient) = (next, next_value, next_gradient);
        if !grown {
            break;
        }
    }
    Best { u, value }
}

fn value_and_gradient<const R: usize>(rows: &Rows<R>, u: &Vector<R>) -> (f64, Vector<R>) {
    let mut gradient = [0.0; R];
    for (side, sign) in [(&rows.positive, 1.0), (&rows.negative, -1.0)] {
        for x in &side.scaled {
            let on = if inner(x, u) > 0.0 { sign } else { 0.0 };
            for j in 0..R {
                gradient[j] += on * x[j];
            }
        }
    }
    (inner(&gradient, u), gradient)
}
