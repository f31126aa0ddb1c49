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
    // Without the target: the same values and no metrics. Columns are found by their names, in any order.
    let columns = |order: [usize; 2]| -> String {
        let fields = |line: &str| line.split(',').map(String::from).collect::<Vec<_>>();
        numbers().lines().map(fields).map(|line| format!("{},{}\n", line[order[0]], line[order[1]])).collect()
    };
    for (name, order) in [("swapped.csv", [1, 0]), ("bare.csv", [0, 1])] {
        sandbox.file(name, columns(order));
        let ran = sandbox.good(&format!("predict run {name}"));
        assert_eq!(ran.stdout, sandbox.read("values.csv"));
        assert!(!ran.stderr.contains("metric"), "{}", ran.stderr);
    }
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
    let note = "column `colour`: 1 categories that the model does not know (`violet` …), in 1 rows";
    assert!(ran.stderr.contains(note), "{}", ran.stderr);
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

#[test]
fn columns_of_the_same_name() {
    let sandbox = Sandbox::new();
    let row = |row: usize| [row * 7 % 11, row * 5 % 7, row * 3 % 5, row * 11 % 13 % 2].map(|value| value.to_string());
    let text = |header: &str, order: &[usize]| -> String {
        let line = |i: usize| order.iter().map(|&column| row(i)[column].clone()).collect::<Vec<_>>().join(",");
        (0..50).fold(format!("{header}\n"), |text, i| text + &line(i) + "\n")
    };
    sandbox.file("table.csv", text("a,a,b,y", &[0, 1, 2, 3]));
    sandbox.certified("table.csv", "run");
    let expected = sandbox.good("predict run table.csv").stdout;
    for (header, order) in [("a,a,b", &[0, 1, 2][..]), ("b,y,a,a", &[2, 3, 0, 1]), ("a,b,other,a", &[0, 2, 3, 1])] {
        sandbox.file("other.csv", text(header, order));
        assert_eq!(sandbox.good("predict run other.csv").stdout, expected, "{header}");
    }
    // The target is the second of three columns of one name.
    sandbox.file("table.csv", text("a,a,a,y", &[0, 3, 1, 2]));
    sandbox.certified("table.csv --target 2", "run");
    let ran = sandbox.good("predict run table.csv");
    assert!(ran.stderr.contains("accuracy"), "{}", ran.stderr);
    sandbox.file("other.csv", text("a,y,a", &[0, 2, 1]));
    assert_eq!(sandbox.good("predict run other.csv").stdout, ran.stdout);
}

#[test]
fn text_and_numbers_in_another_order() {
    let sandbox = Sandbox::new();
    let row = |i: usize| [["x", "7", ""][i % 3].to_string(), (i * 5 % 7).to_string(), ["u", "v"][i % 2].to_string()];
    let text = |header: &str, order: [usize; 3]| -> String {
        let line = |i: usize| order.map(|column| row(i)[column].clone()).join(",");
        (0..40).fold(format!("{header},y\n"), |text, i| text + &format!("{},{}\n", line(i), i * 7 % 10 / 4))
    };
    sandbox.file("table.csv", text("s,n,t", [0, 1, 2]));
    sandbox.certified("table.csv", "run");
    sandbox.file("other.csv", text("t,s,n", [2, 0, 1]));
    let decision = |file: &str| sandbox.good(&format!("predict run {file} --what decision")).stdout;
    assert_eq!(decision("table.csv"), decision("other.csv"));
    sandbox.file("word.csv", "s,n,t\nx,3,u\nx,many,v\n");
    sandbox.refused("predict run word.csv", &["line 3, column `n`", "as in the training data", "`many`"]);
}

