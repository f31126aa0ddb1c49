//! A file as features, target and weights, before any row is chosen.

use infimum_problem::{DenseMatrix, Encoding, Feature, FeatureKind, Format, Matrix, SparseMatrix};

use crate::canonical::Request;
use crate::csv::{self, Layout, Role, Table, TextColumn};
use crate::error::DataError;
use crate::source::Source;
use crate::{infer, libsvm, npy, number};

/// Records looked at to infer header and text columns.
const SAMPLE: usize = 100;
/// One-hot encoded tables filled less than this are stored sparse.
const SPARSE_BELOW: f64 = 0.3;

/// Targets as the file has them.
#[derive(Debug, Clone)]
pub(crate) enum RawTarget {
    /// Numbers.
    Numeric(Vec<f64>),
    /// Text, or numbers and text.
    Text(TextColumn),
    /// The file has none (only when predicting).
    Absent,
}

/// A file, read.
#[derive(Debug, Clone)]
pub(crate) struct Raw {
    pub(crate) matrix: Matrix,
    pub(crate) names: Vec<String>,
    pub(crate) encoding: Encoding,
    pub(crate) target: RawTarget,
    pub(crate) weights: Option<Vec<f64>>,
    pub(crate) sha256: String,
    pub(crate) format: Format,
    pub(crate) header: bool,
    pub(crate) target_name: String,
    pub(crate) weight_name: Option<String>,
    pub(crate) notes: Vec<String>,
}

/// How features are to be encoded: by what the file holds, or as a model expects them.
pub(crate) enum Encode<'a> {
    /// Sorted categories of this file; the target column must be there.
    Fresh,
    /// The encoding of a model; target and weight columns may be missing.
    Fixed(&'a Encoding),
}

/// Reads a source as the request says.
pub(crate) fn read(name: &str, request: &Request, encode: &Encode) -> Result<Raw, DataError> {
    let mut source = Source::open(name)?;
    let mut head = vec![0u8; 1 << 16];
    let got = source.fill(&mut head)?;
    head.truncate(got);
    if got == 0 {
        return Err(DataError::input(name, "the file is empty; expected rows of data"));
    }
    let format = request.format.unwrap_or_else(|| infer::format(name, &head));
    match format {
        Format::Libsvm => read_libsvm(name, request, encode),
        Format::Npy => read_npy(name, request, encode),
        Format::Npz => read_npz(name, request, encode),
        Format::Csv | Format::Tsv | Format::Builtin => {
            drop(source);
            read_csv(name, &|| Source::open(name), &head, format, request, encode)
        }
    }
}

/// One parse of `bytes` in the given format; results are dropped by the caller.
pub(crate) fn read_bytes_for_fuzzing(bytes: &[u8], format: Format) -> Result<(), DataError> {
    let open = || Source::from_bytes("memory", bytes.to_vec());
    match format {
        Format::Libsvm => libsvm::read(open()?).map(|_| ()),
        Format::Npy | Format::Npz => npy::read_npy(open()?).map(|_| ()),
        Format::Csv | Format::Tsv | Format::Builtin => {
            let mut source = open()?;
            let mut head = vec![0u8; 1 << 16];
            let got = source.fill(&mut head)?;
            head.truncate(got);
            read_csv("memory", &open, &head, format, &Request::default(), &Encode::Fresh).map(|_| ())
        }
    }
}

fn numbered(columns: usize) -> Vec<String> {
    (1..=columns).map(|column| column.to_string()).collect()
}

fn plain(columns: usize) -> Encoding {
    Encoding { features: Vec::new(), columns }
}

