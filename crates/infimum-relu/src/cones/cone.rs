//! A cone: what is known of the rows on it, and its bound.
//!
//! On the cone of v_1 … v_R let `y_pk = |w_p| x̃_p·v_k`. A row is *settled* where all its y have one sign: then it is
//! linear on the cone. Everything that the bound needs is linear in the generators but `relu(y)` of the other rows, so
//! that a child is computed from its parent's y without the rows themselves.
//!
//! The bound is the shortest q with `q·v_k ≥ settled_k + Σ_{w_p > 0} relu(y_pk) − Σ_{w_p < 0} α_p y_pk`, minimised over
//! α as well. With `u = Σ_k μ_k v_k` (μ the multipliers, u = q) its derivative in α_p is `−y_p(u)/‖q‖`, `y_p(u) = Σ_k
//! μ_k y_pk`: α_p = 1 where y_p(u) > 0, 0 where it is negative, anything where it is 0.

use std::sync::Arc;

use super::kernels::{add_multiple, blend, sum_of_magnitudes, sum_of_products, sum_of_relu, widen};
use super::quadratic::shortest;
use super::rows::{Rows, Side, Vector, inner, length};

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
    sizes: Vector<R>,
    positive: Box<[u32]>,
    negative: Box<[u32]>,
    slopes: Box<[u8]>,
    q: Vector<R>,
    mu: Vector<R>,
    set: u32,
    /// Bound, in the search's units.
    pub(super) bound: f64,
    inherited: Option<Arc<Proof<R>>>,
    /// Splits above it.
    pub(super) depth: u32,
    /// Place in the tree.
    pub(super) place: u32,
}

/// A cone that is worked on.
pub(super) struct Cone<const R: usize> {
    /// v_k.
    pub(super) generators: [Vector<R>; R],
    /// `Σ w_p relu(x_p·v_k)` over settled rows.
    pub(super) settled: Vector<R>,
    /// `Σ |w_p x_p·v_k|` over all rows.
    sizes: Vector<R>,
    /// What `q·v_k` must exceed its requirement by.
    pub(super) slack: Vector<R>,
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
    /// Splits above it.
    pub(super) depth: u32,
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

/// Memory that is used again and again.
#[derive(Default)]
pub(super) struct Scratch<const R: usize> {
    new: Vec<f64>,
    least: [Vec<f64>; 2],
    largest: [Vec<f64>; 2],
    places: Vec<u32>,
    at: Vec<f64>,
    wrong: Vec<u32>,
    frozen: Vec<bool>,
    spare: Vec<Cone<R>>,
}

impl<const R: usize> Scratch<R> {
    /// Takes back the memory of a cone.
    pub(super) fn recycle(&mut self, cone: Cone<R>) {
        self.spare.push(cone);
    }
}

/// A bound: ‖q‖, q, its multipliers, and which are positive.
struct Shortest<const R: usize> {
    bound: f64,
    q: Vector<R>,
    mu: Vector<R>,
    set: u32,
}

impl<const R: usize> Cone<R> {
    fn empty() -> Cone<R> {
        Cone {
            generators: [[0.0; R]; R],
            settled: [0.0; R],
            sizes: [0.0; R],
            slack: [0.0; R],
            positive: Open::default(),
            negative: Open::default(),
            slopes: Vec::new(),
            q: [0.0; R],
            mu: [0.0; R],
            set: (1 << R) - 1,
            bound: f64::INFINITY,
            inherited: None,
            depth: 0,
            place: 0,
        }
    }

    /// A cone of the fan.
    pub(super) fn root(
        rows: &Rows<R>,
        generators: [Vector<R>; R],
        threshold: f64,
        scratch: &mut Scratch<R>,
    ) -> Cone<R> {
        let all = |side: &Side<R>| Open {
            rows: (0..side.index.len() as u32).collect(),
            y: products(side, None, &generators),
        };
        let (positive, negative) = (all(&rows.positive), all(&rows.negative));
        let mut cone = Cone { generators, ..Cone::empty() };
        for (open, sign) in [(&positive, 1.0), (&negative, -1.0)] {
            let n = open.rows.len();
            let (least, largest) = (&mut scratch.least[0], &mut scratch.largest[0]);
            start(n, least, largest);
            for k in 0..R {
                widen(&open.y[k * n..][..n], least, largest);
                cone.sizes[k] += sum_of_magnitudes(&open.y[k * n..][..n]);
            }
            let ys: [&[f64]; R] = std::array::from_fn(|k| &open.y[k * n..][..n]);
            let (least, largest) = (&scratch.least[0], &scratch.largest[0]);
            let target = if sign > 0.0 { &mut cone.positive } else { &mut cone.negative };
            sort_out(&open.rows, ys, least, largest, sign, target, &mut scratch.places, &mut cone.settled);
        }
        cone.slopes = vec![0.0; cone.negative.rows.len()];
        cone.bound_it(rows, threshold, scratch);
        cone
    }

