//! Enclosures of matrix products, row by row and column by column, as compensated sums ([`crate::Sum`]).
//!
//! The hot loops run inside [`vectorized`]; with FMA a TwoProduct is two instructions. Rows are split over the threads of the current rayon pool; parts are merged in
//! order, so results do not depend on timing.

use std::convert::Infallible;
use std::ops::Range;

use rayon::prelude::*;

use crate::interval::two_sum;
use crate::{Interval, Sum, vectorized};

/// Borrowed storage of a feature matrix with finite values, `f64` or `f32`.
#[derive(Debug, Clone, Copy)]
pub enum Rows<'a, T = f64> {
    /// Row-major values, `columns` a row.
    Dense {
        /// Number of columns.
        columns: usize,
        /// All values.
        values: &'a [T],
    },
    /// Compressed sparse rows.
    Sparse {
        /// Number of columns.
        columns: usize,
        /// Offsets, one more than rows.
        starts: &'a [usize],
        /// Column of each stored value.
        indices: &'a [u32],
        /// Stored values.
        values: &'a [T],
    },
}

const LANES: usize = 8;

/// Rows of one parallel piece.
const PIECE: usize = 4_096;

impl<T> Rows<'_, T> {
    fn columns(&self) -> usize {
        match *self {
            Rows::Dense { columns, .. } | Rows::Sparse { columns, .. } => columns,
        }
    }
}

/// `z[i·K + k] ∋ W_k · x_i + b_k` for rows `first..first + count`; `weights` is K × columns, `intercepts` K.
pub fn margins<T: Copy + Into<f64> + Sync>(
    rows: Rows<T>,
    first: usize,
    count: usize,
    weights: &[f64],
    intercepts: &[f64],
) -> Vec<Interval> {
    let outputs = intercepts.len();
    let mut z = vec![Interval::ZERO; count * outputs];
    z.par_chunks_mut((PIECE * outputs).max(1)).enumerate().for_each(|(piece, z)| {
        vectorized(
            #[inline(always)]
            || margins_piece(rows, first + piece * PIECE, weights, intercepts, z),
        );
    });
    z
}

#[inline(always)]
fn margins_piece<T: Copy + Into<f64>>(
    rows: Rows<T>,
    first: usize,
    weights: &[f64],
    intercepts: &[f64],
    z: &mut [Interval],
) {
    let columns = rows.columns();
    let outputs = intercepts.len();
    match rows {
        Rows::Dense { values, .. } => {
            let values = &values[first * columns..][..z.len() / outputs * columns];
            dense_margins(values, columns, weights, intercepts, z);
        }
        Rows::Sparse { starts, indices, values, .. } => {
            for (i, z) in z.chunks_exact_mut(outputs).enumerate() {
                let range = starts[first + i]..starts[first + i + 1];
                for k in 0..outputs {
                    let weights = &weights[k * columns..(k + 1) * columns];
                    let mut sum = Sum::new();
                    for (&j, &x) in indices[range.clone()].iter().zip(&values[range.clone()]) {
                        sum.add_product(x.into(), weights[j as usize]);
                    }
                    sum.add(intercepts[k]);
                    z[k] = sum.enclose();
                }
            }
        }
    }
}

/// Sums of [`LANES`] rows, a row in each lane.
#[derive(Clone, Copy, Default)]
struct Lanes {
    high: [f64; LANES],
    low: [f64; LANES],
    absolute: [f64; LANES],
}

/// Columns of [`LANES`] rows that are laid side by side together: they stay in the L1 cache.
const SIDE_BY_SIDE: usize = 64;

