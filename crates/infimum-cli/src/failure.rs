//! Errors as the user sees them: one message and an exit code.

use std::any::Any;
use std::io::{self, ErrorKind, Write};
use std::panic::{self, AssertUnwindSafe};
use std::sync::OnceLock;

use infimum::one_line;

/// A command that failed.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) code: i32,
    pub(crate) message: String,
}

/// A line on stderr; a stderr that nobody reads is no reason to stop.
pub(crate) fn say(line: &str) {
    let _ = writeln!(io::stderr(), "{}", one_line(line));
}

/// A text on stdout. A reader that has gone away has read what it wanted; a text that cannot be written is an error.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::input(format!("stdout: the result cannot be written: {error}")))
        }
        _ => Ok(()),
    }
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
        let message =
            format!("internal failure: {}; this is a defect of infimum, please report it", message.to_string());
        Failure { code: 1, message }
    }

    /// Says the message and ends the process.
    pub(crate) fn exit(&self) -> ! {
        say(&format!("error: {}", self.message));
        std::process::exit(self.code)
    }
}

/// What panicked first and where. Later panics are its consequences.
static PANIC: OnceLock<String> = OnceLock::new();

fn words(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("a panic without words")
}

/// Runs a command; a panic in any of its threads that ends it is a failure like others, said in one sentence (with
/// `RUST_BACKTRACE` also by the standard library).
pub(crate) fn guarded(command: impl FnOnce() -> Result<i32, Failure>) -> Result<i32, Failure> {
    let standard = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        let place = info.location().map(|location| format!(" at {location}")).unwrap_or_default();
        let _ = PANIC.set(format!("{}{place}", words(info.payload())));
        if std::env::var_os("RUST_BACKTRACE").is_some() {
            standard(info);
        }
    }));
    panic::catch_unwind(AssertUnwindSafe(command)).unwrap_or_else(|payload| {
        let first = PANIC.get().map_or_else(|| words(&*payload), String::as_str);
        Err(Failure::internal(first))
    })
}

#[cfg(test)]
mod tests {
    use super::guarded;

    #[test]
    fn a_panic_is_one_sentence_and_exit_code_1() {
        let failure = guarded(|| std::thread::scope(|scope| scope.spawn(|| panic!("row {}", 7)).join().unwrap()));
        let failure = failure.expect_err("it panicked");
        assert_eq!(failure.code, 1);
        let message = failure.message;
        assert!(message.starts_with("internal failure: row 7 at ") && message.contains("please report"), "{message}");
        assert_eq!(message.lines().count(), 1);
    }
}
