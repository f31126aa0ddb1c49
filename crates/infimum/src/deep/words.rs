//! Deep networks in words, and what can be promised of them.

use infimum_problem::deep::{Architecture, Layer, parameters, shapes};
use infimum_problem::{Intercept, Problem};

/// The layers from input to output, and how many parameters they have.
pub fn words_of(architecture: &Architecture) -> String {
    let count = parameters(architecture).ok().and_then(|list| list.last().map(|last| last.range.end)).unwrap_or(0);
    let size = |shape: &[usize]| shape.iter().map(usize::to_string).collect::<Vec<_>>().join("×");
    let layers: Vec<String> = architecture.layers.iter().map(layer_words).collect();
    format!("{} → {}; {count} parameters", size(&architecture.input), layers.join(" → "))
}

fn layer_words(layer: &Layer) -> String {
    match layer {
        Layer::Dense { units, .. } => format!("{units}"),
        Layer::Convolution { channels, kernel: [i, j], stride, .. } => {
            let step = if *stride == 1 { String::new() } else { format!("/{stride}") };
            format!("{channels} conv {i}×{j}{step}")
        }
        Layer::MaxPooling { size, .. } => format!("max {size}×{size}"),
        Layer::AveragePooling { size, .. } => format!("mean {size}×{size}"),
        Layer::Activation { function } => function.name().into(),
        Layer::Residual { body, .. } => {
            format!("residual ({})", body.iter().map(layer_words).collect::<Vec<_>>().join(" → "))
        }
        other => other.name().into(),
    }
}

/// What the rung promises of this network.
pub fn deep_promise(problem: &Problem, architecture: &Architecture) -> String {
    let rung = "rung 5, deep: gradient descent as long as the time allows, and a proven bound where a theorem holds";
    let is_dense = architecture.layers.iter().all(|layer| {
        matches!(
            layer,
            Layer::Dense { .. }
                | Layer::Flatten
                | Layer::Dropout { .. }
                | Layer::Activation { function: infimum_problem::deep::Activation::Relu }
        )
    });
    let depth = architecture.layers.iter().filter(|layer| matches!(layer, Layer::Dense { .. })).count();
    let expected = if shapes(architecture).is_err() {
        "the network does not fit together"
    } else if problem.objective.lambda2 == 0.0 {
        "without decay only equal rows with different targets give a bound above 0"
    } else if is_dense && depth > 1 {
        "a bound over networks of every width, strong where decay is strong and near 0 where it is weak"
    } else {
        "for these layers only weak bounds are known: expect one near 0"
    };
    format!("{rung}; {expected}")
}

/// What the recipe calls the output bias of a network: penalised like every parameter, or none.
pub fn deep_intercept(architecture: &Architecture) -> Intercept {
    if architecture.has_output_bias() { Intercept::Penalized } else { Intercept::None }
}
