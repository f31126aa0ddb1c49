//! Every loss × penalty × intercept × weights × storage on random small problems: lower and upper enclose the optimum
//! that Clarabel finds, the gap asked for is reached, and the checker proves at least what is claimed.

mod clarabel;
mod cone_program;
mod kernel;
mod many_rows;
mod poisson;
mod storage;

use std::sync::atomic::{AtomicU64, Ordering};

use infimum_convex::{Options, Solver, solve};
use infimum_problem::{
    Certificate, Claim, ClassWeight, ColumnNames, Dataset, DenseMatrix, Ending, Event, Format, Intercept, Loss, Matrix,
    Monitor, Objective, Outcome, Problem, Recipe, Silent, Source, SparseMatrix, Stop, Strength, Target, Task, Values,
};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};

/// A random problem. Values are small integers and quarters, so that duplicates and ties are common.
fn problem(loss: Loss, intercept: Intercept) -> impl Strategy<Value = Problem> {
    targeted(loss, intercept, false)
}

/// The same with several targets.
fn of_several(loss: Loss, intercept: Intercept) -> impl Strategy<Value = Problem> {
    targeted(loss, intercept, true)
}

fn targeted(loss: Loss, intercept: Intercept, several: bool) -> impl Strategy<Value = Problem> {
    (2usize..12, 0usize..5, 2u32..5, any::<u64>(), 0usize..3, any::<bool>(), any::<bool>(), any::<bool>()).prop_map(
        move |(n, d, labels, seed, penalty, sparse, weighted, scaled)| {
            let mut state = seed;
            let mut next = move || {
                // splitmix64
                state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
                let mut x = state;
                x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
                x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
                x ^ (x >> 31)
            };
            let labels = labels.min(n as u32);
            let classes: Vec<u32> = (0..n)
                .map(|i| if i < labels as usize { i as u32 } else { (next() % u64::from(labels)) as u32 })
                .collect();
            let values: Vec<f64> =
                (0..n * d).map(|_| [0.0, 0.0, 1.0, -1.0, 0.25, -2.5, 3.0][(next() % 7) as usize]).collect();
            let lowest = if loss == Loss::Poisson { 0.0 } else { -4.0 };
            let mut number = || (next() % 9) as f64 + lowest;
            let target = if several {
                let sign = |number: f64| if number < 1.0 { -1.0 } else { 1.0 };
                let mut value = || if loss.is_margin() { sign(number()) } else { number() };
                let names = (0..labels).map(|k| format!("y{k}")).collect();
                Target::Several { names, values: (0..n * labels as usize).map(|_| value()).collect() }
            } else if !loss.is_classification() {
                Target::Real((0..n).map(|_| number()).collect())
            } else {
                Target::Class { labels: (0..labels).map(|k| k.to_string()).collect(), classes }
            };
            let weights: Vec<f64> = (0..n)
                .map(|_| if weighted { [0.01, 0.3, 1.0, 7.0, 50.0][(next() % 5) as usize] } else { 1.0 })
                .collect();
            let strength = [0.02, 0.3, 1.0, 8.0][(next() % 4) as usize];
            let scales =
                scaled.then(|| (0..d).map(|_| [0.1, 0.7, 1.0, 12.0][(next() % 4) as usize]).collect::<Vec<f64>>());
            let (lambda1, lambda2) = [(0.0, strength), (strength, 0.0), (0.5 * strength, strength)][penalty];
            let dense = DenseMatrix { rows: n, columns: d, values: values.into() };
            let matrix = if sparse { Matrix::Sparse(to_sparse(&dense)) } else { Matrix::Dense(dense) };
            Problem {
                data: Dataset {
                    matrix,
                    column_names: ColumnNames::numbered(d),
                    target,
                    total_weight: weights.iter().sum(),
                    weights,
                },
                objective: Objective { loss, intercept, lambda1, lambda2, scales, kernel: None },
            }
        },
    )
}

fn to_sparse(dense: &DenseMatrix) -> SparseMatrix {
    let mut sparse = SparseMatrix {
        rows: dense.rows,
        columns: dense.columns,
        row_starts: vec![0],
        column_indices: vec![],
        values: Values::default(),
    };
    for i in 0..dense.rows {
        for (j, x) in dense.row(i).iter().enumerate().filter(|entry| entry.1 != 0.0) {
            sparse.column_indices.push(j as u32);
            sparse.values.push(x);
        }
        sparse.row_starts.push(sparse.values.len());
    }
    sparse
}

