//! Kernel machines: with a factor F of the kernel matrix, K = F Fᵀ, the problem is the linear one with the rows of F (f(x_i) = F_i·w,
//! ‖f‖² = ‖w‖²), which Clarabel solves.

use infimum_convex::{Options, solve};
use infimum_problem::{DenseMatrix, Ending, Intercept, Kernel, Loss, Matrix, Outcome, Problem, Silent};
use proptest::prelude::*;

use super::{certificate, clarabel, problem, well_conditioned};

/// Every kernel with parameters that make the matrix nearly diagonal, nearly constant, and in between.
const KERNELS: [Kernel; 9] = [
    Kernel::Rbf { gamma: 0.5 },
    Kernel::Rbf { gamma: 1e-3 },
    Kernel::Rbf { gamma: 30.0 },
    Kernel::Rbf { gamma: 1e15 },
    Kernel::Polynomial { gamma: 1.0, degree: 1, coef0: 0.0 },
    Kernel::Polynomial { gamma: 0.1, degree: 2, coef0: 1.0 },
    Kernel::Polynomial { gamma: 0.3, degree: 3, coef0: 0.0 },
    Kernel::Polynomial { gamma: 0.2, degree: 4, coef0: 0.5 },
    Kernel::Polynomial { gamma: 0.01, degree: 7, coef0: 2.0 },
];

/// The kernel's value by its definition.
fn value(kernel: Kernel, x: &[f64], y: &[f64]) -> f64 {
    match kernel {
        Kernel::Rbf { gamma } => (-gamma * x.iter().zip(y).map(|(x, y)| (x - y) * (x - y)).sum::<f64>()).exp(),
        Kernel::Polynomial { gamma, degree, coef0 } => {
            (gamma * x.iter().zip(y).map(|(x, y)| x * y).sum::<f64>() + coef0).powi(degree as i32)
        }
    }
}

/// The rows of the matrix, zeros that are not stored included.
fn dense_rows(problem: &Problem) -> Vec<Vec<f64>> {
    let matrix = &problem.data.matrix;
    (0..matrix.rows())
        .map(|i| {
            let mut row = vec![0.0; matrix.columns()];
            matrix.row(i).for_each(|j, x| row[j] = x);
            row
        })
        .collect()
}

/// F by Cholesky's method with the largest pivot first, until what is left is rounding.
fn factor(kernel: Kernel, rows: &[Vec<f64>]) -> DenseMatrix {
    let n = rows.len();
    let mut left: Vec<Vec<f64>> = rows.iter().map(|x| rows.iter().map(|y| value(kernel, x, y)).collect()).collect();
    let largest = (0..n).map(|i| left[i][i]).fold(0.0, f64::max);
    let mut columns: Vec<Vec<f64>> = Vec::new();
    while columns.len() < n {
        let pivot = (0..n).max_by(|&a, &b| left[a][a].total_cmp(&left[b][b])).expect("a row");
        if left[pivot][pivot] <= 1e-14 * largest {
            break;
        }
        let root = left[pivot][pivot].sqrt();
        let column: Vec<f64> = left[pivot].iter().map(|entry| entry / root).collect();
        for i in 0..n {
            for j in 0..n {
                left[i][j] -= column[i] * column[j];
            }
        }
        columns.push(column);
    }
    let values = (0..n).flat_map(|i| columns.iter().map(move |column| column[i])).collect();
    DenseMatrix { rows: n, columns: columns.len(), values }
}

/// The same problem without a kernel.
fn linear(problem: &Problem, kernel: Kernel) -> Problem {
    let mut linear = problem.clone();
    linear.data.matrix = Matrix::Dense(factor(kernel, &dense_rows(problem)));
    linear.objective.kernel = None;
    linear
}

