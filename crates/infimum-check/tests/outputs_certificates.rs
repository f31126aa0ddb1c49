//! Golden certificates about given outputs that must be refused, which `golden.rs` runs through the binary: changes of a valid one. With the variable `MAKE_GOLDEN` set they
//! are written anew; without, the files must be what is made here.

use std::path::Path;

use infimum_check::{Step, check_outputs};
use infimum_problem::{Ending, OutputsCertificate};

type Change = fn(&mut OutputsCertificate);

/// The step that refuses, and what is changed.
const CHANGES: [(&str, Change); 7] = [
    ("problem--outputs-columns", |c| c.claim.columns += 1),
    ("problem--outputs-other-hash", |c| c.claim.problem_sha256 = "0".repeat(64)),
    ("model--outputs-not-finite", |c| c.outputs[2] = f64::NAN),
    ("dual--outputs-not-cancelled", |c| c.dual[0] -= 0.125),
    ("lower--outputs-claimed-too-high", |c| c.claim.lower *= 1.001),
    ("upper--outputs-claimed-too-low", |c| c.claim.upper *= 0.999),
    ("ending--outputs-optimal", |c| c.claim.ending = Ending::Optimal),
];

#[test]
fn changed_certificates_are_refused() {
    let tests = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests"));
    let bytes = std::fs::read(tests.join("valid_certificates/outputs-equal-rows.safetensors")).expect("the valid one");
    let data = tests.join("golden/twice.csv").to_string_lossy().into_owned();
    let verdict = check_outputs(&bytes, &data).expect("accepted");
    assert!(verdict.lower > 0.0 && verdict.lower < verdict.upper);
    let valid = OutputsCertificate::from_bytes(&bytes).expect("a certificate");
    for (name, change) in CHANGES {
        let mut changed = valid.clone();
        change(&mut changed);
        let bytes = changed.to_bytes().expect("bytes");
        let path = tests.join(format!("invalid_certificates/{name}.safetensors"));
        if std::env::var_os("MAKE_GOLDEN").is_some() {
            std::fs::write(&path, &bytes).expect("written");
        }
        assert!(std::fs::read(&path).is_ok_and(|file| file == bytes), "{}", path.display());
        let refusal = check_outputs(&bytes, &data).expect_err(name);
        let step = name.split("--").next().unwrap_or_default();
        assert_eq!(refusal.step.to_string(), step, "{name}: {}", refusal.reason);
    }
    assert_eq!(check_outputs(&bytes[..bytes.len() - 1], &data).expect_err("cut short").step, Step::Container);
}
