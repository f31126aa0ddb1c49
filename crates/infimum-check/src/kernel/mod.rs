//! Kernel problems: enclosures of the outputs `Σ_j β_j K(x_j, x_i)` and upper bounds of `βᵀKβ` and `αᵀKα`.
//!
//! Every entry K(x_j, x_i) with a row j in the support of model or dual point is computed once, and all products that need
//! it are made at once. Sums over a block of 32 rows are plain, sums of blocks compensated; docs/kernels.md, section 4.

mod entries;
#[cfg(test)]
mod tests;

use infimum_problem::{Certificate, Kernel, Problem};
use infimum_rigor::{Interval, Sum, vectorized};
use rayon::prelude::*;

use entries::{Entries, LANES};

/// Rows per parallel piece.
const PIECE: usize = 1_024;

/// Covers what underflow may take from one entry or product, with much to spare.
const COVER: f64 = 1e-300;

/// What bounds are made of.
pub(crate) struct Products {
    /// `Σ_j β_kj K(x_j, x_i)`, without the intercept, n × outputs.
    pub(crate) outputs: Vec<Interval>,
    /// `β_kᵀ K β_k` does not exceed these.
    pub(crate) primal_norms: Vec<f64>,
    /// `α_kᵀ K α_k` does not exceed these.
    pub(crate) dual_norms: Vec<f64>,
}

/// Why a kernel problem is outside of what the theorem and the error analysis cover.
pub(crate) fn objection(problem: &Problem, kernel: Kernel) -> Option<String> {
    let objective = &problem.objective;
    if let Some(why) = kernel.objection() {
        return Some(why);
    }
    if objective.lambda1 != 0.0 || !(objective.lambda2 > 0.0) || objective.scales.is_some() {
        return Some("a kernel needs λ1 = 0, λ2 > 0 and no scales".into());
    }
    let matrix = &problem.data.matrix;
    if matrix.is_spilled() {
        return Some("a kernel needs all rows in memory".into());
    }
    let mut odd = None;
    for i in 0..matrix.rows() {
        matrix.row(i).for_each(|j, x| {
            if !(x == 0.0 || (1e-100..=1e100).contains(&x.abs())) {
                odd = Some(format!(
                    "row {}, column {}: {x:e} is neither 0 nor of magnitude 1e-100 to 1e100",
                    i + 1,
                    j + 1
                ));
            }
        });
    }
    odd
}

/// A running product of one row with one coefficient vector.
#[derive(Clone, Default)]
struct Product {
    sum: Sum,
    /// `Σ |coefficient|·M`.
    magnitude: f64,
}

/// All products, in one pass over the kernel entries; `None` if the error analysis does not cover the numbers.
pub(crate) fn products(problem: &Problem, kernel: Kernel, certificate: &Certificate) -> Option<Products> {
    let (n, outputs) = (problem.data.rows(), problem.outputs());
    let entries = Entries::new(&problem.data.matrix, kernel)?;
    // β of every output, then α of every output, each contiguous.
    let mut vectors: Vec<Vec<f64>> = (0..outputs).map(|k| certificate.model.row(k).to_vec()).collect();
    vectors.extend((0..outputs).map(|k| (0..n).map(|i| certificate.dual[i * outputs + k]).collect()));
    let support: Vec<usize> = (0..n).filter(|&j| vectors.iter().any(|vector| vector[j] != 0.0)).collect();
    let relative = 1.02 * (entries.kappa + (LANES + 2) as f64 * (f64::EPSILON / 2.0));
    let covers: Vec<f64> =
        vectors.iter().map(|vector| COVER * (vector.iter().map(|x| x.abs()).sum::<f64>() * 1.01 + n as f64)).collect();
    let pieces: Vec<Vec<Product>> = (0..n.div_ceil(PIECE))
        .into_par_iter()
        .map(|piece| {
            let range = piece * PIECE..((piece + 1) * PIECE).min(n);
            let mut products = vec![Product::default(); range.len() * vectors.len()];
            let mut block = entries.block();
            for rows in support.chunks(LANES) {
                entries.fill(&mut block, rows);
                let coefficients: Vec<[f64; LANES]> = (vectors.iter())
                    .map(|vector| std::array::from_fn(|lane| rows.get(lane).map_or(0.0, |&j| vector[j])))
                    .collect();
                vectorized(
                    #[inline(always)]
                    || {
                        let (mut values, mut magnitudes) = ([0.0; LANES], [0.0; LANES]);
                        for (place, i) in range.clone().enumerate() {
                            entries.row(i, &block, &mut values, &mut magnitudes);
                            let products = &mut products[place * vectors.len()..(place + 1) * vectors.len()];
                            for (product, coefficients) in products.iter_mut().zip(&coefficients) {
                                let (sum, magnitude) = block_product(coefficients, &values, &magnitudes);
                                product.sum.add(sum);
                                product.magnitude += magnitude;
                            }
                        }
                    },
                );
            }
            products
        })
        .collect();
    let zero: Vec<bool> = vectors.iter().map(|vector| vector.iter().all(|&x| x == 0.0)).collect();
    let products: Vec<Product> = pieces.into_iter().flatten().collect();
    let enclosure = |i: usize, vector: usize| {
        let Product { sum, magnitude } = &products[i * vectors.len() + vector];
        let error = relative * magnitude + covers[vector];
        if !error.is_finite() {
            return Interval::ALL;
        }
        if zero[vector] {
            return Interval::ZERO;
        }
        sum.enclose() + Interval::new(-error, error.next_up())
    };
    let norm = |vector: usize| {
        let mut sum = Sum::new();
        for (i, &x) in vectors[vector].iter().enumerate().filter(|entry| *entry.1 != 0.0) {
            sum.add((Interval::point(x) * enclosure(i, vector)).upper);
        }
        let upper = sum.enclose().upper;
        if upper.is_nan() { f64::INFINITY } else { upper.max(0.0) }
    };
    Some(Products {
        outputs: (0..n * outputs).map(|entry| enclosure(entry / outputs, entry % outputs)).collect(),
        primal_norms: (0..outputs).map(norm).collect(),
        dual_norms: (outputs..2 * outputs).map(norm).collect(),
    })
}

/// `Σ c·K̂` and `Σ |c|·M` over the lanes: 32 products and 31 additions each.
#[inline(always)]
fn block_product(coefficients: &[f64; LANES], values: &[f64; LANES], magnitudes: &[f64; LANES]) -> (f64, f64) {
    let (mut sums, mut absolutes) = ([0.0; 8], [0.0; 8]);
    for group in 0..LANES / 8 {
        for lane in 0..8 {
            let place = group * 8 + lane;
            sums[lane] = coefficients[place].mul_add(values[place], sums[lane]);
            absolutes[lane] = coefficients[place].abs().mul_add(magnitudes[place], absolutes[lane]);
        }
    }
    (sums.iter().sum(), absolutes.iter().sum())
}
