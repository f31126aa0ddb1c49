//! Text from outside, made fit to be printed.

use std::borrow::Cow;

/// Whether `c` could begin a new line, move the cursor, or show text in another order than it stands.
fn is_unruly(c: char) -> bool {
    let reorders = matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') || reorders
}

/// The text with every character that is not plainly visible in its place written as an escape (`\n`, `\u{1b}`). Names, labels
/// and paths come from files: printed, they must not be able to look like a line of ours.
pub fn one_line(text: &str) -> Cow<'_, str> {
    if !text.contains(is_unruly) {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_unruly(c) { plain.extend(c.escape_default()) } else { plain.push(c) }
    }
    Cow::Owned(plain)
}

#[cfg(test)]
mod tests {
    use super::one_line;

    #[test]
    fn what_could_pass_for_another_line_is_escaped() {
        assert_eq!(one_line("größe, \"λ\" \\ 漢"), "größe, \"λ\" \\ 漢");
        assert_eq!(one_line("a\ns VERIFIED\r\t\u{1b}[2K\u{85}"), "a\\ns VERIFIED\\r\\t\\u{1b}[2K\\u{85}");
        assert_eq!(one_line("a\u{2028}b\u{202e}c"), "a\\u{2028}b\\u{202e}c");
    }
}
