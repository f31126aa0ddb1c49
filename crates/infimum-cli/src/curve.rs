//! `infimum curve`: the training optimum and the validation score by amount of data.

use infimum::{FitOptions, Loaded, Monitor, Score, Start, Subset, fit_loaded, paired_difference, smallest_share};
use infimum_report::{Line, Point, curve_svg};

use crate::arguments::CurveArguments;
use crate::failure::Failure;
use crate::fit::{Data, Run};
use crate::points::{Quiet, Series};
use crate::result::asked;

/// Points of a curve.
const USUAL_POINTS: usize = 8;
/// Smallest share of the rows in a curve, and fewest rows.
const SMALLEST: f64 = 1.0 / 64.0;
const FEWEST: usize = 10;

pub(crate) fn run(arguments: &CurveArguments) -> Result<i32, Failure> {
    let fit = &arguments.fit;
    let request = fit.series_request("curve").map_err(Failure::input)?;
    let (run, Data { loaded, read }) = Run::prepare(fit, request)?;
    let score = fit.selection.score().unwrap_or(Score::Loss);
    if let Some(why) = score.objection(loaded.recipe.loss) {
        return Err(Failure::input(why));
    }
    let sizes = sizes(arguments, &loaded)?;
    run.begin(&loaded, None, None);
    let base = asked("curve", fit, &loaded, run.threads);
    let mut series = Series::begin(&run, "curve", "rows", score, sizes.len());
    let quiet = Quiet(&run.log);
    let options = run.options();
    let (mut start, mut last_step) = (None, None);
    for rows in sizes {
        if !series.points.is_empty() && run.log.stop().is_some() {
            break;
        }
        let before = std::mem::take(&mut series.valid_rows);
        let added = add_share(&loaded, rows, fit.read.seed, &options, start.take(), &quiet, &mut series)?;
        last_step = Some(paired_difference(&before, &series.valid_rows));
        let Some(next) = added else {
            break;
        };
        start = Some(next);
    }
    let answers = answers(&series, last_step);
    let svg = picture(&series);
    let stored = if series.points.is_empty() { Ok(()) } else { run.folder.write("curve.svg", svg.as_bytes()) };
    let code = series.finish(base, answers, read)?;
    stored.map(|()| code)
}

/// Fits a share of the rows and adds it to the series; returns its model as a start, or nothing if it could not be written.
fn add_share(
    loaded: &Loaded,
    rows: usize,
    seed: u64,
    options: &FitOptions,
    start: Option<Start>,
    monitor: &Quiet,
    series: &mut Series,
) -> Result<Option<Start>, Failure> {
    let part = loaded.subset(Subset::Share { rows, seed }).map_err(Failure::input)?;
    let mut fit = fit_loaded(part, options, start, monitor).map_err(Failure::input)?;
    fit.sharpen();
    let proof = fit.proof();
    let added = series.add(rows.to_string(), &fit, &proof);
    Ok(added.is_continue().then_some(Start { model: fit.outcome.model, dual: None }))
}

/// Numbers of rows, growing, the last all of them unless fractions say otherwise.
fn sizes(arguments: &CurveArguments, loaded: &Loaded) -> Result<Vec<usize>, Failure> {
    let n = loaded.problem.data.rows();
    let least = smallest_share(&loaded.problem.data.target);
    let mut sizes: Vec<usize> = if arguments.fractions.is_empty() {
        let points = arguments.points.unwrap_or(USUAL_POINTS);
        let smallest = (n as f64 * SMALLEST).max(FEWEST as f64).max(least as f64).min(n as f64);
        let ratio = n as f64 / smallest;
        (0..points).map(|point| (smallest * ratio.powf(point as f64 / (points - 1) as f64)).round() as usize).collect()
    } else {
        let of = |&fraction: &f64| {
            let rows = (fraction * n as f64).round() as usize;
            (rows >= least).then_some(rows).ok_or_else(|| {
                Failure::input(format!(
                    "--fractions {fraction}: {rows} of {n} training rows; expected at least {least}, one for each label"
                ))
            })
        };
        arguments.fractions.iter().map(of).collect::<Result<_, _>>()?
    };
    sizes.sort_unstable();
    sizes.dedup();
    Ok(sizes)
}

/// What the curve says, proven and estimated kept apart. `last_step` is the change of the validation score over the last step,
/// with its standard error.
fn answers(series: &Series, last_step: Option<(f64, f64)>) -> Vec<String> {
    let points = &series.points;
    let mut answers = Vec::new();
    let steps = || points.windows(2).filter(|pair| pair.iter().all(|point| point.proven));
    let rises = steps().filter(|pair| pair[1].lower > pair[0].upper).count();
    let falls = steps().filter(|pair| pair[1].upper < pair[0].lower).count();
    if points.len() > 1 {
        answers.push(format!(
            "Proven: the training optimum rises at {rises} and falls at {falls} of {} steps to more rows; at the others the two intervals \
             overlap.",
            points.len() - 1
        ));
    }
    if let ([.., before, last], Some((change, error))) = (points.as_slice(), last_step) {
        answers.push(still_helps(series, before, last, change, error));
    }
    answers.push("Unknown: scores beyond the rows at hand, and with other random orders of the rows (--seed).".into());
    answers
}

fn still_helps(series: &Series, before: &Point, last: &Point, change: f64, error: f64) -> String {
    let (from, to, score) = (before.rows, last.rows, series.score.name());
    let rows = series.valid_rows.len();
    let gain = if series.score.more_is_better() { change } else { -change };
    let measured = format!(
        "from {from} to {to} rows the validation {score} changes by {change:+.6} ± {error:.6} ({rows} held-out rows)"
    );
    let verdict = match () {
        () if error.is_nan() => "no standard error can be given",
        () if gain > 2.0 * error => "more data of this kind still helps",
        () if gain < -2.0 * error => {
            "the last rows made it worse: do the rows differ in kind, or is the penalty too weak?"
        }
        () => "within two standard errors: these rows cannot show that more data still helps",
    };
    format!("Estimated: {measured}: {verdict}.")
}

/// The curve as a picture.
fn picture(series: &Series) -> String {
    let line = |name, color, value: &dyn Fn(&Point) -> Option<(f64, f64)>| {
        let points = series.points.iter();
        let points = points.filter_map(|point| value(point).map(|(value, error)| (point.rows as f64, value, error)));
        Line { name, color, points: points.collect() }
    };
    let mut lines = vec![
        line("training", "#0072b2", &|point| Some((point.train, 0.0))),
        line("validation ± s.e.", "#d55e00", &|point| {
            point.valid.map(|valid| (valid, point.valid_error.unwrap_or(0.0)))
        }),
    ];
    if series.score == Score::Loss {
        lines.push(line("training optimum", "#009e73", &|point| {
            Some((0.5 * (point.upper + point.lower), 0.5 * (point.upper - point.lower)))
        }));
    }
    curve_svg(series.score.name(), &lines)
}
