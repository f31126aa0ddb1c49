//! Given outputs: their loss and the bound by equal rows against their definitions, and what is refused.
#![allow(clippy::unwrap_used)] // helpers of tests fail as tests do

use infimum::{
    GivenOutputs, Intercept, Loaded, Loss, OutputRows, Request, Scores, Strength, Task, given_outputs, load,
};
use infimum_check::{check_outputs, check_outputs_problem};
use infimum_problem::{Ending, OutputsCertificate};

/// Twelve rows of four points; the targets are classes or numbers.
const ROWS: [(&str, u32); 12] = [
    ("1,2", 0),
    ("1,2", 1),
    ("1,2", 1),
    ("0,-1", 2),
    ("0,-1", 0),
    ("3,3", 1),
    ("3,3", 1),
    ("3,3", 2),
    ("3,3", 2),
    ("5,0", 2),
    ("0,-1", 0),
    ("1,2", 2),
];

struct File {
    folder: tempfile::TempDir,
}

impl File {
    fn new(classes: u32) -> File {
        let folder = tempfile::tempdir().unwrap();
        let lines: Vec<String> = ROWS.iter().map(|(row, y)| format!("{row},{}", y % classes)).collect();
        std::fs::write(folder.path().join("d.csv"), format!("a,b,y\n{}\n", lines.join("\n"))).unwrap();
        File { folder }
    }

    fn path(&self) -> String {
        self.folder.path().join("d.csv").display().to_string()
    }

    fn load(&self, loss: Loss) -> Loaded {
        let task = if loss.is_classification() { Task::Classification } else { Task::Regression };
        let request = Request {
            task: Some(task),
            loss: Some(loss),
            intercept: Some(Intercept::None),
            strength: Some(Strength::PerExample { l1: 0.0, l2: 0.0 }),
            ..Request::default()
        };
        load(&self.path(), &request).unwrap()
    }
}

fn table(columns: usize, value: impl Fn(usize, usize) -> f64) -> OutputRows {
    let values = (0..ROWS.len() * columns).map(|at| value(at / columns, at % columns)).collect();
    OutputRows { rows: ROWS.len(), columns, values }
}

/// Places of the rows of each point.
fn groups() -> Vec<Vec<usize>> {
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for (i, row) in ROWS.iter().enumerate() {
        match groups.iter_mut().find(|group| ROWS[group[0]].0 == row.0) {
            Some(group) => group.push(i),
            None => groups.push(vec![i]),
        }
    }
    groups
}

fn given(loaded: Loaded, columns: usize, value: impl Fn(usize, usize) -> f64, scores: Scores) -> GivenOutputs {
    given_outputs(loaded, &table(columns, value), scores, 1e-4, 1e-12).unwrap()
}

/// For every loss: the best outputs of each point are found by a search, and the bound is their loss.
#[test]
fn the_bound_is_the_least_loss_of_common_outputs() {
    for loss in Loss::ALL {
        let classes = if loss == Loss::Softmax { 3 } else { 2 };
        let file = File::new(if loss.is_classification() { classes } else { 3 });
        let loaded = file.load(loss);
        let outputs = loaded.problem.outputs();
        let losses = infimum_convex::row_losses(&loaded.problem);
        // Softmax is best at the logarithms of the shares; where a class is missing, as far away as it takes.
        let mut best = vec![0.0; ROWS.len() * outputs];
        for group in groups() {
            if loss == Loss::Softmax {
                for k in 0..3 {
                    let share = group.iter().filter(|&&i| ROWS[i].1 == k).count() as f64 / group.len() as f64;
                    group.iter().for_each(|&i| best[i * 3 + k as usize] = share.max(1e-20).ln());
                }
                continue;
            }
            let mut least = (f64::INFINITY, 0.0);
            for size in [1e-2, 1e-4, 1e-6, 1e-8] {
                let middle = least.1;
                for step in -4000..=4000 {
                    let z = middle + f64::from(step) * size;
                    group.iter().for_each(|&i| best[i] = z);
                    let value = losses.value(&best);
                    if value < least.0 {
                        least = (value, z);
                    }
                }
            }
            group.iter().for_each(|&i| best[i] = least.1);
        }
        let expected = losses.value(&best);
        let found = given(loaded.clone(), outputs, |i, k| best[i * outputs + k], Scores::Outputs);
        let (upper, lower) = found.bounds;
        assert!((upper - expected).abs() <= 1e-9 * expected, "{}: {upper} {expected}", loss.name());
        assert!(lower <= expected * (1.0 + 1e-12), "{}: {lower} above {expected}", loss.name());
        assert!(lower >= expected * (1.0 - 1e-5), "{}: {lower} {expected}", loss.name());
        assert_eq!(found.ending, Ending::Optimal, "{}", loss.name());
        // Other outputs have more, and the same bound.
        let zero = given(loaded.clone(), outputs, |_, _| 0.0, Scores::Outputs);
        assert_eq!((zero.bounds.1, zero.ending), (lower, Ending::Stalled), "{}", loss.name());
        assert!(zero.bounds.0 > upper, "{}", loss.name());
        let bytes = found.certificate().to_bytes().unwrap();
        let verdict = check_outputs(&bytes, &file.path()).unwrap();
        assert!(verdict.lower >= lower && verdict.upper <= upper, "{}", loss.name());
    }
}

