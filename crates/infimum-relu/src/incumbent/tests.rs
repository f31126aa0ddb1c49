//! Networks against references, and stationarity on random data.

use std::path::PathBuf;
use std::sync::atomic::Ordering::SeqCst;

use infimum_problem::{
    ColumnNames, Dataset, DenseMatrix, HiddenBias, Intercept, Loss, Matrix, Objective, Problem, Target,
};

use super::*;

/// A problem with rows of `d` numbers.
fn problem(values: Vec<f64>, d: usize, target: Target, loss: Loss, intercept: Intercept, beta: f64) -> Problem {
    let rows = values.len() / d;
    Problem {
        data: Dataset {
            matrix: Matrix::Dense(DenseMatrix { rows, columns: d, values: values.into() }),
            column_names: ColumnNames::numbered(d),
            target,
            weights: vec![1.0; rows],
            total_weight: rows as f64,
        },
        objective: Objective { loss, intercept, lambda1: 0.0, lambda2: beta, scales: None, kernel: None },
    }
}

fn classes(signs: &[f64]) -> Target {
    Target::Class {
        labels: vec!["-1".into(), "1".into()],
        classes: signs.iter().map(|&y| u32::from(y > 0.0)).collect(),
    }
}

/// A problem of small random numbers with ties, duplicates and unequal weights.
fn random_problem(
    rows: usize,
    d: usize,
    loss: Loss,
    labels: usize,
    intercept: Intercept,
    beta: f64,
    seed: u64,
) -> Problem {
    let mut random = Random(seed);
    let values: Vec<f64> = (0..rows * d).map(|_| (4.0 * random.normal()).round() / 4.0).collect();
    let target = if loss.is_classification() {
        let classes = (0..rows).map(|i| if i < labels { i as u32 } else { random.below(labels) as u32 }).collect();
        Target::Class { labels: (0..labels).map(|k| k.to_string()).collect(), classes }
    } else if loss == Loss::Poisson {
        Target::Real((0..rows).map(|_| random.below(5) as f64).collect())
    } else {
        Target::Real((0..rows).map(|_| 2.0 * random.normal() + 1.0).collect())
    };
    let mut problem = problem(values, d, target, loss, intercept, beta);
    problem.data.weights = (0..rows).map(|_| 0.5 + random.uniform()).collect();
    problem
}

/// `max ‖Σ α_i relu(x_i·u)‖` over directions u in the plane: on every kink, and at every cell's own maximum; for K > 1 at many angles.
fn maximum_in_the_plane(instance: &Instance, alpha: &[f64]) -> f64 {
    let outputs = instance.outputs;
    let gain = |u: [f64; 2]| {
        let mut pull = vec![0.0; outputs];
        for (i, &p) in instance.point_of.iter().enumerate() {
            let x = instance.points.point(p as usize);
            let t = (x[0] * u[0] + x[1] * u[1]).max(0.0);
            pull.iter_mut().zip(&alpha[i * outputs..]).for_each(|(pull, a)| *pull += a * t);
        }
        norm(&pull)
    };
    let mut angles: Vec<f64> = (0..instance.points.len())
        .map(|p| instance.points.point(p))
        .flat_map(|x| [x[1].atan2(x[0]) + 0.5 * std::f64::consts::PI, x[1].atan2(x[0]) - 0.5 * std::f64::consts::PI])
        .map(|angle| angle.rem_euclid(std::f64::consts::TAU))
        .collect();
    angles.sort_by(f64::total_cmp);
    let mut best = 0.0f64;
    for (place, &angle) in angles.iter().enumerate() {
        let next = angles.get(place + 1).copied().unwrap_or(angles[0] + std::f64::consts::TAU);
        best = best.max(gain([angle.cos(), angle.sin()]));
        if outputs > 1 {
            for step in 1..200 {
                let between = angle + (next - angle) * f64::from(step) / 200.0;
                best = best.max(gain([between.cos(), between.sin()]));
            }
            continue;
        }
        let middle = 0.5 * (angle + next);
        let mut g = [0.0; 2];
        for (i, &p) in instance.point_of.iter().enumerate() {
            let x = instance.points.point(p as usize);
            if x[0] * middle.cos() + x[1] * middle.sin() > 0.0 {
                g = [g[0] + alpha[i] * x[0], g[1] + alpha[i] * x[1]];
            }
        }
        for sign in [1.0, -1.0] {
            let own = (sign * g[1]).atan2(sign * g[0]);
            if (own - angle).rem_euclid(std::f64::consts::TAU) <= next - angle {
                best = best.max(gain([own.cos(), own.sin()]));
            }
        }
    }
    best
}

