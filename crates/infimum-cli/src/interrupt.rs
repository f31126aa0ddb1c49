//! Ctrl-C, SIGTERM and the time limit. While a solver runs it is asked to end and everything is written; while the data
//! are still being read there is nothing to write and the command ends at once. A second interrupt always ends it at once.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use crate::failure::{Failure, say};

/// How often the watch over the reader looks.
const LOOK: Duration = Duration::from_millis(10);

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Installs the handler and returns the flag it sets.
pub(crate) fn install() -> &'static AtomicBool {
    let installed = ctrlc::set_handler(|| {
        if INTERRUPTED.swap(true, Ordering::SeqCst) {
            std::process::exit(130);
        }
    });
    if let Err(error) = installed {
        say(&format!("warning: interrupts cannot be caught ({error}); Ctrl-C will end the process without a result"));
    }
    &INTERRUPTED
}

/// Ends the process if the limit or an interrupt comes before the returned sender is dropped.
pub(crate) fn watch_reading(start: Instant, limit: Option<Duration>) -> Sender<()> {
    let (sender, receiver) = channel::<()>();
    std::thread::spawn(move || {
        while receiver.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) {
            if INTERRUPTED.load(Ordering::Relaxed) {
                let message = "interrupted while the data were being read; there was nothing to write yet".into();
                Failure { code: 130, message }.exit();
            }
            if let Some(limit) = limit.filter(|limit| start.elapsed() >= *limit) {
                let message = format!(
                    "--time-limit {}s came while the data were being read; there is no model yet; give a longer limit",
                    limit.as_secs_f64()
                );
                Failure::input(message).exit();
            }
        }
    });
    sender
}
