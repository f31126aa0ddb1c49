//! Every option: name, default, range, one-line meaning. The help is made from this table.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use infimum::{
    ClassWeight, Format, Gamma, Intercept, KernelRequest, LoadingRequest, Loss, Penalty, Question, Request, Solver,
    Split, Strength, Task, parse_bytes,
};

use crate::audit::AuditArguments;
use crate::decide::Asked;
use crate::fetch::FetchArguments;
use crate::nets::{Deep, Net, NetArguments};
use crate::selection::{Given, SelectionArguments};
use crate::training::TrainingArguments;
use crate::with_data::WithData;

/// Share of the rows that curves and studies hold out.
const USUAL_VALIDATION: f64 = 0.2;
/// More threads than any machine has; a larger number is a slip.
const MOST_THREADS: usize = 4_096;

/// More units of a layer than any search could decide about.
const MOST_UNITS: usize = 10_000;

/// Training with proof: incumbent, proven lower bound, gap and certificate.
#[derive(Debug, Parser)]
#[command(name = "infimum", version, max_term_width = 120)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Train a model to a certified gap
    Fit(Box<WithData<FitArguments>>),
    /// The loading problem: do weights of a network of threshold units exist that get the rows right? Weights, or a proof
    Decide(Box<DecideArguments>),
    /// Learning curve: training optimum, gap and validation score by amount of data (--valid 0.2 unless given)
    Curve(Box<WithData<CurveArguments>>),
    /// What data, loss and regularisation change of the training optimum, with its gap, and of the validation score
    /// (--valid 0.2 unless given)
    Study(Box<WithData<StudyArguments>>),
    /// What is proven, estimated and unknown about a network that was trained elsewhere (ONNX, or safetensors with --net), or by a run
    Audit(Box<AuditArguments>),
    /// Verify a certificate against the data
    Check(CheckArguments),
    /// Predict with a trained model; CSV out
    Predict(PredictArguments),
    /// The assignment of a formula that a run's weights stand for, after `generate blum-rivest|judd --cnf` and `decide`
    Assignment(AssignmentArguments),
    /// Look at data
    #[command(subcommand)]
    Data(DataCommand),
    /// Write a generated data set
    Generate(GenerateArguments),
}

/// How a file is read; shared by `fit` and `data show`.
#[derive(Debug, Args)]
pub(crate) struct ReadArguments {
    /// Data file; given before the options, or by --data
    #[arg(skip)]
    pub(crate) data: String,
    /// Target column by name or number, -1 the last; several separated by commas have an output each: labels of 0 and 1, or numbers [default: target/label/class/y, else the last]
    #[arg(long, value_name = "COLUMN,…", value_delimiter = ',', allow_hyphen_values = true)]
    target: Vec<String>,
    /// What is predicted [default: classification if text or at most 20 distinct integers]
    #[arg(long)]
    task: Option<TaskName>,
    /// File format [default: by name or content]
    #[arg(long)]
    format: Option<FormatName>,
    /// The first line names the columns [default: by content]
    #[arg(long, conflicts_with = "no_header")]
    header: bool,
    /// The first line is data
    #[arg(long)]
    no_header: bool,
    /// Column of example weights ≥ 0
    #[arg(long, value_name = "COLUMN", allow_hyphen_values = true)]
    sample_weight: Option<String>,
    /// Fraction of rows held out for validation, in (0, 1) [default: none]
    #[arg(long, value_name = "FRACTION", allow_hyphen_values = true, value_parser = fraction)]
    pub(crate) valid: Option<f64>,
    /// Seed of the split and of randomised solvers, an integer ≥ 0
    #[arg(long, default_value = "0", allow_hyphen_values = true, value_parser = seed)]
    pub(crate) seed: u64,
}

