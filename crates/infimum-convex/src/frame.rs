//! The part of a problem that every solver shares: rows, weights, penalty, intercept; points and their values.

use infimum_problem::{Intercept, Matrix, Monitor};

use crate::design;
use crate::dictionary::Dictionary;
use crate::kernel::Rows;
use crate::penalty::Penalty;
use crate::sums::sum;

/// Rows, example weights, penalty and intercept of one (sub)problem with `outputs` outputs.
#[derive(Clone, Copy)]
pub(crate) struct Frame<'a> {
    /// The kernel matrix of a kernel problem, for which only [`crate::kernel::solve`] is made.
    pub(crate) kernel: Option<&'a Rows<'a>>,
    pub(crate) matrix: &'a Matrix,
    /// The same rows as words, where a solver that passes over them many times has made them.
    pub(crate) dictionary: Option<&'a Dictionary>,
    /// c_i > 0.
    pub(crate) weights: &'a [f64],
    pub(crate) penalty: Penalty<'a>,
    pub(crate) intercept: Intercept,
    pub(crate) outputs: usize,
    /// Asked by long passes over the rows whether to stop.
    pub(crate) monitor: &'a dyn Monitor,
}

/// A primal point: weights outputs × d, intercepts.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Point {
    pub(crate) weights: Vec<f64>,
    pub(crate) intercepts: Vec<f64>,
}

/// The losses of all rows as one function of Z (n × outputs), and the domain of its conjugate.
pub(crate) trait Losses: Sync {
    /// `Σ_i c_i·loss(y_i, z_i)`.
    fn value(&self, z: &[f64]) -> f64;
    /// `alpha = −c·∂loss(z)`, inside the domain.
    fn natural_dual(&self, z: &[f64], alpha: &mut [f64]);
    /// The value, and a bound on what it can hide of that at the exact outputs, from which `z` differs by no more than `errors` and
    /// rounding to `f64`, and of what rounding the losses takes.
    fn value_and_rounding(&self, z: &[f64], errors: &[f64]) -> (f64, f64);
    /// Moves every row of `alpha` to the nearest point of its domain; whether one moved by more than rounding.
    fn clip(&self, alpha: &mut [f64]) -> bool;
    /// Makes `Σ_i alpha_ik` zero up to rounding, by small moves inside the domain.
    fn balance(&self, alpha: &mut [f64]);
    /// `Σ_i g_i(alpha_i)`, for `alpha` in the domain.
    fn gain(&self, alpha: &[f64]) -> f64;
    /// The same, and the sum of the magnitudes of what it adds up.
    fn gain_and_magnitude(&self, alpha: &[f64]) -> (f64, f64);
    /// Rounds `alpha` to a dyadic grid inside its domain, with `Σ_i alpha_ik = 0` exactly if `balanced`.
    fn settle(&self, alpha: &mut [f64], balanced: bool);
    /// Smallest margin over the rows if all are positive: `y z`, or `z_y − max z_k`; `None` for regression.
    fn separation(&self, z: &[f64]) -> Option<f64>;
}

impl Point {
    /// The zero point.
    pub(crate) fn zeros(frame: &Frame) -> Point {
        let outputs = frame.outputs;
        Point { weights: vec![0.0; outputs * frame.matrix.columns()], intercepts: vec![0.0; outputs] }
    }
}

impl<'a> Frame<'a> {
    /// Number of rows n.
    pub(crate) fn rows(&self) -> usize {
        self.matrix.rows()
    }

    /// Number of features d.
    pub(crate) fn columns(&self) -> usize {
        self.matrix.columns()
    }

    /// Whether the model has a constant term.
    pub(crate) fn has_intercept(&self) -> bool {
        self.intercept != Intercept::None
    }

    /// Penalty of a point, the intercept's share included.
    pub(crate) fn penalty_value(&self, point: &Point) -> f64 {
        let d = self.columns();
        let weights: f64 =
            if d == 0 { 0.0 } else { point.weights.chunks_exact(d).map(|w| self.penalty.value(w)).sum() };
        let Penalty { lambda1, lambda2, .. } = self.penalty;
        match self.intercept {
            Intercept::Penalized => {
                weights + point.intercepts.iter().map(|&b| Penalty::term(lambda1, lambda2, b)).sum::<f64>()
            }
            Intercept::Free | Intercept::None => weights,
        }
    }

    /// `U(point)` and its outputs Z.
    pub(crate) fn upper(&self, losses: &impl Losses, point: &Point, z: &mut [f64]) -> f64 {
        design::multiply(self.matrix, &point.weights, &point.intercepts, z);
        losses.value(z) + self.penalty_value(point)
    }

