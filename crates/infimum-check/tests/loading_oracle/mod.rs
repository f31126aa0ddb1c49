//! What tiny loading problems allow, by exhaustive enumeration: every dichotomy of a linear unit, every threshold function of a table,
//! composed through the network. Nothing here is shared with solver or checker.

// Every test that includes this file uses a part of it.
#![allow(dead_code)]

use std::collections::{BTreeSet, HashMap};

use infimum_problem::{Function, LoadingProblem, Network, Points, UnitKind};

/// Places and multipliers of the left and of the right side.
pub type Sides = (Vec<(usize, i64)>, Vec<(usize, i64)>);

/// An integer vector that spans the null space of the matrix with these columns, if that has dimension 1 and no entry is 0.
fn null_vector(columns: &[Vec<i64>]) -> Option<Vec<i64>> {
    let (height, width) = (columns[0].len(), columns.len());
    let mut rows: Vec<Vec<i128>> =
        (0..height).map(|i| columns.iter().map(|column| i128::from(column[i])).collect()).collect();
    let mut pivots = Vec::new();
    for column in 0..width {
        let next = pivots.len();
        let Some(found) = (next..height).find(|&row| rows[row][column] != 0) else { continue };
        rows.swap(next, found);
        for row in (0..height).filter(|&row| row != next) {
            let (above, factor) = (rows[next][column], rows[row][column]);
            for j in 0..width {
                rows[row][j] = rows[row][j] * above - rows[next][j] * factor;
            }
            let common = rows[row].iter().fold(0, |common, &value| gcd(common, value));
            rows[row].iter_mut().for_each(|value| *value /= common.max(1));
        }
        pivots.push(column);
    }
    let free = (0..width).find(|column| !pivots.contains(column))?;
    if pivots.len() + 1 != width {
        return None;
    }
    // x_free = L, x_pivot = −L · entry / pivot entry, with L a common multiple.
    let multiple = pivots.iter().enumerate().fold(1i128, |multiple, (row, &column)| {
        let size = rows[row][column].abs();
        multiple / gcd(multiple, size) * size
    });
    let mut vector = vec![0i128; width];
    vector[free] = multiple;
    for (row, &column) in pivots.iter().enumerate() {
        vector[column] = -multiple / rows[row][column] * rows[row][free];
    }
    let common = vector.iter().fold(0, |common, &value| gcd(common, value));
    let vector: Vec<i64> = vector.iter().map(|&value| i64::try_from(value / common).expect("small")).collect();
    vector.iter().all(|&value| value != 0).then_some(vector)
}

fn gcd(a: i128, b: i128) -> i128 {
    if b == 0 { a.abs() } else { gcd(b, a % b) }
}

/// All circuits of the points: minimal sets whose points (x, 1) are linearly dependent, with their multipliers.
pub fn circuits(points: &[Vec<i64>]) -> Vec<Sides> {
    let most = points.first().map_or(0, |point| point.len() + 2);
    let lifted: Vec<Vec<i64>> = points.iter().map(|point| point.iter().copied().chain([1]).collect()).collect();
    let mut found = Vec::new();
    for subset in 1u32..1 << points.len() {
        let members: Vec<usize> = (0..points.len()).filter(|&i| subset >> i & 1 == 1).collect();
        if members.len() < 2 || members.len() > most {
            continue;
        }
        let columns: Vec<Vec<i64>> = members.iter().map(|&i| lifted[i].clone()).collect();
        if let Some(vector) = null_vector(&columns) {
            let side = |sign: i64| {
                members.iter().zip(&vector).filter(|entry| entry.1 * sign > 0).map(|(&i, &v)| (i, v * sign)).collect()
            };
            found.push((side(1), side(-1)));
        }
    }
    found
}

/// Whether weights separate the points of `ones` from the others: the perceptron finds them (with a bias, integers throughout) if it
/// stops.
fn separates(points: &[Vec<i64>], ones: u32) -> bool {
    let mut weights = vec![0i64; points.first().map_or(0, Vec::len) + 1];
    for _ in 0..2_000_000 {
        let violated = points.iter().enumerate().find_map(|(i, point)| {
            let sign = if ones >> i & 1 == 1 { 1 } else { -1 };
            let sum: i64 = point.iter().chain([&1]).zip(&weights).map(|(x, w)| x * w).sum();
            (sum * sign <= 0).then_some((point, sign))
        });
        let Some((point, sign)) = violated else { return true };
        point.iter().chain([&1]).zip(&mut weights).for_each(|(x, w)| *w += sign * x);
    }
    false
}

