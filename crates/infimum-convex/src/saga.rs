//! SAGA for smooth one-output losses with any penalty (Defazio, Bach, Lacoste-Julien, *SAGA: a fast incremental gradient method
//! with support for non-strongly convex composite objectives*, NIPS 2014).
//!
//! For every row the last seen `a_i = −c_i·loss′(z_i)` is kept, and v = Xᵀa. A step draws row i with probability p_i, computes its
//! new value a' and goes to
//!
//! ```text
//! w₊ = argmin_u  −(v + x_i (a' − a_i)/p_i)·(u − w) + (1/2γ) Σ D_j (u_j − w_j)² + penalty(u)
//! ```
//!
//! D_j = L Σ c_i x_ij² + l2_j measures the columns, L the largest curvature of the loss; with `L_i = L c_i Σ_j x_ij²/D_j` the draws are half uniform, half in
//! proportion to L_i, and γ = 1/(3 max L_i/p_i), the paper's 1/(3L) for the functions f_i/p_i whose mean is the loss.
//!
//! Columns that a row does not have get the same step with slope v_j until they are met again, all of them at once ([`coast`]).
//! Invariants: v = Xᵀa; weight j is that of step `seen[j]`.

use infimum_problem::Intercept;

use crate::design;
use crate::first_order::{Evaluation, is_due, random, random_index};
use crate::fista::shrink;
use crate::frame::{Frame, Losses};
use crate::losses::ScalarLoss;
use crate::scalar::ScalarLosses;
use crate::tracker::Tracker;

/// Steps between two questions whether to stop.
const ASK_EVERY: usize = 1_024;
/// Steps of a column that are done one by one.
const ONE_BY_ONE: u64 = 3;

/// Coordinates: the columns and then, where there is one, the constant.
struct Coordinates {
    weights: Vec<f64>,
    /// v = Xᵀa.
    pull: Vec<f64>,
    seen: Vec<u64>,
    /// D_j/γ.
    q: Vec<f64>,
    l1: Vec<f64>,
    l2: Vec<f64>,
}

impl Coordinates {
    /// Brings weight j to the step `now` and returns it.
    fn catch_up(&mut self, j: usize, now: u64) -> f64 {
        let steps = now - self.seen[j];
        if steps > 0 {
            self.weights[j] = coast(self.weights[j], self.pull[j], self.q[j], self.l1[j], self.l2[j], steps);
            self.seen[j] = now;
        }
        self.weights[j]
    }
}

/// Minimises a problem with a smooth loss of bounded curvature from the tracker's point.
pub(crate) fn solve<L: ScalarLoss>(frame: &Frame, losses: &ScalarLosses<L>, seed: u64, tracker: &mut Tracker) {
    let (n, d) = (frame.rows(), frame.columns());
    let visit = |i: usize, visit: &mut dyn FnMut(usize, f64)| {
        frame.matrix.row(i).for_each(&mut *visit);
        if frame.has_intercept() {
            visit(d, 1.0);
        }
    };
    let curvature = losses.loss.max_curvature();
    let order = d + usize::from(frame.has_intercept());
    let l2: Vec<f64> = (0..order).map(|j| frame.curvature(j)).collect();
    let mut metric = l2.clone();
    (0..n).for_each(|i| visit(i, &mut |j, x| metric[j] += curvature * frame.weights[i] * x * x));
    metric.iter_mut().filter(|value| !(**value > 0.0)).for_each(|value| *value = 1.0);
    let smoothness: Vec<f64> = (0..n)
        .map(|i| {
            let mut sum = 0.0;
            visit(i, &mut |j, x| sum += x * x / metric[j]);
            curvature * frame.weights[i] * sum
        })
        .collect();
    let mut cumulative = smoothness.clone();
    (1..n).for_each(|i| cumulative[i] += cumulative[i - 1]);
    let total = cumulative[n - 1];
    let probability = |i: usize| {
        let uniform = 1.0 / n as f64;
        if total > 0.0 { 0.5 * (uniform + smoothness[i] / total) } else { uniform }
    };
    let largest = (0..n).map(|i| smoothness[i] / probability(i)).fold(f64::MIN_POSITIVE, f64::max);
    let penalised = frame.intercept == Intercept::Penalized;
    let l1 = |j: usize| match j < d {
        true => frame.penalty.l1(j),
        false if penalised => frame.penalty.lambda1,
        false => 0.0,
    };

    let mut point = tracker.point.clone();
    let mut z = tracker.outputs(frame);
    let mut alpha = vec![0.0; n];
    losses.natural_dual(&z, &mut alpha);
    let mut coordinates = Coordinates {
        weights: point.weights.iter().chain(&point.intercepts).copied().take(order).collect(),
        pull: pull_of(frame, &alpha),
        seen: vec![0; order],
        q: metric.iter().map(|metric| 3.0 * largest * metric).collect(),
        l1: (0..order).map(l1).collect(),
        l2,
    };
    let mut evaluation = Evaluation::new(frame, losses, "saga");
    let (mut state, mut now, mut next) = (seed, 0, 1);
    loop {
        for step in 0..n {
            if step % ASK_EVERY == 0 && tracker.stop().is_some() {
                return;
            }
            let i = if random(&mut state) >> 63 == 0 && total > 0.0 {
                let mark = (random(&mut state) >> 11) as f64 * 2f64.powi(-53) * total;
                cumulative.partition_point(|&sum| sum <= mark).min(n - 1)
            } else {
                random_index(&mut state, n)
            };
            let mut output = 0.0;
            visit(i, &mut |j, x| output += x * coordinates.catch_up(j, now));
            let (y, c) = (losses.targets[i], frame.weights[i]);
            let (low, high) = losses.loss.domain(y, c);
            let change = (-c * losses.loss.slope(y, output)).clamp(low, high) - alpha[i];
            let estimate = change / probability(i);
            visit(i, &mut |j, x| {
                let Coordinates { weights, pull, seen, q, l1, l2 } = &mut coordinates;
                weights[j] = shrink(weights[j], pull[j] + estimate * x, q[j], l1[j], l2[j]);
                pull[j] += change * x;
                seen[j] = now + 1;
            });
            alpha[i] += change;
            now += 1;
        }
        (0..order).for_each(|j| _ = coordinates.catch_up(j, now));
        tracker.explored += 1;
        if is_due(tracker.explored, &mut next) {
            point.weights.copy_from_slice(&coordinates.weights[..d]);
            point.intercepts[0] = coordinates.weights.get(d).copied().unwrap_or(0.0);
            design::multiply(frame.matrix, &point.weights, &point.intercepts, &mut z);
            evaluation.natural(&z, tracker);
            if evaluation.ends(&point, &z, tracker) {
                return;
            }
            // Added up step by step v would drift away from Xᵀa.
            coordinates.pull = pull_of(frame, &alpha);
        }
    }
}

