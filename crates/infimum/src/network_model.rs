//! Networks of threshold units on disk (`model.json` of rungs 2 and 3), and their predictions in exact arithmetic.

use std::path::Path;

use dashu_int::{IBig, UBig};
use infimum_data::LoadingRows;
use infimum_problem::{
    ColumnNames, ColumnScale, Function, LoadingProblem, LoadingRecipe, Network, Neuron, Unit, kind_of,
};
use serde::{Deserialize, Serialize};

use crate::loading::Loading;
use crate::model_file::ModelFileError;

/// Name of the file.
const DESCRIPTION: &str = "model.json";
/// Its `kind`.
const KIND: &str = "threshold";

/// `model.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NetworkModel {
    /// Version of this file.
    pub version: u32,
    /// `"threshold"`.
    pub kind: String,
    /// Units and their connections; columns are numbered from 0.
    pub network: Network,
    /// Weights and bias of every free unit in order, over the columns' integers: decimals.
    pub neurons: Vec<Weights>,
    /// Number of columns.
    pub columns: usize,
    /// Their names; `None` where the file has none.
    pub column_names: Option<Vec<String>>,
    /// Of a file without names the numbers of its columns (from 1) that are no features.
    pub without: Vec<usize>,
    /// The unit of each column's integers: a value is `integer · 10^ten · 2^two`.
    pub scales: Vec<ColumnScale>,
    /// What an output of 1 means.
    pub output_names: Vec<String>,
    /// The labels of one target column: of two an output of 1 means the second, of more each has an output.
    pub labels: Vec<String>,
    /// How the training file was read.
    pub recipe: LoadingRecipe,
    /// Rows of it that the network is wrong on.
    pub wrong: u64,
}

/// A unit's weights as decimals.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Weights {
    /// One for each input: columns, then units.
    pub weights: Vec<String>,
    /// Bias.
    pub bias: String,
}

impl NetworkModel {
    /// The model of a run, if it has weights.
    pub fn of(loading: &Loading) -> Option<NetworkModel> {
        let (LoadingProblem { column_names, scales, output_names, network, .. }, loaded) =
            (&loading.loaded.problem, &loading.loaded);
        let text = |neuron: &Neuron| Weights {
            weights: neuron.weights.iter().map(ToString::to_string).collect(),
            bias: neuron.bias.to_string(),
        };
        let (column_names, without) = match column_names {
            ColumnNames::Named(names) => (Some(names.clone()), Vec::new()),
            ColumnNames::Numbered { without, .. } => (None, without.clone()),
        };
        Some(NetworkModel {
            version: 1,
            kind: KIND.into(),
            network: network.clone(),
            neurons: loading.outcome.neurons.as_ref()?.iter().map(text).collect(),
            columns: scales.len(),
            column_names,
            without,
            scales: scales.clone(),
            output_names: output_names.clone(),
            labels: loaded.labels.clone(),
            recipe: loaded.recipe.clone(),
            wrong: loading.outcome.upper?,
        })
    }

    /// Reads a run folder; `None` if its model is of another kind.
    pub fn read(folder: &Path) -> Result<Option<NetworkModel>, ModelFileError> {
        let path = folder.join(DESCRIPTION);
        let failed = |message: String| ModelFileError { path: path.display().to_string(), message };
        let Ok(text) = std::fs::read(&path) else {
            let certificate = std::fs::read(folder.join("certificate.safetensors")).unwrap_or_default();
            return match kind_of(&certificate).as_deref() {
                Ok("loading") => Err(failed("there is none: the run ended without weights".into())),
                _ => Ok(None),
            };
        };
        let described: serde_json::Value = serde_json::from_slice(&text).unwrap_or_default();
        if described["kind"] != KIND {
            return Ok(None);
        }
        let model: NetworkModel =
            serde_json::from_value(described).map_err(|error| failed(format!("not a model description: {error}")))?;
        model.neurons().map_err(failed)?;
        Ok(Some(model))
    }

    /// The columns' names.
    pub fn names(&self) -> ColumnNames {
        match &self.column_names {
            Some(names) => ColumnNames::Named(names.clone()),
            None => ColumnNames::Numbered { columns: self.columns, without: self.without.clone() },
        }
    }

