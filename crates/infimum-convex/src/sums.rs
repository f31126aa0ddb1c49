//! Sums whose rounding error grows with the logarithm of the number of terms, and which do not depend on the number of
//! threads: halves are added, down to a few terms one after the other (Higham, *The accuracy of floating point summation*,
//! SIAM J. Sci. Comput. 1993). Equal terms added one by one would all be rounded the same way.

use std::ops::{Add, Range};

use rayon::prelude::*;

/// Terms added one after the other.
const SHORT: usize = 32;
/// Terms per parallel piece: a power of two times `SHORT`.
const PIECE: usize = 8_192;

/// `Σ_{i<n} term(i)`; `zero` is the empty sum.
pub(crate) fn sum<T: Copy + Send + Sync + Add<Output = T>>(n: usize, zero: T, term: impl Fn(usize) -> T + Sync) -> T {
    let pieces = n.div_ceil(PIECE);
    let piece = |piece: usize| halves(piece * PIECE..((piece + 1) * PIECE).min(n), zero, &term);
    if pieces < 4 {
        return halves(0..pieces, zero, &piece);
    }
    let sums: Vec<T> = (0..pieces).into_par_iter().map(piece).collect();
    halves(0..pieces, zero, &|piece| sums[piece])
}

fn halves<T: Copy + Add<Output = T>>(range: Range<usize>, zero: T, term: &impl Fn(usize) -> T) -> T {
    if range.len() <= SHORT {
        return range.fold(zero, |sum, i| sum + term(i));
    }
    let middle = range.start + (range.len() / 2).next_multiple_of(SHORT);
    halves(range.start..middle, zero, term) + halves(middle..range.end, zero, term)
}

#[cfg(test)]
mod tests {
    use super::sum;

    #[test]
    fn equal_terms_do_not_drift() {
        for n in [1usize, 31, 33, 8_191, 100_000, 3_000_001] {
            let computed = sum(n, 0.0, |_| 0.1);
            assert!((computed / (n as f64 * 0.1) - 1.0).abs() < 5e-15, "{n}: {computed}");
        }
        assert_eq!(sum(100_001, 0u64, |i| i as u64), 100_000 * 100_001 / 2);
    }
}
