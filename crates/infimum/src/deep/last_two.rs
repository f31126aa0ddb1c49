//! The two last layers given what they read: a two-layer ReLU network about a stored, hashed file of features, with a certificate of rung 4.
//!
//! Where a network ends in dense, relu, dense, and h_i are the values that the first of these reads, its objective is, up to the penalty of the layers before,
//! `Σ_i c_i loss(y_i, A relu(W h_i + b) + c) + (λ2/2)(‖W‖² + ‖b‖² + ‖A‖² + ‖c‖²)`: the problem of docs/relu.md with the rows h_i. Its bound holds for every number of
//! hidden units, and for these h_i alone: it says nothing about the layers before.

use std::path::Path;

use infimum_problem::deep::{Activation, Architecture, Layer};
use infimum_problem::{HiddenBias, Model, Monitor, Problem, ReluNet};
use infimum_relu::relaxation::Relaxation;

use super::features::stored;
use super::layers::Layers;
use crate::fit::FitOptions;
use crate::relu::{NetFit, NetOptions, fit_net};

/// Features, rows times their number, beyond which hardly any problem is affordable: they are not even gathered.
const MOST_VALUES: usize = 1 << 23;

/// The two last layers with their proof, which is about the features alone.
#[derive(Debug, Clone)]
pub struct LastTwo {
    /// The problem of rung 4; its data are the file of features.
    pub fit: NetFit,
    /// The objective of the layers that training left, unnormalised.
    pub before: f64,
    /// The penalty of the layers before, which is the rest of the network's objective.
    pub front: f64,
    /// Whether the network of rung 4 is in the network.
    pub put_back: bool,
}

/// A network, divided before its two last layers.
pub(super) struct Divided {
    /// What stands before them.
    pub(super) front: Layers,
    /// The whole network without its last layer.
    architecture: Architecture,
    /// Them, as a network of its own.
    pub(super) net: ReluNet,
    hidden_bias: bool,
    output_bias: bool,
}

impl Divided {
    /// Divides a network that ends in dense, relu (and dropout), dense, and has layers with weights before; `None` of others.
    pub(super) fn new(architecture: &Architecture, parameters: &[f32], buffers: &[f32]) -> Option<Divided> {
        let (before, last) = Layers::split(architecture, parameters, buffers).ok()?;
        let mut middle = before.clone();
        while let Some(Layer::Dropout { .. }) = middle.architecture.layers.last() {
            middle.architecture.layers.pop();
        }
        let Some(Layer::Activation { function: Activation::Relu }) = middle.architecture.layers.pop() else {
            return None;
        };
        let (_, _, hidden_bias) = Layers::check(&middle.architecture).ok()?;
        let (_, _, output_bias) = Layers::check(architecture).ok()?;
        let (front, hidden) = Layers::split(&middle.architecture, &middle.parameters, buffers).ok()?;
        let net = ReluNet {
            outputs: last.outputs,
            columns: hidden.columns,
            width: hidden.outputs,
            hidden: hidden.weights,
            hidden_biases: hidden.intercepts,
            output: last.weights,
            output_biases: last.intercepts,
        };
        let architecture = before.architecture;
        (!front.parameters.is_empty()).then_some(Divided { front, architecture, net, hidden_bias, output_bias })
    }

    /// The whole network's parameters with other last layers, of at most as many units; units that lack are 0.
    pub(super) fn join(&self, net: &ReluNet) -> Vec<f32> {
        let (width, outputs) = (self.net.width, net.outputs);
        let mut hidden = Model {
            outputs: width,
            columns: net.columns,
            weights: net.hidden.clone(),
            intercepts: net.hidden_biases.clone(),
        };
        hidden.weights.resize(width * net.columns, 0.0);
        hidden.intercepts.resize(width, 0.0);
        let row = |k: usize| {
            let own = net.output[k * net.width..(k + 1) * net.width].iter().copied();
            own.chain(std::iter::repeat_n(0.0, width - net.width))
        };
        let last = Model {
            outputs,
            columns: width,
            weights: (0..outputs).flat_map(row).collect(),
            intercepts: net.output_biases.clone(),
        };
        let parameters = self.front.join(&hidden, self.hidden_bias);
        let before =
            Layers { architecture: self.architecture.clone(), parameters, buffers: self.front.buffers.clone() };
        before.join(&last, self.output_bias)
    }

