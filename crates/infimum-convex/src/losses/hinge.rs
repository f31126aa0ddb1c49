//! Hinge loss `max(0, 1 − m)`, m = y·z.

use super::{HingeTerm, ScalarLoss};

/// Hinge loss.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hinge;

impl ScalarLoss for Hinge {
    const SMOOTH: bool = false;

    #[inline(always)]
    fn value(self, y: f64, z: f64) -> f64 {
        (1.0 - y * z).max(0.0)
    }

    #[inline(always)]
    fn slope(self, y: f64, z: f64) -> f64 {
        if y * z < 1.0 { -y } else { 0.0 }
    }

    #[inline(always)]
    fn domain(self, y: f64, c: f64) -> (f64, f64) {
        if y > 0.0 { (0.0, c) } else { (-c, 0.0) }
    }

    #[inline(always)]
    fn gain(self, y: f64, _c: f64, alpha: f64) -> f64 {
        y * alpha
    }

    #[inline(always)]
    fn gain_magnitude(self, _y: f64, _c: f64, alpha: f64) -> f64 {
        alpha.abs()
    }

    #[inline(always)]
    fn gain_slope(self, y: f64, _c: f64, _alpha: f64) -> f64 {
        y
    }

    fn hinge(self, part: usize, y: f64, c: f64) -> Option<HingeTerm> {
        (part == 0).then_some(HingeTerm { sign: y, offset: 1.0, weight: c })
    }

    fn quadratic(self, _c: f64) -> Option<(f64, f64)> {
        Some((0.0, 0.0))
    }

    #[inline(always)]
    fn dual_step(self, y: f64, c: f64, alpha: f64, slope: f64, curvature: f64) -> f64 {
        let (low, high) = self.domain(y, c);
        if curvature > 0.0 {
            return (alpha + (y - slope) / curvature).clamp(low, high);
        }
        match y - slope {
            rise if rise > 0.0 => high,
            rise if rise < 0.0 => low,
            _ => alpha,
        }
    }
}
