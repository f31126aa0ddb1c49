//! What is found out about a network once it is trained: the last layer, the objective, the bound, the estimates.

use std::time::Duration;

use infimum_check::{BLOCKS, HEAD, LAST_TWO, deep_evaluation, deep_lower, deep_upper};
use infimum_deep::bounds;
use infimum_deep::estimates::{self, Estimates};
use infimum_deep::training::{Rows, Setup, TrainingError, TrainingOutcome, objective_in_doubles};
use infimum_problem::deep::{Architecture, DeepWitness, Evaluation};
use infimum_problem::{Ending, Event, Intercept, Monitor, Problem, Stop, gap_reached};

use super::budget::{Budget, Until};
use super::features;
use super::fit::DeepOptions;
use super::head::{self, Head};
use super::last_two::{Divided, LastTwo};
use super::layers::{Layers, operations};
use crate::fit::{Error, FitOptions, ROOM};
use crate::predictor::{Features, Predictor};

/// A network as training or a file gave it, and how that ended.
pub(super) struct Given {
    pub(super) parameters: Vec<f32>,
    pub(super) buffers: Vec<f32>,
    pub(super) runs: Vec<TrainingOutcome>,
    pub(super) ended: (Ending, String),
}

/// A network and everything that is known about it.
#[derive(Debug, Clone)]
pub struct Assessment {
    /// The network.
    pub architecture: Architecture,
    /// Its parameters.
    pub parameters: Vec<f32>,
    /// Its running values.
    pub buffers: Vec<f32>,
    /// The objective of the network as it was given, unnormalised, evaluated in doubles.
    pub given: f64,
    /// What is known about the objective of the network as it is.
    pub evaluation: Evaluation,
    /// That objective, unnormalised; at least that if `evaluation` is proven.
    pub upper: f64,
    /// Lower bound.
    pub lower: f64,
    /// Why it holds.
    pub witness: DeepWitness,
    /// Every run.
    pub runs: Vec<TrainingOutcome>,
    /// The two last layers given what they read, where they were bounded.
    pub last_two: Option<LastTwo>,
    /// The head given the features, where it was solved.
    pub head: Option<Head>,
    /// What is estimated.
    pub estimates: Estimates,
    /// How it ended, and a sentence about it.
    pub ended: (Ending, String),
    /// What it predicts with.
    pub(super) predictor: Predictor,
    /// Absolute gap of the unnormalised sum that counts as optimal.
    pub(super) abs_gap: f64,
}

/// Multiplications up to which the claim is what the checker's arithmetic proves: a second or two.
const EXACT: f64 = 5e9;
/// Beyond, rows by which the width of its enclosure is judged, and how many times as much room the claim has: the checker finds the enclosure itself, and
/// states it in the verdict. (Over 60,000 images the enclosure of a convolution is 3e-7 wide.)
const JUDGED: usize = 512;
const ROOM_FOR_ENCLOSURE: f64 = 4.0;

/// Relative gaps at which the solvers of the blocks stop.
const HEAD_GAP: f64 = 1e-6;
const LAST_TWO_GAP: f64 = 1e-4;

