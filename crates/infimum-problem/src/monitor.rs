//! How a solver tells what happens and hears that it must stop. Solvers know nothing of printing.

/// What a solver reports.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A solver starts; `name` is its `--solver` name, `reason` says why it was chosen.
    Solver {
        /// `--solver` name.
        name: &'static str,
        /// Why it was chosen, a clause without full stop.
        reason: String,
    },
    /// The current best values, both of the unnormalised sum, as the solver evaluates them in `f64`. They become
    /// *proven* only when the certificate has been checked.
    Progress {
        /// Who found it, e.g. `newton`, `dual-cd`, `polish`.
        source: &'static str,
        /// Value of the incumbent.
        upper: f64,
        /// Best dual value ever seen.
        lower: f64,
        /// Work so far: iterations or epochs of the running solver.
        explored: u64,
    },
    /// A remark for the user, one sentence.
    Note(String),
}

/// Why a solver has to stop early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// The time limit is reached.
    TimeLimit,
    /// Ctrl-C or SIGTERM.
    Interrupted,
}

/// The solver's only connection to the outside. `stop` is cheap: solvers ask at least every few milliseconds.
pub trait Monitor: Sync {
    /// Something happened.
    fn report(&self, event: Event);
    /// Whether to stop now, and why.
    fn stop(&self) -> Option<Stop>;
}

/// A monitor that hears nothing and never stops; for tests and for embedding.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Monitor for Silent {
    fn report(&self, _event: Event) {}

    fn stop(&self) -> Option<Stop> {
        None
    }
}

impl<M: Monitor + ?Sized> Monitor for &M {
    fn report(&self, event: Event) {
        (**self).report(event);
    }

    fn stop(&self) -> Option<Stop> {
        (**self).stop()
    }
}
