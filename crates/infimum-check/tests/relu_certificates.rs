//! Certificates of rung 4 about files, and every way to spoil them: nothing false is accepted, nothing panics. With the variable `MAKE_GOLDEN` set
//! the golden ones, which `golden.rs` runs through the binary, are written anew.

mod relu_oracle;

use std::path::{Path, PathBuf};

use infimum_check::{Refusal, Step, Verdict, check_relu, check_relu_problem};
use infimum_data::{Loaded, Request, load};
use infimum_problem::{
    Basis, BoundProof, Cluster, Clusters, ConeNode, Cones, Ending, HiddenBias, Intercept, Kernel, Loss, Moments,
    Problem, ReluCertificate, ReluNet, Row, Split, Strength, Task, Witness, kind_of,
};
use relu_oracle::networks::{self, certificate, descend, network};
use relu_oracle::{Random, merged, witnesses};

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name)
}

fn data(file: &str) -> String {
    folder("golden").join(file).to_string_lossy().into_owned()
}

/// The problem of a file of `golden/`.
fn loaded(file: &str, loss: Loss, bias: Intercept, l2: f64) -> Loaded {
    let task = if loss.is_classification() { Task::Classification } else { Task::Regression };
    let request = Request {
        target: Some("y".into()),
        loss: Some(loss),
        task: Some(task),
        intercept: Some(bias),
        strength: Some(Strength::PerExample { l1: 0.0, l2 }),
        ..Request::default()
    };
    load(&data(file), &request).expect("loads")
}

/// The rows with a 1 behind them, if there is one.
fn rows(problem: &Problem, constant: bool) -> Vec<f64> {
    let mut rows = Vec::new();
    for i in 0..problem.data.rows() {
        match problem.data.matrix.row(i) {
            Row::Dense(values) => rows.extend(values.iter()),
            Row::Sparse(..) => unreachable!("dense files"),
        }
        rows.extend(constant.then_some(1.0));
    }
    rows
}

/// A certificate of what a descent and a simple witness prove about a file; its claims are what the checker proves.
fn made(
    file: &str,
    loss: Loss,
    hidden: HiddenBias,
    bias: Intercept,
    l2: f64,
    witness: impl Fn(&[f64], usize, &[f64], &mut Random) -> Witness,
) -> ReluCertificate {
    let mut random = Random(11);
    let loaded = loaded(file, loss, bias, l2);
    let problem = &loaded.problem;
    let (outputs, constant) = (problem.outputs(), hidden == HiddenBias::Penalized);
    let d = problem.data.columns() + usize::from(constant);
    let mut net = network(problem.data.columns(), outputs, 4, hidden, bias, &mut random);
    descend(problem, &mut net, hidden, 400);
    let near = networks::dual(problem, &net);
    let rows = rows(problem, constant);
    let mut factor = 1.0;
    let (dual, pairs) = loop {
        let mut dual: Vec<f64> = near.iter().map(|a| (a * factor * 4096.0).trunc() / 4096.0).collect();
        if loss == Loss::Softmax {
            for row in dual.chunks_exact_mut(outputs) {
                let own = (0..outputs).max_by(|&a, &b| row[a].total_cmp(&row[b])).expect("outputs");
                row[own] = 0.0;
                row[own] = -row.iter().sum::<f64>();
            }
        }
        let pairs: Vec<Witness> = (0..outputs)
            .flat_map(|k| {
                let own: Vec<f64> = dual.iter().skip(k).step_by(outputs).copied().collect();
                let (points, w) = merged(&rows, d, &own);
                let opposite: Vec<f64> = w.iter().map(|w| -w).collect();
                [witness(&points, d, &w, &mut random), witness(&points, d, &opposite, &mut random)]
            })
            .collect();
        let size = pairs.chunks_exact(2).map(|pair| pair[0].bound.max(pair[1].bound).powi(2)).sum::<f64>().sqrt();
        if size <= problem.objective.lambda2 * (1.0 - 1e-12) {
            break (dual, pairs);
        }
        factor *= (problem.objective.lambda2 / size).min(0.999);
    };
    let mut certificate = certificate(problem, hidden, net, dual, pairs);
    certificate.claim.source = loaded.source.clone();
    certificate.claim.source.path = file.into();
    (certificate.claim.recipe, certificate.claim.problem_sha256) =
        (loaded.recipe.clone(), loaded.problem_sha256.clone());
    let verdict = check_relu_problem(problem, &certificate).expect("verified");
    (certificate.claim.lower, certificate.claim.upper) = (verdict.lower, verdict.upper);
    certificate
}