#[test]
fn targets_that_are_unknown_are_no_reason_to_refuse() {
    let sandbox = Sandbox::new();
    sandbox.file("table.csv", two_classes());
    sandbox.certified("table.csv", "run");
    sandbox.file("new.csv", "width,height,kind\n5,5,large\n0.1,0.1,\n0.1,0.2,giant\n5,5,NA\n");
    let ran = sandbox.good("predict run new.csv");
    assert!(
        ran.stderr.contains("accuracy 1.000000") && ran.stderr.contains("3 rows of unknown target left out (4 rows)")
    );
    sandbox.file("none.csv", "width,height,kind\n5,5,\n0.1,0.1,\n");
    let ran = sandbox.good("predict run none.csv");
    assert!(ran.stderr.contains("metric     none, 2 rows of unknown target left out"), "{}", ran.stderr);
    sandbox.file("prices.csv", numbers());
    sandbox.certified("prices.csv", "prices");
    sandbox.file("new.csv", "a,b,price\n1,2,\n3,4,nan\n5,6,unknown\n7,8,1e300\n9,10,3.5\n");
    let ran = sandbox.good("predict prices new.csv");
    assert!(ran.stderr.contains("mean squared error") && ran.stderr.contains("4 rows of unknown target"), "{ran:?}");
    sandbox.good("generate text-like --rows 200 --columns 50 -o text.svm");
    sandbox.certified("text.svm", "sparse");
    sandbox.file("new.svm", "? 1:0.5 2:0.25\n3:1\n+1 1:0.5\n");
    let ran = sandbox.good("predict sparse new.svm");
    assert_eq!(ran.stdout.lines().count(), 4);
    assert!(ran.stderr.contains("2 rows of unknown target left out"), "{}", ran.stderr);
}

#[test]
fn the_data_file_is_not_overwritten() {
    let sandbox = Sandbox::new();
    sandbox.file("table.csv", two_classes());
    sandbox.certified("table.csv", "run");
    sandbox.refused("predict run table.csv -o run/../table.csv", &["table.csv", "the data file itself"]);
    assert_eq!(sandbox.read("table.csv"), two_classes());
}

#[test]
fn a_run_that_was_cut_off_is_said() {
    let sandbox = Sandbox::new();
    sandbox.certified("builtin:iris", "run");
    std::fs::remove_file(sandbox.path("run/result.json")).unwrap();
    let ran = sandbox.good("predict run builtin:iris");
    assert!(ran.stderr.contains("warning: run holds no result.json"), "{}", ran.stderr);
}

#[test]
fn a_model_description_that_contradicts_itself() {
    let sandbox = Sandbox::new();
    sandbox.certified("builtin:iris", "run");
    let text = sandbox.read("run/model.json");
    for (from, to, expected) in [
        ("\"outputs\": 3", "\"outputs\": 0", "expected 3 outputs"),
        ("\"columns\": 4", "\"columns\": 5", "the features make 4 columns"),
        ("\"setosa\",", "", "outputs for 2 labels"),
        ("\"version\"", "\"ver\nsion\"", "model description"),
    ] {
        assert!(text.contains(from));
        sandbox.file("run/model.json", text.replace(from, to));
        sandbox.refused("predict run builtin:iris", &["model.json", expected]);
    }
}

