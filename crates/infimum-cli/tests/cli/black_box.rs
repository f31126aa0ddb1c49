//! `infimum audit --predictions`: outputs of a model that cannot be looked into.

use serde_json::Value;

use crate::sandbox::Sandbox;

/// Two rows in which all columns are equal and the target is not, and others.
const DATA: &str = "a,b,y\n1,2,no\n1,2,yes\n0,1,no\n3,1,yes\n";

#[test]
fn outputs_are_audited_and_the_certificate_is_checked() {
    let sandbox = Sandbox::new();
    sandbox.file("d.csv", DATA);
    sandbox.file("p.txt", "p\n0.5\n0.5\n0.25\n0.5\n");
    let ran = sandbox.good("audit --predictions p.txt --predictions-are probabilities --data d.csv --out run --json");
    let result: Value = serde_json::from_str(&ran.stdout).unwrap();
    let mean = (3.0 * 2f64.ln() - 0.75f64.ln()) / 4.0;
    let number = |name: &str| result[name].as_f64().unwrap();
    assert!((number("upper") - mean).abs() < 1e-9, "{result:#}");
    assert!((number("lower") - 2.0 * 2f64.ln() / 4.0).abs() < 1e-9, "{result:#}");
    assert_eq!(
        (&result["certified"], &result["command"], &result["rung"]),
        (&true.into(), &"audit".into(), &Value::Null)
    );
    for words in ["PROVEN", "UNKNOWN", "NEXT", "no function of the columns"] {
        assert!(ran.stderr.contains(words), "{}", ran.stderr);
    }
    let checked = sandbox.good("check run");
    assert!(checked.stdout.starts_with("s VERIFIED lower=0.34") && checked.stderr.contains("whatever the model"));
    sandbox.file("other.csv", DATA.replace("3,1,yes", "3,1,no"));
    let refused = sandbox.run("check run --data other.csv");
    assert_eq!(refused.code, Some(1), "{refused:?}");
    sandbox.refused("predict run d.csv", &["model.json"]);
}

#[test]
fn what_does_not_fit_an_audit_of_outputs_is_refused() {
    let sandbox = Sandbox::new();
    sandbox.file("d.csv", DATA);
    sandbox.file("p.txt", "0\n1\n-1\n2\n");
    sandbox.refused("audit --data d.csv", &["nothing to audit", "--predictions"]);
    sandbox.refused("audit --predictions p.txt --data d.csv --C 1", &["no penalty"]);
    sandbox.refused("audit --predictions p.txt --data d.csv --valid 0.5", &["--valid"]);
    sandbox.refused("audit --predictions p.txt --data d.csv --epochs 3", &["--epochs"]);
    sandbox.refused("audit --predictions p.txt --data d.csv --memory 1GiB", &["--memory"]);
    sandbox.refused("audit --predictions no.txt --data d.csv", &["no.txt"]);
    sandbox.file("bad.txt", "0\n1\nx\n2\n");
    sandbox.refused("audit --predictions bad.txt --data d.csv", &["bad.txt", "line 3", "a number"]);
    sandbox.file("short.txt", "0\n1\n");
    sandbox.refused("audit --predictions short.txt --data d.csv", &["2 rows of outputs", "4 training rows"]);
    // A model that can be looked into is.
    sandbox.certified("d.csv --hidden 4,3 --epochs 2 --threads 1", "run");
    sandbox.refused(
        "audit run/model.onnx --predictions p.txt --data d.csv",
        &["leave --predictions out", "run/model.onnx"],
    );
}

#[test]
fn a_model_with_unknown_operators_is_judged_by_its_outputs() {
    let sandbox = Sandbox::new();
    let net = "input = [2, 1]\n[[layer]]\nkind = \"attention\"\nheads = 1\n[[layer]]\nkind = \"flatten\"\n[[layer]]\nkind = \"dense\"\nunits = 1\n";
    sandbox.file("net.toml", net);
    sandbox.file("d.csv", DATA);
    sandbox.file("p.txt", "0\n0\n-1\n2\n");
    let trained = sandbox.run("fit d.csv --net net.toml --epochs 2 --threads 1 --out run");
    if trained.code != Some(0) {
        panic!("{trained:?}");
    }
    sandbox.refused("audit run/model.onnx --data d.csv", &["--predictions"]);
    let ran = sandbox.good("audit run/model.onnx --predictions p.txt --data d.csv --out audited");
    assert!(ran.stderr.contains("everything about the model itself"), "{}", ran.stderr);
    sandbox.good("check audited");
}
