//! Certificates of rung 5 about files, and every way to spoil them: nothing false is accepted, nothing panics. With the variable `MAKE_GOLDEN` set
//! the golden ones, which `golden.rs` runs through the binary, are written anew.

mod deep_oracle;
mod relu_oracle;

use std::path::{Path, PathBuf};

use deep_oracle::{by_norms, certificate, descend, intercept, objective, plane, singles, slopes};
use infimum_check::{Refusal, Step, Verdict, check_deep, check_deep_problem};
use infimum_data::{Loaded, Request, load};
use infimum_problem::deep::{
    Activation, Architecture, DeepCertificate, DeepWitness, Evaluation, Layer, Padding, Plane, Scaling, buffers,
    parameters,
};
use infimum_problem::{Ending, Intercept, Kernel, Loss, Split, Strength, Target, Task, Witness, kind_of};
use relu_oracle::{Random, witnesses};

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name)
}

fn data(file: &str) -> String {
    folder("golden").join(file).to_string_lossy().into_owned()
}

/// The problem of a file of `golden/`.
fn loaded(file: &str, loss: Loss, bias: Intercept, l2: f64) -> Loaded {
    let task = if loss.is_classification() { Task::Classification } else { Task::Regression };
    let several = file == "labels.csv";
    let request = Request {
        target: Some(if several { "red" } else { "y" }.into()),
        more_targets: several.then(|| "round".to_string()).into_iter().collect(),
        loss: Some(loss),
        task: Some(task),
        intercept: Some(bias),
        strength: Some(Strength::PerExample { l1: 0.0, l2 }),
        ..Request::default()
    };
    load(&data(file), &request).expect("loads")
}

/// α and scales of a network's slopes, in the domain of the loss.
fn near(loaded: &Loaded, architecture: &Architecture, theta: &[f64], running: &[f64]) -> Vec<f32> {
    let problem = &loaded.problem;
    let slopes = slopes(problem, architecture, theta, running);
    let mut alpha: Vec<f64> = slopes.iter().map(|a| (a * 4096.0).trunc() / 4096.0).collect();
    if let (Loss::Softmax, Target::Class { classes, .. }) = (problem.objective.loss, &problem.data.target) {
        for (row, &own) in alpha.chunks_exact_mut(problem.outputs()).zip(classes) {
            row[own as usize] = 0.0;
            row[own as usize] = -row.iter().sum::<f64>();
        }
    }
    singles(&alpha)
}

type Prove = fn(&[f64], usize, &[f64], &mut Random) -> Witness;

/// A certificate of what a descent and simple witnesses prove about a file; its claims are what the checker proves.
fn made(file: &str, loss: Loss, l2: f64, architecture: &Architecture, prove: Option<Prove>) -> DeepCertificate {
    let mut random = Random(13);
    let loaded = loaded(file, loss, intercept(architecture), l2);
    let problem = &loaded.problem;
    let count = |list: Result<Vec<infimum_problem::deep::Parameter>, String>| {
        list.expect("fits").last().map_or(0, |last| last.range.end)
    };
    let running: Vec<f64> = (0..count(buffers(architecture))).map(|i| f64::from(0.5f32 + 0.25 * i as f32)).collect();
    let mut theta: Vec<f64> = (0..count(parameters(architecture))).map(|_| random.normal()).collect();
    descend(|theta| objective(problem, architecture, theta, &running), &mut theta, 200);
    let planes = prove.map(|mut prove| {
        let dual = near(&loaded, architecture, &theta, &running);
        plane(problem, architecture, dual, vec![0.25, 0.5, 1.0], |p| [0.5, 0.75, 0.25][p % 3], &mut prove, &mut random)
    });
    let witness = DeepWitness { planes: planes.into_iter().collect() };
    finished(&loaded, file, architecture, &theta, &running, witness)
}

fn finished(
    loaded: &Loaded,
    file: &str,
    architecture: &Architecture,
    theta: &[f64],
    running: &[f64],
    witness: DeepWitness,
) -> DeepCertificate {
    let mut certificate = certificate(&loaded.problem, architecture, singles(theta), singles(running), witness);
    let claim = &mut certificate.claim;
    claim.source = loaded.source.clone();
    claim.source.path = file.into();
    (claim.recipe, claim.problem_sha256) = (loaded.recipe.clone(), loaded.problem_sha256.clone());
    let (upper, kind) =
        infimum_check::deep_upper(&loaded.problem, architecture, &certificate.parameters, &certificate.buffers)
            .expect("fits");
    (certificate.claim.upper, certificate.claim.evaluation) = (upper, kind);
    let verdict = check_deep_problem(&loaded.problem, &certificate).expect("verified");
    (certificate.claim.lower, certificate.claim.upper) = (verdict.lower, verdict.upper);
    certificate
}