/// Finds out what can be found out within the budget.
pub(super) fn assess(
    setup: &Setup,
    options: &DeepOptions,
    budget: &Budget,
    network: Given,
    monitor: &dyn Monitor,
) -> Result<Assessment, Error> {
    let (problem, architecture) = (setup.problem, &options.architecture);
    let Given { mut parameters, buffers, runs, ended: (mut ending, mut message) } = network;
    let steps = runs.iter().map(|run| run.steps).sum();
    let interrupted = || monitor.stop() == Some(Stop::Interrupted);
    let given = objective_in_doubles(setup, &parameters, &buffers);
    let (mut value, mut last_two, mut head) = (given, None, None);
    BLOCKS.iter().for_each(|block| features::clear(&options.folder.join(block)));
    if !given.is_finite() {
        (ending, message) = (Ending::NumericalTrouble, "the network's objective on these rows is not finite".into());
    }
    if given.is_finite()
        && !interrupted()
        && let Some((mut solved, better)) =
            solve_last_two(setup, options, budget, (&parameters, &buffers), value, monitor)
    {
        let with_it = objective_in_doubles(setup, &better, &buffers);
        // How far a search gets depends on the clock; without a limit of time a run is to give the same bits again.
        if options.limit.is_some() && with_it < value {
            (parameters, value, solved.put_back) = (better, with_it, true);
        }
        last_two = Some(solved);
    }
    if given.is_finite()
        && !interrupted()
        && let Some((mut solved, better)) = solve_head(setup, options, budget, (&parameters, &buffers), value, monitor)?
    {
        let with_it = objective_in_doubles(setup, &better, &buffers);
        if with_it < value {
            (parameters, value, solved.put_back) = (better, with_it, true);
        }
        head = Some(solved);
    }
    let evaluation = deep_evaluation(architecture);
    let upper = claimed(setup, &parameters, &buffers, value, evaluation);
    monitor.report(Event::Progress { source: "evaluation", upper, lower: 0.0, explored: steps });
    let time = if interrupted() { Duration::ZERO } else { budget.bound() };
    let (witness, lower) = bounded(setup, architecture, &Until::new(monitor, time, true), monitor);
    let lower = (lower * (1.0 - ROOM)).min(upper);
    monitor.report(Event::Progress { source: "bound", upper, lower, explored: steps });
    let abs_gap = options.abs_gap * problem.data.total_weight;
    if evaluation == Evaluation::Proven && gap_reached(upper, lower, options.gap, abs_gap) {
        (ending, message) = (Ending::Optimal, String::new());
    }
    let until = Until::new(monitor, budget.head(), true);
    let estimates = estimates::estimate(&runs, setup, &parameters, &buffers, &until);
    let (layers, model) = Layers::split(architecture, &parameters, &buffers).map_err(refused)?;
    Ok(Assessment {
        architecture: architecture.clone(),
        parameters,
        buffers,
        given,
        evaluation,
        upper,
        lower,
        witness,
        runs,
        last_two,
        head,
        estimates,
        ended: (ending, message),
        predictor: Predictor { model, features: Features::Layers(layers) },
        abs_gap,
    })
}

fn refused(message: String) -> Error {
    Error::Deep(TrainingError::Options(message))
}

/// The objective that the certificate claims. `value` is what plain doubles give.
fn claimed(setup: &Setup, parameters: &[f32], buffers: &[f32], value: f64, evaluation: Evaluation) -> f64 {
    let architecture = setup.network.architecture();
    if !value.is_finite() {
        return f64::MAX;
    }
    if evaluation == Evaluation::Evaluated {
        return value;
    }
    let is_large = setup.rows.len() as f64 * operations(architecture) > EXACT;
    let judged = if is_large { judged(setup, parameters, buffers, value) } else { None };
    judged.unwrap_or_else(|| {
        let enclosed = deep_upper(setup.problem, architecture, parameters, buffers);
        enclosed.map_or(value, |(upper, _)| upper)
    })
}

/// A claim with room for the checker's enclosure, whose width is judged by that over some of the rows: widths of rows add up. `None` if there are too few rows.
fn judged(setup: &Setup, parameters: &[f32], buffers: &[f32], value: f64) -> Option<f64> {
    let (problem, rows, architecture) = (setup.problem, setup.rows.len(), setup.network.architecture());
    if rows <= JUDGED {
        return None;
    }
    let which: Vec<usize> = (0..JUDGED).map(|k| k * rows / JUDGED).collect();
    let some = Problem { data: problem.data.take(&which), objective: problem.objective.clone() };
    let near = Setup { problem: &some, rows: &Rows::new(&some, architecture), ..*setup };
    let near = objective_in_doubles(&near, parameters, buffers);
    let (upper, _) = deep_upper(&some, architecture, parameters, buffers).ok()?;
    let width = (upper - near).max(0.0) * (problem.data.total_weight / some.data.total_weight);
    Some(value + ROOM_FOR_ENCLOSURE * width + 1e-12 * value)
}

/// The best witness that is found in time, and what the checker's theorems prove with it. A witness that the checker refuses is no witness: it is left out, and that is said.
fn bounded(
    setup: &Setup,
    architecture: &Architecture,
    until: &dyn Monitor,
    monitor: &dyn Monitor,
) -> (DeepWitness, f64) {
    let problem = setup.problem;
    let found = bounds::bound(problem, architecture, until).and_then(|bound| {
        let lower = deep_lower(problem, architecture, &bound.witness);
        lower.map(|lower| (bound.witness, lower)).map_err(|refusal| refusal.to_string())
    });
    found.unwrap_or_else(|why| {
        monitor.report(Event::Note(format!("the bound is without planes: {why}")));
        let nothing = DeepWitness::default();
        let lower = deep_lower(problem, architecture, &nothing).unwrap_or(0.0);
        (nothing, lower)
    })
}

/// `(λ2/2)‖θ‖²` of some layers.
fn penalty(problem: &Problem, parameters: &[f32]) -> f64 {
    0.5 * problem.objective.lambda2 * parameters.iter().map(|&t| f64::from(t) * f64::from(t)).sum::<f64>()
}

