//! L-BFGS on all weights (W, A, c) in the usual form, for networks too large for Newton's system.
//!
//! The objective is smooth but for kinks; with the weak Wolfe conditions L-BFGS gets along with these (Lewis & Overton, *Nonsmooth optimization
//! via quasi-Newton methods*, Math. Program. 2013, Algorithm 2.6 for the line search), though it may end short of a stationary point. Two-loop
//! recursion: Nocedal & Wright, *Numerical Optimization*, 2006, Algorithm 7.4. Invariant: the value falls with every step.

use std::collections::VecDeque;

use infimum_problem::Intercept;
use rayon::prelude::*;

use super::columns::{Columns, add_scaled, dot, moved, norm, where_active};
use super::descent::{pull_of, sigma_of};
use super::point_losses::PointLosses;
use super::units::{Units, add_unit};
use crate::{Instance, Net};

/// Pairs of changes kept.
const MEMORY: usize = 12;
/// Share of the predicted decrease that a step has to bring.
const SUFFICIENT: f64 = 1e-4;
/// Share of the slope that a step may leave.
const CURVATURE: f64 = 0.9;
/// Trials of a line search.
const LINE_TRIALS: usize = 30;
/// Relative decrease over the memory's length below which nothing more is expected.
const STALE: f64 = 1e-9;
/// Number of products above which units are computed in parallel.
const PARALLEL: usize = 1_000_000;

/// The objective over (W, A, c) of a fixed width.
struct Objective<'s, 'a> {
    instance: &'a Instance<'a>,
    columns: &'s Columns,
    losses: &'s mut PointLosses<'a>,
    width: usize,
    parallel: bool,
    z: Vec<f64>,
    alpha: Vec<f64>,
    t: Vec<Vec<f64>>,
}

impl Objective<'_, '_> {
    /// Value at x, leaving outputs behind for `gradient`.
    fn value(&mut self, x: &[f64]) -> f64 {
        let (d, outputs, width) = (self.columns.dimension, self.instance.outputs, self.width);
        let (hidden, rest) = x.split_at(width * d);
        let (output, c) = rest.split_at(width * outputs);
        let project = |(t, w): (&mut Vec<f64>, &[f64])| self.columns.project(w, t);
        if self.parallel && width * self.columns.rows * d > PARALLEL {
            self.t.par_iter_mut().zip(hidden.par_chunks_exact(d)).for_each(project);
        } else {
            self.t.iter_mut().zip(hidden.chunks_exact(d)).for_each(project);
        }
        self.z.chunks_exact_mut(outputs).for_each(|z| z.copy_from_slice(c));
        for (t, a) in self.t.iter().zip(output.chunks_exact(outputs)) {
            add_unit(&mut self.z, t, a);
        }
        let decay = if self.instance.output_bias == Intercept::Penalized { dot(c, c) } else { 0.0 };
        self.losses.value(&self.z) + 0.5 * self.instance.beta * (dot(hidden, hidden) + dot(output, output) + decay)
    }

    /// Gradient at the x of the last `value`.
    fn gradient(&mut self, x: &[f64], g: &mut [f64]) {
        let (d, outputs, width) = (self.columns.dimension, self.instance.outputs, self.width);
        self.losses.alpha(&self.z, &mut self.alpha);
        g.iter_mut().zip(x).for_each(|(g, x)| *g = self.instance.beta * x);
        let output = &x[width * d..width * (d + outputs)];
        let (hidden_g, rest) = g.split_at_mut(width * d);
        let (output_g, bias_g) = rest.split_at_mut(width * outputs);
        let (alpha, columns) = (&self.alpha, self.columns);
        if self.parallel && width * columns.rows * d > PARALLEL {
            (self.t.par_iter().zip(output.par_chunks_exact(outputs)))
                .zip(hidden_g.par_chunks_exact_mut(d))
                .zip(output_g.par_chunks_exact_mut(outputs))
                .for_each(|(((t, a), g), own)| unit_gradient(columns, alpha, t, a, g, own));
        } else {
            (self.t.iter().zip(output.chunks_exact(outputs)))
                .zip(hidden_g.chunks_exact_mut(d))
                .zip(output_g.chunks_exact_mut(outputs))
                .for_each(|(((t, a), g), own)| unit_gradient(columns, alpha, t, a, g, own));
        }
        match self.instance.output_bias {
            Intercept::None => bias_g.fill(0.0),
            bias => {
                if bias == Intercept::Free {
                    bias_g.fill(0.0);
                }
                for a in alpha.chunks_exact(outputs) {
                    bias_g.iter_mut().zip(a).for_each(|(g, a)| *g -= a);
                }
            }
        }
    }
}

/// Subtracts from the gradients of a unit's w and a what the losses give.
fn unit_gradient(columns: &Columns, alpha: &[f64], t: &[f64], a: &[f64], g: &mut [f64], own: &mut [f64]) {
    let mut weights = vec![0.0; t.len()];
    let mut pull = vec![0.0; g.len()];
    where_active(&sigma_of(alpha, a), 1.0, t, &mut weights);
    columns.pull(&weights, &mut pull);
    add_scaled(&pull, -1.0, g);
    own.iter_mut().zip(pull_of(alpha, t, a.len())).for_each(|(g, pull)| *g -= pull);
}

