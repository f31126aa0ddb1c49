//! Set splitting: colour elements with two colours such that no set is of one colour (Garey and Johnson 1979, problem SP4).

use crate::builtin::Random;
use crate::reductions::Cnf;

/// Elements from 0 and sets of them, strictly increasing and not empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetSplitting {
    /// Number of elements.
    pub elements: usize,
    /// Sets.
    pub sets: Vec<Vec<usize>>,
}

impl SetSplitting {
    /// `count` sets of three different elements each, of at least three; equal sets may occur.
    pub fn random(elements: usize, count: usize, seed: u64) -> SetSplitting {
        let mut random = Random::new(seed);
        let mut set = || {
            let mut set: Vec<usize> = Vec::with_capacity(3);
            while set.len() < 3.min(elements) {
                let element = random.below(elements);
                if !set.contains(&element) {
                    set.push(element);
                }
            }
            set.sort_unstable();
            set
        };
        SetSplitting { elements, sets: (0..count).map(|_| set()).collect() }
    }

    /// Whether no set is of one colour.
    pub fn is_split(&self, colours: &[bool]) -> bool {
        self.sets.iter().all(|set| set.iter().any(|&element| colours[element] != colours[set[0]]))
    }

    /// The splitting problem of a formula whose clauses are as [`Cnf::of_three`] makes them (docs/loading-reductions.md, section 1).
    ///
    /// Elements: x and x̄ for every variable, then F, then z and z̄ for every clause of three literals. A literal is true iff its element has
    /// another colour than F.
    pub fn of_cnf(cnf: &Cnf) -> SetSplitting {
        let f = 2 * cnf.variables;
        let mut elements = f + 1;
        let mut sets: Vec<Vec<usize>> =
            (0..cnf.variables).map(|variable| vec![2 * variable, 2 * variable + 1]).collect();
        for clause in &cnf.clauses {
            let mut members: Vec<usize> = clause.iter().map(|&literal| element(literal)).collect();
            match members[..] {
                [a, b, c] => {
                    let z = elements;
                    elements += 2;
                    sets.extend([vec![z, z + 1], vec![a, b, z], vec![z + 1, c, f]]);
                }
                _ => {
                    members.push(f);
                    sets.push(members);
                }
            }
        }
        sets.iter_mut().for_each(|set| set.sort_unstable());
        SetSplitting { elements, sets }
    }
}

/// The element of a literal.
fn element(literal: i32) -> usize {
    2 * (literal.unsigned_abs() as usize - 1) + usize::from(literal < 0)
}

impl Cnf {
    /// The assignment that a splitting of [`SetSplitting::of_cnf`] means.
    pub fn assignment_of_splitting(&self, colours: &[bool]) -> Vec<bool> {
        (0..self.variables).map(|variable| colours[2 * variable] != colours[2 * self.variables]).collect()
    }

    /// A splitting of [`SetSplitting::of_cnf`], if the assignment satisfies the formula.
    pub fn splitting_of_assignment(&self, assignment: &[bool]) -> Vec<bool> {
        let mut colours: Vec<bool> = assignment.iter().flat_map(|&value| [value, !value]).collect();
        colours.push(false);
        for clause in self.clauses.iter().filter(|clause| clause.len() == 3) {
            // z̄ has another colour than F unless a and b are both false, and then c has.
            let z = !colours[element(clause[0])] && !colours[element(clause[1])];
            colours.extend([z, !z]);
        }
        colours
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::reductions::testing::{assignments, formula, satisfiable};

    proptest! {
        #[test]
        fn formulas_and_splittings_are_the_same_question(cnf in formula(3, 4, 3)) {
            let cnf = cnf.of_three();
            let splitting = SetSplitting::of_cnf(&cnf);
            prop_assume!(splitting.elements <= 17);
            let mut splits = 0;
            for colours in assignments(splitting.elements).filter(|colours| splitting.is_split(colours)) {
                prop_assert!(cnf.is_satisfied(&cnf.assignment_of_splitting(&colours)));
                splits += 1;
            }
            prop_assert_eq!(splits > 0, satisfiable(&cnf));
            for assignment in assignments(cnf.variables).filter(|assignment| cnf.is_satisfied(assignment)) {
                let colours = cnf.splitting_of_assignment(&assignment);
                prop_assert!(splitting.is_split(&colours));
                prop_assert_eq!(cnf.assignment_of_splitting(&colours), assignment);
            }
        }
    }

    #[test]
    fn random_sets() {
        let splitting = SetSplitting::random(5, 40, 3);
        assert_eq!(splitting.sets.len(), 40);
        assert!(splitting.sets.iter().all(|set| set.len() == 3 && set[0] < set[1] && set[1] < set[2] && set[2] < 5));
        assert_ne!(splitting, SetSplitting::random(5, 40, 4));
    }
}
