//! The memory of one pass through a network.

use std::sync::{Mutex, PoisonError};

use super::operations::Part;
use super::plan::{Plan, SlopePlace, Stage};
use super::pool::Pool;
use super::{Mode, Real};

/// All values between the layers of a network for one batch, and memory for slopes. It is made once and used for every step: memory is only asked for when a batch is
/// larger than all before. A pass serves one network after another too.
#[derive(Debug)]
pub struct Pass<R> {
    pub(super) examples: usize,
    pub(super) mode: Mode,
    /// By value.
    pub(super) values: Vec<Vec<R>>,
    /// By slot.
    pub(super) slopes: Vec<Vec<R>>,
    /// By step.
    pub(super) kept: Vec<Vec<R>>,
    /// By step.
    pub(super) prepared: Vec<Vec<R>>,
    pub(super) pool: Pool<R>,
    /// Value and size that each layer reads, then the output's.
    reads: Vec<(usize, usize)>,
}

impl<R: Real> Default for Pass<R> {
    fn default() -> Pass<R> {
        Pass {
            examples: 0,
            mode: Mode::Prediction,
            values: Vec::new(),
            slopes: Vec::new(),
            kept: Vec::new(),
            prepared: Vec::new(),
            pool: Pool::default(),
            reads: Vec::new(),
        }
    }
}

impl<R: Real> Pass<R> {
    /// Without memory yet.
    pub fn new() -> Pass<R> {
        Pass::default()
    }

    /// The network's outputs, examples × outputs.
    pub fn outputs(&self) -> &[R] {
        self.reads.last().map_or(&[], |&(value, size)| &self.values[value][..self.examples * size])
    }

    /// What the top-level layer `layer`, counted from 0, has read. Functions and dropout mostly work in place: where such a layer follows, it is what they have made of it.
    pub fn input_of(&self, layer: usize) -> &[R] {
        let (value, size) = self.reads[layer];
        &self.values[value][..self.examples * size]
    }

    /// Memory for a forward pass.
    pub(super) fn prepare(&mut self, plan: &Plan, examples: usize, mode: Mode) {
        (self.examples, self.mode) = (examples, mode);
        self.reads.clear();
        self.reads.extend(plan.reads.iter().map(|&value| (value, plan.values[value].size)));
        provide(&mut self.values, plan.values.iter().map(|value| value.size * examples));
        let kept = plan.steps.iter().map(|step| {
            let [each, all] = step.operation.kept();
            each * examples + all
        });
        provide(&mut self.kept, kept);
        provide(&mut self.prepared, plan.steps.iter().map(|step| step.operation.prepared()));
    }

    /// Memory for a backward pass.
    pub(super) fn prepare_slopes(&mut self, plan: &Plan) {
        provide(&mut self.slopes, plan.slots.iter().map(|size| size * self.examples));
    }
}

fn provide<R: Real>(memory: &mut Vec<Vec<R>>, lengths: impl ExactSizeIterator<Item = usize>) {
    memory.resize(lengths.len(), Vec::new());
    for (memory, length) in memory.iter_mut().zip(lengths) {
        if memory.len() < length {
            memory.resize(length, R::ZERO);
        }
    }
}

/// Parts of a batch, each for the one who does it.
pub(super) struct Parts<'a, R>(Vec<Mutex<Part<'a, R>>>);

impl<'a, R: Real> Parts<'a, R> {
    /// Cuts what a stage touches: values, what steps keep, and slopes in slots.
    pub(super) fn new(
        plan: &Plan,
        stage: &Stage,
        examples: usize,
        values: &'a mut [Vec<R>],
        slopes: &'a mut [Vec<R>],
        kept: &'a mut [Vec<R>],
    ) -> Parts<'a, R> {
        let count = stage.parts(examples);
        let each = if stage.whole { examples } else { stage.examples_each };
        let part = |place: usize| Part {
            first: place * each,
            examples: each.min(examples - place * each),
            values: std::iter::repeat_with(Default::default).take(plan.values.len()).collect(),
            slopes: std::iter::repeat_with(Default::default).take(plan.values.len()).collect(),
            kept: std::iter::repeat_with(Default::default).take(stage.steps.len()).collect(),
        };
        let mut parts: Vec<Part<R>> = (0..count).map(part).collect();
        let mut slots: Vec<Option<&mut [R]>> = slopes.iter_mut().map(|slot| Some(&mut slot[..])).collect();
        for (value, memory) in values.iter_mut().enumerate() {
            if stage.touched.binary_search(&value).is_err() {
                continue;
            }
            let size = plan.values[value].size;
            cut(&mut memory[..size * examples], &mut parts, size, |part| &mut part.values[value]);
            if let SlopePlace::Slot(slot) = plan.values[value].slope
                && let Some(memory) = slots.get_mut(slot).and_then(Option::take)
            {
                cut(&mut memory[..size * examples], &mut parts, size, |part| &mut part.slopes[value]);
            }
        }
        for (place, memory) in kept[stage.steps.clone()].iter_mut().enumerate() {
            let [size, all] = plan.steps[stage.steps.start + place].operation.kept();
            if all > 0 {
                parts[0].kept[place] = &mut memory[..];
            } else {
                cut(&mut memory[..size * examples], &mut parts, size, |part| &mut part.kept[place]);
            }
        }
        Parts(parts.into_iter().map(Mutex::new).collect())
    }

    /// The part is the caller's from now on.
    pub(super) fn take(&self, place: usize) -> Part<'a, R> {
        std::mem::take(&mut *self.0[place].lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn cut<'a, R: Real>(
    mut memory: &'a mut [R],
    parts: &mut [Part<'a, R>],
    size: usize,
    place: impl for<'b> Fn(&'b mut Part<'a, R>) -> &'b mut &'a mut [R],
) {
    for part in parts {
        let (own, rest) = memory.split_at_mut(part.examples * size);
        memory = rest;
        *place(part) = own;
    }
}
