//! Training: gradient descent for as long as the budget lasts, from checkpoints if need be.

mod again;
mod augment;
mod batches;
mod descent;
mod evaluate;
mod finder;
mod lbfgs;
mod mean;
mod optimizer;
mod options;
mod rows;
mod schedule;
mod state;
mod train;

pub use again::train_again;
pub(crate) use evaluate::objective;
pub use evaluate::{objective_in_doubles, outputs};
pub(crate) use mean::Mean;
pub use options::{Augmentation, Decay, Optimizer, Schedule, TrainingOptions};
pub use rows::{Inputs, Rows};
pub use state::{CheckpointError, Incumbent, Mark};
pub use train::{Setup, Start, TrainingError, TrainingOutcome, train};
