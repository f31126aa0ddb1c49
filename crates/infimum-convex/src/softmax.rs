//! The softmax losses of all rows, and the repair of their dual points.
//!
//! A dual row α_i ∈ R^K adds up to 0 and has q_k = c·[k = y] − α_k ≥ 0: off the class α_k = −q_k ≤ 0, on the class
//! α_y = Σ_{k≠y} q_k ≤ c. Everything below works on the off-class masses q and derives α_y from them.

use infimum_rigor::vectorized;
use rayon::prelude::*;

use crate::elementary::exp_m1;
use crate::frame::Losses;
use crate::losses::Softmax;
use crate::smooth::{SmoothLosses, Term};
use crate::sums::{Pair, sum};

/// Rows per piece of an elementwise pass.
const PIECE: usize = 2_048;

/// The softmax losses of all rows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SoftmaxLosses<'a> {
    /// Class of each row, < outputs.
    pub(crate) classes: &'a [u32],
    /// c_i > 0.
    pub(crate) weights: &'a [f64],
    /// Number of classes K.
    pub(crate) outputs: usize,
}

impl SoftmaxLosses<'_> {
    /// `Σ_i term(i)` over all rows.
    #[inline(always)]
    fn sum(&self, term: impl Fn(usize) -> f64 + Sync) -> f64 {
        sum(self.classes.len(), 0.0, term)
    }

    fn class(&self, i: usize) -> usize {
        self.classes[i] as usize
    }

    fn row<'r>(&self, values: &'r [f64], i: usize) -> &'r [f64] {
        &values[i * self.outputs..(i + 1) * self.outputs]
    }

    /// Makes α_y the sum of the other classes' masses.
    fn complete(&self, i: usize, alpha: &mut [f64]) {
        let class = self.class(i);
        alpha[class] = -(0..alpha.len()).filter(|&k| k != class).map(|k| alpha[k]).sum::<f64>();
    }

    /// Mass q_k of row `i`.
    fn mass(&self, i: usize, alpha: &[f64], k: usize) -> f64 {
        if k == self.class(i) { self.weights[i] - alpha[k] } else { -alpha[k] }
    }

    /// Moves whole ticks between classes inside rows until every column of `ticks` adds up to 0. Whether it succeeded.
    fn level(&self, ticks: &mut [i64], unit: f64) -> bool {
        let (n, outputs) = (self.classes.len(), self.outputs);
        let mut sums: Vec<i128> =
            (0..outputs).map(|k| (0..n).map(|i| i128::from(ticks[i * outputs + k])).sum()).collect();
        // α_k must rise where its sum is negative: mass q_k falls there and rises where the sum is positive.
        for spread in [true, false] {
            for donor in 0..outputs {
                for i in 0..n {
                    if sums[donor] >= 0 {
                        break;
                    }
                    let own = ticks[i * outputs + donor];
                    let mass = if donor == self.class(i) {
                        ((self.weights[i] / unit).floor().min(9e15) as i64).saturating_sub(own).saturating_sub(1)
                    } else {
                        -own
                    };
                    let share = ((-sums[donor] as f64 / n as f64).ceil() as i64).saturating_mul(2).max(1);
                    let mut take = if spread { mass.min(share) } else { mass }.max(0);
                    take = i128::from(take).min(-sums[donor]) as i64;
                    for receiver in 0..outputs {
                        if take == 0 {
                            break;
                        }
                        if receiver == donor || sums[receiver] <= 0 {
                            continue;
                        }
                        let moved = i128::from(take).min(sums[receiver]) as i64;
                        ticks[i * outputs + donor] += moved;
                        ticks[i * outputs + receiver] -= moved;
                        sums[donor] += i128::from(moved);
                        sums[receiver] -= i128::from(moved);
                        take -= moved;
                    }
                }
            }
        }
        sums.iter().all(|&sum| sum == 0)
    }
}

