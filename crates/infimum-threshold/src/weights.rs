//! From an assignment and hyperplanes in `f64` to integer weights that are right on every row, exactly.
//!
//! A hyperplane over scaled coordinates is brought back to the columns' integers, multiplied so that its largest weight is 1, 2, 3, … and then powers of two, and
//! rounded; the first that has the wanted sign on every row, by exact sums, is taken. If none has, the exact simplex is asked. So small weights come first: a person can check
//! them. Tables become weights by the perceptron in integers, which ends, as a table that satisfies the formula is a threshold function.

use dashu_int::{IBig, UBig};
use infimum_problem::{Columns, Function, LoadingProblem, Neuron, Points, UnitKind};

use crate::exact_simplex::{Exact, separate};
use crate::points::GroupPoints;
use crate::propagator::Hyperplane;
use crate::separation::circuit::common_divisor;

/// Largest magnitudes of weights that are tried, as powers of two after the small numbers.
const SMALL: [u64; 14] = [1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 16, 20, 24, 32];
const POWERS: std::ops::RangeInclusive<u32> = 6..=60;
/// Updates of a table's perceptron.
const TABLE_UPDATES: usize = 10_000_000;

/// Integer weights from `f64` ones over scaled coordinates such that every point wanted is on its side; bias last. `wanted`: point and side.
pub(crate) fn integers(
    points: &GroupPoints,
    scaled: &[f64],
    wanted: &[(u32, i8)],
    stop: &dyn Fn() -> bool,
) -> Option<Neuron> {
    if let Some(neuron) = rounded(points, scaled, wanted) {
        return Some(neuron);
    }
    match separate(&points.exact, wanted, stop) {
        Exact::Separated(weights) => Some(neuron(weights)),
        Exact::Conflict(_) | Exact::Stopped => None,
    }
}

/// Weights with the bias last as a neuron, without common factors.
pub(crate) fn neuron(mut weights: Vec<IBig>) -> Neuron {
    let divisor = common_divisor(&weights);
    if divisor > UBig::ONE {
        let divisor = IBig::from(divisor);
        weights.iter_mut().for_each(|weight| *weight = &*weight / &divisor);
    }
    let bias = weights.pop().unwrap_or_default();
    Neuron { weights, bias }
}

fn rounded(points: &GroupPoints, scaled: &[f64], wanted: &[(u32, i8)]) -> Option<Neuron> {
    let d = points.exact.columns();
    let unscaled = points.scaled.unscaled(&scaled[..d]);
    // w_j = value·2^power; the largest magnitude decides the scale.
    let top = unscaled.iter().filter(|entry| entry.0 != 0.0).map(|&(value, power)| exponent(value) + power).max();
    let sizes = SMALL.iter().map(|&size| (size as f64, 0)).chain(POWERS.map(|power| (1.0, i64::from(power))));
    for (size, more) in sizes {
        let weights: Vec<IBig> = match top {
            None => vec![IBig::ZERO; d],
            Some(top) => unscaled.iter().map(|&(value, power)| whole(value * size, power - top + more)).collect(),
        };
        let mut neuron = Neuron { weights, bias: IBig::ZERO };
        if let Some(bias) = middle(points, &neuron, wanted) {
            neuron.bias = bias;
            return Some(neuron);
        }
    }
    None
}

/// The exponent of a double that is not 0: `1 ≤ |value|·2^−exponent < 2`.
fn exponent(value: f64) -> i64 {
    value.abs().log2().floor() as i64
}

/// `value·2^power`, rounded.
fn whole(value: f64, power: i64) -> IBig {
    let scale = power.clamp(-1_200, 60) as f64;
    let near = value * scale.exp2();
    if near.abs() < 1e18 {
        return IBig::from(near.round() as i64);
    }
    let mantissa = (value * (52.0 - exponent(value) as f64).exp2()).round() as i64;
    let shift = power + exponent(value) - 52;
    if shift >= 0 { IBig::from(mantissa) << shift as usize } else { IBig::from(mantissa) >> (-shift) as usize }
}

/// A bias between the sums of the points wanted positive and those wanted negative: the integer nearest the middle; `None` if there is none.
fn middle(points: &GroupPoints, neuron: &Neuron, wanted: &[(u32, i8)]) -> Option<IBig> {
    let (mut lowest, mut highest): (Option<IBig>, Option<IBig>) = (None, None);
    for &(p, side) in wanted {
        let sum = dot(&points.exact, p as usize, &neuron.weights);
        let slot = if side > 0 { &mut lowest } else { &mut highest };
        let better = slot.as_ref().is_none_or(|best| if side > 0 { sum < *best } else { sum > *best });
        if better {
            *slot = Some(sum);
            if let (Some(lowest), Some(highest)) = (&lowest, &highest)
                && *lowest <= highest + IBig::ONE
            {
                // Between them must lie an integer −bias with highest < −bias < lowest.
                return None;
            }
        }
    }
    Some(match (lowest, highest) {
        (Some(lowest), Some(highest)) => -((lowest + highest) >> 1),
        (Some(lowest), None) => IBig::ONE - lowest,
        (None, Some(highest)) => -IBig::ONE - highest,
        (None, None) => -IBig::ONE,
    })
}

