//! The tree of layers that a graph computes.

use std::rc::Rc;

use infimum_problem::deep::{Activation, Architecture, Layer, Scaling, buffers, output_shape, parameters};

use super::super::layout::Layout;
use super::operation::Operation;
use super::{ImportError, Imported, Transform};

/// Residual blocks within each other; deeper ones cannot be meant.
const DEEPEST: usize = 32;
/// A layer of a residual block is stored in the place of so many numbers.
const LAYER: usize = 64;

/// A value that depends on the data: what step `step` gives, in ONNX's layout.
#[derive(Debug, Clone)]
pub(super) struct Flow {
    pub step: usize,
    pub layout: Layout,
    pub transform: Transform,
}

/// What happens between two values.
#[derive(Debug, Clone)]
enum Action {
    /// Nothing: the data.
    Input,
    /// Subtracts one number for all columns, or one for each.
    Shift(Rc<[f32]>),
    /// Multiplies with them.
    Scale(Rc<[f32]>),
    Layer(Layer),
}

#[derive(Debug, Clone)]
struct Step {
    parent: usize,
    action: Action,
    parameters: Rc<[f32]>,
    buffers: Rc<[f32]>,
    /// Our shape of what it gives.
    shape: Vec<usize>,
    /// Number of steps behind the data.
    depth: usize,
    /// Number of layers, and of residual blocks within each other.
    layers: usize,
    nesting: usize,
}

/// All steps; a step's parent stands before it, the data are step 0.
pub(super) struct Steps {
    all: Vec<Step>,
    /// Number of examples, if the file says it.
    pub examples: Option<i64>,
    /// Whether there is a layer.
    has_layers: bool,
    /// Numbers that may still be stored: a file that uses its weights again and again must not fill the memory.
    budget: usize,
}

impl Steps {
    /// Steps for a file of so many bytes.
    pub fn new(bytes: usize) -> Steps {
        Steps {
            all: Vec::new(),
            examples: None,
            has_layers: false,
            budget: bytes.saturating_mul(16).saturating_add(1 << 22),
        }
    }

    /// The data.
    pub fn begin(&mut self, shape: Vec<usize>, layout: Layout, examples: Option<i64>) -> Flow {
        self.examples = examples;
        self.all.push(Step {
            parent: 0,
            action: Action::Input,
            parameters: Rc::default(),
            buffers: Rc::default(),
            shape,
            depth: 0,
            layers: 0,
            nesting: 0,
        });
        Flow { step: 0, layout, transform: Transform::None }
    }

    /// Counts numbers that are going to be stored.
    pub fn spend(&mut self, count: usize, operation: &Operation<'_>) -> Result<(), ImportError> {
        match self.budget.checked_sub(count) {
            Some(rest) => {
                self.budget = rest;
                Ok(())
            }
            None => Err(operation.refused("parts of the network are used again and again".into())),
        }
    }

    /// Our shape of a value.
    pub fn shape(&self, flow: &Flow) -> &[usize] {
        if self.is_data(flow) { &self.all[0].shape } else { &self.all[flow.step].shape }
    }

    /// Whether a value is that of the data, shifted and scaled at most.
    pub fn is_data(&self, flow: &Flow) -> bool {
        !matches!(self.all[flow.step].action, Action::Layer(_))
    }

    /// The layer that gives a value, if it is one.
    pub fn layer(&self, flow: &Flow) -> Option<&Layer> {
        match &self.all[flow.step].action {
            Action::Layer(layer) => Some(layer),
            _ => None,
        }
    }

    /// The value that a layer reads, our places being those of `layout`.
    pub fn before(&self, flow: &Flow, layout: &Layout) -> Flow {
        Flow { step: self.all[flow.step].parent, layout: layout.clone(), transform: Transform::None }
    }

    /// Whether `flow` is what a layer with this function makes of `of`.
    pub fn is_activation(&self, flow: &Flow, of: &Flow, function: Activation) -> bool {
        let same = self.layer(flow) == Some(&Layer::Activation { function });
        same && self.all[flow.step].parent == of.step && flow.layout == of.layout
    }

    /// A layer behind `flow`; its values have the layout `layout`.
    pub fn push(
        &mut self,
        operation: &Operation<'_>,
        flow: &Flow,
        layer: Layer,
        [parameters, buffers]: [Vec<f32>; 2],
        layout: Layout,
    ) -> Result<Flow, ImportError> {
        let shape = output_shape(&layer, self.shape(flow)).map_err(|why| operation.refused(why))?;
        self.spend(parameters.len() + buffers.len(), operation)?;
        self.has_layers = true;
        let depth = self.all[flow.step].depth + 1;
        self.all.push(Step {
            parent: flow.step,
            action: Action::Layer(layer),
            parameters: parameters.into(),
            buffers: buffers.into(),
            shape,
            depth,
            layers: 1,
            nesting: 0,
        });
        Ok(Flow { step: self.all.len() - 1, layout, transform: Transform::None })
    }

