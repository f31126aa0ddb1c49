//! `infimum fit --kernel`: from the fit to predictions, and what is refused.

use crate::memory::large;
use crate::sandbox::Sandbox;

/// The share of predicted labels, in the first column, that are right for iris: fifty of each label in order.
fn share_right(text: &str) -> f64 {
    let labels: Vec<&str> = text.lines().skip(1).collect();
    assert_eq!(labels.len(), 150);
    let truth = |i: usize| ["setosa", "versicolor", "virginica"][i / 50];
    labels.iter().enumerate().filter(|(i, label)| **label == truth(*i)).count() as f64 / 150.0
}

#[test]
fn fit_check_predict() {
    let sandbox = Sandbox::new();
    for kernel in ["rbf", "rbf --gamma 0.5 --C 10", "polynomial", "polynomial --gamma auto --degree 2 --coef0 1"] {
        let result = sandbox.certified(&format!("builtin:iris --kernel {kernel} --gap 1e-6"), "run");
        assert_eq!(result["ending"], "Optimal", "{result}");
        let claim = sandbox.good("check run").stderr;
        let name = kernel.split(' ').next().unwrap();
        assert!(claim.contains(&format!("over all functions f of the space of the kernel {name}")), "{claim}");
        let accuracy = result["train"]["accuracy"].as_f64().unwrap();
        assert!(accuracy > 0.9, "{kernel}: {accuracy}");
        let predicted = sandbox.good("predict run builtin:iris").stdout;
        assert!((share_right(&predicted) - accuracy).abs() < 1e-12, "{kernel}");
    }
}

#[test]
fn linear_is_the_linear_model() {
    let sandbox = Sandbox::new();
    let plain = sandbox.certified("builtin:iris --loss hinge", "plain");
    let linear = sandbox.certified("builtin:iris --loss hinge --kernel linear", "linear");
    assert_eq!(plain["data"]["problem_sha256"], linear["data"]["problem_sha256"]);
    assert!(plain["data"]["problem_sha256"].is_string());
}

#[test]
fn what_has_no_proof_is_refused() {
    let sandbox = Sandbox::new();
    for (arguments, parts) in [
        ("--kernel sigmoid", ["sigmoid", "not positive semidefinite"]),
        ("--kernel rbf --l1 0.1", ["--l1", "representer"]),
        ("--kernel rbf --l2 0", ["--l2 > 0", "--kernel"]),
        ("--kernel rbf --standardize", ["--standardize", "--gamma"]),
        ("--kernel rbf --gamma 0", ["--gamma", "> 0"]),
        ("--kernel rbf --gamma -1", ["--gamma", "> 0"]),
        ("--kernel polynomial --degree 0", ["--degree", "1"]),
        ("--kernel polynomial --coef0 -1", ["--coef0", "not convex"]),
        ("--kernel rbf --loss logistic", ["logistic", "not quadratic"]),
        ("--kernel rbf --loss softmax", ["softmax", "not quadratic"]),
        ("--kernel rbf --solver newton", ["newton", "without a kernel"]),
        ("--loss hinge --solver smo", ["smo", "--kernel"]),
    ] {
        sandbox.refused(&format!("fit builtin:iris {arguments} --out run"), &parts);
    }
    sandbox.certified("builtin:iris --kernel rbf", "run");
    sandbox.refused("fit builtin:iris --kernel rbf --warm-start run --out other", &["--warm-start", "kernel"]);
    sandbox.refused("fit builtin:iris --kernel rbf --l1-path 10 --out series", &["--l1-path", "kernel"]);
    sandbox.refused("fit builtin:iris --kernel rbf --cv 5 --out series", &["--cv", "kernel"]);
    sandbox.refused("curve builtin:iris --kernel rbf --out series", &["--kernel", "infimum fit"]);
    sandbox.refused("study builtin:iris --kernel rbf --out series", &["--kernel", "infimum fit"]);
}

#[test]
fn rows_in_a_file_are_refused() {
    let sandbox = Sandbox::new();
    let file = sandbox.file("large.svm", large());
    sandbox.refused(&format!("fit {file} --kernel rbf --threads 1 --memory 64MiB --out run"), &["kernel", "--memory"]);
}