#[test]
fn threshold_units_predict_exactly() {
    let sandbox = Sandbox::new();
    let ran = sandbox.run("decide builtin:xor --hidden 2 --out run --quiet");
    assert_eq!(ran.code, Some(10), "{ran:?}");
    let ran = sandbox.good("predict run builtin:xor");
    assert_eq!(ran.stdout, "label\n0\n1\n1\n0\n");
    assert!(ran.stderr.contains("metric     0 of 4 rows wrong"), "{}", ran.stderr);
    let ran = sandbox.good("predict run builtin:xor --what all");
    assert_eq!(ran.stdout, "label,output(1)\n0,0\n1,1\n1,1\n0,0\n");
    // Other units, other order, one column more, no target.
    sandbox.file("new.csv", "extra,bit2,bit1\n7,1.0,0e0\n7,1,1.00\n");
    let ran = sandbox.good("predict run new.csv -o labels.csv");
    assert_eq!(sandbox.read("labels.csv"), "label\n1\n0\n");
    assert!(ran.stderr.contains("1 columns or categories that the network does not know"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("metric"), "{}", ran.stderr);
    sandbox.file("less.csv", "bit1,parity\n1,0\n");
    sandbox.refused("predict run less.csv", &["less.csv", "no column `bit2`"]);
    sandbox.refused("predict run new.csv --what decision", &["--what", "threshold units"]);
    sandbox.file("wrong.csv", "bit1,bit2,parity\n0,0,1\n0,1,1\n1,0,\n1,1,?\n");
    assert!(sandbox.good("predict run wrong.csv").stderr.contains("metric     1 of 4 rows wrong"));

    let ran = sandbox.run("decide builtin:xor --out run --quiet");
    assert_eq!(ran.code, Some(20), "{ran:?}");
    sandbox.refused("predict run builtin:xor", &["run/model.json", "ended without weights"]);
}

#[test]
fn threshold_units_know_the_last_place() {
    let sandbox = Sandbox::new();
    sandbox.file("d.csv", "a,y\n9007199254740993,up\n9007199254740992,down\n");
    assert_eq!(sandbox.run("decide d.csv --out run --quiet").code, Some(10));
    // In tenths and in thousands the columns' integers are others.
    sandbox.file(
        "new.csv",
        "a,y\n9007199254740992.1,down\n9007199254740992.9,up\n9007199254741000,up\n1e300,up\n-1e-300,down\n",
    );
    let ran = sandbox.good("predict run new.csv");
    let labels: Vec<&str> = ran.stdout.lines().collect();
    assert_eq!((labels[0], &labels[2..]), ("label", &["up", "up", "up", "down"][..]), "{ran:?}");
    sandbox.file("thousands.csv", "a\n9007199254741000\n9007199254740000\n");
    assert_eq!(sandbox.good("predict run thousands.csv").stdout, "label\nup\ndown\n");
}

#[test]
fn threshold_units_of_text_columns_and_several_outputs() {
    let sandbox = Sandbox::new();
    sandbox.file("d.csv", "colour,size,y\nred,1,a\nblue,1,b\nred,2,b\nblue,2,c\n");
    assert_eq!(sandbox.run("decide d.csv --hidden 3 --out run --quiet").code, Some(10));
    let ran = sandbox.good("predict run d.csv --what all");
    assert_eq!(ran.stdout, "label,output(a),output(b),output(c)\na,1,0,0\nb,0,1,0\nb,0,1,0\nc,0,0,1\n");
    sandbox.file("new.csv", "colour,size\nred,1\ngreen,1\n");
    let ran = sandbox.good("predict run new.csv");
    assert!(ran.stdout.starts_with("label\na\n") && ran.stdout.lines().count() == 3, "{ran:?}");
    sandbox.file("open.csv", "a,b,t1,t2\n0,0,0,?\n0,1,?,1\n1,0,1,1\n1,1,0,0\n");
    assert_eq!(sandbox.run("decide open.csv --target t1,t2 --out run --quiet").code, Some(10));
    let ran = sandbox.good("predict run open.csv");
    let rows: Vec<&str> = ran.stdout.lines().collect();
    assert_eq!((rows[0], rows[3], rows[4], rows.len()), ("t1,t2", "1,1", "0,0", 5), "{ran:?}");
    assert!(rows[1].starts_with("0,") && rows[2].ends_with(",1"), "{ran:?}");
    assert!(ran.stderr.contains("metric     0 of 4 rows wrong"), "{}", ran.stderr);
    // One label.
    sandbox.file("one.csv", "a,y\n1,0\n2,0\n");
    assert_eq!(sandbox.run("decide one.csv --out run --quiet").code, Some(10));
    assert_eq!(sandbox.good("predict run one.csv").stdout, "label\n0\n0\n");
    // A model that contradicts itself.
    let text = sandbox.read("run/model.json");
    for (from, to, expected) in [
        ("\"weights\": [\n        \"", "\"weights\": [\n        \"x", "expected an integer"),
        ("\"columns\": 1", "\"columns\": 2", "expected 2 column names"),
        ("\"neurons\": [", "\"neurons\": [{\"weights\": [], \"bias\": \"1\"},", "weights of 2 units, but 1 are free"),
    ] {
        assert!(text.contains(from), "{text}");
        sandbox.file("run/model.json", text.replacen(from, to, 1));
        sandbox.refused("predict run one.csv", &["model.json", expected]);
    }
}
