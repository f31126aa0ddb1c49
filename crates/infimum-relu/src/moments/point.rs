//! A point of the path: blocks, output biases, and the function that is minimised at a given μ.
//!
//! ```text
//! Φ_μ(G, c) = min_s [ (L(f) + β·sqrt(Σ_k (t_k⁺ + t_k⁻)²) [+ (β/2)‖c‖²])/μ + Σ barriers ]
//! ```
//!
//! The slacks are eliminated by Newton's method, row by row: a step whose length is δ in the metric of the barrier is shortened by 1/(1 + δ)
//! while δ is large, which keeps it inside and makes progress, since barriers are self-concordant (Nesterov & Nemirovskii, 1994).

use super::blocks::{Block, Rows};
use super::objective::{Objective, Sloped};

/// Blocks of one output, one for each sign.
pub(super) const SIGNS: usize = 2;
/// Steps of the elimination of the slacks.
const SLACK_STEPS: usize = 40;

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
    /// β, the price of t.
    pub(super) beta: f64,
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
    /// Outputs at the points, M × K.
    pub(super) fn outputs_of(&self, blocks: &[Block], biases: &[f64]) -> Vec<f64> {
        let mut f: Vec<f64> = biases.iter().copied().cycle().take(self.points * self.outputs).collect();
        for (b, block) in blocks.iter().enumerate() {
            let k = b / SIGNS;
            for (i, &p) in self.rows.point.iter().enumerate() {
                f[p * self.outputs + k] += 0.5 * block.sign * self.rows.norm[i] * (block.q[i] + block.slack[i]);
            }
        }
        f
    }

    /// β_k: what an increase of t costs in output k; those of all outputs have the norm β.
    pub(super) fn prices(&self, blocks: &[Block]) -> Vec<f64> {
        let beta = self.beta;
        let sums = sums(blocks);
        let norm = norm(&sums);
        sums.iter().map(|sum| if self.outputs == 1 { beta } else { beta * sum / norm }).collect()
    }

    /// What does not depend on the outputs: penalties and barriers.
    fn rest(&self, point: &Point, mu: f64) -> f64 {
        let barriers: f64 = point.blocks.iter().map(Block::barrier).sum();
        let charge = self.beta * norm(&sums(&point.blocks)) / mu;
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
        let penalty = self.beta * norm(&sums(&point.blocks));
        self.objective.value(&self.outputs_of(&point.blocks, &point.biases))
            + penalty
            + self.bias_penalty(&point.biases)
    }

    /// Number of logarithms, which bounds how far the optimum is below the objective: by μ times this.
    pub(super) fn logarithms(&self) -> f64 {
        let block = self.rows.unit.nrows() + 3 + 6 * self.rows.len();
        (SIGNS * self.outputs * block + self.objective.logarithms()) as f64
    }

    /// A point with the slacks that minimise Φ for these blocks and biases.
    pub(super) fn eliminate(&self, blocks: Vec<Block>, biases: Vec<f64>, mu: f64) -> Point {
        let mut point = Point { blocks, biases, sloped: Sloped::default() };
        let mut steps = vec![Step::default(); self.outputs * self.rows.len()];
        for _ in 0..SLACK_STEPS {
            point.sloped = self.objective.at(&self.outputs_of(&point.blocks, &point.biases), mu);
            if self.improve_slacks(&mut point, &mut steps, mu) < 1e-12 {
                break;
            }
        }
        point
    }

    /// One step for every row, or back towards the middle of the last one where it went too far; returns the largest squared decrement.
    fn improve_slacks(&self, point: &mut Point, steps: &mut [Step], mu: f64) -> f64 {
        let mut largest = 0.0f64;
        for k in 0..self.outputs {
            let blocks = &mut point.blocks[k * SIGNS..(k + 1) * SIGNS];
            for (i, &p) in self.rows.point.iter().enumerate() {
                let entry = p * self.outputs + k;
                let (slope, curvature) = (-point.sloped.weights[entry] / mu, point.sloped.curvature[entry] / mu);
                let last = &mut steps[k * self.rows.len() + i];
                // a_σ, residual, second derivative of the barrier.
                let mut parts = [(0.0, 0.0, 1.0); 2];
                let (mut above, mut below, mut along) = (0.0, 0.0, 0.0);
                for (b, block) in blocks.iter().enumerate() {
                    let a = 0.5 * block.sign * self.rows.norm[i];
                    let (first, second) = block.distances(i).slopes(block.slack[i]);
                    let residual = a * slope + first;
                    parts[b] = (a, residual, second);
                    above += a * residual / second;
                    below += a * a / second;
                    along += residual * last.change[b];
                }
                if along > 0.5 * last.descent && last.descent > 1e-12 {
                    // The slope along the step has changed its sign: to where it would vanish if it were linear.
                    let share = (last.descent / (last.descent + along)).clamp(0.1, 0.9);
                    for (block, change) in blocks.iter_mut().zip(&mut last.change) {
                        block.slack[i] -= (1.0 - share) * *change;
                        *change *= share;
                    }
                    last.descent *= share;
                    largest = f64::INFINITY;
                    continue;
                }
                let shared = curvature * above / (1.0 + curvature * below);
                let newton = parts.map(|(a, residual, second)| -(residual - a * shared) / second);
                let squared: f64 = parts.iter().zip(&newton).map(|(part, step)| -part.1 * step).sum();
                // The length of the step as the barrier alone measures it.
                let barrier = parts.iter().zip(&newton).map(|(part, step)| part.2 * step * step).sum::<f64>().sqrt();
                let length = if barrier > 0.25 { 1.0 / (1.0 + barrier) } else { 1.0 };
                *last = Step { change: newton.map(|step| length * step), descent: length * squared };
                blocks.iter_mut().zip(last.change).for_each(|(block, change)| block.slack[i] += change);
                largest = largest.max(squared);
            }
        }
        largest
    }
}

/// The last step of a row's slacks, and how steeply the function fell along it.
#[derive(Debug, Clone, Copy, Default)]
struct Step {
    change: [f64; 2],
    descent: f64,
}

/// `t⁺ + t⁻` of each output.
fn sums(blocks: &[Block]) -> Vec<f64> {
    blocks.chunks(SIGNS).map(|blocks| blocks.iter().map(Block::t).sum()).collect()
}

fn norm(values: &[f64]) -> f64 {
    if let [value] = values { *value } else { values.iter().map(|v| v * v).sum::<f64>().sqrt() }
}
