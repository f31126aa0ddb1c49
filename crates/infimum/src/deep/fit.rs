//! From a loaded problem and an architecture to a trained network, its head, its bound and its certificate.

use std::path::PathBuf;
use std::time::Duration;

use infimum_check::{HEAD, check_deep_problem, deep_evaluation, deep_lower};
use infimum_data::Loaded;
use infimum_deep::bounds;
use infimum_deep::engine::Network;
use infimum_deep::estimates::{self, Estimates};
use infimum_deep::training::{
    Incumbent, Rows, Setup, Start, TrainingError, TrainingOptions, TrainingOutcome, objective_of_outputs, scaled,
    train, train_again,
};
use infimum_problem::deep::{Architecture, DeepCertificate, DeepClaim, DeepWitness, Evaluation};
use infimum_problem::{
    CERTIFICATE_VERSION, CertificateError, Ending, Event, Intercept, Model, Monitor, Problem, Stop, gap_reached,
};

use super::budget::{Budget, Until};
use super::findings::Findings;
use super::head::{self, Head};
use super::layers::{Layers, outputs_in_doubles};
use crate::fit::{Error, FitOptions, Proof, ROOM};
use crate::predictor::{Features, Predictor};
use crate::trained::Trained;

/// Options of a fit of a deep network beyond the problem itself.
pub struct DeepOptions<'a> {
    /// The network.
    pub architecture: Architecture,
    /// How it is trained.
    pub training: TrainingOptions,
    /// Relative gap that counts as optimal.
    pub gap: f64,
    /// Absolute gap of the mean objective that counts as optimal.
    pub abs_gap: f64,
    /// Threads.
    pub threads: usize,
    /// Time for everything.
    pub limit: Option<Duration>,
    /// Runs from different random weights.
    pub restarts: usize,
    /// A checkpoint to go on from.
    pub resume: Option<&'a [u8]>,
    /// Parameters and running values to start from.
    pub start: Option<(&'a [f32], &'a [f32])>,
    /// Time from checkpoint to checkpoint.
    pub checkpoint_every: Duration,
    /// The folder [`HEAD`] of the run, for the features of the last layer.
    pub folder: PathBuf,
}

/// A trained deep network.
#[derive(Debug, Clone)]
pub struct DeepFit {
    /// The problem and where it came from.
    pub loaded: Loaded,
    /// The network.
    pub architecture: Architecture,
    /// Its parameters.
    pub parameters: Vec<f32>,
    /// Its running values.
    pub buffers: Vec<f32>,
    /// What is known about its objective.
    pub evaluation: Evaluation,
    /// Its objective, unnormalised; at least that if `evaluation` is proven.
    pub upper: f64,
    /// Lower bound.
    pub lower: f64,
    /// Why it holds.
    pub witness: DeepWitness,
    /// Every run.
    pub runs: Vec<TrainingOutcome>,
    /// The head given the features, where it was solved.
    pub head: Option<Head>,
    /// What is estimated.
    pub estimates: Estimates,
    layers: Layers,
    head_model: Model,
    ending: Ending,
    message: String,
    gap: f64,
    abs_gap: f64,
    /// Of an audit: the objective of the network as it was given.
    pub(super) given: Option<f64>,
}

/// Relative room of a proven objective: enclosures and sums in another order lie within it.
const ENCLOSURE: f64 = 1e-7;

/// Trains `options.architecture` on what is loaded. `save` writes a checkpoint.
pub fn fit_deep(
    loaded: Loaded,
    options: &DeepOptions,
    monitor: &dyn Monitor,
    save: &mut (dyn FnMut(&[u8]) -> Result<(), String> + Send),
) -> Result<DeepFit, Error> {
    let budget = Budget::new(options.limit);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(options.threads).build();
    let pool = pool.map_err(|error| TrainingError::Options(format!("--threads {}: {error}", options.threads)))?;
    pool.install(|| fit(loaded, options, budget, monitor, save))
}

