//! Judd's question (J. Complexity 4, 1988): 3SAT as the loading of a network of two layers, fan-in 3, on three examples
//! (docs/loading-reductions.md, section 3).

use infimum_problem::{Columns, Function, Network, Neuron, Unit};

use crate::reductions::Cnf;

/// Three examples for a network; its outputs are wanted on two or three of them.
#[derive(Debug, Clone, PartialEq)]
pub struct JuddTask {
    /// The network: two free units for every variable, which read both columns; then its outputs, which read up to three of those.
    pub network: Network,
    /// The two columns of the examples.
    pub stimuli: [[bool; 2]; 3],
    /// Wanted outputs of every example, in the order of the network's outputs; `None` is `?`.
    pub responses: [Vec<Option<bool>>; 3],
}

/// Wanted outputs that make the inputs of the unit differ between two of the examples.
const FIRST_FROM_SECOND: [Option<bool>; 3] = [Some(false), Some(true), None];
const FIRST_FROM_THIRD: [Option<bool>; 3] = [Some(false), None, Some(true)];
const SECOND_FROM_THIRD: [Option<bool>; 3] = [None, Some(false), Some(true)];

/// The unit of a literal.
fn unit_of(literal: i32) -> u32 {
    2 * (literal.unsigned_abs() - 1) + u32::from(literal < 0)
}

/// The task of a formula whose clauses are as [`Cnf::of_three`] makes them.
pub fn judd_task(cnf: &Cnf) -> JuddTask {
    let literal_unit = |name: String| Unit { name, columns: Columns::All, units: vec![], function: Function::Free };
    let variables = 1..=cnf.variables as i32;
    let mut units: Vec<Unit> = (variables.clone())
        .flat_map(|variable| [format!("x{variable}"), format!("not-x{variable}")].map(literal_unit))
        .collect();
    let first_output = units.len() as u32;
    let mut responses: [Vec<Option<bool>>; 3] = Default::default();
    let mut output = |name: String, inputs: Vec<u32>, wanted: [Option<bool>; 3]| {
        units.push(Unit { name, columns: Columns::None, units: inputs, function: Function::Free });
        responses.iter_mut().zip(wanted).for_each(|(response, wanted)| response.push(wanted));
    };
    for variable in variables {
        let [yes, no] = [variable, -variable].map(unit_of);
        output(format!("x{variable}-decided"), vec![yes], SECOND_FROM_THIRD);
        output(format!("not-x{variable}-decided"), vec![no], SECOND_FROM_THIRD);
        output(format!("x{variable}-one"), vec![yes, no], FIRST_FROM_SECOND);
        output(format!("x{variable}-not-both"), vec![yes, no], FIRST_FROM_THIRD);
    }
    for (place, clause) in (1..).zip(&cnf.clauses) {
        let inputs = clause.iter().map(|&literal| unit_of(literal)).collect();
        output(format!("clause{place}"), inputs, FIRST_FROM_SECOND);
    }
    let outputs = (first_output..units.len() as u32).collect();
    let stimuli = [[false, false], [false, true], [true, false]];
    JuddTask { network: Network { units, outputs }, stimuli, responses }
}

/// The assignment that the first 2·`variables` units mean, in order, if the network is right on all three examples: x is true iff its unit tells the first
/// example from the second.
pub fn assignment_of_hidden_units(variables: usize, hidden: &[Neuron]) -> Vec<bool> {
    let zero = dashu_int::IBig::ZERO;
    let tells = |unit: &Neuron| (unit.bias > zero) != (&unit.bias + &unit.weights[1] > zero);
    (0..variables).map(|variable| tells(&hidden[2 * variable])).collect()
}

/// Weights of the units of all literals, in order, with which every output of [`judd_task`] has a function that is right if the assignment
/// satisfies the formula: a true literal's unit is 1 on the second example alone, a false one's on the third alone.
pub fn hidden_units_of_assignment(assignment: &[bool]) -> Vec<Neuron> {
    let unit = |value: bool| {
        let weights = if value { [-1, 1] } else { [1, -1] };
        Neuron { weights: weights.map(Into::into).to_vec(), bias: 0.into() }
    };
    assignment.iter().flat_map(|&value| [unit(value), unit(!value)]).collect()
}

#[cfg(test)]
mod tests {
    use dashu_int::IBig;
    use proptest::prelude::*;

    use super::*;
    use crate::reductions::testing::{assignments, formula, functions, satisfiable};

    /// Index of a pattern.
    fn pattern(bits: impl Iterator<Item = bool>) -> usize {
        bits.enumerate().map(|(input, bit)| usize::from(bit) << input).sum()
    }

