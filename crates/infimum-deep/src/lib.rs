//! Rung 5: deep networks.
//!
//! [`engine`] computes networks and their gradients, [`training`] lowers their objective for as long as the budget lasts.

pub mod engine;
mod random;
pub mod training;
