//! The network's inputs x̂: the rows after the recorded scaling.

use infimum_problem::deep::Scaling;
use infimum_problem::{DenseMatrix, Matrix, Row, SparseMatrix, Values};

/// `x̂_ij = Scaling::apply(j, x_ij)`; sparse rows stay sparse unless something is subtracted.
pub(super) fn inputs(matrix: &Matrix, scaling: &Scaling) -> Matrix {
    let (rows, columns) = (matrix.rows(), matrix.columns());
    let is_sparse = rows > 0 && matches!(matrix.row(0), Row::Sparse(..));
    if is_sparse && scaling.shift.is_empty() {
        let (mut row_starts, mut column_indices, mut values) = (vec![0], Vec::new(), Vec::new());
        for i in 0..rows {
            matrix.row(i).for_each(|j, x| {
                let x = scaling.apply(j, x);
                if x != 0.0 {
                    column_indices.push(j as u32);
                    values.push(x);
                }
            });
            row_starts.push(values.len());
        }
        return Matrix::Sparse(SparseMatrix {
            rows,
            columns,
            row_starts,
            column_indices,
            values: Values::Singles(values),
        });
    }
    let zeros: Vec<f32> = match is_sparse {
        true => (0..columns).map(|j| scaling.apply(j, 0.0)).collect(),
        false => vec![0.0; columns],
    };
    let mut values = Vec::with_capacity(rows * columns);
    for i in 0..rows {
        let first = values.len();
        values.extend_from_slice(&zeros);
        matrix.row(i).for_each(|j, x| values[first + j] = scaling.apply(j, x));
    }
    Matrix::Dense(DenseMatrix { rows, columns, values: Values::Singles(values) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sparse_and_dense_rows_become_the_same_numbers() {
        let dense = DenseMatrix { rows: 2, columns: 3, values: vec![0.0, 1.5, 0.0, -2.0, 0.0, 0.1].into() };
        let sparse = SparseMatrix {
            rows: 2,
            columns: 3,
            row_starts: vec![0, 1, 3],
            column_indices: vec![1, 0, 2],
            values: vec![1.5, -2.0, 0.1].into(),
        };
        for shift in [vec![], vec![0.25], vec![0.5, 0.0, 0.3]] {
            let scaling = Scaling { shift, scale: vec![3.0, 1e-30, 0.7] };
            let (one, other) =
                (inputs(&Matrix::Dense(dense.clone()), &scaling), inputs(&Matrix::Sparse(sparse.clone()), &scaling));
            for i in 0..2 {
                let mut rows = [[0.0; 3]; 2];
                one.row(i).for_each(|j, x| rows[0][j] = x);
                other.row(i).for_each(|j, x| rows[1][j] = x);
                assert_eq!(rows[0], rows[1]);
                for (j, &x) in rows[0].iter().enumerate() {
                    assert_eq!(x, f64::from(scaling.apply(j, dense.values.get(3 * i + j))));
                }
            }
        }
    }
}
