//! Decimal text as an exact number `mantissa · 10^exponent`.

use dashu_int::{IBig, UBig};

use crate::number;

/// Most digits of a number, without zeros before and behind them, and of a column's integers.
pub(super) const MOST_DIGITS: usize = 4_000;
/// Largest power of ten, up or down, that a number is a multiple of.
const MOST_EXPONENT: i64 = 4_000;

/// What is expected instead of a number that is too long.
const SHORTER: &str = "a number of at most 4,000 digits, times a power of ten within ±4,000";
/// What is expected instead of infinity.
const FINITE: &str = "a finite number (infinite values must be replaced or their rows removed first)";

/// An exact number; of several spellings of a short one none is preferred, while a long one has no zeros at its end.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Decimal {
    /// `mantissa · 10^exponent`, |mantissa| ≤ 2^62.
    Short(i64, i16),
    /// The same, |mantissa| > 2^62.
    Long(IBig, i16),
}

/// The exact number that the field says. The grammar is that of rung 1 ([`number::parse`]). `Err` says what is expected instead, or
/// nothing if the field is no number at all.
#[inline(always)]
pub(super) fn parse(field: &[u8]) -> Result<Decimal, Option<&'static str>> {
    match number::short(field) {
        Some(short) if short.mantissa <= 1 << 62 && i64::from(short.exponent).abs() <= MOST_EXPONENT - 20 => {
            let mantissa = short.mantissa as i64;
            Ok(Decimal::Short(if short.negative { -mantissa } else { mantissa }, short.exponent as i16))
        }
        _ => slow(field),
    }
}

#[cold]
fn slow(field: &[u8]) -> Result<Decimal, Option<&'static str>> {
    let rounded = number::slow(field).ok_or(None)?;
    if !field.iter().any(u8::is_ascii_digit) {
        return Err(Some(if rounded.is_nan() { number::PRESENT } else { FINITE }));
    }
    let end = field.iter().position(|byte| matches!(byte, b'e' | b'E')).unwrap_or(field.len());
    let (mut exponent, mut digits, mut point) = (power(field.get(end + 1..).unwrap_or_default()), Vec::new(), false);
    for &byte in &field[..end] {
        match byte {
            b'.' => point = true,
            b'0'..=b'9' => {
                exponent -= i64::from(point);
                // Zeros before the first digit say nothing.
                if byte != b'0' || !digits.is_empty() {
                    digits.push(byte);
                }
            }
            _ => {}
        }
    }
    while digits.last() == Some(&b'0') {
        digits.pop();
        exponent += 1;
    }
    if digits.is_empty() {
        return Ok(Decimal::Short(0, 0));
    }
    if digits.len() > MOST_DIGITS || exponent.abs() > MOST_EXPONENT {
        return Err(Some(SHORTER));
    }
    let text = std::str::from_utf8(&digits).map_err(|_| None)?;
    let magnitude = UBig::from_str_radix(text, 10).map_err(|_| None)?;
    let mantissa = if field[0] == b'-' { -IBig::from(magnitude) } else { IBig::from(magnitude) };
    Ok(Decimal::new(mantissa, exponent as i16))
}

/// The power of ten behind the `e`; beyond ±10^15 it makes no difference (no field is so long).
fn power(text: &[u8]) -> i64 {
    let digits = text.iter().filter(|byte| byte.is_ascii_digit());
    let value = digits.fold(0i64, |value, byte| (value * 10 + i64::from(byte - b'0')).min(1_000_000_000_000_000));
    if text.first() == Some(&b'-') { -value } else { value }
}

impl Decimal {
    /// Chooses by size.
    fn new(mantissa: IBig, exponent: i16) -> Decimal {
        match i64::try_from(&mantissa) {
            Ok(short) if short.unsigned_abs() <= 1 << 62 => Decimal::Short(short, exponent),
            _ => Decimal::Long(mantissa, exponent),
        }
    }

    fn parts(&self) -> (IBig, i16) {
        match self {
            Decimal::Short(mantissa, exponent) => ((*mantissa).into(), *exponent),
            Decimal::Long(mantissa, exponent) => (mantissa.clone(), *exponent),
        }
    }

    /// Smaller, equal or larger.
    pub(super) fn compare(&self, other: &Decimal) -> std::cmp::Ordering {
        let ((a, by_a), (b, by_b)) = (self.parts(), other.parts());
        let least = by_a.min(by_b);
        let common = |mantissa: IBig, exponent: i16| mantissa * IBig::from(10).pow((exponent - least) as usize);
        common(a, by_a).cmp(&common(b, by_b))
    }

