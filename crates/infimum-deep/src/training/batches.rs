//! Which rows make which step.

use super::augment::Augmenter;
use super::rows::{Batch, Rows};
use crate::random::{Stream, key};

/// Streams of one seed.
const ORDER: u64 = 1;
const DROPOUT: u64 = 2;
const AUGMENT: u64 = 3;

/// Steps with their rows. In every epoch each row comes once, in an order that seed and epoch decide; all steps of an epoch have the same number of rows, or one
/// more.
pub(super) struct Batches<'a> {
    rows: &'a Rows<'a>,
    seed: u64,
    steps: u64,
    augmenter: Option<Augmenter>,
    order: (u64, Vec<u32>),
    batch: Batch,
}

/// The rows of a step.
pub(super) struct StepRows<'a> {
    pub(super) rows: &'a Batch,
    /// Decides what dropout leaves out.
    pub(super) seed: u64,
    /// Times the sum of the losses: an estimate of the mean over all rows.
    pub(super) scale: f64,
}

impl<'a> Batches<'a> {
    pub(super) fn new(rows: &'a Rows<'a>, seed: u64, size: usize, augmenter: Option<Augmenter>) -> Batches<'a> {
        // Rounded, so that batches are about as large as asked for; half a batch is not worth a step.
        let steps = ((rows.len() + size / 2) / size.max(1)).max(1) as u64;
        Batches { rows, seed, steps, augmenter, order: (u64::MAX, Vec::new()), batch: Batch::default() }
    }

    /// Steps of an epoch.
    pub(super) fn steps_of_epoch(&self) -> u64 {
        self.steps
    }

    /// The rows of step number `step` (from 0).
    pub(super) fn at(&mut self, step: u64) -> StepRows<'_> {
        let (epoch, place) = (step / self.steps, (step % self.steps) as usize);
        if self.order.0 != epoch {
            self.order = (epoch, Stream::new(key(&[self.seed, ORDER, epoch])).permutation(self.rows.len()));
        }
        let border = |place: usize| place * self.rows.len() / self.steps as usize;
        let which = &self.order.1[border(place)..border(place + 1)];
        self.rows.gather(which, &mut self.batch);
        if let Some(augmenter) = &mut self.augmenter {
            let size = self.batch.inputs.len() / self.batch.len().max(1);
            for (k, image) in self.batch.inputs.chunks_exact_mut(size.max(1)).enumerate() {
                augmenter.change(image, key(&[self.seed, AUGMENT, step, k as u64]));
            }
        }
        let scale = self.rows.len() as f64 / (self.rows.total_weight() * self.batch.len() as f64);
        StepRows { rows: &self.batch, seed: key(&[self.seed, DROPOUT, step]), scale }
    }
}
