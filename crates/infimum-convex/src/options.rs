//! What a caller can choose.

use infimum_problem::Model;

/// A solver of this rung, by its `--solver` name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Solver {
    /// Newton–Cholesky with exact line search on cached margins; smooth losses, few columns.
    Newton,
    /// Newton with conjugate gradients; smooth losses, many columns.
    NewtonCg,
    /// Interior point on the dual; hinge, few columns.
    InteriorPoint,
    /// Dual coordinate descent with shrinking; binary losses, sparse data, many columns.
    DualCd,
    /// Working sets with proximal Newton, Anderson extrapolation and conjugate gradients on the support; l1 > 0, smooth losses.
    WorkingSet,
    /// Limited-memory quasi-Newton; smooth losses without l1.
    Lbfgs,
    /// Accelerated proximal gradient with restarts; smooth losses, any penalty.
    Fista,
    /// Incremental gradients with a memory; smooth losses of one output, any penalty.
    Saga,
    /// Averaged stochastic gradient with implicit steps; losses of one output, l2 > 0 without l1.
    AveragedSgd,
    /// Sequential minimal optimisation in working sets; kernels.
    Smo,
    /// The cone program by Clarabel; losses of one output but Poisson, any penalty, moderate size.
    Clarabel,
}

/// Options of a solve.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// Relative gap at which to stop.
    pub gap: f64,
    /// Absolute gap of the unnormalised sum at which to stop.
    pub abs_gap: f64,
    /// Solver to use; `None` chooses.
    pub solver: Option<Solver>,
    /// Threads to use, ≥ 1.
    pub threads: usize,
    /// Seed of everything random.
    pub seed: u64,
    /// Where to start; `None` starts from zero.
    pub start: Option<Start>,
}

/// A point to start from, e.g. the solution of a similar problem. Its model becomes the first incumbent if it is better than
/// zero, its dual point the first bound once it has been made feasible; nothing that is proven depends on either.
#[derive(Debug, Clone, PartialEq)]
pub struct Start {
    /// Weights outputs × d, and intercepts.
    pub model: Model,
    /// Dual point, rows × outputs, if there is one for these rows.
    pub dual: Option<Vec<f64>>,
}

impl Solver {
    /// All solvers.
    pub const ALL: [Solver; 11] = [
        Solver::Newton,
        Solver::NewtonCg,
        Solver::InteriorPoint,
        Solver::DualCd,
        Solver::WorkingSet,
        Solver::Lbfgs,
        Solver::Fista,
        Solver::Saga,
        Solver::AveragedSgd,
        Solver::Smo,
        Solver::Clarabel,
    ];

    /// The `--solver` name.
    pub fn name(self) -> &'static str {
        match self {
            Solver::Newton => "newton",
            Solver::NewtonCg => "newton-cg",
            Solver::InteriorPoint => "interior-point",
            Solver::DualCd => "dual-cd",
            Solver::WorkingSet => "working-set",
            Solver::Lbfgs => "lbfgs",
            Solver::Fista => "fista",
            Solver::Saga => "saga",
            Solver::AveragedSgd => "averaged-sgd",
            Solver::Smo => "smo",
            Solver::Clarabel => "clarabel",
        }
    }

    /// The solver called `name`, if there is one.
    pub fn from_name(name: &str) -> Option<Solver> {
        Solver::ALL.into_iter().find(|solver| solver.name() == name)
    }
}
