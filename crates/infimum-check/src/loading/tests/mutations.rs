//! Certificates made by hand, and every way to spoil them.

use dashu_int::{IBig, UBig};
use infimum_problem::{
    Circuit, Columns, Ending, Function, IntegerMatrix, LoadingCertificate, LoadingProblem, Network, Neuron, Points,
    ProofStep, Scope, Term,
};

use super::super::circuits::Lemmas;
use super::super::steps::check_loading_problem;
use super::super::weights::wrong_rows;
use super::oracle::Oracle;
use super::{
    Random, all_circuits, claim, known, line, narrow, oracle, problem, random_network, random_problem, refuted, unit,
    wide, xor,
};
use crate::steps::Step;

fn step_of(problem: &LoadingProblem, certificate: &LoadingCertificate) -> Option<Step> {
    check_loading_problem(problem, certificate).err().map(|refusal| refusal.step)
}

fn term(row: u32, multiplier: u64) -> Term {
    Term { row, multiplier: multiplier.into(), inputs: vec![] }
}

fn neuron(weights: &[i64], bias: i64) -> Neuron {
    Neuron { weights: weights.iter().map(|&weight| weight.into()).collect(), bias: bias.into() }
}

/// XOR without a hidden layer: (0, 1) + (1, 0) = (0, 0) + (1, 1), in one step. The formula is the four targets, the lemma's clauses are
/// 5 (not: 1 on the left, 0 on the right) and 6.
pub(super) fn xor_without_hidden() -> (LoadingProblem, LoadingCertificate) {
    let problem = xor(Network::layered(&[], 1));
    let circuit =
        Circuit { scope: Scope::Group(0), left: vec![term(1, 1), term(2, 1)], right: vec![term(0, 1), term(3, 1)] };
    let proof = vec![ProofStep { clause: vec![], hints: vec![1, 2, 3, 4, 5] }];
    let mut claim = claim(&problem, 1, true);
    (claim.allowed, claim.ending) = (Some(0), Ending::Infeasible);
    (problem, LoadingCertificate { claim, neurons: None, circuits: vec![circuit], proof, hulls: vec![] })
}

/// The same with the best weights: wrong on one row, and none are better.
pub(super) fn xor_optimal() -> (LoadingProblem, LoadingCertificate) {
    let (problem, mut certificate) = xor_without_hidden();
    certificate.neurons = Some(vec![neuron(&[2, 2], -1)]);
    (certificate.claim.upper, certificate.claim.ending) = (Some(1), Ending::Optimal);
    (problem, certificate)
}

/// One hidden unit does not do either; found by the tests' search.
pub(super) fn xor_with_one_hidden() -> (LoadingProblem, LoadingCertificate) {
    let problem = xor(Network::layered(&[1], 1));
    let mut certificate = refuted(&problem, &all_circuits(&problem), 0, true).expect("impossible");
    (certificate.claim.allowed, certificate.claim.ending) = (Some(0), Ending::Infeasible);
    (problem, certificate)
}

/// Two do.
pub(super) fn xor_with_two_hidden() -> (LoadingProblem, LoadingCertificate) {
    let problem = xor(Network::layered(&[2], 1));
    let mut claim = claim(&problem, 0, true);
    (claim.allowed, claim.upper, claim.ending) = (Some(0), Some(0), Ending::Satisfiable);
    let neurons = vec![neuron(&[2, 2], -1), neuron(&[2, 2], -3), neuron(&[2, -2], -1)];
    (problem, LoadingCertificate { claim, neurons: Some(neurons), circuits: vec![], proof: vec![], hulls: vec![] })
}

/// A skip connection: the output reads the first column and a hidden unit. 0 1 0 1 along a line is impossible, also with one row wrong.
pub(super) fn zigzag_with_skip() -> (LoadingProblem, LoadingCertificate) {
    let units =
        vec![unit("h", Columns::All, &[], Function::Free), unit("y", Columns::Listed(vec![0]), &[0], Function::Free)];
    let network = Network { units, outputs: vec![1] };
    let problem = line(&[0, 1, 0, 1, 0, 1, 0], 1, network);
    let least = Oracle::new(&problem).least_errors();
    let mut certificate = refuted(&problem, &all_circuits(&problem), least - 1, true).expect("impossible");
    assert!(least >= 2 && certificate.circuits.iter().any(|circuit| circuit.scope == Scope::Unit(1)));
    (certificate.claim.allowed, certificate.claim.ending) = (Some(1), Ending::Infeasible);
    (problem, certificate)
}