fn cones(points: &[f64], d: usize, w: &[f64], random: &mut Random) -> Witness {
    witnesses::cones(points, d, w, 40, None, random)
}

fn function(function: Activation) -> Layer {
    Layer::Activation { function }
}

/// The golden certificates.
fn valid() -> Vec<(&'static str, DeepCertificate)> {
    let convolution =
        |channels, kernel| Layer::Convolution { channels, kernel, stride: 1, padding: Padding::Same, bias: true };
    let image = Architecture {
        input: vec![2, 2, 1],
        scaling: Scaling { shift: vec![0.25], scale: vec![0.5] },
        layers: vec![
            convolution(2, [3, 3]),
            function(Activation::LeakyRelu),
            Layer::MaxPooling { size: 2, stride: 1 },
            Layer::Flatten,
            Layer::Dense { units: 1, bias: true },
        ],
    };
    let normalized = Architecture {
        input: vec![2],
        scaling: Scaling::default(),
        layers: vec![
            Layer::Dense { units: 3, bias: false },
            Layer::BatchNormalization { epsilon: 1e-5, momentum: 0.1 },
            function(Activation::Relu),
            Layer::Residual { body: vec![Layer::Dense { units: 3, bias: true }], shortcut: vec![] },
            Layer::Dense { units: 1, bias: false },
        ],
    };
    // Rows 1 and 7 of two.csv are equal and have different classes.
    let mut conflicts = made("two.csv", Loss::Logistic, 0.001, &normalized, None);
    let mut dual = vec![0.0f32; 7];
    (dual[0], dual[6]) = (0.5, -0.5);
    conflicts.witness.planes.push(Plane { dual, scales: vec![1.0], outputs: vec![] });
    let problem = loaded("two.csv", Loss::Logistic, Intercept::None, 0.001).problem;
    conflicts.claim.lower = check_deep_problem(&problem, &conflicts).expect("verified").lower;
    let zero = Architecture::dense(2, &[3, 3], 1, Activation::Relu, false, false);
    let strong = loaded("two.csv", Loss::Hinge, Intercept::None, 100.0);
    let count = parameters(&zero).expect("fits").last().expect("one").range.end;
    let dual = near(&strong, &zero, &vec![0.0; count], &[]);
    let one = plane(&strong.problem, &zero, dual, vec![1.0], |_| 1.0, &mut by_norms, &mut Random(1));
    let mut optimal = finished(&strong, "two.csv", &zero, &vec![0.0; count], &[], DeepWitness { planes: vec![one] });
    (optimal.claim.ending, optimal.claim.gap) = (Ending::Optimal, 1e-2);
    let tanh = Architecture::dense(4, &[2], 1, Activation::Tanh, true, true);
    vec![
        (
            "deep-two-layers",
            made(
                "two.csv",
                Loss::Logistic,
                0.1,
                &Architecture::dense(2, &[3], 1, Activation::Relu, false, false),
                Some(cones),
            ),
        ),
        (
            "deep-biases",
            made(
                "two.csv",
                Loss::SquaredHinge,
                0.1,
                &Architecture::dense(2, &[3, 2], 1, Activation::Relu, true, true),
                Some(cones),
            ),
        ),
        (
            "deep-softmax-moments",
            made(
                "classes.csv",
                Loss::Softmax,
                0.1,
                &Architecture::dense(6, &[2, 2, 2], 3, Activation::Relu, true, false),
                Some(witnesses::moments),
            ),
        ),
        (
            "deep-labels",
            made(
                "labels.csv",
                Loss::Logistic,
                0.05,
                &Architecture::dense(2, &[3], 2, Activation::Relu, true, true),
                Some(cones),
            ),
        ),
        ("deep-convolution", made("flat.csv", Loss::Hinge, 0.1, &image, None)),
        ("deep-conflicts", conflicts),
        ("deep-optimal", optimal),
        ("deep-evaluated", made("flat.csv", Loss::Logistic, 0.1, &tanh, None)),
    ]
}

/// What the checker says of a certificate as bytes; what cannot be written is refused as a container.
fn checked(certificate: &DeepCertificate) -> Result<Verdict, Refusal> {
    match certificate.to_bytes() {
        Ok(bytes) => check_deep(&bytes, &data(&certificate.claim.source.path)),
        Err(error) => Err(Refusal { step: Step::Container, reason: error.to_string() }),
    }
}

