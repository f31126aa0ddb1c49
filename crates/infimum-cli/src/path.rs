//! `infimum fit` with several strengths: paths, and the choice of one by cross-validation.

use std::fmt::Write as _;

use infimum::{
    Certificate, Change, CrossValidated, CrossValidation, FoldPoint, Loaded, Monitor, Path, Penalty, Range, Rule,
    Score, Start, Stop, Strength, Subset, cross_validate, fit_loaded, path, relative_gap, subset_rows,
};
use serde_json::{Value, json};

use crate::arguments::FitArguments;
use crate::failure::Failure;
use crate::fit::{Run, Selection, short};
use crate::points::{Quiet, Series};
use crate::result::asked as result_of;
use crate::selection::USUAL_POINTS;

/// The strengths asked for, and what is done with them.
pub(crate) struct Asked {
    strengths: Vec<Strength>,
    /// The strengths in words.
    words: String,
    /// Name of what varies.
    setting: &'static str,
    score: Score,
    cross: Option<(CrossValidation, Rule)>,
}

/// The strengths that the arguments ask for, if they ask for more than one fit.
pub(crate) fn asked(arguments: &FitArguments, loaded: &Loaded) -> Result<Option<Asked>, Failure> {
    let selection = &arguments.selection;
    let score = selection.score().unwrap_or(Score::Loss);
    if let Some(why) = score.objection(loaded.recipe.loss) {
        return Err(Failure::input(why));
    }
    let cross = selection
        .cross_validation()
        .map(|(folds, rule)| (CrossValidation { folds, seed: arguments.read.seed, score }, rule));
    if let Some((CrossValidation { folds, seed, .. }, _)) = cross {
        let fold = Subset::WithoutFold { folds, fold: 0, seed };
        subset_rows(&loaded.problem.data.target, fold).map_err(|why| Failure::input(format!("--cv {folds}: {why}")))?;
    }
    let usual = (cross.is_some() && !arguments.has_strength()).then_some(Path {
        penalty: Penalty::L2,
        points: USUAL_POINTS,
        range: Range::Usual,
        other: 0.0,
    });
    let asked = selection.path(|varied| arguments.other_strength(varied));
    let Some(path) = asked.or(usual) else {
        return Ok(cross.is_some().then(|| Asked {
            strengths: vec![loaded.recipe.strength],
            words: "the strength given".into(),
            setting: "strength",
            score,
            cross,
        }));
    };
    let setting = if path.penalty == Penalty::L1 { "l1" } else { "l2" };
    let strengths = path.strengths(loaded).map_err(|why| Failure::input(format!("--{setting}-path: {why}")))?;
    let value = |place: usize| words(&strengths[place], setting);
    let chosen =
        if asked.is_none() { " (no strength given; --l1-path, --l2-path, --C, --l1 or --l2 say which)" } else { "" };
    let other = if path.other > 0.0 {
        format!(", {} {}", if setting == "l1" { "l2" } else { "l1" }, short(path.other))
    } else {
        String::new()
    };
    let words = format!(
        "{} strengths of {setting} from {} to {}{other}{chosen}",
        path.points,
        value(0),
        value(path.points - 1)
    );
    Ok(Some(Asked { strengths, words, setting, score, cross }))
}

/// The strength of the penalty called `setting`.
fn varied(strength: &Strength, setting: &str) -> f64 {
    match *strength {
        Strength::PerExample { l1, l2 } => {
            if setting == "l1" {
                l1
            } else {
                l2
            }
        }
        Strength::C(c) => c,
    }
}

/// A strength in words.
fn words(strength: &Strength, setting: &str) -> String {
    match *strength {
        Strength::C(c) => format!("C {}", short(c)),
        Strength::PerExample { l1, l2 } if setting == "strength" => format!("l1 {} l2 {}", short(l1), short(l2)),
        _ => format!("{:.6e}", varied(strength, setting)),
    }
}

