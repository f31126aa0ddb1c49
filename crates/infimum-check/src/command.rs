//! The command line shared by `infimum-check` and `infimum check`.

use std::io::Write;
use std::path::{Path, PathBuf};

use infimum_problem::{Certificate, relative_gap};

use crate::steps::check;

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
/// verified, 2 if the certificate file cannot be read at all.
pub fn run(options: &Options, out: &mut dyn Write, explain: &mut dyn Write) -> i32 {
    let path = certificate_path(&options.certificate);
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) => {
            let _ = writeln!(
                explain,
                "error: {}: cannot be read: {error}; expected a run folder or a certificate",
                path.display()
            );
            return 2;
        }
    };
    let named = || Certificate::from_bytes(&bytes).map(|certificate| certificate.claim.source.path).unwrap_or_default();
    let data = options.data.clone().unwrap_or_else(named);
    let (code, line) = match check(&bytes, &data) {
        Ok(verdict) => {
            if !options.quiet {
                let _ = writeln!(explain, "{}", verdict.claim);
            }
            let line = if options.json {
                serde_json::json!({
                    "verified": true, "lower": verdict.mean_lower, "upper": verdict.mean_upper,
                    "gap": relative_gap(verdict.upper, verdict.lower), "ending": verdict.ending.name(),
                    "sum": { "lower": verdict.lower, "upper": verdict.upper }, "claim": verdict.claim,
                })
                .to_string()
            } else {
                format!("s VERIFIED lower={:?} upper={:?}", verdict.mean_lower, verdict.mean_upper)
            };
            (0, line)
        }
        Err(refusal) => {
            let line = if options.json {
                serde_json::json!({
                    "verified": false, "step": refusal.step.to_string(), "reason": refusal.reason,
                })
                .to_string()
            } else {
                format!("s NOT VERIFIED {refusal}")
            };
            (1, line)
        }
    };
    let _ = writeln!(out, "{line}");
    let _ = out.flush();
    code
}
