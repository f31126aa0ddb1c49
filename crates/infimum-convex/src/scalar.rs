//! One-output problems: a [`ScalarLoss`] with its targets, and the repair of their dual points.

use std::ops::Add;

use infimum_rigor::vectorized;
use rayon::prelude::*;

use crate::frame::Losses;
use crate::losses::ScalarLoss;
use crate::smooth::{SmoothLosses, Term};
use crate::sums::{Pair, sum, sum_filled};

/// Rows per parallel piece of an elementwise pass.
const PIECE: usize = 8_192;

/// The losses of all rows of a one-output problem.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ScalarLosses<'a, L> {
    pub(crate) loss: L,
    /// y_i: ±1 for margin losses, values for regression.
    pub(crate) targets: &'a [f64],
    /// c_i > 0.
    pub(crate) weights: &'a [f64],
    /// Whether targets are ±1.
    pub(crate) is_margin: bool,
}

impl<L: ScalarLoss> ScalarLosses<'_, L> {
    /// `Σ_i term(i)` over all rows.
    pub(crate) fn sum(&self, term: impl Fn(usize) -> f64 + Sync) -> f64 {
        sum(self.targets.len(), 0.0, term)
    }

    /// `Σ_i term(y_i, c_i, x_i)`; of a term that is inlined, compiled for vector units.
    #[inline(always)]
    fn sum_of_rows<T: Copy + Send + Sync + Add<Output = T>>(
        &self,
        zero: T,
        x: &[f64],
        term: impl Fn(f64, f64, f64) -> T + Sync,
    ) -> T {
        sum_filled(
            x.len(),
            zero,
            #[inline(always)]
            |range, terms| {
                let rows = self.targets[range.clone()].iter().zip(&self.weights[range.clone()]).zip(&x[range]);
                for (slot, ((&y, &c), &x)) in terms.iter_mut().zip(rows) {
                    *slot = term(y, c, x);
                }
            },
        )
    }

    /// How far row i may move without leaving the domain, downwards (`direction` < 0) or upwards; the unbounded side of a
    /// half-line counts as the distance to its end, a whole line as infinite.
    #[inline(always)]
    fn slack(&self, i: usize, alpha: f64, direction: f64) -> f64 {
        let (low, high) = self.loss.domain(self.targets[i], self.weights[i]);
        let bound = if direction < 0.0 { alpha - low } else { high - alpha };
        match (bound.is_finite(), low.is_finite() || high.is_finite()) {
            (true, _) => bound.max(0.0),
            (false, true) => (if direction < 0.0 { high - alpha } else { alpha - low }).max(0.0),
            (false, false) => f64::INFINITY,
        }
    }

    /// The share of row i in a move of all rows in one direction.
    #[inline(always)]
    fn mobility(&self, i: usize, alpha: f64, direction: f64, round: usize) -> f64 {
        let towards = self.slack(i, alpha, direction);
        if round >= 6 {
            return towards;
        }
        let away = self.slack(i, alpha, -direction);
        if towards + away > 0.0 { towards * (away / (towards + away)) } else { 0.0 }
    }

    /// How many ticks row i may move without leaving the domain.
    #[inline(always)]
    fn room(&self, i: usize, ticks: i64, unit: f64, direction: f64) -> i64 {
        let slack = self.slack(i, ticks as f64 * unit, direction);
        // One tick of reserve absorbs the rounding of the slack; cap so that values stay exact.
        ((slack / unit).floor().min(4.0e15) as i64).saturating_sub(1).max(0)
    }
}

