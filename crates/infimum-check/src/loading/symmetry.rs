//! Clauses that symmetries of the network and of the points allow (docs/loading.md, theorems 3, 4 and 6, clauses F), inside the theorems' domains alone.

use std::collections::HashMap;

use infimum_problem::{Columns, Network, UnitKind};

use super::maps::Image;

/// Rows that the order of two units looks at.
const ORDERED_ROWS: u64 = 50;

/// The output unit if theorem 3 applies: it is the one output, free and a table, and reads all other units, which are free, linear and of
/// one group.
pub(crate) fn one_hidden_layer(network: &Network) -> Option<usize> {
    let [output] = network.outputs.as_slice() else { return None };
    let output = *output as usize;
    let unit = &network.units[output];
    // Inputs differ and stand before the unit: as many as there are other units means all of them.
    if !unit.is_free() || unit.kind() != UnitKind::Table || unit.units.len() + 1 != network.units.len() {
        return None;
    }
    let first = &network.units[unit.units[0] as usize];
    let alike = unit
        .units
        .iter()
        .map(|&input| &network.units[input as usize])
        .all(|hidden| hidden.is_free() && hidden.kind() == UnitKind::Linear && hidden.columns == first.columns);
    alike.then_some(output)
}

/// The classes of twins of theorem 4, those of one unit included, in the order of their first unit; each in the order of numbers.
pub(crate) fn twins(network: &Network) -> Vec<Vec<usize>> {
    let mut readers: Vec<Vec<usize>> = vec![Vec::new(); network.units.len()];
    for (place, unit) in network.units.iter().enumerate() {
        unit.units.iter().for_each(|&input| readers[input as usize].push(place));
    }
    let mut is_output = vec![false; network.units.len()];
    network.outputs.iter().for_each(|&output| is_output[output as usize] = true);
    let mut classes: Vec<Vec<usize>> = Vec::new();
    let mut class_of: HashMap<(&Columns, &[u32], &[usize]), usize> = HashMap::new();
    for (place, unit) in network.units.iter().enumerate() {
        let readers = readers[place].as_slice();
        let all_free = readers.iter().all(|&reader| network.units[reader].is_free());
        if !unit.is_free() || is_output[place] || readers.is_empty() || !all_free {
            continue;
        }
        let class = *class_of.entry((&unit.columns, &unit.units, readers)).or_insert_with(|| {
            classes.push(Vec::new());
            classes.len() - 1
        });
        classes[class].push(place);
    }
    classes
}

/// Makes the clauses F.
pub(crate) struct Breaker {
    rows: u64,
    next_variable: u64,
    clauses: Vec<Vec<i32>>,
}

impl Breaker {
    /// For `rows` ≥ 1 rows; new variables begin at `next_variable`.
    pub(crate) fn new(rows: usize, next_variable: u64) -> Breaker {
        Breaker { rows: rows as u64, next_variable, clauses: Vec::new() }
    }

    /// The clauses for the network, whose output's table, where theorem 3 applies, begins at the variable that `table` gives; and
    /// the first variable that is not used.
    pub(crate) fn clauses(
        mut self,
        network: &Network,
        table: impl Fn(usize) -> u64,
        images: &[Image],
    ) -> (Vec<Vec<i32>>, u64) {
        match one_hidden_layer(network) {
            Some(output) => {
                let inputs = &network.units[output].units;
                self.monotone(table(output), inputs.len());
                inputs.windows(2).for_each(|pair| self.order(u64::from(pair[0]), u64::from(pair[1])));
                images.iter().for_each(|image| self.least(u64::from(inputs[0]), image));
            }
            None => {
                for class in twins(network) {
                    class.iter().for_each(|&unit| self.zero_on_first_row(unit as u64));
                    class.windows(2).for_each(|pair| self.order(pair[0] as u64, pair[1] as u64));
                }
            }
        }
        self.made()
    }

    /// What was made, and the first variable that is not used.
    pub(super) fn made(self) -> (Vec<Vec<i32>>, u64) {
        (self.clauses, self.next_variable)
    }

    /// The unit is 0 on the first row.
    pub(super) fn zero_on_first_row(&mut self, unit: u64) {
        self.clauses.push(vec![-self.value(unit, 0)]);
    }

    /// The variable of a unit's value on a row.
    fn value(&self, unit: u64, row: u64) -> i32 {
        (1 + unit * self.rows + row) as i32
    }

    /// The table of `inputs` inputs that begins at variable `first` does not fall where an input rises.
    pub(super) fn monotone(&mut self, first: u64, inputs: usize) {
        for b in 0..1u64 << inputs {
            for above in (0..inputs).map(|j| b | 1 << j).filter(|&above| above != b) {
                self.clauses.push(vec![-((first + b) as i32), (first + above) as i32]);
            }
        }
    }

    /// `lex(u, v)`: the first rows of u's values are not above those of v in lexicographic order.
    pub(super) fn order(&mut self, u: u64, v: u64) {
        let rows = 0..self.rows.min(ORDERED_ROWS);
        self.lexicographic(rows.map(|row| (self.value(u, row), self.value(v, row))).collect());
    }

    /// The first rows of u's values are not above those that it has on their images.
    pub(super) fn least(&mut self, u: u64, image: &Image) {
        let sign = if image.exchanges { -1 } else { 1 };
        let pairs =
            (0..).zip(&image.rows).map(|(row, &other)| (self.value(u, row), sign * self.value(u, u64::from(other))));
        self.lexicographic(pairs.filter(|(left, right)| left != right).collect());
    }

    /// The left literals are not above the right ones in lexicographic order. The variable q_i must be true if they are equal up to pair i.
    fn lexicographic(&mut self, pairs: Vec<(i32, i32)>) {
        let mut equal: Option<i32> = None;
        for (place, &(left, right)) in pairs.iter().enumerate() {
            let clause = |literals: &[i32]| equal.map(|q| -q).into_iter().chain(literals.iter().copied()).collect();
            // Where they are opposite, ¬left is all that the first says.
            self.clauses.push(if right == -left { clause(&[-left]) } else { clause(&[-left, right]) });
            if place + 1 < pairs.len() {
                let next = self.next_variable as i32;
                self.clauses.push(clause(&[-left, next]));
                self.clauses.push(clause(&[right, next]));
                self.next_variable += 1;
                equal = Some(next);
            }
        }
    }
}
