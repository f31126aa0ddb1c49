//! Feature matrices: rows are examples, columns are features, values are finite numbers, stored as [`Values`] are.

use std::ops::Range;

use crate::spill::{SpillFault, SpilledMatrix};
use crate::values::{Stored, ValueSlice, Values};
use crate::with_values;

/// A row-major matrix; entry (i, j) is `values[i * columns + j]`.
#[derive(Debug, Clone, PartialEq)]
pub struct DenseMatrix {
    /// Number of examples.
    pub rows: usize,
    /// Number of features.
    pub columns: usize,
    /// `rows * columns` values, row after row.
    pub values: Values,
}

/// Compressed sparse rows. Row i owns the entries `row_starts[i]..row_starts[i + 1]`; column indices are strictly
/// increasing within a row and `< columns`; no stored value is zero.
#[derive(Debug, Clone, PartialEq)]
pub struct SparseMatrix {
    /// Number of examples.
    pub rows: usize,
    /// Number of features.
    pub columns: usize,
    /// `rows + 1` offsets into the two arrays below.
    pub row_starts: Vec<usize>,
    /// Column of each stored entry.
    pub column_indices: Vec<u32>,
    /// Value of each stored entry.
    pub values: Values,
}

/// A feature matrix, dense or sparse as the file was; it is never converted behind the user's back.
#[derive(Debug, Clone, PartialEq)]
pub enum Matrix {
    /// Row-major dense storage.
    Dense(DenseMatrix),
    /// Compressed sparse rows.
    Sparse(SparseMatrix),
    /// Either in a file, for matrices larger than the memory limit.
    Spilled(SpilledMatrix),
}

/// Rows that are in memory.
#[derive(Debug, Clone, Copy)]
pub enum Storage<'a> {
    /// Row-major dense storage.
    Dense(&'a DenseMatrix),
    /// Compressed sparse rows.
    Sparse(&'a SparseMatrix),
}

/// Consecutive rows of a [`Matrix`]: rows `rows` of `storage` are the matrix's rows from `first` on.
#[derive(Debug, Clone)]
pub struct Block<'a> {
    /// The matrix's row that the first of `rows` is.
    pub first: usize,
    /// Which rows of `storage`.
    pub rows: Range<usize>,
    /// Where they are.
    pub storage: Storage<'a>,
}

/// One row of a [`Matrix`].
#[derive(Debug, Clone, Copy)]
pub enum Row<'a> {
    /// All `columns` values.
    Dense(ValueSlice<'a>),
    /// Column indices (increasing) and their non-zero values.
    Sparse(&'a [u32], ValueSlice<'a>),
}

impl DenseMatrix {
    /// Row `i` as a slice of length `columns`.
    #[inline]
    pub fn row(&self, i: usize) -> ValueSlice<'_> {
        self.values.slice(self.range(i))
    }

    /// Where the values of row `i` are.
    #[inline]
    pub fn range(&self, i: usize) -> Range<usize> {
        i * self.columns..(i + 1) * self.columns
    }

    /// Where the values of some consecutive rows are.
    #[inline]
    pub fn rows_at(&self, rows: Range<usize>) -> Range<usize> {
        rows.start * self.columns..rows.end * self.columns
    }
}

impl SparseMatrix {
    /// Column indices and values of row `i`.
    #[inline]
    pub fn row(&self, i: usize) -> (&[u32], ValueSlice<'_>) {
        let range = self.range(i);
        (&self.column_indices[range.clone()], self.values.slice(range))
    }

    /// Where the entries of row `i` are.
    #[inline]
    pub fn range(&self, i: usize) -> Range<usize> {
        self.row_starts[i]..self.row_starts[i + 1]
    }
}

impl Matrix {
    /// Number of examples.
    pub fn rows(&self) -> usize {
        match self {
            Matrix::Dense(matrix) => matrix.rows,
            Matrix::Sparse(matrix) => matrix.rows,
            Matrix::Spilled(matrix) => matrix.rows(),
        }
    }

    /// Number of features.
    pub fn columns(&self) -> usize {
        match self {
            Matrix::Dense(matrix) => matrix.columns,
            Matrix::Sparse(matrix) => matrix.columns,
            Matrix::Spilled(matrix) => matrix.columns(),
        }
    }

    /// Number of stored values (for dense storage, all of them).
    pub fn stored(&self) -> usize {
        match self {
            Matrix::Dense(matrix) => matrix.values.len(),
            Matrix::Sparse(matrix) => matrix.values.len(),
            Matrix::Spilled(matrix) => matrix.stored(),
        }
    }

    /// Whether the storage is sparse.
    pub fn is_sparse(&self) -> bool {
        match self {
            Matrix::Dense(_) => false,
            Matrix::Sparse(_) => true,
            Matrix::Spilled(matrix) => matrix.is_sparse(),
        }
    }

    /// Whether the rows are in a file, so that [`Matrix::row`] cannot lend them.
    pub fn is_spilled(&self) -> bool {
        matches!(self, Matrix::Spilled(_))
    }

