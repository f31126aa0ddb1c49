//! Small sets as text.

use std::io::Write;

use crate::generate::{Output, Writer};

/// A row: columns (from 0, increasing) and values of what is not 0, and the label.
pub(super) type Example = (Vec<(usize, f64)>, u8);

/// Writes rows; the target is called `y`.
pub(super) fn write(names: &[String], rows: &[Example], output: Output, out: &mut Writer) -> std::io::Result<()> {
    if output == Output::Svm {
        for (entries, label) in rows {
            write!(out, "{label}")?;
            entries.iter().try_for_each(|(column, value)| write!(out, " {}:{value}", column + 1))?;
            writeln!(out)?;
        }
        return Ok(());
    }
    writeln!(out, "{},y", names.join(","))?;
    for (entries, label) in rows {
        let mut entries = entries.iter().peekable();
        for column in 0..names.len() {
            match entries.next_if(|entry| entry.0 == column) {
                Some((_, value)) => write!(out, "{value},")?,
                None => write!(out, "0,")?,
            }
        }
        writeln!(out, "{label}")?;
    }
    Ok(())
}

/// `x1`, `x2`, ….
pub(super) fn numbered(columns: usize) -> Vec<String> {
    (1..=columns).map(|column| format!("x{column}")).collect()
}

/// A row of all values.
pub(super) fn dense(values: impl IntoIterator<Item = f64>, label: bool) -> Example {
    (values.into_iter().enumerate().filter(|entry| entry.1 != 0.0).collect(), u8::from(label))
}
