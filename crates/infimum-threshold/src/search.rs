//! One search: CaDiCaL with the propagator beside it, on one or several threads that share out the cubes ([`Cubes`]) and exchange circuits.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cadical_sys::{CaDiCal, Status};
use dashu_int::UBig;
use infimum_problem::{Circuit, LoadingProblem, Neuron, ProofStep, Scope, Term};

use crate::Options;
use crate::cubes::{Cube, Cubes, ROOT};
use crate::formula::{Formula, one_hidden_layer};
use crate::hitting;
use crate::maps::{self, Map};
use crate::points::GroupPoints;
use crate::propagator::{Propagator, Record, Shared, circuit as circuit_of, clauses};
use crate::refute::{License, Part, Tell, Trace, Tracer, Until, join, key};
use crate::separation::circuit::{self, Side};
use crate::separation::crash::Start;
use crate::told::{Fact, Told};
use crate::trainings::Trainings;
use crate::weights::network_weights;

/// Rows that the order of twins speaks of are always part of a search.
const FIRST_ROWS: u32 = 50;
/// Circuits of at most so many points of the first tableau are clauses from the start, and at most so many.
const EAGER_UP_TO: u32 = 6;
const EAGER_AT_MOST: usize = 20_000;
/// With several threads a cube on which so many clauses were derived is split if a thread waits, or if it is the empty one; by a variable of so many clauses derived last.
const SPLIT_AFTER: u64 = 200;
const LOOKED_AT: usize = 1_000;
/// Derived clauses of at most so many literals are told to the other threads: 2 to 40 did about as well, none worse (ADR 29).
const TOLD_UP_TO: usize = 4;
/// At least so many circuits are completed by one thread.
const COMPLETED_BY_ONE: usize = 100;
/// How often the monitor is asked.
const ASK: Duration = Duration::from_millis(2);

/// The answer of one search.
pub(crate) enum Answer {
    /// Weights of the free units, and what found them, for the log.
    Weights(Vec<Neuron>, &'static str),
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
    pub(crate) fn new(problem: LoadingProblem, options: &Options) -> Search {
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
            [(points, ..)] if options.symmetry && one_hidden_layer(&problem.network).is_some() => {
                maps::find(&problem, points)
            }
            _ => Vec::new(),
        };
        let shared = Shared {
            problem: Arc::new(problem),
            groups,
            stop: AtomicBool::new(false),
            told: Told::default(),
            eager,
            maps,
            threads: options.threads.max(1),
            patience: options.patience,
        };
        Search { shared: Arc::new(shared), symmetry: options.symmetry, seed: options.seed }
    }

    pub(crate) fn problem(&self) -> &LoadingProblem {
        &self.shared.problem
    }