impl<L: ScalarLoss> Losses for ScalarLosses<'_, L> {
    fn value(&self, z: &[f64]) -> f64 {
        self.sum_of_rows(
            0.0,
            z,
            #[inline(always)]
            |y, c, z| c * self.loss.value(y, z),
        )
    }

    fn value_and_rounding(&self, z: &[f64], errors: &[f64]) -> (f64, f64) {
        let sums = sum_filled(
            z.len(),
            Pair(0.0, 0.0),
            #[inline(always)]
            |range, terms| {
                let rows = self.targets[range.clone()].iter().zip(&self.weights[range.clone()]);
                let outputs = z[range.clone()].iter().zip(&errors[range]);
                for (term, ((&y, &c), (&z, &error))) in terms.iter_mut().zip(rows.zip(outputs)) {
                    let error = self.loss.rounding(y, z) + error;
                    let hidden = c * error * (self.loss.steepest(y, z, error) + error);
                    *term = Pair(c * self.loss.value(y, z), hidden);
                }
            },
        );
        (sums.0, sums.1)
    }

    fn natural_dual(&self, z: &[f64], alpha: &mut [f64]) {
        alpha.par_iter_mut().with_min_len(PIECE).enumerate().for_each(|(i, a)| {
            let (y, c) = (self.targets[i], self.weights[i]);
            let (low, high) = self.loss.domain(y, c);
            *a = (-c * self.loss.slope(y, z[i])).clamp(low, high);
        });
    }

    fn clip(&self, alpha: &mut [f64]) -> bool {
        let mut moved = 0u64;
        vectorized(
            #[inline(always)]
            || {
                for ((a, &y), &c) in alpha.iter_mut().zip(self.targets).zip(self.weights) {
                    let (low, high) = self.loss.domain(y, c);
                    let given = *a;
                    let inside = if given < low { low } else { given };
                    let inside = if inside > high { high } else { inside };
                    let inside = if given.is_nan() { 0.0 } else { inside };
                    moved += u64::from(inside != given);
                    *a = inside;
                }
            },
        );
        moved > 0
    }

    /// Where every row may move freely: in proportion to the weights. Else first in proportion to
    /// `slack_down·slack_up/(sum of both)`, which for logistic is −1/g″ (the cheapest move to second order) and for hinge
    /// moves the free support vectors; then in proportion to the slack itself, which always suffices because 0 is in every
    /// domain.
    fn balance(&self, alpha: &mut [f64]) {
        for round in 0..12 {
            let residual = self.sum(|i| alpha[i]);
            let scale = self.sum(|i| alpha[i].abs());
            if residual.abs() <= 1e-16 * scale {
                return;
            }
            let direction = -residual.signum();
            if self.slack(0, alpha[0], direction) == f64::INFINITY {
                let share = residual / self.sum(|i| self.weights[i]);
                alpha.iter_mut().zip(self.weights).for_each(|(a, c)| *a -= share * c);
                continue;
            }
            let mut total = 0.0;
            vectorized(
                #[inline(always)]
                || {
                    for i in 0..alpha.len() {
                        total += self.mobility(i, alpha[i], direction, round);
                    }
                },
            );
            if total <= 0.0 {
                continue;
            }
            let step = (residual.abs() / total).min(1.0);
            vectorized(
                #[inline(always)]
                || {
                    for i in 0..alpha.len() {
                        alpha[i] += direction * step * self.mobility(i, alpha[i], direction, round);
                    }
                },
            );
            self.clip(alpha);
        }
    }

    fn gain(&self, alpha: &[f64]) -> f64 {
        self.sum_of_rows(
            0.0,
            alpha,
            #[inline(always)]
            |y, c, a| self.loss.gain(y, c, a),
        )
    }

    fn gain_and_magnitude(&self, alpha: &[f64]) -> (f64, f64) {
        let sums = self.sum_of_rows(
            Pair(0.0, 0.0),
            alpha,
            #[inline(always)]
            |y, c, a| Pair(self.loss.gain(y, c, a), self.loss.gain_magnitude(y, c, a)),
        );
        (sums.0, sums.1)
    }

    /// The grid's unit is 2^-52 of the power of two at or above the largest |alpha|; truncation towards 0 stays in
    /// the domain; the integer residual is spread in proportion to the integer slacks, then unit by unit.
    fn settle(&self, alpha: &mut [f64], balanced: bool) {
        self.clip(alpha);
        let largest = alpha.iter().fold(0.0f64, |top, a| top.max(a.abs()));
        if !balanced || largest == 0.0 {
            return;
        }
        let unit = crate::witness::grid_unit(largest);
        let mut ticks = vec![0i64; alpha.len()];
        vectorized(
            #[inline(always)]
            || {
                for i in 0..ticks.len() {
                    ticks[i] = (alpha[i] / unit).trunc() as i64;
                }
            },
        );
        for _ in 0..64 {
            let residual: i128 = ticks.iter().map(|&t| i128::from(t)).sum();
            if residual == 0 {
                break;
            }
            let direction = if residual > 0 { -1.0 } else { 1.0 };
            let mut total = 0i128;
            vectorized(
                #[inline(always)]
                || {
                    for i in 0..ticks.len() {
                        total += i128::from(self.room(i, ticks[i], unit, direction));
                    }
                },
            );
            let mut need = residual.abs();
            if total == 0 {
                // Nothing can move this way: the zero vector is feasible and always a bound.
                ticks.fill(0);
                break;
            }
            let share = (need as f64 / total as f64).min(1.0);
            vectorized(
                #[inline(always)]
                || {
                    for i in 0..ticks.len() {
                        if need == 0 {
                            break;
                        }
                        let available = self.room(i, ticks[i], unit, direction);
                        let step = ((share * available as f64).ceil() as i64).min(available);
                        let step = i128::from(step).min(need) as i64;
                        ticks[i] += if direction > 0.0 { step } else { -step };
                        need -= i128::from(step);
                    }
                },
            );
        }
        if ticks.iter().map(|&t| i128::from(t)).sum::<i128>() != 0 {
            ticks.fill(0);
        }
        alpha.iter_mut().zip(&ticks).for_each(|(a, &t)| *a = t as f64 * unit);
    }

    fn separation(&self, z: &[f64]) -> Option<f64> {
        if !self.is_margin {
            return None;
        }
        let margin = z.iter().zip(self.targets).map(|(z, y)| z * y).fold(f64::INFINITY, f64::min);
        (margin > 0.0).then_some(margin)
    }
}

