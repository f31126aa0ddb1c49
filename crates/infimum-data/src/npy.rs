//! NumPy arrays: `.npy` and the zip of them, `.npz`.
//!
//! The `.npy` header is a page of specification (NEP 1), and the arrays are streamed into the matrix without a second
//! copy, which no kept crate offers for all the types here; the zip container is the `zip` crate's. Sizes that a file claims
//! are believed only as far as its bytes can bear them out.

use std::io::{BufReader, Cursor, Read, Seek};

use crate::error::DataError;
use crate::number;
use crate::source::{Source, most_inflated, open_file};

/// Elements read at a time.
const CHUNK: usize = 1 << 16;

/// An array of numbers converted to `f64`, C order.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Array {
    pub(crate) shape: Vec<usize>,
    pub(crate) values: Vec<f64>,
    /// Whether there is nothing to object to in any of them.
    pub(crate) usable: bool,
}

/// Element types by NumPy's letter and size.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kind {
    pub(crate) letter: u8,
    pub(crate) size: usize,
    pub(crate) big_endian: bool,
}

impl Kind {
    fn parse(text: &str) -> Option<Kind> {
        let bytes = text.as_bytes();
        let (order, letter) = (*bytes.first()?, *bytes.get(1)?);
        let size: usize = text.get(2..)?.parse().ok()?;
        let known = matches!((letter, size), (b'f', 4 | 8) | (b'i' | b'u', 1 | 2 | 4 | 8) | (b'b', 1));
        (known && matches!(order, b'<' | b'>' | b'|' | b'=')).then_some(Kind {
            letter,
            size,
            big_endian: order == b'>',
        })
    }

    /// Appends the numbers in `bytes`.
    fn append(self, bytes: &[u8], values: &mut Vec<f64>) {
        if (self.letter, self.size, self.big_endian) == (b'f', 8, false) {
            values.extend(bytes.as_chunks::<8>().0.iter().map(|&chunk| f64::from_le_bytes(chunk)));
        } else {
            values.extend(bytes.chunks_exact(self.size).map(|chunk| self.convert(chunk)));
        }
    }

    fn convert(self, bytes: &[u8]) -> f64 {
        let mut raw = [0u8; 8];
        raw[..self.size].copy_from_slice(bytes);
        if self.big_endian {
            raw[..self.size].reverse();
        }
        let unsigned = u64::from_le_bytes(raw);
        match (self.letter, self.size) {
            (b'f', 8) => f64::from_bits(unsigned),
            (b'f', _) => f64::from(f32::from_bits(unsigned as u32)),
            (b'i', size) => {
                let shift = 64 - 8 * size as u32;
                (((unsigned << shift) as i64) >> shift) as f64
            }
            _ => unsigned as f64,
        }
    }
}

/// Reads one `.npy` stream of at most `most` bytes.
pub(crate) fn read_array(reader: &mut impl Read, name: &str, most: u64) -> Result<Array, DataError> {
    let truncated = |what: &str| DataError::input(name, format!("the array ends within {what}; the file is truncated"));
    let bad = |what: String| DataError::input(name, what);
    let mut exact = |buffer: &mut [u8], what: &str| reader.read_exact(buffer).map_err(|_| truncated(what));
    let mut start = [0u8; 8];
    exact(&mut start, "its header")?;
    if &start[..6] != b"\x93NUMPY" {
        return Err(bad("expected a NumPy array (`\\x93NUMPY`); the file does not begin so".into()));
    }
    let size = if start[6] == 1 {
        let mut size = [0u8; 2];
        exact(&mut size, "its header")?;
        usize::from(u16::from_le_bytes(size))
    } else {
        let mut size = [0u8; 4];
        exact(&mut size, "its header")?;
        u32::from_le_bytes(size) as usize
    };
    if size > 1 << 20 {
        return Err(bad(format!("the array's header claims {size} bytes; expected less than a mebibyte")));
    }
    let mut header = vec![0u8; size];
    exact(&mut header, "its header")?;
    let header = String::from_utf8_lossy(&header).trim_ascii().to_string();
    let descr = quoted_after(&header, "'descr'").ok_or_else(|| bad(format!("no `descr` in the header `{header}`")))?;
    let kind = Kind::parse(&descr).ok_or_else(|| {
        bad(format!("expected elements of type f4, f8, i1…i8, u1…u8 or bool, got `{descr}`; save with .astype('f8')"))
    })?;
    let fortran = header
        .split("'fortran_order'")
        .nth(1)
        .is_some_and(|rest| rest.trim_start_matches([':', ' ']).starts_with("True"));
    let shape = shape_of(&header).ok_or_else(|| bad(format!("no readable `shape` in the header `{header}`")))?;
    let count = shape.iter().try_fold(1usize, |count, &side| count.checked_mul(side));
    let Some(count) = count.filter(|&count| (count as u64).saturating_mul(kind.size as u64) <= most) else {
        return Err(truncated("its values"));
    };
    let by_columns = match shape[..] {
        [rows, columns] if fortran => Some((rows, columns)),
        _ => None,
    };
    let Some((rows, columns)) = by_columns else {
        let (values, usable) = read_values(&mut exact, kind, count, name)?;
        return Ok(Array { shape, values, usable });
    };
    let mut values = room(count, name)?;
    let mut buffer = vec![0u8; kind.size * CHUNK];
    let mut usable = true;
    values.resize(count, 0.0);
    let mut part = Vec::with_capacity(CHUNK);
    let (mut row, mut column, mut left) = (0, 0, count);
    while left > 0 {
        let bytes = &mut buffer[..left.min(CHUNK) * kind.size];
        exact(bytes, "its values")?;
        part.clear();
        kind.append(bytes, &mut part);
        usable &= part.iter().all(|&value| number::objection(value).is_none());
        for &value in &part {
            values[row * columns + column] = value;
            row += 1;
            if row == rows {
                (row, column) = (0, column + 1);
            }
        }
        left -= part.len();
    }
    Ok(Array { shape, values, usable })
}

