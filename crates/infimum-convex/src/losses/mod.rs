//! Losses as the solvers see them. One file per loss; nothing else in this crate knows a formula of a loss.
//!
//! Conventions (docs/certificates.md): `c > 0` is the example's weight, `z` the model's output, `y` the target (±1 for
//! margin losses). A dual value is `alpha`, at an optimum `alpha = −c·loss′(z)`; the dual gain of one example is
//! `g(alpha) = min_z [c·loss(y, z) + alpha·z]`, concave, and −∞ outside its domain.

mod hinge;
mod logistic;
mod softmax;
mod squared;
mod squared_hinge;

pub(crate) use hinge::Hinge;
pub(crate) use logistic::Logistic;
pub(crate) use softmax::Softmax;
pub(crate) use squared::Squared;
pub(crate) use squared_hinge::SquaredHinge;

/// A loss of one number. Implementations are zero-sized, so that every solver is compiled for every loss.
pub(crate) trait ScalarLoss: Copy + Send + Sync + 'static {
    /// Whether `slope` is continuous (all but hinge).
    const SMOOTH: bool;
    /// Whether `curvature` is 1 everywhere.
    const QUADRATIC: bool = false;
    /// Upper bound on `curvature`.
    const MAX_CURVATURE: f64;

    /// `loss(y, z)`.
    fn value(self, y: f64, z: f64) -> f64;

    /// `∂loss/∂z`; for hinge one element of the subdifferential.
    fn slope(self, y: f64, z: f64) -> f64;

    /// `∂²loss/∂z²`, where it does not exist one element of the generalised Hessian.
    fn curvature(self, y: f64, z: f64) -> f64;

    /// `(loss, slope, curvature)` at once.
    #[inline(always)]
    fn all(self, y: f64, z: f64) -> (f64, f64, f64) {
        (self.value(y, z), self.slope(y, z), self.curvature(y, z))
    }

    /// Smallest and largest `alpha` in the domain of `g`; 0 always lies between them.
    fn domain(self, y: f64, c: f64) -> (f64, f64);

    /// `g(alpha)` for `alpha` in the domain.
    fn gain(self, y: f64, c: f64, alpha: f64) -> f64;

    /// Largest magnitude among the terms that `gain` adds up, for the rounding margin of a claim.
    fn gain_magnitude(self, y: f64, c: f64, alpha: f64) -> f64;

    /// `argmax_a [g(a) − a·slope − (a − alpha)²·curvature/2]`, the exact step of one dual coordinate whose smooth part
    /// has the given slope at `alpha` and the given curvature ≥ 0.
    fn dual_step(self, y: f64, c: f64, alpha: f64, slope: f64, curvature: f64) -> f64;
}
