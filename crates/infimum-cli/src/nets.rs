//! Options of networks, and which network they ask for.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use infimum::{Activation, HiddenBias, Intercept, is_of_layers};
use infimum_device::{Place, Precision};

use crate::arguments::{InterceptName, layers, width};
use crate::training::TrainingArguments;

/// Options of networks.
#[derive(Debug, Args)]
pub(crate) struct NetArguments {
    /// Units in every hidden layer: 50 (rung 4: one layer of at most so many ReLU units), 512,256 (rung 5), or threshold units, e.g. 3,2
    #[arg(long, value_name = "N,…", value_delimiter = ',', conflicts_with = "net", allow_hyphen_values = true, value_parser = width)]
    pub(crate) hidden: Vec<usize>,
    /// What hidden units compute: relu, leaky-relu, tanh, sigmoid, gelu, silu, or threshold (rungs 2 and 3) [default: relu]
    #[arg(long)]
    pub(crate) activation: Option<String>,
    /// A network as a file: layers (rung 5) or threshold units (docs/networks.md)
    #[arg(long, value_name = "NET.toml")]
    pub(crate) net: Option<PathBuf>,
    /// Constant terms of ReLU units: penalized (weights of a constant input 1) or none [default: penalized]
    #[arg(long, value_name = "HOW")]
    hidden_bias: Option<HiddenBiasName>,
    /// Constant terms of the outputs of a ReLU network: penalized, free or none [default: penalized]
    #[arg(long, value_name = "HOW")]
    output_bias: Option<InterceptName>,
    /// Where deep networks are trained: cpu, cuda, cuda:N, wgpu or wgpu:N (cards, in programs built for them), or auto (a card where there is one and the network is large enough) [default: cpu]
    #[arg(long, value_name = "WHERE")]
    device: Option<Place>,
    /// How a card computes products and convolutions: single, or mixed (in 16 bits; everything else in 32) [default: single]
    #[arg(long, value_name = "HOW")]
    precision: Option<PrecisionName>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum HiddenBiasName {
    Penalized,
    None,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum PrecisionName {
    Single,
    Mixed,
}

/// A deep network.
#[derive(Debug, Clone)]
pub(crate) struct Deep {
    /// Units of the hidden layers, or the file that describes the network.
    pub(crate) shape: Shape,
    /// Whether hidden layers have constant terms.
    pub(crate) hidden_bias: bool,
    /// Treatment of the output biases, if it was said.
    pub(crate) output_bias: Option<Intercept>,
}

/// What a deep network consists of.
#[derive(Debug, Clone)]
pub(crate) enum Shape {
    /// Fully connected layers with a function behind each.
    Hidden(Vec<usize>, Activation),
    /// A file.
    File(String),
}

/// A two-layer ReLU network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Net {
    /// Largest number of hidden units.
    pub(crate) width: usize,
    /// Treatment of the hidden biases.
    pub(crate) hidden_bias: HiddenBias,
    /// Treatment of the output biases.
    pub(crate) output_bias: Intercept,
}

impl NetArguments {
    /// The first option given.
    pub(crate) fn first(&self) -> Option<&'static str> {
        let named = [
            ("--hidden", !self.hidden.is_empty()),
            ("--activation", self.activation.is_some()),
            ("--net", self.net.is_some()),
            ("--hidden-bias", self.hidden_bias.is_some()),
            ("--output-bias", self.output_bias.is_some()),
            ("--device", self.device.is_some()),
            ("--precision", self.precision.is_some()),
        ];
        named.into_iter().find_map(|(name, given)| given.then_some(name))
    }

    /// Where deep networks are trained.
    pub(crate) fn place(&self) -> Place {
        self.device.unwrap_or(Place::Processor)
    }

    /// How a card computes products.
    pub(crate) fn precision(&self) -> Precision {
        if self.precision == Some(PrecisionName::Mixed) { Precision::Mixed } else { Precision::Single }
    }

