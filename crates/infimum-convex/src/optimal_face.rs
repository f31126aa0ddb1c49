//! Corrections on the face of the optimum that an interior point has come near to.
//!
//! Near the optimum an interior point tells which rows R stand at a kink and which columns C have a weight. The kinks are
//! equations in the weights of C alone, `X_RC w_C = o_R`, and the stationarity of C equations in the multipliers of R alone,
//! `X_RCᵀ α_R = …`; neither has the entries of 1/μ in which an interior point method loses its last places. A correction of least norm, by
//! conjugate gradients for the least squares (CGLS: Björck, *Numerical Methods for Least Squares Problems*, 1996, §7.4), leads to them. The idea is that of
//! Ye, *On the finite convergence of interior-point algorithms for linear programming* (Math. Programming 57, 1992).
//! Invariant: entries outside of the face are 0.

use crate::frame::Frame;

/// Steps of conjugate gradients at most.
const STEPS: usize = 200;
/// Squared length of the gradient, relative to the first, at which the correction is exact.
const EXACT: f64 = 1e-30;

/// Rows and columns of the face, the constant as last column where there is one.
pub(crate) struct Face<'a> {
    pub(crate) frame: &'a Frame<'a>,
    pub(crate) rows: Vec<bool>,
    pub(crate) columns: Vec<bool>,
}

impl Face<'_> {
    /// `X_RC w`.
    fn outputs(&self, weights: &[f64]) -> Vec<f64> {
        let mut z = self.frame.outputs_of(weights);
        keep(&mut z, &self.rows);
        z
    }

    /// `X_RCᵀ α`.
    fn pull(&self, alpha: &[f64]) -> Vec<f64> {
        let mut pull = self.frame.pull(alpha);
        keep(&mut pull, &self.columns);
        pull
    }

    /// The shortest w on the columns that comes nearest to `X_RC w = rest`.
    pub(crate) fn weights(&self, mut rest: Vec<f64>) -> Vec<f64> {
        keep(&mut rest, &self.rows);
        self.least_squares(rest, |w| self.outputs(w), |r| self.pull(r), self.columns.len())
    }

    /// The shortest α on the rows that comes nearest to `X_RCᵀ α = rest`.
    pub(crate) fn multipliers(&self, mut rest: Vec<f64>) -> Vec<f64> {
        keep(&mut rest, &self.columns);
        self.least_squares(rest, |alpha| self.pull(alpha), |r| self.outputs(r), self.rows.len())
    }

    fn least_squares(
        &self,
        mut rest: Vec<f64>,
        apply: impl Fn(&[f64]) -> Vec<f64>,
        transpose: impl Fn(&[f64]) -> Vec<f64>,
        length: usize,
    ) -> Vec<f64> {
        let mut solution = vec![0.0; length];
        let mut along = transpose(&rest);
        let first = square(&along);
        let mut gradient = first;
        for _ in 0..STEPS {
            if !(gradient > EXACT * first) || self.frame.monitor.stop().is_some() {
                break;
            }
            let image = apply(&along);
            let step = gradient / square(&image);
            add(&mut solution, step, &along);
            add(&mut rest, -step, &image);
            let next = transpose(&rest);
            let before = std::mem::replace(&mut gradient, square(&next));
            along.iter_mut().zip(&next).for_each(|(along, next)| *along = next + gradient / before * *along);
        }
        solution
    }
}

fn keep(values: &mut [f64], kept: &[bool]) {
    values.iter_mut().zip(kept).filter(|entry| !entry.1).for_each(|(value, _)| *value = 0.0);
}

fn square(values: &[f64]) -> f64 {
    values.iter().map(|x| x * x).sum()
}

/// `values += factor·other`.
pub(crate) fn add(values: &mut [f64], factor: f64, other: &[f64]) {
    values.iter_mut().zip(other).for_each(|(value, other)| *value += factor * other);
}
