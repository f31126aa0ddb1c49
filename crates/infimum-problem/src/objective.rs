//! Losses by name, the intercept's treatment, and the objective's coefficients.

use serde::{Deserialize, Serialize};

use crate::Kernel;

/// Loss of one example. `m = y·z` is the margin with y ∈ {−1, +1}, `z` the model's output, `r = z − y` the residual of a
/// regression.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
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
    /// `½ r²`.
    Squared,
    /// `max(0, |r| − ε)`, ε ≥ 0.
    Epsilon(f64),
    /// `max(0, |r| − ε)²` (no factor ½), ε ≥ 0.
    SquaredEpsilon(f64),
    /// `½ r²` where |r| ≤ δ, else `δ |r| − ½ δ²`; δ > 0.
    Huber(f64),
    /// `τ max(0, −r) + (1 − τ) max(0, r)`, 0 < τ < 1: its minimiser is the τ-quantile.
    Quantile(f64),
    /// Half the Poisson deviance with the logarithmic link, `exp(z) − y z + y ln y − y` (0 ln 0 = 0), y ≥ 0: the model
    /// predicts exp(z).
    Poisson,
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
    /// Kernel; then λ1 = 0 and there are no scales. `None` means a linear model.
    pub kernel: Option<Kernel>,
}

impl Loss {
    /// All losses, with the parameters they have by default.
    pub const ALL: [Loss; 10] = [
        Loss::Logistic,
        Loss::Softmax,
        Loss::Hinge,
        Loss::SquaredHinge,
        Loss::Squared,
        Loss::Epsilon(0.1),
        Loss::SquaredEpsilon(0.1),
        Loss::Huber(1.35),
        Loss::Quantile(0.5),
        Loss::Poisson,
    ];

    /// The name used on the command line and in certificates.
    pub fn name(self) -> &'static str {
        match self {
            Loss::Logistic => "logistic",
            Loss::Softmax => "softmax",
            Loss::Hinge => "hinge",
            Loss::SquaredHinge => "squared-hinge",
            Loss::Squared => "squared",
            Loss::Epsilon(_) => "epsilon",
            Loss::SquaredEpsilon(_) => "squared-epsilon",
            Loss::Huber(_) => "huber",
            Loss::Quantile(_) => "quantile",
            Loss::Poisson => "poisson",
        }
    }

    /// The loss called `name`, if there is one, with its default parameter.
    pub fn from_name(name: &str) -> Option<Loss> {
        Loss::ALL.into_iter().find(|loss| loss.name() == name)
    }

    /// The parameter (ε, δ or τ), if the loss has one.
    pub fn parameter(self) -> Option<f64> {
        match self {
            Loss::Epsilon(value) | Loss::SquaredEpsilon(value) | Loss::Huber(value) | Loss::Quantile(value) => {
                Some(value)
            }
            Loss::Logistic | Loss::Softmax | Loss::Hinge | Loss::SquaredHinge | Loss::Squared | Loss::Poisson => None,
        }
    }

    /// The loss with another parameter; itself if it has none.
    pub fn with_parameter(self, value: f64) -> Loss {
        match self {
            Loss::Epsilon(_) => Loss::Epsilon(value),
            Loss::SquaredEpsilon(_) => Loss::SquaredEpsilon(value),
            Loss::Huber(_) => Loss::Huber(value),
            Loss::Quantile(_) => Loss::Quantile(value),
            other => other,
        }
    }

    /// What is wrong with the parameter, if anything: 0 ≤ ε, 0 < δ, 0 < τ < 1, and magnitudes in [1e-100, 1e100] where not 0.
    pub fn objection(self) -> Option<String> {
        let value = self.parameter()?;
        let sized = (1e-100..=1e100).contains(&value);
        let (fits, expected) = match self {
            Loss::Huber(_) => (sized, "a number > 0"),
            Loss::Quantile(_) => (sized && value < 1.0, "a number between 0 and 1, both excluded"),
            _ => (sized || value == 0.0, "a number ≥ 0"),
        };
        (!fits).then(|| format!("the parameter of the loss {}: expected {expected}, got {value}", self.name()))
    }

    /// What the loss demands of a target of a regression, if `y` does not fulfil it.
    pub fn refuses(self, y: f64) -> Option<&'static str> {
        (self == Loss::Poisson && !(y >= 0.0)).then_some("a number ≥ 0, since the loss is poisson")
    }

    /// Whether targets are classes.
    pub fn is_classification(self) -> bool {
        self.is_margin() || self == Loss::Softmax
    }

    /// Whether the loss is applied to one binary problem per class when there are more than two.
    pub fn is_margin(self) -> bool {
        matches!(self, Loss::Logistic | Loss::Hinge | Loss::SquaredHinge)
    }

    /// Whether the loss is a sum of hinges, so that it has no useful second derivative.
    pub fn is_piecewise_linear(self) -> bool {
        matches!(self, Loss::Hinge | Loss::Epsilon(_) | Loss::Quantile(_))
    }

    /// What a regression predicts where the linear model's output is `z`.
    pub fn prediction(self, z: f64) -> f64 {
        if self == Loss::Poisson { z.exp() } else { z }
    }

    /// Rows of the weight matrix for `labels` classes (0 for regression).
    pub fn outputs(self, labels: usize) -> usize {
        match self {
            Loss::Softmax => labels,
            Loss::Logistic | Loss::Hinge | Loss::SquaredHinge if labels > 2 => labels,
            _ => 1,
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
