//! The quadratic model with its matrix G in memory: a step costs one column of G (the covariance form of Friedman, Hastie,
//! Tibshirani, J. Stat. Softw. 2010, section 2.2). For sets of up to a few thousand columns.

use std::ops::Range;

use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, MatMut, MatRef, Par};
use rayon::prelude::*;

use infimum_rigor::vectorized;

use crate::columns::{Column, Columns, Piece};
use crate::dense;
use crate::quadratic::{Curved, Terms};
use crate::tracker::Tracker;

/// Coordinates between two questions whether to stop.
const ASK_EVERY: usize = 256;
/// Stored values above which a Hessian is formed by all threads.
const PARALLEL_FROM: usize = 200_000;
/// Room is made for a multiple of so many columns: a set that is nearly final still grows by a few.
const SPARE: usize = 256;
/// And so many more, lest all columns begin at the same place of a page.
const ODD: usize = 8;
/// Columns that are mirrored at a time.
const TILE: usize = 8;

pub(crate) struct GramModel<'a> {
    /// Full symmetric G.
    hessian: &'a Mat<f64>,
    gradient: &'a [f64],
    slopes: Vec<f64>,
}

impl<'a> GramModel<'a> {
    /// The model with Hessian `hessian` and slope `gradient`.
    pub(crate) fn new(hessian: &'a Mat<f64>, gradient: &'a [f64]) -> GramModel<'a> {
        GramModel { hessian, gradient, slopes: gradient.to_vec() }
    }
}

impl Curved for GramModel<'_> {
    type State = Vec<f64>;

    fn reset(&mut self, change: &[f64]) {
        self.slopes.copy_from_slice(self.gradient);
        for (j, &change) in change.iter().enumerate().filter(|entry| *entry.1 != 0.0) {
            subtract(&mut self.slopes, change, self.hessian.col_as_slice(j));
        }
    }

    fn sweep(&mut self, terms: &Terms, u: &mut [f64], which: &[usize], tracker: &Tracker) -> f64 {
        let mut moved = 0.0f64;
        for (count, &j) in which.iter().enumerate() {
            if count % ASK_EVERY == ASK_EVERY - 1 && tracker.stop().is_some() {
                break;
            }
            let curvature = self.hessian[(j, j)];
            let change = terms.minimiser(j, curvature, u[j], self.slopes[j]) - u[j];
            if change == 0.0 || change.abs() <= 1e-16 * u[j].abs() {
                continue;
            }
            u[j] += change;
            moved = moved.max(change.abs() * (curvature + terms.l2[j]).max(f64::MIN_POSITIVE));
            subtract(&mut self.slopes, change, self.hessian.col_as_slice(j));
        }
        moved
    }

    fn slopes(&self) -> Vec<f64> {
        self.slopes.clone()
    }

    fn diagonal(&self, j: usize) -> f64 {
        self.hessian[(j, j)]
    }

    /// By one triangle: each entry is read once.
    fn apply(&self, support: &[usize], direction: &[f64]) -> Vec<f64> {
        let mut whole = vec![0.0; self.slopes.len()];
        support.iter().zip(direction).for_each(|(&j, &p)| whole[j] = p);
        let mut image = vec![0.0; self.slopes.len()];
        for (&j, &p) in support.iter().zip(direction) {
            let column = &self.hessian.col_as_slice(j)[..j];
            subtract(&mut image[..j], -p, column);
            let above = vectorized(
                #[inline(always)]
                || dense::dot(column, &whole[..j]),
            );
            image[j] += self.hessian[(j, j)] * p + above;
        }
        support.iter().map(|&j| image[j]).collect()
    }

    fn state(&self) -> Self::State {
        self.slopes.clone()
    }

    fn restore(&mut self, state: Self::State) {
        self.slopes = state;
    }

    fn system(&self, support: &[usize]) -> Option<Mat<f64>> {
        Some(Mat::from_fn(support.len(), support.len(), |a, b| self.hessian[(support[a], support[b])]))
    }
}

/// `slopes −= change·column`.
fn subtract(slopes: &mut [f64], change: f64, column: &[f64]) {
    vectorized(
        #[inline(always)]
        || slopes.iter_mut().zip(column).for_each(|(slope, g)| *slope -= change * g),
    );
}

