//! `infimum fit` with deep networks: from the fit to predictions, killed and resumed, and what is refused.

use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::sandbox::Sandbox;

fn number(result: &Value, name: &str) -> f64 {
    result[name].as_f64().unwrap_or(f64::NAN)
}

const SMALL: &str = "builtin:iris --hidden 16,8 --epochs 30 --seed 3 --threads 1";

#[test]
fn a_network_is_trained_certified_and_predicts() {
    let sandbox = Sandbox::new();
    let result = sandbox.certified(&format!("{SMALL} --l2 1e-2"), "run");
    assert_eq!((&result["rung"], &result["ending"]), (&5.into(), &"Stalled".into()), "{result:#}");
    assert_eq!(result["network"]["evaluation"], "proven");
    assert!(number(&result, "lower") > 0.0, "strong decay gives a bound: {result:#}");
    assert!(result["train"]["accuracy"].as_f64().unwrap() > 0.9, "{result:#}");
    let log = sandbox.good("check run").stderr;
    assert!(log.contains("deep network") || log.contains("layers"), "{log}");
    sandbox.good("predict run builtin:iris --what all -o predicted.csv");
    assert_eq!(sandbox.read("predicted.csv").lines().count(), 151);
    // The run's ONNX file is audited: the same network, the same objective.
    let audited = sandbox.good("audit run/model.onnx --data builtin:iris --l2 1e-2 --json --out audited").stdout;
    let audited: Value = serde_json::from_str(&audited).unwrap();
    assert_eq!((&audited["command"], &audited["certified"]), (&"audit".into(), &true.into()), "{audited:#}");
    let difference = (number(&audited, "upper") - number(&result, "upper")).abs();
    assert!(difference < 1e-5 * number(&result, "upper"), "{difference}");
    sandbox.refused("audit run/model.json --data builtin:iris", &["not an ONNX file"]);
    sandbox.refused("audit run/model.onnx --data builtin:wine", &["4 numbers"]);
    // The last layer's own certificate.
    sandbox.good("check run/head/certificate.safetensors --data run/head/features.npz");
    // `check` of the run verifies it too: features that are not those of the certificate are found.
    let claims = sandbox.good("check run").stderr;
    assert!(claims.lines().any(|line| line.starts_with("head: ")), "{claims}");
    let mut features = std::fs::read(sandbox.path("run/head/features.npz")).unwrap();
    let place = features.len() / 2;
    features[place] ^= 0x10;
    sandbox.file("run/head/features.npz", &features);
    let refused = sandbox.run("check run --quiet");
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stdout.starts_with("s NOT VERIFIED") && refused.stdout.contains("head: "), "{refused:?}");
}

/// The two last layers have a certificate of rung 4 about what they read; it is checked with the run, and goes with it.
#[test]
fn the_two_last_layers_are_bounded_given_what_they_read() {
    let sandbox = Sandbox::new();
    sandbox.certified(&format!("{SMALL} --l2 1e-2"), "run");
    let log = sandbox.good(&format!("fit {SMALL} --l2 1e-2 --out again")).stderr;
    let is_block = |line: &&str| line.starts_with("PROVEN") && line.contains("[block: last-two/features.npz]");
    assert_eq!(log.lines().filter(is_block).count(), 1, "{log}");
    // Without a limit of time the search is not put back: the same seed, the same bits.
    let model = |run: &str| std::fs::read(sandbox.path(run).join("model.safetensors")).unwrap();
    assert_eq!(model("again"), model("run"));
    let checked = sandbox.good("check run/last-two/certificate.safetensors --data run/last-two/features.npz");
    assert!(checked.stdout.starts_with("s VERIFIED lower="), "{checked:?}");
    let claims = sandbox.good("check run").stderr;
    assert!(claims.lines().any(|line| line.starts_with("last-two: ")), "{claims}");
    for file in ["features.npz", "certificate.safetensors"] {
        let name = format!("run/last-two/{file}");
        let whole = std::fs::read(sandbox.path(&name)).unwrap();
        let mut spoilt = whole.clone();
        spoilt[whole.len() / 2] ^= 0x10;
        sandbox.file(&name, &spoilt);
        let refused = sandbox.run("check run --quiet");
        assert_eq!(refused.code, Some(1), "{file}: {refused:?}");
        assert!(refused.stdout.starts_with("s NOT VERIFIED") && refused.stdout.contains("last-two: "), "{refused:?}");
        sandbox.file(&name, &whole);
    }
    sandbox.good("check run --quiet");
    // A run without such an end leaves none behind, one of another rung nothing at all.
    sandbox.certified("builtin:iris --hidden 8,4 --activation tanh --epochs 3 --threads 1", "run");
    assert!(!sandbox.path("run/last-two").exists() && sandbox.path("run/head").exists());
    sandbox.certified(&format!("{SMALL} --l2 1e-2"), "run");
    sandbox.certified("builtin:iris", "run");
    assert!(!sandbox.path("run/last-two").exists() && !sandbox.path("run/head").exists());
}

