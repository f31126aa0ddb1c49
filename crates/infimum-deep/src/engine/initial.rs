//! First numbers of a network.

use infimum_problem::deep::{Activation, Architecture, Layer, Parameter, ParameterKind};

use super::Real;
use crate::random::{bits, normal};

pub(super) fn numbers<R: Real>(
    architecture: &Architecture,
    parameters: &[Parameter],
    buffers: &[Parameter],
    seed: u64,
) -> (Vec<R>, Vec<R>) {
    let mut widened = Vec::with_capacity(parameters.len());
    before_relu(&architecture.layers, false, &mut widened);
    let mut widened = widened.into_iter();
    let fill = |all: &[Parameter], deviation: &mut dyn FnMut(&Parameter) -> f64| {
        let mut numbers = vec![R::ZERO; all.last().map_or(0, |last| last.range.end)];
        for (place, parameter) in all.iter().enumerate() {
            let own = &mut numbers[parameter.range.clone()];
            match parameter.kind {
                ParameterKind::Gain | ParameterKind::RunningVariance => own.fill(R::ONE),
                ParameterKind::Bias | ParameterKind::Shift | ParameterKind::RunningMean => {}
                ParameterKind::Weights | ParameterKind::Table => {
                    let (seed, deviation) = (bits(seed, place as u64), deviation(parameter));
                    for (place, number) in own.iter_mut().enumerate() {
                        *number = R::from_f64(deviation * normal(seed, place as u64));
                    }
                }
            }
        }
        numbers
    };
    let trained = fill(parameters, &mut |parameter| {
        let square = if parameter.kind == ParameterKind::Table {
            1.0
        } else {
            let relu = widened.next().unwrap_or(false);
            if relu { 2.0 } else { 1.0 }
        };
        (square / parameter.fan_in as f64).sqrt()
    });
    (trained, fill(buffers, &mut |_| 1.0))
}

/// For each array of weights, in the order of the parameters, whether the next function behind it is like relu; `then` is what follows the path.
fn before_relu(layers: &[Layer], then: bool, found: &mut Vec<bool>) {
    for (place, layer) in layers.iter().enumerate() {
        let next = follows(&layers[place + 1..]).unwrap_or(then);
        match layer {
            Layer::Dense { .. } | Layer::Convolution { .. } => found.push(next),
            Layer::Attention { .. } => found.extend([false, next]),
            Layer::Residual { body, shortcut } => {
                before_relu(body, next, found);
                before_relu(shortcut, next, found);
            }
            _ => {}
        }
    }
}

/// Whether the first function of these layers is like relu; nothing where none comes before the next weights.
fn follows(layers: &[Layer]) -> Option<bool> {
    for layer in layers {
        match layer {
            Layer::Activation { function } => {
                return Some(!matches!(function, Activation::Tanh | Activation::Sigmoid));
            }
            Layer::Dense { .. }
            | Layer::Convolution { .. }
            | Layer::Attention { .. }
            | Layer::Embedding { .. }
            | Layer::Residual { .. } => return Some(false),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use crate::engine::Network;
    use crate::engine::tests::networks::{convolution, dense, function, network};
    use infimum_problem::deep::{Activation, Layer};

    #[test]
    fn weights_are_as_wide_as_the_next_function_wants() {
        let layers = vec![
            Layer::Residual { body: vec![convolution(16, 3)], shortcut: vec![convolution(16, 1)] },
            Layer::BatchNormalization { epsilon: 1e-5, momentum: 0.1 },
            function(Activation::Gelu),
            Layer::Flatten,
            dense(200),
            function(Activation::Tanh),
            dense(10),
        ];
        let network = Network::new(&network(&[6, 6, 8], layers)).unwrap();
        let (numbers, buffers) = network.initial::<f64>(3);
        assert_eq!(buffers, [vec![0.0; 16], vec![1.0; 16]].concat());
        let mut deviations = Vec::new();
        for parameter in network.parameters() {
            let own = &numbers[parameter.range.clone()];
            let square = own.iter().map(|x| x * x).sum::<f64>() / own.len() as f64;
            deviations.push((parameter.name.as_str(), square * parameter.fan_in as f64));
        }
        let expected = [2.0, 0.0, 2.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0];
        for ((name, square), expected) in deviations.into_iter().zip(expected) {
            assert!((square - expected).abs() < 0.35, "{name}: {square}, expected {expected}");
        }
        assert_eq!(network.initial::<f32>(3).0, numbers.iter().map(|&x| x as f32).collect::<Vec<f32>>());
        assert_ne!(network.initial::<f64>(4).0, numbers);
    }
}