#[derive(Debug, Args)]
pub(crate) struct FitArguments {
    #[command(flatten)]
    pub(crate) read: ReadArguments,
    /// Loss: logistic, softmax, hinge, squared-hinge for classes; squared, epsilon, squared-epsilon,
    /// huber, quantile for numbers; poisson for counts and other numbers ≥ 0
    /// [default: by task and number of classes]
    /// or zero-one with --activation threshold: the fewest wrong rows
    #[arg(long, value_parser = loss)]
    loss: Option<LossName>,
    /// ε ≥ 0 of --loss epsilon and squared-epsilon: errors up to ε cost nothing [default: 0.1]
    #[arg(long, value_name = "X", allow_hyphen_values = true, value_parser = non_negative)]
    epsilon: Option<f64>,
    /// δ > 0 of --loss huber: errors beyond δ cost in proportion, smaller ones their square [default: 1.35]
    #[arg(long, value_name = "X", allow_hyphen_values = true, value_parser = positive)]
    huber: Option<f64>,
    /// τ of --loss quantile, between 0 and 1: the quantile that is fitted [default: 0.5]
    #[arg(long, value_name = "X", allow_hyphen_values = true, value_parser = fraction)]
    quantile: Option<f64>,
    /// Kernel: rbf exp(−γ‖x−y‖²), polynomial (γ x·y + c)^degree, linear [default: linear, without a kernel matrix]
    #[arg(long, value_name = "KERNEL")]
    kernel: Option<KernelName>,
    /// γ of --kernel rbf and polynomial: scale (1 over columns times variance), auto (1 over columns), or a number > 0
    #[arg(long, value_name = "X", allow_hyphen_values = true, value_parser = gamma)]
    gamma: Option<Gamma>,
    /// Exponent of --kernel polynomial, an integer ≥ 1 [default: 3]
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    degree: Option<u32>,
    /// c of --kernel polynomial, ≥ 0 [default: 0]
    #[arg(long, value_name = "X", allow_hyphen_values = true)]
    coef0: Option<f64>,
    /// L1 strength per example ≥ 0 [default: 0]
    #[arg(long, value_name = "X", conflicts_with = "c", allow_hyphen_values = true, value_parser = non_negative)]
    l1: Option<f64>,
    /// L2 strength per example ≥ 0 [default: 0 with --l1, else --C 1]
    #[arg(long, value_name = "X", conflicts_with = "c", allow_hyphen_values = true, value_parser = non_negative)]
    l2: Option<f64>,
    /// Inverse L2 strength as in LIBLINEAR and scikit-learn, λ2 = 1/C, > 0 [default: 1]
    #[arg(long = "C", value_name = "C", allow_hyphen_values = true, value_parser = positive)]
    c: Option<f64>,
    /// Constant term: free, penalized or none [default: free]
    #[arg(long, value_name = "HOW")]
    intercept: Option<InterceptName>,
    /// `balanced`, or LABEL=WEIGHT,… with weights > 0 (labels not named: 1) [default: all 1]
    #[arg(long, value_name = "WEIGHTS", value_parser = class_weight)]
    class_weight: Option<ClassWeight>,
    /// Weight the penalty by the columns' standard deviations
    #[arg(long)]
    standardize: bool,
    /// Relative gap at which to stop, ≥ 0
    #[arg(long, default_value = "1e-4", allow_hyphen_values = true, value_parser = non_negative)]
    pub(crate) gap: f64,
    /// Absolute gap of the mean objective at which to stop, ≥ 0
    #[arg(long, default_value = "1e-12", allow_hyphen_values = true, value_parser = non_negative)]
    pub(crate) abs_gap: f64,
    /// Time for reading, solving and writing, > 0, e.g. 60s, 2m, 500ms [default: none]
    #[arg(long, allow_hyphen_values = true, value_parser = duration, value_name = "TIME")]
    pub(crate) time_limit: Option<Duration>,
    /// Threads ≥ 1 [default: all cores]
    #[arg(long, value_name = "N", allow_hyphen_values = true, value_parser = threads)]
    pub(crate) threads: Option<usize>,
    /// Solver: newton, newton-cg, interior-point, dual-cd, working-set, smo, lbfgs, fista, saga, averaged-sgd, clarabel
    /// [default: chosen and printed]
    #[arg(long, value_parser = solver)]
    pub(crate) solver: Option<Solver>,
    /// Memory for everything, e.g. 2GiB: a LIBSVM or Parquet file may be larger and then goes through a temporary file (in
    /// TMPDIR, or the run folder) [default: no limit]
    #[arg(long, value_name = "SIZE", allow_hyphen_values = true, value_parser = parse_bytes)]
    pub(crate) memory: Option<u64>,
    /// Run folder [default: runs/TIME-NAME]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Print result.json on stdout and nothing else there
    #[arg(long)]
    pub(crate) json: bool,
    /// Also write the JSON-lines log to this file
    #[arg(long, value_name = "FILE")]
    pub(crate) log_json: Option<PathBuf>,
    /// No log on stderr
    #[arg(long)]
    pub(crate) quiet: bool,
    #[command(flatten)]
    pub(crate) selection: SelectionArguments,
    #[command(flatten)]
    pub(crate) nets: NetArguments,
    #[command(flatten)]
    pub(crate) training: TrainingArguments,
}

