//! Poolings.

use infimum_rigor::Interval;

use super::Values;
use super::size::{gamma, grown, norm, root};
use crate::deep::windows::{Side, overlap};

/// The largest value or the mean of each window.
pub(super) struct Pooling {
    input: [usize; 3],
    sides: [Side; 2],
    is_mean: bool,
}

impl Pooling {
    /// From an input's shape.
    pub(super) fn new(input: [usize; 3], size: usize, stride: usize, is_mean: bool) -> Pooling {
        Pooling { input, sides: Side::of_pooling(input, size, stride), is_mean }
    }

    /// The layer on all examples. A mean's sum goes through as many roundings as the window has places, and one by the division.
    pub(super) fn apply(&self, values: Values) -> Values {
        let [_, width, channels] = self.input;
        let [vertical, horizontal] = &self.sides;
        let (positions, places) = (vertical.count * horizontal.count, vertical.size * horizontal.size);
        let size = positions * channels;
        let start = if self.is_mean { 0.0 } else { f64::NEG_INFINITY };
        let mut out = vec![start; values.errors.len() * size];
        for (image, out) in values.numbers.chunks_exact(values.size).zip(out.chunks_exact_mut(size)) {
            for (position, out) in out.chunks_exact_mut(channels).enumerate() {
                let columns = horizontal.window(position % horizontal.count).inside;
                for row in vertical.window(position / horizontal.count).inside {
                    for column in columns.clone() {
                        let x = &image[(row * width + column) * channels..][..channels];
                        if self.is_mean {
                            out.iter_mut().zip(x).for_each(|(sum, x)| *sum += x);
                        } else {
                            // A number that is none stays.
                            out.iter_mut()
                                .zip(x)
                                .for_each(|(most, &x)| *most = if x > *most || x.is_nan() { x } else { *most });
                        }
                    }
                }
                if self.is_mean {
                    out.iter_mut().for_each(|sum| *sum /= places as f64);
                }
            }
        }
        let most = overlap(&self.sides) as f64;
        let (factor, rounding) = match self.is_mean {
            true => (
                root(Interval::point(most).divide_by_positive(Interval::point(places as f64)).upper),
                gamma(places + 1),
            ),
            false => (root(most), 0.0),
        };
        let errors = values
            .examples()
            .map(|(x, error)| {
                let size = grown(error, &[(rounding, norm(x)), (error, 1.0)]);
                grown(error, &[(factor, size)])
            })
            .collect();
        Values { size, numbers: out, errors }
    }
}

/// The mean over all positions of each channel.
pub(super) fn global_average(channels: usize, values: Values) -> Values {
    let positions = values.size / channels;
    let mut out = vec![0.0; values.errors.len() * channels];
    for (x, out) in values.numbers.chunks_exact(values.size).zip(out.chunks_exact_mut(channels)) {
        for x in x.chunks_exact(channels) {
            out.iter_mut().zip(x).for_each(|(sum, x)| *sum += x);
        }
        out.iter_mut().for_each(|sum| *sum /= positions as f64);
    }
    let factor = root(Interval::point(1.0).divide_by_positive(Interval::point(positions as f64)).upper);
    let errors = values
        .examples()
        .map(|(x, error)| {
            let size = grown(error, &[(gamma(positions + 1), norm(x)), (error, 1.0)]);
            grown(error, &[(factor, size)])
        })
        .collect();
    Values { size: channels, numbers: out, errors }
}
