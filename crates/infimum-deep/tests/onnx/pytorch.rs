//! Files that PyTorch wrote (tests/data/pytorch.py).

use infimum_deep::onnx::{Transform, import};
use infimum_problem::deep::{Architecture, Layer};

use super::networks::{agree, outputs};

/// A file of tests/data.
pub fn data(name: &str) -> Vec<u8> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Rows and what PyTorch computes of them.
pub fn computed(name: &str) -> (Vec<f64>, Vec<f32>) {
    let read: serde_json::Value = serde_json::from_slice(&data(&format!("{name}.json"))).unwrap();
    let list = |key: &str| -> Vec<f64> {
        let rows = read[key].as_array().unwrap().iter();
        rows.flat_map(|row| row.as_array().unwrap()).map(|number| number.as_f64().unwrap()).collect()
    };
    (list("input"), list("output").into_iter().map(|value| value as f32).collect())
}

pub fn transformed(transform: Transform, outputs: Vec<f32>, count: usize) -> Vec<f32> {
    let softmax = |row: &[f32]| {
        let top = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let sum: f32 = row.iter().map(|z| (z - top).exp()).sum();
        row.iter().map(|z| z - top - sum.ln()).collect::<Vec<f32>>()
    };
    match transform {
        Transform::None => outputs,
        Transform::Sigmoid => outputs.into_iter().map(|z| 1.0 / (1.0 + (-z).exp())).collect(),
        Transform::LogSoftmax => outputs.chunks(count).flat_map(softmax).collect(),
        Transform::Softmax => outputs.chunks(count).flat_map(softmax).map(f32::exp).collect(),
    }
}

fn kinds(architecture: &Architecture) -> Vec<&'static str> {
    architecture.layers.iter().map(Layer::name).collect()
}

#[test]
fn networks_of_pytorch_compute_the_same_here() {
    let cases: [(&str, Transform, &[&str]); 6] = [
        ("mlp", Transform::Softmax, &["dense", "activation", "dense", "activation", "layer-normalization", "dense"]),
        ("mlp-binary", Transform::Sigmoid, &["dense", "activation", "dense"]),
        (
            "cnn",
            Transform::None,
            &[
                "convolution",
                "activation",
                "max-pooling",
                "convolution",
                "activation",
                "batch-normalization",
                "average-pooling",
                "flatten",
                "dense",
            ],
        ),
        (
            "cnn-older",
            Transform::None,
            &[
                "convolution",
                "activation",
                "max-pooling",
                "convolution",
                "activation",
                "batch-normalization",
                "average-pooling",
                "flatten",
                "dense",
            ],
        ),
        (
            "cnn-residual",
            Transform::None,
            &["residual", "activation", "residual", "activation", "global-average-pooling", "dense"],
        ),
        (
            "cnn-views",
            Transform::LogSoftmax,
            &[
                "convolution",
                "activation",
                "max-pooling",
                "flatten",
                "activation",
                "batch-normalization",
                "activation",
                "dense",
            ],
        ),
    ];
    for (name, transform, layers) in cases {
        let read = import(&data(&format!("{name}.onnx"))).unwrap_or_else(|error| panic!("{name}: {error}"));
        let (rows, expected) = computed(name);
        assert_eq!((read.transform, kinds(&read.architecture)), (transform, layers.to_vec()), "{name}");
        let got = outputs(&read.architecture, &read.parameters, &read.buffers, &rows);
        let got = transformed(transform, got, expected.len() / 5);
        assert!(agree(&expected, &got, 1e-5), "{name}: {expected:?} and {got:?}");
    }
}
