//! What the user did not say: format, header, target column. Every choice is a fixed rule, recorded in the recipe.

use infimum_problem::{ColumnNames, Format};

use crate::error::DataError;
use crate::{idx, images, number};

/// Column names that mean "this is the target".
const TARGET_NAMES: [&str; 4] = ["target", "label", "class", "y"];

/// The format by file name, or by the first bytes (decompressed) where the name does not tell.
pub(crate) fn format(name: &str, head: &[u8]) -> Format {
    if name.starts_with("builtin:") {
        return Format::Builtin;
    }
    let lower = name.to_ascii_lowercase();
    match lower.trim_end_matches(".gz").rsplit('.').next() {
        Some("csv") => return Format::Csv,
        Some("tsv") => return Format::Tsv,
        Some("svm" | "libsvm" | "svmlight") => return Format::Libsvm,
        Some("npy") => return Format::Npy,
        Some("npz") => return Format::Npz,
        Some("parquet") => return Format::Parquet,
        _ => {}
    }
    if head.starts_with(b"\x93NUMPY") {
        return Format::Npy;
    }
    if head.starts_with(b"PAR1") {
        return Format::Parquet;
    }
    if idx::is_idx(head) {
        return Format::Idx;
    }
    if images::is_image(head) {
        return Format::Images;
    }
    if head.starts_with(b"PK\x03\x04") {
        return Format::Npz;
    }
    let line = head.split(|&byte| byte == b'\n').find(|line| !line.trim_ascii().is_empty() && line[0] != b'#');
    let line = line.unwrap_or_default();
    let mut tokens = line.split(u8::is_ascii_whitespace).filter(|token| !token.is_empty());
    let first_is_number = tokens.next().is_some_and(|token| number::parse(token).is_some());
    let rest: Vec<&[u8]> = tokens.take_while(|token| token[0] != b'#').collect();
    if first_is_number && !rest.is_empty() && rest.iter().all(|token| is_pair(token)) {
        return Format::Libsvm;
    }
    let count = |byte| memchr::memchr_iter(byte, line).count();
    if count(b'\t') > count(b',') { Format::Tsv } else { Format::Csv }
}

fn is_pair(token: &[u8]) -> bool {
    let Some(colon) = memchr::memchr(b':', token) else {
        return false;
    };
    &token[..colon] == b"qid" || (colon > 0 && token[..colon].iter().all(u8::is_ascii_digit))
}

/// Whether the first of the sampled records names the columns. It does if
/// 1. a word stands there in a column of numbers (and marks for missing ones), whatever the other names are; or
/// 2. one of its words is what targets are called and does not come again in its column; or
/// 3. none of its fields is a number and none comes again in its column (so a single record of words is a header).
pub(crate) fn header(sample: &[Vec<Vec<u8>>]) -> bool {
    let Some((first, rest)) = sample.split_first() else {
        return false;
    };
    let is_number = |field: &[u8]| !number::is_word(field) && !number::is_missing(field);
    let below = |column: usize| rest.iter().filter_map(move |record| record.get(column));
    let recurs = |column: usize| below(column).any(|field| *field == first[column]);
    let names_a_column = |column: usize| {
        let above_numbers =
            below(column).any(|field| is_number(field)) && !below(column).any(|field| number::is_word(field));
        let means_target = TARGET_NAMES.iter().any(|name| first[column].eq_ignore_ascii_case(name.as_bytes()));
        number::is_word(&first[column]) && (above_numbers || means_target && !recurs(column))
    };
    (0..first.len()).any(names_a_column) || !(0..first.len()).any(|column| is_number(&first[column]) || recurs(column))
}

/// The refusal of a column that is both target and weight.
pub(crate) fn both(path: &str, column: &str) -> DataError {
    DataError::input(path, format!("column `{column}` cannot be both target and weight"))
}

/// Index of the column that `wanted` refers to: the one of that name, or of that number from 1 (`#3` is column 3 where
/// another is called `3`), or the last (`-1`).
pub(crate) fn column(path: &str, wanted: &str, names: &ColumnNames, what: &str) -> Result<usize, DataError> {
    // Columns that are called by their numbers are found by them.
    if let ColumnNames::Named(names) = names {
        let mut found = (0..names.len()).filter(|&column| names[column] == wanted);
        match (found.next(), found.next()) {
            (Some(column), None) => return Ok(column),
            (Some(_), Some(_)) => {
                let message =
                    format!("the {what} column `{wanted}` is not unique; give its number (1 to {})", names.len());
                return Err(DataError::input(path, message));
            }
            _ => {}
        }
    }
    match wanted.trim_start_matches('#').parse::<i64>() {
        Ok(-1) if !names.is_empty() => Ok(names.len() - 1),
        Ok(number) if number >= 1 && number as usize <= names.len() => Ok(number as usize - 1),
        _ => {
            let shown = names.iter().take(20).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
            let more = if names.len() > 20 { format!(" and {} more", names.len() - 20) } else { String::new() };
            let message = format!("there is no {what} column `{wanted}`; the columns are {shown}{more}");
            Err(DataError::input(path, message))
        }
    }
}

/// What finds the column again in [`column`]: its name if it has one of its own, else its number, after as many `#` as it takes
/// to be no column's name.
pub(crate) fn reference(names: &ColumnNames, column: usize) -> String {
    let name = names.name(column);
    let ColumnNames::Named(all) = names else {
        return name.into_owned();
    };
    if !name.is_empty() && all.iter().filter(|other| **other == name).count() == 1 {
        return name.into_owned();
    }
    let mut number = (column + 1).to_string();
    while all.contains(&number) {
        number.insert(0, '#');
    }
    number
}

/// The target column when none was named.
pub(crate) fn target(names: &ColumnNames) -> usize {
    let called = |wanted: &&str| names.iter().position(|name| name.eq_ignore_ascii_case(wanted));
    let found = if let ColumnNames::Named(_) = names { TARGET_NAMES.iter().find_map(called) } else { None };
    found.unwrap_or(names.len().saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_find_their_column_again() {
        for names in [["q", "3", "q"], ["a", "a", "#2"], ["3", "#3", "3"], ["", "", "x"], ["-1", "1", "-1"]] {
            let names = ColumnNames::Named(names.map(String::from).to_vec());
            for wanted in 0..3 {
                let found = column("f", &reference(&names, wanted), &names, "target");
                assert_eq!(found, Ok(wanted), "{names:?}");
            }
        }
    }

    #[test]
    fn first_lines_that_are_names() {
        let records = |text: &str| -> Vec<Vec<Vec<u8>>> {
            text.lines().map(|line| line.split(',').map(|field| field.as_bytes().to_vec()).collect()).collect()
        };
        for text in [
            "a,b,y\n1,2,0\n3,4,1",
            "0,1,2,target\n1,2,3,0\n4,5,6,1",
            "2019,2020,2021,y\n1,2,3,no\n4,5,6,yes",
            "a,a,y\n1,NA,0\n2,3,1",
            "colour,kind\nred,large\nblue,small",
            "a,b",
        ] {
            assert!(header(&records(text)), "{text}");
        }
        for text in
            ["1,2,0\n3,4,1", "2019,2020,2021,2022\n1.5,2.5,3.5,4", "5.1,rose\n4.2,rose\n3.1,lily", "1,?\n2,3", "1,2"]
        {
            assert!(!header(&records(text)), "{text}");
        }
    }
}