fn fit(
    loaded: Loaded,
    options: &DeepOptions,
    budget: Budget,
    monitor: &dyn Monitor,
    save: &mut (dyn FnMut(&[u8]) -> Result<(), String> + Send),
) -> Result<DeepFit, Error> {
    let problem = &loaded.problem;
    let architecture = &options.architecture;
    let refuse = |message: String| Error::Deep(TrainingError::Options(message));
    let network = compiled(problem, architecture)?;
    let rows = Rows::new(problem, architecture);
    readable(&network, &rows)?;
    let reason = format!("{} parameters", network.parameter_count());
    monitor.report(Event::Solver { name: options.training.optimizer.name(), reason });
    let setup = Setup {
        problem,
        rows: &rows,
        network: &network,
        options: &options.training,
        time: budget.training(),
        checkpoint_every: (options.restarts <= 1).then_some(options.checkpoint_every),
    };
    let start = match (options.resume, options.start) {
        (Some(bytes), _) => Start::Checkpoint(bytes),
        (None, Some((parameters, buffers))) => Start::From(parameters, buffers),
        (None, None) => Start::Fresh,
    };
    let runs = match options.restarts {
        0 | 1 => vec![train(&setup, start, monitor, save)?],
        count => train_again(&setup, count, options.threads, monitor)?,
    };
    if let Some(why) = runs.iter().find_map(|run| run.unwritten.as_ref()) {
        monitor.report(Event::Note(format!("the last checkpoint could not be written: {why}")));
    }
    let best = |a: &&TrainingOutcome, b: &&TrainingOutcome| a.incumbent.value.total_cmp(&b.incumbent.value);
    let Some(best) = runs.iter().min_by(best) else { return Err(refuse("--restarts 0: no run was asked for".into())) };
    let Incumbent { parameters, buffers, value } = best.incumbent.clone();
    let trained = Parts { parameters, buffers, is_finite: value.is_finite() };
    let ended = ended(&runs, options);
    let assessed = assess(&setup, options, &budget, trained, runs, ended, monitor)?;
    drop(rows);
    Ok(assessed.of(loaded))
}

/// Everything that is found out about a network that was trained elsewhere; nothing is trained, but the last layer is solved, and kept where it is better.
pub fn audit(
    loaded: Loaded,
    options: &DeepOptions,
    parameters: Vec<f32>,
    buffers: Vec<f32>,
    monitor: &dyn Monitor,
) -> Result<DeepFit, Error> {
    let budget = Budget::new(options.limit);
    let network = compiled(&loaded.problem, &options.architecture)?;
    if (parameters.len(), buffers.len()) != (network.parameter_count(), network.buffer_count()) {
        let message = format!(
            "the network has {} parameters and {} running values, got {} and {}",
            network.parameter_count(),
            network.buffer_count(),
            parameters.len(),
            buffers.len()
        );
        return Err(Error::Deep(TrainingError::Options(message)));
    }
    let rows = Rows::new(&loaded.problem, &options.architecture);
    readable(&network, &rows)?;
    let reason = format!("nothing is trained, {} parameters", network.parameter_count());
    monitor.report(Event::Solver { name: "audit", reason });
    let (training, problem) = (&options.training, &loaded.problem);
    let setup =
        Setup { problem, rows: &rows, network: &network, options: training, time: None, checkpoint_every: None };
    let value = evaluated(&network, &parameters, &buffers, problem);
    let given = Parts { parameters, buffers, is_finite: value.is_finite() };
    let ended = match value.is_finite() {
        true => (Ending::Stalled, "the network is judged as it stands; nothing was trained".into()),
        false => (Ending::NumericalTrouble, "the network's objective on these rows is not finite".into()),
    };
    let mut assessed = assess(&setup, options, &budget, given, Vec::new(), ended, monitor)?;
    assessed.given = Some(value);
    drop(rows);
    Ok(assessed.of(loaded))
}

/// The network, if it is one for this problem.
fn compiled(problem: &Problem, architecture: &Architecture) -> Result<Network, Error> {
    let refuse = |message: String| Error::Deep(TrainingError::Options(message));
    let network = Network::new(architecture).map_err(refuse)?;
    let (needed, got) = ((problem.data.columns(), problem.outputs()), (network.inputs(), network.outputs()));
    if needed != got {
        return Err(refuse(format!(
            "the data have {} columns and need {} outputs, the network reads {} numbers and has {} outputs",
            needed.0, needed.1, got.0, got.1
        )));
    }
    Ok(network)
}

/// An error if an embedding has no row for a number of the data.
fn readable(network: &Network, rows: &Rows) -> Result<(), Error> {
    network.check_inputs(rows.inputs(0, rows.len())).map_err(|why| {
        Error::Deep(TrainingError::Options(format!(
            "{why} (an embedding reads the columns as they are: --scaling none)"
        )))
    })
}

/// A network as it stands.
struct Parts {
    parameters: Vec<f32>,
    buffers: Vec<f32>,
    is_finite: bool,
}

