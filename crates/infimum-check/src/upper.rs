//! Upper bound on the objective at the recorded model.

use infimum_problem::{Certificate, Intercept, Loss, Problem, SpillFault, Storage, Target, with_values};
use infimum_rigor::{Interval, Rows, Sum, margins};

use crate::chunks::in_chunks;
use crate::kernel::Products;
use crate::losses::{ScalarLoss, Softmax, scalar};

/// Rows as the rigorous kernels take them; `values` are those of the storage.
pub(crate) fn rows<'a, T>(storage: Storage<'a>, values: &'a [T]) -> Rows<'a, T> {
    match storage {
        Storage::Dense(dense) => Rows::Dense { columns: dense.columns, values },
        Storage::Sparse(sparse) => Rows::Sparse {
            columns: sparse.columns,
            starts: &sparse.row_starts,
            indices: &sparse.column_indices,
            values,
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
        Target::Several { names, values } => values[i * names.len() + k],
    }
}

/// `work(i, z, accumulator)` for every row i with its K output enclosures; one accumulator per piece of the rows.
fn for_each_row<T: Default + Send>(
    problem: &Problem,
    certificate: &Certificate,
    kernel: Option<&Products>,
    work: impl Fn(usize, &[Interval], &mut T) + Sync,
) -> Result<Vec<T>, SpillFault> {
    let (n, outputs) = (problem.data.rows(), problem.outputs());
    let model = &certificate.model;
    let chunks = in_chunks(n, outputs, |range| {
        if let Some(kernel) = kernel {
            let mut accumulator = T::default();
            for i in range {
                let z: Vec<Interval> = (kernel.outputs[i * outputs..(i + 1) * outputs].iter().zip(&model.intercepts))
                    .map(|(&output, &intercept)| output + Interval::point(intercept))
                    .collect();
                work(i, &z, &mut accumulator);
            }
            return Ok(accumulator);
        }
        let mut accumulator = T::default();
        let visited = problem.data.matrix.for_each_block(range, |block| {
            let (first, count) = (block.rows.start, block.rows.len());
            let z = with_values!(block.storage.values(), |values| {
                margins(rows(block.storage, values), first, count, &model.weights, &model.intercepts)
            });
            (block.first..).zip(z.chunks_exact(outputs)).for_each(|(i, z)| work(i, z, &mut accumulator));
        });
        visited.map(|()| accumulator)
    });
    chunks.into_iter().collect()
}

/// Adds a number that `c_i·loss(y_i, z)` does not exceed for any z in the enclosures; `loss` is that of the problem.
pub(crate) fn add_loss(sum: &mut Sum, problem: &Problem, loss: Option<&dyn ScalarLoss>, i: usize, z: &[Interval]) {
    let c = problem.data.weights[i];
    match (loss, &problem.data.target) {
        (Some(loss), _) => {
            for (k, &z) in z.iter().enumerate() {
                sum.add_product(c, loss.upper(target(problem, i, k), z));
            }
        }
        (None, Target::Class { classes, .. }) => sum.add_product(c, Softmax::upper(classes[i] as usize, z)),
        (None, Target::Real(_) | Target::Several { .. }) => sum.add(f64::INFINITY),
    }
}

/// A number that `U(model)` does not exceed; `kernel` has the products of a kernel problem.
pub(crate) fn upper(
    problem: &Problem,
    certificate: &Certificate,
    kernel: Option<&Products>,
) -> Result<f64, SpillFault> {
    let objective = &problem.objective;
    let loss = scalar(objective.loss);
    let parts = for_each_row(problem, certificate, kernel, |i, z, sum: &mut Sum| {
        add_loss(sum, problem, loss.as_deref(), i, z);
    })?;
    let mut sum = Sum::new();
    parts.iter().for_each(|part| sum.merge(part));
    let model = &certificate.model;
    for k in 0..model.outputs {
        match kernel {
            None => {
                for (j, &w) in model.row(k).iter().enumerate().filter(|entry| *entry.1 != 0.0) {
                    add_penalty(&mut sum, objective.lambda1, objective.lambda2, objective.scale(j), w);
                }
            }
            Some(kernel) => {
                let norm = Interval::new(0.0, kernel.primal_norms[k]);
                sum.add((Interval::point(0.5) * (Interval::point(objective.lambda2) * norm)).upper);
            }
        }
        if objective.intercept == Intercept::Penalized {
            add_penalty(&mut sum, objective.lambda1, objective.lambda2, 1.0, model.intercepts[k]);
        }
    }
    let upper = sum.enclose().upper;
    Ok(if upper.is_nan() { f64::INFINITY } else { upper })
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
pub(crate) fn separates(problem: &Problem, certificate: &Certificate) -> Result<bool, SpillFault> {
    let parts = for_each_row(problem, certificate, None, |i, z, crossed: &mut bool| {
        let positive = match (&problem.data.target, problem.objective.loss) {
            (Target::Class { classes, .. }, Loss::Softmax) => {
                let own = z[classes[i] as usize].lower;
                (0..z.len()).all(|k| k == classes[i] as usize || z[k].upper < own)
            }
            (Target::Class { .. } | Target::Several { .. }, loss) if loss.is_margin() => z
                .iter()
                .enumerate()
                .all(|(k, z)| if target(problem, i, k) > 0.0 { z.lower > 0.0 } else { z.upper < 0.0 }),
            _ => false,
        };
        *crossed |= !positive;
    })?;
    Ok(parts.iter().all(|crossed| !crossed))
}