    /// `X̃ w` of one output: weights, and the constant last where the model has an intercept.
    pub(crate) fn outputs_of(&self, weights: &[f64]) -> Vec<f64> {
        let (d, mut z) = (self.columns(), vec![0.0; self.rows()]);
        let intercept = weights.get(d).copied().unwrap_or(0.0);
        match self.dictionary {
            Some(dictionary) => dictionary.multiply(&weights[..d], intercept, &mut z),
            None => design::multiply(self.matrix, &weights[..d], &[intercept], &mut z),
        }
        z
    }

    /// `v = Aᵀ X` and the sums of the columns of A = alpha.
    fn transpose_multiply(&self, alpha: &[f64], v: &mut [f64], sums: &mut [f64]) {
        match (self.dictionary, sums) {
            (Some(dictionary), [only]) => {
                dictionary.transpose_multiply(alpha, v);
                *only = sum(alpha.len(), 0.0, |i| alpha[i]);
            }
            (_, sums) => design::transpose_multiply(self.matrix, alpha, v, sums),
        }
    }

    /// `X̃ᵀ alpha` of one output, in the same order.
    pub(crate) fn pull(&self, alpha: &[f64]) -> Vec<f64> {
        let (mut pull, mut sums) = (vec![0.0; self.columns()], [0.0]);
        self.transpose_multiply(alpha, &mut pull, &mut sums);
        pull.extend(self.has_intercept().then_some(sums[0]));
        pull
    }

    /// Makes free intercepts of several outputs, or their changes, add up to 0: softmax does not see a common shift, and steps along it
    /// would have no limit but rounding.
    pub(crate) fn center<'b>(&self, intercepts: impl Iterator<Item = &'b mut f64>) {
        if self.intercept == Intercept::Free && self.outputs > 1 {
            let mut intercepts: Vec<&mut f64> = intercepts.collect();
            let mean = intercepts.iter().map(|b| **b).sum::<f64>() / intercepts.len() as f64;
            intercepts.iter_mut().for_each(|b| **b -= mean);
        }
    }

    /// Conjugate of the penalty at `v` (outputs × d) and the intercept sums; a free intercept's sums are taken as 0.
    pub(crate) fn conjugate(&self, v: &[f64], sums: &[f64]) -> f64 {
        let d = self.columns().max(1);
        let Penalty { lambda1, lambda2, .. } = self.penalty;
        let weights = sum(v.len(), 0.0, |entry| {
            Penalty::conjugate(self.penalty.l1(entry % d), self.penalty.l2(entry % d), v[entry])
        });
        match self.intercept {
            Intercept::Penalized => {
                weights + sums.iter().map(|&sum| Penalty::conjugate(lambda1, lambda2, sum)).sum::<f64>()
            }
            Intercept::Free | Intercept::None => weights,
        }
    }

    /// Largest factor t ≤ 1 such that `t·v` is in the conjugate's domain (1 where λ2 > 0: there it is everywhere).
    pub(crate) fn shrink(&self, v: &[f64], sums: &[f64]) -> f64 {
        if self.penalty.lambda2 > 0.0 {
            return 1.0;
        }
        let d = self.columns().max(1);
        let mut worst = v.iter().enumerate().map(|(e, &v)| v.abs() / self.penalty.l1(e % d)).fold(0.0, f64::max);
        if self.intercept == Intercept::Penalized {
            worst = sums.iter().map(|sum| sum.abs() / self.penalty.lambda1).fold(worst, f64::max);
        }
        // λ1 = 0 as well: 0/0 is NaN and anything else infinite; only alpha = 0 is feasible.
        if self.penalty.lambda1 == 0.0 { 0.0 } else { 1.0 / worst.max(1.0) }
    }

    /// D at the dual point `alpha − H dz` of a quadratic model (λ1 = 0) whose exact minimiser is `minimiser`. There `Aᵀ X` is the
    /// penalty's gradient and the sums that a free intercept wants are 0, so that the conjugate is the penalty itself and no
    /// product is needed. `None` where λ2 = 0 or a row leaves its domain: then it takes [`Frame::lower`].
    pub(crate) fn lower_of_model(&self, losses: &impl Losses, alpha: &mut [f64], minimiser: &Point) -> Option<f64> {
        let feasible = self.penalty.lambda2 > 0.0 && !losses.clip(alpha);
        feasible.then(|| losses.gain(alpha) - self.penalty_value(minimiser))
    }

    /// Makes `alpha` feasible up to rounding and returns its dual value D and the factor by which it was shrunk; `v` receives
    /// `Aᵀ X` of the result.
    ///
    /// Clip to the losses' domain, balance for a free intercept, one product with Xᵀ, and for λ2 = 0 a scaling of the
    /// whole vector (which keeps domain and balance, since both contain 0 and are convex).
    pub(crate) fn lower(&self, losses: &impl Losses, alpha: &mut [f64], v: &mut [f64]) -> (f64, f64) {
        losses.clip(alpha);
        if self.intercept == Intercept::Free {
            losses.balance(alpha);
        }
        let mut sums = vec![0.0; self.outputs];
        self.transpose_multiply(alpha, v, &mut sums);
        let factor = self.shrink(v, &sums);
        if factor < 1.0 {
            for values in [&mut *alpha, &mut *v, &mut sums] {
                values.iter_mut().for_each(|x| *x *= factor);
            }
        }
        let conjugate = if self.penalty.lambda2 > 0.0 { self.conjugate(v, &sums) } else { 0.0 };
        (losses.gain(alpha) - conjugate, factor)
    }
}

