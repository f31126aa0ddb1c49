//! Entries, outputs and norms against arithmetic of 2,000 bits.

use dashu_float::{FBig, round::mode::HalfEven};
use infimum_problem::{
    Certificate, Claim, ClassWeight, ColumnNames, Dataset, DenseMatrix, Ending, Format, Intercept, Kernel, Loss,
    Matrix, Model, Objective, Problem, Recipe, Source, SparseMatrix, Strength, Target, Task, Values,
};
use infimum_rigor::Interval;
use proptest::prelude::*;

use super::entries::{Entries, LANES};
use super::{objection, products};

type Big = FBig<HalfEven>;

fn big(x: f64) -> Big {
    Big::try_from(x).expect("finite").with_precision(2_000).value()
}

/// Numbers that a matrix may hold, of all magnitudes.
fn number() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => prop::sample::select(vec![0.0, 1.0, -1.0, 0.25, -2.5, 3.0, 1.0 + f64::EPSILON, 3.0 - 4.0 * f64::EPSILON]),
        2 => -10.0..10.0f64,
        1 => -1e4..-0.9e4f64,
        1 => (1.0..9.0f64, -100..100i32).prop_map(|(m, e)| m * 10f64.powi(e)),
    ]
}

/// γ and c likewise.
fn positive() -> impl Strategy<Value = f64> {
    prop_oneof![1e-4..2.0f64, (1.0..9.0f64, -100..100i32).prop_map(|(m, e)| m * 10f64.powi(e))]
}

fn kernel() -> impl Strategy<Value = Kernel> {
    prop_oneof![
        positive().prop_map(|gamma| Kernel::Rbf { gamma }),
        (positive(), prop_oneof![1u32..6, Just(64)], prop_oneof![Just(0.0), positive()])
            .prop_map(|(gamma, degree, coef0)| Kernel::Polynomial { gamma, degree, coef0 }),
    ]
}

/// Rows, some of them equal, some nearly so.
fn rows() -> impl Strategy<Value = Vec<Vec<f64>>> {
    (1usize..8, 0usize..6).prop_flat_map(|(n, d)| {
        (prop::collection::vec(prop::collection::vec(number(), d), n), prop::collection::vec(0usize..12, n)).prop_map(
            |(mut rows, copies)| {
                for (i, copy) in copies.into_iter().enumerate().filter(|entry| entry.1 < 6) {
                    rows[i] = rows[copy % (i + 1)].clone();
                    // 0.0 stays so: its neighbour is no number that a matrix may hold.
                    if let Some(x) = rows[i].first_mut().filter(|x| copy % 2 == 1 && x.abs() > 1e-99) {
                        *x = x.next_up();
                    }
                }
                rows
            },
        )
    })
}

fn matrix(rows: &[Vec<f64>], sparse: bool) -> Matrix {
    let columns = rows[0].len();
    if !sparse {
        return Matrix::Dense(DenseMatrix { rows: rows.len(), columns, values: rows.concat().into() });
    }
    let mut matrix = SparseMatrix {
        rows: rows.len(),
        columns,
        row_starts: vec![0],
        column_indices: Vec::new(),
        values: Values::default(),
    };
    for row in rows {
        for (j, &x) in row.iter().enumerate().filter(|entry| *entry.1 != 0.0) {
            matrix.column_indices.push(j as u32);
            matrix.values.push(x);
        }
        matrix.row_starts.push(matrix.values.len());
    }
    Matrix::Sparse(matrix)
}

/// K(x, y); exp(−10⁴) and less count as 0.
fn exact(kernel: Kernel, x: &[f64], y: &[f64]) -> Big {
    match kernel {
        Kernel::Rbf { gamma } => {
            let sum = x.iter().zip(y).fold(big(0.0), |sum, (&x, &y)| {
                let difference = big(x) - big(y);
                sum + &difference * &difference
            });
            let exponent = big(gamma) * sum;
            if exponent > big(1e4) { big(0.0) } else { (-exponent.with_precision(300).value()).exp() }
        }
        Kernel::Polynomial { gamma, degree, coef0 } => {
            let sum = x.iter().zip(y).fold(big(0.0), |sum, (&x, &y)| sum + big(x) * big(y));
            let base = big(gamma) * sum + big(coef0);
            (1..degree).fold(base.clone(), |power, _| power * &base)
        }
    }
}

