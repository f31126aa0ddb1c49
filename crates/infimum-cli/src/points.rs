//! Series of fits: every point is printed, checked in this process and written as soon as it is there, so that an interrupt
//! loses nothing that is done.

use std::ops::ControlFlow;

use infimum::{
    Ending, Event, Fit, KnownTarget, Monitor, Proof, Score, Stop, Strength, held_out, mean_and_error, relative_gap,
};
use infimum_report::{Log, Point, SeriesClosing, points_csv, points_head, series_closing};
use serde_json::{Value, json};

use crate::failure::{Failure, print as print_result};
use crate::fit::{Run, write_model};
use crate::result::Summary;

/// What a solver of a series says goes nowhere, for the table has a row for each fit; but it hears when to stop.
pub(crate) struct Quiet<'a>(pub(crate) &'a Log);

impl Monitor for Quiet<'_> {
    fn report(&self, _event: Event) {}

    fn stop(&self) -> Option<Stop> {
        self.0.stop()
    }
}

/// Points so far, and where they are written.
pub(crate) struct Series<'r> {
    run: &'r Run<'r>,
    /// Name of the series: its folder, its CSV file, and its field of `result.json`.
    name: &'static str,
    /// What varies.
    setting: &'static str,
    pub(crate) score: Score,
    asked: usize,
    left_out: Vec<String>,
    pub(crate) points: Vec<Point>,
    /// Scores of the last point on the held-out rows, row by row.
    pub(crate) valid_rows: Vec<f64>,
    /// Why a point could not be written.
    failure: Option<Failure>,
    /// Whether what was to follow the points was cut short.
    pub(crate) cut_short: bool,
    since: f64,
}

