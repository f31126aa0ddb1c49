//! Units that read units beside columns, or more units than a table takes: their points depend on the assignment.

use std::sync::Arc;

use dashu_int::IBig;
use infimum_problem::{IntegerMatrix, LoadingProblem, Points, Unit};

use crate::exact_simplex::{Exact, separate};
use crate::points::GroupPoints;
use crate::propagator::Hyperplane;
use crate::separation::circuit::Side;
use crate::separation::crash::Start;
use crate::separation::engine::{Check, Engine, Terms, small_circuit};

/// What a check of a mixed unit finds.
pub(crate) enum MixedCheck {
    /// Weights over the unit's inputs and, last, the bias, as `f64` over scaled coordinates or exact.
    Separated(Hyperplane),
    /// A circuit: terms name places in the rows that were given.
    Conflict(Terms),
    /// Told to stop.
    Stopped,
}

/// One row as a mixed unit sees it.
pub(crate) struct SeenRow {
    pub(crate) row: u32,
    pub(crate) inputs: Vec<bool>,
    pub(crate) wanted: bool,
}

/// Looks for weights of `unit` on the rows given; `complete` asks for a decision in any case.
pub(crate) fn check(
    problem: &LoadingProblem,
    unit: &Unit,
    rows: &[SeenRow],
    complete: bool,
    stop: &dyn Fn() -> bool,
) -> Option<MixedCheck> {
    let columns = unit.columns.list(problem.points.columns());
    let points = Arc::new(seen_points(problem, &columns, unit.units.len(), rows));
    // Rows that look alike must be wanted alike.
    let mut first: Vec<Option<usize>> = vec![None; points.len()];
    for (place, row) in rows.iter().enumerate() {
        let point = points.point_of_row[place] as usize;
        match first[point] {
            Some(other) if rows[other].wanted != row.wanted => {
                let (left, right) = if row.wanted { (place, other) } else { (other, place) };
                return Some(MixedCheck::Conflict(vec![
                    (left as u32, Side::of(IBig::ONE)),
                    (right as u32, Side::of(-IBig::ONE)),
                ]));
            }
            Some(_) => {}
            None => first[point] = Some(place),
        }
    }
    let start = Arc::new(Start::new(&points.scaled, points.len()));
    let mut engine = Engine::new(points.clone(), start);
    let mut wanted = Vec::with_capacity(points.len());
    for (point, place) in first.iter().enumerate() {
        let Some(place) = place else { continue };
        engine.want(point, rows[*place].wanted);
        wanted.push((point as u32, if rows[*place].wanted { 1i8 } else { -1 }));
    }
    engine.dirty = true;
    let of_rows = |terms: Terms| -> Terms {
        terms.into_iter().map(|(point, value)| (points.row_of_point[point as usize], value)).collect()
    };
    match engine.check() {
        Check::Separated => {
            return Some(MixedCheck::Separated(Hyperplane::Scaled(points.clone(), engine.weights.clone())));
        }
        Check::Conflict(terms) => return Some(MixedCheck::Conflict(of_rows(terms))),
        Check::Unknown if !complete => return None,
        Check::Unknown => {}
    }
    if let Some(terms) = small_circuit(&points, &wanted) {
        return Some(MixedCheck::Conflict(of_rows(terms)));
    }
    Some(match separate(&points.exact, &wanted, stop) {
        Exact::Separated(weights) => MixedCheck::Separated(Hyperplane::Exact(weights)),
        Exact::Conflict(terms) => MixedCheck::Conflict(of_rows(terms)),
        Exact::Stopped => MixedCheck::Stopped,
    })
}

/// The rows' columns and then the values of the input units, as points.
fn seen_points(problem: &LoadingProblem, columns: &[u32], units: usize, rows: &[SeenRow]) -> GroupPoints {
    fn gather<T: Clone>(
        matrix: &IntegerMatrix<T>,
        columns: &[u32],
        units: usize,
        rows: &[SeenRow],
        one: &T,
    ) -> IntegerMatrix<T> {
        let mut seen = IntegerMatrix::new(columns.len() + units);
        for row in rows {
            let (indices, values) = matrix.row(row.row as usize);
            let own = indices
                .iter()
                .zip(values)
                .filter_map(|(j, value)| columns.binary_search(j).ok().map(|place| (place as u32, value.clone())));
            let inputs = row.inputs.iter().enumerate().filter(|entry| *entry.1);
            seen.push_row(own.chain(inputs.map(|(k, _)| ((columns.len() + k) as u32, one.clone()))));
        }
        seen
    }
    let points = match &problem.points {
        Points::Narrow(matrix) => Points::Narrow(gather(matrix, columns, units, rows, &1)),
        Points::Wide(matrix) => Points::Wide(gather(matrix, columns, units, rows, &IBig::ONE)),
    };
    let all: Vec<u32> = (0..(columns.len() + units) as u32).collect();
    GroupPoints::of(&points, all)
}