/// Room for so many numbers.
fn room(count: usize, name: &str) -> Result<Vec<f64>, DataError> {
    let mut values = Vec::new();
    match values.try_reserve_exact(count) {
        Ok(()) => Ok(values),
        Err(_) => Err(DataError::input(name, format!("there is not enough memory for {count} numbers"))),
    }
}

/// Reads `count` numbers in the order of the file, `exact` filling each buffer (its second argument says with what), and
/// whether there is nothing to object to in any of them.
pub(crate) fn read_values(
    exact: &mut impl FnMut(&mut [u8], &str) -> Result<(), DataError>,
    kind: Kind,
    count: usize,
    name: &str,
) -> Result<(Vec<f64>, bool), DataError> {
    let mut values = room(count, name)?;
    let mut buffer = vec![0u8; kind.size * CHUNK];
    let mut usable = true;
    while values.len() < count {
        let bytes = &mut buffer[..(count - values.len()).min(CHUNK) * kind.size];
        exact(bytes, "its values")?;
        let first = values.len();
        kind.append(bytes, &mut values);
        usable &= values[first..].iter().all(|&value| number::objection(value).is_none());
    }
    Ok((values, usable))
}

fn quoted_after(header: &str, key: &str) -> Option<String> {
    let rest = header.split(key).nth(1)?;
    let mut parts = rest.split('\'');
    parts.next()?;
    parts.next().map(str::to_string)
}

fn shape_of(header: &str) -> Option<Vec<usize>> {
    let rest = header.split("'shape'").nth(1)?;
    let inner = rest.split('(').nth(1)?.split(')').next()?;
    inner.split(',').map(str::trim).filter(|part| !part.is_empty()).map(|part| part.parse().ok()).collect()
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.fill(buffer).map_err(std::io::Error::other)
    }
}

/// What an archive is read from.
trait Bytes: Read + Seek {}
impl<R: Read + Seek> Bytes for R {}

/// The arrays of a `.npz`, taken out by name straight from the file.
pub(crate) struct Npz {
    archive: zip::ZipArchive<Box<dyn Bytes>>,
    pub(crate) name: String,
    /// Bytes of the archive.
    length: u64,
}

impl Npz {
    /// Opens an archive.
    pub(crate) fn open(name: &str) -> Result<Npz, DataError> {
        let (file, length) = open_file(name)?;
        Npz::new(name, Box::new(BufReader::new(file)), length)
    }

    /// An archive in memory.
    pub(crate) fn from_bytes(name: &str, bytes: Vec<u8>) -> Result<Npz, DataError> {
        let length = bytes.len() as u64;
        Npz::new(name, Box::new(Cursor::new(bytes)), length)
    }

    fn new(name: &str, bytes: Box<dyn Bytes>, length: u64) -> Result<Npz, DataError> {
        let archive = zip::ZipArchive::new(bytes)
            .map_err(|error| DataError::input(name, format!("not a readable .npz (zip) file: {error}")))?;
        Ok(Npz { archive, name: name.into(), length })
    }

    /// Names of the arrays.
    pub(crate) fn names(&self) -> Vec<String> {
        (self.archive.file_names().flatten()).map(|name| name.trim_end_matches(".npy").to_string()).collect()
    }

    /// Takes one array.
    pub(crate) fn array(&mut self, array: &str) -> Result<Array, DataError> {
        let names = self.names().join(", ");
        let mut entry = self.archive.by_name(&format!("{array}.npy")).map_err(|error| {
            let what = format!("expected an array named `{array}` ({error}); the file has: {names}");
            DataError::input(&self.name, what)
        })?;
        let stored = entry.compression() == zip::CompressionMethod::Stored;
        let most = if stored { self.length } else { most_inflated(self.length) };
        read_array(&mut entry, &format!("{}, array `{array}`", self.name), most)
    }
}
