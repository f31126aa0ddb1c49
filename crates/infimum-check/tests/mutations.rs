//! A certificate made by hand, and every way to spoil it: nothing false is accepted, nothing panics.

use infimum_check::{Step, check};
use infimum_problem::{Certificate, Claim, Ending, Intercept, Loss, Model, Split, Strength, Task};

/// Two points, x = ∓1 with labels 0 and 1, one column, hinge, C = 1, no intercept: w = 1, α = (−½, ½), U = D = ½.
const DATA: &str = "x,y\n-1,0\n1,1\n";

fn valid(path: &str) -> Certificate {
    let request = infimum_data::Request {
        loss: Some(Loss::Hinge),
        intercept: Some(Intercept::None),
        ..infimum_data::Request::default()
    };
    let loaded = infimum_data::load(path, &request).expect("loads");
    Certificate {
        claim: Claim {
            version: 1,
            kind: "convex".into(),
            source: loaded.source,
            recipe: loaded.recipe,
            problem_sha256: loaded.problem_sha256,
            lambda1: 0.0,
            lambda2: 1.0,
            rows: 2,
            columns: 1,
            outputs: 1,
            total_weight: 2.0,
            lower: 0.5 - 2e-15,
            upper: 0.5 + 2e-15,
            gap: 1e-14,
            abs_gap: 0.0,
            ending: Ending::Optimal,
        },
        model: Model { outputs: 1, columns: 1, weights: vec![1.0], intercepts: vec![0.0] },
        dual: vec![-0.5, 0.5],
    }
}

fn with_data(test: impl FnOnce(&str, Certificate)) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("data.csv");
    std::fs::write(&path, DATA).expect("written");
    let path = path.to_str().expect("text").to_string();
    test(&path, valid(&path));
}

fn step_of(certificate: &Certificate, data: &str) -> Option<Step> {
    // Shapes that contradict the claim cannot even be written.
    let Ok(bytes) = certificate.to_bytes() else {
        return Some(Step::Container);
    };
    check(&bytes, data).err().map(|refusal| refusal.step)
}

#[test]
fn the_exact_optimum_is_verified_to_the_last_places() {
    with_data(|data, certificate| {
        let verdict = check(&certificate.to_bytes().expect("bytes"), data).expect("verified");
        assert!(0.5 - 1e-15 <= verdict.lower && verdict.lower <= 0.5, "{}", verdict.lower);
        assert!(0.5 <= verdict.upper && verdict.upper <= 0.5 + 1e-15, "{}", verdict.upper);
        assert!(verdict.claim.contains("hinge") && verdict.claim.contains("intercept none"));
    });
}

