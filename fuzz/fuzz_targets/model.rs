//! Any bytes as `model.json` and `model.safetensors`, the length of the first in the first two bytes: a model that predicts, or
//! an error, never a panic.
#![no_main]

use infimum::{Matrix, ModelFile, labels, probabilities};
use infimum_problem::SparseMatrix;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some((length, rest)) = bytes.split_first_chunk() else { return };
    let (description, tensors) = rest.split_at(usize::from(u16::from_le_bytes(*length)).min(rest.len()));
    if let Ok((file, predictor)) = ModelFile::from_bytes(description, tensors) {
        let (rows, columns) = (1, predictor.basis.as_ref().map_or(predictor.model.columns, |basis| basis.rows.columns));
        let row = SparseMatrix { rows, columns, row_starts: vec![0, 0], column_indices: vec![], values: vec![] };
        let decision = predictor.decision_values(&Matrix::Sparse(row));
        let model = &predictor.model;
        let _ = (labels(model.outputs, &decision), probabilities(file.loss, model.outputs, &decision));
    }
});
