//! A training run from its start, or from a checkpoint, to the end of its budget.
//!
//! Invariants: the incumbent is the network with the lowest objective of those that were evaluated over all rows; a checkpoint holds everything that decides the
//! rest of the run, so that with a budget of epochs a run that was killed and resumed ends with the same bits as one that was not (with a budget of time the
//! rates depend on the clock).

use std::time::{Duration, Instant};

use infimum_problem::deep::{Architecture, Layer};
use infimum_problem::{Event, Loss, Monitor, Problem, Stop};

use super::augment::Augmenter;
use super::batches::Batches;
use super::descent::Descent;
use super::device::{Arrays, Device, Task, Trouble};
use super::evaluate::{objective, squares};
use super::optimizer::Rule;
use super::options::{Optimizer, TrainingOptions};
use super::rows::Rows;
use super::state::{Incumbent, Mark, Numbers, State};
use super::{finder, lbfgs};
use crate::engine::{Network, Pass};
use crate::random::key;

/// Why a run cannot begin or go on.
#[derive(Debug, thiserror::Error)]
pub enum TrainingError {
    /// The options or the network do not go together.
    #[error("{0}")]
    Options(String),
    /// The checkpoint is not usable.
    #[error("{0}")]
    Checkpoint(String),
    /// The device does not work, or not any more.
    #[error("{0}; a run that has written a checkpoint goes on with --resume, on this device or another")]
    Device(Trouble),
}

impl From<Trouble> for TrainingError {
    fn from(trouble: Trouble) -> TrainingError {
        TrainingError::Device(trouble)
    }
}

/// What is trained, on what, how.
pub struct Setup<'a> {
    /// The problem; its rows are in memory.
    pub problem: &'a Problem,
    /// Its rows after scaling.
    pub rows: &'a Rows<'a>,
    /// The network.
    pub network: &'a Network,
    /// How.
    pub options: &'a TrainingOptions,
    /// Where; L-BFGS and evaluations over all rows are always the processor's.
    pub device: &'a dyn Device,
    /// Time for training; with [`TrainingOptions::epochs`] as well, whatever ends first.
    pub time: Option<Duration>,
    /// Time from checkpoint to checkpoint; `None` writes none.
    pub checkpoint_every: Option<Duration>,
}

/// Where a run begins.
pub enum Start<'a> {
    /// Random weights.
    Fresh,
    /// These parameters and buffers.
    From(&'a [f32], &'a [f32]),
    /// A checkpoint's bytes.
    Checkpoint(&'a [u8]),
}

/// What came of a run.
#[derive(Debug, Clone)]
pub struct TrainingOutcome {
    /// The best network that was evaluated.
    pub incumbent: Incumbent,
    /// Its record.
    pub marks: Vec<Mark>,
    /// Steps.
    pub steps: u64,
    /// Passes over the rows.
    pub epochs: f64,
    /// Seconds, those before a checkpoint included.
    pub seconds: f64,
    /// The rate at its largest, in the end.
    pub rate: f64,
    /// How often the run went back to an earlier state.
    pub rollbacks: u32,
    /// Why it stopped before its budget was spent.
    pub stopped: Option<Stop>,
    /// It could not be kept from diverging.
    pub diverged: bool,
    /// No step lowered the objective any more.
    pub settled: bool,
    /// What could not be written.
    pub unwritten: Option<String>,
}

/// Rollbacks after which a run is given up: with each a quarter of the rate, 1e9 comes down to 1e-9.
const MOST_ROLLBACKS: u32 = 30;
/// A loss so many times that of the first step has diverged.
const DIVERGED: f64 = 20.0;
/// Factor of the rate after a rollback.
const LOWER: f64 = 0.25;
/// Marks of the first epochs; there are fewer later (`descent.rs`).
const MARKS_OF_EPOCH: u64 = 16;
/// Time between rows of the log.
const ROW: Duration = Duration::from_secs(5);

/// Runs `setup`. `save` writes a checkpoint; its error is kept and the run goes on.
pub fn train(
    setup: &Setup,
    start: Start,
    monitor: &dyn Monitor,
    save: &mut dyn FnMut(&[u8]) -> Result<(), String>,
) -> Result<TrainingOutcome, TrainingError> {
    let refuse = |message: &str| Err(TrainingError::Options(message.into()));
    if setup.rows.is_empty() {
        return refuse("there are no rows");
    }
    if setup.options.epochs.is_none() && setup.time.is_none() {
        return refuse("training needs a budget: epochs or time");
    }
    let smooths = setup.options.label_smoothing > 0.0;
    if smooths && !matches!(setup.problem.objective.loss, Loss::Softmax | Loss::Logistic) {
        return refuse("label smoothing is for the losses softmax and logistic");
    }
    if setup.options.optimizer == Optimizer::Lbfgs {
        return lbfgs::run(setup, start, monitor, save);
    }
    Run::new(setup, start)?.finish(monitor, save)
}

