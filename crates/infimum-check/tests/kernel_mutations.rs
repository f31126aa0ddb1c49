//! Kernel certificates made by hand, and every way to spoil them.

use infimum_check::{Step, check};
use infimum_data::{Request, load};
use infimum_problem::{Certificate, Claim, Ending, Gamma, Intercept, Kernel, KernelRequest, Loss, Model, Strength};

/// Two points, x = ∓1 with labels 0 and 1, hinge, C = 1.
const DATA: &str = "x,y\n-1,0\n1,1\n";

/// exp(−½·2²), K(−1, 1) of the rbf kernel with γ = ½.
fn apart() -> f64 {
    (-2.0f64).exp()
}

/// α = β = (−1, 1) is optimal for rbf with γ = ½: D = U = 1 + exp(−2). It sums to 0, so that it is so for every intercept.
fn rbf(data: &str, gamma: f64, intercept: Intercept) -> Certificate {
    made(data, KernelRequest::Rbf(Gamma::Value(gamma)), intercept, [-1.0, 1.0], 1.0 + apart())
}

/// (x·y + 1)² is 4 for equal points and 0 for the others: α = (−¼, ¼), f = (−1, 1), D = U = ¼.
fn polynomial(data: &str) -> Certificate {
    let kernel = KernelRequest::Polynomial { gamma: Gamma::Value(1.0), degree: 2, coef0: 1.0 };
    made(data, kernel, Intercept::None, [-0.25, 0.25], 0.25)
}

fn made(data: &str, kernel: KernelRequest, intercept: Intercept, alpha: [f64; 2], optimum: f64) -> Certificate {
    let request =
        Request { loss: Some(Loss::Hinge), intercept: Some(intercept), kernel: Some(kernel), ..Request::default() };
    let loaded = load(data, &request).expect("loads");
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
            lower: optimum - 1e-13,
            upper: optimum + 1e-13,
            gap: 1e-12,
            abs_gap: 0.0,
            ending: Ending::Optimal,
        },
        model: Model { outputs: 1, columns: 2, weights: alpha.to_vec(), intercepts: vec![0.0] },
        dual: alpha.to_vec(),
    }
}

fn with_data(test: impl FnOnce(&str)) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("data.csv");
    std::fs::write(&path, DATA).expect("written");
    test(path.to_str().expect("text"));
}

fn step_of(certificate: &Certificate, data: &str) -> Option<Step> {
    // Shapes that contradict the claim cannot even be written.
    let Ok(bytes) = certificate.to_bytes() else {
        return Some(Step::Container);
    };
    check(&bytes, data).err().map(|refusal| refusal.step)
}

fn kernel(name: &str, gamma: f64, degree: u32, coef0: f64) -> Option<Kernel> {
    Some(if name == "rbf" { Kernel::Rbf { gamma } } else { Kernel::Polynomial { gamma, degree, coef0 } })
}

