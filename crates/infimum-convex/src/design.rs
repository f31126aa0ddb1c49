//! Products with the feature matrix: `Z = X Wᵀ + 1 bᵀ` and `V = Aᵀ X`.
//!
//! Shapes are row-major: X n × d, W and V outputs × d, Z and A n × outputs. Rows are split over the threads of the
//! current rayon pool where the work is worth it; each part of `V` is summed by one thread and the parts are added in
//! order, so results do not depend on timing.

use std::ops::Range;

use infimum_problem::{Block, DenseMatrix, Matrix, Row, SparseMatrix, Storage, Stored, with_values};
use infimum_rigor::vectorized;
use rayon::prelude::*;

/// Stored values above which a product is split over threads.
const PARALLEL_FROM: usize = 200_000;

/// Number of row blocks to use for a product.
pub(crate) fn parts(matrix: &Matrix) -> usize {
    if matrix.stored() < PARALLEL_FROM { 1 } else { rayon::current_num_threads().min(matrix.rows()).max(1) }
}

/// `parts` consecutive row ranges with about equal work.
pub(crate) fn row_ranges(matrix: &Matrix, parts: usize) -> Vec<Range<usize>> {
    let rows = matrix.rows();
    let bound = |part: usize| match matrix {
        // Blocks of a file hold rows in order; their lengths are not at hand.
        Matrix::Dense(_) | Matrix::Spilled(_) => rows * part / parts,
        Matrix::Sparse(sparse) => {
            let entries = sparse.values.len() * part / parts;
            if part == parts { rows } else { sparse.row_starts.partition_point(|&start| start < entries).min(rows) }
        }
    };
    (0..parts).map(|part| bound(part)..bound(part + 1)).collect()
}

/// Visits rows in the blocks that the storage has them in. A fault of the file that a matrix was spilled to is remembered
/// there: then the solve is told to stop and its outcome is dropped ([`crate::solve`]), so nothing is returned here.
pub(crate) fn for_each_block(matrix: &Matrix, rows: Range<usize>, visit: impl FnMut(Block)) {
    let _ = matrix.for_each_block(rows, visit);
}

/// Visits every row in order, with its number; of faults the same holds.
pub(crate) fn for_each_row(matrix: &Matrix, visit: impl FnMut(usize, Row)) {
    let _ = matrix.for_each_row(visit);
}

/// `z[i·K + k] = x_i · W_k + b_k`.
pub(crate) fn multiply(matrix: &Matrix, weights: &[f64], intercepts: &[f64], z: &mut [f64]) {
    let outputs = intercepts.len();
    if weights.iter().all(|&w| w == 0.0) {
        z.chunks_exact_mut(outputs).for_each(|z| z.copy_from_slice(intercepts));
        return;
    }
    let ranges = row_ranges(matrix, parts(matrix));
    let mut rest = z;
    let mut jobs = Vec::with_capacity(ranges.len());
    for range in ranges {
        let (head, tail) = rest.split_at_mut(range.len() * outputs);
        jobs.push((range, head));
        rest = tail;
    }
    let run = |(range, z): (Range<usize>, &mut [f64])| {
        let first = range.start;
        for_each_block(matrix, range, |block| {
            let from = (block.first - first) * outputs;
            let z = &mut z[from..from + block.rows.len() * outputs];
            multiply_rows(block.storage, block.rows, weights, intercepts, z);
        });
    };
    if jobs.len() == 1 { jobs.into_iter().for_each(run) } else { jobs.into_par_iter().for_each(run) }
}

fn multiply_rows(storage: Storage, range: Range<usize>, weights: &[f64], intercepts: &[f64], z: &mut [f64]) {
    with_values!(storage.values(), |values| match storage {
        Storage::Dense(dense) => multiply_dense(dense, values, range, weights, intercepts, z),
        Storage::Sparse(sparse) => multiply_sparse(sparse, values, range, weights, intercepts, z),
    })
}

