//! Warm starts, paths, cross-validation, learning curves and studies, end to end.

use serde_json::Value;

use crate::sandbox::{Sandbox, numbers, two_classes};

/// A table whose label depends on its columns, but not always.
fn table(sandbox: &Sandbox) -> &'static str {
    sandbox.file("table.csv", two_classes())
}

/// Fits a path, demands success and that its points are accepted here and by `infimum check`.
fn certified_path(sandbox: &Sandbox, arguments: &str, out: &str) -> Value {
    let (code, result) = sandbox.fit(&format!("{arguments} --out {out}"));
    assert_eq!((code, &result["certified"]), (Some(0), &Value::Bool(true)), "{arguments}: {result:#}");
    let checked = sandbox.good(&format!("check {out} --quiet"));
    assert!(checked.stdout.starts_with("s VERIFIED certificates="), "{arguments}: {checked:?}");
    result
}

fn points(result: &Value) -> &Vec<Value> {
    result.as_array().unwrap_or_else(|| panic!("expected points, got {result}"))
}

#[test]
fn a_path_leaves_a_checked_model_at_every_point() {
    let sandbox = Sandbox::new();
    let file = table(&sandbox);
    let result = certified_path(&sandbox, &format!("{file} --l1-path 6 --valid 0.25 --gap 1e-6"), "run");
    assert_eq!(sandbox.names("run"), ["log.jsonl", "path", "path.csv", "result.json"]);
    assert_eq!((result["ending"].as_str(), result["model"].is_null()), (Some("Optimal"), true));
    assert!(result["objective"]["strength"].is_null() && result["objective"]["loss"] == "logistic", "{result:#}");
    let path = points(&result["path"]["points"]);
    assert_eq!((path.len(), &result["path"]["score"]), (6, &Value::from("loss")));
    assert_eq!(path[0]["nonzero"], 0, "the first strength is λmax");
    let strengths: Vec<f64> = path.iter().map(|point| point["l1"].as_f64().unwrap()).collect();
    let ratio = strengths[5] / strengths[0];
    assert!((ratio - 1e-3).abs() < 1e-12 && strengths.is_sorted_by(|a, b| a > b), "{strengths:?}");
    for (number, point) in path.iter().enumerate() {
        assert_eq!((point["proven"].as_bool(), point["number"].as_u64()), (Some(true), Some(number as u64)));
        let of = |name: &str| point[name].as_f64().unwrap_or_else(|| panic!("{name} in {point:#}"));
        assert!(of("lower") <= of("upper") && of("gap") <= 1e-6 && of("valid") > 0.0 && of("valid_error") > 0.0);
        let folder = format!("run/path/{number:03}");
        assert_eq!(
            sandbox.names(&folder),
            ["certificate.safetensors", "model.json", "model.onnx", "model.safetensors"]
        );
        let checked = sandbox.good(&format!("check {folder} --quiet"));
        assert!(checked.stdout.starts_with("s VERIFIED lower="), "{checked:?}");
    }
    assert_eq!(sandbox.read("run/path.csv").lines().count(), 7);
    let predicted = sandbox.good(&format!("predict run/path/003 {file}"));
    assert!(predicted.stdout.lines().count() == 61 && !predicted.stderr.contains("warning"), "{predicted:?}");
    sandbox.refused(&format!("predict run {file}"), &["run/model.json", "such as run/path/000"]);
    let all = sandbox.good("check run --quiet");
    assert!(all.stdout.starts_with("s VERIFIED certificates=6 largest-gap="), "{all:?}");
    let json: Value = serde_json::from_str(&sandbox.good("check run --quiet --json").stdout).unwrap();
    assert_eq!((points(&json["certificates"]).len(), &json["certificates"][2]["name"]), (6, &"path/002".into()));
    // One damaged certificate is one too many.
    let certificate = sandbox.path("run/path/004/certificate.safetensors");
    let mut bytes = std::fs::read(&certificate).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(&certificate, bytes).unwrap();
    let refused = sandbox.run("check run --quiet");
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stdout.starts_with("s NOT VERIFIED container: path/004: "), "{refused:?}");
    assert_eq!(refused.stdout.lines().count(), 1);
}

