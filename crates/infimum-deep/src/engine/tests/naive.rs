//! Outputs against loops that follow the definitions of `Layer` word by word.

use infimum_problem::deep::{Activation, Architecture, Layer, output_shape};
use proptest::prelude::*;

use super::networks::{nested, network, numbers, one_layer};
use crate::engine::{Mode, Network, Pass};

/// Parameters and running values not read yet.
struct Rest<'a> {
    parameters: &'a [f64],
    running: &'a [f64],
}

fn take<'a>(rest: &mut &'a [f64], count: usize) -> &'a [f64] {
    let (taken, others) = rest.split_at(count);
    *rest = others;
    taken
}

/// What a network predicts for one example.
fn predict(layers: &[Layer], shape: &[usize], x: &[f64], rest: &mut Rest) -> Vec<f64> {
    let (mut shape, mut x) = (shape.to_vec(), x.to_vec());
    for layer in layers {
        x = apply(layer, &shape, &x, rest);
        shape = output_shape(layer, &shape).unwrap();
        assert_eq!(x.len(), shape.iter().product::<usize>());
    }
    x
}

fn linear(x: &[f64], weights: &[f64], bias: &[f64]) -> Vec<f64> {
    let rows = weights.chunks(x.len()).enumerate();
    rows.map(|(o, row)| bias.get(o).unwrap_or(&0.0) + row.iter().zip(x).map(|(w, x)| w * x).sum::<f64>()).collect()
}

fn apply(layer: &Layer, shape: &[usize], x: &[f64], rest: &mut Rest) -> Vec<f64> {
    let last = shape[shape.len() - 1];
    let output = output_shape(layer, shape).unwrap();
    match layer {
        Layer::Dense { units, bias } => {
            let weights = take(&mut rest.parameters, units * last);
            let bias = take(&mut rest.parameters, if *bias { *units } else { 0 });
            x.chunks(last).flat_map(|row| linear(row, weights, bias)).collect()
        }
        Layer::Convolution { channels, kernel: [down, right], stride, padding, bias } => {
            let weights = take(&mut rest.parameters, channels * down * right * last);
            let bias = take(&mut rest.parameters, if *bias { *channels } else { 0 });
            let mut y = Vec::new();
            for place in 0..output.iter().product::<usize>() {
                let (r, c, o) = (place / channels / output[1], place / channels % output[1], place % channels);
                let mut sum = bias.get(o).copied().unwrap_or(0.0);
                for (i, j) in (0..*down).flat_map(|i| (0..*right).map(move |j| (i, j))) {
                    let row = (r * stride + i) as isize - padding.amount(*down) as isize;
                    let column = (c * stride + j) as isize - padding.amount(*right) as isize;
                    let inside = |place: isize, side: usize| (0..side as isize).contains(&place);
                    if inside(row, shape[0]) && inside(column, shape[1]) {
                        for k in 0..last {
                            let from = (row as usize * shape[1] + column as usize) * last + k;
                            sum += weights[((o * down + i) * right + j) * last + k] * x[from];
                        }
                    }
                }
                y.push(sum);
            }
            y
        }
        Layer::MaxPooling { size, stride } | Layer::AveragePooling { size, stride } => {
            let stride = if *stride == 0 { *size } else { *stride };
            let mut y = Vec::new();
            for place in 0..output.iter().product::<usize>() {
                let (r, c, k) = (place / last / output[1], place / last % output[1], place % last);
                let window = (0..size * size)
                    .map(|w| x[((r * stride + w / size) * shape[1] + c * stride + w % size) * last + k]);
                y.push(if matches!(layer, Layer::MaxPooling { .. }) {
                    window.fold(f64::NEG_INFINITY, f64::max)
                } else {
                    window.sum::<f64>() / (size * size) as f64
                });
            }
            y
        }
        Layer::GlobalAveragePooling => {
            let positions = x.len() / last;
            (0..last).map(|k| x.iter().skip(k).step_by(last).sum::<f64>() / positions as f64).collect()
        }
        Layer::Flatten | Layer::Dropout { .. } => x.to_vec(),
        Layer::Activation { function } => x.iter().map(|&t| activation(*function, t)).collect(),
        Layer::BatchNormalization { epsilon, .. } => {
            let (gain, shift) = (take(&mut rest.parameters, last), take(&mut rest.parameters, last));
            let (mean, variance) = (take(&mut rest.running, last), take(&mut rest.running, last));
            let one = |(p, t): (usize, &f64)| {
                let k = p % last;
                gain[k] * (t - mean[k]) / (variance[k] + epsilon).sqrt() + shift[k]
            };
            x.iter().enumerate().map(one).collect()
        }
        Layer::LayerNormalization { epsilon } => {
            let (gain, shift) = (take(&mut rest.parameters, last), take(&mut rest.parameters, last));
            let mut y = Vec::new();
            for row in x.chunks(last) {
                let mean = row.iter().sum::<f64>() / last as f64;
                let variance = row.iter().map(|t| (t - mean).powi(2)).sum::<f64>() / last as f64;
                y.extend((0..last).map(|k| gain[k] * (row[k] - mean) / (variance + epsilon).sqrt() + shift[k]));
            }
            y
        }
        Layer::Embedding { vocabulary, width } => {
            let table = take(&mut rest.parameters, vocabulary * width);
            x.iter().flat_map(|&t| table[t as usize * width..(t as usize + 1) * width].to_vec()).collect()
        }
        Layer::Attention { heads, causal } => {
            let [w_in, b_in, w_out, b_out] =
                [3 * last * last, 3 * last, last * last, last].map(|count| take(&mut rest.parameters, count));
            let wide = last / heads;
            let all: Vec<Vec<f64>> = x.chunks(last).map(|row| linear(row, w_in, b_in)).collect();
            let mut y = Vec::new();
            for row in 0..shape[0] {
                let mut mixed = Vec::new();
                for head in 0..*heads {
                    let part = |position: usize, which: usize| &all[position][which * last + head * wide..][..wide];
                    let seen = if *causal { row + 1 } else { shape[0] };
                    let score = |position: usize| {
                        let dot: f64 = part(row, 0).iter().zip(part(position, 1)).map(|(q, k)| q * k).sum();
                        (dot / (wide as f64).sqrt()).exp()
                    };
                    let total: f64 = (0..seen).map(score).sum();
                    mixed.extend((0..wide).map(|k| (0..seen).map(|p| score(p) / total * part(p, 2)[k]).sum::<f64>()));
                }
                y.extend(linear(&mixed, w_out, b_out));
            }
            y
        }
        Layer::Residual { body, shortcut } => {
            let body = predict(body, shape, x, rest);
            let shortcut = predict(shortcut, shape, x, rest);
            body.iter().zip(shortcut).map(|(a, b)| a + b).collect()
        }
    }
}