/// The margins of dense rows, [`LANES`] of them at a time: laid side by side, one column of all rows is one vector, and no
/// sums of lanes are left to be added up at the end of each row.
#[inline(always)]
fn dense_margins<T: Copy + Into<f64>>(
    values: &[T],
    columns: usize,
    weights: &[f64],
    intercepts: &[f64],
    z: &mut [Interval],
) {
    let outputs = intercepts.len();
    let rows = z.len() / outputs;
    let mut side_by_side = [[0.0; LANES]; SIDE_BY_SIDE];
    let mut sums = vec![Lanes::default(); outputs];
    for first in (0..rows).step_by(LANES) {
        let count = LANES.min(rows - first);
        sums.fill(Lanes::default());
        for column in (0..columns).step_by(SIDE_BY_SIDE) {
            let width = SIDE_BY_SIDE.min(columns - column);
            for lane in 0..count {
                let row = &values[(first + lane) * columns + column..][..width];
                for j in 0..width {
                    side_by_side[j][lane] = row[j].into();
                }
            }
            for k in 0..outputs {
                let weights = &weights[k * columns + column..][..width];
                // In the registers.
                let Lanes { mut high, mut low, mut absolute } = sums[k];
                for j in 0..width {
                    for lane in 0..LANES {
                        let (x, w) = (side_by_side[j][lane], weights[j]);
                        let product = x * w;
                        let error = x.mul_add(w, -product);
                        let (sum, rest) = two_sum(high[lane], product);
                        high[lane] = sum;
                        low[lane] += rest;
                        low[lane] += error;
                        absolute[lane] += product.abs();
                    }
                }
                sums[k] = Lanes { high, low, absolute };
            }
        }
        for k in 0..outputs {
            let Lanes { high, low, absolute } = sums[k];
            for lane in 0..count {
                let mut sum = Sum::from_parts(high[lane], low[lane], absolute[lane], columns as u64);
                sum.add(intercepts[k]);
                z[(first + lane) * outputs + k] = sum.enclose();
            }
        }
    }
}

/// Sums `Σ_i alpha[i·K + k] x_ij` over the rows added so far, as arrays that vectorise.
#[derive(Debug)]
pub struct ColumnSums {
    high: Vec<f64>,
    low: Vec<f64>,
    absolute: Vec<f64>,
    outputs: usize,
    terms: u64,
}

impl ColumnSums {
    /// Adds rows `range` of `rows`; `alpha` has K numbers for each of them.
    pub fn add<T: Copy + Into<f64>>(&mut self, rows: Rows<T>, range: Range<usize>, alpha: &[f64]) {
        self.terms += range.len() as u64;
        vectorized(
            #[inline(always)]
            || transpose_piece(rows, range.clone(), alpha, self),
        );
    }
}

/// `v[k·d + j] ∋ Σ_i alpha[i·K + k] x_ij` over all rows; `outputs` is K.
pub fn transpose_product<T: Copy + Into<f64> + Sync>(rows: Rows<T>, alpha: &[f64], outputs: usize) -> Vec<Interval> {
    let outputs = outputs.max(1);
    let add = |range: Range<usize>, sums: &mut ColumnSums| {
        let alpha = &alpha[range.start * outputs..range.end * outputs];
        sums.add(rows, range, alpha);
        Ok::<(), Infallible>(())
    };
    let product = transpose_product_by(alpha.len() / outputs, rows.columns(), outputs, add);
    product.unwrap_or_else(|never| match never {})
}

/// The same over `count` rows that `add` hands to the sums, a range of them at a time.
pub fn transpose_product_by<E: Send>(
    count: usize,
    columns: usize,
    outputs: usize,
    add: impl Fn(Range<usize>, &mut ColumnSums) -> Result<(), E> + Sync,
) -> Result<Vec<Interval>, E> {
    let size = columns * outputs;
    let parts = if count * columns.min(64) < 100_000 { 1 } else { rayon::current_num_threads().max(1) };
    let part = |part: usize| {
        let zeros = || vec![0.0; size];
        let mut sums = ColumnSums { high: zeros(), low: zeros(), absolute: zeros(), outputs, terms: 0 };
        add(count * part / parts..count * (part + 1) / parts, &mut sums).map(|()| sums)
    };
    let pieces: Vec<ColumnSums> = (0..parts).into_par_iter().map(part).collect::<Result<_, E>>()?;
    let enclose = |entry: usize| {
        let mut total = Sum::new();
        for ColumnSums { high, low, absolute, terms, .. } in &pieces {
            if absolute[entry] != 0.0 {
                total.merge(&Sum::from_parts(high[entry], low[entry], absolute[entry], *terms));
            }
        }
        total.enclose()
    };
    Ok((0..size).map(enclose).collect())
}