/// Options of `infimum decide`.
#[derive(Debug, Args)]
pub(crate) struct DecideArguments {
    /// Data file (CSV, TSV, LIBSVM, NPY, NPZ, IDX; also .gz), folder of MNIST's files or of images, or builtin:NAME; numbers are exact decimals
    data: String,
    /// Target columns by name or number, -1 the last; of several each holds 0, 1 or ? [default: target/label/class/y, else the last]
    #[arg(long, value_name = "COLUMN,…", value_delimiter = ',', allow_hyphen_values = true)]
    target: Vec<String>,
    /// File format [default: by name or content]
    #[arg(long)]
    format: Option<FormatName>,
    /// The first line names the columns [default: by content]
    #[arg(long, conflicts_with = "no_header")]
    header: bool,
    /// The first line is data
    #[arg(long)]
    no_header: bool,
    /// Threshold units in every hidden layer, e.g. 3 or 3,2; 0 or left out: none
    #[arg(long, value_name = "N,…", value_delimiter = ',', conflicts_with = "net", allow_hyphen_values = true, value_parser = width)]
    hidden: Vec<usize>,
    /// The network as a file: units by name with their inputs (docs/networks.md)
    #[arg(long, value_name = "NET.toml")]
    net: Option<PathBuf>,
    /// At least this share of the rows must be right, e.g. 2/3
    #[arg(long, value_name = "P/Q", allow_hyphen_values = true, value_parser = ratio, conflicts_with_all = ["more_than", "errors"])]
    at_least: Option<(u64, u64)>,
    /// More than this share of the rows must be right
    #[arg(long, value_name = "P/Q", allow_hyphen_values = true, value_parser = ratio, conflicts_with = "errors")]
    more_than: Option<(u64, u64)>,
    /// So many rows may be wrong [default: 0]
    #[arg(long, value_name = "E", allow_hyphen_values = true, value_parser = errors)]
    errors: Option<u64>,
    /// Do not break symmetries
    #[arg(long)]
    no_symmetry: bool,
    /// Time for reading, searching and writing, > 0, e.g. 60s, 2m, 500ms [default: none]
    #[arg(long, allow_hyphen_values = true, value_parser = duration, value_name = "TIME")]
    time_limit: Option<Duration>,
    /// Threads ≥ 1 [default: all cores]
    #[arg(long, value_name = "N", allow_hyphen_values = true, value_parser = threads)]
    threads: Option<usize>,
    /// Seed of the search, an integer ≥ 0
    #[arg(long, default_value = "0", allow_hyphen_values = true, value_parser = seed)]
    seed: u64,
    /// Run folder [default: runs/TIME-NAME]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Print result.json on stdout and nothing else there
    #[arg(long)]
    json: bool,
    /// Also write the JSON-lines log to this file
    #[arg(long, value_name = "FILE")]
    log_json: Option<PathBuf>,
    /// No log on stderr
    #[arg(long)]
    quiet: bool,
}

/// Options of `infimum curve`.
#[derive(Debug, Args)]
pub(crate) struct CurveArguments {
    #[command(flatten)]
    pub(crate) fit: FitArguments,
    /// Points ≥ 2, in geometric progression up to all training rows [default: 8]
    #[arg(long, value_name = "N", allow_hyphen_values = true, value_parser = points, conflicts_with = "fractions")]
    pub(crate) points: Option<usize>,
    /// Fractions of the training rows, in (0, 1], e.g. 0.1,0.5,1
    #[arg(long, value_name = "X,…", value_delimiter = ',', allow_hyphen_values = true, value_parser = share)]
    pub(crate) fractions: Vec<f64>,
}