    /// The number in plain decimal notation, without zeros that say nothing: for short numbers what rung 1 prints.
    pub(super) fn plain(&self) -> String {
        let (mantissa, exponent) = self.parts();
        plain(&mantissa, exponent)
    }
}

/// `mantissa · 10^exponent` in plain decimal notation.
fn plain(mantissa: &IBig, exponent: i16) -> String {
    let text = mantissa.to_string();
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text.as_str()),
    };
    if digits == "0" {
        return "0".into();
    }
    if exponent >= 0 {
        return format!("{sign}{digits}{}", "0".repeat(exponent as usize));
    }
    let behind = usize::from(exponent.unsigned_abs());
    let padded = format!("{}{digits}", "0".repeat((behind + 1).saturating_sub(digits.len())));
    let (whole, fraction) = padded.split_at(padded.len() - behind);
    let fraction = fraction.trim_end_matches('0');
    if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}

/// `mantissa · 2^exponent` in plain decimal notation, exactly.
pub(super) fn plain_binary(mantissa: &IBig, exponent: i16) -> String {
    let shift = usize::from(exponent.unsigned_abs());
    if exponent >= 0 {
        return (mantissa << shift).to_string();
    }
    // m / 2^s = m · 5^s / 10^s.
    plain(&(mantissa * IBig::from(5).pow(shift)), exponent)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Of the same grammar as rung 1, and as exact as a division of big integers.
        #[test]
        fn is_the_number_that_is_written(
            sign in "[-+]?", whole in "[0-9]{0,25}", fraction in "[0-9]{0,25}", point in "\\.?", exponent in -30i32..30, e in "[eE]?",
        ) {
            let fraction = if point.is_empty() { String::new() } else { fraction };
            let tail = if e.is_empty() { String::new() } else { format!("{e}{exponent}") };
            let field = format!("{sign}{whole}{point}{fraction}{tail}");
            let parsed = parse(field.as_bytes());
            prop_assert_eq!(parsed.is_ok(), number::parse(field.as_bytes()).is_some());
            let Ok(decimal) = parsed else { return Ok(()) };
            let digits: IBig = format!("0{whole}{fraction}").parse().expect("digits");
            let digits = if sign == "-" { -digits } else { digits };
            let power = if e.is_empty() { 0 } else { exponent } - fraction.len() as i32;
            // Both times 10^60 are integers.
            let ten = |power: i32| IBig::from(10).pow(power as usize);
            let (mantissa, by) = decimal.parts();
            prop_assert_eq!(mantissa * ten(60 + i32::from(by)), digits * ten(60 + power));
        }

        #[test]
        fn short_numbers_are_printed_as_rung_1_prints_them(value in -1_000_000i64..1_000_000, places in 0usize..6) {
            let value = value as f64 / 10f64.powi(places as i32);
            prop_assert_eq!(parse(format!("{value:e}").as_bytes()).expect("a number").plain(), format!("{}", value + 0.0));
        }

        #[test]
        fn binary_numbers_are_printed_exactly(mantissa in -1000i64..1000, exponent in -20i16..20) {
            let text = plain_binary(&mantissa.into(), exponent);
            prop_assert_eq!(text.parse::<f64>(), Ok(mantissa as f64 * 2f64.powi(exponent.into())));
        }
    }

    #[test]
    fn what_is_too_long_or_no_number() {
        for (field, expected) in [
            ("1e4001", Some(SHORTER)),
            ("1e-99999999999999999999", Some(SHORTER)),
            (&*"7".repeat(4_001), Some(SHORTER)),
            ("inf", Some(FINITE)),
            ("-Infinity", Some(FINITE)),
            ("nan", Some(number::PRESENT)),
            ("1 2", None),
            ("", None),
            (".", None),
        ] {
            assert_eq!(parse(field.as_bytes()), Err(expected), "{field}");
        }
        assert_eq!(parse(b"0e99999999999"), Ok(Decimal::Short(0, 0)));
        assert_eq!(parse("10e3999".as_bytes()), parse(b"1e4000"));
        assert_eq!(parse(format!("1{}e-5000", "0".repeat(5_000)).as_bytes()), Ok(Decimal::Short(1, 0)));
        assert!(matches!(parse("7".repeat(4_000).as_bytes()), Ok(Decimal::Long(..))));
    }

    #[test]
    fn numbers_that_f64_does_not_tell_apart() {
        let decimals =
            ["-1e300", "-3", "0", "1e-300", "9007199254740992", "9007199254740993", "9007199254740993.0001", "1e300"];
        let parsed = decimals.map(|field| parse(field.as_bytes()).expect("a number"));
        assert!(parsed.windows(2).all(|pair| pair[0].compare(&pair[1]).is_lt()));
        assert!(parsed.iter().all(|decimal| decimal.compare(decimal).is_eq()));
    }
}
