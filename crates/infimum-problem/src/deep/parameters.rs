//! Where each parameter of a network stands in the flat list of all of them.

use std::ops::Range;

use super::{Architecture, Layer, output_shape};

/// What an array of parameters is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParameterKind {
    /// Weights of a linear map, shape outputs × inputs (of convolutions: channels × kernel height × kernel width × input channels).
    Weights,
    /// Constant terms.
    Bias,
    /// γ of a normalisation, 1 in the beginning.
    Gain,
    /// β of a normalisation.
    Shift,
    /// Rows of an embedding.
    Table,
    /// A buffer: running mean of a batch normalisation, 0 in the beginning.
    RunningMean,
    /// A buffer: running variance of a batch normalisation, 1 in the beginning.
    RunningVariance,
}

/// An array of parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// Path of the layer and what it is: `3.weights`, `4.body.1.bias`; layers count from 1.
    pub name: String,
    /// What it is.
    pub kind: ParameterKind,
    /// Its shape, row-major.
    pub shape: Vec<usize>,
    /// Its place in the flat list.
    pub range: Range<usize>,
    /// Number of inputs that one output is a sum over; 1 where it is no linear map.
    pub fan_in: usize,
}

/// The trained parameters in the order of the layers: of each its weights, then its bias; γ, then β; of attention the weights and the bias of Q, K and V (3·width ×
/// width) and those of the output; of a residual block its body's, then its shortcut's.
pub fn parameters(architecture: &Architecture) -> Result<Vec<Parameter>, String> {
    list(architecture, false)
}

/// The running values of batch normalisations, mean then variance, in the order of the layers.
pub fn buffers(architecture: &Architecture) -> Result<Vec<Parameter>, String> {
    list(architecture, true)
}

fn list(architecture: &Architecture, buffers: bool) -> Result<Vec<Parameter>, String> {
    super::shapes(architecture)?;
    let mut collector = Collector { found: Vec::new(), length: 0, buffers };
    collector.path("", &architecture.layers, architecture.input.clone())?;
    Ok(collector.found)
}

struct Collector {
    found: Vec<Parameter>,
    length: usize,
    buffers: bool,
}

impl Collector {
    fn path(&mut self, prefix: &str, layers: &[Layer], mut shape: Vec<usize>) -> Result<(), String> {
        for (place, layer) in layers.iter().enumerate() {
            let name = format!("{prefix}{}", place + 1);
            self.layer(&name, layer, &shape)?;
            shape = output_shape(layer, &shape)?;
        }
        Ok(())
    }

    fn layer(&mut self, name: &str, layer: &Layer, input: &[usize]) -> Result<(), String> {
        use ParameterKind::{Bias, Gain, RunningMean, RunningVariance, Shift, Table, Weights};
        let last = input[input.len() - 1];
        match layer {
            Layer::Dense { units, bias } => {
                self.add(name, "weights", Weights, vec![*units, last], last)?;
                if *bias {
                    self.add(name, "bias", Bias, vec![*units], last)?;
                }
            }
            Layer::Convolution { channels, kernel: [i, j], bias, .. } => {
                let fan_in = i.saturating_mul(*j).saturating_mul(last);
                self.add(name, "weights", Weights, vec![*channels, *i, *j, last], fan_in)?;
                if *bias {
                    self.add(name, "bias", Bias, vec![*channels], fan_in)?;
                }
            }
            Layer::BatchNormalization { .. } => {
                self.add(name, "gain", Gain, vec![last], 1)?;
                self.add(name, "shift", Shift, vec![last], 1)?;
                self.add(name, "running-mean", RunningMean, vec![last], 1)?;
                self.add(name, "running-variance", RunningVariance, vec![last], 1)?;
            }
            Layer::LayerNormalization { .. } => {
                self.add(name, "gain", Gain, vec![last], 1)?;
                self.add(name, "shift", Shift, vec![last], 1)?;
            }
            Layer::Embedding { vocabulary, width } => {
                self.add(name, "table", Table, vec![*vocabulary, *width], 1)?;
            }
            Layer::Attention { .. } => {
                self.add(name, "input-weights", Weights, vec![last.saturating_mul(3), last], last)?;
                self.add(name, "input-bias", Bias, vec![last.saturating_mul(3)], last)?;
                self.add(name, "output-weights", Weights, vec![last, last], last)?;
                self.add(name, "output-bias", Bias, vec![last], last)?;
            }
            Layer::Residual { body, shortcut } => {
                self.path(&format!("{name}.body."), body, input.to_vec())?;
                self.path(&format!("{name}.shortcut."), shortcut, input.to_vec())?;
            }
            Layer::MaxPooling { .. }
            | Layer::AveragePooling { .. }
            | Layer::GlobalAveragePooling
            | Layer::Flatten
            | Layer::Activation { .. }
            | Layer::Dropout { .. } => {}
        }
        Ok(())
    }

    fn add(
        &mut self,
        layer: &str,
        name: &str,
        kind: ParameterKind,
        shape: Vec<usize>,
        fan_in: usize,
    ) -> Result<(), String> {
        let is_buffer = matches!(kind, ParameterKind::RunningMean | ParameterKind::RunningVariance);
        if is_buffer != self.buffers {
            return Ok(());
        }
        let end = shape.iter().try_fold(1usize, |product, &size| product.checked_mul(size));
        let end = end.and_then(|count| self.length.checked_add(count)).filter(|&end| end <= isize::MAX as usize / 16);
        let Some(end) = end else { return Err(format!("layer {layer}: too many parameters")) };
        let range = self.length..end;
        self.length = end;
        self.found.push(Parameter { name: format!("{layer}.{name}"), kind, shape, range, fan_in });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deep::{Activation, Padding};

    #[test]
    fn arrays_follow_each_other() {
        let convolution =
            Layer::Convolution { channels: 4, kernel: [3, 2], stride: 1, padding: Padding::Same, bias: false };
        let normalization = Layer::BatchNormalization { epsilon: 1e-5, momentum: 0.1 };
        let layers = vec![
            Layer::Residual {
                body: vec![convolution, normalization],
                shortcut: vec![Layer::Dense { units: 4, bias: true }],
            },
            Layer::Flatten,
            Layer::Activation { function: Activation::Relu },
            Layer::Dense { units: 1, bias: true },
        ];
        let architecture = Architecture { input: vec![5, 5, 3], scaling: Default::default(), layers };
        // A kernel of even width makes the body narrower than the shortcut.
        assert!(parameters(&architecture).unwrap_err().contains("the body ends with shape [5, 4, 4]"));
        let mut architecture = architecture;
        if let Layer::Residual { body, .. } = &mut architecture.layers[0]
            && let Layer::Convolution { kernel, .. } = &mut body[0]
        {
            *kernel = [3, 3];
        }
        let all = parameters(&architecture).unwrap();
        let named: Vec<(&str, usize, usize)> =
            all.iter().map(|p| (p.name.as_str(), p.range.start, p.range.end)).collect();
        assert_eq!(
            named,
            [
                ("1.body.1.weights", 0, 108),
                ("1.body.2.gain", 108, 112),
                ("1.body.2.shift", 112, 116),
                ("1.shortcut.1.weights", 116, 128),
                ("1.shortcut.1.bias", 128, 132),
                ("4.weights", 132, 232),
                ("4.bias", 232, 233),
            ]
        );
        assert_eq!(all[0].fan_in, 27);
        let buffers = buffers(&architecture).unwrap();
        assert_eq!(buffers.len(), 2);
        assert_eq!(buffers[1].range, 4..8);
    }
}
