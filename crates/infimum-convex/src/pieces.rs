//! Losses of linear pieces, few of whose rows matter: where the rows lie on their pieces is known beforehand, but near the kinks.
//!
//! Rows on the same piece of their loss with the same target class are taken together as their weighted mean, with the sum of
//! their weights. A loss of `z − y` (or of z, the targets being equal) is convex, so that the loss of the mean row is no more than the mean
//! of the losses, and equal to it as long as all stay on the piece: the problem that is left is a lower bound of the whole one, and is the same function
//! wherever no row has changed its piece. Its optimum is that of the whole problem if none has. A dual point of it is one of the whole problem
//! (shared out by weight, [`crate::equal_rows`]) with the same value, so the bound needs no other proof; the value of its weights
//! is evaluated over all rows. The gap is then what rows on another piece than was taken for granted add to the value, and the next round leaves
//! the rows near the kinks as they are at the new weights.
//!
//! Leaving out rows whose dual variable is known is *shrinking* (Joachims, *Making large-scale SVM learning practical*, 1999); screening rules do it
//! with proof (Ogawa, Suzuki & Takeuchi, *Safe screening of non-support vectors*, ICML 2013). Here nothing has to be known for sure.

use infimum_problem::{Event, Monitor, Stop};

use crate::equal_rows::Merged;
use crate::frame::{Frame, Losses, Point};
use crate::interior_point;
use crate::losses::{HingeTerm, ScalarLoss};
use crate::scalar::ScalarLosses;
use crate::tracker::{Offset, Tracker};

/// Rows, and rows for each weight, from which on it is worth a round: with fewer the model of a sample is too far off, and so may any start be.
const LEAST_ROWS: usize = 2_000;
const LEAST_PER_WEIGHT: f64 = 600.0;
/// Largest and smallest share of the rows that are left as they are.
const MOST: f64 = 0.3;
const LEAST: f64 = 0.05;
/// Rows per weight at which the first round, from a model of a sample, leaves [`MOST`] of the rows as they are; with more of them the
/// sample's model is nearer, by the root of their number.
const FEW: f64 = 1_200.0;
/// How many times as far from the kinks rows are left as they are as rows were found, on the mean, that were on another piece before.
const SAFETY: f64 = 4.0;
/// Share of the gap to which a round solves its problem …
const AHEAD: f64 = 1e-3;
/// … and of the gap asked for, beyond which it need not go.
const ENOUGH: f64 = 0.3;
/// Most rounds; a round must leave less than this share of the gap, and no more than this share of the value.
const ROUNDS: usize = 8;
const PROGRESS: f64 = 0.5;
const NEAR: f64 = 0.01;

/// Minimises a problem whose losses are sums of hinges from the tracker's point, by the interior point method: over few of the rows as long
/// as that leads on, then over all.
pub(crate) fn solve<L: ScalarLoss>(frame: &Frame, losses: &ScalarLosses<L>, seed: u64, tracker: &mut Tracker) {
    let penalised = frame.penalty.lambda1 > 0.0 || frame.penalty.lambda2 > 0.0;
    let started = tracker.point.weights.iter().any(|&w| w != 0.0);
    let many = frame.rows() >= LEAST_ROWS && per_weight(frame) >= LEAST_PER_WEIGHT;
    if many && !frame.matrix.is_spilled() && penalised && started {
        rounds(frame, losses, seed, tracker);
    }
    if !tracker.done() {
        interior_point::solve(frame, losses, None, seed, tracker);
    }
}

/// Rows for each weight.
fn per_weight(frame: &Frame) -> f64 {
    frame.rows() as f64 / (frame.columns() + 1) as f64
}

