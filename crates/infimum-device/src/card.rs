//! Steps on a card: what [`infimum_deep::training::Worker`] asks for, for any of Burn's back ends.

use burn_autodiff::Autodiff;
use burn_tensor::backend::Backend;
use burn_tensor::{Tensor, TensorData};
use infimum_deep::engine::{Mode, loss_and_slopes};
use infimum_deep::training::{Arrays, Device, Model, Part, StepNumbers, Task, Trouble, Worker};

use crate::forward::Forward;
use crate::half::Half;
use crate::optimizer::{self, Numbers};
use crate::reading::{guarded, read};

/// A card of one of Burn's back ends.
#[derive(Debug, Clone)]
pub(crate) struct Card<B: Backend> {
    pub(crate) name: String,
    pub(crate) device: B::Device,
    pub(crate) half: Half,
}

impl<B: Backend> Device for Card<B>
where
    B::Device: Sync,
{
    fn name(&self) -> String {
        match self.half {
            Half::No => self.name.clone(),
            Half::F16 => format!("{}, products in f16", self.name),
            Half::Bf16 => format!("{}, products in bf16", self.name),
        }
    }

    /// One run fills a card, and its memory.
    fn side_by_side(&self) -> bool {
        false
    }

    fn worker<'a>(&self, task: &Task<'a>) -> Result<Box<dyn Worker + 'a>, Trouble> {
        Ok(Box::new(self.on_card(task)?))
    }
}

impl<B: Backend> Card<B> {
    pub(crate) fn on_card<'a>(&self, task: &Task<'a>) -> Result<OnCard<'a, B>, Trouble> {
        let device = self.device.clone();
        let parameters = guarded(|| Ok(Tensor::zeros([1], &device)))?;
        Ok(OnCard {
            task: task.clone(),
            device,
            half: self.half,
            slope_size: LARGEST_SLOPE,
            parameters,
            buffers: None,
            slots: Vec::new(),
            average: None,
            gradient: None,
            next_buffers: None,
        })
    }
}

/// In f16, which has no numbers below 6e-8 and none above 65504, slopes go back through the layers multiplied by a power of two that makes the largest about as large as
/// this; half of it as often as something on the way is not finite, down to the second.
const LARGEST_SLOPE: f32 = 16.0;
const SMALLEST_SLOPE: f32 = 1e-3;

/// A run on a card.
pub(crate) struct OnCard<'a, B: Backend> {
    task: Task<'a>,
    device: B::Device,
    half: Half,
    slope_size: f32,
    parameters: Numbers<B>,
    /// Running values, where there are any.
    buffers: Option<Numbers<B>>,
    slots: Vec<Numbers<B>>,
    average: Option<(Numbers<B>, Option<Numbers<B>>)>,
    gradient: Option<Numbers<B>>,
    next_buffers: Option<Numbers<B>>,
}

/// What comes out of a forward pass.
pub(crate) struct Outputs<B: Backend> {
    pub(crate) outputs: Tensor<Autodiff<B>, 2>,
    leaves: Vec<Tensor<Autodiff<B>, 1>>,
    next_buffers: Option<Numbers<B>>,
}

/// What comes out of a pass there and back.
struct Passed<B: Backend> {
    loss: f64,
    gradient: Option<Numbers<B>>,
    next_buffers: Option<Numbers<B>>,
}

