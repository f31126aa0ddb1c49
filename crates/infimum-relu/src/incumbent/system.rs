//! Gradient and second-order model of the objective on the kinks that a network lies on.
//!
//! Coordinates: of unit j the D − rank(E_j) directions Z_j that keep its kinks E_j, and with K > 1 outputs K directions of b_j, projected
//! onto b_j's tangent P_j = I − b_j b_jᵀ; then c, if there is an output bias. With t_j = X v_j, active rows 1_j = [t_j > 0] and H_p the
//! losses' second derivative at point p, the model is
//!
//! ```text
//! (v_j, v_l): Σ_p 1_j 1_l (b_jᵀ H_p b_l) x_p x_pᵀ + [j = l] (β/‖v_j‖)(I − v̂_j v̂_jᵀ)
//! (v_j, b_l): Σ_p 1_j 1_l t_l x_p (b_jᵀ H_p) P_l − [j = l] Σ_p 1_j x_p α_pᵀ P_j
//! (b_j, b_l): P_j (Σ_p 1_j 1_l t_j t_l H_p) P_l + [j = l] (b_j·Φ_j) P_j,   Φ_j = Σ_p α_p relu(t_jp)
//! ```
//!
//! exactly the second derivative inside the cell, on the sphere for b. For K = 1 it is positive semidefinite.

use faer::Mat;
use infimum_problem::Intercept;
use rayon::prelude::*;

use super::columns::{Columns, dot, multiply, norm, where_active};
use super::units::{Unit, Units};
use crate::Instance;

/// Flops above which blocks are computed in parallel.
const PARALLEL: usize = 4_000_000;

/// A change of all parameters.
pub(super) struct Direction {
    /// Of v, unit by unit.
    pub(super) v: Vec<Vec<f64>>,
    /// Of b, tangential; zeros for K = 1.
    pub(super) b: Vec<Vec<f64>>,
    pub(super) c: Vec<f64>,
}

/// Coordinates on the kinks.
pub(super) struct Coordinates {
    /// Z_j, (D − rank) × D.
    spans: Vec<Vec<f64>>,
    /// First coordinate of each unit, and of c, and their number.
    starts: Vec<usize>,
    dimension: usize,
    outputs: usize,
    bias: bool,
}

/// What the model is made of.
pub(super) struct Parts<'a> {
    pub(super) instance: &'a Instance<'a>,
    pub(super) columns: &'a Columns,
    /// α at the points, M × K.
    pub(super) alpha: &'a [f64],
    /// H_p, K × K each.
    pub(super) blocks: &'a [f64],
    /// Gradient of each unit's v.
    pub(super) gradients: &'a [Vec<f64>],
    /// Φ_j.
    pub(super) pulls: &'a [Vec<f64>],
    pub(super) bias_gradient: &'a [f64],
    /// Whether more than one thread may be used.
    pub(super) parallel: bool,
}

impl Coordinates {
    pub(super) fn new(instance: &Instance, columns: &Columns, net: &Units) -> Coordinates {
        let (dimension, outputs) = (columns.dimension, instance.outputs);
        let spans: Vec<Vec<f64>> = net.units.iter().map(|unit| unit.kinks.complement(dimension)).collect();
        let mut starts = vec![0];
        for span in &spans {
            let own = span.len() / dimension.max(1) + if outputs > 1 { outputs } else { 0 };
            starts.push(starts[starts.len() - 1] + own);
        }
        let bias = instance.output_bias != Intercept::None;
        starts.push(starts[starts.len() - 1] + if bias { outputs } else { 0 });
        Coordinates { spans, starts, dimension, outputs, bias }
    }

    /// Number of coordinates.
    pub(super) fn order(&self) -> usize {
        self.starts[self.starts.len() - 1]
    }

    fn rank(&self, j: usize) -> usize {
        self.spans[j].len() / self.dimension.max(1)
    }

