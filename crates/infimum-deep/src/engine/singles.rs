//! Functions of singles without branches, so that loops of them are vectorised.

/// `e^x` to two units in the last place on [−87.3, 88.3], beyond that the value at the border: `2ⁿ·e^r` with r = x − n ln 2 and the polynomial of Cephes' `expf`.
#[inline(always)]
pub(super) fn exp(x: f32) -> f32 {
    const ROUNDER: f32 = 12_582_912.0; // 1.5·2^23: what is added to it is rounded to a whole number, which its last bits are
    let x = if x > 88.3 { 88.3 } else { x };
    let x = if x < -87.3 { -87.3 } else { x };
    let shifted = x * std::f32::consts::LOG2_E + ROUNDER;
    let n = shifted - ROUNDER;
    let r = x - n * 0.693_359_4 - n * -2.121_944_4e-4;
    let mut p = 1.987_569_2e-4f32;
    for coefficient in [1.398_2e-3, 8.333_452e-3, 4.166_579_6e-2, 0.166_666_65, 0.5] {
        p = p * r + coefficient;
    }
    (p * r * r + r + 1.0) * f32::from_bits(shifted.to_bits().wrapping_add(127) << 23)
}

/// tanh to about 2e-7: x·P(x²)/Q(x²), the rational approximation of Eigen.
#[inline(always)]
pub(super) fn tanh(x: f32) -> f32 {
    let x = if x > 7.905_311 { 7.905_311 } else { x };
    let x = if x < -7.905_311 { -7.905_311 } else { x };
    let square = x * x;
    let mut above = -2.760_768_5e-16f32;
    for coefficient in [2.000_188e-13, -8.604_672e-11, 5.122_297e-8, 1.485_722_4e-5, 6.372_619e-4, 4.893_524_6e-3] {
        above = above * square + coefficient;
    }
    let mut below = 1.198_258_4e-6f32;
    for coefficient in [1.185_347_1e-4, 2.268_434_6e-3, 4.893_525e-3] {
        below = below * square + coefficient;
    }
    x * above / below
}

/// erf to about 2e-7: x·P(x²)/Q(x²) on [−4, 4], the rational approximation of Eigen and XLA.
#[inline(always)]
pub(super) fn erf(x: f32) -> f32 {
    let x = if x > 4.0 { 4.0 } else { x };
    let x = if x < -4.0 { -4.0 } else { x };
    let square = x * x;
    let mut above = -2.726_142_3e-10f32;
    for coefficient in [2.770_681_4e-8, -2.101_024e-6, -5.692_506_4e-5, -7.349_906e-4, -2.954_6e-3, -1.609_603_3e-2] {
        above = above * square + coefficient;
    }
    let mut below = -1.456_607_2e-5f32;
    for coefficient in [-2.133_740_6e-4, -1.682_827e-3, -7.373_329_3e-3, -1.426_473_9e-2] {
        below = below * square + coefficient;
    }
    x * above / below
}

#[cfg(test)]
mod tests {
    #[test]
    fn singles_are_close_to_doubles() {
        for place in -100_000..=100_000 {
            let x = place as f32 * 1e-3;
            let exact = f64::from(x);
            if (-87.3..=88.3).contains(&x) {
                assert!((f64::from(super::exp(x)) / exact.exp() - 1.0).abs() < 2.5e-7, "{x}");
            }
            let small = place as f32 * 1e-4;
            let exact = f64::from(small);
            assert!((f64::from(super::tanh(small)) - exact.tanh()).abs() <= 4e-7 * exact.tanh().abs(), "{small}");
            assert!((f64::from(super::erf(small)) - crate::engine::erf::double(exact)).abs() < 5e-7, "{small}");
        }
        assert_eq!(super::exp(0.0), 1.0);
        assert!(super::exp(f32::NEG_INFINITY) < 2e-38 && super::exp(f32::INFINITY) > 1e38);
        assert!(super::exp(f32::NAN).is_nan() && super::tanh(f32::NAN).is_nan() && super::erf(f32::NAN).is_nan());
    }
}
