//! What values are stored as changes no bit: problems kept as singles and as doubles have the same outcome from every solver,
//! and the checker finds the same numbers in both.

use std::sync::atomic::AtomicU64;

use infimum_convex::{Options, Solver, solve};
use infimum_problem::{Intercept, Kernel, Loss, Matrix, Outcome, Problem, Values};
use proptest::prelude::*;

use crate::{Budget, certificate, problem};

/// Models, bounds and dual points as bits.
fn bits(outcome: &Outcome) -> Vec<u64> {
    let model = outcome.model.weights.iter().chain(&outcome.model.intercepts);
    model.chain([&outcome.lower, &outcome.upper]).chain(&outcome.dual).map(|x| x.to_bits()).collect()
}

/// The problem with its values, which are all exact as singles, stored so.
fn narrowed(problem: &Problem) -> Problem {
    let mut narrow = problem.clone();
    let values = match &mut narrow.data.matrix {
        Matrix::Dense(matrix) => &mut matrix.values,
        Matrix::Sparse(matrix) => &mut matrix.values,
        Matrix::Spilled(_) => unreachable!("rows in memory"),
    };
    *values = std::mem::take(values).narrowed();
    assert!(matches!(values, Values::Singles(_)));
    narrow
}

fn verify(double: &Problem) -> Result<(), TestCaseError> {
    let single = narrowed(double);
    for solver in [None].into_iter().chain(Solver::ALL.map(Some)) {
        let options = Options { gap: 1e-6, abs_gap: 0.0, solver, threads: 1, seed: 1, start: None };
        let [one, other] = [double, &single].map(|problem| solve(problem, &options, &Budget(AtomicU64::new(0))));
        let (one, other) = match (one, other) {
            (Ok(one), Ok(other)) => (one, other),
            (one, other) => {
                prop_assert_eq!(
                    one.map(|_| ()).map_err(|e| e.to_string()),
                    other.map(|_| ()).map_err(|e| e.to_string())
                );
                continue;
            }
        };
        prop_assert_eq!(bits(&one), bits(&other), "{:?}", solver);
        let certificate = certificate(double, &one, &options);
        let [one, other] = [double, &single].map(|problem| infimum_check::check_problem(problem, &certificate));
        let numbers = |verdict: Result<infimum_check::Verdict, infimum_check::Refusal>| {
            verdict.map(|verdict| (verdict.lower, verdict.upper)).map_err(|refusal| refusal.to_string())
        };
        prop_assert_eq!(numbers(one), numbers(other), "{:?}", solver);
    }
    Ok(())
}

/// The loss with a kernel, which needs λ1 = 0, λ2 > 0 and no scales.
fn with_kernel(mut problem: Problem, kernel: Kernel) -> Problem {
    problem.objective.lambda1 = 0.0;
    problem.objective.lambda2 = 0.7;
    problem.objective.scales = None;
    problem.objective.kernel = Some(kernel);
    problem
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn logistic(problem in problem(Loss::Logistic, Intercept::Free)) { verify(&problem)?; }

    #[test]
    fn hinge(problem in problem(Loss::Hinge, Intercept::Free)) { verify(&problem)?; }

    #[test]
    fn squared_hinge(problem in problem(Loss::SquaredHinge, Intercept::None)) { verify(&problem)?; }

    #[test]
    fn squared(problem in problem(Loss::Squared, Intercept::Penalized)) { verify(&problem)?; }

    #[test]
    fn softmax(problem in problem(Loss::Softmax, Intercept::Free)) { verify(&problem)?; }

    #[test]
    fn rbf(problem in problem(Loss::Hinge, Intercept::Free)) {
        verify(&with_kernel(problem, Kernel::Rbf { gamma: 0.3 }))?;
    }

    #[test]
    fn polynomial(problem in problem(Loss::Epsilon(0.1), Intercept::Free)) {
        verify(&with_kernel(problem, Kernel::Polynomial { gamma: 0.5, degree: 2, coef0: 1.0 }))?;
    }
}
