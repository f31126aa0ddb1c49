//! Limited-memory BFGS over all rows at once, in double precision (Nocedal, Wright, *Numerical Optimization*, algorithm 7.4), with the bisection line search of
//! Lewis, Overton 2013 (*Nonsmooth optimization via quasi-Newton methods*, section 4), which needs no smoothness: kinks of ReLU are met all the time.
//!
//! Invariant: every step lowers the objective; the pairs kept have positive curvature. Between two steps point, gradient and pairs decide the rest of the
//! run: they are what a checkpoint holds.

use std::collections::VecDeque;
use std::time::Instant;

use infimum_problem::{Event, Monitor, Stop};

use super::device::Arrays;
use super::evaluate::objective;
use super::mean::Mean;
use super::state::{Incumbent, Numbers, State};
use super::train::{Setup, Start, TrainingError, TrainingOutcome, fingerprint, has_random_layers, resumed};
use crate::engine::Pass;
use crate::random::key;

const MEMORY: usize = 20;
const DECREASE: f64 = 1e-4;
const CURVATURE: f64 = 0.9;
const TRIALS: usize = 40;
/// Relative decrease below which a step counts as none.
const NO_DECREASE: f64 = 1e-13;

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// A step, the change of the gradient along it, and 1 over their product.
type Pair = (Vec<f64>, Vec<f64>, f64);

/// A run between two steps.
struct Run<'a> {
    setup: &'a Setup<'a>,
    function: Mean<'a>,
    numbers: Numbers,
    point: Vec<f64>,
    gradient: Vec<f64>,
    value: f64,
    evaluations: u64,
    pairs: VecDeque<Pair>,
    /// Whether no step lowers the objective any more.
    settled: bool,
    began: Instant,
}

/// Runs L-BFGS until the budget is spent or no step lowers the objective any more. `save` writes a checkpoint; its error is kept and the run goes on.
pub(super) fn run(
    setup: &Setup,
    start: Start,
    monitor: &dyn Monitor,
    save: &mut dyn FnMut(&[u8]) -> Result<(), String>,
) -> Result<TrainingOutcome, TrainingError> {
    let Setup { problem, rows, network, options, .. } = *setup;
    if has_random_layers(&network.architecture().layers) || options.augmentation.is_some() {
        let message = "--optimizer lbfgs goes over all rows at once: it needs a network without batch normalisation and dropout, and no augmentation";
        return Err(TrainingError::Options(message.into()));
    }
    if options.average.is_some() || options.clip.is_some() {
        let message = "--optimizer lbfgs has a line search and no use for --average and --clip; leave them out";
        return Err(TrainingError::Options(message.into()));
    }
    let every: Vec<u32> = (0..rows.len() as u32).collect();
    let buffers = vec![0.0; network.buffer_count()];
    let function = Mean::new(setup, &buffers, &every, options.label_smoothing);
    let mut run = Run::new(setup, function, start)?;
    let total = problem.data.total_weight;
    let (mut stopped, mut unwritten) = (None, None);
    let (mut saved, mut told) = (Instant::now(), Instant::now());
    while run.value.is_finite() && run.spent() < 1.0 && !run.settled {
        stopped = monitor.stop();
        if stopped.is_some() {
            break;
        }
        run.step(monitor);
        if told.elapsed().as_secs_f64() >= 1.0 {
            told = Instant::now();
            let (upper, explored) = (run.value * total, run.numbers.step);
            monitor.report(Event::Progress { source: "lbfgs", upper, lower: 0.0, explored });
        }
        if setup.checkpoint_every.is_some_and(|every| saved.elapsed() >= every) {
            unwritten = run.checkpoint(save);
            saved = Instant::now();
        }
    }
    if setup.checkpoint_every.is_some() {
        unwritten = run.checkpoint(save);
    }
    let parameters: Vec<f32> = run.point.iter().map(|&t| t as f32).collect();
    let evaluated = objective(setup, &mut Pass::new(), &parameters, &buffers);
    let steps = run.numbers.step;
    monitor.report(Event::Progress { source: "lbfgs", upper: evaluated, lower: 0.0, explored: steps });
    Ok(TrainingOutcome {
        diverged: !evaluated.is_finite(),
        incumbent: Incumbent { parameters, buffers, value: evaluated },
        steps,
        epochs: run.evaluations as f64,
        seconds: run.seconds(),
        rate: 1.0,
        rollbacks: 0,
        stopped,
        settled: run.settled,
        unwritten,
        marks: run.numbers.marks,
    })
}

