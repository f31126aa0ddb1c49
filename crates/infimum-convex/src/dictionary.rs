//! Sparse rows as few words each.
//!
//! The columns are cut into [`PARTS`] ranges with about as many stored values each. What a row has in one of them is its word there; where
//! rows are made of categories, few words are different (a9a: 26,008 different rows of 361,000 values, and 4,025 words of 19,378), and products go
//! by words: `z_i = Σ_parts (word·w)`, and `Xᵀα` adds up α by words first. Of a Gram matrix the blocks of one part are sums over its words;
//! the block of two parts adds the words of one to a row of sums for each word of the other, which are then multiplied with those words.
//! Rows with one word in each part: with s values a row and m words of a part the pass costs n·s/3 for each two parts, instead of n·s²/2.

use std::ops::Range;

use faer::Mat;
use infimum_problem::{Matrix, SparseMatrix, Stored, with_values};

use crate::equal_rows::{Repeated, groups};

/// Ranges of columns.
const PARTS: usize = 3;
/// What share of the words must have been seen before, of the first rows and of all.
const REPEATED: Repeated = Repeated { first: 0.3, all: 0.6 };
/// Rows from which on it is worth looking.
const LEAST_ROWS: usize = 2_000;

/// Most sums of two parts: words of one times columns of the other.
const LARGEST: usize = 1 << 22;

/// The rows of a sparse matrix as words.
pub(crate) struct Dictionary {
    parts: Vec<Part>,
    columns: usize,
}

/// The words of a range of columns.
struct Part {
    columns: Range<usize>,
    /// Compressed rows, of which the indices count from the first column of the range.
    starts: Vec<usize>,
    indices: Vec<u32>,
    values: Vec<f64>,
    /// The word of each row.
    of_row: Vec<u32>,
}

impl Dictionary {
    /// `None` where it does not pay.
    pub(crate) fn new(matrix: &Matrix) -> Option<Dictionary> {
        let Matrix::Sparse(sparse) = matrix else { return None };
        if sparse.rows < LEAST_ROWS || u32::try_from(sparse.rows).is_err() {
            return None;
        }
        let parts = with_values!(sparse.values.as_slice(), |values| {
            ranges(sparse).into_iter().map(|range| Part::new(sparse, values, range)).collect::<Option<Vec<_>>>()
        })?;
        let block = |left: &Part, right: &Part| left.len() * right.columns.len() <= LARGEST;
        let small =
            (parts.iter().enumerate()).all(|(place, left)| parts[place + 1..].iter().all(|right| block(left, right)));
        small.then_some(Dictionary { parts, columns: sparse.columns })
    }

    /// `z_i = x_i·weights + intercept`.
    pub(crate) fn multiply(&self, weights: &[f64], intercept: f64, z: &mut [f64]) {
        z.fill(intercept);
        for part in &self.parts {
            let weights = &weights[part.columns.clone()];
            let products: Vec<f64> =
                (0..part.len()).map(|word| part.word(word).map(|(j, x)| x * weights[j]).sum()).collect();
            z.iter_mut().zip(&part.of_row).for_each(|(z, &word)| *z += products[word as usize]);
        }
    }

    /// `v = Xᵀ alpha`.
    pub(crate) fn transpose_multiply(&self, alpha: &[f64], v: &mut [f64]) {
        v.fill(0.0);
        for part in &self.parts {
            let v = &mut v[part.columns.clone()];
            for (word, sum) in part.sums(alpha).into_iter().enumerate() {
                part.word(word).for_each(|(j, x)| v[j] += sum * x);
            }
        }
    }