fn activation(function: Activation, t: f64) -> f64 {
    // Φ by Simpson's rule.
    let normal = || {
        let density = |s: f64| (-0.5 * s * s).exp() / std::f64::consts::TAU.sqrt();
        let h = t / 2000.0;
        let sum: f64 = (0..=2000)
            .map(|i| density(i as f64 * h) * [1.0, 4.0, 2.0][if i % 2000 == 0 { 0 } else { 2 - i % 2 }])
            .sum();
        0.5 + sum * h / 3.0
    };
    match function {
        Activation::Relu => t.max(0.0),
        Activation::LeakyRelu => {
            if t > 0.0 {
                t
            } else {
                t / 100.0
            }
        }
        Activation::Tanh => t.sinh() / t.cosh(),
        Activation::Sigmoid => 1.0 / (1.0 + (-t).exp()),
        Activation::Gelu => t * normal(),
        Activation::Silu => t / (1.0 + (-t).exp()),
    }
}

fn check(architecture: &Architecture, examples: usize) {
    let network = Network::new(architecture).unwrap();
    let parameters = numbers(1, network.parameter_count());
    let running: Vec<f64> = numbers(2, network.buffer_count()).into_iter().map(|number| number.abs() + 0.5).collect();
    let mut inputs = numbers(3, examples * network.inputs());
    if matches!(architecture.layers[0], Layer::Embedding { .. }) {
        inputs.iter_mut().for_each(|input| *input = ((*input + 1.0) * 2.5).floor());
    }
    let mut pass = Pass::new();
    network.forward(&mut pass, &parameters, &running, &inputs, examples, Mode::Prediction);
    let mut expected = Vec::new();
    for x in inputs.chunks(network.inputs()) {
        let mut rest = Rest { parameters: &parameters, running: &running };
        expected.extend(predict(&architecture.layers, &architecture.input, x, &mut rest));
        assert!(rest.parameters.is_empty() && rest.running.is_empty());
    }
    assert_eq!(pass.outputs().len(), expected.len());
    for (output, expected) in pass.outputs().iter().zip(&expected) {
        assert!(
            (output - expected).abs() < 1e-11 * (1.0 + expected.abs()),
            "{architecture:?}: {output}, expected {expected}"
        );
    }
    // The same in singles.
    let single = |numbers: &[f64]| numbers.iter().map(|&number| number as f32).collect::<Vec<f32>>();
    let mut pass = Pass::new();
    network.forward(&mut pass, &single(&parameters), &single(&running), &single(&inputs), examples, Mode::Prediction);
    let largest = expected.iter().fold(1.0f64, |largest, value| largest.max(value.abs()));
    for (&output, expected) in pass.outputs().iter().zip(&expected) {
        assert!(
            (f64::from(output) - expected).abs() < 2e-5 * largest,
            "{architecture:?}: {output}, expected {expected}"
        );
    }
}

#[test]
fn outputs_are_as_defined() {
    for (input, layer) in one_layer() {
        check(&network(&input, vec![layer]), 3);
    }
    nested().iter().for_each(|architecture| check(architecture, 5));
}

proptest! {
    #[test]
    fn convolutions_are_as_defined(
        input in (1usize..12, 1usize..12, 1usize..5),
        channels in 1usize..20,
        kernel in (1usize..6, 1usize..6),
        stride in 1usize..4,
        same: bool,
        examples in 1usize..6,
    ) {
        let padding = if same { infimum_problem::deep::Padding::Same } else { infimum_problem::deep::Padding::Valid };
        let layer = Layer::Convolution { channels, kernel: [kernel.0, kernel.1], stride, padding, bias: true };
        let architecture = network(&[input.0, input.1, input.2], vec![layer]);
        prop_assume!(Network::new(&architecture).is_ok());
        check(&architecture, examples);
    }
}
