//! Networks in the formats of other programs: ONNX (Open Neural Network Exchange, operator set 17) and safetensors.
//!
//! [`export`] writes a network with everything it does to the columns, [`export_linear`], [`export_threshold`] and [`export_relu`] the models of rungs 1 to 4;
//! [`import`] reads feed-forward and convolution networks, as PyTorch writes them, into an [`Architecture`](infimum_problem::deep::Architecture), or says which
//! operator stands in the way; [`import_safetensors`] reads the tensors of a network whose architecture is known.

mod builder;
mod export;
mod import;
mod layout;
mod proto;
mod safetensors;
mod tensor;

pub use export::{ExportError, Output, export, export_linear, export_relu, export_threshold};
pub use import::{ImportError, Imported, Transform, import};
pub use safetensors::{TensorsError, import_safetensors};
