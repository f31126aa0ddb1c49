//! Primal-dual interior point for the hinge loss with few columns and any penalty.
//!
//! Variables per row: a_i = y_i α_i ∈ (0, c_i), u_i = c_i − a_i, the surplus t_i and the shortfall ξ_i of the margin,
//! `m_i − 1 = t_i − ξ_i`; complementarity a_i t_i = u_i ξ_i = μ → 0. Per column with l1 > 0: w_j = p_j − q_j and the
//! subgradient g_j of the l1 term, `(l1 − g) p = (l1 + g) q = μ`. Eliminating all of these leaves one system of order d (+1)
//!
//! ```text
//! (diag(l2 + 1/D) + X̃ᵀ Θ X̃) Δw = X̃ᵀ y(a + Θρ) − l2 w − (g + (w − ω)/D)
//! Θ = 1/(ξ/u + t/a),  ρ = 1 − m + μ/a − μ/u,  D = p/(l1 − g) + q/(l1 + g),  ω = μ/(l1 − g) − μ/(l1 + g)
//! ```
//!
//! with the constant column appended for the intercept, then Δa = Θ(ρ − Δm). Mehrotra's predictor–corrector (*On the
//! implementation of a primal-dual interior point method*, SIAM J. Optim. 1992) in the form of Ferris & Munson
//! (*Interior-point methods for massive support vector machines*, SIAM J. Optim. 2002). Invariant: a, u, t, ξ, p, q > 0 and
//! |g| < l1; so every iterate's a is inside the box and gives a bound.

use infimum_problem::Intercept;

use crate::cholesky::Cholesky;
use crate::design;
use crate::frame::{Frame, Losses, Point};
use crate::gram::weighted_gram;
use crate::losses::Hinge;
use crate::scalar::ScalarLosses;
use crate::tracker::Tracker;

/// Share of the way to the boundary that a step may go.
const REACH: f64 = 0.995;
/// Iterations without a smaller μ after which the second-order terms are left out.
const CYCLES: u32 = 4;
/// Steps shorter than this are replaced by centring steps.
const JAMMED: f64 = 0.2;
/// Iterations without a better bound on either side after which the method has met the limit of `f64`.
const PATIENCE: u32 = 25;

/// Row variables, all positive.
#[derive(Clone)]
struct Rows {
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
    margins: Vec<f64>,
    rows: Rows,
    columns: Columns,
}

struct Solver<'a> {
    frame: &'a Frame<'a>,
    targets: &'a [f64],
    l1: Vec<f64>,
    l2: Vec<f64>,
    constant: bool,
    weights: Vec<f64>,
    margins: Vec<f64>,
    rows: Rows,
    columns: Columns,
    /// Smallest μ so far, and iterations that did not lower it.
    least: f64,
    stalls: u32,
}

/// Minimises a hinge problem from zero.
pub(crate) fn solve(frame: &Frame, losses: &ScalarLosses<Hinge>, tracker: &mut Tracker) {
    let mut solver = Solver::start(frame, losses.targets);
    let (n, d) = (frame.rows(), frame.columns());
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
        let z: Vec<f64> = solver.margins.iter().zip(losses.targets).map(|(m, y)| m * y).collect();
        let upper = losses.value(&z) + frame.penalty_value(&point);
        alpha.iter_mut().zip(&solver.rows.a).zip(losses.targets).for_each(|((alpha, a), y)| *alpha = y * a);
        let (lower, _) = frame.lower(losses, &mut alpha, &mut v);
        let better = tracker.offer_point(upper, &point) | tracker.offer_dual(lower, &alpha);
        tracker.explored += 1;
        tracker.report("interior-point");
        if frame.penalty.lambda1 == 0.0
            && frame.penalty.lambda2 == 0.0
            && let Some(margin) = losses.separation(&z)
        {
            offer_separation(frame, losses, point, margin, tracker);
            return;
        }
        idle = if better { 0 } else { idle + 1 };
        if idle == PATIENCE || !progress {
            tracker.trouble =
                Some("interior-point steps improve neither bound any more (limit of double precision)".into());
            return;
        }
    }
}

