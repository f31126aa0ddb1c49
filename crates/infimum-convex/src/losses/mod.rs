//! Losses as the solvers see them. One file per loss; nothing else in this crate knows a formula of a loss.
//!
//! Conventions (docs/certificates.md): `c > 0` is the example's weight, `z` the model's output, `y` the target (±1 for
//! margin losses). A dual value is `alpha`, at an optimum `alpha = −c·loss′(z)`; the dual gain of one example is
//! `g(alpha) = min_z [c·loss(y, z) + alpha·z]`, concave, and −∞ outside its domain.

mod epsilon;
mod hinge;
mod huber;
mod logistic;
mod poisson;
mod quantile;
mod softmax;
mod squared;
mod squared_epsilon;
mod squared_hinge;

pub(crate) use epsilon::Epsilon;
pub(crate) use hinge::Hinge;
pub(crate) use huber::Huber;
pub(crate) use logistic::Logistic;
pub(crate) use poisson::Poisson;
pub(crate) use quantile::Quantile;
pub(crate) use softmax::Softmax;
pub(crate) use squared::Squared;
pub(crate) use squared_epsilon::SquaredEpsilon;
pub(crate) use squared_hinge::SquaredHinge;

/// `$body` with `$loss` bound to the one-output loss that `$name` means. Softmax is none: callers take it out before.
macro_rules! with_scalar_loss {
    ($name:expr, |$loss:ident| $body:expr) => {{
        macro_rules! with {
            ($value:expr) => {{
                let $loss = $value;
                $body
            }};
        }
        match $name {
            infimum_problem::Loss::Logistic => with!($crate::losses::Logistic),
            infimum_problem::Loss::Hinge => with!($crate::losses::Hinge),
            infimum_problem::Loss::SquaredHinge => with!($crate::losses::SquaredHinge),
            infimum_problem::Loss::Epsilon(epsilon) => with!($crate::losses::Epsilon(epsilon)),
            infimum_problem::Loss::SquaredEpsilon(epsilon) => with!($crate::losses::SquaredEpsilon(epsilon)),
            infimum_problem::Loss::Huber(delta) => with!($crate::losses::Huber(delta)),
            infimum_problem::Loss::Poisson => with!($crate::losses::Poisson),
            infimum_problem::Loss::Quantile(tau) => with!($crate::losses::Quantile(tau)),
            infimum_problem::Loss::Squared | infimum_problem::Loss::Softmax => with!($crate::losses::Squared),
        }
    }};
}
pub(crate) use with_scalar_loss;

/// `weight·max(0, offset − sign·z)`.
#[derive(Debug, Clone, Copy)]
pub struct HingeTerm {
    /// ±1.
    pub sign: f64,
    /// Margin `sign·z` from which on the term is 0.
    pub offset: f64,
    /// ≥ 0.
    pub weight: f64,
}

/// `a·b` rounded to nearest, or its lower neighbour where that is larger than the product.
#[inline(always)]
fn product_down(a: f64, b: f64) -> f64 {
    let product = a * b;
    if a.mul_add(b, -product) < 0.0 { product.next_down() } else { product }
}

