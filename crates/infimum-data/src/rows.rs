//! Splitting rows off a matrix in place: peak memory is the matrix and the smaller side.

use infimum_problem::{DenseMatrix, Matrix, SparseMatrix};

/// Keeps the rows with `keep[i]` in place and returns the others, both in order.
pub(crate) fn split_rows(matrix: &mut Matrix, keep: &[bool]) -> Matrix {
    match matrix {
        Matrix::Dense(dense) => Matrix::Dense(split_dense(dense, keep)),
        Matrix::Sparse(sparse) => Matrix::Sparse(split_sparse(sparse, keep)),
    }
}

fn split_dense(dense: &mut DenseMatrix, keep: &[bool]) -> DenseMatrix {
    let columns = dense.columns;
    let out = keep.iter().filter(|&&kept| !kept).count();
    let mut values = Vec::with_capacity(out * columns);
    let mut target = 0;
    for (i, &kept) in keep.iter().enumerate() {
        let row = i * columns..(i + 1) * columns;
        if kept {
            dense.values.copy_within(row, target * columns);
            target += 1;
        } else {
            values.extend_from_slice(&dense.values[row]);
        }
    }
    dense.values.truncate(target * columns);
    dense.rows = target;
    DenseMatrix { rows: out, columns, values }
}

fn split_sparse(sparse: &mut SparseMatrix, keep: &[bool]) -> SparseMatrix {
    let mut out = SparseMatrix {
        rows: 0,
        columns: sparse.columns,
        row_starts: vec![0],
        column_indices: Vec::new(),
        values: Vec::new(),
    };
    let (mut target, mut end) = (0, 0);
    let mut start = 0;
    for (i, &kept) in keep.iter().enumerate() {
        let row = start..sparse.row_starts[i + 1];
        start = row.end;
        if kept {
            let length = row.len();
            sparse.column_indices.copy_within(row.clone(), end);
            sparse.values.copy_within(row, end);
            end += length;
            target += 1;
            sparse.row_starts[target] = end;
        } else {
            out.column_indices.extend_from_slice(&sparse.column_indices[row.clone()]);
            out.values.extend_from_slice(&sparse.values[row]);
            out.rows += 1;
            out.row_starts.push(out.values.len());
        }
    }
    sparse.rows = target;
    sparse.row_starts.truncate(target + 1);
    sparse.column_indices.truncate(end);
    sparse.values.truncate(end);
    out
}

/// Keeps the elements with `keep[i]` and returns the others.
pub(crate) fn split_values<T: Copy>(values: &mut Vec<T>, keep: &[bool]) -> Vec<T> {
    let out = values.iter().zip(keep).filter(|entry| !entry.1).map(|entry| *entry.0).collect();
    let mut position = 0;
    values.retain(|_| {
        position += 1;
        keep[position - 1]
    });
    out
}
