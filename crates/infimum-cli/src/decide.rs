//! `infimum decide`, and `infimum fit` with threshold units.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use infimum::{
    Architecture, DecideOptions, Ending, Function, Loading, LoadingProblem, LoadingRequest, Network, NetworkModel,
    Neuron, Question, Term, Unit, decide, load_problem,
};
use infimum_report::{
    LoadingClosing, LoadingHeader, Log, MarginLine, Proof, TermLine, loading_answer, loading_closing, loading_header,
};
use serde_json::{Value, json};

use crate::failure::{Failure, print as print_result, say};
use crate::fit::{CERTIFICATE, log_copy};
use crate::folder::Folder;
use crate::interrupt;
use crate::threads;

/// What is asked, by whichever command.
pub(crate) struct Asked<'a> {
    pub(crate) command: &'static str,
    pub(crate) data: &'a str,
    pub(crate) request: LoadingRequest,
    pub(crate) hidden: Option<&'a [usize]>,
    pub(crate) net: Option<&'a Path>,
    pub(crate) question: Question,
    pub(crate) symmetry: bool,
    pub(crate) threads: Option<usize>,
    pub(crate) seed: u64,
    pub(crate) time_limit: Option<Duration>,
    pub(crate) out: Option<&'a Path>,
    pub(crate) log_json: Option<&'a PathBuf>,
    pub(crate) json: bool,
    pub(crate) quiet: bool,
}

/// Time that writing takes of a limit.
const WRITING: Duration = Duration::from_millis(20);
/// Values of a row that are shown.
const SHOWN: usize = 12;
/// Columns whose unit is a power of ten up to this one are shown without a unit.
const SHIFTED: i32 = 15;

pub(crate) fn run(asked: &Asked) -> Result<i32, Failure> {
    let start = Instant::now();
    let interrupted = interrupt::install();
    let threads = threads::start(asked.threads);
    let architecture = match asked.net {
        Some(path) => Architecture::Described(path.to_path_buf()),
        None => Architecture::Layers(asked.hidden.unwrap_or(&[]).to_vec()),
    };
    let folder = Folder::take(asked.out, asked.data)?;
    let out: Box<dyn Write + Send> = if asked.quiet { Box::new(io::sink()) } else { Box::new(io::stderr()) };
    let watch = interrupt::watch_reading(start, asked.time_limit, folder.traces());
    let log = Log::new(start, interrupted, out, log_copy(asked.log_json.map(PathBuf::as_path), asked.data)?);
    log.count_rows();
    let loaded = load_problem(asked.data, &asked.request, &architecture).map_err(Failure::input)?;
    drop(watch);
    let read = start.elapsed().as_secs_f64();
    let rows = loaded.problem.rows();
    let allowed = asked.question.allowed(rows as u64).map_err(Failure::input)?;
    let header = LoadingHeader {
        data: loaded.source.path.clone(),
        rows,
        columns: loaded.problem.points.columns(),
        outputs: loaded.problem.output_names.clone(),
        network: in_words(&loaded.problem.network),
        rung: if loaded.problem.network.is_flat() { 2 } else { 3 },
        question: match allowed {
            None => "the fewest wrong rows".into(),
            Some(0) => "all rows right?".into(),
            Some(errors) => format!("at most {errors} of {rows} rows wrong?"),
        },
        notes: loaded.notes.clone(),
        threads,
    };
    log.json("header", serde_json::to_value(&header).unwrap_or(Value::Null));
    log.print(|out| loading_header(out, &header));
    if let Some(limit) = asked.time_limit {
        log.set_deadline(limit.saturating_sub(WRITING.min(limit / 10)));
    }
    let options =
        DecideOptions { allowed, threads, seed: asked.seed, symmetry: asked.symmetry, ..DecideOptions::default() };
    let loading = decide(loaded, &options, &log);
    log.finish();
    let solved = start.elapsed().as_secs_f64();
    let bytes = loading.certificate().to_bytes().map_err(Failure::internal)?;
    let stored = folder.clear(false).and_then(|()| {
        folder.write(CERTIFICATE, &bytes)?;
        match NetworkModel::of(&loading) {
            Some(model) => {
                let text = serde_json::to_string_pretty(&model).map_err(Failure::internal)?;
                folder.write("model.json", text.as_bytes())
            }
            None => Ok(()),
        }
    });
    let written = start.elapsed().as_secs_f64();
    let proof = match &stored {
        Err(failure) => Proof::Unwritten(failure.message.clone()),
        Ok(()) => {
            let bytes = std::fs::read(folder.path.join(CERTIFICATE)).map_err(Failure::internal)?;
            match infimum_check::check_loading(&bytes, &loading.loaded.source.path) {
                Ok(_) => Proof::Checked,
                Err(refusal) => Proof::Refused(refusal.to_string()),
            }
        }
    };
    let checked = start.elapsed().as_secs_f64();
    let outcome = &loading.outcome;
    let closing = LoadingClosing {
        ending: outcome.ending,
        message: outcome.message.clone(),
        rows,
        upper: outcome.upper,
        lower: outcome.lower,
        allowed,
        proof,
        weights: outcome.neurons.as_ref().map_or_else(Vec::new, |neurons| unit_lines(&loading.loaded.problem, neurons)),
        margins: (outcome.margins.iter())
            .map(|margin| MarginLine {
                unit: loading.loaded.problem.network.units[margin.claim.unit as usize].name.clone(),
                reached: margin.claim.lower,
                bound: margin.claim.upper,
            })
            .collect(),
        contradiction: contradiction(&loading),
        conflict: conflict(&loading),
        hidden: loading.loaded.problem.network.units.len() > loading.loaded.problem.network.outputs.len(),
        size: [outcome.circuits.len() as u64, outcome.proof.len() as u64, bytes.len() as u64],
        seconds: [read, solved - read, written - solved, checked - written],
        folder: stored.is_ok().then(|| folder.path.display().to_string()),
    };
    log.json("closing", serde_json::to_value(&closing).unwrap_or(Value::Null));
    let result = format!("{:#}", result(asked, &loading, &header, &closing, start.elapsed().as_secs_f64()));
    let stored = stored.and_then(|()| {
        folder.write("log.jsonl", &log.lines())?;
        folder.write("result.json", result.as_bytes())
    });
    log.print(|out| loading_closing(out, &closing));
    if let (Some(path), Some(error)) = (asked.log_json, log.copy_error()) {
        say(&format!("warning: --log-json {}: {error}; the file is incomplete", path.display()));
    }
    let accepted = closing.proof == Proof::Checked;
    let (answer, code) = match (closing.ending, accepted) {
        (_, false) => ("s UNKNOWN", 1),
        (Ending::Satisfiable, _) => ("s SATISFIABLE", 10),
        (Ending::Infeasible, _) => ("s UNSATISFIABLE", 20),
        (Ending::Interrupted, _) => ("s UNKNOWN", 130),
        _ => ("s UNKNOWN", 0),
    };
    let printed = match (asked.json, asked.command) {
        (true, _) => print_result(&format!("{result}\n")),
        (false, "decide") => print_result(&format!("{answer}\n")),
        (false, _) => Ok(()),
    };
    stored.and(printed)?;
    Ok(if asked.command == "decide" || matches!(code, 1 | 130) { code } else { 0 })
}