/// Without penalty a separating point can be scaled until every margin is 1: value 0, which is optimal.
fn offer_separation(frame: &Frame, losses: &ScalarLosses<Hinge>, mut point: Point, margin: f64, tracker: &mut Tracker) {
    let factor = (2.0 / margin).max(1.0);
    point.weights.iter_mut().chain(&mut point.intercepts).for_each(|w| *w *= factor);
    let upper = frame.upper(losses, &point, &mut vec![0.0; frame.rows()]);
    tracker.offer_point(upper, &point);
}

impl<'a> Solver<'a> {
    fn start(frame: &'a Frame<'a>, targets: &'a [f64]) -> Solver<'a> {
        let (n, d) = (frame.rows(), frame.columns());
        let constant = frame.has_intercept();
        let order = d + usize::from(constant);
        let mut l1: Vec<f64> = (0..d).map(|j| frame.penalty.l1(j)).collect();
        let mut l2: Vec<f64> = (0..d).map(|j| frame.penalty.l2(j)).collect();
        if constant {
            let penalised = frame.intercept == Intercept::Penalized;
            l1.push(if penalised { frame.penalty.lambda1 } else { 0.0 });
            l2.push(if penalised { frame.penalty.lambda2 } else { 0.0 });
        }
        // a t = μ and u ξ within [μ, 2μ] for all rows, however the weights differ: a well-centred start.
        let half: Vec<f64> = frame.weights.iter().map(|c| 0.5 * c).collect();
        let mu = half.iter().copied().fold(0.0, f64::max);
        let t: Vec<f64> = half.iter().map(|a| mu / a).collect();
        let rows = Rows { xi: t.iter().map(|t| t + 1.0).collect(), t, a: half.clone(), u: half };
        let start: Vec<f64> = l1.iter().map(|&l1| if l1 > 0.0 { mu / l1 } else { 1.0 }).collect();
        let columns = Columns { p: start.clone(), q: start, g: vec![0.0; order] };
        let (weights, margins) = (vec![0.0; order], vec![0.0; n]);
        Solver { frame, targets, l1, l2, constant, weights, margins, rows, columns, least: f64::INFINITY, stalls: 0 }
    }

    /// Mean complementarity μ.
    fn complementarity(&self, rows: &Rows, columns: &Columns) -> f64 {
        let mut sum: f64 = (0..rows.a.len()).map(|i| rows.a[i] * rows.t[i] + rows.u[i] * rows.xi[i]).sum();
        let mut count = 2 * rows.a.len();
        for j in (0..self.l1.len()).filter(|&j| self.l1[j] > 0.0) {
            sum += (self.l1[j] - columns.g[j]) * columns.p[j] + (self.l1[j] + columns.g[j]) * columns.q[j];
            count += 2;
        }
        sum / count as f64
    }

    /// One predictor–corrector step. `None` if told to stop or the system is not finite; `false` if the step vanished.
    fn iterate(&mut self, tracker: &mut Tracker) -> Option<bool> {
        let Rows { a, u, t, xi } = &self.rows;
        let theta: Vec<f64> = (0..a.len()).map(|i| 1.0 / (xi[i] / u[i] + t[i] / a[i])).collect();
        let mut system = weighted_gram(self.frame, &theta, self.constant);
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
        let mu = self.complementarity(&self.rows, &self.columns);
        let predictor = self.direction(&factor, &theta, 0.0, None);
        if tracker.stop().is_some() {
            return None;
        }
        let length = self.longest(&predictor).min(1.0);
        let (rows, columns) = self.moved(&predictor, length);
        let reached = self.complementarity(&rows, &columns) / mu;
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
        let (rows, columns) = self.moved(&corrector, length);
        (self.rows, self.columns) = (rows, columns);
        self.weights.iter_mut().zip(&corrector.weights).for_each(|(w, step)| *w += length * step);
        self.margins.iter_mut().zip(&corrector.margins).for_each(|(m, step)| *m += length * step);
        Some(length > 1e-10)
    }

    /// D of column j: `p/(l1 − g) + q/(l1 + g)`.
    fn stretch(&self, j: usize) -> f64 {
        self.columns.p[j] / (self.l1[j] - self.columns.g[j]) + self.columns.q[j] / (self.l1[j] + self.columns.g[j])
    }

    /// Solves the Newton equations for complementarity `mu` minus the second-order terms of `predictor`.
    fn direction(&self, factor: &Cholesky, theta: &[f64], mu: f64, predictor: Option<&Step>) -> Step {
        let (n, d) = (self.targets.len(), self.frame.columns());
        let Rows { a, u, t, xi } = &self.rows;
        let Columns { p, q, g } = &self.columns;
        // Right-hand sides of the complementarity equations: `toward_t` for a t, `toward_xi` for u ξ.
        let toward_t = |i: usize| mu - predictor.map_or(0.0, |step| step.rows.a[i] * step.rows.t[i]);
        let toward_xi = |i: usize| mu - predictor.map_or(0.0, |step| step.rows.u[i] * step.rows.xi[i]);
        let rho: Vec<f64> = (0..n).map(|i| 1.0 - self.margins[i] + toward_t(i) / a[i] - toward_xi(i) / u[i]).collect();
        let signed: Vec<f64> = (0..n).map(|i| self.targets[i] * (a[i] + theta[i] * rho[i])).collect();
        let mut right = vec![0.0; d];
        let mut sums = [0.0];
        design::transpose_multiply(self.frame.matrix, &signed, &mut right, &mut sums);
        if self.constant {
            right.push(sums[0]);
        }
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
        let mut margins = vec![0.0; n];
        let constant = if self.constant { right[d] } else { 0.0 };
        design::multiply(self.frame.matrix, &right[..d], &[constant], &mut margins);
        margins.iter_mut().zip(self.targets).for_each(|(m, y)| *m *= y);
        let step_a: Vec<f64> = (0..n).map(|i| theta[i] * (rho[i] - margins[i])).collect();
        let rows = Rows {
            t: (0..n).map(|i| (toward_t(i) - t[i] * step_a[i]) / a[i] - t[i]).collect(),
            xi: (0..n).map(|i| (toward_xi(i) + xi[i] * step_a[i]) / u[i] - xi[i]).collect(),
            u: step_a.iter().map(|step| -step).collect(),
            a: step_a,
        };
        let mut columns = Columns { p: vec![0.0; right.len()], q: vec![0.0; right.len()], g: vec![0.0; right.len()] };
        for j in (0..right.len()).filter(|&j| self.l1[j] > 0.0) {
            let (minus, plus) = (self.l1[j] - g[j], self.l1[j] + g[j]);
            columns.g[j] = (self.weights[j] + right[j] - omega(j)) / self.stretch(j);
            columns.p[j] = (toward_p(j) + p[j] * columns.g[j]) / minus - p[j];
            columns.q[j] = (toward_q(j) - q[j] * columns.g[j]) / plus - q[j];
        }
        Step { weights: right, margins, rows, columns }
    }

    /// Longest step that keeps all variables positive.
    fn longest(&self, step: &Step) -> f64 {
        let limit = |values: &[f64], steps: &[f64]| {
            let ratio = |(value, step): (&f64, &f64)| if *step < 0.0 { -value / step } else { f64::INFINITY };
            values.iter().zip(steps).map(ratio).fold(f64::INFINITY, f64::min)
        };
        let rows = [
            limit(&self.rows.a, &step.rows.a),
            limit(&self.rows.u, &step.rows.u),
            limit(&self.rows.t, &step.rows.t),
            limit(&self.rows.xi, &step.rows.xi),
        ];
        let mut longest = rows.into_iter().fold(f64::INFINITY, f64::min);
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
    fn moved(&self, step: &Step, length: f64) -> (Rows, Columns) {
        let tiny = f64::MIN_POSITIVE;
        let add = |values: &[f64], steps: &[f64]| -> Vec<f64> {
            values.iter().zip(steps).map(|(value, step)| (value + length * step).max(tiny)).collect()
        };
        let mut rows = Rows {
            a: add(&self.rows.a, &step.rows.a),
            u: add(&self.rows.u, &step.rows.u),
            t: add(&self.rows.t, &step.rows.t),
            xi: add(&self.rows.xi, &step.rows.xi),
        };
        for i in 0..rows.a.len() {
            let c = self.frame.weights[i];
            if rows.a[i] < rows.u[i] {
                rows.u[i] = c - rows.a[i];
            } else {
                rows.a[i] = c - rows.u[i];
            }
        }
        let g = self.columns.g.iter().zip(&step.columns.g).map(|(g, step)| g + length * step).collect();
        let columns = Columns { p: add(&self.columns.p, &step.columns.p), q: add(&self.columns.q, &step.columns.q), g };
        (rows, columns)
    }
}
