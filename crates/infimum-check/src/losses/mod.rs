//! Losses as the checker sees them: an upper bound of the loss over an enclosure of the output, the domain of its
//! negative conjugate g, and a lower bound of g. One file per loss; none is shared with the solvers.

mod epsilon;
mod hinge;
mod huber;
mod logistic;
mod poisson;
mod quantile;
mod softmax;
mod squared;
mod squared_epsilon;
mod squared_hinge;

pub(crate) use softmax::Softmax;

use infimum_problem::Loss;
use infimum_rigor::{ExactSum, Interval, Sum};

/// A loss of one output.
pub(crate) trait ScalarLoss: Sync {
    /// A number that `loss(y, z)` does not exceed for any z in the enclosure; +∞ if unknown.
    fn upper(&self, y: f64, z: Interval) -> f64;

    /// Why α lies outside the domain of g, or `None` if it lies inside. Comparisons only: exact.
    fn outside(&self, y: f64, c: f64, alpha: f64) -> Option<String>;

    /// Adds terms whose exact sum does not exceed `g(α)`, for α in the domain.
    fn add_gain(&self, sum: &mut Sum, y: f64, c: f64, alpha: f64);
}

/// The one-output loss of that name and parameter; `None` for softmax.
pub(crate) fn scalar(loss: Loss) -> Option<Box<dyn ScalarLoss>> {
    Some(match loss {
        Loss::Logistic => Box::new(logistic::Logistic),
        Loss::Hinge => Box::new(hinge::Hinge),
        Loss::SquaredHinge => Box::new(squared_hinge::SquaredHinge),
        Loss::Squared => Box::new(squared::Squared),
        Loss::Epsilon(epsilon) => Box::new(epsilon::Epsilon(epsilon)),
        Loss::SquaredEpsilon(epsilon) => Box::new(squared_epsilon::SquaredEpsilon(epsilon)),
        Loss::Huber(delta) => Box::new(huber::Huber(delta)),
        Loss::Quantile(tau) => Box::new(quantile::Quantile(tau)),
        Loss::Poisson => Box::new(poisson::Poisson),
        Loss::Softmax => return None,
    })
}

/// The margin `y·z` for y = ±1, exactly.
fn margin(y: f64, z: Interval) -> Interval {
    if y > 0.0 { z } else { -z }
}

/// Checks `low ≤ y·α ≤ high` for y = ±1.
fn outside_box(y: f64, alpha: f64, low: f64, high: f64) -> Option<String> {
    let a = if y > 0.0 { alpha } else { -alpha };
    (!(low <= a && a <= high)).then(|| format!("y·α = {a:e} is not in [{low}, {high:e}]"))
}

/// Adds `a·b` exactly; magnitudes are 0 or in [1e-100, 1e100], so that the product's error is an `f64`.
fn add_exact_product(sum: &mut ExactSum, a: f64, b: f64) {
    let product = a * b;
    sum.add(product);
    sum.add(a.mul_add(b, -product));
}

/// Whether x > a·b, exactly; also if something is not a number.
fn exceeds_product(x: f64, a: f64, b: f64) -> bool {
    let mut difference = ExactSum::new();
    difference.add(x);
    add_exact_product(&mut difference, -a, b);
    difference.sign().is_none_or(|sign| sign > 0)
}

#[cfg(test)]
mod tests {
    use super::exceeds_product;

    #[test]
    fn products_are_compared_exactly() {
        // 0.1·3 as real numbers lies strictly between two neighbours.
        let product = 0.1f64 * 3.0;
        assert!(exceeds_product(product, 0.1, 3.0) != exceeds_product(product.next_down(), 0.1, 3.0));
        assert!(!exceeds_product(6.0, 2.0, 3.0) && exceeds_product(6f64.next_up(), 2.0, 3.0));
        assert!(exceeds_product(f64::NAN, 1.0, 1.0) && !exceeds_product(-1.0, 0.0, 5.0));
    }
}
