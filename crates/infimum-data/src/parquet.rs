//! Parquet files as features, target and weights (feature `parquet`).
//!
//! A column's type decides what it is: integers, floats and doubles are numbers, strings and booleans are text. Row groups are
//! read by the `parquet` crate's column readers, a batch of rows of all columns at a time, into the matrix's own buffers, so
//! that no second copy of the table is in memory. What decodes is counted, and then compared with the rows that the file claims.
//!
//! With a limit on memory the features are kept only as long as they fit. Once they do not, the first pass goes on for targets,
//! weights and the categories of text, and a second one encodes the rows into a temporary file ([`spilled`]).

mod spilled;
#[cfg(test)]
mod tests;

use std::panic::{AssertUnwindSafe, catch_unwind};

use ::parquet::basic::{ConvertedType, LogicalType, Type as Physical};
use ::parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use ::parquet::data_type::{BoolType, ByteArrayType, DataType, DoubleType, FloatType, Int32Type, Int64Type};
use ::parquet::errors::ParquetError;
use ::parquet::file::reader::{ChunkReader, FileReader, RowGroupReader, SerializedFileReader};
use ::parquet::schema::types::ColumnDescriptor;
use infimum_problem::{ColumnNames, FeatureKind, Format};

use crate::canonical::Request;
use crate::csv::{Dictionary, Layout, Role, Table, TextColumn};
use crate::encode::{RowEncoder, encode_matrix, fresh_encoding, plans};
use crate::error::{DataError, Unit};
use crate::memory::{Memory, SPILLED};
use crate::number;
use crate::raw::{Encode, Raw, RawTarget};
use crate::source::open_file;
use crate::tabular::{choose_columns, place_columns};

/// Rows of all columns that are decoded at a time, at most.
const BATCH: usize = 8_192;
/// Integers up to this magnitude are what they are as `f64`.
const EXACT: u64 = 1 << 53;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Int32 { signed: bool },
    Int64 { signed: bool },
    Float,
    Double,
    Bool,
    Text,
}

impl Kind {
    fn is_text(self) -> bool {
        matches!(self, Kind::Bool | Kind::Text)
    }

    /// The kind of a column, or what it is instead.
    fn of(column: &ColumnDescriptor) -> Result<Kind, String> {
        if column.path().parts().len() != 1 || column.max_rep_level() > 0 || column.max_def_level() > 1 {
            return Err("a nested or repeated column".into());
        }
        let (logical, converted) = (column.logical_type_ref(), column.converted_type());
        let described = match (logical, converted) {
            (Some(logical), _) => format!("{:?} ({logical:?})", column.physical_type()),
            (None, ConvertedType::NONE) => format!("{:?}", column.physical_type()),
            (None, converted) => format!("{:?} ({converted})", column.physical_type()),
        };
        let signed = match (logical, converted) {
            (Some(LogicalType::Integer(integer)), _) => Some(integer.is_signed),
            (Some(_), _) => None,
            (
                None,
                ConvertedType::NONE
                | ConvertedType::INT_8
                | ConvertedType::INT_16
                | ConvertedType::INT_32
                | ConvertedType::INT_64,
            ) => Some(true),
            (
                None,
                ConvertedType::UINT_8 | ConvertedType::UINT_16 | ConvertedType::UINT_32 | ConvertedType::UINT_64,
            ) => Some(false),
            (None, _) => None,
        };
        let bare = logical.is_none() && converted == ConvertedType::NONE;
        let is_string = matches!(logical, None | Some(LogicalType::String | LogicalType::Enum | LogicalType::Json))
            && matches!(
                converted,
                ConvertedType::NONE | ConvertedType::UTF8 | ConvertedType::ENUM | ConvertedType::JSON
            );
        match (column.physical_type(), signed) {
            (Physical::INT32, Some(signed)) => Ok(Kind::Int32 { signed }),
            (Physical::INT64, Some(signed)) => Ok(Kind::Int64 { signed }),
            (Physical::FLOAT, _) if bare => Ok(Kind::Float),
            (Physical::DOUBLE, _) if bare => Ok(Kind::Double),
            (Physical::BOOLEAN, _) if bare => Ok(Kind::Bool),
            (Physical::BYTE_ARRAY, _) if is_string => Ok(Kind::Text),
            _ => Err(described),
        }
    }
}

