//! Each layer as nodes.

use std::collections::HashMap;

use infimum_problem::deep::{Activation, Architecture, Layer, output_shape};

use super::super::builder::{Builder, float, integer, sizes};
use super::super::proto::kinds;

/// A value of the graph: with `channels_first` its last dimension of ours stands behind the examples.
#[derive(Debug, Clone)]
struct Value {
    name: String,
    shape: Vec<usize>,
    channels_first: bool,
}

/// Writes layers behind `value`.
pub(super) struct Writer<'a> {
    builder: Builder,
    numbers: HashMap<String, &'a [f32]>,
    value: Value,
}

impl<'a> Writer<'a> {
    /// Begins with the scaled columns in the shape of the input; `numbers` are parameters and buffers by name.
    pub fn new(architecture: &Architecture, numbers: HashMap<String, &'a [f32]>) -> Writer<'a> {
        let Architecture { input, scaling, .. } = architecture;
        let columns: usize = input.iter().product();
        let mut builder = Builder::default();
        let mut name = "x".to_string();
        for (operator, list, constant) in [("Sub", &scaling.shift, "shift"), ("Mul", &scaling.scale, "scale")] {
            if let Some(length) = Some(list.len()).filter(|&length| length > 0) {
                let count = if length == 1 { 1 } else { columns };
                let constant = builder.singles(constant, &[count], (0..count).map(|column| list[column % length]));
                name = builder.node(operator, &[&name, &constant], Vec::new());
            }
        }
        if input.len() > 1 {
            let shape = builder.integers(std::iter::once(0).chain(input.iter().copied()));
            name = builder.node("Reshape", &[&name, &shape], Vec::new());
        }
        let value = Value { name, shape: input.clone(), channels_first: false };
        Writer { builder, numbers, value }
    }

    /// The graph, its last value as `[N, numbers]`, and how many numbers these are.
    pub fn finish(mut self) -> (Builder, String, usize) {
        self.flatten();
        (self.builder, self.value.name, self.value.shape[0])
    }

    /// All layers of a path, the first with the name `prefix` and 1.
    pub fn path(&mut self, prefix: &str, layers: &[Layer]) -> Result<(), String> {
        for (place, layer) in layers.iter().enumerate() {
            let shape = output_shape(layer, &self.value.shape)?;
            self.layer(&format!("{prefix}{}", place + 1), layer)?;
            self.value.shape = shape;
        }
        Ok(())
    }

    /// A node behind the value.
    fn then(&mut self, operator: &str, others: &[&str], attributes: Vec<super::super::proto::AttributeProto>) {
        let inputs: Vec<&str> = std::iter::once(self.value.name.as_str()).chain(others.iter().copied()).collect();
        self.value.name = self.builder.node(operator, &inputs, attributes);
    }

    fn channels_first(&mut self, first: bool) {
        let rank = self.value.shape.len();
        if rank > 1 && self.value.channels_first != first {
            let order: Vec<usize> = if first {
                [0, rank].into_iter().chain(1..rank).collect()
            } else {
                std::iter::once(0).chain(2..=rank).chain([1]).collect()
            };
            self.then("Transpose", &[], vec![sizes("perm", &order)]);
            self.value.channels_first = first;
        }
    }

    fn flatten(&mut self) {
        self.channels_first(false);
        if self.value.shape.len() > 1 {
            self.then("Flatten", &[], vec![integer("axis", 1)]);
            self.value.shape = vec![self.value.shape.iter().product()];
        }
    }

    fn numbers(&self, layer: &str, name: &str) -> &'a [f32] {
        self.numbers.get(format!("{layer}.{name}").as_str()).copied().unwrap_or(&[])
    }

    /// Numbers of a layer as they are.
    fn constant(&mut self, layer: &str, name: &str, shape: &[usize]) -> String {
        let values = self.numbers(layer, name);
        self.builder.singles(&format!("{layer}.{name}"), shape, values.iter().copied())
    }

