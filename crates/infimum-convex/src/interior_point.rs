//! Primal-dual interior point for losses that are sums of hinges, with few columns and any penalty.
//!
//! The loss of all rows is a sum of terms `p·max(0, o − s z_i)` with s = ±1, one or two for each row: hinge (s = y, o = 1, p =
//! c), epsilon (s = ±1, o = ±y − ε), quantile (o = ±y, p = cτ or c(1 − τ)). Variables per term: its dual a ∈ (0, p), u = p − a, the
//! surplus t and the shortfall ξ of the margin m = s z, `m − o = t − ξ`; complementarity a t = u ξ = μ → 0; a row has α = Σ s a. Per column with l1 > 0: w_j = p_j − q_j and the
//! subgradient g_j of the l1 term, `(l1 − g) p = (l1 + g) q = μ`. Eliminating all of these leaves one system of order d (+1)
//!
//! ```text
//! (diag(l2 + 1/D) + X̃ᵀ Θ X̃) Δw = X̃ᵀ s(a + Θρ) − l2 w − (g + (w − ω)/D)
//! Θ = 1/(ξ/u + t/a),  ρ = o − m + μ/a − μ/u,  D = p/(l1 − g) + q/(l1 + g),  ω = μ/(l1 − g) − μ/(l1 + g)
//! ```
//!
//! with the constant column appended for the intercept, then Δa = Θ(ρ − Δm). Mehrotra's predictor–corrector (*On the
//! implementation of a primal-dual interior point method*, SIAM J. Optim. 1992) in the form of Ferris & Munson
//! (*Interior-point methods for massive support vector machines*, SIAM J. Optim. 2002). Invariant: a, u, t, ξ, p, q > 0 and
//! |g| < l1; so every iterate's a is inside the box and gives a bound.

use infimum_problem::Intercept;

use crate::cholesky::Cholesky;
use crate::design;
use crate::dual_cd;
use crate::frame::{Frame, Losses, Point};
use crate::gram::weighted_gram;
use crate::losses::{HingeTerm, ScalarLoss};
use crate::optimal_face::{Face, add};
use crate::scalar::ScalarLosses;
use crate::tracker::Tracker;

/// Share of the way to the boundary that a step may go.
const REACH: f64 = 0.995;
/// Iterations without a smaller μ after which the second-order terms are left out.
const CYCLES: u32 = 4;
/// Steps shorter than this are replaced by centring steps.
const JAMMED: f64 = 0.2;
/// Relative gap below which directions are refined.
const NEAR: f64 = 1e-5;
/// Iterations without a better bound on either side after which the face of the optimum is taken to be known.
const LOST: u32 = 2;
/// Iterations without a better bound on either side after which the method has met the limit of `f64`.
const PATIENCE: u32 = 25;

/// Variables of the terms, all positive.
#[derive(Clone)]
struct Duals {
    a: Vec<f64>,
    u: Vec<f64>,
    t: Vec<f64>,
    xi: Vec<f64>,
}

/// Column variables of an l1 term, p and q positive, |g| < l1; unused where l1 is 0.
#[derive(Clone)]
struct Columns {
    p: Vec<f64>,
    q: Vec<f64>,
    g: Vec<f64>,
}

/// A direction in all variables.
struct Step {
    weights: Vec<f64>,
    duals: Duals,
    columns: Columns,
}

struct Solver<'a> {
    frame: &'a Frame<'a>,
    /// The terms of the losses: part 0 of all rows, then part 1 if there is one.
    terms: Vec<HingeTerm>,
    l1: Vec<f64>,
    l2: Vec<f64>,
    constant: bool,
    weights: Vec<f64>,
    margins: Vec<f64>,
    duals: Duals,
    columns: Columns,
    /// Smallest μ so far, and iterations that did not lower it.
    least: f64,
    stalls: u32,
    /// Whether the gap is so small that directions are refined.
    near: bool,
}

