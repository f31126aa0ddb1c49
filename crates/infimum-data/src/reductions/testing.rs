//! Small formulas and threshold functions, all of them.

use dashu_int::IBig;
use infimum_problem::Neuron;
use proptest::prelude::*;

use crate::reductions::Cnf;

/// All assignments.
pub(crate) fn assignments(variables: usize) -> impl Iterator<Item = Vec<bool>> {
    (0..1u32 << variables).map(move |bits| (0..variables).map(|variable| bits >> variable & 1 == 1).collect())
}

pub(crate) fn satisfiable(cnf: &Cnf) -> bool {
    assignments(cnf.variables).any(|assignment| cnf.is_satisfied(&assignment))
}

/// Formulas of up to so many clauses and literals in each.
pub(crate) fn formula(variables: usize, clauses: usize, longest: usize) -> impl Strategy<Value = Cnf> {
    let literal =
        (1..=variables as i32, any::<bool>()).prop_map(|(variable, sign)| if sign { variable } else { -variable });
    let clause = prop::collection::vec(literal, 0..=longest);
    prop::collection::vec(clause, 0..=clauses).prop_map(move |clauses| Cnf { variables, clauses })
}

/// All threshold functions of `inputs` bits, as their values on every pattern, with weights of each. Weights in −2 … 2 suffice up to three.
pub(crate) fn functions(inputs: usize) -> Vec<(Vec<bool>, Neuron)> {
    let mut found: Vec<(Vec<bool>, Neuron)> = Vec::new();
    for code in 0..5usize.pow(inputs as u32) {
        let weights: Vec<i64> = (0..inputs).map(|input| (code / 5usize.pow(input as u32) % 5) as i64 - 2).collect();
        for bias in -6..=7 {
            let table: Vec<bool> = (0..1usize << inputs)
                .map(|bits| {
                    bias + (0..inputs).map(|input| weights[input] * (bits >> input & 1) as i64).sum::<i64>() > 0
                })
                .collect();
            if !found.iter().any(|known| known.0 == table) {
                let weights = weights.iter().copied().map(IBig::from).collect();
                found.push((table, Neuron { weights, bias: bias.into() }));
            }
        }
    }
    found
}

#[test]
fn how_many_functions_there_are() {
    assert_eq!([1, 2, 3].map(|inputs| functions(inputs).len()), [4, 14, 104]);
}