    /// The lower triangle of `Σ_i h_i x̃_i x̃_iᵀ`, with the constant 1 last in x̃ if there is one.
    pub(crate) fn weighted_gram(&self, h: &[f64], constant: bool) -> Mat<f64> {
        let order = self.columns + usize::from(constant);
        let mut gram = Mat::zeros(order, order);
        for (place, part) in self.parts.iter().enumerate() {
            let first = part.columns.start;
            for (word, sum) in part.sums(h).into_iter().enumerate() {
                for (position, (j, x)) in part.word(word).enumerate() {
                    let column = gram.col_as_slice_mut(first + j);
                    part.word(word).skip(position).for_each(|(l, u)| column[first + l] += sum * x * u);
                    if constant {
                        column[order - 1] += sum * x;
                    }
                }
            }
            self.parts[place + 1..].iter().for_each(|other| add_block(&mut gram, h, part, other));
        }
        if constant {
            gram[(order - 1, order - 1)] = h.iter().sum();
        }
        gram
    }
}

/// Adds the block of the columns of `left` and the rows of `right`, which come later.
fn add_block(gram: &mut Mat<f64>, h: &[f64], left: &Part, right: &Part) {
    let width = right.columns.len();
    let mut sums = vec![0.0; left.len() * width];
    for ((&h, &word), &other) in h.iter().zip(&left.of_row).zip(&right.of_row) {
        let sums = &mut sums[word as usize * width..][..width];
        right.word(other as usize).for_each(|(j, x)| sums[j] += h * x);
    }
    for (word, sums) in sums.chunks_exact(width.max(1)).enumerate() {
        for (j, x) in left.word(word) {
            let column = &mut gram.col_as_slice_mut(left.columns.start + j)[right.columns.clone()];
            column.iter_mut().zip(sums).for_each(|(entry, sum)| *entry += x * sum);
        }
    }
}

impl Part {
    fn new<T: Stored>(sparse: &SparseMatrix, values: &[T], columns: Range<usize>) -> Option<Part> {
        let own = |i: usize| {
            let entries = sparse.range(i);
            let indices = &sparse.column_indices[entries.clone()];
            let place = |column: usize| entries.start + indices.partition_point(|&j| (j as usize) < column);
            place(columns.start)..place(columns.end)
        };
        let entries: Vec<Range<usize>> = (0..sparse.rows).map(own).collect();
        let row = |i: usize| (&sparse.column_indices[entries[i].clone()], &values[entries[i].clone()]);
        let (of_row, firsts) = groups(sparse.rows, |_| 0, row, REPEATED)?;
        let mut part = Part { columns: columns.clone(), starts: vec![0], indices: vec![], values: vec![], of_row };
        for i in firsts {
            let (indices, values) = row(i);
            part.indices.extend(indices.iter().map(|&j| j - columns.start as u32));
            part.values.extend(values.iter().map(|&x| Into::<f64>::into(x)));
            part.starts.push(part.indices.len());
        }
        Some(part)
    }

    /// Number of words.
    fn len(&self) -> usize {
        self.starts.len() - 1
    }

    /// Columns, counted from the first of the range, and values of a word.
    #[inline(always)]
    fn word(&self, word: usize) -> impl Iterator<Item = (usize, f64)> + '_ {
        let entries = self.starts[word]..self.starts[word + 1];
        self.indices[entries.clone()].iter().zip(&self.values[entries]).map(|(&j, &x)| (j as usize, x))
    }

    /// For each word the sum of the numbers of its rows.
    fn sums(&self, numbers: &[f64]) -> Vec<f64> {
        let mut sums = vec![0.0; self.len()];
        self.of_row.iter().zip(numbers).for_each(|(&word, x)| sums[word as usize] += x);
        sums
    }
}

