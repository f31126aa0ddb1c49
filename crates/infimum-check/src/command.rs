//! The command line shared by `infimum-check` and `infimum check`.

use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use infimum_data::Memory;
use infimum_problem::deep::DeepCertificate;
use infimum_problem::{
    Certificate, LoadingCertificate, OutputsCertificate, ReluCertificate, kind_of, one_line, relative_gap,
};

use crate::deep;
use crate::loading::{LoadingVerdict, check_with_data};
use crate::outputs;
use crate::relu;
use crate::steps::{Checker, Refusal, Step, Verdict};

/// What to check and how to print it.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Run folder or certificate file.
    pub certificate: PathBuf,
    /// Data file; `None` takes the path that the certificate names.
    pub data: Option<String>,
    /// Print the verdict as JSON instead of one line.
    pub json: bool,
    /// Do not print the claim in words.
    pub quiet: bool,
    /// Limit on memory in bytes.
    pub memory: Option<u64>,
}

/// The certificate's name in a run folder.
const CERTIFICATE: &str = "certificate.safetensors";

/// Folder in the run folder of a deep network that holds the features of its last layer and a certificate about these.
pub const HEAD: &str = "head";
/// The same of its two last layers.
pub const LAST_TWO: &str = "last-two";
/// Both.
pub const BLOCKS: [&str; 2] = [LAST_TWO, HEAD];
/// Name of the file of features in these folders.
pub const FEATURES: &str = "features.npz";

/// Folders in a run folder whose numbered folders hold a certificate each.
pub const SERIES: [&str; 3] = ["path", "curve", "study"];

/// The certificates that a path names: a file itself; of a run folder its own and those of its series, in order, each with its
/// name in the run. A folder without any names the certificate that it should have.
pub fn certificates(path: &Path) -> Vec<(String, PathBuf)> {
    if !path.is_dir() {
        return vec![(String::new(), path.to_path_buf())];
    }
    let own = path.join(CERTIFICATE);
    let mut found = Vec::new();
    for series in SERIES {
        let entries = std::fs::read_dir(path.join(series)).into_iter().flatten().flatten();
        let mut names: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        found.extend(names.into_iter().map(|name| {
            let file = path.join(series).join(&name).join(CERTIFICATE);
            (format!("{series}/{name}"), file)
        }));
    }
    if own.exists() || found.is_empty() {
        found.insert(0, (String::new(), own));
    }
    found
}

/// Checks and prints: one line on `out`, the claims in words on `explain`. Returns the exit code: 0 verified, 1 not
/// verified, 2 if a certificate cannot be read, the limit on memory is too small, or the verdict cannot be printed. Of several
/// certificates the first that is refused decides. An `out` whose reader has gone away has been read as far as anybody wanted,
/// and is no failure.
pub fn run(options: &Options, out: &mut dyn Write, explain: &mut dyn Write) -> i32 {
    let mut say = |line: &str| {
        let _ = writeln!(explain, "{}", one_line(line));
    };
    let found = certificates(&options.certificate);
    let mut checker = match memory(options) {
        Ok(memory) => Checker::within(memory),
        Err(why) => {
            say(&format!("error: {why}"));
            return 2;
        }
    };
    let mut verdicts = Vec::new();
    let mut refusal = None;
    for (name, path) in &found {
        let bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) => {
                let path = path.display();
                say(&format!("error: {path}: cannot be read: {error}; expected a run folder or a certificate"));
                return 2;
            }
        };
        let kind = kind_of(&bytes).unwrap_or_default();
        if let ("loading" | "relu" | "deep" | "outputs", Some(_)) = (kind.as_str(), options.memory) {
            let is_loading = kind == "loading";
            let what = if is_loading { "exact points of a loading problem" } else { "rows of a network's problem" };
            say(&format!("error: --memory: the {what} are kept in memory; check it without a limit"));
            return 2;
        }
        let checked = match kind.as_str() {
            "loading" => check_loading(&bytes, options),
            "relu" => check_relu(&bytes, options),
            "deep" => check_deep(&bytes, options),
            "outputs" => check_outputs(&bytes, options),
            _ => check_convex(&mut checker, bytes, options),
        };
        match checked {
            Ok(verdict) => {
                if !options.quiet {
                    let claim = verdict.claim();
                    say(&if name.is_empty() { claim.to_string() } else { format!("{name}: {claim}") });
                }
                verdicts.push((name.as_str(), verdict));
            }
            Err(mut refused) => {
                if !name.is_empty() {
                    refused.reason = format!("{name}: {}", refused.reason);
                }
                refusal = Some(refused);
                break;
            }
        }
    }
    for block in BLOCKS.into_iter().filter(|_| options.certificate.is_dir()) {
        match check_block(&mut checker, &options.certificate, block) {
            _ if refusal.is_some() => break,
            None => {}
            Some(Ok(verdict)) if options.quiet => drop(verdict),
            Some(Ok(verdict)) => say(&format!("{block}: {}", verdict.claim)),
            Some(Err(refused)) => refusal = Some(refused),
        }
    }
    let (code, line) = match (&refusal, verdicts.as_slice()) {
        (Some(refusal), _) => (1, if options.json { refused(refusal) } else { format!("s NOT VERIFIED {refusal}") }),
        (None, [(_, verdict)]) => (0, if options.json { verdict.json().to_string() } else { verdict.line() }),
        (None, verdicts) => (0, if options.json { all_verified(verdicts) } else { line_of_all(verdicts) }),
    };
    match writeln!(out, "{line}").and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            say(&format!("error: the verdict cannot be printed: {error}"));
            2
        }
        _ => code,
    }
}

