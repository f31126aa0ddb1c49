//! `½ r²` where |r| ≤ δ, else `δ |r| − ½ δ²`, r = z − y; g = yα − α²/(2c) for |α| ≤ c·δ.

use infimum_rigor::{Interval, Sum};

use super::{ScalarLoss, exceeds_product};

pub(super) struct Huber(pub(super) f64);

impl ScalarLoss for Huber {
    fn upper(&self, y: f64, z: Interval) -> f64 {
        // Increasing in |r|: the largest |r| decides, and on which branch it lies is a comparison of numbers.
        let r = Interval::point((z - Interval::point(y)).abs().upper);
        let (half, delta) = (Interval::point(0.5), Interval::point(self.0));
        if r.upper <= self.0 { (half * r.square()).upper } else { (delta * (r - half * delta)).upper }
    }

    fn outside(&self, _y: f64, c: f64, alpha: f64) -> Option<String> {
        exceeds_product(alpha.abs(), c, self.0)
            .then(|| format!("|α| = {:e} is more than c·δ = {c:e}·{}", alpha.abs(), self.0))
    }

    fn add_gain(&self, sum: &mut Sum, y: f64, c: f64, alpha: f64) {
        sum.add_product(y, alpha);
        let two_c = Interval::point(2.0) * Interval::point(c);
        sum.add(-Interval::point(alpha).square().divide_by_positive(two_c).upper);
    }
}

#[cfg(test)]
mod tests {
    use infimum_rigor::{Interval, Sum};

    use super::{Huber, ScalarLoss};

    /// Weak duality row by row, with equality at z = y − α/c; the domain ends exactly at c·δ.
    #[test]
    fn gains_are_below_and_tight() {
        for (y, c, delta) in [(0.0, 1.0, 1.35), (-3.5, 0.1, 0.3), (1e6, 40.0, 1e-3), (2.0, 3.0, 1e3)] {
            let loss = Huber(delta);
            for share in [-1.0, -0.4, 0.0, 1e-9, 0.7, 1.0] {
                let alpha = share * (c * delta).next_down();
                assert_eq!(loss.outside(y, c, alpha), None);
                let mut sum = Sum::new();
                loss.add_gain(&mut sum, y, c, alpha);
                let gain = sum.enclose().lower;
                let size = 1e-14 * (1.0 + (y * alpha).abs() + c * delta * (delta + y.abs()));
                for shift in [-10.0 * delta, -delta, -1e-3, 0.0, 0.2, 3.0 * delta] {
                    let z = y - alpha / c + shift;
                    let value = c * loss.upper(y, Interval::point(z)) + alpha * z;
                    assert!(gain <= value + size, "{y} {c} {delta} {alpha} {z}: {gain:e} {value:e}");
                    assert!(shift != 0.0 || gain >= value - size, "{y} {c} {delta} {alpha}: {gain:e} {value:e}");
                }
            }
            assert!(loss.outside(y, c, (c * delta).next_up()).is_some() && loss.outside(y, c, f64::NAN).is_some());
        }
        assert!(Huber(1.0).upper(0.0, Interval::new(-3.0, 0.5)) >= 2.5);
    }
}