/// Minimises a problem whose losses are hinges. The path starts in the middle of the boxes wherever the tracker's point is: near
/// the boundary an interior point method is slow.
pub(crate) fn solve<L: ScalarLoss>(frame: &Frame, losses: &ScalarLosses<L>, seed: u64, tracker: &mut Tracker) {
    let (n, d) = (frame.rows(), frame.columns());
    let part = |part: usize| (0..n).filter_map(move |i| losses.loss.hinge(part, losses.targets[i], frame.weights[i]));
    let mut solver = Solver::start(frame, part(0).chain(part(1)).collect());
    let mut alpha = vec![0.0; n];
    let mut v = vec![0.0; d];
    let mut idle = 0;
    while !tracker.done() {
        let Some(progress) = solver.iterate(tracker) else {
            return;
        };
        if tracker.stop().is_some() {
            return;
        }
        let point = Point {
            weights: solver.weights[..d].to_vec(),
            intercepts: vec![if solver.constant { solver.weights[d] } else { 0.0 }],
        };
        let z: Vec<f64> = solver.margins.iter().zip(&solver.terms).take(n).map(|(m, term)| m * term.sign).collect();
        let upper = losses.value(&z) + frame.penalty_value(&point);
        alpha.fill(0.0);
        solver.add_to_rows(&mut alpha, |t| solver.terms[t].sign * solver.duals.a[t]);
        let (lower, _) = frame.lower(losses, &mut alpha, &mut v);
        tracker.offer_point(upper, &point);
        tracker.offer_dual(lower, &alpha);
        solver.near = tracker.relative_gap() < NEAR;
        tracker.explored += 1;
        tracker.report("interior-point");
        if frame.penalty.lambda1 == 0.0
            && frame.penalty.lambda2 == 0.0
            && let Some(margin) = losses.separation(&z)
        {
            offer_separation(frame, losses, point, margin, tracker);
            return;
        }
        idle = if tracker.progressed() { 0 } else { idle + 1 };
        if idle == LOST || !progress {
            solver.finish(losses, tracker);
        }
        if idle < PATIENCE && progress {
            continue;
        }
        if frame.penalty.lambda2 > 0.0 && !frame.matrix.is_spilled() {
            // The system's condition grows like 1/μ; where the optimum is degenerate the last places are lost to it. Coordinate
            // descent has no system.
            dual_cd::solve(frame, losses, seed, tracker);
        } else {
            tracker.trouble =
                Some("interior-point steps improve neither bound any more (limit of double precision)".into());
        }
        return;
    }
}

/// Without penalty a separating point can be scaled until every margin is 1: value 0, which is optimal.
fn offer_separation(frame: &Frame, losses: &impl Losses, mut point: Point, margin: f64, tracker: &mut Tracker) {
    let factor = (2.0 / margin).max(1.0);
    point.weights.iter_mut().chain(&mut point.intercepts).for_each(|w| *w *= factor);
    let upper = frame.upper(losses, &point, &mut vec![0.0; frame.rows()]);
    tracker.offer_point(upper, &point);
}

