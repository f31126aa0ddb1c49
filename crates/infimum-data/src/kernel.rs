//! From the kernel that was asked for to the kernel with its numbers (docs/canonical-problem.md, section 2, step 10).

use infimum_problem::{Gamma, Kernel, KernelRequest, Matrix, Strength};

/// The kernel with γ computed where that was asked for, and a remark for the user; `None` for a linear model. The error is a
/// sentence.
pub(crate) fn resolve(wanted: KernelRequest, matrix: &Matrix) -> Result<(Option<Kernel>, String), String> {
    let (kernel, rule) = match wanted {
        KernelRequest::Linear => {
            let note = "kernel linear: the same problem as a linear model, which is what is trained";
            return Ok((None, note.into()));
        }
        KernelRequest::Rbf(gamma) => (Kernel::Rbf { gamma: value(gamma, matrix) }, gamma),
        KernelRequest::Polynomial { gamma, degree, coef0 } => {
            (Kernel::Polynomial { gamma: value(gamma, matrix), degree, coef0 }, gamma)
        }
    };
    let rule = match rule {
        Gamma::Scale => " (scale: one over the number of columns times the variance of all values)",
        Gamma::Auto => " (auto: one over the number of columns)",
        Gamma::Value(_) => "",
    };
    match kernel.objection() {
        Some(why) => Err(why),
        None => Ok((Some(kernel), format!("kernel {}{rule}", kernel.words()))),
    }
}

/// Why a penalty does not go with a kernel.
pub(crate) fn misfit(standardize: bool, strength: Strength) -> Option<&'static str> {
    if standardize {
        return Some(
            "--standardize weights the penalty by columns, but a kernel's penalty has no columns; rescale the data, or choose \
             --gamma",
        );
    }
    matches!(strength, Strength::PerExample { l1, l2 } if l1 > 0.0 || l2 == 0.0).then_some(
        "--kernel needs --C or --l2 > 0 and no --l1: the penalty is the norm of the kernel's space, whose minimiser is known to be \
         a sum over the rows (representer theorem); an L1 norm of coefficients is another problem",
    )
}

fn value(gamma: Gamma, matrix: &Matrix) -> f64 {
    let columns = matrix.columns() as f64;
    match gamma {
        Gamma::Value(value) => value,
        Gamma::Auto => 1.0 / columns,
        Gamma::Scale => match variance(matrix) {
            variance if variance > 0.0 => 1.0 / (columns * variance),
            _ => 1.0,
        },
    }
}

/// Population variance of all n·d values, zeros that are not stored included; two passes in row order.
fn variance(matrix: &Matrix) -> f64 {
    let count = matrix.rows() as f64 * matrix.columns() as f64;
    let (mut sum, mut stored) = (0.0, 0usize);
    for i in 0..matrix.rows() {
        matrix.row(i).for_each(|_, x| {
            sum += x;
            stored += 1;
        });
    }
    let mean = sum / count;
    let mut squares = (count - stored as f64) * (mean * mean);
    for i in 0..matrix.rows() {
        matrix.row(i).for_each(|_, x| squares += (x - mean) * (x - mean));
    }
    squares / count
}

#[cfg(test)]
mod tests {
    use infimum_problem::{DenseMatrix, SparseMatrix};

    use super::*;

    #[test]
    fn gamma_by_rule() {
        let dense = Matrix::Dense(DenseMatrix { rows: 2, columns: 2, values: vec![0.0, 2.0, 0.0, 2.0].into() });
        let sparse = Matrix::Sparse(SparseMatrix {
            rows: 2,
            columns: 2,
            row_starts: vec![0, 1, 2],
            column_indices: vec![1, 1],
            values: vec![2.0, 2.0].into(),
        });
        for matrix in [&dense, &sparse] {
            assert_eq!((value(Gamma::Scale, matrix), value(Gamma::Auto, matrix)), (0.5, 0.5));
        }
        let constant = Matrix::Dense(DenseMatrix { rows: 1, columns: 3, values: vec![0.0; 3].into() });
        assert_eq!(value(Gamma::Scale, &constant), 1.0);
        let (kernel, note) = resolve(KernelRequest::Linear, &dense).expect("fine");
        assert!(kernel.is_none() && note.contains("linear"));
        assert!(resolve(KernelRequest::Rbf(Gamma::Value(-1.0)), &dense).is_err());
    }
}