/// The sets of points (as bits) on which a threshold unit over them can be 1. A set is left out because of a circuit (Kirchberger's theorem:
/// if none of at most d + 2 points forbids it, none does) and taken only with weights.
pub fn dichotomies(points: &[Vec<i64>]) -> Vec<u32> {
    let bits = |side: &[(usize, i64)]| side.iter().fold(0u32, |bits, &(i, _)| bits | 1 << i);
    let circuits: Vec<(u32, u32)> = circuits(points).iter().map(|(left, right)| (bits(left), bits(right))).collect();
    let divides = |ones: u32, left: u32, right: u32| ones & left == left && ones & right == 0;
    let mut found = Vec::new();
    for ones in 0..1u32 << points.len() {
        if circuits.iter().any(|&(left, right)| divides(ones, left, right) || divides(ones, right, left)) {
            continue;
        }
        assert!(separates(points, ones), "no circuit forbids {ones:b}, yet no weights were found");
        found.push(ones);
    }
    found
}

/// The threshold functions of `inputs` bits, as truth tables: dichotomies of the cube.
pub fn threshold_functions(inputs: usize) -> Vec<u32> {
    let cube: Vec<Vec<i64>> = (0..1i64 << inputs).map(|b| (0..inputs).map(|j| b >> j & 1).collect()).collect();
    dichotomies(&cube)
}

/// The problem's points as dense rows; for tests with small integers.
pub fn dense(points: &Points) -> Vec<Vec<i64>> {
    (0..points.rows())
        .map(|i| {
            let mut row = vec![0; points.columns()];
            points
                .row(i)
                .iter()
                .for_each(|(j, value)| row[*j as usize] = i64::try_from(value.as_ref()).expect("small"));
            row
        })
        .collect()
}

/// The inputs of a unit on all rows, given the values of the units before it (as bits over rows).
pub fn inputs(problem: &LoadingProblem, rows: &[Vec<i64>], unit: usize, values: &[u32]) -> Vec<Vec<i64>> {
    let unit = &problem.network.units[unit];
    let columns = unit.columns.list(problem.points.columns());
    let of_row = |i: usize| {
        let columns = columns.iter().map(|&j| rows[i][j as usize]);
        columns.chain(unit.units.iter().map(|&input| i64::from(values[input as usize] >> i & 1))).collect()
    };
    (0..rows.len()).map(of_row).collect()
}

/// Least number of wrong rows over all weights.
pub struct Oracle<'a> {
    problem: &'a LoadingProblem,
    rows: Vec<Vec<i64>>,
    possible: HashMap<Vec<Vec<i64>>, Vec<u32>>,
    tables: HashMap<usize, Vec<u32>>,
}

impl<'a> Oracle<'a> {
    pub fn new(problem: &'a LoadingProblem) -> Oracle<'a> {
        let rows = dense(&problem.points);
        Oracle { problem, rows, possible: HashMap::new(), tables: HashMap::new() }
    }

    pub fn least_errors(&mut self) -> u64 {
        let mut best = u64::MAX;
        self.explore(&mut Vec::new(), &mut best);
        best
    }

    fn explore(&mut self, values: &mut Vec<u32>, best: &mut u64) {
        let network: &Network = &self.problem.network;
        if values.len() == network.units.len() {
            *best = (*best).min(self.errors(values));
            return;
        }
        for value in self.behaviours(values) {
            values.push(value);
            self.explore(values, best);
            values.pop();
            if *best == 0 {
                return;
            }
        }
    }

    /// The values over rows (as bits) that the next unit can have.
    fn behaviours(&mut self, values: &[u32]) -> Vec<u32> {
        let place = values.len();
        let unit = &self.problem.network.units[place];
        let inputs = inputs(self.problem, &self.rows, place, values);
        let index = |row: &[i64]| row.iter().enumerate().fold(0usize, |index, (j, &bit)| index | (bit as usize) << j);
        let of_table =
            |table: u32| inputs.iter().enumerate().fold(0u32, |bits, (i, row)| bits | (table >> index(row) & 1) << i);
        match (&unit.function, unit.kind()) {
            (Function::Fixed { weights, bias }, _) => {
                let is_one = |row: &Vec<i64>| row.iter().zip(weights).map(|(x, w)| x * w).sum::<i64>() + bias > 0;
                vec![inputs.iter().enumerate().fold(0, |bits, (i, row)| bits | u32::from(is_one(row)) << i)]
            }
            (Function::Free, UnitKind::Table) => {
                let arity = unit.units.len();
                let tables = self.tables.entry(arity).or_insert_with(|| threshold_functions(arity));
                let distinct: BTreeSet<u32> = tables.iter().map(|&table| of_table(table)).collect();
                distinct.into_iter().collect()
            }
            (Function::Free, _) => self.possible.entry(inputs).or_insert_with_key(|inputs| dichotomies(inputs)).clone(),
        }
    }

    fn errors(&self, values: &[u32]) -> u64 {
        let outputs = &self.problem.network.outputs;
        let is_wrong = |i: usize| {
            let targets = self.problem.target(i);
            outputs.iter().zip(targets).any(|(&o, y)| y.is_some_and(|y| y != (values[o as usize] >> i & 1 == 1)))
        };
        (0..self.rows.len()).filter(|&i| is_wrong(i)).count() as u64
    }
}