impl<'r> Series<'r> {
    /// Prints the heads; `asked` points are to come.
    pub(crate) fn begin(
        run: &'r Run<'r>,
        name: &'static str,
        setting: &'static str,
        score: Score,
        asked: usize,
    ) -> Series<'r> {
        run.log.print(|out| points_head(out, setting, score.name()));
        let since = run.seconds();
        Series {
            run,
            name,
            setting,
            score,
            asked,
            left_out: Vec::new(),
            points: Vec::new(),
            valid_rows: Vec::new(),
            failure: None,
            cut_short: false,
            since,
        }
    }

    /// The folder of a point.
    pub(crate) fn folder(&self, number: usize) -> String {
        format!("{}/{number:03}/", self.name)
    }

    /// Scores, prints and writes one point. `Break` if it could not be written.
    pub(crate) fn add(&mut self, setting: String, fit: &Fit, proof: &Proof) -> ControlFlow<()> {
        let point = self.point(setting, fit, proof);
        self.run.log.print(|out| infimum_report::point(out, &point));
        self.run.log.json(self.name, serde_json::to_value(&point).unwrap_or(Value::Null));
        let folder = self.folder(point.number);
        let cleared = if point.number == 0 { self.run.folder.clear(false) } else { Ok(()) };
        self.points.push(point);
        match cleared.and_then(|()| write_model(&self.run.folder, &folder, fit)) {
            Ok(()) => ControlFlow::Continue(()),
            Err(failure) => {
                self.run.folder.discard(&folder);
                self.failure = Some(failure);
                ControlFlow::Break(())
            }
        }
    }

    fn point(&mut self, setting: String, fit: &Fit, proof: &Proof) -> Point {
        let (problem, outcome) = (&fit.loaded.problem, &fit.outcome);
        let (data, objective) = (&problem.data, &problem.objective);
        let (upper, lower, gap) = match proof {
            Ok(verdict) => (verdict.mean_upper, verdict.mean_lower, relative_gap(verdict.upper, verdict.lower)),
            Err(_) => {
                let mean = |value: f64| value / data.total_weight;
                (mean(outcome.upper), mean(outcome.lower), relative_gap(outcome.upper, outcome.lower))
            }
        };
        let model = &outcome.model;
        let of = |matrix, target: &_| self.score.of_rows(objective.loss, model, matrix, target);
        let train = mean_and_error(&of(&data.matrix, &KnownTarget::from(&data.target))).0;
        self.valid_rows = held_out(&fit.loaded).map(|(matrix, target)| of(matrix, &target)).unwrap_or_default();
        let known = |value: f64| (!value.is_nan()).then_some(value);
        let (valid, error) = mean_and_error(&self.valid_rows);
        let now = self.run.seconds();
        let seconds = now - std::mem::replace(&mut self.since, now);
        let (l1, l2) = match fit.loaded.recipe.strength {
            Strength::PerExample { l1, l2 } => (l1, l2),
            Strength::C(_) => (0.0, objective.lambda2 / data.total_weight),
        };
        Point {
            number: self.points.len(),
            setting,
            loss: objective.loss.name().into(),
            rows: data.rows(),
            l1,
            l2,
            standardize: fit.loaded.recipe.standardize,
            upper,
            lower,
            gap,
            proven: proof.is_ok(),
            nonzero: model.weights.iter().filter(|w| **w != 0.0).count(),
            train,
            valid: known(valid),
            valid_error: known(error),
            ending: outcome.ending,
            seconds,
            refusal: proof.as_ref().err().map(ToString::to_string),
        }
    }

    /// A point that cannot be had is not asked for any more; why is told in `result.json`.
    pub(crate) fn leave_out(&mut self, why: String) {
        self.asked -= 1;
        self.left_out.push(why);
    }

    /// Whether all points asked for are there and written.
    pub(crate) fn is_whole(&self) -> bool {
        self.points.len() == self.asked && self.failure.is_none()
    }

    /// The point of the best validation score; the first of equals.
    pub(crate) fn best_valid(&self) -> Option<&Point> {
        let loss = |point: &Point| point.valid.map(|valid| if self.score.more_is_better() { -valid } else { valid });
        let known = self.points.iter().filter_map(|point| Some((loss(point)?, point)));
        known.min_by(|a, b| a.0.total_cmp(&b.0)).map(|best| best.1)
    }

    /// The points for `result.json`.
    pub(crate) fn json(&self) -> Value {
        json!({ "score": self.score.name(), "asked": self.asked, "left_out": self.left_out, "points": self.points })
    }

    /// Writes the CSV file.
    pub(crate) fn write_csv(&self) -> Result<(), Failure> {
        self.run.folder.write(&format!("{}.csv", self.name), points_csv(self.setting, &self.points).as_bytes())
    }

    /// How the series as a whole ended: what stopped it, else the first ending that is not `Optimal`.
    pub(crate) fn ending(&self) -> Ending {
        let stopped = (self.cut_short || self.points.len() < self.asked).then(|| self.run.log.stop()).flatten();
        match stopped {
            Some(Stop::TimeLimit) => Ending::TimeLimit,
            Some(Stop::Interrupted) => Ending::Interrupted,
            None => {
                self.points.iter().map(|point| point.ending).find(|&e| e != Ending::Optimal).unwrap_or(Ending::Optimal)
            }
        }
    }

    /// What an early end leaves, a sentence, if it ended early.
    fn early(&self) -> Option<String> {
        let why = match self.ending() {
            Ending::TimeLimit => "The time limit came first",
            Ending::Interrupted => "Interrupted",
            _ => return None,
        };
        Some(format!(
            "{why}: {} of {} points are done and written; what follows is about those.",
            self.points.len(),
            self.asked
        ))
    }

    /// Writes and prints the end of a series that leaves no model of its own. `base` is the beginning of `result.json`,
    /// `answers` what follows from the points, in sentences.
    pub(crate) fn finish(mut self, base: Value, answers: Vec<String>, read: f64) -> Result<i32, Failure> {
        let run = self.run;
        run.log.finish();
        let stored = match self.failure.take() {
            Some(failure) => Err(failure),
            None => self.write_csv(),
        };
        let proven = self.points.iter().filter(|point| point.proven).count();
        let mut answers: Vec<String> = self.early().into_iter().chain(answers).collect();
        if let Some(refused) = self.points.iter().find(|point| !point.proven) {
            let why = refused.refusal.as_deref().unwrap_or_default();
            answers.push(format!(
                "The certificate of point {} was NOT accepted by the checker ({why}). This is a defect of infimum: please report it.",
                refused.number
            ));
        }
        let mut closing = SeriesClosing {
            ending: self.ending(),
            asked: self.asked,
            done: self.points.len(),
            proven,
            largest_gap: self.points.iter().map(|point| point.gap).fold(0.0, f64::max),
            answers,
            seconds: [read, run.seconds() - read],
            folder: stored.is_ok().then(|| run.folder.path.display().to_string()),
        };
        let mut summary = Summary::of(base);
        let certified = stored.is_ok() && proven == self.points.len() && proven > 0;
        let fields = [
            ("ending", json!(closing.ending.name())),
            ("certified", json!(certified)),
            ("gap", json!(closing.largest_gap)),
            ("model", Value::Null),
            ("certificate", Value::Null),
            ("message", json!(closing.answers.join(" "))),
            ("seconds", json!({ "read": read, "total": run.seconds() })),
            (self.name, self.json()),
        ];
        fields.into_iter().for_each(|(name, value)| summary.set(name, value));
        let result = summary.text();
        run.log.json("closing", serde_json::to_value(&closing).unwrap_or(Value::Null));
        let stored = stored.and_then(|()| {
            run.folder.write("log.jsonl", &run.log.lines())?;
            run.folder.write("result.json", result.as_bytes())
        });
        if stored.is_err() {
            closing.folder = None;
        }
        run.log.print(|out| series_closing(out, &closing));
        run.warn_of_log_copy();
        let printed = if run.arguments.json { print_result(&format!("{result}\n")) } else { Ok(()) };
        stored.and(printed)?;
        Ok(match closing.ending {
            _ if !certified => 1,
            Ending::Interrupted => 130,
            _ => 0,
        })
    }
}
