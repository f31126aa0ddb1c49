//! Products with sparse rows. From four outputs on, eight outputs are a vector: the weights of a column for them lie side by side
//! ([`by_columns`]), so that an entry is read once for all eight.

use std::ops::Range;

use infimum_problem::{SparseMatrix, Stored};
use infimum_rigor::vectorized;

use crate::dense::{LANES, Line, OUTPUTS, number};

/// `z[i·K + k] = x_i·W_k + b_k` for some rows; with `MAGNITUDES` of |x_i|. `z` begins with the first of them.
pub(crate) fn multiply<T: Stored, const MAGNITUDES: bool>(
    sparse: &SparseMatrix,
    values: &[T],
    range: Range<usize>,
    weights: &[f64],
    intercepts: &[f64],
    z: &mut [f64],
) {
    let (outputs, columns) = (intercepts.len(), sparse.columns);
    if outputs >= OUTPUTS {
        return multiply_outputs::<T, MAGNITUDES>(sparse, values, range, weights, intercepts, z);
    }
    for (i, z) in range.zip(z.chunks_exact_mut(outputs)) {
        let entries = sparse.range(i);
        let (indices, values) = (&sparse.column_indices[entries.clone()], &values[entries]);
        for k in 0..outputs {
            let weights = &weights[k * columns..(k + 1) * columns];
            z[k] = intercepts[k] + product::<T, MAGNITUDES>(indices, values, weights);
        }
    }
}

/// The same for several outputs, eight in a vector: the weights of one column lie side by side.
fn multiply_outputs<T: Stored, const MAGNITUDES: bool>(
    sparse: &SparseMatrix,
    values: &[T],
    range: Range<usize>,
    weights: &[f64],
    intercepts: &[f64],
    z: &mut [f64],
) {
    let (outputs, columns) = (intercepts.len(), sparse.columns);
    let panels = outputs.div_ceil(LANES);
    let mut lines = vec![Line::ZERO; columns * panels];
    by_columns(outputs, columns, |entry, place, lane| lines[place].0[lane] = weights[entry]);
    vectorized(
        #[inline(always)]
        || {
            for (place, i) in range.clone().enumerate() {
                let entries = sparse.range(i);
                let (indices, values) = (&sparse.column_indices[entries.clone()], &values[entries]);
                let z = &mut z[place * outputs..(place + 1) * outputs];
                for panel in 0..panels {
                    // Two sums, so that additions need not wait for each other.
                    let mut sums = [[0.0; LANES]; 2];
                    for entry in 0..indices.len() {
                        let x = number::<T, MAGNITUDES>(values[entry]);
                        let line = lines[indices[entry] as usize * panels + panel].0;
                        let sum = &mut sums[entry % 2];
                        for lane in 0..LANES {
                            sum[lane] = x.mul_add(line[lane], sum[lane]);
                        }
                    }
                    let first = panel * LANES;
                    for k in first..outputs.min(first + LANES) {
                        z[k] = intercepts[k] + (sums[0][k - first] + sums[1][k - first]);
                    }
                }
            }
        },
    );
}

/// Sparse dot product with four independent sums.
#[inline(always)]
pub(crate) fn dot<T: Stored>(indices: &[u32], values: &[T], weights: &[f64]) -> f64 {
    product::<T, false>(indices, values, weights)
}

/// The same, with `MAGNITUDES` of the magnitudes of the values.
#[inline(always)]
fn product<T: Stored, const MAGNITUDES: bool>(indices: &[u32], values: &[T], weights: &[f64]) -> f64 {
    let (chunks_i, rest_i) = indices.as_chunks::<4>();
    let (chunks_x, rest_x) = values.as_chunks::<4>();
    let mut sums = [0.0f64; 4];
    for (j, x) in chunks_i.iter().zip(chunks_x) {
        for lane in 0..4 {
            sums[lane] += number::<T, MAGNITUDES>(x[lane]) * weights[j[lane] as usize];
        }
    }
    let rest: f64 = rest_i.iter().zip(rest_x).map(|(&j, &x)| number::<T, MAGNITUDES>(x) * weights[j as usize]).sum();
    (sums[0] + sums[2]) + (sums[1] + sums[3]) + rest
}

/// `v[k·d + j] += Σ_i alpha[i·K + k] x_ij` over some rows, or with `SQUARES` of x_ij²; `alpha` begins with the first of them.
pub(crate) fn accumulate<T: Stored, const SQUARES: bool>(
    sparse: &SparseMatrix,
    values: &[T],
    range: Range<usize>,
    alpha: &[f64],
    outputs: usize,
    v: &mut [f64],
) {
    if outputs >= OUTPUTS {
        return accumulate_outputs::<T, SQUARES>(sparse, values, range, alpha, outputs, v);
    }
    for (i, alpha) in range.zip(alpha.chunks_exact(outputs)) {
        let entries = sparse.range(i);
        let (indices, values) = (&sparse.column_indices[entries.clone()], &values[entries]);
        for k in 0..outputs {
            let a = alpha[k];
            if a != 0.0 {
                let v = &mut v[k * sparse.columns..(k + 1) * sparse.columns];
                for (&j, &x) in indices.iter().zip(values) {
                    let x: f64 = x.into();
                    v[j as usize] += a * if SQUARES { x * x } else { x };
                }
            }
        }
    }
}

/// The same for several outputs, eight in a vector.
fn accumulate_outputs<T: Stored, const SQUARES: bool>(
    sparse: &SparseMatrix,
    values: &[T],
    range: Range<usize>,
    alpha: &[f64],
    outputs: usize,
    v: &mut [f64],
) {
    let (columns, panels) = (sparse.columns, outputs.div_ceil(LANES));
    let mut lines = vec![Line::ZERO; columns * panels];
    vectorized(
        #[inline(always)]
        || {
            for (place, i) in range.clone().enumerate() {
                let entries = sparse.range(i);
                let (indices, values) = (&sparse.column_indices[entries.clone()], &values[entries]);
                for panel in 0..panels {
                    let first = place * outputs + panel * LANES;
                    let width = LANES.min(outputs - panel * LANES);
                    let mut a = [0.0; LANES];
                    a[..width].copy_from_slice(&alpha[first..first + width]);
                    for entry in 0..indices.len() {
                        let x: f64 = values[entry].into();
                        let x = if SQUARES { x * x } else { x };
                        let line = &mut lines[indices[entry] as usize * panels + panel].0;
                        for lane in 0..LANES {
                            line[lane] = x.mul_add(a[lane], line[lane]);
                        }
                    }
                }
            }
        },
    );
    by_columns(outputs, columns, |entry, place, lane| v[entry] += lines[place].0[lane]);
}

/// Visits the numbers of K × d: where each is there, and its line and lane among the lines that hold eight outputs of a column each, column by column.
fn by_columns(outputs: usize, columns: usize, mut visit: impl FnMut(usize, usize, usize)) {
    let panels = outputs.div_ceil(LANES);
    for k in 0..outputs {
        for j in 0..columns {
            visit(k * columns + j, j * panels + k / LANES, k % LANES);
        }
    }
}
