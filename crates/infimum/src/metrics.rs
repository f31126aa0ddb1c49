//! How well a model predicts known targets. Unweighted over the rows; rows whose target is unknown are left out.

use infimum_data::KnownTarget;
use infimum_problem::{Loss, Matrix};
use serde::Serialize;

use crate::predict::{labels, probabilities};
use crate::predictor::Predictor;

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
    /// Mean of (p − y)², p the prediction.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mean_squared_error: Option<f64>,
    /// Mean of |p − y|.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mean_absolute_error: Option<f64>,
    /// 1 − Σ(p − y)² / Σ(y − ȳ)²; absent if y is constant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub r2: Option<f64>,
    /// Mean of 2 (p − y + y ln(y/p)), 0 ln 0 = 0, for the loss poisson.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mean_poisson_deviance: Option<f64>,
    /// Share of rows of which all labels are right, of several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exact_match: Option<f64>,
    /// `2 tp/(2 tp + fp + fn)` of a label among several, and their mean over the labels (macro-F1); absent of a label that no row has and none is predicted to have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub f1: Option<f64>,
    /// Of several targets those of each, in their order; the others are then means over the targets.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<Metrics>,
}

/// Rows whose probabilities are made together: those of all rows may be as large as the data.
const CHUNK: usize = 4_096;

fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// Metrics of `model` on `matrix` with known targets.
pub fn metrics(loss: Loss, predictor: &Predictor, matrix: &Matrix, target: &KnownTarget) -> Metrics {
    of_outputs(loss, predictor.model.outputs, &predictor.decision_values(matrix), target)
}

/// Metrics of raw outputs, rows × `outputs`.
fn of_outputs(loss: Loss, outputs: usize, decision: &[f64], target: &KnownTarget) -> Metrics {
    let rows = decision.len() / outputs;
    let of = |known: usize| Metrics { rows, unknown: rows - known, ..Metrics::default() };
    match target {
        KnownTarget::Several(values) => of_several(loss, outputs, decision, values),
        KnownTarget::Classes(classes) => {
            let (mut known, mut right, mut log_loss) = (0, 0, Some(0.0));
            for (decision, classes) in decision.chunks(CHUNK * outputs).zip(classes.chunks(CHUNK)) {
                let predicted = labels(outputs, decision);
                let p = probabilities(loss, outputs, decision);
                let width = p.as_ref().map_or(0, |p| p.len() / classes.len());
                for (row, class) in classes.iter().enumerate() {
                    let Some(class) = class.map(|class| class as usize) else { continue };
                    known += 1;
                    right += usize::from(predicted[row] == class);
                    log_loss = log_loss.zip(p.as_ref()).map(|(sum, p)| sum - p[row * width + class].ln());
                }
            }
            if known == 0 {
                return of(0);
            }
            let mean = |sum: f64| sum / known as f64;
            Metrics { accuracy: Some(mean(right as f64)), log_loss: log_loss.map(mean), ..of(known) }
        }
        KnownTarget::Real(values) => {
            // A target that the loss cannot have is as good as none.
            let usable = |y: f64| !y.is_nan() && loss.refuses(y).is_none();
            let usable = decision.iter().zip(values).filter(|pair| usable(*pair.1));
            let pairs = usable.map(|(&z, &y)| (loss.prediction(z), y));
            let known = pairs.clone().count();
            if known == 0 {
                return of(0);
            }
            // Over all rows once more for every metric: a list of the pairs would be as large as two columns.
            let mean_of =
                |value: &dyn Fn(f64, f64) -> f64| pairs.clone().map(|(p, y)| value(p, y)).sum::<f64>() / known as f64;
            let mean_squared_error = mean_of(&|p, y| (p - y) * (p - y));
            let average = mean_of(&|_, y| y);
            let spread = mean_of(&|_, y| (y - average) * (y - average));
            let r2 = (spread > 0.0).then(|| 1.0 - mean_squared_error / spread);
            let mean_absolute_error = Some(mean_of(&|p, y| (p - y).abs()));
            let mean_poisson_deviance = (loss == Loss::Poisson).then(|| mean_of(&deviance));
            let mean_squared_error = Some(mean_squared_error);
            Metrics { mean_squared_error, mean_absolute_error, r2, mean_poisson_deviance, ..of(known) }
        }
    }
}

