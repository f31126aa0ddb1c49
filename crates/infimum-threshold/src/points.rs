//! The distinct points that a group of units sees: exact integers, and a scaled copy in `f64` for the search.
//!
//! Affine maps of single columns change no circuit of the points (the identity is over `(x, 1)`), so the copy is shifted and scaled: columns that are
//! mostly stored to [−1, 1], others by their largest magnitude alone, which keeps their zeros. The shift is subtracted in integers, so that
//! large offsets lose nothing. The copy may be as wrong as `f64` makes it: what is concluded from it is checked in integers.

use std::collections::HashMap;

use dashu_int::{IBig, ops::BitTest};
use infimum_problem::{Columns, IntegerMatrix, LoadingProblem, Points};

/// Columns filled at least this much are shifted to be centred at 0.
const DENSE_FROM: f64 = 0.4;

/// Distinct points of one group.
pub(crate) struct GroupPoints {
    /// The columns, as the network lists them.
    pub(crate) columns: Vec<u32>,
    /// The point of every row.
    pub(crate) point_of_row: Vec<u32>,
    /// The first row of every point.
    pub(crate) row_of_point: Vec<u32>,
    /// Exact coordinates, points × columns of the group.
    pub(crate) exact: Points,
    /// The scaled copy with a constant 1 as last coordinate.
    pub(crate) scaled: Scaled,
    /// Whether the multipliers of circuits may be left to be made later.
    pub(crate) lazy: bool,
}

/// Rows of `f64`, stored sparse; coordinate `columns` is 1 for all.
pub(crate) struct Scaled {
    /// Coordinates, the constant included: d + 1.
    pub(crate) coordinates: usize,
    /// Whether every row stores all coordinates, so that indices need not be looked at.
    dense: bool,
    starts: Vec<usize>,
    indices: Vec<u32>,
    values: Vec<f64>,
    /// Squared lengths.
    pub(crate) squares: Vec<f64>,
    /// What is subtracted from a column's integers.
    shifts: Vec<IBig>,
    /// A column's scaled value is (integer − shift)·2^−power·gain.
    gains: Vec<(i64, f64)>,
}

impl Scaled {
    /// Coordinates and values of point `p`.
    #[inline(always)]
    pub(crate) fn row(&self, p: usize) -> (&[u32], &[f64]) {
        let range = self.starts[p]..self.starts[p + 1];
        (&self.indices[range.clone()], &self.values[range])
    }

    /// `x_p · weights`.
    #[inline(always)]
    pub(crate) fn dot(&self, p: usize, weights: &[f64]) -> f64 {
        let (indices, values) = self.row(p);
        if self.dense {
            return dot(values, weights);
        }
        indices.iter().zip(values).map(|(&j, &x)| x * weights[j as usize]).sum()
    }

    /// `weights += step · x_p`.
    #[inline(always)]
    pub(crate) fn add(&self, p: usize, step: f64, weights: &mut [f64]) {
        let (indices, values) = self.row(p);
        if self.dense {
            weights.iter_mut().zip(values).for_each(|(weight, &x)| *weight += step * x);
            return;
        }
        indices.iter().zip(values).for_each(|(&j, &x)| weights[j as usize] += step * x);
    }

    /// The binary logarithm of the change of column j's integers that is 1 over scaled coordinates, about; `None` if they are all the same.
    pub(crate) fn reach(&self, j: usize) -> Option<f64> {
        let (power, gain) = self.gains[j];
        (gain > 0.0).then(|| power as f64 - gain.log2())
    }

    /// What is subtracted from column j's integers before they are scaled.
    pub(crate) fn shift(&self, j: usize) -> &IBig {
        &self.shifts[j]
    }

    /// Weights over the integers, as `f64` with a power of two each: `value·2^power`.
    pub(crate) fn unscaled(&self, weights: &[f64]) -> Vec<(f64, i64)> {
        self.gains.iter().zip(weights).map(|(&(power, gain), &w)| (w * gain, -power)).collect()
    }
}

/// The dot product in eight partial sums, which the vector units take at once.
#[inline(always)]
pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut sums = [0.0f64; 8];
    let length = a.len().min(b.len());
    let (a, b) = (&a[..length], &b[..length]);
    let (chunks, others) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest: f64 = chunks.remainder().iter().zip(others.remainder()).map(|(x, y)| x * y).sum();
    for (x, y) in chunks.zip(others) {
        for lane in 0..8 {
            sums[lane] += x[lane] * y[lane];
        }
    }
    let halves = [sums[0] + sums[4], sums[1] + sums[5], sums[2] + sums[6], sums[3] + sums[7]];
    (halves[0] + halves[2]) + (halves[1] + halves[3]) + rest
}

