//! Options of warm starts, paths and cross-validation.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use infimum::{Path, Penalty, Range, Rule, Score};

use crate::arguments::positive;

/// Most points of a path.
const MOST_POINTS: usize = 10_000;
/// Points of the path that `--cv` takes if no strength and no path is given.
pub(crate) const USUAL_POINTS: usize = 10;

#[derive(Debug, Args)]
pub(crate) struct SelectionArguments {
    /// Start from the model of this run (or of a point, RUN/path/003); columns and labels must be the same
    #[arg(long, value_name = "RUN")]
    pub(crate) warm_start: Option<PathBuf>,
    /// Path of l1 strengths: N from where all weights are zero down to 1e-3 of that (1e-2 with more columns than rows),
    /// N:RATIO to another share of it, or HIGH..LOW,N; --l2 stays
    #[arg(long, value_name = "PATH", allow_hyphen_values = true, value_parser = range)]
    l1_path: Option<(usize, Range)>,
    /// Path of l2 strengths: N from the mean squared length of the rows down to 1e-6 of that, N:RATIO or HIGH..LOW,N;
    /// --l1 stays
    #[arg(long, value_name = "PATH", allow_hyphen_values = true, value_parser = range)]
    l2_path: Option<(usize, Range)>,
    /// Choose the strength by cross-validation with K ≥ 2 folds [default path: --l2-path 10 if no strength is given]
    #[arg(long, value_name = "K", allow_hyphen_values = true, value_parser = folds)]
    cv: Option<usize>,
    /// Which strength --cv chooses [default: best]
    #[arg(long)]
    cv_rule: Option<RuleName>,
    /// Score of paths, --cv and curves: loss, log-loss, accuracy, squared-error [default: loss]
    #[arg(long, value_parser = score)]
    score: Option<Score>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum RuleName {
    /// The best mean score
    Best,
    /// The strongest penalty within one standard error of the best
    OneStandardError,
}

/// Options beside these that go with some of them only.
pub(crate) struct Given {
    pub(crate) c: Option<f64>,
    pub(crate) l1: Option<f64>,
    pub(crate) l2: Option<f64>,
    pub(crate) valid: Option<f64>,
}

fn range(text: &str) -> Result<(usize, Range), String> {
    let expected = || format!("expected N (2 to {MOST_POINTS}), N:RATIO with a ratio below 1, or HIGH..LOW,N");
    let number = |text: &str| positive(text.trim()).ok();
    let parsed = if let Some((ends, points)) = text.split_once(',') {
        ends.split_once("..").and_then(|(one, other)| Some((number(one)?, number(other)?))).and_then(|(one, other)| {
            (one != other).then(|| (points, Range::Between { high: one.max(other), low: one.min(other) }))
        })
    } else if let Some((points, ratio)) = text.split_once(':') {
        number(ratio).filter(|&ratio| ratio < 1.0).map(|ratio| (points, Range::Ratio(ratio)))
    } else {
        Some((text, Range::Usual))
    };
    let (points, range) = parsed.ok_or_else(expected)?;
    let points = points.trim().parse().ok().filter(|points| (2..=MOST_POINTS).contains(points));
    Ok((points.ok_or_else(expected)?, range))
}

fn folds(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|&folds| folds >= 2).ok_or_else(|| "expected an integer ≥ 2".into())
}

fn score(text: &str) -> Result<Score, String> {
    let names: Vec<&str> = Score::ALL.iter().map(|score| score.name()).collect();
    Score::from_name(text).ok_or_else(|| format!("expected one of {}", names.join(", ")))
}

impl SelectionArguments {
    /// Why these options do not go together, or not with the others, if so.
    pub(crate) fn misfit(&self, given: &Given) -> Option<String> {
        let has_path = self.l1_path.is_some() || self.l2_path.is_some();
        let wrong = [
            (
                self.l1_path.is_some() && self.l2_path.is_some(),
                "--l1-path and --l2-path: one penalty varies; give the other by --l1 or --l2",
            ),
            (
                has_path && given.c.is_some(),
                "--C is one strength of l2; leave it out with a path, or give --l2 beside --l1-path",
            ),
            (self.l1_path.is_some() && given.l1.is_some(), "--l1 is one strength and --l1-path many; give one of them"),
            (self.l2_path.is_some() && given.l2.is_some(), "--l2 is one strength and --l2-path many; give one of them"),
            (
                self.cv.is_some() && given.valid.is_some(),
                "--cv holds out rows of its own, fold by fold; leave --valid out",
            ),
            (self.cv.is_none() && self.cv_rule.is_some(), "--cv-rule goes with --cv"),
        ];
        wrong.into_iter().find_map(|(is, why)| is.then(|| why.into()))
    }

    /// Why a score is of no use to `infimum fit`, if one is given and it is of none.
    pub(crate) fn idle_score(&self) -> Option<String> {
        let used = self.cv.is_some() || self.l1_path.is_some() || self.l2_path.is_some();
        (self.score.is_some() && !used).then(|| "--score goes with --cv, --l1-path or --l2-path".into())
    }

    /// The option that a series of its own does not take, if one is given.
    pub(crate) fn first(&self) -> Option<&'static str> {
        self.warm_start.is_some().then_some("--warm-start").or(self.without_start())
    }

    /// The first option given beside `--warm-start`.
    pub(crate) fn without_start(&self) -> Option<&'static str> {
        let given = [
            ("--l1-path", self.l1_path.is_some()),
            ("--l2-path", self.l2_path.is_some()),
            ("--cv", self.cv.is_some()),
            ("--cv-rule", self.cv_rule.is_some()),
        ];
        given.into_iter().find_map(|(name, is)| is.then_some(name))
    }

    /// The path asked for; `other` gives the strength of the penalty that does not vary.
    pub(crate) fn path(&self, other: impl Fn(Penalty) -> f64) -> Option<Path> {
        let path = |penalty, given: Option<(usize, Range)>| {
            given.map(|(points, range)| Path { penalty, points, range, other: other(penalty) })
        };
        path(Penalty::L1, self.l1_path).or_else(|| path(Penalty::L2, self.l2_path))
    }

    /// Folds and rule of cross-validation.
    pub(crate) fn cross_validation(&self) -> Option<(usize, Rule)> {
        let rule = match self.cv_rule {
            None | Some(RuleName::Best) => Rule::Best,
            Some(RuleName::OneStandardError) => Rule::OneStandardError,
        };
        self.cv.map(|folds| (folds, rule))
    }

    /// The score asked for.
    pub(crate) fn score(&self) -> Option<Score> {
        self.score
    }
}