/// Two outputs with don't-cares.
fn two_outputs() -> (LoadingProblem, LoadingCertificate) {
    let mut random = Random(77);
    loop {
        let problem = random_problem(&mut random, 5, 2, Network::layered(&[2], 2));
        if Oracle::new(&problem).least_errors() > 0 && problem.targets.contains(&None) {
            let certificate = refuted(&problem, &all_circuits(&problem), 0, true).expect("impossible");
            return (problem, certificate);
        }
    }
}

pub(super) fn refutations() -> Vec<(LoadingProblem, LoadingCertificate)> {
    vec![xor_without_hidden(), xor_optimal(), xor_with_one_hidden(), zigzag_with_skip(), two_outputs()]
}

#[test]
fn valid_certificates_are_accepted() {
    for (problem, certificate) in refutations().iter().chain([&xor_with_two_hidden()]) {
        let verdict = check_loading_problem(problem, certificate).expect("accepted");
        assert_eq!((verdict.lower, verdict.upper), (certificate.claim.lower, certificate.claim.upper));
        let wide = LoadingProblem { points: wide(&super::oracle::dense(&problem.points)), ..problem.clone() };
        assert_eq!(check_loading_problem(&wide, certificate).expect("the same in wide integers"), verdict);
    }
}

/// Columns times 3^60 + 1 make other integers of the same question; one off by 1 is another.
#[test]
fn wide_integers_are_exact() {
    let factor = IBig::from(3).pow(60) + 1;
    for (problem, certificate) in refutations().iter().chain([&xor_with_two_hidden()]) {
        let mut matrix = IntegerMatrix::new(problem.points.columns());
        for row in 0..problem.rows() {
            let entries = problem.points.row(row);
            matrix.push_row(entries.iter().map(|(column, value)| (*column, value.as_ref() * &factor)));
        }
        let expected = check_loading_problem(problem, certificate).expect("valid");
        let mut certificate = certificate.clone();
        let scaled = |neuron: &mut Neuron| neuron.bias *= &factor;
        let with_columns = problem.network.units.iter().filter(|unit| unit.units.is_empty()).count();
        certificate.neurons.iter_mut().flatten().take(with_columns).for_each(scaled);
        assert_eq!(check_loading_problem(&wide_of(problem, matrix.clone()), &certificate), Ok(expected));
        let used = certificate.circuits.first().map(|circuit| circuit.left[0].row as usize);
        let entry = used.and_then(|row| (matrix.row_starts[row]..matrix.row_starts[row + 1]).next());
        if let Some(entry) = entry {
            matrix.values[entry] += 1;
            assert_eq!(step_of(&wide_of(problem, matrix), &certificate), Some(Step::Circuits));
        }
    }
}

fn wide_of(problem: &LoadingProblem, matrix: IntegerMatrix<IBig>) -> LoadingProblem {
    LoadingProblem { points: Points::Wide(matrix), ..problem.clone() }
}

/// Changes a certificate in one place and expects a refusal at one of the steps.
fn refused(
    (problem, valid): &(LoadingProblem, LoadingCertificate),
    steps: &[Step],
    change: impl FnOnce(&mut LoadingCertificate),
) {
    let mut certificate = valid.clone();
    change(&mut certificate);
    assert_ne!(&certificate, valid);
    let step = step_of(problem, &certificate);
    assert!(step.is_some_and(|step| steps.contains(&step)), "{step:?}, expected {steps:?}: {:?}", certificate.claim);
}

