//! Where a cone is split.
//!
//! At the bound's own maximiser `u = Σ_k μ_k v_k` a row with w > 0 is overestimated by `Σ_k μ_k relu(y_k) − relu(Σ_k
//! μ_k y_k)`. After a split with `v = s v_a + t v_b`, u lies in one of the children, with the coefficient `m =
//! min(μ_a/s, μ_b/t)` of v, and the overestimate of each row falls by `m·(s relu(y_a) + t relu(y_b) − relu(s y_a + t
//! y_b))`. This gain is computed for splits at the kinks of rows, where the split settles a row on the edge for good.
//! (Bounding the children of the best few splits before choosing saves a few per cent of the cones and costs twice the
//! time for each.)

use super::cone::{Cone, Split};
use super::kernels::overestimate;
use super::rows::{Vector, inner};

/// Edges whose kinks are looked at.
const EDGES: usize = 3;
/// Kinks looked at on an edge.
const KINKS: usize = 5;

/// The split with the largest gain among the kinks looked at; else one of a row with w < 0; else, or if the gain is not
/// above the slack's part of the bound, the middle of the longest edge. `None` if R = 1.
pub(super) fn best_split<const R: usize>(cone: &Cone<R>) -> Option<Split> {
    let mut edges: Vec<(f64, usize, usize)> = Vec::with_capacity(R * R / 2);
    for a in 0..R {
        for b in a + 1..R {
            if cone.mu[a] > 0.0 && cone.mu[b] > 0.0 {
                let error = edge_error(cone, a, b);
                if error > 0.0 {
                    edges.push((error, a, b));
                }
            }
        }
    }
    edges.sort_unstable_by(|x, y| y.0.total_cmp(&x.0));
    let mut best: Option<(f64, Split)> = None;
    let found = edges.iter().take(EDGES).filter_map(|&(_, a, b)| best_on_edge(cone, a, b));
    for (gain, split) in found.chain(negative_kink(cone)) {
        if best.as_ref().is_none_or(|best| gain > best.0) {
            best = Some((gain, split));
        }
    }
    // A flat cone whose bound is mostly slack becomes better by becoming narrower.
    let slack = inner(&cone.mu, &cone.slack);
    best.filter(|(gain, _)| *gain > slack).map(|(_, split)| split).or_else(|| longest_edge(cone))
}

fn pair<const R: usize>(cone: &Cone<R>, a: usize, b: usize) -> (&[f64], &[f64]) {
    let n = cone.positive.rows.len();
    (&cone.positive.y[a * n..][..n], &cone.positive.y[b * n..][..n])
}

/// What a split of the edge at u's own projection would gain: `Σ min(|μ_a y_a|, |μ_b y_b|)` over rows whose sign
/// changes on the edge.
fn edge_error<const R: usize>(cone: &Cone<R>, a: usize, b: usize) -> f64 {
    let (y_a, y_b) = pair(cone, a, b);
    overestimate(y_a, y_b, cone.mu[a], cone.mu[b])
}

/// The kink on an edge with the largest gain.
fn best_on_edge<const R: usize>(cone: &Cone<R>, a: usize, b: usize) -> Option<(f64, Split)> {
    let (y_a, y_b) = pair(cone, a, b);
    let (mu_a, mu_b) = (cone.mu[a], cone.mu[b]);
    // The rows that are overestimated most at u: those have their kinks near u's projection.
    let mut kinks: Vec<(f64, usize)> = Vec::with_capacity(KINKS + 1);
    for i in 0..y_a.len() {
        if y_a[i] * y_b[i] < 0.0 {
            let error = (mu_a * y_a[i]).abs().min((mu_b * y_b[i]).abs());
            if kinks.len() < KINKS || error > kinks[KINKS - 1].0 {
                let place = kinks.partition_point(|kink| kink.0 >= error);
                kinks.insert(place, (error, i));
                kinks.truncate(KINKS);
            }
        }
    }
    let mut best: Option<(f64, Split)> = None;
    for &(_, i) in &kinks {
        if let Some(split) = kink_split(cone, a, b, y_a[i], y_b[i]) {
            let (s, t) = split.weights;
            let gain = (mu_a / s).min(mu_b / t) * overestimate(y_a, y_b, s, t);
            if best.as_ref().is_none_or(|best| gain > best.0) {
                best = Some((gain, split));
            }
        }
    }
    best
}

/// `v = s v_a + t v_b` of length 1 with `s y_a + t y_b = 0`, where the y have different signs.
fn kink_split<const R: usize>(cone: &Cone<R>, a: usize, b: usize, y_a: f64, y_b: f64) -> Option<Split> {
    let scale = y_a.abs().max(y_b.abs());
    scaled_split(cone, a, b, y_b.abs() / scale, y_a.abs() / scale)
}

fn scaled_split<const R: usize>(cone: &Cone<R>, a: usize, b: usize, s: f64, t: f64) -> Option<Split> {
    let v: Vector<R> = std::array::from_fn(|j| s * cone.generators[a][j] + t * cone.generators[b][j]);
    let length = inner(&v, &v).sqrt();
    let weights = (s / length, t / length);
    let sound = |weight: f64| weight > 1e-100 && weight < 1e100;
    (sound(weights.0) && sound(weights.1)).then_some(Split { from: a, to: b, weights })
}

/// The kink of the row with w < 0 whose error is largest, on the edge that it changes most.
fn negative_kink<const R: usize>(cone: &Cone<R>) -> Option<(f64, Split)> {
    let errors = cone.negative_errors();
    let (row, &error) = errors.iter().enumerate().max_by(|x, y| x.1.total_cmp(y.1))?;
    let (n, y) = (errors.len(), &cone.negative.y);
    let mut best: Option<(f64, usize, usize)> = None;
    for a in 0..R {
        for b in 0..R {
            let (y_a, y_b) = (y[a * n + row], y[b * n + row]);
            if y_a > 0.0 && y_b < 0.0 {
                let size = ((cone.mu[a] + 1e-3) * y_a).min((cone.mu[b] + 1e-3) * -y_b);
                if best.is_none_or(|best| size > best.0) {
                    best = Some((size, a, b));
                }
            }
        }
    }
    let (_, a, b) = best?;
    (error > 0.0).then(|| kink_split(cone, a, b, y[a * n + row], y[b * n + row]).map(|split| (error, split)))?
}

/// The middle of the edge with the largest angle.
fn longest_edge<const R: usize>(cone: &Cone<R>) -> Option<Split> {
    let v = &cone.generators;
    let mut best: Option<(f64, usize, usize)> = None;
    for a in 0..R {
        for b in a + 1..R {
            let cosine = inner(&v[a], &v[b]) / (inner(&v[a], &v[a]) * inner(&v[b], &v[b])).sqrt();
            if best.is_none_or(|best| cosine < best.0) {
                best = Some((cosine, a, b));
            }
        }
    }
    best.and_then(|(_, a, b)| scaled_split(cone, a, b, 1.0, 1.0))
}
