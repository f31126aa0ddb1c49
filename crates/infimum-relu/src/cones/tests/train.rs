//! Dual points for tests: the weights w of the squared loss at (nearly) the optimum over all widths, by column
//! generation.
//!
//! `max ½‖y‖² − ½‖y − ν‖²` subject to `±ν·φ(u) ≤ β` for the neurons u found so far, by the non-negative least squares
//! method of Lawson and Hanson on its dual; then local ascents from random points and from the active neurons find
//! violated constraints.

use super::oracle::value;
use crate::Points;
use crate::cones::{Request, bound_over_cones};

/// A generator of numbers for tests: xorshift.
pub(super) struct Random(pub(super) u64);

impl Random {
    /// Uniform in [−1, 1).
    pub(super) fn uniform(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    }

    /// About normal.
    pub(super) fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.uniform()).sum::<f64>() / 2.0
    }
}

fn normalized(mut u: Vec<f64>) -> Vec<f64> {
    let length = u.iter().map(|x| x * x).sum::<f64>().sqrt();
    u.iter_mut().for_each(|x| *x /= length);
    u
}

/// A local maximum of `Σ w_p relu(x_p·u)`.
pub(super) fn ascend(points: &Points, w: &[f64], start: Vec<f64>) -> (Vec<f64>, f64) {
    let mut u = normalized(start);
    let mut best = value(points, w, &u);
    for _ in 0..200 {
        let mut g = vec![0.0; points.dimension];
        for p in 0..points.len() {
            let x = points.point(p);
            if x.iter().zip(&u).map(|(x, u)| x * u).sum::<f64>() > 0.0 {
                g.iter_mut().zip(x).for_each(|(g, x)| *g += w[p] * x);
            }
        }
        if g.iter().all(|&x| x == 0.0) {
            break;
        }
        let mut step = 1.0;
        let next = loop {
            let size = g.iter().map(|x| x * x).sum::<f64>().sqrt();
            let trial = normalized(u.iter().zip(&g).map(|(u, g)| (1.0 - step) * u + step * g / size).collect());
            let at = value(points, w, &trial);
            if at > best {
                break Some((trial, at));
            }
            step *= 0.5;
            if step < 1e-6 {
                break None;
            }
        };
        let Some((trial, at)) = next else { break };
        (u, best) = (trial, at);
    }
    (u, best)
}

/// ν for `½‖f − y‖² + β Σ|a_j|`, such that `max ±Σ ν_p relu(x_p·u)` is about β; and that objective.
pub(super) fn dual_point(points: &Points, y: &[f64], beta: f64, rounds: usize, starts: usize) -> (Vec<f64>, f64) {
    let m = points.len();
    let mut random = Random(88172645463325252);
    let mut columns: Vec<(Vec<f64>, Vec<f64>)> = Vec::new();
    let mut active: Vec<f64> = Vec::new();
    let mut nu = y.to_vec();
    for _ in 0..rounds {
        let mut added: Vec<(Vec<f64>, Vec<f64>)> = Vec::new();
        let mut seeds: Vec<Vec<f64>> =
            (0..starts).map(|_| (0..points.dimension).map(|_| random.normal()).collect()).collect();
        seeds.extend(columns.iter().zip(&active).filter(|(_, a)| **a > 0.0).map(|(column, _)| column.0.clone()));
        for seed in seeds {
            for sign in [1.0, -1.0] {
                let w: Vec<f64> = nu.iter().map(|&nu| sign * nu).collect();
                let (u, at) = ascend(points, &w, seed.clone());
                let close = |other: &Vec<f64>| other.iter().zip(&u).map(|(a, b)| (a - b).powi(2)).sum::<f64>() < 1e-12;
                if at > beta * (1.0 + 1e-11) && !added.iter().any(|other| close(&other.0)) {
                    let phi = (0..m)
                        .map(|p| sign * points.point(p).iter().zip(&u).map(|(x, u)| x * u).sum::<f64>().max(0.0))
                        .collect();
                    added.push((u, phi));
                }
            }
        }
        if added.is_empty() {
            // The ascents find nothing: the search itself.
            for sign in [1.0, -1.0] {
                let w: Vec<f64> = nu.iter().map(|&nu| sign * nu).collect();
                let limit = beta * (1.0 + 1e-8);
                let request = Request {
                    points,
                    w: &w,
                    errors: &[],
                    target: limit,
                    refute: limit,
                    threads: 1,
                    nodes: 50_000,
                    stop: &|| false,
                };
                if let Some(answer) = bound_over_cones(&request).filter(|answer| answer.best.1 > limit) {
                    let u = answer.best.0;
                    let phi = (0..m)
                        .map(|p| sign * points.point(p).iter().zip(&u).map(|(x, u)| x * u).sum::<f64>().max(0.0))
                        .collect();
                    added.push((u, phi));
                }
            }
        }
        if added.is_empty() {
            break;
        }
        let kept: Vec<bool> = active.iter().map(|&a| a > 0.0).collect();
        let mut keep = kept.iter();
        columns.retain(|_| *keep.next().unwrap_or(&true));
        active.retain(|&a| a > 0.0);
        active.resize(columns.len() + added.len(), 0.0);
        columns.extend(added);
        nonnegative(&columns, y, beta, &mut active);
        nu = y.to_vec();
        for (column, &a) in columns.iter().zip(&active) {
            nu.iter_mut().zip(&column.1).for_each(|(nu, phi)| *nu -= a * phi);
        }
    }
    let fit: f64 = nu.iter().map(|nu| 0.5 * nu * nu).sum();
    (nu, fit + beta * active.iter().sum::<f64>())
}