#[test]
fn changed_claims_are_refused() {
    for valid in &refutations() {
        refused(valid, &[Step::Problem], |c| c.claim.rows += 1);
        refused(valid, &[Step::Problem], |c| c.claim.columns += 1);
        refused(valid, &[Step::Problem], |c| c.claim.version += 1);
        refused(valid, &[Step::Problem], |c| c.claim.kind = "convex".into());
        refused(valid, &[Step::Problem], |c| c.claim.network.units[0].name = "other".into());
        refused(valid, &[Step::Problem], |c| c.claim.network = Network::layered(&[5], 1));
        refused(valid, &[Step::Lower, Step::Proof], |c| c.claim.lower += 1);
        refused(valid, &[Step::Proof], |c| c.claim.lower -= 1);
        refused(valid, &[Step::Lower], |c| c.claim.lower = 1 + c.claim.rows as u64);
        refused(valid, &[Step::Lower], |c| c.claim.lower = u64::MAX);
        refused(valid, &[Step::Ending], |c| c.claim.ending = Ending::Satisfiable);
        refused(valid, &[Step::Ending], |c| c.claim.ending = Ending::NotAttained);
        refused(valid, &[Step::Ending], |c| {
            (c.claim.ending, c.claim.allowed) = (Ending::Infeasible, Some(c.claim.lower));
        });
        refused(valid, &[Step::Ending], |c| (c.claim.ending, c.claim.allowed) = (Ending::Infeasible, None));
        if valid.1.claim.upper.is_none() {
            refused(valid, &[Step::Ending], |c| c.claim.ending = Ending::Optimal);
            refused(valid, &[Step::Weights], |c| c.claim.upper = Some(c.claim.lower));
            refused(valid, &[Step::Weights], |c| c.neurons = Some(vec![]));
        }
    }
    let best = xor_optimal();
    refused(&best, &[Step::Upper], |c| c.claim.upper = Some(0));
    refused(&best, &[Step::Upper], |c| c.claim.upper = Some(2));
    refused(&best, &[Step::Weights], |c| c.neurons = None);
    refused(&best, &[Step::Weights], |c| c.claim.upper = None);
    let found = xor_with_two_hidden();
    refused(&found, &[Step::Upper], |c| c.claim.upper = Some(1));
    refused(&found, &[Step::Ending], |c| c.claim.allowed = None);
    refused(&found, &[Step::Ending], |c| c.claim.ending = Ending::Infeasible);
    refused(&found, &[Step::Proof], |c| c.proof = xor_without_hidden().1.proof);
    refused(&found, &[Step::Proof], |c| c.circuits = xor_without_hidden().1.circuits);
    refused(&found, &[Step::Lower], |c| c.claim.lower = 1);
}

#[test]
fn errors_are_counted_once() {
    for valid in &refutations() {
        let rows = valid.1.claim.rows as u64;
        for stride in [0, rows, rows + 1, u64::MAX] {
            refused(valid, &[Step::Proof], |c| c.claim.stride = stride);
        }
    }
}

#[test]
fn symmetry_is_part_of_the_claim() {
    // Clauses E change the numbers of the lemmas, where they are not empty.
    for valid in [&xor_with_one_hidden(), &zigzag_with_skip(), &two_outputs()] {
        refused(valid, &[Step::Proof], |c| c.claim.symmetry = false);
    }
    let (problem, mut certificate) = xor_without_hidden();
    certificate.claim.symmetry = false;
    assert_eq!(step_of(&problem, &certificate), None);
}

