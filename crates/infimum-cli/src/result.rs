//! `result.json`, and the metrics in it.

use infimum::{KnownTarget, Loaded, Metrics, Trained, held_out, metrics};
use serde_json::{Value, json};

use crate::arguments::FitArguments;

/// Version of `result.json`.
const VERSION: u32 = 1;

/// `result.json` before it is known what is proven.
pub(crate) struct Summary {
    value: Value,
    /// The metrics in words, a line for each set of rows.
    pub(crate) metric_lines: Vec<String>,
}

/// Metrics on the training rows and, if there are any, the held-out rows.
fn both_metrics(fitted: &impl Trained) -> (Metrics, Option<Metrics>) {
    let (problem, predictor) = (&fitted.loaded().problem, fitted.predictor());
    let loss = problem.objective.loss;
    let train = metrics(loss, &predictor, &problem.data.matrix, &KnownTarget::from(&problem.data.target));
    let valid = held_out(fitted.loaded()).map(|(matrix, known)| metrics(loss, &predictor, matrix, &known));
    (train, valid)
}

/// What was asked for and of which data, for every command that trains.
pub(crate) fn asked(command: &str, arguments: &FitArguments, loaded: &Loaded, threads: usize) -> Value {
    let (data, objective, recipe) = (&loaded.problem.data, &loaded.problem.objective, &loaded.recipe);
    let held_out = loaded.validation.as_ref().map_or(0, |validation| validation.matrix.rows());
    let mut asked = json!({
        "version": VERSION,
        "command": command,
        "rung": 1,
        "objective": {
            "loss": objective.loss.name(), "parameter": objective.loss.parameter(), "kernel": objective.kernel,
            "lambda1": objective.lambda1, "lambda2": objective.lambda2,
            "l1": objective.lambda1 / data.total_weight, "l2": objective.lambda2 / data.total_weight,
            "strength": recipe.strength, "intercept": objective.intercept.name(), "standardize": recipe.standardize,
            "class_weight": recipe.class_weight, "total_weight": data.total_weight,
        },
        "threads": threads,
        "seed": arguments.read.seed,
        "data": {
            "path": loaded.source.path, "sha256": loaded.source.sha256, "problem_sha256": loaded.problem_sha256,
            "rows": data.rows(), "columns": data.columns(), "stored": data.matrix.stored(),
            "held_out": held_out, "target": recipe.target, "labels": data.labels(),
        },
    });
    if data.target.several().is_some() {
        asked["data"]["target"] = data.target.names().into();
    }
    asked
}

impl Summary {
    pub(crate) fn new(arguments: &FitArguments, fitted: &impl Trained, threads: usize) -> Summary {
        let (train, valid) = both_metrics(fitted);
        let mut metric_lines = vec![format!("training    {} ({} rows)", train.words(), train.rows)];
        if let Some(valid) = &valid {
            metric_lines.push(format!("validation  {} ({} rows)", valid.words(), valid.rows));
        }
        let mut summary = Summary { value: asked(fitted.command(), arguments, fitted.loaded(), threads), metric_lines };
        let explored: serde_json::Map<String, Value> =
            fitted.explored().into_iter().map(|(name, count)| (name.into(), count.into())).collect();
        let fields = [
            ("rung", json!(fitted.rung())),
            ("ending", json!(fitted.ending().0.name())),
            ("solver", json!(fitted.solver())),
            ("model", json!("model.safetensors")),
            ("certificate", json!("certificate.safetensors")),
            ("train", json!(train)),
            ("valid", json!(valid)),
            ("explored", explored.into()),
        ];
        fields.into_iter().for_each(|(name, value)| summary.set(name, value));
        summary
    }

    /// A result without a model of its own.
    pub(crate) fn of(value: Value) -> Summary {
        Summary { value, metric_lines: Vec::new() }
    }

    /// Adds `name`.
    pub(crate) fn set(&mut self, name: &str, value: Value) {
        self.value[name] = value;
    }

    /// The text of `result.json`.
    pub(crate) fn text(&self) -> String {
        format!("{:#}", self.value)
    }
}
