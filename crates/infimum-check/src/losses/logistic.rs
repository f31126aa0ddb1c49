//! `ln(1 + exp(−m))`; g = −a ln(a/c) − (c − a) ln((c − a)/c) for 0 ≤ a ≤ c, a = yα.

use infimum_rigor::{Interval, Sum, exp, ln, ln_1p};

use super::{ScalarLoss, margin, outside_box};

pub(super) struct Logistic;

/// Enclosure of `ln(1 + exp(−m))` for one number m, with small relative error also where it is tiny.
fn loss_at(m: f64) -> Interval {
    if m == f64::NEG_INFINITY {
        return Interval::ALL;
    }
    let tail = ln_1p(exp(Interval::point(-m.abs())));
    if m >= 0.0 { tail } else { tail + Interval::point(-m) }
}

impl ScalarLoss for Logistic {
    fn upper(&self, y: f64, z: Interval) -> f64 {
        // Decreasing in m.
        loss_at(margin(y, z).lower).upper
    }

    fn outside(&self, y: f64, c: f64, alpha: f64) -> Option<String> {
        outside_box(y, alpha, 0.0, c)
    }

    fn add_gain(&self, sum: &mut Sum, y: f64, c: f64, alpha: f64) {
        let a = Interval::point(if y > 0.0 { alpha } else { -alpha });
        let c = Interval::point(c);
        let rest = c - a;
        // g is symmetric in a ↔ c − a; from the smaller part, ln(1 − share) keeps its relative accuracy.
        let small = if a.upper <= rest.lower { a } else { rest };
        if small.upper <= 0.0 {
            return;
        }
        if small.lower <= 0.0 {
            // Not known to be positive: g ≥ 0 is always true.
            return;
        }
        let share = small.divide_by_positive(c);
        let gain = -(small * ln(share)) - (c - small) * ln_1p(-share);
        sum.add(gain.lower.max(0.0));
    }
}
