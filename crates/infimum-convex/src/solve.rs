//! From a problem to an outcome: choose a solver, split one-vs-rest into independent one-output problems, run, and turn
//! the best points into the claim of a certificate.

use infimum_problem::{
    Ending, Event, Intercept, Loss, Matrix, Model, Monitor, Outcome, Problem, Stop, Target, gap_reached, relative_gap,
};

use crate::choose::choose;
use crate::frame::{Frame, Losses, Point};
use crate::losses::{ScalarLoss, with_scalar_loss};
use crate::penalty::Penalty;
use crate::sample::sample;
use crate::scalar::ScalarLosses;
use crate::softmax::SoftmaxLosses;
use crate::start::{First, offer};
use crate::tracker::{Offset, Tracker};
use crate::witness::{Witness, witness};
use crate::{
    Error, Options, Solver, Start, averaged_sgd, cone_program, design, dual_cd, fista, kernel, lbfgs, newton,
    newton_cg, pieces, saga, working_set,
};

/// Minimises the problem's objective until the gap asked for is reached, or the monitor says stop, or nothing can be
/// improved.
pub fn solve(problem: &Problem, options: &Options, monitor: &dyn Monitor) -> Result<Outcome, Error> {
    let (solver, reason) = choose(problem, options.solver)?;
    if problem.objective.kernel.is_some() && options.start.is_some() {
        return Err(Error::Unsupported("a run with --kernel starts from zero; leave the start out".into()));
    }
    if let Some(why) = options.start.as_ref().and_then(|start| start.objection(problem)) {
        return Err(Error::Unsupported(why));
    }
    monitor.report(Event::Solver { name: solver.name(), reason });
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(options.threads.max(1))
        .build()
        .map_err(|error| Error::Unsupported(format!("{} threads cannot be started: {error}", options.threads)))?;
    let monitor = &Watched { monitor, matrix: &problem.data.matrix };
    let outcome = pool.install(|| {
        let from_sample = options.start.is_none() && matches!(solver, Solver::Newton | Solver::InteriorPoint);
        let first = from_sample.then(|| guess(problem, options, solver, monitor));
        let run = Run {
            solver,
            gap: options.gap,
            abs_gap: options.abs_gap,
            seed: options.seed,
            monitor,
            claims: true,
            sampled: from_sample,
        };
        run.outcome(problem, options.start.as_ref().or(first.flatten().as_ref()))
    });
    // What was computed from rows that were not all there means nothing.
    problem.data.matrix.fault().map_or(Ok(outcome), |fault| Err(Error::Fault(fault)))
}

/// A monitor that also says stop once rows of a spilled matrix could not be read.
struct Watched<'a> {
    monitor: &'a dyn Monitor,
    matrix: &'a Matrix,
}

impl Monitor for Watched<'_> {
    fn report(&self, event: Event) {
        self.monitor.report(event);
    }

    fn stop(&self) -> Option<Stop> {
        self.monitor.stop().or_else(|| self.matrix.fault().map(|_| Stop::Interrupted))
    }
}

/// Relative gap to which the problem over a sample of the rows is solved.
const SAMPLE_GAP: f64 = 1e-4;

/// The solution over a sample of the rows, where that is worth it, itself from such a start.
fn guess(problem: &Problem, options: &Options, solver: Solver, monitor: &dyn Monitor) -> Option<Start> {
    let sample = sample(problem)?;
    let first = guess(&sample, options, solver, monitor);
    let monitor = &Unheard(monitor);
    let abs_gap = options.abs_gap;
    let run = Run { solver, gap: SAMPLE_GAP, abs_gap, seed: options.seed, monitor, claims: false, sampled: true };
    Some(Start { model: run.outcome(&sample, first.as_ref()).model, dual: None })
}

/// A monitor that is asked whether to stop, but not told anything.
struct Unheard<'m>(&'m dyn Monitor);

impl Monitor for Unheard<'_> {
    fn report(&self, _event: Event) {}

    fn stop(&self) -> Option<Stop> {
        self.0.stop()
    }
}

/// A gap that is more than a matter of rounding.
const NOTABLE: f64 = 1e-6;
/// Ratio of the largest to the smallest column from which on the advice is to standardise.
const WIDE_SPREAD: f64 = 1e6;

