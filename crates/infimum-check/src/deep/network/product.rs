//! Products `X Wᵀ` of plain `f64` at the speed of the machine, with a bound on their rounding errors.
//!
//! **Error.** u = 2^-53. Entry (i, j) is `Σ_k x_ik w_jk`, summed by fused multiply-adds over chunks of at most [`CHUNK`] k, and the chunks' sums are added
//! up: every product goes through at most N = min(K, CHUNK) + ⌈K/CHUNK⌉ roundings, each off by a factor 1 + δ, |δ| ≤ u. Hence the entry is off by at most
//! γ_N Σ_k |x_ik w_jk|, γ_N = Nu/(1 − Nu), plus 2^-1074 for each of the 2K + N operations that may underflow (docs/deep.md, theorem 5).

use infimum_rigor::vectorized;

/// Products that are summed before they are added to the result.
const CHUNK: usize = 64;

/// Units of a panel, and rows of a tile.
const TILE: usize = 8;

/// Rows that go through one chunk of all panels before the next chunk.
const BLOCK: usize = 64;

const UNIT: f64 = f64::EPSILON / 2.0;

/// W, units × inputs, in panels of [`TILE`] units: of each panel one input after the other.
pub(super) struct Packed {
    inputs: usize,
    units: usize,
    panels: Vec<f64>,
}

impl Packed {
    /// Packs W, row-major.
    pub(super) fn new(weights: &[f64], inputs: usize) -> Packed {
        let units = weights.len() / inputs;
        let mut panels = vec![0.0; units.div_ceil(TILE) * TILE * inputs];
        for (unit, weights) in weights.chunks_exact(inputs).enumerate() {
            let panel = &mut panels[unit / TILE * TILE * inputs..];
            for (k, &weight) in weights.iter().enumerate() {
                panel[k * TILE + unit % TILE] = weight;
            }
        }
        Packed { inputs, units, panels }
    }

    /// Number of units.
    pub(super) fn units(&self) -> usize {
        self.units
    }

    /// Number of inputs.
    pub(super) fn inputs(&self) -> usize {
        self.inputs
    }

    /// γ_N of one more rounding than a product has, rounded up: room for adding a bias.
    pub(super) fn relative_error(&self) -> f64 {
        let roundings = (CHUNK.min(self.inputs) + self.inputs.div_ceil(CHUNK) + 1) as f64;
        roundings * UNIT * (1.0 + 4.0 * roundings * UNIT + 16.0 * UNIT)
    }

    /// Writes `X Wᵀ` into `out` (rows × units) for X of shape rows × inputs.
    pub(super) fn multiply(&self, rows: &[f64], out: &mut [f64]) {
        let mut tiles = vec![0.0; BLOCK * CHUNK.min(self.inputs)];
        for (rows, out) in rows.chunks(BLOCK * self.inputs).zip(out.chunks_mut(BLOCK * self.units)) {
            out.fill(0.0);
            let count = rows.len() / self.inputs;
            for first in (0..self.inputs).step_by(CHUNK) {
                let length = CHUNK.min(self.inputs - first);
                let tiles = &mut tiles[..count.div_ceil(TILE) * TILE * length];
                pack(rows, self.inputs, first, length, tiles);
                vectorized(
                    #[inline(always)]
                    || {
                        for panel in 0..self.units.div_ceil(TILE) {
                            let weights = &self.panels[(panel * self.inputs + first) * TILE..][..length * TILE];
                            for (place, tile) in tiles.chunks_exact(length * TILE).enumerate() {
                                add_tile(tile, weights, out, self.units, place * TILE, panel * TILE);
                            }
                        }
                    },
                );
            }
        }
    }
}

/// Inputs `first …` of the rows in tiles of [`TILE`] rows, of each tile one input after the other; what is missing in the last tile is 0.
fn pack(rows: &[f64], inputs: usize, first: usize, length: usize, tiles: &mut [f64]) {
    let count = rows.len() / inputs;
    for (place, tile) in tiles.chunks_exact_mut(length * TILE).enumerate() {
        for lane in 0..TILE {
            let row = place * TILE + lane;
            if row < count {
                let values = &rows[row * inputs + first..][..length];
                tile[lane..].iter_mut().step_by(TILE).zip(values).for_each(|(out, &x)| *out = x);
            } else {
                tile[lane..].iter_mut().step_by(TILE).for_each(|out| *out = 0.0);
            }
        }
    }
}

/// Adds `Σ_k left_k right_kᵀ` to the result from (`row`, `unit`) on, as far as it goes.
#[inline(always)]
fn add_tile(left: &[f64], right: &[f64], out: &mut [f64], units: usize, row: usize, unit: usize) {
    let mut tile = [[0.0f64; TILE]; TILE];
    for (x, w) in left.chunks_exact(TILE).zip(right.chunks_exact(TILE)) {
        for i in 0..TILE {
            for j in 0..TILE {
                tile[i][j] = x[i].mul_add(w[j], tile[i][j]);
            }
        }
    }
    let width = TILE.min(units - unit);
    for (out, tile) in out[row * units..].chunks_mut(units).zip(&tile) {
        let out = &mut out[unit..unit + width];
        for (j, out) in out.iter_mut().enumerate() {
            *out += tile[j];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use infimum_rigor::Sum;

    #[test]
    fn products_are_as_near_as_said() {
        let mut state = 7u64;
        let mut next = || {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 11) as f64 * 2f64.powi(-52) - 1.0
        };
        for (count, inputs, units) in [(1, 1, 1), (7, 65, 9), (8, 64, 8), (70, 130, 17), (129, 3, 33), (16, 200, 1)] {
            let rows: Vec<f64> = (0..count * inputs).map(|_| next()).collect();
            let weights: Vec<f64> = (0..units * inputs).map(|_| next()).collect();
            let packed = Packed::new(&weights, inputs);
            let mut out = vec![f64::NAN; count * units];
            packed.multiply(&rows, &mut out);
            for i in 0..count {
                for j in 0..units {
                    let (mut sum, mut size) = (Sum::new(), 0.0);
                    for k in 0..inputs {
                        sum.add_product(rows[i * inputs + k], weights[j * inputs + k]);
                        size += (rows[i * inputs + k] * weights[j * inputs + k]).abs();
                    }
                    let off = (out[i * units + j] - sum.value()).abs();
                    assert!(off <= packed.relative_error() * size, "{count} {inputs} {units}: {off:e} of {size:e}");
                }
            }
        }
    }
}
