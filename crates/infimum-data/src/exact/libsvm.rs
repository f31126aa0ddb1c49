//! LIBSVM text as exact numbers.

use infimum_problem::{ColumnNames, Format, LoadingRecipe};

use crate::csv::TextColumn;
use crate::error::{DataError, Unit};
use crate::exact::Read;
use crate::exact::numbers::{ExactNumbers, Number};
use crate::exact::points::{Base, Cells};
use crate::exact::targets::{OPEN, TargetColumn};
use crate::libsvm::{Labels, Part, for_each_part};
use crate::numbers::Numbers;
use crate::source::Source;

/// Rows of index–value pairs.
struct Rows {
    starts: Vec<usize>,
    indices: Vec<u32>,
    values: ExactNumbers,
}

impl Cells for Rows {
    fn rows(&self) -> usize {
        self.starts.len() - 1
    }

    #[inline(always)]
    fn visit(&self, row: usize, mut put: impl FnMut(u32, Number)) {
        for place in self.starts[row]..self.starts[row + 1] {
            put(self.indices[place], self.values.get(place));
        }
    }
}

/// A label is a number, or open.
fn push_label(labels: &mut TextColumn, label: &[u8], line: u64) -> Result<(), &'static str> {
    const EXPECTED: &str = "a number (or `?`) as label before `index:value` pairs";
    if label != OPEN.as_bytes() {
        crate::exact::decimal::parse(label).map_err(|expected| expected.unwrap_or(EXPECTED))?;
    }
    let text = std::str::from_utf8(label).map_err(|_| EXPECTED)?;
    labels.codes.push(labels.dictionary.code(text, line));
    Ok(())
}

/// Reads the whole file.
pub(super) fn read(mut source: Source) -> Result<Read, DataError> {
    let path = source.name.clone();
    let mut rows = Rows { starts: vec![0], indices: Vec::new(), values: ExactNumbers::default() };
    let (mut labels, mut largest, mut query_ids) = (TextColumn::default(), 0, false);
    let each = Labels { push: push_label, optional: false };
    for_each_part(&mut source, &each, |part: Part<ExactNumbers, TextColumn>, _, lines| {
        let before = rows.indices.len();
        rows.starts.extend(part.row_ends.iter().map(|end| before + end));
        rows.indices.extend_from_slice(&part.indices);
        rows.values.append(part.values);
        let codes = labels.dictionary.append(&part.labels.dictionary, lines);
        labels.codes.extend(part.labels.codes.iter().map(|&code| codes[code as usize]));
        largest = largest.max(part.largest);
        query_ids |= part.query_ids;
        Ok(())
    })?;
    let names = ColumnNames::numbered(largest as usize);
    let (points, scales) = super::finish(&path, &rows, &names, Base::Ten)?;
    let notes = if query_ids { vec!["`qid:` fields were skipped".to_string()] } else { Vec::new() };
    Ok(Read {
        points,
        scales,
        names,
        targets: vec![TargetColumn { name: "label".into(), fields: labels, unit: Unit::Line }],
        recipe: LoadingRecipe { format: Format::Libsvm, header: false, targets: Vec::new() },
        sha256: source.sha256()?,
        notes,
    })
}
