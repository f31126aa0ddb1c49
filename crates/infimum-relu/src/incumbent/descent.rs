//! Newton's method on all weights at once, with kinks as equalities.
//!
//! A step solves the second-order model of [`super::system`] on the kinks that the units lie on. It is taken in one of two ways,
//! whichever ends lower: straight on, through kinks, to a minimum along the line (and onto the kink where that minimum is one); or bent,
//! where a unit follows the convex kinks that it meets. Kinks are left when the subgradient of smallest norm is mostly outside of them
//! ([`super::kinks`]). Invariants: the value never rises by more than rounding; `t = 0` exactly on a unit's kinks.

use infimum_convex::Cholesky;
use infimum_problem::Intercept;

use super::columns::{Columns, dot, moved, norm, where_active};
use super::kinks::{Multipliers, bend};
use super::point_losses::PointLosses;
use super::system::{Coordinates, Direction, Parts};
use super::units::{Unit, Units, add_unit};
use crate::Instance;

/// Where a row stands that has just left a kink; far below every outcome of a product, and its products are no zeros.
const BESIDE: f64 = 1e-150;
/// Relative rounding error that values may have.
const NOISE: f64 = 4e-14;
/// Share of a unit that one step leaves of it at least.
const SHRINK: f64 = 0.02;
/// Trials of a search along a line.
const TRIALS: usize = 24;
/// Steps without progress after which a point is as stationary as it gets.
const PATIENCE: usize = 6;

/// How a descent ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// The subgradient of smallest norm is below the tolerance.
    Stationary,
    /// Rounding does not allow more.
    Stalled,
    /// The steps allowed were not enough.
    Unfinished,
    /// Told to stop.
    Stopped,
}

/// The problem and what is known of it at the present point.
pub(super) struct Descent<'a> {
    pub(super) instance: &'a Instance<'a>,
    pub(super) columns: Columns,
    pub(super) losses: PointLosses<'a>,
    /// α at the points, M × K, of the last point looked at.
    pub(super) alpha: Vec<f64>,
    blocks: Vec<f64>,
    trial: Vec<f64>,
    pub(super) parallel: bool,
    /// Damping relative to the diagonal.
    damping: f64,
    /// Subgradient of smallest norm, relative, at the last point looked at.
    pub(super) residual: f64,
}

/// First-order quantities at a point.
pub(super) struct Slopes {
    /// b·α of each unit.
    sigma: Vec<Vec<f64>>,
    /// Gradient of v of each unit on its active rows.
    gradients: Vec<Vec<f64>>,
    /// Φ of each unit.
    pulls: Vec<Vec<f64>>,
    bias: Vec<f64>,
}

/// A unit's σ.
pub(super) fn sigma_of(alpha: &[f64], b: &[f64]) -> Vec<f64> {
    match b {
        [b] => alpha.iter().map(|a| a * b).collect(),
        _ => alpha.chunks_exact(b.len()).map(|a| dot(a, b)).collect(),
    }
}

/// `Σ_p α_p relu(t_p) ∈ R^K`.
pub(super) fn pull_of(alpha: &[f64], t: &[f64], outputs: usize) -> Vec<f64> {
    let mut pull = vec![0.0; outputs];
    for (a, &t) in alpha.chunks_exact(outputs).zip(t) {
        if t > 0.0 {
            pull.iter_mut().zip(a).for_each(|(pull, a)| *pull += a * t);
        }
    }
    pull
}

