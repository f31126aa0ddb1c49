//! Weighted Gram matrices `H = Σ_i h_i x̃_i x̃_iᵀ` of the rows, with the constant 1 appended as last entry of x̃ where
//! the model has an intercept.
//!
//! Dense rows go block by block through a triangular matrix product (rows scaled by h_i, zero weights skipped); sparse
//! rows add their outer products entry by entry. Only the lower triangle is written. Row ranges are split over the
//! threads of the current pool, each with its own H, added in order.
//!
//! This is the longest pass of all, so it asks the monitor at every block: told to stop, it returns the H of the rows seen so
//! far, which is positive semidefinite too; callers ask the monitor before they rely on it.

use std::ops::Range;

use faer::linalg::matmul::triangular::{self, BlockStructure};
use faer::{Accum, Mat, Par};
use infimum_problem::{DenseMatrix, Monitor, SparseMatrix, Storage, Stored, with_values};
use rayon::prelude::*;

use crate::design;
use crate::frame::Frame;

/// Orders of dense blocks are multiples of this: `gemm` loads vectors of so many numbers, and where a block ends within one the
/// rest of the vector is whatever the memory held; bits that read as subnormal numbers made such products five times slower.
const LANES: usize = 8;
/// Rows per dense block: 256 rows of 50 columns stay in the L2 cache.
const BLOCK: usize = 256;

/// Computes the lower triangle of H; `h[i] ≥ 0`. The order is d, plus one if `constant`.
pub(crate) fn weighted_gram(frame: &Frame, h: &[f64], constant: bool) -> Mat<f64> {
    let (matrix, monitor) = (frame.matrix, frame.monitor);
    let order = matrix.columns() + usize::from(constant);
    let parts = if matrix.stored() * matrix.columns() < 4_000_000 { 1 } else { design::parts(matrix) };
    let ranges = design::row_ranges(matrix, parts);
    let part = |range: Range<usize>| {
        let padded = if matrix.is_sparse() { order } else { order.next_multiple_of(LANES) };
        let mut pass = Pass::new(h, order, padded, constant, monitor);
        design::for_each_block(matrix, range, |block| {
            with_values!(block.storage.values(), |values| match block.storage {
                Storage::Dense(dense) => pass.dense(dense, values, block.first, block.rows),
                Storage::Sparse(sparse) => pass.sparse(sparse, values, block.first, block.rows),
            });
        });
        pass.flush();
        pass.gram
    };
    let mut partial: Vec<Mat<f64>> =
        if ranges.len() == 1 { vec![part(0..matrix.rows())] } else { ranges.into_par_iter().map(part).collect() };
    let mut total = partial.swap_remove(0);
    partial.iter().for_each(|part| total += part);
    total.resize_with(order, order, |_, _| 0.0);
    total
}

/// A pass over some of the rows.
struct Pass<'a> {
    gram: Mat<f64>,
    h: &'a [f64],
    order: usize,
    constant: bool,
    monitor: &'a dyn Monitor,
    /// Dense rows that wait for a product, h_i x̃_i and x̃_i as columns; how they come in blocks of a file changes no sum.
    scaled: Mat<f64>,
    plain: Mat<f64>,
    filled: usize,
}

impl<'a> Pass<'a> {
    fn new(h: &'a [f64], order: usize, padded: usize, constant: bool, monitor: &'a dyn Monitor) -> Pass<'a> {
        let zeros = |columns: usize| Mat::<f64>::zeros(padded, columns);
        let (scaled, plain) = (zeros(0), zeros(0));
        Pass { gram: zeros(padded), h, order, constant, monitor, scaled, plain, filled: 0 }
    }

    /// Adds rows `rows`, of which the first is row `first` of the matrix.
    fn dense<T: Stored>(&mut self, dense: &DenseMatrix, values: &[T], first: usize, rows: Range<usize>) {
        if self.scaled.ncols() == 0 {
            let padded = self.gram.nrows();
            (self.scaled, self.plain) = (Mat::zeros(padded, BLOCK), Mat::zeros(padded, BLOCK));
        }
        for (&h, local) in self.h[first..].iter().zip(rows) {
            if h != 0.0 {
                let (left, right) =
                    (self.scaled.col_as_slice_mut(self.filled), self.plain.col_as_slice_mut(self.filled));
                let row = &values[dense.range(local)];
                right.iter_mut().zip(row).for_each(|(r, &x)| *r = x.into());
                left.iter_mut().zip(row).for_each(|(l, &x)| *l = h * x.into());
                if self.constant {
                    left[self.order - 1] = h;
                    right[self.order - 1] = 1.0;
                }
                self.filled += 1;
            }
            if self.filled == BLOCK {
                self.flush();
                if self.monitor.stop().is_some() {
                    break;
                }
            }
        }
    }

    /// Adds the dense rows that wait.
    fn flush(&mut self) {
        add_block(&mut self.gram, &self.scaled, &self.plain, self.filled);
        self.filled = 0;
    }

    /// The same for sparse rows.
    fn sparse<T: Stored>(&mut self, sparse: &SparseMatrix, values: &[T], first: usize, rows: Range<usize>) {
        let last = self.order - 1;
        for (i, local) in (first..).zip(rows) {
            if i % BLOCK == 0 && self.monitor.stop().is_some() {
                break;
            }
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

fn add_block(gram: &mut Mat<f64>, scaled: &Mat<f64>, plain: &Mat<f64>, filled: usize) {
    if filled > 0 {
        triangular::matmul(
            gram.as_mut(),
            BlockStructure::TriangularLower,
            Accum::Add,
            scaled.as_ref().subcols(0, filled),
            BlockStructure::Rectangular,
            plain.as_ref().subcols(0, filled).transpose(),
            BlockStructure::Rectangular,
            1.0,
            Par::Seq,
        );
    }
}
