//! Steps of sequential minimal optimisation within a working set: the rows of the set against one another, in whole vectors.
//!
//! `k` is the set's part of the kernel matrix over λ2, with 1/λ2 added for a penalised intercept. A step looks at all rows three times: for
//! their slopes, for what a move would gain, and to update G. Places beyond the set's rows have an empty box: no move is possible there.

use crate::losses::ScalarLoss;

/// Places that are looked at together.
const LANES: usize = 8;

/// `g(α) = linear·α − epsilon·|α| − curvature·α²/2` for low ≤ α ≤ high.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct QuadraticGain {
    pub(super) linear: f64,
    pub(super) epsilon: f64,
    pub(super) curvature: f64,
    pub(super) low: f64,
    pub(super) high: f64,
}

impl QuadraticGain {
    pub(super) fn of<L: ScalarLoss>(loss: L, y: f64, c: f64) -> Option<QuadraticGain> {
        let (epsilon, curvature) = loss.quadratic(c)?;
        let (low, high) = loss.domain(y, c);
        Some(QuadraticGain { linear: y, epsilon, curvature, low, high })
    }
}

/// Derivatives of D at a row upwards and downwards; −∞ and +∞ where the box forbids the move.
#[inline(always)]
pub(super) fn slopes(gain: &QuadraticGain, alpha: f64, gradient: f64) -> (f64, f64) {
    let middle = gain.linear - gain.curvature * alpha - gradient;
    let up = if alpha < gain.high {
        middle - if alpha >= 0.0 { gain.epsilon } else { -gain.epsilon }
    } else {
        f64::NEG_INFINITY
    };
    let down =
        if alpha > gain.low { middle - if alpha > 0.0 { gain.epsilon } else { -gain.epsilon } } else { f64::INFINITY };
    (up, down)
}

/// How far a row may go upwards or downwards with one formula of its gain.
#[inline(always)]
fn room(gain: &QuadraticGain, alpha: f64, upwards: bool) -> f64 {
    match (upwards, gain.epsilon > 0.0) {
        (true, true) if alpha < 0.0 => -alpha,
        (true, _) => gain.high - alpha,
        (false, true) if alpha > 0.0 => alpha,
        (false, _) => alpha - gain.low,
    }
}

/// Where [`room`] ends.
fn end(gain: &QuadraticGain, alpha: f64, upwards: bool) -> f64 {
    match (upwards, gain.epsilon > 0.0) {
        (true, true) if alpha < 0.0 => 0.0,
        (true, _) => gain.high,
        (false, true) if alpha > 0.0 => 0.0,
        (false, _) => gain.low,
    }
}

/// The first place that holds `wanted`.
#[inline(always)]
fn place_of(values: &[f64], wanted: f64) -> Option<usize> {
    let chunks = values.as_chunks::<LANES>().0;
    for c in 0..chunks.len() {
        let mut found = false;
        for lane in 0..LANES {
            found |= chunks[c][lane] == wanted;
        }
        if found {
            return chunks[c].iter().position(|&value| value == wanted).map(|lane| c * LANES + lane);
        }
    }
    None
}

/// A working set.
pub(super) struct Set {
    /// Increasing.
    rows: Vec<usize>,
    gains: Vec<QuadraticGain>,
    linear: Vec<f64>,
    epsilon: Vec<f64>,
    curvature: Vec<f64>,
    low: Vec<f64>,
    high: Vec<f64>,
    diagonal: Vec<f64>,
    /// Entry (a, b) at `a · places + b`.
    k: Vec<f64>,
    pub(super) alpha: Vec<f64>,
    gradient: Vec<f64>,
    /// Slopes downwards, or what there is to be gained with a row.
    downs: Vec<f64>,
    ups: Vec<f64>,
}