fn multiply_dense<T: Stored>(
    dense: &DenseMatrix,
    values: &[T],
    range: Range<usize>,
    weights: &[f64],
    intercepts: &[f64],
    z: &mut [f64],
) {
    let (outputs, columns) = (intercepts.len(), dense.columns);
    vectorized(
        #[inline(always)]
        || {
            for (i, z) in range.clone().zip(z.chunks_exact_mut(outputs)) {
                let row = &values[dense.range(i)];
                let mut k = 0;
                while k + TOGETHER <= outputs {
                    let sums = dots(row, &weights[k * columns..(k + TOGETHER) * columns]);
                    (0..TOGETHER).for_each(|place| z[k + place] = intercepts[k + place] + sums[place]);
                    k += TOGETHER;
                }
                for k in k..outputs {
                    z[k] = intercepts[k] + dot(row, &weights[k * columns..(k + 1) * columns]);
                }
            }
        },
    );
}

fn multiply_sparse<T: Stored>(
    sparse: &SparseMatrix,
    values: &[T],
    range: Range<usize>,
    weights: &[f64],
    intercepts: &[f64],
    z: &mut [f64],
) {
    let (outputs, columns) = (intercepts.len(), sparse.columns);
    for (i, z) in range.zip(z.chunks_exact_mut(outputs)) {
        let entries = sparse.range(i);
        let (indices, values) = (&sparse.column_indices[entries.clone()], &values[entries]);
        for k in 0..outputs {
            z[k] = intercepts[k] + sparse_dot(indices, values, &weights[k * columns..(k + 1) * columns]);
        }
    }
}

