//! The loss of one row, for scores on rows that nothing was trained on.

use infimum_problem::Loss;

use crate::losses::{ScalarLoss, with_scalar_loss};

/// What a row turned out to be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Observed {
    /// Index of its label.
    Class(usize),
    /// Its value.
    Real(f64),
}

/// `loss(y, z)` for the raw outputs z of one row, in plain `f64`; one-vs-rest losses are the sum over the outputs.
pub fn row_loss(loss: Loss, observed: Observed, z: &[f64]) -> f64 {
    let sign = |is: bool| if is { 1.0 } else { -1.0 };
    match observed {
        Observed::Class(class) if loss == Loss::Softmax => {
            let top = z.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            top + z.iter().map(|z| (z - top).exp()).sum::<f64>().ln() - z[class]
        }
        Observed::Class(class) if z.len() == 1 => scalar(loss, sign(class == 1), z[0]),
        Observed::Class(class) => z.iter().enumerate().map(|(k, &z)| scalar(loss, sign(class == k), z)).sum(),
        Observed::Real(y) => scalar(loss, y, z[0]),
    }
}

fn scalar(loss: Loss, y: f64, z: f64) -> f64 {
    with_scalar_loss!(loss, |loss| loss.value(y, z))
}
