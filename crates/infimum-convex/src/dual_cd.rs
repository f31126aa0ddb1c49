//! Dual coordinate descent for one-output losses with λ2 > 0.
//!
//! Maximises D over one α_i at a time, keeping `w = ∂(penalty*)(Xᵀα)`: one step costs one pass over row i. Rows are
//! visited in short runs of neighbours in memory, the runs in a new random order each epoch: nearly as good as a random order of
//! the rows and several times as fast, since rows of one run are read one after the other. Rows at a bound or kink that holds
//! them are set aside (shrinking; Hsieh, Chang, Lin, Keerthi, Sundararajan, *A dual coordinate descent method for large-scale
//! linear SVM*, ICML 2008) until an evaluation, which looks at every row, finds that they would move.
//! Where g is quadratic each sweep is followed by the step of [`crate::plane`]. With λ1 > 0 the conjugate is majorised by its
//! curvature bound (Shalev-Shwartz & Zhang, *Accelerated proximal SDCA*, 2014).
//!
//! There is no cap on epochs: the true gap decides. When to evaluate it is told by the sweep itself: the gap is `Σ_i [c_i loss(z_i) − g_i(α_i) + α_i z_i]`, each term at least 0, and a sweep sees every z_i once, if not all at one point.
//!
//! A free intercept is a constraint Σα = 0. It is met by the method of multipliers on b alone: with σ = Σα the model
//! uses b = b0 + ρσ (curvature ρ per row), and b0 moves to b after every epoch; at a fixed point σ = 0.
//!
//! Smooth losses that need many epochs are handed to [`crate::newton_cg`].

use infimum_problem::{Intercept, Row, with_values};

use crate::dense;
use crate::design;
use crate::frame::{Frame, Losses, Point};
use crate::intercept::best_intercept;
use crate::losses::ScalarLoss;
use crate::newton_cg;
use crate::penalty::Penalty;
use crate::plane::{Dual, Plane};
use crate::scalar::ScalarLosses;
use crate::sparse;
use crate::tracker::Tracker;

/// Epochs after which a smooth problem without l1 goes to Newton.
const HAND_OVER: u64 = 40;
/// Rows between two questions whether to stop.
const ASK_EVERY: usize = 2_048;
/// Marks a row that was set aside.
const ASIDE: u32 = u32::MAX;
/// Bytes up to which a matrix stays in the cache: its rows are visited in any order.
const IN_CACHE: usize = 1 << 20;
/// Bytes and rows of a run. Measured on text-like rows of 1.4 kB: 25 ms a sweep in random order, 10 ms in runs of 16, and as many sweeps;
/// from 64 rows on it takes more sweeps.
const RUN_BYTES: usize = 1 << 15;
const LONGEST_RUN: usize = 16;
/// Share of the gap seen at the last evaluation at which the next is made, and sweeps over all rows after which it is made anyway.
const EVALUATE_AT: f64 = 0.03;
const EVALUATE_AFTER: f64 = 10.0;
/// Share of the active rows that may stop at a bound before a step after a sweep is not worth trying.
const MOST_STOPPED: f64 = 0.05;
/// Gain of a step after a sweep against the penalty's value below which its slopes are rounding, being differences of products with
/// the weights; a step of many sweeps is a sign of the same. Measured on text-like rows, hinge: without these the gap wanders about 3e-9.
const ROUNDING: f64 = 1e-13;
const LONGEST_STEP: f64 = 3.0;
/// Relative gap asked for up to which the weights, that are kept up by many small additions, are too inexact for the value of
/// the dual point.
const DRIFT: f64 = 1e-9;
/// ρ of a free intercept against the mean curvature of a row. Measured on text-like rows, hinge: 67 epochs at 1, 26 at
/// 0.01 to 0.03 (30 without intercept), 26 at 0.001; on logistic 0.001 is too little.
const MULTIPLIER_SCALE: f64 = 0.02;
/// Gap evaluations without a better bound on either side after which `f64` has met its limit.
const PATIENCE: u32 = 60;

struct State<'a, L> {
    frame: &'a Frame<'a>,
    losses: &'a ScalarLosses<'a, L>,
    l1: Vec<f64>,
    inverse_l2: Vec<f64>,
    /// The one number in `inverse_l2` where no column has a scale of its own.
    uniform: Option<f64>,
    /// α, w and Σα.
    at: Dual,
    /// Xᵀα; kept only for λ1 > 0.
    v: Vec<f64>,
    center: f64,
    rho: f64,
    /// Curvature of the conjugate along each coordinate.
    curvatures: Vec<f64>,
    /// Rows that a sweep visits, in the order in which they lie in memory.
    active: Vec<u32>,
    /// Violation that a row must be away from to be set aside: the largest of the last sweep.
    threshold: f64,
    /// Rows of a run.
    run: usize,
    random: u64,
}

