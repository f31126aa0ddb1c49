//! Parquet files whose matrix does not fit into memory: a second pass encodes the rows into a temporary file.

use ::parquet::file::reader::FileReader;
use infimum_problem::Matrix;

use super::{BATCH, Kind, Reading};
use crate::csv::{Dictionary, Table};
use crate::encode::{RowEncoder, is_sparse};
use crate::error::DataError;
use crate::memory::{Memory, sparse_bytes};

/// Bytes that the reader of a column holds at most: a dictionary, as it is and decoded, and a page. Writers end each at a
/// mebibyte unless they are told otherwise.
const PAGES: i64 = 3 << 20;
/// Bytes of a value of a batch: as the decoder gives it, as the column's number or code, and in the table.
const VALUE: usize = 32;
/// Rows of the smallest batch.
const LEAST_BATCH: usize = 64;

/// How many rows of the columns `used` are decoded at a time; an error if that takes more than the limit leaves.
pub(super) fn batch(
    name: &str,
    file: &dyn FileReader,
    used: &[(usize, Kind)],
    memory: Option<&Memory>,
) -> Result<usize, DataError> {
    let Some(memory) = memory else { return Ok(BATCH) };
    let row = VALUE * used.len().max(1);
    let batch = (memory.buffers() as usize / 4 / row).clamp(LEAST_BATCH, BATCH);
    let pages = |group: usize| -> u64 {
        let group = file.metadata().row_group(group);
        let size = |&(column, _): &(usize, Kind)| group.column(column).uncompressed_size();
        used.iter().map(|column| size(column).saturating_mul(2).clamp(0, PAGES) as u64).sum()
    };
    let most = (0..file.num_row_groups()).map(pages).max().unwrap_or(0);
    let what = format!("a page of each of {} columns, and {batch} rows", used.len());
    memory.demand_buffers(name, most + (batch * row) as u64, &what)?;
    Ok(batch)
}

/// Bytes of the features of a table.
pub(super) fn table_bytes(table: &Table) -> u64 {
    (table.numbers.width() * table.numbers.len() + size_of::<u32>() * table.codes.len()) as u64
}

/// Bytes of the matrix that a table of so many features becomes, at most; `columns` are the matrix's.
pub(super) fn matrix_bytes(table: &Table, features: usize, columns: usize) -> u64 {
    let width = table.numbers.width();
    if is_sparse(features, columns) {
        sparse_bytes(table.rows, table.rows.saturating_mul(features), width)
    } else {
        (table.rows as u64).saturating_mul((columns * width) as u64)
    }
}

/// Encodes all rows into a temporary file. `reading` reads the features alone and has the dictionaries of the pass that counted
/// `rows` rows.
pub(super) fn encode(
    file: &dyn FileReader,
    mut reading: Reading,
    mut encoder: RowEncoder,
    rows: usize,
    memory: &Memory,
) -> Result<Matrix, DataError> {
    let name = reading.name;
    let changed = || DataError::input(name, "the file was changed while it was read");
    let unwritable = |error| memory.unwritable(name, &error);
    let lengths = |dictionaries: &[Dictionary]| -> Vec<usize> {
        dictionaries.iter().map(|dictionary| dictionary.names.len()).collect()
    };
    let known = lengths(&reading.dictionaries);
    let texts = reading.used.iter().filter(|column| column.1.is_text()).count();
    let numbers = reading.used.len() - texts;
    let mut writer = memory.writer(name, encoder.is_sparse)?;
    reading.pass(file, &mut |table, dictionaries, count| {
        if lengths(dictionaries) != known {
            return Err(changed());
        }
        for row in 0..count {
            let codes = &table.codes[row * texts..(row + 1) * texts];
            let row = encoder.row(table.numbers.slice(row * numbers..(row + 1) * numbers), codes);
            writer.push(row).map_err(unwritable)?;
        }
        table.numbers.truncate(0);
        table.codes.clear();
        Ok(())
    })?;
    if reading.table.rows != rows {
        return Err(changed());
    }
    writer.finish(encoder.columns).map(Matrix::Spilled).map_err(unwritable)
}
