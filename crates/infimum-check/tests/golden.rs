//! Golden certificates through the checker binary. The name of a certificate's data file is that of its claim; the name of an
//! invalid one begins with the step that must refuse it. `golden/make.sh` makes the valid ones, and this test with the
//! variable `MAKE_GOLDEN` set the invalid ones from them; those of loading problems come from `src/loading/tests/golden.rs`,
//! those of two-layer networks from `relu_certificates.rs`.

use std::path::{Path, PathBuf};
use std::process::Command;

use infimum_problem::deep::DeepCertificate;
use infimum_problem::{
    Certificate, ClassWeight, Ending, Kernel, LoadingCertificate, Loss, OutputsCertificate, ReluCertificate, Subset,
    Task,
};

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name)
}

fn certificates(name: &str) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(folder(name)).expect("the folder").map(|entry| entry.expect("an entry").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "safetensors"));
    paths.sort();
    assert!(paths.len() >= 10, "{name}: {} certificates", paths.len());
    paths
}

/// Exit code and standard output of the checker, run where the data files lie.
fn checker(path: &Path) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_infimum-check"))
        .arg(path)
        .args(data_of(path))
        .current_dir(folder("golden"))
        .output()
        .expect("started");
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(!log.contains("panicked"), "{}\n{log}", path.display());
    (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Where the claim cannot be read the checker has to be told the data.
fn data_of(path: &Path) -> Vec<String> {
    let bytes = std::fs::read(path).expect("bytes");
    let readable = Certificate::from_bytes(&bytes).is_ok()
        || LoadingCertificate::from_bytes(&bytes).is_ok()
        || ReluCertificate::from_bytes(&bytes).is_ok()
        || DeepCertificate::from_bytes(&bytes).is_ok()
        || OutputsCertificate::from_bytes(&bytes).is_ok();
    if readable { Vec::new() } else { vec!["--data".into(), "two.csv".into()] }
}

#[test]
fn valid_certificates_are_verified() {
    for path in certificates("valid_certificates") {
        let (code, line) = checker(&path);
        assert_eq!(code, Some(0), "{}: {line}", path.display());
        assert!(line.starts_with("s VERIFIED lower="), "{line}");
    }
}

#[test]
fn invalid_certificates_are_refused_at_the_step_in_their_name() {
    if std::env::var_os("MAKE_GOLDEN").is_some() {
        make_invalid();
    }
    for path in certificates("invalid_certificates") {
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        let step = name.split("--").next().expect("a step");
        let (code, line) = checker(&path);
        assert_eq!(code, Some(1), "{name}: {line}");
        assert!(line.starts_with(&format!("s NOT VERIFIED {step}: ")), "{name}: {line}");
    }
}

#[test]
fn loading_verdicts_count_rows() {
    let json = |name: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_infimum-check"))
            .args([&format!("../valid_certificates/{name}.safetensors"), "--json", "--quiet"])
            .current_dir(folder("golden"))
            .output()
            .expect("started");
        serde_json::from_slice::<serde_json::Value>(&output.stdout).expect("JSON")
    };
    let line = |name: &str| checker(&folder("valid_certificates").join(format!("{name}.safetensors"))).1;
    assert_eq!(line("loading-optimal"), "s VERIFIED lower=1 upper=1\n");
    assert_eq!(line("loading-no-hidden"), "s VERIFIED lower=1\n");
    assert_eq!(line("loading-two-hidden"), "s VERIFIED lower=0 upper=0\n");
    let optimal = json("loading-optimal");
    assert_eq!((&optimal["upper"], &optimal["gap"], &optimal["ending"]), (&1.into(), &0.0.into(), &"Optimal".into()));
    let open = json("loading-no-hidden");
    assert_eq!((&open["lower"], open["upper"].is_null(), open["gap"].is_null()), (&1.into(), true, true));
}

#[test]
fn a_limit_on_memory_is_not_kept_silently() {
    for name in ["loading-optimal", "relu-constant", "deep-optimal"] {
        let certificate = folder("valid_certificates").join(format!("{name}.safetensors"));
        let mut command = Command::new(env!("CARGO_BIN_EXE_infimum-check"));
        let output = command.arg(certificate).arg("--memory=1GiB").output().expect("started");
        let log = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(2) && log.starts_with("error: --memory"), "{log}");
    }
}

