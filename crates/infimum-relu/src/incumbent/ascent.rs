//! Multistart ascent of `b·Φ(u)`, `Φ(u) = Σ_p α_p relu(x_p·u)`, over ‖u‖ = 1: neurons that would lower the objective.
//!
//! A neuron lowers it exactly if ‖Φ(u)‖ > β. First the power iteration `u ← g/‖g‖`, `g = Σ_{x_p·u>0} (b·α_p) x_p` (for K > 1 with
//! `b ← Φ/‖Φ‖`), which ascends quickly in a few steps but cannot end on a kink. The best ends then climb with kinks: with λ = b·Φ(u) at
//! ‖u‖ = 1, `F(v) = (λ/2)‖v‖² − b·Φ(v)` has its minimum over the scale of v at −(b·Φ(v̂))²/(2λ), and u is at the best scale; so whatever
//! lowers F raises b·Φ on the sphere. F is minimised like the networks' objective: steps to the model's minimiser g/λ on the kinks, bent
//! where they meet convex ones ([`super::kinks`]).

use rayon::prelude::*;

use super::columns::{Columns, dot, norm, where_active};
use super::descent::{pull_of, sigma_of};
use super::kinks::{Kinks, bend};
use super::random::Random;
use super::units::Units;

/// Steps of the power iteration.
const POWER: usize = 14;
/// Steps of a climb.
const CLIMB: usize = 40;
/// Cosine above which two neurons count as one.
const SAME: f64 = 0.9999;
/// Share of the threshold that an end must have reached for a climb.
const PROMISING: f64 = 0.6;
/// A climb goes on while this many times what the present cell promises would reach the threshold.
const HOPE: f64 = 4.0;
/// Where a row stands that has just left a kink.
const BESIDE: f64 = 1e-150;

/// A neuron with what it gains.
#[derive(Debug, Clone)]
pub(super) struct Neuron {
    /// b·Φ(u).
    pub(super) gain: f64,
    /// Of norm 1.
    pub(super) u: Vec<f64>,
    /// Of norm 1.
    pub(super) b: Vec<f64>,
    t: Vec<f64>,
    pub(super) kinks: Kinks,
}

/// Directions to start from, with output directions.
pub(super) fn starts(
    columns: &Columns,
    alpha: &[f64],
    outputs: usize,
    net: &Units,
    random: &mut Random,
    count: usize,
) -> Vec<(Vec<f64>, Vec<f64>)> {
    let d = columns.dimension;
    let (rows, mut directions) = (columns.rows, Vec::new());
    let spread: Vec<f64> = (0..d)
        .map(|j| norm(columns.column(j)) / (rows as f64).sqrt())
        .map(|size| if size > 0.0 { size } else { 1.0 })
        .collect();
    for round in 0..count {
        match round % 4 {
            0 => directions.push((0..d).map(|_| random.normal()).collect()),
            1 => directions.push((0..d).map(|j| random.normal() / spread[j]).collect()),
            2 => directions.push(columns.point(random.below(rows)).collect()),
            _ => directions.push(vertex(columns, random)),
        }
    }
    for unit in &net.units {
        let size = 0.3 * norm(&unit.v) / (d as f64).sqrt();
        directions.push(unit.v.iter().map(|v| v + size * random.normal()).collect());
    }
    let mut starts = Vec::new();
    let mut t = vec![0.0; rows];
    for mut u in directions {
        let size = norm(&u);
        if !(size > 0.0 && size.is_finite()) {
            continue;
        }
        u.iter_mut().for_each(|u| *u /= size);
        if outputs == 1 {
            starts.extend([1.0, -1.0].map(|b| (u.clone(), vec![b])));
            continue;
        }
        columns.project(&u, &mut t);
        let mut b = pull_of(alpha, &t, outputs);
        let size = norm(&b);
        if size > 0.0 {
            b.iter_mut().for_each(|b| *b /= size);
            starts.push((u, b));
        }
    }
    starts
}

/// A direction orthogonal to D − 1 random rows, on either side.
fn vertex(columns: &Columns, random: &mut Random) -> Vec<f64> {
    let mut kinks = Kinks::default();
    for _ in 1..columns.dimension {
        kinks.push(columns, random.below(columns.rows));
    }
    let mut u: Vec<f64> = (0..columns.dimension).map(|_| random.normal()).collect();
    kinks.project(&mut u);
    u
}

