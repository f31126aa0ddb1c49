//! Generated data of realistic size for benchmarks, deterministic from a seed.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use crate::builtin::Random;
use crate::error::DataError;

const KINDS: [(&str, &str); 3] = [
    (
        "text-like",
        "sparse, 50,000 × 60,000, about 130 non-zeros a row: Zipf columns, positive row-normalised values (.svm)",
    ),
    ("ill-conditioned", "dense, 500,000 × 50: scales from 1e-3 to 1e4, skewed and strongly correlated columns"),
    ("easy-dense", "dense, 250,000 × 19: independent standard normal columns"),
];

/// Names and one-line descriptions of the generators.
pub fn generator_names() -> &'static [(&'static str, &'static str)] {
    &KINDS
}

/// Formats that are written, by extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Output {
    /// LIBSVM.
    Svm,
    /// CSV, column `target` last.
    Csv,
    /// NumPy, target last.
    Npy,
}

/// Writes a generated set to `out`, in the format that its extension names: `.svm`, `.csv` or `.npy`. `size` is (rows, columns).
pub fn generate(kind: &str, seed: u64, size: Option<(usize, usize)>, out: &Path) -> Result<(), DataError> {
    let path = out.display().to_string();
    let failed = |why: std::io::Error| DataError::input(&path, format!("cannot be written: {why}"));
    if size.is_some_and(|(rows, columns)| rows == 0 || columns == 0) {
        return Err(DataError::input(&path, "--rows and --columns expect at least 1 each"));
    }
    if !KINDS.iter().any(|known| known.0 == kind) {
        let names: Vec<&str> = KINDS.iter().map(|known| known.0).collect();
        let message = format!("there is no generator `{kind}`; there are {}", names.join(", "));
        return Err(DataError::input(kind, message));
    }
    let output = match out.extension().and_then(|extension| extension.to_str()).unwrap_or_default() {
        "svm" | "libsvm" | "svmlight" => Output::Svm,
        "csv" if kind != "text-like" => Output::Csv,
        "npy" if kind != "text-like" => Output::Npy,
        _ => {
            let formats = if kind == "text-like" { ".svm (the set is sparse)" } else { ".svm, .csv or .npy" };
            return Err(DataError::input(&path, format!("{kind} is written as {formats}; name the output file so")));
        }
    };
    let mut random = Random::new(seed);
    let mut writer = BufWriter::with_capacity(1 << 20, File::create(out).map_err(failed)?);
    let written = match kind {
        "text-like" => text_like(&mut random, size.unwrap_or((50_000, 60_000)), &mut writer),
        "ill-conditioned" => dense(&mut random, size.unwrap_or((500_000, 50)), true, output, &mut writer),
        _ => dense(&mut random, size.unwrap_or((250_000, 19)), false, output, &mut writer),
    };
    written.and_then(|()| writer.flush()).map_err(failed)
}

/// Documents of about 130 distinct words: word ranks log-uniform (Zipf), value tf·idf-like, rows of length 1; labels from a
/// sparse planted weight vector with noise.
fn text_like(random: &mut Random, (rows, columns): (usize, usize), out: &mut impl Write) -> std::io::Result<()> {
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
