//! Networks written to ONNX and read from it.
#![allow(clippy::unwrap_used)] // helpers of tests fail as tests do

mod networks;
mod onnxruntime;
mod pytorch;
mod round_trip;
mod spoilt;
mod tensors;