/// Rounds over few rows until the gap is reached or a round does not lead on.
fn rounds<L: ScalarLoss>(frame: &Frame, losses: &ScalarLosses<L>, seed: u64, tracker: &mut Tracker) {
    let n = frame.rows();
    let mut z = tracker.outputs(frame);
    let mut kinks = Kinks::new(losses, &z);
    let share = |share: f64| (share.clamp(LEAST, MOST) * n as f64) as usize;
    let mut count = share(MOST * (FEW / per_weight(frame)).sqrt());
    for _ in 0..ROUNDS {
        let gap = tracker.upper - tracker.lower;
        let wanted = (ENOUGH * tracker.allowance()).max(AHEAD * gap);
        if tracker.done() || !(wanted > 0.0) {
            return;
        }
        let reduced = Merged::pieces(frame, losses.targets, &kinks.pieces, &kinks.nearest(count));
        let (point, lower, alpha, explored) = {
            let (matrix, weights) = (&reduced.matrix, &reduced.weights);
            let relay = Relay { tracker };
            let some = Frame { matrix, weights, monitor: &relay, ..*frame };
            let some_losses = ScalarLosses { targets: &reduced.targets, weights, ..*losses };
            let rows = some.rows();
            let at_zero = some_losses.value(&vec![0.0; rows]);
            let zero = Point::zeros(&some);
            let mut inner = Tracker::new(&relay, 0.0, wanted, Offset::default(), zero, at_zero, rows);
            interior_point::solve(&some, &some_losses, Some(&reduced.counts), seed, &mut inner);
            (inner.point, inner.lower, inner.alpha, inner.explored)
        };
        tracker.explored += explored;
        if lower > tracker.lower {
            tracker.offer_dual(lower, &reduced.expanded(frame.weights, &alpha));
        }
        let upper = frame.upper(losses, &point, &mut z);
        tracker.offer_point(upper, &point);
        tracker.report("interior-point");
        if !(tracker.upper - tracker.lower < (PROGRESS * gap).min(NEAR * tracker.upper.abs())) {
            return;
        }
        let next = Kinks::new(losses, &z);
        let far = SAFETY * next.mean_change(&kinks);
        count = share(next.distances.iter().filter(|&&distance| distance <= far).count() as f64 / n as f64);
        kinks = next;
    }
}

/// Where the rows lie: on which piece of their loss, and how far from a kink.
struct Kinks {
    pieces: Vec<u8>,
    distances: Vec<f64>,
}

impl Kinks {
    fn new<L: ScalarLoss>(losses: &ScalarLosses<L>, z: &[f64]) -> Kinks {
        let (mut pieces, mut distances) = (Vec::with_capacity(z.len()), Vec::with_capacity(z.len()));
        for ((&z, &y), &c) in z.iter().zip(losses.targets).zip(losses.weights) {
            let (mut piece, mut distance) = (u8::from(losses.is_margin && y > 0.0), f64::INFINITY);
            for part in 0..2 {
                if let Some(HingeTerm { sign, offset, .. }) = losses.loss.hinge(part, y, c) {
                    let surplus = sign * z - offset;
                    piece = 2 * piece + u8::from(surplus < 0.0);
                    distance = distance.min(surplus.abs());
                }
            }
            pieces.push(piece);
            distances.push(distance);
        }
        Kinks { pieces, distances }
    }

    /// The `count` rows nearest to a kink, in order.
    fn nearest(&self, count: usize) -> Vec<usize> {
        let mut rows: Vec<usize> = (0..self.distances.len()).collect();
        if (1..rows.len()).contains(&count) {
            rows.select_nth_unstable_by(count - 1, |&i, &j| self.distances[i].total_cmp(&self.distances[j]));
        }
        rows.truncate(count);
        rows.sort_unstable();
        rows
    }

    /// How far from a kink rows are on the mean that were on another piece; 0 if there are none.
    fn mean_change(&self, before: &Kinks) -> f64 {
        let changed =
            self.pieces.iter().zip(&before.pieces).zip(&self.distances).filter(|((now, then), _)| now != then);
        let (sum, count) = changed.fold((0.0, 0usize), |(sum, count), (_, distance)| (sum + distance, count + 1));
        sum / count.max(1) as f64
    }
}

/// Reports of a round: its bounds hold for the whole problem, its values do not.
struct Relay<'a, 'm> {
    tracker: &'a Tracker<'m>,
}

impl Monitor for Relay<'_, '_> {
    fn report(&self, event: Event) {
        if let Event::Progress { source, lower, explored, .. } = event {
            self.tracker.report_of_part(source, lower, explored);
        }
    }

    fn stop(&self) -> Option<Stop> {
        self.tracker.stop()
    }
}

#[cfg(test)]
mod tests {
    use infimum_problem::{DenseMatrix, Intercept, Matrix, Silent};

    use super::*;
    use crate::first_order::random;
    use crate::losses::{Epsilon, Hinge, Quantile};
    use crate::penalty::Penalty;

    const ROWS: usize = 3_000;
    const COLUMNS: usize = 3;