fn dot(points: &Points, p: usize, weights: &[IBig]) -> IBig {
    points.row(p).into_iter().map(|(j, value)| &weights[j as usize] * &*value).sum()
}

/// Weights of a threshold function given by its table.
pub(crate) fn of_table(table: &[bool]) -> Option<Neuron> {
    let k = table.len().trailing_zeros() as usize;
    let mut weights = vec![0i64; k + 1];
    let mut clean = 0;
    for b in (0..table.len()).cycle().take(TABLE_UPDATES) {
        let sum: i64 = weights[k] + (0..k).filter(|j| b >> j & 1 == 1).map(|j| weights[j]).sum::<i64>();
        let right = if table[b] { sum > 0 } else { sum < 0 };
        if right {
            clean += 1;
            if clean == table.len() {
                let bias = IBig::from(weights[k]);
                return Some(Neuron { weights: weights[..k].iter().map(|&w| w.into()).collect(), bias });
            }
            continue;
        }
        clean = 0;
        let step = if table[b] { 1 } else { -1 };
        (0..k).filter(|j| b >> j & 1 == 1).for_each(|j| weights[j] += step);
        weights[k] += step;
    }
    None
}

/// Rows on which the network is wrong with these weights of its free units, exactly; `None` if one of their weighted sums is 0.
pub(crate) fn wrong_rows(problem: &LoadingProblem, neurons: &[Neuron]) -> Option<u64> {
    let network = &problem.network;
    let m = problem.rows();
    let mut values: Vec<Vec<bool>> = Vec::with_capacity(network.units.len());
    let mut free = neurons.iter();
    let fixed =
        |weights: &[i64], bias: i64| Neuron { weights: weights.iter().map(|&w| w.into()).collect(), bias: bias.into() };
    for unit in &network.units {
        let own;
        let neuron = match &unit.function {
            Function::Free => free.next()?,
            Function::Fixed { weights, bias } => {
                own = fixed(weights, *bias);
                &own
            }
        };
        let columns = unit.columns.list(problem.points.columns());
        let all = unit.columns == Columns::All;
        let is_fixed = !unit.is_free();
        let mut of_unit = Vec::with_capacity(m);
        for i in 0..m {
            let mut sum = neuron.bias.clone();
            for (j, value) in if columns.is_empty() { Vec::new() } else { problem.points.row(i) } {
                let place = if all { Some(j as usize) } else { columns.binary_search(&j).ok() };
                if let Some(place) = place {
                    sum += &neuron.weights[place] * &*value;
                }
            }
            for (k, &input) in unit.units.iter().enumerate() {
                if values[input as usize][i] {
                    sum += &neuron.weights[columns.len() + k];
                }
            }
            // A fixed unit is what it is given to be, also at 0.
            if sum.is_zero() && !is_fixed {
                return None;
            }
            of_unit.push(sum > IBig::ZERO);
        }
        values.push(of_unit);
    }
    let right = |i: usize| {
        problem
            .target(i)
            .iter()
            .zip(&network.outputs)
            .all(|(target, &output)| target.is_none_or(|target| values[output as usize][i] == target))
    };
    Some((0..m).filter(|&i| !right(i)).count() as u64)
}

/// Integer weights of all free units from the accepted assignment: the values of the search's rows (`value(u, i)`), tables, hyperplanes.
pub(crate) fn network_weights(
    problem: &LoadingProblem,
    rows: &[u32],
    value: &dyn Fn(usize, usize) -> bool,
    table: &dyn Fn(usize, usize) -> bool,
    hyperplanes: &[Option<Hyperplane>],
    stop: &dyn Fn() -> bool,
) -> Option<Vec<Neuron>> {
    let mut neurons = Vec::new();
    for (u, unit) in problem.network.units.iter().enumerate().filter(|entry| entry.1.is_free()) {
        let neuron = match (unit.kind(), hyperplanes[u].as_ref()) {
            (UnitKind::Table, _) => {
                of_table(&(0..1usize << unit.units.len()).map(|b| table(u, b)).collect::<Vec<bool>>())?
            }
            (_, Some(Hyperplane::Exact(weights))) => neuron(weights.clone()),
            (UnitKind::Linear, Some(Hyperplane::Scaled(points, weights))) => {
                let mut side = vec![0i8; points.len()];
                for (i, &row) in rows.iter().enumerate() {
                    side[points.point_of_row[row as usize] as usize] = if value(u, i) { 1 } else { -1 };
                }
                // Points of rows that the search left out go where they are.
                let wanted: Vec<(u32, i8)> = (side.iter().enumerate())
                    .filter(|entry| *entry.1 != 0)
                    .map(|(p, &side)| (p as u32, side))
                    .collect();
                integers(points, weights, &wanted, stop)?
            }
            (UnitKind::Mixed, Some(Hyperplane::Scaled(points, weights))) => {
                // These points are the search's rows in order.
                let wanted: Vec<(u32, i8)> = (points.row_of_point.iter().enumerate())
                    .map(|(p, &i)| (p as u32, if value(u, i as usize) { 1 } else { -1 }))
                    .collect();
                integers(points, weights, &wanted, stop)?
            }
            (_, None) => return None,
        };
        neurons.push(neuron);
    }
    Some(neurons)
}
