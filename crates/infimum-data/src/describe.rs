//! What was understood of a file, for `infimum data show`.

use std::fmt;

use infimum_problem::{Matrix, Target};

use crate::canonical::{Loaded, Request, load};
use crate::error::DataError;

/// Columns listed one by one before the rest is summed up.
const LISTED: usize = 20;

/// A description that prints itself.
#[derive(Debug, Clone)]
pub struct Description {
    loaded: Loaded,
}

/// Reads a source and describes it.
pub fn describe(source: &str, request: &Request) -> Result<Description, DataError> {
    load(source, request).map(|loaded| Description { loaded })
}

/// Minimum, maximum and number of non-zero values of each column.
fn ranges(matrix: &Matrix) -> Vec<(f64, f64, usize)> {
    let mut ranges = vec![(f64::INFINITY, f64::NEG_INFINITY, 0); matrix.columns()];
    for i in 0..matrix.rows() {
        matrix.row(i).for_each(|j, x| {
            ranges[j].0 = ranges[j].0.min(x);
            ranges[j].1 = ranges[j].1.max(x);
            ranges[j].2 += usize::from(x != 0.0);
        });
    }
    if matrix.is_sparse() {
        for range in ranges.iter_mut().filter(|range| range.2 < matrix.rows()) {
            *range = (range.0.min(0.0), range.1.max(0.0), range.2);
        }
    }
    ranges
}

/// Columns that equal an earlier one, found by a hash of their entries and then compared entry by entry.
fn duplicates(matrix: &Matrix) -> Vec<(usize, usize)> {
    let mut hashes = vec![0u64; matrix.columns()];
    for i in 0..matrix.rows() {
        matrix.row(i).for_each(|j, x| {
            if x != 0.0 {
                hashes[j] = crate::canonical::splitmix64(hashes[j] ^ x.to_bits().rotate_left(17) ^ (i as u64));
            }
        });
    }
    let mut first = std::collections::HashMap::new();
    let pairs: Vec<(usize, usize)> =
        (0..hashes.len()).filter_map(|j| first.insert(hashes[j], j).map(|earlier| (earlier, j))).collect();
    let mut equal = vec![true; pairs.len()];
    let mut row = vec![0.0; matrix.columns()];
    for i in 0..if pairs.is_empty() { 0 } else { matrix.rows() } {
        matrix.row(i).for_each(|j, x| row[j] = x);
        for (pair, equal) in pairs.iter().zip(&mut equal) {
            *equal &= row[pair.0] == row[pair.1];
        }
        matrix.row(i).for_each(|j, _| row[j] = 0.0);
    }
    pairs.into_iter().zip(equal).filter(|entry| entry.1).map(|entry| entry.0).collect()
}

impl fmt::Display for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Loaded { problem, recipe, source, validation, notes, .. } = &self.loaded;
        let data = &problem.data;
        let (n, d) = (data.rows(), data.columns());
        writeln!(f, "data       {} ({:?})", source.path, recipe.format)?;
        writeln!(f, "sha256     {}", source.sha256)?;
        let storage = if data.matrix.is_sparse() { "sparse" } else { "dense" };
        let density = 100.0 * data.matrix.stored() as f64 / (n as f64 * d as f64);
        writeln!(f, "rows       {n}{}", if validation.is_some() { " for training" } else { "" })?;
        if let Some(validation) = validation {
            writeln!(f, "held out   {}", validation.matrix.rows())?;
        }
        writeln!(f, "columns    {d} ({storage}, {} stored values, {density:.2} %)", data.matrix.stored())?;
        let target = if recipe.target.is_empty() { "first field of each row" } else { &recipe.target };
        writeln!(f, "target     {target}: {:?}", recipe.task)?;
        match &data.target {
            Target::Real(values) => {
                let (low, high) = values
                    .iter()
                    .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &value| (low.min(value), high.max(value)));
                writeln!(f, "           from {low} to {high}")?;
            }
            Target::Class { labels, classes } => {
                let mut counts = vec![0usize; labels.len()];
                classes.iter().for_each(|&class| counts[class as usize] += 1);
                for (label, count) in labels.iter().zip(counts).take(LISTED) {
                    writeln!(f, "           `{label}`: {count} rows")?;
                }
                if labels.len() > LISTED {
                    writeln!(f, "           and {} more labels", labels.len() - LISTED)?;
                }
            }
        }
        let ranges = ranges(&data.matrix);
        for (j, (low, high, nonzero)) in ranges.iter().enumerate().take(LISTED) {
            writeln!(f, "column     `{}`: {low} to {high}, {nonzero} non-zero", data.column_names[j])?;
        }
        if d > LISTED {
            writeln!(f, "           and {} more columns", d - LISTED)?;
        }
        let constant: Vec<&str> =
            (0..d).filter(|&j| ranges[j].0 >= ranges[j].1).map(|j| data.column_names[j].as_str()).collect();
        if !constant.is_empty() {
            writeln!(f, "note       {} constant columns (kept): {}", constant.len(), shorten(&constant))?;
        }
        let duplicates = duplicates(&data.matrix);
        if !duplicates.is_empty() {
            let pairs: Vec<String> = (duplicates.iter())
                .map(|&(a, b)| format!("{} = {}", data.column_names[a], data.column_names[b]))
                .collect();
            let pairs: Vec<&str> = pairs.iter().map(String::as_str).collect();
            writeln!(f, "note       {} duplicate columns (kept): {}", pairs.len(), shorten(&pairs))?;
        }
        notes.iter().try_for_each(|note| writeln!(f, "note       {note}"))
    }
}

fn shorten(names: &[&str]) -> String {
    let shown = names.iter().take(8).copied().collect::<Vec<_>>().join(", ");
    if names.len() > 8 { format!("{shown}, …") } else { shown }
}
