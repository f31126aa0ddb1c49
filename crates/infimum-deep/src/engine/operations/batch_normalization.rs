//! `y = γ (x − mean)/√(variance + ε) + β` for each channel.

use super::{Context, SourceSlopes};
use crate::engine::pool::{Pool, add_rows, for_each_rows, sum_over_rows};
use crate::engine::wide::wide_function;
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
        for_each_rows(target, channels, |first, rows| {
            normalize(&source[first * channels..], rows, mean, inverse, context.parameters);
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
            let range = rows.start * channels..rows.end * channels;
            parameter_slopes(&source[range.clone()], &slopes[range], mean, inverse, sums);
        });
        let Some(SourceSlopes { values, add }) = source_slopes else { return };
        let count = R::from_f64(rows as f64);
        let share = if context.mode == Mode::Prediction { R::ZERO } else { R::ONE / count };
        let (gradient, gain) = (&*gradient, &context.parameters[..channels]);
        for_each_rows(values, channels, |first, rows| {
            let start = first * channels;
            input_slopes(&source[start..], &slopes[start..], mean, inverse, gain, gradient, share, rows, add);
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
        add_squares(&source[rows.start * channels..rows.end * channels], mean, sums);
    });
    variance.iter_mut().for_each(|variance| *variance *= share);
}

wide_function! {
    fn add_squares<R: Real>(source: &[R], mean: &[R], sums: &mut [R]) {
        for x in source.chunks_exact(mean.len()) {
            for ((sum, &x), &mean) in sums.iter_mut().zip(x).zip(mean) {
                *sum += (x - mean) * (x - mean);
            }
        }
    }
}

wide_function! {
    fn normalize<R: Real>(source: &[R], target: &mut [R], mean: &[R], inverse: &[R], parameters: &[R]) {
        let channels = mean.len();
        let (inverse, (gain, shift)) = (&inverse[..channels], parameters.split_at(channels));
        let shift = &shift[..channels];
        for (y, x) in target.chunks_exact_mut(channels).zip(source.chunks_exact(channels)) {
            for c in 0..channels {
                y[c] = gain[c] * ((x[c] - mean[c]) * inverse[c]) + shift[c];
            }
        }
    }
}

wide_function! {
    fn parameter_slopes<R: Real>(source: &[R], slopes: &[R], mean: &[R], inverse: &[R], sums: &mut [R]) {
        let channels = mean.len();
        let (inverse, (gain, shift)) = (&inverse[..channels], sums.split_at_mut(channels));
        let shift = &mut shift[..channels];
        for (x, slope) in source.chunks_exact(channels).zip(slopes.chunks_exact(channels)) {
            for c in 0..channels {
                gain[c] += slope[c] * ((x[c] - mean[c]) * inverse[c]);
                shift[c] += slope[c];
            }
        }
    }
}

wide_function! {
    fn input_slopes<R: Real>(
        source: &[R],
        slopes: &[R],
        mean: &[R],
        inverse: &[R],
        gain: &[R],
        gradient: &[R],
        share: R,
        values: &mut [R],
        add: bool,
    ) {
        let channels = mean.len();
        let (inverse, gain, (gain_slopes, shift_slopes)) =
            (&inverse[..channels], &gain[..channels], gradient.split_at(channels));
        let shift_slopes = &shift_slopes[..channels];
        let all = source.chunks_exact(channels).zip(slopes.chunks_exact(channels));
        for (to, (x, slope)) in values.chunks_exact_mut(channels).zip(all) {
            for c in 0..channels {
                let normal = (x[c] - mean[c]) * inverse[c];
                let own = slope[c] - share * (shift_slopes[c] + normal * gain_slopes[c]);
                let value = gain[c] * inverse[c] * own;
                to[c] = if add { to[c] + value } else { value };
            }
        }
    }
}
