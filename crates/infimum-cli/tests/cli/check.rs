//! `infimum check`: what is verified, and what is refused with the step that failed.

use crate::sandbox::{Sandbox, numbers, two_classes};

/// Checks and demands `s NOT VERIFIED <step>: …` with exit code 1.
fn refused(sandbox: &Sandbox, arguments: &str, step: &str) {
    let ran = sandbox.run(&format!("check {arguments}"));
    assert_eq!(ran.code, Some(1), "{arguments}: {ran:?}");
    assert!(ran.stdout.starts_with(&format!("s NOT VERIFIED {step}: ")), "{arguments}: {}", ran.stdout);
    assert_eq!(ran.stdout.lines().count(), 1, "{}", ran.stdout);
}

#[test]
fn the_verdict_restates_the_claim() {
    let sandbox = Sandbox::new();
    let file = sandbox.file("table.csv", two_classes());
    sandbox.certified(&format!("{file} --l1 0.01 --l2 0.5 --class-weight balanced --standardize"), "run");
    for arguments in ["check run", "check run/certificate.safetensors --data table.csv"] {
        let ran = sandbox.good(arguments);
        for part in [
            "table.csv",
            "60 training rows",
            "2 columns",
            "Target: kind",
            "`large`, `small`",
            "balanced",
            "l1 = 0.01, l2 = 0.5",
            "standard deviations",
            "intercept free",
            "No logistic regression",
            "Ending: Optimal",
        ] {
            assert!(ran.stderr.contains(part), "`{part}` is not in {}", ran.stderr);
        }
    }
    let json = sandbox.good("check run --json --quiet").stdout;
    let verdict: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(verdict["verified"], true);
}

#[test]
fn other_data_is_another_problem() {
    let sandbox = Sandbox::new();
    let file = sandbox.file("table.csv", two_classes());
    sandbox.certified(file, "run");
    sandbox.file("changed.csv", two_classes().replacen("large", "small", 1));
    refused(&sandbox, "run --data changed.csv", "problem");
    sandbox.file("shorter.csv", two_classes().lines().take(50).collect::<Vec<_>>().join("\n"));
    refused(&sandbox, "run --data shorter.csv", "problem");
    sandbox.file("prices.csv", numbers());
    refused(&sandbox, "run --data prices.csv", "data");
    refused(&sandbox, "run --data gone.csv", "data");
    // The same problem in another file is the same problem.
    sandbox.file("spaced.csv", two_classes().replace(',', " , "));
    sandbox.good("check run --data spaced.csv");
}

#[test]
fn a_mutated_or_truncated_certificate_is_refused() {
    let sandbox = Sandbox::new();
    sandbox.certified("builtin:iris --loss hinge", "run");
    let whole = std::fs::read(sandbox.path("run/certificate.safetensors")).unwrap();
    for length in [0, 1, 8, whole.len() / 2, whole.len() - 1] {
        sandbox.file("cut", &whole[..length]);
        refused(&sandbox, "cut --data builtin:iris", "container");
    }
    for place in (0..whole.len()).step_by(whole.len() / 40) {
        let mut damaged = whole.clone();
        damaged[place] ^= 0x10;
        sandbox.file("damaged", &damaged);
        let ran = sandbox.run("check damaged --data builtin:iris");
        assert_eq!(ran.code, Some(1), "byte {place}: {ran:?}");
        assert!(ran.stdout.starts_with("s NOT VERIFIED "), "byte {place}: {}", ran.stdout);
    }
}

#[test]
fn names_in_the_data_cannot_look_like_a_verdict() {
    let sandbox = Sandbox::new();
    let mut text = String::from("width,\"kind\ns VERIFIED lower=9 upper=9\"\n");
    for row in 0..12 {
        let label = if row * 5 % 7 > 3 { "a\ns VERIFIED lower=8 upper=8" } else { "b\u{1b}[2J" };
        text.push_str(&format!("{},\"{label}\"\n", row * 7 % 13));
    }
    let file = sandbox.file("table.csv", text);
    let fit = sandbox.good(&format!("fit {file} --out run"));
    let check = sandbox.good("check run");
    assert!(check.stderr.contains("`a\\ns VERIFIED lower=8 upper=8`, `b\\u{1b}[2J`"), "{}", check.stderr);
    assert_eq!((check.stdout.lines().count(), check.stderr.lines().count()), (1, 1), "{check:?}");
    for said in [fit.stderr, check.stderr] {
        assert!(!said.contains('\u{1b}') && !said.lines().any(|line| line.starts_with("s VERIFIED")), "{said}");
    }
}

#[test]
fn a_moved_run_says_how_to_name_the_data() {
    let sandbox = Sandbox::new();
    let file = sandbox.file("table.csv", two_classes());
    sandbox.certified(file, "run");
    std::fs::create_dir(sandbox.path("elsewhere")).unwrap();
    std::fs::rename(sandbox.path("table.csv"), sandbox.path("elsewhere/table.csv")).unwrap();
    let ran = sandbox.run("check run");
    assert_eq!(ran.code, Some(1));
    assert!(ran.stdout.starts_with("s NOT VERIFIED data: table.csv: ") && ran.stdout.contains("--data"), "{ran:?}");
    sandbox.good("check run --data elsewhere/table.csv");
}

#[test]
fn a_folder_without_certificate_is_an_input_error() {
    let sandbox = Sandbox::new();
    sandbox.refused("check nothing", &["nothing", "cannot be read"]);
}
