//! A data file as a loading problem, in exact integers (docs/canonical-problem.md, section 6).
//!
//! Decimal text and binary arrays are read as exact numbers by the same readers that rung 1 uses; each column is then scaled by the smallest
//! power of ten (two) that makes its values integers. [`rebuild_loading`] follows a recipe and infers nothing, which is what the
//! checker uses.

mod arrays;
mod decimal;
mod hash;
mod images;
mod libsvm;
mod numbers;
mod points;
mod predict;
mod table;
mod targets;
#[cfg(test)]
mod tests;

pub use hash::loading_sha256;
use infimum_problem::{ColumnNames, ColumnScale, Format, LoadingProblem, LoadingRecipe, Network, Points, Source};
use points::{Base, Cells};
pub use predict::{LoadingRows, load_rows};
use targets::{TargetColumn, Targets};

use crate::canonical::Request;
use crate::error::DataError;
use crate::npy::Npz;
use crate::raw::{Start, refuse_columns, start};

/// What the user said; what is not said is inferred and then recorded in the recipe.
#[derive(Debug, Clone, Default)]
pub struct LoadingRequest {
    /// File format.
    pub format: Option<Format>,
    /// Whether the first line names the columns.
    pub header: Option<bool>,
    /// Target columns; none: the one called target, label, class or y, else the last.
    pub targets: Vec<String>,
    /// Targets that a table or an array does not have are left out: rows to be predicted.
    pub may_lack_targets: bool,
}

/// A loading problem and everything that is known about where it came from.
#[derive(Debug, Clone)]
pub struct LoadedLoading {
    /// Points, wanted outputs and network.
    pub problem: LoadingProblem,
    /// Everything resolved.
    pub recipe: LoadingRecipe,
    /// File and hash of its bytes.
    pub source: Source,
    /// The labels of one target column, in order: two are outputs 0 and 1, more have an output each. None of several target columns.
    pub labels: Vec<String>,
    /// [`loading_sha256`] of the problem.
    pub problem_sha256: String,
    /// Remarks for the user about what was inferred.
    pub notes: Vec<String>,
}

/// A file, read.
struct Read {
    points: Points,
    scales: Vec<ColumnScale>,
    names: ColumnNames,
    targets: Vec<TargetColumn>,
    recipe: LoadingRecipe,
    sha256: String,
    notes: Vec<String>,
}

/// Reads `name` (a path or `builtin:NAME`) and builds the problem that the request asks for, for the network that `network` makes of the
/// number of columns, the number of outputs and the columns' names.
pub fn load_loading(
    name: &str,
    request: &LoadingRequest,
    network: impl FnOnce(usize, usize, &ColumnNames) -> Result<Network, DataError>,
) -> Result<LoadedLoading, DataError> {
    let Read { points, scales, names, targets, recipe, sha256, mut notes } = read(name, request)?;
    let Targets { values, names: output_names, labels, note } = targets::targets(name, &targets)?;
    notes.push(note);
    let network = network(names.len(), output_names.len(), &names)?;
    if let Some(fault) = network.fault(names.len()) {
        return Err(DataError::input(name, format!("the network does not fit: {fault}")));
    }
    if network.outputs.len() != output_names.len() {
        let message = format!(
            "the network has {} outputs; expected {}, as the targets say (`{}`)",
            network.outputs.len(),
            output_names.len(),
            output_names.join("`, `")
        );
        return Err(DataError::input(name, message));
    }
    let problem = LoadingProblem { points, scales, column_names: names, targets: values, output_names, network };
    let problem_sha256 = loading_sha256(&problem).map_err(|error| DataError::input(name, error.to_string()))?;
    let source = Source { path: name.into(), sha256 };
    Ok(LoadedLoading { problem, recipe, source, labels, problem_sha256, notes })
}

/// Reads `name` and builds the problem of a recipe and a network; infers nothing.
pub fn rebuild_loading(name: &str, recipe: &LoadingRecipe, network: &Network) -> Result<LoadedLoading, DataError> {
    if recipe.format.has_columns() && recipe.targets.is_empty() {
        return Err(DataError::input(name, "the recipe names no target column; expected at least one"));
    }
    let request = LoadingRequest {
        format: Some(recipe.format),
        header: Some(recipe.header),
        targets: recipe.targets.clone(),
        may_lack_targets: false,
    };
    load_loading(name, &request, |_, _, _| Ok(network.clone()))
}

