//! Input that is wrong, and input that only looks so: each a clear error or a stated right answer.

use std::io::Write;

use crate::sandbox::{Sandbox, numbers, two_classes};

#[test]
fn fields_that_are_no_finite_numbers() {
    let sandbox = Sandbox::new();
    for (value, expected) in [
        ("nan", "expected a finite number"),
        ("NaN", "expected a finite number"),
        ("inf", "expected a finite number"),
        ("-Infinity", "expected a finite number"),
        ("", "missing values must be filled"),
        ("NA", "missing values must be filled"),
        ("?", "missing values must be filled"),
        ("1e300", "at most 1e100"),
        ("1e-300", "1e-100"),
    ] {
        let file = sandbox.file("table.csv", format!("a,b,y\n1,2,no\n3,{value},yes\n5,1,no\n"));
        let got = if value.is_empty() { "nothing".into() } else { format!("`{value}`") };
        sandbox.refused(&format!("fit {file}"), &["table.csv, line 3, column `b`", expected, &got]);
    }
    let file = sandbox.file("target.csv", "a,y\n1,2.5\n2,nan\n3,1.5\n");
    sandbox.refused(&format!("fit {file} --task regression"), &["target.csv, line 3", "`y`", "nan"]);
}

#[test]
fn ragged_rows() {
    let sandbox = Sandbox::new();
    for (row, got) in [("3,yes", "`2`"), ("3,4,5,yes", "`4`")] {
        let file = sandbox.file("table.csv", format!("a,b,y\n1,2,no\n{row}\n"));
        sandbox.refused(&format!("fit {file}"), &["table.csv, line 3", "expected 3 fields", got]);
    }
    let file = sandbox.file("table.csv", "a,b,y\n1,2,no\n\"3,4,yes\n");
    sandbox.refused(&format!("fit {file}"), &["closing quote"]);
}

#[test]
fn wrong_libsvm_rows() {
    let sandbox = Sandbox::new();
    let cases: [(&str, &[&str]); 7] = [
        ("+1 0:1\n-1 1:1\n", &["line 1", "at least 1"]),
        ("+1 1:1\n-1 2:1 2:3\n", &["line 2", "at most once"]),
        ("+1 1:1\n-1 foo\n", &["line 2", "index:value"]),
        ("+1 1:1\n-1 1:x\n", &["line 2", "a number"]),
        ("+1 1:1\nx 1:1\n", &["line 2", "label"]),
        ("+1 1:1\n-1 1:nan\n", &["line 2", "finite"]),
        ("+1\n-1\n", &["no feature columns"]),
    ];
    for (content, parts) in cases {
        sandbox.file("rows.svm", content);
        sandbox.refused("fit rows.svm", parts);
    }
}

#[test]
fn damaged_arrays() {
    let sandbox = Sandbox::new();
    sandbox.file("rows.npy", b"\x93NUMPY\x01\x00");
    sandbox.refused("fit rows.npy", &["rows.npy", "truncated"]);
    sandbox.file("rows.npz", b"PK\x03\x04nonsense");
    sandbox.refused("fit rows.npz", &["rows.npz", "zip"]);
}

#[test]
fn a_missing_label_column() {
    let sandbox = Sandbox::new();
    let file = sandbox.file("table.csv", two_classes());
    let parts = ["no target column `colour`", "`width`", "`height`", "`kind`"];
    sandbox.refused(&format!("fit {file} --target colour"), &parts);
    sandbox.refused(&format!("fit {file} --sample-weight colour"), &["colour", "`width`"]);
}

#[test]
fn one_class_only() {
    let sandbox = Sandbox::new();
    let file = sandbox.file("table.csv", "a,y\n1,no\n2,no\n");
    sandbox.refused(&format!("fit {file}"), &["at least two classes", "`no`", "--target"]);
}

#[test]
fn no_rows_no_columns_no_file() {
    let sandbox = Sandbox::new();
    let file = sandbox.file("empty.csv", "");
    sandbox.refused(&format!("fit {file}"), &["empty.csv", "empty"]);
    let file = sandbox.file("header.csv", "a,b,y\n");
    sandbox.refused(&format!("fit {file}"), &["header.csv", "no rows"]);
    let file = sandbox.file("target.csv", "y\n1\n2\n");
    sandbox.refused(&format!("fit {file}"), &["target.csv", "no feature columns"]);
    sandbox.refused("fit nothing.csv", &["nothing.csv", "cannot be read"]);
    sandbox.refused("fit .", &["folder", "expected a file"]);
    sandbox.refused("fit builtin:nothing", &["nothing", "iris"]);
}

