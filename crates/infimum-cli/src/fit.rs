//! `infimum fit`.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use infimum::{
    Ending, Error, Fit, FitOptions, KnownTarget, Loaded, Loss, Metrics, ModelFile, Strength, Target, ValidationTarget,
    fit, metrics, model_name, relative_gap,
};
use infimum_check::Refusal;
use infimum_report::{Closing, Header, Log, print};
use serde_json::{Value, json};

use crate::arguments::FitArguments;
use crate::failure::Failure;
use crate::folder::Folder;
use crate::interrupt;

pub(crate) fn run(arguments: &FitArguments) -> Result<i32, Failure> {
    let start = Instant::now();
    validate(arguments)?;
    let interrupted = interrupt::install();
    let threads = match arguments.threads {
        Some(threads) => threads,
        None => std::thread::available_parallelism().map_or(1, usize::from),
    };
    // The readers, the hash and the checker use the global pool.
    let _ = rayon::ThreadPoolBuilder::new().num_threads(threads).build_global();
    let extra = match &arguments.log_json {
        None => None,
        Some(path) => {
            let file = std::fs::File::create(path)
                .map_err(|error| Failure::input(format!("{}: cannot be written: {error}", path.display())))?;
            Some(Box::new(file) as Box<dyn Write + Send>)
        }
    };
    let out: Box<dyn Write + Send> = if arguments.quiet { Box::new(io::sink()) } else { Box::new(io::stderr()) };
    let log = Log::new(start, interrupted, out, extra);
    let folder = Folder::create(arguments.out.as_deref(), &arguments.read.data)?;
    let options = FitOptions {
        gap: arguments.gap,
        abs_gap: arguments.abs_gap,
        solver: arguments.solver,
        threads,
        seed: arguments.read.seed,
    };
    let mut read = 0.0;
    let fitted = fit(&arguments.read.data, &arguments.request(), &options, |loaded| {
        read = start.elapsed().as_secs_f64();
        begin(&log, loaded, arguments, threads);
        Box::new(&log)
    })
    .map_err(|error| match error {
        Error::Data(error) => Failure::input(error),
        Error::Solve(error) => Failure::input(error),
    })?;
    let solved = start.elapsed().as_secs_f64();
    finish(arguments, &log, &folder, fitted, start, read, solved, threads)
}

/// Ranges of the numbers that clap does not know.
fn validate(arguments: &FitArguments) -> Result<(), Failure> {
    if let Some(hidden) = &arguments.hidden {
        return Err(Failure::input(format!(
            "--hidden {hidden}: this version trains models of one linear layer (losses logistic, softmax, hinge, squared-hinge, squared); \
             leave --hidden out"
        )));
    }
    for (name, value) in [("--gap", arguments.gap), ("--abs-gap", arguments.abs_gap)] {
        if !(value >= 0.0 && value.is_finite()) {
            return Err(Failure::input(format!("{name}: expected a number ≥ 0, got {value}")));
        }
    }
    if arguments.threads == Some(0) {
        return Err(Failure::input("--threads: expected at least 1, got 0"));
    }
    Ok(())
}

