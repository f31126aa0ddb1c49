//! A matrix in a temporary file gives the results of the same matrix in memory: hash, bounds, model, metrics.

use std::io::Write;

use infimum::{
    Ending, Fit, FitOptions, Intercept, KnownTarget, Loss, Matrix, Memory, Metrics, Predictor, Request, Silent, Solver,
    Split, Strength, Task, fit, metrics,
};
use infimum_check::{Checker, check};

/// Rows of 30 columns, about a third filled; labels 0, 1, 2 or a number.
fn rows(classes: bool) -> tempfile::NamedTempFile {
    let mut state = 7u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as f64 / (1u64 << 31) as f64
    };
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    for _ in 0..900 {
        let mut entries: Vec<(usize, f64)> = Vec::new();
        for j in 1..=30 {
            if next() < 0.35 {
                entries.push((j, 2.0 * next() - 0.7 - 0.01 * j as f64));
            }
        }
        let score: f64 = entries.iter().map(|&(j, x)| x * ((j * 7 % 11) as f64 - 5.0)).sum::<f64>() + 4.0 * next();
        let label = if classes { f64::from(u8::from(score > -2.0)) + f64::from(u8::from(score > 4.0)) } else { score };
        write!(file, "{label}").expect("written");
        entries.iter().for_each(|(j, x)| write!(file, " {j}:{x:.4}").expect("written"));
        writeln!(file).expect("written");
    }
    file
}

/// Metrics of a model on the training rows and the held-out ones.
fn both_metrics(fitted: &Fit, of: &Fit) -> (Metrics, Option<Metrics>) {
    let problem = &fitted.loaded.problem;
    let predictor = Predictor::new(problem, &of.outcome.model);
    let evaluate = |matrix: &Matrix, known| metrics(problem.objective.loss, &predictor, matrix, &known);
    let train = KnownTarget::from(&problem.data.target);
    let valid = fitted.loaded.validation.as_ref();
    let valid = valid.map(|validation| evaluate(&validation.matrix, KnownTarget::from(&validation.target)));
    (evaluate(&problem.data.matrix, train), valid)
}

/// Fits in memory and in blocks of about 30 rows, and compares everything.
fn compare(file: &tempfile::NamedTempFile, request: &Request, solver: Option<Solver>, threads: usize) {
    let name = file.path().to_str().expect("a name");
    let options = FitOptions { gap: 1e-8, solver, threads, ..FitOptions::default() };
    let run = |memory: Option<Memory>| -> Fit {
        fit(name, &Request { memory, ..request.clone() }, &options, |_| Box::new(Silent)).expect("fitted")
    };
    let memory = Memory::in_blocks(0, 4_096);
    let (held, spilled) = (run(None), run(Some(memory.clone())));
    assert!(spilled.loaded.problem.data.matrix.is_spilled() && !held.loaded.problem.data.matrix.is_spilled());
    assert_eq!(held.loaded.problem_sha256, spilled.loaded.problem_sha256);
    assert_eq!(held.loaded.problem.objective, spilled.loaded.problem.objective);
    assert_eq!((held.outcome.ending, spilled.outcome.ending), (Ending::Optimal, Ending::Optimal), "{request:?}");
    // Each gap is at most 1e-8, so the intervals overlap and none is further off than both.
    let near = |a: f64, b: f64| (a - b).abs() <= 2e-8 * a.abs();
    assert!(near(held.outcome.upper, spilled.outcome.upper) && near(held.outcome.lower, spilled.outcome.lower));
    for (a, b) in held.outcome.model.weights.iter().zip(&spilled.outcome.model.weights) {
        assert!((a - b).abs() < 0.01, "{a} {b}");
    }
    // The checker proves the same numbers from either storage.
    let bytes = spilled.certificate().to_bytes().expect("bytes");
    let plain = check(&bytes, name).expect("verified");
    let within = Checker::within(Some(memory)).check(&bytes, name).expect("verified");
    let same = |a: f64, b: f64| (a - b).abs() <= 1e-14 * a.abs();
    assert!(same(plain.lower, within.lower) && same(plain.upper, within.upper), "{plain:?} {within:?}");
    assert_eq!(both_metrics(&held, &held), both_metrics(&spilled, &held));
}

