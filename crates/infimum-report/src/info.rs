//! What happened: plain data, no words.

use infimum_problem::Ending;
use serde::Serialize;

/// What is known before a solver starts.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Header {
    /// Path or `builtin:NAME`.
    pub data: String,
    /// Training rows.
    pub rows: usize,
    /// Held-out rows.
    pub held_out: usize,
    /// Features.
    pub columns: usize,
    /// Stored values and whether storage is sparse.
    pub stored: usize,
    /// Whether storage is sparse.
    pub sparse: bool,
    /// Target column, empty for LIBSVM.
    pub target: String,
    /// `classification` or `regression`.
    pub task: String,
    /// Ordered labels; empty for regression.
    pub labels: Vec<String>,
    /// Loss name.
    pub loss: String,
    /// Penalty in words, e.g. `C = 1 (λ2 = 1)`.
    pub penalty: String,
    /// Intercept name; of a network that of the output biases.
    pub intercept: String,
    /// The hidden layer in words, of a network.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
    /// Rung, and what can be promised there.
    pub promise: String,
    /// Remarks of the reader.
    pub notes: Vec<String>,
    /// Threads.
    pub threads: usize,
}

/// One row of the log.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// Seconds since the command started.
    pub time: f64,
    /// Who reports.
    pub source: String,
    /// Mean objective of the incumbent.
    pub incumbent: f64,
    /// Mean of the best dual value.
    pub bound: f64,
    /// Relative gap.
    pub gap: f64,
    /// Iterations or epochs.
    pub explored: u64,
}

/// What is known at the end.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Closing {
    /// How the run ended.
    pub ending: Ending,
    /// A sentence about the ending; may be empty.
    pub message: String,
    /// What the model is called, e.g. `logistic regression`.
    pub model: String,
    /// Mean objective of the model.
    pub upper: f64,
    /// Mean lower bound.
    pub lower: f64,
    /// Relative gap of the two.
    pub gap: f64,
    /// The gap asked for.
    pub wanted: f64,
    /// Whether the bounds are proven.
    pub proof: Proof,
    /// Metric lines, e.g. `training accuracy 0.982`.
    pub metrics: Vec<String>,
    /// What else is known, of rung 5: a word and a sentence each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub report: Vec<(&'static str, String)>,
    /// Seconds for reading, solving, writing and checking.
    pub seconds: [f64; 4],
    /// Run folder; `None` if it could not be written.
    pub folder: Option<String>,
}

/// What the checker said of the written certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Proof {
    /// Accepted: the bounds are proven.
    Checked,
    /// Refused: step and reason.
    Refused(String),
    /// The run folder could not be written, so there is nothing to check; why.
    Unwritten(String),
}
