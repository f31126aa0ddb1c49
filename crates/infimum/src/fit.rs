//! From a source and a request to a fitted model with its certificate.

use infimum_check::{Refusal, Verdict, check_problem};
use infimum_convex::{Options, Solver, Start, solve};
use infimum_data::{Change, DataError, Loaded, Request, load};
use infimum_problem::{CERTIFICATE_VERSION, Certificate, Claim, Ending, Loss, Monitor, Outcome, Problem, gap_reached};

/// Relative difference between what the checker proves and what is claimed on its word: other machines add in another order.
pub(crate) const ROOM: f64 = 4.0 * f64::EPSILON;

/// Why nothing could be fitted.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The data or the request is not usable.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The combination is not supported.
    #[error(transparent)]
    Solve(#[from] infimum_convex::Error),
    /// The same of a network.
    #[error(transparent)]
    Net(#[from] infimum_relu::Error),
    /// The same of a deep network.
    #[error(transparent)]
    Deep(#[from] infimum_deep::training::TrainingError),
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

/// What the checker says of a fit's certificate.
pub type Proof = Result<Verdict, Refusal>;

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
    fit_loaded(loaded, options, None, &*monitor)
}

/// Solves what is loaded, from `start` if there is one.
pub fn fit_loaded(
    loaded: Loaded,
    options: &FitOptions,
    start: Option<Start>,
    monitor: &dyn Monitor,
) -> Result<Fit, Error> {
    let abs_gap = options.abs_gap * loaded.problem.data.total_weight;
    let outcome = minimise(&loaded.problem, options, start, monitor)?;
    Ok(Fit { loaded, outcome, gap: options.gap, abs_gap })
}

fn minimise(
    problem: &Problem,
    options: &FitOptions,
    start: Option<Start>,
    monitor: &dyn Monitor,
) -> Result<Outcome, Error> {
    let FitOptions { gap, solver, threads, seed, .. } = *options;
    let abs_gap = options.abs_gap * problem.data.total_weight;
    Ok(solve(problem, &Options { gap, abs_gap, solver, threads, seed, start }, monitor)?)
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
        Loss::Huber(_) => "linear regression with Huber loss",
        Loss::Quantile(_) => "linear quantile regression",
        Loss::Poisson => "Poisson regression",
    };
    let several = problem.objective.loss.is_margin() && problem.outputs() > 1;
    let name = match problem.objective.kernel {
        Some(kernel) => format!(
            "{} with the kernel {}",
            name.replace("linear ", "").replace("regression with", "kernel model with"),
            kernel.name()
        ),
        None => name.to_string(),
    };
    match problem.data.target.several() {
        Some(count) => format!("{name} with {count} outputs"),
        None if several => format!("one-vs-rest {name}"),
        None => name,
    }
}

impl Fit {
    /// This solution as a start for other problems over the same rows.
    pub fn start(&self) -> Start {
        Start { model: self.outcome.model.clone(), dual: Some(self.outcome.dual.clone()) }
    }

    /// Solves the same rows with another objective, from this solution where it fits.
    pub fn refit(&mut self, change: Change, options: &FitOptions, monitor: &dyn Monitor) -> Result<(), Error> {
        self.loaded.set(change)?;
        let fits = self.outcome.model.outputs == self.loaded.problem.outputs();
        let start = fits.then(|| self.start());
        self.outcome = minimise(&self.loaded.problem, options, start, monitor)?;
        Ok(())
    }

    /// A claim keeps a margin for the rounding of the solver's own evaluation. Where that margin alone keeps the gap asked for
    /// from being claimed, what the checker's arithmetic proves is claimed instead.
    pub fn sharpen(&mut self) {
        if self.outcome.ending != Ending::Stalled {
            return;
        }
        let Ok(verdict) = check_problem(&self.loaded.problem, &self.certificate()) else {
            return;
        };
        let (upper, lower) = (verdict.upper * (1.0 + ROOM), verdict.lower * (1.0 - ROOM));
        if gap_reached(upper, lower, self.gap, self.abs_gap) {
            (self.outcome.upper, self.outcome.lower, self.outcome.ending) = (upper, lower, Ending::Optimal);
            self.outcome.message.clear();
        }
    }

    /// Checks the certificate against the problem in memory: all steps but those that read the file again.
    pub fn proof(&self) -> Proof {
        check_problem(&self.loaded.problem, &self.certificate())
    }

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
