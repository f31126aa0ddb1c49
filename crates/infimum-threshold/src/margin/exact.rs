//! The nearest points of two convex hulls in integers, where columns are so unlike that `f64` says nothing.
//!
//! The method of `hulls.rs` with exact numbers: over a support S of rows y_i with sides s_i the best affine combination solves `K X = E`, K the Gram matrix of the lifted
//! vectors `(s_i y_i, e)`, E the indicators of the two sides, by fraction-free elimination (Bareiss 1968); with M = Eᵀ X and M ν = (1, 1) it is λ = X ν. λ is kept as integers
//! over one denominator. Every round lowers ‖z‖², so that no support comes twice.

use dashu_int::{IBig, UBig, ops::BitTest, ops::Gcd};

use super::measure::Metric;
use crate::points::GroupPoints;
use crate::separation::circuit::common_divisor;
use crate::weights::dot;

/// Rounds end when what z gains by another row is below 1/GAIN of it.
const GAIN: u32 = 10_000;
/// Multiplications of machine words that it may take, about.
const WORK: f64 = 2e10;

/// A normal and the hull points that it is of.
pub(crate) struct Found {
    /// The normal over the columns' integers.
    pub(crate) direction: Vec<IBig>,
    /// Points of the support and their λ, over a common denominator.
    pub(crate) support: Vec<(u32, UBig)>,
}

struct Hulls<'a> {
    points: &'a GroupPoints,
    sides: &'a [i8],
    metric: &'a Metric,
    support: Vec<u32>,
    /// Stretched rows of the support.
    rows: Vec<Vec<IBig>>,
    gram: Vec<Vec<IBig>>,
    lambda: Vec<IBig>,
    denominator: IBig,
    work: f64,
}

/// Nearest points of the hulls of `all`, begun at the points given with their shares of either side; as far as work and `stop` allow. `None` if `start` has no
/// point of one side.
pub(crate) fn nearest(
    points: &GroupPoints,
    sides: &[i8],
    all: &[u32],
    metric: &Metric,
    start: &[(u32, UBig)],
    stop: &dyn Fn() -> bool,
) -> Option<Found> {
    let new = || Hulls {
        points,
        sides,
        metric,
        support: Vec::new(),
        rows: Vec::new(),
        gram: Vec::new(),
        lambda: Vec::new(),
        denominator: IBig::ONE,
        work: 0.0,
    };
    let mut hulls = new();
    hulls.begin(start);
    let mut found = None;
    if hulls.settle(stop).is_none() {
        // The start was not independent, exactly.
        hulls = new();
        let of = |side: i8| start.iter().find(|entry| sides[entry.0 as usize] == side).cloned();
        hulls.begin(&[of(1)?, of(-1)?]);
        hulls.settle(stop)?;
    }
    while !stop() && hulls.work < WORK {
        let z = hulls.z();
        let direction: Vec<IBig> = z.iter().zip(&metric.stretch).map(|(z, factor)| z * factor).collect();
        found = Some(Found { direction: direction.clone(), support: hulls.shares() });
        let Some(worst) = hulls.worst(all, &direction, stop) else { break };
        hulls.join(worst, IBig::ZERO);
        if hulls.settle(stop).is_none() {
            break;
        }
    }
    found
}

