//! Parameters from safetensors files.

use infimum_deep::onnx::{TensorsError, import_safetensors};
use infimum_problem::deep::{Activation, Architecture, Layer, Padding, buffers, parameters};
use safetensors::tensor::{Dtype, TensorView};

use super::networks::{agree, convolution, dense, examples, function, outputs};
use super::pytorch::{computed, data, transformed};
use infimum_deep::onnx::Transform;

const NORM: Layer = Layer::BatchNormalization { epsilon: 1e-5, momentum: 0.1 };

fn network(input: &[usize], layers: Vec<Layer>) -> Architecture {
    Architecture { input: input.to_vec(), scaling: Default::default(), layers }
}

/// The CNN of pytorch.py.
fn cnn() -> Architecture {
    let layers = vec![
        convolution(6, [3, 3], 1, Padding::Same, true),
        NORM,
        function(Activation::Relu),
        Layer::MaxPooling { size: 2, stride: 0 },
        convolution(8, [3, 3], 1, Padding::Valid, true),
        function(Activation::Relu),
        NORM,
        Layer::AveragePooling { size: 2, stride: 0 },
        Layer::Flatten,
        dense(10, true),
    ];
    network(&[12, 12, 1], layers)
}

#[test]
fn tensors_of_pytorch_compute_the_same_here() {
    let layers = vec![
        dense(16, true),
        function(Activation::Relu),
        dense(8, true),
        function(Activation::Gelu),
        Layer::LayerNormalization { epsilon: 1e-5 },
        dense(3, true),
    ];
    for (name, architecture, transform) in
        [("mlp", network(&[4], layers), Transform::Softmax), ("cnn", cnn(), Transform::None)]
    {
        let (read, running) = import_safetensors(&data(&format!("{name}.safetensors")), &architecture).unwrap();
        let (rows, expected) = computed(name);
        let got = transformed(transform, outputs(&architecture, &read, &running, &rows), expected.len() / 5);
        assert!(agree(&expected, &got, 1e-5), "{name}: {expected:?} and {got:?}");
    }
}

/// A file with these tensors.
fn file(tensors: &[(String, Vec<usize>, Vec<f32>)]) -> Vec<u8> {
    let bytes: Vec<Vec<u8>> =
        tensors.iter().map(|(_, _, values)| values.iter().flat_map(|value| value.to_le_bytes()).collect()).collect();
    let views = tensors
        .iter()
        .zip(&bytes)
        .map(|((name, shape, _), bytes)| (name.as_str(), TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap()));
    safetensors::serialize(views, None).unwrap()
}

#[test]
fn our_own_names_are_read_as_they_are() {
    for example in examples() {
        let lists = [parameters(&example.architecture).unwrap(), buffers(&example.architecture).unwrap()];
        let mut tensors = Vec::new();
        for (list, values) in lists.iter().zip([&example.parameters, &example.buffers]) {
            tensors.extend(list.iter().map(|p| (p.name.clone(), p.shape.clone(), values[p.range.clone()].to_vec())));
        }
        let read = import_safetensors(&file(&tensors), &example.architecture).unwrap();
        assert_eq!(read, (example.parameters, example.buffers), "{}", example.name);
        tensors.pop();
        let error = import_safetensors(&file(&tensors), &example.architecture).unwrap_err();
        assert!(error.to_string().contains("missing, expected shape"), "{error}");
    }
}

#[test]
fn misfits_and_ambiguities_are_named() {
    let square = network(&[2], vec![dense(2, false), function(Activation::Relu), dense(2, false)]);
    let weights = |names: [&str; 2]| file(&names.map(|name| (format!("{name}.weight"), vec![2, 2], vec![1.0; 4])));
    assert!(import_safetensors(&weights(["fc1", "fc2"]), &square).is_ok());
    let error = import_safetensors(&weights(["hidden", "output"]), &square).unwrap_err();
    assert!(error.to_string().contains("both `hidden` and `output` fit"), "{error}");
    let error = import_safetensors(&weights(["fc1", "fc2"]), &network(&[2], vec![dense(2, false)])).unwrap_err();
    assert!(matches!(error, TensorsError::Tensor { ref tensor, .. } if tensor == "fc2.weight"), "{error}");
    let error = import_safetensors(&weights(["fc1", "fc2"]), &network(&[2], vec![dense(3, false)])).unwrap_err();
    assert_eq!(
        error.to_string(),
        "layer 1: expected a module with weight [3, 2], the next one is `fc1` with weight [2, 2]"
    );
    // Ten layers: names are ordered by their numbers.
    let deep = network(&[2], (0..11).map(|_| dense(2, false)).collect());
    let tensors: Vec<_> = (0..11).map(|k| (format!("net.{k}.weight"), vec![2, 2], vec![k as f32; 4])).collect();
    let (read, _) = import_safetensors(&file(&tensors), &deep).unwrap();
    assert!(read.iter().enumerate().all(|(place, &value)| value == (place / 4) as f32));
}
