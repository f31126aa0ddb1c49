//! Images and labels in IDX files, the format of MNIST.

use std::io::Write;
use std::path::Path;

use flate2::{Compression, write::GzEncoder};

use crate::sandbox::Sandbox;

/// An IDX file of bytes.
fn idx(shape: &[u32], values: impl IntoIterator<Item = u8>) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, shape.len() as u8];
    bytes.extend(shape.iter().flat_map(|side| side.to_be_bytes()));
    bytes.extend(values);
    bytes
}

/// Pixel `j` of image `i`: two overlapping classes.
fn pixel(i: u32, j: u32) -> u8 {
    (i * 37 % 41 + j * (i * 23 % 29) + 90 * u32::from(label(i) == j as u8 % 2)) as u8
}

fn label(i: u32) -> u8 {
    u8::from(i * 17 % 11 + i * 37 % 41 > 25)
}

fn images(range: std::ops::Range<u32>) -> Vec<u8> {
    idx(&[range.len() as u32, 2, 3], range.flat_map(|i| (0..6).map(move |j| pixel(i, j))))
}

fn labels(range: std::ops::Range<u32>) -> Vec<u8> {
    idx(&[range.len() as u32], range.map(label))
}

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// The same rows as text.
fn table(range: std::ops::Range<u32>) -> String {
    let row = |i| (0..6).map(|j| format!("{},", pixel(i, j))).collect::<String>() + &format!("{}\n", label(i));
    range.map(row).collect()
}

fn mnist(sandbox: &Sandbox) {
    std::fs::create_dir(sandbox.path("set")).unwrap();
    sandbox.file("set/train-images-idx3-ubyte.gz", gzipped(&images(0..60)));
    sandbox.file("set/train-labels-idx1-ubyte", labels(0..60));
}

#[test]
fn a_folder_a_file_and_a_table_are_one_problem() {
    let sandbox = Sandbox::new();
    mnist(&sandbox);
    sandbox.file("table.csv", table(0..60));
    let folder = sandbox.certified("set", "folder");
    let file = sandbox.certified("set/train-images-idx3-ubyte.gz", "file");
    let text = sandbox.certified("table.csv --no-header", "text");
    assert_eq!(folder["data"]["problem_sha256"], text["data"]["problem_sha256"]);
    assert_eq!(file["data"], {
        let mut data = folder["data"].clone();
        data["path"] = "set/train-images-idx3-ubyte.gz".into();
        data
    });
    let shown = sandbox.good("data show set").stdout;
    for line in [
        "rows       60\n",
        "columns    6 (dense",
        "target     the labels file: Classification",
        "note       labels: `set/",
    ] {
        assert!(shown.contains(line), "`{line}` is not in {shown}");
    }
}

#[test]
fn other_labels_are_another_problem() {
    let sandbox = Sandbox::new();
    mnist(&sandbox);
    sandbox.certified("set", "run");
    let mut changed = labels(0..60);
    changed[20] ^= 1;
    sandbox.file("set/train-labels-idx1-ubyte", changed);
    let checked = sandbox.run("check run --quiet");
    assert_eq!(checked.code, Some(1));
    assert!(checked.stdout.starts_with("s NOT VERIFIED problem: "), "{checked:?}");
}

#[test]
fn the_test_images_of_the_folder_are_held_out() {
    let sandbox = Sandbox::new();
    mnist(&sandbox);
    let alone = sandbox.certified("set", "alone");
    assert!(alone["valid"].is_null(), "{alone:#}");
    sandbox.file("set/t10k-images-idx3-ubyte", images(60..90));
    let used = |arguments: &str| sandbox.good(&format!("fit set {arguments}")).stderr;
    assert!(used("--out lonely").contains("`set/t10k-images-idx3-ubyte` is not used: no labels file stands beside it"));
    sandbox.file("set/t10k-labels-idx1-ubyte.gz", gzipped(&labels(60..90)));
    let both = sandbox.certified("set", "both");
    assert_eq!(both["data"]["problem_sha256"], alone["data"]["problem_sha256"]);
    assert_eq!((&both["upper"], &both["data"]["rows"]), (&alone["upper"], &60.into()));
    assert_eq!(both["valid"]["rows"], 30, "{both:#}");
    // What the model says of the rows that were held out is what `predict` says of their file.
    let predicted = sandbox.good("predict both set/t10k-images-idx3-ubyte");
    let right = predicted
        .stdout
        .lines()
        .skip(1)
        .zip(60..90)
        .filter(|(line, i)| line.split(',').next() == Some(&label(*i).to_string()));
    let accuracy = right.count() as f64 / 30.0;
    assert!((both["valid"]["accuracy"].as_f64().unwrap() - accuracy).abs() < 1e-12, "{both:#} {predicted:?}");
    assert!(used("--out target").contains("target     the labels file, classification (labels 0, 1)"));
    assert!(used("--out again").contains("held out for validation: the 30 images of `set/t10k-images-idx3-ubyte`"));
    assert!(used("--valid 0.2 --out split").contains("is not used: rows of the training images are held out"));
    sandbox.file("set/t10k-images-idx3-ubyte", idx(&[30, 5], (0..150).map(|i| i as u8)));
    sandbox.refused("fit set", &["set/t10k-images-idx3-ubyte", "expected held-out images of 6 pixels", "got 5"]);
}