/// Options of `infimum study`.
#[derive(Debug, Args)]
pub(crate) struct StudyArguments {
    #[command(flatten)]
    pub(crate) fit: FitArguments,
}

#[derive(Debug, Args)]
pub(crate) struct CheckArguments {
    /// Run folder or certificate file
    pub(crate) certificate: PathBuf,
    /// Training file or builtin:NAME [default: the path in the certificate]
    #[arg(long)]
    pub(crate) data: Option<String>,
    /// Memory for everything, e.g. 2GiB: a LIBSVM or Parquet file may be larger [default: no limit]
    #[arg(long, value_name = "SIZE", allow_hyphen_values = true, value_parser = parse_bytes)]
    pub(crate) memory: Option<u64>,
    /// Print the verdict as JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Do not print the claim in words
    #[arg(long)]
    pub(crate) quiet: bool,
}

/// Options of `infimum assignment`.
#[derive(Debug, Args)]
pub(crate) struct AssignmentArguments {
    /// Run folder of `infimum decide`, or its certificate
    pub(crate) run: PathBuf,
    /// The formula in DIMACS form of which the run's data were made
    #[arg(long, value_name = "FILE")]
    pub(crate) cnf: String,
}

#[derive(Debug, Args)]
pub(crate) struct PredictArguments {
    /// Run folder of `infimum fit`, or of `infimum decide` with weights
    pub(crate) run: PathBuf,
    /// Data file of the same kind as the training file, or builtin:NAME
    pub(crate) data: String,
    /// Output file [default: stdout]
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// What to write
    #[arg(long, default_value = "labels")]
    pub(crate) what: What,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum What {
    /// The predicted label, or value for regression
    Labels,
    /// Class probabilities (logistic, softmax)
    Probabilities,
    /// Decision values W x + b
    Decision,
    /// Everything the model defines
    All,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DataCommand {
    /// The built-in sets, the generators, and the sets that can be fetched
    List,
    /// Download a known set, its files checked by their SHA-256; files that are there are left alone
    Fetch(FetchArguments),
    /// What was understood of a file
    Show(WithData<ReadArguments>),
}

#[derive(Debug, Args)]
pub(crate) struct GenerateArguments {
    /// What is generated: see `infimum data list`
    pub(crate) kind: String,
    /// Output file: .csv, .svm or, for some kinds, .npy
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: PathBuf,
    /// Seed
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Rows [default: by kind]
    #[arg(long)]
    pub(crate) rows: Option<usize>,
    /// Columns [default: by kind]
    #[arg(long)]
    pub(crate) columns: Option<usize>,
    /// Hidden units of the network that labels the rows (planted) [default: 2]
    #[arg(long)]
    pub(crate) hidden: Option<usize>,
    /// Elements (blum-rivest) [default: 20]
    #[arg(long)]
    pub(crate) elements: Option<usize>,
    /// Sets of three for each element (blum-rivest) [default: 2.1]
    #[arg(long)]
    pub(crate) ratio: Option<f64>,
    /// Formula in DIMACS form (blum-rivest, judd)
    #[arg(long, value_name = "FILE")]
    pub(crate) cnf: Option<String>,
}

/// A value of `--loss`.
#[derive(Debug, Clone, Copy, PartialEq)]
enum LossName {
    /// A loss of rung 1.
    Convex(Loss),
    /// The number of wrong rows.
    ZeroOne,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum TaskName {
    Classification,
    Regression,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum FormatName {
    Csv,
    Tsv,
    Libsvm,
    Npy,
    Npz,
    Idx,
    Images,
    Parquet,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum KernelName {
    Rbf,
    Polynomial,
    Linear,
    #[value(hide = true)]
    Sigmoid,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum InterceptName {
    Free,
    Penalized,
    None,
}

fn loss(text: &str) -> Result<LossName, String> {
    if text == "zero-one" {
        return Ok(LossName::ZeroOne);
    }
    let names: Vec<&str> = Loss::ALL.iter().map(|loss| loss.name()).collect();
    let found = Loss::from_name(text).map(LossName::Convex);
    found.ok_or_else(|| format!("expected one of {}, zero-one", names.join(", ")))
}

fn ratio(text: &str) -> Result<(u64, u64), String> {
    let parts = text.split_once('/').map(|(p, q)| (p.trim().parse::<u64>(), q.trim().parse::<u64>()));
    match parts {
        Some((Ok(p), Ok(q))) if 0 < q && p <= q => Ok((p, q)),
        _ => Err("expected a fraction p/q of whole numbers, at most 1, e.g. 2/3".into()),
    }
}

fn errors(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| "expected a number of rows, an integer ≥ 0".into())
}

pub(crate) fn width(text: &str) -> Result<usize, String> {
    let expected = || format!("expected units of a layer, an integer from 0 to {MOST_UNITS}");
    text.parse().ok().filter(|&units| units <= MOST_UNITS).ok_or_else(expected)
}

fn solver(text: &str) -> Result<Solver, String> {
    let names: Vec<&str> = Solver::ALL.iter().map(|solver| solver.name()).collect();
    Solver::from_name(text).ok_or_else(|| format!("expected one of {}", names.join(", ")))
}

fn number(text: &str, range: &str, fits: impl Fn(f64) -> bool) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() && fits(value) => Ok(value),
        _ => Err(format!("expected a number {range}")),
    }
}

pub(crate) fn non_negative(text: &str) -> Result<f64, String> {
    number(text, "≥ 0", |value| value >= 0.0)
}

pub(crate) fn positive(text: &str) -> Result<f64, String> {
    number(text, "> 0", |value| value > 0.0)
}

fn fraction(text: &str) -> Result<f64, String> {
    number(text, "between 0 and 1, both excluded", |value| value > 0.0 && value < 1.0)
}

fn share(text: &str) -> Result<f64, String> {
    number(text, "above 0 and at most 1", |value| value > 0.0 && value <= 1.0)
}

fn points(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|points| (2..=1_000).contains(points)).ok_or("expected an integer from 2 to 1000".into())
}

fn gamma(text: &str) -> Result<Gamma, String> {
    match text {
        "scale" => Ok(Gamma::Scale),
        "auto" => Ok(Gamma::Auto),
        _ => positive(text).map(Gamma::Value).map_err(|_| "expected scale, auto or a number > 0".into()),
    }
}

fn seed(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| "expected an integer ≥ 0".into())
}

fn threads(text: &str) -> Result<usize, String> {
    let expected = || format!("expected an integer from 1 to {MOST_THREADS}");
    text.parse().ok().filter(|threads| (1..=MOST_THREADS).contains(threads)).ok_or_else(expected)
}

fn class_weight(text: &str) -> Result<ClassWeight, String> {
    if text == "balanced" {
        return Ok(ClassWeight::Balanced);
    }
    let pair = |part: &str| {
        let (label, weight) = part.rsplit_once('=')?;
        Some((label.trim().to_string(), positive(weight.trim()).ok()?))
    };
    let given: Option<Vec<(String, f64)>> = text.split(',').map(pair).collect();
    let given = given.ok_or("expected `balanced` or LABEL=WEIGHT,LABEL=WEIGHT,… with weights > 0")?;
    let again = |place: usize| given[..place].iter().any(|(label, _)| *label == given[place].0);
    match (0..given.len()).find(|&place| again(place)) {
        Some(place) => Err(format!("expected one weight for each label, got two for `{}`", given[place].0)),
        None => Ok(ClassWeight::Given(given)),
    }
}

pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let units = [("ms", 1e-3), ("s", 1.0), ("m", 60.0), ("h", 3600.0), ("", 1.0)];
    let expected = || "expected a time > 0 such as 500ms, 60s, 2m or 1h".to_string();
    let (number, factor) =
        units.iter().find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, factor))).ok_or_else(expected)?;
    let seconds = positive(number.trim()).map_err(|_| expected())? * factor;
    Duration::try_from_secs_f64(seconds).map_err(|_| expected())
}

