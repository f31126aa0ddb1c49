//! The golden loading certificates, which `tests/golden.rs` runs through the binary. With the variable `MAKE_GOLDEN` set they are written
//! anew; without, the files must be what is made here.

use std::path::Path;

use dashu_int::IBig;
use infimum_data::{LoadingRequest, load_loading};
use infimum_problem::{Ending, LoadingCertificate, LoadingProblem, Network};

use super::maps::xor_with_maps;
use super::margins::gap;
use super::mutations::{xor_optimal, xor_with_one_hidden, xor_with_two_hidden, xor_without_hidden, zigzag_with_skip};
use super::{all_circuits, refuted, refuted_with};

fn tests() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests"))
}

/// The problem of a data file of `tests/golden`, or a built-in one, and its certificate's description of it.
fn loaded(
    data: &str,
    targets: &[&str],
    network: &Network,
) -> (LoadingProblem, impl Fn(&mut LoadingCertificate) + use<>) {
    let path = tests().join("golden").join(data).to_string_lossy().into_owned();
    let name = if data.starts_with("builtin:") { data } else { &path };
    let request =
        LoadingRequest { targets: targets.iter().map(ToString::to_string).collect(), ..LoadingRequest::default() };
    let loaded = load_loading(name, &request, |_, _, _| Ok(network.clone())).expect("loads");
    let (mut source, recipe, sha256) = (loaded.source, loaded.recipe, loaded.problem_sha256);
    source.path = data.into();
    let describe = move |certificate: &mut LoadingCertificate| {
        (certificate.claim.source, certificate.claim.recipe) = (source.clone(), recipe.clone());
        certificate.claim.problem_sha256 = sha256.clone();
    };
    (loaded.problem, describe)
}

/// The certificate as one about a file with the same rows.
fn about(data: &str, (problem, mut certificate): (LoadingProblem, LoadingCertificate)) -> LoadingCertificate {
    let (rebuilt, describe) = loaded(data, &[], &problem.network);
    assert_eq!((rebuilt.rows(), &rebuilt.targets), (problem.rows(), &problem.targets));
    describe(&mut certificate);
    certificate
}

/// Two outputs, of which some may be anything, of one hidden unit: 0.1, 0.2, 0.3 are collinear as decimals.
fn open() -> LoadingCertificate {
    let (problem, describe) = loaded("open.csv", &["a", "b"], &Network::layered(&[1], 2));
    let mut certificate = refuted(&problem, &all_circuits(&problem), 0, true).expect("impossible");
    describe(&mut certificate);
    certificate
}

/// The same refutation with errors counted in steps of 3.
fn zigzag_in_steps() -> (LoadingProblem, LoadingCertificate) {
    let (problem, certificate) = zigzag_with_skip();
    let (errors, allowed) = (certificate.claim.lower - 1, certificate.claim.allowed);
    let mut other = refuted_with(&problem, &all_circuits(&problem), errors, true, 3, &[]).expect("impossible");
    (other.claim.allowed, other.claim.ending) = (allowed, Ending::Infeasible);
    (problem, other)
}

fn valid() -> Vec<(&'static str, LoadingCertificate)> {
    vec![
        ("loading-margin", about("gap.csv", gap())),
        ("loading-no-hidden", about("builtin:xor", xor_without_hidden())),
        ("loading-maps", about("builtin:xor", xor_with_maps())),
        ("loading-one-hidden", about("builtin:xor", xor_with_one_hidden())),
        ("loading-open-targets", open()),
        ("loading-optimal", about("builtin:xor", xor_optimal())),
        ("loading-skip", about("zigzag.csv", zigzag_with_skip())),
        ("loading-stride", about("zigzag.csv", zigzag_in_steps())),
        ("loading-two-hidden", about("builtin:xor", xor_with_two_hidden())),
    ]
}

type Change = fn(&mut LoadingCertificate);

