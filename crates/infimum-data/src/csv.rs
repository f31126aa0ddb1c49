//! CSV and TSV: typed columns, streamed in parallel pieces.
//!
//! A column is read as numbers until a word (neither a number nor a mark for a missing one) stands in it; then the file is read
//! once more with that column as text. What a column is depends on the set of its fields alone; so a number that cannot be
//! used and a missing value are refused only when the end of the file has shown that their column has no word.
//! Text columns keep a dictionary and one code per row.

use std::collections::HashMap;
use std::sync::Arc;

use infimum_problem::{ColumnNames, Values};

use crate::error::DataError;
use crate::fields::{Fields, Splitter};
use crate::number;
use crate::numbers::Numbers;
use crate::source::Source;
use crate::stream::{LONGEST, for_each_piece, too_long};

/// Bytes of the beginning of a file that are looked at.
const HEAD: usize = 1 << 16;

/// What a column of the file is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// A feature.
    Feature,
    /// The target.
    Target,
    /// Example weights.
    Weight,
    /// Read over.
    Ignored,
}

/// How the file is laid out.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    pub(crate) delimiter: u8,
    pub(crate) header: bool,
    pub(crate) names: ColumnNames,
    pub(crate) roles: Vec<Role>,
    /// Which columns are text.
    pub(crate) text: Vec<bool>,
    /// Whether the types are a model's: then a word in a column of numbers is refused, and a target that is no usable
    /// number is NaN.
    pub(crate) fixed: bool,
}

/// The distinct fields of a text column in order of first appearance, which is their code, with counts and first lines.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Dictionary {
    pub(crate) names: Vec<Arc<str>>,
    pub(crate) counts: Vec<u64>,
    pub(crate) first_lines: Vec<u64>,
    lookup: HashMap<Arc<str>, u32>,
}

/// A text column of its own: `dictionary.names[codes[row]]`.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct TextColumn {
    pub(crate) codes: Vec<u32>,
    pub(crate) dictionary: Dictionary,
}

/// All columns of a file by use.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Table<N = Values> {
    pub(crate) rows: usize,
    /// Numeric features, row-major, in file order.
    pub(crate) numbers: N,
    /// Codes of the text features, row-major, in file order.
    pub(crate) codes: Vec<u32>,
    /// Dictionaries of the text features, in file order.
    pub(crate) text: Vec<Dictionary>,
    /// Target, if read as numbers.
    pub(crate) target: Vec<f64>,
    /// Targets that are text, in file order.
    pub(crate) target_text: Vec<TextColumn>,
    /// Example weights.
    pub(crate) weights: Vec<f64>,
    /// The first field that cannot be used.
    objection: Option<DataError>,
}

impl Dictionary {
    /// The code of a field that stands on `line`.
    pub(crate) fn code(&mut self, field: &str, line: u64) -> u32 {
        let code = match self.lookup.get(field) {
            Some(&code) => code,
            None => {
                let code = self.names.len() as u32;
                let name: Arc<str> = field.into();
                self.lookup.insert(Arc::clone(&name), code);
                self.names.push(name);
                self.counts.push(0);
                self.first_lines.push(line);
                code
            }
        };
        self.counts[code as usize] += 1;
        code
    }

    /// Adds the fields of a later piece, before which there are `lines` lines; returns what its codes have become.
    pub(crate) fn append(&mut self, other: &Dictionary, lines: u64) -> Vec<u32> {
        (other.names.iter().zip(&other.first_lines).zip(&other.counts))
            .map(|((name, line), count)| {
                let code = self.code(name, line + lines);
                self.counts[code as usize] += count - 1;
                code
            })
            .collect()
    }

    /// The code that `chosen` accepts and that appears first.
    pub(crate) fn first(&self, chosen: impl Fn(&[u8]) -> bool) -> Option<usize> {
        self.names.iter().position(|name| chosen(name.as_bytes()))
    }
}

/// The beginning of a file: whole records, without a byte order mark, and then what was read of the next.
pub(crate) struct Beginning {
    pub(crate) text: Vec<u8>,
    /// End of the first record; 0 if there is none.
    pub(crate) first: usize,
    /// End of the last whole record.
    pub(crate) whole: usize,
}

