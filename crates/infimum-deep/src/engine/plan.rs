//! An architecture as a list of steps, and where the values and slopes between them stand.

use std::ops::Range;

use infimum_problem::deep::{Architecture, Layer, output_shape, parameters};

use super::operations::{
    Attention, BatchNormalization, Convolution, Dense, Dropout, Embedding, Function, GlobalAverage, LayerNormalization,
    Operation, Pooling, Sum,
};

/// Steps in the order of computation. Every value (array per example) is made by one step, or by several that change it in place one after another.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    /// Value 0 is the network's input.
    pub(super) values: Vec<Value>,
    pub(super) steps: Vec<Step>,
    /// All steps, in order, cut into stages.
    pub(super) stages: Vec<Stage>,
    /// Numbers per example of each piece of memory for slopes.
    pub(super) slots: Vec<usize>,
    /// Which value each top-level layer reads, then the network's output.
    pub(super) reads: Vec<usize>,
}

#[derive(Debug, Clone)]
pub(super) struct Value {
    /// Numbers per example.
    pub(super) size: usize,
    pub(super) slope: SlopePlace,
}

/// Where the slopes of the objective by a value stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SlopePlace {
    /// Nowhere: no parameter comes before the value.
    None,
    /// In a slot.
    Slot(usize),
    /// In memory that only one part of a stage uses; one value behind another.
    Inside,
}

#[derive(Debug, Clone)]
pub(super) struct Step {
    pub(super) operation: Operation,
    pub(super) source: usize,
    /// Equal to `source` where the step changes it in place.
    pub(super) target: usize,
    pub(super) parameters: Range<usize>,
    pub(super) buffers: Range<usize>,
    /// On the way back.
    pub(super) source_slope: Writing,
}

/// What a step does with the slopes of what it has read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Writing {
    /// They are not wanted.
    Nothing,
    /// It is the first to write them.
    Set,
    /// It adds to what others have written.
    Add,
}

/// Steps that are done together: one that needs the whole batch; or several that treat each example apart, so that they are done for one part of the batch after
/// another while its values are in the cache.
#[derive(Debug, Clone)]
pub(super) struct Stage {
    pub(super) steps: Range<usize>,
    pub(super) whole: bool,
    /// What its steps read, make and change.
    pub(super) touched: Vec<usize>,
    /// Numbers per example of slopes that stand inside.
    pub(super) inside: usize,
    /// Examples per part.
    pub(super) examples_each: usize,
}

impl Stage {
    /// How many parts a batch has.
    pub(super) fn parts(&self, examples: usize) -> usize {
        if self.whole { 1 } else { examples.div_ceil(self.examples_each) }
    }
}

impl Step {
    pub(super) fn in_place(&self) -> bool {
        self.source == self.target
    }
}

/// How much of a value the steps around it need on the way back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Need {
    Nothing,
    Signs,
    Everything,
}

struct Builder {
    sizes: Vec<usize>,
    needs: Vec<Need>,
    /// Values that more than one step reads, and the input.
    shared: Vec<bool>,
    /// Whether parameters come before the value.
    trained: Vec<bool>,
    steps: Vec<Step>,
    parameters: usize,
    buffers: usize,
}

impl Plan {
    pub(super) fn new(architecture: &Architecture) -> Result<Plan, String> {
        let all = parameters(architecture)?;
        let mut builder = Builder {
            sizes: vec![architecture.input.iter().product()],
            needs: vec![Need::Everything],
            shared: vec![true],
            trained: vec![false],
            steps: Vec::new(),
            parameters: 0,
            buffers: 0,
        };
        let mut reads = vec![0];
        let mut shape = architecture.input.clone();
        for layer in &architecture.layers {
            let value = builder.layer(layer, &shape, reads[reads.len() - 1])?;
            reads.push(value);
            shape = output_shape(layer, &shape)?;
        }
        assert_eq!(builder.parameters, all.last().map_or(0, |last| last.range.end), "parameters of the plan");
        Ok(builder.finish(reads))
    }

    /// Slopes of value `value` are wanted.
    pub(super) fn is_trained(&self, value: usize) -> bool {
        self.values[value].slope != SlopePlace::None
    }

    pub(super) fn output(&self) -> usize {
        self.reads[self.reads.len() - 1]
    }
}