#[test]
fn changed_circuits_are_refused() {
    for valid in &refutations() {
        for place in 0..valid.1.circuits.len() {
            let circuit = &valid.1.circuits[place];
            let at = |c: &mut LoadingCertificate, left: bool, j: usize, change: &dyn Fn(&mut Term)| {
                let circuit = &mut c.circuits[place];
                change(if left { &mut circuit.left[j] } else { &mut circuit.right[j] });
            };
            for (left, side) in [(true, &circuit.left), (false, &circuit.right)] {
                for j in 0..side.len() {
                    refused(valid, &[Step::Circuits], |c| at(c, left, j, &|term| term.multiplier += 1u32));
                    refused(valid, &[Step::Circuits], |c| at(c, left, j, &|term| term.multiplier = UBig::ZERO));
                    refused(valid, &[Step::Circuits], |c| at(c, left, j, &|term| term.multiplier <<= 70));
                    refused(valid, &[Step::Circuits], |c| at(c, left, j, &|term| term.row = u32::MAX));
                    refused(valid, &[Step::Circuits], |c| at(c, left, j, &|term| term.inputs.push(true)));
                    if !side[j].inputs.is_empty() {
                        refused(valid, &[Step::Circuits], |c| at(c, left, j, &|term| term.inputs[0] ^= true));
                    }
                    // Another row is another point, or already there: all points of these problems differ.
                    for row in 0..valid.0.rows() as u32 {
                        if row != side[j].row && distinct(&valid.0) {
                            refused(valid, &[Step::Circuits], |c| at(c, left, j, &|term| term.row = row));
                        }
                    }
                }
                refused(valid, &[Step::Circuits], |c| {
                    let circuit = &mut c.circuits[place];
                    if left { &mut circuit.left } else { &mut circuit.right }.clear();
                });
                refused(valid, &[Step::Circuits], |c| {
                    let circuit = &mut c.circuits[place];
                    let side = if left { &mut circuit.left } else { &mut circuit.right };
                    side.push(side[0].clone());
                });
            }
            refused(valid, &[Step::Circuits], |c| c.circuits[place].scope = Scope::Group(9));
            refused(valid, &[Step::Circuits], |c| c.circuits[place].scope = Scope::Unit(0));
            refused(valid, &[Step::Circuits], |c| c.circuits[place].scope = Scope::Unit(u32::MAX));
            refused(valid, &[Step::Circuits], |c| {
                let circuit = &mut c.circuits[place];
                circuit.right = circuit.left.clone();
            });
        }
        let without = |c: &mut LoadingCertificate| c.circuits.clear();
        refused(valid, &[Step::Proof], without);
    }
    // Both sides empty: 0 = 0 would license the empty clause.
    let nothing = Circuit { scope: Scope::Group(0), left: vec![], right: vec![] };
    refused(&xor_without_hidden(), &[Step::Circuits], |c| c.circuits.push(nothing));
}

/// What would license a false clause if one rule were missing.
#[test]
fn false_circuits_are_refused() {
    // Four points at 0 and four at 1, which can be separated.
    let rows: Vec<Vec<i64>> = (0..8).map(|i| vec![i64::from(i > 3)]).collect();
    let problem = problem(&rows, known(&[0, 0, 0, 0, 1, 1, 1, 1]), Network::layered(&[], 1));
    let why = |multipliers: &[(u32, UBig)]| {
        let side = |left: bool| {
            let terms = multipliers.iter().filter(|(row, _)| (*row > 3) == left);
            terms.map(|(row, multiplier)| Term { row: *row, multiplier: multiplier.clone(), inputs: vec![] }).collect()
        };
        let circuit = Circuit { scope: Scope::Group(0), left: side(true), right: side(false) };
        Lemmas::new(&problem, &[circuit]).err()
    };
    // 0 = 0.
    let zero = why(&[(0, UBig::ZERO), (4, UBig::ZERO)]);
    assert_eq!(zero.as_deref(), Some("circuit 1: the multiplier of row 5 is 0"));
    // 2^128 = 0 where sums wrap around.
    let quarter: Vec<(u32, UBig)> = (0..8).map(|row| (row, UBig::ONE << 126)).collect();
    assert_eq!(why(&quarter).as_deref(), Some("circuit 1: its sides differ in column 1"));
    let one_side: Vec<(u32, UBig)> = quarter[4..].to_vec();
    assert_eq!(why(&one_side).as_deref(), Some("circuit 1: one of its sides is empty"));
}

