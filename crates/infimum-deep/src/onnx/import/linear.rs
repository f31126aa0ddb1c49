//! Layers with weights.

use infimum_problem::deep::{Layer, Padding};

use super::super::layout::Layout;
use super::super::tensor::Constant;
use super::operation::Operation;
use super::steps::{Flow, Steps};
use super::{ImportError, Value};

/// Gemm: `α x B + β c`.
pub(super) fn gemm(operation: &Operation<'_>, steps: &mut Steps) -> Result<Value, ImportError> {
    if operation.integer("transA", 0) != 0 {
        return Err(operation.refused("it transposes its input".into()));
    }
    let flow = operation.flow(0)?.clone();
    let (mut weights, units) = weights_of(operation, steps, operation.integer("transB", 0) != 0)?;
    let alpha = operation.float("alpha", 1.0);
    weights.iter_mut().for_each(|weight| *weight *= alpha);
    let bias = if operation.has(2) {
        let beta = operation.float("beta", 1.0);
        let bias = match operation.constant(2)?.scalar() {
            Some(number) => vec![number; units],
            None => operation.numbers(2, units)?.to_vec(),
        };
        Some(bias.into_iter().map(|number| beta * number).collect())
    } else {
        None
    };
    dense(operation, steps, &flow, weights, bias, units)
}

/// MatMul with constant weights behind the data.
pub(super) fn matmul(operation: &Operation<'_>, steps: &mut Steps) -> Result<Value, ImportError> {
    let flow = operation.flow(0)?.clone();
    let (weights, units) = weights_of(operation, steps, false)?;
    dense(operation, steps, &flow, weights, None, units)
}

/// The weights of input 1, units × inputs, and the number of units.
fn weights_of(
    operation: &Operation<'_>,
    steps: &mut Steps,
    is_transposed: bool,
) -> Result<(Vec<f32>, usize), ImportError> {
    let constant = operation.constant(1)?;
    let &[rows, columns] = constant.shape() else {
        return Err(operation.refused(format!("weights of shape {:?}, expected two dimensions", constant.shape())));
    };
    let count = rows * columns;
    steps.spend(count, operation)?;
    if is_transposed {
        return Ok((operation.numbers(1, count)?.to_vec(), rows));
    }
    let turned = constant.transposed(&[1, 0]);
    match turned.floats() {
        Some(values) => Ok((values.to_vec(), columns)),
        None => Err(operation.refused("its weights depend on the number of examples".into())),
    }
}

/// A dense layer; weights are units × inputs in the order of ONNX's last dimension.
fn dense(
    operation: &Operation<'_>,
    steps: &mut Steps,
    flow: &Flow,
    mut weights: Vec<f32>,
    bias: Option<Vec<f32>>,
    units: usize,
) -> Result<Value, ImportError> {
    let dims = flow.layout.dims();
    let inputs = dims.last().copied().unwrap_or(1);
    if dims.is_empty() || weights.is_empty() || weights.len() / units != inputs {
        let got = weights.len() / units.max(1);
        return Err(operation.refused(format!("weights for {got} numbers, but it gets values of shape [N, {dims:?}]")));
    }
    let mut flow = flow.clone();
    steps.settle(&flow);
    let layout = if dims.len() == 1 {
        if steps.shape(&flow).len() > 1 {
            let layout = flow.layout.clone();
            flow = steps.push(operation, &flow, Layer::Flatten, Default::default(), layout)?;
        }
        if !flow.layout.is_ours() {
            let places = flow.layout.places();
            for row in weights.chunks_exact_mut(inputs) {
                let old = row.to_vec();
                places.iter().zip(old).for_each(|(&place, weight)| row[place] = weight);
            }
        }
        Some(Layout::rows(&[units]))
    } else {
        let (last, channels) = (dims.len() - 1, steps.shape(&flow).last().copied().unwrap_or(1));
        flow.layout.is_channels(last, channels).then(|| flow.layout.with_channels(last, units)).flatten()
    };
    let layout = layout.ok_or_else(|| operation.refused("it mixes other numbers than channels".into()))?;
    let layer = Layer::Dense { units, bias: bias.is_some() };
    weights.extend(bias.into_iter().flatten());
    Ok(Value::Flow(steps.push(operation, &flow, layer, [weights, Vec::new()], layout)?))
}

