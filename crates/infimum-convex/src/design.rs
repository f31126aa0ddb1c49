//! Products with the feature matrix: `Z = X Wᵀ + 1 bᵀ` and `V = Aᵀ X`.
//!
//! Shapes are row-major: X n × d, W and V outputs × d, Z and A n × outputs. Rows are split over the threads of the
//! current rayon pool where the work is worth it; each part of `V` is summed by one thread and the parts are added in
//! order, so results do not depend on timing.

use std::ops::Range;

use infimum_problem::{Block, Matrix, Row, Storage, with_values};
use rayon::prelude::*;

use crate::dense::{self, OUTPUTS};
use crate::sparse;
use crate::sums::sum;

/// Stored values above which a product is split over threads.
const PARALLEL_FROM: usize = 200_000;
/// Stored values that stay in the L2 cache.
const CACHED: usize = 32_768;

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

/// No row has more stored values than this.
pub(crate) fn longest_row(matrix: &Matrix) -> usize {
    match matrix {
        Matrix::Sparse(sparse) => sparse.row_starts.windows(2).map(|ends| ends[1] - ends[0]).max().unwrap_or(0),
        Matrix::Dense(_) | Matrix::Spilled(_) => matrix.columns(),
    }
}

/// `z[i·K + k] = x_i · W_k + b_k`.
pub(crate) fn multiply(matrix: &Matrix, weights: &[f64], intercepts: &[f64], z: &mut [f64]) {
    let outputs = intercepts.len();
    if weights.iter().all(|&w| w == 0.0) {
        z.chunks_exact_mut(outputs).for_each(|z| z.copy_from_slice(intercepts));
        return;
    }
    by_parts(matrix, outputs, [z], |storage, rows, [z]| multiply_rows::<false>(storage, rows, weights, intercepts, z));
}

/// The same, and `sizes[i·K + k] = |x_i| · |W_k| + |b_k|`, to which the rounding of the outputs is in proportion.
pub(crate) fn multiply_with_sizes(
    matrix: &Matrix,
    weights: &[f64],
    intercepts: &[f64],
    z: &mut [f64],
    sizes: &mut [f64],
) {
    let magnitudes = |x: &[f64]| x.iter().map(|x| x.abs()).collect::<Vec<_>>();
    let (weight_sizes, intercept_sizes) = (magnitudes(weights), magnitudes(intercepts));
    let outputs = intercepts.len();
    // Rows that stay in the cache between the two products. Products of several outputs do not wait for the rows, and each call lays the
    // weights out anew.
    let cached = (CACHED * matrix.rows() / matrix.stored().max(1)).max(1);
    let count = if outputs < OUTPUTS { cached } else { matrix.rows().max(1) };
    by_parts(matrix, outputs, [z, sizes], |storage, rows, [z, sizes]| {
        for first in rows.clone().step_by(count) {
            let some = first..(first + count).min(rows.end);
            let place = (first - rows.start) * outputs..(some.end - rows.start) * outputs;
            multiply_rows::<false>(storage, some.clone(), weights, intercepts, &mut z[place.clone()]);
            multiply_rows::<true>(storage, some, &weight_sizes, &intercept_sizes, &mut sizes[place]);
        }
    });
}

/// Calls `run` for blocks of all rows, with the rows' parts of vectors of `outputs` numbers for each row; the parts of a product side by side.
fn by_parts<const N: usize>(
    matrix: &Matrix,
    outputs: usize,
    vectors: [&mut [f64]; N],
    run: impl Fn(Storage, Range<usize>, [&mut [f64]; N]) + Sync,
) {
    let mut rest = vectors;
    let mut jobs = Vec::new();
    for range in row_ranges(matrix, parts(matrix)) {
        let heads = rest.each_mut().map(|rest| {
            let (head, tail) = std::mem::take(rest).split_at_mut(range.len() * outputs);
            *rest = tail;
            head
        });
        jobs.push((range, heads));
    }
    let part = |(range, mut vectors): (Range<usize>, [&mut [f64]; N])| {
        let first = range.start;
        for_each_block(matrix, range, |block| {
            let place = (block.first - first) * outputs..(block.first - first + block.rows.len()) * outputs;
            run(block.storage, block.rows, vectors.each_mut().map(|vector| &mut vector[place.clone()]));
        });
    };
    if jobs.len() == 1 { jobs.into_iter().for_each(part) } else { jobs.into_par_iter().for_each(part) }
}

/// Outputs of some rows of a block; with `MAGNITUDES` of |x_i|.
fn multiply_rows<const MAGNITUDES: bool>(
    storage: Storage,
    rows: Range<usize>,
    weights: &[f64],
    intercepts: &[f64],
    z: &mut [f64],
) {
    with_values!(storage.values(), |values| match storage {
        Storage::Dense(matrix) => {
            dense::multiply::<_, MAGNITUDES>(&values[matrix.rows_at(rows)], weights, intercepts, z);
        }
        Storage::Sparse(matrix) => sparse::multiply::<_, MAGNITUDES>(matrix, values, rows, weights, intercepts, z),
    });
}

