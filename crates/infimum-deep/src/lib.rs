//! Rung 5: deep networks.
//!
//! [`engine`] computes networks and their gradients, [`training`] lowers their objective for as long as the budget lasts, [`bounds`] proves what no network of the
//! kind goes below, [`estimates`] says what can only be guessed, and [`onnx`] writes and reads files of other programs.

pub mod bounds;
pub mod engine;
pub mod estimates;
pub mod onnx;
mod random;
pub mod training;