/// Dual value of α, scaled so that it is allowed (theorem 1), and how far `max ‖Φ‖` is above β.
fn dual(instance: &Instance, alpha: &[f64]) -> (f64, f64) {
    let excess = maximum_in_the_plane(instance, alpha) / instance.beta;
    let shrunk: Vec<f64> = alpha.iter().map(|a| a / excess.max(1.0)).collect();
    let outputs = instance.outputs;
    let sums: Vec<f64> = (0..outputs).map(|k| shrunk.iter().skip(k).step_by(outputs).sum()).collect();
    let rest = match instance.output_bias {
        Intercept::Penalized => dot(&sums, &sums) / (2.0 * instance.beta),
        Intercept::Free => {
            let total: f64 = shrunk.iter().map(|a| a.abs()).sum();
            assert!(norm(&sums) <= 1e-8 * total.max(1.0), "sums {sums:?}");
            0.0
        }
        Intercept::None => 0.0,
    };
    (instance.losses.gain(&shrunk) - rest, excess - 1.0)
}

fn never() -> bool {
    false
}

/// Rounds until nothing is violated. Rounds made.
fn finish(search: &mut Search) -> usize {
    for round in 1..200 {
        if search.round(&never) != Round::Improved {
            return round;
        }
    }
    200
}

/// Seconds this thread has run.
fn cpu() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split(' ').next().and_then(|ns| ns.parse::<f64>().ok()).unwrap_or(0.0) * 1e-9
}

fn instances() -> Option<PathBuf> {
    let Some(folder) = std::env::var_os("INFIMUM_DATA") else {
        eprintln!("skipped: INFIMUM_DATA is not set");
        return None;
    };
    Some(PathBuf::from(folder).join("instances/relu"))
}

fn load(file: &std::path::Path, logistic: bool, beta: f64) -> Problem {
    let text = std::fs::read_to_string(file).unwrap();
    let rows: Vec<Vec<f64>> =
        text.lines().skip(1).map(|line| line.split(',').map(|x| x.parse().unwrap()).collect()).collect();
    let d = rows[0].len() - 1;
    let values = rows.iter().flat_map(|row| row[..d].iter().copied()).collect();
    let y: Vec<f64> = rows.iter().map(|row| row[d]).collect();
    let (target, loss) = if logistic { (classes(&y), Loss::Logistic) } else { (Target::Real(y), Loss::Squared) };
    problem(values, d, target, loss, Intercept::None, beta)
}

#[test]
fn reference_optima_are_reached() {
    let Some(folder) = instances() else {
        return;
    };
    let text = std::fs::read_to_string(folder.join("reference.json")).unwrap();
    let entries: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
    for entry in entries {
        let (id, upper) = (entry["id"].as_str().unwrap(), entry["upper_bound"].as_f64().unwrap());
        let logistic = entry["loss"].as_str().unwrap().starts_with("log");
        let problem = load(&folder.join(entry["file"].as_str().unwrap()), logistic, entry["beta"].as_f64().unwrap());
        let instance = Instance::new(&problem, HiddenBias::None);
        let mut search = Search::new(&instance, None, 1, 1);
        let begin = cpu();
        let rounds = finish(&mut search);
        let gap = (search.value() - upper) / upper;
        eprintln!(
            "{id}: {rounds} rounds, width {}, {:.9} ({gap:.1e}), residual {:.1e}, {:.1} ms",
            search.present.units.len(),
            search.value(),
            search.residual(),
            1e3 * (cpu() - begin)
        );
        assert!(gap.abs() <= entry["rel_gap"].as_f64().unwrap().max(1e-10), "{id}: {} against {upper}", search.value());
        assert!(search.residual() <= 1e-10, "{id}");
    }
}

