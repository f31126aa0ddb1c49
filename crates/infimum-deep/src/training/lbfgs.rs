//! Limited-memory BFGS over all rows at once, in double precision (Nocedal, Wright, *Numerical Optimization*, algorithm 7.4), with the bisection line search of
//! Lewis, Overton 2013 (*Nonsmooth optimization via quasi-Newton methods*, section 4), which needs no smoothness: kinks of ReLU are met all the time.
//!
//! Invariant: every step lowers the objective; the pairs kept have positive curvature.

use std::collections::VecDeque;
use std::time::Instant;

use infimum_problem::{Event, Monitor, Stop};

use super::evaluate::objective;
use super::mean::Mean;
use super::state::{Incumbent, Mark};
use super::train::{Setup, Start, TrainingError, TrainingOutcome, has_random_layers};
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

/// Runs L-BFGS until the budget is spent or no step lowers the objective any more.
pub(super) fn run(setup: &Setup, start: Start, monitor: &dyn Monitor) -> Result<TrainingOutcome, TrainingError> {
    let Setup { problem, rows, network, options, .. } = *setup;
    if has_random_layers(&network.architecture().layers) || options.augmentation.is_some() {
        let message = "--optimizer lbfgs goes over all rows at once: it needs a network without batch normalisation and dropout, and no augmentation";
        return Err(TrainingError::Options(message.into()));
    }
    let initial: Vec<f64> = match start {
        Start::Fresh => network.initial::<f64>(key(&[options.seed])).0,
        Start::From(parameters, _) => parameters.iter().map(|&t| f64::from(t)).collect(),
        Start::Checkpoint(_) => {
            return Err(TrainingError::Checkpoint("--optimizer lbfgs writes no checkpoints to go on from".into()));
        }
    };
    let n = initial.len();
    let every: Vec<u32> = (0..rows.len() as u32).collect();
    let buffers = vec![0.0; network.buffer_count()];
    let mut function = Mean::new(setup, &buffers, &every, options.label_smoothing);
    let began = Instant::now();
    let mut told = Instant::now();
    let (mut point, mut gradient) = (initial, vec![0.0; n]);
    let mut value = function.value_and_gradient(&point, &mut gradient);
    let mut pairs: VecDeque<(Vec<f64>, Vec<f64>, f64)> = VecDeque::new();
    let (mut marks, mut steps, mut evaluations, mut stopped) = (Vec::new(), 0u64, 1u64, None);
    let spent = |evaluations: u64| {
        let time = setup.time.map_or(0.0, |time| began.elapsed().as_secs_f64() / time.as_secs_f64().max(1e-9));
        time.max(options.epochs.map_or(0.0, |epochs| evaluations as f64 / epochs.max(1.0)))
    };
    let total = problem.data.total_weight;
    while value.is_finite() && spent(evaluations) < 1.0 {
        stopped = monitor.stop();
        if stopped.is_some() {
            break;
        }
        let mut direction = direction(&pairs, &gradient);
        let mut slope = dot(&direction, &gradient);
        if !(slope < 0.0) {
            pairs.clear();
            direction = gradient.iter().map(|g| -g).collect();
            slope = -dot(&gradient, &gradient);
        }
        if slope == 0.0 {
            break;
        }
        let first = if pairs.is_empty() { (1.0 / dot(&gradient, &gradient).sqrt()).min(1.0) } else { 1.0 };
        let (mut low, mut high, mut step) = (0.0f64, f64::INFINITY, first);
        let (mut next, mut next_gradient) = (vec![0.0; n], vec![0.0; n]);
        let mut found = None;
        for _ in 0..TRIALS {
            next.iter_mut().zip(&point).zip(&direction).for_each(|((next, t), d)| *next = t + step * d);
            let there = function.value_and_gradient(&next, &mut next_gradient);
            evaluations += 1;
            if !(there <= value + DECREASE * step * slope) {
                high = step;
            } else {
                found = Some(there);
                if dot(&next_gradient, &direction) >= CURVATURE * slope {
                    break;
                }
                low = step;
            }
            if spent(evaluations) >= 1.0 || matches!(monitor.stop(), Some(Stop::Interrupted | Stop::TimeLimit)) {
                break;
            }
            step = if high.is_finite() { 0.5 * (low + high) } else { 2.0 * low };
        }
        // The last trial may have failed where an earlier one was good enough.
        let Some(mut there) = found else {
            if pairs.is_empty() {
                break;
            }
            pairs.clear();
            continue;
        };
        if low > 0.0 && step != low && high <= step {
            next.iter_mut().zip(&point).zip(&direction).for_each(|((next, t), d)| *next = t + low * d);
            there = function.value_and_gradient(&next, &mut next_gradient);
            evaluations += 1;
        }
        let moved: Vec<f64> = next.iter().zip(&point).map(|(a, b)| a - b).collect();
        let changed: Vec<f64> = next_gradient.iter().zip(&gradient).map(|(a, b)| a - b).collect();
        let curvature = dot(&moved, &changed);
        if curvature > 1e-12 * dot(&changed, &changed).sqrt() * dot(&moved, &moved).sqrt() {
            if pairs.len() == MEMORY {
                pairs.pop_front();
            }
            pairs.push_back((moved, changed, 1.0 / curvature));
        }
        let decrease = value - there;
        (point, gradient, value) = (next, next_gradient, there);
        steps += 1;
        marks.push(Mark { step: steps, progress: spent(evaluations).min(1.0), running: value });
        if told.elapsed().as_secs_f64() >= 1.0 {
            told = Instant::now();
            monitor.report(Event::Progress { source: "lbfgs", upper: value * total, lower: 0.0, explored: steps });
        }
        if decrease <= NO_DECREASE * value.abs() {
            if pairs.len() <= 1 {
                break;
            }
            pairs.clear();
        }
    }
    let parameters: Vec<f32> = point.iter().map(|&t| t as f32).collect();
    let evaluated = objective(setup, &mut Pass::new(), &parameters, &buffers);
    monitor.report(Event::Progress { source: "lbfgs", upper: evaluated, lower: 0.0, explored: steps });
    Ok(TrainingOutcome {
        diverged: !evaluated.is_finite(),
        incumbent: Incumbent { parameters, buffers, value: evaluated },
        marks,
        steps,
        epochs: evaluations as f64,
        seconds: began.elapsed().as_secs_f64(),
        rate: 1.0,
        rollbacks: 0,
        stopped,
        unwritten: None,
    })
}

/// `−H g` by the two-loop recursion (Nocedal, Wright, algorithm 7.4); `pairs` hold s, y and 1/(s·y).
fn direction(pairs: &VecDeque<(Vec<f64>, Vec<f64>, f64)>, gradient: &[f64]) -> Vec<f64> {
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
