//! A point of the path: blocks, output biases, and the function that is minimised at a given μ.
//!
//! ```text
//! Φ_μ(G, c) = min_{s, q} [ (L(f) + β·sqrt(Σ_k t_k²) [+ (β/2)‖c‖²])/μ + Σ barriers ],      t_k = Σ t over the blocks of output k
//! ```
//!
//! The slacks and the ties are eliminated by Newton's method, row by row: a step whose length is δ in the metric of the barrier is shortened by 1/(1 + δ)
//! while δ is large, which keeps it inside and makes progress, since barriers are self-concordant (Nesterov & Nemirovskii, 1994).

use infimum_problem::Intercept;

use super::blocks::{Block, Rows};
use super::layers::{Layers, MOST_BLOCKS, Model};
use super::objective::{Objective, Sloped};
use crate::Instance;

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

impl Biases {
    /// Those of an instance.
    pub(super) fn of(instance: &Instance) -> Biases {
        match instance.output_bias {
            Intercept::None => Biases::Absent,
            Intercept::Free => Biases::Present { strength: 0.0 },
            Intercept::Penalized => Biases::Present { strength: instance.beta },
        }
    }

    /// Their penalty.
    pub(super) fn penalty(self, biases: &[f64]) -> f64 {
        match self {
            Biases::Present { strength } => 0.5 * strength * biases.iter().map(|c| c * c).sum::<f64>(),
            Biases::Absent => 0.0,
        }
    }
}

/// What stays the same along the path.
pub(super) struct Setting<'a> {
    pub(super) rows: Rows,
    pub(super) points: usize,
    pub(super) outputs: usize,
    pub(super) layers: Layers,
    pub(super) objective: Objective<'a>,
    /// β, the price of t.
    pub(super) beta: f64,
    pub(super) biases: Biases,
}

/// Blocks of output 0, then of output 1, …; slacks and ties are eliminated.
#[derive(Clone)]
pub(super) struct Point {
    pub(super) blocks: Vec<Block>,
    /// q of each output and row; none with one hidden layer.
    pub(super) ties: Vec<f64>,
    /// c, K.
    pub(super) biases: Vec<f64>,
    /// Losses at the outputs.
    pub(super) sloped: Sloped,
}

