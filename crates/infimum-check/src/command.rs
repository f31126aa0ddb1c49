//! The command line shared by `infimum-check` and `infimum check`.

use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use infimum_problem::{Certificate, one_line, relative_gap};

use crate::steps::{Refusal, Step, Verdict, check};

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
}

/// The certificate file of a run folder, or the path itself if it is a file.
pub fn certificate_path(path: &Path) -> PathBuf {
    if path.is_dir() { path.join("certificate.safetensors") } else { path.to_path_buf() }
}

/// Checks and prints: one line on `out`, the claim in words on `explain`. Returns the exit code: 0 verified, 1 not
/// verified, 2 if the certificate cannot be read or the verdict cannot be printed. An `out` whose reader has gone away has
/// been read as far as anybody wanted, and is no failure.
pub fn run(options: &Options, out: &mut dyn Write, explain: &mut dyn Write) -> i32 {
    let mut say = |line: &str| {
        let _ = writeln!(explain, "{}", one_line(line));
    };
    let path = certificate_path(&options.certificate);
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) => {
            let path = path.display();
            say(&format!("error: {path}: cannot be read: {error}; expected a run folder or a certificate"));
            return 2;
        }
    };
    let named = || Certificate::from_bytes(&bytes).map(|certificate| certificate.claim.source.path).unwrap_or_default();
    let data = options.data.clone().unwrap_or_else(named);
    let (code, line) = match check(&bytes, &data) {
        Ok(verdict) => {
            if !options.quiet {
                say(&verdict.claim);
            }
            (0, if options.json { verified(&verdict) } else { verdict.line() })
        }
        Err(mut refusal) => {
            if options.data.is_none() && refusal.step == Step::Data && !Path::new(&data).exists() {
                refusal.reason.push_str("; the certificate names this path: give the training file with --data");
            }
            (1, if options.json { refused(&refusal) } else { format!("s NOT VERIFIED {refusal}") })
        }
    };
    match writeln!(out, "{line}").and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            say(&format!("error: the verdict cannot be printed: {error}"));
            2
        }
        _ => code,
    }
}

/// The verdict as JSON.
fn verified(verdict: &Verdict) -> String {
    let value = serde_json::json!({
        "verified": true, "lower": verdict.mean_lower, "upper": verdict.mean_upper,
        "gap": relative_gap(verdict.upper, verdict.lower), "ending": verdict.ending.name(),
        "sum": { "lower": verdict.lower, "upper": verdict.upper }, "claim": verdict.claim,
    });
    value.to_string()
}

/// The refusal as JSON.
fn refused(refusal: &Refusal) -> String {
    serde_json::json!({ "verified": false, "step": refusal.step.to_string(), "reason": refusal.reason }).to_string()
}

impl Verdict {
    /// The one line of a terminal.
    fn line(&self) -> String {
        format!("s VERIFIED lower={:?} upper={:?}", self.mean_lower, self.mean_upper)
    }
}
