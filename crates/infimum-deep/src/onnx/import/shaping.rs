//! What changes the shape or the order of numbers alone, and the arithmetic of shapes.

use infimum_problem::deep::Layer;

use super::super::tensor::Constant;
use super::operation::Operation;
use super::steps::{Flow, Steps};
use super::{ImportError, Value};

/// Flatten, Reshape, Squeeze, Unsqueeze.
pub(super) fn reshape(operation: &Operation<'_>, steps: &mut Steps) -> Result<Value, ImportError> {
    if let Some(Some(Value::Constant(constant))) = operation.inputs.first() {
        let shape: Vec<Option<i64>> = constant.shape().iter().map(|&size| Some(size as i64)).collect();
        let target = target(operation, &shape)?;
        let count: usize = constant.shape().iter().product();
        let shape = resolved(&target, count).ok_or_else(|| misfit(operation, constant.shape(), &target))?;
        return Ok(Value::Constant(constant.reshaped(shape)));
    }
    let flow = operation.flow_or_probabilities(0)?.clone();
    let dims = flow.layout.dims();
    let whole: Vec<Option<i64>> = std::iter::once(None).chain(dims.iter().map(|&dim| Some(dim as i64))).collect();
    let target = target(operation, &whole)?;
    let count: usize = dims.iter().product();
    let wrong = || misfit(operation, dims, &target);
    let (first, rest) = target.split_first().ok_or_else(wrong)?;
    let is_examples = first.is_none() || *first == steps.examples;
    // −1 in front is the number of examples if the rest is known.
    let is_rest = *first == Some(-1) && rest.iter().all(|size| size.is_some_and(|size| size > 0));
    let new = if is_examples || is_rest { resolved(rest, count) } else { None }.ok_or_else(wrong)?;
    shaped(operation, steps, &flow, new)
}

fn misfit(operation: &Operation<'_>, old: &[usize], target: &[Option<i64>]) -> ImportError {
    let shown: Vec<String> = target.iter().map(|size| size.map_or("N".into(), |size| size.to_string())).collect();
    operation.refused(format!("from values of shape {old:?} for each example to [{}]", shown.join(", ")))
}

/// The shape that the operator asks for, of a value of this one; `None` is the number of examples.
fn target(operation: &Operation<'_>, old: &[Option<i64>]) -> Result<Vec<Option<i64>>, ImportError> {
    match operation.node.op_type.as_str() {
        "Flatten" => {
            let axis = operation.integer("axis", 1);
            match old.split_first() {
                Some((&first, _)) if axis == 1 => Ok(vec![first, Some(-1)]),
                _ => Err(operation.refused(format!("axis {axis}, expected 1"))),
            }
        }
        "Reshape" => {
            let Constant::Integers { values, .. } = operation.constant(1)? else {
                return Err(operation.refused("expected integers as its shape".into()));
            };
            let zero_is_zero = operation.integer("allowzero", 0) != 0;
            let kept = |place: usize| old.get(place).copied().unwrap_or(Some(0));
            let sizes = values.iter().enumerate();
            Ok(sizes.map(|(place, &size)| if size == Some(0) && !zero_is_zero { kept(place) } else { size }).collect())
        }
        "Squeeze" => {
            let axes = match operation.list("axes", 1)? {
                Some(axes) => operation.axes(&axes, old.len())?,
                None => (0..old.len()).filter(|&axis| old[axis] == Some(1)).collect(),
            };
            match axes.iter().find(|&&axis| old[axis] != Some(1)) {
                Some(axis) => Err(operation.refused(format!("dimension {axis} is not 1"))),
                None => Ok((0..old.len()).filter(|axis| !axes.contains(axis)).map(|axis| old[axis]).collect()),
            }
        }
        _ => {
            let axes = operation.list("axes", 1)?.unwrap_or_default();
            let rank = old.len() + axes.len();
            let axes = operation.axes(&axes, rank)?;
            let mut rest = old.iter().copied();
            let sizes: Vec<Option<i64>> = (0..rank)
                .map(|axis| if axes.contains(&axis) { Some(1) } else { rest.next().unwrap_or(Some(1)) })
                .collect();
            if rest.next().is_some() { Err(operation.refused("an axis stands twice".into())) } else { Ok(sizes) }
        }
    }
}

/// Known sizes with at most one −1, which becomes what is needed for `count` numbers, of which there has to be one.
fn resolved(sizes: &[Option<i64>], count: usize) -> Option<Vec<usize>> {
    let mut known = 1usize;
    for size in sizes.iter().filter(|&&size| size != Some(-1)) {
        known = known.checked_mul(usize::try_from((*size)?).ok()?)?;
    }
    let open = sizes.iter().filter(|&&size| size == Some(-1)).count();
    if count == 0
        || open > 1
        || (open == 0 && known != count)
        || (open == 1 && (known == 0 || !count.is_multiple_of(known)))
    {
        return None;
    }
    sizes
        .iter()
        .map(|size| if *size == Some(-1) { Some(count / known) } else { usize::try_from((*size)?).ok() })
        .collect()
}

/// The same numbers with another shape; one dimension alone is a layer of ours where there were more.
fn shaped(operation: &Operation<'_>, steps: &mut Steps, flow: &Flow, dims: Vec<usize>) -> Result<Value, ImportError> {
    let is_row = dims.len() <= 1;
    let flow = Flow { layout: flow.layout.reshaped(dims), ..flow.clone() };
    if !is_row || steps.shape(&flow).len() == 1 {
        return Ok(Value::Flow(flow));
    }
    let flattened = steps.push(operation, &flow, Layer::Flatten, Default::default(), flow.layout.clone())?;
    Ok(Value::Flow(Flow { transform: flow.transform, ..flattened }))
}

