//! Maximal margin (docs/loading.md, theorem 5): of the hyperplanes that separate a unit's rows, the one whose nearest row is farthest away, in the units of the file's columns.
//!
//! It is normal to the difference of the nearest points of the two classes' convex hulls, and half their distance bounds every margin. Both are found over some of the
//! rows; those on the wrong side of what was found join until none is. Then the normal is rounded to the smallest integers that keep nearly all of the margin, and
//! margin and bound are computed exactly. Invariant: nothing that is returned rests on `f64`.

mod exact;
mod hulls;
mod measure;

use dashu_int::{IBig, UBig};
use infimum_problem::{HullPoints, LoadingProblem, MarginClaim, Neuron, Term};
use rayon::prelude::*;

use crate::points::GroupPoints;
use crate::weights;
use exact::Found;
use hulls::{Nearest, Rows};
use measure::{Metric, Root};

/// What a unit's rows ask, and what is known of it.
pub(crate) struct Separated<'a> {
    pub(crate) problem: &'a LoadingProblem,
    pub(crate) points: &'a GroupPoints,
    pub(crate) unit: u32,
    /// 1, −1 or 0 for every point.
    pub(crate) sides: &'a [i8],
    /// Points to begin with, and a separating hyperplane over scaled coordinates.
    pub(crate) chosen: Vec<u32>,
    pub(crate) scaled: &'a [f64],
}

/// A margin with what bounds it.
#[derive(Debug, Clone, PartialEq)]
pub struct Margin {
    /// What the checker is told.
    pub claim: MarginClaim,
    /// Half the distance of these bounds every margin.
    pub hulls: HullPoints,
}

/// Ten thousandths of the bound that rounded weights must reach, and that weights before rounding should.
const ROUNDED: u32 = 9_990;
const WANTED: u32 = 9_995;
/// A row joins if it is on the wrong side by more than this part of the gap.
const JOINS: f64 = 1e-4;
/// Numbers in the rows at hand.
const MOST_NUMBERS: usize = 50_000_000;
/// Rounds of joining.
const ROUNDS: usize = 200;

/// Weights of nearly maximal margin, and the margin; `neuron` are weights that separate. Without a margin if all rows want the same.
pub(crate) fn widest(asked: Separated, neuron: Neuron, stop: &(dyn Fn() -> bool + Sync)) -> (Neuron, Option<Margin>) {
    let Separated { problem, points, unit, sides, .. } = asked;
    let all: Vec<(u32, i8)> =
        (0..points.len() as u32).map(|p| (p, sides[p as usize])).filter(|entry| entry.1 != 0).collect();
    if all.iter().all(|entry| entry.1 > 0) || all.iter().all(|entry| entry.1 < 0) {
        return (neuron, None);
    }
    let metric = Metric::new(points.columns.iter().map(|&j| problem.scales[j as usize]).collect());
    let open = weights::open(points, &all);
    let mut best = Best { points, metric: &metric, all: &all, open: &open, neuron, margin: None, bound: None };
    best.margin = best.measured(&best.neuron);
    let Some(Found { direction, support }) = nearest(asked, &all, &metric, stop) else { return (best.neuron, None) };
    best.bound_by(&support);
    best.round(&direction);
    if !best.reaches(ROUNDED) && !stop() {
        let points_alone: Vec<u32> = all.iter().map(|entry| entry.0).collect();
        if let Some(found) = exact::nearest(points, sides, &points_alone, &metric, &support, stop) {
            best.bound_by(&found.support);
            best.round(&found.direction);
        }
    }
    let (margin, Some((bound, support))) = (best.margin, best.bound) else { return (best.neuron, None) };
    let claim = MarginClaim { unit, lower: margin.map_or(0.0, |margin| margin.down()), upper: bound.up() };
    if !claim.upper.is_finite() {
        return (best.neuron, None);
    }
    let rows = rows_of(problem, points, unit);
    let side = |wanted: i8| -> Vec<Term> {
        let of_side = support.iter().filter(|entry| sides[entry.0 as usize] == wanted && !entry.1.is_zero());
        let term = |(p, multiplier): &(u32, UBig)| {
            rows[*p as usize].map(|row| Term { row, multiplier: multiplier.clone(), inputs: Vec::new() })
        };
        let mut terms: Vec<Term> = of_side.filter_map(term).collect();
        terms.sort_unstable_by_key(|term| term.row);
        terms
    };
    let hulls = HullPoints { left: side(1), right: side(-1) };
    (best.neuron, Some(Margin { claim, hulls }))
}

