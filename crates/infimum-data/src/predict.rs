//! Reading rows for a trained model.

use infimum_problem::{Encoding, Format, Matrix, Recipe, Target, Task};

use crate::canonical::{Request, ValidationTarget, label, number_label};
use crate::error::DataError;
use crate::raw::{Encode, RawTarget, read};

/// Targets that the file happens to hold.
#[derive(Debug, Clone, PartialEq)]
pub enum KnownTarget {
    /// Regression; NaN where the file holds no usable number.
    Real(Vec<f64>),
    /// Index into the model's labels; `None` where the file holds none of them.
    Classes(Vec<Option<u32>>),
    /// Several targets, K for each row: 1 and −1 of labels, else numbers; NaN where the file holds none that is usable.
    Several(Vec<f64>),
}

impl From<&Target> for KnownTarget {
    /// The training rows' targets, all of them known.
    fn from(target: &Target) -> KnownTarget {
        match target {
            Target::Real(values) => KnownTarget::Real(values.clone()),
            Target::Class { classes, .. } => KnownTarget::Classes(classes.iter().map(|&class| Some(class)).collect()),
            Target::Several { values, .. } => KnownTarget::Several(values.clone()),
        }
    }
}

impl From<&ValidationTarget> for KnownTarget {
    fn from(target: &ValidationTarget) -> KnownTarget {
        match target {
            ValidationTarget::Real(values) => KnownTarget::Real(values.clone()),
            ValidationTarget::Classes(classes) => KnownTarget::Classes(classes.clone()),
            ValidationTarget::Several(values) => KnownTarget::Several(values.clone()),
        }
    }
}

/// Rows encoded as the model expects, and targets if there are any.
#[derive(Debug, Clone)]
pub struct Prediction {
    /// Features.
    pub matrix: Matrix,
    /// Targets, where the file has them.
    pub target: Option<KnownTarget>,
    /// Remarks for the user.
    pub notes: Vec<String>,
}

/// Reads `source` with the encoding of a model. Columns are found by name where there is a header, else by position;
/// the target and weight columns may be present or absent, and no target is a reason to refuse the file.
pub fn read_for_prediction(
    source: &str,
    recipe: &Recipe,
    encoding: &Encoding,
    labels: &[String],
) -> Result<Prediction, DataError> {
    // A model of a built-in set is applied to files of the same columns.
    let builtin = source.starts_with("builtin:");
    let format =
        if recipe.format == Format::Builtin { builtin.then_some(Format::Builtin) } else { Some(recipe.format) };
    let has_columns = recipe.format.has_columns();
    let request = Request {
        format,
        header: has_columns.then_some(recipe.header),
        target: has_columns.then(|| recipe.target.clone()),
        more_targets: recipe.more_targets.clone(),
        sample_weight: recipe.sample_weight.clone(),
        ..Request::default()
    };
    let raw = read(source, &request, &Encode::Fixed { encoding, labels: recipe.task == Task::Classification })?;
    let place = |name: &str| labels.iter().position(|label| label == name).map(|position| position as u32);
    let target = match (raw.target, recipe.task) {
        (RawTarget::Numeric(values), Task::Regression) => Some(KnownTarget::Real(values)),
        (RawTarget::Numeric(values), Task::Classification) => {
            Some(KnownTarget::Classes(values.iter().map(|value| place(&number_label(*value))).collect()))
        }
        (RawTarget::Text(text), Task::Classification) => {
            let places: Vec<Option<u32>> = text.dictionary.names.iter().map(|name| place(&label(name))).collect();
            Some(KnownTarget::Classes(text.codes.iter().map(|&code| places[code as usize]).collect()))
        }
        (RawTarget::Several { values, .. }, Task::Regression) => Some(KnownTarget::Several(values)),
        (RawTarget::Several { values, .. }, Task::Classification) => {
            let sign = |value: f64| match value {
                1.0 => 1.0,
                0.0 => -1.0,
                _ => f64::NAN,
            };
            Some(KnownTarget::Several(values.into_iter().map(sign).collect()))
        }
        (RawTarget::Text(_), Task::Regression) | (RawTarget::Absent, _) => None,
    };
    Ok(Prediction { matrix: raw.matrix, target, notes: raw.notes })
}
