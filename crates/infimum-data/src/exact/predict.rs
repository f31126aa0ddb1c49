//! Rows for a trained network, in exact numbers.

use std::collections::HashMap;

use infimum_problem::{ColumnNames, ColumnScale, Format, LoadingRecipe, Points};

use crate::error::{DataError, one_line};
use crate::exact::targets::{OPEN, label};
use crate::exact::{LoadingRequest, Read, read};

/// Rows of a file, and where the network's columns are among theirs.
#[derive(Debug, Clone)]
pub struct LoadingRows {
    /// The rows, with the file's own columns and units.
    pub points: Points,
    /// Unit of each column's integers.
    pub scales: Vec<ColumnScale>,
    /// For every column of the network the file's; `None` where all rows are 0: categories and sparse columns that do not occur.
    pub places: Vec<Option<u32>>,
    /// By target column the label of every row, `None` where it is open; no columns if the file lacks some.
    pub targets: Vec<Vec<Option<String>>>,
    /// Remarks for the user.
    pub notes: Vec<String>,
}

/// Reads `name` for a network that was trained on columns of these names, read by the recipe. Columns are found by name, numbers of files without
/// names included; columns that the network does not know are left out, and so may be the targets of tables and NPY arrays.
pub fn load_rows(name: &str, recipe: &LoadingRecipe, columns: &ColumnNames) -> Result<LoadingRows, DataError> {
    // A network trained on a built-in set is applied to files of the same columns.
    let builtin = name.starts_with("builtin:");
    let format =
        if recipe.format == Format::Builtin { builtin.then_some(Format::Builtin) } else { Some(recipe.format) };
    let request = LoadingRequest {
        format,
        header: recipe.format.has_columns().then_some(recipe.header),
        targets: recipe.targets.clone(),
        may_lack_targets: true,
    };
    let Read { points, scales, names, targets, mut notes, .. } = read(name, &request)?;
    let places = match recipe.format {
        Format::Libsvm => (0..columns.len()).map(|column| (column < names.len()).then_some(column as u32)).collect(),
        _ => places(name, columns, &names)?,
    };
    let left_out = names.len() - places.iter().flatten().count();
    if left_out > 0 {
        notes.push(format!("{left_out} columns or categories that the network does not know are left out"));
    }
    let complete = targets.len() == recipe.targets.len().max(1);
    let targets = if complete { targets } else { Vec::new() };
    let labels = |column: &crate::exact::TargetColumn| {
        let names: Vec<Option<String>> = (column.fields.dictionary.names.iter())
            .map(|field| (field.as_ref() != OPEN && !field.is_empty()).then(|| label(field)))
            .collect();
        column.fields.codes.iter().map(|&code| names[code as usize].clone()).collect()
    };
    Ok(LoadingRows { points, scales, places, targets: targets.iter().map(labels).collect(), notes })
}

/// Where the columns `wanted` are among those that are there.
fn places(path: &str, wanted: &ColumnNames, there: &ColumnNames) -> Result<Vec<Option<u32>>, DataError> {
    let mut known: HashMap<String, u32> = HashMap::with_capacity(there.len());
    for (place, name) in there.iter().enumerate() {
        known.entry(name.into_owned()).or_insert(place as u32);
    }
    let feature = |name: &str| name.split_once('=').map(|(feature, _)| format!("{feature}="));
    let features: std::collections::HashSet<String> = there.iter().filter_map(|name| feature(&name)).collect();
    let find = |name: std::borrow::Cow<str>| match known.get(name.as_ref()) {
        Some(&place) => Ok(Some(place)),
        // A category of a text column that the file has, but in no row.
        None if feature(&name).is_some_and(|feature| features.contains(&feature)) => Ok(None),
        None => {
            let message =
                format!("there is no column `{}`; expected the columns of the training file", one_line(&name));
            Err(DataError::input(path, message))
        }
    };
    wanted.iter().map(find).collect()
}