/// Transpose.
pub(super) fn transpose(operation: &Operation<'_>, steps: &mut Steps) -> Result<Value, ImportError> {
    let order = |rank: usize| -> Result<Vec<usize>, ImportError> {
        let backwards: Vec<i64> = (0..rank as i64).rev().collect();
        let order = operation.axes(operation.integers("perm").unwrap_or(&backwards), rank)?;
        let mut sorted = order.clone();
        sorted.sort_unstable();
        if sorted.into_iter().eq(0..rank) {
            Ok(order)
        } else {
            Err(operation.refused(format!("order {order:?} of {rank} dimensions")))
        }
    };
    if let Some(Some(Value::Constant(constant))) = operation.inputs.first() {
        steps.spend(constant.shape().iter().product(), operation)?;
        return Ok(Value::Constant(constant.transposed(&order(constant.shape().len())?)));
    }
    let flow = operation.flow(0)?;
    let order = order(flow.layout.dims().len() + 1)?;
    let within: Option<Vec<usize>> = order[1..].iter().map(|&axis| axis.checked_sub(1)).collect();
    match within.filter(|_| order[0] == 0).and_then(|order| flow.layout.transposed(&order)) {
        Some(layout) => Ok(Value::Flow(Flow { layout, ..flow.clone() })),
        None => Err(operation.refused(format!("order {order:?} of values that are flat already, or of examples"))),
    }
}

/// Constant.
pub(super) fn constant(operation: &Operation<'_>) -> Result<Value, ImportError> {
    if let Some(tensor) = operation.tensor("value") {
        return Ok(Value::Constant(tensor?));
    }
    let integers = |shape: Vec<usize>, values: &[i64]| Constant::Integers {
        shape,
        values: values.iter().map(|&value| Some(value)).collect(),
    };
    let floats = |shape: Vec<usize>, values: &[f32]| Constant::Floats { shape, values: values.into() };
    let attribute = operation.node.attribute.first().map_or("", |attribute| attribute.name.as_str());
    match attribute {
        "value_int" => Ok(Value::Constant(integers(Vec::new(), &[operation.integer(attribute, 0)]))),
        "value_float" => Ok(Value::Constant(floats(Vec::new(), &[operation.float(attribute, 0.0)]))),
        "value_ints" => {
            let values = operation.integers(attribute).unwrap_or(&[]);
            Ok(Value::Constant(integers(vec![values.len()], values)))
        }
        "value_floats" => {
            let values = operation.floats(attribute).unwrap_or(&[]);
            Ok(Value::Constant(floats(vec![values.len()], values)))
        }
        _ => Err(operation.refused(format!("attribute `{attribute}`, expected numbers"))),
    }
}

/// Shape, and of lists of integers Gather, Concat and Slice.
pub(super) fn sizes(operation: &Operation<'_>, steps: &mut Steps) -> Result<Value, ImportError> {
    if operation.node.op_type == "Shape" {
        let all: Vec<Option<i64>> = match operation.inputs.first() {
            Some(Some(Value::Constant(constant))) => constant.shape().iter().map(|&size| Some(size as i64)).collect(),
            _ => {
                let dims = operation.flow(0)?.layout.dims();
                std::iter::once(None).chain(dims.iter().map(|&dim| Some(dim as i64))).collect()
            }
        };
        let (start, end) = (operation.integer("start", 0), operation.integer("end", all.len() as i64));
        return Ok(Value::Constant(Constant::integers(all[range(start, end, all.len())].to_vec())));
    }
    let lists = (0..operation.inputs.len()).map(|place| match operation.constant(place)? {
        Constant::Integers { shape, values } if shape.len() <= 1 => Ok((shape.len(), values.clone())),
        _ => Err(operation.refused("expected lists of integers".into())),
    });
    let lists = lists.collect::<Result<Vec<_>, ImportError>>()?;
    steps.spend(lists.iter().map(|(_, list)| list.len()).sum(), operation)?;
    let known = |place: usize| lists.get(place).and_then(|(_, list)| list.first().copied().flatten());
    match (operation.node.op_type.as_str(), lists.as_slice()) {
        ("Concat", lists) => {
            Ok(Value::Constant(Constant::integers(lists.iter().flat_map(|(_, list)| list.iter().copied()).collect())))
        }
        ("Gather", [(1, list), (rank, wanted)]) => {
            let place = |index: i64| {
                usize::try_from(if index < 0 { index.checked_add(list.len() as i64)? } else { index }).ok()
            };
            let gathered = wanted.iter().map(|&index| list.get(place(index?)?).copied()).collect::<Option<Vec<_>>>();
            let values = gathered.ok_or_else(|| operation.refused("an index outside the list".into()))?;
            let shape = if *rank == 0 { Vec::new() } else { vec![values.len()] };
            Ok(Value::Constant(Constant::Integers { shape, values: values.into() }))
        }
        ("Slice", [(1, list), ..]) if matches!(known(4), None | Some(1)) => match (known(1), known(2)) {
            (Some(start), Some(end)) => {
                Ok(Value::Constant(Constant::integers(list[range(start, end, list.len())].to_vec())))
            }
            _ => Err(operation.refused("expected known places".into())),
        },
        _ => Err(operation.refused("expected lists of integers".into())),
    }
}

/// Places from `start` to before `end`, negative ones counted from the end.
fn range(start: i64, end: i64, length: usize) -> std::ops::Range<usize> {
    let [start, end] = [start, end].map(|place| {
        let place = if place < 0 { place.saturating_add(length as i64) } else { place };
        usize::try_from(place).unwrap_or(0).min(length)
    });
    start..end.max(start)
}