/// A certificate of the outcome; what is not part of the problem in memory is filled in plainly.
fn certificate(problem: &Problem, outcome: &Outcome, options: &Options) -> Certificate {
    let objective = &problem.objective;
    let recipe = Recipe {
        format: Format::Csv,
        header: false,
        target: "1".into(),
        more_targets: Vec::new(),
        sample_weight: None,
        task: if objective.loss.is_classification() { Task::Classification } else { Task::Regression },
        class_weight: ClassWeight::Uniform,
        split: None,
        subset: None,
        standardize: objective.scales.is_some(),
        loss: objective.loss,
        intercept: objective.intercept,
        strength: Strength::C(1.0),
        kernel: objective.kernel,
    };
    let claim = Claim {
        version: 1,
        kind: "convex".into(),
        source: Source { path: "memory".into(), sha256: String::new() },
        recipe,
        problem_sha256: String::new(),
        lambda1: objective.lambda1,
        lambda2: objective.lambda2,
        rows: problem.data.rows(),
        columns: problem.data.columns(),
        outputs: problem.outputs(),
        total_weight: problem.data.total_weight,
        lower: outcome.lower,
        upper: outcome.upper,
        gap: options.gap,
        abs_gap: options.abs_gap,
        ending: outcome.ending,
    };
    Certificate { claim, model: outcome.model.clone(), dual: outcome.dual.clone() }
}

/// A monitor that stops after so many questions whether to stop: slow solvers end there with what they have.
struct Budget(AtomicU64);

impl Monitor for Budget {
    fn report(&self, _event: Event) {}

    fn stop(&self) -> Option<Stop> {
        let spent = self.0.fetch_add(1, Ordering::Relaxed) >= QUESTIONS;
        spent.then_some(Stop::TimeLimit)
    }
}

/// Questions of a budget: some thousand iterations or epochs of a first-order solver.
const QUESTIONS: u64 = 4_000;

/// Whether a solver may need more than a test has time for.
fn is_slow(solver: Option<Solver>) -> bool {
    matches!(solver, Some(Solver::Lbfgs | Solver::Fista | Solver::Saga | Solver::AveragedSgd))
}

/// `Optimal`, but for poisson with nothing but zeros and a free intercept, where exp runs to 0.
fn expected_ending(problem: &Problem) -> Ending {
    let objective = &problem.objective;
    match &problem.data.target {
        Target::Real(values) if objective.loss == Loss::Poisson && objective.intercept == Intercept::Free => {
            if values.iter().all(|&y| y == 0.0) { Ending::NotAttained } else { Ending::Optimal }
        }
        _ => Ending::Optimal,
    }
}

/// The chosen solver must reach the gap; every solver that takes the problem must return a certificate that encloses the
/// optimum and that the checker accepts.
fn verify(problem: &Problem) -> Result<(), TestCaseError> {
    let optimum = clarabel::optimum(problem);
    for solver in std::iter::once(None).chain(Solver::ALL.map(Some)) {
        let options = Options { gap: 1e-9, abs_gap: 1e-11, solver, threads: 1, seed: 1, start: None };
        let budget = Budget(AtomicU64::new(0));
        let monitor: &dyn Monitor = if is_slow(solver) { &budget } else { &Silent };
        let outcome = match (solve(problem, &options, monitor), solver) {
            (Ok(outcome), _) => outcome,
            (Err(_), Some(_)) => continue,
            (Err(error), None) => return Err(TestCaseError::fail(error.to_string())),
        };
        let Outcome { lower, upper, ending, message, .. } = &outcome;
        if solver.is_none() {
            prop_assert_eq!(*ending, expected_ending(problem), "{}: {} .. {}", message, lower, upper);
        }
        if let Some(optimum) = &optimum {
            // Clarabel's own accuracy; its exponential cones reach less.
            let tolerance = 2e-5 * (1.0 + optimum.value.abs()) + 2e-7 * optimum.constant.abs();
            let optimum = optimum.value;
            prop_assert!(*lower <= optimum + tolerance, "{solver:?}: lower {lower} optimum {optimum}");
            prop_assert!(*upper >= optimum - tolerance, "{solver:?}: upper {upper} optimum {optimum}");
        }
        let verdict = infimum_check::check_problem(problem, &certificate(problem, &outcome, &options))
            .map_err(|refusal| TestCaseError::fail(format!("{solver:?}: {refusal}")))?;
        prop_assert!(verdict.lower >= *lower && verdict.upper <= *upper);
    }
    Ok(())
}

