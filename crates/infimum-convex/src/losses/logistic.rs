//! Logistic loss `ln(1 + exp(−m))`, m = y·z.

use super::ScalarLoss;
use crate::elementary::{exp, ln, ln_1p};

/// Logistic loss.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Logistic;

/// `exp(−|m|)`, which never overflows.
#[inline(always)]
fn decay(m: f64) -> f64 {
    exp(-m.abs())
}

/// `−a ln(a/c) − (c − a) ln((c − a)/c)` for 0 ≤ a ≤ c.
#[inline(always)]
fn entropy(a: f64, c: f64) -> f64 {
    // The two terms are symmetric; working from the smaller part keeps ln_1p accurate.
    let small = a.min(c - a);
    let share = small / c;
    let entropy = -(small * ln(share)) - (c - small) * ln_1p(-share);
    // At the ends 0·ln 0 is not a number; a share that underflows counts as none.
    if share > 0.0 { entropy } else { 0.0 }
}

impl ScalarLoss for Logistic {
    const SMOOTH: bool = true;

    #[inline(always)]
    fn max_curvature(self) -> f64 {
        0.25
    }

    #[inline(always)]
    fn value(self, y: f64, z: f64) -> f64 {
        let m = y * z;
        ln_1p(decay(m)) + (-m).max(0.0)
    }

    #[inline(always)]
    fn slope(self, y: f64, z: f64) -> f64 {
        self.slopes(y, z).0
    }

    #[inline(always)]
    fn curvature(self, y: f64, z: f64) -> f64 {
        self.slopes(y, z).1
    }

    #[inline(always)]
    fn slopes(self, y: f64, z: f64) -> (f64, f64) {
        let m = y * z;
        let e = decay(m);
        let inverse = 1.0 / (1.0 + e);
        // Probability of the wrong label, 1/(1 + exp(m)).
        let wrong = if m > 0.0 { e * inverse } else { inverse };
        (-y * wrong, e * inverse * inverse)
    }

    #[inline(always)]
    fn domain(self, y: f64, c: f64) -> (f64, f64) {
        if y > 0.0 { (0.0, c) } else { (-c, 0.0) }
    }

    #[inline(always)]
    fn gain(self, y: f64, c: f64, alpha: f64) -> f64 {
        entropy((y * alpha).clamp(0.0, c), c)
    }

    #[inline(always)]
    fn gain_magnitude(self, y: f64, c: f64, alpha: f64) -> f64 {
        self.gain(y, c, alpha)
    }

    #[inline(always)]
    fn gain_slope(self, y: f64, c: f64, alpha: f64) -> f64 {
        -((y * alpha) / (c - y * alpha)).ln() * y
    }

    /// Newton in the logit of a/c, where the one-dimensional problem `maximise entropy(a) − slope·a − q(a − a0)²/2` has a
    /// bounded, monotone derivative (Yu, Huang, Lin, *Dual coordinate descent methods for logistic regression and maximum
    /// entropy models*, Machine Learning 2011, Section 3, solve the same equation in a).
    fn dual_step(self, y: f64, c: f64, alpha: f64, slope: f64, curvature: f64) -> f64 {
        let start = (y * alpha).clamp(0.0, c);
        let slope = y * slope;
        // Root of t + slope + q·(c·sigmoid(t) − start): increasing in t with derivative ≥ 1.
        let residual = |t: f64| {
            let e = decay(t);
            let inverse = 1.0 / (1.0 + e);
            let p = if t > 0.0 { inverse } else { e * inverse };
            (t + slope + curvature * (c * p - start), 1.0 + curvature * c * e * inverse * inverse, p)
        };
        let mut below = -slope - curvature * (c - start);
        let mut above = -slope + curvature * start;
        let share = start / c;
        let mut t = if share > 0.0 && share < 1.0 { (share / (1.0 - share)).ln() } else { 0.5 * (below + above) };
        t = t.clamp(below, above);
        for _ in 0..60 {
            let (value, derivative, _) = residual(t);
            if value > 0.0 {
                above = t
            } else {
                below = t
            }
            let mut next = t - value / derivative;
            if !(next >= below && next <= above) {
                next = 0.5 * (below + above);
            }
            let done = (next - t).abs() <= 1e-13 * (1.0 + t.abs());
            t = next;
            if done {
                break;
            }
        }
        y * c * residual(t).2
    }
}
