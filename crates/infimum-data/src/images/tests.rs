use std::path::Path;

use infimum_problem::{Matrix, Recipe, Split};
use png::{BitDepth, ColorType, Encoder};

use super::*;
use crate::canonical::{Loaded, ValidationTarget, load, rebuild};

/// A PNG of one kind; the bytes of its rows as they are stored.
fn png(width: u32, height: u32, color: ColorType, depth: BitDepth, values: &[u8]) -> Vec<u8> {
    png_with(width, height, color, depth, values, |_| ())
}

fn png_with(
    width: u32,
    height: u32,
    color: ColorType,
    depth: BitDepth,
    values: &[u8],
    set: impl FnOnce(&mut Encoder<&mut Vec<u8>>),
) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, width, height);
    encoder.set_color(color);
    encoder.set_depth(depth);
    set(&mut encoder);
    let mut writer = encoder.write_header().expect("memory");
    writer.write_image_data(values).expect("memory");
    writer.finish().expect("memory");
    bytes
}

fn grey(width: u32, height: u32, values: &[u8]) -> Vec<u8> {
    png(width, height, ColorType::Grayscale, BitDepth::Eight, values)
}

/// A file of tests/data.
fn made(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name);
    std::fs::read(path).expect("a file of the repository")
}

fn values(bytes: &[u8]) -> Result<(Shape, Vec<u8>), String> {
    decode(bytes, |_| Ok(()))
}

/// A folder with these files; returns what keeps it and its path.
fn folder(files: &[(&str, Vec<u8>)]) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (name, bytes) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a name")).expect("a folder");
        std::fs::write(path, bytes).expect("a file");
    }
    let path = folder.path().to_str().expect("UTF-8").to_string();
    (folder, path)
}

fn dense(matrix: &Matrix) -> Vec<Vec<f64>> {
    (0..matrix.rows())
        .map(|i| {
            let mut row = vec![0.0; matrix.columns()];
            matrix.row(i).for_each(|j, x| row[j] = x);
            row
        })
        .collect()
}

fn shape(height: usize, width: usize, channels: usize) -> Shape {
    Shape { height, width, channels }
}

#[test]
fn every_kind_of_png_has_the_values_of_its_pixels() {
    use BitDepth::{Eight, Four, One, Two};
    use ColorType::{Grayscale, GrayscaleAlpha, Indexed, Rgb, Rgba};
    let same = [1, 2, 3, 4, 5, 250];
    assert_eq!(values(&grey(3, 2, &same)), Ok((shape(2, 3, 1), same.to_vec())));
    assert_eq!(values(&png(2, 1, Rgb, Eight, &same)), Ok((shape(1, 2, 3), same.to_vec())));
    assert_eq!(values(&png(4, 1, Grayscale, One, &[0b1010_0000])), Ok((shape(1, 4, 1), vec![255, 0, 255, 0])));
    assert_eq!(values(&png(4, 1, Grayscale, Two, &[0b0001_1011])), Ok((shape(1, 4, 1), vec![0, 85, 170, 255])));
    assert_eq!(values(&png(2, 1, Grayscale, Four, &[0x1f])), Ok((shape(1, 2, 1), vec![17, 255])));
    let palette = |trns: Option<&'static [u8]>| {
        png_with(2, 1, Indexed, One, &[0b0100_0000], |encoder| {
            encoder.set_palette(&[1u8, 2, 3, 9, 8, 7][..]);
            if let Some(trns) = trns {
                encoder.set_trns(trns);
            }
        })
    };
    let colours = Ok((shape(1, 2, 3), vec![1, 2, 3, 9, 8, 7]));
    assert_eq!(values(&palette(None)), colours);
    assert_eq!(values(&palette(Some(&[255, 255]))), colours);
    // Alpha is left out where nothing is transparent.
    assert_eq!(values(&png(2, 1, GrayscaleAlpha, Eight, &[7, 255, 8, 255])), Ok((shape(1, 2, 1), vec![7, 8])));
    assert_eq!(values(&png(1, 1, Rgba, Eight, &[7, 8, 9, 255])), Ok((shape(1, 1, 3), vec![7, 8, 9])));
    for transparent in [png(1, 1, Rgba, Eight, &[7, 8, 9, 254]), palette(Some(&[255, 0]))] {
        assert!(values(&transparent).is_err_and(|why| why.contains("without transparent pixels")));
    }
}

