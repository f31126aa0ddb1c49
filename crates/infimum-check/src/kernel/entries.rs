//! Kernel entries in plain `f64` with a proven error: `|K − K̂| ≤ κ·M + 1e-300`, K̂ and M computed together, 32 rows at a time.
//! The error analysis is in docs/kernels.md, section 4; `u = 2^-53` and m is the number of products in a sum.

use infimum_problem::{Kernel, Matrix, Row, Stored, with_values};
use infimum_rigor::{EXP_NEGATIVE_ERROR, exp_negative};

/// Rows of a block.
pub(super) const LANES: usize = 32;

/// More columns than this are not scattered into a dense block: that would take 256 bytes each.
const MOST_SCATTERED: usize = 1 << 17;

/// Half a unit in the last place of 1.
const U: f64 = f64::EPSILON / 2.0;

/// How the number between two rows that the kernel is a function of is computed.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Method {
    /// ‖x − y‖² as Σ (x_k − y_k)², all columns.
    DenseDifferences,
    /// x·y over all columns.
    DenseProducts,
    /// x·y of a sparse row with 32 rows scattered side by side; ‖x − y‖² = ‖x‖² + ‖y‖² − 2x·y.
    ScatteredProducts,
    /// x·y of two sparse rows, merged.
    MergedProducts,
    /// Σ (x_k − y_k)² of two sparse rows, merged.
    MergedDifferences,
}

/// The entries of a kernel matrix.
pub(super) struct Entries<'a> {
    matrix: &'a Matrix,
    kernel: Kernel,
    method: Method,
    /// Σ x², n.
    norms: Vec<f64>,
    /// κ.
    pub(super) kappa: f64,
}

/// Up to 32 rows, side by side where the method wants them so.
pub(super) struct Block {
    rows: Vec<usize>,
    /// Entry (k, lane) at `k·32 + lane`; lanes without a row hold zeros.
    columns: Vec<f64>,
    norms: [f64; LANES],
}

