//! Paths, warm starts, folds and shares: what is proven does not depend on where a solver starts, and problems made in memory
//! are those that their recipes describe.
#![allow(clippy::unwrap_used)] // helpers of tests fail as tests do

use std::ops::ControlFlow;

use infimum::{
    Change, CrossValidation, Ending, FitOptions, Intercept, Loaded, Loss, Path, Penalty, Range, Request, Rule, Score,
    Silent, Split, Start, Strength, Subset, cross_validate, fit_loaded, load, path,
};
use infimum_convex::l1_max;
use infimum_problem::Model;
use proptest::prelude::*;
use tempfile::TempDir;

/// A table of 60 rows with example weights, three labels, a number and a column of text, made of `numbers`.
struct Table {
    folder: TempDir,
}

impl Table {
    fn new(numbers: &[i32]) -> Table {
        let mut text = String::from("a,b,c,d,weight,label,value\n");
        for (row, n) in numbers.chunks_exact(3).enumerate() {
            let label = ["x", "y", "z"][(n[0] + 2 * n[1] + n[2]).rem_euclid(3) as usize];
            let [a, b, c] = [n[0], n[1], n[2]].map(|n| f64::from(n) / 8.0);
            let value = 12.0 + 2.0 * a - b + f64::from(n[2] % 5);
            text.push_str(&format!("{a},{b},{c},{},{},{label},{value}\n", ["p", "q"][row % 2], 1 + row % 3));
        }
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("table.csv"), text).unwrap();
        Table { folder }
    }

    fn path(&self) -> String {
        self.folder.path().join("table.csv").display().to_string()
    }

    /// The table with the target for `loss`.
    fn load(&self, loss: Loss, request: Request) -> Loaded {
        let target = if loss.is_classification() { "label" } else { "value" };
        let sample_weight = Some("weight".into());
        let request = Request { target: Some(target.into()), loss: Some(loss), sample_weight, ..request };
        load(&self.path(), &request).unwrap()
    }
}

/// Numbers for a table, every label among its rows at least three times.
fn numbers() -> impl Strategy<Value = Vec<i32>> {
    prop::collection::vec(-20i32..20, 3 * 51).prop_map(|mut numbers| {
        numbers.extend((0..9).flat_map(|row| [row % 3, 0, 3 * row]));
        numbers
    })
}

