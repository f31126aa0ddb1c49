//! How much there is to do.

use infimum_problem::deep::{Layer, output_shape};

/// Multiplications of weights, of attention too, for one example of shape `input`; layers that do not fit count for nothing.
pub fn multiplications(layers: &[Layer], input: &[usize]) -> f64 {
    let mut shape = input.to_vec();
    let mut sum = 0.0;
    for layer in layers {
        let Ok(output) = output_shape(layer, &shape) else { return sum };
        let size = |shape: &[usize]| shape.iter().product::<usize>() as f64;
        let width = shape.last().map_or(0.0, |&width| width as f64);
        sum += match layer {
            Layer::Dense { .. } => size(&output) * width,
            Layer::Convolution { kernel, .. } => size(&output) * (kernel[0] * kernel[1]) as f64 * width,
            Layer::Attention { .. } => 4.0 * size(&shape) * width + 2.0 * size(&shape) * (size(&shape) / width),
            Layer::Residual { body, shortcut } => multiplications(body, &shape) + multiplications(shortcut, &shape),
            _ => 0.0,
        };
        shape = output;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use infimum_problem::deep::{Activation, Architecture, Padding};

    #[test]
    fn products_are_counted() {
        let dense = Architecture::dense(784, &[512, 256], 10, Activation::Relu, true, true);
        assert_eq!(multiplications(&dense.layers, &[784]), (784 * 512 + 512 * 256 + 2560) as f64);
        let convolution =
            Layer::Convolution { channels: 4, kernel: [3, 3], stride: 1, padding: Padding::Same, bias: true };
        let block = Layer::Residual { body: vec![convolution.clone()], shortcut: vec![] };
        assert_eq!(multiplications(&[convolution, block], &[5, 5, 2]), (25 * 4 * 9 * (2 + 4)) as f64);
    }
}
