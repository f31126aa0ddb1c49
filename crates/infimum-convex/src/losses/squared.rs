//! Squared loss `½ (z − y)²`.

use super::ScalarLoss;

/// Squared loss.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Squared;

impl ScalarLoss for Squared {
    const SMOOTH: bool = true;
    const QUADRATIC: bool = true;

    #[inline(always)]
    fn max_curvature(self) -> f64 {
        1.0
    }

    #[inline(always)]
    fn value(self, y: f64, z: f64) -> f64 {
        0.5 * (z - y) * (z - y)
    }

    #[inline(always)]
    fn slope(self, y: f64, z: f64) -> f64 {
        z - y
    }

    #[inline(always)]
    fn curvature(self, _y: f64, _z: f64) -> f64 {
        1.0
    }

    #[inline(always)]
    fn gain(self, y: f64, c: f64, alpha: f64) -> f64 {
        alpha * (y - alpha / (2.0 * c))
    }

    #[inline(always)]
    fn gain_magnitude(self, y: f64, c: f64, alpha: f64) -> f64 {
        (y * alpha).abs() + alpha * alpha / (2.0 * c)
    }

    #[inline(always)]
    fn gain_slope(self, y: f64, c: f64, alpha: f64) -> f64 {
        y - alpha / c
    }

    fn quadratic(self, c: f64) -> Option<(f64, f64)> {
        Some((0.0, 1.0 / c))
    }

    #[inline(always)]
    fn dual_step(self, y: f64, c: f64, alpha: f64, slope: f64, curvature: f64) -> f64 {
        (y - slope + curvature * alpha) / (curvature + 1.0 / c)
    }
}
