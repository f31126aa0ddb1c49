//! Squared epsilon-insensitive loss `max(0, |z − y| − ε)²`; g = yα − ε|α| − α²/(4c) for every α.

use super::ScalarLoss;

/// Squared epsilon-insensitive loss with its ε.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SquaredEpsilon(pub(crate) f64);

impl ScalarLoss for SquaredEpsilon {
    const SMOOTH: bool = true;

    #[inline(always)]
    fn max_curvature(self) -> f64 {
        2.0
    }

    #[inline(always)]
    fn value(self, y: f64, z: f64) -> f64 {
        let excess = ((z - y).abs() - self.0).max(0.0);
        excess * excess
    }

    #[inline(always)]
    fn slope(self, y: f64, z: f64) -> f64 {
        let r = z - y;
        2.0 * r.signum() * (r.abs() - self.0).max(0.0)
    }

    #[inline(always)]
    fn curvature(self, y: f64, z: f64) -> f64 {
        if (z - y).abs() > self.0 { 2.0 } else { 0.0 }
    }

    #[inline(always)]
    fn gain(self, y: f64, c: f64, alpha: f64) -> f64 {
        y * alpha - self.0 * alpha.abs() - alpha * alpha / (4.0 * c)
    }

    #[inline(always)]
    fn gain_magnitude(self, y: f64, c: f64, alpha: f64) -> f64 {
        (y.abs() + self.0) * alpha.abs() + alpha * alpha / (4.0 * c)
    }

    #[inline(always)]
    fn gain_slope(self, y: f64, c: f64, alpha: f64) -> f64 {
        y - self.0 * alpha.signum() - alpha / (2.0 * c)
    }

    fn quadratic(self, c: f64) -> Option<(f64, f64)> {
        Some((self.0, 0.5 / c))
    }

    #[inline(always)]
    fn dual_step(self, y: f64, c: f64, alpha: f64, slope: f64, curvature: f64) -> f64 {
        let pull = y - slope + curvature * alpha;
        pull.signum() * (pull.abs() - self.0).max(0.0) / (curvature + 0.5 / c)
    }
}
