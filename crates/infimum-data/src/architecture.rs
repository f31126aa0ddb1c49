//! Deep networks as TOML (docs/networks.md).

use infimum_problem::deep::{Architecture, Layer, Scaling, shapes};
use serde::Deserialize;

use crate::error::{DataError, one_line};
use crate::source::Source;

const WITHOUT_LAYERS: &str = "no `[[layer]]`; expected at least one";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// The data's columns in one list, if absent.
    input: Option<Vec<usize>>,
    scaling: Option<Scaling>,
    #[serde(default)]
    layer: Vec<Layer>,
}

/// Whether the TOML file `path` describes layers, and not units.
pub fn is_of_layers(path: &str) -> Result<bool, DataError> {
    let text = Source::open(path)?.text()?;
    let table: toml::Table =
        toml::from_str(&text).map_err(|error| DataError::input(path, one_line(error.message()).into_owned()))?;
    Ok(table.contains_key("layer"))
}

/// Whether the last dense layer of the network in the TOML file `path` has biases: part of the problem, which is needed before the data are read.
pub fn has_output_bias(path: &str) -> Result<bool, DataError> {
    let text = Source::open(path)?.text()?;
    let File { layer: layers, .. } = parse(&text).map_err(|message| DataError::input(path, message))?;
    Ok(Architecture { input: Vec::new(), scaling: Scaling::default(), layers }.has_output_bias())
}

fn parse(text: &str) -> Result<File, String> {
    toml::from_str(text).map_err(|error| one_line(&error.to_string()).into_owned())
}

/// Reads a network for data with so many columns from the TOML file `path`; whether it scales its input is said by the second value.
pub fn read_architecture(path: &str, columns: usize) -> Result<(Architecture, bool), DataError> {
    let text = Source::open(path)?.text()?;
    parse_architecture(&text, columns).map_err(|message| DataError::input(path, message))
}

/// The same of the text itself; the error says what is wrong.
pub fn parse_architecture(text: &str, columns: usize) -> Result<(Architecture, bool), String> {
    let file = parse(text)?;
    if file.layer.is_empty() {
        return Err(WITHOUT_LAYERS.into());
    }
    let is_scaled = file.scaling.is_some();
    let architecture = Architecture {
        input: file.input.unwrap_or_else(|| vec![columns]),
        scaling: file.scaling.unwrap_or_default(),
        layers: file.layer,
    };
    shapes(&architecture)?;
    if architecture.columns() != Some(columns) {
        let input = &architecture.input;
        return Err(format!("the network reads an input of shape {input:?}, the data have {columns} columns"));
    }
    Ok((architecture, is_scaled))
}

#[cfg(test)]
mod tests {
    use infimum_problem::deep::Padding;

    use super::*;

    #[test]
    fn layers_are_read() {
        let text = r#"
            input = [4, 4, 1]
            [scaling]
            scale = [0.5]
            [[layer]]
            kind = "convolution"
            channels = 3
            kernel = [3, 3]
            [[layer]]
            kind = "activation"
            function = "relu"
            [[layer]]
            kind = "residual"
            body = [{ kind = "dropout", rate = 0.1 }]
            [[layer]]
            kind = "global-average-pooling"
            [[layer]]
            kind = "dense"
            units = 2
        "#;
        let (architecture, is_scaled) = parse_architecture(text, 16).unwrap();
        assert!(is_scaled && architecture.scaling.scale == [0.5]);
        let first = Layer::Convolution { channels: 3, kernel: [3, 3], stride: 1, padding: Padding::Same, bias: true };
        assert_eq!((architecture.layers.len(), &architecture.layers[0]), (5, &first));
        let (architecture, is_scaled) = parse_architecture("[[layer]]\nkind = \"dense\"\nunits = 1", 7).unwrap();
        assert_eq!((architecture.input, is_scaled), (vec![7], false));
    }

    #[test]
    fn mistakes_are_named() {
        let dense = "[[layer]]\nkind = \"dense\"\nunits = 1";
        for (text, expected) in [
            ("input = [3]", "no `[[layer]]`"),
            (&format!("input = [3]\n{dense}"), "the data have 7 columns"),
            (&format!("{dense}\nwidth = 3"), "width"),
            (&dense.replace("dense", "dance"), "dance"),
            (&dense.replace("= 1", "= 0"), "layer 1, dense"),
        ] {
            let error = parse_architecture(text, 7).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
