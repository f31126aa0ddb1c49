//! Kernel entries, products and working sets against their definitions.

use infimum_problem::{DenseMatrix, Kernel, Matrix, SparseMatrix};

use super::rows::{Entry, Rows};
use super::set::Set;

const ROWS: usize = 150;
const COLUMNS: usize = 11;
const KERNELS: [Kernel; 2] = [Kernel::Rbf { gamma: 0.2 }, Kernel::Polynomial { gamma: 0.5, degree: 3, coef0: 1.0 }];

/// The value of a row in a column, one in `sparsity` of which is not 0, shifted where the norms are to cancel.
fn value(i: usize, j: usize, sparsity: usize, shift: f64) -> f64 {
    let hash = (i * 7919 + j * 104_729 + 13) % 1009;
    if hash.is_multiple_of(sparsity) { shift + (hash as f64 - 500.0) / 300.0 } else { 0.0 }
}

fn dense(sparsity: usize, shift: f64) -> Matrix {
    let values: Vec<f64> = (0..ROWS * COLUMNS).map(|at| value(at / COLUMNS, at % COLUMNS, sparsity, shift)).collect();
    Matrix::Dense(DenseMatrix { rows: ROWS, columns: COLUMNS, values: values.into() })
}

fn sparse(sparsity: usize, shift: f64) -> Matrix {
    let (mut row_starts, mut column_indices, mut values) = (vec![0], Vec::new(), Vec::new());
    for i in 0..ROWS {
        for j in (0..COLUMNS).filter(|&j| value(i, j, sparsity, shift) != 0.0) {
            column_indices.push(j as u32);
            values.push(value(i, j, sparsity, shift));
        }
        row_starts.push(values.len());
    }
    Matrix::Sparse(SparseMatrix { rows: ROWS, columns: COLUMNS, row_starts, column_indices, values: values.into() })
}

/// K(x_i, x_j) by its definition.
fn entry(kernel: Kernel, i: usize, j: usize, sparsity: usize, shift: f64) -> f64 {
    let pairs = || (0..COLUMNS).map(|k| (value(i, k, sparsity, shift), value(j, k, sparsity, shift)));
    match kernel {
        Kernel::Rbf { gamma } => (-gamma * pairs().map(|(x, y)| (x - y) * (x - y)).sum::<f64>()).exp(),
        Kernel::Polynomial { gamma, degree, coef0 } => {
            (gamma * pairs().map(|(x, y)| x * y).sum::<f64>() + coef0).powi(degree as i32)
        }
    }
}

/// Every way to compute entries: products of dense rows, of sparse ones, of dense ones taken as sparse; differences; merged rows.
fn ways() -> Vec<(Matrix, usize, f64)> {
    let mut ways = Vec::new();
    for (sparsity, shift) in [(1, 0.0), (2, 0.0), (6, 0.0), (1, 1e7), (6, 1e7)] {
        ways.push((dense(sparsity, shift), sparsity, shift));
        ways.push((sparse(sparsity, shift), sparsity, shift));
    }
    // Far from 0: of sparse rows the products would do by the checker's rule, at the price of places.
    ways.push((dense(1, 1e4), 1, 1e4));
    ways
}

#[test]
fn rows_and_products_are_those_of_the_definition() {
    let alpha: Vec<f64> = (0..ROWS).map(|i| if i % 7 == 0 { 0.0 } else { (i as f64 * 0.37).sin() }).collect();
    for kernel in KERNELS {
        for (matrix, sparsity, shift) in ways() {
            if shift > 0.0 && matches!(kernel, Kernel::Polynomial { .. }) {
                continue; // 1e63: nothing to compare
            }
            let rows = Rows::new(&matrix, kernel);
            let wanted: Vec<usize> = (0..ROWS).rev().step_by(3).collect();
            let (doubles, singles) = (rows.rows::<f64>(&wanted), rows.rows::<f32>(&wanted));
            for (&i, (doubles, singles)) in wanted.iter().zip(doubles.iter().zip(&singles)) {
                for j in 0..ROWS {
                    let expected = entry(kernel, i, j, sparsity, shift);
                    assert!((doubles[j] - expected).abs() <= 1e-12 * (1.0 + expected.abs()), "{i} {j} {kernel:?}");
                    let error = (f64::from(singles[j]) - expected).abs();
                    assert!(error <= 3e-7 * (1.0 + expected.abs()), "{i} {j} {kernel:?}: {error}");
                }
            }
            let (product, errors) = rows.product(&alpha);
            for i in 0..ROWS {
                let terms = (0..ROWS).map(|j| alpha[j] * entry(kernel, i, j, sparsity, shift));
                let (sum, size) = terms.fold((0.0, 0.0), |(sum, size), term| (sum + term, size + f64::abs(term)));
                assert!(
                    (product[i] - sum).abs() <= errors[i] + 1e-13 * size,
                    "row {i}, {kernel:?}, {sparsity}, {shift}"
                );
                assert!(errors[i] <= 1e-10 * size.max(1e-3), "row {i}, {kernel:?}: {}", errors[i]);
            }
        }
    }
}

#[test]
fn exponentials_in_singles_are_as_exact_as_those() {
    for step in 0..90_000 {
        let x = -1e-3 * f64::from(step);
        let error = (f64::from(f32::exponential(x)) - x.exp()).abs();
        // The argument is rounded to a single, too.
        assert!(error <= 1.3e-7 * x.exp() * (1.0 + x.abs()) + 2e-38, "{x}: {error}");
    }
}

#[test]
fn a_set_keeps_the_entries_of_the_last_one() {
    let symmetric = |i: usize, j: usize| (i.min(j) * 1000 + i.max(j)) as f64;
    let first: Vec<usize> = (0..40).step_by(3).collect();
    let second: Vec<usize> = (0..40).filter(|i| i % 2 == 0 || i % 9 == 0).collect();
    let last = Set::new(&first, &None, symmetric);
    let fresh = |i: usize, j: usize| {
        assert!(!first.contains(&i), "row {i} was there");
        symmetric(i, j)
    };
    let set = Set::new(&second, &Some(last), fresh);
    for (a, &i) in second.iter().enumerate() {
        for (b, &j) in second.iter().enumerate() {
            assert_eq!(set.entry(a, b), symmetric(i, j));
        }
    }
}