/// Reads the Parquet file `name`.
pub(crate) fn read_parquet(name: &str, sha256: String, request: &Request, encode: &Encode) -> Result<Raw, DataError> {
    read_chunks(name, open_file(name)?.0, sha256, request, encode)
}

/// Reads Parquet from a file or from memory. The decoder is another's: should it panic on damaged bytes, they are refused.
pub(crate) fn read_chunks(
    name: &str,
    chunks: impl ChunkReader + 'static,
    sha256: String,
    request: &Request,
    encode: &Encode,
) -> Result<Raw, DataError> {
    let read = || {
        read_file(
            name,
            &SerializedFileReader::new(chunks).map_err(|error| damaged(name, &error))?,
            sha256,
            request,
            encode,
        )
    };
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|_| {
        Err(DataError::input(name, "the Parquet file is damaged: its decoder gave up; write it again"))
    })
}

fn damaged(name: &str, error: &ParquetError) -> DataError {
    DataError::input(name, format!("not a readable Parquet file: {error}"))
}

fn read_file(
    name: &str,
    file: &dyn FileReader,
    sha256: String,
    request: &Request,
    encode: &Encode,
) -> Result<Raw, DataError> {
    if request.has_several() {
        let message = "Parquet files are read with one target column; convert the file to CSV for several";
        return Err(DataError::input(name, message));
    }
    let schema = file.metadata().file_metadata().schema_descr();
    let columns = schema.columns();
    if columns.is_empty() {
        return Err(DataError::input(name, "the file has no columns"));
    }
    let kinds: Vec<Result<Kind, String>> = columns.iter().map(|column| Kind::of(column)).collect();
    let mut layout = Layout {
        delimiter: b',',
        header: true,
        names: ColumnNames::Named(columns.iter().map(|column| column.path().string()).collect()),
        roles: vec![Role::Feature; columns.len()],
        text: kinds.iter().map(|kind| kind.as_ref().is_ok_and(|kind| kind.is_text())).collect(),
        fixed: matches!(encode, Encode::Fixed { .. }),
    };
    let features: Vec<usize> = match encode {
        Encode::Fresh => {
            choose_columns(name, request, &mut layout)?;
            (0..columns.len()).filter(|&column| layout.roles[column] == Role::Feature).collect()
        }
        Encode::Fixed { encoding, .. } => {
            let features = place_columns(name, request, encoding, &mut layout)?;
            for (&column, feature) in features.iter().zip(&encoding.features) {
                let (expected, is_text) = match feature.kind {
                    FeatureKind::Numeric => ("numbers", false),
                    FeatureKind::OneHot(_) => ("text", true),
                };
                if kinds[column].is_ok() && layout.text[column] != is_text {
                    let message = format!("column `{}`: expected {expected}, as in the training data", feature.name);
                    return Err(DataError::input(name, message));
                }
            }
            features
        }
    };
    let mut used = Vec::new();
    for (column, kind) in kinds.into_iter().enumerate() {
        let column_name = layout.names.name(column);
        let role = layout.roles[column];
        match kind {
            _ if role == Role::Ignored => {}
            Ok(kind) if role == Role::Weight && kind.is_text() => {
                let message = format!("column `{column_name}`: expected weights (numbers), got text");
                return Err(DataError::input(name, message));
            }
            Ok(kind) => used.push((column, kind)),
            // Predicting needs no target.
            Err(_) if role == Role::Target && layout.fixed => layout.roles[column] = Role::Ignored,
            Err(got) => {
                let expected = "integers, floats, doubles, booleans or strings";
                let message =
                    format!("column `{column_name}`: expected {expected}, got {got}; convert or remove the column");
                return Err(DataError::input(name, message));
            }
        }
    }
    let memory = request.memory.as_ref();
    let batch = spilled::batch(name, file, &used, memory)?;
    let mut reading = Reading::new(name, &layout, &used, batch);
    let mut is_kept = true;
    reading.pass(file, &mut |table, _, _| {
        is_kept &= memory.is_none_or(|memory| memory.holds(spilled::table_bytes(table)));
        if !is_kept {
            (table.numbers, table.codes) = Default::default();
        }
        Ok(())
    })?;
    reading.finish(file, sha256, encode, &features, memory, is_kept)
}

/// One column of a batch.
enum Values {
    /// NaN where a target is missing that is not needed.
    Numbers(Vec<f64>),
    /// Codes into the column's dictionary.
    Codes(Vec<u32>),
}