impl Set {
    /// The set of `rows` (increasing), each with nothing but its entries yet; `entry(i, j)` is that of two rows. Entries that the last set had are
    /// taken from it: looking them up in rows of the whole matrix costs a cache miss each.
    pub(super) fn new(rows: &[usize], last: &Option<Set>, entry: impl Fn(usize, usize) -> f64) -> Set {
        let places = rows.len().next_multiple_of(LANES);
        let zeros = || vec![0.0; places];
        let mut k = vec![0.0; rows.len() * places];
        let place_before = |i: usize| last.as_ref().and_then(|last| last.rows.binary_search(&i).ok());
        let before: Vec<Option<usize>> = rows.iter().map(|&i| place_before(i)).collect();
        for (a, _) in before.iter().enumerate().filter(|row| row.1.is_none()) {
            k[a * places..].iter_mut().zip(rows).for_each(|(k, &j)| *k = entry(rows[a], j));
        }
        for (a, held) in before.iter().enumerate() {
            let (Some(held), Some(last)) = (held, last) else { continue };
            let old = &last.k[held * last.alpha.len()..][..last.alpha.len()];
            for (b, place) in before.iter().enumerate() {
                k[a * places + b] = place.map_or(k[b * places + a], |place| old[place]);
            }
        }
        Set {
            rows: rows.to_vec(),
            gains: vec![QuadraticGain::default(); rows.len()],
            linear: zeros(),
            epsilon: zeros(),
            curvature: zeros(),
            low: zeros(),
            high: zeros(),
            // Never divided by 0.
            diagonal: vec![1.0; places],
            k,
            alpha: zeros(),
            gradient: zeros(),
            downs: zeros(),
            ups: zeros(),
        }
    }

    /// The entry of places a and b.
    #[cfg(test)]
    pub(super) fn entry(&self, a: usize, b: usize) -> f64 {
        self.k[a * self.alpha.len() + b]
    }

    /// Sets what row `a` has besides its entries.
    pub(super) fn put(&mut self, a: usize, gain: &QuadraticGain, alpha: f64, gradient: f64, diagonal: f64) {
        self.gains[a] = *gain;
        (self.linear[a], self.epsilon[a], self.curvature[a]) = (gain.linear, gain.epsilon, gain.curvature);
        (self.low[a], self.high[a]) = (gain.low, gain.high);
        (self.alpha[a], self.gradient[a], self.diagonal[a]) = (alpha, gradient, diagonal);
    }

    /// Fills `ups` and `downs`; returns the highest of the ones and the lowest of the others.
    #[inline(always)]
    fn look(&mut self) -> (f64, f64) {
        let (mut highest, mut lowest) = ([f64::NEG_INFINITY; LANES], [f64::INFINITY; LANES]);
        for first in (0..self.alpha.len()).step_by(LANES) {
            let at = |values: &[f64]| values[first..].as_chunks::<LANES>().0[0];
            let (alpha, gradient, linear) = (at(&self.alpha), at(&self.gradient), at(&self.linear));
            let (epsilon, curvature) = (at(&self.epsilon), at(&self.curvature));
            let (low, high) = (at(&self.low), at(&self.high));
            let (mut ups, mut downs) = ([0.0; LANES], [0.0; LANES]);
            for lane in 0..LANES {
                let a = alpha[lane];
                let gain = QuadraticGain {
                    linear: linear[lane],
                    epsilon: epsilon[lane],
                    curvature: curvature[lane],
                    low: low[lane],
                    high: high[lane],
                };
                let (up, down) = slopes(&gain, a, gradient[lane]);
                ups[lane] = up;
                downs[lane] = down;
                highest[lane] = if up > highest[lane] { up } else { highest[lane] };
                lowest[lane] = if down < lowest[lane] { down } else { lowest[lane] };
            }
            self.ups[first..first + LANES].copy_from_slice(&ups);
            self.downs[first..first + LANES].copy_from_slice(&downs);
        }
        (highest.into_iter().fold(f64::NEG_INFINITY, f64::max), lowest.into_iter().fold(f64::INFINITY, f64::min))
    }

    /// `gradient += change · k_a`.
    #[inline(always)]
    fn move_gradient<const N: usize>(&mut self, moves: [(usize, f64); N]) {
        let places = self.alpha.len();
        for (a, change) in moves {
            let (row, gradient) = (&self.k[a * places..][..places], &mut self.gradient[..places]);
            for place in 0..places {
                gradient[place] += change * row[place];
            }
        }
    }

