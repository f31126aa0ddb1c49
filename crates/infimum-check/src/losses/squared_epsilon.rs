//! `max(0, |z − y| − ε)²`; g = yα − ε|α| − α²/(4c) for every α.

use infimum_rigor::{Interval, Sum};

use super::ScalarLoss;
use super::epsilon::excess;

pub(super) struct SquaredEpsilon(pub(super) f64);

impl ScalarLoss for SquaredEpsilon {
    fn upper(&self, y: f64, z: Interval) -> f64 {
        excess(self.0, y, z).square().upper
    }

    fn outside(&self, _y: f64, _c: f64, alpha: f64) -> Option<String> {
        (!alpha.is_finite()).then(|| format!("α = {alpha} is not finite"))
    }

    fn add_gain(&self, sum: &mut Sum, y: f64, c: f64, alpha: f64) {
        sum.add_product(y, alpha);
        sum.add_product(-self.0, alpha.abs());
        let four_c = Interval::point(4.0) * Interval::point(c);
        sum.add(-Interval::point(alpha).square().divide_by_positive(four_c).upper);
    }
}
