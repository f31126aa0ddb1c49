//! Several target columns: an output for each of them (docs/canonical-problem.md, section 2, step 5).

use infimum_problem::{Loss, Task};

use crate::canonical::Request;
use crate::csv::{Layout, Role, TextColumn};
use crate::error::DataError;
use crate::raw::RawTarget;
use crate::rows::split_values;
use crate::{infer, number};

impl Request {
    /// All target columns that were named.
    pub(crate) fn targets(&self) -> impl Iterator<Item = &String> {
        self.target.iter().chain(&self.more_targets)
    }

    /// Whether there are several of them.
    pub(crate) fn has_several(&self) -> bool {
        !self.more_targets.is_empty()
    }
}

/// The refusal of a column that is named twice.
pub(crate) fn twice(path: &str, column: &str) -> DataError {
    DataError::input(path, format!("column `{column}` is a target twice"))
}

/// Columns of numbers side by side.
pub(crate) fn side_by_side(names: Vec<String>, columns: &[Vec<f64>]) -> RawTarget {
    let rows = columns.first().map_or(0, Vec::len);
    RawTarget::Several { names, values: (0..rows).flat_map(|row| columns.iter().map(move |c| c[row])).collect() }
}

/// The target columns of a table, whose fields were read as text, in the order in which they are wanted. When predicting they may lack; then, and
/// where a field is no number, there is NaN.
pub(crate) fn of_table(
    path: &str,
    request: &Request,
    layout: &Layout,
    texts: &[TextColumn],
    rows: usize,
) -> Result<RawTarget, DataError> {
    let there: Vec<usize> = (0..layout.roles.len()).filter(|&column| layout.roles[column] == Role::Target).collect();
    if there.is_empty() {
        return Ok(RawTarget::Absent);
    }
    let (mut names, mut columns) = (Vec::new(), Vec::new());
    for wanted in request.targets() {
        let column = infer::column(path, wanted, &layout.names, "target");
        let found =
            column.as_ref().ok().and_then(|column| Some((*column, texts.get(there.binary_search(column).ok()?)?)));
        let Some((column, text)) = found else {
            if !layout.fixed {
                column?;
            }
            names.push(wanted.clone());
            columns.push(vec![f64::NAN; rows]);
            continue;
        };
        names.push(infer::reference(&layout.names, column));
        columns.push(numbers(path, &layout.names.name(column), text, layout.fixed)?);
    }
    Ok(side_by_side(names, &columns))
}

/// The numbers that the fields of a target column mean; 1 is `true` as well, 0 `false`.
fn numbers(path: &str, name: &str, text: &TextColumn, fixed: bool) -> Result<Vec<f64>, DataError> {
    let TextColumn { codes, dictionary } = text;
    let mut meanings = Vec::with_capacity(dictionary.names.len());
    for (field, &line) in dictionary.names.iter().zip(&dictionary.first_lines) {
        let number = match number::parse(field.as_bytes()) {
            _ if number::is_missing(field.as_bytes()) => Err("a target (remove the rows without one)"),
            Some(value) => number::objection(value).map_or(Ok(value), Err),
            None if field.eq_ignore_ascii_case("true") => Ok(1.0),
            None if field.eq_ignore_ascii_case("false") => Ok(0.0),
            None => Err("0 or 1 (or false, true), or a number, as there are several target columns"),
        };
        meanings.push(match number {
            Ok(value) => value,
            Err(_) if fixed => f64::NAN,
            Err(expected) => {
                return Err(DataError::field(line, Some(name), expected, field.as_bytes()).at(path, 0));
            }
        });
    }
    Ok(codes.iter().map(|&code| meanings[code as usize]).collect())
}

/// What is predicted, if nobody said it: labels where every column looks like one of classes.
pub(crate) fn infer_task(values: &[f64], width: usize, of_one: impl Fn(&[f64]) -> Task) -> (Task, &'static str) {
    let column = |k: usize| values.iter().skip(k).step_by(width).copied().collect::<Vec<f64>>();
    if (0..width).all(|k| of_one(&column(k)) == Task::Classification) {
        (Task::Classification, "each target has at most 20 distinct integers")
    } else {
        (Task::Regression, "a target has fractions, or more than 20 distinct values")
    }
}

/// Makes 1 and −1 of 1 and 0.
pub(crate) fn signs(path: &str, names: &[String], values: &mut [f64]) -> Result<(), DataError> {
    for (entry, value) in values.iter_mut().enumerate() {
        *value = match *value {
            1.0 => 1.0,
            0.0 => -1.0,
            other => {
                let message = format!(
                    "row {}, column `{}`: expected 0 or 1, since each of several target columns is a label that a row has or has not \
                     (--task regression for numbers), got {other}",
                    entry / names.len() + 1,
                    names[entry % names.len()]
                );
                return Err(DataError::input(path, message));
            }
        };
    }
    Ok(())
}

/// Why a loss cannot be that of several targets, if it cannot.
pub(crate) fn misfit(loss: Loss) -> Option<String> {
    (loss == Loss::Softmax).then(|| {
        "the loss softmax chooses one label; several target columns have a loss each: use logistic, hinge or squared-hinge".into()
    })
}

/// Remarks about labels that all training rows have, or none.
pub(crate) fn constant_labels(names: &[String], values: &[f64]) -> Vec<String> {
    let share = |k: usize| values.iter().skip(k).step_by(names.len());
    let remark = |k: usize| {
        let what = if share(k).all(|&y| y > 0.0) {
            "1"
        } else if share(k).all(|&y| y < 0.0) {
            "0"
        } else {
            return None;
        };
        Some(format!("target `{}`: all training rows are {what}", names[k]))
    };
    (0..names.len()).filter_map(remark).collect()
}

/// [`split_values`] of values of which every row has `width`.
pub(crate) fn split_records(values: &mut Vec<f64>, width: usize, keep: &[bool]) -> Vec<f64> {
    let keep: Vec<bool> = keep.iter().flat_map(|&kept| std::iter::repeat_n(kept, width)).collect();
    split_values(values, &keep)
}
