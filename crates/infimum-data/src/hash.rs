//! The hash of the canonical problem (docs/canonical-problem.md, section 4).

use infimum_problem::{Dataset, Objective, Problem, Row, SpillFault, Stored, Target, with_values};
use rayon::prelude::*;
use sha2::{Digest, Sha256};

use crate::source::hex;

/// Rows per block of the matrix.
pub(crate) const BLOCK: usize = 4_096;

fn float(value: f64) -> [u8; 8] {
    // −0 and +0 are the same number.
    (if value == 0.0 { 0.0f64 } else { value }).to_le_bytes()
}

pub(crate) fn put(hasher: &mut Sha256, value: usize) {
    hasher.update((value as u64).to_le_bytes());
}

pub(crate) fn put_text(hasher: &mut Sha256, text: &str) {
    put(hasher, text.len());
    hasher.update(text.as_bytes());
}

fn put_floats(hasher: &mut Sha256, values: &[f64]) {
    let bytes: Vec<u8> = values.iter().flat_map(|&value| float(value)).collect();
    hasher.update(&bytes);
}

/// Columns and lengths are below 2^32: `canonical.rs` refuses more.
pub(crate) fn push(bytes: &mut Vec<u8>, value: usize) {
    bytes.extend_from_slice(&(value as u32).to_le_bytes());
}

/// The maximal runs of consecutive columns with non-zero values: how many, then each one's first column, length, values.
fn put_row(bytes: &mut Vec<u8>, row: Row) {
    let count = bytes.len();
    push(bytes, 0);
    let runs = match row {
        Row::Dense(values) => with_values!(values, |values| put_dense(bytes, values)),
        Row::Sparse(indices, values) => with_values!(values, |values| put_sparse(bytes, indices, values)),
    };
    bytes[count..count + 4].copy_from_slice(&runs.to_le_bytes());
}

fn put_run<T: Stored>(bytes: &mut Vec<u8>, first: usize, values: &[T]) {
    push(bytes, first);
    push(bytes, values.len());
    bytes.extend(values.iter().flat_map(|&value| value.into().to_le_bytes()));
}

/// The runs of a row of dense storage; returns how many.
fn put_dense<T: Stored>(bytes: &mut Vec<u8>, values: &[T]) -> u32 {
    let (mut runs, mut start) = (0, 0);
    while start < values.len() {
        let length = values[start..].iter().take_while(|&&value| value != T::default()).count();
        if length > 0 {
            put_run(bytes, start, &values[start..start + length]);
            runs += 1;
        }
        start += length.max(1);
    }
    runs
}

/// The same of sparse storage.
fn put_sparse<T: Stored>(bytes: &mut Vec<u8>, indices: &[u32], values: &[T]) -> u32 {
    let (mut runs, mut start) = (0, 0);
    while start < values.len() {
        let first = indices[start];
        let in_run = |(offset, &j): (usize, &u32)| j as usize == first as usize + offset;
        let length = indices[start..].iter().enumerate().take_while(|&entry| in_run(entry)).count();
        put_run(bytes, first as usize, &values[start..start + length]);
        runs += 1;
        start += length;
    }
    runs
}

/// SHA-256 of the canonical problem, lower-case hex.
pub fn problem_sha256(problem: &Problem) -> Result<String, SpillFault> {
    Ok(DataHash::of(&problem.data)?.with(&problem.objective))
}

/// The hash up to the data; one for all objectives over the same rows.
#[derive(Debug, Clone)]
pub(crate) struct DataHash(Sha256);

impl DataHash {
    /// Items 1 to 4.
    pub(crate) fn of(data: &Dataset) -> Result<DataHash, SpillFault> {
        hashed(data).map(DataHash)
    }

    /// Item 5, and the hash of the whole.
    pub(crate) fn with(&self, objective: &Objective) -> String {
        let mut hasher = self.0.clone();
        put_text(&mut hasher, objective.loss.name());
        put_floats(&mut hasher, &[objective.loss.parameter().unwrap_or(0.0)]);
        put_text(&mut hasher, objective.intercept.name());
        put_floats(&mut hasher, &[objective.lambda1, objective.lambda2]);
        put(&mut hasher, usize::from(objective.scales.is_some()));
        objective.scales.iter().for_each(|scales| put_floats(&mut hasher, scales));
        if let Some(kernel) = objective.kernel {
            let (gamma, degree, coef0) = kernel.parameters();
            put_text(&mut hasher, kernel.name());
            put_floats(&mut hasher, &[gamma, f64::from(degree), coef0]);
        }
        hex(&hasher.finalize())
    }
}

