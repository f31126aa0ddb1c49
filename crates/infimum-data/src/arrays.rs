//! NPY and NPZ files as features, target and weights.

use infimum_problem::{ColumnNames, DenseMatrix, Format, Matrix, Stored, Values};

use crate::canonical::Request;
use crate::error::DataError;
use crate::npy::{Array, Npz, read_array};
use crate::raw::{Encode, Raw, RawTarget, plain};
use crate::source::Source;
use crate::{infer, number, several};

/// Reads one array; target and weights are columns of it.
pub(crate) fn read_npy(mut source: Source, request: &Request, encode: &Encode) -> Result<Raw, DataError> {
    let name = source.name.clone();
    let most = source.most_bytes();
    let Array::<Values> { shape, values, usable } = read_array(&mut source, &name, most)?;
    let mut dense = matrix(shape, values, &name)?;
    let names = ColumnNames::numbered(dense.columns);
    // A file for a model may hold the features alone.
    let bare = matches!(encode, Encode::Fixed { encoding, .. } if dense.columns == encoding.columns);
    let (mut target, mut target_name, mut weights, mut weight_name) = (RawTarget::Absent, String::new(), None, None);
    let mut taken = Vec::new();
    if !bare {
        let last = ["-1".to_string()];
        let wanted: Vec<&String> =
            if request.target.is_none() { last.iter().collect() } else { request.targets().collect() };
        let mut columns = Vec::with_capacity(wanted.len());
        for wanted in wanted {
            let column = infer::column(&name, wanted, &names, "target")?;
            if taken.contains(&column) {
                return Err(several::twice(&name, &names.name(column)));
            }
            let values = column_of(&dense, column);
            columns.push(if usable { values } else { targets(values, encode, &name, column)? });
            taken.push(column);
        }
        target_name = names.name(taken[0]).into_owned();
        target = if request.has_several() {
            several::side_by_side(taken.iter().map(|&column| names.name(column).into_owned()).collect(), &columns)
        } else {
            RawTarget::Numeric(columns.swap_remove(0))
        };
        if let Some(wanted) = &request.sample_weight {
            let weight = infer::column(&name, wanted, &names, "weight")?;
            if taken.contains(&weight) {
                return Err(infer::both(&name, wanted));
            }
            let values = column_of(&dense, weight);
            if matches!(encode, Encode::Fresh) {
                check_weights(&values, &name, weight)?;
            }
            weights = Some(values);
            weight_name = Some(names.name(weight).into_owned());
            taken.push(weight);
        }
        taken.sort_unstable();
        remove_columns(&mut dense, &taken);
    }
    let without: Vec<usize> = taken.iter().map(|column| column + 1).collect();
    if !usable {
        let kept: Vec<usize> = (0..names.len()).filter(|column| !taken.contains(column)).collect();
        check(dense.values.iter(), dense.columns, &name, |column| kept[column])?;
    }
    check_width(&name, dense.columns, encode)?;
    Ok(Raw {
        names: ColumnNames::Numbered { columns: dense.columns, without },
        encoding: plain(dense.columns),
        matrix: Matrix::Dense(DenseMatrix { values: dense.values.narrowed(), ..dense }),
        target,
        weights,
        held_out: None,
        sha256: source.sha256()?,
        format: Format::Npy,
        header: false,
        target_name,
        weight_name,
        notes: Vec::new(),
    })
}

