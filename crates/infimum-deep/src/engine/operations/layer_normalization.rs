//! `y = γ x̂ + β` with x̂ a row minus its mean, divided by √(variance + ε).

use super::{Context, SourceSlopes};
use crate::engine::Real;
use crate::engine::pool::{add_to, put};
use crate::engine::wide::{sum, wide_function};

/// γ, then β.
#[derive(Debug, Clone)]
pub(in crate::engine) struct LayerNormalization {
    pub(in crate::engine) width: usize,
    /// Per example.
    pub(in crate::engine) rows: usize,
    pub(in crate::engine) epsilon: f64,
}

impl LayerNormalization {
    /// Keeps the mean and 1/√(variance + ε) of each row.
    pub(super) fn forward<R: Real>(&self, source: &[R], target: &mut [R], kept: &mut [R], context: Context<R>) {
        let rows = source.chunks_exact(self.width).zip(target.chunks_exact_mut(self.width));
        for ((x, y), kept) in rows.zip(kept.chunks_exact_mut(2)) {
            normalize(x, y, kept, context.parameters, R::from_f64(self.epsilon));
        }
    }

    /// With g = slope·γ: `(g − mean(g) − x̂·mean(g x̂))/√(variance + ε)`.
    pub(super) fn backward<R: Real>(
        &self,
        source: &[R],
        kept: &[R],
        slopes: &[R],
        mut source_slopes: Option<SourceSlopes<R>>,
        context: Context<R>,
        gradient: &mut [R],
    ) {
        let width = self.width;
        let (gain_slopes, shift_slopes) = gradient.split_at_mut(width);
        let rows = source.chunks_exact(width).zip(slopes.chunks_exact(width)).zip(kept.chunks_exact(2));
        for (row, ((x, slope), kept)) in rows.enumerate() {
            parameter_slopes(x, slope, kept, gain_slopes, shift_slopes);
            if let Some(SourceSlopes { values, add }) = &mut source_slopes {
                let values = &mut values[row * width..(row + 1) * width];
                input_slopes(x, slope, kept, &context.parameters[..width], values, *add);
            }
        }
    }
}

wide_function! {
    fn normalize<R: Real>(x: &[R], y: &mut [R], kept: &mut [R], parameters: &[R], epsilon: R) {
        let width = x.len();
        let (gain, shift) = parameters.split_at(width);
        let count = R::from_f64(width as f64);
        let mean = sum(width, |i| x[i]) / count;
        let variance = sum(width, |i| (x[i] - mean) * (x[i] - mean)) / count;
        let inverse = R::ONE / (variance + epsilon).sqrt();
        kept.copy_from_slice(&[mean, inverse]);
        for (((y, &x), &gain), &shift) in y.iter_mut().zip(x).zip(gain).zip(shift) {
            *y = gain * ((x - mean) * inverse) + shift;
        }
    }
}

wide_function! {
    fn parameter_slopes<R: Real>(x: &[R], slope: &[R], kept: &[R], gain_slopes: &mut [R], shift_slopes: &mut [R]) {
        let (mean, inverse) = (kept[0], kept[1]);
        for ((to, &slope), &x) in gain_slopes.iter_mut().zip(slope).zip(x) {
            *to += slope * ((x - mean) * inverse);
        }
        add_to(shift_slopes, slope);
    }
}

wide_function! {
    fn input_slopes<R: Real>(x: &[R], slope: &[R], kept: &[R], gain: &[R], values: &mut [R], add: bool) {
        let (mean, inverse, width) = (kept[0], kept[1], x.len());
        let (slope, gain) = (&slope[..width], &gain[..width]);
        let count = R::from_f64(width as f64);
        let all = sum(width, |i| slope[i] * gain[i]) / count;
        let product = sum(width, |i| slope[i] * gain[i] * ((x[i] - mean) * inverse)) / count;
        let terms = x.iter().zip(slope).zip(gain);
        put(values, add, terms.map(|((&x, &slope), &gain)| inverse * (slope * gain - all - (x - mean) * inverse * product)));
    }
}
