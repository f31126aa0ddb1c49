//! How much memory a run may take, and what it does with a matrix that is larger.
//!
//! Half of the limit is for the matrix: one that fits is held in memory as without a limit, and a larger one of a format that
//! can be read in passes is written to a temporary file, block by block, and read back in every pass. The other half is for the
//! vectors of rows and columns, which stay in memory, for the blocks at hand and for the readers' buffers.

use std::io;
use std::path::{Path, PathBuf};

use infimum_problem::{Matrix, SpillWriter};

use crate::error::DataError;

/// Memory of the program itself, and of each thread's buffers while it reads and in a pass.
const PROGRAM: u64 = 16 << 20;
const PER_THREAD: u64 = 16 << 20;
/// Bytes of the largest block, and of the smallest.
const LARGEST_BLOCK: u64 = 4 << 20;
const SMALLEST_BLOCK: u64 = 1 << 16;
/// Bytes of a stored value and its column.
const ENTRY: u64 = 12;
/// Vectors of a number per row and output, and per column and output (in all, and per thread), that a run holds at a time.
const ROW_VECTORS: u64 = 20;
const COLUMN_VECTORS: u64 = 8;
const COLUMN_VECTORS_PER_THREAD: u64 = 4;
/// Largest order of a system that is factorised on data in a file, and of a working set's.
const LARGEST_SYSTEM: u64 = 1_200;
const LARGEST_SET: u64 = 3_000;

/// A limit on memory and the folder for what does not fit.
#[derive(Debug, Clone, PartialEq)]
pub struct Memory {
    limit: u64,
    threads: u64,
    folder: PathBuf,
    matrix_bytes: u64,
    block_bytes: u64,
}

/// What a solve on spilled data needs memory for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    pub(crate) outputs: usize,
    pub(crate) working_sets: bool,
}

/// A number of bytes for people, rounded up.
fn bytes(count: u64) -> String {
    format!("{}MiB", count.div_ceil(1 << 20))
}

impl Memory {
    /// A limit of `limit` bytes for a run with `threads` threads; temporary files, which have no name, lie in `folder`. The
    /// error says the least limit.
    pub fn new(limit: u64, threads: usize, folder: &Path) -> Result<Memory, String> {
        let threads = threads.max(1) as u64;
        let least = PROGRAM + threads * PER_THREAD;
        if limit < least {
            let message = format!("--memory {}: {threads} threads need at least {}", bytes(limit), bytes(least));
            return Err(if threads > 1 { format!("{message}; fewer need less") } else { message });
        }
        let block_bytes = (limit / (16 * threads)).clamp(SMALLEST_BLOCK, LARGEST_BLOCK);
        Ok(Memory { limit, threads, folder: folder.into(), matrix_bytes: limit / 2, block_bytes })
    }

    /// For tests: a matrix of more than `matrix_bytes` goes to a file in blocks of `block_bytes`.
    #[doc(hidden)]
    pub fn in_blocks(matrix_bytes: u64, block_bytes: u64) -> Memory {
        let folder = std::env::temp_dir();
        Memory { limit: 1 << 30, threads: 1, folder, matrix_bytes, block_bytes }
    }

    /// Whether a sparse matrix of so many rows and values is held in memory.
    pub(crate) fn holds(&self, rows: usize, entries: usize) -> bool {
        8 * rows as u64 + ENTRY * entries as u64 <= self.matrix_bytes
    }

    /// Stored values of the largest sparse matrix in memory.
    pub(crate) fn most_entries(&self) -> usize {
        (self.matrix_bytes / ENTRY) as usize
    }

    /// Writes rows to a new temporary file. A solver may copy columns of an eighth of the limit; lists that grow may take twice
    /// what they hold.
    pub(crate) fn writer(&self, name: &str) -> Result<SpillWriter, DataError> {
        let file = tempfile::tempfile_in(&self.folder).map_err(|error| self.unwritable(name, &error))?;
        let room = self.limit / 8 / (2 * ENTRY);
        Ok(SpillWriter::new(file, self.block_bytes as usize, room as usize))
    }

    /// The temporary file cannot be written.
    pub(crate) fn unwritable(&self, name: &str, error: &io::Error) -> DataError {
        let message = format!(
            "the rows do not fit into --memory {} and cannot be written to a temporary file in {}: {error}; free some space \
             there, name another folder with TMPDIR, or give more --memory",
            bytes(self.limit),
            self.folder.display()
        );
        DataError::input(name, message)
    }

    /// Refuses about `size` bytes of a matrix of a format that must fit into memory.
    pub(crate) fn demand(&self, name: &str, size: u64) -> Result<(), DataError> {
        if size <= self.matrix_bytes {
            return Ok(());
        }
        let message = format!(
            "the matrix needs about {}, but --memory {} leaves {} for it, and only LIBSVM files may be larger; convert the \
             file, or give --memory {}",
            bytes(size),
            bytes(self.limit),
            bytes(self.matrix_bytes),
            bytes(2 * size)
        );
        Err(DataError::input(name, message))
    }

    /// Refuses a matrix that no run can train on within the limit: one in memory must fit, and beside a spilled one the vectors
    /// must.
    pub(crate) fn demand_vectors(&self, name: &str, matrix: &Matrix, shape: Shape) -> Result<(), DataError> {
        match matrix {
            Matrix::Dense(dense) => return self.demand(name, 8 * dense.values.len() as u64),
            Matrix::Sparse(sparse) => return self.demand(name, 8 * sparse.rows as u64 + ENTRY * sparse.values.len() as u64),
            Matrix::Spilled(_) => {}
        }
        let (rows, columns, outputs) = (shape.rows as u64, shape.columns as u64, shape.outputs as u64);
        let per_column = COLUMN_VECTORS + COLUMN_VECTORS_PER_THREAD * self.threads;
        let vectors = 8 * outputs * (ROW_VECTORS * rows + per_column * columns);
        let order = if shape.working_sets { LARGEST_SET.min(columns + 1) } else { columns + 1 };
        let is_factorised = shape.working_sets || order * outputs <= LARGEST_SYSTEM;
        let systems = if is_factorised { 8 * order * order * outputs * outputs * (self.threads + 3) } else { 0 };
        let copies = if shape.working_sets { self.limit / 8 } else { 0 };
        let least = PROGRAM + self.threads * PER_THREAD + vectors + systems + copies;
        if least <= self.limit {
            return Ok(());
        }
        let message = format!(
            "vectors of {rows} rows and {columns} columns stay in memory beside the file that the matrix goes to; this takes \
             about {}, more than --memory {}; give at least that",
            bytes(least),
            bytes(self.limit)
        );
        Err(DataError::input(name, message))
    }
}
