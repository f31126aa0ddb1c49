//! Certificates of rung 1: the claim, its witness, and what certificates of every kind have.
//!
//! Tensors of the container ([`crate::container`]): `weights` (F64, outputs × d, with a kernel outputs × n), `intercepts` (F64, outputs) and `dual` (F64, n ×
//! outputs).

use safetensors::tensor::Dtype;
use serde::{Deserialize, Serialize};

use crate::container::{self, Container, Tensor, doubles, doubles_of};
use crate::{Ending, Model, Recipe};

/// Version of claim and container.
pub const CERTIFICATE_VERSION: u32 = 1;

/// Where the data came from; information, not binding (the canonical hash binds).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Path as the user gave it.
    pub path: String,
    /// SHA-256 of the file's bytes (as stored, compressed or not), lower-case hex.
    pub sha256: String,
}

/// What a rung-1 certificate claims.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// [`CERTIFICATE_VERSION`].
    pub version: u32,
    /// `"convex"`.
    pub kind: String,
    /// Source file.
    pub source: Source,
    /// How the file becomes the problem.
    pub recipe: Recipe,
    /// SHA-256 of the canonical problem, lower-case hex.
    pub problem_sha256: String,
    /// λ1 of the unnormalised sum.
    pub lambda1: f64,
    /// λ2 of the unnormalised sum.
    pub lambda2: f64,
    /// Number of training rows n.
    pub rows: usize,
    /// Number of features d.
    pub columns: usize,
    /// Rows of `W`.
    pub outputs: usize,
    /// Σ c_i.
    pub total_weight: f64,
    /// No model has an unnormalised objective below this.
    pub lower: f64,
    /// The model's unnormalised objective is at most this.
    pub upper: f64,
    /// Gap that `Optimal` refers to: relative.
    pub gap: f64,
    /// Gap that `Optimal` refers to: absolute, of the unnormalised sum.
    pub abs_gap: f64,
    /// How the run ended; `Optimal` and `NotAttained` are claims and are checked.
    pub ending: Ending,
}

/// A claim and its witness.
#[derive(Debug, Clone, PartialEq)]
pub struct Certificate {
    /// What is claimed.
    pub claim: Claim,
    /// Primal point.
    pub model: Model,
    /// Dual point α, rows × outputs, row-major.
    pub dual: Vec<f64>,
}

/// Why a file is not a well-formed certificate.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// Not a safetensors file, or a truncated one.
    #[error("container: {0}")]
    Container(String),
    /// The claim is missing or is not the JSON expected.
    #[error("claim: {0}")]
    Claim(String),
    /// A tensor is missing or has another type or shape than the claim says.
    #[error("tensor `{name}`: expected {expected}, got {got}")]
    Tensor {
        /// Tensor name.
        name: &'static str,
        /// Type and shape expected.
        expected: String,
        /// What the file holds.
        got: String,
    },
    /// The stored digest is not the digest of the content: the file is damaged.
    #[error("digest: the content does not match the stored SHA-256; the file is damaged")]
    Digest,
}

/// SHA-256 over the claim and then the arrays.
impl Claim {
    /// Columns of the model's weights: d, with a kernel n.
    fn model_columns(&self) -> usize {
        if self.recipe.kernel.is_some() { self.rows } else { self.columns }
    }

    fn shapes(&self) -> [(&'static str, Dtype, Vec<usize>); 3] {
        [
            ("weights", Dtype::F64, vec![self.outputs, self.model_columns()]),
            ("intercepts", Dtype::F64, vec![self.outputs]),
            ("dual", Dtype::F64, vec![self.rows, self.outputs]),
        ]
    }
}

impl Certificate {
    /// The container's bytes. Equal certificates give equal bytes.
    pub fn to_bytes(&self) -> Result<Vec<u8>, CertificateError> {
        let arrays = [&self.model.weights, &self.model.intercepts, &self.dual].map(|values| doubles(values));
        let named = self.claim.shapes().into_iter().zip(arrays);
        let tensors: Vec<Tensor> = named.map(|((name, kind, shape), bytes)| (name, kind, shape, bytes)).collect();
        container::write(&self.claim, &tensors)
    }

    /// Parses a container, checks shapes against the claim, and the digest. Never panics on any input.
    pub fn from_bytes(bytes: &[u8]) -> Result<Certificate, CertificateError> {
        let (container, claim) =
            Container::open(bytes, "convex", |claim: &Claim| (claim.version, claim.kind.as_str()))?;
        let mut arrays = container.tensors(&claim.shapes())?.into_iter().map(doubles_of);
        let mut next = || arrays.next().unwrap_or_default();
        let (weights, intercepts, dual) = (next(), next(), next());
        let model = Model { outputs: claim.outputs, columns: claim.model_columns(), weights, intercepts };
        Ok(Certificate { claim, model, dual })
    }
}