impl Builder {
    fn layer(&mut self, layer: &Layer, shape: &[usize], source: usize) -> Result<usize, String> {
        let size: usize = shape.iter().product();
        let last = shape[shape.len() - 1];
        let output: usize = output_shape(layer, shape)?.iter().product();
        let target = match layer {
            Layer::Dense { units, bias } => self.dense(source, size / last, last, *units, *bias),
            Layer::Convolution { channels, kernel: [1, 1], stride: 1, bias, .. } => {
                self.dense(source, size / last, last, *channels, *bias)
            }
            Layer::Convolution { channels, kernel, stride, padding, bias } => {
                let result = output_shape(layer, shape)?;
                let convolution = Convolution {
                    input: [shape[0], shape[1], last],
                    output: [result[0], result[1], *channels],
                    kernel: *kernel,
                    stride: *stride,
                    padding: kernel.map(|side| padding.amount(side)),
                    bias: *bias,
                    function: None,
                };
                let count = channels * (convolution.patch() + usize::from(*bias));
                self.make(Operation::Convolution(convolution), source, output, count, Need::Nothing)
            }
            Layer::MaxPooling { size: side, stride } | Layer::AveragePooling { size: side, stride } => {
                let result = output_shape(layer, shape)?;
                let largest = matches!(layer, Layer::MaxPooling { .. });
                let pooling = Pooling {
                    input: [shape[0], shape[1], last],
                    output: [result[0], result[1]],
                    size: *side,
                    stride: if *stride == 0 { *side } else { *stride },
                    largest,
                };
                let need = if largest { Need::Everything } else { Need::Nothing };
                self.make(Operation::Pooling(pooling), source, output, 0, need)
            }
            Layer::GlobalAveragePooling => {
                let average = GlobalAverage { positions: size / last, channels: last };
                self.make(Operation::GlobalAverage(average), source, output, 0, Need::Nothing)
            }
            Layer::Flatten => source,
            Layer::Activation { function } => self.function(Function(*function), source),
            Layer::BatchNormalization { epsilon, momentum } => {
                let normalization =
                    BatchNormalization { channels: last, rows: size / last, epsilon: *epsilon, momentum: *momentum };
                self.make(Operation::BatchNormalization(normalization), source, output, 2 * last, Need::Nothing)
            }
            Layer::LayerNormalization { epsilon } => {
                let normalization = LayerNormalization { width: last, rows: size / last, epsilon: *epsilon };
                self.make(Operation::LayerNormalization(normalization), source, output, 2 * last, Need::Nothing)
            }
            Layer::Dropout { rate } => {
                let dropout = Dropout { rate: *rate, place: self.steps.len() as u64 };
                self.change(Operation::Dropout(dropout), source, Need::Signs, Need::Nothing)
            }
            Layer::Embedding { vocabulary, width } => {
                let embedding = Embedding { vocabulary: *vocabulary, width: *width };
                self.make(Operation::Embedding(embedding), source, output, vocabulary * width, Need::Nothing)
            }
            Layer::Attention { heads, causal } => {
                let positions = size / last;
                let all = self.dense(source, positions, last, 3 * last, true);
                let attention = Attention { positions, width: last, heads: *heads, causal: *causal };
                let mixed = self.make(Operation::Attention(attention), all, size, 0, Need::Nothing);
                self.dense(mixed, positions, last, last, true)
            }
            Layer::Residual { body, shortcut } => {
                self.shared[source] = true;
                let [left, right] = [self.path(body, shape, source)?, self.path(shortcut, shape, source)?];
                let (left, right) = if self.changeable(left, Need::Nothing) { (left, right) } else { (right, left) };
                let sum = Sum { other: right, other_slope: Writing::Nothing };
                self.change(Operation::Sum(sum), left, Need::Nothing, Need::Nothing)
            }
        };
        Ok(target)
    }

    fn path(&mut self, layers: &[Layer], shape: &[usize], source: usize) -> Result<usize, String> {
        let (mut shape, mut value) = (shape.to_vec(), source);
        for layer in layers {
            value = self.layer(layer, &shape, value)?;
            shape = output_shape(layer, &shape)?;
        }
        Ok(value)
    }

    fn dense(&mut self, source: usize, rows: usize, inputs: usize, units: usize, bias: bool) -> usize {
        let dense = Dense { inputs, units, bias, function: None };
        let count = units * (inputs + usize::from(bias));
        self.make(Operation::Dense(dense), source, rows * units, count, Need::Nothing)
    }