#[test]
fn jpegs_are_near_what_another_decoder_says_and_the_same_everywhere() {
    // The bytes that this version gives: others would be another canonical problem.
    for (name, channels, furthest, sha256) in [
        ("colour", 3, 8, "79b56b52682a0d468f1f313fc842d7194b789c184c4cf0a4861c04d4c290e2a8"),
        ("progressive", 3, 3, "d6559fea69ea12c5a4d5deeb76fe403e2c684c7e2486a71ee40eaecab57c6343"),
        ("grey", 1, 3, "2140d109a7ddb6bcd0ec04d15b725efad952f394f9272eca64375ca2cef2e47b"),
    ] {
        let (size, got) = values(&made(&format!("{name}.jpg"))).expect(name);
        assert_eq!(size, shape(13, 22, channels));
        let expected = made(&format!("{name}.pixels"));
        let most = got.iter().zip(&expected).map(|(a, b)| a.abs_diff(*b)).max();
        assert!(got.len() == expected.len() && most <= Some(furthest), "{name}: {most:?}");
        assert_eq!(hex(&Sha256::digest(&got)), sha256, "{name}");
    }
}

#[test]
fn damaged_files_are_refused() {
    let whole = grey(3, 2, &[1, 2, 3, 4, 5, 6]);
    let (colour, progressive) = (made("colour.jpg"), made("progressive.jpg"));
    for image in [&whole, &colour, &progressive] {
        for length in 0..image.len() {
            assert!(values(&image[..length]).is_err(), "the first {length} bytes");
        }
    }
    for place in 8..whole.len() {
        let mut changed = whole.clone();
        changed[place] ^= 0x10;
        assert!(values(&changed).is_err(), "byte {place}");
    }
    for (bytes, expected) in [
        (&b""[..], "expected a PNG or JPEG image, got an empty file"),
        (b"hello\n", "got a file that begins with 68 65 6c 6c 6f 0a"),
        (&made("cmyk.jpg"), "expected a JPEG in grey, YCbCr or RGB, got"),
        (&png(1, 1, ColorType::Grayscale, BitDepth::Sixteen, &[1, 2]), "expected at most 8 bits per channel, got 16"),
    ] {
        let error = values(bytes).expect_err(expected);
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn claimed_sizes_are_refused_before_they_are_believed() {
    // Only the header says so; no pixels follow.
    let claims = |width: u32, height: u32| {
        let mut bytes = Vec::new();
        let mut encoder = Encoder::new(&mut bytes, width, height);
        encoder.set_color(ColorType::Rgb);
        drop(encoder.write_header().expect("memory"));
        bytes
    };
    for (width, height) in [(1 << 30, 1 << 30), (1 << 17, 1), (1 << 14, 1 << 13)] {
        let error = values(&claims(width, height)).expect_err("too large");
        assert!(error.contains("at most 67108864 values") || error.contains("damaged"), "{error}");
    }
    let mut large = made("grey.jpg");
    let frame = large.windows(2).position(|pair| pair == [0xff, 0xc0]).expect("a frame");
    large[frame + 5..frame + 9].fill(0xff);
    assert!(values(&large).is_err());
}

/// Two classes of two images each, `cat` and `dog`, and files that are none.
fn pets() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("dog/b.png", grey(2, 1, &[30, 31])),
        ("dog/a.PNG", grey(2, 1, &[20, 21])),
        ("cat/10.png", grey(2, 1, &[0, 1])),
        ("cat/9.png", grey(2, 1, &[10, 11])),
        ("cat/.hidden.png", b"no image".to_vec()),
        (".cache/x.png", b"no image".to_vec()),
        ("cat/notes.txt", b"text".to_vec()),
        ("LICENSE", b"text".to_vec()),
    ]
}

fn loaded(path: &str) -> Loaded {
    load(path, &Request::default()).expect("images")
}

