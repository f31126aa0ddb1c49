//! What the bound needs to know of a chain of dense layers: how large the product of its layers' norms can be for a given ‖θ‖².

use infimum_problem::deep::{Activation, Architecture, Layer, shapes};

/// Dense layers with relu between them (docs/deep.md).
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Chain {
    /// Number L of dense layers, at least 2.
    pub(super) layers: usize,
    /// Number b of the last one with a bias, 1 if none has one.
    pub(super) biased: usize,
    /// Whether the rows get a constant 1.
    pub(super) constant: bool,
}

impl Chain {
    /// `None` for every other architecture.
    pub(super) fn of(architecture: &Architecture) -> Option<Chain> {
        let shapes = shapes(architecture).ok()?;
        let mut chain = Chain { layers: 0, biased: 1, constant: false };
        // Whether a relu has come since the last dense layer.
        let mut bent = true;
        for (layer, input) in architecture.layers.iter().zip(&shapes) {
            match layer {
                Layer::Dense { bias, .. } if input.len() == 1 && bent => {
                    chain.layers += 1;
                    if *bias {
                        (chain.biased, chain.constant) = (chain.layers, true);
                    }
                    bent = false;
                }
                Layer::Activation { function: Activation::Relu } if chain.layers > 0 => bent = true,
                Layer::Flatten | Layer::Dropout { .. } => {}
                _ => return None,
            }
        }
        (chain.layers >= 2 && !bent).then_some(chain)
    }

    /// Layers that a weak product is made of: those from the last bias on.
    fn late(self) -> f64 {
        (self.layers - self.biased + 1) as f64
    }

    /// The least ‖θ‖² of networks whose layers' norms have the product ρ: `m ρ^(2/m)` up to 1, then `L ρ^(2/L) − (b − 1)`, m = L − b + 1.
    pub(super) fn squares(self, product: f64) -> f64 {
        let (late, all) = (self.late(), self.layers as f64);
        if product <= 1.0 { late * product.powf(2.0 / late) } else { all * product.powf(2.0 / all) - (all - late) }
    }

    /// What ρ costs: λ/2 times the derivative of [`Chain::squares`].
    pub(super) fn price(self, lambda: f64, product: f64) -> f64 {
        let layers = if product <= 1.0 { self.late() } else { self.layers as f64 };
        lambda * product.powf(2.0 / layers - 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_chains_are_chains() {
        let dense = |biases, output| Architecture::dense(3, &[4, 5], 2, Activation::Relu, biases, output);
        assert_eq!(Chain::of(&dense(false, false)), Some(Chain { layers: 3, biased: 1, constant: false }));
        assert_eq!(Chain::of(&dense(true, false)), Some(Chain { layers: 3, biased: 2, constant: true }));
        assert_eq!(Chain::of(&dense(false, true)), Some(Chain { layers: 3, biased: 3, constant: true }));
        let mut other = dense(false, false);
        other.layers.push(Layer::Activation { function: Activation::Relu });
        assert_eq!(Chain::of(&other), None);
        let mut other = dense(false, false);
        other.layers.remove(1);
        assert_eq!(Chain::of(&other), None);
        assert_eq!(Chain::of(&Architecture::dense(3, &[4], 2, Activation::Tanh, false, false)), None);
        assert_eq!(Chain::of(&Architecture::dense(3, &[], 2, Activation::Relu, false, false)), None);
    }

    /// Against the least of Σ‖W_l‖² + Σ‖b_l‖² over products of norms, where a constant unit is carried through the layers before the last bias.
    #[test]
    fn the_price_is_the_slope_of_the_squares() {
        for chain in [(2, 1), (3, 1), (3, 2), (4, 4), (5, 3)] {
            let chain = Chain { layers: chain.0, biased: chain.1, constant: true };
            for product in [0.03, 0.5, 0.99, 1.0, 1.01, 2.0, 40.0] {
                let step = 1e-6 * product;
                let slope = (chain.squares(product + step) - chain.squares(product - step)) / (2.0 * step);
                let price = chain.price(3.0, product);
                assert!((price - 1.5 * slope).abs() < 1e-5 * price, "{chain:?} {product}: {price} {slope}");
            }
        }
    }
}
