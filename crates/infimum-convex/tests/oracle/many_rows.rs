//! Many rows for each weight, where solves start from samples of samples, the interior point method leaves most rows on their linear pieces, and
//! categories are words of a dictionary.

use infimum_convex::{Options, Solver, solve};
use infimum_problem::{
    ColumnNames, Dataset, DenseMatrix, Ending, Intercept, Loss, Matrix, Objective, Problem, Silent, SparseMatrix,
    Target, Values,
};

use super::{certificate, clarabel, to_sparse};

/// Random numbers.
struct Random(u64);

impl Random {
    fn below(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % below
    }

    fn uniform(&mut self) -> f64 {
        self.below(1 << 30) as f64 / (1u64 << 29) as f64 - 1.0
    }
}

/// A problem over the rows of a matrix: a planted model and noise, classes or numbers.
fn over(
    matrix: Matrix,
    loss: Loss,
    intercept: Intercept,
    (lambda1, lambda2): (f64, f64),
    random: &mut Random,
) -> Problem {
    let rows = matrix.rows();
    let model: Vec<f64> = (0..matrix.columns()).map(|_| random.uniform()).collect();
    let scores: Vec<f64> = (0..rows)
        .map(|i| {
            let mut score = 0.2 + 0.7 * random.uniform();
            matrix.row(i).for_each(|j, x| score += x * model[j]);
            score
        })
        .collect();
    let target = match loss {
        Loss::Poisson => Target::Real(scores.iter().map(|score| score.exp().round()).collect()),
        _ if loss.is_classification() => {
            let labels = ["a", "b", "c"].map(String::from).to_vec();
            let class = |&score: &f64| if score < -0.4 { 0 } else { 1 + u32::from(score > 0.5) };
            Target::Class { labels, classes: scores.iter().map(class).collect() }
        }
        _ => Target::Real(scores),
    };
    let weights: Vec<f64> = (0..rows).map(|_| [0.5, 1.0, 2.0][random.below(3)]).collect();
    let total_weight = weights.iter().sum();
    let column_names = ColumnNames::numbered(matrix.columns());
    Problem {
        data: Dataset { matrix, column_names, target, weights, total_weight },
        objective: Objective { loss, intercept, lambda1, lambda2, scales: None, kernel: None },
    }
}

/// The gap is reached, the checker proves at least what is claimed, Clarabel agrees.
fn verify(problem: &Problem, solver: Option<Solver>) {
    let options = Options { gap: 1e-9, abs_gap: 0.0, solver, threads: 1, seed: 1, start: None };
    let outcome = solve(problem, &options, &Silent).expect("a solver takes it");
    let name = format!("{:?} {:?}", problem.objective, outcome.message);
    assert_eq!(outcome.ending, Ending::Optimal, "{name}");
    let verdict = infimum_check::check_problem(problem, &certificate(problem, &outcome, &options)).expect(&name);
    assert!(verdict.lower >= outcome.lower && verdict.upper <= outcome.upper, "{name}");
    if let Some(optimum) = clarabel::optimum(problem) {
        let tolerance = 2e-5 * (1.0 + optimum.value.abs()) + 2e-7 * optimum.constant.abs();
        assert!((outcome.lower - optimum.value).abs() <= tolerance, "{name}: {} {}", outcome.lower, optimum.value);
    }
}

const INTERCEPTS: [Intercept; 3] = [Intercept::Free, Intercept::Penalized, Intercept::None];
const KINKS: [Loss; 3] = [Loss::Hinge, Loss::Epsilon(0.3), Loss::Quantile(0.7)];

#[test]
fn losses_with_kinks() {
    let mut random = Random(1);
    for loss in KINKS {
        for intercept in INTERCEPTS {
            for (count, penalty) in [(0.0, 5.0), (3.0, 0.0), (2.0, 1.0)].into_iter().enumerate() {
                let rows = 3_000 + random.below(1_000);
                let values: Vec<f64> = (0..rows * 3).map(|_| random.uniform()).collect();
                let dense = DenseMatrix { rows, columns: 3, values: values.into() };
                let matrix = if count == 1 { Matrix::Sparse(to_sparse(&dense)) } else { Matrix::Dense(dense) };
                verify(&over(matrix, loss, intercept, penalty, &mut random), Some(Solver::InteriorPoint));
            }
        }
    }
}

#[test]
fn smooth_losses() {
    let mut random = Random(2);
    for loss in Loss::ALL.into_iter().filter(|loss| !KINKS.map(|loss| loss.name()).contains(&loss.name())) {
        for intercept in INTERCEPTS {
            let rows = 3_000 + random.below(1_000);
            let values: Vec<f64> = (0..rows * 3).map(|_| random.uniform()).collect();
            let matrix = Matrix::Dense(DenseMatrix { rows, columns: 3, values: values.into() });
            verify(&over(matrix, loss, intercept, (0.0, 1.0), &mut random), None);
        }
    }
}

/// Six groups of four categories.
#[test]
fn categories() {
    let mut random = Random(3);
    for loss in KINKS {
        for (intercept, penalty) in INTERCEPTS.into_iter().zip([(0.0, 2.0), (1.0, 1.0), (2.0, 0.0)]) {
            let rows = 2_500;
            let column_indices = (0..rows * 6).map(|entry| (entry % 6 * 4 + random.below(4)) as u32).collect();
            let row_starts = (0..=rows).map(|i| 6 * i).collect();
            let values = Values::from(vec![1.0f64; rows * 6]);
            let sparse = SparseMatrix { rows, columns: 24, row_starts, column_indices, values };
            verify(&over(Matrix::Sparse(sparse), loss, intercept, penalty, &mut random), Some(Solver::InteriorPoint));
        }
    }
}
