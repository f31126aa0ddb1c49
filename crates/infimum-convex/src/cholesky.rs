//! Symmetric positive definite systems of small order, scaled and regularised where rounding made them indefinite.

use faer::linalg::solvers::{Llt, Solve};
use faer::{Mat, Side};

/// A factorisation of `D (H + τ·diag H) D` with D = diag(H)^{-1/2} (Jacobi scaling) and the smallest τ of a short
/// ladder for which Cholesky succeeds. With τ = 0 `solve` solves `H x = r` exactly up to rounding.
pub struct Cholesky {
    factor: Llt<f64>,
    scale: Vec<f64>,
    damping: f64,
}

impl Cholesky {
    /// Factorises the matrix whose lower triangle is given, starting with damping `at_least`. `None` if it is not
    /// finite.
    pub fn new(mut matrix: Mat<f64>, at_least: f64) -> Option<Cholesky> {
        let order = matrix.nrows();
        let scale: Vec<f64> =
            (0..order).map(|j| if matrix[(j, j)] > 0.0 { matrix[(j, j)].sqrt().recip() } else { 1.0 }).collect();
        for j in 0..order {
            for i in j..order {
                matrix[(i, j)] *= scale[i] * scale[j];
            }
        }
        let mut damping = at_least;
        while damping < 1e6 {
            for j in 0..order {
                matrix[(j, j)] = 1.0 + damping;
            }
            if let Ok(factor) = matrix.llt(Side::Lower) {
                return Some(Cholesky { factor, scale, damping });
            }
            damping = if damping == 0.0 { 1e-14 } else { 10.0 * damping };
        }
        None
    }

    /// Whether it is of the matrix itself (τ = 0).
    pub(crate) fn is_exact(&self) -> bool {
        self.damping == 0.0
    }

    /// Replaces the right-hand side by the solution.
    pub fn solve(&self, right: &mut [f64]) {
        let mut column = Mat::from_fn(right.len(), 1, |i, _| right[i] * self.scale[i]);
        self.factor.solve_in_place(column.as_mut());
        right.iter_mut().enumerate().for_each(|(i, x)| *x = column[(i, 0)] * self.scale[i]);
    }
}
