//! Optimizers: from gradients to steps.
//!
//! An optimizer owns slots, arrays as long as the parameters; together with the number of the step they are all that it remembers, and what a
//! checkpoint keeps. With [`Schedule::ScheduleFree`] the gradients are taken at `y = (1 − β) z + β x`, z following the optimizer and x averaging z
//! (Defazio et al. 2024, algorithm 1): the parameters given are y, the model is x.

mod elementwise;
mod muon;

use infimum_problem::deep::{Parameter, ParameterKind};

use super::options::{Decay, Optimizer, Schedule, TrainingOptions};
use elementwise::{Adam, momentum_step, schedule_free};
use muon::Matrix;

/// β of schedule-free averaging.
const INTERPOLATION: f32 = 0.9;

/// Optimizer with its slots.
#[derive(Debug, Clone)]
pub(crate) struct Stepper {
    schedule_free: bool,
    momentum: f32,
    /// l2 of the decay that stands beside the step; 0 if the decay is in the gradient.
    decoupled: f32,
    /// Matrices whose momentum is orthogonalised; the other parameters are Adam's.
    matrices: Vec<Matrix>,
    others: Vec<std::ops::Range<usize>>,
    /// What it remembers.
    pub(crate) slots: Vec<Vec<f32>>,
    /// Σ of the squared rates of all steps so far, the weights of the schedule-free average.
    pub(crate) weight: f64,
}

impl Stepper {
    /// Before the first step. `l2` is the decay per example.
    pub(crate) fn new(options: &TrainingOptions, parameters: &[Parameter], start: &[f32], l2: f64) -> Stepper {
        let schedule_free = options.schedule == Schedule::ScheduleFree;
        let last = parameters.iter().rposition(|parameter| parameter.kind == ParameterKind::Weights);
        let is_matrix = |(place, parameter): (usize, &Parameter)| {
            options.optimizer == Optimizer::Muon
                && parameter.kind == ParameterKind::Weights
                && parameter.range.start > 0
                && Some(place) != last
        };
        let (mut matrices, mut others) = (Vec::new(), Vec::new());
        for (place, parameter) in parameters.iter().enumerate() {
            if is_matrix((place, parameter)) {
                matrices.push(Matrix::new(parameter));
            } else {
                others.push(parameter.range.clone());
            }
        }
        let own = match options.optimizer {
            Optimizer::Sgd => 1,
            Optimizer::Adamw | Optimizer::Muon => 2,
            Optimizer::Lbfgs => 0,
        };
        let mut slots = vec![vec![0.0; start.len()]; own];
        if schedule_free {
            slots.extend([start.to_vec(), start.to_vec()]);
        }
        let decoupled = if options.decay == Decay::Decoupled { l2 as f32 } else { 0.0 };
        let momentum = options.momentum as f32;
        Stepper { schedule_free, momentum, decoupled, matrices, others, slots, weight: 0.0 }
    }

    /// One step: `gradient` is that of the objective where `parameters` stand, `count` the number of the step from 1 on.
    pub(crate) fn step(&mut self, parameters: &mut [f32], gradient: &mut [f32], rate: f64, count: u64) {
        let own = self.slots.len() - if self.schedule_free { 2 } else { 0 };
        let (memory, averages) = self.slots.split_at_mut(own);
        let rate_single = rate as f32;
        let target: &mut [f32] = match averages.first_mut() {
            Some(z) => z,
            None => parameters,
        };
        if self.decoupled > 0.0 {
            let keep = 1.0 - rate_single * self.decoupled;
            target.iter_mut().for_each(|value| *value *= keep);
        }
        match memory {
            [momenta] => momentum_step(target, gradient, momenta, self.momentum, rate_single),
            [first, second] => {
                let adam = Adam::at(count, rate, self.schedule_free);
                for range in &self.others {
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
                    matrix.step(&mut target[range], gradient, momenta, self.momentum, rate_single);
                }
            }
            _ => {}
        }
        if let [z, x] = averages {
            self.weight += rate * rate;
            let share = if self.weight > 0.0 { (rate * rate / self.weight) as f32 } else { 1.0 };
            schedule_free(parameters, z, x, share, INTERPOLATION);
        }
    }

    /// The model's parameters, where they are not those that gradients are taken at.
    pub(crate) fn model(&self) -> Option<&[f32]> {
        self.schedule_free.then(|| self.slots[self.slots.len() - 1].as_slice())
    }
}

#[cfg(test)]
mod tests {
    use infimum_problem::deep::{Activation, Architecture, parameters};

    use super::*;

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
                let mut stepper = Stepper::new(&options, &all, &parameters, 0.0);
                // Muon's steps have a length that the gradient does not shorten: averages of them come near only slowly.
                let (largest, near) = if optimizer == Optimizer::Muon { (0.02, 0.2) } else { (0.01, 0.05) };
                let steps = 3000;
                for count in 1..=steps {
                    let mut gradient: Vec<f32> =
                        parameters.iter().zip(&curvature).map(|(t, h)| h * (t - 1.0)).collect();
                    let rate = largest * schedule.factor((count - 1) as f64 / steps as f64);
                    stepper.step(&mut parameters, &mut gradient, rate, count);
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
        let mut stepper = Stepper::new(&options, &all, &values.clone(), 0.5);
        stepper.step(&mut values, &mut [0.0; 3], 0.1, 1);
        assert_eq!(values, [0.95, -1.9, 3.8]);
    }
}