impl<'a> Entries<'a> {
    /// Chooses the method whose error is small; `None` if the numbers are outside the error analysis.
    pub(super) fn new(matrix: &'a Matrix, kernel: Kernel) -> Option<Entries<'a>> {
        let (mut norms, mut longest) = (Vec::with_capacity(matrix.rows()), 0);
        for i in 0..matrix.rows() {
            let (mut norm, mut length) = (0.0, 0usize);
            matrix.row(i).for_each(|_, x| {
                norm += x * x;
                length += 1;
            });
            norms.push(norm);
            longest = longest.max(length);
        }
        let largest = norms.iter().copied().fold(0.0, f64::max);
        let m = longest as f64;
        let scattered = matrix.columns() <= MOST_SCATTERED;
        let products = 1.01 * (2.0 * m + 6.0) * U;
        let (method, relative) = match (kernel, matrix.is_sparse()) {
            (Kernel::Rbf { .. }, false) => (Method::DenseDifferences, (m + 4.0) * U),
            (Kernel::Rbf { gamma }, true) if scattered && gamma * (2.0 * largest) * products <= 1e-3 => {
                (Method::ScatteredProducts, products)
            }
            (Kernel::Rbf { .. }, true) => (Method::MergedDifferences, (2.0 * m + 4.0) * U),
            (Kernel::Polynomial { degree, .. }, sparse) => {
                let method = match (sparse, scattered) {
                    (false, _) => Method::DenseProducts,
                    (true, true) => Method::ScatteredProducts,
                    (true, false) => Method::MergedProducts,
                };
                (method, f64::from(degree) * (m + 5.0) * U)
            }
        };
        let kappa = match kernel {
            Kernel::Rbf { .. } => 1.02 * relative.max(EXP_NEGATIVE_ERROR),
            Kernel::Polynomial { .. } => 1.02 * relative,
        };
        (relative <= 1e-6).then_some(Entries { matrix, kernel, method, norms, kappa })
    }

    /// An empty block.
    pub(super) fn block(&self) -> Block {
        let wide = !matches!(self.method, Method::MergedProducts | Method::MergedDifferences);
        let columns = vec![0.0; if wide { self.matrix.columns() * LANES } else { 0 }];
        Block { rows: Vec::with_capacity(LANES), columns, norms: [0.0; LANES] }
    }

    /// Puts other rows, at most 32, into the block.
    pub(super) fn fill(&self, block: &mut Block, rows: &[usize]) {
        let wide = !block.columns.is_empty();
        if wide {
            for (lane, &j) in block.rows.iter().enumerate() {
                self.matrix.row(j).for_each(|k, _| block.columns[k * LANES + lane] = 0.0);
            }
        }
        block.rows.clear();
        block.rows.extend_from_slice(rows);
        block.norms = [0.0; LANES];
        for (lane, &j) in rows.iter().enumerate() {
            block.norms[lane] = self.norms[j];
            if wide {
                self.matrix.row(j).for_each(|k, x| block.columns[k * LANES + lane] = x);
            }
        }
    }

    /// K̂ and M of row i with every row of the block; lanes without a row get numbers of no meaning. To be called inside
    /// `vectorized`.
    #[inline(always)]
    pub(super) fn row(&self, i: usize, block: &Block, values: &mut [f64; LANES], magnitudes: &mut [f64; LANES]) {
        let mut sums = [0.0; LANES];
        let columns = block.columns.as_chunks::<LANES>().0;
        match (self.method, self.matrix.row(i)) {
            (Method::DenseDifferences, Row::Dense(x)) => {
                with_values!(x, |x| add_differences(x, columns, &mut sums));
            }
            (Method::DenseProducts, Row::Dense(x)) => {
                with_values!(x, |x| add_products(x, columns.iter(), &mut sums));
            }
            (Method::ScatteredProducts, Row::Sparse(indices, x)) => {
                let columns = indices.iter().map(|&k| &columns[k as usize]);
                with_values!(x, |x| add_products(x, columns, &mut sums));
            }
            (_, row) => {
                for (sum, &j) in sums.iter_mut().zip(&block.rows) {
                    *sum = merged(row, self.matrix.row(j), self.method == Method::MergedDifferences);
                }
            }
        }
        match self.kernel {
            Kernel::Rbf { gamma } if self.method == Method::ScatteredProducts => {
                for lane in 0..LANES {
                    let both = self.norms[i] + block.norms[lane];
                    let distance = (both - 2.0 * sums[lane]).max(0.0);
                    values[lane] = exp_negative(-(gamma * distance));
                    magnitudes[lane] = values[lane] * (1.0 + gamma * both);
                }
            }
            Kernel::Rbf { gamma } => {
                for lane in 0..LANES {
                    let exponent = gamma * sums[lane];
                    values[lane] = exp_negative(-exponent);
                    // An exponent that overflowed belongs to the value 0.
                    magnitudes[lane] = values[lane] * (1.0 + exponent.min(1e300));
                }
            }
            Kernel::Polynomial { gamma, degree, coef0 } => {
                let root = self.norms[i].sqrt();
                let (mut base, mut bound) = ([0.0; LANES], [0.0; LANES]);
                for lane in 0..LANES {
                    base[lane] = gamma * sums[lane] + coef0;
                    bound[lane] = gamma * (root * block.norms[lane].sqrt()) + coef0;
                }
                (*values, *magnitudes) = (base, bound);
                for _ in 1..degree {
                    for lane in 0..LANES {
                        values[lane] *= base[lane];
                        magnitudes[lane] *= bound[lane];
                    }
                }
            }
        }
    }
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

/// `Σ (x_k − y_k)²` or `Σ x_k y_k` of two rows of sparse storage.
fn merged(x: Row, y: Row, differences: bool) -> f64 {
    let (Row::Sparse(x_columns, x_values), Row::Sparse(y_columns, y_values)) = (x, y) else {
        // Storage is one for all rows of a matrix, and the methods of dense storage are handled elsewhere.
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
    // Past its end a row is beyond every column, 2^32 − 1 too.
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