/// What is asked of the solver of a block.
fn block_options(options: &DeepOptions, gap: f64) -> FitOptions {
    FitOptions {
        gap,
        abs_gap: options.abs_gap,
        threads: options.threads,
        seed: options.training.seed,
        ..FitOptions::default()
    }
}

/// Searches and bounds the two last layers given what they read, where rung 4 can; gives the parameters with those of rung 4. `given` is the objective without.
fn solve_last_two(
    setup: &Setup,
    options: &DeepOptions,
    budget: &Budget,
    (parameters, buffers): (&[f32], &[f32]),
    given: f64,
    monitor: &dyn Monitor,
) -> Option<(LastTwo, Vec<f32>)> {
    let problem = setup.problem;
    let divided =
        Divided::new(&options.architecture, parameters, buffers).filter(|_| problem.objective.lambda2 > 0.0)?;
    let until = Until::new(monitor, budget.last_two(), true);
    let folder = options.folder.join(LAST_TWO);
    match divided.solve(&folder, problem, &block_options(options, LAST_TWO_GAP), &until) {
        Ok(solved) => solved.map(|fit| {
            let front = penalty(problem, &divided.front.parameters);
            let better = divided.join(&fit.outcome.net);
            (LastTwo { fit, before: given - front, front, put_back: false }, better)
        }),
        Err(why) => {
            monitor.report(Event::Note(format!("the two last layers were not bounded: {why}")));
            None
        }
    }
}

/// Solves the last layer given the features of the others, where rung 1 can; gives the parameters with it. `given` is the objective without.
fn solve_head(
    setup: &Setup,
    options: &DeepOptions,
    budget: &Budget,
    (parameters, buffers): (&[f32], &[f32]),
    given: f64,
    monitor: &dyn Monitor,
) -> Result<Option<(Head, Vec<f32>)>, Error> {
    let problem = setup.problem;
    if !head::is_solvable(problem.objective.loss, problem.objective.lambda2) {
        return Ok(None);
    }
    let (layers, _) = Layers::split(&options.architecture, parameters, buffers).map_err(refused)?;
    let until = Until::new(monitor, budget.head(), true);
    match head::solve(&options.folder.join(HEAD), &layers, problem, &block_options(options, HEAD_GAP), &until) {
        Ok(fit) => {
            let better = layers.join(&fit.outcome.model, problem.objective.intercept != Intercept::None);
            // The penalty of the layers before is no part of the head's objective.
            let before = given - penalty(problem, &layers.parameters);
            Ok(Some((Head { fit, before, put_back: false }, better)))
        }
        Err(why) => {
            monitor.report(Event::Note(format!("the last layer was not solved: {why}")));
            Ok(None)
        }
    }
}

#[cfg(test)]
mod tests {
    use infimum_data::{Request, load};
    use infimum_deep::engine::Network;
    use infimum_deep::training::{Processor, TrainingOptions};
    use infimum_problem::deep::{Activation, Layer, Scaling};

    use super::*;

    /// What is claimed of many rows is not less than what the checker proves, and hardly more.
    #[test]
    fn a_judged_claim_has_room_for_the_enclosure() {
        let loaded = load("builtin:digits", &Request { intercept: Some(Intercept::Penalized), ..Request::default() })
            .expect("digits");
        let problem = &loaded.problem;
        let dense = Architecture::dense(64, &[48, 32], 10, Activation::Relu, true, true);
        let images = Architecture {
            input: vec![8, 8, 1],
            layers: vec![
                convolution(),
                Layer::Activation { function: Activation::Relu },
                Layer::Flatten,
                Layer::Dense { units: 10, bias: true },
            ],
            scaling: Scaling { shift: vec![4.9], scale: vec![0.16] },
        };
        for architecture in [dense, images] {
            let network = Network::new(&architecture).expect("a network");
            let (parameters, buffers) = network.initial::<f32>(5);
            let (rows, options) = (Rows::new(problem, &architecture), TrainingOptions::default());
            let setup = Setup {
                problem,
                rows: &rows,
                network: &network,
                options: &options,
                device: &Processor,
                time: None,
                checkpoint_every: None,
            };
            let value = objective_in_doubles(&setup, &parameters, &buffers);
            let claim = judged(&setup, &parameters, &buffers, value).expect("enough rows");
            let (upper, _) = deep_upper(problem, &architecture, &parameters, &buffers).expect("enclosed");
            assert!(upper <= claim && claim <= value * (1.0 + 1e-4), "{value} {upper} {claim}");
        }
    }

    fn convolution() -> Layer {
        let text = r#"{ "kind": "convolution", "channels": 6, "kernel": [3, 3] }"#;
        serde_json::from_str(text).expect("a layer")
    }
}
