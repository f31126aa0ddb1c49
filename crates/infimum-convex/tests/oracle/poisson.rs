//! Poisson regression against scikit-learn's `PoissonRegressor`, whose objective is the mean half deviance plus alpha/2 ‖w‖², and
//! where counts are large.

use infimum_convex::{Options, Solver, solve};
use infimum_problem::{
    ColumnNames, Dataset, DenseMatrix, Ending, Intercept, Loss, Matrix, Objective, Problem, Silent, Target,
};

use super::certificate;

const ROWS: [[f64; 2]; 8] =
    [[0.5, -1.0], [1.5, 0.25], [-2.0, 1.0], [0.0, 3.0], [2.5, -0.5], [1.0, 1.0], [-1.0, -2.0], [0.25, 0.75]];
const COUNTS: [f64; 8] = [1.0, 7.0, 0.0, 2.5, 11.0, 4.0, 0.0, 3.0];
const WEIGHTS: [f64; 8] = [1.0, 2.0, 1.0, 0.5, 1.0, 3.0, 1.0, 1.5];

fn problem(rows: &[Vec<f64>], y: Vec<f64>, weights: Vec<f64>, intercept: Intercept, l2: f64) -> Problem {
    let (n, d, total_weight) = (rows.len(), rows[0].len(), weights.iter().sum::<f64>());
    Problem {
        data: Dataset {
            matrix: Matrix::Dense(DenseMatrix { rows: n, columns: d, values: rows.concat().into() }),
            column_names: ColumnNames::numbered(d),
            target: Target::Real(y),
            weights,
            total_weight,
        },
        objective: Objective {
            loss: Loss::Poisson,
            intercept,
            lambda1: 0.0,
            lambda2: l2 * total_weight,
            scales: None,
            kernel: None,
        },
    }
}

/// Coefficients, intercept and objective of scikit-learn 1.9.1 (alpha 0.3, `newton-cholesky`, tol 1e-14), polished by Newton's
/// method in extended precision.
#[test]
fn equals_scikit_learn() {
    let cases = [
        (Intercept::Free, [1.0; 8], [0.8829897132510695, 0.24794583218888855, 0.333280830821567], 0.27750206017544915),
        (Intercept::None, [1.0; 8], [1.0424070469625732, 0.3510324411070735, 0.0], 0.3172095027540081),
        (Intercept::Free, WEIGHTS, [0.8351171155630351, 0.22228123166983627, 0.44126651806266143], 0.25501491363277773),
    ];
    for (intercept, weights, parameters, objective) in cases {
        let rows: Vec<Vec<f64>> = ROWS.iter().map(|row| row.to_vec()).collect();
        let problem = problem(&rows, COUNTS.to_vec(), weights.to_vec(), intercept, 0.3);
        for solver in [None, Some(Solver::Newton), Some(Solver::NewtonCg), Some(Solver::DualCd)] {
            let options = Options { gap: 1e-12, abs_gap: 0.0, solver, threads: 1, seed: 1, start: None };
            let outcome = solve(&problem, &options, &Silent).expect("a solver takes it");
            let total = problem.data.total_weight;
            assert!((outcome.upper / total - objective).abs() < 1e-12, "{solver:?}: {}", outcome.upper / total);
            assert!((outcome.lower / total - objective).abs() < 1e-12, "{solver:?}: {}", outcome.lower / total);
            let fitted = outcome.model.weights.iter().chain(&outcome.model.intercepts);
            for (fitted, expected) in fitted.zip(parameters) {
                assert!((fitted - expected).abs() < 1e-6, "{solver:?}: {fitted} {expected}");
            }
        }
    }
}

/// Means from 1e-3 to 1e6, targets that scatter about them as counts do: the gap is reached from a start that is far away.
#[test]
fn large_counts() {
    let mut state = 1u64;
    let mut uniform = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1u64 << 53) as f64
    };
    for intercept in [Intercept::Free, Intercept::Penalized, Intercept::None] {
        for (center, spread) in [(0.0, 2.0), (7.0, 3.0), (-3.0, 2.0), (4.0, 0.1)] {
            let rows: Vec<Vec<f64>> = (0..200).map(|_| vec![uniform() - 0.5, 2.0 * uniform() - 1.0, 1.0]).collect();
            let y: Vec<f64> = (rows.iter())
                .map(|x| {
                    let mean = f64::exp(center + spread * (2.0 * x[0] + x[1]));
                    (mean + mean.sqrt() * 3.0 * (uniform() - 0.5)).round().max(0.0)
                })
                .collect();
            let problem = problem(&rows, y, vec![1.0; 200], intercept, 1e-3);
            for solver in [None, Some(Solver::NewtonCg), Some(Solver::DualCd)] {
                let options = Options { gap: 1e-9, abs_gap: 0.0, solver, threads: 1, seed: 1, start: None };
                let outcome = solve(&problem, &options, &Silent).expect("a solver takes it");
                let gap = (outcome.upper - outcome.lower) / outcome.upper;
                let place = format!("{intercept:?} {center} {spread} {solver:?}: {} {gap:e}", outcome.message);
                assert_eq!(outcome.ending, Ending::Optimal, "{place}");
                let verdict = infimum_check::check_problem(&problem, &certificate(&problem, &outcome, &options));
                assert!(verdict.is_ok(), "{place}: {}", verdict.unwrap_err());
            }
        }
    }
}

#[test]
fn negative_targets_are_refused() {
    let problem = problem(&[vec![1.0], vec![2.0]], vec![1.0, -2.0], vec![1.0; 2], Intercept::Free, 1.0);
    let options = Options { gap: 1e-9, abs_gap: 0.0, solver: None, threads: 1, seed: 1, start: None };
    let error = solve(&problem, &options, &Silent).expect_err("refused").to_string();
    assert!(error.contains("row 2") && error.contains("≥ 0"), "{error}");
}
