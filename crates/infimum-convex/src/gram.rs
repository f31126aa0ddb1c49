//! Weighted Gram matrices `H = Σ_i h_i x̃_i x̃_iᵀ` of the rows, with the constant 1 appended as last entry of x̃ where
//! the model has an intercept.
//!
//! Dense rows go block by block through a triangular matrix product (rows scaled by h_i, zero weights skipped); sparse
//! rows add their outer products entry by entry. Only the lower triangle is written. Row ranges are split over the
//! threads of the current pool, each with its own H, added in order.
//!
//! This is the longest pass of all, so it asks the monitor at every block: told to stop, it returns the H of the rows seen so
//! far, which is positive semidefinite too; callers ask the monitor before they rely on it.

use faer::linalg::matmul::triangular::{self, BlockStructure};
use faer::{Accum, Mat, Par};
use infimum_problem::Storage;
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
    let part = |range: std::ops::Range<usize>| {
        let padded = if matrix.is_sparse() { order } else { order.next_multiple_of(LANES) };
        let mut gram = Mat::<f64>::zeros(padded, padded);
        design::for_each_block(matrix, range, |block| match block.storage {
            Storage::Dense(dense) => {
                let mut scaled = Mat::<f64>::zeros(padded, BLOCK);
                let mut plain = Mat::<f64>::zeros(padded, BLOCK);
                let mut filled = 0;
                for (i, local) in (block.first..).zip(block.rows) {
                    if h[i] != 0.0 {
                        let (left, right) = (scaled.col_as_slice_mut(filled), plain.col_as_slice_mut(filled));
                        let row = dense.row(local);
                        right[..row.len()].copy_from_slice(row);
                        left.iter_mut().zip(row).for_each(|(l, x)| *l = h[i] * x);
                        if constant {
                            left[order - 1] = h[i];
                            right[order - 1] = 1.0;
                        }
                        filled += 1;
                    }
                    if filled == BLOCK {
                        if monitor.stop().is_some() {
                            break;
                        }
                        add_block(&mut gram, &scaled, &plain, filled);
                        filled = 0;
                    }
                }
                add_block(&mut gram, &scaled, &plain, filled);
            }
            Storage::Sparse(sparse) => {
                for (i, local) in (block.first..).zip(block.rows) {
                    if i % BLOCK == 0 && monitor.stop().is_some() {
                        break;
                    }
                    if h[i] == 0.0 {
                        continue;
                    }
                    let (indices, values) = sparse.row(local);
                    for (position, (&j, &x)) in indices.iter().zip(values).enumerate() {
                        let hx = h[i] * x;
                        let column = gram.col_as_slice_mut(j as usize);
                        for (&l, &u) in indices[position..].iter().zip(&values[position..]) {
                            column[l as usize] += hx * u;
                        }
                        if constant {
                            column[order - 1] += hx;
                        }
                    }
                    if constant {
                        gram[(order - 1, order - 1)] += h[i];
                    }
                }
            }
        });
        gram
    };
    let mut partial: Vec<Mat<f64>> =
        if ranges.len() == 1 { vec![part(0..matrix.rows())] } else { ranges.into_par_iter().map(part).collect() };
    let mut total = partial.swap_remove(0);
    partial.iter().for_each(|part| total += part);
    total.resize_with(order, order, |_, _| 0.0);
    total
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
