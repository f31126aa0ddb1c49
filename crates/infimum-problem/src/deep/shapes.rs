//! Shapes of the values between layers.

use super::{Architecture, Layer};

/// Numbers that one example may have between two layers; more cannot be meant.
const MOST: usize = 1 << 28;

/// The shape of the input and of every layer's output: one more than there are layers. The error names the layer, counted from 1.
pub fn shapes(architecture: &Architecture) -> Result<Vec<Vec<usize>>, String> {
    let Architecture { input, scaling, layers } = architecture;
    if !(1..=3).contains(&input.len()) || !is_possible(input) {
        return Err(format!("input {input:?}: expected one to three sizes ≥ 1"));
    }
    scaling.check(input)?;
    let mut shapes = vec![input.clone()];
    for (place, layer) in layers.iter().enumerate() {
        let shape = output_shape(layer, &shapes[place]).map_err(|why| format!("layer {}, {why}", place + 1))?;
        shapes.push(shape);
    }
    Ok(shapes)
}

fn is_possible(shape: &[usize]) -> bool {
    let product = shape.iter().try_fold(1usize, |product, &size| product.checked_mul(size));
    product.is_some_and(|product| (1..=MOST).contains(&product))
}

/// The shape of a layer's output; the error says what the layer is and what is wrong.
pub fn output_shape(layer: &Layer, input: &[usize]) -> Result<Vec<usize>, String> {
    let name = layer.name();
    let wrong = |what: String| Err(format!("{name}: {what}"));
    let image = || match input {
        &[height, width, channels] => Ok((height, width, channels)),
        _ => Err(format!("{name}: expected values of shape [height, width, channels], got {input:?}")),
    };
    let output = match layer {
        Layer::Dense { units, .. } => with_last(input, *units),
        Layer::Convolution { channels, kernel: [i, j], stride, padding, .. } => {
            let (height, width, _) = image()?;
            if *i == 0 || *j == 0 || *stride == 0 {
                return wrong("kernel and stride are to be at least 1".into());
            }
            let [height, width] = [(height, i), (width, j)].map(|(side, &kernel)| {
                let padded = side.saturating_add(padding.amount(kernel).saturating_mul(2));
                padded.checked_sub(kernel).map_or(0, |rest| rest / stride + 1)
            });
            vec![height, width, *channels]
        }
        Layer::MaxPooling { size, stride } | Layer::AveragePooling { size, stride } => {
            let (height, width, channels) = image()?;
            if *size == 0 {
                return wrong("the size is to be at least 1".into());
            }
            let stride = if *stride == 0 { *size } else { *stride };
            let [height, width] =
                [height, width].map(|side| side.checked_sub(*size).map_or(0, |rest| rest / stride + 1));
            vec![height, width, channels]
        }
        Layer::GlobalAveragePooling => vec![input[input.len() - 1]],
        Layer::Flatten => vec![input.iter().product()],
        Layer::Activation { .. } => input.to_vec(),
        Layer::BatchNormalization { epsilon, momentum } => {
            if !(*epsilon > 0.0 && epsilon.is_finite() && (0.0..=1.0).contains(momentum)) {
                return wrong(format!("expected epsilon > 0 and momentum in [0, 1], got {epsilon} and {momentum}"));
            }
            input.to_vec()
        }
        Layer::LayerNormalization { epsilon } => {
            if !(*epsilon > 0.0 && epsilon.is_finite()) {
                return wrong(format!("expected epsilon > 0, got {epsilon}"));
            }
            input.to_vec()
        }
        Layer::Dropout { rate } => {
            if !(0.0..1.0).contains(rate) {
                return wrong(format!("expected a rate in [0, 1), got {rate}"));
            }
            input.to_vec()
        }
        Layer::Embedding { width, .. } => match input {
            &[positions] => vec![positions, *width],
            _ => return wrong(format!("expected values of shape [positions], got {input:?}")),
        },
        Layer::Attention { heads, .. } => match *input {
            [_, width] if *heads > 0 && width % heads == 0 => input.to_vec(),
            [_, width] => return wrong(format!("{heads} heads do not divide a width of {width}")),
            _ => return wrong(format!("expected values of shape [positions, width], got {input:?}")),
        },
        Layer::Residual { body, shortcut } => {
            let [body, shortcut] = [(body, "body"), (shortcut, "shortcut")].map(|(path, path_name)| {
                path.iter().enumerate().try_fold(input.to_vec(), |shape, (place, layer)| {
                    output_shape(layer, &shape).map_err(|why| format!("{name}, {path_name} {}, {why}", place + 1))
                })
            });
            let (body, shortcut) = (body?, shortcut?);
            if body != shortcut {
                return wrong(format!("the body ends with shape {body:?}, the shortcut with {shortcut:?}"));
            }
            body
        }
    };
    if is_possible(&output) {
        Ok(output)
    } else {
        wrong(format!("from values of shape {input:?} it makes {output:?}, expected 1 to {MOST} numbers"))
    }
}

