//! The recorded network on the training rows: numbers in `f64`, and for each example how far from the network's real values they may be (docs/deep.md,
//! theorem 5).
//!
//! * `product.rs`: matrix products with their error. `size.rs`: norms, and the arithmetic of error bounds.
//! * `linear.rs`, `pooling.rs`, `functions.rs`, `affine.rs`: layers that are enclosed. `transformer.rs`: layers that are only evaluated.

mod affine;
mod functions;
mod linear;
mod pooling;
mod product;
mod size;
#[cfg(test)]
mod tests;
mod transformer;

use infimum_problem::Problem;
use infimum_problem::deep::{Activation, Architecture, Evaluation, Layer, output_shape};
use infimum_rigor::{Interval, Sum};
use rayon::prelude::*;

use crate::losses::scalar;
use crate::upper::add_loss;
use affine::Affine;
use linear::{Convolution, Linear};
use pooling::Pooling;
use size::{UNIT, grown, norm};
use transformer::Attention;

/// Numbers between two layers of the examples that go through the network together.
const BLOCK: usize = 1 << 18;

/// Examples that go through the network together at most.
const MOST_EXAMPLES: usize = 64;

/// Values of several examples between two layers.
#[derive(Clone)]
struct Values {
    /// Numbers per example.
    size: usize,
    numbers: Vec<f64>,
    /// For each example a number that the norm of (these numbers − the real values) does not exceed.
    errors: Vec<f64>,
}

impl Values {
    fn examples(&self) -> impl Iterator<Item = (&[f64], f64)> {
        self.numbers.chunks_exact(self.size).zip(self.errors.iter().copied())
    }
}

/// A layer with its parameters.
enum Stage {
    Linear(Linear),
    Convolution(Convolution),
    Pooling(Pooling),
    GlobalAverage { channels: usize },
    Activation(Activation),
    Affine(Affine),
    Normalization { gain: Vec<f64>, shift: Vec<f64>, epsilon: f64 },
    Embedding { table: Vec<f64>, width: usize },
    Attention(Attention),
    Residual { body: Vec<Stage>, shortcut: Vec<Stage> },
}

impl Stage {
    fn apply(&self, values: Values) -> Values {
        match self {
            Stage::Linear(linear) => linear.apply(values),
            Stage::Convolution(convolution) => convolution.apply(values),
            Stage::Pooling(pooling) => pooling.apply(values),
            Stage::GlobalAverage { channels } => pooling::global_average(*channels, values),
            Stage::Activation(function) => functions::activate(*function, values),
            Stage::Affine(affine) => affine.apply(values),
            Stage::Normalization { gain, shift, epsilon } => transformer::normalize(gain, shift, *epsilon, values),
            Stage::Embedding { table, width } => transformer::embed(table, *width, values),
            Stage::Attention(attention) => attention.apply(values),
            Stage::Residual { body, shortcut } => {
                let (mut one, other) = (through(body, values.clone()), through(shortcut, values));
                one.numbers.iter_mut().zip(&other.numbers).for_each(|(one, other)| *one += other);
                let errors = (one.examples().zip(&other.errors))
                    .map(|((y, error), &other)| {
                        grown(error + other, &[(error, 1.0), (other, 1.0), (2.0 * UNIT, norm(y))])
                    })
                    .collect();
                one.errors = errors;
                one
            }
        }
    }
}

fn through(stages: &[Stage], values: Values) -> Values {
    stages.iter().fold(values, |values, stage| stage.apply(values))
}

/// Hands out the parameters in their order.
struct Parameters<'a> {
    parameters: &'a [f32],
    buffers: &'a [f32],
}

