//! The simplex tableau over the points: the value `s_i = w·x_i + b` of every basic point as a combination of the nonbasic ones.
//!
//! A row is an affine dependency of the points themselves; its nonzeros with the basic point are a circuit. The weights are not in it.
//! Rows are dense `f64`; in *sparse* tableaus a bit for every nonzero, by rows and by columns, and a count for every column say where to look, and the
//! pivots are chosen to keep them few.

use infimum_rigor::vectorized;

use crate::points::dot;

/// Entries below this are rounding and become 0.
const DROP: f64 = 1e-11;
/// Marks a place as a column.
const COLUMN: u32 = 1 << 31;

/// `s[basic[i]] = Σ_j a[i][j]·s[nonbasic[j]]`.
#[derive(Clone)]
pub(crate) struct Tableau {
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    /// Whether masks and counts are kept.
    pub(crate) sparse: bool,
    entries: Vec<f64>,
    words: usize,
    mask: Vec<u64>,
    /// The same bits column by column.
    column_words: usize,
    column_mask: Vec<u64>,
    /// Nonzeros of every column (sparse tableaus).
    pub(crate) counts: Vec<u32>,
    /// Nonzeros of the whole (sparse tableaus).
    pub(crate) nonzeros: usize,
    pub(crate) basic: Vec<u32>,
    pub(crate) nonbasic: Vec<u32>,
    place: Vec<u32>,
}

/// Where a point stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Row(usize),
    Column(usize),
}

/// The places of the ones among the bits.
#[inline]
pub(super) fn ones(words: &[u64]) -> impl Iterator<Item = usize> {
    words.iter().enumerate().flat_map(|(k, &word)| {
        let mut word = word;
        std::iter::from_fn(move || {
            let place = k * 64 + word.trailing_zeros() as usize;
            let found = word != 0;
            word &= word.wrapping_sub(1);
            found.then_some(place)
        })
    })
}

impl Tableau {
    /// From rows of entries.
    pub(crate) fn new(entries: Vec<f64>, basic: Vec<u32>, nonbasic: Vec<u32>, sparse: bool) -> Tableau {
        let (rows, columns) = (basic.len(), nonbasic.len());
        let words = if sparse { columns.div_ceil(64) } else { 0 };
        let column_words = if sparse { rows.div_ceil(64) } else { 0 };
        let mut place = vec![0; rows + columns];
        basic.iter().enumerate().for_each(|(i, &p)| place[p as usize] = i as u32);
        nonbasic.iter().enumerate().for_each(|(j, &p)| place[p as usize] = j as u32 | COLUMN);
        let mut tableau = Tableau {
            rows,
            columns,
            sparse,
            entries,
            words,
            mask: vec![0; rows * words],
            column_words,
            column_mask: vec![0; columns * column_words],
            counts: vec![0; columns],
            nonzeros: 0,
            basic,
            nonbasic,
            place,
        };
        if sparse {
            for i in 0..rows {
                for j in 0..columns {
                    if tableau.entries[i * columns + j] != 0.0 {
                        tableau.mask[i * words + j / 64] |= 1 << (j % 64);
                        tableau.column_mask[j * column_words + i / 64] |= 1 << (i % 64);
                        tableau.counts[j] += 1;
                        tableau.nonzeros += 1;
                    }
                }
            }
        }
        tableau
    }

    /// Takes the entries of another tableau of the same points and shape.
    pub(crate) fn copy_from(&mut self, other: &Tableau) {
        self.entries.copy_from_slice(&other.entries);
        self.mask.copy_from_slice(&other.mask);
        self.column_mask.copy_from_slice(&other.column_mask);
        self.counts.copy_from_slice(&other.counts);
        self.nonzeros = other.nonzeros;
        self.basic.copy_from_slice(&other.basic);
        self.nonbasic.copy_from_slice(&other.nonbasic);
        self.place.copy_from_slice(&other.place);
    }

    pub(crate) fn place(&self, point: usize) -> Place {
        let place = self.place[point];
        if place & COLUMN == 0 { Place::Row(place as usize) } else { Place::Column((place & !COLUMN) as usize) }
    }

    #[inline]
    pub(crate) fn row(&self, i: usize) -> &[f64] {
        &self.entries[i * self.columns..(i + 1) * self.columns]
    }

    /// Number of nonzeros of row i; of a dense tableau the columns.
    #[inline]
    pub(crate) fn row_count(&self, i: usize) -> u32 {
        if !self.sparse {
            return self.columns as u32;
        }
        self.mask[i * self.words..(i + 1) * self.words].iter().map(|word| word.count_ones()).sum()
    }

    /// Calls `visit` with the columns of the nonzeros of row i until it says to stop; whether it never did.
    #[inline]
    pub(crate) fn visit_row(&self, i: usize, mut visit: impl FnMut(usize, f64) -> bool) -> bool {
        let row = self.row(i);
        if !self.sparse {
            return row.iter().enumerate().all(|(j, &value)| value == 0.0 || visit(j, value));
        }
        ones(&self.mask[i * self.words..(i + 1) * self.words]).all(|j| visit(j, row[j]))
    }

    /// `values[basic[i]] = a[i] · at` for every row.
    pub(crate) fn multiply(&self, at: &[f64], values: &mut [f64]) {
        if self.sparse {
            for i in 0..self.rows {
                let mut sum = 0.0;
                self.visit_row(i, |j, value| {
                    sum += value * at[j];
                    true
                });
                values[self.basic[i] as usize] = sum;
            }
            return;
        }
        vectorized(
            #[inline(always)]
            || {
                for (row, &p) in self.entries.chunks_exact(self.columns.max(1)).zip(&self.basic) {
                    values[p as usize] = dot(row, at);
                }
            },
        );
    }