impl<'a> Descent<'a> {
    pub(super) fn new(instance: &'a Instance<'a>, parallel: bool) -> Descent<'a> {
        let (points, outputs) = (instance.points.len(), instance.outputs);
        Descent {
            instance,
            columns: Columns::new(&instance.points),
            losses: PointLosses::new(instance),
            alpha: vec![0.0; points * outputs],
            blocks: vec![0.0; points * outputs * outputs],
            trial: vec![0.0; points * outputs],
            parallel,
            damping: 1e-9,
            residual: f64::INFINITY,
        }
    }

    /// Steps until the relative residual is at most `tolerance`.
    pub(super) fn run(&mut self, net: &mut Units, tolerance: f64, steps: usize, stop: &dyn Fn() -> bool) -> Ended {
        net.evaluate(self.instance, &mut self.losses);
        self.damping = 1e-9;
        let (mut best, mut idle) = (f64::INFINITY, 0);
        for _ in 0..steps {
            if stop() {
                return Ended::Stopped;
            }
            let before = net.value;
            if !self.step(net, tolerance) {
                return if self.residual <= tolerance { Ended::Stationary } else { Ended::Stalled };
            }
            let progress = net.value < before - 1e-13 * before.abs() || self.residual < 0.5 * best;
            best = best.min(self.residual);
            idle = if progress { 0 } else { idle + 1 };
            if idle > PATIENCE {
                return Ended::Stalled;
            }
        }
        Ended::Unfinished
    }

    /// The first-order quantities; `alpha` and the curvature are those of the point.
    fn slopes(&mut self, net: &Units) -> Slopes {
        self.losses.alpha(&net.z, &mut self.alpha);
        let mut weights = vec![0.0; self.columns.rows];
        let mut slopes = Slopes { sigma: Vec::new(), gradients: Vec::new(), pulls: Vec::new(), bias: Vec::new() };
        for unit in &net.units {
            let sigma = sigma_of(&self.alpha, &unit.b);
            slopes.gradients.push(self.gradient(unit, &sigma, &mut weights));
            slopes.pulls.push(pull_of(&self.alpha, &unit.t, self.instance.outputs));
            slopes.sigma.push(sigma);
        }
        let decay = if self.instance.output_bias == Intercept::Penalized { self.instance.beta } else { 0.0 };
        slopes.bias = net.c.iter().map(|c| decay * c).collect();
        if self.instance.output_bias == Intercept::None {
            return slopes;
        }
        for a in self.alpha.chunks_exact(self.instance.outputs) {
            slopes.bias.iter_mut().zip(a).for_each(|(sum, a)| *sum -= a);
        }
        slopes
    }

    fn gradient(&self, unit: &Unit, sigma: &[f64], weights: &mut [f64]) -> Vec<f64> {
        let mut gradient = vec![0.0; unit.v.len()];
        where_active(sigma, 1.0, &unit.t, weights);
        self.columns.pull(weights, &mut gradient);
        let factor = self.instance.beta / norm(&unit.v);
        gradient.iter_mut().zip(&unit.v).for_each(|(g, v)| *g = factor * v - *g);
        gradient
    }

    /// What residuals are relative to: β for units, and Σ|α| for the bias.
    fn scales(&self) -> (f64, f64) {
        let outputs = self.instance.outputs;
        let (mut plain, mut weighted) = (0.0, 0.0);
        for (a, x) in self.alpha.chunks_exact(outputs).zip(&self.columns.norms) {
            let size = norm(a);
            (plain, weighted) = (plain + size, weighted + size * x);
        }
        let unit = if self.instance.beta > 0.0 { self.instance.beta } else { weighted };
        (unit.max(f64::MIN_POSITIVE), plain.max(f64::MIN_POSITIVE))
    }

    /// First-order quantities and multipliers at a point, and its residual.
    pub(super) fn look(&mut self, net: &Units) -> (Slopes, Vec<Multipliers>) {
        let slopes = self.slopes(net);
        let (unit_scale, bias_scale) = self.scales();
        let multipliers: Vec<Multipliers> = net
            .units
            .iter()
            .zip(&slopes.gradients)
            .zip(&slopes.sigma)
            .map(|((unit, g), sigma)| unit.kinks.multipliers(&self.columns, g, sigma))
            .collect();
        self.residual = norm(&slopes.bias) / bias_scale;
        for (j, unit) in net.units.iter().enumerate() {
            let own = norm(&multipliers[j].residual);
            let mut turning = slopes.pulls[j].clone();
            let share = dot(&turning, &unit.b);
            turning.iter_mut().zip(&unit.b).for_each(|(turning, b)| *turning -= share * b);
            let turning = norm(&turning) / (unit_scale * norm(&unit.v));
            self.residual = self.residual.max(own / unit_scale).max(turning);
        }
        (slopes, multipliers)
    }

    /// One step. `false` if the point is stationary to the tolerance or no step lowers the value.
    fn step(&mut self, net: &mut Units, tolerance: f64) -> bool {
        let (mut slopes, multipliers) = self.look(net);
        if self.residual <= tolerance {
            return false;
        }
        let outside: f64 = multipliers.iter().map(|own| dot(&own.residual, &own.residual)).sum();
        let inside = |(unit, g): (&Unit, &Vec<f64>)| {
            let mut face = g.clone();
            unit.kinks.project(&mut face);
            dot(&face, &face)
        };
        let inside: f64 = net.units.iter().zip(&slopes.gradients).map(inside).sum();
        if outside > 4.0 * inside {
            self.leave(net, &multipliers, &mut slopes);
        }
        self.losses.curvature(&mut self.blocks);
        let coordinates = Coordinates::new(self.instance, &self.columns, net);
        let parts = Parts {
            instance: self.instance,
            columns: &self.columns,
            alpha: &self.alpha,
            blocks: &self.blocks,
            gradients: &slopes.gradients,
            pulls: &slopes.pulls,
            bias_gradient: &slopes.bias,
            parallel: self.parallel,
        };
        let right = coordinates.descent(net, &parts);
        let matrix = coordinates.matrix(net, &parts);
        let metric = coordinates.metric(net, &parts);
        let mut damping = self.damping;
        while damping < 1e9 {
            let mut damped = matrix.clone();
            metric.iter().enumerate().for_each(|(e, metric)| damped[(e, e)] += damping * metric);
            let values = Cholesky::new(damped, damping).map(|factor| {
                let mut values = right.clone();
                factor.solve(&mut values);
                values
            });
            if let Some(values) = values {
                let slope = -dot(&values, &right);
                let direction = coordinates.direction(net, &values);
                if slope < 0.0 && slope.is_finite() && self.advance(net, &direction, &slopes, slope) {
                    self.damping = (damping * 0.1).max(1e-12);
                    return true;
                }
            }
            damping = (damping * 100.0).max(1e-8);
        }
        self.steepest(net, &multipliers, &slopes)
    }

    /// Lets units leave the kinks that hold them no longer.
    fn leave(&self, net: &mut Units, multipliers: &[Multipliers], slopes: &mut Slopes) {
        let mut weights = vec![0.0; self.columns.rows];
        for (j, (unit, multipliers)) in net.units.iter_mut().zip(multipliers).enumerate() {
            if multipliers.sides.iter().all(|&side| side == 0) {
                continue;
            }
            for (&p, &side) in unit.kinks.rows.iter().zip(&multipliers.sides) {
                unit.t[p as usize] = f64::from(side) * BESIDE;
            }
            unit.kinks.retain(&self.columns, |e| multipliers.sides[e] == 0);
            slopes.gradients[j] = self.gradient(unit, &slopes.sigma[j], &mut weights);
        }
    }

    /// Goes along the direction, straight or bent, if that lowers the value.
    fn advance(&mut self, net: &mut Units, direction: &Direction, slopes: &Slopes, slope: f64) -> bool {
        let speeds: Vec<Vec<f64>> = (direction.v.iter())
            .map(|v| {
                let mut speed = vec![0.0; self.columns.rows];
                self.columns.project(v, &mut speed);
                speed
            })
            .collect();
        let line =
            Line { net, direction, speeds: &speeds, sigma: &slopes.sigma, slope, longest: longest(net, direction) };
        let straight = self.search(&line);
        let crossing = line.crossings(0.0, line.longest.min(1.0)).0 > 0;
        let bent = if crossing && straight.as_ref().is_none_or(|s| s.kink.is_some() || s.time < 1.0) {
            self.bent(&line)
        } else {
            None
        };
        let before = net.value;
        let moved = match (straight, bent) {
            (Some(straight), Some(bent)) if bent.value >= straight.value => line.end(&self.columns, &straight),
            (_, Some(bent)) => bent,
            (Some(straight), None) => line.end(&self.columns, &straight),
            (None, None) => return false,
        };
        let mut moved = moved;
        moved.evaluate(self.instance, &mut self.losses);
        if !(moved.value <= before + NOISE * before.abs()) {
            return false;
        }
        self.drop_small(&mut moved, Some(net));
        *net = moved;
        true
    }

    /// Takes out units that have nearly vanished, if the value does not rise. Whether there were any.
    pub(super) fn drop_small(&mut self, net: &mut Units, before: Option<&Units>) -> bool {
        let largest = net.units.iter().map(|unit| norm(&unit.v)).fold(0.0, f64::max);
        let mut dropped = false;
        let old: Vec<f64> = before.map_or_else(Vec::new, |net| net.units.iter().map(|unit| norm(&unit.v)).collect());
        for j in (0..net.units.len()).rev() {
            let size = norm(&net.units[j].v);
            let shrunk = old.get(j).is_some_and(|old| size < 0.1 * old);
            if !(shrunk || size < 1e-3 * largest) {
                continue;
            }
            let mut less = net.clone();
            less.units.remove(j);
            less.evaluate(self.instance, &mut self.losses);
            if less.value <= net.value {
                *net = less;
                dropped = true;
            }
        }
        dropped
    }

    /// Value and slope at a time of a line.
    fn along(&mut self, line: &Line, time: f64) -> (f64, f64) {
        let outputs = self.instance.outputs;
        let c: Vec<f64> = line.net.c.iter().zip(&line.direction.c).map(|(c, d)| c + time * d).collect();
        self.trial.chunks_exact_mut(outputs).for_each(|z| z.copy_from_slice(&c));
        let turned: Vec<(Vec<f64>, Vec<f64>)> = (0..line.net.units.len()).map(|j| line.turned(j, time)).collect();
        let mut t = vec![0.0; self.columns.rows];
        for (j, (b, _)) in turned.iter().enumerate() {
            line.position(j, time, &mut t);
            add_unit(&mut self.trial, &t, b);
        }
        let mut trial = std::mem::take(&mut self.trial);
        let mut value = self.losses.value(&trial);
        let mut alpha = std::mem::take(&mut self.alpha);
        self.losses.alpha(&trial, &mut alpha);
        let beta = self.instance.beta;
        let mut slope = 0.0;
        if self.instance.output_bias != Intercept::None {
            for a in alpha.chunks_exact(outputs) {
                slope -= dot(a, &line.direction.c);
            }
            if self.instance.output_bias == Intercept::Penalized {
                value += 0.5 * beta * dot(&c, &c);
                slope += beta * dot(&c, &line.direction.c);
            }
        }
        for (j, (b, turning)) in turned.iter().enumerate() {
            line.position(j, time, &mut t);
            slope -= active_product(&alpha, &line.speeds[j], &t, b);
            if outputs > 1 {
                slope -= dot(&pull_of(&alpha, &t, outputs), turning);
            }
            let (v, d) = (&line.net.units[j].v, &line.direction.v[j]);
            let (size, product) = (v.iter().zip(d)).fold((0.0, 0.0), |(size, product), (v, d)| {
                let v = v + time * d;
                (size + v * v, product + v * d)
            });
            let size = f64::sqrt(size);
            value += beta * size;
            if size > 0.0 {
                slope += beta * product / size;
            }
        }
        std::mem::swap(&mut self.alpha, &mut alpha);
        std::mem::swap(&mut self.trial, &mut trial);
        (value, slope)
    }

    /// A time with a lower value at which the slope has nearly vanished or changes its sign at a kink.
    fn search(&mut self, line: &Line) -> Option<Stop> {
        let before = line.net.value;
        let noise = NOISE * before.abs();
        let (mut low, mut value_low) = (0.0, before);
        let mut high: Option<f64> = None;
        let mut time = line.longest.min(1.0);
        for _ in 0..TRIALS {
            let (value, slope) = self.along(line, time);
            if !(value <= value_low + noise) || !slope.is_finite() {
                high = Some(time);
            } else if slope.abs() <= 0.2 * line.slope.abs() {
                return Some(Stop { time, value, kink: None });
            } else if slope < 0.0 {
                (low, value_low) = (time, value);
                if time >= line.longest {
                    return Some(Stop { time, value, kink: None });
                }
            } else {
                high = Some(time);
            }
            let Some(end) = high else {
                time = (2.0 * time).min(line.longest);
                continue;
            };
            let (count, first) = line.crossings(low, end);
            time = 0.5 * (low + end);
            if count != 1 {
                continue;
            }
            let Some((crossing, j, p)) = first else {
                continue;
            };
            let (value, slope) = self.along(line, crossing);
            // The slopes before and after: the row itself may be counted on either side of its kink.
            let speed = line.speeds[j][p];
            let (b, _) = line.turned(j, crossing);
            let outputs = b.len();
            let jump = dot(&self.trial_alpha(p, outputs), &b) * speed;
            let counted = line.net.units[j].t[p] + crossing * speed > 0.0;
            let without = if counted { slope + jump } else { slope };
            let with = without - jump;
            let (left, right) = if speed > 0.0 { (without, with) } else { (with, without) };
            if !(value <= value_low + noise) || left > 0.0 {
                high = Some(crossing);
                time = 0.5 * (low + crossing);
            } else if right < 0.0 {
                (low, value_low) = (crossing, value);
                time = 0.5 * (crossing + end);
                // The crossing itself must not be found again.
                low = low.next_up();
            } else {
                return Some(Stop { time: crossing, value, kink: Some((j, p)) });
            }
        }
        (low > 0.0 && value_low < before).then_some(Stop { time: low, value: value_low, kink: None })
    }

    /// α of point p at the last trial.
    fn trial_alpha(&self, p: usize, outputs: usize) -> Vec<f64> {
        self.alpha[p * outputs..(p + 1) * outputs].to_vec()
    }

    /// The end of the bent way, if it is lower.
    fn bent(&mut self, line: &Line) -> Option<Units> {
        let mut time = line.longest.min(1.0);
        for _ in 0..3 {
            let mut moved = line.net.clone();
            for (j, unit) in moved.units.iter_mut().enumerate() {
                let mut direction = line.direction.v[j].clone();
                bend(&self.columns, &mut unit.v, &mut unit.t, &mut direction, &line.sigma[j], &mut unit.kinks, time);
                unit.refresh(&self.columns);
                unit.b = line.turned(j, time).0;
            }
            moved.c.iter_mut().zip(&line.direction.c).for_each(|(c, d)| *c += time * d);
            moved.units.retain(|unit| norm(&unit.v) > 0.0);
            moved.evaluate(self.instance, &mut self.losses);
            if moved.value <= line.net.value + 1e-4 * time * line.slope {
                return Some(moved);
            }
            time *= 0.3;
        }
        None
    }

    /// Along the subgradients of smallest norm, each unit in its own measure.
    fn steepest(&mut self, net: &mut Units, multipliers: &[Multipliers], slopes: &Slopes) -> bool {
        let mut direction = Direction { v: Vec::new(), b: Vec::new(), c: Vec::new() };
        let mut slope = 0.0;
        let mass: f64 = self.blocks.iter().step_by(self.instance.outputs + 1).sum::<f64>().max(f64::MIN_POSITIVE);
        for (j, unit) in net.units.iter().enumerate() {
            let mut weights = vec![0.0; self.columns.rows];
            where_active(&self.columns.norms, 1.0, &unit.t, &mut weights);
            let curvature =
                dot(&weights, &weights) * mass / self.columns.rows as f64 + self.instance.beta / norm(&unit.v);
            let step = 1.0 / curvature.max(f64::MIN_POSITIVE);
            slope -= step * dot(&multipliers[j].residual, &multipliers[j].residual);
            direction.v.push(multipliers[j].residual.iter().map(|r| -step * r).collect());
            direction.b.push(vec![0.0; unit.b.len()]);
        }
        direction.c = slopes.bias.iter().map(|g| -g / mass).collect();
        slope -= dot(&slopes.bias, &slopes.bias) / mass;
        for _ in 0..6 {
            if self.advance(net, &direction, slopes, slope) {
                return true;
            }
            direction.v.iter_mut().flatten().chain(&mut direction.c).for_each(|d| *d *= 0.03);
            slope *= 0.03;
        }
        false
    }
}

