//! The stored, hashed file of features that a block certificate is about: what some layers make of the training rows.

use std::fs::File;
use std::path::Path;

use infimum_check::FEATURES;
use infimum_data::{ArrayValues, Loaded, Request, load, write_npz};
use infimum_problem::{Problem, Strength, Target, Task};

/// Name of a block's certificate, beside its features.
pub(super) const CERTIFICATE: &str = "certificate.safetensors";

/// Takes away what an earlier run left in a block's folder.
pub(super) fn clear(folder: &Path) {
    for name in [FEATURES, CERTIFICATE] {
        let _ = std::fs::remove_file(folder.join(name));
    }
    let _ = std::fs::remove_dir(folder);
}

/// Writes the features, rows × `width`, to `folder` with the targets and weights of the problem, and reads them as the problem with the same loss, intercept and λ2.
pub(super) fn stored(folder: &Path, features: &[f32], width: usize, problem: &Problem) -> Result<Loaded, String> {
    let path = folder.join(FEATURES);
    let targets = targets(problem);
    write(&path, features, width, problem, &targets)?;
    let objective = &problem.objective;
    let classification = objective.loss.is_classification();
    let request = Request {
        target: targets.first().map(|(name, _)| name.clone()),
        more_targets: targets.iter().skip(1).map(|(name, _)| name.clone()).collect(),
        sample_weight: Some("weight".into()),
        task: Some(if classification { Task::Classification } else { Task::Regression }),
        loss: Some(objective.loss),
        intercept: Some(objective.intercept),
        strength: Some(strength(objective.lambda2)),
        ..Request::default()
    };
    load(&path.display().to_string(), &request).map_err(|error| error.to_string())
}

/// The arrays of the targets: `y`, or of several `y1`, `y2`, …, each with its name.
fn targets(problem: &Problem) -> Vec<(String, Vec<f64>)> {
    let column = |values: Vec<f64>| vec![("y".to_string(), values)];
    match &problem.data.target {
        Target::Real(values) => column(values.clone()),
        Target::Class { classes, .. } => column(classes.iter().map(|&class| f64::from(class)).collect()),
        Target::Several { names, values } => {
            let is_label = problem.objective.loss.is_classification();
            let value = |&y: &f64| if is_label { f64::from(u8::from(y > 0.0)) } else { y };
            let array = |k: usize| values.iter().skip(k).step_by(names.len()).map(value).collect();
            (0..names.len()).map(|k| (format!("y{}", k + 1), array(k))).collect()
        }
    }
}

fn write(
    path: &Path,
    features: &[f32],
    width: usize,
    problem: &Problem,
    targets: &[(String, Vec<f64>)],
) -> Result<(), String> {
    let (rows, one) = ([problem.data.rows(), width], [problem.data.rows()]);
    let mut arrays: Vec<(&str, &[usize], ArrayValues)> = vec![("X", &rows, ArrayValues::Singles(features))];
    arrays.extend(targets.iter().map(|(name, values)| (name.as_str(), &one[..], ArrayValues::Doubles(values))));
    arrays.push(("weight", &one, ArrayValues::Doubles(&problem.data.weights)));
    let partial = path.with_extension("npz.partial");
    let made = path.parent().map_or(Ok(()), std::fs::create_dir_all);
    let written = made.and_then(|()| File::create(&partial)).and_then(|file| {
        let mut out = std::io::BufWriter::new(file);
        write_npz(&mut out, &arrays)?;
        out.into_inner().map_err(|error| error.into_error())?.sync_all()
    });
    let written = written.and_then(|()| std::fs::rename(&partial, path));
    written.map_err(|error| {
        let _ = std::fs::remove_file(&partial);
        format!("{}: cannot be written: {error}", path.display())
    })
}

/// The strength whose λ2 is this, as nearly as 1/C can say it.
fn strength(lambda2: f64) -> Strength {
    if lambda2 > 0.0 && (1.0 / lambda2).is_finite() {
        Strength::C(1.0 / lambda2)
    } else {
        Strength::PerExample { l1: 0.0, l2: 0.0 }
    }
}
