//! The model on disk: `model.safetensors` (weights, intercepts) and `model.json` (everything else predict needs).

use std::path::Path;

use infimum_check::SERIES;
use infimum_data::one_line;
use infimum_problem::deep::Architecture;
use infimum_problem::{Encoding, FeatureKind, Format, Loss, Model, Recipe, SparseMatrix, Task, Values};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use serde::{Deserialize, Serialize};

use crate::deep::Layers;
use crate::predictor::{Basis, Features, HiddenLayer, Predictor};

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
    /// Number of hidden ReLU units of a two-layer network; absent without a hidden layer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hidden: Option<usize>,
    /// A deep network without its last layer; absent of others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layers: Option<Architecture>,
}

fn bytes_of(values: &[f64]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// The rows of a kernel model's basis, with every property of compressed rows checked.
fn basis_rows(tensors: &SafeTensors, columns: usize) -> Result<SparseMatrix, String> {
    let take = |name: &str, dtype: Dtype| match tensors.tensor(name) {
        Ok(view) if view.dtype() == dtype && view.shape().len() == 1 => Ok(view.data().to_vec()),
        Ok(view) => Err(format!("`{name}`: expected a vector of {dtype:?}, got {:?} {:?}", view.dtype(), view.shape())),
        Err(error) => Err(format!("`{name}`: {error}")),
    };
    let starts: Vec<u64> =
        take("row_starts", Dtype::U64)?.as_chunks().0.iter().copied().map(u64::from_le_bytes).collect();
    let column_indices: Vec<u32> =
        take("column_indices", Dtype::U32)?.as_chunks().0.iter().copied().map(u32::from_le_bytes).collect();
    let values: Vec<f64> = take("values", Dtype::F64)?.as_chunks().0.iter().copied().map(f64::from_le_bytes).collect();
    let stored = values.len() as u64;
    let fits = starts.first() == Some(&0)
        && starts.last() == Some(&stored)
        && starts.is_sorted()
        && column_indices.len() == values.len()
        && values.iter().all(|value| value.is_finite())
        && (starts.windows(2)).all(|pair| {
            let row = &column_indices[pair[0] as usize..pair[1] as usize];
            row.is_sorted_by(|a, b| a < b) && row.last().is_none_or(|&last| (last as usize) < columns)
        });
    if !fits {
        return Err(
            "`row_starts`, `column_indices`, `values`: expected rows with increasing columns and finite values".into(),
        );
    }
    let row_starts: Vec<usize> = starts.iter().map(|&start| start as usize).collect();
    Ok(SparseMatrix {
        rows: row_starts.len() - 1,
        columns,
        row_starts,
        column_indices,
        values: Values::from(values).narrowed(),
    })
}

impl ModelFile {
    /// The bytes of `model.safetensors`; a kernel model's hold the rows of its basis in compressed form (`row_starts`,
    /// `column_indices`, `values`), a network's its hidden layer (`hidden`, `hidden_biases`).
    pub fn tensors(predictor: &Predictor) -> Result<Vec<u8>, ModelFileError> {
        let model = &predictor.model;
        let failed =
            |error: safetensors::SafeTensorError| ModelFileError { path: TENSORS.into(), message: error.to_string() };
        let (weights, intercepts) = (bytes_of(&model.weights), bytes_of(&model.intercepts));
        let mut tensors = vec![
            ("weights", TensorView::new(Dtype::F64, vec![model.outputs, model.columns], &weights).map_err(failed)?),
            ("intercepts", TensorView::new(Dtype::F64, vec![model.outputs], &intercepts).map_err(failed)?),
        ];
        let layer = match &predictor.features {
            Features::Units(layer) => Some((bytes_of(&layer.weights), bytes_of(&layer.biases), layer)),
            Features::Columns | Features::Kernel(_) | Features::Layers(_) => None,
        };
        if let Some((weights, biases, layer)) = &layer {
            let (units, columns) = (layer.biases.len(), layer.columns);
            tensors.push(("hidden", TensorView::new(Dtype::F64, vec![units, columns], weights).map_err(failed)?));
            tensors.push(("hidden_biases", TensorView::new(Dtype::F64, vec![units], biases).map_err(failed)?));
        }
        let basis = match &predictor.features {
            Features::Kernel(basis) => Some(basis),
            Features::Columns | Features::Units(_) | Features::Layers(_) => None,
        };
        let arrays = basis.map(|basis| {
            let starts: Vec<u8> =
                basis.rows.row_starts.iter().flat_map(|&start| (start as u64).to_le_bytes()).collect();
            let columns: Vec<u8> = basis.rows.column_indices.iter().flat_map(|column| column.to_le_bytes()).collect();
            (
                starts,
                columns,
                basis.rows.values.iter().flat_map(f64::to_le_bytes).collect::<Vec<u8>>(),
                basis.rows.values.len(),
            )
        });
        if let Some((starts, columns, values, stored)) = &arrays {
            let count = vec![model.columns + 1];
            tensors.push(("row_starts", TensorView::new(Dtype::U64, count, starts).map_err(failed)?));
            tensors.push(("column_indices", TensorView::new(Dtype::U32, vec![*stored], columns).map_err(failed)?));
            tensors.push(("values", TensorView::new(Dtype::F64, vec![*stored], values).map_err(failed)?));
        }
        let singles = |values: &[f32]| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
        let lists = match &predictor.features {
            Features::Layers(layers) => vec![("parameters", &layers.parameters), ("buffers", &layers.buffers)],
            _ => Vec::new(),
        };
        let lists: Vec<(&str, Vec<u8>)> = lists.into_iter().map(|(name, values)| (name, singles(values))).collect();
        for (name, bytes) in &lists {
            tensors.push((name, TensorView::new(Dtype::F32, vec![bytes.len() / 4], bytes).map_err(failed)?));
        }
        safetensors::serialize(tensors, None).map_err(failed)
    }

    /// Reads both files of a run folder.
    pub fn read(folder: &Path) -> Result<(ModelFile, Predictor), ModelFileError> {
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
    pub fn from_bytes(description: &[u8], tensors: &[u8]) -> Result<(ModelFile, Predictor), ModelFileError> {
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
        let singles = |name: &str| match tensors.tensor(name) {
            Ok(view) if view.dtype() == Dtype::F32 && view.shape().len() == 1 => {
                Ok(view.data().as_chunks().0.iter().copied().map(f32::from_le_bytes).collect::<Vec<f32>>())
            }
            _ => Err(failed(TENSORS, format!("`{name}`: expected a vector of F32"))),
        };
        let features = match (file.recipe.kernel, file.hidden, &file.layers) {
            (None, None, None) => Features::Columns,
            (None, None, Some(architecture)) => {
                let layers = Layers {
                    architecture: architecture.clone(),
                    parameters: singles("parameters")?,
                    buffers: singles("buffers")?,
                };
                layers.fits().map_err(|message| failed(TENSORS, message))?;
                if architecture.columns() != Some(file.encoding.columns) {
                    return Err(failed(DESCRIPTION, "the network does not read the columns of the encoding".into()));
                }
                Features::Layers(layers)
            }
            (Some(kernel), _, _) => {
                let rows = basis_rows(&tensors, file.encoding.columns).map_err(|message| failed(TENSORS, message))?;
                Features::Kernel(Basis { kernel, rows })
            }
            (None, Some(units), _) => {
                let columns = file.encoding.columns;
                let (weights, biases) = (take("hidden", &[units, columns])?, take("hidden_biases", &[units])?);
                Features::Units(HiddenLayer { columns, weights, biases })
            }
        };
        let columns = match &features {
            Features::Columns => file.encoding.columns,
            Features::Kernel(basis) => basis.rows.rows,
            Features::Units(layer) => layer.biases.len(),
            Features::Layers(layers) => layers.width(),
        };
        let outputs = file.outputs;
        let weights = take("weights", &[outputs, columns])?;
        let intercepts = take("intercepts", &[outputs])?;
        Ok((file, Predictor { model: Model { outputs, columns, weights, intercepts }, features }))
    }

    /// What predictions rely on: outputs fit the labels, columns the encoding, categories are sorted.
    fn consistent(&self) -> Result<(), String> {
        let (labels, classification) = (self.labels.len(), self.recipe.task == Task::Classification);
        let targets = self.recipe.output_names().len();
        let fits =
            if targets > 0 { labels == 0 && self.loss != Loss::Softmax } else { classification == (labels >= 2) };
        if !fits || classification != self.loss.is_classification() {
            return Err(format!("{labels} labels do not fit the loss {}", self.loss.name()));
        }
        let outputs = match (targets, classification) {
            (0, true) => self.loss.outputs(labels),
            (0, false) => 1,
            _ => targets,
        };
        if self.outputs != outputs {
            return Err(format!("expected {outputs} outputs for {labels} labels, got {}", self.outputs));
        }
        let features = &self.encoding.features;
        let widths = features.iter().map(|feature| match &feature.kind {
            FeatureKind::Numeric => 1,
            FeatureKind::OneHot(categories) => categories.len(),
        });
        let width: usize = widths.sum();
        let unnamed =
            matches!(self.recipe.format, Format::Libsvm | Format::Npy | Format::Npz | Format::Idx | Format::Images);
        if width != self.encoding.columns && !(unnamed && features.is_empty()) {
            return Err(format!("the features make {width} columns, expected {}", self.encoding.columns));
        }
        if let Some(image) = self.encoding.image
            && image.iter().try_fold(1usize, |values, &side| values.checked_mul(side)) != Some(self.encoding.columns)
        {
            return Err(format!("images of {image:?} do not make {} columns", self.encoding.columns));
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