#[test]
fn high_dimensional_incumbents_are_reached() {
    let Some(folder) = instances() else {
        return;
    };
    let text = std::fs::read_to_string(folder.join("high.json")).unwrap();
    let entries: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
    // With weaker penalties the search goes on for many seconds; RELU_HIGH=all looks at those as well, for at most 15 seconds each.
    let all = std::env::var("RELU_HIGH").is_ok_and(|which| which == "all");
    for entry in entries {
        let (id, known) = (entry["id"].as_str().unwrap(), entry["incumbent"].as_f64().unwrap());
        if !(all || id.ends_with("_0.5bm") || (id.ends_with("_0.1bm") && !id.starts_with("dig20"))) {
            continue;
        }
        let logistic = entry["loss"].as_str().unwrap().starts_with("log");
        let problem = load(&folder.join(entry["file"].as_str().unwrap()), logistic, entry["beta"].as_f64().unwrap());
        let instance = Instance::new(&problem, HiddenBias::None);
        let begin = cpu();
        let mut search = Search::new(&instance, None, 1, 1);
        let (mut rounds, mut reached, mut did) = (0, None, Round::Improved);
        let late = || cpu() - begin > 15.0;
        while did == Round::Improved {
            did = search.round(&late);
            rounds += 1;
            if reached.is_none() && search.value() <= known * (1.0 + 1e-9) {
                reached = Some(1e3 * (cpu() - begin));
            }
        }
        eprintln!(
            "{id}: {did:?} after {rounds} rounds, width {}, {:.9} against {known:.9} ({:+.1e}), reached after {:.0} ms of {:.0} ms",
            search.present.units.len(),
            search.value(),
            search.value() / known - 1.0,
            reached.unwrap_or(f64::NAN),
            1e3 * (cpu() - begin)
        );
        assert!(reached.is_some(), "{id}: {} against {known}", search.value());
    }
}

/// Rounds until nothing is violated, then: stationary, no neuron violates the bound, and for K = 1 no gap.
fn check_in_the_plane(loss: Loss, labels: usize, intercept: Intercept, hidden: HiddenBias, beta: f64, seed: u64) {
    let d = if hidden == HiddenBias::None { 2 } else { 1 };
    let problem = random_problem(24, d, loss, labels, intercept, beta, seed);
    let instance = Instance::new(&problem, hidden);
    let mut search = Search::new(&instance, None, seed, 1);
    let rounds = finish(&mut search);
    let (lower, excess) = dual(&instance, &search.alpha());
    let gap = (search.value() - lower) / search.value().abs().max(1e-3);
    let name = format!(
        "{loss:?} {labels} {intercept:?} {hidden:?} {seed} beta {beta}: {rounds} rounds, width {}, value {}, gap {gap:.1e}, \
         excess {excess:.1e}, residual {:.1e}",
        search.present.units.len(),
        search.value(),
        search.residual()
    );
    assert!(excess < 1e-6, "{name}");
    assert!(search.residual() < 1e-9, "{name}");
    // α bounds what is outside of the sums ‖Φ‖ as well: for every K the value of the smallest sum of neurons (theorem 1 with the exact
    // maximum of ‖Φ‖ in the place of B).
    assert!(gap < 1e-6 && gap > -1e-9, "{name}");
    assert!((instance.value(search.net()) - search.value()).abs() <= 1e-9 * search.value().abs().max(1.0), "{name}");
}

#[test]
fn networks_are_optimal_in_the_plane() {
    for loss in Loss::ALL {
        for intercept in [Intercept::None, Intercept::Penalized, Intercept::Free] {
            for hidden in [HiddenBias::None, HiddenBias::Penalized] {
                for (seed, beta) in [(1, 2.0), (2, 0.5), (3, 0.1)] {
                    check_in_the_plane(loss, 2, intercept, hidden, beta, seed);
                    if loss.is_classification() {
                        check_in_the_plane(loss, 3, intercept, hidden, beta, seed);
                    }
                }
            }
        }
    }
}

/// The search's end on a problem in the plane with one output, checked by its dual.
fn check_degenerate(name: &str, problem: &Problem, hidden: HiddenBias) -> (f64, usize) {
    let instance = Instance::new(problem, hidden);
    let mut search = Search::new(&instance, None, 5, 1);
    finish(&mut search);
    let (lower, excess) = dual(&instance, &search.alpha());
    let gap = (search.value() - lower) / search.value().abs().max(1e-3);
    assert!(
        excess < 1e-6 && gap < 1e-6 && gap > -1e-9,
        "{name}: value {}, lower {lower}, excess {excess}",
        search.value()
    );
    (search.value(), search.present.units.len())
}

