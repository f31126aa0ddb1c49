//! Copies of columns, for solvers that move one weight at a time.

use infimum_problem::{DenseMatrix, Intercept, Matrix};

use crate::design;
use crate::frame::Frame;

/// One column.
#[derive(Clone, Copy)]
pub(crate) enum Column<'a> {
    /// All n values.
    Dense(&'a [f64]),
    /// Rows (increasing) and their non-zero values.
    Sparse(&'a [u32], &'a [f64]),
}

/// Columns taken so far, by their position in `taken`. Dense columns of a model with a free intercept are centred: a column
/// `x − mean` and the intercept `b + Σ mean·w` give the same outputs, but no longer pull against each other.
pub(crate) struct Columns<'a> {
    pub(crate) taken: Vec<usize>,
    /// What was subtracted from each column taken.
    pub(crate) means: Vec<f64>,
    /// Example weights that the means are taken with; `None` where columns stay as they are.
    center: Option<&'a [f64]>,
    storage: Storage<'a>,
}

enum Storage<'a> {
    /// Columns of n values, one after the other.
    Dense(&'a DenseMatrix, Vec<f64>),
    /// Rows and values of each column.
    Sparse(&'a Matrix, Vec<(Vec<u32>, Vec<f64>)>),
}

impl<'a> Columns<'a> {
    /// No column taken yet.
    pub(crate) fn new(frame: &Frame<'a>) -> Columns<'a> {
        let storage = match frame.matrix {
            Matrix::Dense(dense) => Storage::Dense(dense, Vec::new()),
            matrix => Storage::Sparse(matrix, Vec::new()),
        };
        let center = (frame.intercept == Intercept::Free && !frame.matrix.is_sparse()).then_some(frame.weights);
        Columns { taken: Vec::new(), means: Vec::new(), center, storage }
    }

    /// Takes more columns: one pass over the matrix.
    pub(crate) fn take(&mut self, more: &[usize]) {
        if more.is_empty() {
            return;
        }
        self.taken.extend_from_slice(more);
        match &mut self.storage {
            Storage::Dense(dense, values) => {
                let (rows, before) = (dense.rows, values.len());
                values.resize(before + rows * more.len(), 0.0);
                let fresh = &mut values[before..];
                for i in 0..rows {
                    let row = dense.row(i);
                    more.iter().enumerate().for_each(|(position, &j)| fresh[position * rows + i] = row[j]);
                }
                for column in fresh.chunks_exact_mut(rows) {
                    self.means.push(self.center.map_or(0.0, |weights| {
                        let weighted: f64 = column.iter().zip(weights).map(|(x, c)| c * x).sum();
                        weighted / weights.iter().sum::<f64>()
                    }));
                    let mean = self.means[self.means.len() - 1];
                    column.iter_mut().for_each(|x| *x -= mean);
                }
            }
            Storage::Sparse(matrix, columns) => {
                let before = columns.len();
                columns.resize_with(before + more.len(), Default::default);
                self.means.resize(before + more.len(), 0.0);
                let mut place = vec![u32::MAX; matrix.columns()];
                more.iter().enumerate().for_each(|(position, &j)| place[j] = (before + position) as u32);
                design::for_each_row(matrix, |i, row| {
                    row.for_each(|j, x| {
                        if let Some((rows, values)) = columns.get_mut(place[j] as usize) {
                            rows.push(i as u32);
                            values.push(x);
                        }
                    });
                });
            }
        }
    }

    /// The column taken at `position`.
    #[inline(always)]
    pub(crate) fn column(&self, position: usize) -> Column<'_> {
        match &self.storage {
            Storage::Dense(dense, values) => Column::Dense(&values[position * dense.rows..(position + 1) * dense.rows]),
            Storage::Sparse(_, columns) => {
                let (rows, values) = &columns[position];
                Column::Sparse(rows, values)
            }
        }
    }

    /// The taken columns of dense data, one after the other; empty for sparse data.
    pub(crate) fn dense_values(&self) -> &[f64] {
        match &self.storage {
            Storage::Dense(_, values) => values,
            Storage::Sparse(..) => &[],
        }
    }

    /// Stored values of the taken columns.
    pub(crate) fn stored(&self) -> usize {
        match &self.storage {
            Storage::Dense(_, values) => values.len(),
            Storage::Sparse(_, columns) => columns.iter().map(|column| column.0.len()).sum(),
        }
    }
}

impl Column<'_> {
    /// Calls `visit(row, value)` for every stored entry.
    #[inline(always)]
    pub(crate) fn for_each(self, mut visit: impl FnMut(usize, f64)) {
        match self {
            Column::Dense(values) => values.iter().enumerate().for_each(|(i, &x)| visit(i, x)),
            Column::Sparse(rows, values) => rows.iter().zip(values).for_each(|(&i, &x)| visit(i as usize, x)),
        }
    }
}