macro_rules! combinations {
    ($cases:expr, $problem:ident; $($name:ident: $loss:expr, $intercept:expr;)*) => {
        proptest! {
            #![proptest_config(ProptestConfig { cases: $cases, failure_persistence: None, ..ProptestConfig::default() })]
            $(#[test] fn $name(problem in $problem($loss, $intercept)) { verify(&problem)?; })*
        }
    };
}

combinations! {
    24, of_several;
    several_labels_free: Loss::Logistic, Intercept::Free;
    several_labels_penalized: Loss::Hinge, Intercept::Penalized;
    several_labels_none: Loss::SquaredHinge, Intercept::None;
    several_numbers_free: Loss::Squared, Intercept::Free;
    several_numbers_penalized: Loss::Poisson, Intercept::Penalized;
    several_numbers_none: Loss::Quantile(0.9), Intercept::None;
}

combinations! {
    96, problem;
    logistic_free: Loss::Logistic, Intercept::Free;
    logistic_penalized: Loss::Logistic, Intercept::Penalized;
    logistic_none: Loss::Logistic, Intercept::None;
    hinge_free: Loss::Hinge, Intercept::Free;
    hinge_penalized: Loss::Hinge, Intercept::Penalized;
    hinge_none: Loss::Hinge, Intercept::None;
    squared_hinge_free: Loss::SquaredHinge, Intercept::Free;
    squared_hinge_penalized: Loss::SquaredHinge, Intercept::Penalized;
    squared_hinge_none: Loss::SquaredHinge, Intercept::None;
    squared_free: Loss::Squared, Intercept::Free;
    squared_penalized: Loss::Squared, Intercept::Penalized;
    squared_none: Loss::Squared, Intercept::None;
    epsilon_free: Loss::Epsilon(0.1), Intercept::Free;
    epsilon_penalized: Loss::Epsilon(0.5), Intercept::Penalized;
    epsilon_none: Loss::Epsilon(0.0), Intercept::None;
    squared_epsilon_free: Loss::SquaredEpsilon(0.1), Intercept::Free;
    squared_epsilon_penalized: Loss::SquaredEpsilon(1.0), Intercept::Penalized;
    squared_epsilon_none: Loss::SquaredEpsilon(0.0), Intercept::None;
    huber_free: Loss::Huber(1.35), Intercept::Free;
    huber_penalized: Loss::Huber(0.1), Intercept::Penalized;
    huber_none: Loss::Huber(3.0), Intercept::None;
    huber_narrow: Loss::Huber(0.02), Intercept::Free;
    poisson_free: Loss::Poisson, Intercept::Free;
    poisson_penalized: Loss::Poisson, Intercept::Penalized;
    poisson_none: Loss::Poisson, Intercept::None;
    quantile_free: Loss::Quantile(0.5), Intercept::Free;
    quantile_penalized: Loss::Quantile(0.9), Intercept::Penalized;
    quantile_none: Loss::Quantile(0.05), Intercept::None;
    softmax_free: Loss::Softmax, Intercept::Free;
    softmax_penalized: Loss::Softmax, Intercept::Penalized;
    softmax_none: Loss::Softmax, Intercept::None;
}

/// Optima at a kink of more rows than there are weights, or of fewer: the interior point's system loses all places there, and only the
/// face of the optimum leads on.
#[test]
fn degenerate_optima_are_reached() {
    let problem = |values: &[f64], target: Target, weights: &[f64], objective: Objective| {
        let (rows, columns) = (weights.len(), values.len() / weights.len());
        let matrix = Matrix::Dense(DenseMatrix { rows, columns, values: values.to_vec().into() });
        let total_weight = weights.iter().sum();
        let column_names = ColumnNames::numbered(columns);
        Problem { data: Dataset { matrix, column_names, target, weights: weights.to_vec(), total_weight }, objective }
    };
    let hinge = problem(
        &[-1.0, -1.0, 0.0, 1.0, -1.0, 0.0, 0.0, -2.5],
        Target::Class { labels: vec!["0".into(), "1".into()], classes: vec![0, 1] },
        &[7.0, 0.3],
        Objective {
            loss: Loss::Hinge,
            intercept: Intercept::Penalized,
            lambda1: 0.02,
            lambda2: 0.0,
            scales: None,
            kernel: None,
        },
    );
    let quantile = problem(
        &[-2.5, 3.0, 0.0, 1.0, 0.0, 0.25, 0.0, 3.0, -1.0],
        Target::Real(vec![-3.0, -4.0, -4.0]),
        &[50.0, 0.01, 50.0],
        Objective {
            loss: Loss::Quantile(0.5),
            intercept: Intercept::Free,
            lambda1: 0.15,
            lambda2: 0.3,
            scales: Some(vec![0.7, 0.1, 0.7]),
            kernel: None,
        },
    );
    // Its Hessians do not see the common shift of the intercepts.
    let softmax = problem(
        &[
            0.0, 0.0, -1.0, 0.0, 3.0, -2.5, 0.0, -2.5, 0.0, -1.0, 3.0, 0.0, -1.0, -2.5, 0.25, -2.5, 1.0, 1.0, 0.25,
            0.0, 0.0, -2.5, 0.25, -1.0,
        ],
        Target::Class { labels: vec!["0".into(), "1".into(), "2".into()], classes: vec![0, 1, 2, 2, 2, 2, 0, 0] },
        &[1.0; 8],
        Objective {
            loss: Loss::Softmax,
            intercept: Intercept::Free,
            lambda1: 0.02,
            lambda2: 0.0,
            scales: Some(vec![1.0, 0.1, 12.0]),
            kernel: None,
        },
    );
    for problem in [hinge, quantile, softmax] {
        verify(&problem).expect("reached and accepted");
    }
}

/// How often the chosen solver of a loss with kinks ends short of a gap of 1e-9: at most once in 300,000 problems.
#[test]
#[ignore = "takes minutes; ADR 22 quotes it"]
fn losses_with_kinks_hardly_ever_stall() {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[11; 32]);
    let mut runner = TestRunner::new_with_rng(ProptestConfig::default(), rng);
    let epsilons = [0.5, 0.1, 0.0].map(Loss::Epsilon);
    let quantiles = [0.5, 0.9, 0.05].map(Loss::Quantile);
    let losses: Vec<Loss> = [Loss::Hinge].into_iter().chain(epsilons).chain(quantiles).collect();
    let (mut solved, mut stalled) = (0, 0);
    while solved < 300_000 {
        for &loss in &losses {
            for intercept in [Intercept::Free, Intercept::Penalized, Intercept::None] {
                let problem = problem(loss, intercept).new_tree(&mut runner).expect("a problem").current();
                let options = Options { gap: 1e-9, abs_gap: 1e-11, solver: None, threads: 1, seed: 1, start: None };
                let outcome = solve(&problem, &options, &Silent).expect("a solver takes it");
                solved += 1;
                if outcome.ending != Ending::Optimal {
                    stalled += 1;
                    println!("{} .. {}: {}; {problem:?}", outcome.lower, outcome.upper, outcome.message);
                }
            }
        }
    }
    println!("{stalled} of {solved} stalled");
    assert!(stalled <= 1);
}

