//! Rung 5: deep networks.
//!
//! [`engine`] computes networks and their gradients.

pub mod engine;