    fn uniform(state: &mut u64) -> f64 {
        (random(state) >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    }

    /// Does something with a problem of a planted model and noise; targets are signs if `signs`.
    fn with_problem(intercept: Intercept, signs: bool, test: impl Fn(&Frame, &[f64])) {
        let mut state = 5;
        let values: Vec<f64> = (0..ROWS * COLUMNS).map(|_| uniform(&mut state)).collect();
        let score = |row: &[f64]| 2.0 * row[0] - row[1] + 0.3;
        let noisy: Vec<f64> = values.chunks(COLUMNS).map(|row| score(row) + uniform(&mut state)).collect();
        let targets: Vec<f64> = noisy.iter().map(|y| if signs { y.signum() } else { *y }).collect();
        let weights: Vec<f64> = (0..ROWS).map(|_| 1.5 + uniform(&mut state)).collect();
        let matrix = Matrix::Dense(DenseMatrix { rows: ROWS, columns: COLUMNS, values: values.into() });
        let frame = Frame {
            kernel: None,
            dictionary: None,
            matrix: &matrix,
            weights: &weights,
            penalty: Penalty { lambda1: 0.1, lambda2: 1.0, scales: None },
            intercept,
            outputs: 1,
            monitor: &Silent,
        };
        test(&frame, &targets);
    }

    /// Values are at most those of the whole problem, equal where no row leaves its piece; shared-out dual points have the same value.
    fn lower_bound<L: ScalarLoss>(frame: &Frame, losses: &ScalarLosses<L>) {
        let mut state = 9;
        let mut point = |scale: f64| Point {
            weights: (0..COLUMNS).map(|_| scale * uniform(&mut state)).collect(),
            intercepts: vec![if frame.has_intercept() { scale * uniform(&mut state) } else { 0.0 }],
        };
        let (mut z, base) = (vec![0.0; ROWS], point(1.0));
        let value = frame.upper(losses, &base, &mut z);
        let kinks = Kinks::new(losses, &z);
        let reduced = Merged::pieces(frame, losses.targets, &kinks.pieces, &kinks.nearest(ROWS / 5));
        let some = Frame { matrix: &reduced.matrix, weights: &reduced.weights, ..*frame };
        let some_losses = ScalarLosses { targets: &reduced.targets, weights: &reduced.weights, ..*losses };
        assert!(some.rows() <= ROWS / 5 + 8 && reduced.counts.iter().sum::<f64>() == ROWS as f64);
        let reduced_value = |point: &Point| some.upper(&some_losses, point, &mut vec![0.0; some.rows()]);
        assert!((reduced_value(&base) - value).abs() < 1e-9 * value);
        for scale in [0.01, 0.5, 3.0] {
            let other = point(scale);
            assert!(reduced_value(&other) <= frame.upper(losses, &other, &mut z) * (1.0 + 1e-12));
        }
        let mut alpha: Vec<f64> = (0..some.rows()).map(|_| 3.0 * uniform(&mut state)).collect();
        let (lower, _) = some.lower(&some_losses, &mut alpha, &mut [0.0; COLUMNS]);
        let mut alpha = reduced.expanded(frame.weights, &alpha);
        let before = alpha.clone();
        let (whole, _) = frame.lower(losses, &mut alpha, &mut [0.0; COLUMNS]);
        assert!((whole - lower).abs() < 1e-9 * (1.0 + lower.abs()), "{whole} {lower}");
        assert!(alpha.iter().zip(&before).all(|(a, b)| (a - b).abs() < 1e-9));
    }

    /// Rounds alone reach the gap from a model that is near.
    fn reaches<L: ScalarLoss>(frame: &Frame, losses: &ScalarLosses<L>) {
        let zero = Point::zeros(frame);
        let upper = losses.value(&[0.0; ROWS]);
        let mut rough = Tracker::new(&Silent, 1e-2, 0.0, Offset::default(), zero, upper, ROWS);
        interior_point::solve(frame, losses, None, 1, &mut rough);
        let mut tracker = Tracker::new(&Silent, 1e-9, 0.0, Offset::default(), rough.point, rough.upper, ROWS);
        rounds(frame, losses, 1, &mut tracker);
        assert!(tracker.reached(), "{} {}", tracker.upper, tracker.lower);
        let claim = crate::witness::witness(frame, losses, &tracker.point, &tracker.alpha, tracker.room());
        assert!(claim.upper - claim.lower <= 1e-9 * claim.upper);
    }

    #[test]
    fn few_rows_are_a_lower_bound_and_suffice() {
        for intercept in [Intercept::None, Intercept::Penalized, Intercept::Free] {
            with_problem(intercept, true, |frame, targets| {
                let losses = ScalarLosses { loss: Hinge, targets, weights: frame.weights, is_margin: true };
                lower_bound(frame, &losses);
                reaches(frame, &losses);
            });
            with_problem(intercept, false, |frame, targets| {
                let losses = ScalarLosses { loss: Epsilon(0.2), targets, weights: frame.weights, is_margin: false };
                lower_bound(frame, &losses);
                reaches(frame, &losses);
                let losses = ScalarLosses { loss: Quantile(0.8), targets, weights: frame.weights, is_margin: false };
                lower_bound(frame, &losses);
                reaches(frame, &losses);
            });
        }
    }
}