#[cfg(test)]
mod tests {
    use infimum_problem::{DenseMatrix, Silent};

    use super::*;
    use crate::cholesky::Cholesky;
    use crate::direction::Direction;
    use crate::first_order::random;
    use crate::hessian::hessian_and_pull;
    use crate::losses::{Logistic, Poisson};
    use crate::scalar::ScalarLosses;
    use crate::smooth::SmoothLosses;

    const ROWS: usize = 200;
    const COLUMNS: usize = 3;

    /// After an exact Newton step the bound without a product is the bound with it, to the last places.
    fn same_bounds(intercept: Intercept, losses: &impl SmoothLosses, weights: &[f64]) {
        let mut state = 3;
        let mut uniform = || (random(&mut state) >> 11) as f64 / (1u64 << 52) as f64 - 1.0;
        let values: Vec<f64> = (0..ROWS * COLUMNS).map(|_| uniform()).collect();
        let matrix = Matrix::Dense(DenseMatrix { rows: ROWS, columns: COLUMNS, values: values.into() });
        let scales = [0.5, 1.0, 3.0];
        let penalty = Penalty { lambda1: 0.0, lambda2: 2.0, scales: Some(&scales) };
        let frame = Frame {
            kernel: None,
            dictionary: None,
            matrix: &matrix,
            weights,
            penalty,
            intercept,
            outputs: 1,
            monitor: &Silent,
        };
        let constant = frame.has_intercept();
        let point = Point { weights: vec![0.1, -0.2, 0.05], intercepts: vec![if constant { 0.1 } else { 0.0 }] };
        let (mut z, mut alpha, mut curvature) = (vec![0.0; ROWS], vec![0.0; ROWS], vec![0.0; ROWS]);
        frame.upper(losses, &point, &mut z);
        losses.derivatives(&z, 0.0, &mut alpha, &mut curvature);
        let (mut v, mut sums) = (vec![0.0; COLUMNS], vec![0.0]);
        let hessian = hessian_and_pull(&frame, losses, &curvature, &alpha, &mut v, &mut sums);
        let mut flat = Direction::negative_gradient(&frame, &point, &v, &sums).flatten(constant);
        Cholesky::new(hessian, 0.0).expect("finite").solve(&mut flat);
        let step = Direction::from_flat(&flat, COLUMNS, 1, constant);
        let mut dz = vec![0.0; ROWS];
        design::multiply(&matrix, &step.weights, &step.intercepts, &mut dz);
        losses.subtract_curved(&curvature, &dz, 1, &mut alpha);
        let mut minimiser = point.clone();
        step.apply(1.0, &mut minimiser);
        let known = frame.lower_of_model(losses, &mut alpha.clone(), &minimiser).expect("no row leaves its domain");
        let (made, _) = frame.lower(losses, &mut alpha, &mut v);
        assert!(known > 0.0 && (known - made).abs() <= 1e-12 * made, "{intercept:?}: {known} {made}");
        let unpenalised = Frame { penalty: Penalty { lambda2: 0.0, ..frame.penalty }, ..frame };
        assert!(unpenalised.lower_of_model(losses, &mut alpha.clone(), &minimiser).is_none());
        alpha[0] = 1e3;
        assert!(frame.lower_of_model(losses, &mut alpha, &minimiser).is_none());
    }

    #[test]
    fn bounds_of_exact_steps_need_no_product() {
        let weights: Vec<f64> = (0..ROWS).map(|i| 1.0 + (i % 3) as f64).collect();
        let signs: Vec<f64> = (0..ROWS).map(|i| if i % 7 < 3 { 1.0 } else { -1.0 }).collect();
        let counts: Vec<f64> = (0..ROWS).map(|i| (i % 5) as f64).collect();
        for intercept in [Intercept::None, Intercept::Penalized, Intercept::Free] {
            let losses = ScalarLosses { loss: Logistic, targets: &signs, weights: &weights, is_margin: true };
            same_bounds(intercept, &losses, &weights);
            let losses = ScalarLosses { loss: Poisson, targets: &counts, weights: &weights, is_margin: false };
            same_bounds(intercept, &losses, &weights);
        }
    }
}
