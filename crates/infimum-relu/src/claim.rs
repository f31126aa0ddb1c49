//! From a dual direction with its bounds to a claim: scaled into the constraint, exactly feasible, valued with room for rounding.

use infimum_problem::{BoundProof, ConeNode, Intercept, Witness};

use crate::ray::{best_scale, charge, room, total};
use crate::{Instance, Net};

/// Room left below β, relative: the checker adds the bounds' squares with outward rounding.
const ROOM: f64 = 1e-13;
/// Rounding margin of a claim relative to the magnitudes that are added up; the checker's enclosures are narrower.
const MARGIN: f64 = 2e-14;

/// A dual point as a certificate holds it.
#[derive(Debug, Clone)]
pub(crate) struct Claim {
    /// n × K.
    pub(crate) alpha: Vec<f64>,
    /// 2 K.
    pub(crate) witnesses: Vec<Witness>,
    /// Not above the dual value.
    pub(crate) lower: f64,
}

/// `α = 0`, whose bound is 0: all losses are ≥ 0.
pub(crate) fn nothing(instance: &Instance) -> Claim {
    let witness = Witness { bound: 0.0, proof: BoundProof::Norms };
    let alpha = vec![0.0; instance.rows() * instance.outputs];
    Claim { alpha, witnesses: vec![witness; 2 * instance.outputs], lower: 0.0 }
}

/// The claim of `t·alpha` for the best t with `t·B ≤ β`. Everything in a witness but τ is proportional to α; moments, whose g are rounded to
/// single precision, come at their scale already.
pub(crate) fn claim(instance: &Instance, alpha: &[f64], witnesses: &[Witness]) -> Option<Claim> {
    let longest = instance.beta * (1.0 - ROOM) / total(witnesses);
    if !(longest > 0.0) {
        return None;
    }
    let t = if witnesses.iter().any(|witness| matches!(witness.proof, BoundProof::Moments(_) | BoundProof::Clusters(_)))
    {
        if longest < 1.0 {
            return None;
        }
        1.0
    } else {
        best_scale(instance, alpha, longest.min(room(instance, alpha)))
    };
    let mut alpha: Vec<f64> = alpha.iter().map(|a| t * a).collect();
    settle(instance, &mut alpha);
    let witnesses = witnesses.iter().map(|witness| times(witness, t)).collect();
    let lower = value_of(instance, &alpha);
    (lower > 0.0).then_some(Claim { alpha, witnesses, lower })
}

/// A number that the dual value of a feasible α is not below.
pub(crate) fn value_of(instance: &Instance, alpha: &[f64]) -> f64 {
    let cost = charge(instance, alpha);
    instance.losses.gain(alpha) - cost - MARGIN * (instance.losses.gain_magnitude(alpha) + cost)
}

/// A number that `U(net)` does not exceed, in plain `f64` with the rounding of the outputs bounded: each is a sum of width·(D + 2) products
/// whose error is at most that many units in the last place of the sum of their magnitudes.
pub(crate) fn upper(instance: &Instance, net: &Net) -> f64 {
    let (n, outputs, d) = (instance.rows(), instance.outputs, instance.dimension());
    let mut z = vec![0.0; n * outputs];
    instance.outputs_of(net, &mut z);
    let (mut alpha, mut curvature) = (vec![0.0; z.len()], vec![0.0; z.len()]);
    instance.losses.derivatives(&z, &mut alpha, &mut curvature);
    let width = net.output.len() / outputs;
    let unit = f64::EPSILON * (width + d + 4) as f64;
    let mut magnitudes = vec![0.0; instance.points.len() * outputs];
    for (p, sums) in magnitudes.chunks_exact_mut(outputs).enumerate() {
        sums.iter_mut().zip(&net.biases).for_each(|(sum, c)| *sum = c.abs());
        for (unit, output) in net.hidden.chunks_exact(d.max(1)).zip(net.output.chunks_exact(outputs)) {
            let t: f64 = unit.iter().zip(instance.points.point(p)).map(|(w, x)| (w * x).abs()).sum();
            sums.iter_mut().zip(output).for_each(|(sum, a)| *sum += a.abs() * t);
        }
    }
    let errors = alpha.chunks_exact(outputs).zip(&instance.point_of).map(|(alpha, &p)| {
        let sums = &magnitudes[p as usize * outputs..][..outputs];
        alpha.iter().zip(sums).map(|(a, sum)| 2.0 * a.abs() * unit * sum).sum::<f64>()
    });
    let value = instance.losses.value(&z) + instance.penalty(net);
    let upper = value + errors.sum::<f64>() + instance.losses.rounding(&z) + MARGIN * value.abs();
    if upper.is_finite() { upper } else { f64::MAX }
}

/// The bounds of theorem 2.
pub(crate) fn norms(instance: &Instance, alpha: &[f64]) -> Vec<Witness> {
    let mut witnesses = Vec::with_capacity(2 * instance.outputs);
    for k in 0..instance.outputs {
        let (w, errors) = (instance.merged(alpha, k), instance.merging_errors(alpha, k));
        for sign in [1.0, -1.0] {
            let w: Vec<f64> = w.iter().zip(&errors).map(|(w, error)| (sign * w).max(0.0) + error).collect();
            witnesses.push(Witness { bound: instance.points.norm_sum(&w), proof: BoundProof::Norms });
        }
    }
    witnesses
}

/// α on a dyadic grid inside the losses' domain, with sums of exactly 0 where the output bias demands it.
pub(crate) fn settle(instance: &Instance, alpha: &mut [f64]) {
    instance.losses.settle(alpha, instance.output_bias == Intercept::Free);
}

/// The witness of `t·w`.
fn times(witness: &Witness, t: f64) -> Witness {
    let mut scaled = witness.clone();
    if t == 1.0 {
        return scaled;
    }
    // The products of the witness's numbers are rounded; the bound has to stay above them.
    scaled.bound = t * witness.bound * (1.0 + 4.0 * f64::EPSILON);
    match &mut scaled.proof {
        // Moments are never scaled, see `claim`.
        BoundProof::Norms | BoundProof::Moments(_) | BoundProof::Clusters(_) => {}
        BoundProof::Cones(cones) => {
            for node in &mut cones.nodes {
                if let ConeNode::Leaf { q, .. } = node {
                    q.iter_mut().for_each(|q| *q *= t);
                }
            }
        }
    }
    scaled
}
