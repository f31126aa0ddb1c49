//! The part of self-attention without parameters: from queries, keys and values to mixed values.

use super::{Context, SourceSlopes};
use crate::engine::Real;

use crate::engine::product::{Matrix, Threads, multiply};
use crate::engine::wide::{sum, wide};

/// Reads rows of 3·width numbers: query, key and value of a position, of each the heads' parts one after another.
#[derive(Debug, Clone)]
pub(in crate::engine) struct Attention {
    pub(in crate::engine) positions: usize,
    pub(in crate::engine) width: usize,
    pub(in crate::engine) heads: usize,
    pub(in crate::engine) causal: bool,
}

impl Attention {
    /// Numbers kept per example: `A = softmax(Q Kᵀ/√w)` of each head.
    pub(super) fn kept(&self) -> usize {
        self.heads * self.positions * self.positions
    }

    /// Width of a head and 1/√ of it.
    fn head<R: Real>(&self) -> (usize, R) {
        let each = self.width / self.heads;
        (each, R::from_f64(1.0 / (each as f64).sqrt()))
    }

    /// `A V` of each head, for each example.
    pub(super) fn forward<R: Real>(&self, source: &[R], target: &mut [R], kept: &mut [R], _: Context<R>) {
        let (positions, width) = (self.positions, self.width);
        let (each, scale) = self.head::<R>();
        let square = positions * positions;
        for (place, shares) in kept.chunks_exact_mut(square).enumerate() {
            let (example, head) = (place / self.heads, place % self.heads);
            let start = example * positions * 3 * width + head * each;
            let [q, k, v] = [0, 1, 2].map(|part| Matrix::rows(&source[start + part * width..], 3 * width));
            let sizes = [positions, positions, each];
            multiply(shares, positions, false, scale, q, k.transposed(), sizes, Threads::One);
            for (row, shares) in shares.chunks_exact_mut(positions).enumerate() {
                let seen = if self.causal { row + 1 } else { positions };
                softmax(&mut shares[..seen]);
                shares[seen..].fill(R::ZERO);
            }
            let target = &mut target[example * positions * width + head * each..];
            let sizes = [positions, each, positions];
            multiply(target, width, false, R::ONE, Matrix::rows(shares, positions), v, sizes, Threads::One);
        }
    }

    /// With D the slopes by `A V`: `Aᵀ D` for V; by A `B = D Vᵀ`, by the argument of the softmax `S = A∘(B − rows' sums of A∘B)`, so `S K/√w` for Q and `Sᵀ Q/√w` for K.
    pub(super) fn backward<R: Real>(
        &self,
        source: &[R],
        kept: &[R],
        slopes: &[R],
        source_slopes: Option<SourceSlopes<R>>,
        context: Context<R>,
    ) {
        let Some(SourceSlopes { values, add }) = source_slopes else { return };
        let (positions, width) = (self.positions, self.width);
        let (each, scale) = self.head::<R>();
        let square = positions * positions;
        context.pool.lend(square, |work| {
            for (place, shares) in kept.chunks_exact(square).enumerate() {
                let (example, head) = (place / self.heads, place % self.heads);
                let start = example * positions * 3 * width + head * each;
                let [q, k, v] = [0, 1, 2].map(|part| Matrix::rows(&source[start + part * width..], 3 * width));
                let d = Matrix::rows(&slopes[example * positions * width + head * each..], width);
                let a = Matrix::rows(shares, positions);
                let narrow = [positions, each, positions];
                let value_slopes = &mut values[start + 2 * width..];
                multiply(value_slopes, 3 * width, add, R::ONE, a.transposed(), d, narrow, Threads::One);
                let sizes = [positions, positions, each];
                multiply(work, positions, false, R::ONE, d, v.transposed(), sizes, Threads::One);
                wide!({
                    for (b, a) in work.chunks_exact_mut(positions).zip(shares.chunks_exact(positions)) {
                        let mean = sum(positions, |i| a[i] * b[i]);
                        b.iter_mut().zip(a).for_each(|(b, &a)| *b = a * (*b - mean));
                    }
                });
                let s = Matrix::rows(work, positions);
                multiply(&mut values[start..], 3 * width, add, scale, s, k, narrow, Threads::One);
                multiply(&mut values[start + width..], 3 * width, add, scale, s.transposed(), q, narrow, Threads::One);
            }
        });
    }
}

/// `exp(t_i)/Σ exp(t_j)`, relative to the largest.
fn softmax<R: Real>(values: &mut [R]) {
    wide!({
        let largest = values.iter().fold(values[0], |largest, &value| if value > largest { value } else { largest });
        values.iter_mut().for_each(|value| *value = (*value - largest).exp());
        let total = sum(values.len(), |i| values[i]);
        values.iter_mut().for_each(|value| *value /= total);
    });
}