    /// `x Wᵀ + b` along the last dimension of values with several, W of shape units × inputs.
    fn linear(&mut self, layer: &str, [weights, bias]: [&str; 2], [units, inputs]: [usize; 2], has_bias: bool) {
        self.channels_first(false);
        let values = self.numbers(layer, weights);
        let transposed = (0..inputs).flat_map(|input| (0..units).map(move |unit| values[unit * inputs + input]));
        let w = self.builder.singles(&format!("{layer}.{weights}"), &[inputs, units], transposed);
        self.then("MatMul", &[&w], Vec::new());
        if has_bias {
            let b = self.constant(layer, bias, &[units]);
            self.then("Add", &[&b], Vec::new());
        }
    }

    fn layer(&mut self, name: &str, layer: &Layer) -> Result<(), String> {
        let last = self.value.shape[self.value.shape.len() - 1];
        match layer {
            Layer::Dense { units, bias } if self.value.shape.len() == 1 => {
                let weights = self.constant(name, "weights", &[*units, last]);
                let mut others = vec![weights];
                if *bias {
                    others.push(self.constant(name, "bias", &[*units]));
                }
                let others: Vec<&str> = others.iter().map(String::as_str).collect();
                self.then("Gemm", &others, vec![integer("transB", 1)]);
            }
            Layer::Dense { units, bias } => self.linear(name, ["weights", "bias"], [*units, last], *bias),
            Layer::Convolution { channels, kernel: [i, j], stride, padding, bias } => {
                self.channels_first(true);
                let (values, area) = (self.numbers(name, "weights"), i * j);
                let turned = (0..*channels).flat_map(|output| {
                    (0..last).flat_map(move |input| {
                        (0..area).map(move |place| values[(output * area + place) * last + input])
                    })
                });
                let mut others =
                    vec![self.builder.singles(&format!("{name}.weights"), &[*channels, last, *i, *j], turned)];
                if *bias {
                    others.push(self.constant(name, "bias", &[*channels]));
                }
                let others: Vec<&str> = others.iter().map(String::as_str).collect();
                let [p, q] = [i, j].map(|&side| padding.amount(side));
                let attributes = vec![
                    sizes("kernel_shape", &[*i, *j]),
                    sizes("strides", &[*stride, *stride]),
                    sizes("pads", &[p, q, p, q]),
                ];
                self.then("Conv", &others, attributes);
            }
            Layer::MaxPooling { size, stride } | Layer::AveragePooling { size, stride } => {
                self.channels_first(true);
                let stride = if *stride == 0 { *size } else { *stride };
                let is_max = matches!(layer, Layer::MaxPooling { .. });
                let attributes = vec![sizes("kernel_shape", &[*size, *size]), sizes("strides", &[stride, stride])];
                self.then(if is_max { "MaxPool" } else { "AveragePool" }, &[], attributes);
            }
            Layer::GlobalAveragePooling => match self.value.shape.len() {
                1 => {}
                2 => {
                    self.channels_first(false);
                    self.then("ReduceMean", &[], vec![sizes("axes", &[1]), integer("keepdims", 0)]);
                }
                _ => {
                    self.channels_first(true);
                    self.then("GlobalAveragePool", &[], Vec::new());
                    self.then("Flatten", &[], vec![integer("axis", 1)]);
                    self.value.channels_first = false;
                }
            },
            Layer::Flatten => self.flatten(),
            Layer::Activation { function } => self.activation(*function),
            Layer::BatchNormalization { epsilon, momentum } => {
                self.channels_first(true);
                let names = ["gain", "shift", "running-mean", "running-variance"];
                let others = names.map(|list| self.constant(name, list, &[last]));
                let attributes = vec![float("epsilon", *epsilon as f32), float("momentum", (1.0 - momentum) as f32)];
                self.then("BatchNormalization", &others.each_ref().map(String::as_str), attributes);
            }
            Layer::LayerNormalization { epsilon } => {
                self.channels_first(false);
                let others = ["gain", "shift"].map(|list| self.constant(name, list, &[last]));
                let attributes = vec![integer("axis", -1), float("epsilon", *epsilon as f32)];
                self.then("LayerNormalization", &others.each_ref().map(String::as_str), attributes);
            }
            Layer::Dropout { .. } => {}
            Layer::Embedding { vocabulary, width } => {
                self.then("Cast", &[], vec![integer("to", kinds::INT64.into())]);
                let table = self.constant(name, "table", &[*vocabulary, *width]);
                self.value.name = self.builder.node("Gather", &[&table, &self.value.name], Vec::new());
            }
            Layer::Attention { heads, causal } => self.attention(name, *heads, *causal),
            Layer::Residual { body, shortcut } => {
                let before = self.value.clone();
                self.path(&format!("{name}.body."), body)?;
                let after = std::mem::replace(&mut self.value, before);
                self.path(&format!("{name}.shortcut."), shortcut)?;
                self.channels_first(after.channels_first);
                self.value.name = self.builder.node("Add", &[&after.name, &self.value.name], Vec::new());
            }
        }
        Ok(())
    }

