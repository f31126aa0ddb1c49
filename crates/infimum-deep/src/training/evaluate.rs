//! The objective of a network over all rows.

use infimum_problem::{Loss, Problem, Target};

use super::rows::Rows;
use crate::engine::{Mode, Network, Pass, Targets, loss_value};

/// Rows that are evaluated at a time.
const BLOCK: usize = 256;

/// `Σ c_i loss(y_i, f(x_i)) + (λ2/2)‖θ‖²`, outputs in singles and sums in doubles: an evaluation, not a proof.
pub fn objective(
    network: &Network,
    pass: &mut Pass<f32>,
    parameters: &[f32],
    buffers: &[f32],
    rows: &Rows,
    loss: Loss,
    lambda2: f64,
) -> f64 {
    let mut sum = 0.0;
    let mut first = 0;
    while first < rows.len() {
        let count = BLOCK.min(rows.len() - first);
        network.forward(pass, parameters, buffers, rows.inputs(first, count), count, Mode::Prediction);
        sum += loss_value(loss, pass.outputs(), rows.targets(first, count), rows.weights(first, count));
        first += count;
    }
    sum + 0.5 * lambda2 * squares(parameters)
}

/// `Σ c_i loss(y_i, z_i)` of outputs in double precision, rows × outputs.
pub fn objective_of_outputs(problem: &Problem, outputs: &[f64]) -> f64 {
    let data = &problem.data;
    let targets = match &data.target {
        Target::Class { classes, .. } => Targets::Classes(classes),
        Target::Real(values) => Targets::Values(values),
    };
    loss_value(problem.objective.loss, outputs, targets, &data.weights)
}

/// `‖θ‖²`.
pub(crate) fn squares(parameters: &[f32]) -> f64 {
    parameters.iter().map(|&t| f64::from(t) * f64::from(t)).sum()
}

/// Outputs for rows that are already scaled, row-major.
pub fn outputs(network: &Network, parameters: &[f32], buffers: &[f32], inputs: &[f32]) -> Vec<f32> {
    let mut pass = Pass::new();
    let width = network.inputs().max(1);
    let mut all = Vec::with_capacity(inputs.len() / width * network.outputs());
    for block in inputs.chunks(BLOCK * width) {
        network.forward(&mut pass, parameters, buffers, block, block.len() / width, Mode::Prediction);
        all.extend_from_slice(pass.outputs());
    }
    all
}