/// Runs the path over all training rows, then the folds if there are any, then fits at the strength chosen.
pub(crate) fn run(run: &Run, loaded: Loaded, read: f64, asked: &Asked) -> Result<i32, Failure> {
    let start = run.warm_start(&loaded)?;
    run.begin(&loaded, Some(asked.words.clone()), None);
    let mut base = result_of("fit", run.arguments, &loaded, run.threads);
    // Every point has strengths, and so a hash, of its own.
    ["lambda1", "lambda2", "l1", "l2", "strength"].into_iter().for_each(|name| base["objective"][name] = Value::Null);
    base["data"]["problem_sha256"] = Value::Null;
    let mut series = Series::begin(run, "path", asked.setting, asked.score, asked.strengths.len());
    let quiet = Quiet(&run.log);
    let mut each =
        |point: usize, fit: &_, proof: &_| series.add(words(&asked.strengths[point], asked.setting), fit, proof);
    let last = path(loaded, &asked.strengths, &run.options(), start, &quiet, &mut each).map_err(Failure::input)?;
    match (asked.cross, last) {
        (Some((cross, rule)), Some(last)) if series.is_whole() => {
            choose(run, last.loaded, read, asked, series, base, cross, rule)
        }
        _ => {
            let answers = summary_of(&series, asked);
            series.finish(base, answers, read)
        }
    }
}

/// What a path without choice says.
fn summary_of(series: &Series, asked: &Asked) -> Vec<String> {
    let mut answers = Vec::new();
    let gap = series.points.iter().map(|point| point.gap).fold(0.0, f64::max);
    if series.points.iter().all(|point| point.proven) && !series.points.is_empty() {
        answers.push(format!(
            "Proven: at each of these strengths no model of this kind has a training objective more than {} lower.",
            infimum_report::print::percent(gap)
        ));
    }
    let best = series.best_valid();
    if let Some(best) = best {
        answers.push(format!(
            "Estimated: on the held-out rows the best {} is that of point {} ({} {}).",
            series.score.name(),
            best.number,
            asked.setting,
            best.setting
        ));
    }
    if asked.cross.is_some() {
        answers.push("No strength was chosen: the folds of --cv were not reached.".into());
    }
    answers.push("`infimum predict RUN/path/NNN` predicts with a point, `infimum check RUN` checks all.".into());
    answers
}

