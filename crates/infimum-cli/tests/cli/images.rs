//! Folders of PNG and JPEG images.

use std::path::Path;

use png::{BitDepth, ColorType, Encoder};

use crate::sandbox::Sandbox;

const HEIGHT: u32 = 3;
const WIDTH: u32 = 2;

/// Value `j` of image `i` of a class: two overlapping classes.
fn value(class: u32, i: u32, j: u32) -> u8 {
    (i * 37 % 41 + j * (i * 23 % 29) + 60 * u32::from(class == j % 2)) as u8
}

fn png(color: ColorType, values: &[u8]) -> Vec<u8> {
    png_of(WIDTH, HEIGHT, color, values)
}

fn png_of(width: u32, height: u32, color: ColorType, values: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, width, height);
    encoder.set_color(color);
    encoder.set_depth(BitDepth::Eight);
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(values).unwrap();
    writer.finish().unwrap();
    bytes
}

fn values(class: u32, i: u32) -> Vec<u8> {
    (0..HEIGHT * WIDTH * 3).map(|j| value(class, i, j)).collect()
}

/// Images in colour, in folders `ankle` and `boot` of `folder`.
fn shoes(sandbox: &Sandbox, folder: &str, range: std::ops::Range<u32>) {
    for (class, name) in (0..).zip(["ankle", "boot"]) {
        std::fs::create_dir_all(sandbox.path(&format!("{folder}/{name}"))).unwrap();
        for i in range.clone() {
            sandbox.file(&format!("{folder}/{name}/{i:03}.png"), png(ColorType::Rgb, &values(class, i)));
        }
    }
}

#[test]
fn a_folder_and_a_table_are_one_problem() {
    let sandbox = Sandbox::new();
    shoes(&sandbox, "set", 0..25);
    let row = |class, name: &str, i| values(class, i).iter().map(|x| format!("{x},")).collect::<String>() + name + "\n";
    let rows = (0..25).map(|i| row(0, "ankle", i)).chain((0..25).map(|i| row(1, "boot", i)));
    sandbox.file("table.csv", rows.collect::<String>());
    let folder = sandbox.certified("set", "folder");
    let table = sandbox.certified("table.csv --no-header", "table");
    assert_eq!(folder["data"]["problem_sha256"], table["data"]["problem_sha256"]);
    let shown = sandbox.good("data show set").stdout;
    for line in [
        "data       set (Images)\n",
        "rows       50\n",
        "columns    18 (dense",
        "target     the images' folders: Classification\n",
        "`boot`: 25 rows\n",
        "3 × 2 pixels (height × width), in colour: `input = [3, 2, 3]`",
    ] {
        assert!(shown.contains(line), "`{line}` is not in {shown}");
    }
    // Another image is another problem, and a run of a folder that is gone cannot be checked.
    sandbox.file("set/boot/007.png", png(ColorType::Rgb, &values(0, 7)));
    let checked = sandbox.run("check folder --quiet");
    assert_eq!(checked.code, Some(1));
    assert!(checked.stdout.starts_with("s NOT VERIFIED problem: "), "{checked:?}");
}