#[test]
fn the_report_keeps_proven_estimated_and_unknown_apart() {
    let sandbox = Sandbox::new();
    let log = sandbox.good(&format!("fit {SMALL} --out run")).stderr;
    let place =
        |word: &str| log.lines().position(|line| line.starts_with(word)).unwrap_or_else(|| panic!("{word}: {log}"));
    assert!(place("INCUMBENT") < place("PROVEN") && place("PROVEN") < place("UNKNOWN"), "{log}");
    assert!(place("UNKNOWN") < place("NEXT"), "{log}");
    // A run that ends before its budget does says why, and does not ask for more of the same.
    let log = sandbox.good("fit builtin:iris --hidden 8,4 --activation tanh --l2 1e-2 --seed 3 --out run").stderr;
    assert!(log.contains("no step lowers the objective any more") && !log.contains("train on"), "{log}");
}

#[test]
fn every_function_optimizer_and_schedule_lowers_the_objective() {
    let sandbox = Sandbox::new();
    let cases = [
        ("tanh", "--optimizer sgd --schedule one-cycle", "evaluated"),
        ("gelu", "--optimizer muon --schedule constant", "evaluated"),
        ("sigmoid", "--optimizer lbfgs", "evaluated"),
        ("silu", "--schedule schedule-free --clip 1", "evaluated"),
        ("leaky-relu", "--average 0.99 --label-smoothing 0.1", "proven"),
        ("relu", "--decay decoupled --learning-rate find", "proven"),
    ];
    for (function, options, evaluation) in cases {
        let result = sandbox.certified(
            &format!("builtin:wine --hidden 12,6 --activation {function} --epochs 40 --l2 1e-4 {options}"),
            "run",
        );
        assert_eq!(result["network"]["evaluation"], evaluation, "{function}");
        // ln 3 is what a constant reaches.
        assert!(number(&result, "upper") < 0.6, "{function} {options}: {result:#}");
    }
    let result = sandbox.certified("builtin:friedman --hidden 16,8 --epochs 400 --l2 1e-4 --restarts 3", "run");
    assert_eq!(result["network"]["runs"].as_array().unwrap().len(), 3);
    assert!(result["train"]["r2"].as_f64().unwrap() > 0.5, "{result:#}");
}