/// Cross-validates, chooses, and fits all training rows at the strength chosen, from the point of the path.
#[expect(clippy::too_many_arguments, reason = "the state of one command, handed over once")]
fn choose(
    run: &Run,
    mut loaded: Loaded,
    read: f64,
    asked: &Asked,
    mut series: Series,
    base: Value,
    cross: CrossValidation,
    rule: Rule,
) -> Result<i32, Failure> {
    let say = |line: String| run.log.print(|out| writeln!(out, "{}", infimum::one_line(&line)));
    say(String::new());
    say(format!("cv         {} folds (seed {}), each along the path", cross.folds, cross.seed));
    let done = |fold: usize, points: &[FoldPoint]| {
        let gap = points.iter().map(|point| point.gap).fold(0.0, f64::max);
        let proven = points.iter().filter(|point| point.proven).count();
        say(format!(
            "fold       {fold}: {} of {} strengths, {proven} proven, gap {gap:.2e} at most",
            points.len(),
            asked.strengths.len()
        ));
    };
    let table = cross_validate(&loaded, &asked.strengths, cross, &run.options(), &Quiet(&run.log), &done)
        .map_err(Failure::input)?;
    let Some(chosen) = table.choose(rule) else {
        series.cut_short = true;
        let answers = summary_of(&series, asked);
        return series.finish(base, answers, read);
    };
    print_table(run, asked, &table, chosen);
    let strength = asked.strengths[chosen];
    loaded.set(Change { strength: Some(strength), ..Change::default() }).map_err(Failure::input)?;
    let file = run.folder.path.join(series.folder(chosen)).join("certificate.safetensors");
    let bytes = std::fs::read(&file).map_err(Failure::internal)?;
    let point = Certificate::from_bytes(&bytes).map_err(Failure::internal)?;
    let start = Start { model: point.model, dual: Some(point.dual) };
    run.log.print(|out| writeln!(out, "final      all training rows at {}", words(&strength, asked.setting)));
    let fitted = fit_loaded(loaded, &run.options(), Some(start), &run.log).map_err(Failure::input)?;
    let (mean, error) = table.score(chosen);
    let (fold_gap, proven) = table.gap(chosen);
    let gap = fold_gap.max(relative_gap(fitted.outcome.upper, fitted.outcome.lower));
    let named = if asked.setting == "strength" { String::new() } else { format!("{} ", asked.setting) };
    let mut lines = vec![
        format!(
            "chosen      {named}{}: {} {mean:.6} ± {error:.6} over {} folds (estimated; standard error)",
            words(&strength, asked.setting),
            cross.score.name(),
            cross.folds
        ),
        format!(
            "folds       trained to a gap of {fold_gap:.2e} at most ({})",
            if proven { "proven: each was checked in this process" } else { "NOT all proven" }
        ),
    ];
    if table.reached < asked.strengths.len() {
        lines.push(format!(
            "stopped     only the first {} of {} strengths were cross-validated",
            table.reached,
            asked.strengths.len()
        ));
    } else if asked.strengths.len() > 1 && (chosen == 0 || chosen + 1 == asked.strengths.len()) {
        lines.push("note        the strength chosen is an end of the path: a better one may lie beyond".into());
    }
    let rows = (0..table.reached).map(|place| {
        let ((mean, error), (gap, proven)) = (table.score(place), table.gap(place));
        let folds: Vec<f64> = table.folds.iter().map(|fold| fold[place].score).collect();
        json!({ "point": place, "strength": asked.strengths[place], "mean": mean, "standard_error": error,
                "folds": folds, "gap": gap, "proven": proven })
    });
    let selection = json!({
        "rule": if rule == Rule::Best { "best" } else { "one-standard-error" },
        "score": cross.score.name(), "folds": cross.folds, "seed": cross.seed,
        "chosen": chosen, "mean": mean, "standard_error": error,
        "fold_gap": fold_gap, "folds_proven": proven, "gap": gap,
        "strengths": rows.collect::<Vec<Value>>(), "path": series.json(),
    });
    let csv = csv(asked, &table);
    let stored = series.write_csv().and_then(|()| run.folder.write("cv.csv", csv.as_bytes()));
    let cut_short = table.reached < asked.strengths.len() && run.log.stop() == Some(Stop::Interrupted);
    let code = run.finish(fitted, read, Some(Selection { value: selection, lines, stored }), None)?;
    Ok(if code == 0 && cut_short { 130 } else { code })
}

/// Prints the scores of all strengths.
fn print_table(run: &Run, asked: &Asked, table: &CrossValidated, chosen: usize) {
    run.log.print(|out| {
        writeln!(
            out,
            "\n{:>5} {:>18} {:>12} {:>14} {:>9}",
            "point", asked.setting, "cv score", "standard error", "gap"
        )?;
        (0..table.reached).try_for_each(|place| {
            let ((mean, error), (gap, proven)) = (table.score(place), table.gap(place));
            let mark = if place == chosen { "  chosen" } else { "" };
            let proof = if proven { "" } else { "  NOT all proven" };
            let strength = words(&asked.strengths[place], asked.setting);
            writeln!(out, "{place:>5} {strength:>18} {mean:>12.6} {error:>14.6} {gap:>9.2e}{mark}{proof}")
        })
    });
}

/// The scores of all strengths as CSV.
fn csv(asked: &Asked, table: &CrossValidated) -> String {
    let mut text = format!("point,{},mean,standard_error,gap,proven", asked.setting);
    (0..table.folds.len()).for_each(|fold| {
        let _ = write!(text, ",fold{fold}");
    });
    text.push('\n');
    for place in 0..table.reached {
        let ((mean, error), (gap, proven)) = (table.score(place), table.gap(place));
        let _ =
            write!(text, "{place},{},{mean},{error},{gap:e},{proven}", words(&asked.strengths[place], asked.setting));
        table.folds.iter().for_each(|fold| {
            let _ = write!(text, ",{}", fold[place].score);
        });
        text.push('\n');
    }
    text
}
