//! Incumbents of parallel hyperplanes: networks of one hidden layer whose hidden units differ in their biases alone.
//!
//! Let t_1 < … < t_k be places along a direction w and hidden unit j be 1 iff w·x > t_j. Then the units of a row are 1 up to some place c and 0 behind it, and an output with bias ±1 and weights
//! ∓2, ±2, ∓2, … changes its value at every place. So along w the output may be any function of w·x that changes its value at most k times; which of these is wrong on the fewest rows a recurrence over
//! the rows in the order of w·x decides. (That n units compute the parity of n bits is the case w = (1, …, 1):
//! Rumelhart, Hinton, Williams, *Learning internal representations by error propagation*, 1986, section "Parity".) Directions tried: all columns alike, from the mean of the rows of one class to that of the other, and that over the columns' variances. Nothing is
//! claimed of what comes out: whoever takes the weights counts the wrong rows exactly.

use dashu_int::IBig;
use infimum_problem::{Columns, LoadingProblem, Network, Neuron};

use crate::points::GroupPoints;
use crate::weights;

/// Projections that differ by less than this share of the largest are taken as equal.
const EQUAL: f64 = 1e-9;

/// Points in the order of their projections, and the places at which they lie: where each ends among the points, how many of its rows want 0, and how many 1.
struct Places {
    points: Vec<u32>,
    ends: Vec<usize>,
    rows: Vec<[u64; 2]>,
}

/// Weights of the free units, of parallel hyperplanes that are wrong on at most `allowed` rows; `None` if none were found, and outside networks of one hidden layer and one output, all free.
/// `points`: those of the hidden units.
pub(crate) fn few_errors(problem: &LoadingProblem, points: &GroupPoints, allowed: u64) -> Option<Vec<Neuron>> {
    let hidden = hidden(&problem.network)?;
    let mut wanted = vec![[0u64; 2]; points.len()];
    for row in 0..problem.rows() {
        if let Some(target) = problem.target(row)[0] {
            wanted[points.point_of_row[row] as usize][usize::from(target)] += 1;
        }
    }
    let best = directions(points, &wanted).into_iter().map(|direction| {
        let places = places(points, &wanted, &direction);
        let (wrong, first, cuts) = cut(&places.rows, hidden.len());
        (wrong, direction, places, first, cuts)
    });
    let (_, direction, places, first, cuts) = best.min_by_key(|found| found.0).filter(|found| found.0 <= allowed)?;
    let mut neurons = vec![Neuron { weights: Vec::new(), bias: IBig::ZERO }; problem.network.units.len()];
    let mut output = Neuron { weights: vec![IBig::ZERO; hidden.len()], bias: IBig::from(if first { 1 } else { -1 }) };
    for (place, &unit) in hidden.iter().enumerate() {
        let neuron = match cuts.get(place) {
            Some(&cut) => {
                let step = if first == (place % 2 == 0) { -2 } else { 2 };
                output.weights[place] = step.into();
                let behind = places.ends[cut - 1];
                let side = |(at, &point): (usize, &u32)| (point, if at < behind { -1 } else { 1 });
                let wanted: Vec<(u32, i8)> = places.points.iter().enumerate().map(side).collect();
                weights::rounded(points, &direction, &wanted)?
            }
            None => Neuron { weights: vec![IBig::ZERO; points.columns.len()], bias: IBig::NEG_ONE },
        };
        neurons[unit as usize] = neuron;
    }
    neurons[problem.network.outputs[0] as usize] = output;
    Some(neurons)
}

/// The hidden units in the order in which the output reads them.
fn hidden(network: &Network) -> Option<Vec<u32>> {
    let [output] = network.outputs[..] else { return None };
    let unit = &network.units[output as usize];
    let others = (0..network.units.len() as u32).filter(|&u| u != output);
    let mut read = unit.units.clone();
    read.sort_unstable();
    let groups = network.groups();
    let is_layer = matches!(&groups[..], [(_, units)] if *units == read) && others.eq(read.iter().copied());
    let all_free = network.units.iter().all(|unit| unit.is_free());
    (is_layer && all_free && unit.columns == Columns::None).then(|| unit.units.clone())
}