#[test]
fn points_of_a_path_are_the_fits_at_their_strengths() {
    let sandbox = Sandbox::new();
    let file = sandbox.file("numbers.csv", numbers());
    let result = certified_path(&sandbox, &format!("{file} --l2-path 1e-4..1e2,4 --l1 0.01 --gap 1e-8"), "run");
    for point in points(&result["path"]["points"]) {
        let l2 = point["l2"].as_f64().unwrap();
        let alone = sandbox.certified(&format!("{file} --l1 0.01 --l2 {l2:e} --gap 1e-8"), "alone");
        let of = |value: &Value, name: &str| value[name].as_f64().unwrap();
        assert!(of(point, "lower") <= of(&alone, "upper") && of(&alone, "lower") <= of(point, "upper"));
    }
    assert_eq!(points(&result["path"]["points"])[0]["l2"], 100.0);
}

#[test]
fn cross_validation_chooses_and_certifies() {
    let sandbox = Sandbox::new();
    let file = table(&sandbox);
    let result = sandbox.certified(&format!("{file} --cv 5 --seed 3"), "run");
    let selection = &result["selection"];
    let chosen = selection["chosen"].as_u64().unwrap() as usize;
    let strengths = points(&selection["strengths"]);
    assert_eq!((strengths.len(), selection["folds_proven"].as_bool()), (10, Some(true)));
    assert_eq!(selection["rule"], "best");
    let means: Vec<f64> = strengths.iter().map(|point| point["mean"].as_f64().unwrap()).collect();
    assert!(means.iter().all(|&mean| mean >= means[chosen]), "{means:?}");
    for point in strengths {
        let folds: Vec<f64> = points(&point["folds"]).iter().map(|score| score.as_f64().unwrap()).collect();
        let mean = folds.iter().sum::<f64>() / 5.0;
        assert!((mean - point["mean"].as_f64().unwrap()).abs() < 1e-12 && point["proven"] == true, "{point:#}");
    }
    assert_eq!(result["objective"]["strength"], strengths[chosen]["strength"]);
    let checked = sandbox.good("check run --quiet");
    assert!(checked.stdout.contains(" certificates=11 "), "{checked:?}");
    assert_eq!(sandbox.read("run/cv.csv").lines().count(), 11);
    sandbox.good(&format!("predict run {file}"));
    // The same seed chooses the same whatever the threads; the other rule never chooses a weaker penalty.
    let (_, again) = sandbox.fit(&format!("{file} --cv 5 --seed 3 --threads 2 --out again"));
    assert_eq!(again["selection"]["strengths"], selection["strengths"]);
    let (_, careful) = sandbox.fit(&format!("{file} --cv 5 --seed 3 --cv-rule one-standard-error --out careful"));
    assert!(careful["selection"]["chosen"].as_u64().unwrap() as usize <= chosen);
    // One strength given: its score.
    let (code, one) = sandbox.fit(&format!("{file} --cv 4 --C 0.5 --score accuracy --out one"));
    assert_eq!((code, points(&one["selection"]["strengths"]).len()), (Some(0), 1));
    assert_eq!(one["selection"]["score"], "accuracy");
}

#[test]
fn a_warm_start_from_the_optimum_has_nothing_to_do() {
    let sandbox = Sandbox::new();
    let file = table(&sandbox);
    for options in ["", "--loss hinge --gap 1e-7", "--l1 0.01 --gap 1e-7", "--loss squared-hinge"] {
        sandbox.certified(&format!("{file} {options}"), "cold");
        let warm = sandbox.certified(&format!("{file} {options} --warm-start cold"), "warm");
        assert_eq!((&warm["ending"], &warm["explored"]["iterations"]), (&"Optimal".into(), &0.into()), "{options}");
    }
    // A point of a path is a start too, and so is a run on other rows of the same columns.
    certified_path(&sandbox, &format!("{file} --l2-path 3"), "path");
    sandbox.certified(&format!("{file} --C 3 --warm-start path/path/001"), "warm");
    let half: String = two_classes().lines().take(40).map(|line| format!("{line}\n")).collect();
    sandbox.file("half.csv", half);
    sandbox.certified("half.csv --warm-start cold", "warm");
}

#[test]
fn starts_that_do_not_fit_are_refused() {
    let sandbox = Sandbox::new();
    let file = table(&sandbox);
    sandbox.good(&format!("fit {file} --quiet --out run"));
    sandbox
        .refused(&format!("fit {file} --warm-start nowhere"), &["--warm-start nowhere/model.json", "cannot be read"]);
    sandbox.refused("fit builtin:wine --warm-start run", &["--warm-start run", "expected columns 13, got 2"]);
    sandbox.file("other.csv", two_classes().replace("width", "depth"));
    sandbox.refused("fit other.csv --warm-start run", &["expected feature 1 `depth`, got `width`"]);
    sandbox.file("labels.csv", two_classes().replace("large", "huge"));
    sandbox.refused("fit labels.csv --warm-start run", &["expected labels huge, small, got large, small"]);
    sandbox.refused(&format!("fit {file} --loss softmax --warm-start run"), &["expected 2 outputs, got 1"]);
}

