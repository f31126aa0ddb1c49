//! Errors as the user sees them: one message and an exit code.

use std::io::{self, Write};

/// A command that failed.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) code: i32,
    pub(crate) message: String,
}

/// A line on stderr; a stderr that nobody reads is no reason to stop.
pub(crate) fn say(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// What became of writing an answer to stdout. A reader that went away is no failure, anything else is.
pub(crate) fn written(result: io::Result<()>) -> Result<i32, Failure> {
    match result {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::input(format!("the output cannot be written: {error}")))
        }
        _ => Ok(0),
    }
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

    /// Says the message and ends the process.
    pub(crate) fn exit(&self) -> ! {
        say(&format!("error: {}", self.message));
        std::process::exit(self.code)
    }
}
