//! IDX files, the format of MNIST: images in one file, their labels in another.
//!
//! A file is two zero bytes, a byte for the type of its elements, a byte for the number k of its dimensions, k sizes as
//! big-endian u32, and the elements in big-endian C order (Y. LeCun, C. Cortes, *The MNIST database*). The first dimension of
//! images counts them; the others become one row of the matrix, in the order of the file. Sizes that a file claims are
//! believed only as far as its bytes can bear them out.

use std::path::Path;

use infimum_problem::{ColumnNames, DenseMatrix, Format, Matrix, Values};

use crate::arrays::{check, check_width, targets};
use crate::canonical::Request;
use crate::error::DataError;
use crate::npy::{Array, Kind, read_values};
use crate::numbers::Numbers;
use crate::raw::{Encode, Raw, RawTarget, plain, refuse_columns};
use crate::source::Source;

/// What a folder is to hold, by MNIST's own names, and what is held out where it is there too.
const TRAINING: &str = "train-images-idx3-ubyte";
const HELD_OUT: &str = "t10k-images-idx3-ubyte";

/// Whether these are the first bytes of an IDX file. No text begins with zero bytes.
pub(crate) fn is_idx(head: &[u8]) -> bool {
    matches!(head, [0, 0, code, dimensions, ..] if kind(*code).is_some() && *dimensions > 0)
}

/// The element type of a code.
fn kind(code: u8) -> Option<Kind> {
    let (letter, size) = match code {
        0x08 => (b'u', 1),
        0x09 => (b'i', 1),
        0x0b => (b'i', 2),
        0x0c => (b'i', 4),
        0x0d => (b'f', 4),
        0x0e => (b'f', 8),
        _ => return None,
    };
    Some(Kind { letter, size, big_endian: true })
}

/// Reads the images file or the folder `name`.
pub(crate) fn read_idx(name: &str, request: &Request, encode: &Encode) -> Result<Raw, DataError> {
    let folder = Path::new(name).is_dir();
    let (images, labels) = files(name)?;
    let open = |digest| match &labels {
        Some(labels) => Source::open_after(labels, digest),
        None => Err(without_labels(&images)),
    };
    let mut raw = read_pair(Source::open(&images)?, open, request, encode)?;
    if let (Some(labels), Encode::Fresh) = (&labels, encode) {
        raw.notes.push(format!("labels: `{labels}`"));
    }
    let other = in_folder(name, HELD_OUT).filter(|_| folder && matches!(encode, Encode::Fresh));
    if let Some(other) = other {
        hold_out(&mut raw, &other, request)?;
    }
    Ok(raw)
}

/// The images file that `name` means, and its labels file where it is there.
pub(crate) fn files(name: &str) -> Result<(String, Option<String>), DataError> {
    let images = if Path::new(name).is_dir() {
        in_folder(name, TRAINING).ok_or_else(|| {
            let message =
                format!("it is a folder without `{TRAINING}` (or .gz), and without images in folders; expected a file, a folder of IDX files, or one with a folder of images for each class");
            DataError::input(name, message)
        })?
    } else {
        name.to_string()
    };
    let labels = beside(&images);
    Ok((images, labels))
}

/// Reads MNIST's own test images as held-out rows, unless rows of the training images are to be held out.
fn hold_out(raw: &mut Raw, images: &str, request: &Request) -> Result<(), DataError> {
    let why = match beside(images) {
        _ if request.split.is_some() => "rows of the training images are held out",
        None => "no labels file stands beside it",
        Some(labels) => {
            let open = |digest| Source::open_after(&labels, digest);
            let other = read_pair(Source::open(images)?, open, &Request::default(), &Encode::Fresh)?;
            if other.matrix.columns() != raw.matrix.columns() {
                let message = format!(
                    "expected held-out images of {} pixels, as the training images have, got {}",
                    raw.matrix.columns(),
                    other.matrix.columns()
                );
                return Err(DataError::input(images, message));
            }
            raw.notes.push(format!("held out for validation: the {} images of `{images}`", other.matrix.rows()));
            raw.held_out = Some((other.matrix, other.target));
            return Ok(());
        }
    };
    raw.notes.push(format!("`{images}` is not used: {why}"));
    Ok(())
}

