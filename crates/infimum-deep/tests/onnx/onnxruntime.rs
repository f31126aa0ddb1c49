//! Exported files as onnxruntime computes them: where `INFIMUM_PYTHON` names a Python with onnx, onnxruntime and numpy.

use std::process::Command;

use infimum_deep::onnx::{Output, export, export_linear, export_relu, export_threshold};
use infimum_problem::{ColumnScale, Columns, Function, Loss, Model, Network, Neuron, ReluNet, Unit};
use serde_json::{Value, json};

use super::networks::{examples, numbers, outputs};

/// Label and probabilities as crates/infimum/src/predict.rs defines them.
fn classes(loss: Loss, z: &[f64]) -> (Value, Option<Vec<f64>>) {
    let sigmoid = |z: f64| 1.0 / (1.0 + (-z).exp());
    let label = if z.len() == 1 {
        usize::from(z[0] > 0.0)
    } else {
        (1..z.len()).fold(0, |best, k| if z[k] > z[best] { k } else { best })
    };
    let shares = |p: Vec<f64>| p.iter().map(|value| value / p.iter().sum::<f64>()).collect::<Vec<f64>>();
    let probabilities = match loss {
        Loss::Logistic if z.len() == 1 => Some(vec![sigmoid(-z[0]), sigmoid(z[0])]),
        Loss::Logistic => Some(shares(z.iter().map(|&z| sigmoid(z)).collect())),
        Loss::Softmax => Some(shares(z.iter().map(|&z| z.exp()).collect())),
        _ => None,
    };
    (json!(label), probabilities)
}

/// The same of several labels.
fn several(loss: Loss, z: &[f64]) -> (Value, Option<Vec<f64>>) {
    let label: Vec<u8> = z.iter().map(|&z| u8::from(z > 0.0)).collect();
    let probabilities = (loss == Loss::Logistic).then(|| z.iter().map(|z| 1.0 / (1.0 + (-z).exp())).collect());
    (json!(label), probabilities)
}

/// Label and probabilities of a row's raw outputs.
type Predict<'a> = &'a dyn Fn(&[f64]) -> (Value, Option<Vec<f64>>);

