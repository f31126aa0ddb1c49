//! Rows on which a hidden unit has its kink: x_p·v = 0.
//!
//! With σ_p = b·α_p (b the unit's output direction), the objective contains `−σ_p relu(x_p·v)` to first order. Where σ_p < 0 this is
//! convex with a kink, on which a minimiser often lies; where σ_p > 0 it is concave and no local minimiser has its kink there. A unit v
//! on the kinks E is stationary for `β‖v‖ − Σ_p σ_p relu(x_p·v)` if
//!
//! ```text
//! g = Σ_{p∈E} μ_p x_p for some μ_p ∈ [min(σ_p, 0), 0],    g = β v/‖v‖ − Σ_{x_p·v>0} σ_p x_p
//! ```
//!
//! and otherwise the residual r of the nearest such sum is the subgradient of smallest norm, −r the direction of steepest descent, along
//! which rows with μ_p = σ_p become active, those with μ_p = 0 inactive, and the others stay on their kinks. The nearest sum is a
//! least-squares problem with bounds (Stark & Parker, *Bounded-variable least-squares*, Computational Statistics 1995).

use infimum_rigor::vectorized;

use super::columns::{Columns, add_scaled, dot, norm};

/// Rows whose part outside the span of others is below this share are taken to be in it.
const DEPENDENT: f64 = 1e-10;
/// Changes of the free set after which the multipliers are taken as they are.
const CHANGES: usize = 60;

/// Rows on whose kinks a unit lies.
#[derive(Debug, Clone, Default)]
pub(super) struct Kinks {
    /// The rows.
    pub(super) rows: Vec<u32>,
    /// Orthonormal basis of their span, rank × D.
    basis: Vec<f64>,
}

/// Result of the least-squares problem.
pub(super) struct Multipliers {
    /// r, D entries.
    pub(super) residual: Vec<f64>,
    /// For each row −1 (μ = 0: leave to the inactive side), 0 (stay), 1 (μ = σ: leave to the active side).
    pub(super) sides: Vec<i8>,
}

impl Kinks {
    /// Dimension of the rows' span.
    pub(super) fn rank(&self, dimension: usize) -> usize {
        self.basis.len() / dimension.max(1)
    }

    /// Adds a row.
    pub(super) fn push(&mut self, columns: &Columns, p: usize) {
        if self.rows.contains(&(p as u32)) {
            return;
        }
        self.rows.push(p as u32);
        extend(&mut self.basis, columns, p);
    }

    /// The same rows without some.
    pub(super) fn retain(&mut self, columns: &Columns, keep: impl Fn(usize) -> bool) {
        let rows = std::mem::take(&mut self.rows);
        self.basis.clear();
        for (_, row) in rows.into_iter().enumerate().filter(|(e, _)| keep(*e)) {
            self.push(columns, row as usize);
        }
    }

    /// Keeps the rows that are kinks of another unit as well.
    pub(super) fn retain_common(&mut self, columns: &Columns, other: &Kinks) {
        let common: Vec<bool> = self.rows.iter().map(|row| other.rows.contains(row)).collect();
        self.retain(columns, |e| common[e]);
    }

    /// Takes out of `u` its part in the rows' span.
    pub(super) fn project(&self, u: &mut [f64]) {
        remove(&self.basis, u);
    }

    /// Orthonormal basis of the directions in which no kink is left, (D − rank) × D.
    pub(super) fn complement(&self, dimension: usize) -> Vec<f64> {
        if self.basis.is_empty() {
            return (0..dimension * dimension).map(|e| f64::from(u8::from(e / dimension == e % dimension))).collect();
        }
        let rank = self.rank(dimension);
        let mut all = self.basis.clone();
        // The axes that are farthest from the span first: each adds one direction.
        let mut order: Vec<(f64, usize)> =
            (0..dimension).map(|j| (self.basis.chunks_exact(dimension).map(|q| q[j] * q[j]).sum::<f64>(), j)).collect();
        order.sort_by(|a, b| a.0.total_cmp(&b.0));
        for (_, j) in order {
            if all.len() == dimension * dimension {
                break;
            }
            let mut axis = vec![0.0; dimension];
            axis[j] = 1.0;
            push_direction(&mut all, axis, 1e-7);
        }
        all.split_off(rank * dimension)
    }

