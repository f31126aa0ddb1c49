//! Local maxima of `f(u) = Σ_p w_p relu(x_p·u)` on the unit sphere.
//!
//! `u ← ∇f(u)/‖∇f(u)‖` as long as f grows: for convex f it always does (power-type method, Journée, Nesterov,
//! Richtárik, Sepulchre, JMLR 11, 2010). A row with w < 0 makes a ridge, x_p·u = 0, on which maxima may lie and which
//! these steps jump across. Where they end, u goes to `P∇f(u)/‖P∇f(u)‖`, where P projects onto the ridges nearest to u:
//! the maximum on these ridges as long as no other row changes its sign. So the search knows a maximum on a ridge to
//! the last digit; if it only came near to it, cones around it would be split without end.

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
    let u = start.map(|value| value / size);
    let (value, mut gradient) = value_and_gradient(rows, &u);
    let mut best = Best { u, value };
    for _ in 0..STEPS {
        let before = best.value;
        let Some((next, next_gradient)) =
            step(rows, &gradient, before).or_else(|| step_on_ridges(rows, &best.u, &gradient, before))
        else {
            break;
        };
        (best, gradient) = (next, next_gradient);
        if !(best.value - before > 1e-15 * before) {
            break;
        }
    }
    best
}

/// The unit vector along `direction`, with its gradient, if its value is above `value`.
fn step<const R: usize>(rows: &Rows<R>, direction: &Vector<R>, value: f64) -> Option<(Best<R>, Vector<R>)> {
    let size = length(direction);
    if !(size > 0.0) {
        return None;
    }
    let u = direction.map(|value| value / size);
    let (next, gradient) = value_and_gradient(rows, &u);
    (next > value).then_some((Best { u, value: next }, gradient))
}

/// The best step onto the nearest 1, 2, … R − 1 ridges.
fn step_on_ridges<const R: usize>(
    rows: &Rows<R>,
    u: &Vector<R>,
    gradient: &Vector<R>,
    value: f64,
) -> Option<(Best<R>, Vector<R>)> {
    let mut nearest: [Option<(f64, &Vector<R>)>; R] = [None; R];
    for x in &rows.negative.scaled {
        let mut ridge = Some((inner(x, u).abs() / length(x), x));
        for place in nearest.iter_mut() {
            if place.is_none_or(|place| ridge.is_some_and(|ridge| ridge.0 < place.0)) {
                std::mem::swap(place, &mut ridge);
            }
        }
    }
    let mut basis: Vec<Vector<R>> = Vec::with_capacity(R);
    let mut projected = *gradient;
    let mut best = None;
    for (_, x) in nearest.into_iter().flatten() {
        if basis.len() + 1 >= R {
            break;
        }
        let mut normal = *x;
        basis.iter().for_each(|b| remove(&mut normal, b));
        let size = length(&normal);
        if size <= 1e-9 * length(x) {
            continue;
        }
        let normal = normal.map(|value| value / size);
        remove(&mut projected, &normal);
        basis.push(normal);
        let least = best.as_ref().map_or(value, |(best, _): &(Best<R>, Vector<R>)| best.value);
        best = step(rows, &projected, least).or(best);
    }
    best
}

/// Removes from `v` its part along the unit vector `b`.
fn remove<const R: usize>(v: &mut Vector<R>, b: &Vector<R>) {
    let along = inner(v, b);
    (0..R).for_each(|j| v[j] -= along * b[j]);
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
