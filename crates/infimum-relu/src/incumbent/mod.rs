//! Networks: column generation over neurons, and a polish to an exactly stationary point.
//!
//! Over all widths the problem is `min L(Z) + β Σ_j ‖v_j‖` over finite sums Z of `b_j relu(X v_j)` (plus an output bias); by theorem 1 of
//! docs/relu.md a network is optimal if its α = −L′(Z) has ‖Φ(u)‖ ≤ β for all ‖u‖ = 1. A round looks for neurons that violate this
//! ([`ascent`]), adds them, and minimises over all weights at once ([`descent`]); when none is found, the network is polished until the
//! subgradient of smallest norm is as small as `f64` allows, and reduced to few neurons ([`reduce`]).
//!
//! * `columns.rs`: products with all points.
//! * `units.rs`: networks in a form without superfluous scales.
//! * `point_losses.rs`: losses at points; losses with kinks by the method of multipliers.
//! * `kinks.rs`: kinks as equalities. `system.rs`: the second-order model. `descent.rs`: steps.
//! * `sliding.rs`: L-BFGS, where Newton's system is too large.
//! * `ascent.rs`: violating neurons. `reduce.rs`: fewer neurons. `random.rs`: random numbers.

mod ascent;
mod columns;
mod descent;
mod kinks;
mod point_losses;
mod random;
mod reduce;
mod sliding;
mod system;
mod units;

#[cfg(test)]
mod tests;

use crate::{Instance, Net};
use ascent::Neuron;
use columns::{dot, norm};
use descent::{Descent, Ended, pull_of};
use kinks::Kinks;
use random::Random;
use units::{Unit, Units, add_unit};

/// Relative violation that a round before the polish looks for.
const ROUGH: f64 = 1e-4;
/// Relative violation that is looked for after it.
const FINE: f64 = 1e-8;
/// Relative residual at which a round ends its descent.
const ROUGH_RESIDUAL: f64 = 1e-5;
/// Relative residual that a polish aims at.
const FINE_RESIDUAL: f64 = 1e-12;
/// Steps of a round's descent, and of a polish.
const ROUND_STEPS: usize = 40;
const POLISH_STEPS: usize = 300;
/// Floating-point operations of a step of Newton's above which L-BFGS is used: about a second.
const LARGEST_NEWTON: f64 = 4e9;
/// Steps of L-BFGS for one of Newton's.
const SLIDES: usize = 4;
/// Proximal iterations of a polish.
const CENTRES: usize = 60;
/// Proximal iterations of a round.
const ROUND_CENTRES: usize = 4;
/// Starts of a round's ascents.
const STARTS: usize = 32;
/// Width of networks without a penalty, where none is given.
const DEFAULT_WIDTH: usize = 50;
/// Exchanges of a neuron, at a width that must not grow, without success after which no more are tried.
const EXCHANGES: usize = 6;

/// What a round did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Round {
    /// The network has changed.
    Improved,
    /// The network is polished and no neuron that violates the bound was found.
    NoneViolated,
    /// Neurons violate the bound, but the width must not grow and exchanging neurons does not help.
    Exhausted,
    /// Told to stop.
    Stopped,
}

/// The search for a network.
pub(crate) struct Search<'a> {
    instance: &'a Instance<'a>,
    descent: Descent<'a>,
    present: Units,
    best: Net,
    best_value: f64,
    cap: usize,
    random: Random,
    begun: bool,
    polished: bool,
    failures: usize,
    added: u64,
    fine: f64,
}

