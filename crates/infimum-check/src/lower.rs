//! Feasibility of the dual point and the lower bound it gives (docs/certificates.md).

use infimum_problem::{Block, Certificate, Intercept, Problem, Target};
use infimum_rigor::{ColumnSums, ExactSum, Interval, Sum, transpose_product_by};

use crate::chunks::in_chunks;
use crate::kernel::Products;
use crate::losses::{Softmax, scalar};
use crate::upper::{rows, target};

/// Checks every exact condition on α; the error says which entry breaks which.
pub(crate) fn feasible(problem: &Problem, certificate: &Certificate) -> Result<(), String> {
    let (n, outputs) = (problem.data.rows(), problem.outputs());
    let alpha = &certificate.dual;
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
                (None, Target::Real(_)) => Some("softmax needs classes".into()),
            };
            outside.map(|why| format!("row {}: {why}", i + 1))
        })
    });
    if let Some(why) = refusals.into_iter().flatten().next() {
        return Err(why);
    }
    if problem.objective.intercept == Intercept::Free {
        for k in 0..outputs {
            let mut total = ExactSum::new();
            (0..n).for_each(|i| total.add(alpha[i * outputs + k]));
            if !total.is_zero() {
                let why = "the α do not add up to exactly 0, which a free intercept demands";
                return Err(format!("output {}: {why}", k + 1));
            }
        }
    }
    Ok(())
}

/// The proven lower bound D(α) rounded down, or the condition on `v = Σ α x` that fails; `kernel` has the products of a kernel
/// problem.
pub(crate) fn lower(problem: &Problem, certificate: &Certificate, kernel: Option<&Products>) -> Result<f64, String> {
    let objective = &problem.objective;
    let (n, d, outputs) = (problem.data.rows(), problem.data.columns(), problem.outputs());
    let alpha = &certificate.dual;
    let loss = scalar(objective.loss);
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
                (None, Target::Real(_)) => sum.add(f64::NEG_INFINITY),
            }
        }
        sum
    });
    let mut sum = Sum::new();
    gains.iter().for_each(|part| sum.merge(part));
    let add_rows = |range, sums: &mut ColumnSums| {
        let add = |block: Block| sums.add(rows(block.storage), block.rows, &alpha[block.first * outputs..]);
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
            let mut total = Sum::new();
            (0..n).for_each(|i| total.add(alpha[i * outputs + k]));
            let total = if (0..n).all(|i| alpha[i * outputs + k] == 0.0) { Interval::ZERO } else { total.enclose() };
            let conjugate = conjugate(objective.lambda1, objective.lambda2, 1.0, total)
                .map_err(|why| format!("intercept of output {}: {why}", k + 1))?;
            sum.add(-conjugate);
        }
    }
    let lower = sum.enclose().lower;
    Ok(if lower.is_nan() { f64::NEG_INFINITY } else { lower })
}

/// `(|v| − λ1 s)₊² / (2 λ2 s²)` rounded up; for λ2 = 0 it is 0 if the whole enclosure of v is inside, else an error.
fn conjugate(lambda1: f64, lambda2: f64, scale: f64, v: Interval) -> Result<f64, String> {
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
