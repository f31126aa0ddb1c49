//! Huber loss: `½ r²` where |r| ≤ δ, else `δ |r| − ½ δ²`, r = z − y; g = yα − α²/(2c) for |α| ≤ c·δ.

use super::{ScalarLoss, product_down};

/// Huber loss with its δ.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Huber(pub(crate) f64);

impl ScalarLoss for Huber {
    const SMOOTH: bool = true;

    #[inline(always)]
    fn max_curvature(self) -> f64 {
        1.0
    }

    #[inline(always)]
    fn value(self, y: f64, z: f64) -> f64 {
        let r = (z - y).abs();
        if r <= self.0 { 0.5 * r * r } else { self.0 * (r - 0.5 * self.0) }
    }

    #[inline(always)]
    fn slope(self, y: f64, z: f64) -> f64 {
        (z - y).clamp(-self.0, self.0)
    }

    #[inline(always)]
    fn curvature(self, y: f64, z: f64) -> f64 {
        if (z - y).abs() <= self.0 { 1.0 } else { 0.0 }
    }

    /// δ/|r|: the parabola through the same point with the same slope lies above the loss (Huber & Ronchetti, *Robust
    /// Statistics*, 2009, section 7.8).
    #[inline(always)]
    fn majorant(self, y: f64, z: f64) -> f64 {
        self.0 / (z - y).abs().max(self.0)
    }

    #[inline(always)]
    fn domain(self, _y: f64, c: f64) -> (f64, f64) {
        let bound = product_down(c, self.0);
        (-bound, bound)
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
        let (low, high) = self.domain(y, c);
        ((y - slope + curvature * alpha) / (curvature + 1.0 / c)).clamp(low, high)
    }
}
