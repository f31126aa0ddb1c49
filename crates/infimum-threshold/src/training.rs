//! Incumbents from a smooth network: every threshold is replaced by a sigmoid, the logistic loss of the outputs is brought down by Adam (Kingma and Ba, ICLR 2015) over random rows
//! and from random weights, and the weights found are taken as those of thresholds.
//!
//! Columns are scaled to about [−1, 1]. A hidden unit with weighted sum a has the value 1/(1 + exp(−STEEP·a)); a fixed unit's sum is lowered by ½, as its sums are integers and it is 1 from
//! 1 on. Nothing is claimed of what comes out: whoever takes the weights counts the wrong rows exactly.

use dashu_int::{IBig, UBig};
use infimum_problem::{Function, LoadingProblem, Neuron};

use crate::points::GroupPoints;
use crate::random::Random;
use crate::weights;

/// How fast hidden units go from 0 to 1.
const STEEP: f64 = 4.0;
/// Rows of a step, at most.
const BATCH: usize = 256;
/// Steps of one training, at most, and multiplications, about.
const STEPS: usize = 600;
const WORK: usize = 40_000_000;
/// Adam's rates.
const RATE: f64 = 0.05;
const FIRST: f64 = 0.9;
const SECOND: f64 = 0.999;
/// Largest weights that rounded ones are tried with, as powers of two, before those as they are.
const SIZES: [usize; 4] = [6, 10, 16, 24];

/// A unit's inputs, and where its weights begin: columns, units, bias.
struct Unit {
    columns: Vec<u32>,
    units: Vec<u32>,
    start: usize,
    fixed: bool,
    output: Option<usize>,
}

/// The smooth network of a problem.
pub(crate) struct Training<'a> {
    problem: &'a LoadingProblem,
    points: GroupPoints,
    units: Vec<Unit>,
    parameters: usize,
    random: Random,
}