type Change = (&'static str, &'static str, fn(&mut DeepCertificate));

const TWO: &str = "deep-two-layers";
const BIASES: &str = "deep-biases";
const CONFLICTS: &str = "deep-conflicts";
const LABELS: &str = "deep-labels";

fn plane_of(certificate: &mut DeepCertificate) -> &mut Plane {
    &mut certificate.witness.planes[0]
}

/// The step that refuses and a name, the valid certificate, and what is changed: every field of claim, network, α and witnesses.
const CHANGES: [Change; 73] = [
    ("container--deep-version", TWO, |c| c.claim.version = 2),
    ("container--deep-kind", TWO, |c| c.claim.kind = "relu".into()),
    ("container--deep-rows", TWO, |c| c.claim.rows += 1),
    ("container--deep-outputs", TWO, |c| c.claim.outputs += 1),
    ("problem--deep-columns", TWO, |c| c.claim.columns += 1),
    ("container--deep-lower-nan", TWO, |c| c.claim.lower = f64::NAN),
    ("container--deep-wider", TWO, |c| {
        c.claim.architecture.layers[0] = Layer::Dense { units: 4, bias: false };
    }),
    ("container--deep-shapes", TWO, |c| c.claim.architecture.layers.push(Layer::MaxPooling { size: 1, stride: 1 })),
    ("container--deep-huge", TWO, |c| c.claim.architecture.input = vec![usize::MAX, 2]),
    ("container--deep-scaling-length", TWO, |c| c.claim.architecture.scaling.scale = vec![1.0; 3]),
    ("container--deep-parameters-fewer", TWO, |c| c.parameters.truncate(3)),
    ("container--deep-buffers-more", TWO, |c| c.buffers.push(1.0)),
    ("container--deep-dual-shorter", TWO, |c| plane_of(c).dual.truncate(3)),
    ("data--deep-target", TWO, |c| c.claim.recipe.target = "z".into()),
    ("problem--deep-hash", TWO, |c| c.claim.problem_sha256 = "0".repeat(64)),
    ("problem--deep-split", TWO, |c| c.claim.recipe.split = Some(Split { fraction: 0.5, seed: 0 })),
    ("problem--deep-loss", TWO, |c| c.claim.recipe.loss = Loss::Hinge),
    ("problem--deep-intercept", TWO, |c| c.claim.recipe.intercept = Intercept::Penalized),
    ("problem--deep-free-intercept", BIASES, |c| c.claim.recipe.intercept = Intercept::Free),
    ("problem--deep-strength", TWO, |c| c.claim.recipe.strength = Strength::C(2.0)),
    ("problem--deep-l1", TWO, |c| c.claim.recipe.strength = Strength::PerExample { l1: 0.1, l2: 0.1 }),
    ("problem--deep-kernel", TWO, |c| c.claim.recipe.kernel = Some(Kernel::Rbf { gamma: 1.0 })),
    ("data--deep-standardized", TWO, |c| c.claim.recipe.standardize = true),
    ("problem--deep-lambda2", TWO, |c| c.claim.lambda2 *= 2.0),
    ("problem--deep-total-weight", TWO, |c| c.claim.total_weight *= 2.0),
    ("problem--deep-no-output-bias", "deep-evaluated", |c| {
        c.claim.architecture.layers[2] = Layer::Dense { units: 1, bias: false };
        c.parameters.truncate(12);
    }),
    ("upper--deep-activation", "deep-convolution", |c| {
        c.claim.architecture.layers[1] = function(Activation::Gelu);
    }),
    ("bound--deep-leaky", TWO, |c| c.claim.architecture.layers[1] = function(Activation::LeakyRelu)),
    ("bound--deep-scaling", TWO, |c| c.claim.architecture.scaling.scale = vec![1.5]),
    ("bound--deep-biases-dropped", BIASES, |c| {
        for layer in &mut c.claim.architecture.layers {
            if let Layer::Dense { bias, units } = layer
                && *units != 1
            {
                *bias = false;
            }
        }
        c.parameters.truncate(15);
        plane_of(c).outputs[0][0].whole.bound *= 0.5;
    }),
    ("model--deep-parameter-nan", TWO, |c| c.parameters[0] = f32::NAN),
    ("model--deep-parameter-infinite", TWO, |c| c.parameters[8] = f32::NEG_INFINITY),
    ("model--deep-mean-nan", CONFLICTS, |c| c.buffers[0] = f32::NAN),
    ("model--deep-variance-negative", CONFLICTS, |c| c.buffers[3] = -1.0),
    ("upper--deep-parameter", TWO, |c| c.parameters[0] += 0.5),
    ("upper--deep-parameter-evaluated", "deep-evaluated", |c| c.parameters[0] += 0.5),
    ("upper--deep-variance", CONFLICTS, |c| c.buffers[3] = 0.0),
    ("dual--deep-nan", TWO, |c| plane_of(c).dual[0] = f32::NAN),
    ("dual--deep-sign", TWO, |c| plane_of(c).dual[0] *= -1.0),
    ("dual--deep-scale-outside", TWO, |c| plane_of(c).scales.push(1e6)),
    ("dual--deep-scale-zero", TWO, |c| plane_of(c).scales[0] = 0.0),
    ("dual--deep-scale-nan", TWO, |c| plane_of(c).scales[0] = f32::NAN),
    ("dual--deep-scale-negative", TWO, |c| plane_of(c).scales[0] *= -1.0),
    ("dual--deep-no-scale", TWO, |c| plane_of(c).scales.clear()),
    ("dual--deep-no-conflict", CONFLICTS, |c| plane_of(c).dual[6] = -0.25),
    ("dual--deep-no-witness", TWO, |c| plane_of(c).outputs.clear()),
    ("bound--deep-longer-dual", BIASES, |c| plane_of(c).dual.iter_mut().for_each(|a| *a *= 1.1)),
    ("bound--deep-swapped", TWO, |c| plane_of(c).outputs[0].swap(0, 1)),
    ("bound--deep-whole", TWO, |c| plane_of(c).outputs[0][0].whole.bound *= 1.0 - 1e-6),
    ("bound--deep-whole-nan", TWO, |c| plane_of(c).outputs[0][0].whole.bound = f64::NAN),
    ("bound--deep-rest", BIASES, |c| {
        plane_of(c).outputs[0][1].rest.as_mut().expect("a rest").bound *= 1.0 - 1e-6;
    }),
    ("bound--deep-no-rest", BIASES, |c| plane_of(c).outputs[0][1].rest = None),
    ("bound--deep-slope-smaller", BIASES, |c| plane_of(c).outputs[0][0].slopes.fill(0.0)),
    ("bound--deep-slopes-of-one", BIASES, |c| plane_of(c).outputs[0][1].slopes.clear()),
    ("bound--deep-slope-larger", BIASES, |c| plane_of(c).outputs[0][0].slopes[1] = 1.5),
    ("bound--deep-slope-fewer", BIASES, |c| plane_of(c).outputs[0][0].slopes.truncate(2)),
    ("bound--deep-slope-nan", BIASES, |c| plane_of(c).outputs[0][0].slopes[0] = f32::NAN),
    ("bound--deep-slopes-of-two-layers", TWO, |c| plane_of(c).outputs[0][0].slopes = vec![1.0; 6]),
    ("bound--deep-rest-of-two-layers", TWO, |c| {
        plane_of(c).outputs[0][0].rest = Some(plane_of(c).outputs[0][0].whole.clone());
    }),
    ("bound--deep-more-outputs", TWO, |c| {
        let more = plane_of(c).outputs[0].clone();
        plane_of(c).outputs.push(more);
    }),
    ("problem--deep-labels-swapped", LABELS, |c| {
        std::mem::swap(&mut c.claim.recipe.target, &mut c.claim.recipe.more_targets[0]);
    }),
    ("problem--deep-labels-fewer", LABELS, |c| c.claim.recipe.more_targets.clear()),
    ("problem--deep-labels-numbers", LABELS, |c| {
        (c.claim.recipe.task, c.claim.recipe.loss) = (Task::Regression, Loss::Squared);
    }),
    ("problem--deep-labels-loss", LABELS, |c| c.claim.recipe.loss = Loss::Hinge),
    ("data--deep-labels-twice", LABELS, |c| c.claim.recipe.more_targets[0] = "red".into()),
    ("data--deep-labels-softmax", LABELS, |c| c.claim.recipe.loss = Loss::Softmax),
    ("dual--deep-labels-sign", LABELS, |c| plane_of(c).dual[1] *= -1.0),
    ("bound--deep-labels-witnesses", LABELS, |c| plane_of(c).outputs.swap(0, 1)),
    ("lower--deep-too-high", TWO, |c| c.claim.lower = c.claim.lower.next_up()),
    ("lower--deep-without-plane", TWO, |c| c.witness.planes.clear()),
    ("lower--deep-conflicts-too-high", CONFLICTS, |c| c.claim.lower *= 1.0 + 1e-12),
    ("upper--deep-too-low", TWO, |c| c.claim.upper = c.claim.upper.next_down()),
    ("upper--deep-evaluated-is-not-proven", "deep-evaluated", |c| c.claim.evaluation = Evaluation::Proven),
];

