//! Rows in a file, for matrices larger than the memory limit.
//!
//! Rows are written once, block by block, and read back in every pass by positioned reads; nothing is mapped, so that only
//! the rows at hand count as memory. They are all dense or all sparse, as the matrix would be in memory. A block holds, in the
//! machine's byte order and without gaps, of sparse rows the number of entries of each (u32) and the column of every entry
//! (u32), and then the values (f32 if all of the block are exact so, else f64). The file belongs to the process that wrote it
//! and has no reader but this one.
//!
//! A read that fails is remembered: see [`SpilledMatrix::fault`].

use std::fs::File;
use std::io::{self, Write};
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use bytemuck::{cast_slice, cast_slice_mut};

use crate::matrix::{Block, DenseMatrix, Row, SparseMatrix, Storage};
use crate::values::Values;
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

/// Rows in a file, all of one storage; see the module. Copies share the file.
#[derive(Debug, Clone)]
pub struct SpilledMatrix {
    sparse: bool,
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
    sparse: bool,
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
    /// Writes rows of `sparse` or of dense storage to `file`, which is empty, a block as soon as its rows have `block_bytes`
    /// bytes. Solvers may hold copies of `room` values.
    pub fn new(file: File, sparse: bool, block_bytes: usize, room: usize) -> SpillWriter {
        SpillWriter {
            file,
            sparse,
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

    /// Appends a row of the storage that is written, with fewer than 2^32 values.
    pub fn push(&mut self, row: Row) -> io::Result<()> {
        let values = match (row, self.sparse) {
            (Row::Sparse(indices, values), true) => {
                self.indices.extend_from_slice(indices);
                values
            }
            (Row::Dense(values), false) => values,
            _ => return Err(io::Error::new(io::ErrorKind::InvalidInput, "dense and sparse rows in one file")),
        };
        self.lengths.push(u32::try_from(values.len()).map_err(io::Error::other)?);
        self.values.extend(values);
        let (rows, entries) = (self.lengths.len(), self.values.len());
        let bytes = bytes_of(self.sparse, rows, entries, self.values.width());
        if bytes >= self.block_bytes as u64 { self.write_block() } else { Ok(()) }
    }

    fn write_block(&mut self) -> io::Result<()> {
        let (rows, entries, width) = (self.lengths.len(), self.values.len(), self.values.width());
        if self.sparse {
            self.file.write_all(cast_slice(&self.lengths))?;
            self.file.write_all(cast_slice(&self.indices))?;
        }
        self.file.write_all(with_values!(self.values.as_slice(), |values| cast_slice(values)))?;
        self.blocks.push(Place { first: self.rows, rows, entries, width, offset: self.offset });
        self.rows += rows;
        self.stored += entries;
        self.offset += bytes_of(self.sparse, rows, entries, width);
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
        Ok(SpilledMatrix {
            sparse: self.sparse,
            rows: self.rows,
            columns,
            stored: self.stored,
            room: self.room,
            shared,
        })
    }
}

/// Bytes of a block.
fn bytes_of(sparse: bool, rows: usize, entries: usize, width: usize) -> u64 {
    let columns = if sparse { 4 * (rows + entries) as u64 } else { 0 };
    columns + width as u64 * entries as u64
}

/// Rows that were read back.
enum Buffer {
    Dense(DenseMatrix),
    /// With the lengths of the block's rows.
    Sparse(SparseMatrix, Vec<u32>),
}

impl Buffer {
    fn new(sparse: bool, columns: usize) -> Buffer {
        let values = Values::default();
        if !sparse {
            return Buffer::Dense(DenseMatrix { rows: 0, columns, values });
        }
        let (row_starts, column_indices) = (Vec::new(), Vec::new());
        Buffer::Sparse(SparseMatrix { rows: 0, columns, row_starts, column_indices, values }, Vec::new())
    }

    fn storage(&self) -> Storage<'_> {
        match self {
            Buffer::Dense(matrix) => Storage::Dense(matrix),
            Buffer::Sparse(matrix, _) => Storage::Sparse(matrix),
        }
    }
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

    /// Whether the rows are sparse.
    pub fn is_sparse(&self) -> bool {
        self.sparse
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
        let mut buffer = Buffer::new(self.sparse, self.columns);
        for place in &blocks[blocks.partition_point(|place| place.first + place.rows <= rows.start)..] {
            if place.first >= rows.end {
                break;
            }
            let wanted = rows.start.max(place.first)..rows.end.min(place.first + place.rows);
            let local = wanted.start - place.first..wanted.end - place.first;
            let count = local.len();
            let read = match &mut buffer {
                Buffer::Dense(matrix) => self.read_dense(*place, local, matrix),
                Buffer::Sparse(matrix, lengths) => self.read_sparse(*place, local, lengths, matrix),
            };
            if let Err(error) = read {
                return Err(self.shared.fault.get_or_init(|| SpillFault(error.to_string())).clone());
            }
            visit(Block { first: wanted.start, rows: 0..count, storage: buffer.storage() });
        }
        Ok(())
    }

    /// Reads rows `rows` of a block of dense rows into `matrix`.
    fn read_dense(&self, place: Place, rows: Range<usize>, matrix: &mut DenseMatrix) -> io::Result<()> {
        matrix.rows = rows.len();
        let entries = rows.start * self.columns..rows.end * self.columns;
        read_values(&self.shared.file, place.width, place.offset, entries, &mut matrix.values)
    }

    /// Reads rows `rows` of a block of sparse rows into `matrix`.
    fn read_sparse(
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
        read_values(file, place.width, values, before..before + end, &mut matrix.values)
    }
}

/// Reads the values `entries` of a block whose values have `width` bytes each and begin at `offset`.
fn read_values(file: &File, width: usize, offset: u64, entries: Range<usize>, into: &mut Values) -> io::Result<()> {
    if into.width() != width {
        *into = if width == size_of::<f32>() { Vec::<f32>::new().into() } else { Vec::<f64>::new().into() };
    }
    let offset = offset + (width * entries.start) as u64;
    match into {
        Values::Singles(values) => {
            values.resize(entries.len(), 0.0);
            read_at(file, cast_slice_mut(values), offset)
        }
        Values::Doubles(values) => {
            values.resize(entries.len(), 0.0);
            read_at(file, cast_slice_mut(values), offset)
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
    use crate::{Matrix, ValueSlice};

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

    fn spilled(sparse: bool, block_bytes: usize) -> SpilledMatrix {
        let mut writer = SpillWriter::new(tempfile::tempfile().expect("a file"), sparse, block_bytes, 0);
        for (indices, values) in rows() {
            let mut all = [0.0; 50];
            indices.iter().zip(&values).for_each(|(&j, &x)| all[j as usize] = x);
            let sparse_row = Row::Sparse(&indices, ValueSlice::Doubles(&values));
            let row = if sparse { sparse_row } else { Row::Dense(ValueSlice::Doubles(&all)) };
            writer.push(row).expect("written");
        }
        writer.finish(50).expect("written")
    }

    const SIZES: [usize; 4] = [1, 300, 5_000, usize::MAX];

    #[test]
    fn any_range_of_rows_comes_back() {
        let expected = rows();
        let stored = expected.iter().map(|row| row.0.len()).sum();
        for (sparse, block_bytes) in [true, false].into_iter().flat_map(|sparse| SIZES.map(|size| (sparse, size))) {
            let matrix = Matrix::Spilled(spilled(sparse, block_bytes));
            assert_eq!((matrix.rows(), matrix.columns()), (1_000, 50));
            assert_eq!((matrix.is_sparse(), matrix.stored()), (sparse, if sparse { stored } else { 50_000 }));
            for range in [0..1_000, 0..0, 3..4, 7..999, 500..500, 998..1_000] {
                let mut next = range.start;
                let visited = matrix.for_each_block(range.clone(), |block| {
                    assert_eq!(block.first, next);
                    for i in block.rows {
                        let mut row = (Vec::new(), Vec::new());
                        block.storage.row(i).for_each(|j, x| {
                            if x != 0.0 {
                                row.0.push(j as u32);
                                row.1.push(x);
                            }
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
        let mut writer = SpillWriter::new(full, true, 64, 0);
        let row = Row::Sparse(&[1, 2, 3], ValueSlice::Singles(&[1.0, 2.0, 3.0]));
        let failed = (0..1_000).find_map(|_| writer.push(row).err());
        assert_eq!(failed.map(|error| error.kind()), Some(io::ErrorKind::StorageFull));
    }

    #[test]
    fn a_failed_read_is_an_error_and_is_remembered() {
        let matrix = Matrix::Spilled(spilled(true, 300));
        let Matrix::Spilled(inner) = &matrix else { unreachable!() };
        assert_eq!(matrix.fault(), None);
        inner.shared.file.set_len(1_000).expect("shorter");
        let mut rows = 0;
        assert!(matrix.for_each_row(|_, _| rows += 1).is_err());
        assert!(rows < 1_000 && matrix.fault().is_some());
        assert!(matrix.clone().fault().is_some());
    }
}