/// `value·2^−power` as `f64`.
fn scaled_value(value: &IBig, power: i64) -> f64 {
    let bits = value.bit_len() as i64;
    if bits <= 1_000 && power.abs() <= 1_000 {
        let plain = value.to_f64().value();
        return plain * (-power as f64).exp2();
    }
    let drop = (bits - 64).max(0);
    let top: IBig = value >> drop as usize;
    let shift = drop - power;
    if shift < -2_000 { 0.0 } else { top.to_f64().value() * (shift as f64).exp2() }
}

impl GroupPoints {
    /// The points of the rows of `problem` in `columns`.
    pub(crate) fn new(problem: &LoadingProblem, columns: &Columns) -> GroupPoints {
        GroupPoints { lazy: true, ..GroupPoints::of(&problem.points, columns.list(problem.points.columns())) }
    }

    /// The distinct points of `points` in `list` of its columns.
    pub(crate) fn of(points: &Points, list: Vec<u32>) -> GroupPoints {
        let all = list.len() == points.columns();
        let (exact, point_of_row, row_of_point) = match points {
            Points::Narrow(matrix) => {
                let (matrix, points, rows) = distinct(matrix, &list, all);
                (Points::Narrow(matrix), points, rows)
            }
            Points::Wide(matrix) => {
                let (matrix, points, rows) = distinct(matrix, &list, all);
                (Points::Wide(matrix), points, rows)
            }
        };
        let scaled = match &exact {
            Points::Narrow(matrix) => scale(matrix, |value| IBig::from(*value)),
            Points::Wide(matrix) => scale(matrix, Clone::clone),
        };
        GroupPoints { columns: list, point_of_row, row_of_point, exact, scaled, lazy: false }
    }

    /// Number of distinct points.
    pub(crate) fn len(&self) -> usize {
        self.row_of_point.len()
    }
}

/// Restricts rows to `columns`, drops zeros, and keeps the first of equal rows.
fn distinct<T: Clone + Eq + std::hash::Hash + Default>(
    matrix: &IntegerMatrix<T>,
    columns: &[u32],
    all: bool,
) -> (IntegerMatrix<T>, Vec<u32>, Vec<u32>) {
    let mut kept = IntegerMatrix::new(columns.len());
    let mut seen: HashMap<Vec<(u32, T)>, u32> = HashMap::with_capacity(matrix.rows());
    let (mut point_of_row, mut row_of_point) = (Vec::with_capacity(matrix.rows()), Vec::new());
    for i in 0..matrix.rows() {
        let (indices, values) = matrix.row(i);
        let entries: Vec<(u32, T)> = (indices.iter().zip(values))
            .filter(|entry| *entry.1 != T::default())
            .filter_map(|(&j, value)| {
                let place = if all { Some(j as usize) } else { columns.binary_search(&j).ok() };
                place.map(|place| (place as u32, value.clone()))
            })
            .collect();
        let next = row_of_point.len() as u32;
        let point = *seen.entry(entries).or_insert_with_key(|entries| {
            kept.push_row(entries.iter().cloned());
            row_of_point.push(i as u32);
            next
        });
        point_of_row.push(point);
    }
    (kept, point_of_row, row_of_point)
}

