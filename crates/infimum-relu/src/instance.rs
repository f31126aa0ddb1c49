//! The problem as the solvers of this crate see it: distinct rows, losses, β.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use infimum_convex::{RowLosses, row_losses};
use infimum_problem::{HiddenBias, Intercept, Matrix, Problem, ReluNet};

/// A problem with its distinct rows x̃_p ∈ R^D (docs/relu.md): the constant 1 is appended where hidden biases are penalised.
pub(crate) struct Instance<'a> {
    /// Distinct rows, M × D row-major, in the order in which they first appear.
    pub(crate) points: Points,
    /// Distinct row of each of the n training rows.
    pub(crate) point_of: Vec<u32>,
    /// Losses of the n rows.
    pub(crate) losses: Box<dyn RowLosses + 'a>,
    /// Number of outputs K.
    pub(crate) outputs: usize,
    /// β = λ2.
    pub(crate) beta: f64,
    /// Treatment of the output bias.
    pub(crate) output_bias: Intercept,
    /// Features d of the data; D is this, or one more.
    pub(crate) columns: usize,
}

/// Points in R^D.
#[derive(Debug, Clone)]
pub(crate) struct Points {
    /// M × D, row-major.
    pub(crate) values: Vec<f64>,
    /// D.
    pub(crate) dimension: usize,
}

/// Hidden units as vectors in R^D with output weights: `f_k(x̃) = Σ_j A_kj relu(w_j·x̃) + c_k`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Net {
    /// Width × D, row-major.
    pub(crate) hidden: Vec<f64>,
    /// Width × K, row-major: what unit j gives to each output.
    pub(crate) output: Vec<f64>,
    /// K; zeros where there is none.
    pub(crate) biases: Vec<f64>,
}

impl Points {
    /// M.
    pub(crate) fn len(&self) -> usize {
        self.values.len() / self.dimension.max(1)
    }

    /// `Σ_p weights_p ‖x_p‖`, rounded up.
    pub(crate) fn norm_sum(&self, weights: &[f64]) -> f64 {
        let length = |p: usize| self.point(p).iter().map(|x| x * x).sum::<f64>().sqrt();
        weights.iter().enumerate().map(|(p, weight)| weight * length(p)).sum::<f64>() * (1.0 + 1e-9)
    }

    /// Point p.
    pub(crate) fn point(&self, p: usize) -> &[f64] {
        &self.values[p * self.dimension..(p + 1) * self.dimension]
    }
}

impl<'a> Instance<'a> {
    /// From a problem whose rows are in memory.
    pub(crate) fn new(problem: &'a Problem, hidden_bias: HiddenBias) -> Instance<'a> {
        let (columns, constant) = (problem.data.columns(), hidden_bias == HiddenBias::Penalized);
        let dimension = columns + usize::from(constant);
        let rows = (0..problem.data.rows()).map(|i| dense_row(&problem.data.matrix, i, columns, constant));
        Instance { columns, ..Instance::with_rows(problem, dimension, rows) }
    }

    /// From the losses of a problem and other rows than its own, of the given length.
    pub(crate) fn with_rows(
        problem: &'a Problem,
        dimension: usize,
        rows: impl Iterator<Item = Vec<f64>>,
    ) -> Instance<'a> {
        // Points by a hash of their numbers; the numbers themselves stand in `points` alone.
        let hasher = RandomState::new();
        let mut known: HashMap<u64, Vec<u32>> = HashMap::new();
        let mut points = Points { values: Vec::new(), dimension };
        let (mut count, mut point_of) = (0, Vec::with_capacity(problem.data.rows()));
        for row in rows {
            // 0 and −0 are the same number; adding 0 turns the second into the first.
            let key = hasher.hash_one(row.iter().map(|x| (x + 0.0).to_bits()).collect::<Vec<u64>>());
            let alike = known.entry(key).or_default();
            let point = alike.iter().copied().find(|&point| points.point(point as usize) == row);
            point_of.push(point.unwrap_or_else(|| {
                alike.push(count);
                points.values.extend(row);
                count += 1;
                count - 1
            }));
        }
        Instance {
            points,
            point_of,
            losses: row_losses(problem),
            outputs: problem.outputs(),
            beta: problem.objective.lambda2,
            output_bias: problem.objective.intercept,
            columns: dimension,
        }
    }

    /// Number of training rows n.
    pub(crate) fn rows(&self) -> usize {
        self.point_of.len()
    }

