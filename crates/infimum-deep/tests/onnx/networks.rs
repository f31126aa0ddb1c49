//! Networks with all layers, numbers for them, and what the engine makes of them.

use infimum_deep::engine::{Mode, Network, Pass};
use infimum_problem::deep::{Activation, Architecture, Layer, Padding, Scaling};

/// A network with parameters and buffers, and rows for it.
pub struct Example {
    pub name: &'static str,
    pub architecture: Architecture,
    pub parameters: Vec<f32>,
    pub buffers: Vec<f32>,
    pub rows: Vec<f64>,
    /// Whether the importer knows all its layers.
    pub is_importable: bool,
}

pub const EXAMPLES: usize = 5;

/// Numbers in [−1, 1) that only the seed decides.
pub fn numbers(seed: u64, count: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

/// Outputs for rows of doubles, scaled as the architecture says.
pub fn outputs(architecture: &Architecture, parameters: &[f32], buffers: &[f32], rows: &[f64]) -> Vec<f32> {
    let network = Network::new(architecture).unwrap();
    let columns = network.inputs();
    let inputs: Vec<f32> =
        rows.iter().enumerate().map(|(place, &x)| architecture.scaling.apply(place % columns, x)).collect();
    let mut pass = Pass::new();
    network.forward(&mut pass, parameters, buffers, &inputs, rows.len() / columns, Mode::Prediction);
    pass.outputs().to_vec()
}

pub fn dense(units: usize, bias: bool) -> Layer {
    Layer::Dense { units, bias }
}

pub fn function(function: Activation) -> Layer {
    Layer::Activation { function }
}

pub fn convolution(channels: usize, kernel: [usize; 2], stride: usize, padding: Padding, bias: bool) -> Layer {
    Layer::Convolution { channels, kernel, stride, padding, bias }
}

const NORM: Layer = Layer::BatchNormalization { epsilon: 1e-3, momentum: 0.25 };
const LAYER_NORM: Layer = Layer::LayerNormalization { epsilon: 1e-4 };

/// All of them: every layer and every function, in all places that differ.
pub fn examples() -> Vec<Example> {
    use Padding::{Same, Valid};
    let mut all = Vec::new();
    let mut add = |name, input: &[usize], scaling: Scaling, is_importable, layers: Vec<Layer>| {
        let architecture = Architecture { input: input.to_vec(), scaling, layers };
        let network = Network::new(&architecture).unwrap();
        let seed = all.len() as u64 + 1;
        let parameters = numbers(seed, network.parameter_count()).into_iter().map(|value| 0.6 * value).collect();
        let is_variance = |place: usize| {
            let buffers = infimum_problem::deep::buffers(&architecture).unwrap();
            buffers.iter().any(|buffer| buffer.name.ends_with("variance") && buffer.range.contains(&place))
        };
        let buffers = numbers(seed + 100, network.buffer_count()).into_iter().enumerate();
        let buffers =
            buffers.map(|(place, value)| if is_variance(place) { 0.5 + value.abs() } else { value }).collect();
        let is_text = architecture.layers.iter().any(|layer| matches!(layer, Layer::Embedding { .. }));
        let rows = numbers(seed + 200, EXAMPLES * network.inputs()).into_iter();
        let rows = rows.map(|x| if is_text { ((x + 1.0) * 3.5).floor().into() } else { 2.0 * f64::from(x) }).collect();
        all.push(Example { name, architecture, parameters, buffers, rows, is_importable });
    };
    let no = Scaling::default;
    for f in Activation::ALL {
        add(
            f.name(),
            &[7],
            no(),
            true,
            vec![dense(6, true), function(f), dense(5, false), function(f), dense(3, true)],
        );
    }
    let scaling = Scaling { shift: numbers(9, 7), scale: numbers(10, 7) };
    add("scaled", &[7], scaling, true, vec![dense(6, true), function(Activation::Relu), dense(1, true)]);
    let norms = vec![NORM, dense(6, false), NORM, Layer::Dropout { rate: 0.5 }, LAYER_NORM, dense(4, true)];
    add("norms", &[5], no(), true, norms);
    let scaling = Scaling { shift: vec![0.25], scale: vec![1.5, -2.0, 0.75] };
    let layers = vec![
        convolution(4, [3, 3], 1, Same, true),
        NORM,
        function(Activation::Relu),
        Layer::MaxPooling { size: 2, stride: 0 },
        convolution(5, [3, 2], 1, Valid, false),
        Layer::AveragePooling { size: 2, stride: 1 },
        Layer::Flatten,
        function(Activation::Gelu),
        dense(4, true),
    ];
    add("convolutions", &[9, 10, 3], scaling, true, layers);
    let layers = vec![
        convolution(4, [5, 3], 2, Same, true),
        Layer::Residual {
            body: vec![NORM, function(Activation::Relu), convolution(4, [3, 3], 1, Same, true)],
            shortcut: vec![],
        },
        Layer::Residual {
            body: vec![
                convolution(6, [3, 3], 2, Same, true),
                Layer::Residual { body: vec![function(Activation::Tanh)], shortcut: vec![NORM] },
            ],
            shortcut: vec![convolution(6, [1, 1], 2, Valid, false)],
        },
        Layer::GlobalAveragePooling,
        LAYER_NORM,
        Layer::Residual { body: vec![dense(6, true)], shortcut: vec![dense(6, false), function(Activation::Silu)] },
        dense(2, true),
    ];
    add("residual", &[8, 7, 2], no(), true, layers);
    let layers = vec![
        dense(5, true),
        LAYER_NORM,
        convolution(2, [2, 2], 1, Same, true),
        Layer::MaxPooling { size: 1, stride: 1 },
        function(Activation::Tanh),
        convolution(3, [1, 1], 1, Same, true),
    ];
    add("image to the end", &[2, 2, 3], no(), true, layers);
    let layers = vec![Layer::Flatten, dense(4, true), function(Activation::Sigmoid)];
    add("a sigmoid at the end", &[3, 2, 2], no(), true, layers);
    let layers = vec![
        dense(5, true),
        NORM,
        Layer::Dropout { rate: 0.1 },
        dense(3, false),
        Layer::GlobalAveragePooling,
        dense(2, true),
    ];
    add("positions", &[4, 3], no(), true, layers);
    let layers = vec![Layer::Embedding { vocabulary: 7, width: 3 }, Layer::Flatten, dense(4, true)];
    add("table", &[4], no(), true, layers);
    for causal in [false, true] {
        let layers = vec![
            Layer::Embedding { vocabulary: 7, width: 6 },
            Layer::Residual { body: vec![LAYER_NORM, Layer::Attention { heads: 3, causal }], shortcut: vec![] },
            Layer::Residual {
                body: vec![LAYER_NORM, dense(9, true), function(Activation::Gelu), dense(6, true)],
                shortcut: vec![],
            },
            Layer::GlobalAveragePooling,
            dense(3, true),
        ];
        add(if causal { "causal attention" } else { "attention" }, &[5], no(), false, layers);
    }
    all
}

/// Whether two lists agree to `tolerance` times their largest number (at least 1).
pub fn agree(a: &[f32], b: &[f32], tolerance: f32) -> bool {
    let size = a.iter().fold(1.0f32, |size, value| size.max(value.abs()));
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() <= tolerance * size)
}