/// Conv over images.
pub(super) fn convolution(operation: &Operation<'_>, steps: &mut Steps) -> Result<Value, ImportError> {
    let flow = operation.flow(0)?.clone();
    let [_, _, inputs] = steps.image(operation, &flow)?;
    let constant = operation.constant(1)?;
    let &[channels, group_inputs, height, width] = constant.shape() else {
        return Err(operation.refused(format!("weights of shape {:?}, expected four dimensions", constant.shape())));
    };
    let groups = operation.integer("group", 1);
    if groups != 1 || group_inputs != inputs {
        return Err(operation
            .refused(format!("{groups} groups with {group_inputs} input channels each, expected one with {inputs}")));
    }
    let kernel = [height, width];
    let stride = window(operation, kernel)?;
    let pads = operation.integers("pads").unwrap_or(&[]).to_vec();
    let amounts = |padding: Padding| kernel.map(|side| padding.amount(side) as i64);
    let fits = |padding: Padding| {
        let [i, j] = amounts(padding);
        if pads.is_empty() { i == 0 && j == 0 } else { pads == [i, j, i, j] }
    };
    let is_odd = kernel.iter().all(|side| side % 2 == 1) && stride == 1;
    let padding = match operation.text("auto_pad", "NOTSET") {
        "NOTSET" | "" => [Padding::Same, Padding::Valid].into_iter().find(|&padding| fits(padding)),
        "VALID" => Some(Padding::Valid),
        "SAME_UPPER" | "SAME_LOWER" if is_odd => Some(Padding::Same),
        _ => None,
    };
    let Some(padding) = padding else {
        let [i, j] = amounts(Padding::Same);
        let got = format!("{} {pads:?}", operation.text("auto_pad", "pads"));
        return Err(operation.refused(format!("{got}, expected none or [{i}, {j}, {i}, {j}]")));
    };
    steps.spend(constant.shape().iter().product(), operation)?;
    let turned = constant.transposed(&[0, 2, 3, 1]);
    let Some(weights) = turned.floats() else { return Err(operation.refused("its weights depend on the data".into())) };
    let mut numbers = weights.to_vec();
    let bias = operation.has(2);
    if bias {
        numbers.extend(operation.numbers(2, channels)?.iter());
    }
    let layer = Layer::Convolution { channels, kernel, stride, padding, bias };
    Ok(Value::Flow(push_image(operation, steps, &flow, layer, numbers)?))
}

/// A layer from images to images.
pub(super) fn push_image(
    operation: &Operation<'_>,
    steps: &mut Steps,
    flow: &Flow,
    layer: Layer,
    parameters: Vec<f32>,
) -> Result<Flow, ImportError> {
    let mut pushed = steps.push(operation, flow, layer, [parameters, Vec::new()], flow.layout.clone())?;
    pushed.layout = Layout::channels_first(steps.shape(&pushed));
    Ok(pushed)
}

/// The stride of a window of this kernel without dilation, the same in both directions.
pub(super) fn window(operation: &Operation<'_>, kernel: [usize; 2]) -> Result<usize, ImportError> {
    let shape = operation.integers("kernel_shape").unwrap_or(&[]);
    if !shape.is_empty() && shape != kernel.map(|side| side as i64) {
        return Err(operation.refused(format!("kernel_shape {shape:?}, expected {kernel:?}")));
    }
    let dilations = operation.integers("dilations").unwrap_or(&[]);
    if dilations.iter().any(|&dilation| dilation != 1) {
        return Err(operation.refused(format!("dilations {dilations:?}, expected ones")));
    }
    match operation.integers("strides") {
        None | Some([]) => Ok(1),
        Some(&[i, j]) if i == j && i > 0 => Ok(i as usize),
        Some(strides) => Err(operation.refused(format!("strides {strides:?}, expected two equal ones"))),
    }
}

