//! Symmetries of the data: maps of the points that turn the rows into the same rows in another order (docs/loading.md, theorem 6).
//!
//! Looked for are reflections of one column or two, and exchanges of two columns, as they are or both reflected; with the targets kept or all exchanged. Each candidate is judged
//! by a hash: a point's is `Σ_j r_j·x_j` modulo 2^64 with random r, so that a map changes it by the columns that it moves alone, and the rows are the same in another order iff
//! the hashes, mixed with what the rows of the point want and summed over the points, give the same. Before that, columns are compared by what a map would have to keep of each
//! of them alone (`Signatures`), which leaves no candidates where there is no symmetry. What passes is made exact afterwards: a wrong guess costs time and nothing else, and the checker looks again.

use std::collections::{HashMap, HashSet};

use infimum_problem::{ColumnMove, IntegerMatrix, LoadingProblem, PointMap, Points};

use crate::points::GroupPoints;
use crate::random::mix;

/// Of m rows the first m²/64 are compared with their images, at least 2 and at most 50: on parities of 3 to 6 bits, fewer let more through and more cost more than they hold back.
const COMPARED_OF_SQUARE: usize = 64;
const COMPARED: std::ops::RangeInclusive<usize> = 2..=50;
/// Most maps.
const MAPS: usize = 100;
/// Most entries of points × columns, and most points looked at for candidates: about a millisecond.
const LARGEST: usize = 1 << 15;
const EFFORT: usize = 1 << 18;

/// A map with the images of the first rows.
#[derive(Debug, Clone)]
pub(crate) struct Map {
    pub(crate) claim: PointMap,
    /// For the rows that are compared the row that each goes to, and the first row of the same point as that.
    pub(crate) images: Vec<(u32, u32)>,
}

/// The maps of a problem in the domain of theorem 3, whose hidden units see `points`.
pub(crate) fn find(problem: &LoadingProblem, points: &GroupPoints) -> Vec<Map> {
    let Points::Narrow(matrix) = &points.exact else { return Vec::new() };
    if matrix.columns == 0 || matrix.columns.saturating_mul(matrix.rows()) > LARGEST {
        return Vec::new();
    }
    let finder = Finder::new(problem, points, matrix);
    let mut moves = finder.reflections();
    moves.extend(finder.exchanges());
    moves.truncate(MAPS);
    if moves.is_empty() {
        return Vec::new();
    }
    let places = Places::new(&finder);
    moves.iter().filter_map(|(moves, exchanges)| finder.map(moves, *exchanges, &places)).collect()
}

/// Where points and rows are found.
struct Places {
    /// A point by its hash.
    points: HashMap<u64, u32>,
    /// The rows of a point that want the same, increasing.
    rows: HashMap<(u32, Option<bool>), Vec<u32>>,
}

impl Places {
    fn new(finder: &Finder) -> Places {
        let points = finder.hashes.iter().zip(0..).map(|(&hash, point)| (hash, point)).collect();
        let mut rows: HashMap<(u32, Option<bool>), Vec<u32>> = HashMap::new();
        for ((&point, &target), row) in finder.points.point_of_row.iter().zip(&finder.problem.targets).zip(0..) {
            rows.entry((point, target)).or_default().push(row);
        }
        Places { points, rows }
    }
}

/// A column of the image, the column it is taken from (places in the group) and the sum if it is reflected.
type Moves = Vec<(usize, usize, Option<i64>)>;

/// Of every column what a map keeps: the sum over the points of hashes of its value, from the least or, reflected, from the largest, with what the point's rows want.
struct Signatures {
    /// By whether targets are exchanged, by whether values are reflected, by column.
    plain: [[Vec<u64>; 2]; 2],
    /// The same of values alone, with the signatures of all columns at the point in the place of what it wants: kept by exchanges of columns without reflections.
    refined: [Vec<u64>; 2],
    /// By whether targets are exchanged, the columns that a map has to move.
    restless: [Vec<usize>; 2],
}

