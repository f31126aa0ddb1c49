//! Windows and means over positions.

use super::SourceSlopes;
use crate::engine::Real;
use crate::engine::pool::{add_to, put};
use crate::engine::wide::wide;

/// The largest value or the mean of each window, for each channel.
#[derive(Debug, Clone)]
pub(in crate::engine) struct Pooling {
    /// Height, width, channels.
    pub(in crate::engine) input: [usize; 3],
    /// Height, width.
    pub(in crate::engine) output: [usize; 2],
    pub(in crate::engine) size: usize,
    pub(in crate::engine) stride: usize,
    pub(in crate::engine) largest: bool,
}

/// The mean over all positions, for each channel.
#[derive(Debug, Clone)]
pub(in crate::engine) struct GlobalAverage {
    pub(in crate::engine) positions: usize,
    pub(in crate::engine) channels: usize,
}

impl Pooling {
    /// Starts of the rows of channels that the windows of example `example` read: for each window, in order, its own.
    fn windows(&self) -> impl Iterator<Item = usize> + use<> {
        let (stride, [_, width, channels]) = (self.stride, self.input);
        let [height, across] = self.output;
        (0..height).flat_map(move |row| (0..across).map(move |column| (row * width + column) * stride * channels))
    }

    /// Where the rows of a window stand, relative to its start.
    fn offsets(&self) -> impl Iterator<Item = usize> + Clone + use<> {
        let (size, [_, width, channels]) = (self.size, self.input);
        (0..size).flat_map(move |row| (0..size).map(move |column| (row * width + column) * channels))
    }

    fn sizes(&self) -> (usize, usize, usize) {
        let channels = self.input[2];
        (self.input.iter().product(), self.output[0] * self.output[1] * channels, channels)
    }

    pub(super) fn forward<R: Real>(&self, source: &[R], target: &mut [R]) {
        let (inputs, outputs, channels) = self.sizes();
        let share = R::from_f64(1.0 / (self.size * self.size) as f64);
        for (x, y) in source.chunks_exact(inputs).zip(target.chunks_exact_mut(outputs)) {
            for (start, y) in self.windows().zip(y.chunks_exact_mut(channels)) {
                wide!({
                    y.copy_from_slice(&x[start..start + channels]);
                    for offset in self.offsets().skip(1) {
                        let x = &x[start + offset..start + offset + channels];
                        if self.largest {
                            // NaN wins over everything.
                            y.iter_mut().zip(x).for_each(|(y, &x)| *y = if *y >= x || *y != *y { *y } else { x });
                        } else {
                            add_to(y, x);
                        }
                    }
                    if !self.largest {
                        y.iter_mut().for_each(|y| *y *= share);
                    }
                });
            }
        }
    }

    /// To the first of the largest values, or the same share to all of a window.
    pub(super) fn backward<R: Real>(
        &self,
        source: &[R],
        target: &[R],
        slopes: &mut [R],
        source_slopes: Option<SourceSlopes<R>>,
    ) {
        let Some(SourceSlopes { values, add }) = source_slopes else { return };
        if !add {
            values.fill(R::ZERO);
        }
        let (inputs, outputs, channels) = self.sizes();
        let share = R::from_f64(1.0 / (self.size * self.size) as f64);
        let examples = values.chunks_exact_mut(inputs).zip(source.chunks_exact(inputs));
        let results = target.chunks_exact(outputs).zip(slopes.chunks_exact_mut(outputs));
        for ((values, x), (y, slopes)) in examples.zip(results) {
            let rows = y.chunks_exact(channels).zip(slopes.chunks_exact_mut(channels));
            for (start, (y, left)) in self.windows().zip(rows) {
                wide!({
                    if !self.largest {
                        left.iter_mut().for_each(|left| *left *= share);
                    }
                    for offset in self.offsets() {
                        let range = start + offset..start + offset + channels;
                        let values = &mut values[range.clone()];
                        if !self.largest {
                            add_to(values, left);
                            continue;
                        }
                        let x = &x[range];
                        let blocks = channels / 16 * 16;
                        for channel in (0..blocks).step_by(16) {
                            give::<R, 16>(&x[channel..], &y[channel..], &mut left[channel..], &mut values[channel..]);
                        }
                        for channel in blocks..channels {
                            give::<R, 1>(&x[channel..], &y[channel..], &mut left[channel..], &mut values[channel..]);
                        }
                    }
                });
            }
        }
    }
}

/// N channels: what is left of the slope goes to the first number that equals the result.
#[inline(always)]
fn give<R: Real, const N: usize>(x: &[R], y: &[R], left: &mut [R], values: &mut [R]) {
    let (x, y, left, values) = (&x[..N], &y[..N], &mut left[..N], &mut values[..N]);
    let (mut given, mut rest) = ([R::ZERO; N], [R::ZERO; N]);
    for lane in 0..N {
        let here = x[lane] == y[lane];
        given[lane] = values[lane] + if here { left[lane] } else { R::ZERO };
        rest[lane] = if here { R::ZERO } else { left[lane] };
    }
    values.copy_from_slice(&given);
    left.copy_from_slice(&rest);
}

impl GlobalAverage {
    pub(super) fn forward<R: Real>(&self, source: &[R], target: &mut [R]) {
        let share = R::from_f64(1.0 / self.positions as f64);
        let examples = source.chunks_exact(self.positions * self.channels);
        for (x, y) in examples.zip(target.chunks_exact_mut(self.channels)) {
            y.fill(R::ZERO);
            crate::engine::pool::add_rows(y, x);
            y.iter_mut().for_each(|y| *y *= share);
        }
    }

    pub(super) fn backward<R: Real>(&self, slopes: &[R], source_slopes: Option<SourceSlopes<R>>) {
        let Some(SourceSlopes { values, add }) = source_slopes else { return };
        let share = R::from_f64(1.0 / self.positions as f64);
        let examples = values.chunks_exact_mut(self.positions * self.channels);
        for (values, slope) in examples.zip(slopes.chunks_exact(self.channels)) {
            for values in values.chunks_exact_mut(self.channels) {
                put(values, add, slope.iter().map(|&slope| slope * share));
            }
        }
    }
}
