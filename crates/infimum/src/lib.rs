//! Training with proof: `fit` returns a model, an upper and a proven lower bound on the training objective, the gap, a named
//! ending and a certificate that `infimum-check` verifies.
//!
//! ```
//! use infimum::{FitOptions, Request, Silent, fit};
//!
//! let fitted = fit("builtin:iris", &Request::default(), &FitOptions { gap: 1e-6, ..FitOptions::default() }, |_| Box::new(Silent))?;
//! assert_eq!(fitted.outcome.ending, infimum::Ending::Optimal);
//! let certificate = fitted.certificate().to_bytes()?;
//! let verdict = infimum_check::check(&certificate, "builtin:iris").expect("the checker accepts");
//! assert!(verdict.lower <= verdict.upper);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

mod fit;
mod metrics;
mod model_file;
mod predict;

pub use fit::{Error, Fit, FitOptions, fit, model_name};
pub use infimum_convex::Solver;
pub use infimum_data::{
    DataError, KnownTarget, Loaded, Prediction, Request, ValidationTarget, builtin_names, describe, generate,
    generator_names, read_for_prediction,
};
pub use infimum_problem::{
    Certificate, ClassWeight, Ending, Event, Format, Intercept, Loss, Matrix, Monitor, Silent, Split, Stop, Strength,
    Target, Task, gap_reached, one_line, relative_gap,
};
pub use metrics::{Metrics, metrics};
pub use model_file::{ModelFile, ModelFileError};
pub use predict::{decision_values, labels, probabilities};
