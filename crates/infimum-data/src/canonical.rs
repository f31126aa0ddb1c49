//! From a file to the canonical problem, by docs/canonical-problem.md, section 2.

use infimum_problem::{
    ClassWeight, Dataset, Encoding, Format, Gamma, Intercept, Kernel, KernelRequest, Loss, Matrix, Problem, Recipe,
    Source, SpillFault, Split, Strength, Subset, Target, Task,
};

use crate::csv::TextColumn;
use crate::error::DataError;
use crate::hash::DataHash;
use crate::kernel;
use crate::memory::Memory;
use crate::number;
use crate::raw::{Encode, Raw, RawTarget, read};
use crate::rows::{split_rows, split_values};
use crate::several;
use crate::variant::Rows;

/// Integer targets with at most this many distinct values are classes.
const MOST_CLASSES: usize = 20;

/// What the user said; `None` is inferred and then recorded in the recipe.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// File format.
    pub format: Option<Format>,
    /// Whether the first line names the columns.
    pub header: Option<bool>,
    /// Target column.
    pub target: Option<String>,
    /// Further target columns, an output for each of all.
    pub more_targets: Vec<String>,
    /// Weight column.
    pub sample_weight: Option<String>,
    /// Classification or regression.
    pub task: Option<Task>,
    /// Class weights; default uniform.
    pub class_weight: Option<ClassWeight>,
    /// Held-out rows; default none.
    pub split: Option<Split>,
    /// Which of the training rows are used; default all.
    pub subset: Option<Subset>,
    /// Whether the penalty is weighted by standard deviations.
    pub standardize: bool,
    /// Loss; default by task and number of classes.
    pub loss: Option<Loss>,
    /// Treatment of the constant term; default free.
    pub intercept: Option<Intercept>,
    /// Penalty strength; default C = 1.
    pub strength: Option<Strength>,
    /// Kernel; default none, a linear model.
    pub kernel: Option<KernelRequest>,
    /// Limit on memory; it changes no problem, only where the matrix is.
    pub memory: Option<Memory>,
}

/// Held-out targets.
#[derive(Debug, Clone, PartialEq)]
pub enum ValidationTarget {
    /// Regression.
    Real(Vec<f64>),
    /// Index into the training labels; `None` for a label that no training row has.
    Classes(Vec<Option<u32>>),
    /// Several targets, K for each row: 1 and −1 of labels, else numbers.
    Several(Vec<f64>),
}

/// Held-out rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Validation {
    /// Features.
    pub matrix: Matrix,
    /// Targets.
    pub target: ValidationTarget,
}

/// A problem and everything that is known about where it came from.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// Training rows and objective.
    pub problem: Problem,
    /// Held-out rows, if a split was asked for.
    pub validation: Option<Validation>,
    /// Everything resolved.
    pub recipe: Recipe,
    /// How a row of such a file becomes a row of the matrix.
    pub encoding: Encoding,
    /// File and hash of its bytes.
    pub source: Source,
    /// Hash of the canonical problem.
    pub problem_sha256: String,
    /// Remarks for the user about what was inferred or changed.
    pub notes: Vec<String>,
    /// Hash of the rows alone.
    pub(crate) data_hash: DataHash,
    /// Limit on memory.
    pub(crate) memory: Option<Memory>,
}

/// Reads `source` (a path or `builtin:NAME`) and builds the problem that the request asks for.
pub fn load(source: &str, request: &Request) -> Result<Loaded, DataError> {
    if request.target.is_none() && !request.more_targets.is_empty() {
        return Err(DataError::input(source, "further target columns are named, but no first one"));
    }
    let raw = read(source, request, &Encode::Fresh)?;
    build(source, raw, request)
}

