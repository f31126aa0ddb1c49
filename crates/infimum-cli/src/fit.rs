//! `infimum fit`.

use std::io::{self, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use infimum::{
    BlockFinding, DeepArchitecture, Ending, Findings, FitOptions, Format, Loaded, Memory, ModelFile, Request, Start,
    Strength, Task, Trained, deep_promise, fit_loaded, load, net_promise, onnx_of, relative_gap, warm_start, words_of,
};
use infimum_check::{Checker, check_block, check_deep, check_relu};
use infimum_report::{Closing, Header, Log, Proof, print};
use serde_json::{Value, json};

use crate::arguments::FitArguments;
use crate::decide;
use crate::deep;
use crate::failure::{Failure, print as print_result, say};
use crate::folder::{Folder, same_file};
use crate::interrupt;
use crate::net;
use crate::nets::Net;
use crate::path;
use crate::result::Summary;
use crate::threads;

/// Name of the certificate in the run folder.
pub(crate) const CERTIFICATE: &str = "certificate.safetensors";

/// What every step of a run needs.
pub(crate) struct Run<'a> {
    pub(crate) arguments: &'a FitArguments,
    pub(crate) folder: Folder,
    pub(crate) threads: usize,
    pub(crate) log: Log,
    start: Instant,
    memory: Option<Memory>,
}

/// How the strength of a fit was chosen.
pub(crate) struct Selection {
    /// For `result.json`.
    pub(crate) value: Value,
    /// For the closing block.
    pub(crate) lines: Vec<String>,
    /// Whether what led to the choice could be written.
    pub(crate) stored: Result<(), Failure>,
}

/// Data as read, before anything is solved.
pub(crate) struct Data {
    pub(crate) loaded: Loaded,
    /// Seconds of reading.
    pub(crate) read: f64,
}

pub(crate) fn run(arguments: &FitArguments) -> Result<i32, Failure> {
    if let Some(asked) = arguments.threshold().map_err(Failure::input)? {
        return decide::run(&asked);
    }
    if let Some(why) = arguments.selection.idle_score() {
        return Err(Failure::input(why));
    }
    if let Some(deep) = arguments.deep().map_err(Failure::input)? {
        return deep::run(arguments, &deep);
    }
    if let Some(net) = arguments.relu().map_err(Failure::input)? {
        return net::run(arguments, net);
    }
    let (run, Data { loaded, read }) = Run::prepare(arguments, arguments.request())?;
    if let Some(series) = path::asked(arguments, &loaded)? {
        return path::run(&run, loaded, read, &series);
    }
    let start = run.warm_start(&loaded)?;
    run.begin(&loaded, None, None);
    let fitted = fit_loaded(loaded, &run.options(), start, &run.log).map_err(Failure::input)?;
    run.finish(fitted, read, None, None)
}

/// The file of `--log-json`, which may not be the data.
pub(crate) fn log_copy(path: Option<&Path>, data: &str) -> Result<Option<Box<dyn Write + Send>>, Failure> {
    let Some(path) = path else {
        return Ok(None);
    };
    if same_file(path, Path::new(data)) {
        let message = format!("--log-json {}: these are the data; choose another file for the log", path.display());
        return Err(Failure::input(message));
    }
    let file = std::fs::File::create(path)
        .map_err(|error| Failure::input(format!("--log-json {}: cannot be written: {error}", path.display())))?;
    Ok(Some(Box::new(file)))
}

/// A number as short as can be read back, in scientific notation where it would be long otherwise.
pub(crate) fn short(value: f64) -> String {
    if value == 0.0 || (1e-4..1e7).contains(&value) { format!("{value}") } else { format!("{value:e}") }
}

impl<'a> Run<'a> {
    /// Refuses what does not go together, takes the run folder and reads the data.
    pub(crate) fn prepare(arguments: &'a FitArguments, request: Request) -> Result<(Run<'a>, Data), Failure> {
        let start = Instant::now();
        if let Some(why) = arguments.misfit() {
            return Err(Failure::input(why));
        }
        let interrupted = interrupt::install();
        // The readers, the hash and the checker use the global pool.
        let threads = threads::start(arguments.threads);
        let folder = Folder::take(arguments.out.as_deref(), &arguments.read.data)?;
        let out: Box<dyn Write + Send> = if arguments.quiet { Box::new(io::sink()) } else { Box::new(io::stderr()) };
        let watch = interrupt::watch_reading(start, arguments.time_limit, folder.traces());
        let log = Log::new(start, interrupted, out, log_copy(arguments.log_json.as_deref(), &arguments.read.data)?);
        let limit = |bytes| Memory::new(bytes, threads, &folder.path);
        let memory = arguments.memory.map(limit).transpose().map_err(Failure::input)?;
        let request = Request { memory: memory.clone(), ..request };
        let run = Run { arguments, folder, threads, start, log, memory };
        let loaded = load(&arguments.read.data, &request).map_err(Failure::input)?;
        drop(watch);
        let read = run.seconds();
        Ok((run, Data { loaded, read }))
    }