impl<'a> Run<'a> {
    fn new(setup: &'a Setup<'a>, mut function: Mean<'a>, start: Start) -> Result<Run<'a>, TrainingError> {
        let Setup { network, options, .. } = *setup;
        let began = Instant::now();
        let n = network.parameter_count();
        let point: Vec<f64> = match start {
            Start::Fresh => network.initial::<f64>(key(&[options.seed])).0,
            Start::From(parameters, _) => parameters.iter().map(|&t| f64::from(t)).collect(),
            Start::Checkpoint(bytes) => {
                let state = resumed(bytes, options, &fingerprint(setup), [n, network.buffer_count()])?;
                return Run::resume(setup, function, state);
            }
        };
        let mut gradient = vec![0.0; n];
        let value = function.value_and_gradient(&point, &mut gradient);
        let mut numbers = Numbers::new(options.clone(), fingerprint(setup), 1.0);
        numbers.mark_every = 1;
        let pairs = VecDeque::new();
        Ok(Run { setup, function, numbers, point, gradient, value, evaluations: 1, pairs, settled: false, began })
    }

    fn resume(setup: &'a Setup<'a>, function: Mean<'a>, state: State) -> Result<Run<'a>, TrainingError> {
        let refuse = || TrainingError::Checkpoint("its arrays are not those of lbfgs".into());
        let n = setup.network.parameter_count();
        let (value, evaluations) = state.numbers.evaluated.ok_or_else(refuse)?;
        let mut arrays = state.doubles.into_iter();
        let (point, gradient) = arrays.next().zip(arrays.next()).ok_or_else(refuse)?;
        let mut pairs = VecDeque::new();
        while let Some((moved, changed)) = arrays.next().zip(arrays.next()) {
            let inverse = 1.0 / dot(&moved, &changed);
            pairs.push_back((moved, changed, inverse));
        }
        let fits = |values: &Vec<f64>| values.len() == n && values.iter().all(|value| value.is_finite());
        let pairs_fit =
            pairs.len() <= MEMORY && pairs.iter().all(|(s, y, inverse)| fits(s) && fits(y) && *inverse > 0.0);
        if !(fits(&point) && fits(&gradient) && pairs_fit) {
            return Err(refuse());
        }
        let began = Instant::now();
        Ok(Run {
            setup,
            function,
            numbers: state.numbers,
            point,
            gradient,
            value,
            evaluations,
            pairs,
            settled: false,
            began,
        })
    }

    /// Seconds, those before a checkpoint included.
    fn seconds(&self) -> f64 {
        self.numbers.elapsed + self.began.elapsed().as_secs_f64()
    }

    /// Share of the budget that is spent; an evaluation over all rows is an epoch.
    fn spent(&self) -> f64 {
        let time = self.setup.time.map_or(0.0, |time| self.seconds() / time.as_secs_f64().max(1e-9));
        let epochs = self.setup.options.epochs;
        time.max(epochs.map_or(0.0, |epochs| self.evaluations as f64 / epochs.max(1.0)))
    }

    /// The objective and its gradient at `point + step·direction`.
    fn at(&mut self, step: f64, direction: &[f64], next: &mut [f64], gradient: &mut [f64]) -> f64 {
        next.iter_mut().zip(&self.point).zip(direction).for_each(|((next, t), d)| *next = t + step * d);
        self.evaluations += 1;
        self.function.value_and_gradient(next, gradient)
    }

    /// One step, or what is left to try where none is found: the pairs are forgotten, and without them the run is settled.
    fn step(&mut self, monitor: &dyn Monitor) {
        let n = self.point.len();
        let mut direction = direction(&self.pairs, &self.gradient);
        let mut slope = dot(&direction, &self.gradient);
        if !(slope < 0.0) {
            self.pairs.clear();
            direction = self.gradient.iter().map(|g| -g).collect();
            slope = -dot(&self.gradient, &self.gradient);
        }
        if slope == 0.0 {
            self.settled = true;
            return;
        }
        let steepest = (1.0 / dot(&self.gradient, &self.gradient).sqrt()).min(1.0);
        let mut step = if self.pairs.is_empty() { steepest } else { 1.0 };
        let (mut low, mut high) = (0.0f64, f64::INFINITY);
        let (mut next, mut next_gradient) = (vec![0.0; n], vec![0.0; n]);
        let mut found = None;
        for _ in 0..TRIALS {
            let there = self.at(step, &direction, &mut next, &mut next_gradient);
            if !(there <= self.value + DECREASE * step * slope) {
                high = step;
            } else {
                found = Some(there);
                if dot(&next_gradient, &direction) >= CURVATURE * slope {
                    break;
                }
                low = step;
            }
            if self.spent() >= 1.0 || matches!(monitor.stop(), Some(Stop::Interrupted | Stop::TimeLimit)) {
                break;
            }
            step = if high.is_finite() { 0.5 * (low + high) } else { 2.0 * low };
        }
        let Some(mut there) = found else {
            self.settled = self.pairs.is_empty();
            self.pairs.clear();
            return;
        };
        // The last trial may have failed where an earlier one was good enough.
        if low > 0.0 && step != low && high <= step {
            there = self.at(low, &direction, &mut next, &mut next_gradient);
        }
        let moved: Vec<f64> = next.iter().zip(&self.point).map(|(a, b)| a - b).collect();
        let changed: Vec<f64> = next_gradient.iter().zip(&self.gradient).map(|(a, b)| a - b).collect();
        let curvature = dot(&moved, &changed);
        if curvature > 1e-12 * dot(&changed, &changed).sqrt() * dot(&moved, &moved).sqrt() {
            if self.pairs.len() == MEMORY {
                self.pairs.pop_front();
            }
            self.pairs.push_back((moved, changed, 1.0 / curvature));
        }
        let decrease = self.value - there;
        (self.point, self.gradient, self.value) = (next, next_gradient, there);
        self.numbers.step += 1;
        if self.numbers.is_marked() {
            let progress = self.spent().min(1.0);
            self.numbers.mark(progress, self.value);
        }
        if decrease <= NO_DECREASE * self.value.abs() {
            self.settled = self.pairs.len() <= 1;
            self.pairs.clear();
        }
    }

    /// Writes where the run stands; what went wrong.
    fn checkpoint(&self, save: &mut dyn FnMut(&[u8]) -> Result<(), String>) -> Option<String> {
        let mut numbers = self.numbers.clone();
        (numbers.elapsed, numbers.evaluated) = (self.seconds(), Some((self.value, self.evaluations)));
        let mut doubles = vec![self.point.clone(), self.gradient.clone()];
        doubles.extend(self.pairs.iter().flat_map(|(moved, changed, _)| [moved.clone(), changed.clone()]));
        let state = State {
            numbers,
            arrays: Arrays {
                parameters: self.point.iter().map(|&t| t as f32).collect(),
                buffers: vec![0.0; self.setup.network.buffer_count()],
                ..Arrays::default()
            },
            doubles,
            incumbent: None,
        };
        let written = state.to_bytes().map_err(|error| error.to_string()).and_then(|bytes| save(&bytes));
        written.err()
    }
}

/// `−H g` by the two-loop recursion (Nocedal, Wright, algorithm 7.4).
fn direction(pairs: &VecDeque<Pair>, gradient: &[f64]) -> Vec<f64> {
    let mut q: Vec<f64> = gradient.iter().map(|g| -g).collect();
    let mut factors = Vec::with_capacity(pairs.len());
    for (s, y, inverse) in pairs.iter().rev() {
        let a = inverse * dot(s, &q);
        q.iter_mut().zip(y).for_each(|(q, y)| *q -= a * y);
        factors.push(a);
    }
    if let Some((s, y, _)) = pairs.back() {
        let scale = dot(s, y) / dot(y, y);
        q.iter_mut().for_each(|q| *q *= scale);
    }
    for ((s, y, inverse), a) in pairs.iter().zip(factors.iter().rev()) {
        let b = inverse * dot(y, &q);
        q.iter_mut().zip(s).for_each(|(q, s)| *q += (a - b) * s);
    }
    q
}