/// The gap is reached, the bounds enclose the optimum, the checker proves at least what is claimed.
fn verify(problem: &Problem, kernel: Kernel) -> Result<(), TestCaseError> {
    let options = Options { gap: 1e-6, abs_gap: 1e-9, solver: None, threads: 1, seed: 1, start: None };
    let outcome = solve(problem, &options, &Silent).map_err(|error| TestCaseError::fail(error.to_string()))?;
    let Outcome { lower, upper, ending, message, .. } = &outcome;
    prop_assert_eq!(*ending, Ending::Optimal, "{:?}: {}: {} .. {}", kernel, message, lower, upper);
    if let Some(optimum) = clarabel::optimum(&linear(problem, kernel)) {
        let tolerance = 2e-5 * (1.0 + optimum.value.abs()) + 2e-7 * optimum.constant.abs();
        prop_assert!(*lower <= optimum.value + tolerance, "{kernel:?}: lower {lower} optimum {}", optimum.value);
        prop_assert!(*upper >= optimum.value - tolerance, "{kernel:?}: upper {upper} optimum {}", optimum.value);
    }
    let verdict = infimum_check::check_problem(problem, &certificate(problem, &outcome, &options))
        .map_err(|refusal| TestCaseError::fail(format!("{kernel:?}: {refusal}")))?;
    prop_assert!(verdict.lower >= *lower && verdict.upper <= *upper);
    Ok(())
}

/// A random problem with one of the kernels and an L2 penalty alone.
fn kernel_problem(loss: Loss, intercept: Intercept) -> impl Strategy<Value = (Problem, Kernel)> {
    (problem(loss, intercept), prop::sample::select(KERNELS.to_vec())).prop_map(|(mut problem, kernel)| {
        let objective = &mut problem.objective;
        objective.lambda2 = objective.lambda2.max(objective.lambda1);
        (objective.lambda1, objective.scales, objective.kernel) = (0.0, None, Some(kernel));
        (problem, kernel)
    })
}

macro_rules! combinations {
    ($($name:ident: $loss:expr, $intercept:expr;)*) => {
        proptest! {
            #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]
            $(#[test] fn $name((problem, kernel) in kernel_problem($loss, $intercept)) { verify(&problem, kernel)?; })*
        }
    };
}

combinations! {
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
    quantile_free: Loss::Quantile(0.5), Intercept::Free;
    quantile_penalized: Loss::Quantile(0.9), Intercept::Penalized;
    quantile_none: Loss::Quantile(0.05), Intercept::None;
}

/// More rows than a block of the kernel matrix, weights, dense and sparse.
#[test]
fn sixty_rows() {
    for loss in
        [Loss::Hinge, Loss::SquaredHinge, Loss::Squared, Loss::Epsilon(0.1), Loss::Huber(0.3), Loss::Quantile(0.7)]
    {
        for intercept in [Intercept::Free, Intercept::Penalized, Intercept::None] {
            for (index, kernel) in KERNELS.into_iter().enumerate() {
                let mut problem = well_conditioned(loss, intercept, (0.0, 0.5), index % 2 == 0);
                problem.objective.kernel = Some(kernel);
                let verified = verify(&problem, kernel);
                assert!(verified.is_ok(), "{} {intercept:?}: {verified:?}", loss.name());
            }
        }
    }
}

/// Losses whose dual is not quadratic have no kernel solver, and say so.
#[test]
fn other_losses_are_refused() {
    for loss in [Loss::Logistic, Loss::Softmax, Loss::Poisson] {
        let mut problem = well_conditioned(loss, Intercept::Free, (0.0, 1.0), false);
        if let infimum_problem::Target::Real(values) = &mut problem.data.target {
            values.iter_mut().for_each(|y| *y = y.abs());
        }
        problem.objective.kernel = Some(KERNELS[0]);
        let options = Options { gap: 1e-6, abs_gap: 0.0, solver: None, threads: 1, seed: 1, start: None };
        let error = solve(&problem, &options, &Silent).expect_err("refused").to_string();
        assert!(error.contains(loss.name()) && error.contains("not quadratic"), "{error}");
    }
}
