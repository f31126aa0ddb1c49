//! The joint moment bound without Newton's systems, for many columns: column generation over moments, one output.
//!
//! With g_i a multiple of x_i, theorem 3 is the dual of a relaxation in which a block's moments (t, u, U) are sums `Σ_k a_k (1, v_k, v_k v_kᵀ)`, a ≥ 0, ‖v_k‖ ≤ 1, and
//! `s_i` lies anywhere between max(|x_i·u|, x_iᵀUx_i/‖x_i‖) and sqrt(t·x_iᵀUx_i). For given vectors v the best a is a small convex problem (projected gradients with
//! Barzilai & Borwein's steps, Birgin, Martínez & Raydan, SIAM J. Optim. 2000); the slopes of the losses there are α, the slopes of s are multipliers τ, σ and g, and the maximiser of
//! the quadratic that they make on the ball is the next v. Every round's multipliers are a bound. Memory: a number for each row and vector, and a matrix of order D.

use infimum_problem::Intercept;

use super::blocks::dot;
use super::bound::{Multipliers, certified, quadratic, signed};
use super::objective::{Objective, Sloped};
use super::trust_region::Ball;
use super::{DualPoint, improve};
use crate::{Instance, Points};

/// Rounds, each with a vector for either sign.
const ROUNDS: usize = 150;
/// Relative accuracy to which the relaxation is solved; what is rounded off is about as much.
const ACCURACY: f64 = 5e-4;
/// Share of the mean loss by which losses with kinks are smoothed at first, and by how much less in every round.
const SMOOTHEST: f64 = 0.3;
const SHARPER: f64 = 0.9;
const SHARPEST: f64 = 1e-3;
/// Steps on the weights of a round.
const STEPS: usize = 60;
/// Values that the line search looks back to.
const MEMORY: usize = 8;
/// Share of ‖x‖t by which |x·u| is rounded off at 0, and the larger of two numbers where they are equal.
const ROUND_OFF: f64 = 1e-3;
/// Numbers of all rows beyond which g = 0: the rows would be held three times.
const MOST_NUMBERS: usize = 30_000_000;
/// Halvings of the interval in which an output is sought.
const HALVINGS: usize = 30;

/// The relaxation over the vectors so far.
struct Master<'a> {
    instance: &'a Instance<'a>,
    objective: Objective<'a>,
    norms: Vec<f64>,
    /// x_i·v_k for each vector, and the sign of its block.
    vectors: Vec<(f64, Vec<f64>)>,
    mu: f64,
}

/// What one block says of the rows.
struct Block {
    t: f64,
    line: Vec<f64>,
    square: Vec<f64>,
    low: Vec<f64>,
    high: Vec<f64>,
    /// |x·u|, rounded off, and its share in the slope of `low`; the rest is that of xᵀUx/‖x‖.
    size: Vec<f64>,
    share: Vec<f64>,
}

/// A point of the relaxation: value, gradient by a and by the bias, and the losses' slopes.
struct Place {
    value: f64,
    gradient: Vec<f64>,
    sloped: Sloped,
    blocks: [Block; 2],
}

