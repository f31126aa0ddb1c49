//! `infimum fit` with a deep network: rung 5.

use std::path::Path;

use infimum::{
    DeepArchitecture, DeepOptions, Intercept, Loaded, Request, fit_deep, read_architecture, standard_scaling,
    warm_start_deep,
};
use serde_json::json;

use crate::arguments::FitArguments;
use crate::failure::Failure;
use crate::fit::{Data, Run, reserve};
use crate::folder::CHECKPOINT;
use crate::nets::{Deep, Shape};

pub(crate) fn run(arguments: &FitArguments, deep: &Deep) -> Result<i32, Failure> {
    let training = &arguments.training;
    let resume = training.resume.as_deref().map(checkpoint).transpose()?;
    let bias = output_bias(deep)?;
    let request = Request { intercept: Some(bias), ..arguments.request() };
    let (run, Data { loaded, read }) = Run::prepare(arguments, request)?;
    let architecture = architecture(deep, &loaded, training.is_scaled())?;
    let folder = arguments.selection.warm_start.as_deref();
    let start = folder.map(|folder| warm_start_deep(folder, &loaded, &architecture)).transpose();
    let start = start.map_err(|error| Failure::input(format!("--warm-start {error}")))?;
    run.begin_deep(&loaded, &architecture);
    let left = arguments.time_limit.map(|limit| {
        let spent = std::time::Duration::from_secs_f64(run.seconds());
        limit.saturating_sub(spent).saturating_sub(reserve(&loaded).min(limit / 2))
    });
    let options = DeepOptions {
        architecture,
        training: training.options(arguments.read.seed, arguments.time_limit.is_some()),
        gap: arguments.gap,
        abs_gap: arguments.abs_gap,
        threads: run.threads,
        limit: left,
        restarts: training.restarts(),
        resume: resume.as_deref(),
        start: start.as_ref().map(|(parameters, buffers)| (parameters.as_slice(), buffers.as_slice())),
        checkpoint_every: training.checkpoint_every(),
        folder: run.folder.path.join(infimum_check::HEAD),
    };
    let mut save = |bytes: &[u8]| {
        let written = run.folder.begin().and_then(|()| run.folder.write(CHECKPOINT, bytes));
        written.map_err(|failure| failure.message)
    };
    let fitted = fit_deep(loaded, &options, &run.log, &mut save).map_err(Failure::input)?;
    let best = fitted.runs.iter().map(|run| run.incumbent.value).fold(f64::INFINITY, f64::min);
    let runs: Vec<_> = (fitted.runs.iter())
        .map(|run| {
            json!({
                "value": run.incumbent.value / fitted.loaded.problem.data.total_weight, "steps": run.steps, "epochs": run.epochs,
                "seconds": run.seconds, "rate": run.rate, "rollbacks": run.rollbacks, "best": run.incumbent.value == best,
            })
        })
        .collect();
    let network = json!({
        "architecture": fitted.architecture, "parameters": fitted.parameters.len(), "options": options.training,
        "evaluation": fitted.evaluation, "runs": runs, "estimates": fitted.estimates,
    });
    run.finish(fitted, read, None, Some(network))
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
