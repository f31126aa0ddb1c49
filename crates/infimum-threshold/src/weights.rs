//! From an assignment and hyperplanes in `f64` to integer weights that are right on every row, exactly.
//!
//! A hyperplane over scaled coordinates is brought back to the columns' integers, multiplied so that its largest weight is 1, 2, 3, … and then powers of two, and
//! rounded; the first that has the wanted sign on every row, by exact sums, is taken. If none has, the exact simplex is asked. So small weights come first: a person can check
//! them. Tables become weights by the perceptron in integers, which ends, as a table that satisfies the formula is a threshold function.

use std::collections::HashSet;

use dashu_int::{IBig, UBig, ops::BitTest};
use infimum_problem::{Columns, Function, LoadingProblem, Neuron, Points, UnitKind};
use rayon::prelude::*;

use crate::exact_simplex::{Exact, separate};
use crate::points::GroupPoints;
use crate::propagator::Hyperplane;
use crate::separation::circuit::common_divisor;

/// Largest magnitudes of weights that are tried before powers of two.
const SMALL: [u64; 14] = [1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 16, 20, 24, 32];
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

/// As [`integers`], but only along the direction of the weights given.
pub(crate) fn rounded(points: &GroupPoints, scaled: &[f64], wanted: &[(u32, i8)]) -> Option<Neuron> {
    let direction = direction(points, &scaled[..points.exact.columns()]);
    let open = open(points, wanted);
    sizes(&direction).find_map(|size| with_middle(points, &along(&direction, Some(&size)), wanted, &open))
}

/// The points of which nothing is wanted.
pub(crate) fn open(points: &GroupPoints, wanted: &[(u32, i8)]) -> Vec<u32> {
    let mut open = vec![true; points.len()];
    wanted.iter().for_each(|entry| open[entry.0 as usize] = false);
    (0..points.len() as u32).filter(|&p| open[p as usize]).collect()
}

/// Weights over scaled coordinates as integers of the same direction over the columns' integers, exactly.
pub(crate) fn direction(points: &GroupPoints, scaled: &[f64]) -> Vec<IBig> {
    whole(&points.scaled.unscaled(scaled))
}

/// Numbers `value·2^power` times a common power of two, exactly.
pub(crate) fn whole(numbers: &[(f64, i64)]) -> Vec<IBig> {
    let dyadic = |&(value, power): &(f64, i64)| {
        let bits = value.to_bits();
        let (exponent, fraction) = ((bits >> 52 & 0x7ff) as i64, (bits & ((1 << 52) - 1)) as i64);
        let mantissa = if exponent == 0 { fraction } else { fraction | 1 << 52 };
        (if value < 0.0 { -mantissa } else { mantissa }, exponent.max(1) - 1_075 + power)
    };
    let parts: Vec<(i64, i64)> = numbers.iter().map(dyadic).collect();
    let least = parts.iter().filter(|part| part.0 != 0).map(|part| part.1).min().unwrap_or(0);
    let shifted = |&(mantissa, power): &(i64, i64)| IBig::from(mantissa) << usize::try_from(power - least).unwrap_or(0);
    parts.iter().map(shifted).collect()
}

/// Largest magnitudes of weights along a direction that are worth a try.
pub(crate) fn sizes(direction: &[IBig]) -> impl Iterator<Item = UBig> + use<> {
    let bits = direction.iter().map(BitTest::bit_len).max().unwrap_or(0) as u32;
    let next = |power: &u32| Some(if *power < 60 { power + 1 } else { power + power / 4 });
    let powers = std::iter::successors(Some(6), next).take_while(move |&power| power <= bits.max(60));
    SMALL.into_iter().map(UBig::from).chain(powers.map(|power| UBig::ONE << power as usize))
}

