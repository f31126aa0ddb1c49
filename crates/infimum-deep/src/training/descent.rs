//! One run of stochastic gradient descent, step by step.

use super::batches::Batches;
use super::device::{Arrays, Model, Part, StepNumbers, Trouble, Worker};
use super::optimizer::share;
use super::options::{Decay, Schedule};
use super::state::{Numbers, State};

/// A run and what it works with.
pub(super) struct Descent<'a> {
    pub(super) batches: Batches<'a>,
    pub(super) numbers: Numbers,
    worker: Box<dyn Worker + 'a>,
    /// Parts that batches are gone through in, because one alone was too large for the device's memory.
    parts: usize,
    /// What is to be told.
    pub(super) note: Option<String>,
    l2: f64,
}

impl<'a> Descent<'a> {
    /// Goes on from `state`, whose arrays fit.
    pub(super) fn new(
        batches: Batches<'a>,
        mut worker: Box<dyn Worker + 'a>,
        state: State,
        l2: f64,
    ) -> Result<Descent<'a>, Trouble> {
        worker.load(&state.arrays)?;
        Ok(Descent { batches, numbers: state.numbers, worker, parts: 1, note: None, l2 })
    }

    /// Everything but the incumbent.
    pub(super) fn state(&self) -> Result<State, Trouble> {
        let (numbers, arrays) = (self.numbers.clone(), self.worker.arrays()?);
        Ok(State { numbers, arrays, doubles: Vec::new(), incumbent: None })
    }

    /// Back to `state`, with another rate.
    pub(super) fn restore(&mut self, state: &State, rate: f64) -> Result<(), Trouble> {
        let rollbacks = self.numbers.rollbacks + 1;
        self.numbers = state.numbers.clone();
        (self.numbers.rate, self.numbers.rollbacks) = (rate, rollbacks);
        self.worker.load(&state.arrays)
    }

    /// The next step at `progress` of the budget; returns the loss of its rows before it. Nothing is changed if that is not finite.
    ///
    /// With coupled decay the gradient is that of the objective, `∇ mean loss + l2 θ`.
    pub(super) fn step(&mut self, progress: f64) -> Result<f64, Trouble> {
        let loss = self.gradient()?;
        if !loss.is_finite() {
            return Ok(loss);
        }
        let numbers = &mut self.numbers;
        let options = &numbers.options;
        let (rate, count) = (numbers.rate * options.schedule.factor(progress), numbers.step + 1);
        let mut weight = numbers.weight;
        let share = if options.schedule == Schedule::ScheduleFree { share(&mut weight, rate) } else { 0.0 };
        let step = StepNumbers {
            count,
            rate,
            coupled: if options.decay == Decay::Coupled { self.l2 } else { 0.0 },
            clip: options.clip,
            share,
            // The average of the first steps alone at first, so that the start has no share in the end.
            keep: options.average.map(|keep| keep.min(1.0 - 1.0 / (count as f64 + 1.0)) as f32),
        };
        if !self.worker.step(&step)? {
            return Ok(f64::NAN);
        }
        (numbers.step, numbers.weight) = (count, weight);
        self.mark(loss, progress)?;
        Ok(loss)
    }

    /// The gradient of the next batch, in as many parts as the memory needs.
    fn gradient(&mut self) -> Result<f64, Trouble> {
        let batch = self.batches.at(self.numbers.step);
        let rows = batch.rows.len();
        loop {
            let parts = self.parts.min(rows.max(1));
            let border = |place: usize| place * rows / parts;
            let sum = (0..parts).try_fold(0.0, |sum, place| {
                let range = border(place)..border(place + 1);
                let (inputs, targets, weights) = batch.rows.part(range.clone());
                let (seed, first, scale) = (batch.seed, range.start, batch.scale);
                let part = Part { inputs, targets, weights, seed, first, whole: rows, scale };
                Ok(sum + self.worker.gradient(&part)?)
            });
            match sum {
                Err(Trouble::OutOfMemory) if parts < rows => {
                    self.parts = 2 * parts;
                    self.note = Some(format!(
                        "the device has not enough memory for {} rows: batches of {rows} are gone through in {} parts, whose gradients are added up (batch normalisation then sees parts)",
                        rows.div_ceil(parts),
                        self.parts.min(rows)
                    ));
                }
                Err(Trouble::OutOfMemory) => {
                    return Err(Trouble::Lost("it has not enough memory for one row of this network".into()));
                }
                other => return other,
            }
        }
    }

    fn mark(&mut self, loss: f64, progress: f64) -> Result<(), Trouble> {
        let numbers = &mut self.numbers;
        numbers.running = (numbers.running.0 + loss, numbers.running.1 + 1);
        if numbers.is_marked() {
            let penalty = 0.5 * self.l2 * self.worker.squares()?;
            let running = numbers.running.0 / numbers.running.1 as f64 + penalty;
            numbers.mark(progress, running);
            numbers.running = (0.0, 0);
        }
        Ok(())
    }

    /// The network that this run would return now.
    pub(super) fn model(&self) -> Result<Model<'_>, Trouble> {
        self.worker.model()
    }

    /// Where the run stands.
    pub(super) fn arrays(&self) -> Result<Arrays, Trouble> {
        self.worker.arrays()
    }
}