/// Enlarges `X̃ᵀ diag(h) X̃`, known for the first columns taken (and then the constant, if there is one), to all of them.
pub(crate) fn extend(known: Option<Mat<f64>>, columns: &Columns, h: &[f64], constant: bool) -> Mat<f64> {
    let extra = usize::from(constant);
    let total = columns.taken.len();
    let (mut gram, before) = match known {
        Some(known) => {
            let before = known.nrows() - extra;
            (known, before)
        }
        None => (Mat::from_fn(extra, extra, |_, _| h.iter().sum()), 0),
    };
    if before == total {
        return gram;
    }
    let order = total + extra;
    let room = order.next_multiple_of(SPARE) + ODD;
    gram.reserve(room, room);
    let last: Vec<f64> = if constant { gram.col_as_slice(before).to_vec() } else { Vec::new() };
    gram.resize_with(order, order, |_, _| 0.0);
    let fresh = match columns.pieces() {
        None => dense_products(columns, h.len(), before, h),
        Some(pieces) => sparse_products(pieces, total, columns.stored(), before, h),
    };
    for b in before..total {
        gram.col_as_slice_mut(b)[..=b].copy_from_slice(&fresh.col_as_slice(b - before)[..=b]);
    }
    for tile in (before..total).step_by(TILE) {
        for a in 0..total {
            let column = gram.col_as_slice_mut(a);
            (tile.max(a + 1)..(tile + TILE).min(total)).for_each(|b| column[b] = fresh[(a, b - before)]);
        }
    }
    if constant {
        let sums = columns.products(h, 1, 0);
        for a in 0..total {
            let sum = if a < before { last[a] } else { sums[a] };
            (gram[(total, a)], gram[(a, total)]) = (sum, sum);
        }
        gram[(total, total)] = last[before];
    }
    gram
}

/// `X ᵀ diag(h) X_new`, the new columns shared out over the threads.
fn dense_products(columns: &Columns, rows: usize, before: usize, h: &[f64]) -> Mat<f64> {
    let total = columns.taken.len();
    let fresh = total - before;
    let mut products = vec![0.0; total * fresh];
    let share = fresh.div_ceil(rayon::current_num_threads().max(1)).max(1);
    products.par_chunks_mut(total * share).enumerate().for_each(|(part, products)| {
        let first = before + part * share;
        let count = products.len() / total;
        let mut scaled = Vec::with_capacity(rows * count);
        for position in first..first + count {
            if let Column::Dense(values) = columns.column(position) {
                scaled.extend(values.iter().zip(h).map(|(x, h)| h * x));
            }
        }
        let plain = MatRef::from_column_major_slice(columns.dense_values(), rows, total);
        let scaled = MatRef::from_column_major_slice(&scaled, rows, count);
        let out = MatMut::from_column_major_slice_mut(products, total, count);
        matmul(out, Accum::Replace, plain.transpose(), scaled, 1.0, Par::Seq);
    });
    MatRef::from_column_major_slice(&products, total, fresh).to_owned()
}

/// The same from the rows: every pair of a taken and a new entry of a row; only its part above the diagonal of the Hessian.
fn sparse_products(pieces: &[Piece], total: usize, stored: usize, before: usize, h: &[f64]) -> Mat<f64> {
    let part = |range: Range<usize>| {
        let mut products = Mat::<f64>::zeros(total, total - before);
        let mut entries: Vec<(u32, f64)> = Vec::new();
        for i in range.filter(|&i| h[i] != 0.0) {
            entries.clear();
            for piece in pieces {
                let (positions, values) = piece.row(i);
                entries.extend(positions.iter().copied().zip(values.iter().copied()));
            }
            // Positions increase.
            let known = entries.partition_point(|entry| (entry.0 as usize) < before);
            for last in known..entries.len() {
                let (b, x) = entries[last];
                let hx = h[i] * x;
                let column = products.col_as_slice_mut(b as usize - before);
                entries[..=last].iter().for_each(|&(a, y)| column[a as usize] += hx * y);
            }
        }
        products
    };
    let parts = if stored < PARALLEL_FROM { 1 } else { rayon::current_num_threads().max(1) };
    let ranges = (0..parts).map(|part| h.len() * part / parts..h.len() * (part + 1) / parts);
    let parts: Vec<Mat<f64>> = ranges.collect::<Vec<_>>().into_par_iter().map(part).collect();
    let mut parts = parts.into_iter();
    let mut sum = parts.next().unwrap_or_else(|| Mat::zeros(total, total - before));
    parts.for_each(|part| sum += part);
    sum
}