/// Dense dot product with eight independent sums; call it inside a `pulp` dispatch.
#[inline(always)]
pub(crate) fn dot<A: Stored, B: Stored>(a: &[A], b: &[B]) -> f64 {
    let mut sums = [0.0f64; 8];
    let ((chunks_a, rest_a), (chunks_b, rest_b)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    let mut tail = 0.0;
    for (&x, &y) in rest_a.iter().zip(rest_b) {
        tail += Into::<f64>::into(x) * Into::<f64>::into(y);
    }
    // By index: an iterator over both is not always inlined into these features of the processor.
    for chunk in 0..chunks_a.len().min(chunks_b.len()) {
        let (x, y) = (&chunks_a[chunk], &chunks_b[chunk]);
        for lane in 0..8 {
            sums[lane] += Into::<f64>::into(x[lane]) * Into::<f64>::into(y[lane]);
        }
    }
    ((sums[0] + sums[4]) + (sums[2] + sums[6])) + ((sums[1] + sums[5]) + (sums[3] + sums[7])) + tail
}

/// Outputs, or rows, that go through the registers together.
const TOGETHER: usize = 4;

/// Dot products of `a` with [`TOGETHER`] vectors, one behind the other in `b`; call it inside a `pulp` dispatch.
#[inline(always)]
fn dots<T: Stored>(a: &[T], b: &[f64]) -> [f64; TOGETHER] {
    let n = a.len();
    let (b0, rest) = b.split_at(n);
    let (b1, rest) = rest.split_at(n);
    let (b2, b3) = rest.split_at(n);
    let mut sums = [[0.0f64; 8]; TOGETHER];
    let (chunks, rest) = a.as_chunks::<8>();
    let first = n - rest.len();
    for (place, x) in chunks.iter().enumerate() {
        let j = 8 * place;
        for (sums, b) in sums.iter_mut().zip([b0, b1, b2, b3]) {
            let b = &b[j..j + 8];
            for lane in 0..8 {
                sums[lane] += Into::<f64>::into(x[lane]) * b[lane];
            }
        }
    }
    let mut totals = [0.0; TOGETHER];
    for ((total, sums), b) in totals.iter_mut().zip(&sums).zip([b0, b1, b2, b3]) {
        let tail: f64 = rest.iter().zip(&b[first..]).map(|(&x, y)| Into::<f64>::into(x) * y).sum();
        *total = ((sums[0] + sums[4]) + (sums[2] + sums[6])) + ((sums[1] + sums[5]) + (sums[3] + sums[7])) + tail;
    }
    totals
}

/// Sparse dot product with four independent sums.
#[inline(always)]
pub(crate) fn sparse_dot<T: Stored>(indices: &[u32], values: &[T], weights: &[f64]) -> f64 {
    let (chunks_i, rest_i) = indices.as_chunks::<4>();
    let (chunks_x, rest_x) = values.as_chunks::<4>();
    let mut sums = [0.0f64; 4];
    for (j, x) in chunks_i.iter().zip(chunks_x) {
        for lane in 0..4 {
            sums[lane] += Into::<f64>::into(x[lane]) * weights[j[lane] as usize];
        }
    }
    let rest: f64 = rest_i.iter().zip(rest_x).map(|(&j, &x)| Into::<f64>::into(x) * weights[j as usize]).sum();
    (sums[0] + sums[2]) + (sums[1] + sums[3]) + rest
}

/// `v[k·d + j] = Σ_i alpha[i·K + k] x_ij` and the sums `Σ_i alpha[i·K + k]`.
pub(crate) fn transpose_multiply(matrix: &Matrix, alpha: &[f64], v: &mut [f64], sums: &mut [f64]) {
    let outputs = sums.len();
    let ranges = row_ranges(matrix, parts(matrix));
    if ranges.len() == 1 {
        v.fill(0.0);
        accumulate_rows(matrix, 0..matrix.rows(), alpha, outputs, v);
    } else {
        let partial: Vec<Vec<f64>> = ranges
            .into_par_iter()
            .map(|range| {
                let mut part = vec![0.0; v.len()];
                accumulate_rows(matrix, range, alpha, outputs, &mut part);
                part
            })
            .collect();
        v.copy_from_slice(&partial[0]);
        for part in &partial[1..] {
            v.iter_mut().zip(part).for_each(|(total, x)| *total += x);
        }
    }
    sums.fill(0.0);
    for row in alpha.chunks_exact(outputs) {
        sums.iter_mut().zip(row).for_each(|(sum, a)| *sum += a);
    }
}

/// Adds rows `range` of the matrix to `v`.
fn accumulate_rows(matrix: &Matrix, range: Range<usize>, alpha: &[f64], outputs: usize, v: &mut [f64]) {
    for_each_block(matrix, range, |block| {
        let alpha = &alpha[block.first * outputs..];
        with_values!(block.storage.values(), |values| match block.storage {
            Storage::Dense(dense) => accumulate_dense(dense, values, block.rows, alpha, outputs, v),
            Storage::Sparse(sparse) => accumulate_sparse(sparse, values, block.rows, alpha, outputs, v),
        });
    });
}

/// Adds rows `range`; `alpha` begins with the first of them.
fn accumulate_dense<T: Stored>(
    dense: &DenseMatrix,
    values: &[T],
    range: Range<usize>,
    alpha: &[f64],
    outputs: usize,
    v: &mut [f64],
) {
    vectorized(
        #[inline(always)]
        || {
            let (mut i, end) = (range.start, range.end);
            // Several rows at a time, so that each sum is loaded and stored once for all of them.
            while outputs > 1 && i + TOGETHER <= end {
                let rows: [&[T]; TOGETHER] = std::array::from_fn(|place| &values[dense.range(i + place)]);
                let first = (i - range.start) * outputs;
                for k in 0..outputs {
                    let a: [f64; TOGETHER] = std::array::from_fn(|place| alpha[first + place * outputs + k]);
                    let v = &mut v[k * dense.columns..(k + 1) * dense.columns];
                    let columns = rows[0].iter().zip(rows[1]).zip(rows[2].iter().zip(rows[3]));
                    for (total, ((&x0, &x1), (&x2, &x3))) in v.iter_mut().zip(columns) {
                        *total += (a[0] * x0.into() + a[1] * x1.into()) + (a[2] * x2.into() + a[3] * x3.into());
                    }
                }
                i += TOGETHER;
            }
            for i in i..end {
                let (row, alpha) = (&values[dense.range(i)], &alpha[(i - range.start) * outputs..]);
                for k in 0..outputs {
                    let a = alpha[k];
                    if a != 0.0 {
                        let v = &mut v[k * dense.columns..(k + 1) * dense.columns];
                        v.iter_mut().zip(row).for_each(|(total, &x)| *total += a * x.into());
                    }
                }
            }
        },
    );
}

/// The same for sparse rows.
fn accumulate_sparse<T: Stored>(
    sparse: &SparseMatrix,
    values: &[T],
    range: Range<usize>,
    alpha: &[f64],
    outputs: usize,
    v: &mut [f64],
) {
    for (i, alpha) in range.zip(alpha.chunks_exact(outputs)) {
        let entries = sparse.range(i);
        let (indices, values) = (&sparse.column_indices[entries.clone()], &values[entries]);
        for k in 0..outputs {
            let a = alpha[k];
            if a != 0.0 {
                let v = &mut v[k * sparse.columns..(k + 1) * sparse.columns];
                indices.iter().zip(values).for_each(|(&j, &x)| v[j as usize] += a * x.into());
            }
        }
    }
}