/// Constant output that stands for the infimum 0 of exp where all targets of `poisson` are 0.
const NEGLIGIBLE: f64 = -40.0;
/// Why no weights attain the infimum 0, and what to do about it.
const SEPARABLE: &str = "the classes can be separated and nothing penalises the weights: the loss tends to 0 along weights that run \
     to infinity. Any model can be bettered by larger weights; to get a definite one ask for a penalty, e.g. --C 1 or --l2 1e-4";
const ALL_ZERO: &str = "all targets are 0 and the intercept is free: the loss tends to 0 as the intercept runs to minus infinity. Any \
     model can be bettered by a smaller intercept; to get a definite one ask for --intercept penalized or none";

/// What one independent (sub)problem ended with.
struct Part {
    point: Point,
    witness: Witness,
    explored: u64,
    separated: bool,
    trouble: Option<String>,
}

/// Starts of a solver whose bounds turn out not to hold.
const ATTEMPTS: usize = 3;

/// How to solve a problem.
struct Run<'a> {
    solver: Solver,
    gap: f64,
    abs_gap: f64,
    seed: u64,
    monitor: &'a dyn Monitor,
    /// Whether the bounds are to hold; else only the model is wanted.
    claims: bool,
    /// Whether a start is the solution over a sample, which is sure to be better than zero.
    sampled: bool,
}