impl Parameters<'_> {
    fn take(&mut self, count: usize) -> Vec<f64> {
        let (own, rest) = self.parameters.split_at(count);
        self.parameters = rest;
        own.iter().map(|&value| f64::from(value)).collect()
    }

    fn take_buffer(&mut self, count: usize) -> Vec<f64> {
        let (own, rest) = self.buffers.split_at(count);
        self.buffers = rest;
        own.iter().map(|&value| f64::from(value)).collect()
    }

    fn linear(&mut self, units: usize, inputs: usize, bias: bool) -> Linear {
        let weights = self.take(units * inputs);
        let bias = if bias { self.take(units) } else { Vec::new() };
        Linear::new(&weights, inputs, bias)
    }

    /// The stages of a path, and the largest number of numbers that an example has in it.
    fn path(&mut self, layers: &[Layer], mut shape: Vec<usize>) -> Result<(Vec<Stage>, usize), String> {
        let mut stages = Vec::with_capacity(layers.len());
        let mut most: usize = shape.iter().product();
        for layer in layers {
            let (stage, inside) = self.stage(layer, &shape)?;
            stages.extend(stage);
            shape = output_shape(layer, &shape)?;
            most = most.max(inside).max(shape.iter().product());
        }
        Ok((stages, most))
    }

    fn stage(&mut self, layer: &Layer, shape: &[usize]) -> Result<(Option<Stage>, usize), String> {
        let last = shape[shape.len() - 1];
        let image = || <[usize; 3]>::try_from(shape).map_err(|_| format!("{}: no image", layer.name()));
        let stage = match layer {
            Layer::Dense { units, bias } => Stage::Linear(self.linear(*units, last, *bias)),
            Layer::Convolution { channels, kernel, stride, padding, bias } => {
                let weights = self.take(channels * kernel[0] * kernel[1] * last);
                let bias = if *bias { self.take(*channels) } else { Vec::new() };
                Stage::Convolution(Convolution::new(&weights, bias, image()?, *kernel, *stride, *padding))
            }
            Layer::MaxPooling { size, stride } => Stage::Pooling(Pooling::new(image()?, *size, *stride, false)),
            Layer::AveragePooling { size, stride } => Stage::Pooling(Pooling::new(image()?, *size, *stride, true)),
            Layer::GlobalAveragePooling => Stage::GlobalAverage { channels: last },
            Layer::Flatten | Layer::Dropout { .. } => return Ok((None, 0)),
            Layer::Activation { function } => Stage::Activation(*function),
            Layer::BatchNormalization { epsilon, .. } => {
                let (gain, shift) = (self.take(last), self.take(last));
                let (mean, variance) = (self.take_buffer(last), self.take_buffer(last));
                Stage::Affine(Affine::new(&gain, &shift, &mean, &variance, *epsilon))
            }
            Layer::LayerNormalization { epsilon } => {
                Stage::Normalization { gain: self.take(last), shift: self.take(last), epsilon: *epsilon }
            }
            Layer::Embedding { vocabulary, width } => {
                Stage::Embedding { table: self.take(vocabulary * width), width: *width }
            }
            Layer::Attention { heads, causal } => {
                let (enter, leave) = (self.linear(3 * last, last, true), self.linear(last, last, true));
                Stage::Attention(Attention { enter, leave, width: last, heads: *heads, causal: *causal })
            }
            Layer::Residual { body, shortcut } => {
                let ((body, one), (shortcut, other)) =
                    (self.path(body, shape.to_vec())?, self.path(shortcut, shape.to_vec())?);
                return Ok((Some(Stage::Residual { body, shortcut }), one.max(other)));
            }
        };
        Ok((Some(stage), 0))
    }
}

/// What can be said of an objective of networks with these layers.
pub(super) fn evaluation(layers: &[Layer]) -> Evaluation {
    let is_enclosed = |layer: &Layer| match layer {
        Layer::Activation { function } => matches!(function, Activation::Relu | Activation::LeakyRelu),
        Layer::Residual { body, shortcut } => {
            [body, shortcut].iter().all(|path| evaluation(path) == Evaluation::Proven)
        }
        Layer::LayerNormalization { .. } | Layer::Embedding { .. } | Layer::Attention { .. } => false,
        _ => true,
    };
    if layers.iter().all(is_enclosed) { Evaluation::Proven } else { Evaluation::Evaluated }
}

/// The objective of a network whose parameters fit: with `Proven` a number that it does not exceed, with `Evaluated` about it. `inputs` are the rows
/// after the scaling.
pub(super) fn objective(
    problem: &Problem,
    inputs: &infimum_problem::Matrix,
    architecture: &Architecture,
    (parameters, buffers): (&[f32], &[f32]),
    kind: Evaluation,
) -> Result<f64, String> {
    let mut list = Parameters { parameters, buffers };
    let (stages, most) = list.path(&architecture.layers, architecture.input.clone())?;
    let (n, columns) = (inputs.rows(), inputs.columns());
    let examples = (BLOCK / most).clamp(1, MOST_EXAMPLES);
    let loss = scalar(problem.objective.loss);
    let part = |block: usize| {
        let rows = block * examples..((block + 1) * examples).min(n);
        let mut numbers = vec![0.0; rows.len() * columns];
        for (out, i) in numbers.chunks_exact_mut(columns).zip(rows.clone()) {
            inputs.row(i).for_each(|j, x| out[j] = x);
        }
        let values = through(&stages, Values { size: columns, numbers, errors: vec![0.0; rows.len()] });
        let mut sum = Sum::new();
        for (i, (outputs, error)) in rows.zip(values.examples()) {
            let radius = if kind == Evaluation::Proven { error } else { 0.0 };
            let around = |&z: &f64| Interval::point(z) + Interval::new(-radius, radius);
            let z: Vec<Interval> = outputs.iter().map(around).collect();
            add_loss(&mut sum, problem, loss.as_deref(), i, &z);
        }
        sum
    };
    let parts: Vec<Sum> = (0..n.div_ceil(examples)).into_par_iter().map(part).collect();
    let (mut sum, mut squares) = (Sum::new(), Sum::new());
    parts.iter().for_each(|part| sum.merge(part));
    parameters.iter().for_each(|&value| squares.add_product(f64::from(value), f64::from(value)));
    let norm = Interval::new(0.0, squares.enclose().upper);
    sum.add((Interval::point(0.5) * (Interval::point(problem.objective.lambda2) * norm)).upper);
    let upper = sum.enclose().upper;
    Ok(if upper.is_nan() { f64::INFINITY } else { upper })
}