/// Prints the header and tells the log what the solver needs: Σc and the deadline, which leaves time to write.
fn begin(log: &Log, loaded: &Loaded, arguments: &FitArguments, threads: usize) {
    let (data, objective) = (&loaded.problem.data, &loaded.problem.objective);
    log.set_total_weight(data.total_weight);
    if let Some(limit) = arguments.time_limit {
        let outputs = loaded.problem.outputs();
        // The witness makes about six passes over the matrix and the certificate 8 bytes per dual value.
        let passes = 6e-9 * (data.matrix.stored() * outputs) as f64;
        let write = 2e-8 * (data.rows() * outputs + data.columns() * outputs) as f64;
        let reserve = (0.01 + passes + write).min(0.5 * limit.as_secs_f64());
        log.set_deadline(limit.saturating_sub(Duration::from_secs_f64(reserve)));
    }
    let strength = match loaded.recipe.strength {
        Strength::C(c) => format!("C {c}"),
        Strength::PerExample { l1, l2 } => format!("l1 {l1}, l2 {l2}"),
    };
    let standardized = if loaded.recipe.standardize { ", standardized" } else { "" };
    let header = Header {
        data: loaded.source.path.clone(),
        rows: data.rows(),
        held_out: loaded.validation.as_ref().map_or(0, |validation| validation.matrix.rows()),
        columns: data.columns(),
        stored: data.matrix.stored(),
        sparse: data.matrix.is_sparse(),
        target: loaded.recipe.target.clone(),
        labels: data.labels().to_vec(),
        loss: objective.loss.name().into(),
        penalty: format!("{strength} (λ1 {:.6e}, λ2 {:.6e}{standardized})", objective.lambda1, objective.lambda2),
        intercept: objective.intercept.name().into(),
        notes: loaded.notes.clone(),
        threads,
    };
    log.json("header", serde_json::to_value(&header).unwrap_or(Value::Null));
    log.print(|out| print::header(out, &header));
}

/// Writes the run folder, checks the certificate as written, and reports.
fn finish(
    arguments: &FitArguments,
    log: &Log,
    folder: &Folder,
    fitted: Fit,
    start: Instant,
    read: f64,
    solved: f64,
    threads: usize,
) -> Result<i32, Failure> {
    let problem = &fitted.loaded.problem;
    let total_weight = problem.data.total_weight;
    let certificate = fitted.certificate().to_bytes().map_err(Failure::internal)?;
    folder.write("certificate.safetensors", &certificate)?;
    let tensors = ModelFile::tensors(&fitted.outcome.model).map_err(Failure::internal)?;
    folder.write("model.safetensors", &tensors)?;
    let description = ModelFile {
        version: 1,
        loss: problem.objective.loss,
        labels: problem.data.labels().to_vec(),
        outputs: problem.outputs(),
        recipe: fitted.loaded.recipe.clone(),
        encoding: fitted.loaded.encoding.clone(),
    };
    let text = serde_json::to_string_pretty(&description).map_err(Failure::internal)?;
    folder.write("model.json", text.as_bytes())?;
    let written = start.elapsed().as_secs_f64();
    let (train, valid) = both_metrics(&fitted);
    let mut summary = Summary::new(arguments, &fitted, train, valid, threads);
    drop(certificate);
    let Fit { loaded, outcome, .. } = fitted;
    let (source, model, ending, message) =
        (loaded.source.path.clone(), model_name(&loaded.problem), outcome.ending, outcome.message.clone());
    // The checker reads the data again; the problem is not kept beside it.
    drop(loaded);
    let check_start = Instant::now();
    let bytes = std::fs::read(folder.path.join("certificate.safetensors")).map_err(Failure::internal)?;
    let verdict = infimum_check::check(&bytes, &source);
    let checked = check_start.elapsed().as_secs_f64();
    let (upper, lower, refusal) = match &verdict {
        Ok(verdict) => (verdict.mean_upper, verdict.mean_lower, None),
        Err(refusal) => (outcome.upper / total_weight, outcome.lower / total_weight, Some(refusal)),
    };
    let gap = relative_gap(upper, lower);
    summary.bounds(upper, lower, gap, refusal);
    let closing = Closing {
        ending,
        message,
        model,
        upper,
        lower,
        gap,
        wanted: arguments.gap,
        certified: refusal.is_none(),
        refusal: refusal.map(Refusal::to_string),
        metrics: summary.metric_lines.clone(),
        seconds: [read, solved - read, written - solved, checked],
        folder: folder.path.display().to_string(),
    };
    let seconds = json!({
        "read": read, "solve": solved - read, "certify": written - solved, "check": checked,
        "total": start.elapsed().as_secs_f64(),
    });
    summary.value["seconds"] = seconds;
    summary.value["message"] = json!(print::answer(&closing));
    let _ = log.finish();
    log.json("closing", serde_json::to_value(&closing).unwrap_or(Value::Null));
    folder.write("log.jsonl", &log.finish())?;
    let result = serde_json::to_string_pretty(&summary.value).map_err(Failure::internal)?;
    folder.write("result.json", result.as_bytes())?;
    log.print(|out| print::closing(out, &closing));
    if arguments.json {
        let mut out = io::stdout().lock();
        let _ = writeln!(out, "{result}");
    }
    Ok(match (refusal, ending) {
        (Some(_), _) => 1,
        (None, Ending::Interrupted) => 130,
        (None, _) => 0,
    })
}