/// For every point the first row whose target for the unit is known.
fn rows_of(problem: &LoadingProblem, points: &GroupPoints, unit: u32) -> Vec<Option<u32>> {
    let output = problem.network.outputs.iter().position(|&output| output == unit);
    let mut rows = vec![None; points.len()];
    for (i, &point) in points.point_of_row.iter().enumerate() {
        if output.is_some_and(|output| problem.target(i)[output].is_some()) {
            rows[point as usize].get_or_insert(i as u32);
        }
    }
    rows
}

/// The best weights and the best bound so far.
struct Best<'a> {
    points: &'a GroupPoints,
    metric: &'a Metric,
    all: &'a [(u32, i8)],
    /// Points that want nothing.
    open: &'a [u32],
    neuron: Neuron,
    margin: Option<Root>,
    bound: Option<(Root, Vec<(u32, UBig)>)>,
}

impl Best<'_> {
    /// The margin of weights on all points; `None` if they do not separate them.
    fn measured(&self, neuron: &Neuron) -> Option<Root> {
        let extremes = weights::extremes(self.points, &neuron.weights, self.all);
        let (Some(lowest), Some(highest)) = extremes else { return None };
        let nearest = (lowest + &neuron.bias).min(-(highest + &neuron.bias));
        if nearest > IBig::ZERO { self.metric.distance(&neuron.weights, &nearest) } else { None }
    }

    fn reaches(&self, share: u32) -> bool {
        matches!((&self.margin, &self.bound), (Some(margin), Some((bound, _))) if margin.at_least(share, bound))
    }

    fn bound_by(&mut self, support: &[(u32, UBig)]) {
        let (ones, zeros): (Vec<_>, Vec<_>) =
            support.iter().cloned().partition(|entry| self.all.binary_search(&(entry.0, 1)).is_ok());
        if ones.is_empty() || zeros.is_empty() {
            return;
        }
        let bound = self.metric.half_distance(&self.points.exact, [&ones, &zeros]);
        if self.bound.as_ref().is_none_or(|(best, _)| best.at_least(10_000, &bound)) {
            self.bound = Some((bound, support.to_vec()));
        }
    }

    /// Takes the smallest integers along `direction` that keep nearly all of what the direction reaches, if they are better.
    fn round(&mut self, direction: &[IBig]) {
        let Some((bound, _)) = self.bound.clone() else { return };
        let exact = weights::along(direction, None);
        let reached = weights::with_middle(self.points, &exact, self.all, self.open);
        let Some((neuron, margin)) = reached.and_then(|neuron| Some((neuron.clone(), self.measured(&neuron)?))) else {
            return;
        };
        // Of the bound, or of what the direction itself reaches if that is less.
        let goal = if margin.at_least(WANTED, &bound) { bound } else { margin.clone() };
        let nearest = self.nearest(&neuron);
        let good = |weights: &[IBig], all: &[(u32, i8)], open: &[u32]| -> Option<(Neuron, Root)> {
            let neuron = weights::with_middle(self.points, weights, all, open)?;
            let extremes = weights::extremes(self.points, &neuron.weights, all);
            let (Some(lowest), Some(highest)) = extremes else { return None };
            let nearest = (lowest + &neuron.bias).min(-(highest + &neuron.bias));
            let margin = self.metric.distance(&neuron.weights, &nearest)?;
            margin.at_least(ROUNDED, &goal).then_some((neuron, margin))
        };
        let rounded = weights::sizes(direction).find_map(|size| {
            let weights = weights::along(direction, Some(&size));
            good(&weights, &nearest, &[])?;
            good(&weights, self.all, self.open)
        });
        let (neuron, margin) = rounded.unwrap_or((neuron, margin));
        if self.margin.as_ref().is_none_or(|best| margin.at_least(10_000, best)) {
            let Neuron { mut weights, bias } = neuron;
            weights.push(bias);
            (self.neuron, self.margin) = (weights::neuron(weights), Some(margin));
        }
    }

    /// Some of the points nearest to a hyperplane, of either side.
    fn nearest(&self, neuron: &Neuron) -> Vec<(u32, i8)> {
        let mut sums: Vec<(IBig, (u32, i8))> = (self.all.par_iter())
            .map(|&entry| {
                let sum = weights::dot(&self.points.exact, entry.0 as usize, &neuron.weights) + &neuron.bias;
                (sum * IBig::from(entry.1), entry)
            })
            .collect();
        sums.par_sort_unstable();
        let some = 2 * self.points.scaled.coordinates + 10;
        let of_side = |side: i8| sums.iter().map(|entry| entry.1).filter(move |entry| entry.1 == side).take(some);
        of_side(1).chain(of_side(-1)).collect()
    }
}

