//! Averaged stochastic gradient for one-output losses with l2 > 0 and without ℓ1 (Polyak & Juditsky, *Acceleration of
//! stochastic approximation by averaging*, SIAM J. Control Optim. 1992).
//!
//! Rows are visited in a new random order each epoch; with λ' = λ2/n a step on row i minimises `c_i·loss + (λ'/2)|w|²` plus
//! `|w − w₋|²/(2η)`, the loss *implicitly* (Toulis & Airoldi, *Asymptotic and finite-sample properties of estimators based on
//! stochastic gradients*, Ann. Stat. 2017), by the same one-dimensional problem that dual coordinate descent solves, so that no
//! step is too long. Lengths follow Bottou (*Stochastic gradient descent tricks*, 2012): `η_t = η₀ (1 + η₀ λ' t)^(−3/4)`, η₀
//! = 1/mean(c_i L |x_i|²). Weights are measured in the penalty's scales s_j. The average begins anew at epochs 1, 2, 4, …, so
//! that it forgets the start (Rakhlin, Shamir, Sridharan, *Making gradient descent optimal for strongly convex stochastic
//! optimization*, ICML 2012).
//!
//! A step moves w by `η (a_i x_i − λ' w)` with `a_i = −c_i·loss′` inside the loss's domain. Where the averages over a window
//! have settled, `λ2 w̄ = Σ_i ā_i x_i` up to terms that fall with its length: the averaged a is the dual point, which serves losses with kinks too. Invariant:
//! w = scale·u, and the sum of all w since the last flush is `scales·u − correction`.

use crate::design;
use crate::first_order::{Evaluation, is_due, random_index};
use crate::frame::{Frame, Point};
use crate::losses::ScalarLoss;
use crate::scalar::ScalarLosses;
use crate::tracker::Tracker;

/// Rows between two questions whether to stop.
const ASK_EVERY: usize = 1_024;
/// The common factor of the weights is multiplied in when it gets this small.
const SMALLEST_SCALE: f64 = 1e-6;

/// The weights and the sums of their averages.
struct Path {
    u: Vec<f64>,
    scale: f64,
    scales: f64,
    correction: Vec<f64>,
    intercept: f64,
    weights_sum: Vec<f64>,
    intercept_sum: f64,
    alpha_sum: Vec<f64>,
    steps: usize,
}

/// Minimises a problem with l2 > 0 from the tracker's point.
pub(crate) fn solve<L: ScalarLoss>(frame: &Frame, losses: &ScalarLosses<L>, seed: u64, tracker: &mut Tracker) {
    let (n, d) = (frame.rows(), frame.columns());
    let inverse: Vec<f64> = (0..d).map(|j| frame.penalty.lambda2 / frame.penalty.l2(j)).collect();
    let constant = f64::from(u8::from(frame.has_intercept()));
    let norms: Vec<f64> = (0..n)
        .map(|i| {
            let mut sum = constant;
            frame.matrix.row(i).for_each(|j, x| sum += x * x * inverse[j]);
            sum
        })
        .collect();
    let curvature = if losses.loss.max_curvature().is_finite() { losses.loss.max_curvature() } else { 1.0 };
    let mean = curvature * norms.iter().zip(frame.weights).map(|(norm, c)| norm * c).sum::<f64>() / n as f64;
    let longest = if mean > 0.0 { 1.0 / mean } else { 1.0 };
    let decay = frame.penalty.lambda2 / n as f64;
    let intercept_decay = frame.curvature(d) / n as f64;

    let mut path = Path::start(tracker, n);
    let mut evaluation = Evaluation::new(frame, losses, "averaged-sgd");
    let mut order: Vec<u32> = (0..n as u32).collect();
    let (mut random, mut time, mut next) = (seed, 0.0f64, 1);
    let mut z = vec![0.0; n];
    loop {
        if tracker.explored.is_power_of_two() {
            path.begin_window();
        }
        for position in (1..n).rev() {
            order.swap(position, random_index(&mut random, position + 1));
        }
        for (position, &i) in order.iter().enumerate() {
            if position % ASK_EVERY == 0 && tracker.stop().is_some() {
                return;
            }
            let i = i as usize;
            let eta = longest * (1.0 + longest * decay * time).powf(-0.75);
            time += 1.0;
            path.scale /= 1.0 + eta * decay;
            if path.scale < SMALLEST_SCALE {
                path.flush();
            }
            path.intercept /= 1.0 + eta * intercept_decay;
            let output = path.scale * frame.matrix.row(i).dot(&path.u) + path.intercept;
            let a = losses.loss.dual_step(losses.targets[i], frame.weights[i], 0.0, output, eta * norms[i]);
            if a != 0.0 {
                let (factor, scales) = (eta * a / path.scale, path.scales);
                let (u, correction) = (&mut path.u, &mut path.correction);
                frame.matrix.row(i).for_each(|j, x| {
                    let change = factor * x * inverse[j];
                    u[j] += change;
                    correction[j] += scales * change;
                });
                path.intercept += constant * eta * a;
                path.alpha_sum[i] += a;
            }
            path.scales += path.scale;
            path.intercept_sum += path.intercept;
            path.steps += 1;
        }
        path.flush();
        tracker.explored += 1;
        if is_due(tracker.explored, &mut next) {
            let share = 1.0 / path.steps as f64;
            let point = Point {
                weights: path.weights_sum.iter().map(|sum| share * sum).collect(),
                intercepts: vec![share * path.intercept_sum],
            };
            design::multiply(frame.matrix, &point.weights, &point.intercepts, &mut z);
            let epochs = path.steps as f64 / n as f64;
            let alpha: Vec<f64> = path.alpha_sum.iter().map(|sum| sum / epochs).collect();
            evaluation.dual(&alpha, tracker);
            if L::SMOOTH {
                evaluation.natural(&z, tracker);
            }
            if evaluation.ends(&point, &z, tracker) {
                return;
            }
        }
    }
}

impl Path {
    fn start(tracker: &Tracker, n: usize) -> Path {
        let weights = &tracker.point.weights;
        Path {
            u: weights.clone(),
            scale: 1.0,
            scales: 0.0,
            correction: vec![0.0; weights.len()],
            intercept: tracker.point.intercepts[0],
            weights_sum: vec![0.0; weights.len()],
            intercept_sum: 0.0,
            alpha_sum: vec![0.0; n],
            steps: 0,
        }
    }

    fn begin_window(&mut self) {
        self.weights_sum.fill(0.0);
        self.alpha_sum.fill(0.0);
        (self.intercept_sum, self.steps) = (0.0, 0);
    }

    /// Multiplies the factor in and adds the weights since the last flush to their sum.
    fn flush(&mut self) {
        for j in 0..self.u.len() {
            self.weights_sum[j] += self.scales * self.u[j] - self.correction[j];
            self.u[j] *= self.scale;
        }
        self.correction.fill(0.0);
        (self.scale, self.scales) = (1.0, 0.0);
    }
}
