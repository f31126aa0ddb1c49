//! `infimum fit`.

use std::io::{self, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use infimum::{
    Ending, Error, Fit, FitOptions, Loaded, Loss, ModelFile, Strength, Task, fit, gap_reached, model_name, relative_gap,
};
use infimum_report::{Closing, Header, Log, Proof, print};
use serde_json::{Value, json};

use crate::arguments::FitArguments;
use crate::failure::{Failure, print as print_result, say};
use crate::folder::{Folder, same_file};
use crate::interrupt;
use crate::result::Summary;

/// Name of the certificate in the run folder.
const CERTIFICATE: &str = "certificate.safetensors";

/// Relative difference between what the checker proves and what is claimed on its word: other machines add in another order.
const ROOM: f64 = 4.0 * f64::EPSILON;

/// What every step of a run needs.
struct Run<'a> {
    arguments: &'a FitArguments,
    folder: Folder,
    threads: usize,
    start: Instant,
    log: Log,
}

pub(crate) fn run(arguments: &FitArguments) -> Result<i32, Failure> {
    let start = Instant::now();
    if let Some((name, value)) = arguments.nets.first() {
        let losses: Vec<&str> = Loss::ALL.iter().map(|loss| loss.name()).collect();
        return Err(Failure::input(format!(
            "{name} {value}: this version trains models of one linear layer (losses {}); leave {name} out",
            losses.join(", ")
        )));
    }
    if let Some(why) = arguments.misfit() {
        return Err(Failure::input(why));
    }
    let interrupted = interrupt::install();
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    let threads = arguments.threads.unwrap_or_else(cores);
    // The readers, the hash and the checker use the global pool.
    let _ = rayon::ThreadPoolBuilder::new().num_threads(threads).build_global();
    let folder = Folder::take(arguments.out.as_deref(), &arguments.read.data)?;
    let out: Box<dyn Write + Send> = if arguments.quiet { Box::new(io::sink()) } else { Box::new(io::stderr()) };
    let watch = interrupt::watch_reading(start, arguments.time_limit, folder.traces());
    let run = Run { arguments, folder, threads, start, log: Log::new(start, interrupted, out, log_copy(arguments)?) };
    let options = FitOptions {
        gap: arguments.gap,
        abs_gap: arguments.abs_gap,
        solver: arguments.solver,
        threads,
        seed: arguments.read.seed,
    };
    let mut read = 0.0;
    let fitted = fit(&arguments.read.data, &arguments.request(), &options, |loaded| {
        drop(watch);
        read = run.seconds();
        run.begin(loaded);
        Box::new(&run.log)
    })
    .map_err(|error| match error {
        Error::Data(error) => Failure::input(error),
        Error::Solve(error) => Failure::input(error),
    })?;
    run.finish(fitted, read)
}

/// The file of `--log-json`.
fn log_copy(arguments: &FitArguments) -> Result<Option<Box<dyn Write + Send>>, Failure> {
    let Some(path) = &arguments.log_json else {
        return Ok(None);
    };
    if same_file(path, Path::new(&arguments.read.data)) {
        let message = format!("--log-json {}: these are the data; choose another file for the log", path.display());
        return Err(Failure::input(message));
    }
    let file = std::fs::File::create(path)
        .map_err(|error| Failure::input(format!("--log-json {}: cannot be written: {error}", path.display())))?;
    Ok(Some(Box::new(file)))
}

/// A number as short as can be read back, in scientific notation where it would be long otherwise.
fn short(value: f64) -> String {
    if value == 0.0 || (1e-4..1e7).contains(&value) { format!("{value}") } else { format!("{value:e}") }
}