/// The architecture has layers of which a step over some rows is not the step over all.
pub(super) fn has_random_layers(layers: &[Layer]) -> bool {
    layers.iter().any(|layer| match layer {
        Layer::BatchNormalization { .. } | Layer::Dropout { .. } => true,
        Layer::Residual { body, shortcut } => has_random_layers(body) || has_random_layers(shortcut),
        _ => false,
    })
}

struct Run<'a> {
    setup: &'a Setup<'a>,
    descent: Descent<'a>,
    incumbent: Option<Incumbent>,
    pass: Pass<f32>,
    began: Instant,
    /// Whether a rate is to be found first.
    finds: bool,
    /// Seconds before this process.
    before: f64,
    /// The step whose network was evaluated last.
    evaluated: Option<u64>,
    unwritten: Option<String>,
}

fn augmenter(architecture: &Architecture, options: &TrainingOptions) -> Result<Option<Augmenter>, TrainingError> {
    if !options.augmentation.is_some() {
        return Ok(None);
    }
    let &[height, width, channels] = architecture.input.as_slice() else {
        let got = &architecture.input;
        let message = format!("augmentation is for images: expected an input [height, width, channels], got {got:?}");
        return Err(TrainingError::Options(message));
    };
    let outside = (0..channels).map(|channel| architecture.scaling.apply(channel, 0.0)).collect();
    Ok(Some(Augmenter::new([height, width, channels], options.augmentation, outside)))
}

