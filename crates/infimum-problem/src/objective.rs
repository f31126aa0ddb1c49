//! Losses by name, the intercept's treatment, and the objective's coefficients.

use serde::{Deserialize, Serialize};

/// Loss of one example. `m = y·z` is the margin with y ∈ {−1, +1}, `z` the model's output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Loss {
    /// `ln(1 + exp(−m))`; with more than two classes one-vs-rest: the sum over classes k of the binary losses.
    Logistic,
    /// `ln Σ_k exp(z_k) − z_y`, K outputs.
    Softmax,
    /// `max(0, 1 − m)`; one-vs-rest like `Logistic`.
    Hinge,
    /// `max(0, 1 − m)²` (no factor ½); one-vs-rest like `Logistic`.
    SquaredHinge,
    /// `½ (z − y)²`, regression.
    Squared,
}

/// How the constant term is treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Intercept {
    /// Part of the model, without penalty.
    Free,
    /// The weight of a constant column 1 with scale 1: it costs λ1 |b| + (λ2/2) b².
    Penalized,
    /// Fixed at 0.
    None,
}

/// Everything that is minimised except the rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Objective {
    /// Loss of one example.
    pub loss: Loss,
    /// Treatment of the constant term.
    pub intercept: Intercept,
    /// Coefficient λ1 ≥ 0 of Σ s_j |w_j| in the unnormalised sum.
    pub lambda1: f64,
    /// Coefficient λ2 ≥ 0 of ½ Σ s_j² w_j² in the unnormalised sum.
    pub lambda2: f64,
    /// Penalty scales s_j > 0, one per column; `None` means all 1.
    pub scales: Option<Vec<f64>>,
}

impl Loss {
    /// All losses of this version.
    pub const ALL: [Loss; 5] = [Loss::Logistic, Loss::Softmax, Loss::Hinge, Loss::SquaredHinge, Loss::Squared];

    /// The name used on the command line and in certificates.
    pub fn name(self) -> &'static str {
        match self {
            Loss::Logistic => "logistic",
            Loss::Softmax => "softmax",
            Loss::Hinge => "hinge",
            Loss::SquaredHinge => "squared-hinge",
            Loss::Squared => "squared",
        }
    }

    /// The loss called `name`, if there is one.
    pub fn from_name(name: &str) -> Option<Loss> {
        Loss::ALL.into_iter().find(|loss| loss.name() == name)
    }

    /// Whether targets are classes (all but `Squared`).
    pub fn is_classification(self) -> bool {
        self != Loss::Squared
    }

    /// Whether the loss is applied to one binary problem per class when there are more than two.
    pub fn is_margin(self) -> bool {
        matches!(self, Loss::Logistic | Loss::Hinge | Loss::SquaredHinge)
    }

    /// Rows of the weight matrix for `labels` classes (0 for regression).
    pub fn outputs(self, labels: usize) -> usize {
        match self {
            Loss::Squared => 1,
            Loss::Softmax => labels,
            _ if labels <= 2 => 1,
            _ => labels,
        }
    }
}

impl Intercept {
    /// The name used on the command line and in certificates.
    pub fn name(self) -> &'static str {
        match self {
            Intercept::Free => "free",
            Intercept::Penalized => "penalized",
            Intercept::None => "none",
        }
    }
}

impl Objective {
    /// Scale s_j of column `j`.
    #[inline]
    pub fn scale(&self, j: usize) -> f64 {
        self.scales.as_ref().map_or(1.0, |scales| scales[j])
    }
}