/// Neurons of gain above the threshold, the best first, no two alike.
pub(super) fn violating(
    columns: &Columns,
    alpha: &[f64],
    outputs: usize,
    starts: Vec<(Vec<f64>, Vec<f64>)>,
    threshold: f64,
    known: &Units,
    parallel: bool,
    stop: &(dyn Fn() -> bool + Sync),
) -> Vec<Neuron> {
    let ascend = |(u, b)| power(columns, alpha, outputs, u, b, stop);
    let ends: Vec<Neuron> =
        if parallel { starts.into_par_iter().map(ascend).collect() } else { starts.into_iter().map(ascend).collect() };
    let most = 12 + 2 * columns.dimension + 2 * known.units.len();
    let promising = distinct(ends, PROMISING * threshold, most);
    let climb = |neuron| climb(columns, alpha, outputs, neuron, threshold, stop);
    let climbed: Vec<Neuron> = if parallel {
        promising.into_par_iter().map(climb).collect()
    } else {
        promising.into_iter().map(climb).collect()
    };
    distinct(climbed, threshold, usize::MAX)
}

/// The best neurons above a gain, no two alike, at most `most`.
fn distinct(mut neurons: Vec<Neuron>, above: f64, most: usize) -> Vec<Neuron> {
    neurons.retain(|neuron| neuron.gain > above);
    neurons.sort_by(|a, b| b.gain.total_cmp(&a.gain));
    let mut kept: Vec<Neuron> = Vec::new();
    for neuron in neurons {
        if kept.len() == most {
            break;
        }
        if kept.iter().all(|other| dot(&other.u, &neuron.u) < SAME || dot(&other.b, &neuron.b) < SAME) {
            kept.push(neuron);
        }
    }
    kept
}

/// The power iteration while it ascends.
fn power(
    columns: &Columns,
    alpha: &[f64],
    outputs: usize,
    u: Vec<f64>,
    b: Vec<f64>,
    stop: &(dyn Fn() -> bool + Sync),
) -> Neuron {
    let rows = columns.rows;
    let mut best = Neuron { gain: f64::NEG_INFINITY, u, b, t: Vec::new(), kinks: Kinks::default() };
    let (mut u, mut b, mut t) = (best.u.clone(), best.b.clone(), vec![0.0; rows]);
    let (mut weights, mut g) = (vec![0.0; rows], vec![0.0; columns.dimension]);
    let mut sigma = sigma_of(alpha, &b);
    for step in 0..POWER {
        columns.project(&u, &mut t);
        if outputs > 1 {
            let pull = pull_of(alpha, &t, outputs);
            let size = norm(&pull);
            if !(size > 0.0) {
                break;
            }
            b = pull.iter().map(|pull| pull / size).collect();
            sigma = sigma_of(alpha, &b);
        }
        where_active(&sigma, 1.0, &t, &mut weights);
        columns.pull(&weights, &mut g);
        let gain = dot(&g, &u);
        if gain > best.gain {
            let stale = step > 3 && gain < best.gain + 1e-6 * gain.abs();
            best = Neuron { gain, u: u.clone(), b: b.clone(), t: t.clone(), kinks: Kinks::default() };
            if stale {
                break;
            }
        } else if step > 1 {
            break;
        }
        let size = norm(&g);
        if !(size > 0.0) || stop() {
            break;
        }
        u.iter_mut().zip(&g).for_each(|(u, g)| *u = g / size);
    }
    best
}

/// A point of the sphere.
#[derive(Clone)]
struct Place {
    u: Vec<f64>,
    t: Vec<f64>,
    kinks: Kinks,
    gain: f64,
}

/// The first minimum of F on `u + time·direction`, time ≤ 1, and the row on whose kink it is, if it is on one. F is a parabola between
/// crossings, at which its slope jumps by −σ|speed|.
fn walk(place: &Place, direction: &[f64], speed: &[f64], sigma: &[f64]) -> (f64, Option<usize>) {
    let curvature = place.gain * dot(direction, direction);
    // Without crossings the minimum is at time 1.
    let mut slope = -curvature;
    let mut crossings: Vec<(f64, usize)> = (place.t.iter().zip(speed).enumerate())
        .filter(|(_, (t, speed))| **t * **speed < 0.0 && t.abs() <= speed.abs())
        .map(|(p, (t, speed))| (-t / speed, p))
        .collect();
    crossings.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let mut now = 0.0;
    for (time, p) in crossings {
        let before = slope + curvature * (time - now);
        if before >= 0.0 {
            break;
        }
        (slope, now) = (before - sigma[p] * speed[p].abs(), time);
        if slope >= 0.0 {
            return (time, Some(p));
        }
    }
    (now - slope / curvature, None)
}

