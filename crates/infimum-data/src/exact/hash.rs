//! The hash of a loading problem (docs/canonical-problem.md, section 6).

use dashu_int::{IBig, Sign};
use infimum_problem::{IntegerMatrix, LoadingProblem, Points};
use rayon::prelude::*;
use sha2::{Digest, Sha256};

use crate::hash::{BLOCK, push, put, put_text};
use crate::source::hex;

/// An integer of at most 63 bits and sign as it is; others after a mark, which is no such integer.
fn put_integer(bytes: &mut Vec<u8>, value: &IBig) {
    match i64::try_from(value) {
        Ok(value) if value != i64::MIN => put_narrow(bytes, value),
        _ => {
            put_narrow(bytes, i64::MIN);
            let (sign, magnitude) = value.clone().into_parts();
            let magnitude = magnitude.to_le_bytes();
            push(bytes, 2 * magnitude.len() + usize::from(sign == Sign::Negative));
            bytes.extend_from_slice(&magnitude);
        }
    }
}

fn put_narrow(bytes: &mut Vec<u8>, value: i64) {
    bytes.extend_from_slice(&value.to_le_bytes());
}

/// The maximal runs of consecutive stored columns: how many, then each one's first column, length and values.
fn put_row<T>(bytes: &mut Vec<u8>, columns: &[u32], values: &[T], put: impl Fn(&mut Vec<u8>, &T)) {
    let count = bytes.len();
    let (mut runs, mut start) = (0u32, 0);
    push(bytes, 0);
    while start < columns.len() {
        let consecutive = columns[start..].windows(2).take_while(|pair| pair[1] == pair[0] + 1).count();
        let end = start + 1 + consecutive;
        push(bytes, columns[start] as usize);
        push(bytes, end - start);
        values[start..end].iter().for_each(|value| put(bytes, value));
        runs += 1;
        start = end;
    }
    bytes[count..count + 4].copy_from_slice(&runs.to_le_bytes());
}

/// The hashes of the blocks of rows.
fn blocks<T: Sync>(matrix: &IntegerMatrix<T>, put: impl Fn(&mut Vec<u8>, &T) + Sync) -> Vec<[u8; 32]> {
    let rows = matrix.rows();
    let block = |block: usize| {
        let (mut hasher, mut bytes) = (Sha256::new(), Vec::new());
        for i in block * BLOCK..((block + 1) * BLOCK).min(rows) {
            let (columns, values) = matrix.row(i);
            put_row(&mut bytes, columns, values, &put);
            if bytes.len() > 1 << 16 {
                hasher.update(&bytes);
                bytes.clear();
            }
        }
        hasher.update(&bytes);
        hasher.finalize().into()
    };
    (0..rows.div_ceil(BLOCK)).into_par_iter().map(block).collect()
}

/// SHA-256 of the loading problem, lower-case hex. `Err` if the network cannot be written as JSON, which no network is known to cause.
pub fn loading_sha256(problem: &LoadingProblem) -> Result<String, serde_json::Error> {
    let blocks = match &problem.points {
        Points::Narrow(matrix) => blocks(matrix, |bytes, &value| put_narrow(bytes, value)),
        Points::Wide(matrix) => blocks(matrix, put_integer),
    };
    let mut hasher = Sha256::new();
    hasher.update(b"infimum loading problem 1");
    put(&mut hasher, problem.points.rows());
    put(&mut hasher, problem.points.columns());
    problem.column_names.iter().for_each(|name| put_text(&mut hasher, &name));
    blocks.iter().for_each(|block| hasher.update(block));
    for scale in &problem.scales {
        hasher.update(scale.ten.to_le_bytes());
        hasher.update(scale.two.to_le_bytes());
    }
    put(&mut hasher, problem.output_names.len());
    let target = |target: &Option<bool>| target.map_or(2, u8::from);
    hasher.update(problem.targets.iter().map(target).collect::<Vec<u8>>());
    problem.output_names.iter().for_each(|name| put_text(&mut hasher, name));
    put_text(&mut hasher, &serde_json::to_string(&problem.network)?);
    Ok(hex(&hasher.finalize()))
}