/// What is kept for the step after a sweep. Only `rows` of the vectors over rows are kept up; outside of them `last` is 0.
struct Momentum {
    /// Rows that moved in the round before or may move in this one, in ascending order.
    rows: Vec<u32>,
    /// Where the sweep began.
    from: Dual,
    /// The step of the round before.
    last: Dual,
    trial: Dual,
}

impl Momentum {
    fn new(rows: usize, columns: usize) -> Momentum {
        let zero = || Dual::zero(rows, columns);
        Momentum { rows: Vec::new(), from: zero(), last: zero(), trial: zero() }
    }

    /// Before a sweep over the rows `active` that starts at `at`.
    fn begin(&mut self, active: &[u32], at: &Dual) {
        self.rows = union(&self.rows, active);
        for &i in &self.rows {
            self.from.alpha[i as usize] = at.alpha[i as usize];
        }
        self.from.weights.copy_from_slice(&at.weights);
        self.from.sigma = at.sigma;
    }

    /// After the round: notes down the whole step.
    fn end(&mut self, at: &Dual) {
        let Momentum { rows, from, last, .. } = self;
        for &i in rows.iter() {
            last.alpha[i as usize] = at.alpha[i as usize] - from.alpha[i as usize];
        }
        for ((last, at), from) in last.weights.iter_mut().zip(&at.weights).zip(&from.weights) {
            *last = at - from;
        }
        last.sigma = at.sigma - from.sigma;
        rows.retain(|&i| last.alpha[i as usize] != 0.0);
    }

    /// Exchanges `at` and `trial`.
    fn exchange(&mut self, at: &mut Dual) {
        for &i in &self.rows {
            std::mem::swap(&mut at.alpha[i as usize], &mut self.trial.alpha[i as usize]);
        }
        std::mem::swap(&mut at.weights, &mut self.trial.weights);
        std::mem::swap(&mut at.sigma, &mut self.trial.sigma);
    }
}

/// The numbers in either of two ascending lists.
fn union(a: &[u32], b: &[u32]) -> Vec<u32> {
    let mut all = Vec::with_capacity(a.len().max(b.len()));
    let (mut a, mut b) = (a.iter().copied().peekable(), b.iter().copied().peekable());
    while let Some(next) = a.peek().into_iter().chain(b.peek()).min().copied() {
        a.next_if_eq(&next);
        b.next_if_eq(&next);
        all.push(next);
    }
    all
}

/// Minimises a one-output problem from the tracker's dual point and intercept.
pub(crate) fn solve<L: ScalarLoss>(frame: &Frame, losses: &ScalarLosses<L>, seed: u64, tracker: &mut Tracker) {
    let n = frame.rows();
    let mut state = State::new(frame, losses, seed);
    state.start(tracker);
    let quadratic = losses.loss.quadratic(1.0).is_some() && frame.penalty.lambda1 == 0.0;
    let mut momentum = quadratic.then(|| Momentum::new(n, frame.columns()));
    // The gap that a sweep saw when the last evaluation was made, and the true one as a multiple of it.
    let (mut seen, mut ratio) = (f64::INFINITY, 1.0);
    let (mut work, mut idle) = (0.0, 0);
    loop {
        if let Some(momentum) = &mut momentum {
            momentum.begin(&state.active, &state.at);
        }
        work += state.active.len() as f64 / n as f64;
        let Some(gap) = state.epoch(tracker) else {
            state.evaluate(tracker);
            return;
        };
        tracker.explored += 1;
        if let Some(momentum) = &mut momentum {
            state.accelerate(momentum);
        }
        if frame.intercept == Intercept::Free {
            state.center += state.rho * state.at.sigma;
        }
        let promising = ratio * gap <= tracker.allowance() || gap <= EVALUATE_AT * seen;
        if !(tracker.explored <= 1 || promising || work >= EVALUATE_AFTER || state.active.is_empty()) {
            continue;
        }
        work = 0.0;
        let z = state.evaluate(tracker);
        tracker.report("dual-cd");
        if tracker.done() {
            return;
        }
        seen = gap;
        ratio = ((tracker.upper - tracker.lower) / seen).clamp(0.1, 10.0);
        idle = if tracker.progressed() { 0 } else { idle + 1 };
        if idle >= PATIENCE {
            tracker.trouble = Some("dual steps improve neither bound any more (limit of double precision)".into());
            return;
        }
        if L::SMOOTH && frame.penalty.lambda1 == 0.0 && tracker.explored >= HAND_OVER {
            newton_cg::solve(frame, losses, tracker);
            return;
        }
        state.choose_active(&z);
    }
}

