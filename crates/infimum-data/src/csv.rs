//! CSV and TSV: RFC 4180 fields, typed columns, streamed in parallel pieces.
//!
//! A column is read as numbers until a field proves otherwise; then the reader starts again with that column as text
//! (at most once per column). Text columns keep a dictionary and one code per row.

use std::collections::HashMap;

use crate::error::DataError;
use crate::number;
use crate::source::Source;
use crate::stream::{Boundary, Piece, for_each_piece};

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
    /// Column names, or numbers from 1.
    pub(crate) names: Vec<String>,
    pub(crate) roles: Vec<Role>,
    /// Which columns are text.
    pub(crate) text: Vec<bool>,
}

/// A text column: `names[codes[row]]`, names in order of first appearance with their counts and first lines.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct TextColumn {
    pub(crate) codes: Vec<u32>,
    pub(crate) names: Vec<String>,
    pub(crate) counts: Vec<u64>,
    pub(crate) first_lines: Vec<u64>,
    lookup: HashMap<String, u32>,
}

/// All columns of a file by use.
#[derive(Debug, Clone, Default)]
pub(crate) struct Table {
    pub(crate) rows: usize,
    /// Numeric features, row-major, in file order.
    pub(crate) numeric: Vec<f64>,
    /// Text features, in file order.
    pub(crate) text: Vec<TextColumn>,
    /// Target, if read as numbers.
    pub(crate) target: Vec<f64>,
    /// Target, if text.
    pub(crate) target_text: Option<TextColumn>,
    /// Example weights.
    pub(crate) weights: Vec<f64>,
}

impl TextColumn {
    fn push(&mut self, field: &str, line: u64) {
        let code = match self.lookup.get(field) {
            Some(&code) => code,
            None => {
                let code = self.names.len() as u32;
                self.lookup.insert(field.to_string(), code);
                self.names.push(field.to_string());
                self.counts.push(0);
                self.first_lines.push(line);
                code
            }
        };
        self.counts[code as usize] += 1;
        self.codes.push(code);
    }

    fn append(&mut self, other: &TextColumn, lines: u64) {
        let start = self.codes.len();
        let map: Vec<u32> = (other.names.iter().zip(&other.first_lines))
            .map(|(name, line)| {
                self.push(name, line + lines);
                self.codes.last().copied().unwrap_or(0)
            })
            .collect();
        self.codes.truncate(start);
        for (&code, &count) in map.iter().zip(&other.counts) {
            self.counts[code as usize] += count;
            self.counts[code as usize] -= 1;
        }
        self.codes.extend(other.codes.iter().map(|&code| map[code as usize]));
    }
}

/// Splits text into trimmed fields. Call `next` until it says the record ends.
pub(crate) struct Fields<'a> {
    text: &'a [u8],
    position: usize,
    delimiter: u8,
    scratch: Vec<u8>,
    /// 1-based line of the current position.
    pub(crate) line: u64,
}

/// Which bytes a field is: a range of the text, or the scratch buffer of a quoted field.
enum Span {
    Text(usize, usize),
    Scratch,
}

impl<'a> Fields<'a> {
    pub(crate) fn new(text: &'a [u8], delimiter: u8) -> Self {
        Fields { text, position: 0, delimiter, scratch: Vec::new(), line: 1 }
    }

    /// Skips empty lines; whether a record follows.
    pub(crate) fn at_record(&mut self) -> bool {
        while self.position < self.text.len() {
            match self.text[self.position] {
                b'\n' => {
                    self.line += 1;
                    self.position += 1;
                }
                b'\r' if self.text.get(self.position + 1) == Some(&b'\n') => self.position += 1,
                _ => return true,
            }
        }
        false
    }

    /// The next field and whether it is the record's last.
    #[inline]
    pub(crate) fn next(&mut self) -> Result<(&[u8], bool), DataError> {
        let (span, last) = self.span()?;
        Ok(match span {
            Span::Text(start, end) => (self.text[start..end].trim_ascii(), last),
            Span::Scratch => (&self.scratch, last),
        })
    }

