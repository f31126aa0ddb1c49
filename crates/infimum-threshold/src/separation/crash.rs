//! The first tableau: every weight is exchanged for a point, so that what remains speaks of points alone.
//!
//! Gaussian elimination of `s_i = Σ_j x_ij w_j` (the bias is a weight of the constant coordinate). In sparse data the pivot is taken in the row with the
//! fewest nonzeros and in it in the column with the fewest; in dense data where the entry is largest. Weights whose column has no entry
//! left are not needed: the points do not span them, and they are 0. Invariant: what is left of every row is its exact combination of
//! the chosen points and the weights not yet exchanged.

use super::tableau::{Tableau, ones};
use crate::points::Scaled;

/// A pivot must be at least this part of the largest entry in its row.
const RELATIVE_PIVOT: f64 = 0.3;
/// What is left below this is rounding.
const ZERO: f64 = 1e-9;
/// Entries below this become 0.
const DROP: f64 = 1e-12;
/// Tableaus filled less than this are kept sparse.
const SPARSE_BELOW: f64 = 0.97;

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
        let mut counts = Counts::new(&entries, points, count);
        let stored: u32 = counts.rows.iter().sum();
        let sparse = f64::from(stored) < SPARSE_BELOW * (count * n) as f64;
        let mut reached = Vec::new();
        let mut chosen: Vec<(usize, u32)> = Vec::new();
        while let Some((p, j)) = counts.choose(&entries, sparse) {
            let inverse = 1.0 / entries[p * n + j];
            let pivot_row: Vec<(usize, f64)> = (0..n)
                .filter(|&k| k != j && entries[p * n + k] != 0.0)
                .map(|k| (k, -inverse * entries[p * n + k]))
                .collect();
            counts.use_up(&entries, p, j);
            reached.clear();
            reached.extend(counts.column(j).filter(|&l| l != p));
            for &l in &reached {
                let factor = entries[l * n + j];
                let row = &mut entries[l * n..(l + 1) * n];
                row[j] = factor * inverse;
                for &(k, step) in &pivot_row {
                    let before = row[k];
                    let value = before + factor * step;
                    row[k] = if value.abs() < DROP { 0.0 } else { value };
                    counts.changed(l, k, before, row[k]);
                }
            }
            // The point's own row is itself.
            for k in (0..n).filter(|&k| k != j) {
                let before = std::mem::take(&mut entries[p * n + k]);
                counts.changed(p, k, before, 0.0);
            }
            entries[p * n + j] = 1.0;
            chosen.push((j, p as u32));
        }
        let free = counts.free;
        let mut used = vec![false; count];
        chosen.iter().for_each(|entry| used[entry.1 as usize] = true);
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
        weights.extend(
            self.map.chunks_exact(rank.max(1)).map(|row| -> f64 {
                row.iter().zip(&self.chosen).map(|(&factor, &p)| factor * values[p as usize]).sum()
            }),
        );
    }
}

/// What is left to exchange, where the entries that are not 0 are, and how many of them rows and columns have.
struct Counts {
    n: usize,
    used: Vec<bool>,
    free: Vec<bool>,
    /// Of every point in the free columns.
    rows: Vec<u32>,
    /// Of every column in the rows not used.
    columns: Vec<u32>,
    /// A bit for every entry that is not 0, column by column, weights' rows included.
    words: usize,
    bits: Vec<u64>,
}

impl Counts {
    /// `entries` are those of `count` points, then the unit matrix of the weights.
    fn new(entries: &[f64], points: &Scaled, count: usize) -> Counts {
        let n = points.coordinates;
        let words = (count + n).div_ceil(64);
        let (used, free) = (vec![false; count], vec![true; n]);
        let (rows, columns) = (vec![0; count], vec![0; n]);
        let mut counts = Counts { n, used, free, rows, columns, words, bits: vec![0; n * words] };
        for p in 0..count {
            for &j in points.row(p).0 {
                if entries[p * n + j as usize] != 0.0 {
                    counts.flip(p, j as usize);
                    counts.rows[p] += 1;
                    counts.columns[j as usize] += 1;
                }
            }
        }
        (0..n).for_each(|j| counts.flip(count + j, j));
        counts
    }

    #[inline]
    fn flip(&mut self, l: usize, k: usize) {
        self.bits[k * self.words + l / 64] ^= 1 << (l % 64);
    }

    /// The rows in which column j is not 0.
    fn column(&self, j: usize) -> impl Iterator<Item = usize> {
        ones(&self.bits[j * self.words..(j + 1) * self.words])
    }

    /// An entry of row l in column k was changed.
    #[inline]
    fn changed(&mut self, l: usize, k: usize, before: f64, after: f64) {
        if (before != 0.0) == (after != 0.0) {
            return;
        }
        self.flip(l, k);
        if l >= self.used.len() || self.used[l] || !self.free[k] {
            return;
        }
        let by = |count: &mut u32| *count = if after != 0.0 { *count + 1 } else { *count - 1 };
        by(&mut self.rows[l]);
        by(&mut self.columns[k]);
    }

    /// Point p is looked at no more.
    fn retire(&mut self, entries: &[f64], p: usize) {
        self.used[p] = true;
        for k in (0..self.n).filter(|&k| self.free[k] && entries[p * self.n + k] != 0.0) {
            self.columns[k] -= 1;
        }
    }

    /// Point p and column j are exchanged.
    fn use_up(&mut self, entries: &[f64], p: usize, j: usize) {
        self.free[j] = false;
        self.retire(entries, p);
        let Counts { used, rows, bits, words, .. } = self;
        for l in ones(&bits[j * *words..(j + 1) * *words]).take_while(|&l| l < used.len()) {
            rows[l] -= u32::from(!used[l]);
        }
    }

    /// The next point and weight to exchange.
    fn choose(&mut self, entries: &[f64], sparse: bool) -> Option<(usize, usize)> {
        let n = self.n;
        let largest = |counts: &Counts, p: usize| {
            let row = entries[p * n..(p + 1) * n].iter().zip(&counts.free);
            row.filter(|entry| *entry.1).fold(0.0f64, |most, (value, _)| most.max(value.abs()))
        };
        let rows = || (0..self.used.len()).filter(|&p| !self.used[p] && self.rows[p] > 0);
        if !sparse {
            let best = rows()
                .map(|p| (largest(self, p), p))
                .fold((ZERO, usize::MAX), |best, next| if next.0 > best.0 { next } else { best });
            let row = entries.get(best.1.checked_mul(n)?..)?;
            return (0..n).find(|&j| self.free[j] && row[j].abs() == best.0).map(|j| (best.1, j));
        }
        loop {
            let p =
                (0..self.used.len()).filter(|&p| !self.used[p] && self.rows[p] > 0).min_by_key(|&p| self.rows[p])?;
            let most = largest(self, p);
            if most <= ZERO {
                // Rounding alone: this point depends on those chosen.
                self.retire(entries, p);
                continue;
            }
            let candidates = (0..n).filter(|&j| self.free[j] && entries[p * n + j].abs() >= RELATIVE_PIVOT * most);
            return candidates.min_by_key(|&j| self.columns[j]).map(|j| (p, j));
        }
    }
}