#[test]
fn circuits_of_a_unit_are_for_free_mixed_units() {
    // `xor` of two units is no threshold function; a fixed unit may be no function of the kind, and a table needs no circuits.
    for function in [Function::Free, Function::Fixed { weights: vec![1, 1], bias: -1 }] {
        let mut network = Network::layered(&[2], 1);
        network.units[2].function = function;
        let problem = xor(network);
        let term = |row, inputs: &[bool]| Term { row, multiplier: UBig::ONE, inputs: inputs.to_vec() };
        let circuit = Circuit {
            scope: Scope::Unit(2),
            left: vec![term(0, &[false, false]), term(3, &[true, true])],
            right: vec![term(1, &[true, false]), term(2, &[false, true])],
        };
        let why = Lemmas::new(&problem, &[circuit]).err();
        assert!(why.as_deref().is_some_and(|why| why.starts_with("circuit 1: unit 2 is no free unit")), "{why:?}");
    }
}

fn distinct(problem: &LoadingProblem) -> bool {
    let mut rows = super::oracle::dense(&problem.points);
    rows.sort();
    rows.windows(2).all(|pair| pair[0] != pair[1])
}

#[test]
fn changed_proofs_are_refused() {
    for valid in &refutations() {
        let (steps, last) = (valid.1.proof.len(), valid.1.proof.len() - 1);
        for place in 0..steps {
            for hint in 0..valid.1.proof[place].hints.len() {
                refused(valid, &[Step::Proof], |c| {
                    c.proof[place].hints.remove(hint);
                });
                for other in [0, u64::MAX, u64::MAX / 2] {
                    refused(valid, &[Step::Proof], |c| c.proof[place].hints[hint] = other);
                }
            }
            refused(valid, &[Step::Proof], |c| c.proof[place].hints.clear());
            for literal in [0, i32::MIN, i32::MAX, i32::MIN + 1, 1_000_000] {
                refused(valid, &[Step::Proof], |c| c.proof[place].clause.push(literal));
            }
            let own_number = |c: &LoadingCertificate| c.proof[last].hints.iter().max().copied().unwrap_or(0) + 1;
            refused(valid, &[Step::Proof], |c| {
                let number = own_number(c) - (last - place) as u64;
                c.proof[place].hints.insert(0, number);
            });
        }
        for place in 0..steps {
            // Every step is named later, or is the last.
            refused(valid, &[Step::Proof], |c| drop(c.proof.remove(place)));
        }
        refused(valid, &[Step::Proof], |c| c.proof.clear());
        refused(valid, &[Step::Proof], |c| c.proof = vec![ProofStep { clause: vec![], hints: vec![] }]);
        refused(valid, &[Step::Proof], |c| c.proof[last].clause.push(1));
        refused(valid, &[Step::Proof], |c| c.proof.push(ProofStep { clause: vec![1], hints: vec![] }));
        // A clause that is no consequence, although its first literal occurs nowhere else: a resolution asymmetric tautology.
        refused(valid, &[Step::Proof], |c| c.proof.insert(0, ProofStep { clause: vec![1], hints: vec![] }));
        refused(valid, &[Step::Proof], |c| c.proof.insert(0, ProofStep { clause: vec![1, -1], hints: vec![1] }));
    }
}