#[test]
fn a_convolution_is_trained_audited_and_predicts() {
    let sandbox = Sandbox::new();
    shoes(&sandbox, "set/train", 0..25);
    shoes(&sandbox, "set/test", 25..35);
    sandbox.file(
        "net.toml",
        "input = [3, 2, 3]\n[[layer]]\nkind = \"convolution\"\nchannels = 4\nkernel = [2, 2]\n[[layer]]\nkind = \"activation\"\nfunction = \"relu\"\n[[layer]]\nkind = \"flatten\"\n[[layer]]\nkind = \"dense\"\nunits = 1\n",
    );
    let deep = sandbox.certified("set --net net.toml --epochs 5 --l2 1e-2 --threads 1", "deep");
    assert_eq!((&deep["data"]["rows"], &deep["valid"]["rows"]), (&50.into(), &20.into()), "{deep:#}");
    sandbox.good("audit deep/model.onnx --data set --l2 1e-2 --out audited");
    let linear = sandbox.certified("set", "linear");
    assert_eq!(linear["valid"]["rows"], 20, "{linear:#}");
    // Folders with classes are compared, images without are not; one image is a folder of one.
    let whole = sandbox.good("predict linear set/test");
    assert_eq!(whole.stdout.lines().count(), 21);
    assert!(whole.stderr.contains("metric     "), "{whole:?}");
    let bare = sandbox.good("predict linear set/test/boot");
    let boots = |text: &str| text.lines().rev().take(10).map(str::to_string).collect::<Vec<_>>();
    assert_eq!(boots(&bare.stdout), boots(&whole.stdout));
    assert!(!bare.stderr.contains("metric     "), "{bare:?}");
    let one = sandbox.good("predict linear set/test/boot/030.png");
    assert_eq!(one.stdout.lines().nth(1), bare.stdout.lines().nth(6));
    sandbox.file("grey.png", png(ColorType::Grayscale, &[0; 6]));
    sandbox.refused(
        "predict linear grey.png",
        &[
            "grey.png: expected images of 3 × 2 pixels (height × width), in colour, as the model was trained on",
            "got 3 × 2 pixels (height × width), grey",
        ],
    );
    // As many values in another shape are other images.
    sandbox.file("turned.png", png_of(HEIGHT, WIDTH, ColorType::Rgb, &[0; 18]));
    sandbox.refused("predict linear turned.png", &["turned.png: expected images of 3 × 2", "got 2 × 3 pixels"]);
}

#[test]
fn threshold_units_read_images_too() {
    let sandbox = Sandbox::new();
    shoes(&sandbox, "set", 0..6);
    let ran = sandbox.run("decide set --out run");
    assert!(matches!(ran.code, Some(10 | 20)), "{ran:?}");
    sandbox.good("check run --quiet");
    sandbox.refused("decide set --target 1", &["images have none: the folder that an image lies in is its class"]);
}

#[test]
fn what_is_wrong_is_named() {
    let sandbox = Sandbox::new();
    std::fs::create_dir_all(sandbox.path("set/ankle")).unwrap();
    sandbox.refused(
        "fit set",
        &["set: it is a folder without", "and without images in folders", "a folder of images for each class"],
    );
    sandbox.refused("fit set --format images", &["set/ankle: expected images of this class"]);
    sandbox.file("set/ankle/1.png", png(ColorType::Rgb, &values(0, 1)));
    sandbox.refused("fit set", &["classification needs at least two classes"]);
    shoes(&sandbox, "set", 0..3);
    sandbox.file("set/boot/grey.png", png(ColorType::Grayscale, &[0; 6]));
    let sizes = "expected an image of 3 × 2 pixels (height × width), in colour, as `set/ankle/000.png` is";
    sandbox.refused("fit set", &["set/boot/grey.png", sizes, "got 3 × 2 pixels (height × width), grey"]);
    std::fs::remove_file(sandbox.path("set/boot/grey.png")).unwrap();
    sandbox.file("set/boot/cut.jpg", [0xff, 0xd8, 0xff, 0xe0]);
    sandbox.refused("fit set", &["set/boot/cut.jpg", "damaged or truncated"]);
    sandbox.file("set/boot/cut.jpg", "text");
    sandbox.refused("fit set", &["set/boot/cut.jpg", "expected a PNG or JPEG image, got"]);
    sandbox.refused("fit set/boot/000.png", &["expected a folder with a folder of images for each class, got a file"]);
    sandbox.refused("fit set --task regression", &["expected a loss for classes"]);
    sandbox.refused("fit set --format csv", &["set", "it is a folder; expected a file"]);
    assert!(!Path::new(&sandbox.path("runs")).exists());
}
