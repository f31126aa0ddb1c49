//! `infimum audit --predictions`: what is proven and unknown about a model of which only the outputs on the training rows are given.

use std::path::Path;
use std::time::Instant;

use infimum::{GivenOutputs, Intercept, Request, Scores, Strength, given_outputs, read_outputs, relative_gap};
use infimum_check::check_outputs;
use infimum_report::{Closing, Proof};
use serde_json::{Value, json};

use crate::arguments::FitArguments;
use crate::failure::Failure;
use crate::fit::{CERTIFICATE, Data, Run};
use crate::result::{Summary, asked};

/// Audits the outputs in `predictions`. `why`: what keeps the model itself from being looked into, if there is one.
pub(crate) fn run(
    predictions: &Path,
    scores: Scores,
    why: Option<String>,
    arguments: &FitArguments,
) -> Result<i32, Failure> {
    let refusals = [
        (arguments.has_strength(), "--C, --l1 and --l2: outputs have no penalty"),
        (arguments.read.valid.is_some(), "--valid: the outputs are those of all rows"),
    ];
    if let Some((_, why)) = refusals.into_iter().find(|refusal| refusal.0) {
        return Err(Failure::input(format!("{why}; leave it out of an audit of predictions")));
    }
    let request = Request {
        intercept: Some(Intercept::None),
        strength: Some(Strength::PerExample { l1: 0.0, l2: 0.0 }),
        ..arguments.request()
    };
    let path = predictions.display().to_string();
    let given = read_outputs(&path).map_err(Failure::input)?;
    let (run, Data { loaded, read }) = Run::prepare(arguments, request)?;
    run.begin_outputs(&loaded, &path);
    let found = given_outputs(loaded, &given, scores, arguments.gap, arguments.abs_gap)
        .map_err(|why| Failure::input(format!("{path}: {why}")))?;
    drop(given);
    let solved = run.seconds();
    let bytes = found.certificate().to_bytes().map_err(Failure::internal)?;
    let stored = run.folder.clear(false).and_then(|()| run.folder.write(CERTIFICATE, &bytes));
    let written = run.seconds();
    let mut summary = Summary::of(asked("audit", arguments, &found.loaded, run.threads));
    for (name, value) in [
        ("rung", Value::Null),
        ("ending", json!(found.ending.name())),
        ("solver", json!("none")),
        ("model", Value::Null),
        ("predictions", json!(path)),
        ("certificate", json!(CERTIFICATE)),
        ("train", json!({ "rows": found.loaded.problem.data.rows(), "accuracy": found.accuracy })),
    ] {
        summary.set(name, value);
    }
    let source = found.loaded.source.path.clone();
    let mut closing = closing(&found, why, arguments.gap, [read, solved - read, written - solved, 0.0]);
    drop(found);
    let start = Instant::now();
    match &stored {
        Err(failure) => closing.proof = Proof::Unwritten(failure.message.clone()),
        Ok(()) => match check_outputs(&bytes, &source) {
            Err(refusal) => closing.proof = Proof::Refused(refusal.to_string()),
            Ok(verdict) => {
                (closing.upper, closing.lower) = (verdict.mean_upper, verdict.mean_lower);
                closing.gap = relative_gap(verdict.upper, verdict.lower);
            }
        },
    }
    closing.seconds[3] = start.elapsed().as_secs_f64();
    closing.report.insert(0, bound_line(&closing));
    closing.folder = stored.is_ok().then(|| run.folder.path.display().to_string());
    run.conclude(summary, &closing, stored)
}

/// The closing words, as if the checker had accepted.
fn closing(found: &GivenOutputs, why: Option<String>, wanted: f64, seconds: [f64; 4]) -> Closing {
    let total = found.loaded.problem.data.total_weight;
    let (upper, lower) = found.bounds;
    let mut report = vec![(
        "UNKNOWN",
        "how much of the rest a better model could gain: nothing is known about this one but its outputs".to_string(),
    )];
    report.extend(why.map(|why| ("UNKNOWN", format!("everything about the model itself: {why}"))));
    let next = if relative_gap(upper, lower) <= wanted {
        "stop: rows that are equal in all columns and differ in the target leave nothing to gain; more columns would"
    } else {
        "compare with `infimum fit` of a model on the same rows, whose bound is about all models of its kind"
    };
    report.push(("NEXT", next.to_string()));
    Closing {
        ending: found.ending,
        message: "the outputs are judged as they are, nothing was searched for".into(),
        model: "function of the columns".into(),
        upper: upper / total,
        lower: lower / total,
        gap: relative_gap(upper, lower),
        wanted,
        proof: Proof::Checked,
        metrics: found.accuracy.map(|accuracy| format!("training    accuracy {accuracy:.6}")).into_iter().collect(),
        report,
        seconds,
        folder: None,
    }
}

fn bound_line(closing: &Closing) -> (&'static str, String) {
    let word = if closing.proof == Proof::Checked { "PROVEN" } else { "UNKNOWN" };
    let bound = if closing.lower > 0.0 {
        format!("no function of the columns has a mean loss below {:.6e}, by rows that are equal", closing.lower)
    } else {
        "that rows are equal bounds nothing here: all rows differ, or equal ones agree".into()
    };
    (word, format!("these outputs have a mean loss of at most {:.9e}; {bound}", closing.upper))
}
