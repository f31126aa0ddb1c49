//! The training rows as a network reads them: singles after the architecture's scaling.

use infimum_problem::deep::{Architecture, Scaling};
use infimum_problem::{Matrix, Problem, Target};

use crate::engine::Targets;

/// Rows in memory, with what is to be predicted of them.
#[derive(Debug)]
pub struct Rows<'a> {
    /// rows × columns.
    inputs: Vec<f32>,
    columns: usize,
    target: &'a Target,
    weights: &'a [f64],
    total_weight: f64,
}

/// Some rows, gathered.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) inputs: Vec<f32>,
    pub(crate) weights: Vec<f64>,
    classes: Vec<u32>,
    values: Vec<f64>,
}

/// All entries of a matrix after scaling, row-major.
pub fn scaled(matrix: &Matrix, scaling: &Scaling) -> Vec<f32> {
    let columns = matrix.columns();
    let zeros: Vec<f32> = (0..columns).map(|j| scaling.apply(j, 0.0)).collect();
    let mut inputs = Vec::with_capacity(matrix.rows() * columns);
    for i in 0..matrix.rows() {
        let start = inputs.len();
        inputs.extend_from_slice(&zeros);
        matrix.row(i).for_each(|j, x| inputs[start + j] = scaling.apply(j, x));
    }
    inputs
}

impl<'a> Rows<'a> {
    /// The training rows of a problem in memory.
    pub fn new(problem: &'a Problem, architecture: &Architecture) -> Rows<'a> {
        let data = &problem.data;
        Rows {
            inputs: scaled(&data.matrix, &architecture.scaling),
            columns: data.columns(),
            target: &data.target,
            weights: &data.weights,
            total_weight: data.total_weight,
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.weights.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.weights.is_empty()
    }

    /// Σ c_i.
    pub fn total_weight(&self) -> f64 {
        self.total_weight
    }

    /// Rows `first … first + count` one after the other.
    pub fn inputs(&self, first: usize, count: usize) -> &[f32] {
        &self.inputs[first * self.columns..(first + count) * self.columns]
    }

    /// Their targets.
    pub fn targets(&self, first: usize, count: usize) -> Targets<'_> {
        match self.target {
            Target::Class { classes, .. } => Targets::Classes(&classes[first..first + count]),
            Target::Real(values) => Targets::Values(&values[first..first + count]),
        }
    }

    /// Their weights.
    pub fn weights(&self, first: usize, count: usize) -> &[f64] {
        &self.weights[first..first + count]
    }

    /// Copies the rows `which` into `batch`.
    pub(crate) fn gather(&self, which: &[u32], batch: &mut Batch) {
        batch.inputs.clear();
        batch.weights.clear();
        batch.classes.clear();
        batch.values.clear();
        for &i in which {
            let i = i as usize;
            batch.inputs.extend_from_slice(self.inputs(i, 1));
            batch.weights.push(self.weights[i]);
            match self.target {
                Target::Class { classes, .. } => batch.classes.push(classes[i]),
                Target::Real(values) => batch.values.push(values[i]),
            }
        }
    }
}

impl Batch {
    pub(crate) fn len(&self) -> usize {
        self.weights.len()
    }

    pub(crate) fn targets(&self) -> Targets<'_> {
        if self.values.is_empty() { Targets::Classes(&self.classes) } else { Targets::Values(&self.values) }
    }
}
