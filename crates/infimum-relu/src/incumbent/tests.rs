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
