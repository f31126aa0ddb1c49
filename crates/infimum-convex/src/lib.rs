//! Rung 1: convex training problems, minimised to a proven gap.
//!
//! Input: rows `x_i ∈ R^d` with weights `c_i > 0` and targets, and the objective (unnormalised, exact coefficients)
//!
//! ```text
//! U(W, b) = Σ_i c_i·loss(y_i, W x_i + b) + λ1 Σ s_j |W_kj| + (λ2/2) Σ s_j² W_kj²
//! ```
//!
//! Output: a model, a dual point α (n × outputs) that is exactly feasible, `upper ≥ U(model)` and
//! `lower = D(α) ≤ U(θ)` for *every* θ. `docs/certificates.md` has the dual and its domain.

mod averaged_sgd;
mod cholesky;
mod choose;
mod columns;
mod cone_program;
mod dense;
mod design;
mod dictionary;
mod direction;
mod dual_cd;
mod elementary;
mod equal_rows;
mod evaluate;
mod first_order;
mod fista;
mod frame;
mod gram;
mod gram_model;
mod hessian;
mod intercept;
mod interior_point;
mod kernel;
mod lbfgs;
mod losses;
mod newton;
mod newton_cg;
mod optimal_face;
mod options;
mod passes;
mod penalty;
mod pieces;
mod plane;
mod preconditioner;
mod proximal;
mod quadratic;
mod residual_model;
mod row_losses;
mod saga;
mod sample;
mod scalar;
mod smooth;
mod softmax;
mod solve;
mod sparse;
mod start;
mod strengths;
mod sums;
mod tracker;
mod witness;
mod working_set;

pub use cholesky::Cholesky;
pub use evaluate::{Observed, row_loss};
pub use kernel::kernel_outputs;
pub use losses::HingeTerm;
pub use options::{Options, Solver, Start};
pub use row_losses::{RowLosses, row_losses};
pub use solve::solve;
pub use strengths::{l1_max, l2_start};

/// Why a problem cannot be solved at all.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A combination that is not supported; the sentence says what is.
    #[error("{0}")]
    Unsupported(String),
    /// Rows of a matrix larger than memory could not be read back.
    #[error(transparent)]
    Fault(infimum_problem::SpillFault),
}
