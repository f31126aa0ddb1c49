//! Rungs 2 and 3: networks of threshold units.
//!
//! In: m points with integer coordinates, wanted outputs, and a feed-forward network ([`LoadingProblem`]). Out: integer weights with which the network is wrong on
//! `upper` rows, and a `lower` number of rows that it is wrong on with *any* weights, with a refutation of less that `infimum-check` verifies
//! (`docs/loading.md`). The question "at most E rows wrong?" is the loading problem (Judd 1988): NP-complete from two layers on.
//!
//! The search is satisfiability modulo linear separability: CaDiCaL assigns the values of the units on the rows, and a theory beside it answers with *circuits*: points
//! of which no hyperplane has one side 1 and the other 0.
#![forbid(unsafe_code)]

mod cubes;
mod exact_simplex;
mod flat;
mod formula;
mod hitting;
mod maps;
mod margin;
mod mixed;
mod parallel;
mod points;
mod propagator;
mod random;
mod refute;
#[cfg(test)]
#[path = "../tests/certified/rows.rs"]
mod rows;
mod search;
mod separation;
mod told;
mod training;
mod trainings;
mod weights;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use dashu_int::IBig;
use infimum_problem::{Circuit, Ending, Event, LoadingProblem, Monitor, Neuron, PointMap, ProofStep, Stop};

pub use crate::margin::Margin;

use crate::flat::Flat;
use crate::refute::{Refutation, refute};
use crate::search::{Answer, Search};
use crate::training::Training;

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Options {
    /// Errors allowed, for a question of yes or no; `None` seeks the fewest.
    pub allowed: Option<u64>,
    /// Threads, ≥ 1.
    pub threads: usize,
    /// How long a search is left to one thread before the others join in: what is done by then they would not speed up.
    pub patience: Duration,
    /// Seed of the search.
    pub seed: u64,
    /// Whether symmetries are broken where theorems 3 and 4 allow it.
    pub symmetry: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options { allowed: Some(0), threads: 1, patience: Duration::from_millis(20), seed: 0, symmetry: true }
    }
}

/// Bounds on the number of wrong rows, with what shows them.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// No weights are wrong on fewer rows.
    pub lower: u64,
    /// The weights found are wrong on so many.
    pub upper: Option<u64>,
    /// Weights of the free units in order, if `upper` is known.
    pub neurons: Option<Vec<Neuron>>,
    /// Lemmas of the refutation of "at most lower − 1".
    pub circuits: Vec<Circuit>,
    /// Its steps; empty if `lower` is 0.
    pub proof: Vec<ProofStep>,
    /// Margins of the weights, if no unit reads another and all rows are right; of units whose rows do not all want the same.
    pub margins: Vec<Margin>,
    /// The step in which the refutation counts errors; 1 if it has none to count.
    pub stride: u64,
    /// The maps of the points that it may use.
    pub maps: Vec<PointMap>,
    /// How it ended.
    pub ending: Ending,
    /// Conflicts of the search with the points.
    pub conflicts: u64,
    /// One sentence where the ending needs one.
    pub message: String,
}

/// Decides the question, or seeks the fewest wrong rows. The network must be well formed ([`infimum_problem::Network::fault`]).
pub fn solve(problem: &LoadingProblem, options: &Options, monitor: &dyn Monitor) -> Outcome {
    let mut outcome = Outcome {
        lower: 0,
        upper: None,
        neurons: None,
        circuits: Vec::new(),
        proof: Vec::new(),
        margins: Vec::new(),
        stride: 1,
        maps: Vec::new(),
        ending: Ending::Stalled,
        conflicts: 0,
        message: String::new(),
    };
    let units = problem.network.units.len();
    if problem.network.is_flat() {
        monitor.report(Event::Solver {
            name: "separation",
            reason: format!("{units} unit{} reading columns alone", if units == 1 { "" } else { "s" }),
        });
        if separate_all(problem, options, monitor, &mut outcome) {
            return outcome;
        }
    }
    let search = Search::new(problem.clone(), options);
    let mut reason = format!("{units} threshold unit{}, {} rows", if units == 1 { "" } else { "s" }, problem.rows());
    let maps = search.maps().len();
    if maps > 0 {
        reason.push_str(&format!(", {maps} symmetr{} of the data", if maps == 1 { "y" } else { "ies" }));
    }
    monitor.report(Event::Solver { name: "circuits", reason });
    let mut state = State { search, monitor, outcome, known: Vec::new() };
    match options.allowed {
        Some(allowed) => state.decide(allowed),
        None => state.minimise(),
    }
    state.outcome
}