/// Xᵀα and, where the model has a constant, Σα.
fn pull_of(frame: &Frame, alpha: &[f64]) -> Vec<f64> {
    let mut pull = vec![0.0; frame.columns()];
    let mut sums = [0.0];
    design::transpose_multiply(frame.matrix, alpha, &mut pull, &mut sums);
    pull.extend(frame.has_intercept().then_some(sums[0]));
    pull
}

/// `steps` times [`shrink`] with the same slope. While the weight keeps its sign σ a step is affine, towards the fixed point
/// (slope − σ l1)/l2, so that k steps have a closed form, monotone in k; the step that leaves the sign is found by bisection
/// and done as it is. A weight changes its sign at most once, since afterwards it moves away from 0.
fn coast(mut w: f64, slope: f64, q: f64, l1: f64, l2: f64, mut steps: u64) -> f64 {
    while steps > 0 {
        if steps <= ONE_BY_ONE || w == 0.0 {
            let next = shrink(w, slope, q, l1, l2);
            if next == w {
                return w;
            }
            (w, steps) = (next, steps - 1);
            continue;
        }
        let (start, sign) = (w, w.signum());
        let rest = slope - sign * l1;
        let rate = (l2 / q).ln_1p();
        let after = |k: u64| {
            let k = k as f64;
            if l2 > 0.0 { start * (-k * rate).exp() - rest / l2 * (-k * rate).exp_m1() } else { start + k * rest / q }
        };
        if sign * after(steps) > 0.0 {
            return after(steps);
        }
        let (mut inside, mut outside) = (0, steps);
        while outside - inside > 1 {
            let middle = inside + (outside - inside) / 2;
            if sign * after(middle) > 0.0 { inside = middle } else { outside = middle }
        }
        w = shrink(after(inside), slope, q, l1, l2);
        steps -= inside + 1;
    }
    w
}

#[cfg(test)]
mod tests {
    use super::coast;
    use crate::fista::shrink;

    /// Many steps at once end where one after the other does.
    #[test]
    fn steps_at_once_are_steps_one_by_one() {
        for w in [0.0, 1.0, -1.0, 1e-3, 7.5] {
            for slope in [0.0, 0.3, -0.3, 2.0, -2.0, -40.0] {
                for (l1, l2) in [(0.0, 0.0), (0.0, 0.7), (0.5, 0.0), (0.5, 0.7), (3.0, 1e-9)] {
                    for q in [1.0, 50.0] {
                        for steps in [1u64, 2, 5, 40, 333] {
                            let slowly = (0..steps).fold(w, |w, _| shrink(w, slope, q, l1, l2));
                            let fast = coast(w, slope, q, l1, l2, steps);
                            let near = (slowly - fast).abs() <= 1e-10 * (1.0 + slowly.abs());
                            assert!(near, "{w} {slope} {l1} {l2} {q} {steps}: {slowly} {fast}");
                        }
                    }
                }
            }
        }
    }
}
