//! `max_{‖u‖≤1} uᵀQu + qᵀu`, exactly, by its dual: the least `λ + s` for which `[[λI − Q, −q/2], [−qᵀ/2, s]]` is positive
//! semidefinite and λ ≥ 0 (there is no gap: Moré & Sorensen, SIAM J. Sci. Stat. Comput. 1983).
//!
//! With Q = V diag(θ) Vᵀ and p = Vᵀq it is the minimum over λ ≥ max(θ, 0) of the convex `λ + ¼ Σ_i p_i²/(λ − θ_i)`; its slope is −∞
//! or negative at the left end, or the left end is the minimiser, and it is ≥ 0 at a distance of ‖q‖/2 from there.

use faer::{Mat, Side};

/// λ and s with `λ + s` larger than the least by `slack` at most (up to rounding); λI − Q and s are larger than needed by half the
/// slack each, so that rounding cannot make the matrix indefinite. `None` if Q or q is not finite.
pub(super) fn multipliers(matrix: &Mat<f64>, linear: &[f64], slack: f64) -> Option<(f64, f64)> {
    let order = linear.len();
    if order == 0 {
        return Some((0.5 * slack, 0.5 * slack));
    }
    let finite = |values: &[f64]| values.iter().all(|v| v.is_finite());
    if !finite(linear) || !(0..order).all(|j| finite(matrix.col_as_slice(j))) {
        return None;
    }
    let eigen = matrix.self_adjoint_eigen(Side::Lower).ok()?;
    let (vectors, values) = (eigen.U(), eigen.S().column_vector());
    let squares: Vec<f64> = (0..order)
        .map(|i| {
            let p: f64 = (0..order).map(|j| vectors[(j, i)] * linear[j]).sum();
            p * p
        })
        .collect();
    let base = (0..order).fold(0.0f64, |top, i| top.max(values[i]));
    let gaps: Vec<f64> = (0..order).map(|i| base - values[i]).collect();
    let slope = |x: f64| {
        let terms = squares.iter().zip(&gaps).filter(|(square, _)| **square > 0.0);
        1.0 - 0.25 * terms.map(|(square, gap)| square / ((x + gap) * (x + gap))).sum::<f64>()
    };
    let (mut low, mut high) = (0.0, 0.5 * squares.iter().sum::<f64>().sqrt());
    for _ in 0..200 {
        let middle = 0.5 * (low + high);
        if !(low < middle && middle < high) {
            break;
        }
        if slope(middle) < 0.0 { low = middle } else { high = middle }
    }
    let x = high + 0.5 * slack;
    let terms = squares.iter().zip(&gaps).filter(|(square, _)| **square > 0.0);
    let s = 0.25 * terms.map(|(square, gap)| square / (x + gap)).sum::<f64>() + 0.5 * slack;
    // The shift of the trust region's own slack is on λ; s was computed for the shifted λ, so it is smaller, and gets the rest.
    Some((base + x, s)).filter(|(lambda, s)| lambda.is_finite() && s.is_finite())
}

#[cfg(test)]
mod tests {
    use super::multipliers;
    use crate::moments::test_problems::Random;
    use faer::{Mat, Side};

    #[test]
    fn the_least_sum_is_the_maximum_on_the_ball() {
        let mut random = Random::new(3);
        for case in 0..200 {
            let order = 1 + case % 4;
            let half = Mat::from_fn(order, order, |_, _| random.normal());
            let mut matrix = &half + half.transpose();
            if case % 7 == 0 {
                matrix = Mat::from_fn(order, order, |i, j| if i == j { -1.0 - i as f64 } else { 0.0 });
            }
            let scale = if case % 5 == 0 { 0.0 } else { 10f64.powi(case as i32 % 9 - 4) };
            let linear: Vec<f64> = (0..order).map(|_| scale * random.normal()).collect();
            let value = |u: &[f64]| {
                let quadratic: f64 =
                    (0..order).map(|i| (0..order).map(|j| u[i] * matrix[(i, j)] * u[j]).sum::<f64>()).sum();
                quadratic + u.iter().zip(&linear).map(|(u, q)| u * q).sum::<f64>()
            };
            let (lambda, s) = multipliers(&matrix, &linear, 0.0).unwrap();
            let mut best = 0.0f64;
            for _ in 0..60 {
                let mut u: Vec<f64> = (0..order).map(|_| random.normal()).collect();
                // Projected ascent with a shift that makes the quadratic convex: every step is an improvement.
                for _ in 0..400 {
                    let shift = 30.0;
                    let mut next: Vec<f64> = (0..order)
                        .map(|i| {
                            2.0 * (0..order).map(|j| matrix[(i, j)] * u[j]).sum::<f64>() + linear[i] + shift * u[i]
                        })
                        .map(|v| v / shift)
                        .collect();
                    let norm = next.iter().map(|v| v * v).sum::<f64>().sqrt();
                    next.iter_mut().for_each(|v| *v /= norm.max(1.0));
                    u = next;
                }
                best = best.max(value(&u));
            }
            assert!(best <= lambda + s + 1e-9 * (1.0 + best.abs()), "case {case}: {best} {lambda} {s}");
            assert!(best >= lambda + s - 1e-5 * (1.0 + best.abs()), "case {case}: {best} {lambda} {s}");
            let slack = 1e-9 * (1.0 + lambda + s);
            let (lambda, s) = multipliers(&matrix, &linear, slack).unwrap();
            let whole = Mat::from_fn(order + 1, order + 1, |i, j| match (i < order, j < order) {
                (true, true) if i == j => lambda - matrix[(i, i)],
                (true, true) => -matrix[(i, j)],
                (false, false) => s,
                (true, false) => -0.5 * linear[i],
                (false, true) => -0.5 * linear[j],
            });
            assert!(whole.llt(Side::Lower).is_ok(), "case {case}");
        }
    }
}
