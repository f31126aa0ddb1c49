//! Verifies a certificate against the data, trusting nothing but the witness's numbers.
//!
//! In: the bytes of a certificate and the data file. The checker rebuilds the canonical problem, compares its hash, and
//! evaluates in outward-rounded arithmetic
//!
//! ```text
//! upper ≥ U(W, b)        lower ≤ D(α) ≤ U(θ) for every θ
//! ```
//!
//! Out: a [`Verdict`] with both bounds and the whole claim in words, or a [`Refusal`] that names the step. The theorem and
//! its domain are in `docs/certificates.md`; there is no solver code here, and the losses are written a second time.
#![forbid(unsafe_code)]

mod chunks;
mod command;
mod kernel;
mod loading;
mod losses;
mod lower;
mod steps;
mod upper;
mod words;

pub use command::{Options, SERIES, certificates, run};
pub use loading::{LoadingVerdict, check_loading_problem};
pub use steps::{Checker, Refusal, Step, Verdict, check, check_problem};
