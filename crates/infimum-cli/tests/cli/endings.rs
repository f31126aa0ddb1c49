//! How runs end: with the answer, with the time limit, with an interrupt, with a kill.

use std::process::{Child, Command};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::sandbox::{Ran, Sandbox, ran, two_classes};

/// A problem that takes many seconds to a gap that cannot be reached, and its arguments.
fn endless(sandbox: &Sandbox) -> &'static str {
    sandbox.good("generate text-like --rows 20000 --columns 20000 -o text.svm");
    "fit text.svm --loss hinge --gap 0 --abs-gap 0 --out run"
}

/// Waits until the run's log holds an event, e.g. the first row of the table: then the solver is at work.
pub(crate) fn wait_for(sandbox: &Sandbox, event: &str) {
    let start = Instant::now();
    while !std::fs::read_to_string(sandbox.path("log")).is_ok_and(|text| text.contains(&format!("\"{event}\""))) {
        assert!(start.elapsed() < Duration::from_secs(120), "the solver never started");
        std::thread::sleep(Duration::from_millis(10));
    }
}

pub(crate) fn signal(child: &Child, name: &str) {
    assert!(Command::new("kill").args([&format!("-{name}"), &child.id().to_string()]).status().unwrap().success());
}

/// A run in the folder `run` whose solver is at work and will be for long.
pub(crate) fn started(sandbox: &Sandbox) -> Child {
    let arguments = endless(sandbox);
    let child = sandbox.command(&format!("{arguments} --json --log-json log")).spawn().unwrap();
    wait_for(sandbox, "progress");
    child
}

fn result(ran: &Ran) -> Value {
    serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran:?}"))
}

#[test]
fn the_log_of_a_run() {
    let sandbox = Sandbox::new();
    let ran = sandbox.good("fit builtin:iris --gap 1e-4 --threads 1 --out run");
    assert_eq!(ran.stdout, "", "without --json nothing goes to stdout");
    // Which rows between the first and the last are printed depends on the machine's speed.
    let mut lines: Vec<String> = Vec::new();
    for line in ran.stderr.lines() {
        let line = match line.split_once("s  ") {
            Some((time, rest)) if time.trim().parse::<f64>().is_ok() => {
                if !(rest.starts_with("start") || rest.starts_with("end")) {
                    continue;
                }
                format!("TIME {rest}")
            }
            _ if line.starts_with("seconds ") => "seconds".into(),
            _ => line.into(),
        };
        lines.push(line);
    }
    let expected = format!(
        "\
infimum {}
data       builtin:iris: 150 rows × 4 columns (dense)
target     species, classification (labels setosa, versicolor, virginica)
model      softmax loss, C 1 (λ2 = 1), intercept free
threads    1
promise    rung 1, convex: the optimum to any gap asked for, with a certificate
note       task: classification (the target is text); --task overrides
solver     newton-cg (15 weights in all)

    time  source                 incumbent             bound       gap explored
TIME start             1.0986122887e0    0.0000000000e0    1.00e0        0
TIME end              1.9257589051e-1   1.9256990701e-1   3.11e-5        4

ending     Optimal
objective  1.925758905146e-1  (mean over the training weight)
bound      1.925699070104e-1  (proven: the certificate was checked)
gap        3.11e-5
metric     training    accuracy 0.973333, log loss 0.119799 (150 rows)
seconds
written    run

No softmax regression with this penalty can have a training objective more than 0.004 % lower. Training longer can gain at \
most that; ask for a smaller --gap to gain it or to prove that there is less.",
        env!("CARGO_PKG_VERSION")
    );
    assert_eq!(lines.join("\n"), expected);
}

#[test]
fn a_wide_gap_is_not_called_the_end_of_the_road() {
    let sandbox = Sandbox::new();
    let said = |arguments: &str| sandbox.certified(arguments, "run")["message"].as_str().unwrap().to_string();
    let wide = said("builtin:breast-cancer --gap 1e9");
    assert!(wide.contains("100.0 % lower. Training longer can gain at most that; ask for a smaller --gap"), "{wide}");
    let checked = sandbox.good("check run").stderr;
    assert!(checked.contains("Ending: Optimal to the relative gap 1e9 asked for."), "{checked}");
    let absolute = said("builtin:breast-cancer --gap 0 --abs-gap 0.1");
    assert!(absolute.contains("(--abs-gap is reached). Training longer can gain at most that"), "{absolute}");
    let narrow = said("builtin:breast-cancer --gap 1e-6");
    assert!(narrow.ends_with("Training longer cannot help."), "{narrow}");
}

#[test]
fn a_gap_that_the_checker_can_prove_is_claimed() {
    let sandbox = Sandbox::new();
    // The solvers' own margin for rounding is wider than this.
    for arguments in ["builtin:iris --gap 1e-14", "builtin:breast-cancer --standardize --gap 1e-14"] {
        let result = sandbox.certified(&format!("{arguments} --abs-gap 0 --threads 1"), "run");
        assert_eq!(result["ending"], "Optimal", "{result:#}");
        assert!(result["gap"].as_f64().unwrap() <= 1e-14, "{result:#}");
        sandbox.good("check run");
    }
}

