//! Theorem 3: the bound from moments of order up to two.
//!
//! Every number that only has to be large enough (r_p ≥ ‖g_p‖, c_p ≥ w_p/2 + r_p + |σ_p|, ω_p ≥ c_p/τ_p) is rounded up once and is exact from there
//! on, so that only the sums over the rows are enclosures.

use infimum_problem::Moments;
use infimum_rigor::{Interval, Sum, is_positive_semidefinite, outer_products};
use rayon::prelude::*;

use super::points::Points;
use super::steps::sum_up;

/// Orders of the matrix beyond which checking would take more memory than can be meant (a gigabyte here).
pub(super) const MOST_ORDER: usize = 8_192;

pub(super) const UNIT: f64 = f64::EPSILON / 2.0;

/// Whether the multipliers prove `Σ_p w_p relu(x_p·u) ≤ bound` for ‖u‖ ≤ 1; the error says what is missing.
pub(super) fn proves(points: &Points, w: &[f64], multipliers: &Moments, bound: f64) -> Result<(), String> {
    let (m, d) = (points.len(), points.dimension());
    well_formed(multipliers, m, d)?;
    let Moments { tau, g, sigma, lambda, s } = multipliers;
    let c: Vec<f64> = (0..m)
        .into_par_iter()
        .map(|p| {
            let own = if g.is_empty() { 0.0 } else { norm(&g[p * d..(p + 1) * d]) };
            let half = (Interval::point(0.5) * Interval::point(w[p])).upper;
            sum_up(sum_up(half, own), sigma[p].abs()).max(0.0)
        })
        .collect();
    let mut total = Sum::new();
    c.iter().zip(tau).for_each(|(&c, &tau)| total.add_product(c, tau));
    let half = Interval::point(0.5) * Interval::point(total.enclose().upper);
    let proven = sum_up(sum_up(*lambda, *s), half.upper);
    if !(proven <= bound) {
        return Err(format!("λ + s + ½ Σ c τ is {proven:e}, the bound is {bound:e}"));
    }
    let order = d + 1;
    let (square, linear) = (quadratic(points, &c, tau, g), linear(points, w, sigma));
    let mut entries = vec![Interval::ZERO; order * order];
    for i in 0..d {
        for j in 0..=i {
            let identity = if i == j { Interval::point(*lambda) } else { Interval::ZERO };
            entries[i * order + j] = identity - square(i, j);
        }
        entries[d * order + i] = -(Interval::point(0.5) * linear[i]);
    }
    entries[d * order + d] = Interval::point(*s);
    if is_positive_semidefinite(order, &entries) {
        Ok(())
    } else {
        Err(format!("the matrix of order {order} is not proven positive semidefinite"))
    }
}

fn well_formed(multipliers: &Moments, m: usize, d: usize) -> Result<(), String> {
    let Moments { tau, g, sigma, lambda, s } = multipliers;
    if tau.len() != m || sigma.len() != m || !(g.is_empty() || m.checked_mul(d) == Some(g.len())) {
        let got = format!("{} τ, {} σ and {} g", tau.len(), sigma.len(), g.len());
        return Err(format!("{got}, expected {m}, {m} and 0 or {m}·{d}"));
    }
    if d >= MOST_ORDER {
        return Err(format!("rows of {d} numbers are too long for a bound by moments"));
    }
    if let Some(p) = tau.iter().position(|&tau| !(tau > 0.0 && tau.is_finite())) {
        return Err(format!("τ of distinct row {} is {}, expected a finite number > 0", p + 1, tau[p]));
    }
    let finite = sigma.iter().all(|value| value.is_finite()) && g.iter().all(|value| value.is_finite());
    if !(finite && s.is_finite() && lambda.is_finite() && *lambda >= 0.0) {
        return Err("finite numbers and λ ≥ 0 expected".into());
    }
    Ok(())
}

/// A number that ‖g‖ does not exceed. Squares of singles are exact in doubles; n − 1 additions are off by a factor (1 + u)^(n−1) at most.
pub(super) fn norm(g: &[f32]) -> f64 {
    let squares: f64 = g.iter().map(|&g| f64::from(g) * f64::from(g)).sum();
    (squares * (1.0 + 2.0 * (g.len() + 4) as f64 * UNIT)).sqrt() * (1.0 + 4.0 * UNIT)
}

/// Enclosures of Q, entries (i, j) with j ≤ i. With h = ω x − 2 g it is `¼ Σ (x hᵀ + h xᵀ)`, and `½ Σ x hᵀ` where g = 0.
fn quadratic(points: &Points, c: &[f64], tau: &[f64], g: &[f32]) -> impl Fn(usize, usize) -> Interval + use<> {
    let (m, d, plain) = (points.len(), points.dimension(), g.is_empty());
    let quotient = |(&c, &tau)| Interval::point(c).divide_by_positive(Interval::point(tau)).upper;
    let omega: Vec<f64> = c.iter().zip(tau).map(quotient).collect();
    let nothing = omega.iter().all(|&omega| omega == 0.0) && g.iter().all(|&g| g == 0.0);
    // Each h is rounded once, as `outer_products` allows: −2g is exact.
    let products = outer_products(if nothing { 0 } else { m }, d, plain, |p, x, h| {
        points.fill(p, x);
        for j in 0..d {
            h[j] = if plain { omega[p] * x[j] } else { omega[p].mul_add(x[j], -2.0 * f64::from(g[p * d + j])) };
        }
    });
    move |i, j| {
        let (one, other) = (products[i * d + j], products[j * d + i]);
        if plain { Interval::point(0.5) * one } else { Interval::point(0.25) * (one + other) }
    }
}

/// Enclosures of `q = ½ Σ w_p x_p − Σ σ_p x_p`.
fn linear(points: &Points, w: &[f64], sigma: &[f64]) -> Vec<Interval> {
    let mut sums = vec![Sum::new(); points.dimension()];
    let mut x = vec![0.0; points.dimension()];
    for p in 0..points.len() {
        points.fill(p, &mut x);
        for (sum, &x) in sums.iter_mut().zip(&x) {
            // Halves of the smallest numbers are not exact: twice q is what is summed.
            sum.add_product(w[p], x);
            sum.add_product(-2.0 * sigma[p], x);
        }
    }
    sums.iter().map(|sum| Interval::point(0.5) * sum.enclose()).collect()
}