/// Reads the beginning of `source`: at least the first record, and as much again three times, for a look at some more.
pub(crate) fn beginning(source: &mut Source, delimiter: u8) -> Result<Beginning, DataError> {
    let mut text = Vec::new();
    let mut wanted = HEAD;
    loop {
        let kept = text.len();
        text.resize(wanted, 0);
        let got = source.fill(&mut text[kept..])?;
        let ended = got < wanted - kept;
        text.truncate(kept + got);
        if kept == 0 && text.starts_with(b"\xef\xbb\xbf") {
            text.drain(..3);
        }
        let mut fields = Fields::new(&text, delimiter);
        let there = fields.at_record();
        let (start, line) = (fields.position, fields.line);
        let cuts = Splitter::records(delimiter).cuts(&text, &[start + 1], ended);
        let first = if cuts[0] > start { Some(cuts[0]) } else { None };
        if ended {
            let first = if there { first.unwrap_or(text.len()) } else { 0 };
            return Ok(Beginning { first, whole: text.len(), text });
        }
        if let Some(first) = first.filter(|first| 4 * first <= text.len()) {
            return Ok(Beginning { first, whole: cuts[1], text });
        }
        if first.is_none() && text.len() - start > LONGEST {
            return Err(too_long(line).at(&source.name, 0));
        }
        wanted = 2 * text.len();
    }
}

/// The records of `text`, at most `limit`; for looking at the beginning of a file.
pub(crate) fn sample(text: &[u8], delimiter: u8, limit: usize) -> Result<Vec<Vec<Vec<u8>>>, DataError> {
    let mut fields = Fields::new(text, delimiter);
    let mut records = Vec::new();
    while records.len() < limit && fields.at_record() {
        let mut record = Vec::new();
        loop {
            let (field, last) = fields.next()?;
            record.push(field.to_vec());
            if last {
                break;
            }
        }
        records.push(record);
    }
    Ok(records)
}

/// The field as text.
pub(crate) fn utf8<'a>(field: &'a [u8], line: u64, column: &str) -> Result<&'a str, DataError> {
    let expected = "text in UTF-8 (save the file as UTF-8)";
    std::str::from_utf8(field).map_err(|_| DataError::field(line, Some(column), expected, field))
}

/// What is done with the fields of a column.
#[derive(Debug, Clone, Copy)]
enum Use {
    Number,
    Text(usize),
    Target,
    TargetText(usize),
    Weight,
    Nothing,
}

impl Layout {
    fn uses(&self) -> Vec<Use> {
        let (mut texts, mut targets) = (0, 0);
        let place = |(&role, &text): (&Role, &bool)| match (role, text) {
            (Role::Feature, false) => Use::Number,
            (Role::Feature, true) => {
                texts += 1;
                Use::Text(texts - 1)
            }
            (Role::Target, false) => Use::Target,
            (Role::Target, true) => {
                targets += 1;
                Use::TargetText(targets - 1)
            }
            (Role::Weight, _) => Use::Weight,
            (Role::Ignored, _) => Use::Nothing,
        };
        self.roles.iter().zip(&self.text).map(place).collect()
    }

    /// How many features are numbers, and how many are text.
    fn widths(&self) -> (usize, usize) {
        let features = (0..self.roles.len()).filter(|&column| self.roles[column] == Role::Feature);
        let (text, numbers): (Vec<usize>, Vec<usize>) = features.partition(|&column| self.text[column]);
        (numbers.len(), text.len())
    }
}

/// What one piece gave: its table, or the columns that turned out to be text.
enum Parsed<N> {
    Table(Box<Table<N>>),
    Text(Vec<usize>),
}

