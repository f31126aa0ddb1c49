//! Sums, differences, products and quotients, and the functions that files spell with them: `t·Φ(t)` and `t/(1 + exp(−t))`.

use infimum_problem::deep::{Activation, Layer};

use super::super::tensor::Constant;
use super::elementwise::push_activation;
use super::operation::Operation;
use super::steps::{Flow, Steps};
use super::{ImportError, Transform, Value};

/// `factor · x^power · e`: what is on the way from x to `x·(1 + erf(x/√2))/2`.
#[derive(Debug, Clone)]
pub(super) struct Term {
    of: Flow,
    factor: f64,
    power: u32,
    error_function: ErrorFunction,
    operator: String,
    node: String,
}

/// `e` in a [`Term`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ErrorFunction {
    /// 1.
    Absent,
    /// `erf(x/√2)`.
    Plain,
    /// `1 + erf(x/√2)`.
    PlusOne,
}

impl Term {
    /// The error that this is no layer.
    pub fn refused(&self) -> ImportError {
        let why = "products with constants are layers only as a part of Gelu, or where they scale the data".into();
        ImportError::Unsupported { operator: self.operator.clone(), node: self.node.clone(), why }
    }

    fn new(of: &Flow, factor: f64, operation: &Operation<'_>) -> Term {
        let node = operation.node.output.first().cloned().unwrap_or_default();
        Term {
            of: of.clone(),
            factor,
            power: 1,
            error_function: ErrorFunction::Absent,
            operator: operation.node.op_type.clone(),
            node,
        }
    }
}

fn is_near(value: f64, expected: f64) -> bool {
    (value - expected).abs() <= 1e-6
}

/// Erf.
pub(super) fn error_function(operation: &Operation<'_>) -> Result<Value, ImportError> {
    match operation.inputs.first() {
        Some(Some(Value::Term(term)))
            if term.power == 1
                && term.error_function == ErrorFunction::Absent
                && is_near(term.factor, std::f64::consts::FRAC_1_SQRT_2) =>
        {
            Ok(Value::Term(Term { factor: 1.0, power: 0, error_function: ErrorFunction::Plain, ..term.clone() }))
        }
        _ => Err(operation.refused("expected x/√2 as its input, as a part of Gelu".into())),
    }
}

/// Add, Sub, Mul, Div.
pub(super) fn binary(operation: &Operation<'_>, steps: &mut Steps) -> Result<Value, ImportError> {
    let [Some(a), Some(b)] = operation.inputs.as_slice() else {
        return Err(operation.refused(format!("expected two inputs, got {}", operation.inputs.len())));
    };
    for value in [a, b] {
        if matches!(value, Value::Flow(flow) if flow.transform != Transform::None) {
            return Err(operation.refused("it reads the output of a softmax".into()));
        }
    }
    match (operation.node.op_type.as_str(), a, b) {
        (name, Value::Constant(a), Value::Constant(b)) => constants(operation, steps, name, a, b),
        ("Add", Value::Flow(a), Value::Flow(b)) => Ok(Value::Flow(steps.add(operation, a, b)?)),
        ("Add", Value::Flow(flow), Value::Constant(constant))
        | ("Add", Value::Constant(constant), Value::Flow(flow)) => add_constant(operation, steps, flow, constant, 1.0),
        ("Sub", Value::Flow(flow), Value::Constant(constant)) => add_constant(operation, steps, flow, constant, -1.0),
        ("Mul", Value::Flow(flow), Value::Constant(constant))
        | ("Mul", Value::Constant(constant), Value::Flow(flow)) => {
            multiply(operation, steps, flow, constant, |number| number)
        }
        ("Div", Value::Flow(flow), Value::Constant(constant)) => {
            multiply(operation, steps, flow, constant, |number| 1.0 / number)
        }
        ("Mul", Value::Flow(a), Value::Flow(b)) => {
            let gate = |gate: &Flow, of: &Flow| steps.is_activation(gate, of, Activation::Sigmoid);
            match (gate(a, b), gate(b, a)) {
                (true, _) => push_activation(operation, steps, b, Activation::Silu),
                (_, true) => push_activation(operation, steps, a, Activation::Silu),
                _ => Err(operation.refused("no layer multiplies two values, except x·sigmoid(x)".into())),
            }
        }
        ("Mul", Value::Term(term), Value::Flow(flow)) | ("Mul", Value::Flow(flow), Value::Term(term)) => {
            product(operation, steps, term, &Term::new(flow, 1.0, operation))
        }
        ("Mul", Value::Term(a), Value::Term(b)) => product(operation, steps, a, b),
        (name, Value::Term(term), Value::Constant(constant)) | (name, Value::Constant(constant), Value::Term(term)) => {
            let number = constant.scalar().map(f64::from).ok_or_else(|| term.refused())?;
            match (name, term.error_function) {
                ("Add", ErrorFunction::Plain) if term.power == 0 && term.factor == 1.0 && number == 1.0 => {
                    Ok(Value::Term(Term { error_function: ErrorFunction::PlusOne, ..term.clone() }))
                }
                ("Mul", _) => scaled(operation, steps, term, number),
                ("Div", _) if matches!(b, Value::Constant(_)) => scaled(operation, steps, term, 1.0 / number),
                _ => Err(term.refused()),
            }
        }
        (_, Value::Term(term), _) | (_, _, Value::Term(term)) => Err(term.refused()),
        (name, ..) => Err(operation.refused(format!("no layer computes this {name} of values"))),
    }
}

