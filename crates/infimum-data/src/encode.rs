//! Typed columns as a matrix: numbers as they are, text one-hot encoded.
//!
//! The table's buffers become the matrix's own, row by row from the last, so that no second copy of either is in memory;
//! numbers stay singles or doubles as the table has them.

use infimum_problem::{DenseMatrix, Encoding, Feature, FeatureKind, Matrix, SparseMatrix, Stored, Values};
#[cfg(feature = "parquet")]
use infimum_problem::{Row, ValueSlice, with_values};

use crate::csv::{Dictionary, Layout, Table};
use crate::error::one_line;
use crate::number;

/// One-hot encoded tables filled less than this are stored sparse.
const SPARSE_BELOW: f64 = 0.3;
/// The column of a category that the model does not know.
const NONE: u32 = u32::MAX;

/// How a feature is read from a row and which columns of the matrix it becomes.
pub(crate) enum Plan {
    /// The number at `from`, in column `to`.
    Number { from: usize, to: u32 },
    /// The code at `from`: 1 in column `to[code]`, if that is one.
    Text { from: usize, to: Vec<u32> },
}

/// The encoding of a new model, and the names of the matrix's columns. `features` are the file's columns.
pub(crate) fn fresh_encoding(
    layout: &Layout,
    features: &[usize],
    text: &[Dictionary],
    notes: &mut Vec<String>,
) -> (Encoding, Vec<String>) {
    let mut encoded = Vec::with_capacity(features.len());
    let mut names = Vec::new();
    let mut texts = text.iter();
    for &column in features {
        let name = layout.names.name(column).into_owned();
        let Some(dictionary) = layout.text[column].then(|| texts.next()).flatten() else {
            names.push(name.clone());
            encoded.push(Feature { name, kind: FeatureKind::Numeric });
            continue;
        };
        let mut categories: Vec<String> = dictionary.names.iter().map(|name| name.to_string()).collect();
        categories.sort();
        let shown = one_line(&name);
        notes.push(format!("column `{shown}` is text: one-hot encoded as {} columns", categories.len()));
        let missing =
            dictionary.names.iter().zip(&dictionary.counts).filter(|entry| number::is_missing(entry.0.as_bytes()));
        match missing.map(|entry| entry.1).sum::<u64>() {
            0 => {}
            1 => notes.push(format!("column `{shown}`: 1 missing value is a category of its own")),
            count => notes.push(format!("column `{shown}`: {count} missing values are categories of their own")),
        }
        names.extend(categories.iter().map(|category| format!("{name}={category}")));
        encoded.push(Feature { name, kind: FeatureKind::OneHot(categories) });
    }
    (Encoding { features: encoded, columns: names.len(), image: None }, names)
}

/// Whether a table of so many features becomes a sparse matrix; `columns` are the matrix's.
pub(crate) fn is_sparse(features: usize, columns: usize) -> bool {
    (features as f64) < SPARSE_BELOW * columns as f64
}

/// Lays a table out as `encoding` says; feature j stands in the file's column `features[j]`. Categories that are not in the
/// encoding give zeros and a note.
pub(crate) fn encode_matrix(
    layout: &Layout,
    features: &[usize],
    table: Table,
    encoding: &Encoding,
    notes: &mut Vec<String>,
) -> Matrix {
    let columns = encoding.columns;
    let numbers_only = encoding.features.iter().all(|feature| feature.kind == FeatureKind::Numeric);
    if numbers_only && features.is_sorted() {
        return Matrix::Dense(DenseMatrix { rows: table.rows, columns, values: table.numbers });
    }
    let plans = plans(layout, features, &table.text, encoding, notes);
    let Table { rows, numbers, codes, text, .. } = table;
    let is_sparse = is_sparse(features.len(), columns);
    let text_width = text.len();
    match numbers {
        Values::Singles(numbers) => Rows { rows, numbers, codes, text_width, plans }.matrix(columns, is_sparse),
        Values::Doubles(numbers) => Rows { rows, numbers, codes, text_width, plans }.matrix(columns, is_sparse),
    }
}

/// Where each feature's columns come from; feature j stands in the file's column `features[j]`.
pub(crate) fn plans(
    layout: &Layout,
    features: &[usize],
    text: &[Dictionary],
    encoding: &Encoding,
    notes: &mut Vec<String>,
) -> Vec<Plan> {
    let mut sorted = features.to_vec();
    sorted.sort_unstable();
    let place = |column: usize| sorted.iter().filter(|&&c| c < column && layout.text[c] == layout.text[column]).count();
    let mut to = 0u32;
    let mut plans = Vec::with_capacity(features.len());
    for (&column, feature) in features.iter().zip(&encoding.features) {
        let from = place(column);
        match &feature.kind {
            FeatureKind::Numeric => {
                plans.push(Plan::Number { from, to });
                to += 1;
            }
            FeatureKind::OneHot(categories) => {
                let dictionary = &text[from];
                let known = |name: &str| categories.binary_search_by(|category| category.as_str().cmp(name)).ok();
                let codes: Vec<u32> =
                    dictionary.names.iter().map(|name| known(name).map_or(NONE, |place| to + place as u32)).collect();
                note_unknown(&feature.name, dictionary, &codes, notes);
                plans.push(Plan::Text { from, to: codes });
                to += categories.len() as u32;
            }
        }
    }
    plans
}

