//! The error function.

/// erf in doubles: `2/√π exp(−x²) Σ_n 2ⁿ x^(2n+1)/(1·3·…·(2n+1))` (positive terms only, so nothing cancels; Abramowitz & Stegun 7.1.6) where |x| < 3, and
/// `1 − exp(−x²)/√π · 1/(x + (1/2)/(x + 1/(x + (3/2)/(x + …))))` (7.1.14) beyond.
pub(super) fn double(x: f64) -> f64 {
    let size = x.abs();
    let square = size * size;
    let value = if size < 3.0 {
        let (mut term, mut sum, mut n) = (size, size, 1.0);
        while term > sum * 1e-17 {
            term *= 2.0 * square / (2.0 * n + 1.0);
            sum += term;
            n += 1.0;
        }
        std::f64::consts::FRAC_2_SQRT_PI * (-square).exp() * sum
    } else if size < 6.0 {
        let fraction = (1..=40).rev().fold(size, |rest, n| size + f64::from(n) / 2.0 / rest);
        1.0 - (-square).exp() / (std::f64::consts::PI.sqrt() * fraction)
    } else if size >= 6.0 {
        1.0
    } else {
        return x;
    };
    value.copysign(x)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_error_function_is_right() {
        // Known values.
        let known = [
            (0.0, 0.0),
            (0.1, 0.112_462_916_018_284_9),
            (0.5, 0.520_499_877_813_046_5),
            (1.0, 0.842_700_792_949_714_9),
            (2.0, 0.995_322_265_018_952_7),
            (2.5, 0.999_593_047_982_555),
            (3.0, 0.999_977_909_503_001_4),
            (3.5, 0.999_999_256_901_627_7),
            (7.0, 1.0),
        ];
        for (x, value) in known {
            assert!((super::double(x) - value).abs() < 2e-15, "{x}");
            assert_eq!(super::double(-x), -super::double(x));
        }
        // Both formulas meet at 3.
        assert!((super::double(3.0 - 1e-15) - super::double(3.0)).abs() < 1e-15);
        assert!(super::double(f64::NAN).is_nan());
    }
}
