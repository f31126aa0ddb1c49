//! The refutation that a stranger can check: what CaDiCaL derived, with LRAT hints, walked back from the empty clause, or from the clauses that refute cubes; what that does not rest on is left
//! out, circuits first of all.
//!
//! A search over all rows is traced while it goes on, and its trace is the proof. One that left rows out, or whose trace grew too long, is followed by another: the
//! formula over all rows with the clauses of all its circuits is solved once more, without theory.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use cadical_sys::{CaDiCal, ProofTracer, Status, Terminator};
use infimum_problem::{Circuit, LoadingProblem, ProofStep, Scope, Term};

use crate::cubes::{Cubes, ROOT};
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
    /// The last step that refutes what was assumed: the empty clause, or negations of assumptions.
    pub(crate) refuted: Option<usize>,
    /// Clauses derived so far, counted also where they are not kept.
    pub(crate) derived: u64,
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
        trace.add(id, clause, antecedents);
        if clause.is_empty() {
            trace.refuted = trace.numbers.len().checked_sub(1);
        }
    }

    fn delete_clause(&mut self, _id: i64, _redundant: bool, _clause: &[i32]) {}
    fn weaken_minus(&mut self, _id: i64, _clause: &[i32]) {}
    fn strengthen(&mut self, _id: i64) {}
    fn finalize_clause(&mut self, _id: i64, _clause: &[i32]) {}
    fn add_assumption(&mut self, _lit: i32) {}
    fn add_constraint(&mut self, _clause: &[i32]) {}
    fn reset_assumptions(&mut self) {}
    fn add_assumption_clause(&mut self, id: i64, clause: &[i32], antecedents: &[i64]) {
        let mut trace = self.0.borrow_mut();
        trace.add(id, clause, antecedents);
        trace.refuted = trace.numbers.len().checked_sub(1);
    }
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
    let part = Part { trace: trace.take(), owners: owner, given: circuits.to_vec(), found: Vec::new() };
    let Some(last) = part.trace.refuted else { return Refutation::Stopped };
    let cubes = Cubes::new(1);
    cubes.refuted(ROOT, (0, last), Vec::new());
    match join(&formula, &[part], &cubes) {
        Some((circuits, steps)) => Refutation::Proof(circuits, steps),
        None => Refutation::Stopped,
    }
}

/// What one solver knew and derived.
#[derive(Default)]
pub(crate) struct Part<'a> {
    pub(crate) trace: Trace,
    /// For every clause of a circuit, in the order in which they were handed over, the circuit: first those that it was given, then those that it found.
    pub(crate) owners: Vec<u32>,
    pub(crate) given: Vec<&'a Circuit>,
    pub(crate) found: Vec<Circuit>,
}

impl Trace {
    fn add(&mut self, id: i64, clause: &[i32], hints: &[i64]) {
        self.derived += 1;
        if self.full || self.literals.len() + self.hints.len() > LONGEST {
            *self = Trace { full: true, derived: self.derived, ..Trace::default() };
            return;
        }
        self.numbers.push(id);
        self.literals.extend_from_slice(clause);
        self.literal_ends.push(self.literals.len());
        self.hints.extend_from_slice(hints);
        self.hint_ends.push(self.hints.len());
    }

    /// The last clauses derived, at most `most`.
    pub(crate) fn latest(&self, most: usize) -> impl Iterator<Item = &[i32]> {
        (self.numbers.len().saturating_sub(most)..self.numbers.len()).map(|step| self.clause(step))
    }

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
    /// A clause of the formula, by the checker's number.
    Formula(u64),
    /// A clause of a circuit, by its place.
    Lemma(usize),
    Derived(usize),
}

/// One part, walked back from the steps that are needed.
struct Walked<'a> {
    part: &'a Part<'a>,
    known: Vec<Known>,
    /// Which steps are needed.
    needed: Vec<bool>,
}

