//! The moment matrices, one for each block (`layers.rs`) of each output, and the slacks between them and the outputs.
//!
//! There is `G = [[t, uᵀ], [u, U]]`, a relaxation of `Σ_j |a_kj| [1; w_j][1; w_j]ᵀ` over the hidden units of the block with ‖w_j‖ = 1, and for each
//! point p ≠ 0 with x = x_p/‖x_p‖ a slack s that stands for `Σ_j |a_kj||x·w_j|`:
//!
//! ```text
//! G ⪰ 0,   tr U ≤ t,   |x·u| ≤ s,   ‖Ux‖ ≤ s,   s² ≤ t·xᵀUx,      h(p) = ‖x_p‖ (x·u + s)/2
//! ```
//!
//! Inside all of it, the barrier is `−ln det G − ln(t − tr U) − Σ_p ln(t·xᵀUx − s²) + ln(s² − ‖Ux‖²) + ln(s² − (x·u)²)`. The interval that
//! is left to s is never empty: ‖Ux‖² ≤ ‖U‖ xᵀUx ≤ t·xᵀUx and (x·u)² ≤ t·xᵀUx follow from the first two.

use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, Par, Side};

use super::packed::unpack;
use crate::Points;

/// The points that are not 0, with length 1.
pub(super) struct Rows {
    /// D × m: a row in each column.
    pub(super) unit: Mat<f64>,
    /// Lengths, m of them.
    pub(super) norm: Vec<f64>,
    /// Which point.
    pub(super) point: Vec<usize>,
}

impl Rows {
    pub(super) fn new(points: &Points) -> Rows {
        let length = |p: usize| {
            let largest = points.point(p).iter().fold(0.0f64, |top, x| top.max(x.abs()));
            let scaled = points.point(p).iter().map(|x| (x / largest) * (x / largest)).sum::<f64>().sqrt();
            if largest > 0.0 { largest * scaled } else { 0.0 }
        };
        let norms: Vec<f64> = (0..points.len()).map(length).collect();
        let point: Vec<usize> = (0..points.len()).filter(|&p| norms[p] > 0.0 && norms[p].is_finite()).collect();
        let norm: Vec<f64> = point.iter().map(|&p| norms[p]).collect();
        let unit = Mat::from_fn(points.dimension, point.len(), |j, i| points.point(point[i])[j] / norm[i]);
        Rows { unit, norm, point }
    }

    /// The rows in another order.
    pub(super) fn arranged(&self, order: &[usize]) -> Rows {
        Rows {
            unit: Mat::from_fn(self.unit.nrows(), order.len(), |j, i| self.unit[(j, order[i])]),
            norm: order.iter().map(|&i| self.norm[i]).collect(),
            point: order.iter().map(|&i| self.point[i]).collect(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.point.len()
    }
}

/// G, and what it says of each row.
#[derive(Clone)]
pub(super) struct Block {
    /// Whether a row has a part in it; the slacks of the others mean nothing.
    pub(super) active: Vec<bool>,
    /// G, of order D + 1.
    pub(super) g: Mat<f64>,
    /// G⁻¹.
    pub(super) inverse: Mat<f64>,
    /// ln det G.
    log_determinant: f64,
    /// s of each row.
    pub(super) slack: Vec<f64>,
    /// Ux, D × m.
    pub(super) v: Mat<f64>,
    /// xᵀUx.
    pub(super) y: Vec<f64>,
    /// x·u.
    pub(super) q: Vec<f64>,
}

/// The distances to the boundary of one row: `t·y − s²`, `s² − ‖v‖²`, `s² − q²`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Distances {
    pub(super) upper: f64,
    pub(super) ball: f64,
    pub(super) line: f64,
}

impl Distances {
    /// First and second derivative by s of the barrier of the row.
    pub(super) fn slopes(&self, s: f64) -> (f64, f64) {
        let (a, b, c) = (2.0 * s / self.upper, 2.0 * s / self.ball, 2.0 * s / self.line);
        (a - b - c, a * a + 2.0 / self.upper + b * b - 2.0 / self.ball + c * c - 2.0 / self.line)
    }
}

impl Block {
    /// `G = t diag(1, κ/D, …, κ/D)` with κ < 1, slacks between their ends.
    pub(super) fn new(active: Vec<bool>, t: f64, rows: &Rows) -> Block {
        let d = rows.unit.nrows();
        let kappa = 0.8 / d as f64;
        let g = Mat::from_fn(d + 1, d + 1, |i, j| if i != j { 0.0 } else { t * if i == 0 { 1.0 } else { kappa } });
        let inverse = Mat::from_fn(d + 1, d + 1, |i, j| if i == j { 1.0 / g[(i, i)] } else { 0.0 });
        let log_determinant = (0..=d).map(|i| g[(i, i)].ln()).sum();
        let m = rows.len();
        let mut block = Block {
            active,
            g,
            inverse,
            log_determinant,
            slack: vec![0.0; m],
            v: Mat::zeros(d, m),
            y: vec![0.0; m],
            q: vec![0.0; m],
        };
        block.describe(rows);
        for i in 0..m {
            let (low, high) = block.ends(i);
            block.slack[i] = (low * high).sqrt();
        }
        block
    }

