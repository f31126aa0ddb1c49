//! Dual coordinate descent for one-output losses with λ2 > 0.
//!
//! Maximises D over one α_i at a time, keeping `w = ∂(penalty*)(Xᵀα)`: one step costs one pass over row i. Rows are
//! visited in a new random order each epoch; rows at a bound of the box that push outward are set aside (shrinking) until
//! the rest has converged (Hsieh, Chang, Lin, Keerthi, Sundararajan, *A dual coordinate descent method for large-scale linear
//! SVM*, ICML 2008). With λ1 > 0 the conjugate is majorised by its curvature bound (Shalev-Shwartz & Zhang, *Accelerated
//! proximal SDCA*, 2014). There is no cap on epochs: the true gap decides.
//!
//! A free intercept is a constraint Σα = 0. It is met by the method of multipliers on b alone: with σ = Σα the model
//! uses b = b0 + ρσ (curvature ρ per row), and b0 moves to b after every epoch; at a fixed point σ = 0.
//!
//! Where single coordinates crawl (hinge near the optimum), conjugate gradients on the free rows take over for a while
//! (Moré & Toraldo, *On the solution of large quadratic programming problems with bound constraints*, SIAM J. Optim. 1991). Smooth
//! losses are handed to [`crate::newton_cg`] instead.

use infimum_problem::{Intercept, Matrix, Row};

use crate::design;
use crate::frame::{Frame, Losses, Point};
use crate::intercept::best_intercept;
use crate::losses::ScalarLoss;
use crate::newton_cg;
use crate::penalty::Penalty;
use crate::scalar::ScalarLosses;
use crate::tracker::Tracker;

/// Epochs after which a smooth problem without l1 goes to Newton.
const HAND_OVER: u64 = 40;
/// Rows between two questions whether to stop.
const ASK_EVERY: usize = 2_048;
/// Conjugate-gradient steps of one subspace phase.
const SUBSPACE_STEPS: usize = 60;
/// ρ of a free intercept against the mean curvature of a row. Measured on text-like rows, hinge: 67 epochs at 1, 26 at
/// 0.01 to 0.03 (30 without intercept), 26 at 0.001; on logistic 0.001 is too little.
const MULTIPLIER_SCALE: f64 = 0.02;
/// Relative gap from which on the free rows are known well enough for a subspace phase, and how many times the gap asked for it
/// must still be.
const NEAR: f64 = 1e-5;
const FAR: f64 = 50.0;
/// Gap evaluations without a better bound on either side after which `f64` has met its limit.
const PATIENCE: u32 = 60;

struct State<'a, L> {
    frame: &'a Frame<'a>,
    losses: &'a ScalarLosses<'a, L>,
    l1: Vec<f64>,
    inverse_l2: Vec<f64>,
    /// The one number in `inverse_l2` where no column has a scale of its own.
    uniform: Option<f64>,
    alpha: Vec<f64>,
    /// Xᵀα; kept only for λ1 > 0.
    v: Vec<f64>,
    weights: Vec<f64>,
    /// Σα.
    sigma: f64,
    center: f64,
    rho: f64,
    /// Curvature of the conjugate along each coordinate.
    curvatures: Vec<f64>,
}

/// Minimises a one-output problem from the tracker's dual point and intercept.
pub(crate) fn solve<L: ScalarLoss>(frame: &Frame, losses: &ScalarLosses<L>, seed: u64, tracker: &mut Tracker) {
    let n = frame.rows();
    let mut state = State::new(frame, losses);
    state.start(tracker);
    let mut order: Vec<u32> = (0..n as u32).collect();
    let mut active = n;
    let mut random = seed;
    let (mut last_largest, mut evaluated_at, mut work) = (f64::INFINITY, f64::INFINITY, 0.0);
    let mut idle = 0;
    let bounded = losses.is_margin;
    loop {
        let Some((largest, kept)) = state.epoch(&mut order, active, last_largest, bounded, &mut random, tracker) else {
            state.evaluate(tracker);
            return;
        };
        tracker.explored += 1;
        work += active as f64 / n as f64;
        active = kept;
        last_largest = if largest > 0.0 { largest } else { f64::INFINITY };
        if frame.intercept == Intercept::Free {
            state.center += state.rho * state.sigma;
        }
        if !(tracker.explored <= 1 || largest <= 0.4 * evaluated_at || work >= 6.0) {
            continue;
        }
        evaluated_at = largest;
        work = 0.0;
        let before = tracker.relative_gap();
        state.evaluate(tracker);
        tracker.report("dual-cd");
        if tracker.done() {
            return;
        }
        idle = if tracker.progressed() { 0 } else { idle + 1 };
        if idle >= PATIENCE {
            tracker.trouble = Some("dual steps improve neither bound any more (limit of double precision)".into());
            return;
        }
        if L::SMOOTH && frame.penalty.lambda1 == 0.0 && tracker.explored >= HAND_OVER {
            newton_cg::solve(frame, losses, tracker);
            return;
        }
        if active < n {
            // Converged on the rest, or time to look again: everything comes back.
            active = n;
            last_largest = f64::INFINITY;
        }
        // Worth its price where sweeps crawl, or where they would still need many: near the end of a long way.
        let now = tracker.relative_gap();
        let crawls = now > 0.5 * before || (now < NEAR && tracker.remaining() > FAR);
        if !L::SMOOTH && frame.penalty.lambda1 == 0.0 && tracker.explored > 20 && crawls {
            state.subspace(tracker);
        }
    }
}

