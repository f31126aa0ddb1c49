//! Certificates of rungs 2 and 3: how many rows every network of threshold units is wrong on, and how many the recorded one is
//! (docs/loading.md).

mod circuits;
mod formula;
mod maps;
mod margins;
mod proof;
mod steps;
mod symmetry;
#[cfg(test)]
mod tests;
mod totalizer;
mod weights;
mod words;

pub(crate) use steps::check_with_data;
pub use steps::{LoadingVerdict, check_loading, check_loading_problem};
