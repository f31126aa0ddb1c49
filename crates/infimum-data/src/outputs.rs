//! Outputs that somebody else's model gave for the rows of a file: a matrix of numbers, one row for each.

use std::io::BufReader;

use infimum_problem::Values;

use crate::error::DataError;
use crate::npy::{Array, read_array};
use crate::number;
use crate::source::open_file;

/// Given outputs, row after row.
#[derive(Debug, Clone, PartialEq)]
pub struct OutputRows {
    /// Number of rows.
    pub rows: usize,
    /// Numbers in a row.
    pub columns: usize,
    /// All of them.
    pub values: Vec<f64>,
}

/// Reads a `.npy` array of one or two dimensions, or text with a row of numbers (separated by commas, semicolons, tabs or spaces) on each line, the first
/// of which may be names.
pub fn read_outputs(path: &str) -> Result<OutputRows, DataError> {
    let (file, length) = open_file(path)?;
    if path.ends_with(".npy") {
        let Array { shape, values, .. } = read_array::<Values>(&mut BufReader::new(file), path, length)?;
        let (rows, columns) = match shape[..] {
            [rows] => (rows, 1),
            [rows, columns] => (rows, columns),
            _ => {
                let dimensions = shape.len();
                return Err(DataError::input(
                    path,
                    format!("expected an array of rows, got one of {dimensions} dimensions"),
                ));
            }
        };
        return Ok(OutputRows { rows, columns, values: (0..values.len()).map(|at| values.get(at)).collect() });
    }
    let text =
        std::fs::read(path).map_err(|error| DataError::Unreadable { path: path.into(), why: error.to_string() })?;
    parse(&text).map_err(|error| error.at(path, 0))
}

fn parse(text: &[u8]) -> Result<OutputRows, DataError> {
    let (mut rows, mut columns, mut values) = (0, 0, Vec::new());
    let mut first = true;
    for (line, text) in (1u64..).zip(text.split(|&byte| byte == b'\n')) {
        let is_space = |byte: &u8| matches!(byte, b',' | b';' | b'\t' | b' ' | b'\r');
        let fields: Vec<&[u8]> = text.split(is_space).filter(|field| !field.is_empty()).collect();
        let is_first = first;
        first &= fields.is_empty();
        if fields.is_empty() || is_first && fields.iter().all(|field| number::parse(field).is_none()) {
            continue;
        }
        if rows > 0 && fields.len() != columns {
            let expected = format!("{columns} numbers as on the lines before");
            return Err(DataError::field(line, None, &expected, text));
        }
        columns = fields.len();
        for field in fields {
            values.push(number::parse(field).ok_or_else(|| DataError::field(line, None, "a number", field))?);
        }
        rows += 1;
    }
    Ok(OutputRows { rows, columns, values })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_every_line() {
        let read = |text: &str| parse(text.as_bytes());
        let two = OutputRows { rows: 2, columns: 2, values: vec![0.5, -1.0, 2e3, 0.0] };
        for text in ["a,b\n0.5,-1\n2e3,0\n", "0.5 -1\r\n2e3\t0", "\n0.5;-1\n\n2e3; 0\n"] {
            assert_eq!(read(text), Ok(two.clone()), "{text:?}");
        }
        assert_eq!(read(""), Ok(OutputRows { rows: 0, columns: 0, values: Vec::new() }));
        for (text, line) in [("1,2\n3\n", "line 2"), ("1\nx\n", "line 2"), ("a,1\n", "line 1")] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(line), "{error}");
        }
    }
}