#[test]
fn onnxruntime_computes_the_same() {
    let Ok(python) = std::env::var("INFIMUM_PYTHON") else {
        eprintln!("INFIMUM_PYTHON is not set: onnxruntime is not asked");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, file: Vec<u8>, predict: Option<Predict>, rows: &[f64], z: &[f64], count: usize| {
        let mut expected = json!({ "rows": rows.chunks(rows.len() * count / z.len()).collect::<Vec<_>>(), "z": z.chunks(count).collect::<Vec<_>>() });
        if let Some(predict) = predict {
            let all: Vec<_> = z.chunks(count).map(predict).collect();
            expected["label"] = json!(all.iter().map(|(label, _)| label).collect::<Vec<_>>());
            if all[0].1.is_some() {
                expected["probabilities"] = json!(all.iter().map(|(_, p)| p).collect::<Vec<_>>());
            }
        }
        std::fs::write(folder.path().join(format!("{name}.onnx")), file).unwrap();
        std::fs::write(folder.path().join(format!("{name}.json")), expected.to_string()).unwrap();
    };
    let labels = ["no".to_string(), "yes".to_string()];
    for example in examples() {
        let z = outputs(&example.architecture, &example.parameters, &example.buffers, &example.rows);
        let z: Vec<f64> = z.into_iter().map(f64::from).collect();
        let count = z.len() / super::networks::EXAMPLES;
        let losses = [None, Some(Loss::Softmax), Some(Loss::Logistic), Some(Loss::Hinge)];
        for (place, loss) in losses.into_iter().enumerate().filter(|(place, _)| *place != 1 || count > 1) {
            let output = loss.map_or(Output::Values, |loss| Output::Classes { loss, labels: &labels });
            let file = export(&example.architecture, &example.parameters, &example.buffers, output).unwrap();
            let predict = loss.map(|loss| move |z: &[f64]| classes(loss, z));
            let predict = predict.as_ref().map(|predict| predict as Predict);
            write(&format!("{} {place}", example.name), file, predict, &example.rows, &z, count);
        }
        for loss in [Loss::Logistic, Loss::Hinge] {
            let output = Output::Labels { loss, names: &labels };
            let file = export(&example.architecture, &example.parameters, &example.buffers, output).unwrap();
            let name = format!("{} labels {}", example.name, loss.name());
            write(&name, file, Some(&|z| several(loss, z)), &example.rows, &z, count);
        }
    }
    let doubles = |seed, count| numbers(seed, count).into_iter().map(f64::from).collect::<Vec<f64>>();
    let rows = doubles(1, 20);
    let model = Model { outputs: 3, columns: 4, weights: doubles(2, 12), intercepts: doubles(3, 3) };
    let line =
        |row: &[f64], weights: &[f64], bias: f64| row.iter().zip(weights).map(|(x, w)| x * w).sum::<f64>() + bias;
    let z: Vec<f64> = rows
        .chunks(4)
        .flat_map(|row| (0..3).map(|k| line(row, model.row(k), model.intercepts[k])).collect::<Vec<_>>())
        .collect();
    for (name, loss) in [("linear softmax", Loss::Softmax), ("linear logistic", Loss::Logistic)] {
        let file = export_linear(&model, Output::Classes { loss, labels: &[] }).unwrap();
        write(name, file, Some(&|z| classes(loss, z)), &rows, &z, 3);
    }
    for width in [5, 0] {
        let net = ReluNet {
            outputs: 1,
            columns: 4,
            width,
            hidden: doubles(4, 4 * width),
            hidden_biases: doubles(5, width),
            output: doubles(6, width),
            output_biases: doubles(7, 1),
        };
        let z: Vec<f64> = rows
            .chunks(4)
            .map(|row| {
                let units: Vec<f64> =
                    net.hidden.chunks(4).zip(&net.hidden_biases).map(|(w, b)| line(row, w, *b).max(0.0)).collect();
                line(&units, &net.output, net.output_biases[0])
            })
            .collect();
        let file = export_relu(&net, Output::Classes { loss: Loss::Logistic, labels: &[] }).unwrap();
        write(&format!("relu {width}"), file, Some(&|z| classes(Loss::Logistic, z)), &rows, &z, 1);
    }
    // x1 counts tenths, x2 halves: exclusive or of "3·x1 tenths > x2 halves" and "x1 tenths ≥ 3", and its opposite; sums hit 0 exactly.
    let neuron = |weights: [i64; 2], bias: i64| Neuron { weights: weights.map(Into::into).to_vec(), bias: bias.into() };
    let unit = |name: &str, columns, units: &[u32], function| Unit {
        name: name.into(),
        columns,
        units: units.to_vec(),
        function,
    };
    let fixed = |weights: [i64; 2], bias| Function::Fixed { weights: weights.to_vec(), bias };
    let units = vec![
        unit("a", Columns::All, &[], Function::Free),
        unit("b", Columns::Listed(vec![0]), &[], Function::Free),
        unit("both", Columns::None, &[0, 1], fixed([1, 1], -1)),
        unit("either", Columns::None, &[0, 1], fixed([1, 1], 0)),
        unit("one", Columns::None, &[2, 3], fixed([-1, 1], 0)),
        unit("other", Columns::None, &[3, 2], fixed([-1, 2], 1)),
    ];
    let network = Network { units, outputs: vec![4, 5] };
    let second = Neuron { weights: vec![1.into()], bias: (-2).into() };
    let scales = [ColumnScale { ten: -1, two: 0 }, ColumnScale { ten: 0, two: -1 }];
    let file = export_threshold(&network, &[neuron([3, -1], 0), second], &scales, Output::Values).unwrap();
    let pairs = (0..8).flat_map(|tenths| (0..20).map(move |halves| (tenths, halves)));
    let rows: Vec<f64> =
        pairs.clone().flat_map(|(tenths, halves)| [f64::from(tenths) / 10.0, f64::from(halves) / 2.0]).collect();
    let z = pairs.flat_map(|(tenths, halves)| {
        let is_one = (3 * tenths > halves) != (tenths >= 3);
        [is_one, !is_one].map(|value| f64::from(u8::from(value)))
    });
    write("threshold", file, None, &rows, &z.collect::<Vec<f64>>(), 2);
    let script = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/onnx/onnxruntime.py");
    let run = Command::new(python).arg(script).arg(folder.path()).output().unwrap();
    let [said, complained] = [run.stdout, run.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    assert!(run.status.success(), "{said}\n{complained}");
    println!("{said}");
}
