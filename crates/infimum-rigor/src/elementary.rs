//! exp, ln and ln(1 + x) with proved error bounds.
//!
//! Each function is computed in `f64` by argument reduction and a polynomial; the doc comments bound the relative
//! error, the enclosure is then widened by more than that bound and rounded outward. u = 2^-53.

use crate::Interval;

/// ln 2 = LN2_HIGH + LN2_LOW up to 2^-86; LN2_HIGH has 21 trailing zero bits, so its multiples by |k| ≤ 1100 are exact.
#[allow(clippy::excessive_precision)]
const LN2_HIGH: f64 = 6.931_471_803_691_238_164_90e-01;
#[allow(clippy::excessive_precision)]
const LN2_LOW: f64 = 1.908_214_929_270_587_700_02e-10;

/// `y·(1 ± relative)` rounded outward, for y ≥ 0 or y ≤ 0.
fn widen(y: f64, relative: f64) -> Interval {
    let slack = y.abs() * relative;
    Interval::new((y - slack).next_down(), (y + slack).next_up())
}

/// `exp(x)` for one number.
///
/// x = k ln 2 + r, |r| ≤ 0.3467. The reduction subtracts two rounded numbers: |error of r| ≤ 2^-52. The Taylor
/// polynomial of degree 14 leaves 0.3467^15/15! < 2^-62; its Horner evaluation has relative error below 3u, since each inner
/// factor 1 + (r/m)·p is rounded three times and damped by |r/m| ≤ 0.35. Together less than 2^-52 + 2^-51.4 + 2^-62 < 2^-50.
/// Scaling by 2^k is exact down to the subnormals, where it adds at most 2^-1074: covered by the outward step.
fn exp_point(x: f64) -> Interval {
    if x > 709.7 {
        return Interval::new(1e308, f64::INFINITY);
    }
    if x < -745.0 {
        // exp(−745) = 4.99e-324 < 2^-1073.
        return Interval::new(0.0, 1e-323);
    }
    if x == 0.0 {
        return Interval { lower: 1.0, upper: 1.0 };
    }
    let k = (x * std::f64::consts::LOG2_E).round();
    let r = (x - k * LN2_HIGH) - k * LN2_LOW;
    let mut p = 1.0;
    for m in (1..=14).rev() {
        p = 1.0 + (r / f64::from(m)) * p;
    }
    let half = (k / 2.0).trunc() as i32;
    let widened = widen(p, 2f64.powi(-50));
    let scale = |y: f64| y * 2f64.powi(half) * 2f64.powi(k as i32 - half);
    if k > -1000.0 {
        // Exact scaling; p(1 + 2^-50)·2^1024 may overflow to +∞, which is a valid upper end.
        return Interval::new(scale(widened.lower), scale(widened.upper));
    }
    Interval::new(scale(widened.lower).next_down().max(0.0), scale(widened.upper).next_up())
}

/// `ln(1 + f)` for the exact number f with √½ − 1 ≤ f ≤ √2 − 1.
///
/// With s = f/(2 + f), |s| ≤ 0.1716: ln(1 + f) = 2s(1 + s²/3 + s⁴/5 + …), s² ≤ 0.0295. Terms up to s^22/23 leave less than
/// 0.0295^12/25 < 2^-65. s carries two roundings, the bracket exceeds 1 by P ≤ 0.0102 whose own relative error is below
/// 20u, then one rounding each for 1 + P and the product: relative error below 4.3u < 2^-50.8.
fn ln_near_one(f: f64) -> f64 {
    let s = f / (2.0 + f);
    let square = s * s;
    let mut p = 0.0;
    for m in (1..=11).rev() {
        p = square * (1.0 / f64::from(2 * m + 1) + p);
    }
    2.0 * s * (1.0 + p)
}

/// `ln x` for x > 0, relative error below 2^-49.
///
/// x = m 2^k with √½ ≤ m < √2 (m − 1 is exact); k·LN2_HIGH is exact. For k ≠ 0 the result is at least 0.346 in magnitude
/// while the rounding errors are at most 4.3u·0.347 (series), u·0.348 (inner sum), u|result| (outer sum) and 2^-75 (tail of
/// ln 2 times |k| ≤ 1100): less than 2^-50.
fn ln_value(x: f64) -> f64 {
    let (x, shift) = if x < f64::MIN_POSITIVE { (x * 2f64.powi(54), -54) } else { (x, 0) };
    let bits = x.to_bits();
    let mut k = ((bits >> 52) & 0x7ff) as i32 - 1023 + shift;
    let mut m = f64::from_bits((bits & ((1 << 52) - 1)) | (1023 << 52));
    if m > std::f64::consts::SQRT_2 {
        m *= 0.5;
        k += 1;
    }
    let k = f64::from(k);
    k * LN2_HIGH + (ln_near_one(m - 1.0) + k * LN2_LOW)
}

