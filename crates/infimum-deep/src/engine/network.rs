//! Networks: outputs, gradients, first parameters.

use infimum_problem::deep::{Architecture, Parameter, buffers, parameters};

use super::operations::{self, Context, Operation};
use super::pass::{Parts, Pass};
use super::plan::{Plan, SlopePlace, Stage, Step};
use super::pool::{OrderedSum, for_each_part};
use super::{Mode, Real};

/// A network: an architecture made ready for computing. It holds no numbers; parameters and running values are the caller's, in the order of
/// [`infimum_problem::deep::parameters`] and [`infimum_problem::deep::buffers`].
#[derive(Debug, Clone)]
pub struct Network {
    architecture: Architecture,
    parameters: Vec<Parameter>,
    buffers: Vec<Parameter>,
    plan: Plan,
}

impl Network {
    /// The network of an architecture; the error says which layer does not fit.
    pub fn new(architecture: &Architecture) -> Result<Network, String> {
        Ok(Network {
            architecture: architecture.clone(),
            parameters: parameters(architecture)?,
            buffers: buffers(architecture)?,
            plan: Plan::new(architecture)?,
        })
    }

    /// What it was made from.
    pub fn architecture(&self) -> &Architecture {
        &self.architecture
    }

    /// Numbers that it reads per example.
    pub fn inputs(&self) -> usize {
        self.plan.values[0].size
    }

    /// Numbers that it gives per example.
    pub fn outputs(&self) -> usize {
        self.plan.values[self.plan.output()].size
    }

    /// Its arrays of parameters.
    pub fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    /// How many parameters it has.
    pub fn parameter_count(&self) -> usize {
        self.parameters.last().map_or(0, |last| last.range.end)
    }

    /// How many running values it has.
    pub fn buffer_count(&self) -> usize {
        self.buffers.last().map_or(0, |last| last.range.end)
    }

    /// Whether an embedding reads the inputs, so that not every number means something.
    pub fn embeds_inputs(&self) -> bool {
        self.plan.steps.iter().any(|step| step.source == 0 && matches!(step.operation, Operation::Embedding(_)))
    }

    /// Whether embeddings find a row for each number of the inputs of examples from number `first` (from 0) on; the error names the first that means none. (In a pass it gives NaN.)
    pub fn check_inputs<R: Real>(&self, first: usize, inputs: &[R]) -> Result<(), String> {
        let reads_inputs = |step: &&Step| step.source == 0;
        for step in self.plan.steps.iter().filter(reads_inputs) {
            if let Operation::Embedding(embedding) = &step.operation
                && let Some(place) = inputs.iter().position(|&number| embedding.row(number).is_none())
            {
                return Err(format!(
                    "example {}, input {}: expected a whole number from 0 to {}, got {}",
                    first + place / self.inputs() + 1,
                    place % self.inputs() + 1,
                    embedding.vocabulary - 1,
                    inputs[place].to_f64()
                ));
            }
        }
        Ok(())
    }

    /// Computes the outputs of `examples` examples, `inputs` being examples × inputs after the scaling; they and all values between stand in `pass`.
    pub fn forward<R: Real>(
        &self,
        pass: &mut Pass<R>,
        parameters: &[R],
        buffers: &[R],
        inputs: &[R],
        examples: usize,
        mode: Mode,
    ) {
        assert_eq!(parameters.len(), self.parameter_count(), "number of parameters");
        assert_eq!(buffers.len(), self.buffer_count(), "number of running values");
        assert_eq!(inputs.len(), examples * self.inputs(), "number of inputs");
        pass.prepare(&self.plan, examples, mode);
        pass.values[0][..inputs.len()].copy_from_slice(inputs);
        for stage in &self.plan.stages {
            let steps = &self.plan.steps[stage.steps.clone()];
            for (step, prepared) in steps.iter().zip(&mut pass.prepared[stage.steps.clone()]) {
                step.operation.prepare(&parameters[step.parameters.clone()], prepared);
            }
            let parts = Parts::new(&self.plan, stage, examples, &mut pass.values, &mut [], &mut pass.kept);
            let (prepared, pool) = (&pass.prepared[stage.steps.clone()], &pass.pool);
            for_each_part(stage.parts(examples), |place| {
                let mut part = parts.take(place);
                for (place, step) in steps.iter().enumerate() {
                    let context = Context {
                        parameters: &parameters[step.parameters.clone()],
                        buffers: &buffers[step.buffers.clone()],
                        prepared: &prepared[place],
                        mode,
                        pool,
                    };
                    operations::forward(step, place, &mut part, context);
                }
            });
        }
    }

