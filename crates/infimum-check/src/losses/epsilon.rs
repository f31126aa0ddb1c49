//! `max(0, |z − y| − ε)`; g = yα − ε|α| for |α| ≤ c.

use infimum_rigor::{Interval, Sum};

use super::ScalarLoss;

pub(super) struct Epsilon(pub(super) f64);

/// `max(0, |z − y| − ε)`.
pub(super) fn excess(epsilon: f64, y: f64, z: Interval) -> Interval {
    ((z - Interval::point(y)).abs() - Interval::point(epsilon)).positive_part()
}

impl ScalarLoss for Epsilon {
    fn upper(&self, y: f64, z: Interval) -> f64 {
        excess(self.0, y, z).upper
    }

    fn outside(&self, _y: f64, c: f64, alpha: f64) -> Option<String> {
        (!(alpha.abs() <= c)).then(|| format!("|α| = {:e} is more than c = {c:e}", alpha.abs()))
    }

    fn add_gain(&self, sum: &mut Sum, y: f64, _c: f64, alpha: f64) {
        sum.add_product(y, alpha);
        sum.add_product(-self.0, alpha.abs());
    }
}
