//! Closed intervals of real numbers with outward rounding.
//!
//! IEEE 754 operations round to nearest, so the exact result of one operation lies between the neighbours of the
//! computed one: `next_down(x) ≤ exact ≤ next_up(x)`. Sums use TwoSum (Knuth) to see on which side the exact result
//! lies, products and quotients a fused multiply-add, so that exact results stay exact.

use std::ops::{Add, Mul, Neg, Sub};

/// A set `{x : lower ≤ x ≤ upper}`; `lower` may be −∞ and `upper` +∞, neither is ever NaN.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// Lower end.
    pub lower: f64,
    /// Upper end.
    pub upper: f64,
}

/// `a + b` rounded to nearest and the error, exact unless the sum overflows.
#[inline(always)]
pub(crate) fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    let part = sum - a;
    (sum, (a - (sum - part)) + (b - part))
}

/// `a + b` rounded down.
#[inline(always)]
pub(crate) fn add_down(a: f64, b: f64) -> f64 {
    let (sum, error) = two_sum(a, b);
    // Near the largest f64 TwoSum itself may overflow: an error that is not a number counts as negative.
    match (sum.is_finite(), error >= 0.0) {
        (true, true) => sum,
        (true, false) => sum.next_down(),
        // +∞ from finite numbers may be an overflow; −∞ is always a lower end.
        (false, _) if sum == f64::INFINITY && a.is_finite() && b.is_finite() => f64::MAX,
        (false, _) if sum.is_nan() => f64::NEG_INFINITY,
        (false, _) => sum,
    }
}

/// `a + b` rounded up.
#[inline(always)]
pub(crate) fn add_up(a: f64, b: f64) -> f64 {
    -add_down(-a, -b)
}

/// Between these magnitudes the error of a product or quotient is itself an `f64`, so that its sign can be seen.
const SAFE: std::ops::Range<f64> = 1e-250..1e300;

/// `a·b` rounded down, exact where the product is an `f64`; 0 times anything is 0.
fn mul_down(a: f64, b: f64) -> f64 {
    if a == 0.0 || b == 0.0 {
        return 0.0;
    }
    let product = a * b;
    if SAFE.contains(&product.abs()) {
        return if a.mul_add(b, -product) < 0.0 { product.next_down() } else { product };
    }
    if product == f64::INFINITY && a.is_finite() && b.is_finite() { f64::MAX } else { product.next_down() }
}

/// `a/b` rounded down for b > 0, exact where the quotient is an `f64`.
fn div_down(a: f64, b: f64) -> f64 {
    if a == 0.0 {
        return 0.0;
    }
    let quotient = a / b;
    if SAFE.contains(&quotient.abs()) && SAFE.contains(&a.abs()) && SAFE.contains(&b) {
        // The remainder a − q·b is an f64; it is negative iff q is too large.
        return if quotient.mul_add(-b, a) < 0.0 { quotient.next_down() } else { quotient };
    }
    if quotient == f64::INFINITY { f64::MAX } else { quotient.next_down() }
}

fn mul_up(a: f64, b: f64) -> f64 {
    -mul_down(-a, b)
}

impl Interval {
    /// All real numbers: what is known when nothing is.
    pub const ALL: Interval = Interval { lower: f64::NEG_INFINITY, upper: f64::INFINITY };
    /// The number 0.
    pub const ZERO: Interval = Interval { lower: 0.0, upper: 0.0 };

    /// The number `x`; everything if `x` is not finite.
    pub fn point(x: f64) -> Interval {
        if x.is_finite() { Interval { lower: x, upper: x } } else { Interval::ALL }
    }

    /// From ends that are already rounded outward; everything if an end is NaN or they are out of order.
    pub fn new(lower: f64, upper: f64) -> Interval {
        if lower <= upper { Interval { lower, upper } } else { Interval::ALL }
    }

    /// Whether both ends are finite.
    pub fn is_finite(self) -> bool {
        self.lower.is_finite() && self.upper.is_finite()
    }

