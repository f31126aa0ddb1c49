//! Certificates of rung 4: no two-layer ReLU network of any width has an objective below `lower`, and the recorded one has at most
//! `upper` (docs/relu.md has the theorems).
//!
//! * `points.rs`: the distinct rows and the w of a bound.
//! * `bound.rs`: theorem 2, and the bounds of all outputs together (theorem 1).
//! * `moments.rs`: theorem 3. `cones/`: theorem 4. `clusters.rs`: theorem 5.
//! * `network.rs`: the recorded network's objective.

pub(crate) mod bound;
mod clusters;
mod cones;
mod moments;
mod network;
pub(crate) mod points;
mod steps;
mod words;

pub(crate) use steps::check_with_data;
pub use steps::{check_relu, check_relu_problem};