/// Minimises from `net` in at most `steps` steps. The result is no worse.
pub(super) fn slide<'a>(
    instance: &'a Instance<'a>,
    columns: &Columns,
    losses: &mut PointLosses<'a>,
    net: &mut Units,
    steps: usize,
    parallel: bool,
    stop: &dyn Fn() -> bool,
) {
    let start = net.net();
    let (d, outputs) = (columns.dimension, instance.outputs);
    let width = start.output.len() / outputs;
    if d == 0 {
        return;
    }
    let mut x: Vec<f64> = [&start.hidden[..], &start.output, &start.biases].concat();
    let mut objective = Objective {
        instance,
        columns,
        losses,
        width,
        parallel,
        z: vec![0.0; net.z.len()],
        alpha: vec![0.0; net.z.len()],
        t: vec![vec![0.0; columns.rows]; width],
    };
    let (mut value, mut g) = (objective.value(&x), vec![0.0; x.len()]);
    objective.gradient(&x, &mut g);
    let mut pairs: VecDeque<(Vec<f64>, Vec<f64>, f64)> = VecDeque::new();
    let mut past = VecDeque::from([value]);
    for _ in 0..steps {
        if stop() {
            break;
        }
        let mut direction = recursion(&pairs, &g);
        let mut slope = -dot(&direction, &g);
        if !(slope < 0.0) {
            pairs.clear();
            direction = g.clone();
            slope = -dot(&g, &g);
        }
        let first = if pairs.is_empty() {
            (0.1 * value.abs() / -slope).min(1.0 / norm(&g).max(f64::MIN_POSITIVE))
        } else {
            1.0
        };
        let before = g.clone();
        let start = Start { x: &x, direction: &direction, value, slope };
        let Some((step, new)) = line_search(&mut objective, &start, first, &mut g) else {
            g = before;
            if pairs.is_empty() {
                break;
            }
            pairs.clear();
            continue;
        };
        let change: Vec<f64> = direction.iter().map(|d| -step * d).collect();
        add_scaled(&change, 1.0, &mut x);
        value = new;
        let y: Vec<f64> = g.iter().zip(&before).map(|(now, before)| now - before).collect();
        let product = dot(&change, &y);
        if product > 1e-12 * norm(&change) * norm(&y) {
            pairs.push_back((change, y, product));
        }
        if pairs.len() > MEMORY {
            pairs.pop_front();
        }
        past.push_back(value);
        if past.len() > MEMORY && past.pop_front().is_some_and(|old| old - value <= STALE * value.abs()) {
            break;
        }
    }
    let (hidden, rest) = x.split_at(width * d);
    let (output, biases) = rest.split_at(width * outputs);
    let end = Net { hidden: hidden.to_vec(), output: output.to_vec(), biases: biases.to_vec() };
    let mut moved = Units::from_net(instance, columns, &end);
    moved.evaluate(instance, losses);
    if moved.value <= net.value {
        *net = moved;
    }
}

/// Where a line begins; it goes along −direction.
struct Start<'x> {
    x: &'x [f64],
    direction: &'x [f64],
    value: f64,
    /// Negative.
    slope: f64,
}

/// A step that meets the weak Wolfe conditions, or the last one that lowered the value enough; the gradient there is left in `g`.
fn line_search(objective: &mut Objective, start: &Start, first: f64, g: &mut [f64]) -> Option<(f64, f64)> {
    let mut trial = vec![0.0; start.x.len()];
    let (mut low, mut high) = (0.0, f64::INFINITY);
    let mut step = first;
    let mut lower = None;
    for _ in 0..LINE_TRIALS {
        moved(start.x, -step, start.direction, &mut trial);
        let value = objective.value(&trial);
        if value <= start.value + SUFFICIENT * step * start.slope && value < start.value {
            objective.gradient(&trial, g);
            lower = Some((step, value));
            if -dot(g, start.direction) >= CURVATURE * start.slope {
                return lower;
            }
            low = step;
        } else {
            high = step;
        }
        step = if high.is_finite() { 0.5 * (low + high) } else { 2.0 * low };
    }
    let (step, _) = lower?;
    moved(start.x, -step, start.direction, &mut trial);
    objective.value(&trial);
    objective.gradient(&trial, g);
    lower
}

/// The two-loop recursion: the approximate inverse Hessian times the gradient.
fn recursion(pairs: &VecDeque<(Vec<f64>, Vec<f64>, f64)>, g: &[f64]) -> Vec<f64> {
    let mut direction = g.to_vec();
    let mut coefficients = Vec::with_capacity(pairs.len());
    for (s, y, product) in pairs.iter().rev() {
        let coefficient = dot(s, &direction) / product;
        add_scaled(y, -coefficient, &mut direction);
        coefficients.push(coefficient);
    }
    if let Some((_, y, product)) = pairs.back() {
        let scale = product / dot(y, y);
        direction.iter_mut().for_each(|d| *d *= scale);
    }
    for ((s, y, product), coefficient) in pairs.iter().zip(coefficients.into_iter().rev()) {
        let correction = coefficient - dot(y, &direction) / product;
        add_scaled(s, correction, &mut direction);
    }
    direction
}