    /// Only gradient descent knows cards.
    fn refuse_cards(&self) -> Result<(), String> {
        let why = "is for gradient descent; one hidden layer of ReLU units is trained on the processor, unless an option like --epochs or --optimizer is given";
        match (self.place(), self.precision()) {
            (place, _) if place.is_card() => Err(format!("--device {place} {why}")),
            (_, Precision::Mixed) => Err(format!("--precision mixed {why}")),
            _ => Ok(()),
        }
    }

    /// The deep network asked for; `None` if it is a two-layer ReLU network, one of threshold units or none.
    pub(crate) fn deep(&self, training: &TrainingArguments) -> Result<Option<Deep>, String> {
        let function = match self.activation.as_deref() {
            Some("threshold") => return Ok(None),
            None => Activation::Relu,
            Some(name) => Activation::from_name(name).ok_or_else(|| {
                let names: Vec<&str> = Activation::ALL.iter().map(|function| function.name()).collect();
                format!("--activation {name}: expected {}, or threshold with --loss zero-one", names.join(", "))
            })?,
        };
        let file = match &self.net {
            Some(path) => {
                let path = path.display().to_string();
                is_of_layers(&path).map_err(|error| error.to_string())?.then_some(path)
            }
            None => None,
        };
        let is_deep =
            training.first().is_some() || self.hidden.len() > 1 || function != Activation::Relu || file.is_some();
        if !is_deep {
            return Ok(None);
        }
        let shape = match (file, layers(&self.hidden)?) {
            (Some(_), _) if self.activation.is_some() || self.hidden_bias.is_some() => {
                return Err(
                    "--net: functions and biases of layers stand in the file; leave --activation and --hidden-bias out"
                        .into(),
                );
            }
            (Some(path), _) => Shape::File(path),
            (None, Some([])) => {
                return Err("--hidden 0: without hidden units this is a linear model; leave --hidden out".into());
            }
            (None, Some(widths)) => Shape::Hidden(widths.to_vec(), function),
            (None, None) => {
                let first = training.first().or(self.first()).unwrap_or("--activation");
                return Err(format!("{first} goes with --hidden N,… or --net NET.toml, the network"));
            }
        };
        let output_bias = match self.output_bias {
            Some(InterceptName::Free) => {
                return Err(
                    "--output-bias free: of deep networks every parameter is decayed; expected penalized or none"
                        .into(),
                );
            }
            other => other.map(InterceptName::intercept),
        };
        Ok(Some(Deep { shape, hidden_bias: self.hidden_bias != Some(HiddenBiasName::None), output_bias }))
    }

    /// The ReLU network asked for, or why there is none such; `None` if no option of networks is given.
    pub(crate) fn relu(&self) -> Result<Option<Net>, String> {
        let Some(first) = self.first() else { return Ok(None) };
        match self.activation.as_deref() {
            None | Some("relu") => {}
            Some(other) => {
                return Err(format!("--activation {other}: expected relu, or threshold with --loss zero-one"));
            }
        }
        if self.net.is_some() {
            return Err(
                "--net describes networks of threshold units; add --activation threshold, or give --hidden N".into()
            );
        }
        self.refuse_cards()?;
        let width = match layers(&self.hidden)? {
            Some(&[width]) => width,
            Some([]) => {
                return Err("--hidden 0: without hidden units this is a linear model; leave --hidden out".into());
            }
            Some(_) => {
                return Err(
                    "--hidden: this version trains ReLU networks of one hidden layer; expected one number".into()
                );
            }
            None => return Err(format!("{first} goes with --hidden N, the number of hidden units")),
        };
        Ok(Some(Net {
            width,
            hidden_bias: match self.hidden_bias {
                None | Some(HiddenBiasName::Penalized) => HiddenBias::Penalized,
                Some(HiddenBiasName::None) => HiddenBias::None,
            },
            output_bias: self.output_bias.unwrap_or(InterceptName::Penalized).intercept(),
        }))
    }
}
