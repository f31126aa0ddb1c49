//! What is said of a deep network beside objective and bound: proven, estimated and unknown are kept apart.

use infimum_check::{FEATURES, HEAD, LAST_TWO};
use infimum_deep::training::{Mark, TrainingOutcome};
use infimum_problem::deep::Evaluation;
use infimum_problem::{Ending, relative_gap};
use serde::Serialize;

use super::assess::Assessment;
use super::head::Head;
use super::last_two::LastTwo;
use super::outcome::DeepFit;

/// Share of the block's objective from which on it is worth a word that a better network is known.
const NOTABLE: f64 = 1e-3;

/// Sentences of the closing report, without those about the bound, which wait for the checker.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Findings {
    /// What the incumbent's value is: `proven` or `evaluated`.
    pub incumbent: String,
    /// What is proven of blocks of the network.
    pub blocks: Vec<BlockFinding>,
    /// What is estimated.
    pub estimated: Vec<String>,
    /// What nobody knows.
    pub unknown: Vec<String>,
    /// What to do next.
    pub next: String,
}

/// What a block's own certificate says.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BlockFinding {
    /// The block's folder in that of the run.
    pub folder: &'static str,
    /// In words.
    pub text: String,
}

impl Findings {
    /// Of a fit.
    pub(super) fn of(fit: &DeepFit) -> Findings {
        let found = &fit.found;
        let incumbent = match found.evaluation {
            Evaluation::Proven => "the objective over all training rows is proven (enclosed by the checker)",
            Evaluation::Evaluated => {
                "the objective over all training rows is evaluated in double precision, not proven: the checker encloses no such layers"
            }
        };
        let total = fit.loaded.problem.data.total_weight;
        let given = (fit.audited && found.given.is_finite()).then(|| {
            format!("the network as it was given has the mean objective {:.9e} (evaluated)", found.given / total)
        });
        let gap = relative_gap(found.upper, found.lower);
        let unknown = (found.ended.0 != Ending::Optimal).then(|| {
            format!(
                "how much of the {:.1} % between bound and objective is weakness of the bound, and how much a better network could gain",
                100.0 * gap
            )
        });
        Findings {
            incumbent: incumbent.into(),
            blocks: found
                .last_two
                .iter()
                .map(|block| of_last_two(block, found.upper, total))
                .chain(found.head.iter().map(of_head))
                .collect(),
            estimated: given.into_iter().chain(found.estimates.lines()).collect(),
            unknown: unknown.into_iter().collect(),
            next: next(found, gap),
        }
    }
}

/// What the head's own certificate says, and whether the network has it.
fn of_head(head: &Head) -> BlockFinding {
    let (upper, lower) = (head.fit.outcome.upper, head.fit.outcome.lower);
    let gap = relative_gap(upper, lower);
    let gained = (head.before - upper) / head.before.abs().max(1e-300);
    let change = if head.put_back {
        format!("training had left it {:.1e} (relative) above that, the solution is put back", gained.max(0.0))
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
    BlockFinding { folder: HEAD, text: format!("{sentence} [block: {HEAD}/{FEATURES}]") }
}

/// What the certificate of the two last layers says; the network's objective without that of the layers before is theirs.
fn of_last_two(block: &LastTwo, network: f64, total: f64) -> BlockFinding {
    let (upper, lower) = (block.fit.outcome.upper, block.fit.outcome.lower);
    let own = network - block.front;
    let gained = (block.before - upper) / block.before.abs().max(1e-300);
    let change = if block.put_back {
        format!("; a search had found some {gained:.1e} (relative) below what training had left, they are put back")
    } else if gained > NOTABLE {
        format!(
            "; some of as many units that have {:.6e} are known (a run with --time-limit puts them back)",
            upper / total
        )
    } else {
        String::new()
    };
    let text = format!(
        "given what they read, no two last layers of any width have with their decay a mean objective below {:.6e}; these have about {:.4e}{change} [block: {LAST_TWO}/{FEATURES}]",
        lower / total,
        own / total
    );
    BlockFinding { folder: LAST_TWO, text }
}

/// One piece of advice, by what the run itself showed.
fn next(found: &Assessment, gap: f64) -> String {
    let ending_is = |ending| found.ended.0 == ending;
    let falls: Vec<Option<bool>> = found.runs.iter().map(falls).collect();
    if ending_is(Ending::Optimal) {
        "stop: no network of any width is better by more than the gap".into()
    } else if ending_is(Ending::NumericalTrouble) {
        "give a smaller --learning-rate, or --scaling standard".into()
    } else if ending_is(Ending::Interrupted) {
        "go on with --resume RUN".into()
    } else if falls.contains(&Some(true)) {
        "train on: the objective was still falling; --resume RUN with more --epochs or --time-limit, or --warm-start RUN".into()
    } else if falls.contains(&None) {
        "train on: the run is too short to tell whether the objective has settled; more --epochs or --time-limit".into()
    } else if gap < 0.2 {
        "stop, or try --restarts: at most the gap is left".into()
    } else {
        "the objective has settled: other random weights (--restarts), a wider network, or less decay (--l2) are what can lower it".into()
    }
}

/// Whether the last 8 marks lie by more than a hundredth below the 16 before them; `None` if there are not so many. A run that ended by itself does not fall.
fn falls(run: &TrainingOutcome) -> Option<bool> {
    if run.settled {
        return Some(false);
    }
    let last = run.marks.len();
    let (early, late) = (run.marks.get(last.checked_sub(24)?..last - 8)?, &run.marks[last - 8..]);
    let mean = |marks: &[Mark]| marks.iter().map(|mark| mark.running).sum::<f64>() / marks.len() as f64;
    Some(mean(late) < 0.99 * mean(early))
}
