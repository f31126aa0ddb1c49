//! Muon: the momentum of a matrix is replaced by a matrix near the orthogonal one with the same singular vectors.
//!
//! Newton-Schulz: with `X = G/‖G‖_F`, five times `X ← a X + (b A + c A²) X`, `A = X Xᵀ`, sends singular values in (0, 1] near 1 (Jordan et al. 2024, *Muon*). The step's length
//! is `0.2·√(larger side)` times the rate, so that entries move as much as Adam's do (Liu et al. 2025, *Muon is scalable for LLM training*, section 2.2).

use std::ops::Range;

use crate::engine::{Layout, multiply};

/// a, b, c.
pub const NEWTON_SCHULZ: [f32; 3] = [3.4445, -4.7750, 2.0315];
/// How often it is done.
pub(super) const ITERATIONS: usize = 5;

/// A matrix among the parameters and the memory to orthogonalise it.
#[derive(Debug, Clone)]
pub(super) struct Matrix {
    pub(super) range: Range<usize>,
    rows: usize,
    columns: usize,
    x: Vec<f32>,
    next: Vec<f32>,
    gram: Vec<f32>,
    square: Vec<f32>,
}

impl Matrix {
    /// Of the parameters in `range`.
    pub(super) fn new(range: Range<usize>, [rows, columns]: [usize; 2]) -> Matrix {
        let size = range.len();
        let side = rows.min(columns);
        Matrix {
            range,
            rows,
            columns,
            x: vec![0.0; size],
            next: vec![0.0; size],
            gram: vec![0.0; side * side],
            square: vec![0.0; side * side],
        }
    }

    /// `m ← μ m + g`, `θ ← θ − rate·0.2·√(larger side)·orthogonalised(g + μ m)`.
    pub(super) fn step(&mut self, parameters: &mut [f32], gradient: &[f32], momenta: &mut [f32], mu: f32, rate: f32) {
        let mut squares = 0.0f64;
        for ((m, &g), x) in momenta.iter_mut().zip(gradient).zip(&mut self.x) {
            *m = mu * *m + g;
            *x = g + mu * *m;
            squares += f64::from(*x) * f64::from(*x);
        }
        if squares == 0.0 {
            return;
        }
        let scale = (1.0 / squares.sqrt()) as f32;
        self.x.iter_mut().for_each(|x| *x *= scale);
        for _ in 0..ITERATIONS {
            self.iterate();
        }
        let length = rate * 0.2 * (self.rows.max(self.columns) as f32).sqrt();
        parameters.iter_mut().zip(&self.x).for_each(|(t, x)| *t -= length * x);
    }

    fn iterate(&mut self) {
        let (rows, columns, [a, b, c]) = (self.rows, self.columns, NEWTON_SCHULZ);
        let wide = rows <= columns;
        let side = rows.min(columns);
        let plain = Layout { rows, columns, transposed: false };
        let transposed = Layout { rows: columns, columns: rows, transposed: true };
        let gram = Layout { rows: side, columns: side, transposed: false };
        // The smaller of X Xᵀ and Xᵀ X.
        match wide {
            true => multiply(&self.x, plain, &self.x, transposed, 0.0, &mut self.gram),
            false => multiply(&self.x, transposed, &self.x, plain, 0.0, &mut self.gram),
        }
        multiply(&self.gram, gram, &self.gram, gram, 0.0, &mut self.square);
        self.gram.iter_mut().zip(&self.square).for_each(|(gram, square)| *gram = b * *gram + c * square);
        match wide {
            true => multiply(&self.gram, gram, &self.x, plain, 0.0, &mut self.next),
            false => multiply(&self.x, plain, &self.gram, gram, 0.0, &mut self.next),
        }
        self.x.iter_mut().zip(&self.next).for_each(|(x, next)| *x = a * *x + next);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Stream, key};

    /// The step's singular values all lie near its length: Newton-Schulz leaves them in about (0.68, 1.13).
    #[test]
    fn steps_are_nearly_orthogonal() {
        for (inputs, units) in [(4, 9), (9, 4), (6, 6)] {
            let mut matrix = Matrix::new(0..inputs * units, [units, inputs]);
            let mut stream = Stream::new(key(&[inputs as u64, units as u64]));
            let gradient: Vec<f32> = (0..inputs * units).map(|_| stream.below(2001) as f32 / 1000.0 - 1.0).collect();
            let (mut values, mut momenta) = (vec![0.0; inputs * units], vec![0.0; inputs * units]);
            matrix.step(&mut values, &gradient, &mut momenta, 0.9, 1.0);
            let length = 0.2 * (inputs.max(units) as f32).sqrt();
            // Squares of singular values add up to the number of them times at most 1.2² and at least 0.6².
            let squares: f32 = values.iter().map(|x| (x / length) * (x / length)).sum();
            let count = inputs.min(units) as f32;
            assert!((0.4 * count..1.44 * count).contains(&squares), "{inputs} {units}: {squares}");
            let along: f32 = values.iter().zip(&gradient).map(|(x, g)| x * g).sum();
            assert!(along < 0.0);
        }
    }
}
