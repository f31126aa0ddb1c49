//! NumPy arrays: `.npy` and the zip of them, `.npz`.
//!
//! The `.npy` header is a page of specification (NEP 1), and the arrays are streamed into the matrix without a second
//! copy, which no kept crate offers for all the types here; the zip container is the `zip` crate's. Sizes that a file claims
//! are believed only as far as its bytes can bear them out.

use std::io::{BufReader, Cursor, Read, Seek};

use infimum_problem::Values;

use crate::error::DataError;
use crate::numbers::Numbers;
use crate::source::{Source, most_inflated, open_file};

/// Elements read at a time.
const CHUNK: usize = 1 << 16;

/// An array of numbers, C order.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Array<N = Values> {
    pub(crate) shape: Vec<usize>,
    pub(crate) values: N,
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

    /// Whether every element is exact as an `f32`.
    pub(crate) fn is_single(self) -> bool {
        matches!((self.letter, self.size), (b'f', 4) | (b'b', _) | (b'i' | b'u', 1 | 2))
    }

    /// The element in `bytes`.
    pub(crate) fn element(self, bytes: &[u8]) -> Element {
        let mut raw = [0u8; 8];
        raw[..self.size].copy_from_slice(bytes);
        if self.big_endian {
            raw[..self.size].reverse();
        }
        let unsigned = u64::from_le_bytes(raw);
        match (self.letter, self.size) {
            (b'f', 8) => Element::Float(f64::from_bits(unsigned)),
            (b'f', _) => Element::Float(f64::from(f32::from_bits(unsigned as u32))),
            (b'i', size) => {
                let shift = 64 - 8 * size as u32;
                Element::Signed(((unsigned << shift) as i64) >> shift)
            }
            _ => Element::Unsigned(unsigned),
        }
    }
}

/// A number as an array holds it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Element {
    /// A floating-point number; `f32` is exact in `f64`.
    Float(f64),
    /// A signed integer.
    Signed(i64),
    /// An unsigned integer, or a truth value.
    Unsigned(u64),
}

/// What the header of an array says.
struct Header {
    kind: Kind,
    shape: Vec<usize>,
    /// Product of the shape.
    count: usize,
    /// Whether columns follow one another instead of rows.
    fortran: bool,
}

/// Fills the buffer, or says within what the array ends.
fn exact(reader: &mut impl Read, name: &str, buffer: &mut [u8], what: &str) -> Result<(), DataError> {
    reader.read_exact(buffer).map_err(|_| truncated(name, what))
}

fn truncated(name: &str, what: &str) -> DataError {
    DataError::input(name, format!("the array ends within {what}; the file is truncated"))
}

/// Reads the header of an array of at most `most` bytes.
fn read_header(reader: &mut impl Read, name: &str, most: u64) -> Result<Header, DataError> {
    let bad = |what: String| DataError::input(name, what);
    let mut exact = |buffer: &mut [u8], what: &str| exact(reader, name, buffer, what);
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
        return Err(truncated(name, "its values"));
    };
    Ok(Header { kind, shape, count, fortran })
}

/// Reads one `.npy` stream of at most `most` bytes.
pub(crate) fn read_array<N: Numbers>(reader: &mut impl Read, name: &str, most: u64) -> Result<Array<N>, DataError> {
    let Header { kind, shape, count, fortran } = read_header(reader, name, most)?;
    let mut exact = |buffer: &mut [u8], what: &str| exact(reader, name, buffer, what);
    let by_columns = match shape[..] {
        [rows, columns] if fortran => Some((rows, columns)),
        _ => None,
    };
    let Some((rows, columns)) = by_columns else {
        let (values, usable) = read_values(&mut exact, kind, count, name)?;
        return Ok(Array { shape, values, usable });
    };
    let mut values = N::zeros(count, kind).ok_or_else(|| no_room(count, name))?;
    let mut buffer = vec![0u8; kind.size * CHUNK];
    let mut usable = true;
    let (mut row, mut column, mut left) = (0, 0, count);
    while left > 0 {
        let bytes = &mut buffer[..left.min(CHUNK) * kind.size];
        exact(bytes, "its values")?;
        for element in bytes.chunks_exact(kind.size) {
            usable &= values.set_element(row * columns + column, kind.element(element));
            row += 1;
            if row == rows {
                (row, column) = (0, column + 1);
            }
        }
        left -= bytes.len() / kind.size;
    }
    Ok(Array { shape, values, usable })
}

fn no_room(count: usize, name: &str) -> DataError {
    DataError::input(name, format!("there is not enough memory for {count} numbers"))
}

/// Reads `count` numbers in the order of the file, `exact` filling each buffer (its second argument says with what), and
/// whether there is nothing to object to in any of them.
pub(crate) fn read_values<N: Numbers>(
    exact: &mut impl FnMut(&mut [u8], &str) -> Result<(), DataError>,
    kind: Kind,
    count: usize,
    name: &str,
) -> Result<(N, bool), DataError> {
    let mut values = N::with_room(count, kind).ok_or_else(|| no_room(count, name))?;
    let mut buffer = vec![0u8; kind.size * CHUNK];
    let mut usable = true;
    while values.len() < count {
        let bytes = &mut buffer[..(count - values.len()).min(CHUNK) * kind.size];
        exact(bytes, "its values")?;
        usable &= values.push_elements(kind, bytes);
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
    pub(crate) fn array<N: Numbers>(&mut self, array: &str) -> Result<Array<N>, DataError> {
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
