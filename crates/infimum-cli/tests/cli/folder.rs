//! Run folders: what is in them, what is never overwritten, what happens when they cannot be written.

use std::process::{Command, Stdio};

use serde_json::Value;

use crate::endings::started;
use crate::sandbox::{BINARY, Sandbox, ran, two_classes};

const FILES: [&str; 6] =
    ["certificate.safetensors", "log.jsonl", "model.json", "model.onnx", "model.safetensors", "result.json"];

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
pub(crate) fn with_little_room(sandbox: &Sandbox, blocks: u32, arguments: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("ulimit -f {blocks}; exec {BINARY} {arguments}")]);
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
    assert!(result["model"].is_null() && result["certificate"].is_null(), "{result:#}");
    assert!(!sandbox.path("run").exists(), "nothing half-written stays");
}

#[cfg(target_os = "linux")]
#[test]
fn a_log_copy_that_cannot_grow_is_a_warning() {
    let sandbox = Sandbox::new();
    let ran = sandbox.good("fit builtin:iris --out run --quiet --log-json /dev/full");
    assert!(ran.stderr.contains("warning: --log-json /dev/full"), "{ran:?}");
}

#[test]
fn a_folder_takes_one_run_at_a_time() {
    let sandbox = Sandbox::new();
    let mut first = started(&sandbox);
    // Refused at once, before a byte of data is read, and the first run is not disturbed.
    sandbox.refused("fit builtin:iris --out run", &["run: another run is writing here", "--out"]);
    sandbox.refused("fit nothing.csv --out run", &["run: another run is writing here"]);
    sandbox.certified("builtin:iris", "other");
    first.kill().unwrap();
    first.wait().unwrap();
    // The lock of a killed run is no lock.
    sandbox.certified("builtin:iris", "run");
    assert_eq!(sandbox.names("run"), FILES);
}

#[test]
fn runs_that_race_for_a_folder_never_mix_in_it() {
    let sandbox = Sandbox::new();
    for _ in 0..20 {
        let arguments = ["fit builtin:iris --quiet --out new/run", "fit builtin:wine --quiet --out new/run"];
        let children = arguments.map(|arguments| sandbox.command(arguments).spawn().unwrap());
        let codes: Vec<Option<i32>> = children.map(|child| ran(child).code).into();
        assert!(codes.contains(&Some(0)) && codes.iter().all(|code| [Some(0), Some(2)].contains(code)), "{codes:?}");
        let result: Value = serde_json::from_str(&sandbox.read("new/run/result.json")).unwrap();
        let data = result["data"]["path"].as_str().unwrap();
        assert_eq!(sandbox.names("new/run"), FILES);
        sandbox.good(&format!("check new/run --data {data}"));
        std::fs::remove_dir_all(sandbox.path("new")).unwrap();
    }
}

#[test]
fn a_run_that_fails_leaves_no_folder() {
    let sandbox = Sandbox::new();
    std::fs::create_dir(sandbox.path("mine")).unwrap();
    for out in ["deep/er/run", "mine", "mine/run"] {
        sandbox.refused(&format!("fit nothing.csv --out {out}"), &["nothing.csv"]);
    }
    assert_eq!(sandbox.names("mine"), Vec::<String>::new());
}

#[test]
fn the_data_are_never_written_over() {
    let sandbox = Sandbox::new();
    sandbox.file("table.csv", two_classes());
    std::fs::hard_link(sandbox.path("table.csv"), sandbox.path("twin.csv")).unwrap();
    for log in ["table.csv", "./table.csv", "twin.csv"] {
        sandbox.refused(&format!("fit table.csv --log-json {log}"), &[log, "these are the data"]);
    }
    std::fs::create_dir(sandbox.path("run")).unwrap();
    sandbox.file("run/log.jsonl", two_classes());
    sandbox.refused("fit run/log.jsonl --format csv --out run", &["run/log.jsonl", "the data lie in the run folder"]);
    assert_eq!((sandbox.read("table.csv"), sandbox.read("run/log.jsonl")), (two_classes(), two_classes()));
}

#[cfg(target_os = "linux")]
#[test]
fn a_result_that_cannot_be_printed_is_an_error() {
    let sandbox = Sandbox::new();
    for arguments in ["fit builtin:iris --quiet --json --out run", "check run --quiet"] {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let ran = ran(sandbox.command(arguments).stdout(full).spawn().unwrap());
        assert_eq!(ran.code, Some(2), "{arguments}: {ran:?}");
        assert!(ran.stderr.starts_with("error: ") && ran.stderr.contains("cannot be"), "{ran:?}");
    }
    assert_eq!(sandbox.names("run"), FILES, "the folder is whole nonetheless");
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