impl<'a> Run<'a> {
    fn new(setup: &'a Setup<'a>, start: Start) -> Result<Run<'a>, TrainingError> {
        let Setup { problem, rows, network, options, device, .. } = *setup;
        let augmenter = augmenter(network.architecture(), options)?;
        let batches = Batches::new(rows, options.seed, options.batch, augmenter);
        let l2 = problem.objective.lambda2 / problem.data.total_weight;
        let rate = options.rate.unwrap_or(options.optimizer.usual_rate());
        let fingerprint = fingerprint(setup);
        let rule = Rule::new(options, network.parameters(), l2);
        let fresh = |parameters: Vec<f32>, buffers: Vec<f32>| {
            let mut numbers = Numbers::new(options.clone(), fingerprint.clone(), rate);
            numbers.mark_every = (batches.steps_of_epoch() / MARKS_OF_EPOCH).max(1);
            numbers.next_evaluation = batches.steps_of_epoch();
            let average = if options.average.is_some() {
                [parameters.clone(), buffers.clone()]
            } else {
                [Vec::new(), Vec::new()]
            };
            let slots = rule.first_slots(&parameters);
            let arrays = Arrays { parameters, buffers, slots, average };
            State { numbers, arrays, doubles: Vec::new(), incumbent: None }
        };
        let (parameters, buffers) = network.initial::<f32>(key(&[options.seed]));
        let find = options.rate.is_none() && !matches!(start, Start::Checkpoint(_));
        let mut state = match start {
            Start::Fresh => fresh(parameters.clone(), buffers),
            Start::From(parameters, buffers) => fresh(parameters.to_vec(), buffers.to_vec()),
            Start::Checkpoint(bytes) => resumed(bytes, options, &fingerprint, [parameters.len(), buffers.len()])?,
        };
        let lengths = |slots: &[Vec<f32>]| slots.iter().map(Vec::len).collect::<Vec<usize>>();
        if lengths(&state.arrays.slots) != lengths(&rule.first_slots(&parameters)) {
            return Err(TrainingError::Checkpoint("the optimizer's arrays do not fit the network".into()));
        }
        let incumbent = state.incumbent.take();
        let before = state.numbers.elapsed;
        let task = Task { network, loss: problem.objective.loss, smoothing: options.label_smoothing, rule };
        let descent = Descent::new(batches, device.worker(&task)?, state, l2)?;
        let (pass, began) = (Pass::new(), Instant::now());
        Ok(Run { setup, descent, incumbent, pass, began, finds: find, before, evaluated: None, unwritten: None })
    }

    fn seconds(&self) -> f64 {
        self.before + self.began.elapsed().as_secs_f64()
    }

    /// Share of the budget that is spent.
    fn progress(&self) -> f64 {
        let numbers = &self.descent.numbers;
        let time = self.setup.time.map_or(0.0, |time| self.seconds() / time.as_secs_f64().max(1e-9));
        let epochs = self.setup.options.epochs.map_or(0.0, |epochs| {
            let steps = (epochs * self.descent.batches.steps_of_epoch() as f64).max(1.0);
            numbers.step as f64 / steps
        });
        time.max(epochs)
    }

    fn finish(
        mut self,
        monitor: &dyn Monitor,
        save: &mut dyn FnMut(&[u8]) -> Result<(), String>,
    ) -> Result<TrainingOutcome, TrainingError> {
        if self.finds {
            let usual = self.setup.options.optimizer.usual_rate();
            let rate = finder::find(&mut self.descent, usual, &|| monitor.stop().is_some())?;
            monitor.report(Event::Note(format!("rate {rate:.2e}, by a range test")));
        }
        let mut good = self.descent.state()?;
        let (mut saved, mut told) = (Instant::now(), Instant::now());
        let (mut stopped, mut diverged) = (None, false);
        loop {
            let progress = self.progress();
            if progress >= 1.0 {
                break;
            }
            stopped = monitor.stop();
            if stopped.is_some() {
                break;
            }
            let loss = self.descent.step(progress)?;
            if let Some(note) = self.descent.note.take() {
                monitor.report(Event::Note(note));
            }
            let first = *self.descent.numbers.first_loss.get_or_insert(loss);
            if !is_sane(loss, first) {
                if self.descent.numbers.rollbacks >= MOST_ROLLBACKS {
                    diverged = true;
                    self.descent.restore(&good, self.descent.numbers.rate)?;
                    break;
                }
                self.roll_back(&good, loss, monitor)?;
                continue;
            }
            if self.descent.numbers.step >= self.descent.numbers.next_evaluation {
                self.descent.numbers.next_evaluation = 2 * self.descent.numbers.step;
                let loss = self.evaluate(monitor)?;
                if is_sane(loss, first) {
                    good = self.descent.state()?;
                } else {
                    self.roll_back(&good, loss, monitor)?;
                }
            } else if self.descent.numbers.step.is_multiple_of(self.descent.batches.steps_of_epoch()) {
                good = self.descent.state()?;
            }
            if told.elapsed() >= ROW {
                told = Instant::now();
                self.tell(monitor, progress);
            }
            if self.setup.checkpoint_every.is_some_and(|every| saved.elapsed() >= every) {
                self.checkpoint(save)?;
                saved = Instant::now();
            }
        }
        if self.evaluated != Some(self.descent.numbers.step) {
            self.evaluate(monitor)?;
        }
        diverged |= self.incumbent.is_none();
        if self.setup.checkpoint_every.is_some() {
            self.checkpoint(save)?;
        }
        let seconds = self.seconds();
        let incumbent = match self.incumbent {
            Some(incumbent) => incumbent,
            None => {
                let Arrays { parameters, buffers, .. } = self.descent.arrays()?;
                Incumbent { parameters: vec![0.0; parameters.len()], buffers, value: f64::INFINITY }
            }
        };
        let numbers = self.descent.numbers;
        Ok(TrainingOutcome {
            incumbent,
            steps: numbers.step,
            epochs: numbers.step as f64 / self.descent.batches.steps_of_epoch() as f64,
            seconds,
            rate: numbers.rate,
            rollbacks: numbers.rollbacks,
            marks: numbers.marks,
            stopped,
            diverged,
            settled: false,
            unwritten: self.unwritten,
        })
    }

    fn roll_back(&mut self, good: &State, loss: f64, monitor: &dyn Monitor) -> Result<(), Trouble> {
        let (step, rate) = (self.descent.numbers.step, self.descent.numbers.rate * LOWER);
        let first_loss = self.descent.numbers.first_loss.filter(|first| first.is_finite());
        self.descent.restore(good, rate)?;
        self.evaluated = None;
        self.descent.numbers.first_loss = self.descent.numbers.first_loss.or(first_loss);
        let back = self.descent.numbers.step;
        monitor.report(Event::Note(format!(
            "step {step}: the loss is {loss:.3e}; back to step {back}, with rate {rate:.3e}"
        )));
        Ok(())
    }

    /// Evaluates the network over all rows; the incumbent is the better of it and the one before. Returns the mean loss.
    fn evaluate(&mut self, monitor: &dyn Monitor) -> Result<f64, Trouble> {
        let (parameters, buffers) = self.descent.model()?;
        let value = objective(self.setup, &mut self.pass, &parameters, &buffers);
        self.evaluated = Some(self.descent.numbers.step);
        if value.is_finite() && self.incumbent.as_ref().is_none_or(|incumbent| value < incumbent.value) {
            let incumbent = Incumbent { parameters: parameters.to_vec(), buffers: buffers.to_vec(), value };
            self.incumbent = Some(incumbent);
        }
        let objective = &self.setup.problem.objective;
        let loss = (value - 0.5 * objective.lambda2 * squares(&parameters)) / self.setup.rows.total_weight();
        self.report(monitor);
        Ok(loss)
    }

    fn report(&self, monitor: &dyn Monitor) {
        if let Some(incumbent) = &self.incumbent {
            let explored = self.descent.numbers.step;
            let source = self.setup.options.optimizer.name();
            monitor.report(Event::Progress { source, upper: incumbent.value, lower: 0.0, explored });
        }
    }

    fn tell(&self, monitor: &dyn Monitor, progress: f64) {
        let numbers = &self.descent.numbers;
        let Some(mark) = numbers.marks.last() else { return };
        let epoch = numbers.step as f64 / self.descent.batches.steps_of_epoch() as f64;
        monitor.report(Event::Note(format!(
            "epoch {epoch:.1}: {:.6} over its last rows (an estimate), rate {:.2e}, {:.0} % of the budget",
            mark.running,
            numbers.rate * numbers.options.schedule.factor(progress),
            100.0 * progress
        )));
    }

    fn checkpoint(&mut self, save: &mut dyn FnMut(&[u8]) -> Result<(), String>) -> Result<(), Trouble> {
        let mut state = self.descent.state()?;
        state.numbers.elapsed = self.seconds();
        state.incumbent.clone_from(&self.incumbent);
        let written = state.to_bytes().map_err(|error| error.to_string()).and_then(|bytes| save(&bytes));
        self.unwritten = written.err();
        Ok(())
    }
}

