//! Steps on the processor, in the same order of operations for every number of threads.

use super::device::{Arrays, Device, Model, Part, StepNumbers, Task, Trouble, Worker};
use super::evaluate::squares;
use super::optimizer::Stepper;
use crate::engine::{Mode, Pass, loss_and_slopes};

/// The processor.
#[derive(Debug, Clone, Copy, Default)]
pub struct Processor;

impl Device for Processor {
    fn name(&self) -> String {
        "the processor".into()
    }

    fn side_by_side(&self) -> bool {
        true
    }

    fn worker<'a>(&self, task: &Task<'a>) -> Result<Box<dyn Worker + 'a>, Trouble> {
        Ok(Box::new(OnProcessor {
            stepper: Stepper::new(task.rule.clone()),
            task: task.clone(),
            parameters: Vec::new(),
            buffers: Vec::new(),
            average: [Vec::new(), Vec::new()],
            gradient: Vec::new(),
            of_part: Vec::new(),
            next_buffers: Vec::new(),
            pass: Pass::new(),
            slopes: Vec::new(),
        }))
    }
}

struct OnProcessor<'a> {
    task: Task<'a>,
    parameters: Vec<f32>,
    buffers: Vec<f32>,
    stepper: Stepper,
    average: [Vec<f32>; 2],
    gradient: Vec<f32>,
    of_part: Vec<f32>,
    next_buffers: Vec<f32>,
    pass: Pass<f32>,
    slopes: Vec<f32>,
}

impl OnProcessor<'_> {
    fn add_buffers(&mut self, part: &Part) {
        let mut updated = self.buffers.clone();
        self.task.network.update_buffers(&self.pass, &mut updated);
        if part.weights.len() == part.whole {
            self.next_buffers = updated;
            return;
        }
        if part.first == 0 {
            self.next_buffers = vec![0.0; updated.len()];
        }
        let share = part.weights.len() as f32 / part.whole as f32;
        self.next_buffers.iter_mut().zip(&updated).for_each(|(sum, value)| *sum += share * value);
    }
}

impl Worker for OnProcessor<'_> {
    fn load(&mut self, arrays: &Arrays) -> Result<(), Trouble> {
        self.parameters.clone_from(&arrays.parameters);
        self.buffers.clone_from(&arrays.buffers);
        self.stepper.slots.clone_from(&arrays.slots);
        self.average.clone_from(&arrays.average);
        self.gradient.resize(self.parameters.len(), 0.0);
        self.next_buffers.clone_from(&self.buffers);
        Ok(())
    }

    fn arrays(&self) -> Result<Arrays, Trouble> {
        Ok(Arrays {
            parameters: self.parameters.clone(),
            buffers: self.buffers.clone(),
            slots: self.stepper.slots.clone(),
            average: self.average.clone(),
        })
    }

    fn gradient(&mut self, part: &Part) -> Result<f64, Trouble> {
        let (network, count) = (self.task.network, part.weights.len());
        let mode = Mode::Training { seed: part.seed, first: part.first };
        network.forward(&mut self.pass, &self.parameters, &self.buffers, part.inputs, count, mode);
        self.slopes.resize(count * network.outputs(), 0.0);
        let Task { loss, smoothing, .. } = self.task;
        let outputs = self.pass.outputs();
        let sum = loss_and_slopes(loss, outputs, part.targets, part.weights, smoothing, &mut self.slopes);
        self.slopes.iter_mut().for_each(|slope| *slope *= part.scale as f32);
        if part.first == 0 {
            network.backward(&mut self.pass, &self.parameters, &self.slopes, &mut self.gradient);
        } else {
            self.of_part.resize(self.gradient.len(), 0.0);
            network.backward(&mut self.pass, &self.parameters, &self.slopes, &mut self.of_part);
            self.gradient.iter_mut().zip(&self.of_part).for_each(|(sum, value)| *sum += value);
        }
        self.add_buffers(part);
        Ok(sum * part.scale)
    }

    fn step(&mut self, numbers: &StepNumbers) -> Result<bool, Trouble> {
        if numbers.coupled > 0.0 {
            let l2 = numbers.coupled as f32;
            self.gradient.iter_mut().zip(&self.parameters).for_each(|(g, &t)| *g += l2 * t);
        }
        if let Some(clip) = numbers.clip {
            let norm = squares(&self.gradient).sqrt();
            if !norm.is_finite() {
                return Ok(false);
            }
            if norm > clip {
                let scale = (clip / norm) as f32;
                self.gradient.iter_mut().for_each(|g| *g *= scale);
            }
        }
        self.stepper.step(&mut self.parameters, &mut self.gradient, numbers);
        self.buffers.clone_from(&self.next_buffers);
        if let Some(keep) = numbers.keep {
            let blend = |average: &mut [f32], values: &[f32]| {
                average.iter_mut().zip(values).for_each(|(a, &v)| *a = keep * *a + (1.0 - keep) * v);
            };
            let [parameters, buffers] = &mut self.average;
            blend(parameters, &self.parameters);
            blend(buffers, &self.buffers);
        }
        Ok(true)
    }

    fn squares(&self) -> Result<f64, Trouble> {
        Ok(squares(&self.parameters))
    }

    fn model(&self) -> Result<Model<'_>, Trouble> {
        let [parameters, buffers] = &self.average;
        let (parameters, buffers) = match (parameters.is_empty(), self.stepper.model()) {
            (false, _) => (parameters.as_slice(), buffers),
            (true, Some(model)) => (model, &self.buffers),
            (true, None) => (self.parameters.as_slice(), &self.buffers),
        };
        Ok((parameters.into(), buffers.into()))
    }
}
