//! Kernel entries for the solver: a row against 32 rows side by side, in `f64`, and products with the kernel matrix.

use std::borrow::Cow;

use infimum_problem::{Kernel, Matrix, Row, SparseMatrix, Stored, ValueSlice, with_values};
use infimum_rigor::{exp_negative, vectorized};
use rayon::prelude::*;

/// Rows side by side.
const LANES: usize = 32;
/// More columns than this are not scattered into a dense block.
const MOST_SCATTERED: usize = 1 << 17;
/// Rows per parallel piece.
const PIECE: usize = 512;
/// Parts of a product with the kernel matrix, however many threads there are.
const PARTS: usize = 16;
/// Up to so many rows are cached in `f64`: 128 MiB at most.
const FEW: usize = 4_096;
/// Dense rows of which at least so many values are zeros for each that is not are taken as sparse ones.
const SPARSE: usize = 3;

/// What entries of cached rows are rounded to.
pub(super) trait Entry: Copy + Default + Send + Sync + Into<f64> {
    /// Bound on the relative error of an entry, with room for the sums that it goes into.
    const ROUNDING: f64;

    /// The nearest number of this type.
    fn rounded(value: f64) -> Self;

    /// exp(x) for x ≤ 0, as exact as the type.
    fn exponential(x: f64) -> Self;
}

impl Entry for f32 {
    const ROUNDING: f64 = 1.1920928955078125e-7; // 2^-23

    #[inline(always)]
    fn rounded(value: f64) -> f32 {
        value as f32
    }

    /// As [`exp_negative`], with the Taylor polynomial of degree 7: x = k·ln 2 + r, |r| ≤ 0.3466, and 0.3466^8/8! < 2^-27.
    #[inline(always)]
    fn exponential(x: f64) -> f32 {
        const SHIFT: f32 = 12_582_912.0; // 1.5·2^23
        const INVERSE_FACTORIALS: [f32; 8] =
            [1.0, 1.0, 0.5, 1.0 / 6.0, 1.0 / 24.0, 1.0 / 120.0, 1.0 / 720.0, 1.0 / 5040.0];
        let x = x as f32;
        let inside = if x > -87.0 { x } else { -87.0 };
        let shifted = inside.mul_add(std::f32::consts::LOG2_E, SHIFT);
        let k = shifted - SHIFT;
        // 0.693359375 has 9 places: its product with k is exact.
        let r = k.mul_add(2.121_944_4e-4, k.mul_add(-0.693_359_4, inside));
        let mut p = INVERSE_FACTORIALS[7];
        for m in (0..7).rev() {
            p = p.mul_add(r, INVERSE_FACTORIALS[m]);
        }
        let scaled = f32::from_bits(p.to_bits().wrapping_add(shifted.to_bits() << 23));
        if x < -87.0 { 0.0 } else { scaled }
    }
}

impl Entry for f64 {
    const ROUNDING: f64 = 8.881784197001252e-16; // 2^-50

    #[inline(always)]
    fn rounded(value: f64) -> f64 {
        value
    }

    #[inline(always)]
    fn exponential(x: f64) -> f64 {
        exp_negative(x)
    }
}

/// How the number between two rows that the kernel is a function of is computed.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Method {
    /// x·y of a row with 32 rows side by side; ‖x − y‖² = ‖x‖² + ‖y‖² − 2x·y.
    Products,
    /// ‖x − y‖² as Σ (x_k − y_k)² over all columns.
    Differences,
    /// Σ x_k y_k or Σ (x_k − y_k)² of two sparse rows, merged.
    Merged,
}

/// The kernel matrix of the rows of a matrix, never formed.
pub(crate) struct Rows<'a> {
    /// Sparse where the rows are mostly zeros, however they came.
    matrix: Cow<'a, Matrix>,
    kernel: Kernel,
    /// ‖x_i‖².
    norms: Vec<f64>,
    method: Method,
    /// Bound on the error of an entry, the checker's too, relative to its magnitude in [`Rows::product`].
    error: f64,
}

/// Up to 32 rows side by side: value k of row `rows[lane]` is `columns[k][lane]`. Where rows are merged there are no columns.
/// Lanes without a row hold zeros.
struct Block<'b> {
    matrix: &'b Matrix,
    rows: Vec<usize>,
    columns: Vec<[f64; LANES]>,
    norms: [f64; LANES],
}