    /// Solves `min ‖g − Σ μ_p x_p‖` with `μ_p ∈ [min(σ_p, 0), 0]` over the rows.
    pub(super) fn multipliers(&self, columns: &Columns, g: &[f64], sigma: &[f64]) -> Multipliers {
        let count = self.rows.len();
        let points: Vec<Vec<f64>> = self.rows.iter().map(|&p| columns.point(p as usize).collect()).collect();
        let low: Vec<f64> = self.rows.iter().map(|&p| sigma[p as usize].min(0.0)).collect();
        let mut mu: Vec<f64> = low.iter().map(|low| 0.5 * low).collect();
        let mut sides = vec![0i8; count];
        let mut residual = g.to_vec();
        for e in 0..count {
            if low[e] == 0.0 {
                sides[e] = -1;
            }
        }
        for _ in 0..CHANGES {
            residual_of(g, &points, &mu, &mut residual);
            let free: Vec<usize> = (0..count).filter(|&e| sides[e] == 0).collect();
            let change = least_squares(&points, &free, &residual);
            // The longest part of the way that stays in the bounds.
            let (mut length, mut blocking) = (1.0, None);
            for (&e, &change) in free.iter().zip(&change) {
                let room = if change > 0.0 { -mu[e] } else { low[e] - mu[e] };
                if change != 0.0 && room / change < length {
                    (length, blocking) = ((room / change).max(0.0), Some((e, if change > 0.0 { -1 } else { 1 })));
                }
            }
            free.iter().zip(&change).for_each(|(&e, change)| mu[e] = (mu[e] + length * change).clamp(low[e], 0.0));
            if let Some((e, side)) = blocking {
                mu[e] = if side < 0 { 0.0 } else { low[e] };
                sides[e] = side;
                continue;
            }
            residual_of(g, &points, &mu, &mut residual);
            // A bound whose row would gain by leaving it.
            let scale = norm(g).max(f64::MIN_POSITIVE);
            let worst = (0..count)
                .filter(|&e| sides[e] != 0 && low[e] < 0.0)
                .map(|e| (dot(&points[e], &residual) / columns.norms[self.rows[e] as usize].max(f64::MIN_POSITIVE), e))
                .map(|(slope, e)| (if sides[e] < 0 { -slope } else { slope }, e))
                .max_by(|a, b| a.0.total_cmp(&b.0));
            match worst {
                Some((slope, e)) if slope > 1e-13 * scale => sides[e] = 0,
                _ => break,
            }
        }
        residual_of(g, &points, &mu, &mut residual);
        Multipliers { residual, sides }
    }
}

/// `g − Σ μ x`.
fn residual_of(g: &[f64], points: &[Vec<f64>], mu: &[f64], out: &mut [f64]) {
    out.copy_from_slice(g);
    for (point, mu) in points.iter().zip(mu) {
        out.iter_mut().zip(point).for_each(|(r, x)| *r -= mu * x);
    }
}

/// Coefficients of the free points in the projection of `target` onto their span, by modified Gram–Schmidt; 0 for dependent points.
fn least_squares(points: &[Vec<f64>], free: &[usize], target: &[f64]) -> Vec<f64> {
    let mut basis: Vec<Vec<f64>> = Vec::new();
    let mut used = Vec::new();
    let mut triangle: Vec<Vec<f64>> = Vec::new();
    for (place, &e) in free.iter().enumerate() {
        let mut q = points[e].clone();
        let length = norm(&q);
        let mut coefficients = vec![0.0; basis.len()];
        for _ in 0..2 {
            for (q_before, coefficient) in basis.iter().zip(&mut coefficients) {
                let share = dot(q_before, &q);
                *coefficient += share;
                q.iter_mut().zip(q_before).for_each(|(q, before)| *q -= share * before);
            }
        }
        let rest = norm(&q);
        if rest > DEPENDENT * length {
            q.iter_mut().for_each(|q| *q /= rest);
            coefficients.push(rest);
            basis.push(q);
            triangle.push(coefficients);
            used.push(place);
        }
    }
    let mut right: Vec<f64> = basis.iter().map(|q| dot(q, target)).collect();
    let mut solution = vec![0.0; free.len()];
    for column in (0..used.len()).rev() {
        let value = right[column] / triangle[column][column];
        solution[used[column]] = value;
        for row in 0..column {
            right[row] -= triangle[column][row] * value;
        }
    }
    solution
}