impl Signatures {
    fn new(columns: &[Vec<i64>], ranges: &[(i64, i64)], wants: &[Vec<u64>; 2]) -> Signatures {
        let sum = |exchanged: usize, reflected: usize| -> Vec<u64> {
            let of_column = |(column, &(least, most)): (&Vec<i64>, &(i64, i64))| {
                let value = |x: i64| if reflected == 1 { most.wrapping_sub(x) } else { x.wrapping_sub(least) };
                let of_points = column.iter().zip(&wants[exchanged]);
                of_points.map(|(&x, &want)| mix(mix(value(x) as u64) ^ want)).fold(0, u64::wrapping_add)
            };
            columns.iter().zip(ranges).map(of_column).collect()
        };
        let plain = [[sum(0, 0), sum(0, 1)], [sum(1, 0), sum(1, 1)]];
        let refined = [0, 1].map(|exchanged| {
            let mut points = wants[exchanged].clone();
            for (column, &signature) in columns.iter().zip(&plain[exchanged][0]) {
                let of_points = points.iter_mut().zip(column);
                of_points.for_each(|(point, &x)| *point = point.wrapping_add(mix(signature ^ mix(x as u64))));
            }
            let of_column = |column: &Vec<i64>| {
                column.iter().zip(&points).map(|(&x, &point)| mix(mix(x as u64) ^ point)).fold(0, u64::wrapping_add)
            };
            columns.iter().map(of_column).collect()
        });
        let restless = [0, 1]
            .map(|exchanged: usize| (0..columns.len()).filter(|&j| plain[exchanged][0][j] != plain[0][0][j]).collect());
        Signatures { plain, refined, restless }
    }

    /// Whether the map may keep the rows.
    fn allow(&self, moves: &Moves, exchanges: bool) -> bool {
        let exchanged = usize::from(exchanges);
        let restless = &self.restless[exchanged];
        restless.len() <= moves.len()
            && restless.iter().all(|&column| moves.iter().any(|step| step.0 == column))
            && moves
                .iter()
                .all(|&(to, from, sum)| self.plain[exchanged][usize::from(sum.is_some())][from] == self.plain[0][0][to])
            && (moves.iter().any(|step| step.2.is_some())
                || moves.iter().all(|&(to, from, _)| self.refined[exchanged][from] == self.refined[0][to]))
    }
}

struct Finder<'a> {
    problem: &'a LoadingProblem,
    points: &'a GroupPoints,
    /// Values by columns.
    columns: Vec<Vec<i64>>,
    /// Least and largest value of every column.
    ranges: Vec<(i64, i64)>,
    /// A column's factor in the hashes of points.
    factors: Vec<u64>,
    /// Hashes of the points, and of what their rows want: as they are, and with 0 and 1 exchanged.
    hashes: Vec<u64>,
    wants: [Vec<u64>; 2],
    signatures: Signatures,
    /// The sum over all points.
    sum: u64,
    /// Points looked at.
    effort: std::cell::Cell<usize>,
}