/// A monitor that stops at once.
struct Hurry;

impl Monitor for Hurry {
    fn report(&self, _event: Event) {}

    fn stop(&self) -> Option<Stop> {
        Some(Stop::TimeLimit)
    }
}

/// Sums of many equal terms, each rounded the same way, must not drift beyond the margin of a claim.
#[test]
fn claims_about_many_equal_rows_hold() {
    let rows = 300_000;
    for loss in Loss::ALL {
        let target = if loss.is_classification() {
            let labels = ["a", "b", "c"].map(String::from).to_vec();
            Target::Class { labels, classes: (0..rows as u32).map(|i| i % 3).collect() }
        } else {
            Target::Real(vec![0.3; rows])
        };
        let problem = Problem {
            data: Dataset {
                matrix: Matrix::Dense(DenseMatrix { rows, columns: 1, values: vec![0.7; rows].into() }),
                column_names: ColumnNames::numbered(1),
                target,
                weights: vec![1.0; rows],
                total_weight: rows as f64,
            },
            objective: Objective {
                loss,
                intercept: Intercept::Free,
                lambda1: 0.0,
                lambda2: 1.0,
                scales: None,
                kernel: None,
            },
        };
        for monitor in [&Hurry as &dyn Monitor, &Silent] {
            let options = Options { gap: 1e-6, abs_gap: 0.0, solver: None, threads: 1, seed: 1, start: None };
            let outcome = solve(&problem, &options, monitor).expect("a solver takes it");
            let verdict = infimum_check::check_problem(&problem, &certificate(&problem, &outcome, &options));
            assert!(verdict.is_ok(), "{}: {}", loss.name(), verdict.unwrap_err());
        }
    }
}