fn read_libsvm(name: &str, request: &Request, encode: &Encode) -> Result<Raw, DataError> {
    for (what, given) in [("--target", &request.target), ("--sample-weight", &request.sample_weight)] {
        if given.as_ref().is_some_and(|given| !given.is_empty()) {
            let message =
                format!("{what} names a column, but LIBSVM files have none: the label stands first in each row");
            return Err(DataError::input(name, message));
        }
    }
    let read = libsvm::read(Source::open(name)?)?;
    let mut notes = Vec::new();
    if read.query_ids {
        notes.push("`qid:` fields were skipped: infimum does not train rankings".to_string());
    }
    let mut matrix = read.matrix;
    if let Encode::Fixed(encoding) = encode {
        fit_columns(&mut matrix, encoding.columns, &mut notes);
    }
    Ok(Raw {
        names: numbered(matrix.columns),
        encoding: plain(matrix.columns),
        matrix: Matrix::Sparse(matrix),
        target: RawTarget::Numeric(read.labels),
        weights: None,
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
        let (mut target, mut start) = (0, 0);
        for row in 0..matrix.rows {
            let end = matrix.row_starts[row + 1];
            for entry in start..end {
                if (matrix.column_indices[entry] as usize) < columns {
                    matrix.column_indices[target] = matrix.column_indices[entry];
                    matrix.values[target] = matrix.values[entry];
                    target += 1;
                }
            }
            start = end;
            matrix.row_starts[row + 1] = target;
        }
        matrix.column_indices.truncate(target);
        matrix.values.truncate(target);
        notes.push(format!(
            "{} entries with an index above {columns} were ignored: the model was trained without them",
            before - target
        ));
    }
    matrix.columns = columns;
}

fn read_npy(name: &str, request: &Request, encode: &Encode) -> Result<Raw, DataError> {
    let (array, sha256) = npy::read_npy(Source::open(name)?)?;
    let mut dense = npy::to_matrix(array, name)?;
    let names = numbered(dense.columns);
    let bare = matches!(encode, Encode::Fixed(encoding) if dense.columns == encoding.columns);
    let mut taken = Vec::new();
    let mut take = |wanted: &str, what: &str| -> Result<(Vec<f64>, usize), DataError> {
        let column = infer::column(name, wanted, &names, what)?;
        taken.push(column);
        Ok(((0..dense.rows).map(|row| dense.values[row * dense.columns + column]).collect(), column))
    };
    let mut target = RawTarget::Absent;
    let mut target_name = String::new();
    let mut weights = None;
    if !bare {
        let (values, column) = take(request.target.as_deref().unwrap_or("-1"), "target")?;
        target = RawTarget::Numeric(values);
        target_name = names[column].clone();
        if let Some(wanted) = &request.sample_weight {
            weights = Some(take(wanted, "weight")?.0);
        }
    }
    remove_columns(&mut dense, &taken);
    check_width(name, dense.columns, encode)?;
    let names: Vec<String> =
        names.into_iter().enumerate().filter(|entry| !taken.contains(&entry.0)).map(|entry| entry.1).collect();
    Ok(Raw {
        encoding: plain(dense.columns),
        matrix: Matrix::Dense(dense),
        names,
        target,
        weights,
        sha256,
        format: Format::Npy,
        header: false,
        target_name,
        weight_name: request.sample_weight.clone(),
        notes: Vec::new(),
    })
}

/// Removes columns in place.
fn remove_columns(dense: &mut DenseMatrix, taken: &[usize]) {
    let kept: Vec<usize> = (0..dense.columns).filter(|column| !taken.contains(column)).collect();
    let mut target = 0;
    for row in 0..dense.rows {
        for &column in &kept {
            dense.values[target] = dense.values[row * dense.columns + column];
            target += 1;
        }
    }
    dense.values.truncate(target);
    dense.columns = kept.len();
}

fn check_width(name: &str, columns: usize, encode: &Encode) -> Result<(), DataError> {
    match encode {
        Encode::Fixed(encoding) if encoding.columns != columns => {
            let message =
                format!("expected {} feature columns, as the model was trained on, got {columns}", encoding.columns);
            Err(DataError::input(name, message))
        }
        _ => Ok(()),
    }
}

fn read_npz(name: &str, request: &Request, encode: &Encode) -> Result<Raw, DataError> {
    let mut npz = npy::Npz::open(name)?;
    let names = npz.names();
    let choose = |candidates: &[&str], what: &str| {
        candidates
            .iter()
            .find(|&&wanted| names.iter().any(|name| name == wanted))
            .map(|&wanted| wanted.to_string())
            .ok_or_else(|| {
                let message =
                    format!("expected the {what} as array `{}`; the file has: {}", candidates[0], names.join(", "));
                DataError::input(name, message)
            })
    };
    let dense = npy::to_matrix(npz.array(&choose(&["X", "x", "data"], "features")?)?, name)?;
    let target_name = match &request.target {
        Some(target) => Some(target.clone()),
        None => match (choose(&["y", "Y", "target", "labels"], "target"), encode) {
            (Ok(target), _) => Some(target),
            (Err(_), Encode::Fixed(_)) => None,
            (Err(error), Encode::Fresh) => return Err(error),
        },
    };
    let mut vector = |array: &str, what: &str| {
        let array = npz.array(array)?;
        let length = array.values.len();
        if length != dense.rows {
            let message =
                format!("the {what} has {length} values; expected {}, one per row of the features", dense.rows);
            return Err(DataError::input(name, message));
        }
        Ok(array.values)
    };
    let target = match &target_name {
        Some(target) if names.contains(target) => RawTarget::Numeric(vector(target, "target")?),
        Some(target) if matches!(encode, Encode::Fresh) => {
            let message = format!("there is no target array `{target}`; the file has: {}", names.join(", "));
            return Err(DataError::input(name, message));
        }
        _ => RawTarget::Absent,
    };
    let weights = match &request.sample_weight {
        Some(weight) if matches!(encode, Encode::Fresh) => Some(vector(weight, "weight array")?),
        _ => None,
    };
    check_width(name, dense.columns, encode)?;
    Ok(Raw {
        names: numbered(dense.columns),
        encoding: plain(dense.columns),
        matrix: Matrix::Dense(dense),
        target,
        weights,
        sha256: Source::open(name)?.sha256()?,
        format: Format::Npz,
        header: false,
        target_name: target_name.unwrap_or_default(),
        weight_name: request.sample_weight.clone(),
        notes: Vec::new(),
    })
}

fn read_csv(
    name: &str,
    reopen: &dyn Fn() -> Result<Source, DataError>,
    head: &[u8],
    format: Format,
    request: &Request,
    encode: &Encode,
) -> Result<Raw, DataError> {
    let delimiter = if format == Format::Tsv { b'\t' } else { b',' };
    let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    // Only whole lines of the beginning are looked at, unless it is all there is.
    let end = if head.len() < (1 << 16) - 3 {
        head.len()
    } else {
        memchr::memrchr(b'\n', head).map_or(head.len(), |p| p + 1)
    };
    let mut sample = csv::sample(&head[..end], delimiter, SAMPLE).map_err(|error| error.at(name, 0))?;
    let header = request.header.unwrap_or_else(|| infer::header(&sample));
    let Some(first) = sample.first() else {
        return Err(DataError::input(name, "there are no rows; expected at least one"));
    };
    let names = if header { first.clone() } else { numbered(first.len()) };
    if header {
        sample.remove(0);
    }
    let mut roles = vec![Role::Feature; names.len()];
    let target_column;
    let mut weight_column = None;
    match encode {
        Encode::Fresh => {
            let column = match &request.target {
                Some(wanted) => infer::column(name, wanted, &names, "target")?,
                None => infer::target(&names),
            };
            roles[column] = Role::Target;
            target_column = Some(column);
            if let Some(wanted) = &request.sample_weight {
                let weight = infer::column(name, wanted, &names, "weight")?;
                if weight == column {
                    return Err(DataError::input(name, format!("column `{wanted}` cannot be both target and weight")));
                }
                roles[weight] = Role::Weight;
                weight_column = Some(weight);
            }
        }
        Encode::Fixed(encoding) => {
            place_columns(name, &names, header, request, encoding, &mut roles)?;
            target_column = roles.iter().position(|&role| role == Role::Target);
        }
    }
    let text = (0..names.len())
        .map(|column| {
            sample
                .iter()
                .any(|record| record.get(column).is_some_and(|field| number::parse(field.as_bytes()).is_none()))
        })
        .collect();
    let mut layout = Layout { delimiter, header, names, roles, text };
    let (table, sha256) = csv::read(reopen, &mut layout)?;
    if table.rows == 0 {
        let message = if header { "there are no rows below the column names" } else { "there are no rows" };
        return Err(DataError::input(name, message));
    }
    let mut notes = Vec::new();
    let Table { rows, numeric, text, target, target_text, weights } = table;
    let (encoding, encoded_names) = match encode {
        Encode::Fresh => fresh_encoding(name, &layout, &text, &mut notes)?,
        Encode::Fixed(encoding) => ((*encoding).clone(), Vec::new()),
    };
    let matrix = encode_matrix(name, &layout, rows, numeric, &text, &encoding)?;
    if let Some(target) = &target_text {
        refuse_missing(name, &layout.names[target_column.unwrap_or(0)], target)?;
    }
    let target = match target_text {
        _ if target_column.is_none() => RawTarget::Absent,
        Some(column) => RawTarget::Text(column),
        None => RawTarget::Numeric(target),
    };
    Ok(Raw {
        matrix,
        names: encoded_names,
        encoding,
        target,
        weights: weight_column.map(|_| weights),
        sha256,
        format,
        header,
        target_name: target_column.map(|column| reference(&layout.names, column)).unwrap_or_default(),
        weight_name: weight_column.map(|column| reference(&layout.names, column)),
        notes,
    })
}

/// A name that finds the column again: the name itself if unique, else its number.
fn reference(names: &[String], column: usize) -> String {
    let unique = names.iter().filter(|name| **name == names[column]).count() == 1;
    if unique { names[column].clone() } else { (column + 1).to_string() }
}

/// Roles of a file's columns for a model: features by name where there is a header, else by position; the target and
/// weight columns may stand where they stood, or be absent.
fn place_columns(
    path: &str,
    names: &[String],
    header: bool,
    request: &Request,
    encoding: &Encoding,
    roles: &mut [Role],
) -> Result<(), DataError> {
    roles.fill(Role::Ignored);
    if header {
        for feature in &encoding.features {
            let column = names.iter().position(|name| *name == feature.name).ok_or_else(|| {
                let message = format!("the model needs the column `{}`, which this file does not have", feature.name);
                DataError::input(path, message)
            })?;
            roles[column] = Role::Feature;
        }
        if let Some(column) = request.target.as_ref().and_then(|target| names.iter().position(|name| name == target)) {
            roles[column] = Role::Target;
        }
        let order: Vec<&String> =
            (0..names.len()).filter(|&c| roles[c] == Role::Feature).map(|column| &names[column]).collect();
        if order.iter().zip(&encoding.features).any(|(name, feature)| **name != feature.name) {
            let message = "the feature columns stand in another order than in the training file; reorder them";
            return Err(DataError::input(path, message));
        }
        return Ok(());
    }
    let extra = names.len().checked_sub(encoding.features.len());
    match extra {
        Some(0) => roles.fill(Role::Feature),
        Some(_) => {
            for (column, role) in roles.iter_mut().enumerate() {
                let number = (column + 1).to_string();
                *role = if encoding.features.iter().any(|feature| feature.name == number) {
                    Role::Feature
                } else if request.target.as_ref() == Some(&number) {
                    Role::Target
                } else {
                    Role::Ignored
                };
            }
        }
        None => {}
    }
    let found = roles.iter().filter(|&&role| role == Role::Feature).count();
    if found == encoding.features.len() {
        return Ok(());
    }
    let message =
        format!("expected {} feature columns, got {found} in rows of {}", encoding.features.len(), names.len());
    Err(DataError::input(path, message))
}

/// A column of numbers in which some fields stand for "missing" is not text: the first such field is an error.
fn refuse_missing(path: &str, column: &str, text: &TextColumn) -> Result<(), DataError> {
    let odd: Vec<usize> =
        (0..text.names.len()).filter(|&code| number::parse(text.names[code].as_bytes()).is_none()).collect();
    let all_missing = odd.iter().all(|&code| number::is_missing(text.names[code].as_bytes()));
    if !odd.is_empty() && all_missing && odd.len() < text.names.len() {
        let first = odd.iter().min_by_key(|&&code| text.first_lines[code]).copied().unwrap_or(0);
        let expected = "a number (missing values must be filled or their rows removed first)";
        return Err(
            DataError::field(text.first_lines[first], Some(column), expected, text.names[first].as_bytes()).at(path, 0)
        );
    }
    Ok(())
}

fn fresh_encoding(
    path: &str,
    layout: &Layout,
    text: &[TextColumn],
    notes: &mut Vec<String>,
) -> Result<(Encoding, Vec<String>), DataError> {
    let mut features = Vec::new();
    let mut names = Vec::new();
    let mut texts = text.iter();
    for column in (0..layout.names.len()).filter(|&column| layout.roles[column] == Role::Feature) {
        let name = layout.names[column].clone();
        if !layout.text[column] {
            names.push(name.clone());
            features.push(Feature { name, kind: FeatureKind::Numeric });
            continue;
        }
        let Some(text) = texts.next() else {
            continue;
        };
        refuse_missing(path, &name, text)?;
        let mut categories = text.names.clone();
        categories.sort();
        notes.push(format!("column `{name}` is text: one-hot encoded as {} columns", categories.len()));
        names.extend(categories.iter().map(|category| format!("{name}={category}")));
        features.push(Feature { name, kind: FeatureKind::OneHot(categories) });
    }
    Ok((Encoding { features, columns: names.len() }, names))
}

/// Lays the typed columns out as a matrix, one-hot columns expanded.
fn encode_matrix(
    path: &str,
    layout: &Layout,
    rows: usize,
    numeric: Vec<f64>,
    text: &[TextColumn],
    encoding: &Encoding,
) -> Result<Matrix, DataError> {
    let columns = encoding.columns;
    let used: Vec<usize> = (0..layout.names.len()).filter(|&column| layout.roles[column] == Role::Feature).collect();
    if text.is_empty() && encoding.features.iter().all(|feature| feature.kind == FeatureKind::Numeric) {
        return Ok(Matrix::Dense(DenseMatrix { rows, columns, values: numeric }));
    }
    // Per feature: where its numbers stand, or which matrix column each code means.
    enum Plan<'a> {
        Number(usize),
        Codes(&'a TextColumn, Vec<Option<u32>>),
        NumericCategories(usize, Vec<(f64, u32)>),
    }
    let (mut plans, mut next_number, mut next_text, mut offset) = (Vec::new(), 0, 0, 0u32);
    for (&column, feature) in used.iter().zip(&encoding.features) {
        match (&feature.kind, layout.text[column]) {
            (FeatureKind::Numeric, false) => plans.push(Plan::Number(next_number)),
            (FeatureKind::Numeric, true) => {
                let got = &text[next_text];
                let odd = got.names.iter().position(|name| number::parse(name.as_bytes()).is_none()).unwrap_or(0);
                return Err(DataError::field(
                    got.first_lines[odd],
                    Some(&feature.name),
                    "a number, as in the training data",
                    got.names[odd].as_bytes(),
                )
                .at(path, 0));
            }
            (FeatureKind::OneHot(categories), true) => {
                let codes = (text[next_text].names.iter())
                    .map(|name| categories.binary_search(name).ok().map(|position| offset + position as u32))
                    .collect();
                plans.push(Plan::Codes(&text[next_text], codes));
            }
            (FeatureKind::OneHot(categories), false) => {
                let known = (categories.iter().enumerate())
                    .filter_map(|(position, name)| Some((number::parse(name.as_bytes())?, offset + position as u32)))
                    .collect();
                plans.push(Plan::NumericCategories(next_number, known));
            }
        }
        next_number += usize::from(!layout.text[column]);
        next_text += usize::from(layout.text[column]);
        offset += match &feature.kind {
            FeatureKind::Numeric => 1,
            FeatureKind::OneHot(categories) => categories.len() as u32,
        };
    }
    let width = next_number;
    let visit = |row: usize, put: &mut dyn FnMut(u32, f64)| {
        let mut column = 0u32;
        for (plan, feature) in plans.iter().zip(&encoding.features) {
            match plan {
                Plan::Number(position) => put(column, numeric[row * width + position]),
                Plan::Codes(text, codes) => {
                    if let Some(column) = codes[text.codes[row] as usize] {
                        put(column, 1.0);
                    }
                }
                Plan::NumericCategories(position, known) => {
                    let value = numeric[row * width + position];
                    if let Some(entry) = known.iter().find(|entry| entry.0 == value) {
                        put(entry.1, 1.0);
                    }
                }
            }
            column += match &feature.kind {
                FeatureKind::Numeric => 1,
                FeatureKind::OneHot(categories) => categories.len() as u32,
            };
        }
    };
    if (plans.len() as f64) < SPARSE_BELOW * columns as f64 {
        let mut sparse =
            SparseMatrix { rows, columns, row_starts: vec![0], column_indices: Vec::new(), values: Vec::new() };
        for row in 0..rows {
            visit(row, &mut |column, value| {
                if value != 0.0 {
                    sparse.column_indices.push(column);
                    sparse.values.push(value);
                }
            });
            sparse.row_starts.push(sparse.values.len());
        }
        return Ok(Matrix::Sparse(sparse));
    }
    let mut values = vec![0.0; rows * columns];
    for row in 0..rows {
        visit(row, &mut |column, value| values[row * columns + column as usize] = value);
    }
    Ok(Matrix::Dense(DenseMatrix { rows, columns, values }))
}