    /// The negative gradient.
    pub(super) fn descent(&self, net: &Units, parts: &Parts) -> Vec<f64> {
        let mut right = vec![0.0; self.order()];
        for (j, unit) in net.units.iter().enumerate() {
            let (start, rank) = (self.starts[j], self.rank(j));
            for (r, z) in self.spans[j].chunks_exact(self.dimension).enumerate() {
                right[start + r] = -dot(z, &parts.gradients[j]);
            }
            if self.outputs > 1 {
                right[start + rank..start + rank + self.outputs].copy_from_slice(&tangent(&unit.b, &parts.pulls[j]));
            }
        }
        if self.bias {
            let start = self.starts[net.units.len()];
            parts.bias_gradient.iter().enumerate().for_each(|(k, g)| right[start + k] = -g);
        }
        right
    }

    /// The direction that coordinates mean.
    pub(super) fn direction(&self, net: &Units, values: &[f64]) -> Direction {
        let mut direction = Direction { v: Vec::new(), b: Vec::new(), c: vec![0.0; self.outputs] };
        for (j, unit) in net.units.iter().enumerate() {
            let (start, rank) = (self.starts[j], self.rank(j));
            let mut v = vec![0.0; self.dimension];
            for (z, value) in self.spans[j].chunks_exact(self.dimension).zip(&values[start..start + rank]) {
                v.iter_mut().zip(z).for_each(|(v, z)| *v += value * z);
            }
            direction.v.push(v);
            direction.b.push(if self.outputs > 1 {
                tangent(&unit.b, &values[start + rank..start + rank + self.outputs])
            } else {
                vec![0.0]
            });
        }
        if self.bias {
            direction.c.copy_from_slice(&values[self.starts[net.units.len()]..]);
        }
        direction
    }

    /// Natural size of the curvature of each coordinate where the model can be indefinite (K > 1): β/‖v_j‖, ‖Φ_j‖, and 0 for c.
    pub(super) fn metric(&self, net: &Units, parts: &Parts) -> Vec<f64> {
        let mut metric = vec![0.0; self.order()];
        if self.outputs == 1 {
            return metric;
        }
        for (j, unit) in net.units.iter().enumerate() {
            let middle = self.starts[j] + self.rank(j);
            let pull = norm(&parts.pulls[j]);
            metric[self.starts[j]..middle].fill(parts.instance.beta.max(pull / norm(&unit.v)) / norm(&unit.v));
            metric[middle..self.starts[j + 1]].fill(pull);
        }
        metric
    }

    /// Lower triangle of the model's matrix.
    pub(super) fn matrix(&self, net: &Units, parts: &Parts) -> Mat<f64> {
        let units = net.units.len();
        let mut matrix = Mat::zeros(self.order(), self.order());
        // H_p b_j on the active rows.
        let turned: Vec<Vec<f64>> = net.units.iter().map(|unit| turn(unit, parts.blocks)).collect();
        let pairs: Vec<(usize, usize)> = (0..units).flat_map(|j| (0..=j).map(move |l| (j, l))).collect();
        let work = pairs.len() * parts.columns.rows * self.dimension * (self.dimension + 2);
        let block = |&(j, l): &(usize, usize)| self.pair(net, parts, &turned[j], j, l);
        let blocks: Vec<Mat<f64>> = if parts.parallel && work > PARALLEL {
            pairs.par_iter().map(block).collect()
        } else {
            pairs.iter().map(block).collect()
        };
        for (&(j, l), block) in pairs.iter().zip(&blocks) {
            for column in 0..block.ncols() {
                for row in 0..block.nrows() {
                    matrix[(self.starts[j] + row, self.starts[l] + column)] = block[(row, column)];
                }
            }
        }
        if self.bias {
            self.bias_rows(net, parts, &turned, &mut matrix);
        }
        matrix
    }

