//! Certificates: the claim, its witness, and the container they are stored in.
//!
//! The container is a safetensors file, so that any tool can open it. Metadata key `claim` holds the claim as JSON;
//! the tensors are `weights` (F64, outputs × d, with a kernel outputs × n), `intercepts` (F64, outputs), `dual` (F64, n × outputs) and `digest`
//! (U8, 32): SHA-256 over the claim's bytes and then the three arrays' bytes in this order, little-endian. The digest
//! finds damage; it proves nothing, and the checker does not rely on it.

use std::collections::HashMap;

use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

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
pub(crate) fn digest_of<'a>(claim: &[u8], arrays: impl IntoIterator<Item = &'a [u8]>) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update(claim);
    arrays.into_iter().for_each(|bytes| hasher.update(bytes));
    hasher.finalize().into()
}

pub(crate) fn to_bytes(values: &[f64]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

pub(crate) fn from_bytes(bytes: &[u8]) -> Vec<f64> {
    bytes.chunks_exact(8).map(|chunk| f64::from_le_bytes(std::array::from_fn(|i| chunk[i]))).collect()
}

impl Claim {
    /// Columns of the model's weights: d, with a kernel n.
    fn model_columns(&self) -> usize {
        if self.recipe.kernel.is_some() { self.rows } else { self.columns }
    }
}

impl Certificate {
    /// The container's bytes. Equal certificates give equal bytes.
    pub fn to_bytes(&self) -> Result<Vec<u8>, CertificateError> {
        let container = |error: safetensors::SafeTensorError| CertificateError::Container(error.to_string());
        let claim = serde_json::to_string(&self.claim).map_err(|error| CertificateError::Claim(error.to_string()))?;
        let arrays = [&self.model.weights, &self.model.intercepts, &self.dual].map(|values| to_bytes(values));
        let digest = digest_of(claim.as_bytes(), arrays.iter().map(Vec::as_slice));
        let shapes = [
            vec![self.model.outputs, self.model.columns],
            vec![self.model.outputs],
            vec![self.claim.rows, self.model.outputs],
        ];
        let mut tensors = Vec::with_capacity(4);
        for ((name, shape), bytes) in ["weights", "intercepts", "dual"].into_iter().zip(shapes).zip(&arrays) {
            tensors.push((name, TensorView::new(Dtype::F64, shape, bytes).map_err(container)?));
        }
        tensors.push(("digest", TensorView::new(Dtype::U8, vec![32], &digest).map_err(container)?));
        let metadata = HashMap::from([("claim".to_string(), claim)]);
        safetensors::serialize(tensors, Some(metadata)).map_err(container)
    }

    /// Parses a container, checks shapes against the claim, and the digest. Never panics on any input.
    pub fn from_bytes(bytes: &[u8]) -> Result<Certificate, CertificateError> {
        let container = |error: safetensors::SafeTensorError| CertificateError::Container(error.to_string());
        let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(container)?;
        let claim_text = (metadata.metadata().as_ref().and_then(|map| map.get("claim")))
            .ok_or_else(|| CertificateError::Claim("the metadata has no `claim`".into()))?;
        let claim: Claim =
            serde_json::from_str(claim_text).map_err(|error| CertificateError::Claim(error.to_string()))?;
        if claim.version != CERTIFICATE_VERSION || claim.kind != "convex" {
            let got = format!("version {} of kind `{}`", claim.version, claim.kind);
            let message = format!("this checker knows version {CERTIFICATE_VERSION} of kind `convex`, got {got}");
            return Err(CertificateError::Claim(message));
        }
        let tensors = SafeTensors::deserialize(bytes).map_err(container)?;
        let shapes = [vec![claim.outputs, claim.model_columns()], vec![claim.outputs], vec![claim.rows, claim.outputs]];
        let mut arrays: [&[u8]; 3] = [&[]; 3];
        for (slot, (name, shape)) in ["weights", "intercepts", "dual"].into_iter().zip(shapes).enumerate() {
            arrays[slot] = tensor_of(&tensors, name, Dtype::F64, &shape)?;
        }
        let digest = tensor_of(&tensors, "digest", Dtype::U8, &[32])?;
        if digest != digest_of(claim_text.as_bytes(), arrays) {
            return Err(CertificateError::Digest);
        }
        let [weights, intercepts, dual] = arrays.map(from_bytes);
        let model = Model { outputs: claim.outputs, columns: claim.model_columns(), weights, intercepts };
        Ok(Certificate { claim, model, dual })
    }
}

/// The bytes of a tensor that must have this type and shape.
pub(crate) fn tensor_of<'a>(
    tensors: &SafeTensors<'a>,
    name: &'static str,
    dtype: Dtype,
    shape: &[usize],
) -> Result<&'a [u8], CertificateError> {
    let expected = format!("{dtype:?} of shape {shape:?}");
    match tensors.tensor(name) {
        Ok(view) if view.dtype() == dtype && view.shape() == shape => Ok(view.data()),
        Ok(view) => {
            let got = format!("{:?} of shape {:?}", view.dtype(), view.shape());
            Err(CertificateError::Tensor { name, expected, got })
        }
        Err(_) => Err(CertificateError::Tensor { name, expected, got: "nothing".into() }),
    }
}