    /// A function: as the end of the product that makes `source`, in place, or from one value to another.
    fn function(&mut self, function: Function, source: usize) -> usize {
        let need = if !function.by_output() {
            Need::Everything
        } else if function.by_sign() {
            Need::Signs
        } else {
            Need::Everything
        };
        if function.by_output()
            && !self.shared[source]
            && let Some(step) = self.steps.last_mut().filter(|step| step.target == source)
        {
            let place = match &mut step.operation {
                Operation::Dense(dense) => Some(&mut dense.function),
                Operation::Convolution(convolution) => Some(&mut convolution.function),
                _ => None,
            };
            if let Some(place) = place.filter(|place| place.is_none()) {
                *place = Some(function);
                self.needs[source] = need;
                return source;
            }
        }
        if function.by_output() {
            self.change(Operation::Function(function), source, Need::Nothing, need)
        } else {
            self.make(Operation::Function(function), source, self.sizes[source], 0, Need::Nothing)
        }
    }

    /// Whether a step may change `value` in place if it keeps of it what others `need`.
    fn changeable(&self, value: usize, need: Need) -> bool {
        !self.shared[value] && self.needs[value] <= need
    }

    /// A step that works in place where what it keeps of the value is enough for the others, and else makes a new one. `need` is what the step itself then needs.
    fn change(&mut self, operation: Operation, source: usize, keeps: Need, need: Need) -> usize {
        if !self.changeable(source, keeps) {
            return self.make(operation, source, self.sizes[source], 0, need);
        }
        self.needs[source] = self.needs[source].max(need);
        if let Operation::Sum(sum) = &operation {
            self.trained[source] |= self.trained[sum.other];
        }
        self.push(operation, source, source, 0);
        source
    }

    /// A step that makes a new value, of which it needs so much on the way back.
    fn make(&mut self, operation: Operation, source: usize, size: usize, parameters: usize, need: Need) -> usize {
        let mut trained = self.trained[source] || parameters > 0;
        if let Operation::Sum(sum) = &operation {
            trained |= self.trained[sum.other];
        }
        let target = self.sizes.len();
        self.sizes.push(size);
        self.needs.push(need);
        self.shared.push(false);
        self.trained.push(trained);
        self.push(operation, source, target, parameters);
        target
    }

    fn push(&mut self, operation: Operation, source: usize, target: usize, parameters: usize) {
        let buffers = operation.buffers();
        self.steps.push(Step {
            operation,
            source,
            target,
            parameters: self.parameters..self.parameters + parameters,
            buffers: self.buffers..self.buffers + buffers,
            source_slope: Writing::Nothing,
        });
        self.parameters += parameters;
        self.buffers += buffers;
    }

    fn finish(mut self, reads: Vec<usize>) -> Plan {
        let output = reads[reads.len() - 1];
        self.order_slopes(output);
        let mut stages = self.stages();
        let values = self.sizes.iter().map(|&size| Value { size, slope: SlopePlace::None }).collect();
        let mut plan = Plan { values, steps: self.steps, stages: Vec::new(), slots: Vec::new(), reads };
        super::slopes::place(&mut plan, &mut stages, &self.trained);
        plan.stages = stages;
        plan
    }

    /// Who writes slopes first, from the last step to the first.
    fn order_slopes(&mut self, output: usize) {
        let mut written = vec![false; self.sizes.len()];
        written[output] = true;
        let trained = &self.trained;
        let mut write = |value: usize| {
            if !trained[value] {
                Writing::Nothing
            } else if std::mem::replace(&mut written[value], true) {
                Writing::Add
            } else {
                Writing::Set
            }
        };
        for step in self.steps.iter_mut().rev() {
            if !step.in_place() {
                step.source_slope = write(step.source);
            }
            if let Operation::Sum(sum) = &mut step.operation {
                sum.other_slope = write(sum.other);
            }
        }
    }

    fn stages(&self) -> Vec<Stage> {
        let mut stages: Vec<Stage> = Vec::new();
        for (place, step) in self.steps.iter().enumerate() {
            let whole = step.operation.is_whole();
            match stages.last_mut().filter(|stage| !whole && !stage.whole) {
                Some(stage) => stage.steps.end = place + 1,
                None => {
                    let steps = place..place + 1;
                    stages.push(Stage { steps, whole, touched: Vec::new(), inside: 0, examples_each: 1 });
                }
            }
        }
        for stage in &mut stages {
            let steps = &self.steps[stage.steps.clone()];
            let mut touched: Vec<usize> = steps.iter().flat_map(Step::touched).collect();
            touched.sort_unstable();
            touched.dedup();
            stage.touched = touched;
        }
        stages
    }
}

impl Step {
    fn touched(&self) -> impl Iterator<Item = usize> + use<> {
        let other = if let Operation::Sum(sum) = &self.operation { Some(sum.other) } else { None };
        [self.source, self.target].into_iter().chain(other)
    }
}
