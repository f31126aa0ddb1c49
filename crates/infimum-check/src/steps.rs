//! The steps of a check, in order; each refusal names its step.

use std::fmt;

use infimum_data::{Change, DataError, Loaded, Memory, rebuild};
use infimum_problem::{
    Certificate, Ending, Intercept, Loss, Problem, Recipe, SpillFault, Target, absolute_gap, gap_reached, one_line,
    relative_gap,
};
use infimum_rigor::Interval;

use crate::kernel;
use crate::lower::{feasible, lower};
use crate::upper::{separates, upper};
use crate::words::{self, short};

/// A step of the check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The file is a well-formed certificate and undamaged.
    Container,
    /// The data can be read by the recipe.
    Data,
    /// The canonical problem is the one certified.
    Problem,
    /// The model is finite and fits.
    Model,
    /// The dual point is feasible.
    Dual,
    /// No hidden unit gains more than λ2 (rung 4).
    Bound,
    /// The claimed lower bound is proven.
    Lower,
    /// The claimed upper bound is proven.
    Upper,
    /// The ending follows from the bounds.
    Ending,
    /// The weights fit the network and no weighted sum is 0 (rungs 2 and 3).
    Weights,
    /// The margins are as claimed (rung 2).
    Margins,
    /// The circuits are circuits (rungs 2 and 3).
    Circuits,
    /// The proof refutes what it has to (rungs 2 and 3).
    Proof,
}

/// Why a certificate is refused, on one line.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{step}: {reason}")]
pub struct Refusal {
    /// The step that failed.
    pub step: Step,
    /// Why.
    pub reason: String,
}

/// What is proven.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// No model has an unnormalised objective below this.
    pub lower: f64,
    /// The recorded model's unnormalised objective is at most this.
    pub upper: f64,
    /// `lower` divided by the total weight, rounded down.
    pub mean_lower: f64,
    /// `upper` divided by the total weight, rounded up.
    pub mean_upper: f64,
    /// How the run ended, as claimed and, where it is a claim, checked.
    pub ending: Ending,
    /// The whole claim in words, on one line.
    pub claim: String,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Step::Container => "container",
            Step::Data => "data",
            Step::Problem => "problem",
            Step::Model => "model",
            Step::Dual => "dual",
            Step::Bound => "bound",
            Step::Lower => "lower",
            Step::Upper => "upper",
            Step::Ending => "ending",
            Step::Weights => "weights",
            Step::Margins => "margins",
            Step::Circuits => "circuits",
            Step::Proof => "proof",
        })
    }
}

pub(crate) fn refuse<T>(step: Step, reason: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal { step, reason: reason.into() })
}

impl Refusal {
    /// A refusal whose reason is one line, whatever names it holds.
    pub(crate) fn new(step: Step, reason: String) -> Refusal {
        Refusal { step, reason: one_line(&reason).into() }
    }
}

/// Rows that cannot be read back prove nothing.
pub(crate) fn unread(fault: SpillFault) -> Refusal {
    Refusal { step: Step::Data, reason: fault.to_string() }
}

/// Checks a certificate's bytes against a data file (or `builtin:NAME`): all steps. Whatever names the certificate and the
/// data hold, claim and refusal are single lines.
pub fn check(bytes: &[u8], data: &str) -> Result<Verdict, Refusal> {
    Checker::default().check(bytes, data)
}

/// Checks several certificates; the rows of the last one are kept, so that a path over one set of rows reads them once.
#[derive(Debug, Default)]
pub struct Checker {
    last: Option<(String, Loaded)>,
    memory: Option<Memory>,
}

impl Checker {
    /// A checker with a limit on memory.
    pub fn within(memory: Option<Memory>) -> Checker {
        Checker { last: None, memory }
    }

    /// As [`check`](fn@check); bytes handed over are freed before the rows are read.
    pub fn check(&mut self, bytes: impl AsRef<[u8]>, data: &str) -> Result<Verdict, Refusal> {
        match self.verify(bytes, data) {
            Ok(verdict) => Ok(Verdict { claim: one_line(&verdict.claim).into(), ..verdict }),
            Err(refusal) => Err(Refusal { reason: one_line(&refusal.reason).into(), ..refusal }),
        }
    }