fn magnitude(x: &Big) -> Big {
    if *x < big(0.0) { -x.clone() } else { x.clone() }
}

fn encloses(interval: Interval, exact: &Big) -> bool {
    (interval.lower == f64::NEG_INFINITY || big(interval.lower) <= *exact)
        && (interval.upper == f64::INFINITY || *exact <= big(interval.upper))
}

/// A problem with these rows and a certificate with these coefficients, as far as products look at them.
fn case(matrix: Matrix, kernel: Kernel, beta: &[f64], alpha: &[f64]) -> (Problem, Certificate) {
    let (n, columns) = (matrix.rows(), matrix.columns());
    let objective = Objective {
        loss: Loss::Squared,
        intercept: Intercept::None,
        lambda1: 0.0,
        lambda2: 1.0,
        scales: None,
        kernel: Some(kernel),
    };
    let recipe = Recipe {
        format: Format::Csv,
        header: false,
        target: "1".into(),
        more_targets: Vec::new(),
        sample_weight: None,
        task: Task::Regression,
        class_weight: ClassWeight::Uniform,
        split: None,
        subset: None,
        standardize: false,
        loss: Loss::Squared,
        intercept: Intercept::None,
        strength: Strength::C(1.0),
        kernel: Some(kernel),
    };
    let claim = Claim {
        version: 1,
        kind: "convex".into(),
        source: Source { path: "memory".into(), sha256: String::new() },
        recipe,
        problem_sha256: String::new(),
        lambda1: 0.0,
        lambda2: 1.0,
        rows: n,
        columns,
        outputs: 1,
        total_weight: n as f64,
        lower: 0.0,
        upper: 0.0,
        gap: 0.0,
        abs_gap: 0.0,
        ending: Ending::Stalled,
    };
    let data = Dataset {
        matrix,
        column_names: ColumnNames::numbered(columns),
        target: Target::Real(vec![0.0; n]),
        weights: vec![1.0; n],
        total_weight: n as f64,
    };
    let model = Model { outputs: 1, columns: n, weights: beta.to_vec(), intercepts: vec![0.0] };
    (Problem { data, objective }, Certificate { claim, model, dual: alpha.to_vec() })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn entries_are_within_their_bound(rows in rows(), kernel in kernel(), sparse in any::<bool>()) {
        let matrix = matrix(&rows, sparse);
        let entries = Entries::new(&matrix, kernel).expect("short rows");
        let mut block = entries.block();
        let (mut values, mut magnitudes) = ([0.0; LANES], [0.0; LANES]);
        // Twice: the second filling must not see the first.
        for chosen in [(0..rows.len()).collect::<Vec<_>>(), (0..rows.len()).rev().step_by(2).collect()] {
            entries.fill(&mut block, &chosen);
            for (i, x) in rows.iter().enumerate() {
                entries.row(i, &block, &mut values, &mut magnitudes);
                for (lane, &j) in chosen.iter().enumerate() {
                    if !values[lane].is_finite() || !magnitudes[lane].is_finite() {
                        // Nothing is claimed about such entries; `products` refuses them.
                        continue;
                    }
                    let exact = exact(kernel, x, &rows[j]);
                    let error = magnitude(&(&exact - big(values[lane])));
                    let bound = big(entries.kappa) * big(magnitudes[lane]) + big(super::COVER);
                    prop_assert!(error <= bound, "{kernel:?} {x:?} {:?}: {:e} ± {bound:?}", rows[j], values[lane]);
                }
            }
        }
    }

    #[test]
    fn products_enclose(
        rows in rows(),
        kernel in kernel(),
        sparse in any::<bool>(),
        coefficients in prop::collection::vec((number(), number()), 8),
    ) {
        let n = rows.len();
        let beta: Vec<f64> = coefficients.iter().take(n).map(|pair| pair.0).collect();
        let alpha: Vec<f64> = coefficients.iter().take(n).map(|pair| pair.1).collect();
        let (problem, certificate) = case(matrix(&rows, sparse), kernel, &beta, &alpha);
        prop_assert_eq!(objection(&problem, kernel), None);
        let products = products(&problem, kernel, &certificate).expect("short rows");
        let row = |vector: &[f64], i: usize| {
            vector.iter().zip(&rows).fold(big(0.0), |sum, (&c, y)| sum + big(c) * exact(kernel, y, &rows[i]).with_precision(2_000).value())
        };
        let norm = |vector: &[f64]| (0..n).fold(big(0.0), |sum, i| sum + big(vector[i]) * row(vector, i));
        for i in 0..n {
            prop_assert!(encloses(products.outputs[i], &row(&beta, i)), "output {i}: {:?}", products.outputs[i]);
        }
        for (upper, vector) in [(products.primal_norms[0], &beta), (products.dual_norms[0], &alpha)] {
            prop_assert!(upper == f64::INFINITY || norm(vector) <= big(upper), "{upper:e}");
        }
    }
}

