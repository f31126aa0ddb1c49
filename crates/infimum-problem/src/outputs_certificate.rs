//! The certificate about given outputs: predictions of whatever model, taken as they are, and what outputs of any model cannot avoid.
//!
//! Tensors of the container ([`crate::container`]): `outputs` and `dual` (F64, rows × outputs).

use safetensors::tensor::Dtype;
use serde::{Deserialize, Serialize};

use crate::container::{self, Container, doubles, doubles_of};
use crate::{CertificateError, Ending, Recipe, Source};

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
    /// [`CERTIFICATE_VERSION`](crate::CERTIFICATE_VERSION).
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
        let shape = vec![self.claim.rows, self.claim.outputs];
        let tensor = |name, values| (name, Dtype::F64, shape.clone(), doubles(values));
        container::write(&self.claim, &[tensor("outputs", &self.outputs), tensor("dual", &self.dual)])
    }

    /// Parses a container, checks shapes against the claim, and the digest. Never panics on any input.
    pub fn from_bytes(bytes: &[u8]) -> Result<OutputsCertificate, CertificateError> {
        let (container, claim) =
            Container::open(bytes, "outputs", |claim: &OutputsClaim| (claim.version, claim.kind.as_str()))?;
        let wanted = ["outputs", "dual"].map(|name| (name, Dtype::F64, vec![claim.rows, claim.outputs]));
        let mut arrays = container.tensors(&wanted)?.into_iter().map(doubles_of);
        let mut next = || arrays.next().unwrap_or_default();
        let (outputs, dual) = (next(), next());
        Ok(OutputsCertificate { claim, outputs, dual })
    }
}
