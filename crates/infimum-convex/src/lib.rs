//! Rung 1 (being written).

mod options;

use infimum_problem::{Monitor, Outcome, Problem};

pub use options::{Options, Solver};

/// Why a problem cannot be solved at all.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A combination that is not supported; the sentence says what is.
    #[error("{0}")]
    Unsupported(String),
}

/// Minimises the problem's objective until the gap asked for is reached, or the monitor says stop, or nothing can be
/// improved.
pub fn solve(problem: &Problem, options: &Options, monitor: &dyn Monitor) -> Result<Outcome, Error> {
    let _ = (problem, options, monitor);
    Err(Error::Unsupported("not there yet".into()))
}