fn hashed(data: &Dataset) -> Result<Sha256, SpillFault> {
    let (n, d) = (data.rows(), data.columns());
    let blocks: Result<Vec<[u8; 32]>, SpillFault> = (0..n.div_ceil(BLOCK))
        .into_par_iter()
        .map(|block| {
            let mut hasher = Sha256::new();
            let mut bytes = Vec::new();
            data.matrix.for_each_block(block * BLOCK..((block + 1) * BLOCK).min(n), |block| {
                for i in block.rows {
                    put_row(&mut bytes, block.storage.row(i));
                    if bytes.len() > 1 << 16 {
                        hasher.update(&bytes);
                        bytes.clear();
                    }
                }
            })?;
            hasher.update(&bytes);
            Ok(hasher.finalize().into())
        })
        .collect();
    let blocks = blocks?;
    let mut hasher = Sha256::new();
    hasher.update(b"infimum canonical problem 1");
    put(&mut hasher, n);
    put(&mut hasher, d);
    data.column_names.iter().for_each(|name| put_text(&mut hasher, &name));
    blocks.iter().for_each(|block| hasher.update(block));
    match &data.target {
        Target::Real(values) => {
            put(&mut hasher, 0);
            put_floats(&mut hasher, values);
        }
        Target::Class { labels, classes } => {
            put(&mut hasher, 1);
            put(&mut hasher, labels.len());
            labels.iter().for_each(|label| put_text(&mut hasher, label));
            let bytes: Vec<u8> = classes.iter().flat_map(|&class| u64::from(class).to_le_bytes()).collect();
            hasher.update(&bytes);
        }
        Target::Several { names, values } => {
            put(&mut hasher, 2);
            put(&mut hasher, names.len());
            names.iter().for_each(|name| put_text(&mut hasher, name));
            put_floats(&mut hasher, values);
        }
    }
    put_floats(&mut hasher, &data.weights);
    put_floats(&mut hasher, &[data.total_weight]);
    Ok(hasher)
}

#[cfg(test)]
mod tests {
    use infimum_problem::{ColumnNames, DenseMatrix, Matrix, SparseMatrix, Values};
    use proptest::prelude::*;

    use super::*;

    fn digest(matrix: Matrix) -> String {
        let (rows, columns) = (matrix.rows(), matrix.columns());
        let column_names = ColumnNames::numbered(columns);
        let (target, weights) = (Target::Real(vec![0.5; rows]), vec![1.0; rows]);
        let data = Dataset { matrix, column_names, target, weights, total_weight: rows as f64 };
        hex(&hashed(&data).expect("in memory").finalize())
    }

    proptest! {
        #[test]
        fn storage_changes_no_digest(
            columns in 1usize..6,
            numbers in prop::collection::vec(prop_oneof![Just(0.0f32), -9.0f32..9.0], 0..60),
        ) {
            let rows = numbers.len() / columns;
            let numbers = &numbers[..rows * columns];
            let doubles: Vec<f64> = numbers.iter().map(|&x| f64::from(x)).collect();
            let stored: Vec<usize> = (0..numbers.len()).filter(|&place| numbers[place] != 0.0).collect();
            let starts: Vec<usize> = (0..=rows).map(|row| stored.partition_point(|&p| p < row * columns)).collect();
            let mut digests = Vec::new();
            for all in [Values::from(numbers.to_vec()), Values::from(doubles)] {
                let mut kept = all.clone();
                kept.retain(|place| numbers[place] != 0.0);
                let column_indices = stored.iter().map(|place| (place % columns) as u32).collect();
                let sparse = SparseMatrix { rows, columns, row_starts: starts.clone(), column_indices, values: kept };
                digests.push(digest(Matrix::Sparse(sparse)));
                digests.push(digest(Matrix::Dense(DenseMatrix { rows, columns, values: all })));
            }
            prop_assert!(digests.iter().all(|digest| *digest == digests[0]), "{digests:?}");
        }
    }
}
