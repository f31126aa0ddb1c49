//! Blum and Rivest (NIPS 1988; Neural Networks 5, 1992): training a network of two hidden threshold units and one output is set
//! splitting (docs/loading-reductions.md, section 2).

use infimum_problem::Neuron;

use crate::reductions::SetSplitting;

/// Points of {0, 1}^(elements + 3) with their labels, in order: the origin, 1; every element alone, 0; every set's elements, 1; and with the last three
/// coordinates 101 and 011, 1, and 100, 010, 001, 111, 0. Given are the coordinates that are 1.
pub fn points_of_splitting(splitting: &SetSplitting) -> Vec<(Vec<usize>, bool)> {
    let mut points = vec![(Vec::new(), true)];
    points.extend((0..splitting.elements).map(|element| (vec![element], false)));
    points.extend(splitting.sets.iter().map(|set| (set.clone(), true)));
    let [a, b, c] = [0, 1, 2].map(|coordinate| splitting.elements + coordinate);
    points.extend([vec![a, c], vec![b, c]].map(|ones| (ones, true)));
    points.extend([vec![a], vec![b], vec![c], vec![a, b, c]].map(|ones| (ones, false)));
    points
}

/// The colours of `elements` elements, if two hidden units with these weights over the points' coordinates are right on all of
/// [`points_of_splitting`] with some output unit: an element has the first colour iff the first unit tells it from the origin.
pub fn splitting_of_hidden_units(elements: usize, hidden: [&Neuron; 2]) -> Vec<bool> {
    let Neuron { weights, bias } = hidden[0];
    let zero = dashu_int::IBig::ZERO;
    weights[..elements].iter().map(|weight| (weight + bias > zero) != (*bias > zero)).collect()
}

/// Weights of the two hidden units and of the output unit, which are right if the colours split all sets.
pub fn hidden_units_of_splitting(splitting: &SetSplitting, colours: &[bool]) -> [Neuron; 3] {
    let longest = splitting.sets.iter().map(Vec::len).max().unwrap_or(1) as i64;
    let unit = |own: bool, last: [i64; 3]| {
        let weights = colours.iter().map(|&colour| if colour == own { -2 } else { 2 * longest }).chain(last);
        Neuron { weights: weights.map(Into::into).collect(), bias: 1.into() }
    };
    let and = Neuron { weights: vec![1.into(), 1.into()], bias: (-1).into() };
    [unit(true, [-2, -2, 2]), unit(false, [2, 2, -2]), and]
}

#[cfg(test)]
mod tests {
    use dashu_int::IBig;
    use proptest::prelude::*;

    use super::*;
    use crate::reductions::testing::{assignments, formula, functions, satisfiable};

    fn value(unit: &Neuron, ones: &[usize]) -> bool {
        ones.iter().fold(unit.bias.clone(), |sum, &one| sum + &unit.weights[one]) > IBig::ZERO
    }

    /// Whether the three units are right on all points.
    fn right(splitting: &SetSplitting, units: &[Neuron; 3]) -> bool {
        points_of_splitting(splitting).iter().all(|(ones, label)| {
            let fired: Vec<usize> = (0..2).filter(|&unit| value(&units[unit], ones)).collect();
            value(&units[2], &fired) == *label
        })
    }

    /// The unit that is 1 where this one is 0, if no weighted sum of the points is 0.
    fn complement(unit: &Neuron) -> Neuron {
        Neuron { weights: unit.weights.iter().map(|weight| -weight).collect(), bias: -&unit.bias }
    }