/// `Σ_p [t_p > 0] (α_p·b) speed_p`.
fn active_product(alpha: &[f64], speed: &[f64], t: &[f64], b: &[f64]) -> f64 {
    let mut weights = vec![0.0; t.len()];
    where_active(speed, 1.0, t, &mut weights);
    match b {
        [b] => b * dot(alpha, &weights),
        _ => alpha.chunks_exact(b.len()).zip(&weights).map(|(a, w)| w * dot(a, b)).sum(),
    }
}

/// The longest time at which every unit keeps a share of itself.
fn longest(net: &Units, direction: &Direction) -> f64 {
    let limit = |(unit, d): (&Unit, &Vec<f64>)| {
        let (size, product) = (dot(&unit.v, &unit.v), dot(&unit.v, d));
        if product < 0.0 { (1.0 - SHRINK) * size / -product } else { f64::INFINITY }
    };
    net.units.iter().zip(&direction.v).map(limit).fold(64.0, f64::min)
}

/// A straight way.
struct Line<'a> {
    net: &'a Units,
    direction: &'a Direction,
    /// X·direction of each unit.
    speeds: &'a [Vec<f64>],
    sigma: &'a [Vec<f64>],
    /// Slope at its beginning.
    slope: f64,
    longest: f64,
}

/// A place on a line.
struct Stop {
    time: f64,
    value: f64,
    /// The unit and the row on whose kink it is.
    kink: Option<(usize, usize)>,
}

