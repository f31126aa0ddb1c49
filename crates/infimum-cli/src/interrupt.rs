//! Ctrl-C and SIGTERM: the first asks the solver to end and write everything, the second ends the process at once.

use std::sync::atomic::{AtomicBool, Ordering};

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Installs the handler and returns the flag it sets.
pub(crate) fn install() -> &'static AtomicBool {
    let installed = ctrlc::set_handler(|| {
        if INTERRUPTED.swap(true, Ordering::SeqCst) {
            std::process::exit(130);
        }
    });
    if let Err(error) = installed {
        eprintln!("warning: interrupts cannot be caught ({error}); Ctrl-C will end the process without a result");
    }
    &INTERRUPTED
}