    pub(super) fn t(&self) -> f64 {
        self.g[(0, 0)]
    }

    /// `t − tr U`.
    pub(super) fn spare(&self) -> f64 {
        self.t() - (1..self.g.nrows()).map(|i| self.g[(i, i)]).sum::<f64>()
    }

    fn describe(&mut self, rows: &Rows) {
        let d = rows.unit.nrows();
        matmul(self.v.as_mut(), Accum::Replace, self.g.submatrix(1, 1, d, d), &rows.unit, 1.0, Par::Seq);
        for i in 0..rows.len() {
            let x = rows.unit.col_as_slice(i);
            self.y[i] = dot(x, self.v.col_as_slice(i));
            self.q[i] = dot(x, &self.g.col_as_slice(0)[1..]);
        }
    }

    /// Largest of the numbers that s must exceed, and the one it must stay below.
    fn ends(&self, i: usize) -> (f64, f64) {
        let v = self.v.col_as_slice(i);
        (dot(v, v).sqrt().max(self.q[i].abs()), (self.t() * self.y[i]).sqrt())
    }

    pub(super) fn distances(&self, i: usize) -> Distances {
        let v = self.v.col_as_slice(i);
        let (s, v, q) = (self.slack[i], dot(v, v).sqrt(), self.q[i].abs());
        let root = (self.t() * self.y[i]).sqrt();
        Distances { upper: (root - s) * (root + s), ball: (s - v) * (s + v), line: (s - q) * (s + q) }
    }

    /// The barrier; infinite or not a number outside.
    pub(super) fn barrier(&self) -> f64 {
        let rows = (0..self.slack.len()).filter(|&i| self.active[i]).map(|i| {
            let Distances { upper, ball, line } = self.distances(i);
            upper.ln() + ball.ln() + line.ln()
        });
        -self.log_determinant - self.spare().ln() - rows.sum::<f64>()
    }

    /// The block after a step `length·change` (packed) and `length·slacks`, its slacks at least a tenth as far from their
    /// ends, relative to the space between them, as they were; `None` outside.
    pub(super) fn moved(&self, change: &[f64], slacks: &[f64], length: f64, rows: &Rows) -> Option<Block> {
        let mut next = self.clone();
        unpack(next.g.nrows(), change, &mut |i, j, change| {
            next.g[(i, j)] += length * change;
            if i != j {
                next.g[(j, i)] += length * change;
            }
        });
        if !(next.spare() > 0.0) {
            return None;
        }
        let factor = next.g.llt(Side::Lower).ok()?;
        let lower = factor.L();
        next.log_determinant = 2.0 * (0..next.g.nrows()).map(|i| lower[(i, i)].ln()).sum::<f64>();
        next.inverse = faer::linalg::solvers::DenseSolveCore::inverse(&factor);
        next.describe(rows);
        for i in (0..rows.len()).filter(|&i| self.active[i]) {
            let ((low, high), (new_low, new_high)) = (self.ends(i), next.ends(i));
            if !(new_low < new_high) {
                return None;
            }
            let place = ((self.slack[i] - low) / (high - low)).clamp(1e-9, 1.0 - 1e-9);
            let width = new_high - new_low;
            let (least, most) = (new_low + 0.1 * place * width, new_high - 0.1 * (1.0 - place) * width);
            next.slack[i] = (self.slack[i] + length * slacks[i]).clamp(least, most.max(least));
            let Distances { upper, ball, line } = next.distances(i);
            if !(upper > 0.0 && ball > 0.0 && line > 0.0) {
                return None;
            }
        }
        next.log_determinant.is_finite().then_some(next)
    }
}

pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
