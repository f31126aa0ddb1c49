//! `infimum audit`: what is proven, estimated and unknown about a network that was trained elsewhere.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use infimum::{
    DeepNetwork, ImportError, Imported, Intercept, Loaded, Request, Scores, audit, deep_intercept, import,
    import_safetensors, read_architecture, run_network,
};

use crate::arguments::FitArguments;
use crate::black_box;
use crate::deep;
use crate::failure::Failure;
use crate::fit::{Data, Run};

/// Options of `infimum audit`.
#[derive(Debug, Args)]
pub(crate) struct AuditArguments {
    /// ONNX file, safetensors file (its layers by --net), or run folder of a deep network
    model: Option<PathBuf>,
    /// Outputs of the model for the training rows (.npy, or text with a line for each row), of a model that cannot be looked into
    #[arg(long, value_name = "FILE")]
    predictions: Option<PathBuf>,
    /// What the predictions are
    #[arg(long, value_name = "KIND", default_value = "outputs")]
    predictions_are: ScoresName,
    /// Data file, folder of MNIST's files or of images, or builtin:NAME
    #[arg(long, value_name = "DATA")]
    data: String,
    #[command(flatten)]
    fit: FitArguments,
}

/// Kinds of predictions.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum ScoresName {
    /// What the loss takes: logits, decision values, predicted values
    Outputs,
    /// Probabilities of the classes
    Probabilities,
}

/// What is to be audited.
pub(crate) struct Audited {
    model: Option<PathBuf>,
    predictions: Option<PathBuf>,
    scores: Scores,
}

impl AuditArguments {
    /// What is to be audited, and the options with their data.
    pub(crate) fn parts(mut self) -> (Audited, FitArguments) {
        self.fit.read.data = self.data;
        let scores = match self.predictions_are {
            ScoresName::Outputs => Scores::Outputs,
            ScoresName::Probabilities => Scores::Probabilities,
        };
        (Audited { model: self.model, predictions: self.predictions, scores }, self.fit)
    }
}

pub(crate) fn run(audited: &Audited, arguments: &FitArguments) -> Result<i32, Failure> {
    match (&audited.model, &audited.predictions) {
        (None, None) => Err(Failure::input(
            "nothing to audit: give a model, or its outputs on the training rows with --predictions FILE",
        )),
        (None, Some(predictions)) => {
            refuse_idle(arguments, None)?;
            black_box::run(predictions, audited.scores, None, arguments)
        }
        (Some(model), None) => look_into(model, arguments),
        (Some(model), Some(predictions)) => {
            refuse_idle(arguments, None)?;
            let why = unsupported(model).ok_or_else(|| {
                let name = model.display();
                Failure::input(format!(
                    "{name}: this is no ONNX model with unknown operators: leave --predictions out, or the model"
                ))
            })?;
            black_box::run(predictions, audited.scores, Some(why), arguments)
        }
    }
}

/// Why an ONNX model cannot be looked into, if it is because of its operators.
fn unsupported(model: &Path) -> Option<String> {
    let is_onnx = model.is_file() && model.extension().is_none_or(|extension| extension != "safetensors");
    let bytes = is_onnx.then(|| std::fs::read(model).ok()).flatten()?;
    match import(&bytes) {
        Err(error @ ImportError::Unsupported { .. }) => Some(format!("{}: {error}", model.display())),
        _ => None,
    }
}

/// Refuses options that are for training, or for linear models; of those that describe a network `allowed` may be there.
fn refuse_idle(arguments: &FitArguments, allowed: Option<&str>) -> Result<(), Failure> {
    let net = arguments.nets.first().filter(|&option| Some(option) != allowed);
    if let Some(option) = net.or(arguments.training.first()) {
        return Err(Failure::input(format!("{option} says nothing in this audit; leave it out")));
    }
    arguments.refuse_linear_options().map_err(Failure::input)
}

fn look_into(model: &Path, arguments: &FitArguments) -> Result<i32, Failure> {
    refuse_idle(arguments, Some("--net"))?;
    let nets = &arguments.nets;
    let file = source(model, nets.net.as_deref())?;
    let request = Request { intercept: Some(intercept(&file)?), ..arguments.request() };
    let (run, Data { loaded, read }) = Run::prepare(arguments, request)?;
    let DeepNetwork { architecture, parameters, buffers } = network(model, file, &loaded)?;
    run.begin_deep(&loaded, &architecture);
    let options = deep::options(&run, &loaded, architecture);
    let fitted = audit(loaded, &options, parameters, buffers, &run.log).map_err(Failure::input)?;
    let mut network = deep::described(&fitted.found);
    network["model"] = model.display().to_string().into();
    run.finish(fitted, read, None, Some(network))
}

/// What the model is read from.
enum File {
    /// A network that a file describes whole.
    Whole(DeepNetwork),
    /// Tensors, and the file of their layers.
    Tensors(Vec<u8>, String),
}

fn source(model: &Path, net: Option<&Path>) -> Result<File, Failure> {
    let name = model.display();
    if model.is_dir() {
        let read = run_network(model).map_err(Failure::input)?;
        let network = read.ok_or_else(|| Failure::input(format!("{name}: the run's model is no deep network")))?;
        return Ok(File::Whole(network));
    }
    let bytes = std::fs::read(model).map_err(|error| {
        Failure::input(format!(
            "{name}: cannot be read: {error}; expected an ONNX or safetensors file, or a run folder"
        ))
    })?;
    let is_tensors = model.extension().is_some_and(|extension| extension == "safetensors");
    match (is_tensors, net) {
        (true, Some(net)) => Ok(File::Tensors(bytes, net.display().to_string())),
        (true, None) => {
            Err(Failure::input(format!("{name}: tensors have no layers; describe them with --net NET.toml")))
        }
        (false, Some(_)) => Err(Failure::input(format!("{name}: an ONNX file describes its layers; leave --net out"))),
        (false, None) => {
            let Imported { architecture, parameters, buffers, .. } = import(&bytes).map_err(|error| {
                let hint = match &error {
                    ImportError::Unsupported { .. } => {
                        "; give its outputs on the training rows with --predictions FILE: their loss, and what equal rows prove of every model, is what can be proven then"
                    }
                    _ => "",
                };
                Failure::input(format!("{name}: {error}{hint}"))
            })?;
            Ok(File::Whole(DeepNetwork { architecture, parameters, buffers }))
        }
    }
}

/// Whether the last layer has biases, which is part of the problem.
fn intercept(file: &File) -> Result<Intercept, Failure> {
    match file {
        File::Whole(network) => Ok(deep_intercept(&network.architecture)),
        File::Tensors(_, net) => {
            let has_bias = infimum::has_output_bias(net).map_err(Failure::input)?;
            Ok(if has_bias { Intercept::Penalized } else { Intercept::None })
        }
    }
}

fn network(model: &Path, file: File, loaded: &Loaded) -> Result<DeepNetwork, Failure> {
    match file {
        File::Whole(network) => Ok(network),
        File::Tensors(bytes, net) => {
            let (architecture, _) = read_architecture(&net, loaded.problem.data.columns()).map_err(Failure::input)?;
            let (parameters, buffers) = import_safetensors(&bytes, &architecture)
                .map_err(|error| Failure::input(format!("{}: {error}", model.display())))?;
            Ok(DeepNetwork { architecture, parameters, buffers })
        }
    }
}
