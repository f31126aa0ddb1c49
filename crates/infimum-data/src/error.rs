//! What can be wrong with input. Every message says what, where, expected, got, and what to do.

/// A problem with the data or with what was asked of it.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// The file cannot be opened or read.
    #[error("{path}: cannot be read: {why}")]
    Unreadable {
        /// Path as given.
        path: String,
        /// The system's reason.
        why: String,
    },
    /// The compressed stream is damaged or ends too early.
    #[error("{path}: the gzip stream is damaged or truncated: {why}; compress the file again")]
    Gzip {
        /// Path as given.
        path: String,
        /// The decompressor's reason.
        why: String,
    },
    /// A field is not what it should be.
    #[error("{path}, line {line}{column}: expected {expected}, got {got}")]
    Field {
        /// Path as given.
        path: String,
        /// 1-based line (for binary arrays: row).
        line: u64,
        /// `, column …` or empty.
        column: String,
        /// What should stand there.
        expected: String,
        /// What stands there.
        got: String,
    },
    /// The file as a whole, or the request, is not usable; one sentence that says what is expected and what to do.
    #[error("{path}: {message}")]
    Input {
        /// Path as given.
        path: String,
        /// The sentence.
        message: String,
    },
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

    pub(crate) fn field(line: u64, column: Option<&str>, expected: &str, got: &[u8]) -> DataError {
        let got: String = String::from_utf8_lossy(&got[..got.len().min(60)]).into_owned();
        DataError::Field {
            path: String::new(),
            line,
            column: column.map(|name| format!(", column `{name}`")).unwrap_or_default(),
            expected: expected.into(),
            got: if got.is_empty() { "nothing".into() } else { format!("`{got}`") },
        }
    }
}