fn note_unknown(name: &str, dictionary: &Dictionary, codes: &[u32], notes: &mut Vec<String>) {
    let unknown: Vec<usize> = (0..codes.len()).filter(|&code| codes[code] == NONE).collect();
    if let Some(&first) = unknown.first() {
        let rows: u64 = unknown.iter().map(|&code| dictionary.counts[code]).sum();
        notes.push(format!(
            "column `{}`: {} categories that the model does not know (`{}` …), in {rows} rows; all columns of `{}` are 0 there",
            one_line(name),
            unknown.len(),
            one_line(&dictionary.names[first]),
            one_line(name)
        ));
    }
}

/// Calls `put` with the column and the value of every feature of a row; one-hot columns that are 0 are left out.
fn visit<T: Stored>(plans: &[Plan], numbers: &[T], codes: &[u32], mut put: impl FnMut(u32, T)) {
    for plan in plans {
        match plan {
            Plan::Number { from, to } => put(*to, numbers[*from]),
            Plan::Text { from, to } => match to[codes[*from] as usize] {
                NONE => {}
                column => put(column, T::from(1)),
            },
        }
    }
}

/// Lays rows out one at a time, as [`encode_matrix`] does all of a table.
#[cfg(feature = "parquet")]
pub(crate) struct RowEncoder {
    plans: Vec<Plan>,
    pub(crate) columns: usize,
    pub(crate) is_sparse: bool,
    indices: Vec<u32>,
    values: Vec<f64>,
}

#[cfg(feature = "parquet")]
impl RowEncoder {
    /// `features` is how many there are.
    pub(crate) fn new(plans: Vec<Plan>, features: usize, columns: usize) -> RowEncoder {
        RowEncoder { plans, columns, is_sparse: is_sparse(features, columns), indices: Vec::new(), values: Vec::new() }
    }

    /// The row of a table's numbers and codes.
    pub(crate) fn row(&mut self, numbers: ValueSlice, codes: &[u32]) -> Row<'_> {
        self.indices.clear();
        self.values.clear();
        self.values.resize(if self.is_sparse { 0 } else { self.columns }, 0.0);
        with_values!(numbers, |numbers| self.fill(numbers, codes));
        let values = ValueSlice::Doubles(&self.values);
        if self.is_sparse { Row::Sparse(&self.indices, values) } else { Row::Dense(values) }
    }

    fn fill<T: Stored>(&mut self, numbers: &[T], codes: &[u32]) {
        let RowEncoder { plans, is_sparse, indices, values, .. } = self;
        visit(plans, numbers, codes, |column, value| {
            if !*is_sparse {
                values[column as usize] = value.into();
            } else if value != T::default() {
                indices.push(column);
                values.push(value.into());
            }
        });
    }
}

/// A table on its way to a matrix.
struct Rows<T> {
    rows: usize,
    numbers: Vec<T>,
    codes: Vec<u32>,
    text_width: usize,
    plans: Vec<Plan>,
}

impl<T: Stored> Rows<T>
where
    Values: From<Vec<T>>,
{
    fn matrix(self, columns: usize, is_sparse: bool) -> Matrix {
        if is_sparse { Matrix::Sparse(self.sparse(columns)) } else { Matrix::Dense(self.dense(columns)) }
    }

    fn visit(&self, row: usize, number_width: usize, put: impl FnMut(u32, T)) {
        let numbers = &self.numbers[row * number_width..(row + 1) * number_width];
        let codes = &self.codes[row * self.text_width..(row + 1) * self.text_width];
        visit(&self.plans, numbers, codes, put);
    }

    /// Every number has a column, so a row's place in the matrix is at or behind its place among the numbers.
    fn dense(mut self, columns: usize) -> DenseMatrix {
        let number_width = self.plans.len() - self.text_width;
        resize(&mut self.numbers, self.rows * columns);
        let mut values = vec![T::default(); columns];
        for row in (0..self.rows).rev() {
            values.fill(T::default());
            self.visit(row, number_width, |column, value| values[column as usize] = value);
            self.numbers[row * columns..(row + 1) * columns].copy_from_slice(&values);
        }
        DenseMatrix { rows: self.rows, columns, values: self.numbers.into() }
    }

    /// One entry a feature first, 0 where it has none; then zeros are dropped.
    fn sparse(mut self, columns: usize) -> SparseMatrix {
        let width = self.plans.len();
        let number_width = width - self.text_width;
        let rows = self.rows;
        resize(&mut self.numbers, rows * width);
        resize(&mut self.codes, rows * width);
        let mut entries: Vec<(u32, T)> = Vec::with_capacity(width);
        for row in (0..rows).rev() {
            entries.clear();
            self.visit(row, number_width, |column, value| entries.push((column, value)));
            entries.resize(width, (0, T::default()));
            for (place, &(column, value)) in (row * width..).zip(&entries) {
                (self.codes[place], self.numbers[place]) = (column, value);
            }
        }
        let mut row_starts = Vec::with_capacity(rows + 1);
        row_starts.push(0);
        let mut end = 0;
        for row in 0..rows {
            for place in row * width..(row + 1) * width {
                if self.numbers[place] != T::default() {
                    (self.codes[end], self.numbers[end]) = (self.codes[place], self.numbers[place]);
                    end += 1;
                }
            }
            row_starts.push(end);
        }
        self.codes.truncate(end);
        self.numbers.truncate(end);
        SparseMatrix { rows, columns, row_starts, column_indices: self.codes, values: self.numbers.into() }
    }
}

/// Grows to `length` without room to spare.
fn resize<T: Clone + Default>(values: &mut Vec<T>, length: usize) {
    values.reserve_exact(length.saturating_sub(values.len()));
    values.resize(length, T::default());
}
