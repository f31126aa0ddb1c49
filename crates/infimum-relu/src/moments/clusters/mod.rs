//! Moments with the products of slacks in clusters of rows (docs/relu.md, theorem 5): a tighter relaxation than that of
//! order two alone, at a higher price. α and the multipliers are optimised together, as there.
//!
//! * `groups.rs`: which rows are together. `side.rs`: the moments of one sign and their constraints, `cones.rs`: the cones of these.
//! * `local.rs`, `system.rs`: Newton's system, cluster by cluster. `path.rs`: the interior point method.
//! * `proof.rs`: from multipliers to a witness.

mod cones;
mod groups;
mod local;
mod path;
mod proof;
mod side;
mod system;
#[cfg(test)]
mod tests;

use std::ops::Range;

use faer::Mat;

use super::blocks::Rows;
use super::bound::certified;
use super::objective::Objective;
use super::packed::packed;
use super::point::Biases;
use super::{ACCURACY, DualPoint, improve};
use crate::Instance;
use path::{Path, Point};

/// Rows in a cluster, one stage after the other.
const SIZES: [usize; 3] = [6, 12, 24];
/// Operations of one Newton system, and numbers in it, beyond which a stage is left out.
const MOST_OPERATIONS: f64 = 4e10;
const MOST_NUMBERS: f64 = 1e8;
/// Seconds of a stage for each operation of a system: about thirty systems at ten thousand million operations a second.
const SECONDS: f64 = 3e-9;

/// What stays the same along the path.
struct Frame<'a> {
    /// Rows that are not 0, those of a cluster one after the other.
    rows: Rows,
    /// x̄ = (0, x) of each of them.
    lifted: Mat<f64>,
    clusters: Vec<Range<usize>>,
    /// Number of the first pair of rows of each cluster.
    first_pairs: Vec<usize>,
    /// Points that are 0.
    zeros: Vec<usize>,
    points: usize,
    objective: Objective<'a>,
    beta: f64,
    biases: Biases,
}

impl Frame<'_> {
    fn new<'a>(instance: &'a Instance<'a>, importance: &[f64], size: usize) -> Frame<'a> {
        let rows = Rows::new(&instance.points);
        let importance: Vec<f64> =
            rows.point.iter().zip(&rows.norm).map(|(&p, norm)| importance[p].abs() * norm).collect();
        let groups = groups::groups(&rows, &importance, size);
        let rows = rows.arranged(&groups.concat());
        let mut first = 0;
        let clusters = groups.iter().map(|group| {
            first += group.len();
            first - group.len()..first
        });
        let clusters: Vec<Range<usize>> = clusters.collect();
        let mut pairs = 0;
        let first_pairs = clusters.iter().map(|range| {
            let count = range.len() * (range.len() - 1) / 2;
            pairs += count;
            pairs - count
        });
        let lifted =
            Mat::from_fn(rows.unit.nrows() + 1, rows.len(), |j, i| if j == 0 { 0.0 } else { rows.unit[(j - 1, i)] });
        let points = instance.points.len();
        let mut is_row = vec![false; points];
        rows.point.iter().for_each(|&p| is_row[p] = true);
        Frame {
            first_pairs: first_pairs.collect(),
            rows,
            lifted,
            clusters,
            zeros: (0..points).filter(|&p| !is_row[p]).collect(),
            points,
            objective: Objective::losses(instance),
            beta: instance.beta,
            biases: Biases::of(instance),
        }
    }

    /// D + 1.
    fn order(&self) -> usize {
        self.lifted.nrows()
    }

    /// By which factor of x·u + s row i of side `b` counts in its output.
    fn part(&self, b: usize, i: usize) -> f64 {
        if b == 0 { 0.5 * self.rows.norm[i] } else { -0.5 * self.rows.norm[i] }
    }

    /// Outputs at the points.
    fn outputs(&self, point: &Point) -> Vec<f64> {
        let mut f = vec![point.bias; self.points];
        for (i, &p) in self.rows.point.iter().enumerate() {
            for (b, side) in point.sides.iter().enumerate() {
                f[p] += self.part(b, i) * side.twice_relu(self, i);
            }
        }
        f
    }

    /// `β Σ t [+ (β/2) c²]`.
    fn charge(&self, point: &Point) -> f64 {
        self.beta * point.sides.iter().map(|side| side.t()).sum::<f64>() + self.biases.penalty(&[point.bias])
    }

    /// The objective of the relaxation: no bound of it is above.
    fn primal(&self, point: &Point) -> f64 {
        self.objective.value(&self.outputs(point)) + self.charge(point)
    }
}

/// Sizes of clusters that can be afforded, each with about how many seconds it takes, the quickest first; none where one output is not all there is.
pub(crate) fn sizes(instance: &Instance) -> Vec<(usize, f64)> {
    let (d, m) = (instance.dimension(), instance.points.len());
    let mut out: Vec<(usize, f64)> = Vec::new();
    if instance.outputs > 1 || d < 2 || m < 2 {
        return out;
    }
    for size in SIZES.map(|size| size.min(m)) {
        let (shared, own) = (packed((d + 1).min(1 << 20)) as f64, side::unknowns(d + 1, size) as f64);
        let systems = 2.0 * m.div_ceil(size) as f64;
        let operations = systems * own * (own * own / 3.0 + own * shared + shared * shared) + 3.0 * shared.powi(3);
        let affordable = operations <= MOST_OPERATIONS && systems * own * (own + shared) <= MOST_NUMBERS;
        if affordable && out.last().is_none_or(|last| last.0 < size) {
            out.push((size, SECONDS * operations));
        }
    }
    out
}

/// The best dual point with clusters of `size` rows that the time allows; `best` is a dual point without, `upper` the incumbent's objective. Ends when the bound is within
/// `gap` of `upper`, when the relaxation is solved, or when `stop` says so. `report` sees every improvement.
pub(crate) fn clustered(
    instance: &Instance,
    mut best: DualPoint,
    size: usize,
    upper: f64,
    gap: f64,
    stop: &(dyn Fn() -> bool + Sync),
    report: &mut dyn FnMut(&DualPoint),
) -> DualPoint {
    let frame = Frame::new(instance, &instance.merged(&best.alpha, 0), size);
    let scale = upper.abs().max(f64::MIN_POSITIVE);
    let Some(mut path) = Path::new(&frame, scale / (4.0 * instance.beta), 10.0 * scale) else { return best };
    while !(upper - best.value <= gap) {
        let Some(near) = path.advance(stop) else { break };
        improve(certified(instance, near.alpha, &near.products), &mut best, report);
        if near.primal - best.value <= ACCURACY * near.primal.abs() || near.width <= 0.1 * ACCURACY * near.primal.abs()
        {
            break;
        }
    }
    best
}