impl Master<'_> {
    fn block(&self, weights: &[f64], sign: f64) -> Block {
        let m = self.norms.len();
        let (mut t, mut line, mut square) = (0.0, vec![0.0; m], vec![0.0; m]);
        for ((_, along), &a) in self.vectors.iter().zip(weights).filter(|((own, _), a)| *own == sign && **a > 0.0) {
            t += a;
            for ((line, square), along) in line.iter_mut().zip(&mut square).zip(along) {
                *line += a * along;
                *square += a * along * along;
            }
        }
        let (mut size, mut share, mut low, mut high) = (vec![0.0; m], vec![1.0; m], vec![0.0; m], vec![0.0; m]);
        for i in (0..m).filter(|&i| self.norms[i] > 0.0 && t > 0.0) {
            let round = ROUND_OFF * self.norms[i] * t;
            let (one, other) = (line[i].hypot(round), square[i] / self.norms[i]);
            let apart = (one - other).hypot(round);
            (size[i], share[i], low[i]) = (one, 0.5 * (1.0 + (one - other) / apart), 0.5 * (one + other + apart));
            high[i] = (t * square[i]).sqrt().max(low[i]);
        }
        Block { t, line, square, low, high, size, share }
    }

    /// At weights, the last of which is the output bias.
    fn place(&self, weights: &[f64]) -> Place {
        let (m, count) = (self.norms.len(), self.vectors.len());
        let bias = weights[count];
        let blocks = [self.block(weights, 1.0), self.block(weights, -1.0)];
        let [plus, minus] = &blocks;
        let end = |i: usize, up: bool| {
            let (one, other) = if up { (plus.high[i], minus.low[i]) } else { (plus.low[i], minus.high[i]) };
            bias + 0.5 * (plus.line[i] + one - minus.line[i] - other)
        };
        let mut low: Vec<f64> = (0..m).map(|i| end(i, false)).collect();
        let mut high: Vec<f64> = (0..m).map(|i| end(i, true)).collect();
        // −1: the output is at its lower end, 1: at its upper, 0: between them, where the loss is flat.
        let (at_low, at_high) = (self.objective.at(&low, self.mu), self.objective.at(&high, self.mu));
        let place: Vec<i8> = (0..m)
            .map(|i| match (at_low.weights[i] <= 0.0, at_high.weights[i] >= 0.0) {
                (true, _) => -1,
                (false, true) => 1,
                (false, false) => 0,
            })
            .collect();
        let mut f: Vec<f64> = (0..m).map(|i| if place[i] > 0 { high[i] } else { low[i] }).collect();
        if place.contains(&0) {
            for _ in 0..HALVINGS {
                (0..m).filter(|&i| place[i] == 0).for_each(|i| f[i] = 0.5 * (low[i] + high[i]));
                let sloped = self.objective.at(&f, self.mu);
                for i in (0..m).filter(|&i| place[i] == 0) {
                    if sloped.weights[i] > 0.0 { low[i] = f[i] } else { high[i] = f[i] }
                }
            }
        }
        let sloped = self.objective.at(&f, self.mu);
        let beta = self.instance.beta;
        let total: f64 = weights[..count].iter().sum();
        let mut value = sloped.value + beta * total;
        let mut gradient = vec![0.0; count + 1];
        // By t, line and square: what is common to all vectors of a block.
        for (block, sign) in blocks.iter().zip([1.0, -1.0]) {
            let (mut by_t, mut by_line, mut by_square) = (beta, vec![0.0; m], vec![0.0; m]);
            for i in (0..m).filter(|&i| place[i] != 0 && self.norms[i] > 0.0) {
                let slope = -0.5 * sign * sloped.weights[i];
                by_line[i] += slope;
                let is_high = (place[i] > 0) == (sign > 0.0);
                if is_high && block.high[i] > 0.0 {
                    by_t += slope * 0.5 * block.square[i] / block.high[i];
                    by_square[i] += slope * 0.5 * block.t / block.high[i];
                } else if !is_high && block.size[i] > 0.0 {
                    let own = slope * block.share[i];
                    by_line[i] += own * block.line[i] / block.size[i];
                    by_t += own * (ROUND_OFF * self.norms[i]).powi(2) * block.t / block.size[i];
                    by_square[i] += slope * (1.0 - block.share[i]) / self.norms[i];
                }
            }
            for ((own, along), gradient) in self.vectors.iter().zip(&mut gradient) {
                if *own == sign {
                    let sum = |(i, along): (usize, &f64)| along * (by_line[i] + along * by_square[i]);
                    *gradient = by_t + along.iter().enumerate().map(sum).sum::<f64>();
                }
            }
        }
        if self.instance.output_bias != Intercept::None {
            let strength = if self.instance.output_bias == Intercept::Penalized { beta } else { 0.0 };
            value += 0.5 * strength * bias * bias;
            gradient[count] = strength * bias - sloped.weights.iter().sum::<f64>();
        }
        Place { value, gradient, sloped, blocks }
    }

    /// Better weights; returns the place.
    fn improve(&self, weights: &mut Vec<f64>, stop: &dyn Fn() -> bool) -> Place {
        let count = self.vectors.len();
        let mut place = self.place(weights);
        let mut past = [place.value; MEMORY];
        let size = |v: &[f64]| v.iter().fold(0.0f64, |top, v| top.max(v.abs()));
        let mut length = (size(weights) + 1e-3) / size(&place.gradient).max(f64::MIN_POSITIVE);
        for step in 0..STEPS {
            if stop() {
                break;
            }
            let moved = |length: f64| -> Vec<f64> {
                let new = weights.iter().zip(&place.gradient).map(|(w, g)| w - length * g);
                new.enumerate().map(|(k, w)| if k < count { w.max(0.0) } else { w }).collect()
            };
            let direction: Vec<f64> = moved(length).iter().zip(weights.iter()).map(|(new, old)| new - old).collect();
            let slope = dot(&direction, &place.gradient);
            if !(slope < -1e-9 * place.value.abs()) {
                break;
            }
            let highest = past.iter().fold(f64::NEG_INFINITY, |top, value| top.max(*value));
            let mut share = 1.0;
            let next = loop {
                let trial: Vec<f64> = weights.iter().zip(&direction).map(|(w, d)| w + share * d).collect();
                let next = self.place(&trial);
                if next.value <= highest + 1e-4 * share * slope || share < 1e-6 {
                    break (trial, next);
                }
                share *= 0.3;
            };
            let change: Vec<f64> = next.0.iter().zip(weights.iter()).map(|(new, old)| new - old).collect();
            let turned: Vec<f64> = next.1.gradient.iter().zip(&place.gradient).map(|(new, old)| new - old).collect();
            let curved = dot(&change, &turned);
            length = if curved > 0.0 { dot(&change, &change) / curved } else { 4.0 * length };
            (*weights, place) = next;
            past[step % MEMORY] = place.value;
        }
        place
    }
}

