//! The layers of a network as operations on tensors.
//!
//! Between layers a batch is examples × numbers, each example in the order of `infimum_problem::deep` (the last dimension runs fastest); each layer looks at it in the shape
//! that it needs. Formulas are those of [`infimum_problem::deep::Layer`] and, where these leave something open, of `infimum_deep`'s `engine/operations/`.

use burn_tensor::activation::{leaky_relu, relu, sigmoid, softmax};
use burn_tensor::backend::Backend;
use burn_tensor::module::{avg_pool2d, conv2d, max_pool2d};
use burn_tensor::ops::ConvOptions;
use burn_tensor::{Shape, Slice, Tensor, TensorData};
use infimum_problem::deep::{Activation, Layer, Padding, output_shape};

use crate::half::Half;

/// A batch between two layers: examples × numbers.
pub(crate) type Values<B> = Tensor<B, 2>;

/// A walk through the layers while training. Arrays are taken from its lists in the order of the layers.
pub(crate) struct Forward<'a, B: Backend> {
    /// Arrays of parameters, each flat.
    pub(crate) parameters: std::vec::IntoIter<Tensor<B, 1>>,
    /// Running values of batch normalisations, all of them.
    pub(crate) buffers: Option<Tensor<B, 1>>,
    /// How many of them are used up.
    pub(crate) buffers_used: usize,
    /// What dropout multiplies by.
    pub(crate) factors: std::vec::IntoIter<Vec<f32>>,
    pub(crate) half: Half,
    pub(crate) device: &'a B::Device,
    /// Running values after the pass, piece by piece.
    pub(crate) next_buffers: Vec<Tensor<B, 1>>,
}

