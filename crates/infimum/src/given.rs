//! Outputs of somebody else's model, taken as they are: their loss, and what no function of the columns can avoid.

use infimum_check::outputs_bounds;
use infimum_data::{Loaded, OutputRows};
use infimum_problem::{
    CERTIFICATE_VERSION, Ending, Loss, OutputsCertificate, OutputsClaim, Problem, Target, gap_reached,
};
use infimum_relu::relaxation::Relaxation;

use crate::fit::ROOM;
use crate::predict::labels;

/// What given numbers are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scores {
    /// What the loss takes: logits, decision values, predicted values.
    Outputs,
    /// Probabilities of the classes.
    Probabilities,
}

/// Given outputs and what is known about them.
#[derive(Debug, Clone)]
pub struct GivenOutputs {
    /// The rows, and the loss alone as objective.
    pub loaded: Loaded,
    /// Share of the training rows whose label is right, or of several targets all labels, of classification.
    pub accuracy: Option<f64>,
    /// Loss of the outputs and bound, of the unnormalised sum.
    pub bounds: (f64, f64),
    /// `Optimal` where the bound is reached, else `Stalled`: nothing was searched for.
    pub ending: Ending,
    outputs: Vec<f64>,
    dual: Vec<f64>,
    gap: f64,
    abs_gap: f64,
}

/// Finds out what is known about `given`. `abs_gap` is that of the mean. The error says what does not fit.
pub fn given_outputs(
    loaded: Loaded,
    given: &OutputRows,
    scores: Scores,
    gap: f64,
    abs_gap: f64,
) -> Result<GivenOutputs, String> {
    let problem = &loaded.problem;
    if given.rows != problem.data.rows() {
        return Err(format!("{} rows of outputs, but the data have {} training rows", given.rows, problem.data.rows()));
    }
    let outputs = converted(problem.objective.loss, problem.outputs(), given, scores)?;
    let dual = unavoidable(problem).unwrap_or_else(|| vec![0.0; outputs.len()]);
    let refused = |refusal: infimum_check::Refusal| refusal.to_string();
    // A dual point that the checker refuses is none.
    let (lower, upper, dual) = match outputs_bounds(problem, &outputs, &dual) {
        Ok((lower, upper)) if lower > 0.0 => (lower, upper, dual),
        _ => {
            let nothing = vec![0.0; outputs.len()];
            let (lower, upper) = outputs_bounds(problem, &outputs, &nothing).map_err(refused)?;
            (lower, upper, nothing)
        }
    };
    let accuracy = match &problem.data.target {
        Target::Several { names, values } if problem.objective.loss.is_classification() => {
            let is_right = |(z, y): (&[f64], &[f64])| z.iter().zip(y).all(|(&z, &y)| (z > 0.0) == (y > 0.0));
            let rows = outputs.chunks_exact(names.len()).zip(values.chunks_exact(names.len()));
            Some(rows.filter(|&row| is_right(row)).count() as f64 / problem.data.rows() as f64)
        }
        Target::Real(_) | Target::Several { .. } => None,
        Target::Class { classes, .. } => {
            let predicted = labels(problem.outputs(), &outputs);
            let right = predicted.iter().zip(classes).filter(|pair| *pair.0 == *pair.1 as usize).count();
            Some(right as f64 / classes.len() as f64)
        }
    };
    let abs_gap = abs_gap * problem.data.total_weight;
    let (upper, lower) = (upper * (1.0 + ROOM), (lower * (1.0 - ROOM)).min(upper));
    let ending = if gap_reached(upper, lower, gap, abs_gap) { Ending::Optimal } else { Ending::Stalled };
    Ok(GivenOutputs { accuracy, bounds: (upper, lower), ending, outputs, dual, gap, abs_gap, loaded })
}

/// α of the best common outputs of equal rows; `None` where all rows differ.
fn unavoidable(problem: &Problem) -> Option<Vec<f64>> {
    let (matrix, columns) = (&problem.data.matrix, problem.data.columns());
    let row = |i: usize| {
        let mut values = vec![0.0; columns];
        matrix.row(i).for_each(|j, x| values[j] = x);
        values
    };
    Relaxation::new(problem, columns, (0..matrix.rows()).map(row)).conflicts()
}

/// The outputs z that the loss takes, rows × `outputs`.
fn converted(loss: Loss, outputs: usize, given: &OutputRows, scores: Scores) -> Result<Vec<f64>, String> {
    let is_pair = given.columns == 2 && outputs == 1 && loss.is_classification();
    let is_single = given.columns == outputs;
    if !(is_pair || is_single) {
        let pair = if outputs == 1 && loss.is_classification() { " or 2" } else { "" };
        return Err(format!("{} numbers a row, but the loss {} takes {outputs}{pair}", given.columns, loss.name()));
    }
    if scores == Scores::Probabilities && !matches!(loss, Loss::Logistic | Loss::Softmax) {
        return Err(format!("probabilities go with the losses logistic and softmax, not with {}", loss.name()));
    }
    let logit = |p: f64| p.ln() - (-p).ln_1p();
    let mut converted = Vec::with_capacity(given.rows * outputs);
    for (i, row) in given.values.chunks_exact(given.columns.max(1)).enumerate() {
        if let (Scores::Probabilities, Some(p)) = (scores, row.iter().find(|p| !(0.0..=1.0).contains(*p))) {
            return Err(format!("row {}: expected probabilities in [0, 1], got {p}", i + 1));
        }
        let start = converted.len();
        match (scores, is_pair) {
            (Scores::Outputs, true) => converted.push(row[1] - row[0]),
            (Scores::Outputs, false) => converted.extend_from_slice(row),
            (Scores::Probabilities, true) => converted.push(row[1].ln() - row[0].ln()),
            (Scores::Probabilities, false) if loss == Loss::Softmax => converted.extend(row.iter().map(|p| p.ln())),
            (Scores::Probabilities, false) => converted.extend(row.iter().map(|&p| logit(p))),
        }
        if let Some(z) = converted[start..].iter().find(|z| !z.is_finite()) {
            let hint = match scores {
                Scores::Outputs => "",
                Scores::Probabilities => {
                    "; a probability of 0 or 1 has no finite output: give the outputs before it was rounded"
                }
            };
            return Err(format!("row {}: expected finite outputs, got {z}{hint}", i + 1));
        }
    }
    Ok(converted)
}

impl GivenOutputs {
    /// The certificate.
    pub fn certificate(&self) -> OutputsCertificate {
        let problem = &self.loaded.problem;
        OutputsCertificate {
            claim: OutputsClaim {
                version: CERTIFICATE_VERSION,
                kind: "outputs".into(),
                source: self.loaded.source.clone(),
                recipe: self.loaded.recipe.clone(),
                problem_sha256: self.loaded.problem_sha256.clone(),
                rows: problem.data.rows(),
                columns: problem.data.columns(),
                outputs: problem.outputs(),
                total_weight: problem.data.total_weight,
                lower: self.bounds.1,
                upper: self.bounds.0,
                gap: self.gap,
                abs_gap: self.abs_gap,
                ending: self.ending,
            },
            outputs: self.outputs.clone(),
            dual: self.dual.clone(),
        }
    }
}