/// Moments of all kinds; with g.
fn moments_with_g(points: &[f64], d: usize, w: &[f64], random: &mut Random) -> Witness {
    loop {
        let witness = witnesses::moments(points, d, w, random);
        if matches!(&witness.proof, BoundProof::Moments(Moments { g, .. }) if !g.is_empty()) {
            return witness;
        }
    }
}

/// More than one cluster, of which the first has more than one row.
fn clusters_of_more_rows(points: &[f64], d: usize, w: &[f64], random: &mut Random) -> Witness {
    loop {
        let witness = witnesses::clusters(points, d, w, random);
        if matches!(&witness.proof, BoundProof::Clusters(proof) if proof.clusters.len() > 1 && proof.clusters[0].rows.len() > 1)
        {
            return witness;
        }
    }
}

/// `a, b` span the rows of flat.csv: c = 2 a + b, d = 0, and there is a constant behind them.
fn flat_basis() -> Basis {
    let coefficients = [1.0, 0.0, 2.0, 0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0];
    Basis { columns: vec![0, 1, 4], coefficients: coefficients.to_vec() }
}

/// The golden certificates.
fn valid() -> Vec<(&'static str, ReluCertificate)> {
    let (penalized, none) = (HiddenBias::Penalized, HiddenBias::None);
    let cones =
        |points: &[f64], d: usize, w: &[f64], random: &mut Random| witnesses::cones(points, d, w, 40, None, random);
    let flat = |points: &[f64], d: usize, w: &[f64], random: &mut Random| {
        witnesses::cones(points, d, w, 40, Some(flat_basis()), random)
    };
    let norms = |points: &[f64], d: usize, w: &[f64], _: &mut Random| witnesses::norms(points, d, w);
    // Beyond the largest useful β a constant network is optimal.
    let mut constant = made("flat.csv", Loss::Hinge, none, Intercept::None, 8.0, norms);
    constant.net = ReluNet::constant(4, vec![0.0]);
    constant.claim.width = 0;
    constant.dual = vec![1.0, -1.0, 1.0, -1.0, 1.0, -1.0, -1.0, 1.0];
    (constant.claim.lower, constant.claim.upper) = (8.0 - 1e-14, 8.0 + 1e-14);
    (constant.claim.gap, constant.claim.ending) = (1e-14, Ending::Optimal);
    for (k, witness) in constant.witnesses.iter_mut().enumerate() {
        let w: Vec<f64> = constant.dual.iter().map(|a| if k == 0 { *a } else { -a }).collect();
        let problem = loaded("flat.csv", Loss::Hinge, Intercept::None, 8.0).problem;
        let (points, w) = merged(&rows(&problem, false), 4, &w);
        *witness = witnesses::norms(&points, 4, &w);
    }
    vec![
        ("relu-constant", constant),
        (
            "relu-squared-moments",
            made("numbers.csv", Loss::Squared, penalized, Intercept::Penalized, 0.2, moments_with_g),
        ),
        (
            "relu-squared-clusters",
            made("numbers.csv", Loss::Squared, penalized, Intercept::Penalized, 0.2, clusters_of_more_rows),
        ),
        ("relu-logistic-cones", made("two.csv", Loss::Logistic, none, Intercept::None, 0.1, cones)),
        ("relu-hinge-basis", made("flat.csv", Loss::Hinge, penalized, Intercept::Penalized, 0.3, flat)),
        (
            "relu-softmax-moments",
            made("classes.csv", Loss::Softmax, none, Intercept::Penalized, 0.2, witnesses::moments),
        ),
        ("relu-huber-cones", made("numbers.csv", Loss::Huber(0.7), none, Intercept::None, 0.1, cones)),
    ]
}