/// Everything that is found out about a network once it is trained: the head, the objective, the bound, the estimates.
fn assess(
    setup: &Setup,
    options: &DeepOptions,
    budget: &Budget,
    trained: Parts,
    runs: Vec<TrainingOutcome>,
    (mut ending, mut message): (Ending, String),
    monitor: &dyn Monitor,
) -> Result<Assessed, Error> {
    let Setup { problem, network, .. } = *setup;
    let architecture = &options.architecture;
    let Parts { mut parameters, buffers, is_finite } = trained;
    let steps = runs.iter().map(|run| run.steps).sum();
    let interrupted = || monitor.stop() == Some(Stop::Interrupted);
    let head = if is_finite && !interrupted() {
        improve_head(setup, options, budget, &mut parameters, &buffers, monitor)?
    } else {
        None
    };
    let value = if is_finite { evaluated(network, &parameters, &buffers, problem) } else { f64::MAX };
    let evaluation = deep_evaluation(architecture);
    let upper = if evaluation == Evaluation::Proven { value * (1.0 + ENCLOSURE) } else { value };
    monitor.report(Event::Progress { source: "evaluation", upper, lower: 0.0, explored: steps });
    let time = if interrupted() { Duration::ZERO } else { budget.bound() };
    let asked = bounds::Options { threads: options.threads };
    let witness = match bounds::bound(problem, architecture, &asked, &Until::new(monitor, time, true)) {
        Ok(bound) => bound.witness,
        Err(why) => {
            monitor.report(Event::Note(format!("no planes for the bound: {why}")));
            DeepWitness::default()
        }
    };
    let lower = deep_lower(problem, architecture, &witness).unwrap_or(0.0);
    let lower = (lower * (1.0 - ROOM)).min(upper);
    monitor.report(Event::Progress { source: "bound", upper, lower, explored: steps });
    let abs_gap = options.abs_gap * problem.data.total_weight;
    if evaluation == Evaluation::Proven && gap_reached(upper, lower, options.gap, abs_gap) {
        (ending, message) = (Ending::Optimal, String::new());
    }
    let until = Until::new(monitor, budget.head(), true);
    let estimates = estimates::estimate(&runs, setup, &parameters, &buffers, &until);
    let refuse = |message: String| Error::Deep(TrainingError::Options(message));
    let (layers, head_model) = Layers::split(architecture, &parameters, &buffers).map_err(refuse)?;
    Ok(Assessed {
        architecture: architecture.clone(),
        parameters,
        buffers,
        evaluation,
        bounds: (upper, lower),
        witness,
        runs,
        head,
        estimates,
        layers,
        head_model,
        ended: (ending, message),
        gaps: (options.gap, abs_gap),
        given: None,
    })
}

/// A [`DeepFit`] without its data, which others borrow while it is made.
struct Assessed {
    architecture: Architecture,
    parameters: Vec<f32>,
    buffers: Vec<f32>,
    evaluation: Evaluation,
    bounds: (f64, f64),
    witness: DeepWitness,
    runs: Vec<TrainingOutcome>,
    head: Option<Head>,
    estimates: Estimates,
    layers: Layers,
    head_model: Model,
    ended: (Ending, String),
    gaps: (f64, f64),
    given: Option<f64>,
}

impl Assessed {
    fn of(self, loaded: Loaded) -> DeepFit {
        DeepFit {
            loaded,
            architecture: self.architecture,
            parameters: self.parameters,
            buffers: self.buffers,
            evaluation: self.evaluation,
            upper: self.bounds.0,
            lower: self.bounds.1,
            witness: self.witness,
            runs: self.runs,
            head: self.head,
            estimates: self.estimates,
            layers: self.layers,
            head_model: self.head_model,
            ending: self.ended.0,
            message: self.ended.1,
            gap: self.gaps.0,
            abs_gap: self.gaps.1,
            given: self.given,
        }
    }
}

/// How the runs ended together.
fn ended(runs: &[TrainingOutcome], options: &DeepOptions) -> (Ending, String) {
    let stopped = runs.iter().find_map(|run| run.stopped);
    if runs.iter().all(|run| run.diverged) {
        let message = "the loss was not finite at any rate; scale the columns, or give a smaller --learning-rate";
        return (Ending::NumericalTrouble, message.into());
    }
    match (stopped, options.training.epochs, options.limit) {
        (Some(Stop::Interrupted), _, _) => (Ending::Interrupted, String::new()),
        (None, Some(epochs), limit) if limit.is_none() || runs.iter().any(|run| run.epochs >= epochs) => {
            (Ending::Stalled, format!("the {epochs} epochs asked for are done"))
        }
        _ => (Ending::TimeLimit, String::new()),
    }
}

/// The objective in double precision.
fn evaluated(network: &Network, parameters: &[f32], buffers: &[f32], problem: &Problem) -> f64 {
    let doubles = |values: &[f32]| values.iter().map(|&value| f64::from(value)).collect::<Vec<f64>>();
    let (parameters, buffers) = (doubles(parameters), doubles(buffers));
    let inputs = scaled(&problem.data.matrix, &network.architecture().scaling);
    let outputs = outputs_in_doubles(network, &parameters, &buffers, &inputs);
    let penalty: f64 = parameters.iter().map(|t| t * t).sum();
    objective_of_outputs(problem, &outputs) + 0.5 * problem.objective.lambda2 * penalty
}

