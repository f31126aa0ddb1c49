//! Separation: given some points wanted on the positive side of a hyperplane and some on the negative, a hyperplane or a circuit.

pub(crate) mod circuit;
pub(crate) mod crash;
pub(crate) mod engine;
pub(crate) mod tableau;