#[test]
fn combinations_that_make_no_sense_are_refused() {
    let sandbox = Sandbox::new();
    let file = table(&sandbox);
    for (options, part) in [
        ("--l1-path 5 --l2-path 5", "one penalty varies"),
        ("--l2-path 5 --C 1", "--C is one strength"),
        ("--l1-path 5 --l1 0.1", "--l1 is one strength"),
        ("--l2-path 5 --l2 0.1", "--l2 is one strength"),
        ("--cv 3 --valid 0.2", "--cv holds out rows of its own"),
        ("--cv-rule best", "--cv-rule goes with --cv"),
        ("--score loss", "--score goes with"),
        ("--cv 1", "expected an integer ≥ 2"),
        ("--cv 61", "61 folds need at least 61 training rows, but there are 60"),
        ("--l1-path 1", "expected N (2 to 10000)"),
        ("--l1-path 5:2", "N:RATIO with a ratio below 1"),
        ("--l2-path 1..1,5", "HIGH..LOW,N"),
        ("--l2-path 0..1,5", "HIGH..LOW,N"),
        ("--cv 3 --score squared-error", "--score squared-error needs numbers"),
        ("--cv 3 --loss hinge --score log-loss", "--score log-loss needs probabilities"),
    ] {
        sandbox.refused(&format!("fit {file} {options} --out run"), &[part]);
    }
    for command in ["curve", "study"] {
        sandbox.refused(&format!("{command} {file} --cv 3"), &["--cv goes with `infimum fit`", command]);
        sandbox.refused(&format!("{command} {file} --l1-path 3"), &["--l1-path goes with"]);
    }
    sandbox.refused(&format!("curve {file} --fractions 0.01,1"), &["--fractions 0.01", "expected at least 2"]);
    sandbox.refused(&format!("curve {file} --fractions 1.5"), &["above 0 and at most 1"]);
    let file = sandbox.file("rare.csv", "a,y\n1,no\n2,no\n3,yes\n4,no\n");
    sandbox.refused(&format!("fit {file} --cv 2"), &["`yes` has only 1 training row"]);
    let file = sandbox.file("constant.csv", "a,y\n1,no\n1,yes\n1,no\n1,yes\n");
    sandbox.refused(&format!("fit {file} --l1-path 4"), &["all weights are zero at every strength"]);
    sandbox.refused(&format!("fit {file} --l2-path 4"), &["all features are constant"]);
}

#[test]
fn curves_grow_and_studies_vary_one_factor() {
    let sandbox = Sandbox::new();
    for file in [table(&sandbox), sandbox.file("numbers.csv", numbers())] {
        let ran = sandbox.good(&format!("curve {file} --points 4 --json --out run"));
        let curve: Value = serde_json::from_str(&ran.stdout).unwrap();
        assert_eq!((&curve["command"], curve["certified"].as_bool()), (&"curve".into(), Some(true)), "{curve:#}");
        let rows: Vec<u64> =
            points(&curve["curve"]["points"]).iter().map(|point| point["rows"].as_u64().unwrap()).collect();
        assert!(rows.len() == 4 && rows.is_sorted() && rows[3] == curve["data"]["rows"].as_u64().unwrap(), "{rows:?}");
        assert_eq!(sandbox.names("run"), ["curve", "curve.csv", "curve.svg", "log.jsonl", "result.json"]);
        assert!(sandbox.read("run/curve.svg").starts_with("<svg ") && ran.stderr.contains("Estimated: from "));
        // Every share is described by its recipe: the checker finds the same rows in the file.
        let checked = sandbox.good("check run --quiet");
        assert!(checked.stdout.starts_with("s VERIFIED certificates=4 "), "{checked:?}");
        assert!(sandbox.good("check run/curve/001").stderr.contains("of a stratified random order (seed 0)"));

        let ran = sandbox.good(&format!("study {file} --json --out run"));
        let study: Value = serde_json::from_str(&ran.stdout).unwrap();
        let (effects, tried) = (points(&study["effects"]), points(&study["study"]["points"]));
        assert_eq!((effects.len() + 1, study["certified"].as_bool()), (tried.len(), Some(true)), "{study:#}");
        assert_eq!(sandbox.names("run"), ["log.jsonl", "result.json", "study", "study.csv"]);
        for (effect, point) in effects.iter().zip(&tried[1..]) {
            assert_eq!(effect["setting"], point["setting"]);
            if let Some(optimum) = effect["optimum"].as_array() {
                let [low, high] = [0, 1].map(|end| optimum[end].as_f64().unwrap());
                let change = point["upper"].as_f64().unwrap() - tried[0]["upper"].as_f64().unwrap();
                assert!(low <= change && change <= high + 1e-3, "{effect}");
                let setting = effect["setting"].as_str().unwrap();
                assert!(setting != "penalty × 100" || low > 0.0, "a stronger penalty raises the optimum: {effect}");
            }
        }
        assert!(sandbox.good("check run --quiet").stdout.starts_with("s VERIFIED certificates="));
    }
}

