//! Cross-correlation as products of matrices: patches of the input, for a block of positions that fits in the cache, times weights.

use super::{Context, Function, SourceSlopes};
use crate::engine::Real;
use crate::engine::pool::{add_rows, add_to};
use crate::engine::product::{Matrix, Threads, multiply};
use crate::engine::wide::wide;

/// Numbers of a block of patches.
const BLOCK: usize = 64 << 10;

/// Weights (channels × kernel height × kernel width × input channels), then b.
#[derive(Debug, Clone)]
pub(in crate::engine) struct Convolution {
    /// Height, width, channels.
    pub(in crate::engine) input: [usize; 3],
    /// Height, width, channels.
    pub(in crate::engine) output: [usize; 3],
    pub(in crate::engine) kernel: [usize; 2],
    pub(in crate::engine) stride: usize,
    /// Zeros above and to the left.
    pub(in crate::engine) padding: [usize; 2],
    pub(in crate::engine) bias: bool,
    pub(in crate::engine) function: Option<Function>,
}

impl Convolution {
    /// Numbers that one output is a sum over.
    pub(in crate::engine) fn patch(&self) -> usize {
        self.kernel[0] * self.kernel[1] * self.input[2]
    }

    /// Positions of the output.
    pub(in crate::engine) fn positions(&self) -> usize {
        self.output[0] * self.output[1]
    }

    fn block(&self) -> usize {
        (BLOCK / self.patch()).max(16)
    }

    /// Weights as patch × channels.
    pub(super) fn transpose<R: Real>(&self, parameters: &[R], prepared: &mut [R]) {
        let (patch, channels) = (self.patch(), self.output[2]);
        for (channel, weights) in parameters[..channels * patch].chunks_exact(patch).enumerate() {
            for (place, &weight) in weights.iter().enumerate() {
                prepared[place * channels + channel] = weight;
            }
        }
    }

    /// Patches P (positions × patch) times weights.
    pub(super) fn forward<R: Real>(&self, source: &[R], target: &mut [R], context: Context<R>) {
        let (patch, channels) = (self.patch(), self.output[2]);
        let bias = self.bias.then(|| &context.parameters[patch * channels..]);
        let weights = Matrix::rows(context.prepared, channels);
        context.pool.lend(self.block() * patch, |patches| {
            for (block, target) in target.chunks_mut(self.block() * channels).enumerate() {
                let rows = target.len() / channels;
                self.gather(source, block * self.block(), &mut patches[..rows * patch]);
                let sizes = [rows, channels, patch];
                let left = Matrix::rows(patches, patch);
                multiply(target, channels, false, R::ONE, left, weights, sizes, Threads::One);
                Function::end_rows(self.function, bias, target);
            }
        });
    }

    /// With D the slopes by what comes before the function: `Dᵀ P` for the weights, the sum of D's rows for b, and the rows of `D W` added to where the patches come from.
    pub(super) fn backward<R: Real>(
        &self,
        source: &[R],
        target: &[R],
        slopes: &mut [R],
        source_slopes: Option<SourceSlopes<R>>,
        context: Context<R>,
        gradient: &mut [R],
    ) {
        let (patch, channels) = (self.patch(), self.output[2]);
        if let Some(function) = self.function {
            function.multiply_slopes(target, slopes);
        }
        let (weight_slopes, bias_slopes) = gradient.split_at_mut(patch * channels);
        if self.bias {
            add_rows(bias_slopes, slopes);
        }
        let mut source_values = source_slopes.map(|SourceSlopes { values, add }| {
            if !add {
                values.fill(R::ZERO);
            }
            values
        });
        context.pool.lend(self.block() * patch, |patches| {
            for (block, slopes) in slopes.chunks(self.block() * channels).enumerate() {
                let (rows, first) = (slopes.len() / channels, block * self.block());
                let patches = &mut patches[..rows * patch];
                self.gather(source, first, patches);
                let d = Matrix::rows(slopes, channels);
                let p = Matrix::rows(patches, patch);
                let sizes = [channels, patch, rows];
                multiply(weight_slopes, patch, true, R::ONE, d.transposed(), p, sizes, Threads::One);
                if let Some(values) = &mut source_values {
                    let w = Matrix::rows(context.parameters, patch);
                    multiply(patches, patch, false, R::ONE, d, w, [rows, patch, channels], Threads::One);
                    self.scatter(patches, first, values);
                }
            }
        });
    }

