//! Sets for convex training.

use std::io::Write;
use std::path::Path;

use crate::builtin::Random;
use crate::generate::{Fault, GenerateOptions, Output, Writer};

fn size(options: &GenerateOptions, (rows, columns): (usize, usize)) -> (usize, usize) {
    (options.rows.unwrap_or(rows), options.columns.unwrap_or(columns))
}

pub(super) fn text_like(options: &GenerateOptions, _: Output, _: &Path, out: &mut Writer) -> Result<(), Fault> {
    Ok(documents(&mut options.random(), size(options, (50_000, 60_000)), out)?)
}

pub(super) fn ill_conditioned(
    options: &GenerateOptions,
    output: Output,
    _: &Path,
    out: &mut Writer,
) -> Result<(), Fault> {
    Ok(dense(&mut options.random(), size(options, (500_000, 50)), true, output, out)?)
}

pub(super) fn easy_dense(options: &GenerateOptions, output: Output, _: &Path, out: &mut Writer) -> Result<(), Fault> {
    Ok(dense(&mut options.random(), size(options, (250_000, 19)), false, output, out)?)
}

/// Documents of about 130 distinct words: word ranks log-uniform (Zipf), value tf·idf-like, rows of length 1; labels from a
/// sparse planted weight vector with noise.
fn documents(random: &mut Random, (rows, columns): (usize, usize), out: &mut impl Write) -> std::io::Result<()> {
    let planted: Vec<f64> =
        (0..columns).map(|_| if random.uniform() < 0.1 { 3.0 * random.normal() } else { 0.0 }).collect();
    for _ in 0..rows {
        let length = (130.0 * (0.5 * random.normal()).exp()).clamp(5.0, 1500.0) as usize;
        let mut words: Vec<usize> =
            (0..length).map(|_| (((columns as f64).ln() * random.uniform()).exp() as usize).min(columns) - 1).collect();
        words.sort_unstable();
        let mut entries: Vec<(usize, f64)> = Vec::new();
        for word in words {
            match entries.last_mut() {
                Some(last) if last.0 == word => last.1 += 1.0,
                _ => entries.push((word, 1.0)),
            }
        }
        for entry in &mut entries {
            // A word of rank r stands in a share of documents that falls like 1/r.
            entry.1 = (1.0 + entry.1.ln()) * (1.0 + ((entry.0 + 2) as f64).ln());
        }
        let norm = entries.iter().map(|entry| entry.1 * entry.1).sum::<f64>().sqrt();
        let score: f64 = entries.iter().map(|entry| entry.1 / norm * planted[entry.0]).sum();
        write!(out, "{}", if score + 0.3 * random.normal() > 0.0 { "+1" } else { "-1" })?;
        for (word, value) in entries {
            write!(out, " {}:{:.6}", word + 1, value / norm)?;
        }
        writeln!(out)?;
    }
    Ok(())
}

/// Three factors drive all columns of the ill-conditioned set; every other column is log-normal, every seventh nearly a
/// copy of a factor, and scales run from 1e-3 to 1e4.
fn dense(
    random: &mut Random,
    (rows, columns): (usize, usize),
    ill_conditioned: bool,
    output: Output,
    out: &mut impl Write,
) -> std::io::Result<()> {
    let planted: Vec<f64> = (0..columns).map(|_| random.normal()).collect();
    if output == Output::Npy {
        let mut header = format!("{{'descr': '<f8', 'fortran_order': False, 'shape': ({rows}, {}), }}", columns + 1);
        while (10 + header.len() + 1) % 64 != 0 {
            header.push(' ');
        }
        header.push('\n');
        out.write_all(b"\x93NUMPY\x01\x00")?;
        out.write_all(&(header.len() as u16).to_le_bytes())?;
        out.write_all(header.as_bytes())?;
    } else if output == Output::Csv {
        let names: String = (1..=columns).map(|column| format!("x{column},")).collect();
        writeln!(out, "{names}target")?;
    }
    let mut row = vec![0.0; columns];
    for _ in 0..rows {
        let factors: [f64; 3] = std::array::from_fn(|_| random.normal());
        let mut score = 0.0;
        for j in 0..columns {
            let own = random.normal();
            let value = if !ill_conditioned {
                own
            } else {
                let mixed = 0.8 * factors[j % 3] + if j % 7 == 0 { 0.003 } else { 0.4 } * own;
                if j % 2 == 0 { (1.2 * mixed).exp() } else { mixed }
            };
            score += planted[j] * value;
            let scale = if ill_conditioned { 10f64.powf(-3.0 + 7.0 * j as f64 / columns as f64) } else { 1.0 };
            row[j] = scale * value;
        }
        let noise = (1.0 / (1.0 - random.uniform()).max(1e-12) - 1.0).max(1e-12).ln();
        let label = if score / (columns as f64).sqrt() + noise > 0.0 { 1 } else { 0 };
        match output {
            Output::Npy => {
                row.iter().try_for_each(|value| out.write_all(&value.to_le_bytes()))?;
                out.write_all(&f64::from(label).to_le_bytes())?;
            }
            Output::Svm => {
                write!(out, "{label}")?;
                row.iter().enumerate().try_for_each(|(j, value)| write!(out, " {}:{value}", j + 1))?;
                writeln!(out)?;
            }
            Output::Csv => {
                row.iter().try_for_each(|value| write!(out, "{value},"))?;
                writeln!(out, "{label}")?;
            }
        }
    }
    Ok(())
}
