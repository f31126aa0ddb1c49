//! The recorded weights on every row, in exact integers.

use std::cmp::Ordering;

use dashu_int::IBig;
use infimum_problem::{Columns, Function, LoadingProblem, Neuron, Points, Unit};

use super::formula::fixed;
use crate::chunks::in_chunks;

/// A unit made ready for evaluation.
enum Ready<'a> {
    Fixed { weights: &'a [i64], bias: i64 },
    Free { weights: &'a Neuron, narrow: Option<(Vec<i64>, i64)> },
}

/// How many of the problem's rows the network is wrong on with these weights of its free units. The error says what does not
/// fit, or names the unit and the row where a weighted sum is 0.
pub(crate) fn wrong_rows(problem: &LoadingProblem, neurons: &[Neuron]) -> Result<u64, String> {
    let (network, d) = (&problem.network, problem.points.columns());
    let free = network.units.iter().filter(|unit| unit.is_free()).count();
    if neurons.len() != free {
        return Err(format!("weights of {} units, but {free} are free", neurons.len()));
    }
    let mut left = neurons.iter();
    let mut ready = Vec::with_capacity(network.units.len());
    for unit in &network.units {
        ready.push(match &unit.function {
            Function::Fixed { weights, bias } => Ready::Fixed { weights, bias: *bias },
            Function::Free => {
                let Some(neuron) = left.next() else { continue };
                let expected = columns_of(unit, d) + unit.units.len();
                if neuron.weights.len() != expected {
                    let got = neuron.weights.len();
                    return Err(format!("unit `{}`: expected {expected} weights, got {got}", unit.name));
                }
                Ready::Free { weights: neuron, narrow: narrowed(neuron) }
            }
        });
    }
    let counts = in_chunks(problem.rows(), network.units.len(), |range| {
        let mut values = vec![false; network.units.len()];
        let mut wrong = 0;
        for row in range {
            evaluate(problem, &ready, row, &mut values)?;
            let outputs = network.outputs.iter().map(|&output| values[output as usize]);
            let right = outputs.zip(problem.target(row)).all(|(value, target)| target.is_none_or(|y| y == value));
            wrong += u64::from(!right);
        }
        Ok(wrong)
    });
    counts.into_iter().sum()
}

/// Weights and bias as small numbers, if they are.
pub(super) fn narrowed(neuron: &Neuron) -> Option<(Vec<i64>, i64)> {
    let weights: Option<Vec<i64>> = neuron.weights.iter().map(|weight| i64::try_from(weight).ok()).collect();
    weights.zip(i64::try_from(&neuron.bias).ok())
}

/// Number of columns among a unit's inputs.
fn columns_of(unit: &Unit, d: usize) -> usize {
    match &unit.columns {
        Columns::None => 0,
        Columns::All => d,
        Columns::Listed(listed) => listed.len(),
    }
}

/// All units' values on a row.
fn evaluate(problem: &LoadingProblem, ready: &[Ready], row: usize, values: &mut [bool]) -> Result<(), String> {
    for (place, (unit, ready)) in problem.network.units.iter().zip(ready).enumerate() {
        let inputs = unit.units.iter().map(|&input| values[input as usize]);
        values[place] = match ready {
            Ready::Fixed { weights, bias } => fixed(weights, *bias, inputs),
            Ready::Free { weights, narrow } => {
                let narrow =
                    narrow.as_ref().and_then(|(weights, bias)| narrow_sum(problem, unit, weights, *bias, row, values));
                let sign = narrow.map(|sum| sum.cmp(&0));
                match sign.unwrap_or_else(|| wide_sum(problem, unit, weights, row, values).cmp(&IBig::ZERO)) {
                    Ordering::Less => false,
                    Ordering::Greater => true,
                    Ordering::Equal => {
                        return Err(format!("unit `{}`: its weighted sum on row {} is exactly 0", unit.name, row + 1));
                    }
                }
            }
        };
    }
    Ok(())
}

/// The place of a column among a unit's inputs.
pub(super) fn place_of(unit: &Unit, column: u32) -> Option<usize> {
    match &unit.columns {
        Columns::None => None,
        Columns::All => Some(column as usize),
        Columns::Listed(listed) => listed.binary_search(&column).ok(),
    }
}

/// The weights of the input units that are 1.
fn held<'a, T>(unit: &'a Unit, weights: &'a [T], values: &'a [bool]) -> impl Iterator<Item = &'a T> {
    let weights = &weights[weights.len() - unit.units.len()..];
    unit.units.iter().zip(weights).filter(|(input, _)| values[**input as usize]).map(|(_, weight)| weight)
}

/// The weighted sum, if the numbers are small enough.
pub(super) fn narrow_sum(
    problem: &LoadingProblem,
    unit: &Unit,
    weights: &[i64],
    bias: i64,
    row: usize,
    values: &[bool],
) -> Option<i128> {
    let Points::Narrow(matrix) = &problem.points else { return None };
    let mut sum = i128::from(bias);
    let (columns, entries) = matrix.row(row);
    if unit.columns != Columns::None {
        for (&column, &entry) in columns.iter().zip(entries) {
            if let Some(place) = place_of(unit, column) {
                sum = sum.checked_add(i128::from(weights[place]) * i128::from(entry))?;
            }
        }
    }
    for &weight in held(unit, weights, values) {
        sum = sum.checked_add(weight.into())?;
    }
    Some(sum)
}

/// The weighted sum.
pub(super) fn wide_sum(problem: &LoadingProblem, unit: &Unit, neuron: &Neuron, row: usize, values: &[bool]) -> IBig {
    let mut sum = neuron.bias.clone();
    for (column, entry) in problem.points.row(row) {
        if let Some(place) = place_of(unit, column) {
            sum += &neuron.weights[place] * entry.as_ref();
        }
    }
    held(unit, &neuron.weights, values).for_each(|weight| sum += weight);
    sum
}