/// What the checker says of a certificate as bytes; what cannot be written is refused as a container.
fn checked(certificate: &ReluCertificate) -> Result<Verdict, Refusal> {
    match certificate.to_bytes() {
        Ok(bytes) => check_relu(&bytes, &data(&certificate.claim.source.path)),
        Err(error) => Err(Refusal { step: Step::Container, reason: error.to_string() }),
    }
}

fn moments_of(certificate: &mut ReluCertificate) -> &mut Moments {
    certificate
        .witnesses
        .iter_mut()
        .find_map(|witness| match &mut witness.proof {
            BoundProof::Moments(moments) => Some(moments),
            _ => None,
        })
        .expect("moments")
}

fn clusters_of(certificate: &mut ReluCertificate) -> &mut Clusters {
    match &mut certificate.witnesses[0].proof {
        BoundProof::Clusters(clusters) => clusters,
        _ => panic!("clusters"),
    }
}

fn cluster_of(certificate: &mut ReluCertificate) -> &mut Cluster {
    &mut clusters_of(certificate).clusters[0]
}

fn cones_of(certificate: &mut ReluCertificate) -> &mut Cones {
    certificate
        .witnesses
        .iter_mut()
        .find_map(|witness| match &mut witness.proof {
            BoundProof::Cones(cones) => Some(cones),
            _ => None,
        })
        .expect("cones")
}

/// The first split of the first tree.
fn split_of(certificate: &mut ReluCertificate) -> (&mut u8, &mut u8, &mut (f64, f64)) {
    cones_of(certificate)
        .nodes
        .iter_mut()
        .find_map(|node| match node {
            ConeNode::Split { from, to, weights } => Some((from, to, weights)),
            ConeNode::Leaf { .. } => None,
        })
        .expect("a split")
}

/// The leaf of the first tree whose q is longest, and its slopes.
fn leaf_of(certificate: &mut ReluCertificate) -> (&mut Vec<f64>, &mut Vec<(u32, u8)>) {
    let size = |q: &[f64]| q.iter().map(|q| q * q).sum::<f64>();
    let leaves = cones_of(certificate).nodes.iter_mut().filter_map(|node| match node {
        ConeNode::Leaf { q, slopes } => Some((q, slopes)),
        ConeNode::Split { .. } => None,
    });
    leaves.max_by(|a, b| size(a.0).total_cmp(&size(b.0))).expect("a leaf")
}

fn shorten<T>(values: &mut Vec<T>) {
    values.truncate(values.len() - 1);
}

type Change = (&'static str, &'static str, fn(&mut ReluCertificate));

const MOMENTS: &str = "relu-squared-moments";
const CLUSTERS: &str = "relu-squared-clusters";
const CONES: &str = "relu-logistic-cones";
const BASIS: &str = "relu-hinge-basis";

