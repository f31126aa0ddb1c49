//! Long sums with a rigorous enclosure.
//!
//! The running value is an unevaluated pair `high + low`: `high` is the `f64` sum, `low` collects the exact errors of
//! every addition (TwoSum) and product (TwoProduct by fused multiply-add) in ordinary `f64` additions (algorithm Dot2 of Ogita,
//! Rump, Oishi, *Accurate sum and dot product*, SIAM J. Sci. Comput. 26, 2005).
//!
//! **Error bound.** Let u = 2^-53, n the number of terms p_i (rounded products or numbers), P = Σ|p_i|. The exact sum is
//! `high + Σ δ_i + Σ q_i` with the addition errors |δ_i| ≤ u·|partial sum| ≤ u(1+u)^n P and the product errors
//! |q_i| ≤ u|p_i|. `low` adds these 2n numbers, hence |low − Σδ − Σq| ≤ γ_{2n}(n u (1+u)^n P + u P) ≤
//! 2(n+1)² u² P (1 + 4nu). `absolute` is P summed in `f64`: P ≤ absolute·(1 + 2nu). For n < 2^40 the factor
//! 3(n+1)²·2^-106 covers all of it. A product below 1e-280 in magnitude may have an inexact q_i, off by less than 2^-1074;
//! those are counted, and 2^-1000 for each covers them (a normal number: arithmetic with subnormals is a hundred times slower). Additions in the subnormal range are exact.

use crate::interval::{Interval, add_down, add_up, two_sum};

/// A compensated sum; see the module's documentation.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sum {
    high: f64,
    low: f64,
    absolute: f64,
    terms: u64,
    /// Products that may have underflowed.
    tiny: u64,
}

/// Below this a product's error may not be representable.
const TINY: f64 = 1e-280;

/// Covers the error of one product that may have underflowed, with much to spare.
const COVER: f64 = 9.332636185032189e-302; // 2^-1000

/// Bound on |exact − (high + low)|, rounded up; infinite if it cannot be bounded.
#[inline(always)]
fn error_bound(absolute: f64, terms: u64, tiny: u64) -> f64 {
    if terms >= 1 << 40 || !absolute.is_finite() {
        return f64::INFINITY;
    }
    let n = (terms + 1) as f64;
    let relative = 3.0 * n * n * 2f64.powi(-106);
    // The factor (1 + 2^-50) covers the roundings of this expression, unless it underflows.
    let rounding = (relative * absolute) * (1.0 + 2f64.powi(-50));
    let underflow = if absolute > 0.0 && rounding < TINY { n * COVER } else { 0.0 };
    rounding + underflow + tiny as f64 * COVER
}

impl Sum {
    /// The empty sum.
    pub fn new() -> Sum {
        Sum::default()
    }

    /// A sum whose products have not been watched for underflow: all count as possibly tiny.
    pub(crate) fn from_parts(high: f64, low: f64, absolute: f64, terms: u64) -> Sum {
        Sum { high, low, absolute, terms, tiny: terms }
    }

    /// Adds the number `x`.
    #[inline(always)]
    pub fn add(&mut self, x: f64) {
        let (high, error) = two_sum(self.high, x);
        self.high = high;
        self.low += error;
        self.absolute += x.abs();
        self.terms += 1;
    }

    /// Adds the exact product `a·b`.
    #[inline(always)]
    pub fn add_product(&mut self, a: f64, b: f64) {
        let product = a * b;
        let error = a.mul_add(b, -product);
        self.add(product);
        self.low += error;
        self.tiny += u64::from(product.abs() < TINY && a != 0.0 && b != 0.0);
    }

    /// Adds the other sum. Its `high` counts as one term, its `low` as part of this `low`.
    pub fn merge(&mut self, other: &Sum) {
        let (high, error) = two_sum(self.high, other.high);
        self.high = high;
        self.low += error;
        self.low += other.low;
        self.absolute += other.absolute;
        self.terms += other.terms + 1;
        self.tiny += other.tiny;
    }

    /// Enclosure of the exact sum.
    #[inline(always)]
    pub fn enclose(&self) -> Interval {
        let error = error_bound(self.absolute, self.terms, self.tiny);
        if !(self.high.is_finite() && self.low.is_finite() && error.is_finite()) {
            return Interval::ALL;
        }
        let lower = add_down(self.high, add_down(self.low, -error));
        Interval::new(lower, add_up(self.high, add_up(self.low, error)))
    }

    /// The sum rounded to about the nearest `f64`.
    pub fn value(&self) -> f64 {
        self.high + self.low
    }
}
