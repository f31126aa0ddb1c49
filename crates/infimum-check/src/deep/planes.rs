//! Planes: what a dual point proves of every network, as a line in ρ (docs/deep.md, theorems 1, 3 and 4).

use infimum_problem::deep::{OutputWitness, Plane};
use infimum_problem::{Matrix, Problem};
use infimum_rigor::{Interval, Sum};
use rayon::prelude::*;

use super::reach::Chain;
use crate::lower::{feasible, gains};
use crate::relu::bound::proves;
use crate::relu::points::Points;
use crate::steps::{Refusal, Step, refuse};

/// More planes, or scales of one, are refused.
const MOST: usize = 256;

/// `Σ c_i loss ≥ value − fall·ρ`.
pub(super) struct Line {
    /// At ρ = 0, rounded down.
    pub(super) value: f64,
    /// ≥ 0, rounded up.
    pub(super) fall: f64,
}

impl Line {
    /// The bound at a ρ, rounded down.
    pub(super) fn at(&self, rho: f64) -> f64 {
        (Interval::point(self.value) - Interval::point(self.fall) * Interval::point(rho)).lower
    }
}

/// The lines of all planes, each of which is a proof. `inputs` are the rows after the scaling.
pub(super) fn lines(
    problem: &Problem,
    inputs: &Matrix,
    chain: &Result<Chain, String>,
    planes: &[Plane],
) -> Result<Vec<Line>, Refusal> {
    if planes.is_empty() {
        return Ok(Vec::new());
    }
    if planes.len() > MOST {
        return refuse(Step::Dual, format!("{} planes, at most {MOST} expected", planes.len()));
    }
    let constant = chain.as_ref().is_ok_and(|chain| chain.last_bias > 0);
    let points = Points::new(inputs, constant).map_err(|why| Refusal::new(Step::Problem, why))?;
    let mut lines = Vec::new();
    for (place, plane) in planes.iter().enumerate() {
        let named = |refusal: Refusal| Refusal::new(refusal.step, format!("plane {}: {}", place + 1, refusal.reason));
        lines.extend(lines_of(problem, &points, chain, plane).map_err(named)?);
    }
    Ok(lines)
}

fn lines_of(
    problem: &Problem,
    points: &Points,
    chain: &Result<Chain, String>,
    plane: &Plane,
) -> Result<Vec<Line>, Refusal> {
    let (n, outputs) = (problem.data.rows(), problem.outputs());
    if n.checked_mul(outputs) != Some(plane.dual.len()) {
        return refuse(Step::Dual, format!("{} α, {n}·{outputs} expected", plane.dual.len()));
    }
    if plane.scales.is_empty() || plane.scales.len() > MOST {
        return refuse(Step::Dual, format!("{} scales, 1 to {MOST} expected", plane.scales.len()));
    }
    if let Some(scale) = plane.scales.iter().find(|&&scale| !(scale > 0.0 && scale.is_finite())) {
        return refuse(Step::Dual, format!("a scale is {scale}, expected a finite number > 0"));
    }
    if let Some(place) = plane.dual.iter().position(|a| !a.is_finite()) {
        return refuse(Step::Dual, format!("α of row {} is {}", place / outputs + 1, plane.dual[place]));
    }
    let alpha: Vec<f64> = plane.dual.iter().map(|&a| f64::from(a)).collect();
    let value = |&scale: &f32| {
        // Products of singles are exact in doubles.
        let scaled: Vec<f64> = alpha.iter().map(|a| f64::from(scale) * a).collect();
        feasible(problem, &scaled).map_err(|why| Refusal::new(Step::Dual, format!("scaled by {scale}, {why}")))?;
        Ok(gains(problem, &scaled).enclose().lower)
    };
    let values = plane.scales.iter().map(value).collect::<Result<Vec<f64>, Refusal>>()?;
    let most = if plane.outputs.is_empty() {
        points.cancel(&alpha, outputs).map_err(|why| Refusal::new(Step::Dual, why))?;
        0.0
    } else {
        most(points, chain, plane, &alpha, outputs)?
    };
    let line = |(&scale, value)| {
        let fall = (Interval::point(f64::from(scale)) * Interval::point(most)).upper;
        Line { value, fall }
    };
    Ok(plane.scales.iter().zip(values).map(line).collect())
}

