//! A cone: what is known of the rows on it, and its bound.
//!
//! On the cone of v_1 … v_R let `y_pk = |w_p| x̃_p·v_k`. A row is *settled* where all its y have one sign: then it is linear on the cone. Everything that the bound needs is linear in
//! the generators but `relu(y)` of the other rows, so that a child is computed from its parent's y without the rows themselves.
//!
//! The bound is the shortest q with `q·v_k ≥ settled_k + Σ_{w_p > 0} relu(y_pk) − Σ_{w_p < 0} α_p y_pk`, minimised over α as well. With `u = Σ_k μ_k v_k` (μ the
//! multipliers, u = q) its derivative in α_p is `−y_p(u)/‖q‖`, `y_p(u) = Σ_k μ_k y_pk`: α_p = 1 where y_p(u) > 0, 0 where it is negative, anything where it is 0.

use std::sync::Arc;

use super::quadratic::shortest;
use super::rows::{Rows, Side, Vector, inner};

/// Slopes are multiples of the inverse of this.
const SLOPE_UNIT: f64 = 128.0;

/// Bounds computed for one cone while α is improved.
const LARGEST_EFFORT: usize = 14;

/// Rows that are not settled on a cone.
#[derive(Clone, Default)]
pub(super) struct Open {
    /// Places in the side's lists.
    pub(super) rows: Vec<u32>,
    /// y, R × rows.
    pub(super) y: Vec<f64>,
}

/// A proof that `Σ ≤ q·v` on a cone: q and slopes, by distinct row.
pub(super) type Proof<const R: usize> = (Vector<R>, Vec<(u32, u8)>);

/// What is kept of a cone while it waits.
pub(super) struct Waiting<const R: usize> {
    pub(super) generators: [Vector<R>; R],
    settled: Vector<R>,
    positive: Box<[u32]>,
    negative: Box<[u32]>,
    slopes: Box<[u8]>,
    q: Vector<R>,
    mu: Vector<R>,
    set: u32,
    /// Bound, in the search's units.
    pub(super) bound: f64,
    inherited: Option<Arc<Proof<R>>>,
    /// Place in the tree.
    pub(super) place: u32,
}

/// A cone that is worked on.
pub(super) struct Cone<const R: usize> {
    /// v_k.
    pub(super) generators: [Vector<R>; R],
    /// `Σ w_p relu(x_p·v_k)` over settled rows.
    pub(super) settled: Vector<R>,
    /// Open rows with w_p > 0.
    pub(super) positive: Open,
    /// Open rows with w_p < 0.
    pub(super) negative: Open,
    /// `128 α_p` of the latter.
    slopes: Vec<f64>,
    /// The bound's vector.
    pub(super) q: Vector<R>,
    /// Its multipliers.
    pub(super) mu: Vector<R>,
    set: u32,
    /// ‖q‖.
    pub(super) bound: f64,
    /// The parent's proof, if rounding spoils the cone's own.
    inherited: Option<Arc<Proof<R>>>,
    /// Place in the tree.
    pub(super) place: u32,
}

/// `v = weights.0·v_from + weights.1·v_to`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Split {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) weights: (f64, f64),
}

impl<const R: usize> Cone<R> {
    /// A cone of the fan.
    pub(super) fn root(rows: &Rows<R>, generators: [Vector<R>; R], threshold: f64) -> Cone<R> {
        let all = |side: &Side<R>| Open { rows: (0..side.index.len() as u32).collect(), y: products(side, None, &generators) };
        let (positive, negative) = (all(&rows.positive), all(&rows.negative));
        let mut cone = Cone {
            generators,
            settled: [0.0; R],
            slopes: vec![0.0; negative.rows.len()],
            positive,
            negative,
            q: [0.0; R],
            mu: [0.0; R],
            set: (1 << R) - 1,
            bound: f64::INFINITY,
            inherited: None,
            place: 0,
        };
        cone.settle();
        cone.bound_it(rows, threshold);
        cone
    }

