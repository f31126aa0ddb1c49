//! The quadratic model of a proximal Newton step, minimised with its ℓ1 term.
//!
//! Over u (weights of a working set and intercepts) minimise
//!
//! ```text
//! ½ (u − w)ᵀ (G + D) (u − w) − ∇ᵀ(u − w) + Σ l1_j |u_j| + ½ Σ l2_j u_j²
//! ```
//!
//! G the Hessian of the losses at w, D a diagonal damping, ∇ = X̃ᵀα the negative gradient of the losses. Coordinate descent finds the signs; after every few
//! sweeps over the non-zero coordinates the iterates are extrapolated (Anderson; Bertrand & Massias, *Anderson acceleration
//! of coordinate descent*, AISTATS 2021), and where the support is small or nearly final and its signs have settled, the linear
//! system of the support gives the minimiser, by Cholesky or, where it is large, by conjugate gradients. Every extrapolation and every exact step is taken only if the model falls.
//!
//! How G acts is the [`Curved`] model's affair: [`crate::gram_model`] holds G, [`crate::residual_model`] only X.
//! Invariant: the model's slope is `∇ − G(u − w)` for the current u.

use faer::Mat;

use crate::cholesky::Cholesky;
use crate::tracker::Tracker;

/// Sweeps over the non-zero coordinates between two over all.
const SWEEPS: usize = 5;
/// Signs have settled when fewer than one in so many has changed.
const SETTLED: usize = 100;
/// Order up to which a system is factorised at once.
const FACTORISE_UP_TO: usize = 300;
/// What conjugate gradients may leave of the violation: signs that change do no less harm.
const INEXACT: f64 = 1e-3;
/// Most steps of conjugate gradients before a larger one is factorised, too.
const CONJUGATE_STEPS: usize = 40;

/// A symmetric positive semidefinite G and the slope `∇ − G·change` at the current change.
pub(crate) trait Curved {
    /// What a model keeps for its current change.
    type State;
    /// Where it is.
    fn state(&self) -> Self::State;
    /// Moves back to where it was.
    fn restore(&mut self, state: Self::State);
    /// Moves to `change`.
    fn reset(&mut self, change: &[f64]);
    /// One coordinate descent step on every coordinate in `which`, by [`Terms::minimiser`]; returns the largest move,
    /// weighted with the curvature.
    fn sweep(&mut self, terms: &Terms, u: &mut [f64], which: &[usize], tracker: &Tracker) -> f64;
    /// The slope of every coordinate.
    fn slopes(&self) -> Vec<f64>;
    /// `G_jj`, an eliminated intercept following.
    fn diagonal(&self, j: usize) -> f64;
    /// G restricted to `support`, times a direction.
    fn apply(&self, support: &[usize], direction: &[f64]) -> Vec<f64>;
    /// G restricted to `support`; `None` where forming it costs more than it helps.
    fn system(&self, support: &[usize]) -> Option<Mat<f64>>;
}

/// The separable part: penalty weights, damping, where the step starts, the slope there.
pub(crate) struct Terms {
    pub(crate) l1: Vec<f64>,
    pub(crate) l2: Vec<f64>,
    pub(crate) damping: Vec<f64>,
    pub(crate) start: Vec<f64>,
    pub(crate) gradient: Vec<f64>,
}

impl Terms {
    /// The minimiser over coordinate j alone, from its value and slope and the curvature `G_jj`.
    #[inline(always)]
    pub(crate) fn minimiser(&self, j: usize, curvature: f64, u: f64, slope: f64) -> f64 {
        let total = curvature + self.damping[j] + self.l2[j];
        let pull = slope + curvature * u + self.damping[j] * self.start[j];
        if total > 0.0 {
            pull.signum() * (pull.abs() - self.l1[j]).max(0.0) / total
        } else if slope.abs() <= self.l1[j] {
            // No row curves along this weight: only its penalty acts.
            0.0
        } else {
            u
        }
    }

    /// The negative gradient of all but the ℓ1 term.
    fn pull(&self, j: usize, u: f64, slope: f64) -> f64 {
        slope - self.l2[j] * u - self.damping[j] * (u - self.start[j])
    }

    /// How far the optimality condition of coordinate j is violated.
    fn violation(&self, j: usize, u: f64, slope: f64) -> f64 {
        let pull = self.pull(j, u, slope);
        if u == 0.0 { (pull.abs() - self.l1[j]).max(0.0) } else { (pull - self.l1[j] * u.signum()).abs() }
    }

    /// The largest violation.
    pub(crate) fn worst(&self, u: &[f64], slopes: &[f64]) -> f64 {
        (0..u.len()).map(|j| self.violation(j, u[j], slopes[j])).fold(0.0, f64::max)
    }

    fn change(&self, u: &[f64]) -> Vec<f64> {
        u.iter().zip(&self.start).map(|(u, start)| u - start).collect()
    }

