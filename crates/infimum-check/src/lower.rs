//! Feasibility of the dual point and the lower bound it gives (docs/certificates.md).

use infimum_problem::{Block, Certificate, Intercept, Problem, Target, with_values};
use infimum_rigor::{ColumnSums, ExactSum, Interval, Sum, transpose_product_by};

use crate::chunks::in_chunks;
use crate::kernel::Products;
use crate::losses::{Softmax, scalar};
use crate::upper::{rows, target};

/// Checks every exact condition on α; the error says which entry breaks which.
pub(crate) fn feasible(problem: &Problem, alpha: &[f64]) -> Result<(), String> {
    let (n, outputs) = (problem.data.rows(), problem.outputs());
    if let Some(entry) = alpha.iter().position(|a| !a.is_finite()) {
        return Err(format!("α of row {} is {}", entry / outputs + 1, alpha[entry]));
    }
    let loss = scalar(problem.objective.loss);
    let refusals = in_chunks(n, outputs, |mut range| {
        range.find_map(|i| {
            let (c, row) = (problem.data.weights[i], &alpha[i * outputs..(i + 1) * outputs]);
            let outside = match (&loss, &problem.data.target) {
                (Some(loss), _) => (0..outputs).find_map(|k| loss.outside(target(problem, i, k), c, row[k])),
                (None, Target::Class { classes, .. }) => Softmax::outside(classes[i] as usize, c, row),
                (None, Target::Real(_) | Target::Several { .. }) => Some("softmax needs classes".into()),
            };
            outside.map(|why| format!("row {}: {why}", i + 1))
        })
    });
    if let Some(why) = refusals.into_iter().flatten().next() {
        return Err(why);
    }
    match problem.objective.intercept {
        Intercept::Free => balanced(alpha, outputs)
            .map_err(|k| format!("output {}: {UNBALANCED}, which a free intercept demands", k + 1)),
        Intercept::Penalized | Intercept::None => Ok(()),
    }
}

/// What is wrong where [`balanced`] fails.
pub(crate) const UNBALANCED: &str = "the α do not add up to exactly 0";

/// Whether the α of each output add up to exactly 0; the error is the first output of which they do not.
pub(crate) fn balanced(alpha: &[f64], outputs: usize) -> Result<(), usize> {
    let is_zero = |k: &usize| {
        let mut total = ExactSum::new();
        alpha.iter().skip(*k).step_by(outputs).for_each(|&a| total.add(a));
        total.is_zero()
    };
    (0..outputs).find(|k| !is_zero(k)).map_or(Ok(()), Err)
}

/// `Σ_i α_ik` of output k.
pub(crate) fn total(alpha: &[f64], outputs: usize, k: usize) -> Interval {
    let column = || alpha.iter().skip(k).step_by(outputs);
    if column().all(|&a| a == 0.0) {
        return Interval::ZERO;
    }
    let mut total = Sum::new();
    column().for_each(|&a| total.add(a));
    total.enclose()
}

/// Terms whose exact sum does not exceed `Σ_i g_i(α_i)`, for α in the domain.
pub(crate) fn gains(problem: &Problem, alpha: &[f64]) -> Sum {
    let (n, outputs) = (problem.data.rows(), problem.outputs());
    let loss = scalar(problem.objective.loss);
    let gains = in_chunks(n, outputs, |range| {
        let mut sum = Sum::new();
        for i in range {
            let (c, row) = (problem.data.weights[i], &alpha[i * outputs..(i + 1) * outputs]);
            match (&loss, &problem.data.target) {
                (Some(loss), _) => {
                    for (k, &a) in row.iter().enumerate().filter(|entry| *entry.1 != 0.0) {
                        loss.add_gain(&mut sum, target(problem, i, k), c, a);
                    }
                }
                (None, Target::Class { classes, .. }) => Softmax::add_gain(&mut sum, classes[i] as usize, c, row),
                (None, Target::Real(_) | Target::Several { .. }) => sum.add(f64::NEG_INFINITY),
            }
        }
        sum
    });
    let mut sum = Sum::new();
    gains.iter().for_each(|part| sum.merge(part));
    sum
}

/// The proven lower bound D(α) rounded down, or the condition on `v = Σ α x` that fails; `kernel` has the products of a kernel
/// problem.
pub(crate) fn lower(problem: &Problem, certificate: &Certificate, kernel: Option<&Products>) -> Result<f64, String> {
    let objective = &problem.objective;
    let (n, d, outputs) = (problem.data.rows(), problem.data.columns(), problem.outputs());
    let alpha = &certificate.dual;
    let mut sum = gains(problem, alpha);
    let add_rows = |range, sums: &mut ColumnSums| {
        let add = |block: Block| {
            let alpha = &alpha[block.first * outputs..];
            with_values!(block.storage.values(), |values| sums.add(rows(block.storage, values), block.rows, alpha));
        };
        problem.data.matrix.for_each_block(range, add)
    };
    let v = match kernel {
        None => transpose_product_by(n, d, outputs, add_rows).map_err(|fault| fault.to_string())?,
        Some(_) => Vec::new(),
    };
    for k in 0..outputs {
        if let Some(kernel) = kernel {
            let divisor = Interval::point(2.0) * Interval::point(objective.lambda2);
            sum.add(-Interval::new(0.0, kernel.dual_norms[k]).divide_by_positive(divisor).upper);
        }
        for (j, &v) in v.iter().skip(k * d).take(d).enumerate() {
            let conjugate = conjugate(objective.lambda1, objective.lambda2, objective.scale(j), v)
                .map_err(|why| format!("column {} of output {}: {why}", j + 1, k + 1))?;
            sum.add(-conjugate);
        }
        if objective.intercept == Intercept::Penalized {
            let total = total(alpha, outputs, k);
            let conjugate = conjugate(objective.lambda1, objective.lambda2, 1.0, total)
                .map_err(|why| format!("intercept of output {}: {why}", k + 1))?;
            sum.add(-conjugate);
        }
    }
    let lower = sum.enclose().lower;
    Ok(if lower.is_nan() { f64::NEG_INFINITY } else { lower })
}

/// `(|v| − λ1 s)₊² / (2 λ2 s²)` rounded up; for λ2 = 0 it is 0 if the whole enclosure of v is inside, else an error.
pub(crate) fn conjugate(lambda1: f64, lambda2: f64, scale: f64, v: Interval) -> Result<f64, String> {
    let s = Interval::point(scale);
    let threshold = if lambda1 == 0.0 { Interval::ZERO } else { Interval::point(lambda1) * s };
    if lambda2 == 0.0 {
        let magnitude = v.magnitude();
        return if magnitude <= threshold.lower {
            Ok(0.0)
        } else {
            Err(format!("|Σ α x| may be {magnitude:e}, more than λ1·s = {:e}", threshold.lower))
        };
    }
    let excess = (v.abs() - threshold).positive_part();
    if excess.upper == 0.0 {
        return Ok(0.0);
    }
    let divisor = Interval::point(2.0) * (Interval::point(lambda2) * s.square());
    Ok(excess.square().divide_by_positive(divisor).upper)
}
