//! One search: CaDiCaL with the propagator beside it, on one or several threads that exchange circuits.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cadical_sys::{CaDiCal, Status};
use dashu_int::UBig;
use infimum_problem::{Circuit, LoadingProblem, Neuron, ProofStep, Scope, Term};

use crate::formula::{Formula, one_hidden_layer};
use crate::hitting;
use crate::maps::{self, Map};
use crate::points::GroupPoints;
use crate::propagator::{Propagator, Record, Shared, circuit as circuit_of, clauses};
use crate::refute::{Trace, Tracer, Until, trim};
use crate::separation::circuit::{self, Side};
use crate::separation::crash::Start;
use crate::weights::network_weights;

/// Rows that the order of twins speaks of are always part of a search.
const FIRST_ROWS: u32 = 50;
/// Circuits of at most so many points of the first tableau are clauses from the start, and at most so many.
const EAGER_UP_TO: u32 = 6;
const EAGER_AT_MOST: usize = 20_000;
/// How often the monitor is asked.
const ASK: Duration = Duration::from_millis(2);

/// The answer of one search.
pub(crate) enum Answer {
    /// Weights of the free units.
    Weights(Vec<Neuron>),
    /// None exist; if the search was traced, the circuits needed and the proof.
    None(Option<(Vec<Circuit>, Vec<ProofStep>)>),
    /// Stopped, or the budget is spent.
    Stopped,
    /// An assignment was found, but no exact weights for it.
    Unclear,
}

/// What a search is given.
pub(crate) struct Search {
    shared: Arc<Shared>,
    pub(crate) symmetry: bool,
    pub(crate) seed: u64,
}

/// What a search leaves behind besides its answer.
#[derive(Debug, Default)]
pub(crate) struct Effort {
    /// Conflicts of the values with the points.
    pub(crate) conflicts: u64,
    /// Circuits that it found; they are true of every question about these points.
    pub(crate) circuits: Vec<Circuit>,
}

impl Search {
    /// Prepares the points and first tableaus of `problem`.
    pub(crate) fn new(problem: LoadingProblem, threads: usize, symmetry: bool, seed: u64) -> Search {
        let mut groups = Vec::new();
        let mut eager = Vec::new();
        for (place, (columns, units)) in problem.network.groups().into_iter().enumerate() {
            let points = Arc::new(GroupPoints::new(&problem, &columns));
            let start = Arc::new(Start::new(&points.scaled, points.len()));
            same_points(&points, place as u32, &mut eager);
            short_rows(&points, &start, place as u32, &mut eager);
            groups.push((points, start, units));
        }
        let maps = match &groups[..] {
            [(points, ..)] if symmetry && one_hidden_layer(&problem.network).is_some() => maps::find(&problem, points),
            _ => Vec::new(),
        };
        let shared = Shared {
            problem,
            groups,
            stop: AtomicBool::new(false),
            pool: Mutex::new(Vec::new()),
            eager,
            maps,
            threads: threads.max(1),
        };
        Search { shared: Arc::new(shared), symmetry, seed }
    }

    pub(crate) fn problem(&self) -> &LoadingProblem {
        &self.shared.problem
    }

    /// See [`complete`].
    pub(crate) fn complete(&self, circuits: &mut [Circuit]) -> Option<()> {
        complete(&self.shared, circuits)
    }

    pub(crate) fn shared(&self) -> Arc<Shared> {
        self.shared.clone()
    }

    /// The rows that a search looks at: all, or, if no row may be wrong, the first of every kind and those that an order speaks of.
    fn rows(&self, allowed: u64) -> Vec<u32> {
        let problem = &self.shared.problem;
        let all = 0..problem.rows() as u32;
        if allowed > 0
            || self.shared.groups.len() != 1
            || self.shared.groups[0].0.columns.len() < problem.points.columns()
        {
            return all.collect();
        }
        let points = &self.shared.groups[0].0;
        let mut seen = std::collections::HashSet::new();
        all.filter(|&i| {
            let new = seen.insert((points.point_of_row[i as usize], problem.target(i as usize).to_vec()));
            new || i < FIRST_ROWS
        })
        .collect()
    }

    /// Symmetries of the data, where they may be used.
    pub(crate) fn maps(&self) -> &[Map] {
        &self.shared.maps
    }

    /// The circuits that are clauses from the start.
    pub(crate) fn eager(&self) -> &[Circuit] {
        &self.shared.eager
    }

