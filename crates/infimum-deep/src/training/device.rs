//! Where the steps of gradient descent are computed: on the processor (`processor.rs`), or where another crate does it.
//!
//! A run (`descent.rs`) chooses rows, rates and what happens to a loss that is not finite; a [`Worker`] holds θ and everything that is as long as θ, and does with it what
//! one step consists of. The arrays come to the host only where the run asks for them: for checkpoints, and for evaluations over all rows.

use std::borrow::Cow;

use infimum_problem::Loss;

use super::optimizer::Rule;
use crate::engine::{Network, Targets};

/// A place where networks are trained.
pub trait Device: Sync {
    /// Its name, for the log.
    fn name(&self) -> String;

    /// Whether several runs go faster side by side than one after another.
    fn side_by_side(&self) -> bool;

    /// Someone who does the steps of one run; he has no arrays yet.
    fn worker<'a>(&self, task: &Task<'a>) -> Result<Box<dyn Worker + 'a>, Trouble>;
}

/// What stays the same during a run.
#[derive(Debug, Clone)]
pub struct Task<'a> {
    /// The network.
    pub network: &'a Network,
    /// The loss.
    pub loss: Loss,
    /// Label smoothing.
    pub smoothing: f64,
    /// How the optimizer steps.
    pub rule: Rule,
}

/// The arrays of a run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Arrays {
    /// θ.
    pub parameters: Vec<f32>,
    /// Running values of batch normalisations.
    pub buffers: Vec<f32>,
    /// What the optimizer remembers, each as long as θ (`optimizer/mod.rs`).
    pub slots: Vec<Vec<f32>>,
    /// Moving averages of θ and of the running values, or empty.
    pub average: [Vec<f32>; 2],
}

/// θ and running values.
pub type Model<'a> = (Cow<'a, [f32]>, Cow<'a, [f32]>);

/// Rows whose gradient is wanted: a batch, or a part of one.
#[derive(Debug, Clone, Copy)]
pub struct Part<'a> {
    /// Examples × inputs, after scaling.
    pub inputs: &'a [f32],
    /// What is to be predicted.
    pub targets: Targets<'a>,
    /// c_i.
    pub weights: &'a [f64],
    /// Decides what dropout leaves out.
    pub seed: u64,
    /// Place of the part's first row in its batch; 0 begins a new gradient, other parts are added to it.
    pub first: usize,
    /// Rows of the whole batch.
    pub whole: usize,
    /// What the sum of the losses is multiplied by.
    pub scale: f64,
}

/// The numbers of one step.
#[derive(Debug, Clone, Copy)]
pub struct StepNumbers {
    /// Its number, from 1 on.
    pub count: u64,
    /// The rate.
    pub rate: f64,
    /// l2 of a decay that is part of the gradient, else 0.
    pub coupled: f64,
    /// Largest norm of the gradient.
    pub clip: Option<f64>,
    /// Share of this step in the average of schedule-free iterates.
    pub share: f32,
    /// Factor of the moving average, if there is one.
    pub keep: Option<f32>,
}

/// Someone who does the steps of one run.
pub trait Worker {
    /// Goes on from these arrays.
    fn load(&mut self, arrays: &Arrays) -> Result<(), Trouble>;

    /// Where he stands.
    fn arrays(&self) -> Result<Arrays, Trouble>;

    /// Computes `scale Σ_i c_i loss(y_i, f_θ(x_i))` over the part, returns it, and keeps its gradient, added to that of the batch's parts before. Running values of batch
    /// normalisations become, at the next [`Worker::step`], the mean of those after each part. After an error the whole gradient must be asked for anew.
    fn gradient(&mut self, part: &Part) -> Result<f64, Trouble>;

    /// One step along the gradient kept: `g + coupled·θ`, shortened to `clip` (Pascanu, Mikolov, Bengio 2013), goes to the optimizer; then the running values and the
    /// moving averages `a ← keep·a + (1 − keep)·θ`. Returns false, and changes nothing, if the gradient's norm is asked for and not finite.
    fn step(&mut self, numbers: &StepNumbers) -> Result<bool, Trouble>;

    /// `‖θ‖²`.
    fn squares(&self) -> Result<f64, Trouble>;

    /// The network that the run would return now, θ and running values: the moving average, the average of schedule-free iterates, or where he stands.
    fn model(&self) -> Result<Model<'_>, Trouble>;
}

/// Why a device could not do what it was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// There is not enough memory for so many rows.
    #[error("out of memory")]
    OutOfMemory,
    /// It is of no use any more.
    #[error("{0}")]
    Lost(String),
}
