//! Outputs and gradients of every layer.

use burn_tensor::backend::Backend;
use infimum_deep::engine::{Mode, Network, Pass, Targets};
use infimum_deep::training::{Processor, Task, Worker};
use infimum_problem::Loss;
use infimum_problem::deep::{Activation, Layer, Padding};

use super::{arrays, assert_close, network, numbers, on_cards, part, pass, task};
use crate::card::Card;
use crate::reading::read;

const BATCH: Layer = Layer::BatchNormalization { epsilon: 1e-3, momentum: 0.3 };
const ROWS: Layer = Layer::LayerNormalization { epsilon: 1e-3 };
const EXAMPLES: usize = 6;

fn dense(units: usize) -> Layer {
    Layer::Dense { units, bias: true }
}

fn convolution(channels: usize, kernel: [usize; 2], stride: usize, padding: Padding, bias: bool) -> Layer {
    Layer::Convolution { channels, kernel, stride, padding, bias }
}

fn function(function: Activation) -> Layer {
    Layer::Activation { function }
}

/// Each layer with a shape that it reads.
fn layers() -> Vec<(Vec<usize>, Layer)> {
    let image = || vec![6, 5, 2];
    let mut all = vec![
        (vec![4], dense(5)),
        (vec![3, 4], Layer::Dense { units: 2, bias: false }),
        (image(), convolution(3, [3, 3], 1, Padding::Same, true)),
        (image(), convolution(3, [2, 3], 2, Padding::Valid, false)),
        (image(), convolution(3, [4, 2], 1, Padding::Same, true)),
        (image(), convolution(3, [1, 1], 1, Padding::Same, true)),
        (image(), convolution(4, [1, 1], 2, Padding::Valid, false)),
        (image(), Layer::MaxPooling { size: 2, stride: 0 }),
        (image(), Layer::MaxPooling { size: 3, stride: 2 }),
        (image(), Layer::AveragePooling { size: 2, stride: 1 }),
        (image(), Layer::GlobalAveragePooling),
        (vec![3, 4], Layer::GlobalAveragePooling),
        (vec![3, 4], Layer::Flatten),
        (vec![4], BATCH),
        (vec![3, 3, 2], BATCH),
        (vec![4], ROWS),
        (vec![3, 4], ROWS),
        (vec![40], Layer::Dropout { rate: 0.3 }),
        (vec![4, 6], Layer::Attention { heads: 2, causal: false }),
        (vec![4, 6], Layer::Attention { heads: 3, causal: true }),
        (
            image(),
            Layer::Residual { body: vec![BATCH, convolution(2, [3, 3], 1, Padding::Same, false)], shortcut: vec![] },
        ),
        (
            image(),
            Layer::Residual {
                body: vec![convolution(4, [3, 3], 2, Padding::Same, true), BATCH, function(Activation::Relu)],
                shortcut: vec![convolution(4, [1, 1], 2, Padding::Valid, true), BATCH],
            },
        ),
    ];
    all.extend(Activation::ALL.map(|activation| (vec![3, 4], function(activation))));
    all
}

/// The layer between two others with parameters, so that slopes go through it; and networks with an embedding.
fn networks() -> Vec<(String, Network)> {
    let around = |(input, layer): (Vec<usize>, Layer)| {
        let width = input[input.len() - 1];
        (format!("{layer:?}"), network(&input, vec![dense(width), layer, Layer::Flatten, dense(3)]))
    };
    let mut all: Vec<(String, Network)> = layers().into_iter().map(around).collect();
    let block = |body| Layer::Residual { body, shortcut: vec![] };
    let text = vec![
        Layer::Embedding { vocabulary: 7, width: 6 },
        block(vec![ROWS, Layer::Attention { heads: 2, causal: true }, Layer::Dropout { rate: 0.25 }]),
        block(vec![ROWS, dense(12), function(Activation::Gelu), Layer::Dropout { rate: 0.25 }, dense(6)]),
        ROWS,
        Layer::GlobalAveragePooling,
        dense(3),
    ];
    all.push(("text".into(), network(&[5], text)));
    all
}

