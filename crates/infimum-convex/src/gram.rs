//! Weighted Gram matrices `H = Σ_i h_i x̃_i x̃_iᵀ` of the rows, with the constant 1 appended as last entry of x̃ where
//! the model has an intercept.
//!
//! Dense rows go block by block through the registers, 8 × 8 entries of H at a time (rows scaled by √h_i, zero weights
//! skipped); sparse rows add their outer products entry by entry. Only the lower triangle is written. Row ranges are
//! split over the threads of the current pool, each with its own H, added in order.
//!
//! This is the longest pass of all, so it asks the monitor at every block: told to stop, it returns the H of the rows seen so
//! far, which is positive semidefinite too; callers ask the monitor before they rely on it.

use std::ops::Range;

use faer::Mat;
use infimum_problem::{DenseMatrix, SparseMatrix, Storage, Stored, with_values};
use infimum_rigor::vectorized;
use rayon::prelude::*;

use crate::dense::{Line, tile};
use crate::design;
use crate::frame::Frame;

/// Columns of a panel: the numbers of a vector of AVX-512.
const TILE: usize = 8;
/// Rows per dense block: two panels of a block stay in the L1 cache.
const BLOCK: usize = 128;

/// Computes the lower triangle of H; `h[i] ≥ 0`. The order is d, plus one if `constant`.
pub(crate) fn weighted_gram(frame: &Frame, h: &[f64], constant: bool) -> Mat<f64> {
    weighted_gram_and_pull(frame, h, constant, None).0
}

/// The same, and `Xᵀ alpha` if there is an alpha of one output: the rows come from memory once for both.
pub(crate) fn weighted_gram_and_pull(
    frame: &Frame,
    h: &[f64],
    constant: bool,
    alpha: Option<&[f64]>,
) -> (Mat<f64>, Vec<f64>) {
    let matrix = frame.matrix;
    let order = matrix.columns() + usize::from(constant);
    let parts = if matrix.stored() * matrix.columns() < 4_000_000 { 1 } else { design::parts(matrix) };
    let ranges = design::row_ranges(matrix, parts);
    let part = |range: Range<usize>| {
        let padded = if matrix.is_sparse() { order } else { order.next_multiple_of(TILE) };
        let mut pass = Pass::new(h, order, padded, constant);
        let mut pull = vec![0.0; if alpha.is_some() { matrix.columns() } else { 0 }];
        design::for_each_block(matrix, range, |block| {
            for start in block.rows.clone().step_by(BLOCK) {
                let rows = start..(start + BLOCK).min(block.rows.end);
                let first = block.first + (start - block.rows.start);
                if let Some(alpha) = alpha {
                    let alpha = &alpha[first..first + rows.len()];
                    design::accumulate::<false>(block.storage, rows.clone(), alpha, 1, &mut pull);
                }
                with_values!(block.storage.values(), |values| match block.storage {
                    Storage::Dense(dense) => pass.dense(dense, values, first, rows),
                    Storage::Sparse(sparse) => pass.sparse(sparse, values, first, rows),
                });
                if frame.monitor.stop().is_some() {
                    break;
                }
            }
        });
        pass.flush();
        (pass.gram, pull)
    };
    let mut partial: Vec<(Mat<f64>, Vec<f64>)> =
        if ranges.len() == 1 { vec![part(0..matrix.rows())] } else { ranges.into_par_iter().map(part).collect() };
    let (mut total, mut pull) = partial.swap_remove(0);
    for (gram, part) in &partial {
        total += gram;
        pull.iter_mut().zip(part).for_each(|(total, x)| *total += x);
    }
    total.resize_with(order, order, |_, _| 0.0);
    (total, pull)
}

/// A pass over some of the rows.
struct Pass<'a> {
    gram: Mat<f64>,
    h: &'a [f64],
    order: usize,
    constant: bool,
    /// `√h_i x̃_i` of the dense rows that wait: panels of [`TILE`] columns, of each the rows one after the other. How rows come in
    /// blocks of a file changes no sum.
    panels: Vec<Line>,
    filled: usize,
}