#[test]
fn damaged_gz() {
    let sandbox = Sandbox::new();
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(two_classes().as_bytes()).unwrap();
    let whole = encoder.finish().unwrap();
    let file = sandbox.file("whole.csv.gz", &whole);
    sandbox.certified(file, "run");
    let file = sandbox.file("cut.csv.gz", &whole[..whole.len() / 2]);
    sandbox.refused(&format!("fit {file}"), &["cut.csv.gz", "gzip", "truncated"]);
    let mut damaged = whole.clone();
    damaged[whole.len() / 2] ^= 0x55;
    let file = sandbox.file("bad.csv.gz", &damaged);
    sandbox.refused(&format!("fit {file}"), &["bad.csv.gz"]);
}

#[test]
fn constant_and_duplicate_columns_are_kept() {
    let sandbox = Sandbox::new();
    let mut text = String::from("a,constant,copy,y\n");
    for row in 0..20 {
        text.push_str(&format!("{0},7,{0},{1}\n", row * 7 % 13, if row * 5 % 9 > 4 { "p" } else { "q" }));
    }
    let file = sandbox.file("table.csv", text);
    let shown = sandbox.good(&format!("data show {file}")).stdout;
    assert!(shown.contains("1 constant columns (kept): constant"), "{shown}");
    assert!(shown.contains("1 duplicate columns (kept): a = copy"), "{shown}");
    for options in ["", "--standardize", "--l1 0.01", "--loss hinge", "--loss hinge --intercept none"] {
        let result = sandbox.certified(&format!("{file} --gap 1e-9 {options}"), "run");
        assert_eq!((result["ending"].as_str(), result["data"]["columns"].as_u64()), (Some("Optimal"), Some(3)));
    }
}

#[test]
fn fewer_rows_than_columns() {
    let sandbox = Sandbox::new();
    let row = |seed: u32| (0..30).map(|j| format!("{}", (seed * 31 + j * j * 7) % 17)).collect::<Vec<_>>().join(",");
    let text: String = (1..9).map(|seed| format!("{},{}\n", row(seed), seed % 2)).collect();
    let file = sandbox.file("wide.csv", text);
    for options in ["--loss logistic", "--loss hinge", "--loss squared --l2 0.1", "--l1 0.1", "--loss softmax"] {
        let result = sandbox.certified(&format!("{file} --no-header --gap 1e-6 {options}"), "run");
        assert_eq!(result["ending"], "Optimal", "{options}");
    }
}

#[test]
fn huge_but_legal_magnitudes_end_with_a_certificate() {
    let sandbox = Sandbox::new();
    let file = sandbox.file("huge.csv", "a,b,y\n1e90,2,0\n3,4,1\n5,1e80,0\n-1e60,3,1\n");
    let (code, result) = sandbox.fit(&format!("{file} --out run"));
    assert_eq!((code, result["certified"].as_bool()), (Some(0), Some(true)), "{result:#}");
}

#[test]
fn separable_without_penalty_is_not_attained() {
    let sandbox = Sandbox::new();
    let file = sandbox.file("separable.csv", "a,b,y\n1,2,0\n2,1,0\n5,6,1\n6,4,1\n");
    for loss in ["logistic", "softmax"] {
        let result = sandbox.certified(&format!("{file} --l2 0 --loss {loss}"), "run");
        assert_eq!((result["ending"].as_str(), result["lower"].as_f64()), (Some("NotAttained"), Some(0.0)));
        let message = result["message"].as_str().unwrap();
        assert!(message.contains("infinity") && message.contains("--l2"), "{message}");
    }
}

#[test]
fn gap_zero_runs_until_nothing_improves() {
    let sandbox = Sandbox::new();
    let file = sandbox.file("table.csv", two_classes());
    for loss in ["logistic", "hinge", "squared-hinge", "softmax"] {
        let result = sandbox.certified(&format!("{file} --gap 0 --abs-gap 0 --loss {loss}"), "run");
        let ending = result["ending"].as_str().unwrap();
        assert!(ending == "Stalled" || ending == "Optimal", "{ending}");
        assert!(result["gap"].as_f64().unwrap() < 1e-9, "{loss}: {result:#}");
        assert!(result["message"].as_str().unwrap().starts_with("No "), "{loss}: {result:#}");
    }
}

