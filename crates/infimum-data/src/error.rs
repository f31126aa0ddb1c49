//! What can be wrong with input. Every message is one line and says what, where, expected, got, and what to do.

use std::borrow::Cow;

/// A problem with the data or with what was asked of it.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum DataError {
    /// The file cannot be opened or read.
    #[error("{}: cannot be read: {}", one_line(.path), one_line(.why))]
    Unreadable {
        /// Path as given.
        path: String,
        /// The system's reason.
        why: String,
    },
    /// The compressed stream is damaged or ends too early.
    #[error("{}: the gzip stream is damaged or truncated: {}; compress the file again", one_line(.path), one_line(.why))]
    Gzip {
        /// Path as given.
        path: String,
        /// The decompressor's reason.
        why: String,
    },
    /// A field is not what it should be.
    #[error("{}, {} {line}{}: expected {expected}, got {}", one_line(.path), .unit.name(), one_line(.column), one_line(.got))]
    Field {
        /// Path as given.
        path: String,
        /// What `line` counts.
        unit: Unit,
        /// 1-based line or row.
        line: u64,
        /// `, column …` or empty.
        column: String,
        /// What should stand there.
        expected: String,
        /// What stands there.
        got: String,
    },
    /// The file as a whole, or the request, is not usable; one sentence that says what is expected and what to do.
    #[error("{}: {}", one_line(.path), one_line(.message))]
    Input {
        /// Path as given.
        path: String,
        /// The sentence.
        message: String,
    },
}

/// What a place in a file is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Lines of text.
    Line,
    /// Rows of an array.
    Row,
}

impl Unit {
    fn name(self) -> &'static str {
        match self {
            Unit::Line => "line",
            Unit::Row => "row",
        }
    }
}

/// The text with control characters escaped: names, labels and excerpts come from files and must not break a line.
pub fn one_line(text: &str) -> Cow<'_, str> {
    let breaks = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    if !text.contains(breaks) {
        return Cow::Borrowed(text);
    }
    let escaped = |c: char| if breaks(c) { c.escape_default().to_string() } else { c.to_string() };
    Cow::Owned(text.chars().map(escaped).collect())
}

/// Characters of a field that an error shows.
const SHOWN: usize = 60;

/// A field as an error shows it.
fn excerpt(got: &[u8]) -> String {
    let text = String::from_utf8_lossy(&got[..got.len().min(4 * SHOWN)]);
    match text.trim_ascii() {
        "" => "nothing".into(),
        text => match text.char_indices().nth(SHOWN) {
            Some((end, _)) => format!("`{}…`", &text[..end]),
            None => format!("`{text}`"),
        },
    }
}

impl DataError {
    pub(crate) fn input(path: &str, message: impl Into<String>) -> DataError {
        DataError::Input { path: path.into(), message: message.into() }
    }

    /// The error with the path filled in, for parsers that do not know it, and with `lines` added to its line.
    pub(crate) fn at(mut self, source: &str, lines: u64) -> DataError {
        match &mut self {
            DataError::Field { path, line, .. } => {
                *path = source.into();
                *line += lines;
            }
            DataError::Input { path, .. } | DataError::Unreadable { path, .. } | DataError::Gzip { path, .. } => {
                *path = source.into();
            }
        }
        self
    }

    /// A field of a text file; the path is still to be filled in with [`DataError::at`].
    pub(crate) fn field(line: u64, column: Option<&str>, expected: &str, got: &[u8]) -> DataError {
        DataError::Field {
            path: String::new(),
            unit: Unit::Line,
            line,
            column: column.map(|name| format!(", column `{name}`")).unwrap_or_default(),
            expected: expected.into(),
            got: excerpt(got),
        }
    }

    /// An element of an array: its row and column count from 0.
    pub(crate) fn element(path: &str, row: usize, column: usize, expected: &str, got: f64) -> DataError {
        DataError::Field {
            path: path.into(),
            unit: Unit::Row,
            line: row as u64 + 1,
            column: format!(", column `{}`", column + 1),
            expected: expected.into(),
            got: format!("`{got:?}`"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_one_line() {
        let error =
            DataError::field(3, Some("a\nb"), "a number", "x\r\ny\u{1b}[0m\u{2028}".as_bytes()).at("f\n.csv", 4);
        let expected = "f\\n.csv, line 7, column `a\\nb`: expected a number, got `x\\r\\ny\\u{1b}[0m\\u{2028}`";
        assert_eq!(error.to_string(), expected);
        assert_eq!(DataError::input("f", "label `\n`").to_string(), "f: label `\\n`");
    }

    #[test]
    fn excerpts_end_between_characters() {
        let error = DataError::field(1, None, "a number", "ö".repeat(100).as_bytes()).to_string();
        assert!(error.ends_with(&format!("got `{}…`", "ö".repeat(60))), "{error}");
        assert!(DataError::field(1, None, "a number", b" ").to_string().ends_with("got nothing"));
    }
}
