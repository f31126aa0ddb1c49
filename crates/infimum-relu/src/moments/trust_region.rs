//! `max_{‖u‖≤1} uᵀQu + qᵀu`, exactly, by its dual: the least `λ + s` for which `[[λI − Q, −q/2], [−qᵀ/2, s]]` is positive
//! semidefinite and λ ≥ 0 (there is no gap: Moré & Sorensen, SIAM J. Sci. Stat. Comput. 1983).
//!
//! With Q = V diag(θ) Vᵀ and p = Vᵀq it is the minimum over λ ≥ max(θ, 0) of the convex `λ + ¼ Σ_i p_i²/(λ − θ_i)`; its slope is −∞
//! or negative at the left end, or the left end is the minimiser, and it is ≥ 0 at a distance of ‖q‖/2 from there.

use faer::{Mat, Side};

/// Q in the basis of its eigenvectors.
pub(super) struct Ball {
    /// max(θ, 0) and its distances from every θ_i.
    base: f64,
    gaps: Vec<f64>,
    /// p_i².
    squares: Vec<f64>,
    /// p and V.
    linear: Vec<f64>,
    vectors: Mat<f64>,
}

impl Ball {
    /// `None` if Q or q is not finite.
    pub(super) fn new(matrix: &Mat<f64>, linear: &[f64]) -> Option<Ball> {
        let order = linear.len();
        let finite = |values: &[f64]| values.iter().all(|v| v.is_finite());
        if !finite(linear) || !(0..order).all(|j| finite(matrix.col_as_slice(j))) {
            return None;
        }
        if order == 0 {
            return Some(Ball {
                base: 0.0,
                gaps: Vec::new(),
                squares: Vec::new(),
                linear: Vec::new(),
                vectors: Mat::zeros(0, 0),
            });
        }
        let eigen = matrix.self_adjoint_eigen(Side::Lower).ok()?;
        let (vectors, values) = (eigen.U(), eigen.S().column_vector());
        let product = |i: usize| (0..order).map(|j| vectors[(j, i)] * linear[j]).sum::<f64>();
        let products: Vec<f64> = (0..order).map(product).collect();
        let base = (0..order).fold(0.0f64, |top, i| top.max(values[i]));
        let gaps = (0..order).map(|i| base - values[i]).collect();
        let squares = products.iter().map(|p| p * p).collect();
        Some(Ball { base, gaps, squares, linear: products, vectors: vectors.to_owned() })
    }

    /// The maximiser: `½ (λI − Q)⁻¹ q`, and where that is shorter than 1 though λ > 0, as much of the top eigenvector as makes it a unit vector.
    pub(super) fn maximiser(&self) -> Vec<f64> {
        let x = self.distance();
        let part = |(p, gap): (&f64, &f64)| if *p == 0.0 { 0.0 } else { 0.5 * p / (x + gap).max(f64::MIN_POSITIVE) };
        let mut parts: Vec<f64> = self.linear.iter().zip(&self.gaps).map(part).collect();
        let rest = 1.0 - parts.iter().map(|v| v * v).sum::<f64>();
        if self.base > 0.0
            && rest > 0.0
            && let Some(top) = (0..parts.len()).find(|&i| self.gaps[i] == 0.0)
        {
            parts[top] += rest.sqrt() * if parts[top] < 0.0 { -1.0 } else { 1.0 };
        }
        let norm = parts.iter().map(|v| v * v).sum::<f64>().sqrt().max(1.0);
        let order = parts.len();
        (0..order).map(|j| (0..order).map(|i| self.vectors[(j, i)] * parts[i]).sum::<f64>() / norm).collect()
    }

    /// λ and s whose sum is larger than the least by `slack` at most, up to rounding: half of it is added to the minimising λ, for which s
    /// is computed, and half of it to s. `None` if they are not finite.
    pub(super) fn multipliers(&self, slack: f64) -> Option<(f64, f64)> {
        let x = self.distance() + 0.5 * slack;
        let (lambda, s) = (self.base + x, 0.25 * self.sum(|square, gap| square / (x + gap)) + 0.5 * slack);
        (lambda.is_finite() && s.is_finite()).then_some((lambda, s))
    }

    /// λ − max(θ, 0) of the minimiser.
    fn distance(&self) -> f64 {
        let (mut low, mut high) = (0.0, 0.5 * self.squares.iter().sum::<f64>().sqrt());
        for _ in 0..200 {
            let middle = 0.5 * (low + high);
            if !(low < middle && middle < high) {
                break;
            }
            let slope = 1.0 - 0.25 * self.sum(|square, gap| square / ((middle + gap) * (middle + gap)));
            if slope < 0.0 { low = middle } else { high = middle }
        }
        high
    }

    fn sum(&self, term: impl Fn(f64, f64) -> f64) -> f64 {
        let parts = self.squares.iter().zip(&self.gaps).filter(|(square, _)| **square > 0.0);
        parts.map(|(&square, &gap)| term(square, gap)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::Ball;
    use crate::test_problems::Random;
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
            let (lambda, s) = Ball::new(&matrix, &linear).unwrap().multipliers(0.0).unwrap();
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
            let (lambda, s) = Ball::new(&matrix, &linear).unwrap().multipliers(slack).unwrap();
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