    /// Both children with their bounds: the split's vector in the place `from`, and in the place `to`.
    pub(super) fn children(
        &self,
        rows: &Rows<R>,
        split: &Split,
        threshold: f64,
        scratch: &mut Scratch<R>,
    ) -> [Cone<R>; 2] {
        let Split { from, to, weights: (s, t) } = *split;
        let mut children = [from, to].map(|replaced| {
            let mut child = scratch.spare.pop().unwrap_or_else(Cone::empty);
            child.generators = self.generators;
            child.settled = self.settled;
            child.sizes = self.sizes;
            for j in 0..R {
                child.generators[replaced][j] = s * self.generators[from][j] + t * self.generators[to][j];
            }
            child.settled[replaced] = s * self.settled[from] + t * self.settled[to];
            child.set = self.set;
            child.depth = self.depth + 1;
            child.place = 0;
            child
        });
        // On settled rows y keeps its sign between v_from and v_to, so that |y| is linear there.
        let mut size = s * self.sizes[from] + t * self.sizes[to];
        for (open, sign) in [(&self.positive, 1.0), (&self.negative, -1.0)] {
            let n = open.rows.len();
            let y = |k: usize| &open.y[k * n..][..n];
            blend(y(from), y(to), s, t, &mut scratch.new);
            size += sum_of_magnitudes(&scratch.new) - s * sum_of_magnitudes(y(from)) - t * sum_of_magnitudes(y(to));
            let [(least, largest), (other_least, other_largest)] = {
                let [a, b] = &mut scratch.least;
                let [c, d] = &mut scratch.largest;
                [(a, c), (b, d)]
            };
            start(n, least, largest);
            (0..R).filter(|&k| k != from && k != to).for_each(|k| widen(y(k), least, largest));
            widen(&scratch.new, least, largest);
            other_least.clone_from(least);
            other_largest.clone_from(largest);
            widen(y(to), least, largest);
            widen(y(from), other_least, other_largest);
            for (which, (child, replaced)) in children.iter_mut().zip([from, to]).enumerate() {
                let ys = std::array::from_fn(|k| if k == replaced { &scratch.new[..] } else { y(k) });
                let (least, largest) = (&scratch.least[which], &scratch.largest[which]);
                let target = if sign > 0.0 { &mut child.positive } else { &mut child.negative };
                sort_out(&open.rows, ys, least, largest, sign, target, &mut scratch.places, &mut child.settled);
                if sign < 0.0 {
                    child.slopes.clear();
                    child.slopes.extend(scratch.places.iter().map(|&place| self.slopes[place as usize]));
                }
            }
        }
        for (child, replaced) in children.iter_mut().zip([from, to]) {
            child.sizes[replaced] = size.max(0.0);
            let proven = child.bound_it(rows, threshold, scratch);
            child.inherited = None;
            // The parent's proof holds on its children. By exact arithmetic a child's bound is no larger, by rounding
            // it may be.
            if !proven || !(child.bound <= self.bound * (1.0 + 1e-9)) {
                child.inherited = Some(Arc::new(self.proof(rows)));
                (child.q, child.bound) = (self.q, self.bound);
            }
        }
        children
    }