#[test]
fn degenerate_problems() {
    let squared = |values: Vec<f64>, d: usize, y: Vec<f64>, intercept: Intercept, beta: f64| {
        problem(values, d, Target::Real(y), Loss::Squared, intercept, beta)
    };
    let (one, none) = (HiddenBias::Penalized, HiddenBias::None);
    // One row: min ½(r‖x‖ − y)² + β r, r = (y − β/‖x‖)/‖x‖ with ‖x‖² = 5.
    let (value, width) = check_degenerate("one row", &squared(vec![2.0], 1, vec![3.0], Intercept::None, 0.5), one);
    let length = 5.0f64.sqrt();
    let r = (3.0 - 0.5 / length) / length;
    assert!((value - (0.5 * (r * length - 3.0f64).powi(2) + 0.5 * r)).abs() < 1e-12 && width == 1);
    // A strong penalty: the zero network, with the best constant.
    let y = vec![1.0, -2.0, 4.0, 0.5];
    let (value, width) =
        check_degenerate("zero", &squared(vec![1.0, 2.0, 3.0, 4.0], 1, y.clone(), Intercept::None, 1e3), one);
    assert!(width == 0 && (value - 10.625).abs() < 1e-12);
    let (value, width) =
        check_degenerate("constant", &squared(vec![1.0, 2.0, 3.0, 4.0], 1, y, Intercept::Free, 1e3), one);
    assert!(width == 0 && (value - (10.625 - 4.0 * 0.875 * 0.875 / 2.0)).abs() < 1e-12);
    // Equal targets, equal rows, rows of zeros, proportional rows.
    check_degenerate("equal targets", &squared(vec![1.0, -1.0, 2.0, 0.0], 1, vec![1.0; 4], Intercept::None, 0.1), one);
    check_degenerate(
        "equal rows",
        &squared(vec![1.0; 6], 1, vec![1.0, 2.0, 3.0, -1.0, 0.0, 2.0], Intercept::None, 0.1),
        one,
    );
    check_degenerate(
        "zero rows",
        &squared(vec![0.0, 0.0, 1.0, 2.0, 0.0, 0.0, -1.0, 1.0], 2, vec![1.0, 2.0, 3.0, 4.0], Intercept::Penalized, 0.1),
        none,
    );
    check_degenerate("all zero", &squared(vec![0.0; 6], 2, vec![1.0, 2.0, 3.0], Intercept::None, 0.1), none);
    let multiples = (-3..=3).flat_map(|k| [f64::from(k), 0.5 * f64::from(k)]).collect();
    check_degenerate(
        "proportional rows",
        &squared(multiples, 2, vec![1.0, -2.0, 0.5, 3.0, -1.0, 2.0, 0.0], Intercept::Free, 0.05),
        none,
    );
    // Columns of very different sizes, a weak penalty.
    for (scales, beta) in [([1e6, 1.0], 1.0), ([1e-6, 1.0], 1e-3), ([1e6, 1e-6], 0.1), ([1.0, 1.0], 1e-6)] {
        let mut problem = random_problem(20, 2, Loss::Squared, 2, Intercept::None, beta, 4);
        if let Matrix::Dense(matrix) = &mut problem.data.matrix {
            matrix.values = matrix.values.iter().enumerate().map(|(e, x)| x * scales[e % 2]).collect();
        }
        check_degenerate(&format!("scales {scales:?} beta {beta}"), &problem, none);
    }
    // One example of a class.
    let mut signs = vec![-1.0; 9];
    signs.push(1.0);
    let values = (0..10).map(|i| f64::from(i) / 3.0).collect();
    check_degenerate("one example", &problem(values, 1, classes(&signs), Loss::Logistic, Intercept::Free, 0.1), one);
}

#[test]
fn without_a_penalty_the_loss_is_interpolated() {
    let problem = random_problem(12, 2, Loss::Squared, 2, Intercept::None, 0.0, 9);
    let instance = Instance::new(&problem, HiddenBias::Penalized);
    let mut search = Search::new(&instance, None, 9, 1);
    finish(&mut search);
    // Equal rows keep the spread of their targets.
    let mut least = 0.0;
    for p in 0..instance.points.len() {
        let rows: Vec<usize> = (0..12).filter(|&i| instance.point_of[i] as usize == p).collect();
        let Target::Real(y) = &problem.data.target else {
            return;
        };
        let weight: f64 = rows.iter().map(|&i| problem.data.weights[i]).sum();
        let mean = rows.iter().map(|&i| problem.data.weights[i] * y[i]).sum::<f64>() / weight;
        least += rows.iter().map(|&i| 0.5 * problem.data.weights[i] * (y[i] - mean).powi(2)).sum::<f64>();
    }
    assert!(search.value() <= least + 1e-9, "{} against {least}", search.value());
}

