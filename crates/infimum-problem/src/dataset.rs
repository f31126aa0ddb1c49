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
    /// Several target columns, with an output and a loss each: labels that a row has or has not (multi-label), or numbers.
    Several {
        /// References of the target columns, K ≥ 2 of them, all different.
        names: Vec<String>,
        /// n × K, row-major: of labels 1 where the row has it and −1 where not, of regressions the number.
        values: Vec<f64>,
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
            Target::Several { names, values } => {
                let row = |&i: &usize| values[i * names.len()..(i + 1) * names.len()].iter().copied();
                Target::Several { names: names.clone(), values: rows.iter().flat_map(row).collect() }
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

    /// The ordered label list; empty for regression and for several target columns.
    pub fn labels(&self) -> &[String] {
        match &self.target {
            Target::Real(_) | Target::Several { .. } => &[],
            Target::Class { labels, .. } => labels,
        }
    }
}

impl Target {
    /// The names of several target columns; none of one.
    pub fn names(&self) -> &[String] {
        match self {
            Target::Real(_) | Target::Class { .. } => &[],
            Target::Several { names, .. } => names,
        }
    }

    /// K of several target columns; `None` of one.
    pub fn several(&self) -> Option<usize> {
        Some(self.names().len()).filter(|&count| count > 0)
    }

    /// What a loss of one output wants of output `k` of `outputs`, by row: the number of a regression, of classes 1 where the output stands for the row's class (of two
    /// classes the one output stands for the second) and −1 elsewhere.
    pub fn wanted(&self, k: usize, outputs: usize) -> Vec<f64> {
        match self {
            Target::Real(values) => values.clone(),
            Target::Class { classes, .. } => {
                let positive = if outputs == 1 { 1 } else { k as u32 };
                classes.iter().map(|&class| if class == positive { 1.0 } else { -1.0 }).collect()
            }
            Target::Several { names, values } => values.iter().skip(k).step_by(names.len()).copied().collect(),
        }
    }
}

impl Problem {
    /// Rows of `W`: 1 for regression and for two classes with a margin loss, K for softmax, K for one-vs-rest and for K target columns.
    pub fn outputs(&self) -> usize {
        self.data.target.several().unwrap_or_else(|| self.objective.loss.outputs(self.data.labels().len()))
    }

    /// Columns of `W`: the features, or with a kernel the training rows.
    pub fn model_columns(&self) -> usize {
        if self.objective.kernel.is_some() { self.data.rows() } else { self.data.columns() }
    }
}
