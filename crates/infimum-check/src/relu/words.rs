//! A claim of rung 4 in words: data, rows, target, loss, penalty, network, bound.

use infimum_data::Loaded;
use infimum_problem::{HiddenBias, Intercept, ReluCertificate, relative_gap};

use crate::steps::{Asked, Verdict};
use crate::words::{data, losses, strength};

/// The proven bounds alone.
pub(super) fn bounds(certificate: &ReluCertificate, verdict: &Verdict) -> String {
    format!(
        "No two-layer ReLU network of any width has with this penalty a mean training objective below {:?}; the recorded one, of \
         width {}, attains at most {:?} (relative gap {:.3e}).",
        verdict.mean_lower,
        certificate.net.width,
        verdict.mean_upper,
        relative_gap(verdict.upper, verdict.lower)
    )
}

/// The whole claim.
pub(super) fn claim(loaded: &Loaded, certificate: &ReluCertificate, verdict: &Verdict) -> String {
    let (problem, claim) = (&loaded.problem, &certificate.claim);
    let (hidden_penalty, hidden) = match claim.hidden_bias {
        HiddenBias::Penalized => (" + ‖b‖²", "penalised"),
        HiddenBias::None => ("", "none (b = 0)"),
    };
    let (output_penalty, output) = match problem.objective.intercept {
        Intercept::Penalized => (" + ‖c‖²", "penalised"),
        Intercept::Free => ("", "free (not penalised)"),
        Intercept::None => ("", "none (c = 0)"),
    };
    let objective = format!(
        "sum of the {} of A relu(W x + b) + c plus λ2/2 (‖W‖² + ‖A‖²{hidden_penalty}{output_penalty}) with λ2 = {:?} ({}), total \
         weight {}",
        losses(problem.objective.loss),
        problem.objective.lambda2,
        strength(loaded.recipe.strength),
        claim.total_weight
    );
    let asked = Asked { lower: claim.lower, upper: claim.upper, gap: claim.gap, abs_gap: claim.abs_gap };
    format!(
        "{}. Network: two layers, {} inputs, {} outputs; hidden biases {hidden}, output biases {output}. Objective: {objective}. {} \
         Ending: {}.",
        data(loaded),
        claim.columns,
        claim.outputs,
        bounds(certificate, verdict),
        asked.words(claim.ending)
    )
}
