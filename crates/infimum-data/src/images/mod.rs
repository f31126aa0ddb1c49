//! Folders of images: one folder for each class, with PNG or JPEG files (docs/canonical-problem.md, section 1).
//!
//! Each image is a row of height × width × channels values from 0 to 255, in that order: column (r·width + c)·channels + k + 1 is
//! channel k of the pixel in row r and column c. Files are read and decoded in parallel, and handed over in order.

mod decode;
mod listing;
#[cfg(test)]
mod tests;

use std::io::Read;
use std::path::Path;

use infimum_problem::{ColumnNames, DenseMatrix, Encoding, Format, Matrix, Task, Values};
use rayon::prelude::*;
use sha2::{Digest, Sha256};

use crate::arrays::check_width;
use crate::canonical::Request;
use crate::csv::TextColumn;
use crate::error::{DataError, one_line};
use crate::memory::Memory;
use crate::npy::Kind;
use crate::numbers::Numbers;
use crate::raw::{Encode, Raw, RawTarget, plain, refuse_columns};
use crate::source::{hex, open_file};

pub(crate) use decode::Shape;
use decode::decode;
pub(crate) use decode::is_image;
pub(crate) use listing::holds_classes;
use listing::{ImageFile, Listing, Parts};

/// Bytes of the longest file.
const LONGEST: u64 = 256 << 20;
/// Values that are decoded before they are handed over.
const AT_A_TIME: usize = 1 << 24;
/// Values are bytes.
const BYTE: Kind = Kind { letter: b'u', size: 1, big_endian: false };

/// Images, read.
pub(crate) struct Images<N> {
    pub(crate) shape: Shape,
    pub(crate) rows: usize,
    pub(crate) values: N,
    /// The class of every row; none where the images lie in no class's folder.
    pub(crate) classes: Option<TextColumn>,
    pub(crate) sha256: String,
    pub(crate) notes: Vec<String>,
}

/// Why no column can be named.
pub(crate) const NO_COLUMNS: &str = "images have none: the folder that an image lies in is its class";

/// Reads the folder `name`; for a model also a folder of images without classes, or one image.
pub(crate) fn read_images(name: &str, request: &Request, encode: &Encode) -> Result<Raw, DataError> {
    refuse_columns(name, request, NO_COLUMNS)?;
    if request.task == Some(Task::Regression) || request.loss.is_some_and(|loss| !loss.is_classification()) {
        let message = "the folders of images are classes; expected a loss for classes, got one for numbers";
        return Err(DataError::input(name, message));
    }
    let fresh = matches!(encode, Encode::Fresh);
    let (listing, parts) = list(name, !fresh)?;
    let images = read(&listing, None, request.memory.as_ref())?;
    let shape = images.shape;
    if let Encode::Fixed { encoding, .. } = encode
        && let Some([height, width, channels]) = encoding.image
        && shape != (Shape { height, width, channels })
    {
        let expected = Shape { height, width, channels };
        let message = format!("expected images of {expected}, as the model was trained on, got {shape}");
        return Err(DataError::input(name, message));
    }
    check_width(name, shape.values(), encode)?;
    let mut raw = raw(images);
    if fresh {
        if let Some(folder) = parts.held_out {
            hold_out(&mut raw, &folder, (&listing.files[0], shape), request)?;
        }
        raw.notes.extend(parts.unused.iter().map(|folder| format!("the folder `{}` is not used", one_line(folder))));
    }
    Ok(raw)
}

/// Images as a matrix and their classes.
pub(crate) fn raw(images: Images<Values>) -> Raw {
    let Images { shape, rows, values, classes, sha256, notes } = images;
    let columns = shape.values();
    Raw {
        matrix: Matrix::Dense(DenseMatrix { rows, columns, values }),
        names: ColumnNames::numbered(columns),
        encoding: Encoding { image: Some([shape.height, shape.width, shape.channels]), ..plain(columns) },
        target: classes.map_or(RawTarget::Absent, RawTarget::Text),
        weights: None,
        held_out: None,
        sha256,
        format: Format::Images,
        header: false,
        target_name: String::new(),
        weight_name: None,
        notes,
    }
}

/// Reads the folder `name` as exact numbers, without what is held out.
pub(crate) fn read_exact<N: Numbers>(name: &str, may_lack_classes: bool) -> Result<Images<N>, DataError> {
    read(&list(name, may_lack_classes)?.0, None, None)
}

/// The images to train on, or to predict, and the folder's parts.
fn list(name: &str, may_lack_classes: bool) -> Result<(Listing, Parts), DataError> {
    let has_classes = Path::new(name).is_dir() && listing::has_folders(name);
    if !has_classes && may_lack_classes {
        let parts = Parts { training: name.into(), held_out: None, unused: Vec::new() };
        return Ok((listing::unclassified(name)?, parts));
    }
    if !Path::new(name).is_dir() {
        let message = "expected a folder with a folder of images for each class, got a file";
        return Err(DataError::input(name, message));
    }
    let parts = listing::parts(name)?;
    Ok((listing::classes(&parts.training)?, parts))
}

