//! A point of the path: blocks, output biases, and the function that is minimised at a given μ.
//!
//! ```text
//! Φ_μ(G, c) = min_s [ (L(f) + β·sqrt(Σ_k (t_k⁺ + t_k⁻)²) [+ (β/2)‖c‖²])/μ + Σ barriers ]
//! ```
//!
//! The slacks are eliminated by Newton's method, row by row: a step with decrement δ is shortened by 1/(1 + δ) while δ is large, which keeps
//! it inside and makes progress, since barriers are self-concordant (Nesterov & Nemirovskii, 1994). Instead of `β·t`, a ball can be asked
//! for: −ln(1 − t), for the maximum of a linear function over moments with t ≤ 1.

use faer::Mat;

use super::blocks::{Block, Rows};
use super::objective::{Objective, Sloped};

/// Steps of the elimination of the slacks.
const SLACK_STEPS: usize = 40;

/// What keeps t small.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Charge {
    /// The penalty β.
    Penalty(f64),
    /// t < 1.
    Ball,
}

/// How the output biases are treated.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Biases {
    /// There are none.
    Absent,
    /// With the penalty `(strength/2) c²`, which may be 0.
    Present { strength: f64 },
}

/// What stays the same along the path.
pub(super) struct Setting<'a> {
    pub(super) rows: Rows,
    pub(super) points: usize,
    pub(super) outputs: usize,
    pub(super) objective: Objective<'a>,
    pub(super) charge: Charge,
    pub(super) biases: Biases,
}

/// Blocks of output 0, then of output 1, …; slacks are eliminated.
#[derive(Clone)]
pub(super) struct Point {
    pub(super) blocks: Vec<Block>,
    /// c, K.
    pub(super) biases: Vec<f64>,
    /// Losses at the outputs.
    pub(super) sloped: Sloped,
}

impl Setting<'_> {
    /// Blocks of one output.
    pub(super) fn signs(&self) -> usize {
        if self.charge == Charge::Ball { 1 } else { 2 }
    }

    /// Outputs at the points, M × K.
    pub(super) fn outputs_of(&self, blocks: &[Block], biases: &[f64]) -> Vec<f64> {
        let mut f: Vec<f64> = biases.iter().copied().cycle().take(self.points * self.outputs).collect();
        for (b, block) in blocks.iter().enumerate() {
            let k = b / self.signs();
            for (i, &p) in self.rows.point.iter().enumerate() {
                f[p * self.outputs + k] += 0.5 * block.sign * self.rows.norm[i] * (block.q[i] + block.slack[i]);
            }
        }
        f
    }

    /// β_k: what an increase of t costs in output k; those of all outputs have the norm β.
    pub(super) fn prices(&self, blocks: &[Block]) -> Vec<f64> {
        let Charge::Penalty(beta) = self.charge else {
            return vec![0.0; self.outputs];
        };
        let sums = sums(blocks, self.signs());
        let norm = norm(&sums);
        sums.iter().map(|sum| if self.outputs == 1 { beta } else { beta * sum / norm }).collect()
    }

    /// What does not depend on the outputs: penalties and barriers.
    fn rest(&self, point: &Point, mu: f64) -> f64 {
        let barriers: f64 = point.blocks.iter().map(Block::barrier).sum();
        let charge = match self.charge {
            Charge::Penalty(beta) => beta * norm(&sums(&point.blocks, self.signs())) / mu,
            Charge::Ball => -point.blocks.iter().map(|block| (1.0 - block.t()).ln()).sum::<f64>(),
        };
        barriers + charge + self.bias_penalty(&point.biases) / mu
    }

    fn bias_penalty(&self, biases: &[f64]) -> f64 {
        match self.biases {
            Biases::Present { strength } => 0.5 * strength * biases.iter().map(|c| c * c).sum::<f64>(),
            Biases::Absent => 0.0,
        }
    }

    /// Φ at a point whose slacks are eliminated.
    pub(super) fn value(&self, point: &Point, mu: f64) -> f64 {
        point.sloped.value / mu + self.rest(point, mu)
    }

    /// The objective of the relaxation at a point: no bound of the relaxation is above it.
    pub(super) fn primal(&self, point: &Point) -> f64 {
        let penalty = match self.charge {
            Charge::Penalty(beta) => beta * norm(&sums(&point.blocks, self.signs())),
            Charge::Ball => 0.0,
        };
        self.objective.value(&self.outputs_of(&point.blocks, &point.biases)) + penalty + self.bias_penalty(&point.biases)
    }

    /// Number of logarithms, which bounds how far the optimum is below the objective: by μ times this.
    pub(super) fn logarithms(&self) -> f64 {
        let block = self.rows.unit.nrows() + 3 + 6 * self.rows.len();
        (self.signs() * self.outputs * block + self.objective.logarithms()) as f64
    }

    /// A point with the slacks that minimise Φ for these blocks and biases.
    pub(super) fn eliminate(&self, blocks: Vec<Block>, biases: Vec<f64>, mu: f64) -> Point {
        let mut point = Point { blocks, biases, sloped: Sloped::default() };
        for _ in 0..SLACK_STEPS {
            point.sloped = self.objective.at(&self.outputs_of(&point.blocks, &point.biases), mu);
            if self.improve_slacks(&mut point, mu) < 1e-12 {
                break;
            }
        }
        point
    }

    /// One step for every row; returns the largest squared decrement.
    fn improve_slacks(&self, point: &mut Point, mu: f64) -> f64 {
        let (signs, mut largest) = (self.signs(), 0.0f64);
        for k in 0..self.outputs {
            let blocks = &mut point.blocks[k * signs..(k + 1) * signs];
            for (i, &p) in self.rows.point.iter().enumerate() {
                let entry = p * self.outputs + k;
                let (slope, curvature) = (-point.sloped.weights[entry] / mu, point.sloped.curvature[entry] / mu);
                let mut parts = [(0.0, 0.0, 1.0); 2];
                let (mut above, mut below) = (0.0, 0.0);
                for (part, block) in parts.iter_mut().zip(blocks.iter()) {
                    let a = 0.5 * block.sign * self.rows.norm[i];
                    let (first, second) = block.distances(i).slopes(block.slack[i]);
                    let residual = a * slope + first;
                    *part = (a, residual, second);
                    above += a * residual / second;
                    below += a * a / second;
                }
                let shared = curvature * above / (1.0 + curvature * below);
                let steps = parts.map(|(a, residual, second)| -(residual - a * shared) / second);
                let squared: f64 = parts.iter().zip(&steps).map(|(part, step)| -part.1 * step).sum();
                let length = if squared > 0.0625 { 1.0 / (1.0 + squared.sqrt()) } else { 1.0 };
                blocks.iter_mut().zip(steps).for_each(|(block, step)| block.slack[i] += length * step);
                largest = largest.max(squared);
            }
        }
        largest
    }
}