impl<'a> Pass<'a> {
    fn new(h: &'a [f64], order: usize, padded: usize, constant: bool) -> Pass<'a> {
        let gram = Mat::zeros(padded, padded);
        Pass { gram, h, order, constant, panels: Vec::new(), filled: 0 }
    }

    /// Adds rows `rows`, of which the first is row `first` of the matrix.
    fn dense<T: Stored>(&mut self, dense: &DenseMatrix, values: &[T], first: usize, rows: Range<usize>) {
        self.panels.resize(self.gram.nrows() / TILE * BLOCK, Line([0.0; TILE]));
        let (mut next, end) = (rows.start, rows.end);
        while next < end {
            vectorized(
                #[inline(always)]
                || {
                    while next < end && self.filled < BLOCK {
                        let h = self.h[first + next - rows.start];
                        if h != 0.0 {
                            self.put(&values[dense.range(next)], h);
                        }
                        next += 1;
                    }
                },
            );
            if self.filled == BLOCK {
                self.flush();
            }
        }
    }

    /// Appends a row to those that wait.
    #[inline(always)]
    fn put<T: Stored>(&mut self, row: &[T], h: f64) {
        let root = h.sqrt();
        let (chunks, rest) = row.as_chunks::<TILE>();
        let mut place = self.filled;
        for chunk in 0..chunks.len() {
            // Of a copy the compiler knows that the row is not written to.
            let mut x = [0.0; TILE];
            for lane in 0..TILE {
                x[lane] = root * chunks[chunk][lane].into();
            }
            self.panels[place] = Line(x);
            place += BLOCK;
        }
        // What the last panel has beyond the row stays 0.
        if !rest.is_empty() || self.constant {
            let Line(panel) = &mut self.panels[place];
            for lane in 0..rest.len() {
                panel[lane] = root * rest[lane].into();
            }
            if self.constant {
                panel[rest.len()] = root;
            }
        }
        self.filled += 1;
    }

    /// Adds the dense rows that wait.
    fn flush(&mut self) {
        let filled = std::mem::take(&mut self.filled);
        if filled == 0 {
            return;
        }
        for left in 0..self.gram.nrows() / TILE {
            for right in left..self.gram.nrows() / TILE {
                let sums = tile(&self.panels[left * BLOCK..][..filled], &self.panels[right * BLOCK..][..filled]);
                for (k, sums) in sums.iter().enumerate() {
                    let entries = &mut self.gram.col_as_slice_mut(left * TILE + k)[right * TILE..][..TILE];
                    entries.iter_mut().zip(sums).for_each(|(entry, sum)| *entry += sum);
                }
            }
        }
    }

    /// Adds sparse rows `rows`, of which the first is row `first` of the matrix.
    fn sparse<T: Stored>(&mut self, sparse: &SparseMatrix, values: &[T], first: usize, rows: Range<usize>) {
        let last = self.order - 1;
        for (i, local) in (first..).zip(rows) {
            let h = self.h[i];
            if h == 0.0 {
                continue;
            }
            let entries = sparse.range(local);
            let (indices, values) = (&sparse.column_indices[entries.clone()], &values[entries]);
            for (position, (&j, &x)) in indices.iter().zip(values).enumerate() {
                let hx = h * x.into();
                let column = self.gram.col_as_slice_mut(j as usize);
                for (&l, &u) in indices[position..].iter().zip(&values[position..]) {
                    column[l as usize] += hx * u.into();
                }
                if self.constant {
                    column[last] += hx;
                }
            }
            if self.constant {
                self.gram[(last, last)] += h;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use infimum_problem::{Intercept, Matrix, Silent};
    use proptest::prelude::*;

    use super::*;
    use crate::penalty::Penalty;

    proptest! {
        #[test]
        fn the_entries_are_sums_of_products(
            rows in 0usize..400, columns in 1usize..20, constant in any::<bool>(), short in any::<bool>(), seed in any::<u64>()
        ) {
            let mut state = seed;
            let mut number = || {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (state >> 40) as f64 * 2f64.powi(-23) - 1.0
            };
            let x: Vec<f64> = (0..rows * columns).map(|_| number()).collect();
            let h: Vec<f64> = (0..rows).map(|_| number().max(0.0)).collect();
            let values = if short { x.clone().into() } else { x.iter().map(|x| x / 3.0).collect::<Vec<_>>().into() };
            let scale = if short { 1.0 } else { 1.0 / 3.0 };
            let matrix = Matrix::Dense(DenseMatrix { rows, columns, values });
            let weights = vec![1.0; rows];
            let frame = Frame {
                kernel: None,
            dictionary: None,
                matrix: &matrix,
                weights: &weights,
                penalty: Penalty { lambda1: 0.0, lambda2: 1.0, scales: None },
                intercept: if constant { Intercept::Free } else { Intercept::None },
                outputs: 1,
                monitor: &Silent,
            };
            let gram = weighted_gram(&frame, &h, constant);
            let order = columns + usize::from(constant);
            prop_assert_eq!((gram.nrows(), gram.ncols()), (order, order));
            let entry = |i: usize, j: usize| if j < columns { scale * x[i * columns + j] } else { 1.0 };
            for j in 0..order {
                for l in 0..=j {
                    let expected: f64 = (0..rows).map(|i| h[i] * entry(i, j) * entry(i, l)).sum();
                    prop_assert!((gram[(j, l)] - expected).abs() <= 1e-13 * rows as f64, "{} {expected}", gram[(j, l)]);
                }
            }
        }
    }
}