    /// Block of units j and l.
    fn pair(&self, net: &Units, parts: &Parts, turned: &[f64], j: usize, l: usize) -> Mat<f64> {
        let (own, other) = (&net.units[j], &net.units[l]);
        let (rows, outputs, d) = (parts.columns.rows, self.outputs, self.dimension);
        let (rank, other_rank) = (self.rank(j), self.rank(l));
        let extra = if outputs > 1 { outputs } else { 0 };
        let mut block = Mat::zeros(rank + extra, other_rank + extra);
        let mut weights = vec![0.0; rows];
        contract(turned, other, &mut weights);
        let mut gram = weighted_gram(parts.columns, &weights);
        if j == l {
            let length = norm(&own.v);
            let curvature = parts.instance.beta / length;
            for a in 0..d {
                gram[a * d + a] += curvature;
                for b in 0..=a {
                    gram[a * d + b] -= curvature * (own.v[a] / length) * (own.v[b] / length);
                }
            }
        }
        (0..d).for_each(|a| (a + 1..d).for_each(|b| gram[a * d + b] = gram[b * d + a]));
        let mut image = vec![0.0; d];
        for (column, z) in self.spans[l].chunks_exact(d).enumerate() {
            image.iter_mut().zip(gram.chunks_exact(d)).for_each(|(image, row)| *image = dot(row, z));
            for (row, z) in self.spans[j].chunks_exact(d).enumerate() {
                block[(row, column)] = dot(z, &image);
            }
        }
        if outputs > 1 {
            self.directions(net, parts, turned, (j, l), &mut block);
        }
        block
    }

    /// The parts of a block that belong to output directions.
    fn directions(&self, net: &Units, parts: &Parts, turned: &[f64], (j, l): (usize, usize), block: &mut Mat<f64>) {
        let (own, other) = (&net.units[j], &net.units[l]);
        let (rows, outputs) = (parts.columns.rows, self.outputs);
        let (rank, other_rank) = (self.rank(j), self.rank(l));
        let mut weights = vec![0.0; rows];
        let mut pull = vec![0.0; self.dimension];
        // Rows v_j, columns b_l.
        let mut mixed = vec![vec![0.0; outputs]; rank];
        for k in 0..outputs {
            for p in 0..rows {
                let second = turned[p * outputs + k] * other.t[p].max(0.0);
                let first = if j == l && own.t[p] > 0.0 { parts.alpha[p * outputs + k] } else { 0.0 };
                weights[p] = second - first;
            }
            parts.columns.pull(&weights, &mut pull);
            for (row, z) in self.spans[j].chunks_exact(self.dimension).enumerate() {
                mixed[row][k] = dot(z, &pull);
            }
        }
        for (row, mixed) in mixed.iter().enumerate() {
            tangent(&other.b, mixed).iter().enumerate().for_each(|(k, &value)| block[(row, other_rank + k)] = value);
        }
        if j != l {
            // Rows b_j, columns v_l.
            let turned = turn(other, parts.blocks);
            let mut mixed = vec![vec![0.0; outputs]; other_rank];
            for k in 0..outputs {
                (0..rows).for_each(|p| weights[p] = turned[p * outputs + k] * own.t[p].max(0.0));
                parts.columns.pull(&weights, &mut pull);
                for (row, z) in self.spans[l].chunks_exact(self.dimension).enumerate() {
                    mixed[row][k] = dot(z, &pull);
                }
            }
            for (column, mixed) in mixed.iter().enumerate() {
                tangent(&own.b, mixed).iter().enumerate().for_each(|(k, &value)| block[(rank + k, column)] = value);
            }
        } else {
            for row in 0..rank {
                (0..outputs).for_each(|k| block[(rank + k, row)] = block[(row, rank + k)]);
            }
        }
        let mut square = vec![0.0; outputs * outputs];
        for (p, h) in parts.blocks.chunks_exact(outputs * outputs).enumerate() {
            let weight = own.t[p].max(0.0) * other.t[p].max(0.0);
            square.iter_mut().zip(h).for_each(|(sum, h)| *sum += weight * h);
        }
        let square: Vec<f64> = square.chunks_exact(outputs).flat_map(|row| tangent(&other.b, row)).collect();
        for k in 0..outputs {
            let column: Vec<f64> = (0..outputs).map(|row| square[row * outputs + k]).collect();
            let column = tangent(&own.b, &column);
            (0..outputs).for_each(|row| block[(rank + row, other_rank + k)] = column[row]);
        }
        if j == l {
            let gain = dot(&own.b, &parts.pulls[j]).abs();
            // Along b itself nothing changes; the entry only keeps the matrix regular.
            (0..outputs).for_each(|k| block[(rank + k, rank + k)] += gain);
        }
    }