#[test]
fn widths_are_kept() {
    let problem = random_problem(40, 3, Loss::Squared, 2, Intercept::Penalized, 0.1, 11);
    let instance = Instance::new(&problem, HiddenBias::Penalized);
    let mut before = f64::INFINITY;
    let mut free = Search::new(&instance, None, 3, 1);
    finish(&mut free);
    for width in [0, 1, 2, 4, 8, 40] {
        let mut search = Search::new(&instance, Some(width), 3, 1);
        finish(&mut search);
        let used = search.net().output.len();
        assert!(used <= width && search.value() >= free.value() * (1.0 - 1e-9), "{width}: {used}, {}", search.value());
        assert!(search.value() <= before * (1.0 + 1e-6), "{width}: {} after {before}", search.value());
        before = search.value();
    }
    assert!((before - free.value()).abs() <= 1e-6 * before);
}

#[test]
fn starts_are_never_lost() {
    let problem = random_problem(40, 3, Loss::Logistic, 3, Intercept::Free, 0.3, 12);
    let instance = Instance::new(&problem, HiddenBias::Penalized);
    let mut random = Random(3);
    for width in [1, 5, 30] {
        let mut normal = |n: usize| -> Vec<f64> { (0..n).map(|_| random.normal()).collect() };
        let net = Net { hidden: normal(4 * width), output: normal(3 * width), biases: normal(3) };
        let mut search = Search::new(&instance, Some(30), 3, 1);
        search.start(&net);
        let begin =
            instance.value(&net).min(instance.value(&Net { hidden: vec![], output: vec![], biases: vec![0.0; 3] }));
        assert!(search.value() <= begin);
        let mut value = search.value();
        while search.round(&never) == Round::Improved {
            assert!(search.value() <= value);
            value = search.value();
        }
        assert!((instance.value(search.net()) - search.value()).abs() <= 1e-9 * value);
        // Stationary points stay where they are.
        let mut again = Search::new(&instance, Some(30), 4, 1);
        again.start(search.net());
        assert!(again.value() <= search.value() * (1.0 + 1e-12));
    }
}

#[test]
fn told_to_stop_the_search_stops_with_what_it_has() {
    let problem = random_problem(60, 4, Loss::Squared, 2, Intercept::Free, 0.05, 13);
    let instance = Instance::new(&problem, HiddenBias::Penalized);
    for calls in [0, 1, 10, 100, 400] {
        let left = std::sync::atomic::AtomicUsize::new(calls);
        let stop = || left.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1)).is_err();
        let mut search = Search::new(&instance, None, 3, 1);
        let mut rounds = 0;
        while search.round(&stop) == Round::Improved {
            rounds += 1;
            assert!(rounds < 1000);
        }
        assert!((instance.value(search.net()) - search.value()).abs() <= 1e-9 * search.value());
        assert_eq!(search.alpha().len(), 60);
    }
}

#[test]
fn proposed_neurons_are_taken() {
    let problem = random_problem(30, 2, Loss::Squared, 2, Intercept::None, 0.5, 14);
    let instance = Instance::new(&problem, HiddenBias::Penalized);
    let mut search = Search::new(&instance, None, 3, 1);
    let before = search.value();
    for u in [[1.0, 0.0, 0.0], [0.0, -1.0, 0.5], [0.0, 0.0, 1.0]] {
        search.add(&u);
    }
    assert!(search.added() > 0);
    finish(&mut search);
    assert!(search.value() < before);
}

#[test]
fn sliding_comes_near_to_what_newton_reaches() {
    for (loss, labels) in [(Loss::Squared, 2), (Loss::Softmax, 3), (Loss::Hinge, 2)] {
        for intercept in [Intercept::Free, Intercept::Penalized, Intercept::None] {
            let problem = random_problem(60, 3, loss, labels, intercept, 1.0, 15);
            let instance = Instance::new(&problem, HiddenBias::Penalized);
            let mut descent = Descent::new(&instance, false);
            let mut random = Random(8);
            let mut normal = |n: usize| -> Vec<f64> { (0..n).map(|_| random.normal()).collect() };
            let net = Net {
                hidden: normal(8 * 4),
                output: normal(8 * instance.outputs),
                biases: vec![0.0; instance.outputs],
            };
            let mut units = Units::from_net(&instance, &descent.columns, &net);
            units.evaluate(&instance, &mut descent.losses);
            let begin = units.value;
            let Descent { columns, losses, .. } = &mut descent;
            sliding::slide(&instance, columns, losses, &mut units, 400, false, &never);
            let slid = units.value;
            descent.run(&mut units, 1e-10, 200, &never);
            assert!(
                slid < begin && slid - units.value <= 0.02 * units.value,
                "{loss:?}: {begin} {slid} {}",
                units.value
            );
        }
    }
}