/// A well-conditioned problem: entries from −1 to 1, targets with noise, λ in proportion to the rows.
fn well_conditioned(loss: Loss, intercept: Intercept, (l1, l2): (f64, f64), sparse: bool) -> Problem {
    let (rows, columns) = (60, 5);
    let entry = |i: usize, j: usize| ((i * 37 + j * 101 + i * j * 13) % 41) as f64 / 20.0 - 1.0;
    let values: Vec<f64> =
        (0..rows * columns).map(|e| if e % 3 == 0 { 0.0 } else { entry(e / columns, e % columns) }).collect();
    let score = |i: usize| values[i * columns + 1] - 0.7 * values[i * columns + 2] + 0.5 * entry(i, 9);
    let target = if loss.is_classification() {
        let labels = if loss == Loss::Softmax { vec!["a", "b", "c"] } else { vec!["a", "b"] };
        let cut = |i: usize| u32::from(score(i) > 0.0) + u32::from(labels.len() == 3 && score(i) > 0.5);
        Target::Class { classes: (0..rows).map(cut).collect(), labels: labels.into_iter().map(String::from).collect() }
    } else {
        let sized = |y: f64| if loss == Loss::Poisson { y.abs() } else { y };
        Target::Real((0..rows).map(|i| sized(score(i))).collect())
    };
    let dense = DenseMatrix { rows, columns, values: values.into() };
    let matrix = if sparse { Matrix::Sparse(to_sparse(&dense)) } else { Matrix::Dense(dense) };
    Problem {
        data: Dataset {
            matrix,
            column_names: ColumnNames::numbered(columns),
            target,
            weights: (0..rows).map(|i| 0.5 + (i % 3) as f64).collect(),
            total_weight: (0..rows).map(|i| 0.5 + (i % 3) as f64).sum(),
        },
        objective: Objective { loss, intercept, lambda1: l1, lambda2: l2, scales: None, kernel: None },
    }
}

/// On well-conditioned problems L-BFGS, FISTA and SAGA reach a gap of 1e-6 wherever they apply, averaged SGD one of 2e-2 on every
/// loss; the checker accepts what they claim.
#[test]
fn first_order_solvers_reach_their_gaps() {
    let mut solved = [0; 4];
    for loss in Loss::ALL {
        for intercept in [Intercept::Free, Intercept::Penalized, Intercept::None] {
            for penalty in [(0.0, 6.0), (1.5, 0.0), (1.0, 4.0)] {
                let problem = well_conditioned(loss, intercept, penalty, penalty.0 == 1.0 || penalty.1 == 6.0);
                let solvers = [Solver::Lbfgs, Solver::Fista, Solver::Saga, Solver::AveragedSgd];
                for (index, solver) in solvers.into_iter().enumerate() {
                    let gap = if solver == Solver::AveragedSgd { 2e-2 } else { 1e-6 };
                    let options = Options { gap, abs_gap: 0.0, solver: Some(solver), threads: 1, seed: 1, start: None };
                    let budget = Budget(AtomicU64::new(0));
                    let Ok(outcome) = solve(&problem, &options, &budget) else { continue };
                    let case = format!("{} {} {intercept:?} {penalty:?}", solver.name(), loss.name());
                    let Outcome { lower, upper, ending, message, .. } = &outcome;
                    assert_eq!(*ending, Ending::Optimal, "{case}: {lower} .. {upper}; {message}");
                    let verdict = infimum_check::check_problem(&problem, &certificate(&problem, &outcome, &options));
                    assert!(verdict.is_ok(), "{case}: {}", verdict.unwrap_err());
                    solved[index] += 1;
                }
            }
        }
    }
    // Smooth losses are logistic, softmax, squared hinge, squared, squared epsilon, huber and poisson, each with three intercepts.
    // SAGA takes neither softmax nor poisson, averaged SGD all losses but softmax.
    assert_eq!(solved, [21, 63, 45, 27]);
}
