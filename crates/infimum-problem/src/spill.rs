//! Sparse rows in a file, for matrices larger than the memory limit.
//!
//! Rows are written once, block by block, and read back in every pass by positioned reads; nothing is mapped, so that only
//! the rows at hand count as memory. A block holds, in the machine's byte order and without gaps, the number of entries of
//! each row (u32), then the column of every entry (u32), then the values (f32 if all of the block are exact so, else f64). The
//! file belongs to the process that wrote it and has no reader but this one.
//!
//! A read that fails is remembered: see [`SpilledMatrix::fault`].

use std::fs::File;
use std::io::{self, Write};
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use bytemuck::{cast_slice, cast_slice_mut};

use crate::matrix::{Block, SparseMatrix, Storage};
use crate::values::{ValueSlice, Values};
use crate::with_values;

/// Rows that could not be read back.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("rows that --memory keeps in a temporary file cannot be read back: {0}")]
pub struct SpillFault(String);

/// Where a block lies.
#[derive(Debug, Clone, Copy)]
struct Place {
    first: usize,
    rows: usize,
    entries: usize,
    /// Bytes of a value.
    width: usize,
    offset: u64,
}

/// What all copies of a matrix share.
#[derive(Debug)]
struct Shared {
    file: File,
    blocks: Vec<Place>,
    fault: OnceLock<SpillFault>,
}

/// Compressed sparse rows in a file; see the module. Copies share the file.
#[derive(Debug, Clone)]
pub struct SpilledMatrix {
    rows: usize,
    columns: usize,
    stored: usize,
    room: usize,
    shared: Arc<Shared>,
}

/// Takes rows in order and writes them in blocks.
#[derive(Debug)]
pub struct SpillWriter {
    file: File,
    block_bytes: usize,
    room: usize,
    blocks: Vec<Place>,
    /// The rows of the block to come.
    lengths: Vec<u32>,
    indices: Vec<u32>,
    values: Values,
    rows: usize,
    stored: usize,
    offset: u64,
}

/// Equal if they are copies of one another.
impl PartialEq for SpilledMatrix {
    fn eq(&self, other: &SpilledMatrix) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }
}

impl SpillWriter {
    /// Writes to `file`, which is empty, a block as soon as its rows have `block_bytes` bytes. Solvers may hold copies of
    /// `room` values.
    pub fn new(file: File, block_bytes: usize, room: usize) -> SpillWriter {
        SpillWriter {
            file,
            block_bytes,
            room,
            blocks: Vec::new(),
            lengths: Vec::new(),
            indices: Vec::new(),
            values: Values::default(),
            rows: 0,
            stored: 0,
            offset: 0,
        }
    }

    /// Appends a row: column indices (increasing) and their non-zero values, fewer than 2^32.
    pub fn push(&mut self, indices: &[u32], values: ValueSlice) -> io::Result<()> {
        let length = u32::try_from(indices.len()).map_err(io::Error::other)?;
        self.lengths.push(length);
        self.indices.extend_from_slice(indices);
        self.values.extend(values);
        let bytes = bytes_of(self.lengths.len(), self.values.len(), self.values.width());
        if bytes >= self.block_bytes as u64 { self.write_block() } else { Ok(()) }
    }

    fn write_block(&mut self) -> io::Result<()> {
        let (rows, entries, width) = (self.lengths.len(), self.values.len(), self.values.width());
        self.file.write_all(cast_slice(&self.lengths))?;
        self.file.write_all(cast_slice(&self.indices))?;
        self.file.write_all(with_values!(self.values.as_slice(), |values| cast_slice(values)))?;
        self.blocks.push(Place { first: self.rows, rows, entries, width, offset: self.offset });
        self.rows += rows;
        self.stored += entries;
        self.offset += bytes_of(rows, entries, width);
        self.lengths.clear();
        self.indices.clear();
        self.values = Values::default();
        Ok(())
    }

    /// The matrix of all rows; `columns` is above every index.
    pub fn finish(mut self, columns: usize) -> io::Result<SpilledMatrix> {
        if !self.lengths.is_empty() {
            self.write_block()?;
        }
        let shared = Arc::new(Shared { file: self.file, blocks: self.blocks, fault: OnceLock::new() });
        Ok(SpilledMatrix { rows: self.rows, columns, stored: self.stored, room: self.room, shared })
    }
}

/// Bytes of a block.
fn bytes_of(rows: usize, entries: usize, width: usize) -> u64 {
    4 * rows as u64 + (4 + width) as u64 * entries as u64
}

impl SpilledMatrix {
    /// Number of examples.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of features.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Number of stored values.
    pub fn stored(&self) -> usize {
        self.stored
    }

    /// How many stored values solvers may hold copies of.
    pub fn room(&self) -> usize {
        self.room
    }

    /// What went wrong at the first read that failed.
    pub fn fault(&self) -> Option<SpillFault> {
        self.shared.fault.get().cloned()
    }

    /// Visits the rows `rows` in order, block by block; see [`crate::Matrix::for_each_block`].
    pub fn for_each_block(&self, rows: Range<usize>, mut visit: impl FnMut(Block)) -> Result<(), SpillFault> {
        let blocks = &self.shared.blocks;
        let mut lengths = Vec::new();
        let mut matrix = SparseMatrix {
            rows: 0,
            columns: self.columns,
            row_starts: Vec::new(),
            column_indices: Vec::new(),
            values: Values::default(),
        };
        for place in &blocks[blocks.partition_point(|place| place.first + place.rows <= rows.start)..] {
            if place.first >= rows.end {
                break;
            }
            let wanted = rows.start.max(place.first)..rows.end.min(place.first + place.rows);
            let local = wanted.start - place.first..wanted.end - place.first;
            if let Err(error) = self.read(*place, local, &mut lengths, &mut matrix) {
                return Err(self.shared.fault.get_or_init(|| SpillFault(error.to_string())).clone());
            }
            visit(Block { first: wanted.start, rows: 0..matrix.rows, storage: Storage::Sparse(&matrix) });
        }
        Ok(())
    }

