//! The nearest points of two convex hulls in `f64`: Wolfe's method for the point of least norm (Mathematical Programming 11, 1976), for two hulls at once.
//!
//! Rows y_i with sides s_i = ±1. Sought: λ ≥ 0 of sum 1 on either side with the least `‖z‖`, z = Σ λ_i s_i y_i; z is then the normal of the hyperplane of maximal margin
//! ‖z‖/2 (Bennett and Bredensteiner, ICML 2000). The *support* is a set of rows whose lifted vectors `(s_i y_i, e)`, e the unit vector of the side, are linearly
//! independent. In each round the row that is most on the wrong side of z joins, and λ moves towards the best affine combination over the support; rows whose λ
//! becomes 0 on the way leave. Invariant: Q R = the support's lifted vectors, Q with orthonormal columns; with U the last two rows of Q and U Uᵀ ν = (1, 1) the best
//! affine combination has R λ = Uᵀ ν and z = (the other rows of Q) Uᵀ ν, without a square of the data's condition.

use infimum_rigor::vectorized;

use crate::points::dot;

/// A row joins if it is on the wrong side by more than this part of ‖z‖².
const VIOLATION: f64 = 1e-6;
/// A lifted vector must have at least this part outside of the span of the others.
const OUTSIDE: f64 = 1e-11;

/// Rows by rows, d numbers each, and a side for each.
pub(crate) struct Rows {
    pub(crate) d: usize,
    pub(crate) values: Vec<f64>,
    pub(crate) sides: Vec<i8>,
}

impl Rows {
    pub(crate) fn row(&self, i: usize) -> &[f64] {
        &self.values[i * self.d..(i + 1) * self.d]
    }

    pub(crate) fn len(&self) -> usize {
        self.sides.len()
    }
}

/// Nearest points so far.
pub(crate) struct Nearest {
    /// Columns of Q, d + 2 numbers each.
    q: Vec<Vec<f64>>,
    /// Columns of R, the k-th with k + 1 numbers.
    r: Vec<Vec<f64>>,
    pub(crate) support: Vec<usize>,
    pub(crate) lambda: Vec<f64>,
    pub(crate) z: Vec<f64>,
}

impl Nearest {
    /// Starts with one row of either side.
    pub(crate) fn new(rows: &Rows, one: usize, zero: usize) -> Nearest {
        let mut nearest =
            Nearest { q: Vec::new(), r: Vec::new(), support: Vec::new(), lambda: Vec::new(), z: vec![0.0; rows.d] };
        // The lifted vectors differ in the side, so that both join.
        for i in [one, zero] {
            nearest.join(rows, i);
        }
        nearest.lambda = vec![1.0; nearest.support.len()];
        if let Some(combination) = nearest.best() {
            nearest.z = combination.1;
        }
        nearest
    }

    fn join(&mut self, rows: &Rows, i: usize) -> bool {
        let sign = f64::from(rows.sides[i]);
        let mut vector: Vec<f64> = rows.row(i).iter().map(|value| sign * value).collect();
        vector.extend(if sign > 0.0 { [1.0, 0.0] } else { [0.0, 1.0] });
        let before = dot(&vector, &vector).sqrt();
        let mut column = vec![0.0; self.q.len()];
        for _ in 0..2 {
            for (q, entry) in self.q.iter().zip(&mut column) {
                let part = dot(q, &vector);
                *entry += part;
                vector.iter_mut().zip(q).for_each(|(value, q)| *value -= part * q);
            }
        }
        let length = dot(&vector, &vector).sqrt();
        if !(length > OUTSIDE * before) {
            return false;
        }
        vector.iter_mut().for_each(|value| *value /= length);
        column.push(length);
        self.q.push(vector);
        self.r.push(column);
        self.support.push(i);
        self.lambda.push(0.0);
        true
    }

    /// Row `place` of the support leaves; rotations make R triangular again.
    fn leave(&mut self, place: usize) {
        self.r.remove(place);
        self.support.remove(place);
        self.lambda.remove(place);
        for c in place..self.r.len() {
            let (a, b) = (self.r[c][c], self.r[c][c + 1]);
            let length = a.hypot(b);
            let (cosine, sine) = if length > 0.0 { (a / length, b / length) } else { (1.0, 0.0) };
            for column in &mut self.r[c..] {
                let (a, b) = (column[c], column[c + 1]);
                (column[c], column[c + 1]) = (cosine * a + sine * b, cosine * b - sine * a);
            }
            self.r[c].truncate(c + 1);
            let (first, second) = self.q.split_at_mut(c + 1);
            for (a, b) in first[c].iter_mut().zip(&mut second[0]) {
                (*a, *b) = (cosine * *a + sine * *b, cosine * *b - sine * *a);
            }
        }
        self.q.pop();
    }