#[test]
fn a_folder_is_the_table_of_its_pixels() {
    let (kept, path) = folder(&pets());
    let images = loaded(&path);
    let rows = [[0.0, 1.0], [10.0, 11.0], [20.0, 21.0], [30.0, 31.0]];
    assert_eq!(dense(&images.problem.data.matrix), rows);
    assert_eq!(images.problem.data.labels(), ["cat", "dog"]);
    assert_eq!(images.recipe.format, Format::Images);
    let notes = images.notes.join("\n");
    assert!(notes.contains("1 × 2 pixels (height × width), grey: `input = [1, 2, 1]`"), "{notes}");
    assert!(notes.contains("2 files that are not called .png, .jpg or .jpeg are not read"), "{notes}");
    std::fs::write(kept.path().join("t.csv"), "0,1,cat\n10,11,cat\n20,21,dog\n30,31,dog\n").expect("a file");
    let table =
        load(&format!("{path}/t.csv"), &Request { header: Some(false), ..Request::default() }).expect("a table");
    assert_eq!(images.problem_sha256, table.problem_sha256);
    let again = rebuild(&path, &images.recipe, None).expect("the recipe is enough");
    assert_eq!((again.problem, again.problem_sha256), (images.problem, images.problem_sha256));
    assert_eq!(again.source, images.source);
}

#[test]
fn the_hash_of_the_source_holds_names_and_bytes() {
    let source = |files: &[(&str, Vec<u8>)]| {
        let (_kept, path) = folder(files);
        loaded(&path).source.sha256
    };
    let usual = source(&pets());
    assert_eq!(usual, source(&pets()[..4]));
    let mut renamed = pets();
    renamed[0].0 = "dog/c.png";
    let mut recompressed = pets();
    recompressed[0].1 = png_with(2, 1, ColorType::Grayscale, BitDepth::Eight, &[30, 31], |encoder| {
        encoder.set_compression(png::Compression::NoCompression);
    });
    assert!(usual != source(&renamed) && usual != source(&recompressed));
}

#[test]
fn train_and_val_or_test_are_training_and_held_out() {
    let at = |part: &str| {
        pets().into_iter().take(4).map(|(name, bytes)| (format!("{part}/{name}"), bytes)).collect::<Vec<_>>()
    };
    let all = |parts: &[&str]| parts.iter().flat_map(|part| at(part)).collect::<Vec<_>>();
    let read = |parts: &[&str], more: &[(&str, Vec<u8>)], request: &Request| {
        let files = all(parts);
        let mut files: Vec<(&str, Vec<u8>)> =
            files.iter().map(|(name, bytes)| (name.as_str(), bytes.clone())).collect();
        files.extend_from_slice(more);
        let (_kept, path) = folder(&files);
        load(&path, request).map_err(|error| error.to_string().replace(&path, "SET"))
    };
    let unknown = ("test/emu/1.png", grey(2, 1, &[7, 7]));
    let usual = Request::default();
    let both = read(&["train", "test"], &[unknown], &usual).expect("images");
    let held_out = both.validation.expect("held-out images");
    assert_eq!(dense(&held_out.matrix)[2..], [[20.0, 21.0], [30.0, 31.0], [7.0, 7.0]]);
    assert_eq!(held_out.target, ValidationTarget::Classes(vec![Some(0), Some(0), Some(1), Some(1), None]));
    let alone = read(&["train"], &[], &usual).expect("images");
    assert!(alone.validation.is_none());
    assert_eq!(alone.problem_sha256, both.problem_sha256);
    let three = read(&["train", "test", "val"], &[], &usual).expect("images");
    let notes = three.notes.join("\n");
    assert!(
        notes.contains("the 4 images of") && notes.contains("/val`") && notes.contains("`test` is not used"),
        "{notes}"
    );
    let split = Request { split: Some(Split { fraction: 0.25, seed: 0 }), ..Request::default() };
    let split = read(&["train", "test"], &[], &split).expect("images");
    assert!(split.notes.join("\n").contains("/test` is not used: rows of the training images"), "{:?}", split.notes);
    assert_eq!(split.validation.expect("a split").matrix.rows(), 1);
    let wide = ("test/dog/z.png", grey(1, 2, &[7, 7]));
    let error = read(&["train", "test"], &[wide], &usual).expect_err("another shape");
    assert_eq!(
        error,
        "SET/test/dog/z.png: expected an image of 1 × 2 pixels (height × width), grey, as `SET/train/cat/10.png` is, \
         got 2 × 1 pixels (height × width), grey"
    );
    // A class may be called train.
    let (_kept, path) = folder(&[("train/a.png", grey(1, 1, &[1])), ("tram/a.png", grey(1, 1, &[2]))]);
    assert_eq!(loaded(&path).problem.data.labels(), ["train", "tram"]);
}

