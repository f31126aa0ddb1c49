//! The claim in words: data, rows, target, loss, penalty, intercept, bound.

use infimum_data::Loaded;
use infimum_problem::{
    Certificate, ClassWeight, Ending, Intercept, Loss, Problem, Strength, Subset, Target, relative_gap,
};

use crate::steps::{Asked, Verdict};

/// What a model with this loss is called.
fn model_name(problem: &Problem) -> String {
    let several = problem.data.labels().len() > 2;
    let name = match problem.objective.loss {
        Loss::Logistic => "logistic regression",
        Loss::Softmax => "softmax regression",
        Loss::Hinge => "support vector machine (hinge loss)",
        Loss::SquaredHinge => "support vector machine (squared hinge loss)",
        Loss::Squared if problem.objective.kernel.is_some() => "kernel model (squared loss)",
        Loss::Squared => "linear model (squared loss)",
        Loss::Epsilon(_) => "support vector regression (epsilon-insensitive loss)",
        Loss::SquaredEpsilon(_) => "support vector regression (squared epsilon-insensitive loss)",
        Loss::Huber(_) if problem.objective.kernel.is_some() => "kernel model (Huber loss)",
        Loss::Huber(_) => "linear model (Huber loss)",
        Loss::Quantile(_) if problem.objective.kernel.is_some() => "kernel quantile regression",
        Loss::Quantile(_) => "linear quantile regression",
        Loss::Poisson => "Poisson regression (logarithmic link)",
    };
    let name = match problem.data.target.several() {
        Some(count) => format!("{name} with {count} outputs, one for each target,"),
        None if several && problem.objective.loss.is_margin() => format!("one-vs-rest {name}"),
        None => name.into(),
    };
    match problem.objective.kernel {
        Some(kernel) => format!("{name} over the space of the kernel {}", kernel.words()),
        None => name,
    }
}

/// The proven bounds alone.
pub(crate) fn bounds(problem: &Problem, verdict: &Verdict) -> String {
    let name = model_name(problem);
    let mut text = format!(
        "No {name} with this penalty has a mean training objective below {:?}; the recorded model attains at most {:?} \
         (relative gap {:.3e}).",
        verdict.mean_lower,
        verdict.mean_upper,
        relative_gap(verdict.upper, verdict.lower)
    );
    if verdict.ending == Ending::NotAttained {
        let why = match problem.objective.loss {
            Loss::Poisson => "all targets are 0 and the intercept is free",
            _ => "the recorded model separates the classes",
        };
        text.push_str(&format!(" The infimum is 0 and no weights attain it: {why}."));
    }
    text
}

/// A small number as it is usually typed.
pub(crate) fn short(value: f64) -> String {
    if value == 0.0 { "0".into() } else { format!("{value:e}") }
}

/// Data, rows, target, labels and weights.
pub(crate) fn data(loaded: &Loaded) -> String {
    let (problem, recipe) = (&loaded.problem, &loaded.recipe);
    let mut text = format!(
        "Data: {} (SHA-256 {}), {} training rows, {} columns",
        loaded.source.path,
        loaded.source.sha256,
        problem.data.rows(),
        problem.data.columns()
    );
    match (recipe.split, &loaded.validation, recipe.subset) {
        (Some(split), Some(validation), None | Some(Subset::Share { .. })) => {
            text.push_str(&format!(", {} rows held out (seed {})", validation.matrix.rows(), split.seed));
        }
        (Some(split), ..) => text.push_str(&format!(", {} of the rows held out (seed {})", split.fraction, split.seed)),
        (None, ..) => {}
    }
    match recipe.subset {
        Some(Subset::WithoutFold { folds, fold, seed }) => {
            text.push_str(&format!(", those of fold {fold} of the folds 0 to {} left out (seed {seed})", folds - 1));
        }
        Some(Subset::Share { rows, seed }) => {
            text.push_str(&format!(", the first {rows} of a stratified random order (seed {seed})"));
        }
        None => {}
    }
    match &problem.data.target {
        Target::Several { names, .. } => {
            let kind = if problem.objective.loss.is_margin() { "labels that a row has or has not" } else { "numbers" };
            text.push_str(&format!(". Targets: `{}` ({kind}), an output for each", names.join("`, `")));
        }
        _ if recipe.target.is_empty() => text.push_str(". Target: the label of each row"),
        _ => text.push_str(&format!(". Target: {}", recipe.target)),
    }
    if let Target::Class { labels, .. } = &problem.data.target {
        let shown = labels.iter().take(20).map(|label| format!("`{label}`")).collect::<Vec<_>>().join(", ");
        let more = if labels.len() > 20 { format!(" and {} more", labels.len() - 20) } else { String::new() };
        text.push_str(&format!(", labels {shown}{more}"));
        if problem.outputs() == 1 {
            text.push_str(&format!(" (positive: `{}`)", labels[1]));
        }
    }
    if let Some(weight) = &recipe.sample_weight {
        text.push_str(&format!(". Example weights: {weight}"));
    }
    match &recipe.class_weight {
        ClassWeight::Uniform => {}
        ClassWeight::Balanced => text.push_str(". Class weights: balanced"),
        ClassWeight::Given(given) => {
            let given: Vec<String> = given.iter().map(|(label, weight)| format!("`{label}` {weight}")).collect();
            text.push_str(&format!(". Class weights: {}", given.join(", ")));
        }
    }
    text
}

/// The strength of the penalty as it was asked for.
pub(crate) fn strength(strength: Strength) -> String {
    match strength {
        Strength::C(c) => format!("C = {c}"),
        Strength::PerExample { l1, l2 } => format!("l1 = {l1}, l2 = {l2}"),
    }
}

/// The loss with its parameter.
pub(crate) fn losses(loss: Loss) -> String {
    let parameter = loss.parameter().map_or(String::new(), |value| format!(" (parameter {value:?})"));
    format!("{}{parameter} losses", loss.name())
}

/// The whole claim.
pub(crate) fn claim(loaded: &Loaded, certificate: &Certificate, verdict: &Verdict) -> String {
    let (problem, recipe, claim) = (&loaded.problem, &loaded.recipe, &certificate.claim);
    let mut text = data(loaded);
    let strength = strength(recipe.strength);
    let objective = &problem.objective;
    let penalty = match objective.kernel {
        Some(kernel) => format!(
            "λ2/2 ‖f‖² over all functions f of the space of the kernel {}, with λ2 = {:?} ({strength})",
            kernel.words(),
            objective.lambda2
        ),
        None => format!(
            "λ1 Σ s|w| + λ2/2 Σ s²w² with λ1 = {:?}, λ2 = {:?} ({strength}), {}",
            objective.lambda1,
            objective.lambda2,
            if recipe.standardize { "s the columns' standard deviations" } else { "all s = 1" }
        ),
    };
    text.push_str(&format!(
        ". Objective: sum of the {} plus {penalty}, total weight {}; intercept {}.",
        losses(objective.loss),
        claim.total_weight,
        match problem.objective.intercept {
            Intercept::Free => "free (not penalised)",
            Intercept::Penalized => "penalised",
            Intercept::None => "none",
        }
    ));
    let asked = Asked { lower: claim.lower, upper: claim.upper, gap: claim.gap, abs_gap: claim.abs_gap };
    format!("{text} {} Ending: {}.", bounds(problem, verdict), asked.words(claim.ending))
}
