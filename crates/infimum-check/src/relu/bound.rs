//! The bounds of all outputs: each by its theorem, and together at most β.

use infimum_problem::{BoundProof, Problem, ReluCertificate, Witness};
use infimum_rigor::{Interval, Sum};
use rayon::prelude::*;

use super::points::Points;
use super::{clusters, cones, moments};
use crate::steps::{Refusal, Step, refuse};

/// Every witness is a proof, and `B ≤ β` (theorem 1).
pub(super) fn bound_step(points: &Points, problem: &Problem, certificate: &ReluCertificate) -> Result<(), Refusal> {
    let (outputs, witnesses) = (problem.outputs(), &certificate.witnesses);
    if outputs.checked_mul(2) != Some(witnesses.len()) {
        let reason = format!("{} witnesses, two for each of {outputs} outputs expected", witnesses.len());
        return refuse(Step::Bound, reason);
    }
    let checked: Vec<Result<(), String>> = witnesses
        .par_chunks(2)
        .enumerate()
        .flat_map(|(k, pair)| {
            let weights = points.weights(&certificate.dual, outputs, k);
            pair.par_iter().zip(weights).map(|(witness, w)| proves(points, &w, witness)).collect::<Vec<_>>()
        })
        .collect();
    for (place, checked) in checked.into_iter().enumerate() {
        if let Err(why) = checked {
            let sign = if place % 2 == 0 { "α" } else { "−α" };
            return Err(Refusal::new(Step::Bound, format!("witness of {sign} for output {}: {why}", place / 2 + 1)));
        }
    }
    let largest = |pair: &[Witness]| pair[0].bound.max(pair[1].bound);
    let largest: Vec<f64> = witnesses.chunks_exact(2).map(largest).collect();
    if !within(&largest, problem.objective.lambda2) {
        let beta = problem.objective.lambda2;
        return refuse(Step::Bound, format!("the outputs' bounds {largest:?} are together more than λ2 = {beta:?}"));
    }
    Ok(())
}

/// Whether `Σ_k bound_k² ≤ β²` for bounds ≥ 0; exact for one output.
fn within(bounds: &[f64], beta: f64) -> bool {
    if let [bound] = bounds {
        return *bound <= beta;
    }
    if bounds.iter().all(|&bound| bound == 0.0) {
        return beta >= 0.0;
    }
    let mut sum = Sum::new();
    for &bound in bounds {
        sum.add(Interval::point(bound).divide_by_positive(Interval::point(beta)).square().upper);
    }
    sum.enclose().upper <= 1.0
}

/// Whether `Σ_p w_p relu(x_p·u) ≤ bound` for ‖u‖ ≤ 1 is proven; the error says what is missing.
pub(crate) fn proves(points: &Points, w: &[f64], witness: &Witness) -> Result<(), String> {
    let bound = witness.bound;
    if !(bound >= 0.0 && bound.is_finite()) {
        return Err(format!("the bound is {bound}, expected a finite number ≥ 0"));
    }
    if let Some(p) = w.iter().position(|w| !w.is_finite()) {
        return Err(format!("the α of distinct row {} add up to something that is not finite", p + 1));
    }
    match &witness.proof {
        BoundProof::Norms => norms(points, w, bound),
        BoundProof::Moments(multipliers) => moments::proves(points, w, multipliers, bound),
        BoundProof::Clusters(multipliers) => clusters::proves(points, w, multipliers, bound),
        BoundProof::Cones(tree) => cones::proves(points, w, tree, bound),
    }
}

/// Theorem 2.
fn norms(points: &Points, w: &[f64], bound: f64) -> Result<(), String> {
    let mut sum = Sum::new();
    for (p, &w) in w.iter().enumerate().filter(|entry| *entry.1 > 0.0) {
        let norm = points.norm(p);
        if !norm.is_finite() {
            return Err(format!("distinct row {} is too long for a bound by norms", p + 1));
        }
        sum.add_product(w, norm);
    }
    let proven = sum.enclose().upper;
    if proven <= bound { Ok(()) } else { Err(format!("the norms prove {proven:e}, the bound is {bound:e}")) }
}