fn in_words(network: &Network) -> String {
    let (units, outputs) = (network.units.len(), network.outputs.len());
    let hidden = units - outputs;
    let plural = |count: usize, what: &str| if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") };
    match hidden {
        0 => plural(outputs, "threshold unit"),
        _ => format!("{} and {} (threshold units)", plural(hidden, "hidden unit"), plural(outputs, "output unit")),
    }
}

/// How a column stands in an inequality: the power of ten by which its integers' weights are multiplied, and its name.
fn column(problem: &LoadingProblem, j: usize) -> (i32, String) {
    let scale = problem.scales[j];
    let name = problem.column_names.name(j);
    let name = if name.bytes().all(|byte| byte.is_ascii_digit()) { format!("x{name}") } else { name.into_owned() };
    match (scale.ten, scale.two) {
        (ten, 0) if ten.abs() <= SHIFTED => (-ten, name),
        (ten, 0) => (0, format!("{name}·1e{}", -ten)),
        (0, two) => (0, format!("{name}·2^{}", -two)),
        (ten, two) => (0, format!("{name}·1e{}·2^{}", -ten, -two)),
    }
}

/// `number · 10^power` as a decimal.
fn decimal(number: &str, power: i32) -> String {
    let (sign, digits) = number.strip_prefix('-').map_or(("", number), |digits| ("-", digits));
    let places = power.unsigned_abs() as usize;
    if digits == "0" || power == 0 {
        return number.into();
    }
    if power > 0 {
        return format!("{sign}{digits}{}", "0".repeat(places));
    }
    let padded = format!("{digits:0>width$}", width = places + 1);
    let (whole, part) = padded.split_at(padded.len() - places);
    let part = part.trim_end_matches('0');
    if part.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{part}") }
}

/// `name = [ 3·a − 2·b + 1 > 0 ]` for every unit.
fn unit_lines(problem: &LoadingProblem, neurons: &[Neuron]) -> Vec<String> {
    let mut free = neurons.iter();
    let units = problem.network.units.iter();
    units
        .filter_map(|unit| match &unit.function {
            Function::Free => {
                let neuron = free.next()?;
                let weights: Vec<String> = neuron.weights.iter().map(ToString::to_string).collect();
                Some(unit_line(problem, unit, &weights, neuron.bias.to_string()))
            }
            Function::Fixed { weights, bias } => {
                let weights: Vec<String> = weights.iter().map(ToString::to_string).collect();
                Some(unit_line(problem, unit, &weights, bias.to_string()))
            }
        })
        .collect()
}