/// Reads the images of `folder` as held-out rows, unless rows of the training images are to be held out.
fn hold_out(raw: &mut Raw, folder: &str, like: (&ImageFile, Shape), request: &Request) -> Result<(), DataError> {
    let shown = one_line(folder);
    if request.split.is_some() {
        raw.notes.push(format!("`{shown}` is not used: rows of the training images are held out"));
        return Ok(());
    }
    let images = read(&listing::classes(folder)?, Some(like), request.memory.as_ref())?;
    raw.notes.push(format!("held out for validation: the {} images of `{shown}`", images.rows));
    let other = self::raw(images);
    raw.held_out = Some((other.matrix, other.target));
    Ok(())
}

/// The image that the bytes are, as if it lay in no class's folder.
pub(crate) fn read_one<N: Numbers>(name: &str, bytes: &[u8]) -> Result<Images<N>, DataError> {
    let (shape, values) = decode(bytes, |_| Ok(())).map_err(|why| DataError::input(name, why))?;
    let no_room = || DataError::input(name, "there is no room for the image");
    let mut numbers = N::with_room(values.len(), BYTE).ok_or_else(no_room)?;
    numbers.push_elements(BYTE, &values);
    let sha256 = hex(&Sha256::digest(bytes));
    Ok(Images { shape, rows: 1, values: numbers, classes: None, sha256, notes: Vec::new() })
}

/// Reads the listed images, all of the shape of the first, or of another image.
fn read<N: Numbers>(
    listing: &Listing,
    like: Option<(&ImageFile, Shape)>,
    memory: Option<&Memory>,
) -> Result<Images<N>, DataError> {
    let (files, first) = (&listing.files, &listing.files[0]);
    let (shape, values, digest) = read_file(first, like)?;
    let like = like.unwrap_or((first, shape));
    let (rows, columns) = (files.len(), shape.values());
    if let Some(memory) = memory {
        memory.demand(&first.path, (rows as u64).saturating_mul(4 * columns as u64))?;
    }
    let room = rows.checked_mul(columns).and_then(|count| N::with_room(count, BYTE));
    let no_room = || DataError::input(&first.path, format!("there is no room for {rows} images of {shape}"));
    let mut numbers: N = room.ok_or_else(no_room)?;
    let mut hasher = Sha256::new();
    let mut take = |file: &ImageFile, values: &[u8], digest: &[u8]| {
        numbers.push_elements(BYTE, values);
        hasher.update(file.name.as_bytes());
        hasher.update([0]);
        hasher.update(digest);
    };
    take(first, &values, &digest);
    let together = (AT_A_TIME / columns.max(1)).clamp(rayon::current_num_threads(), 1 << 12);
    for files in files[1..].chunks(together) {
        let read: Vec<_> = files.par_iter().map(|file| read_file(file, Some(like))).collect();
        for (file, read) in files.iter().zip(read) {
            let (_, values, digest) = read?;
            take(file, &values, &digest);
        }
    }
    let classes = (!listing.classes.is_empty()).then(|| {
        let mut classes = TextColumn::default();
        for (row, file) in files.iter().enumerate() {
            let code = classes.dictionary.code(&listing.classes[file.class], row as u64 + 1);
            classes.codes.push(code);
        }
        classes
    });
    let Shape { height, width, channels } = shape;
    let mut notes = vec![format!("images of {shape}: `input = [{height}, {width}, {channels}]` in a network file")];
    if let Some((other, count)) = &listing.others {
        notes.push(format!(
            "{count} files that are not called .png, .jpg or .jpeg are not read (`{}` …)",
            one_line(other)
        ));
    }
    Ok(Images { shape, rows, values: numbers, classes, sha256: hex(&hasher.finalize()), notes })
}

/// The values of a file and the SHA-256 of its bytes. `like` is an image whose shape it must have.
fn read_file(file: &ImageFile, like: Option<(&ImageFile, Shape)>) -> Result<(Shape, Vec<u8>, Vec<u8>), DataError> {
    let (opened, length) = open_file(&file.path)?;
    if length > LONGEST {
        let message = format!("expected an image of at most {LONGEST} bytes, got {length}");
        return Err(DataError::input(&file.path, message));
    }
    let mut bytes = Vec::with_capacity(length as usize);
    let unreadable = |why: std::io::Error| DataError::Unreadable { path: file.path.clone(), why: why.to_string() };
    opened.take(LONGEST).read_to_end(&mut bytes).map_err(unreadable)?;
    let admit = |shape: Shape| match like {
        Some((first, expected)) if shape != expected => {
            Err(format!("expected an image of {expected}, as `{}` is, got {shape}", first.path))
        }
        _ => Ok(()),
    };
    let (shape, values) = decode(&bytes, admit).map_err(|why| DataError::input(&file.path, why))?;
    Ok((shape, values, Sha256::digest(&bytes).to_vec()))
}
