//! Any bytes as `model.json` and `model.safetensors`, the length of the first in the first two bytes: a model that predicts, or
//! an error, never a panic.
#![no_main]

use infimum::{Features, Matrix, ModelFile, labels, probabilities};
use infimum_problem::SparseMatrix;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some((length, rest)) = bytes.split_first_chunk() else { return };
    let (description, tensors) = rest.split_at(usize::from(u16::from_le_bytes(*length)).min(rest.len()));
    if let Ok((file, predictor)) = ModelFile::from_bytes(description, tensors) {
        let columns = match &predictor.features {
            Features::Columns => predictor.model.columns,
            Features::Kernel(basis) => basis.rows.columns,
            Features::Units(units) => units.columns,
            Features::Layers(layers) => layers.architecture.columns().unwrap_or(0),
        };
        let (row_starts, values) = (vec![0, 0], Vec::<f64>::new().into());
        let row = SparseMatrix { rows: 1, columns, row_starts, column_indices: vec![], values };
        let decision = predictor.decision_values(&Matrix::Sparse(row));
        let model = &predictor.model;
        let _ = (labels(model.outputs, &decision), probabilities(file.loss, model.outputs, &decision));
    }
});