    /// `values[basic[i]] += a[i][j]·step` for every row.
    pub(crate) fn add_column(&self, j: usize, step: f64, values: &mut [f64]) {
        if self.sparse {
            for i in ones(&self.column_mask[j * self.column_words..][..self.column_words]) {
                values[self.basic[i] as usize] += self.entries[i * self.columns + j] * step;
            }
            return;
        }
        for (i, &p) in self.basic.iter().enumerate() {
            values[p as usize] += self.entries[i * self.columns + j] * step;
        }
    }

    /// Exchanges the basic point of row i and the nonbasic one of column j. The entry must not be 0.
    pub(crate) fn pivot(&mut self, i: usize, j: usize) {
        let columns = self.columns;
        let inverse = 1.0 / self.entries[i * columns + j];
        let mut pivot_row: Vec<f64> = self.row(i).to_vec();
        pivot_row.iter_mut().for_each(|value| *value *= -inverse);
        pivot_row[j] = inverse;
        self.entries[i * columns..(i + 1) * columns].copy_from_slice(&pivot_row);
        if self.sparse {
            let others: Vec<u32> =
                (0..columns as u32).filter(|&k| k as usize != j && pivot_row[k as usize] != 0.0).collect();
            // Column j itself keeps its nonzeros.
            let reached = self.column_mask[j * self.column_words..][..self.column_words].to_vec();
            for l in ones(&reached).filter(|&l| l != i) {
                let factor = self.entries[l * columns + j];
                self.entries[l * columns + j] = factor * inverse;
                self.add_sparse(l, factor, &pivot_row, &others);
            }
        } else {
            let entries = &mut self.entries;
            vectorized(
                #[inline(always)]
                || {
                    for (l, row) in entries.chunks_exact_mut(columns).enumerate() {
                        let factor = row[j];
                        if factor != 0.0 && l != i {
                            row[j] = 0.0;
                            row.iter_mut().zip(&pivot_row).for_each(|(value, &step)| *value += factor * step);
                        }
                    }
                },
            );
        }
        let (leaving, entering) = (self.basic[i], self.nonbasic[j]);
        (self.basic[i], self.nonbasic[j]) = (entering, leaving);
        self.place[entering as usize] = i as u32;
        self.place[leaving as usize] = j as u32 | COLUMN;
    }

    /// Row l += factor · pivot row in the columns `others`, keeping the bits and counts.
    fn add_sparse(&mut self, l: usize, factor: f64, pivot_row: &[f64], others: &[u32]) {
        let row = &mut self.entries[l * self.columns..(l + 1) * self.columns];
        let mask = &mut self.mask[l * self.words..(l + 1) * self.words];
        for &k in others {
            let k = k as usize;
            let before = row[k];
            let mut value = before + factor * pivot_row[k];
            if value.abs() < DROP {
                value = 0.0;
            }
            row[k] = value;
            if (before != 0.0) != (value != 0.0) {
                mask[k / 64] ^= 1 << (k % 64);
                self.column_mask[k * self.column_words + l / 64] ^= 1 << (l % 64);
                if value != 0.0 {
                    self.counts[k] += 1;
                    self.nonzeros += 1;
                } else {
                    self.counts[k] -= 1;
                    self.nonzeros -= 1;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values of all points from those of the nonbasic ones.
    fn values(tableau: &Tableau, nonbasic: &[f64]) -> Vec<f64> {
        let mut all = vec![0.0; tableau.rows + tableau.columns];
        (0..tableau.columns).for_each(|j| all[tableau.nonbasic[j] as usize] = nonbasic[j]);
        for i in 0..tableau.rows {
            let mut sum = 0.0;
            tableau.visit_row(i, |j, value| {
                sum += value * nonbasic[j];
                true
            });
            all[tableau.basic[i] as usize] = sum;
        }
        all
    }

    #[test]
    fn pivots_keep_the_dependencies() {
        let entries = vec![1.0, -2.0, 0.0, 0.5, 0.0, 3.0, 0.0, 1.0, 1.0, 2.0, 2.0, -1.0];
        for sparse in [false, true] {
            let mut tableau = Tableau::new(entries.clone(), vec![3, 4, 5, 6], vec![0, 1, 2], sparse);
            let before = values(&tableau, &[1.0, 2.0, -3.0]);
            for (i, j) in [(0, 0), (1, 2), (3, 1), (0, 2)] {
                if tableau.row(i)[j] == 0.0 {
                    continue;
                }
                tableau.pivot(i, j);
                let at: Vec<f64> = tableau.nonbasic.iter().map(|&p| before[p as usize]).collect();
                let after = values(&tableau, &at);
                assert!(before.iter().zip(&after).all(|(a, b)| (a - b).abs() < 1e-9), "{before:?} {after:?}");
                if sparse {
                    let counted: usize = (0..tableau.rows).map(|i| tableau.row_count(i) as usize).sum();
                    assert_eq!(counted, tableau.nonzeros);
                    assert_eq!(counted, tableau.counts.iter().sum::<u32>() as usize);
                    for (i, j) in (0..tableau.rows).flat_map(|i| (0..tableau.columns).map(move |j| (i, j))) {
                        let bits = (tableau.mask[i] >> j & 1, tableau.column_mask[j] >> i & 1);
                        let bit = u64::from(tableau.row(i)[j] != 0.0);
                        assert_eq!(bits, (bit, bit));
                    }
                }
            }
        }
    }
}
