//! The cone program against the bounds that the chosen solver proves, on well-conditioned problems: it reaches the gap asked for.

use std::sync::atomic::{AtomicBool, Ordering};

use infimum_convex::{Options, Solver, solve};
use infimum_problem::{
    ColumnNames, Dataset, DenseMatrix, Ending, Event, Intercept, Loss, Matrix, Monitor, Objective, Outcome, Problem,
    Silent, Stop, Target,
};

use crate::{certificate, to_sparse};

/// Relative gap asked for.
const GAP: f64 = 1e-7;

/// 60 rows, 4 columns of one size, labels and values that depend on them with noise.
fn problem(loss: Loss, intercept: Intercept, penalty: usize, sparse: bool, seed: u64) -> Problem {
    let (n, d) = (60, 4);
    let mut state = seed;
    let mut next = move || {
        // xorshift64*
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        (state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    };
    let values: Vec<f64> = (0..n * d).map(|_| if next() < -0.4 { 0.0 } else { next() }).collect();
    let score: Vec<f64> = (0..n).map(|i| values[i * d] - 2.0 * values[i * d + 1] + 0.3 + 0.5 * next()).collect();
    let target = if loss.is_classification() {
        let labels = ["a", "b", "c"].map(String::from).to_vec();
        let class = |score: &f64| {
            if *score < -0.5 {
                0
            } else if *score < 0.7 {
                1
            } else {
                2
            }
        };
        Target::Class { labels, classes: score.iter().map(class).collect() }
    } else {
        Target::Real(score)
    };
    let dense = DenseMatrix { rows: n, columns: d, values: values.into() };
    let matrix = if sparse { Matrix::Sparse(to_sparse(&dense)) } else { Matrix::Dense(dense) };
    let (lambda1, lambda2) = [(0.0, 2.0), (1.0, 0.0), (0.5, 1.0)][penalty];
    Problem {
        data: Dataset {
            matrix,
            column_names: ColumnNames::numbered(d),
            target,
            weights: (0..n).map(|i| if i % 3 == 0 { 1.5 } else { 1.0 }).collect(),
            total_weight: 70.0,
        },
        objective: Objective { loss, intercept, lambda1, lambda2, scales: None, kernel: None },
    }
}

fn options(solver: Option<Solver>) -> Options {
    Options { gap: GAP, abs_gap: 0.0, solver, threads: 1, seed: 1, start: None }
}

/// The outcome, after the checker has proven what it claims.
fn proven(problem: &Problem, solver: Option<Solver>) -> Option<Outcome> {
    let options = options(solver);
    let outcome = solve(problem, &options, &Silent).ok()?;
    let verdict = infimum_check::check_problem(problem, &certificate(problem, &outcome, &options));
    let verdict = verdict.unwrap_or_else(|refusal| panic!("{solver:?}: {refusal}"));
    assert!(verdict.lower >= outcome.lower && verdict.upper <= outcome.upper, "{solver:?}");
    Some(outcome)
}

/// How many of 18 problems of `loss` Clarabel takes; each is solved to the gap and compared.
fn taken(loss: Loss) -> usize {
    let mut taken = 0;
    for case in 0..18 {
        let intercept = [Intercept::Free, Intercept::Penalized, Intercept::None][case % 3];
        let (penalty, sparse) = (case / 3 % 3, case % 2 == 0);
        let problem = problem(loss, intercept, penalty, sparse, 17 + case as u64);
        let Some(outcome) = proven(&problem, Some(Solver::Clarabel)) else {
            continue;
        };
        taken += 1;
        let best = proven(&problem, None).expect("a solver is chosen");
        let what = format!("{} {intercept:?} penalty {penalty}", loss.name());
        let (lower, upper) = (outcome.lower, outcome.upper);
        assert!(lower <= best.upper && upper >= best.lower, "{what}: {lower} .. {upper}");
        assert_eq!(outcome.ending, Ending::Optimal, "{what}: {lower} .. {upper}: {}", outcome.message);
        assert_eq!(outcome.solver, "clarabel");
    }
    taken
}

#[test]
fn clarabel_reaches_the_gap_on_every_loss_that_it_takes() {
    for loss in Loss::ALL {
        let expected = if matches!(loss, Loss::Softmax | Loss::Poisson) { 0 } else { 18 };
        assert_eq!(taken(loss), expected, "{}", loss.name());
    }
}

/// A monitor that says stop from the second question on: after the solver has begun.
struct Stopped(AtomicBool);

impl Monitor for Stopped {
    fn report(&self, _event: Event) {}

    fn stop(&self) -> Option<Stop> {
        self.0.swap(true, Ordering::Relaxed).then_some(Stop::Interrupted)
    }
}

#[test]
fn a_stopped_cone_program_still_has_a_certificate() {
    let problem = problem(Loss::Hinge, Intercept::Free, 0, true, 5);
    let options = Options { gap: 0.0, ..options(Some(Solver::Clarabel)) };
    let outcome = solve(&problem, &options, &Stopped(AtomicBool::new(false))).expect("it is taken");
    assert_eq!(outcome.ending, Ending::Interrupted);
    let verdict = infimum_check::check_problem(&problem, &certificate(&problem, &outcome, &options));
    assert!(verdict.is_ok());
}