    /// After `forward` with the same parameters: overwrites `gradient` with the slopes of an objective by all parameters, `slopes` being those by the outputs. After a pass
    /// for prediction the running values count as constants. One forward pass serves one backward pass or more.
    pub fn backward<R: Real>(&self, pass: &mut Pass<R>, parameters: &[R], slopes: &[R], gradient: &mut [R]) {
        assert_eq!(parameters.len(), self.parameter_count(), "number of parameters");
        assert_eq!(gradient.len(), self.parameter_count(), "length of the gradient");
        assert_eq!(slopes.len(), pass.examples * self.outputs(), "number of slopes");
        pass.prepare_slopes(&self.plan);
        if let SlopePlace::Slot(slot) = self.plan.values[self.plan.output()].slope {
            pass.slopes[slot][..slopes.len()].copy_from_slice(slopes);
        }
        for stage in self.plan.stages.iter().rev() {
            let steps = &self.plan.steps[stage.steps.clone()];
            if steps.iter().any(|step| self.plan.is_trained(step.target)) {
                let range = steps[0].parameters.start..steps[steps.len() - 1].parameters.end;
                self.backward_stage(stage, pass, parameters, &mut gradient[range]);
            }
        }
    }

    fn backward_stage<R: Real>(&self, stage: &Stage, pass: &mut Pass<R>, parameters: &[R], gradient: &mut [R]) {
        let (plan, examples, mode) = (&self.plan, pass.examples, pass.mode);
        let steps = &plan.steps[stage.steps.clone()];
        let start = steps[0].parameters.start;
        let count = stage.parts(examples);
        let parts = Parts::new(plan, stage, examples, &mut pass.values, &mut pass.slopes, &mut pass.kept);
        let (prepared, pool) = (&pass.prepared[stage.steps.clone()], &pass.pool);
        let go = |place: usize, gradient: &mut [R]| {
            let mut part = parts.take(place);
            let examples = part.examples;
            let mut memory = pool.take(stage.inside * examples);
            let mut inside = &mut memory[..];
            for &value in &stage.touched {
                if plan.values[value].slope == SlopePlace::Inside {
                    let (own, rest) = inside.split_at_mut(plan.values[value].size * examples);
                    part.slopes[value] = own;
                    inside = rest;
                }
            }
            for (place, step) in steps.iter().enumerate().rev().filter(|(_, step)| plan.is_trained(step.target)) {
                let context = Context {
                    parameters: &parameters[step.parameters.clone()],
                    buffers: &[],
                    prepared: &prepared[place],
                    mode,
                    pool,
                };
                let own = step.parameters.start - start..step.parameters.end - start;
                operations::backward(step, place, &mut part, context, &mut gradient[own]);
            }
            drop(part);
            pool.give(memory);
        };
        if stage.whole {
            go(0, gradient);
        } else if gradient.is_empty() {
            for_each_part(count, |place| go(place, &mut []));
        } else {
            let length = gradient.len();
            let sum = OrderedSum::new(gradient, count);
            for_each_part(count, |place| {
                let mut own = pool.take(length);
                own[..length].fill(R::ZERO);
                go(place, &mut own[..length]);
                sum.add(place, own, pool);
            });
        }
    }

    /// After a training pass: the running values of batch normalisations.
    pub fn update_buffers<R: Real>(&self, pass: &Pass<R>, buffers: &mut [R]) {
        assert_eq!(buffers.len(), self.buffer_count(), "number of running values");
        for (step, kept) in self.plan.steps.iter().zip(&pass.kept) {
            if let Operation::BatchNormalization(normalization) = &step.operation {
                normalization.update(kept, pass.examples, &mut buffers[step.buffers.clone()]);
            }
        }
    }

    /// What the dropout layers multiply by in a pass of this mode, examples × numbers of each, in the order of the layers (of a residual block its body's, then its
    /// shortcut's).
    pub fn dropout_factors(&self, examples: usize, mode: Mode) -> Vec<Vec<f32>> {
        let dropouts = self.plan.steps.iter().filter_map(|step| match &step.operation {
            Operation::Dropout(dropout) => Some((dropout, self.plan.values[step.target].size)),
            _ => None,
        });
        let factors = |(dropout, size): (&operations::Dropout, usize)| {
            let mut factors = vec![1.0; examples * size];
            dropout.change(&mut factors, 0, examples, mode);
            factors
        };
        dropouts.map(factors).collect()
    }

    /// First parameters and running values: weights normal with mean 0 and variance 2/fan_in where the next function is like relu (He et al. 2015), else 1/fan_in (LeCun et al.
    /// 1998); tables standard normal; gains and running variances 1; all others 0.
    pub fn initial<R: Real>(&self, seed: u64) -> (Vec<R>, Vec<R>) {
        super::initial::numbers(&self.architecture, &self.parameters, &self.buffers, seed)
    }
}
