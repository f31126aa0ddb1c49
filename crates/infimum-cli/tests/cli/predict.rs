//! `infimum predict`: labels, probabilities and decision values, for every loss.

use crate::sandbox::{Sandbox, numbers, two_classes};

/// Header and rows of a CSV without quotes.
fn table(text: &str) -> (Vec<String>, Vec<Vec<String>>) {
    let mut rows = text.lines().map(|line| line.split(',').map(String::from).collect::<Vec<_>>());
    (rows.next().unwrap(), rows.collect())
}

/// The share of rows whose first predicted field is the last field of the training file.
fn share_right(predicted: &[Vec<String>], file: &str) -> f64 {
    let truth = file.lines().skip(1).map(|line| line.rsplit(',').next().unwrap());
    let right = predicted.iter().zip(truth).filter(|(row, truth)| row[0] == *truth).count();
    right as f64 / predicted.len() as f64
}

#[test]
fn two_class_predictions_agree_with_the_metrics() {
    let sandbox = Sandbox::new();
    let file = sandbox.file("table.csv", two_classes());
    for loss in ["logistic", "hinge", "squared-hinge", "softmax"] {
        let result = sandbox.certified(&format!("{file} --loss {loss}"), "run");
        let ran = sandbox.good(&format!("predict run {file} --what all"));
        let (head, rows) = table(&ran.stdout);
        let probabilities = loss == "logistic" || loss == "softmax";
        let mut expected = vec!["label"];
        if probabilities {
            expected.extend(["p(large)", "p(small)"]);
        }
        expected.extend(if loss == "softmax" { vec!["decision(large)", "decision(small)"] } else { vec!["decision"] });
        assert_eq!(head, expected, "{loss}");
        assert_eq!(rows.len(), 60);
        let accuracy = result["train"]["accuracy"].as_f64().unwrap();
        assert!((share_right(&rows, &two_classes()) - accuracy).abs() < 1e-12, "{loss}");
        assert!(ran.stderr.contains(&format!("accuracy {accuracy:.6}")), "{loss}: {}", ran.stderr);
        if probabilities {
            for row in &rows {
                let (large, small): (f64, f64) = (row[1].parse().unwrap(), row[2].parse().unwrap());
                assert!((large + small - 1.0).abs() < 1e-12, "{row:?}");
                assert_eq!(row[0], if small > large { "small" } else { "large" }, "{row:?}");
            }
        } else {
            sandbox.refused("predict run table.csv --what probabilities", &[loss, "no probabilities", "logistic"]);
        }
    }
}

#[test]
fn several_classes() {
    let sandbox = Sandbox::new();
    for loss in ["logistic", "hinge", "squared-hinge", "softmax"] {
        sandbox.certified(&format!("builtin:iris --loss {loss}"), "run");
        let (head, rows) = table(&sandbox.good("predict run builtin:iris --what decision").stdout);
        assert_eq!(head, ["decision(setosa)", "decision(versicolor)", "decision(virginica)"]);
        let labels = table(&sandbox.good("predict run builtin:iris").stdout);
        assert_eq!((labels.0, labels.1.len()), (vec!["label".to_string()], 150));
        for (values, label) in rows.iter().zip(&labels.1) {
            let values: Vec<f64> = values.iter().map(|value| value.parse().unwrap()).collect();
            let best = (0..3).max_by(|&a, &b| values[a].total_cmp(&values[b])).unwrap();
            assert_eq!(label[0], ["setosa", "versicolor", "virginica"][best]);
        }
        if loss == "logistic" || loss == "softmax" {
            let (_, rows) = table(&sandbox.good("predict run builtin:iris --what probabilities").stdout);
            for row in rows {
                let sum: f64 = row.iter().map(|value| value.parse::<f64>().unwrap()).sum();
                assert!((sum - 1.0).abs() < 1e-12, "{row:?}");
            }
        }
    }
}

#[test]
fn regression_values_and_files_without_a_target() {
    let sandbox = Sandbox::new();
    let file = sandbox.file("prices.csv", numbers());
    let result = sandbox.certified(&format!("{file} --loss squared --l2 1e-6"), "run");
    assert!(result["train"]["r2"].as_f64().unwrap() > 0.95, "{result:#}");
    let ran = sandbox.good("predict run prices.csv -o values.csv");
    assert!(ran.stdout.is_empty() && ran.stderr.contains("R²"), "{ran:?}");
    let (head, rows) = table(&sandbox.read("values.csv"));
    assert_eq!((head, rows.len()), (vec!["value".to_string()], 40));
    // Without the target: the same values and no metrics. Columns in another order: said, not guessed.
    let columns = |order: [usize; 2]| -> String {
        let fields = |line: &str| line.split(',').map(String::from).collect::<Vec<_>>();
        numbers().lines().map(fields).map(|line| format!("{},{}\n", line[order[0]], line[order[1]])).collect()
    };
    sandbox.file("swapped.csv", columns([1, 0]));
    sandbox.refused("predict run swapped.csv", &["another order"]);
    sandbox.file("bare.csv", columns([0, 1]));
    let ran = sandbox.good("predict run bare.csv");
    assert_eq!(ran.stdout, sandbox.read("values.csv"));
    assert!(!ran.stderr.contains("metric"), "{}", ran.stderr);
}

#[test]
fn text_columns_unknown_categories_and_quoted_labels() {
    let sandbox = Sandbox::new();
    let mut text = String::from("colour,size,kind\n");
    for row in 0..24 {
        let colour = ["red", "green", "blue"][row % 3];
        text.push_str(&format!("{colour},{},\"{}\"\n", row * 5 % 7, if row % 3 == 0 { "a, or b" } else { "c" }));
    }
    let file = sandbox.file("table.csv", text);
    sandbox.certified(file, "run");
    sandbox.file("new.csv", "colour,size\nred,3\nviolet,2\n");
    let ran = sandbox.good("predict run new.csv");
    assert_eq!(ran.stdout.lines().take(2).collect::<Vec<_>>(), ["label", "\"a, or b\""]);
    assert_eq!(ran.stdout.lines().count(), 3);
    sandbox.file("short.csv", "colour\nred\n");
    sandbox.refused("predict run short.csv", &["size"]);
}

#[test]
fn sparse_rows_keep_their_order() {
    let sandbox = Sandbox::new();
    sandbox.good("generate text-like --rows 500 --columns 300 -o text.svm");
    let result = sandbox.certified("text.svm", "run");
    let ran = sandbox.good("predict run text.svm");
    let labels: Vec<String> =
        sandbox.read("text.svm").lines().map(|line| line.split(' ').next().unwrap().into()).collect();
    let number = |text: &String| text.parse::<f64>().unwrap();
    let right =
        table(&ran.stdout).1.iter().zip(&labels).filter(|(row, label)| number(&row[0]) == number(label)).count();
    let accuracy = result["train"]["accuracy"].as_f64().unwrap();
    assert!((right as f64 / 500.0 - accuracy).abs() < 1e-12, "{right} against {accuracy}");
}

#[test]
fn a_folder_that_is_no_run() {
    let sandbox = Sandbox::new();
    sandbox.refused("predict nothing builtin:iris", &["model.json", "run folder"]);
    sandbox.certified("builtin:iris", "run");
    sandbox.file("run/model.safetensors", "damaged");
    sandbox.refused("predict run builtin:iris", &["model.safetensors"]);
}