fn unit_line(problem: &LoadingProblem, unit: &Unit, weights: &[String], bias: String) -> String {
    let columns = unit.columns.list(problem.points.columns());
    let inputs = columns.iter().map(|&j| column(problem, j as usize));
    let units = unit.units.iter().map(|&u| (0, problem.network.units[u as usize].name.clone()));
    let mut terms: Vec<String> = (inputs.chain(units).zip(weights))
        .filter(|(_, weight)| *weight != "0")
        .map(|((power, name), weight)| match decimal(weight, power).as_str() {
            "1" => name,
            "-1" => format!("-{name}"),
            weight => format!("{weight}·{name}"),
        })
        .collect();
    if bias != "0" || terms.is_empty() {
        terms.push(bias);
    }
    let signed = |term: &str| term.strip_prefix('-').map_or(('+', term.to_string()), |rest| ('−', rest.to_string()));
    let sum = terms.iter().enumerate().fold(String::new(), |sum, (place, term)| match (place, signed(term)) {
        (0, ('−', term)) => format!("−{term}"),
        (0, (_, term)) => term,
        (_, (sign, term)) => format!("{sum} {sign} {term}"),
    });
    format!("{} = [ {sum} > 0 ]", unit.name)
}

/// The one circuit that a proof rests on; the side of its first row stands first.
fn contradiction(loading: &Loading) -> Vec<TermLine> {
    let [circuit] = loading.outcome.circuits.as_slice() else { return Vec::new() };
    let problem = &loading.loaded.problem;
    let first = |terms: &[Term]| terms.iter().map(|term| term.row).min();
    let (one, other) = match first(&circuit.left) <= first(&circuit.right) {
        true => (&circuit.left, &circuit.right),
        false => (&circuit.right, &circuit.left),
    };
    let sides = [(0, one), (1, other)];
    let values = |row: u32| {
        let entries = problem.points.row(row as usize);
        let shown: Vec<String> = (entries.iter().take(SHOWN))
            .map(|(j, value)| {
                let (power, name) = column(problem, *j as usize);
                format!("{name}={}", decimal(&value.to_string(), -power))
            })
            .collect();
        let more = if entries.len() > SHOWN { " …" } else { "" };
        if entries.is_empty() { "all 0".into() } else { format!("{}{more}", shown.join(" ")) }
    };
    let lines = sides.into_iter().flat_map(|(side, terms)| terms.iter().map(move |term| (side, term)));
    lines
        .map(|(side, term)| TermLine {
            side,
            multiplier: term.multiplier.to_string(),
            row: term.row + 1,
            values: values(term.row),
        })
        .collect()
}

/// The rows (from 1) of the one circuit, if they are two with equal values that are to have different outputs.
fn conflict(loading: &Loading) -> Option<[u32; 2]> {
    let [circuit] = loading.outcome.circuits.as_slice() else { return None };
    let ([left], [right]) = (circuit.left.as_slice(), circuit.right.as_slice()) else { return None };
    let problem = &loading.loaded.problem;
    let [one, other] = [left.row as usize, right.row as usize];
    let differ = |(a, b): (&Option<bool>, &Option<bool>)| a.is_some() && b.is_some() && a != b;
    let wanted = problem.target(one).iter().zip(problem.target(other)).any(differ);
    let equal = problem.points.row(one) == problem.points.row(other);
    (wanted && equal).then(|| [left.row.min(right.row) + 1, left.row.max(right.row) + 1])
}

fn result(asked: &Asked, loading: &Loading, header: &LoadingHeader, closing: &LoadingClosing, total: f64) -> Value {
    let [read, solve, write, check] = closing.seconds;
    let source = &loading.loaded.source;
    json!({
        "version": 1, "command": asked.command, "rung": header.rung, "ending": closing.ending.name(),
        "objective": { "loss": "zero-one", "allowed": closing.allowed },
        "upper": closing.upper, "lower": closing.lower, "certified": closing.proof == Proof::Checked,
        "seconds": { "read": read, "solve": solve, "certify": write, "check": check, "total": total },
        "threads": header.threads, "seed": asked.seed,
        "data": {
            "path": source.path, "sha256": source.sha256, "problem_sha256": loading.loaded.problem_sha256,
            "rows": header.rows, "columns": header.columns, "outputs": header.outputs,
        },
        "model": closing.folder.as_ref().and(loading.outcome.upper).map(|_| "model.json"),
        "certificate": closing.folder.as_ref().map(|_| CERTIFICATE),
        "explored": { "conflicts": loading.outcome.conflicts, "circuits": closing.size[0], "steps": closing.size[1], "bytes": closing.size[2] },
        "weights": closing.weights, "margins": closing.margins, "contradiction": closing.contradiction, "message": loading_answer(closing),
    })
}
