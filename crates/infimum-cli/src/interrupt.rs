//! Ctrl-C, SIGTERM and the time limit. While a solver runs it is asked to end and everything is written; while the data
//! are still being read there is nothing to write and the command ends at once. A second interrupt always ends it at once.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use crate::failure::{Failure, say};
use crate::folder::Traces;

/// How often the watch over the reader looks.
const LOOK: Duration = Duration::from_millis(10);

/// The signals that ask a run to end. SIGHUP is not among them: a run under `nohup` outlives its terminal.
const ENDING: [i32; 2] = [SIGINT, SIGTERM];

static INTERRUPTED: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);

/// Installs the handlers and returns the flag they set.
pub(crate) fn install() -> &'static AtomicBool {
    let installed: io::Result<()> = ENDING.iter().try_for_each(|&signal| {
        // In this order: the first interrupt finds the flag unset and sets it, the second finds it set.
        flag::register_conditional_shutdown(signal, 130, Arc::clone(&INTERRUPTED))?;
        flag::register(signal, Arc::clone(&INTERRUPTED)).map(drop)
    });
    if let Err(error) = installed {
        say(&format!("warning: interrupts cannot be caught ({error}); Ctrl-C will end the process without a result"));
    }
    &INTERRUPTED
}

/// Makes a write beyond the limit on file sizes (`ulimit -f`) fail with an error instead of ending the process.
pub(crate) fn survive_file_limits() {
    #[cfg(unix)]
    if let Err(error) = flag::register(signal_hook::consts::SIGXFSZ, Arc::default()) {
        say(&format!("warning: {error}; a write beyond the limit on file sizes will end the process"));
    }
}

/// Ends the process if the limit or an interrupt comes before the returned sender is dropped; then `traces` of the run are
/// removed.
pub(crate) fn watch_reading(start: Instant, limit: Option<Duration>, traces: Traces) -> Sender<()> {
    let (sender, receiver) = channel::<()>();
    std::thread::spawn(move || {
        while receiver.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) {
            let failure = if INTERRUPTED.load(Ordering::Relaxed) {
                let message = "interrupted while the data were being read; there was nothing to write yet".into();
                Failure { code: 130, message }
            } else if let Some(limit) = limit.filter(|limit| start.elapsed() >= *limit) {
                Failure::input(format!(
                    "--time-limit {}s came while the data were being read; there is no model yet; give a longer limit",
                    limit.as_secs_f64()
                ))
            } else {
                continue;
            };
            traces.remove();
            failure.exit();
        }
    });
    sender
}
