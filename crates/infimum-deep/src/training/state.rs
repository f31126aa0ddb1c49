//! Where a run stands: everything that decides how it goes on, and its file.
//!
//! A checkpoint is a safetensors file: metadata key `state` holds the numbers as JSON, the tensors are the arrays and `digest`, SHA-256 over the numbers
//! and the arrays in order. What is random is a function of seed and counts (`random.rs`), so that nothing else has to be kept.

use std::collections::HashMap;

use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::device::Arrays;
use super::options::TrainingOptions;

/// A network that was evaluated over all rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Incumbent {
    /// θ.
    pub parameters: Vec<f32>,
    /// Running values.
    pub buffers: Vec<f32>,
    /// Its objective, unnormalised, as evaluated.
    pub value: f64,
}

/// One point of the record of a run.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Mark {
    /// Steps done.
    pub step: u64,
    /// Share of the budget spent.
    pub progress: f64,
    /// Mean objective over the rows of the steps since the last mark.
    pub running: f64,
}

/// The numbers of a checkpoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Numbers {
    pub(crate) version: u32,
    pub(crate) options: TrainingOptions,
    /// What else must be the same to go on: network, problem.
    pub(crate) fingerprint: String,
    pub(crate) step: u64,
    /// Seconds of training so far.
    pub(crate) elapsed: f64,
    pub(crate) rate: f64,
    pub(crate) weight: f64,
    pub(crate) rollbacks: u32,
    pub(crate) first_loss: Option<f64>,
    pub(crate) next_evaluation: u64,
    /// Sum of the losses of the steps since the last mark, and how many those are.
    pub(crate) running: (f64, u64),
    /// Steps from mark to mark.
    pub(crate) mark_every: u64,
    pub(crate) marks: Vec<Mark>,
    pub(crate) incumbent: Option<f64>,
    /// Of L-BFGS: the mean objective where it stands, and how often it was evaluated.
    #[serde(default)]
    pub(crate) evaluated: Option<(f64, u64)>,
}

/// A run between two steps.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct State {
    pub(crate) numbers: Numbers,
    pub(crate) arrays: Arrays,
    /// Of L-BFGS: point, gradient, then each pair's two arrays.
    pub(crate) doubles: Vec<Vec<f64>>,
    pub(crate) incumbent: Option<Incumbent>,
}

const VERSION: u32 = 1;
const SLOTS: usize = 4;
const DOUBLES: usize = 1 << 8;

/// Why a checkpoint cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct CheckpointError(String);

fn wrong(message: impl Into<String>) -> CheckpointError {
    CheckpointError(message.into())
}

