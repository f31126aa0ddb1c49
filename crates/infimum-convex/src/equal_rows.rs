//! Equal rows with equal targets, taken together: one row with the sum of their weights.
//!
//! The objective is the same function of the weights and intercepts. A dual point of the merged problem is one of the whole
//! problem when each row gets its share of the weight, `α_i = α c_i/Σc`: the conjugate of c·loss at α is c times that of the loss at α/c, so
//! gains and `Xᵀα` stay what they are.

use infimum_problem::{Matrix, Stored, with_values};

use crate::frame::Frame;

/// Rows that are looked at first: where next to none of them are equal, the others are not looked at.
const FIRST: usize = 4_096;
/// One of so many rows must be equal to another: of the first ones, which meet fewer of their kind, and of all.
const FIRST_SHARE: usize = 200;
const SHARE: usize = 16;
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
    /// `None` where merging does not pay.
    pub(crate) fn new(frame: &Frame, targets: &[f64]) -> Option<Merged> {
        if frame.matrix.stored() > LARGEST || u32::try_from(frame.rows()).is_err() {
            return None;
        }
        let (groups, firsts) = match frame.matrix {
            Matrix::Dense(dense) => with_values!(dense.values.as_slice(), |values| {
                groups(targets, |i| (&[][..], &values[i * dense.columns..(i + 1) * dense.columns]))
            }),
            Matrix::Sparse(sparse) => with_values!(sparse.values.as_slice(), |values| {
                groups(targets, |i| (&sparse.column_indices[sparse.range(i)], &values[sparse.range(i)]))
            }),
            Matrix::Spilled(_) => None,
        }?;
        let (mut weights, mut counts) = (vec![0.0; firsts.len()], vec![0.0; firsts.len()]);
        for (&group, c) in groups.iter().zip(frame.weights) {
            weights[group as usize] += c;
            counts[group as usize] += 1.0;
        }
        Some(Merged {
            matrix: frame.matrix.take(&firsts),
            targets: firsts.iter().map(|&i| targets[i]).collect(),
            weights,
            counts,
            groups,
        })
    }

    /// The dual point of all rows, with weights `weights`, that `merged` stands for.
    pub(crate) fn expanded(&self, weights: &[f64], merged: &[f64]) -> Vec<f64> {
        let share = |(&group, c): (&u32, &f64)| merged[group as usize] * (c / self.weights[group as usize]);
        self.groups.iter().zip(weights).map(share).collect()
    }
}

/// The group of each row and the first row of each group; `None` if there are too many groups.
fn groups<'a, T: Stored + 'a>(
    targets: &[f64],
    row: impl Fn(usize) -> (&'a [u32], &'a [T]),
) -> Option<(Vec<u32>, Vec<usize>)> {
    let n = targets.len();
    let equal = |i: usize, j: usize| targets[i].to_bits() == targets[j].to_bits() && row(i) == row(j);
    let mask = (2 * n).next_power_of_two() - 1;
    // Open addressing: a place holds one more than a group.
    let mut table = vec![0u32; mask + 1];
    let (mut groups, mut firsts) = (Vec::with_capacity(n), Vec::<usize>::new());
    for (i, target) in targets.iter().enumerate() {
        let (indices, values) = row(i);
        let mut hash = target.to_bits();
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
        let few = |seen: usize, share: usize| (seen - firsts.len()) * share < seen;
        if (i + 1 == FIRST && few(FIRST, FIRST_SHARE)) || (i + 1 == n && few(n, SHARE)) {
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
            matrix,
            weights,
            penalty: Penalty { lambda1: 0.0, lambda2: 1.0, scales: None },
            intercept: Intercept::None,
            outputs: 1,
            monitor: &Silent,
        };
        Merged::new(&frame, targets)
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