    /// What the solver is asked for.
    pub(crate) fn options(&self) -> FitOptions {
        FitOptions {
            gap: self.arguments.gap,
            abs_gap: self.arguments.abs_gap,
            solver: self.arguments.solver,
            threads: self.threads,
            seed: self.arguments.read.seed,
        }
    }

    /// The model of `--warm-start`.
    pub(crate) fn warm_start(&self, loaded: &Loaded) -> Result<Option<Start>, Failure> {
        let folder = self.arguments.selection.warm_start.as_deref();
        let start = folder.map(|folder| warm_start(folder, loaded)).transpose();
        start.map_err(|error| Failure::input(format!("--warm-start {error}")))
    }

    pub(crate) fn seconds(&self) -> f64 {
        self.start.elapsed().as_secs_f64()
    }

    /// Prints the header and tells the log what the solver needs: Σc and the deadline, which leaves time to write.
    /// `penalty` says which strengths, if there are several, `net` which network, if it is one.
    pub(crate) fn begin(&self, loaded: &Loaded, penalty: Option<String>, net: Option<Net>) {
        let promise = match net {
            None => "rung 1, convex: the optimum to any gap asked for, with a certificate".into(),
            Some(net) => net_promise(&loaded.problem, net.hidden_bias),
        };
        let network =
            net.map(|net| format!("{} hidden ReLU units at most, hidden bias {}", net.width, net.hidden_bias.name()));
        self.announce(loaded, penalty, network, promise);
    }

    /// The same of a deep network.
    pub(crate) fn begin_deep(&self, loaded: &Loaded, architecture: &DeepArchitecture) {
        let (network, promise) = (words_of(architecture), deep_promise(&loaded.problem, architecture));
        self.announce(loaded, None, Some(network), promise);
    }

    /// The same of outputs of a model that is not looked into.
    pub(crate) fn begin_outputs(&self, loaded: &Loaded, predictions: &str) {
        let promise =
            "their loss, and what no function of the columns can avoid because rows are equal, proven; nothing else"
                .into();
        self.announce(loaded, None, Some(format!("unknown; its outputs are in {predictions}")), promise);
    }

