//! Sequential minimal optimisation inside working sets.
//!
//! The dual gain of a row is `g(α) = yα − ε|α| − qα²/2` on [low, high]. With `G_i = (Kα)_i/λ2` (+ Σα/λ2 for a penalised intercept)
//! the derivative of D upwards is `u_i = y_i ∓ ε − q α_i − G_i`, downwards `d_i`, the same with the other sign of ε at 0. With a free
//! intercept α is optimal iff max u ≤ min d; without, iff all u ≤ 0 ≤ d. A round takes the rows that violate this most into a
//! working set (with rows of the last one), loads their kernel rows, and solves the problem of the set by pairs chosen with
//! second-order information (Fan, Chen, Lin, *Working set selection using second order information for training SVM*, JMLR
//! 2005; Joachims, *Making large-scale SVM learning practical*, 1999), then updates G once.
//!
//! Cached rows are rounded (to `f32` where there are many), G is `f64`: it drifts by rounding. Nothing is claimed from it: α is put on its grid, G computed anew in
//! `f64` with error bounds, and both bounds are valued from that; the search then goes on from the exact G.

use infimum_problem::{Intercept, Monitor};
use infimum_rigor::vectorized;

use super::cache::Cache;
use super::rows::{Entry, Rows};
use super::set::{QuadraticGain, Set, slopes};
use crate::frame::{Losses, Point};
use crate::intercept::best_intercept;
use crate::losses::ScalarLoss;
use crate::scalar::ScalarLosses;
use crate::tracker::Tracker;

/// Rows of a working set.
const SET: usize = 512;
/// Steps within a working set, times its rows.
const STEPS: usize = 40;
/// Rows of the kernel matrix that are added to G together.
const MOVED_TOGETHER: usize = 4;
/// Steps between two looks at whether to stop.
const STEPS_TOGETHER: usize = 1_024;
/// Exact evaluations without progress after which `f64` has met its limit.
const PATIENCE: u32 = 6;
/// Rounds after which a gap that looks reached is looked at again, where an exact evaluation was just short of it.
const AGAIN: u64 = 32;
/// Relative rounding of a claim's sums.
const MARGIN: f64 = 2e-14;

/// The best points found, with values that hold for the checker's arithmetic too.
pub(crate) struct Claim {
    pub(crate) upper: f64,
    /// Coefficients β and the intercept.
    pub(crate) point: Point,
    pub(crate) lower: f64,
    pub(crate) alpha: Vec<f64>,
}

struct State<'a, L> {
    kernel: &'a Rows<'a>,
    losses: &'a ScalarLosses<'a, L>,
    gains: Vec<QuadraticGain>,
    diagonal: Vec<f64>,
    lambda2: f64,
    intercept: Intercept,
    alpha: Vec<f64>,
    /// (Kα)_i/λ2.
    gradient: Vec<f64>,
    /// Error bounds of `gradient`, where it is exact.
    errors: Vec<f64>,
    sigma: f64,
    /// Σ (change of α)² since G was exact.
    drift: f64,
    b: f64,
}

/// Minimises the one-output problem; the tracker hears how it goes, the result is what can be claimed.
pub(crate) fn solve<L: ScalarLoss>(
    kernel: &Rows,
    losses: &ScalarLosses<L>,
    lambda2: f64,
    intercept: Intercept,
    monitor: &dyn Monitor,
    tracker: &mut Tracker,
) -> Claim {
    if kernel.is_double() {
        search::<L, f64>(kernel, losses, lambda2, intercept, monitor, tracker)
    } else {
        search::<L, f32>(kernel, losses, lambda2, intercept, monitor, tracker)
    }
}