/// The step that refuses and a name, the valid certificate, and what is changed: every field of claim, network, α and witnesses.
const CHANGES: [Change; 121] = [
    ("container--relu-version", MOMENTS, |c| c.claim.version = 2),
    ("container--relu-kind", MOMENTS, |c| c.claim.kind = "convex".into()),
    ("container--relu-width", MOMENTS, |c| c.claim.width += 1),
    ("container--relu-huge-width", MOMENTS, |c| c.claim.width = usize::MAX),
    ("container--relu-rows", MOMENTS, |c| c.claim.rows += 1),
    ("container--relu-columns", MOMENTS, |c| c.claim.columns += 1),
    ("container--relu-outputs", MOMENTS, |c| c.claim.outputs += 1),
    ("container--relu-lower-nan", MOMENTS, |c| c.claim.lower = f64::NAN),
    ("data--relu-target", MOMENTS, |c| c.claim.recipe.target = "z".into()),
    ("data--relu-standardized-without-free-bias", MOMENTS, |c| c.claim.recipe.standardize = true),
    ("problem--relu-hash", MOMENTS, |c| c.claim.problem_sha256 = "0".repeat(64)),
    ("problem--relu-split", MOMENTS, |c| c.claim.recipe.split = Some(Split { fraction: 0.5, seed: 0 })),
    ("problem--relu-loss", MOMENTS, |c| c.claim.recipe.loss = Loss::Huber(1.0)),
    ("problem--relu-output-bias", MOMENTS, |c| c.claim.recipe.intercept = Intercept::None),
    ("problem--relu-strength", MOMENTS, |c| c.claim.recipe.strength = Strength::C(2.0)),
    ("problem--relu-l1", MOMENTS, |c| c.claim.recipe.strength = Strength::PerExample { l1: 0.1, l2: 0.2 }),
    ("problem--relu-kernel", MOMENTS, |c| c.claim.recipe.kernel = Some(Kernel::Rbf { gamma: 1.0 })),
    ("problem--relu-lambda2", MOMENTS, |c| c.claim.lambda2 *= 2.0),
    ("problem--relu-total-weight", MOMENTS, |c| c.claim.total_weight *= 2.0),
    ("bound--relu-no-hidden-bias", "relu-softmax-moments", |c| c.claim.hidden_bias = HiddenBias::Penalized),
    ("model--relu-hidden-bias", CONES, |c| c.net.hidden_biases[1] = 1e-300),
    ("model--relu-output-bias", CONES, |c| c.net.output_biases[0] = -1e-300),
    ("model--relu-hidden-nan", MOMENTS, |c| c.net.hidden[0] = f64::NAN),
    ("model--relu-hidden-bias-infinite", MOMENTS, |c| c.net.hidden_biases[0] = f64::INFINITY),
    ("model--relu-output-nan", MOMENTS, |c| c.net.output[0] = f64::NAN),
    ("model--relu-output-bias-nan", MOMENTS, |c| c.net.output_biases[0] = f64::NAN),
    ("dual--relu-nan", MOMENTS, |c| c.dual[0] = f64::NAN),
    ("dual--relu-outside", BASIS, |c| c.dual[0] = 1.0f64.next_up()),
    ("dual--relu-sign", CONES, |c| c.dual[0] = -c.dual[0]),
    ("bound--relu-longer-dual", MOMENTS, |c| c.dual.iter_mut().for_each(|a| *a *= 1.1)),
    ("bound--relu-swapped", CONES, |c| c.witnesses.swap(0, 1)),
    ("bound--relu-missing", MOMENTS, |c| c.witnesses.truncate(1)),
    ("bound--relu-one-more", MOMENTS, |c| c.witnesses.push(c.witnesses[0].clone())),
    ("bound--relu-above-lambda2", MOMENTS, |c| c.witnesses[0].bound = c.claim.lambda2.next_up()),
    ("bound--relu-together", "relu-softmax-moments", |c| {
        // Each bound is proven all the more and below λ2; both outputs together are not.
        let lambda2 = c.claim.lambda2;
        c.witnesses.iter_mut().for_each(|witness| witness.bound = 0.8 * lambda2);
    }),
    ("bound--relu-negative", "relu-constant", |c| c.witnesses[0].bound = -1.0),
    ("bound--relu-nan", "relu-constant", |c| c.witnesses[0].bound = f64::NAN),
    ("bound--relu-infinite", "relu-constant", |c| c.witnesses[0].bound = f64::INFINITY),
    ("bound--relu-norms", CONES, |c| c.witnesses[0].proof = BoundProof::Norms),
    ("bound--relu-norms-too-low", "relu-constant", |c| c.witnesses[1].bound *= 1.0 - 1e-6),
    ("bound--relu-moments-too-low", MOMENTS, |c| c.witnesses[0].bound *= 1.0 - 1e-6),
    ("bound--relu-tau-zero", MOMENTS, |c| moments_of(c).tau[0] = 0.0),
    ("bound--relu-tau-negative", MOMENTS, |c| moments_of(c).tau[0] *= -1.0),
    ("bound--relu-tau-nan", MOMENTS, |c| moments_of(c).tau[0] = f64::NAN),
    ("bound--relu-tau-infinite", MOMENTS, |c| moments_of(c).tau[0] = f64::INFINITY),
    ("bound--relu-tau-tiny", MOMENTS, |c| moments_of(c).tau.fill(5e-324)),
    ("bound--relu-tau-large", MOMENTS, |c| moments_of(c).tau.fill(1e300)),
    ("bound--relu-tau-fewer", MOMENTS, |c| shorten(&mut moments_of(c).tau)),
    ("bound--relu-sigma-fewer", MOMENTS, |c| shorten(&mut moments_of(c).sigma)),
    ("bound--relu-sigma-large", MOMENTS, |c| moments_of(c).sigma[1] += 100.0),
    ("bound--relu-sigma-nan", MOMENTS, |c| moments_of(c).sigma[1] = f64::NAN),
    ("bound--relu-g-fewer", MOMENTS, |c| shorten(&mut moments_of(c).g)),
    ("bound--relu-g-large", MOMENTS, |c| moments_of(c).g[0] = 1e30),
    ("bound--relu-g-infinite", MOMENTS, |c| moments_of(c).g[0] = f32::INFINITY),
    ("bound--relu-g-nan", MOMENTS, |c| moments_of(c).g[0] = f32::NAN),
    ("bound--relu-lambda-negative", MOMENTS, |c| moments_of(c).lambda *= -1.0),
    ("bound--relu-lambda-nan", MOMENTS, |c| moments_of(c).lambda = f64::NAN),
    ("bound--relu-lambda-small", MOMENTS, |c| moments_of(c).lambda *= 0.5),
    ("bound--relu-lambda-large", MOMENTS, |c| moments_of(c).lambda *= 2.0),
    ("bound--relu-s-small", MOMENTS, |c| moments_of(c).s *= 1.0 - 1e-3),
    ("bound--relu-s-negative", MOMENTS, |c| moments_of(c).s *= -1.0),
    ("bound--relu-s-infinite", MOMENTS, |c| moments_of(c).s = f64::INFINITY),
    ("bound--relu-clusters-too-low", CLUSTERS, |c| c.witnesses[0].bound *= 1.0 - 1e-6),
    ("bound--relu-clusters-dual", CLUSTERS, |c| c.dual.iter_mut().for_each(|a| *a *= 1.1)),
    ("bound--relu-cluster-row-twice", CLUSTERS, |c| cluster_of(c).rows[1] = cluster_of(c).rows[0]),
    ("bound--relu-cluster-row-of-another", CLUSTERS, |c| {
        let other = clusters_of(c).clusters[1].rows[0];
        cluster_of(c).rows[0] = other;
    }),
    ("bound--relu-cluster-row-missing", CLUSTERS, |c| cluster_of(c).rows[0] = 1_000),
    ("container--relu-cluster-fewer-rows", CLUSTERS, |c| shorten(&mut cluster_of(c).rows)),
    ("container--relu-cluster-empty", CLUSTERS, |c| cluster_of(c).rows.clear()),
    ("bound--relu-cluster-dropped", CLUSTERS, |c| shorten(&mut clusters_of(c).clusters)),
    ("bound--relu-theta-small", CLUSTERS, |c| cluster_of(c).theta[0] *= 0.1),
    ("bound--relu-theta-negative", CLUSTERS, |c| cluster_of(c).theta[0] *= -1.0),
    ("bound--relu-theta-large", CLUSTERS, |c| cluster_of(c).theta[0] *= 1e3),
    ("bound--relu-theta-nan", CLUSTERS, |c| cluster_of(c).theta[0] = f64::NAN),
    ("bound--relu-length-short", CLUSTERS, |c| cluster_of(c).lengths[1] = 0.0),
    ("bound--relu-length-long", CLUSTERS, |c| cluster_of(c).lengths[1] += 100.0),
    ("bound--relu-length-nan", CLUSTERS, |c| cluster_of(c).lengths[0] = f64::NAN),
    ("container--relu-lengths-fewer", CLUSTERS, |c| shorten(&mut cluster_of(c).lengths)),
    ("bound--relu-vector-long", CLUSTERS, |c| cluster_of(c).vectors[0] = 1e30),
    ("bound--relu-vector-nan", CLUSTERS, |c| cluster_of(c).vectors[0] = f32::NAN),
    ("bound--relu-vectors-fewer", CLUSTERS, |c| shorten(&mut cluster_of(c).vectors)),
    ("bound--relu-product-negative", CLUSTERS, |c| cluster_of(c).products[0] = -1e-6),
    ("bound--relu-product-large", CLUSTERS, |c| cluster_of(c).products[0] = 1e20),
    ("bound--relu-product-infinite", CLUSTERS, |c| cluster_of(c).products[0] = f32::INFINITY),
    ("bound--relu-products-fewer", CLUSTERS, |c| shorten(&mut cluster_of(c).products)),
    ("bound--relu-clusters-lambda-small", CLUSTERS, |c| clusters_of(c).lambda *= 0.5),
    ("bound--relu-clusters-lambda-negative", CLUSTERS, |c| clusters_of(c).lambda *= -1.0),
    ("bound--relu-clusters-s-small", CLUSTERS, |c| clusters_of(c).s -= 0.1),
    ("bound--relu-clusters-s-nan", CLUSTERS, |c| clusters_of(c).s = f64::NAN),
    ("bound--relu-cones-too-low", CONES, |c| c.witnesses[0].bound *= 1.0 - 1e-6),
    ("bound--relu-fan-zero", CONES, |c| cones_of(c).fan[0] = 0.0),
    ("bound--relu-fan-negative", CONES, |c| cones_of(c).fan[0] *= -1.0),
    ("bound--relu-fan-nan", CONES, |c| cones_of(c).fan[0] = f64::NAN),
    ("bound--relu-fan-infinite", CONES, |c| cones_of(c).fan[0] = f64::INFINITY),
    ("bound--relu-fan-huge", CONES, |c| cones_of(c).fan[0] = f64::MAX),
    ("bound--relu-fan-longer", CONES, |c| cones_of(c).fan[0] *= 30.0),
    ("bound--relu-basis-column", BASIS, |c| cones_of(c).basis.as_mut().expect("a basis").columns[0] = 5),
    ("bound--relu-basis-other-column", BASIS, |c| cones_of(c).basis.as_mut().expect("a basis").columns[0] = 2),
    ("bound--relu-basis-twice", BASIS, |c| cones_of(c).basis.as_mut().expect("a basis").columns[0] = 1),
    ("bound--relu-basis-fewer", BASIS, |c| shorten(&mut cones_of(c).basis.as_mut().expect("a basis").columns)),
    ("bound--relu-basis-coefficient", BASIS, |c| {
        cones_of(c).basis.as_mut().expect("a basis").coefficients[2] = 2.0f64.next_up();
    }),
    ("bound--relu-basis-constant", BASIS, |c| cones_of(c).basis.as_mut().expect("a basis").coefficients[14] = 0.0),
    ("bound--relu-basis-coefficient-nan", BASIS, |c| {
        cones_of(c).basis.as_mut().expect("a basis").coefficients[0] = f64::NAN;
    }),
    ("bound--relu-basis-coefficients-fewer", BASIS, |c| {
        shorten(&mut cones_of(c).basis.as_mut().expect("a basis").coefficients);
    }),
    ("bound--relu-no-basis", BASIS, |c| cones_of(c).basis = None),
    ("bound--relu-split-same", CONES, |c| {
        let (from, to, _) = split_of(c);
        *from = *to;
    }),
    ("bound--relu-split-from", CONES, |c| *split_of(c).0 = 255),
    ("bound--relu-split-to", CONES, |c| *split_of(c).1 = 2),
    ("bound--relu-split-zero", CONES, |c| split_of(c).2.0 = 0.0),
    ("bound--relu-split-negative", CONES, |c| split_of(c).2.1 *= -1.0),
    ("bound--relu-split-nan", CONES, |c| split_of(c).2.1 = f64::NAN),
    ("bound--relu-split-infinite", CONES, |c| split_of(c).2.0 = f64::INFINITY),
    ("bound--relu-split-far", CONES, |c| split_of(c).2.1 = f64::MAX),
    ("bound--relu-tree-early", CONES, |c| shorten(&mut cones_of(c).nodes)),
    ("bound--relu-tree-more", CONES, |c| {
        let last = cones_of(c).nodes.last().cloned();
        cones_of(c).nodes.extend(last);
    }),
    ("bound--relu-tree-empty", CONES, |c| cones_of(c).nodes.clear()),
    ("bound--relu-leaf-q", CONES, |c| leaf_of(c).0.iter_mut().for_each(|q| *q *= 0.999)),
    ("bound--relu-leaf-q-nan", CONES, |c| leaf_of(c).0[0] = f64::NAN),
    ("lower--relu-too-high", MOMENTS, |c| c.claim.lower = c.claim.lower.next_up()),
    ("upper--relu-too-low", MOMENTS, |c| c.claim.upper = c.claim.upper.next_down()),
    ("ending--relu-optimal", MOMENTS, |c| c.claim.ending = Ending::Optimal),
];