impl ReadArguments {
    /// What the user said about the file.
    pub(crate) fn request(&self) -> Request {
        Request {
            format: self.format.map(FormatName::format),
            header: match (self.header, self.no_header) {
                (true, _) => Some(true),
                (_, true) => Some(false),
                _ => None,
            },
            target: self.target.first().cloned(),
            more_targets: self.target.iter().skip(1).cloned().collect(),
            sample_weight: self.sample_weight.clone(),
            task: self.task.map(|task| match task {
                TaskName::Classification => Task::Classification,
                TaskName::Regression => Task::Regression,
            }),
            split: self.valid.map(|fraction| Split { fraction, seed: self.seed }),
            ..Request::default()
        }
    }
}

impl InterceptName {
    pub(crate) fn intercept(self) -> Intercept {
        match self {
            InterceptName::Free => Intercept::Free,
            InterceptName::Penalized => Intercept::Penalized,
            InterceptName::None => Intercept::None,
        }
    }
}

impl FormatName {
    fn format(self) -> Format {
        match self {
            FormatName::Csv => Format::Csv,
            FormatName::Tsv => Format::Tsv,
            FormatName::Libsvm => Format::Libsvm,
            FormatName::Npy => Format::Npy,
            FormatName::Npz => Format::Npz,
            FormatName::Idx => Format::Idx,
            FormatName::Images => Format::Images,
            FormatName::Parquet => Format::Parquet,
        }
    }
}

