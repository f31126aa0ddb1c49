//! Wrong input: one clear error each, exit code 2, nothing written that looks whole.

use std::io::Write;

use crate::Place;

#[test]
fn wrong_fields_are_named_with_line_and_column() {
    let place = Place::new();
    let cases: &[(&str, &[&str])] = &[
        ("a,b,y\n1,2,0\n1,nan,1\n3,4,0\n", &["line 3", "column `b`", "finite"]),
        ("a,b,y\n1,2,0\n1,inf,1\n3,4,0\n", &["line 3", "column `b`", "finite"]),
        ("a,b,y\n1,2,0\n1,1\n3,4,0\n", &["line 3", "3 fields", "`2`"]),
        ("a,b,y\n1,2,0\n1,1,1,1\n", &["line 3", "3 fields", "`4`"]),
        ("a,b,y\n1,2,0\n1e300,1,1\n", &["line 3", "column `a`", "1e100"]),
        ("a,b,y\n1,2,0\n1,1e-200,1\n", &["line 3", "column `b`", "1e-100"]),
        ("a,b,y\n1,2,0\n\"1,1,1\n", &["closing quote"]),
        ("", &["empty"]),
        ("a,b,y\n", &["no rows"]),
        ("y\n0\n1\n", &["no feature columns"]),
        ("a,y\n1,0\n2,0\n", &["two classes", "all 2 training rows", "`0`"]),
    ];
    for (content, words) in cases {
        place.write("d.csv", content);
        place.refuses("fit d.csv --out run", words);
        assert!(!place.path("run/result.json").exists());
    }
    // One missing value in many numbers is missing, not text.
    let mut many: String = (0..60).map(|i| format!("{i},{}\n", i % 2)).collect();
    many.push_str("?,1\n");
    place.write("d.csv", format!("a,y\n{many}"));
    place.refuses("fit d.csv --out run", &["line 62", "column `a`", "missing"]);
}

#[test]
fn wrong_libsvm_rows() {
    let place = Place::new();
    let cases: &[(&str, &[&str])] = &[
        ("+1 0:1\n-1 1:1\n", &["line 1", "at least 1"]),
        ("+1 1:1\n-1 2:1 2:3\n", &["line 2", "at most once"]),
        ("+1 1:1\n-1 foo\n", &["line 2", "index:value"]),
        ("+1 1:1\n-1 1:x\n", &["line 2", "a number"]),
        ("+1 1:1\nx 1:1\n", &["line 2", "label"]),
        ("+1 1:1\n-1 1:nan\n", &["line 2", "finite"]),
        ("+1\n-1\n", &["no feature columns"]),
    ];
    for (content, words) in cases {
        place.write("d.svm", content);
        place.refuses("fit d.svm --out run", words);
    }
}

#[test]
fn wrong_files() {
    let place = Place::new();
    place.refuses("fit nothing.csv --out run", &["nothing.csv", "cannot be read"]);
    place.refuses("fit . --out run", &["folder"]);
    place.refuses("fit builtin:nothing --out run", &["iris", "digits"]);
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    let rows: String = (0..5000).map(|i| format!("{},{}\n", i * 7919 % 1009, i % 2)).collect();
    encoder.write_all(rows.as_bytes()).expect("written");
    let packed = encoder.finish().expect("finished");
    place.write("d.csv.gz", &packed[..packed.len() / 2]);
    place.refuses("fit d.csv.gz --out run", &["gzip", "truncated"]);
    let mut damaged = packed.clone();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 0xff;
    place.write("d.csv.gz", &damaged);
    place.refuses("fit d.csv.gz --out run", &["gzip"]);
    place.write("d.npy", b"\x93NUMPY\x01\x00");
    place.refuses("fit d.npy --out run", &["truncated"]);
    place.write("d.npz", b"PK\x03\x04nonsense");
    place.refuses("fit d.npz --out run", &["zip"]);
}

#[test]
fn wrong_requests() {
    let place = Place::new();
    let cases: &[(&str, &[&str])] = &[
        ("--target nothing", &["nothing", "`species`"]),
        ("--loss squared", &["number", "regression"]),
        ("--task regression --loss hinge", &["hinge", "squared"]),
        ("--l1 -1", &["≥ 0"]),
        ("--C 0", &["> 0"]),
        ("--gap -1", &["--gap", "≥ 0"]),
        ("--threads 0", &["--threads", "from 1"]),
        ("--valid 2", &["--valid", "between 0 and 1"]),
        ("--standardize --intercept none", &["--standardize", "free"]),
        ("--class-weight nosuch=2", &["nosuch", "setosa"]),
        ("--sample-weight nothing", &["weight column"]),
        ("--hidden 16", &["one linear layer"]),
        ("--solver dual-cd", &["dual-cd", "newton"]),
        ("--solver nonsense", &["newton"]),
        ("--C 1 --l2 1", &["cannot be used with"]),
        ("--time-limit soon", &["500ms"]),
    ];
    for (arguments, words) in cases {
        place.refuses(&format!("fit builtin:iris --out run {arguments}"), words);
    }
}

#[test]
fn folders_that_cannot_be_written() {
    let place = Place::new();
    place.write("file", "x");
    place.refuses("fit builtin:iris --out file/run", &["file/run", "--out"]);
    std::fs::create_dir(place.path("mine")).expect("made");
    place.write("mine/thesis.tex", "x");
    place.refuses("fit builtin:iris --out mine", &["thesis.tex", "--out"]);
    assert!(place.path("mine/thesis.tex").exists());
}

#[test]
#[cfg(unix)]
fn a_full_disk_leaves_nothing_that_looks_whole() {
    let place = Place::new();
    let script = format!(
        "trap '' XFSZ; ulimit -f 4; exec {} fit builtin:digits --out run --quiet",
        env!("CARGO_BIN_EXE_infimum")
    );
    let output = std::process::Command::new("bash")
        .args(["-c", &script])
        .current_dir(place.path("."))
        .output()
        .expect("started");
    let log = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{log}");
    assert!(log.contains("cannot be written"), "{log}");
    let left: Vec<_> = std::fs::read_dir(place.path("run")).expect("folder").collect();
    assert!(left.is_empty(), "{left:?}");
}