    fn verify(&mut self, bytes: impl AsRef<[u8]>, data: &str) -> Result<Verdict, Refusal> {
        let certificate = Certificate::from_bytes(bytes.as_ref())
            .map_err(|error| Refusal { step: Step::Container, reason: error.to_string() })?;
        drop(bytes);
        let loaded = self
            .problem(data, &certificate.claim.recipe)
            .map_err(|error: DataError| Refusal { step: Step::Data, reason: error.to_string() })?;
        let verdict = verify_loaded(&loaded, &certificate);
        self.last = Some((data.into(), loaded));
        verdict
    }

    /// The problem of a recipe: from the rows at hand where only the objective differs, else from the file.
    fn problem(&mut self, data: &str, recipe: &Recipe) -> Result<Loaded, DataError> {
        if let Some((source, mut loaded)) = self.last.take() {
            let Recipe { loss, strength, standardize, .. } = *recipe;
            let other = Recipe { loss, strength, standardize, ..loaded.recipe.clone() };
            if source == data && other == *recipe {
                let change = Change { loss: Some(loss), strength: Some(strength), standardize: Some(standardize) };
                loaded.set(change)?;
                return Ok(loaded);
            }
        }
        rebuild(data, recipe, self.memory.clone())
    }
}

/// The data gives the problem that the certificate is about.
pub(crate) fn same_problem(loaded: &Loaded, sha256: &str) -> Result<(), Refusal> {
    if loaded.problem_sha256 == sha256 {
        return Ok(());
    }
    let reason = format!(
        "the data gives the canonical problem {}, the certificate is about {sha256}: other data, or another target, encoding, split \
         or penalty",
        loaded.problem_sha256
    );
    refuse(Step::Problem, reason)
}

/// The steps from `data` on for certificates whose rows are kept in memory: reads the data by the recipe, compares the problem, and lets `check` do the rest. Whatever names
/// the data hold, claim and refusal are single lines.
pub(crate) fn on_data(
    recipe: &Recipe,
    problem_sha256: &str,
    data: &str,
    check: impl FnOnce(&Loaded) -> Result<Verdict, Refusal>,
) -> Result<Verdict, Refusal> {
    let loaded = rebuild(data, recipe, None).map_err(|error| Refusal::new(Step::Data, error.to_string()))?;
    let verdict = same_problem(&loaded, problem_sha256).and_then(|()| check(&loaded));
    let verdict = verdict.map_err(|refusal| Refusal::new(refusal.step, refusal.reason))?;
    Ok(Verdict { claim: one_line(&verdict.claim).into(), ..verdict })
}

fn verify_loaded(loaded: &Loaded, certificate: &Certificate) -> Result<Verdict, Refusal> {
    same_problem(loaded, &certificate.claim.problem_sha256)?;
    let mut verdict = check_problem(&loaded.problem, certificate)?;
    verdict.claim = words::claim(loaded, certificate, &verdict);
    Ok(verdict)
}

/// Checks a certificate against a problem in memory: every step but `container` and `data`, and without the hash.
pub fn check_problem(problem: &Problem, certificate: &Certificate) -> Result<Verdict, Refusal> {
    problem_step(problem, certificate)?;
    model_step(problem, certificate)?;
    if let Err(why) = feasible(problem, &certificate.dual) {
        return refuse(Step::Dual, why);
    }
    let claim = &certificate.claim;
    let products = match problem.objective.kernel {
        None => None,
        Some(kernel) => match kernel::products(problem, kernel, certificate) {
            None => return refuse(Step::Problem, "rows too long for the error analysis of kernel entries"),
            products => products,
        },
    };
    let proven_lower =
        lower(problem, certificate, products.as_ref()).map_err(|reason| Refusal { step: Step::Dual, reason })?;
    if !(claim.lower <= proven_lower) {
        return refuse(Step::Lower, format!("claimed {:e}, the dual point proves {proven_lower:e}", claim.lower));
    }
    let proven_upper = upper(problem, certificate, products.as_ref()).map_err(unread)?;
    if !(claim.upper >= proven_upper) {
        return refuse(Step::Upper, format!("claimed {:e}, the model proves {proven_upper:e}", claim.upper));
    }
    ending_step(problem, certificate)?;
    let mut verdict = Verdict::new(proven_lower, proven_upper, claim.total_weight, claim.ending);
    verdict.claim = words::bounds(problem, &verdict);
    Ok(verdict)
}

