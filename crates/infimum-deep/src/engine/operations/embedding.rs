//! Rows of a table.

use super::Context;
use crate::engine::Real;
use crate::engine::pool::add_to;

/// The table, vocabulary × width.
#[derive(Debug, Clone)]
pub(in crate::engine) struct Embedding {
    pub(in crate::engine) vocabulary: usize,
    pub(in crate::engine) width: usize,
}

impl Embedding {
    /// The row that a number means, if it means one.
    pub(in crate::engine) fn row<R: Real>(&self, number: R) -> Option<usize> {
        let number = number.to_f64();
        (number >= 0.0 && number < self.vocabulary as f64 && number.fract() == 0.0).then_some(number as usize)
    }

    /// A number that means no row gives NaN, so that it can not pass for a result.
    pub(super) fn forward<R: Real>(&self, source: &[R], target: &mut [R], context: Context<R>) {
        for (values, &number) in target.chunks_exact_mut(self.width).zip(source) {
            match self.row(number) {
                Some(row) => values.copy_from_slice(&context.parameters[row * self.width..(row + 1) * self.width]),
                None => values.fill(R::from_f64(f64::NAN)),
            }
        }
    }

    pub(super) fn backward<R: Real>(&self, source: &[R], slopes: &[R], gradient: &mut [R]) {
        gradient.fill(R::ZERO);
        for (slopes, &number) in slopes.chunks_exact(self.width).zip(source) {
            if let Some(row) = self.row(number) {
                add_to(&mut gradient[row * self.width..(row + 1) * self.width], slopes);
            }
        }
    }
}
