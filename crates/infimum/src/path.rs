//! Regularisation paths: one problem for every strength, each solved from the last one's model and dual point.

use std::ops::ControlFlow;

use infimum_convex::{Start, l1_max, l2_start};
use infimum_data::{Change, Loaded};
use infimum_problem::{Monitor, Strength};

use crate::fit::{Error, Fit, FitOptions, Proof, fit_loaded};

/// Last strength of an ℓ1 path relative to the first, with at least as many rows as columns and with fewer.
const L1_RATIO: [f64; 2] = [1e-3, 1e-2];
/// The same for ℓ2.
const L2_RATIO: f64 = 1e-6;

/// The penalty whose strength a path varies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Penalty {
    /// λ1.
    L1,
    /// λ2.
    L2,
}

/// From which strength to which.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Range {
    /// From the first that matters down by a ratio that suits the data.
    Usual,
    /// From the first that matters down to this share of it, in (0, 1).
    Ratio(f64),
    /// From the larger to the smaller.
    Between {
        /// First strength, > low.
        high: f64,
        /// Last strength, > 0.
        low: f64,
    },
}

/// Strengths per example in geometric progression, from the largest down. The first that matters is for ℓ1 the smallest at which
/// all weights are zero (`infimum_convex::l1_max`), for ℓ2 the mean squared length of the rows (`infimum_convex::l2_start`).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Path {
    /// What varies.
    pub penalty: Penalty,
    /// How many strengths, ≥ 2.
    pub points: usize,
    /// From where to where.
    pub range: Range,
    /// Strength of the other penalty, ≥ 0.
    pub other: f64,
}

impl Path {
    /// The strengths for `loaded`, or a sentence that says why there are none.
    pub fn strengths(&self, loaded: &Loaded) -> Result<Vec<Strength>, String> {
        let problem = &loaded.problem;
        let total = problem.data.total_weight;
        let tall = problem.data.rows() >= problem.data.columns();
        // λ is recorded as l·T rounded; the first ℓ1 strength must not fall below λmax by that.
        let (first, usual) = match self.penalty {
            Penalty::L1 => (l1_max(problem) / total * (1.0 + 8.0 * f64::EPSILON), L1_RATIO[usize::from(!tall)]),
            Penalty::L2 => (l2_start(problem), L2_RATIO),
        };
        let (high, low) = match self.range {
            Range::Usual => (first, first * usual),
            Range::Ratio(ratio) => (first, first * ratio),
            Range::Between { high, low } => (high, low),
        };
        if !(high.is_finite() && low > 0.0) {
            return Err(match self.penalty {
                Penalty::L1 => {
                    "no feature is related to the target: all weights are zero at every strength of l1".into()
                }
                Penalty::L2 => "all features are constant: there is nothing for l2 to shrink".into(),
            });
        }
        let steps = (self.points - 1) as f64;
        let value = |point: usize| match point {
            0 => high,
            last if last + 1 == self.points => low,
            _ => high * (low / high).powf(point as f64 / steps),
        };
        Ok((0..self.points).map(|point| self.strength(value(point))).collect())
    }

    fn strength(&self, value: f64) -> Strength {
        match self.penalty {
            Penalty::L1 => Strength::PerExample { l1: value, l2: self.other },
            Penalty::L2 => Strength::PerExample { l1: self.other, l2: value },
        }
    }
}

/// Solves `loaded` at every strength in turn, from `start` and then each from the last one's solution, checks each certificate
/// in memory and hands both to `each`; returns the last fit. Ends early if `each` says so, or before the next point if the monitor says stop.
pub fn path(
    loaded: Loaded,
    strengths: &[Strength],
    options: &FitOptions,
    start: Option<Start>,
    monitor: &dyn Monitor,
    each: &mut dyn FnMut(usize, &Fit, &Proof) -> ControlFlow<()>,
) -> Result<Option<Fit>, Error> {
    let (mut loaded, mut start, mut last) = (Some(loaded), start, None::<Fit>);
    for (point, &strength) in strengths.iter().enumerate() {
        if point > 0 && monitor.stop().is_some() {
            break;
        }
        let change = Change { strength: Some(strength), ..Change::default() };
        if let Some(mut loaded) = loaded.take() {
            loaded.set(change)?;
            last = Some(fit_loaded(loaded, options, start.take(), monitor)?);
        } else if let Some(fit) = &mut last {
            fit.refit(change, options, monitor)?;
        }
        if let Some(fit) = &mut last {
            fit.sharpen();
            let proof = fit.proof();
            if each(point, fit, &proof).is_break() {
                break;
            }
        }
    }
    Ok(last)
}
