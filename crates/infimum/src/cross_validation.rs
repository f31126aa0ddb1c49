//! Cross-validation: every strength is trained without each fold in turn and scored on the rows of that fold.
//!
//! A score is an estimate; that the models scored are the best of their kind, up to a gap, is proven by each fold's
//! certificate, which is checked in memory. So a choice of strength cannot be an accident of training that ended early.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use infimum_data::Loaded;
use infimum_problem::{Monitor, Strength, Subset, relative_gap};

use crate::fit::{Error, FitOptions};
use crate::path::path;
use crate::score::{Score, held_out, mean_and_error};

/// How to cross-validate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CrossValidation {
    /// Number of folds, ≥ 2.
    pub folds: usize,
    /// Seed of the folds.
    pub seed: u64,
    /// What is averaged over held-out rows.
    pub score: Score,
}

/// Which strength is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// The best mean score; the stronger penalty of equals.
    Best,
    /// The strongest penalty whose mean score is within one standard error of the best (Breiman, Friedman, Olshen, Stone 1984).
    OneStandardError,
}

/// One strength trained without one fold.
#[derive(Debug, Clone, PartialEq)]
pub struct FoldPoint {
    /// Mean score over the fold's rows.
    pub score: f64,
    /// Relative gap of the training bounds: the checker's where proven.
    pub gap: f64,
    /// Whether the checker accepted the certificate.
    pub proven: bool,
}

/// Scores of all folds: `folds[fold][strength]`, as many strengths as every fold reached.
#[derive(Debug, Clone, PartialEq)]
pub struct CrossValidated {
    /// One list for each fold.
    pub folds: Vec<Vec<FoldPoint>>,
    /// Strengths that all folds reached.
    pub reached: usize,
    score: Score,
}

/// Trains `loaded` without each fold at every strength, from the first to the last; `done` is told of each fold that is over.
/// Folds run beside each other, with one thread each as long as there are at least as many folds as threads. Told to stop, a
/// fold keeps the strengths that it finished.
pub fn cross_validate(
    loaded: &Loaded,
    strengths: &[Strength],
    how: CrossValidation,
    options: &FitOptions,
    monitor: &dyn Monitor,
    done: &(dyn Fn(usize, &[FoldPoint]) + Sync),
) -> Result<CrossValidated, Error> {
    let workers = options.threads.clamp(1, how.folds);
    let options = FitOptions { threads: (options.threads / workers).max(1), ..options.clone() };
    let next = AtomicUsize::new(0);
    let results = Mutex::new((0..how.folds).map(|_| None).collect::<Vec<Option<Result<Vec<FoldPoint>, Error>>>>());
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let fold = next.fetch_add(1, Ordering::Relaxed);
                    if fold >= how.folds {
                        return;
                    }
                    let result = without(loaded, fold, strengths, how, &options, monitor);
                    if let Ok(points) = &result {
                        done(fold, points);
                    }
                    results.lock().unwrap_or_else(PoisonError::into_inner)[fold] = Some(result);
                }
            });
        }
    });
    let results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    let folds = results.into_iter().flatten().collect::<Result<Vec<_>, Error>>()?;
    let reached = folds.iter().map(Vec::len).min().unwrap_or(0);
    Ok(CrossValidated { folds, reached, score: how.score })
}

/// The path over all rows but those of one fold.
fn without(
    loaded: &Loaded,
    fold: usize,
    strengths: &[Strength],
    how: CrossValidation,
    options: &FitOptions,
    monitor: &dyn Monitor,
) -> Result<Vec<FoldPoint>, Error> {
    let CrossValidation { folds, seed, score } = how;
    let mut points = Vec::with_capacity(strengths.len());
    if monitor.stop().is_some() {
        return Ok(points);
    }
    let part = loaded.subset(Subset::WithoutFold { folds, fold, seed })?;
    path(part, strengths, options, None, monitor, &mut |_, fit, proof| {
        let outcome = &fit.outcome;
        if monitor.stop().is_some() {
            return ControlFlow::Break(());
        }
        let scores = held_out(&fit.loaded)
            .map(|(matrix, target)| score.of_rows(fit.loaded.problem.objective.loss, &outcome.model, matrix, &target));
        let gap = match proof {
            Ok(verdict) => relative_gap(verdict.upper, verdict.lower),
            Err(_) => relative_gap(outcome.upper, outcome.lower),
        };
        points.push(FoldPoint { score: mean_and_error(&scores.unwrap_or_default()).0, gap, proven: proof.is_ok() });
        ControlFlow::Continue(())
    })?;
    Ok(points)
}

impl CrossValidated {
    /// Mean score over the folds and its standard error, at one strength.
    pub fn score(&self, strength: usize) -> (f64, f64) {
        let scores: Vec<f64> = self.folds.iter().map(|fold| fold[strength].score).collect();
        mean_and_error(&scores)
    }

    /// Largest training gap of the folds at one strength, and whether all of them are proven.
    pub fn gap(&self, strength: usize) -> (f64, bool) {
        let points = || self.folds.iter().map(|fold| &fold[strength]);
        (points().map(|point| point.gap).fold(0.0, f64::max), points().all(|point| point.proven))
    }

    /// The strength chosen, by its number; strengths stand from the strongest penalty down. `None` if none has a score.
    pub fn choose(&self, rule: Rule) -> Option<usize> {
        let loss = |strength: usize| {
            let mean = self.score(strength).0;
            if self.score.more_is_better() { -mean } else { mean }
        };
        let best = (0..self.reached)
            .filter(|&strength| !loss(strength).is_nan())
            .min_by(|&a, &b| loss(a).total_cmp(&loss(b)).then(a.cmp(&b)))?;
        match rule {
            Rule::Best => Some(best),
            Rule::OneStandardError => {
                let limit = loss(best) + self.score(best).1;
                (0..=best).find(|&strength| loss(strength) <= limit).or(Some(best))
            }
        }
    }
}
