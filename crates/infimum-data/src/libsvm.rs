//! LIBSVM / SVMlight text: `label index:value … # comment`.

use infimum_problem::{Matrix, SparseMatrix, SpillWriter};

use crate::error::DataError;
use crate::fields::Splitter;
use crate::memory::Memory;
use crate::number;
use crate::source::Source;
use crate::stream::{BLOCK, LONGEST, for_each_piece, too_long};

/// Columns of the widest matrix. The widest public set (KDD Cup 2012) has 54,686,452; a slip in an index must not cost
/// memory without bounds, for a model has a weight a column.
const MOST_COLUMNS: u32 = 1 << 26;

/// Rows of a piece; `row_ends` are offsets into the entries.
#[derive(Debug, Default)]
struct Part {
    labels: Vec<f64>,
    row_ends: Vec<usize>,
    indices: Vec<u32>,
    values: Vec<f64>,
    largest: u32,
    query_ids: bool,
}

/// What a LIBSVM file holds.
pub(crate) struct Libsvm {
    pub(crate) matrix: Matrix,
    pub(crate) labels: Vec<f64>,
    /// Whether `qid:` was seen (and skipped).
    pub(crate) query_ids: bool,
    pub(crate) sha256: String,
}

/// The rows read so far: in memory, and beyond the limit in a file.
struct Rows<'a> {
    name: String,
    memory: Option<&'a Memory>,
    starts: Vec<usize>,
    indices: Vec<u32>,
    values: Vec<f64>,
    spill: Option<SpillWriter>,
}

impl Rows<'_> {
    /// Makes room for so many entries, if that many are to be held.
    fn reserve(&mut self, entries: usize) {
        let most = self.memory.map_or(usize::MAX, Memory::most_entries);
        self.indices.reserve(entries.min(most));
        self.values.reserve(entries.min(most));
    }

    /// Appends rows.
    fn append(&mut self, part: &Part) -> Result<(), DataError> {
        let before = self.values.len();
        if let (None, Some(memory)) = (&self.spill, self.memory)
            && !memory.holds(self.starts.len() + part.row_ends.len(), before + part.values.len())
        {
            self.spill = Some(memory.writer(&self.name)?);
            let (starts, indices, values) =
                (std::mem::take(&mut self.starts), std::mem::take(&mut self.indices), std::mem::take(&mut self.values));
            self.spill(&starts[1..], &indices, &values)?;
        }
        if self.spill.is_some() {
            return self.spill(&part.row_ends, &part.indices, &part.values);
        }
        self.starts.extend(part.row_ends.iter().map(|end| before + end));
        self.indices.extend_from_slice(&part.indices);
        self.values.extend_from_slice(&part.values);
        Ok(())
    }

    /// Writes rows to the file, if there is one.
    fn spill(&mut self, row_ends: &[usize], indices: &[u32], values: &[f64]) -> Result<(), DataError> {
        let (Some(writer), Some(memory)) = (&mut self.spill, self.memory) else {
            return Ok(());
        };
        let mut start = 0;
        for &end in row_ends {
            let written = writer.push(&indices[start..end], &values[start..end]);
            written.map_err(|error| memory.unwritable(&self.name, &error))?;
            start = end;
        }
        Ok(())
    }

    /// The matrix of all rows.
    fn finish(self, rows: usize, columns: usize) -> Result<Matrix, DataError> {
        let Rows { starts: row_starts, indices: column_indices, values, .. } = self;
        match (self.spill, self.memory) {
            (Some(writer), Some(memory)) => {
                let finished = writer.finish(columns).map_err(|error| memory.unwritable(&self.name, &error));
                finished.map(Matrix::Spilled)
            }
            _ => Ok(Matrix::Sparse(SparseMatrix { rows, columns, row_starts, column_indices, values })),
        }
    }
}

/// Reads the whole file. `lenient`: labels may be missing, or be no numbers; those are NaN. With a limit on memory a matrix that
/// does not fit goes to a temporary file.
pub(crate) fn read(mut source: Source, lenient: bool, memory: Option<&Memory>) -> Result<Libsvm, DataError> {
    let mut rows = Rows {
        name: source.name.clone(),
        memory,
        starts: vec![0],
        indices: Vec::new(),
        values: Vec::new(),
        spill: None,
    };
    let (mut labels, mut largest, mut query_ids) = (Vec::new(), 0, false);
    let length = source.plain_length();
    for_each_piece(
        &mut source,
        Vec::new(),
        0,
        Splitter::lines(),
        BLOCK,
        |piece| parse_piece(piece, lenient).map(|part| (part, piece.len())),
        |(part, bytes), _| {
            if let (true, Some(length)) = (labels.is_empty(), length) {
                let factor = length as f64 / bytes as f64 * 1.02;
                rows.reserve((part.values.len() as f64 * factor) as usize + 64);
            }
            labels.extend_from_slice(&part.labels);
            largest = largest.max(part.largest);
            query_ids |= part.query_ids;
            rows.append(&part)
        },
    )?;
    let matrix = rows.finish(labels.len(), largest as usize)?;
    Ok(Libsvm { matrix, labels, query_ids, sha256: source.sha256()? })
}

