//! Squared hinge loss `max(0, 1 − m)²`, m = y·z (no factor ½).

use super::ScalarLoss;

/// Squared hinge loss.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SquaredHinge;

impl ScalarLoss for SquaredHinge {
    const SMOOTH: bool = true;

    #[inline(always)]
    fn max_curvature(self) -> f64 {
        2.0
    }

    #[inline(always)]
    fn value(self, y: f64, z: f64) -> f64 {
        let short = (1.0 - y * z).max(0.0);
        short * short
    }

    #[inline(always)]
    fn slope(self, y: f64, z: f64) -> f64 {
        -2.0 * y * (1.0 - y * z).max(0.0)
    }

    #[inline(always)]
    fn curvature(self, y: f64, z: f64) -> f64 {
        if y * z < 1.0 { 2.0 } else { 0.0 }
    }

    #[inline(always)]
    fn domain(self, y: f64, _c: f64) -> (f64, f64) {
        if y > 0.0 { (0.0, f64::INFINITY) } else { (f64::NEG_INFINITY, 0.0) }
    }

    #[inline(always)]
    fn gain(self, y: f64, c: f64, alpha: f64) -> f64 {
        y * alpha - alpha * alpha / (4.0 * c)
    }

    #[inline(always)]
    fn gain_magnitude(self, _y: f64, c: f64, alpha: f64) -> f64 {
        alpha.abs() + alpha * alpha / (4.0 * c)
    }

    #[inline(always)]
    fn gain_slope(self, y: f64, c: f64, alpha: f64) -> f64 {
        y - alpha / (2.0 * c)
    }

    fn quadratic(self, c: f64) -> Option<(f64, f64)> {
        Some((0.0, 0.5 / c))
    }

    #[inline(always)]
    fn dual_step(self, y: f64, c: f64, alpha: f64, slope: f64, curvature: f64) -> f64 {
        let (low, high) = self.domain(y, c);
        ((y - slope + curvature * alpha) / (curvature + 0.5 / c)).clamp(low, high)
    }
}
