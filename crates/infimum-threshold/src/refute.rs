//! The refutation that a stranger can check: what CaDiCaL derived, with LRAT hints, walked back from the empty clause; what that does not rest on is left out,
//! circuits first of all.
//!
//! A search over all rows is traced while it goes on, and its trace is the proof. One that left rows out, or whose trace grew too long, is followed by another: the
//! formula over all rows with the clauses of all its circuits is solved once more, without theory.

use std::cell::RefCell;
use std::rc::Rc;

use cadical_sys::{CaDiCal, ProofTracer, Status, Terminator};
use infimum_problem::{Circuit, LoadingProblem, ProofStep};

use crate::formula::Formula;
use crate::maps::Map;
use crate::propagator::clauses;

/// What solving once more gave.
pub(crate) enum Refutation {
    /// The circuits needed, renumbered, and the steps.
    Proof(Vec<Circuit>, Vec<ProofStep>),
    /// The circuits do not suffice: an assignment of all values satisfies the formula.
    Satisfiable,
    /// Told to stop.
    Stopped,
}

/// Most literals and hints that a trace keeps; beyond, the proof is made by solving once more.
const LONGEST: usize = 150_000_000;

/// Derived clauses in the order of their making.
#[derive(Default)]
pub(crate) struct Trace {
    /// CaDiCaL's number of the k-th original clause.
    originals: Vec<i64>,
    numbers: Vec<i64>,
    literals: Vec<i32>,
    literal_ends: Vec<usize>,
    hints: Vec<i64>,
    hint_ends: Vec<usize>,
    /// A step of another kind than reverse unit propagation was made.
    foreign: bool,
    /// It grew too long and was given up.
    full: bool,
}

/// Writes what CaDiCaL derives into a trace.
pub(crate) struct Tracer(pub(crate) Rc<RefCell<Trace>>);

impl ProofTracer for Tracer {
    fn add_original_clause(&mut self, id: i64, _redundant: bool, _clause: &[i32], restored: bool) {
        let mut trace = self.0.borrow_mut();
        if !restored && !trace.full {
            trace.originals.push(id);
        }
    }

    fn add_derived_clause(&mut self, id: i64, _redundant: bool, witness: i32, clause: &[i32], antecedents: &[i64]) {
        let mut trace = self.0.borrow_mut();
        trace.foreign |= witness != 0;
        if trace.full || trace.literals.len() + trace.hints.len() > LONGEST {
            *trace = Trace { full: true, ..Trace::default() };
            return;
        }
        trace.numbers.push(id);
        trace.literals.extend_from_slice(clause);
        let end = trace.literals.len();
        trace.literal_ends.push(end);
        trace.hints.extend_from_slice(antecedents);
        let end = trace.hints.len();
        trace.hint_ends.push(end);
    }

    fn delete_clause(&mut self, _id: i64, _redundant: bool, _clause: &[i32]) {}
    fn weaken_minus(&mut self, _id: i64, _clause: &[i32]) {}
    fn strengthen(&mut self, _id: i64) {}
    fn finalize_clause(&mut self, _id: i64, _clause: &[i32]) {}
    fn add_assumption(&mut self, _lit: i32) {}
    fn add_constraint(&mut self, _clause: &[i32]) {}
    fn reset_assumptions(&mut self) {}
    fn add_assumption_clause(&mut self, _id: i64, _clause: &[i32], _antecedents: &[i64]) {}
    fn conclude_sat(&mut self, _conclusion_type: i32, _model: &[i32]) {}
    fn conclude_unsat(&mut self, _conclusion_type: i32, _clause_ids: &[i64]) {}
    fn conclude_unknown(&mut self, _trail: &[i32]) {}
}

/// Asks a closure whether to stop.
pub(crate) struct Until<F>(pub(crate) F);

impl<F: FnMut() -> bool> Terminator for Until<F> {
    fn terminated(&mut self) -> bool {
        (self.0)()
    }
}

