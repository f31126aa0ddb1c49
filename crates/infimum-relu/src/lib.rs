//! Rung 4: two-layer ReLU networks with weight decay, and a lower bound over networks of every width.
//!
//! Input: a problem with rows x_i ∈ R^d and K outputs, β = λ2 > 0, and how hidden biases are treated. The objective (unnormalised)
//!
//! ```text
//! U(W, b, A, c) = Σ_i c_i·loss(y_i, A relu(W x_i + b) + c) + (β/2)(‖W‖² + ‖b‖² + ‖A‖² [+ ‖c‖²])
//! ```
//!
//! Output: a network, a dual point α (n × K) with a proof of `max_{‖u‖≤1} ‖Σ_i α_i relu(x̃_i·u)‖ ≤ β`, `upper ≥ U(network)` and
//! `lower ≤ U(θ)` for every network θ of any width. `docs/relu.md` has the theorems.
//!
//! * `instance.rs`: distinct rows and losses.
//! * `solve.rs`: the order of work; `claim.rs`, `ray.rs`: from a dual direction to a claim.
//! * `conflicts.rs`: the bound of equal rows with different targets.
//! * `incumbent/`: networks.
//! * `moments/`: the joint moment bound, any dimension.
//! * `relaxation.rs`: the moment bound for rung 5.
//! * `cones/`: branch and bound over cones, exact in low dimension.

mod claim;
mod cones;
mod conflicts;
mod incumbent;
mod instance;
mod moments;
mod outcome;
mod promise;
mod ray;
pub mod relaxation;
mod solve;
#[cfg(test)]
mod test_problems;

pub use outcome::{Options, Outcome};
pub use promise::promise;
pub use solve::{SOLVER, solve};

pub(crate) use instance::{Instance, Net, Points};

/// Why a problem cannot be solved at all.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A combination that is not supported; the sentence says what is.
    #[error("{0}")]
    Unsupported(String),
}