impl<'a> Walked<'a> {
    /// `None` if the trace is no proof of the kind that the checker takes. `used`: the circuits that it rests on.
    fn new(part: &'a Part<'a>, formula: &Formula, roots: &[usize], used: &mut [bool]) -> Option<Walked<'a>> {
        let trace = &part.trace;
        if trace.foreign || trace.full {
            return None;
        }
        let end = roots.iter().max().map_or(0, |&last| last + 1);
        let most = trace.originals.iter().chain(&trace.numbers[..end]).copied().max().unwrap_or(0);
        let mut known = vec![Known::Nothing; usize::try_from(most).ok()? + 1];
        let own = formula.numbers.len();
        for (place, &id) in trace.originals.iter().enumerate().filter(|entry| *entry.1 <= most) {
            let known = known.get_mut(usize::try_from(id).ok()?)?;
            *known = formula
                .numbers
                .get(place)
                .map_or(Known::Lemma(place.wrapping_sub(own)), |&number| Known::Formula(number));
        }
        for (step, &id) in trace.numbers[..end].iter().enumerate() {
            *known.get_mut(usize::try_from(id).ok()?)? = Known::Derived(step);
        }
        let mut needed = vec![false; end];
        roots.iter().for_each(|&root| needed[root] = true);
        let mut walked = Walked { part, known, needed };
        for step in (0..end).rev() {
            if !walked.needed[step] {
                continue;
            }
            for &id in trace.hints(step) {
                match walked.known(id) {
                    Known::Formula(_) => {}
                    Known::Lemma(place) => used[*part.owners.get(place)? as usize] = true,
                    Known::Derived(step) => walked.needed[step] = true,
                    Known::Nothing => return None,
                }
            }
        }
        Some(walked)
    }

    fn known(&self, id: i64) -> Known {
        usize::try_from(id).ok().and_then(|id| self.known.get(id).copied()).unwrap_or(Known::Nothing)
    }

    /// Appends the needed steps, whose first has the number `next`; the numbers of all steps. `lemma`: the numbers of the circuits' clauses.
    fn write(&self, lemma: &[u64], next: &mut u64, steps: &mut Vec<ProofStep>) -> Option<Vec<u64>> {
        let trace = &self.part.trace;
        let mut number = vec![0u64; self.needed.len()];
        for step in (0..self.needed.len()).filter(|&step| self.needed[step]) {
            number[step] = *next;
            *next += 1;
            let hints = (trace.hints(step).iter())
                .map(|&id| match self.known(id) {
                    Known::Formula(number) => Some(number),
                    Known::Lemma(place) => lemma.get(place).copied(),
                    Known::Derived(step) => Some(number[step]),
                    Known::Nothing => None,
                })
                .collect::<Option<Vec<u64>>>()?;
            steps.push(ProofStep { clause: trace.clause(step).to_vec(), hints });
        }
        Some(number)
    }
}

/// The rows of a side with the values of their inputs.
pub(crate) type Rows<'a> = Vec<(u32, &'a [bool])>;

/// A circuit by what its clauses say.
pub(crate) fn key(circuit: &Circuit) -> (Scope, Rows<'_>, Rows<'_>) {
    fn side(terms: &[Term]) -> Rows<'_> {
        terms.iter().map(|term| (term.row, &term.inputs[..])).collect()
    }
    (circuit.scope, side(&circuit.left), side(&circuit.right))
}

/// The refutation of the empty cube: the steps of all parts that it rests on, part after part, then the resolvents along the splits; numbered as docs/loading.md says, with the circuits that are used,
/// each once. In every part the formula's clauses were the first originals, those of its circuits came after.
pub(crate) fn join(formula: &Formula, parts: &[Part], cubes: &Cubes) -> Option<(Vec<Circuit>, Vec<ProofStep>)> {
    let origins = cubes.origins();
    let mut walked = Vec::new();
    // The circuits used, of all parts, and where each first stands.
    let mut kept: Vec<Circuit> = Vec::new();
    let mut places: HashMap<_, usize> = HashMap::new();
    let mut place_of: Vec<Vec<Option<usize>>> = Vec::new();
    for (thread, part) in parts.iter().enumerate() {
        let roots: Vec<usize> = origins.iter().filter(|origin| origin.0 == thread).map(|origin| origin.1).collect();
        let mut used = vec![false; part.given.len() + part.found.len()];
        walked.push(Walked::new(part, formula, &roots, &mut used)?);
        let circuits = part.given.iter().copied().chain(&part.found).zip(&used);
        let placed = circuits.map(|(circuit, &used)| {
            used.then(|| {
                *places.entry(key(circuit)).or_insert_with(|| {
                    kept.push(circuit.clone());
                    kept.len() - 1
                })
            })
        });
        place_of.push(placed.collect());
    }
    // Numbers of the clauses of circuits: those of one circuit stand together in every part, in the same order.
    let clauses = |circuit: &Circuit| match circuit.scope {
        Scope::Group(group) => 2 * formula.groups[group as usize].len() as u64,
        Scope::Unit(_) => 2,
    };
    let mut next = formula.count + 1;
    let first: Vec<u64> = kept
        .iter()
        .map(|circuit| {
            next += clauses(circuit);
            next - clauses(circuit)
        })
        .collect();
    let mut steps = Vec::new();
    let mut numbers = Vec::new();
    for (walked, places) in walked.iter().zip(&place_of) {
        let (mut before, mut ordinal) = (None, 0);
        let lemma = walked.part.owners.iter().map(|&owner| {
            ordinal = if before == Some(owner) { ordinal + 1 } else { 0 };
            before = Some(owner);
            places[owner as usize].map_or(0, |place| first[place] + ordinal)
        });
        let lemma: Vec<u64> = lemma.collect();
        numbers.push(walked.write(&lemma, &mut next, &mut steps)?);
    }
    cubes.resolve(
        |(thread, step)| numbers[thread][step],
        |clause, parents| {
            steps.push(ProofStep { clause, hints: parents.to_vec() });
            next += 1;
            next - 1
        },
    );
    Some((kept, steps))
}