/// Refutes "at most `allowed` rows are wrong" by the circuits.
pub(crate) fn refute(
    problem: &LoadingProblem,
    allowed: u64,
    symmetry: bool,
    maps: &[Map],
    circuits: &[&Circuit],
    stop: impl FnMut() -> bool + 'static,
) -> Refutation {
    let formula = Formula::new(problem, (0..problem.rows() as u32).collect(), allowed, symmetry, maps);
    let trace = Rc::new(RefCell::new(Trace::default()));
    let mut solver = CaDiCal::new();
    solver.set("quiet", 1);
    solver.set("factor", 0);
    solver.set("lrat", 1);
    solver.connect_proof_tracer1(Tracer(trace.clone()), true, false);
    solver.connect_terminator(Until(stop));
    solver.resize(formula.variables);
    let mut add = |clause: &[i32]| solver.clause6(clause);
    formula.clauses().for_each(&mut add);
    // For every lemma clause the circuit it is of.
    let mut owner = Vec::new();
    for (place, circuit) in circuits.iter().enumerate() {
        clauses(
            circuit,
            &problem.network,
            &formula,
            |row| Some(row as usize),
            |clause| {
                owner.push(place as u32);
                add(clause);
            },
        );
    }
    let status = solver.solve();
    drop(solver);
    match status {
        Status::UNSATISFIABLE => {}
        Status::SATISFIABLE => return Refutation::Satisfiable,
        _ => return Refutation::Stopped,
    }
    let trace = trace.borrow();
    match trim(&trace, &formula, &owner, circuits) {
        Some((circuits, steps)) => Refutation::Proof(circuits, steps),
        None => Refutation::Stopped,
    }
}

impl Trace {
    fn clause(&self, step: usize) -> &[i32] {
        let start = if step == 0 { 0 } else { self.literal_ends[step - 1] };
        &self.literals[start..self.literal_ends[step]]
    }

    fn hints(&self, step: usize) -> &[i64] {
        let start = if step == 0 { 0 } else { self.hint_ends[step - 1] };
        &self.hints[start..self.hint_ends[step]]
    }
}

/// What a number of CaDiCaL's stands for.
#[derive(Clone, Copy)]
enum Known {
    Nothing,
    Original(u64),
    Derived(usize),
}

/// Walks back from the empty clause, keeps what it rests on, and numbers it as docs/loading.md says. `formula`: its clauses were the first originals, those of the circuits
/// came after; `owner`: for each of these the circuit. `None` if the trace is no proof of the kind that the checker takes.
pub(crate) fn trim(
    trace: &Trace,
    formula: &Formula,
    owner: &[u32],
    circuits: &[&Circuit],
) -> Option<(Vec<Circuit>, Vec<ProofStep>)> {
    let last = (0..trace.numbers.len()).find(|&step| trace.clause(step).is_empty())?;
    if trace.foreign || trace.full {
        return None;
    }
    // What every number of CaDiCaL's is: nothing, an original clause by its place from 1, or a derived one by its step.
    let most = trace.originals.iter().chain(&trace.numbers[..=last]).copied().max()?;
    let mut known = vec![Known::Nothing; usize::try_from(most).ok()? + 1];
    for (place, &id) in trace.originals.iter().enumerate().filter(|entry| *entry.1 <= most) {
        *known.get_mut(usize::try_from(id).ok()?)? = Known::Original(place as u64 + 1);
    }
    for (step, &id) in trace.numbers[..=last].iter().enumerate() {
        *known.get_mut(usize::try_from(id).ok()?)? = Known::Derived(step);
    }
    let known = |id: i64| usize::try_from(id).ok().and_then(|id| known.get(id).copied()).unwrap_or(Known::Nothing);
    let own = formula.numbers.len() as u64;
    let mut needed = vec![false; last + 1];
    let mut used = vec![false; circuits.len()];
    needed[last] = true;
    for step in (0..=last).rev() {
        if !needed[step] {
            continue;
        }
        for &id in trace.hints(step) {
            match known(id) {
                Known::Original(place) if place <= own => {}
                Known::Original(place) => used[*owner.get((place - own - 1) as usize)? as usize] = true,
                Known::Derived(step) => needed[step] = true,
                Known::Nothing => return None,
            }
        }
    }
    let kept: Vec<Circuit> =
        circuits.iter().zip(&used).filter(|entry| *entry.1).map(|entry| (*entry.0).clone()).collect();
    // New numbers of the lemma clauses: those of unused circuits are gone.
    let mut lemma = vec![0u64; owner.len()];
    let mut next = formula.count;
    for (place, &circuit) in owner.iter().enumerate() {
        if used[circuit as usize] {
            next += 1;
            lemma[place] = next;
        }
    }
    let mut number = vec![0u64; last + 1];
    let mut steps = Vec::new();
    for step in (0..=last).filter(|&step| needed[step]) {
        next += 1;
        number[step] = next;
        let hints = (trace.hints(step).iter())
            .map(|&id| match known(id) {
                Known::Original(place) if place <= own => formula.numbers.get((place - 1) as usize).copied(),
                Known::Original(place) => lemma.get((place - own - 1) as usize).copied(),
                Known::Derived(step) => Some(number[step]),
                Known::Nothing => None,
            })
            .collect::<Option<Vec<u64>>>()?;
        steps.push(ProofStep { clause: trace.clause(step).to_vec(), hints });
    }
    Some((kept, steps))
}