    /// Value of the model at u, whose slopes are given: ½ΔᵀGΔ − ∇ᵀΔ = −½ Δᵀ(slope + ∇).
    fn value(&self, u: &[f64], slopes: &[f64]) -> f64 {
        (0..u.len())
            .map(|j| {
                let change = u[j] - self.start[j];
                -0.5 * change * (slopes[j] + self.gradient[j])
                    + self.l1[j] * u[j].abs()
                    + 0.5 * (self.l2[j] * u[j] * u[j] + self.damping[j] * change * change)
            })
            .sum()
    }

    /// Coordinates that are not zero or that nothing pulls to zero.
    fn support(&self, u: &[f64]) -> Vec<usize> {
        (0..u.len()).filter(|&j| u[j] != 0.0 || self.l1[j] == 0.0).collect()
    }
}

/// When to be content with a minimisation.
pub(crate) struct Limits {
    /// No optimality condition is violated by more.
    pub(crate) violation: f64,
    /// Most cycles of sweeps.
    pub(crate) cycles: usize,
    /// Largest support that is solved for.
    pub(crate) system: usize,
}

/// Minimises up to the limits; returns the change and how much the model falls.
pub(crate) fn minimise(model: &mut impl Curved, terms: &Terms, limits: Limits, tracker: &Tracker) -> (Vec<f64>, f64) {
    let all: Vec<usize> = (0..terms.start.len()).collect();
    let mut u = terms.start.clone();
    let mut signs = signs_of(&u);
    let (mut wait, mut pause) = (1usize, 1usize);
    let mut slopes = terms.gradient.clone();
    if tracker.stop().is_some() {
        return (vec![0.0; u.len()], 0.0);
    }
    for _ in 0..limits.cycles {
        let moved = model.sweep(terms, &mut u, &all, tracker);
        if moved == 0.0 || tracker.stop().is_some() {
            slopes = model.slopes();
            break;
        }
        let support = terms.support(&u);
        let take = |u: &[f64]| support.iter().map(|&j| u[j]).collect::<Vec<f64>>();
        let mut history = vec![take(&u)];
        for _ in 0..SWEEPS {
            model.sweep(terms, &mut u, &support, tracker);
            history.push(take(&u));
        }
        slopes = model.slopes();
        if terms.worst(&u, &slopes) <= limits.violation {
            break;
        }
        if let Some(extrapolated) = extrapolate(&history) {
            let mut candidate = u.clone();
            support.iter().zip(&extrapolated).for_each(|(&j, &x)| candidate[j] = x);
            offer(model, terms, candidate, &mut u, &mut slopes);
        }
        let now = signs_of(&u);
        let changed = signs.iter().zip(&now).filter(|(before, now)| before != now).count();
        signs = now;
        wait = wait.saturating_sub(1);
        if changed * SETTLED <= support.len() && wait == 0 && support.len() <= limits.system {
            let worst = terms.worst(&u, &slopes);
            let tolerance = (0.1 * limits.violation).max(INEXACT * worst);
            let steps = exact_steps(model, terms, &u, &slopes, tolerance);
            let taken = steps.into_iter().any(|exact| offer(model, terms, exact, &mut u, &mut slopes));
            let left = terms.worst(&u, &slopes);
            if taken && left <= limits.violation {
                break;
            }
            // Each attempt costs the solution of a system: fewer of them where they do not bring the end nearer.
            if !(taken && left < 0.1 * worst) {
                pause *= 2;
            }
            wait = pause;
        }
    }
    let fall = terms.value(&terms.start, &terms.gradient) - terms.value(&u, &slopes);
    (terms.change(&u), fall)
}

/// Moves to the candidate if the model is lower there. Whether it was.
fn offer(model: &mut impl Curved, terms: &Terms, candidate: Vec<f64>, u: &mut Vec<f64>, slopes: &mut Vec<f64>) -> bool {
    let state = model.state();
    model.reset(&terms.change(&candidate));
    let candidate_slopes = model.slopes();
    let better = terms.value(&candidate, &candidate_slopes) < terms.value(u, slopes);
    if better {
        *u = candidate;
        *slopes = candidate_slopes;
    } else {
        model.restore(state);
    }
    better
}

/// The affine combination of the iterates whose last differences cancel best; `None` if they are too dependent.
fn extrapolate(history: &[Vec<f64>]) -> Option<Vec<f64>> {
    let steps = history.len() - 1;
    let difference = |k: usize| history[k + 1].iter().zip(&history[k]).map(|(next, last)| next - last);
    let mut gram = Mat::from_fn(steps, steps, |a, b| difference(a).zip(difference(b)).map(|(x, y)| x * y).sum::<f64>());
    let trace: f64 = (0..steps).map(|k| gram[(k, k)]).sum();
    if !(trace > 0.0) {
        return None;
    }
    (0..steps).for_each(|k| gram[(k, k)] += 1e-14 * trace);
    let mut share = vec![1.0; steps];
    Cholesky::new(gram, 0.0)?.solve(&mut share);
    let total: f64 = share.iter().sum();
    let mut combined = vec![0.0; history[0].len()];
    for (k, share) in share.iter().enumerate() {
        combined.iter_mut().zip(&history[k + 1]).for_each(|(sum, x)| *sum += share / total * x);
    }
    combined.iter().all(|x| x.is_finite()).then_some(combined)
}

