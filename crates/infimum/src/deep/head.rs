//! The last layer given its features: a convex problem about a stored, hashed file of features, with a certificate of rung 1.

use std::path::Path;

use infimum_problem::{Loss, Monitor, Problem};

use super::features::stored;
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

/// Solves the last layer given the features of the others. The problem is `Σ c_i loss + (λ2/2)‖W, b‖²`, as in the network's objective.
pub(super) fn solve(
    folder: &Path,
    layers: &Layers,
    problem: &Problem,
    options: &FitOptions,
    monitor: &dyn Monitor,
) -> Result<Fit, String> {
    let loaded = stored(folder, &layers.features(&problem.data.matrix), layers.width(), problem)?;
    fit_loaded(loaded, options, None, monitor).map_err(|error| error.to_string())
}

/// Whether rung 1 solves this loss with this penalty to a gap.
pub(super) fn is_solvable(loss: Loss, lambda2: f64) -> bool {
    lambda2 > 0.0 || !matches!(loss, Loss::Hinge | Loss::Quantile(_) | Loss::Epsilon(_))
}
