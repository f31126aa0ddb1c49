//! Networks and their gradients on the processor.
//!
//! A [`Network`] computes `f_θ(x)` for a batch of examples and, from the slopes of an objective by the outputs, the slopes by all parameters θ:
//! `∂F/∂θ = Σ_i (∂f_θ(x_i)/∂θ)ᵀ slope_i`, layer by layer backwards, each by its own formula (`operations/`). `plan.rs` makes steps of an architecture; those that treat
//! each example apart are done for a part of the batch that fits in the cache, the others for the whole batch. The same numbers come out for every number of threads: work
//! is cut by sizes alone, and parts are added in their order.

mod erf;
mod initial;
mod loss;
mod network;
mod operations;
mod pass;
mod plan;
mod pool;
mod product;
mod real;
mod singles;
mod slopes;
#[cfg(test)]
mod tests;
mod wide;

pub use loss::{Targets, loss_and_slopes, loss_value};
pub use network::Network;
pub use pass::Pass;
pub(crate) use product::{Layout, multiply_all as multiply};
pub use real::Real;

/// What a pass is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Batch normalisations use the batch's statistics, dropout leaves out.
    Training {
        /// Decides what dropout leaves out; another one for each step.
        seed: u64,
        /// Place of the first example in its batch, where a batch is gone through in parts; else 0.
        first: usize,
    },
    /// Batch normalisations use running values, dropout does nothing.
    Prediction,
}
