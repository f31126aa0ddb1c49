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
use crate::dictionary::Dictionary;
use crate::dual_cd;
use crate::equal_rows::Merged;
use crate::frame::{Frame, Losses, Point};
use crate::gram::weighted_gram;
use crate::losses::{HingeTerm, ScalarLoss};
use crate::optimal_face::{Face, add};
use crate::passes::{map, pass};
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
/// Share of l1 by which a slope must be beyond it to make a weight: what the last steps leave in doubt makes none.
const ROUNDED: f64 = 1e-9;
/// Iterations without a better bound on either side after which the face of the optimum is taken to be known.
const LOST: u32 = 2;
/// And iterations in which that is tried.
const TRIES: u32 = 4;
/// Iterations without a better bound on either side after which the method has met the limit of `f64`.
const PATIENCE: u32 = 25;

/// The terms of the losses, those of all rows one after the other: part 0 of all rows, then part 1 if there is one.
struct Terms {
    sign: Vec<f64>,
    offset: Vec<f64>,
    weight: Vec<f64>,
    /// Terms that were merged into this one: its complementarity is aimed at so many times μ, which is the path that the
    /// terms would take one by one.
    count: Vec<f64>,
}

/// Variables of the terms, all positive.
struct Duals {
    a: Vec<f64>,
    u: Vec<f64>,
    t: Vec<f64>,
    xi: Vec<f64>,
}

/// Column variables of an l1 term, p and q positive, |g| < l1; unused where l1 is 0.
struct Columns {
    p: Vec<f64>,
    q: Vec<f64>,
    g: Vec<f64>,
}

/// A direction in all variables; that of u is the negative of that of a.
struct Step {
    weights: Vec<f64>,
    a: Vec<f64>,
    t: Vec<f64>,
    xi: Vec<f64>,
    columns: Columns,
    /// Longest step that keeps all variables positive.
    longest: f64,
}

/// Products of the predictor's changes in each complementarity: Δa Δt and Δu Δξ, Δp Δg and Δq Δg.
struct SecondOrder {
    t: Vec<f64>,
    xi: Vec<f64>,
    p: Vec<f64>,
    q: Vec<f64>,
}

