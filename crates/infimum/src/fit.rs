//! From a source and a request to a fitted model with its certificate.

use infimum_convex::{Options, Solver, solve};
use infimum_data::{DataError, Loaded, Request, load};
use infimum_problem::{CERTIFICATE_VERSION, Certificate, Claim, Loss, Monitor, Outcome, Problem};

/// Why nothing could be fitted.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The data or the request is not usable.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The combination is not supported.
    #[error(transparent)]
    Solve(#[from] infimum_convex::Error),
}

/// Options of a fit beyond the problem itself.
#[derive(Debug, Clone, PartialEq)]
pub struct FitOptions {
    /// Relative gap at which to stop.
    pub gap: f64,
    /// Absolute gap of the mean objective at which to stop.
    pub abs_gap: f64,
    /// Solver; `None` chooses.
    pub solver: Option<Solver>,
    /// Threads.
    pub threads: usize,
    /// Seed.
    pub seed: u64,
}

impl Default for FitOptions {
    fn default() -> Self {
        FitOptions { gap: 1e-4, abs_gap: 1e-12, solver: None, threads: 1, seed: 0 }
    }
}

/// A fitted model.
#[derive(Debug, Clone)]
pub struct Fit {
    /// The problem and where it came from.
    pub loaded: Loaded,
    /// Model, dual point, bounds, ending.
    pub outcome: Outcome,
    /// Relative gap asked for.
    pub gap: f64,
    /// Absolute gap of the unnormalised sum asked for.
    pub abs_gap: f64,
}

/// Loads, solves, and returns what the run folder is made of. `monitor` is called with the loaded data before the solver
/// starts.
pub fn fit<'m>(
    source: &str,
    request: &Request,
    options: &FitOptions,
    monitor: impl FnOnce(&Loaded) -> Box<dyn Monitor + 'm>,
) -> Result<Fit, Error> {
    let loaded = load(source, request)?;
    let monitor = monitor(&loaded);
    let abs_gap = options.abs_gap * loaded.problem.data.total_weight;
    let solver_options = Options {
        gap: options.gap,
        abs_gap,
        solver: options.solver,
        threads: options.threads,
        seed: options.seed,
        start: None,
    };
    let outcome = solve(&loaded.problem, &solver_options, &*monitor)?;
    drop(monitor);
    Ok(Fit { loaded, outcome, gap: options.gap, abs_gap })
}

/// What a model with this problem's loss is called in sentences.
pub fn model_name(problem: &Problem) -> String {
    let name = match problem.objective.loss {
        Loss::Logistic => "logistic regression",
        Loss::Softmax => "softmax regression",
        Loss::Hinge => "linear support vector machine",
        Loss::SquaredHinge => "linear support vector machine with squared hinge loss",
        Loss::Squared => "linear regression",
        Loss::Epsilon(_) => "linear support vector regression",
        Loss::SquaredEpsilon(_) => "linear support vector regression with squared loss",
        Loss::Quantile(_) => "linear quantile regression",
    };
    let several = problem.objective.loss.is_margin() && problem.outputs() > 1;
    if several { format!("one-vs-rest {name}") } else { name.into() }
}

impl Fit {
    /// The certificate of this fit.
    pub fn certificate(&self) -> Certificate {
        let (problem, outcome) = (&self.loaded.problem, &self.outcome);
        Certificate {
            claim: Claim {
                version: CERTIFICATE_VERSION,
                kind: "convex".into(),
                source: self.loaded.source.clone(),
                recipe: self.loaded.recipe.clone(),
                problem_sha256: self.loaded.problem_sha256.clone(),
                lambda1: problem.objective.lambda1,
                lambda2: problem.objective.lambda2,
                rows: problem.data.rows(),
                columns: problem.data.columns(),
                outputs: problem.outputs(),
                total_weight: problem.data.total_weight,
                lower: outcome.lower,
                upper: outcome.upper,
                gap: self.gap,
                abs_gap: self.abs_gap,
                ending: outcome.ending,
            },
            model: outcome.model.clone(),
            dual: outcome.dual.clone(),
        }
    }
}