/// −1, 0 or 1 for every coordinate.
fn signs_of(u: &[f64]) -> Vec<i8> {
    u.iter().map(|&u| i8::from(u > 0.0) - i8::from(u < 0.0)).collect()
}

/// The minimiser with the signs of u fixed; where coordinates would change their signs, first the point at which those are 0
/// instead, then the point of the way to it at which the first one is 0.
fn exact_steps(model: &impl Curved, terms: &Terms, u: &[f64], slopes: &[f64], tolerance: f64) -> Vec<Vec<f64>> {
    let support = terms.support(u);
    // A step of Newton from the point itself keeps rounding small: (G + D + l2) Δ = pull − l1 sign(u).
    let right: Vec<f64> = (support.iter())
        .map(|&j| terms.pull(j, u[j], slopes[j]) - if u[j] == 0.0 { 0.0 } else { terms.l1[j] * u[j].signum() })
        .collect();
    let Some(step) = solution(model, terms, &support, right, tolerance) else { return Vec::new() };
    let crosses = |j: usize, step: f64| terms.l1[j] > 0.0 && (u[j] + step) * u[j] <= 0.0;
    let mut clipped = u.to_vec();
    let mut reach = 1.0;
    let mut first = None;
    for (&j, &step) in support.iter().zip(&step) {
        clipped[j] += step;
        if crosses(j, step) {
            clipped[j] = 0.0;
            if -u[j] / step < reach {
                reach = -u[j] / step;
                first = Some(j);
            }
        }
    }
    let mut steps = vec![clipped];
    if let Some(first) = first {
        let mut shortened = u.to_vec();
        support.iter().zip(&step).for_each(|(&j, &step)| shortened[j] += reach * step);
        shortened[first] = 0.0;
        steps.push(shortened);
    }
    steps.retain(|step| step.iter().all(|x| x.is_finite()));
    steps
}

/// Solves `(G + D + l2) x = right` over the support: small systems by Cholesky, larger ones by conjugate gradients where these
/// come down to the tolerance within a few steps. `None` where that costs more than it helps.
fn solution(
    model: &impl Curved,
    terms: &Terms,
    support: &[usize],
    mut right: Vec<f64>,
    tolerance: f64,
) -> Option<Vec<f64>> {
    let extra: Vec<f64> = support.iter().map(|&j| terms.l2[j] + terms.damping[j]).collect();
    if support.len() > FACTORISE_UP_TO
        && let Some(solution) = conjugate_gradients(model, support, &extra, &right, tolerance)
    {
        return Some(solution);
    }
    let mut system = model.system(support)?;
    extra.iter().enumerate().for_each(|(a, extra)| system[(a, a)] += extra);
    Cholesky::new(system, 0.0)?.solve(&mut right);
    Some(right)
}

/// Conjugate gradients, preconditioned with the diagonal, until no residual is larger than `tolerance`; `None` if a few steps
/// do not suffice.
fn conjugate_gradients(
    model: &impl Curved,
    support: &[usize],
    extra: &[f64],
    right: &[f64],
    tolerance: f64,
) -> Option<Vec<f64>> {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let inverse = |total: f64| if total > 0.0 { total.recip() } else { 1.0 };
    let scale: Vec<f64> = support.iter().zip(extra).map(|(&j, extra)| inverse(model.diagonal(j) + extra)).collect();
    let precondition = |r: &[f64]| r.iter().zip(&scale).map(|(r, scale)| r * scale).collect::<Vec<f64>>();
    let mut x = vec![0.0; right.len()];
    let mut residual = right.to_vec();
    let mut direction = precondition(&residual);
    let mut energy = dot(&residual, &direction);
    for _ in 0..CONJUGATE_STEPS {
        let mut image = model.apply(support, &direction);
        image.iter_mut().zip(extra).zip(&direction).for_each(|((image, extra), p)| *image += extra * p);
        let length = energy / dot(&direction, &image);
        if !length.is_finite() {
            return None;
        }
        x.iter_mut().zip(&direction).for_each(|(x, p)| *x += length * p);
        residual.iter_mut().zip(&image).for_each(|(r, image)| *r -= length * image);
        if residual.iter().all(|r| r.abs() <= tolerance) {
            return Some(x);
        }
        let scaled = precondition(&residual);
        let next = dot(&residual, &scaled);
        direction.iter_mut().zip(&scaled).for_each(|(p, scaled)| *p = scaled + next / energy * *p);
        energy = next;
    }
    None
}
