//! Optimizers: from gradients to steps.
//!
//! An optimizer owns slots, arrays as long as the parameters; together with the number of the step they are all that it remembers, and what a
//! checkpoint keeps. With [`Schedule::ScheduleFree`] the gradients are taken at `y = (1 − β) z + β x`, z following the optimizer and x averaging z
//! (Defazio et al. 2024, algorithm 1): the parameters given are y, the model is x.

mod elementwise;
mod muon;

use std::ops::Range;

use infimum_problem::deep::{Parameter, ParameterKind};

use super::device::StepNumbers;
use super::options::{Decay, Optimizer, Schedule, TrainingOptions};
pub use elementwise::Adam;
use elementwise::{momentum_step, schedule_free};
use muon::Matrix;
pub use muon::NEWTON_SCHULZ;

/// How often Newton-Schulz is done.
pub const ITERATIONS: usize = muon::ITERATIONS;

/// β of schedule-free averaging.
pub const INTERPOLATION: f32 = 0.9;

/// What decides how an optimizer steps, apart from the numbers of each step; it is the same on every device.
#[derive(Debug, Clone)]
pub struct Rule {
    /// The optimizer.
    pub optimizer: Optimizer,
    /// Whether iterates are averaged: the last two slots are z and x.
    pub schedule_free: bool,
    /// μ of [`Optimizer::Sgd`] and [`Optimizer::Muon`].
    pub momentum: f32,
    /// l2 of the decay that stands beside the step; 0 if the decay is in the gradient.
    pub decoupled: f32,
    /// All parameters in order.
    pub pieces: Vec<Piece>,
}

/// Some consecutive parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Which.
    pub range: Range<usize>,
    /// Rows and columns of a matrix whose momentum is orthogonalised; `None` where each parameter is stepped by itself.
    pub matrix: Option<[usize; 2]>,
}

impl Rule {
    /// `l2` is the decay per example.
    pub fn new(options: &TrainingOptions, parameters: &[Parameter], l2: f64) -> Rule {
        let last = parameters.iter().rposition(|parameter| parameter.kind == ParameterKind::Weights);
        let is_matrix = |(place, parameter): (usize, &Parameter)| {
            options.optimizer == Optimizer::Muon
                && parameter.kind == ParameterKind::Weights
                && parameter.range.start > 0
                && Some(place) != last
        };
        let mut pieces: Vec<Piece> = Vec::new();
        for (place, parameter) in parameters.iter().enumerate() {
            let range = parameter.range.clone();
            if is_matrix((place, parameter)) {
                // The weights of a linear map: outputs × all that one output is a sum over.
                let rows = parameter.shape[0];
                pieces.push(Piece { matrix: Some([rows, range.len() / rows.max(1)]), range });
            } else if let Some(piece) = pieces.last_mut().filter(|piece| piece.matrix.is_none()) {
                piece.range.end = range.end;
            } else {
                pieces.push(Piece { range, matrix: None });
            }
        }
        Rule {
            optimizer: options.optimizer,
            schedule_free: options.schedule == Schedule::ScheduleFree,
            momentum: options.momentum as f32,
            decoupled: if options.decay == Decay::Decoupled { l2 as f32 } else { 0.0 },
            pieces,
        }
    }

    /// How many slots are the optimizer's own: the momentum, or Adam's two moments (of a matrix the momentum and nothing).
    pub fn own_slots(&self) -> usize {
        match self.optimizer {
            Optimizer::Sgd => 1,
            Optimizer::Adamw | Optimizer::Muon => 2,
            Optimizer::Lbfgs => 0,
        }
    }

    /// The slots before the first step from θ = `start`.
    pub fn first_slots(&self, start: &[f32]) -> Vec<Vec<f32>> {
        let mut slots = vec![vec![0.0; start.len()]; self.own_slots()];
        if self.schedule_free {
            slots.extend([start.to_vec(), start.to_vec()]);
        }
        slots
    }
}

/// Share of a step with this rate in the schedule-free average; `weight` is the sum of the squared rates of all steps, the weights of that average.
pub(super) fn share(weight: &mut f64, rate: f64) -> f32 {
    *weight += rate * rate;
    if *weight > 0.0 { (rate * rate / *weight) as f32 } else { 1.0 }
}

/// Optimizer with its slots.
#[derive(Debug, Clone)]
pub(super) struct Stepper {
    rule: Rule,
    matrices: Vec<Matrix>,
    /// What it remembers.
    pub(super) slots: Vec<Vec<f32>>,
}

impl Stepper {
    /// Without slots yet.
    pub(super) fn new(rule: Rule) -> Stepper {
        let matrix = |piece: &Piece| piece.matrix.map(|sides| Matrix::new(piece.range.clone(), sides));
        let matrices = rule.pieces.iter().filter_map(matrix).collect();
        Stepper { rule, matrices, slots: Vec::new() }
    }

