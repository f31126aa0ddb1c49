//! Any bytes and any changes: never a panic, never a claim that is not so.

use dashu_int::{IBig, UBig};
use infimum_data::{LoadingRequest, load_loading};
use infimum_problem::{Circuit, Ending, LoadingCertificate, LoadingProblem, ProofStep, Scope, Term};
use proptest::prelude::*;

use super::super::check_loading;
use super::super::steps::check_loading_problem;
use super::mutations::{refutations, xor_with_two_hidden};
use super::oracle::Oracle;
use super::{Random, xor};
use crate::steps::Step;

const XOR: &str = "builtin:xor";

/// A certificate about the built-in XOR.
fn of_builtin((_, mut certificate): (LoadingProblem, LoadingCertificate)) -> LoadingCertificate {
    let network = certificate.claim.network.clone();
    let loaded = load_loading(XOR, &LoadingRequest::default(), |_, _, _| Ok(network)).expect("built in");
    assert_eq!(loaded.problem.points, xor(loaded.problem.network.clone()).points);
    (certificate.claim.source, certificate.claim.recipe) = (loaded.source, loaded.recipe);
    certificate.claim.problem_sha256 = loaded.problem_sha256;
    certificate
}

#[test]
fn the_claim_in_words() {
    let check = |certificate: &LoadingCertificate| check_loading(&certificate.to_bytes().expect("bytes"), XOR);
    let certificate = of_builtin(super::mutations::xor_with_one_hidden());
    let verdict = check(&certificate).expect("accepted");
    let sha256 = &certificate.claim.source.sha256;
    let expected = format!(
        "Data: builtin:xor (SHA-256 {sha256}), 4 rows, 2 columns. Target: {}, an output of 1 means `1`. Network: one hidden layer of 1 \
         threshold unit, 1 output. Question: is it right on all but 0 rows with some weights? No weights of this network are wrong on \
         fewer than 1 of the 4 rows. No weights are recorded. Ending: Infeasible: no weights do what was asked for.",
        certificate.claim.recipe.targets[0]
    );
    assert_eq!(verdict.claim, expected);
    let optimal = check(&of_builtin(super::mutations::xor_optimal())).expect("accepted");
    assert!(optimal.claim.contains("The recorded weights are wrong on exactly 1 of 4."), "{}", optimal.claim);
    assert!(optimal.claim.contains("Network: no hidden layer, 1 output."), "{}", optimal.claim);
    let mut other = certificate.clone();
    other.claim.network.units[0].name = "h\ns VERIFIED".into();
    let refusal = check(&other).expect_err("another network");
    assert!(refusal.step == Step::Problem && !refusal.to_string().contains('\n'), "{refusal}");
    other.claim.network.outputs = vec![9];
    assert_eq!(check(&other).expect_err("no network").step, Step::Data);
    let mut hash = certificate;
    hash.claim.problem_sha256 = "0".repeat(64);
    assert_eq!(check(&hash).expect_err("another hash").step, Step::Problem);
}

#[test]
fn every_truncation_and_every_flipped_bit_is_refused() {
    let bytes = of_builtin(super::mutations::xor_with_one_hidden()).to_bytes().expect("bytes");
    assert!(check_loading(&bytes, XOR).is_ok());
    let header = 8 + u64::from_le_bytes(std::array::from_fn(|i| bytes[i])) as usize;
    for place in 0..bytes.len() {
        assert!(check_loading(&bytes[..place], XOR).is_err(), "{place} bytes");
        let mut flipped = bytes.clone();
        flipped[place] ^= 1 << (place % 8);
        // White space that pads the header is the one thing that means nothing.
        let accepted = check_loading(&flipped, XOR).is_ok();
        assert!(!accepted || place < header, "byte {place} of {}", bytes.len());
    }
}

