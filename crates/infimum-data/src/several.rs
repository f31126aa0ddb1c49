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

#[cfg(test)]
mod tests {
    use infimum_problem::{Split, Target};

    use super::*;
    use crate::canonical::{Loaded, ValidationTarget, load, rebuild};
    use crate::predict::{KnownTarget, read_for_prediction};

    const ROWS: &str = "x,a,w,b,c\n1,0,1,1,0.5\n2,1,2,TRUE,-1\n3,1,1,false,2\n4,0,0,0,3\n5,1,1,1,1e3\n";

    struct File(tempfile::TempDir);

    impl File {
        fn new(text: &str) -> File {
            let folder = tempfile::tempdir().expect("a folder");
            std::fs::write(folder.path().join("rows.csv"), text).expect("written");
            File(folder)
        }

        fn path(&self) -> String {
            self.0.path().join("rows.csv").display().to_string()
        }

        fn load(&self, targets: &str, request: Request) -> Result<Loaded, String> {
            let mut targets = targets.split(',').map(String::from);
            let request = Request { target: targets.next(), more_targets: targets.collect(), ..request };
            load(&self.path(), &request).map_err(|error| error.to_string())
        }
    }

    fn values(loaded: &Loaded) -> (Vec<String>, Vec<f64>) {
        match &loaded.problem.data.target {
            Target::Several { names, values } => (names.clone(), values.clone()),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn labels_and_numbers_are_read_in_the_order_asked_for() {
        let file = File::new(ROWS);
        let weighted = Request { sample_weight: Some("w".into()), ..Request::default() };
        let labels = file.load("b,a", weighted.clone()).expect("labels");
        // The fourth row has weight 0.
        let signs = vec![1.0, -1.0, 1.0, 1.0, -1.0, 1.0, 1.0, 1.0];
        assert_eq!(values(&labels), (vec!["b".into(), "a".into()], signs));
        assert_eq!((labels.problem.outputs(), labels.recipe.task), (2, Task::Classification));
        assert_eq!((labels.recipe.loss, labels.problem.data.columns()), (Loss::Logistic, 2));
        let numbers = file.load("c,a", weighted).expect("numbers");
        assert_eq!(values(&numbers).1, [0.5, 0.0, -1.0, 1.0, 2.0, 1.0, 1e3, 1.0]);
        assert_eq!(numbers.recipe.loss, Loss::Squared);
    }

    #[test]
    fn every_target_and_its_place_is_in_the_hash() {
        let file = File::new(ROWS);
        let hash = |text: &str, targets: &str| {
            let file = File::new(text);
            file.load(targets, Request::default()).expect("loads").problem_sha256
        };
        let original = hash(ROWS, "a,b");
        for (text, targets) in [
            (ROWS.to_string(), "b,a"),
            (ROWS.replace("2,1,2,TRUE", "2,1,2,0"), "a,b"),
            (ROWS.replace("1,0,1,1", "1,1,1,1"), "a,b"),
            (ROWS.replace("x,a,", "x,d,"), "d,b"),
        ] {
            assert_ne!(hash(&text, targets), original, "{targets}: {text}");
        }
        assert_eq!(hash(&ROWS.replace("TRUE", "1.0"), "2,4"), original, "how a label is written says nothing");
        let loaded = file.load("b,a", Request::default()).expect("loads");
        let again = rebuild(&file.path(), &loaded.recipe, None).expect("rebuilt");
        assert_eq!((again.problem_sha256, again.problem), (loaded.problem_sha256, loaded.problem));
    }

    #[test]
    fn rows_are_held_out_with_all_their_targets() {
        let split = Some(Split { fraction: 0.4, seed: 3 });
        let loaded = File::new(ROWS).load("a,b", Request { split, ..Request::default() }).expect("loads");
        let validation = loaded.validation.as_ref().expect("rows held out");
        let ValidationTarget::Several(held) = &validation.target else { panic!("{:?}", validation.target) };
        let all = [[-1.0, 1.0], [1.0, 1.0], [1.0, -1.0], [-1.0, -1.0], [1.0, 1.0]];
        let check = |matrix: &infimum_problem::Matrix, values: &[f64]| {
            assert_eq!(matrix.rows() * 2, values.len());
            for (i, pair) in values.chunks_exact(2).enumerate() {
                let mut x = 0.0;
                matrix.row(i).for_each(|j, value| x = if j == 0 { value } else { x });
                assert_eq!(pair, all[x as usize - 1]);
            }
        };
        check(&validation.matrix, held);
        check(&loaded.problem.data.matrix, &values(&loaded).1);
    }

    #[test]
    fn what_is_no_target_is_refused_with_its_place() {
        let cases = [
            (ROWS.replace("3,1,1,false", "3,1,1,"), "a,b", "line 4, column `b`: expected a target"),
            (ROWS.replace("3,1,1,false", "3,1,1,yes"), "a,b", "line 4, column `b`: expected 0 or 1 (or false, true)"),
            (ROWS.replace("3,1,1,false", "3,1,1,2"), "a,b", "row 3, column `b`: expected 0 or 1"),
            (ROWS.replace("3,1,1,false", "3,1,1,inf"), "a,b", "line 4, column `b`"),
            (ROWS.into(), "a,a", "column `a` is a target twice"),
            (ROWS.into(), "a,4,b", "column `b` is a target twice"),
            (ROWS.into(), "a,q", "there is no target column `q`"),
            (ROWS.into(), "x,a,w,b,c", "no feature columns are left"),
        ];
        for (text, targets, expected) in cases {
            let error = File::new(&text).load(targets, Request::default()).expect_err(expected);
            assert!(error.contains(expected), "{error}");
        }
        for (request, expected) in [
            (Request { sample_weight: Some("b".into()), ..Request::default() }, "`b` cannot be both target and weight"),
            (Request { loss: Some(Loss::Softmax), ..Request::default() }, "the loss softmax chooses one label"),
            (
                Request { class_weight: Some(infimum_problem::ClassWeight::Balanced), ..Request::default() },
                "class weights are for the classes of one target column",
            ),
        ] {
            let error = File::new(ROWS).load("a,b", request).expect_err(expected);
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn further_targets_follow_a_first() {
        let request = Request { more_targets: vec!["a".into()], ..Request::default() };
        let error = load(&File::new(ROWS).path(), &request).expect_err("no first target");
        assert!(error.to_string().contains("no first one"), "{error}");
    }

    #[test]
    fn a_label_without_examples_is_said() {
        let loaded = File::new(&ROWS.replace("TRUE", "0").replace(",1,0.5", ",0,0.5").replace(",1,1e3", ",0,1e3"))
            .load("a,b", Request::default())
            .expect("loads");
        assert!(loaded.notes.iter().any(|note| note == "target `b`: all training rows are 0"), "{:?}", loaded.notes);
    }

    #[test]
    fn predicting_needs_no_targets() {
        let loaded = File::new(ROWS).load("b,a", Request::default()).expect("loads");
        let read = |text: &str| {
            let file = File::new(text);
            read_for_prediction(&file.path(), &loaded.recipe, &loaded.encoding, &[]).expect("reads").target
        };
        assert_eq!(read("w,c,x\n1,2,3\n"), None);
        let Some(KnownTarget::Several(known)) = read("a,w,c,x\n1,1,2,3\n") else { panic!("one target is there") };
        assert!(known[0].is_nan() && known[1] == 1.0);
        let Some(KnownTarget::Several(known)) = read("a,w,c,x,b\n0,1,2,3,?\n") else { panic!("both are there") };
        assert!(known[0].is_nan() && known[1] == -1.0);
    }
}
