//! The canonical problem in memory: training rows, targets, weights, and what is minimised over them.

use crate::{ColumnNames, Matrix, Objective};

/// What the model has to predict, one entry per row of the matrix.
#[derive(Debug, Clone, PartialEq)]
pub enum Target {
    /// Regression: finite values.
    Real(Vec<f64>),
    /// Classification: `classes[i]` indexes `labels`. `labels` is ordered (numerically if all are numbers, else by
    /// bytes) and every label has at least one training row.
    Class {
        /// Ordered label list.
        labels: Vec<String>,
        /// Index into `labels` of each row.
        classes: Vec<u32>,
    },
}

/// The training rows as `docs/canonical-problem.md` defines them.
#[derive(Debug, Clone, PartialEq)]
pub struct Dataset {
    /// Features, n × d.
    pub matrix: Matrix,
    /// Name of each column.
    pub column_names: ColumnNames,
    /// Targets, n.
    pub target: Target,
    /// Example weights c_i > 0 after class weights, n.
    pub weights: Vec<f64>,
    /// Σ c_i, summed in row order in `f64`; only for display and for turning `l1`, `l2` into λ1, λ2.
    pub total_weight: f64,
}

/// Training rows and the objective that is minimised over them.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    /// Training rows.
    pub data: Dataset,
    /// What is minimised.
    pub objective: Objective,
}

impl Dataset {
    /// Number of training rows n.
    pub fn rows(&self) -> usize {
        self.matrix.rows()
    }

    /// Number of features d.
    pub fn columns(&self) -> usize {
        self.matrix.columns()
    }

    /// The given rows, of a matrix in memory, in this order; labels stay, also those that none of the rows has.
    ///
    /// # Panics
    /// If the matrix is spilled, or a row is not there.
    pub fn take(&self, rows: &[usize]) -> Dataset {
        let target = match &self.target {
            Target::Real(values) => Target::Real(rows.iter().map(|&i| values[i]).collect()),
            Target::Class { labels, classes } => {
                Target::Class { labels: labels.clone(), classes: rows.iter().map(|&i| classes[i]).collect() }
            }
        };
        let weights: Vec<f64> = rows.iter().map(|&i| self.weights[i]).collect();
        Dataset {
            matrix: self.matrix.take(rows),
            column_names: self.column_names.clone(),
            target,
            total_weight: weights.iter().sum(),
            weights,
        }
    }

    /// The ordered label list; empty for regression.
    pub fn labels(&self) -> &[String] {
        match &self.target {
            Target::Real(_) => &[],
            Target::Class { labels, .. } => labels,
        }
    }
}

impl Problem {
    /// Rows of `W`: 1 for regression and for two classes with a margin loss, K for softmax, K for one-vs-rest.
    pub fn outputs(&self) -> usize {
        self.objective.loss.outputs(self.data.labels().len())
    }

    /// Columns of `W`: the features, or with a kernel the training rows.
    pub fn model_columns(&self) -> usize {
        if self.objective.kernel.is_some() { self.data.rows() } else { self.data.columns() }
    }
}
