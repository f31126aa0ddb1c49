//! Half the Poisson deviance with the logarithmic link, `exp(z) − y z + y ln y − y` (0 ln 0 = 0), y ≥ 0.
//!
//! g(α) = min_z [c·loss + αz] is attained where c·exp(z) = q := c y − α, for q > 0: g = q − q ln(q/c) + c (y ln y − y). Without the
//! cancellation of large terms, for y > 0: `g = α ln y + c y·h(q/(c y))` with h(s) = s − 1 − s ln s ≤ 0. At q = 0 the infimum is the
//! limit, and for q < 0 it is −∞: the domain is α ≤ c y.

use super::{ScalarLoss, product_down};
use crate::elementary::{exp, exp_m1, ln, ln_1p};

/// Half the Poisson deviance.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Poisson;

/// Terms of the gain: `α ln y` and `c y·h(q/(c y))` for y > 0; 0 and `q − q ln(q/c)` for y = 0.
#[inline(always)]
fn gain_terms(y: f64, c: f64, alpha: f64) -> (f64, f64) {
    // h(1 − d) = −d − (1 − d) ln(1 − d); far from d = 0 and where y = 0 the logarithm of another number is taken.
    let d = alpha / (c * y);
    let near = ln_1p(-d.clamp(-1.0, 0.5));
    let q = (-alpha).max(0.0);
    let far = ln(if y > 0.0 { 1.0 - d } else { q / c });
    let logarithm = if (-1.0..=0.5).contains(&d) { near } else { far };
    let h = if d < 1.0 { -d - (1.0 - d) * logarithm } else { -1.0 };
    let limit = if q > 0.0 { q - q * far } else { 0.0 };
    if y > 0.0 { (alpha * ln(y), c * y * h) } else { (0.0, limit) }
}

impl ScalarLoss for Poisson {
    const SMOOTH: bool = true;

    /// With t = z − ln y the loss is `y (exp(t) − 1 − t)`.
    #[inline(always)]
    fn value(self, y: f64, z: f64) -> f64 {
        // Of one argument: then both exponentials are made from one.
        let t = if y > 0.0 { z - ln(y) } else { z };
        if y > 0.0 { y * (exp_m1(t) - t) } else { exp(t) }
    }

    #[inline(always)]
    fn slope(self, y: f64, z: f64) -> f64 {
        exp(z) - y
    }

    #[inline(always)]
    fn curvature(self, _y: f64, z: f64) -> f64 {
        exp(z)
    }

    /// `|exp(z ± e) − y| ≤ |exp(z) − y| + exp(z) (exp(e) − 1)`.
    #[inline(always)]
    fn steepest(self, y: f64, z: f64, error: f64) -> f64 {
        let mass = exp(z);
        if error <= 1.0 { (mass - y).abs() + 2.0 * error * mass } else { f64::INFINITY }
    }

    #[inline(always)]
    fn rounding(self, y: f64, z: f64) -> f64 {
        let scale = if y > 0.0 { ln(y).abs() } else { 0.0 };
        8.0 * f64::EPSILON * (1.0 + scale + z.abs())
    }

    #[inline(always)]
    fn constant(self, mean: f64) -> f64 {
        mean.ln()
    }

    #[inline(always)]
    fn domain(self, y: f64, c: f64) -> (f64, f64) {
        (f64::NEG_INFINITY, product_down(c, y))
    }

    #[inline(always)]
    fn gain(self, y: f64, c: f64, alpha: f64) -> f64 {
        let (linear, rest) = gain_terms(y, c, alpha);
        linear + rest
    }

    /// A quarter of the terms that a rounded ln enters: that covers the checker's ln (2^-49) more than twice.
    #[inline(always)]
    fn gain_magnitude(self, y: f64, c: f64, alpha: f64) -> f64 {
        let (linear, rest) = gain_terms(y, c, alpha);
        0.25 * linear.abs() + rest.abs() + alpha.abs()
    }

    #[inline(always)]
    fn gain_slope(self, y: f64, c: f64, alpha: f64) -> f64 {
        ((c * y - alpha).max(f64::MIN_POSITIVE) / c).ln()
    }

    /// With α = c (y − exp t), g′(α) = t: the root of `t − slope + curvature·(c exp t − q₀)`, q₀ = c y − alpha, which is convex and
    /// rises at least as fast as t. It lies between slope and ln(q₀/c), and where c exp t = q₀ + (slope − t)/curvature; from above
    /// Newton's method comes down to it.
    fn dual_step(self, y: f64, c: f64, alpha: f64, slope: f64, curvature: f64) -> f64 {
        let start = (c * y - alpha).max(f64::MIN_POSITIVE);
        let old = (start / c).ln();
        let reach = ((start + (slope - old).max(0.0) / curvature) / c).ln();
        // An exponent that large means columns of absurd size: exp stays finite.
        let mut t = slope.max(old).min(reach).min(600.0);
        for _ in 0..100 {
            let mass = curvature * c * t.exp();
            let step = (t - slope + mass - curvature * start) / (1.0 + mass);
            t -= step;
            if !(step.abs() > 1e-14 * (1.0 + t.abs())) {
                break;
            }
        }
        (c * (y - t.exp())).min(self.domain(y, c).1)
    }
}

#[cfg(test)]
mod tests {
    use super::{Poisson, ScalarLoss};

    #[test]
    fn a_dual_step_ends_where_the_slope_vanishes() {
        for y in [0.0, 1e-3, 1.0, 40.0, 1e7] {
            for c in [0.01, 1.0, 30.0] {
                for old in [-20.0f64, -1.0, 0.0, 3.0, 15.0] {
                    for slope in [-300.0, -2.0, 0.0, 0.5, 9.0, 250.0] {
                        for curvature in [1e-8, 0.3, 1e6] {
                            let alpha = c * (y - old.exp());
                            let next = Poisson.dual_step(y, c, alpha, slope, curvature);
                            assert!(next.is_finite() && next <= Poisson.domain(y, c).1);
                            let rise = |a: f64| Poisson.gain_slope(y, c, a) - slope - curvature * (a - alpha);
                            let width = 1e-9 * (next.abs() + c * y + alpha.abs() + 1e-290);
                            let top = (next + width).min(c * y);
                            let place =
                                format!("y {y:e} c {c} old {old} slope {slope} curvature {curvature:e}: {next:e}");
                            assert!(rise(next - width) >= 0.0, "{place}");
                            assert!(top < next + width || rise(top) <= 0.0, "{place}");
                        }
                    }
                }
            }
        }
    }
}
