//! Rows in pieces, evaluated by all threads and handed back in order, so that results do not depend on timing.

use std::ops::Range;

use rayon::prelude::*;

/// Numbers (rows times outputs) per piece.
const SIZE: usize = 16_384;

/// `work` of every piece of `rows` rows with `outputs` numbers each, in the order of the rows.
pub(crate) fn in_chunks<T: Send>(rows: usize, outputs: usize, work: impl Fn(Range<usize>) -> T + Sync) -> Vec<T> {
    let length = (SIZE / outputs.max(1)).max(1);
    let piece = |piece: usize| work(piece * length..((piece + 1) * length).min(rows));
    (0..rows.div_ceil(length)).into_par_iter().map(piece).collect()
}