impl Setting<'_> {
    /// How a row's h of block `b` (counted over all outputs) counts: in η or δ, and by which factor of x·u + s.
    pub(super) fn part(&self, b: usize, i: usize) -> Option<(usize, f64)> {
        let (k, block) = (b / self.layers.blocks(), b % self.layers.blocks());
        let (channel, sign) = self.layers.role(block, self.rows.point[i] * self.outputs + k)?;
        Some((channel, 0.5 * sign * self.rows.norm[i]))
    }

    /// η and δ of output k and row i.
    pub(super) fn mixture(&self, blocks: &[Block], k: usize, i: usize) -> [f64; 2] {
        let mut sums = [0.0; 2];
        let count = self.layers.blocks();
        for b in k * count..(k + 1) * count {
            if let Some((channel, a)) = self.part(b, i) {
                sums[channel] += a * (blocks[b].q[i] + blocks[b].slack[i]);
            }
        }
        sums
    }

    /// Outputs at the points, M × K.
    pub(super) fn outputs_of(&self, blocks: &[Block], ties: &[f64], biases: &[f64]) -> Vec<f64> {
        let mut f: Vec<f64> = biases.iter().copied().cycle().take(self.points * self.outputs).collect();
        for k in 0..self.outputs {
            for (i, &p) in self.rows.point.iter().enumerate() {
                let (entry, eta) = (p * self.outputs + k, self.mixture(blocks, k, i)[0]);
                f[entry] += match self.layers.side(entry) {
                    None => eta,
                    Some(side) => side * (eta - ties[k * self.rows.len() + i]),
                };
            }
        }
        f
    }

    /// The model of a row's part of Φ at a point.
    pub(super) fn model(&self, point: &Point, k: usize, i: usize, mu: f64) -> Model {
        let entry = self.rows.point[i] * self.outputs + k;
        let tie = self.layers.side(entry).map(|side| {
            let delta = self.mixture(&point.blocks, k, i)[1];
            (side, point.ties[k * self.rows.len() + i], delta)
        });
        Model::new(point.sloped.weights[entry] / mu, point.sloped.curvature[entry] / mu, tie)
    }

    /// β_k: what an increase of t costs in output k; those of all outputs have the norm β.
    pub(super) fn prices(&self, blocks: &[Block]) -> Vec<f64> {
        let beta = self.beta;
        let sums = self.sums(blocks);
        let norm = norm(&sums);
        sums.iter().map(|sum| if self.outputs == 1 { beta } else { beta * sum / norm }).collect()
    }

    /// What does not depend on the outputs: penalties and barriers.
    fn rest(&self, point: &Point, mu: f64) -> f64 {
        let barriers: f64 = point.blocks.iter().map(Block::barrier).sum();
        let charge = self.beta * self.gauge(point) / mu;
        barriers + self.tie_barriers(point) + charge + self.biases.penalty(&point.biases) / mu
    }

    fn tie_barriers(&self, point: &Point) -> f64 {
        let rows = self.rows.len();
        let barrier = |(place, &tie): (usize, &f64)| {
            let delta = self.mixture(&point.blocks, place / rows, place % rows)[1];
            -tie.ln() - (tie - delta).ln()
        };
        point.ties.iter().enumerate().map(barrier).sum()
    }

    /// `sqrt(Σ_k t_k²)`, what β is the price of.
    pub(super) fn gauge(&self, point: &Point) -> f64 {
        norm(&self.sums(&point.blocks))
    }

    /// t_k.
    fn sums(&self, blocks: &[Block]) -> Vec<f64> {
        blocks.chunks(self.layers.blocks()).map(|blocks| blocks.iter().map(Block::t).sum()).collect()
    }

    /// Φ at a point whose slacks are eliminated.
    pub(super) fn value(&self, point: &Point, mu: f64) -> f64 {
        point.sloped.value / mu + self.rest(point, mu)
    }

    /// The objective of the relaxation at a point: no bound of the relaxation is above it.
    pub(super) fn primal(&self, point: &Point) -> f64 {
        self.objective.value(&self.outputs_of(&point.blocks, &point.ties, &point.biases))
            + self.beta * self.gauge(point)
            + self.biases.penalty(&point.biases)
    }

    /// Number of logarithms, which bounds how far the optimum is below the objective: by μ times this.
    pub(super) fn logarithms(&self) -> f64 {
        let (order, rows) = (self.rows.unit.nrows() + 3, self.rows.len());
        let count = match self.layers {
            Layers::One => 2 * order + 12 * rows,
            Layers::More { .. } => 4 * order + 20 * rows,
        };
        (self.outputs * count + self.objective.logarithms()) as f64
    }

    /// A point with the slacks and ties that minimise Φ for these blocks and biases.
    pub(super) fn eliminate(&self, blocks: Vec<Block>, ties: Vec<f64>, biases: Vec<f64>, mu: f64) -> Point {
        let mut point = Point { blocks, ties, biases, sloped: Sloped::default() };
        let mut steps = vec![Step::default(); self.outputs * self.rows.len()];
        for _ in 0..SLACK_STEPS {
            let f = self.outputs_of(&point.blocks, &point.ties, &point.biases);
            point.sloped = self.objective.at(&f, mu);
            if self.improve_slacks(&mut point, &mut steps, mu) < 1e-12 {
                break;
            }
        }
        point
    }

    /// One step for every row, or back towards the middle of the last one where it went too far; returns the largest squared decrement.
    fn improve_slacks(&self, point: &mut Point, steps: &mut [Step], mu: f64) -> f64 {
        let mut largest = 0.0f64;
        let (rows, count) = (self.rows.len(), self.layers.blocks());
        for k in 0..self.outputs {
            for i in 0..rows {
                let model = self.model(point, k, i, mu);
                let last = &mut steps[k * rows + i];
                // Channel, factor, first and second derivative of the barrier.
                let mut parts = [None; MOST_BLOCKS];
                let (mut free, mut give) = ([0.0; 2], [0.0; 2]);
                let mut along = -model.force[2] * last.tie;
                for (b, part) in parts.iter_mut().enumerate().take(count) {
                    let Some((channel, a)) = self.part(k * count + b, i) else { continue };
                    let block = &point.blocks[k * count + b];
                    let (first, second) = block.distances(i).slopes(block.slack[i]);
                    free[channel] -= a * first / second;
                    give[channel] += a * a / second;
                    along += (first - a * model.force[channel]) * last.change[b];
                    *part = Some((channel, a, first, second));
                }
                let slacks = &mut point.blocks[k * count..(k + 1) * count];
                if along > 0.5 * last.descent && last.descent > 1e-12 {
                    // The slope along the step has changed its sign: to where it would vanish if it were linear.
                    let share = (last.descent / (last.descent + along)).clamp(0.1, 0.9);
                    for (block, change) in slacks.iter_mut().zip(&mut last.change) {
                        block.slack[i] -= (1.0 - share) * *change;
                        *change *= share;
                    }
                    if let Some(tie) = point.ties.get_mut(k * rows + i) {
                        *tie -= (1.0 - share) * last.tie;
                        last.tie *= share;
                    }
                    last.descent *= share;
                    largest = f64::INFINITY;
                    continue;
                }
                let (against, mut tie) = model.respond(free, give, model.force);
                let (mut squared, mut barrier, mut delta) = (model.force[2] * tie, 0.0, 0.0);
                let mut change = [0.0; MOST_BLOCKS];
                for (part, change) in parts.iter().zip(&mut change) {
                    let Some((channel, a, first, second)) = *part else { continue };
                    *change = -(first + a * against[channel]) / second;
                    squared -= (first - a * model.force[channel]) * *change;
                    barrier += second * *change * *change;
                    delta += if channel == 1 { a * *change } else { 0.0 };
                }
                // The length of the step as the barrier alone measures it.
                let barrier = (barrier + model.length(tie, delta)).sqrt();
                let length = if barrier > 0.25 { 1.0 / (1.0 + barrier) } else { 1.0 };
                change.iter_mut().for_each(|change| *change *= length);
                tie *= length;
                slacks.iter_mut().zip(&change).for_each(|(block, change)| block.slack[i] += change);
                if let Some(q) = point.ties.get_mut(k * rows + i) {
                    *q += tie;
                }
                *last = Step { change, tie, descent: length * squared };
                largest = largest.max(squared);
            }
        }
        largest
    }
}

/// The last step of a row's slacks and tie, and how steeply the function fell along it.
#[derive(Debug, Clone, Copy, Default)]
struct Step {
    change: [f64; MOST_BLOCKS],
    tie: f64,
    descent: f64,
}

fn norm(values: &[f64]) -> f64 {
    if let [value] = values { *value } else { values.iter().map(|v| v * v).sum::<f64>().sqrt() }
}