/// [`PARTS`] ranges of columns with about as many stored values each.
fn ranges(sparse: &SparseMatrix) -> Vec<Range<usize>> {
    let mut counts = vec![0usize; sparse.columns];
    sparse.column_indices.iter().for_each(|&j| counts[j as usize] += 1);
    let (total, mut seen, mut first) = (sparse.column_indices.len(), 0, 0);
    let mut ranges = Vec::with_capacity(PARTS);
    for (j, count) in counts.into_iter().enumerate() {
        seen += count;
        if seen * PARTS >= total * (ranges.len() + 1) && ranges.len() + 1 < PARTS {
            ranges.push(first..j + 1);
            first = j + 1;
        }
    }
    ranges.push(first..sparse.columns);
    ranges
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::design;

    /// Rows with one of some categories in each of five groups of columns, now and then none, or twice its value.
    fn categories(rows: usize, columns: usize, seed: u64, singles: bool) -> Matrix {
        let mut state = seed;
        let mut next = |below: usize| (crate::first_order::random(&mut state) >> 33) as usize % below;
        let mut sparse = SparseMatrix {
            rows,
            columns: 5 * columns,
            row_starts: vec![0],
            column_indices: vec![],
            values: infimum_problem::Values::default(),
        };
        for _ in 0..rows {
            for group in 0..5 {
                if next(10) > 0 {
                    sparse.column_indices.push((group * columns + next(columns)) as u32);
                    sparse.values.push(if next(4) > 0 {
                        1.0
                    } else if singles {
                        2.0
                    } else {
                        0.1
                    });
                }
            }
            sparse.row_starts.push(sparse.values.len());
        }
        Matrix::Sparse(sparse)
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
        #[test]
        fn products_are_those_of_the_rows(columns in 1usize..6, seed in any::<u64>(), constant in any::<bool>()) {
            let rows = LEAST_ROWS + (seed % 500) as usize;
            let matrix = categories(rows, columns, seed, seed % 2 == 0);
            let dictionary = Dictionary::new(&matrix).expect("few words");
            let mut state = !seed;
            let mut uniform = || (crate::first_order::random(&mut state) >> 11) as f64 / (1u64 << 52) as f64 - 1.0;
            let weights: Vec<f64> = (0..matrix.columns()).map(|_| uniform()).collect();
            let alpha: Vec<f64> = (0..rows).map(|_| uniform()).collect();
            let h: Vec<f64> = alpha.iter().map(|alpha| alpha.abs()).collect();
            let near = |a: &[f64], b: &[f64]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-10);
            let (mut z, mut expected) = (vec![0.0; rows], vec![0.0; rows]);
            dictionary.multiply(&weights, 0.7, &mut z);
            design::multiply(&matrix, &weights, &[0.7], &mut expected);
            prop_assert!(near(&z, &expected));
            let (mut v, mut expected) = (vec![1.0; weights.len()], vec![0.0; weights.len()]);
            dictionary.transpose_multiply(&alpha, &mut v);
            design::transpose_multiply(&matrix, &alpha, &mut expected, &mut [0.0]);
            prop_assert!(near(&v, &expected));
            let gram = dictionary.weighted_gram(&h, constant);
            let mut dense = vec![0.0; rows * gram.nrows()];
            for (i, row) in dense.chunks_exact_mut(gram.nrows()).enumerate() {
                matrix.row(i).for_each(|j, x| row[j] = x);
                row[weights.len()..].fill(1.0);
            }
            for j in 0..gram.nrows() {
                for l in j..gram.nrows() {
                    let row = |i: usize| &dense[i * gram.nrows()..];
                    let expected: f64 = (0..rows).map(|i| h[i] * row(i)[j] * row(i)[l]).sum();
                    prop_assert!((gram[(l, j)] - expected).abs() < 1e-9, "{l} {j}");
                }
            }
        }
    }

    /// Rows with as many words as there are rows; too few rows; words times columns beyond memory.
    #[test]
    fn other_rows_have_no_dictionary() {
        assert!(Dictionary::new(&categories(4_000, 4_000, 1, true)).is_none());
        assert!(Dictionary::new(&categories(LEAST_ROWS - 1, 2, 1, true)).is_none());
        let Matrix::Sparse(mut sparse) = categories(30_000, 12, 1, true) else { unreachable!() };
        assert!(Dictionary::new(&Matrix::Sparse(sparse.clone())).is_some());
        sparse.columns = LARGEST;
        assert!(Dictionary::new(&Matrix::Sparse(sparse)).is_none());
    }
}
