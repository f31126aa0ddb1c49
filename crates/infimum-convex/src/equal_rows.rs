//! Rows taken together as one with the sum of their weights: equal rows with equal targets, or rows on the same linear piece of their
//! loss ([`crate::pieces`]).
//!
//! Of equal rows the objective is the same function of the weights and intercepts. A dual point of the merged problem is one of the whole
//! problem when each row gets its share of the weight, `α_i = α c_i/Σc`: the conjugate of c·loss at α is c times that of the loss at α/c, so
//! gains and `Xᵀα` stay what they are.

use infimum_problem::{Matrix, Stored, with_values};

use crate::design;
use crate::frame::Frame;

/// Rows that are looked at first: where next to none of them are equal, the others are not looked at.
const FIRST: usize = 4_096;
/// Of so many rows one must be equal to another.
const REPEATED: Repeated = Repeated { first: 1.0 / 200.0, all: 1.0 / 16.0 };
/// Stored values up to which rows are copied.
const LARGEST: usize = 1 << 24;

/// The distinct rows of a problem.
pub(crate) struct Merged {
    pub(crate) matrix: Matrix,
    pub(crate) targets: Vec<f64>,
    pub(crate) weights: Vec<f64>,
    /// How many rows each distinct row stands for.
    pub(crate) counts: Vec<f64>,
    /// Distinct row of each row.
    groups: Vec<u32>,
}

impl Merged {
    /// Equal rows with equal targets; `None` where merging does not pay. `already` is how many rows each row stands for, 1 if not given.
    pub(crate) fn equal(frame: &Frame, targets: &[f64], already: Option<&[f64]>) -> Option<Merged> {
        if frame.matrix.stored() > LARGEST || u32::try_from(frame.rows()).is_err() {
            return None;
        }
        let (n, tag) = (targets.len(), |i: usize| targets[i].to_bits());
        let (groups, firsts) = match frame.matrix {
            Matrix::Dense(dense) => with_values!(dense.values.as_slice(), |values| {
                groups(n, tag, |i| (&[][..], &values[i * dense.columns..(i + 1) * dense.columns]), REPEATED)
            }),
            Matrix::Sparse(sparse) => with_values!(sparse.values.as_slice(), |values| {
                groups(n, tag, |i| (&sparse.column_indices[sparse.range(i)], &values[sparse.range(i)]), REPEATED)
            }),
            Matrix::Spilled(_) => None,
        }?;
        let (mut weights, mut counts) = (vec![0.0; firsts.len()], vec![0.0; firsts.len()]);
        for (i, (&group, c)) in groups.iter().zip(frame.weights).enumerate() {
            weights[group as usize] += c;
            counts[group as usize] += already.map_or(1.0, |counts| counts[i]);
        }
        Some(Merged {
            matrix: frame.matrix.take(&firsts),
            targets: firsts.iter().map(|&i| targets[i]).collect(),
            weights,
            counts,
            groups,
        })
    }