/// Reads `source` and builds the problem of a recipe; infers nothing.
pub fn rebuild(source: &str, recipe: &Recipe, memory: Option<Memory>) -> Result<Loaded, DataError> {
    let has_columns = recipe.format.has_columns();
    let request = Request {
        format: Some(recipe.format),
        header: Some(recipe.header),
        target: has_columns.then(|| recipe.target.clone()),
        more_targets: recipe.more_targets.clone(),
        sample_weight: recipe.sample_weight.clone(),
        task: Some(recipe.task),
        class_weight: Some(recipe.class_weight.clone()),
        split: recipe.split,
        subset: recipe.subset,
        standardize: recipe.standardize,
        loss: Some(recipe.loss),
        intercept: Some(recipe.intercept),
        strength: Some(recipe.strength),
        kernel: recipe.kernel.map(|kernel| match kernel {
            Kernel::Rbf { gamma } => KernelRequest::Rbf(Gamma::Value(gamma)),
            Kernel::Polynomial { gamma, degree, coef0 } => {
                KernelRequest::Polynomial { gamma: Gamma::Value(gamma), degree, coef0 }
            }
        }),
        memory,
    };
    load(source, &request)
}

/// The label of a field: numbers in their shortest decimal form, other text as it is.
pub(crate) fn label(field: &str) -> String {
    match number::parse(field.as_bytes()) {
        Some(value) if value.is_finite() => number_label(value),
        _ => field.to_string(),
    }
}

pub(crate) fn number_label(value: f64) -> String {
    format!("{}", if value == 0.0 { 0.0 } else { value })
}

/// Labels of all rows as codes into a list of distinct labels.
fn label_codes(target: &RawTarget) -> (Vec<u32>, Vec<String>) {
    let mut names: Vec<String> = Vec::new();
    let mut lookup = std::collections::HashMap::new();
    let mut code_of = |label: String| {
        *lookup.entry(label).or_insert_with_key(|label| {
            names.push(label.clone());
            names.len() as u32 - 1
        })
    };
    let codes = match target {
        RawTarget::Numeric(values) => {
            let mut known: std::collections::HashMap<u64, u32> = std::collections::HashMap::new();
            (values.iter())
                .map(|&value| {
                    let value = if value == 0.0 { 0.0 } else { value };
                    *known.entry(value.to_bits()).or_insert_with(|| code_of(number_label(value)))
                })
                .collect()
        }
        RawTarget::Text(TextColumn { codes, dictionary }) => {
            let map: Vec<u32> = dictionary.names.iter().map(|name| code_of(label(name))).collect();
            codes.iter().map(|&code| map[code as usize]).collect()
        }
        RawTarget::Several { .. } | RawTarget::Absent => Vec::new(),
    };
    (codes, names)
}

fn infer_task(target: &RawTarget) -> (Task, &'static str) {
    match target {
        RawTarget::Numeric(values) => infer_task_of(values),
        RawTarget::Several { names, values } => {
            several::infer_task(values, names.len(), |column| infer_task_of(column).0)
        }
        RawTarget::Text(_) | RawTarget::Absent => (Task::Classification, "the target is text"),
    }
}

fn infer_task_of(values: &[f64]) -> (Task, &'static str) {
    let mut distinct: Vec<f64> = Vec::new();
    for &value in values {
        if value.fract() != 0.0 {
            return (Task::Regression, "the target has fractions");
        }
        if !distinct.contains(&value) {
            distinct.push(value);
            if distinct.len() > MOST_CLASSES {
                return (Task::Regression, "the target has more than 20 distinct values");
            }
        }
    }
    (Task::Classification, "the target has at most 20 distinct integers")
}