fn options(gap: f64) -> FitOptions {
    FitOptions { gap, ..FitOptions::default() }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// Warm and cold fits enclose the same optimum, at every strength, for every loss and either penalty.
    #[test]
    fn bounds_along_a_path_enclose_what_cold_fits_find(numbers in numbers(), which in 0usize..Loss::ALL.len(), lasso in any::<bool>()) {
        let loss = Loss::ALL[which];
        let loaded = Table::new(&numbers).load(loss, Request::default());
        let penalty = if lasso { Penalty::L1 } else { Penalty::L2 };
        let spec = Path { penalty, points: 5, range: Range::Ratio(1e-2), other: if lasso { 1e-3 } else { 0.0 } };
        let strengths = spec.strengths(&loaded).unwrap();
        let mut points = Vec::new();
        path(loaded.clone(), &strengths, &options(1e-6), None, &Silent, &mut |_, fit, proof| {
            let verdict = proof.as_ref().expect("the checker accepts");
            points.push((verdict.lower, verdict.upper, fit.outcome.ending));
            ControlFlow::Continue(())
        }).unwrap();
        prop_assert_eq!(points.len(), 5);
        for (&strength, (lower, upper, ending)) in strengths.iter().zip(points) {
            let mut cold = loaded.clone();
            cold.set(Change { strength: Some(strength), ..Change::default() }).unwrap();
            let cold = fit_loaded(cold, &options(1e-6), None, &Silent).unwrap();
            let verdict = cold.proof().expect("the checker accepts");
            prop_assert!(lower <= verdict.upper && verdict.lower <= upper, "{:?}: {lower} {upper} {verdict:?}", strength);
            prop_assert_eq!(ending, Ending::Optimal);
        }
    }

    /// At λmax all weights are zero; a little below, with a unique dual point, they are not.
    #[test]
    fn all_weights_are_zero_at_the_first_strength_and_not_below(
        numbers in numbers(), which in 0usize..Loss::ALL.len(), free in any::<bool>(), standardize in any::<bool>(),
    ) {
        let loss = Loss::ALL[which];
        let intercept = Some(if free { Intercept::Free } else { Intercept::None });
        let request = Request { intercept, standardize: standardize && free, ..Request::default() };
        let loaded = Table::new(&numbers).load(loss, request);
        let largest = l1_max(&loaded.problem) / loaded.problem.data.total_weight;
        let at = |factor: f64| {
            let mut loaded = loaded.clone();
            let strength = Some(Strength::PerExample { l1: largest * factor, l2: 0.0 });
            loaded.set(Change { strength, ..Change::default() }).unwrap();
            fit_loaded(loaded, &options(1e-10), None, &Silent).unwrap()
        };
        let zeros = at(1.0 + 1e-12);
        // The optimum is that of the best constant, which no strength changes.
        let constant = at(1e6).outcome;
        let (one, other) = (zeros.outcome.upper, constant.upper);
        prop_assert!((one - other).abs() <= 1e-9 * other.abs() && zeros.proof().is_ok(), "{}: {one} {other}", loss.name());
        prop_assert!(loss.is_piecewise_linear() || zeros.outcome.model.weights.iter().all(|w| *w == 0.0));
        if !loss.is_piecewise_linear() {
            let below = at(0.98);
            prop_assert!(below.outcome.model.weights.iter().any(|w| *w != 0.0), "{}", loss.name());
            prop_assert!(below.outcome.lower < zeros.outcome.upper);
        }
    }

    /// Whatever a solver starts from, even nonsense, what it ends with is optimal and proven.
    #[test]
    fn proofs_do_not_depend_on_the_start(numbers in numbers(), which in 0usize..Loss::ALL.len(), size in -3i32..300, odd in 0usize..5) {
        let loss = Loss::ALL[which];
        let loaded = Table::new(&numbers).load(loss, Request::default());
        let (n, d, outputs) = (loaded.problem.data.rows(), loaded.problem.data.columns(), loaded.problem.outputs());
        let value = [10f64.powi(size), -10f64.powi(size), f64::INFINITY, f64::NAN, 0.0][odd];
        let weights = (0..outputs * d).map(|j| if j % 2 == 0 { value } else { 1.0 }).collect();
        let model = Model { outputs, columns: d, weights, intercepts: vec![value; outputs] };
        let dual = Some((0..n * outputs).map(|i| if i % 3 == 0 { value } else { -1.0 }).collect());
        let fit = fit_loaded(loaded, &options(1e-6), Some(Start { model, dual }), &Silent).unwrap();
        prop_assert_eq!(fit.outcome.ending, Ending::Optimal);
        prop_assert!(fit.proof().is_ok(), "{:?}", fit.proof());
    }

    /// Folds and shares made in memory are the problems that their recipes describe: same hash, and the checker accepts.
    #[test]
    fn subsets_are_what_their_recipes_describe(
        numbers in numbers(), which in 0usize..Loss::ALL.len(), standardize in any::<bool>(), split in any::<bool>(),
        folds in 2usize..5, rows in 3usize..30, seed in 0u64..9,
    ) {
        let table = Table::new(&numbers);
        let loss = Loss::ALL[which];
        let split = split.then_some(Split { fraction: 0.2, seed: 3 });
        let balanced = loss.is_classification().then_some(infimum::ClassWeight::Balanced);
        let request = Request { standardize, split, class_weight: balanced, ..Request::default() };
        let loaded = table.load(loss, request);
        for subset in [Subset::WithoutFold { folds, fold: folds - 1, seed }, Subset::Share { rows, seed }] {
            // Held-out rows may have taken all but one row of a label.
            let Ok(part) = loaded.subset(subset) else { continue };
            let rebuilt = infimum_data::rebuild(&table.path(), &part.recipe, None).unwrap();
            prop_assert_eq!(&rebuilt.problem_sha256, &part.problem_sha256);
            prop_assert_eq!(&rebuilt.problem, &part.problem);
            prop_assert_eq!(&rebuilt.validation, &part.validation);
            let fit = fit_loaded(part, &options(1e-4), None, &Silent).unwrap();
            let bytes = fit.certificate().to_bytes().unwrap();
            prop_assert!(infimum_check::check(&bytes, &table.path()).is_ok());
        }
    }

    /// A problem with another objective is the one that is read with it.
    #[test]
    fn changed_objectives_are_what_their_recipes_describe(numbers in numbers(), l1 in 0.0f64..1.0, l2 in 0.0f64..1.0, standardize in any::<bool>()) {
        let table = Table::new(&numbers);
        let mut loaded = table.load(Loss::Softmax, Request::default());
        let strength = Some(Strength::PerExample { l1, l2 });
        loaded.set(Change { loss: Some(Loss::Hinge), strength, standardize: Some(standardize) }).unwrap();
        let rebuilt = infimum_data::rebuild(&table.path(), &loaded.recipe, None).unwrap();
        prop_assert_eq!(rebuilt.problem_sha256, loaded.problem_sha256);
        prop_assert_eq!(rebuilt.problem, loaded.problem);
    }
}

