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

use crate::cubes::{Cubes, Origin, ROOT};
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

/// Is shown each clause that was derived and the step of the trace that it is.
pub(crate) type Tell = Box<dyn FnMut(usize, &[i32])>;

/// Writes what CaDiCaL derives into a trace.
pub(crate) struct Tracer {
    pub(crate) trace: Rc<RefCell<Trace>>,
    pub(crate) tell: Option<Tell>,
}

impl ProofTracer for Tracer {
    fn add_original_clause(&mut self, id: i64, _redundant: bool, _clause: &[i32], restored: bool) {
        let mut trace = self.trace.borrow_mut();
        if !restored && !trace.full {
            trace.originals.push(id);
        }
    }

    fn add_derived_clause(&mut self, id: i64, _redundant: bool, witness: i32, clause: &[i32], antecedents: &[i64]) {
        let mut trace = self.trace.borrow_mut();
        trace.foreign |= witness != 0;
        trace.add(id, clause, antecedents);
        if clause.is_empty() {
            trace.refuted = trace.numbers.len().checked_sub(1);
        }
        if let (Some(tell), false) = (&mut self.tell, trace.foreign) {
            tell(trace.numbers.len().saturating_sub(1), clause);
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
        let mut trace = self.trace.borrow_mut();
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
    solver.connect_proof_tracer1(Tracer { trace: trace.clone(), tell: None }, true, false);
    solver.connect_terminator(Until(stop));
    solver.resize(formula.variables);
    let mut add = |clause: &[i32]| solver.clause6(clause);
    formula.clauses().for_each(&mut add);
    let mut licenses = Vec::new();
    for (place, circuit) in circuits.iter().enumerate() {
        clauses(
            circuit,
            &problem.network,
            &formula,
            |row| Some(row as usize),
            |clause| {
                licenses.push(License::Circuit(place as u32));
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
    let part = Part { trace: trace.take(), licenses, given: circuits.to_vec(), found: Vec::new() };
    let Some(last) = part.trace.refuted else { return Refutation::Stopped };
    let cubes = Cubes::new(1);
    cubes.refuted(ROOT, (0, last), Vec::new());
    match join(&formula, &[part], &cubes) {
        Some((circuits, steps)) => Refutation::Proof(circuits, steps),
        None => Refutation::Stopped,
    }
}

/// Why a clause holds that was handed over.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum License {
    /// It is one of a circuit, by its place.
    Circuit(u32),
    /// Another solver derived it.
    Derived(Origin),
}

/// What one solver knew and derived.
#[derive(Default)]
pub(crate) struct Part<'a> {
    pub(crate) trace: Trace,
    /// For every clause that was handed over behind the formula, in that order; circuits are counted from those that it was given on to those that it found.
    pub(crate) licenses: Vec<License>,
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
    /// A clause that was handed over, by its place.
    Handed(usize),
    Derived(usize),
}

/// What the numbers of one part stand for.
struct Numbers(Vec<Known>);

impl Numbers {
    /// `None` if the trace is no proof of the kind that the checker takes.
    fn new(trace: &Trace, formula: &Formula) -> Option<Numbers> {
        if trace.foreign || trace.full {
            return None;
        }
        let most = trace.originals.iter().chain(&trace.numbers).copied().max().unwrap_or(0);
        let mut known = vec![Known::Nothing; usize::try_from(most).ok()? + 1];
        let own = formula.numbers.len();
        for (place, &id) in trace.originals.iter().enumerate() {
            let number = formula.numbers.get(place);
            *known.get_mut(usize::try_from(id).ok()?)? =
                number.map_or(Known::Handed(place.wrapping_sub(own)), |&number| Known::Formula(number));
        }
        for (step, &id) in trace.numbers.iter().enumerate() {
            *known.get_mut(usize::try_from(id).ok()?)? = Known::Derived(step);
        }
        Some(Numbers(known))
    }

    fn known(&self, id: i64) -> Known {
        usize::try_from(id).ok().and_then(|id| self.0.get(id).copied()).unwrap_or(Known::Nothing)
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

/// Which steps and circuits of the parts a refutation rests on.
struct Needed {
    steps: Vec<Vec<bool>>,
    circuits: Vec<Vec<bool>>,
}

impl Needed {
    /// Walks back from the steps `roots`; `None` if something is missing.
    fn new(parts: &[Part], numbers: &[Numbers], roots: Vec<Origin>) -> Option<Needed> {
        let steps = parts.iter().map(|part| vec![false; part.trace.numbers.len()]).collect();
        let circuits = parts.iter().map(|part| vec![false; part.given.len() + part.found.len()]).collect();
        let mut needed = Needed { steps, circuits };
        let mut ahead = roots;
        while let Some((thread, step)) = ahead.pop() {
            if std::mem::replace(needed.steps.get_mut(thread)?.get_mut(step)?, true) {
                continue;
            }
            for &id in parts[thread].trace.hints(step) {
                match numbers[thread].known(id) {
                    Known::Nothing => return None,
                    Known::Formula(_) => {}
                    Known::Derived(step) => ahead.push((thread, step)),
                    Known::Handed(place) => match *parts[thread].licenses.get(place)? {
                        License::Circuit(circuit) => *needed.circuits[thread].get_mut(circuit as usize)? = true,
                        License::Derived(origin) => ahead.push(origin),
                    },
                }
            }
        }
        Some(needed)
    }
}

/// Writes the needed steps of all parts in an order in which each comes after what it rests on.
///
/// Every part keeps its order; before a step that rests on a clause of another part, that part is written up to it. Since a clause is told after it was derived, what it
/// rests on was derived before it, so that this goes through the threads at most once each.
struct Writer<'a> {
    parts: &'a [Part<'a>],
    numbers: &'a [Numbers],
    needed: &'a [Vec<bool>],
    /// For every part and clause handed over the number of the circuit's clause, or 0.
    lemmas: Vec<Vec<u64>>,
    /// For every part and step its number, or 0 while it is not written.
    written: Vec<Vec<u64>>,
    /// For every part the next step.
    at: Vec<usize>,
    next: u64,
    steps: Vec<ProofStep>,
}

impl Writer<'_> {
    /// Writes the steps of `thread` before `end`, from within so many others.
    fn write(&mut self, thread: usize, end: usize, within: usize) -> Option<()> {
        if within > self.parts.len() {
            return None;
        }
        let part = &self.parts[thread];
        while self.at[thread] < end {
            let step = self.at[thread];
            if self.needed[thread][step] {
                let hints = part.trace.hints(step);
                for &id in hints {
                    if let Known::Handed(place) = self.numbers[thread].known(id)
                        && let License::Derived((other, step)) = part.licenses[place]
                        && self.at[other] <= step
                    {
                        self.write(other, step + 1, within + 1)?;
                    }
                }
                let hints = hints.iter().map(|&id| self.number(thread, id)).collect::<Option<Vec<u64>>>()?;
                self.steps.push(ProofStep { clause: part.trace.clause(step).to_vec(), hints });
                self.written[thread][step] = self.next;
                self.next += 1;
            }
            self.at[thread] = step + 1;
        }
        Some(())
    }

    /// The number of a clause that is written already.
    fn number(&self, thread: usize, id: i64) -> Option<u64> {
        let number = match self.numbers[thread].known(id) {
            Known::Nothing => 0,
            Known::Formula(number) => number,
            Known::Derived(step) => self.written[thread][step],
            Known::Handed(place) => match self.parts[thread].licenses[place] {
                License::Circuit(_) => self.lemmas[thread][place],
                License::Derived((other, step)) => self.written[other][step],
            },
        };
        (number != 0).then_some(number)
    }
}

/// The refutation of the empty cube: the steps of all parts that it rests on, then the resolvents along the splits; numbered as docs/loading.md says, with the circuits that are used,
/// each once. In every part the formula's clauses were the first originals, those handed over came after.
pub(crate) fn join(formula: &Formula, parts: &[Part], cubes: &Cubes) -> Option<(Vec<Circuit>, Vec<ProofStep>)> {
    let numbers = std::thread::scope(|scope| {
        let of = |part: &Part| Numbers::new(&part.trace, formula);
        let (first, others) = parts.split_first()?;
        let others: Vec<_> = others.iter().map(|part| scope.spawn(move || of(part))).collect();
        let others = others.into_iter().map(|numbers| numbers.join().ok().flatten());
        [of(first)].into_iter().chain(others).collect::<Option<Vec<_>>>()
    })?;
    let needed = Needed::new(parts, &numbers, cubes.origins())?;
    // The circuits used, of all parts, and where each first stands.
    let mut kept: Vec<Circuit> = Vec::new();
    let mut places: HashMap<_, usize> = HashMap::new();
    let mut place_of: Vec<Vec<Option<usize>>> = Vec::new();
    for (part, used) in parts.iter().zip(&needed.circuits) {
        let circuits = part.given.iter().copied().chain(&part.found).zip(used);
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
    let lemmas = parts.iter().zip(&place_of).map(|(part, places)| {
        let (mut before, mut ordinal) = (None, 0);
        let number = |&license: &License| {
            ordinal = if before == Some(license) { ordinal + 1 } else { 0 };
            before = Some(license);
            match license {
                License::Circuit(circuit) => places[circuit as usize].map_or(0, |place| first[place] + ordinal),
                License::Derived(_) => 0,
            }
        };
        part.licenses.iter().map(number).collect()
    });
    let mut writer = Writer {
        parts,
        numbers: &numbers,
        needed: &needed.steps,
        lemmas: lemmas.collect(),
        written: parts.iter().map(|part| vec![0; part.trace.numbers.len()]).collect(),
        at: vec![0; parts.len()],
        next,
        steps: Vec::new(),
    };
    for (thread, part) in parts.iter().enumerate() {
        writer.write(thread, part.trace.numbers.len(), 1)?;
    }
    let Writer { written, mut next, mut steps, .. } = writer;
    cubes.resolve(
        |(thread, step)| written[thread][step],
        |clause, parents| {
            steps.push(ProofStep { clause, hints: parents.to_vec() });
            next += 1;
            next - 1
        },
    );
    Some((kept, steps))
}

#[cfg(test)]
mod tests {
    use infimum_problem::Network;

    use super::*;
    use crate::rows::of_rows;

    /// Two parts that tell each other twice: each step stands behind all that it rests on, and what nothing rests on is left out.
    #[test]
    fn parts_that_tell_each_other() {
        let rows: Vec<Vec<i64>> = vec![vec![0], vec![1], vec![2]];
        let problem = of_rows(&rows, vec![Some(true), Some(false), Some(true)], Network::layered(&[1], 1));
        let formula = Formula::new(&problem, vec![0, 1, 2], 0, true, &[]);
        let own = formula.numbers.len() as i64;
        let part = |licenses: &[(i64, Origin)], steps: &[(i64, &[i32], &[i64])]| {
            let mut trace = Trace { originals: (1..=own).collect(), ..Trace::default() };
            trace.originals.extend(licenses.iter().map(|entry| own + entry.0));
            for (id, clause, hints) in steps {
                trace.add(own + id, clause, hints);
            }
            let licenses = licenses.iter().map(|entry| License::Derived(entry.1)).collect();
            Part { trace, licenses, ..Part::default() }
        };
        let parts = [
            part(
                &[(2, (1, 0)), (5, (1, 2))],
                &[(1, &[1], &[1]), (3, &[2], &[own + 1, own + 2]), (4, &[9], &[1]), (6, &[], &[own + 3, own + 5])],
            ),
            part(
                &[(2, (0, 1))],
                &[(1, &[3], &[2]), (3, &[8], &[own + 1]), (4, &[4], &[own + 2, own + 1]), (5, &[7], &[own + 2])],
            ),
        ];
        let cubes = Cubes::new(1);
        cubes.refuted(ROOT, (0, 3), Vec::new());
        let (circuits, steps) = join(&formula, &parts, &cubes).expect("a proof");
        assert!(circuits.is_empty());
        let clauses: Vec<&[i32]> = steps.iter().map(|step| &step.clause[..]).collect();
        assert_eq!(clauses, [&[1][..], &[3], &[2], &[4], &[]]);
        let next = formula.count + 1;
        let hints: Vec<&[u64]> = steps.iter().map(|step| &step.hints[..]).collect();
        let own = |place: usize| formula.numbers[place];
        let expected =
            [vec![own(0)], vec![own(1)], vec![next, next + 1], vec![next + 2, next + 1], vec![next + 2, next + 3]];
        assert_eq!(hints, expected);
        // A clause that rests on itself through the other part is no proof.
        let around = [
            part(&[(1, (1, 0))], &[(2, &[1], &[own(0) as i64, formula.numbers.len() as i64 + 1])]),
            part(&[(1, (0, 0))], &[(2, &[1], &[formula.numbers.len() as i64 + 1])]),
        ];
        let cubes = Cubes::new(1);
        cubes.refuted(ROOT, (0, 0), Vec::new());
        assert!(join(&formula, &around, &cubes).is_none());
    }
}
