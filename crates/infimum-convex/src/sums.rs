//! Sums whose rounding error grows with the logarithm of the number of terms, and which do not depend on the number of
//! threads: halves are added, down to short pieces (Higham, *The accuracy of floating point summation*,
//! SIAM J. Sci. Comput. 1993). Equal terms added one by one would all be rounded the same way.

use std::ops::{Add, Range};

use infimum_rigor::vectorized;
use rayon::prelude::*;

/// Terms that are computed together and then added in eight interleaved sums.
const SHORT: usize = 64;
/// Sums that a short piece is added in.
const LANES: usize = 8;
/// Terms per parallel piece: a power of two times `SHORT`.
const PIECE: usize = 8_192;

/// Two numbers that are added up together.
#[derive(Clone, Copy)]
pub(crate) struct Pair(pub(crate) f64, pub(crate) f64);

impl Add for Pair {
    type Output = Pair;

    #[inline(always)]
    fn add(self, other: Pair) -> Pair {
        Pair(self.0 + other.0, self.1 + other.1)
    }
}

/// `Σ_{i<n} term(i)`; `zero` is the empty sum. A term that is inlined is compiled for vector units.
#[inline(always)]
pub(crate) fn sum<T: Copy + Send + Sync + Add<Output = T>>(n: usize, zero: T, term: impl Fn(usize) -> T + Sync) -> T {
    sum_filled(
        n,
        zero,
        #[inline(always)]
        |range, terms| {
            for place in 0..terms.len() {
                terms[place] = term(range.start + place);
            }
        },
    )
}

/// The same with terms that `fill` writes for a range of at most 64 rows at a time: from slices of that range, so that the loop
/// can be compiled for vector units.
#[inline(always)]
pub(crate) fn sum_filled<T: Copy + Send + Sync + Add<Output = T>>(
    n: usize,
    zero: T,
    fill: impl Fn(Range<usize>, &mut [T]) + Sync,
) -> T {
    let pieces = n.div_ceil(PIECE);
    let piece = |piece: usize| {
        vectorized(
            #[inline(always)]
            || {
                let range = piece * PIECE..((piece + 1) * PIECE).min(n);
                let mut sums = [zero; PIECE / SHORT];
                for (block, sum) in sums.iter_mut().enumerate().take(range.len().div_ceil(SHORT)) {
                    let start = range.start + block * SHORT;
                    let short = start..(start + SHORT).min(range.end);
                    let mut terms = [zero; SHORT];
                    fill(short.clone(), &mut terms[..short.len()]);
                    *sum = interleaved(&terms, zero);
                }
                halves(&sums)
            },
        )
    };
    let sums: Vec<T> =
        if pieces < 4 { (0..pieces).map(piece).collect() } else { (0..pieces).into_par_iter().map(piece).collect() };
    if sums.is_empty() { zero } else { halves(&sums) }
}

/// Sum of a short piece.
#[inline(always)]
fn interleaved<T: Copy + Add<Output = T>>(terms: &[T; SHORT], zero: T) -> T {
    let mut lanes = [zero; LANES];
    for terms in terms.as_chunks::<LANES>().0 {
        for (lane, &term) in lanes.iter_mut().zip(terms) {
            *lane = *lane + term;
        }
    }
    ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6])) + ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]))
}

/// Sum of a non-empty slice, half by half.
fn halves<T: Copy + Add<Output = T>>(terms: &[T]) -> T {
    match terms {
        [only] => *only,
        _ => {
            let (left, right) = terms.split_at(terms.len() / 2);
            halves(left) + halves(right)
        }
    }
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