/// What is asked of the reader of exact points.
fn loading_request(format: Option<FormatName>, header: Option<bool>, targets: Vec<String>) -> LoadingRequest {
    LoadingRequest { format: format.map(FormatName::format), header, targets, ..LoadingRequest::default() }
}

impl DecideArguments {
    /// The question.
    pub(crate) fn asked(&self) -> Result<Asked<'_>, String> {
        let question = match (self.at_least, self.more_than, self.errors) {
            (Some((p, q)), _, _) => Question::AtLeast(p, q),
            (_, Some((p, q)), _) => Question::MoreThan(p, q),
            (_, _, errors) => Question::Errors(errors.unwrap_or(0)),
        };
        let header = if self.header { Some(true) } else { self.no_header.then_some(false) };
        Ok(Asked {
            command: "decide",
            data: &self.data,
            request: loading_request(self.format, header, self.target.clone()),
            hidden: layers(&self.hidden)?,
            net: self.net.as_deref(),
            question,
            symmetry: !self.no_symmetry,
            threads: self.threads,
            seed: self.seed,
            time_limit: self.time_limit,
            out: self.out.as_deref(),
            log_json: self.log_json.as_ref(),
            json: self.json,
            quiet: self.quiet,
        })
    }
}

/// The widths of hidden layers; `0` alone is no layer.
pub(crate) fn layers(hidden: &[usize]) -> Result<Option<&[usize]>, String> {
    match hidden {
        [] => Ok(None),
        [0] => Ok(Some(&[])),
        widths if widths.contains(&0) => Err("--hidden: a layer of 0 units; expected at least 1 in each".into()),
        widths => Ok(Some(widths)),
    }
}