/// The target columns that a network's outputs name, in their order: all outputs of the TOML file `network` are called as columns (arrays) of the
/// data; none if some are not, so that the usual choice is made.
pub fn targets_of_network(name: &str, request: &LoadingRequest, network: &str) -> Result<Vec<String>, DataError> {
    let outputs = crate::network::read_output_names(network)?;
    let Start { format, .. } = start(name, request.format)?;
    let has: Vec<String> = match format {
        Format::Csv | Format::Tsv | Format::Builtin => {
            let open = || crate::source::Source::open(name);
            match crate::tabular::begin(&open, format, request.header, &mut Vec::new())?.layout.names {
                ColumnNames::Named(names) => names,
                ColumnNames::Numbered { .. } => Vec::new(),
            }
        }
        Format::Npz => Npz::open(name)?.names(),
        Format::Libsvm | Format::Npy | Format::Idx | Format::Images | Format::Parquet => Vec::new(),
    };
    let is_column = |output: &String| has.iter().filter(|name| *name == output).count() == 1;
    Ok(if outputs.iter().all(is_column) { outputs } else { Vec::new() })
}

fn read(name: &str, request: &LoadingRequest) -> Result<Read, DataError> {
    let Start { format, .. } = start(name, request.format)?;
    let without_columns = |why: &str| {
        refuse_columns(name, &Request { target: request.targets.first().cloned(), ..Request::default() }, why)
    };
    let open = || crate::source::Source::open(name);
    match format {
        Format::Csv | Format::Tsv | Format::Builtin => table::read(&open, format, request),
        Format::Libsvm => {
            without_columns("LIBSVM files have none: the label stands first in each row")?;
            libsvm::read(open()?)
        }
        Format::Npy => arrays::read_npy(open()?, request),
        Format::Npz => arrays::read_npz(Npz::open(name)?, open()?.sha256()?, request),
        Format::Idx => {
            without_columns("IDX files have none: the labels stand in a file of their own")?;
            arrays::read_idx(name)
        }
        Format::Images => {
            without_columns(crate::images::NO_COLUMNS)?;
            images::read(name, request)
        }
        Format::Parquet => Err(no_parquet(name)),
    }
}

/// Reads `bytes` in the given format, and the targets; for IDX as [`crate::raw::read_bytes`] says.
pub(crate) fn read_bytes(bytes: &[u8], format: Format) -> Result<(Points, Vec<Option<bool>>), DataError> {
    let (request, name) = (LoadingRequest::default(), "memory");
    let open = || crate::source::Source::from_bytes(name, bytes.to_vec());
    let read = match format {
        Format::Csv | Format::Tsv | Format::Builtin => table::read(&open, format, &request),
        Format::Libsvm => libsvm::read(open()?),
        Format::Npy => arrays::read_npy(open()?, &request),
        Format::Npz => arrays::read_npz(Npz::from_bytes(name, bytes.to_vec())?, String::new(), &request),
        Format::Idx => {
            let (labels, images) = crate::raw::idx_files(bytes);
            let images = crate::source::Source::from_bytes(name, images.to_vec())?;
            arrays::read_pair(images, |digest| {
                crate::source::Source::from_bytes_after("labels", labels.to_vec(), digest)
            })
        }
        Format::Images => images::finish(name, crate::images::read_one(name, bytes)?),
        Format::Parquet => Err(no_parquet(name)),
    }?;
    Ok((read.points, targets::targets(name, &read.targets)?.values))
}

fn no_parquet(name: &str) -> DataError {
    DataError::input(name, "Parquet is not read exactly yet; convert the file to CSV or NPY")
}

/// Points and scales of rows that have been read, of which there must be some of each.
fn finish(
    path: &str,
    cells: &impl Cells,
    names: &ColumnNames,
    base: Base,
) -> Result<(Points, Vec<ColumnScale>), DataError> {
    if names.is_empty() {
        let message = "no feature columns are left beside the target; expected at least one";
        return Err(DataError::input(path, message));
    }
    for (what, count) in [("rows", cells.rows()), ("columns", names.len())] {
        if count == 0 {
            return Err(DataError::input(path, format!("there are no {what}")));
        }
        if u32::try_from(count).is_err() {
            return Err(DataError::input(path, format!("{count} {what}; expected fewer than 4294967296")));
        }
    }
    points::points(path, cells, names, base)
}
