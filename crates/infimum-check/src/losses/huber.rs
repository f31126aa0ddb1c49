//! `½ r²` where |r| ≤ δ, else `δ |r| − ½ δ²`, r = z − y; g = yα − α²/(2c) for |α| ≤ c·δ.

use infimum_rigor::{Interval, Sum};

use super::{ScalarLoss, exceeds_product};

pub(super) struct Huber(pub(super) f64);

impl ScalarLoss for Huber {
    fn upper(&self, y: f64, z: Interval) -> f64 {
        // Increasing in |r|, and each branch is an upper bound of the loss: they touch at δ.
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