/// The rule of a step, word by word: clauses 1 to 4 are ¬1, 2, 3, ¬4; clause 5 is ¬2 ∨ ¬3 ∨ 1 ∨ 4, clause 6 its complement.
#[test]
fn a_step_follows_by_unit_propagation_alone() {
    let (problem, valid) = xor_without_hidden();
    let answer = |steps: &[(&[i32], &[u64])]| {
        let steps = steps.iter().map(|(clause, hints)| ProofStep { clause: clause.to_vec(), hints: hints.to_vec() });
        let certificate = LoadingCertificate { proof: steps.collect(), ..valid.clone() };
        check_loading_problem(&problem, &certificate).err().map(|refusal| refusal.to_string())
    };
    let end: (&[i32], &[u64]) = (&[], &[4, 3, 2, 1, 5]);
    assert_eq!(answer(&[end]), None);
    // What stands in a clause is assumed false; literals may stand twice; hints after the false one are not looked at.
    assert_eq!(answer(&[(&[1, 4], &[2, 3, 5]), (&[], &[1, 4, 7])]), None);
    // A hint that is true already says nothing.
    assert_eq!(answer(&[(&[], &[1, 1, 2, 3, 4, 5])]), None);
    assert_eq!(answer(&[(&[1, 4, 1, 1], &[3, 2, 5, 5, 6, 99]), (&[], &[4, 1, 7])]), None);
    for (steps, expected) in [
        (&[(&[][..], &[1u64, 2, 3, 4][..])][..], "step 1: its hints end without a clause that is false"),
        (&[(&[], &[1, 1, 2, 2, 3, 4])], "step 1: its hints end without a clause that is false"),
        (&[(&[], &[1, 2, 5, 3, 4])], "step 1: clause 5 of its hints has two literals that are not false"),
        (&[(&[], &[1, 2, 3, 4, 7])], "step 1: hint 7 names no clause before it (its own number is 7)"),
        (&[(&[], &[1, 2, 3, 4, 0])], "step 1: hint 0 names no clause before it (its own number is 7)"),
        (&[(&[1, -1], &[1]), end], "step 1: it holds the literal -1 and its complement"),
        (&[(&[5], &[1]), end], "step 1: literal 5, but there are 4 variables"),
        (&[(&[0], &[1]), end], "step 1: literal 0, but there are 4 variables"),
        (&[end, (&[4], &[2, 3, 1, 5])], "its last step is not the empty clause"),
        (&[(&[4], &[2, 3, 1, 5]), (&[], &[8])], "step 2: hint 8 names no clause before it (its own number is 8)"),
        (&[], "its last step is not the empty clause"),
    ] {
        assert_eq!(answer(steps), Some(format!("proof: {expected}")));
    }
}

#[test]
fn other_data_or_networks_are_refused() {
    // Two rows exchanged, but not their targets.
    let (problem, certificate) = xor_without_hidden();
    let rows = [vec![0, 1], vec![0, 0], vec![1, 0], vec![1, 1]];
    let exchanged = LoadingProblem { points: narrow(&rows), ..problem.clone() };
    assert_eq!(step_of(&exchanged, &certificate), Some(Step::Circuits));
    // Another target: the proof's hints are not what they were.
    let targets = LoadingProblem { targets: known(&[0, 1, 1, 1]), ..problem.clone() };
    assert_eq!(step_of(&targets, &certificate), Some(Step::Proof));
    let open = LoadingProblem { targets: vec![Some(false), Some(true), Some(true), None], ..problem.clone() };
    assert_eq!(step_of(&open, &certificate), Some(Step::Proof));
    // A network with which it is possible.
    let mut other = certificate.clone();
    let with_hidden = LoadingProblem { network: Network::layered(&[2], 1), ..problem.clone() };
    assert_eq!(step_of(&with_hidden, &certificate), Some(Step::Problem));
    other.claim.network = with_hidden.network.clone();
    assert_eq!(step_of(&with_hidden, &other), Some(Step::Proof));
    // Malformed problems.
    let short = LoadingProblem { targets: known(&[0, 1, 1]), ..problem.clone() };
    assert_eq!(step_of(&short, &certificate), Some(Step::Problem));
    let mut broken = problem.clone();
    broken.network.outputs = vec![7];
    other.claim.network = broken.network.clone();
    assert_eq!(step_of(&broken, &other), Some(Step::Problem));
    let empty = LoadingProblem { points: narrow(&[]), targets: vec![], ..problem };
    let mut nothing = certificate;
    (nothing.claim.rows, nothing.claim.columns) = (0, 0);
    assert_eq!(step_of(&empty, &nothing), Some(Step::Problem));
}

