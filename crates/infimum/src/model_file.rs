//! The model on disk: `model.safetensors` (weights, intercepts) and `model.json` (everything else predict needs).

use std::path::Path;

use infimum_problem::{Encoding, Loss, Model, Recipe};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use serde::{Deserialize, Serialize};

/// Why a run folder's model cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {message}")]
pub struct ModelFileError {
    /// File.
    pub path: String,
    /// What is wrong.
    pub message: String,
}

/// `model.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelFile {
    /// Version of this file.
    pub version: u32,
    /// Loss.
    pub loss: Loss,
    /// Ordered labels; empty for regression.
    pub labels: Vec<String>,
    /// Rows of `W`.
    pub outputs: usize,
    /// How the training file was read.
    pub recipe: Recipe,
    /// How rows are encoded.
    pub encoding: Encoding,
}

fn bytes_of(values: &[f64]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

impl ModelFile {
    /// The bytes of `model.safetensors`.
    pub fn tensors(model: &Model) -> Result<Vec<u8>, ModelFileError> {
        let failed = |error: safetensors::SafeTensorError| ModelFileError {
            path: "model.safetensors".into(),
            message: error.to_string(),
        };
        let (weights, intercepts) = (bytes_of(&model.weights), bytes_of(&model.intercepts));
        let tensors = [
            ("weights", TensorView::new(Dtype::F64, vec![model.outputs, model.columns], &weights).map_err(failed)?),
            ("intercepts", TensorView::new(Dtype::F64, vec![model.outputs], &intercepts).map_err(failed)?),
        ];
        safetensors::serialize(tensors, None).map_err(failed)
    }

    /// Reads both files of a run folder.
    pub fn read(folder: &Path) -> Result<(ModelFile, Model), ModelFileError> {
        let failed =
            |name: &str, message: String| ModelFileError { path: folder.join(name).display().to_string(), message };
        let text = std::fs::read_to_string(folder.join("model.json")).map_err(|error| {
            failed("model.json", format!("cannot be read: {error}; expected a run folder of `infimum fit`"))
        })?;
        let file: ModelFile = serde_json::from_str(&text)
            .map_err(|error| failed("model.json", format!("not a model description: {error}")))?;
        let name = "model.safetensors";
        let bytes =
            std::fs::read(folder.join(name)).map_err(|error| failed(name, format!("cannot be read: {error}")))?;
        let tensors = SafeTensors::deserialize(&bytes).map_err(|error| failed(name, error.to_string()))?;
        let columns = file.encoding.columns;
        let take = |tensor: &str, shape: &[usize]| {
            let view = tensors.tensor(tensor).map_err(|error| failed(name, error.to_string()))?;
            if view.dtype() != Dtype::F64 || view.shape() != shape {
                return Err(failed(
                    name,
                    format!("`{tensor}`: expected F64 of shape {shape:?}, got {:?} {:?}", view.dtype(), view.shape()),
                ));
            }
            let number = |chunk: &[u8]| f64::from_le_bytes(std::array::from_fn(|i| chunk[i]));
            Ok(view.data().chunks_exact(8).map(number).collect())
        };
        let weights = take("weights", &[file.outputs, columns])?;
        let intercepts = take("intercepts", &[file.outputs])?;
        let model = Model { outputs: file.outputs, columns, weights, intercepts };
        Ok((file, model))
    }
}