impl<B: Backend> OnCard<'_, B> {
    fn upload(&self, values: &[f32]) -> Numbers<B> {
        Tensor::from_data(TensorData::new(values.to_vec(), [values.len()]), &self.device)
    }

    fn upload_some(&self, values: &[f32]) -> Option<Numbers<B>> {
        (!values.is_empty()).then(|| self.upload(values))
    }

    /// Outputs, the parameters that they are differentiated by, and running values after the part.
    pub(crate) fn forward(&self, part: &Part) -> Result<Outputs<B>, Trouble> {
        let (network, count) = (self.task.network, part.weights.len());
        let mode = Mode::Training { seed: part.seed, first: part.first };
        let whole = network.parameters().len() == 1;
        let leaf = |range: std::ops::Range<usize>| {
            let own = if whole { self.parameters.clone() } else { self.parameters.clone().slice([range]) };
            Tensor::<Autodiff<B>, 1>::from_inner(own).require_grad()
        };
        let leaves: Vec<_> = network.parameters().iter().map(|parameter| leaf(parameter.range.clone())).collect();
        let inputs = TensorData::new(part.inputs.to_vec(), [count, network.inputs()]);
        let mut forward = Forward::<Autodiff<B>> {
            parameters: leaves.clone().into_iter(),
            buffers: self.buffers.clone().map(Tensor::from_inner),
            buffers_used: 0,
            factors: network.dropout_factors(count, mode).into_iter(),
            half: self.half,
            device: &self.device,
            next_buffers: Vec::new(),
        };
        let architecture = network.architecture();
        let inputs = Tensor::from_data(inputs, &self.device);
        let outputs = forward.layers(&architecture.layers, &mut architecture.input.clone(), inputs);
        let outputs = outputs.map_err(Trouble::Lost)?;
        let next_buffers = forward.next_buffers;
        let next_buffers = (!next_buffers.is_empty()).then(|| Tensor::cat(next_buffers, 0).inner());
        Ok(Outputs { outputs, leaves, next_buffers })
    }

    /// Loss, gradient and running values after the part; no gradient where the loss is not finite.
    fn pass(&mut self, part: &Part) -> Result<Passed<B>, Trouble> {
        let Outputs { outputs, leaves, next_buffers } = self.forward(part)?;
        let values = read(outputs.clone().inner())?;
        let mut slopes = vec![0.0f32; values.len()];
        let Task { loss, smoothing, .. } = self.task;
        let sum = part.scale * loss_and_slopes(loss, &values, part.targets, part.weights, smoothing, &mut slopes);
        if !sum.is_finite() {
            return Ok(Passed { loss: sum, gradient: None, next_buffers: None });
        }
        let gradient = self.back(outputs, &leaves, &slopes, part.scale)?;
        Ok(Passed { loss: sum, gradient: Some(gradient), next_buffers })
    }

    /// `Σ_leaves ∂/∂leaf Σ slopes·outputs`, one array after another.
    fn back(
        &mut self,
        outputs: Tensor<Autodiff<B>, 2>,
        leaves: &[Tensor<Autodiff<B>, 1>],
        slopes: &[f32],
        scale: f64,
    ) -> Result<Numbers<B>, Trouble> {
        let (shape, scale) = (outputs.dims(), scale as f32);
        let largest = slopes.iter().fold(0.0f32, |largest, slope| largest.max((slope * scale).abs()));
        loop {
            let factor = if self.half == Half::F16 && largest > 0.0 {
                (self.slope_size / largest).clamp(f32::MIN_POSITIVE, 1e30).log2().floor().exp2()
            } else {
                1.0
            };
            let scaled: Vec<f32> = slopes.iter().map(|slope| slope * scale * factor).collect();
            let scaled = Tensor::from_data(TensorData::new(scaled, shape), &self.device);
            let mut gradients = (outputs.clone() * scaled).sum().backward();
            let own = leaves.iter().map(|leaf| {
                leaf.grad_remove(&mut gradients).unwrap_or_else(|| Tensor::zeros(leaf.dims(), &self.device))
            });
            let gradient = Tensor::cat(own.collect(), 0);
            if self.half != Half::F16 {
                return Ok(gradient);
            }
            let total = read(gradient.clone().abs().sum())?.first().copied().unwrap_or(0.0);
            if total.is_finite() || self.slope_size < SMALLEST_SLOPE {
                return Ok(gradient / factor);
            }
            self.slope_size /= 2.0;
        }
    }

    fn stepped(&mut self, numbers: &StepNumbers) -> Result<bool, Trouble> {
        let Some(mut gradient) = self.gradient.take() else { return Ok(false) };
        if numbers.coupled > 0.0 {
            gradient = gradient + self.parameters.clone() * numbers.coupled as f32;
        }
        if let Some(clip) = numbers.clip {
            let squares = read((gradient.clone() * gradient.clone()).sum())?.first().copied().unwrap_or(0.0);
            let norm = f64::from(squares).sqrt();
            if !norm.is_finite() {
                return Ok(false);
            }
            if norm > clip {
                gradient = gradient * (clip / norm) as f32;
            }
        }
        optimizer::step(&self.task.rule, &mut self.parameters, gradient, &mut self.slots, numbers);
        self.buffers = self.next_buffers.take().or(self.buffers.take());
        if let (Some(keep), Some((parameters, buffers))) = (numbers.keep, &mut self.average) {
            let blend = |average: &Numbers<B>, new: &Numbers<B>| average.clone() * keep + new.clone() * (1.0 - keep);
            *parameters = blend(parameters, &self.parameters);
            *buffers = buffers.as_ref().zip(self.buffers.as_ref()).map(|(average, new)| blend(average, new));
        }
        Ok(true)
    }
}