    /// The dense or convolutional layer that gives `flow`, again, with a bias.
    pub fn push_bias(&mut self, operation: &Operation<'_>, flow: &Flow, added: &[f32]) -> Result<Flow, ImportError> {
        let step = self.all[flow.step].clone();
        let Action::Layer(mut layer) = step.action else {
            return Err(operation.refused("there is no layer before it".into()));
        };
        if let Layer::Dense { bias, .. } | Layer::Convolution { bias, .. } = &mut layer {
            *bias = true;
        }
        let parameters = [&step.parameters, added].concat();
        let parent = self.before(flow, &flow.layout);
        self.push(operation, &parent, layer, [parameters, Vec::new()], flow.layout.clone())
    }

    /// `flow − numbers` or `flow · numbers`, for data that no layer has read yet.
    pub fn push_scaling(
        &mut self,
        operation: &Operation<'_>,
        flow: &Flow,
        numbers: Vec<f32>,
        is_shift: bool,
    ) -> Result<Flow, ImportError> {
        self.spend(numbers.len(), operation)?;
        let mut step = self.all[flow.step].clone();
        step.depth += 1;
        step.parent = flow.step;
        step.action = if is_shift { Action::Shift(numbers.into()) } else { Action::Scale(numbers.into()) };
        self.all.push(step);
        Ok(Flow { step: self.all.len() - 1, ..flow.clone() })
    }

    /// Makes sure that `flow` is `[channels, height, width]` of an image of ours. The data become one if nothing has read them.
    pub fn image(&mut self, operation: &Operation<'_>, flow: &Flow) -> Result<[usize; 3], ImportError> {
        let &[channels, height, width] = flow.layout.dims() else {
            let dims = flow.layout.dims();
            return Err(
                operation.refused(format!("expected values of shape [N, channels, height, width], got [N, {dims:?}]"))
            );
        };
        let shape = [height, width, channels];
        let fits = flow.layout == Layout::channels_first(&shape);
        if fits && !self.has_layers {
            self.all[0].shape = shape.to_vec();
        }
        if fits && self.shape(flow) == shape {
            Ok(shape)
        } else {
            let ours = self.shape(flow);
            Err(operation.refused(format!(
                "values of shape {ours:?} are no image of {channels} channels, {height} × {width}, in this order"
            )))
        }
    }

    /// Gives the data the shape in which the first layer reads them, `[positions, channels]` or `[height, width, channels]`.
    pub fn settle(&mut self, flow: &Flow) {
        let dims = flow.layout.dims();
        if self.has_layers || !self.is_data(flow) || !(2..=3).contains(&dims.len()) {
            return;
        }
        let turned = [&dims[1..], &dims[..1]].concat();
        if flow.layout.is_ours() {
            self.all[0].shape = dims.to_vec();
        } else if flow.layout == Layout::channels_first(&turned) {
            self.all[0].shape = turned;
        }
    }

    /// The steps after `from` up to `to`, in order.
    fn path(&self, from: usize, mut to: usize) -> Vec<usize> {
        let mut path = Vec::new();
        while to != from {
            path.push(to);
            to = self.all[to].parent;
        }
        path.reverse();
        path
    }

    /// `a + b`: both paths begin at the last value that they share.
    pub fn add(&mut self, operation: &Operation<'_>, a: &Flow, b: &Flow) -> Result<Flow, ImportError> {
        if a.layout != b.layout || self.shape(a) != self.shape(b) {
            let (left, right) = (a.layout.dims(), b.layout.dims());
            return Err(operation.refused(format!("values of shapes {left:?} and {right:?}, or of unlike order")));
        }
        let (mut i, mut j) = (a.step, b.step);
        while i != j {
            let deeper = if self.all[i].depth >= self.all[j].depth { &mut i } else { &mut j };
            *deeper = self.all[*deeper].parent;
        }
        let mut paths = [self.path(i, a.step), self.path(i, b.step)];
        if paths[0].is_empty() {
            paths.reverse();
        }
        let [mut all_parameters, mut all_buffers] = [Vec::new(), Vec::new()];
        let (mut layers, mut nesting) = (1usize, 0usize);
        for &place in paths.iter().flatten() {
            let step = &self.all[place];
            layers = layers.saturating_add(step.layers);
            nesting = nesting.max(step.nesting + 1);
            all_parameters.push(step.parameters.clone());
            all_buffers.push(step.buffers.clone());
        }
        if nesting > DEEPEST {
            return Err(operation.refused(format!("more than {DEEPEST} residual blocks within each other")));
        }
        let lengths = [&all_parameters, &all_buffers].map(|list| list.iter().map(|part| part.len()).sum::<usize>());
        self.spend(lengths[0].saturating_add(lengths[1]).saturating_add(layers.saturating_mul(LAYER)), operation)?;
        let [body, shortcut] = paths.map(|path| {
            path.iter()
                .map(|&place| match &self.all[place].action {
                    Action::Layer(layer) => Ok(layer.clone()),
                    _ => Err(operation.refused("one of its paths scales the data".into())),
                })
                .collect::<Result<Vec<Layer>, ImportError>>()
        });
        let layer = Layer::Residual { body: body?, shortcut: shortcut? };
        let shared = Flow { step: i, layout: a.layout.clone(), transform: Transform::None };
        let numbers = [all_parameters.concat(), all_buffers.concat()];
        let flow = self.push(operation, &shared, layer, numbers, a.layout.clone())?;
        let step = &mut self.all[flow.step];
        (step.layers, step.nesting) = (layers, nesting.max(1));
        Ok(flow)
    }