    /// Bound and α, as good as needed to be below the threshold, or to be the best. Says whether there is one: whether q
    /// satisfies its requirements up to half the slack.
    fn bound_it(&mut self, rows: &Rows<R>, threshold: f64, scratch: &mut Scratch<R>) -> bool {
        let generators = self.generators;
        let gram: [[f64; R]; R] =
            std::array::from_fn(|k| std::array::from_fn(|l| inner(&generators[k], &generators[l])));
        let slack = slack(rows, &generators, &self.sizes);
        let (n, m) = (self.positive.rows.len(), self.negative.rows.len());
        let mut c: Vector<R> = std::array::from_fn(|k| {
            let fixed = self.settled[k] + sum_of_relu(&self.positive.y[k * n..][..n]) + slack[k];
            fixed - sum_of_products(&self.slopes, &self.negative.y[k * m..][..m]) / SLOPE_UNIT
        });
        let bounded = |c: &Vector<R>, set: u32| {
            let (mu, set) = shortest(&gram, c, set);
            let mut q = [0.0; R];
            for k in 0..R {
                for j in 0..R {
                    q[j] += mu[k] * generators[k][j];
                }
            }
            let bound = inner(&q, &q).sqrt();
            // Of generators that nearly coincide q is known only roughly: a little more of it will do.
            match missing(&q, &generators, c, &slack) {
                1.0 => Shortest { bound, q, mu, set },
                f64::INFINITY => Shortest { bound: f64::INFINITY, q, mu, set },
                more => Shortest { bound: bound * more, q: q.map(|q| q * more), mu: mu.map(|mu| mu * more), set },
            }
        };
        let mut found = bounded(&c, self.set);
        let Scratch { at, wrong, frozen, .. } = scratch;
        at.resize(m, 0.0);
        frozen.clear();
        frozen.resize(m, false);
        let y = &self.negative.y;
        // y of one row at Σ_k μ_k v_k, and c after a change of its slope.
        let at_row = |mu: &Vector<R>, i: usize| (0..R).map(|k| mu[k] * y[k * m + i]).sum::<f64>();
        let change = |c: &mut Vector<R>, i: usize, by: f64| {
            (0..R).for_each(|k| c[k] -= by / SLOPE_UNIT * y[k * m + i]);
        };
        let slopes = &mut self.slopes;
        let mut effort = 1;
        while m > 0 && effort < LARGEST_EFFORT && found.bound > threshold {
            combine(y, &found.mu, at);
            wrong.clear();
            for i in 0..m {
                if wanted_slope(at[i], slopes[i]) != slopes[i] && !frozen[i] {
                    wrong.push(i as u32);
                }
            }
            if wrong.is_empty() {
                break;
            }
            // All at once; then only so far that no row goes past its kink; then the worst row alone.
            let wanted = |i: usize, slopes: &[f64]| wanted_slope(at[i], slopes[i]);
            let mut c_all = c;
            for &i in wrong.iter() {
                let i = i as usize;
                change(&mut c_all, i, wanted(i, slopes) - slopes[i]);
            }
            let all = bounded(&c_all, found.set);
            effort += 1;
            if all.bound < found.bound {
                wrong.iter().for_each(|&i| slopes[i as usize] = wanted(i as usize, slopes));
                (c, found) = (c_all, all);
                continue;
            }
            let between =
                |i: usize, mu: &Vector<R>, slopes: &[f64]| secant(slopes[i], wanted(i, slopes), at[i], at_row(mu, i));
            let mut c_part = c;
            for &i in wrong.iter() {
                let i = i as usize;
                change(&mut c_part, i, between(i, &all.mu, slopes) - slopes[i]);
            }
            let part = bounded(&c_part, found.set);
            effort += 1;
            if part.bound < found.bound {
                wrong.iter().for_each(|&i| slopes[i as usize] = between(i as usize, &all.mu, slopes));
                (c, found) = (c_part, part);
                continue;
            }
            let weight = |i: usize| (at[i] * (wanted(i, slopes) - slopes[i])).abs();
            let worst = wrong
                .iter()
                .map(|&i| i as usize)
                .fold(wrong[0] as usize, |a, b| if weight(b) > weight(a) { b } else { a });
            let whole = wanted(worst, slopes);
            let mut c_one = c;
            change(&mut c_one, worst, whole - slopes[worst]);
            let mut one = bounded(&c_one, found.set);
            effort += 1;
            let slope = between(worst, &one.mu, slopes);
            if slope != whole {
                c_one = c;
                change(&mut c_one, worst, slope - slopes[worst]);
                one = bounded(&c_one, found.set);
                effort += 1;
            }
            if one.bound < found.bound {
                slopes[worst] = slope;
                (c, found) = (c_one, one);
            } else {
                frozen[worst] = true;
            }
        }
        let Shortest { bound, q, mu, set } = found;
        (self.bound, self.q, self.mu, self.set, self.slack) = (bound, q, mu, set, slack);
        bound < f64::INFINITY
    }

    /// q and the slopes of the open rows.
    pub(super) fn proof(&self, rows: &Rows<R>) -> Proof<R> {
        match &self.inherited {
            Some(proof) => (**proof).clone(),
            None => (self.q, slopes_by_row(rows, &self.negative.rows, self.slopes.iter().map(|&slope| slope as u8))),
        }
    }

