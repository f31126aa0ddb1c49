//! Multipliers for a given w without Newton's systems, for many columns or rows: Frank & Wolfe's method (Naval Res. Logist. 1956) on the maximum
//! over moments (u, U), a concave function whose dual is theorem 3 with g = 0:
//!
//! ```text
//! max ½ Σ_p w_p x_p·u + ½ Σ_{w_p > 0} w_p sqrt(x_pᵀUx_p) − ½ Σ_{w_p < 0} |w_p||x_p·u|,     tr U ≤ 1, U ⪰ uuᵀ
//! ```
//!
//! Its gradient at (u, U) has the form `uᵀQu + qᵀu` with τ_p = sqrt(x_pᵀUx_p) and σ_p, the slope of |x_p·u| where w_p < 0, and the maximiser of
//! that on the ball is the next corner. Every step's multipliers are a bound. |x·u| is smoothed near 0, where its slope jumps. Memory: a few
//! numbers for each row, and a matrix of order D.

use super::blocks::dot;
use super::bound::{Multipliers, quadratic};
use super::trust_region::Ball;
use crate::Points;

/// Multipliers after each of at most `steps` steps go to `each`.
pub(super) fn multipliers(
    points: &Points,
    w: &[f64],
    steps: usize,
    stop: &(dyn Fn() -> bool + Sync),
    each: &mut dyn FnMut(&Multipliers),
) {
    let (m, d) = (points.len(), points.dimension);
    let norm = |p: usize| dot(points.point(p), points.point(p)).sqrt();
    let norms: Vec<f64> = (0..m).map(norm).collect();
    // x·u and xᵀUx for U = I/D.
    let mut line = vec![0.0; m];
    let mut square: Vec<f64> = norms.iter().map(|norm| norm * norm / d as f64).collect();
    for step in 0..steps {
        if stop() {
            return;
        }
        let smooth = 0.1 / (1.0 + step as f64);
        let mut out = Multipliers { tau: vec![1.0; m], g: Vec::new(), sigma: vec![0.0; m] };
        let mut weights = vec![0.0; m];
        let mut linear = vec![0.0; d];
        for p in (0..m).filter(|&p| norms[p] > 0.0) {
            out.tau[p] = square[p].sqrt().max(1e-6 * norms[p]);
            if w[p] < 0.0 {
                out.sigma[p] = -0.5 * w[p] * (line[p] / (smooth * norms[p])).clamp(-1.0, 1.0);
            }
            weights[p] = 0.25 * w[p].max(0.0) / out.tau[p];
            linear.iter_mut().zip(points.point(p)).for_each(|(q, x)| *q += (0.5 * w[p] - out.sigma[p]) * x);
        }
        each(&out);
        let Some(ball) = Ball::new(&quadratic(points, &weights, &[]), &linear) else { return };
        let corner = ball.maximiser();
        let share = 2.0 / (step as f64 + 3.0);
        for p in 0..m {
            let t = dot(points.point(p), &corner);
            line[p] += share * (t - line[p]);
            square[p] += share * (t * t - square[p]);
        }
    }
}
