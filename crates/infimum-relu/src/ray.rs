//! Multiples of a dual point: what bounds of theorem 1 (docs/relu.md) allow, and where the dual value is largest.

use infimum_problem::{Intercept, Witness};

use crate::Instance;

/// Steps of the search for the best scale of a dual point.
const SCALES: usize = 60;

/// `sqrt(Σ_k max(M_k⁺, M_k⁻)²)`.
pub(crate) fn total(witnesses: &[Witness]) -> f64 {
    let largest = witnesses.chunks(2).map(|pair| pair.iter().fold(0.0f64, |top, witness| top.max(witness.bound)));
    let (mut sum, mut count, mut last) = (0.0, 0, 0.0);
    for bound in largest {
        (sum, count, last) = (sum + bound * bound, count + 1, bound);
    }
    if count == 1 { last } else { sum.sqrt() * (1.0 + 1e-15) }
}

/// `g(scale·α) − R(scale·α)`.
fn value(instance: &Instance, alpha: &[f64], scale: f64) -> f64 {
    let scaled: Vec<f64> = alpha.iter().map(|a| scale * a).collect();
    instance.losses.gain(&scaled) - charge(instance, &scaled)
}

/// R of theorem 1.
pub(crate) fn charge(instance: &Instance, alpha: &[f64]) -> f64 {
    // Without decay only α that add up to exactly 0 are claimed.
    if instance.output_bias != Intercept::Penalized || instance.beta == 0.0 {
        return 0.0;
    }
    let sum = |k: usize| alpha.iter().skip(k).step_by(instance.outputs).sum::<f64>();
    (0..instance.outputs).map(|k| sum(k) * sum(k)).sum::<f64>() / (2.0 * instance.beta)
}

/// The largest t ≥ 1 for which tα is in the domain.
pub(crate) fn room(instance: &Instance, alpha: &[f64]) -> f64 {
    let outputs = instance.outputs;
    let mut room = f64::INFINITY;
    for (entry, &a) in alpha.iter().enumerate().filter(|entry| *entry.1 != 0.0) {
        let (low, high) = instance.losses.domain(entry / outputs, entry % outputs);
        room = room.min(if a > 0.0 { high / a } else { low / a });
    }
    room.max(1.0)
}

/// The maximiser of the concave value along the ray in [0, limit], by golden sections.
pub(crate) fn best_scale(instance: &Instance, alpha: &[f64], limit: f64) -> f64 {
    let along = |t: f64| value(instance, alpha, t);
    let mut high = 1.0;
    while high < limit && along(2.0 * high) > along(high) && high < 1e12 {
        high *= 2.0;
    }
    let mut high = (2.0 * high).min(limit);
    if along(high) >= along(high * (1.0 - 1e-6)) {
        return high;
    }
    let (mut low, ratio) = (0.0, 0.5 * (5f64.sqrt() - 1.0));
    let (mut a, mut b) = (high - ratio * (high - low), low + ratio * (high - low));
    let (mut at_a, mut at_b) = (along(a), along(b));
    for _ in 0..SCALES {
        if at_a < at_b {
            (low, a, at_a) = (a, b, at_b);
            b = low + ratio * (high - low);
            at_b = along(b);
        } else {
            (high, b, at_b) = (b, a, at_a);
            a = high - ratio * (high - low);
            at_a = along(a);
        }
    }
    0.5 * (low + high)
}
