//! The theory beside the SAT search: hears which values are assigned, and answers with circuits that they contradict.
//!
//! Through CaDiCaL's interface of user propagators (Fazekas, Niemetz, Preiner, Kirchweger, Szeider, Biere, *IPASIR-UP*, SAT 2023). Every unit that reads columns has
//! an [`Engine`]; a check asks those whose hyperplane no longer does what is wanted. Checks are made at fixpoints of propagation, as often as they are worth their
//! time (`Rate`), and always on complete assignments. A circuit becomes the two clauses of docs/loading.md, section 4, for every unit of its group.
//! Invariant: every clause handed over is licensed by a circuit in `Record::circuits` whose multipliers are exact, or 0 where only their signs are proven so far.

use std::cell::RefCell;
use std::collections::{HashSet, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cadical_sys::ExternalPropagator;
use dashu_int::IBig;
use infimum_problem::{Circuit, LoadingProblem, Scope, Term, UnitKind};

use crate::exact_simplex::{Exact, separate};
use crate::formula::Formula;
use crate::maps::Map;
use crate::mixed::{self, MixedCheck, SeenRow};
use crate::points::GroupPoints;
use crate::refute::License;
use crate::separation::circuit::Side;
use crate::separation::crash::Start;
use crate::separation::engine::{Check, Engine, Terms, small_circuit};
use crate::told::{Fact, Told};

/// Implied circuits of at most so many points are added, and so many after one check.
const IMPLIED_UP_TO: u32 = 14;
const IMPLIED_AT_ONCE: usize = 4;
/// Share of the operations that checks may take.
const SHARE: f64 = 0.15;
/// Operations of the SAT search for a value that it assigns, in multiplications of a check (measured, about).
const ASSIGNMENT: u64 = 400;
/// What a multiplication of a check takes, in those of a loop that does nothing else (measured, about).
const CHECKED: u64 = 3;
/// Most fixpoints without a check.
const LONGEST_GAP: u64 = 1_024;

/// What all threads of a search share.
pub(crate) struct Shared {
    pub(crate) problem: Arc<LoadingProblem>,
    pub(crate) groups: Vec<(Arc<GroupPoints>, Arc<Start>, Vec<u32>)>,
    pub(crate) stop: AtomicBool,
    /// What the threads tell each other.
    pub(crate) told: Told,
    /// Circuits that are clauses from the start.
    pub(crate) eager: Vec<Circuit>,
    /// Symmetries of the data, if the network is in the domain of theorem 3.
    pub(crate) maps: Vec<Map>,
    /// Threads that search.
    pub(crate) threads: usize,
    /// How long a search is left to the first of them.
    pub(crate) patience: Duration,
}

/// How a unit was separated in the last complete assignment.
pub(crate) enum Hyperplane {
    /// Over scaled coordinates.
    Scaled(Arc<GroupPoints>, Vec<f64>),
    /// Over the integers, bias last.
    Exact(Vec<IBig>),
}

/// What the propagator leaves behind.
#[derive(Default)]
pub(crate) struct Record {
    pub(crate) circuits: Vec<Circuit>,
    /// For every clause handed over why it holds.
    pub(crate) licenses: Vec<License>,
    /// Hyperplanes of the free units that are not tables, by unit, of the accepted assignment.
    pub(crate) hyperplanes: Vec<Option<Hyperplane>>,
    pub(crate) conflicts: u64,
    /// Operations of the search and its checks up to the last one, estimated, in multiplications.
    pub(crate) operations: u64,
}

/// How often to check. Both sides are counted in operations and not in seconds, so that a search is the same every time.
struct Rate {
    gap: u64,
    waited: u64,
    /// Operations of the checks, and estimated ones of the SAT search.
    checks: u64,
    search: u64,
}

impl Rate {
    fn due(&mut self) -> bool {
        self.waited += 1;
        self.waited >= self.gap
    }

    fn checked(&mut self, work: u64, conflict: bool) {
        self.waited = 0;
        self.checks += work;
        let share = self.checks as f64 / (self.checks + self.search).max(1) as f64;
        if conflict || share < 0.5 * SHARE {
            self.gap = (self.gap / 2).max(1);
        } else if share > SHARE {
            self.gap = (self.gap * 2).min(LONGEST_GAP);
        }
    }
}

/// A unit with its engine.
struct LinearUnit {
    unit: u32,
    group: usize,
    engine: Engine,
}

pub(crate) struct Propagator {
    shared: Arc<Shared>,
    formula: Arc<Formula>,
    record: Rc<RefCell<Record>>,
    linear: Vec<LinearUnit>,
    /// For every unit its place in `linear`, or none.
    slot: Vec<Option<usize>>,
    mixed: Vec<u32>,
    /// For every group and row of the formula the point, if the row stands for it in the search.
    point: Vec<Vec<Option<u32>>>,
    /// Value of every variable: 1, −1, 0.
    values: Vec<i8>,
    trail: Vec<i32>,
    levels: Vec<usize>,
    queue: VecDeque<i32>,
    /// For every clause in the queue whether CaDiCaL may forget it.
    forgettable: VecDeque<bool>,
    known: HashSet<u64>,
    thread: usize,
    /// How much of what is told was heard.
    heard: usize,
    rate: Rate,
    /// Operations of checks of mixed units, estimated.
    mixed_work: u64,
    row_of: std::collections::HashMap<u32, usize>,
}

impl Propagator {
    pub(crate) fn new(
        shared: Arc<Shared>,
        formula: Arc<Formula>,
        record: Rc<RefCell<Record>>,
        thread: usize,
    ) -> Propagator {
        let network = &shared.problem.network;
        let mut slot = vec![None; network.units.len()];
        let mut linear = Vec::new();
        let mut point = Vec::new();
        for (group, (points, start, units)) in shared.groups.iter().enumerate() {
            for &unit in units {
                slot[unit as usize] = Some(linear.len());
                linear.push(LinearUnit { unit, group, engine: Engine::new(points.clone(), start.clone()) });
            }
            let mut seen = HashSet::new();
            let of_row = |&row: &u32| {
                let point = points.point_of_row[row as usize];
                seen.insert(point).then_some(point)
            };
            point.push(formula.rows.iter().map(of_row).collect());
        }
        let mixed = (0..network.units.len() as u32)
            .filter(|&u| network.units[u as usize].kind() == UnitKind::Mixed && network.units[u as usize].is_free())
            .collect();
        let row_of = formula.rows.iter().enumerate().map(|(place, &row)| (row, place)).collect();
        record.borrow_mut().hyperplanes = (0..network.units.len()).map(|_| None).collect();
        Propagator {
            values: vec![0; 1 + network.units.len() * formula.rows.len()],
            shared,
            formula,
            record,
            linear,
            slot,
            mixed,
            point,
            trail: Vec::new(),
            levels: Vec::new(),
            queue: VecDeque::new(),
            forgettable: VecDeque::new(),
            known: HashSet::new(),
            thread,
            heard: 0,
            rate: Rate { gap: 1, waited: 0, checks: 0, search: 0 },
            mixed_work: 0,
            row_of,
        }
    }

    /// The variables that this has to hear of.
    pub(crate) fn observed(&self) -> Vec<i32> {
        let m = self.formula.rows.len();
        let mut wanted = vec![false; self.values.len()];
        for unit in &self.linear {
            for i in (0..m).filter(|&i| self.point[unit.group][i].is_some()) {
                wanted[self.formula.value(unit.unit as usize, i) as usize] = true;
            }
        }
        for &u in &self.mixed {
            let inputs = &self.shared.problem.network.units[u as usize].units;
            for i in 0..m {
                wanted[self.formula.value(u as usize, i) as usize] = true;
                inputs.iter().for_each(|&v| wanted[self.formula.value(v as usize, i) as usize] = true);
            }
        }
        (1..wanted.len() as i32).filter(|&v| wanted[v as usize]).collect()
    }

    /// Operations of all engines so far.
    fn work(&self) -> u64 {
        self.linear.iter().map(|unit| unit.engine.work).sum::<u64>() + self.mixed_work
    }

    fn stopped(&self) -> bool {
        self.shared.stop.load(Ordering::Relaxed)
    }

    fn assign(&mut self, literal: i32) {
        let variable = literal.unsigned_abs() as usize;
        if variable >= self.values.len() || self.values[variable] != 0 {
            return;
        }
        self.values[variable] = if literal > 0 { 1 } else { -1 };
        self.trail.push(literal);
        let m = self.formula.rows.len();
        let (u, i) = ((variable - 1) / m, (variable - 1) % m);
        if let Some(slot) = self.slot[u] {
            let unit = &mut self.linear[slot];
            if let Some(point) = self.point[unit.group][i] {
                unit.engine.want(point as usize, literal > 0);
            }
        }
    }

    fn unassign(&mut self, literal: i32) {
        let variable = literal.unsigned_abs() as usize;
        self.values[variable] = 0;
        let m = self.formula.rows.len();
        let (u, i) = ((variable - 1) / m, (variable - 1) % m);
        if let Some(slot) = self.slot[u] {
            let unit = &mut self.linear[slot];
            if let Some(point) = self.point[unit.group][i] {
                unit.engine.release(point as usize);
            }
        }
    }

    /// Takes what other threads told.
    fn import(&mut self) {
        if self.shared.threads == 1 {
            return;
        }
        for fact in self.shared.told.since(self.thread, &mut self.heard) {
            match fact {
                Fact::Circuit(circuit) => {
                    if self.known.insert(signature(&circuit)) {
                        self.hand_over(circuit);
                    }
                }
                Fact::Clause(origin, clause) => {
                    enqueue(&mut self.queue, &mut self.forgettable, &self.values, &clause);
                    self.record.borrow_mut().licenses.push(License::Derived(origin));
                }
            }
        }
    }

    /// A circuit: its clauses go to the search, itself to the record and the other threads. One that contradicts the assignment goes in any case: if it was known its
    /// clauses were forgotten, or another has the same signature.
    fn learn(&mut self, circuit: Circuit, contradicts: bool) {
        if !self.known.insert(signature(&circuit)) && !contradicts {
            return;
        }
        if self.shared.threads > 1 {
            self.shared.told.tell(self.thread, Fact::Circuit(circuit.clone()));
        }
        self.hand_over(circuit);
    }

    fn hand_over(&mut self, circuit: Circuit) {
        let (formula, row_of) = (&self.formula, &self.row_of);
        let network = &self.shared.problem.network;
        let place = |row: u32| row_of.get(&row).copied();
        let (queue, forgettable, values) = (&mut self.queue, &mut self.forgettable, &self.values);
        let mut record = self.record.borrow_mut();
        let owner = record.circuits.len() as u32;
        let all_there = clauses(&circuit, network, formula, place, |clause| {
            enqueue(queue, forgettable, values, clause);
            record.licenses.push(License::Circuit(owner));
        });
        if all_there {
            record.circuits.push(circuit);
        }
    }

    fn circuit_of_points(&self, group: usize, terms: Terms) -> Circuit {
        let points = &self.shared.groups[group].0;
        let row = |point: u32| points.row_of_point[point as usize];
        circuit(Scope::Group(group as u32), terms.into_iter().map(|(point, value)| (row(point), Vec::new(), value)))
    }

    /// Checks all units; whether a circuit was found. `complete`: the assignment is, and every unit must be decided.
    fn check(&mut self, complete: bool) -> bool {
        let mut found = false;
        let mut clean = Vec::new();
        for slot in 0..self.linear.len() {
            if self.stopped() {
                return found;
            }
            let group = self.linear[slot].group;
            match self.linear[slot].engine.check() {
                Check::Separated => {
                    if self.linear[slot].engine.at_vertex {
                        clean.push(slot);
                    }
                }
                Check::Conflict(terms) => {
                    let circuit = self.circuit_of_points(group, terms);
                    self.learn(circuit, true);
                    found = true;
                }
                Check::Unknown if !complete => {}
                Check::Unknown => match self.decide(slot) {
                    Some(terms) => {
                        let circuit = self.circuit_of_points(group, terms);
                        self.learn(circuit, true);
                        found = true;
                    }
                    None => continue,
                },
            }
        }
        if !found && !complete {
            for slot in clean {
                let mut implied = Vec::new();
                self.linear[slot].engine.implied(IMPLIED_UP_TO, IMPLIED_AT_ONCE, &mut implied);
                for terms in implied {
                    let circuit = self.circuit_of_points(self.linear[slot].group, terms);
                    self.learn(circuit, false);
                }
            }
        }
        for index in 0..self.mixed.len() {
            found |= self.check_mixed(self.mixed[index], complete);
        }
        found
    }

    /// Decides a unit for which `f64` was not enough; its exact hyperplane is kept.
    fn decide(&mut self, slot: usize) -> Option<Terms> {
        let unit = &self.linear[slot];
        let points = &self.shared.groups[unit.group].0;
        let wanted: Vec<(u32, i8)> = (unit.engine.wanted.iter().enumerate())
            .filter(|entry| *entry.1 != 0)
            .map(|(point, &side)| (point as u32, side))
            .collect();
        if let Some(terms) = small_circuit(points, &wanted) {
            return Some(terms);
        }
        match separate(&points.exact, &wanted, &|| self.stopped()) {
            Exact::Separated(weights) => {
                self.record.borrow_mut().hyperplanes[unit.unit as usize] = Some(Hyperplane::Exact(weights));
                None
            }
            Exact::Conflict(terms) => Some(terms),
            Exact::Stopped => None,
        }
    }

    fn check_mixed(&mut self, u: u32, complete: bool) -> bool {
        let unit = &self.shared.problem.network.units[u as usize];
        let value = |v: u32, i: usize| self.values[self.formula.value(v as usize, i) as usize];
        let rows: Vec<SeenRow> = (0..self.formula.rows.len())
            .filter(|&i| value(u, i) != 0 && unit.units.iter().all(|&v| value(v, i) != 0))
            .map(|i| SeenRow {
                row: self.formula.rows[i],
                inputs: unit.units.iter().map(|&v| value(v, i) > 0).collect(),
                wanted: value(u, i) > 0,
            })
            .collect();
        self.mixed_work += (rows.len() * (unit.units.len() + self.shared.problem.points.columns() + 1).pow(2)) as u64;
        let outcome = mixed::check(&self.shared.problem, unit, &rows, complete, &|| self.stopped());
        match outcome {
            Some(MixedCheck::Conflict(terms)) => {
                let terms = terms.into_iter().map(|(place, value)| {
                    let row = &rows[place as usize];
                    (row.row, row.inputs.clone(), value)
                });
                let circuit = circuit(Scope::Unit(u), terms);
                self.learn(circuit, true);
                true
            }
            Some(MixedCheck::Separated(hyperplane)) => {
                self.record.borrow_mut().hyperplanes[u as usize] = Some(hyperplane);
                false
            }
            Some(MixedCheck::Stopped) | None => false,
        }
    }
}

/// A clause into the queue; one that says nothing now may be forgotten like other learned clauses.
fn enqueue(queue: &mut VecDeque<i32>, forgettable: &mut VecDeque<bool>, values: &[i8], clause: &[i32]) {
    queue.extend(clause.iter().chain([&0]));
    let holds = |&literal: &i32| i32::from(values[literal.unsigned_abs() as usize]) * literal.signum() >= 0;
    forgettable.push_back(clause.iter().filter(|literal| holds(literal)).count() > 1);
}

/// A circuit from rows with input values.
pub(crate) fn circuit(scope: Scope, terms: impl Iterator<Item = (u32, Vec<bool>, Side)>) -> Circuit {
    let (mut left, mut right) = (Vec::new(), Vec::new());
    for (row, inputs, side) in terms {
        let terms = if side.left { &mut left } else { &mut right };
        terms.push(Term { row, multiplier: side.multiplier, inputs });
    }
    left.sort_unstable_by_key(|term| term.row);
    right.sort_unstable_by_key(|term| term.row);
    Circuit { scope, left, right }
}

/// The two clauses of a circuit for every unit, in the order of docs/loading.md, section 4; whether all of its rows are among the formula's (if not, none).
pub(crate) fn clauses(
    circuit: &Circuit,
    network: &infimum_problem::Network,
    formula: &Formula,
    place: impl Fn(u32) -> Option<usize>,
    mut each: impl FnMut(&[i32]),
) -> bool {
    let sides = [(&circuit.left, -1), (&circuit.right, 1)];
    let mut rows = Vec::with_capacity(circuit.left.len() + circuit.right.len());
    for (side, sign) in sides {
        for term in side {
            match place(term.row) {
                Some(i) => rows.push((i, sign, term)),
                None => return false,
            }
        }
    }
    let alone;
    let units = match circuit.scope {
        Scope::Group(group) => &formula.groups[group as usize][..],
        Scope::Unit(unit) => {
            alone = [unit];
            &alone
        }
    };
    let mut clause = Vec::with_capacity(rows.len());
    for &u in units {
        for flip in [1, -1] {
            clause.clear();
            clause.extend(rows.iter().map(|&(i, sign, _)| flip * sign * formula.value(u as usize, i)));
            if let Scope::Unit(_) = circuit.scope {
                let inputs = &network.units[u as usize].units;
                for &(i, _, term) in &rows {
                    for (&v, &value) in inputs.iter().zip(&term.inputs) {
                        let literal = formula.value(v as usize, i);
                        clause.push(if value { -literal } else { literal });
                    }
                }
            }
            each(&clause);
        }
    }
    true
}

/// A number for a circuit that does not depend on which side is the left.
fn signature(circuit: &Circuit) -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let side = |terms: &[Term]| {
        let mut hasher = DefaultHasher::new();
        matches!(circuit.scope, Scope::Unit(_)).hash(&mut hasher);
        let (Scope::Group(scope) | Scope::Unit(scope)) = circuit.scope;
        scope.hash(&mut hasher);
        terms.iter().for_each(|term| (term.row, &term.inputs).hash(&mut hasher));
        hasher.finish()
    };
    let (left, right) = (side(&circuit.left), side(&circuit.right));
    left.wrapping_mul(right | 1).wrapping_add(right.wrapping_mul(left | 1))
}

