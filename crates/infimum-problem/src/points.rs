//! Points with exact coordinates: every column scaled to integers.

use std::borrow::Cow;

use dashu_int::IBig;
use serde::{Deserialize, Serialize};

/// The unit of a column's integers: a value is `integer · 10^ten · 2^two`. Scaling a column by a positive factor changes no question about
/// threshold units, so that the integers are all that solver and checker look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ColumnScale {
    /// Power of ten.
    pub ten: i32,
    /// Power of two.
    pub two: i32,
}

/// Integers by rows; entries that are not stored are 0. Column indices of a row are strictly increasing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IntegerMatrix<T> {
    /// Number of columns.
    pub columns: usize,
    /// Where each row begins in the arrays below, and where the last ends: rows + 1 numbers.
    pub row_starts: Vec<usize>,
    /// Column of each stored entry.
    pub column_indices: Vec<u32>,
    /// Value of each stored entry.
    pub values: Vec<T>,
}

/// The points of a loading problem, m × d.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Points {
    /// All integers lie within ±2^62.
    Narrow(IntegerMatrix<i64>),
    /// Some do not.
    Wide(IntegerMatrix<IBig>),
}

impl<T> IntegerMatrix<T> {
    /// An empty matrix to which rows are added.
    pub fn new(columns: usize) -> IntegerMatrix<T> {
        IntegerMatrix { columns, row_starts: vec![0], column_indices: Vec::new(), values: Vec::new() }
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.row_starts.len() - 1
    }

    /// Columns and values of the stored entries of row `i`.
    pub fn row(&self, i: usize) -> (&[u32], &[T]) {
        let range = self.row_starts[i]..self.row_starts[i + 1];
        (&self.column_indices[range.clone()], &self.values[range])
    }

    /// Adds a row of entries with increasing columns.
    pub fn push_row(&mut self, entries: impl IntoIterator<Item = (u32, T)>) {
        for (column, value) in entries {
            self.column_indices.push(column);
            self.values.push(value);
        }
        self.row_starts.push(self.values.len());
    }
}

impl Points {
    /// Number of points m.
    pub fn rows(&self) -> usize {
        match self {
            Points::Narrow(matrix) => matrix.rows(),
            Points::Wide(matrix) => matrix.rows(),
        }
    }

    /// Number of columns d.
    pub fn columns(&self) -> usize {
        match self {
            Points::Narrow(matrix) => matrix.columns,
            Points::Wide(matrix) => matrix.columns,
        }
    }

    /// The stored entries of point `i`.
    pub fn row(&self, i: usize) -> Vec<(u32, Cow<'_, IBig>)> {
        match self {
            Points::Narrow(matrix) => {
                let (columns, values) = matrix.row(i);
                columns.iter().zip(values).map(|(&j, &value)| (j, Cow::Owned(value.into()))).collect()
            }
            Points::Wide(matrix) => {
                let (columns, values) = matrix.row(i);
                columns.iter().zip(values).map(|(&j, value)| (j, Cow::Borrowed(value))).collect()
            }
        }
    }
}
