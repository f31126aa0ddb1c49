//! Deep networks from loaded data to a certificate: rung 5.

mod budget;
mod findings;
mod fit;
mod head;
mod layers;
mod words;

pub use findings::Findings;
pub use fit::{DeepFit, DeepOptions, audit, fit_deep};
pub use head::Head;
pub use layers::{DeepNetwork, Layers, standard_scaling};
pub use words::{deep_intercept, deep_promise, has_output_bias, words_of};