impl Losses for SoftmaxLosses<'_> {
    fn value(&self, z: &[f64]) -> f64 {
        self.sum(
            #[inline(always)]
            |i| self.weights[i] * Softmax::value(self.class(i), self.row(z, i)),
        )
    }

    fn value_and_rounding(&self, z: &[f64], errors: &[f64]) -> (f64, f64) {
        let sums = sum(
            self.classes.len(),
            Pair(0.0, 0.0),
            #[inline(always)]
            |i| {
                let row = self.row(z, i);
                let value = Softmax::value(self.class(i), row);
                // The probability of the wrong classes is 1 − exp(−loss).
                let wrong = -exp_m1(-value);
                let largest = |row: &[f64]| row.iter().fold(0.0f64, |top, x| top.max(x.abs()));
                let error = 8.0 * f64::EPSILON * (1.0 + largest(row)) + 2.0 * largest(self.row(errors, i));
                let c = self.weights[i];
                Pair(c * value, c * error * (wrong + error))
            },
        );
        (sums.0, sums.1)
    }

    fn natural_dual(&self, z: &[f64], alpha: &mut [f64]) {
        let mut curvature = vec![0.0; alpha.len()];
        self.derivatives(z, 0.0, alpha, &mut curvature);
    }

    fn clip(&self, alpha: &mut [f64]) -> bool {
        let mut moved = false;
        for (i, alpha) in alpha.chunks_exact_mut(self.outputs).enumerate() {
            let (class, c) = (self.class(i), self.weights[i]);
            for (k, a) in alpha.iter_mut().enumerate() {
                if k != class && !(*a <= 0.0) {
                    *a = 0.0;
                    moved = true;
                }
            }
            self.complete(i, alpha);
            if !(alpha[class] <= c) {
                moved = true;
                let factor = if alpha[class].is_finite() { c / alpha[class] } else { 0.0 };
                alpha.iter_mut().for_each(|a| *a = if a.is_finite() { *a * factor } else { 0.0 });
                self.complete(i, alpha);
            }
        }
        moved
    }

    /// A class whose α add up to a negative number gives mass, the same share of it in every row; the classes with a
    /// positive sum receive it in proportion.
    fn balance(&self, alpha: &mut [f64]) {
        let outputs = self.outputs;
        for _ in 0..3 {
            let (mut sums, mut masses) = (vec![0.0; outputs], vec![0.0; outputs]);
            for (i, row) in alpha.chunks_exact(outputs).enumerate() {
                for k in 0..outputs {
                    sums[k] += row[k];
                    masses[k] += self.mass(i, row, k);
                }
            }
            let excess: f64 = sums.iter().filter(|&&sum| sum > 0.0).sum();
            if excess <= 0.0 {
                return;
            }
            for (i, row) in alpha.chunks_exact_mut(outputs).enumerate() {
                let mut given = 0.0;
                for donor in (0..outputs).filter(|&k| sums[k] < 0.0 && masses[k] > 0.0) {
                    let share = self.mass(i, row, donor).max(0.0) * (-sums[donor] / masses[donor]).min(1.0);
                    row[donor] += share;
                    given += share;
                }
                for receiver in (0..outputs).filter(|&k| sums[k] > 0.0) {
                    row[receiver] -= given * (sums[receiver] / excess);
                }
            }
            self.clip(alpha);
        }
    }

    fn gain(&self, alpha: &[f64]) -> f64 {
        self.sum(
            #[inline(always)]
            |i| Softmax::gain(self.class(i), self.weights[i], self.row(alpha, i)),
        )
    }

    /// All terms are ≥ 0.
    fn gain_and_magnitude(&self, alpha: &[f64]) -> (f64, f64) {
        let gain = self.gain(alpha);
        (gain, gain)
    }

    /// Off-class masses are truncated to the grid and α_y is their sum, all of it in integers: rows add up to exactly 0.
    fn settle(&self, alpha: &mut [f64], balanced: bool) {
        self.clip(alpha);
        let outputs = self.outputs;
        let largest = alpha.iter().fold(0.0f64, |top, a| top.max(a.abs()));
        if largest == 0.0 {
            return;
        }
        let unit = crate::witness::grid_unit(largest);
        let mut ticks: Vec<i64> = alpha.iter().map(|a| (a / unit).trunc() as i64).collect();
        for (i, row) in ticks.chunks_exact_mut(outputs).enumerate() {
            let class = self.class(i);
            let most = (self.weights[i] / unit).floor().min(9e15) as i64;
            loop {
                let total: i64 = (0..outputs).filter(|&k| k != class).map(|k| -row[k]).sum();
                row[class] = total;
                if total <= most {
                    break;
                }
                // Rounding made the masses exceed c by a few ticks: take them from the largest.
                let top = (0..outputs).filter(|&k| k != class).min_by_key(|&k| row[k]).unwrap_or(class);
                row[top] = (row[top] + (total - most)).min(0);
            }
        }
        if balanced && !self.level(&mut ticks, unit) {
            ticks.fill(0);
        }
        alpha.iter_mut().zip(&ticks).for_each(|(a, &t)| *a = t as f64 * unit);
    }

    fn separation(&self, z: &[f64]) -> Option<f64> {
        let mut smallest = f64::INFINITY;
        for (i, z) in z.chunks_exact(self.outputs).enumerate() {
            let class = self.class(i);
            for k in (0..self.outputs).filter(|&k| k != class) {
                smallest = smallest.min(z[class] - z[k]);
            }
        }
        (smallest > 0.0).then_some(smallest)
    }
}