impl<'a> Training<'a> {
    pub(crate) fn new(problem: &'a LoadingProblem, seed: u64) -> Training<'a> {
        let d = problem.points.columns();
        let points = GroupPoints::of(&problem.points, (0..d as u32).collect());
        let mut parameters = 0;
        let units = (problem.network.units.iter().enumerate())
            .map(|(u, unit)| {
                let columns = unit.columns.list(d);
                let start = parameters;
                parameters += columns.len() + unit.units.len() + 1;
                let output = problem.network.outputs.iter().position(|&output| output as usize == u);
                Unit { columns, units: unit.units.clone(), start, fixed: !unit.is_free(), output }
            })
            .collect();
        Training { problem, points, units, parameters, random: Random(seed) }
    }

    /// In (−1, 1).
    fn uniform(&mut self) -> f64 {
        (self.random.next() >> 11) as f64 * 2f64.powi(-52) - 1.0
    }

    /// Weights of the free units after one training from random weights, rounded in several ways, the coarsest first.
    pub(crate) fn run(&mut self, stop: &dyn Fn() -> bool) -> Vec<Vec<Neuron>> {
        let mut weights: Vec<f64> = (0..self.parameters).map(|_| self.uniform()).collect();
        let fixed = self.problem.network.units.iter().zip(&self.units);
        for (unit, place) in fixed {
            if let Function::Fixed { weights: given, bias } = &unit.function {
                let own = given.iter().map(|&w| w as f64).chain([*bias as f64 - 0.5]);
                weights[place.start..].iter_mut().zip(own).for_each(|(weight, value)| *weight = value);
            }
        }
        let m = self.problem.rows();
        let batch = BATCH.min(m);
        let steps = STEPS.min(WORK / (4 * batch * self.parameters.max(1))).max(1);
        let (mut first, mut second) = (vec![0.0; self.parameters], vec![0.0; self.parameters]);
        let mut gradient = vec![0.0; self.parameters];
        for step in 1..=steps {
            if stop() {
                break;
            }
            gradient.fill(0.0);
            for k in 0..batch {
                let row = if batch == m { k } else { self.random.next() as usize % m };
                self.backward(row, &weights, &mut gradient);
            }
            let rate = RATE * (1.0 - step as f64 / (steps + 1) as f64);
            let (first_part, second_part) = (1.0 - FIRST.powi(step as i32), 1.0 - SECOND.powi(step as i32));
            for p in 0..self.parameters {
                let slope = gradient[p] / batch as f64;
                first[p] = FIRST * first[p] + (1.0 - FIRST) * slope;
                second[p] = SECOND * second[p] + (1.0 - SECOND) * slope * slope;
                weights[p] -= rate * (first[p] / first_part) / ((second[p] / second_part).sqrt() + 1e-9);
            }
        }
        let sizes = SIZES.iter().map(|&power| Some(UBig::ONE << power)).chain([None]);
        sizes.map(|size| self.neurons(&weights, size.as_ref())).collect()
    }

    /// Adds the loss's derivatives on one row.
    fn backward(&self, row: usize, weights: &[f64], gradient: &mut [f64]) {
        let (indices, values) = self.points.scaled.row(self.points.point_of_row[row] as usize);
        let column = |j: u32| indices.binary_search(&j).map_or(0.0, |place| values[place]);
        let (mut sums, mut outputs) = (Vec::with_capacity(self.units.len()), Vec::with_capacity(self.units.len()));
        for unit in &self.units {
            let own = &weights[unit.start..];
            let bias = own[unit.columns.len() + unit.units.len()];
            let from_columns: f64 = unit.columns.iter().zip(own).map(|(&j, w)| w * column(j)).sum();
            let of_units = unit.units.iter().zip(&own[unit.columns.len()..]);
            let sum = bias + from_columns + of_units.map(|(&v, w)| w * outputs[v as usize]).sum::<f64>();
            sums.push(sum);
            outputs.push(1.0 / (1.0 + (-STEEP * sum).exp()));
        }
        // Derivatives by the units' values, from the last unit back.
        let mut slopes = vec![0.0; self.units.len()];
        let targets = self.problem.target(row);
        for (u, unit) in self.units.iter().enumerate().rev() {
            let mut slope = slopes[u] * STEEP * outputs[u] * (1.0 - outputs[u]);
            if let Some(target) = unit.output.and_then(|output| targets[output]) {
                let sign = if target { 1.0 } else { -1.0 };
                slope -= sign / (1.0 + (sign * sums[u]).exp());
            }
            let own = unit.start + unit.columns.len();
            unit.units.iter().enumerate().for_each(|(k, &v)| slopes[v as usize] += slope * weights[own + k]);
            if unit.fixed {
                continue;
            }
            unit.columns.iter().enumerate().for_each(|(k, &j)| gradient[unit.start + k] += slope * column(j));
            unit.units.iter().enumerate().for_each(|(k, &v)| gradient[own + k] += slope * outputs[v as usize]);
            gradient[own + unit.units.len()] += slope;
        }
    }

    /// Integers of the free units' weights.
    fn neurons(&self, all: &[f64], size: Option<&UBig>) -> Vec<Neuron> {
        let scaled = &self.points.scaled;
        let free = self.units.iter().filter(|unit| !unit.fixed);
        free.map(|unit| {
            let own = &all[unit.start..unit.start + unit.columns.len() + unit.units.len() + 1];
            let mut wide = vec![0.0; self.points.columns.len()];
            unit.columns.iter().zip(own).for_each(|(&j, &w)| wide[j as usize] = w);
            let unscaled = scaled.unscaled(&wide);
            let of_columns = unit.columns.iter().map(|&j| unscaled[j as usize]);
            let others = own[unit.columns.len()..].iter().map(|&w| (w, 0));
            let whole = weights::whole(&of_columns.chain(others).collect::<Vec<(f64, i64)>>());
            let mut neuron = weights::neuron(weights::along(&whole, size));
            for (&j, weight) in unit.columns.iter().zip(&neuron.weights) {
                neuron.bias -= weight * scaled.shift(j as usize);
            }
            // A sum of exactly 0 would be refused; with even weights it cannot be.
            neuron.weights.iter_mut().for_each(|weight| *weight = &*weight * 2);
            neuron.bias = neuron.bias * IBig::from(2) + IBig::ONE;
            neuron
        })
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use infimum_problem::Network;

    use super::*;
    use crate::rows::of_rows;
    use crate::weights::wrong_rows;

    /// Exclusive or far from the origin and in unlike columns: two hidden units are found, and the integers mean what the smooth network did.
    #[test]
    fn exclusive_or_is_learned() {
        let rows = [(0, 0), (0, 1), (1, 0), (1, 1)].map(|(a, b)| vec![1_000_000_000_000 + a, 7_000 * b - 3]);
        let targets = [false, true, true, false].map(Some).to_vec();
        let problem = of_rows(&rows, targets, Network::layered(&[2], 1));
        let mut training = Training::new(&problem, 1);
        let runs: Vec<Vec<u64>> = (0..10)
            .map(|_| {
                let rounded = training.run(&|| false);
                rounded.iter().map(|neurons| wrong_rows(&problem, neurons).expect("no sum of 0")).collect()
            })
            .collect();
        assert!(runs.iter().filter(|wrong| wrong.last() == Some(&0)).count() >= 3, "{runs:?}");
        assert!(runs.iter().any(|wrong| wrong.iter().take(4).any(|&wrong| wrong == 0)), "{runs:?}");
    }
}