fn for_each(matrix: &Matrix, i: usize, mut visit: impl FnMut(usize, f64)) {
    match matrix.row(i) {
        Row::Dense(values) => values.iter().enumerate().for_each(|(j, &x)| visit(j, x)),
        Row::Sparse(indices, values) => indices.iter().zip(values).for_each(|(&j, &x)| visit(j as usize, x)),
    }
}

impl<'a, L: ScalarLoss> State<'a, L> {
    fn new(frame: &'a Frame<'a>, losses: &'a ScalarLosses<'a, L>) -> Self {
        let (n, d) = (frame.rows(), frame.columns());
        let inverse_l2: Vec<f64> = (0..d).map(|j| 1.0 / frame.penalty.l2(j)).collect();
        let mut curvatures: Vec<f64> = (0..n)
            .map(|i| {
                let mut sum = 0.0;
                for_each(frame.matrix, i, |j, x| sum += x * x * inverse_l2[j]);
                sum
            })
            .collect();
        let mean = curvatures.iter().sum::<f64>() / n as f64;
        let rho = match frame.intercept {
            Intercept::Free => MULTIPLIER_SCALE * mean.max(1.0 / frame.penalty.lambda2),
            Intercept::Penalized => 1.0 / frame.penalty.lambda2,
            Intercept::None => 0.0,
        };
        curvatures.iter_mut().for_each(|curvature| *curvature += rho);
        State {
            frame,
            losses,
            l1: (0..d).map(|j| frame.penalty.l1(j)).collect(),
            uniform: frame.penalty.scales.is_none().then(|| 1.0 / frame.penalty.lambda2),
            inverse_l2,
            alpha: vec![0.0; n],
            v: if frame.penalty.lambda1 > 0.0 { vec![0.0; d] } else { Vec::new() },
            weights: vec![0.0; d],
            sigma: 0.0,
            center: 0.0,
            rho,
            curvatures,
        }
    }

    /// Moves to the tracker's dual point; a free intercept starts at its incumbent's.
    fn start(&mut self, tracker: &Tracker) {
        self.center = tracker.point.intercepts[0];
        for (i, &alpha) in tracker.alpha.iter().enumerate().filter(|entry| *entry.1 != 0.0) {
            self.alpha[i] = alpha;
            self.add(i, alpha);
        }
    }

    /// The intercept that belongs to Σα.
    fn intercept(&self) -> f64 {
        match self.frame.intercept {
            Intercept::None => 0.0,
            Intercept::Free => self.center + self.rho * self.sigma,
            Intercept::Penalized => {
                let Penalty { lambda1, lambda2, .. } = self.frame.penalty;
                Penalty::weight_of(lambda1, lambda2, self.sigma)
            }
        }
    }

    #[inline]
    fn output(&self, i: usize) -> f64 {
        let product = match self.frame.matrix.row(i) {
            Row::Dense(values) => design::dot(values, &self.weights),
            Row::Sparse(indices, values) => design::sparse_dot(indices, values, &self.weights),
        };
        product + self.intercept()
    }

    #[inline]
    fn add(&mut self, i: usize, change: f64) {
        let (weights, inverse) = (&mut self.weights, &self.inverse_l2);
        if let (true, Some(uniform)) = (self.v.is_empty(), self.uniform) {
            let step = change * uniform;
            for_each(self.frame.matrix, i, |j, x| weights[j] += step * x);
        } else if self.v.is_empty() {
            for_each(self.frame.matrix, i, |j, x| weights[j] += change * x * inverse[j]);
        } else {
            let (v, l1) = (&mut self.v, &self.l1);
            for_each(self.frame.matrix, i, |j, x| {
                v[j] += change * x;
                weights[j] = v[j].signum() * (v[j].abs() - l1[j]).max(0.0) * inverse[j];
            });
        }
        self.sigma += change;
    }

