//! What steps do: forwards, and backwards by hand.

mod attention;
mod batch_normalization;
mod convolution;
mod dense;
mod dropout;
mod embedding;
mod function;
mod layer_normalization;
mod pooling;

pub(super) use attention::Attention;
pub(super) use batch_normalization::BatchNormalization;
pub(super) use convolution::Convolution;
pub(super) use dense::Dense;
pub(super) use dropout::Dropout;
pub(super) use embedding::Embedding;
pub(super) use function::Function;
pub(super) use layer_normalization::LayerNormalization;
pub(super) use pooling::{GlobalAverage, Pooling};

use super::plan::{Step, Writing};
use super::pool::{Pool, add_to, put};
use super::wide::wide;
use super::{Mode, Real};

/// One of the steps that a plan is made of.
#[derive(Debug, Clone)]
pub(super) enum Operation {
    Attention(Attention),
    BatchNormalization(BatchNormalization),
    Convolution(Convolution),
    Dense(Dense),
    Dropout(Dropout),
    Embedding(Embedding),
    Function(Function),
    GlobalAverage(GlobalAverage),
    LayerNormalization(LayerNormalization),
    Pooling(Pooling),
    Sum(Sum),
}

/// The sum of the source and another value.
#[derive(Debug, Clone)]
pub(super) struct Sum {
    pub(super) other: usize,
    /// On the way back.
    pub(super) other_slope: Writing,
}

/// The memory of some consecutive examples of a batch.
#[derive(Debug, Default)]
pub(super) struct Part<'a, R> {
    /// Place of the first one in the batch.
    pub(super) first: usize,
    /// How many they are.
    pub(super) examples: usize,
    /// By value; empty where the stage does not touch it.
    pub(super) values: Vec<&'a mut [R]>,
    /// Slopes of values; empty where not wanted.
    pub(super) slopes: Vec<&'a mut [R]>,
    /// What steps keep for the way back, by place in the stage.
    pub(super) kept: Vec<&'a mut [R]>,
}

/// What a step needs beside values.
#[derive(Debug, Clone, Copy)]
pub(super) struct Context<'a, R> {
    /// The step's own parameters.
    pub(super) parameters: &'a [R],
    /// The step's own running values.
    pub(super) buffers: &'a [R],
    /// The step's parameters in another order, see `prepare`.
    pub(super) prepared: &'a [R],
    pub(super) mode: Mode,
    pub(super) pool: &'a Pool<R>,
}

/// Where slopes of what a step has read are to be written.
#[derive(Debug)]
pub(super) struct SourceSlopes<'a, R> {
    pub(super) values: &'a mut [R],
    /// Whether to add to what is there.
    pub(super) add: bool,
}

impl Operation {
    /// Whether it needs the whole batch at once. These operations use all threads themselves and overwrite the slopes of their parameters; the others add to them.
    pub(super) fn is_whole(&self) -> bool {
        matches!(self, Operation::Dense(_) | Operation::BatchNormalization(_) | Operation::Embedding(_))
    }

    /// Numbers that it keeps for the way back: for each example, and for the batch.
    pub(super) fn kept(&self) -> [usize; 2] {
        match self {
            Operation::Attention(attention) => [attention.kept(), 0],
            Operation::BatchNormalization(normalization) => [0, 3 * normalization.channels],
            Operation::LayerNormalization(normalization) => [2 * normalization.rows, 0],
            _ => [0, 0],
        }
    }

    /// How many running values it has.
    pub(super) fn buffers(&self) -> usize {
        match self {
            Operation::BatchNormalization(normalization) => 2 * normalization.channels,
            _ => 0,
        }
    }

    /// Rough number of multiplications per example.
    pub(super) fn work(&self) -> usize {
        match self {
            Operation::Attention(attention) => 2 * attention.positions * attention.positions * attention.width,
            Operation::Convolution(convolution) => {
                convolution.positions() * convolution.patch() * convolution.output[2]
            }
            Operation::LayerNormalization(normalization) => 16 * normalization.width * normalization.rows,
            Operation::Pooling(pooling) => 4 * pooling.input.iter().product::<usize>(),
            Operation::GlobalAverage(average) => average.positions * average.channels,
            _ => 1,
        }
    }

    /// How many numbers `prepare` makes.
    pub(super) fn prepared(&self) -> usize {
        match self {
            Operation::Convolution(convolution) => convolution.patch() * convolution.output[2],
            _ => 0,
        }
    }

