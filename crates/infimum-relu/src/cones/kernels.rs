//! The loops over rows, compiled for the vector units of the machine.

use infimum_rigor::vectorized;

/// Lanes of the sums.
const LANES: usize = 8;

/// `Σ max(values, 0)`.
pub(super) fn sum_of_relu(values: &[f64]) -> f64 {
    vectorized(
        #[inline(always)]
        || {
            sum_of(
                values,
                #[inline(always)]
                |value| value.max(0.0),
            )
        },
    )
}

/// `Σ |values|`.
pub(super) fn sum_of_magnitudes(values: &[f64]) -> f64 {
    vectorized(
        #[inline(always)]
        || sum_of(values, f64::abs),
    )
}

/// `Σ term(values)` in lanes.
#[inline(always)]
fn sum_of(values: &[f64], term: impl Fn(f64) -> f64) -> f64 {
    let mut lanes = [0.0; LANES];
    let chunks = values.chunks_exact(LANES);
    let rest: f64 = chunks.remainder().iter().map(|&value| term(value)).sum();
    for chunk in chunks {
        for lane in 0..LANES {
            lanes[lane] += term(chunk[lane]);
        }
    }
    total(&lanes) + rest
}

/// `Σ a·b`.
pub(super) fn sum_of_products(a: &[f64], b: &[f64]) -> f64 {
    vectorized(
        #[inline(always)]
        || {
            let mut lanes = [0.0; LANES];
            let (a_chunks, b_chunks) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
            let mut rest = 0.0;
            for (a, b) in a_chunks.remainder().iter().zip(b_chunks.remainder()) {
                rest += a * b;
            }
            for (a, b) in a_chunks.zip(b_chunks) {
                for lane in 0..LANES {
                    lanes[lane] += a[lane] * b[lane];
                }
            }
            total(&lanes) + rest
        },
    )
}

/// `Σ relu(s·a) + relu(t·b) − relu(s·a + t·b)` for s, t > 0: what a chord between a and b overestimates.
pub(super) fn overestimate(a: &[f64], b: &[f64], s: f64, t: f64) -> f64 {
    vectorized(
        #[inline(always)]
        || {
            let mut lanes = [0.0; LANES];
            let (a_chunks, b_chunks) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
            let mut rest = 0.0;
            for (&a, &b) in a_chunks.remainder().iter().zip(b_chunks.remainder()) {
                rest += gap(s * a, t * b);
            }
            for (a, b) in a_chunks.zip(b_chunks) {
                for lane in 0..LANES {
                    lanes[lane] += gap(s * a[lane], t * b[lane]);
                }
            }
            total(&lanes) + rest
        },
    )
}

/// `out_i = s a_i + t b_i`.
pub(super) fn blend(a: &[f64], b: &[f64], s: f64, t: f64, out: &mut Vec<f64>) {
    out.resize(a.len(), 0.0);
    vectorized(
        #[inline(always)]
        || {
            for ((out, a), b) in out.iter_mut().zip(a).zip(b) {
                *out = s * a + t * b;
            }
        },
    );
}

/// Least and largest of each of the rows' numbers: `least_i = min(0, y_i)`, or what it was before if that is less;
/// `largest_i` likewise.
pub(super) fn widen(y: &[f64], least: &mut [f64], largest: &mut [f64]) {
    vectorized(
        #[inline(always)]
        || {
            for ((least, largest), &y) in least.iter_mut().zip(largest.iter_mut()).zip(y) {
                *least = if y < *least { y } else { *least };
                *largest = if y > *largest { y } else { *largest };
            }
        },
    );
}

/// `out_i += factor y_i`.
pub(super) fn add_multiple(factor: f64, y: &[f64], out: &mut [f64]) {
    vectorized(
        #[inline(always)]
        || {
            for (out, y) in out.iter_mut().zip(y) {
                *out += factor * y;
            }
        },
    );
}

#[inline(always)]
fn gap(a: f64, b: f64) -> f64 {
    a.max(0.0) + b.max(0.0) - (a + b).max(0.0)
}

#[inline(always)]
fn total(lanes: &[f64; LANES]) -> f64 {
    ((lanes[0] + lanes[4]) + (lanes[1] + lanes[5])) + ((lanes[2] + lanes[6]) + (lanes[3] + lanes[7]))
}
