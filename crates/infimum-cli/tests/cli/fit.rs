//! The main job: a file in, a certified model out.

use crate::sandbox::{Sandbox, numbers};

#[test]
fn the_main_job_to_1e_9_with_certificate() {
    let sandbox = Sandbox::new();
    let result = sandbox.certified("builtin:breast-cancer --gap 1e-9", "run");
    assert_eq!(result["ending"], "Optimal");
    assert!(result["gap"].as_f64().unwrap() <= 1e-9);
    let other = sandbox.run("check run --data builtin:iris");
    assert_eq!(other.code, Some(1));
    assert!(other.stdout.starts_with("s NOT VERIFIED "), "{other:?}");
}

#[test]
fn every_loss_penalty_and_intercept_is_certified() {
    let sandbox = Sandbox::new();
    for penalty in ["--C 1", "--l1 0.01", "--l1 0.01 --l2 0.01"] {
        for intercept in ["free", "penalized", "none"] {
            for model in [
                "builtin:iris",
                "builtin:iris --loss logistic",
                "builtin:wine --loss hinge",
                "builtin:wine --loss squared-hinge",
                "builtin:friedman",
            ] {
                let arguments = format!("{model} {penalty} --intercept {intercept} --gap 1e-8");
                assert_eq!(sandbox.certified(&arguments, "run")["ending"], "Optimal", "{arguments}");
            }
        }
    }
}

#[test]
fn splits_are_fixed_by_the_seed() {
    let sandbox = Sandbox::new();
    let fit = |seed: u32| {
        let arguments = "builtin:breast-cancer --standardize --class-weight balanced --valid 0.2 --gap 1e-8";
        sandbox.certified(&format!("{arguments} --seed {seed}"), "run")
    };
    let (one, again, other) = (fit(7), fit(7), fit(8));
    assert_eq!(one["data"]["held_out"], 114);
    assert!(one["valid"]["accuracy"].as_f64().unwrap() > 0.9);
    assert_eq!((&again["valid"], &again["upper"]), (&one["valid"], &one["upper"]));
    assert_ne!(other["data"]["problem_sha256"], one["data"]["problem_sha256"]);
}

#[test]
fn a_label_has_one_weight() {
    let sandbox = Sandbox::new();
    let twice = ["two for `setosa`"];
    sandbox.refused("fit builtin:iris --class-weight setosa=1,virginica=2,setosa=1", &twice);
    // The same number in two spellings is the same label.
    sandbox.file("table.csv", "a,y\n1,0\n2,1\n3,0\n1,1\n");
    sandbox.refused("fit table.csv --class-weight 0=1,0.0=2", &["two weights for the label `0`"]);
}

#[test]
fn a_row_of_weight_two_is_two_rows() {
    let sandbox = Sandbox::new();
    sandbox.file("w.csv", "a,w,y\n1,2,0\n2,1,1\n0.5,1,1\n3,0,0\n");
    sandbox.file("d.csv", "a,y\n1,0\n1,0\n2,1\n0.5,1\n");
    let upper = |arguments: &str| sandbox.certified(arguments, "run")["upper"].as_f64().unwrap();
    let weighted = upper("w.csv --sample-weight w --target y --gap 1e-10");
    let doubled = upper("d.csv --gap 1e-10");
    assert!((weighted - doubled).abs() <= 1e-9 * doubled, "{weighted} {doubled}");
}

#[test]
fn data_without_penalty() {
    let sandbox = Sandbox::new();
    sandbox.file("separable.csv", "a,y\n-2,0\n-1,0\n1,1\n2,1\n");
    for loss in ["hinge", "squared-hinge"] {
        let result = sandbox.certified(&format!("separable.csv --l2 0 --loss {loss}"), "run");
        assert_eq!((&result["ending"], &result["upper"]), (&"Optimal".into(), &0.0.into()), "{loss}");
    }
    sandbox.file("overlapping.csv", "a,y\n-2,0\n1,0\n-1,1\n2,1\n");
    let overlapping = sandbox.certified("overlapping.csv --l2 0", "run");
    assert_eq!((&overlapping["ending"], &overlapping["lower"]), (&"Stalled".into(), &0.0.into()));
}

#[test]
fn text_columns_and_untidy_libsvm() {
    let sandbox = Sandbox::new();
    sandbox.file("t.csv", "colour,\"size, cm\",y\nred,1,0\n\"bl\"\"ue\",2,1\nred,3,1\ngreen,1,0\n");
    assert_eq!(sandbox.certified("t.csv --gap 1e-9", "run")["data"]["columns"], 4);
    let shown = sandbox.good("data show t.csv").stdout;
    assert!(shown.contains("colour=red") && shown.contains("one-hot"), "{shown}");
    sandbox.file("q.svm", "+1 qid:3 3:1 1:2 # a comment\n-1 2:1\n# nothing\n+1 1:1.5 3:0\n");
    let result = sandbox.certified("q.svm --gap 1e-9", "run");
    assert_eq!((&result["data"]["rows"], &result["data"]["columns"]), (&3.into(), &3.into()));
}