/// Whether a mean loss is one of a run that has not diverged; `first` is that of its first step.
fn is_sane(loss: f64, first: f64) -> bool {
    loss.is_finite() && loss <= DIVERGED * first.max(1e-3)
}

/// What must be the same for a checkpoint to fit: network and problem.
pub(super) fn fingerprint(setup: &Setup) -> String {
    let architecture = serde_json::to_string(setup.network.architecture()).unwrap_or_default();
    let objective = serde_json::to_string(&setup.problem.objective).unwrap_or_default();
    let data = &setup.problem.data;
    let size = format!("{} x {} rows, weight {}", data.rows(), data.columns(), data.total_weight);
    // Which output is which, where they could change places.
    let targets = data.target.several().map(|_| format!(", targets {:?}", data.target.names())).unwrap_or_default();
    format!("{architecture} {objective} {size}{targets}")
}

/// The state in a checkpoint, if it is one of a run with these options whose arrays are as long as parameters and buffers.
pub(super) fn resumed(
    bytes: &[u8],
    options: &TrainingOptions,
    fingerprint: &str,
    lengths: [usize; 2],
) -> Result<State, TrainingError> {
    let refuse = |message: &str| Err(TrainingError::Checkpoint(message.into()));
    let state = State::from_bytes(bytes).map_err(|error| TrainingError::Checkpoint(error.to_string()))?;
    let numbers = &state.numbers;
    if numbers.fingerprint != fingerprint {
        return refuse("it is of another network or problem");
    }
    // More or less of the budget may be asked for.
    let other = TrainingOptions { epochs: options.epochs, ..numbers.options.clone() };
    if other != *options {
        return refuse(
            "it was made with other options; give those that the run began with (only the budget may differ)",
        );
    }
    let arrays = &state.arrays;
    let fits = |pair: [&[f32]; 2]| pair[0].len() == lengths[0] && pair[1].len() == lengths[1];
    let average_fits = match options.average {
        Some(_) => fits([&arrays.average[0], &arrays.average[1]]),
        None => arrays.average.iter().all(Vec::is_empty),
    };
    let incumbent_fits = state.incumbent.as_ref().is_none_or(|one| fits([&one.parameters, &one.buffers]));
    if !(fits([&arrays.parameters, &arrays.buffers]) && average_fits && incumbent_fits && numbers.mark_every > 0) {
        return refuse("its arrays do not fit the network");
    }
    let mut state = state;
    state.numbers.options = options.clone();
    Ok(state)
}