/// Those of the changed certificates that are kept as golden ones.
const GOLDEN: [&str; 30] = [
    "data--relu-target",
    "problem--relu-hash",
    "problem--relu-kernel",
    "problem--relu-lambda2",
    "model--relu-hidden-bias",
    "model--relu-output-nan",
    "dual--relu-outside",
    "dual--relu-sign",
    "bound--relu-longer-dual",
    "bound--relu-swapped",
    "bound--relu-missing",
    "bound--relu-above-lambda2",
    "bound--relu-together",
    "bound--relu-norms-too-low",
    "bound--relu-clusters-too-low",
    "bound--relu-cluster-row-twice",
    "bound--relu-theta-small",
    "bound--relu-length-short",
    "bound--relu-product-negative",
    "bound--relu-tau-large",
    "bound--relu-sigma-large",
    "bound--relu-lambda-small",
    "bound--relu-fan-longer",
    "bound--relu-basis-coefficient",
    "bound--relu-split-far",
    "bound--relu-tree-early",
    "bound--relu-leaf-q",
    "lower--relu-too-high",
    "upper--relu-too-low",
    "ending--relu-not-attained",
];

/// Endings and gaps that claim what is not so.
const ENDINGS: [Change; 5] = [
    ("ending--relu-not-attained", MOMENTS, |c| c.claim.ending = Ending::NotAttained),
    ("ending--relu-infeasible", MOMENTS, |c| c.claim.ending = Ending::Infeasible),
    ("ending--relu-satisfiable", MOMENTS, |c| c.claim.ending = Ending::Satisfiable),
    ("ending--relu-negative-gap", MOMENTS, |c| c.claim.gap = -1.0),
    ("ending--relu-negative-abs-gap", MOMENTS, |c| c.claim.abs_gap = -1.0),
];

