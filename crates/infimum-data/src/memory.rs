//! How much memory a run may take, and what it does with a matrix that is larger.
//!
//! Half of what the program and its buffers leave of the limit is for the matrix: one that fits is held in memory as without
//! a limit, and a larger one of a format that can be read in passes is written to a temporary file, block by block, and read
//! back in every pass. The other half is for the vectors of rows and columns, which stay in memory.

use std::io;
use std::path::{Path, PathBuf};

use infimum_problem::{Matrix, SpillWriter};

use crate::error::DataError;

/// Memory of the program itself (with what its allocator keeps), and of each thread's buffers while it reads and in a pass.
const PROGRAM: u64 = 48 << 20;
const PER_THREAD: u64 = 16 << 20;
/// The program's share has room for a matrix, or beside one in a file for vectors, of this size, whatever the limit.
const SMALL: u64 = 4 << 20;
/// Bytes of the largest block, and of the smallest.
const LARGEST_BLOCK: u64 = 4 << 20;
const SMALLEST_BLOCK: u64 = 1 << 16;
/// Bytes of a value that a solver copies, and its column.
const COPY: u64 = 12;
/// Bytes of the column of a stored value.
const COLUMN: u64 = 4;
/// Vectors of a number per row and output, and per column and output (in all, and per thread), that a run holds at a time.
const ROW_VECTORS: u64 = 20;
const COLUMN_VECTORS: u64 = 8;
const COLUMN_VECTORS_PER_THREAD: u64 = 4;
/// Largest order of a system that is factorised on data in a file, and of a working set's.
const LARGEST_SYSTEM: u64 = 1_200;
const LARGEST_SET: u64 = 3_000;

/// What is said of a matrix that does not fit.
pub(crate) const SPILLED: &str =
    "the matrix does not fit into --memory: it is kept in a temporary file and read in passes";

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

/// The number of bytes of `text`: a number and `KiB`, `MiB`, `GiB`, `TiB` (powers of 1024), `KB`, `MB`, `GB`, `TB` (powers of
/// 1000), `B` or nothing.
pub fn parse_bytes(text: &str) -> Result<u64, String> {
    let units = [("", 1), ("K", 1 << 10), ("M", 1 << 20), ("G", 1 << 30), ("T", 1u64 << 40)];
    let decimal = [1, 1_000, 1_000_000, 1_000_000_000, 1_000_000_000_000];
    let expected = || "expected a number of bytes > 0 such as 800MB, 1.5GiB or 2GB".to_string();
    let number = text.trim().trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = text.trim()[number.len()..].to_ascii_uppercase();
    let factor = (units.iter().zip(decimal))
        .find_map(|(&(prefix, binary), decimal)| match unit.strip_prefix(prefix) {
            Some("IB") if !prefix.is_empty() => Some(binary),
            Some("B") => Some(decimal),
            Some("") if prefix.is_empty() => Some(1),
            _ => None,
        })
        .ok_or_else(expected)?;
    let bytes = number.trim().parse::<f64>().ok().map(|number| number * factor as f64);
    bytes.filter(|bytes| *bytes >= 1.0 && *bytes < 1e18).map(|bytes| bytes as u64).ok_or_else(expected)
}

/// A number of bytes for people, rounded up.
fn bytes(count: u64) -> String {
    format!("{}MiB", count.div_ceil(1 << 20))
}

/// Bytes of a sparse matrix of so many rows and values, of `width` bytes each.
pub(crate) fn sparse_bytes(rows: usize, entries: usize, width: usize) -> u64 {
    8 * rows as u64 + (COLUMN + width as u64) * entries as u64
}

impl Memory {
    /// A limit of `limit` bytes for a run with `threads` threads; temporary files, which have no name, lie in `TMPDIR` if that
    /// is set, and else in `folder`. The error says the least limit.
    pub fn new(limit: u64, threads: usize, folder: &Path) -> Result<Memory, String> {
        let folder = std::env::var_os("TMPDIR").filter(|name| !name.is_empty()).map_or(folder.into(), PathBuf::from);
        let threads = threads.max(1) as u64;
        let least = PROGRAM + threads * PER_THREAD;
        if limit < least {
            let message = format!("--memory {}: {threads} threads need at least {}", bytes(limit), bytes(least));
            return Err(if threads > 1 { format!("{message}; fewer need less") } else { message });
        }
        let block_bytes = (limit / (16 * threads)).clamp(SMALLEST_BLOCK, LARGEST_BLOCK);
        Ok(Memory { limit, threads, folder, matrix_bytes: SMALL + (limit - least) / 2, block_bytes })
    }

    /// For tests: a matrix of more than `matrix_bytes` goes to a file in blocks of `block_bytes`.
    #[doc(hidden)]
    pub fn in_blocks(matrix_bytes: u64, block_bytes: u64) -> Memory {
        let folder = std::env::temp_dir();
        Memory { limit: 1 << 30, threads: 1, folder, matrix_bytes, block_bytes }
    }

