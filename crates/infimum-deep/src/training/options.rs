//! What a training run is asked for.

use infimum_problem::deep::{Architecture, parameters};
use serde::{Deserialize, Serialize};

use super::train::has_random_layers;

/// How parameters follow the gradient.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Optimizer {
    /// Gradient descent with (Nesterov's) momentum.
    Sgd,
    /// Adam (Kingma, Ba 2015); with decoupled decay AdamW (Loshchilov, Hutter 2019).
    Adamw,
    /// Orthogonalised momentum for matrices (Jordan et al. 2024), AdamW for everything else.
    Muon,
    /// Limited-memory BFGS over all rows at once, in double precision.
    Lbfgs,
}

/// Most rows, and rows times parameters, that are gone through at once where nothing is said.
const WHOLE_ROWS: usize = 20_000;
const WHOLE_PRODUCTS: usize = 1_000_000_000;

/// How the rate goes from the beginning of the budget to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Schedule {
    /// A short warm-up, then half a cosine down to 0 (Loshchilov, Hutter 2017).
    Cosine,
    /// Up during the first 30 %, then half a cosine down to 0 (Smith, Topin 2018).
    OneCycle,
    /// A short warm-up, then constant.
    Constant,
    /// A short warm-up, then constant, and the average of the iterates is the model (Defazio et al. 2024).
    ScheduleFree,
}

/// Where the weights are decayed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decay {
    /// In the gradient: what is minimised is the objective that bounds speak of.
    Coupled,
    /// Beside the optimizer's step (AdamW): what is minimised is another function, the objective is only evaluated.
    Decoupled,
}

/// Random changes of images while training.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Augmentation {
    /// Mirror left and right, half of the time.
    #[serde(default)]
    pub flip: bool,
    /// Move by up to so many positions in both directions.
    #[serde(default)]
    pub crop: usize,
    /// Side of a square that is blanked out; 0 for none.
    #[serde(default)]
    pub cutout: usize,
}

/// Everything that decides the trajectory, apart from data and network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainingOptions {
    /// Optimizer.
    pub optimizer: Optimizer,
    /// Rate at its largest; `None` looks for one first.
    pub rate: Option<f64>,
    /// Schedule.
    pub schedule: Schedule,
    /// Momentum of [`Optimizer::Sgd`] and [`Optimizer::Muon`].
    pub momentum: f64,
    /// Rows of a step.
    pub batch: usize,
    /// Passes over the rows; `None` leaves the end to the time.
    pub epochs: Option<f64>,
    /// Decay.
    pub decay: Decay,
    /// Largest norm of a step's gradient.
    pub clip: Option<f64>,
    /// Factor of the exponential moving average of the parameters, which then is the model.
    pub average: Option<f64>,
    /// Share of the target that goes to all classes alike while training.
    pub label_smoothing: f64,
    /// Augmentation.
    pub augmentation: Augmentation,
    /// Seed.
    pub seed: u64,
}

impl Default for TrainingOptions {
    fn default() -> TrainingOptions {
        TrainingOptions {
            optimizer: Optimizer::Adamw,
            rate: Some(1e-3),
            schedule: Schedule::Cosine,
            momentum: 0.9,
            batch: 128,
            epochs: None,
            decay: Decay::Coupled,
            clip: None,
            average: None,
            label_smoothing: 0.0,
            augmentation: Augmentation::default(),
            seed: 0,
        }
    }
}

impl Optimizer {
    /// All of them.
    pub const ALL: [Optimizer; 4] = [Optimizer::Sgd, Optimizer::Adamw, Optimizer::Muon, Optimizer::Lbfgs];

    /// The name used on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Optimizer::Sgd => "sgd",
            Optimizer::Adamw => "adamw",
            Optimizer::Muon => "muon",
            Optimizer::Lbfgs => "lbfgs",
        }
    }

    /// What is used where nothing is said: where a step over all rows at once costs little, L-BFGS, which then takes a small share of the time of any stochastic
    /// method (`bench/deep --group small`); else Adam.
    pub fn usual(rows: usize, architecture: &Architecture) -> Optimizer {
        let count = parameters(architecture).ok().and_then(|all| all.last().map(|last| last.range.end)).unwrap_or(0);
        let is_small = rows <= WHOLE_ROWS && rows.saturating_mul(count) <= WHOLE_PRODUCTS;
        if is_small && !has_random_layers(&architecture.layers) { Optimizer::Lbfgs } else { Optimizer::Adamw }
    }

    /// A rate that usually works.
    pub fn usual_rate(self) -> f64 {
        match self {
            Optimizer::Sgd => 0.05,
            Optimizer::Adamw | Optimizer::Muon => 1e-3,
            Optimizer::Lbfgs => 1.0,
        }
    }
}

impl Schedule {
    /// All of them.
    pub const ALL: [Schedule; 4] = [Schedule::Cosine, Schedule::OneCycle, Schedule::Constant, Schedule::ScheduleFree];

    /// The name used on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Schedule::Cosine => "cosine",
            Schedule::OneCycle => "one-cycle",
            Schedule::Constant => "constant",
            Schedule::ScheduleFree => "schedule-free",
        }
    }
}

impl Augmentation {
    /// Whether images are changed at all.
    pub fn is_some(self) -> bool {
        self != Augmentation::default()
    }
}