impl Line<'_> {
    /// t of unit j.
    fn position(&self, j: usize, time: f64, t: &mut [f64]) {
        let (start, speed) = (&self.net.units[j].t, &self.speeds[j]);
        moved(start, time, speed, t);
        self.net.units[j].kinks.rows.iter().for_each(|&p| t[p as usize] = 0.0);
    }

    /// b of unit j and its derivative.
    fn turned(&self, j: usize, time: f64) -> (Vec<f64>, Vec<f64>) {
        let (b, d) = (&self.net.units[j].b, &self.direction.b[j]);
        if b.len() == 1 {
            return (b.clone(), vec![0.0]);
        }
        let mut b: Vec<f64> = b.iter().zip(d).map(|(b, d)| b + time * d).collect();
        let size = norm(&b);
        b.iter_mut().for_each(|b| *b /= size);
        let share = dot(&b, d);
        let turning = d.iter().zip(&b).map(|(d, b)| (d - share * b) / size).collect();
        (b, turning)
    }

    /// Number of convex kinks crossed in (from, to], and the first.
    fn crossings(&self, from: f64, to: f64) -> (usize, Option<(f64, usize, usize)>) {
        let (mut count, mut first) = (0, None::<(f64, usize, usize)>);
        for (j, unit) in self.net.units.iter().enumerate() {
            for (p, ((&t, &speed), &sigma)) in unit.t.iter().zip(&self.speeds[j]).zip(&self.sigma[j]).enumerate() {
                if !(sigma < 0.0 && t * speed < 0.0) {
                    continue;
                }
                let crossing = -t / speed;
                if crossing > from && crossing <= to {
                    count += 1;
                    if first.is_none_or(|first| crossing < first.0) {
                        first = Some((crossing, j, p));
                    }
                }
            }
        }
        (count, first)
    }

    /// The network at a stop.
    fn end(&self, columns: &Columns, stop: &Stop) -> Units {
        let mut net = self.net.clone();
        for (j, unit) in net.units.iter_mut().enumerate() {
            unit.v.iter_mut().zip(&self.direction.v[j]).for_each(|(v, d)| *v += stop.time * d);
            unit.b = self.turned(j, stop.time).0;
            if let Some((own, p)) = stop.kink
                && own == j
            {
                unit.kinks.push(columns, p);
            }
            unit.kinks.project(&mut unit.v);
            unit.refresh(columns);
        }
        net.c.iter_mut().zip(&self.direction.c).for_each(|(c, d)| *c += stop.time * d);
        net
    }
}
