//! What networks do with threads, seeds, batches and running values.

use infimum_problem::deep::{Activation, Architecture, Layer, Padding};

use super::networks::{convolution, dense, function, nested, network, numbers};
use crate::engine::{Mode, Network, Pass, Real};

fn singles(seed: u64, count: usize) -> Vec<f32> {
    numbers(seed, count).into_iter().map(|number| number as f32).collect()
}

/// Outputs, gradient and running values after two steps.
fn steps<R: Real>(network: &Network, inputs: &[R], examples: usize) -> (Vec<R>, Vec<R>, Vec<R>) {
    let (parameters, mut buffers) = network.initial::<R>(1);
    let mut pass = Pass::new();
    let mut gradient = vec![R::ZERO; parameters.len()];
    for seed in 0..2 {
        network.forward(&mut pass, &parameters, &buffers, inputs, examples, Mode::Training { seed, first: 0 });
        network.update_buffers(&pass, &mut buffers);
        let slopes = pass.outputs().to_vec();
        network.backward(&mut pass, &parameters, &slopes, &mut gradient);
    }
    (pass.outputs().to_vec(), gradient, buffers)
}

fn with_threads<T: Send>(threads: usize, work: impl FnOnce() -> T + Send) -> T {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(work)
}

/// Networks that are large enough for several parts.
fn large() -> Vec<(Architecture, usize)> {
    let relu = || function(Activation::Relu);
    let pool = || Layer::MaxPooling { size: 2, stride: 0 };
    let batch = || Layer::BatchNormalization { epsilon: 1e-5, momentum: 0.1 };
    let halve = Layer::Convolution { channels: 24, kernel: [3, 3], stride: 2, padding: Padding::Same, bias: false };
    let image = vec![
        convolution(8, 3),
        relu(),
        pool(),
        convolution(16, 3),
        relu(),
        pool(),
        Layer::Flatten,
        dense(64),
        relu(),
        dense(10),
    ];
    let block = vec![convolution(16, 3), batch(), relu(), convolution(16, 3), batch()];
    let residual = vec![
        convolution(16, 3),
        Layer::Residual { body: block, shortcut: vec![] },
        relu(),
        halve,
        Layer::Dropout { rate: 0.2 },
        Layer::GlobalAveragePooling,
        dense(10),
    ];
    let rows = || Layer::LayerNormalization { epsilon: 1e-5 };
    let attention = Layer::Attention { heads: 4, causal: true };
    let text = vec![
        dense(32),
        Layer::Residual { body: vec![rows(), attention], shortcut: vec![] },
        Layer::Residual { body: vec![rows(), dense(128), function(Activation::Gelu), dense(32)], shortcut: vec![] },
        Layer::GlobalAveragePooling,
        dense(10),
    ];
    let dense = vec![dense(512), relu(), dense(256), relu(), dense(10)];
    vec![
        (network(&[28, 28, 1], image), 50),
        (network(&[20, 20, 3], residual), 40),
        (network(&[24, 8], text), 130),
        (network(&[300], dense), 257),
    ]
}

#[test]
fn threads_change_nothing() {
    for (architecture, examples) in large() {
        let network = Network::new(&architecture).unwrap();
        let inputs = singles(3, examples * network.inputs());
        let one = with_threads(1, || steps(&network, &inputs, examples));
        assert!(one.1.iter().all(|slope| slope.is_finite()) && one.1.iter().any(|&slope| slope != 0.0));
        for threads in [2, 3] {
            assert_eq!(with_threads(threads, || steps(&network, &inputs, examples)), one, "{architecture:?}");
        }
    }
}

#[test]
fn singles_are_close_to_doubles() {
    for (architecture, examples) in large() {
        let network = Network::new(&architecture).unwrap();
        let inputs = singles(3, examples * network.inputs());
        let doubles: Vec<f64> = inputs.iter().map(|&input| f64::from(input)).collect();
        let single = steps(&network, &inputs, examples);
        // The first parameters are not the same numbers in both, but the nearest ones.
        let double = steps(&network, &doubles, examples);
        for (single, double) in [(single.0, double.0), (single.1, double.1), (single.2, double.2)] {
            let size = double.iter().map(|x| x * x).sum::<f64>().sqrt();
            let error = single.iter().zip(&double).map(|(&a, b)| (f64::from(a) - b).powi(2)).sum::<f64>().sqrt();
            assert!(error <= 1e-4 * size, "{architecture:?}: {error} of {size}");
        }
    }
}

