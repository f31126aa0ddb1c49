//! `max(0, 1 − m)`; g = a for 0 ≤ a ≤ c, a = yα.

use infimum_rigor::{Interval, Sum};

use super::{ScalarLoss, margin, outside_box};

pub(super) struct Hinge;

impl ScalarLoss for Hinge {
    fn upper(&self, y: f64, z: Interval) -> f64 {
        (Interval::point(1.0) - margin(y, z)).positive_part().upper
    }

    fn outside(&self, y: f64, c: f64, alpha: f64) -> Option<String> {
        outside_box(y, alpha, 0.0, c)
    }

    fn add_gain(&self, sum: &mut Sum, y: f64, _c: f64, alpha: f64) {
        sum.add(if y > 0.0 { alpha } else { -alpha });
    }
}