/// A hundred rows (more than three blocks) of ordinary size: the enclosures are narrow, and right.
#[test]
fn many_rows_give_narrow_enclosures() {
    let entry = |i: usize, j: usize| ((i * 37 + j * 101 + i * j * 13) % 41) as f64 / 20.0 - 1.0;
    let rows: Vec<Vec<f64>> = (0..100).map(|i| (0..4).map(|j| entry(i, j)).collect()).collect();
    let beta: Vec<f64> = (0..100).map(|i| if i % 3 == 0 { 0.0 } else { entry(i, 7) }).collect();
    for kernel in [Kernel::Rbf { gamma: 0.7 }, Kernel::Polynomial { gamma: 0.5, degree: 3, coef0: 1.0 }] {
        for sparse in [false, true] {
            let (problem, certificate) = case(matrix(&rows, sparse), kernel, &beta, &beta);
            let products = products(&problem, kernel, &certificate).expect("short rows");
            let outputs: Vec<Big> = (0..100)
                .map(|i| {
                    rows.iter().zip(&beta).fold(big(0.0), |sum, (y, &b)| sum + big(b) * exact(kernel, y, &rows[i]))
                })
                .collect();
            for (enclosure, output) in products.outputs.iter().zip(&outputs) {
                assert!(encloses(*enclosure, output) && enclosure.upper - enclosure.lower < 1e-11, "{enclosure:?}");
            }
            let norm = beta.iter().zip(&outputs).fold(big(0.0), |sum, (&b, output)| sum + big(b) * output);
            assert!(norm <= big(products.primal_norms[0]) && big(products.primal_norms[0]) < norm + big(1e-9));
            assert_eq!(products.primal_norms, products.dual_norms);
        }
    }
}

/// What the theorem and the error analysis do not cover is refused before anything is computed.
#[test]
fn outside_the_domain() {
    let rbf = Kernel::Rbf { gamma: 1.0 };
    let with = |x: f64, kernel: Kernel| case(matrix(&[vec![x], vec![1.0]], false), kernel, &[0.0; 2], &[0.0; 2]).0;
    for x in [f64::NAN, f64::INFINITY, f64::MIN_POSITIVE, 0.9e-100, -1.1e100] {
        assert!(objection(&with(x, rbf), rbf).is_some_and(|why| why.contains("row 1, column 1")), "{x:e}");
    }
    for gamma in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let kernel = Kernel::Rbf { gamma };
        assert!(objection(&with(1.0, kernel), kernel).is_some(), "{gamma}");
    }
    let negative = Kernel::Polynomial { gamma: 1.0, degree: 2, coef0: -1.0 };
    assert!(objection(&with(1.0, negative), negative).is_some());
    for (lambda1, lambda2) in [(0.5, 1.0), (0.0, 0.0), (0.0, f64::NAN)] {
        let mut problem = with(1.0, rbf);
        (problem.objective.lambda1, problem.objective.lambda2) = (lambda1, lambda2);
        assert!(objection(&problem, rbf).is_some(), "{lambda1} {lambda2}");
    }
}

/// Entries beyond the largest `f64` prove nothing: infinite bounds, never finite wrong ones.
#[test]
fn overflow_proves_nothing() {
    let kernel = Kernel::Polynomial { gamma: 1.0, degree: 4, coef0: 0.0 };
    for sparse in [false, true] {
        let (problem, certificate) =
            case(matrix(&[vec![1e90], vec![-1e90]], sparse), kernel, &[1.0, 1.0], &[1e-300, -1e-300]);
        let products = products(&problem, kernel, &certificate).expect("short rows");
        assert_eq!(products.outputs, [Interval::ALL; 2]);
        assert_eq!((products.primal_norms[0], products.dual_norms[0]), (f64::INFINITY, f64::INFINITY));
    }
}