#[test]
fn quiet_runs_print_nothing() {
    let sandbox = Sandbox::new();
    let ran = sandbox.good("fit builtin:iris --quiet --out run");
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("", ""));
}

#[test]
fn result_json_has_all_its_fields() {
    let sandbox = Sandbox::new();
    let file = sandbox.file("table.csv", two_classes());
    let result = sandbox.certified(&format!("{file} --valid 0.25 --seed 3 --threads 2 --gap 1e-8"), "run");
    assert_eq!(result, serde_json::from_str::<Value>(&sandbox.read("run/result.json")).unwrap());
    let is = |pointer: &str, fits: fn(&Value) -> bool| {
        let value = result.pointer(pointer).unwrap_or_else(|| panic!("{pointer} is missing in {result:#}"));
        assert!(fits(value), "{pointer} is {value}");
    };
    for number in [
        "/objective/l1",
        "/objective/l2",
        "/objective/lambda1",
        "/objective/lambda2",
        "/objective/total_weight",
        "/upper",
        "/lower",
        "/gap",
        "/seconds/read",
        "/seconds/solve",
        "/seconds/certify",
        "/seconds/check",
        "/seconds/total",
        "/train/accuracy",
        "/train/log_loss",
        "/valid/accuracy",
        "/valid/log_loss",
    ] {
        is(number, |value| value.as_f64().is_some_and(|value| value >= 0.0));
    }
    for text in [
        "/ending",
        "/objective/loss",
        "/objective/intercept",
        "/solver",
        "/data/path",
        "/data/sha256",
        "/data/problem_sha256",
        "/data/target",
        "/model",
        "/certificate",
        "/message",
    ] {
        is(text, |value| value.as_str().is_some_and(|text| !text.is_empty()));
    }
    let expected = [
        ("/version", Value::from(1)),
        ("/command", "fit".into()),
        ("/rung", 1.into()),
        ("/ending", "Optimal".into()),
        ("/certified", true.into()),
        ("/threads", 2.into()),
        ("/seed", 3.into()),
        ("/data/rows", 45.into()),
        ("/data/held_out", 15.into()),
        ("/data/columns", 2.into()),
        ("/data/labels", vec!["large", "small"].into()),
        ("/train/rows", 45.into()),
        ("/valid/rows", 15.into()),
    ];
    for (pointer, value) in expected {
        assert_eq!(result.pointer(pointer), Some(&value), "{pointer}");
    }
    let (upper, lower, gap) = (result["upper"].as_f64(), result["lower"].as_f64(), result["gap"].as_f64());
    assert!(lower <= upper && gap <= Some(1e-8), "{result:#}");
}

#[test]
fn a_time_limit_ends_with_model_bound_and_certificate() {
    let sandbox = Sandbox::new();
    let arguments = endless(&sandbox);
    let ran = sandbox.good(&format!("{arguments} --json --time-limit 1500ms"));
    let result = result(&ran);
    assert_eq!((result["ending"].as_str(), result["certified"].as_bool()), (Some("TimeLimit"), Some(true)));
    assert!(result["message"].as_str().unwrap().contains("could still be gained"), "{result:#}");
    let checked = sandbox.good("check run");
    assert!(checked.stdout.starts_with("s VERIFIED") && checked.stderr.contains("TimeLimit"), "{checked:?}");
}

#[test]
fn a_limit_shorter_than_reading_is_an_error() {
    let sandbox = Sandbox::new();
    endless(&sandbox);
    sandbox.refused("fit text.svm --time-limit 1ms", &["--time-limit 0.001s", "being read", "longer limit"]);
}

#[cfg(unix)]
#[test]
fn interrupts_end_with_model_bound_and_certificate() {
    for name in ["INT", "TERM"] {
        let sandbox = Sandbox::new();
        let child = started(&sandbox);
        signal(&child, name);
        let ran = ran(child);
        assert_eq!(ran.code, Some(130), "{ran:?}");
        let result = result(&ran);
        assert_eq!((result["ending"].as_str(), result["certified"].as_bool()), (Some("Interrupted"), Some(true)));
        assert!(sandbox.good("check run --quiet").stdout.starts_with("s VERIFIED"));
        sandbox.good("predict run text.svm -o predictions.csv");
        assert_eq!(sandbox.read("predictions.csv").lines().count(), 20_001);
    }
}

#[cfg(unix)]
#[test]
fn a_kill_leaves_nothing_that_looks_whole() {
    let sandbox = Sandbox::new();
    let mut child = started(&sandbox);
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!sandbox.path("run/result.json").exists());
    // The same folder is taken again.
    sandbox.certified("builtin:iris", "run");
}
