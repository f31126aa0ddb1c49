//! `exp`, `exp_m1`, `ln` and `ln_1p` without branches or tables, so that loops over rows are compiled for vector units. Errors are below
//! three units in the last place on the stated domains (tested against correctly rounded values); the solvers' numbers need no
//! proof, the checker has its own.

use std::f64::consts::{LN_2, LOG2_E};

/// 1.5·2^52: adding it rounds a small number to an integer, which then stands in the low bits.
const ROUND: f64 = 6_755_399_441_055_744.0;
/// ln 2 to 32 bits, so that its products with exponents are exact, and the rest.
const LN_2_HIGH: f64 = 0.693_147_180_369_123_8;
const LN_2_LOW: f64 = 1.908_214_929_270_587_7e-10;

/// `Σ_k coefficients[k] x^k`: cubics of four coefficients each, added up by Horner's rule in x⁴ (Estrin's scheme, cut short). Horner's
/// rule alone is a chain three times as long, for which the vector units wait.
#[inline(always)]
fn polynomial(coefficients: &[f64; 12], x: f64) -> f64 {
    let squared = x * x;
    let fourth = squared * squared;
    let cubic = |first: usize| {
        let c = |k: usize| coefficients[first + k];
        (c(0) + c(1) * x) + (c(2) + c(3) * x) * squared
    };
    cubic(0) + fourth * (cubic(4) + fourth * cubic(8))
}

/// 1/(k+2)!, k = 0…11.
const EXP: [f64; 12] = [
    1.0 / 2.0,
    1.0 / 6.0,
    1.0 / 24.0,
    1.0 / 120.0,
    1.0 / 720.0,
    1.0 / 5_040.0,
    1.0 / 40_320.0,
    1.0 / 362_880.0,
    1.0 / 3_628_800.0,
    1.0 / 39_916_800.0,
    1.0 / 479_001_600.0,
    1.0 / 6_227_020_800.0,
];

/// `exp(r) − 1` and `2^k` with x = k ln 2 + r, |r| ≤ ln 2/2, for x in [−708, 709] (others count as the nearest of them): the
/// Taylor series of exp(r) to degree 13 leaves 4e-18.
#[inline(always)]
fn reduced(x: f64) -> (f64, f64) {
    let inside = x.clamp(-708.0, 709.0);
    let shifted = inside * LOG2_E + ROUND;
    let k = shifted - ROUND;
    let r = (inside - k * LN_2_HIGH) - k * LN_2_LOW;
    let scale = f64::from_bits(shifted.to_bits().wrapping_add(1023) << 52);
    (r + r * r * polynomial(&EXP, r), scale)
}

/// `exp(x)`; below −708, where it is less than the smallest normal number, 0; above 709 infinite; NaN stays NaN.
#[inline(always)]
pub(crate) fn exp(x: f64) -> f64 {
    let (rise, scale) = reduced(x);
    let value = (1.0 + rise) * scale;
    let value = if x < -708.0 { 0.0 } else { value };
    if x > 709.0 { f64::INFINITY } else { value }
}

/// `exp(x) − 1` to full relative accuracy; below −708 it is −1, above 709 infinite; NaN stays NaN.
///
/// `2^k (exp(r) − 1) + (2^k − 1)`: where k = 0 nothing is cancelled, elsewhere |x| > 0.34.
#[inline(always)]
pub(crate) fn exp_m1(x: f64) -> f64 {
    let (rise, scale) = reduced(x);
    let value = scale * rise + (scale - 1.0);
    if x > 709.0 { f64::INFINITY } else { value }
}

/// 2/(2k+1), k = 0…11: `2 artanh(s)/s = Σ_k 2/(2k+1) s^2k`.
const ARTANH: [f64; 12] = [
    2.0,
    2.0 / 3.0,
    2.0 / 5.0,
    2.0 / 7.0,
    2.0 / 9.0,
    2.0 / 11.0,
    2.0 / 13.0,
    2.0 / 15.0,
    2.0 / 17.0,
    2.0 / 19.0,
    2.0 / 21.0,
    2.0 / 23.0,
];

/// `ln((1 + s)/(1 − s))` for |s| ≤ 0.1716: the series to s^23 leaves 2e-20 of it.
#[inline(always)]
fn ln_of_ratio(s: f64) -> f64 {
    s * polynomial(&ARTANH, s * s)
}

/// `ln(x)` for positive finite x, subnormal ones included; −∞ at 0, NaN below.
///
/// x = m·2^k with m in [√½, √2).
#[inline(always)]
pub(crate) fn ln(x: f64) -> f64 {
    let subnormal = x < f64::MIN_POSITIVE;
    let scaled = if subnormal { x * 18_014_398_509_481_984.0 } else { x }; // 2^54
    // Exponent counted from √½: adding the difference of 1 and √½ in the bits carries where m ≥ √2.
    let bits = scaled.to_bits().wrapping_add(0x3FF0_0000_0000_0000 - 0x3FE6_A09E_667F_3BCD);
    let exponent = f64::from_bits((bits >> 52) | ROUND.to_bits()) - ROUND - 1023.0;
    let m = f64::from_bits((bits & 0x000F_FFFF_FFFF_FFFF) + 0x3FE6_A09E_667F_3BCD);
    let k = if subnormal { exponent - 54.0 } else { exponent };
    let fraction = ln_of_ratio((m - 1.0) / (m + 1.0));
    let value = k * LN_2_HIGH + (k * LN_2_LOW + fraction);
    let value = if x > 0.0 { value } else { f64::NAN };
    if x == 0.0 { f64::NEG_INFINITY } else { value }
}

