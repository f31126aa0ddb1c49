//! Generated data, deterministic from a seed: sets of realistic size for benchmarks, and loading problems.

mod convex;
mod examples;
mod loading;
mod reductions;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use crate::builtin::Random;
use crate::error::DataError;

/// A generator.
struct Kind {
    name: &'static str,
    what: &'static str,
    /// The options it heeds beside the seed.
    options: &'static [&'static str],
    /// Extensions of the files it writes.
    formats: &'static [&'static str],
    write: fn(&GenerateOptions, Output, &Path, &mut Writer) -> Result<(), Fault>,
}

type Writer = BufWriter<File>;

/// Why nothing was generated.
enum Fault {
    /// What was asked for cannot be; one sentence.
    Asked(String),
    /// A file that was to be read.
    Data(DataError),
    /// Writing failed.
    Write(std::io::Error),
}

impl From<std::io::Error> for Fault {
    fn from(error: std::io::Error) -> Fault {
        Fault::Write(error)
    }
}

const DENSE: &[&str] = &["svm", "csv", "npy"];
const TEXT: &[&str] = &["csv", "svm"];

const KINDS: [Kind; 10] = [
    Kind {
        name: "text-like",
        what: "sparse, 50,000 × 60,000, about 130 non-zeros a row: Zipf columns, positive row-normalised values (.svm)",
        options: &["rows", "columns"],
        formats: &["svm"],
        write: convex::text_like,
    },
    Kind {
        name: "ill-conditioned",
        what: "dense, 500,000 × 50: scales from 1e-3 to 1e4, skewed and strongly correlated columns",
        options: &["rows", "columns"],
        formats: DENSE,
        write: convex::ill_conditioned,
    },
    Kind {
        name: "easy-dense",
        what: "dense, 250,000 × 19: independent standard normal columns",
        options: &["rows", "columns"],
        formats: DENSE,
        write: convex::easy_dense,
    },
    Kind { name: "xor", what: "the 4 rows of exclusive or", options: &[], formats: TEXT, write: loading::xor },
    Kind {
        name: "parity",
        what: "all 2^columns rows of bits and their parity (5 columns)",
        options: &["columns"],
        formats: TEXT,
        write: loading::parity,
    },
    Kind {
        name: "random",
        what: "integers from 0 to 1000 with random labels (40 × 3)",
        options: &["rows", "columns"],
        formats: TEXT,
        write: loading::random,
    },
    Kind {
        name: "planted",
        what: "integers from 0 to 1000, labelled by a network of --hidden threshold units (200 × 5, 2 units)",
        options: &["rows", "columns", "hidden"],
        formats: TEXT,
        write: loading::planted,
    },
    Kind {
        name: "spirals",
        what: "two spirals of three turns (194 points)",
        options: &["rows"],
        formats: TEXT,
        write: loading::spirals,
    },
    Kind {
        name: "blum-rivest",
        what: "set splitting as two hidden units: --ratio 2.1 times --elements 20 random sets of three, or a formula (--cnf FILE)",
        options: &["elements", "ratio", "cnf"],
        formats: TEXT,
        write: reductions::blum_rivest,
    },
    Kind {
        name: "judd",
        what: "a formula (--cnf FILE) as three examples, and the network beside them as .toml",
        options: &["cnf"],
        formats: &["csv"],
        write: reductions::judd,
    },
];

const NAMES: [(&str, &str); KINDS.len()] = {
    let mut names = [("", ""); KINDS.len()];
    let mut place = 0;
    while place < KINDS.len() {
        names[place] = (KINDS[place].name, KINDS[place].what);
        place += 1;
    }
    names
};

/// Names and one-line descriptions of the generators.
pub fn generator_names() -> &'static [(&'static str, &'static str)] {
    &NAMES
}

/// What is generated; every generator has values of its own for what is not said, and refuses what it does not heed.
#[derive(Debug, Clone, Default)]
pub struct GenerateOptions {
    /// Seed.
    pub seed: u64,
    /// Rows.
    pub rows: Option<usize>,
    /// Columns beside the target.
    pub columns: Option<usize>,
    /// Hidden units.
    pub hidden: Option<usize>,
    /// Elements of a set splitting.
    pub elements: Option<usize>,
    /// Sets of three for each element.
    pub ratio: Option<f64>,
    /// A formula in DIMACS form.
    pub cnf: Option<String>,
}

impl GenerateOptions {
    fn given(&self) -> impl Iterator<Item = &'static str> {
        let options = [
            ("rows", self.rows.is_some()),
            ("columns", self.columns.is_some()),
            ("hidden", self.hidden.is_some()),
            ("elements", self.elements.is_some()),
            ("ratio", self.ratio.is_some()),
            ("cnf", self.cnf.is_some()),
        ];
        options.into_iter().filter(|option| option.1).map(|option| option.0)
    }

    fn random(&self) -> Random {
        Random::new(self.seed)
    }
}

/// Formats that are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Output {
    /// LIBSVM.
    Svm,
    /// CSV, the target last.
    Csv,
    /// NumPy, target last.
    Npy,
}

/// Writes a generated set to `out`, in the format that its extension names: `.svm`, `.csv` or `.npy`, as far as the kind offers it.
pub fn generate(kind: &str, options: &GenerateOptions, out: &Path) -> Result<(), DataError> {
    let path = out.display().to_string();
    let Some(known) = KINDS.iter().find(|known| known.name == kind) else {
        let names: Vec<&str> = KINDS.iter().map(|known| known.name).collect();
        let message = format!("there is no generator `{kind}`; there are {}", names.join(", "));
        return Err(DataError::input(kind, message));
    };
    if let Some(option) = options.given().find(|option| !known.options.contains(option)) {
        let heeds = match known.options {
            [] => "--seed alone".to_string(),
            options => format!("--{}", options.join(", --")),
        };
        return Err(DataError::input(&path, format!("{kind} does not heed --{option}; it heeds {heeds}")));
    }
    if options.rows == Some(0) || options.columns == Some(0) {
        return Err(DataError::input(&path, "--rows and --columns expect at least 1 each"));
    }
    if options.hidden == Some(0) {
        return Err(DataError::input(&path, "--hidden expects at least 1"));
    }
    let extension = out.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    let extension = if matches!(extension, "libsvm" | "svmlight") { "svm" } else { extension };
    let output = match extension {
        "svm" => Output::Svm,
        "npy" => Output::Npy,
        _ => Output::Csv,
    };
    if !known.formats.contains(&extension) {
        let formats = match known.formats {
            [one] => format!(".{one}"),
            [most @ .., last] => format!(".{} or .{last}", most.join(", .")),
            [] => String::new(),
        };
        return Err(DataError::input(&path, format!("{kind} is written as {formats}; name the output file so")));
    }
    let failed = |why: std::io::Error| DataError::input(&path, format!("cannot be written: {why}"));
    let mut writer = BufWriter::with_capacity(1 << 20, File::create(out).map_err(failed)?);
    let written = (known.write)(options, output, out, &mut writer);
    written.and_then(|()| Ok(writer.flush()?)).map_err(|fault| match fault {
        Fault::Write(error) => failed(error),
        Fault::Asked(message) => DataError::input(&path, message),
        Fault::Data(error) => error,
    })
}
