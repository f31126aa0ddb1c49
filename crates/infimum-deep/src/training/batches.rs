//! Which rows make which step, and the gradient of a step.

use infimum_problem::Loss;

use super::augment::Augmenter;
use super::rows::{Batch, Rows};
use crate::engine::{Mode, Network, Pass, loss_and_slopes};
use crate::random::{Stream, key};

/// Streams of one seed.
const ORDER: u64 = 1;
const DROPOUT: u64 = 2;
const AUGMENT: u64 = 3;

/// Steps with their rows. In every epoch each row comes once, in an order that seed and epoch decide; all steps of an epoch have the same number of rows, or one
/// more.
pub(super) struct Batches<'a> {
    network: &'a Network,
    rows: &'a Rows<'a>,
    loss: Loss,
    smoothing: f64,
    seed: u64,
    steps: u64,
    augmenter: Option<Augmenter>,
    order: (u64, Vec<u32>),
    batch: Batch,
    pub(super) pass: Pass<f32>,
    slopes: Vec<f32>,
}

impl<'a> Batches<'a> {
    pub(super) fn new(
        network: &'a Network,
        rows: &'a Rows<'a>,
        loss: Loss,
        smoothing: f64,
        seed: u64,
        size: usize,
        augmenter: Option<Augmenter>,
    ) -> Batches<'a> {
        // Rounded, so that batches are about as large as asked for; half a batch is not worth a step.
        let steps = ((rows.len() + size / 2) / size.max(1)).max(1) as u64;
        Batches {
            network,
            rows,
            loss,
            smoothing,
            seed,
            steps,
            augmenter,
            order: (u64::MAX, Vec::new()),
            batch: Batch::default(),
            pass: Pass::new(),
            slopes: Vec::new(),
        }
    }

    /// Steps of an epoch.
    pub(super) fn steps_of_epoch(&self) -> u64 {
        self.steps
    }

    /// Gradient of the mean loss over the rows of step number `step` (from 0), and that loss, as an estimate of the mean over all rows.
    pub(super) fn gradient(&mut self, step: u64, parameters: &[f32], buffers: &[f32], gradient: &mut [f32]) -> f64 {
        let (epoch, place) = (step / self.steps, (step % self.steps) as usize);
        if self.order.0 != epoch {
            self.order = (epoch, Stream::new(key(&[self.seed, ORDER, epoch])).permutation(self.rows.len()));
        }
        let border = |place: usize| place * self.rows.len() / self.steps as usize;
        let which = &self.order.1[border(place)..border(place + 1)];
        self.rows.gather(which, &mut self.batch);
        if let Some(augmenter) = &mut self.augmenter {
            for (k, image) in self.batch.inputs.chunks_exact_mut(self.network.inputs()).enumerate() {
                augmenter.change(image, key(&[self.seed, AUGMENT, step, k as u64]));
            }
        }
        let count = self.batch.len();
        let mode = Mode::Training { seed: key(&[self.seed, DROPOUT, step]) };
        self.network.forward(&mut self.pass, parameters, buffers, &self.batch.inputs, count, mode);
        self.slopes.resize(count * self.network.outputs(), 0.0);
        let (targets, weights) = (self.batch.targets(), &self.batch.weights);
        let sum = loss_and_slopes(self.loss, self.pass.outputs(), targets, weights, self.smoothing, &mut self.slopes);
        let scale = self.rows.len() as f64 / (self.rows.total_weight() * count as f64);
        self.slopes.iter_mut().for_each(|slope| *slope *= scale as f32);
        self.network.backward(&mut self.pass, parameters, &self.slopes, gradient);
        sum * scale
    }

    /// Running values after the last [`Batches::gradient`].
    pub(super) fn update_buffers(&self, buffers: &mut [f32]) {
        self.network.update_buffers(&self.pass, buffers);
    }
}
