//! Training with proof: `fit` returns a model, an upper and a proven lower bound on the training objective, the gap, a named
//! ending and a certificate that `infimum-check` verifies.
//!
//! ```
//! use infimum::{FitOptions, Request, Silent, fit};
//!
//! let fitted = fit("builtin:iris", &Request::default(), &FitOptions { gap: 1e-6, ..FitOptions::default() }, |_| Box::new(Silent))?;
//! assert_eq!(fitted.outcome.ending, infimum::Ending::Optimal);
//! let certificate = fitted.certificate().to_bytes()?;
//! let verdict = infimum_check::check(&certificate, "builtin:iris").expect("the checker accepts");
//! assert!(verdict.lower <= verdict.upper);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

mod cross_validation;
mod deep;
mod fit;
mod formula;
mod given;
mod loading;
mod metrics;
mod model_file;
mod network_model;
mod onnx;
mod path;
mod predict;
mod predictor;
mod relu;
mod score;
mod trained;
mod warm_start;

pub use cross_validation::{CrossValidated, CrossValidation, FoldPoint, Rule, cross_validate};
pub use deep::{
    Assessment, BlockFinding, DeepFit, DeepNetwork, DeepOptions, Findings, Head, LastTwo, Layers, audit,
    deep_intercept, deep_promise, fit_deep, standard_scaling, words_of,
};
pub use fit::{Error, Fit, FitOptions, Proof, fit, fit_loaded, model_name};
pub use formula::assignment;
pub use given::{GivenOutputs, Scores, given_outputs};
pub use infimum_convex::{Solver, Start};
pub use infimum_data::{
    Change, DataError, GenerateOptions, KnownTarget, Loaded, LoadedLoading, LoadingRequest, LoadingRows, Memory,
    OutputRows, Prediction, Request, ValidationTarget, builtin_names, describe, generate, generator_names,
    has_output_bias, is_of_layers, load, load_rows, parse_bytes, read_architecture, read_for_prediction, read_outputs,
    reductions, smallest_share, subset_rows,
};
pub use infimum_deep::onnx::{ImportError, Imported, TensorsError, import, import_safetensors};
pub use infimum_deep::training::{Augmentation, Decay, Device, Optimizer, Processor, Schedule, TrainingOptions};
pub use infimum_problem::deep::{Activation, Architecture as DeepArchitecture, Evaluation};
pub use infimum_problem::{
    Certificate, CertificateError, Circuit, ClassWeight, ColumnScale, Columns, Ending, Event, Format, Function, Gamma,
    HiddenBias, Intercept, Kernel, KernelRequest, LoadingCertificate, LoadingProblem, Loss, Matrix, Monitor, Network,
    Neuron, ReluCertificate, ReluNet, Silent, Split, Stop, Strength, Subset, Target, Task, Term, Unit, gap_reached,
    one_line, relative_gap,
};
pub use infimum_relu::promise as net_promise;
pub use infimum_threshold::{Options as DecideOptions, Outcome as LoadingOutcome};
pub use loading::{Architecture, Loading, Question, decide, load_problem};
pub use metrics::{Metrics, metrics};
pub use model_file::{ModelFile, ModelFileError};
pub use network_model::NetworkModel;
pub use onnx::onnx_of;
pub use path::{Path, Penalty, Range, path};
pub use predict::{decision_values, label_probabilities, labels, probabilities};
pub use predictor::{Basis, Features, HiddenLayer, Predictor};
pub use relu::{NetFit, NetOptions, fit_net};
pub use score::{Score, held_out, mean_and_error, paired_difference};
pub use trained::Trained;
pub use warm_start::{run_network, warm_start, warm_start_deep, warm_start_net};