impl Verdict {
    /// The bounds of a checked certificate, without words.
    pub(crate) fn new(lower: f64, upper: f64, total_weight: f64, ending: Ending) -> Verdict {
        let mean = |value: f64| Interval::point(value).divide_by_positive(Interval::point(total_weight));
        let (mean_lower, mean_upper) = (mean(lower).lower, mean(upper).upper);
        Verdict { lower, upper, mean_lower, mean_upper, ending, claim: String::new() }
    }
}

fn problem_step(problem: &Problem, certificate: &Certificate) -> Result<(), Refusal> {
    let (claim, data, objective) = (&certificate.claim, &problem.data, &problem.objective);
    let numbers = [
        ("rows", claim.rows as f64, data.rows() as f64),
        ("columns", claim.columns as f64, data.columns() as f64),
        ("outputs", claim.outputs as f64, problem.outputs() as f64),
        ("lambda1", claim.lambda1, objective.lambda1),
        ("lambda2", claim.lambda2, objective.lambda2),
        ("total_weight", claim.total_weight, data.total_weight),
    ];
    same_numbers(&numbers)?;
    let recipe = &claim.recipe;
    if recipe.loss != objective.loss || recipe.intercept != objective.intercept || recipe.kernel != objective.kernel {
        return refuse(Step::Problem, "the recipe's loss, intercept or kernel is not the problem's");
    }
    if let Some(why) = objective.kernel.and_then(|kernel| kernel::objection(problem, kernel)) {
        return refuse(Step::Problem, why);
    }
    domain_step(problem)
}

/// Name, claimed value and value of the data of what must agree.
pub(crate) fn same_numbers(numbers: &[(&str, f64, f64)]) -> Result<(), Refusal> {
    for (name, claimed, rebuilt) in numbers {
        if claimed != rebuilt {
            return refuse(Step::Problem, format!("{name}: claimed {claimed}, the data gives {rebuilt}"));
        }
    }
    Ok(())
}

/// The part of the theorems' domain that is common to rungs 1 and 4.
pub(crate) fn domain_step(problem: &Problem) -> Result<(), Refusal> {
    let (data, objective) = (&problem.data, &problem.objective);
    let positive = |value: &f64| *value > 0.0 && value.is_finite();
    let non_negative = |value: f64| value >= 0.0 && value.is_finite();
    if !data.weights.iter().all(positive)
        || !objective.scales.iter().flatten().all(positive)
        || !non_negative(objective.lambda1)
        || !non_negative(objective.lambda2)
        || !positive(&data.total_weight)
        || problem.outputs() == 0
    {
        return refuse(
            Step::Problem,
            "outside the theorem's domain: weights and scales > 0, λ1 and λ2 ≥ 0, one output",
        );
    }
    if let Some(why) = objective.loss.objection() {
        return refuse(Step::Problem, why);
    }
    let loss = objective.loss;
    let fits = match &data.target {
        Target::Real(_) => !loss.is_classification(),
        Target::Class { .. } => loss.is_classification(),
        Target::Several { .. } => loss != Loss::Softmax,
    };
    if !fits {
        return refuse(Step::Problem, format!("the loss {} does not fit the kind of target", loss.name()));
    }
    let (values, width) = match &data.target {
        Target::Real(values) => (values, 1),
        Target::Class { .. } => return Ok(()),
        Target::Several { names, values } => (values, names.len()),
    };
    if data.rows().checked_mul(width) != Some(values.len()) {
        return refuse(Step::Problem, format!("{} targets, {}·{width} expected", values.len(), data.rows()));
    }
    let expected = |y: f64| match loss.is_margin() {
        true => (y.abs() != 1.0).then_some("1 where the row has the label, -1 where not"),
        false => loss.refuses(y),
    };
    match values.iter().enumerate().find_map(|(entry, &y)| Some((entry / width, y, expected(y)?))) {
        Some((row, y, expected)) => {
            refuse(Step::Problem, format!("target of row {}: expected {expected}, got {y}", row + 1))
        }
        None => Ok(()),
    }
}