    /// Reads rows `rows` of a block into `matrix`.
    fn read(
        &self,
        place: Place,
        rows: Range<usize>,
        lengths: &mut Vec<u32>,
        matrix: &mut SparseMatrix,
    ) -> io::Result<()> {
        let file = &self.shared.file;
        lengths.resize(place.rows, 0);
        read_at(file, cast_slice_mut(lengths), place.offset)?;
        let entries = |lengths: &[u32]| lengths.iter().map(|&length| length as usize).sum::<usize>();
        let before = entries(&lengths[..rows.start]);
        matrix.rows = rows.len();
        matrix.row_starts.clear();
        matrix.row_starts.push(0);
        let mut end = 0;
        for &length in &lengths[rows] {
            end += length as usize;
            matrix.row_starts.push(end);
        }
        if before + end > place.entries {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the file has been changed"));
        }
        let indices = place.offset + 4 * place.rows as u64;
        let values = indices + 4 * place.entries as u64;
        matrix.column_indices.resize(end, 0);
        read_at(file, cast_slice_mut(&mut matrix.column_indices), indices + 4 * before as u64)?;
        if matrix.values.width() != place.width {
            matrix.values = if place.width == 4 { Vec::<f32>::new().into() } else { Vec::<f64>::new().into() };
        }
        let offset = values + (place.width * before) as u64;
        match &mut matrix.values {
            Values::Singles(values) => {
                values.resize(end, 0.0);
                read_at(file, cast_slice_mut(values), offset)
            }
            Values::Doubles(values) => {
                values.resize(end, 0.0);
                read_at(file, cast_slice_mut(values), offset)
            }
        }
    }
}

/// Fills `buffer` with the bytes from `offset` on.
#[cfg(unix)]
fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, buffer, offset)
}

/// Fills `buffer` with the bytes from `offset` on.
#[cfg(windows)]
fn read_at(file: &File, mut buffer: &mut [u8], mut offset: u64) -> io::Result<()> {
    while !buffer.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, buffer, offset)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => {
                buffer = &mut buffer[count..];
                offset += count as u64;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;

    use super::*;
    use crate::Matrix;

    fn rows() -> Vec<(Vec<u32>, Vec<f64>)> {
        (0..1_000u32)
            .map(|i| {
                let indices: Vec<u32> = (0..50).filter(|j| (i * 31 + j * 17) % 7 == i % 5).collect();
                // Some blocks are singles and some are not.
                let step = if i < 400 { 0.5 } else { 0.1 };
                let values = indices.iter().map(|&j| f64::from(i) + step * f64::from(j + 1)).collect();
                (indices, values)
            })
            .collect()
    }

    fn spilled(block_bytes: usize) -> SpilledMatrix {
        let mut writer = SpillWriter::new(tempfile::tempfile().expect("a file"), block_bytes, 0);
        let mut push = |indices: &[u32], values| writer.push(indices, ValueSlice::Doubles(values)).expect("written");
        rows().iter().for_each(|(indices, values)| push(indices, values));
        writer.finish(50).expect("written")
    }

    #[test]
    fn any_range_of_rows_comes_back() {
        let expected = rows();
        for block_bytes in [1, 300, 5_000, usize::MAX] {
            let matrix = Matrix::Spilled(spilled(block_bytes));
            assert_eq!((matrix.rows(), matrix.columns(), matrix.stored()), {
                (1_000, 50, expected.iter().map(|row| row.0.len()).sum())
            });
            for range in [0..1_000, 0..0, 3..4, 7..999, 500..500, 998..1_000] {
                let mut next = range.start;
                let visited = matrix.for_each_block(range.clone(), |block| {
                    assert_eq!(block.first, next);
                    for i in block.rows {
                        let mut row = (Vec::new(), Vec::new());
                        block.storage.row(i).for_each(|j, x| {
                            row.0.push(j as u32);
                            row.1.push(x);
                        });
                        assert_eq!(row, expected[next]);
                        next += 1;
                    }
                });
                assert_eq!((visited, next), (Ok(()), range.end));
            }
        }
    }

    #[test]
    fn a_full_disk_is_an_error() {
        let Ok(full) = OpenOptions::new().write(true).open("/dev/full") else { return };
        let mut writer = SpillWriter::new(full, 64, 0);
        let failed = (0..1_000).find_map(|_| writer.push(&[1, 2, 3], ValueSlice::Singles(&[1.0, 2.0, 3.0])).err());
        assert_eq!(failed.map(|error| error.kind()), Some(io::ErrorKind::StorageFull));
    }

    #[test]
    fn a_failed_read_is_an_error_and_is_remembered() {
        let matrix = Matrix::Spilled(spilled(300));
        let Matrix::Spilled(inner) = &matrix else { unreachable!() };
        assert_eq!(matrix.fault(), None);
        inner.shared.file.set_len(1_000).expect("shorter");
        let mut rows = 0;
        assert!(matrix.for_each_row(|_, _| rows += 1).is_err());
        assert!(rows < 1_000 && matrix.fault().is_some());
        assert!(matrix.clone().fault().is_some());
    }
}