/// Endings and gaps that claim what is not so.
const ENDINGS: [Change; 6] = [
    ("ending--deep-optimal", TWO, |c| c.claim.ending = Ending::Optimal),
    ("ending--deep-not-attained", TWO, |c| c.claim.ending = Ending::NotAttained),
    ("ending--deep-infeasible", TWO, |c| c.claim.ending = Ending::Infeasible),
    ("ending--deep-negative-gap", TWO, |c| c.claim.gap = -1.0),
    ("ending--deep-negative-abs-gap", TWO, |c| c.claim.abs_gap = -1.0),
    ("ending--deep-optimal-evaluated", "deep-evaluated", |c| (c.claim.ending, c.claim.gap) = (Ending::Optimal, 1.0)),
];

/// Those of the changed certificates that are kept as golden ones.
const GOLDEN: [&str; 20] = [
    "container--deep-wider",
    "container--deep-parameters-fewer",
    "data--deep-target",
    "problem--deep-hash",
    "problem--deep-no-output-bias",
    "model--deep-parameter-nan",
    "model--deep-variance-negative",
    "dual--deep-sign",
    "dual--deep-no-conflict",
    "bound--deep-leaky",
    "bound--deep-scaling",
    "bound--deep-rest",
    "bound--deep-slope-smaller",
    "problem--deep-labels-swapped",
    "bound--deep-labels-witnesses",
    "lower--deep-too-high",
    "lower--deep-without-plane",
    "upper--deep-parameter",
    "upper--deep-evaluated-is-not-proven",
    "ending--deep-optimal-evaluated",
];