impl FitArguments {
    /// The question of a fit with threshold units; `None` if it has none.
    pub(crate) fn threshold(&self) -> Result<Option<Asked<'_>>, String> {
        let nets = &self.nets;
        match (nets.activation.as_deref(), self.loss) {
            (Some("threshold"), None | Some(LossName::ZeroOne)) => {}
            (None, Some(LossName::ZeroOne)) => {}
            (Some("threshold"), Some(_)) => {
                return Err("--activation threshold: threshold units are trained with --loss zero-one".into());
            }
            (Some(other), Some(LossName::ZeroOne)) => {
                return Err(format!(
                    "--loss zero-one counts wrong rows of threshold units; leave --activation {other} out"
                ));
            }
            _ => return Ok(None),
        }
        if let Some(option) = self.training.first() {
            return Err(format!("{option}: threshold units have no gradient; leave it out"));
        }
        let idle = [
            (self.l1.is_some(), "--l1"),
            (self.l2.is_some(), "--l2"),
            (self.c.is_some(), "--C"),
            (self.kernel.is_some(), "--kernel"),
            (self.class_weight.is_some(), "--class-weight"),
            (self.standardize, "--standardize"),
            (self.solver.is_some(), "--solver"),
            (self.memory.is_some(), "--memory"),
            (self.read.sample_weight.is_some(), "--sample-weight"),
            (self.read.valid.is_some(), "--valid"),
            (self.selection.first().is_some(), self.selection.first().unwrap_or("")),
        ];
        if let Some((_, option)) = idle.into_iter().find(|entry| entry.0) {
            return Err(format!(
                "{option} means nothing to threshold units and the number of wrong rows; leave it out"
            ));
        }
        let header = self.read.request().header;
        Ok(Some(Asked {
            command: "fit",
            data: &self.read.data,
            request: loading_request(self.read.format, header, self.read.target.clone()),
            hidden: layers(&nets.hidden)?,
            net: nets.net.as_deref(),
            question: Question::Fewest,
            symmetry: true,
            threads: self.threads,
            seed: self.read.seed,
            time_limit: self.time_limit,
            out: self.out.as_deref(),
            log_json: self.log_json.as_ref(),
            json: self.json,
            quiet: self.quiet,
        }))
    }

    /// The deep network that is asked for; `None` without one.
    pub(crate) fn deep(&self) -> Result<Option<Deep>, String> {
        let Some(deep) = self.nets.deep(&self.training)? else { return Ok(None) };
        self.refuse_linear_options().map(|()| Some(deep))
    }

    /// The two-layer ReLU network that is asked for; `None` without options of networks. Its problem is [`FitArguments::request`] with the output
    /// bias as intercept.
    pub(crate) fn relu(&self) -> Result<Option<Net>, String> {
        let Some(net) = self.nets.relu()? else { return Ok(None) };
        self.refuse_linear_options().map(|()| Some(net))
    }

    /// An error if an option is given that is for models of one linear layer.
    pub(crate) fn refuse_linear_options(&self) -> Result<(), String> {
        let kernel = self.kernel.is_some_and(|kernel| kernel != KernelName::Linear);
        let selection = self.selection.without_start();
        let idle = [
            (
                self.l1.is_some_and(|l1| l1 > 0.0),
                "--l1",
                "the bound over networks of every width is for weight decay, --l2 or --C",
            ),
            (kernel, "--kernel", "a network makes its own features"),
            (
                self.standardize,
                "--standardize",
                "the decay of a network is that of its weights; scale the columns in the file",
            ),
            (
                self.intercept.is_some(),
                "--intercept",
                "the constant terms of a network are --hidden-bias and --output-bias",
            ),
            (self.solver.is_some(), "--solver", "networks have one solver"),
            (self.memory.is_some(), "--memory", "the rows of a network are kept in memory"),
            (selection.is_some(), selection.unwrap_or(""), "it is for models of one linear layer"),
        ];
        match idle.into_iter().find(|entry| entry.0) {
            Some((_, option, why)) => Err(format!("{option} does not go with --hidden: {why}; leave it out")),
            None => Ok(()),
        }
    }

    /// The loss, if it is one of rung 1.
    fn convex_loss(&self) -> Option<Loss> {
        match self.loss {
            Some(LossName::Convex(loss)) => Some(loss),
            _ => None,
        }
    }

    /// The problem of a series that has options of its own for what varies; a fifth of the rows is held out unless --valid says
    /// otherwise.
    pub(crate) fn series_request(&self, command: &str) -> Result<Request, String> {
        if let Some(option) = self.selection.first().or(self.nets.first()).or(self.training.first()) {
            return Err(format!("{option} goes with `infimum fit`; leave it out of `infimum {command}`"));
        }
        if self.kernel.is_some_and(|kernel| kernel != KernelName::Linear) {
            return Err(format!("--kernel goes with `infimum fit`; leave it out of `infimum {command}`"));
        }
        let split = Split { fraction: self.read.valid.unwrap_or(USUAL_VALIDATION), seed: self.read.seed };
        Ok(Request { split: Some(split), ..self.request() })
    }

    /// The parameter given for this loss.
    fn parameter(&self, loss: Loss) -> Option<f64> {
        match loss {
            Loss::Quantile(_) => self.quantile,
            Loss::Huber(_) => self.huber,
            _ => self.epsilon,
        }
    }

    /// Why the options of a kernel do not go together, if they do not.
    fn kernel_misfit(&self) -> Option<String> {
        if self.kernel == Some(KernelName::Sigmoid) {
            return Some(
                "--kernel sigmoid: tanh(γ x·y + c) is not positive semidefinite, so the problem is not convex and no bound can be \
                 proven; use --kernel rbf or polynomial"
                    .into(),
            );
        }
        let has_gamma = matches!(self.kernel, Some(KernelName::Rbf | KernelName::Polynomial));
        let is_polynomial = self.kernel == Some(KernelName::Polynomial);
        if self.gamma.is_some() && !has_gamma {
            return Some("--gamma goes with --kernel rbf or polynomial".into());
        }
        if (self.degree.is_some() || self.coef0.is_some()) && !is_polynomial {
            return Some("--degree and --coef0 go with --kernel polynomial".into());
        }
        match self.selection.first() {
            Some(option) if has_gamma => {
                Some(format!("{option} is for models without a kernel; leave it out of a fit with --kernel"))
            }
            _ => None,
        }
    }

    /// The kernel asked for.
    fn kernel_request(&self) -> Option<KernelRequest> {
        let gamma = self.gamma.unwrap_or_default();
        match self.kernel? {
            KernelName::Rbf => Some(KernelRequest::Rbf(gamma)),
            KernelName::Polynomial => {
                let (degree, coef0) = (self.degree.unwrap_or(3), self.coef0.unwrap_or(0.0));
                Some(KernelRequest::Polynomial { gamma, degree, coef0 })
            }
            KernelName::Linear | KernelName::Sigmoid => Some(KernelRequest::Linear),
        }
    }

    /// Why a loss parameter does not go with the loss, if one does not.
    pub(crate) fn misfit(&self) -> Option<String> {
        if let Some(why) = self.kernel_misfit() {
            return Some(why);
        }
        let is_quantile = matches!(self.convex_loss(), Some(Loss::Quantile(_)));
        let is_huber = matches!(self.convex_loss(), Some(Loss::Huber(_)));
        let has_epsilon = matches!(self.convex_loss(), Some(Loss::Epsilon(_) | Loss::SquaredEpsilon(_)));
        match (self.epsilon, self.huber, self.quantile) {
            (Some(_), _, _) if !has_epsilon => Some("--epsilon goes with --loss epsilon or squared-epsilon".into()),
            (_, Some(_), _) if !is_huber => Some("--huber goes with --loss huber".into()),
            (_, _, Some(_)) if !is_quantile => Some("--quantile goes with --loss quantile".into()),
            _ => self.selection.misfit(&Given { c: self.c, l1: self.l1, l2: self.l2, valid: self.read.valid }),
        }
    }

    /// Whether a strength was asked for.
    pub(crate) fn has_strength(&self) -> bool {
        self.c.is_some() || self.l1.is_some() || self.l2.is_some()
    }

    /// The strength asked for of the penalty that a path does not vary.
    pub(crate) fn other_strength(&self, varied: Penalty) -> f64 {
        if varied == Penalty::L1 { self.l2 } else { self.l1 }.unwrap_or(0.0)
    }

    /// What the user said about the problem.
    pub(crate) fn request(&self) -> Request {
        let strength = match (self.c, self.l1, self.l2) {
            (Some(c), _, _) => Some(Strength::C(c)),
            (None, None, None) => None,
            (None, l1, l2) => Some(Strength::PerExample { l1: l1.unwrap_or(0.0), l2: l2.unwrap_or(0.0) }),
        };
        Request {
            loss: self.convex_loss().map(|loss| self.parameter(loss).map_or(loss, |value| loss.with_parameter(value))),
            strength,
            kernel: self.kernel_request(),
            class_weight: self.class_weight.clone(),
            standardize: self.standardize,
            intercept: Some(self.intercept.unwrap_or(InterceptName::Free).intercept()),
            ..self.read.request()
        }
    }
}