impl Block {
    /// τ, σ and g for weights w: the slopes of s.
    fn multipliers(&self, points: &Points, w: &[f64], norms: &[f64]) -> Multipliers {
        let (m, d) = (w.len(), points.dimension);
        let g = if m.saturating_mul(d) <= MOST_NUMBERS { vec![0.0; m * d] } else { Vec::new() };
        let mut out = Multipliers { tau: vec![1.0; m], g, sigma: vec![0.0; m] };
        for i in (0..m).filter(|&i| norms[i] > 0.0) {
            let mean = if self.t > 0.0 { (self.square[i] / self.t).sqrt() } else { norms[i] };
            out.tau[i] = mean.max(1e-6 * norms[i]);
            if w[i] < 0.0 && self.size[i] > 0.0 {
                out.sigma[i] = -0.5 * w[i] * self.share[i] * self.line[i] / self.size[i];
                let along = -0.5 * w[i] * (1.0 - self.share[i]) / norms[i];
                if let Some(g) = out.g.get_mut(i * d..(i + 1) * d) {
                    g.iter_mut().zip(points.point(i)).for_each(|(g, x)| *g = along * x);
                }
            }
        }
        out
    }
}

/// The maximiser on the ball of the quadratic that multipliers make for w.
fn corner(points: &Points, w: &[f64], multipliers: &Multipliers) -> Option<Vec<f64>> {
    let mut linear = vec![0.0; points.dimension];
    let mut weights = vec![0.0; w.len()];
    for (p, &w) in w.iter().enumerate() {
        weights[p] = 0.25 * w.max(0.0) / multipliers.tau[p];
        let factor = 0.5 * w - multipliers.sigma[p];
        linear.iter_mut().zip(points.point(p)).for_each(|(q, x)| *q += factor * x);
    }
    let g: Vec<f32> = multipliers.g.iter().map(|&g| g as f32).collect();
    Some(Ball::new(&quadratic(points, &weights, &g), &linear)?.maximiser())
}

/// The best dual point of the rounds that the time allows; `start` is −loss′ at the incumbent, `upper` its objective.
pub(super) fn joint(
    instance: &Instance,
    start: &[f64],
    mut best: DualPoint,
    upper: f64,
    gap: f64,
    stop: &(dyn Fn() -> bool + Sync),
    report: &mut dyn FnMut(&DualPoint),
) -> DualPoint {
    let points = &instance.points;
    let norms: Vec<f64> = (0..points.len()).map(|p| dot(points.point(p), points.point(p)).sqrt()).collect();
    let mu = SMOOTHEST * upper.abs() / (instance.rows() as f64).max(1.0);
    let mut master = Master { instance, objective: Objective::losses(instance), norms, vectors: Vec::new(), mu };
    let mut weights = vec![0.0];
    let (mut value, mut alpha) = (f64::INFINITY, start.to_vec());
    let mut blocks = [master.block(&weights, 1.0), master.block(&weights, -1.0)];
    for round in 0..ROUNDS {
        master.mu = mu * SHARPER.powi(round as i32).max(SHARPEST);
        // Before, the value is that of smoother losses.
        let solved = instance.losses.is_smooth() || master.mu <= mu * SHARPEST;
        if stop() || upper - best.value <= gap {
            break;
        }
        let mut multipliers = Vec::with_capacity(2);
        for (b, sign) in [1.0, -1.0].into_iter().enumerate() {
            let w = signed(instance, &alpha, b);
            let own = blocks[b].multipliers(points, &w, &master.norms);
            let Some(v) = corner(points, &w, &own) else { return best };
            let along = (0..points.len()).map(|p| dot(points.point(p), &v)).collect();
            master.vectors.push((sign, along));
            multipliers.push(own);
        }
        improve(certified(instance, alpha, &multipliers), &mut best, report);
        if solved && value.is_finite() && value - best.value <= ACCURACY * value.abs() {
            break;
        }
        let bias = weights.pop().unwrap_or(0.0);
        weights.extend([0.0, 0.0, bias]);
        let place = master.improve(&mut weights, stop);
        (value, alpha, blocks) = (place.value, place.sloped.alpha, place.blocks);
    }
    best
}