/// `ln(1 + x)` for −½ ≤ x ≤ 1, to full relative accuracy: (1 + x)·f lies in [√½, √2] for f = 2, 1 or ½.
#[inline(always)]
pub(crate) fn ln_1p(x: f64) -> f64 {
    // Near 0: s = x/(2 + x). Above √2 − 1: s = (x − 1)/(x + 3). Below √½ − 1: s = (1 + 2x)/(3 + 2x).
    let (above, below) = (x > 0.414, x < -0.293);
    let over = if above { x - 1.0 } else { x };
    let over = if below { 1.0 + 2.0 * x } else { over };
    let under = if above { x + 3.0 } else { x + 2.0 };
    let under = if below { 3.0 + 2.0 * x } else { under };
    let base = if above { LN_2 } else { 0.0 };
    let base = if below { -LN_2 } else { base };
    base + ln_of_ratio(over / under)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    fn close(computed: f64, exact: f64) -> bool {
        computed == exact
            || (computed - exact).abs() <= 3.0 * f64::EPSILON * exact.abs()
            || computed.is_nan() && exact.is_nan()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        #[test]
        fn agrees_with_the_platform(x in -707.9..709.0f64, small in -40.0..40.0f64, tiny in -60.0..0.0f64, part in -0.5..1.0f64) {
            prop_assert!(close(super::exp(x), x.exp()), "exp {x}");
            prop_assert!(close(super::exp(small), small.exp()), "exp {small}");
            prop_assert!(close(super::exp_m1(x), x.exp_m1()), "exp_m1 {x}");
            prop_assert!(close(super::exp_m1(small), small.exp_m1()), "exp_m1 {small}");
            let y = x.exp();
            prop_assert!(close(super::ln(y), y.ln()), "ln {y}");
            let near = 1.0 + 0.4 * part * 2f64.powf(tiny);
            prop_assert!(close(super::ln(near), near.ln()), "ln {near}");
            let fine = part * 2f64.powf(tiny);
            prop_assert!(close(super::exp_m1(part), part.exp_m1()), "exp_m1 {part}");
            prop_assert!(close(super::exp_m1(part * 2f64.powf(tiny)), (part * 2f64.powf(tiny)).exp_m1()), "exp_m1 {part} {tiny}");
            prop_assert!(close(super::ln_1p(part), part.ln_1p()), "ln_1p {part}");
            prop_assert!(close(super::ln_1p(fine), fine.ln_1p()), "ln_1p {fine}");
            let subnormal = f64::MIN_POSITIVE * 2f64.powf(tiny * 0.8);
            prop_assert!(close(super::ln(subnormal), subnormal.ln()), "ln {subnormal}");
        }
    }

    #[test]
    fn ends_of_the_domains() {
        assert_eq!(super::exp(0.0), 1.0);
        assert_eq!(super::exp(-0.0), 1.0);
        assert_eq!(super::exp(-709.0), 0.0);
        assert_eq!(super::exp(f64::NEG_INFINITY), 0.0);
        assert_eq!(super::exp(f64::INFINITY), f64::INFINITY);
        assert_eq!(super::exp(710.0), f64::INFINITY);
        assert!(super::exp(f64::NAN).is_nan());
        assert_eq!(super::exp_m1(0.0), 0.0);
        assert_eq!(super::exp_m1(f64::NEG_INFINITY), -1.0);
        assert_eq!(super::exp_m1(f64::INFINITY), f64::INFINITY);
        assert_eq!(super::exp_m1(710.0), f64::INFINITY);
        assert!(super::exp_m1(f64::NAN).is_nan());
        assert_eq!(super::ln(0.0), f64::NEG_INFINITY);
        assert_eq!(super::ln(1.0), 0.0);
        assert!(super::ln(-1.0).is_nan());
        assert!(super::ln(f64::NAN).is_nan());
        assert!(close(super::ln(f64::MAX), f64::MAX.ln()));
        assert!(close(super::ln(5e-324), 5e-324f64.ln()));
        assert_eq!(super::ln_1p(0.0), 0.0);
        assert!(close(super::ln_1p(1.0), std::f64::consts::LN_2));
        assert!(close(super::ln_1p(-0.5), -std::f64::consts::LN_2));
        for x in [0.41399, 0.41401, -0.29299, -0.29301] {
            assert!(close(super::ln_1p(x), f64::ln_1p(x)));
        }
    }
}
