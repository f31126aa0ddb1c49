//! The least value of `D(S) + (λ2/2) S` over S ≥ 0, rounded down, for a D that does not increase.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use infimum_rigor::Interval;

/// Intervals are halved at most so often.
const MOST_SPLITS: usize = 2_000;

/// The least value and a value at some S may differ by so much, relative.
const PRECISION: f64 = 1e-6;

/// An interval of S, what the objective is not below in it, and D at its right end.
struct Piece {
    lower: f64,
    left: f64,
    right: f64,
    at_right: f64,
}

impl PartialEq for Piece {
    fn eq(&self, other: &Piece) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Piece {}

impl PartialOrd for Piece {
    fn partial_cmp(&self, other: &Piece) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The largest is that with the lowest bound: a heap gives it first.
impl Ord for Piece {
    fn cmp(&self, other: &Piece) -> Ordering {
        other.lower.total_cmp(&self.lower)
    }
}

/// `min_{S ≥ 0} D(S) + (λ2/2) S` rounded down, or `floor`, if that is more. `d(S)` is a number that D(S) is not below, `floor` one that no D is below; `within(a, b)` one
/// that the objective is not below in [a, b], if something is known. There it is at least d(b) + (λ2/2) a as well; beyond S' = 2(d(0) − floor)/λ2 at least floor + (λ2/2) S', about d(0). The interval with the lowest bound is halved until
/// that bound is near to a value at an end.
pub(super) fn least_objective(
    lambda2: f64,
    floor: f64,
    d: impl Fn(f64) -> f64,
    within: impl Fn(f64, f64) -> Option<f64>,
) -> f64 {
    let at_zero = d(0.0);
    if !(lambda2 > 0.0 && at_zero > floor) {
        return floor;
    }
    let half = Interval::point(0.5) * Interval::point(lambda2);
    let penalty = |s: f64| half * Interval::point(s);
    let end = (Interval::point(at_zero) - Interval::point(floor)).divide_by_positive(half).upper;
    if !end.is_finite() {
        return floor;
    }
    let beyond = (Interval::point(floor) + penalty(end)).lower;
    let piece = |left: f64, right: f64, at_right: f64| {
        let lower = (Interval::point(at_right) + penalty(left)).lower;
        let lower = within(left, right).map_or(lower, |within| lower.max(within));
        Piece { lower, left, right, at_right }
    };
    let at_end = d(end);
    let mut best = at_zero.min((Interval::point(at_end) + penalty(end)).lower);
    let mut pieces = BinaryHeap::from([piece(0.0, end, at_end)]);
    for _ in 0..MOST_SPLITS {
        let Some(Piece { lower, left, right, at_right }) = pieces.pop() else { break };
        let middle = 0.5 * (left + right);
        if lower >= best - PRECISION * best.abs() || !(left < middle && middle < right) {
            pieces.push(Piece { lower, left, right, at_right });
            break;
        }
        let at_middle = d(middle);
        best = best.min((Interval::point(at_middle) + penalty(middle)).lower);
        pieces.push(piece(left, middle, at_middle));
        pieces.push(piece(middle, right, at_right));
    }
    let least = pieces.peek().map_or(floor, |piece| piece.lower);
    least.min(beyond).max(floor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minima_are_found_from_below() {
        let least = |lambda2: f64, floor: f64, d: fn(f64) -> f64| least_objective(lambda2, floor, d, |_, _| None);
        // exp(−S) + S/4: least at S = ln 4, (1 + ln 4)/4.
        let found = least(0.5, 0.0, |s| (-s).exp());
        let truth = (1.0 + 4f64.ln()) / 4.0;
        assert!(found <= truth && found >= truth * (1.0 - 5e-6), "{found} {truth}");
        // A jump at 1: the infimum is just behind it.
        let found = least(2.0, 0.25, |s| if s < 1.0 { 5.0 } else { 0.25 });
        assert!((1.25 * (1.0 - 2e-6)..=1.25).contains(&found), "{found}");
        // Nothing is gained at all.
        assert!((3.0 - 1e-5..=3.0).contains(&least(1.0, 0.0, |s| 3.0 - 0.1 * s)));
        assert_eq!(least(0.0, 0.5, |s| (-s).exp() + 0.5), 0.5);
        assert_eq!(least(1e-320, 0.5, |_| f64::MAX), 0.5);
        assert_eq!(least(1.0, 0.5, |_| 0.5), 0.5);
    }

    #[test]
    fn a_flat_objective_needs_what_is_known_within() {
        let flat = |s: f64| 3.0 - 0.5 * s;
        assert!(least_objective(1.0, 0.0, flat, |_, _| None) < 3.0 * (1.0 - 1e-4));
        assert!(least_objective(1.0, 0.0, flat, |_, _| Some(3.0)) >= 3.0 * (1.0 - 1e-6));
    }
}