/// A file on its way to a table.
struct Reading<'a> {
    name: &'a str,
    layout: &'a Layout,
    /// Columns that are read, with their kinds.
    used: &'a [(usize, Kind)],
    /// A dictionary for each of them, empty for numbers.
    dictionaries: Vec<Dictionary>,
    target_codes: Vec<u32>,
    table: Table,
    /// Rows that are decoded at a time.
    batch: usize,
}

/// What is done after a batch was appended: it gets the table, the dictionaries, and how many rows the batch has.
type After<'b> = &'b mut dyn FnMut(&mut Table, &[Dictionary], usize) -> Result<(), DataError>;

impl<'a> Reading<'a> {
    fn new(name: &'a str, layout: &'a Layout, used: &'a [(usize, Kind)], batch: usize) -> Reading<'a> {
        let dictionaries = vec![Dictionary::default(); used.len()];
        Reading { name, layout, used, dictionaries, target_codes: Vec::new(), table: Table::default(), batch }
    }

    /// Appends the rows of the file.
    fn pass(&mut self, file: &dyn FileReader, after: After) -> Result<(), DataError> {
        for group in 0..file.num_row_groups() {
            let group = file.get_row_group(group).map_err(|error| damaged(self.name, &error))?;
            self.group(&*group, after)?;
        }
        Ok(())
    }

    /// Appends the rows of one row group.
    fn group(&mut self, group: &dyn RowGroupReader, after: After) -> Result<(), DataError> {
        let before = self.table.rows;
        let damage = |error: ParquetError| damaged(self.name, &error);
        let open = |&(column, _): &(usize, Kind)| group.get_column_reader(column).map_err(damage);
        let mut readers: Vec<ColumnReader> = self.used.iter().map(open).collect::<Result<_, _>>()?;
        loop {
            let mut batch = Vec::with_capacity(readers.len());
            for (place, reader) in readers.iter_mut().enumerate() {
                batch.push(self.column(place, reader)?);
            }
            let count = |values: &Values| match values {
                Values::Numbers(values) => values.len(),
                Values::Codes(codes) => codes.len(),
            };
            let rows = batch.first().map_or(0, count);
            if batch.iter().any(|values| count(values) != rows) {
                return Err(DataError::input(
                    self.name,
                    "the columns of a row group differ in length; the file is damaged",
                ));
            }
            if rows == 0 {
                break;
            }
            self.append(&batch, rows);
            after(&mut self.table, &self.dictionaries, rows)?;
        }
        let (claimed, read) = (group.metadata().num_rows(), self.table.rows - before);
        if usize::try_from(claimed).is_ok_and(|claimed| claimed == read) {
            return Ok(());
        }
        let message = format!("a row group claims {claimed} rows, but its columns hold {read}; the file is damaged");
        Err(DataError::input(self.name, message))
    }

    /// The next values of a column, at most a batch.
    fn column(&mut self, place: usize, reader: &mut ColumnReader) -> Result<Values, DataError> {
        match (reader, self.used[place].1) {
            (ColumnReader::Int32ColumnReader(reader), Kind::Int32 { signed }) => {
                let value = |x: i32| if signed { f64::from(x) } else { f64::from(x as u32) };
                self.numbers::<Int32Type>(place, reader, |x| Ok(value(x)))
            }
            (ColumnReader::Int64ColumnReader(reader), Kind::Int64 { signed }) => {
                self.numbers::<Int64Type>(place, reader, |x| match (signed, x) {
                    (true, _) if x.unsigned_abs() <= EXACT => Ok(x as f64),
                    (false, 0..) if x as u64 <= EXACT => Ok(x as f64),
                    (true, _) => Err(x.to_string()),
                    (false, _) => Err((x as u64).to_string()),
                })
            }
            (ColumnReader::FloatColumnReader(reader), Kind::Float) => {
                self.numbers::<FloatType>(place, reader, |x| Ok(f64::from(x)))
            }
            (ColumnReader::DoubleColumnReader(reader), Kind::Double) => self.numbers::<DoubleType>(place, reader, Ok),
            (ColumnReader::BoolColumnReader(reader), Kind::Bool) => {
                self.texts::<BoolType>(place, reader, |value| Some(if *value { "true" } else { "false" }))
            }
            (ColumnReader::ByteArrayColumnReader(reader), Kind::Text) => {
                self.texts::<ByteArrayType>(place, reader, |value| std::str::from_utf8(value.data()).ok())
            }
            _ => Err(DataError::input(
                self.name,
                "a column is not of the type that the file's schema says; it is damaged",
            )),
        }
    }

    /// The next values of a typed column, `None` where one is missing.
    fn read<T: DataType>(&self, reader: &mut ColumnReaderImpl<T>) -> Result<Vec<Option<T::T>>, DataError> {
        let (mut levels, mut values) = (Vec::new(), Vec::new());
        let (records, found, _) = reader
            .read_records(self.batch, Some(&mut levels), None, &mut values)
            .map_err(|error| damaged(self.name, &error))?;
        values.truncate(found);
        // A column that must be there has no levels.
        if levels.is_empty() {
            return Ok(values.into_iter().map(Some).collect());
        }
        let present = levels.iter().filter(|&&level| level > 0).count();
        if levels.len() != records || present != values.len() {
            return Err(DataError::input(
                self.name,
                "a column's levels and values differ in number; the file is damaged",
            ));
        }
        let mut values = values.into_iter();
        Ok(levels.into_iter().map(|level| if level > 0 { values.next() } else { None }).collect())
    }

    /// A value that cannot be used.
    fn refused(&self, place: usize, offset: usize, expected: &str, got: &str) -> DataError {
        DataError::Field {
            path: self.name.into(),
            unit: Unit::Row,
            line: self.row(offset),
            column: format!(", column `{}`", self.layout.names.name(self.used[place].0)),
            expected: expected.into(),
            got: got.into(),
        }
    }

    /// The row from 1 of an entry of the batch.
    fn row(&self, offset: usize) -> u64 {
        (self.table.rows + offset) as u64 + 1
    }

    /// Whether the column is a target that predicting does not need.
    fn is_optional(&self, place: usize) -> bool {
        self.layout.fixed && self.layout.roles[self.used[place].0] == Role::Target
    }

    /// Numbers, exactly as they are; `exact` gives what cannot be one as text.
    fn numbers<T: DataType>(
        &self,
        place: usize,
        reader: &mut ColumnReaderImpl<T>,
        exact: impl Fn(T::T) -> Result<f64, String>,
    ) -> Result<Values, DataError> {
        let is_weight = self.layout.roles[self.used[place].0] == Role::Weight;
        let number = |(offset, value): (usize, Option<T::T>)| {
            let refused = match value.map(&exact) {
                Some(Ok(value)) => match number::objection(value) {
                    None if is_weight && value < 0.0 => ("a weight ≥ 0", format!("`{value}`")),
                    None => return Ok(value),
                    Some(expected) => (expected, format!("`{value:?}`")),
                },
                Some(Err(integer)) => (
                    "an integer of magnitude up to 2^53 (9007199254740992), beyond which f64 does not hold all; store the \
                     column as text or as double",
                    format!("`{integer}`"),
                ),
                None => (number::PRESENT, "null".to_string()),
            };
            if self.is_optional(place) { Ok(f64::NAN) } else { Err(self.refused(place, offset, refused.0, &refused.1)) }
        };
        let values = self.read(reader)?.into_iter().enumerate().map(number);
        values.collect::<Result<_, _>>().map(Values::Numbers)
    }

    /// Text as it is; `text` gives `None` for what is not UTF-8.
    fn texts<T: DataType>(
        &mut self,
        place: usize,
        reader: &mut ColumnReaderImpl<T>,
        text: impl Fn(&T::T) -> Option<&str>,
    ) -> Result<Values, DataError> {
        let values = self.read(reader)?;
        let mut codes = Vec::with_capacity(values.len());
        for (offset, value) in values.iter().enumerate() {
            let field = match value.as_ref().map(&text) {
                Some(Some(field)) => field,
                // No model has an empty label.
                _ if self.is_optional(place) => "",
                Some(None) => return Err(self.refused(place, offset, "text in UTF-8", "other bytes")),
                None => {
                    let expected =
                        "a value (fill missing ones, for instance with a category of their own, or remove their rows)";
                    return Err(self.refused(place, offset, expected, "null"));
                }
            };
            let row = self.row(offset);
            codes.push(self.dictionaries[place].code(field, row));
        }
        Ok(Values::Codes(codes))
    }

    /// Appends a batch, row by row.
    fn append(&mut self, batch: &[Values], rows: usize) {
        for (values, &(column, _)) in batch.iter().zip(self.used) {
            match (self.layout.roles[column], values) {
                (Role::Target, Values::Numbers(values)) => self.table.target.extend_from_slice(values),
                (Role::Target, Values::Codes(codes)) => self.target_codes.extend_from_slice(codes),
                (Role::Weight, Values::Numbers(values)) => self.table.weights.extend_from_slice(values),
                _ => {}
            }
        }
        let is_feature = |entry: &(&Values, &(usize, Kind))| self.layout.roles[entry.1.0] == Role::Feature;
        let features: Vec<&Values> = batch.iter().zip(self.used).filter(is_feature).map(|entry| entry.0).collect();
        for row in 0..rows {
            for values in &features {
                match values {
                    Values::Numbers(values) => self.table.numbers.push(values[row]),
                    Values::Codes(codes) => self.table.codes.push(codes[row]),
                }
            }
        }
        self.table.rows += rows;
    }

    /// The table as features, target and weights. Features that were not kept, or whose matrix does not fit, are read again.
    fn finish(
        self,
        file: &dyn FileReader,
        sha256: String,
        encode: &Encode,
        features: &[usize],
        memory: Option<&Memory>,
        is_kept: bool,
    ) -> Result<Raw, DataError> {
        let Reading { name, layout, used, dictionaries, mut target_codes, mut table, batch } = self;
        if table.rows == 0 {
            return Err(DataError::input(name, "there are no rows"));
        }
        let mut target = RawTarget::Absent;
        for (dictionary, &(column, kind)) in dictionaries.into_iter().zip(used) {
            match (layout.roles[column], kind.is_text()) {
                (Role::Feature, true) => table.text.push(dictionary),
                (Role::Target, true) => {
                    let missing = dictionary.first(number::is_missing).filter(|_| !layout.fixed);
                    if let Some(code) = missing {
                        return Err(DataError::Field {
                            path: name.into(),
                            unit: Unit::Row,
                            line: dictionary.first_lines[code],
                            column: format!(", column `{}`", layout.names.name(column)),
                            expected: "a label (remove the rows without one; rename the label if this is one)".into(),
                            got: format!("`{}`", dictionary.names[code]),
                        });
                    }
                    let codes = std::mem::take(&mut target_codes);
                    target = RawTarget::Text(TextColumn { codes, dictionary });
                }
                (Role::Target, false) => target = RawTarget::Numeric(std::mem::take(&mut table.target)),
                _ => {}
            }
        }
        let place = |wanted| layout.roles.iter().position(|&role| role == wanted);
        let weights = place(Role::Weight).map(|_| std::mem::take(&mut table.weights));
        let reference = |column| crate::infer::reference(&layout.names, column);
        let mut notes = Vec::new();
        let (encoding, names) = match encode {
            Encode::Fresh => fresh_encoding(layout, features, &table.text, &mut notes),
            Encode::Fixed { encoding, .. } => ((*encoding).clone(), Vec::new()),
        };
        let size = spilled::matrix_bytes(&table, features.len(), encoding.columns);
        let matrix = match memory.filter(|memory| !is_kept || !memory.holds(size)) {
            None => encode_matrix(layout, features, table, &encoding, &mut notes),
            Some(memory) => {
                notes.push(SPILLED.to_string());
                let plans = plans(layout, features, &table.text, &encoding, &mut notes);
                let encoder = RowEncoder::new(plans, features.len(), encoding.columns);
                let is_feature = |entry: &(usize, Kind)| layout.roles[entry.0] == Role::Feature;
                let used: Vec<(usize, Kind)> = used.iter().copied().filter(is_feature).collect();
                let mut again = Reading::new(name, layout, &used, batch);
                let texts = again.dictionaries.iter_mut().zip(&used).filter(|entry| entry.1.1.is_text());
                texts.zip(std::mem::take(&mut table.text)).for_each(|((place, _), dictionary)| *place = dictionary);
                (table.numbers, table.codes) = Default::default();
                spilled::encode(file, again, encoder, table.rows, memory)?
            }
        };
        Ok(Raw {
            matrix,
            names: ColumnNames::Named(names),
            encoding,
            target,
            weights,
            held_out: None,
            sha256,
            format: Format::Parquet,
            header: true,
            target_name: place(Role::Target).map(reference).unwrap_or_default(),
            weight_name: place(Role::Weight).map(reference),
            notes,
        })
    }
}
