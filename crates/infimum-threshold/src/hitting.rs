//! Fewest errors without hidden units, from below and above: implicit hitting sets over circuits (Moreno-Centeno and Karp, Operations Research 61, 2013; on covers of infeasible
//! subsystems Parker and Ryan 1996, Amaldi, Pfetsch and Trotter 2003).
//!
//! In every circuit of a unit whose sides are as the targets say some row is wrong, so the wrong rows of any weights hit all circuits; and if what is left without some rows has no
//! circuit, weights are wrong on those alone. In each round rows are chosen that hit all circuits found so far, with few rows (greedily, from several starts); the circuits of the
//! others are found one after the other, disjoint, until what is left is separated; then rows that were left out come back if that leaves it so, and each that cannot gives a
//! circuit. So a round ends with a set of right rows to which none can be added, and with new circuits or with a hitting set that is enough. Rows of the same point and targets are
//! one *class*, with their number as weight. The proof that fewer errors cannot be is left to the search, which begins with these circuits.

use std::collections::HashMap;
use std::sync::Arc;

use infimum_problem::{Circuit, LoadingProblem, Neuron, Scope};

use crate::points::GroupPoints;
use crate::propagator::circuit;
use crate::random::Random;
use crate::separation::circuit::Side;
use crate::separation::crash::Start;
use crate::separation::engine::{Check, Engine, Terms};
use crate::weights;

/// Rounds, rounds without a better set, and multiplications, about, that are spent.
const ROUNDS: usize = 400;
const PATIENCE: usize = 60;
const WORK: u64 = 2_000_000_000;
/// Greedy hitting sets of a round.
const STARTS: usize = 6;

/// Rows of the same point with the same targets.
struct Class {
    point: u32,
    row: u32,
    weight: u64,
}

/// The search's own state.
struct Hitting<'a> {
    problem: &'a LoadingProblem,
    points: &'a GroupPoints,
    units: Vec<(u32, usize, Engine)>,
    classes: Vec<Class>,
    /// Classes of every point.
    at: Vec<Vec<u32>>,
    /// Circuits as classes.
    sets: Vec<Vec<u32>>,
    circuits: Vec<Circuit>,
    random: Random,
}

/// Looks for weights with few wrong rows; `take` gets better and better ones. What is returned are circuits of units whose sides are as the targets say. The units all have the
/// same inputs.
pub(crate) fn few_errors(
    problem: &LoadingProblem,
    points: &Arc<GroupPoints>,
    start: &Arc<Start>,
    seed: u64,
    stop: &dyn Fn() -> bool,
    take: &mut dyn FnMut(Vec<Neuron>),
) -> Vec<Circuit> {
    let mut hitting = Hitting::new(problem, points, start, seed);
    let mut best = u64::MAX;
    let mut since = 0;
    for _ in 0..ROUNDS {
        let chosen = hitting.hitting_set();
        let before = hitting.sets.len();
        let Some(left_out) = hitting.maximal(&chosen, stop) else { break };
        let weight: u64 = (0..left_out.len()).filter(|&c| left_out[c]).map(|c| hitting.classes[c].weight).sum();
        since += 1;
        if weight < best {
            (best, since) = (weight, 0);
            if let Some(neurons) = hitting.neurons(stop) {
                take(neurons);
            }
        }
        let work: u64 = hitting.units.iter().map(|unit| unit.2.work).sum();
        if stop() || since >= PATIENCE || work > WORK || hitting.sets.len() == before {
            break;
        }
    }
    hitting.circuits
}