#[inline(always)]
fn transpose_piece<T: Copy + Into<f64>>(rows: Rows<T>, range: Range<usize>, alpha: &[f64], v: &mut ColumnSums) {
    let (d, outputs) = (rows.columns(), v.outputs);
    match rows {
        Rows::Dense { values, .. } => dense_columns(&values[range.start * d..range.end * d], alpha, v),
        Rows::Sparse { starts, indices, values, .. } => {
            for (i, alpha) in range.zip(alpha.chunks_exact(outputs)) {
                for k in 0..outputs {
                    let a = alpha[k];
                    if a == 0.0 {
                        continue;
                    }
                    let (high, low, absolute) =
                        (&mut v.high[k * d..][..d], &mut v.low[k * d..][..d], &mut v.absolute[k * d..][..d]);
                    for entry in starts[i]..starts[i + 1] {
                        let j = indices[entry] as usize;
                        add_product(a, values[entry].into(), &mut high[j], &mut low[j], &mut absolute[j]);
                    }
                }
            }
        }
    }
}

/// Values of a block of dense rows: it stays in the L1 cache while its columns are added up one strip after the other.
const CACHED: usize = 4_096;

/// Adds dense rows, strip by strip of [`LANES`] columns whose sums stay in the registers. What the columns have beyond their last whole
/// strip is the end of a strip that ends with the row, of which the other lanes are dropped. Every column adds its rows in order.
#[inline(always)]
fn dense_columns<T: Copy + Into<f64>>(values: &[T], alpha: &[f64], v: &mut ColumnSums) {
    let outputs = v.outputs;
    let d = v.high.len() / outputs;
    if d == 0 {
        return;
    }
    let count = (CACHED / d).max(LANES);
    for (values, alpha) in values.chunks(count * d).zip(alpha.chunks(count * outputs)) {
        for k in 0..outputs {
            let mut first = 0;
            while first + 2 * LANES <= d {
                add_strips(values, alpha, k, [first, first + LANES], 0, v);
                first += 2 * LANES;
            }
            if first + LANES <= d {
                add_strips(values, alpha, k, [first], 0, v);
                first += LANES;
            }
            if first < d && d >= LANES {
                add_strips(values, alpha, k, [d - LANES], LANES - (d - first), v);
                first = d;
            }
            for j in first..d {
                let place = k * d + j;
                for (row, alpha) in values.chunks_exact(d).zip(alpha.chunks_exact(outputs)) {
                    if alpha[k] != 0.0 {
                        let (high, low, absolute) = (&mut v.high[place], &mut v.low[place], &mut v.absolute[place]);
                        add_product(alpha[k], row[j].into(), high, low, absolute);
                    }
                }
            }
        }
    }
}

/// Adds the columns of `N` strips, from lane `from` on, to the sums of output `k`.
#[inline(always)]
fn add_strips<T: Copy + Into<f64>, const N: usize>(
    values: &[T],
    alpha: &[f64],
    k: usize,
    strips: [usize; N],
    from: usize,
    v: &mut ColumnSums,
) {
    let outputs = v.outputs;
    let d = v.high.len() / outputs;
    let strip = |sums: &[f64], first: usize| sums[k * d + first..].as_chunks::<LANES>().0[0];
    let mut high = strips.map(|first| strip(&v.high, first));
    let mut low = strips.map(|first| strip(&v.low, first));
    let mut absolute = strips.map(|first| strip(&v.absolute, first));
    for i in 0..values.len() / d {
        let a = alpha[i * outputs + k];
        if a == 0.0 {
            continue;
        }
        for n in 0..N {
            let x = &values[i * d + strips[n]..].as_chunks::<LANES>().0[0];
            for lane in 0..LANES {
                let (high, low, absolute) = (&mut high[n][lane], &mut low[n][lane], &mut absolute[n][lane]);
                add_product(a, x[lane].into(), high, low, absolute);
            }
        }
    }
    for n in 0..N {
        let place = k * d + strips[n];
        v.high[place + from..place + LANES].copy_from_slice(&high[n][from..]);
        v.low[place + from..place + LANES].copy_from_slice(&low[n][from..]);
        v.absolute[place + from..place + LANES].copy_from_slice(&absolute[n][from..]);
    }
}

#[inline(always)]
fn add_product(a: f64, x: f64, high: &mut f64, low: &mut f64, absolute: &mut f64) {
    let product = a * x;
    let error = a.mul_add(x, -product);
    let (sum, rest) = two_sum(*high, product);
    *high = sum;
    *low += rest;
    *low += error;
    // |p| of a product that underflows to 0 still has to show that the column is not empty.
    *absolute += product.abs().max(f64::MIN_POSITIVE * f64::from(u8::from(x != 0.0)));
}