impl<B: Backend> Forward<'_, B> {
    /// What `layers` make of values of shape `shape`, which becomes that of the result.
    pub(crate) fn layers(
        &mut self,
        layers: &[Layer],
        shape: &mut Vec<usize>,
        mut values: Values<B>,
    ) -> Result<Values<B>, String> {
        for layer in layers {
            let output = output_shape(layer, shape)?;
            values = self.layer(layer, shape, &output, values)?;
            *shape = output;
        }
        Ok(values)
    }

    fn layer(&mut self, layer: &Layer, shape: &[usize], output: &[usize], x: Values<B>) -> Result<Values<B>, String> {
        let examples = x.dims()[0];
        let size: usize = shape.iter().product();
        let width = shape.last().copied().unwrap_or(1);
        let rows = examples * size / width;
        let image = |x: Values<B>| x.reshape([examples, shape[0], shape[1], width]).permute([0, 3, 1, 2]);
        let flat = |x: Tensor<B, 4>| x.permute([0, 2, 3, 1]).reshape([examples, output.iter().product()]);
        Ok(match layer {
            Layer::Dense { units, bias } => {
                let y = self.dense(x.reshape([rows, width]), [*units, width], *bias)?;
                y.reshape([examples, size / width * units])
            }
            // No convolution of Burn's, which for strides above 1 gives no slopes by what it reads.
            Layer::Convolution { channels, kernel: [1, 1], stride, bias, .. } => {
                let [all, every] = [Slice::new(0, None, 1), Slice::new(0, None, *stride as isize)];
                let x = match stride {
                    1 => x.reshape([rows, width]),
                    _ => {
                        let x = x.reshape([examples, shape[0], shape[1], width]).slice([all, every, every, all]);
                        x.reshape([examples * output[0] * output[1], width])
                    }
                };
                let y = self.dense(x, [*channels, width], *bias)?;
                y.reshape([examples, output.iter().product()])
            }
            Layer::Convolution { channels, kernel, stride, padding, bias } => {
                self.convolution(image(x), *channels, *kernel, *stride, *padding, *bias).map(flat)?
            }
            Layer::MaxPooling { size, stride } => {
                let stride = if *stride == 0 { *size } else { *stride };
                flat(max_pool2d(image(x), [*size; 2], [stride; 2], [0; 2], [1; 2], false))
            }
            Layer::AveragePooling { size, stride } => {
                let stride = if *stride == 0 { *size } else { *stride };
                flat(avg_pool2d(image(x), [*size; 2], [stride; 2], [0; 2], true, false))
            }
            Layer::GlobalAveragePooling => {
                x.reshape([examples, size / width, width]).mean_dim(1).reshape([examples, width])
            }
            Layer::Flatten => x,
            Layer::Activation { function } => activate(*function, x),
            Layer::BatchNormalization { epsilon, momentum } => {
                let y = self.batch_normalization(x.reshape([rows, width]), *epsilon, *momentum)?;
                y.reshape([examples, size])
            }
            Layer::LayerNormalization { epsilon } => {
                let [gain, shift] = [self.row(width)?, self.row(width)?];
                let x = x.reshape([rows, width]);
                let centred = x.clone() - x.mean_dim(1);
                let variance = (centred.clone() * centred.clone()).mean_dim(1);
                (centred / (variance + *epsilon).sqrt() * gain + shift).reshape([examples, size])
            }
            Layer::Dropout { .. } => {
                let factors = self.factors.next().ok_or("dropout without factors")?;
                x * Tensor::from_data(TensorData::new(factors, [examples, size]), self.device)
            }
            Layer::Embedding { vocabulary, width } => {
                let table = self.array()?.reshape([*vocabulary, *width]);
                table.select(0, x.reshape([examples * size]).int()).reshape([examples, size * width])
            }
            Layer::Attention { heads, causal } => {
                self.attention(x, [examples, size / width, width], *heads, *causal)?
            }
            Layer::Residual { body, shortcut } => {
                let left = self.layers(body, &mut shape.to_vec(), x.clone())?;
                left + self.layers(shortcut, &mut shape.to_vec(), x)?
            }
        })
    }

    fn array(&mut self) -> Result<Tensor<B, 1>, String> {
        self.parameters.next().ok_or_else(|| "layers without parameters".into())
    }

    /// The next array, of `width` numbers, as a row.
    fn row(&mut self, width: usize) -> Result<Tensor<B, 2>, String> {
        Ok(self.array()?.reshape([1, width]))
    }

    /// `x Wᵀ + b` for each row.
    fn dense(&mut self, x: Tensor<B, 2>, [units, width]: [usize; 2], bias: bool) -> Result<Tensor<B, 2>, String> {
        let weights = self.array()?.reshape([units, width]);
        let y = self.half.product(x, weights.transpose());
        Ok(if bias { y + self.row(units)? } else { y })
    }

    /// Of examples × channels × height × width.
    fn convolution(
        &mut self,
        x: Tensor<B, 4>,
        channels: usize,
        [high, wide]: [usize; 2],
        stride: usize,
        padding: Padding,
        bias: bool,
    ) -> Result<Tensor<B, 4>, String> {
        let inputs = x.dims()[1];
        let weights = self.array()?.reshape([channels, high, wide, inputs]).permute([0, 3, 1, 2]);
        let options = ConvOptions::new([stride; 2], [padding.amount(high), padding.amount(wide)], [1; 2], 1);
        let y = self.half.apply(x, weights, |x, weights| conv2d(x, weights, None, options));
        Ok(if bias { y + self.array()?.reshape([1, channels, 1, 1]) } else { y })
    }

    fn batch_normalization(&mut self, x: Tensor<B, 2>, epsilon: f64, momentum: f64) -> Result<Tensor<B, 2>, String> {
        let [rows, width] = x.dims();
        let [gain, shift] = [self.row(width)?, self.row(width)?];
        let buffers = self.buffers.clone().ok_or("a batch normalisation without running values")?;
        let start = self.buffers_used;
        self.buffers_used += 2 * width;
        let running = |place: usize| {
            let range = start + place * width..start + (place + 1) * width;
            buffers.clone().slice([range])
        };
        let mean = x.clone().mean_dim(0);
        let distance = x - mean.clone();
        let variance = (distance.clone() * distance.clone()).mean_dim(0);
        let unbiased = rows as f64 / (rows as f64 - 1.0).max(1.0);
        for (place, new) in [mean, variance.clone() * unbiased].into_iter().enumerate() {
            let new = new.detach().reshape([width]);
            self.next_buffers.push(running(place) * (1.0 - momentum) + new * momentum);
        }
        Ok(distance / (variance + epsilon).sqrt() * gain + shift)
    }

    /// Of each head `softmax(Q Kᵀ/√w) V`, between two linear maps.
    fn attention(
        &mut self,
        x: Values<B>,
        [examples, positions, width]: [usize; 3],
        heads: usize,
        causal: bool,
    ) -> Result<Values<B>, String> {
        let each = width / heads;
        let all = self.dense(x.reshape([examples * positions, width]), [3 * width, width], true)?;
        let all: Tensor<B, 4> = all.reshape([examples, positions, 3 * heads, each]).swap_dims(1, 2);
        let part = |place: usize| all.clone().slice([0..examples, place * heads..(place + 1) * heads]);
        let (q, k, v) = (part(0), part(1), part(2));
        let mut scores = self.half.product(q, k.swap_dims(2, 3)) * (1.0 / (each as f64).sqrt());
        if causal {
            // Next to −10³⁰ every score is nothing, and its exponential is 0.
            let hidden = |place: usize| if place % positions > place / positions { -1e30f32 } else { 0.0 };
            let mask = (0..positions * positions).map(hidden).collect::<Vec<f32>>();
            let mask = TensorData::new(mask, Shape::new([1, 1, positions, positions]));
            scores = scores + Tensor::<B, 4>::from_data(mask, self.device);
        }
        let mixed = self.half.product(softmax(scores, 3), v);
        let mixed = mixed.swap_dims(1, 2).reshape([examples * positions, width]);
        Ok(self.dense(mixed, [width, width], true)?.reshape([examples, positions * width]))
    }
}

/// The function of each number. Burn's own gelu has the derivative of an approximation; this one has that of what it computes.
fn activate<B: Backend>(function: Activation, x: Values<B>) -> Values<B> {
    match function {
        Activation::Relu => relu(x),
        Activation::LeakyRelu => leaky_relu(x, 0.01),
        Activation::Tanh => x.tanh(),
        Activation::Sigmoid => sigmoid(x),
        Activation::Gelu => x.clone() * ((x * std::f64::consts::FRAC_1_SQRT_2).erf() + 1.0) * 0.5,
        Activation::Silu => x.clone() * sigmoid(x),
    }
}
