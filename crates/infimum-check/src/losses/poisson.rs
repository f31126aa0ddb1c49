//! `exp(z) − y z + y ln y − y` (0 ln 0 = 0), y ≥ 0. With q = c y − α ≥ 0: g = α ln y + c y·h(q/(c y)), h(s) = s − 1 − s ln s, for
//! y > 0, and g = q − q ln(q/c) for y = 0.

use infimum_rigor::{Interval, Sum, exp, ln, ln_1p};

use super::{ScalarLoss, exceeds_product};

pub(super) struct Poisson;

/// Largest power in the series of `exp(t) − 1 − t`.
const DEGREE: u32 = 20;

/// A number that `exp(t) − 1 − t ≥ 0` does not exceed. For |t| ≤ ½ the difference would cancel; there it is the series
/// `t² (1/2 + t/6 + … + t^18/20!)`, whose rest is at most `2 |t|^21/21! ≤ t²·2^-83`.
fn excess_upper(t: f64) -> f64 {
    let point = Interval::point(t);
    if !(t.abs() <= 0.5) {
        return (exp(point) - Interval::point(1.0) - point).upper;
    }
    // 1 + t/3 (1 + t/4 (1 + … (1 + t/20)))
    let mut bracket = Interval::point(1.0);
    for k in (3..=DEGREE).rev() {
        bracket = Interval::point(1.0) + point.divide_by_positive(Interval::point(f64::from(k))) * bracket;
    }
    let rest = Interval::new(0.0, 2f64.powi(-83));
    (point.square() * (Interval::point(0.5) * bracket + rest)).upper
}

impl ScalarLoss for Poisson {
    fn upper(&self, y: f64, z: Interval) -> f64 {
        if y == 0.0 {
            return exp(z).upper;
        }
        // y (exp(t) − 1 − t) with t = z − ln y, convex in t: the ends decide.
        let t = z - ln(Interval::point(y));
        let largest = excess_upper(t.lower).max(excess_upper(t.upper));
        if !(t.is_finite() && largest.is_finite()) {
            return f64::INFINITY;
        }
        (Interval::point(y) * Interval::point(largest)).upper
    }

    fn outside(&self, y: f64, c: f64, alpha: f64) -> Option<String> {
        exceeds_product(alpha, c, y).then(|| format!("α = {alpha:e} is more than c·y = {c:e}·{y:e}"))
    }

    fn add_gain(&self, sum: &mut Sum, y: f64, c: f64, alpha: f64) {
        let (alpha, c) = (Interval::point(alpha), Interval::point(c));
        if y == 0.0 {
            let q = -alpha;
            let share = q.divide_by_positive(c);
            let gain = (q - q * ln(share)).lower;
            // Where q ≤ c the logarithm is not positive: g ≥ q, also where the share underflows.
            sum.add(if share.upper <= 1.0 { gain.max(q.lower) } else { gain });
            return;
        }
        let mean = c * Interval::point(y);
        sum.add((alpha * ln(Interval::point(y))).lower);
        // With d = α/(c y) ≤ 1: h(1 − d) = −d − (1 − d) ln(1 − d). Where d may be 1, −s ln s ≥ 0 for 0 ≤ s ≤ 1 leaves h ≥ −d.
        let d = alpha.divide_by_positive(mean);
        let rest = if d.upper < 1.0 { mean * (-d - (Interval::point(1.0) - d) * ln_1p(-d)) } else { -alpha };
        sum.add(rest.lower);
    }
}

#[cfg(test)]
mod tests {
    use infimum_rigor::{Interval, Sum};

    use super::{Poisson, ScalarLoss, excess_upper};

    /// `exp(t) − 1 − t` by its series, summed from the smallest term.
    fn excess(t: f64) -> f64 {
        let mut terms = vec![t * t / 2.0];
        for k in 3..60 {
            terms.push(terms[terms.len() - 1] * t / f64::from(k));
        }
        terms.iter().rev().sum()
    }

    #[test]
    fn the_excess_is_above_and_tight() {
        for t in [1e-300, -1e-160, 1e-20, -3e-9, 0.01, -0.3, 0.4999, -0.5, 0.5, 0.50001, -0.7, 2.5, -30.0, 300.0] {
            let (bound, value) = (excess_upper(t), if t < -2.0 { t.exp_m1() - t } else { excess(t) });
            let value = if t > 20.0 { t.exp() } else { value };
            assert!(bound >= value * (1.0 - 1e-15), "{t:e}: {bound:e} {value:e}");
            assert!(bound <= value * (1.0 + 2e-14) + 1e-320, "{t:e}: {bound:e} {value:e}");
        }
        assert_eq!(excess_upper(0.0), 0.0);
        assert_eq!(excess_upper(1e4), f64::INFINITY);
    }

    /// Weak duality row by row: `g(α) ≤ c·loss(z) + α z` for all z, with equality at z = ln(q/c).
    #[test]
    fn gains_are_below_and_tight() {
        for y in [0.0, 1e-50, 0.3, 1.0, 7.0, 1e6, 1e40] {
            for c in [1e-3, 1.0, 50.0] {
                for z in [-300.0, -5.0, -1e-9, 0.0, 0.7, 3.0, 20.0] {
                    let alpha = (c * y - c * f64::exp(z)).min(c * y * (1.0 - 1e-15));
                    if Poisson.outside(y, c, alpha).is_some() || alpha == 0.0 {
                        continue;
                    }
                    let mut sum = Sum::new();
                    Poisson.add_gain(&mut sum, y, c, alpha);
                    let gain = sum.enclose().lower;
                    let size = c * (y + f64::exp(z)) * (2.0 + z.abs() + if y > 0.0 { y.ln().abs() } else { 0.0 });
                    for shift in [-1.0, -1e-3, 0.0, 1e-6, 0.5] {
                        let z = z + shift;
                        let value = c * Poisson.upper(y, Interval::point(z)) + alpha * z;
                        assert!(gain <= value + 1e-14 * size, "y {y:e} c {c} z {z}: {gain:e} {value:e}");
                        assert!(
                            shift != 0.0 || gain >= value - 1e-12 * size,
                            "y {y:e} c {c} z {z}: {gain:e} {value:e}"
                        );
                    }
                }
            }
        }
    }
}