    /// The child in which the split's vector stands in the place `replaced`.
    fn child(&self, split: &Split, replaced: usize) -> Cone<R> {
        let Split { from, to, weights: (s, t) } = *split;
        let mut generators = self.generators;
        for j in 0..R {
            generators[replaced][j] = s * self.generators[from][j] + t * self.generators[to][j];
        }
        let mut settled = self.settled;
        settled[replaced] = s * self.settled[from] + t * self.settled[to];
        let mut cone = Cone {
            generators,
            settled,
            positive: self.positive.clone(),
            negative: self.negative.clone(),
            slopes: self.slopes.clone(),
            q: self.q,
            mu: self.mu,
            set: self.set,
            bound: self.bound,
            inherited: self.inherited.clone(),
            place: 0,
        };
        for open in [&mut cone.positive, &mut cone.negative] {
            let n = open.rows.len();
            let (mut new, a, b) = (vec![0.0; n], &open.y[from * n..][..n], &open.y[to * n..][..n]);
            for i in 0..n {
                new[i] = s * a[i] + t * b[i];
            }
            open.y[replaced * n..][..n].copy_from_slice(&new);
        }
        cone.settle();
        cone
    }

    /// Both children with their bounds.
    pub(super) fn children(&self, rows: &Rows<R>, split: &Split, threshold: f64) -> [Cone<R>; 2] {
        [split.from, split.to].map(|replaced| {
            let mut child = self.child(split, replaced);
            child.inherit(self, rows, threshold);
            child
        })
    }

    fn inherit(&mut self, parent: &Cone<R>, rows: &Rows<R>, threshold: f64) {
        self.bound_it(rows, threshold);
        if !(self.bound <= parent.bound * (1.0 + 1e-9)) || !self.is_proven(rows) {
            self.inherited = Some(Arc::new(parent.proof(rows)));
            (self.q, self.bound) = (parent.q, parent.bound);
        } else {
            self.inherited = None;
        }
    }

    /// Removes the rows that are linear on the cone.
    fn settle(&mut self) {
        let kept = sort_out(&mut self.positive, &mut self.settled, 1.0);
        self.positive = kept.0;
        let (negative, places) = sort_out(&mut self.negative, &mut self.settled, -1.0);
        self.negative = negative;
        self.slopes = places.iter().map(|&place| self.slopes[place as usize]).collect();
    }

    /// Bound and α, as good as needed to be below the threshold, or to be the best.
    fn bound_it(&mut self, rows: &Rows<R>, threshold: f64) {
        let gram: [[f64; R]; R] =
            std::array::from_fn(|k| std::array::from_fn(|l| inner(&self.generators[k], &self.generators[l])));
        let (n, m) = (self.positive.rows.len(), self.negative.rows.len());
        let fixed: Vector<R> = std::array::from_fn(|k| {
            let y = &self.positive.y[k * n..][..n];
            self.settled[k] + sum_of_relu(y) + rows.slack * gram[k][k].sqrt()
        });
        let requirements = |slopes: &[f64], y: &[f64]| -> Vector<R> {
            std::array::from_fn(|k| fixed[k] - sum_of_products(slopes, &y[k * m..][..m]) / SLOPE_UNIT)
        };
        let bounded = |c: &Vector<R>, set: u32| {
            let (mu, set) = shortest(&gram, c, set);
            let q: Vector<R> = std::array::from_fn(|j| (0..R).map(|k| mu[k] * self.generators[k][j]).sum());
            (inner(&q, &q).sqrt(), q, mu, set)
        };
        let (mut bound, mut q, mut mu, mut set) = bounded(&requirements(&self.slopes, &self.negative.y), self.set);
        if m > 0 && bound > threshold {
            let mut at = vec![0.0; m];
            let mut frozen = vec![false; m];
            let mut effort = 1;
            while effort < LARGEST_EFFORT && bound > threshold {
                combine(&self.negative.y, &mu, &mut at);
                let wanted: Vec<f64> = (0..m).map(|i| wanted_slope(at[i], self.slopes[i])).collect();
                let wrong: Vec<usize> = (0..m).filter(|&i| wanted[i] != self.slopes[i] && !frozen[i]).collect();
                if wrong.is_empty() {
                    break;
                }
                // All at once; then only so far that no row goes past its kink; then the worst row alone.
                let mut trial = self.slopes.clone();
                wrong.iter().for_each(|&i| trial[i] = wanted[i]);
                let mut result = bounded(&requirements(&trial, &self.negative.y), set);
                effort += 1;
                if !(result.0 < bound) {
                    let mut there = vec![0.0; m];
                    combine(&self.negative.y, &result.2, &mut there);
                    wrong.iter().for_each(|&i| trial[i] = secant(self.slopes[i], wanted[i], at[i], there[i]));
                    result = bounded(&requirements(&trial, &self.negative.y), set);
                    effort += 1;
                }
                if !(result.0 < bound) {
                    let weight = |i: usize| (at[i] * (wanted[i] - self.slopes[i])).abs();
                    let worst = wrong.iter().copied().fold(wrong[0], |a, b| if weight(b) > weight(a) { b } else { a });
                    trial.copy_from_slice(&self.slopes);
                    trial[worst] = wanted[worst];
                    result = bounded(&requirements(&trial, &self.negative.y), set);
                    let n = m;
                    let there: f64 = (0..R).map(|k| result.2[k] * self.negative.y[k * n + worst]).sum();
                    trial[worst] = secant(self.slopes[worst], wanted[worst], at[worst], there);
                    if trial[worst] != wanted[worst] {
                        result = bounded(&requirements(&trial, &self.negative.y), set);
                    }
                    effort += 2;
                    if !(result.0 < bound) {
                        frozen[worst] = true;
                        continue;
                    }
                }
                self.slopes = trial;
                (bound, q, mu, set) = result;
            }
        }
        (self.bound, self.q, self.mu, self.set) = (bound, q, mu, set);
    }