impl ExternalPropagator for Propagator {
    fn notify_assignment(&mut self, literals: &[i32]) {
        self.rate.search += ASSIGNMENT * literals.len() as u64;
        literals.iter().for_each(|&literal| self.assign(literal));
    }

    fn notify_new_decision_level(&mut self) {
        self.levels.push(self.trail.len());
    }

    fn notify_backtrack(&mut self, new_level: usize) {
        let Some(&kept) = self.levels.get(new_level) else { return };
        self.levels.truncate(new_level);
        while self.trail.len() > kept {
            if let Some(literal) = self.trail.pop() {
                self.unassign(literal);
            }
        }
    }

    fn cb_check_found_model(&mut self, model: &[i32]) -> bool {
        // The model may name variables that were not announced yet.
        for &literal in model {
            let variable = literal.unsigned_abs() as usize;
            if variable < self.values.len() && self.values[variable] == 0 {
                self.assign(literal);
            }
        }
        let before = self.work();
        self.record.borrow_mut().hyperplanes.iter_mut().for_each(|plane| *plane = None);
        let found = self.check(true);
        self.rate.checked(self.work() - before, found);
        if found {
            self.record.borrow_mut().conflicts += 1;
            return false;
        }
        if self.stopped() {
            return true;
        }
        let mut record = self.record.borrow_mut();
        for unit in &self.linear {
            let plane = &mut record.hyperplanes[unit.unit as usize];
            if plane.is_none() {
                let points = self.shared.groups[unit.group].0.clone();
                *plane = Some(Hyperplane::Scaled(points, unit.engine.weights.clone()));
            }
        }
        true
    }

    fn cb_has_external_clause(&mut self, is_forgettable: &mut bool) -> bool {
        if let Some(&forgettable) = self.forgettable.front() {
            *is_forgettable = forgettable;
            return true;
        }
        if self.stopped() || !self.rate.due() {
            return false;
        }
        self.import();
        let before = self.work();
        let found = self.check(false);
        {
            let mut record = self.record.borrow_mut();
            record.conflicts += u64::from(found);
        }
        self.rate.checked(self.work() - before, found);
        self.record.borrow_mut().operations = CHECKED * self.rate.checks + self.rate.search;
        *is_forgettable = self.forgettable.front().is_some_and(|&forgettable| forgettable);
        !self.queue.is_empty()
    }

    fn cb_add_external_clause_lit(&mut self) -> i32 {
        let literal = self.queue.pop_front().unwrap_or(0);
        if literal == 0 {
            self.forgettable.pop_front();
        }
        literal
    }
}
