//! Epsilon-insensitive loss `max(0, |z − y| − ε)`; g = yα − ε|α| for |α| ≤ c.

use super::{HingeTerm, ScalarLoss};

/// Epsilon-insensitive loss with its ε.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Epsilon(pub(crate) f64);

impl ScalarLoss for Epsilon {
    const SMOOTH: bool = false;

    #[inline(always)]
    fn value(self, y: f64, z: f64) -> f64 {
        ((z - y).abs() - self.0).max(0.0)
    }

    #[inline(always)]
    fn slope(self, y: f64, z: f64) -> f64 {
        let r = z - y;
        if r.abs() > self.0 { r.signum() } else { 0.0 }
    }

    #[inline(always)]
    fn domain(self, _y: f64, c: f64) -> (f64, f64) {
        (-c, c)
    }

    #[inline(always)]
    fn gain(self, y: f64, _c: f64, alpha: f64) -> f64 {
        y * alpha - self.0 * alpha.abs()
    }

    #[inline(always)]
    fn gain_magnitude(self, y: f64, _c: f64, alpha: f64) -> f64 {
        (y.abs() + self.0) * alpha.abs()
    }

    #[inline(always)]
    fn gain_slope(self, y: f64, _c: f64, alpha: f64) -> f64 {
        y - self.0 * alpha.signum()
    }

    fn hinge(self, part: usize, y: f64, c: f64) -> Option<HingeTerm> {
        match part {
            0 => Some(HingeTerm { sign: 1.0, offset: y - self.0, weight: c }),
            1 => Some(HingeTerm { sign: -1.0, offset: -(y + self.0), weight: c }),
            _ => None,
        }
    }

    fn quadratic(self, _c: f64) -> Option<(f64, f64)> {
        Some((self.0, 0.0))
    }

    /// Soft thresholding by ε, then the box.
    #[inline(always)]
    fn dual_step(self, y: f64, c: f64, alpha: f64, slope: f64, curvature: f64) -> f64 {
        let pull = y - slope + curvature * alpha;
        let excess = (pull.abs() - self.0).max(0.0);
        if curvature > 0.0 {
            return (pull.signum() * (excess / curvature)).clamp(-c, c);
        }
        if excess > 0.0 { pull.signum() * c } else { 0.0 }
    }
}