    /// Whether q satisfies its requirements with half the slack left.
    pub(super) fn is_proven(&self, rows: &Rows<R>) -> bool {
        let (n, m) = (self.positive.rows.len(), self.negative.rows.len());
        (0..R).all(|k| {
            let v = &self.generators[k];
            let needed = self.settled[k] + sum_of_relu(&self.positive.y[k * n..][..n])
                - sum_of_products(&self.slopes, &self.negative.y[k * m..][..m]) / SLOPE_UNIT;
            inner(&self.q, v) >= needed + 0.5 * rows.slack * inner(v, v).sqrt()
        })
    }

    /// q and the slopes of the open rows.
    pub(super) fn proof(&self, rows: &Rows<R>) -> Proof<R> {
        match &self.inherited {
            Some(proof) => (**proof).clone(),
            None => (self.q, slopes_by_row(rows, &self.negative.rows, self.slopes.iter().map(|&slope| slope as u8))),
        }
    }

    /// `Σ_p w_p relu(x_p·u)` at `u = q/‖q‖`, in the search's units.
    pub(super) fn value_at_bound(&self) -> f64 {
        if !(self.bound > 0.0) || self.inherited.is_some() {
            return f64::NEG_INFINITY;
        }
        let mut sum = inner(&self.mu, &self.settled);
        for (open, sign) in [(&self.positive, 1.0), (&self.negative, -1.0)] {
            let mut at = vec![0.0; open.rows.len()];
            combine(&open.y, &self.mu, &mut at);
            sum += sign * sum_of_relu(&at);
        }
        sum / self.bound
    }

    /// `|w_p|(relu(y) − α y)` at u = q for the open rows with w_p < 0.
    pub(super) fn negative_errors(&self) -> Vec<f64> {
        let mut at = vec![0.0; self.negative.rows.len()];
        combine(&self.negative.y, &self.mu, &mut at);
        at.iter().zip(&self.slopes).map(|(&y, &slope)| y.max(0.0) - slope / SLOPE_UNIT * y).collect()
    }

    /// What is kept while the cone waits.
    pub(super) fn wait(self) -> Waiting<R> {
        Waiting {
            generators: self.generators,
            settled: self.settled,
            positive: self.positive.rows.into(),
            negative: self.negative.rows.into(),
            slopes: self.slopes.iter().map(|&slope| slope as u8).collect(),
            q: self.q,
            mu: self.mu,
            set: self.set,
            bound: self.bound,
            inherited: self.inherited,
            place: self.place,
        }
    }
}

impl<const R: usize> Waiting<R> {
    /// The cone again, its y computed anew.
    pub(super) fn resume(self, rows: &Rows<R>) -> Cone<R> {
        let open = |side: &Side<R>, list: &[u32]| Open { rows: list.to_vec(), y: products(side, Some(list), &self.generators) };
        Cone {
            generators: self.generators,
            settled: self.settled,
            positive: open(&rows.positive, &self.positive),
            negative: open(&rows.negative, &self.negative),
            slopes: self.slopes.iter().map(|&slope| f64::from(slope)).collect(),
            q: self.q,
            mu: self.mu,
            set: self.set,
            bound: self.bound,
            inherited: self.inherited,
            place: self.place,
        }
    }

