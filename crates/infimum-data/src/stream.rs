//! Text in blocks: bounded buffers, cut at line ends, parsed in parallel, handed over in order.

use rayon::prelude::*;

use crate::error::DataError;
use crate::source::Source;

/// Bytes read per thread and round.
const BLOCK: usize = 2 << 20;

/// Where records end: at every line feed, or at those outside quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Boundary {
    /// Every line feed.
    Line,
    /// Line feeds outside `"…"`.
    OutsideQuotes,
}

/// A piece of text that ends at a record's end; parsers count lines from 1 in it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Piece<'a> {
    pub(crate) text: &'a [u8],
}

/// Positions just after the record ends in `text`, at or after each of the `wanted` positions; the last entry is the
/// last record end at all (0 if there is none).
fn cuts(text: &[u8], wanted: &[usize], boundary: Boundary) -> Vec<usize> {
    let quoted = boundary == Boundary::OutsideQuotes && memchr::memchr(b'"', text).is_some();
    if !quoted {
        let end = memchr::memrchr(b'\n', text).map_or(0, |position| position + 1);
        let mut result: Vec<usize> = (wanted.iter())
            .map(|&from| memchr::memchr(b'\n', &text[from..end.max(from)]).map_or(end, |found| from + found + 1))
            .collect();
        result.push(end);
        return result;
    }
    let (mut inside, mut end, mut next) = (false, 0, 0);
    let mut result = Vec::with_capacity(wanted.len() + 1);
    for position in memchr::memchr2_iter(b'"', b'\n', text) {
        if text[position] == b'"' {
            inside = !inside;
        } else if !inside {
            end = position + 1;
            while next < wanted.len() && end >= wanted[next] {
                result.push(end);
                next += 1;
            }
        }
    }
    result.resize(wanted.len(), end);
    result.push(end);
    result
}

/// Streams `source` through `parse`, piece by piece in parallel, and gives the results to `take` in file order. `head` is
/// what was read from the source before (a header that was looked at, say) and not parsed yet.
pub(crate) fn for_each_piece<T: Send>(
    source: &mut Source,
    head: Vec<u8>,
    lines_before: u64,
    boundary: Boundary,
    parse: impl Fn(Piece) -> Result<T, DataError> + Sync,
    mut take: impl FnMut(T) -> Result<(), DataError>,
) -> Result<(), DataError> {
    let threads = rayon::current_num_threads().max(1);
    let mut buffer = head;
    let mut line = lines_before;
    let name = source.name.clone();
    loop {
        let kept = buffer.len();
        buffer.resize(kept + threads * BLOCK, 0);
        let got = source.fill(&mut buffer[kept..])?;
        let ended = got < threads * BLOCK;
        buffer.truncate(kept + got);
        if ended && buffer.last().is_some_and(|&byte| byte != b'\n') {
            buffer.push(b'\n');
        }
        let wanted: Vec<usize> = (1..threads).map(|part| buffer.len() * part / threads).collect();
        let mut ends = cuts(&buffer, &wanted, boundary);
        let end = ends.last().copied().unwrap_or(0);
        if ended && end < buffer.len() {
            // An unclosed quote: the parser will say where.
            if let Some(last) = ends.last_mut() {
                *last = buffer.len();
            }
        }
        let end = ends.last().copied().unwrap_or(0);
        let mut pieces = Vec::with_capacity(threads);
        let mut start = 0;
        for &stop in &ends {
            if stop > start {
                let text = &buffer[start..stop];
                pieces.push(Piece { text });
                start = stop;
            }
        }
        let parsed: Vec<(Result<T, DataError>, u64)> = pieces
            .par_iter()
            .map(|piece| (parse(*piece), memchr::memchr_iter(b'\n', piece.text).count() as u64))
            .collect();
        for (result, lines) in parsed {
            take(result.map_err(|error| error.at(&name, line))?)?;
            line += lines;
        }
        buffer.drain(..end);
        if ended {
            return Ok(());
        }
    }
}
