//! What the user did not say: format, header, target column. Every choice is a fixed rule, recorded in the recipe.

use infimum_problem::Format;

use crate::error::DataError;
use crate::number;

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
        _ => {}
    }
    if head.starts_with(b"\x93NUMPY") {
        return Format::Npy;
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

/// Whether the first of the sampled records names the columns: some column has a name there above numbers only, or no
/// field of the record is a number and none of them comes again in its column (so a single record of words is a header
/// without rows).
pub(crate) fn header(sample: &[Vec<String>]) -> bool {
    let Some((first, rest)) = sample.split_first() else {
        return false;
    };
    let is_number = |text: &str| number::parse(text.as_bytes()).is_some();
    if first.iter().any(|field| is_number(field)) {
        return false;
    }
    let above_numbers = (0..first.len()).any(|column| {
        !number::is_missing(first[column].as_bytes())
            && rest.iter().all(|record| record.get(column).is_some_and(|field| is_number(field)))
    });
    let recurs = (0..first.len()).any(|column| rest.iter().any(|record| record.get(column) == Some(&first[column])));
    above_numbers || !recurs
}

/// Index of the column called `wanted`: by name, by number from 1, or `-1` for the last.
pub(crate) fn column(path: &str, wanted: &str, names: &[String], what: &str) -> Result<usize, DataError> {
    let mut found = (0..names.len()).filter(|&column| names[column] == wanted);
    if let Some(first) = found.next() {
        return match found.next() {
            None => Ok(first),
            Some(_) => {
                let message =
                    format!("the {what} column `{wanted}` is not unique; give its number (1 to {})", names.len());
                Err(DataError::input(path, message))
            }
        };
    }
    match wanted.parse::<i64>() {
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

/// The target column when none was named.
pub(crate) fn target(names: &[String]) -> usize {
    TARGET_NAMES
        .iter()
        .find_map(|wanted| names.iter().position(|name| name.eq_ignore_ascii_case(wanted)))
        .unwrap_or(names.len().saturating_sub(1))
}
