//! The first tableau: every weight is exchanged for a point, so that what remains speaks of points alone.
//!
//! Gaussian elimination of `s_i = Σ_j x_ij w_j` (the bias is a weight of the constant coordinate). In sparse data the pivot is taken in the row with the
//! fewest nonzeros and in it in the column with the fewest; in dense data where the entry is largest. Weights whose column has no entry
//! left are not needed: the points do not span them, and they are 0. Invariant: what is left of every row is its exact combination of
//! the chosen points and the weights not yet exchanged.

use super::tableau::Tableau;
use crate::points::Scaled;

/// A pivot must be at least this part of the largest entry in its row.
const RELATIVE_PIVOT: f64 = 0.3;
/// What is left below this is rounding.
const ZERO: f64 = 1e-9;
/// Tableaus filled less than this are kept sparse.
const SPARSE_BELOW: f64 = 0.3;

/// The tableau that all units of a group start from.
pub(crate) struct Start {
    pub(crate) tableau: Tableau,
    /// The points that were exchanged for weights, in the order of the tableau's columns.
    pub(crate) chosen: Vec<u32>,
    /// `w = map · s[chosen]`, coordinates × chosen.
    pub(crate) map: Vec<f64>,
}

impl Start {
    /// Eliminates the weights.
    pub(crate) fn new(points: &Scaled, count: usize) -> Start {
        let n = points.coordinates;
        // Rows: the points, then the weights, which are expressed by themselves at first.
        let rows = count + n;
        let mut entries = vec![0.0; rows * n];
        for p in 0..count {
            let (indices, values) = points.row(p);
            indices.iter().zip(values).for_each(|(&j, &x)| entries[p * n + j as usize] = x);
        }
        (0..n).for_each(|j| entries[(count + j) * n + j] = 1.0);
        let stored: usize = (0..count).map(|p| points.row(p).0.len()).sum();
        let sparse = (stored as f64) < SPARSE_BELOW * (count * n) as f64;
        let mut free = vec![true; n];
        let mut used = vec![false; count];
        let mut chosen: Vec<(usize, u32)> = Vec::new();
        let largest = |row: &[f64], free: &[bool]| {
            row.iter().zip(free).filter(|entry| *entry.1).fold(0.0f64, |most, (value, _)| most.max(value.abs()))
        };
        loop {
            let Some((p, j)) = choose(&entries, n, &used, &free, sparse, largest) else { break };
            let inverse = 1.0 / entries[p * n + j];
            let pivot_row: Vec<(usize, f64)> = (0..n)
                .filter(|&k| k != j && entries[p * n + k] != 0.0)
                .map(|k| (k, -inverse * entries[p * n + k]))
                .collect();
            for l in (0..rows).filter(|&l| l != p) {
                let factor = entries[l * n + j];
                if factor != 0.0 {
                    let row = &mut entries[l * n..(l + 1) * n];
                    row[j] = factor * inverse;
                    for &(k, step) in &pivot_row {
                        let value = row[k] + factor * step;
                        row[k] = if value.abs() < 1e-12 { 0.0 } else { value };
                    }
                }
            }
            // The point's own row is itself.
            entries[p * n..(p + 1) * n].fill(0.0);
            entries[p * n + j] = 1.0;
            used[p] = true;
            free[j] = false;
            chosen.push((j, p as u32));
        }
        let rank = chosen.len();
        let basic: Vec<u32> = (0..count as u32).filter(|&p| !used[p as usize]).collect();
        let mut left = Vec::with_capacity(basic.len() * rank);
        for &p in &basic {
            left.extend(chosen.iter().map(|&(j, _)| entries[p as usize * n + j]));
        }
        let mut map = Vec::with_capacity(n * rank);
        for weight in 0..n {
            // Weights that were not exchanged are 0, and so is what others have of them.
            map.extend(chosen.iter().map(|&(j, _)| if free[weight] { 0.0 } else { entries[(count + weight) * n + j] }));
        }
        let nonzeros = left.iter().filter(|&&value| value != 0.0).count();
        let sparse = (nonzeros as f64) < SPARSE_BELOW * left.len() as f64;
        let chosen: Vec<u32> = chosen.into_iter().map(|entry| entry.1).collect();
        Start { tableau: Tableau::new(left, basic, chosen.clone(), sparse), chosen, map }
    }

    /// Weights from the values of all points.
    pub(crate) fn weights(&self, values: &[f64], weights: &mut Vec<f64>) {
        let rank = self.chosen.len();
        weights.clear();
        weights.extend(self.map.chunks_exact(rank.max(1)).map(|row| -> f64 {
            row.iter().zip(&self.chosen).map(|(&factor, &p)| factor * values[p as usize]).sum()
        }));
    }
}

/// The next point and weight to exchange.
fn choose(
    entries: &[f64],
    n: usize,
    used: &[bool],
    free: &[bool],
    sparse: bool,
    largest: impl Fn(&[f64], &[bool]) -> f64,
) -> Option<(usize, usize)> {
    let rows = (0..used.len()).filter(|&p| !used[p]);
    let row = |p: usize| &entries[p * n..(p + 1) * n];
    if !sparse {
        let best = rows.map(|p| (largest(row(p), free), p)).fold((ZERO, usize::MAX), |best, next| if next.0 > best.0 { next } else { best });
        let p = best.1;
        let j = (p != usize::MAX).then(|| (0..n).find(|&j| free[j] && row(p)[j].abs() == best.0)).flatten()?;
        return Some((p, j));
    }
    let nonzeros = |p: usize| row(p).iter().zip(free).filter(|entry| *entry.1 && entry.0.abs() > ZERO).count();
    let p = rows.map(|p| (nonzeros(p), p)).filter(|entry| entry.0 > 0).min()?.1;
    let least = RELATIVE_PIVOT * largest(row(p), free);
    let candidates = (0..n).filter(|&j| free[j] && row(p)[j].abs() >= least);
    let count = |j: usize| (0..used.len()).filter(|&l| !used[l] && entries[l * n + j].abs() > ZERO).count();
    candidates.min_by_key(|&j| count(j)).map(|j| (p, j))
}
