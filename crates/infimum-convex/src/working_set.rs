//! Working sets for smooth losses with λ1 > 0.
//!
//! Most weights are zero at the optimum. Each round minimises over the columns taken so far ([`crate::proximal`]); then one
//! pass over all columns gives `v = Xᵀα`, a feasible dual point, the true gap, and the worst violators of the optimality
//! conditions, which are taken too: several times as many as there are non-zero weights, so that the rounds are few (Massias,
//! Gramfort, Salmon, *Celer*, ICML 2018).

use crate::columns::Columns;
use crate::design;
use crate::frame::{Frame, Point};
use crate::proximal::{Improved, Proximal};
use crate::smooth::SmoothLosses;
use crate::tracker::Tracker;

/// How many columns are taken.
struct Growth {
    /// In the first round, unless no more than [`FEW`] are in the way.
    first: usize,
    /// In a later round at least.
    fewest: usize,
    /// In a later round for each weight that is not zero.
    factor: usize,
}

/// Of sparse data few at first: those that the target resembles most are the fullest ones, many of which the others will
/// replace. Later many, for each round costs passes over all the data.
const SPARSE: Growth = Growth { first: 30, fewest: 300, factor: 4 };
/// Of dense data all columns cost the same.
const DENSE: Growth = Growth { first: 100, fewest: 100, factor: 2 };
/// Columns that are taken at once.
const FEW: usize = 128;
/// Share of new columns below which the set is taken to be nearly final.
const NEARLY: f64 = 0.1;
/// Rounds without progress on either bound after which `f64` has met its limit.
const PATIENCE: u32 = 10;

/// Minimises a smooth problem with an ℓ1 term from the tracker's point; `curvature` bounds the loss's second derivative.
pub(crate) fn solve(frame: &Frame, losses: &impl SmoothLosses, curvature: f64, tracker: &mut Tracker) {
    let (n, d, outputs) = (frame.rows(), frame.columns(), frame.outputs);
    let mut point = tracker.point.clone();
    let mut z = tracker.outputs(frame);
    let mut modelled = vec![0.0; n * outputs];
    let mut v = vec![0.0; d * outputs];
    // Damping is a remedy, no proof: where the curvature has no bound its value at 0 will do.
    let typical = if curvature.is_finite() { curvature } else { 1.0 };
    let mut proximal = Proximal::new(frame, losses, typical);
    let growth = if frame.matrix.is_sparse() { SPARSE } else { DENSE };
    let mut taken = vec![false; d];
    // The columns of the start come first; from zero the best intercept alone: at λ1 ≥ λmax that is the optimum.
    let support = |point: &Point| -> Vec<usize> {
        (0..d).filter(|&j| (0..outputs).any(|k| point.weights[k * d + j] != 0.0)).collect()
    };
    let first = support(&point);
    first.iter().for_each(|&j| taken[j] = true);
    // Copies of columns count as memory; a spilled matrix says how much there is.
    let room = frame.matrix.room().map(|room| (room, entries(frame)));
    let crowded = |columns: &Columns, more: &[usize]| {
        let stored = |entries: &[u32]| columns.stored() + more.iter().map(|&j| entries[j] as usize).sum::<usize>();
        room.as_ref().is_some_and(|(room, entries)| stored(entries) > *room)
    };
    let no_room = "the columns with non-zero weights no longer fit into --memory; give more, or a larger --l1";
    if crowded(&proximal.columns, &first) {
        tracker.trouble = Some(no_room.into());
        return;
    }
    proximal.columns.take(&first);
    let (mut idle, mut nearly_final) = (0, !first.is_empty());
    loop {
        let improved = proximal.improve(&mut point, &mut z, &mut modelled, nearly_final, tracker);
        if matches!(improved, Improved::NotFinite) {
            return;
        }
        z = proximal.outputs(&point);
        let upper = losses.value(&z) + frame.penalty_value(&point);
        let (mut lower, mut factor) = frame.lower(losses, &mut modelled, &mut v);
        tracker.offer_point(upper, &point);
        tracker.offer_dual(lower, &modelled);
        if idle > 0 || matches!(improved, Improved::Other) {
            losses.natural_dual(&z, &mut modelled);
            (lower, factor) = frame.lower(losses, &mut modelled, &mut v);
            tracker.offer_dual(lower, &modelled);
        }
        tracker.explored += 1;
        tracker.report("working-set");
        if tracker.done() {
            return;
        }
        idle = if tracker.progressed() { 0 } else { idle + 1 };
        if idle == PATIENCE {
            tracker.trouble =
                Some("working-set rounds improve neither bound any more (limit of double precision)".into());
            return;
        }
        let worst = violations(frame, &point, &v, factor);
        let support = support(&point).len();
        let mut more: Vec<usize> = (0..d).filter(|&j| worst[j] > 0.0 && !taken[j]).collect();
        more.sort_by(|&a, &b| worst[b].total_cmp(&worst[a]));
        let begins = proximal.columns.taken.is_empty() && more.len() > FEW;
        more.truncate(if begins { growth.first } else { (growth.factor * support).max(growth.fewest) });
        more.sort_unstable();
        more.iter().for_each(|&j| taken[j] = true);
        nearly_final = (more.len() as f64) < NEARLY * proximal.columns.taken.len() as f64;
        if crowded(&proximal.columns, &more) {
            tracker.trouble = Some(no_room.into());
            return;
        }
        proximal.columns.take(&more);
    }
}

/// How many values each column has stored.
fn entries(frame: &Frame) -> Vec<u32> {
    let mut entries = vec![0u32; frame.columns()];
    design::for_each_row(frame.matrix, |_, row| row.for_each(|j, _| entries[j] += 1));
    entries
}

/// How far each column's optimality condition is violated, over its outputs: the distance of v/factor − λ2 s² w from λ1 s ∂|w|.
fn violations(frame: &Frame, point: &Point, v: &[f64], factor: f64) -> Vec<f64> {
    let d = frame.columns();
    let mut worst = vec![0.0f64; d];
    for (entry, (&v, &w)) in v.iter().zip(&point.weights).enumerate() {
        let j = entry % d;
        let (l1, l2, v) = (frame.penalty.l1(j), frame.penalty.l2(j), v / factor);
        let distance = if w == 0.0 { v.abs() - l1 } else { (v - l2 * w - l1 * w.signum()).abs() };
        worst[j] = worst[j].max(distance);
    }
    worst
}
