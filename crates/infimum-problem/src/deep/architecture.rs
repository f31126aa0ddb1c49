//! A feed-forward network as a list of layers.

use serde::{Deserialize, Serialize};

use super::Scaling;

/// A network: what it reads, and its layers in order. Values of one example are an array with one to three dimensions, the last of which
/// runs fastest: `[features]`, `[positions, channels]` or `[height, width, channels]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Architecture {
    /// Shape of one example; its product is the number of columns of the data.
    pub input: Vec<usize>,
    /// What is done with the columns before the first layer.
    #[serde(default)]
    pub scaling: Scaling,
    /// The layers; the last one's output has as many numbers as the problem has outputs.
    #[serde(rename = "layer")]
    pub layers: Vec<Layer>,
}

/// One layer. `x` is its input, indices are (example omitted) row, column, channel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Layer {
    /// `y = W x + b` along the last dimension, W of shape units × inputs.
    Dense {
        /// Number of outputs.
        units: usize,
        /// Whether there is a b.
        #[serde(default = "yes")]
        bias: bool,
    },
    /// Cross-correlation over `[height, width, channels]`: `y[r, c, o] = b[o] + Σ_{i, j, k} W[o, i, j, k] x[r·s + i − p, c·s + j − p', k]`, where x is 0
    /// outside; W of shape channels × kernel height × kernel width × input channels.
    Convolution {
        /// Number of output channels.
        channels: usize,
        /// Kernel height and width.
        kernel: [usize; 2],
        /// Step in both directions.
        #[serde(default = "one")]
        stride: usize,
        /// Zeros around the input.
        #[serde(default)]
        padding: Padding,
        /// Whether there is a b.
        #[serde(default = "yes")]
        bias: bool,
    },
    /// Largest value of each window of `size` × `size` positions, for each channel; windows lie inside the input.
    MaxPooling {
        /// Side of the window.
        size: usize,
        /// Step; 0 means `size`.
        #[serde(default)]
        stride: usize,
    },
    /// Mean of each window of `size` × `size` positions, for each channel; windows lie inside the input.
    AveragePooling {
        /// Side of the window.
        size: usize,
        /// Step; 0 means `size`.
        #[serde(default)]
        stride: usize,
    },
    /// Mean over all positions, for each channel: the output has the shape `[channels]`.
    GlobalAveragePooling,
    /// The same numbers in the same order, with one dimension.
    Flatten,
    /// A function of each number.
    Activation {
        /// The function.
        function: Activation,
    },
    /// `y = γ (x − mean)/√(variance + ε) + β` for each channel (last dimension): while training, mean and (biased) variance over the batch and all positions;
    /// else their recorded running values `running ← (1 − momentum)·running + momentum·new` (the new variance unbiased).
    BatchNormalization {
        /// ε.
        #[serde(default = "epsilon")]
        epsilon: f64,
        /// Weight of a new batch in the running values.
        #[serde(default = "momentum")]
        momentum: f64,
    },
    /// `y = γ (x − mean)/√(variance + ε) + β` along the last dimension, mean and (biased) variance over it.
    LayerNormalization {
        /// ε.
        #[serde(default = "epsilon")]
        epsilon: f64,
    },
    /// While training, each number is 0 with probability `rate` and else divided by 1 − rate; else the identity.
    Dropout {
        /// In [0, 1).
        rate: f64,
    },
    /// From whole numbers 0 … vocabulary − 1 of shape `[positions]` to the rows of a table of shape vocabulary × width.
    Embedding {
        /// Number of rows.
        vocabulary: usize,
        /// Length of a row.
        width: usize,
    },
    /// Multi-head self-attention over `[positions, width]` (Vaswani et al. 2017, section 3.2): `Q, K, V = x W_inᵀ + b_in`, of each head `softmax(Q Kᵀ/√w) V` with w =
    /// width/heads, all heads together times `W_outᵀ`, plus `b_out`.
    Attention {
        /// Number of heads, a divisor of the width.
        heads: usize,
        /// Whether a position sees only those up to itself.
        #[serde(default)]
        causal: bool,
    },
    /// `y = body(x) + shortcut(x)`; without layers a path is the identity.
    Residual {
        /// One path.
        body: Vec<Layer>,
        /// The other.
        #[serde(default)]
        shortcut: Vec<Layer>,
    },
}

/// Functions of one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Activation {
    /// `max(0, t)`.
    Relu,
    /// `t` where t > 0, else `t/100`.
    LeakyRelu,
    /// `tanh t`.
    Tanh,
    /// `1/(1 + exp(−t))`.
    Sigmoid,
    /// `t Φ(t)` with the normal distribution function Φ.
    Gelu,
    /// `t/(1 + exp(−t))`.
    Silu,
}

/// Zeros around the input of a convolution.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Padding {
    /// None: windows lie inside the input.
    Valid,
    /// (kernel − 1)/2 rounded down on every side: with odd kernels and stride 1 the output is as large as the input.
    #[default]
    Same,
}

fn yes() -> bool {
    true
}

fn one() -> usize {
    1
}

fn epsilon() -> f64 {
    1e-5
}

fn momentum() -> f64 {
    0.1
}

impl Activation {
    /// All of them.
    pub const ALL: [Activation; 6] = [
        Activation::Relu,
        Activation::LeakyRelu,
        Activation::Tanh,
        Activation::Sigmoid,
        Activation::Gelu,
        Activation::Silu,
    ];

    /// The name used on the command line and in files.
    pub fn name(self) -> &'static str {
        match self {
            Activation::Relu => "relu",
            Activation::LeakyRelu => "leaky-relu",
            Activation::Tanh => "tanh",
            Activation::Sigmoid => "sigmoid",
            Activation::Gelu => "gelu",
            Activation::Silu => "silu",
        }
    }

    /// The function called `name`.
    pub fn from_name(name: &str) -> Option<Activation> {
        Activation::ALL.into_iter().find(|function| function.name() == name)
    }
}

impl Padding {
    /// Zeros before the first and behind the last position, for a side `kernel` of the window.
    pub fn amount(self, kernel: usize) -> usize {
        match self {
            Padding::Valid => 0,
            Padding::Same => kernel.saturating_sub(1) / 2,
        }
    }
}

impl Architecture {
    /// Number of columns that it reads.
    pub fn columns(&self) -> Option<usize> {
        self.input.iter().try_fold(1usize, |product, &size| product.checked_mul(size))
    }

    /// Whether the last dense layer has biases; without a dense layer there is no output bias.
    pub fn has_output_bias(&self) -> bool {
        let bias = |layer: &Layer| match layer {
            Layer::Dense { bias, .. } => Some(*bias),
            _ => None,
        };
        self.layers.iter().rev().find_map(bias).unwrap_or(false)
    }

    /// A fully connected network: layers of `hidden` units with a function behind each, and a last one of `outputs` units.
    pub fn dense(
        columns: usize,
        hidden: &[usize],
        outputs: usize,
        function: Activation,
        hidden_bias: bool,
        output_bias: bool,
    ) -> Architecture {
        let mut layers = Vec::with_capacity(2 * hidden.len() + 1);
        for &units in hidden {
            layers.push(Layer::Dense { units, bias: hidden_bias });
            layers.push(Layer::Activation { function });
        }
        layers.push(Layer::Dense { units: outputs, bias: output_bias });
        Architecture { input: vec![columns], scaling: Scaling::default(), layers }
    }
}