impl<'a, L: ScalarLoss> State<'a, L> {
    fn new(frame: &'a Frame<'a>, losses: &'a ScalarLosses<'a, L>, seed: u64) -> Self {
        let (n, d) = (frame.rows(), frame.columns());
        let inverse_l2: Vec<f64> = (0..d).map(|j| 1.0 / frame.penalty.l2(j)).collect();
        let uniform = frame.penalty.scales.is_none().then(|| 1.0 / frame.penalty.lambda2);
        let curvature = |i: usize| {
            let row = frame.matrix.row(i);
            if let Some(inverse) = uniform {
                return with_values!(row.values(), |values| dense::dot(values, values)) * inverse;
            }
            let mut sum = 0.0;
            row.for_each(|j, x| sum += x * x * inverse_l2[j]);
            sum
        };
        let mut curvatures: Vec<f64> = (0..n).map(curvature).collect();
        let mean = curvatures.iter().sum::<f64>() / n as f64;
        let rho = match frame.intercept {
            Intercept::Free => MULTIPLIER_SCALE * mean.max(1.0 / frame.penalty.lambda2),
            Intercept::Penalized => 1.0 / frame.penalty.lambda2,
            Intercept::None => 0.0,
        };
        curvatures.iter_mut().for_each(|curvature| *curvature += rho);
        // As if values were doubles: the order of the rows depends on their numbers alone, not on how these are stored.
        let bytes = frame.matrix.stored() * (size_of::<f64>() + size_of::<u32>());
        let run = if bytes <= IN_CACHE { 1 } else { (RUN_BYTES / (bytes / n).max(1)).clamp(1, LONGEST_RUN) };
        State {
            frame,
            losses,
            l1: (0..d).map(|j| frame.penalty.l1(j)).collect(),
            uniform,
            inverse_l2,
            at: Dual::zero(n, d),
            v: if frame.penalty.lambda1 > 0.0 { vec![0.0; d] } else { Vec::new() },
            center: 0.0,
            rho,
            curvatures,
            active: (0..n as u32).collect(),
            threshold: f64::INFINITY,
            run,
            random: seed,
        }
    }

    /// Moves to the tracker's dual point; a free intercept starts at its incumbent's.
    fn start(&mut self, tracker: &Tracker) {
        self.center = tracker.point.intercepts[0];
        for (i, &alpha) in tracker.alpha.iter().enumerate().filter(|entry| *entry.1 != 0.0) {
            self.at.alpha[i] = alpha;
            self.add(i, alpha);
        }
    }

    /// The intercept that belongs to Σα.
    fn intercept(&self) -> f64 {
        match self.frame.intercept {
            Intercept::None => 0.0,
            Intercept::Free => self.center + self.rho * self.at.sigma,
            Intercept::Penalized => {
                let Penalty { lambda1, lambda2, .. } = self.frame.penalty;
                Penalty::weight_of(lambda1, lambda2, self.at.sigma)
            }
        }
    }

    #[inline]
    fn output(&self, i: usize) -> f64 {
        let product = match self.frame.matrix.row(i) {
            Row::Dense(values) => with_values!(values, |values| dense::dot(values, &self.at.weights)),
            Row::Sparse(indices, values) => {
                with_values!(values, |values| sparse::dot(indices, values, &self.at.weights))
            }
        };
        product + self.intercept()
    }

    #[inline]
    fn add(&mut self, i: usize, change: f64) {
        let (weights, inverse) = (&mut self.at.weights, &self.inverse_l2);
        if let (true, Some(uniform)) = (self.v.is_empty(), self.uniform) {
            let step = change * uniform;
            self.frame.matrix.row(i).for_each(|j, x| weights[j] += step * x);
        } else if self.v.is_empty() {
            self.frame.matrix.row(i).for_each(|j, x| weights[j] += change * x * inverse[j]);
        } else {
            let (v, l1) = (&mut self.v, &self.l1);
            self.frame.matrix.row(i).for_each(|j, x| {
                v[j] += change * x;
                weights[j] = v[j].signum() * (v[j].abs() - l1[j]).max(0.0) * inverse[j];
            });
        }
        self.at.sigma += change;
    }

