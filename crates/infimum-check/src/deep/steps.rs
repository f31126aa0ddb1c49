//! The steps of a check of a certificate of rung 5.

use infimum_problem::deep::{
    Architecture, DeepCertificate, DeepWitness, Evaluation, ParameterKind, buffers, parameters, shapes,
};
use infimum_problem::{CERTIFICATE_VERSION, Ending, Intercept, Matrix, Problem};

use super::inputs::inputs;
use super::lower::lower;
use super::network::{evaluation, objective};
use super::words;
use crate::steps::{Asked, Refusal, Step, Verdict, domain_step, on_data, refuse, same_numbers};

/// An evaluated objective and the claimed one may differ by so much, relative.
const TOLERANCE: f64 = 1e-6;

/// Checks the bytes of a certificate of rung 5 against a data file (or `builtin:NAME`): all steps. Whatever names the certificate and
/// the data hold, claim and refusal are single lines.
pub fn check_deep(bytes: &[u8], data: &str) -> Result<Verdict, Refusal> {
    let certificate =
        DeepCertificate::from_bytes(bytes).map_err(|error| Refusal::new(Step::Container, error.to_string()))?;
    check_with_data(&certificate, data)
}

/// The steps from `data` on.
pub(crate) fn check_with_data(certificate: &DeepCertificate, data: &str) -> Result<Verdict, Refusal> {
    on_data(&certificate.claim.recipe, &certificate.claim.problem_sha256, data, |loaded| {
        let verdict = check_deep_problem(&loaded.problem, certificate)?;
        Ok(Verdict { claim: words::claim(loaded, certificate, &verdict), ..verdict })
    })
}

/// Checks a certificate of rung 5 against a problem in memory: every step but `container` and `data`, and without the hash.
pub fn check_deep_problem(problem: &Problem, certificate: &DeepCertificate) -> Result<Verdict, Refusal> {
    let DeepCertificate { claim, parameters, buffers, witness } = certificate;
    claim_step(problem, certificate)?;
    let inputs = problem_step(problem, &claim.architecture)?;
    model_step(&claim.architecture, parameters, buffers)?;
    let proven_lower = lower(problem, &inputs, &claim.architecture, witness)?;
    if !(claim.lower <= proven_lower) {
        return refuse(Step::Lower, format!("claimed {:e}, the witness proves {proven_lower:e}", claim.lower));
    }
    let most = evaluation(&claim.architecture.layers);
    if claim.evaluation == Evaluation::Proven && most == Evaluation::Evaluated {
        return refuse(Step::Upper, "an objective of a network with such layers can only be evaluated");
    }
    let upper = objective(problem, &inputs, &claim.architecture, (parameters, buffers), claim.evaluation)
        .map_err(|why| Refusal::new(Step::Model, why))?;
    let (agrees, verb) = match claim.evaluation {
        Evaluation::Proven => (claim.upper >= upper, "proves"),
        Evaluation::Evaluated => ((claim.upper - upper).abs() <= TOLERANCE * upper.abs(), "has"),
    };
    if !(agrees && upper.is_finite()) {
        return refuse(Step::Upper, format!("claimed {:e}, the network {verb} {upper:e}", claim.upper));
    }
    ending_step(certificate)?;
    let mut verdict = Verdict::new(proven_lower, upper, claim.total_weight, claim.ending);
    verdict.claim = words::bounds(certificate, &verdict);
    Ok(verdict)
}

/// The best lower bound that the witness proves of all networks of the architecture with this problem, or the step that refuses it.
pub fn deep_lower(problem: &Problem, architecture: &Architecture, witness: &DeepWitness) -> Result<f64, Refusal> {
    let inputs = problem_step(problem, architecture)?;
    lower(problem, &inputs, architecture, witness)
}

/// What a certificate can claim of the objective of networks of this architecture.
pub fn deep_evaluation(architecture: &Architecture) -> Evaluation {
    evaluation(&architecture.layers)
}

/// The objective of a network, and what is known about the number: with `Proven` it is not exceeded, with `Evaluated` it is what arithmetic in doubles gives.
pub fn deep_upper(
    problem: &Problem,
    architecture: &Architecture,
    parameters: &[f32],
    buffers: &[f32],
) -> Result<(f64, Evaluation), Refusal> {
    let inputs = problem_step(problem, architecture)?;
    model_step(architecture, parameters, buffers)?;
    let kind = evaluation(&architecture.layers);
    let upper = objective(problem, &inputs, architecture, (parameters, buffers), kind);
    upper.map(|upper| (upper, kind)).map_err(|why| Refusal::new(Step::Model, why))
}