/// Checks the certificate of a block of a deep network ([`BLOCKS`]) against the features beside it, if the run has one. Its verdict is about them alone.
pub fn check_block(checker: &mut Checker, run: &Path, block: &str) -> Option<Result<Verdict, Refusal>> {
    let folder = run.join(block);
    let bytes = std::fs::read(folder.join(CERTIFICATE)).ok()?;
    let features = folder.join(FEATURES).display().to_string();
    let checked = match kind_of(&bytes).unwrap_or_default().as_str() {
        "relu" => relu::check_relu(&bytes, &features),
        _ => checker.check(bytes, &features),
    };
    Some(checked.map_err(|refusal| Refusal { reason: format!("{block}: {}", refusal.reason), ..refusal }))
}

/// The limit on memory, with the run folder or the certificate's for temporary files.
fn memory(options: &Options) -> Result<Option<Memory>, String> {
    let path = &options.certificate;
    let folder = if path.is_dir() { Some(path.as_path()) } else { path.parent() };
    let folder = folder.filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    options.memory.map(|bytes| Memory::new(bytes, rayon::current_num_threads(), folder)).transpose()
}

/// What was verified: bounds on an objective (rungs 1 and 4), or numbers of wrong rows.
enum Verified {
    Bounds(Verdict),
    Loading(LoadingVerdict),
}

/// Checks a certificate of a convex problem against the data asked for, or else those that it names.
fn check_convex(checker: &mut Checker, bytes: Vec<u8>, options: &Options) -> Result<Verified, Refusal> {
    let named = || Certificate::from_bytes(&bytes).map(|certificate| certificate.claim.source.path).unwrap_or_default();
    let data = options.data.clone().unwrap_or_else(named);
    checker.check(bytes, &data).map(Verified::Bounds).map_err(|refusal| hinted(refusal, &data, options))
}

/// The same for a certificate of a loading problem.
fn check_loading(bytes: &[u8], options: &Options) -> Result<Verified, Refusal> {
    let certificate =
        LoadingCertificate::from_bytes(bytes).map_err(|error| Refusal::new(Step::Container, error.to_string()))?;
    let data = options.data.as_ref().unwrap_or(&certificate.claim.source.path);
    check_with_data(&certificate, data).map(Verified::Loading).map_err(|refusal| hinted(refusal, data, options))
}

/// The same for a certificate of a two-layer network.
fn check_relu(bytes: &[u8], options: &Options) -> Result<Verified, Refusal> {
    let certificate =
        ReluCertificate::from_bytes(bytes).map_err(|error| Refusal::new(Step::Container, error.to_string()))?;
    let data = options.data.as_ref().unwrap_or(&certificate.claim.source.path);
    relu::check_with_data(&certificate, data).map(Verified::Bounds).map_err(|refusal| hinted(refusal, data, options))
}

/// The same for a certificate of a deep network.
fn check_deep(bytes: &[u8], options: &Options) -> Result<Verified, Refusal> {
    let certificate =
        DeepCertificate::from_bytes(bytes).map_err(|error| Refusal::new(Step::Container, error.to_string()))?;
    let data = options.data.as_ref().unwrap_or(&certificate.claim.source.path);
    deep::check_with_data(&certificate, data).map(Verified::Bounds).map_err(|refusal| hinted(refusal, data, options))
}

