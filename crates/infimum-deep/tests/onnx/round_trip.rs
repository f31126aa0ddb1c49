//! What is written is read again.

use infimum_deep::onnx::{ImportError, Output, Transform, export, export_linear, export_relu, import};
use infimum_problem::deep::{Activation, Layer};
use infimum_problem::{Loss, Model, ReluNet};

use super::networks::{EXAMPLES, agree, examples, numbers, outputs};
use super::pytorch::transformed;

#[test]
fn networks_come_back_with_the_same_numbers_and_outputs() {
    for example in examples().into_iter().filter(|example| example.is_importable) {
        let classes = Output::Classes { loss: Loss::Softmax, labels: &[] };
        let written = export(&example.architecture, &example.parameters, &example.buffers, classes).unwrap();
        let read = import(&written).unwrap_or_else(|error| panic!("{}: {error}", example.name));
        assert_eq!(read.parameters, example.parameters, "{}", example.name);
        assert_eq!(read.buffers, example.buffers, "{}", example.name);
        let is_sigmoid =
            example.architecture.layers.last() == Some(&Layer::Activation { function: Activation::Sigmoid });
        assert_eq!(read.transform, if is_sigmoid { Transform::Sigmoid } else { Transform::None }, "{}", example.name);
        let expected = outputs(&example.architecture, &example.parameters, &example.buffers, &example.rows);
        let got = outputs(&read.architecture, &read.parameters, &read.buffers, &example.rows);
        let got = transformed(read.transform, got, expected.len() / EXAMPLES);
        assert!(agree(&expected, &got, 2e-6), "{}: {expected:?} and {got:?}", example.name);
    }
}

#[test]
fn what_no_layer_says_is_named() {
    for example in examples().into_iter().filter(|example| !example.is_importable) {
        let written = export(&example.architecture, &example.parameters, &example.buffers, Output::Values).unwrap();
        let error = import(&written).unwrap_err();
        assert!(
            matches!(&error, ImportError::Unsupported { operator, node, .. } if operator == "Split" && node.ends_with(".queries")),
            "{error}"
        );
    }
}

#[test]
fn models_of_rungs_1_and_4_are_read_as_networks() {
    let doubles = |seed, count| numbers(seed, count).into_iter().map(f64::from).collect::<Vec<f64>>();
    let rows = doubles(1, 12);
    let model = Model { outputs: 3, columns: 4, weights: doubles(2, 12), intercepts: doubles(3, 3) };
    let read = import(&export_linear(&model, Output::Values).unwrap()).unwrap();
    let got = outputs(&read.architecture, &read.parameters, &read.buffers, &rows);
    let line =
        |row: &[f64], weights: &[f64], bias: f64| row.iter().zip(weights).map(|(x, w)| x * w).sum::<f64>() + bias;
    let expected: Vec<f32> =
        rows.chunks(4).flat_map(|row| (0..3).map(|k| line(row, model.row(k), model.intercepts[k]) as f32)).collect();
    assert!(agree(&expected, &got, 1e-6));

    let net = ReluNet {
        outputs: 2,
        columns: 4,
        width: 5,
        hidden: doubles(4, 20),
        hidden_biases: doubles(5, 5),
        output: doubles(6, 10),
        output_biases: doubles(7, 2),
    };
    let read = import(&export_relu(&net, Output::Values).unwrap()).unwrap();
    let got = outputs(&read.architecture, &read.parameters, &read.buffers, &rows);
    let expected = rows.chunks(4).flat_map(|row| {
        let units: Vec<f64> =
            net.hidden.chunks(4).zip(&net.hidden_biases).map(|(w, b)| line(row, w, *b).max(0.0)).collect();
        net.output.chunks(5).zip(&net.output_biases).map(|(w, b)| line(&units, w, *b) as f32).collect::<Vec<f32>>()
    });
    assert!(agree(&expected.collect::<Vec<f32>>(), &got, 1e-6));

    let constant = ReluNet { width: 0, hidden: vec![], hidden_biases: vec![], output: vec![], ..net };
    let read = import(&export_relu(&constant, Output::Values).unwrap()).unwrap();
    let got = outputs(&read.architecture, &read.parameters, &read.buffers, &rows);
    let biases: Vec<f32> = constant.output_biases.iter().map(|&bias| bias as f32).collect();
    assert_eq!(got, biases.repeat(3));
}

#[test]
fn numbers_of_another_network_are_refused() {
    let example = &examples()[0];
    let error = export(&example.architecture, &example.parameters[1..], &[], Output::Values).unwrap_err();
    let count = example.parameters.len();
    assert_eq!(error.to_string(), format!("parameters: expected {count} numbers, got {}", count - 1));
}
