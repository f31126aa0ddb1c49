//! Options of networks, and which network they ask for.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use infimum::{HiddenBias, Intercept};

use crate::arguments::{InterceptName, layers, width};

/// Options of networks.
#[derive(Debug, Args)]
pub(crate) struct NetArguments {
    /// Units in every hidden layer: one layer of ReLU units, e.g. 50 (at most so many), or layers of threshold units, e.g. 3 or 3,2
    #[arg(long, value_name = "N,…", value_delimiter = ',', conflicts_with = "net", allow_hyphen_values = true, value_parser = width)]
    pub(crate) hidden: Vec<usize>,
    /// What hidden units compute: relu (rung 4), or threshold (rungs 2 and 3) [default: relu]
    #[arg(long)]
    pub(crate) activation: Option<String>,
    /// A network of threshold units as a file (docs/networks.md)
    #[arg(long, value_name = "NET.toml")]
    pub(crate) net: Option<PathBuf>,
    /// Constant terms of ReLU units: penalized (weights of a constant input 1) or none [default: penalized]
    #[arg(long, value_name = "HOW")]
    hidden_bias: Option<HiddenBiasName>,
    /// Constant terms of the outputs of a ReLU network: penalized, free or none [default: penalized]
    #[arg(long, value_name = "HOW")]
    output_bias: Option<InterceptName>,
    #[arg(long, hide = true)]
    device: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum HiddenBiasName {
    Penalized,
    None,
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
        ];
        named.into_iter().find_map(|(name, given)| given.then_some(name))
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
        if self.device.is_some() {
            return Err("--device: two-layer networks are trained on the processor; leave it out".into());
        }
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
