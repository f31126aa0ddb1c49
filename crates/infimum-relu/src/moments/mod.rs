//! The joint moment bound: a dual point α and the multipliers of theorem 3 (docs/relu.md), optimised together.
//!
//! A network's hidden units with output sign σ are replaced by their moments of order up to two, `t = Σ|a_j|`, `u = Σ|a_j| w_j`,
//! `U = Σ|a_j| w_j w_jᵀ` with ‖w_j‖ = 1, and `Σ|a_j||x·w_j|` by a number s between what these moments allow (`blocks.rs`). The minimum of
//! loss and penalty over such moments is a convex program. Its dual is: α in the domain of the losses' conjugates, and for each sign multipliers
//! (τ, g, σ, λ, s) whose bound of theorem 3 is at most β. Whatever point the search has reached, [`bound`] turns its α and multipliers into a
//! proof, scaling α down where the bound is above β.
//!
//! [`clustered`] adds products of rows to the moments, which costs more and proves more (`clusters/`).
//!
//! * `blocks.rs`, `objective.rs`, `point.rs`: moments, losses, and the barrier function Φ_μ.
//! * `system.rs`, `packed.rs`: Newton's system. `path.rs`: the barrier method.
//! * `atoms.rs`: the same without Newton's systems, for many columns. `first_order.rs`: multipliers alone, for a given α.
//! * `bound.rs`, `trust_region.rs`: from multipliers to witnesses.

mod atoms;
mod blocks;
mod bound;
mod clusters;
mod first_order;
mod layers;
mod objective;
mod packed;
mod path;
mod point;
mod system;
#[cfg(test)]
mod tests;
mod trust_region;

use infimum_problem::Witness;

use crate::{Instance, Points};
use blocks::Rows;
use bound::Proving as _;
use objective::Objective;
use path::Advance;
use point::{Biases, Setting};

pub use bound::Multipliers;
pub(crate) use clusters::{clustered, sizes};
pub(crate) use layers::Layers;
pub(crate) use objective::is_coupled;
pub use path::Near;
pub(crate) use path::Path;

/// Relative accuracy to which the relaxation is solved.
const ACCURACY: f64 = 1e-6;

/// Operations of one Newton system beyond which first-order methods come first.
const FEW_OPERATIONS: f64 = 5e9;
/// Operations of one Newton system beyond which first-order methods are all that is done, and order of it.
const MOST_OPERATIONS: f64 = 1e11;
const MOST_ORDER: usize = 6_000;
/// Steps of the first-order method before Newton's, and instead of it.
const FIRST_STEPS: usize = 8;
const ALL_STEPS: usize = 300;

/// A proven bound.
#[derive(Debug, Clone)]
pub(crate) struct DualPoint {
    /// α, n × K, in the losses' domain; sums over the rows are 0 up to rounding if the output bias is free.
    pub(crate) alpha: Vec<f64>,
    /// For each output the bound for α, then that for −α.
    pub(crate) witnesses: Vec<Witness>,
    /// g(α) − R in `f64`.
    pub(crate) value: f64,
}

impl DualPoint {
    /// α = 0.
    pub(crate) fn zero(instance: &Instance) -> DualPoint {
        let alpha = vec![0.0; instance.rows() * instance.outputs];
        let zero = vec![0.0; instance.points.len()];
        let witnesses = (0..2 * instance.outputs).map(|_| bound::norms(&instance.points, &zero, 0.0)).collect();
        let value = instance.losses.gain(&alpha);
        DualPoint { alpha, witnesses, value }
    }
}