/// As [`solve`], with kernel rows of `T`.
fn search<L: ScalarLoss, T: Entry>(
    kernel: &Rows,
    losses: &ScalarLosses<L>,
    lambda2: f64,
    intercept: Intercept,
    monitor: &dyn Monitor,
    tracker: &mut Tracker,
) -> Claim {
    let n = kernel.len();
    let zero = Point { weights: vec![0.0; n], intercepts: vec![0.0] };
    let upper = tracker.upper * (1.0 + MARGIN);
    let mut claim = Claim { upper, point: zero, lower: 0.0, alpha: vec![0.0; n] };
    let gain = |i: usize| QuadraticGain::of(losses.loss, losses.targets[i], losses.weights[i]);
    let Some(gains) = (0..n).map(gain).collect::<Option<Vec<_>>>() else {
        tracker.trouble = Some("the dual of this loss is not quadratic".into());
        return claim;
    };
    let mut state = State {
        kernel,
        losses,
        gains,
        diagonal: (0..n).map(|i| kernel.diagonal(i)).collect(),
        lambda2,
        intercept,
        alpha: vec![0.0; n],
        gradient: vec![0.0; n],
        errors: vec![0.0; n],
        sigma: 0.0,
        drift: 0.0,
        b: 0.0,
    };
    state.value(tracker);
    let mut cache = Cache::<T>::new(n, SET.min(n));
    let mut set: Vec<usize> = Vec::new();
    let mut last: Option<Set> = None;
    let (mut idle, mut valued_at) = (0, f64::INFINITY);
    let mut rounds = 0u64;
    // Whatever the tracker heard, nothing is claimed before an exact evaluation.
    let mut claimed = false;
    let (mut exact_violation, mut exact_round) = (f64::INFINITY, 0);
    while !tracker.done() || !claimed || state.drift > 0.0 {
        let violation = state.choose(&mut set);
        rounds += 1;
        let scale = state.diagonal.iter().copied().fold(0.0, f64::max) / lambda2;
        // Where rounding of cached rows is as large as what is left, exact numbers are needed to go on.
        let blurred = T::ROUNDING * scale * state.drift.sqrt() > 0.1 * violation;
        let stopped = monitor.stop().is_some();
        if stopped || violation <= 0.5 * valued_at || rounds.is_multiple_of(8) || blurred || violation <= 0.0 {
            valued_at = violation;
            state.value(tracker);
            tracker.report("smo");
        }
        let due = tracker.reached() && (violation <= 0.5 * exact_violation || rounds - exact_round >= AGAIN);
        let unmoved = claimed && state.drift == 0.0;
        if stopped || blurred || violation <= 0.0 || due || unmoved {
            (exact_violation, exact_round) = (violation, rounds);
            state.make_exact(tracker, &mut claim);
            claimed = true;
            tracker.report("exact");
            if tracker.done() {
                break;
            }
            idle = if tracker.progressed() { 0 } else { idle + 1 };
            if idle >= PATIENCE {
                tracker.trouble = Some("dual steps improve neither bound any more (limit of double precision)".into());
                break;
            }
            valued_at = f64::INFINITY;
            state.choose(&mut set);
        }
        if set.is_empty() || !cache.load(kernel, &set, || monitor.stop().is_some()) {
            continue;
        }
        state.improve(&cache, &set, &mut last, violation, monitor, tracker);
    }
    claim
}