/// A number that `Σ_i α_i·f(x̂_i)` does not exceed for networks with ρ = 1: the norm of the outputs' bounds.
fn most(
    points: &Points,
    chain: &Result<Chain, String>,
    plane: &Plane,
    alpha: &[f64],
    outputs: usize,
) -> Result<f64, Refusal> {
    let chain = chain.as_ref().map_err(|why| Refusal::new(Step::Bound, why.clone()))?;
    if plane.outputs.len() != outputs {
        let got = plane.outputs.len();
        return refuse(Step::Bound, format!("witnesses of {got} outputs, none or {outputs} expected"));
    }
    let bounds: Vec<Result<f64, String>> = (0..outputs)
        .into_par_iter()
        .flat_map_iter(|k| {
            let weights = points.weights(alpha, outputs, k);
            let of = |sign: usize| move |why| format!("witness of {}α for output {}: {why}", ["", "−"][sign], k + 1);
            [0, 1].map(|sign| output_bound(points, chain, &weights[sign], &plane.outputs[k][sign]).map_err(of(sign)))
        })
        .collect();
    let bounds = bounds.into_iter().collect::<Result<Vec<f64>, String>>();
    let bounds = bounds.map_err(|why| Refusal::new(Step::Bound, why))?;
    let mut squares = Sum::new();
    for pair in bounds.chunks_exact(2) {
        squares.add(Interval::point(pair[0].max(pair[1])).square().upper);
    }
    let most = Interval::new(0.0, squares.enclose().upper).sqrt().upper;
    if most.is_finite() { Ok(most) } else { refuse(Step::Bound, "the bounds are too large") }
}

/// Theorem 3: `Σ_p w_p f(x_p) ≤ max(whole, rest)` for scalar f = relu(g), g of one layer less with norms whose product is at most 1.
fn output_bound(points: &Points, chain: &Chain, w: &[f64], witness: &OutputWitness) -> Result<f64, String> {
    let OutputWitness { slopes, whole, rest } = witness;
    if let Some(p) = w.iter().position(|w| !w.is_finite()) {
        return Err(format!("the α of distinct row {} add up to something that is not finite", p + 1));
    }
    if chain.layers == 2 {
        if !slopes.is_empty() || rest.is_some() {
            return Err("networks with one hidden layer have no slopes and no witness of a rest".into());
        }
        return proves(points, w, whole).map(|()| whole.bound);
    }
    if !(slopes.is_empty() || slopes.len() == w.len()) {
        return Err(format!("{} slopes, none or {} expected", slopes.len(), w.len()));
    }
    if let Some(p) = slopes.iter().position(|slope| !(0.0..=1.0).contains(slope)) {
        return Err(format!("the slope of distinct row {} is {}, expected a number in [0, 1]", p + 1, slopes[p]));
    }
    let Some(rest) = rest else { return Err("a witness of the rest is expected".into()) };
    let slope = |p: usize| Interval::point(slopes.get(p).map_or(1.0, |&slope| f64::from(slope)));
    // Rounded up: larger weights of relu ≥ 0 only weaken what is proven.
    let reduced = |(p, &w): (usize, &f64)| if w < 0.0 { (slope(p) * Interval::point(w)).upper } else { w };
    let negative = |(p, &w): (usize, &f64)| if w < 0.0 { (slope(p) * Interval::point(-w)).upper } else { 0.0 };
    let reduced: Vec<f64> = w.iter().enumerate().map(reduced).collect();
    proves(points, &reduced, whole)?;
    let negative: Vec<f64> = w.iter().enumerate().map(negative).collect();
    proves(points, &negative, rest).map_err(|why| format!("rest: {why}"))?;
    Ok(whole.bound.max(rest.bound))
}
