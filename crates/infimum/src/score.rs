//! Scores on rows that nothing was trained on. They are estimates: means over these rows, each with its standard error.

use infimum_convex::{Observed, row_loss};
use infimum_data::{KnownTarget, Loaded};
use infimum_problem::{Loss, Matrix, Model, Task};

use crate::predict::{decision_values, labels, probabilities};

/// What is averaged over rows, unweighted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Score {
    /// The loss that is trained; less is better.
    Loss,
    /// −ln p(label); less is better.
    LogLoss,
    /// Whether the label is right; more is better.
    Accuracy,
    /// (z − y)²; less is better.
    SquaredError,
}

impl Score {
    /// All scores.
    pub const ALL: [Score; 4] = [Score::Loss, Score::LogLoss, Score::Accuracy, Score::SquaredError];

    /// The `--score` name.
    pub fn name(self) -> &'static str {
        match self {
            Score::Loss => "loss",
            Score::LogLoss => "log-loss",
            Score::Accuracy => "accuracy",
            Score::SquaredError => "squared-error",
        }
    }

    /// The score called `name`, if there is one.
    pub fn from_name(name: &str) -> Option<Score> {
        Score::ALL.into_iter().find(|score| score.name() == name)
    }

    /// What losses can be compared by: accuracy for classes, the squared error for numbers.
    pub fn common(task: Task) -> Score {
        if task == Task::Classification { Score::Accuracy } else { Score::SquaredError }
    }

    /// Whether more is better.
    pub fn more_is_better(self) -> bool {
        self == Score::Accuracy
    }

    /// Why a model of this loss has no such score, if it has none.
    pub fn objection(self, loss: Loss) -> Option<String> {
        let defines = |is: bool, what: &str| (!is).then(|| format!("--score {} {what}", self.name()));
        match self {
            Score::Loss => None,
            Score::LogLoss => defines(
                matches!(loss, Loss::Logistic | Loss::Softmax),
                "needs probabilities, which the losses logistic and softmax define",
            ),
            Score::Accuracy => {
                defines(loss.is_classification(), "needs classes; for numbers use squared-error or loss")
            }
            Score::SquaredError => {
                defines(!loss.is_classification(), "needs numbers; for classes use accuracy or loss")
            }
        }
    }

    /// The score of every row whose target is known, in order.
    pub fn of_rows(self, loss: Loss, model: &Model, matrix: &Matrix, target: &KnownTarget) -> Vec<f64> {
        let z = decision_values(model, matrix);
        let outputs = model.outputs;
        let row = |i: usize| &z[i * outputs..(i + 1) * outputs];
        match target {
            KnownTarget::Real(values) => {
                let known = values.iter().enumerate().filter(|(_, y)| !y.is_nan());
                known
                    .map(|(i, &y)| match self {
                        Score::Loss => row_loss(loss, Observed::Real(y), row(i)),
                        Score::LogLoss | Score::Accuracy | Score::SquaredError => (row(i)[0] - y) * (row(i)[0] - y),
                    })
                    .collect()
            }
            KnownTarget::Several(values) => {
                let rows = z.chunks_exact(outputs).zip(values.chunks_exact(outputs));
                rows.filter(|(_, y)| y.iter().all(|y| !y.is_nan())).map(|(z, y)| self.of_several(loss, z, y)).collect()
            }
            KnownTarget::Classes(classes) => {
                let known = classes.iter().enumerate().filter_map(|(i, class)| Some((i, (*class)? as usize)));
                match self {
                    Score::LogLoss => {
                        let p = probabilities(loss, outputs, &z).unwrap_or_default();
                        let width = p.len() / matrix.rows().max(1);
                        let p = |i: usize, class: usize| p.get(i * width + class).copied().unwrap_or(f64::NAN);
                        known.map(|(i, class)| -p(i, class).ln()).collect()
                    }
                    Score::Accuracy => {
                        let predicted = labels(outputs, &z);
                        known.map(|(i, class)| if predicted[i] == class { 1.0 } else { 0.0 }).collect()
                    }
                    Score::Loss | Score::SquaredError => {
                        known.map(|(i, class)| row_loss(loss, Observed::Class(class), row(i))).collect()
                    }
                }
            }
        }
    }

    /// The score of a row with several targets: the sum of the losses, of other scores the mean over the targets.
    fn of_several(self, loss: Loss, z: &[f64], y: &[f64]) -> f64 {
        let of_one = |(&z, &y): (&f64, &f64)| match self {
            Score::Loss | Score::LogLoss => row_loss(loss, Observed::Real(y), &[z]),
            Score::Accuracy => f64::from(u8::from((z > 0.0) == (y > 0.0))),
            Score::SquaredError => (z - y) * (z - y),
        };
        let sum: f64 = z.iter().zip(y).map(of_one).sum();
        if self == Score::Loss { sum } else { sum / y.len() as f64 }
    }
}

/// The held-out rows' features and targets, if rows were held out.
pub fn held_out(loaded: &Loaded) -> Option<(&Matrix, KnownTarget)> {
    let validation = loaded.validation.as_ref()?;
    Some((&validation.matrix, KnownTarget::from(&validation.target)))
}

/// Mean and standard error of the mean (sample deviation over √n); the error is NaN for fewer than two values.
pub fn mean_and_error(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
    (mean, if n >= 2.0 { (squares / (n - 1.0) / n).sqrt() } else { f64::NAN })
}

/// Mean of `after − before`, row by row, and its standard error: what the same rows say about two models.
pub fn paired_difference(before: &[f64], after: &[f64]) -> (f64, f64) {
    let differences: Vec<f64> = after.iter().zip(before).map(|(after, before)| after - before).collect();
    mean_and_error(&differences)
}