    /// The rows `free`, in order, as they are, and behind them one row for each piece that other rows are on: their mean.
    pub(crate) fn pieces(frame: &Frame, targets: &[f64], pieces: &[u8], free: &[usize]) -> Merged {
        let mut matrix = frame.matrix.take(free);
        let mut kept: Vec<f64> = free.iter().map(|&i| targets[i]).collect();
        let mut weights: Vec<f64> = free.iter().map(|&i| frame.weights[i]).collect();
        let mut counts = vec![1.0; free.len()];
        const FREE: u8 = u8::MAX;
        let mut pieces = pieces.to_vec();
        let mut groups = vec![0; targets.len()];
        for (place, &i) in free.iter().enumerate() {
            (pieces[i], groups[i]) = (FREE, place as u32);
        }
        // Of each piece: sums of the weights and of weighted rows and targets, and the number of rows.
        let d = frame.columns();
        let size = pieces.iter().copied().filter(|&piece| piece != FREE).max().map_or(0, |last| last as usize + 1);
        let (mut weight, mut target, mut count) = (vec![0.0; size], vec![0.0; size], vec![0.0; size]);
        let mut means = vec![0.0; size * d];
        design::for_each_row(frame.matrix, |i, row| {
            if pieces[i] != FREE {
                let (piece, c) = (pieces[i] as usize, frame.weights[i]);
                weight[piece] += c;
                target[piece] += c * targets[i];
                count[piece] += 1.0;
                let mean = &mut means[piece * d..(piece + 1) * d];
                row.for_each(|j, x| mean[j] += c * x);
            }
        });
        let mut places = vec![0; size];
        for piece in (0..size).filter(|&piece| count[piece] > 0.0) {
            let mean = &mut means[piece * d..(piece + 1) * d];
            mean.iter_mut().for_each(|x| *x /= weight[piece]);
            append(&mut matrix, mean);
            places[piece] = weights.len() as u32;
            kept.push(target[piece] / weight[piece]);
            weights.push(weight[piece]);
            counts.push(count[piece]);
        }
        for (group, &piece) in groups.iter_mut().zip(&pieces).filter(|row| *row.1 != FREE) {
            *group = places[piece as usize];
        }
        Merged { matrix, targets: kept, weights, counts, groups }
    }

    /// The dual point of all rows, with weights `weights`, that `merged` stands for.
    pub(crate) fn expanded(&self, weights: &[f64], merged: &[f64]) -> Vec<f64> {
        let share = |(&group, c): (&u32, &f64)| merged[group as usize] * (c / self.weights[group as usize]);
        self.groups.iter().zip(weights).map(share).collect()
    }
}

/// Appends a row to a matrix in memory.
fn append(matrix: &mut Matrix, row: &[f64]) {
    match matrix {
        Matrix::Dense(dense) => {
            dense.rows += 1;
            row.iter().for_each(|&x| dense.values.push(x));
        }
        Matrix::Sparse(sparse) => {
            sparse.rows += 1;
            for (j, &x) in row.iter().enumerate().filter(|entry| *entry.1 != 0.0) {
                sparse.column_indices.push(j as u32);
                sparse.values.push(x);
            }
            sparse.row_starts.push(sparse.values.len());
        }
        Matrix::Spilled(_) => unreachable!("rows are taken from matrices in memory"),
    }
}

/// Share of the rows that must be repetitions: of the first ones, which meet fewer of their kind, and of all.
#[derive(Clone, Copy)]
pub(crate) struct Repeated {
    pub(crate) first: f64,
    pub(crate) all: f64,
}

/// The group of each row, rows being equal that have the same tag and the same entries, and the first row of each group; `None` if there are too many groups.
pub(crate) fn groups<'a, T: Stored + 'a>(
    n: usize,
    tag: impl Fn(usize) -> u64,
    row: impl Fn(usize) -> (&'a [u32], &'a [T]),
    wanted: Repeated,
) -> Option<(Vec<u32>, Vec<usize>)> {
    let equal = |i: usize, j: usize| tag(i) == tag(j) && row(i) == row(j);
    let mask = (2 * n).next_power_of_two() - 1;
    // Open addressing: a place holds one more than a group.
    let mut table = vec![0u32; mask + 1];
    let (mut groups, mut firsts) = (Vec::with_capacity(n), Vec::<usize>::new());
    for i in 0..n {
        let (indices, values) = row(i);
        let mut hash = tag(i);
        let mut mix = |bits: u64| hash = (hash.rotate_left(5) ^ bits).wrapping_mul(0x517C_C1B7_2722_0A95);
        indices.iter().for_each(|&j| mix(u64::from(j)));
        values.iter().for_each(|&x| mix(x.into().to_bits()));
        let mut place = (hash >> 20) as usize & mask;
        let group = loop {
            match table[place] {
                0 => {
                    firsts.push(i);
                    table[place] = firsts.len() as u32;
                    break firsts.len() - 1;
                }
                group if equal(firsts[group as usize - 1], i) => break group as usize - 1,
                _ => place = (place + 1) & mask,
            }
        };
        groups.push(group as u32);
        let few = |share: f64| ((i + 1 - firsts.len()) as f64) < share * (i + 1) as f64;
        if (i + 1 == FIRST && few(wanted.first)) || (i + 1 == n && few(wanted.all)) {
            return None;
        }
    }
    Some((groups, firsts))
}

