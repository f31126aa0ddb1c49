//! NPY, NPZ and IDX as exact numbers: floating-point numbers are dyadic rationals.

use std::collections::HashMap;

use dashu_int::IBig;
use infimum_problem::{ColumnNames, Format, LoadingRecipe};

use crate::csv::TextColumn;
use crate::digest::StreamDigest;
use crate::error::{DataError, Unit};
use crate::exact::decimal::plain_binary;
use crate::exact::numbers::{ExactNumbers, Number};
use crate::exact::points::{Base, Cells};
use crate::exact::table::choose;
use crate::exact::targets::TargetColumn;
use crate::exact::{LoadingRequest, Read};
use crate::npy::{Array, Npz, read_array};
use crate::source::Source;
use crate::{arrays, idx, number};

/// Rows of an array without some of its columns (increasing).
pub(super) struct Rows {
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) values: ExactNumbers,
    pub(super) without: Vec<usize>,
}

impl Cells for Rows {
    fn rows(&self) -> usize {
        self.rows
    }

    #[inline(always)]
    fn visit(&self, row: usize, mut put: impl FnMut(u32, Number)) {
        let (mut start, mut to) = (0, 0);
        for &end in self.without.iter().chain([&self.columns]) {
            for column in start..end {
                put(to, self.values.get(row * self.columns + column));
                to += 1;
            }
            start = end + 1;
        }
    }
}

/// Refuses an array with an element that is no finite number.
fn check(values: &ExactNumbers, columns: usize, name: &str) -> Result<(), DataError> {
    match values.unusable {
        None => Ok(()),
        Some((place, value)) => {
            let expected = number::objection(value).unwrap_or(number::PRESENT);
            Err(DataError::element(name, place / columns, place % columns, expected, value))
        }
    }
}

/// Numbers as labels.
fn labels(name: &str, numbers: &ExactNumbers, places: impl Iterator<Item = usize>) -> TargetColumn {
    let mut fields = TextColumn::default();
    let mut known: HashMap<(IBig, i32), u32> = HashMap::new();
    let mut short: HashMap<(i64, i32), u32> = HashMap::new();
    for (row, place) in places.enumerate() {
        let mut new = |mantissa: &IBig, exponent: i32| {
            fields.dictionary.code(&plain_binary(mantissa, exponent as i16), row as u64 + 1)
        };
        let code = match numbers.get(place) {
            Number::Short(mantissa, exponent) => {
                *short.entry((mantissa, exponent)).or_insert_with(|| new(&mantissa.into(), exponent))
            }
            Number::Long(mantissa, exponent) => {
                *known.entry((mantissa.clone(), exponent)).or_insert_with(|| new(mantissa, exponent))
            }
        };
        fields.codes.push(code);
    }
    TargetColumn { name: name.into(), fields, unit: Unit::Row }
}

/// A two-dimensional array's shape.
fn two_dimensional(shape: &[usize], name: &str) -> Result<(usize, usize), DataError> {
    match *shape {
        [rows, columns] => Ok((rows, columns)),
        _ => Err(arrays::not_a_matrix(shape, name)),
    }
}

/// Reads one array; the targets are columns of it, the last unless others are wanted.
pub(super) fn read_npy(mut source: Source, request: &LoadingRequest) -> Result<Read, DataError> {
    let path = source.name.clone();
    let most = source.most_bytes();
    let Array { shape, values, .. } = read_array::<ExactNumbers>(&mut source, &path, most)?;
    let (rows, columns) = two_dimensional(&shape, &path)?;
    check(&values, columns, &path)?;
    let all = ColumnNames::numbered(columns);
    if columns == 0 {
        return Err(DataError::input(&path, "the array has no columns; expected features and a target"));
    }
    let chosen = choose(&path, request, &all)?;
    let targets = (chosen.iter())
        .map(|&column| labels(&all.name(column), &values, (0..rows).map(|row| row * columns + column)))
        .collect();
    let mut without = chosen.clone();
    without.sort_unstable();
    let names = ColumnNames::Numbered {
        columns: columns - chosen.len(),
        without: without.iter().map(|column| column + 1).collect(),
    };
    let (points, scales) = super::finish(&path, &Rows { rows, columns, values, without }, &names, Base::Two)?;
    Ok(Read {
        points,
        scales,
        names,
        targets,
        recipe: LoadingRecipe {
            format: Format::Npy,
            header: false,
            targets: chosen.iter().map(|&column| all.name(column).into_owned()).collect(),
        },
        sha256: source.sha256()?,
        notes: Vec::new(),
    })
}

/// Reads a zip of arrays; features and targets are arrays of it.
pub(super) fn read_npz(mut npz: Npz, sha256: String, request: &LoadingRequest) -> Result<Read, DataError> {
    let path = npz.name.clone();
    let inside = |array: &str| format!("{path}, array `{array}`");
    let (features, chosen) = arrays::feature_and_targets(&npz, &request.targets)?;
    let Array { shape, values, .. } = npz.array::<ExactNumbers>(&features)?;
    let (rows, columns) = two_dimensional(&shape, &inside(&features))?;
    check(&values, columns, &inside(&features))?;
    let mut targets = Vec::with_capacity(chosen.len());
    for name in &chosen {
        let Array { shape, values, .. } = npz.array::<ExactNumbers>(name)?;
        arrays::one_for_each(&shape, rows, &inside(name))?;
        check(&values, 1, &inside(name))?;
        targets.push(labels(name, &values, 0..rows));
    }
    let names = ColumnNames::numbered(columns);
    let (points, scales) =
        super::finish(&path, &Rows { rows, columns, values, without: Vec::new() }, &names, Base::Two)?;
    Ok(Read {
        points,
        scales,
        names,
        targets,
        recipe: LoadingRecipe { format: Format::Npz, header: false, targets: chosen },
        sha256,
        notes: Vec::new(),
    })
}

/// Reads images and their labels; `name` is the images file or the folder.
pub(super) fn read_idx(name: &str) -> Result<Read, DataError> {
    let (images, beside) = idx::files(name)?;
    let Some(beside) = beside else {
        return Err(idx::without_labels(&images));
    };
    let mut read = read_pair(Source::open(&images)?, |digest| Source::open_after(&beside, digest))?;
    read.notes.push(format!("labels: `{beside}`"));
    Ok(read)
}

/// Reads images and labels; `open_labels` continues the hash of the images' stored bytes.
pub(super) fn read_pair(
    mut source: Source,
    open_labels: impl FnOnce(StreamDigest) -> Result<Source, DataError>,
) -> Result<Read, DataError> {
    let images = source.name.clone();
    let Array { shape, values, .. } = idx::read_array::<ExactNumbers>(&mut source)?;
    let (rows, columns) = idx::rows_and_columns(&shape, &images)?;
    check(&values, columns, &images)?;
    let mut source = open_labels(source.digest()?)?;
    let Array { values: numbers, .. } = idx::label_values::<ExactNumbers>(&mut source, rows, &images)?;
    check(&numbers, 1, &source.name)?;
    let targets = vec![labels("label", &numbers, 0..rows)];
    let names = ColumnNames::numbered(columns);
    let (points, scales) =
        super::finish(&images, &Rows { rows, columns, values, without: Vec::new() }, &names, Base::Two)?;
    Ok(Read {
        points,
        scales,
        names,
        targets,
        recipe: LoadingRecipe { format: Format::Idx, header: false, targets: Vec::new() },
        sha256: source.sha256()?,
        notes: Vec::new(),
    })
}