#[test]
fn classification() {
    let file = rows(true);
    for (loss, solver) in [
        (Loss::Logistic, None),
        (Loss::Logistic, Some(Solver::NewtonCg)),
        (Loss::SquaredHinge, Some(Solver::NewtonCg)),
        (Loss::Softmax, None),
        (Loss::Softmax, Some(Solver::NewtonCg)),
        (Loss::Hinge, None),
    ] {
        let request = Request { loss: Some(loss), ..Request::default() };
        [1, 3].iter().for_each(|&threads| compare(&file, &request, solver, threads));
    }
}

#[test]
fn regression_with_l1_split_and_scales() {
    let file = rows(false);
    let split = Some(Split { fraction: 0.3, seed: 5 });
    let strength = Some(Strength::PerExample { l1: 0.05, l2: 0.01 });
    let real = Request { task: Some(Task::Regression), split, ..Request::default() };
    for request in [
        Request { strength, ..real.clone() },
        Request { standardize: true, ..real.clone() },
        Request { loss: Some(Loss::Epsilon(0.1)), intercept: Some(Intercept::Penalized), ..real.clone() },
    ] {
        compare(&file, &request, None, 2);
    }
}

#[test]
fn what_needs_rows_at_random_is_refused_with_what_can_be_done() {
    let file = rows(true);
    let memory = Some(Memory::in_blocks(0, 4_096));
    let request = Request { memory, loss: Some(Loss::SquaredHinge), ..Request::default() };
    let options = FitOptions { solver: Some(Solver::DualCd), ..FitOptions::default() };
    let name = file.path().to_str().expect("a name");
    let refused = fit(name, &request, &options, |_| Box::new(Silent)).expect_err("refused").to_string();
    assert!(refused.contains("in memory") && refused.contains("newton-cg"), "{refused}");
}

/// Rows of dense storage are dense in the file too, so that every sum is made in the same order.
#[cfg(feature = "parquet")]
#[test]
fn a_parquet_file_gives_the_same_certificate_to_the_last_bit() {
    let file = tempfile::NamedTempFile::with_suffix(".parquet").expect("a file");
    std::fs::write(file.path(), include_bytes!("../../infimum-cli/tests/data/large.parquet")).expect("written");
    let name = file.path().to_str().expect("a name");
    let l1 = Some(Strength::PerExample { l1: 0.01, l2: 0.001 });
    let split = Some(Split { fraction: 0.3, seed: 2 });
    for (request, solver) in [
        (Request::default(), Solver::Newton),
        (Request { standardize: true, split, ..Request::default() }, Solver::NewtonCg),
        (Request { strength: l1, ..Request::default() }, Solver::WorkingSet),
        (Request { loss: Some(Loss::Hinge), ..Request::default() }, Solver::InteriorPoint),
    ] {
        let options = FitOptions { gap: 1e-7, solver: Some(solver), threads: 1, ..FitOptions::default() };
        let memory = Memory::in_blocks(0, 1 << 16);
        let [held, spilled] = [None, Some(memory.clone())].map(|memory| {
            fit(name, &Request { memory, ..request.clone() }, &options, |_| Box::new(Silent)).expect("fitted")
        });
        assert!(spilled.loaded.problem.data.matrix.is_spilled() && !held.loaded.problem.data.matrix.is_spilled());
        assert_eq!(held.outcome.ending, Ending::Optimal, "{request:?}");
        let bytes = spilled.certificate().to_bytes().expect("bytes");
        assert!(held.certificate().to_bytes().expect("bytes") == bytes, "{solver:?}");
        let (plain, within) = (check(&bytes, name), Checker::within(Some(memory)).check(&bytes, name));
        let (plain, within) = (plain.expect("verified"), within.expect("verified"));
        assert_eq!((plain.lower, plain.upper), (within.lower, within.upper));
    }
}