    /// D.
    pub(crate) fn dimension(&self) -> usize {
        self.points.dimension
    }

    /// `w_p = Σ α_ik` over the rows i that are point p, for output k.
    pub(crate) fn merged(&self, alpha: &[f64], k: usize) -> Vec<f64> {
        let mut sums = vec![0.0; self.points.len()];
        self.point_of.iter().enumerate().for_each(|(i, &p)| sums[p as usize] += alpha[i * self.outputs + k]);
        sums
    }

    /// By how much `w_p` may change when α is scaled, put on a grid of 2^-52 of its largest entry, and added up without rounding.
    pub(crate) fn merging_errors(&self, alpha: &[f64], k: usize) -> Vec<f64> {
        let largest = alpha.iter().fold(0.0f64, |largest, a| largest.max(a.abs()));
        let mut errors = vec![0.0; self.points.len()];
        for (i, &p) in self.point_of.iter().enumerate() {
            errors[p as usize] += 8.0 * f64::EPSILON * (largest + alpha[i * self.outputs + k].abs());
        }
        errors
    }

    /// Outputs Z (n × K) of a network, computed once for each point.
    pub(crate) fn outputs_of(&self, net: &Net, z: &mut [f64]) {
        let (d, outputs) = (self.dimension(), self.outputs);
        let mut at_points = vec![0.0; self.points.len() * outputs];
        for (p, z) in at_points.chunks_exact_mut(outputs).enumerate() {
            z.copy_from_slice(&net.biases);
            let x = self.points.point(p);
            for (unit, output) in net.hidden.chunks_exact(d).zip(net.output.chunks_exact(outputs)) {
                let t: f64 = unit.iter().zip(x).map(|(w, x)| w * x).sum();
                if t > 0.0 {
                    z.iter_mut().zip(output).for_each(|(z, a)| *z += a * t);
                }
            }
        }
        for (z, &p) in z.chunks_exact_mut(outputs).zip(&self.point_of) {
            z.copy_from_slice(&at_points[p as usize * outputs..][..outputs]);
        }
    }

    /// Penalty of a network.
    pub(crate) fn penalty(&self, net: &Net) -> f64 {
        let squares = |values: &[f64]| values.iter().map(|v| v * v).sum::<f64>();
        let bias = if self.output_bias == Intercept::Penalized { squares(&net.biases) } else { 0.0 };
        0.5 * self.beta * (squares(&net.hidden) + squares(&net.output) + bias)
    }

    /// `U(net)` in plain `f64`.
    pub(crate) fn value(&self, net: &Net) -> f64 {
        let mut z = vec![0.0; self.rows() * self.outputs];
        self.outputs_of(net, &mut z);
        self.losses.value(&z) + self.penalty(net)
    }

    /// The network in the words of the other crates.
    pub(crate) fn public(&self, net: &Net) -> ReluNet {
        let (d, width) = (self.dimension(), net.output.len() / self.outputs);
        let constant = d > self.columns;
        let units = || net.hidden.chunks_exact(d.max(1)).take(width);
        ReluNet {
            outputs: self.outputs,
            columns: self.columns,
            width,
            hidden: units().flat_map(|unit| unit[..self.columns].iter().copied()).collect(),
            hidden_biases: units().map(|unit| if constant { unit[self.columns] } else { 0.0 }).collect(),
            output: (0..self.outputs)
                .flat_map(|k| (0..width).map(move |j| (j, k)))
                .map(|(j, k)| net.output[j * self.outputs + k])
                .collect(),
            output_biases: net.biases.clone(),
        }
    }

    /// The network of other crates in the words of this one; it has the problem's columns and outputs.
    pub(crate) fn private(&self, net: &ReluNet) -> Net {
        let constant = self.dimension() > self.columns;
        let (mut hidden, mut output) = (Vec::new(), Vec::new());
        for j in 0..net.width {
            hidden.extend_from_slice(net.unit(j));
            if constant {
                hidden.push(net.hidden_biases[j]);
            }
            output.extend((0..self.outputs).map(|k| net.output[k * net.width + j]));
        }
        Net { hidden, output, biases: net.output_biases.clone() }
    }
}

fn dense_row(matrix: &Matrix, i: usize, columns: usize, constant: bool) -> Vec<f64> {
    let mut row = vec![0.0; columns + usize::from(constant)];
    matrix.row(i).for_each(|j, x| row[j] = x);
    if constant {
        row[columns] = 1.0;
    }
    row
}
