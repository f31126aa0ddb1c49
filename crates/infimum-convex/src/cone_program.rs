//! The problem as a cone program for Clarabel, a general interior-point solver (Goulart & Chen, *Clarabel: an interior-point solver for conic
//! programs with quadratic objectives*, 2024): one-output losses, any penalty, problems of moderate size.
//!
//! Variables are the weights, the intercept, a bound on each |w_j| where there is an l1, and the losses of the rows (or what they
//! are made of): `min ½xᵀPx + qᵀx  subject to  A x + s = b, s ∈ K`. Stationarity in the weights says `∇penalty_j = −Σ_k A_kj y_k` over
//! the constraints k of the losses, y their multipliers; every such constraint contains the output of one row with some
//! coefficient, so the dual point is `α_i = −Σ_k coefficient_k·y_k`, whatever the loss. It and `−c·loss′` at the weights found
//! are offered to the frame, which repairs and values them: of Clarabel's own claims nothing is used.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use clarabel::algebra::CscMatrix;
use clarabel::solver::SupportedConeT::{ExponentialConeT, NonnegativeConeT, ZeroConeT};
use clarabel::solver::{DefaultSettings, DefaultSolver, IPSolver, SupportedConeT};
use infimum_problem::{Intercept, Loss};

use crate::frame::{Frame, Losses, Point};
use crate::penalty::Penalty;
use crate::tracker::Tracker;

/// Clarabel's tolerances against the gap asked for, and the least it is asked for.
const TOLERANCE: f64 = 0.1;
const LEAST_TOLERANCE: f64 = 1e-12;
/// Pause between two questions whether to stop.
const ASK_EVERY: Duration = Duration::from_millis(2);

/// `A x + s = b, s ∈ K`, written cone by cone, and the objective's coefficients.
#[derive(Default)]
struct Program {
    entries: (Vec<usize>, Vec<usize>, Vec<f64>),
    right: Vec<f64>,
    cones: Vec<SupportedConeT<f64>>,
    quadratic: Vec<f64>,
    linear: Vec<f64>,
    /// Constraint, row of the matrix, coefficient of the row's output in the constraint.
    links: Vec<(usize, usize, f64)>,
}

/// What Clarabel found.
struct Solution {
    x: Vec<f64>,
    multipliers: Vec<f64>,
    iterations: u32,
    status: String,
}

impl Program {
    /// A new variable with its coefficients in the objective.
    fn variable(&mut self, quadratic: f64, linear: f64) -> usize {
        self.quadratic.push(quadratic);
        self.linear.push(linear);
        self.linear.len() - 1
    }

    /// The next component of the cone being written: `right − Σ coefficient·x`.
    fn row(&mut self, terms: &[(usize, f64)], right: f64) {
        for &(variable, coefficient) in terms.iter().filter(|term| term.1 != 0.0) {
            self.entries.0.push(self.right.len());
            self.entries.1.push(variable);
            self.entries.2.push(coefficient);
        }
        self.right.push(right);
    }

    /// The same with `factor` times the output of row i of the matrix among the terms.
    fn row_of(&mut self, frame: &Frame, i: usize, factor: f64, terms: &[(usize, f64)], right: f64) {
        let mut all = terms.to_vec();
        frame.matrix.row(i).for_each(|j, x| all.push((j, factor * x)));
        if frame.has_intercept() {
            all.push((frame.columns(), factor));
        }
        self.links.push((self.right.len(), i, factor));
        self.row(&all, right);
    }

    /// `Σ coefficient·x ≤ right`.
    fn at_most(&mut self, terms: &[(usize, f64)], right: f64) {
        self.row(terms, right);
        self.cones.push(NonnegativeConeT(1));
    }

    /// `variable ≥ offset + factor·z_i`.
    fn above(&mut self, frame: &Frame, i: usize, variable: usize, factor: f64, offset: f64) {
        self.row_of(frame, i, factor, &[(variable, -1.0)], -offset);
        self.cones.push(NonnegativeConeT(1));
    }

