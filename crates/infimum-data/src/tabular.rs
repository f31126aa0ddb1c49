//! CSV and TSV files as features, target and weights.

use std::collections::{HashMap, VecDeque};

use infimum_problem::{ColumnNames, Encoding, FeatureKind, Format};

use crate::canonical::Request;
use crate::csv::{self, Beginning, Dictionary, Layout, Role, Table};
use crate::encode::{encode_matrix, fresh_encoding};
use crate::error::DataError;
use crate::fields::Fields;
use crate::raw::{Encode, Raw, RawTarget};
use crate::source::Source;
use crate::stream::BLOCK;
use crate::{infer, number, several};

/// Records looked at to infer header and text columns.
const SAMPLE: usize = 100;

/// How a table begins.
pub(crate) struct Head {
    /// The source's name.
    pub(crate) path: String,
    /// Every column a feature of numbers.
    pub(crate) layout: Layout,
    /// The first records below the names.
    pub(crate) sample: Vec<Vec<Vec<u8>>>,
}

/// Looks at the beginning of a table; `open` opens it anew.
pub(crate) fn begin(
    open: &dyn Fn() -> Result<Source, DataError>,
    format: Format,
    header: Option<bool>,
    notes: &mut Vec<String>,
) -> Result<Head, DataError> {
    let delimiter = if format == Format::Tsv { b'\t' } else { b',' };
    let mut source = open()?;
    let path = source.name.clone();
    let Beginning { text, whole, .. } = csv::beginning(&mut source, delimiter)?;
    drop(source);
    let mut sample = csv::sample(&text[..whole], delimiter, SAMPLE).map_err(|error| error.at(&path, 0))?;
    if header.is_none() && format != Format::Builtin && !sample.is_empty() {
        notes.push(header_words(infer::header(&sample)).into());
    }
    let header = header.unwrap_or_else(|| infer::header(&sample));
    let Some(first) = sample.first() else {
        return Err(DataError::input(&path, "there are no rows; expected at least one"));
    };
    if first.len() == 1
        && delimiter == b','
        && sample.iter().all(|record| record.len() == 1 && record[0].contains(&b';'))
    {
        let message = "the fields seem to be separated by `;`; expected `,` (or tabs, with --format tsv): replace them";
        return Err(DataError::input(&path, message));
    }
    let names = if header { column_names(&text, delimiter, first, &path)? } else { ColumnNames::numbered(first.len()) };
    if header {
        sample.remove(0);
    }
    let (roles, text) = (vec![Role::Feature; names.len()], vec![false; names.len()]);
    Ok(Head { path, layout: Layout { delimiter, header, roles, text, fixed: false, names }, sample })
}

/// Marks the columns as text that have a word in the sample.
pub(crate) fn guess_text(layout: &mut Layout, sample: &[Vec<Vec<u8>>]) {
    for (column, text) in layout.text.iter_mut().enumerate() {
        *text = sample.iter().any(|record| record.get(column).is_some_and(|field| number::is_word(field)));
    }
}

/// Refuses a table without rows.
pub(crate) fn demand_rows(path: &str, rows: usize, header: bool) -> Result<(), DataError> {
    if rows > 0 {
        return Ok(());
    }
    let message = if header { "there are no rows below the column names" } else { "there are no rows" };
    Err(DataError::input(path, message))
}

/// Reads a table; `open` opens it anew.
pub(crate) fn read_table(
    open: &dyn Fn() -> Result<Source, DataError>,
    format: Format,
    request: &Request,
    encode: &Encode,
) -> Result<Raw, DataError> {
    let mut notes = Vec::new();
    let Head { path, mut layout, sample } = begin(open, format, request.header, &mut notes)?;
    layout.fixed = matches!(encode, Encode::Fixed { .. });
    let header = layout.header;
    // The file's column of each feature.
    let features: Vec<usize> = match encode {
        Encode::Fresh => {
            choose_columns(&path, request, &mut layout)?;
            guess_text(&mut layout, &sample);
            mark_several(request, &mut layout);
            (0..layout.roles.len()).filter(|&column| layout.roles[column] == Role::Feature).collect()
        }
        Encode::Fixed { encoding, labels } => {
            let features = place_columns(&path, request, encoding, &mut layout)?;
            for (&column, feature) in features.iter().zip(&encoding.features) {
                layout.text[column] = feature.kind != FeatureKind::Numeric;
            }
            for (text, role) in layout.text.iter_mut().zip(&layout.roles) {
                *text |= *labels && *role == Role::Target;
            }
            mark_several(request, &mut layout);
            features
        }
    };
    let (mut table, sha256): (Table, String) = csv::read(open, &mut layout, BLOCK)?;
    demand_rows(&path, table.rows, header)?;
    let target = layout.roles.iter().position(|&role| role == Role::Target);
    let weight = layout.roles.iter().position(|&role| role == Role::Weight);
    let raw_target = if request.has_several() {
        several::of_table(&path, request, &layout, &std::mem::take(&mut table.target_text), table.rows)?
    } else {
        if let (Encode::Fresh, Some(column), Some(text)) = (encode, target, table.target_text.first()) {
            refuse_missing(&path, &layout.names.name(column), &text.dictionary)?;
        }
        match (target, table.target_text.pop()) {
            (None, _) => RawTarget::Absent,
            (Some(_), Some(text)) => RawTarget::Text(text),
            (Some(_), None) => RawTarget::Numeric(std::mem::take(&mut table.target)),
        }
    };
    let weights = std::mem::take(&mut table.weights);
    let (encoding, names) = match encode {
        Encode::Fresh => fresh_encoding(&layout, &features, &table.text, &mut notes),
        Encode::Fixed { encoding, .. } => ((*encoding).clone(), Vec::new()),
    };
    Ok(Raw {
        matrix: encode_matrix(&layout, &features, table, &encoding, &mut notes),
        names: ColumnNames::Named(names),
        encoding,
        target: raw_target,
        weights: weight.map(|_| weights),
        held_out: None,
        sha256,
        format,
        header,
        target_name: target.map(|column| infer::reference(&layout.names, column)).unwrap_or_default(),
        weight_name: weight.map(|column| infer::reference(&layout.names, column)),
        notes,
    })
}