    /// λ and z of the best affine combination over the support.
    fn best(&self) -> Option<(Vec<f64>, Vec<f64>)> {
        let d = self.z.len();
        let [mut a, mut b, mut c] = [0.0; 3];
        for q in &self.q {
            (a, b, c) = (a + q[d] * q[d], b + q[d] * q[d + 1], c + q[d + 1] * q[d + 1]);
        }
        let determinant = a * c - b * b;
        let nu = [(c - b) / determinant, (a - b) / determinant];
        if !nu.iter().all(|value| value.is_finite()) {
            return None;
        }
        let mut lambda: Vec<f64> = self.q.iter().map(|q| nu[0] * q[d] + nu[1] * q[d + 1]).collect();
        let mut z = vec![0.0; d];
        for (q, &part) in self.q.iter().zip(&lambda) {
            z.iter_mut().zip(q).for_each(|(z, q)| *z += part * q);
        }
        for k in (0..lambda.len()).rev() {
            let value = lambda[k] / self.r[k][k];
            lambda[..k].iter_mut().zip(&self.r[k]).for_each(|(entry, r)| *entry -= r * value);
            lambda[k] = value;
        }
        lambda.iter().all(|value| value.is_finite()).then_some((lambda, z))
    }

    /// Moves λ to the best combination with λ > 0 of some of the support; `false` if the arithmetic is at its end.
    fn settle(&mut self) -> bool {
        loop {
            let Some((target, z)) = self.best() else { return false };
            let step = (self.lambda.iter().zip(&target))
                .enumerate()
                .filter(|(_, (_, target))| **target <= 0.0)
                .map(|(place, (now, target))| (now / (now - target), place))
                .min_by(|one, other| one.0.total_cmp(&other.0));
            let Some((step, blocking)) = step else {
                (self.lambda, self.z) = (target, z);
                return true;
            };
            let step = if step.is_finite() { step } else { 0.0 };
            self.lambda.iter_mut().zip(&target).for_each(|(now, target)| *now += step * (target - *now));
            self.lambda[blocking] = 0.0;
            for place in (0..self.lambda.len()).rev().filter(|&place| self.lambda[place] <= 0.0).collect::<Vec<_>>() {
                self.leave(place);
            }
            if self.support.len() < 2 {
                return false;
            }
        }
    }

    /// What z says of the rows it rests on: the smallest value on the side of 1, and the largest on the other.
    pub(crate) fn levels(&self, rows: &Rows) -> [f64; 2] {
        let mut levels = [f64::INFINITY, f64::NEG_INFINITY];
        for &i in &self.support {
            let value = dot(rows.row(i), &self.z);
            if rows.sides[i] > 0 {
                levels[0] = levels[0].min(value);
            } else {
                levels[1] = levels[1].max(value);
            }
        }
        levels
    }

    /// Nearest points of the hulls of all these rows, of which those before may have been fewer.
    pub(crate) fn solve(&mut self, rows: &Rows, stop: &dyn Fn() -> bool) {
        let mut square = f64::INFINITY;
        for _ in 0..50 * (rows.d + 20) {
            let now = dot(&self.z, &self.z);
            if !(now < square) || stop() {
                return;
            }
            square = now;
            let levels = self.levels(rows);
            let z = &self.z;
            let (violation, worst) = vectorized(
                #[inline(always)]
                || {
                    let mut worst = (0.0, 0);
                    for i in 0..rows.len() {
                        let value = dot(rows.row(i), z);
                        let violation = if rows.sides[i] > 0 { levels[0] - value } else { value - levels[1] };
                        if violation > worst.0 {
                            worst = (violation, i);
                        }
                    }
                    worst
                },
            );
            if violation <= VIOLATION * now || self.support.contains(&worst) || !self.join(rows, worst) {
                return;
            }
            let kept = (self.support.clone(), self.lambda.clone(), self.z.clone());
            if !self.settle() || !(dot(&self.z, &self.z) < now) {
                // Rounding: what was there before was better.
                self.again(rows, kept);
                return;
            }
        }
    }

    fn again(&mut self, rows: &Rows, (support, lambda, z): (Vec<usize>, Vec<f64>, Vec<f64>)) {
        (self.q, self.r, self.support) = (Vec::new(), Vec::new(), Vec::new());
        let kept: Vec<bool> = support.iter().map(|&i| self.join(rows, i)).collect();
        self.lambda = lambda.into_iter().zip(kept).filter(|entry| entry.1).map(|entry| entry.0).collect();
        self.z = z;
    }
}
