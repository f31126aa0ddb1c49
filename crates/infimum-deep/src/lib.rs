//! Rung 5: deep networks.
//!
//! [`engine`] computes networks and their gradients, [`training`] lowers their objective for as long as the budget lasts, and [`bounds`] proves what no network of
//! the kind goes below.

pub mod bounds;
pub mod engine;
mod random;
pub mod training;
