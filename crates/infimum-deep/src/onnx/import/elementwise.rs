//! Functions of each number, and what leaves numbers as they are.

use infimum_problem::deep::{Activation, Layer};

use super::super::proto::kinds;
use super::super::tensor::Constant;
use super::operation::Operation;
use super::steps::{Flow, Steps};
use super::{ImportError, Transform, Value};

/// Relu, LeakyRelu, Tanh, Sigmoid, Gelu, and what cuts off negative numbers: Clip and Max.
pub(super) fn activation(operation: &Operation<'_>, steps: &mut Steps) -> Result<Value, ImportError> {
    let mut place = 0;
    let function = match operation.node.op_type.as_str() {
        "Relu" => Activation::Relu,
        "Tanh" => Activation::Tanh,
        "Sigmoid" => Activation::Sigmoid,
        "LeakyRelu" => {
            let alpha = operation.float("alpha", 0.01);
            if (alpha - 0.01).abs() > 1e-7 {
                return Err(operation.refused(format!("alpha is {alpha}, expected 0.01")));
            }
            Activation::LeakyRelu
        }
        "Gelu" => {
            if operation.text("approximate", "none") != "none" {
                return Err(operation.refused("it is an approximation; expected approximate=none".into()));
            }
            Activation::Gelu
        }
        "Clip" => {
            let bound = |place: usize, name: &str, nothing: f32| {
                if !operation.has(place) {
                    return Ok(operation.float(name, nothing));
                }
                let constant = operation.constant(place)?;
                constant
                    .scalar()
                    .ok_or_else(|| operation.refused(format!("its bound has shape {:?}", constant.shape())))
            };
            let (low, high) = (bound(1, "min", f32::NEG_INFINITY)?, bound(2, "max", f32::INFINITY)?);
            if low != 0.0 || high < f32::MAX {
                return Err(operation.refused(format!("it cuts at {low} and {high}, expected at 0 and no upper bound")));
            }
            Activation::Relu
        }
        _ => {
            // Max, of two values in any order.
            place = usize::from(matches!(operation.inputs.first(), Some(Some(Value::Constant(_)))));
            let other = operation.constant(1 - place)?.scalar();
            if other != Some(0.0) || operation.inputs.len() != 2 {
                return Err(operation.refused("expected the larger of a value and 0".into()));
            }
            Activation::Relu
        }
    };
    let flow = operation.flow(place)?;
    push_activation(operation, steps, flow, function)
}

/// A function behind `flow`.
pub(super) fn push_activation(
    operation: &Operation<'_>,
    steps: &mut Steps,
    flow: &Flow,
    function: Activation,
) -> Result<Value, ImportError> {
    let layer = Layer::Activation { function };
    Ok(Value::Flow(steps.push(operation, flow, layer, Default::default(), flow.layout.clone())?))
}

/// A softmax over all outputs, which has to be the last thing that the network does.
pub(super) fn softmax(operation: &Operation<'_>) -> Result<Value, ImportError> {
    let flow = operation.flow(0)?;
    let rank = flow.layout.dims().len();
    let axis = operation.integer("axis", -1);
    if rank != 1 || ![1, -1].contains(&axis) {
        return Err(operation.refused(format!("along axis {axis} of values with {} dimensions", rank + 1)));
    }
    let transform = if operation.node.op_type == "Softmax" { Transform::Softmax } else { Transform::LogSoftmax };
    Ok(Value::Flow(Flow { transform, ..flow.clone() }))
}

/// Identity, dropout when predicting, and other kinds of numbers.
pub(super) fn unchanged(operation: &Operation<'_>, steps: &mut Steps) -> Result<Value, ImportError> {
    let kind = operation.integer("to", i64::from(kinds::FLOAT));
    let is_integer = operation.node.op_type == "Cast" && [kinds::INT64, kinds::INT32].map(i64::from).contains(&kind);
    let is_float = operation.node.op_type != "Cast" || [kinds::FLOAT, kinds::DOUBLE].map(i64::from).contains(&kind);
    if !is_integer && !is_float {
        return Err(operation.refused(format!("to data type {kind}, expected singles, doubles or integers")));
    }
    if operation.node.op_type == "Dropout" && operation.has(2) && operation.constant(2)?.scalar() != Some(0.0) {
        return Err(operation.refused("it drops numbers; export the network for prediction (PyTorch: .eval())".into()));
    }
    let Some(Some(Value::Constant(constant))) = operation.inputs.first() else {
        let flow = operation.flow_or_probabilities(0)?;
        return if is_integer && !steps.is_data(flow) {
            Err(operation.refused("it rounds what a layer gives".into()))
        } else {
            Ok(Value::Flow(flow.clone()))
        };
    };
    let is_cast = operation.node.op_type == "Cast";
    if is_cast {
        steps.spend(constant.shape().iter().product(), operation)?;
    }
    Ok(Value::Constant(match constant {
        Constant::Floats { shape, values } if is_cast && is_integer => Constant::Integers {
            shape: shape.clone(),
            values: values.iter().map(|&value| Some(value as i64)).collect(),
        },
        Constant::Integers { shape, .. } if is_cast && !is_integer => match constant.floats() {
            Some(values) => Constant::Floats { shape: shape.clone(), values },
            None => return Err(operation.refused("it depends on the number of examples".into())),
        },
        constant => constant.clone(),
    }))
}
