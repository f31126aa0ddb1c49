//! The words that every crate of `infimum` shares.
//!
//! A [`Problem`] is: training rows `x_i ∈ R^d` with targets `y_i` and weights `c_i > 0` ([`Dataset`]), and an
//! [`Objective`], the *unnormalised* sum
//!
//! ```text
//! U(W, b) = Σ_i c_i · loss(y_i, W x_i + b) + λ1 Σ_kj s_j |W_kj| + (λ2/2) Σ_kj s_j² W_kj²     (+ the intercept's share)
//! ```
//!
//! with `W` of shape outputs × d. The displayed objective is the mean `F = U / Σ c_i`. An [`Outcome`] holds the
//! incumbent [`Model`], its value (`upper`), a lower bound on `U` over *all* models (`lower`) and a named [`Ending`].
//! A [`Certificate`] is the claim and its witness, which `infimum-check` verifies from the data file alone.
//! `docs/canonical-problem.md` says how a file becomes a problem, `docs/certificates.md` what a witness proves.

mod bytes;
mod certificate;
mod container;
mod dataset;
pub mod deep;
mod kernel;
mod loading;
mod loading_certificate;
mod matrix;
mod model;
mod monitor;
mod names;
mod network;
mod objective;
mod outcome;
mod outputs_certificate;
mod points;
mod recipe;
mod relu;
mod relu_certificate;
mod spill;
mod text;
mod values;

pub use certificate::{CERTIFICATE_VERSION, Certificate, CertificateError, Claim, Source};
pub use container::kind_of;
pub use dataset::{Dataset, Problem, Target};
pub use kernel::{Gamma, Kernel, KernelRequest};
pub use loading::{
    Circuit, ColumnMove, HullPoints, LoadingCertificate, LoadingClaim, LoadingProblem, LoadingRecipe, MarginClaim,
    Neuron, PointMap, ProofStep, Scope, Term,
};
pub use matrix::{Block, DenseMatrix, Matrix, Row, SparseMatrix, Storage};
pub use model::Model;
pub use monitor::{Event, Monitor, Silent, Stop};
pub use names::ColumnNames;
pub use network::{Columns, Function, Network, TABLE_UP_TO, Unit, UnitKind};
pub use objective::{Intercept, Loss, Objective};
pub use outcome::{Ending, Outcome, absolute_gap, gap_reached, relative_gap};
pub use outputs_certificate::{OutputsCertificate, OutputsClaim};
pub use points::{ColumnScale, IntegerMatrix, Points};
pub use recipe::{ClassWeight, Encoding, Feature, FeatureKind, Format, Recipe, Split, Strength, Subset, Task};
pub use relu::{
    Basis, BoundProof, Cluster, Clusters, ConeNode, Cones, HiddenBias, Moments, ReluCertificate, ReluClaim, ReluNet,
    Witness,
};
pub use spill::{SpillFault, SpillWriter, SpilledMatrix};
pub use text::one_line;
pub use values::{Stored, ValueSlice, Values};