fn scaled(operation: &Operation<'_>, steps: &mut Steps, term: &Term, by: f64) -> Result<Value, ImportError> {
    let term = Term { factor: term.factor * by, ..term.clone() };
    complete(operation, steps, term)
}

fn product(operation: &Operation<'_>, steps: &mut Steps, a: &Term, b: &Term) -> Result<Value, ImportError> {
    let same = a.of.step == b.of.step && a.of.layout == b.of.layout;
    let error_function = match (a.error_function, b.error_function) {
        (ErrorFunction::Absent, other) | (other, ErrorFunction::Absent) => other,
        _ => return Err(a.refused()),
    };
    if !same {
        return Err(a.refused());
    }
    let (factor, power) = (a.factor * b.factor, a.power.saturating_add(b.power));
    complete(operation, steps, Term { factor, power, error_function, ..a.clone() })
}

/// A term, or Gelu if it is that.
fn complete(operation: &Operation<'_>, steps: &mut Steps, term: Term) -> Result<Value, ImportError> {
    if term.power == 1 && term.error_function == ErrorFunction::PlusOne && is_near(term.factor, 0.5) {
        push_activation(operation, steps, &term.of, Activation::Gelu)
    } else {
        Ok(Value::Term(term))
    }
}

/// The numbers of a constant for a value of shape `dims`, in ONNX's flat order; `None` if the shapes do not fit.
fn broadcast(constant: &Constant, dims: &[usize]) -> Option<Vec<f32>> {
    let (shape, values) = (constant.shape(), constant.floats()?);
    // Without leading ones the constant has at most the dimensions of one example.
    let leading = shape.len().saturating_sub(dims.len());
    if shape[..leading].iter().any(|&size| size != 1) {
        return None;
    }
    let shape = &shape[leading..];
    let mut places = vec![0];
    let mut stride = values.len();
    for (place, &dim) in dims.iter().enumerate() {
        let size = (place + shape.len()).checked_sub(dims.len()).map_or(1, |place| shape[place]);
        if size != 1 && size != dim {
            return None;
        }
        stride /= size;
        let step = if size == 1 { 0 } else { stride };
        places = places.iter().flat_map(|&start| (0..dim).map(move |index| start + index * step)).collect();
    }
    Some(places.into_iter().map(|place| values[place]).collect())
}

/// One number for all columns of the data or one for each, in our order.
fn for_columns(
    operation: &Operation<'_>,
    steps: &mut Steps,
    flow: &Flow,
    constant: &Constant,
) -> Result<Vec<f32>, ImportError> {
    if let Some(number) = constant.scalar() {
        return Ok(vec![number]);
    }
    let dims = flow.layout.dims();
    steps.spend(dims.iter().product(), operation)?;
    let misfit =
        || operation.refused(format!("a constant of shape {:?} for values of shape [N, {dims:?}]", constant.shape()));
    let numbers = broadcast(constant, dims).ok_or_else(misfit)?;
    let mut ours = vec![0.0; numbers.len()];
    flow.layout.places().into_iter().zip(&numbers).for_each(|(place, &number)| ours[place] = number);
    Ok(ours)
}