    /// Whether a matrix of so many bytes is held in memory.
    pub(crate) fn holds(&self, bytes: u64) -> bool {
        bytes <= self.matrix_bytes
    }

    /// Bytes that reading may take beside a matrix that is held: nothing is solved yet, and one thread decodes.
    #[cfg(feature = "parquet")]
    pub(crate) fn buffers(&self) -> u64 {
        self.matrix_bytes - SMALL + self.threads * PER_THREAD
    }

    /// Refuses to read what takes `size` bytes of buffers; `what` says what for.
    #[cfg(feature = "parquet")]
    pub(crate) fn demand_buffers(&self, name: &str, size: u64, what: &str) -> Result<(), DataError> {
        if size <= self.buffers() {
            return Ok(());
        }
        let message = format!(
            "reading takes about {} at a time ({what}), but --memory {} leaves {} for it; write the file with smaller row \
             groups, or give --memory {}",
            bytes(size),
            bytes(self.limit),
            bytes(self.buffers()),
            bytes(2 * size + PROGRAM)
        );
        Err(DataError::input(name, message))
    }

    /// Stored values of the largest sparse matrix in memory, if they have `width` bytes each.
    pub(crate) fn most_entries(&self, width: usize) -> usize {
        (self.matrix_bytes / (COLUMN + width as u64)) as usize
    }

    /// Writes rows of sparse or dense storage to a new temporary file. A solver may copy columns of an eighth of the limit; lists that grow may take twice
    /// what they hold.
    pub(crate) fn writer(&self, name: &str, sparse: bool) -> Result<SpillWriter, DataError> {
        let file = tempfile::tempfile_in(&self.folder).map_err(|error| self.unwritable(name, &error))?;
        let room = self.limit / 8 / (2 * COPY);
        Ok(SpillWriter::new(file, sparse, self.block_bytes as usize, room as usize))
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
            "the matrix needs about {}, but --memory {} leaves {} for it, and only LIBSVM and Parquet files may be larger; convert \
             the file, or give --memory {}",
            bytes(size),
            bytes(self.limit),
            bytes(self.matrix_bytes),
            bytes(2 * size + PROGRAM + self.threads * PER_THREAD)
        );
        Err(DataError::input(name, message))
    }

    /// Refuses a matrix that no run can train on within the limit: one in memory must fit, and beside a spilled one the vectors
    /// must.
    pub(crate) fn demand_vectors(&self, name: &str, matrix: &Matrix, shape: Shape) -> Result<(), DataError> {
        match matrix {
            Matrix::Dense(dense) => return self.demand(name, (dense.values.width() * dense.values.len()) as u64),
            Matrix::Sparse(sparse) => {
                return self.demand(name, sparse_bytes(sparse.rows, sparse.values.len(), sparse.values.width()));
            }
            Matrix::Spilled(_) => {}
        }
        let (rows, columns, outputs) = (shape.rows as u64, shape.columns as u64, shape.outputs as u64);
        let per_column = COLUMN_VECTORS + COLUMN_VECTORS_PER_THREAD * self.threads;
        let vectors = 8 * outputs * (ROW_VECTORS * rows + per_column * columns);
        let order = if shape.working_sets { LARGEST_SET.min(columns + 1) } else { columns + 1 };
        let is_factorised = shape.working_sets || order * outputs <= LARGEST_SYSTEM;
        let order = if shape.working_sets { order } else { order * outputs };
        let systems = if is_factorised { 8 * order * order * (self.threads + 3) } else { 0 };
        let copies = if shape.working_sets { self.limit / 8 } else { 0 };
        let least = PROGRAM + self.threads * PER_THREAD + (vectors + systems + copies).saturating_sub(SMALL);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (text, expected) in [
            ("1", 1),
            ("4096", 4_096),
            ("12B", 12),
            ("1KiB", 1_024),
            ("1kb", 1_000),
            ("1.5GiB", 3 << 29),
            (" 2 GB ", 2_000_000_000),
            ("800MB", 800_000_000),
            ("3tib", 3 << 40),
        ] {
            assert_eq!(parse_bytes(text), Ok(expected), "{text}");
        }
        for text in ["", "GiB", "0", "-1GB", "1G", "1iB", "1 PiB", "nan", "inf", "1e30", "ö", "1öB"] {
            assert!(parse_bytes(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_limit_that_is_too_small_says_the_least() {
        let least = Memory::new(1 << 20, 4, Path::new(".")).expect_err("too small");
        assert!(least.contains("at least 112MiB") && least.contains("fewer"), "{least}");
        assert!(Memory::new(112 << 20, 4, Path::new(".")).is_ok());
    }
}