    #[inline]
    fn span(&mut self) -> Result<(Span, bool), DataError> {
        let start = self.position;
        let mut end = start;
        while let Some(&byte) = self.text.get(end) {
            if byte == self.delimiter || byte == b'\n' {
                break;
            }
            if byte == b'"' && self.text[start..end].trim_ascii().is_empty() {
                return self.quoted(end);
            }
            end += 1;
        }
        let last = self.text.get(end) != Some(&self.delimiter);
        self.position = (end + 1).min(self.text.len());
        self.line += u64::from(self.text.get(end) == Some(&b'\n'));
        Ok((Span::Text(start, end), last))
    }

    /// A quoted field whose opening quote stands at `open`.
    fn quoted(&mut self, open: usize) -> Result<(Span, bool), DataError> {
        let first_line = self.line;
        self.scratch.clear();
        let mut position = open + 1;
        loop {
            match self.text.get(position) {
                None => {
                    return Err(DataError::field(
                        first_line,
                        None,
                        "a closing quote `\"`",
                        &self.text[open..self.text.len().min(open + 40)],
                    ));
                }
                Some(b'"') if self.text.get(position + 1) == Some(&b'"') => {
                    self.scratch.push(b'"');
                    position += 2;
                }
                Some(b'"') => break,
                Some(&byte) => {
                    self.line += u64::from(byte == b'\n');
                    self.scratch.push(byte);
                    position += 1;
                }
            }
        }
        position += 1;
        let rest = position;
        while self.text.get(position).is_some_and(|&byte| byte != self.delimiter && byte != b'\n') {
            position += 1;
        }
        if !self.text[rest..position].trim_ascii().is_empty() {
            let got = &self.text[open..position];
            return Err(DataError::field(self.line, None, "a delimiter or the line's end after a closing quote", got));
        }
        let last = self.text.get(position) != Some(&self.delimiter);
        self.line += u64::from(self.text.get(position) == Some(&b'\n'));
        self.position = (position + 1).min(self.text.len());
        Ok((Span::Scratch, last))
    }
}

/// The records of `text`, at most `limit`, as strings; for looking at the beginning of a file.
pub(crate) fn sample(text: &[u8], delimiter: u8, limit: usize) -> Result<Vec<Vec<String>>, DataError> {
    let mut fields = Fields::new(text, delimiter);
    let mut records = Vec::new();
    while records.len() < limit && fields.at_record() {
        let mut record = Vec::new();
        loop {
            let (field, last) = fields.next()?;
            record.push(String::from_utf8_lossy(field).into_owned());
            if last {
                break;
            }
        }
        records.push(record);
    }
    Ok(records)
}

/// What one piece gave: its table, or the columns that turned out to be text.
enum Parsed {
    Table(Box<Table>, u64),
    Text(Vec<usize>),
}

