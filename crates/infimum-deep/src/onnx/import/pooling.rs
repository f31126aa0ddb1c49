//! Largest values and means of windows and of whole images.

use infimum_problem::deep::Layer;

use super::super::layout::Layout;
use super::linear::{push_image, window};
use super::operation::Operation;
use super::steps::Steps;
use super::{ImportError, Value};

/// MaxPool and AveragePool with square windows inside the image.
pub(super) fn windows(operation: &Operation<'_>, steps: &mut Steps) -> Result<Value, ImportError> {
    let flow = operation.flow(0)?.clone();
    let [height, width, _] = steps.image(operation, &flow)?;
    let size = match operation.integers("kernel_shape") {
        Some(&[i, j]) if i == j && i > 0 => i as usize,
        shape => return Err(operation.refused(format!("windows of {:?}, expected square ones", shape.unwrap_or(&[])))),
    };
    let stride = window(operation, [size, size])?;
    let pads = operation.integers("pads").unwrap_or(&[]);
    let auto_pad = operation.text("auto_pad", "NOTSET");
    if pads.iter().any(|&pad| pad != 0) || !["NOTSET", "", "VALID"].contains(&auto_pad) {
        return Err(operation.refused(format!("windows that leave the image: {auto_pad} {pads:?}")));
    }
    let is_exact = [height, width].iter().all(|&side| side >= size && (side - size) % stride == 0);
    if operation.integer("ceil_mode", 0) != 0 && !is_exact {
        return Err(operation.refused("ceil_mode: windows that leave the image".into()));
    }
    let stride = if stride == size { 0 } else { stride };
    let layer = match operation.node.op_type.as_str() {
        "MaxPool" => Layer::MaxPooling { size, stride },
        _ => Layer::AveragePooling { size, stride },
    };
    Ok(Value::Flow(push_image(operation, steps, &flow, layer, Vec::new())?))
}

/// GlobalAveragePool, and ReduceMean over all positions.
pub(super) fn mean(operation: &Operation<'_>, steps: &mut Steps) -> Result<Value, ImportError> {
    let flow = operation.flow(0)?.clone();
    let rank = flow.layout.dims().len() + 1;
    let axes = if operation.node.op_type == "ReduceMean" {
        let Some(axes) = operation.list("axes", 1)? else {
            return Err(operation.refused("over all dimensions, also the examples".into()));
        };
        operation.axes(&axes, rank)?
    } else {
        (2..rank).collect()
    };
    if rank == 4 && axes != [1, 2] {
        steps.image(operation, &flow)?;
    } else {
        steps.settle(&flow);
    }
    let kept: Vec<usize> = (1..rank).filter(|axis| !axes.contains(axis)).collect();
    let channels = steps.shape(&flow).last().copied().unwrap_or(1);
    let place = match kept[..] {
        [axis] if !axes.contains(&0) && steps.shape(&flow).len() > 1 && flow.layout.is_channels(axis - 1, channels) => {
            axis - 1
        }
        _ => {
            return Err(operation
                .refused(format!("the mean over axes {axes:?} is not that over all positions for each channel")));
        }
    };
    let mut dims = vec![channels];
    if operation.node.op_type == "GlobalAveragePool" || operation.integer("keepdims", 1) != 0 {
        dims = vec![1; rank - 1];
        dims[place] = channels;
    }
    let layout = Layout::rows(&[channels]).reshaped(dims);
    Ok(Value::Flow(steps.push(operation, &flow, Layer::GlobalAveragePooling, Default::default(), layout)?))
}
