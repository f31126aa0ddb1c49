//! `y = γ (x − mean)/√(variance + ε) + β` for each channel.

use super::{Context, SourceSlopes};
use crate::engine::pool::{Pool, add_rows, for_each_rows, sum_over_rows};
use crate::engine::wide::wide;
use crate::engine::{Mode, Real};

/// γ, then β; its buffers are the running mean, then the running variance.
#[derive(Debug, Clone)]
pub(in crate::engine) struct BatchNormalization {
    pub(in crate::engine) channels: usize,
    /// Per example.
    pub(in crate::engine) rows: usize,
    pub(in crate::engine) epsilon: f64,
    pub(in crate::engine) momentum: f64,
}

impl BatchNormalization {
    /// Keeps mean, variance and 1/√(variance + ε) of the channels, of the batch or the running ones.
    pub(super) fn forward<R: Real>(&self, source: &[R], target: &mut [R], kept: &mut [R], context: Context<R>) {
        let channels = self.channels;
        let (mean, rest) = kept.split_at_mut(channels);
        let (variance, inverse) = rest.split_at_mut(channels);
        match context.mode {
            Mode::Training { .. } => moments(source, mean, variance, context.pool),
            Mode::Prediction => {
                mean.copy_from_slice(&context.buffers[..channels]);
                variance.copy_from_slice(&context.buffers[channels..]);
            }
        }
        let epsilon = R::from_f64(self.epsilon);
        for (inverse, &variance) in inverse.iter_mut().zip(&*variance) {
            *inverse = R::ONE / (variance + epsilon).sqrt();
        }
        let (mean, inverse) = (&*mean, &*inverse);
        let (gain, shift) = context.parameters.split_at(channels);
        for_each_rows(target, channels, |first, rows| {
            let all = rows.chunks_exact_mut(channels).zip(source[first * channels..].chunks_exact(channels));
            wide!({
                for (y, x) in all {
                    for c in 0..channels {
                        y[c] = gain[c] * ((x[c] - mean[c]) * inverse[c]) + shift[c];
                    }
                }
            });
        });
    }

    /// With x̂ = (x − mean)/√(variance + ε) and sums over the batch: `Σ slope·x̂` for γ, `Σ slope` for β; for x `γ slope/√(…)`, and while training, where mean and variance
    /// depend on x, `γ (slope − mean(slope) − x̂ mean(slope·x̂))/√(…)`.
    pub(super) fn backward<R: Real>(
        &self,
        source: &[R],
        kept: &[R],
        slopes: &[R],
        source_slopes: Option<SourceSlopes<R>>,
        context: Context<R>,
        gradient: &mut [R],
    ) {
        let channels = self.channels;
        let (mean, inverse) = (&kept[..channels], &kept[2 * channels..]);
        let rows = source.len() / channels;
        sum_over_rows(gradient, rows, context.pool, |rows, sums| {
            let (gain, shift) = sums.split_at_mut(channels);
            let all = source[rows.start * channels..rows.end * channels].chunks_exact(channels);
            wide!({
                for (x, slope) in all.zip(slopes[rows.start * channels..].chunks_exact(channels)) {
                    for c in 0..channels {
                        gain[c] += slope[c] * ((x[c] - mean[c]) * inverse[c]);
                        shift[c] += slope[c];
                    }
                }
            });
        });
        let Some(SourceSlopes { values, add }) = source_slopes else { return };
        let count = R::from_f64(rows as f64);
        let share = if context.mode == Mode::Prediction { R::ZERO } else { R::ONE / count };
        let (gain_slopes, shift_slopes) = gradient.split_at(channels);
        for_each_rows(values, channels, |first, rows| {
            let start = first * channels;
            let all = source[start..].chunks_exact(channels).zip(slopes[start..].chunks_exact(channels));
            wide!({
                for (to, (x, slope)) in rows.chunks_exact_mut(channels).zip(all) {
                    for c in 0..channels {
                        let normal = (x[c] - mean[c]) * inverse[c];
                        let own = slope[c] - share * (shift_slopes[c] + normal * gain_slopes[c]);
                        let value = context.parameters[c] * inverse[c] * own;
                        to[c] = if add { to[c] + value } else { value };
                    }
                }
            });
        });
    }

    /// After a batch of so many examples: `running ← (1 − momentum)·running + momentum·new`, with the unbiased variance (one row: its variance 0).
    pub(in crate::engine) fn update<R: Real>(&self, kept: &[R], examples: usize, buffers: &mut [R]) {
        let rows = (examples * self.rows) as f64;
        if rows == 0.0 {
            return;
        }
        let unbiased = rows / (rows - 1.0).max(1.0);
        let momentum = self.momentum;
        for (place, (running, new)) in buffers.iter_mut().zip(kept).enumerate() {
            let new = new.to_f64() * if place < self.channels { 1.0 } else { unbiased };
            *running = R::from_f64((1.0 - momentum) * running.to_f64() + momentum * new);
        }
    }
}

/// Mean and (biased) variance of each column; the second from distances to the first, so that nothing cancels. Zeros where there are no rows.
fn moments<R: Real>(source: &[R], mean: &mut [R], variance: &mut [R], pool: &Pool<R>) {
    let channels = mean.len();
    let rows = source.len() / channels;
    let share = R::from_f64(1.0 / (rows as f64).max(1.0));
    sum_over_rows(mean, rows, pool, |rows, sums| {
        add_rows(sums, &source[rows.start * channels..rows.end * channels]);
    });
    mean.iter_mut().for_each(|mean| *mean *= share);
    let mean = &*mean;
    sum_over_rows(variance, rows, pool, |rows, sums| {
        wide!({
            for x in source[rows.start * channels..rows.end * channels].chunks_exact(channels) {
                for c in 0..channels {
                    let distance = x[c] - mean[c];
                    sums[c] += distance * distance;
                }
            }
        });
    });
    variance.iter_mut().for_each(|variance| *variance *= share);
}