/// The step that refuses, the valid certificate, and what is changed.
const CHANGES: [(&str, &str, Change); 30] = [
    ("data--loading-no-column", "loading-skip", |c| c.claim.recipe.targets = vec!["z".into()]),
    ("data--loading-outputs", "loading-skip", |c| c.claim.network = Network::layered(&[1], 2)),
    ("problem--loading-other-order", "loading-open-targets", |c| c.claim.recipe.targets.reverse()),
    ("problem--loading-other-hash", "loading-optimal", |c| c.claim.problem_sha256 = "0".repeat(64)),
    ("problem--loading-other-network", "loading-one-hidden", |c| c.claim.network = Network::layered(&[2], 1)),
    ("problem--loading-rows", "loading-one-hidden", |c| c.claim.rows += 1),
    ("weights--loading-sum-of-0", "loading-optimal", |c| {
        c.neurons.iter_mut().flatten().for_each(|neuron| neuron.bias = IBig::ZERO);
    }),
    ("weights--loading-too-few", "loading-two-hidden", |c| {
        c.neurons.iter_mut().flatten().for_each(|neuron| neuron.weights.truncate(1));
    }),
    ("upper--loading-claimed-too-low", "loading-optimal", |c| c.claim.upper = Some(0)),
    ("margins--loading-too-wide", "loading-margin", |c| c.claim.margins[0].lower = 0.8),
    ("margins--loading-bound-too-low", "loading-margin", |c| c.claim.margins[0].upper = 0.79),
    ("margins--loading-other-row", "loading-margin", |c| c.hulls[0].right[0].row = 4),
    ("margins--loading-empty-side", "loading-margin", |c| c.hulls[0].left.clear()),
    ("margins--loading-other-unit", "loading-margin", |c| c.claim.margins[0].unit = 7),
    ("circuits--loading-multiplier", "loading-no-hidden", |c| c.circuits[0].left[0].multiplier += 1u32),
    ("circuits--loading-empty-side", "loading-no-hidden", |c| c.circuits[0].left.clear()),
    ("circuits--loading-other-row", "loading-open-targets", |c| c.circuits[0].left[0].row = 3),
    ("circuits--loading-other-input", "loading-skip", |c| {
        let of_unit = c.circuits.iter_mut().find(|circuit| !circuit.left[0].inputs.is_empty());
        of_unit.into_iter().for_each(|circuit| circuit.left[0].inputs[0] ^= true);
    }),
    ("proof--loading-dropped-step", "loading-skip", |c| drop(c.proof.remove(0))),
    ("proof--loading-dropped-hint", "loading-one-hidden", |c| {
        c.proof.last_mut().into_iter().for_each(|step| step.hints.truncate(step.hints.len() - 1));
    }),
    ("proof--loading-no-empty-clause", "loading-skip", |c| drop(c.proof.pop())),
    ("proof--loading-other-symmetry", "loading-one-hidden", |c| c.claim.symmetry = false),
    ("proof--loading-other-stride", "loading-stride", |c| c.claim.stride = 1),
    ("proof--loading-map-left-out", "loading-maps", |c| c.claim.maps.truncate(1)),
    ("proof--loading-map-other-column", "loading-maps", |c| c.claim.maps[0].moves[0].from = 0),
    ("proof--loading-map-other-targets", "loading-maps", |c| c.claim.maps[0].exchanges ^= true),
    ("proof--loading-stride-of-all", "loading-stride", |c| c.claim.stride = 7),
    ("proof--loading-lower-too-high", "loading-skip", |c| c.claim.lower += 1),
    ("lower--loading-above-upper", "loading-optimal", |c| c.claim.lower = 2),
    ("ending--loading-infeasible", "loading-skip", |c| {
        (c.claim.allowed, c.claim.ending) = (Some(2), Ending::Infeasible);
    }),
];

#[test]
fn golden_certificates_are_those_made_here() {
    let make = std::env::var_os("MAKE_GOLDEN").is_some();
    let same = |folder: &str, name: &str, bytes: Vec<u8>| {
        let path = tests().join(folder).join(format!("{name}.safetensors"));
        if make {
            std::fs::write(&path, &bytes).expect("written");
        }
        assert!(std::fs::read(&path).is_ok_and(|file| file == bytes), "{}", path.display());
    };
    let valid = valid();
    for (name, certificate) in &valid {
        same("valid_certificates", name, certificate.to_bytes().expect("bytes"));
    }
    for (name, from, change) in CHANGES {
        let (_, certificate) = valid.iter().find(|(name, _)| *name == from).expect("a valid certificate");
        let mut changed = certificate.clone();
        change(&mut changed);
        assert_ne!(&changed, certificate, "{name}");
        same("invalid_certificates", name, changed.to_bytes().expect("bytes"));
    }
    let mut flipped = valid[1].1.to_bytes().expect("bytes");
    let last = flipped.len() - 40;
    flipped[last] ^= 1;
    same("invalid_certificates", "container--loading-flipped-bit", flipped);
}