fn model_step(problem: &Problem, certificate: &Certificate) -> Result<(), Refusal> {
    let model = &certificate.model;
    let (n, d, outputs) = (problem.data.rows(), problem.model_columns(), problem.outputs());
    if (model.outputs, model.columns) != (outputs, d)
        || model.weights.len() != outputs * d
        || model.intercepts.len() != outputs
        || certificate.dual.len() != n * outputs
    {
        return refuse(Step::Model, format!("the arrays do not fit {n} rows, {d} columns, {outputs} outputs"));
    }
    if let Some(entry) = model.weights.iter().position(|w| !w.is_finite()) {
        return refuse(Step::Model, format!("weight {} is {}", entry + 1, model.weights[entry]));
    }
    for (k, &b) in model.intercepts.iter().enumerate() {
        if !b.is_finite() {
            return refuse(Step::Model, format!("intercept {} is {b}", k + 1));
        }
        if problem.objective.intercept == Intercept::None && b != 0.0 {
            return refuse(Step::Model, format!("intercept {} is {b}, but the model has none", k + 1));
        }
    }
    Ok(())
}

fn ending_step(problem: &Problem, certificate: &Certificate) -> Result<(), Refusal> {
    let claim = &certificate.claim;
    let asked = Asked { lower: claim.lower, upper: claim.upper, gap: claim.gap, abs_gap: claim.abs_gap };
    asked.check(claim.ending)?;
    match claim.ending {
        Ending::NotAttained if claim.lower != 0.0 => {
            refuse(Step::Ending, "NotAttained is provable with the bound 0 alone")
        }
        Ending::NotAttained => not_attained(problem, certificate),
        _ => Ok(()),
    }
}

/// Claimed bounds and the gaps that `Optimal` refers to.
pub(crate) struct Asked {
    pub(crate) lower: f64,
    pub(crate) upper: f64,
    pub(crate) gap: f64,
    pub(crate) abs_gap: f64,
}

impl Asked {
    /// The numbers are such, and `Optimal` follows from them; other endings that claim something about a convex objective or a
    /// network of rung 4 are the caller's.
    pub(crate) fn check(&self, ending: Ending) -> Result<(), Refusal> {
        let &Asked { lower, upper, gap, abs_gap } = self;
        if !(gap >= 0.0 && abs_gap >= 0.0 && lower.is_finite() && upper.is_finite()) {
            return refuse(Step::Ending, "gap, abs_gap ≥ 0 and finite bounds expected");
        }
        match ending {
            Ending::Optimal if !gap_reached(upper, lower, gap, abs_gap) => {
                let reason = format!(
                    "Optimal needs a relative gap ≤ {gap:e} or an absolute one ≤ {abs_gap:e}, but they are {:e} and {:e}",
                    relative_gap(upper, lower),
                    absolute_gap(upper, lower)
                );
                refuse(Step::Ending, reason)
            }
            Ending::Satisfiable | Ending::Infeasible => {
                refuse(Step::Ending, format!("{} answers no question about an objective", ending.name()))
            }
            _ => Ok(()),
        }
    }

    /// How the run ended and, where that is a claim, what it claims.
    pub(crate) fn words(&self, ending: Ending) -> String {
        let name = ending.name();
        match ending {
            Ending::Optimal if relative_gap(self.upper, self.lower) <= self.gap => {
                format!("{name} to the relative gap {} asked for", short(self.gap))
            }
            Ending::Optimal => format!("{name} to the absolute gap {} of the sum asked for", short(self.abs_gap)),
            Ending::NotAttained | Ending::Satisfiable | Ending::Infeasible => name.into(),
            Ending::TimeLimit | Ending::Stalled | Ending::Interrupted | Ending::NumericalTrouble => {
                format!("{name}, by the run's own account")
            }
        }
    }
}

/// Whether it is proven that the infimum is 0 and not attained; the error says what is missing.
fn not_attained(problem: &Problem, certificate: &Certificate) -> Result<(), Refusal> {
    let objective = &problem.objective;
    match (objective.loss, &problem.data.target) {
        (Loss::Logistic | Loss::Softmax, _) if objective.lambda1 == 0.0 && objective.lambda2 == 0.0 => {
            if separates(problem, certificate).map_err(unread)? {
                Ok(())
            } else {
                refuse(Step::Ending, "the model does not provably separate the classes")
            }
        }
        (Loss::Poisson, Target::Real(values)) if objective.intercept == Intercept::Free => {
            if values.iter().all(|&y| y == 0.0) { Ok(()) } else { refuse(Step::Ending, "not all targets are 0") }
        }
        _ => refuse(
            Step::Ending,
            "NotAttained is provable for logistic and softmax without penalty, and for poisson with a free intercept",
        ),
    }
}
