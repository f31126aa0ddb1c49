//! Formulas in conjunctive normal form.

use crate::error::DataError;

/// Most variables: a slip must not cost memory without bounds.
const MOST_VARIABLES: usize = 1 << 20;

/// A formula: every clause holds one literal that is true. Literals are variable numbers from 1, negative if negated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cnf {
    /// Number of variables.
    pub variables: usize,
    /// Clauses.
    pub clauses: Vec<Vec<i32>>,
}

impl Cnf {
    /// Reads a DIMACS file; `path` is for messages. SATLIB's end (a line `%`, and what follows) is accepted.
    pub fn parse(path: &str, text: &str) -> Result<Cnf, DataError> {
        let mut cnf = None;
        let mut clause = Vec::new();
        let mut lines = 0;
        for (line, text) in (1..).zip(text.lines()) {
            lines = line;
            let text = text.trim();
            let refused =
                |expected: &str, got: &str| DataError::field(line, None, expected, got.as_bytes()).at(path, 0);
            if text.starts_with('%') {
                break;
            }
            if text.is_empty() || text.starts_with('c') {
                continue;
            }
            let Some((cnf, _)) = &mut cnf else {
                cnf = Some(problem_line(text).ok_or_else(|| refused("`p cnf VARIABLES CLAUSES`", text))?);
                continue;
            };
            let Cnf { variables, clauses } = cnf;
            for token in text.split_ascii_whitespace() {
                match token.parse::<i32>() {
                    Ok(0) => clauses.push(std::mem::take(&mut clause)),
                    Ok(literal) if literal.unsigned_abs() as usize <= *variables => clause.push(literal),
                    _ => return Err(refused(&format!("a literal of {variables} variables, or 0"), token)),
                }
            }
        }
        let Some((cnf, announced)) = cnf else {
            return Err(DataError::input(path, "expected a formula in DIMACS form (`p cnf VARIABLES CLAUSES`)"));
        };
        if !clause.is_empty() {
            return Err(DataError::field(lines, None, "0 at the end of the last clause", b"").at(path, 0));
        }
        if cnf.clauses.len() != announced {
            let message = format!("expected {announced} clauses, as its first line says, got {}", cnf.clauses.len());
            return Err(DataError::input(path, message));
        }
        Ok(cnf)
    }

    /// Reads a DIMACS file, which may be compressed.
    pub fn read(path: &str) -> Result<Cnf, DataError> {
        let text = crate::source::Source::open(path)?.text()?;
        Cnf::parse(path, &text)
    }

    /// Whether every clause holds a true literal.
    pub fn is_satisfied(&self, assignment: &[bool]) -> bool {
        let holds = |literal: &i32| assignment[literal.unsigned_abs() as usize - 1] == (*literal > 0);
        self.clauses.iter().all(|clause| clause.iter().any(holds))
    }

    /// A formula of clauses of 1 to 3 literals of different variables, and at least one variable, that can be satisfied iff this one can; an
    /// assignment of it, cut off after this one's variables, satisfies this one.
    ///
    /// A literal that stands twice is dropped, a clause with a variable and its negation too. `a ∨ b ∨ c ∨ …` of more than three literals is
    /// `(a ∨ b ∨ z)`, `(¬z ∨ c ∨ …)` with a new variable z, and so on; the empty clause is `(z)`, `(¬z)`.
    pub fn of_three(&self) -> Cnf {
        let mut result = Cnf { variables: self.variables, clauses: Vec::new() };
        let new = |result: &mut Cnf| {
            result.variables += 1;
            result.variables as i32
        };
        for clause in &self.clauses {
            let mut literals: Vec<i32> = Vec::with_capacity(clause.len());
            clause.iter().for_each(|literal| {
                if !literals.contains(literal) {
                    literals.push(*literal);
                }
            });
            if literals.iter().any(|literal| literals.contains(&-literal)) {
                continue;
            }
            if literals.is_empty() {
                let z = new(&mut result);
                result.clauses.extend([vec![z], vec![-z]]);
                continue;
            }
            let mut rest = &literals[..];
            let mut carried = None;
            while rest.len() + usize::from(carried.is_some()) > 3 {
                let taken = 2 - usize::from(carried.is_some());
                let z = new(&mut result);
                result.clauses.push(carried.into_iter().chain(rest[..taken].iter().copied()).chain([z]).collect());
                (carried, rest) = (Some(-z), &rest[taken..]);
            }
            result.clauses.push(carried.into_iter().chain(rest.iter().copied()).collect());
        }
        if result.variables == 0 {
            new(&mut result);
        }
        result
    }
}

/// `p cnf VARIABLES CLAUSES`: a formula without clauses, and how many it is to have.
fn problem_line(text: &str) -> Option<(Cnf, usize)> {
    let mut words = text.split_ascii_whitespace();
    let (p, form) = (words.next()?, words.next()?);
    let (variables, clauses) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    let right = (p, form, words.next()) == ("p", "cnf", None) && variables <= MOST_VARIABLES;
    right.then_some((Cnf { variables, clauses: Vec::new() }, clauses))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::reductions::testing;

    #[test]
    fn satlib_files() {
        let text = "c a comment\np cnf 3  2 \n 1 -3 0\n2\n3 -1 0\n%\n0\n\n";
        let cnf = Cnf::parse("f.cnf", text).expect("read");
        assert_eq!(cnf, Cnf { variables: 3, clauses: vec![vec![1, -3], vec![2, 3, -1]] });
        assert!(cnf.is_satisfied(&[true, true, false]));
        assert!(!cnf.is_satisfied(&[true, false, false]));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, expected) in [
            ("", "f.cnf: expected a formula in DIMACS form"),
            ("1 2 0\n", "f.cnf, line 1: expected `p cnf VARIABLES CLAUSES`, got `1 2 0`"),
            ("p cnf 2 99999999999999999999999\n", "f.cnf, line 1: expected `p cnf VARIABLES CLAUSES`"),
            ("p cnf 2 1\n1 -3 0\n", "f.cnf, line 2: expected a literal of 2 variables, or 0, got `-3`"),
            ("p cnf 2 1\n1 x 0\n", "f.cnf, line 2: expected a literal of 2 variables, or 0, got `x`"),
            ("p cnf 2 1\n\n1 2\n", "f.cnf, line 3: expected 0 at the end of the last clause, got nothing"),
            ("p cnf 2 2\n1 2 0\n", "f.cnf: expected 2 clauses, as its first line says, got 1"),
            ("p cnf 99999999 0\n", "f.cnf, line 1: expected `p cnf VARIABLES CLAUSES`"),
        ] {
            let error = Cnf::parse("f.cnf", text).expect_err(text).to_string();
            assert!(error.starts_with(expected), "{error}");
        }
    }

    proptest! {
        #[test]
        fn three_literals_suffice(cnf in testing::formula(4, 6, 6)) {
            let three = cnf.of_three();
            prop_assume!(three.variables <= 16);
            prop_assert!(three.variables > 0);
            for clause in &three.clauses {
                prop_assert!((1..=3).contains(&clause.len()));
                let variables: std::collections::HashSet<u32> = clause.iter().map(|literal| literal.unsigned_abs()).collect();
                prop_assert_eq!(variables.len(), clause.len());
            }
            prop_assert_eq!(testing::satisfiable(&three), testing::satisfiable(&cnf));
            for assignment in testing::assignments(three.variables).filter(|assignment| three.is_satisfied(assignment)) {
                prop_assert!(cnf.is_satisfied(&assignment[..cnf.variables]));
            }
        }
    }
}