impl<'a> Hitting<'a> {
    fn new(problem: &'a LoadingProblem, points: &'a Arc<GroupPoints>, start: &Arc<Start>, seed: u64) -> Hitting<'a> {
        let mut place: HashMap<(u32, &[Option<bool>]), u32> = HashMap::new();
        let mut classes: Vec<Class> = Vec::new();
        let mut at = vec![Vec::new(); points.len()];
        for (row, &point) in points.point_of_row.iter().enumerate() {
            let next = classes.len() as u32;
            let class = *place.entry((point, problem.target(row))).or_insert(next);
            if class == next {
                classes.push(Class { point, row: row as u32, weight: 0 });
                at[point as usize].push(class);
            }
            classes[class as usize].weight += 1;
        }
        let outputs = problem.network.outputs.iter().enumerate();
        let units = outputs.map(|(output, &unit)| (unit, output, Engine::new(points.clone(), start.clone()))).collect();
        let mut hitting = Hitting {
            problem,
            points,
            units,
            classes,
            at,
            sets: Vec::new(),
            circuits: Vec::new(),
            random: Random(seed),
        };
        hitting.opposite();
        hitting
    }

    fn target(&self, class: u32, output: usize) -> Option<bool> {
        self.problem.target(self.classes[class as usize].row as usize)[output]
    }

    /// Classes of one point that want opposite things.
    fn opposite(&mut self) {
        for point in 0..self.at.len() {
            let at = self.at[point].clone();
            for (place, &one) in at.iter().enumerate() {
                for &other in &at[..place] {
                    let differs = |output: &usize| {
                        let targets = (self.target(one, *output), self.target(other, *output));
                        matches!(targets, (Some(a), Some(b)) if a != b)
                    };
                    if let Some(output) = (0..self.units.len()).find(differs) {
                        let (left, right) =
                            if self.target(one, output) == Some(true) { (one, other) } else { (other, one) };
                        let side = |value: i8| Side::of(value.into());
                        self.record(vec![(left, side(1)), (right, side(-1))]);
                    }
                }
            }
        }
    }

    fn record(&mut self, terms: Vec<(u32, Side)>) {
        self.sets.push(terms.iter().map(|entry| entry.0).collect());
        let rows = terms.into_iter().map(|(class, side)| (self.classes[class as usize].row, Vec::new(), side));
        self.circuits.push(circuit(Scope::Group(0), rows));
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.random.next() % bound.max(1) as u64) as usize
    }

    fn shuffled(&mut self, mut list: Vec<u32>) -> Vec<u32> {
        for i in (1..list.len()).rev() {
            let other = self.below(i + 1);
            list.swap(i, other);
        }
        list
    }

    /// Classes that hit all sets: the lightest of several greedy ones.
    fn hitting_set(&mut self) -> Vec<bool> {
        let mut best: Option<(u64, Vec<bool>)> = None;
        for _ in 0..STARTS {
            let chosen = self.greedy();
            let weight = (0..chosen.len()).filter(|&c| chosen[c]).map(|c| self.classes[c].weight).sum();
            if best.as_ref().is_none_or(|best| weight < best.0) {
                best = Some((weight, chosen));
            }
        }
        best.map(|best| best.1).unwrap_or_default()
    }

    /// Takes the class that hits most of what is not hit, for its weight; then gives up what is not needed.
    fn greedy(&mut self) -> Vec<bool> {
        let mut of: Vec<Vec<u32>> = vec![Vec::new(); self.classes.len()];
        for (place, set) in self.sets.iter().enumerate() {
            set.iter().for_each(|&class| of[class as usize].push(place as u32));
        }
        let mut hits = vec![0u32; self.sets.len()];
        let mut gain: Vec<u64> = of.iter().map(|of| of.len() as u64).collect();
        let mut chosen = vec![false; self.classes.len()];
        let order = self.shuffled((0..self.classes.len() as u32).collect());
        while let Some(class) = order.iter().copied().max_by_key(|&class| {
            // Parts of 2^20, so that weights count in integers.
            (gain[class as usize] << 20) / self.classes[class as usize].weight.max(1)
        }) {
            if gain[class as usize] == 0 {
                break;
            }
            chosen[class as usize] = true;
            for &place in &of[class as usize] {
                hits[place as usize] += 1;
                if hits[place as usize] == 1 {
                    self.sets[place as usize].iter().for_each(|&other| gain[other as usize] -= 1);
                }
            }
        }
        let members: Vec<u32> = (0..chosen.len() as u32).filter(|&class| chosen[class as usize]).collect();
        for class in self.shuffled(members) {
            let mine = &of[class as usize];
            if mine.iter().all(|&place| hits[place as usize] > 1) {
                mine.iter().for_each(|&place| hits[place as usize] -= 1);
                chosen[class as usize] = false;
            }
        }
        chosen
    }

    /// Sets what every unit wants of a point, from its classes that are not left out.
    fn settle(&mut self, point: u32, left_out: &[bool]) {
        let at = &self.at[point as usize];
        for (_, output, engine) in &mut self.units {
            let mut kept = at.iter().filter(|&&class| !left_out[class as usize]);
            let wanted =
                kept.find_map(|&class| self.problem.target(self.classes[class as usize].row as usize)[*output]);
            match wanted {
                Some(positive) => engine.want(point as usize, positive),
                None => engine.release(point as usize),
            }
        }
    }

    /// A circuit of what is wanted, as classes, or `None` if all is separated; the outer `None` if the arithmetic did not decide or it is to stop.
    fn conflict(&mut self, left_out: &[bool], stop: &dyn Fn() -> bool) -> Option<Option<Vec<(u32, Side)>>> {
        for unit in 0..self.units.len() {
            if stop() {
                return None;
            }
            match self.units[unit].2.check() {
                Check::Separated => {}
                Check::Unknown => return None,
                Check::Conflict(terms) => return self.of_classes(unit, terms, left_out).map(Some),
            }
        }
        Some(None)
    }

    fn of_classes(&self, unit: usize, terms: Terms, left_out: &[bool]) -> Option<Vec<(u32, Side)>> {
        let output = self.units[unit].1;
        let class = |point: u32, left: bool| {
            let mut at = self.at[point as usize].iter().copied();
            at.find(|&class| !left_out[class as usize] && self.target(class, output) == Some(left))
        };
        terms.into_iter().map(|(point, side)| Some((class(point, side.left)?, side))).collect()
    }

    /// From a set of classes to leave out to one that is enough and of which none can come back. New circuits are recorded.
    fn maximal(&mut self, chosen: &[bool], stop: &dyn Fn() -> bool) -> Option<Vec<bool>> {
        let mut left_out = chosen.to_vec();
        (0..self.at.len() as u32).for_each(|point| self.settle(point, &left_out));
        let mut order: Vec<u32> = Vec::new();
        while let Some(terms) = self.conflict(&left_out, stop)? {
            for &(class, _) in &terms {
                left_out[class as usize] = true;
                order.push(class);
                self.settle(self.classes[class as usize].point, &left_out);
            }
            self.record(terms);
        }
        // Those taken out just now come back first: the others hit circuits that are known.
        order = self.shuffled(order);
        let others: Vec<u32> = (0..chosen.len() as u32).filter(|&class| chosen[class as usize]).collect();
        order.extend(self.shuffled(others));
        for class in order {
            let point = self.classes[class as usize].point;
            let opposed = self.at[point as usize].iter().any(|&other| {
                let differ = |output: usize| {
                    matches!((self.target(class, output), self.target(other, output)), (Some(a), Some(b)) if a != b)
                };
                !left_out[other as usize] && (0..self.units.len()).any(differ)
            });
            if opposed {
                continue;
            }
            left_out[class as usize] = false;
            self.settle(point, &left_out);
            if let Some(terms) = self.conflict(&left_out, stop)? {
                self.record(terms);
                left_out[class as usize] = true;
                self.settle(point, &left_out);
            }
        }
        // The last that could not come back left its engine without a hyperplane.
        self.conflict(&left_out, stop)?.is_none().then_some(left_out)
    }

    /// Integer weights of all units from their hyperplanes.
    fn neurons(&self, stop: &dyn Fn() -> bool) -> Option<Vec<Neuron>> {
        let mut neurons = Vec::with_capacity(self.problem.network.units.len());
        for unit in 0..self.problem.network.units.len() as u32 {
            let Some((_, _, engine)) = self.units.iter().find(|entry| entry.0 == unit) else {
                // It is no output: any weights that are not 0 on a row.
                let weights = vec![0.into(); self.points.columns.len()];
                neurons.push(Neuron { weights, bias: 1.into() });
                continue;
            };
            let wanted: Vec<(u32, i8)> = (engine.wanted.iter().enumerate())
                .filter(|entry| *entry.1 != 0)
                .map(|(point, &side)| (point as u32, side))
                .collect();
            neurons.push(weights::integers(self.points, &engine.weights, &wanted, stop)?);
        }
        Some(neurons)
    }
}

