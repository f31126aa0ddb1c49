//! Which solver takes which problem, and why; what cannot be combined is refused with a sentence that says what can.

use infimum_problem::{Loss, Matrix, Problem, Target};

use crate::kernel::{BUDGET, Rows};
use crate::losses::{ScalarLoss, with_scalar_loss};
use crate::{Error, Solver};

/// Largest order of a Newton or interior-point system that is factorised.
const FACTORISE_UP_TO: usize = 1_200;

/// Most stored values and rows of a problem that is copied into a cone program, and the largest system that it may come down to.
const CONES_UP_TO: usize = 2_000_000;
const CONE_SYSTEM_UP_TO: usize = 1_200;

/// The solver for `problem`, by `wanted` or by rule, with the reason as a clause.
pub(crate) fn choose(problem: &Problem, wanted: Option<Solver>) -> Result<(Solver, String), Error> {
    let objective = &problem.objective;
    if let Target::Real(values) | Target::Several { values, .. } = &problem.data.target
        && let Some((entry, expected)) =
            values.iter().enumerate().find_map(|(i, &y)| Some((i, objective.loss.refuses(y)?)))
    {
        let row = entry / problem.outputs() + 1;
        let message = format!("target of row {row}: expected {expected}, got {}", values[entry]);
        return Err(Error::Unsupported(message));
    }
    if let Some(solver) = wanted {
        return match obstacle(problem, solver) {
            None => Ok((solver, "asked for with --solver".into())),
            Some(why) => {
                let can: Vec<_> = (Solver::ALL.into_iter())
                    .filter(|&other| obstacle(problem, other).is_none())
                    .map(Solver::name)
                    .collect();
                let can = if can.is_empty() { "none".into() } else { can.join(", ") };
                Err(Error::Unsupported(format!(
                    "--solver {} cannot take this problem: {why}; solvers that can: {can}",
                    solver.name()
                )))
            }
        };
    }
    let order = problem.data.columns() + 1;
    let few = order <= FACTORISE_UP_TO;
    let in_memory = !problem.data.matrix.is_spilled();
    let sparse = problem.data.matrix.is_sparse() && in_memory;
    let (solver, reason) = match objective.loss {
        _ if objective.kernel.is_some() => {
            let n = problem.data.rows();
            let bytes = if objective.kernel.is_some_and(|kernel| Rows::wants_double(kernel, n)) { 8 } else { 4 };
            let cache = n.saturating_mul(n).saturating_mul(bytes).min(BUDGET);
            (Solver::Smo, format!("a kernel; at most {} MiB of its rows are kept", cache.div_ceil(1 << 20)))
        }
        loss if loss.is_piecewise_linear() => {
            let reason = format!("{} with {} columns", loss.name(), order - 1);
            (if few || objective.lambda2 == 0.0 { Solver::InteriorPoint } else { Solver::DualCd }, reason)
        }
        _ if objective.lambda1 > 0.0 => (Solver::WorkingSet, "l1 > 0 makes most weights zero".into()),
        Loss::Softmax => (Solver::NewtonCg, format!("{} weights in all", order * problem.outputs())),
        _ if few => (Solver::Newton, format!("smooth loss with {} columns", order - 1)),
        _ if !in_memory => (Solver::NewtonCg, "the rows are read in passes: --memory is less than the matrix".into()),
        _ if sparse && objective.lambda2 > 0.0 => (Solver::DualCd, format!("sparse data with {} columns", order - 1)),
        _ => (Solver::NewtonCg, format!("smooth loss with {} columns", order - 1)),
    };
    match obstacle(problem, solver) {
        None => Ok((solver, reason)),
        Some(why) => Err(Error::Unsupported(format!("no solver takes this problem: {why}"))),
    }
}

/// Losses with a second derivative that serve the same purpose.
fn smooth_relatives(loss: Loss) -> &'static str {
    match loss {
        Loss::Hinge => "squared-hinge or logistic",
        Loss::Epsilon(_) => "squared-epsilon or huber",
        Loss::Quantile(_) => "huber or squared",
        _ => "another loss",
    }
}

/// Whether the negative conjugate of the loss is a quadratic function with a box.
fn has_quadratic_dual(loss: Loss) -> bool {
    loss != Loss::Softmax && with_scalar_loss!(loss, |loss| loss.quadratic(1.0).is_some())
}