    /// Whether the outputs have functions that are right, given the values of all literal units on the three examples.
    fn outputs_exist(task: &JuddTask, values: &[[bool; 3]], all: &[Vec<(Vec<bool>, Neuron)>]) -> bool {
        task.network.outputs.iter().enumerate().all(|(output, &unit)| {
            let inputs = &task.network.units[unit as usize].units;
            let seen = [0, 1, 2].map(|example| pattern(inputs.iter().map(|&input| values[input as usize][example])));
            all[inputs.len()].iter().any(|(table, _)| {
                (0..3)
                    .all(|example| task.responses[example][output].is_none_or(|wanted| table[seen[example]] == wanted))
            })
        })
    }

    fn values(task: &JuddTask, unit: &Neuron) -> [bool; 3] {
        task.stimuli.map(|[a, b]| {
            let sum = IBig::from(i64::from(a)) * &unit.weights[0] + IBig::from(i64::from(b)) * &unit.weights[1];
            sum + &unit.bias > IBig::ZERO
        })
    }

    #[test]
    fn two_layers_of_fan_in_three() {
        let cnf = Cnf { variables: 3, clauses: vec![vec![1, -2, 3], vec![-1]] };
        let task = judd_task(&cnf);
        assert_eq!(task.network.fault(2), None);
        assert!(task.network.units.iter().all(|unit| unit.columns.list(2).len() + unit.units.len() <= 3));
        assert!(task.network.outputs.iter().all(|&output| {
            task.network.units[output as usize]
                .units
                .iter()
                .all(|&input| task.network.units[input as usize].units.is_empty())
        }));
        assert_eq!((task.network.units.len(), task.network.outputs.len()), (6 + 12 + 2, 14));
        assert!(task.responses.iter().all(|response| response.len() == 14));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]

        /// All choices of node functions, one by one, of formulas of two variables (14 functions for each of four units): the task can be loaded iff the formula can be satisfied, and
        /// whatever loads it is an assignment.
        #[test]
        fn loading_is_satisfying(cnf in formula(2, 5, 3)) {
            let three = cnf.of_three();
            prop_assume!(three.variables == 2);
            let task = judd_task(&three);
            let all: Vec<_> = (0..4).map(functions).collect();
            let hidden = &all[2];
            let behaviours: Vec<[bool; 3]> = hidden.iter().map(|function| values(&task, &function.1)).collect();
            let mut loaded = false;
            for choice in 0..14usize.pow(4) {
                let chosen = [0, 1, 2, 3].map(|unit| choice / 14usize.pow(unit) % 14);
                let values = chosen.map(|function| behaviours[function]);
                if outputs_exist(&task, &values, &all) {
                    let units = chosen.map(|function| hidden[function].1.clone());
                    prop_assert!(cnf.is_satisfied(&assignment_of_hidden_units(2, &units)));
                    loaded = true;
                }
            }
            prop_assert_eq!(loaded, satisfiable(&cnf));
        }

        /// The same with three variables, where the eight behaviours on three examples stand for the functions that have them.
        #[test]
        fn loading_is_satisfying_with_three_variables(cnf in formula(3, 9, 3)) {
            let three = cnf.of_three();
            prop_assume!(three.variables == 3);
            let task = judd_task(&three);
            let all: Vec<_> = (0..4).map(functions).collect();
            let mut behaviours: Vec<([bool; 3], &Neuron)> = Vec::new();
            for (_, unit) in &all[2] {
                let behaviour = values(&task, unit);
                if !behaviours.iter().any(|known| known.0 == behaviour) {
                    behaviours.push((behaviour, unit));
                }
            }
            prop_assert_eq!(behaviours.len(), 8);
            let mut loaded = false;
            for choice in 0..8usize.pow(6) {
                let chosen = [0, 1, 2, 3, 4, 5].map(|unit| behaviours[choice >> (3 * unit) & 7]);
                if outputs_exist(&task, &chosen.map(|behaviour| behaviour.0), &all) {
                    let units = chosen.map(|behaviour| behaviour.1.clone());
                    prop_assert!(cnf.is_satisfied(&assignment_of_hidden_units(3, &units)));
                    loaded = true;
                }
            }
            prop_assert_eq!(loaded, satisfiable(&cnf));
        }

        /// Assignments become weights, and come back.
        #[test]
        fn satisfying_is_loading(cnf in formula(4, 8, 4)) {
            let three = cnf.of_three();
            prop_assume!(three.variables <= 10);
            let task = judd_task(&three);
            let all: Vec<_> = (0..4).map(functions).collect();
            for assignment in assignments(three.variables) {
                let units = hidden_units_of_assignment(&assignment);
                let behaviours: Vec<[bool; 3]> = units.iter().map(|unit| values(&task, unit)).collect();
                prop_assert_eq!(outputs_exist(&task, &behaviours, &all), three.is_satisfied(&assignment));
                prop_assert_eq!(assignment_of_hidden_units(three.variables, &units), assignment);
            }
        }
    }
}
