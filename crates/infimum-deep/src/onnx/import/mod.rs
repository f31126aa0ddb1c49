//! From an ONNX file to an architecture and its parameters.
//!
//! The nodes are followed in the order of the file (which ONNX demands to be topological). Each value is a constant, or numbers that depend on the data: a
//! [`Flow`], the place in the tree of layers found so far ([`Steps`]) at which it arises, and its [`Layout`], since ONNX has channels first and we have them last.
//! Transposing and reshaping change only the layout; a dense layer behind them has its weights' columns put in our order. A node that cannot be a layer makes
//! its outputs unusable, which is an error if the network's output depends on them.

mod arithmetic;
mod elementwise;
mod linear;
mod operation;
mod pooling;
mod shaping;
mod steps;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use infimum_problem::deep::Architecture;
use prost::Message;

use super::layout::Layout;
use super::proto::{GraphProto, ModelProto, NodeProto, ValueInfoProto};
use super::tensor::Constant;
use arithmetic::Term;
use operation::Operation;
use steps::{Flow, Steps};

/// What was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Imported {
    /// The network up to its raw outputs. Its columns are those of the file's input in row-major order, except that of an input `[N, channels, height, width]`
    /// they are in the order height, width, channel.
    pub architecture: Architecture,
    /// In the order of [`infimum_problem::deep::parameters`].
    pub parameters: Vec<f32>,
    /// In the order of [`infimum_problem::deep::buffers`].
    pub buffers: Vec<f32>,
    /// What the file does with the raw outputs.
    pub transform: Transform,
}

/// The last step of a classifier, which is no layer here: the losses contain it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transform {
    /// The file gives the raw outputs.
    None,
    /// The softmax of the raw outputs.
    Softmax,
    /// Its logarithm.
    LogSoftmax,
    /// Of each raw output its sigmoid.
    Sigmoid,
}

/// Why a file could not be read as a network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    /// The bytes are no ONNX file, or cut off.
    #[error("not an ONNX file: {0}")]
    Parse(String),
    /// The parts of the file do not fit together.
    #[error("ONNX model: {0}")]
    Model(String),
    /// A tensor that cannot be read.
    #[error("tensor `{tensor}`: {why}")]
    Tensor {
        /// Its name.
        tensor: String,
        /// What is wrong with it.
        why: String,
    },
    /// A tensor whose numbers are in another file.
    #[error(
        "tensor `{tensor}`: its numbers are in another file; export the model as one file (PyTorch: external_data=False)"
    )]
    ExternalData {
        /// Its name.
        tensor: String,
    },
    /// A valid node that no layer can say.
    #[error("operator {operator}, node `{node}`: {why}")]
    Unsupported {
        /// Its operator.
        operator: String,
        /// Its name, or that of its first output.
        node: String,
        /// What cannot be said.
        why: String,
    },
}

/// What is known about a value of the graph.
#[derive(Debug, Clone)]
enum Value {
    Constant(Constant),
    Flow(Flow),
    Term(Term),
    Failed(ImportError),
}

/// Reads a network. Never panics on any bytes.
pub fn import(bytes: &[u8]) -> Result<Imported, ImportError> {
    let model = ModelProto::decode(bytes).map_err(|error| ImportError::Parse(error.to_string()))?;
    let graph = model.graph.ok_or_else(|| ImportError::Parse("there is no graph in it".into()))?;
    let mut steps = Steps::new(bytes.len());
    let mut values = HashMap::with_capacity(graph.initializer.len() + graph.node.len());
    for tensor in &graph.initializer {
        let value = Constant::read(tensor).map_or_else(Value::Failed, Value::Constant);
        values.insert(tensor.name.as_str(), value);
    }
    let (name, flow) = input_of(&graph, &values, &mut steps)?;
    values.insert(name, Value::Flow(flow));
    for node in &graph.node {
        let found = value_of(node, &values, &mut steps).unwrap_or_else(Value::Failed);
        for (place, output) in node.output.iter().enumerate().filter(|(_, name)| !name.is_empty()) {
            let value = if place == 0 {
                found.clone()
            } else {
                let operation = Operation { node, inputs: Vec::new() };
                Value::Failed(operation.refused(format!("its output number {} is used", place + 1)))
            };
            values.insert(output, value);
        }
    }
    let output = graph.output.first().ok_or_else(|| ImportError::Model("it has no output".into()))?;
    match values.remove(output.name.as_str()) {
        Some(Value::Flow(flow)) => steps.finish(flow),
        Some(Value::Failed(error)) => Err(error),
        Some(Value::Term(term)) => Err(term.refused()),
        Some(Value::Constant(_)) => {
            Err(ImportError::Model(format!("its output `{}` does not depend on the data", output.name)))
        }
        None => Err(ImportError::Model(format!("its output `{}` is computed by no node", output.name))),
    }
}