fn parse_piece<N: Numbers>(piece: &[u8], layout: &Layout) -> Result<Parsed<N>, DataError> {
    let uses = layout.uses();
    let width = uses.len();
    let mut fields = Fields::new(piece, layout.delimiter);
    let target_texts = uses.iter().filter(|usage| matches!(usage, Use::TargetText(_))).count();
    let mut table = Table {
        text: vec![Dictionary::default(); layout.widths().1],
        target_text: vec![TextColumn::default(); target_texts],
        ..Table::<N>::default()
    };
    let mut found: Vec<usize> = Vec::new();
    while fields.at_record() {
        let (line, start) = (fields.line, fields.position);
        for (column, usage) in uses.iter().enumerate() {
            let (field, last) = fields.next()?;
            if last != (column + 1 == width) {
                return Err(ragged(&mut fields, last, column + 1, width, line));
            }
            let pushed = match usage {
                Use::Number => table.numbers.push_text(field),
                Use::Target => table.target.push_text(field),
                Use::Weight => push_weight(&mut table.weights, field),
                Use::Text(slot) => {
                    let text = utf8(field, line, &layout.names.name(column))?;
                    table.codes.push(table.text[*slot].code(text, line));
                    continue;
                }
                Use::TargetText(slot) => {
                    let target_text = &mut table.target_text[*slot];
                    let code = if layout.fixed {
                        target_text.dictionary.code(&String::from_utf8_lossy(field), line)
                    } else {
                        target_text.dictionary.code(utf8(field, line, &layout.names.name(column))?, line)
                    };
                    target_text.codes.push(code);
                    continue;
                }
                Use::Nothing => continue,
            };
            if let Err(expected) = pushed {
                match objection(field, expected, column, line, layout)? {
                    Unusable::Word if !found.contains(&column) => found.push(column),
                    Unusable::Refused(error) if table.objection.is_none() => table.objection = Some(error),
                    _ => {}
                }
            }
        }
        if fields.position - start > LONGEST {
            return Err(too_long(line));
        }
        table.rows += 1;
    }
    Ok(if found.is_empty() { Parsed::Table(Box::new(table)) } else { Parsed::Text(found) })
}

fn push_weight(weights: &mut Vec<f64>, field: &[u8]) -> Result<(), Option<&'static str>> {
    weights.push_text(field)?;
    if weights.last().is_some_and(|&weight| weight < 0.0) { Err(Some("a weight ≥ 0")) } else { Ok(()) }
}

/// What is to be done about a field that is no usable number.
enum Unusable {
    /// Its column is text.
    Word,
    /// It is refused, if the column is one of numbers in the end.
    Refused(DataError),
    /// Nothing: it is a target, and predicting does not need it.
    Unknown,
}

#[cold]
fn objection(
    field: &[u8],
    expected: Option<&'static str>,
    column: usize,
    line: u64,
    layout: &Layout,
) -> Result<Unusable, DataError> {
    let role = layout.roles[column];
    let expected = match expected {
        _ if layout.fixed && role == Role::Target => return Ok(Unusable::Unknown),
        Some(expected) => expected,
        None if number::is_missing(field) => number::PRESENT,
        None if role == Role::Weight => "a weight (a number)",
        None if layout.fixed => "a number, as in the training data",
        None => {
            utf8(field, line, &layout.names.name(column))?;
            return Ok(Unusable::Word);
        }
    };
    Ok(Unusable::Refused(DataError::field(line, Some(&layout.names.name(column)), expected, field)))
}

fn ragged(fields: &mut Fields, ended: bool, seen: usize, width: usize, line: u64) -> DataError {
    let mut count = seen;
    let mut ended = ended;
    while !ended {
        match fields.next() {
            Ok((_, last)) => ended = last,
            Err(error) => return error,
        }
        count += 1;
    }
    DataError::field(line, None, &format!("{width} fields, as in the first row"), count.to_string().as_bytes())
}

/// Reads the whole file in blocks of `block` bytes; `layout.text` is extended by the columns that turn out to be text.
/// `open` opens the source anew. Returns the table and the hash of the stored bytes.
pub(crate) fn read<N: Numbers>(
    open: impl Fn() -> Result<Source, DataError>,
    layout: &mut Layout,
    block: usize,
) -> Result<(Table<N>, String), DataError> {
    loop {
        let mut source = open()?;
        let Beginning { text: mut head, first, .. } = beginning(&mut source, layout.delimiter)?;
        let header = if layout.header { first } else { 0 };
        let lines = memchr::memchr_iter(b'\n', &head[..header]).count() as u64;
        head.drain(..header);
        let mut table = Table::<N>::default();
        let mut found: Vec<usize> = Vec::new();
        let (length, name) = (source.plain_length(), source.name.clone());
        for_each_piece(
            &mut source,
            head,
            lines,
            Splitter::records(layout.delimiter),
            block,
            |piece| parse_piece(piece, layout).map(|parsed| (parsed, piece.len())),
            |(parsed, bytes), lines| {
                match parsed {
                    Parsed::Text(columns) => {
                        table = Table::default();
                        columns.into_iter().for_each(|column| {
                            if !found.contains(&column) {
                                found.push(column);
                            }
                        });
                    }
                    Parsed::Table(piece) if found.is_empty() => {
                        if let (0, 1.., Some(length)) = (table.rows, piece.rows, length) {
                            let rows = (piece.rows as f64 * length as f64 / bytes as f64 * 1.02) as usize + 64;
                            reserve(&mut table, layout, rows);
                        }
                        append(&mut table, *piece, lines, &name);
                    }
                    Parsed::Table(_) => {}
                }
                Ok(())
            },
        )?;
        if !found.is_empty() {
            found.into_iter().for_each(|column| layout.text[column] = true);
            continue;
        }
        if let Some(objection) = table.objection.take() {
            return Err(objection);
        }
        return Ok((table, source.sha256()?));
    }
}

