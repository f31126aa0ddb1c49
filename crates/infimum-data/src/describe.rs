//! What was understood of a file, for `infimum data show`.

use std::collections::HashMap;
use std::fmt;

use infimum_problem::{Format, Matrix, Target, Task};

use crate::canonical::{Loaded, Request, load, splitmix64};
use crate::error::{DataError, one_line};
use crate::tabular::header_words;

/// Columns listed one by one before the rest is summed up.
const LISTED: usize = 20;

/// A description that prints itself.
#[derive(Debug, Clone)]
pub struct Description {
    loaded: Loaded,
}

/// Reads a source and describes it.
pub fn describe(source: &str, request: &Request) -> Result<Description, DataError> {
    // Columns are compared with one another: the matrix is held in memory.
    load(source, &Request { memory: None, ..request.clone() }).map(|loaded| Description { loaded })
}

/// What is known of a column: its least and greatest value, how many are not 0, and a hash of its entries.
#[derive(Debug, Clone, Copy)]
struct Column {
    low: f64,
    high: f64,
    nonzero: usize,
    hash: u64,
}

/// The columns that hold anything, described, with where each of the matrix's columns stands among them. Sparse matrices can be
/// millions of columns wide with hardly one filled.
struct Columns {
    described: Vec<Column>,
    places: Vec<u32>,
}

const EMPTY: u32 = u32::MAX;
const ZEROS: Column = Column { low: 0.0, high: 0.0, nonzero: 0, hash: 0 };

impl Columns {
    fn new(matrix: &Matrix) -> Columns {
        let mut columns = Columns { described: Vec::new(), places: vec![EMPTY; matrix.columns()] };
        let fresh = Column { low: f64::INFINITY, high: f64::NEG_INFINITY, ..ZEROS };
        for i in 0..matrix.rows() {
            matrix.row(i).for_each(|j, x| {
                if columns.places[j] == EMPTY {
                    columns.places[j] = columns.described.len() as u32;
                    columns.described.push(fresh);
                }
                let column = &mut columns.described[columns.places[j] as usize];
                column.low = column.low.min(x);
                column.high = column.high.max(x);
                if x != 0.0 {
                    column.nonzero += 1;
                    column.hash = splitmix64(column.hash ^ x.to_bits().rotate_left(17) ^ (i as u64));
                }
            });
        }
        if matrix.is_sparse() {
            for column in columns.described.iter_mut().filter(|column| column.nonzero < matrix.rows()) {
                (column.low, column.high) = (column.low.min(0.0), column.high.max(0.0));
            }
        }
        columns
    }

    fn get(&self, j: usize) -> Column {
        self.described.get(self.places[j] as usize).copied().unwrap_or(ZEROS)
    }

    /// Columns whose values are all equal.
    fn constant(&self) -> impl Iterator<Item = usize> {
        (0..self.places.len()).filter(|&j| self.get(j).low >= self.get(j).high)
    }

    /// Columns that are not all 0 and equal an earlier one, found by hash and then compared entry by entry.
    fn duplicates(&self, matrix: &Matrix) -> Vec<(usize, usize)> {
        let mut first = HashMap::new();
        let mut pairs: Vec<(usize, usize)> = (0..self.places.len())
            .filter(|&j| self.get(j).nonzero > 0)
            .filter_map(|j| first.insert(self.get(j).hash, j).map(|earlier| (earlier, j)))
            .collect();
        if pairs.is_empty() {
            return pairs;
        }
        let mut equal = vec![true; pairs.len()];
        let mut row = vec![0.0; matrix.columns()];
        for i in 0..matrix.rows() {
            matrix.row(i).for_each(|j, x| row[j] = x);
            for (pair, equal) in pairs.iter().zip(&mut equal) {
                *equal &= row[pair.0] == row[pair.1];
            }
            matrix.row(i).for_each(|j, _| row[j] = 0.0);
        }
        let mut equal = equal.into_iter();
        pairs.retain(|_| equal.next().unwrap_or(false));
        pairs
    }
}

