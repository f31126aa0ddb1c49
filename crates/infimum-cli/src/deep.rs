//! `infimum fit` with a deep network: rung 5.

use std::path::Path;

use infimum::{
    Assessment, DeepArchitecture, DeepOptions, Event, Intercept, Loaded, Monitor, Optimizer, Processor, Request,
    fit_deep, read_architecture, standard_scaling, warm_start_deep,
};
use infimum_device::{Opened, Place, Precision, multiplications, open};
use serde_json::{Value, json};

use crate::arguments::FitArguments;
use crate::failure::Failure;
use crate::fit::{Data, Run};
use crate::folder::CHECKPOINT;
use crate::nets::{Deep, Shape};

pub(crate) fn run(arguments: &FitArguments, deep: &Deep) -> Result<i32, Failure> {
    let training = &arguments.training;
    let card = arguments.nets.place().is_card();
    if card && training.asks_for_lbfgs() {
        let message =
            "--optimizer lbfgs works in doubles, on the processor; leave --device out, or take another optimizer";
        return Err(Failure::input(message));
    }
    // Before anything is read: whether there is the card that was asked for does not depend on it.
    let asked = card.then(|| device(arguments, 0.0)).transpose()?;
    let resume = training.resume.as_deref().map(checkpoint).transpose()?;
    let bias = output_bias(deep)?;
    let request = Request { intercept: Some(bias), ..arguments.request() };
    let (run, Data { loaded, read }) = Run::prepare(arguments, request)?;
    let architecture = architecture(deep, &loaded, training.is_scaled())?;
    let folder = arguments.selection.warm_start.as_deref();
    let start = folder.map(|folder| warm_start_deep(folder, &loaded, &architecture)).transpose();
    let start = start.map_err(|error| Failure::input(format!("--warm-start {error}")))?;
    run.begin_deep(&loaded, &architecture);
    let mut options = options(&run, &loaded, architecture);
    let Opened { device, why } = match asked {
        Some(opened) => opened,
        None if options.training.optimizer == Optimizer::Lbfgs => by_lbfgs(arguments)?,
        None => {
            let network = &options.architecture;
            let step = options.training.batch as f64 * multiplications(&network.layers, &network.input);
            device(arguments, step)?
        }
    };
    if let Some(why) = why {
        run.log.report(Event::Note(why));
    }
    options = DeepOptions {
        device: device.as_ref(),
        restarts: training.restarts(),
        resume: resume.as_deref(),
        start: start.as_ref().map(|(parameters, buffers)| (parameters.as_slice(), buffers.as_slice())),
        ..options
    };
    let mut save = |bytes: &[u8]| {
        let written = run.folder.begin().and_then(|()| run.folder.write(CHECKPOINT, bytes));
        written.map_err(|failure| failure.message)
    };
    let fitted = fit_deep(loaded, &options, &run.log, &mut save).map_err(Failure::input)?;
    let (found, total) = (&fitted.found, fitted.loaded.problem.data.total_weight);
    let best = found.runs.iter().map(|run| run.incumbent.value).fold(f64::INFINITY, f64::min);
    let runs: Vec<_> = (found.runs.iter())
        .map(|run| {
            json!({
                "value": run.incumbent.value / total, "steps": run.steps, "epochs": run.epochs, "seconds": run.seconds,
                "rate": run.rate, "rollbacks": run.rollbacks, "best": run.incumbent.value == best,
            })
        })
        .collect();
    let mut network = described(found);
    (network["options"], network["runs"]) = (json!(options.training), runs.into());
    run.finish(fitted, read, None, Some(network))
}

/// Where the network is trained, by gradient descent with `work` multiplications in a step's forward pass.
fn device(arguments: &FitArguments, work: f64) -> Result<Opened, Failure> {
    open(arguments.nets.place(), arguments.nets.precision(), work).map_err(Failure::input)
}

/// The same where the optimizer, not named, is L-BFGS.
fn by_lbfgs(arguments: &FitArguments) -> Result<Opened, Failure> {
    if arguments.nets.precision() == Precision::Mixed {
        let message = "--precision mixed is for gradient descent on cards; expected --device cuda or wgpu with it";
        return Err(Failure::input(message));
    }
    let left_open = arguments.nets.place() == Place::Auto;
    let why = left_open.then(|| "the processor: lbfgs works in doubles".into());
    Ok(Opened { device: Box::new(Processor), why })
}

/// What a fit and an audit ask for alike.
pub(crate) fn options<'a>(run: &Run, loaded: &Loaded, architecture: DeepArchitecture) -> DeepOptions<'a> {
    let (arguments, rows) = (run.arguments, loaded.problem.data.rows());
    let timed = arguments.time_limit.is_some();
    let card = arguments.nets.place().is_card();
    let training = arguments.training.options(arguments.read.seed, timed, card, rows, &architecture);
    DeepOptions {
        architecture,
        training,
        device: &Processor,
        gap: arguments.gap,
        abs_gap: arguments.abs_gap,
        threads: run.threads,
        limit: run.time_left(loaded),
        restarts: 1,
        resume: None,
        start: None,
        checkpoint_every: arguments.training.checkpoint_every(),
        folder: run.folder.path.clone(),
    }
}

/// The network in `result.json`.
pub(crate) fn described(found: &Assessment) -> Value {
    json!({
        "architecture": found.architecture, "parameters": found.parameters.len(), "evaluation": found.evaluation,
        "estimates": found.estimates,
    })
}

/// The checkpoint of a run folder, read before anything in that folder may be replaced.
fn checkpoint(folder: &Path) -> Result<Vec<u8>, Failure> {
    let path = folder.join(CHECKPOINT);
    std::fs::read(&path).map_err(|error| {
        let expected = "expected a run folder of a deep network, killed or whole";
        Failure::input(format!("--resume {}: cannot be read: {error}; {expected}", path.display()))
    })
}

/// Whether the last layer has biases; of a file, what the file says.
fn output_bias(deep: &Deep) -> Result<Intercept, Failure> {
    match (&deep.shape, deep.output_bias) {
        (Shape::Hidden(..), wanted) => Ok(wanted.unwrap_or(Intercept::Penalized)),
        (Shape::File(_), Some(_)) => {
            let message = "--output-bias: whether the last layer has biases stands in the file of --net; leave it out";
            Err(Failure::input(message))
        }
        (Shape::File(path), None) => {
            let has_bias = infimum::has_output_bias(path).map_err(Failure::input)?;
            Ok(if has_bias { Intercept::Penalized } else { Intercept::None })
        }
    }
}

fn architecture(deep: &Deep, loaded: &Loaded, is_scaled: bool) -> Result<DeepArchitecture, Failure> {
    let (columns, outputs) = (loaded.problem.data.columns(), loaded.problem.outputs());
    let (mut architecture, has_scaling) = match &deep.shape {
        Shape::File(path) => read_architecture(path, columns).map_err(Failure::input)?,
        Shape::Hidden(widths, function) => {
            let output_bias = deep.output_bias != Some(Intercept::None);
            let architecture =
                DeepArchitecture::dense(columns, widths, outputs, *function, deep.hidden_bias, output_bias);
            (architecture, false)
        }
    };
    if is_scaled && !has_scaling {
        architecture.scaling = standard_scaling(&loaded.problem.data.matrix, &architecture.input);
    }
    Ok(architecture)
}