    /// Makes the multipliers that were left to be made, on all threads; `None` if one cannot be, which would be a defect of the signs' proof.
    pub(crate) fn complete(&self, circuits: &mut [Circuit]) -> Option<()> {
        let shared = &*self.shared;
        let each = circuits.len().div_ceil(shared.threads).max(COMPLETED_BY_ONE);
        let mut parts = circuits.chunks_mut(each);
        let first = parts.next().unwrap_or_default();
        std::thread::scope(|scope| {
            let others: Vec<_> = parts.map(|part| scope.spawn(move || complete(shared, part))).collect();
            let first = complete(shared, first);
            others.into_iter().fold(first, |done, other| done.and(other.join().ok().flatten()))
        })
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

    /// Decides whether some weights are wrong on at most `allowed` rows, within `budget` conflicts of the SAT search; without a budget the smooth network is trained now and then. `known`: circuits of
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
        shared.told.clear();
        let rows = self.rows(allowed);
        let formula = Arc::new(Formula::new(&shared.problem, rows, allowed, self.symmetry, &shared.maps));
        let cubes = Arc::new(Cubes::new(shared.threads));
        let search = |thread: usize| {
            let seed = self.seed + thread as u64;
            Worker { shared, formula: &formula, cubes: &cubes, thread, seed, known, allowed, budget }.work()
        };
        let mut done: Vec<Done> = std::thread::scope(|scope| {
            let others: Vec<_> = (1..shared.threads).map(|thread| scope.spawn(move || search(thread))).collect();
            let first = watched(stop, &shared.stop, || search(0));
            [first].into_iter().chain(others.into_iter().filter_map(|other| other.join().ok())).collect()
        });
        let conflicts = done.iter().map(|done| done.conflicts).sum();
        let weights = done.iter_mut().find_map(|done| done.weights.take());
        let unclear = done.iter().any(|done| done.unclear);
        let parts: Vec<Part> = done.into_iter().map(|done| done.part).collect();
        let answer = if let Some(weights) = weights {
            Answer::Weights(weights.0, weights.1)
        } else if cubes.is_refuted() && parts.len() == shared.threads {
            // Over all rows the formula is the checker's own, and what was derived is the proof.
            let proof = if is_whole(&formula, shared) { join(&formula, &parts, &cubes) } else { None };
            Answer::None(proof)
        } else if unclear {
            Answer::Unclear
        } else {
            Answer::Stopped
        };
        let mut found = parts.into_iter().map(|part| part.found);
        let mut circuits = found.next().unwrap_or_default();
        // What threads told each other stands in several lists; each may have what another has not.
        let others: Vec<Circuit> = found.flatten().collect();
        let mut known: HashSet<_> = circuits.iter().map(key).collect();
        let is_new: Vec<bool> = others.iter().map(|circuit| known.insert(key(circuit))).collect();
        circuits.extend(others.into_iter().zip(is_new).filter(|entry| entry.1).map(|entry| entry.0));
        (answer, Effort { conflicts, circuits })
    }
}

/// Whether the formula is about all rows.
fn is_whole(formula: &Formula, shared: &Shared) -> bool {
    formula.rows.len() == shared.problem.rows()
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

/// One thread of a search.
struct Worker<'a> {
    shared: &'a Arc<Shared>,
    formula: &'a Arc<Formula>,
    cubes: &'a Arc<Cubes>,
    thread: usize,
    seed: u64,
    known: &'a [Circuit],
    allowed: u64,
    budget: Option<i32>,
}

/// What a thread leaves behind.
#[derive(Default)]
struct Done<'a> {
    /// Weights, and what found them.
    weights: Option<(Vec<Neuron>, &'static str)>,
    /// An assignment was found, but no exact weights for it.
    unclear: bool,
    conflicts: u64,
    part: Part<'a>,
}

/// What a thread works on, as the terminator sees it.
#[derive(Clone, Copy, Default)]
struct Current {
    cube: Cube,
    /// Clauses derived, and changes of the cubes, when it was begun or last looked at.
    derived: u64,
    changes: u64,
    /// It was left to be split.
    split: bool,
}

/// Lets the other threads go if this one panics: they would wait for its cube.
struct EndOnPanic<'a>(&'a Cubes);

impl Drop for EndOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.end();
        }
    }
}

impl<'a> Worker<'a> {
    /// A solver with formula and circuits; the part that remembers the circuits.
    fn solver(&self, trace: &Rc<RefCell<Trace>>, observed: &[i32]) -> (CaDiCal, Part<'a>) {
        let formula = self.formula;
        let mut solver = CaDiCal::new();
        solver.set("quiet", 1);
        solver.set("factor", 0);
        solver.set("lrat", 1);
        // The trace is also where a split looks for its variable.
        if is_whole(formula, self.shared) || self.shared.threads > 1 {
            solver.connect_proof_tracer1(Tracer { trace: trace.clone(), tell: self.tell(observed) }, true, false);
        }
        solver.set("chrono", 0);
        solver.set("seed", (self.seed % 2_000_000_000) as i32);
        // Values start as 0: with 1, weights of planted networks took 10 to 50 times as long to find, and refutations no less. Threads differ in it.
        solver.set("phase", i32::from(self.seed % 2 == 1));
        solver.resize(formula.variables);
        formula.clauses().for_each(|clause| solver.clause6(clause));
        let place: HashMap<u32, usize> = formula.rows.iter().enumerate().map(|(place, &row)| (row, place)).collect();
        let mut part = Part::default();
        for circuit in self.shared.eager.iter().chain(self.known) {
            let owner = part.given.len() as u32;
            let all_there = clauses(
                circuit,
                &self.shared.problem.network,
                formula,
                |row| place.get(&row).copied(),
                |clause| {
                    solver.clause6(clause);
                    part.licenses.push(License::Circuit(owner));
                },
            );
            if all_there {
                part.given.push(circuit);
            }
        }
        (solver, part)
    }