fn scale<T>(matrix: &IntegerMatrix<T>, big: impl Fn(&T) -> IBig) -> Scaled {
    let (m, d) = (matrix.rows(), matrix.columns);
    let mut counts = vec![0usize; d];
    let mut least: Vec<Option<IBig>> = vec![None; d];
    let mut most: Vec<Option<IBig>> = vec![None; d];
    for (&j, value) in matrix.column_indices.iter().zip(&matrix.values) {
        let (j, value) = (j as usize, big(value));
        counts[j] += 1;
        if least[j].as_ref().is_none_or(|least| value < *least) {
            least[j] = Some(value.clone());
        }
        if most[j].as_ref().is_none_or(|most| value > *most) {
            most[j] = Some(value);
        }
    }
    let (mut shifts, mut gains) = (Vec::with_capacity(d), Vec::with_capacity(d));
    for j in 0..d {
        let (mut low, mut high) = (least[j].clone().unwrap_or_default(), most[j].clone().unwrap_or_default());
        if counts[j] < m {
            low = low.min(IBig::ZERO);
            high = high.max(IBig::ZERO);
        }
        let centred = counts[j] as f64 >= DENSE_FROM * m as f64;
        let shift = if centred { (&low + &high) >> 1 } else { IBig::ZERO };
        let reach = (high - &shift).max(&shift - low);
        let power = reach.bit_len() as i64;
        let top = scaled_value(&reach, power);
        shifts.push(shift);
        gains.push((power, if top > 0.0 { 1.0 / top } else { 0.0 }));
    }
    let mut scaled = Scaled {
        coordinates: d + 1,
        dense: matrix.values.len() as f64 >= DENSE_FROM * (m * d) as f64,
        starts: vec![0],
        indices: Vec::with_capacity(matrix.values.len() + m),
        values: Vec::with_capacity(matrix.values.len() + m),
        squares: Vec::with_capacity(m),
        shifts,
        gains,
    };
    let zero_at: Vec<f64> =
        (0..d).map(|j| scaled_value(&-&scaled.shifts[j], scaled.gains[j].0) * scaled.gains[j].1).collect();
    let shifted: Vec<u32> = (0..d as u32).filter(|&j| zero_at[j as usize] != 0.0).collect();
    for i in 0..m {
        let (indices, values) = matrix.row(i);
        let mut row: Vec<(u32, f64)> = (indices.iter().zip(values))
            .map(|(&j, value)| {
                let (power, gain) = scaled.gains[j as usize];
                (j, scaled_value(&(big(value) - &scaled.shifts[j as usize]), power) * gain)
            })
            .collect();
        if shifted.len() + indices.len() > 0 && indices.len() < d {
            let missing = shifted.iter().filter(|j| indices.binary_search(j).is_err());
            row.extend(missing.map(|&j| (j, zero_at[j as usize])));
            row.sort_unstable_by_key(|entry| entry.0);
        }
        row.retain(|entry| entry.1 != 0.0);
        if scaled.dense {
            let mut all: Vec<(u32, f64)> = (0..d as u32).map(|j| (j, 0.0)).collect();
            row.iter().for_each(|&(j, value)| all[j as usize].1 = value);
            row = all;
        }
        row.push((d as u32, 1.0));
        scaled.squares.push(row.iter().map(|entry| entry.1 * entry.1).sum());
        scaled.indices.extend(row.iter().map(|entry| entry.0));
        scaled.values.extend(row.iter().map(|entry| entry.1));
        scaled.starts.push(scaled.values.len());
    }
    scaled
}

impl GroupPoints {
    /// Some of the points, which are distinct, as a group of their own.
    pub(crate) fn some(&self, chosen: &[u32]) -> GroupPoints {
        fn take<T: Clone>(matrix: &IntegerMatrix<T>, chosen: &[u32]) -> IntegerMatrix<T> {
            let mut kept = IntegerMatrix::new(matrix.columns);
            for &p in chosen {
                let (indices, values) = matrix.row(p as usize);
                kept.push_row(indices.iter().copied().zip(values.iter().cloned()));
            }
            kept
        }
        let exact = match &self.exact {
            Points::Narrow(matrix) => Points::Narrow(take(matrix, chosen)),
            Points::Wide(matrix) => Points::Wide(take(matrix, chosen)),
        };
        let scaled = self.scaled.some(chosen);
        let all: Vec<u32> = (0..chosen.len() as u32).collect();
        GroupPoints {
            columns: self.columns.clone(),
            point_of_row: all.clone(),
            row_of_point: all,
            exact,
            scaled,
            lazy: self.lazy,
        }
    }
}

impl Scaled {
    fn some(&self, chosen: &[u32]) -> Scaled {
        let mut some = Scaled {
            coordinates: self.coordinates,
            dense: self.dense,
            starts: vec![0],
            indices: Vec::new(),
            values: Vec::new(),
            squares: Vec::new(),
            shifts: self.shifts.clone(),
            gains: self.gains.clone(),
        };
        for &p in chosen {
            let (indices, values) = self.row(p as usize);
            some.indices.extend_from_slice(indices);
            some.values.extend_from_slice(values);
            some.squares.push(self.squares[p as usize]);
            some.starts.push(some.values.len());
        }
        some
    }
}
