//! Rung 2: units that read columns alone are independent, and each is one linear program.
//!
//! Few of the rows decide: a unit is separated on some of its rows, the hyperplane is tried on all, the rows that it gets most wrong join, until none is wrong or
//! some contradict each other. Invariant: what is not separable on some of the rows is not separable on all. The first rows are those that a perceptron over
//! all of them found hardest. If all units are separated, each is given a maximal margin (`margin`).

use std::sync::Arc;

use infimum_problem::{Circuit, LoadingProblem, Neuron, ProofStep, Scope};
use rayon::prelude::*;

use crate::exact_simplex::{Exact, separate};
use crate::margin::{Margin, Separated, widest};
use crate::points::GroupPoints;
use crate::propagator::circuit;
use crate::separation::crash::Start;
use crate::separation::engine::{Check, Engine, Terms};
use crate::weights;

/// Passes of the perceptron that looks for the first rows.
const PASSES: usize = 6;
/// Rows that join at once, for every coordinate.
const JOIN: usize = 2;

/// What becomes of one unit.
enum Unit {
    Separated(Plane),
    Contradiction(Terms),
    Stopped,
}

/// A separating hyperplane: over scaled coordinates, over the integers, and the points that led to it.
struct Plane {
    scaled: Vec<f64>,
    neuron: Neuron,
    chosen: Vec<u32>,
}

/// The answer to "all rows right?".
pub(crate) enum Flat {
    /// Weights, and the margins of the units that have one.
    Weights(Vec<Neuron>, Vec<Margin>),
    /// A circuit and the refutation by it.
    Contradiction(Circuit, Vec<ProofStep>),
    Stopped,
}

/// Decides whether all rows can be right.
pub(crate) fn decide(problem: &LoadingProblem, stop: &(dyn Fn() -> bool + Sync)) -> Flat {
    let network = &problem.network;
    let mut planes: Vec<Option<(Arc<GroupPoints>, Plane)>> = network.units.iter().map(|_| None).collect();
    for (group, (columns, units)) in network.groups().into_iter().enumerate() {
        let points = Arc::new(GroupPoints::new(problem, &columns));
        let solved: Vec<(u32, Unit)> =
            units.par_iter().map(|&unit| (unit, separate_unit(problem, &points, unit, stop))).collect();
        for (unit, found) in solved {
            match found {
                Unit::Separated(plane) => planes[unit as usize] = Some((points.clone(), plane)),
                Unit::Contradiction(terms) => {
                    let rows = wanted(problem, &points, unit).rows;
                    let row = |point: u32, left: bool| rows[point as usize][usize::from(left)].unwrap_or_default();
                    let terms = terms.into_iter().map(|(point, side)| (row(point, side.left), Vec::new(), side));
                    let circuit = circuit(Scope::Group(group as u32), terms);
                    let steps = refutation(problem, &circuit, unit, &units);
                    return Flat::Contradiction(circuit, steps);
                }
                Unit::Stopped => return Flat::Stopped,
            }
        }
    }
    let wide = planes.into_par_iter().enumerate().map(|(unit, plane)| {
        let (points, Plane { scaled, neuron, chosen }) = plane?;
        let sides = wanted(problem, &points, unit as u32).sides;
        let asked = Separated { problem, points: &points, unit: unit as u32, sides: &sides, chosen, scaled: &scaled };
        Some(widest(asked, neuron, stop))
    });
    match wide.collect::<Option<Vec<(Neuron, Option<Margin>)>>>() {
        Some(units) => {
            let (neurons, margins): (Vec<Neuron>, Vec<Option<Margin>>) = units.into_iter().unzip();
            Flat::Weights(neurons, margins.into_iter().flatten().collect())
        }
        None => Flat::Stopped,
    }
}

/// What a unit has to be on every point, and a row that says so.
struct Wanted {
    sides: Vec<i8>,
    /// For every point a row that wants 0 and one that wants 1.
    rows: Vec<[Option<u32>; 2]>,
}

fn wanted(problem: &LoadingProblem, points: &GroupPoints, unit: u32) -> Wanted {
    let output = problem.network.outputs.iter().position(|&output| output == unit);
    let mut wanted = Wanted { sides: vec![0; points.len()], rows: vec![[None; 2]; points.len()] };
    for (i, &point) in points.point_of_row.iter().enumerate() {
        let Some(target) = output.and_then(|output| problem.target(i)[output]) else { continue };
        wanted.sides[point as usize] = if target { 1 } else { -1 };
        wanted.rows[point as usize][usize::from(target)].get_or_insert(i as u32);
    }
    wanted
}