#[cfg(test)]
mod tests {
    use infimum_problem::Network;

    use super::*;
    use crate::exact_simplex::{Exact, separate};
    use crate::rows::of_rows;
    use crate::weights::wrong_rows;

    /// The fewest wrong rows, by trying all sets of right ones.
    fn fewest(problem: &LoadingProblem) -> u64 {
        let m = problem.rows();
        let all_right = |right: usize| {
            (0..problem.network.outputs.len()).all(|output| {
                let rows = (0..m).filter(|i| right >> i & 1 == 1);
                let wanted: Vec<(u32, i8)> = rows
                    .filter_map(|i| problem.target(i)[output].map(|y| (i as u32, if y { 1 } else { -1 })))
                    .collect();
                matches!(separate(&problem.points, &wanted, &|| false), Exact::Separated(_))
            })
        };
        (0..1usize << m)
            .filter(|&right| all_right(right))
            .map(|right| (m - right.count_ones() as usize) as u64)
            .min()
            .unwrap()
    }

    /// Circuits are of rows whose targets they contradict; the weights' errors are as few as can be, nearly always.
    #[test]
    fn tiny_problems() {
        let mut random = 17u64;
        let mut below = |bound: u64| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (random >> 33) % bound
        };
        let (mut tried, mut met) = (0, 0);
        for _ in 0..300 {
            let (m, d, outputs) = (2 + below(7) as usize, 1 + below(2) as usize, 1 + below(2) as usize);
            let rows: Vec<Vec<i64>> = (0..m).map(|_| (0..d).map(|_| below(4) as i64 - 1).collect()).collect();
            let targets = (0..m * outputs).map(|_| if below(8) == 0 { None } else { Some(below(2) == 1) }).collect();
            let problem = of_rows(&rows, targets, Network::layered(&[], outputs));
            let points = Arc::new(GroupPoints::new(&problem, &problem.network.units[0].columns));
            let start = Arc::new(Start::new(&points.scaled, points.len()));
            let mut best = m as u64;
            let circuits = few_errors(&problem, &points, &start, 1, &|| false, &mut |neurons| {
                best = best.min(wrong_rows(&problem, &neurons).expect("no sum of 0"));
            });
            for circuit in &circuits {
                let agrees = |output: usize| {
                    let want = |terms: &[infimum_problem::Term], side: bool| {
                        terms.iter().all(|term| problem.target(term.row as usize)[output] == Some(side))
                    };
                    want(&circuit.left, true) && want(&circuit.right, false)
                };
                assert!((0..outputs).any(agrees), "{circuit:?} {problem:?}");
            }
            let least = fewest(&problem);
            assert!(best >= least && (least == 0) == circuits.is_empty(), "{best} {least} {problem:?}");
            tried += 1;
            met += usize::from(best == least);
        }
        assert!(100 * met >= 97 * tried, "{met} of {tried}");
    }
}