#[test]
fn a_start_at_the_optimum_is_the_end() {
    for (data, loss, gap) in [
        ("builtin:breast-cancer", Some(Loss::Logistic), 1e-8),
        ("builtin:breast-cancer", Some(Loss::Hinge), 1e-8),
        ("builtin:breast-cancer", Some(Loss::SquaredHinge), 1e-8),
        ("builtin:wine", Some(Loss::Softmax), 1e-8),
        ("builtin:wine", Some(Loss::Hinge), 1e-8),
        ("builtin:friedman", Some(Loss::Squared), 1e-8),
        ("builtin:friedman", Some(Loss::Epsilon(0.1)), 1e-8),
    ] {
        for strength in [Strength::C(1.0), Strength::PerExample { l1: 1e-2, l2: 1e-3 }] {
            let request = Request { loss, strength: Some(strength), standardize: true, ..Request::default() };
            let cold = fit_loaded(load(data, &request).unwrap(), &options(gap), None, &Silent).unwrap();
            assert_eq!(cold.outcome.ending, Ending::Optimal, "{data} {loss:?}");
            let start = Some(cold.start());
            let warm = fit_loaded(cold.loaded.clone(), &options(gap), start, &Silent).unwrap();
            assert_eq!(
                (warm.outcome.ending, warm.outcome.explored),
                (Ending::Optimal, 0),
                "{data} {loss:?} {strength:?}"
            );
            assert!(warm.proof().is_ok());
            let model = cold.outcome.model.clone();
            let steps =
                fit_loaded(cold.loaded.clone(), &options(gap), Some(Start { model, dual: None }), &Silent).unwrap();
            assert_eq!(steps.outcome.ending, Ending::Optimal);
            let smooth = loss.is_some_and(|loss| !loss.is_piecewise_linear());
            let parts = steps.outcome.model.outputs as u64;
            assert!(
                !smooth || steps.outcome.explored <= 2 * parts,
                "{data} {loss:?}: {} steps",
                steps.outcome.explored
            );
        }
    }
}