impl<'a> Rows<'a> {
    /// For products with the kernel matrix, of rows as sparse ones where they are mostly zeros.
    pub(crate) fn new(matrix: &'a Matrix, kernel: Kernel) -> Rows<'a> {
        let rows = Rows::of(matrix, kernel);
        let mut nonzeros = 0;
        if !matrix.is_sparse() && rows.method == Method::Products && matrix.columns() <= MOST_SCATTERED {
            (0..matrix.rows()).for_each(|i| matrix.row(i).for_each(|_, x| nonzeros += usize::from(x != 0.0)));
            if nonzeros < matrix.stored() / (SPARSE + 1) {
                return Rows { matrix: Cow::Owned(without_zeros(matrix, nonzeros)), ..rows };
            }
        }
        rows
    }

    /// The rows as they are.
    fn of(matrix: &'a Matrix, kernel: Kernel) -> Rows<'a> {
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
        // An exponent off by more than 1e-3 is not covered by a relative error of the entry; the checker decides likewise of sparse rows. Of dense rows it
        // takes differences, which cost no place: so does this unless products cost hardly any.
        let most = if matrix.is_sparse() { 1e-3 } else { 1e-11 };
        let cancels = match kernel {
            Kernel::Rbf { gamma } => !(2.0 * gamma * largest * error <= most),
            Kernel::Polynomial { .. } => false,
        };
        let method = match (matrix.is_sparse(), cancels) {
            (true, _) if matrix.columns() > MOST_SCATTERED => Method::Merged,
            (true, true) => Method::Merged,
            (false, true) => Method::Differences,
            (_, false) => Method::Products,
        };
        Rows { matrix: Cow::Borrowed(matrix), kernel, norms, method, error }
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

    /// A block for [`Rows::fill`], without rows.
    fn block(&self) -> Block<'_> {
        let columns = if self.method == Method::Merged { 0 } else { self.matrix.columns() };
        Block { matrix: &self.matrix, rows: Vec::new(), columns: vec![[0.0; LANES]; columns], norms: [0.0; LANES] }
    }

    /// Puts other rows, at most 32, into the block.
    fn fill(&self, block: &mut Block, rows: impl Iterator<Item = usize>) {
        let Block { rows: held, columns, norms, .. } = block;
        // Dense rows are overwritten whole.
        if self.matrix.is_sparse() && self.method != Method::Merged {
            for (lane, &i) in held.iter().enumerate() {
                self.matrix.row(i).for_each(|k, _| columns[k][lane] = 0.0);
            }
        }
        held.clear();
        held.extend(rows);
        if held.len() < LANES {
            norms.fill(0.0);
            columns.fill([0.0; LANES]);
        }
        for (lane, &i) in held.iter().enumerate() {
            norms[lane] = self.norms[i];
            if self.method != Method::Merged {
                self.matrix.row(i).for_each(|k, x| columns[k][lane] = x);
            }
        }
    }

    /// The numbers that K(x_i, x_j) is a function of for the rows j of the block: ‖x_i − x_j‖² or x_i·x_j.
    #[inline(always)]
    fn arguments(&self, i: usize, block: &Block) -> [f64; LANES] {
        let columns = block.columns.as_slice();
        let is_rbf = matches!(self.kernel, Kernel::Rbf { .. });
        // In the registers.
        let mut arguments = [0.0; LANES];
        match (self.matrix.row(i), self.method) {
            (Row::Sparse(indices, x), Method::Merged) => {
                for (sum, &j) in arguments.iter_mut().zip(&block.rows) {
                    *sum = merged(indices, x, block.matrix.row(j), is_rbf);
                }
            }
            (Row::Dense(x), Method::Differences) if is_rbf => {
                with_values!(x, |x| add_differences(x, columns, &mut arguments));
            }
            (row, _) => {
                match row {
                    Row::Dense(x) => with_values!(x, |x| add_products(x, columns.iter(), &mut arguments)),
                    Row::Sparse(indices, x) => {
                        let columns = indices.iter().map(|&k| &columns[k as usize]);
                        with_values!(x, |x| add_products(x, columns, &mut arguments));
                    }
                }
                if is_rbf {
                    let norm = self.norms[i];
                    for lane in 0..LANES {
                        arguments[lane] = (norm + block.norms[lane] - 2.0 * arguments[lane]).max(0.0);
                    }
                }
            }
        }
        arguments
    }

    /// The kernel's values at [`Rows::arguments`].
    #[inline(always)]
    fn values<T: Entry>(&self, arguments: &[f64; LANES]) -> [T; LANES] {
        let mut values = [T::default(); LANES];
        match self.kernel {
            Kernel::Rbf { gamma } => {
                for lane in 0..LANES {
                    values[lane] = T::exponential(-(gamma * arguments[lane]));
                }
            }
            Kernel::Polynomial { gamma, degree, coef0 } => {
                let mut base = [0.0; LANES];
                for lane in 0..LANES {
                    base[lane] = gamma * arguments[lane] + coef0;
                }
                let mut powers = base;
                for _ in 1..degree {
                    for lane in 0..LANES {
                        powers[lane] *= base[lane];
                    }
                }
                for lane in 0..LANES {
                    values[lane] = T::rounded(powers[lane]);
                }
            }
        }
        values
    }

    /// Rows `wanted` of the kernel matrix.
    pub(super) fn rows<T: Entry>(&self, wanted: &[usize]) -> Vec<Vec<T>> {
        let n = self.len();
        let mut rows: Vec<Vec<T>> = wanted.iter().map(|_| vec![T::default(); n]).collect();
        let mut pieces: Vec<Vec<&mut [T]>> = (0..n.div_ceil(PIECE)).map(|_| Vec::with_capacity(wanted.len())).collect();
        for row in &mut rows {
            pieces.iter_mut().zip(row.chunks_mut(PIECE)).for_each(|(piece, part)| piece.push(part));
        }
        pieces.into_par_iter().enumerate().for_each_init(
            || self.block(),
            |block, (piece, mut parts)| {
                let range = piece * PIECE..((piece + 1) * PIECE).min(n);
                for first in range.clone().step_by(LANES) {
                    let (place, count) = (first - range.start, LANES.min(range.end - first));
                    self.fill(block, first..first + count);
                    vectorized(
                        #[inline(always)]
                        || {
                            for w in 0..wanted.len() {
                                let values = self.values::<T>(&self.arguments(wanted[w], block));
                                let part = &mut parts[w][place..place + count];
                                match part.split_first_chunk_mut::<LANES>() {
                                    Some((whole, _)) => *whole = values,
                                    None => part.copy_from_slice(&values[..count]),
                                }
                            }
                        },
                    );
                }
            },
        );
        rows
    }

    /// `(Kα)_i` in `f64` for every row and, for each, a bound on the error of this and of the checker's evaluation.
    ///
    /// Of K between rows with α ≠ 0 one half is computed: the entries of a block of them with the rows before it serve both ways.
    pub(super) fn product(&self, alpha: &[f64]) -> (Vec<f64>, Vec<f64>) {
        let n = self.len();
        let support: Vec<usize> = (0..n).filter(|&i| alpha[i] != 0.0).collect();
        let others: Vec<usize> = (0..n).filter(|&i| alpha[i] == 0.0).collect();
        let chunks: Vec<&[usize]> = support.chunks(LANES).chain(others.chunks(LANES)).collect();
        let supporting = support.len().div_ceil(LANES);
        let part = |part: usize| {
            let mut block = self.block();
            let mut back = if part < supporting { vec![(0.0, 0.0); support.len()] } else { Vec::new() };
            let mut own = Vec::new();
            for b in (part..chunks.len()).step_by(PARTS) {
                self.fill(&mut block, chunks[b].iter().copied());
                let mut sums = ([0.0; LANES], [0.0; LANES]);
                vectorized(
                    #[inline(always)]
                    || self.add_block(&block, b, &support, alpha, &mut sums, &mut back),
                );
                own.push((b, sums));
            }
            (own, back)
        };
        let parts: Vec<_> = (0..PARTS).into_par_iter().map(part).collect();
        // Sums of blocks are plain, and so are those of parts.
        let error = self.error + (supporting + PARTS) as f64 * f64::EPSILON;
        let (mut product, mut errors) = (vec![0.0; n], vec![0.0; n]);
        let mut add = |i: usize, sum: f64, magnitude: f64| {
            product[i] += sum;
            errors[i] += error * magnitude;
        };
        for (own, back) in &parts {
            for (b, (sums, magnitudes)) in own {
                chunks[*b].iter().zip(sums).zip(magnitudes).for_each(|((&i, &sum), &bound)| add(i, sum, bound));
            }
            support.iter().zip(back).for_each(|(&i, &(sum, bound))| add(i, sum, bound));
        }
        (product, errors)
    }

    /// Adds to `sums` what the rows of block `b` get from the rows of `support` (of a block of these, from those up to itself), and to `back` what
    /// they give to the rows before them; sums and magnitudes.
    #[inline(always)]
    fn add_block(
        &self,
        block: &Block,
        b: usize,
        support: &[usize],
        alpha: &[f64],
        sums: &mut ([f64; LANES], [f64; LANES]),
        back: &mut [(f64, f64)],
    ) {
        let mut coefficients = [0.0; LANES];
        coefficients.iter_mut().zip(&block.rows).for_each(|(coefficient, &i)| *coefficient = alpha[i]);
        for (c, chunk) in support.chunks(LANES).take(b + 1).enumerate() {
            let mut part = ([0.0; LANES], [0.0; LANES]);
            let serves_both = c < b && !back.is_empty() && b * LANES < support.len();
            for (place, &j) in chunk.iter().enumerate() {
                let arguments = self.arguments(j, block);
                let values = self.values::<f64>(&arguments);
                let magnitudes = self.magnitudes(j, block, &values, &arguments);
                let (a, size) = (alpha[j], alpha[j].abs());
                for lane in 0..LANES {
                    part.0[lane] += a * values[lane];
                    part.1[lane] += size * magnitudes[lane];
                }
                if serves_both {
                    let (mut sum, mut bound) = ([0.0; 8], [0.0; 8]);
                    for first in (0..LANES).step_by(8) {
                        for lane in 0..8 {
                            sum[lane] += coefficients[first + lane] * values[first + lane];
                            bound[lane] += coefficients[first + lane].abs() * magnitudes[first + lane];
                        }
                    }
                    let (sum, bound) = (sum.iter().sum::<f64>(), bound.iter().sum::<f64>());
                    let back = &mut back[c * LANES + place];
                    *back = (back.0 + sum, back.1 + bound);
                }
            }
            for lane in 0..LANES {
                sums.0[lane] += part.0[lane];
                sums.1[lane] += part.1[lane];
            }
        }
    }

    /// What the errors of entries are relative to. Where ‖x − y‖² is made of products here, it may be made of differences by the checker, of
    /// which the error goes with ‖x − y‖² ≤ 2 (‖x‖² + ‖y‖²).
    #[inline(always)]
    fn magnitudes(&self, i: usize, block: &Block, values: &[f64; LANES], arguments: &[f64; LANES]) -> [f64; LANES] {
        let mut magnitudes = [0.0; LANES];
        let norm = self.norms[i];
        match self.kernel {
            Kernel::Rbf { gamma } if self.method == Method::Products => {
                for lane in 0..LANES {
                    magnitudes[lane] = values[lane] * (1.0 + 2.0 * gamma * (norm + block.norms[lane]));
                }
            }
            Kernel::Rbf { gamma } => {
                for lane in 0..LANES {
                    // An argument that overflowed belongs to the value 0.
                    magnitudes[lane] = values[lane] * (1.0 + (gamma * arguments[lane]).min(1e300));
                }
            }
            Kernel::Polynomial { gamma, degree, coef0 } => {
                for lane in 0..LANES {
                    let base = gamma * (norm * block.norms[lane]).sqrt() + coef0;
                    magnitudes[lane] = (1..degree).fold(base, |power, _| power * base);
                }
            }
        }
        magnitudes
    }
}

/// The same rows as a sparse matrix.
fn without_zeros(matrix: &Matrix, nonzeros: usize) -> Matrix {
    let (rows, columns) = (matrix.rows(), matrix.columns());
    let (mut column_indices, mut values) = (Vec::with_capacity(nonzeros), Vec::with_capacity(nonzeros));
    let mut row_starts = vec![0];
    for i in 0..rows {
        matrix.row(i).for_each(|k, x| {
            if x != 0.0 {
                column_indices.push(k as u32);
                values.push(x);
            }
        });
        row_starts.push(values.len());
    }
    Matrix::Sparse(SparseMatrix { rows, columns, row_starts, column_indices, values: values.into() })
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
    let (mut basis, mut rows, outputs) = (Rows::of(basis, kernel), Rows::of(matrix, kernel), intercepts.len());
    let method = match (rows.matrix.is_sparse(), basis.matrix.is_sparse()) {
        (true, true) if rows.method == Method::Merged || basis.method == Method::Merged => Method::Merged,
        (false, _) if rows.method == Method::Differences || basis.method != Method::Products => Method::Differences,
        _ => Method::Products,
    };
    (basis.method, rows.method) = (method, method);
    let mut z: Vec<f64> = intercepts.iter().copied().cycle().take(rows.len() * outputs).collect();
    let indices: Vec<usize> = (0..basis.len()).collect();
    let mut block = basis.block();
    for chunk in indices.chunks(LANES) {
        basis.fill(&mut block, chunk.iter().copied());
        let block = &block;
        z.par_chunks_mut(PIECE * outputs).enumerate().for_each(|(piece, z)| {
            vectorized(
                #[inline(always)]
                || {
                    for (place, z) in z.chunks_exact_mut(outputs).enumerate() {
                        let values = rows.values::<f64>(&rows.arguments(piece * PIECE + place, block));
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