    /// The penalty, on variables 0..d and the intercept's.
    fn penalty(&mut self, frame: &Frame) {
        let d = frame.columns();
        let used = d + usize::from(frame.has_intercept());
        (0..used).for_each(|j| {
            self.variable(frame.curvature(j), 0.0);
        });
        let Penalty { lambda1, .. } = frame.penalty;
        let constant = if frame.intercept == Intercept::Penalized { lambda1 } else { 0.0 };
        for j in 0..used {
            let l1 = if j < d { frame.penalty.l1(j) } else { constant };
            if l1 == 0.0 {
                continue;
            }
            let magnitude = self.variable(0.0, l1);
            self.at_most(&[(j, 1.0), (magnitude, -1.0)], 0.0);
            self.at_most(&[(j, -1.0), (magnitude, -1.0)], 0.0);
        }
    }

    /// The loss of row i with target y and weight c.
    fn loss(&mut self, frame: &Frame, loss: Loss, i: usize, y: f64) {
        let c = frame.weights[i];
        match loss {
            Loss::Hinge => {
                let short = self.variable(0.0, c);
                self.above(frame, i, short, -y, 1.0);
                self.at_most(&[(short, -1.0)], 0.0);
            }
            // A square needs no second bound: at a negative shortfall 0 is better.
            Loss::SquaredHinge => {
                let short = self.variable(2.0 * c, 0.0);
                self.above(frame, i, short, -y, 1.0);
            }
            Loss::Epsilon(epsilon) => {
                let excess = self.variable(0.0, c);
                self.above(frame, i, excess, 1.0, -y - epsilon);
                self.above(frame, i, excess, -1.0, y - epsilon);
                self.at_most(&[(excess, -1.0)], 0.0);
            }
            Loss::SquaredEpsilon(epsilon) => {
                let excess = self.variable(2.0 * c, 0.0);
                self.above(frame, i, excess, 1.0, -y - epsilon);
                self.above(frame, i, excess, -1.0, y - epsilon);
            }
            Loss::Quantile(tau) => {
                let value = self.variable(0.0, c);
                self.above(frame, i, value, -tau, tau * y);
                self.above(frame, i, value, 1.0 - tau, -(1.0 - tau) * y);
            }
            // ln(1 + e^(−m)) ≤ u where e^(−m−u) + e^(−u) ≤ 1, m = y z.
            Loss::Logistic => {
                let (u, wrong, right) = (self.variable(0.0, c), self.variable(0.0, 0.0), self.variable(0.0, 0.0));
                self.row_of(frame, i, y, &[(u, 1.0)], 0.0);
                self.row(&[], 1.0);
                self.row(&[(wrong, -1.0)], 0.0);
                self.row(&[(u, 1.0)], 0.0);
                self.row(&[], 1.0);
                self.row(&[(right, -1.0)], 0.0);
                self.cones.extend([ExponentialConeT(), ExponentialConeT()]);
                self.at_most(&[(wrong, 1.0), (right, 1.0)], 1.0);
            }
            // The least of ½q² + δ|t| over q + t = z − y, t = above − below.
            Loss::Huber(delta) => {
                let quadratic = self.variable(c, 0.0);
                let (above, below) = (self.variable(0.0, c * delta), self.variable(0.0, c * delta));
                self.row_of(frame, i, 1.0, &[(quadratic, -1.0), (above, -1.0), (below, 1.0)], y);
                self.cones.push(ZeroConeT(1));
                self.at_most(&[(above, -1.0)], 0.0);
                self.at_most(&[(below, -1.0)], 0.0);
            }
            // r = z − y; `choose` lets no other loss come here.
            _ => {
                let residual = self.variable(c, 0.0);
                self.row_of(frame, i, 1.0, &[(residual, -1.0)], y);
                self.cones.push(ZeroConeT(1));
            }
        }
    }

