//! The steps of a check of a certificate of rung 4.

use infimum_problem::{CERTIFICATE_VERSION, Ending, HiddenBias, Intercept, Problem, ReluCertificate};
use infimum_rigor::Interval;

use super::bound::bound_step;
use super::network::{model_step, upper};
use super::points::Points;
use super::words;
use crate::lower::{UNBALANCED, balanced, conjugate, feasible, gains, total};
use crate::steps::{Asked, Refusal, Step, Verdict, domain_step, on_data, refuse, same_numbers, unread};

/// Checks the bytes of a certificate of rung 4 against a data file (or `builtin:NAME`): all steps. Whatever names the certificate and
/// the data hold, claim and refusal are single lines.
pub fn check_relu(bytes: &[u8], data: &str) -> Result<Verdict, Refusal> {
    let certificate =
        ReluCertificate::from_bytes(bytes).map_err(|error| Refusal::new(Step::Container, error.to_string()))?;
    check_with_data(&certificate, data)
}

/// The steps from `data` on.
pub(crate) fn check_with_data(certificate: &ReluCertificate, data: &str) -> Result<Verdict, Refusal> {
    on_data(&certificate.claim.recipe, &certificate.claim.problem_sha256, data, |loaded| {
        let verdict = check_relu_problem(&loaded.problem, certificate)?;
        Ok(Verdict { claim: words::claim(loaded, certificate, &verdict), ..verdict })
    })
}

/// Checks a certificate of rung 4 against a problem in memory: every step but `container` and `data`, and without the hash.
pub fn check_relu_problem(problem: &Problem, certificate: &ReluCertificate) -> Result<Verdict, Refusal> {
    let claim = &certificate.claim;
    problem_step(problem, certificate)?;
    let constant = claim.hidden_bias == HiddenBias::Penalized;
    let points = Points::new(&problem.data.matrix, constant).map_err(|why| Refusal::new(Step::Problem, why))?;
    model_step(problem, certificate)?;
    dual_step(problem, certificate)?;
    bound_step(&points, problem, certificate)?;
    let proven_lower = lower(problem, &certificate.dual).map_err(|why| Refusal::new(Step::Dual, why))?;
    if !(claim.lower <= proven_lower) {
        return refuse(Step::Lower, format!("claimed {:e}, the dual point proves {proven_lower:e}", claim.lower));
    }
    let proven_upper = upper(problem, &certificate.net).map_err(unread)?;
    if !(claim.upper >= proven_upper) {
        return refuse(Step::Upper, format!("claimed {:e}, the network proves {proven_upper:e}", claim.upper));
    }
    ending_step(certificate)?;
    let mut verdict = Verdict::new(proven_lower, proven_upper, claim.total_weight, claim.ending);
    verdict.claim = words::bounds(certificate, &verdict);
    Ok(verdict)
}

/// The claim is about this problem, and the theorems hold for it.
fn problem_step(problem: &Problem, certificate: &ReluCertificate) -> Result<(), Refusal> {
    let (claim, data, objective) = (&certificate.claim, &problem.data, &problem.objective);
    if claim.version != CERTIFICATE_VERSION || claim.kind != "relu" {
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
    let refusals = [
        (objective.kernel.is_some() || recipe.kernel.is_some(), "networks have no kernel"),
        (objective.scales.is_some() || recipe.standardize, "networks have no standardised penalty"),
        (objective.lambda1 != 0.0, "networks have no l1 penalty: λ1 = 0 expected"),
        (data.matrix.is_spilled(), "networks need their rows in memory"),
        (data.rows() == 0, "there are no rows"),
    ];
    if let Some((_, why)) = refusals.into_iter().find(|refusal| refusal.0) {
        return refuse(Step::Problem, why);
    }
    domain_step(problem)
}

/// α lies in the domains of g, and its sums are exactly 0 where theorem 1 needs it.
fn dual_step(problem: &Problem, certificate: &ReluCertificate) -> Result<(), Refusal> {
    let alpha = &certificate.dual;
    feasible(problem, alpha).map_err(|why| Refusal::new(Step::Dual, why))?;
    if problem.objective.intercept == Intercept::Penalized && problem.objective.lambda2 == 0.0 {
        let why = |k| format!("output {}: {UNBALANCED}, which an output bias without penalty demands", k + 1);
        balanced(alpha, problem.outputs()).map_err(|k| Refusal::new(Step::Dual, why(k)))?;
    }
    Ok(())
}

/// `Σ_i g_i(α_i) − R` rounded down (theorem 1).
fn lower(problem: &Problem, alpha: &[f64]) -> Result<f64, String> {
    let mut sum = gains(problem, alpha);
    let beta = problem.objective.lambda2;
    // Without penalty the sums are exactly 0, as those of a free bias, and R = 0.
    if problem.objective.intercept == Intercept::Penalized && beta > 0.0 {
        for k in 0..problem.outputs() {
            sum.add(-conjugate(0.0, beta, 1.0, total(alpha, problem.outputs(), k))?);
        }
    }
    Ok(sum.enclose().lower)
}

fn ending_step(certificate: &ReluCertificate) -> Result<(), Refusal> {
    let claim = &certificate.claim;
    Asked { lower: claim.lower, upper: claim.upper, gap: claim.gap, abs_gap: claim.abs_gap }.check(claim.ending)?;
    match claim.ending {
        Ending::NotAttained => refuse(Step::Ending, "NotAttained is not provable of networks"),
        _ => Ok(()),
    }
}

/// A number that `a + b` does not exceed.
pub(super) fn sum_up(a: f64, b: f64) -> f64 {
    (Interval::point(a) + Interval::point(b)).upper
}