/// Metrics of several targets; a row counts if all of its targets are known.
fn of_several(loss: Loss, outputs: usize, decision: &[f64], values: &[f64]) -> Metrics {
    let rows = decision.len() / outputs;
    let usable = |y: &f64| !y.is_nan() && loss.refuses(*y).is_none();
    let pairs = decision.chunks_exact(outputs).zip(values.chunks_exact(outputs));
    let known: Vec<(&[f64], &[f64])> = pairs.filter(|(_, y)| y.iter().all(usable)).collect();
    let is_right = |z: f64, y: f64| (z > 0.0) == (y > 0.0);
    let of_target = |k: usize| {
        let decision: Vec<f64> = known.iter().map(|(z, _)| z[k]).collect();
        let values = known.iter().map(|(_, y)| y[k]);
        if !loss.is_classification() {
            return of_outputs(loss, 1, &decision, &KnownTarget::Real(values.collect()));
        }
        let classes = values.map(|y| Some(u32::from(y > 0.0))).collect();
        let wrong = known.iter().filter(|(z, y)| !is_right(z[k], y[k])).count();
        let both = known.iter().filter(|(z, y)| z[k] > 0.0 && y[k] > 0.0).count();
        let f1 = (2 * both + wrong > 0).then(|| 2.0 * both as f64 / (2 * both + wrong) as f64);
        Metrics { f1, ..of_outputs(loss, 1, &decision, &KnownTarget::Classes(classes)) }
    };
    let targets: Vec<Metrics> = (0..outputs).map(of_target).collect();
    let mean = |value: fn(&Metrics) -> Option<f64>| {
        let values: Vec<f64> = targets.iter().filter_map(value).collect();
        (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
    };
    let matches = || known.iter().filter(|(z, y)| z.iter().zip(*y).all(|(&z, &y)| is_right(z, y))).count();
    Metrics {
        rows,
        unknown: rows - known.len(),
        accuracy: mean(|one| one.accuracy),
        log_loss: mean(|one| one.log_loss),
        mean_squared_error: mean(|one| one.mean_squared_error),
        mean_absolute_error: mean(|one| one.mean_absolute_error),
        r2: mean(|one| one.r2),
        mean_poisson_deviance: mean(|one| one.mean_poisson_deviance),
        exact_match: (loss.is_classification() && !known.is_empty()).then(|| matches() as f64 / known.len() as f64),
        f1: mean(|one| one.f1),
        targets,
    }
}

/// `2 (p − y + y ln(y/p))` of a prediction p > 0 and a target y ≥ 0.
fn deviance(p: f64, y: f64) -> f64 {
    2.0 * if y > 0.0 { p - y + y * (y / p).ln() } else { p }
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
            ("mean Poisson deviance", self.mean_poisson_deviance),
            ("exact match", self.exact_match),
            ("macro-F1", self.f1),
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
    use infimum_problem::{DenseMatrix, Model};

    use super::*;
    use crate::predictor::Features;

    #[test]
    fn rows_of_unknown_target_are_left_out_and_counted() {
        let model = Model { outputs: 1, columns: 1, weights: vec![1.0], intercepts: vec![0.0] };
        let model = Predictor { model, features: Features::Columns };
        let matrix = Matrix::Dense(DenseMatrix { rows: 3, columns: 1, values: vec![-1.0, 2.0, 3.0].into() });
        let classes = metrics(Loss::Hinge, &model, &matrix, &KnownTarget::Classes(vec![Some(0), None, Some(0)]));
        assert_eq!((classes.accuracy, classes.rows, classes.unknown), (Some(0.5), 3, 1));
        let real = metrics(Loss::Squared, &model, &matrix, &KnownTarget::Real(vec![-1.0, f64::NAN, 1.0]));
        assert_eq!((real.mean_squared_error, real.r2, real.unknown), (Some(2.0), Some(-1.0), 1));
        assert_eq!(real.mean_absolute_error, Some(1.0));
        let counts = metrics(Loss::Poisson, &model, &matrix, &KnownTarget::Real(vec![0.0, -1.0, 20.0]));
        let (none, many) = ((-1f64).exp(), 3f64.exp());
        let deviance = 0.5 * (2.0 * none + 2.0 * (many - 20.0 + 20.0 * (20.0 / many).ln()));
        assert!((counts.mean_poisson_deviance.unwrap() - deviance).abs() < 1e-14, "{counts:?}");
        assert_eq!((counts.unknown, counts.mean_absolute_error), (1, Some(0.5 * (none + (many - 20.0)))));
        assert_eq!(real.mean_poisson_deviance, None);
        let nothing = metrics(Loss::Squared, &model, &matrix, &KnownTarget::Real(vec![f64::NAN; 3]));
        assert_eq!(nothing.words(), "none, 3 rows of unknown target left out");
    }

    #[test]
    fn several_targets_have_metrics_of_their_own_and_their_means() {
        // z = x, −x + 1, −1 for the three outputs.
        let model = Model { outputs: 3, columns: 1, weights: vec![1.0, -1.0, 0.0], intercepts: vec![0.0, 1.0, -1.0] };
        let predictor = Predictor { model, features: Features::Columns };
        let matrix = Matrix::Dense(DenseMatrix { rows: 4, columns: 1, values: vec![-1.0, 0.5, 2.0, 3.0].into() });
        let labels = vec![-1.0, 1.0, -1.0, 1.0, -1.0, -1.0, 1.0, 1.0, -1.0, 1.0, f64::NAN, 1.0];
        let found = metrics(Loss::Logistic, &predictor, &matrix, &KnownTarget::Several(labels));
        assert_eq!((found.rows, found.unknown), (4, 1));
        // Of the first output all three are right, of the second one, of the third all, none of them there.
        let accuracies: Vec<f64> = found.targets.iter().filter_map(|one| one.accuracy).collect();
        assert_eq!(accuracies, [1.0, 1.0 / 3.0, 1.0]);
        assert_eq!(found.exact_match, Some(1.0 / 3.0));
        assert_eq!(found.targets.iter().map(|one| one.f1).collect::<Vec<_>>(), [Some(1.0), Some(0.5), None]);
        assert_eq!(found.f1, Some(0.75));
        let loss = |margins: [f64; 3]| margins.iter().map(|m: &f64| (-m).exp().ln_1p()).sum::<f64>() / 3.0;
        let expected = [loss([1.0, 0.5, 2.0]), loss([2.0, -0.5, -1.0]), loss([1.0, 1.0, 1.0])];
        assert!((found.log_loss.unwrap() - expected.iter().sum::<f64>() / 3.0).abs() < 1e-14, "{found:?}");
        let numbers = vec![-1.0, 0.0, -1.0, 0.5, 0.5, -1.0, 2.0, -1.0, 1.0, 3.0, -2.0, -1.0];
        let found = metrics(Loss::Squared, &predictor, &matrix, &KnownTarget::Several(numbers));
        let errors: Vec<f64> = found.targets.iter().filter_map(|one| one.mean_squared_error).collect();
        assert_eq!((errors, found.mean_squared_error), (vec![0.0, 1.0, 1.0], Some(2.0 / 3.0)));
        assert_eq!((found.accuracy, found.exact_match, found.f1), (None, None, None));
    }
}
