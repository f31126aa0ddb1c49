//! `infimum study`: one factor at a time. What amount of data, loss, regularisation and standardising change of the training
//! optimum (proven, as an interval) and of the validation score (estimated, with its standard error) beside what training longer
//! could still change (the gap).

use infimum::{
    Change, Fit, Intercept, Loaded, Loss, Monitor, Score, Strength, Subset, Task, fit_loaded, paired_difference,
    smallest_share,
};
use infimum_report::print::percent;
use serde_json::{Value, json};

use crate::arguments::StudyArguments;
use crate::failure::Failure;
use crate::fit::{Data, Run};
use crate::points::{Quiet, Series};
use crate::result::asked;

/// Shares of the training rows.
const SHARES: [f64; 3] = [0.125, 0.25, 0.5];
/// Factors of the penalty.
const FACTORS: [f64; 4] = [100.0, 10.0, 0.1, 0.01];

/// What is varied.
#[derive(Debug, Clone, Copy)]
enum Factor {
    Regularisation,
    Scales,
    Loss,
    Data,
}

/// One thing to try.
struct Trial {
    factor: Factor,
    setting: String,
    what: What,
}

enum What {
    Objective(Change),
    Rows(usize, Change),
}

/// What a trial changed against the problem as asked.
#[derive(Debug)]
struct Effect {
    factor: Factor,
    setting: String,
    /// Change of the mean training optimum: it is proven to lie between these; absent where the losses differ.
    optimum: Option<[f64; 2]>,
    /// Change of the validation score, and its standard error.
    valid: f64,
    valid_error: f64,
}

impl Factor {
    fn name(self) -> &'static str {
        match self {
            Factor::Regularisation => "regularisation",
            Factor::Scales => "scales",
            Factor::Loss => "loss",
            Factor::Data => "amount of data",
        }
    }
}

impl Effect {
    fn json(&self) -> Value {
        let Effect { factor, setting, optimum, valid, valid_error } = self;
        json!({ "factor": factor.name(), "setting": setting, "optimum": optimum, "valid": valid, "valid_error": valid_error })
    }
}

pub(crate) fn run(arguments: &StudyArguments) -> Result<i32, Failure> {
    let arguments = &arguments.fit;
    let request = arguments.series_request("study").map_err(Failure::input)?;
    let (run, Data { loaded, read }) = Run::prepare(arguments, request)?;
    let score = arguments.selection.score().unwrap_or_else(|| Score::common(loaded.recipe.task));
    if let Some(why) = score.objection(loaded.recipe.loss) {
        return Err(Failure::input(why));
    }
    run.begin(&loaded, None, None);
    let mut base = asked("study", arguments, &loaded, run.threads);
    let (quiet, options) = (Quiet(&run.log), run.options());
    let mut fit = fit_loaded(loaded, &options, None, &quiet).map_err(Failure::input)?;
    fit.sharpen();
    let trials = trials(&fit, score);
    let mut series = Series::begin(&run, "study", "setting", score, 1 + trials.len());
    let proof = fit.proof();
    let mut flow = series.add("as asked".into(), &fit, &proof);
    let (mut effects, base_rows) = (Vec::new(), series.valid_rows.clone());
    for trial in trials {
        if flow.is_break() || run.log.stop().is_some() {
            break;
        }
        let solved = match trial.what {
            What::Objective(change) => fit.refit(change, &options, &quiet).map(|()| None),
            What::Rows(rows, change) => share(&mut fit.loaded, change, rows, arguments.read.seed)
                .and_then(|part| fit_loaded(part, &options, None, &quiet).map(Some)),
        };
        let mut share = match solved {
            Ok(share) => share,
            Err(error) => {
                let why = format!("{}: {error}", trial.setting);
                run.log.print(|out| infimum_report::print::note(out, &format!("left out: {why}")));
                series.leave_out(why);
                continue;
            }
        };
        let current = share.as_mut().unwrap_or(&mut fit);
        current.sharpen();
        let proof = current.proof();
        flow = series.add(trial.setting.clone(), current, &proof);
        effects.push(effect(trial, &series, &base_rows));
    }
    let answers = answers(&series, &effects);
    print_effects(&run, &series, &effects);
    base["effects"] = effects.iter().map(Effect::json).collect();
    series.finish(base, answers, read)
}

/// The problem over some of the rows.
fn share(loaded: &mut Loaded, change: Change, rows: usize, seed: u64) -> Result<Loaded, infimum::Error> {
    loaded.set(change)?;
    Ok(loaded.subset(Subset::Share { rows, seed })?)
}

