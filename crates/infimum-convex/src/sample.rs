//! A start for Newton's method on many rows: the solution over a sample of them.
//!
//! A model of `p` weights fitted to `m` rows is worth about `p/(2m)` per row less than the best one on all rows, whatever the number
//! of rows, and Newton's convergence is quadratic from there: solving over a thirty-second of the rows first costs a fifth of a
//! Newton step and saves two or three. The sample is only a start: no bound rests on it.

use infimum_problem::{Dataset, Loss, Problem, Target};

/// Rows per sampled row, at most.
const STRIDE: usize = 32;
/// Least stride that is worth the trouble.
const LEAST_STRIDE: usize = 8;
/// Sampled rows per weight, at least.
const ROWS_PER_WEIGHT: usize = 200;

/// The problem over a sample of the rows, their weights scaled up to the same total; `None` where no sample pays: too few
/// rows, rows in a file, a loss that Newton solves in one step, a class without a sampled row.
pub(crate) fn sample(problem: &Problem) -> Option<Problem> {
    let data = &problem.data;
    let stride = (data.rows() / (ROWS_PER_WEIGHT * (data.columns() + 1))).min(STRIDE);
    if stride < LEAST_STRIDE || data.matrix.is_spilled() || problem.objective.loss == Loss::Squared {
        return None;
    }
    // One row of each `stride` in turn, at a place that looks random: data often repeat with some period.
    let place = |k: usize| (k as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
    let rows: Vec<usize> = (0..data.rows() / stride).map(|k| k * stride + place(k) as usize % stride).collect();
    let taken = data.take(&rows);
    if let Target::Class { labels, classes } = &taken.target {
        let mut seen = vec![false; labels.len()];
        classes.iter().for_each(|&class| seen[class as usize] = true);
        if !seen.iter().all(|&seen| seen) {
            return None;
        }
    }
    let factor = data.weights.iter().sum::<f64>() / taken.weights.iter().sum::<f64>();
    let weights = taken.weights.iter().map(|c| c * factor).collect();
    let sample = Dataset { weights, total_weight: data.total_weight, ..taken };
    Some(Problem { data: sample, objective: problem.objective.clone() })
}