impl fmt::Display for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Loaded { problem, recipe, source, validation, notes, .. } = &self.loaded;
        let data = &problem.data;
        let (n, d) = (data.rows(), data.columns());
        let name = |j: usize| one_line(&data.column_names.name(j)).into_owned();
        writeln!(f, "data       {} ({:?})", one_line(&source.path), recipe.format)?;
        writeln!(f, "sha256     {}", source.sha256)?;
        match (recipe.format, recipe.header) {
            (Format::Csv | Format::Tsv, true) => writeln!(f, "header     first line; --no-header overrides")?,
            (Format::Csv | Format::Tsv, false) => {
                writeln!(f, "header     none, columns are called 1, 2, …; --header overrides")?;
            }
            _ => {}
        }
        let storage = if data.matrix.is_sparse() { "sparse" } else { "dense" };
        let density = 100.0 * data.matrix.stored() as f64 / (n as f64 * d as f64);
        writeln!(f, "rows       {n}{}", if validation.is_some() { " for training" } else { "" })?;
        if let Some(validation) = validation {
            writeln!(f, "held out   {}", validation.matrix.rows())?;
        }
        writeln!(f, "columns    {d} ({storage}, {} stored values, {density:.2} %)", data.matrix.stored())?;
        let target = match recipe.format {
            Format::Libsvm => "first field of each row",
            Format::Idx => "the labels file",
            Format::Images => "the images' folders",
            _ => &recipe.targets().collect::<Vec<_>>().join(", "),
        };
        writeln!(f, "target     {}: {:?}", one_line(target), recipe.task)?;
        match &data.target {
            Target::Real(values) => {
                let (low, high) = range(values.iter());
                writeln!(f, "           from {low} to {high}")?;
            }
            Target::Several { names, values } => {
                for (k, name) in names.iter().enumerate().take(LISTED) {
                    let column = values.iter().skip(k).step_by(names.len());
                    let name = one_line(name);
                    if recipe.task == Task::Classification {
                        writeln!(f, "           `{name}`: {} rows", column.filter(|&&y| y > 0.0).count())?;
                    } else {
                        let (low, high) = range(column);
                        writeln!(f, "           `{name}`: from {low} to {high}")?;
                    }
                }
                if names.len() > LISTED {
                    writeln!(f, "           and {} more targets", names.len() - LISTED)?;
                }
            }
            Target::Class { labels, classes } => {
                let mut counts = vec![0usize; labels.len()];
                classes.iter().for_each(|&class| counts[class as usize] += 1);
                for (label, count) in labels.iter().zip(counts).take(LISTED) {
                    writeln!(f, "           `{}`: {count} rows", one_line(label))?;
                }
                if labels.len() > LISTED {
                    writeln!(f, "           and {} more labels", labels.len() - LISTED)?;
                }
            }
        }
        let columns = Columns::new(&data.matrix);
        for j in 0..d.min(LISTED) {
            let Column { low, high, nonzero, .. } = columns.get(j);
            writeln!(f, "column     `{}`: {low} to {high}, {nonzero} non-zero", name(j))?;
        }
        if d > LISTED {
            writeln!(f, "           and {} more columns", d - LISTED)?;
        }
        let constant = columns.constant().count();
        if constant > 0 {
            let names = shorten(constant, columns.constant().map(name));
            writeln!(f, "note       {constant} constant columns (kept): {names}")?;
        }
        let duplicates = columns.duplicates(&data.matrix);
        if !duplicates.is_empty() {
            let pairs = duplicates.iter().map(|&(a, b)| format!("{} = {}", name(a), name(b)));
            let pairs = shorten(duplicates.len(), pairs);
            writeln!(f, "note       {} duplicate columns (kept): {pairs}", duplicates.len())?;
        }
        // The line `header` has said it.
        let mut others = notes.iter().filter(|note| **note != header_words(recipe.header));
        others.try_for_each(|note| writeln!(f, "note       {note}"))
    }
}

/// The least and the greatest value.
fn range<'a>(values: impl Iterator<Item = &'a f64>) -> (f64, f64) {
    values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &value| (low.min(value), high.max(value)))
}

/// The first names of `count`.
fn shorten(count: usize, names: impl Iterator<Item = String>) -> String {
    let shown = names.take(8).collect::<Vec<_>>().join(", ");
    if count > 8 { format!("{shown}, …") } else { shown }
}
