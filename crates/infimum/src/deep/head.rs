//! The last layer given its features: a convex problem about a stored, hashed file of features, with a certificate of rung 1.

use std::fs::File;
use std::path::Path;

use infimum_check::FEATURES;
use infimum_data::{ArrayValues, Request, load, write_npz};
use infimum_problem::{Loss, Monitor, Problem, Strength, Target, Task};

use super::layers::Layers;
use crate::fit::{Fit, FitOptions, fit_loaded};

/// A head with its proof, which is about the features alone.
#[derive(Debug, Clone)]
pub struct Head {
    /// The solved problem; its data are the file of features.
    pub fit: Fit,
    /// The objective of the head that training left, unnormalised.
    pub before: f64,
    /// Whether the solution is in the network: it lowered the whole objective, as evaluated with its weights in singles.
    pub put_back: bool,
}

/// The arrays of the targets in the file of features: `y`, or of several `y1`, `y2`, …, each with its name.
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

/// Writes the features of the training rows to `path`, with targets and weights.
fn write(path: &Path, layers: &Layers, problem: &Problem, targets: &[(String, Vec<f64>)]) -> Result<(), String> {
    let data = &problem.data;
    let (features, width) = (layers.features(&data.matrix), layers.width());
    let (rows, one) = ([data.rows(), width], [data.rows()]);
    let mut arrays: Vec<(&str, &[usize], ArrayValues)> = vec![("X", &rows, ArrayValues::Singles(&features))];
    arrays.extend(targets.iter().map(|(name, values)| (name.as_str(), &one[..], ArrayValues::Doubles(values))));
    arrays.push(("weight", &one, ArrayValues::Doubles(&data.weights)));
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

/// Solves the last layer given the features of the others. The problem is `Σ c_i loss + (λ2/2)‖W, b‖²`, as in the network's objective.
pub(super) fn solve(
    folder: &Path,
    layers: &Layers,
    problem: &Problem,
    options: &FitOptions,
    monitor: &dyn Monitor,
) -> Result<Fit, String> {
    let path = folder.join(FEATURES);
    let targets = targets(problem);
    write(&path, layers, problem, &targets)?;
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
    let loaded = load(&path.display().to_string(), &request).map_err(|error| error.to_string())?;
    fit_loaded(loaded, options, None, monitor).map_err(|error| error.to_string())
}

/// The strength whose λ2 is this, as nearly as 1/C can say it.
fn strength(lambda2: f64) -> Strength {
    if lambda2 > 0.0 && (1.0 / lambda2).is_finite() {
        Strength::C(1.0 / lambda2)
    } else {
        Strength::PerExample { l1: 0.0, l2: 0.0 }
    }
}

/// Whether rung 1 solves this loss with this penalty to a gap.
pub(super) fn is_solvable(loss: Loss, lambda2: f64) -> bool {
    lambda2 > 0.0 || !matches!(loss, Loss::Hinge | Loss::Quantile(_) | Loss::Epsilon(_))
}
