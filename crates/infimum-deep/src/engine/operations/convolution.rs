//! Cross-correlation as products of matrices: patches of the input, for a block of positions that fits in the cache, times weights.

use super::{Context, Function, SourceSlopes};
use crate::engine::Real;
use crate::engine::pool::{add_rows, add_to};
use crate::engine::product::{Matrix, Threads, multiply};

/// Numbers of a block of patches.
const BLOCK: usize = 32 << 10;

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
    /// and behind them, or nothing where it lies outside.
    fn for_each_row(&self, first: usize, count: usize, mut work: impl FnMut(usize, Option<(usize, usize, usize)>)) {
        let ([height, width, channels], [_, across, _]) = (self.input, self.output);
        let [down, right] = self.kernel;
        let (length, positions) = (right * channels, self.positions());
        for place in 0..count {
            let (example, position) = ((first + place) / positions, (first + place) % positions);
            let (row, column) = (position / across * self.stride, position % across * self.stride);
            let before = self.padding[1].saturating_sub(column).min(right);
            let behind = (column + right).saturating_sub(self.padding[1] + width).min(right - before);
            for i in 0..down {
                let to = (place * down + i) * length;
                let line = (row + i).wrapping_sub(self.padding[0]);
                if line >= height || before + behind == right {
                    work(to, None);
                } else {
                    let start = ((example * height + line) * width + column + before - self.padding[1]) * channels;
                    work(to, Some((start, before * channels, behind * channels)));
                }
            }
        }
    }

    /// Fills patches, one for each position from `first` on.
    fn gather<R: Real>(&self, source: &[R], first: usize, patches: &mut [R]) {
        let length = self.kernel[1] * self.input[2];
        self.for_each_row(first, patches.len() / self.patch(), |to, from| {
            let row = &mut patches[to..to + length];
            let Some((start, before, behind)) = from else { return row.fill(R::ZERO) };
            let inside = length - before - behind;
            row[..before].fill(R::ZERO);
            row[before..before + inside].copy_from_slice(&source[start..start + inside]);
            row[before + inside..].fill(R::ZERO);
        });
    }

    /// Adds patches to where they come from.
    fn scatter<R: Real>(&self, patches: &[R], first: usize, values: &mut [R]) {
        let length = self.kernel[1] * self.input[2];
        self.for_each_row(first, patches.len() / self.patch(), |to, from| {
            if let Some((start, before, behind)) = from {
                let inside = length - before - behind;
                add_to(&mut values[start..start + inside], &patches[to + before..to + before + inside]);
            }
        });
    }
}
