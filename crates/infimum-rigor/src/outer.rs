//! Enclosures of `S = Σ_p x_p h_pᵀ` for many rows p, at the speed of a plain matrix product.
//!
//! **Error bound.** u = 2^-53. Entry (i, j) is summed in chunks of at most [`CHUNK`] rows by fused multiply-adds, and the chunks' sums are
//! added up: each product goes through at most N = min(count, CHUNK) + ⌈count/CHUNK⌉ roundings, so the result is off by at most γ_N Σ_p |x_pi h_pj|,
//! γ_N = Nu/(1 − Nu), and by 2^-1075 for every operation that may underflow. The sum is at most ‖x_·i‖‖h_·j‖ (Cauchy–Schwarz). The norms are computed
//! as roots of plain sums of squares with relative error below γ_{2 count+1} and rounded up; each number that is not 0 adds 2^-1022, which
//! covers a square that underflows, so that only a column of zeros has the norm 0. If h_p may be one rounding away from the numbers meant, one more u of the same sum and 2^-1075 Σ_p |x_pi| ≤ 2^-1074 count ‖x_·i‖ are due.

use rayon::prelude::*;

use crate::{Interval, vectorized};

/// Rows of one chunk.
const CHUNK: usize = 256;

/// Entries of a panel: a tile of the result is TILE × TILE.
const TILE: usize = 8;

const UNIT: f64 = f64::EPSILON / 2.0;

/// Rows beyond which the analysis was not made.
const MOST_ROWS: usize = 1 << 32;

/// `Σ_p x_p h_pᵀ`, order × order, row-major, over `count` rows; `fill(p, x, h)` writes row p of both, of `order` numbers each, over zeros or
/// what stood there before. Each h may be one rounding away
/// from the number meant. With `lower_only` the entries above the diagonal are left 0.
pub fn outer_products(
    count: usize,
    order: usize,
    lower_only: bool,
    fill: impl Fn(usize, &mut [f64], &mut [f64]) + Sync,
) -> Vec<Interval> {
    if count >= MOST_ROWS {
        return vec![Interval::ALL; order * order];
    }
    let width = order.next_multiple_of(TILE);
    let mut sums = vec![0.0; width * width];
    let mut norms = vec![[0.0f64; 2]; order];
    let (mut left, mut right) = (vec![0.0; CHUNK * width], vec![0.0; CHUNK * width]);
    let mut panels = vec![0.0; CHUNK * width];
    for first in (0..count).step_by(CHUNK) {
        let rows = CHUNK.min(count - first);
        let pairs = left.par_chunks_mut(width.max(1)).zip(right.par_chunks_mut(width.max(1)));
        pairs.take(rows).enumerate().for_each(|(p, (x, h))| fill(first + p, &mut x[..order], &mut h[..order]));
        for p in 0..rows {
            for (j, norms) in norms.iter_mut().enumerate() {
                let (x, h) = (left[p * width + j], right[p * width + j]);
                *norms = [add_square(x, norms[0]), add_square(h, norms[1])];
            }
        }
        panels.par_chunks_mut(CHUNK * TILE).enumerate().for_each(|(panel, out)| pack(&right, width, panel, rows, out));
        sums.par_chunks_mut((TILE * width).max(1)).enumerate().for_each(|(band, sums)| {
            let mut own = [0.0; CHUNK * TILE];
            pack(&left, width, band, rows, &mut own);
            let last = if lower_only { band + 1 } else { width / TILE };
            vectorized(
                #[inline(always)]
                || {
                    for panel in 0..last {
                        let other = &panels[panel * CHUNK * TILE..][..rows * TILE];
                        add_tile(&own[..rows * TILE], other, &mut sums[panel * TILE..], width);
                    }
                },
            );
        });
    }
    // γ_{N+1} and a little more for the roundings of this expression.
    let roundings = (CHUNK.min(count) + count.div_ceil(CHUNK) + 1) as f64;
    let relative = roundings * UNIT * (1.0 + 4.0 * roundings * UNIT + 16.0 * UNIT);
    let norm = |squares: f64| (squares * (1.0 + 4.0 * (count + 4) as f64 * UNIT)).sqrt() * (1.0 + 4.0 * UNIT);
    let norms: Vec<[f64; 2]> = norms.iter().map(|pair| pair.map(norm)).collect();
    let mut enclosures = vec![Interval::ZERO; order * order];
    for i in 0..order {
        for j in 0..if lower_only { i + 1 } else { order } {
            let ([x, _], [_, h]) = (norms[i], norms[j]);
            let radius = (relative * x) * h * (1.0 + 8.0 * UNIT) + (x + 1.0) * 2f64.powi(-900);
            let radius = if x == 0.0 { 0.0 } else { radius };
            let middle = Interval::point(sums[i * width + j]);
            enclosures[i * order + j] = middle + Interval::new(-radius, radius);
        }
    }
    enclosures
}

/// `squares + x²`, and a little more unless x is 0.
fn add_square(x: f64, squares: f64) -> f64 {
    x.mul_add(x, squares) + if x == 0.0 { 0.0 } else { f64::MIN_POSITIVE }
}

/// Columns `panel·TILE …` of `rows` rows, one row after the other.
fn pack(values: &[f64], width: usize, panel: usize, rows: usize, out: &mut [f64]) {
    for (p, out) in out.chunks_exact_mut(TILE).take(rows).enumerate() {
        out.copy_from_slice(&values[p * width + panel * TILE..][..TILE]);
    }
}

/// Adds `Σ_p left_p right_pᵀ` to the tile at the front of `sums`.
#[inline(always)]
fn add_tile(left: &[f64], right: &[f64], sums: &mut [f64], width: usize) {
    let mut tile = [[0.0; TILE]; TILE];
    for (x, h) in left.chunks_exact(TILE).zip(right.chunks_exact(TILE)) {
        for i in 0..TILE {
            for j in 0..TILE {
                tile[i][j] = x[i].mul_add(h[j], tile[i][j]);
            }
        }
    }
    for (i, row) in tile.iter().enumerate() {
        for (j, &value) in row.iter().enumerate() {
            sums[i * width + j] += value;
        }
    }
}
