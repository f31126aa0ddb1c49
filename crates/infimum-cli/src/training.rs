//! Options of training by gradient descent.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use infimum::{Augmentation, Decay, DeepArchitecture, Optimizer, Schedule, TrainingOptions};

use crate::arguments::{duration, non_negative, positive};

/// Epochs where neither they nor a time limit are given; of lbfgs, which ends by itself, evaluations over all rows.
const USUAL_EPOCHS: f64 = 20.0;
const USUAL_EVALUATIONS: f64 = 1000.0;
const MOST_RESTARTS: usize = 10_000;
const MOST_BATCH: usize = 1 << 24;

/// Options of gradient descent; one of them alone asks for it.
#[derive(Debug, Args)]
pub(crate) struct TrainingArguments {
    /// Gradient descent: sgd (Nesterov momentum), adamw, muon, or lbfgs over all rows at once [default: lbfgs where data and network are small and no other option of gradient descent is given, else adamw]
    #[arg(long)]
    optimizer: Option<OptimizerName>,
    /// Rate at its largest, a number > 0, or `find` to look for one first [default: 1e-3; sgd 0.05]
    #[arg(long, value_name = "X", allow_hyphen_values = true, value_parser = rate)]
    learning_rate: Option<Rate>,
    /// How the rate changes until the budget is spent: cosine, one-cycle, constant, schedule-free [default: cosine]
    #[arg(long)]
    schedule: Option<ScheduleName>,
    /// Momentum of sgd and muon, in [0, 1) [default: 0.9]
    #[arg(long, value_name = "X", allow_hyphen_values = true, value_parser = below_one)]
    momentum: Option<f64>,
    /// Rows of a step, ≥ 1 [default: 128]
    #[arg(long, value_name = "N", allow_hyphen_values = true, value_parser = batch)]
    batch_size: Option<usize>,
    /// Passes over the rows, > 0 [default: as many as --time-limit allows, else 20; lbfgs 1000]
    #[arg(long, value_name = "X", allow_hyphen_values = true, value_parser = positive)]
    epochs: Option<f64>,
    /// Weight decay: coupled (in the gradient: the objective that bounds speak of) or decoupled (AdamW's) [default: coupled]
    #[arg(long)]
    decay: Option<DecayName>,
    /// Largest norm of a step's gradient, > 0 [default: none]
    #[arg(long, value_name = "X", allow_hyphen_values = true, value_parser = positive)]
    clip: Option<f64>,
    /// Exponential moving average of the weights as the model: its factor in (0, 1), e.g. 0.999 [default: none]
    #[arg(long, value_name = "X", allow_hyphen_values = true, value_parser = below_one)]
    average: Option<f64>,
    /// Share of each target that goes to all classes alike while training, in [0, 1) [default: 0]
    #[arg(long, value_name = "X", allow_hyphen_values = true, value_parser = below_one)]
    label_smoothing: Option<f64>,
    /// Random changes of images while training: flip, crop:N, cutout:N, separated by commas [default: none]
    #[arg(long, value_name = "LIST", value_parser = augmentation)]
    augment: Option<Augmentation>,
    /// What is done with the columns first: standard (mean 0, variance 1 over the training rows) or none [default: standard]
    #[arg(long)]
    scaling: Option<ScalingName>,
    /// Runs from different random weights, ≥ 1; the best is kept [default: 1]
    #[arg(long, value_name = "N", allow_hyphen_values = true, value_parser = restarts)]
    restarts: Option<usize>,
    /// Go on from the checkpoint of this run; give the options it began with (--epochs and --time-limit may differ)
    #[arg(long, value_name = "RUN", conflicts_with = "restarts")]
    pub(crate) resume: Option<PathBuf>,
    /// Time from checkpoint to checkpoint [default: 30s]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, value_parser = duration)]
    checkpoint_every: Option<Duration>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum OptimizerName {
    Sgd,
    Adamw,
    Muon,
    Lbfgs,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ScheduleName {
    Cosine,
    OneCycle,
    Constant,
    ScheduleFree,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum DecayName {
    Coupled,
    Decoupled,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ScalingName {
    Standard,
    None,
}

/// A value of `--learning-rate`.
#[derive(Debug, Clone, Copy)]
enum Rate {
    Given(f64),
    Find,
}

fn rate(text: &str) -> Result<Rate, String> {
    if text == "find" {
        return Ok(Rate::Find);
    }
    positive(text).map(Rate::Given).map_err(|_| "expected a number > 0, or find".into())
}

fn below_one(text: &str) -> Result<f64, String> {
    non_negative(text).ok().filter(|&value| value < 1.0).ok_or("expected a number in [0, 1)".into())
}

fn batch(text: &str) -> Result<usize, String> {
    let expected = || format!("expected an integer from 1 to {MOST_BATCH}");
    text.parse().ok().filter(|size| (1..=MOST_BATCH).contains(size)).ok_or_else(expected)
}

fn restarts(text: &str) -> Result<usize, String> {
    let expected = || format!("expected an integer from 1 to {MOST_RESTARTS}");
    text.parse().ok().filter(|count| (1..=MOST_RESTARTS).contains(count)).ok_or_else(expected)
}

fn augmentation(text: &str) -> Result<Augmentation, String> {
    let mut changes = Augmentation::default();
    for part in text.split(',').map(str::trim) {
        let size = |text: &str| text.parse::<usize>().ok().filter(|&size| (1..=1 << 12).contains(&size));
        let understood = match part.split_once(':') {
            None if part == "flip" => {
                changes.flip = true;
                Some(())
            }
            Some(("crop", by)) => size(by).map(|by| changes.crop = by),
            Some(("cutout", side)) => size(side).map(|side| changes.cutout = side),
            _ => None,
        };
        understood.ok_or_else(|| format!("`{part}`: expected flip, crop:N or cutout:N with N ≥ 1"))?;
    }
    Ok(changes)
}

impl TrainingArguments {
    /// The first option given.
    pub(crate) fn first(&self) -> Option<&'static str> {
        let named = [
            ("--optimizer", self.optimizer.is_some()),
            ("--learning-rate", self.learning_rate.is_some()),
            ("--schedule", self.schedule.is_some()),
            ("--momentum", self.momentum.is_some()),
            ("--batch-size", self.batch_size.is_some()),
            ("--epochs", self.epochs.is_some()),
            ("--decay", self.decay.is_some()),
            ("--clip", self.clip.is_some()),
            ("--average", self.average.is_some()),
            ("--label-smoothing", self.label_smoothing.is_some()),
            ("--augment", self.augment.is_some()),
            ("--scaling", self.scaling.is_some()),
            ("--restarts", self.restarts.is_some()),
            ("--resume", self.resume.is_some()),
            ("--checkpoint-every", self.checkpoint_every.is_some()),
        ];
        named.into_iter().find_map(|(name, given)| given.then_some(name))
    }

    /// Whether an option is given that lbfgs has no use for.
    fn is_stochastic(&self) -> bool {
        self.learning_rate.is_some()
            || self.schedule.is_some()
            || self.momentum.is_some()
            || self.batch_size.is_some()
            || self.clip.is_some()
            || self.average.is_some()
            || self.augment.is_some()
            || self.decay.is_some()
    }

    /// Whether lbfgs is named.
    pub(crate) fn asks_for_lbfgs(&self) -> bool {
        matches!(self.optimizer, Some(OptimizerName::Lbfgs))
    }

    /// What decides the trajectory; on a card it is never L-BFGS that is chosen.
    pub(crate) fn options(
        &self,
        seed: u64,
        timed: bool,
        card: bool,
        rows: usize,
        network: &DeepArchitecture,
    ) -> TrainingOptions {
        let optimizer = match self.optimizer {
            None if !card && !self.is_stochastic() => Optimizer::usual(rows, network),
            None | Some(OptimizerName::Adamw) => Optimizer::Adamw,
            Some(OptimizerName::Sgd) => Optimizer::Sgd,
            Some(OptimizerName::Muon) => Optimizer::Muon,
            Some(OptimizerName::Lbfgs) => Optimizer::Lbfgs,
        };
        let usual = TrainingOptions::default();
        TrainingOptions {
            optimizer,
            rate: match self.learning_rate {
                None => Some(optimizer.usual_rate()),
                Some(Rate::Given(rate)) => Some(rate),
                Some(Rate::Find) => None,
            },
            schedule: match self.schedule {
                None | Some(ScheduleName::Cosine) => Schedule::Cosine,
                Some(ScheduleName::OneCycle) => Schedule::OneCycle,
                Some(ScheduleName::Constant) => Schedule::Constant,
                Some(ScheduleName::ScheduleFree) => Schedule::ScheduleFree,
            },
            momentum: self.momentum.unwrap_or(usual.momentum),
            batch: self.batch_size.unwrap_or(usual.batch),
            epochs: self.epochs.or((!timed).then_some(match optimizer {
                Optimizer::Lbfgs => USUAL_EVALUATIONS,
                _ => USUAL_EPOCHS,
            })),
            decay: match self.decay {
                None | Some(DecayName::Coupled) => Decay::Coupled,
                Some(DecayName::Decoupled) => Decay::Decoupled,
            },
            clip: self.clip,
            average: self.average.filter(|&factor| factor > 0.0),
            label_smoothing: self.label_smoothing.unwrap_or(0.0),
            augmentation: self.augment.unwrap_or_default(),
            seed,
        }
    }

    /// Whether the columns are scaled.
    pub(crate) fn is_scaled(&self) -> bool {
        self.scaling != Some(ScalingName::None)
    }

    /// Runs.
    pub(crate) fn restarts(&self) -> usize {
        self.restarts.unwrap_or(1)
    }

    /// Time between checkpoints.
    pub(crate) fn checkpoint_every(&self) -> Duration {
        self.checkpoint_every.unwrap_or(Duration::from_secs(30))
    }
}