    /// q and the slopes of the open rows.
    pub(super) fn proof(&self, rows: &Rows<R>) -> Proof<R> {
        match &self.inherited {
            Some(proof) => (**proof).clone(),
            None => (self.q, slopes_by_row(rows, &self.negative, self.slopes.iter().copied())),
        }
    }
}

fn slopes_by_row<const R: usize>(rows: &Rows<R>, places: &[u32], slopes: impl Iterator<Item = u8>) -> Vec<(u32, u8)> {
    places.iter().zip(slopes).map(|(&place, slope)| (rows.negative.index[place as usize], slope)).collect()
}

/// y of some rows of a side, or of all.
fn products<const R: usize>(side: &Side<R>, list: Option<&[u32]>, generators: &[Vector<R>; R]) -> Vec<f64> {
    let n = list.map_or(side.index.len(), <[u32]>::len);
    let mut y = vec![0.0; R * n];
    for i in 0..n {
        let x = &side.scaled[list.map_or(i, |list| list[i] as usize)];
        for k in 0..R {
            y[k * n + i] = inner(x, &generators[k]);
        }
    }
    y
}

/// y of a magnitude that is rounding (y are at most about 1): counts as 0.
const ZERO: f64 = 1e-16;

/// The open rows without those whose y have one sign, and their places in the list; those that are active are added to `settled` with the sign.
fn sort_out<const R: usize>(open: &mut Open, settled: &mut Vector<R>, sign: f64) -> (Open, Vec<u32>) {
    let n = open.rows.len();
    let (mut least, mut most) = (vec![0.0f64; n], vec![0.0f64; n]);
    for k in 0..R {
        let y = &open.y[k * n..][..n];
        for i in 0..n {
            least[i] = least[i].min(y[i]);
            most[i] = most[i].max(y[i]);
        }
    }
    let mut places = Vec::with_capacity(n);
    for i in 0..n {
        if least[i] < -ZERO && most[i] > ZERO {
            places.push(i as u32);
        } else if most[i] > ZERO {
            (0..R).for_each(|k| settled[k] += sign * open.y[k * n + i]);
        }
    }
    let m = places.len();
    let mut y = vec![0.0; R * m];
    for k in 0..R {
        let (old, new) = (&open.y[k * n..][..n], &mut y[k * m..][..m]);
        for (new, &place) in new.iter_mut().zip(&places) {
            *new = old[place as usize];
        }
    }
    (Open { rows: places.iter().map(|&place| open.rows[place as usize]).collect(), y }, places)
}

/// `out_i = Σ_k mu_k y_ki`.
pub(super) fn combine<const R: usize>(y: &[f64], mu: &Vector<R>, out: &mut [f64]) {
    let n = out.len();
    out.fill(0.0);
    for k in 0..R {
        if mu[k] != 0.0 {
            let y = &y[k * n..][..n];
            for i in 0..n {
                out[i] += mu[k] * y[i];
            }
        }
    }
}

/// Lanes of the sums.
const LANES: usize = 8;

#[inline(always)]
pub(super) fn sum_of_relu(values: &[f64]) -> f64 {
    let mut lanes = [0.0; LANES];
    let chunks = values.chunks_exact(LANES);
    let rest: f64 = chunks.remainder().iter().map(|value| value.max(0.0)).sum();
    for chunk in chunks {
        for lane in 0..LANES {
            lanes[lane] += chunk[lane].max(0.0);
        }
    }
    lanes.iter().sum::<f64>() + rest
}

#[inline(always)]
fn sum_of_products(a: &[f64], b: &[f64]) -> f64 {
    let mut lanes = [0.0; LANES];
    let (a_chunks, b_chunks) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest: f64 = a_chunks.remainder().iter().zip(b_chunks.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in a_chunks.zip(b_chunks) {
        for lane in 0..LANES {
            lanes[lane] += a[lane] * b[lane];
        }
    }
    lanes.iter().sum::<f64>() + rest
}

/// 128 times the slope of relu at y; the present one at a kink.
fn wanted_slope(y: f64, present: f64) -> f64 {
    match y {
        _ if y > 1e-15 => SLOPE_UNIT,
        _ if y < -1e-15 => 0.0,
        _ => present,
    }
}

/// Between two slopes, where y, which has the values `y0` and `y1` there, would be 0 if it were linear: the wanted one if it keeps its sign.
fn secant(slope: f64, wanted: f64, y0: f64, y1: f64) -> f64 {
    if y0 * y1 >= 0.0 {
        return wanted;
    }
    (slope + (wanted - slope) * y0 / (y0 - y1)).round()
}