    fn announce(&self, loaded: &Loaded, penalty: Option<String>, network: Option<String>, promise: String) {
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
            target: match loaded.recipe.format {
                Format::Idx => "the labels file".into(),
                Format::Images => "the images' folders".into(),
                _ => loaded.recipe.targets().collect::<Vec<_>>().join(", "),
            },
            task: match (loaded.recipe.task, data.target.several()) {
                (Task::Regression, _) => "regression".into(),
                (Task::Classification, None) => "classification".into(),
                (Task::Classification, Some(_)) => "multi-label classification".into(),
            },
            labels: match (loaded.recipe.task, data.target.several()) {
                (Task::Classification, Some(_)) => vec!["0".into(), "1".into()],
                _ => data.labels().to_vec(),
            },
            loss: match objective.loss.parameter() {
                Some(value) => format!("{} ({value})", objective.loss.name()),
                None => objective.loss.name().into(),
            },
            penalty: format!("{}{standardized}", penalty.unwrap_or(strength)),
            intercept: objective.intercept.name().into(),
            network,
            promise,
            notes: loaded.notes.clone(),
            threads: self.threads,
        };
        self.log.json("header", serde_json::to_value(&header).unwrap_or(Value::Null));
        self.log.print(|out| print::header(out, &header));
    }

    /// What is left of the time limit once the files are written.
    pub(crate) fn time_left(&self, loaded: &Loaded) -> Option<Duration> {
        let limit = self.arguments.time_limit?;
        Some(limit.saturating_sub(self.start.elapsed()).saturating_sub(reserve(loaded).min(limit / 2)))
    }

    /// Says if the file of `--log-json` is incomplete.
    pub(crate) fn warn_of_log_copy(&self) {
        if let (Some(path), Some(error)) = (&self.arguments.log_json, self.log.copy_error()) {
            say(&format!("warning: --log-json {}: {error}; the file is incomplete", path.display()));
        }
    }

    /// Lets a claim be sharpened if the limit leaves time for it.
    fn sharpen(&self, fitted: &mut impl Trained) {
        if self.arguments.time_limit.is_none_or(|limit| self.start.elapsed() + reserve(fitted.loaded()) < limit) {
            fitted.sharpen();
        }
    }

    /// Checks the certificate of a block against the features beside it, where there is one.
    fn check_block(&self, block: &str) -> Option<Proof> {
        let checked = check_block(&mut Checker::within(self.memory.clone()), &self.folder.path, block)?;
        Some(match checked {
            Ok(_) => Proof::Checked,
            Err(refusal) => Proof::Refused(refusal.to_string()),
        })
    }

    /// Writes the run folder, checks the certificate as written, and reports. If the folder cannot be written the result
    /// is still told, and `--json` still prints it.
    /// What a `selection` of the strength wrote is kept; a `network` is described in `result.json`.
    pub(crate) fn finish<T: Trained>(
        &self,
        mut fitted: T,
        read: f64,
        selection: Option<Selection>,
        network: Option<Value>,
    ) -> Result<i32, Failure> {
        self.sharpen(&mut fitted);
        let solved = self.seconds();
        self.log.finish();
        let (stored, selected) = match selection {
            None => (self.folder.clear(fitted.rung() == 5), None),
            Some(selection) => (selection.stored, Some((selection.value, selection.lines))),
        };
        let stored = stored.and_then(|()| write_model(&self.folder, "", &fitted));
        let written = self.seconds();
        let mut summary = Summary::new(self.arguments, &fitted, self.threads);
        if let Some(network) = network {
            summary.set("network", network);
        }
        if let Some((value, lines)) = selected {
            summary.set("selection", value);
            summary.metric_lines.extend(lines);
        }
        let (model, total_weight) = (fitted.model_name(), fitted.loaded().problem.data.total_weight);
        let (source, (claimed_upper, claimed_lower)) = (fitted.loaded().source.path.clone(), fitted.bounds());
        let (ending, message) = fitted.ending();
        let message = message.to_string();
        let (rung, findings) = (fitted.rung(), fitted.findings());
        // The checker reads the data again; the problem is not kept beside it.
        drop(fitted);
        let check_start = Instant::now();
        let (mut upper, mut lower) = (claimed_upper / total_weight, claimed_lower / total_weight);
        let mut gap = relative_gap(claimed_upper, claimed_lower);
        let proof = match &stored {
            Err(failure) => Proof::Unwritten(failure.message.clone()),
            Ok(()) => {
                let bytes = std::fs::read(self.folder.path.join(CERTIFICATE)).map_err(Failure::internal)?;
                let checked = match rung {
                    5 => check_deep(&bytes, &source),
                    4 => check_relu(&bytes, &source),
                    _ => Checker::within(self.memory.clone()).check(bytes, &source),
                };
                match checked {
                    Err(refusal) => Proof::Refused(refusal.to_string()),
                    Ok(verdict) => {
                        (upper, lower) = (verdict.mean_upper, verdict.mean_lower);
                        gap = relative_gap(verdict.upper, verdict.lower);
                        Proof::Checked
                    }
                }
            }
        };
        let blocks = findings.iter().flat_map(|findings| &findings.blocks).map(|block| self.check_block(block.folder));
        let blocks: Vec<Option<Proof>> = blocks.collect();
        let checked = check_start.elapsed().as_secs_f64();
        let closing = Closing {
            ending,
            message,
            model,
            upper,
            lower,
            gap,
            wanted: self.arguments.gap,
            metrics: summary.metric_lines.clone(),
            report: findings.as_ref().map(|findings| report(findings, &proof, &blocks, lower, gap)).unwrap_or_default(),
            proof,
            seconds: [read, solved - read, written - solved, checked],
            folder: stored.is_ok().then(|| self.folder.path.display().to_string()),
        };
        self.conclude(summary, &closing, stored)
    }

    /// Writes log and result, prints the closing words, and says with which code to end. `stored`: whether the certificate could be written.
    pub(crate) fn conclude(
        &self,
        mut summary: Summary,
        closing: &Closing,
        stored: Result<(), Failure>,
    ) -> Result<i32, Failure> {
        self.log.json("closing", serde_json::to_value(closing).unwrap_or(Value::Null));
        fill(&mut summary, closing, self.seconds());
        let result = summary.text();
        let stored = stored.and_then(|()| {
            self.folder.write("log.jsonl", &self.log.lines())?;
            self.folder.write("result.json", result.as_bytes())
        });
        self.log.print(|out| print::closing(out, closing));
        self.warn_of_log_copy();
        let printed = if self.arguments.json { print_result(&format!("{result}\n")) } else { Ok(()) };
        stored.and(printed)?;
        Ok(match (&closing.proof, closing.ending) {
            (Proof::Checked, Ending::Interrupted) => 130,
            (Proof::Checked, _) => 0,
            (Proof::Refused(_) | Proof::Unwritten(_), _) => 1,
        })
    }
}

