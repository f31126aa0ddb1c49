//! `½ (z − y)²`; g = yα − α²/(2c) for every α.

use infimum_rigor::{Interval, Sum};

use super::ScalarLoss;

pub(super) struct Squared;

impl ScalarLoss for Squared {
    fn upper(&self, y: f64, z: Interval) -> f64 {
        (Interval::point(0.5) * (z - Interval::point(y)).square()).upper
    }

    fn outside(&self, _y: f64, _c: f64, alpha: f64) -> Option<String> {
        (!alpha.is_finite()).then(|| format!("α = {alpha} is not finite"))
    }

    fn add_gain(&self, sum: &mut Sum, y: f64, c: f64, alpha: f64) {
        sum.add_product(y, alpha);
        let two_c = Interval::point(2.0) * Interval::point(c);
        sum.add(-Interval::point(alpha).square().divide_by_positive(two_c).upper);
    }
}