    /// Moves the pair that gains most with the row of largest slope upwards; false if nothing violates by more than `target`.
    #[inline(always)]
    pub(super) fn pair_step(&mut self, target: f64) -> bool {
        let (highest, lowest) = self.look();
        if !(highest - lowest > target) {
            return false;
        }
        let Some(i) = place_of(&self.ups, highest) else { return false };
        let places = self.alpha.len();
        let row = &self.k[i * places..][..places];
        let (own, own_curvature) = (self.diagonal[i], self.curvature[i]);
        let least = 1e-12;
        let bend = |diagonal: f64, curvature: f64, entry: f64| {
            let (both, bend) = (own + diagonal, own + diagonal - 2.0 * entry + own_curvature + curvature);
            let floor = least * if both > f64::MIN_POSITIVE { both } else { f64::MIN_POSITIVE };
            if bend > floor { bend } else { floor }
        };
        let mut best = [0.0; LANES];
        for first in (0..places).step_by(LANES) {
            let at = |values: &[f64]| values[first..].as_chunks::<LANES>().0[0];
            let (downs, diagonal, curvature, row) = (at(&self.downs), at(&self.diagonal), at(&self.curvature), at(row));
            let mut gains = [0.0; LANES];
            for lane in 0..LANES {
                let difference = highest - downs[lane];
                let gain = difference * difference / bend(diagonal[lane], curvature[lane], row[lane]);
                gains[lane] = if difference > 0.0 { gain } else { 0.0 };
            }
            if first <= i && i < first + LANES {
                gains[i - first] = 0.0;
            }
            for lane in 0..LANES {
                best[lane] = if gains[lane] > best[lane] { gains[lane] } else { best[lane] };
            }
            self.ups[first..first + LANES].copy_from_slice(&gains);
        }
        let best = best.into_iter().fold(0.0, f64::max);
        if best == 0.0 {
            return false;
        }
        let Some(j) = place_of(&self.ups, best) else { return false };
        let bend = bend(self.diagonal[j], self.curvature[j], row[j]);
        let (gain_i, gain_j) = (&self.gains[i], &self.gains[j]);
        let (before_i, before_j) = (self.alpha[i], self.alpha[j]);
        let (above, below) = (room(gain_i, before_i, true), room(gain_j, before_j, false));
        let step = ((highest - self.downs[j]) / bend).min(above).min(below);
        if !(step > 0.0) {
            return false;
        }
        // At the end of its room a row arrives exactly.
        self.alpha[i] = if step == above { end(gain_i, before_i, true) } else { before_i + step };
        self.alpha[j] = if step == below { end(gain_j, before_j, false) } else { before_j - step };
        let (change_i, change_j) = (self.alpha[i] - before_i, self.alpha[j] - before_j);
        self.move_gradient([(i, change_i), (j, change_j)]);
        change_i != 0.0 || change_j != 0.0
    }

    /// Moves the one row that gains most; false if none violates by more than `target`.
    #[inline(always)]
    pub(super) fn single_step(&mut self, target: f64) -> bool {
        self.look();
        let mut best = [0.0; LANES];
        for first in (0..self.alpha.len()).step_by(LANES) {
            let at = |values: &[f64]| values[first..].as_chunks::<LANES>().0[0];
            let (ups, downs) = (at(&self.ups), at(&self.downs));
            let (diagonal, curvature) = (at(&self.diagonal), at(&self.curvature));
            let mut gains = [0.0; LANES];
            for lane in 0..LANES {
                let (up, down) = (ups[lane], -downs[lane]);
                let violation = if up > down { up } else { down };
                let bend = diagonal[lane] + curvature[lane];
                let gain = violation * violation / if bend > f64::MIN_POSITIVE { bend } else { f64::MIN_POSITIVE };
                gains[lane] = if violation > target { gain } else { 0.0 };
                best[lane] = if gains[lane] > best[lane] { gains[lane] } else { best[lane] };
            }
            self.downs[first..first + LANES].copy_from_slice(&gains);
        }
        let best = best.into_iter().fold(0.0, f64::max);
        if best == 0.0 {
            return false;
        }
        let Some(i) = place_of(&self.downs, best) else { return false };
        let gain = &self.gains[i];
        let (up, down) = slopes(gain, self.alpha[i], self.gradient[i]);
        let (upwards, slope) = if up > -down { (true, up) } else { (false, -down) };
        let before = self.alpha[i];
        let limit = room(gain, before, upwards);
        let step = (slope / (self.diagonal[i] + self.curvature[i])).min(limit);
        self.alpha[i] = match step == limit {
            true => end(gain, before, upwards),
            false if upwards => before + step,
            false => before - step,
        };
        let change = self.alpha[i] - before;
        self.move_gradient([(i, change)]);
        change != 0.0
    }
}