fn read_some<B: Backend>(values: &Option<Numbers<B>>) -> Result<Vec<f32>, Trouble> {
    values.clone().map_or(Ok(Vec::new()), read)
}

impl<B: Backend> Worker for OnCard<'_, B> {
    fn load(&mut self, arrays: &Arrays) -> Result<(), Trouble> {
        guarded(|| {
            self.parameters = self.upload(&arrays.parameters);
            self.buffers = self.upload_some(&arrays.buffers);
            self.slots = arrays.slots.iter().map(|slot| self.upload(slot)).collect();
            let [parameters, buffers] = &arrays.average;
            self.average = self.upload_some(parameters).map(|parameters| (parameters, self.upload_some(buffers)));
            (self.gradient, self.next_buffers) = (None, None);
            Ok(())
        })
    }

    fn arrays(&self) -> Result<Arrays, Trouble> {
        guarded(|| {
            let average = match &self.average {
                Some((parameters, buffers)) => [read(parameters.clone())?, read_some(buffers)?],
                None => [Vec::new(), Vec::new()],
            };
            Ok(Arrays {
                parameters: read(self.parameters.clone())?,
                buffers: read_some(&self.buffers)?,
                slots: self.slots.iter().cloned().map(read).collect::<Result<_, _>>()?,
                average,
            })
        })
    }

    fn gradient(&mut self, part: &Part) -> Result<f64, Trouble> {
        guarded(|| {
            let before = if part.first == 0 { (None, None) } else { (self.gradient.take(), self.next_buffers.take()) };
            let Passed { loss, gradient, next_buffers: buffers } = self.pass(part)?;
            let add = |sum: Option<Numbers<B>>, new: Option<Numbers<B>>| match (sum, new) {
                (Some(sum), Some(new)) => Some(sum + new),
                (sum, new) => new.or(sum),
            };
            let share = part.weights.len() as f32 / part.whole as f32;
            self.gradient = add(before.0, gradient);
            self.next_buffers = add(before.1, buffers.map(|values| if share < 1.0 { values * share } else { values }));
            Ok(loss)
        })
    }

    fn step(&mut self, numbers: &StepNumbers) -> Result<bool, Trouble> {
        guarded(|| self.stepped(numbers))
    }

    fn squares(&self) -> Result<f64, Trouble> {
        let sum = guarded(|| read((self.parameters.clone() * self.parameters.clone()).sum()))?;
        Ok(sum.first().copied().map_or(0.0, f64::from))
    }

    fn model(&self) -> Result<Model<'_>, Trouble> {
        guarded(|| {
            let (parameters, buffers) = match (&self.average, self.slots.last()) {
                (Some((parameters, buffers)), _) => (parameters, buffers),
                (None, Some(x)) if self.task.rule.schedule_free => (x, &self.buffers),
                _ => (&self.parameters, &self.buffers),
            };
            Ok((read(parameters.clone())?.into(), read_some(buffers)?.into()))
        })
    }
}