    /// Tells the other threads of short clauses.
    fn tell(&self, observed: &[i32]) -> Option<Tell> {
        if self.shared.threads == 1 {
            return None;
        }
        let (shared, thread) = (self.shared.clone(), self.thread);
        let observed: HashSet<i32> = observed.iter().copied().collect();
        Some(Box::new(move |step, clause| {
            // The empty clause is what the cubes are told.
            if (1..=TOLD_UP_TO).contains(&clause.len())
                && clause.iter().all(|literal| observed.contains(&literal.abs()))
            {
                shared.told.tell(thread, Fact::Clause((thread, step), clause.to_vec()));
            }
        }))
    }

    /// Lets the solver leave a cube that others have settled, or that is to be split.
    fn terminator(
        &self,
        trace: &Rc<RefCell<Trace>>,
        current: &Rc<Cell<Current>>,
        mut trainings: Option<Trainings>,
    ) -> impl FnMut() -> bool + 'static {
        let (shared, cubes, trace, current) = (self.shared.clone(), self.cubes.clone(), trace.clone(), current.clone());
        move || {
            let mut now = current.get();
            if shared.stop.load(Ordering::Relaxed) {
                return true;
            }
            if let Some(trainings) = &mut trainings
                && trainings.found_weights(&shared)
            {
                shared.stop.store(true, Ordering::Relaxed);
                return true;
            }
            if shared.threads == 1 {
                return false;
            }
            if cubes.changes() != now.changes {
                now.changes = cubes.changes();
                current.set(now);
                if !cubes.is_open(now.cube) {
                    return true;
                }
            }
            now.split = trace.borrow().derived - now.derived >= SPLIT_AFTER && (now.cube == ROOT || cubes.is_awaited());
            current.set(now);
            now.split
        }
    }

    /// Takes cubes as long as there are any: each is refuted, split or left because it was settled elsewhere, or ends the search, by weights, by the limits, or because nothing decides it.
    fn work(self) -> Done<'a> {
        let (shared, cubes) = (self.shared, self.cubes);
        let _guard = EndOnPanic(cubes);
        if self.thread > 0 {
            cubes.wait(shared.patience);
        }
        let record = Rc::new(RefCell::new(Record::default()));
        let propagator = Propagator::new(shared.clone(), self.formula.clone(), record.clone(), self.thread);
        let observed = propagator.observed();
        let trace = Rc::new(RefCell::new(Trace::default()));
        let (mut solver, part) = self.solver(&trace, &observed);
        solver.connect_external_propagator(propagator);
        observed.iter().for_each(|&variable| solver.add_observed_var(variable));
        let current = Rc::new(Cell::new(Current::default()));
        let trainings = (self.thread == 0 && self.budget.is_none())
            .then(|| Trainings::new(&shared.problem, self.seed, self.allowed, &record));
        let trained = trainings.as_ref().map(|trainings| trainings.found.clone());
        solver.connect_terminator(Until(self.terminator(&trace, &current, trainings)));
        let mut done = Done { part, ..Done::default() };
        while let Some((cube, literals)) = cubes.take() {
            current.set(Current { cube, derived: trace.borrow().derived, changes: cubes.changes(), split: false });
            trace.borrow_mut().refuted = None;
            literals.iter().for_each(|&literal| solver.assume(literal));
            if let Some(conflicts) = self.budget {
                // Spent by the cubes before, about.
                let spent = if cube == ROOT { 0 } else { i32::try_from(trace.borrow().derived).unwrap_or(i32::MAX) };
                solver.limit("conflicts", conflicts.saturating_sub(spent).max(0));
            }
            match solver.solve() {
                Status::UNSATISFIABLE => {
                    solver.conclude();
                    // Without a trace there is no such step, and no proof from it.
                    let step = trace.borrow().refuted.unwrap_or(usize::MAX);
                    let failed = literals.iter().filter(|&&literal| solver.failed(literal));
                    cubes.refuted(cube, (self.thread, step), failed.map(|literal| -literal).collect());
                }
                Status::SATISFIABLE if !shared.stop.load(Ordering::Relaxed) => {
                    done.weights = self.weights(&mut solver, &record.borrow()).map(|weights| (weights, "search"));
                    done.unclear = done.weights.is_none();
                    if done.weights.is_some() {
                        shared.stop.store(true, Ordering::Relaxed);
                    }
                    cubes.end();
                }
                _ if shared.stop.load(Ordering::Relaxed) => cubes.end(),
                _ if current.get().split => match self.variable(&solver, &literals, &trace.borrow()) {
                    Some(variable) => cubes.split(cube, variable),
                    None => cubes.end(),
                },
                _ if !cubes.is_open(cube) => {}
                // The budget is spent.
                _ => cubes.end(),
            }
        }
        done.weights = done.weights.or_else(|| Some((trained?.take()?, "training")));
        solver.disconnect_terminator();
        solver.disconnect_external_propagator();
        let mut record = record.borrow_mut();
        let before = done.part.given.len() as u32;
        done.part.licenses.extend(record.licenses.iter().map(|&license| match license {
            License::Circuit(place) => License::Circuit(before + place),
            derived => derived,
        }));
        done.part.found = std::mem::take(&mut record.circuits);
        done.conflicts = record.conflicts;
        done.part.trace = trace.take();
        done
    }

    /// Weights of the assignment that the solver found.
    fn weights(&self, solver: &mut CaDiCal, record: &Record) -> Option<Vec<Neuron>> {
        let formula = self.formula;
        let values: Vec<bool> = (1..=formula.variables).map(|variable| solver.val(variable) > 0).collect();
        let value = |u: usize, i: usize| values[formula.value(u, i) as usize - 1];
        let table = |u: usize, b: usize| values[formula.table(u, b) as usize - 1];
        let stop = || self.shared.stop.load(Ordering::Relaxed);
        network_weights(&self.shared.problem, &formula.rows, &value, &table, &record.hyperplanes, &stop)
    }

    /// The variable to split by: of the values of units that read columns (of all variables if those are known) the one that stands most, in both signs, in the clauses derived last. Splits by
    /// entries of tables, or by any variable, gave less.
    fn variable(&self, solver: &CaDiCal, literals: &[i32], trace: &Trace) -> Option<i32> {
        let mut weights = vec![[0.0f64; 2]; self.formula.variables as usize + 1];
        for clause in trace.latest(LOOKED_AT) {
            for literal in clause {
                if let Some(weight) = weights.get_mut(literal.unsigned_abs() as usize) {
                    weight[usize::from(*literal < 0)] += 1.0 / clause.len() as f64;
                }
            }
        }
        let known =
            |variable: i32| solver.fixed(variable) != 0 || literals.iter().any(|literal| literal.abs() == variable);
        let score = |variable: i32| {
            let [positive, negative] = weights[variable as usize];
            positive * negative + 1e-3 * (positive + negative)
        };
        let best = |variables: &mut dyn Iterator<Item = i32>| {
            variables.filter(|&variable| !known(variable)).max_by(|&a, &b| score(a).total_cmp(&score(b)))
        };
        let m = self.formula.rows.len();
        let units = self.formula.groups.iter().flatten();
        let mut values = units.flat_map(|&unit| (0..m).map(move |i| self.formula.value(unit as usize, i)));
        best(&mut values).or_else(|| best(&mut (1..=self.formula.variables)))
    }
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

/// See [`Search::complete`].
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