impl<L: ScalarLoss> State<'_, L> {
    /// What a penalised intercept adds to every output.
    fn shift(&self) -> f64 {
        if self.intercept == Intercept::Penalized { self.sigma / self.lambda2 } else { 0.0 }
    }

    /// Fills the working set with the rows that violate optimality most and rows of the last set; returns the largest violation.
    fn choose(&self, set: &mut Vec<usize>) -> f64 {
        let n = self.alpha.len();
        let shift = self.shift();
        let mut ups: Vec<(f64, usize)> = Vec::with_capacity(n);
        let mut downs: Vec<(f64, usize)> = Vec::with_capacity(n);
        for i in 0..n {
            let (up, down) = slopes(&self.gains[i], self.alpha[i], self.gradient[i] + shift);
            if up > f64::NEG_INFINITY {
                ups.push((up, i));
            }
            if down < f64::INFINITY {
                downs.push((-down, i));
            }
        }
        let top = |list: &[(f64, usize)]| list.iter().map(|entry| entry.0).fold(f64::NEG_INFINITY, f64::max);
        let (highest, lowest) = (top(&ups), -top(&downs));
        let free = self.intercept == Intercept::Free;
        let violation = if free { highest - lowest } else { highest.max(-lowest) };
        // Half of the set are new rows, the largest violations from both sides.
        let quarter = (SET / 4).min(n.div_ceil(2));
        let (up_limit, down_limit) = if free { (lowest, -highest) } else { (0.0, 0.0) };
        ups.retain(|entry| entry.0 > up_limit);
        downs.retain(|entry| entry.0 > down_limit);
        let mut chosen = vec![false; n];
        let mut next: Vec<usize> = Vec::with_capacity(SET);
        for list in [&mut ups, &mut downs] {
            if list.len() > quarter {
                list.select_nth_unstable_by(quarter - 1, |a, b| b.0.total_cmp(&a.0));
                list.truncate(quarter);
            }
            for &(_, i) in list.iter() {
                if !chosen[i] {
                    chosen[i] = true;
                    next.push(i);
                }
            }
        }
        // Of the last set first those inside their boxes.
        for inside in [true, false] {
            for &i in set.iter() {
                let (gain, alpha) = (&self.gains[i], self.alpha[i]);
                let is_inside = alpha > gain.low && alpha < gain.high && !(gain.epsilon > 0.0 && alpha == 0.0);
                if next.len() < SET && !chosen[i] && is_inside == inside {
                    chosen[i] = true;
                    next.push(i);
                }
            }
        }
        *set = next;
        violation
    }

    /// Maximises D over the set's rows with the others fixed, until its violation is a tenth of `violation`; then updates G. `last` is the last
    /// set, and then this one.
    fn improve<T: Entry>(
        &mut self,
        cache: &Cache<T>,
        set: &[usize],
        last: &mut Option<Set>,
        violation: f64,
        monitor: &dyn Monitor,
        tracker: &mut Tracker,
    ) {
        let inverse = 1.0 / self.lambda2;
        let added = if self.intercept == Intercept::Penalized { inverse } else { 0.0 };
        let shift = self.shift();
        // Entries are looked up in the order in which they stand.
        let mut set = set.to_vec();
        set.sort_unstable();
        let mut rows = Set::new(&set, last, |i, j| cache.row(i)[j].into() * inverse + added);
        for (a, &i) in set.iter().enumerate() {
            rows.put(a, &self.gains[i], self.alpha[i], self.gradient[i] + shift, self.diagonal[i] * inverse + added);
        }
        let (target, free) = (0.1 * violation, self.intercept == Intercept::Free);
        let mut left = STEPS * set.len();
        while left > 0 && monitor.stop().is_none() {
            let steps = left.min(STEPS_TOGETHER);
            let taken = vectorized(
                #[inline(always)]
                || {
                    let step = |rows: &mut Set| if free { rows.pair_step(target) } else { rows.single_step(target) };
                    (0..steps).take_while(|_| step(&mut rows)).count()
                },
            );
            tracker.explored += taken as u64;
            left = if taken < steps { 0 } else { left - steps };
        }
        let mut moves: Vec<(&[T], f64)> = Vec::new();
        for (&i, &alpha) in set.iter().zip(&rows.alpha) {
            let change = alpha - self.alpha[i];
            if change != 0.0 {
                self.alpha[i] = alpha;
                self.sigma += change;
                self.drift += change * change;
                moves.push((cache.row(i), change * inverse));
            }
        }
        for some in moves.chunks(MOVED_TOGETHER) {
            // Row after row costs a pass over G each.
            let mut four = [(some[0].0, 0.0); MOVED_TOGETHER];
            four[..some.len()].copy_from_slice(some);
            let [(a, to_a), (b, to_b), (c, to_c), (d, to_d)] = four;
            let gradient = &mut self.gradient;
            vectorized(
                #[inline(always)]
                || {
                    let n = gradient.len();
                    let (a, b, c, d) = (&a[..n], &b[..n], &c[..n], &d[..n]);
                    let (to_a, to_b, to_c, to_d) = (to_a, to_b, to_c, to_d);
                    for i in 0..n {
                        let ab = to_a * a[i].into() + to_b * b[i].into();
                        gradient[i] += ab + (to_c * c[i].into() + to_d * d[i].into());
                    }
                },
            );
        }
        *last = Some(rows);
    }

    /// Values the current point and offers it to the tracker, from G as it is.
    fn value(&mut self, tracker: &mut Tracker) {
        let (upper, lower) = self.bounds(tracker);
        tracker.offer_dual(lower, &self.alpha);
        let point = Point { weights: Vec::new(), intercepts: vec![self.b] };
        tracker.offer_point(upper, &point);
    }

    /// P at (α/λ2, best b) and D at α.
    fn bounds(&mut self, tracker: &Tracker) -> (f64, f64) {
        let start = match self.intercept {
            Intercept::Free => self.b,
            Intercept::Penalized | Intercept::None => self.shift(),
        };
        self.b = if self.intercept == Intercept::Free {
            best_intercept(self.losses, &self.gradient, start, tracker)
        } else {
            start
        };
        let norm = self.losses.sum(|i| self.alpha[i] * self.gradient[i]).max(0.0);
        let extra = if self.intercept == Intercept::Penalized { self.sigma * self.b } else { 0.0 };
        let z: Vec<f64> = self.gradient.iter().map(|g| g + self.b).collect();
        let upper = self.losses.value(&z) + 0.5 * (norm + extra);
        (upper, self.losses.gain(&self.alpha) - 0.5 * (norm + extra))
    }

    /// Puts α on its grid, computes G anew, and claims what both points are worth with room for every error.
    fn make_exact(&mut self, tracker: &mut Tracker, claim: &mut Claim) {
        let free = self.intercept == Intercept::Free;
        if free {
            self.losses.balance(&mut self.alpha);
        }
        self.losses.settle(&mut self.alpha, free);
        (self.gradient, self.errors) = self.kernel.product(&self.alpha);
        for values in [&mut self.gradient, &mut self.errors] {
            values.iter_mut().for_each(|value| *value /= self.lambda2);
        }
        self.sigma = self.losses.sum(|i| self.alpha[i]);
        self.drift = 0.0;
        let (upper, lower) = self.bounds(tracker);
        let (losses, b) = (self.losses, self.b);
        // Convex: the largest loss within an error is at one of its ends.
        let slack = losses.sum(|i| {
            let (y, z) = (losses.targets[i], self.gradient[i] + b);
            let error = self.errors[i] + 4.0 * f64::EPSILON * (1.0 + y.abs() + z.abs() + b.abs());
            let worst = losses.loss.value(y, z - error).max(losses.loss.value(y, z + error));
            losses.weights[i] * (worst - losses.loss.value(y, z)).max(0.0)
        });
        let norm = losses.sum(|i| self.alpha[i].abs() * (self.gradient[i].abs() * MARGIN + self.errors[i]));
        let penalty = norm + MARGIN * (self.sigma * self.shift()).abs();
        let upper = upper + slack + penalty + MARGIN * upper.abs();
        let lower = lower - penalty - MARGIN * losses.gain_and_magnitude(&self.alpha).1;
        if upper < claim.upper {
            claim.upper = upper;
            claim.point.intercepts[0] = b;
            claim.point.weights.iter_mut().zip(&self.alpha).for_each(|(w, a)| *w = a / self.lambda2);
        }
        if lower > claim.lower {
            claim.lower = lower;
            claim.alpha.clone_from(&self.alpha);
        }
        // What was seen through rounded rows no longer counts.
        (tracker.upper, tracker.lower) = (claim.upper, claim.lower);
    }
}
