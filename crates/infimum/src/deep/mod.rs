//! Deep networks from loaded data to a certificate: rung 5.

mod assess;
mod budget;
mod features;
mod findings;
mod fit;
mod head;
mod last_two;
mod layers;
mod outcome;
mod words;

pub use assess::Assessment;
pub use findings::{BlockFinding, Findings};
pub use fit::{DeepOptions, audit, fit_deep};
pub use head::Head;
pub use last_two::LastTwo;
pub use layers::{DeepNetwork, Layers, standard_scaling};
pub use outcome::DeepFit;
pub use words::{deep_intercept, deep_promise, words_of};