fn ln_point(x: f64) -> Interval {
    if x == 1.0 { Interval::ZERO } else { widen(ln_value(x), 2f64.powi(-49)) }
}

/// `ln(1 + x)` for x > −1: the series where it applies (relative error < 2^-50), else ln of the rounded sum y = 1 + x, which
/// is off by a factor 1 + δ, |δ| ≤ u, while |ln y| > 0.34: relative error below 2^-49 + u/0.34 < 2^-48.
fn ln_1p_point(x: f64) -> Interval {
    if x == 0.0 {
        return Interval::ZERO;
    }
    if x.abs() < 1e-300 {
        // The series would round in the subnormals; x − x²/2 < ln(1 + x) < x.
        return Interval::new(x.next_down(), x);
    }
    if (-0.29..=0.41).contains(&x) {
        return widen(ln_near_one(x), 2f64.powi(-49));
    }
    widen(ln_value(1.0 + x), 2f64.powi(-48))
}

/// Enclosure of `{exp(x)}`.
pub fn exp(x: Interval) -> Interval {
    if x.lower == f64::NEG_INFINITY && x.upper == f64::INFINITY {
        return Interval::new(0.0, f64::INFINITY);
    }
    let lower = if x.lower == f64::NEG_INFINITY { 0.0 } else { exp_point(x.lower).lower };
    let upper = if x.upper == f64::INFINITY { f64::INFINITY } else { exp_point(x.upper).upper };
    Interval::new(lower.max(0.0), upper)
}

/// Enclosure of `{ln x}`; everything unless all members are positive and finite.
pub fn ln(x: Interval) -> Interval {
    if !(x.lower > 0.0 && x.upper.is_finite()) {
        return Interval::ALL;
    }
    Interval::new(ln_point(x.lower).lower, ln_point(x.upper).upper)
}

/// Enclosure of `{ln(1 + x)}`; everything unless all members are above −1 and finite.
pub fn ln_1p(x: Interval) -> Interval {
    if !(x.lower > -1.0 && x.upper.is_finite()) {
        return Interval::ALL;
    }
    Interval::new(ln_1p_point(x.lower).lower, ln_1p_point(x.upper).upper)
}

/// Bound on the relative error of [`exp_negative`] for −708 ≤ x ≤ 0.
pub const EXP_NEGATIVE_ERROR: f64 = 8.881784197001252e-16; // 2^-50

/// 1/m! for m = 0 … 13, each rounded once (the factorials are `f64`).
const INVERSE_FACTORIALS: [f64; 14] = {
    let mut inverse = [1.0; 14];
    let (mut m, mut factorial) = (1, 1.0);
    while m < 14 {
        factorial *= m as f64;
        inverse[m] = 1.0 / factorial;
        m += 1;
    }
    inverse
};

/// `exp(x)` for x ≤ 0 in plain `f64`, made for loops that are compiled for vector units; not for NaN. Below −708, where exp(x)
/// is less than 3.4e-308, the result is 0; else its relative error is at most [`EXP_NEGATIVE_ERROR`].
///
/// x = k ln 2 + r with k = round(x log2 e) by adding and subtracting 1.5·2^52; |x log2 e| ≤ 1022 is off by less than 2^-42, so
/// |r| ≤ 0.34658 and |k| ≤ 1021. k·LN2_HIGH is exact, the two subtractions round r by at most 2u·0.3466, k·LN2_LOW and the tail
/// of ln 2 add less than 2^-74: together the error of r, and the relative error of exp(r) from it, is below 0.75u. The Taylor
/// polynomial of degree 13 leaves 0.34658^14/14!·1.03 < 2^-57, relative to exp(r) ≥ 0.7 less than 0.1u. Horner's scheme rounds its
/// coefficient and one fused multiply-add a step: e_m ≤ 2u + ½e_{m+1}, since |r| p_{m+1}/p_m ≤ ½; together 4u. In all less than
/// 5u(1 + 2^-40) < 2^-50. Adding k to the exponent of p ∈ [0.7, 1.42] is exact: the result is at least 2^-1022.
#[inline(always)]
pub fn exp_negative(x: f64) -> f64 {
    const SHIFT: f64 = 6_755_399_441_055_744.0; // 1.5·2^52
    let inside = x.max(-708.0);
    let shifted = inside.mul_add(std::f64::consts::LOG2_E, SHIFT);
    let k = shifted - SHIFT;
    let r = (inside - k * LN2_HIGH) - k * LN2_LOW;
    let mut p = INVERSE_FACTORIALS[13];
    for m in (0..13).rev() {
        p = p.mul_add(r, INVERSE_FACTORIALS[m]);
    }
    // The low bits of `shifted` hold k as a two's complement integer.
    let scaled = f64::from_bits(p.to_bits().wrapping_add(shifted.to_bits() << 52));
    if x < -708.0 { 0.0 } else { scaled }
}
