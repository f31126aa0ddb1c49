//! Windows and means over positions.

use super::SourceSlopes;
use crate::engine::Real;
use crate::engine::pool::{add_to, put};
use crate::engine::wide::wide_function;

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
        let (inputs, outputs, _) = self.sizes();
        for (x, y) in source.chunks_exact(inputs).zip(target.chunks_exact_mut(outputs)) {
            look(self, x, y);
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
        let (inputs, outputs, _) = self.sizes();
        let examples = values.chunks_exact_mut(inputs).zip(source.chunks_exact(inputs));
        let results = target.chunks_exact(outputs).zip(slopes.chunks_exact_mut(outputs));
        for ((values, x), (y, slopes)) in examples.zip(results) {
            give(self, x, y, slopes, values);
        }
    }
}

wide_function! {
    /// Windows of one example.
    fn look<R: Real>(pooling: &Pooling, x: &[R], y: &mut [R]) {
        let (_, _, channels) = pooling.sizes();
        let share = R::from_f64(1.0 / (pooling.size * pooling.size) as f64);
        for (start, y) in pooling.windows().zip(y.chunks_exact_mut(channels)) {
            y.copy_from_slice(&x[start..start + channels]);
            for offset in pooling.offsets().skip(1) {
                let x = &x[start + offset..start + offset + channels];
                if pooling.largest {
                    // NaN wins over everything.
                    y.iter_mut().zip(x).for_each(|(y, &x)| *y = if *y < x || x.is_nan() { x } else { *y });
                } else {
                    add_to(y, x);
                }
            }
            if !pooling.largest {
                y.iter_mut().for_each(|y| *y *= share);
            }
        }
    }
}

wide_function! {
    /// Slopes of one example; spoils those of the windows.
    fn give<R: Real>(pooling: &Pooling, x: &[R], y: &[R], slopes: &mut [R], values: &mut [R]) {
        let (_, _, channels) = pooling.sizes();
        let share = R::from_f64(1.0 / (pooling.size * pooling.size) as f64);
        let rows = y.chunks_exact(channels).zip(slopes.chunks_exact_mut(channels));
        for (start, (y, left)) in pooling.windows().zip(rows) {
            if !pooling.largest {
                left.iter_mut().for_each(|left| *left *= share);
            }
            for offset in pooling.offsets() {
                let range = start + offset..start + offset + channels;
                let values = &mut values[range.clone()];
                if !pooling.largest {
                    add_to(values, left);
                    continue;
                }
                // What is left of the slope goes to the first number that equals the result.
                for (((value, &x), &y), left) in values.iter_mut().zip(&x[range]).zip(y).zip(&mut *left) {
                    let here = x == y;
                    *value += if here { *left } else { R::ZERO };
                    *left = if here { R::ZERO } else { *left };
                }
            }
        }
    }
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