    /// Row `i` of a matrix in memory.
    ///
    /// # Panics
    /// If the matrix is spilled: passes over any matrix are made with [`Matrix::for_each_block`].
    #[inline]
    pub fn row(&self, i: usize) -> Row<'_> {
        match self {
            Matrix::Dense(matrix) => Row::Dense(matrix.row(i)),
            Matrix::Sparse(matrix) => {
                let (indices, values) = matrix.row(i);
                Row::Sparse(indices, values)
            }
            Matrix::Spilled(_) => panic!("a single row was asked of a matrix that is read in passes"),
        }
    }

    /// The given rows of a matrix in memory, in this order.
    ///
    /// # Panics
    /// If the matrix is spilled, or a row is not there.
    pub fn take(&self, rows: &[usize]) -> Matrix {
        let columns = self.columns();
        let (mut values, stored) = match self {
            Matrix::Dense(matrix) => (matrix.values.none_of(rows.len() * columns), 0),
            Matrix::Sparse(matrix) => {
                let stored = rows.iter().map(|&i| matrix.range(i).len()).sum();
                (matrix.values.none_of(stored), stored)
            }
            Matrix::Spilled(_) => (Values::default(), 0),
        };
        let (mut column_indices, mut row_starts) = (Vec::with_capacity(stored), vec![0]);
        for &i in rows {
            match self.row(i) {
                Row::Dense(row) => values.extend(row),
                Row::Sparse(indices, row) => {
                    values.extend(row);
                    column_indices.extend_from_slice(indices);
                    row_starts.push(values.len());
                }
            }
        }
        if self.is_sparse() {
            Matrix::Sparse(SparseMatrix { rows: rows.len(), columns, row_starts, column_indices, values })
        } else {
            Matrix::Dense(DenseMatrix { rows: rows.len(), columns, values })
        }
    }

    /// Visits the rows `rows` in order, in as many blocks as the storage has them in: one if the matrix is in memory. After an
    /// error some were not visited, and what was computed means nothing.
    pub fn for_each_block(&self, rows: Range<usize>, mut visit: impl FnMut(Block)) -> Result<(), SpillFault> {
        let storage = match self {
            Matrix::Dense(matrix) => Storage::Dense(matrix),
            Matrix::Sparse(matrix) => Storage::Sparse(matrix),
            Matrix::Spilled(matrix) => return matrix.for_each_block(rows, visit),
        };
        visit(Block { first: rows.start, rows, storage });
        Ok(())
    }

    /// Visits every row in order, with its number.
    pub fn for_each_row(&self, mut visit: impl FnMut(usize, Row)) -> Result<(), SpillFault> {
        self.for_each_block(0..self.rows(), |block| {
            for (i, row) in (block.first..).zip(block.rows) {
                visit(i, block.storage.row(row));
            }
        })
    }

    /// How many stored values solvers may hold copies of beside the vectors of rows and columns; `None` is no limit.
    pub fn room(&self) -> Option<usize> {
        match self {
            Matrix::Dense(_) | Matrix::Sparse(_) => None,
            Matrix::Spilled(matrix) => Some(matrix.room()),
        }
    }

    /// What went wrong when rows were read back, if anything ever did.
    pub fn fault(&self) -> Option<SpillFault> {
        match self {
            Matrix::Dense(_) | Matrix::Sparse(_) => None,
            Matrix::Spilled(matrix) => matrix.fault(),
        }
    }
}

impl<'a> Storage<'a> {
    /// The stored values of all rows.
    #[inline]
    pub fn values(self) -> ValueSlice<'a> {
        match self {
            Storage::Dense(matrix) => matrix.values.as_slice(),
            Storage::Sparse(matrix) => matrix.values.as_slice(),
        }
    }

    /// Row `i`.
    #[inline]
    pub fn row(self, i: usize) -> Row<'a> {
        match self {
            Storage::Dense(matrix) => Row::Dense(matrix.row(i)),
            Storage::Sparse(matrix) => {
                let (indices, values) = matrix.row(i);
                Row::Sparse(indices, values)
            }
        }
    }
}

impl Row<'_> {
    /// The stored values.
    #[inline]
    pub fn values(&self) -> ValueSlice<'_> {
        match self {
            Row::Dense(values) | Row::Sparse(_, values) => *values,
        }
    }

    /// Calls `visit(column, value)` for every stored entry in order of columns.
    #[inline]
    pub fn for_each(&self, mut visit: impl FnMut(usize, f64)) {
        fn dense<T: Stored>(values: &[T], visit: &mut impl FnMut(usize, f64)) {
            values.iter().enumerate().for_each(|(j, &x)| visit(j, x.into()));
        }
        fn sparse<T: Stored>(indices: &[u32], values: &[T], visit: &mut impl FnMut(usize, f64)) {
            indices.iter().zip(values).for_each(|(&j, &x)| visit(j as usize, x.into()));
        }
        match self {
            Row::Dense(values) => with_values!(values, |values| dense(values, &mut visit)),
            Row::Sparse(indices, values) => with_values!(values, |values| sparse(indices, values, &mut visit)),
        }
    }

    /// Plain `f64` dot product with `weights`.
    #[inline]
    pub fn dot(&self, weights: &[f64]) -> f64 {
        let mut sum = 0.0;
        self.for_each(|j, x| sum += x * weights[j]);
        sum
    }
}