    /// Hands the program to Clarabel; ends early once `stop` is set.
    fn solve(self, tolerance: f64, stop: Arc<AtomicBool>) -> Result<Solution, String> {
        let size = self.linear.len();
        let diagonal: Vec<usize> = (0..size).collect();
        let p = CscMatrix::new_from_triplets(size, size, diagonal.clone(), diagonal, self.quadratic);
        let (rows, columns, values) = self.entries;
        let a = CscMatrix::new_from_triplets(self.right.len(), size, rows, columns, values);
        let settings = DefaultSettings {
            verbose: false,
            max_iter: 500,
            tol_gap_abs: tolerance,
            tol_gap_rel: tolerance,
            tol_feas: tolerance,
            max_threads: 1,
            ..DefaultSettings::default()
        };
        let mut solver = DefaultSolver::new(&p, &self.linear, &a, &self.right, &self.cones, settings)
            .map_err(|error| error.to_string())?;
        solver.set_termination_callback(move |_| stop.load(Ordering::Relaxed));
        solver.solve();
        let solution = solver.solution;
        Ok(Solution {
            x: solution.x,
            multipliers: solution.z,
            iterations: solution.iterations,
            status: solution.status.to_string(),
        })
    }
}

/// Minimises the problem of any one-output loss of which [`Program::loss`] knows the cones.
pub(crate) fn solve(frame: &Frame, losses: &impl Losses, loss: Loss, targets: &[f64], tracker: &mut Tracker) {
    let d = frame.columns();
    let mut program = Program::default();
    program.penalty(frame);
    (0..frame.rows()).for_each(|i| program.loss(frame, loss, i, targets[i]));
    let links = program.links.clone();
    let tolerance = (TOLERANCE * tracker.wanted()).clamp(LEAST_TOLERANCE, 1e-8);
    let solution = match watched(program, tolerance, tracker) {
        Ok(solution) => solution,
        Err(why) => {
            tracker.trouble = Some(format!("Clarabel: {why}"));
            return;
        }
    };
    tracker.explored += u64::from(solution.iterations);
    let intercept = if frame.intercept == Intercept::None { 0.0 } else { solution.x[d] };
    let point = Point { weights: solution.x[..d].to_vec(), intercepts: vec![intercept] };
    let mut z = vec![0.0; frame.rows()];
    let upper = frame.upper(losses, &point, &mut z);
    tracker.offer_point(upper, &point);
    let (mut alpha, mut v) = (vec![0.0; frame.rows()], vec![0.0; d]);
    for (constraint, i, coefficient) in links {
        alpha[i] -= coefficient * solution.multipliers[constraint];
    }
    let (lower, _) = frame.lower(losses, &mut alpha, &mut v);
    tracker.offer_dual(lower, &alpha);
    losses.natural_dual(&z, &mut alpha);
    let (lower, _) = frame.lower(losses, &mut alpha, &mut v);
    tracker.offer_dual(lower, &alpha);
    tracker.report("clarabel");
    if !tracker.reached() {
        tracker.trouble = Some(format!("Clarabel ended with status {} before the gap was reached", solution.status));
    }
}

/// Runs Clarabel on a thread of its own while this one asks the monitor whether to stop; Clarabel hears of it at its next
/// iteration.
fn watched(program: Program, tolerance: f64, tracker: &Tracker) -> Result<Solution, String> {
    let stop = Arc::new(AtomicBool::new(false));
    let heard = Arc::clone(&stop);
    std::thread::scope(|scope| {
        let (send, receive) = channel();
        let worker = std::thread::Builder::new().spawn_scoped(scope, move || {
            // The other side waits until this is sent or dropped.
            let _ = send.send(program.solve(tolerance, heard));
        });
        let worker = worker.map_err(|error| error.to_string())?;
        loop {
            match receive.recv_timeout(ASK_EVERY) {
                Ok(result) => return result,
                Err(RecvTimeoutError::Disconnected) => {
                    let failed = worker.join().is_err();
                    return Err(if failed { "it panicked" } else { "it ended without a result" }.into());
                }
                Err(RecvTimeoutError::Timeout) if tracker.stop().is_some() => stop.store(true, Ordering::Relaxed),
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    })
}