/// `t⁺ + t⁻` of each output.
fn sums(blocks: &[Block], signs: usize) -> Vec<f64> {
    blocks.chunks(signs).map(|blocks| blocks.iter().map(Block::t).sum()).collect()
}

fn norm(values: &[f64]) -> f64 {
    if let [value] = values { *value } else { values.iter().map(|v| v * v).sum::<f64>().sqrt() }
}

/// Index of entry (i, j), i ≤ j, of a packed symmetric matrix.
pub(super) fn at(i: usize, j: usize) -> usize {
    j * (j + 1) / 2 + i
}

/// Adds the coefficients of the linear form `t·dt + q·x·du + y·xᵀdUx + kappa·vᵀdUx` in packed entries.
pub(super) fn add_form(out: &mut [f64], x: &[f64], v: &[f64], t: f64, q: f64, y: f64, kappa: f64) {
    out[0] += t;
    let mut start = 1;
    for j in 0..x.len() {
        let column = &mut out[start..start + j + 2];
        column[0] += q * x[j];
        // Entry (i, j) of y·xxᵀ + kappa·(vxᵀ + xvᵀ)/2, twice off the diagonal.
        let (a, b) = (2.0 * y * x[j] + kappa * v[j], kappa * x[j]);
        column[1..=j].iter_mut().zip(x).zip(v).for_each(|((out, x), v)| *out += a * x + b * v);
        column[j + 1] += y * x[j] * x[j] + kappa * v[j] * x[j];
        start += j + 2;
    }
}

/// Adds `−½`… the Hessian of −ln det at G⁻¹ = P to the lower triangle of `out` from (`first`, `first`): entries
/// `(P_ik P_jl + P_il P_jk)·m_ij m_kl/2` with m = 1 on the diagonal and 2 off it.
pub(super) fn add_log_determinant(out: &mut Mat<f64>, first: usize, inverse: &Mat<f64>) {
    let order = inverse.nrows();
    for l in 0..order {
        for k in 0..=l {
            let (column, m) = (at(k, l), if k == l { 0.5 } else { 1.0 });
            let (pk, pl) = (inverse.col_as_slice(k), inverse.col_as_slice(l));
            let target = &mut out.col_as_slice_mut(first + column)[first..first + packed_end(order)];
            for j in l..order {
                let start = at(0, j);
                let (kj, lj) = (pk[j], pl[j]);
                for i in if j == l { k } else { 0 }..j {
                    target[start + i] += 2.0 * m * (pk[i] * lj + pl[i] * kj);
                }
                target[start + j] += m * (kj * lj + lj * kj);
            }
        }
    }
}

fn packed_end(order: usize) -> usize {
    order * (order + 1) / 2
}

/// Adds `tr(dU S dU)` to the lower triangle of `out` from (`first`, `first`); S is of order D. Entries: `(S_jk δ_il + S_jl δ_ik + S_ik δ_jl +
/// S_il δ_jk)·m_ij m_kl/4`.
pub(super) fn add_product(out: &mut Mat<f64>, first: usize, s: &Mat<f64>) {
    let d = s.nrows();
    for l in 1..=d {
        for k in 1..=l {
            let m = if k == l { 1.0 } else { 2.0 };
            let column = out.col_as_slice_mut(first + at(k, l));
            let mut add = |i: usize, j: usize, value: f64| {
                let weight = m * if i == j { 1.0 } else { 2.0 } / 4.0;
                if at(i, j) >= at(k, l) {
                    column[first + at(i, j)] += weight * value;
                }
            };
            for other in 1..=d {
                // δ_il: i = l, j = other ≥ l; δ_ik: i = k, j = other ≥ k; δ_jl: j = l, i = other ≤ l; δ_jk: j = k, i = other ≤ k.
                if other >= l {
                    add(l, other, s[(other - 1, k - 1)]);
                }
                if other >= k {
                    add(k, other, s[(other - 1, l - 1)]);
                }
                if other <= l {
                    add(other, l, s[(other - 1, k - 1)]);
                }
                if other <= k {
                    add(other, k, s[(other - 1, l - 1)]);
                }
            }
        }
    }
}