impl<'a> Solver<'a> {
    fn start(frame: &'a Frame<'a>, terms: Vec<HingeTerm>) -> Solver<'a> {
        let d = frame.columns();
        let constant = frame.has_intercept();
        let order = d + usize::from(constant);
        let mut l1: Vec<f64> = (0..d).map(|j| frame.penalty.l1(j)).collect();
        let mut l2: Vec<f64> = (0..d).map(|j| frame.penalty.l2(j)).collect();
        if constant {
            let penalised = frame.intercept == Intercept::Penalized;
            l1.push(if penalised { frame.penalty.lambda1 } else { 0.0 });
            l2.push(if penalised { frame.penalty.lambda2 } else { 0.0 });
        }
        // a t and u ξ within [μ, 2μ] for all terms, however the weights and offsets differ: a well-centred start.
        let half: Vec<f64> = terms.iter().map(|term| 0.5 * term.weight).collect();
        let reach = terms.iter().map(|term| term.offset.abs()).fold(1.0, f64::max);
        let mu = half.iter().copied().fold(0.0, f64::max) * reach;
        let base = |t: usize| mu / half[t];
        let duals = Duals {
            xi: (0..terms.len()).map(|t| base(t) + terms[t].offset.max(0.0)).collect(),
            t: (0..terms.len()).map(|t| base(t) + (-terms[t].offset).max(0.0)).collect(),
            a: half.clone(),
            u: half,
        };
        let start: Vec<f64> = l1.iter().map(|&l1| if l1 > 0.0 { mu / l1 } else { 1.0 }).collect();
        let columns = Columns { p: start.clone(), q: start, g: vec![0.0; order] };
        let (weights, margins) = (vec![0.0; order], vec![0.0; terms.len()]);
        Solver {
            frame,
            terms,
            l1,
            l2,
            constant,
            weights,
            margins,
            duals,
            columns,
            least: f64::INFINITY,
            stalls: 0,
            near: false,
        }
    }

    /// Offers the points on the face of the optimum that are nearest: rows are at a kink where their dual is further inside of
    /// its box than their margin from the kink. Weights with an l2 term are those that the best dual point has as its own; of the
    /// others, those are on the face that are further from 0 than g from ±l1.
    fn finish(&self, losses: &impl Losses, tracker: &mut Tracker) {
        let (frame, n, d) = (self.frame, self.frame.rows(), self.frame.columns());
        let largest = self.weights.iter().fold(0.0f64, |largest, w| largest.max(w.abs()));
        let pull = self.pull(&tracker.alpha);
        let weight = |j: usize| {
            let (w, l1) = (self.weights[j], self.l1[j]);
            if self.l2[j] > 0.0 {
                (pull[j].abs() - l1).max(0.0).copysign(pull[j]) / self.l2[j]
            } else if w.abs() * l1 >= largest * (l1 - self.columns.g[j].abs()) {
                w
            } else {
                0.0
            }
        };
        let mut weights: Vec<f64> = (0..self.weights.len()).map(weight).collect();
        let basic = |j: usize| weights[j] != 0.0 || self.l1[j] == 0.0;
        let columns = (0..weights.len()).map(basic).collect();
        let mut face = Face { frame, constant: self.constant, rows: vec![false; n], columns };
        let Duals { a, u, t: surplus, xi } = &self.duals;
        let (z, mut rest, mut alpha) = (self.outputs_of(&weights), vec![0.0; n], vec![0.0; n]);
        for (t, term) in self.terms.iter().enumerate() {
            let (i, reach) = (t % n, term.offset.abs().max(1.0));
            let at_kink = a[t] * reach > surplus[t] * term.weight && u[t] * reach > xi[t] * term.weight;
            if at_kink {
                face.rows[i] = true;
                rest[i] = term.sign * term.offset - z[i];
            }
            alpha[i] += term.sign
                * match at_kink {
                    true => a[t],
                    false if a[t] > u[t] => term.weight,
                    false => 0.0,
                };
        }
        add(&mut weights, 1.0, &face.weights(rest));
        let point =
            Point { weights: weights[..d].to_vec(), intercepts: vec![if self.constant { weights[d] } else { 0.0 }] };
        tracker.offer_point(frame.upper(losses, &point, &mut vec![0.0; n]), &point);
        let pull = self.pull(&alpha);
        let rest = (0..weights.len()).map(|j| self.l2[j] * weights[j] + self.l1[j].copysign(weights[j]) - pull[j]);
        add(&mut alpha, 1.0, &face.multipliers(rest.collect()));
        let (lower, _) = frame.lower(losses, &mut alpha, &mut vec![0.0; d]);
        tracker.offer_dual(lower, &alpha);
    }

    /// Makes the margins those of the weights: added up step by step they would keep the rounding of the first, large steps.
    fn refresh_margins(&mut self) {
        let n = self.frame.rows();
        let z = self.outputs_of(&self.weights);
        for (t, margin) in self.margins.iter_mut().enumerate() {
            *margin = self.terms[t].sign * z[t % n];
        }
    }

    /// Adds `value(t)` of every term to its row.
    fn add_to_rows(&self, rows: &mut [f64], value: impl Fn(usize) -> f64) {
        let n = rows.len();
        (0..self.terms.len()).for_each(|t| rows[t % n] += value(t));
    }

    /// Mean complementarity μ.
    fn complementarity(&self, duals: &Duals, columns: &Columns) -> f64 {
        let mut sum: f64 = (0..duals.a.len()).map(|i| duals.a[i] * duals.t[i] + duals.u[i] * duals.xi[i]).sum();
        let mut count = 2 * duals.a.len();
        for j in (0..self.l1.len()).filter(|&j| self.l1[j] > 0.0) {
            sum += (self.l1[j] - columns.g[j]) * columns.p[j] + (self.l1[j] + columns.g[j]) * columns.q[j];
            count += 2;
        }
        sum / count as f64
    }

    /// One predictor–corrector step. `None` if told to stop or the system is not finite; `false` if the step vanished.
    fn iterate(&mut self, tracker: &mut Tracker) -> Option<bool> {
        let Duals { a, u, t, xi } = &self.duals;
        let theta: Vec<f64> = (0..a.len()).map(|i| 1.0 / (xi[i] / u[i] + t[i] / a[i])).collect();
        let mut curvature = vec![0.0; self.frame.rows()];
        self.add_to_rows(&mut curvature, |t| theta[t]);
        let mut system = weighted_gram(self.frame, &curvature, self.constant);
        for j in 0..self.l2.len() {
            system[(j, j)] += self.l2[j];
            if self.l1[j] > 0.0 {
                system[(j, j)] += 1.0 / self.stretch(j);
            }
        }
        if tracker.stop().is_some() {
            return None;
        }
        let Some(factor) = Cholesky::new(system, 0.0) else {
            tracker.trouble = Some("the interior-point system is not finite: rescale the columns".into());
            return None;
        };
        let mu = self.complementarity(&self.duals, &self.columns);
        if !(mu > f64::MIN_POSITIVE) {
            return Some(false);
        }
        let predictor = self.direction(&factor, &theta, 0.0, None);
        if tracker.stop().is_some() {
            return None;
        }
        let length = self.longest(&predictor).min(1.0);
        let (duals, columns) = self.moved(&predictor, length);
        let reached = self.complementarity(&duals, &columns) / mu;
        let sigma = (reached * reached * reached).clamp(1e-8, 1.0);
        if tracker.stop().is_some() {
            return None;
        }
        // Mehrotra's second-order terms can cycle: where μ has stopped falling, plain centred steps go on without them.
        self.stalls += u32::from(mu > 0.8 * self.least);
        self.least = self.least.min(mu);
        let mut corrector = if self.stalls < CYCLES {
            self.direction(&factor, &theta, sigma * mu, Some(&predictor))
        } else {
            self.direction(&factor, &theta, 0.2 * mu, None)
        };
        let mut length = (REACH * self.longest(&corrector)).min(1.0);
        if length < JAMMED {
            // Off centre: a step towards the central path, without the second-order terms.
            corrector = self.direction(&factor, &theta, 0.9 * mu, None);
            length = (REACH * self.longest(&corrector)).min(1.0);
        }
        let (duals, columns) = self.moved(&corrector, length);
        (self.duals, self.columns) = (duals, columns);
        self.weights.iter_mut().zip(&corrector.weights).for_each(|(w, step)| *w += length * step);
        self.refresh_margins();
        Some(length > 1e-10)
    }

    /// D of column j: `p/(l1 − g) + q/(l1 + g)`.
    fn stretch(&self, j: usize) -> f64 {
        self.columns.p[j] / (self.l1[j] - self.columns.g[j]) + self.columns.q[j] / (self.l1[j] + self.columns.g[j])
    }

    /// `X̃·change` of all rows, weights first and then the constant.
    fn outputs_of(&self, change: &[f64]) -> Vec<f64> {
        let (n, d) = (self.frame.rows(), self.frame.columns());
        let mut z = vec![0.0; n];
        design::multiply(self.frame.matrix, &change[..d], &[if self.constant { change[d] } else { 0.0 }], &mut z);
        z
    }

    /// `X̃ᵀ Σ s·value(t)`: what the values of the terms add up to for each weight and the constant.
    fn pull_of(&self, value: impl Fn(usize) -> f64) -> Vec<f64> {
        let mut rows = vec![0.0; self.frame.rows()];
        self.add_to_rows(&mut rows, |t| self.terms[t].sign * value(t));
        self.pull(&rows)
    }

    /// `X̃ᵀ rows`.
    fn pull(&self, rows: &[f64]) -> Vec<f64> {
        let mut pull = vec![0.0; self.frame.columns()];
        let mut sums = [0.0];
        design::transpose_multiply(self.frame.matrix, rows, &mut pull, &mut sums);
        pull.extend(self.constant.then_some(sums[0]));
        pull
    }

    /// Solves the Newton equations for complementarity `mu` minus the second-order terms of `predictor`.
    fn direction(&self, factor: &Cholesky, theta: &[f64], mu: f64, predictor: Option<&Step>) -> Step {
        let (n, count) = (self.frame.rows(), self.terms.len());
        let Duals { a, u, t, xi } = &self.duals;
        let Columns { p, q, g } = &self.columns;
        // Right-hand sides of the complementarity equations: `toward_t` for a t, `toward_xi` for u ξ.
        let toward_t = |i: usize| mu - predictor.map_or(0.0, |step| step.duals.a[i] * step.duals.t[i]);
        let toward_xi = |i: usize| mu - predictor.map_or(0.0, |step| step.duals.u[i] * step.duals.xi[i]);
        let gap = |i: usize| self.terms[i].offset - self.margins[i];
        let rho: Vec<f64> = (0..count).map(|i| gap(i) + toward_t(i) / a[i] - toward_xi(i) / u[i]).collect();
        let mut right = self.pull_of(|i| a[i] + theta[i] * rho[i]);
        let toward_p = |j: usize| mu + predictor.map_or(0.0, |step| step.columns.p[j] * step.columns.g[j]);
        let toward_q = |j: usize| mu - predictor.map_or(0.0, |step| step.columns.q[j] * step.columns.g[j]);
        let omega = |j: usize| toward_p(j) / (self.l1[j] - g[j]) - toward_q(j) / (self.l1[j] + g[j]);
        for j in 0..right.len() {
            right[j] -= self.l2[j] * self.weights[j];
            if self.l1[j] > 0.0 {
                right[j] -= g[j] + (self.weights[j] - omega(j)) / self.stretch(j);
            }
        }
        factor.solve(&mut right);
        let z = self.outputs_of(&right);
        let mut step_a: Vec<f64> = (0..count).map(|i| theta[i] * (rho[i] - self.terms[i].sign * z[i % n])).collect();
        let step_g = |right: &[f64], j: usize| (self.weights[j] + right[j] - omega(j)) / self.stretch(j);
        if self.near && mu > 0.0 {
            // Θ(ρ − Δm) has lost places to cancellation where Θ is large. The same system for what that leaves of the equation
            // X̃ᵀ s(a + Δa) = l2 (w + Δw) + g + Δg has no such cancellation.
            let mut rest = self.pull_of(|i| a[i] + step_a[i]);
            for j in 0..rest.len() {
                rest[j] -= self.l2[j] * (self.weights[j] + right[j]);
                if self.l1[j] > 0.0 {
                    rest[j] -= g[j] + step_g(&right, j);
                }
            }
            factor.solve(&mut rest);
            let z = self.outputs_of(&rest);
            (0..count).for_each(|i| step_a[i] -= theta[i] * (self.terms[i].sign * z[i % n]));
            right.iter_mut().zip(&rest).for_each(|(right, rest)| *right += rest);
        }
        let duals = Duals {
            t: (0..count).map(|i| (toward_t(i) - t[i] * step_a[i]) / a[i] - t[i]).collect(),
            xi: (0..count).map(|i| (toward_xi(i) + xi[i] * step_a[i]) / u[i] - xi[i]).collect(),
            u: step_a.iter().map(|step| -step).collect(),
            a: step_a,
        };
        let mut columns = Columns { p: vec![0.0; right.len()], q: vec![0.0; right.len()], g: vec![0.0; right.len()] };
        for j in (0..right.len()).filter(|&j| self.l1[j] > 0.0) {
            let (minus, plus) = (self.l1[j] - g[j], self.l1[j] + g[j]);
            columns.g[j] = step_g(&right, j);
            columns.p[j] = (toward_p(j) + p[j] * columns.g[j]) / minus - p[j];
            columns.q[j] = (toward_q(j) - q[j] * columns.g[j]) / plus - q[j];
        }
        Step { weights: right, duals, columns }
    }

    /// Longest step that keeps all variables positive.
    fn longest(&self, step: &Step) -> f64 {
        let limit = |values: &[f64], steps: &[f64]| {
            let ratio = |(value, step): (&f64, &f64)| if *step < 0.0 { -value / step } else { f64::INFINITY };
            values.iter().zip(steps).map(ratio).fold(f64::INFINITY, f64::min)
        };
        let duals = [
            limit(&self.duals.a, &step.duals.a),
            limit(&self.duals.u, &step.duals.u),
            limit(&self.duals.t, &step.duals.t),
            limit(&self.duals.xi, &step.duals.xi),
        ];
        let mut longest = duals.into_iter().fold(f64::INFINITY, f64::min);
        for j in (0..self.l1.len()).filter(|&j| self.l1[j] > 0.0) {
            let Columns { p, q, g } = &self.columns;
            let pairs = [
                (p[j], step.columns.p[j]),
                (q[j], step.columns.q[j]),
                (self.l1[j] - g[j], -step.columns.g[j]),
                (self.l1[j] + g[j], step.columns.g[j]),
            ];
            for (value, change) in pairs {
                if change < 0.0 {
                    longest = longest.min(-value / change);
                }
            }
        }
        longest
    }

    /// The variables after a step; a and u stay complementary to c, whichever is smaller being the exact one.
    fn moved(&self, step: &Step, length: f64) -> (Duals, Columns) {
        let tiny = f64::MIN_POSITIVE;
        let add = |values: &[f64], steps: &[f64]| -> Vec<f64> {
            values.iter().zip(steps).map(|(value, step)| (value + length * step).max(tiny)).collect()
        };
        let mut duals = Duals {
            a: add(&self.duals.a, &step.duals.a),
            u: add(&self.duals.u, &step.duals.u),
            t: add(&self.duals.t, &step.duals.t),
            xi: add(&self.duals.xi, &step.duals.xi),
        };
        for i in 0..duals.a.len() {
            let c = self.terms[i].weight;
            if duals.a[i] < duals.u[i] {
                duals.u[i] = c - duals.a[i];
            } else {
                duals.a[i] = c - duals.u[i];
            }
        }
        let g = self.columns.g.iter().zip(&step.columns.g).map(|(g, step)| g + length * step).collect();
        let columns = Columns { p: add(&self.columns.p, &step.columns.p), q: add(&self.columns.q, &step.columns.q), g };
        (duals, columns)
    }
}
