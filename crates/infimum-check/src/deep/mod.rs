//! Certificates of rung 5: no network of the recorded architecture, whatever its dense and convolutional layers' widths, has an objective below `lower`, and the recorded
//! one has at most `upper`, or about that (docs/deep.md has the theorems).
//!
//! * `inputs.rs`: the rows after the scaling. `windows.rs`: windows of convolutions and poolings.
//! * `network/`: the recorded network's objective.
//! * `planes.rs`: theorems 1 and 3. `reach.rs`: theorems 2 and 4. `least.rs`: losses of outputs in a ball. `scan.rs`, `lower.rs`: the bound.

mod inputs;
mod least;
mod lower;
mod network;
mod planes;
mod reach;
mod scan;
mod steps;
mod windows;
mod words;

pub(crate) use steps::check_with_data;
pub use steps::{check_deep, check_deep_problem, deep_evaluation, deep_lower, deep_upper};