#[test]
fn layers_of_a_file_and_images() {
    let sandbox = Sandbox::new();
    sandbox.file(
        "net.toml",
        r#"
        input = [8, 8, 1]
        layer = [
            { kind = "convolution", channels = 8, kernel = [3, 3] },
            { kind = "batch-normalization" },
            { kind = "activation", function = "relu" },
            { kind = "residual", body = [{ kind = "convolution", channels = 8, kernel = [3, 3] }, { kind = "activation", function = "relu" }] },
            { kind = "max-pooling", size = 2 },
            { kind = "flatten" },
            { kind = "dropout", rate = 0.1 },
            { kind = "dense", units = 10 },
        ]
        "#,
    );
    let result =
        sandbox.certified("builtin:digits --net net.toml --epochs 4 --augment crop:1 --valid 0.2 --l2 1e-5", "run");
    assert_eq!(result["network"]["evaluation"], "proven");
    assert!(result["valid"]["accuracy"].as_f64().unwrap() > 0.85, "{result:#}");
    sandbox.good("predict run builtin:digits --what probabilities -o p.csv");
    sandbox.refused("fit builtin:iris --net net.toml", &["[8, 8, 1]", "4 columns"]);
    // What the report needs of a network is known before anything is trained.
    sandbox
        .file("bent.toml", "layer = [{ kind = \"dense\", units = 3 }, { kind = \"activation\", function = \"relu\" }]");
    sandbox.refused("fit builtin:iris --net bent.toml --epochs 1000000", &["the last layer is to be dense"]);
}

/// Starts a command and kills it if it has not ended in time; whether it was killed.
fn killed_after(sandbox: &Sandbox, command: &str, patience: Duration) -> bool {
    let mut child = sandbox.command(command).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let end = Instant::now() + patience;
    while Instant::now() < end {
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success(), "infimum {command}");
            return false;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    true
}

/// Killed at different moments and resumed until it is done, a run ends with the bits of one that was never disturbed.
#[test]
fn a_killed_run_resumes_to_the_same_bits() {
    // L-BFGS by default, Adam where it is asked for.
    for options in ["--epochs 60", "--epochs 12 --optimizer adamw --average 0.9"] {
        resumes_to_the_same_bits(options);
    }
}

fn resumes_to_the_same_bits(options: &str) {
    let sandbox = Sandbox::new();
    let fit = format!("fit builtin:digits --hidden 64,32 --seed 5 --threads 2 --checkpoint-every 20ms {options}");
    sandbox.good(&format!("{fit} --out whole"));
    let mut kills = 0;
    let mut resume = String::new();
    for attempt in 0..60u64 {
        let command = format!("{fit} --out parts {resume}");
        let patience = Duration::from_millis(150 + 97 * (attempt % 7));
        if killed_after(&sandbox, &command, patience) {
            kills += 1;
        } else {
            break;
        }
        if sandbox.path("parts/checkpoint.safetensors").exists() {
            resume = "--resume parts".into();
        }
        if kills == 10 {
            sandbox.good(&format!("{fit} --out parts {resume}"));
            break;
        }
    }
    assert!(kills > 0, "the run was never killed");
    let model = |run: &str| std::fs::read(sandbox.path(run).join("model.safetensors")).unwrap();
    assert_eq!(model("parts"), model("whole"));
}

#[test]
fn a_rate_that_is_far_too_large_is_lowered() {
    let sandbox = Sandbox::new();
    let run = sandbox.good("fit builtin:iris --hidden 16,8 --epochs 40 --learning-rate 1e9 --out run");
    assert!(run.stderr.contains("back to step"), "{}", run.stderr);
    let result: Value = serde_json::from_str(&sandbox.read("run/result.json")).unwrap();
    // Where the first step led to 1e22.
    assert!(result["certified"].as_bool().unwrap() && number(&result, "upper") < 5.0, "{result:#}");
    assert!(result["network"]["runs"][0]["rollbacks"].as_u64().unwrap() > 0);
}