#[test]
fn options_out_of_range() {
    let sandbox = Sandbox::new();
    for (option, expected) in [
        ("--gap -1", "'-1' for '--gap <GAP>': expected a number ≥ 0"),
        ("--gap nan", "expected a number ≥ 0"),
        ("--abs-gap -1e-3", "expected a number ≥ 0"),
        ("--l1 -1", "expected a number ≥ 0"),
        ("--l2 inf", "expected a number ≥ 0"),
        ("--C 0", "expected a number > 0"),
        ("--C -2", "expected a number > 0"),
        ("--valid 1", "expected a number between 0 and 1"),
        ("--valid -0.5", "expected a number between 0 and 1"),
        ("--threads 0", "expected an integer from 1"),
        ("--threads -3", "expected an integer from 1"),
        ("--seed -1", "expected an integer ≥ 0"),
        ("--time-limit soon", "expected a time > 0 such as 500ms, 60s, 2m or 1h"),
        ("--time-limit 0", "expected a time > 0"),
        ("--time-limit -1s", "expected a time > 0"),
        ("--class-weight heavy", "expected `balanced` or LABEL=WEIGHT"),
        ("--class-weight setosa=-1", "weights > 0"),
        ("--class-weight rose=2", "the labels are setosa, versicolor, virginica"),
        ("--epsilon 0.1", "--epsilon goes with --loss epsilon or squared-epsilon"),
        ("--loss hinge --quantile 0.5", "--quantile goes with --loss quantile"),
        ("--loss quantile --quantile 1", "between 0 and 1"),
        ("--loss squared --huber 1", "--huber goes with --loss huber"),
        ("--loss huber --huber 0", "expected a number > 0"),
        ("--loss epsilon --epsilon -1", "expected a number ≥ 0"),
        ("--loss cubic", "expected one of logistic, softmax, hinge, squared-hinge, squared"),
        ("--solver magic", "expected one of newton"),
        ("--intercept maybe", "maybe"),
        ("--C 1 --l2 1", "cannot be used with"),
        ("--header --no-header", "cannot be used with"),
        ("--valid 0.001", "leaves one side empty"),
    ] {
        sandbox.refused(&format!("fit builtin:iris {option}"), &[expected]);
    }
}

#[test]
fn combinations_that_do_not_exist_say_what_does() {
    let sandbox = Sandbox::new();
    let regression = sandbox.file("prices.csv", numbers());
    let rows = (0..20).map(|i| format!("{},{}\n", i % 7, i % 5)).collect::<String>();
    let counts = sandbox.file("counts.csv", format!("x,count\n{rows}"));
    let diagonal = (1..=1_250).map(|i| format!("{}.5 {i}:1\n", i % 9)).collect::<String>();
    let wide = sandbox.file("wide.svm", diagonal);
    for (arguments, expected) in [
        ("builtin:iris --standardize --intercept none", "--standardize needs --intercept free"),
        ("builtin:iris --loss squared --task classification", "logistic, softmax, hinge, squared-hinge"),
        (&format!("{regression} --loss hinge --task regression"), "losses that do: squared"),
        (&format!("{regression} --class-weight balanced"), "class weights need classes"),
        ("builtin:iris --solver dual-cd", "solvers that can: newton, newton-cg"),
        (
            "builtin:iris --solver saga",
            "it is for losses of one output; solvers that can: newton, newton-cg, lbfgs, fista",
        ),
        ("builtin:iris --loss hinge --solver lbfgs", "use squared-hinge or logistic"),
        ("builtin:iris --loss hinge --solver fista", "solvers that can: interior-point, dual-cd, averaged-sgd"),
        ("builtin:iris --loss logistic --l1 0.1 --solver lbfgs", "l1 > 0 is not smooth; use --l1 0"),
        ("builtin:iris --loss hinge --l1 0.1 --l2 1 --solver averaged-sgd", "its steps do not know l1; use --l1 0"),
        ("builtin:iris --loss hinge --l2 0 --solver averaged-sgd", "rest on l2 > 0; use --l2 or --C"),
        ("builtin:iris --solver clarabel", "it is for losses of one output; solvers that can: newton"),
        (
            &format!("{counts} --target count --task regression --loss poisson --solver clarabel"),
            "not made for poisson; solvers that can: newton",
        ),
        (
            &format!("{wide} --task regression --loss squared --solver clarabel"),
            "columns or rows must be at most 1200 for its cone program",
        ),
        ("builtin:iris --loss hinge --solver newton", "use squared-hinge or logistic"),
    ] {
        sandbox.refused(&format!("fit {arguments} --quiet"), &[expected]);
    }
}