/// Takes out of `u` its part in the span of the orthonormal `basis`.
fn remove(basis: &[f64], u: &mut [f64]) {
    for _ in 0..2 {
        for q in basis.chunks_exact(u.len()) {
            let share = dot(q, u);
            u.iter_mut().zip(q).for_each(|(u, q)| *u -= share * q);
        }
    }
}

/// Adds the direction of `u` outside the span, unless less than `least` of it is outside.
fn push_direction(basis: &mut Vec<f64>, mut u: Vec<f64>, least: f64) {
    let length = norm(&u);
    remove(basis, &mut u);
    let rest = norm(&u);
    if rest > least * length {
        basis.extend(u.iter().map(|u| u / rest));
    }
}

fn extend(basis: &mut Vec<f64>, columns: &Columns, p: usize) {
    push_direction(basis, columns.point(p).collect(), DEPENDENT);
}

/// The first time at which a row with σ_p < 0 comes to its kink; infinite if none does.
fn first_crossing(t: &[f64], speed: &[f64], sigma: &[f64]) -> f64 {
    const LANES: usize = 8;
    let n = t.len();
    let (speed, sigma) = (&speed[..n], &sigma[..n]);
    let time = |p: usize| if sigma[p] < 0.0 && t[p] * speed[p] < 0.0 { -t[p] / speed[p] } else { f64::INFINITY };
    let whole = n - n % LANES;
    let mut lanes = vectorized(
        #[inline(always)]
        || {
            let mut lanes = [f64::INFINITY; LANES];
            let mut p = 0;
            while p < whole {
                for lane in 0..LANES {
                    let (t, speed, sigma) = (t[p + lane], speed[p + lane], sigma[p + lane]);
                    let crossing = -t / speed;
                    let crossing = if sigma < 0.0 { crossing } else { f64::INFINITY };
                    let crossing = if t * speed < 0.0 { crossing } else { f64::INFINITY };
                    lanes[lane] = if crossing < lanes[lane] { crossing } else { lanes[lane] };
                }
                p += LANES;
            }
            lanes
        },
    );
    (whole..n).for_each(|p| lanes[0] = lanes[0].min(time(p)));
    lanes.into_iter().fold(f64::INFINITY, f64::min)
}

/// Moves a unit from `v`, where `t = X v`, along `direction` for the time 1, and along what is left of the direction in the kinks it meets:
/// it does not cross a row with σ_p < 0. Rows of the kinks have t = 0. Whether a kink was met.
pub(super) fn bend(
    columns: &Columns,
    v: &mut [f64],
    t: &mut [f64],
    direction: &mut [f64],
    sigma: &[f64],
    kinks: &mut Kinks,
    mut time: f64,
) -> bool {
    let mut speed = vec![0.0; t.len()];
    let mut met = false;
    for _ in 0..4 * v.len() + 4 {
        columns.project(direction, &mut speed);
        let passed = first_crossing(t, &speed, sigma).min(time);
        v.iter_mut().zip(&*direction).for_each(|(v, direction)| *v += passed * direction);
        if passed < time {
            for p in 0..t.len() {
                if sigma[p] < 0.0 && t[p] * speed[p] < 0.0 && -t[p] / speed[p] <= passed {
                    kinks.push(columns, p);
                }
            }
        }
        add_scaled(&speed, passed, t);
        if !(passed < time) {
            break;
        }
        time -= passed;
        met = true;
        kinks.project(direction);
        // Rows of the kinks, and others in their span, stay where they are.
        kinks.rows.iter().for_each(|&row| t[row as usize] = 0.0);
        if !(time > 0.0) || norm(direction) == 0.0 {
            break;
        }
    }
    kinks.project(v);
    met
}