impl Run<'_> {
    /// Whether the dual point that belongs to a start is worth a pass: the first step of these solvers makes a better one.
    fn offers_natural_dual(&self) -> bool {
        !matches!(self.solver, Solver::Newton | Solver::InteriorPoint)
    }

    fn outcome(&self, problem: &Problem, start: Option<&Start>) -> Outcome {
        let objective = &problem.objective;
        let outputs = problem.outputs();
        let penalty =
            Penalty { lambda1: objective.lambda1, lambda2: objective.lambda2, scales: objective.scales.as_deref() };
        let kernel = objective.kernel.map(|kernel| kernel::Rows::new(&problem.data.matrix, kernel));
        let frame = Frame {
            kernel: kernel.as_ref(),
            dictionary: None,
            matrix: &problem.data.matrix,
            weights: &problem.data.weights,
            penalty,
            intercept: objective.intercept,
            outputs: 1,
            monitor: self.monitor,
        };
        let first = || start.map(|start| start.part(None, self.offers_natural_dual()));
        let parts: Vec<Part> = match (&problem.data.target, objective.loss) {
            (Target::Class { classes, .. }, Loss::Softmax) => {
                let frame = Frame { outputs, ..frame };
                let losses = SoftmaxLosses { classes, weights: frame.weights, outputs };
                let solve = |tracker: &mut Tracker| {
                    match self.solver {
                        Solver::WorkingSet => working_set::solve(&frame, &losses, 0.5, tracker),
                        Solver::Newton => newton::solve(&frame, &losses, tracker),
                        Solver::Lbfgs => lbfgs::solve(&frame, &losses, tracker),
                        Solver::Fista => fista::solve(&frame, &losses, tracker),
                        _ => newton_cg::solve(&frame, &losses, tracker),
                    }
                    frame.center(tracker.point.intercepts.iter_mut());
                };
                vec![self.part(&frame, &losses, self.abs_gap, Offset::default(), first(), solve)]
            }
            (Target::Class { .. } | Target::Several { .. }, _) => self.one_by_one(problem, &frame, start),
            (Target::Real(values), loss) => {
                vec![self.scalar(loss, &frame, values, self.abs_gap, Offset::default(), 0.0, first())]
            }
        };
        self.assemble(problem, parts)
    }

    /// Solves the problem of each output (one-vs-rest, or a target column), one after the other; the part of the objective that is not
    /// reached yet counts with its value at zero weights and with the bound 0.
    fn one_by_one(&self, problem: &Problem, frame: &Frame, start: Option<&Start>) -> Vec<Part> {
        let outputs = problem.outputs();
        let (loss, target) = (problem.objective.loss, &problem.data.target);
        let at_zero: Vec<f64> = (0..outputs).map(|k| at_zero(loss, frame, &target.wanted(k, outputs))).collect();
        let mut parts = Vec::with_capacity(outputs);
        let mut offset = Offset::default();
        for output in 0..outputs {
            let abs_gap = self.abs_gap / outputs as f64;
            let first = start.map(|start| start.part((outputs > 1).then_some(output), self.offers_natural_dual()));
            let targets = target.wanted(output, outputs);
            let rest = at_zero[output + 1..].iter().sum();
            let part = self.scalar(loss, frame, &targets, abs_gap, offset, rest, first);
            offset.upper += part.witness.upper;
            offset.lower += part.witness.lower;
            offset.explored += part.explored;
            parts.push(part);
        }
        parts
    }

    /// Solves the one-output problem of any loss but softmax; problems that come later have the value `rest` at 0.
    fn scalar(
        &self,
        loss: Loss,
        frame: &Frame,
        targets: &[f64],
        abs_gap: f64,
        offset: Offset,
        rest: f64,
        first: Option<First>,
    ) -> Part {
        let (is_margin, name) = (loss.is_margin(), loss);
        with_scalar_loss!(loss, |loss| {
            let losses = ScalarLosses { loss, targets, weights: frame.weights, is_margin };
            let offset = Offset { upper: offset.upper + rest, ..offset };
            match frame.kernel {
                Some(kernel) => self.kernel_part(frame, kernel, &losses, abs_gap, offset),
                None => self.part(frame, &losses, abs_gap, offset, first, |tracker| {
                    solve_scalar(frame, &losses, name, self.solver, self.seed, tracker)
                }),
            }
        })
    }

    /// Solves the one-output problem of a kernel; its points are coefficients of the rows.
    fn kernel_part<L: ScalarLoss>(
        &self,
        frame: &Frame,
        kernel: &kernel::Rows,
        losses: &ScalarLosses<L>,
        abs_gap: f64,
        offset: Offset,
    ) -> Part {
        let n = frame.rows();
        let zero = Point { weights: Vec::new(), intercepts: vec![0.0] };
        let at_zero = losses.value(&vec![0.0; n]);
        let mut tracker = Tracker::new(frame.monitor, self.gap, abs_gap, offset, zero, at_zero, n);
        tracker.report("start");
        let claim = kernel::solve(kernel, losses, frame.penalty.lambda2, frame.intercept, frame.monitor, &mut tracker);
        tracker.report("end");
        let upper = if claim.upper.is_finite() { claim.upper } else { f64::MAX };
        let witness = Witness { upper, lower: claim.lower, alpha: claim.alpha };
        Part { point: claim.point, witness, explored: tracker.explored, separated: false, trouble: tracker.trouble }
    }

    /// Solves one (sub)problem from `first`, or from zero, and makes its claim.
    fn part<S: Losses>(
        &self,
        frame: &Frame,
        losses: &S,
        abs_gap: f64,
        offset: Offset,
        first: Option<First>,
        solve: impl Fn(&mut Tracker),
    ) -> Part {
        let start = Point::zeros(frame);
        let length = frame.rows() * frame.outputs;
        let at_zero = || losses.value(&vec![0.0; length]);
        let upper = if self.sampled && first.is_some() { f64::INFINITY } else { at_zero() };
        let mut tracker = Tracker::new(self.monitor, self.gap, abs_gap, offset, start, upper, length);
        if let Some(first) = first {
            offer(frame, losses, first, &mut tracker);
        }
        if tracker.upper == f64::INFINITY {
            tracker.upper = at_zero();
        }
        tracker.report("start");
        let mut attempts = ATTEMPTS;
        let mut witness = loop {
            if !tracker.done() {
                solve(&mut tracker);
            }
            let witness = match self.claims {
                true => witness(frame, losses, &tracker.point, &tracker.alpha, tracker.room()),
                false => Witness { upper: tracker.upper, lower: 0.0, alpha: vec![0.0; length] },
            };
            attempts -= 1;
            // Outputs that a solver adds up step by step can look better than they are: it goes on from what holds.
            let holds = !self.claims || gap_reached(witness.upper, witness.lower, self.gap, abs_gap);
            if attempts == 0 || !tracker.reached() || holds {
                break witness;
            }
            (tracker.upper, tracker.lower) = (witness.upper, witness.lower);
        };
        tracker.report("end");
        let mut separated = false;
        if frame.penalty.lambda1 == 0.0 && frame.penalty.lambda2 == 0.0 {
            let mut z = vec![0.0; length];
            frame.upper(losses, &tracker.point, &mut z);
            separated = losses.separation(&z).is_some();
        }
        if !witness.upper.is_finite() {
            witness.upper = f64::MAX;
        }
        Part { point: tracker.point, witness, explored: tracker.explored, separated, trouble: tracker.trouble }
    }

    /// One outcome of all parts.
    fn assemble(&self, problem: &Problem, parts: Vec<Part>) -> Outcome {
        let (columns, outputs, rows) = (problem.model_columns(), problem.outputs(), problem.data.rows());
        // Each addition rounds once; one more unit per addition keeps the claim on the safe side.
        let slack = 1.0 + 4.0 * f64::EPSILON * parts.len() as f64;
        let several = parts.len() > 1;
        let sum = |value: fn(&Part) -> f64| parts.iter().map(value).sum::<f64>();
        let upper = sum(|part| part.witness.upper) * if several { slack } else { 1.0 };
        let lower = sum(|part| part.witness.lower) / if several { slack } else { 1.0 };
        let reached = gap_reached(upper, lower, self.gap, self.abs_gap);
        let unpenalised = problem.objective.lambda1 == 0.0 && problem.objective.lambda2 == 0.0;
        let separates = matches!(problem.objective.loss, Loss::Logistic | Loss::Softmax);
        let all_zero = matches!(&problem.data.target, Target::Real(values) if values.iter().all(|&y| y == 0.0));
        let unattained = match problem.objective.loss {
            Loss::Poisson => (all_zero && problem.objective.intercept == Intercept::Free).then_some(ALL_ZERO),
            _ if separates && unpenalised && parts.iter().all(|part| part.separated) => Some(SEPARABLE),
            _ => None,
        };
        let trouble = parts.iter().find_map(|part| part.trouble.clone());
        let (ending, message) = match self.monitor.stop() {
            _ if unattained.is_some() => (Ending::NotAttained, unattained.unwrap_or_default().to_string()),
            _ if reached => (Ending::Optimal, String::new()),
            Some(Stop::TimeLimit) => (Ending::TimeLimit, "the time limit came first".into()),
            Some(Stop::Interrupted) => (Ending::Interrupted, "interrupted".into()),
            None if !upper.is_finite() || upper == f64::MAX => {
                (Ending::NumericalTrouble, trouble.unwrap_or_else(|| "the objective overflowed".into()))
            }
            None if unpenalised => (
                Ending::Stalled,
                if separates { "without any penalty this version proves no bound above 0 unless the data is separable; give --l2 or --C" }
                else { "without any penalty this version proves no bound above 0; give --l2 or --C" }.into(),
            ),
            None => {
                let why = trouble.unwrap_or_else(|| "neither bound can be improved in double precision".into());
                let gap = relative_gap(upper, lower);
                (Ending::Stalled, if gap > NOTABLE { format!("{why}{}", scale_advice(problem)) } else { why })
            }
        };
        let explored = parts.iter().map(|part| part.explored).sum();
        let mut model = Model::zeros(outputs, columns);
        let mut dual = vec![0.0; rows * outputs];
        if several {
            for (k, part) in parts.iter().enumerate() {
                model.weights[k * columns..(k + 1) * columns].copy_from_slice(&part.point.weights);
                model.intercepts[k] = part.point.intercepts[0];
                for (i, &a) in part.witness.alpha.iter().enumerate() {
                    dual[i * outputs + k] = a;
                }
            }
        } else if let Some(part) = parts.into_iter().next() {
            model.weights = part.point.weights;
            model.intercepts = part.point.intercepts;
            dual = part.witness.alpha;
        }
        Outcome { model, dual, upper, lower, ending, solver: self.solver.name(), explored, message }
    }
}