/// The score `loss` over the training rows is the objective without its penalty; of several targets the losses are added up.
#[test]
fn the_loss_of_rows_is_what_is_trained() {
    let several = Loss::ALL.into_iter().filter(|&loss| loss != Loss::Softmax).map(|loss| (loss, true));
    for (loss, several) in Loss::ALL.map(|loss| (loss, false)).into_iter().chain(several) {
        let data = match (loss.is_classification(), several) {
            (true, false) => "builtin:wine",
            (true, true) => "builtin:parity:5",
            (false, _) => "builtin:friedman",
        };
        let strength = Some(Strength::PerExample { l1: 1e-2, l2: 1e-2 });
        let target = several.then(|| "-1".to_string());
        let more_targets = several.then(|| "1".to_string()).into_iter().collect();
        let loss_only = Request { loss: Some(loss), strength, standardize: true, ..Request::default() };
        let request = Request { target, more_targets, ..loss_only };
        let fit = fit_loaded(load(data, &request).unwrap(), &options(1e-9), None, &Silent).unwrap();
        let (problem, model) = (&fit.loaded.problem, &fit.outcome.model);
        let known = infimum::KnownTarget::from(&problem.data.target);
        let rows = Score::Loss.of_rows(loss, model, &problem.data.matrix, &known);
        let penalty: f64 = (model.weights.iter().enumerate())
            .map(|(entry, w)| {
                let w = problem.objective.scale(entry % model.columns) * w;
                problem.objective.lambda1 * w.abs() + 0.5 * problem.objective.lambda2 * w * w
            })
            .sum();
        let sum = rows.iter().sum::<f64>() + penalty;
        let upper = fit.outcome.upper;
        assert!((sum - upper).abs() <= 1e-9 * upper, "{}: {sum} and {upper}", loss.name());
    }
}

#[test]
fn starts_of_other_shapes_are_refused() {
    let loaded = || load("builtin:wine", &Request::default()).unwrap();
    let start = |outputs, columns, dual| {
        let start = Some(Start { model: Model::zeros(outputs, columns), dual });
        fit_loaded(loaded(), &options(1e-4), start, &Silent).unwrap_err().to_string()
    };
    assert!(start(3, 5, None).contains("expected 3 outputs of 13 weights, got 3 of 5"));
    assert!(start(1, 13, None).contains("got 1 of 13"));
    assert!(start(3, 13, Some(vec![0.0; 7])).contains("expected 534 values, got 7"));
}

#[test]
fn a_warm_path_takes_fewer_steps_than_cold_points() {
    let request = Request { standardize: true, ..Request::default() };
    let loaded = load("builtin:breast-cancer", &request).unwrap();
    for penalty in [Penalty::L1, Penalty::L2] {
        let spec = Path { penalty, points: 20, range: Range::Usual, other: 0.0 };
        let strengths = spec.strengths(&loaded).unwrap();
        let (mut warm, mut cold) = (0, 0);
        path(loaded.clone(), &strengths, &options(1e-6), None, &Silent, &mut |point, fit, proof| {
            assert!(proof.is_ok() && fit.outcome.ending == Ending::Optimal);
            warm += fit.outcome.explored;
            let mut alone = loaded.clone();
            alone.set(Change { strength: Some(strengths[point]), ..Change::default() }).unwrap();
            cold += fit_loaded(alone, &options(1e-6), None, &Silent).unwrap().outcome.explored;
            ControlFlow::Continue(())
        })
        .unwrap();
        assert!(warm < cold, "{penalty:?}: {warm} steps on the path, {cold} from zero");
    }
}

#[test]
fn cross_validation_scores_every_row_once_and_proves_every_fold() {
    let loaded = load("builtin:iris", &Request::default()).unwrap();
    let strengths = [100.0, 1e-3, 1e-9].map(|l2| Strength::PerExample { l1: 0.0, l2 });
    for score in [Score::Loss, Score::LogLoss, Score::Accuracy] {
        let how = CrossValidation { folds: 5, seed: 4, score };
        let table = cross_validate(&loaded, &strengths, how, &options(1e-5), &Silent, &|_, _| {}).unwrap();
        assert_eq!((table.reached, table.folds.len()), (3, 5));
        for strength in 0..3 {
            let (gap, proven) = table.gap(strength);
            assert!(proven && gap <= 1e-5, "{gap}");
        }
        let best = table.choose(Rule::Best).unwrap();
        assert_ne!(best, 0, "weights shrunk to nothing are not the best");
        assert!(table.choose(Rule::OneStandardError).unwrap() <= best, "never a weaker penalty");
        // Threads change nothing but the order in which folds are done.
        let threads = FitOptions { threads: 2, ..options(1e-5) };
        let again = cross_validate(&loaded, &strengths, how, &threads, &Silent, &|_, _| {}).unwrap();
        assert_eq!(table, again);
    }
}