    /// Decides whether some weights are wrong on at most `allowed` rows, within `budget` conflicts of the SAT search. `known`: circuits of
    /// earlier searches.
    pub(crate) fn run(
        &self,
        allowed: u64,
        known: &[Circuit],
        budget: Option<i32>,
        stop: &(dyn Fn() -> bool + Sync),
    ) -> (Answer, Effort) {
        let shared = &self.shared;
        shared.stop.store(false, Ordering::Relaxed);
        *shared.pool.lock().unwrap_or_else(PoisonError::into_inner) = Vec::new();
        let rows = self.rows(allowed);
        let collected = Mutex::new((Answer::Stopped, Effort::default()));
        let collect = |(found, done): (Answer, Effort)| {
            let mut collected = collected.lock().unwrap_or_else(PoisonError::into_inner);
            let (answer, effort) = &mut *collected;
            effort.conflicts += done.conflicts;
            if matches!(answer, Answer::Weights(_) | Answer::None(_)) {
                return;
            }
            // Until somebody has an answer what the last one found is kept.
            effort.circuits = done.circuits;
            if matches!(found, Answer::Weights(_) | Answer::None(_)) {
                shared.stop.store(true, Ordering::Relaxed);
                *answer = found;
            } else if matches!(found, Answer::Unclear) {
                *answer = found;
            }
        };
        let search = |thread: usize| {
            let seed = self.seed + thread as u64;
            collect(work(shared, rows.clone(), allowed, self.symmetry, seed, known, budget));
        };
        std::thread::scope(|scope| {
            (1..shared.threads).for_each(|thread| drop(scope.spawn(move || search(thread))));
            watched(stop, &shared.stop, || search(0));
        });
        collected.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Does `work` in this thread while another asks every few milliseconds whether to stop, and then raises `flag`.
pub(crate) fn watched<T>(stop: &(dyn Fn() -> bool + Sync), flag: &AtomicBool, work: impl FnOnce() -> T) -> T {
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let watch = scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                if stop() {
                    flag.store(true, Ordering::Relaxed);
                }
                std::thread::park_timeout(ASK);
            }
        });
        let result = work();
        done.store(true, Ordering::Relaxed);
        watch.thread().unpark();
        result
    })
}

/// Without hidden units and with the same inputs for all, weights with few wrong rows go to `take`, and circuits are returned; else none.
pub(crate) fn few_errors(
    shared: &Shared,
    seed: u64,
    stop: &dyn Fn() -> bool,
    take: &mut dyn FnMut(Vec<Neuron>),
) -> Vec<Circuit> {
    match &shared.groups[..] {
        [(points, start, _)] if shared.problem.network.is_flat() => {
            hitting::few_errors(&shared.problem, points, start, seed, stop, take)
        }
        _ => Vec::new(),
    }
}

/// One thread's search.
fn work(
    shared: &Arc<Shared>,
    rows: Vec<u32>,
    allowed: u64,
    symmetry: bool,
    seed: u64,
    known: &[Circuit],
    budget: Option<i32>,
) -> (Answer, Effort) {
    let problem = &shared.problem;
    let formula = Rc::new(Formula::new(problem, rows, allowed, symmetry, &shared.maps));
    let record = Rc::new(RefCell::new(Record::default()));
    let propagator = Propagator::new(shared.clone(), formula.clone(), record.clone());
    let observed = propagator.observed();
    let mut solver = CaDiCal::new();
    solver.set("quiet", 1);
    solver.set("factor", 0);
    solver.set("lrat", 1);
    let trace = Rc::new(RefCell::new(Trace::default()));
    // Over all rows the formula is the checker's own, and what is derived is the proof.
    let traced = formula.rows.len() == problem.rows();
    if traced {
        solver.connect_proof_tracer1(Tracer(trace.clone()), true, false);
    }
    solver.set("chrono", 0);
    solver.set("seed", (seed % 2_000_000_000) as i32);
    // Values start as 0: with 1, weights of planted networks took 10 to 50 times as long to find, and refutations no less. Threads differ in it.
    solver.set("phase", i32::from(seed % 2 == 1));
    solver.resize(formula.variables);
    formula.clauses().for_each(|clause| solver.clause6(clause));
    let place: HashMap<u32, usize> = formula.rows.iter().enumerate().map(|(place, &row)| (row, place)).collect();
    let mut given: Vec<&Circuit> = Vec::new();
    let mut owners = Vec::new();
    for circuit in shared.eager.iter().chain(known) {
        let owner = given.len() as u32;
        let all_there = clauses(
            circuit,
            &problem.network,
            &formula,
            |row| place.get(&row).copied(),
            |clause| {
                solver.clause6(clause);
                owners.push(owner);
            },
        );
        if all_there {
            given.push(circuit);
        }
    }
    solver.connect_external_propagator(propagator);
    observed.iter().for_each(|&variable| solver.add_observed_var(variable));
    let stop = shared.clone();
    solver.connect_terminator(Until(move || stop.stop.load(Ordering::Relaxed)));
    if let Some(conflicts) = budget {
        solver.limit("conflicts", conflicts);
    }
    let status = solver.solve();
    let stopped = shared.stop.load(Ordering::Relaxed);
    let found = match status {
        Status::UNSATISFIABLE => {
            let record = record.borrow();
            let before = given.len() as u32;
            owners.extend(record.owners.iter().map(|&owner| before + owner));
            let circuits: Vec<&Circuit> = given.into_iter().chain(&record.circuits).collect();
            Answer::None(traced.then(|| trim(&trace.borrow(), &formula, &owners, &circuits)).flatten())
        }
        Status::SATISFIABLE if !stopped => {
            let values: Vec<bool> = (1..=formula.variables).map(|variable| solver.val(variable) > 0).collect();
            let value = |u: usize, i: usize| values[formula.value(u, i) as usize - 1];
            let table = |u: usize, b: usize| values[formula.table(u, b) as usize - 1];
            let planes = &record.borrow().hyperplanes;
            let stop = || shared.stop.load(Ordering::Relaxed);
            network_weights(problem, &formula.rows, &value, &table, planes, &stop)
                .map_or(Answer::Unclear, Answer::Weights)
        }
        _ => Answer::Stopped,
    };
    solver.disconnect_terminator();
    solver.disconnect_external_propagator();
    let mut record = record.borrow_mut();
    let effort = Effort { conflicts: record.conflicts, circuits: std::mem::take(&mut record.circuits) };
    (found, effort)
}