impl<'a> Finder<'a> {
    fn new(problem: &'a LoadingProblem, points: &'a GroupPoints, matrix: &IntegerMatrix<i64>) -> Finder<'a> {
        let (m, d) = (matrix.rows(), matrix.columns);
        let mut columns = vec![vec![0; m]; d];
        for p in 0..m {
            let (indices, values) = matrix.row(p);
            indices.iter().zip(values).for_each(|(&j, &value)| columns[j as usize][p] = value);
        }
        let range = |column: &Vec<i64>| {
            let (least, most) = (column.iter().min(), column.iter().max());
            (least.copied().unwrap_or(0), most.copied().unwrap_or(0))
        };
        let factors: Vec<u64> = (0..d as u64).map(|j| mix(j) | 1).collect();
        let mut hashes = vec![0u64; m];
        for (column, &factor) in columns.iter().zip(&factors) {
            hashes
                .iter_mut()
                .zip(column)
                .for_each(|(hash, &x)| *hash = hash.wrapping_add(factor.wrapping_mul(x as u64)));
        }
        // What rows want, summed: unknown, 0 and 1 have a number each, and the exchange exchanges the last two.
        let mut wants = [vec![0u64; m], vec![0u64; m]];
        for (row, &point) in points.point_of_row.iter().enumerate() {
            let target = problem.targets[row];
            for (exchanged, wants) in wants.iter_mut().enumerate() {
                let wanted = target.map_or(0, |target| 1 + u64::from(target != (exchanged == 1)));
                wants[point as usize] = wants[point as usize].wrapping_add(mix(wanted + 1_000_000));
            }
        }
        let sum = hashes.iter().zip(&wants[0]).map(|(&hash, &want)| mix(hash ^ want)).fold(0, u64::wrapping_add);
        let ranges: Vec<(i64, i64)> = columns.iter().map(range).collect();
        let signatures = Signatures::new(&columns, &ranges, &wants);
        let effort = std::cell::Cell::new(0);
        Finder { problem, points, columns, ranges, factors, hashes, wants, signatures, sum, effort }
    }

    /// What is added to a point's hash.
    #[inline(always)]
    fn change(&self, moves: &Moves, point: usize) -> u64 {
        moves.iter().fold(0, |change: u64, &(to, from, sum)| {
            let value = self.columns[from][point];
            let value = sum.map_or(value, |sum| sum.wrapping_sub(value));
            let difference = value.wrapping_sub(self.columns[to][point]);
            change.wrapping_add(self.factors[to].wrapping_mul(difference as u64))
        })
    }

    /// Whether the map turns the rows into the same rows, by hash.
    fn keeps(&self, moves: &Moves, exchanges: bool) -> bool {
        if !self.signatures.allow(moves, exchanges) || self.effort.get() > EFFORT {
            return false;
        }
        self.effort.set(self.effort.get() + self.hashes.len());
        let of_points = self.hashes.iter().zip(&self.wants[usize::from(exchanges)]).enumerate();
        let mixed = of_points.map(|(point, (&hash, &want))| mix(hash.wrapping_add(self.change(moves, point)) ^ want));
        mixed.fold(0, u64::wrapping_add) == self.sum
    }

    /// Column `to` taken from column `from` reflected, so that the one's range becomes the other's; `None` if it cannot.
    fn reflected(&self, to: usize, from: usize) -> Option<(usize, usize, Option<i64>)> {
        let ((least, most), (low, high)) = (self.ranges[to], self.ranges[from]);
        let sum = least.checked_add(high)?;
        (least < most && sum.checked_sub(low) == Some(most)).then_some((to, from, Some(sum)))
    }

    /// Of the reflections of one column and of two the products of two, that of all, and, if that does not exchange targets, those of all but one.
    fn reflections(&self) -> Vec<(Moves, bool)> {
        let d = self.columns.len();
        let alone: Vec<Option<(usize, usize, Option<i64>)>> = (0..d).map(|j| self.reflected(j, j)).collect();
        let mut found: Vec<(Moves, bool)> = Vec::new();
        let mut is_single = vec![false; d];
        for j in 0..d {
            let Some(step) = alone[j] else { continue };
            let moves = vec![step];
            if let Some(exchanges) = [false, true].into_iter().find(|&exchanges| self.keeps(&moves, exchanges)) {
                is_single[j] = true;
                found.push((moves, exchanges));
            }
        }
        for j in 0..d {
            for k in j + 1..d {
                let (Some(a), Some(b), false, false) = (alone[j], alone[k], is_single[j], is_single[k]) else {
                    continue;
                };
                let moves = vec![a, b];
                if let Some(exchanges) = [false, true].into_iter().find(|&exchanges| self.keeps(&moves, exchanges)) {
                    found.push((moves, exchanges));
                }
            }
        }
        let product = |chosen: &[&(Moves, bool)]| {
            // A column that is reflected twice stays.
            let mut reflected: Vec<Option<(usize, usize, Option<i64>)>> = vec![None; d];
            for (moves, _) in chosen {
                for &step in moves {
                    reflected[step.0] = if reflected[step.0].is_some() { None } else { Some(step) };
                }
            }
            let exchanges = chosen.iter().filter(|entry| entry.1).count() % 2 == 1;
            (reflected.into_iter().flatten().collect::<Moves>(), exchanges)
        };
        let all: Vec<&(Moves, bool)> = found.iter().collect();
        let mut products = Vec::new();
        for (place, a) in found.iter().enumerate() {
            products.extend(found[..place].iter().map(|b| product(&[a, b])));
            if products.len() > MAPS {
                break;
            }
        }
        // On parities, products of many hold back more than those of one, and all products cost more than they hold back.
        products.push(product(&all));
        if !product(&all).1 {
            let others = |place: usize| [&all[..place], &all[place + 1..]].concat();
            products.extend((0..found.len()).map(|place| product(&others(place))));
        }
        // Of two or three reflections some products are the same.
        let mut seen = HashSet::new();
        products.retain(|product| !product.0.is_empty() && seen.insert(product.clone()));
        products
    }

    /// Exchanges of two columns, those of neighbours first.
    fn exchanges(&self) -> Vec<(Moves, bool)> {
        let d = self.columns.len();
        let mut found = Vec::new();
        for gap in 1..d {
            for j in 0..d - gap {
                let k = j + gap;
                let plain = (self.ranges[j] == self.ranges[k] && self.ranges[j].0 < self.ranges[j].1)
                    .then(|| vec![(j, k, None), (k, j, None)]);
                let turned = self.reflected(j, k).zip(self.reflected(k, j)).map(|(a, b)| vec![a, b]);
                let candidates = [plain, turned].into_iter().flatten();
                let candidates = candidates.flat_map(|moves| [(moves.clone(), false), (moves, true)]);
                found.extend(candidates.into_iter().find(|(moves, exchanges)| self.keeps(moves, *exchanges)));
            }
        }
        found
    }

    /// The map with its images; `None` if the hash was wrong.
    fn map(&self, moves: &Moves, exchanges: bool, places: &Places) -> Option<Map> {
        let m = self.points.point_of_row.len();
        let most = (m * m / COMPARED_OF_SQUARE).clamp(*COMPARED.start(), *COMPARED.end()).min(m);
        let images = (0..most as u32).map(|row| {
            let (point, target) = (self.points.point_of_row[row as usize], self.problem.targets[row as usize]);
            let place = places.rows.get(&(point, target))?.binary_search(&row).ok()?;
            let hash = self.hashes[point as usize].wrapping_add(self.change(moves, point as usize));
            let other = *places.points.get(&hash)?;
            let image = *places.rows.get(&(other, target.map(|target| target != exchanges)))?.get(place)?;
            Some((image, self.points.row_of_point[other as usize]))
        });
        let images: Vec<(u32, u32)> = images.collect::<Option<_>>()?;
        let column = |j: usize| self.points.columns[j];
        let mut steps: Vec<ColumnMove> =
            moves.iter().map(|&(to, from, sum)| ColumnMove { to: column(to), from: column(from), sum }).collect();
        steps.sort_unstable_by_key(|step| step.to);
        Some(Map { claim: PointMap { moves: steps, exchanges, compared: images.len() as u32 }, images })
    }
}