    /// `Σ_p w_p relu(x_p·u)` at `u = q/‖q‖`, in the search's units.
    pub(super) fn value_at_bound(&self, scratch: &mut Scratch<R>) -> f64 {
        if !(self.bound > 0.0) || self.inherited.is_some() {
            return f64::NEG_INFINITY;
        }
        let mut sum = inner(&self.mu, &self.settled);
        for (open, sign) in [(&self.positive, 1.0), (&self.negative, -1.0)] {
            scratch.at.resize(open.rows.len(), 0.0);
            combine(&open.y, &self.mu, &mut scratch.at);
            sum += sign * sum_of_relu(&scratch.at);
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
            sizes: self.sizes,
            positive: self.positive.rows.into(),
            negative: self.negative.rows.into(),
            slopes: self.slopes.iter().map(|&slope| slope as u8).collect(),
            q: self.q,
            mu: self.mu,
            set: self.set,
            bound: self.bound,
            inherited: self.inherited,
            depth: self.depth,
            place: self.place,
        }
    }
}

impl<const R: usize> Waiting<R> {
    /// The cone again, its y computed anew.
    pub(super) fn resume(self, rows: &Rows<R>) -> Cone<R> {
        let open = |side: &Side<R>, list: &[u32]| Open {
            rows: list.to_vec(),
            y: products(side, Some(list), &self.generators),
        };
        Cone {
            generators: self.generators,
            settled: self.settled,
            sizes: self.sizes,
            slack: slack(rows, &self.generators, &self.sizes),
            positive: open(&rows.positive, &self.positive),
            negative: open(&rows.negative, &self.negative),
            slopes: self.slopes.iter().map(|&slope| f64::from(slope)).collect(),
            q: self.q,
            mu: self.mu,
            set: self.set,
            bound: self.bound,
            inherited: self.inherited,
            depth: self.depth,
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

/// The least factor, at least 1, with which q satisfies its requirements up to a quarter of the slack; 1 if it does up
/// to half of it, infinite if none does.
fn missing<const R: usize>(q: &Vector<R>, generators: &[Vector<R>; R], c: &Vector<R>, slack: &Vector<R>) -> f64 {
    let mut factor = 1.0f64;
    for k in 0..R {
        let product = inner(q, &generators[k]);
        if product < c[k] - 0.5 * slack[k] {
            factor = factor.max(if product > 0.0 { (c[k] - 0.25 * slack[k]) / product } else { f64::INFINITY });
        }
    }
    factor
}

/// Slack for the rounding of sums at v_k, and for that of v_k itself.
fn slack<const R: usize>(rows: &Rows<R>, generators: &[Vector<R>; R], sizes: &Vector<R>) -> Vector<R> {
    std::array::from_fn(|k| rows.slack * sizes[k] + rows.generator_slack * length(&generators[k]))
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

fn start(n: usize, least: &mut Vec<f64>, largest: &mut Vec<f64>) {
    for list in [least, largest] {
        list.clear();
        list.resize(n, 0.0);
    }
}

/// Writes the rows whose y (`ys`, for each generator) have both signs, and their places among all; the others are added
/// to `settled`, with the sign, where they are active.
fn sort_out<const R: usize>(
    rows: &[u32],
    ys: [&[f64]; R],
    least: &[f64],
    largest: &[f64],
    sign: f64,
    open: &mut Open,
    places: &mut Vec<u32>,
    settled: &mut Vector<R>,
) {
    places.clear();
    open.rows.clear();
    open.y.clear();
    for (i, (&least, &largest)) in least.iter().zip(largest).enumerate() {
        if largest > ZERO {
            if least < -ZERO {
                places.push(i as u32);
                open.rows.push(rows[i]);
            } else {
                (0..R).for_each(|k| settled[k] += sign * ys[k][i]);
            }
        }
    }
    for y in ys {
        open.y.extend(places.iter().map(|&place| y[place as usize]));
    }
}

/// `out_i = Σ_k mu_k y_ki`.
pub(super) fn combine<const R: usize>(y: &[f64], mu: &Vector<R>, out: &mut [f64]) {
    let n = out.len();
    out.fill(0.0);
    for k in 0..R {
        if mu[k] != 0.0 {
            add_multiple(mu[k], &y[k * n..][..n], out);
        }
    }
}

/// 128 times the slope of relu at y; the present one at a kink.
fn wanted_slope(y: f64, present: f64) -> f64 {
    match y {
        _ if y > 1e-15 => SLOPE_UNIT,
        _ if y < -1e-15 => 0.0,
        _ => present,
    }
}

/// Between two slopes, where y, which has the values `y0` and `y1` there, would be 0 if it were linear: the wanted one
/// if it keeps its sign.
fn secant(slope: f64, wanted: f64, y0: f64, y1: f64) -> f64 {
    if y0 * y1 >= 0.0 {
        return wanted;
    }
    (slope + (wanted - slope) * y0 / (y0 - y1)).round()
}
