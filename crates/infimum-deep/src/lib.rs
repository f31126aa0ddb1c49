//! Rung 5: deep networks.
//!
//! [`engine`] computes networks and their gradients, [`training`] lowers their objective for as long as the budget lasts, [`bounds`] proves what no network of the
//! kind goes below, and [`estimates`] says what can only be guessed.

pub mod bounds;
pub mod engine;
pub mod estimates;
mod random;
pub mod training;