/// A loss of one number. Every solver is compiled for every loss.
pub(crate) trait ScalarLoss: Copy + Send + Sync + 'static {
    /// Whether `slope` is continuous.
    const SMOOTH: bool;
    /// Whether `curvature` is 1 everywhere.
    const QUADRATIC: bool = false;
    /// Upper bound on `curvature`; infinite if there is none.
    #[inline(always)]
    fn max_curvature(self) -> f64 {
        f64::INFINITY
    }

    /// `loss(y, z)`.
    fn value(self, y: f64, z: f64) -> f64;

    /// `∂loss/∂z`; for hinge one element of the subdifferential.
    fn slope(self, y: f64, z: f64) -> f64;

    /// `∂²loss/∂z²`, where it does not exist one element of the generalised Hessian.
    #[inline(always)]
    fn curvature(self, _y: f64, _z: f64) -> f64 {
        0.0
    }

    /// `(slope, curvature)` at once.
    #[inline(always)]
    fn slopes(self, y: f64, z: f64) -> (f64, f64) {
        (self.slope(y, z), self.curvature(y, z))
    }

    /// Curvature at z of a parabola that touches the loss there and lies above it, where one is used to keep Newton's system
    /// regular; 0 for losses that need none.
    #[inline(always)]
    fn majorant(self, _y: f64, _z: f64) -> f64 {
        0.0
    }

    /// Bound on what rounding takes from an output `z`, or from what it is compared with.
    #[inline(always)]
    fn rounding(self, y: f64, z: f64) -> f64 {
        4.0 * f64::EPSILON * (1.0 + y.abs() + z.abs())
    }

    /// Bound on |slope| at outputs that differ from z by no more than `error`; may be infinite for errors that no rounding makes.
    #[inline(always)]
    fn steepest(self, y: f64, z: f64, error: f64) -> f64 {
        if self.max_curvature().is_finite() {
            self.slope(y, z).abs() + self.max_curvature() * error
        } else {
            // Convex: the steeper of the slopes at the ends.
            self.slope(y, z - error).abs().max(self.slope(y, z + error).abs())
        }
    }

    /// The best constant output for targets of the given mean, where it is a better start than 0; else 0. −∞ where no constant is
    /// the best.
    #[inline(always)]
    fn constant(self, _mean: f64) -> f64 {
        0.0
    }

    /// Smallest and largest `alpha` in the domain of `g`; 0 always lies between them.
    #[inline(always)]
    fn domain(self, _y: f64, _c: f64) -> (f64, f64) {
        (f64::NEG_INFINITY, f64::INFINITY)
    }

    /// `g(alpha)` for `alpha` in the domain.
    fn gain(self, y: f64, c: f64, alpha: f64) -> f64;

    /// Largest magnitude among the terms that `gain` adds up, for the rounding margin of a claim.
    fn gain_magnitude(self, y: f64, c: f64, alpha: f64) -> f64;

    /// `g′(alpha)` inside the domain.
    fn gain_slope(self, y: f64, c: f64, alpha: f64) -> f64;

    /// `(ε, q)` if `g(alpha) = y·alpha − ε|alpha| − q·alpha²/2` on its domain: what the dual of a kernel problem can be made of.
    fn quadratic(self, _c: f64) -> Option<(f64, f64)> {
        None
    }

    /// Part 0 or 1 of a loss that is a sum of at most two hinges; `None` for other losses and parts.
    fn hinge(self, _part: usize, _y: f64, _c: f64) -> Option<HingeTerm> {
        None
    }

    /// `argmax_a [g(a) − a·slope − (a − alpha)²·curvature/2]`, the exact step of one dual coordinate whose smooth part
    /// has the given slope at `alpha` and the given curvature ≥ 0.
    fn dual_step(self, y: f64, c: f64, alpha: f64, slope: f64, curvature: f64) -> f64;
}

#[cfg(test)]
mod tests {
    use infimum_problem::Loss;

    use super::ScalarLoss;

    /// No slope within the error is steeper than is said.
    #[test]
    fn steepest_slopes_are_bounds() {
        for loss in Loss::ALL.into_iter().filter(|&loss| loss != Loss::Softmax) {
            let targets: &[f64] = if loss.is_margin() { &[-1.0, 1.0] } else { &[0.0, 0.3, 4.0] };
            with_scalar_loss!(loss, |scalar| {
                for &y in targets {
                    for z in [-5.0, -1.0, -0.3, 0.0, 0.2, 0.9, 1.0, 3.0, 6.0] {
                        for error in [0.0, 1e-12, 1e-3, 0.7, 1.0] {
                            let steepest = scalar.steepest(y, z, error);
                            for step in -8..=8 {
                                let slope = scalar.slope(y, z + error * f64::from(step) / 8.0).abs();
                                assert!(slope <= steepest * (1.0 + 1e-14) + 1e-14, "{} {y} {z} {error}", loss.name());
                            }
                        }
                    }
                }
            });
        }
    }
}