impl<'a> Search<'a> {
    /// The zero network; nothing is minimised before the first round.
    pub(crate) fn new(instance: &'a Instance<'a>, width_cap: Option<usize>, seed: u64, threads: usize) -> Search<'a> {
        let present = Units::constant(instance, vec![0.0; instance.outputs]);
        let best = present.net();
        let default = if instance.beta > 0.0 { usize::MAX } else { DEFAULT_WIDTH };
        Search {
            instance,
            descent: Descent::new(instance, threads > 1),
            best_value: instance.value(&best),
            present,
            best,
            cap: width_cap.unwrap_or(default),
            random: Random(seed),
            begun: false,
            polished: false,
            failures: 0,
            added: 0,
            fine: FINE,
        }
    }

    /// Goes on from a network trained elsewhere; it is kept until a better one is found. A network that is too wide is ignored.
    pub(crate) fn start(&mut self, net: &Net) {
        if net.output.len() > self.cap.saturating_mul(self.instance.outputs) {
            return;
        }
        let value = self.instance.value(net);
        if value < self.best_value {
            (self.best, self.best_value) = (net.clone(), value);
        }
        let mut units = Units::from_net(self.instance, &self.descent.columns, net);
        units.evaluate(self.instance, &mut self.descent.losses);
        self.present = units;
        (self.begun, self.polished) = (false, false);
    }

    /// After the polish only neurons that violate the bound by more than this share are looked for.
    pub(crate) fn tolerate(&mut self, share: f64) {
        self.fine = share.max(FINE);
    }

    /// The best network so far.
    pub(crate) fn net(&self) -> &Net {
        &self.best
    }

    /// Its value.
    #[cfg(test)]
    pub(crate) fn value(&self) -> f64 {
        self.best_value
    }

    /// α of the rows, n × K, at the network of the last round.
    pub(crate) fn alpha(&mut self) -> Vec<f64> {
        let mut alpha = self.descent.losses.row_alpha(&self.present.z).to_vec();
        self.instance.losses.clip(&mut alpha);
        alpha
    }

    /// Relative norm of the smallest subgradient at the network of the last round.
    #[cfg(test)]
    pub(crate) fn residual(&self) -> f64 {
        self.descent.residual
    }

    /// Number of neurons added so far.
    #[cfg(test)]
    pub(crate) fn added(&self) -> u64 {
        self.added
    }

    /// Adds a neuron of the given direction, if it violates the bound and the width allows it; the next round descends from there.
    /// Whether it was added.
    pub(crate) fn add(&mut self, u: &[f64]) -> bool {
        let size = norm(u);
        if !(size > 0.0 && size.is_finite()) || self.present.units.len() >= self.cap {
            return false;
        }
        self.look();
        let u: Vec<f64> = u.iter().map(|u| u / size).collect();
        let mut t = vec![0.0; self.descent.columns.rows];
        self.descent.columns.project(&u, &mut t);
        let pull = pull_of(&self.descent.alpha, &t, self.instance.outputs);
        let gain = norm(&pull);
        let b = pull.iter().map(|pull| pull / gain).collect();
        let added = gain > self.instance.beta && self.insert(u, b, Kinks::default());
        if added {
            (self.begun, self.polished) = (false, false);
        }
        added
    }

    /// One round: neurons that violate the bound are added and everything is minimised; else the network is polished.
    pub(crate) fn round(&mut self, stop: &(dyn Fn() -> bool + Sync)) -> Round {
        if !self.begun {
            self.begun = true;
            let ended = self.descend(ROUGH_RESIDUAL, ROUND_STEPS, stop);
            self.keep();
            if ended == Ended::Stopped {
                return Round::Stopped;
            }
        }
        loop {
            let found = self.look_for(if self.polished { self.fine } else { ROUGH }, stop);
            if stop() {
                return Round::Stopped;
            }
            if !found.is_empty() {
                return self.take(found, stop);
            }
            if self.polished {
                return Round::NoneViolated;
            }
            if !self.polish(stop) {
                return Round::Stopped;
            }
        }
    }

    /// Computes α at the present network.
    fn look(&mut self) {
        let z = &self.present.z;
        self.descent.losses.alpha(z, &mut self.descent.alpha);
    }

    /// Neurons that violate the bound by a relative margin.
    fn look_for(&mut self, margin: f64, stop: &(dyn Fn() -> bool + Sync)) -> Vec<Neuron> {
        self.look();
        let (columns, outputs) = (&self.descent.columns, self.instance.outputs);
        if columns.rows == 0 {
            return Vec::new();
        }
        let alpha = &self.descent.alpha;
        let total: f64 = alpha.chunks_exact(outputs).zip(&columns.norms).map(|(a, x)| norm(a) * x).sum();
        let threshold = (self.instance.beta * (1.0 + margin)).max(1e-9 * total).max(f64::MIN_POSITIVE);
        if total <= threshold {
            return Vec::new();
        }
        let count = if self.polished { 4 * STARTS } else { STARTS };
        let starts = ascent::starts(columns, alpha, outputs, &self.present, &mut self.random, count);
        ascent::violating(columns, alpha, outputs, starts, threshold, &self.present, self.descent.parallel, stop)
    }

    /// Adds neurons, or exchanges one for them where the width must not grow.
    fn take(&mut self, found: Vec<Neuron>, stop: &(dyn Fn() -> bool + Sync)) -> Round {
        let room = self.cap.saturating_sub(self.present.units.len());
        if room == 0 {
            return self.exchange(found, stop);
        }
        let violation =
            found.first().map_or(0.0, |neuron| neuron.gain / self.instance.beta.max(f64::MIN_POSITIVE) - 1.0);
        // Far from stationary, many more neurons would only slow the descent down.
        let settled = self.descent.residual <= violation;
        let most = if settled { 4 + self.present.units.len() } else { 2 + self.present.units.len() / 8 }.min(room);
        let tolerance = (0.05 * violation).clamp(ROUGH_RESIDUAL, 1e-2);
        for neuron in found.into_iter().take(most) {
            self.insert(neuron.u, neuron.b, neuron.kinks);
        }
        self.polished = false;
        let ended = self.descend(tolerance, ROUND_STEPS, stop);
        if reduce::merge(&self.descent.columns, &mut self.present) {
            self.present.evaluate(self.instance, &mut self.descent.losses);
        }
        self.keep();
        if ended == Ended::Stopped { Round::Stopped } else { Round::Improved }
    }

    /// A neuron more, then the least useful one less; kept if that is better.
    fn exchange(&mut self, found: Vec<Neuron>, stop: &(dyn Fn() -> bool + Sync)) -> Round {
        if !self.polished && !self.polish(stop) {
            return Round::Stopped;
        }
        if self.cap == 0 || self.failures >= EXCHANGES {
            return Round::Exhausted;
        }
        let before = self.present.clone();
        let pick = self.failures.min(found.len() - 1);
        let neuron = found[pick].clone();
        self.insert(neuron.u, neuron.b, neuron.kinks);
        if self.descend(ROUGH_RESIDUAL, ROUND_STEPS, stop) == Ended::Stopped {
            self.present = before;
            return Round::Stopped;
        }
        while self.present.units.len() > self.cap {
            self.remove_least();
        }
        let ended = self.descend(ROUGH_RESIDUAL, ROUND_STEPS, stop);
        if self.present.value < before.value - 1e-9 * before.value.abs() {
            (self.failures, self.polished) = (0, false);
            self.keep();
            return if ended == Ended::Stopped { Round::Stopped } else { Round::Improved };
        }
        self.failures += 1;
        self.present = before;
        if ended == Ended::Stopped { Round::Stopped } else { Round::Improved }
    }

    /// Takes out the neuron without which the value is smallest.
    fn remove_least(&mut self) {
        let without = |search: &mut Search, j: usize| {
            let mut less = search.present.clone();
            less.units.remove(j);
            less.evaluate(search.instance, &mut search.descent.losses);
            less
        };
        let candidates: Vec<Units> = (0..self.present.units.len()).map(|j| without(self, j)).collect();
        if let Some(best) = candidates.into_iter().min_by(|a, b| a.value.total_cmp(&b.value)) {
            self.present = best;
        }
    }

    /// Adds `b relu(r u·x)` with the best r. Whether that lowers the value.
    fn insert(&mut self, u: Vec<f64>, b: Vec<f64>, kinks: Kinks) -> bool {
        let instance = self.instance;
        let unit = Unit::new(&self.descent.columns, u, b, kinks);
        let outputs = instance.outputs;
        let mut direction = vec![0.0; self.present.z.len()];
        add_unit(&mut direction, &unit.t, &unit.b);
        let mut blocks = vec![0.0; self.present.z.len() * outputs];
        let mut alpha = vec![0.0; self.present.z.len()];
        let losses = &mut self.descent.losses;
        let (mut r, mut z) = (0.0f64, self.present.z.clone());
        for _ in 0..8 {
            losses.alpha(&z, &mut alpha);
            losses.curvature(&mut blocks);
            let slope = instance.beta - dot(&alpha, &direction);
            let mut second = 0.0;
            for (d, h) in direction.chunks_exact(outputs).zip(blocks.chunks_exact(outputs * outputs)) {
                for (own, row) in d.iter().zip(h.chunks_exact(outputs)) {
                    second += own * dot(row, d);
                }
            }
            let next = if second > 0.0 { (r - slope / second).max(0.1 * r) } else { 2.0 * r + 1.0 };
            let done = (next - r).abs() <= 1e-3 * next;
            r = next;
            z.iter_mut().zip(&self.present.z).zip(&direction).for_each(|((z, z0), d)| *z = z0 + r * d);
            if done {
                break;
            }
        }
        let before = losses.value(&self.present.z);
        for _ in 0..20 {
            z.iter_mut().zip(&self.present.z).zip(&direction).for_each(|((z, z0), d)| *z = z0 + r * d);
            if r > 0.0 && losses.value(&z) + instance.beta * r < before {
                let mut unit = unit;
                unit.v.iter_mut().for_each(|v| *v *= r);
                unit.t.iter_mut().for_each(|t| *t *= r);
                self.present.units.push(unit);
                self.present.evaluate(instance, losses);
                self.added += 1;
                return true;
            }
            r *= 0.3;
        }
        false
    }

    /// Minimises the smooth losses plus penalty, then moves the centres of proximal ones.
    fn descend(&mut self, tolerance: f64, steps: usize, stop: &(dyn Fn() -> bool + Sync)) -> Ended {
        let mut ended = self.minimise(tolerance, steps, stop);
        if !self.descent.losses.is_proximal() {
            return ended;
        }
        for _ in 0..ROUND_CENTRES {
            let moved = self.descent.losses.recentre(&self.present.z);
            self.descent.losses.sharpen(0.5);
            if ended == Ended::Stopped || moved <= 1e-3 * tolerance * self.present.value.abs() {
                break;
            }
            ended = self.minimise(tolerance, steps, stop);
        }
        self.present.evaluate(self.instance, &mut self.descent.losses);
        ended
    }

    /// Newton's method, or where its steps would take too long L-BFGS.
    fn minimise(&mut self, tolerance: f64, steps: usize, stop: &(dyn Fn() -> bool + Sync)) -> Ended {
        if self.newton_work() <= LARGEST_NEWTON {
            return self.descent.run(&mut self.present, tolerance, steps, &|| stop());
        }
        let Descent { columns, losses, parallel, .. } = &mut self.descent;
        self.present.evaluate(self.instance, losses);
        sliding::slide(self.instance, columns, losses, &mut self.present, SLIDES * steps, *parallel, &|| stop());
        self.descent.look(&self.present);
        if stop() { Ended::Stopped } else { Ended::Stalled }
    }

    /// Floating-point operations of one of Newton's steps, about.
    fn newton_work(&self) -> f64 {
        let (units, rows) = (self.present.units.len() as f64, self.descent.columns.rows as f64);
        let (d, outputs) = (self.descent.columns.dimension as f64, self.instance.outputs as f64);
        let own = d + if outputs > 1.0 { outputs } else { 0.0 };
        units * units * rows * own * own / 2.0 + (units * own).powi(3) / 3.0
    }

    /// Descends as far as `f64` allows, with as few neurons as possible. `false` if told to stop.
    fn polish(&mut self, stop: &(dyn Fn() -> bool + Sync)) -> bool {
        for _ in 0..4 {
            if !self.settle(stop) {
                return false;
            }
            let mut fewer = self.present.clone();
            let mut reduced = reduce::merge(&self.descent.columns, &mut fewer);
            fewer.evaluate(self.instance, &mut self.descent.losses);
            while fewer.units.len() > 1 && reduce::thin(&self.descent.columns, &mut fewer) {
                reduced = true;
                fewer.evaluate(self.instance, &mut self.descent.losses);
            }
            if !reduced || !(fewer.value <= self.present.value + 1e-11 * self.present.value.abs()) {
                break;
            }
            self.present = fewer;
        }
        self.polished = true;
        self.keep();
        true
    }

    /// Descends as far as `f64` allows. `false` if told to stop.
    fn settle(&mut self, stop: &(dyn Fn() -> bool + Sync)) -> bool {
        for _ in 0..CENTRES {
            let ended = self.minimise(FINE_RESIDUAL, POLISH_STEPS, stop);
            if ended == Ended::Stopped {
                self.keep();
                return false;
            }
            if !self.descent.losses.is_proximal() {
                break;
            }
            let moved = self.descent.losses.recentre(&self.present.z);
            self.present.evaluate(self.instance, &mut self.descent.losses);
            if moved <= 1e-13 * self.present.value.abs() {
                break;
            }
            self.descent.losses.sharpen(0.3);
            self.present.evaluate(self.instance, &mut self.descent.losses);
        }
        true
    }

    /// Keeps the present network if it is the best.
    fn keep(&mut self) {
        let value = self.descent.losses.true_value(&self.present.z) + self.present.penalty(self.instance);
        if value < self.best_value {
            (self.best, self.best_value) = (self.present.net(), value);
        }
    }
}
