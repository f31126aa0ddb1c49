//! The steps of a check of a loading certificate.

use infimum_data::rebuild_loading;
use infimum_problem::{CERTIFICATE_VERSION, Ending, LoadingCertificate, LoadingProblem, one_line};

use super::circuits::Lemmas;
use super::formula::Formula;
use super::margins;
use super::proof::refutes;
use super::weights::wrong_rows;
use super::words;
use crate::steps::{Refusal, Step, refuse};

/// What is proven.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadingVerdict {
    /// Every network of this kind is wrong on at least so many rows.
    pub lower: u64,
    /// The recorded one is wrong on so many; `None` if there is none.
    pub upper: Option<u64>,
    /// How the run ended, as claimed and, where it is a claim, checked.
    pub ending: Ending,
    /// The whole claim in words.
    pub claim: String,
}

/// Checks a loading certificate's bytes against a data file (or `builtin:NAME`): all steps. Whatever names the certificate and the data
/// hold, claim and refusal are single lines.
pub fn check_loading(bytes: &[u8], data: &str) -> Result<LoadingVerdict, Refusal> {
    let certificate =
        LoadingCertificate::from_bytes(bytes).map_err(|error| Refusal::new(Step::Container, error.to_string()))?;
    check_with_data(&certificate, data)
}

/// The steps from `data` on.
pub(crate) fn check_with_data(certificate: &LoadingCertificate, data: &str) -> Result<LoadingVerdict, Refusal> {
    let claim = &certificate.claim;
    let loaded = rebuild_loading(data, &claim.recipe, &claim.network)
        .map_err(|error| Refusal::new(Step::Data, error.to_string()))?;
    if loaded.problem_sha256 != claim.problem_sha256 {
        let reason = format!(
            "the data gives the loading problem {}, the certificate is about {}: other data, targets or network",
            loaded.problem_sha256, claim.problem_sha256
        );
        return Err(Refusal::new(Step::Problem, reason));
    }
    let verdict = check_loading_problem(&loaded.problem, certificate)
        .map_err(|refusal| Refusal::new(refusal.step, refusal.reason))?;
    let claim = one_line(&words::claim(&loaded, claim)).into();
    Ok(LoadingVerdict { claim, ..verdict })
}

/// Checks a loading certificate against a problem in memory: every step but `container` and `data`, and without the hash.
pub fn check_loading_problem(
    problem: &LoadingProblem,
    certificate: &LoadingCertificate,
) -> Result<LoadingVerdict, Refusal> {
    problem_step(problem, certificate)?;
    upper_step(problem, certificate)?;
    margins::check(problem, certificate).map_err(|reason| Refusal::new(Step::Margins, reason))?;
    lower_step(problem, certificate)?;
    ending_step(certificate)?;
    let claim = &certificate.claim;
    let mut verdict =
        LoadingVerdict { lower: claim.lower, upper: claim.upper, ending: claim.ending, claim: String::new() };
    verdict.claim = words::bounds(claim);
    Ok(verdict)
}

/// The claim is about this problem, and the problem is one.
fn problem_step(problem: &LoadingProblem, certificate: &LoadingCertificate) -> Result<(), Refusal> {
    let claim = &certificate.claim;
    let (rows, columns) = (problem.rows(), problem.points.columns());
    if claim.version != CERTIFICATE_VERSION || claim.kind != "loading" {
        return refuse(Step::Problem, format!("version {} of kind `{}`", claim.version, claim.kind));
    }
    if (claim.rows, claim.columns) != (rows, columns) {
        let claimed = format!("claimed {} rows and {} columns", claim.rows, claim.columns);
        return refuse(Step::Problem, format!("{claimed}, the data gives {rows} and {columns}"));
    }
    if claim.network != problem.network {
        return refuse(Step::Problem, "the claim's network is not the problem's");
    }
    if let Some(fault) = problem.network.fault(columns) {
        return refuse(Step::Problem, fault);
    }
    if rows == 0 {
        return refuse(Step::Problem, "there are no rows");
    }
    if problem.targets.len() != rows * problem.network.outputs.len() {
        return refuse(Step::Problem, "the targets do not fit the rows and outputs");
    }
    Ok(())
}

/// The recorded weights are wrong on as many rows as claimed.
fn upper_step(problem: &LoadingProblem, certificate: &LoadingCertificate) -> Result<(), Refusal> {
    let (claimed, neurons) = match (certificate.claim.upper, &certificate.neurons) {
        (None, None) => return Ok(()),
        (Some(claimed), Some(neurons)) => (claimed, neurons),
        (Some(claimed), None) => return refuse(Step::Weights, format!("{claimed} wrong rows claimed without weights")),
        (None, Some(_)) => return refuse(Step::Weights, "weights without a claimed number of wrong rows"),
    };
    let counted = wrong_rows(problem, neurons).map_err(|reason| Refusal::new(Step::Weights, reason))?;
    if counted != claimed {
        return refuse(Step::Upper, format!("claimed {claimed} wrong rows, the weights are wrong on {counted}"));
    }
    Ok(())
}

/// No weights are wrong on fewer rows than claimed.
fn lower_step(problem: &LoadingProblem, certificate: &LoadingCertificate) -> Result<(), Refusal> {
    let (claim, rows) = (&certificate.claim, problem.rows());
    if claim.lower > claim.upper.unwrap_or(rows as u64) {
        let most = claim.upper.map_or(format!("there are {rows}"), |upper| format!("the weights are wrong on {upper}"));
        return refuse(Step::Lower, format!("claimed at least {} wrong rows, but {most}", claim.lower));
    }
    let Some(errors) = claim.lower.checked_sub(1) else {
        let empty = certificate.circuits.is_empty() && certificate.proof.is_empty() && claim.maps.is_empty();
        let reason = "at least 0 wrong rows need no circuits, no maps and no proof";
        return if empty { Ok(()) } else { refuse(Step::Proof, reason) };
    };
    let lemmas = Lemmas::new(problem, &certificate.circuits).map_err(|reason| Refusal::new(Step::Circuits, reason))?;
    Formula::new(problem, errors, claim.symmetry, claim.stride, &claim.maps)
        .and_then(|formula| refutes(&formula, &lemmas, &certificate.proof))
        .map_err(|reason| Refusal::new(Step::Proof, reason))
}

/// The ending follows from the bounds.
fn ending_step(certificate: &LoadingCertificate) -> Result<(), Refusal> {
    let claim = &certificate.claim;
    let (lower, upper, name) = (claim.lower, claim.upper, claim.ending.name());
    let needed = match (claim.ending, claim.allowed) {
        (Ending::Satisfiable, Some(allowed)) if upper.is_some_and(|upper| upper <= allowed) => return Ok(()),
        (Ending::Satisfiable, _) => "a number of allowed errors that the weights keep",
        (Ending::Infeasible, Some(allowed)) if lower > allowed => return Ok(()),
        (Ending::Infeasible, _) => "a number of allowed errors below the lower bound",
        (Ending::Optimal, _) if upper == Some(lower) => return Ok(()),
        (Ending::Optimal, _) => "weights that attain the lower bound",
        (Ending::NotAttained, _) => "another kind of certificate",
        (Ending::TimeLimit | Ending::Stalled | Ending::Interrupted | Ending::NumericalTrouble, _) => return Ok(()),
    };
    refuse(Step::Ending, format!("{name} needs {needed}"))
}
