//! How the outputs of a network are made of blocks, and what a row's objective is to second order.
//!
//! With one hidden layer an output is `f = h₊ − h₋`, where h_b = ‖x‖(x·u + s)/2 is the row's mean of relu in block b. With more layers (docs/deep.md) the
//! dual has for each output two signs, for each of these the weights `w⁺ − v` (whole) and `v` (rest) with 0 ≤ v ≤ w⁻, and each weighted sum of relu is at
//! most β. For a row whose w has the sign σ (its side, chosen beforehand) this is the dual of
//!
//! ```text
//! L(σ(η − q)),   q ≥ 0,  q ≥ δ,      η = h of the whole of sign σ,   δ = (h of the whole − h of the rest) of sign −σ
//! ```
//!
//! with the multiplier v of q ≥ δ, and |w| − v of q ≥ 0: so w keeps its side. q is the row's tie, with the barrier `−ln q − ln(q − δ)`.

/// Which blocks an output has.
#[derive(Debug, Clone)]
pub(crate) enum Layers {
    /// One hidden layer: a block for each sign.
    One,
    /// More: whole and rest of w, whole and rest of −w; `sides` has σ of each point and output.
    More { sides: Vec<f64> },
}

/// Largest number of blocks of an output.
pub(super) const MOST_BLOCKS: usize = 4;

impl Layers {
    /// Blocks of one output.
    pub(super) fn blocks(&self) -> usize {
        match self {
            Layers::One => 2,
            Layers::More { .. } => MOST_BLOCKS,
        }
    }

    /// σ, where there are ties.
    pub(super) fn side(&self, entry: usize) -> Option<f64> {
        match self {
            Layers::One => None,
            Layers::More { sides } => Some(sides[entry]),
        }
    }

    /// Whether block `block` of its output counts for an entry (point and output), in η (0) or in δ (1), and with which sign.
    pub(super) fn role(&self, block: usize, entry: usize) -> Option<(usize, f64)> {
        match self.side(entry) {
            None => Some((0, if block == 0 { 1.0 } else { -1.0 })),
            Some(side) => match (block.is_multiple_of(2), (block < 2) == (side > 0.0)) {
                (true, true) => Some((0, 1.0)),
                (true, false) => Some((1, 1.0)),
                (false, false) => Some((1, -1.0)),
                (false, true) => None,
            },
        }
    }
}

/// A quadratic model of one row's part of Φ in (η, δ) and its tie: H over (η, δ) with the tie minimised out, and the tie's own numbers.
pub(super) struct Model {
    /// H₀₀, H₀₁, H₁₁, det H.
    hessian: (f64, f64, f64, f64),
    /// Curvature of the loss in η − q, that of `−ln(q − δ)`, and that of −ln q; no tie: 0, 0 and 1.
    tie: (f64, f64, f64),
    /// −gradient of the loss and of the ties' barrier, by η, δ and q.
    pub(super) force: [f64; 3],
    /// That of the loss alone.
    pub(super) pull: [f64; 3],
}

impl Model {
    /// `slope` = −L′/μ and `curvature` = L″/μ at the row's output; side, tie and δ where there are ties.
    pub(super) fn new(slope: f64, curvature: f64, tie: Option<(f64, f64, f64)>) -> Model {
        let Some((side, tie, delta)) = tie else {
            let pull = [slope, 0.0, 0.0];
            return Model { hessian: (curvature, 0.0, 0.0, 0.0), tie: (0.0, 0.0, 1.0), force: pull, pull };
        };
        let (near, far) = ((tie - delta).recip(), tie.recip());
        let (kappa, zero) = (near * near, far * far);
        let sum = curvature + kappa + zero;
        let hessian = (
            curvature * (kappa + zero) / sum,
            -curvature * kappa / sum,
            kappa * (curvature + zero) / sum,
            curvature * kappa * zero / sum,
        );
        let slope = side * slope;
        let pull = [slope, 0.0, -slope];
        Model { hessian, tie: (curvature, kappa, zero), force: [slope, -near, far + near - slope], pull }
    }

    /// A force on (η, δ, q) as one on (η, δ), the tie minimised out.
    fn reduced(&self, force: [f64; 3]) -> [f64; 2] {
        let (curvature, kappa, sum) = (self.tie.0, self.tie.1, self.tie.0 + self.tie.1 + self.tie.2);
        [force[0] + curvature * force[2] / sum, force[1] + kappa * force[2] / sum]
    }

    /// H and a force where the slacks of (η, δ), which give way by `give` for each unit of force, are minimised out too:
    /// `H (I + SH)⁻¹` and `(I + HS)⁻¹ p` with S = diag(give).
    pub(super) fn stiffened(&self, give: [f64; 2], force: [f64; 3]) -> ([[f64; 2]; 2], [f64; 2]) {
        let (a, b, c, determinant) = self.hessian;
        let whole = 1.0 + give[0] * a + give[1] * c + give[0] * give[1] * determinant;
        let off = b / whole;
        let matrix = [[(a + determinant * give[1]) / whole, off], [off, (c + determinant * give[0]) / whole]];
        let p = self.reduced(force);
        let force = [
            ((1.0 + give[1] * c) * p[0] - give[1] * b * p[1]) / whole,
            ((1.0 + give[0] * a) * p[1] - give[0] * b * p[0]) / whole,
        ];
        (matrix, force)
    }