    /// Rows of c.
    fn bias_rows(&self, net: &Units, parts: &Parts, turned: &[Vec<f64>], matrix: &mut Mat<f64>) {
        let (outputs, rows) = (self.outputs, parts.columns.rows);
        let start = self.starts[net.units.len()];
        let mut pull = vec![0.0; self.dimension];
        for (j, unit) in net.units.iter().enumerate() {
            let (rank, first) = (self.rank(j), self.starts[j]);
            for k in 0..outputs {
                let weights: Vec<f64> = turned[j].iter().skip(k).step_by(outputs).copied().collect();
                parts.columns.pull(&weights, &mut pull);
                for (column, z) in self.spans[j].chunks_exact(self.dimension).enumerate() {
                    matrix[(start + k, first + column)] = dot(z, &pull);
                }
                if outputs > 1 {
                    let mut sum = vec![0.0; outputs];
                    for p in (0..rows).filter(|&p| unit.t[p] > 0.0) {
                        let h = &parts.blocks[(p * outputs + k) * outputs..][..outputs];
                        sum.iter_mut().zip(h).for_each(|(sum, h)| *sum += unit.t[p] * h);
                    }
                    for (l, value) in tangent(&unit.b, &sum).iter().enumerate() {
                        matrix[(start + k, first + rank + l)] = *value;
                    }
                }
            }
        }
        for (e, h) in parts.blocks.iter().enumerate() {
            let (k, l) = (e / outputs % outputs, e % outputs);
            matrix[(start + k, start + l)] += h;
        }
        if parts.instance.output_bias == Intercept::Penalized {
            (0..outputs).for_each(|k| matrix[(start + k, start + k)] += parts.instance.beta);
        }
    }
}

/// `(I − b bᵀ) x`.
fn tangent(b: &[f64], x: &[f64]) -> Vec<f64> {
    let share = dot(b, x);
    x.iter().zip(b).map(|(x, b)| x - share * b).collect()
}

/// `H_p b` on the active rows of a unit, else 0; M × K.
fn turn(unit: &Unit, blocks: &[f64]) -> Vec<f64> {
    let outputs = unit.b.len();
    if let [b] = unit.b[..] {
        return unit.t.iter().zip(blocks).map(|(&t, h)| if t > 0.0 { b * h } else { 0.0 }).collect();
    }
    let mut turned = vec![0.0; unit.t.len() * outputs];
    for (p, turned) in turned.chunks_exact_mut(outputs).enumerate().filter(|&(p, _)| unit.t[p] > 0.0) {
        let block = &blocks[p * outputs * outputs..][..outputs * outputs];
        turned.iter_mut().zip(block.chunks_exact(outputs)).for_each(|(turned, row)| *turned = dot(row, &unit.b));
    }
    turned
}

/// `weights_p = turned_p·b` on the active rows of a unit.
fn contract(turned: &[f64], unit: &Unit, weights: &mut [f64]) {
    if let [b] = unit.b[..] {
        return where_active(turned, b, &unit.t, weights);
    }
    for ((weight, turned), &t) in weights.iter_mut().zip(turned.chunks_exact(unit.b.len())).zip(&unit.t) {
        *weight = if t > 0.0 { dot(turned, &unit.b) } else { 0.0 };
    }
}

/// Lower triangle of `Σ_p weights_p x_p x_pᵀ`, D × D.
fn weighted_gram(columns: &Columns, weights: &[f64]) -> Vec<f64> {
    let d = columns.dimension;
    let mut gram = vec![0.0; d * d];
    if weights.iter().all(|&w| w == 0.0) {
        return gram;
    }
    let mut scaled = vec![0.0; weights.len()];
    for a in 0..d {
        multiply(columns.column(a), weights, &mut scaled);
        for b in 0..=a {
            gram[a * d + b] = dot(&scaled, columns.column(b));
        }
    }
    gram
}