/// The normal over the columns' integers, and the support with its multipliers, in `f64` as long as that lasts.
fn nearest(asked: Separated, all: &[(u32, i8)], metric: &Metric, stop: &(dyn Fn() -> bool + Sync)) -> Option<Found> {
    let Separated { points, sides, mut chosen, scaled, .. } = asked;
    let d = points.columns.len();
    // Over scaled coordinates a column counts for so much, the largest for 1.
    let sizes: Vec<f64> =
        (0..d).map(|j| points.scaled.reach(j).map_or(f64::NEG_INFINITY, |reach| reach + metric.logarithm(j))).collect();
    let largest = sizes.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sizes: Vec<f64> = sizes.iter().map(|size| (size - largest).exp2()).collect();
    let capacity = MOST_NUMBERS / d.max(1);
    let by_distance = |plane: &[f64], side: i8| {
        let of_side = all.par_iter().filter(|entry| entry.1 == side);
        let value = |p: u32| f64::from(side) * points.scaled.dot(p as usize, plane);
        of_side.map(|entry| (value(entry.0), entry.0)).min_by(|one, other| one.0.total_cmp(&other.0))
    };
    let [one, zero] = [by_distance(scaled, 1)?.1, by_distance(scaled, -1)?.1];
    chosen.retain(|&p| p != one && p != zero);
    chosen.truncate(capacity);
    chosen.splice(0..0, [one, zero]);
    let mut within = vec![false; points.len()];
    let mut rows = Rows { d, values: Vec::new(), sides: Vec::new() };
    let add = |rows: &mut Rows, p: u32| {
        let start = rows.values.len();
        rows.values.resize(start + d, 0.0);
        let (indices, values) = points.scaled.row(p as usize);
        // The last coordinate is the constant.
        for (&j, &value) in indices.iter().zip(values).filter(|entry| (*entry.0 as usize) < d) {
            rows.values[start + j as usize] = value * sizes[j as usize];
        }
        rows.sides.push(sides[p as usize]);
    };
    chosen.iter().for_each(|&p| {
        within[p as usize] = true;
        add(&mut rows, p);
    });
    let mut found = Nearest::new(&rows, 0, 1);
    let mut plane = vec![0.0; d + 1];
    for _ in 0..ROUNDS {
        found.solve(&rows, stop);
        let levels = found.levels(&rows);
        plane.iter_mut().zip(found.z.iter().zip(&sizes)).for_each(|(plane, (z, size))| *plane = z * size);
        let gap = JOINS * found.z.iter().map(|z| z * z).sum::<f64>();
        let mut wrong: Vec<(f64, u32)> = (all.par_iter())
            .map(|&(p, side)| {
                let value = points.scaled.dot(p as usize, &plane);
                (if side > 0 { levels[0] - value } else { value - levels[1] }, p)
            })
            .filter(|entry| entry.0 > gap && !within[entry.1 as usize])
            .collect();
        wrong.par_sort_unstable_by(|a, b| b.0.total_cmp(&a.0));
        wrong.truncate((2 * d + 10).min(capacity.saturating_sub(chosen.len())));
        if wrong.is_empty() || stop() {
            break;
        }
        for (_, p) in wrong {
            within[p as usize] = true;
            chosen.push(p);
            add(&mut rows, p);
        }
    }
    let support = found.support.iter().zip(&found.lambda).map(|(&i, &lambda)| (chosen[i], share(lambda))).collect();
    Some(Found { direction: weights::direction(points, &plane[..d]), support })
}

/// `lambda·2^60`, rounded.
fn share(lambda: f64) -> UBig {
    UBig::from((lambda.clamp(0.0, 1.0) * 60f64.exp2()) as u64)
}
