//! NumPy arrays: `.npy` and the zip of them, `.npz`.
//!
//! The `.npy` header is a page of specification (NEP 1), and the arrays are streamed into the matrix without a second
//! copy (Fortran order excepted), which no kept crate offers for all the types here; the zip container is the `zip` crate's.

use std::fs::File;
use std::io::{BufReader, Read};

use infimum_problem::DenseMatrix;

use crate::error::DataError;
use crate::number;
use crate::source::Source;

/// An array of numbers converted to `f64`, C order.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Array {
    pub(crate) shape: Vec<usize>,
    pub(crate) values: Vec<f64>,
}

/// Element types by NumPy's letter and size.
#[derive(Debug, Clone, Copy)]
struct Kind {
    letter: u8,
    size: usize,
    big_endian: bool,
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

/// Reads one `.npy` stream.
pub(crate) fn read_array(reader: &mut impl Read, name: &str, length: Option<u64>) -> Result<Array, DataError> {
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
    let header = String::from_utf8_lossy(&header).into_owned();
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
    let count = count.filter(|count| count.checked_mul(8).is_some());
    let Some(count) = count else {
        return Err(bad(format!("the shape {shape:?} is too large")));
    };
    if length.is_some_and(|length| (count as u64).saturating_mul(kind.size as u64) > length) {
        return Err(truncated("its values"));
    }
    let mut values = Vec::with_capacity(if length.is_some() { count } else { count.min(1 << 20) });
    let mut buffer = vec![0u8; kind.size * (1 << 16)];
    let width = if shape.len() == 2 { shape[1] } else { 1 };
    while values.len() < count {
        let take = (count - values.len()).min(1 << 16) * kind.size;
        exact(&mut buffer[..take], "its values")?;
        let first = values.len();
        kind.append(&buffer[..take], &mut values);
        if values[first..].iter().all(|&value| number::objection(value).is_none()) {
            continue;
        }
        for position in first..values.len() {
            let value = values[position];
            if let Some(expected) = number::objection(value) {
                let (row, column) = if fortran && shape.len() == 2 {
                    (position % shape[0].max(1), position / shape[0].max(1))
                } else {
                    (position / width.max(1), position % width.max(1))
                };
                return Err(DataError::Field {
                    path: name.into(),
                    line: row as u64 + 1,
                    column: format!(", column `{}`", column + 1),
                    expected: expected.into(),
                    got: format!("`{value:?}`"),
                });
            }
        }
    }
    if fortran && shape.len() == 2 {
        let (rows, columns) = (shape[0], shape[1]);
        let mut ordered = vec![0.0; count];
        for (position, value) in values.into_iter().enumerate() {
            ordered[(position % rows) * columns + position / rows] = value;
        }
        values = ordered;
    }
    Ok(Array { shape, values })
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

/// A two-dimensional array as a matrix.
pub(crate) fn to_matrix(array: Array, name: &str) -> Result<DenseMatrix, DataError> {
    match array.shape[..] {
        [rows, columns] => Ok(DenseMatrix { rows, columns, values: array.values }),
        _ => Err(DataError::input(name, format!("expected a two-dimensional array, got shape {:?}", array.shape))),
    }
}

/// Reads a `.npy` source whole.
pub(crate) fn read_npy(mut source: Source) -> Result<(Array, String), DataError> {
    let name = source.name.clone();
    let length = source.length.filter(|_| !source.compressed);
    let array = read_array(&mut Reader(&mut source), &name, length)?;
    Ok((array, source.sha256()?))
}

struct Reader<'a>(&'a mut Source);

impl Read for Reader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.0.fill(buffer).map_err(std::io::Error::other)
    }
}

/// The arrays of a `.npz`, taken out by name straight from the file.
pub(crate) struct Npz {
    archive: zip::ZipArchive<BufReader<File>>,
    name: String,
}

impl Npz {
    /// Opens the archive.
    pub(crate) fn open(name: &str) -> Result<Npz, DataError> {
        let file = File::open(name).map_err(|why| DataError::Unreadable { path: name.into(), why: why.to_string() })?;
        let archive = zip::ZipArchive::new(BufReader::new(file))
            .map_err(|error| DataError::input(name, format!("not a readable .npz (zip) file: {error}")))?;
        Ok(Npz { archive, name: name.into() })
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
        let length = entry.size();
        read_array(&mut entry, &format!("{}, array `{array}`", self.name), Some(length))
    }
}
