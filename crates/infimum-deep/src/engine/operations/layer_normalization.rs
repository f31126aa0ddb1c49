//! `y = γ x̂ + β` with x̂ a row minus its mean, divided by √(variance + ε).

use super::{Context, SourceSlopes};
use crate::engine::Real;
use crate::engine::pool::put;
use crate::engine::wide::{sum, wide};

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
        let (gain, shift) = context.parameters.split_at(self.width);
        let (count, epsilon) = (R::from_f64(self.width as f64), R::from_f64(self.epsilon));
        let rows = source.chunks_exact(self.width).zip(target.chunks_exact_mut(self.width));
        wide!({
            for ((x, y), kept) in rows.zip(kept.chunks_exact_mut(2)) {
                let mean = sum(x.len(), |i| x[i]) / count;
                let variance = sum(x.len(), |i| (x[i] - mean) * (x[i] - mean)) / count;
                let inverse = R::ONE / (variance + epsilon).sqrt();
                kept.copy_from_slice(&[mean, inverse]);
                for (((y, &x), &gain), &shift) in y.iter_mut().zip(x).zip(gain).zip(shift) {
                    *y = gain * ((x - mean) * inverse) + shift;
                }
            }
        });
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
        let gain = &context.parameters[..width];
        let (gain_slopes, shift_slopes) = gradient.split_at_mut(width);
        let count = R::from_f64(width as f64);
        let rows = source.chunks_exact(width).zip(slopes.chunks_exact(width)).zip(kept.chunks_exact(2));
        wide!({
            for (row, ((x, slope), kept)) in rows.enumerate() {
                let (mean, inverse) = (kept[0], kept[1]);
                for i in 0..width {
                    gain_slopes[i] += slope[i] * ((x[i] - mean) * inverse);
                    shift_slopes[i] += slope[i];
                }
                let all = sum(width, |i| slope[i] * gain[i]);
                let product = sum(width, |i| slope[i] * gain[i] * ((x[i] - mean) * inverse));
                if let Some(SourceSlopes { values, add }) = &mut source_slopes {
                    let (all, product) = (all / count, product / count);
                    let terms = x.iter().zip(slope).zip(gain);
                    put(
                        &mut values[row * width..(row + 1) * width],
                        *add,
                        terms.map(|((&x, &slope), &gain)| {
                            inverse * (slope * gain - all - (x - mean) * inverse * product)
                        }),
                    );
                }
            }
        });
    }
}
