//! `--memory`: files larger than the limit.

use std::process::{Command, Stdio};

use crate::sandbox::{BINARY, Sandbox, ran, two_classes};

/// About 8 MiB of matrix, twice what the least limit holds; the largest column is 1200.
pub(crate) fn large() -> String {
    let mut text = String::new();
    for row in 0u32..6_000 {
        text.push_str(if row * 37 % 101 > 60 { "+1" } else { "-1" });
        for j in 0..120 {
            let column = 10 * j + (row * 31 + j * 17) % 10 + 1;
            text.push_str(&format!(" {column}:{}", (row * 7 + j * row % 13 + j) % 9 + 1));
        }
        text.push('\n');
    }
    text
}

#[test]
fn a_file_larger_than_the_limit_is_trained_and_checked_within_it() {
    let sandbox = Sandbox::new();
    let file = sandbox.file("large.svm", large());
    let options = "--loss squared-hinge --l2 0.1 --gap 1e-6 --threads 1 --valid 0.2 --solver newton-cg";
    let held = sandbox.certified(&format!("{file} {options}"), "held");
    let ran = sandbox.good(&format!("fit {file} {options} --memory 64MiB --out spilled"));
    assert!(ran.stderr.contains("kept in a temporary file") && ran.stderr.contains("was checked"), "{}", ran.stderr);
    let spilled: serde_json::Value = serde_json::from_str(&sandbox.read("spilled/result.json")).unwrap();
    for name in ["problem_sha256", "sha256", "rows", "columns", "stored", "held_out"] {
        assert_eq!(held["data"][name], spilled["data"][name], "{name}");
    }
    let upper = |result: &serde_json::Value| result["upper"].as_f64().unwrap();
    assert!((upper(&held) - upper(&spilled)).abs() <= 1e-6 * upper(&held));
    for run in ["held", "spilled"] {
        let checked = sandbox.good(&format!("check {run} --memory 0.5GiB"));
        assert!(checked.stdout.starts_with("s VERIFIED"), "{checked:?}");
    }
    // Nothing but the results is left.
    assert_eq!(sandbox.names(""), ["held", "large.svm", "spilled"]);
    assert_eq!(sandbox.names("spilled"), sandbox.names("held"));
}

#[test]
fn a_file_that_fits_is_treated_as_without_a_limit() {
    let sandbox = Sandbox::new();
    let file = sandbox.file("table.csv", two_classes());
    let result = sandbox.certified(&format!("{file} --threads 2 --memory 1GiB"), "run");
    assert_eq!(result["solver"], "newton");
}

#[test]
fn limits_that_are_no_sizes_or_too_small() {
    let sandbox = Sandbox::new();
    for (size, expected) in [
        ("much", "such as 800MB, 1.5GiB or 2GB"),
        ("-1GB", "such as 800MB"),
        ("0", "such as 800MB"),
        ("1MiB --threads 1", "at least 64MiB"),
        ("64MiB --threads 3", "at least 96MiB; fewer"),
    ] {
        sandbox.refused(&format!("fit builtin:iris --memory {size}"), &[expected]);
    }
}

#[test]
fn formats_that_must_fit_say_which_need_not() {
    let sandbox = Sandbox::new();
    let row = "1,0,1,0,1,0,1,0,1,0,1,0,1,0,1,0,1,0,1,";
    let file = sandbox.file("table.csv", format!("{row}0\n{row}1\n").repeat(40_000));
    sandbox
        .refused(&format!("fit {file} --threads 1 --memory 64MiB"), &["about 13MiB", "only LIBSVM and Parquet files"]);
}

#[test]
fn many_rows_need_vectors() {
    let sandbox = Sandbox::new();
    let file = sandbox.file("long.svm", "1 1:1\n-1 2:1\n".repeat(300_000));
    let parts = ["vectors of 600000 rows", "give at least that"];
    sandbox.refused(&format!("fit {file} --threads 1 --memory 64MiB"), &parts);
}

#[test]
fn a_loss_that_needs_rows_at_random_says_what_can_be_done() {
    let sandbox = Sandbox::new();
    let file = sandbox.file("large.svm", large());
    let parts = ["squared-hinge or logistic", "more --memory"];
    sandbox.refused(&format!("fit {file} --loss hinge --threads 1 --memory 64MiB --quiet"), &parts);
}

#[test]
#[cfg(unix)]
fn a_full_disk_is_said() {
    let sandbox = Sandbox::new();
    let file = sandbox.file("large.svm", large());
    let arguments = format!("fit {file} --threads 1 --memory 64MiB --out run");
    let mut command = Command::new("sh");
    command.args(["-c", &format!("ulimit -f 2048; exec {BINARY} {arguments} 2>&1")]);
    command.current_dir(sandbox.path("")).env_remove("TMPDIR").stdout(Stdio::piped()).stderr(Stdio::piped());
    let full = ran(command.spawn().unwrap());
    assert_eq!(full.code, Some(2), "{full:?}");
    assert!(full.stdout.contains("temporary file in run") && full.stdout.contains("TMPDIR"), "{full:?}");
    let missing = ran(sandbox.command(&arguments).env("TMPDIR", sandbox.path("nowhere")).spawn().unwrap());
    assert_eq!(missing.code, Some(2), "{missing:?}");
    assert!(missing.stderr.contains("nowhere") && missing.stderr.contains("temporary file"), "{missing:?}");
    assert_eq!(sandbox.names(""), ["large.svm"]);
}
