//! From a dual direction with its bounds to a claim: scaled into the constraint, exactly feasible, valued with room for rounding.

use infimum_problem::{BoundProof, ConeNode, Intercept, Witness};

use crate::Instance;

/// Room left below β, relative: the checker adds the bounds' squares with outward rounding.
const ROOM: f64 = 1e-13;
/// Rounding margin of a claim relative to the magnitudes that are added up; the checker's enclosures are narrower.
const MARGIN: f64 = 2e-14;
/// Steps of the search for the best scale; each shortens the interval by 0.62.
const STEPS: usize = 60;

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

/// `B = sqrt(Σ_k max(M_k⁺, M_k⁻)²)`.
pub(crate) fn joint_bound(witnesses: &[Witness]) -> f64 {
    witnesses.chunks_exact(2).map(|pair| pair[0].bound.max(pair[1].bound).powi(2)).sum::<f64>().sqrt()
}

/// The claim of `t·alpha` for the best t with `t·B ≤ β`: everything in a witness but τ is proportional to α.
pub(crate) fn claim(instance: &Instance, alpha: &[f64], witnesses: &[Witness]) -> Option<Claim> {
    let bound = joint_bound(witnesses);
    let longest = instance.beta * (1.0 - ROOM) / bound;
    if !(bound.is_finite() && longest > 0.0) {
        return None;
    }
    // α = −c·loss′ is where the dual of the losses alone is largest along the ray only at an exact optimum; the domain of hinges ends at t = 1.
    let longest = longest.min(16.0);
    let scaled = |t: f64| -> Vec<f64> { alpha.iter().map(|a| t * a).collect() };
    let value = |t: f64| {
        let moved = scaled(t);
        let mut inside = moved.clone();
        instance.losses.clip(&mut inside);
        if inside.iter().zip(&moved).any(|(a, b)| (a - b).abs() > 1e-12 * b.abs()) {
            return f64::NEG_INFINITY;
        }
        instance.losses.gain(&inside) - bias_cost(instance, &inside)
    };
    let t = best_scale(value, longest);
    let mut alpha = scaled(t);
    let before = alpha.clone();
    settle(instance, &mut alpha);
    let witnesses: Vec<Witness> = witnesses.iter().map(|witness| times(witness, t)).collect();
    debug_assert_eq!(before.len(), alpha.len());
    let cost = bias_cost(instance, &alpha);
    let lower = instance.losses.gain(&alpha) - cost - MARGIN * (instance.losses.gain_magnitude(&alpha) + cost);
    (lower > 0.0).then_some(Claim { alpha, witnesses, lower })
}

/// α on a dyadic grid inside the losses' domain, with sums of exactly 0 where the output bias demands it.
pub(crate) fn settle(instance: &Instance, alpha: &mut [f64]) {
    instance.losses.settle(alpha, instance.output_bias == Intercept::Free);
}

/// `Σ_k (Σ_i α_ik)²/(2β)` with a penalised output bias, else 0.
pub(crate) fn bias_cost(instance: &Instance, alpha: &[f64]) -> f64 {
    if instance.output_bias != Intercept::Penalized {
        return 0.0;
    }
    let sum = |k: usize| alpha.iter().skip(k).step_by(instance.outputs).sum::<f64>();
    (0..instance.outputs).map(|k| sum(k).powi(2)).sum::<f64>() / (2.0 * instance.beta)
}

/// The maximiser of a concave function on [0, longest], −∞ from somewhere on: golden section; the end where nothing is better.
fn best_scale(value: impl Fn(f64) -> f64, longest: f64) -> f64 {
    let ratio = 0.5 * (5f64.sqrt() - 1.0);
    let (mut low, mut high) = (0.0, longest);
    let (mut left, mut right) = (high - ratio * (high - low), low + ratio * (high - low));
    let (mut at_left, mut at_right) = (value(left), value(right));
    for _ in 0..STEPS {
        if at_left >= at_right {
            (high, right, at_right) = (right, left, at_left);
            left = high - ratio * (high - low);
            at_left = value(left);
        } else {
            (low, left, at_left) = (left, right, at_right);
            right = low + ratio * (high - low);
            at_right = value(right);
        }
    }
    let candidates = [0.5 * (low + high), low, high, longest, longest.min(1.0)];
    let best = |a: f64, b: f64| if value(b) > value(a) { b } else { a };
    candidates.into_iter().fold(low, best)
}

/// The witness of `t·w`.
fn times(witness: &Witness, t: f64) -> Witness {
    let mut scaled = witness.clone();
    // The products of the witness's numbers are rounded; the bound has to stay above them.
    scaled.bound = t * witness.bound * (1.0 + 4.0 * f64::EPSILON);
    match &mut scaled.proof {
        BoundProof::Norms => {}
        BoundProof::Moments(moments) => {
            moments.g.iter_mut().for_each(|g| *g = (t * f64::from(*g)) as f32);
            moments.sigma.iter_mut().for_each(|sigma| *sigma *= t);
            moments.lambda *= t;
            moments.s *= t;
        }
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
