//! Any bytes as `model.json` and `model.safetensors`, the length of the first in the first two bytes: a model that predicts, or
//! an error, never a panic.
#![no_main]

use infimum::{Matrix, ModelFile, decision_values, labels, probabilities};
use infimum_problem::SparseMatrix;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some((length, rest)) = bytes.split_first_chunk() else { return };
    let (description, tensors) = rest.split_at(usize::from(u16::from_le_bytes(*length)).min(rest.len()));
    if let Ok((file, model)) = ModelFile::from_bytes(description, tensors) {
        let (rows, columns) = (1, model.columns);
        let row = SparseMatrix { rows, columns, row_starts: vec![0, 0], column_indices: vec![], values: vec![] };
        let decision = decision_values(&model, &Matrix::Sparse(row));
        let _ = (labels(model.outputs, &decision), probabilities(file.loss, model.outputs, &decision));
    }
});