#[test]
fn images_need_no_labels_to_be_predicted() {
    let sandbox = Sandbox::new();
    mnist(&sandbox);
    sandbox.certified("set", "run");
    let whole = sandbox.good("predict run set");
    sandbox.file("images", images(0..60));
    let bare = sandbox.good("predict run images");
    assert_eq!(bare.stdout, whole.stdout);
    assert!(whole.stderr.contains("metric     ") && !bare.stderr.contains("metric     "), "{whole:?} {bare:?}");
    assert!(bare.stderr.contains("there are no labels to compare with"), "{bare:?}");
}

#[test]
fn what_is_wrong_is_named() {
    let sandbox = Sandbox::new();
    std::fs::create_dir(sandbox.path("set")).unwrap();
    sandbox.refused("fit set", &["set: it is a folder without `train-images-idx3-ubyte` (or .gz)"]);
    sandbox.refused("fit set --format csv", &["set", "it is a folder; expected a file"]);
    sandbox.file("set/train-images-idx3-ubyte", images(0..60));
    let missing = "expected the labels of these images beside them, as `set/train-labels-idx1-ubyte` (or .gz)";
    sandbox.refused("fit set", &["set/train-images-idx3-ubyte", missing]);
    sandbox.file("set/train-labels-idx1-ubyte", labels(0..59));
    let counts = "expected one label for each of the 60 images of `set/train-images-idx3-ubyte`, got 59";
    sandbox.refused("fit set", &["set/train-labels-idx1-ubyte", counts]);
    sandbox.refused("fit set/train-labels-idx1-ubyte", &["got one dimension", "give the images file"]);
    sandbox.file("set/train-labels-idx1-ubyte", labels(0..60));
    for option in ["--target 1", "--sample-weight 1"] {
        sandbox
            .refused(&format!("fit set {option}"), &["IDX files have none: the labels stand in a file of their own"]);
    }
    let mut whole = images(0..60);
    whole.push(0);
    sandbox.file("set/train-images-idx3-ubyte", &whole);
    sandbox.refused("fit set", &["expected the file to end after its 360 elements (dimensions [60, 2, 3])"]);
    sandbox.file("set/train-images-idx3-ubyte", &whole[..200]);
    sandbox.refused("fit set", &["set/train-images-idx3-ubyte", "truncated"]);
    let compressed = gzipped(&whole);
    std::fs::remove_file(sandbox.path("set/train-images-idx3-ubyte")).unwrap();
    sandbox.file("set/train-images-idx3-ubyte.gz", &compressed[..compressed.len() / 2]);
    sandbox.refused("fit set", &["train-images-idx3-ubyte.gz", "gzip stream is damaged or truncated"]);
}

#[test]
fn fashion_mnist_as_it_is() {
    let Some(folder) = std::env::var_os("INFIMUM_DATA").map(|data| Path::new(&data).join("data/fashion-mnist")) else {
        eprintln!("INFIMUM_DATA is not set: Fashion-MNIST is not read");
        return;
    };
    let sandbox = Sandbox::new();
    let shown = sandbox.good(&format!("data show {}", folder.display())).stdout;
    let expected = [
        "rows       60000 for training\n",
        "held out   10000\n",
        "columns    784 (dense",
        "`0`: 6000 rows\n",
        "`9`: 6000 rows\n",
    ];
    for line in expected {
        assert!(shown.contains(line), "`{line}` is not in {shown}");
    }
}