/// The best dual point with moment bounds that the time allows. `start` is −loss′ at the incumbent's outputs, `upper` its objective. Ends when
/// the bound is within `gap` of `upper`, when the relaxation is solved, or when `stop` says so. `report` sees every improvement.
pub(crate) fn joint(
    instance: &Instance,
    start: &[f64],
    upper: f64,
    gap: f64,
    stop: &(dyn Fn() -> bool + Sync),
    report: &mut dyn FnMut(&DualPoint),
) -> DualPoint {
    let mut best = DualPoint::zero(instance);
    let newton = affords_newton(&instance.points, 2, instance.outputs, MOST_OPERATIONS);
    let steps = if newton { FIRST_STEPS } else { ALL_STEPS };
    let multipliers: Vec<Multipliers> = (0..2 * instance.outputs)
        .map(|b| {
            let w = bound::signed(instance, start, b);
            tightest(&instance.points, &w, steps, stop).1
        })
        .collect();
    improve(bound::certified(instance, start.to_vec(), &multipliers), &mut best, report);
    if instance.outputs == 1 && !affords_newton(&instance.points, 2, 1, FEW_OPERATIONS) {
        best = atoms::joint(instance, start, best, upper, gap, stop, report);
    }
    if !newton {
        return best;
    }
    let scale = upper.abs().max(f64::MIN_POSITIVE);
    let mut path = Path::of(instance, Layers::One, instance.beta, scale / (4.0 * instance.beta), 10.0 * scale);
    while !(upper - best.value <= gap) {
        let Advance::Near(near) = path.advance(stop) else { break };
        improve(bound::certified(instance, near.alpha.clone(), &near.multipliers), &mut best, report);
        let multipliers = rescaled(instance, &near.alpha, start, &near.multipliers);
        improve(bound::certified(instance, start.to_vec(), &multipliers), &mut best, report);
        if near.primal - best.value <= ACCURACY * near.primal.abs() || near.width <= 0.1 * ACCURACY * near.primal.abs()
        {
            break;
        }
    }
    best
}

/// Keeps a dual point that is better than the best.
fn improve(candidate: DualPoint, best: &mut DualPoint, report: &mut dyn FnMut(&DualPoint)) {
    if candidate.value > best.value {
        report(&candidate);
        *best = candidate;
    }
}

impl<'a> Path<'a> {
    /// The path of an instance's losses at a price β, from `t` in every block.
    pub(crate) fn of(instance: &'a Instance<'a>, layers: Layers, beta: f64, t: f64, width: f64) -> Path<'a> {
        let setting = Setting {
            rows: Rows::new(&instance.points),
            points: instance.points.len(),
            outputs: instance.outputs,
            layers,
            objective: Objective::losses(instance),
            beta,
            biases: Biases::of(instance),
        };
        Path::new(setting, t, width)
    }
}

/// Whether Newton's systems for so many blocks of each output have an order that can be borne and at most so many operations.
pub(crate) fn affords_newton(points: &Points, blocks: usize, outputs: usize, most: f64) -> bool {
    let size = packed::packed(points.dimension.saturating_add(1).min(1 << 20)) as f64;
    let (blocks, outputs) = (blocks as f64, outputs as f64);
    let operations = outputs * blocks * size * size * (3.0 * points.len() as f64 + blocks * size);
    blocks * size <= MOST_ORDER as f64 && operations <= most
}

/// The best witness of the first-order method, with its multipliers; where there is no time, that of theorem 2 and its like.
pub(crate) fn tightest(
    points: &Points,
    w: &[f64],
    steps: usize,
    stop: &(dyn Fn() -> bool + Sync),
) -> (Witness, Multipliers) {
    let m = points.len();
    let mut best =
        (bound::norms(points, w, 1.0), Multipliers { tau: vec![1.0; m], g: Vec::new(), sigma: vec![0.0; m] });
    let mut least = f64::INFINITY;
    first_order::multipliers(points, w, steps, stop, &mut |multipliers| {
        let witness = multipliers.witness(points, w, &[], 1.0);
        if witness.bound < least {
            least = witness.bound;
            best.1 = multipliers.clone();
            if witness.bound < best.0.bound {
                best.0 = witness;
            }
        }
    });
    best
}

/// Multipliers for `to` instead of `from`: g and σ of each point in proportion to its weight.
fn rescaled(instance: &Instance, from: &[f64], to: &[f64], multipliers: &[Multipliers]) -> Vec<Multipliers> {
    let d = instance.dimension();
    let mut out = multipliers.to_vec();
    for (b, out) in out.iter_mut().enumerate() {
        let (from, to) = (bound::signed(instance, from, b), bound::signed(instance, to, b));
        for p in 0..from.len() {
            let factor = if from[p] * to[p] > 0.0 { to[p] / from[p] } else { 0.0 };
            out.sigma[p] *= factor;
            out.g[p * d..(p + 1) * d].iter_mut().for_each(|g| *g *= factor);
        }
    }
    out
}