/// Asks of units that read columns alone whether all rows can be right; whether that was all that was asked.
fn separate_all(problem: &LoadingProblem, options: &Options, monitor: &dyn Monitor, outcome: &mut Outcome) -> bool {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(options.threads.max(1)).build();
    let stop = || monitor.stop().is_some();
    let found = match &pool {
        Ok(pool) => pool.install(|| flat::decide(problem, &stop)),
        Err(_) => flat::decide(problem, &stop),
    };
    match found {
        Flat::Weights(neurons, margins) => {
            let Some(wrong) = weights::wrong_rows(problem, &neurons) else { return false };
            (outcome.upper, outcome.neurons, outcome.margins) = (Some(wrong), Some(neurons), margins);
            outcome.ending = if options.allowed.is_some() { Ending::Satisfiable } else { Ending::Optimal };
            wrong == 0
        }
        Flat::Contradiction(circuit, steps) => {
            (outcome.lower, outcome.circuits, outcome.proof) = (1, vec![circuit], steps);
            outcome.ending = Ending::Infeasible;
            options.allowed == Some(0)
        }
        Flat::Stopped => {
            outcome.ending = match monitor.stop() {
                Some(Stop::Interrupted) => Ending::Interrupted,
                _ => Ending::TimeLimit,
            };
            monitor.stop().is_some()
        }
    }
}

struct State<'a> {
    search: Search,
    monitor: &'a dyn Monitor,
    outcome: Outcome,
    /// Circuits found so far; they are true of every question.
    known: Vec<Circuit>,
}

