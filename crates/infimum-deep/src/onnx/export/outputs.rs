//! The outputs of an exported model.

use infimum_problem::Loss;

use super::super::builder::{Builder, integer};
use super::super::proto::kinds;
use super::Output;

/// `z`, and for classes the label and the probabilities, as predictions of `infimum` have them: with one output the second class iff z > 0, else the largest output
/// (the first of equals); probabilities in doubles: sigmoid, softmax, or of one-vs-rest logistic models the sigmoids divided by their sum.
/// Of several labels each output is one of its own.
pub(super) fn add(builder: &mut Builder, z: &str, element: i32, outputs: usize, output: Output<'_>) {
    builder.output(z, "z", element, &[outputs]);
    let loss = match output {
        Output::Values => return,
        Output::Labels { loss, .. } => return labels(builder, z, element, outputs, loss),
        Output::Classes { loss, .. } => loss,
    };
    let label = if outputs == 1 {
        let zero = builder.number(element, 0.0);
        let is_second = builder.node("Greater", &[z, &zero], Vec::new());
        let label = builder.node("Cast", &[&is_second], vec![integer("to", kinds::INT64.into())]);
        let axis = builder.integers([1]);
        builder.node("Squeeze", &[&label, &axis], Vec::new())
    } else {
        builder.node("ArgMax", &[z], vec![integer("axis", 1), integer("keepdims", 0)])
    };
    builder.output(&label, "label", kinds::INT64, &[]);
    let exact = builder.node("Cast", &[z], vec![integer("to", kinds::DOUBLE.into())]);
    let probabilities = match loss {
        Loss::Logistic if outputs == 1 => {
            let minus = builder.node("Neg", &[&exact], Vec::new());
            let both = builder.node("Concat", &[&minus, &exact], vec![integer("axis", 1)]);
            builder.node("Sigmoid", &[&both], Vec::new())
        }
        Loss::Logistic => {
            let each = builder.node("Sigmoid", &[&exact], Vec::new());
            let axis = builder.integers([1]);
            let sum = builder.node("ReduceSum", &[&each, &axis], vec![integer("keepdims", 1)]);
            let least = builder.number(kinds::DOUBLE, f64::MIN_POSITIVE);
            let sum = builder.node("Max", &[&sum, &least], Vec::new());
            builder.node("Div", &[&each, &sum], Vec::new())
        }
        Loss::Softmax => builder.node("Softmax", &[&exact], vec![integer("axis", 1)]),
        _ => return,
    };
    let probabilities = builder.node("Cast", &[&probabilities], vec![integer("to", element.into())]);
    builder.output(&probabilities, "probabilities", element, &[outputs.max(2)]);
}

/// Whether each label is there, and its probability.
fn labels(builder: &mut Builder, z: &str, element: i32, outputs: usize, loss: Loss) {
    let zero = builder.number(element, 0.0);
    let is_there = builder.node("Greater", &[z, &zero], Vec::new());
    let label = builder.node("Cast", &[&is_there], vec![integer("to", kinds::INT64.into())]);
    builder.output(&label, "label", kinds::INT64, &[outputs]);
    if loss != Loss::Logistic {
        return;
    }
    let exact = builder.node("Cast", &[z], vec![integer("to", kinds::DOUBLE.into())]);
    let each = builder.node("Sigmoid", &[&exact], Vec::new());
    let probabilities = builder.node("Cast", &[&each], vec![integer("to", element.into())]);
    builder.output(&probabilities, "probabilities", element, &[outputs]);
}