    /// One pass over the first `active` rows of `order`; returns the largest violation and how many rows stay active. `None`
    /// if told to stop.
    fn epoch(
        &mut self,
        order: &mut [u32],
        mut active: usize,
        last_largest: f64,
        bounded: bool,
        random: &mut u64,
        tracker: &Tracker,
    ) -> Option<(f64, usize)> {
        for position in (1..active).rev() {
            *random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let other = (u128::from(*random) * (position as u128 + 1)) >> 64;
            order.swap(position, other as usize);
        }
        let mut largest = 0.0f64;
        let mut position = 0;
        while position < active {
            if position % ASK_EVERY == 0 && tracker.stop().is_some() {
                return None;
            }
            let i = order[position] as usize;
            let (y, c, alpha) = (self.losses.targets[i], self.frame.weights[i], self.alpha[i]);
            let z = self.output(i);
            let next = self.losses.loss.dual_step(y, c, alpha, z, self.curvatures[i]);
            let change = next - alpha;
            if change == 0.0 {
                // At a bound that holds it back: set aside if it pushes harder than anything moved last time.
                if bounded && (y - z).abs() > last_largest {
                    active -= 1;
                    order.swap(position, active);
                    continue;
                }
            } else {
                largest = largest.max(change.abs() * self.curvatures[i]);
                self.alpha[i] = next;
                self.add(i, change);
            }
            position += 1;
        }
        Some((largest, active))
    }

    /// Values the current primal and dual point on the data as it is; offers both.
    fn evaluate(&mut self, tracker: &mut Tracker) {
        let frame = self.frame;
        let mut alpha = self.alpha.clone();
        let mut v = vec![0.0; frame.columns()];
        let (lower, _) = frame.lower(self.losses, &mut alpha, &mut v);
        tracker.offer_dual(lower, &alpha);
        let mut point = Point { weights: self.weights.clone(), intercepts: vec![0.0] };
        let mut z = vec![0.0; frame.rows()];
        design::multiply(frame.matrix, &point.weights, &[0.0], &mut z);
        let b = if frame.intercept == Intercept::Free {
            best_intercept(self.losses, &z, self.intercept(), tracker)
        } else {
            self.intercept()
        };
        point.intercepts[0] = b;
        z.iter_mut().for_each(|z| *z += b);
        let upper = self.losses.value(&z) + frame.penalty_value(&point);
        tracker.offer_point(upper, &point);
    }

    /// Conjugate gradients on the rows strictly inside the box: maximises D over them with the others fixed, then goes as
    /// far as the box allows. D never falls.
    fn subspace(&mut self, tracker: &Tracker) {
        let frame = self.frame;
        // A gain that is linear on either side of 0 is maximised on the side where α is.
        let side = |alpha: f64, i: usize| {
            let (low, high) = self.losses.loss.domain(self.losses.targets[i], frame.weights[i]);
            if alpha > 0.0 { (0.0, high) } else { (low, 0.0) }
        };
        let sides: Vec<(f64, f64)> = self.alpha.iter().enumerate().map(|(i, &alpha)| side(alpha, i)).collect();
        let free: Vec<usize> =
            (0..frame.rows()).filter(|&i| self.alpha[i] > sides[i].0 && self.alpha[i] < sides[i].1).collect();
        if free.is_empty() {
            return;
        }
        let slope = |state: &Self, i: usize| {
            let (y, c) = (state.losses.targets[i], frame.weights[i]);
            state.losses.loss.gain_slope(y, c, state.alpha[i]) - state.output(i)
        };
        let mut residual: Vec<f64> = free.iter().map(|&i| slope(self, i)).collect();
        let mut direction = residual.clone();
        let mut total = vec![0.0; free.len()];
        let mut rho: f64 = residual.iter().map(|r| r * r).sum();
        let target = 1e-20 * rho;
        for _ in 0..SUBSPACE_STEPS {
            if tracker.stop().is_some() || !(rho > target) {
                break;
            }
            // K·direction with K = X L2⁻¹ Xᵀ + ρ 1 1ᵀ over the free rows.
            let mut image = vec![0.0; frame.columns()];
            let mut sum = 0.0;
            for (&i, &s) in free.iter().zip(&direction) {
                for_each(frame.matrix, i, |j, x| image[j] += s * x);
                sum += s;
            }
            image.iter_mut().zip(&self.inverse_l2).for_each(|(image, inverse)| *image *= inverse);
            let product: Vec<f64> = free.iter().map(|&i| frame.matrix.row(i).dot(&image) + self.rho * sum).collect();
            let bend: f64 = product.iter().zip(&direction).map(|(p, s)| p * s).sum();
            if !(bend > 0.0) {
                break;
            }
            let length = rho / bend;
            for k in 0..free.len() {
                total[k] += length * direction[k];
                residual[k] -= length * product[k];
            }
            let next: f64 = residual.iter().map(|r| r * r).sum();
            let beta = next / rho;
            rho = next;
            direction.iter_mut().zip(&residual).for_each(|(s, r)| *s = r + beta * *s);
        }
        let mut reach = 1.0f64;
        for (&i, &step) in free.iter().zip(&total) {
            let (low, high) = sides[i];
            let room = if step > 0.0 { high - self.alpha[i] } else { low - self.alpha[i] };
            if step != 0.0 {
                reach = reach.min(room / step);
            }
        }
        for (&i, &step) in free.iter().zip(&total) {
            let (low, high) = sides[i];
            let next = (self.alpha[i] + reach * step).clamp(low, high);
            let change = next - self.alpha[i];
            self.alpha[i] = next;
            self.add(i, change);
        }
    }
}