/// The name and the flow of the graph's only input.
fn input_of<'a>(
    graph: &'a GraphProto,
    constants: &HashMap<&str, Value>,
    steps: &mut Steps,
) -> Result<(&'a str, Flow), ImportError> {
    let inputs: Vec<&ValueInfoProto> =
        graph.input.iter().filter(|input| !constants.contains_key(input.name.as_str())).collect();
    let &[input] = inputs.as_slice() else {
        return Err(ImportError::Model(format!("expected one input, got {}", inputs.len())));
    };
    let kind = input.kind.as_ref().and_then(|kind| kind.tensor_type.as_ref());
    let shape = kind.and_then(|kind| kind.shape.as_ref());
    let sizes: Vec<Option<i64>> = shape.map_or(&[][..], |shape| &shape.dim).iter().map(|dim| dim.dim_value).collect();
    let wrong = |expected: &str| {
        let shown: Vec<String> = sizes.iter().map(|size| size.map_or("?".into(), |size| size.to_string())).collect();
        ImportError::Model(format!("input `{}` of shape [{}]: expected {expected}", input.name, shown.join(", ")))
    };
    if !(2..=4).contains(&sizes.len()) {
        return Err(wrong("2 to 4 dimensions, the first for the examples"));
    }
    let known = sizes[1..].iter().map(|size| size.and_then(|size| usize::try_from(size).ok()).filter(|&size| size > 0));
    let dims = known.collect::<Option<Vec<usize>>>().ok_or_else(|| wrong("known sizes behind the first"))?;
    let count = dims.iter().try_fold(1usize, |product, &size| product.checked_mul(size));
    if count.is_none_or(|count| count > 1 << 28) {
        return Err(wrong("at most 2^28 numbers for an example"));
    }
    let (shape, layout) = match dims[..] {
        [channels, height, width] => {
            let shape = vec![height, width, channels];
            let layout = Layout::channels_first(&shape);
            (shape, layout)
        }
        _ => (dims.clone(), Layout::rows(&dims)),
    };
    Ok((input.name.as_str(), steps.begin(shape, layout, sizes[0].filter(|&examples| examples > 0))))
}

/// What a node computes.
fn value_of(node: &NodeProto, values: &HashMap<&str, Value>, steps: &mut Steps) -> Result<Value, ImportError> {
    let mut operation = Operation { node, inputs: Vec::with_capacity(node.input.len()) };
    for name in &node.input {
        operation.inputs.push(match values.get(name.as_str()) {
            Some(Value::Failed(error)) => return Err(error.clone()),
            Some(value) => Some(value.clone()),
            None if name.is_empty() => None,
            None => {
                let what = operation.title();
                return Err(ImportError::Model(format!("{what} reads `{name}`, which nothing before it computes")));
            }
        });
    }
    if !["", "ai.onnx"].contains(&node.domain.as_str()) {
        return Err(operation.refused(format!("its domain `{}` is not known", node.domain)));
    }
    match node.op_type.as_str() {
        "Add" | "Sub" | "Mul" | "Div" => arithmetic::binary(&operation, steps),
        "Erf" => arithmetic::error_function(&operation),
        "Relu" | "LeakyRelu" | "Tanh" | "Sigmoid" | "Gelu" | "Clip" | "Max" => {
            elementwise::activation(&operation, steps)
        }
        "Softmax" | "LogSoftmax" => elementwise::softmax(&operation),
        "Identity" | "Dropout" | "Cast" => elementwise::unchanged(&operation, steps),
        "Gemm" => linear::gemm(&operation, steps),
        "MatMul" => linear::matmul(&operation, steps),
        "Conv" => linear::convolution(&operation, steps),
        "BatchNormalization" => linear::batch_normalization(&operation, steps),
        "LayerNormalization" => linear::layer_normalization(&operation, steps),
        "MaxPool" | "AveragePool" => pooling::windows(&operation, steps),
        "GlobalAveragePool" | "ReduceMean" => pooling::mean(&operation, steps),
        "Flatten" | "Reshape" | "Squeeze" | "Unsqueeze" => shaping::reshape(&operation, steps),
        "Transpose" => shaping::transpose(&operation, steps),
        "Constant" => shaping::constant(&operation),
        "Shape" | "Concat" | "Slice" => shaping::sizes(&operation, steps),
        "Gather" => match operation.inputs.get(1) {
            Some(Some(Value::Flow(_))) => linear::embedding(&operation, steps),
            _ => shaping::sizes(&operation, steps),
        },
        _ => Err(operation.refused("no layer computes this".into())),
    }
}
