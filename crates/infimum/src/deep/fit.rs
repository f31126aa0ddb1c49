//! From a loaded problem and an architecture to a trained network, or from a network trained elsewhere, to everything that is found out about it.

use std::path::PathBuf;
use std::time::Duration;

use infimum_data::Loaded;
use infimum_deep::engine::Network;
use infimum_deep::training::{
    Device, Incumbent, Optimizer, Processor, Rows, Setup, Start, TrainingError, TrainingOptions, TrainingOutcome,
    train, train_again,
};
use infimum_problem::deep::Architecture;
use infimum_problem::{Ending, Event, Monitor, Problem, Stop};

use super::assess::{Assessment, Given, assess};
use super::budget::Budget;
use super::layers::Layers;
use super::outcome::DeepFit;
use crate::fit::Error;

/// Options of a fit of a deep network beyond the problem itself.
pub struct DeepOptions<'a> {
    /// The network.
    pub architecture: Architecture,
    /// How it is trained.
    pub training: TrainingOptions,
    /// Where it is trained.
    pub device: &'a dyn Device,
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
    /// The run's folder, for the features of [`infimum_check::BLOCKS`].
    pub folder: PathBuf,
}

/// Trains `options.architecture` on what is loaded. `save` writes a checkpoint.
pub fn fit_deep(
    loaded: Loaded,
    options: &DeepOptions,
    monitor: &dyn Monitor,
    save: &mut (dyn FnMut(&[u8]) -> Result<(), String> + Send),
) -> Result<DeepFit, Error> {
    let found = with_rows(&loaded, options, |setup, budget| {
        let options_of = setup.options;
        let reason = format!("{} parameters, on {}", setup.network.parameter_count(), place(setup));
        monitor.report(Event::Solver { name: options_of.optimizer.name(), reason });
        let checkpoint_every = (options.restarts <= 1).then_some(options.checkpoint_every);
        let setup = Setup { time: budget.training(), checkpoint_every, ..*setup };
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
        let Some(best) = runs.iter().min_by(best) else { return Err(refused("no run was asked for".into())) };
        let Incumbent { parameters, buffers, .. } = best.incumbent.clone();
        let ended = ended(&runs, options);
        assess(&setup, options, budget, Given { parameters, buffers, runs, ended }, monitor)
    })?;
    Ok(DeepFit { loaded, found, audited: false, gap: options.gap })
}

/// Everything that is found out about a network that was trained elsewhere; nothing is trained, but the last layer is solved, and kept where it is better.
pub fn audit(
    loaded: Loaded,
    options: &DeepOptions,
    parameters: Vec<f32>,
    buffers: Vec<f32>,
    monitor: &dyn Monitor,
) -> Result<DeepFit, Error> {
    let found = with_rows(&loaded, options, |setup, budget| {
        let network = setup.network;
        let expected = (network.parameter_count(), network.buffer_count());
        if (parameters.len(), buffers.len()) != expected {
            let got = (parameters.len(), buffers.len());
            return Err(refused(format!("the network has {expected:?} parameters and running values, got {got:?}")));
        }
        let reason = format!("nothing is trained, {} parameters", expected.0);
        monitor.report(Event::Solver { name: "audit", reason });
        let ended = (Ending::Stalled, "the network is judged as it stands; nothing was trained".into());
        assess(setup, options, budget, Given { parameters, buffers, runs: Vec::new(), ended }, monitor)
    })?;
    Ok(DeepFit { loaded, found, audited: true, gap: options.gap })
}

/// Where the setup is trained.
fn place(setup: &Setup) -> String {
    match setup.options.optimizer {
        Optimizer::Lbfgs => Processor.name(),
        _ => setup.device.name(),
    }
}

fn refused(message: String) -> Error {
    Error::Deep(TrainingError::Options(message))
}

/// Does `work` with as many threads as asked for, once it is known that data and network fit: nobody should learn after hours of training that they do not.
fn with_rows(
    loaded: &Loaded,
    options: &DeepOptions,
    work: impl FnOnce(&Setup, &Budget) -> Result<Assessment, Error> + Send,
) -> Result<Assessment, Error> {
    let budget = Budget::new(options.limit);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(options.threads).build();
    let pool = pool.map_err(|error| refused(format!("--threads {}: {error}", options.threads)))?;
    pool.install(|| {
        let (problem, architecture) = (&loaded.problem, &options.architecture);
        let network = compiled(problem, architecture)?;
        let rows = Rows::new(problem, architecture);
        rows.check(&network)
            .map_err(|why| refused(format!("{why} (an embedding reads the columns as they are: --scaling none)")))?;
        let training = &options.training;
        let setup = Setup {
            problem,
            rows: &rows,
            network: &network,
            options: training,
            device: options.device,
            time: None,
            checkpoint_every: None,
        };
        work(&setup, &budget)
    })
}

/// The network, if it is one for this problem with a last layer that can be solved given its features.
fn compiled(problem: &Problem, architecture: &Architecture) -> Result<Network, Error> {
    let network = Network::new(architecture).map_err(refused)?;
    let (needed, got) = ((problem.data.columns(), problem.outputs()), (network.inputs(), network.outputs()));
    if needed != got {
        return Err(refused(format!(
            "the data have {} columns and need {} outputs, the network reads {} numbers and has {} outputs",
            needed.0, needed.1, got.0, got.1
        )));
    }
    Layers::check(architecture).map_err(refused)?;
    Ok(network)
}

/// How the runs ended together.
fn ended(runs: &[TrainingOutcome], options: &DeepOptions) -> (Ending, String) {
    if runs.iter().all(|run| run.diverged) {
        let message = "the loss was not finite at any rate; scale the columns, or give a smaller --learning-rate";
        return (Ending::NumericalTrouble, message.into());
    }
    match (runs.iter().find_map(|run| run.stopped), options.training.epochs, options.limit) {
        (Some(Stop::Interrupted), _, _) => (Ending::Interrupted, String::new()),
        _ if runs.iter().all(|run| run.settled) => {
            (Ending::Stalled, "no step lowers the objective any more, to the limit of double precision".into())
        }
        (None, Some(epochs), limit) if limit.is_none() || runs.iter().any(|run| run.epochs >= epochs) => {
            (Ending::Stalled, format!("the budget of {epochs} epochs is spent"))
        }
        _ => (Ending::TimeLimit, String::new()),
    }
}