/// Rows of the same point have the same value: circuits of two.
fn same_points(points: &GroupPoints, group: u32, eager: &mut Vec<Circuit>) {
    for (row, &point) in points.point_of_row.iter().enumerate() {
        let first = points.row_of_point[point as usize];
        if first != row as u32 {
            let term = |row: u32| vec![Term { row, multiplier: UBig::ONE, inputs: Vec::new() }];
            eager.push(Circuit { scope: Scope::Group(group), left: term(first), right: term(row as u32) });
        }
    }
}

/// The short rows of the first tableau are circuits.
fn short_rows(points: &GroupPoints, start: &Start, group: u32, eager: &mut Vec<Circuit>) {
    let tableau = &start.tableau;
    let most = eager.len() + EAGER_AT_MOST;
    for i in 0..tableau.rows {
        let mut support = vec![tableau.basic[i]];
        let mut multipliers = vec![1.0];
        let short = tableau.visit_row(i, |j, value| {
            support.push(tableau.nonbasic[j]);
            multipliers.push(-value);
            support.len() <= EAGER_UP_TO as usize
        });
        if !short || eager.len() >= most {
            continue;
        }
        let Some(terms) = circuit::exact_or_certain(&points.exact, &support, &multipliers) else { continue };
        let row = |point: u32| points.row_of_point[point as usize];
        let terms = terms.into_iter().map(|(point, side)| (row(point), Vec::new(), side));
        let circuit = circuit_of(Scope::Group(group), terms);
        if !circuit.left.is_empty() && !circuit.right.is_empty() {
            eager.push(circuit);
        }
    }
}

/// Makes the multipliers that were left to be made; `None` if one cannot be, which would be a defect of the signs' proof.
fn complete(shared: &Shared, circuits: &mut [Circuit]) -> Option<()> {
    for circuit in circuits {
        let Scope::Group(group) = circuit.scope else { continue };
        if circuit.left.iter().all(|term| !term.multiplier.is_zero()) {
            continue;
        }
        let points = &shared.groups[group as usize].0;
        let sides = [(&circuit.left, 1.0), (&circuit.right, -1.0)];
        let terms = sides.into_iter().flat_map(|(terms, sign)| terms.iter().map(move |term| (term.row, sign)));
        let (support, signs): (Vec<u32>, Vec<f64>) =
            terms.map(|(row, sign)| (points.point_of_row[row as usize], sign)).unzip();
        let terms = circuit::by_remainders(&points.exact, &support, &signs)?;
        let row = |point: u32| points.row_of_point[point as usize];
        let terms = terms.into_iter().map(|(point, value)| (row(point), Vec::new(), Side::of(value)));
        *circuit = circuit_of(circuit.scope, terms);
    }
    Some(())
}