#[test]
fn a_pass_serves_batches_of_all_sizes_and_none() {
    for architecture in nested() {
        let network = Network::new(&architecture).unwrap();
        let (parameters, mut buffers) = network.initial::<f64>(1);
        let before = buffers.clone();
        let mut used = Pass::new();
        for examples in [3, 7, 0, 2] {
            let inputs: Vec<f64> =
                numbers(examples as u64, examples * network.inputs()).iter().map(|x| x.abs().round()).collect();
            let mut results = Vec::new();
            for pass in [&mut used, &mut Pass::new()] {
                let mut gradient = vec![f64::NAN; parameters.len()];
                network.forward(pass, &parameters, &buffers, &inputs, examples, Mode::Training { seed: 5, first: 0 });
                let slopes = vec![1.0; examples * network.outputs()];
                network.backward(pass, &parameters, &slopes, &mut gradient);
                results.push((pass.outputs().to_vec(), gradient));
            }
            assert_eq!(results[0], results[1]);
            assert_eq!(results[0].0.len(), examples * network.outputs());
            if examples == 0 {
                assert!(results[0].1.iter().all(|&slope| slope == 0.0));
                network.update_buffers(&used, &mut buffers);
                assert_eq!(buffers, before);
            }
        }
    }
}

#[test]
fn running_values_follow_the_batches() {
    let normalization = Layer::BatchNormalization { epsilon: 1e-5, momentum: 0.25 };
    let network = Network::new(&network(&[2, 1, 3], vec![normalization])).unwrap();
    let (parameters, mut buffers) = network.initial::<f64>(1);
    let inputs = numbers(4, 5 * 6);
    let mut pass = Pass::new();
    network.forward(&mut pass, &parameters, &buffers, &inputs, 5, Mode::Training { seed: 0, first: 0 });
    network.update_buffers(&pass, &mut buffers);
    for channel in 0..3 {
        let of = |values: &[f64]| values.iter().skip(channel).step_by(3).copied().collect::<Vec<f64>>();
        let (x, y) = (of(&inputs), of(pass.outputs()));
        let mean = x.iter().sum::<f64>() / 10.0;
        let squares = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>();
        assert!((buffers[channel] - 0.25 * mean).abs() < 1e-15);
        assert!((buffers[3 + channel] - (0.75 + 0.25 * squares / 9.0)).abs() < 1e-15);
        assert!(y.iter().sum::<f64>().abs() < 1e-12);
        assert!((y.iter().map(|y| y * y).sum::<f64>() / 10.0 - squares / (squares + 1e-4)).abs() < 1e-12);
    }
}

#[test]
fn dropout_leaves_out_by_seed() {
    let layers = vec![Layer::Dropout { rate: 0.3 }, Layer::Dropout { rate: 0.0 }];
    let network = Network::new(&network(&[1000], layers)).unwrap();
    let outputs = |seed: u64| {
        let mut pass = Pass::new();
        network.forward(&mut pass, &[], &[], &[1.0f64; 100_000], 100, Mode::Training { seed, first: 0 });
        pass.outputs().to_vec()
    };
    let (first, second) = (outputs(1), outputs(2));
    assert_eq!(first, outputs(1));
    let count = |values: &[f64]| values.iter().filter(|&&value| value == 0.0).count() as f64;
    assert!(first.iter().all(|&value| value == 0.0 || (value - 1.0 / 0.7).abs() < 1e-15));
    // Standard deviation 145; both left out 0.09 of all, deviation 90.
    assert!((count(&first) - 30_000.0).abs() < 800.0 && (count(&second) - 30_000.0).abs() < 800.0);
    let both: Vec<f64> = first.iter().zip(&second).map(|(a, b)| a + b).collect();
    assert!((count(&both) - 9_000.0).abs() < 500.0);
    assert_ne!(first[..1000], first[1000..2000]);
}

#[test]
fn features_of_the_last_layer_can_be_read() {
    let layers = vec![dense(4), function(Activation::Relu), Layer::Dropout { rate: 0.5 }, dense(2)];
    let network = Network::new(&network(&[3], layers)).unwrap();
    let (parameters, _) = network.initial::<f64>(1);
    let inputs = numbers(1, 6);
    let mut pass = Pass::new();
    network.forward(&mut pass, &parameters, &[], &inputs, 2, Mode::Prediction);
    assert_eq!(pass.input_of(0), inputs);
    let features = pass.input_of(3);
    assert!(features.len() == 8 && features.iter().all(|&feature| feature >= 0.0));
    let weights = &parameters[16..24];
    let output: f64 = features[4..].iter().zip(&weights[4..]).map(|(x, w)| x * w).sum();
    assert!((pass.outputs()[3] - output).abs() < 1e-15);
}

#[test]
fn numbers_that_mean_no_row_are_named() {
    let network = Network::new(&network(&[2], vec![Layer::Embedding { vocabulary: 3, width: 2 }])).unwrap();
    assert!(network.check_inputs(0, &[0.0f32, 2.0, 1.0, 0.0]).is_ok());
    let why = network.check_inputs(0, &[0.0f32, 2.0, 3.0, 0.5]).unwrap_err();
    assert_eq!(why, "example 2, input 1: expected a whole number from 0 to 2, got 3");
    let mut pass = Pass::new();
    network.forward(&mut pass, &[1.0f32; 6], &[], &[1.0, 0.5], 1, Mode::Prediction);
    assert!(pass.outputs()[..2] == [1.0, 1.0] && pass.outputs()[2].is_nan());
}