pub(crate) fn without_labels(images: &str) -> DataError {
    let message = match labels_name(images) {
        Some(labels) => {
            format!("expected the labels of these images beside them, as `{labels}` (or .gz); there is no such file")
        }
        None => "expected a name with `images` in it, beside which a file with `labels` in its place holds the labels"
            .into(),
    };
    DataError::input(images, message)
}

/// The file of that name in a folder, compressed or not.
fn in_folder(folder: &str, file: &str) -> Option<String> {
    present(&format!("{}/{file}", folder.trim_end_matches('/')), false)
}

/// The path as it is or with `.gz`, whichever is a file; `compressed` is looked for first if both are.
fn present(path: &str, compressed: bool) -> Option<String> {
    let mut candidates = [path.to_string(), format!("{path}.gz")];
    if compressed {
        candidates.reverse();
    }
    candidates.into_iter().find(|path| Path::new(path).is_file())
}

/// The labels file of an images file, where it is there.
fn beside(images: &str) -> Option<String> {
    present(&labels_name(images)?, images.ends_with(".gz"))
}

/// The usual name of the labels, without `.gz`: the last `images` in the file's name is `labels`, and `idx` and the digit behind
/// it, if any, `idx1`.
fn labels_name(images: &str) -> Option<String> {
    let plain = images.strip_suffix(".gz").unwrap_or(images);
    let start = plain.rfind('/').map_or(0, |slash| slash + 1);
    let place = start + plain[start..].rfind("images")?;
    let (before, after) = (&plain[..place], &plain[place + "images".len()..]);
    let after = match after.find("idx") {
        Some(idx) if after[idx + 3..].starts_with(|c: char| c.is_ascii_digit()) => {
            format!("{}idx1{}", &after[..idx], &after[idx + 4..])
        }
        _ => after.to_string(),
    };
    Some(format!("{before}labels{after}"))
}

/// Reads images and labels; `open_labels` continues the hash of the images' stored bytes. When predicting, images need no
/// labels.
pub(crate) fn read_pair(
    mut images: Source,
    open_labels: impl FnOnce(crate::digest::StreamDigest) -> Result<Source, DataError>,
    request: &Request,
    encode: &Encode,
) -> Result<Raw, DataError> {
    let name = images.name.clone();
    refuse_columns(&name, request, "IDX files have none: the labels stand in a file of their own")?;
    let Array::<Values> { shape, values, usable } = read_array(&mut images)?;
    let (rows, columns) = rows_and_columns(&shape, &name)?;
    if !usable {
        check(values.iter(), columns, &name, |column| column)?;
    }
    check_width(&name, columns, encode)?;
    let (mut target, mut notes) = (RawTarget::Absent, Vec::new());
    let labels = open_labels(images.digest()?).and_then(|source| read_labels(source, rows, &name, encode));
    let sha256 = match (labels, encode) {
        (Ok((labels, sha256)), _) => {
            target = RawTarget::Numeric(labels);
            sha256
        }
        (Err(error), Encode::Fresh) => return Err(error),
        (Err(error), Encode::Fixed { .. }) => {
            notes.push(format!("there are no labels to compare with: {error}"));
            String::new()
        }
    };
    Ok(Raw {
        matrix: Matrix::Dense(DenseMatrix { rows, columns, values: values.narrowed() }),
        names: ColumnNames::numbered(columns),
        encoding: plain(columns),
        target,
        weights: None,
        held_out: None,
        sha256,
        format: Format::Idx,
        header: false,
        target_name: String::new(),
        weight_name: None,
        notes,
    })
}

/// How many images there are, and of how many pixels.
pub(crate) fn rows_and_columns(shape: &[usize], name: &str) -> Result<(usize, usize), DataError> {
    let [rows, ref sides @ ..] = *shape else {
        return Err(DataError::input(name, "expected images, got no dimension"));
    };
    if sides.is_empty() {
        let message = "expected images (two or more dimensions), got one dimension, as files of labels have; give the images file";
        return Err(DataError::input(name, message));
    }
    // The product of all sizes has been formed, but a size 0 may hide that the others overflow.
    let columns = sides.iter().try_fold(1usize, |columns, &side| columns.checked_mul(side));
    let columns = columns.ok_or_else(|| DataError::input(name, format!("images of shape {sides:?} are too large")))?;
    Ok((rows, columns))
}

