//! Layers that are evaluated and not enclosed: layer normalisation, embedding, attention.

use super::Values;
use super::linear::Linear;

/// Normalises along the last dimension.
pub(super) fn normalize(gain: &[f64], shift: &[f64], epsilon: f64, mut values: Values) -> Values {
    let width = gain.len() as f64;
    for x in values.numbers.chunks_exact_mut(gain.len()) {
        let mean = x.iter().sum::<f64>() / width;
        let variance = x.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / width;
        let factor = 1.0 / (variance + epsilon).sqrt();
        for ((x, gain), shift) in x.iter_mut().zip(gain).zip(shift) {
            *x = gain * (*x - mean) * factor + shift;
        }
    }
    values.errors.fill(f64::INFINITY);
    values
}

/// Rows of a table; what is no whole number within it becomes NaN.
pub(super) fn embed(table: &[f64], width: usize, values: Values) -> Values {
    let vocabulary = table.len() / width;
    let mut numbers = Vec::with_capacity(values.numbers.len() * width);
    for &x in &values.numbers {
        if x >= 0.0 && x < vocabulary as f64 && x.fract() == 0.0 {
            numbers.extend_from_slice(&table[x as usize * width..][..width]);
        } else {
            numbers.resize(numbers.len() + width, f64::NAN);
        }
    }
    Values { size: values.size * width, errors: vec![f64::INFINITY; values.errors.len()], numbers }
}

/// Multi-head self-attention.
pub(super) struct Attention {
    /// To queries, keys and values, one behind the other.
    pub(super) enter: Linear,
    /// Of all heads together.
    pub(super) leave: Linear,
    /// Length of a position's row.
    pub(super) width: usize,
    /// Number of heads.
    pub(super) heads: usize,
    /// Whether a position sees only those up to itself.
    pub(super) causal: bool,
}

impl Attention {
    /// The layer on all examples.
    pub(super) fn apply(&self, mut values: Values) -> Values {
        let (width, positions, own) = (self.width, values.size / self.width, self.width / self.heads);
        let mut all = vec![0.0; values.numbers.len() * 3];
        self.enter.rows(&values.numbers, &mut all);
        let mut mixed = vec![0.0; values.numbers.len()];
        let mut shares = vec![0.0; positions];
        for (all, mixed) in all.chunks_exact(3 * values.size).zip(mixed.chunks_exact_mut(values.size)) {
            let part =
                |position: usize, which: usize, head: usize| &all[(3 * position + which) * width + head * own..][..own];
            for head in 0..self.heads {
                for position in 0..positions {
                    let seen = if self.causal { position + 1 } else { positions };
                    let query = part(position, 0, head);
                    for (other, share) in shares[..seen].iter_mut().enumerate() {
                        let product: f64 = query.iter().zip(part(other, 1, head)).map(|(q, k)| q * k).sum();
                        *share = product / (own as f64).sqrt();
                    }
                    let most = shares[..seen].iter().copied().fold(f64::NEG_INFINITY, f64::max);
                    shares[..seen].iter_mut().for_each(|share| *share = (*share - most).exp());
                    let total: f64 = shares[..seen].iter().sum();
                    let out = &mut mixed[position * width + head * own..][..own];
                    for (other, share) in shares[..seen].iter().enumerate() {
                        let value = part(other, 2, head);
                        out.iter_mut().zip(value).for_each(|(out, v)| *out += share / total * v);
                    }
                }
            }
        }
        self.leave.rows(&mixed, &mut values.numbers);
        values.errors.fill(f64::INFINITY);
        values
    }
}