/// Room for about `rows` rows, so that growing does not copy.
fn reserve<N: Numbers>(table: &mut Table<N>, layout: &Layout, rows: usize) {
    let (numbers, texts) = layout.widths();
    table.numbers.reserve(rows * numbers);
    table.codes.reserve(rows * texts);
}

fn append<N: Numbers>(table: &mut Table<N>, piece: Table<N>, lines: u64, path: &str) {
    table.rows += piece.rows;
    table.numbers.append(piece.numbers);
    table.target.extend_from_slice(&piece.target);
    table.weights.extend_from_slice(&piece.weights);
    if table.objection.is_none() {
        table.objection = piece.objection.map(|objection| objection.at(path, lines));
    }
    table.text.resize(piece.text.len(), Dictionary::default());
    let codes: Vec<Vec<u32>> =
        (table.text.iter_mut().zip(&piece.text)).map(|(all, part)| all.append(part, lines)).collect();
    for row in piece.codes.chunks_exact(codes.len().max(1)) {
        table.codes.extend(row.iter().zip(&codes).map(|(&code, codes)| codes[code as usize]));
    }
    table.target_text.resize(piece.target_text.len(), TextColumn::default());
    for (all, part) in table.target_text.iter_mut().zip(&piece.target_text) {
        let codes = all.dictionary.append(&part.dictionary, lines);
        all.codes.extend(part.codes.iter().map(|&code| codes[code as usize]));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The table or the error of a text, read by `threads` threads in blocks of `block` bytes.
    fn outcome(text: &str, width: usize, header: bool, threads: usize, block: usize) -> Result<Table, String> {
        let mut layout = Layout {
            delimiter: b',',
            header,
            names: ColumnNames::numbered(width),
            roles: (0..width).map(|column| if column + 1 == width { Role::Target } else { Role::Feature }).collect(),
            text: vec![false; width],
            fixed: false,
        };
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
        let open = || Source::from_bytes("text", text.as_bytes().to_vec());
        let read = pool.install(|| read::<Values>(open, &mut layout, block));
        // NaN, which marks what was refused, is in no table that is returned.
        read.map(|(table, _)| table).map_err(|error| error.to_string())
    }

    fn field() -> impl Strategy<Value = String> {
        let plain = "[-1-9]{1,2}|a|5\" a|b\"| |NA|1e300|\"[a1,\n]{0,3}(\"\")?[\n]{0,2}\" ?";
        prop_oneof![20 => plain, 1 => "[\"\n, a]{0,4}"]
    }

    proptest! {
        /// How the text is cut into pieces changes neither the table nor the error.
        #[test]
        fn pieces_threads_and_blocks_change_nothing(
            records in prop::collection::vec(prop::collection::vec(field(), 3), 1..12),
            header in any::<bool>(),
            ending in prop_oneof![Just("\n"), Just("\r\n"), Just("\n\n")],
        ) {
            let lines: Vec<String> = records.iter().map(|record| record.join(",")).collect();
            let text = lines.join(ending);
            let whole = outcome(&text, 3, header, 1, 1 << 20);
            for (threads, block) in [(1, 1), (1, 7), (2, 2), (3, 1), (3, 16), (2, 1 << 20)] {
                prop_assert_eq!(&outcome(&text, 3, header, threads, block), &whole, "{} threads, blocks of {}", threads, block);
            }
        }
    }

    #[test]
    fn what_a_column_is_does_not_depend_on_the_order_of_its_fields() {
        for rows in ["x,1\n1e300,2\nNA,3\n", "1e300,2\nNA,3\nx,1\n", "NA,3\nx,1\n1e300,2\n"] {
            let table = outcome(rows, 2, false, 1, 64).expect("text");
            assert_eq!((table.text[0].names.len(), table.numbers.len()), (3, 0), "{rows}");
        }
        for rows in ["5,1\n1e300,2\n", "1e300,2\n5,1\n", "NA,1\n5,2\n"] {
            assert!(outcome(rows, 2, false, 1, 64).is_err(), "{rows}");
        }
    }
}