/// One label for each of the `rows` images, and the hash of both files.
fn read_labels(
    mut source: Source,
    rows: usize,
    images: &str,
    encode: &Encode,
) -> Result<(Vec<f64>, String), DataError> {
    let Array::<Vec<f64>> { values, .. } = label_values(&mut source, rows, images)?;
    let labels = targets(values, encode, &source.name, 0)?;
    Ok((labels, source.sha256()?))
}

/// One number for each of the `rows` images.
pub(crate) fn label_values<N: Numbers>(source: &mut Source, rows: usize, images: &str) -> Result<Array<N>, DataError> {
    let array: Array<N> = read_array(source)?;
    let Array { shape, values, .. } = &array;
    if shape.len() != 1 {
        let message = format!("expected labels (one dimension), got shape {shape:?}");
        return Err(DataError::input(&source.name, message));
    }
    if values.len() != rows {
        let message = format!("expected one label for each of the {rows} images of `{images}`, got {}", values.len());
        return Err(DataError::input(&source.name, message));
    }
    Ok(array)
}

/// Reads one IDX file to its end.
pub(crate) fn read_array<N: Numbers>(source: &mut Source) -> Result<Array<N>, DataError> {
    let (name, most) = (source.name.clone(), source.most_bytes());
    let bad = |message: String| DataError::input(&name, message);
    let truncated = |what: &str| bad(format!("the file ends within {what}; it is truncated"));
    let mut exact = |buffer: &mut [u8], what: &str| {
        if source.fill(buffer)? == buffer.len() { Ok(()) } else { Err(truncated(what)) }
    };
    let mut magic = [0u8; 4];
    exact(&mut magic, "its magic number")?;
    let kind = match magic {
        [0, 0, code, dimensions] if dimensions > 0 => kind(code),
        _ => None,
    };
    let kind = kind.ok_or_else(|| {
        let expected = "two zero bytes, a type (08, 09, 0b, 0c, 0d or 0e) and a number of dimensions from 1";
        let [a, b, c, d] = magic;
        bad(format!("expected the magic number of an IDX file ({expected}), got {a:02x} {b:02x} {c:02x} {d:02x}"))
    })?;
    let mut sizes = vec![0u8; 4 * usize::from(magic[3])];
    exact(&mut sizes, "its dimensions")?;
    let shape: Vec<usize> = sizes.as_chunks::<4>().0.iter().map(|&size| u32::from_be_bytes(size) as usize).collect();
    let count = shape.iter().try_fold(1usize, |count, &side| count.checked_mul(side));
    let Some(count) = count.filter(|&count| (count as u64).saturating_mul(kind.size as u64) <= most) else {
        return Err(bad(format!("the file is too short for its dimensions {shape:?}; it is truncated")));
    };
    let (values, usable) = read_values(&mut exact, kind, count, &name)?;
    if source.fill(&mut [0])? != 0 {
        return Err(bad(format!(
            "expected the file to end after its {count} elements (dimensions {shape:?}); it goes on"
        )));
    }
    Ok(Array { shape, values, usable })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file of bytes that claims `shape`.
    fn idx(code: u8, shape: &[u32], values: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0, 0, code, shape.len() as u8];
        bytes.extend(shape.iter().flat_map(|side| side.to_be_bytes()));
        bytes.extend(values);
        bytes
    }

    fn read(images: Vec<u8>, labels: Vec<u8>) -> Result<Raw, String> {
        let images = Source::from_bytes("images", images).expect("memory");
        let labels = |digest| Source::from_bytes_after("labels", labels, digest);
        read_pair(images, labels, &Request::default(), &Encode::Fresh).map_err(|error| error.to_string())
    }

    fn values(raw: &Raw) -> Vec<f64> {
        let Matrix::Dense(dense) = &raw.matrix else { panic!("dense") };
        dense.values.iter().collect()
    }

    #[test]
    fn pixels_and_labels_are_the_bytes() {
        let pixels: Vec<u8> = (0..=255).chain(0..=255).collect();
        let raw = read(idx(8, &[2, 16, 16], &pixels), idx(8, &[2], &[7, 255])).expect("read");
        let expected: Vec<f64> = pixels.iter().map(|&pixel| f64::from(pixel)).collect();
        assert_eq!(values(&raw), expected);
        assert_eq!((raw.matrix.rows(), raw.matrix.columns(), raw.names.name(255)), (2, 256, "256".into()));
        assert!(matches!(&raw.target, RawTarget::Numeric(labels) if *labels == [7.0, 255.0]));
        let both = [idx(8, &[2, 16, 16], &pixels), idx(8, &[2], &[7, 255])].concat();
        let digest = <sha2::Sha256 as sha2::Digest>::digest(&both);
        assert_eq!(raw.sha256, crate::source::hex(&digest));
    }

    #[test]
    fn every_element_type_is_big_endian() {
        let cases: [(u8, Vec<u8>, [f64; 2]); 6] = [
            (0x08, vec![200, 1], [200.0, 1.0]),
            (0x09, vec![200, 1], [-56.0, 1.0]),
            (0x0b, [-300i16, 2].iter().flat_map(|x| x.to_be_bytes()).collect(), [-300.0, 2.0]),
            (0x0c, [-70_000i32, 2].iter().flat_map(|x| x.to_be_bytes()).collect(), [-70_000.0, 2.0]),
            (0x0d, [0.1f32, -2.5].iter().flat_map(|x| x.to_be_bytes()).collect(), [f64::from(0.1f32), -2.5]),
            (0x0e, [0.1f64, -2.5].iter().flat_map(|x| x.to_be_bytes()).collect(), [0.1, -2.5]),
        ];
        for (code, bytes, expected) in cases {
            let raw = read(idx(code, &[2, 1], &bytes), idx(8, &[2], &[0, 1])).expect("read");
            assert_eq!(values(&raw), expected, "{code:02x}");
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        let images = || idx(8, &[2, 2, 1], &[1, 2, 3, 4]);
        let labels = || idx(8, &[2], &[0, 1]);
        let nan: Vec<u8> = [1.0f32, f32::NAN].iter().flat_map(|x| x.to_be_bytes()).collect();
        for (images, labels, expected) in [
            (vec![0, 0], labels(), "images: the file ends within its magic number"),
            (vec![0, 1, 8, 3], labels(), "images: expected the magic number of an IDX file"),
            (idx(7, &[2, 1], &[1, 2]), labels(), "got 00 00 07 02"),
            (vec![0, 0, 8, 0], labels(), "got 00 00 08 00"),
            (vec![0, 0, 8, 3, 0, 0], labels(), "images: the file ends within its dimensions"),
            (idx(8, &[2, 2, 1], &[1]), labels(), "images: the file ends within its values"),
            (idx(8, &[u32::MAX, u32::MAX, u32::MAX], &[1]), labels(), "too short for its dimensions"),
            (idx(8, &[2, 1], &[1, 2, 3]), labels(), "expected the file to end after its 2 elements"),
            (idx(8, &[2], &[1, 2]), labels(), "give the images file"),
            (idx(8, &[0, u32::MAX, u32::MAX, u32::MAX], &[]), labels(), "are too large"),
            (
                images(),
                idx(8, &[3], &[0, 1, 0]),
                "labels: expected one label for each of the 2 images of `images`, got 3",
            ),
            (images(), idx(8, &[2, 1], &[0, 1]), "labels: expected labels (one dimension), got shape [2, 1]"),
            (idx(0x0d, &[2, 1], &nan), labels(), "images, row 2, column `1`: expected"),
            (images(), idx(0x0d, &[2], &nan), "labels, row 2, column `1`: expected"),
        ] {
            let error = read(images, labels).expect_err(expected);
            assert!(error.contains(expected), "{error}");
        }
        assert!(read(images(), labels()).is_ok());
    }

    #[test]
    fn names_of_labels() {
        for (images, labels) in [
            ("d/train-images-idx3-ubyte", Some("d/train-labels-idx1-ubyte")),
            ("d/train-images-idx3-ubyte.gz", Some("d/train-labels-idx1-ubyte")),
            ("images/t10k-images.idx3-ubyte", Some("images/t10k-labels.idx1-ubyte")),
            ("emnist-images", Some("emnist-labels")),
            ("images/train", None),
            ("imagesidx", Some("labelsidx")),
        ] {
            assert_eq!(labels_name(images).as_deref(), labels, "{images}");
        }
    }
}