/// `flow + sign · constant`: a bias, or a shift of the data.
fn add_constant(
    operation: &Operation<'_>,
    steps: &mut Steps,
    flow: &Flow,
    constant: &Constant,
    sign: f32,
) -> Result<Value, ImportError> {
    if steps.is_data(flow) {
        let shift = for_columns(operation, steps, flow, constant)?.into_iter().map(|number| -sign * number).collect();
        return Ok(Value::Flow(steps.push_scaling(operation, flow, shift, true)?));
    }
    let (units, place) = match steps.layer(flow) {
        Some(&Layer::Dense { units, bias: false }) => (units, flow.layout.dims().len().saturating_sub(1)),
        Some(&Layer::Convolution { channels, bias: false, .. }) => (channels, 0),
        _ => {
            return Err(
                operation.refused("constants can be added only to what a linear layer without bias gives".into())
            );
        }
    };
    // All dimensions but that of the units are 1.
    let mut dims = vec![1; flow.layout.dims().len()];
    let Some(own) = dims.get_mut(place) else { return Err(operation.refused("values without dimensions".into())) };
    *own = units;
    match broadcast(constant, &dims) {
        Some(numbers) if flow.layout.dims()[place] == units => {
            let added: Vec<f32> = numbers.into_iter().map(|number| sign * number).collect();
            Ok(Value::Flow(steps.push_bias(operation, flow, &added)?))
        }
        _ => {
            Err(operation.refused(format!("a constant of shape {:?} for {units} units or channels", constant.shape())))
        }
    }
}

/// `flow · factor(constant)`: a scale of the data, or a part of Gelu.
fn multiply(
    operation: &Operation<'_>,
    steps: &mut Steps,
    flow: &Flow,
    constant: &Constant,
    factor: impl Fn(f64) -> f64,
) -> Result<Value, ImportError> {
    if steps.is_data(flow) {
        let numbers = for_columns(operation, steps, flow, constant)?.into_iter();
        let scale = numbers.map(|number| factor(f64::from(number)) as f32).collect();
        return Ok(Value::Flow(steps.push_scaling(operation, flow, scale, false)?));
    }
    let term = Term::new(flow, 1.0, operation);
    let number = constant.scalar().map(f64::from).ok_or_else(|| term.refused())?;
    scaled(operation, steps, &term, factor(number))
}

/// Arithmetic of two constants, of one shape or one of them a single number.
fn constants(
    operation: &Operation<'_>,
    steps: &mut Steps,
    name: &str,
    a: &Constant,
    b: &Constant,
) -> Result<Value, ImportError> {
    let count = |constant: &Constant| constant.shape().iter().product::<usize>();
    let (left, right) = (count(a), count(b));
    if a.shape() != b.shape() && left != 1 && right != 1 {
        return Err(operation.refused(format!("constants of shapes {:?} and {:?}", a.shape(), b.shape())));
    }
    let shape = if left == 1 { b.shape() } else { a.shape() }.to_vec();
    let places = 0..if left == 1 { right } else { left };
    steps.spend(places.len(), operation)?;
    let [first, second] = [left, right].map(|length| move |place: usize| if length == 1 { 0 } else { place });
    Ok(Value::Constant(match (a, b) {
        (Constant::Integers { values: a, .. }, Constant::Integers { values: b, .. }) => {
            let values = places.map(|place| {
                let (a, b) = (a[first(place)]?, b[second(place)]?);
                match name {
                    "Add" => a.checked_add(b),
                    "Sub" => a.checked_sub(b),
                    "Mul" => a.checked_mul(b),
                    _ => a.checked_div(b),
                }
            });
            Constant::Integers { shape, values: values.collect() }
        }
        _ => {
            let (Some(a), Some(b)) = (a.floats(), b.floats()) else {
                return Err(operation.refused("it depends on the number of examples".into()));
            };
            let values = places.map(|place| {
                let (a, b) = (a[first(place)], b[second(place)]);
                match name {
                    "Add" => a + b,
                    "Sub" => a - b,
                    "Mul" => a * b,
                    _ => a / b,
                }
            });
            Constant::Floats { shape, values: values.collect() }
        }
    }))
}