    /// The weights as numbers, if everything fits together.
    fn neurons(&self) -> Result<Vec<Neuron>, String> {
        if let Some(fault) = self.network.fault(self.columns) {
            return Err(fault);
        }
        if self.scales.len() != self.columns
            || self.column_names.as_ref().is_some_and(|names| names.len() != self.columns)
        {
            return Err(format!("expected {} column names and scales", self.columns));
        }
        let outputs = self.network.outputs.len();
        let labelled = match self.labels.len() {
            0 => true,
            1 | 2 => outputs == 1,
            labels => outputs == labels,
        };
        if self.output_names.len() != outputs || !labelled {
            return Err(format!("the names of outputs and labels do not fit {outputs} outputs"));
        }
        let free: Vec<&Unit> = self.network.units.iter().filter(|unit| unit.is_free()).collect();
        if free.len() != self.neurons.len() {
            return Err(format!("weights of {} units, but {} are free", self.neurons.len(), free.len()));
        }
        let number = |text: &String| text.parse::<IBig>().map_err(|_| format!("expected an integer, got `{text}`"));
        (free.iter().zip(&self.neurons))
            .map(|(unit, written)| {
                let weights = written.weights.iter().map(number).collect::<Result<Vec<IBig>, String>>()?;
                let expected = unit.columns.list(self.columns).len() + unit.units.len();
                if weights.len() != expected {
                    return Err(format!("unit `{}`: expected {expected} weights, got {}", unit.name, weights.len()));
                }
                Ok(Neuron { weights, bias: number(&written.bias)? })
            })
            .collect()
    }

    /// The network's outputs, rows × outputs: every weighted sum is taken exactly, over the values as they stand in the file.
    pub fn predict(&self, rows: &LoadingRows) -> Result<Vec<bool>, String> {
        let mut neurons = self.neurons()?.into_iter();
        let units: Vec<Ready> = (self.network.units.iter())
            .map(|unit| match &unit.function {
                Function::Free => Ready::new(self, unit, neurons.next().as_ref(), rows),
                Function::Fixed { weights, bias } => Ready {
                    columns: Vec::new(),
                    units: weights.iter().map(|&weight| weight.into()).collect(),
                    bias: (*bias).into(),
                },
            })
            .collect();
        let mut outputs = Vec::with_capacity(rows.points.rows() * self.network.outputs.len());
        let mut values = vec![false; units.len()];
        for row in 0..rows.points.rows() {
            let entries = rows.points.row(row);
            for (place, (unit, ready)) in self.network.units.iter().zip(&units).enumerate() {
                let mut sum = ready.bias.clone();
                if !ready.columns.is_empty() {
                    entries.iter().for_each(|(column, value)| sum += &ready.columns[*column as usize] * value.as_ref());
                }
                let held = unit.units.iter().zip(&ready.units).filter(|(input, _)| values[**input as usize]);
                held.for_each(|(_, weight)| sum += weight);
                values[place] = sum > IBig::ZERO;
            }
            outputs.extend(self.network.outputs.iter().map(|&output| values[output as usize]));
        }
        Ok(outputs)
    }
}

/// A unit over the columns of a file: weights and bias times a common positive factor, so that they are integers over the file's integers.
struct Ready {
    /// By the file's columns; empty if the unit reads none.
    columns: Vec<IBig>,
    units: Vec<IBig>,
    bias: IBig,
}

/// A weight times `10^ten·2^two` is over the file's integers in the column `place`.
struct Shifted<'a> {
    place: usize,
    weight: &'a IBig,
    ten: i32,
    two: i32,
}

impl Ready {
    /// A value is `n·10^a·2^b` in the file and `n′·10^a′·2^b′` to the network, so that `w·n′ = w·10^(a − a′)·2^(b − b′)·n`; negative exponents go into the
    /// common factor.
    fn new(model: &NetworkModel, unit: &Unit, neuron: Option<&Neuron>, rows: &LoadingRows) -> Ready {
        let Some(Neuron { weights, bias }) = neuron else {
            return Ready { columns: Vec::new(), units: Vec::new(), bias: IBig::ZERO };
        };
        let columns = unit.columns.list(model.columns);
        let (own, others) = weights.split_at(columns.len());
        let shifted: Vec<Shifted> = (columns.iter().zip(own))
            .filter_map(|(&column, weight)| {
                let place = rows.places[column as usize]? as usize;
                let (there, here) = (rows.scales[place], model.scales[column as usize]);
                Some(Shifted { place, weight, ten: there.ten - here.ten, two: there.two - here.two })
            })
            .collect();
        let least = |exponent: fn(&Shifted) -> i32| {
            shifted.iter().map(exponent).min().unwrap_or(0).min(0).unsigned_abs() as usize
        };
        let (tens, twos) = (least(|entry| entry.ten), least(|entry| entry.two));
        let power = |ten: usize, two: usize| IBig::from(UBig::from(10u8).pow(ten) << two);
        let factor = power(tens, twos);
        let mut ready = Ready {
            columns: if shifted.is_empty() { Vec::new() } else { vec![IBig::ZERO; rows.scales.len()] },
            units: others.iter().map(|weight| weight * &factor).collect(),
            bias: bias * &factor,
        };
        for Shifted { place, weight, ten, two } in shifted {
            let up = power((ten + tens as i32) as usize, (two + twos as i32) as usize);
            ready.columns[place] += weight * up;
        }
        ready
    }
}
