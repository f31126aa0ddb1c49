//! Parquet files as features, target and weights (feature `parquet`).
//!
//! A column's type decides what it is: integers, floats and doubles are numbers, strings and booleans are text. Row groups are
//! read by the `parquet` crate's column readers, a batch of rows of all columns at a time, into the matrix's own buffers, so
//! that no second copy of the table is in memory. What decodes is counted, and then compared with the rows that the file claims.
//!
//! With a limit on memory the features are kept only as long as they fit. Once they do not, the first pass goes on for targets,
//! weights and the categories of text, and a second one encodes the rows into a temporary file ([`spilled`]).

mod spilled;

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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ::parquet::basic::Compression;
    use ::parquet::data_type::ByteArray;
    use ::parquet::file::properties::WriterProperties;
    use ::parquet::file::writer::SerializedFileWriter;
    use ::parquet::schema::parser::parse_message_type;
    use bytes::Bytes;
    use infimum_problem::{FeatureKind, Matrix, Split};
    use proptest::prelude::*;

    use super::*;
    use crate::{Loaded, load};

    /// What a column of a row group is written from: values, and for columns that may miss some which are there.
    enum Column {
        Int32(Vec<i32>),
        Int64(Vec<i64>),
        Float(Vec<f32>),
        Double(Vec<f64>),
        Bool(Vec<bool>),
        Text(Vec<&'static str>),
        Bytes(Vec<Vec<u8>>),
        OptionalDouble(Vec<Option<f64>>),
        OptionalText(Vec<Option<&'static str>>),
    }

    fn file(schema: &str, groups: &[Vec<Column>], compression: Compression) -> Vec<u8> {
        let schema = Arc::new(parse_message_type(&format!("message m {{ {schema} }}")).expect("a schema"));
        let properties = Arc::new(WriterProperties::builder().set_compression(compression).build());
        let mut bytes = Vec::new();
        let mut writer = SerializedFileWriter::new(&mut bytes, schema, properties).expect("memory");
        for columns in groups {
            let mut group = writer.next_row_group().expect("a group");
            for column in columns {
                let mut writer = group.next_column().expect("memory").expect("a column");
                let levels = |there: Vec<bool>| -> Vec<i16> { there.into_iter().map(i16::from).collect() };
                let text = |text: &str| ByteArray::from(text.as_bytes().to_vec());
                match column {
                    Column::Int32(x) => writer.typed::<Int32Type>().write_batch(x, None, None),
                    Column::Int64(x) => writer.typed::<Int64Type>().write_batch(x, None, None),
                    Column::Float(x) => writer.typed::<FloatType>().write_batch(x, None, None),
                    Column::Double(x) => writer.typed::<DoubleType>().write_batch(x, None, None),
                    Column::Bool(x) => writer.typed::<BoolType>().write_batch(x, None, None),
                    Column::Text(x) => {
                        let x: Vec<ByteArray> = x.iter().map(|x| text(x)).collect();
                        writer.typed::<ByteArrayType>().write_batch(&x, None, None)
                    }
                    Column::Bytes(x) => {
                        let x: Vec<ByteArray> = x.iter().map(|x| ByteArray::from(x.clone())).collect();
                        writer.typed::<ByteArrayType>().write_batch(&x, None, None)
                    }
                    Column::OptionalDouble(x) => {
                        let there = levels(x.iter().map(Option::is_some).collect());
                        let x: Vec<f64> = x.iter().copied().flatten().collect();
                        writer.typed::<DoubleType>().write_batch(&x, Some(&there), None)
                    }
                    Column::OptionalText(x) => {
                        let there = levels(x.iter().map(Option::is_some).collect());
                        let x: Vec<ByteArray> = x.iter().flatten().map(|x| text(x)).collect();
                        writer.typed::<ByteArrayType>().write_batch(&x, Some(&there), None)
                    }
                }
                .expect("memory");
                writer.close().expect("memory");
            }
            group.close().expect("memory");
        }
        writer.close().expect("memory");
        bytes
    }

    fn read_as(bytes: Vec<u8>, request: &Request, encode: &Encode) -> Result<Raw, String> {
        read_chunks("f", Bytes::from(bytes), String::new(), request, encode).map_err(|error| error.to_string())
    }

    fn read(bytes: Vec<u8>) -> Result<Raw, String> {
        read_as(bytes, &Request::default(), &Encode::Fresh)
    }

    fn dense(raw: &Raw) -> Vec<f64> {
        let Matrix::Dense(dense) = &raw.matrix else { panic!("dense") };
        dense.values.iter().collect()
    }

    fn numbers(raw: &Raw) -> Vec<f64> {
        let RawTarget::Numeric(values) = &raw.target else { panic!("numbers") };
        values.clone()
    }

    #[test]
    fn every_kind_of_column() {
        let schema = "required int32 i; required int32 u (UINT_32); required int64 l; required float f; required double d; \
                      required boolean b; required binary t (UTF8); required double y;";
        let group = |shift: i64| {
            vec![
                Column::Int32(vec![i32::MIN, 7]),
                Column::Int32(vec![-1, 0]),
                Column::Int64(vec![1 << 53, -(1 << 53) + shift]),
                Column::Float(vec![0.1, -2.5]),
                Column::Double(vec![0.1, 1e-300 * 1e210]),
                Column::Bool(vec![true, false]),
                Column::Text(vec!["red", " red"]),
                Column::Double(vec![1.5, shift as f64]),
            ]
        };
        for compression in [
            Compression::UNCOMPRESSED,
            Compression::SNAPPY,
            Compression::GZIP(Default::default()),
            Compression::ZSTD(Default::default()),
        ] {
            let raw = read(file(schema, &[group(0), group(1)], compression)).expect("read");
            let first =
                [i32::MIN as f64, 4_294_967_295.0, 9_007_199_254_740_992.0, f64::from(0.1f32), 0.1, 0.0, 1.0, 0.0, 1.0];
            let second =
                |shift: f64| [7.0, 0.0, -9_007_199_254_740_992.0 + shift, -2.5, 1e-300 * 1e210, 1.0, 0.0, 1.0, 0.0];
            assert_eq!(dense(&raw), [first, second(0.0), first, second(1.0)].concat());
            let names: Vec<_> = raw.names.iter().map(|name| name.into_owned()).collect();
            assert_eq!(names, ["i", "u", "l", "f", "d", "b=false", "b=true", "t= red", "t=red"]);
            assert_eq!((numbers(&raw), raw.target_name.as_str()), (vec![1.5, 0.0, 1.5, 1.0], "y"));
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        let y = || Column::Int32(vec![0, 1, 0]);
        let double = |schema: &str, column| {
            file(&format!("{schema} required int32 y;"), &[vec![column, y()]], Compression::SNAPPY)
        };
        for (bytes, expected) in [
            (
                double("required int64 x;", Column::Int64(vec![0, 1, (1 << 53) + 1])),
                "f, row 3, column `x`: expected an integer of magnitude up to 2^53",
            ),
            (
                double("required int64 x;", Column::Int64(vec![0, i64::MIN, 0])),
                "row 2, column `x`: expected an integer of magnitude up to 2^53",
            ),
            (double("required int64 x (UINT_64);", Column::Int64(vec![-1, 0, 0])), "got `18446744073709551615`"),
            (
                double("optional double x;", Column::OptionalDouble(vec![Some(1.0), None, Some(2.0)])),
                "f, row 2, column `x`: expected a finite number",
            ),
            (
                double("optional binary x (UTF8);", Column::OptionalText(vec![Some("a"), Some("b"), None])),
                "f, row 3, column `x`: expected a value",
            ),
            (
                double("required double x;", Column::Double(vec![1.0, f64::NAN, 2.0])),
                "f, row 2, column `x`: expected a finite number",
            ),
            (
                double("required double x;", Column::Double(vec![1.0, 1e101, 2.0])),
                "expected a magnitude of at most 1e100",
            ),
            (
                double("required binary x;", Column::Bytes(vec![vec![b'a'], vec![255], vec![b'b']])),
                "row 2, column `x`: expected text in UTF-8",
            ),
            (
                double("required int32 x (DATE);", Column::Int32(vec![1, 2, 3])),
                "column `x`: expected integers, floats, doubles, booleans or strings, got INT32 (Date)",
            ),
            (
                double("required int64 x (TIMESTAMP_MILLIS);", Column::Int64(vec![1, 2, 3])),
                "column `x`: expected integers",
            ),
            (double("required int32 x (DECIMAL(5,2));", Column::Int32(vec![1, 2, 3])), "column `x`: expected integers"),
            (
                double("required group x { required double z; }", Column::Double(vec![1.0, 2.0, 3.0])),
                "column `x.z`: expected integers, floats, doubles, booleans or strings, got a nested or repeated column",
            ),
            (file("required double x; required int32 y;", &[], Compression::SNAPPY), "there are no rows"),
            (b"PAR1 and then nothing of the kind PAR1".to_vec(), "not a readable Parquet file"),
            (Vec::new(), "not a readable Parquet file"),
        ] {
            let error = read(bytes).expect_err(expected);
            assert!(error.contains(expected), "`{expected}` is not in {error}");
        }
        let text = file(
            "required double x; required binary y (UTF8);",
            &[vec![Column::Double(vec![1.0, 2.0]), Column::Text(vec!["no", "NA"])]],
            Compression::SNAPPY,
        );
        let error = read(text).expect_err("a missing label");
        assert!(error.contains("f, row 2, column `y`: expected a label") && error.contains("got `NA`"), "{error}");
    }

    #[test]
    fn weights_are_numbers_from_zero() {
        let weighted = |w| {
            file(
                "required double x; required double w; required int32 y;",
                &[vec![Column::Double(vec![1.0, 2.0]), Column::Double(w), Column::Int32(vec![0, 1])]],
                Compression::SNAPPY,
            )
        };
        let request = Request { sample_weight: Some("w".into()), ..Request::default() };
        let raw = read_as(weighted(vec![0.0, 2.0]), &request, &Encode::Fresh).expect("read");
        assert_eq!((raw.weights, raw.weight_name.as_deref()), (Some(vec![0.0, 2.0]), Some("w")));
        let error = read_as(weighted(vec![1.0, -0.5]), &request, &Encode::Fresh).expect_err("negative");
        assert!(error.contains("f, row 2, column `w`: expected a weight ≥ 0, got `-0.5`"), "{error}");
    }

    #[test]
    fn rows_for_a_model() {
        let trained = read(file(
            "required double a; required binary t (UTF8); required binary y (UTF8);",
            &[vec![Column::Double(vec![1.0, 2.0]), Column::Text(vec!["u", "v"]), Column::Text(vec!["no", "yes"])]],
            Compression::SNAPPY,
        ))
        .expect("read");
        assert_eq!(trained.encoding.features[1].kind, FeatureKind::OneHot(vec!["u".into(), "v".into()]));
        let fixed = Encode::Fixed { encoding: &trained.encoding, labels: true };
        let request = Request { target: Some("y".into()), ..Request::default() };
        // Another order, an unknown category, a missing label, and a column that the model does not use.
        let other = file(
            "optional binary y (UTF8); required int32 day (DATE); required binary t (UTF8); required double a;",
            &[vec![
                Column::OptionalText(vec![None, Some("yes")]),
                Column::Int32(vec![1, 2]),
                Column::Text(vec!["w", "v"]),
                Column::Double(vec![3.0, 4.0]),
            ]],
            Compression::SNAPPY,
        );
        let raw = read_as(other, &request, &fixed).expect("read");
        assert_eq!(dense(&raw), [3.0, 0.0, 0.0, 4.0, 0.0, 1.0]);
        let RawTarget::Text(target) = &raw.target else { panic!("text") };
        assert_eq!(
            target.codes.iter().map(|&code| &*target.dictionary.names[code as usize]).collect::<Vec<_>>(),
            ["", "yes"]
        );
        let misfit = file(
            "required double t; required double a;",
            &[vec![Column::Double(vec![1.0]), Column::Double(vec![1.0])]],
            Compression::SNAPPY,
        );
        assert!(
            read_as(misfit, &request, &fixed)
                .expect_err("numbers")
                .contains("column `t`: expected text, as in the training data")
        );
    }

    #[test]
    fn more_rows_than_a_batch() {
        let rows = 2 * BATCH + 17;
        let x: Vec<f64> = (0..rows).map(|row| row as f64).collect();
        let y: Vec<i32> = (0..rows as i32).map(|row| row * 7 % 3).collect();
        let raw = read(file(
            "required double x; required int32 y;",
            &[vec![Column::Double(x.clone()), Column::Int32(y.clone())]],
            Compression::SNAPPY,
        ))
        .expect("read");
        assert_eq!(dense(&raw), x);
        assert_eq!(numbers(&raw), y.into_iter().map(f64::from).collect::<Vec<_>>());
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

        #[test]
        fn damaged_files_are_refused_or_read(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4), cut in any::<Option<prop::sample::Index>>()) {
            let mut bytes = file("required double x; optional binary t (UTF8); required int32 y;", &[vec![Column::Double(vec![1.0, 2.0]), Column::OptionalText(vec![Some("u"), Some("v")]), Column::Int32(vec![0, 1])]], Compression::SNAPPY);
            for (place, value) in changes {
                let place = place.index(bytes.len());
                bytes[place] = value;
            }
            if let Some(cut) = cut {
                bytes.truncate(cut.index(bytes.len()));
            }
            if let Ok(raw) = read(bytes) {
                prop_assert_eq!(raw.matrix.rows(), 2);
            }
        }
    }

    /// Numbers of two types and text, 500 rows in groups of 100, and the request that reads them.
    fn mixed() -> (Vec<u8>, Request) {
        let schema = "required double x; required int32 n; required byte_array shop (UTF8); required double z; \
                      required double w; required boolean y;";
        let group = |group: usize| {
            let rows = || (0..100).map(move |row| 100 * group + row);
            vec![
                Column::Double(rows().map(|r| (r * 37 % 41) as f64 / if group < 3 { 8.0 } else { 7.0 }).collect()),
                Column::Int32(rows().map(|r| (r * 23 % 29) as i32 - 11).collect()),
                Column::Text(rows().map(|r| ["b", "a", "d", "c"][r * 7 % (1 + group).min(4)]).collect()),
                Column::Double(rows().map(|r| f64::from(u8::from(r % 3 == 0))).collect()),
                Column::Double(rows().map(|r| (r % 5) as f64).collect()),
                Column::Bool(rows().map(|r| r * 11 % 7 > 2).collect()),
            ]
        };
        let groups: Vec<Vec<Column>> = (0..5).map(group).collect();
        let request = Request { target: Some("y".into()), sample_weight: Some("w".into()), ..Request::default() };
        (file(schema, &groups, Compression::SNAPPY), request)
    }

    /// All rows, with where their entries are.
    fn rows(matrix: &Matrix) -> Vec<Vec<(usize, f64)>> {
        let mut rows = Vec::new();
        let read = matrix.for_each_row(|_, row| {
            let mut entries = Vec::new();
            row.for_each(|j, x| entries.push((j, x)));
            rows.push(entries);
        });
        read.map(|()| rows).expect("read back")
    }

    #[test]
    fn what_does_not_fit_is_encoded_in_a_second_pass() {
        let (bytes, request) = mixed();
        let held = read_as(bytes.clone(), &request, &Encode::Fresh).expect("read");
        // 500 rows of 8 columns are 32,000 bytes; the table of 3 numbers and a code, 14,000.
        for (limit, is_spilled) in [(0, true), (5_000, true), (20_000, true), (32_000, false)] {
            let request = Request { memory: Some(Memory::in_blocks(limit, 700)), ..request.clone() };
            let read = read_as(bytes.clone(), &request, &Encode::Fresh).expect("read");
            assert_eq!((read.matrix.is_spilled(), read.matrix.is_sparse()), (is_spilled, false), "{limit}");
            assert_eq!(rows(&read.matrix), rows(&held.matrix), "{limit}");
            assert_eq!((read.matrix.columns(), read.weights.as_ref()), (7, held.weights.as_ref()));
            assert_eq!(read.names, held.names);
            assert_eq!(read.notes.iter().any(|note| note == SPILLED), is_spilled);
            let RawTarget::Text(text) = &read.target else { panic!("text") };
            let RawTarget::Text(expected) = &held.target else { panic!("text") };
            assert_eq!(text, expected);
        }
    }

    #[test]
    fn problems_of_either_storage_have_one_hash() {
        let (bytes, request) = mixed();
        let file = tempfile::NamedTempFile::with_suffix(".parquet").expect("a file");
        std::fs::write(file.path(), bytes).expect("written");
        let name = file.path().to_str().expect("a name");
        for (standardize, split) in [(false, None), (true, None), (true, Some(Split { fraction: 0.3, seed: 4 }))] {
            let request = Request { standardize, split, ..request.clone() };
            let spilling = Request { memory: Some(Memory::in_blocks(1_000, 700)), ..request.clone() };
            let (held, spilled) = (load(name, &request).expect("held"), load(name, &spilling).expect("spilled"));
            assert!(spilled.problem.data.matrix.is_spilled());
            assert_eq!(held.problem_sha256, spilled.problem_sha256);
            assert_eq!(held.problem.objective, spilled.problem.objective);
            let validation = |loaded: &Loaded| loaded.validation.as_ref().map(|held_out| rows(&held_out.matrix));
            assert_eq!(validation(&held), validation(&spilled));
        }
    }

    #[test]
    fn many_categories_are_spilled_as_sparse_rows() {
        let names: Vec<String> = (0..40).map(|name| format!("s{name:02}")).collect();
        let codes = (0..600).map(|r| names[r * 7 % 40].clone().into_bytes()).collect();
        let label = (0..600).map(|r| r * 5 % 9 > 3).collect();
        let schema = "required byte_array shop (UTF8); required int32 n; required boolean y;";
        let counts = (0..600).map(|r| r % 3).collect();
        let columns = vec![Column::Bytes(codes), Column::Int32(counts), Column::Bool(label)];
        let bytes = file(schema, &[columns], Compression::UNCOMPRESSED);
        let held = read(bytes.clone()).expect("read");
        let request = Request { memory: Some(Memory::in_blocks(3_000, 500)), ..Request::default() };
        let spilled = read_as(bytes, &request, &Encode::Fresh).expect("read");
        assert!(spilled.matrix.is_spilled() && spilled.matrix.is_sparse() && held.matrix.is_sparse());
        assert_eq!(rows(&spilled.matrix), rows(&held.matrix));
    }

    #[test]
    fn pages_that_do_not_fit_are_refused() {
        let (bytes, request) = mixed();
        let memory = Memory::new(64 << 20, 1, std::path::Path::new(".")).expect("the least limit");
        let request = Request { memory: Some(memory), ..request };
        assert!(read_as(bytes, &request, &Encode::Fresh).is_ok());
        let schema: String = (0..2_000).map(|column| format!("required double x{column};")).collect();
        let columns = (0..2_000).map(|_| Column::Double((0..600).map(f64::from).collect())).collect();
        let wide = file(&schema, &[columns], Compression::UNCOMPRESSED);
        let request = Request { target: None, sample_weight: None, ..request };
        let refused = read_as(wide, &request, &Encode::Fresh).expect_err("too wide");
        assert!(refused.contains("a page of each of 2000 columns") && refused.contains("give --memory"), "{refused}");
    }
}