/// Metrics on the training rows and, if there are any, the held-out rows.
fn both_metrics(fitted: &Fit) -> (Metrics, Option<Metrics>) {
    let (problem, model) = (&fitted.loaded.problem, &fitted.outcome.model);
    let loss: Loss = problem.objective.loss;
    let known = match &problem.data.target {
        Target::Real(values) => KnownTarget::Real(values.clone()),
        Target::Class { classes, .. } => KnownTarget::Classes(classes.iter().map(|&class| Some(class)).collect()),
    };
    let train = metrics(loss, model, &problem.data.matrix, &known);
    let valid = fitted.loaded.validation.as_ref().map(|validation| {
        let known = match &validation.target {
            ValidationTarget::Real(values) => KnownTarget::Real(values.clone()),
            ValidationTarget::Classes(classes) => KnownTarget::Classes(classes.clone()),
        };
        metrics(loss, model, &validation.matrix, &known)
    });
    (train, valid)
}

/// `result.json` as it grows.
struct Summary {
    value: Value,
    metric_lines: Vec<String>,
}

impl Summary {
    fn new(arguments: &FitArguments, fitted: &Fit, train: Metrics, valid: Option<Metrics>, threads: usize) -> Summary {
        let (loaded, outcome) = (&fitted.loaded, &fitted.outcome);
        let (data, objective, recipe) = (&loaded.problem.data, &loaded.problem.objective, &loaded.recipe);
        let mut metric_lines = vec![format!("training    {} ({} rows)", train.words(), train.rows)];
        if let Some(valid) = &valid {
            metric_lines.push(format!("validation  {} ({} rows)", valid.words(), valid.rows));
        }
        let value = json!({
            "version": 1,
            "command": "fit",
            "rung": 1,
            "ending": outcome.ending.name(),
            "objective": {
                "loss": objective.loss.name(), "lambda1": objective.lambda1, "lambda2": objective.lambda2,
                "l1": objective.lambda1 / data.total_weight, "l2": objective.lambda2 / data.total_weight,
                "strength": recipe.strength, "intercept": objective.intercept.name(), "standardize": recipe.standardize,
                "class_weight": recipe.class_weight, "total_weight": data.total_weight,
            },
            "solver": outcome.solver,
            "threads": threads,
            "seed": arguments.read.seed,
            "data": {
                "path": loaded.source.path, "sha256": loaded.source.sha256, "problem_sha256": loaded.problem_sha256,
                "rows": data.rows(), "columns": data.columns(), "stored": data.matrix.stored(),
                "held_out": valid.as_ref().map_or(0, |valid| valid.rows), "target": recipe.target, "labels": data.labels(),
            },
            "model": "model.safetensors",
            "certificate": "certificate.safetensors",
            "train": train,
            "valid": valid,
            "explored": { "iterations": outcome.explored },
        });
        Summary { value, metric_lines }
    }

    fn bounds(&mut self, upper: f64, lower: f64, gap: f64, refusal: Option<&Refusal>) {
        self.value["upper"] = json!(upper);
        self.value["lower"] = json!(lower);
        self.value["gap"] = json!(gap);
        self.value["certified"] = json!(refusal.is_none());
        if let Some(refusal) = refusal {
            self.value["refusal"] = json!(refusal.to_string());
        }
    }
}