fn build(path: &str, mut raw: Raw, request: &Request) -> Result<Loaded, DataError> {
    let fail = |message: String| Err(DataError::input(path, message));
    let memory = request.memory.as_ref();
    let mut notes = std::mem::take(&mut raw.notes);
    let rows = raw.matrix.rows();
    if raw.matrix.columns() == 0 {
        return fail("no feature columns are left beside the target; expected at least one".into());
    }
    if rows == 0 {
        return fail("there are no rows".into());
    }
    if u32::try_from(raw.matrix.columns()).is_err() {
        return fail(format!("{} columns; expected fewer than 4294967296", raw.matrix.columns()));
    }
    let (task, reason) = match request.task {
        Some(task) => (task, "asked for"),
        None => match request.loss {
            Some(loss) if !loss.is_classification() => (Task::Regression, "the loss is for numbers"),
            Some(_) => (Task::Classification, "the loss is for classes"),
            None => infer_task(&raw.target),
        },
    };
    let word = if task == Task::Classification { "classification" } else { "regression" };
    if request.task.is_none() {
        notes.push(format!("task: {word} ({reason}); --task overrides"));
    }
    if let Some(loss) = request.loss
        && loss.is_classification() != (task == Task::Classification)
    {
        let can: Vec<&str> = (Loss::ALL.iter())
            .filter(|other| other.is_classification() != loss.is_classification())
            .map(|other| other.name())
            .collect();
        return fail(format!(
            "the loss {} does not fit the task {word}; losses that do: {}",
            loss.name(),
            can.join(", ")
        ));
    }
    let output_names = match &mut raw.target {
        RawTarget::Several { names, .. } => std::mem::take(names),
        _ => Vec::new(),
    };
    let width = output_names.len().max(1);
    let misfit = || request.loss.filter(|_| width > 1).and_then(several::misfit);
    if let Some(why) = request.loss.and_then(Loss::objection).or_else(misfit) {
        return fail(why);
    }
    let class_weight = request.class_weight.clone().unwrap_or(ClassWeight::Uniform);
    if task == Task::Regression && class_weight != ClassWeight::Uniform {
        return fail("class weights need classes, but the task is regression; use --sample-weight or --task".into());
    }
    if width > 1 && class_weight != ClassWeight::Uniform {
        return fail("class weights are for the classes of one target column; use --sample-weight".into());
    }
    let intercept = request.intercept.unwrap_or(Intercept::Free);
    if request.standardize && intercept != Intercept::Free {
        return fail(format!(
            "--standardize needs --intercept free (with intercept {} shifting a column would change the problem)",
            intercept.name()
        ));
    }
    let sample_weights = raw.weights.take();
    let mut weights = sample_weights.unwrap_or_else(|| vec![1.0; rows]);
    // Hold out, then drop rows of weight 0.
    let mut keep = vec![true; rows];
    if let Some(split) = request.split {
        keep = kept(path, rows, split)?;
    }
    let mut target = raw.target;
    // Rows that the source sets apart go behind the others until all labels are known.
    let apart = raw.held_out.take().filter(|_| request.split.is_none());
    let mut held_matrix = None;
    if let Some((matrix, others)) = apart
        && target.append(others)
    {
        keep.resize(rows + matrix.rows(), false);
        held_matrix = Some(matrix);
    }
    if let (Task::Regression, RawTarget::Text(text)) = (task, &target) {
        let dictionary = &text.dictionary;
        let odd = dictionary.first(number::is_word).unwrap_or(0);
        let expected = "a number, since the task is regression (or use --task classification)";
        let (line, got) = (dictionary.first_lines[odd], dictionary.names[odd].as_bytes());
        let field = DataError::field(line, Some(&raw.target_name), expected, got);
        return Err(field.at(path, 0));
    }
    let (mut codes, names) = if task == Task::Classification { label_codes(&target) } else { (Vec::new(), Vec::new()) };
    if let (Task::Classification, RawTarget::Several { values, .. }) = (task, &mut target) {
        several::signs(path, &output_names, values)?;
    } else if task == Task::Classification {
        target = RawTarget::Absent;
    }
    let mut real = match target {
        RawTarget::Numeric(values) | RawTarget::Several { values, .. } => values,
        RawTarget::Text(_) | RawTarget::Absent => Vec::new(),
    };
    if let Some(loss) = request.loss
        && let Some((entry, expected)) = real.iter().enumerate().find_map(|(entry, &y)| Some((entry, loss.refuses(y)?)))
    {
        return fail(format!("the target of row {} is {}; expected {expected}", entry / width + 1, real[entry]));
    }
    if request.split.is_some() {
        held_matrix = Some(split_rows(&mut raw.matrix, &keep, path, memory)?);
        split_values(&mut weights, &keep);
    }
    let (mut held_codes, mut held_real) = (Vec::new(), Vec::new());
    if held_matrix.is_some() {
        (held_codes, held_real) = split_targets(&mut codes, (&mut real, width), &keep);
    }
    let positive: Vec<bool> = weights.iter().map(|&weight| weight > 0.0).collect();
    let zero = positive.iter().filter(|&&positive| !positive).count();
    if zero > 0 {
        split_rows(&mut raw.matrix, &positive, path, memory)?;
        split_values(&mut weights, &positive);
        split_targets(&mut codes, (&mut real, width), &positive);
        notes.push(format!("{zero} rows have weight 0 and were left out"));
    }
    if weights.is_empty() {
        return fail("no training row has a positive weight".into());
    }
    let (target, held_target, factors) = if width > 1 {
        if task == Task::Classification {
            notes.extend(several::constant_labels(&output_names, &real));
        }
        (Target::Several { names: output_names, values: real }, ValidationTarget::Several(held_real), Vec::new())
    } else if task == Task::Classification {
        let (labels, rank) = ordered_labels(&codes, &names);
        if labels.len() < 2 {
            let message = format!(
                "classification needs at least two classes, but all {} training rows have the label `{}`; check --target",
                weights.len(),
                labels.first().map(String::as_str).unwrap_or_default()
            );
            return fail(message);
        }
        let class = |code: &u32| rank[*code as usize];
        let classes: Vec<u32> = codes.iter().filter_map(class).collect();
        let factors = class_factors(path, &class_weight, &labels, &classes, &weights)?;
        let held = ValidationTarget::Classes(held_codes.iter().map(class).collect());
        (Target::Class { labels, classes }, held, factors)
    } else {
        (Target::Real(real), ValidationTarget::Real(held_real), Vec::new())
    };
    if let Target::Class { classes, .. } = &target {
        weights.iter_mut().zip(classes).for_each(|(weight, &class)| *weight *= factors[class as usize]);
    }
    if let Some(row) = weights.iter().position(|weight| !(weight.is_normal() && (1e-100..=1e100).contains(weight))) {
        return fail(format!(
            "training row {} has the weight {:e}; expected a number in [1e-100, 1e100]",
            row + 1,
            weights[row]
        ));
    }
    let binary = matches!(&target, Target::Class { labels, .. } if labels.len() == 2) || width > 1;
    let kernel = match request.kernel {
        None => None,
        Some(wanted) if wanted != KernelRequest::Linear && raw.matrix.is_spilled() => {
            return fail("a kernel needs all rows in memory, and they are more than --memory allows".into());
        }
        Some(wanted) => {
            let (kernel, note) = kernel::resolve(wanted, &raw.matrix).map_err(|why| DataError::input(path, why))?;
            notes.push(note);
            kernel
        }
    };
    let loss = request.loss.unwrap_or(match (task, binary) {
        (Task::Regression, _) if kernel.is_some() => Loss::Epsilon(0.1),
        (Task::Classification, _) if kernel.is_some() => Loss::Hinge,
        (Task::Regression, _) => Loss::Squared,
        (Task::Classification, true) => Loss::Logistic,
        (Task::Classification, false) => Loss::Softmax,
    });
    let total_weight: f64 = weights.iter().sum();
    let recipe = Recipe {
        format: raw.format,
        header: raw.header,
        target: target.names().first().cloned().unwrap_or(raw.target_name),
        more_targets: target.names().iter().skip(1).cloned().collect(),
        sample_weight: raw.weight_name,
        task,
        class_weight,
        split: request.split,
        subset: None,
        standardize: request.standardize,
        loss,
        intercept,
        strength: request.strength.unwrap_or(Strength::C(1.0)),
        kernel,
    };
    let rows = Rows {
        data: Dataset { matrix: raw.matrix, column_names: raw.names, target, weights, total_weight },
        validation: held_matrix.map(|matrix| Validation { matrix, target: held_target }),
    };
    let rows = match request.subset {
        Some(subset) => rows.cut(path, subset, memory)?,
        None => rows,
    };
    let recipe = Recipe { subset: request.subset, ..recipe };
    let source = Source { path: path.into(), sha256: raw.sha256 };
    Loaded::new(rows, recipe, raw.encoding, source, notes, request.memory.clone())
}