impl State<'_> {
    fn progress(&self, source: &'static str) {
        let upper = self.outcome.upper.map_or(f64::INFINITY, |upper| upper as f64);
        let (lower, explored) = (self.outcome.lower as f64, self.outcome.conflicts);
        self.monitor.report(Event::Progress { source, upper, lower, explored });
    }

    fn stopped(&mut self) {
        self.outcome.ending = match self.monitor.stop() {
            Some(Stop::Interrupted) => Ending::Interrupted,
            Some(Stop::TimeLimit) => Ending::TimeLimit,
            None => {
                self.outcome.message = "the arithmetic did not decide; this should not happen, please report it".into();
                Ending::NumericalTrouble
            }
        };
    }

    /// Asks once; `Some(true)` with better weights, `Some(false)` with a raised bound, `None` if undecided.
    fn ask(&mut self, allowed: u64, budget: Option<i32>) -> Option<bool> {
        let monitor = self.monitor;
        let (answer, effort) = self.search.run(allowed, &self.known, budget, &|| monitor.stop().is_some());
        self.outcome.conflicts += effort.conflicts;
        let before = self.known.len();
        self.known.extend(effort.circuits);
        match answer {
            Answer::Weights(neurons, source) => {
                self.take(neurons, source).filter(|&wrong| wrong <= allowed).map(|_| true)
            }
            // A proof may rest on circuits of any question so far; those that it does are known afterwards, and no others.
            Answer::None(Some((circuits, steps))) => self.proven(allowed, circuits, steps).then_some(false),
            Answer::None(None) => self.prove(allowed).then_some(false),
            Answer::Stopped | Answer::Unclear => {
                self.known.drain(before.min(KNOWN_UP_TO)..before);
                None
            }
        }
    }

    /// Takes weights if they are better than those at hand; the rows that they are wrong on, if they could be evaluated.
    fn take(&mut self, neurons: Vec<Neuron>, source: &'static str) -> Option<u64> {
        let wrong = weights::wrong_rows(self.search.problem(), &neurons)?;
        if self.outcome.upper.is_none_or(|upper| wrong < upper) {
            (self.outcome.upper, self.outcome.neurons) = (Some(wrong), Some(neurons));
            self.progress(source);
        }
        Some(wrong)
    }

    /// Makes the refutation of "at most `allowed`" from the known circuits.
    fn prove(&mut self, allowed: u64) -> bool {
        let problem = self.search.problem();
        let stop = Arc::new(AtomicBool::new(false));
        let flag = stop.clone();
        let (monitor, symmetry) = (self.monitor, self.search.symmetry);
        let known: Vec<&Circuit> = self.search.eager().iter().chain(&self.known).collect();
        let refutation = search::watched(&|| monitor.stop().is_some(), &stop, || {
            refute(problem, allowed, symmetry, self.search.maps(), &known, move || flag.load(Ordering::Relaxed))
        });
        match refutation {
            Refutation::Proof(circuits, steps) => self.proven(allowed, circuits, steps),
            Refutation::Satisfiable | Refutation::Stopped => false,
        }
    }

    /// Takes a refutation of "at most `allowed`"; whether its circuits could be made exact.
    fn proven(&mut self, allowed: u64, mut circuits: Vec<Circuit>, steps: Vec<ProofStep>) -> bool {
        if self.search.complete(&mut circuits).is_none() {
            return false;
        }
        // What a proof rests on is what the next question needs.
        self.known = circuits.clone();
        self.outcome.lower = allowed + 1;
        self.outcome.stride = if allowed > 0 { formula::stride(self.search.problem().rows()) } else { 1 };
        self.outcome.maps = self.search.maps().iter().map(|map| map.claim.clone()).collect();
        (self.outcome.circuits, self.outcome.proof) = (circuits, steps);
        self.progress("proof");
        true
    }

    /// Weights of parallel hyperplanes that are wrong on at most `allowed` rows, where the network is of that kind.
    fn parallel(&mut self, allowed: u64) {
        let shared = self.search.shared();
        if let [(points, ..)] = &shared.groups[..]
            && let Some(neurons) = parallel::few_errors(&shared.problem, points, allowed)
        {
            self.take(neurons, "parallel");
        }
    }

    fn decide(&mut self, allowed: u64) {
        self.parallel(allowed);
        if self.outcome.upper.is_some_and(|wrong| wrong <= allowed) {
            self.outcome.ending = Ending::Satisfiable;
            return;
        }
        match self.ask(allowed, None) {
            Some(true) => self.outcome.ending = Ending::Satisfiable,
            Some(false) => self.outcome.ending = Ending::Infeasible,
            None => self.stopped(),
        }
    }

    /// Without hidden units: weights with few wrong rows, and circuits, from hitting sets.
    fn few_errors(&mut self) {
        let (monitor, shared, seed) = (self.monitor, self.search.shared(), self.search.seed);
        let mut take = |neurons| {
            self.take(neurons, "hitting set");
        };
        self.known = search::few_errors(&shared, seed, &|| monitor.stop().is_some(), &mut take);
    }

    /// Trainings of the smooth network.
    fn train(&mut self, training: &mut Option<Training>, times: usize) {
        let monitor = self.monitor;
        let Some(training) = training else { return };
        for _ in 0..times {
            if self.open().is_none() || monitor.stop().is_some() {
                return;
            }
            for neurons in training.run(&|| monitor.stop().is_some()).neurons {
                self.take(neurons, "training");
            }
        }
    }

    /// First looks for an incumbent: by parallel hyperplanes, by hitting sets or by training, and by halving the distance between bound and incumbent with a small budget. Then raises the bound one by
    /// one, or by half of what is left where hitting sets found the incumbent, as it then is near the best; where the budget is spent, asks elsewhere in between, trains again,
    /// and goes on with twice the budget.
    fn minimise(&mut self) {
        self.take(constant(self.search.problem()), "constant");
        if let Some((_, upper)) = self.open() {
            self.parallel(upper - 1);
        }
        self.few_errors();
        let hit = !self.known.is_empty();
        let shared = self.search.shared();
        let mut training = (!hit).then(|| Training::new(shared.problem.clone(), self.search.seed));
        self.train(&mut training, 1);
        while let Some((lower, upper)) = self.open() {
            if self.ask(lower + (upper - lower) / 2, Some(QUICK_BUDGET)).is_none() {
                break;
            }
        }
        self.train(&mut training, TRAININGS);
        let mut budget = FIRST_BUDGET;
        while let Some((lower, upper)) = self.open() {
            if self.monitor.stop().is_some() {
                return self.stopped();
            }
            let middle = lower + (upper - lower) / 2;
            let asked = if hit { [middle, lower, upper - 1] } else { [lower, middle, upper - 1] };
            let decided = (0..asked.len())
                .any(|place| !asked[..place].contains(&asked[place]) && self.ask(asked[place], Some(budget)).is_some());
            if !decided && budget == i32::MAX {
                return self.stopped();
            }
            if !decided {
                budget = budget.saturating_mul(2);
                self.train(&mut training, TRAININGS);
            }
        }
        self.outcome.ending = Ending::Optimal;
    }

    /// Bound and incumbent, if they are not equal yet.
    fn open(&self) -> Option<(u64, u64)> {
        let (lower, upper) = (self.outcome.lower, self.outcome.upper.unwrap_or(self.search.problem().rows() as u64));
        (lower < upper).then_some((lower, upper))
    }
}

/// Circuits of earlier questions without an answer that a question begins with, besides those of the last one.
const KNOWN_UP_TO: usize = 2_000;
/// Trainings of the smooth network at once.
const TRAININGS: usize = 4;
/// Conflicts of the SAT search that the first look for an incumbent may take.
const QUICK_BUDGET: i32 = 300;
/// Conflicts that the first questions may take.
const FIRST_BUDGET: i32 = 20_000;

/// Weights of outputs that are the commoner of their targets on every row.
fn constant(problem: &LoadingProblem) -> Vec<Neuron> {
    let network = &problem.network;
    let free = network.units.iter().enumerate().filter(|entry| entry.1.is_free());
    free.map(|(u, unit)| {
        let output = network.outputs.iter().position(|&output| output as usize == u);
        let balance: i64 = output.map_or(-1, |output| {
            let targets = (0..problem.rows()).filter_map(|i| problem.target(i)[output]);
            targets.map(|target| if target { 1 } else { -1 }).sum()
        });
        let inputs = unit.columns.list(problem.points.columns()).len() + unit.units.len();
        Neuron { weights: vec![IBig::ZERO; inputs], bias: IBig::from(if balance > 0 { 1 } else { -1 }) }
    })
    .collect()
}