#[test]
fn changed_weights_are_refused() {
    let valid = xor_with_two_hidden();
    let at = |c: &mut LoadingCertificate, unit: usize, change: &dyn Fn(&mut Neuron)| {
        change(&mut c.neurons.as_mut().expect("weights")[unit]);
    };
    for unit in 0..3 {
        refused(&valid, &[Step::Weights], |c| at(c, unit, &|neuron| drop(neuron.weights.pop())));
        refused(&valid, &[Step::Weights], |c| at(c, unit, &|neuron| neuron.weights.push(IBig::ONE)));
        refused(&valid, &[Step::Upper], |c| at(c, unit, &|neuron| neuron.bias -= 100));
        let huge: IBig = IBig::ONE << 200;
        refused(&valid, &[Step::Upper], |c| at(c, unit, &|neuron| neuron.weights[0] = -huge.clone()));
    }
    refused(&valid, &[Step::Weights], |c| drop(c.neurons.as_mut().expect("weights").pop()));
    refused(&valid, &[Step::Weights], |c| c.neurons.as_mut().expect("weights").push(neuron(&[1, 1], 1)));
    // A sum of exactly 0, which a rounded evaluation could see either way; of small numbers and of large.
    let scale = |c: &mut LoadingCertificate, by: &IBig, bias: &IBig| {
        at(c, 0, &|neuron| {
            neuron.weights.iter_mut().for_each(|weight| *weight *= by);
            neuron.bias = bias.clone();
        });
    };
    for by in [IBig::ONE, IBig::ONE << 64, IBig::ONE << 100] {
        refused(&valid, &[Step::Weights], |c| scale(c, &by, &IBig::ZERO));
        let (problem, mut certificate) = valid.clone();
        scale(&mut certificate, &by, &IBig::NEG_ONE);
        assert_eq!(step_of(&problem, &certificate), None);
    }
    let (problem, mut certificate) = valid;
    scale(&mut certificate, &IBig::ONE, &IBig::ZERO);
    let refusal = check_loading_problem(&problem, &certificate).expect_err("0");
    assert_eq!(refusal.to_string(), "weights: unit `h1.1`: its weighted sum on row 1 is exactly 0");
}

/// Wrong rows with these weights, unit by unit as the definition says; `None` if a free unit's sum is 0 somewhere.
fn counted(problem: &LoadingProblem, neurons: &[Neuron]) -> Option<u64> {
    let rows = oracle::dense(&problem.points);
    let mut values: Vec<u32> = Vec::new();
    let mut left = neurons.iter();
    for (place, unit) in problem.network.units.iter().enumerate() {
        let (weights, bias, is_free) = match &unit.function {
            Function::Fixed { weights, bias } => (weights.iter().map(|&w| w.into()).collect(), (*bias).into(), false),
            Function::Free => left.next().map(|neuron| (neuron.weights.clone(), neuron.bias.clone(), true))?,
        };
        let mut bits = 0;
        for (i, inputs) in oracle::inputs(problem, &rows, place, &values).iter().enumerate() {
            let sum: IBig = inputs.iter().zip(&weights).map(|(&x, w)| w * x).sum::<IBig>() + &bias;
            if sum.is_zero() && is_free {
                return None;
            }
            bits |= u32::from(sum > IBig::ZERO) << i;
        }
        values.push(bits);
    }
    let is_wrong = |i: usize| {
        let targets = problem.target(i).iter().zip(&problem.network.outputs);
        targets.filter_map(|(y, &o)| y.map(|y| y != (values[o as usize] >> i & 1 == 1))).any(|wrong| wrong)
    };
    Some((0..rows.len()).filter(|&i| is_wrong(i)).count() as u64)
}

#[test]
fn any_weights_are_evaluated_as_the_definition_says() {
    let mut random = Random(8);
    let mut zeros = 0;
    for round in 0..600 {
        let (m, d) = (1 + random.below(7), 1 + random.below(3));
        let network = random_network(&mut random, d, 6);
        let problem = random_problem(&mut random, m, d, network);
        let scale = IBig::from(3).pow([0, 50][round % 2]);
        let free = problem.network.units.iter().filter(|unit| unit.is_free());
        let neurons: Vec<Neuron> = free
            .map(|unit| {
                let mut weight = || (IBig::from(random.below(9)) - 4) * &scale;
                let weights = (0..unit.columns.list(d).len() + unit.units.len()).map(|_| weight()).collect();
                Neuron { weights, bias: weight() + if round % 3 == 0 { 0 } else { 1 } }
            })
            .collect();
        let expected = counted(&problem, &neurons);
        zeros += usize::from(expected.is_none());
        assert_eq!(wrong_rows(&problem, &neurons).ok(), expected, "{problem:?} {neurons:?}");
        let wide = LoadingProblem { points: wide(&oracle::dense(&problem.points)), ..problem };
        assert_eq!(wrong_rows(&wide, &neurons).ok(), expected);
    }
    assert!((50..550).contains(&zeros), "{zeros}");
}

