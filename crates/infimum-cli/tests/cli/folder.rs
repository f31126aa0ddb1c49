//! Run folders: what is in them, what is never overwritten, what happens when they cannot be written.

use std::process::{Command, Stdio};

use serde_json::Value;

use crate::sandbox::{BINARY, Sandbox, ran, two_classes};

const FILES: [&str; 5] = ["certificate.safetensors", "log.jsonl", "model.json", "model.safetensors", "result.json"];

#[test]
fn default_folders_are_new_ones() {
    let sandbox = Sandbox::new();
    (0..3).for_each(|_| {
        sandbox.good("fit builtin:iris --quiet");
    });
    let runs = sandbox.names("runs");
    assert_eq!(runs.len(), 3, "{runs:?}");
    for run in &runs {
        assert!(run.contains("-iris"), "{run}");
        assert_eq!(sandbox.names(&format!("runs/{run}")), FILES);
    }
    let log = sandbox.read(&format!("runs/{}/log.jsonl", runs[0]));
    for line in log.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        assert!(line["event"].is_string(), "{line}");
    }
}

#[test]
fn an_earlier_run_is_replaced_and_nothing_else_is() {
    let sandbox = Sandbox::new();
    sandbox.certified("builtin:iris", "run");
    let first = sandbox.read("run/result.json");
    // A run that fails leaves the earlier one alone.
    sandbox.refused("fit nothing.csv --out run", &["nothing.csv"]);
    assert_eq!(sandbox.read("run/result.json"), first);
    sandbox.certified("builtin:wine", "run");
    assert_eq!(sandbox.names("run"), FILES);
    assert!(sandbox.read("run/result.json").contains("builtin:wine"));

    sandbox.file("run/thesis.txt", "years of work");
    sandbox.refused("fit builtin:iris --out run", &["run", "`thesis.txt`", "--out"]);
    assert_eq!(sandbox.read("run/thesis.txt"), "years of work");
    assert!(sandbox.read("run/result.json").contains("builtin:wine"));
}

#[test]
fn folders_that_cannot_be_written_are_said_before_the_work() {
    let sandbox = Sandbox::new();
    sandbox.file("file", "");
    for out in ["file", "file/run", "/dev/null/run"] {
        sandbox.refused(&format!("fit builtin:iris --out {out}"), &[out, "cannot be written", "--out"]);
    }
    sandbox.refused("fit builtin:iris --log-json file/log", &["file/log", "cannot be written"]);
}

/// A shell that lets no file grow beyond `blocks` of 512 bytes and then becomes the binary.
#[cfg(unix)]
fn with_little_room(sandbox: &Sandbox, blocks: u32, arguments: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("trap '' XFSZ; ulimit -f {blocks}; exec {BINARY} {arguments}")]);
    command.current_dir(sandbox.path("")).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

#[cfg(unix)]
#[test]
fn a_full_disk_keeps_the_result_on_stdout() {
    let sandbox = Sandbox::new();
    let command = with_little_room(&sandbox, 8, "fit builtin:digits --gap 0.1 --out run --json").spawn().unwrap();
    let ran = ran(command);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.stderr.contains("run/certificate.safetensors: cannot be written"), "{}", ran.stderr);
    assert!(ran.stderr.contains("NOT proven"), "{}", ran.stderr);
    let result: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((result["certified"].as_bool(), result["ending"].as_str()), (Some(false), Some("Optimal")));
    assert!(result["message"].as_str().unwrap().contains("could not be written"), "{result:#}");
    assert_eq!(sandbox.names("run"), Vec::<String>::new(), "no half-written file stays");
}

#[cfg(target_os = "linux")]
#[test]
fn a_log_copy_that_cannot_grow_is_a_warning() {
    let sandbox = Sandbox::new();
    let ran = sandbox.good("fit builtin:iris --out run --quiet --log-json /dev/full");
    assert!(ran.stderr.contains("warning: --log-json /dev/full"), "{ran:?}");
}

#[cfg(unix)]
#[test]
fn a_closed_pipe_is_no_reason_to_panic() {
    let sandbox = Sandbox::new();
    sandbox.certified("builtin:iris", "run");
    sandbox.file("table.csv", two_classes());
    for arguments in
        ["data list", "data show table.csv", "predict run builtin:iris", "fit table.csv --json --out other", "--help"]
    {
        let script = format!("{BINARY} {arguments} 2>errors | true; exit ${{PIPESTATUS[0]}}");
        let status = Command::new("bash").args(["-c", &script]).current_dir(sandbox.path("")).status().unwrap();
        let errors = sandbox.read("errors");
        assert!(!errors.contains("panicked") && status.code() == Some(0), "{arguments}: {status}: {errors}");
        let script = format!("{BINARY} {arguments} 2>&1 >/dev/null | true; exit ${{PIPESTATUS[0]}}");
        let status = Command::new("bash").args(["-c", &script]).current_dir(sandbox.path("")).status().unwrap();
        assert_eq!(status.code(), Some(0), "{arguments}");
    }
}