/// Ascent with kinks.
fn climb(
    columns: &Columns,
    alpha: &[f64],
    outputs: usize,
    mut neuron: Neuron,
    threshold: f64,
    stop: &(dyn Fn() -> bool + Sync),
) -> Neuron {
    let mut kinks = Kinks::default();
    let (mut weights, mut g) = (vec![0.0; columns.rows], vec![0.0; columns.dimension]);
    let mut speed = vec![0.0; columns.rows];
    for _ in 0..CLIMB {
        if stop() {
            break;
        }
        let sigma = sigma_of(alpha, &neuron.b);
        let slope = |t: &[f64], weights: &mut [f64], g: &mut [f64]| {
            where_active(&sigma, 1.0, t, weights);
            columns.pull(weights, g);
        };
        slope(&neuron.t, &mut weights, &mut g);
        let gain = dot(&g, &neuron.u);
        neuron.gain = gain;
        // ‖g‖ is the most that b·Φ reaches in the present cell.
        if !(gain > 0.0) || gain + HOPE * (norm(&g) - gain) < threshold {
            break;
        }
        let ascent = |g: &[f64]| -> Vec<f64> { g.iter().zip(&neuron.u).map(|(g, u)| gain * u - g).collect() };
        let gradient = ascent(&g);
        let multipliers = kinks.multipliers(columns, &gradient, &sigma);
        let outside = norm(&multipliers.residual);
        if outside <= 1e-10 * gain {
            break;
        }
        let mut face = gradient;
        kinks.project(&mut face);
        let mut t = neuron.t.clone();
        if outside > 2.0 * norm(&face) {
            for (&p, &side) in kinks.rows.iter().zip(&multipliers.sides) {
                t[p as usize] = f64::from(side) * BESIDE;
            }
            kinks.retain(columns, |e| multipliers.sides[e] == 0);
            slope(&t, &mut weights, &mut g);
            face = ascent(&g);
            kinks.project(&mut face);
        }
        let direction: Vec<f64> = face.iter().map(|g| -g / gain).collect();
        columns.project(&direction, &mut speed);
        kinks.rows.iter().for_each(|&p| speed[p as usize] = 0.0);
        let present = Place { u: neuron.u.clone(), t, kinks: kinks.clone(), gain };
        let (time, kink) = walk(&present, &direction, &speed, &sigma);
        let mut end = |mut place: Place| {
            let size = norm(&place.u);
            place.u.iter_mut().for_each(|u| *u /= size);
            columns.project(&place.u, &mut place.t);
            place.kinks.rows.iter().for_each(|&p| place.t[p as usize] = 0.0);
            slope(&place.t, &mut weights, &mut g);
            place.gain = dot(&g, &place.u);
            (place.gain > gain * (1.0 + 1e-13)).then_some(place)
        };
        let mut straight = present.clone();
        straight.u.iter_mut().zip(&direction).for_each(|(u, d)| *u += time * d);
        if let Some(p) = kink {
            straight.kinks.push(columns, p);
            straight.kinks.project(&mut straight.u);
        }
        let mut best = end(straight);
        if kink.is_some() {
            for time in [1.0, 0.25, 0.06] {
                let (mut bent, mut way) = (present.clone(), direction.clone());
                bend(columns, &mut bent.u, &mut bent.t, &mut way, &sigma, &mut bent.kinks, time);
                let bent = end(bent);
                if bent.as_ref().is_some_and(|bent| best.as_ref().is_none_or(|best| bent.gain > best.gain)) {
                    best = bent;
                }
                if best.is_some() {
                    break;
                }
            }
        }
        let Some(place) = best else {
            break;
        };
        (neuron.u, neuron.t, neuron.gain, kinks) = (place.u, place.t, place.gain, place.kinks);
        if outputs > 1 {
            let pull = pull_of(alpha, &neuron.t, outputs);
            let size = norm(&pull);
            neuron.b = pull.iter().map(|pull| pull / size).collect();
            neuron.gain = size;
        }
    }
    neuron.kinks = kinks;
    neuron
}