/// Why the problem is too large to be copied into a cone program; `None` if it is not.
fn cone_obstacle(problem: &Problem) -> Option<String> {
    let size = problem.data.matrix.stored().saturating_add(problem.data.rows());
    let order = (problem.data.columns() + 1).min(problem.data.rows());
    if size > CONES_UP_TO {
        return Some(format!("its cone program takes at most {CONES_UP_TO} stored values and rows, here are {size}"));
    }
    (order > CONE_SYSTEM_UP_TO)
        .then(|| format!("columns or rows must be at most {CONE_SYSTEM_UP_TO} for its cone program, here are {order}"))
}

/// Why `solver` cannot take `problem`; `None` if it can.
fn obstacle(problem: &Problem, solver: Solver) -> Option<String> {
    let objective = &problem.objective;
    let loss = objective.loss;
    let order = problem.data.columns() + 1;
    let stored = problem.data.matrix.stored();
    let spilled = problem.data.matrix.is_spilled();
    let system = order * if loss == Loss::Softmax { problem.outputs() } else { 1 };
    match (objective.kernel.is_some(), solver) {
        (false, Solver::Smo) => return Some("it is for --kernel".into()),
        (true, Solver::Smo) if !has_quadratic_dual(loss) => {
            return Some(format!(
                "the dual of the loss {} is not quadratic; with a kernel use hinge, squared-hinge, squared, epsilon, \
                 squared-epsilon, huber or quantile",
                loss.name()
            ));
        }
        (true, Solver::Smo) => return None,
        (true, _) => return Some("it is for models without a kernel; leave --solver out".into()),
        (false, _) => {}
    }
    match solver {
        Solver::Newton | Solver::NewtonCg | Solver::WorkingSet | Solver::Lbfgs | Solver::Fista | Solver::Saga
            if loss.is_piecewise_linear() =>
        {
            Some(format!("the loss {} is not smooth; use {}", loss.name(), smooth_relatives(loss)))
        }
        Solver::Newton | Solver::NewtonCg | Solver::Lbfgs if objective.lambda1 > 0.0 => {
            Some("l1 > 0 is not smooth; use --l1 0".into())
        }
        Solver::AveragedSgd if objective.lambda1 > 0.0 => Some("its steps do not know l1; use --l1 0".into()),
        Solver::Newton if system > 8_000 => {
            Some(format!("its Hessian would have order {order} times outputs, more than 8000"))
        }
        Solver::InteriorPoint if !loss.is_piecewise_linear() => Some("it is for hinge, epsilon and quantile".into()),
        Solver::InteriorPoint if order > 8_000 => Some(format!("its system would have order {order}, more than 8000")),
        Solver::AveragedSgd if objective.lambda2 == 0.0 => {
            Some("its step lengths and its bound rest on l2 > 0; use --l2 or --C".into())
        }
        Solver::DualCd | Solver::Saga | Solver::AveragedSgd | Solver::Clarabel if loss == Loss::Softmax => {
            Some("it is for losses of one output".into())
        }
        Solver::Saga if loss == Loss::Poisson => {
            Some("its step lengths rest on a bound of the loss's curvature, and exp has none".into())
        }
        Solver::DualCd | Solver::Saga | Solver::AveragedSgd | Solver::Clarabel if spilled => Some(format!(
            "it needs every row in memory, and the matrix is larger than --memory allows; use {}, or more --memory",
            if loss.is_piecewise_linear() { smooth_relatives(loss) } else { "newton-cg" }
        )),
        Solver::Newton | Solver::InteriorPoint if spilled && system > FACTORISE_UP_TO => Some(format!(
            "its system has order {system}, and with the matrix in a file (--memory) at most {FACTORISE_UP_TO} is factorised; \
             use {}, or more --memory",
            if loss.is_piecewise_linear() { smooth_relatives(loss) } else { "newton-cg" }
        )),
        Solver::DualCd if objective.lambda2 == 0.0 => Some(format!(
            "its dual is smooth only with l2 > 0; use l2 > 0 (elastic net), or {} with l1",
            smooth_relatives(loss)
        )),
        Solver::Clarabel if loss == Loss::Poisson => Some("its cone program is not made for poisson".into()),
        Solver::Clarabel => cone_obstacle(problem),
        Solver::WorkingSet if objective.lambda1 == 0.0 => Some("it is for l1 > 0".into()),
        _ if stored == 0 && problem.data.columns() > 0 && !matches!(problem.data.matrix, Matrix::Sparse(_)) => {
            Some("the matrix is empty".into())
        }
        _ => None,
    }
}
