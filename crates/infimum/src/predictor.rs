//! What predictions are made with: a linear model of the columns, of kernel values with the rows that they need, or of what layers make of them.

use infimum_convex::kernel_outputs;
use infimum_problem::{DenseMatrix, Kernel, Matrix, Model, Problem, ReluNet, SparseMatrix, Values};

use crate::deep::Layers;
use crate::predict::decision_values;

/// The rows that a kernel model is a sum over; column j of its weights belongs to row j.
#[derive(Debug, Clone, PartialEq)]
pub struct Basis {
    /// Kernel.
    pub kernel: Kernel,
    /// Rows with a coefficient that is not 0.
    pub rows: SparseMatrix,
}

/// Hidden units `relu(W x + b)`.
#[derive(Debug, Clone, PartialEq)]
pub struct HiddenLayer {
    /// Number of columns of x.
    pub columns: usize,
    /// `W`, units × columns, row-major.
    pub weights: Vec<f64>,
    /// `b`, one for each unit.
    pub biases: Vec<f64>,
}

/// What the linear part of a model sees.
#[derive(Debug, Clone, PartialEq)]
pub enum Features {
    /// The columns.
    Columns,
    /// Kernel values with these rows.
    Kernel(Basis),
    /// The values of hidden units.
    Units(HiddenLayer),
    /// What the layers of a deep network make of them.
    Layers(Layers),
}

/// A model that needs nothing else to predict.
#[derive(Debug, Clone, PartialEq)]
pub struct Predictor {
    /// Weights of the features.
    pub model: Model,
    /// What the features are.
    pub features: Features,
}

impl Predictor {
    /// The predictor of a solution of `problem`.
    pub fn new(problem: &Problem, model: &Model) -> Predictor {
        let Some(kernel) = problem.objective.kernel else {
            return Predictor { model: model.clone(), features: Features::Columns };
        };
        let used = |j: &usize| (0..model.outputs).any(|k| model.row(k)[*j] != 0.0);
        let support: Vec<usize> = (0..model.columns).filter(used).collect();
        let columns = problem.data.columns();
        let mut rows = SparseMatrix {
            rows: support.len(),
            columns,
            row_starts: vec![0],
            column_indices: Vec::new(),
            values: Values::default(),
        };
        for &i in &support {
            problem.data.matrix.row(i).for_each(|j, x| {
                if x != 0.0 {
                    rows.column_indices.push(j as u32);
                    rows.values.push(x);
                }
            });
            rows.row_starts.push(rows.values.len());
        }
        let weights = (0..model.outputs).flat_map(|k| support.iter().map(move |&j| model.row(k)[j])).collect();
        let intercepts = model.intercepts.clone();
        let model = Model { outputs: model.outputs, columns: support.len(), weights, intercepts };
        Predictor { model, features: Features::Kernel(Basis { kernel, rows }) }
    }

    /// The predictor of a two-layer network.
    pub fn of_net(net: &ReluNet) -> Predictor {
        let ReluNet { outputs, columns, width, .. } = *net;
        let model =
            Model { outputs, columns: width, weights: net.output.clone(), intercepts: net.output_biases.clone() };
        let layer = HiddenLayer { columns, weights: net.hidden.clone(), biases: net.hidden_biases.clone() };
        Predictor { model, features: Features::Units(layer) }
    }

    /// The two-layer network, if it is one.
    pub fn net(&self) -> Option<ReluNet> {
        let Features::Units(layer) = &self.features else { return None };
        Some(ReluNet {
            outputs: self.model.outputs,
            columns: layer.columns,
            width: self.model.columns,
            hidden: layer.weights.clone(),
            hidden_biases: layer.biases.clone(),
            output: self.model.weights.clone(),
            output_biases: self.model.intercepts.clone(),
        })
    }

    /// The layers of a deep network, if it is one.
    pub fn layers(&self) -> Option<&Layers> {
        match &self.features {
            Features::Layers(layers) => Some(layers),
            Features::Columns | Features::Kernel(_) | Features::Units(_) => None,
        }
    }

    /// Raw outputs for every row, row-major rows × outputs.
    pub fn decision_values(&self, matrix: &Matrix) -> Vec<f64> {
        match &self.features {
            Features::Columns => decision_values(&self.model, matrix),
            Features::Kernel(basis) => {
                let rows = Matrix::Sparse(basis.rows.clone());
                kernel_outputs(basis.kernel, &rows, &self.model.weights, &self.model.intercepts, matrix)
            }
            Features::Layers(layers) => {
                let values = layers.features(matrix).into();
                let features = DenseMatrix { rows: matrix.rows(), columns: self.model.columns, values };
                decision_values(&self.model, &Matrix::Dense(features))
            }
            Features::Units(layer) => {
                let HiddenLayer { columns, weights, biases } = layer;
                let first = Model {
                    outputs: biases.len(),
                    columns: *columns,
                    weights: weights.clone(),
                    intercepts: biases.clone(),
                };
                let mut values = decision_values(&first, matrix);
                values.iter_mut().for_each(|value| *value = if *value <= 0.0 { 0.0 } else { *value });
                let units = DenseMatrix { rows: matrix.rows(), columns: biases.len(), values: values.into() };
                decision_values(&self.model, &Matrix::Dense(units))
            }
        }
    }
}
