//! Gradients against central differences.

use infimum_problem::deep::{Activation, Architecture, Layer, Padding};
use proptest::prelude::*;

use super::networks::{convolution, dense, function, network, numbers, one_layer};
use crate::engine::{Mode, Network, Pass};

/// `Σ weight·output` for fixed weights, whose slopes by the outputs are those weights.
fn objective(network: &Network, parameters: &[f64], inputs: &[f64], examples: usize, mode: Mode) -> f64 {
    let mut pass = Pass::new();
    network.forward(&mut pass, parameters, &running(network), inputs, examples, mode);
    pass.outputs().iter().zip(numbers(99, pass.outputs().len())).map(|(output, weight)| output * weight).sum()
}

fn running(network: &Network) -> Vec<f64> {
    numbers(5, network.buffer_count()).into_iter().map(|number| number.abs() + 0.5).collect()
}

/// Compares every slope, or some of them where there are many.
fn check(architecture: &Architecture, examples: usize, mode: Mode) {
    let network = Network::new(architecture).unwrap();
    let count = network.parameter_count();
    let mut parameters: Vec<f64> = network.initial::<f64>(1).0;
    parameters.iter_mut().zip(numbers(2, count)).for_each(|(parameter, number)| *parameter += 0.3 * number);
    let mut inputs = numbers(3, examples * network.inputs());
    if matches!(architecture.layers[0], Layer::Embedding { .. }) {
        inputs.iter_mut().for_each(|input| *input = ((*input + 1.0) * 2.5).floor());
    }
    let mut pass = Pass::new();
    network.forward(&mut pass, &parameters, &running(&network), &inputs, examples, mode);
    let slopes = numbers(99, examples * network.outputs());
    let mut gradient = vec![f64::NAN; count];
    network.backward(&mut pass, &parameters, &slopes, &mut gradient);
    let scale = gradient.iter().fold(0.0f64, |largest, slope| largest.max(slope.abs())).max(1e-3);
    for place in (0..count).step_by((count / 60).max(1)) {
        let at = |step: f64| {
            let mut moved = parameters.clone();
            moved[place] += step;
            objective(&network, &moved, &inputs, examples, mode)
        };
        // A kink of relu may lie between the steps of one difference; a wrong slope agrees with none.
        let differences = [1e-4, 1e-5, 1e-6].map(|step| (at(step) - at(-step)) / (2.0 * step));
        let is_right = differences.iter().any(|difference| (gradient[place] - difference).abs() <= 1e-6 * scale);
        assert!(is_right, "{architecture:?}\nslope {place}: {}, differences {differences:?}", gradient[place]);
    }
}

const TRAINING: Mode = Mode::Training { seed: 11, first: 0 };

/// Every layer between layers with parameters, so that its own slopes and those that it passes on are both seen.
fn between(input: &[usize], layer: Layer) -> Architecture {
    let first = if input.len() == 3 { convolution(input[2], 1) } else { dense(input[input.len() - 1]) };
    network(input, vec![first, layer, Layer::Flatten, dense(3)])
}

#[test]
fn slopes_of_every_layer_are_right() {
    for (input, layer) in one_layer() {
        for mode in [TRAINING, Mode::Prediction] {
            check(&between(&input, layer.clone()), 3, mode);
            // The same twice in a row, and around it a shortcut.
            let block = Layer::Residual { body: vec![layer.clone()], shortcut: vec![layer.clone()] };
            check(&between(&input, block), 3, mode);
        }
    }
}

#[test]
fn slopes_of_nested_networks_are_right() {
    for architecture in super::networks::nested() {
        for mode in [TRAINING, Mode::Prediction] {
            check(&architecture, 4, mode);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn slopes_of_convolutions_and_windows_are_right(
        sides in (1usize..8, 1usize..8),
        channels in (1usize..4, 1usize..5),
        kernel in (1usize..4, 1usize..4),
        strides in (1usize..3, 0usize..3),
        same: bool,
        bias: bool,
        largest: bool,
        size in 1usize..4,
        examples in 1usize..5,
        activation in prop::sample::select(&Activation::ALL[..]),
    ) {
        let padding = if same { Padding::Same } else { Padding::Valid };
        let (stride, window) = strides;
        let pool = if largest { Layer::MaxPooling { size, stride: window } } else { Layer::AveragePooling { size, stride: window } };
        let layers = vec![
            convolution(channels.0, 1),
            Layer::Convolution { channels: channels.1, kernel: [kernel.0, kernel.1], stride, padding, bias },
            function(activation),
            pool,
            Layer::Flatten,
            dense(2),
        ];
        let architecture = network(&[sides.0, sides.1, 2], layers);
        prop_assume!(Network::new(&architecture).is_ok());
        check(&architecture, examples, TRAINING);
    }
}
