//! The objective of a network over all rows.

use super::rows::Inputs;
use super::train::Setup;
use crate::engine::{Mode, Network, Pass, Real, loss_value};

/// Rows that are evaluated at a time.
const BLOCK: usize = 256;

/// `Σ c_i loss(y_i, f(x_i)) + (λ2/2)‖θ‖²` as the network predicts, outputs in R and sums in doubles: an evaluation, not a proof.
pub(crate) fn objective<R: Real>(setup: &Setup, pass: &mut Pass<R>, parameters: &[R], buffers: &[R]) -> f64 {
    let Setup { problem, rows, network, .. } = *setup;
    let (mut sum, mut first) = (0.0, 0);
    let (mut singles, mut inputs) = (Vec::new(), Vec::new());
    while first < rows.len() {
        let count = BLOCK.min(rows.len() - first);
        rows.inputs(first, count, &mut singles);
        inputs.clear();
        inputs.extend(singles.iter().map(|&x| R::from_f64(f64::from(x))));
        network.forward(pass, parameters, buffers, &inputs, count, Mode::Prediction);
        let (targets, weights) = (rows.targets(first, count), rows.weights(first, count));
        sum += loss_value(problem.objective.loss, pass.outputs(), targets, weights);
        first += count;
    }
    let squares: f64 = parameters.iter().map(|t| t.to_f64() * t.to_f64()).sum();
    sum + 0.5 * problem.objective.lambda2 * squares
}

/// The same of a network in singles, all of it in doubles.
pub fn objective_in_doubles(setup: &Setup, parameters: &[f32], buffers: &[f32]) -> f64 {
    let doubles = |values: &[f32]| values.iter().map(|&value| f64::from(value)).collect::<Vec<f64>>();
    objective(setup, &mut Pass::new(), &doubles(parameters), &doubles(buffers))
}

/// `‖θ‖²`.
pub(crate) fn squares(parameters: &[f32]) -> f64 {
    parameters.iter().map(|&t| f64::from(t) * f64::from(t)).sum()
}

/// Outputs for the rows of a matrix, row-major.
pub fn outputs(network: &Network, parameters: &[f32], buffers: &[f32], inputs: &Inputs) -> Vec<f32> {
    let rows = inputs.rows();
    let mut pass = Pass::new();
    let mut all = Vec::with_capacity(rows * network.outputs());
    let mut block = Vec::new();
    for first in (0..rows).step_by(BLOCK) {
        let last = (first + BLOCK).min(rows);
        block.clear();
        (first..last).for_each(|i| inputs.append(i, &mut block));
        network.forward(&mut pass, parameters, buffers, &block, last - first, Mode::Prediction);
        all.extend_from_slice(pass.outputs());
    }
    all
}
