//! `result.json`, and the metrics in it.

use infimum::{Fit, KnownTarget, Metrics, Target, ValidationTarget, metrics};
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
fn both_metrics(fitted: &Fit) -> (Metrics, Option<Metrics>) {
    let (problem, model) = (&fitted.loaded.problem, &fitted.outcome.model);
    let loss = problem.objective.loss;
    let known = match &problem.data.target {
        Target::Real(values) => KnownTarget::Real(values.clone()),
        Target::Class { classes, .. } => KnownTarget::Classes(classes.iter().map(|&class| Some(class)).collect()),
    };
    let train = metrics(loss, model, &problem.data.matrix, &known);
    let valid = fitted.loaded.validation.as_ref().map(|validation| {
        let known = match &validation.target {
            ValidationTarget::Real(values) => KnownTarget::Real(values.clone()),
            ValidationTarget::Classes(classes) => KnownTarget::Classes(classes.clone()),
        };
        metrics(loss, model, &validation.matrix, &known)
    });
    (train, valid)
}

impl Summary {
    pub(crate) fn new(arguments: &FitArguments, fitted: &Fit, threads: usize) -> Summary {
        let (train, valid) = both_metrics(fitted);
        let (loaded, outcome) = (&fitted.loaded, &fitted.outcome);
        let (data, objective, recipe) = (&loaded.problem.data, &loaded.problem.objective, &loaded.recipe);
        let mut metric_lines = vec![format!("training    {} ({} rows)", train.words(), train.rows)];
        if let Some(valid) = &valid {
            metric_lines.push(format!("validation  {} ({} rows)", valid.words(), valid.rows));
        }
        let value = json!({
            "version": VERSION,
            "command": "fit",
            "rung": 1,
            "ending": outcome.ending.name(),
            "objective": {
                "loss": objective.loss.name(), "parameter": objective.loss.parameter(), "lambda1": objective.lambda1, "lambda2": objective.lambda2,
                "l1": objective.lambda1 / data.total_weight, "l2": objective.lambda2 / data.total_weight,
                "strength": recipe.strength, "intercept": objective.intercept.name(), "standardize": recipe.standardize,
                "class_weight": recipe.class_weight, "total_weight": data.total_weight,
            },
            "solver": outcome.solver,
            "threads": threads,
            "seed": arguments.read.seed,
            "data": {
                "path": loaded.source.path, "sha256": loaded.source.sha256, "problem_sha256": loaded.problem_sha256,
                "rows": data.rows(), "columns": data.columns(), "stored": data.matrix.stored(),
                "held_out": valid.as_ref().map_or(0, |valid| valid.rows), "target": recipe.target, "labels": data.labels(),
            },
            "model": "model.safetensors",
            "certificate": "certificate.safetensors",
            "train": train,
            "valid": valid,
            "explored": { "iterations": outcome.explored },
        });
        Summary { value, metric_lines }
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
