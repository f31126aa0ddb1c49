//! `max(0, 1 − m)²`; g = a − a²/(4c) for a ≥ 0, a = yα.

use infimum_rigor::{Interval, Sum};

use super::{ScalarLoss, margin, outside_box};

pub(super) struct SquaredHinge;

impl ScalarLoss for SquaredHinge {
    fn upper(&self, y: f64, z: Interval) -> f64 {
        (Interval::point(1.0) - margin(y, z)).positive_part().square().upper
    }

    fn outside(&self, y: f64, _c: f64, alpha: f64) -> Option<String> {
        outside_box(y, alpha, 0.0, f64::INFINITY)
    }

    fn add_gain(&self, sum: &mut Sum, y: f64, c: f64, alpha: f64) {
        sum.add(if y > 0.0 { alpha } else { -alpha });
        let four_c = Interval::point(4.0) * Interval::point(c);
        sum.add(-Interval::point(alpha).square().divide_by_positive(four_c).upper);
    }
}
