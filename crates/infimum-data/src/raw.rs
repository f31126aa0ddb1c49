//! A file as features, target and weights, before any row is chosen.

use std::path::Path;

use infimum_problem::{ColumnNames, Encoding, Format, Matrix, SparseMatrix};

use crate::arrays::{read_npy, read_npz};
use crate::canonical::Request;
use crate::csv::TextColumn;
use crate::error::DataError;
use crate::idx::{self, read_idx, read_pair};
use crate::images::{self, read_images};
use crate::memory::SPILLED;
use crate::npy::Npz;
use crate::source::Source;
use crate::tabular::read_table;
use crate::{infer, libsvm};

/// Targets as the file has them.
#[derive(Debug, Clone)]
pub(crate) enum RawTarget {
    /// Numbers; when predicting, NaN where there is none.
    Numeric(Vec<f64>),
    /// Text, or numbers and text.
    Text(TextColumn),
    /// Several columns of numbers.
    Several {
        /// References that find them again.
        names: Vec<String>,
        /// Row-major, one for each name; when predicting, NaN where there is none.
        values: Vec<f64>,
    },
    /// The file has none (only when predicting).
    Absent,
}

impl RawTarget {
    /// Appends the targets of more rows; whether they are of the same kind.
    pub(crate) fn append(&mut self, other: RawTarget) -> bool {
        match (self, other) {
            (RawTarget::Numeric(values), RawTarget::Numeric(others)) => values.extend(others),
            (RawTarget::Text(text), RawTarget::Text(others)) => {
                let map = text.dictionary.append(&others.dictionary, text.codes.len() as u64);
                text.codes.extend(others.codes.iter().map(|&code| map[code as usize]));
            }
            _ => return false,
        }
        true
    }
}

/// A file, read.
#[derive(Debug, Clone)]
pub(crate) struct Raw {
    pub(crate) matrix: Matrix,
    pub(crate) names: ColumnNames,
    pub(crate) encoding: Encoding,
    pub(crate) target: RawTarget,
    pub(crate) weights: Option<Vec<f64>>,
    /// Features and targets that the source itself sets apart for validation.
    pub(crate) held_out: Option<(Matrix, RawTarget)>,
    pub(crate) sha256: String,
    pub(crate) format: Format,
    pub(crate) header: bool,
    /// References that find target and weights again, whatever the columns are called.
    pub(crate) target_name: String,
    pub(crate) weight_name: Option<String>,
    pub(crate) notes: Vec<String>,
}

/// How features are to be encoded: by what the file holds, or as a model expects them.
pub(crate) enum Encode<'a> {
    /// Sorted categories of this file; the target column must be there.
    Fresh,
    /// The encoding of a model; target and weight columns may be missing, and targets may be anything.
    Fixed {
        /// The encoding.
        encoding: &'a Encoding,
        /// Whether targets are read as labels; as numbers otherwise.
        labels: bool,
    },
}

/// Reads a source as the request says.
pub(crate) fn read(name: &str, request: &Request, encode: &Encode) -> Result<Raw, DataError> {
    let Start { format, head, length } = start(name, request.format)?;
    if let (Some(memory), Some(size)) = (&request.memory, length.and_then(|length| least_matrix(format, &head, length)))
    {
        // Text may be singles, half as large, and a guess that is wrong refuses nothing; what is read is measured afterwards.
        memory.demand(name, if memory.demand(name, size / 2).is_err() { size } else { 0 })?;
    }
    match format {
        Format::Libsvm => read_libsvm(Source::open(name)?, request, encode),
        Format::Npy => read_npy(Source::open(name)?, request, encode),
        Format::Npz => {
            let sha256 = Source::open(name)?.sha256()?;
            read_npz(Npz::open(name)?, sha256, request, encode)
        }
        Format::Idx => read_idx(name, request, encode),
        Format::Images => read_images(name, request, encode),
        #[cfg(feature = "parquet")]
        Format::Parquet => crate::parquet::read_parquet(name, Source::open(name)?.sha256()?, request, encode),
        #[cfg(not(feature = "parquet"))]
        Format::Parquet => Err(no_parquet(name)),
        Format::Csv | Format::Tsv | Format::Builtin => read_table(&|| Source::open(name), format, request, encode),
    }
}

/// How a source begins.
pub(crate) struct Start {
    pub(crate) format: Format,
    /// The first bytes, decompressed.
    head: Vec<u8>,
    /// How many bytes there are, where it is known.
    length: Option<u64>,
}

/// Looks at the beginning of a source, and infers its format if none is `given`.
pub(crate) fn start(name: &str, given: Option<Format>) -> Result<Start, DataError> {
    if matches!(given, None | Some(Format::Idx | Format::Images)) && Path::new(name).is_dir() {
        let format = given.unwrap_or_else(|| folder_format(name));
        return Ok(Start { format, head: Vec::new(), length: None });
    }
    let mut source = Source::open(name)?;
    let mut head = vec![0u8; 1 << 16];
    let got = source.fill(&mut head)?;
    head.truncate(got);
    if got == 0 {
        return Err(DataError::input(name, "the file is empty; expected rows of data"));
    }
    Ok(Start { format: given.unwrap_or_else(|| infer::format(name, &head)), head, length: source.plain_length() })
}

/// What a folder holds: IDX files by the names of MNIST, or images in folders.
fn folder_format(name: &str) -> Format {
    if idx::files(name).is_err() && images::holds_classes(name) { Format::Images } else { Format::Idx }
}