/// Keeps the targets of some rows and gives those of the others; of numbers each row has `width`.
fn split_targets(codes: &mut Vec<u32>, (real, width): (&mut Vec<f64>, usize), keep: &[bool]) -> (Vec<u32>, Vec<f64>) {
    let held_codes = if codes.is_empty() { Vec::new() } else { split_values(codes, keep) };
    let held_real = if real.is_empty() { Vec::new() } else { several::split_records(real, width, keep) };
    (held_codes, held_real)
}

/// Which rows are kept: all but those with the smallest keys (ties by row).
fn kept(path: &str, rows: usize, split: Split) -> Result<Vec<bool>, DataError> {
    if !(split.fraction > 0.0 && split.fraction < 1.0) {
        let message = format!("--valid expects a fraction in (0, 1), got {}", split.fraction);
        return Err(DataError::input(path, message));
    }
    let count = (split.fraction * rows as f64).round() as usize;
    if count == 0 || count == rows {
        let message =
            format!("--valid {} of {rows} rows leaves one side empty; choose another fraction", split.fraction);
        return Err(DataError::input(path, message));
    }
    let start = split.seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let key = |row: usize| splitmix64(start.wrapping_add(row as u64));
    // The keys of different rows differ, for splitmix64 is a bijection.
    let mut keys: Vec<u64> = (0..rows).map(key).collect();
    let (_, &mut first_kept, _) = keys.select_nth_unstable(count);
    Ok((0..rows).map(|row| key(row) >= first_kept).collect())
}

