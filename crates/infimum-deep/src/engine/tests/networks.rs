//! Architectures and numbers to test with.

use infimum_problem::deep::{Activation, Architecture, Layer, Padding};

use crate::random::bits;

pub(in crate::engine) fn network(input: &[usize], layers: Vec<Layer>) -> Architecture {
    Architecture { input: input.to_vec(), scaling: Default::default(), layers }
}

pub(in crate::engine) fn dense(units: usize) -> Layer {
    Layer::Dense { units, bias: true }
}

pub(in crate::engine) fn convolution(channels: usize, side: usize) -> Layer {
    Layer::Convolution { channels, kernel: [side, side], stride: 1, padding: Padding::Same, bias: true }
}

pub(in crate::engine) fn function(function: Activation) -> Layer {
    Layer::Activation { function }
}

/// Numbers between −1 and 1.
pub(super) fn numbers(seed: u64, count: usize) -> Vec<f64> {
    (0..count as u64).map(|place| (bits(seed, place) >> 11) as f64 / (1u64 << 52) as f64 - 1.0).collect()
}

const BATCH: Layer = Layer::BatchNormalization { epsilon: 1e-3, momentum: 0.3 };
const ROWS: Layer = Layer::LayerNormalization { epsilon: 1e-3 };

/// Every kind of layer that can stand behind others, with a shape that it reads.
pub(super) fn one_layer() -> Vec<(Vec<usize>, Layer)> {
    let mut all = vec![
        (vec![4], dense(5)),
        (vec![3, 4], Layer::Dense { units: 2, bias: false }),
        (vec![5, 4, 2], convolution(3, 3)),
        (
            vec![5, 4, 2],
            Layer::Convolution { channels: 3, kernel: [2, 3], stride: 2, padding: Padding::Valid, bias: false },
        ),
        (vec![5, 6, 2], Layer::MaxPooling { size: 2, stride: 0 }),
        (vec![5, 6, 2], Layer::MaxPooling { size: 3, stride: 2 }),
        (vec![5, 6, 2], Layer::AveragePooling { size: 2, stride: 1 }),
        (vec![5, 6, 2], Layer::GlobalAveragePooling),
        (vec![3, 4], Layer::GlobalAveragePooling),
        (vec![3, 4], Layer::Flatten),
        (vec![4], BATCH),
        (vec![3, 3, 2], BATCH),
        (vec![4], ROWS),
        (vec![3, 4], ROWS),
        (vec![40], Layer::Dropout { rate: 0.3 }),
        (vec![4, 6], Layer::Attention { heads: 2, causal: false }),
        (vec![4, 6], Layer::Attention { heads: 3, causal: true }),
    ];
    all.extend(Activation::ALL.map(|activation| (vec![3, 4], function(activation))));
    all
}

/// Networks in which values are shared, changed in place, and nested.
pub(super) fn nested() -> Vec<Architecture> {
    let residual = |body: Vec<Layer>, shortcut: Vec<Layer>| Layer::Residual { body, shortcut };
    let relu = function(Activation::Relu);
    let tanh = function(Activation::Tanh);
    let gelu = function(Activation::Gelu);
    let drop = Layer::Dropout { rate: 0.25 };
    let down =
        |channels| Layer::Convolution { channels, kernel: [1, 1], stride: 2, padding: Padding::Valid, bias: false };
    let halve =
        |channels| Layer::Convolution { channels, kernel: [3, 3], stride: 2, padding: Padding::Same, bias: false };
    let mixer = residual(vec![ROWS, Layer::Attention { heads: 2, causal: true }, drop.clone()], vec![]);
    let thinker = residual(vec![ROWS, dense(8), gelu.clone(), drop.clone(), dense(4)], vec![]);
    vec![
        // A small residual network for images.
        network(
            &[6, 6, 2],
            vec![
                convolution(3, 3),
                BATCH,
                relu.clone(),
                residual(vec![convolution(3, 3), BATCH, relu.clone(), convolution(3, 3), BATCH], vec![]),
                relu.clone(),
                residual(vec![halve(4), BATCH, relu.clone(), convolution(4, 3), BATCH], vec![down(4), BATCH]),
                relu.clone(),
                Layer::GlobalAveragePooling,
                drop.clone(),
                dense(3),
            ],
        ),
        // A small transformer.
        network(
            &[5],
            vec![
                Layer::Embedding { vocabulary: 5, width: 4 },
                drop.clone(),
                mixer,
                thinker,
                ROWS,
                Layer::GlobalAveragePooling,
                dense(2),
            ],
        ),
        // Paths of all kinds in one another, directly at the input and without parameters.
        network(
            &[4],
            vec![
                residual(vec![tanh.clone()], vec![]),
                residual(vec![], vec![]),
                residual(
                    vec![residual(vec![dense(4), relu.clone(), drop.clone()], vec![gelu.clone()])],
                    vec![drop.clone()],
                ),
                tanh.clone(),
                drop.clone(),
                relu.clone(),
                residual(
                    vec![residual(vec![], vec![relu.clone()]), relu.clone()],
                    vec![dense(4), tanh.clone(), tanh.clone()],
                ),
                residual(vec![], vec![]),
                relu.clone(),
                dense(2),
                function(Activation::Sigmoid),
            ],
        ),
        // No parameters before the normalisation; pooling between functions; the output made in place.
        network(
            &[6, 6, 1],
            vec![
                Layer::AveragePooling { size: 2, stride: 1 },
                BATCH,
                Layer::MaxPooling { size: 2, stride: 1 },
                relu.clone(),
                residual(
                    vec![Layer::AveragePooling { size: 1, stride: 0 }, relu.clone()],
                    vec![function(Activation::Silu)],
                ),
                Layer::Flatten,
                dense(6),
                function(Activation::LeakyRelu),
                drop,
                dense(2),
                tanh,
            ],
        ),
    ]
}
