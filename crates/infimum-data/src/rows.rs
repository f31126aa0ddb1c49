//! Splitting rows off a matrix in place: peak memory is about the matrix.

use std::ops::Range;

use infimum_problem::{DenseMatrix, Matrix, SparseMatrix, Values};

use crate::error::DataError;
use crate::memory::Memory;

/// Rows that are parted through a buffer.
const FEW: usize = 1_024;
/// Elements that are moved before the memory they stood in is given back.
const MOVED: usize = 1 << 20;

/// Keeps the rows with `keep[i]` and returns the others, both in order. Rows of the file `name` that were spilled go to two
/// new files.
pub(crate) fn split_rows(
    matrix: &mut Matrix,
    keep: &[bool],
    name: &str,
    memory: Option<&Memory>,
) -> Result<Matrix, DataError> {
    Ok(match matrix {
        Matrix::Dense(dense) => {
            let columns = dense.columns;
            let start = |row| row * columns;
            let (_, values) = split_stored(&mut dense.values, &start, keep);
            dense.rows = keep.iter().filter(|&&kept| kept).count();
            Matrix::Dense(DenseMatrix { rows: keep.len() - dense.rows, columns, values })
        }
        Matrix::Sparse(sparse) => {
            let starts = std::mem::take(&mut sparse.row_starts);
            let start = |row: usize| starts[row];
            let (kept, values) = split_stored(&mut sparse.values, &start, keep);
            part(&mut sparse.column_indices, &start, keep, 0..keep.len());
            let column_indices = take_tail(&mut sparse.column_indices, kept);
            let mut out = vec![0];
            sparse.row_starts.push(0);
            for (lengths, &kept) in starts.windows(2).zip(keep) {
                let side = if kept { &mut sparse.row_starts } else { &mut out };
                side.push(side.last().copied().unwrap_or(0) + lengths[1] - lengths[0]);
            }
            sparse.rows = sparse.row_starts.len() - 1;
            let columns = sparse.columns;
            Matrix::Sparse(SparseMatrix { rows: out.len() - 1, columns, row_starts: out, column_indices, values })
        }
        Matrix::Spilled(_) => {
            let memory = memory.ok_or_else(|| DataError::input(name, "rows in a file without a limit on memory"))?;
            let (kept, others) = split_spilled(matrix, keep, name, memory)?;
            *matrix = kept;
            others
        }
    })
}

fn split_spilled(matrix: &Matrix, keep: &[bool], name: &str, memory: &Memory) -> Result<(Matrix, Matrix), DataError> {
    let sparse = matrix.is_sparse();
    let (mut kept, mut others) = (memory.writer(name, sparse)?, memory.writer(name, sparse)?);
    let mut written = Ok(());
    let read = matrix.for_each_row(|i, row| {
        if written.is_ok() {
            written = if keep[i] { &mut kept } else { &mut others }.push(row);
        }
    });
    read.map_err(|fault| DataError::input(name, fault.to_string()))?;
    let columns = matrix.columns();
    let finished = written.and_then(|()| Ok((kept.finish(columns)?, others.finish(columns)?)));
    let (kept, others) = finished.map_err(|error| memory.unwritable(name, &error))?;
    Ok((Matrix::Spilled(kept), Matrix::Spilled(others)))
}

/// Keeps the values of kept rows; returns how many these are, and the others.
fn split_stored(values: &mut Values, start: &impl Fn(usize) -> usize, keep: &[bool]) -> (usize, Values) {
    match values {
        Values::Singles(values) => {
            let kept = part(values, start, keep, 0..keep.len());
            (kept, take_tail(values, kept).into())
        }
        Values::Doubles(values) => {
            let kept = part(values, start, keep, 0..keep.len());
            (kept, take_tail(values, kept).into())
        }
    }
}

/// Moves the elements of kept rows before those of the others within `rows`, both in order; `start(row)` is a row's first
/// element. Returns where the others begin. Halves are parted by themselves and their inner parts exchanged.
fn part<T: Copy>(data: &mut [T], start: &impl Fn(usize) -> usize, keep: &[bool], rows: Range<usize>) -> usize {
    if rows.len() > FEW {
        let middle = rows.start + rows.len() / 2;
        let left = part(data, start, keep, rows.start..middle);
        let right = part(data, start, keep, middle..rows.end);
        data[left..right].rotate_left(start(middle) - left);
        return left + right - start(middle);
    }
    let mut others = Vec::new();
    let mut end = start(rows.start);
    for row in rows {
        let range = start(row)..start(row + 1);
        if keep[row] {
            data.copy_within(range.clone(), end);
            end += range.len();
        } else {
            others.extend_from_slice(&data[range]);
        }
    }
    data[end..end + others.len()].copy_from_slice(&others);
    end
}

/// Splits off what stands from `at` on, giving memory back on the way.
fn take_tail<T: Copy + Default>(values: &mut Vec<T>, at: usize) -> Vec<T> {
    let mut tail = vec![T::default(); values.len() - at];
    while values.len() > at {
        let from = values.len().saturating_sub(MOVED).max(at);
        tail[from - at..values.len() - at].copy_from_slice(&values[from..]);
        values.truncate(from);
        values.shrink_to_fit();
    }
    tail
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_keep_their_order() {
        let rows = 5_000;
        let keep: Vec<bool> = (0..rows).map(|row| row * 7 % 11 > 3).collect();
        let (mut starts, mut indices, mut values) = (vec![0], Vec::new(), Vec::new());
        for row in 0..rows {
            (0..row % 4).for_each(|column| {
                indices.push(column as u32);
                values.push((10 * row + column) as f64);
            });
            starts.push(values.len());
        }
        let whole =
            SparseMatrix { rows, columns: 4, row_starts: starts, column_indices: indices, values: values.into() };
        let mut kept = Matrix::Sparse(whole.clone());
        let out = split_rows(&mut kept, &keep, "", None).expect("in memory");
        let (mut next_kept, mut next_out) = (0, 0);
        for (row, &is_kept) in keep.iter().enumerate() {
            let (side, next) = if is_kept { (&kept, &mut next_kept) } else { (&out, &mut next_out) };
            let Matrix::Sparse(side) = side else { panic!("sparse") };
            assert_eq!(side.row(*next), whole.row(row));
            *next += 1;
        }
        assert_eq!((kept.rows(), out.rows()), (next_kept, next_out));

        let values = Values::Singles((0..2 * rows).map(|value| value as f32).collect());
        let dense = DenseMatrix { rows, columns: 2, values };
        let mut kept = Matrix::Dense(dense.clone());
        let Ok(Matrix::Dense(out)) = split_rows(&mut kept, &keep, "", None) else { panic!("dense") };
        let expected: Vec<f64> = (0..rows).filter(|&row| !keep[row]).flat_map(|row| dense.row(row).iter()).collect();
        assert_eq!((out.rows, out.values), (expected.len() / 2, expected.into()));
        assert_eq!(kept.rows(), keep.iter().filter(|&&kept| kept).count());
    }
}
