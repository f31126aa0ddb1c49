//! The mean objective over some of the rows with its gradient, in double precision, as the network predicts.

use infimum_problem::Loss;

use super::train::Setup;
use crate::engine::{Mode, Network, Pass, Targets, loss_and_slopes, loss_value};

/// Rows that are computed at a time.
const BLOCK: usize = 256;

/// `(Σ_S c_i loss(y_i, f_θ(x_i)))/Σ_S c_i + (l2/2)‖θ‖²` over the rows S, l2 = λ2/Σ c_i with the sum over all rows. Dropout leaves nothing out and the running values of batch
/// normalisations are constants: this is the function that certificates speak of, not the one that a training step follows.
pub(crate) struct Mean<'a> {
    network: &'a Network,
    loss: Loss,
    l2: f64,
    smoothing: f64,
    inputs: Vec<f64>,
    classes: Vec<u32>,
    values: Vec<f64>,
    weights: Vec<f64>,
    buffers: Vec<f64>,
    pass: Pass<f64>,
    slopes: Vec<f64>,
    part: Vec<f64>,
}

impl<'a> Mean<'a> {
    /// Over the rows `which`, with labels smoothed so much.
    pub(crate) fn new(setup: &Setup<'a>, buffers: &[f32], which: &[u32], smoothing: f64) -> Mean<'a> {
        let Setup { problem, rows, network, .. } = *setup;
        let mut mean = Mean {
            network,
            loss: problem.objective.loss,
            l2: problem.objective.lambda2 / rows.total_weight(),
            smoothing,
            inputs: Vec::with_capacity(which.len() * network.inputs()),
            classes: Vec::new(),
            values: Vec::new(),
            weights: Vec::with_capacity(which.len()),
            buffers: buffers.iter().map(|&b| f64::from(b)).collect(),
            pass: Pass::new(),
            slopes: Vec::new(),
            part: vec![0.0; network.parameter_count()],
        };
        let mut inputs = Vec::new();
        for &row in which {
            let row = row as usize;
            rows.inputs(row, 1, &mut inputs);
            mean.inputs.extend(inputs.iter().map(|&x| f64::from(x)));
            mean.weights.extend_from_slice(rows.weights(row, 1));
            match rows.targets(row, 1) {
                Targets::Classes(classes) => mean.classes.extend_from_slice(classes),
                Targets::Values(values) => mean.values.extend_from_slice(values),
            }
        }
        let total: f64 = mean.weights.iter().sum();
        mean.weights.iter_mut().for_each(|weight| *weight /= total);
        mean
    }

    /// How many rows it is over.
    pub(crate) fn rows(&self) -> usize {
        self.weights.len()
    }

    /// Its value, with the labels as they are.
    pub(crate) fn value(&mut self, parameters: &[f64]) -> f64 {
        self.sum(parameters, None)
    }

    /// Its gradient.
    pub(crate) fn gradient(&mut self, parameters: &[f64]) -> Vec<f64> {
        let mut gradient = vec![0.0; parameters.len()];
        self.value_and_gradient(parameters, &mut gradient);
        gradient
    }

    /// Its value, and its gradient written into `gradient`.
    pub(crate) fn value_and_gradient(&mut self, parameters: &[f64], gradient: &mut [f64]) -> f64 {
        gradient.iter_mut().zip(parameters).for_each(|(g, t)| *g = self.l2 * t);
        self.sum(parameters, Some(gradient))
    }

    fn sum(&mut self, parameters: &[f64], mut gradient: Option<&mut [f64]>) -> f64 {
        let (width, outputs) = (self.network.inputs(), self.network.outputs());
        let mut sum = 0.5 * self.l2 * parameters.iter().map(|t| t * t).sum::<f64>();
        let mut first = 0;
        while first < self.rows() {
            let rows = first..(first + BLOCK).min(self.rows());
            let inputs = &self.inputs[rows.start * width..rows.end * width];
            self.network.forward(&mut self.pass, parameters, &self.buffers, inputs, rows.len(), Mode::Prediction);
            let targets = if self.values.is_empty() {
                Targets::Classes(&self.classes[rows.clone()])
            } else {
                Targets::Values(&self.values[rows.start * outputs..rows.end * outputs])
            };
            let weights = &self.weights[rows.clone()];
            if let Some(gradient) = gradient.as_deref_mut() {
                self.slopes.resize(rows.len() * outputs, 0.0);
                sum +=
                    loss_and_slopes(self.loss, self.pass.outputs(), targets, weights, self.smoothing, &mut self.slopes);
                self.network.backward(&mut self.pass, parameters, &self.slopes, &mut self.part);
                gradient.iter_mut().zip(&self.part).for_each(|(g, part)| *g += part);
            } else {
                sum += loss_value(self.loss, self.pass.outputs(), targets, weights);
            }
            first = rows.end;
        }
        sum
    }
}