    proptest! {
        /// Splittings become weights and weights become splittings again, whichever way round the units are.
        #[test]
        fn splittings_are_weights(sets in prop::collection::vec(prop::collection::btree_set(0usize..6, 2..5), 0..8), bits in any::<u8>()) {
            let splitting = SetSplitting { elements: 6, sets: sets.iter().map(|set| set.iter().copied().collect()).collect() };
            let colours: Vec<bool> = (0..6).map(|element| bits >> element & 1 == 1).collect();
            let units = hidden_units_of_splitting(&splitting, &colours);
            prop_assert_eq!(right(&splitting, &units), splitting.is_split(&colours));
            prop_assert_eq!(splitting_of_hidden_units(6, [&units[0], &units[1]]), colours.clone());
            let other: Vec<bool> = colours.iter().map(|colour| !colour).collect();
            prop_assert_eq!(splitting_of_hidden_units(6, [&units[1], &units[0]]), other);
            prop_assert_eq!(splitting_of_hidden_units(6, [&complement(&units[0]), &units[1]]), colours);
        }

        /// A formula goes in and a satisfying assignment comes out.
        #[test]
        fn from_formula_to_assignment(cnf in formula(3, 4, 4)) {
            let three = cnf.of_three();
            prop_assume!(three.variables <= 10 && satisfiable(&three));
            let splitting = SetSplitting::of_cnf(&three);
            for assignment in assignments(three.variables).filter(|assignment| three.is_satisfied(assignment)) {
                let units = hidden_units_of_splitting(&splitting, &three.splitting_of_assignment(&assignment));
                prop_assert!(right(&splitting, &units));
                let colours = splitting_of_hidden_units(splitting.elements, [&units[0], &units[1]]);
                let found = three.assignment_of_splitting(&colours);
                prop_assert_eq!(&found, &assignment);
                prop_assert!(cnf.is_satisfied(&found[..cnf.variables]));
            }
        }
    }

    /// All pairs of threshold functions on the last three coordinates with all output functions: if they are right there, what is 1 is one corner of
    /// the hidden units' values.
    #[test]
    fn the_gadget_forces_a_corner() {
        let points = points_of_splitting(&SetSplitting { elements: 0, sets: vec![] });
        assert_eq!(points.len(), 7);
        let bits = |ones: &[usize]| ones.iter().map(|one| 1 << one).sum::<usize>();
        let (hidden, outputs) = (functions(3), functions(2));
        let mut right = 0;
        for (first, _) in &hidden {
            for (second, _) in &hidden {
                let corner = |ones: &[usize]| usize::from(first[bits(ones)]) + 2 * usize::from(second[bits(ones)]);
                for (output, _) in &outputs {
                    if points.iter().all(|(ones, label)| output[corner(ones)] == *label) {
                        right += 1;
                        assert!(points.iter().all(|(ones, label)| (corner(ones) == corner(&[])) == *label));
                    }
                }
            }
        }
        // Two units, each or its complement, in either order, at least.
        assert!(right >= 8, "{right}");
    }

    /// Whatever weights of a range are right on all points mean a splitting, and every splitting is found.
    #[test]
    fn right_weights_are_splittings() {
        let splitting = SetSplitting { elements: 4, sets: vec![vec![0, 1, 2], vec![0, 3], vec![1, 2, 3]] };
        let unit = |code: usize, last: [i64; 3]| {
            let weights = (0..4).map(|element| [-2, 2, 5][code / 3usize.pow(element) % 3]).chain(last);
            Neuron { weights: weights.map(IBig::from).collect(), bias: 1.into() }
        };
        let output =
            |weights: [i64; 2], bias: i64| Neuron { weights: weights.map(IBig::from).to_vec(), bias: bias.into() };
        let mut found = std::collections::BTreeSet::new();
        for (first, second) in (0..81).flat_map(|first| (0..81).map(move |second| (first, second))) {
            let (first, second) = (unit(first, [-2, -2, 2]), unit(second, [2, 2, -2]));
            for units in [
                [first.clone(), second.clone(), output([1, 1], -1)],
                [complement(&first), second.clone(), output([-1, 1], 0)],
                [first.clone(), complement(&second), output([1, -1], 0)],
                [complement(&first), complement(&second), output([-1, -1], 1)],
            ] {
                if right(&splitting, &units) {
                    let colours = splitting_of_hidden_units(4, [&units[0], &units[1]]);
                    assert!(splitting.is_split(&colours));
                    found.insert(colours);
                }
            }
        }
        assert_eq!(found.len(), assignments(4).filter(|colours| splitting.is_split(colours)).count());
    }

    /// The points of the Fano plane, which cannot be split, as they are known.
    #[test]
    fn the_fano_plane() {
        let sets = [[0, 1, 2], [0, 3, 4], [0, 5, 6], [1, 3, 5], [1, 4, 6], [2, 3, 6], [2, 4, 5]];
        let splitting = SetSplitting { elements: 7, sets: sets.map(|set| set.to_vec()).to_vec() };
        let points = points_of_splitting(&splitting);
        assert_eq!((points.len(), points.iter().filter(|point| point.1).count()), (21, 10));
        assert_eq!(points[8], (vec![0, 1, 2], true));
        assert_eq!(points[15..17], [(vec![7, 9], true), (vec![8, 9], true)]);
        assert!(assignments(7).all(|colours| !splitting.is_split(&colours)));
    }
}