impl SmoothLosses for SoftmaxLosses<'_> {
    /// The curvature is the K probabilities of each row: `H_i = c_i (diag p − p pᵀ)`.
    fn derivatives(&self, z: &[f64], _floor: f64, alpha: &mut [f64], curvature: &mut [f64]) {
        let outputs = self.outputs;
        let pieces = alpha.par_chunks_mut(outputs * PIECE).zip(curvature.par_chunks_mut(outputs * PIECE));
        pieces.enumerate().for_each(|(piece, (alpha, curvature))| {
            vectorized(
                #[inline(always)]
                || {
                    for place in 0..alpha.len() / outputs {
                        let (i, own) = (piece * PIECE + place, place * outputs..(place + 1) * outputs);
                        let p = &mut curvature[own.clone()];
                        Softmax::probabilities(self.row(z, i), p);
                        let alpha = &mut alpha[own];
                        for k in 0..outputs {
                            alpha[k] = -self.weights[i] * p[k];
                        }
                        self.complete(i, alpha);
                    }
                },
            );
        });
    }

    fn curve(&self, curvature: &[f64], dz: &[f64], out: &mut [f64]) {
        let outputs = self.outputs;
        (out.par_chunks_mut(outputs).with_min_len(PIECE)).enumerate().for_each(|(i, out)| {
            let (p, dz) = (self.row(curvature, i), self.row(dz, i));
            let mean: f64 = p.iter().zip(dz).map(|(p, dz)| p * dz).sum();
            out.iter_mut().zip(p).zip(dz).for_each(|((out, p), dz)| *out = self.weights[i] * p * (dz - mean));
        });
    }

    fn pull(&self, curvature: &[f64], i: usize, k: usize, step: f64, out: &mut [f64]) {
        let p = self.row(curvature, i);
        let base = step * self.weights[i] * p[k];
        let out = &mut out[i * self.outputs..(i + 1) * self.outputs];
        out.iter_mut().zip(p).for_each(|(out, p)| *out += base * p);
        out[k] -= base;
    }

    /// `diag p − p pᵀ = Σ_{l<k} p_k p_l (e_k − e_l)(e_k − e_l)ᵀ`, for Σ p = 1.
    fn terms(&self) -> Vec<Term> {
        (0..self.outputs).flat_map(|k| (0..k).map(move |l| (k, Some(l)))).collect()
    }

    fn term(&self, curvature: &[f64], i: usize, (k, l): Term) -> f64 {
        let p = self.row(curvature, i);
        self.weights[i] * p[k] * l.map_or(1.0 - p[k], |l| p[l])
    }

    fn along(&self, z: &[f64], dz: &[f64], t: f64) -> (f64, f64) {
        let sums = sum(
            self.classes.len(),
            Pair(0.0, 0.0),
            #[inline(always)]
            |i| {
                let (first, second) = Softmax::along(self.class(i), self.row(z, i), self.row(dz, i), t);
                Pair(self.weights[i] * first, self.weights[i] * second)
            },
        );
        (sums.0, sums.1)
    }
}
