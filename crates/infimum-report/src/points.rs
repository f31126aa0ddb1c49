//! Series of fits (paths, learning curves, studies): a row for each, as a table and as CSV.

use std::io::{self, Write};

use infimum_problem::{Ending, one_line};
use serde::Serialize;

/// One fit of a series.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Point {
    /// Its number, from 0; its files lie in the folder of this number.
    pub number: usize,
    /// What distinguishes it, e.g. `0.0125` or `hinge`.
    pub setting: String,
    /// Loss name.
    pub loss: String,
    /// Training rows.
    pub rows: usize,
    /// L1 strength per example.
    pub l1: f64,
    /// L2 strength per example.
    pub l2: f64,
    /// Whether the penalty is weighted by standard deviations.
    pub standardize: bool,
    /// Mean objective of the model, rounded up.
    pub upper: f64,
    /// Mean lower bound, rounded down.
    pub lower: f64,
    /// Relative gap.
    pub gap: f64,
    /// Whether the checker accepted the certificate; else the bounds are the solver's own.
    pub proven: bool,
    /// Weights that are not zero, intercepts left out.
    pub nonzero: usize,
    /// Mean score on the training rows.
    pub train: f64,
    /// Mean score on the held-out rows, and its standard error.
    pub valid: Option<f64>,
    /// Standard error of `valid` over the rows.
    pub valid_error: Option<f64>,
    /// How it ended.
    pub ending: Ending,
    /// Seconds of solving and checking.
    pub seconds: f64,
    /// Why it is not proven, if it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refusal: Option<String>,
}

/// What is known at the end of a series.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SeriesClosing {
    /// How the series ended.
    pub ending: Ending,
    /// Points asked for.
    pub asked: usize,
    /// Points done.
    pub done: usize,
    /// Points proven.
    pub proven: usize,
    /// Largest gap of a point.
    pub largest_gap: f64,
    /// What follows, sentence by sentence.
    pub answers: Vec<String>,
    /// Seconds of reading and of the rest.
    pub seconds: [f64; 2],
    /// Run folder; `None` if it could not be written.
    pub folder: Option<String>,
}

/// Prints the heads of the columns. `setting` names what varies, `score` what training and validation columns hold.
pub fn points_head(out: &mut dyn Write, setting: &str, score: &str) -> io::Result<()> {
    writeln!(out, "score      {score} (mean over the rows, without penalty); validation ± its standard error\n")?;
    writeln!(
        out,
        "{:>5} {:>18} {:>16} {:>16} {:>9} {:>8} {:>11} {:>22}  ending",
        "point", setting, "incumbent", "bound", "gap", "non-zero", "training", "validation"
    )
}

/// Prints one point.
pub fn point(out: &mut dyn Write, point: &Point) -> io::Result<()> {
    let valid = match (point.valid, point.valid_error) {
        (Some(valid), Some(error)) => format!("{valid:.6} ± {error:.6}"),
        (Some(valid), None) => format!("{valid:.6}"),
        (None, _) => "-".into(),
    };
    let proof = if point.proven { "" } else { ", NOT proven" };
    writeln!(
        out,
        "{:>5} {:>18} {:>16.9e} {:>16.9e} {:>9.2e} {:>8} {:>11.6} {valid:>22}  {}{proof}",
        point.number,
        one_line(&point.setting),
        point.upper,
        point.lower,
        point.gap,
        point.nonzero,
        point.train,
        point.ending.name()
    )
}

/// Prints the closing block.
pub fn series_closing(out: &mut dyn Write, closing: &SeriesClosing) -> io::Result<()> {
    let SeriesClosing { asked, done, proven, largest_gap, .. } = closing;
    writeln!(out, "\nending     {}", closing.ending.name())?;
    writeln!(out, "points     {done} of {asked}")?;
    writeln!(out, "proven     {proven} of {done} (each certificate was checked in this process)")?;
    writeln!(out, "gap        {largest_gap:.2e} at most")?;
    let [read, rest] = closing.seconds;
    writeln!(out, "seconds    read {read:.2}, solve, check and write {rest:.2}")?;
    writeln!(out, "written    {}\n", one_line(closing.folder.as_deref().unwrap_or("nothing")))?;
    closing.answers.iter().try_for_each(|answer| writeln!(out, "{}", one_line(answer)))
}

/// The points as CSV; `setting` is the head of what varies.
pub fn points_csv(setting: &str, points: &[Point]) -> String {
    let mut text = format!(
        "point,{setting},loss,rows,l1,l2,standardize,upper,lower,gap,proven,nonzero,train,valid,valid_error,ending,seconds\n"
    );
    let optional = |value: Option<f64>| value.map(|value| value.to_string()).unwrap_or_default();
    for point in points {
        let fields = [
            point.number.to_string(),
            format!("\"{}\"", point.setting.replace('"', "\"\"")),
            point.loss.clone(),
            point.rows.to_string(),
            format!("{:e}", point.l1),
            format!("{:e}", point.l2),
            point.standardize.to_string(),
            format!("{:e}", point.upper),
            format!("{:e}", point.lower),
            format!("{:e}", point.gap),
            point.proven.to_string(),
            point.nonzero.to_string(),
            point.train.to_string(),
            optional(point.valid),
            optional(point.valid_error),
            point.ending.name().into(),
            format!("{:.6}", point.seconds),
        ];
        text.push_str(&fields.join(","));
        text.push('\n');
    }
    text
}
