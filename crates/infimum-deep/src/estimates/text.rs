//! Numbers in sentences.

/// A share in percent, without the sign, with two significant digits, and a minus that is one.
pub(super) fn percent(share: f64) -> String {
    let value = 100.0 * share;
    let size = value.abs();
    let digits = if size >= 9.95 {
        0
    } else if size >= 0.995 {
        1
    } else {
        2
    };
    let text = format!("{size:.digits$}");
    let is_zero = text.bytes().all(|byte| matches!(byte, b'0' | b'.'));
    format!("{}{}", if value < 0.0 && !is_zero { "−" } else { "" }, if is_zero { "0" } else { &text })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_written_short() {
        let cases = [(-0.42, "−42"), (-0.0042, "−0.42"), (0.0996, "10"), (0.034, "3.4"), (-1e-7, "0"), (0.0, "0")];
        for (share, expected) in cases {
            assert_eq!(percent(share), expected);
        }
    }
}