fn separate_unit(problem: &LoadingProblem, points: &GroupPoints, unit: u32, stop: &(dyn Fn() -> bool + Sync)) -> Unit {
    let Wanted { sides, rows } = wanted(problem, points, unit);
    // A point that is wanted both ways contradicts itself: a circuit of two rows.
    if let Some(point) = rows.iter().position(|rows| rows.iter().all(Option::is_some)) {
        use crate::separation::circuit::Side;
        use dashu_int::IBig;
        return Unit::Contradiction(vec![(point as u32, Side::of(IBig::ONE)), (point as u32, Side::of(-IBig::ONE))]);
    }
    let all: Vec<u32> = (0..points.len() as u32).filter(|&p| sides[p as usize] != 0).collect();
    let mut scaled = vec![0.0; points.scaled.coordinates];
    let mut chosen = hardest(points, &sides, &all, &mut scaled, stop);
    let mut within = vec![false; points.len()];
    chosen.iter().for_each(|&p| within[p as usize] = true);
    loop {
        let violators = violators(points, &sides, &all, &scaled);
        if violators.is_empty() {
            let wanted: Vec<(u32, i8)> = all.iter().map(|&p| (p, sides[p as usize])).collect();
            return match weights::integers(points, &scaled, &wanted, stop) {
                Some(neuron) => Unit::Separated(Plane { scaled, neuron, chosen }),
                None if stop() => Unit::Stopped,
                None => exactly(points, &sides, &all, chosen, stop),
            };
        }
        let before = chosen.len();
        let most = JOIN * points.scaled.coordinates + 10;
        let new = violators.into_iter().filter(|&(_, p)| !std::mem::replace(&mut within[p as usize], true));
        chosen.extend(new.take(most).map(|entry| entry.1));
        if stop() {
            return Unit::Stopped;
        }
        if chosen.len() == before {
            // All that is wrong is there already: the arithmetic of f64 is at its end.
            return exactly(points, &sides, &all, chosen, stop);
        }
        match on_some(points, &sides, &chosen) {
            Ok(found) => scaled = found,
            Err(Some(terms)) => return Unit::Contradiction(terms),
            Err(None) => return exactly(points, &sides, &all, chosen, stop),
        }
    }
}

/// Separates the chosen points: scaled weights, or a circuit, or neither.
fn on_some(points: &GroupPoints, sides: &[i8], chosen: &[u32]) -> Result<Vec<f64>, Option<Terms>> {
    let some = GroupPoints { lazy: false, ..points.some(chosen) };
    let start = Arc::new(Start::new(&some.scaled, some.len()));
    let mut engine = Engine::new(Arc::new(some), start);
    chosen.iter().enumerate().for_each(|(place, &p)| engine.want(place, sides[p as usize] > 0));
    engine.dirty = true;
    match engine.check() {
        Check::Separated => Ok(engine.weights),
        Check::Conflict(terms) => {
            Err(Some(terms.into_iter().map(|(place, side)| (chosen[place as usize], side)).collect()))
        }
        Check::Unknown => Err(None),
    }
}

fn exactly(points: &GroupPoints, sides: &[i8], all: &[u32], chosen: Vec<u32>, stop: &dyn Fn() -> bool) -> Unit {
    let wanted: Vec<(u32, i8)> = all.iter().map(|&p| (p, sides[p as usize])).collect();
    match separate(&points.exact, &wanted, stop) {
        Exact::Separated(weights) => {
            let scaled = vec![0.0; points.scaled.coordinates];
            Unit::Separated(Plane { scaled, neuron: weights::neuron(weights), chosen })
        }
        Exact::Conflict(terms) => Unit::Contradiction(terms),
        Exact::Stopped => Unit::Stopped,
    }
}

/// Points on the wrong side or too near, the worst first.
fn violators(points: &GroupPoints, sides: &[i8], all: &[u32], scaled: &[f64]) -> Vec<(f64, u32)> {
    let length = scaled.iter().map(|w| w * w).sum::<f64>().sqrt();
    let mut wrong: Vec<(f64, u32)> = (all.par_iter())
        .map(|&p| (f64::from(sides[p as usize]) * points.scaled.dot(p as usize, scaled), p))
        .filter(|entry| !(entry.0 > 1e-9 * length))
        .collect();
    wrong.par_sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    wrong
}

/// A few passes of the perceptron over all points; the points that it corrected last, and its weights.
fn hardest(points: &GroupPoints, sides: &[i8], all: &[u32], scaled: &mut [f64], stop: &dyn Fn() -> bool) -> Vec<u32> {
    let mut last = vec![0usize; points.len()];
    let mut count = 0;
    for _ in 0..PASSES {
        let before = count;
        for &p in all {
            let side = f64::from(sides[p as usize]);
            if side * points.scaled.dot(p as usize, scaled) <= 0.0 {
                points.scaled.add(p as usize, side, scaled);
                count += 1;
                last[p as usize] = count;
            }
        }
        if count == before || stop() {
            break;
        }
    }
    let mut corrected: Vec<u32> = all.iter().copied().filter(|&p| last[p as usize] > 0).collect();
    corrected.sort_unstable_by_key(|&p| std::cmp::Reverse(last[p as usize]));
    corrected.truncate(4 * points.scaled.coordinates + 20);
    corrected
}

/// The lemma of the circuit and the targets of its rows contradict each other: one step (docs/loading.md, sections 3 to 5).
fn refutation(problem: &LoadingProblem, circuit: &Circuit, unit: u32, group: &[u32]) -> Vec<ProofStep> {
    let outputs = &problem.network.outputs;
    let output = outputs.iter().position(|&output| output == unit).unwrap_or_default();
    let mut rows: Vec<u32> = circuit.left.iter().chain(&circuit.right).map(|term| term.row).collect();
    rows.sort_unstable();
    // Clause C of row i and output o is the number of known targets up to it: there are no clauses before.
    let mut hints = Vec::with_capacity(rows.len() + 1);
    let (mut known, mut next) = (0u64, rows.iter().peekable());
    for i in 0..problem.rows() as u32 {
        for (o, target) in problem.target(i as usize).iter().enumerate() {
            known += u64::from(target.is_some());
            if o == output && next.peek() == Some(&&i) {
                hints.push(known);
                next.next();
            }
        }
    }
    // "Not all left 1 and all right 0" is the first of the unit's two clauses.
    let place = group.iter().position(|&other| other == unit).unwrap_or_default() as u64;
    hints.push(known + 2 * place + 1);
    vec![ProofStep { clause: Vec::new(), hints }]
}