#[test]
fn what_does_not_go_together_is_said() {
    let sandbox = Sandbox::new();
    sandbox.good(&format!("fit {SMALL} --out run"));
    std::fs::create_dir(sandbox.path("broken")).unwrap();
    sandbox.file("broken/checkpoint.safetensors", "not a checkpoint");
    for (arguments, expected) in [
        ("builtin:iris --epochs 3", "--epochs goes with --hidden"),
        ("builtin:iris --hidden 8,4 --kernel rbf", "--kernel does not go with --hidden"),
        ("builtin:iris --hidden 8,4 --l1 0.1", "--l1 does not go with --hidden"),
        ("builtin:iris --hidden 8,4 --activation cosine", "--activation cosine: expected relu"),
        ("builtin:iris --hidden 8,4 --output-bias free", "--output-bias free"),
        ("builtin:iris --hidden 8,4 --device gpu", "expected cpu, cuda, cuda:N, wgpu, wgpu:N (N = 0, 1, …) or auto"),
        ("builtin:iris --hidden 8,4 --device cuda:0 --optimizer lbfgs", "lbfgs works in doubles, on the processor"),
        ("builtin:iris --hidden 8,4 --precision mixed", "--precision mixed"),
        ("builtin:iris --hidden 8,4 --epochs 3 --optimizer sgd --precision mixed", "--precision mixed is for cards"),
        ("builtin:iris --hidden 8,4 --epochs 0", "expected a number > 0"),
        ("builtin:iris --hidden 8,4 --augment flip", "augmentation is for images"),
        ("builtin:iris --hidden 8,4 --augment spin", "expected flip"),
        ("builtin:friedman --hidden 8,4 --label-smoothing 0.1", "label smoothing is for"),
        ("builtin:iris --hidden 8,4 --resume nowhere", "--resume nowhere/checkpoint.safetensors: cannot be read"),
        ("builtin:iris --hidden 16,8 --epochs 30 --seed 3 --resume broken", "not a whole checkpoint"),
        ("builtin:iris --hidden 16,9 --epochs 30 --seed 3 --resume run", "another network or problem"),
        ("builtin:iris --hidden 16,8 --epochs 30 --seed 4 --resume run", "other options"),
        ("builtin:iris --hidden 16,8 --epochs 3 --warm-start broken", "--warm-start"),
        ("builtin:iris --hidden 8,4 --activation threshold --epochs 3", "threshold units have no gradient"),
    ] {
        sandbox.refused(&format!("fit {arguments}"), &[expected]);
    }
}

/// What a program without cards says, and what is chosen where that is left open.
#[cfg(not(any(feature = "cuda", feature = "wgpu")))]
#[test]
fn a_program_built_without_cards_says_how_to_build_one() {
    let sandbox = Sandbox::new();
    for (device, feature) in [("cuda", "cuda"), ("cuda:1", "cuda"), ("wgpu", "wgpu"), ("wgpu:0", "wgpu")] {
        let build = format!("cargo build --release -p infimum-cli --features {feature}");
        let parts = ["--device ", "was built without", &build, "--device cpu"];
        sandbox.refused(&format!("fit builtin:iris --hidden 8,4 --device {device} --out run"), &parts);
    }
    let mixed = "fit builtin:iris --hidden 8,4 --optimizer sgd --device auto --precision mixed --out run";
    sandbox.refused(mixed, &["--precision mixed needs a card", "was built without"]);
    assert!(!sandbox.path("run").exists());
    // Without a card auto is the processor, to the same bits.
    let model = |device: &str| {
        let log = sandbox.good(&format!("fit {SMALL} --optimizer adamw {device} --out {}", device.len())).stderr;
        (std::fs::read(sandbox.path(&device.len().to_string()).join("model.safetensors")).unwrap(), log)
    };
    let ((unsaid, _), (cpu, _), (auto, log)) = (model(""), model("--device cpu"), model("--device auto"));
    assert!(unsaid == cpu && cpu == auto);
    assert!(log.contains("the processor: ") && log.contains("was built without CUDA"), "{log}");
    let log = sandbox.good(&format!("fit {SMALL} --device auto --out small")).stderr;
    assert!(log.contains("lbfgs works in doubles"), "{log}");
}
