//! How well a model predicts known targets. Unweighted over the rows.

use infimum_data::KnownTarget;
use infimum_problem::{Loss, Matrix, Model};
use serde::Serialize;

use crate::predict::{decision_values, labels, probabilities};

/// Metrics of a model on a set of rows; what does not apply is absent.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Metrics {
    /// Rows.
    pub rows: usize,
    /// Share of rows whose label is right; unknown labels count as wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accuracy: Option<f64>,
    /// Mean of −ln p(label); absent where a label is unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_loss: Option<f64>,
    /// Mean of (z − y)².
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mean_squared_error: Option<f64>,
    /// 1 − Σ(z − y)² / Σ(y − ȳ)²; absent if y is constant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub r2: Option<f64>,
}

/// Metrics of `model` on `matrix` with known targets.
pub fn metrics(loss: Loss, model: &Model, matrix: &Matrix, target: &KnownTarget) -> Metrics {
    let decision = decision_values(model, matrix);
    let rows = matrix.rows();
    let mean = |sum: f64| sum / rows.max(1) as f64;
    match target {
        KnownTarget::Classes(classes) => {
            let predicted = labels(model.outputs, &decision);
            let right = predicted.iter().zip(classes).filter(|(label, class)| Some(**label as u32) == **class).count();
            let log_loss = probabilities(loss, model.outputs, &decision).and_then(|p| {
                let width = p.len() / rows.max(1);
                let logs =
                    classes.iter().enumerate().map(|(i, class)| class.map(|class| -p[i * width + class as usize].ln()));
                logs.sum::<Option<f64>>().map(mean)
            });
            Metrics { rows, accuracy: Some(mean(right as f64)), log_loss, ..Metrics::default() }
        }
        KnownTarget::Real(values) => {
            let error: f64 = decision.iter().zip(values).map(|(z, y)| (z - y) * (z - y)).sum();
            let average = mean(values.iter().sum());
            let spread: f64 = values.iter().map(|y| (y - average) * (y - average)).sum();
            let r2 = (spread > 0.0).then(|| 1.0 - error / spread);
            Metrics { rows, mean_squared_error: Some(mean(error)), r2, ..Metrics::default() }
        }
    }
}

impl Metrics {
    /// The metrics as words, e.g. `accuracy 0.9824, log loss 0.0712`.
    pub fn words(&self) -> String {
        let parts = [
            ("accuracy", self.accuracy),
            ("log loss", self.log_loss),
            ("mean squared error", self.mean_squared_error),
            ("R²", self.r2),
        ];
        let parts = parts.iter().filter_map(|(name, value)| value.map(|value| format!("{name} {value:.6}")));
        parts.collect::<Vec<_>>().join(", ")
    }
}
