//! Deep networks: the architecture, its parameters, and the certificate of rung 5 (docs/deep.md).

mod architecture;
mod certificate;
mod parameters;
mod scaling;
mod shapes;

pub use architecture::{Activation, Architecture, Layer, Padding};
pub use certificate::{DeepCertificate, DeepClaim, DeepWitness, Evaluation, OutputWitness, Plane};
pub use parameters::{Parameter, ParameterKind, buffers, parameters};
pub use scaling::Scaling;
pub use shapes::{output_shape, shapes};
