//! The quadratic model with its matrix G in memory: a step costs one column of G (the covariance form of Friedman, Hastie,
//! Tibshirani, J. Stat. Softw. 2010, section 2.2). For sets of up to a few thousand columns.

use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, MatMut, MatRef, Par};
use infimum_problem::Matrix;
use rayon::prelude::*;

use infimum_rigor::vectorized;

use crate::columns::{Column, Columns};
use crate::design;
use crate::quadratic::{Curved, Terms};
use crate::tracker::Tracker;

/// Coordinates between two questions whether to stop.
const ASK_EVERY: usize = 256;

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
pub(crate) fn extend(
    known: Option<&Mat<f64>>,
    matrix: &Matrix,
    columns: &Columns,
    h: &[f64],
    constant: bool,
) -> Mat<f64> {
    let extra = usize::from(constant);
    let total = columns.taken.len();
    let before = known.map_or(0, |known| known.nrows() - extra);
    let mut gram = Mat::zeros(total + extra, total + extra);
    match known {
        Some(known) => {
            for b in 0..before {
                gram.col_as_slice_mut(b)[..before].copy_from_slice(&known.col_as_slice(b)[..before]);
            }
            if constant {
                for a in 0..before {
                    (gram[(a, total)], gram[(total, a)]) = (known[(a, before)], known[(a, before)]);
                }
                gram[(total, total)] = known[(before, before)];
            }
        }
        None if constant => gram[(total, total)] = h.iter().sum(),
        None => {}
    }
    if before == total {
        return gram;
    }
    let fresh = match matrix {
        Matrix::Dense(dense) => dense_products(columns, dense.rows, before, h),
        Matrix::Sparse(_) | Matrix::Spilled(_) => sparse_products(matrix, columns, before, h),
    };
    for a in 0..before {
        let column = gram.col_as_slice_mut(a);
        (before..total).for_each(|b| column[b] = fresh[(a, b - before)]);
    }
    for b in before..total {
        gram.col_as_slice_mut(b)[..total].copy_from_slice(fresh.col_as_slice(b - before));
        if constant {
            let mut sum = 0.0;
            columns.column(b).for_each(|i, x| sum += h[i] * x);
            gram[(total, b)] = sum;
            gram[(b, total)] = sum;
        }
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

/// The same from the rows: every pair of a taken and a new entry of a row.
fn sparse_products(matrix: &Matrix, columns: &Columns, before: usize, h: &[f64]) -> Mat<f64> {
    let total = columns.taken.len();
    let mut place = vec![u32::MAX; matrix.columns()];
    columns.taken.iter().enumerate().for_each(|(position, &j)| place[j] = position as u32);
    let part = |range: std::ops::Range<usize>| {
        let mut products = Mat::<f64>::zeros(total, total - before);
        let mut entries: Vec<(u32, f64)> = Vec::new();
        design::for_each_block(matrix, range, |block| {
            for (i, local) in (block.first..).zip(block.rows) {
                if h[i] == 0.0 {
                    continue;
                }
                entries.clear();
                block.storage.row(local).for_each(|j, x| {
                    if place[j] != u32::MAX {
                        entries.push((place[j], x));
                    }
                });
                for &(b, x) in entries.iter().filter(|entry| entry.0 as usize >= before) {
                    let hx = h[i] * x;
                    let column = products.col_as_slice_mut(b as usize - before);
                    entries.iter().for_each(|&(a, y)| column[a as usize] += hx * y);
                }
            }
        });
        products
    };
    let ranges = design::row_ranges(matrix, design::parts(matrix));
    let parts: Vec<Mat<f64>> = ranges.into_par_iter().map(part).collect();
    let mut parts = parts.into_iter();
    let mut sum = parts.next().unwrap_or_else(|| Mat::zeros(total, total - before));
    parts.for_each(|part| sum += part);
    sum
}
