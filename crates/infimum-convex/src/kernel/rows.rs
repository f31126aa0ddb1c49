//! Kernel entries for the solver: 32 rows at a time against all rows, in `f64`, and products with the kernel matrix.

use infimum_problem::{Kernel, Matrix, Row, Stored, ValueSlice, with_values};
use infimum_rigor::{exp_negative, vectorized};
use rayon::prelude::*;

/// Rows side by side.
pub(super) const LANES: usize = 32;
/// More columns than this are not scattered into a dense block.
const MOST_SCATTERED: usize = 1 << 17;
/// Rows per parallel piece.
const PIECE: usize = 512;
/// Up to so many rows are cached in `f64`: 128 MiB at most.
const FEW: usize = 4_096;

/// What entries of cached rows are rounded to.
pub(super) trait Entry: Copy + Default + Send + Sync + Into<f64> {
    /// Bound on the relative error of an entry, with room for the sums that it goes into.
    const ROUNDING: f64;

    /// The nearest number of this type.
    fn rounded(value: f64) -> Self;
}

impl Entry for f32 {
    const ROUNDING: f64 = 5.960464477539063e-8; // 2^-24

    #[inline(always)]
    fn rounded(value: f64) -> f32 {
        value as f32
    }
}

impl Entry for f64 {
    const ROUNDING: f64 = 8.881784197001252e-16; // 2^-50

    #[inline(always)]
    fn rounded(value: f64) -> f64 {
        value
    }
}

/// The kernel matrix of the rows of `matrix`, never formed.
pub(crate) struct Rows<'a> {
    matrix: &'a Matrix,
    kernel: Kernel,
    /// ‖x_i‖².
    norms: Vec<f64>,
    /// Whether blocks are dense. Those of sparse rows are not where that takes too much memory, or where
    /// ‖x‖² + ‖y‖² − 2x·y cancels too much: then rows are merged.
    scattered: bool,
    /// Bound on the error of an entry, the checker's too, relative to its magnitude in [`Rows::product`].
    error: f64,
}

/// Up to 32 rows side by side: entry (k, lane) at `k·32 + lane`; empty where rows are merged instead.
struct Block<'b> {
    matrix: &'b Matrix,
    rows: &'b [usize],
    columns: Vec<f64>,
    norms: [f64; LANES],
}