    /// If (η, δ) would move by `free` without the model: the force of the model against the slacks, and the change of the tie.
    pub(super) fn respond(&self, free: [f64; 2], give: [f64; 2], force: [f64; 3]) -> ([f64; 2], f64) {
        let (matrix, p) = self.stiffened(give, force);
        let against = [
            matrix[0][0] * free[0] + matrix[0][1] * free[1] - p[0],
            matrix[1][0] * free[0] + matrix[1][1] * free[1] - p[1],
        ];
        let moved = [free[0] - give[0] * against[0], free[1] - give[1] * against[1]];
        let (curvature, kappa, zero) = self.tie;
        (against, (force[2] + curvature * moved[0] + kappa * moved[1]) / (curvature + kappa + zero))
    }

    /// Squared length of a change of the tie and of δ in the metric of the tie's barrier.
    pub(super) fn length(&self, tie: f64, delta: f64) -> f64 {
        let (_, kappa, zero) = self.tie;
        zero * tie * tie + kappa * (tie - delta) * (tie - delta)
    }
}

#[cfg(test)]
mod tests {
    use super::Model;
    use crate::test_problems::Random;

    const CURVATURE: f64 = 1.7;
    const TARGET: f64 = 0.4;

    /// `½·1.7 (f − 0.4)² − ln q − ln(q − δ)` with f = σ(η − q), at its best q, by bisection; and q.
    fn least(side: f64, eta: f64, delta: f64) -> (f64, f64) {
        let (mut low, mut high) = (delta.max(0.0), delta.max(0.0) + 1e3);
        for _ in 0..200 {
            let q = 0.5 * (low + high);
            let slope = -side * CURVATURE * (side * (eta - q) - TARGET) - 1.0 / q - 1.0 / (q - delta);
            if slope < 0.0 { low = q } else { high = q }
        }
        let q = 0.5 * (low + high);
        (0.5 * CURVATURE * (side * (eta - q) - TARGET).powi(2) - q.ln() - (q - delta).ln(), q)
    }

    fn model(side: f64, eta: f64, delta: f64) -> Model {
        let q = least(side, eta, delta).1;
        Model::new(-CURVATURE * (side * (eta - q) - TARGET), CURVATURE, Some((side, q, delta)))
    }

    #[test]
    fn the_model_is_that_of_the_least_over_the_tie() {
        let mut random = Random::new(1);
        for _ in 0..50 {
            let side = if random.uniform() < 0.5 { 1.0 } else { -1.0 };
            let (eta, delta) = (2.0 * random.normal(), random.normal());
            let (matrix, force) = {
                let model = model(side, eta, delta);
                model.stiffened([0.0; 2], model.force)
            };
            let step = 1e-4;
            let value = |a: f64, b: f64| least(side, eta + a * step, delta + b * step).0;
            let slope = [
                (value(1.0, 0.0) - value(-1.0, 0.0)) / (2.0 * step),
                (value(0.0, 1.0) - value(0.0, -1.0)) / (2.0 * step),
            ];
            for channel in 0..2 {
                assert!((slope[channel] + force[channel]).abs() < 1e-5 * (1.0 + slope[channel].abs()));
            }
            let second = |a: f64, b: f64| (value(a, b) - 2.0 * value(0.0, 0.0) + value(-a, -b)) / (step * step);
            let (aa, bb) = (second(1.0, 0.0), second(0.0, 1.0));
            let ab = 0.5 * (second(1.0, 1.0) - aa - bb);
            for (found, expected) in [(matrix[0][0], aa), (matrix[1][1], bb), (matrix[0][1], ab)] {
                assert!((found - expected).abs() < 1e-4 * (1.0 + expected.abs()), "{found} {expected}");
            }
        }
    }

    /// Slacks with curvatures 1/give give way: (I + HS)⁻¹ and H(I + SH)⁻¹ by their definitions, and the response as the solution of the whole system.
    #[test]
    fn slacks_and_ties_give_way_together() {
        let mut random = Random::new(2);
        for _ in 0..50 {
            let (eta, delta) = (2.0 * random.normal(), random.normal());
            let model = model(1.0, eta, delta);
            let (hessian, bare) = model.stiffened([0.0; 2], model.pull);
            let give = [random.uniform(), random.uniform()];
            let free = [random.normal(), random.normal()];
            let (against, tie) = model.respond(free, give, model.pull);
            let moved = [free[0] - give[0] * against[0], free[1] - give[1] * against[1]];
            for channel in 0..2 {
                let expected = hessian[channel][0] * moved[0] + hessian[channel][1] * moved[1] - bare[channel];
                assert!((against[channel] - expected).abs() < 1e-9 * (1.0 + expected.abs()));
            }
            // The tie's own equation: the force on it, what (η, δ) do to it, and its own curvature cancel.
            let q = least(1.0, eta, delta).1;
            let (zero, near) = (q.powi(-2), (q - delta).powi(-2));
            let left = (CURVATURE + zero + near) * tie - CURVATURE * moved[0] - near * moved[1];
            assert!((left - model.pull[2]).abs() < 1e-8 * (1.0 + left.abs()), "{left} {}", model.pull[2]);
        }
    }
}
