//! Training: gradient descent for as long as the budget lasts, from checkpoints if need be.

mod again;
mod augment;
mod batches;
mod descent;
mod device;
mod evaluate;
mod finder;
mod lbfgs;
mod mean;
mod optimizer;
mod options;
mod processor;
mod rows;
mod schedule;
mod state;
mod train;

pub use again::train_again;
pub use device::{Arrays, Device, Model, Part, StepNumbers, Task, Trouble, Worker};
pub(crate) use evaluate::objective;
pub use evaluate::{objective_in_doubles, outputs};
pub(crate) use mean::Mean;
pub use optimizer::{Adam, INTERPOLATION, ITERATIONS, NEWTON_SCHULZ, Piece, Rule};
pub use options::{Augmentation, Decay, Optimizer, Schedule, TrainingOptions};
pub use processor::Processor;
pub use rows::{Inputs, Rows};
pub use state::{CheckpointError, Incumbent, Mark};
pub use train::{Setup, Start, TrainingError, TrainingOutcome, train};