/// The claim is about this problem.
fn claim_step(problem: &Problem, certificate: &DeepCertificate) -> Result<(), Refusal> {
    let (claim, data, objective) = (&certificate.claim, &problem.data, &problem.objective);
    if claim.version != CERTIFICATE_VERSION || claim.kind != "deep" {
        return refuse(Step::Problem, format!("version {} of kind `{}`", claim.version, claim.kind));
    }
    same_numbers(&[
        ("rows", claim.rows as f64, data.rows() as f64),
        ("columns", claim.columns as f64, data.columns() as f64),
        ("outputs", claim.outputs as f64, problem.outputs() as f64),
        ("lambda2", claim.lambda2, objective.lambda2),
        ("total_weight", claim.total_weight, data.total_weight),
    ])?;
    let recipe = &claim.recipe;
    if recipe.loss != objective.loss || recipe.intercept != objective.intercept {
        return refuse(Step::Problem, "the recipe's loss or intercept is not the problem's");
    }
    if recipe.kernel.is_some() || recipe.standardize {
        return refuse(Step::Problem, "networks have no kernel and no standardised penalty");
    }
    Ok(())
}

/// The problem lies in the theorems' domain, and the architecture is one for it; gives the network's inputs.
fn problem_step(problem: &Problem, architecture: &Architecture) -> Result<Matrix, Refusal> {
    let (data, objective) = (&problem.data, &problem.objective);
    let refusals = [
        (objective.kernel.is_some(), "networks have no kernel"),
        (objective.scales.is_some(), "networks have no standardised penalty"),
        (objective.lambda1 != 0.0, "networks have no l1 penalty: λ1 = 0 expected"),
        (data.matrix.is_spilled(), "networks need their rows in memory"),
        (data.rows() == 0, "there are no rows"),
    ];
    if let Some((_, why)) = refusals.into_iter().find(|refusal| refusal.0) {
        return refuse(Step::Problem, why);
    }
    domain_step(problem)?;
    let shapes = shapes(architecture).map_err(|why| Refusal::new(Step::Model, why))?;
    if architecture.columns() != Some(data.columns()) {
        let (input, columns) = (&architecture.input, data.columns());
        return refuse(Step::Model, format!("input of shape {input:?}, but the data has {columns} columns"));
    }
    let last: usize = shapes.last().map_or(0, |shape| shape.iter().product());
    if last != problem.outputs() {
        return refuse(Step::Model, format!("the last layer makes {last} numbers, {} expected", problem.outputs()));
    }
    let expected = if architecture.has_output_bias() { Intercept::Penalized } else { Intercept::None };
    if objective.intercept != expected {
        let (expected, got) = (expected.name(), objective.intercept.name());
        return refuse(
            Step::Problem,
            format!("of this architecture an intercept `{expected}` is expected, got `{got}`"),
        );
    }
    let inputs = inputs(&data.matrix, &architecture.scaling);
    let is_finite = |i: &usize| inputs.row(*i).values().iter().all(f64::is_finite);
    match (0..inputs.rows()).find(|i| !is_finite(i)) {
        Some(i) => refuse(Step::Problem, format!("row {} has after the scaling a value that is not finite", i + 1)),
        None => Ok(inputs),
    }
}

/// Parameters and running values are as many as the architecture has, finite, and variances ≥ 0.
fn model_step(architecture: &Architecture, values: &[f32], running: &[f32]) -> Result<(), Refusal> {
    for (list, values) in [(parameters(architecture), values), (buffers(architecture), running)] {
        let list = list.map_err(|why| Refusal::new(Step::Model, why))?;
        let expected = list.last().map_or(0, |last| last.range.end);
        if values.len() != expected {
            return refuse(Step::Model, format!("{} parameters or running values, {expected} expected", values.len()));
        }
        for parameter in &list {
            let own = &values[parameter.range.clone()];
            let wrong =
                |value: &f32| !value.is_finite() || (parameter.kind == ParameterKind::RunningVariance && *value < 0.0);
            if let Some(place) = own.iter().position(wrong) {
                return refuse(Step::Model, format!("{} number {} is {}", parameter.name, place + 1, own[place]));
            }
        }
    }
    Ok(())
}

fn ending_step(certificate: &DeepCertificate) -> Result<(), Refusal> {
    let claim = &certificate.claim;
    Asked { lower: claim.lower, upper: claim.upper, gap: claim.gap, abs_gap: claim.abs_gap }.check(claim.ending)?;
    match (claim.ending, claim.evaluation) {
        (Ending::NotAttained, _) => refuse(Step::Ending, "NotAttained is not provable of networks"),
        (Ending::Optimal, Evaluation::Evaluated) => refuse(Step::Ending, "Optimal needs an objective that is proven"),
        _ => Ok(()),
    }
}
