//! The lower bound: all theorems together at each S = ‖θ‖².

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
    let squares: Vec<f64> = (0..inputs.rows())
        .map(|i| {
            let mut sum = Sum::new();
            inputs.row(i).for_each(|_, x| sum.add_product(x, x));
            sum.enclose().upper.max(0.0)
        })
        .collect();
    let lambda2 = problem.objective.lambda2;
    let product = |s: f64| chain.as_ref().map_or(f64::INFINITY, |chain| chain.product(s));
    let at = |s: f64| {
        let rho = product(s);
        let planes = falling.iter().map(|line| line.at(rho)).fold(floor, f64::max);
        planes.max(by_norms(problem, &squares, reach.at(s)))
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

/// `Σ_i c_i min_{‖z‖ ≤ R_i} loss(y_i, z)` rounded down, R_i² = a|x̂_i|² + b (theorem 2).
fn by_norms(problem: &Problem, squares: &[f64], (a, b): (f64, f64)) -> f64 {
    let (loss, outputs) = (problem.objective.loss, problem.outputs());
    let (a, b) = (Interval::point(a), Interval::point(b));
    let parts = in_chunks(squares.len(), 16, |range| {
        let mut sum = Sum::new();
        for i in range {
            let square = (a * Interval::point(squares[i]) + b).upper;
            let radius = Interval::new(0.0, square).sqrt().upper;
            let y = match &problem.data.target {
                Target::Real(values) => values[i],
                Target::Class { .. } => 0.0,
            };
            sum.add_product(problem.data.weights[i], least(loss, y, outputs, radius));
        }
        sum
    });
    let mut sum = Sum::new();
    parts.iter().for_each(|part| sum.merge(part));
    let lower = sum.enclose().lower;
    if lower.is_nan() { 0.0 } else { lower }
}
