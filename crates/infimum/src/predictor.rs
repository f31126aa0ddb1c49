//! What predictions are made with: a linear model, or one over a kernel with the rows that it needs.

use infimum_convex::kernel_outputs;
use infimum_problem::{Kernel, Matrix, Model, Problem, SparseMatrix};

use crate::predict::decision_values;

/// The rows that a kernel model is a sum over; column j of its weights belongs to row j.
#[derive(Debug, Clone, PartialEq)]
pub struct Basis {
    /// Kernel.
    pub kernel: Kernel,
    /// Rows with a coefficient that is not 0.
    pub rows: SparseMatrix,
}

/// A model that needs nothing else to predict.
#[derive(Debug, Clone, PartialEq)]
pub struct Predictor {
    /// Weights of the features, or of the basis.
    pub model: Model,
    /// `None` for a linear model.
    pub basis: Option<Basis>,
}

impl Predictor {
    /// The predictor of a solution of `problem`.
    pub fn new(problem: &Problem, model: &Model) -> Predictor {
        let Some(kernel) = problem.objective.kernel else {
            return Predictor { model: model.clone(), basis: None };
        };
        let used = |j: &usize| (0..model.outputs).any(|k| model.row(k)[*j] != 0.0);
        let support: Vec<usize> = (0..model.columns).filter(used).collect();
        let columns = problem.data.columns();
        let mut rows = SparseMatrix {
            rows: support.len(),
            columns,
            row_starts: vec![0],
            column_indices: Vec::new(),
            values: Vec::new(),
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
        Predictor { model, basis: Some(Basis { kernel, rows }) }
    }

    /// Raw outputs for every row, row-major rows × outputs.
    pub fn decision_values(&self, matrix: &Matrix) -> Vec<f64> {
        match &self.basis {
            None => decision_values(&self.model, matrix),
            Some(basis) => {
                let rows = Matrix::Sparse(basis.rows.clone());
                kernel_outputs(basis.kernel, &rows, &self.model.weights, &self.model.intercepts, matrix)
            }
        }
    }
}
