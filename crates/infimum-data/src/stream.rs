//! Text in blocks: bounded buffers, cut where records end, parsed in parallel, handed over in order.

use rayon::prelude::*;

use crate::error::DataError;
use crate::fields::Splitter;
use crate::source::Source;

/// Bytes read per thread and round.
pub(crate) const BLOCK: usize = 2 << 20;
/// Bytes of the longest record.
pub(crate) const LONGEST: usize = 64 << 20;

/// The refusal of a record beyond [`LONGEST`] that begins on `line`.
pub(crate) fn too_long(line: u64) -> DataError {
    DataError::field(line, None, "a record of at most 64 MiB (is a closing quote missing?)", b"more")
}

/// Streams `source` through `parse`, piece by piece in parallel, and gives the results and the lines before each piece to
/// `take`, in file order. Parsers count lines from 1 in their piece; a piece is whole records. `head` is what was read from
/// the source before and not parsed yet.
pub(crate) fn for_each_piece<T: Send>(
    source: &mut Source,
    head: Vec<u8>,
    lines_before: u64,
    mut splitter: Splitter,
    block: usize,
    parse: impl Fn(&[u8]) -> Result<T, DataError> + Sync,
    mut take: impl FnMut(T, u64) -> Result<(), DataError>,
) -> Result<(), DataError> {
    let threads = rayon::current_num_threads().max(1);
    let mut buffer = head;
    let mut line = lines_before;
    let name = source.name.clone();
    loop {
        let kept = buffer.len();
        buffer.resize(kept + threads * block, 0);
        let got = source.fill(&mut buffer[kept..])?;
        let ended = got < threads * block;
        buffer.truncate(kept + got);
        if ended && buffer.last().is_some_and(|&byte| byte != b'\n') {
            buffer.push(b'\n');
        }
        let wanted: Vec<usize> = (1..threads).map(|part| buffer.len() * part / threads).collect();
        let mut ends = splitter.cuts(&buffer, &wanted, ended);
        if ended {
            // What an unclosed quote leaves over too: the parser will say where.
            ends.push(buffer.len());
        }
        let mut pieces = Vec::with_capacity(ends.len());
        let mut start = 0;
        for stop in ends {
            if stop > start {
                pieces.push(&buffer[start..stop]);
                start = stop;
            }
        }
        let parsed: Vec<(Result<T, DataError>, u64)> =
            pieces.par_iter().map(|piece| (parse(piece), memchr::memchr_iter(b'\n', piece).count() as u64)).collect();
        for (result, lines) in parsed {
            take(result.map_err(|error| error.at(&name, line))?, line)?;
            line += lines;
        }
        if ended {
            return Ok(());
        }
        buffer.drain(..start);
        splitter.forget(start);
        if buffer.len() > LONGEST {
            return Err(too_long(line + 1).at(&name, 0));
        }
    }
}