/// The value of one-output losses with these targets where all weights are 0.
fn at_zero(loss: Loss, frame: &Frame, targets: &[f64]) -> f64 {
    let is_margin = loss.is_margin();
    with_scalar_loss!(loss, |loss| {
        ScalarLosses { loss, targets, weights: frame.weights, is_margin }.value(&vec![0.0; frame.rows()])
    })
}

/// Runs a solver for a one-output loss.
fn solve_scalar<L: ScalarLoss>(
    frame: &Frame,
    losses: &ScalarLosses<L>,
    name: Loss,
    solver: Solver,
    seed: u64,
    tracker: &mut Tracker,
) {
    if start_at_constant(frame, losses, tracker) {
        return;
    }
    match solver {
        Solver::NewtonCg => newton_cg::solve(frame, losses, tracker),
        Solver::DualCd => dual_cd::solve(frame, losses, seed, tracker),
        Solver::WorkingSet => working_set::solve(frame, losses, losses.loss.max_curvature(), tracker),
        Solver::InteriorPoint => pieces::solve(frame, losses, seed, tracker),
        Solver::Newton => newton::solve(frame, losses, tracker),
        Solver::Lbfgs => lbfgs::solve(frame, losses, tracker),
        Solver::Fista => fista::solve(frame, losses, tracker),
        Solver::Saga => saga::solve(frame, losses, seed, tracker),
        Solver::AveragedSgd => averaged_sgd::solve(frame, losses, seed, tracker),
        // Kernel problems go their own way, `kernel_part`.
        Solver::Smo => {}
        Solver::Clarabel => cone_program::solve(frame, losses, name, losses.targets, tracker),
    }
}