/// Standard output and standard error of the checker on changed bytes.
fn checked(certificate: &Certificate, arguments: &[&str]) -> (String, String) {
    let scratch = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(scratch.path(), certificate.to_bytes().expect("bytes")).expect("written");
    let mut command = Command::new(env!("CARGO_BIN_EXE_infimum-check"));
    let output = command.arg(scratch.path()).args(arguments).current_dir(folder("golden")).output().expect("started");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr))
}

#[test]
fn no_name_in_a_certificate_can_look_like_a_verdict() {
    const FALSE: &str = "x\ns VERIFIED lower=0.0 upper=0.0\r\u{1b}[2K\u{2028}";
    type Change = (&'static str, fn(&mut Certificate));
    let changes: [Change; 6] = [
        ("container", |c| c.claim.kind = FALSE.into()),
        ("data", |c| c.claim.source.path = FALSE.into()),
        ("data", |c| c.claim.recipe.target = FALSE.into()),
        ("data", |c| c.claim.recipe.sample_weight = Some(FALSE.into())),
        ("data", |c| c.claim.recipe.class_weight = ClassWeight::Given(vec![(FALSE.into(), 2.0)])),
        ("problem", |c| c.claim.problem_sha256 = FALSE.into()),
    ];
    let valid = std::fs::read(folder("valid_certificates").join("hinge-free.safetensors")).expect("bytes");
    for (step, change) in changes {
        let mut certificate = Certificate::from_bytes(&valid).expect("valid");
        change(&mut certificate);
        let (verdict, claim) = checked(&certificate, &[]);
        assert!(verdict.starts_with(&format!("s NOT VERIFIED {step}: ")), "{verdict}");
        assert_eq!((verdict.lines().count(), claim.as_str()), (1, ""), "{verdict}");
        let mut plain = verdict.trim_end().chars();
        assert!(!plain.any(|c| c.is_control() || c == '\u{2028}'), "{verdict:?}");
    }
}

#[test]
fn optimal_names_the_gap_that_it_means() {
    let valid = std::fs::read(folder("valid_certificates").join("hinge-free.safetensors")).expect("bytes");
    let mut certificate = Certificate::from_bytes(&valid).expect("valid");
    assert!(checked(&certificate, &[]).1.contains("Ending: Optimal to the relative gap 1e-9 asked for."));
    (certificate.claim.gap, certificate.claim.abs_gap) = (0.0, 1e9);
    assert!(checked(&certificate, &[]).1.contains("Ending: Optimal to the absolute gap 1e9 of the sum asked for."));
    certificate.claim.ending = Ending::Stalled;
    assert!(checked(&certificate, &[]).1.contains("Ending: Stalled, by the run's own account."));
}

/// The share of a certificate with so many rows more and another seed.
fn share(certificate: &Certificate, more: usize, seed: u64) -> Option<Subset> {
    Some(Subset::Share { rows: certificate.claim.rows + more, seed })
}

fn make_invalid() {
    let valid = |name: &str| {
        let bytes = std::fs::read(folder("valid_certificates").join(format!("{name}.safetensors"))).expect("bytes");
        Certificate::from_bytes(&bytes).expect("valid")
    };
    type Change = fn(&mut Certificate);
    let changes: [(&str, &str, Change); 32] = [
        ("problem--other-gamma", "hinge-rbf-free", |c| c.claim.recipe.kernel = Some(Kernel::Rbf { gamma: 0.125 })),
        ("data--negative-gamma", "hinge-rbf-free", |c| c.claim.recipe.kernel = Some(Kernel::Rbf { gamma: -0.125 })),
        ("problem--other-degree", "epsilon-polynomial-penalized", |c| {
            c.claim.recipe.kernel = Some(Kernel::Polynomial { gamma: 0.5, degree: 3, coef0: 1.0 });
        }),
        ("dual--kernel-sum-one-place-off", "hinge-rbf-free", |c| c.dual[1] = c.dual[1].next_up()),
        ("lower--kernel-dual-shrunk", "squared-hinge-rbf-one-vs-rest", |c| c.dual.iter_mut().for_each(|a| *a *= 0.99)),
        ("upper--kernel-coefficient-grown", "epsilon-polynomial-penalized", |c| c.model.weights[0] *= 1.01),
        ("problem--other-parameter", "quantile-free", |c| c.claim.recipe.loss = Loss::Quantile(0.5)),
        ("data--parameter-out-of-range", "epsilon-free", |c| c.claim.recipe.loss = Loss::Epsilon(-1.0)),
        ("dual--beyond-the-quantile", "quantile-free", |c| c.dual[0] = 0.9f64.next_up()),
        ("dual--beyond-delta", "huber-free", |c| c.dual[0] = (c.dual[0].signum() * 0.7) * (1.0 + f64::EPSILON)),
        ("problem--other-delta", "huber-free", |c| c.claim.recipe.loss = Loss::Huber(0.8)),
        ("dual--beyond-the-target", "poisson-l1-none", |c| c.dual[0] = 2.0f64.next_up()),
        ("ending--not-attained-with-counts", "poisson-free", |c| {
            (c.claim.ending, c.claim.lower) = (Ending::NotAttained, 0.0);
        }),
        ("problem--other-hash", "logistic-free", |c| c.claim.problem_sha256 = "0".repeat(64)),
        ("problem--other-loss", "logistic-free", |c| c.claim.recipe.loss = Loss::Hinge),
        ("problem--other-target", "hinge-free", |c| c.claim.recipe.target = "b".into()),
        ("problem--other-split", "lasso-split", |c| c.claim.recipe.split.as_mut().expect("a split").seed = 4),
        ("problem--other-share", "logistic-share", |c| c.claim.recipe.subset = share(c, 0, 6)),
        ("problem--no-share", "logistic-share", |c| c.claim.recipe.subset = None),
        ("data--share-beyond-the-rows", "logistic-share", |c| c.claim.recipe.subset = share(c, 1_000, 5)),
        ("problem--lambda", "softmax-l1", |c| c.claim.lambda1 *= 0.5),
        ("data--task", "hinge-free", |c| c.claim.recipe.task = Task::Regression),
        ("data--no-column", "hinge-free", |c| c.claim.recipe.target = "z".into()),
        ("model--not-a-number", "squared-free", |c| c.model.weights[0] = f64::NAN),
        ("model--forbidden-intercept", "hinge-l1-none", |c| c.model.intercepts[0] = 0.5),
        ("dual--outside-the-box", "hinge-free", |c| c.dual[0] = 1.5),
        ("dual--sum-one-place-off", "hinge-free", |c| c.dual[1] = c.dual[1].next_up()),
        ("dual--row-sum", "softmax-standardized", |c| c.dual[0] *= 0.5),
        ("dual--l1-constraint", "logistic-l1-penalized", |c| c.dual.iter_mut().for_each(|a| *a *= 1.001)),
        ("lower--claimed-too-high", "squared-free", |c| c.claim.lower = c.claim.upper.next_up()),
        ("upper--claimed-too-low", "logistic-free", |c| c.claim.upper *= 1.0 - 1e-6),
        ("ending--not-attained-with-penalty", "logistic-free", |c| c.claim.ending = Ending::NotAttained),
    ];
    let target = folder("invalid_certificates");
    for (name, from, change) in changes {
        let mut certificate = valid(from);
        change(&mut certificate);
        std::fs::write(target.join(format!("{name}.safetensors")), certificate.to_bytes().expect("bytes"))
            .expect("written");
    }
    let bytes = valid("logistic-free").to_bytes().expect("bytes");
    std::fs::write(target.join("container--truncated.safetensors"), &bytes[..bytes.len() - 3]).expect("written");
    let mut flipped = bytes;
    let last = flipped.len() - 40;
    flipped[last] ^= 1;
    std::fs::write(target.join("container--flipped-bit.safetensors"), flipped).expect("written");
}