#[cfg(test)]
mod tests {
    use infimum_problem::{DenseMatrix, Intercept, Silent, SparseMatrix};

    use super::*;
    use crate::penalty::Penalty;

    /// Rows whose numbers tell which of them are equal: row i is `[i % distinct, 1]` with target `i % 2`.
    fn problem(rows: usize, distinct: usize, sparse: bool) -> (Matrix, Vec<f64>, Vec<f64>) {
        let values: Vec<f64> = (0..rows).flat_map(|i| [(i % distinct) as f64, 1.0]).collect();
        let matrix = if sparse {
            let row_starts = (0..=rows).map(|i| 2 * i).collect();
            let column_indices = (0..rows).flat_map(|_| [0, 1]).collect();
            Matrix::Sparse(SparseMatrix { rows, columns: 2, row_starts, column_indices, values: values.into() })
        } else {
            Matrix::Dense(DenseMatrix { rows, columns: 2, values: values.into() })
        };
        (matrix, (0..rows).map(|i| (i % 2) as f64).collect(), (0..rows).map(|i| 1.0 + (i % 3) as f64).collect())
    }

    fn merged(matrix: &Matrix, targets: &[f64], weights: &[f64]) -> Option<Merged> {
        let frame = Frame {
            kernel: None,
            dictionary: None,
            matrix,
            weights,
            penalty: Penalty { lambda1: 0.0, lambda2: 1.0, scales: None },
            intercept: Intercept::None,
            outputs: 1,
            monitor: &Silent,
        };
        Merged::equal(&frame, targets, None)
    }

    #[test]
    fn rows_are_merged_where_rows_and_targets_are_equal() {
        for (rows, distinct, sparse) in [(10, 3, false), (10, 3, true), (9_000, 701, true), (9_000, 700, false)] {
            let (matrix, targets, weights) = problem(rows, distinct, sparse);
            let merged = merged(&matrix, &targets, &weights).expect("pays");
            let kinds = if distinct % 2 == 1 { 2 * distinct } else { distinct };
            assert_eq!(merged.matrix.rows(), kinds.min(rows));
            assert_eq!(merged.counts.iter().sum::<f64>(), rows as f64);
            let mut sums = vec![0.0; merged.weights.len()];
            for i in 0..rows {
                let group = merged.groups[i] as usize;
                assert_eq!(merged.targets[group], targets[i]);
                let first = |row: infimum_problem::Row| match row {
                    infimum_problem::Row::Dense(values) | infimum_problem::Row::Sparse(_, values) => {
                        values.iter().next()
                    }
                };
                assert_eq!(first(merged.matrix.row(group)), first(matrix.row(i)));
                sums[group] += weights[i];
            }
            assert_eq!(sums, merged.weights);
            // Each row has its share.
            let whole: Vec<f64> = (0..merged.weights.len()).map(|group| group as f64).collect();
            let mut back = vec![0.0; whole.len()];
            let alpha = merged.expanded(&weights, &whole);
            alpha.iter().zip(&merged.groups).for_each(|(alpha, &group)| back[group as usize] += alpha);
            assert!(back.iter().zip(&whole).all(|(back, whole)| (back - whole).abs() <= 1e-12 * whole));
            assert!((0..rows).all(|i| alpha[i] <= whole[merged.groups[i] as usize]));
        }
    }

    #[test]
    fn where_rows_differ_nothing_is_copied() {
        for rows in [10, 5_000] {
            let (matrix, targets, weights) = problem(rows, rows, true);
            assert!(merged(&matrix, &targets, &weights).is_none());
        }
    }
}
