//! Any bytes as an ONNX file and as the tensors of a small network: a network with all its numbers, or an error, never a panic.
#![no_main]

use infimum_deep::onnx::{import, import_safetensors};
use infimum_problem::deep::{Activation, Architecture, buffers, parameters};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(read) = import(bytes) {
        for (list, numbers) in
            [(parameters(&read.architecture), &read.parameters), (buffers(&read.architecture), &read.buffers)]
        {
            assert_eq!(list.unwrap().last().map_or(0, |last| last.range.end), numbers.len());
        }
    }
    let _ = import_safetensors(bytes, &Architecture::dense(4, &[3], 2, Activation::Relu, true, true));
});