    /// Searches for better last layers and bounds those of every width; `None` where a step of the bound takes too long.
    pub(super) fn solve(
        &self,
        folder: &Path,
        problem: &Problem,
        options: &FitOptions,
        monitor: &dyn Monitor,
    ) -> Result<Option<NetFit>, String> {
        let width = self.net.columns;
        if problem.data.rows().saturating_mul(width) > MOST_VALUES {
            return Ok(None);
        }
        let features = self.front.features(&problem.data.matrix);
        let constant = self.hidden_bias.then_some(1.0);
        let row = |row: &[f32]| row.iter().map(|&h| f64::from(h)).chain(constant).collect::<Vec<f64>>();
        let rows = features.chunks_exact(width).map(row);
        if !Relaxation::new(problem, width + usize::from(self.hidden_bias), rows).is_affordable(2) {
            return Ok(None);
        }
        let loaded = stored(folder, &features, width, problem)?;
        let hidden_bias = if self.hidden_bias { HiddenBias::Penalized } else { HiddenBias::None };
        let FitOptions { gap, abs_gap, threads, seed, .. } = *options;
        let start = Some(self.net.clone());
        let options = NetOptions { width: self.net.width, hidden_bias, gap, abs_gap, threads, seed, start };
        fit_net(loaded, &options, monitor).map(Some).map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use infimum_data::{Request, load};
    use infimum_deep::engine::Network;
    use infimum_deep::training::{Processor, Rows, Setup, TrainingOptions, objective_in_doubles};
    use infimum_problem::deep::Scaling;
    use infimum_problem::{Intercept, Silent, Strength};

    use super::*;

    #[test]
    fn networks_are_divided_and_joined() {
        for (hidden, output) in [(true, true), (false, true), (true, false)] {
            let architecture = Architecture::dense(3, &[4, 2], 2, Activation::Relu, hidden, output);
            let count = 12 + 8 + 4 + if hidden { 6 } else { 0 } + if output { 2 } else { 0 };
            let values: Vec<f32> = (0..count).map(|i| i as f32).collect();
            let divided = Divided::new(&architecture, &values, &[]).expect("dense, relu, dense");
            assert_eq!((divided.net.columns, divided.net.width, divided.net.outputs), (4, 2, 2));
            assert_eq!(divided.join(&divided.net), values);
            let narrow = ReluNet {
                width: 1,
                hidden: divided.net.hidden[..4].to_vec(),
                hidden_biases: divided.net.hidden_biases[..1].to_vec(),
                output: vec![5.0, 6.0],
                ..divided.net.clone()
            };
            let joined = divided.join(&narrow);
            let (layers, last) = Layers::split(&architecture, &joined, &[]).expect("fits");
            assert_eq!((joined.len(), last.weights), (count, vec![5.0, 0.0, 6.0, 0.0]));
            assert_eq!(layers.parameters.iter().rev().take(1).collect::<Vec<_>>(), [&0.0]);
        }
    }

    #[test]
    fn other_ends_are_not_divided() {
        let dense = |units| Layer::Dense { units, bias: true };
        let relu = || Layer::Activation { function: Activation::Relu };
        let tanh = || Layer::Activation { function: Activation::Tanh };
        let with = |layers: Vec<Layer>| Architecture { input: vec![2], scaling: Scaling::default(), layers };
        let divides = |layers: Vec<Layer>, count: usize| Divided::new(&with(layers), &vec![1.0; count], &[]).is_some();
        assert!(divides(vec![dense(2), tanh(), dense(2), relu(), Layer::Dropout { rate: 0.5 }, dense(1)], 15));
        assert!(!divides(vec![dense(2), relu(), dense(2), tanh(), dense(1)], 15));
        assert!(
            !divides(vec![dense(2), relu(), dense(1)], 9),
            "the features are the columns: the network's own bound is about them"
        );
        assert!(!divides(vec![dense(2), dense(1)], 9));
    }

    /// Rung 4 lowers what random weights leave, its network fits back, and no other last layers of whatever width lie below its bound.
    #[test]
    fn no_two_last_layers_are_below_the_bound() {
        let request = |target: &str, more: &[&str]| Request {
            target: Some(target.into()),
            more_targets: more.iter().map(|name| name.to_string()).collect(),
            intercept: Some(Intercept::Penalized),
            strength: Some(Strength::PerExample { l1: 0.0, l2: 0.01 }),
            ..Request::default()
        };
        for (data, request) in [
            ("builtin:moons", request("-1", &[])),
            ("builtin:iris", request("species", &[])),
            ("builtin:friedman", request("1", &["2"])),
        ] {
            let loaded = load(data, &request).expect("loads");
            let (problem, folder) = (&loaded.problem, tempfile::tempdir().expect("a folder"));
            let (columns, outputs) = (problem.data.columns(), problem.outputs());
            let network = |width: usize| {
                let widths = [3, width];
                Architecture::dense(columns, &widths, outputs, Activation::Relu, true, true)
            };
            let architecture = network(4);
            let options = TrainingOptions::default();
            let objective = |architecture: &Architecture, parameters: &[f32]| {
                let network = Network::new(architecture).expect("a network");
                let rows = Rows::new(problem, architecture);
                let (network, rows, options) = (&network, &rows, &options);
                let setup =
                    Setup { problem, rows, network, options, device: &Processor, time: None, checkpoint_every: None };
                objective_in_doubles(&setup, parameters, &[])
            };
            let (parameters, _) = Network::new(&architecture).expect("a network").initial::<f32>(3);
            let divided = Divided::new(&architecture, &parameters, &[]).expect("it ends so");
            let asked = FitOptions { gap: 1e-3, ..FitOptions::default() };
            let fit = divided.solve(folder.path(), problem, &asked, &Silent).expect("solved").expect("affordable");
            fit.proof().expect("verified");
            let front = 0.5
                * problem.objective.lambda2
                * divided.front.parameters.iter().map(|&t| f64::from(t).powi(2)).sum::<f64>();
            let better = objective(&architecture, &divided.join(&fit.outcome.net));
            assert!(better < objective(&architecture, &parameters), "{data}");
            assert!((better - front - fit.outcome.upper).abs() < 1e-4 * better, "{data}: {better} {front}");
            let lower = fit.outcome.lower + front;
            assert!(lower > front && lower <= better * (1.0 + 1e-6), "{data}: {lower} {better}");
            for seed in 0..40 {
                let other = network(1 + seed as usize % 9);
                let (mut values, _) = Network::new(&other).expect("a network").initial::<f32>(seed);
                values.iter_mut().for_each(|value| *value *= [0.05, 0.3, 1.0][seed as usize % 3]);
                values[..divided.front.parameters.len()].copy_from_slice(&divided.front.parameters);
                assert!(objective(&other, &values) >= lower * (1.0 - 1e-6), "{data}, seed {seed}");
            }
        }
    }
}