    /// Whether `x` is a member.
    pub fn contains(self, x: f64) -> bool {
        self.lower <= x && x <= self.upper
    }

    /// Largest magnitude of a member.
    pub fn magnitude(self) -> f64 {
        self.lower.abs().max(self.upper.abs())
    }

    /// `{max(x, 0)}`.
    pub fn positive_part(self) -> Interval {
        Interval { lower: self.lower.max(0.0), upper: self.upper.max(0.0) }
    }

    /// `{|x|}`.
    pub fn abs(self) -> Interval {
        let lower = if self.contains(0.0) { 0.0 } else { self.lower.abs().min(self.upper.abs()) };
        Interval { lower, upper: self.magnitude() }
    }

    /// `{x²}`.
    pub fn square(self) -> Interval {
        let magnitude = self.abs();
        Interval {
            lower: mul_down(magnitude.lower, magnitude.lower).max(0.0),
            upper: mul_up(magnitude.upper, magnitude.upper),
        }
    }

    /// `{√x}`; everything unless all members are ≥ 0. IEEE 754 rounds the root correctly.
    pub fn sqrt(self) -> Interval {
        if !(self.lower >= 0.0) {
            return Interval::ALL;
        }
        // A root that is an f64 is found exactly; its square's error then shows on which side another lies.
        let (low, high) = (self.lower.sqrt(), self.upper.sqrt());
        let lower = if mul_up(low, low) <= self.lower { low } else { low.next_down().max(0.0) };
        let upper = if mul_down(high, high) >= self.upper { high } else { high.next_up() };
        Interval { lower, upper }
    }

    /// A number near the middle and how far from it a member can be, rounded up; infinite if an end is.
    pub fn midpoint_radius(self) -> (f64, f64) {
        if !self.is_finite() {
            return (0.0, f64::INFINITY);
        }
        let middle = if self.lower == self.upper { self.lower } else { 0.5 * self.lower + 0.5 * self.upper };
        (middle, add_up(self.upper, -middle).max(add_up(middle, -self.lower)))
    }

    /// `{a/b}` for a divisor whose members are all positive; everything otherwise.
    pub fn divide_by_positive(self, divisor: Interval) -> Interval {
        if !(divisor.lower > 0.0 && self.is_finite() && divisor.is_finite()) {
            return Interval::ALL;
        }
        let lower = div_down(self.lower, if self.lower >= 0.0 { divisor.upper } else { divisor.lower });
        let upper = -div_down(-self.upper, if self.upper <= 0.0 { divisor.upper } else { divisor.lower });
        Interval::new(lower, upper)
    }
}

impl Add for Interval {
    type Output = Interval;

    fn add(self, other: Interval) -> Interval {
        Interval::new(add_down(self.lower, other.lower), add_up(self.upper, other.upper))
    }
}

impl Neg for Interval {
    type Output = Interval;

    fn neg(self) -> Interval {
        Interval { lower: -self.upper, upper: -self.lower }
    }
}

impl Sub for Interval {
    type Output = Interval;

    fn sub(self, other: Interval) -> Interval {
        self + -other
    }
}

impl Mul for Interval {
    type Output = Interval;

    fn mul(self, other: Interval) -> Interval {
        if self.lower >= 0.0 && other.lower >= 0.0 {
            return Interval::new(mul_down(self.lower, other.lower), mul_up(self.upper, other.upper));
        }
        let pairs = [
            (self.lower, other.lower),
            (self.lower, other.upper),
            (self.upper, other.lower),
            (self.upper, other.upper),
        ];
        let lower = pairs.iter().map(|&(a, b)| mul_down(a, b)).fold(f64::INFINITY, f64::min);
        let upper = pairs.iter().map(|&(a, b)| mul_up(a, b)).fold(f64::NEG_INFINITY, f64::max);
        Interval::new(lower, upper)
    }
}
