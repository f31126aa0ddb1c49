//! Errors as the user sees them: one message and an exit code.

/// A command that failed.
pub(crate) struct Failure {
    pub(crate) code: i32,
    pub(crate) message: String,
}

impl Failure {
    /// Usage, input and environment: exit code 2.
    pub(crate) fn input(message: impl ToString) -> Failure {
        Failure { code: 2, message: message.to_string() }
    }

    /// A defect of infimum: exit code 1.
    pub(crate) fn internal(message: impl ToString) -> Failure {
        Failure { code: 1, message: message.to_string() }
    }
}
