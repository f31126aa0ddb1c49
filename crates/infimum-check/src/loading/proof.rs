//! Proofs by reverse unit propagation with hints (docs/loading.md, section 5).
//!
//! A step's clause follows from the clauses before it if assuming all of its literals false and making each hinted clause's last literal
//! true ends in a clause that is false. Invariant: everything on the trail is implied by the clauses and the negated clause of the
//! step. Cruz-Filipe, Heule, Hunt, Kaufmann and Schneider-Kamp, *Efficient certified RAT verification*, CADE 2017 (format LRAT, of
//! which this is the part without RAT).

use infimum_problem::ProofStep;

use super::circuits::Lemmas;
use super::formula::Formula;

/// All clauses that hints can name.
struct Clauses<'a> {
    formula: &'a Formula<'a>,
    lemmas: &'a Lemmas<'a>,
    steps: &'a [ProofStep],
    /// Numbers up to here are the formula's, and then the lemmas'.
    ends: [u64; 2],
}

impl Clauses<'_> {
    /// The literals of a clause, 1 ≤ `number` ≤ those there are; they may be written into `buffer`.
    fn get<'b>(&'b self, number: u64, buffer: &'b mut Vec<i32>) -> &'b [i32] {
        if number > self.ends[1] {
            return &self.steps[(number - self.ends[1] - 1) as usize].clause;
        }
        buffer.clear();
        match number.checked_sub(self.ends[0] + 1) {
            None => self.formula.clause(number, buffer),
            Some(index) => self.lemmas.clause(index, self.formula, buffer),
        }
        buffer
    }
}

/// A partial assignment that can be taken back.
struct Assignment {
    /// By variable: 1 true, −1 false, 0 unassigned.
    values: Vec<i8>,
    trail: Vec<u32>,
}

impl Assignment {
    /// 1 if the literal is true, −1 if false, 0 if unassigned.
    fn of(&self, literal: i32) -> i8 {
        let value = self.values[literal.unsigned_abs() as usize];
        if literal < 0 { -value } else { value }
    }

    fn make_true(&mut self, literal: i32) {
        self.values[literal.unsigned_abs() as usize] = if literal < 0 { -1 } else { 1 };
        self.trail.push(literal.unsigned_abs());
    }

    fn take_back(&mut self) {
        for &variable in &self.trail {
            self.values[variable as usize] = 0;
        }
        self.trail.clear();
    }
}

/// What is left of a clause under an assignment.
enum Rest {
    False,
    Unit(i32),
    True,
    Open,
}

fn rest(clause: &[i32], assignment: &Assignment) -> Rest {
    let mut open = None;
    for &literal in clause {
        match assignment.of(literal) {
            -1 => {}
            0 if open.is_none() || open == Some(literal) => open = Some(literal),
            0 => return Rest::Open,
            _ => return Rest::True,
        }
    }
    open.map_or(Rest::False, Rest::Unit)
}

/// Checks that every step follows and that the last gives the empty clause: no assignment satisfies the formula and the lemmas. The
/// error names the step.
pub(crate) fn refutes(formula: &Formula, lemmas: &Lemmas, steps: &[ProofStep]) -> Result<(), String> {
    if steps.last().is_none_or(|last| !last.clause.is_empty()) {
        return Err("its last step is not the empty clause".into());
    }
    let ends = [formula.clauses(), formula.clauses() + lemmas.clauses()];
    let clauses = Clauses { formula, lemmas, steps, ends };
    let mut assignment = Assignment { values: vec![0; formula.variables() + 1], trail: Vec::new() };
    let mut buffer = Vec::new();
    for (step, number) in steps.iter().zip(ends[1] + 1..) {
        follows(&clauses, number, step, &mut assignment, &mut buffer)
            .map_err(|why| format!("step {}: {why}", number - ends[1]))?;
        assignment.take_back();
    }
    Ok(())
}

/// Whether the step with this number follows from the clauses before it.
fn follows(
    clauses: &Clauses,
    number: u64,
    step: &ProofStep,
    assignment: &mut Assignment,
    buffer: &mut Vec<i32>,
) -> Result<(), String> {
    for &literal in &step.clause {
        if literal == 0 || literal.unsigned_abs() as usize >= assignment.values.len() {
            return Err(format!("literal {literal}, but there are {} variables", assignment.values.len() - 1));
        }
        match assignment.of(literal) {
            0 => assignment.make_true(-literal),
            1 => return Err(format!("it holds the literal {literal} and its complement")),
            _ => {}
        }
    }
    for &hint in &step.hints {
        if hint == 0 || hint >= number {
            return Err(format!("hint {hint} names no clause before it (its own number is {number})"));
        }
        match rest(clauses.get(hint, buffer), assignment) {
            Rest::False => return Ok(()),
            Rest::Unit(literal) => assignment.make_true(literal),
            Rest::True => {}
            Rest::Open => return Err(format!("clause {hint} of its hints has two literals that are not false")),
        }
    }
    Err("its hints end without a clause that is false".into())
}
