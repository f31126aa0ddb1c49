//! `τ max(0, −r) + (1 − τ) max(0, r)`, r = z − y; g = yα for −c(1 − τ) ≤ α ≤ c·τ.

use infimum_rigor::{ExactSum, Interval, Sum};

use super::{ScalarLoss, add_exact_product, exceeds_product};

pub(super) struct Quantile(pub(super) f64);

impl ScalarLoss for Quantile {
    fn upper(&self, y: f64, z: Interval) -> f64 {
        // The larger of two linear functions of r, one falling, one rising: the ends decide.
        let r = z - Interval::point(y);
        let tau = Interval::point(self.0);
        let below = tau * (-r).positive_part();
        let above = (Interval::point(1.0) - tau) * r.positive_part();
        below.upper.max(above.upper)
    }

    fn outside(&self, _y: f64, c: f64, alpha: f64) -> Option<String> {
        // α ≥ −(c − cτ), that is −α − c + cτ ≤ 0
        let mut low = ExactSum::new();
        low.subtract(alpha);
        low.subtract(c);
        add_exact_product(&mut low, c, self.0);
        let inside = !exceeds_product(alpha, c, self.0) && low.sign().is_some_and(|sign| sign <= 0);
        (!inside).then(|| format!("α = {alpha:e} is not in [−c(1 − τ), c·τ] with c = {c:e}, τ = {}", self.0))
    }

    fn add_gain(&self, sum: &mut Sum, y: f64, _c: f64, alpha: f64) {
        sum.add_product(y, alpha);
    }
}
