//! Quantile (pinball) loss `τ max(0, −r) + (1 − τ) max(0, r)`, r = z − y; g = yα for −c(1 − τ) ≤ α ≤ c·τ.

use super::{HingeTerm, ScalarLoss, product_down};

/// Quantile loss with its τ.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Quantile(pub(crate) f64);

impl ScalarLoss for Quantile {
    const SMOOTH: bool = false;

    #[inline(always)]
    fn value(self, y: f64, z: f64) -> f64 {
        let r = z - y;
        if r > 0.0 { (1.0 - self.0) * r } else { -self.0 * r }
    }

    #[inline(always)]
    fn slope(self, y: f64, z: f64) -> f64 {
        match z - y {
            r if r > 0.0 => 1.0 - self.0,
            r if r < 0.0 => -self.0,
            _ => 0.0,
        }
    }

    /// Numbers inside the exact bounds: c − cτ is rounded twice after the product's error is taken out.
    #[inline(always)]
    fn domain(self, _y: f64, c: f64) -> (f64, f64) {
        let product = c * self.0;
        let below = ((c - product) - c.mul_add(self.0, -product)).next_down().next_down();
        (-below.max(0.0), product_down(c, self.0))
    }

    #[inline(always)]
    fn gain(self, y: f64, _c: f64, alpha: f64) -> f64 {
        y * alpha
    }

    #[inline(always)]
    fn gain_magnitude(self, y: f64, _c: f64, alpha: f64) -> f64 {
        (y * alpha).abs()
    }

    #[inline(always)]
    fn gain_slope(self, y: f64, _c: f64, _alpha: f64) -> f64 {
        y
    }

    fn hinge(self, part: usize, y: f64, c: f64) -> Option<HingeTerm> {
        match part {
            0 => Some(HingeTerm { sign: 1.0, offset: y, weight: c * self.0 }),
            1 => Some(HingeTerm { sign: -1.0, offset: -y, weight: c * (1.0 - self.0) }),
            _ => None,
        }
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
