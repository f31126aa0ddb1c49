//! CSV and TSV as exact numbers.

use infimum_problem::{ColumnNames, Format, LoadingRecipe};

use crate::csv::{self, Role, Table};
use crate::encode::{Plan, fresh_encoding, plans};
use crate::error::{DataError, Unit};
use crate::exact::numbers::{ExactNumbers, Number};
use crate::exact::points::{Base, Cells};
use crate::exact::targets::TargetColumn;
use crate::exact::{LoadingRequest, Read};
use crate::infer;
use crate::source::Source;
use crate::stream::BLOCK;
use crate::tabular::{Head, begin, demand_rows, guess_text};

/// Rows of a table.
struct Rows {
    table: Table<ExactNumbers>,
    plans: Vec<Plan>,
    number_width: usize,
}

impl Cells for Rows {
    fn rows(&self) -> usize {
        self.table.rows
    }

    #[inline(always)]
    fn visit(&self, row: usize, mut put: impl FnMut(u32, Number)) {
        let text_width = self.plans.len() - self.number_width;
        for plan in &self.plans {
            match plan {
                Plan::Number { from, to } => put(*to, self.table.numbers.get(row * self.number_width + from)),
                Plan::Text { from, to } => {
                    put(to[self.table.codes[row * text_width + from] as usize], Number::Short(1, 0))
                }
            }
        }
    }
}

/// Reads a table; `open` opens it anew.
pub(super) fn read(
    open: &dyn Fn() -> Result<Source, DataError>,
    format: Format,
    request: &LoadingRequest,
) -> Result<Read, DataError> {
    read_in_blocks(open, format, request, BLOCK)
}

/// The same, so many bytes a thread at a time.
pub(super) fn read_in_blocks(
    open: &dyn Fn() -> Result<Source, DataError>,
    format: Format,
    request: &LoadingRequest,
    block: usize,
) -> Result<Read, DataError> {
    let mut notes = Vec::new();
    let Head { path, mut layout, sample } = begin(open, format, request.header, &mut notes)?;
    let chosen = choose(&path, request, &layout.names)?;
    guess_text(&mut layout, &sample);
    for &column in &chosen {
        layout.roles[column] = Role::Target;
        // Labels are compared as they are written, so targets are text whatever they hold.
        layout.text[column] = true;
    }
    let (mut table, sha256) = csv::read::<ExactNumbers>(open, &mut layout, block)?;
    demand_rows(&path, table.rows, layout.header)?;
    let features: Vec<usize> =
        (0..layout.roles.len()).filter(|&column| layout.roles[column] == Role::Feature).collect();
    let mut in_file_order = chosen.clone();
    in_file_order.sort_unstable();
    let mut texts: Vec<_> = std::mem::take(&mut table.target_text).into_iter().map(Some).collect();
    let targets = (chosen.iter())
        .filter_map(|&column| {
            let fields = texts[in_file_order.binary_search(&column).ok()?].take()?;
            Some(TargetColumn { name: layout.names.name(column).into_owned(), fields, unit: Unit::Line })
        })
        .collect();
    let (encoding, names) = fresh_encoding(&layout, &features, &table.text, &mut notes);
    let plans = plans(&layout, &features, &table.text, &encoding, &mut notes);
    let number_width = plans.iter().filter(|plan| matches!(plan, Plan::Number { .. })).count();
    let names = ColumnNames::Named(names);
    let (points, scales) = super::finish(&path, &Rows { table, plans, number_width }, &names, Base::Ten)?;
    Ok(Read {
        points,
        scales,
        names,
        targets,
        recipe: LoadingRecipe {
            format,
            header: layout.header,
            targets: chosen.iter().map(|&column| infer::reference(&layout.names, column)).collect(),
        },
        sha256,
        notes,
    })
}

/// The target columns that are wanted, or by the rules.
pub(super) fn choose(path: &str, request: &LoadingRequest, names: &ColumnNames) -> Result<Vec<usize>, DataError> {
    if request.targets.is_empty() {
        return Ok(vec![infer::target(names)]);
    }
    let mut chosen = Vec::with_capacity(request.targets.len());
    for wanted in &request.targets {
        let column = match infer::column(path, wanted, names, "target") {
            Err(_) if request.may_lack_targets => continue,
            found => found?,
        };
        if chosen.contains(&column) {
            return Err(DataError::input(path, format!("column `{}` is a target twice", names.name(column))));
        }
        chosen.push(column);
    }
    Ok(chosen)
}
