//! Predictions of a linear model.

use infimum_problem::{Loss, Matrix, Model};

/// `z = W x + b` for every row, row-major n × outputs; NaN if rows of a spilled matrix cannot be read back.
pub fn decision_values(model: &Model, matrix: &Matrix) -> Vec<f64> {
    let mut values = Vec::with_capacity(matrix.rows() * model.outputs);
    let read = matrix.for_each_row(|_, row| {
        values.extend((0..model.outputs).map(|k| model.intercepts[k] + row.dot(model.row(k))));
    });
    if read.is_err() {
        values.clear();
        values.resize(matrix.rows() * model.outputs, f64::NAN);
    }
    values
}

/// Index of the predicted label of every row: with one output the second label iff z > 0, else the largest output (the
/// first of equals).
pub fn labels(outputs: usize, decision: &[f64]) -> Vec<usize> {
    let largest = |z: &[f64]| (1..z.len()).fold(0, |best, k| if z[k] > z[best] { k } else { best });
    decision.chunks_exact(outputs).map(|z| if outputs == 1 { usize::from(z[0] > 0.0) } else { largest(z) }).collect()
}

/// The logistic function `1/(1 + exp(−z))`.
fn sigmoid(z: f64) -> f64 {
    if z >= 0.0 { 1.0 / (1.0 + (-z).exp()) } else { z.exp() / (1.0 + z.exp()) }
}

/// Probabilities of several labels, each by itself: the sigmoid of every output, for the loss logistic. `None` for losses that define none.
pub fn label_probabilities(loss: Loss, decision: &[f64]) -> Option<Vec<f64>> {
    (loss == Loss::Logistic).then(|| decision.iter().map(|&z| sigmoid(z)).collect())
}

/// Class probabilities, row-major n × classes: the model's own for logistic (two classes) and softmax; for one-vs-rest
/// logistic the sigmoids divided by their sum. `None` for losses that define none.
pub fn probabilities(loss: Loss, outputs: usize, decision: &[f64]) -> Option<Vec<f64>> {
    let rows = decision.chunks_exact(outputs);
    match loss {
        Loss::Logistic if outputs == 1 => Some(rows.flat_map(|z| [sigmoid(-z[0]), sigmoid(z[0])]).collect()),
        Loss::Logistic => Some(
            rows.flat_map(|z| {
                let p: Vec<f64> = z.iter().map(|&z| sigmoid(z)).collect();
                let sum = p.iter().sum::<f64>().max(f64::MIN_POSITIVE);
                p.into_iter().map(move |p| p / sum)
            })
            .collect(),
        ),
        Loss::Softmax => Some(
            rows.flat_map(|z| {
                let top = z.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let e: Vec<f64> = z.iter().map(|z| (z - top).exp()).collect();
                let sum: f64 = e.iter().sum();
                e.into_iter().map(move |e| e / sum)
            })
            .collect(),
        ),
        _ => None,
    }
}