/// Directions over the scaled columns, with a 0 for the constant.
fn directions(points: &GroupPoints, wanted: &[[u64; 2]]) -> Vec<Vec<f64>> {
    let d = points.columns.len();
    let mut sums = [vec![0.0; d + 1], vec![0.0; d + 1]];
    let mut squares = vec![0.0; d + 1];
    let mut counts = [0.0; 2];
    for (point, rows) in wanted.iter().enumerate() {
        let (indices, values) = points.scaled.row(point);
        for class in 0..2 {
            let count = rows[class] as f64;
            counts[class] += count;
            for (&j, &value) in indices.iter().zip(values) {
                sums[class][j as usize] += count * value;
                squares[j as usize] += count * value * value;
            }
        }
    }
    let mut found = vec![vec![1.0; d]];
    if counts.iter().all(|&count| count > 0.0) {
        let mean = |class: usize, j: usize| sums[class][j] / counts[class];
        let difference: Vec<f64> = (0..d).map(|j| mean(1, j) - mean(0, j)).collect();
        let all = counts[0] + counts[1];
        let variance = |j: usize| squares[j] / all - ((sums[0][j] + sums[1][j]) / all).powi(2);
        let over = difference.iter().enumerate().map(|(j, &value)| value / variance(j).max(1e-12));
        found.extend([over.collect(), difference]);
    }
    found.iter_mut().for_each(|direction| direction.push(0.0));
    found.retain(|direction| direction.iter().all(|value| value.is_finite()));
    found
}

/// The places along a direction.
fn places(points: &GroupPoints, wanted: &[[u64; 2]], direction: &[f64]) -> Places {
    let mut order: Vec<(f64, u32)> =
        (0..points.len()).map(|point| (points.scaled.dot(point, direction), point as u32)).collect();
    order.sort_unstable_by(|one, other| one.0.total_cmp(&other.0));
    let largest = order.iter().fold(0.0f64, |most, entry| most.max(entry.0.abs()));
    let mut places = Places { points: order.iter().map(|entry| entry.1).collect(), ends: Vec::new(), rows: Vec::new() };
    let mut before = f64::NEG_INFINITY;
    for (place, &(at, point)) in order.iter().enumerate() {
        if at - before > EQUAL * largest || places.rows.is_empty() {
            places.rows.push([0; 2]);
            places.ends.push(place);
        }
        if let (Some(rows), Some(end)) = (places.rows.last_mut(), places.ends.last_mut()) {
            (0..2).for_each(|class| rows[class] += wanted[point as usize][class]);
            *end = place + 1;
        }
        before = at;
    }
    places
}

