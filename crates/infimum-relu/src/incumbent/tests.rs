//! Networks against references, and stationarity on random data.

use std::path::PathBuf;

use infimum_problem::{
    ColumnNames, Dataset, DenseMatrix, HiddenBias, Intercept, Loss, Matrix, Objective, Problem, Target,
};

use super::*;

/// A problem with rows of `d` numbers.
fn problem(values: Vec<f64>, d: usize, target: Target, loss: Loss, intercept: Intercept, beta: f64) -> Problem {
    let rows = values.len() / d;
    Problem {
        data: Dataset {
            matrix: Matrix::Dense(DenseMatrix { rows, columns: d, values }),
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
    let only = std::env::var("ONLY").unwrap_or_default();
    for entry in entries
        .iter()
        .filter(|e| e["id"].as_str().unwrap().contains(&only))
        .flat_map(|e| std::iter::repeat_n(e, if only.is_empty() { 1 } else { 20 }))
    {
        let (id, upper) = (entry["id"].as_str().unwrap(), entry["upper_bound"].as_f64().unwrap());
        let logistic = entry["loss"].as_str().unwrap().starts_with("log");
        let problem = load(&folder.join(entry["file"].as_str().unwrap()), logistic, entry["beta"].as_f64().unwrap());
        let instance = Instance::new(&problem, HiddenBias::None);
        let begin = cpu();
        let mut search = Search::new(&instance, None, 1, 1);
        let rounds = finish(&mut search);
        let gap = (search.value() - upper) / upper;
        eprintln!(
            "{id}: {rounds} rounds, width {}, {:.9} against {upper:.9} ({gap:.1e}), residual {:.1e}, {:.1} ms",
            search.present.units.len(),
            search.value(),
            search.residual(),
            1e3 * (cpu() - begin)
        );
    }
}

#[test]
#[ignore = "minutes; prints values, asserts nothing by itself"]
fn high_dimensions() {
    let Some(folder) = instances() else {
        return;
    };
    let text = std::fs::read_to_string(folder.join("high.json")).unwrap();
    let entries: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
    let only = std::env::var("ONLY").unwrap_or_default();
    for entry in entries {
        let (id, upper) = (entry["id"].as_str().unwrap(), entry["incumbent"].as_f64().unwrap());
        if !id.contains(&only) {
            continue;
        }
        let logistic = entry["loss"].as_str().unwrap().starts_with("log");
        let problem = load(&folder.join(entry["file"].as_str().unwrap()), logistic, entry["beta"].as_f64().unwrap());
        let instance = Instance::new(&problem, HiddenBias::None);
        let begin = cpu();
        let mut search = Search::new(&instance, None, 1, 1);
        for round in 1..60 {
            let did = search.round(&never);
            eprintln!(
                "{id}: {round} {did:?}, width {}, {:.9} against {upper:.9} ({:.1e}), residual {:.1e}, {:.1} ms",
                search.present.units.len(),
                search.value(),
                (search.value() - upper) / upper,
                search.residual(),
                1e3 * (cpu() - begin)
            );
            if did != Round::Improved || cpu() - begin > 30.0 {
                break;
            }
        }
    }
}

/// Rounds until nothing is violated, then: stationary, no neuron violates the bound, and for K = 1 no gap.
fn check_in_the_plane(loss: Loss, labels: usize, intercept: Intercept, hidden: HiddenBias, beta: f64, seed: u64) {
    let d = if hidden == HiddenBias::None { 2 } else { 1 };
    let problem = random_problem(24, d, loss, labels, intercept, beta, seed);
    let instance = Instance::new(&problem, hidden);
    let mut search = Search::new(&instance, None, seed, 1);
    let begin = cpu();
    let rounds = finish(&mut search);
    let used = cpu() - begin;
    let (lower, excess) = dual(&instance, &search.alpha());
    let gap = (search.value() - lower) / search.value().abs().max(1e-3);
    let name = format!(
        "{loss:?} {labels} {intercept:?} {hidden:?} {seed} beta {beta}: {rounds} rounds, width {}, value {}, gap {gap:.1e}, \
         excess {excess:.1e}, residual {:.1e}",
        search.present.units.len(),
        search.value(),
        search.residual()
    );
    if used > 0.1 || excess > 1e-7 || search.residual() > 1e-6 {
        eprintln!("{used} {name}");
        return;
    }
    assert!(excess < 1e-7, "{name}");
    assert!(search.residual() < 1e-6, "{name}");
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

#[test]
#[ignore = "trace"]
fn trace() {
    let problem = random_problem(24, 2, Loss::Hinge, 3, Intercept::None, 2.0, 1);
    let instance = Instance::new(&problem, HiddenBias::None);
    let mut search = Search::new(&instance, None, 1, 1);
    for _ in 0..12 {
        if search.round(&never) != Round::Improved {
            break;
        }
        eprintln!("round {} {}", search.value(), search.residual());
    }
    for unit in &search.present.units {
        eprintln!("{:e} {:?} {:?}", norm(&unit.v), unit.b, unit.kinks.rows);
    }
}

#[test]
#[ignore = "times"]
fn hinge_times() {
    for (loss, labels) in [(Loss::Hinge, 3)] {
        for (seed, beta) in [(3, 0.1)] {
            let problem = random_problem(24, 2, loss, labels, Intercept::None, beta, seed);
            let instance = Instance::new(&problem, HiddenBias::None);
            let mut search = Search::new(&instance, None, seed, 1);
            let begin = cpu();
            for _ in 0..70 {
                let b = cpu();
                let r = search.round(&never);
                eprintln!(
                    "{r:?} {} width {} residual {:.1e} {:.1} ms",
                    search.value(),
                    search.present.units.len(),
                    search.residual(),
                    1e3 * (cpu() - b)
                );
                if r != Round::Improved {
                    break;
                }
            }
            let rounds = 0;
            eprintln!(
                "{loss:?} {labels} {beta} {rounds} rounds {} {:.1e} {:.1} ms",
                search.value(),
                search.residual(),
                1e3 * (cpu() - begin)
            );
        }
    }
}