fn parse_piece(piece: Piece, layout: &Layout) -> Result<Parsed, DataError> {
    let width = layout.roles.len();
    let mut fields = Fields::new(piece.text, layout.delimiter);
    let mut table = Table::default();
    let slots: Vec<usize> = {
        let mut texts = 0;
        (0..width)
            .map(|column| {
                let slot = texts;
                texts += usize::from(layout.text[column] && layout.roles[column] == Role::Feature);
                slot
            })
            .collect()
    };
    table.text =
        vec![TextColumn::default(); (0..width).filter(|&c| layout.text[c] && layout.roles[c] == Role::Feature).count()];
    if (0..width).any(|column| layout.roles[column] == Role::Target && layout.text[column]) {
        table.target_text = Some(TextColumn::default());
    }
    let mut conflicts = Vec::new();
    while fields.at_record() {
        let line = fields.line;
        for column in 0..width {
            let (field, last) = fields.next()?;
            if last != (column + 1 == width) {
                return Err(ragged(&mut fields, last, column + 1, width, line));
            }
            let role = layout.roles[column];
            if layout.text[column] && matches!(role, Role::Feature | Role::Target) {
                let text = String::from_utf8_lossy(field);
                match (role, &mut table.target_text) {
                    (Role::Target, Some(target)) => target.push(&text, line),
                    _ => table.text[slots[column]].push(&text, line),
                }
                continue;
            }
            if role == Role::Ignored {
                continue;
            }
            let Some(value) = number::parse(field) else {
                if role == Role::Weight {
                    return Err(DataError::field(line, Some(&layout.names[column]), "a weight (a number)", field));
                }
                if !conflicts.contains(&column) {
                    conflicts.push(column);
                }
                continue;
            };
            if let Some(expected) = number::objection(value) {
                return Err(DataError::field(line, Some(&layout.names[column]), expected, field));
            }
            match role {
                Role::Feature => table.numeric.push(value),
                Role::Target => table.target.push(value),
                _ => table.weights.push(value),
            }
        }
        table.rows += 1;
    }
    if conflicts.is_empty() {
        Ok(Parsed::Table(Box::new(table), memchr::memchr_iter(b'\n', piece.text).count() as u64))
    } else {
        Ok(Parsed::Text(conflicts))
    }
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

/// Reads the whole file; `layout.text` is extended by the columns that turn out to be text. `reopen` opens the source
/// anew. Returns the table and the hash of the stored bytes.
pub(crate) fn read(
    reopen: impl Fn() -> Result<Source, DataError>,
    layout: &mut Layout,
) -> Result<(Table, String), DataError> {
    loop {
        let mut source = reopen()?;
        let (head, lines) = after_header(&mut source, layout)?;
        let mut table = Table::default();
        let mut found: Vec<usize> = Vec::new();
        let mut lines_so_far = lines;
        let numeric_width =
            (0..layout.roles.len()).filter(|&c| layout.roles[c] == Role::Feature && !layout.text[c]).count();
        let length = source.length.filter(|_| !source.compressed);
        let mut consumed = 0u64;
        for_each_piece(
            &mut source,
            head,
            lines,
            Boundary::OutsideQuotes,
            |piece| parse_piece(piece, layout).map(|parsed| (parsed, piece.text.len() as u64)),
            |(parsed, bytes)| {
                consumed += bytes;
                match parsed {
                    Parsed::Text(columns) => columns.into_iter().for_each(|c| {
                        if !found.contains(&c) {
                            found.push(c);
                        }
                    }),
                    Parsed::Table(piece, piece_lines) if found.is_empty() => {
                        if table.rows == 0
                            && piece.rows > 0
                            && let Some(length) = length
                        {
                            let rows = (piece.rows as f64 * length as f64 / bytes as f64 * 1.02) as usize + 64;
                            table.numeric.reserve(rows * numeric_width);
                        }
                        append(&mut table, *piece, lines_so_far);
                        lines_so_far += piece_lines;
                    }
                    Parsed::Table(..) => {}
                }
                Ok(())
            },
        )?;
        if found.is_empty() {
            return Ok((table, source.sha256()?));
        }
        found.into_iter().for_each(|column| layout.text[column] = true);
    }
}

fn append(table: &mut Table, piece: Table, lines: u64) {
    table.rows += piece.rows;
    table.numeric.extend_from_slice(&piece.numeric);
    table.target.extend_from_slice(&piece.target);
    table.weights.extend_from_slice(&piece.weights);
    if table.text.len() < piece.text.len() {
        table.text = vec![TextColumn::default(); piece.text.len()];
    }
    table.text.iter_mut().zip(&piece.text).for_each(|(all, part)| all.append(part, lines));
    if let Some(part) = &piece.target_text {
        table.target_text.get_or_insert_with(TextColumn::default).append(part, lines);
    }
}

/// Skips a byte order mark and the header record; returns the bytes read beyond it and the lines consumed.
fn after_header(source: &mut Source, layout: &Layout) -> Result<(Vec<u8>, u64), DataError> {
    let mut head = Vec::new();
    loop {
        let kept = head.len();
        head.resize(kept + (1 << 16), 0);
        let got = source.fill(&mut head[kept..])?;
        let ended = got < 1 << 16;
        head.truncate(kept + got);
        if kept == 0 && head.starts_with(b"\xef\xbb\xbf") {
            head.drain(..3);
        }
        if !layout.header {
            return Ok((head, 0));
        }
        if let Some((position, lines)) = first_record(&head, layout.delimiter) {
            head.drain(..position);
            return Ok((head, lines));
        }
        if ended {
            // Nothing but a header.
            return Ok((Vec::new(), 0));
        }
    }
}

/// Position after the first record and the lines it spans, if the text holds all of it with its line feed.
fn first_record(text: &[u8], delimiter: u8) -> Option<(usize, u64)> {
    let mut fields = Fields::new(text, delimiter);
    if !fields.at_record() {
        return None;
    }
    loop {
        let (_, last) = fields.next().ok()?;
        if last {
            return (text.get(fields.position.wrapping_sub(1)) == Some(&b'\n'))
                .then_some((fields.position, fields.line - 1));
        }
    }
}
