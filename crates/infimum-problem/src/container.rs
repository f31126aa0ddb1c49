//! The container of every kind of certificate: a safetensors file, so that any tool can open it. Metadata key `claim` holds the claim as JSON; beside the kind's
//! own tensors there is `digest` (U8, 32): SHA-256 over the claim's bytes and then the tensors' in the order in which the kind lists them, little-endian. The digest
//! finds damage; it proves nothing, and the checker does not rely on it.

use std::collections::HashMap;

use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use crate::{CERTIFICATE_VERSION, CertificateError};

/// A tensor to be written: name, type, shape, bytes.
pub(crate) type Tensor = (&'static str, Dtype, Vec<usize>, Vec<u8>);

/// The container's bytes. Equal claims and tensors give equal bytes.
pub(crate) fn write(claim: &impl Serialize, tensors: &[Tensor]) -> Result<Vec<u8>, CertificateError> {
    let container = |error: safetensors::SafeTensorError| CertificateError::Container(error.to_string());
    let claim = serde_json::to_string(claim).map_err(|error| CertificateError::Claim(error.to_string()))?;
    let digest = digest_of(claim.as_bytes(), tensors.iter().map(|tensor| tensor.3.as_slice()));
    let mut views = Vec::with_capacity(tensors.len() + 1);
    for (name, kind, shape, bytes) in tensors {
        views.push((*name, TensorView::new(*kind, shape.clone(), bytes).map_err(container)?));
    }
    views.push(("digest", TensorView::new(Dtype::U8, vec![32], &digest).map_err(container)?));
    safetensors::serialize(views, Some(HashMap::from([("claim".to_string(), claim)]))).map_err(container)
}

/// An open container.
pub(crate) struct Container<'a> {
    tensors: SafeTensors<'a>,
    claim: String,
}

impl<'a> Container<'a> {
    /// Opens a container and parses its claim, of which `kind_of` tells version and kind: they must be this program's and `kind`. Never panics on any input.
    pub(crate) fn open<T: DeserializeOwned>(
        bytes: &'a [u8],
        kind: &str,
        kind_of: impl Fn(&T) -> (u32, &str),
    ) -> Result<(Container<'a>, T), CertificateError> {
        let text = claim_text(bytes)?;
        let claim: T = parse_claim(&text)?;
        let (version, got) = kind_of(&claim);
        if (version, got) != (CERTIFICATE_VERSION, kind) {
            let expected = format!("expected version {CERTIFICATE_VERSION} of kind `{kind}`");
            return Err(CertificateError::Claim(format!("{expected}, got version {version} of kind `{got}`")));
        }
        let tensors =
            SafeTensors::deserialize(bytes).map_err(|error| CertificateError::Container(error.to_string()))?;
        Ok((Container { tensors, claim: text }, claim))
    }

    /// First side of a tensor of any length, 0 if it is not there.
    pub(crate) fn length(&self, name: &str) -> usize {
        self.tensors.tensor(name).map_or(0, |view| view.shape().first().copied().unwrap_or(0))
    }

    /// The bytes of the tensors, which must have these types and shapes and the digest that was written with them.
    pub(crate) fn tensors(
        &self,
        wanted: &[(&'static str, Dtype, Vec<usize>)],
    ) -> Result<Vec<&'a [u8]>, CertificateError> {
        let tensor = |(name, kind, shape): &(&'static str, Dtype, Vec<usize>)| self.tensor(name, *kind, shape);
        let found = wanted.iter().map(tensor).collect::<Result<Vec<_>, _>>()?;
        let digest = self.tensor("digest", Dtype::U8, &[32])?;
        if digest != digest_of(self.claim.as_bytes(), found.iter().copied()) {
            return Err(CertificateError::Digest);
        }
        Ok(found)
    }

    fn tensor(&self, name: &'static str, kind: Dtype, shape: &[usize]) -> Result<&'a [u8], CertificateError> {
        let expected = format!("{kind:?} of shape {shape:?}");
        match self.tensors.tensor(name) {
            Ok(view) if view.dtype() == kind && view.shape() == shape => Ok(view.data()),
            Ok(view) => {
                let got = format!("{:?} of shape {:?}", view.dtype(), view.shape());
                Err(CertificateError::Tensor { name, expected, got })
            }
            Err(_) => Err(CertificateError::Tensor { name, expected, got: "nothing".into() }),
        }
    }
}

/// The kind named by a certificate's claim, e.g. `convex` or `loading`.
pub fn kind_of(bytes: &[u8]) -> Result<String, CertificateError> {
    let claim: serde_json::Value = parse_claim(&claim_text(bytes)?)?;
    match claim.get("kind").and_then(serde_json::Value::as_str) {
        Some(kind) => Ok(kind.to_string()),
        None => Err(CertificateError::Claim("it has no `kind`".into())),
    }
}

fn claim_text(bytes: &[u8]) -> Result<String, CertificateError> {
    let (_, metadata) =
        SafeTensors::read_metadata(bytes).map_err(|error| CertificateError::Container(error.to_string()))?;
    let claim = metadata.metadata().as_ref().and_then(|map| map.get("claim"));
    claim.cloned().ok_or_else(|| CertificateError::Claim("the metadata has no `claim`".into()))
}

fn parse_claim<T: DeserializeOwned>(text: &str) -> Result<T, CertificateError> {
    serde_json::from_str(text).map_err(|error| CertificateError::Claim(error.to_string()))
}

fn digest_of<'a>(claim: &[u8], arrays: impl IntoIterator<Item = &'a [u8]>) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update(claim);
    arrays.into_iter().for_each(|bytes| hasher.update(bytes));
    hasher.finalize().into()
}

/// Numbers as a tensor's bytes.
pub(crate) fn doubles(values: &[f64]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// A tensor's bytes as numbers.
pub(crate) fn doubles_of(bytes: &[u8]) -> Vec<f64> {
    bytes.chunks_exact(8).map(|chunk| f64::from_le_bytes(std::array::from_fn(|i| chunk[i]))).collect()
}
