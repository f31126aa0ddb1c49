//! The hash of the canonical problem (docs/canonical-problem.md, section 4).

use infimum_problem::{Problem, Row, Target};
use rayon::prelude::*;
use sha2::{Digest, Sha256};

use crate::source::hex;

/// Rows per block of the matrix.
const BLOCK: usize = 4_096;

fn float(value: f64) -> [u8; 8] {
    // −0 and +0 are the same number.
    (if value == 0.0 { 0.0f64 } else { value }).to_le_bytes()
}

fn put(hasher: &mut Sha256, value: usize) {
    hasher.update((value as u64).to_le_bytes());
}

fn put_text(hasher: &mut Sha256, text: &str) {
    put(hasher, text.len());
    hasher.update(text.as_bytes());
}

fn put_floats(hasher: &mut Sha256, values: &[f64]) {
    let bytes: Vec<u8> = values.iter().flat_map(|&value| float(value)).collect();
    hasher.update(&bytes);
}

/// SHA-256 of the canonical problem, lower-case hex.
pub fn problem_sha256(problem: &Problem) -> String {
    let (data, objective) = (&problem.data, &problem.objective);
    let (n, d) = (data.rows(), data.columns());
    let blocks: Vec<[u8; 32]> = (0..n.div_ceil(BLOCK))
        .into_par_iter()
        .map(|block| {
            let mut bytes = Vec::new();
            let mut hasher = Sha256::new();
            for i in block * BLOCK..((block + 1) * BLOCK).min(n) {
                let start = bytes.len();
                bytes.extend_from_slice(&[0u8; 8]);
                let mut entries = 0u64;
                let mut entry = |column: u64, value: f64| {
                    if value != 0.0 {
                        bytes.extend_from_slice(&column.to_le_bytes());
                        bytes.extend_from_slice(&value.to_le_bytes());
                        entries += 1;
                    }
                };
                match data.matrix.row(i) {
                    Row::Dense(values) => values.iter().enumerate().for_each(|(j, &x)| entry(j as u64, x)),
                    Row::Sparse(indices, values) => {
                        indices.iter().zip(values).for_each(|(&j, &x)| entry(u64::from(j), x));
                    }
                }
                bytes[start..start + 8].copy_from_slice(&entries.to_le_bytes());
                if bytes.len() > 1 << 16 {
                    hasher.update(&bytes);
                    bytes.clear();
                }
            }
            hasher.update(&bytes);
            hasher.finalize().into()
        })
        .collect();
    let mut hasher = Sha256::new();
    hasher.update(b"infimum canonical problem 1");
    put(&mut hasher, n);
    put(&mut hasher, d);
    data.column_names.iter().for_each(|name| put_text(&mut hasher, name));
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
    }
    put_floats(&mut hasher, &data.weights);
    put_floats(&mut hasher, &[data.total_weight]);
    put_text(&mut hasher, objective.loss.name());
    put_text(&mut hasher, objective.intercept.name());
    put_floats(&mut hasher, &[objective.lambda1, objective.lambda2]);
    put(&mut hasher, usize::from(objective.scales.is_some()));
    objective.scales.iter().for_each(|scales| put_floats(&mut hasher, scales));
    hex(&hasher.finalize())
}
