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
//!
//! Of a network of threshold units it verifies how many of the m rows the recorded weights are wrong on (`upper`, counted in exact
//! integers), and that no weights are wrong on fewer than `lower`: the formula "at most lower − 1 rows are wrong" is made here, each
//! circuit `Σ λ_a (x_a, 1) = Σ μ_b (x_b, 1)` is summed exactly, and a proof by unit propagation refutes both together
//! ([`LoadingVerdict`], `docs/loading.md`).
//!
//! Of a two-layer ReLU network it verifies `upper ≥ U(network)` and `lower ≤ U` of every network of any width ([`check_relu`], `docs/relu.md`);
//! of a deep network the same, where its layers can be enclosed, and else the bound and what the recorded network's objective is in plain arithmetic
//! ([`check_deep`], `docs/deep.md`). Of outputs that are given it verifies their loss, and `lower ≤` the loss of every function of the columns
//! ([`check_outputs`]).
#![forbid(unsafe_code)]

mod chunks;
mod command;
mod deep;
mod kernel;
mod loading;
mod losses;
mod lower;
mod outputs;
mod relu;
mod steps;
mod upper;
mod words;

pub use command::{BLOCKS, FEATURES, HEAD, LAST_TWO, Options, SERIES, certificates, check_block, run};
pub use deep::{check_deep, check_deep_problem, deep_evaluation, deep_lower, deep_upper};
pub use loading::{LoadingVerdict, check_loading, check_loading_problem};
pub use outputs::{check_outputs, check_outputs_problem, outputs_bounds};
pub use relu::{check_relu, check_relu_problem};
pub use steps::{Checker, Refusal, Step, Verdict, check, check_problem};