    /// One step: `gradient` is that of the objective where `parameters` stand.
    pub(super) fn step(&mut self, parameters: &mut [f32], gradient: &mut [f32], numbers: &StepNumbers) {
        let (memory, averages) = self.slots.split_at_mut(self.rule.own_slots());
        let rate = numbers.rate as f32;
        let target: &mut [f32] = match averages.first_mut() {
            Some(z) => z,
            None => parameters,
        };
        if self.rule.decoupled > 0.0 {
            let keep = 1.0 - rate * self.rule.decoupled;
            target.iter_mut().for_each(|value| *value *= keep);
        }
        match memory {
            [momenta] => momentum_step(target, gradient, momenta, self.rule.momentum, rate),
            [first, second] => {
                let adam = Adam::at(numbers.count, numbers.rate, self.rule.schedule_free);
                for Piece { range, .. } in self.rule.pieces.iter().filter(|piece| piece.matrix.is_none()) {
                    let range = range.clone();
                    adam.step(
                        &mut target[range.clone()],
                        &gradient[range.clone()],
                        &mut first[range.clone()],
                        &mut second[range],
                    );
                }
                for matrix in &mut self.matrices {
                    let range = matrix.range.clone();
                    let (gradient, momenta) = (&gradient[range.clone()], &mut first[range.clone()]);
                    matrix.step(&mut target[range], gradient, momenta, self.rule.momentum, rate);
                }
            }
            _ => {}
        }
        if let [z, x] = averages {
            schedule_free(parameters, z, x, numbers.share, INTERPOLATION);
        }
    }

    /// The model's parameters, where they are not those that gradients are taken at.
    pub(super) fn model(&self) -> Option<&[f32]> {
        self.rule.schedule_free.then(|| self.slots[self.slots.len() - 1].as_slice())
    }
}

#[cfg(test)]
mod tests {
    use infimum_problem::deep::{Activation, Architecture, parameters};

    use super::*;

    fn numbers(count: u64, rate: f64, share: f32) -> StepNumbers {
        StepNumbers { count, rate, coupled: 0.0, clip: None, share, keep: None }
    }

    /// `½ Σ h_j (θ_j − 1)²`: every optimizer finds the ones.
    #[test]
    fn quadratics_are_minimised() {
        let architecture = Architecture::dense(3, &[4, 5], 2, Activation::Relu, true, true);
        let all = parameters(&architecture).unwrap();
        let n = all.last().unwrap().range.end;
        let curvature: Vec<f32> = (0..n).map(|j| 0.5 + (j % 7) as f32 / 3.0).collect();
        for optimizer in [Optimizer::Sgd, Optimizer::Adamw, Optimizer::Muon] {
            for schedule in Schedule::ALL {
                let options = TrainingOptions { optimizer, schedule, ..TrainingOptions::default() };
                let mut parameters = vec![0.0f32; n];
                let (mut stepper, mut weight) = (Stepper::new(Rule::new(&options, &all, 0.0)), 0.0);
                stepper.slots = stepper.rule.first_slots(&parameters);
                // Muon's steps have a length that the gradient does not shorten: averages of them come near only slowly.
                let (largest, near) = if optimizer == Optimizer::Muon { (0.02, 0.2) } else { (0.01, 0.05) };
                let steps = 3000;
                for count in 1..=steps {
                    let mut gradient: Vec<f32> =
                        parameters.iter().zip(&curvature).map(|(t, h)| h * (t - 1.0)).collect();
                    let rate = largest * schedule.factor((count - 1) as f64 / steps as f64);
                    stepper.step(&mut parameters, &mut gradient, &numbers(count, rate, share(&mut weight, rate)));
                }
                let model = stepper.model().unwrap_or(&parameters);
                let error = model.iter().map(|t| (t - 1.0).abs()).fold(0.0, f32::max);
                assert!(error < near, "{optimizer:?} {schedule:?}: {error}");
            }
        }
    }

    #[test]
    fn decoupled_decay_shrinks_without_gradient() {
        let architecture = Architecture::dense(2, &[], 1, Activation::Relu, true, true);
        let all = parameters(&architecture).unwrap();
        let options =
            TrainingOptions { decay: Decay::Decoupled, optimizer: Optimizer::Sgd, ..TrainingOptions::default() };
        let mut values = vec![1.0, -2.0, 4.0];
        let mut stepper = Stepper::new(Rule::new(&options, &all, 0.5));
        stepper.slots = stepper.rule.first_slots(&values);
        stepper.step(&mut values, &mut [0.0; 3], &numbers(1, 0.1, 1.0));
        assert_eq!(values, [0.95, -1.9, 3.8]);
    }
}
