//! One run of stochastic gradient descent, step by step.

use super::batches::Batches;
use super::evaluate::squares;
use super::optimizer::Stepper;
use super::options::Decay;
use super::state::{Numbers, State};

/// A run and what it works with.
pub(super) struct Descent<'a> {
    pub(super) batches: Batches<'a>,
    pub(super) numbers: Numbers,
    pub(super) parameters: Vec<f32>,
    pub(super) buffers: Vec<f32>,
    pub(super) stepper: Stepper,
    pub(super) average: [Vec<f32>; 2],
    l2: f64,
    gradient: Vec<f32>,
}

impl<'a> Descent<'a> {
    /// Goes on from `state`, whose arrays fit; `stepper` is as before the first step.
    pub(super) fn new(batches: Batches<'a>, mut stepper: Stepper, state: State, l2: f64) -> Descent<'a> {
        let State { numbers, parameters, buffers, slots, average, .. } = state;
        if !slots.is_empty() {
            (stepper.slots, stepper.weight) = (slots, numbers.weight);
        }
        let gradient = vec![0.0; parameters.len()];
        Descent { batches, numbers, parameters, buffers, stepper, average, l2, gradient }
    }

    /// Everything but the incumbent.
    pub(super) fn state(&self) -> State {
        let mut numbers = self.numbers.clone();
        numbers.weight = self.stepper.weight;
        State {
            numbers,
            parameters: self.parameters.clone(),
            buffers: self.buffers.clone(),
            slots: self.stepper.slots.clone(),
            doubles: Vec::new(),
            average: self.average.clone(),
            incumbent: None,
        }
    }

    /// Back to `state`, with another rate.
    pub(super) fn restore(&mut self, state: &State, rate: f64) {
        let rollbacks = self.numbers.rollbacks + 1;
        self.numbers = state.numbers.clone();
        (self.numbers.rate, self.numbers.rollbacks) = (rate, rollbacks);
        self.parameters.clone_from(&state.parameters);
        self.buffers.clone_from(&state.buffers);
        self.stepper.slots.clone_from(&state.slots);
        self.stepper.weight = state.numbers.weight;
        self.average.clone_from(&state.average);
    }

    /// The next step at `progress` of the budget; returns the loss of its rows before it. Nothing is changed if that is not finite.
    ///
    /// With coupled decay the gradient is that of the objective, `∇ mean loss + l2 θ`. A gradient longer than `clip` is shortened to it (Pascanu,
    /// Mikolov, Bengio 2013).
    pub(super) fn step(&mut self, progress: f64) -> f64 {
        let loss = self.batches.gradient(self.numbers.step, &self.parameters, &self.buffers, &mut self.gradient);
        if !loss.is_finite() {
            return loss;
        }
        let options = &self.numbers.options;
        if options.decay == Decay::Coupled && self.l2 > 0.0 {
            let l2 = self.l2 as f32;
            self.gradient.iter_mut().zip(&self.parameters).for_each(|(g, &t)| *g += l2 * t);
        }
        if let Some(clip) = options.clip {
            let norm = squares(&self.gradient).sqrt();
            if !norm.is_finite() {
                return f64::NAN;
            }
            if norm > clip {
                let scale = (clip / norm) as f32;
                self.gradient.iter_mut().for_each(|g| *g *= scale);
            }
        }
        let rate = self.numbers.rate * options.schedule.factor(progress);
        self.numbers.step += 1;
        self.stepper.step(&mut self.parameters, &mut self.gradient, rate, self.numbers.step);
        self.batches.update_buffers(&mut self.buffers);
        if let Some(keep) = options.average {
            // The average of the first steps alone at first, so that the start has no share in the end.
            let keep = keep.min(1.0 - 1.0 / (self.numbers.step as f64 + 1.0)) as f32;
            let blend = |average: &mut [f32], values: &[f32]| {
                average.iter_mut().zip(values).for_each(|(a, &v)| *a = keep * *a + (1.0 - keep) * v);
            };
            let [parameters, buffers] = &mut self.average;
            blend(parameters, &self.parameters);
            blend(buffers, &self.buffers);
        }
        self.mark(loss, progress);
        loss
    }

    fn mark(&mut self, loss: f64, progress: f64) {
        let penalty = |parameters: &[f32], l2: f64| 0.5 * l2 * squares(parameters);
        let numbers = &mut self.numbers;
        numbers.running = (numbers.running.0 + loss, numbers.running.1 + 1);
        if numbers.is_marked() {
            let running = numbers.running.0 / numbers.running.1 as f64 + penalty(&self.parameters, self.l2);
            numbers.mark(progress, running);
            numbers.running = (0.0, 0);
        }
    }

    /// The network that this run would return now: the moving average, the average of schedule-free steps, or where it stands.
    pub(super) fn model(&self) -> (&[f32], &[f32]) {
        let [parameters, buffers] = &self.average;
        match (parameters.is_empty(), self.stepper.model()) {
            (false, _) => (parameters, buffers),
            (true, Some(model)) => (model, &self.buffers),
            (true, None) => (&self.parameters, &self.buffers),
        }
    }
}
