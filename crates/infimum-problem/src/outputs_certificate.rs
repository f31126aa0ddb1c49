//! The certificate about given outputs: predictions of whatever model, taken as they are, and what outputs of any model cannot avoid.
//!
//! The container is a safetensors file like that of rung 1. Metadata key `claim` holds the claim as JSON; the tensors are `outputs` and `dual` (F64, rows ×
//! outputs) and `digest` (U8, 32): SHA-256 over the claim's bytes and then the others' in this order.

use std::collections::HashMap;

use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};

use crate::certificate::{digest_of, from_bytes, tensor_of, to_bytes};
use crate::loading_certificate::{claim_text, parse_claim};
use crate::{CERTIFICATE_VERSION, CertificateError, Ending, Recipe, Source};

/// What is claimed about
///
/// ```text
/// U(z) = Σ_i c_i·loss(y_i, z_i)
/// ```
///
/// over all z of which equal rows have equal outputs: those of every model that is a function of the columns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutputsClaim {
    /// [`CERTIFICATE_VERSION`].
    pub version: u32,
    /// `"outputs"`.
    pub kind: String,
    /// Source file.
    pub source: Source,
    /// How the file becomes the problem: one without penalty and intercept.
    pub recipe: Recipe,
    /// SHA-256 of the canonical problem, lower-case hex.
    pub problem_sha256: String,
    /// Number of training rows n.
    pub rows: usize,
    /// Number of features d.
    pub columns: usize,
    /// Number of outputs K.
    pub outputs: usize,
    /// Σ c_i.
    pub total_weight: f64,
    /// No function of the columns has an unnormalised loss below this.
    pub lower: f64,
    /// The given outputs have at most this unnormalised loss.
    pub upper: f64,
    /// Gap that `Optimal` refers to: relative.
    pub gap: f64,
    /// Gap that `Optimal` refers to: absolute, of the unnormalised sum.
    pub abs_gap: f64,
    /// `Optimal` is a claim and is checked.
    pub ending: Ending,
}

/// Claim and witness.
#[derive(Debug, Clone, PartialEq)]
pub struct OutputsCertificate {
    /// What is claimed.
    pub claim: OutputsClaim,
    /// The given outputs z, rows × outputs.
    pub outputs: Vec<f64>,
    /// α, rows × outputs; over equal rows those of each output add up to exactly 0.
    pub dual: Vec<f64>,
}

impl OutputsCertificate {
    /// The container's bytes. Equal certificates give equal bytes.
    pub fn to_bytes(&self) -> Result<Vec<u8>, CertificateError> {
        let container = |error: safetensors::SafeTensorError| CertificateError::Container(error.to_string());
        let claim = serde_json::to_string(&self.claim).map_err(|error| CertificateError::Claim(error.to_string()))?;
        let arrays = [&self.outputs, &self.dual].map(|values| to_bytes(values));
        let digest = digest_of(claim.as_bytes(), arrays.iter().map(Vec::as_slice));
        let shape = vec![self.claim.rows, self.claim.outputs];
        let mut tensors = Vec::with_capacity(3);
        for (name, bytes) in ["outputs", "dual"].into_iter().zip(&arrays) {
            tensors.push((name, TensorView::new(Dtype::F64, shape.clone(), bytes).map_err(container)?));
        }
        tensors.push(("digest", TensorView::new(Dtype::U8, vec![32], &digest).map_err(container)?));
        safetensors::serialize(tensors, Some(HashMap::from([("claim".to_string(), claim)]))).map_err(container)
    }

    /// Parses a container, checks shapes against the claim, and the digest. Never panics on any input.
    pub fn from_bytes(bytes: &[u8]) -> Result<OutputsCertificate, CertificateError> {
        let text = claim_text(bytes)?;
        let claim: OutputsClaim = parse_claim(&text)?;
        if claim.version != CERTIFICATE_VERSION || claim.kind != "outputs" {
            let got = format!("version {} of kind `{}`", claim.version, claim.kind);
            let message = format!("expected version {CERTIFICATE_VERSION} of kind `outputs`, got {got}");
            return Err(CertificateError::Claim(message));
        }
        let tensors =
            SafeTensors::deserialize(bytes).map_err(|error| CertificateError::Container(error.to_string()))?;
        let shape = [claim.rows, claim.outputs];
        let arrays =
            [tensor_of(&tensors, "outputs", Dtype::F64, &shape)?, tensor_of(&tensors, "dual", Dtype::F64, &shape)?];
        if tensor_of(&tensors, "digest", Dtype::U8, &[32])? != digest_of(text.as_bytes(), arrays) {
            return Err(CertificateError::Digest);
        }
        let [outputs, dual] = arrays.map(from_bytes);
        Ok(OutputsCertificate { claim, outputs, dual })
    }
}
