//! Upper bound on the objective at the recorded model.

use infimum_problem::{Certificate, Intercept, Loss, Matrix, Problem, Target};
use infimum_rigor::{Interval, Rows, Sum, margins};

use crate::losses::{Softmax, scalar};

/// Rows evaluated at a time, so that enclosures take little memory.
const CHUNK: usize = 65_536;

/// The matrix as the rigorous kernels take it.
pub(crate) fn rows(matrix: &Matrix) -> Rows<'_> {
    match matrix {
        Matrix::Dense(dense) => Rows::Dense { columns: dense.columns, values: &dense.values },
        Matrix::Sparse(sparse) => Rows::Sparse {
            columns: sparse.columns,
            starts: &sparse.row_starts,
            indices: &sparse.column_indices,
            values: &sparse.values,
        },
    }
}

/// Target ±1 of row `i` for output `k` of a margin loss, or the value of a regression.
pub(crate) fn target(problem: &Problem, i: usize, k: usize) -> f64 {
    match &problem.data.target {
        Target::Real(values) => values[i],
        Target::Class { classes, .. } => {
            let positive = if problem.outputs() == 1 { 1 } else { k };
            if classes[i] as usize == positive { 1.0 } else { -1.0 }
        }
    }
}

/// Calls `visit(i, z)` with the K output enclosures of every row.
fn for_each_row(problem: &Problem, certificate: &Certificate, mut visit: impl FnMut(usize, &[Interval])) {
    let (n, outputs) = (problem.data.rows(), problem.outputs());
    let model = &certificate.model;
    for first in (0..n).step_by(CHUNK) {
        let count = CHUNK.min(n - first);
        let z = margins(rows(&problem.data.matrix), first, count, &model.weights, &model.intercepts);
        z.chunks_exact(outputs).enumerate().for_each(|(i, z)| visit(first + i, z));
    }
}

/// A number that `U(model)` does not exceed.
pub(crate) fn upper(problem: &Problem, certificate: &Certificate) -> f64 {
    let objective = &problem.objective;
    let mut sum = Sum::new();
    for_each_row(problem, certificate, |i, z| {
        let c = problem.data.weights[i];
        match (scalar(objective.loss), &problem.data.target) {
            (Some(loss), _) => {
                for (k, &z) in z.iter().enumerate() {
                    add_product_up(&mut sum, c, loss.upper(target(problem, i, k), z));
                }
            }
            (None, Target::Class { classes, .. }) => {
                add_product_up(&mut sum, c, Softmax::upper(classes[i] as usize, z));
            }
            (None, Target::Real(_)) => sum.add(f64::INFINITY),
        }
    });
    let model = &certificate.model;
    for k in 0..model.outputs {
        for (j, &w) in model.row(k).iter().enumerate().filter(|entry| *entry.1 != 0.0) {
            add_penalty(&mut sum, objective.lambda1, objective.lambda2, objective.scale(j), w);
        }
        if objective.intercept == Intercept::Penalized {
            add_penalty(&mut sum, objective.lambda1, objective.lambda2, 1.0, model.intercepts[k]);
        }
    }
    let upper = sum.enclose().upper;
    if upper.is_nan() { f64::INFINITY } else { upper }
}

fn add_product_up(sum: &mut Sum, c: f64, loss: f64) {
    sum.add_product(c, loss);
}

fn add_penalty(sum: &mut Sum, lambda1: f64, lambda2: f64, scale: f64, w: f64) {
    let sw = Interval::point(scale) * Interval::point(w);
    if lambda1 > 0.0 {
        sum.add((Interval::point(lambda1) * sw.abs()).upper);
    }
    if lambda2 > 0.0 {
        sum.add((Interval::point(0.5) * (Interval::point(lambda2) * sw.square())).upper);
    }
}

/// Whether every row's margin is provably positive: `y z > 0`, or `z_y > z_k` for all k ≠ y.
pub(crate) fn separates(problem: &Problem, certificate: &Certificate) -> bool {
    let mut separated = true;
    for_each_row(problem, certificate, |i, z| {
        separated &= match (&problem.data.target, problem.objective.loss) {
            (Target::Class { classes, .. }, Loss::Softmax) => {
                let own = z[classes[i] as usize].lower;
                (0..z.len()).all(|k| k == classes[i] as usize || z[k].upper < own)
            }
            (Target::Class { .. }, _) => z
                .iter()
                .enumerate()
                .all(|(k, z)| if target(problem, i, k) > 0.0 { z.lower > 0.0 } else { z.upper < 0.0 }),
            (Target::Real(_), _) => false,
        };
    });
    separated
}
