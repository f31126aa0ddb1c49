//! Networks of threshold units (rungs 2 and 3).

use infimum_problem::{ColumnScale, Columns, Function, Network, Neuron, Unit};

use super::super::builder::{Builder, integer};
use super::super::proto::kinds;
use super::{ExportError, Output, names, outputs};

/// A network of threshold units, in doubles; `z` is 1 or 0 for each output. `neurons` are the free units in order, over the columns' integers, of which `scales` are the units
/// of measurement.
///
/// A column's value is divided by its unit and taken for the nearest integer if it is one up to rounding (relative 10⁻¹⁵); finer values stay as they are. So the sums are exact, as those of
/// `infimum predict` are, as long as values are integers of their unit and weights and sums are below 2⁵³.
pub fn export_threshold(
    network: &Network,
    neurons: &[Neuron],
    scales: &[ColumnScale],
    output: Output<'_>,
) -> Result<Vec<u8>, ExportError> {
    if let Some(fault) = network.fault(scales.len()) {
        return Err(ExportError::Architecture(fault));
    }
    let free = network.units.iter().filter(|unit| unit.is_free()).count();
    if neurons.len() != free {
        return Err(ExportError::Length { what: "units with weights", expected: free, got: neurons.len() });
    }
    let mut builder = Builder::default();
    let integers = integers(&mut builder, scales)?;
    let mut neurons = neurons.iter();
    let mut values: Vec<String> = Vec::with_capacity(network.units.len());
    for unit in &network.units {
        let (weights, bias) = match (&unit.function, unit.is_free().then(|| neurons.next()).flatten()) {
            (Function::Fixed { weights, bias }, _) => (weights.iter().map(|&w| w as f64).collect(), *bias as f64),
            (Function::Free, neuron) => numbers(unit, neuron)?,
        };
        values.push(value(&mut builder, unit, scales.len(), &integers, &values, &weights, bias)?);
    }
    let outputs_of: Vec<&str> = network.outputs.iter().map(|&unit| values[unit as usize].as_str()).collect();
    let z = builder.node("Concat", &outputs_of, vec![integer("axis", 1)]);
    outputs::add(&mut builder, &z, kinds::DOUBLE, network.outputs.len(), output);
    builder.finish(kinds::DOUBLE, scales.len(), names(output))
}

/// Weights and bias as doubles.
fn numbers(unit: &Unit, neuron: Option<&Neuron>) -> Result<(Vec<f64>, f64), ExportError> {
    let Some(Neuron { weights, bias }) = neuron else { return Ok((Vec::new(), 0.0)) };
    let weights: Vec<f64> = weights.iter().map(|weight| weight.to_f64().value()).collect();
    let bias = bias.to_f64().value();
    if weights.iter().chain([&bias]).all(|number| number.is_finite()) {
        Ok((weights, bias))
    } else {
        Err(ExportError::Architecture(format!("unit `{}`: its weights are too large for doubles", unit.name)))
    }
}

/// `x / (10^ten · 2^two)` for each column, integers made exact.
fn integers(builder: &mut Builder, scales: &[ColumnScale]) -> Result<String, ExportError> {
    let power = |ten: i32, two: i32| 10f64.powi(ten.max(0)) * 2f64.powi(two.max(0));
    let up: Vec<f64> =
        scales.iter().map(|scale| power(scale.ten.saturating_neg(), scale.two.saturating_neg())).collect();
    let down: Vec<f64> = scales.iter().map(|scale| power(scale.ten, scale.two)).collect();
    if let Some(column) = (0..scales.len()).find(|&column| !(up[column].is_finite() && down[column].is_finite())) {
        let ColumnScale { ten, two } = scales[column];
        let why = format!("column {}: its unit 10^{ten}·2^{two} is no double", column + 1);
        return Err(ExportError::Architecture(why));
    }
    let up = builder.doubles("up", &[scales.len()], up);
    let down = builder.doubles("down", &[scales.len()], down);
    let raised = builder.node("Mul", &["x", &up], Vec::new());
    let divided = builder.node("Div", &[&raised, &down], Vec::new());
    let rounded = builder.node("Round", &[&divided], Vec::new());
    let difference = builder.node("Sub", &[&divided, &rounded], Vec::new());
    let difference = builder.node("Abs", &[&difference], Vec::new());
    let tolerance = builder.number(kinds::DOUBLE, 1e-15);
    let size = builder.node("Abs", &[&rounded], Vec::new());
    let allowed = builder.node("Mul", &[&size, &tolerance], Vec::new());
    let is_integer = builder.node("LessOrEqual", &[&difference, &allowed], Vec::new());
    Ok(builder.node("Where", &[&is_integer, &rounded, &divided], Vec::new()))
}

/// `1 iff Σ weights·inputs + bias > 0`, of shape `[N, 1]`.
fn value(
    builder: &mut Builder,
    unit: &Unit,
    columns: usize,
    integers: &str,
    values: &[String],
    weights: &[f64],
    bias: f64,
) -> Result<String, ExportError> {
    let read = unit.columns.list(columns);
    let expected = read.len() + unit.units.len();
    if weights.len() != expected {
        return Err(ExportError::Length { what: "weights of a unit", expected, got: weights.len() });
    }
    let (of_columns, of_units) = weights.split_at(read.len());
    let mut sum = builder.doubles(&format!("{}.bias", unit.name), &[1, 1], [bias]);
    if unit.columns != Columns::None {
        let mut all = vec![0.0; columns];
        read.iter().zip(of_columns).for_each(|(&column, &weight)| all[column as usize] = weight);
        let w = builder.doubles(&format!("{}.columns", unit.name), &[columns, 1], all);
        let part = builder.node("MatMul", &[integers, &w], Vec::new());
        sum = builder.node("Add", &[&part, &sum], Vec::new());
    }
    if !unit.units.is_empty() {
        let inputs: Vec<&str> = unit.units.iter().map(|&input| values[input as usize].as_str()).collect();
        let inputs = builder.node("Concat", &inputs, vec![integer("axis", 1)]);
        let w = builder.doubles(&format!("{}.units", unit.name), &[of_units.len(), 1], of_units.iter().copied());
        let part = builder.node("MatMul", &[&inputs, &w], Vec::new());
        sum = builder.node("Add", &[&part, &sum], Vec::new());
    }
    let zero = builder.number(kinds::DOUBLE, 0.0);
    let is_above = builder.node("Greater", &[&sum, &zero], Vec::new());
    Ok(builder.node("Cast", &[&is_above], vec![integer("to", kinds::DOUBLE.into())]))
}