/// The finaliser of splitmix64 (Steele, Lea, Flood, *Fast splittable pseudorandom number generators*, OOPSLA 2014).
pub(crate) fn splitmix64(state: u64) -> u64 {
    let mut x = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

/// The labels that occur, in order, and for each code its place among them.
fn ordered_labels(codes: &[u32], names: &[String]) -> (Vec<String>, Vec<Option<u32>>) {
    let mut occurs = vec![false; names.len()];
    codes.iter().for_each(|&code| occurs[code as usize] = true);
    let mut order: Vec<usize> = (0..names.len()).filter(|&code| occurs[code]).collect();
    let values: Vec<Option<f64>> = names.iter().map(|name| number::parse(name.as_bytes())).collect();
    if order.iter().all(|&code| values[code].is_some()) {
        order.sort_by(|&a, &b| values[a].unwrap_or(0.0).total_cmp(&values[b].unwrap_or(0.0)));
    } else {
        order.sort_by(|&a, &b| names[a].cmp(&names[b]));
    }
    let mut rank = vec![None; names.len()];
    order.iter().enumerate().for_each(|(place, &code)| rank[code] = Some(place as u32));
    (order.into_iter().map(|code| names[code].clone()).collect(), rank)
}

fn class_factors(
    path: &str,
    class_weight: &ClassWeight,
    labels: &[String],
    classes: &[u32],
    weights: &[f64],
) -> Result<Vec<f64>, DataError> {
    match class_weight {
        ClassWeight::Uniform => Ok(vec![1.0; labels.len()]),
        ClassWeight::Balanced => {
            let mut sums = vec![0.0; labels.len()];
            classes.iter().zip(weights).for_each(|(&class, weight)| sums[class as usize] += weight);
            let total: f64 = weights.iter().sum();
            Ok(sums.iter().map(|sum| total / (labels.len() as f64 * sum)).collect())
        }
        ClassWeight::Given(given) => {
            let mut factors = vec![1.0; labels.len()];
            for (place, (name, factor)) in given.iter().enumerate() {
                let wanted = label(name);
                if given[..place].iter().any(|(earlier, _)| label(earlier) == wanted) {
                    let message = format!("--class-weight has two weights for the label `{wanted}`; give one");
                    return Err(DataError::input(path, message));
                }
                let position = labels.iter().position(|label| *label == wanted).ok_or_else(|| {
                    let message =
                        format!("--class-weight names the label `{name}`; the labels are {}", labels.join(", "));
                    DataError::input(path, message)
                })?;
                if !(*factor > 0.0 && factor.is_finite()) {
                    let message = format!("--class-weight of `{name}`: expected a number > 0, got {factor}");
                    return Err(DataError::input(path, message));
                }
                factors[position] = *factor;
            }
            Ok(factors)
        }
    }
}

pub(crate) fn lambdas(path: &str, strength: Strength, total: f64) -> Result<(f64, f64), DataError> {
    let (lambda1, lambda2) = match strength {
        Strength::C(c) => {
            if !(c > 0.0 && c.is_finite()) {
                return Err(DataError::input(path, format!("--C expects a number > 0, got {c}")));
            }
            (0.0, 1.0 / c)
        }
        Strength::PerExample { l1, l2 } => {
            if !(l1 >= 0.0 && l2 >= 0.0 && l1.is_finite() && l2.is_finite()) {
                let message = format!("--l1 and --l2 expect numbers ≥ 0, got l1 {l1}, l2 {l2}");
                return Err(DataError::input(path, message));
            }
            (l1 * total, l2 * total)
        }
    };
    for (name, lambda) in [("l1", lambda1), ("l2", lambda2)] {
        if lambda != 0.0 && !(1e-100..=1e100).contains(&lambda) {
            let message = format!(
                "the penalty {name} times the total weight is {lambda:e}; expected 0 or a number in [1e-100, 1e100]"
            );
            return Err(DataError::input(path, message));
        }
    }
    Ok((lambda1, lambda2))
}

/// Population standard deviations in row order, 1 for columns that are constant.
pub(crate) fn standard_deviations(matrix: &Matrix) -> Result<Vec<f64>, SpillFault> {
    let (n, d) = (matrix.rows() as f64, matrix.columns());
    let mut mean = vec![0.0; d];
    let mut stored = vec![0usize; d];
    let (mut low, mut high) = (vec![f64::INFINITY; d], vec![f64::NEG_INFINITY; d]);
    matrix.for_each_row(|_, row| {
        row.for_each(|j, x| {
            mean[j] += x;
            stored[j] += 1;
            low[j] = low[j].min(x);
            high[j] = high[j].max(x);
        });
    })?;
    mean.iter_mut().for_each(|mean| *mean /= n);
    let mut squares = vec![0.0; d];
    matrix.for_each_row(|_, row| row.for_each(|j, x| squares[j] += (x - mean[j]) * (x - mean[j])))?;
    let deviations = (0..d)
        .map(|j| {
            let zeros = matrix.rows() - stored[j];
            if zeros > 0 {
                squares[j] += zeros as f64 * (mean[j] * mean[j]);
                low[j] = low[j].min(0.0);
                high[j] = high[j].max(0.0);
            }
            let deviation = (squares[j] / n).sqrt();
            let usable = high[j] > low[j] && (1e-100..=1e100).contains(&deviation);
            if usable { deviation } else { 1.0 }
        })
        .collect();
    Ok(deviations)
}