/// About how large the matrix of a file of `length` bytes is that must fit into memory, judged by how it begins; `None` for
/// files that need not, and where this is not known.
fn least_matrix(format: Format, head: &[u8], length: u64) -> Option<u64> {
    let delimiter = match format {
        Format::Csv => b',',
        Format::Tsv => b'\t',
        Format::Npy | Format::Npz => return Some(length),
        Format::Idx => return Some(4 * length),
        // How many values images have is known when the first is read.
        Format::Libsvm | Format::Parquet | Format::Images | Format::Builtin => return None,
    };
    let fields = head.iter().filter(|&&byte| byte == delimiter || byte == b'\n').count();
    Some((8.0 * fields as f64 * length as f64 / head.len().max(1) as f64) as u64)
}

/// Reads `bytes` in the given format. For IDX, two bytes say how many after them are the labels' file; the rest is the images'. An
/// image is one alone.
pub(crate) fn read_bytes(bytes: &[u8], format: Format) -> Result<Raw, DataError> {
    let (request, encode, name) = (Request::default(), Encode::Fresh, "memory");
    let open = || Source::from_bytes(name, bytes.to_vec());
    match format {
        Format::Libsvm => read_libsvm(open()?, &request, &encode),
        Format::Npy => read_npy(open()?, &request, &encode),
        Format::Npz => read_npz(Npz::from_bytes(name, bytes.to_vec())?, String::new(), &request, &encode),
        Format::Idx => {
            let (labels, images) = idx_files(bytes);
            let labels = |digest| Source::from_bytes_after("labels", labels.to_vec(), digest);
            read_pair(Source::from_bytes(name, images.to_vec())?, labels, &request, &encode)
        }
        Format::Images => images::read_one(name, bytes).map(images::raw),
        #[cfg(feature = "parquet")]
        Format::Parquet => {
            let bytes = bytes::Bytes::copy_from_slice(bytes);
            crate::parquet::read_chunks(name, bytes, String::new(), &request, &encode)
        }
        #[cfg(not(feature = "parquet"))]
        Format::Parquet => Err(no_parquet(name)),
        Format::Csv | Format::Tsv | Format::Builtin => read_table(&open, format, &request, &encode),
    }
}

/// The files of labels and images that are one after the other.
pub(crate) fn idx_files(bytes: &[u8]) -> (&[u8], &[u8]) {
    let (length, rest) = bytes.split_at_checked(2).unwrap_or_default();
    let length = length.iter().fold(0, |length, &byte| length << 8 | usize::from(byte));
    rest.split_at(length.min(rest.len()))
}

#[cfg(not(feature = "parquet"))]
fn no_parquet(name: &str) -> DataError {
    DataError::input(
        name,
        "this infimum was built without Parquet; build it with `--features parquet`, or convert the file",
    )
}

/// The encoding of formats in which column j of the source is column j of the matrix.
pub(crate) fn plain(columns: usize) -> Encoding {
    Encoding { features: Vec::new(), columns, image: None }
}

/// Refuses names of target and weights where there are no columns to name; `why` says how it is.
pub(crate) fn refuse_columns(path: &str, request: &Request, why: &str) -> Result<(), DataError> {
    for (what, given) in [("--target", &request.target), ("--sample-weight", &request.sample_weight)] {
        if given.as_ref().is_some_and(|given| !given.is_empty()) {
            return Err(DataError::input(path, format!("{what} names a column, but {why}")));
        }
    }
    Ok(())
}

fn read_libsvm(source: Source, request: &Request, encode: &Encode) -> Result<Raw, DataError> {
    refuse_columns(&source.name, request, "LIBSVM files have none: the label stands first in each row")?;
    let read = libsvm::read(source, matches!(encode, Encode::Fixed { .. }), request.memory.as_ref())?;
    let mut notes = Vec::new();
    if read.query_ids {
        notes.push("`qid:` fields were skipped: infimum does not train rankings".to_string());
    }
    let mut matrix = read.matrix;
    // Rows for a prediction are read without a limit.
    if let (Encode::Fixed { encoding, .. }, Matrix::Sparse(matrix)) = (encode, &mut matrix) {
        fit_columns(matrix, encoding.columns, &mut notes);
    }
    if matrix.is_spilled() {
        notes.push(SPILLED.to_string());
    }
    Ok(Raw {
        names: ColumnNames::numbered(matrix.columns()),
        encoding: plain(matrix.columns()),
        matrix,
        target: RawTarget::Numeric(read.labels),
        weights: None,
        held_out: None,
        sha256: read.sha256,
        format: Format::Libsvm,
        header: false,
        target_name: String::new(),
        weight_name: None,
        notes,
    })
}

/// Makes the matrix `columns` wide; entries beyond are dropped with a note (the model has no weight for them).
fn fit_columns(matrix: &mut SparseMatrix, columns: usize, notes: &mut Vec<String>) {
    if matrix.columns > columns {
        let before = matrix.values.len();
        let is_known = |&column: &u32| (column as usize) < columns;
        let (mut target, mut start) = (0, 0);
        for row in 0..matrix.rows {
            let end = matrix.row_starts[row + 1];
            target += matrix.column_indices[start..end].iter().filter(|column| is_known(column)).count();
            start = end;
            matrix.row_starts[row + 1] = target;
        }
        matrix.values.retain(|entry| is_known(&matrix.column_indices[entry]));
        matrix.column_indices.retain(is_known);
        notes.push(format!(
            "{} entries with an index above {columns} were ignored: the model was trained without them",
            before - target
        ));
    }
    matrix.columns = columns;
}