#[test]
fn sums_that_leave_128_bits_are_computed_all_the_same() {
    // 2^62 · 2^63 four times and more; only their difference decides.
    let big = (1i64 << 62) - 1;
    let rows = [vec![big, big, big, big, 1], vec![big, big, big, big, -1]];
    let problem = problem(&rows, known(&[1, 0]), Network::layered(&[], 1));
    let mut claim = claim(&problem, 0, false);
    (claim.upper, claim.ending) = (Some(0), Ending::Optimal);
    let weights = [i64::MAX, i64::MAX, i64::MIN + 1, i64::MIN + 1, 1];
    let certificate = LoadingCertificate {
        claim,
        neurons: Some(vec![neuron(&weights, 0)]),
        circuits: vec![],
        proof: vec![],
        hulls: vec![],
    };
    assert_eq!(step_of(&problem, &certificate), None);
    // Six of them are more than 2^127, and stay positive.
    let rows = [vec![big; 6], vec![-big; 6]];
    let problem = super::problem(&rows, known(&[1, 0]), Network::layered(&[], 1));
    assert_eq!(wrong_rows(&problem, &[neuron(&[i64::MAX; 6], i64::MAX)]), Ok(0));
    // A circuit with a multiplier of 127 bits: three equal points, and x + x = 2 x.
    let rows = [vec![big], vec![big], vec![big]];
    let problem = super::problem(&rows, known(&[1, 0, 1]), Network::layered(&[], 1));
    let half = UBig::ONE << 126;
    let term = |row, multiplier: &UBig| Term { row, multiplier: multiplier.clone(), inputs: vec![] };
    let circuit = Circuit {
        scope: Scope::Group(0),
        left: vec![term(0, &half), term(2, &half)],
        right: vec![term(1, &(UBig::ONE << 127))],
    };
    let proof = vec![ProofStep { clause: vec![], hints: vec![1, 2, 3, 4] }];
    let certificate = LoadingCertificate {
        claim: super::claim(&problem, 1, false),
        neurons: None,
        circuits: vec![circuit],
        proof,
        hulls: vec![],
    };
    assert_eq!(step_of(&problem, &certificate), None);
    let mut wrong = certificate.clone();
    wrong.circuits[0].right[0].multiplier -= 1u32;
    assert_eq!(step_of(&problem, &wrong), Some(Step::Circuits));
    // Sums that were given up half-way leave nothing behind for the next circuit.
    let mut both = certificate;
    both.circuits = vec![
        Circuit {
            scope: Scope::Group(0),
            left: vec![term(0, &UBig::ONE), term(2, &half)],
            right: vec![term(1, &(half.clone() + 1u32))],
        },
        Circuit { scope: Scope::Group(0), left: vec![term(0, &UBig::ONE)], right: vec![term(1, &UBig::ONE)] },
    ];
    both.proof[0].hints = vec![1, 2, 6];
    assert_eq!(step_of(&problem, &both), None);
}

#[test]
fn fixed_units_with_a_sum_of_0_are_0() {
    // `and` as 1·a + 1·b − 1 > 0.
    let mut network = Network::layered(&[2], 1);
    network.units[2].function = Function::Fixed { weights: vec![1, 1], bias: -1 };
    let problem = line(&[0, 1, 0], 1, network);
    let mut claim = claim(&problem, 0, true);
    (claim.upper, claim.ending) = (Some(0), Ending::Optimal);
    let neurons = Some(vec![neuron(&[2], -1), neuron(&[-2], 3)]);
    let certificate = LoadingCertificate { claim, neurons, circuits: vec![], proof: vec![], hulls: vec![] };
    assert_eq!(step_of(&problem, &certificate), None);
}