#[test]
fn valid_certificates_are_verified_and_their_claims_are_words() {
    for (name, certificate) in valid() {
        let bytes = certificate.to_bytes().expect("bytes");
        assert_eq!(kind_of(&bytes).expect("a kind"), "relu");
        let verdict =
            check_relu(&bytes, &data(&certificate.claim.source.path)).unwrap_or_else(|why| panic!("{name}: {why}"));
        assert!(
            verdict.lower > 0.0 && verdict.lower >= certificate.claim.lower && verdict.upper <= certificate.claim.upper
        );
        assert!(verdict.lower <= verdict.upper, "{name}");
        let words = ["No two-layer ReLU network of any width", "λ2 = ", "hidden biases", "output biases", "of width"];
        assert!(words.iter().all(|word| verdict.claim.contains(word)), "{name}: {}", verdict.claim);
        if std::env::var_os("MAKE_GOLDEN").is_some() {
            std::fs::write(folder("valid_certificates").join(format!("{name}.safetensors")), bytes).expect("written");
        }
    }
}

#[test]
fn every_field_changed_is_refused_at_its_step() {
    let valid = valid();
    for (name, from, change) in CHANGES.into_iter().chain(ENDINGS) {
        let mut certificate = valid.iter().find(|entry| entry.0 == from).expect("a name").1.clone();
        change(&mut certificate);
        let refusal = checked(&certificate).expect_err(name);
        assert_eq!(refusal.step.to_string(), name.split("--").next().expect("a step"), "{name}: {refusal}");
        let golden = std::env::var_os("MAKE_GOLDEN").is_some() && GOLDEN.contains(&name);
        if let (true, Ok(bytes)) = (golden, certificate.to_bytes()) {
            std::fs::write(folder("invalid_certificates").join(format!("{name}.safetensors")), bytes).expect("written");
        }
    }
}
