//! Steps that treat every parameter alike, one pass over the arrays each; long arrays in parts side by side.

use rayon::prelude::*;

const FIRST: f64 = 0.9;
const SECOND: f64 = 0.999;
const EPSILON: f32 = 1e-8;
/// Numbers of a part.
const PART: usize = 1 << 16;

/// Adam's factors at one step.
#[derive(Debug, Clone, Copy)]
pub struct Adam {
    /// β1.
    pub first: f32,
    /// rate/(1 − β1^t).
    pub step: f32,
    /// 1/√(1 − β2^t).
    pub correction: f32,
}

impl Adam {
    /// β2.
    pub const SECOND: f64 = SECOND;
    /// ε.
    pub const EPSILON: f32 = EPSILON;

    /// Step number `count` ≥ 1 (Kingma, Ba 2015, algorithm 1). Schedule-free averaging takes the place of the first moment.
    pub fn at(count: u64, rate: f64, without_momentum: bool) -> Adam {
        let first = if without_momentum { 0.0 } else { FIRST };
        let t = count.min(i32::MAX as u64) as i32;
        Adam {
            first: first as f32,
            step: (rate / (1.0 - first.powi(t))) as f32,
            correction: (1.0 / (1.0 - SECOND.powi(t)).sqrt()) as f32,
        }
    }

    /// `m ← β1 m + (1 − β1) g`, `v ← β2 v + (1 − β2) g²`, `θ ← θ − rate·m̂/(√v̂ + ε)`.
    pub(super) fn step(&self, parameters: &mut [f32], gradient: &[f32], first: &mut [f32], second: &mut [f32]) {
        let beta = SECOND as f32;
        let (beta_rest, first_rest) = ((1.0 - SECOND) as f32, 1.0 - self.first);
        let part = |parameters: &mut [f32], gradient: &[f32], first: &mut [f32], second: &mut [f32]| {
            for (((t, &g), m), v) in parameters.iter_mut().zip(gradient).zip(first).zip(second) {
                *m = self.first * *m + first_rest * g;
                *v = beta * *v + beta_rest * (g * g);
                *t -= self.step * *m / (v.sqrt() * self.correction + EPSILON);
            }
        };
        if parameters.len() <= PART {
            return part(parameters, gradient, first, second);
        }
        let parts = parameters.par_chunks_mut(PART).zip(gradient.par_chunks(PART));
        parts
            .zip(first.par_chunks_mut(PART).zip(second.par_chunks_mut(PART)))
            .for_each(|((parameters, gradient), (first, second))| part(parameters, gradient, first, second));
    }
}

/// Nesterov's momentum as Sutskever et al. 2013 and PyTorch write it: `m ← μ m + g`, `θ ← θ − rate (g + μ m)`.
pub(super) fn momentum_step(parameters: &mut [f32], gradient: &[f32], momenta: &mut [f32], mu: f32, rate: f32) {
    for ((t, &g), m) in parameters.iter_mut().zip(gradient).zip(momenta) {
        *m = mu * *m + g;
        *t -= rate * (g + mu * *m);
    }
}

/// `x ← (1 − share) x + share z` and `y ← (1 − β) z + β x`.
pub(super) fn schedule_free(y: &mut [f32], z: &[f32], x: &mut [f32], share: f32, beta: f32) {
    for ((y, &z), x) in y.iter_mut().zip(z).zip(x) {
        *x += share * (z - *x);
        *y = (1.0 - beta) * z + beta * *x;
    }
}
