//! Certificates about given outputs: what losses they have, and that no function of the columns has less than `lower`.
//!
//! Theorem. Let α be in the domain of the losses' gains, `g_i(α_i) ≤ c_i·loss(y_i, z) − α_i·z` for every z, and let the α of each output add up to 0 over the rows
//! that are equal. Then `Σ_i c_i·loss(y_i, f(x_i)) ≥ Σ_i g_i(α_i)` for every f: the sum of `α_i·f(x_i)` over equal rows is f times 0. (docs/certificates.md)

use infimum_data::Loaded;
use infimum_problem::{CERTIFICATE_VERSION, Ending, Intercept, OutputsCertificate, Problem, relative_gap};
use infimum_rigor::{Interval, Sum};

use crate::losses::scalar;
use crate::lower::{feasible, gains};
use crate::relu::points::Points;
use crate::steps::{Asked, Refusal, Step, Verdict, domain_step, on_data, refuse, same_numbers};
use crate::upper::add_loss;
use crate::words::{data, losses};

/// Checks the bytes of a certificate about given outputs against a data file (or `builtin:NAME`): all steps. Whatever names the certificate and the data
/// hold, claim and refusal are single lines.
pub fn check_outputs(bytes: &[u8], data: &str) -> Result<Verdict, Refusal> {
    let certificate =
        OutputsCertificate::from_bytes(bytes).map_err(|error| Refusal::new(Step::Container, error.to_string()))?;
    check_with_data(&certificate, data)
}

/// The steps from `data` on.
pub(crate) fn check_with_data(certificate: &OutputsCertificate, data: &str) -> Result<Verdict, Refusal> {
    on_data(&certificate.claim.recipe, &certificate.claim.problem_sha256, data, |loaded| {
        let verdict = check_outputs_problem(&loaded.problem, certificate)?;
        Ok(Verdict { claim: claim(loaded, certificate, &verdict), ..verdict })
    })
}

/// Checks a certificate against a problem in memory: every step but `container` and `data`, and without the hash.
pub fn check_outputs_problem(problem: &Problem, certificate: &OutputsCertificate) -> Result<Verdict, Refusal> {
    let OutputsCertificate { claim, outputs, dual } = certificate;
    if claim.version != CERTIFICATE_VERSION || claim.kind != "outputs" {
        return refuse(Step::Problem, format!("version {} of kind `{}`", claim.version, claim.kind));
    }
    same_numbers(&[
        ("rows", claim.rows as f64, problem.data.rows() as f64),
        ("columns", claim.columns as f64, problem.data.columns() as f64),
        ("outputs", claim.outputs as f64, problem.outputs() as f64),
        ("total_weight", claim.total_weight, problem.data.total_weight),
    ])?;
    if claim.recipe.loss != problem.objective.loss || claim.recipe.intercept != problem.objective.intercept {
        return refuse(Step::Problem, "the recipe's loss or intercept is not the problem's");
    }
    let (proven_lower, proven_upper) = outputs_bounds(problem, outputs, dual)?;
    if !(claim.lower <= proven_lower) {
        return refuse(Step::Lower, format!("claimed {:e}, the dual point proves {proven_lower:e}", claim.lower));
    }
    if !(claim.upper >= proven_upper) {
        return refuse(Step::Upper, format!("claimed {:e}, the outputs prove {proven_upper:e}", claim.upper));
    }
    asked(certificate).check(claim.ending)?;
    if claim.ending == Ending::NotAttained {
        return refuse(Step::Ending, "NotAttained is not provable of given outputs");
    }
    let mut verdict = Verdict::new(proven_lower, proven_upper, claim.total_weight, claim.ending);
    verdict.claim = bounds(&verdict);
    Ok(verdict)
}

/// What the dual point proves of every function of the columns, and what the outputs' loss does not exceed; or the step that refuses them.
pub fn outputs_bounds(problem: &Problem, outputs: &[f64], dual: &[f64]) -> Result<(f64, f64), Refusal> {
    let (data, objective) = (&problem.data, &problem.objective);
    let refusals = [
        (objective.kernel.is_some() || objective.scales.is_some(), "outputs have no kernel and no scales"),
        (objective.lambda1 != 0.0 || objective.lambda2 != 0.0, "outputs have no penalty: λ1 = λ2 = 0 expected"),
        (objective.intercept != Intercept::None, "outputs have no intercept of their own: `none` expected"),
        (data.matrix.is_spilled(), "equal rows are sought in memory"),
        (data.rows() == 0, "there are no rows"),
    ];
    if let Some((_, why)) = refusals.into_iter().find(|refusal| refusal.0) {
        return refuse(Step::Problem, why);
    }
    domain_step(problem)?;
    let (n, k) = (data.rows(), problem.outputs());
    for (values, step) in [(outputs, Step::Model), (dual, Step::Dual)] {
        if n.checked_mul(k) != Some(values.len()) {
            return refuse(step, format!("{} numbers, {n}·{k} expected", values.len()));
        }
    }
    if let Some(place) = outputs.iter().position(|z| !z.is_finite()) {
        return refuse(Step::Model, format!("output {} of row {} is {}", place % k + 1, place / k + 1, outputs[place]));
    }
    feasible(problem, dual).map_err(|why| Refusal::new(Step::Dual, why))?;
    let points = Points::new(&data.matrix, false).map_err(|why| Refusal::new(Step::Problem, why))?;
    points.cancel(dual, k).map_err(|why| Refusal::new(Step::Dual, why))?;
    let loss = scalar(objective.loss);
    let mut sum = Sum::new();
    for (i, z) in outputs.chunks_exact(k).enumerate() {
        let z: Vec<Interval> = z.iter().map(|&z| Interval::point(z)).collect();
        add_loss(&mut sum, problem, loss.as_deref(), i, &z);
    }
    let (lower, upper) = (gains(problem, dual).enclose().lower, sum.enclose().upper);
    match lower.is_nan() || !upper.is_finite() {
        true => refuse(Step::Model, format!("bounds {lower:e} and {upper:e}: the loss of these outputs is not finite")),
        false => Ok((lower, upper)),
    }
}

fn asked(certificate: &OutputsCertificate) -> Asked {
    let claim = &certificate.claim;
    Asked { lower: claim.lower, upper: claim.upper, gap: claim.gap, abs_gap: claim.abs_gap }
}

/// The bounds in words.
fn bounds(verdict: &Verdict) -> String {
    format!(
        "No function of the columns, whatever the model, has a mean training loss below {:?}; the recorded outputs have at most {:?} (relative gap {:.3e}).",
        verdict.mean_lower,
        verdict.mean_upper,
        relative_gap(verdict.upper, verdict.lower)
    )
}

/// The whole claim.
fn claim(loaded: &Loaded, certificate: &OutputsCertificate, verdict: &Verdict) -> String {
    format!(
        "{}. Objective: sum of the {} of recorded outputs, without penalty, total weight {}. {} Ending: {}.",
        data(loaded),
        losses(loaded.problem.objective.loss),
        certificate.claim.total_weight,
        bounds(verdict),
        asked(certificate).words(certificate.claim.ending)
    )
}