impl<'a> Rows<'a> {
    pub(crate) fn new(matrix: &'a Matrix, kernel: Kernel) -> Rows<'a> {
        let (mut norms, mut longest) = (Vec::with_capacity(matrix.rows()), 0usize);
        for i in 0..matrix.rows() {
            let (mut norm, mut length) = (0.0, 0);
            matrix.row(i).for_each(|_, x| {
                norm += x * x;
                length += 1;
            });
            norms.push(norm);
            longest = longest.max(length);
        }
        // Twice the error of an entry (docs/kernels.md, section 4), once for this evaluation and once for the checker's, and 34
        // roundings of a block's sum each; in halves of a unit in the last place.
        let m = longest as f64;
        let entries = match kernel {
            Kernel::Rbf { .. } => 4.2 * m + 30.0,
            Kernel::Polynomial { degree, .. } => 2.1 * f64::from(degree) * (m + 6.0),
        };
        let error = (entries + 80.0) * (f64::EPSILON / 2.0);
        let largest = norms.iter().copied().fold(0.0, f64::max);
        // An exponent off by more than 1e-3 is not covered by a relative error of the entry; the checker decides likewise.
        let scattered = !matrix.is_sparse()
            || matrix.columns() <= MOST_SCATTERED
                && match kernel {
                    Kernel::Rbf { gamma } => 2.0 * gamma * largest * error <= 1e-3,
                    Kernel::Polynomial { .. } => true,
                };
        Rows { matrix, kernel, norms, scattered, error }
    }

    /// Whether cached rows are to be `f64`: entries of a polynomial spread over many magnitudes, and few rows cost little.
    pub(crate) fn wants_double(kernel: Kernel, n: usize) -> bool {
        n <= FEW || matches!(kernel, Kernel::Polynomial { .. })
    }

    pub(super) fn is_double(&self) -> bool {
        Rows::wants_double(self.kernel, self.len())
    }

    pub(super) fn len(&self) -> usize {
        self.norms.len()
    }

    /// K(x_i, x_i).
    pub(super) fn diagonal(&self, i: usize) -> f64 {
        match self.kernel {
            Kernel::Rbf { .. } => 1.0,
            Kernel::Polynomial { gamma, degree, coef0 } => (gamma * self.norms[i] + coef0).powi(degree as i32),
        }
    }

    fn block<'b>(&'b self, rows: &'b [usize]) -> Block<'b> {
        let d = self.matrix.columns();
        let columns = vec![0.0; if self.scattered { d * LANES } else { 0 }];
        let mut block = Block { matrix: self.matrix, rows, columns, norms: [0.0; LANES] };
        for (lane, &j) in rows.iter().enumerate() {
            block.norms[lane] = self.norms[j];
            if self.scattered {
                self.matrix.row(j).for_each(|k, x| block.columns[k * LANES + lane] = x);
            }
        }
        block
    }

    /// K(x_i, x_j) for the rows j of the block, and the number that it is a function of, ‖x_i − x_j‖² or x_i·x_j.
    #[inline(always)]
    fn entries(&self, i: usize, block: &Block, values: &mut [f64; LANES], sums: &mut [f64; LANES]) {
        *sums = [0.0; LANES];
        let columns = block.columns.as_chunks::<LANES>().0;
        match (self.matrix.row(i), self.kernel) {
            (Row::Dense(x), Kernel::Rbf { .. }) => {
                with_values!(x, |x| add_differences(x, columns, sums));
            }
            (Row::Dense(x), Kernel::Polynomial { .. }) => {
                with_values!(x, |x| add_products(x, columns.iter(), sums));
            }
            (Row::Sparse(indices, x), kernel) if columns.is_empty() => {
                let differences = matches!(kernel, Kernel::Rbf { .. });
                for (sum, &j) in sums.iter_mut().zip(block.rows) {
                    *sum = merged(indices, x, block.matrix.row(j), differences);
                }
            }
            (Row::Sparse(indices, x), kernel) => {
                let columns = indices.iter().map(|&k| &columns[k as usize]);
                with_values!(x, |x| add_products(x, columns, sums));
                if matches!(kernel, Kernel::Rbf { .. }) {
                    for lane in 0..LANES {
                        sums[lane] = (self.norms[i] + block.norms[lane] - 2.0 * sums[lane]).max(0.0);
                    }
                }
            }
        }
        match self.kernel {
            Kernel::Rbf { gamma } => {
                for lane in 0..LANES {
                    values[lane] = exp_negative(-(gamma * sums[lane]));
                }
            }
            Kernel::Polynomial { gamma, degree, coef0 } => {
                let mut base = [0.0; LANES];
                for lane in 0..LANES {
                    base[lane] = gamma * sums[lane] + coef0;
                }
                *values = base;
                for _ in 1..degree {
                    for lane in 0..LANES {
                        values[lane] *= base[lane];
                    }
                }
            }
        }
    }

    /// Rows `wanted` (at most 32) of the kernel matrix.
    pub(super) fn rows<T: Entry>(&self, wanted: &[usize]) -> Vec<Vec<T>> {
        let n = self.len();
        let block = self.block(wanted);
        let pieces: Vec<Vec<[T; LANES]>> = (0..n.div_ceil(PIECE))
            .into_par_iter()
            .map(|piece| {
                let range = piece * PIECE..((piece + 1) * PIECE).min(n);
                let mut entries = vec![[T::default(); LANES]; range.len()];
                vectorized(
                    #[inline(always)]
                    || {
                        let (mut values, mut sums) = ([0.0; LANES], [0.0; LANES]);
                        for (i, entries) in range.clone().zip(entries.iter_mut()) {
                            self.entries(i, &block, &mut values, &mut sums);
                            for lane in 0..LANES {
                                entries[lane] = T::rounded(values[lane]);
                            }
                        }
                    },
                );
                entries
            })
            .collect();
        (0..wanted.len())
            .map(|lane| pieces.iter().flat_map(|piece| piece.iter().map(move |entries| entries[lane])).collect())
            .collect()
    }

    /// `(Kα)_i` in `f64` for every row and, for each, a bound on the error of this and of the checker's evaluation.
    pub(super) fn product(&self, alpha: &[f64]) -> (Vec<f64>, Vec<f64>) {
        let n = self.len();
        let support: Vec<usize> = (0..n).filter(|&j| alpha[j] != 0.0).collect();
        let mut sums = vec![(0.0, 0.0); n];
        for rows in support.chunks(LANES) {
            let block = self.block(rows);
            let coefficients: [f64; LANES] = std::array::from_fn(|lane| rows.get(lane).map_or(0.0, |&j| alpha[j]));
            sums.par_chunks_mut(PIECE).enumerate().for_each(|(piece, sums)| {
                vectorized(
                    #[inline(always)]
                    || {
                        let (mut values, mut arguments) = ([0.0; LANES], [0.0; LANES]);
                        for (place, (sum, magnitude)) in sums.iter_mut().enumerate() {
                            let i = piece * PIECE + place;
                            self.entries(i, &block, &mut values, &mut arguments);
                            let (mut part, mut bound) = (0.0, 0.0);
                            for lane in 0..LANES {
                                part += coefficients[lane] * values[lane];
                                bound += coefficients[lane].abs()
                                    * self.magnitude(i, &block, values[lane], arguments[lane], lane);
                            }
                            *sum += part;
                            *magnitude += bound;
                        }
                    },
                );
            });
        }
        // Sums of blocks are plain here.
        let error = self.error + support.len().div_ceil(LANES) as f64 * f64::EPSILON;
        sums.into_iter().map(|(sum, magnitude)| (sum, error * magnitude)).unzip()
    }

    /// What the error of an entry is relative to.
    #[inline(always)]
    fn magnitude(&self, i: usize, block: &Block, value: f64, argument: f64, lane: usize) -> f64 {
        match self.kernel {
            Kernel::Rbf { gamma } if self.matrix.is_sparse() && self.scattered => {
                value * (1.0 + gamma * (self.norms[i] + block.norms[lane]))
            }
            // An argument that overflowed belongs to the value 0.
            Kernel::Rbf { gamma } => value * (1.0 + (gamma * argument).min(1e300)),
            Kernel::Polynomial { gamma, degree, coef0 } => {
                let base = gamma * (self.norms[i] * block.norms[lane]).sqrt() + coef0;
                (1..degree).fold(base, |power, _| power * base)
            }
        }
    }
}

/// `Σ_j W_kj K(basis_j, x_i) + b_k` for every row x of `matrix`, row-major rows × outputs, in plain `f64`; `weights` is outputs ×
/// basis rows. Both matrices have the same columns.
pub fn kernel_outputs(
    kernel: Kernel,
    basis: &Matrix,
    weights: &[f64],
    intercepts: &[f64],
    matrix: &Matrix,
) -> Vec<f64> {
    let (mut basis, rows, outputs) = (Rows::new(basis, kernel), Rows::new(matrix, kernel), intercepts.len());
    // Rows are merged only if both are sparse.
    let both_sparse = matrix.is_sparse() && basis.matrix.is_sparse();
    basis.scattered = !both_sparse || (basis.scattered && rows.scattered);
    let mut z: Vec<f64> = intercepts.iter().copied().cycle().take(rows.len() * outputs).collect();
    let indices: Vec<usize> = (0..basis.len()).collect();
    for chunk in indices.chunks(LANES) {
        let block = basis.block(chunk);
        z.par_chunks_mut(PIECE * outputs).enumerate().for_each(|(piece, z)| {
            vectorized(
                #[inline(always)]
                || {
                    let (mut values, mut sums) = ([0.0; LANES], [0.0; LANES]);
                    for (place, z) in z.chunks_exact_mut(outputs).enumerate() {
                        rows.entries(piece * PIECE + place, &block, &mut values, &mut sums);
                        for (k, z) in z.iter_mut().enumerate() {
                            let weights = &weights[k * basis.len()..(k + 1) * basis.len()];
                            *z += chunk.iter().zip(&values).map(|(&j, value)| weights[j] * value).sum::<f64>();
                        }
                    }
                },
            );
        });
    }
    z
}

/// `sums[lane] += Σ_k (x_k − y_k)²` over the columns y of a block.
#[inline(always)]
fn add_differences<T: Stored>(x: &[T], columns: &[[f64; LANES]], sums: &mut [f64; LANES]) {
    for (&x, y) in x.iter().zip(columns) {
        let x: f64 = x.into();
        for lane in 0..LANES {
            let difference = y[lane] - x;
            sums[lane] = difference.mul_add(difference, sums[lane]);
        }
    }
}

/// `sums[lane] += Σ_k x_k y_k`; each value has its column of a block beside it.
#[inline(always)]
fn add_products<'b, T: Stored>(x: &[T], columns: impl Iterator<Item = &'b [f64; LANES]>, sums: &mut [f64; LANES]) {
    for (&x, y) in x.iter().zip(columns) {
        let x: f64 = x.into();
        for lane in 0..LANES {
            sums[lane] = x.mul_add(y[lane], sums[lane]);
        }
    }
}