struct Solver<'a> {
    frame: &'a Frame<'a>,
    terms: Terms,
    l1: Vec<f64>,
    l2: Vec<f64>,
    weights: Vec<f64>,
    /// s z of every term.
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
/// the boundary an interior point method is slow. Equal rows are one; `counts` is how many rows each row stands for already.
pub(crate) fn solve<L: ScalarLoss>(
    frame: &Frame,
    losses: &ScalarLosses<L>,
    counts: Option<&[f64]>,
    seed: u64,
    tracker: &mut Tracker,
) {
    let merged = Merged::equal(frame, losses.targets, counts);
    let (all, all_losses) = (frame, losses);
    let (frame, losses) = match &merged {
        Some(Merged { matrix, targets, weights, .. }) => {
            (Frame { matrix, weights, ..*all }, ScalarLosses { targets, weights, ..*all_losses })
        }
        None => (*all, *all_losses),
    };
    let dictionary = Dictionary::new(frame.matrix);
    let frame = Frame { dictionary: dictionary.as_ref(), ..frame };
    let offer_dual = |tracker: &mut Tracker, lower: f64, alpha: &[f64]| match &merged {
        Some(merged) if lower > tracker.lower => tracker.offer_dual(lower, &merged.expanded(all.weights, alpha)),
        Some(_) => false,
        None => tracker.offer_dual(lower, alpha),
    };
    let single = || counts.map_or_else(|| vec![1.0; all.rows()], <[f64]>::to_vec);
    let counts = merged.as_ref().map_or_else(single, |merged| merged.counts.clone());
    let mut solver = Solver::start(&frame, Terms::new(&losses, &counts));
    let mut v = vec![0.0; frame.columns()];
    let mut idle = 0;
    while !tracker.done() {
        let Some(progress) = solver.iterate(tracker) else {
            return;
        };
        if tracker.stop().is_some() {
            return;
        }
        let point = solver.point(&solver.weights);
        let n = frame.rows();
        let z = map([&solver.margins[..n], &solver.terms.sign[..n]], |[m, sign]| m * sign);
        let upper = losses.value(&z) + frame.penalty_value(&point);
        let mut alpha = solver.to_rows(map([&solver.duals.a, &solver.terms.sign], |[a, sign]| sign * a));
        let (lower, _) = frame.lower(&losses, &mut alpha, &mut v);
        tracker.offer_point(upper, &point);
        offer_dual(tracker, lower, &alpha);
        solver.near = tracker.relative_gap() < NEAR;
        tracker.explored += 1;
        tracker.report("interior-point");
        if frame.penalty.lambda1 == 0.0
            && frame.penalty.lambda2 == 0.0
            && let Some(margin) = losses.separation(&z)
        {
            offer_separation(&frame, &losses, point, margin, tracker);
            return;
        }
        idle = if tracker.progressed() { 0 } else { idle + 1 };
        if (solver.near && (LOST..LOST + TRIES).contains(&idle)) || !progress {
            let (point, mut alpha) = solver.face_points(&all.pull(&tracker.alpha));
            tracker.offer_point(frame.upper(&losses, &point, &mut vec![0.0; n]), &point);
            let (lower, _) = frame.lower(&losses, &mut alpha, &mut v);
            offer_dual(tracker, lower, &alpha);
        }
        if idle < PATIENCE && progress {
            continue;
        }
        if frame.penalty.lambda2 > 0.0 && !frame.matrix.is_spilled() {
            // The system's condition grows like 1/μ; where the optimum is degenerate the last places are lost to it. Coordinate
            // descent has no system.
            dual_cd::solve(all, all_losses, seed, tracker);
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

impl Terms {
    fn new<L: ScalarLoss>(losses: &ScalarLosses<L>, counts: &[f64]) -> Terms {
        let mut terms = Terms { sign: Vec::new(), offset: Vec::new(), weight: Vec::new(), count: Vec::new() };
        for part in 0..2 {
            for ((&y, &c), &count) in losses.targets.iter().zip(losses.weights).zip(counts) {
                if let Some(HingeTerm { sign, offset, weight }) = losses.loss.hinge(part, y, c) {
                    terms.sign.push(sign);
                    terms.offset.push(offset);
                    terms.weight.push(weight);
                    terms.count.push(count);
                }
            }
        }
        terms
    }

    fn len(&self) -> usize {
        self.sign.len()
    }
}

impl SecondOrder {
    /// None: 0.
    fn none(terms: usize, columns: usize) -> SecondOrder {
        SecondOrder { t: vec![0.0; terms], xi: vec![0.0; terms], p: vec![0.0; columns], q: vec![0.0; columns] }
    }
}

impl<'a> Solver<'a> {
    fn start(frame: &'a Frame<'a>, terms: Terms) -> Solver<'a> {
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
        let half = map([&terms.weight], |[weight]| 0.5 * weight);
        let reach = terms.offset.iter().map(|offset| offset.abs()).fold(1.0, f64::max);
        let mu = map([&half, &terms.count], |[half, count]| half / count).into_iter().fold(0.0, f64::max) * reach;
        let aim = map([&half, &terms.count], |[half, count]| mu * count / half);
        let duals = Duals {
            xi: map([&aim, &terms.offset], |[aim, offset]| aim + offset.max(0.0)),
            t: map([&aim, &terms.offset], |[aim, offset]| aim + (-offset).max(0.0)),
            a: half.clone(),
            u: half,
        };
        let start: Vec<f64> = l1.iter().map(|&l1| if l1 > 0.0 { mu / l1 } else { 1.0 }).collect();
        let columns = Columns { p: start.clone(), q: start, g: vec![0.0; order] };
        let (weights, margins) = (vec![0.0; order], vec![0.0; terms.len()]);
        Solver { frame, terms, l1, l2, weights, margins, duals, columns, least: f64::INFINITY, stalls: 0, near: false }
    }

    /// The point that these weights, the constant last, are.
    fn point(&self, weights: &[f64]) -> Point {
        let d = self.frame.columns();
        Point { weights: weights[..d].to_vec(), intercepts: vec![weights.get(d).copied().unwrap_or(0.0)] }
    }

    /// The points on the face of the optimum that are nearest, weights and α: rows are at a kink where their dual is further inside
    /// of its box than their margin from the kink. Weights with an l2 term are those that the best dual point, of which `pull` is
    /// `X̃ᵀα`, has as its own; of the others, those are on the face that are further from 0 than g from ±l1.
    fn face_points(&self, pull: &[f64]) -> (Point, Vec<f64>) {
        let (frame, n) = (self.frame, self.frame.rows());
        let largest = self.weights.iter().fold(0.0f64, |largest, w| largest.max(w.abs()));
        let weight = |j: usize| {
            let (w, l1) = (self.weights[j], self.l1[j]);
            if self.l2[j] > 0.0 {
                let excess = pull[j].abs() - l1;
                if excess > ROUNDED * l1 { excess.copysign(pull[j]) / self.l2[j] } else { 0.0 }
            } else if w.abs() * l1 >= largest * (l1 - self.columns.g[j].abs()) {
                w
            } else {
                0.0
            }
        };
        let mut weights: Vec<f64> = (0..self.weights.len()).map(weight).collect();
        let basic = |j: usize| weights[j] != 0.0 || self.l1[j] == 0.0;
        let columns = (0..weights.len()).map(basic).collect();
        let mut face = Face { frame, rows: vec![false; n], columns };
        let Duals { a, u, t: surplus, xi } = &self.duals;
        let Terms { sign, offset, weight, .. } = &self.terms;
        let (z, mut rest, mut alpha) = (self.frame.outputs_of(&weights), vec![0.0; n], vec![0.0; n]);
        for t in 0..self.terms.len() {
            let (i, reach) = (t % n, offset[t].abs().max(1.0));
            let at_kink = a[t] * reach > surplus[t] * weight[t] && u[t] * reach > xi[t] * weight[t];
            if at_kink {
                face.rows[i] = true;
                rest[i] = sign[t] * offset[t] - z[i];
            }
            alpha[i] += sign[t]
                * match at_kink {
                    true => a[t],
                    false if a[t] > u[t] => weight[t],
                    false => 0.0,
                };
        }
        add(&mut weights, 1.0, &face.weights(rest));
        let pull = self.frame.pull(&alpha);
        let rest = (0..weights.len()).map(|j| self.l2[j] * weights[j] + self.l1[j].copysign(weights[j]) - pull[j]);
        add(&mut alpha, 1.0, &face.multipliers(rest.collect()));
        (self.point(&weights), alpha)
    }

    /// Sums over the terms of each row.
    fn to_rows(&self, mut terms: Vec<f64>) -> Vec<f64> {
        let n = self.frame.rows();
        let (first, second) = terms.split_at_mut(n);
        if !second.is_empty() {
            pass([second], [first], |[second], [first], none: [f64; 0]| ([first + second], none));
        }
        terms.truncate(n);
        terms
    }

    /// A value of each row for each of its terms.
    fn to_terms(&self, mut rows: Vec<f64>) -> Vec<f64> {
        if self.terms.len() > rows.len() {
            rows.extend_from_within(..);
        }
        rows
    }

    /// Mean complementarity μ after a step of the given length, and what the step's second-order terms are.
    fn complementarity(&self, step: &Step, length: f64) -> (f64, SecondOrder) {
        let Duals { a, u, t, xi } = &self.duals;
        let Columns { p, q, g } = &self.columns;
        let mut second = SecondOrder::none(a.len(), g.len());
        let [sums] = pass(
            [a, u, t, xi, &step.a, &step.t, &step.xi],
            [&mut second.t, &mut second.xi],
            #[inline(always)]
            |[a, u, t, xi, da, dt, dxi], _, [sum]| {
                let moved = (a + length * da) * (t + length * dt) + (u - length * da) * (xi + length * dxi);
                ([da * dt, -(da * dxi)], [sum + moved])
            },
        );
        for j in (0..self.l1.len()).filter(|&j| self.l1[j] > 0.0) {
            (second.p[j], second.q[j]) = (step.columns.p[j] * step.columns.g[j], step.columns.q[j] * step.columns.g[j]);
        }
        let column = |j: usize| {
            let moved = g[j] + length * step.columns.g[j];
            (self.l1[j] - moved) * (p[j] + length * step.columns.p[j])
                + (self.l1[j] + moved) * (q[j] + length * step.columns.q[j])
        };
        (self.mean(&sums, column), second)
    }

    /// Mean complementarity μ.
    fn mu(&self) -> f64 {
        let Duals { a, u, t, xi } = &self.duals;
        let Columns { p, q, g } = &self.columns;
        let [sums] = pass([a, u, t, xi], [], |[a, u, t, xi], none, [sum]| (none, [sum + (a * t + u * xi)]));
        self.mean(&sums, |j| (self.l1[j] - g[j]) * p[j] + (self.l1[j] + g[j]) * q[j])
    }

    /// Mean over all complementarities, of which `terms` add up to those of the terms and `column` to the two of each l1 column.
    fn mean(&self, terms: &[f64], column: impl Fn(usize) -> f64) -> f64 {
        let columns = || (0..self.l1.len()).filter(|&j| self.l1[j] > 0.0);
        let count = 2.0 * (self.terms.count.iter().sum::<f64>() + columns().count() as f64);
        (terms.iter().sum::<f64>() + columns().map(column).sum::<f64>()) / count
    }

    /// One predictor–corrector step. `None` if told to stop or the system is not finite; `false` if the step vanished.
    fn iterate(&mut self, tracker: &mut Tracker) -> Option<bool> {
        let Duals { a, u, t, xi } = &self.duals;
        let theta = map([a, u, t, xi], |[a, u, t, xi]| 1.0 / (xi / u + t / a));
        let curvature = self.to_rows(theta.clone());
        let constant = self.frame.has_intercept();
        let mut system = match self.frame.dictionary {
            Some(dictionary) => dictionary.weighted_gram(&curvature, constant),
            None => weighted_gram(self.frame, &curvature, constant),
        };
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
        let mu = self.mu();
        if !(mu > f64::MIN_POSITIVE) {
            return Some(false);
        }
        let none = SecondOrder::none(self.terms.len(), self.l1.len());
        let predictor = self.direction(&factor, &theta, 0.0, &none);
        if tracker.stop().is_some() {
            return None;
        }
        let (reached, second) = self.complementarity(&predictor, predictor.longest.min(1.0));
        let reached = reached / mu;
        let sigma = (reached * reached * reached).clamp(1e-8, 1.0);
        if tracker.stop().is_some() {
            return None;
        }
        // Mehrotra's second-order terms can cycle: where μ has stopped falling, plain centred steps go on without them.
        self.stalls += u32::from(mu > 0.8 * self.least);
        self.least = self.least.min(mu);
        let mut corrector = if self.stalls < CYCLES {
            self.direction(&factor, &theta, sigma * mu, &second)
        } else {
            self.direction(&factor, &theta, 0.2 * mu, &none)
        };
        let mut length = (REACH * corrector.longest).min(1.0);
        if length < JAMMED {
            // Off centre: a step towards the central path, without the second-order terms.
            corrector = self.direction(&factor, &theta, 0.9 * mu, &none);
            length = (REACH * corrector.longest).min(1.0);
        }
        if !corrector.weights.iter().all(|change| change.is_finite()) {
            return Some(false);
        }
        self.take(&corrector, length);
        Some(length > 1e-10)
    }

    /// D of column j: `p/(l1 − g) + q/(l1 + g)`.
    fn stretch(&self, j: usize) -> f64 {
        self.columns.p[j] / (self.l1[j] - self.columns.g[j]) + self.columns.q[j] / (self.l1[j] + self.columns.g[j])
    }

    /// Solves the Newton equations for complementarity `mu` minus the second-order terms.
    fn direction(&self, factor: &Cholesky, theta: &[f64], mu: f64, second: &SecondOrder) -> Step {
        let Duals { a, u, t, xi } = &self.duals;
        let Columns { p, q, g } = &self.columns;
        let sign = &self.terms.sign;
        // The right-hand sides of the complementarity equations are μ less the second-order terms.
        let (mut rho, mut drive) = (vec![0.0; a.len()], vec![0.0; a.len()]);
        pass(
            [a, u, theta, sign, &self.terms.offset, &self.terms.count, &self.margins, &second.t, &second.xi],
            [&mut rho, &mut drive],
            #[inline(always)]
            |[a, u, theta, sign, offset, count, margin, second_t, second_xi], _, none: [f64; 0]| {
                let rho = offset - margin + (count * mu - second_t) / a - (count * mu - second_xi) / u;
                ([rho, sign * (a + theta * rho)], none)
            },
        );
        let mut right = self.frame.pull(&self.to_rows(drive));
        let toward_p = |j: usize| mu + second.p[j];
        let toward_q = |j: usize| mu - second.q[j];
        let omega = |j: usize| toward_p(j) / (self.l1[j] - g[j]) - toward_q(j) / (self.l1[j] + g[j]);
        for j in 0..right.len() {
            right[j] -= self.l2[j] * self.weights[j];
            if self.l1[j] > 0.0 {
                right[j] -= g[j] + (self.weights[j] - omega(j)) / self.stretch(j);
            }
        }
        factor.solve(&mut right);
        let z = self.to_terms(self.frame.outputs_of(&right));
        let mut step_a = map([theta, &rho, sign, &z], |[theta, rho, sign, z]| theta * (rho - sign * z));
        let step_g = |right: &[f64], j: usize| (self.weights[j] + right[j] - omega(j)) / self.stretch(j);
        if self.near && mu > 0.0 {
            // Θ(ρ − Δm) has lost places to cancellation where Θ is large. The same system for what that leaves of the equation
            // X̃ᵀ s(a + Δa) = l2 (w + Δw) + g + Δg has no such cancellation.
            let mut rest = self.frame.pull(&self.to_rows(map([a, sign, &step_a], |[a, sign, step]| sign * (a + step))));
            for j in 0..rest.len() {
                rest[j] -= self.l2[j] * (self.weights[j] + right[j]);
                if self.l1[j] > 0.0 {
                    rest[j] -= g[j] + step_g(&right, j);
                }
            }
            factor.solve(&mut rest);
            let z = self.to_terms(self.frame.outputs_of(&rest));
            pass([theta, sign, &z], [&mut step_a], |[theta, sign, z], [step], none: [f64; 0]| {
                ([step - theta * (sign * z)], none)
            });
            right.iter_mut().zip(&rest).for_each(|(right, rest)| *right += rest);
        }
        let (mut step_t, mut step_xi) = (vec![0.0; a.len()], vec![0.0; a.len()]);
        let [speeds] = pass(
            [a, u, t, xi, &self.terms.count, &step_a, &second.t, &second.xi],
            [&mut step_t, &mut step_xi],
            #[inline(always)]
            |[a, u, t, xi, count, da, second_t, second_xi], _, [speed]| {
                let dt = ((count * mu - second_t) - t * da) / a - t;
                let dxi = ((count * mu - second_xi) + xi * da) / u - xi;
                let speed = speed.max(-da / a).max(da / u).max(-dt / t).max(-dxi / xi);
                ([dt, dxi], [speed])
            },
        );
        let mut columns = Columns { p: vec![0.0; right.len()], q: vec![0.0; right.len()], g: vec![0.0; right.len()] };
        let mut speed = speeds.into_iter().fold(0.0, f64::max);
        for j in (0..right.len()).filter(|&j| self.l1[j] > 0.0) {
            let (minus, plus) = (self.l1[j] - g[j], self.l1[j] + g[j]);
            columns.g[j] = step_g(&right, j);
            columns.p[j] = (toward_p(j) + p[j] * columns.g[j]) / minus - p[j];
            columns.q[j] = (toward_q(j) - q[j] * columns.g[j]) / plus - q[j];
            speed = speed
                .max(-columns.p[j] / p[j])
                .max(-columns.q[j] / q[j])
                .max(columns.g[j] / minus)
                .max(-columns.g[j] / plus);
        }
        Step { weights: right, a: step_a, t: step_t, xi: step_xi, columns, longest: 1.0 / speed }
    }

    /// Takes a step; a and u stay complementary to the term's weight, whichever is smaller being the exact one. The margins become
    /// those of the weights: added up step by step they would keep the rounding of the first, large steps.
    fn take(&mut self, step: &Step, length: f64) {
        let tiny = f64::MIN_POSITIVE;
        let Duals { a, u, t, xi } = &mut self.duals;
        pass(
            [&step.a, &step.t, &step.xi, &self.terms.weight],
            [a, u, t, xi],
            #[inline(always)]
            |[da, dt, dxi, weight], [a, u, t, xi], none: [f64; 0]| {
                let (a, u) = ((a + length * da).max(tiny), (u - length * da).max(tiny));
                let smaller = a < u;
                let exact = if smaller { a } else { weight - u };
                (
                    [
                        exact,
                        if smaller { weight - a } else { u },
                        (t + length * dt).max(tiny),
                        (xi + length * dxi).max(tiny),
                    ],
                    none,
                )
            },
        );
        for j in 0..self.weights.len() {
            self.weights[j] += length * step.weights[j];
            self.columns.p[j] = (self.columns.p[j] + length * step.columns.p[j]).max(tiny);
            self.columns.q[j] = (self.columns.q[j] + length * step.columns.q[j]).max(tiny);
            self.columns.g[j] += length * step.columns.g[j];
        }
        let z = self.to_terms(self.frame.outputs_of(&self.weights));
        self.margins = map([&self.terms.sign, &z], |[sign, z]| sign * z);
    }
}