/// BatchNormalization with its running values.
pub(super) fn batch_normalization(operation: &Operation<'_>, steps: &mut Steps) -> Result<Value, ImportError> {
    let flow = operation.flow(0)?.clone();
    if operation.integer("training_mode", 0) != 0 {
        return Err(operation
            .refused("it normalises by the batch; export the network for prediction (PyTorch: .eval())".into()));
    }
    if flow.layout.dims().len() == 3 {
        steps.image(operation, &flow)?;
    }
    let (places, channels) = normalized_places(operation, steps, &flow, 0)?;
    let mut numbers = [Vec::new(), Vec::new()];
    for input in 1..=4 {
        let values = operation.numbers(input, channels)?;
        if input == 4 && values.iter().any(|&value| value < 0.0) {
            return Err(operation.refused("a negative variance".into()));
        }
        numbers[(input - 1) / 2].extend(in_our_order(&values, places.as_deref()));
    }
    let epsilon = f64::from(operation.float("epsilon", 1e-5));
    let momentum = 1.0 - f64::from(operation.float("momentum", 0.9));
    // Only training reads the momentum.
    let layer =
        Layer::BatchNormalization { epsilon, momentum: if (0.0..=1.0).contains(&momentum) { momentum } else { 0.1 } };
    Ok(Value::Flow(steps.push(operation, &flow, layer, numbers, flow.layout.clone())?))
}

/// LayerNormalization along the last dimension.
pub(super) fn layer_normalization(operation: &Operation<'_>, steps: &mut Steps) -> Result<Value, ImportError> {
    let flow = operation.flow(0)?.clone();
    let rank = flow.layout.dims().len();
    let axis = operation.integer("axis", -1);
    if rank == 0 || (axis != -1 && axis != rank as i64) {
        return Err(operation.refused(format!("along axis {axis}, expected the last")));
    }
    let (places, channels) = normalized_places(operation, steps, &flow, rank - 1)?;
    let gain = operation.numbers(1, channels)?;
    let mut numbers = in_our_order(&gain, places.as_deref());
    if operation.has(2) {
        numbers.extend(in_our_order(&operation.numbers(2, channels)?, places.as_deref()));
    } else {
        numbers.extend(std::iter::repeat_n(0.0, channels));
    }
    let layer = Layer::LayerNormalization { epsilon: f64::from(operation.float("epsilon", 1e-5)) };
    Ok(Value::Flow(steps.push(operation, &flow, layer, [numbers, Vec::new()], flow.layout.clone())?))
}

/// Where the numbers of a normalisation over dimension `place` belong in our last dimension (`None`: in their order), and how many there are.
fn normalized_places(
    operation: &Operation<'_>,
    steps: &mut Steps,
    flow: &Flow,
    place: usize,
) -> Result<(Option<Vec<usize>>, usize), ImportError> {
    let dims = flow.layout.dims();
    if dims.len() != 3 || place != 0 {
        steps.settle(flow);
    }
    let channels = steps.shape(flow).last().copied().unwrap_or(1);
    if dims.len() == 1 && steps.shape(flow).len() == 1 {
        if flow.layout.is_ours() {
            return Ok((None, channels));
        }
        steps.spend(channels, operation)?;
        return Ok((Some(flow.layout.places()), channels));
    }
    if flow.layout.is_channels(place, channels) {
        Ok((None, channels))
    } else {
        Err(operation
            .refused(format!("values of shape [N, {dims:?}]: dimension {} is not that of the channels", place + 1)))
    }
}

fn in_our_order(values: &[f32], places: Option<&[usize]>) -> Vec<f32> {
    let mut ours = values.to_vec();
    if let Some(places) = places {
        places.iter().zip(values).for_each(|(&place, &value)| ours[place] = value);
    }
    ours
}

/// Gather from a constant table.
pub(super) fn embedding(operation: &Operation<'_>, steps: &mut Steps) -> Result<Value, ImportError> {
    let flow = operation.flow(1)?.clone();
    let constant = operation.constant(0)?;
    let (&[vocabulary, width], &[positions]) = (constant.shape(), flow.layout.dims()) else {
        let dims = flow.layout.dims();
        return Err(
            operation.refused(format!("a table of shape {:?} for values of shape [N, {dims:?}]", constant.shape()))
        );
    };
    if operation.integer("axis", 0) != 0 || !flow.layout.is_ours() || !matches!(constant, Constant::Floats { .. }) {
        return Err(operation.refused("expected rows of a table of numbers".into()));
    }
    let table = operation.numbers(0, vocabulary * width)?.to_vec();
    let layer = Layer::Embedding { vocabulary, width };
    let layout = Layout::rows(&[positions, width]);
    Ok(Value::Flow(steps.push(operation, &flow, layer, [table, Vec::new()], layout)?))
}
