//! Wanted outputs from target columns (docs/canonical-problem.md, section 6).

use std::collections::HashMap;

use crate::csv::{Dictionary, TextColumn};
use crate::error::{DataError, Unit};
use crate::exact::decimal::{self, Decimal};
use crate::number;

/// The field that leaves an output open.
pub(super) const OPEN: &str = "?";
/// Most labels of one target column: each is an output.
const MOST_LABELS: usize = 1_000;

/// A target column: its fields, or for arrays its numbers in plain decimal notation.
pub(super) struct TargetColumn {
    /// Name, for the outputs and for errors.
    pub(super) name: String,
    /// The fields.
    pub(super) fields: TextColumn,
    /// What first appearances are counted in.
    pub(super) unit: Unit,
}

/// Wanted outputs of all rows.
#[derive(Debug, PartialEq)]
pub(super) struct Targets {
    /// Rows × outputs.
    pub(super) values: Vec<Option<bool>>,
    /// What an output of 1 means.
    pub(super) names: Vec<String>,
    /// The labels of one target column, in order; none of several.
    pub(super) labels: Vec<String>,
    /// In words.
    pub(super) note: String,
}

/// The label of a field: numbers in plain decimal notation, other text as it is.
pub(super) fn label(field: &str) -> String {
    decimal::parse(field.as_bytes()).map_or_else(|_| field.to_string(), |decimal| decimal.plain())
}

/// One column gives classes, several give one output each.
pub(super) fn targets(path: &str, columns: &[TargetColumn]) -> Result<Targets, DataError> {
    for column in columns {
        let missing = |field: &[u8]| number::is_missing(field) && field != OPEN.as_bytes();
        if let Some(code) = column.fields.dictionary.first(missing) {
            return Err(refused(path, column, code, "a label (or `?` where any output is right)"));
        }
    }
    match columns {
        [column] => classes(path, column),
        _ => outputs(path, columns),
    }
}

fn refused(path: &str, column: &TargetColumn, code: usize, expected: &str) -> DataError {
    let Dictionary { names, first_lines, .. } = &column.fields.dictionary;
    let mut error = DataError::field(first_lines[code], Some(&column.name), expected, names[code].as_bytes());
    if let DataError::Field { unit, .. } = &mut error {
        *unit = column.unit;
    }
    error.at(path, 0)
}

/// Labels in order: by value if all are numbers, else by bytes.
fn ordered(mut labels: Vec<String>) -> Vec<String> {
    let numbers: Option<Vec<Decimal>> = labels.iter().map(|label| decimal::parse(label.as_bytes()).ok()).collect();
    let Some(numbers) = numbers else {
        labels.sort();
        return labels;
    };
    let mut order: Vec<usize> = (0..labels.len()).collect();
    order.sort_by(|&a, &b| numbers[a].compare(&numbers[b]));
    order.into_iter().map(|place| std::mem::take(&mut labels[place])).collect()
}

/// Whether a label that is the only one means "no".
fn means_no(label: &str) -> bool {
    let number = decimal::parse(label.as_bytes());
    number.map_or(label.eq_ignore_ascii_case("false"), |number| number.compare(&Decimal::Short(0, 0)).is_le())
}

fn classes(path: &str, column: &TargetColumn) -> Result<Targets, DataError> {
    let TextColumn { codes, dictionary } = &column.fields;
    let open = dictionary.first(|field| field == OPEN.as_bytes());
    let mut places: HashMap<String, usize> = HashMap::new();
    for (code, field) in dictionary.names.iter().enumerate() {
        if Some(code) == open {
            continue;
        }
        places.insert(label(field), 0);
        if places.len() > MOST_LABELS {
            let expected = format!("at most {MOST_LABELS} different labels (each is an output), but this is one more");
            return Err(refused(path, column, code, &expected));
        }
    }
    let labels = ordered(places.keys().cloned().collect());
    labels.iter().enumerate().for_each(|(place, label)| {
        places.insert(label.clone(), place);
    });
    // The place of each code's label.
    let place = |(code, field): (usize, &std::sync::Arc<str>)| {
        if Some(code) == open { None } else { places.get(&label(field)).copied() }
    };
    let of_code: Vec<Option<usize>> = dictionary.names.iter().enumerate().map(place).collect();
    let rows = codes.iter().map(|&code| of_code[code as usize]);
    let (values, names, note) = match &labels[..] {
        [] => (rows.map(|_| None).collect(), vec![column.name.clone()], "all are `?`: any output is right".into()),
        [only] if means_no(only) => (
            rows.map(|row| row.map(|_| false)).collect(),
            vec![format!("not {only}")],
            format!("one label, `{only}`: the output is to be 0"),
        ),
        [only] => (
            rows.map(|row| row.map(|_| true)).collect(),
            vec![only.clone()],
            format!("one label, `{only}`: the output is to be 1"),
        ),
        [first, last] => (
            rows.map(|row| row.map(|place| place == 1)).collect(),
            vec![last.clone()],
            format!("the output is to be 1 for `{last}` and 0 for `{first}`"),
        ),
        _ => (
            rows.flat_map(|row| (0..labels.len()).map(move |output| row.map(|place| place == output))).collect(),
            labels.clone(),
            format!("{} labels, one output each: `{}`", labels.len(), labels.join("`, `")),
        ),
    };
    Ok(Targets { values, names, labels, note: format!("target `{}`: {note}", column.name) })
}

/// `0` or `false`, `1` or `true`, and `?`.
fn outputs(path: &str, columns: &[TargetColumn]) -> Result<Targets, DataError> {
    let mut meanings: Vec<Vec<Option<bool>>> = Vec::new();
    for column in columns {
        let mut meaning = Vec::new();
        for (code, field) in column.fields.dictionary.names.iter().enumerate() {
            meaning.push(match label(field).to_ascii_lowercase().as_str() {
                OPEN => None,
                "0" | "false" => Some(false),
                "1" | "true" => Some(true),
                _ => return Err(refused(path, column, code, "0, 1 or `?`, as there are several target columns")),
            });
        }
        meanings.push(meaning);
    }
    let rows = columns.first().map_or(0, |column| column.fields.codes.len());
    let values = (0..rows)
        .flat_map(|row| {
            columns.iter().zip(&meanings).map(move |(column, meaning)| meaning[column.fields.codes[row] as usize])
        })
        .collect();
    let names: Vec<String> = columns.iter().map(|column| column.name.clone()).collect();
    let note = format!("{} outputs: `{}`", names.len(), names.join("`, `"));
    Ok(Targets { values, names, labels: Vec::new(), note })
}