fn with_last(input: &[usize], last: usize) -> Vec<usize> {
    let mut shape = input.to_vec();
    let place = shape.len() - 1;
    shape[place] = last;
    shape
}

impl Layer {
    /// The layer's name in files and messages.
    pub fn name(&self) -> &'static str {
        match self {
            Layer::Dense { .. } => "dense",
            Layer::Convolution { .. } => "convolution",
            Layer::MaxPooling { .. } => "max-pooling",
            Layer::AveragePooling { .. } => "average-pooling",
            Layer::GlobalAveragePooling => "global-average-pooling",
            Layer::Flatten => "flatten",
            Layer::Activation { .. } => "activation",
            Layer::BatchNormalization { .. } => "batch-normalization",
            Layer::LayerNormalization { .. } => "layer-normalization",
            Layer::Dropout { .. } => "dropout",
            Layer::Embedding { .. } => "embedding",
            Layer::Attention { .. } => "attention",
            Layer::Residual { .. } => "residual",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deep::{Activation, Padding};

    fn network(input: &[usize], layers: Vec<Layer>) -> Architecture {
        Architecture { input: input.to_vec(), scaling: Default::default(), layers }
    }

    #[test]
    fn shapes_follow_the_layers() {
        let convolution =
            |channels, stride, padding| Layer::Convolution { channels, kernel: [3, 3], stride, padding, bias: true };
        let layers = vec![
            convolution(8, 1, Padding::Same),
            Layer::Residual {
                body: vec![convolution(16, 2, Padding::Same)],
                shortcut: vec![Layer::Convolution {
                    channels: 16,
                    kernel: [1, 1],
                    stride: 2,
                    padding: Padding::Valid,
                    bias: false,
                }],
            },
            convolution(4, 1, Padding::Valid),
            Layer::MaxPooling { size: 2, stride: 0 },
            Layer::Flatten,
            Layer::Dense { units: 3, bias: true },
        ];
        let all = shapes(&network(&[9, 7, 2], layers)).unwrap();
        let expected: [&[usize]; 7] = [&[9, 7, 2], &[9, 7, 8], &[5, 4, 16], &[3, 2, 4], &[1, 1, 4], &[4], &[3]];
        assert_eq!(all, expected);
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let pool = Layer::MaxPooling { size: 3, stride: 1 };
        let why =
            shapes(&network(&[2, 5, 1], vec![Layer::Activation { function: Activation::Relu }, pool])).unwrap_err();
        assert!(why.starts_with("layer 2, max-pooling: from values of shape [2, 5, 1]"), "{why}");
        let why = shapes(&network(&[4, 6], vec![Layer::Attention { heads: 4, causal: false }])).unwrap_err();
        assert_eq!(why, "layer 1, attention: 4 heads do not divide a width of 6");
        assert!(shapes(&network(&[usize::MAX, 2], vec![])).is_err());
    }
}
