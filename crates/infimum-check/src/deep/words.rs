//! A claim of rung 5 in words: data, rows, target, network, loss, penalty, bound.

use infimum_data::Loaded;
use infimum_problem::deep::{DeepCertificate, Evaluation, Layer, Padding};
use infimum_problem::relative_gap;

use crate::steps::{Asked, Verdict};
use crate::words::{data, losses, strength};

/// The bounds alone.
pub(super) fn bounds(certificate: &DeepCertificate, verdict: &Verdict) -> String {
    let recorded = match certificate.claim.evaluation {
        Evaluation::Proven => format!("the recorded one attains at most {:?}", verdict.mean_upper),
        Evaluation::Evaluated => {
            format!("the recorded one has about {:?}, evaluated in doubles, not proven", verdict.mean_upper)
        }
    };
    format!(
        "No network of this architecture, whatever the widths of its dense and convolutional layers, has with this penalty a mean training \
         objective below {:?}; {recorded} (relative gap {:.3e}).",
        verdict.mean_lower,
        relative_gap(verdict.upper, verdict.lower)
    )
}

/// The whole claim.
pub(super) fn claim(loaded: &Loaded, certificate: &DeepCertificate, verdict: &Verdict) -> String {
    let (problem, claim) = (&loaded.problem, &certificate.claim);
    let architecture = &claim.architecture;
    let scaling = match (architecture.scaling.shift.is_empty(), architecture.scaling.scale.is_empty()) {
        (true, true) => "as singles",
        _ => "shifted and scaled as recorded, in singles",
    };
    let asked = Asked { lower: claim.lower, upper: claim.upper, gap: claim.gap, abs_gap: claim.abs_gap };
    format!(
        "{}. Network: columns {scaling}, of shape {:?}; {}; {} parameters. Objective: sum of the {} as the network predicts plus λ2/2 ‖θ‖² over all \
         parameters with λ2 = {:?} ({}), total weight {}. {} Ending: {}.",
        data(loaded),
        architecture.input,
        path(&architecture.layers),
        certificate.parameters.len(),
        losses(problem.objective.loss),
        problem.objective.lambda2,
        strength(loaded.recipe.strength),
        claim.total_weight,
        bounds(certificate, verdict),
        asked.words(claim.ending)
    )
}

fn path(layers: &[Layer]) -> String {
    if layers.is_empty() {
        return "identity".into();
    }
    layers.iter().map(layer).collect::<Vec<_>>().join(", ")
}

fn layer(layer: &Layer) -> String {
    let name = layer.name();
    let without = |bias: &bool| if *bias { "" } else { " without bias" };
    match layer {
        Layer::Dense { units, bias } => format!("{name} {units}{}", without(bias)),
        Layer::Convolution { channels, kernel: [i, j], stride, padding, bias } => {
            let padding = if *padding == Padding::Same { " padded" } else { "" };
            format!("{name} {channels} of {i}x{j} stride {stride}{padding}{}", without(bias))
        }
        Layer::MaxPooling { size, stride } | Layer::AveragePooling { size, stride } => {
            format!("{name} {size}x{size} stride {}", if *stride == 0 { size } else { stride })
        }
        Layer::Activation { function } => function.name().into(),
        Layer::Dropout { rate } => format!("{name} {rate:?} (none in prediction)"),
        Layer::BatchNormalization { epsilon, .. } => format!("{name} by running values (epsilon {epsilon:?})"),
        Layer::LayerNormalization { epsilon } => format!("{name} (epsilon {epsilon:?})"),
        Layer::Embedding { vocabulary, width } => format!("{name} of {vocabulary} rows of {width}"),
        Layer::Attention { heads, causal } => {
            format!("{name} with {heads} heads{}", if *causal { ", causal" } else { "" })
        }
        Layer::Residual { body, shortcut } => format!("{name} ({}) + ({})", path(body), path(shortcut)),
        Layer::GlobalAveragePooling | Layer::Flatten => name.into(),
    }
}
