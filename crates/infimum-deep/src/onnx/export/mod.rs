//! From networks and models to ONNX files.
//!
//! The input is `x` of shape `[N, columns]`: rows as they are in the matrix, singles for networks and doubles for the models of rungs 1 to 4. Images are turned to
//! ONNX's order, channels first, where an operator wants it, and back where the next one does not.

mod layers;
mod outputs;
mod threshold;

use infimum_problem::deep::{Architecture, buffers, parameters};
use infimum_problem::{Loss, Model, ReluNet};

use super::builder::{Builder, integer};
use super::proto::kinds;
use layers::Writer;
pub use threshold::export_threshold;

/// What the file gives beside the raw outputs `z` of shape `[N, outputs]`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Output<'a> {
    /// Nothing.
    Values,
    /// `label`, the number of the predicted class from 0, and `probabilities` of shape `[N, classes]` where the loss defines them.
    Classes {
        /// The loss.
        loss: Loss,
        /// The classes' names, as JSON in the file's metadata under `labels`; may be empty.
        labels: &'a [String],
    },
    /// `label` of shape `[N, outputs]`, 1 where the row has the label and 0 where not, and `probabilities` of the same shape where the loss defines them.
    Labels {
        /// The loss.
        loss: Loss,
        /// The labels' names, as JSON in the file's metadata under `labels`.
        names: &'a [String],
    },
}

/// Why nothing was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExportError {
    /// The architecture is not one.
    #[error("architecture: {0}")]
    Architecture(String),
    /// Numbers of another architecture.
    #[error("{what}: expected {expected} numbers, got {got}")]
    Length {
        /// Which numbers.
        what: &'static str,
        /// How many there should be.
        expected: usize,
        /// How many there are.
        got: usize,
    },
    /// The format ends at 2 GiB.
    #[error("the ONNX file would have {0} bytes, more than the format allows (2 GiB)")]
    TooLarge(usize),
}

/// A network with its scaling, in singles.
pub fn export(
    architecture: &Architecture,
    parameters_of: &[f32],
    buffers_of: &[f32],
    output: Output<'_>,
) -> Result<Vec<u8>, ExportError> {
    let lists =
        [("parameters", parameters(architecture), parameters_of), ("buffers", buffers(architecture), buffers_of)];
    let mut numbers = Vec::new();
    for (what, list, values) in lists {
        let list = list.map_err(ExportError::Architecture)?;
        let expected = list.last().map_or(0, |last| last.range.end);
        if values.len() != expected {
            return Err(ExportError::Length { what, expected, got: values.len() });
        }
        numbers.extend(list.into_iter().map(|parameter| (parameter.name, &values[parameter.range])));
    }
    let mut writer = Writer::new(architecture, numbers.into_iter().collect());
    writer.path("", &architecture.layers).map_err(ExportError::Architecture)?;
    let (mut builder, z, count) = writer.finish();
    outputs::add(&mut builder, &z, kinds::FLOAT, count, output);
    builder.finish(kinds::FLOAT, architecture.columns().unwrap_or(0), names(output))
}

/// A linear model of the columns, in doubles.
pub fn export_linear(model: &Model, output: Output<'_>) -> Result<Vec<u8>, ExportError> {
    let Model { outputs, columns, weights, intercepts } = model;
    let mut builder = Builder::default();
    let z = affine(&mut builder, "x", "weights", [*outputs, *columns], weights, intercepts);
    outputs::add(&mut builder, &z, kinds::DOUBLE, *outputs, output);
    builder.finish(kinds::DOUBLE, *columns, names(output))
}

/// A two-layer network, in doubles.
pub fn export_relu(net: &ReluNet, output: Output<'_>) -> Result<Vec<u8>, ExportError> {
    let ReluNet { outputs, columns, width, .. } = *net;
    let mut builder = Builder::default();
    let z = if width == 0 {
        affine(&mut builder, "x", "output", [outputs, columns], &vec![0.0; outputs * columns], &net.output_biases)
    } else {
        let hidden = affine(&mut builder, "x", "hidden", [width, columns], &net.hidden, &net.hidden_biases);
        let hidden = builder.node("Relu", &[&hidden], Vec::new());
        affine(&mut builder, &hidden, "output", [outputs, width], &net.output, &net.output_biases)
    };
    outputs::add(&mut builder, &z, kinds::DOUBLE, outputs, output);
    builder.finish(kinds::DOUBLE, columns, names(output))
}

fn names<'a>(output: Output<'a>) -> &'a [String] {
    match output {
        Output::Values => &[],
        Output::Classes { labels, .. } => labels,
        Output::Labels { names, .. } => names,
    }
}

/// `W x + b` in doubles.
fn affine(builder: &mut Builder, x: &str, name: &str, shape: [usize; 2], weights: &[f64], bias: &[f64]) -> String {
    let w = builder.doubles(&format!("{name}.weights"), &shape, weights.iter().copied());
    let b = builder.doubles(&format!("{name}.bias"), &[shape[0]], bias.iter().copied());
    builder.node("Gemm", &[x, &w, &b], vec![integer("transB", 1)])
}
