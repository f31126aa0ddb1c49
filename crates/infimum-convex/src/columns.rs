//! Copies of columns, for solvers that move few weights.
//!
//! Columns of sparse data are first kept row by row, which is how Hessians over them are formed; solvers that go down single
//! columns have them turned once ([`Columns::turn`]). There is never a copy in both forms.

use infimum_problem::{Intercept, Matrix, Row, Stored, with_values};

use crate::design;
use crate::frame::Frame;
use crate::sparse;

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
    Dense(&'a Matrix, Vec<f64>),
    /// Row by row, a piece for every time that columns were taken.
    Rows(&'a Matrix, Vec<Piece>),
    /// Column by column.
    Turned(&'a Matrix, Turned),
}

/// The columns of sparse data that were taken at one time, row by row.
pub(crate) struct Piece {
    /// How many columns.
    count: usize,
    /// n + 1 offsets into the two arrays below.
    starts: Vec<usize>,
    /// Positions in `taken`, increasing within a row.
    positions: Vec<u32>,
    values: Vec<f64>,
}

/// Columns of sparse data, column by column.
struct Turned {
    /// Offsets into the two arrays below, one more than columns.
    starts: Vec<usize>,
    rows: Vec<u32>,
    values: Vec<f64>,
}

impl Piece {
    /// Columns `more` (increasing), the first of them at position `first`: one pass over the matrix. Every entry is written
    /// and only those of the columns wanted are kept, which spares a branch that cannot be predicted.
    fn new(matrix: &Matrix, more: &[usize], first: usize) -> Piece {
        let mut place = vec![u32::MAX; matrix.columns()];
        more.iter().enumerate().for_each(|(position, &j)| place[j] = (first + position) as u32);
        let mut piece = Piece { count: more.len(), starts: vec![0], positions: Vec::new(), values: Vec::new() };
        piece.starts.reserve_exact(matrix.rows());
        let (mut positions, mut values) = (Vec::new(), Vec::new());
        design::for_each_row(matrix, |_, row| {
            let Row::Sparse(indices, entries) = row else { return };
            if positions.len() < indices.len() {
                positions.resize(indices.len(), 0);
                values.resize(indices.len(), 0.0);
            }
            let count = with_values!(entries, |entries| pick(indices, entries, &place, &mut positions, &mut values));
            piece.positions.extend_from_slice(&positions[..count]);
            piece.values.extend_from_slice(&values[..count]);
            piece.starts.push(piece.positions.len());
        });
        // After a fault of the file some rows are missing; what is computed from them is dropped.
        piece.starts.resize(matrix.rows() + 1, piece.positions.len());
        piece
    }

    /// Positions and values of row i.
    #[inline(always)]
    pub(crate) fn row(&self, i: usize) -> (&[u32], &[f64]) {
        let range = self.starts[i]..self.starts[i + 1];
        (&self.positions[range.clone()], &self.values[range])
    }
}

/// Writes the entries of a row whose column has a place, and returns how many they are; as many as the row has fit.
#[inline(always)]
fn pick<T: Stored>(indices: &[u32], entries: &[T], place: &[u32], positions: &mut [u32], values: &mut [f64]) -> usize {
    let mut count = 0;
    for (&j, &x) in indices.iter().zip(entries) {
        let position = place[j as usize];
        (positions[count], values[count]) = (position, x.into());
        count += usize::from(position != u32::MAX);
    }
    count
}

impl Turned {
    /// Appends the columns of a piece: a counting sort by column.
    fn append(&mut self, piece: &Piece) {
        let first = self.starts.len() - 1;
        let mut next = vec![0; piece.count];
        piece.positions.iter().for_each(|&position| next[position as usize - first] += 1);
        let mut end = self.values.len();
        for next in &mut next {
            let start = end;
            end += *next;
            *next = start;
            self.starts.push(end);
        }
        self.rows.resize(end, 0);
        self.values.resize(end, 0.0);
        for i in 0..piece.starts.len() - 1 {
            let (positions, values) = piece.row(i);
            for (&position, &x) in positions.iter().zip(values) {
                let next = &mut next[position as usize - first];
                self.rows[*next] = i as u32;
                self.values[*next] = x;
                *next += 1;
            }
        }
    }
}

/// Copies the values that row i has in the columns `wanted`, which are kept one after the other.
#[inline(always)]
fn gather<T: Stored>(row: &[T], wanted: &[usize], into: &mut [f64], i: usize, rows: usize) {
    wanted.iter().enumerate().for_each(|(position, &j)| into[position * rows + i] = row[j].into());
}

impl<'a> Columns<'a> {
    /// No column taken yet.
    pub(crate) fn new(frame: &Frame<'a>) -> Columns<'a> {
        let storage = match frame.matrix {
            matrix if matrix.is_sparse() => Storage::Rows(matrix, Vec::new()),
            matrix => Storage::Dense(matrix, Vec::new()),
        };
        let center = (frame.intercept == Intercept::Free && !frame.matrix.is_sparse()).then_some(frame.weights);
        Columns { taken: Vec::new(), means: Vec::new(), center, storage }
    }

    /// Takes more columns, in increasing order: one pass over the matrix.
    pub(crate) fn take(&mut self, more: &[usize]) {
        if more.is_empty() {
            return;
        }
        let before = self.taken.len();
        self.taken.extend_from_slice(more);
        match &mut self.storage {
            Storage::Dense(matrix, values) => {
                let (rows, before) = (matrix.rows(), values.len());
                values.resize(before + rows * more.len(), 0.0);
                let fresh = &mut values[before..];
                design::for_each_row(matrix, |i, row| {
                    with_values!(row.values(), |row| gather(row, more, fresh, i, rows))
                });
                for column in fresh.chunks_exact_mut(rows) {
                    self.means.push(self.center.map_or(0.0, |weights| {
                        let weighted: f64 = column.iter().zip(weights).map(|(x, c)| c * x).sum();
                        weighted / weights.iter().sum::<f64>()
                    }));
                    let mean = self.means[self.means.len() - 1];
                    column.iter_mut().for_each(|x| *x -= mean);
                }
            }
            Storage::Rows(matrix, pieces) => pieces.push(Piece::new(matrix, more, before)),
            Storage::Turned(matrix, turned) => turned.append(&Piece::new(matrix, more, before)),
        }
        self.means.resize(self.taken.len(), 0.0);
    }

    /// Turns what is kept row by row: from here on [`Columns::column`] knows sparse columns, and [`Columns::pieces`] none.
    pub(crate) fn turn(&mut self) {
        if let Storage::Rows(matrix, pieces) = &mut self.storage {
            let mut turned = Turned { starts: vec![0], rows: Vec::new(), values: Vec::new() };
            pieces.drain(..).for_each(|piece| turned.append(&piece));
            self.storage = Storage::Turned(matrix, turned);
        }
    }

    /// Whether sparse columns were turned.
    pub(crate) fn is_turned(&self) -> bool {
        matches!(self.storage, Storage::Turned(..))
    }

    /// Sparse columns row by row, the earlier ones first; `None` if they are dense or were turned.
    pub(crate) fn pieces(&self) -> Option<&[Piece]> {
        match &self.storage {
            Storage::Rows(_, pieces) => Some(pieces),
            Storage::Dense(..) | Storage::Turned(..) => None,
        }
    }

    /// The column taken at `position`; sparse ones must have been turned.
    #[inline(always)]
    pub(crate) fn column(&self, position: usize) -> Column<'_> {
        match &self.storage {
            Storage::Dense(matrix, values) => {
                let rows = matrix.rows();
                Column::Dense(&values[position * rows..(position + 1) * rows])
            }
            Storage::Turned(_, Turned { starts, rows, values }) => {
                let range = starts[position]..starts[position + 1];
                Column::Sparse(&rows[range.clone()], &values[range])
            }
            Storage::Rows(..) => {
                debug_assert!(false, "columns that were not turned");
                Column::Sparse(&[], &[])
            }
        }
    }

    /// `Σ_i alpha[i·K + k] x_ij` of every column taken, K `outputs`.
    pub(crate) fn products(&self, alpha: &[f64], outputs: usize, k: usize) -> Vec<f64> {
        let Some(pieces) = self.pieces() else {
            let product = |position| {
                let mut sum = 0.0;
                self.column(position).for_each(|i, x| sum += x * alpha[i * outputs + k]);
                sum
            };
            return (0..self.taken.len()).map(product).collect();
        };
        let mut products = vec![0.0; self.taken.len()];
        for piece in pieces {
            for (i, &a) in alpha.iter().skip(k).step_by(outputs).enumerate() {
                let (positions, values) = piece.row(i);
                positions.iter().zip(values).for_each(|(&position, &x)| products[position as usize] += x * a);
            }
        }
        products
    }

    /// `dz[i·K + k] += Σ_j change_j x_ij` over the columns taken.
    pub(crate) fn add_outputs(&self, change: &[f64], outputs: usize, k: usize, dz: &mut [f64]) {
        let Some(pieces) = self.pieces() else {
            for (position, &change) in change.iter().enumerate().filter(|entry| *entry.1 != 0.0) {
                self.column(position).for_each(|i, x| dz[i * outputs + k] += change * x);
            }
            return;
        };
        for piece in pieces {
            for (i, dz) in dz.iter_mut().skip(k).step_by(outputs).enumerate() {
                let (positions, values) = piece.row(i);
                *dz += sparse::dot(positions, values, change);
            }
        }
    }

    /// The taken columns of dense data, one after the other; empty for sparse data.
    pub(crate) fn dense_values(&self) -> &[f64] {
        match &self.storage {
            Storage::Dense(_, values) => values,
            Storage::Rows(..) | Storage::Turned(..) => &[],
        }
    }

    /// Stored values of the taken columns.
    pub(crate) fn stored(&self) -> usize {
        match &self.storage {
            Storage::Dense(_, values) => values.len(),
            Storage::Rows(_, pieces) => pieces.iter().map(|piece| piece.values.len()).sum(),
            Storage::Turned(_, turned) => turned.values.len(),
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