/// The direction as integers of which the largest is `size`, rounded; without a size 2^13 times the direction, so that the middle is an integer and
/// to be off it costs little.
pub(crate) fn along(direction: &[IBig], size: Option<&UBig>) -> Vec<IBig> {
    let magnitudes = || direction.iter().map(|value| value.clone().into_parts().1);
    let most = magnitudes().max().unwrap_or_default();
    match size {
        Some(size) if !most.is_zero() => (direction.iter())
            .map(|value| {
                let (sign, magnitude) = value.clone().into_parts();
                IBig::from_parts(sign, (magnitude * size * 2u32 + &most) / (&most * 2u32))
            })
            .collect(),
        _ => direction.iter().map(|value| value << 13).collect(),
    }
}

/// These weights with a bias between the sums of the points wanted positive and those wanted negative, and not opposite to that of a point of `open`, so that no sum is 0: of
/// such integers the one nearest the middle; `None` if there is none.
pub(crate) fn with_middle(
    points: &GroupPoints,
    weights: &[IBig],
    wanted: &[(u32, i8)],
    open: &[u32],
) -> Option<Neuron> {
    let (lowest, highest) = extremes(points, weights, wanted);
    let middle = match (&lowest, &highest) {
        // Between them must lie an integer −bias with highest < −bias < lowest.
        (Some(lowest), Some(highest)) if *lowest <= highest + IBig::ONE => return None,
        (Some(lowest), Some(highest)) => -((lowest + highest) >> 1),
        (Some(lowest), None) => IBig::ONE - lowest,
        (None, Some(highest)) => -IBig::ONE - highest,
        (None, None) => -IBig::ONE,
    };
    let taken: HashSet<IBig> = open.iter().map(|&p| -dot(&points.exact, p as usize, weights)).collect();
    let fits = |bias: &IBig| {
        lowest.as_ref().is_none_or(|lowest| lowest + bias > IBig::ZERO)
            && highest.as_ref().is_none_or(|highest| highest + bias < IBig::ZERO)
            && !taken.contains(bias)
    };
    let offsets = (0..=taken.len() as i64).flat_map(|offset| [offset, -offset]);
    let bias = offsets.map(|offset| &middle + IBig::from(offset)).find(fits)?;
    Some(Neuron { weights: weights.to_vec(), bias })
}

/// The lowest weighted sum of the points wanted positive, and the highest of those wanted negative.
pub(crate) fn extremes(points: &GroupPoints, weights: &[IBig], wanted: &[(u32, i8)]) -> (Option<IBig>, Option<IBig>) {
    let narrow: Option<Vec<i64>> = weights.iter().map(|weight| i64::try_from(weight).ok()).collect();
    let sum = |p: u32| narrow.as_ref().and_then(|weights| narrow_dot(&points.exact, p as usize, weights));
    let outer = |one: [Option<IBig>; 2], other: [Option<IBig>; 2]| {
        let ([low, high], [other_low, other_high]) = (one, other);
        [low.into_iter().chain(other_low).min(), high.into_iter().chain(other_high).max()]
    };
    let of_some = |some: &[(u32, i8)]| {
        let (mut low, mut high) = (i128::MAX, i128::MIN);
        let mut wide = [None, None];
        for &(p, side) in some {
            match sum(p) {
                Some(sum) if side > 0 => low = low.min(sum),
                Some(sum) => high = high.max(sum),
                None => {
                    let sum = Some(dot(&points.exact, p as usize, weights));
                    wide = outer(wide, if side > 0 { [sum, None] } else { [None, sum] });
                }
            }
        }
        let narrow = [(low < i128::MAX).then(|| low.into()), (high > i128::MIN).then(|| high.into())];
        outer(wide, narrow)
    };
    let [lowest, highest] = wanted.par_chunks(4_096).map(of_some).reduce(|| [None, None], outer);
    (lowest, highest)
}

fn narrow_dot(points: &Points, p: usize, weights: &[i64]) -> Option<i128> {
    let Points::Narrow(matrix) = points else { return None };
    let (indices, values) = matrix.row(p);
    let mut products =
        indices.iter().zip(values).map(|(&j, &value)| i128::from(weights[j as usize]) * i128::from(value));
    products.try_fold(0i128, i128::checked_add)
}

pub(crate) fn dot(points: &Points, p: usize, weights: &[IBig]) -> IBig {
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