/// The same for a certificate about given outputs.
fn check_outputs(bytes: &[u8], options: &Options) -> Result<Verified, Refusal> {
    let certificate =
        OutputsCertificate::from_bytes(bytes).map_err(|error| Refusal::new(Step::Container, error.to_string()))?;
    let data = options.data.as_ref().unwrap_or(&certificate.claim.source.path);
    outputs::check_with_data(&certificate, data).map(Verified::Bounds).map_err(|refusal| hinted(refusal, data, options))
}

/// Says how to name the data if the path in the certificate leads nowhere from here.
fn hinted(mut refusal: Refusal, data: &str, options: &Options) -> Refusal {
    if options.data.is_none() && refusal.step == Step::Data && !Path::new(data).exists() {
        refusal.reason.push_str("; the certificate names this path: give the training file with --data");
    }
    refusal
}

/// The largest relative gap of several verdicts.
fn largest_gap(verdicts: &[(&str, Verified)]) -> f64 {
    verdicts.iter().map(|(_, verdict)| verdict.gap()).fold(0.0, f64::max)
}

/// The one line of several certificates; bounds are those of the run's own, if it has one.
fn line_of_all(verdicts: &[(&str, Verified)]) -> String {
    let (count, gap) = (verdicts.len(), largest_gap(verdicts));
    match verdicts.first() {
        Some(("", verdict)) => format!("{} certificates={count} largest-gap={gap:?}", verdict.line()),
        _ => format!("s VERIFIED certificates={count} largest-gap={gap:?}"),
    }
}

/// The same as JSON.
fn all_verified(verdicts: &[(&str, Verified)]) -> String {
    let each = |(name, verdict): &(&str, Verified)| {
        let mut value = verdict.json();
        value["name"] = (*name).into();
        value
    };
    let each: Vec<serde_json::Value> = verdicts.iter().map(each).collect();
    serde_json::json!({ "verified": true, "largest_gap": largest_gap(verdicts), "certificates": each }).to_string()
}

/// The refusal as JSON.
fn refused(refusal: &Refusal) -> String {
    serde_json::json!({ "verified": false, "step": refusal.step.to_string(), "reason": refusal.reason }).to_string()
}

impl Verified {
    /// The claim in words.
    fn claim(&self) -> &str {
        match self {
            Verified::Bounds(verdict) => &verdict.claim,
            Verified::Loading(verdict) => &verdict.claim,
        }
    }

    /// The relative gap; infinite without an incumbent.
    fn gap(&self) -> f64 {
        match self {
            Verified::Bounds(verdict) => relative_gap(verdict.upper, verdict.lower),
            Verified::Loading(LoadingVerdict { lower, upper: Some(upper), .. }) => {
                relative_gap(*upper as f64, *lower as f64)
            }
            Verified::Loading(LoadingVerdict { upper: None, .. }) => f64::INFINITY,
        }
    }

    /// The one line of a terminal.
    fn line(&self) -> String {
        match self {
            Verified::Bounds(verdict) => {
                format!("s VERIFIED lower={:?} upper={:?}", verdict.mean_lower, verdict.mean_upper)
            }
            Verified::Loading(LoadingVerdict { lower, upper: Some(upper), .. }) => {
                format!("s VERIFIED lower={lower} upper={upper}")
            }
            Verified::Loading(LoadingVerdict { lower, upper: None, .. }) => format!("s VERIFIED lower={lower}"),
        }
    }

    /// The verdict as JSON.
    fn json(&self) -> serde_json::Value {
        let gap = self.gap();
        match self {
            Verified::Bounds(verdict) => serde_json::json!({
                "verified": true, "lower": verdict.mean_lower, "upper": verdict.mean_upper,
                "gap": gap, "ending": verdict.ending.name(),
                "sum": { "lower": verdict.lower, "upper": verdict.upper }, "claim": verdict.claim,
            }),
            Verified::Loading(verdict) => serde_json::json!({
                "verified": true, "lower": verdict.lower, "upper": verdict.upper,
                "gap": gap, "ending": verdict.ending.name(), "claim": verdict.claim,
            }),
        }
    }
}
