//! Where regularisation paths begin.
//!
//! λmax of an ℓ1 path is the smallest λ1 at which all weights zero are optimal. There the best model is the intercept b*
//! alone, and zero is optimal iff some α ∈ −∂Σ c·loss(b*) (with Σα = 0 for a free intercept) has |x_j·α| ≤ λ1 s_j for all j.
//! For a loss with a derivative α is unique: λmax = max_j |x_j·α|/s_j. For a sum of hinges it need not be; any such α gives a
//! λ1 at which zero is optimal, hence an upper bound on λmax. ℓ2 terms vanish at zero and change nothing.

use infimum_problem::{Intercept, Loss, Problem, Target};

use crate::design;
use crate::losses::{ScalarLoss, with_scalar_loss};
use crate::sums::sum;

/// Halvings of the interval of b*: more than the digits of an `f64` and of any magnitude that targets may have.
const HALVINGS: usize = 400;

/// λmax of the unnormalised sum, up to rounding; for hinge, epsilon and quantile an upper bound. A penalised intercept counts as
/// the weight of a constant column.
pub fn l1_max(problem: &Problem) -> f64 {
    let (data, objective) = (&problem.data, &problem.objective);
    let (n, d, outputs) = (data.rows(), data.columns(), problem.outputs());
    let mut alpha = vec![0.0; n * outputs];
    match &data.target {
        Target::Class { labels, classes } if objective.loss == Loss::Softmax => {
            let mut shares = vec![1.0 / labels.len() as f64; outputs];
            if objective.intercept == Intercept::Free {
                shares.fill(0.0);
                classes.iter().zip(&data.weights).for_each(|(&class, c)| shares[class as usize] += c);
                let total: f64 = shares.iter().sum();
                shares.iter_mut().for_each(|share| *share /= total);
            }
            for (i, &class) in classes.iter().enumerate() {
                for k in 0..outputs {
                    let one = if class as usize == k { 1.0 } else { 0.0 };
                    alpha[i * outputs + k] = data.weights[i] * (one - shares[k]);
                }
            }
        }
        target => {
            for k in 0..outputs {
                let part = dual_of_best_constant(problem, &target.wanted(k, outputs));
                part.iter().enumerate().for_each(|(i, &a)| alpha[i * outputs + k] = a);
            }
        }
    }
    let (mut v, mut sums) = (vec![0.0; d * outputs], vec![0.0; outputs]);
    design::transpose_multiply(&data.matrix, &alpha, &mut v, &mut sums);
    let largest = v.iter().enumerate().map(|(entry, v)| v.abs() / objective.scale(entry % d)).fold(0.0, f64::max);
    match objective.intercept {
        Intercept::Penalized => sums.iter().map(|sum| sum.abs()).fold(largest, f64::max),
        Intercept::Free | Intercept::None => largest,
    }
}

/// The α of the module's head for a one-output loss.
fn dual_of_best_constant(problem: &Problem, targets: &[f64]) -> Vec<f64> {
    let (weights, free) = (&problem.data.weights, problem.objective.intercept == Intercept::Free);
    with_scalar_loss!(problem.objective.loss, |loss| {
        let dual = |b: f64| -> Vec<f64> {
            let entry = |(&y, &c): (&f64, &f64)| {
                let (low, high) = loss.domain(y, c);
                (-c * loss.slope(y, b)).clamp(low, high)
            };
            targets.iter().zip(weights).map(entry).collect()
        };
        if !free {
            dual(0.0)
        } else {
            balanced(dual, |b| sum(targets.len(), 0.0, |i| weights[i] * loss.slope(targets[i], b)))
        }
    })
}

/// The dual point at the zero of `slope`, which does not fall: between the points just below and above, so that it sums to 0.
fn balanced(dual: impl Fn(f64) -> Vec<f64>, slope: impl Fn(f64) -> f64) -> Vec<f64> {
    let (mut low, mut high) = (-1.0f64, 1.0f64);
    while slope(low) > 0.0 && low > -1e200 {
        low *= 4.0;
    }
    while slope(high) < 0.0 && high < 1e200 {
        high *= 4.0;
    }
    for _ in 0..HALVINGS {
        let middle = low + 0.5 * (high - low);
        if middle <= low || middle >= high {
            break;
        }
        match slope(middle) {
            s if s < 0.0 => low = middle,
            s if s > 0.0 => high = middle,
            _ => (low, high) = (middle, middle),
        }
    }
    let (mut below, above) = (dual(low), dual(high));
    let (surplus, deficit) = (below.iter().sum::<f64>(), above.iter().sum::<f64>());
    let span = surplus - deficit;
    let t = if span > 0.0 { (surplus / span).clamp(0.0, 1.0) } else { 0.0 };
    below.iter_mut().zip(&above).for_each(|(a, above)| *a += t * (above - *a));
    below
}

/// The mean squared length of a row, `Σ_i c_i ‖S⁻¹(x_i − m)‖² / Σ c_i` with m the mean row if the intercept is free, else 0:
/// the trace of the Hessian of ½(z − y)², per example. At an ℓ2 strength of this size least squares has at most one effective
/// degree of freedom, since `Σ σ/(σ + λ) ≤ Σ σ/λ` (Hastie, Tibshirani, Friedman, *The Elements of Statistical Learning*, 3.4.1).
pub fn l2_start(problem: &Problem) -> f64 {
    let (data, objective) = (&problem.data, &problem.objective);
    let d = data.columns();
    let (mut means, mut squares) = (vec![0.0; d], vec![0.0; d]);
    design::for_each_row(&data.matrix, |i, row| {
        let c = data.weights[i] / data.total_weight;
        row.for_each(|j, x| {
            means[j] += c * x;
            squares[j] += c * x * x;
        });
    });
    let free = objective.intercept == Intercept::Free;
    let term = |j: usize| {
        let s = objective.scale(j);
        (squares[j] - if free { means[j] * means[j] } else { 0.0 }).max(0.0) / (s * s)
    };
    (0..d).map(term).sum()
}
