//! A network up to its last layer as the features of a linear model.

use infimum_deep::engine::Network;
use infimum_deep::training::{Inputs, outputs};
use infimum_problem::deep::{Architecture, Layer, Parameter, Scaling, parameters, shapes};
use infimum_problem::{Matrix, Model};

/// What stands before the last dense layer.
#[derive(Debug, Clone, PartialEq)]
pub struct Layers {
    /// The network without its last layer.
    pub architecture: Architecture,
    /// Its parameters.
    pub parameters: Vec<f32>,
    /// Its running values.
    pub buffers: Vec<f32>,
}

/// A network with its numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct DeepNetwork {
    /// Its layers.
    pub architecture: Architecture,
    /// Its parameters.
    pub parameters: Vec<f32>,
    /// Its running values.
    pub buffers: Vec<f32>,
}

impl Layers {
    /// Whether the last layer is dense and reads one list of numbers, as [`Layers::split`] and the head need it; gives its units, its inputs, and whether it has biases.
    pub fn check(architecture: &Architecture) -> Result<(usize, usize, bool), String> {
        let all = shapes(architecture)?;
        let Some((Layer::Dense { units, bias }, before)) = architecture.layers.split_last() else {
            return Err("the last layer is to be dense".into());
        };
        match all[before.len()].as_slice() {
            &[width] => Ok((*units, width, *bias)),
            got => Err(format!("the last layer is to read one list of numbers, it reads values of shape {got:?}")),
        }
    }

    /// Takes the last layer off: what is left, and that layer as a linear model.
    pub fn split(architecture: &Architecture, values: &[f32], buffers: &[f32]) -> Result<(Layers, Model), String> {
        let (units, width, bias) = Layers::check(architecture)?;
        let last = units * width + if bias { units } else { 0 };
        let (front, head) = values.split_at(values.len() - last);
        let (weights, biases) = head.split_at(units * width);
        let doubles = |values: &[f32]| values.iter().map(|&value| f64::from(value)).collect::<Vec<f64>>();
        let intercepts = if bias { doubles(biases) } else { vec![0.0; units] };
        let model = Model { outputs: units, columns: width, weights: doubles(weights), intercepts };
        let before = architecture.layers[..architecture.layers.len() - 1].to_vec();
        let architecture = Architecture { layers: before, ..architecture.clone() };
        Ok((Layers { architecture, parameters: front.to_vec(), buffers: buffers.to_vec() }, model))
    }

    /// Puts a last layer behind these: the inverse of [`Layers::split`]; `biases` says whether that layer has some.
    pub fn join(&self, model: &Model, biases: bool) -> Vec<f32> {
        let intercepts = if biases { model.intercepts.as_slice() } else { &[] };
        let last = model.weights.iter().chain(intercepts).map(|&value| value as f32);
        self.parameters.iter().copied().chain(last).collect()
    }

    /// Number of features.
    pub fn width(&self) -> usize {
        shapes(&self.architecture)
            .ok()
            .and_then(|shapes| shapes.last().map(|shape| shape.iter().product()))
            .unwrap_or(0)
    }

    /// Whether the lists are as long as the architecture needs them.
    pub fn fits(&self) -> Result<(), String> {
        let expected = parameters(&self.architecture)?.last().map_or(0, |last| last.range.end);
        let buffers = infimum_problem::deep::buffers(&self.architecture)?.last().map_or(0, |last| last.range.end);
        if (self.parameters.len(), self.buffers.len()) != (expected, buffers) {
            let got = (self.parameters.len(), self.buffers.len());
            return Err(format!("expected {expected} parameters and {buffers} running values, got {got:?}"));
        }
        match self.parameters.iter().chain(&self.buffers).find(|value| !value.is_finite()) {
            Some(value) => Err(format!("expected finite parameters, got {value}")),
            None => Ok(()),
        }
    }