    fn activation(&mut self, function: Activation) {
        let x = self.value.name.clone();
        match function {
            Activation::Relu => self.then("Relu", &[], Vec::new()),
            Activation::LeakyRelu => self.then("LeakyRelu", &[], vec![float("alpha", 0.01)]),
            Activation::Tanh => self.then("Tanh", &[], Vec::new()),
            Activation::Sigmoid => self.then("Sigmoid", &[], Vec::new()),
            Activation::Gelu => {
                let [root, one, half] =
                    [std::f64::consts::SQRT_2, 1.0, 0.5].map(|value| self.builder.number(kinds::FLOAT, value));
                self.then("Div", &[&root], Vec::new());
                self.then("Erf", &[], Vec::new());
                self.then("Add", &[&one], Vec::new());
                self.then("Mul", &[&x], Vec::new());
                self.then("Mul", &[&half], Vec::new());
            }
            Activation::Silu => {
                self.then("Sigmoid", &[], Vec::new());
                self.then("Mul", &[&x], Vec::new());
            }
        }
    }

    /// `Q, K, V = x W_inᵀ + b_in`; of each head `softmax(Q Kᵀ/√w) V`; all heads together times `W_outᵀ`, plus `b_out`.
    fn attention(&mut self, name: &str, heads: usize, causal: bool) {
        let (positions, width) = (self.value.shape[0], self.value.shape[1]);
        let wide = width / heads;
        self.linear(name, ["input-weights", "input-bias"], [3 * width, width], true);
        let parts: Vec<String> = ["queries", "keys", "values"].iter().map(|part| format!("{name}.{part}")).collect();
        let split = self.builder.integers([width; 3]);
        self.builder.node_with_outputs("Split", &[&self.value.name, &split], vec![integer("axis", 2)], parts.clone());
        let shape = self.builder.integers([0, positions, heads, wide]);
        // [N, heads, positions, wide]; of keys the last two change places.
        let orders = [[0, 2, 1, 3], [0, 2, 3, 1], [0, 2, 1, 3]];
        let turned: Vec<String> = parts
            .iter()
            .zip(orders)
            .map(|(part, order)| {
                let split = self.builder.node("Reshape", &[part, &shape], Vec::new());
                self.builder.node("Transpose", &[&split], vec![sizes("perm", &order)])
            })
            .collect();
        self.value.name = self.builder.node("MatMul", &[&turned[0], &turned[1]], Vec::new());
        let scale = self.builder.number(kinds::FLOAT, 1.0 / (wide as f64).sqrt());
        self.then("Mul", &[&scale], Vec::new());
        if causal {
            let later =
                |row: usize| (0..positions).map(move |column| if column > row { f32::NEG_INFINITY } else { 0.0 });
            let mask = (0..positions).flat_map(later);
            let mask = self.builder.singles(&format!("{name}.mask"), &[positions, positions], mask);
            self.then("Add", &[&mask], Vec::new());
        }
        self.then("Softmax", &[], vec![integer("axis", -1)]);
        self.then("MatMul", &[&turned[2]], Vec::new());
        self.then("Transpose", &[], vec![sizes("perm", &[0, 2, 1, 3])]);
        let shape = self.builder.integers([0, positions, width]);
        self.then("Reshape", &[&shape], Vec::new());
        self.linear(name, ["output-weights", "output-bias"], [width, width], true);
    }
}
