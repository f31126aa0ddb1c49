//! The model on disk: `model.safetensors` (weights, intercepts) and `model.json` (everything else predict needs).

use std::path::Path;

use infimum_check::SERIES;
use infimum_data::one_line;
use infimum_problem::{Encoding, FeatureKind, Format, Loss, Model, Recipe, Task};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use serde::{Deserialize, Serialize};

/// Names of the two files.
const DESCRIPTION: &str = "model.json";
const TENSORS: &str = "model.safetensors";

/// Why a run folder's model cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{}: {}", one_line(.path), one_line(.message))]
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
        let failed =
            |error: safetensors::SafeTensorError| ModelFileError { path: TENSORS.into(), message: error.to_string() };
        let (weights, intercepts) = (bytes_of(&model.weights), bytes_of(&model.intercepts));
        let tensors = [
            ("weights", TensorView::new(Dtype::F64, vec![model.outputs, model.columns], &weights).map_err(failed)?),
            ("intercepts", TensorView::new(Dtype::F64, vec![model.outputs], &intercepts).map_err(failed)?),
        ];
        safetensors::serialize(tensors, None).map_err(failed)
    }

    /// Reads both files of a run folder.
    pub fn read(folder: &Path) -> Result<(ModelFile, Model), ModelFileError> {
        let series = SERIES.into_iter().find(|series| folder.join(series).is_dir());
        let expected = series.map_or("a run folder of `infimum fit`".into(), |series| {
            format!("a run folder with a model, such as {}", folder.join(series).join("000").display())
        });
        let bytes = |name: &str| {
            std::fs::read(folder.join(name)).map_err(|error| ModelFileError {
                path: folder.join(name).display().to_string(),
                message: format!("cannot be read: {error}; expected {expected}"),
            })
        };
        let parsed = ModelFile::from_bytes(&bytes(DESCRIPTION)?, &bytes(TENSORS)?);
        parsed.map_err(|error| ModelFileError { path: folder.join(&error.path).display().to_string(), ..error })
    }

    /// The model of the bytes of `model.json` and `model.safetensors`.
    pub fn from_bytes(description: &[u8], tensors: &[u8]) -> Result<(ModelFile, Model), ModelFileError> {
        let failed = |name: &str, message: String| ModelFileError { path: name.into(), message };
        let file: ModelFile = serde_json::from_slice(description)
            .map_err(|error| failed(DESCRIPTION, format!("not a model description: {error}")))?;
        file.consistent().map_err(|message| failed(DESCRIPTION, message))?;
        let tensors = SafeTensors::deserialize(tensors).map_err(|error| failed(TENSORS, error.to_string()))?;
        let take = |tensor: &str, shape: &[usize]| {
            let view = tensors.tensor(tensor).map_err(|error| failed(TENSORS, error.to_string()))?;
            if view.dtype() != Dtype::F64 || view.shape() != shape {
                return Err(failed(
                    TENSORS,
                    format!("`{tensor}`: expected F64 of shape {shape:?}, got {:?} {:?}", view.dtype(), view.shape()),
                ));
            }
            let values: Vec<f64> = view.data().as_chunks().0.iter().copied().map(f64::from_le_bytes).collect();
            match values.iter().find(|value| !value.is_finite()) {
                Some(value) => Err(failed(TENSORS, format!("`{tensor}`: expected finite numbers, got {value}"))),
                None => Ok(values),
            }
        };
        let (outputs, columns) = (file.outputs, file.encoding.columns);
        let weights = take("weights", &[outputs, columns])?;
        let intercepts = take("intercepts", &[outputs])?;
        Ok((file, Model { outputs, columns, weights, intercepts }))
    }

    /// What predictions rely on: outputs fit the labels, columns the encoding, categories are sorted.
    fn consistent(&self) -> Result<(), String> {
        let (labels, classification) = (self.labels.len(), self.recipe.task == Task::Classification);
        if classification != (labels >= 2) || classification != self.loss.is_classification() {
            return Err(format!("{labels} labels do not fit the loss {}", self.loss.name()));
        }
        let outputs = if classification { self.loss.outputs(labels) } else { 1 };
        if self.outputs != outputs {
            return Err(format!("expected {outputs} outputs for {labels} labels, got {}", self.outputs));
        }
        let features = &self.encoding.features;
        let widths = features.iter().map(|feature| match &feature.kind {
            FeatureKind::Numeric => 1,
            FeatureKind::OneHot(categories) => categories.len(),
        });
        let width: usize = widths.sum();
        let unnamed = matches!(self.recipe.format, Format::Libsvm | Format::Npy | Format::Npz | Format::Idx);
        if width != self.encoding.columns && !(unnamed && features.is_empty()) {
            return Err(format!("the features make {width} columns, expected {}", self.encoding.columns));
        }
        let unsorted = |kind: &FeatureKind| match kind {
            FeatureKind::Numeric => false,
            FeatureKind::OneHot(categories) => !categories.is_sorted_by(|a, b| a < b),
        };
        match features.iter().find(|feature| unsorted(&feature.kind)) {
            Some(feature) => Err(format!("the categories of `{}` are not sorted", feature.name)),
            None => Ok(()),
        }
    }
}
