//! How far outputs reach when ‖θ‖² = S (docs/deep.md, theorem 2), and how large the product of the layers' norms is (theorem 4).

use infimum_problem::deep::{Activation, Architecture, Layer, shapes};
use infimum_rigor::Interval;

use super::windows::{Side, overlap};

/// A bound `|f(x)|² ≤ input·|x|² s_1⋯s_L + Σ c·s_l⋯s_L` over biased layers l, where s_l is the squared norm of weight layer l.
pub(super) struct Reach {
    input: f64,
    /// L.
    layers: usize,
    /// l, counted from 0, and c.
    constants: Vec<(usize, f64)>,
}

/// The product of two numbers ≥ 0, rounded up.
fn times(a: f64, b: f64) -> f64 {
    (Interval::point(a) * Interval::point(b)).upper
}

/// `(s/j)^j` rounded up, for s ≥ 0; 1 for j = 0.
fn share_power(s: f64, j: usize) -> f64 {
    if j == 0 {
        return 1.0;
    }
    let share = Interval::point(s).divide_by_positive(Interval::point(j as f64)).upper;
    (0..j).fold(1.0, |product, _| times(product, share))
}

impl Reach {
    /// The bound of the theorem; the error is the first layer outside its domain.
    pub(super) fn new(architecture: &Architecture) -> Result<Reach, String> {
        let shapes = shapes(architecture)?;
        let mut reach = Reach { input: 1.0, layers: 0, constants: Vec::new() };
        for (place, layer) in architecture.layers.iter().enumerate() {
            reach
                .pass(layer, &shapes[place], &shapes[place + 1])
                .map_err(|()| format!("layer {}, {}, is outside the theorem about norms", place + 1, layer.name()))?;
        }
        if reach.layers == 0 {
            return Err("there is no layer with weights".into());
        }
        Ok(reach)
    }

    fn pass(&mut self, layer: &Layer, input: &[usize], output: &[usize]) -> Result<(), ()> {
        let image = || <[usize; 3]>::try_from(input).map_err(|_| ());
        let positions = |shape: &[usize]| shape[..shape.len() - 1].iter().product::<usize>() as f64;
        match layer {
            Layer::Dense { bias, .. } => self.weights(1.0, bias.then_some(positions(output))),
            Layer::Convolution { kernel, stride, padding, bias, .. } => {
                let sides = Side::of_convolution(image()?, *kernel, *stride, *padding);
                self.weights(overlap(&sides) as f64, bias.then_some(positions(output)));
            }
            Layer::MaxPooling { size, stride } => {
                self.scale(overlap(&Side::of_pooling(image()?, *size, *stride)) as f64);
            }
            Layer::AveragePooling { size, stride } => {
                let most = overlap(&Side::of_pooling(image()?, *size, *stride)) as f64;
                let places = Interval::point(*size as f64).square();
                self.scale(Interval::point(most).divide_by_positive(places).upper);
            }
            Layer::GlobalAveragePooling => {
                self.scale(Interval::point(1.0).divide_by_positive(Interval::point(positions(input))).upper);
            }
            Layer::Flatten | Layer::Dropout { .. } => {}
            Layer::Activation { function: Activation::Sigmoid } => return Err(()),
            Layer::Activation { .. } => {}
            Layer::BatchNormalization { .. }
            | Layer::LayerNormalization { .. }
            | Layer::Embedding { .. }
            | Layer::Attention { .. }
            | Layer::Residual { .. } => return Err(()),
        }
        Ok(())
    }

    /// |out|² ≤ factor·|in|².
    fn scale(&mut self, factor: f64) {
        self.input = times(self.input, factor);
        self.constants.iter_mut().for_each(|(_, constant)| *constant = times(*constant, factor));
    }

    /// |out|² ≤ s·(factor·|in|² + bias).
    fn weights(&mut self, factor: f64, bias: Option<f64>) {
        self.scale(factor);
        self.constants.extend(bias.map(|positions| (self.layers, positions)));
        self.layers += 1;
    }

    /// Numbers (a, b) with |f(x)|² ≤ a·|x|² + b where ‖θ‖² = s: every product of j of the s_l is at most (s/j)^j.
    pub(super) fn at(&self, s: f64) -> (f64, f64) {
        let input = times(self.input, share_power(s, self.layers));
        let constant = self.constants.iter().fold(Interval::ZERO, |sum, &(first, constant)| {
            sum + Interval::point(times(constant, share_power(s, self.layers - first)))
        });
        (input, constant.upper)
    }
}

/// A fully connected ReLU network, of which theorems 3 and 4 speak.
pub(super) struct Chain {
    /// L: layers with weights.
    pub(super) layers: usize,
    /// The last layer with a bias, counted from 1; 0 if none has one.
    pub(super) last_bias: usize,
}

impl Chain {
    /// The chain; the error says what is outside the theorems.
    pub(super) fn new(architecture: &Architecture) -> Result<Chain, String> {
        let mut chain = Chain { layers: 0, last_bias: 0 };
        let mut is_active = true;
        for (place, layer) in architecture.layers.iter().enumerate() {
            let outside = |why: &str| Err(format!("layer {}, {}: {why}", place + 1, layer.name()));
            match layer {
                Layer::Dense { bias, .. } => {
                    if !is_active {
                        return outside("planes need a relu between dense layers");
                    }
                    (chain.layers, is_active) = (chain.layers + 1, false);
                    if *bias {
                        chain.last_bias = chain.layers;
                    }
                }
                Layer::Activation { function: Activation::Relu } if !is_active => is_active = true,
                Layer::Flatten | Layer::Dropout { .. } => {}
                _ => return outside("planes are about dense layers with a relu between them alone"),
            }
        }
        // Dense layers along the last of several dimensions share their weights between positions: another theorem.
        let flat = shapes(architecture)?;
        let is_flat =
            |place: &usize| !matches!(architecture.layers[*place], Layer::Dense { .. }) || flat[*place].len() == 1;
        if let Some(place) = (0..architecture.layers.len()).find(|place| !is_flat(place)) {
            return Err(format!("layer {}, dense: planes need values of shape [features]", place + 1));
        }
        if is_active || chain.layers < 2 {
            return Err("planes need two dense layers or more, and none behind the last".into());
        }
        Ok(chain)
    }

    /// Whether ρ(S) is convex from S on: its exponents are at least 1 then, and its slope does not jump at m.
    pub(super) fn is_convex_from(&self, s: f64) -> bool {
        self.few() >= 2 || s >= 1.0
    }

    /// m = L − b + 1.
    fn few(&self) -> usize {
        self.layers - self.last_bias.max(1) + 1
    }

    /// A number that ρ = Π ‖W̃_l‖ does not exceed where ‖θ‖² = s ≥ 0. With b = max(1, last biased layer), m = L − b + 1: (s/m)^(m/2) for s ≤ m,
    /// ((s + b − 1)/L)^(L/2) for s ≥ m.
    pub(super) fn product(&self, s: f64) -> f64 {
        let first = self.last_bias.max(1);
        let few = self.few();
        let (sum, count) = if s <= few as f64 {
            (Interval::point(s), few)
        } else {
            (Interval::point(s) + Interval::point((first - 1) as f64), self.layers)
        };
        let share = sum.divide_by_positive(Interval::point(count as f64)).upper;
        if share == 0.0 {
            return 0.0;
        }
        let whole = (0..count / 2).fold(1.0, |product, _| times(product, share));
        if count % 2 == 0 { whole } else { times(whole, Interval::new(0.0, share).sqrt().upper) }
    }
}