fn compare<B: Backend>(card: &Card<B>)
where
    B::Device: Sync,
{
    for (name, network) in networks() {
        let inputs: Vec<f32> = match network.embeds_inputs() {
            true => (0..EXAMPLES * network.inputs()).map(|place| (place * 5 % 7) as f32).collect(),
            false => numbers(1, EXAMPLES * network.inputs()),
        };
        let targets: Vec<f64> = numbers(2, EXAMPLES * 3).iter().map(|&value| f64::from(value)).collect();
        let weights: Vec<f64> = (0..EXAMPLES).map(|row| 0.5 + row as f64).collect();
        let part = part(&inputs, Targets::Values(&targets), &weights);
        let task: Task = task(&network, Loss::Squared, 0.0);
        let arrays = arrays(&network, &task.rule);
        let mut processor = Pass::<f32>::new();
        let mode = Mode::Training { seed: part.seed, first: part.first };
        network.forward(&mut processor, &arrays.parameters, &arrays.buffers, &inputs, EXAMPLES, mode);
        let mut worker = card.on_card(&task).expect("a worker");
        worker.load(&arrays).expect("loaded");
        let outputs = read(worker.forward(&part).expect("outputs").outputs.inner()).expect("read");
        assert_close(&outputs, processor.outputs(), 1e-4, &format!("{name}: outputs"));
        let (loss, gradient, buffers) = pass(card, &task, &arrays, &[part]);
        let expected = pass(&Processor, &task, &arrays, &[part]);
        assert!((loss - expected.0).abs() <= 1e-4 * expected.0, "{name}: loss {loss}, expected {}", expected.0);
        for parameter in network.parameters() {
            let own = parameter.range.clone();
            // Some arrays' gradients are 0 in theory: judged beside the largest of all.
            let largest = expected.1.iter().fold(0.0f32, |largest, value| largest.max(value.abs()));
            for place in own {
                let difference = (gradient[place] - expected.1[place]).abs();
                assert!(
                    difference <= 1e-4 * largest,
                    "{name}: gradient of {}: {}, expected {}",
                    parameter.name,
                    gradient[place],
                    expected.1[place]
                );
            }
        }
        assert_close(&buffers, &expected.2, 1e-4, &format!("{name}: running values"));
    }
}

#[test]
fn outputs_and_gradients_are_those_of_the_processor() {
    on_cards!(compare);
}

/// The gradient of a batch is that of its parts added up, dropout included.
fn parts<B: Backend>(card: &Card<B>)
where
    B::Device: Sync,
{
    let layers = vec![dense(9), function(Activation::Tanh), Layer::Dropout { rate: 0.4 }, dense(3)];
    let network = network(&[4], layers);
    let (inputs, weights) = (numbers(1, EXAMPLES * 4), vec![1.0; EXAMPLES]);
    let targets: Vec<f64> = numbers(2, EXAMPLES * 3).iter().map(|&value| f64::from(value)).collect();
    let whole = part(&inputs, Targets::Values(&targets), &weights);
    let border = 4;
    let of = |first: usize, last: usize| {
        let (inputs, targets) = (&inputs[4 * first..4 * last], Targets::Values(&targets[3 * first..3 * last]));
        infimum_deep::training::Part { inputs, targets, weights: &weights[first..last], first, ..whole }
    };
    let task = task(&network, Loss::Squared, 0.0);
    let arrays = arrays(&network, &task.rule);
    for device in [card as &dyn infimum_deep::training::Device, &Processor] {
        let (loss, gradient, _) = pass(device, &task, &arrays, &[of(0, border), of(border, EXAMPLES)]);
        let expected = pass(&Processor, &task, &arrays, &[whole]);
        assert!((loss - expected.0).abs() <= 1e-5 * expected.0);
        assert_close(&gradient, &expected.1, 1e-5, "the sum of the parts' gradients");
    }
}

#[test]
fn parts_of_a_batch_add_up() {
    on_cards!(parts);
}