    /// What holds row i with output z at a bound or kink of its gain, if its step is 0: how much the slope may change before it moves.
    /// Never for gains that are not quadratic.
    #[inline(always)]
    fn held(&self, i: usize, z: f64) -> bool {
        let (y, c) = (self.losses.targets[i], self.frame.weights[i]);
        self.losses
            .loss
            .quadratic(c)
            .is_some_and(|(epsilon, q)| ((y - z - q * self.at.alpha[i]).abs() - epsilon).abs() > self.threshold)
    }

    /// A new random order of `count` runs.
    fn shuffled(&mut self, count: usize) -> Vec<u32> {
        let mut runs: Vec<u32> = (0..count as u32).collect();
        for position in (1..count).rev() {
            self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let other = (u128::from(self.random) * (position as u128 + 1)) >> 64;
            runs.swap(position, other as usize);
        }
        runs
    }

    /// One pass over the active rows, of which those that are held are set aside. Returns the sum of the rows' shares in the gap, each at the time of
    /// its visit; `None` if told to stop.
    fn epoch(&mut self, tracker: &Tracker) -> Option<f64> {
        let mut active = std::mem::take(&mut self.active);
        let (mut largest, mut gap) = (0.0f64, 0.0);
        let mut since = ASK_EVERY;
        for run in self.shuffled(active.len().div_ceil(self.run)) {
            if since >= ASK_EVERY {
                since = 0;
                if tracker.stop().is_some() {
                    return None;
                }
            }
            let first = run as usize * self.run;
            let rows = &mut active[first..];
            let rows = if rows.len() > self.run { &mut rows[..self.run] } else { rows };
            since += rows.len();
            for row in rows {
                let i = *row as usize;
                let (y, c, alpha) = (self.losses.targets[i], self.frame.weights[i], self.at.alpha[i]);
                let z = self.output(i);
                gap += c * self.losses.loss.value(y, z) - self.losses.loss.gain(y, c, alpha) + alpha * z;
                let next = self.losses.loss.dual_step(y, c, alpha, z, self.curvatures[i]);
                let change = next - alpha;
                if change != 0.0 {
                    largest = largest.max(change.abs() * self.curvatures[i]);
                    self.at.alpha[i] = next;
                    self.add(i, change);
                } else if self.held(i, z) {
                    *row = ASIDE;
                }
            }
        }
        active.retain(|&i| i != ASIDE);
        self.active = active;
        self.threshold = if largest > 0.0 { largest } else { f64::INFINITY };
        Some(gap)
    }

    /// Makes those rows active that are not held at the outputs z (without the intercept).
    fn choose_active(&mut self, z: &[f64]) {
        let b = self.intercept();
        let moves = |&i: &u32| {
            let i = i as usize;
            let (y, c, alpha, z) = (self.losses.targets[i], self.frame.weights[i], self.at.alpha[i], z[i] + b);
            !(self.held(i, z) && self.losses.loss.dual_step(y, c, alpha, z, self.curvatures[i]) == alpha)
        };
        self.active = (0..z.len() as u32).filter(moves).collect();
    }

    /// Goes on from the end of a sweep to the best point of the plane of `crate::plane`; rows that would leave the box stop at its
    /// border. Then D is compared, and the sweep stands if it would fall, or if too many rows would leave.
    fn accelerate(&mut self, momentum: &mut Momentum) {
        let Momentum { rows, from, last, trial } = &mut *momentum;
        let at = &self.at;
        let plane = self.plane(rows, from, last);
        let worth = |&(s, t): &(f64, f64)| {
            let promise = 0.5 * (s * plane.slopes[0] + t * plane.slopes[1]);
            s.abs().max(t.abs()) <= LONGEST_STEP && promise > ROUNDING * self.frame.penalty.value(&at.weights)
        };
        if let Some((s, t)) = plane.maximiser().filter(worth) {
            let ahead = |at: f64, from: f64, last: f64| at + s * (at - from) + t * last;
            let mut stopped = Vec::new();
            for i in rows.iter().map(|&i| i as usize) {
                let (low, high) = self.side(i);
                let next = ahead(at.alpha[i], from.alpha[i], last.alpha[i]);
                trial.alpha[i] = next.clamp(low, high);
                if trial.alpha[i] != next {
                    stopped.push((i, trial.alpha[i] - next));
                }
            }
            if stopped.len() as f64 <= MOST_STOPPED * rows.len() as f64 {
                let steps = at.weights.iter().zip(&from.weights).zip(&last.weights);
                trial.weights.iter_mut().zip(steps).for_each(|(w, ((at, from), last))| *w = ahead(*at, *from, *last));
                trial.sigma = ahead(at.sigma, from.sigma, last.sigma);
                momentum.exchange(&mut self.at);
                stopped.iter().for_each(|&(i, change)| self.add(i, change));
                if !stopped.is_empty() && !(self.gained(momentum) >= 0.0) {
                    momentum.exchange(&mut self.at);
                }
            }
        }
        momentum.end(&self.at);
    }