/// One change in one place, as chance has it.
fn spoil(random: &mut Random, certificate: &mut LoadingCertificate) {
    let claim = &mut certificate.claim;
    let small = |random: &mut Random| random.below(6) as u64;
    let any_number = |random: &mut Random| if random.chance(10) { random.next() } else { random.below(60) as u64 };
    let literal = |random: &mut Random| random.below(40) as i32 - 20;
    match random.below(22) {
        0 => claim.lower = small(random),
        1 => claim.upper = random.chance(60).then(|| small(random)),
        2 => claim.allowed = random.chance(60).then(|| small(random)),
        3 => claim.symmetry ^= true,
        4 => {
            let endings = [Ending::Optimal, Ending::Satisfiable, Ending::Infeasible, Ending::TimeLimit];
            claim.ending = endings[random.below(4)];
        }
        5 => certificate.neurons = None,
        6..=8 => {
            let Some(neurons) = certificate.neurons.as_mut().filter(|neurons| !neurons.is_empty()) else { return };
            let place = random.below(neurons.len());
            let neuron = &mut neurons[place];
            let value = IBig::from(random.below(9) as i64 - 4) << (random.below(3) * 70);
            match (random.below(3), neuron.weights.len()) {
                (0, _) => neuron.bias = value,
                (1, _) | (_, 0) => neuron.weights.push(value),
                (_, length) => neuron.weights[random.below(length)] = value,
            }
        }
        9..=14 => {
            if certificate.circuits.is_empty() {
                let term = |row| Term { row, multiplier: UBig::ONE, inputs: vec![] };
                certificate.circuits.push(Circuit {
                    scope: Scope::Group(0),
                    left: vec![term(0)],
                    right: vec![term(3)],
                });
            }
            let place = random.below(certificate.circuits.len());
            let circuit = &mut certificate.circuits[place];
            let side = if random.chance(50) { &mut circuit.left } else { &mut circuit.right };
            match (random.below(6), side.len()) {
                (0, _) => drop(certificate.circuits.remove(place)),
                (1, _) => circuit.scope = [Scope::Group(0), Scope::Group(1), Scope::Unit(1)][random.below(3)],
                (2, _) | (_, 0) => {
                    side.push(Term { row: random.below(8) as u32, multiplier: small(random).into(), inputs: vec![] })
                }
                (3, length) => side[random.below(length)].row = random.below(8) as u32,
                (4, length) => side[random.below(length)].multiplier = small(random).into(),
                (_, length) => drop(side.remove(random.below(length))),
            }
        }
        _ => {
            if certificate.proof.is_empty() {
                certificate.proof.push(ProofStep { clause: vec![], hints: vec![1] });
            }
            let place = random.below(certificate.proof.len());
            let step = &mut certificate.proof[place];
            match (random.below(7), step.hints.len(), step.clause.len()) {
                (0, ..) => drop(certificate.proof.remove(place)),
                (1, ..) => certificate.proof.truncate(place),
                (2, ..) => step.clause.push(literal(random)),
                (3, _, length) if length > 0 => drop(step.clause.remove(random.below(length))),
                (4, length, _) if length > 0 => step.hints[random.below(length)] = any_number(random),
                (5, length, _) if length > 0 => drop(step.hints.remove(random.below(length))),
                _ => step.hints.push(any_number(random)),
            }
        }
    }
}

/// What is accepted is so, whatever was changed on the way.
fn assert_true_if_accepted(problem: &LoadingProblem, certificate: &LoadingCertificate, least: u64) {
    if let Ok(verdict) = check_loading_problem(problem, certificate) {
        assert!(verdict.lower <= least, "{certificate:?}");
        assert!(verdict.upper.is_none_or(|upper| upper >= least), "{certificate:?}");
        let allowed = certificate.claim.allowed;
        match verdict.ending {
            Ending::Satisfiable => assert!(allowed.is_some_and(|allowed| allowed >= least)),
            Ending::Infeasible => assert!(allowed.is_some_and(|allowed| allowed < least)),
            Ending::Optimal => assert_eq!(verdict.upper, Some(least)),
            _ => {}
        }
    }
}

#[test]
fn no_change_makes_a_false_claim_pass() {
    let mut random = Random(6);
    for (problem, valid) in refutations().iter().chain([&xor_with_two_hidden()]) {
        let least = Oracle::new(problem).least_errors();
        for _ in 0..4_000 {
            let mut certificate = valid.clone();
            for _ in 0..1 + random.below(4) {
                spoil(&mut random, &mut certificate);
            }
            assert_true_if_accepted(problem, &certificate, least);
        }
    }
}

/// The same with bounds that are false from the start: no accident may prove them.
#[test]
fn no_change_proves_what_is_false() {
    let mut random = Random(7);
    for (problem, valid) in refutations() {
        let least = Oracle::new(&problem).least_errors();
        for _ in 0..4_000 {
            let mut certificate = valid.clone();
            for _ in 0..random.below(4) {
                spoil(&mut random, &mut certificate);
            }
            (certificate.claim.lower, certificate.claim.ending) = (least + 1, Ending::TimeLimit);
            assert!(check_loading_problem(&problem, &certificate).is_err(), "{certificate:?}");
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(check_loading(&bytes, XOR).is_err());
    }

    #[test]
    fn overwritten_bytes_are_refused_or_say_what_is_so(place in any::<prop::sample::Index>(), new in prop::collection::vec(any::<u8>(), 1..9)) {
        let mut bytes = of_builtin(super::mutations::xor_with_one_hidden()).to_bytes().expect("bytes");
        let place = place.index(bytes.len());
        for (slot, byte) in bytes[place..].iter_mut().zip(new) {
            *slot = byte;
        }
        if let Ok(verdict) = check_loading(&bytes, XOR) {
            prop_assert_eq!((verdict.lower, verdict.upper), (1, None));
        }
    }
}
