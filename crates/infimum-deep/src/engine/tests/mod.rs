//! Tests of whole networks.

mod behaviour;
mod gradients;
mod naive;
pub(in crate::engine) mod networks;
