//! Rung 4 from a problem to an outcome: networks by column generation, then the bound by whatever is exact or best in this dimension.
//!
//! The state holds the best network and the best claim ever made; neither gets worse. Column generation ends when the ascent finds no
//! hidden unit that would lower the objective; then, with one output and points of low rank, the cones either prove that there is none
//! (the network is optimal over every width) or name one, which is added. Where the cones cannot be exhausted, the moment bound chooses
//! another α and the cones sharpen its bound.

use infimum_problem::{Ending, Event, HiddenBias, Matrix, Monitor, Problem, Stop, Witness, gap_reached};

use crate::claim::{Claim, claim, nothing};
use crate::cones::{self, Ended};
use crate::incumbent::{Round, Search};
use crate::moments;
use crate::promise::{EXACT_RANK, rank};
use crate::{Error, Instance, Options, Outcome};

/// Name of the solver in logs.
pub const SOLVER: &str = "column-generation";

/// Share of the gap that the cones may leave of the bound on hidden units.
const CONE_SHARE: f64 = 0.25;
/// Smallest relative excess over β that the cones are asked to exclude.
const LEAST_EXCESS: f64 = 1e-9;
/// Nodes of the first attempt of the cones; each later one has four times as many.
const FIRST_NODES: u64 = 20_000;
/// Nodes beyond which a tree is not kept.
const MOST_NODES: u64 = 20_000_000;

struct Run<'a> {
    instance: &'a Instance<'a>,
    options: &'a Options,
    monitor: &'a dyn Monitor,
    rank: usize,
    upper: f64,
    best: Claim,
    bound: &'static str,
    rounds: u64,
    nodes: u64,
}

/// Trains a two-layer network until the gap asked for is reached, or the monitor says stop, or nothing can be improved.
pub fn solve(
    problem: &Problem,
    hidden_bias: HiddenBias,
    options: &Options,
    monitor: &dyn Monitor,
) -> Result<Outcome, Error> {
    if let Some(why) = objection(problem, options) {
        return Err(Error::Unsupported(why));
    }
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(options.threads.max(1))
        .build()
        .map_err(|error| Error::Unsupported(format!("{} threads cannot be started: {error}", options.threads)))?;
    let reason = format!("hidden units one after the other, at most {}", options.width.map_or("any number".into(), |k| k.to_string()));
    monitor.report(Event::Solver { name: SOLVER, reason });
    Ok(pool.install(|| {
        let instance = Instance::new(problem, hidden_bias);
        let run = Run {
            rank: rank(&instance.points),
            upper: f64::INFINITY,
            best: nothing(&instance),
            bound: "norms",
            rounds: 0,
            nodes: 0,
            instance: &instance,
            options,
            monitor,
        };
        run.run()
    }))
}

/// What the theorems do not cover.
fn objection(problem: &Problem, options: &Options) -> Option<String> {
    let objective = &problem.objective;
    if objective.lambda1 > 0.0 || objective.scales.is_some() || objective.kernel.is_some() {
        return Some("networks are trained with l2 alone, without scales of the columns and without a kernel".into());
    }
    if matches!(problem.data.matrix, Matrix::Spilled(_)) {
        return Some("networks are trained on rows in memory; leave the limit on memory out".into());
    }
    let start = options.start.as_ref()?;
    let expected = (problem.outputs(), problem.data.columns());
    ((start.outputs, start.columns) != expected).then(|| {
        format!(
            "the network to start from has {} outputs and {} columns; expected {} and {}",
            start.outputs, start.columns, expected.0, expected.1
        )
    })
}

impl Run<'_> {
    fn stopped(&self) -> bool {
        self.monitor.stop().is_some()
    }

    fn report(&self, source: &'static str) {
        let (upper, lower, explored) = (self.upper, self.best.lower, self.nodes);
        self.monitor.report(Event::Progress { source, upper, lower, explored });
    }

    fn done(&self) -> bool {
        gap_reached(self.upper, self.best.lower, self.options.gap, self.options.abs_gap)
    }

    /// Keeps a claim that is better than the best.
    fn offer(&mut self, alpha: &[f64], witnesses: &[Witness], source: &'static str) -> bool {
        match claim(self.instance, alpha, witnesses) {
            Some(claim) if claim.lower > self.best.lower => {
                self.best = claim;
                self.bound = source;
                self.report(source);
                true
            }
            _ => false,
        }
    }

    fn run(mut self) -> Outcome {
        let _ = (Stop::TimeLimit, EXACT_RANK, FIRST_NODES, MOST_NODES, CONE_SHARE, LEAST_EXCESS);
        todo!()
    }
}