#[test]
fn the_same_table_in_every_format_is_the_same_problem() {
    let sandbox = Sandbox::new();
    let rows = [[1.5, -2.0, 0.0], [0.25, 3.0, 1.0], [-1.0, 0.5, 1.0], [2.0, 2.0, 0.0]];
    let text = |delimiter: &str| -> String {
        rows.iter().map(|row| row.map(|x| x.to_string()).join(delimiter) + "\n").collect()
    };
    sandbox.file("d.csv", text(","));
    sandbox.file("d.tsv", text("\t"));
    let mut npy = b"\x93NUMPY\x01\x00".to_vec();
    let header = format!("{:<117}\n", "{'descr': '<f8', 'fortran_order': False, 'shape': (4, 3), }");
    npy.extend((header.len() as u16).to_le_bytes());
    npy.extend(header.as_bytes());
    rows.iter().flatten().for_each(|x: &f64| npy.extend(x.to_le_bytes()));
    sandbox.file("d.npy", npy);
    let hash = |file: &str| sandbox.certified(file, "run")["data"]["problem_sha256"].clone();
    let csv = hash("d.csv --no-header");
    assert_eq!(hash("d.tsv --no-header"), csv);
    assert_eq!(hash("d.npy"), csv);
}

#[test]
fn poisson_predicts_means() {
    let sandbox = Sandbox::new();
    // The mean of the counts 1, 2, 6 for x = 0 and 10, 20 for x = 1, without penalty to speak of.
    sandbox.file("counts.csv", "x,y\n0,1\n0,2\n0,6\n1,10\n1,20\n");
    let result = sandbox.certified("counts.csv --loss poisson --l2 1e-9 --gap 1e-9", "run");
    assert_eq!((&result["ending"], &result["objective"]["loss"]), (&"Optimal".into(), &"poisson".into()));
    let deviance = result["train"]["mean_poisson_deviance"].as_f64().unwrap();
    assert!((deviance - 2.0 * result["upper"].as_f64().unwrap()).abs() < 1e-6, "{result:#}");
    let fitted = sandbox.good("predict run counts.csv --what all").stdout;
    let rows: Vec<Vec<f64>> =
        fitted.lines().skip(1).map(|line| line.split(',').map(|field| field.parse().unwrap()).collect()).collect();
    for (row, mean) in rows.iter().zip([3.0, 3.0, 3.0, 15.0, 15.0]) {
        assert!((row[0] - mean).abs() < 1e-3 && (row[1].exp() - row[0]).abs() < 1e-12 * mean, "{fitted}");
    }
    sandbox.file("zeros.csv", "x,y\n0,0\n1,0\n");
    let result = sandbox.certified("zeros.csv --loss poisson", "run");
    assert_eq!((result["ending"].as_str(), result["lower"].as_f64()), (Some("NotAttained"), Some(0.0)));
    assert_eq!(sandbox.certified("zeros.csv --loss poisson --intercept penalized", "run")["ending"], "Optimal");
    sandbox.file("negative.csv", "x,y\n0,1\n1,-2\n");
    sandbox.refused("fit negative.csv --loss poisson", &["row 2", "-2", "a number ≥ 0"]);
}

#[test]
fn losses_of_regression() {
    let sandbox = Sandbox::new();
    let file = sandbox.file("prices.csv", numbers());
    for (options, parameter) in [
        ("--loss epsilon", 0.1),
        ("--loss epsilon --epsilon 2", 2.0),
        ("--loss squared-epsilon --epsilon 0", 0.0),
        ("--loss huber", 1.35),
        ("--loss huber --huber 0.2 --l1 0.01 --standardize", 0.2),
        ("--loss quantile", 0.5),
        ("--loss quantile --quantile 0.9 --l1 0.01", 0.9),
    ] {
        let result = sandbox.certified(&format!("{file} --gap 1e-9 {options}"), "run");
        assert_eq!((&result["ending"], &result["objective"]["parameter"]), (&"Optimal".into(), &parameter.into()));
        assert!(result["train"]["mean_absolute_error"].as_f64().unwrap() > 0.0, "{options}");
    }
    // With nothing but an intercept the fit of the quantile loss is a quantile: 9 of 10 values lie at or below it.
    let column: String = (0..10).map(|value| format!("0,{value}\n")).collect();
    sandbox.file("column.csv", format!("x,y\n{column}"));
    sandbox.certified("column.csv --task regression --loss quantile --quantile 0.85 --gap 1e-9", "run");
    let fitted = sandbox.good("predict run column.csv").stdout;
    let value: f64 = fitted.lines().nth(1).unwrap().parse().unwrap();
    assert!((value - 8.0).abs() < 1e-6, "{fitted}");
}