/// `Σ x_k y_k` or `Σ (x_k − y_k)²` of two sparse rows.
fn merged(x_columns: &[u32], x_values: ValueSlice, y: Row, differences: bool) -> f64 {
    let Row::Sparse(y_columns, y_values) = y else {
        // Rows are merged only if both matrices are sparse.
        return f64::NAN;
    };
    with_values!(x_values, |x_values| {
        with_values!(y_values, |y_values| merged_values(x_columns, x_values, y_columns, y_values, differences))
    })
}

fn merged_values<X: Stored, Y: Stored>(
    x_columns: &[u32],
    x_values: &[X],
    y_columns: &[u32],
    y_values: &[Y],
    differences: bool,
) -> f64 {
    let (mut a, mut b, mut sum) = (0, 0, 0.0);
    let column = |columns: &[u32], place: usize| columns.get(place).map_or(u64::MAX, |&column| u64::from(column));
    while a < x_columns.len() || b < y_columns.len() {
        let (left, right) = (column(x_columns, a), column(y_columns, b));
        let (mut first, mut second) = (0.0, 0.0);
        if left <= right {
            first = x_values[a].into();
            a += 1;
        }
        if right <= left {
            second = y_values[b].into();
            b += 1;
        }
        sum += if differences { (first - second) * (first - second) } else { first * second };
    }
    sum
}
