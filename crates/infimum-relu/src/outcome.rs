//! What is asked of the solver and what it returns.

use infimum_problem::{Ending, ReluNet, Witness};

/// Options beyond the problem itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// Relative gap at which to stop.
    pub gap: f64,
    /// Absolute gap of the unnormalised sum at which to stop.
    pub abs_gap: f64,
    /// Largest number of hidden units; `None`: as many as help.
    pub width: Option<usize>,
    /// Threads.
    pub threads: usize,
    /// Seed.
    pub seed: u64,
    /// A network to start from, trained elsewhere.
    pub start: Option<ReluNet>,
}

/// Incumbent, bounds and witness of a run. `lower ≤ U(θ)` for every network θ of any width, `upper ≥ U(net)`, both of the unnormalised sum; both
/// leave room for the difference between the solver's and the checker's rounding.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// Incumbent.
    pub net: ReluNet,
    /// Dual point α, rows × outputs, row-major, exactly feasible (docs/relu.md).
    pub dual: Vec<f64>,
    /// Bounds on `Σ ±α relu(x·u)`, two for each output.
    pub witnesses: Vec<Witness>,
    /// Value of the incumbent, rounded up.
    pub upper: f64,
    /// Value of the dual point, rounded down.
    pub lower: f64,
    /// How the run ended.
    pub ending: Ending,
    /// What the bound rests on: `norms`, `moments`, `cones`.
    pub bound: &'static str,
    /// Rounds of column generation.
    pub rounds: u64,
    /// Nodes of the branch and bound.
    pub nodes: u64,
    /// One sentence about the ending; empty for `Optimal`.
    pub message: String,
}