#[cfg(test)]
mod tests {
    use infimum_problem::{Columns, Network};

    use super::*;
    use crate::rows::of_rows;

    fn found(rows: &[Vec<i64>], wanted: impl Fn(&[i64]) -> bool) -> Vec<Map> {
        let targets = rows.iter().map(|row| Some(wanted(row))).collect();
        let problem = of_rows(rows, targets, Network::layered(&[1], 1));
        find(&problem, &GroupPoints::new(&problem, &Columns::All))
    }

    fn cube(d: usize) -> Vec<Vec<i64>> {
        (0..1usize << d).map(|x| (0..d).map(|j| (x >> j & 1) as i64).collect()).collect()
    }

    #[test]
    fn parity_has_all_exchanges_and_reflections() {
        for d in 3..7 {
            let maps = found(&cube(d), |row| row.iter().sum::<i64>() % 2 == 1);
            let exchanged = |map: &&Map| map.claim.moves.iter().all(|step| step.sum.is_none());
            assert_eq!(maps.iter().filter(exchanged).count(), d * (d - 1) / 2);
            let others: Vec<&Map> = maps.iter().filter(|map| !exchanged(map)).collect();
            // Of reflected columns an odd number exchanges even and odd.
            assert!(others.iter().all(|map| map.claim.exchanges == (map.claim.moves.len() % 2 == 1)));
            let of = |moves: usize| others.iter().filter(|map| map.claim.moves.len() == moves).count();
            assert_eq!((of(2), of(d)), (d * (d - 1) / 2, 1));
        }
    }

    #[test]
    fn nothing_is_found_where_nothing_is() {
        let mut state = 5;
        let mut random = |bound: u64| {
            state = mix(state);
            (state % bound) as i64
        };
        let rows: Vec<Vec<i64>> = (0..60).map(|_| (0..4).map(|_| random(1_000)).collect()).collect();
        assert!(found(&rows, |row| row[0] > 500).is_empty());
    }

    #[test]
    fn one_wrong_row_breaks_a_symmetry() {
        let maps = |wrong: bool| {
            found(&cube(4), |row| (row.iter().sum::<i64>() > 2) != (wrong && row[..2] == [1, 0] && row[2..] == [0, 0]))
        };
        assert_eq!(maps(false).len(), 6);
        // The three columns that are 0 in that row can still change places.
        assert_eq!(maps(true).len(), 3);
    }
}