/// `v[k·d + j] = Σ_i alpha[i·K + k] x_ij` and the sums `Σ_i alpha[i·K + k]`.
pub(crate) fn transpose_multiply(matrix: &Matrix, alpha: &[f64], v: &mut [f64], sums: &mut [f64]) {
    transpose_product::<false>(matrix, alpha, v, sums);
}

/// The same of the squares of x_ij.
pub(crate) fn transpose_multiply_squares(matrix: &Matrix, alpha: &[f64], v: &mut [f64], sums: &mut [f64]) {
    transpose_product::<true>(matrix, alpha, v, sums);
}

fn transpose_product<const SQUARES: bool>(matrix: &Matrix, alpha: &[f64], v: &mut [f64], sums: &mut [f64]) {
    let outputs = sums.len();
    let ranges = row_ranges(matrix, parts(matrix));
    if ranges.len() == 1 {
        v.fill(0.0);
        accumulate_rows::<SQUARES>(matrix, 0..matrix.rows(), alpha, outputs, v);
    } else {
        let partial: Vec<Vec<f64>> = ranges
            .into_par_iter()
            .map(|range| {
                let mut part = vec![0.0; v.len()];
                accumulate_rows::<SQUARES>(matrix, range, alpha, outputs, &mut part);
                part
            })
            .collect();
        v.copy_from_slice(&partial[0]);
        for part in &partial[1..] {
            v.iter_mut().zip(part).for_each(|(total, x)| *total += x);
        }
    }
    sums.fill(0.0);
    if let [only] = sums {
        *only = sum(alpha.len(), 0.0, |i| alpha[i]);
        return;
    }
    for row in alpha.chunks_exact(outputs) {
        sums.iter_mut().zip(row).for_each(|(sum, a)| *sum += a);
    }
}

/// Adds rows `range` of the matrix to `v`.
fn accumulate_rows<const SQUARES: bool>(
    matrix: &Matrix,
    range: Range<usize>,
    alpha: &[f64],
    outputs: usize,
    v: &mut [f64],
) {
    for_each_block(matrix, range, |block| {
        let alpha = &alpha[block.first * outputs..][..block.rows.len() * outputs];
        accumulate::<SQUARES>(block.storage, block.rows, alpha, outputs, v);
    });
}

/// `v[k·d + j] += Σ_i alpha[i·K + k] x_ij` for some rows of a block, or with `SQUARES` of x_ij²; `alpha` is theirs.
pub(crate) fn accumulate<const SQUARES: bool>(
    storage: Storage,
    rows: Range<usize>,
    alpha: &[f64],
    outputs: usize,
    v: &mut [f64],
) {
    with_values!(storage.values(), |values| match storage {
        Storage::Dense(matrix) => dense::accumulate::<_, SQUARES>(&values[matrix.rows_at(rows)], alpha, outputs, v),
        Storage::Sparse(matrix) => sparse::accumulate::<_, SQUARES>(matrix, values, rows, alpha, outputs, v),
    });
}

#[cfg(test)]
mod tests {
    use infimum_problem::{DenseMatrix, Matrix, SparseMatrix, Values};

    use super::*;
    use crate::first_order::random;

    /// Sparse rows have the products that the same rows have as dense ones, however many outputs there are.
    #[test]
    fn storage_changes_no_product() {
        let (rows, columns, mut state) = (41, 13, 5);
        let mut uniform = || (random(&mut state) >> 11) as f64 / (1u64 << 52) as f64 - 1.0;
        let values: Vec<f64> = (0..rows * columns).map(|_| uniform()).map(|x| if x > 0.2 { x } else { 0.0 }).collect();
        let (mut row_starts, mut column_indices, mut stored) = (vec![0], vec![], Values::default());
        for row in values.chunks(columns) {
            for (j, &x) in row.iter().enumerate().filter(|entry| *entry.1 != 0.0) {
                column_indices.push(j as u32);
                stored.push(x);
            }
            row_starts.push(stored.len());
        }
        let sparse = Matrix::Sparse(SparseMatrix { rows, columns, row_starts, column_indices, values: stored });
        let dense = Matrix::Dense(DenseMatrix { rows, columns, values: values.into() });
        for outputs in 1..19 {
            let mut numbers = |count: usize| -> Vec<f64> { (0..count).map(|_| uniform()).collect() };
            let (weights, intercepts, alpha) = (numbers(outputs * columns), numbers(outputs), numbers(outputs * rows));
            let all = |matrix: &Matrix| {
                let (mut z, mut sizes) = (vec![0.0; rows * outputs], vec![0.0; rows * outputs]);
                multiply_with_sizes(matrix, &weights, &intercepts, &mut z, &mut sizes);
                let (mut v, mut squares, mut sums) =
                    (vec![1.0; weights.len()], vec![1.0; weights.len()], vec![0.0; outputs]);
                transpose_multiply(matrix, &alpha, &mut v, &mut sums);
                transpose_multiply_squares(matrix, &alpha, &mut squares, &mut sums);
                [z, sizes, v, squares, sums].concat()
            };
            let (of_sparse, of_dense) = (all(&sparse), all(&dense));
            assert!(of_sparse.iter().zip(&of_dense).all(|(a, b)| (a - b).abs() < 1e-12), "{outputs}");
        }
    }
}
