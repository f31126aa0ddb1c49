//! Linear maps along the last dimension, as layers and as convolutions.

use infimum_problem::deep::Padding;

use super::Values;
use super::product::Packed;
use super::size::{grown, largest_singular_value, norm, root};
use crate::deep::windows::{Side, overlap};

/// `W x + b` of every position.
pub(super) struct Linear {
    packed: Packed,
    /// b, or nothing.
    bias: Vec<f64>,
    largest: f64,
    frobenius: f64,
    bias_norm: f64,
}

impl Linear {
    /// W of shape units × inputs, and b or nothing.
    pub(super) fn new(weights: &[f64], inputs: usize, bias: Vec<f64>) -> Linear {
        Linear {
            packed: Packed::new(weights, inputs),
            largest: largest_singular_value(weights, inputs),
            frobenius: norm(weights),
            bias_norm: norm(&bias),
            bias,
        }
    }

    /// Writes `W x + b` of rows x.
    pub(super) fn rows(&self, rows: &[f64], out: &mut [f64]) {
        self.packed.multiply(rows, out);
        if !self.bias.is_empty() {
            for out in out.chunks_exact_mut(self.bias.len()) {
                out.iter_mut().zip(&self.bias).for_each(|(out, bias)| *out += bias);
            }
        }
    }

    /// The error behind the map (docs/deep.md, theorem 5) of values of this norm and error, each of which is read by at most `overlap` of `positions` positions.
    fn error(&self, error: f64, norm: f64, overlap: f64, positions: f64) -> f64 {
        let (overlap, positions) = (root(overlap), root(positions));
        let reach = grown(error, &[(overlap, self.frobenius)]);
        let size = grown(error, &[(reach, norm), (positions, self.bias_norm)]);
        let passed = grown(error, &[(overlap, self.largest)]);
        grown(error, &[(passed, error), (self.packed.relative_error(), size)])
    }

    /// The layer on all positions of the examples.
    pub(super) fn apply(&self, values: Values) -> Values {
        let positions = values.size / self.packed.inputs();
        let size = positions * self.packed.units();
        let mut out = vec![0.0; values.numbers.len() / self.packed.inputs() * self.packed.units()];
        self.rows(&values.numbers, &mut out);
        let errors = values.examples().map(|(x, error)| self.error(error, norm(x), 1.0, positions as f64)).collect();
        Values { size, numbers: out, errors }
    }
}

/// A convolution: the linear map of each window.
pub(super) struct Convolution {
    linear: Linear,
    /// Height, width, channels of the input.
    input: [usize; 3],
    sides: [Side; 2],
}

/// Positions whose windows are copied out together.
const BLOCK: usize = 64;

impl Convolution {
    /// From an input's shape; W is channels × kernel height × kernel width × input channels.
    pub(super) fn new(
        weights: &[f64],
        bias: Vec<f64>,
        input: [usize; 3],
        kernel: [usize; 2],
        stride: usize,
        padding: Padding,
    ) -> Convolution {
        let sides = Side::of_convolution(input, kernel, stride, padding);
        Convolution { linear: Linear::new(weights, kernel[0] * kernel[1] * input[2], bias), input, sides }
    }

    /// Writes the window of a position: kernel height × kernel width × channels numbers, 0 outside the input.
    fn window(&self, image: &[f64], position: usize, out: &mut [f64]) {
        let [_, width, channels] = self.input;
        let [vertical, horizontal] = &self.sides;
        let (rows, columns) =
            (vertical.window(position / horizontal.count), horizontal.window(position % horizontal.count));
        let line = horizontal.size * channels;
        out.fill(0.0);
        for row in rows.inside.clone() {
            let into = (row + rows.before - rows.inside.start) * line + columns.before * channels;
            let (from, length) = ((row * width + columns.inside.start) * channels, columns.inside.len() * channels);
            out[into..into + length].copy_from_slice(&image[from..from + length]);
        }
    }

    /// The layer on all examples.
    pub(super) fn apply(&self, values: Values) -> Values {
        let positions = self.sides[0].count * self.sides[1].count;
        let (inputs, units) = (self.linear.packed.inputs(), self.linear.packed.units());
        let mut windows = vec![0.0; BLOCK.min(positions) * inputs];
        let mut out = vec![0.0; values.errors.len() * positions * units];
        for (image, out) in values.numbers.chunks_exact(values.size).zip(out.chunks_exact_mut(positions * units)) {
            for (block, out) in out.chunks_mut(BLOCK * units).enumerate() {
                let windows = &mut windows[..out.len() / units * inputs];
                for (place, window) in windows.chunks_exact_mut(inputs).enumerate() {
                    self.window(image, block * BLOCK + place, window);
                }
                self.linear.rows(windows, out);
            }
        }
        let most = overlap(&self.sides) as f64;
        let errors =
            values.examples().map(|(x, error)| self.linear.error(error, norm(x), most, positions as f64)).collect();
        Values { size: positions * units, numbers: out, errors }
    }
}