/// Reads a zip of arrays; features, target and weights are arrays of it.
pub(crate) fn read_npz(mut npz: Npz, sha256: String, request: &Request, encode: &Encode) -> Result<Raw, DataError> {
    let path = npz.name.clone();
    let fresh = matches!(encode, Encode::Fresh);
    let names = npz.names();
    let features = usual(&npz, &FEATURES).ok_or_else(|| without_features(&npz))?;
    let target_name = match &request.target {
        Some(target) => Some(target.as_str()),
        None => usual(&npz, &TARGETS),
    };
    let target_name = match target_name {
        Some(target) if names.iter().any(|name| name == target) => Some(target),
        _ if !fresh => None,
        wanted => return Err(without_target(&npz, wanted)),
    };
    let more: Vec<&str> = request.more_targets.iter().map(String::as_str).collect();
    for (place, &wanted) in more.iter().enumerate() {
        if fresh && !names.iter().any(|name| name == wanted) {
            return Err(without_target(&npz, Some(wanted)));
        }
        if target_name == Some(wanted) || more[..place].contains(&wanted) {
            return Err(DataError::input(&path, format!("the array `{wanted}` is a target twice")));
        }
    }
    let weight_name = request.sample_weight.as_deref().filter(|_| fresh);
    let targets_named = || target_name.into_iter().chain(more.iter().copied());
    for (what, given) in targets_named().map(|name| ("target", name)).chain(weight_name.map(|name| ("weights", name))) {
        if given == features {
            return Err(both(&path, features, "features", what));
        }
    }
    if let Some(weights) = weight_name
        && targets_named().any(|target| target == weights)
    {
        return Err(both(&path, weights, "target", "weights"));
    }
    let inside = |array: &str| format!("{path}, array `{array}`");
    let Array::<Values> { shape, values, usable } = npz.array(features)?;
    let dense = matrix(shape, values, &inside(features))?;
    if !usable {
        check(dense.values.iter(), dense.columns, &inside(features), |column| column)?;
    }
    check_width(&path, dense.columns, encode)?;
    let mut vector = |array: &str| {
        let Array::<Vec<f64>> { shape, values, .. } = npz.array(array)?;
        one_for_each(&shape, dense.rows, &inside(array)).map(|()| values)
    };
    let mut notes = Vec::new();
    let mut columns = Vec::new();
    for name in targets_named() {
        match vector(name) {
            Ok(values) => columns.push(targets(values, encode, &inside(name), 0)?),
            Err(error) if fresh => return Err(error),
            Err(error) => notes.push(format!("the target is not used: {error}")),
        }
    }
    let target = match columns.len() {
        1 if more.is_empty() => RawTarget::Numeric(columns.swap_remove(0)),
        count if count == 1 + more.len() => {
            several::side_by_side(targets_named().map(String::from).collect(), &columns)
        }
        _ => RawTarget::Absent,
    };
    let weights = weight_name.map(&mut vector).transpose()?;
    if let (Some(weights), Some(name)) = (&weights, weight_name) {
        check_weights(weights, &inside(name), 0)?;
    }
    Ok(Raw {
        names: ColumnNames::numbered(dense.columns),
        encoding: plain(dense.columns),
        matrix: Matrix::Dense(DenseMatrix { values: dense.values.narrowed(), ..dense }),
        target,
        weights,
        held_out: None,
        sha256,
        format: Format::Npz,
        header: false,
        target_name: target_name.unwrap_or_default().to_string(),
        weight_name: weight_name.map(str::to_string),
        notes,
    })
}

/// A two-dimensional array as a matrix.
fn matrix(shape: Vec<usize>, values: Values, name: &str) -> Result<DenseMatrix, DataError> {
    match shape[..] {
        [rows, columns] => Ok(DenseMatrix { rows, columns, values }),
        _ => Err(not_a_matrix(&shape, name)),
    }
}

pub(crate) fn not_a_matrix(shape: &[usize], name: &str) -> DataError {
    DataError::input(name, format!("expected a two-dimensional array, got shape {shape:?}"))
}

/// Refuses an array that has not one value for each of the rows.
pub(crate) fn one_for_each(shape: &[usize], rows: usize, name: &str) -> Result<(), DataError> {
    match *shape {
        [count] | [count, 1] if count == rows => Ok(()),
        _ => {
            let message =
                format!("expected one value for each of the {rows} rows of the features, got shape {shape:?}");
            Err(DataError::input(name, message))
        }
    }
}