    /// Puts parameters in the order in which `forward` wants them, once for all parts.
    pub(super) fn prepare<R: Real>(&self, parameters: &[R], prepared: &mut [R]) {
        if let Operation::Convolution(convolution) = self {
            convolution.transpose(parameters, prepared);
        }
    }
}

/// Does one step. `place` is its place in the stage.
pub(super) fn forward<R: Real>(step: &Step, place: usize, part: &mut Part<R>, context: Context<R>) {
    let target = std::mem::take(&mut part.values[step.target]);
    let kept = std::mem::take(&mut part.kept[place]);
    let source: &[R] = part.values[step.source];
    match &step.operation {
        Operation::Attention(attention) => attention.forward(source, target, kept, context),
        Operation::BatchNormalization(normalization) => normalization.forward(source, target, kept, context),
        Operation::Convolution(convolution) => convolution.forward(source, target, context),
        Operation::Dense(dense) => dense.forward(source, target, context),
        Operation::Embedding(embedding) => embedding.forward(source, target, context),
        Operation::GlobalAverage(average) => average.forward(source, target),
        Operation::LayerNormalization(normalization) => normalization.forward(source, target, kept, context),
        Operation::Pooling(pooling) => pooling.forward(source, target),
        Operation::Dropout(_) | Operation::Function(_) | Operation::Sum(_) => {
            if !step.in_place() {
                target.copy_from_slice(source);
            }
            match &step.operation {
                Operation::Dropout(dropout) => dropout.change(target, part.first, part.examples, context.mode),
                Operation::Function(function) => function.apply(target),
                Operation::Sum(sum) => wide!(add_to(target, part.values[sum.other])),
                _ => {}
            }
        }
    }
    part.kept[place] = kept;
    part.values[step.target] = target;
}

/// Goes one step back: from the slopes of its target, which it may spoil, to those of its source and parameters.
pub(super) fn backward<R: Real>(
    step: &Step,
    place: usize,
    part: &mut Part<R>,
    context: Context<R>,
    gradient: &mut [R],
) {
    let slopes = std::mem::take(&mut part.slopes[step.target]);
    let memory = std::mem::take(&mut part.slopes[step.source]);
    let source_slopes = (step.source_slope != Writing::Nothing)
        .then(|| SourceSlopes { values: &mut *memory, add: step.source_slope == Writing::Add });
    let (source, target): (&[R], &[R]) = (part.values[step.source], part.values[step.target]);
    let kept: &[R] = part.kept[place];
    match &step.operation {
        Operation::Attention(attention) => attention.backward(source, kept, slopes, source_slopes, context),
        Operation::BatchNormalization(normalization) => {
            normalization.backward(source, kept, slopes, source_slopes, context, gradient);
        }
        Operation::Convolution(convolution) => {
            convolution.backward(source, target, slopes, source_slopes, context, gradient);
        }
        Operation::Dense(dense) => dense.backward(source, target, slopes, source_slopes, context, gradient),
        Operation::Embedding(embedding) => embedding.backward(source, slopes, gradient),
        Operation::GlobalAverage(average) => average.backward(slopes, source_slopes),
        Operation::LayerNormalization(normalization) => {
            normalization.backward(source, kept, slopes, source_slopes, context, gradient);
        }
        Operation::Pooling(pooling) => pooling.backward(source, target, slopes, source_slopes),
        Operation::Dropout(dropout) => {
            dropout.change(slopes, part.first, part.examples, context.mode);
            pass_on(slopes, source_slopes);
        }
        Operation::Function(function) => {
            function.multiply_slopes(if function.by_output() { target } else { source }, slopes);
            pass_on(slopes, source_slopes);
        }
        Operation::Sum(sum) => {
            pass_on(slopes, source_slopes);
            let other = if sum.other == step.source { &mut *memory } else { &mut *part.slopes[sum.other] };
            let add = sum.other_slope == Writing::Add;
            let other = (sum.other_slope != Writing::Nothing).then_some(SourceSlopes { values: other, add });
            pass_on(slopes, other);
        }
    }
    if !step.in_place() {
        part.slopes[step.source] = memory;
    }
    part.slopes[step.target] = slopes;
}

fn pass_on<R: Real>(slopes: &[R], source_slopes: Option<SourceSlopes<R>>) {
    if let Some(SourceSlopes { values, add }) = source_slopes {
        wide!(put(values, add, slopes.iter().copied()));
    }
}