/// The three parts of what is known of a deep network, and what to do next. What the checker refused is not called proven.
fn report(
    findings: &Findings,
    proof: &Proof,
    blocks: &[Option<Proof>],
    lower: f64,
    gap: f64,
) -> Vec<(&'static str, String)> {
    let is_proven = *proof == Proof::Checked;
    let word = if is_proven { "PROVEN" } else { "UNKNOWN" };
    let bound = format!(
        "no weights of this network, nor of dense and convolutional layers of other widths, have a mean objective below {lower:.6e} (gap {:.1} %)",
        100.0 * gap
    );
    let incumbent = match is_proven {
        true => findings.incumbent.clone(),
        false => "the objective is evaluated; nothing about it is proven, for there is no certificate that the checker accepts".into(),
    };
    let mut lines = vec![("INCUMBENT", incumbent), (word, bound)];
    lines.extend(findings.blocks.iter().zip(blocks).map(|(BlockFinding { text, .. }, proof)| match proof {
        Some(Proof::Refused(why)) => ("UNKNOWN", format!("{text} (NOT accepted by the checker: {why})")),
        Some(Proof::Checked) => ("PROVEN", text.clone()),
        Some(Proof::Unwritten(_)) | None => ("UNKNOWN", format!("{text} (not checked)")),
    }));
    lines.extend(findings.estimated.iter().map(|text| ("ESTIMATED", text.clone())));
    lines.extend(findings.unknown.iter().map(|text| ("UNKNOWN", text.clone())));
    let next = if is_proven {
        findings.next.clone()
    } else {
        "see to the certificate first: what is wrong is said below".into()
    };
    lines.push(("NEXT", next));
    lines
}

/// Time to keep for what follows the solver: making the witness and the metrics (some passes over the matrix; 2.2e-8 s for
/// each value measured on one core of a busy machine; as much again where they are read from a file), and writing the
/// certificate, 8 bytes for each dual value.
pub(crate) fn reserve(loaded: &Loaded) -> Duration {
    let (data, outputs) = (&loaded.problem.data, loaded.problem.outputs() as f64);
    let per_value = if data.matrix.is_spilled() { 4e-8 } else { 2e-8 };
    let passes = per_value * data.matrix.stored() as f64 * outputs;
    let write = 5e-8 * (data.rows() + data.columns()) as f64 * outputs;
    // With a kernel, three passes over as many of its entries as may matter: exact products, metrics, writing.
    let kernel =
        if loaded.problem.objective.kernel.is_some() { 1e-8 * (data.rows() as f64).powi(2) * outputs } else { 0.0 };
    Duration::from_secs_f64(0.01 + passes + write + kernel)
}

/// Certificate and model, under names that begin with `prefix`.
pub(crate) fn write_model(folder: &Folder, prefix: &str, fitted: &impl Trained) -> Result<(), Failure> {
    let (loaded, predictor) = (fitted.loaded(), fitted.predictor());
    let problem = &loaded.problem;
    let name = |file: &str| format!("{prefix}{file}");
    folder.write(&name(CERTIFICATE), &fitted.certificate_bytes().map_err(Failure::internal)?)?;
    folder.write(&name("model.safetensors"), &ModelFile::tensors(&predictor).map_err(Failure::internal)?)?;
    let description = ModelFile {
        version: 1,
        loss: problem.objective.loss,
        labels: problem.data.labels().to_vec(),
        outputs: problem.outputs(),
        recipe: loaded.recipe.clone(),
        encoding: loaded.encoding.clone(),
        hidden: predictor.net().map(|net| net.width),
        layers: predictor.layers().map(|layers| layers.architecture.clone()),
    };
    let labels = problem.data.labels();
    if let Some(onnx) = onnx_of(&predictor, problem.objective.loss, labels, problem.data.target.names()) {
        folder.write(&name("model.onnx"), &onnx.map_err(Failure::internal)?)?;
    }
    for (file, bytes) in fitted.attachments().map_err(Failure::internal)? {
        folder.write(&name(&file), &bytes)?;
    }
    let text = serde_json::to_string_pretty(&description).map_err(Failure::internal)?;
    folder.write(&name("model.json"), text.as_bytes())
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