/// Names of arrays by their use, the first that is there counts.
const FEATURES: [&str; 3] = ["X", "x", "data"];
const TARGETS: [&str; 4] = ["y", "Y", "target", "labels"];

fn usual(npz: &Npz, candidates: &[&'static str]) -> Option<&'static str> {
    let names = npz.names();
    candidates.iter().find(|&&name| names.iter().any(|other| other == name)).copied()
}

fn without_features(npz: &Npz) -> DataError {
    let message = format!("expected the features as array `X`; the file has: {}", npz.names().join(", "));
    DataError::input(&npz.name, message)
}

fn without_target(npz: &Npz, wanted: Option<&str>) -> DataError {
    let message =
        format!("expected the target as array `{}`; the file has: {}", wanted.unwrap_or("y"), npz.names().join(", "));
    DataError::input(&npz.name, message)
}

fn both(path: &str, array: &str, one: &str, other: &str) -> DataError {
    DataError::input(path, format!("the array `{array}` cannot be both {one} and {other}"))
}

/// Which arrays are features and targets; those that are `wanted`, or the usual one.
pub(crate) fn feature_and_targets(npz: &Npz, wanted: &[String]) -> Result<(String, Vec<String>), DataError> {
    let features = usual(npz, &FEATURES).ok_or_else(|| without_features(npz))?;
    let targets = match (wanted, usual(npz, &TARGETS)) {
        ([], None) => return Err(without_target(npz, None)),
        ([], Some(target)) => vec![target.to_string()],
        (wanted, _) => wanted.to_vec(),
    };
    for (place, target) in targets.iter().enumerate() {
        if !npz.names().contains(target) {
            return Err(without_target(npz, Some(target)));
        }
        if target == features {
            return Err(both(&npz.name, features, "features", "target"));
        }
        if targets[..place].contains(target) {
            return Err(DataError::input(&npz.name, format!("the array `{target}` is a target twice")));
        }
    }
    Ok((features.to_string(), targets))
}

fn column_of(dense: &DenseMatrix, column: usize) -> Vec<f64> {
    (0..dense.rows).map(|row| dense.values.get(row * dense.columns + column)).collect()
}

/// Removes columns (increasing, each once) in place, and gives back the memory they took.
fn remove_columns(dense: &mut DenseMatrix, taken: &[usize]) {
    fn remove<T: Stored>(values: &mut Vec<T>, rows: usize, columns: usize, taken: &[usize]) {
        let mut target = 0;
        for row in 0..rows {
            let mut start = 0;
            for &end in taken.iter().chain([&columns]) {
                values.copy_within(row * columns + start..row * columns + end, target);
                target += end - start;
                start = end + 1;
            }
        }
        values.truncate(target);
        values.shrink_to_fit();
    }
    match &mut dense.values {
        Values::Singles(values) => remove(values, dense.rows, dense.columns, taken),
        Values::Doubles(values) => remove(values, dense.rows, dense.columns, taken),
    }
    dense.columns -= taken.len();
}

/// Refuses the first number that cannot be used; `column` says what a column was in the file.
pub(crate) fn check(
    values: impl Iterator<Item = f64>,
    columns: usize,
    name: &str,
    column: impl Fn(usize) -> usize,
) -> Result<(), DataError> {
    let mut found = values.enumerate().filter_map(|(place, value)| Some((place, value, number::objection(value)?)));
    match found.next() {
        None => Ok(()),
        Some((place, value, expected)) => {
            Err(DataError::element(name, place / columns, column(place % columns), expected, value))
        }
    }
}

/// Targets to train on; when predicting, those that cannot be used are NaN.
pub(crate) fn targets(mut values: Vec<f64>, encode: &Encode, name: &str, column: usize) -> Result<Vec<f64>, DataError> {
    match encode {
        Encode::Fresh => check(values.iter().copied(), 1, name, |_| column)?,
        Encode::Fixed { .. } => {
            values.iter_mut().filter(|value| number::objection(**value).is_some()).for_each(|value| *value = f64::NAN);
        }
    }
    Ok(values)
}

fn check_weights(values: &[f64], name: &str, column: usize) -> Result<(), DataError> {
    check(values.iter().copied(), 1, name, |_| column)?;
    match values.iter().position(|&weight| weight < 0.0) {
        None => Ok(()),
        Some(row) => Err(DataError::element(name, row, column, "a weight ≥ 0", values[row])),
    }
}

pub(crate) fn check_width(name: &str, columns: usize, encode: &Encode) -> Result<(), DataError> {
    match encode {
        Encode::Fixed { encoding, .. } if encoding.columns != columns => {
            let message =
                format!("expected {} feature columns, as the model was trained on, got {columns}", encoding.columns);
            Err(DataError::input(name, message))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write};

    use zip::write::SimpleFileOptions;

    use super::*;

    /// A `.npy` file of bytes, whose header claims `shape`.
    fn npy(shape: &str, values: &[u8]) -> Vec<u8> {
        let header = format!("{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}\n");
        let length = (header.len() as u16).to_le_bytes();
        [&b"\x93NUMPY\x01\x00"[..], &length, header.as_bytes(), values].concat()
    }

    fn read(arrays: &[(&str, Vec<u8>)], target: Option<&str>, weight: Option<&str>) -> Result<Raw, String> {
        let mut bytes = Cursor::new(Vec::new());
        let mut writer = zip::ZipWriter::new(&mut bytes);
        for (name, array) in arrays {
            let options = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Deflated);
            writer.start_file(format!("{name}.npy"), options).expect("a new entry");
            writer.write_all(array).expect("memory");
        }
        writer.finish().expect("memory");
        let request = Request {
            target: target.map(str::to_string),
            sample_weight: weight.map(str::to_string),
            ..Request::default()
        };
        let npz = Npz::from_bytes("rows.npz", bytes.into_inner()).map_err(|error| error.to_string())?;
        read_npz(npz, String::new(), &request, &Encode::Fresh).map_err(|error| error.to_string())
    }

    #[test]
    fn arrays_of_an_archive_have_one_use_each_and_fit() {
        let x = || ("X", npy("(4, 2)", &[1, 2, 3, 4, 5, 6, 7, 8]));
        let y = |shape: &str| ("y", npy(shape, &[0, 1, 0, 1]));
        assert!(read(&[x(), y("(4,)")], None, None).is_ok());
        assert!(read(&[x(), y("(4, 1)")], None, None).is_ok());
        for (arrays, target, weight, expected) in [
            (vec![x(), y("(2, 2)")], None, None, "expected one value for each of the 4 rows"),
            (vec![x(), y("(1, 4)")], None, None, "got shape [1, 4]"),
            (vec![x(), y("(3,)")], None, None, "got shape [3]"),
            (vec![x(), y("(4,)")], None, Some("y"), "`y` cannot be both target and weights"),
            (vec![x(), y("(4,)")], Some("X"), None, "`X` cannot be both features and target"),
            (vec![x(), y("(4,)")], None, Some("X"), "`X` cannot be both features and weights"),
            (vec![x()], None, None, "expected the target as array `y`; the file has: X"),
            (vec![y("(4,)")], None, None, "expected the features as array `X`"),
        ] {
            let error = read(&arrays, target, weight).expect_err(expected);
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn claimed_sizes_are_not_believed() {
        for shape in ["(1152921504606846976, 1)", "(274877906944, 1)", "(4294967296, 4294967296)"] {
            let error = read(&[("X", npy(shape, &[0; 100])), ("y", npy("(1,)", &[0]))], None, None).expect_err(shape);
            assert!(error.contains("truncated"), "{error}");
            let source = Source::from_bytes("rows.npy", npy(shape, &[0; 100])).expect("memory");
            assert!(read_npy(source, &Request::default(), &Encode::Fresh).is_err());
        }
    }
}
