//! The distinct rows x̃_p ∈ R^D of a problem, p = 1 … M, in the order in which they first appear, and what α gives each of them.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use infimum_problem::{Matrix, Row};
use infimum_rigor::{ExactSum, Interval, Sum};
use rayon::prelude::*;

/// Distinct rows of a matrix in memory; where hidden biases are penalised, each with a 1 behind it.
pub(crate) struct Points<'a> {
    matrix: &'a Matrix,
    /// The first training row that is distinct row p.
    first: Vec<usize>,
    /// The distinct row of each training row.
    point_of: Vec<u32>,
    constant: bool,
}

impl<'a> Points<'a> {
    /// Groups equal rows; 0 and −0 are the same number. The error names a row that has something else than finite numbers.
    pub(crate) fn new(matrix: &'a Matrix, constant: bool) -> Result<Points<'a>, String> {
        let state = RandomState::new();
        let hashes: Vec<u64> = (0..matrix.rows())
            .into_par_iter()
            .map(|i| state.hash_one(non_zeros(matrix.row(i)).collect::<Vec<_>>()))
            .collect();
        let mut known: HashMap<u64, Vec<u32>> = HashMap::new();
        let (mut first, mut point_of) = (Vec::new(), Vec::with_capacity(matrix.rows()));
        for (i, hash) in hashes.into_iter().enumerate() {
            let row = matrix.row(i);
            if !is_finite(row) {
                return Err(format!("row {} has a value that is not finite", i + 1));
            }
            let same = known.entry(hash).or_default();
            let equal = |&&p: &&u32| non_zeros(matrix.row(first[p as usize])).eq(non_zeros(row));
            let point = match same.iter().find(equal) {
                Some(&point) => point,
                None => {
                    let point = u32::try_from(first.len()).map_err(|_| "too many rows".to_string())?;
                    same.push(point);
                    first.push(i);
                    point
                }
            };
            point_of.push(point);
        }
        Ok(Points { matrix, first, point_of, constant })
    }

    /// M.
    pub(crate) fn len(&self) -> usize {
        self.first.len()
    }

    /// D.
    pub(crate) fn dimension(&self) -> usize {
        self.matrix.columns() + usize::from(self.constant)
    }

    /// Writes row p into `out`, D numbers.
    pub(crate) fn fill(&self, p: usize, out: &mut [f64]) {
        out.fill(0.0);
        self.matrix.row(self.first[p]).for_each(|j, x| out[j] = x);
        if self.constant {
            out[self.matrix.columns()] = 1.0;
        }
    }

    /// A number that ‖x_p‖ does not exceed.
    pub(crate) fn norm(&self, p: usize) -> f64 {
        let mut squares = Sum::new();
        self.matrix.row(self.first[p]).for_each(|_, x| squares.add_product(x, x));
        let square = squares.enclose() + Interval::point(if self.constant { 1.0 } else { 0.0 });
        Interval::new(0.0, square.upper).sqrt().upper
    }

    /// For output k of K the least numbers known that are at least `w_p = Σ ±α_ik` over the rows i that are row p, first with the sign +, then with −:
    /// exact where one row or the sum 0 is meant. Larger w only weaken the bounds (docs/relu.md).
    pub(crate) fn weights(&self, alpha: &[f64], outputs: usize, k: usize) -> [Vec<f64>; 2] {
        let mut rows_of = vec![0u32; self.len()];
        self.point_of.iter().for_each(|&p| rows_of[p as usize] += 1);
        let mut sums = vec![Sum::new(); self.len()];
        for (i, &p) in self.point_of.iter().enumerate() {
            sums[p as usize].add(alpha[i * outputs + k]);
        }
        let mut exact: HashMap<u32, ExactSum> = HashMap::new();
        for (i, &p) in self.point_of.iter().enumerate() {
            if rows_of[p as usize] > 1 && sums[p as usize].enclose().contains(0.0) {
                exact.entry(p).or_default().add(alpha[i * outputs + k]);
            }
        }
        let enclosure = |p: usize| match (rows_of[p], exact.get(&(p as u32))) {
            (1, _) => Interval::point(sums[p].value()),
            (_, Some(exact)) if exact.is_zero() => Interval::ZERO,
            _ => sums[p].enclose(),
        };
        let enclosures: Vec<Interval> = (0..self.len()).map(enclosure).collect();
        [enclosures.iter().map(|w| w.upper).collect(), enclosures.iter().map(|w| -w.lower).collect()]
    }

    /// Whether the α of the rows of every distinct row add up to exactly 0 for each output; the error names one and an output of which they do not.
    pub(crate) fn cancel(&self, alpha: &[f64], outputs: usize) -> Result<(), String> {
        for k in 0..outputs {
            let mut sums: HashMap<u32, ExactSum> = HashMap::new();
            for (i, &p) in self.point_of.iter().enumerate() {
                let own = alpha[i * outputs + k];
                if own != 0.0 {
                    sums.entry(p).or_default().add(own);
                }
            }
            if let Some(p) = sums.iter().filter(|entry| !entry.1.is_zero()).map(|entry| *entry.0).min() {
                let output = k + 1;
                return Err(format!("the α of distinct row {} for output {output} do not add up to exactly 0", p + 1));
            }
        }
        Ok(())
    }
}

/// Columns and bits of the entries that are not 0, in order of columns.
fn non_zeros(row: Row<'_>) -> impl Iterator<Item = (usize, u64)> + use<'_> {
    let (dense, sparse) = match row {
        Row::Dense(values) => (Some(values.iter().enumerate()), None),
        Row::Sparse(indices, values) => (None, Some(indices.iter().map(|&j| j as usize).zip(values.iter()))),
    };
    let entries = dense.into_iter().flatten().chain(sparse.into_iter().flatten());
    entries.filter(|entry| entry.1 != 0.0).map(|(j, x)| (j, x.to_bits()))
}

fn is_finite(row: Row) -> bool {
    row.values().iter().all(f64::is_finite)
}
