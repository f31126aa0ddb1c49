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
    /// Weights that do what was asked for were found.
    Satisfiable,
    /// No weights do what was asked for: proven.
    Infeasible,
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

/// `upper − lower`, never negative, rounded up: at least the difference of the two numbers.
pub fn absolute_gap(upper: f64, lower: f64) -> f64 {
    let gap = upper - lower;
    // TwoSum (Knuth): what rounding took away from the difference.
    let part = gap - upper;
    let error = (upper - (gap - part)) + (-lower - part);
    let gap = if error > 0.0 { gap.next_up() } else { gap };
    if gap.is_nan() { f64::INFINITY } else { gap.max(0.0) }
}

/// `(upper − lower) / max(|upper|, 1e-300)`, never negative, rounded up: at least the gap of the two numbers, and infinite if
/// either is not finite.
pub fn relative_gap(upper: f64, lower: f64) -> f64 {
    let (difference, size) = (absolute_gap(upper, lower), upper.abs().max(1e-300));
    if !(difference.is_finite() && size.is_finite()) {
        return f64::INFINITY;
    }
    let gap = difference / size;
    // The remainder gap·size − difference is an `f64` unless it is tiny; it is negative iff the quotient was rounded down.
    let exact = difference == 0.0 || (difference > 1e-250 && gap.mul_add(size, -difference) >= 0.0);
    if exact { gap } else { gap.next_up() }
}

/// Whether the bounds are as close as was asked for: what [`Ending::Optimal`] claims, for solver and checker alike.
pub fn gap_reached(upper: f64, lower: f64, gap: f64, abs_gap: f64) -> bool {
    relative_gap(upper, lower) <= gap || absolute_gap(upper, lower) <= abs_gap
}

impl Ending {
    /// The name written in files and logs.
    pub fn name(self) -> &'static str {
        match self {
            Ending::Optimal => "Optimal",
            Ending::NotAttained => "NotAttained",
            Ending::Satisfiable => "Satisfiable",
            Ending::Infeasible => "Infeasible",
            Ending::TimeLimit => "TimeLimit",
            Ending::Stalled => "Stalled",
            Ending::Interrupted => "Interrupted",
            Ending::NumericalTrouble => "NumericalTrouble",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{absolute_gap, gap_reached, relative_gap};

    #[test]
    fn gaps_are_rounded_up_and_exact_where_they_can_be() {
        assert_eq!((absolute_gap(3.0, 1.0), relative_gap(4.0, 1.0)), (2.0, 0.75));
        assert_eq!((absolute_gap(1.0, 2.0), relative_gap(1.0, 2.0)), (0.0, 0.0));
        assert_eq!((relative_gap(0.0, 0.0), relative_gap(1e-13, 0.0), relative_gap(1e300, 0.0)), (0.0, 1.0, 1.0));
        // 1 − 1e-30 lies below 1 and rounds to it; 1 + 1e-30 lies above.
        assert_eq!((absolute_gap(1.0, 1e-30), absolute_gap(1.0, -1e-30)), (1.0, 1.0f64.next_up()));
        // A third: the double nearest to it lies below.
        assert_eq!(relative_gap(3.0, 2.0), (1.0f64 / 3.0).next_up());
        assert_eq!(relative_gap(5.0, 4.0), 0.2, "the double nearest to a fifth lies above");
        for (upper, lower) in [(f64::INFINITY, 0.0), (1.0, f64::NEG_INFINITY), (f64::NAN, 0.0), (1.0, f64::NAN)] {
            assert_eq!(relative_gap(upper, lower), f64::INFINITY, "{upper} {lower}");
        }
        assert!(absolute_gap(f64::MAX, f64::MIN) == f64::INFINITY && relative_gap(5e-324, 0.0) >= 4.94e-24);
    }

    #[test]
    fn a_gap_that_only_rounding_reaches_is_not_reached() {
        assert!(gap_reached(5.0, 4.0, 0.2, 0.0) && gap_reached(3.0, 1.0, 0.0, 2.0));
        assert!(!gap_reached(3.0, 2.0, 1.0 / 3.0, 0.0) && !gap_reached(1.0, -1e-30, 0.0, 1.0));
    }
}