#[test]
fn what_is_wrong_is_named() {
    let colour = png(2, 1, ColorType::Rgb, BitDepth::Eight, &[0; 6]);
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("cat/text.png", b"text".to_vec(), "SET/cat/text.png: expected a PNG or JPEG image"),
        ("cat/cut.png", grey(2, 1, &[1, 2])[..40].to_vec(), "SET/cat/cut.png: the image is damaged or truncated"),
        (
            "cat/z.png",
            colour,
            "SET/cat/z.png: expected an image of 1 × 2 pixels (height × width), grey, as `SET/cat/10.png` is, got 1 × 2 pixels (height × width), in colour",
        ),
        ("emu/text.txt", b"text".to_vec(), "SET/emu: expected images of this class"),
        ("cat/more/1.png", grey(2, 1, &[1, 2]), "SET/cat/more: expected images in this place, got a folder"),
        ("1.png", grey(2, 1, &[1, 2]), "SET/1.png: expected the images in folders, one for each class"),
    ];
    for (name, bytes, expected) in cases {
        let mut files = pets();
        files.push((name, bytes));
        let (_kept, path) = folder(&files);
        let error = load(&path, &Request::default()).expect_err(expected).to_string().replace(&path, "SET");
        assert!(error.starts_with(expected), "{error}");
    }
    let same = [("1/a.png", grey(1, 1, &[1])), ("01/a.png", grey(1, 1, &[2]))];
    for (files, expected) in [
        (&[][..], "it is a folder without `train-images-idx3-ubyte` (or .gz), and without images in folders"),
        (&pets()[..2], "classification needs at least two classes"),
        (&same[..], "the folders `01` and `1` are the same label `1`"),
    ] {
        let (_kept, path) = folder(files);
        let error = load(&path, &Request::default()).expect_err(expected).to_string();
        assert!(error.contains(expected), "{error}");
    }
    let (_kept, path) = folder(&pets());
    for request in [
        Request { task: Some(Task::Regression), ..Request::default() },
        Request { loss: Some(infimum_problem::Loss::Squared), ..Request::default() },
        Request { target: Some("1".into()), ..Request::default() },
    ] {
        let error = load(&path, &request).expect_err("no such target").to_string();
        assert!(error.contains("expected a loss for classes") || error.contains("images have none"), "{error}");
    }
    let error = load(&format!("{path}/cat/9.png"), &Request::default()).expect_err("a file").to_string();
    assert!(error.contains("expected a folder with a folder of images for each class, got a file"), "{error}");
}

#[test]
fn many_images_are_in_order_whatever_the_threads() {
    let names: Vec<String> = (0..300).map(|i| format!("{}/{i:03}.png", ["cat", "dog"][i % 2])).collect();
    let files: Vec<(&str, Vec<u8>)> =
        names.iter().enumerate().map(|(i, name)| (name.as_str(), grey(1, 1, &[(i % 256) as u8]))).collect();
    let (_kept, path) = folder(&files);
    let expected: Vec<Vec<f64>> =
        (0..300).step_by(2).chain((1..300).step_by(2)).map(|i| vec![f64::from(i % 256)]).collect();
    for threads in [1, 3] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
        assert_eq!(dense(&pool.install(|| loaded(&path)).problem.data.matrix), expected);
    }
}

#[test]
fn a_limit_on_memory_is_kept() {
    let (_kept, path) = folder(&pets());
    let request = |bytes| Request { memory: Some(Memory::in_blocks(bytes, 1 << 16)), ..Request::default() };
    assert!(load(&path, &request(32)).is_ok());
    assert!(load(&path, &request(31)).is_err_and(|error| error.to_string().contains("--memory")));
}

/// Everything that a checker needs is in the recipe.
#[test]
fn recipes_are_written_and_read() {
    let (_kept, path) = folder(&pets());
    let recipe = loaded(&path).recipe;
    let text = serde_json::to_string(&recipe).expect("JSON");
    assert!(text.contains("\"format\":\"images\""), "{text}");
    assert_eq!(serde_json::from_str::<Recipe>(&text).expect("JSON"), recipe);
}