    /// Features of every row, row-major, in single precision.
    pub fn features(&self, matrix: &Matrix) -> Vec<f32> {
        let inputs = Inputs::new(matrix, &self.architecture.scaling);
        match Network::new(&self.architecture) {
            Ok(network) if !self.architecture.layers.is_empty() => {
                outputs(&network, &self.parameters, &self.buffers, &inputs)
            }
            _ => inputs.all(),
        }
    }
}

/// Shift and scale that give the training rows mean 0 and variance 1: of all values together if the input is an image with one channel or more, of
/// each column else. A constant keeps its scale.
pub fn standard_scaling(matrix: &Matrix, input: &[usize]) -> Scaling {
    let (rows, columns) = (matrix.rows(), matrix.columns());
    let groups = match input {
        [_] => columns,
        [.., channels] => *channels,
        [] => 1,
    };
    let mut sums = vec![0.0f64; groups];
    for i in 0..rows {
        matrix.row(i).for_each(|j, x| sums[j % groups] += x);
    }
    let count = (rows * (columns / groups.max(1))).max(1) as f64;
    let means: Vec<f64> = sums.iter().map(|sum| sum / count).collect();
    let mut squares = vec![0.0f64; groups];
    for i in 0..rows {
        let mut stored = vec![0usize; groups];
        matrix.row(i).for_each(|j, x| {
            squares[j % groups] += (x - means[j % groups]).powi(2);
            stored[j % groups] += 1;
        });
        // What is not stored is 0.
        for (group, stored) in stored.into_iter().enumerate() {
            squares[group] += (columns / groups - stored) as f64 * means[group] * means[group];
        }
    }
    let scale = |square: &f64| {
        let deviation = (square / count).sqrt();
        let scale = (1.0 / deviation) as f32;
        if deviation > 1e-12 && scale.is_finite() { scale } else { 1.0 }
    };
    Scaling { shift: means.iter().map(|&mean| mean as f32).collect(), scale: squares.iter().map(scale).collect() }
}

/// Multiplications that one example costs, about: each weight once for every position of its layer.
pub(super) fn operations(architecture: &Architecture) -> f64 {
    let (Ok(shapes), Ok(list)) = (shapes(architecture), parameters(architecture)) else { return f64::INFINITY };
    let positions = |place: usize| shapes[place][..shapes[place].len() - 1].iter().product::<usize>() as f64;
    let cost = |parameter: &Parameter| {
        // Names begin with the number of the layer, counted from 1.
        let layer = parameter.name.split('.').next().and_then(|number| number.parse::<usize>().ok()).unwrap_or(1);
        parameter.range.len() as f64 * positions(layer - 1).max(positions(layer))
    };
    list.iter().map(cost).sum()
}

#[cfg(test)]
mod tests {
    use infimum_problem::deep::{Activation, Padding};

    use super::*;

    #[test]
    fn layers_are_split_and_joined() {
        let architecture = Architecture::dense(3, &[4], 2, Activation::Relu, true, true);
        let values: Vec<f32> = (0..26).map(|i| i as f32).collect();
        let (layers, model) = Layers::split(&architecture, &values, &[]).unwrap();
        assert_eq!((layers.parameters.len(), model.outputs, model.columns), (16, 2, 4));
        assert_eq!(layers.join(&model, true), values);
        let mut other = architecture;
        other.layers.push(Layer::Activation { function: Activation::Relu });
        assert!(Layers::check(&other).unwrap_err().contains("dense"));
    }

    #[test]
    fn operations_count_positions() {
        let convolution =
            Layer::Convolution { channels: 3, kernel: [3, 3], stride: 1, padding: Padding::Same, bias: false };
        let layers = vec![convolution, Layer::Flatten, Layer::Dense { units: 2, bias: false }];
        let architecture = Architecture { input: vec![4, 5, 1], scaling: Scaling::default(), layers };
        assert_eq!(operations(&architecture), 27.0 * 20.0 + 120.0);
    }
}