impl Hulls<'_> {
    fn begin(&mut self, start: &[(u32, UBig)]) {
        let total = |side: i8| -> IBig {
            let of_side = start.iter().filter(|entry| self.sides[entry.0 as usize] == side);
            of_side.map(|entry| IBig::from(entry.1.clone())).sum()
        };
        let (ones, zeros) = (total(1), total(-1));
        for (p, share) in start.iter().filter(|entry| !entry.1.is_zero()) {
            let other = if self.sides[*p as usize] > 0 { &zeros } else { &ones };
            self.join(*p, IBig::from(share.clone()) * other);
        }
        self.denominator = ones * zeros;
        self.reduce();
    }

    fn join(&mut self, p: u32, lambda: IBig) {
        let mut row = vec![IBig::ZERO; self.metric.stretch.len()];
        for (j, value) in self.points.exact.row(p as usize) {
            row[j as usize] = &*value * &self.metric.stretch[j as usize];
        }
        let side = self.sides[p as usize];
        let entry = |other: &[IBig], of: u32| -> IBig {
            let product: IBig = row.iter().zip(other).map(|(a, b)| a * b).sum();
            // The lifted vectors have the same last entries or orthogonal ones.
            if self.sides[of as usize] == side { product + IBig::ONE } else { -product }
        };
        let column: Vec<IBig> = self.rows.iter().zip(&self.support).map(|(other, &of)| entry(other, of)).collect();
        let own = entry(&row, p);
        for (line, value) in self.gram.iter_mut().zip(&column) {
            line.push(value.clone());
        }
        self.gram.push(column.into_iter().chain([own]).collect());
        self.rows.push(row);
        self.support.push(p);
        self.lambda.push(lambda);
    }

    fn leave(&mut self, place: usize) {
        self.gram.remove(place);
        self.gram.iter_mut().for_each(|line| drop(line.remove(place)));
        self.rows.remove(place);
        self.support.remove(place);
        self.lambda.remove(place);
    }

    fn reduce(&mut self) {
        let divisor = common_divisor(&self.lambda).gcd(self.denominator.clone().into_parts().1);
        if divisor > UBig::ONE {
            let divisor = IBig::from(divisor);
            self.lambda.iter_mut().for_each(|value| *value = &*value / &divisor);
            self.denominator = &self.denominator / &divisor;
        }
    }

    /// λ of the best affine combination, over a positive denominator; `None` if the support is dependent, or told to stop.
    fn best(&mut self, stop: &dyn Fn() -> bool) -> Option<(Vec<IBig>, IBig)> {
        let k = self.support.len();
        let mut lines: Vec<Vec<IBig>> = Vec::with_capacity(k);
        for (line, &p) in self.gram.iter().zip(&self.support) {
            let one = self.sides[p as usize] > 0;
            lines.push(line.iter().cloned().chain([u8::from(one).into(), u8::from(!one).into()]).collect());
        }
        let mut before = IBig::ONE;
        for c in 0..k {
            let pivot = lines[c][c].clone();
            // A Gram matrix: its leading minors are positive iff the vectors are independent.
            if pivot.is_zero() || stop() {
                return None;
            }
            self.work += (k * k) as f64 * (pivot.bit_len() as f64 / 64.0 + 1.0).powi(2);
            let pivot_line = lines[c].clone();
            for (i, line) in lines.iter_mut().enumerate().filter(|entry| entry.0 != c) {
                let factor = line[c].clone();
                for (j, value) in line.iter_mut().enumerate() {
                    if j >= c || j == i {
                        *value = (&*value * &pivot - &factor * &pivot_line[j]) / &before;
                    }
                }
            }
            before = pivot;
        }
        // Now line i says K_det · X_i = its last two entries.
        let ends = |i: usize| [&lines[i][k], &lines[i][k + 1]];
        let [mut a, mut b, mut c] = [IBig::ZERO, IBig::ZERO, IBig::ZERO];
        for (i, &p) in self.support.iter().enumerate() {
            let [first, second] = ends(i);
            if self.sides[p as usize] > 0 {
                a += first;
                b += second;
            } else {
                c += second;
            }
        }
        let (nu, denominator) = ([&c - &b, &a - &b], &a * &c - &b * &b);
        let lambda: Vec<IBig> = (0..k).map(|i| ends(i)[0] * &nu[0] + ends(i)[1] * &nu[1]).collect();
        match denominator > IBig::ZERO {
            true => Some((lambda, denominator)),
            false => None,
        }
    }

    /// Moves λ to the best combination with λ > 0 of some of the support.
    fn settle(&mut self, stop: &dyn Fn() -> bool) -> Option<()> {
        loop {
            let (target, over) = self.best(stop)?;
            // Over the common denominator of both.
            let now: Vec<IBig> = self.lambda.iter().map(|value| value * &over).collect();
            let target_now: Vec<IBig> = target.iter().map(|value| value * &self.denominator).collect();
            let mut step: Option<(IBig, IBig)> = None;
            for (now, target) in now.iter().zip(&target_now).filter(|entry| *entry.1 <= IBig::ZERO) {
                let whole = now - target;
                // A row that is at 0 and stays there may leave at once.
                let (part, whole) = if whole.is_zero() { (IBig::ZERO, IBig::ONE) } else { (now.clone(), whole) };
                if step.as_ref().is_none_or(|(best, of)| &part * of < best * &whole) {
                    step = Some((part, whole));
                }
            }
            let Some((part, whole)) = step else {
                (self.lambda, self.denominator) = (target, over);
                self.reduce();
                return Some(());
            };
            let moved = now.iter().zip(&target_now).map(|(now, target)| now * &whole + (target - now) * &part);
            self.lambda = moved.collect();
            self.denominator = &self.denominator * over * whole;
            for place in (0..self.lambda.len()).rev() {
                if self.lambda[place] <= IBig::ZERO {
                    self.leave(place);
                }
            }
            self.reduce();
        }
    }

    /// The difference of the two points, times the denominator.
    fn z(&self) -> Vec<IBig> {
        let mut z = vec![IBig::ZERO; self.metric.stretch.len()];
        for ((row, lambda), &p) in self.rows.iter().zip(&self.lambda).zip(&self.support) {
            let factor = lambda * IBig::from(self.sides[p as usize]);
            z.iter_mut().zip(row).for_each(|(z, value)| *z += &factor * value);
        }
        z
    }

    fn shares(&self) -> Vec<(u32, UBig)> {
        self.support.iter().zip(&self.lambda).map(|(&p, lambda)| (p, lambda.clone().into_parts().1)).collect()
    }

    /// The point that is most on the wrong side of z, if it is far enough.
    fn worst(&mut self, all: &[u32], direction: &[IBig], stop: &dyn Fn() -> bool) -> Option<u32> {
        let value = |p: u32| dot(&self.points.exact, p as usize, direction);
        let level = |side: i8| self.support.iter().find(|&&p| self.sides[p as usize] == side).map(|&p| value(p));
        let (ones, zeros) = (level(1)?, level(-1)?);
        let gap = &ones - &zeros;
        let mut worst: Option<(IBig, u32)> = None;
        for (place, &p) in all.iter().enumerate() {
            if place % 256 == 0 && stop() {
                return None;
            }
            let value = value(p);
            let violation = if self.sides[p as usize] > 0 { &ones - value } else { value - &zeros };
            if violation > IBig::ZERO && worst.as_ref().is_none_or(|worst| violation > worst.0) {
                worst = Some((violation, p));
            }
        }
        self.work += (all.len() * direction.len()) as f64 * (gap.bit_len() as f64 / 64.0 + 1.0);
        worst.filter(|(violation, _)| violation * IBig::from(GAIN) > gap).map(|worst| worst.1)
    }
}
