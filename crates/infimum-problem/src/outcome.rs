//! What a solver returns.

use serde::{Deserialize, Serialize};

use crate::Model;

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ending {
    /// The gap asked for is reached.
    Optimal,
    /// The infimum is proven and no finite weights attain it (separable data without penalty).
    NotAttained,
    /// The time limit came first.
    TimeLimit,
    /// Neither bound can be improved further; the message says why.
    Stalled,
    /// Ctrl-C or SIGTERM.
    Interrupted,
    /// Arithmetic overflowed or a factorisation failed beyond repair; the message says where.
    NumericalTrouble,
}

/// Incumbent, bounds and witness of a run. `lower ≤ U(θ)` for every θ, `upper ≥ U(model)`, both of the unnormalised
/// sum; both leave room for the difference between the solver's and the checker's rounding.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// Incumbent.
    pub model: Model,
    /// Dual point α, rows × outputs, row-major, exactly feasible (see `docs/certificates.md`).
    pub dual: Vec<f64>,
    /// Value of the incumbent, rounded up.
    pub upper: f64,
    /// Value of the dual point, rounded down.
    pub lower: f64,
    /// How the run ended.
    pub ending: Ending,
    /// `--solver` name of the solver that ran.
    pub solver: &'static str,
    /// Iterations or epochs over all outputs.
    pub explored: u64,
    /// One sentence about the ending; empty for `Optimal`.
    pub message: String,
}

/// `(upper − lower) / max(|upper|, 1e-300)`, never negative; infinite if either is not finite.
pub fn relative_gap(upper: f64, lower: f64) -> f64 {
    let gap = (upper - lower).max(0.0) / upper.abs().max(1e-300);
    if gap.is_nan() { f64::INFINITY } else { gap }
}

impl Ending {
    /// The name written in files and logs.
    pub fn name(self) -> &'static str {
        match self {
            Ending::Optimal => "Optimal",
            Ending::NotAttained => "NotAttained",
            Ending::TimeLimit => "TimeLimit",
            Ending::Stalled => "Stalled",
            Ending::Interrupted => "Interrupted",
            Ending::NumericalTrouble => "NumericalTrouble",
        }
    }
}
