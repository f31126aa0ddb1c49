//! A start for Newton's and the interior point method on many rows: the solution over a sample of them, which is found from a smaller sample in the
//! same way.
//!
//! A model of `p` weights fitted to `m` rows is worth about `p/(2m)` per row less than the best one on all rows, whatever the number
//! of rows, and Newton's convergence is quadratic from there: a sample of an eighth of the rows needs one or two steps from the sample
//! before it, all samples together cost less than a step over all rows, and one or two of those are left. The samples are
//! only starts: no bound rests on them.

use infimum_problem::{Dataset, Loss, Problem, Target};

/// Rows per sampled row, at most.
const STRIDE: usize = 8;
/// Least stride that is worth the trouble.
const LEAST_STRIDE: usize = 4;
/// Sampled rows per weight, at least.
const ROWS_PER_WEIGHT: usize = 150;
/// Neighbouring rows that are sampled together.
const RUN: usize = 4;

/// The problem over a sample of the rows, their weights scaled up to the same total; `None` where no sample pays: too few
/// rows, rows in a file, a loss that Newton solves in one step, a class without a sampled row.
pub(crate) fn sample(problem: &Problem) -> Option<Problem> {
    let data = &problem.data;
    let stride = (data.rows() / (ROWS_PER_WEIGHT * (data.columns() + 1))).min(STRIDE);
    if stride < LEAST_STRIDE || data.matrix.is_spilled() || problem.objective.loss == Loss::Squared {
        return None;
    }
    // Of each `stride` runs of rows in turn one, at a place that looks random: data often repeat with some period. Runs,
    // because they are read line by line of the cache.
    let place = |k: usize| ((k as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) as usize % stride;
    let runs = data.rows() / (stride * RUN);
    let rows: Vec<usize> =
        (0..runs).flat_map(|k| (0..RUN).map(move |row| (k * stride + place(k)) * RUN + row)).collect();
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