#[test]
fn quiet_series_print_nothing() {
    let sandbox = Sandbox::new();
    let file = table(&sandbox);
    for command in ["fit --l1-path 3", "fit --l2-path 3 --cv 3", "curve --points 2", "study"] {
        let (name, options) = command.split_once(' ').unwrap_or((command, ""));
        let ran = sandbox.good(&format!("{name} {file} {options} --quiet --out run"));
        assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("", ""), "{command}");
    }
}

#[test]
fn series_replace_earlier_runs_and_nothing_else() {
    let sandbox = Sandbox::new();
    let file = table(&sandbox);
    sandbox.certified(&format!("{file} --l1-path 4 --cv 2"), "run");
    certified_path(&sandbox, &format!("{file} --l1-path 2"), "run");
    assert_eq!(sandbox.names("run/path"), ["000", "001"]);
    sandbox.certified(file, "run");
    assert!(!sandbox.path("run/path").exists());
    certified_path(&sandbox, &format!("{file} --l1-path 2"), "run");
    sandbox.file("run/path/001/notes.txt", "mine");
    sandbox.refused(&format!("fit {file} --out run"), &["it holds `run/path/001/notes.txt`"]);
    assert_eq!(sandbox.read("run/path/001/notes.txt"), "mine");
}

/// A path that takes long at every point.
fn endless(sandbox: &Sandbox) -> &'static str {
    sandbox.good("generate text-like --rows 20000 --columns 20000 -o text.svm");
    "fit text.svm --loss hinge --gap 1e-2 --l2-path 1e-3..1e-9,400 --out run --json"
}

#[test]
fn a_time_limit_keeps_the_points_that_are_done() {
    let sandbox = Sandbox::new();
    let ran = sandbox.good(&format!("{} --time-limit 3s", endless(&sandbox)));
    let result: Value = serde_json::from_str(&ran.stdout).unwrap();
    let done = points(&result["path"]["points"]).len();
    assert_eq!(
        (result["ending"].as_str(), result["certified"].as_bool()),
        (Some("TimeLimit"), Some(true)),
        "{result:#}"
    );
    assert!(
        (1..400).contains(&done) && ran.stderr.contains(&format!("The time limit came first: {done} of 400 points"))
    );
    assert_eq!(sandbox.names("run/path").len(), done);
    assert!(sandbox.good("check run --quiet").stdout.starts_with("s VERIFIED"));
}

#[cfg(unix)]
#[test]
fn an_interrupt_keeps_the_points_that_are_done() {
    let sandbox = Sandbox::new();
    let child = sandbox.command(&format!("{} --log-json log", endless(&sandbox))).spawn().unwrap();
    crate::endings::wait_for(&sandbox, "path");
    crate::endings::signal(&child, "INT");
    let ran = crate::sandbox::ran(child);
    assert_eq!(ran.code, Some(130), "{ran:?}");
    let result: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((result["ending"].as_str(), result["certified"].as_bool()), (Some("Interrupted"), Some(true)));
    assert!(!points(&result["path"]["points"]).is_empty() && ran.stderr.contains("Interrupted: "));
    assert!(sandbox.good("check run --quiet").stdout.starts_with("s VERIFIED"));
}

#[cfg(unix)]
#[test]
fn a_full_disk_ends_a_path_with_an_error() {
    let sandbox = Sandbox::new();
    let command = "fit builtin:digits --gap 0.1 --l2-path 3 --out run --json";
    let ran = crate::sandbox::ran(crate::folder::with_little_room(&sandbox, 8, command).spawn().unwrap());
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.stderr.contains("run/path/000/certificate.safetensors: cannot be written"), "{}", ran.stderr);
    let result: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((result["certified"].as_bool(), points(&result["path"]["points"]).len()), (Some(false), 1));
    assert!(!sandbox.path("run").exists(), "nothing half-written stays");
}
