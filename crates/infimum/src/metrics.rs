//! How well a model predicts known targets. Unweighted over the rows; rows whose target is unknown are left out.

use infimum_data::KnownTarget;
use infimum_problem::{Loss, Matrix, Model};
use serde::Serialize;

use crate::predict::{decision_values, labels, probabilities};

/// Metrics of a model on a set of rows; what does not apply is absent.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Metrics {
    /// Rows, those of unknown target included.
    pub rows: usize,
    /// Rows that the metrics leave out: their target is missing, or a label that the model does not know.
    #[serde(skip_serializing_if = "is_zero")]
    pub unknown: usize,
    /// Share of rows whose label is right.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accuracy: Option<f64>,
    /// Mean of −ln p(label).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_loss: Option<f64>,
    /// Mean of (z − y)².
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mean_squared_error: Option<f64>,
    /// Mean of |z − y|.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mean_absolute_error: Option<f64>,
    /// 1 − Σ(z − y)² / Σ(y − ȳ)²; absent if y is constant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub r2: Option<f64>,
}

fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// Metrics of `model` on `matrix` with known targets.
pub fn metrics(loss: Loss, model: &Model, matrix: &Matrix, target: &KnownTarget) -> Metrics {
    let decision = decision_values(model, matrix);
    let rows = matrix.rows();
    let of = |known: usize| Metrics { rows, unknown: rows - known, ..Metrics::default() };
    match target {
        KnownTarget::Classes(classes) => {
            let known: Vec<(usize, usize)> =
                (classes.iter().enumerate()).filter_map(|(row, class)| Some((row, (*class)? as usize))).collect();
            if known.is_empty() {
                return of(0);
            }
            let mean = |sum: f64| sum / known.len() as f64;
            let predicted = labels(model.outputs, &decision);
            let right = known.iter().filter(|&&(row, class)| predicted[row] == class).count();
            let log_loss = probabilities(loss, model.outputs, &decision).map(|p| {
                let width = p.len() / rows;
                mean(known.iter().map(|&(row, class)| -p[row * width + class].ln()).sum())
            });
            Metrics { accuracy: Some(mean(right as f64)), log_loss, ..of(known.len()) }
        }
        KnownTarget::Real(values) => {
            let known: Vec<(f64, f64)> =
                decision.iter().copied().zip(values.iter().copied()).filter(|pair| !pair.1.is_nan()).collect();
            if known.is_empty() {
                return of(0);
            }
            let mean = |sum: f64| sum / known.len() as f64;
            let error: f64 = known.iter().map(|(z, y)| (z - y) * (z - y)).sum();
            let average = mean(known.iter().map(|(_, y)| y).sum());
            let spread: f64 = known.iter().map(|(_, y)| (y - average) * (y - average)).sum();
            let r2 = (spread > 0.0).then(|| 1.0 - error / spread);
            let absolute: f64 = known.iter().map(|(z, y)| (z - y).abs()).sum();
            let mean_absolute_error = Some(mean(absolute));
            Metrics { mean_squared_error: Some(mean(error)), mean_absolute_error, r2, ..of(known.len()) }
        }
    }
}

impl Metrics {
    /// The metrics as words, e.g. `accuracy 0.9824, log loss 0.0712`, with the number of rows left out, if any.
    pub fn words(&self) -> String {
        let values = [
            ("accuracy", self.accuracy),
            ("log loss", self.log_loss),
            ("mean squared error", self.mean_squared_error),
            ("mean absolute error", self.mean_absolute_error),
            ("R²", self.r2),
        ];
        let values = values.iter().filter_map(|(name, value)| value.map(|value| format!("{name} {value:.6}")));
        let mut parts: Vec<String> = values.collect();
        if parts.is_empty() {
            parts.push("none".into());
        }
        if self.unknown > 0 {
            parts.push(format!("{} rows of unknown target left out", self.unknown));
        }
        parts.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use infimum_problem::DenseMatrix;

    use super::*;

    #[test]
    fn rows_of_unknown_target_are_left_out_and_counted() {
        let model = Model { outputs: 1, columns: 1, weights: vec![1.0], intercepts: vec![0.0] };
        let matrix = Matrix::Dense(DenseMatrix { rows: 3, columns: 1, values: vec![-1.0, 2.0, 3.0] });
        let classes = metrics(Loss::Hinge, &model, &matrix, &KnownTarget::Classes(vec![Some(0), None, Some(0)]));
        assert_eq!((classes.accuracy, classes.rows, classes.unknown), (Some(0.5), 3, 1));
        let real = metrics(Loss::Squared, &model, &matrix, &KnownTarget::Real(vec![-1.0, f64::NAN, 1.0]));
        assert_eq!((real.mean_squared_error, real.r2, real.unknown), (Some(2.0), Some(-1.0), 1));
        assert_eq!(real.mean_absolute_error, Some(1.0));
        let nothing = metrics(Loss::Squared, &model, &matrix, &KnownTarget::Real(vec![f64::NAN; 3]));
        assert_eq!(nothing.words(), "none, 3 rows of unknown target left out");
    }
}