#[test]
fn every_field_changed_is_refused_at_its_step() {
    type Change = (&'static str, Step, fn(&mut Certificate));
    let changes: Vec<Change> = vec![
        ("hash", Step::Problem, |c| c.claim.problem_sha256 = "0".repeat(64)),
        ("lambda1", Step::Problem, |c| c.claim.lambda1 = 1.0),
        ("lambda2", Step::Problem, |c| c.claim.lambda2 = 0.5),
        ("total weight", Step::Problem, |c| c.claim.total_weight = 1.0),
        ("rows", Step::Container, |c| c.claim.rows = 3),
        ("columns", Step::Container, |c| c.claim.columns = 2),
        ("outputs", Step::Container, |c| c.claim.outputs = 2),
        ("version", Step::Container, |c| c.claim.version = 2),
        ("kind", Step::Container, |c| c.claim.kind = "deep".into()),
        ("lower", Step::Lower, |c| c.claim.lower = 0.5f64.next_up()),
        ("lower nan", Step::Container, |c| c.claim.lower = f64::NAN),
        ("upper", Step::Upper, |c| c.claim.upper = 0.5f64.next_down()),
        ("ending", Step::Ending, |c| c.claim.ending = Ending::NotAttained),
        ("gap", Step::Ending, |c| c.claim.gap = -1.0),
        ("loss", Step::Problem, |c| c.claim.recipe.loss = Loss::Logistic),
        ("intercept", Step::Problem, |c| c.claim.recipe.intercept = Intercept::Free),
        ("strength", Step::Problem, |c| c.claim.recipe.strength = Strength::C(2.0)),
        ("target", Step::Problem, |c| c.claim.recipe.target = "x".into()),
        ("target missing", Step::Data, |c| c.claim.recipe.target = "z".into()),
        ("header", Step::Data, |c| c.claim.recipe.header = false),
        ("task", Step::Data, |c| c.claim.recipe.task = Task::Regression),
        ("split", Step::Data, |c| c.claim.recipe.split = Some(Split { fraction: 0.5, seed: 0 })),
        ("standardize", Step::Data, |c| c.claim.recipe.standardize = true),
        ("weight", Step::Upper, |c| c.model.weights[0] = 0.9),
        ("weight nan", Step::Model, |c| c.model.weights[0] = f64::NAN),
        ("weight infinite", Step::Model, |c| c.model.weights[0] = f64::INFINITY),
        ("intercept value", Step::Model, |c| c.model.intercepts[0] = 1e-300),
        ("dual outside", Step::Dual, |c| c.dual[0] = -1.0f64.next_up()),
        ("dual sign", Step::Dual, |c| c.dual[0] = 0.5),
        ("dual nan", Step::Dual, |c| c.dual[0] = f64::NAN),
        ("dual worse", Step::Lower, |c| c.dual[0] = -0.25),
        ("optimal without gap", Step::Ending, |c| c.claim.lower = 0.25),
    ];
    with_data(|data, certificate| {
        for (name, step, change) in changes {
            let mut changed = certificate.clone();
            change(&mut changed);
            assert_eq!(step_of(&changed, data), Some(step), "{name}");
        }
        // A weaker claim that is still true is accepted, because it is proven anew.
        let mut weaker = certificate.clone();
        (weaker.claim.lower, weaker.claim.gap) = (0.25, 0.6);
        assert_eq!(step_of(&weaker, data), None);
    });
}

#[test]
fn a_free_intercept_demands_an_exact_sum() {
    with_data(|data, certificate| {
        let mut free = certificate.clone();
        let request = infimum_data::Request { loss: Some(Loss::Hinge), ..infimum_data::Request::default() };
        let loaded = infimum_data::load(data, &request).expect("loads");
        (free.claim.recipe, free.claim.problem_sha256) = (loaded.recipe, loaded.problem_sha256);
        assert_eq!(step_of(&free, data), None);
        free.claim.lower = 0.4;
        free.claim.gap = 1.0;
        free.dual[1] = 0.5f64.next_down();
        assert_eq!(step_of(&free, data), Some(Step::Dual), "one unit in the last place off");
    });
}

#[test]
fn other_data_is_refused() {
    with_data(|data, certificate| {
        let bytes = certificate.to_bytes().expect("bytes");
        for (content, step) in [
            ("x,y\n-1,0\n1.0000000000000002,1\n", Step::Problem),
            ("x,y\n-1,1\n1,0\n", Step::Problem),
            ("x,y\n1,1\n-1,0\n", Step::Problem),
            ("x,y\n-1,0\n1,1\n1,1\n", Step::Problem),
            ("z,y\n-1,0\n1,1\n", Step::Problem),
            ("x,y\n-1,a\n1,b\n", Step::Problem),
            ("x,y\n-1,0\n1\n", Step::Data),
            ("x,y\n-1,0\nnan,1\n", Step::Data),
            ("", Step::Data),
        ] {
            std::fs::write(data, content).expect("written");
            assert_eq!(check(&bytes, data).err().map(|refusal| refusal.step), Some(step), "{content:?}");
        }
        // The same problem in other clothes is the same problem.
        for content in ["\"x\",\"y\"\r\n-1.0,0\r\n1e0,+1\r\n", "x,y\n\n-1,0.0\n 1 , 1 \n"] {
            std::fs::write(data, content).expect("written");
            assert!(check(&bytes, data).is_ok(), "{content:?}");
        }
    });
}

#[test]
fn every_truncation_and_every_flipped_byte_is_refused() {
    with_data(|data, certificate| {
        let bytes = certificate.to_bytes().expect("bytes");
        for length in 0..bytes.len() {
            assert!(check(&bytes[..length], data).is_err(), "{length} bytes");
        }
        let header = 8 + u64::from_le_bytes(std::array::from_fn(|i| bytes[i])) as usize;
        for position in 0..bytes.len() {
            for flip in [1u8, 0x80] {
                let mut flipped = bytes.clone();
                flipped[position] ^= flip;
                let accepted = check(&flipped, data).is_ok();
                // White space that pads the header is the one thing that means nothing.
                assert!(!accepted || position < header, "byte {position} of {} flipped by {flip}", bytes.len());
            }
        }
    });
}

#[test]
fn not_attained_is_a_claim() {
    with_data(|data, mut certificate| {
        let request = infimum_data::Request {
            loss: Some(Loss::Logistic),
            intercept: Some(Intercept::None),
            strength: Some(Strength::PerExample { l1: 0.0, l2: 0.0 }),
            ..infimum_data::Request::default()
        };
        let loaded = infimum_data::load(data, &request).expect("loads");
        (certificate.claim.recipe, certificate.claim.problem_sha256) = (loaded.recipe, loaded.problem_sha256);
        (certificate.claim.lambda2, certificate.claim.lower, certificate.claim.upper) = (0.0, 0.0, 1.0);
        certificate.dual = vec![0.0, 0.0];
        certificate.claim.ending = Ending::NotAttained;
        assert_eq!(step_of(&certificate, data), None);
        // Without penalty any other dual point is infeasible: v must be exactly 0.
        certificate.dual = vec![-1e-20, 0.0];
        assert_eq!(step_of(&certificate, data), Some(Step::Dual));
        certificate.dual = vec![0.0, 0.0];
        certificate.model.weights[0] = -0.1;
        (certificate.claim.upper, certificate.claim.lower) = (2.0, 0.0);
        assert_eq!(step_of(&certificate, data), Some(Step::Ending));
    });
}