    /// D along the last sweep and the step before it.
    fn plane(&self, rows: &[u32], from: &Dual, last: &Dual) -> Plane {
        let mut plane = Plane { slopes: [0.0; 2], bend: [0.0; 3] };
        for i in rows.iter().map(|&i| i as usize) {
            let (y, c, alpha) = (self.losses.targets[i], self.frame.weights[i], self.at.alpha[i]);
            let (q, p) = (alpha - from.alpha[i], last.alpha[i]);
            let slope = self.losses.loss.gain_slope(y, c, alpha);
            let bend = self.losses.loss.quadratic(c).map_or(0.0, |(_, bend)| bend);
            plane.add([slope * q, slope * p], [bend * q * q, bend * q * p, bend * p * p]);
        }
        for (j, &w) in self.at.weights.iter().enumerate() {
            let (q, p, l2) = (w - from.weights[j], last.weights[j], self.frame.penalty.l2(j));
            plane.add([-l2 * w * q, -l2 * w * p], [l2 * q * q, l2 * q * p, l2 * p * p]);
        }
        let (b, q, p) = (self.intercept(), self.at.sigma - from.sigma, last.sigma);
        plane.add([-b * q, -b * p], [self.rho * q * q, self.rho * q * p, self.rho * p * p]);
        plane
    }

    /// D here less D at the trial point, b0 being what it is.
    fn gained(&self, Momentum { rows, trial, .. }: &Momentum) -> f64 {
        let mut gained = 0.0;
        for i in rows.iter().map(|&i| i as usize) {
            let gain = |alpha| self.losses.loss.gain(self.losses.targets[i], self.frame.weights[i], alpha);
            gained += gain(self.at.alpha[i]) - gain(trial.alpha[i]);
        }
        for (j, (here, there)) in self.at.weights.iter().zip(&trial.weights).enumerate() {
            gained -= 0.5 * self.frame.penalty.l2(j) * (here - there) * (here + there);
        }
        let center = if self.frame.intercept == Intercept::Free { self.center } else { 0.0 };
        let middle = center + 0.5 * self.rho * (self.at.sigma + trial.sigma);
        gained - middle * (self.at.sigma - trial.sigma)
    }

    /// Where α_i may go without crossing a bound or a kink of its gain, which can only be at 0.
    fn side(&self, i: usize) -> (f64, f64) {
        let (y, c) = (self.losses.targets[i], self.frame.weights[i]);
        let (low, high) = self.losses.loss.domain(y, c);
        if !self.losses.loss.quadratic(c).is_some_and(|(epsilon, _)| epsilon > 0.0) {
            (low, high)
        } else if self.at.alpha[i] > 0.0 {
            (0.0, high)
        } else {
            (low, 0.0)
        }
    }

    /// Values the current primal and dual point on the data as it is; offers both. Returns the outputs without the intercept.
    fn evaluate(&mut self, tracker: &mut Tracker) -> Vec<f64> {
        let frame = self.frame;
        let mut alpha = self.at.alpha.clone();
        let plain = frame.intercept == Intercept::None && frame.penalty.lambda1 == 0.0;
        let lower = if plain && tracker.allowance() > DRIFT * tracker.upper.abs() {
            self.losses.clip(&mut alpha);
            self.losses.gain(&alpha) - frame.penalty.value(&self.at.weights)
        } else {
            frame.lower(self.losses, &mut alpha, &mut vec![0.0; frame.columns()]).0
        };
        tracker.offer_dual(lower, &alpha);
        let mut point = Point { weights: self.at.weights.clone(), intercepts: vec![0.0] };
        let mut z = vec![0.0; frame.rows()];
        design::multiply(frame.matrix, &point.weights, &[0.0], &mut z);
        let b = if frame.intercept == Intercept::Free {
            best_intercept(self.losses, &z, self.intercept(), tracker)
        } else {
            self.intercept()
        };
        point.intercepts[0] = b;
        let outputs: Vec<f64> = z.iter().map(|z| z + b).collect();
        let upper = self.losses.value(&outputs) + frame.penalty_value(&point);
        tracker.offer_point(upper, &point);
        z
    }
}
