//! Networks written to ONNX and read from it.

mod networks;
mod onnxruntime;
mod pytorch;
mod round_trip;
mod spoilt;
mod tensors;
