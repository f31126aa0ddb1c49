//! LIBSVM / SVMlight text: `label index:value … # comment`.

use infimum_problem::{Matrix, Row, SparseMatrix, SpillWriter, Values};

use crate::error::DataError;
use crate::fields::Splitter;
use crate::memory::{Memory, sparse_bytes};
use crate::numbers::Numbers;
use crate::source::Source;
use crate::stream::{BLOCK, LONGEST, for_each_piece, too_long};

/// Columns of the widest matrix. The widest public set (KDD Cup 2012) has 54,686,452; a slip in an index must not cost
/// memory without bounds, for a model has a weight a column.
const MOST_COLUMNS: u32 = 1 << 26;

/// Rows of a piece; `row_ends` are offsets into the entries.
#[derive(Debug, Default)]
pub(crate) struct Part<N, L> {
    pub(crate) labels: L,
    pub(crate) row_ends: Vec<usize>,
    pub(crate) indices: Vec<u32>,
    pub(crate) values: N,
    pub(crate) largest: u32,
    pub(crate) query_ids: bool,
}

/// What is done with the labels.
pub(crate) struct Labels<L> {
    /// Appends a label that stands on a line; `Err` says what is expected instead.
    pub(crate) push: fn(&mut L, &[u8], u64) -> Result<(), &'static str>,
    /// Whether rows may have none and begin with their features.
    pub(crate) optional: bool,
}

const LABEL: &str = "a number as label before `index:value` pairs";

fn needed(labels: &mut Vec<f64>, label: &[u8], _line: u64) -> Result<(), &'static str> {
    labels.push_text(label).map_err(|expected| expected.unwrap_or(LABEL))
}

fn unneeded(labels: &mut Vec<f64>, label: &[u8], _line: u64) -> Result<(), &'static str> {
    // What is no usable number is NaN.
    let _ = labels.push_text(label);
    Ok(())
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
    values: Values,
    spill: Option<SpillWriter>,
}

impl Rows<'_> {
    /// Makes room for so many entries, if that many are to be held.
    fn reserve(&mut self, entries: usize) {
        let most = self.memory.map_or(usize::MAX, |memory| memory.most_entries(self.values.width()));
        self.indices.reserve(entries.min(most));
        self.values.reserve(entries.min(most));
    }

    /// Appends rows.
    fn append(&mut self, part: &Part<Values, Vec<f64>>) -> Result<(), DataError> {
        let before = self.values.len();
        let width = self.values.width().max(part.values.width());
        if let (None, Some(memory)) = (&self.spill, self.memory)
            && !memory.holds(sparse_bytes(self.starts.len() + part.row_ends.len(), before + part.values.len(), width))
        {
            self.spill = Some(memory.writer(&self.name, true)?);
            let (starts, indices, values) =
                (std::mem::take(&mut self.starts), std::mem::take(&mut self.indices), std::mem::take(&mut self.values));
            self.spill(&starts[1..], &indices, &values)?;
        }
        if self.spill.is_some() {
            return self.spill(&part.row_ends, &part.indices, &part.values);
        }
        self.starts.extend(part.row_ends.iter().map(|end| before + end));
        self.indices.extend_from_slice(&part.indices);
        self.values.extend(part.values.as_slice());
        Ok(())
    }

    /// Writes rows to the file, if there is one.
    fn spill(&mut self, row_ends: &[usize], indices: &[u32], values: &Values) -> Result<(), DataError> {
        let (Some(writer), Some(memory)) = (&mut self.spill, self.memory) else {
            return Ok(());
        };
        let mut start = 0;
        for &end in row_ends {
            let written = writer.push(Row::Sparse(&indices[start..end], values.slice(start..end)));
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
        values: Values::default(),
        spill: None,
    };
    let (mut labels, mut largest, mut query_ids) = (Vec::new(), 0, false);
    let length = source.plain_length();
    let each = Labels { push: if lenient { unneeded } else { needed }, optional: lenient };
    for_each_part(&mut source, &each, |part: Part<Values, Vec<f64>>, bytes, _| {
        if let (true, Some(length)) = (labels.is_empty(), length) {
            let factor = length as f64 / bytes as f64 * 1.02;
            rows.reserve((part.values.len() as f64 * factor) as usize + 64);
        }
        labels.extend_from_slice(&part.labels);
        largest = largest.max(part.largest);
        query_ids |= part.query_ids;
        rows.append(&part)
    })?;
    let matrix = rows.finish(labels.len(), largest as usize)?;
    Ok(Libsvm { matrix, labels, query_ids, sha256: source.sha256()? })
}