    /// For each row of each patch from position `first` on: its place in the patches, and either the place of the numbers in the source and how many zeros stand before
    /// and behind them, or nothing where it lies outside. Rows that lie inside come in runs: of how many patches, one after another, it is the row.
    #[inline(always)]
    fn for_each_run(&self, first: usize, count: usize, mut work: impl FnMut(usize, Option<[usize; 3]>, usize)) {
        let ([height, width, channels], [rows, across, _]) = (self.input, self.output);
        let ([down, right], [above, left]) = (self.kernel, self.padding);
        let length = right * channels;
        // Columns whose windows lie inside.
        let inside = left.div_ceil(self.stride)..((left + width + self.stride).saturating_sub(right) / self.stride);
        let (mut example, position) = (first / self.positions(), first % self.positions());
        let (mut row, mut start) = (position / across, position % across);
        let mut place = 0;
        while place < count {
            let end = across.min(start + count - place);
            for i in 0..down {
                let line = (row * self.stride + i).wrapping_sub(above);
                let mut column = start;
                while column < end {
                    let to = ((place + column - start) * down + i) * length;
                    let at = column * self.stride;
                    let run = if inside.contains(&column) { end.min(inside.end) - column } else { 1 };
                    let before = left.saturating_sub(at).min(right);
                    let behind = (at + right).saturating_sub(left + width).min(right - before);
                    if line >= height || before + behind == right {
                        (0..run).for_each(|step| work(to + step * down * length, None, 1));
                    } else {
                        let from = ((example * height + line) * width + at + before - left) * channels;
                        work(to, Some([from, before * channels, behind * channels]), run);
                    }
                    column += run;
                }
            }
            (place, start, row) = (place + end - start, 0, row + 1);
            if row == rows {
                (example, row) = (example + 1, 0);
            }
        }
    }

    /// Fills patches, one for each position from `first` on.
    fn gather<R: Real>(&self, source: &[R], first: usize, patches: &mut [R]) {
        let (patch, length, step) = (self.patch(), self.kernel[1] * self.input[2], self.stride * self.input[2]);
        let count = patches.len() / patch;
        self.for_each_run(first, count, |to, from, run| {
            let Some([start, before, behind]) = from else { return patches[to..to + length].fill(R::ZERO) };
            let inside = length - before - behind;
            let rows = patches[to..].chunks_mut(patch).take(run);
            let sources = source[start..].windows(inside).step_by(step);
            let all = rows.zip(sources);
            match length {
                // Short rows, of kernels of side 3, 5 and 7 over one or three channels, are copied without a call.
                3 if run > 1 => all.for_each(|(to, from)| to[..3].copy_from_slice(&from[..3])),
                5 if run > 1 => all.for_each(|(to, from)| to[..5].copy_from_slice(&from[..5])),
                7 if run > 1 => all.for_each(|(to, from)| to[..7].copy_from_slice(&from[..7])),
                9 if run > 1 => all.for_each(|(to, from)| to[..9].copy_from_slice(&from[..9])),
                15 if run > 1 => all.for_each(|(to, from)| to[..15].copy_from_slice(&from[..15])),
                21 if run > 1 => all.for_each(|(to, from)| to[..21].copy_from_slice(&from[..21])),
                _ => all.for_each(|(to, from)| {
                    to[..before].fill(R::ZERO);
                    to[before..before + inside].copy_from_slice(from);
                    to[before + inside..length].fill(R::ZERO);
                }),
            }
        });
    }

    /// Adds patches to where they come from.
    fn scatter<R: Real>(&self, patches: &[R], first: usize, values: &mut [R]) {
        let (patch, length, step) = (self.patch(), self.kernel[1] * self.input[2], self.stride * self.input[2]);
        let count = patches.len() / patch;
        wide!({
            self.for_each_run(first, count, |to, from, run| {
                let Some([start, before, behind]) = from else { return };
                let inside = length - before - behind;
                for place in 0..run {
                    let (start, to) = (start + place * step, to + place * patch + before);
                    add_to(&mut values[start..start + inside], &patches[to..to + inside]);
                }
            });
        });
    }
}