/// Solves the head given the features, and puts it back where it lowers the objective.
fn improve_head(
    setup: &Setup,
    options: &DeepOptions,
    budget: &Budget,
    parameters: &mut Vec<f32>,
    buffers: &[f32],
    monitor: &dyn Monitor,
) -> Result<Option<Head>, Error> {
    let Setup { problem, network, .. } = *setup;
    let refuse = |message: String| Error::Deep(TrainingError::Options(message));
    let (layers, _) = Layers::split(&options.architecture, parameters, buffers).map_err(refuse)?;
    if !head::is_solvable(problem.objective.loss, problem.objective.lambda2) {
        return Ok(None);
    }
    let fit_options = FitOptions {
        gap: 1e-6,
        abs_gap: options.abs_gap,
        threads: options.threads,
        seed: options.training.seed,
        ..FitOptions::default()
    };
    let until = Until::new(monitor, budget.head(), true);
    let fit = match head::solve(&options.folder, &layers, problem, &fit_options, &until) {
        Ok(fit) => fit,
        Err(why) => {
            monitor.report(Event::Note(format!("the last layer was not solved: {why}")));
            return Ok(None);
        }
    };
    let before = evaluated(network, parameters, buffers, problem);
    let biases = problem.objective.intercept != Intercept::None;
    let better = layers.join(&fit.outcome.model, biases);
    if evaluated(network, &better, buffers, problem) < before {
        *parameters = better;
    }
    // The penalty of the layers before is no part of the head's objective.
    let front: f64 = layers.parameters.iter().map(|&t| f64::from(t) * f64::from(t)).sum();
    Ok(Some(Head { fit, before: before - 0.5 * problem.objective.lambda2 * front }))
}

impl DeepFit {
    /// Whether the run ended so.
    pub(super) fn ending_is(&self, ending: Ending) -> bool {
        self.ending == ending
    }

    /// Checks the certificate against the problem in memory: all steps but those that read the file again.
    pub fn proof(&self) -> Proof {
        check_deep_problem(&self.loaded.problem, &self.certificate())
    }

    /// The certificate of this fit.
    pub fn certificate(&self) -> DeepCertificate {
        let problem = &self.loaded.problem;
        DeepCertificate {
            claim: DeepClaim {
                version: CERTIFICATE_VERSION,
                kind: "deep".into(),
                source: self.loaded.source.clone(),
                recipe: self.loaded.recipe.clone(),
                problem_sha256: self.loaded.problem_sha256.clone(),
                architecture: self.architecture.clone(),
                lambda2: problem.objective.lambda2,
                rows: problem.data.rows(),
                columns: problem.data.columns(),
                outputs: problem.outputs(),
                total_weight: problem.data.total_weight,
                lower: self.lower,
                upper: self.upper,
                evaluation: self.evaluation,
                gap: self.gap,
                abs_gap: self.abs_gap,
                ending: self.ending,
            },
            parameters: self.parameters.clone(),
            buffers: self.buffers.clone(),
            witness: self.witness.clone(),
        }
    }
}

impl Trained for DeepFit {
    fn loaded(&self) -> &Loaded {
        &self.loaded
    }

    fn predictor(&self) -> Predictor {
        Predictor { model: self.head_model.clone(), features: Features::Layers(self.layers.clone()) }
    }

    fn certificate_bytes(&self) -> Result<Vec<u8>, CertificateError> {
        self.certificate().to_bytes()
    }

    fn bounds(&self) -> (f64, f64) {
        (self.upper, self.lower)
    }

    fn ending(&self) -> (Ending, &str) {
        (self.ending, &self.message)
    }

    fn command(&self) -> &'static str {
        if self.given.is_some() { "audit" } else { "fit" }
    }

    fn rung(&self) -> u8 {
        5
    }

    fn solver(&self) -> &'static str {
        "gradient-descent"
    }

    fn explored(&self) -> Vec<(&'static str, u64)> {
        vec![("steps", self.runs.iter().map(|run| run.steps).sum()), ("runs", self.runs.len() as u64)]
    }

    fn model_name(&self) -> String {
        "network of this architecture".into()
    }

    fn attachments(&self) -> Result<Vec<(String, Vec<u8>)>, CertificateError> {
        let head = self.head.iter().map(|head| {
            head.fit.certificate().to_bytes().map(|bytes| (format!("{HEAD}/certificate.safetensors"), bytes))
        });
        head.collect()
    }

    fn findings(&self) -> Option<Findings> {
        Some(Findings::of(self))
    }

    fn sharpen(&mut self) {}
}