#[test]
fn probabilities_are_turned_into_outputs() {
    let p = |i: usize| 0.05 + 0.07 * i as f64;
    let two = File::new(2);
    let logit = given(two.load(Loss::Logistic), 1, |i, _| (p(i) / (1.0 - p(i))).ln(), Scores::Outputs);
    let single = given(two.load(Loss::Logistic), 1, |i, _| p(i), Scores::Probabilities);
    let pair = given(two.load(Loss::Logistic), 2, |i, k| if k == 1 { p(i) } else { 1.0 - p(i) }, Scores::Probabilities);
    let logits = given(
        two.load(Loss::Logistic),
        2,
        |i, k| if k == 1 { (p(i) / (1.0 - p(i))).ln() } else { 0.0 },
        Scores::Outputs,
    );
    let expected: f64 = (0..12).map(|i| if ROWS[i].1 % 2 == 1 { -p(i).ln() } else { -(1.0 - p(i)).ln() }).sum();
    for found in [logit, single, pair, logits] {
        assert!((found.bounds.0 - expected).abs() < 1e-9 * expected, "{} {expected}", found.bounds.0);
    }
    let three = File::new(3);
    let q = |i: usize, k: usize| (1.0 + ((i + k) % 3) as f64) / 6.0;
    let softmax = given(three.load(Loss::Softmax), 3, q, Scores::Probabilities);
    let expected: f64 = (0..12).map(|i| -q(i, ROWS[i].1 as usize).ln()).sum();
    assert!((softmax.bounds.0 - expected).abs() < 1e-9 * expected);
}

#[test]
fn what_does_not_fit_is_refused() {
    let (two, three) = (File::new(2), File::new(3));
    let refused = |loaded: Loaded, rows: OutputRows, scores: Scores, part: &str| {
        let why = given_outputs(loaded, &rows, scores, 1e-4, 1e-12).unwrap_err();
        assert!(why.contains(part), "{why}");
    };
    let short = OutputRows { rows: 3, columns: 1, values: vec![0.0; 3] };
    refused(two.load(Loss::Logistic), short, Scores::Outputs, "12 training rows");
    refused(two.load(Loss::Logistic), table(3, |_, _| 0.0), Scores::Outputs, "takes 1 or 2");
    refused(three.load(Loss::Softmax), table(2, |_, _| 0.0), Scores::Outputs, "takes 3");
    refused(two.load(Loss::Hinge), table(1, |_, _| 0.5), Scores::Probabilities, "logistic and softmax");
    refused(two.load(Loss::Logistic), table(1, |_, _| 1.5), Scores::Probabilities, "[0, 1]");
    refused(two.load(Loss::Logistic), table(1, |i, _| if i == 4 { 1.0 } else { 0.5 }), Scores::Probabilities, "row 5");
    refused(two.load(Loss::Logistic), table(1, |i, _| if i == 6 { f64::NAN } else { 0.5 }), Scores::Outputs, "row 7");
}

#[test]
fn changed_certificates_are_refused() {
    let file = File::new(3);
    let loaded = file.load(Loss::Softmax);
    let certificate =
        given(loaded.clone(), 3, |i, k| ((i * 5 + k * 3) % 7) as f64 / 3.0, Scores::Outputs).certificate();
    assert!(check_outputs_problem(&loaded.problem, &certificate).is_ok());
    type Change = fn(&mut OutputsCertificate);
    let changes: [(&str, Change); 16] = [
        ("lower", |c| c.claim.lower *= 1.0 + 1e-9),
        ("lower", |c| c.claim.lower = f64::NAN),
        ("upper", |c| c.claim.upper *= 1.0 - 1e-9),
        ("upper", |c| c.outputs[0] -= 1.0),
        ("model", |c| c.outputs[0] = f64::INFINITY),
        ("model", |c| c.outputs.truncate(35)),
        ("dual", |c| c.dual.truncate(35)),
        ("dual", |c| c.dual[4] = f64::NAN),
        // In the domain, but α of equal rows no longer add up to 0.
        ("dual", |c| c.dual[..3].fill(0.0)),
        ("dual", |c| c.dual.swap(0, 1)),
        ("ending", |c| c.claim.ending = Ending::Optimal),
        ("ending", |c| c.claim.ending = Ending::NotAttained),
        ("problem", |c| c.claim.rows = 11),
        ("problem", |c| c.claim.total_weight = 13.0),
        ("problem", |c| c.claim.recipe.loss = Loss::Logistic),
        ("problem", |c| c.claim.kind = "deep".into()),
    ];
    for (place, (step, change)) in changes.iter().enumerate() {
        let mut changed = certificate.clone();
        change(&mut changed);
        let Err(refusal) = check_outputs_problem(&loaded.problem, &changed) else {
            panic!("change {place} is accepted")
        };
        assert_eq!(refusal.step.to_string(), *step, "change {place}: {refusal}");
    }
    // With a penalty, an intercept or a limit of another kind it is another problem.
    let penalized = Request {
        loss: Some(Loss::Softmax),
        task: Some(Task::Classification),
        intercept: Some(Intercept::None),
        ..Request::default()
    };
    let penalized = load(&file.path(), &penalized).unwrap();
    assert!(check_outputs_problem(&penalized.problem, &certificate).is_err());
    // Every byte counts, and no damage is a panic.
    let bytes = certificate.to_bytes().unwrap();
    assert_eq!(OutputsCertificate::from_bytes(&bytes).unwrap(), certificate);
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1 << (at % 8);
        assert!(check_outputs(&damaged, &file.path()).is_err(), "byte {at}");
    }
    for length in 0..bytes.len() {
        assert!(OutputsCertificate::from_bytes(&bytes[..length]).is_err());
    }
}