/// One factor at a time, from the problem as asked.
fn trials(fit: &Fit, score: Score) -> Vec<Trial> {
    let (recipe, data) = (&fit.loaded.recipe, &fit.loaded.problem.data);
    let mut trials = Vec::new();
    let base =
        Change { loss: Some(recipe.loss), strength: Some(recipe.strength), standardize: Some(recipe.standardize) };
    let mut objective = |factor, setting: String, change| {
        trials.push(Trial { factor, setting, what: What::Objective(change) });
    };
    let is_penalised = recipe.strength != Strength::PerExample { l1: 0.0, l2: 0.0 };
    for factor in FACTORS.into_iter().filter(|_| is_penalised) {
        let strength = match recipe.strength {
            Strength::C(c) => Strength::C(c / factor),
            Strength::PerExample { l1, l2 } => Strength::PerExample { l1: l1 * factor, l2: l2 * factor },
        };
        objective(Factor::Regularisation, format!("penalty × {factor}"), Change { strength: Some(strength), ..base });
    }
    if recipe.intercept == Intercept::Free {
        let setting = if recipe.standardize { "not standardized" } else { "standardized" };
        let change = Change { standardize: Some(!recipe.standardize), ..base };
        objective(Factor::Scales, setting.into(), change);
    }
    let same_task = |loss: &Loss| loss.is_classification() == (recipe.task == Task::Classification);
    for loss in Loss::ALL.into_iter().filter(same_task) {
        if loss.name() != recipe.loss.name() && score.objection(loss).is_none() {
            objective(Factor::Loss, format!("loss {}", loss.name()), Change { loss: Some(loss), ..base });
        }
    }
    let (n, least) = (data.rows(), smallest_share(&data.target));
    for share in SHARES {
        let rows = (share * n as f64).round() as usize;
        if rows >= least {
            let setting = format!("{} % of the rows", 100.0 * share);
            trials.push(Trial { factor: Factor::Data, setting, what: What::Rows(rows, base) });
        }
    }
    trials
}

/// What the last point of the series changed.
fn effect(trial: Trial, series: &Series, base_rows: &[f64]) -> Effect {
    let (valid, valid_error) = paired_difference(base_rows, &series.valid_rows);
    let optimum = match series.points.as_slice() {
        [base, .., point] if base.loss == point.loss && base.proven && point.proven => {
            Some([(point.lower - base.upper).next_down(), (point.upper - base.lower).next_up()])
        }
        _ => None,
    };
    Effect { factor: trial.factor, setting: trial.setting, optimum, valid, valid_error }
}

/// An interval in words, rounded outward: half a unit of the last digit shown is less than what is added first.
fn interval([low, high]: [f64; 2]) -> String {
    format!("{:+.5e} to {:+.5e}", low - 1e-5 * low.abs(), high + 1e-5 * high.abs())
}

/// Prints the effects.
fn print_effects(run: &Run, series: &Series, effects: &[Effect]) {
    let score = series.score.name();
    run.log.print(|out| {
        writeln!(out, "\nchanges against point 0")?;
        writeln!(
            out,
            "{:<15} {:<22} {:>29} {:>27}",
            "factor",
            "setting",
            "training optimum (proven)",
            format!("{score} (estimated)")
        )?;
        effects.iter().try_for_each(|effect| {
            let optimum = match effect.optimum {
                Some(optimum) => interval(optimum),
                None => "not comparable".into(),
            };
            let valid = format!("{:+.6} ± {:.6}", effect.valid, effect.valid_error);
            writeln!(out, "{:<15} {:<22} {optimum:>29} {valid:>27}", effect.factor.name(), effect.setting)
        })
    });
}

/// What the study says, proven, estimated and unknown kept apart.
fn answers(series: &Series, effects: &[Effect]) -> Vec<String> {
    let mut answers = Vec::new();
    if let Some(base) = series.points.first().filter(|base| base.proven) {
        answers.push(format!(
            "Proven: training the problem as asked for longer can lower its training objective by at most {}.",
            percent(base.gap)
        ));
    }
    let largest = effects.iter().filter_map(|effect| Some((effect, effect.optimum?))).max_by(|a, b| {
        let least = |[low, high]: [f64; 2]| if low > 0.0 { low } else { (-high).max(0.0) };
        least(a.1).total_cmp(&least(b.1))
    });
    if let Some((effect, optimum)) = largest.filter(|(_, [low, high])| *low > 0.0 || *high < 0.0) {
        answers.push(format!(
            "Proven: of what was tried, {} ({}) moves the training optimum most, by {}.",
            effect.factor.name(),
            effect.setting,
            interval(optimum)
        ));
    }
    let sign = if series.score.more_is_better() { 1.0 } else { -1.0 };
    let better: Vec<String> = (effects.iter().filter(|effect| sign * effect.valid > 2.0 * effect.valid_error))
        .map(|effect| format!("{} ({:+.6} ± {:.6})", effect.setting, effect.valid, effect.valid_error))
        .collect();
    let (score, rows) = (series.score.name(), series.valid_rows.len());
    answers.push(if better.is_empty() {
        format!("Estimated: on {rows} held-out rows nothing that was tried betters the {score} by more than two standard errors.")
    } else {
        format!("Estimated: on {rows} held-out rows the {score} is better by more than two standard errors with {}.", better.join(", "))
    });
    answers.push(
        "Unknown: combinations of factors, other data, and models that are not linear. Choosing by this table uses the held-out rows \
         up: score the choice on others."
            .into(),
    );
    answers
}