type Change = (&'static str, Step, fn(&mut Certificate));

fn all_refused(changes: &[Change], certificate: &Certificate, data: &str) {
    assert_eq!(step_of(certificate, data), None);
    for (name, step, change) in changes {
        let mut changed = certificate.clone();
        change(&mut changed);
        assert_eq!(step_of(&changed, data), Some(*step), "{name}");
    }
}

#[test]
fn the_exact_optimum_is_verified() {
    with_data(|data| {
        for intercept in [Intercept::None, Intercept::Penalized, Intercept::Free] {
            let bytes = rbf(data, 0.5, intercept).to_bytes().expect("bytes");
            let verdict = check(&bytes, data).expect("verified");
            let optimum = 1.0 + apart();
            assert!(verdict.lower <= optimum && optimum <= verdict.upper && verdict.upper - verdict.lower < 1e-13);
            assert!(verdict.claim.contains("over all functions f of the space of the kernel rbf"), "{}", verdict.claim);
            assert!(verdict.claim.contains("γ = 0.5"), "{}", verdict.claim);
        }
    });
}

#[test]
fn every_field_of_an_rbf_claim_changed_is_refused_at_its_step() {
    let changes: [Change; 23] = [
        ("hash", Step::Problem, |c| c.claim.problem_sha256 = "0".repeat(64)),
        ("gamma", Step::Problem, |c| c.claim.recipe.kernel = kernel("rbf", 0.5f64.next_up(), 0, 0.0)),
        ("gamma 0", Step::Data, |c| c.claim.recipe.kernel = kernel("rbf", 0.0, 0, 0.0)),
        ("gamma negative", Step::Data, |c| c.claim.recipe.kernel = kernel("rbf", -0.5, 0, 0.0)),
        ("name", Step::Problem, |c| c.claim.recipe.kernel = kernel("polynomial", 0.5, 1, 0.0)),
        ("no kernel", Step::Container, |c| c.claim.recipe.kernel = None),
        ("lambda1", Step::Problem, |c| c.claim.lambda1 = 1.0),
        ("lambda2", Step::Problem, |c| c.claim.lambda2 = 0.5),
        ("strength", Step::Problem, |c| c.claim.recipe.strength = Strength::C(2.0)),
        ("l1", Step::Data, |c| c.claim.recipe.strength = Strength::PerExample { l1: 0.1, l2: 0.5 }),
        ("no l2", Step::Data, |c| c.claim.recipe.strength = Strength::PerExample { l1: 0.0, l2: 0.0 }),
        ("standardize", Step::Data, |c| c.claim.recipe.standardize = true),
        ("loss", Step::Problem, |c| c.claim.recipe.loss = Loss::SquaredHinge),
        ("intercept", Step::Problem, |c| c.claim.recipe.intercept = Intercept::Penalized),
        ("α beyond the box", Step::Dual, |c| c.dual[1] = 1.0f64.next_up()),
        ("α of the wrong sign", Step::Dual, |c| c.dual[1] = -0.5),
        ("α smaller", Step::Lower, |c| c.dual[1] = 0.999),
        ("β smaller", Step::Upper, |c| c.model.weights[0] = -0.999),
        ("β infinite", Step::Model, |c| c.model.weights[0] = f64::INFINITY),
        ("lower", Step::Lower, |c| c.claim.lower = 1.0 + apart() + 1e-14),
        ("upper", Step::Upper, |c| c.claim.upper = 1.0 + apart() - 1e-14),
        ("ending", Step::Ending, |c| c.claim.ending = Ending::NotAttained),
        ("gap", Step::Ending, |c| c.claim.gap = 1e-15),
    ];
    with_data(|data| all_refused(&changes, &rbf(data, 0.5, Intercept::None), data));
}

#[test]
fn every_parameter_of_a_polynomial_kernel_counts() {
    let changes: [Change; 9] = [
        ("gamma", Step::Problem, |c| c.claim.recipe.kernel = kernel("polynomial", 1.0f64.next_down(), 2, 1.0)),
        ("degree", Step::Problem, |c| c.claim.recipe.kernel = kernel("polynomial", 1.0, 4, 1.0)),
        ("coef0", Step::Problem, |c| c.claim.recipe.kernel = kernel("polynomial", 1.0, 2, 1.0f64.next_up())),
        ("name", Step::Problem, |c| c.claim.recipe.kernel = kernel("rbf", 1.0, 0, 0.0)),
        ("degree 0", Step::Data, |c| c.claim.recipe.kernel = kernel("polynomial", 1.0, 0, 1.0)),
        ("degree 65", Step::Data, |c| c.claim.recipe.kernel = kernel("polynomial", 1.0, 65, 1.0)),
        ("coef0 negative", Step::Data, |c| c.claim.recipe.kernel = kernel("polynomial", 1.0, 2, -1.0)),
        ("α larger", Step::Lower, |c| c.dual[1] = 0.2501),
        ("β larger", Step::Upper, |c| c.model.weights[1] = 0.2501),
    ];
    with_data(|data| all_refused(&changes, &polynomial(data), data));
}

/// The bounds of one kernel, put under the hash of another.
#[test]
fn bounds_of_another_kernel_are_refused() {
    with_data(|data| {
        for (gamma, step) in [(0.5001, Step::Lower), (2.0, Step::Lower), (0.4999, Step::Upper), (0.1, Step::Upper)] {
            let forged = rbf(data, gamma, Intercept::None);
            assert_eq!(step_of(&forged, data), Some(step), "{gamma}");
        }
    });
}

#[test]
fn a_free_intercept_demands_an_exact_sum() {
    with_data(|data| {
        let mut free = rbf(data, 0.5, Intercept::Free);
        assert_eq!(step_of(&free, data), None);
        (free.claim.lower, free.claim.gap) = (0.5, 1.0);
        free.dual[1] = 1.0f64.next_down();
        assert_eq!(step_of(&free, data), Some(Step::Dual), "one unit in the last place off");
    });
}

/// A penalised intercept takes (Σα)²/(2λ2) from the bound.
#[test]
fn a_penalised_intercept_costs() {
    with_data(|data| {
        let mut penalized = rbf(data, 0.5, Intercept::Penalized);
        penalized.dual = vec![0.0, 1.0];
        // Gain 1, ½ for αᵀKα = 1, ½ for (Σα)² = 1.
        (penalized.claim.lower, penalized.claim.ending) = (-1e-13, Ending::Stalled);
        assert_eq!(step_of(&penalized, data), None);
        penalized.claim.lower = 1e-13;
        assert_eq!(step_of(&penalized, data), Some(Step::Lower));
    });
}