impl<L: ScalarLoss> SmoothLosses for ScalarLosses<'_, L> {
    fn derivatives(&self, z: &[f64], floor: f64, alpha: &mut [f64], curvature: &mut [f64]) {
        let pieces = alpha.par_chunks_mut(PIECE).zip(curvature.par_chunks_mut(PIECE)).zip(z.par_chunks(PIECE));
        let rows = self.targets.par_chunks(PIECE).zip(self.weights.par_chunks(PIECE));
        pieces.zip(rows).for_each(|(((alpha, curvature), z), (targets, weights))| {
            vectorized(
                #[inline(always)]
                || {
                    let rows = alpha.iter_mut().zip(curvature.iter_mut()).zip(z).zip(targets).zip(weights);
                    for ((((a, h), &z), &y), &c) in rows {
                        let (slope, curvature) = self.loss.slopes(y, z);
                        let (low, high) = self.loss.domain(y, c);
                        // Like `clamp`, but without its check of the bounds, and NaN stays NaN.
                        let natural = -c * slope;
                        let natural = if natural < low { low } else { natural };
                        *a = if natural > high { high } else { natural };
                        *h = c * curvature.max(floor * self.loss.majorant(y, z));
                    }
                },
            );
        });
    }

    fn curve(&self, curvature: &[f64], dz: &[f64], out: &mut [f64]) {
        out.iter_mut().zip(curvature).zip(dz).for_each(|((out, h), dz)| *out = h * dz);
    }

    fn is_quadratic(&self) -> bool {
        L::QUADRATIC
    }

    #[inline(always)]
    fn pull(&self, curvature: &[f64], i: usize, _k: usize, step: f64, out: &mut [f64]) {
        out[i] -= step * curvature[i];
    }

    fn along(&self, z: &[f64], dz: &[f64], t: f64) -> (f64, f64) {
        let sums = sum_filled(
            z.len(),
            Pair(0.0, 0.0),
            #[inline(always)]
            |range, terms| {
                let rows = self.targets[range.clone()].iter().zip(&self.weights[range.clone()]);
                let rows = rows.zip(&z[range.clone()]).zip(&dz[range]);
                for (term, (((&y, &c), &z), &dz)) in terms.iter_mut().zip(rows) {
                    let (slope, curvature) = self.loss.slopes(y, z + t * dz);
                    let moved = c * dz;
                    *term = Pair(slope * moved, curvature * moved * dz);
                }
            },
        );
        (sums.0, sums.1)
    }

    fn terms(&self) -> Vec<Term> {
        vec![(0, None)]
    }

    #[inline(always)]
    fn term(&self, curvature: &[f64], i: usize, _term: Term) -> f64 {
        curvature[i]
    }
}