/// Offers the constant output that suits the mean target, for losses to which 0 may be far away and where there is no other start. Whether that is all there is to
/// do: for `poisson` with nothing but zeros any constant is beaten by a smaller one.
fn start_at_constant<L: ScalarLoss>(frame: &Frame, losses: &ScalarLosses<L>, tracker: &mut Tracker) -> bool {
    if !frame.has_intercept() {
        return false;
    }
    let total = losses.sum(|i| frame.weights[i]);
    let mean = losses.sum(|i| frame.weights[i] / total * losses.targets[i]);
    let constant = losses.loss.constant(mean);
    let unattained = frame.intercept == Intercept::Free && constant == f64::NEG_INFINITY;
    let constant = if unattained { NEGLIGIBLE } else { constant };
    let at_zero = tracker.point.weights.iter().all(|&w| w == 0.0);
    if at_zero && constant != 0.0 && constant.is_finite() {
        let mut point = Point::zeros(frame);
        point.intercepts[0] = constant;
        let upper = frame.upper(losses, &point, &mut vec![0.0; frame.rows()]);
        tracker.offer_point(upper, &point);
    }
    unattained
}

/// What to do about columns of very different sizes, a clause; empty where that is not the trouble.
fn scale_advice(problem: &Problem) -> &'static str {
    let mut largest = vec![0.0f64; problem.data.columns()];
    design::for_each_row(&problem.data.matrix, |_, row| row.for_each(|j, x| largest[j] = largest[j].max(x.abs())));
    let used = || largest.iter().filter(|&&x| x > 0.0);
    let spread = used().copied().fold(0.0, f64::max) / used().copied().fold(f64::INFINITY, f64::min);
    if spread > WIDE_SPREAD && problem.objective.scales.is_none() {
        "; the columns' sizes differ by more than a million: rescale them, or give --standardize"
    } else {
        ""
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use infimum_problem::{DenseMatrix, Matrix, Silent};

    use super::*;
    use crate::losses::Squared;
    use crate::penalty::Penalty;

    /// A value below the optimum, which a solver takes for that of its point, is not the end.
    #[test]
    fn a_value_that_does_not_hold_is_not_the_end() {
        let (targets, weights) = ([1.0, -2.0, 4.0], [1.0; 3]);
        let matrix = Matrix::Dense(DenseMatrix { rows: 3, columns: 1, values: vec![1.0, 2.0, -0.5].into() });
        let frame = Frame {
            kernel: None,
            dictionary: None,
            matrix: &matrix,
            weights: &weights,
            penalty: Penalty { lambda1: 0.0, lambda2: 1.0, scales: None },
            intercept: Intercept::None,
            outputs: 1,
            monitor: &Silent,
        };
        let losses = ScalarLosses { loss: Squared, targets: &targets, weights: &weights, is_margin: false };
        let run = Run {
            solver: Solver::Newton,
            gap: 1e-9,
            abs_gap: 0.0,
            seed: 1,
            monitor: &Silent,
            claims: true,
            sampled: false,
        };
        let starts = Cell::new(0);
        let part = run.part(&frame, &losses, 0.0, Offset::default(), None, |tracker| {
            starts.set(starts.get() + 1);
            match starts.get() {
                1 => assert!(tracker.offer_point(0.0, &Point::zeros(&frame))),
                _ => newton::solve(&frame, &losses, tracker),
            }
        });
        assert_eq!(starts.get(), 2);
        // min over w of ½(1 − w)² + ½(2 + 2w)² + ½(4 + w/2)² + ½w²: w = −5/6.25.
        let optimum = 10.5 - 0.5 * 25.0 / 6.25;
        assert!((part.witness.upper - optimum).abs() < 1e-9, "{}", part.witness.upper);
        assert!(gap_reached(part.witness.upper, part.witness.lower, run.gap, 0.0));
    }
}