fn parse_piece(piece: &[u8], lenient: bool) -> Result<Part, DataError> {
    let mut part = Part::default();
    let mut line = 0u64;
    let mut start = 0;
    for end in memchr::memchr_iter(b'\n', piece) {
        line += 1;
        let text = &piece[start..end];
        start = end + 1;
        if text.len() > LONGEST {
            return Err(too_long(line));
        }
        let text = match memchr::memchr(b'#', text) {
            Some(comment) => &text[..comment],
            None => text,
        };
        parse_row(text.trim_ascii(), line, lenient, &mut part)?;
    }
    Ok(part)
}

fn parse_row(text: &[u8], line: u64, lenient: bool, part: &mut Part) -> Result<(), DataError> {
    let mut position = text.iter().position(|byte| byte.is_ascii_whitespace()).unwrap_or(text.len());
    if position == 0 {
        return Ok(());
    }
    let label = &text[..position];
    if lenient && label.contains(&b':') {
        // No label: the row begins with its features.
        position = 0;
    }
    let value = match number::parse(label) {
        Some(value) if number::objection(value).is_none() => value,
        _ if lenient => f64::NAN,
        value => {
            let expected = value.and_then(number::objection);
            let expected = expected.unwrap_or("a number as label before `index:value` pairs");
            return Err(DataError::field(line, Some("label"), expected, label));
        }
    };
    part.labels.push(value);
    let row_start = part.indices.len();
    let (mut previous, mut sorted) = (0u32, true);
    while position < text.len() {
        if text[position].is_ascii_whitespace() {
            position += 1;
            continue;
        }
        let token_start = position;
        let mut index = 0u64;
        while let Some(digit) = text.get(position).map(|byte| byte.wrapping_sub(b'0')).filter(|&digit| digit < 10) {
            index = (index * 10 + u64::from(digit)).min(1 << 40);
            position += 1;
        }
        let digits = position - token_start;
        let colon = text.get(position) == Some(&b':');
        let value_start = (position + 1).min(text.len());
        position = text[token_start..].iter().position(u8::is_ascii_whitespace).map_or(text.len(), |p| token_start + p);
        let token = &text[token_start..position];
        if digits == 0 || !colon {
            if token.starts_with(b"qid:") {
                part.query_ids = true;
                continue;
            }
            return Err(DataError::field(line, None, "`index:value` with an index from 1", token));
        }
        if index == 0 {
            return Err(DataError::field(
                line,
                None,
                "an index of at least 1 (LIBSVM counts from 1; add 1 to all)",
                token,
            ));
        }
        if index > u64::from(MOST_COLUMNS) {
            let expected =
                format!("an index of at most {MOST_COLUMNS} (a model has a weight for each index up to the largest)");
            return Err(DataError::field(line, None, &expected, token));
        }
        let value = number::parse(&text[value_start..position])
            .ok_or_else(|| DataError::field(line, Some(&index.to_string()), "a number as value", token))?;
        if let Some(expected) = number::objection(value) {
            return Err(DataError::field(line, Some(&index.to_string()), expected, token));
        }
        let index = index as u32;
        part.largest = part.largest.max(index);
        sorted &= index > previous;
        previous = index;
        part.indices.push(index - 1);
        part.values.push(value);
    }
    if !sorted {
        sort_row(row_start, line, part)?;
    }
    if part.values[row_start..].contains(&0.0) {
        let mut target = row_start;
        for entry in row_start..part.values.len() {
            if part.values[entry] != 0.0 {
                part.values[target] = part.values[entry];
                part.indices[target] = part.indices[entry];
                target += 1;
            }
        }
        part.values.truncate(target);
        part.indices.truncate(target);
    }
    part.row_ends.push(part.indices.len());
    Ok(())
}

fn sort_row(start: usize, line: u64, part: &mut Part) -> Result<(), DataError> {
    let mut entries: Vec<(u32, f64)> =
        part.indices[start..].iter().copied().zip(part.values[start..].iter().copied()).collect();
    entries.sort_by_key(|entry| entry.0);
    if let Some(pair) = entries.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        let index = (pair[0].0 + 1).to_string();
        return Err(DataError::field(line, None, "each index at most once in a row", index.as_bytes()));
    }
    for (offset, (index, value)) in entries.into_iter().enumerate() {
        part.indices[start + offset] = index;
        part.values[start + offset] = value;
    }
    Ok(())
}
