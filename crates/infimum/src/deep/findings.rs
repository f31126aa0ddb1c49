//! What is said of a deep network beside objective and bound: proven, estimated and unknown are kept apart.

use infimum_problem::deep::Evaluation;
use infimum_problem::{Ending, relative_gap};
use serde::Serialize;

use super::fit::DeepFit;

/// Sentences of the closing report, without those about the bound, which wait for the checker.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Findings {
    /// What the incumbent's value is: `proven` or `evaluated`.
    pub incumbent: String,
    /// What is proven beside the bound.
    pub proven: Vec<String>,
    /// What is estimated.
    pub estimated: Vec<String>,
    /// What nobody knows.
    pub unknown: Vec<String>,
    /// What to do next.
    pub next: String,
}

impl Findings {
    /// Of a fit.
    pub(super) fn of(fit: &DeepFit) -> Findings {
        let incumbent = match fit.evaluation {
            Evaluation::Proven => "the objective over all training rows is proven (enclosed by the checker)",
            Evaluation::Evaluated => {
                "the objective over all training rows is evaluated in double precision, not proven: the checker encloses no such layers"
            }
        };
        let mut estimated_first = None;
        let mut proven = Vec::new();
        if let Some(head) = &fit.head {
            let (upper, lower) = (head.fit.outcome.upper, head.fit.outcome.lower);
            let gap = relative_gap(upper, lower);
            let gained = (head.before - upper) / head.before.abs().max(1e-300);
            let change = if gained > 0.0 {
                format!("it was {gained:.1e} (relative) above that and is put back")
            } else {
                "training had left it there".into()
            };
            let sentence = if gap <= 1e-2 {
                format!("the last layer given its features is optimal to {gap:.1e}; {change}")
            } else {
                format!(
                    "the last layer given its features could be at most {:.0} % lower (its solver had too little time); {change}",
                    100.0 * gap
                )
            };
            proven.push(format!("{sentence} [block: head/features.npz]"));
        }
        if let Some(given) = fit.given.filter(|given| given.is_finite()) {
            let total = fit.loaded.problem.data.total_weight;
            let mean = given / total;
            estimated_first =
                Some(format!("the network as it was given has the mean objective {mean:.9e} (evaluated)"));
        }
        let gap = relative_gap(fit.upper, fit.lower);
        let unknown = if fit.ending_is(Ending::Optimal) {
            Vec::new()
        } else {
            vec![format!(
                "how much of the {:.1} % between bound and objective is weakness of the bound, and how much a better network could gain",
                100.0 * gap
            )]
        };
        Findings {
            incumbent: incumbent.into(),
            proven,
            estimated: estimated_first.into_iter().chain(fit.estimates.lines()).collect(),
            unknown,
            next: next(fit, gap),
        }
    }
}

/// One piece of advice, by what the run itself showed.
fn next(fit: &DeepFit, gap: f64) -> String {
    let falling = fit.runs.iter().any(|run| {
        let last = run.marks.len();
        let late = &run.marks[last - last.min(8)..];
        let early = &run.marks[last.saturating_sub(24)..last - last.min(8)];
        let mean = |marks: &[infimum_deep::training::Mark]| {
            marks.iter().map(|mark| mark.running).sum::<f64>() / marks.len().max(1) as f64
        };
        !early.is_empty() && mean(late) < 0.99 * mean(early)
    });
    if fit.ending_is(Ending::Optimal) {
        "stop: no network of any width is better by more than the gap".into()
    } else if fit.ending_is(Ending::NumericalTrouble) {
        "give a smaller --learning-rate, or --scaling standard".into()
    } else if fit.ending_is(Ending::Interrupted) {
        "go on with --resume RUN".into()
    } else if falling {
        "train on: the objective was still falling; --resume RUN with more --epochs or --time-limit, or --warm-start RUN".into()
    } else if gap < 0.2 {
        "stop, or try --restarts: at most the gap is left".into()
    } else {
        "the objective has settled: other random weights (--restarts), a wider network, or less decay (--l2) are what can lower it".into()
    }
}