impl Run<'_> {
    fn seconds(&self) -> f64 {
        self.start.elapsed().as_secs_f64()
    }

    /// Prints the header and tells the log what the solver needs: Σc and the deadline, which leaves time to write.
    fn begin(&self, loaded: &Loaded) {
        let (data, objective) = (&loaded.problem.data, &loaded.problem.objective);
        self.log.set_total_weight(data.total_weight);
        if let Some(limit) = self.arguments.time_limit {
            self.log.set_deadline(limit.saturating_sub(reserve(loaded).min(limit / 2)));
        }
        let strength = match loaded.recipe.strength {
            Strength::C(c) => format!("C {} (λ2 = {})", short(c), short(objective.lambda2)),
            Strength::PerExample { l1, l2 } => {
                let [lambda1, lambda2] = [objective.lambda1, objective.lambda2].map(short);
                format!("l1 {}, l2 {} (λ1 = {lambda1}, λ2 = {lambda2})", short(l1), short(l2))
            }
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
            task: if loaded.recipe.task == Task::Regression { "regression" } else { "classification" }.into(),
            labels: data.labels().to_vec(),
            loss: match objective.loss.parameter() {
                Some(value) => format!("{} ({value})", objective.loss.name()),
                None => objective.loss.name().into(),
            },
            penalty: format!("{strength}{standardized}"),
            intercept: objective.intercept.name().into(),
            notes: loaded.notes.clone(),
            threads: self.threads,
        };
        self.log.json("header", serde_json::to_value(&header).unwrap_or(Value::Null));
        self.log.print(|out| print::header(out, &header));
    }

    /// A claim keeps a margin for the rounding of the solver's own evaluation. Where that margin alone keeps the gap asked for
    /// from being claimed, what the checker's arithmetic proves is claimed instead, if the limit leaves time for it.
    fn sharpen(&self, fitted: &mut Fit) {
        let left = self.arguments.time_limit.is_none_or(|limit| self.start.elapsed() + reserve(&fitted.loaded) < limit);
        if fitted.outcome.ending != Ending::Stalled || !left {
            return;
        }
        let Ok(verdict) = infimum_check::check_problem(&fitted.loaded.problem, &fitted.certificate()) else {
            return;
        };
        let (upper, lower) = (verdict.upper * (1.0 + ROOM), verdict.lower * (1.0 - ROOM));
        if gap_reached(upper, lower, fitted.gap, fitted.abs_gap) {
            let outcome = &mut fitted.outcome;
            (outcome.upper, outcome.lower, outcome.ending) = (upper, lower, Ending::Optimal);
            outcome.message.clear();
        }
    }

    /// Writes the run folder, checks the certificate as written, and reports. If the folder cannot be written the result
    /// is still told, and `--json` still prints it.
    fn finish(&self, mut fitted: Fit, read: f64) -> Result<i32, Failure> {
        self.sharpen(&mut fitted);
        let solved = self.seconds();
        self.log.finish();
        let stored = self.folder.clear().and_then(|()| write_model(&self.folder, &fitted));
        let written = self.seconds();
        let mut summary = Summary::new(self.arguments, &fitted, self.threads);
        let (model, total_weight) = (model_name(&fitted.loaded.problem), fitted.loaded.problem.data.total_weight);
        let Fit { loaded, outcome, .. } = fitted;
        let source = loaded.source.path.clone();
        // The checker reads the data again; the problem is not kept beside it.
        drop(loaded);
        let check_start = Instant::now();
        let (mut upper, mut lower) = (outcome.upper / total_weight, outcome.lower / total_weight);
        let mut gap = relative_gap(outcome.upper, outcome.lower);
        let proof = match &stored {
            Err(failure) => Proof::Unwritten(failure.message.clone()),
            Ok(()) => {
                let bytes = std::fs::read(self.folder.path.join(CERTIFICATE)).map_err(Failure::internal)?;
                match infimum_check::check(&bytes, &source) {
                    Err(refusal) => Proof::Refused(refusal.to_string()),
                    Ok(verdict) => {
                        (upper, lower) = (verdict.mean_upper, verdict.mean_lower);
                        gap = relative_gap(verdict.upper, verdict.lower);
                        Proof::Checked
                    }
                }
            }
        };
        let checked = check_start.elapsed().as_secs_f64();
        let closing = Closing {
            ending: outcome.ending,
            message: outcome.message,
            model,
            upper,
            lower,
            gap,
            wanted: self.arguments.gap,
            proof,
            metrics: summary.metric_lines.clone(),
            seconds: [read, solved - read, written - solved, checked],
            folder: stored.is_ok().then(|| self.folder.path.display().to_string()),
        };
        self.log.json("closing", serde_json::to_value(&closing).unwrap_or(Value::Null));
        fill(&mut summary, &closing, self.seconds());
        let result = summary.text();
        let stored = stored.and_then(|()| {
            self.folder.write("log.jsonl", &self.log.lines())?;
            self.folder.write("result.json", result.as_bytes())
        });
        self.log.print(|out| print::closing(out, &closing));
        if let (Some(path), Some(error)) = (&self.arguments.log_json, self.log.copy_error()) {
            say(&format!("warning: --log-json {}: {error}; the file is incomplete", path.display()));
        }
        let printed = if self.arguments.json { print_result(&format!("{result}\n")) } else { Ok(()) };
        stored.and(printed)?;
        Ok(match (&closing.proof, closing.ending) {
            (Proof::Checked, Ending::Interrupted) => 130,
            (Proof::Checked, _) => 0,
            (Proof::Refused(_) | Proof::Unwritten(_), _) => 1,
        })
    }
}

/// Time to keep for what follows the solver: making the witness and the metrics (some passes over the matrix; 2.2e-8 s for
/// each value measured on one core of a busy machine), and writing the certificate, 8 bytes for each dual value.
fn reserve(loaded: &Loaded) -> Duration {
    let (data, outputs) = (&loaded.problem.data, loaded.problem.outputs() as f64);
    let passes = 2e-8 * data.matrix.stored() as f64 * outputs;
    let write = 5e-8 * (data.rows() + data.columns()) as f64 * outputs;
    Duration::from_secs_f64(0.01 + passes + write)
}

/// Everything of a run folder but the log and `result.json`.
fn write_model(folder: &Folder, fitted: &Fit) -> Result<(), Failure> {
    let problem = &fitted.loaded.problem;
    folder.write(CERTIFICATE, &fitted.certificate().to_bytes().map_err(Failure::internal)?)?;
    folder.write("model.safetensors", &ModelFile::tensors(&fitted.outcome.model).map_err(Failure::internal)?)?;
    let description = ModelFile {
        version: 1,
        loss: problem.objective.loss,
        labels: problem.data.labels().to_vec(),
        outputs: problem.outputs(),
        recipe: fitted.loaded.recipe.clone(),
        encoding: fitted.loaded.encoding.clone(),
    };
    let text = serde_json::to_string_pretty(&description).map_err(Failure::internal)?;
    folder.write("model.json", text.as_bytes())
}

/// Adds to `result.json` what is known only at the end.
fn fill(summary: &mut Summary, closing: &Closing, total: f64) {
    let [read, solve, certify, check] = closing.seconds;
    summary.set("upper", json!(closing.upper));
    summary.set("lower", json!(closing.lower));
    summary.set("gap", json!(closing.gap));
    summary.set("certified", json!(closing.proof == Proof::Checked));
    summary.set("message", json!(print::answer(closing)));
    if closing.folder.is_none() {
        summary.set("model", Value::Null);
        summary.set("certificate", Value::Null);
    }
    summary.set("seconds", json!({ "read": read, "solve": solve, "certify": certify, "check": check, "total": total }));
}
