//! The lower bound: all theorems together at each S = ‖θ‖².

use std::collections::BTreeMap;

use infimum_problem::deep::{Architecture, DeepWitness};
use infimum_problem::{Matrix, Problem, Target};
use infimum_rigor::{Interval, Sum};

use super::least::least;
use super::planes::{Line, lines};
use super::reach::{Chain, Reach};
use super::scan::least_objective;
use crate::chunks::in_chunks;
use crate::steps::Refusal;

/// What the witness proves of every network of the architecture, of whatever widths (docs/deep.md); `inputs` are the rows after the scaling, all finite.
pub(super) fn lower(
    problem: &Problem,
    inputs: &Matrix,
    architecture: &Architecture,
    witness: &DeepWitness,
) -> Result<f64, Refusal> {
    let chain = Chain::new(architecture);
    let lines = lines(problem, inputs, &chain, &witness.planes)?;
    let (constant, falling): (Vec<&Line>, Vec<&Line>) = lines.iter().partition(|line| line.fall == 0.0);
    let floor = constant.iter().map(|line| line.value).fold(0.0, f64::max);
    let Ok(reach) = Reach::new(architecture) else { return Ok(floor) };
    if problem.objective.lambda2 == 0.0 {
        return Ok(floor);
    }
    let groups = groups(problem, inputs);
    let lambda2 = problem.objective.lambda2;
    let product = |s: f64| chain.as_ref().map_or(f64::INFINITY, |chain| chain.product(s));
    let at = |s: f64| {
        let rho = product(s);
        let planes = falling.iter().map(|line| line.at(rho)).fold(floor, f64::max);
        planes.max(by_norms(problem, &groups, reach.at(s)))
    };
    // Where ρ(S) is convex, a plane and the penalty are together concave, and least at an end.
    let within = |left: f64, right: f64| {
        let chain = chain.as_ref().ok().filter(|chain| chain.is_convex_from(left))?;
        let ends = [left, right]
            .map(|s| (chain.product(s), Interval::point(0.5) * Interval::point(lambda2) * Interval::point(s)));
        let least = |line: &&Line| {
            let [one, other] = ends.map(|(rho, penalty)| (Interval::point(line.at(rho)) + penalty).lower);
            one.min(other)
        };
        falling.iter().map(least).reduce(f64::max)
    };
    Ok(least_objective(lambda2, floor, at, within))
}

/// Rows that theorem 2 may treat as one: the largest `|x̂|²` among them stands for all.
struct Group<'a> {
    square: f64,
    /// Σ c_i, rounded down.
    weight: f64,
    /// The numbers of a regression; none of classes.
    y: &'a [f64],
}

/// Groups of an octave of `|x̂|²`.
const GROUPS: f64 = 64.0;

/// The rows with their norms. The least loss over a ball does not increase with its radius, so a longer row may stand for shorter ones; with classes it does not depend on
/// the target either, and rows with norms within about 0.5 % of each other are taken together: a bound is asked for at thousands of S.
fn groups<'a>(problem: &'a Problem, inputs: &Matrix) -> Vec<Group<'a>> {
    let square = |i: usize| {
        let mut sum = Sum::new();
        inputs.row(i).for_each(|_, x| sum.add_product(x, x));
        sum.enclose().upper.max(0.0)
    };
    let weights = &problem.data.weights;
    if let Target::Real(values) | Target::Several { values, .. } = &problem.data.target
        && !problem.objective.loss.is_classification()
    {
        let rows = values.chunks_exact(problem.outputs()).zip(weights).enumerate();
        return rows.map(|(i, (y, &weight))| Group { square: square(i), weight, y }).collect();
    }
    let mut found: BTreeMap<i64, (f64, Sum)> = BTreeMap::new();
    for (i, &weight) in weights.iter().enumerate() {
        let square = square(i);
        let place = if square > 0.0 { (square.log2() * GROUPS).floor() as i64 } else { i64::MIN };
        let (largest, sum) = found.entry(place).or_insert_with(|| (0.0, Sum::new()));
        *largest = largest.max(square);
        sum.add(weight);
    }
    let group = |(square, sum): (f64, Sum)| Group { square, weight: sum.enclose().lower.max(0.0), y: &[] };
    found.into_values().map(group).collect()
}

/// `Σ_i c_i min_{‖z‖ ≤ R_i} loss(y_i, z)` rounded down, R_i² = a|x̂_i|² + b (theorem 2).
fn by_norms(problem: &Problem, groups: &[Group], (a, b): (f64, f64)) -> f64 {
    let (loss, outputs) = (problem.objective.loss, problem.outputs());
    let (a, b) = (Interval::point(a), Interval::point(b));
    let parts = in_chunks(groups.len(), 16, |range| {
        let mut sum = Sum::new();
        for group in &groups[range] {
            let square = (a * Interval::point(group.square) + b).upper;
            let radius = Interval::new(0.0, square).sqrt().upper;
            sum.add_product(group.weight, least(loss, group.y, outputs, radius));
        }
        sum
    });
    let mut sum = Sum::new();
    parts.iter().for_each(|part| sum.merge(part));
    let lower = sum.enclose().lower;
    if lower.is_nan() { 0.0 } else { lower }
}