/// `places`: rows that want 0 and 1. Of the functions of the place that change their value at most `most` times one that is wrong on the fewest rows: on how many, its first value, and the places that begin with another value than the place before.
///
/// The fewest wrong rows up to a place, by the number of changes and the value there: either as at the place before, or with another value and a change less.
fn cut(places: &[[u64; 2]], most: usize) -> (u64, bool, Vec<usize>) {
    let most = most.min(places.len().saturating_sub(1));
    // For every number of changes the fewest wrong rows with value 0 and 1, and at every place whether the value is another than before.
    let mut fewest = vec![[u64::MAX; 2]; most + 1];
    fewest[0] = [0, 0];
    let mut changed: Vec<[bool; 2]> = Vec::with_capacity(places.len() * (most + 1));
    for (at, rows) in places.iter().enumerate() {
        for changes in (0..=most).rev() {
            let before = if at > 0 && changes > 0 { fewest[changes - 1] } else { [u64::MAX; 2] };
            let mut flags = [false; 2];
            let own = fewest[changes];
            for value in 0..2 {
                flags[value] = before[1 - value] < own[value];
                let least = own[value].min(before[1 - value]);
                fewest[changes][value] = least.saturating_add(rows[1 - value]);
            }
            changed.push(flags);
        }
    }
    let ends = (0..=most).flat_map(|changes| [(changes, 0), (changes, 1)]);
    let (mut changes, mut value) = ends.min_by_key(|&(changes, value)| fewest[changes][value]).unwrap_or((0, 0));
    let wrong = fewest[changes][value];
    let mut cuts = Vec::new();
    for at in (1..places.len()).rev() {
        if changed[at * (most + 1) + (most - changes)][value] {
            cuts.push(at);
            (changes, value) = (changes - 1, 1 - value);
        }
    }
    cuts.reverse();
    (wrong, value == 1, cuts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;
    use crate::rows::of_rows;
    use crate::weights::wrong_rows;

    fn all_columns(problem: &LoadingProblem) -> GroupPoints {
        GroupPoints::of(&problem.points, (0..problem.points.columns() as u32).collect())
    }

    #[test]
    fn the_cuts_are_the_best_of_all() {
        let mut random = Random(3);
        for _ in 0..500 {
            let count = 1 + random.next() as usize % 7;
            let places: Vec<[u64; 2]> = (0..count).map(|_| [random.next() % 3, random.next() % 3]).collect();
            let most = random.next() as usize % 4;
            let wrong = |values: usize| {
                let of = |(at, rows): (usize, &[u64; 2])| rows[1 - (values >> at & 1)];
                places.iter().enumerate().map(of).sum::<u64>()
            };
            let changes = |values: usize| ((values ^ values >> 1) & ((1 << (count - 1)) - 1)).count_ones() as usize;
            let best = (0..1usize << count).filter(|&values| changes(values) <= most).map(wrong).min();
            let (fewest, first, cuts) = cut(&places, most);
            assert_eq!(Some(fewest), best);
            assert!(cuts.len() <= most && cuts.is_sorted());
            let value = |at: usize| first ^ (cuts.iter().filter(|&&cut| cut <= at).count() % 2 == 1);
            let values = (0..count).filter(|&at| value(at)).map(|at| 1 << at).sum();
            assert_eq!(wrong(values), fewest);
        }
    }

    #[test]
    fn parity_of_many_bits() {
        for (bits, hidden, wrong) in [(3, 3, 0), (6, 6, 0), (10, 10, 0), (10, 12, 0), (3, 2, 1)] {
            let rows: Vec<Vec<i64>> = (0..1 << bits).map(|x| (0..bits).map(|j| x >> j & 1).collect()).collect();
            let targets = (0..1i64 << bits).map(|x| Some(x.count_ones() % 2 == 1)).collect();
            let problem = of_rows(&rows, targets, Network::layered(&[hidden], 1));
            let neurons = few_errors(&problem, &all_columns(&problem), 1).expect("weights");
            assert_eq!(wrong_rows(&problem, &neurons), Some(wrong), "{bits} bits, {hidden} units");
        }
    }

    /// Units in another order, columns in part, don't-cares, one class alone; and networks of other kinds.
    #[test]
    fn other_networks() {
        let rows: Vec<Vec<i64>> = (0..9).map(|x| vec![1_000_000_000_000 + x, 7, -3 * x]).collect();
        let targets = [0, 0, 1, 1, 2, 0, 0, 1, 1].map(|y| (y < 2).then_some(y == 1)).to_vec();
        let mut network = Network::layered(&[3], 1);
        network.units[3].units.reverse();
        let problem = of_rows(&rows, targets, network);
        let neurons = few_errors(&problem, &all_columns(&problem), 1).expect("weights");
        assert_eq!(wrong_rows(&problem, &neurons), Some(0));
        let problem = of_rows(&rows, vec![Some(true); 9], Network::layered(&[2], 1));
        let neurons = few_errors(&problem, &all_columns(&problem), 1).expect("weights");
        assert_eq!(wrong_rows(&problem, &neurons), Some(0));
        for network in [Network::layered(&[2, 2], 1), Network::layered(&[2], 2), Network::layered(&[], 1)] {
            let targets = vec![Some(true); 9 * network.outputs.len()];
            let problem = of_rows(&rows, targets, network);
            assert!(few_errors(&problem, &all_columns(&problem), 1).is_none());
        }
    }
}