#[test]
fn valid_certificates_are_verified_and_their_claims_are_words() {
    for (name, certificate) in valid() {
        let bytes = certificate.to_bytes().expect("bytes");
        assert_eq!(kind_of(&bytes).expect("a kind"), "deep");
        let verdict =
            check_deep(&bytes, &data(&certificate.claim.source.path)).unwrap_or_else(|why| panic!("{name}: {why}"));
        assert!(verdict.lower > 0.0 && verdict.lower == certificate.claim.lower, "{name}: {}", verdict.lower);
        assert!(verdict.lower <= verdict.upper && verdict.upper == certificate.claim.upper, "{name}");
        let is_proven = certificate.claim.evaluation == Evaluation::Proven;
        let upper = if is_proven { "attains at most" } else { "evaluated in doubles, not proven" };
        let words = ["No network of this architecture", "λ2 = ", "dense ", "parameters. Objective", upper];
        assert!(words.iter().all(|word| verdict.claim.contains(word)), "{name}: {}", verdict.claim);
        if std::env::var_os("MAKE_GOLDEN").is_some() {
            std::fs::write(folder("valid_certificates").join(format!("{name}.safetensors")), bytes).expect("written");
        }
    }
}

#[test]
fn every_field_changed_is_refused_at_its_step() {
    let (valid, mut wrong) = (valid(), Vec::new());
    for (name, from, change) in CHANGES.into_iter().chain(ENDINGS) {
        let mut certificate = valid.iter().find(|entry| entry.0 == from).expect("a name").1.clone();
        change(&mut certificate);
        let step = name.split("--").next().expect("a step");
        match checked(&certificate) {
            Err(refusal) if refusal.step.to_string() == step => {}
            other => wrong.push(format!("{name}: {other:?}")),
        }
        let golden = std::env::var_os("MAKE_GOLDEN").is_some() && GOLDEN.contains(&name);
        if let (true, Ok(bytes)) = (golden, certificate.to_bytes()) {
            std::fs::write(folder("invalid_certificates").join(format!("{name}.safetensors")), bytes).expect("written");
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn damaged_bytes_are_refused() {
    let certificate = &valid()[0].1;
    let bytes = certificate.to_bytes().expect("bytes");
    let source = data(&certificate.claim.source.path);
    for place in 0..bytes.len() {
        let refusal = check_deep(&bytes[..place], &source).expect_err("cut");
        assert_eq!(refusal.step, Step::Container, "cut at {place}");
        let mut damaged = bytes.clone();
        damaged[place] ^= 0x10;
        assert!(check_deep(&damaged, &source).is_err(), "changed at {place}");
    }
}
