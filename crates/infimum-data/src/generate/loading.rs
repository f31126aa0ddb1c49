//! Loading problems of known kinds.

use std::path::Path;

use crate::builtin::{Random, spiral};
use crate::generate::examples::{Example, dense, numbered, write};
use crate::generate::{Fault, GenerateOptions, Output, Writer};

/// Most bits of a parity: 2^20 rows.
const MOST_BITS: usize = 20;

pub(super) fn xor(_: &GenerateOptions, output: Output, _: &Path, out: &mut Writer) -> Result<(), Fault> {
    parity_of(2, output, out)
}

pub(super) fn parity(options: &GenerateOptions, output: Output, _: &Path, out: &mut Writer) -> Result<(), Fault> {
    match options.columns.unwrap_or(5) {
        bits @ 1..=MOST_BITS => parity_of(bits, output, out),
        bits => Err(Fault::Asked(format!("--columns expects 1 to {MOST_BITS} bits, got {bits}"))),
    }
}

fn parity_of(bits: usize, output: Output, out: &mut Writer) -> Result<(), Fault> {
    let row = |row: u32| dense((0..bits).map(|bit| f64::from(row >> bit & 1)), row.count_ones() % 2 == 1);
    let rows: Vec<Example> = (0u32..1 << bits).map(row).collect();
    Ok(write(&numbered(bits), &rows, output, out)?)
}

/// Integers from 0 to 1000.
fn integers(random: &mut Random, rows: usize, columns: usize) -> Vec<Vec<i64>> {
    (0..rows).map(|_| (0..columns).map(|_| random.below(1_001) as i64).collect()).collect()
}

fn labelled(
    points: &[Vec<i64>],
    columns: usize,
    mut label: impl FnMut(usize) -> bool,
    output: Output,
    out: &mut Writer,
) -> Result<(), Fault> {
    let row = |(row, point): (usize, &Vec<i64>)| dense(point.iter().map(|&value| value as f64), label(row));
    let rows: Vec<Example> = points.iter().enumerate().map(row).collect();
    Ok(write(&numbered(columns), &rows, output, out)?)
}

pub(super) fn random(options: &GenerateOptions, output: Output, _: &Path, out: &mut Writer) -> Result<(), Fault> {
    let (rows, columns) = (options.rows.unwrap_or(40), options.columns.unwrap_or(3));
    let mut random = options.random();
    let points = integers(&mut random, rows, columns);
    labelled(&points, columns, |_| random.uniform() < 0.5, output, out)
}

/// Hidden units with integer weights from −100 to 100, each 1 on the share of the points that makes about half of all labels 1. One or two hidden units
/// must all be 1; of more, the majority (of an even number the first counts twice).
pub(super) fn planted(options: &GenerateOptions, output: Output, _: &Path, out: &mut Writer) -> Result<(), Fault> {
    let (rows, columns, hidden) =
        (options.rows.unwrap_or(200), options.columns.unwrap_or(5), options.hidden.unwrap_or(2));
    let mut random = options.random();
    let points = integers(&mut random, rows, columns);
    let share = if hidden == 2 { 0.5f64.sqrt() } else { 0.5 };
    let mut votes = vec![0usize; rows];
    for unit in 0..hidden {
        let weights: Vec<i64> = (0..columns).map(|_| random.below(201) as i64 - 100).collect();
        let sums: Vec<i64> =
            points.iter().map(|point| point.iter().zip(&weights).map(|(value, weight)| value * weight).sum()).collect();
        let mut sorted = sums.clone();
        sorted.sort_unstable();
        let threshold = sorted[((1.0 - share) * rows as f64) as usize];
        let weight = if unit == 0 && hidden > 2 && hidden % 2 == 0 { 2 } else { 1 };
        votes.iter_mut().zip(sums).for_each(|(votes, sum)| *votes += if sum > threshold { weight } else { 0 });
    }
    let needed = if hidden <= 2 { hidden } else { hidden / 2 + 1 };
    labelled(&points, columns, |row| votes[row] >= needed, output, out)
}

pub(super) fn spirals(options: &GenerateOptions, output: Output, _: &Path, out: &mut Writer) -> Result<(), Fault> {
    let rows = options.rows.unwrap_or(194);
    let rows: Vec<Example> =
        spiral(rows.div_ceil(2)).flat_map(|[x, y]| [dense([x, y], true), dense([-x, -y], false)]).take(rows).collect();
    Ok(write(&numbered(2), &rows, output, out)?)
}