/// Whether a header was taken, in words.
pub(crate) fn header_words(header: bool) -> &'static str {
    if header {
        "header: the first line names the columns; --no-header overrides"
    } else {
        "header: none, columns are called 1, 2, …; --header overrides"
    }
}

fn column_names(text: &[u8], delimiter: u8, first: &[Vec<u8>], path: &str) -> Result<ColumnNames, DataError> {
    let mut fields = Fields::new(text, delimiter);
    fields.at_record();
    let name = |(column, field): (usize, &Vec<u8>)| {
        csv::utf8(field, fields.line, &(column + 1).to_string()).map(String::from).map_err(|error| error.at(path, 0))
    };
    Ok(ColumnNames::Named(first.iter().enumerate().map(name).collect::<Result<_, _>>()?))
}

/// Of several target columns fields are read as they stand.
fn mark_several(request: &Request, layout: &mut Layout) {
    if request.has_several() {
        layout.text.iter_mut().zip(&layout.roles).for_each(|(text, role)| *text |= *role == Role::Target);
    }
}

/// Marks targets and weights as the user said, or by the rules.
pub(crate) fn choose_columns(path: &str, request: &Request, layout: &mut Layout) -> Result<(), DataError> {
    for wanted in request.targets() {
        let target = infer::column(path, wanted, &layout.names, "target")?;
        if layout.roles[target] == Role::Target {
            return Err(several::twice(path, &layout.names.name(target)));
        }
        layout.roles[target] = Role::Target;
    }
    if request.target.is_none() {
        layout.roles[infer::target(&layout.names)] = Role::Target;
    }
    if let Some(wanted) = &request.sample_weight {
        let weight = infer::column(path, wanted, &layout.names, "weight")?;
        if layout.roles[weight] == Role::Target {
            return Err(infer::both(path, wanted));
        }
        layout.roles[weight] = Role::Weight;
    }
    Ok(())
}

/// The file's columns of a model's features, whose roles are set: where there is a header by name, the first of a name that
/// features share for the first of them and so on; else by position. Target and weights may stand where they stood, or be
/// absent; other columns are read over.
pub(crate) fn place_columns(
    path: &str,
    request: &Request,
    encoding: &Encoding,
    layout: &mut Layout,
) -> Result<Vec<usize>, DataError> {
    let Layout { names, roles, .. } = layout;
    let weights = request.sample_weight.iter().map(|wanted| (wanted, Role::Ignored));
    let extras = request.targets().map(|wanted| (wanted, Role::Target)).chain(weights);
    let extras: Vec<(usize, Role)> =
        extras.filter_map(|(wanted, role)| Some((infer::column(path, wanted, names, "target").ok()?, role))).collect();
    roles.fill(Role::Ignored);
    let features: Vec<usize> = match names {
        ColumnNames::Named(names) => {
            let mut places: HashMap<&str, VecDeque<usize>> = HashMap::new();
            for (column, name) in names.iter().enumerate() {
                places.entry(name).or_default().push_back(column);
            }
            for (column, role) in extras {
                // One more of this name than the features need: so the target (or weight) is in this file.
                let needed = encoding.features.iter().filter(|feature| feature.name == names[column]).count();
                if let Some(places) = places.get_mut(names[column].as_str()).filter(|places| places.len() > needed) {
                    places.retain(|&place| place != column);
                    roles[column] = role;
                }
            }
            let place = |feature: &infimum_problem::Feature| {
                places.get_mut(feature.name.as_str()).and_then(VecDeque::pop_front).ok_or_else(|| {
                    let message =
                        format!("the model needs the column `{}`, which this file does not have", feature.name);
                    DataError::input(path, message)
                })
            };
            encoding.features.iter().map(place).collect::<Result<_, _>>()?
        }
        ColumnNames::Numbered { columns, .. } if *columns == encoding.features.len() => (0..*columns).collect(),
        ColumnNames::Numbered { columns, .. } => {
            extras.into_iter().for_each(|(column, role)| roles[column] = role);
            let place = |name: &str| name.parse::<usize>().ok()?.checked_sub(1).filter(|column| column < columns);
            let found: Option<Vec<usize>> = encoding.features.iter().map(|feature| place(&feature.name)).collect();
            found.ok_or_else(|| {
                let message = format!("expected {} feature columns, got rows of {columns}", encoding.features.len());
                DataError::input(path, message)
            })?
        }
    };
    features.iter().for_each(|&column| roles[column] = Role::Feature);
    Ok(features)
}

/// A missing value is no label.
fn refuse_missing(path: &str, column: &str, target: &Dictionary) -> Result<(), DataError> {
    let Some(code) = target.first(number::is_missing) else {
        return Ok(());
    };
    let expected = "a label (remove the rows without one; rename the label if this is one)";
    let (line, got) = (target.first_lines[code], target.names[code].as_bytes());
    Err(DataError::field(line, Some(column), expected, got).at(path, 0))
}