fn bytes_of(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

impl Numbers {
    pub(crate) fn new(options: TrainingOptions, fingerprint: String, rate: f64) -> Numbers {
        Numbers {
            version: VERSION,
            options,
            fingerprint,
            step: 0,
            elapsed: 0.0,
            rate,
            weight: 0.0,
            rollbacks: 0,
            first_loss: None,
            next_evaluation: 0,
            running: (0.0, 0),
            mark_every: 0,
            marks: Vec::new(),
            incumbent: None,
            evaluated: None,
        }
    }
}

/// An array of a checkpoint: name, type, bytes.
type Array = (String, Dtype, Vec<u8>);

/// Marks of a run's record; beyond, every second one is dropped.
const MOST_MARKS: usize = 1024;

impl Numbers {
    /// Whether the step done last is one that is marked.
    pub(crate) fn is_marked(&self) -> bool {
        self.step.is_multiple_of(self.mark_every)
    }

    /// Marks the step done last.
    pub(crate) fn mark(&mut self, progress: f64, running: f64) {
        self.marks.push(Mark { step: self.step, progress, running });
        if self.marks.len() >= MOST_MARKS {
            self.mark_every *= 2;
            let every = self.mark_every;
            self.marks.retain(|mark| mark.step.is_multiple_of(every));
        }
    }
}

impl State {
    fn arrays(&self) -> Vec<Array> {
        let singles = |name: &str, values: &[f32]| (name.to_string(), Dtype::F32, bytes_of(values));
        let own = &self.arrays;
        let mut arrays = vec![singles("parameters", &own.parameters), singles("buffers", &own.buffers)];
        arrays.extend(own.slots.iter().enumerate().map(|(k, slot)| singles(&format!("slot{k}"), slot)));
        arrays.extend(self.doubles.iter().enumerate().map(|(k, values)| {
            (format!("double{k}"), Dtype::F64, values.iter().flat_map(|value| value.to_le_bytes()).collect())
        }));
        arrays.push(singles("average", &own.average[0]));
        arrays.push(singles("average-buffers", &own.average[1]));
        if let Some(incumbent) = &self.incumbent {
            arrays.push(singles("incumbent", &incumbent.parameters));
            arrays.push(singles("incumbent-buffers", &incumbent.buffers));
        }
        arrays
    }

    /// The checkpoint's bytes.
    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>, CheckpointError> {
        let mut numbers = self.numbers.clone();
        numbers.incumbent = self.incumbent.as_ref().map(|incumbent| incumbent.value);
        let text = serde_json::to_string(&numbers).map_err(|error| wrong(error.to_string()))?;
        let arrays = self.arrays();
        let digest = digest_of(&text, &arrays);
        let mut tensors = Vec::with_capacity(arrays.len() + 1);
        for (name, dtype, bytes) in &arrays {
            let view = TensorView::new(*dtype, vec![8 * bytes.len() / dtype.bitsize()], bytes);
            tensors.push((name.clone(), view.map_err(|error| wrong(error.to_string()))?));
        }
        let view = TensorView::new(Dtype::U8, vec![32], &digest).map_err(|error| wrong(error.to_string()))?;
        tensors.push(("digest".into(), view));
        let metadata = HashMap::from([("state".to_string(), text)]);
        safetensors::serialize(tensors, Some(metadata)).map_err(|error| wrong(error.to_string()))
    }

    /// Parses a checkpoint. Never panics on any input.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<State, CheckpointError> {
        let damaged = |what: &str| wrong(format!("not a whole checkpoint: {what}"));
        let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(|error| damaged(&error.to_string()))?;
        let text = metadata.metadata().as_ref().and_then(|map| map.get("state")).cloned();
        let text = text.ok_or_else(|| damaged("no state"))?;
        let numbers: Numbers = serde_json::from_str(&text).map_err(|error| damaged(&error.to_string()))?;
        if numbers.version != VERSION {
            return Err(wrong(format!("checkpoint of version {}, expected {VERSION}", numbers.version)));
        }
        let tensors = SafeTensors::deserialize(bytes).map_err(|error| damaged(&error.to_string()))?;
        let raw = |name: &str, dtype: Dtype| tensors.tensor(name).ok().filter(|view| view.dtype() == dtype);
        let singles = |name: &str| (name.to_string(), Dtype::F32);
        let mut names: Vec<(String, Dtype)> = ["parameters", "buffers"].map(singles).into();
        names.extend(
            (0..SLOTS).map(|k| singles(&format!("slot{k}"))).take_while(|(name, dtype)| raw(name, *dtype).is_some()),
        );
        let doubles = (0..DOUBLES).map(|k| (format!("double{k}"), Dtype::F64));
        names.extend(doubles.take_while(|(name, dtype)| raw(name, *dtype).is_some()));
        names.extend(["average", "average-buffers"].map(singles));
        if numbers.incumbent.is_some() {
            names.extend(["incumbent", "incumbent-buffers"].map(singles));
        }
        let mut arrays = Vec::with_capacity(names.len());
        for (name, dtype) in names {
            let view = raw(&name, dtype).ok_or_else(|| damaged(&format!("no array `{name}`")))?;
            arrays.push((name, dtype, view.data().to_vec()));
        }
        let digest = tensors.tensor("digest").map_err(|error| damaged(&error.to_string()))?;
        if digest.data() != digest_of(&text, &arrays) {
            return Err(damaged("its digest is another one"));
        }
        let mut doubles: Vec<Vec<f64>> = Vec::new();
        let mut values: HashMap<String, Vec<f32>> = HashMap::new();
        for (name, dtype, bytes) in arrays {
            if dtype == Dtype::F64 {
                doubles.push(bytes.as_chunks().0.iter().copied().map(f64::from_le_bytes).collect());
            } else {
                values.insert(name, bytes.as_chunks().0.iter().copied().map(f32::from_le_bytes).collect());
            }
        }
        let take = |name: &str| values.get(name).cloned().unwrap_or_default();
        let slots = (0..SLOTS).map(|k| format!("slot{k}")).map_while(|name| values.get(&name).cloned()).collect();
        let incumbent = numbers.incumbent.map(|value| Incumbent {
            parameters: take("incumbent"),
            buffers: take("incumbent-buffers"),
            value,
        });
        Ok(State {
            numbers,
            arrays: Arrays {
                parameters: take("parameters"),
                buffers: take("buffers"),
                slots,
                average: [take("average"), take("average-buffers")],
            },
            doubles,
            incumbent,
        })
    }
}

fn digest_of(text: &str, arrays: &[Array]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update(text);
    for (name, _, bytes) in arrays {
        hasher.update(name);
        hasher.update((bytes.len() as u64).to_le_bytes());
        hasher.update(bytes);
    }
    hasher.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state() -> State {
        let mut numbers = Numbers::new(TrainingOptions::default(), "abc".into(), 1e-3);
        (numbers.step, numbers.elapsed, numbers.incumbent) = (7, 0.1 + 0.2, Some(3.5));
        numbers.marks.push(Mark { step: 5, progress: 1.0 / 3.0, running: 0.7 });
        State {
            numbers,
            arrays: Arrays {
                parameters: vec![1.0, -0.0, 3e-39],
                buffers: vec![],
                slots: vec![vec![0.5; 3], vec![0.25; 3]],
                average: [vec![], vec![]],
            },
            doubles: vec![vec![0.1, -0.0, 1e-300], vec![7.0; 3]],
            incumbent: Some(Incumbent { parameters: vec![1.0; 3], buffers: vec![], value: 3.5 }),
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let state = state();
        assert_eq!(State::from_bytes(&state.to_bytes().unwrap()).unwrap(), state);
    }

    #[test]
    fn damage_is_found() {
        let bytes = state().to_bytes().unwrap();
        for place in 0..bytes.len() {
            assert!(State::from_bytes(&bytes[..place]).is_err(), "cut at {place}");
            let mut damaged = bytes.clone();
            damaged[place] ^= 4;
            assert!(State::from_bytes(&damaged).is_err(), "bit flipped at {place} of {}", bytes.len());
        }
    }
}