/// `min ½‖Φa − y‖² + β Σ a` over a ≥ 0 (Lawson & Hanson).
fn nonnegative(columns: &[(Vec<f64>, Vec<f64>)], y: &[f64], beta: f64, a: &mut [f64]) {
    let n = columns.len();
    let dot = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f64>();
    let gram: Vec<Vec<f64>> = (0..n).map(|i| (0..n).map(|j| dot(&columns[i].1, &columns[j].1)).collect()).collect();
    let right: Vec<f64> = (0..n).map(|i| dot(&columns[i].1, y) - beta).collect();
    let mut set: Vec<usize> = (0..n).filter(|&i| a[i] > 0.0).collect();
    for _ in 0..20 * n {
        loop {
            if set.is_empty() {
                break;
            }
            let solution = solve(&gram, &right, &set);
            if solution.iter().all(|&x| x > 0.0) {
                a.fill(0.0);
                set.iter().zip(&solution).for_each(|(&i, &x)| a[i] = x);
                break;
            }
            let step = set
                .iter()
                .zip(&solution)
                .filter(|(_, x)| **x <= 0.0)
                .map(|(&i, &x)| if a[i] > 0.0 { a[i] / (a[i] - x) } else { 0.0 })
                .fold(1.0, f64::min);
            for (&i, &x) in set.iter().zip(&solution) {
                a[i] += step * (x - a[i]);
                if a[i] <= 1e-13 || (step == 0.0 && x <= 0.0) {
                    a[i] = 0.0;
                }
            }
            set.retain(|&i| a[i] > 0.0);
        }
        let slope = |i: usize| right[i] - (0..n).map(|j| gram[i][j] * a[j]).sum::<f64>();
        let next = (0..n).filter(|i| !set.contains(i)).map(|i| (slope(i), i)).max_by(|x, y| x.0.total_cmp(&y.0));
        match next {
            Some((slope, i)) if slope > 1e-12 * beta => {
                set.push(i);
                a[i] = 1e-12;
            }
            _ => break,
        }
    }
}

fn solve(gram: &[Vec<f64>], right: &[f64], set: &[usize]) -> Vec<f64> {
    let n = set.len();
    let mut factor = vec![vec![0.0f64; n]; n];
    let mut x: Vec<f64> = set.iter().map(|&i| right[i]).collect();
    for i in 0..n {
        for j in 0..=i {
            let rest = gram[set[i]][set[j]] - (0..j).map(|k| factor[i][k] * factor[j][k]).sum::<f64>();
            let floor = 1e-14 * gram[set[i]][set[i]];
            factor[i][j] = if i == j { rest.max(floor).sqrt() } else { rest / factor[j][j] };
        }
        x[i] = (x[i] - (0..i).map(|k| factor[i][k] * x[k]).sum::<f64>()) / factor[i][i];
    }
    for i in (0..n).rev() {
        x[i] = (x[i] - (i + 1..n).map(|k| factor[k][i] * x[k]).sum::<f64>()) / factor[i][i];
    }
    x
}
