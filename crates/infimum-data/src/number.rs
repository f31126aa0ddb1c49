//! Decimal text to the nearest `f64`.

/// Powers of ten that are exact in `f64`.
const POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
    1e21, 1e22,
];

/// The `f64` nearest to the text (ties to even), or `None` if it is not a number. `inf` and `nan` are numbers here, as
/// they are for `str::parse`; callers refuse them.
///
/// Fast path (Clinger, *How to read floating point numbers accurately*, PLDI 1990): a mantissa below 2^53 and a power of ten up to
/// 22 are both exact, so one multiplication or division rounds once. Everything else goes to the standard library.
#[inline]
pub(crate) fn parse(text: &[u8]) -> Option<f64> {
    let Some(Short { negative, mantissa, exponent }) = short(text) else {
        return slow(text);
    };
    if mantissa >= 1 << 53 || exponent.unsigned_abs() > 22 {
        return slow(text);
    }
    let power = POWERS[exponent.unsigned_abs() as usize];
    let value = if exponent < 0 { mantissa as f64 / power } else { mantissa as f64 * power };
    Some(if negative { -value } else { value })
}

/// The decimal number `±mantissa · 10^exponent`, of fewer than 20 digits.
pub(crate) struct Short {
    pub(crate) negative: bool,
    pub(crate) mantissa: u64,
    pub(crate) exponent: i32,
}

/// The number, if it is one of few digits, without leading zeros before them and with an exponent of at most three digits.
#[inline(always)]
pub(crate) fn short(text: &[u8]) -> Option<Short> {
    let (negative, digits) = match text.first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let (mut mantissa, mut count, mut exponent, mut position) = (0u64, 0u32, 0i32, 0usize);
    let mut point = false;
    while let Some(&byte) = digits.get(position) {
        let digit = byte.wrapping_sub(b'0');
        if digit < 10 {
            if count >= 19 {
                return None;
            }
            mantissa = mantissa * 10 + u64::from(digit);
            count += u32::from(mantissa != 0);
            exponent -= i32::from(point);
        } else if byte == b'.' && !point {
            point = true;
        } else {
            break;
        }
        position += 1;
    }
    if position == usize::from(point) {
        return None;
    }
    if position < digits.len() {
        if !matches!(digits[position], b'e' | b'E') {
            return None;
        }
        let rest = &digits[position + 1..];
        let (minus, rest) = match rest.first() {
            Some(b'-') => (true, &rest[1..]),
            Some(b'+') => (false, &rest[1..]),
            _ => (false, rest),
        };
        if rest.is_empty() || rest.len() > 3 || !rest.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let value = rest.iter().fold(0i32, |value, &byte| value * 10 + i32::from(byte - b'0'));
        exponent += if minus { -value } else { value };
    }
    Some(Short { negative, mantissa, exponent })
}

/// The same as [`parse`] by the standard library.
#[cold]
pub(crate) fn slow(text: &[u8]) -> Option<f64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// What is expected where a value is missing.
pub(crate) const PRESENT: &str = "a finite number (missing values must be filled or their rows removed first)";

/// Why a number is not usable here, or `None` if it is: magnitudes must be 0 or in [1e-100, 1e100].
#[inline(always)]
pub(crate) fn objection(value: f64) -> Option<&'static str> {
    let magnitude = value.abs();
    if (1e-100..=1e100).contains(&magnitude) || magnitude == 0.0 {
        None
    } else if magnitude.is_nan() {
        Some(PRESENT)
    } else if magnitude == f64::INFINITY {
        Some("a finite number (infinite values must be replaced or their rows removed first)")
    } else if magnitude > 1e100 {
        Some("a magnitude of at most 1e100 (divide the column by a constant)")
    } else {
        Some("0 or a magnitude of at least 1e-100 (multiply the column by a constant)")
    }
}

/// Whether the field marks a missing value.
pub(crate) fn is_missing(text: &[u8]) -> bool {
    const MARKERS: [&str; 9] = ["", "?", "na", "n/a", "nan", "+nan", "-nan", "null", "none"];
    MARKERS.iter().any(|marker| text.eq_ignore_ascii_case(marker.as_bytes()))
}

/// Whether the field is neither a number nor a mark for a missing one; such a field makes a column text.
pub(crate) fn is_word(text: &[u8]) -> bool {
    !is_missing(text) && parse(text).is_none()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn agrees_with_the_standard_library(text in "[-+]?[0-9]{0,21}(\\.[0-9]{0,21})?([eE][-+]?[0-9]{0,3})?") {
            let expected: Option<f64> = text.parse().ok();
            prop_assert_eq!(super::parse(text.as_bytes()).map(f64::to_bits), expected.map(f64::to_bits));
        }

        #[test]
        fn reads_back_what_is_printed(value in any::<f64>()) {
            if value.is_finite() {
                prop_assert_eq!(super::parse(format!("{value}").as_bytes()), Some(value));
                prop_assert_eq!(super::parse(format!("{value:e}").as_bytes()), Some(value));
            }
        }
    }

    #[test]
    fn refuses_what_is_no_number() {
        for text in ["", "-", ".", "e5", "1e", "1 2", "0x10", "1_000", "abc", "--1", "1e+"] {
            assert_eq!(super::parse(text.as_bytes()), None, "{text}");
        }
    }
}