    /// The network whose output is `flow`.
    pub fn finish(&self, flow: Flow) -> Result<Imported, ImportError> {
        if !flow.layout.is_ours() {
            return Err(ImportError::Model(
                "its output is an image or in the order of one, expected one row of numbers".into(),
            ));
        }
        let mut path = self.path(0, flow.step);
        let mut transform = flow.transform;
        if self.layer(&flow) == Some(&Layer::Activation { function: Activation::Sigmoid })
            && transform == Transform::None
        {
            path.pop();
            transform = Transform::Sigmoid;
        }
        let scaling_count =
            path.iter().take_while(|&&place| !matches!(self.all[place].action, Action::Layer(_))).count();
        let scaling = self.scaling(&path[..scaling_count]);
        let steps: Vec<&Step> = path[scaling_count..].iter().map(|&place| &self.all[place]).collect();
        let layers = steps.iter().filter_map(|step| match &step.action {
            Action::Layer(layer) => Some(layer.clone()),
            _ => None,
        });
        let mut layers: Vec<Layer> = layers.collect();
        if self.shape(&flow).len() > 1 {
            layers.push(Layer::Flatten);
        }
        let architecture = Architecture { input: self.all[0].shape.clone(), scaling, layers };
        let all_parameters: Vec<f32> = steps.iter().flat_map(|step| step.parameters.iter().copied()).collect();
        let all_buffers: Vec<f32> = steps.iter().flat_map(|step| step.buffers.iter().copied()).collect();
        for (expected, got) in [(parameters(&architecture), &all_parameters), (buffers(&architecture), &all_buffers)] {
            let expected = expected.map_err(ImportError::Model)?.last().map_or(0, |last| last.range.end);
            if expected != got.len() {
                return Err(ImportError::Model(format!("its layers have {} numbers, expected {expected}", got.len())));
            }
        }
        Ok(Imported { architecture, parameters: all_parameters, buffers: all_buffers, transform })
    }

    /// Shifts and factors one after the other as one shift and then one factor.
    fn scaling(&self, path: &[usize]) -> Scaling {
        let (mut shift, mut scale): (Vec<f64>, Vec<f64>) = (Vec::new(), Vec::new());
        let at =
            |list: &[f64], place: usize, nothing: f64| list.get(place % list.len().max(1)).copied().unwrap_or(nothing);
        for &place in path {
            match &self.all[place].action {
                Action::Shift(numbers) => {
                    let length = numbers.len().max(shift.len()).max(if scale.is_empty() { 0 } else { scale.len() });
                    shift = (0..length)
                        .map(|j| at(&shift, j, 0.0) + f64::from(numbers[j % numbers.len()]) / at(&scale, j, 1.0))
                        .collect();
                }
                Action::Scale(numbers) => {
                    let length = numbers.len().max(scale.len());
                    scale = (0..length).map(|j| at(&scale, j, 1.0) * f64::from(numbers[j % numbers.len()])).collect();
                }
                _ => {}
            }
        }
        let channels = self.all[0].shape[self.all[0].shape.len() - 1];
        Scaling { shift: shortest(shift, channels), scale: shortest(scale, channels) }
    }
}

/// One number for each channel, or one, where that says the same.
fn shortest(list: Vec<f64>, channels: usize) -> Vec<f32> {
    let mut list: Vec<f32> = list.into_iter().map(|value| value as f32).collect();
    for period in [channels, 1] {
        if list.len() > period && (period..list.len()).all(|place| list[place] == list[place - period]) {
            list.truncate(period);
        }
    }
    list
}
