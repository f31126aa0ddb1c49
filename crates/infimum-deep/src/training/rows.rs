//! The training rows as a network reads them: singles after the architecture's scaling, computed from the stored values whenever they are asked for, so that rows
//! stand in memory once.

use std::ops::Range;

use infimum_problem::deep::{Architecture, Scaling};
use infimum_problem::{Matrix, Problem, Row, Stored, Target, with_values};

use crate::engine::{Network, Targets};

/// Rows in memory, with what is to be predicted of them.
#[derive(Debug)]
pub struct Rows<'a> {
    inputs: Inputs<'a>,
    target: &'a Target,
    weights: &'a [f64],
    total_weight: f64,
}

/// The rows of a matrix after scaling.
#[derive(Debug)]
pub struct Inputs<'a> {
    matrix: &'a Matrix,
    /// By column.
    shift: Vec<f32>,
    /// By column.
    scale: Vec<f32>,
    /// What zeros become.
    zeros: Vec<f32>,
}

/// Some rows, gathered.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) inputs: Vec<f32>,
    pub(crate) weights: Vec<f64>,
    classes: Vec<u32>,
    values: Vec<f64>,
}

impl<'a> Inputs<'a> {
    /// The rows of `matrix`, which is in memory.
    pub fn new(matrix: &'a Matrix, scaling: &Scaling) -> Inputs<'a> {
        let columns = 0..matrix.columns();
        // x − 0 and x·1 are x.
        let spread = |list: &[f32], nothing: f32| -> Vec<f32> {
            columns.clone().map(|j| if list.is_empty() { nothing } else { list[j % list.len()] }).collect()
        };
        let zeros = columns.clone().map(|j| scaling.apply(j, 0.0)).collect();
        Inputs { matrix, shift: spread(&scaling.shift, 0.0), scale: spread(&scaling.scale, 1.0), zeros }
    }

    /// How many there are.
    pub fn rows(&self) -> usize {
        self.matrix.rows()
    }

    /// Appends row `i` to `out`: [`Scaling::apply`] of each of its values.
    pub fn append(&self, i: usize, out: &mut Vec<f32>) {
        fn dense<T: Stored>(values: &[T], shift: &[f32], scale: &[f32], out: &mut Vec<f32>) {
            let scaled = values.iter().zip(shift).zip(scale);
            out.extend(scaled.map(|((&x, shift), scale)| (Into::<f64>::into(x) as f32 - shift) * scale));
        }
        match self.matrix.row(i) {
            Row::Dense(values) => with_values!(values, |values| dense(values, &self.shift, &self.scale, out)),
            row => {
                let start = out.len();
                out.extend_from_slice(&self.zeros);
                row.for_each(|j, x| out[start + j] = (x as f32 - self.shift[j]) * self.scale[j]);
            }
        }
    }

    /// All rows, one after the other.
    pub fn all(&self) -> Vec<f32> {
        let mut all = Vec::with_capacity(self.rows() * self.zeros.len());
        (0..self.rows()).for_each(|i| self.append(i, &mut all));
        all
    }
}

impl<'a> Rows<'a> {
    /// The training rows of a problem in memory.
    pub fn new(problem: &'a Problem, architecture: &Architecture) -> Rows<'a> {
        let data = &problem.data;
        Rows {
            inputs: Inputs::new(&data.matrix, &architecture.scaling),
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

    /// Whether every number means something to the network, see [`Network::check_inputs`].
    pub fn check(&self, network: &Network) -> Result<(), String> {
        let mut row = Vec::new();
        let rows = if network.embeds_inputs() { self.len() } else { 0 };
        (0..rows).try_for_each(|i| {
            self.inputs(i, 1, &mut row);
            network.check_inputs(i, &row)
        })
    }

    /// Puts the rows `first … first + count` one after the other into `out`.
    pub fn inputs(&self, first: usize, count: usize, out: &mut Vec<f32>) {
        out.clear();
        (first..first + count).for_each(|i| self.inputs.append(i, out));
    }

    /// Their targets.
    pub fn targets(&self, first: usize, count: usize) -> Targets<'_> {
        match self.target {
            Target::Class { classes, .. } => Targets::Classes(&classes[first..first + count]),
            Target::Real(values) => Targets::Values(&values[first..first + count]),
            Target::Several { names, values } => {
                Targets::Values(&values[first * names.len()..(first + count) * names.len()])
            }
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
            self.inputs.append(i, &mut batch.inputs);
            batch.weights.push(self.weights[i]);
            match self.target {
                Target::Class { classes, .. } => batch.classes.push(classes[i]),
                Target::Real(values) => batch.values.push(values[i]),
                Target::Several { names, values } => {
                    batch.values.extend_from_slice(&values[i * names.len()..(i + 1) * names.len()]);
                }
            }
        }
    }
}

impl Batch {
    pub(crate) fn len(&self) -> usize {
        self.weights.len()
    }

    /// Inputs, targets and weights of some of the rows.
    pub(crate) fn part(&self, range: Range<usize>) -> (&[f32], Targets<'_>, &[f64]) {
        let all = self.len().max(1);
        let of = |length: usize| range.start * (length / all)..range.end * (length / all);
        let targets = if self.values.is_empty() {
            Targets::Classes(&self.classes[of(self.classes.len())])
        } else {
            Targets::Values(&self.values[of(self.values.len())])
        };
        (&self.inputs[of(self.inputs.len())], targets, &self.weights[range])
    }
}
