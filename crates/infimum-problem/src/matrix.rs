//! Feature matrices: rows are examples, columns are features, values are finite `f64`.

/// A row-major matrix; entry (i, j) is `values[i * columns + j]`.
#[derive(Debug, Clone, PartialEq)]
pub struct DenseMatrix {
    /// Number of examples.
    pub rows: usize,
    /// Number of features.
    pub columns: usize,
    /// `rows * columns` values, row after row.
    pub values: Vec<f64>,
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
    pub values: Vec<f64>,
}

/// A feature matrix, dense or sparse as the file was; it is never converted behind the user's back.
#[derive(Debug, Clone, PartialEq)]
pub enum Matrix {
    /// Row-major dense storage.
    Dense(DenseMatrix),
    /// Compressed sparse rows.
    Sparse(SparseMatrix),
}

/// One row of a [`Matrix`].
#[derive(Debug, Clone, Copy)]
pub enum Row<'a> {
    /// All `columns` values.
    Dense(&'a [f64]),
    /// Column indices (increasing) and their non-zero values.
    Sparse(&'a [u32], &'a [f64]),
}

impl DenseMatrix {
    /// Row `i` as a slice of length `columns`.
    #[inline]
    pub fn row(&self, i: usize) -> &[f64] {
        &self.values[i * self.columns..(i + 1) * self.columns]
    }
}

impl SparseMatrix {
    /// Column indices and values of row `i`.
    #[inline]
    pub fn row(&self, i: usize) -> (&[u32], &[f64]) {
        let range = self.row_starts[i]..self.row_starts[i + 1];
        (&self.column_indices[range.clone()], &self.values[range])
    }
}

impl Matrix {
    /// Number of examples.
    pub fn rows(&self) -> usize {
        match self {
            Matrix::Dense(matrix) => matrix.rows,
            Matrix::Sparse(matrix) => matrix.rows,
        }
    }

    /// Number of features.
    pub fn columns(&self) -> usize {
        match self {
            Matrix::Dense(matrix) => matrix.columns,
            Matrix::Sparse(matrix) => matrix.columns,
        }
    }

    /// Number of stored values (for dense storage, all of them).
    pub fn stored(&self) -> usize {
        match self {
            Matrix::Dense(matrix) => matrix.values.len(),
            Matrix::Sparse(matrix) => matrix.values.len(),
        }
    }

    /// Whether the storage is sparse.
    pub fn is_sparse(&self) -> bool {
        matches!(self, Matrix::Sparse(_))
    }

    /// Row `i`.
    #[inline]
    pub fn row(&self, i: usize) -> Row<'_> {
        match self {
            Matrix::Dense(matrix) => Row::Dense(matrix.row(i)),
            Matrix::Sparse(matrix) => {
                let (indices, values) = matrix.row(i);
                Row::Sparse(indices, values)
            }
        }
    }
}

impl Row<'_> {
    /// Calls `visit(column, value)` for every stored entry in order of columns.
    #[inline]
    pub fn for_each(&self, mut visit: impl FnMut(usize, f64)) {
        match self {
            Row::Dense(values) => values.iter().enumerate().for_each(|(j, &x)| visit(j, x)),
            Row::Sparse(indices, values) => indices.iter().zip(*values).for_each(|(&j, &x)| visit(j as usize, x)),
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