/// Reads the file piece by piece, and gives each with its bytes and the lines before it to `take`, in file order.
pub(crate) fn for_each_part<N: Numbers, L: Default + Send>(
    source: &mut Source,
    labels: &Labels<L>,
    mut take: impl FnMut(Part<N, L>, usize, u64) -> Result<(), DataError>,
) -> Result<(), DataError> {
    for_each_piece(
        source,
        Vec::new(),
        0,
        Splitter::lines(),
        BLOCK,
        |piece| parse_piece(piece, labels).map(|part| (part, piece.len())),
        |(part, bytes), lines| take(part, bytes, lines),
    )
}

fn parse_piece<N: Numbers, L: Default>(piece: &[u8], labels: &Labels<L>) -> Result<Part<N, L>, DataError> {
    let mut part = Part::<N, L>::default();
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
        parse_row(text.trim_ascii(), line, labels, &mut part)?;
    }
    Ok(part)
}

fn parse_row<N: Numbers, L>(
    text: &[u8],
    line: u64,
    labels: &Labels<L>,
    part: &mut Part<N, L>,
) -> Result<(), DataError> {
    let mut position = text.iter().position(|byte| byte.is_ascii_whitespace()).unwrap_or(text.len());
    if position == 0 {
        return Ok(());
    }
    let label = &text[..position];
    if labels.optional && label.contains(&b':') {
        // No label: the row begins with its features.
        position = 0;
    }
    (labels.push)(&mut part.labels, label, line)
        .map_err(|expected| DataError::field(line, Some("label"), expected, label))?;
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
        part.values.push_text(&text[value_start..position]).map_err(|expected| {
            DataError::field(line, Some(&index.to_string()), expected.unwrap_or("a number as value"), token)
        })?;
        let index = index as u32;
        part.largest = part.largest.max(index);
        sorted &= index > previous;
        previous = index;
        part.indices.push(index - 1);
    }
    if !sorted {
        sort_row(row_start, line, part)?;
    }
    if (row_start..part.values.len()).any(|entry| part.values.is_zero(entry)) {
        let kept: Vec<usize> = (row_start..part.values.len()).filter(|&entry| !part.values.is_zero(entry)).collect();
        pick(row_start, &kept, part);
    }
    part.row_ends.push(part.indices.len());
    Ok(())
}

fn sort_row<N: Numbers, L>(start: usize, line: u64, part: &mut Part<N, L>) -> Result<(), DataError> {
    let mut order: Vec<usize> = (start..part.indices.len()).collect();
    order.sort_by_key(|&entry| part.indices[entry]);
    if let Some(pair) = order.windows(2).find(|pair| part.indices[pair[0]] == part.indices[pair[1]]) {
        let index = (part.indices[pair[0]] + 1).to_string();
        return Err(DataError::field(line, None, "each index at most once in a row", index.as_bytes()));
    }
    pick(start, &order, part);
    Ok(())
}

/// Replaces the entries from `start` on by those at `places`.
fn pick<N: Numbers, L>(start: usize, places: &[usize], part: &mut Part<N, L>) {
    let indices: Vec<u32> = places.iter().map(|&place| part.indices[place]).collect();
    part.indices.truncate(start);
    part.indices.extend(indices);
    part.values.pick(start, places);
}
