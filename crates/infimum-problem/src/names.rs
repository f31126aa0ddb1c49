//! Names of the columns of a matrix.

use std::borrow::Cow;

/// What the columns are called. Files without names call them by number; those take no memory a column, for files may be
/// millions of columns wide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ColumnNames {
    /// `"1"`, `"2"`, … without the numbers in `without` (increasing): the file's columns that are no features.
    Numbered {
        /// How many names there are.
        columns: usize,
        /// Numbers left out.
        without: Vec<usize>,
    },
    /// One name a column; they need not differ.
    Named(Vec<String>),
}

impl ColumnNames {
    /// `"1"` to `columns`.
    pub fn numbered(columns: usize) -> ColumnNames {
        ColumnNames::Numbered { columns, without: Vec::new() }
    }

    /// How many names there are.
    pub fn len(&self) -> usize {
        match self {
            ColumnNames::Numbered { columns, .. } => *columns,
            ColumnNames::Named(names) => names.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The name of a column.
    pub fn name(&self, column: usize) -> Cow<'_, str> {
        match self {
            ColumnNames::Named(names) => Cow::Borrowed(&names[column]),
            ColumnNames::Numbered { without, .. } => {
                let number =
                    without.iter().fold(column + 1, |number, &left_out| number + usize::from(left_out <= number));
                Cow::Owned(number.to_string())
            }
        }
    }

    /// All names in order.
    pub fn iter(&self) -> impl Iterator<Item = Cow<'_, str>> {
        (0..self.len()).map(|column| self.name(column))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_are_left_out() {
        let names = ColumnNames::Numbered { columns: 4, without: vec![1, 3, 4] };
        assert_eq!(names.iter().collect::<Vec<_>>(), ["2", "5", "6", "7"]);
        assert_eq!(ColumnNames::numbered(2).iter().collect::<Vec<_>>(), ["1", "2"]);
    }
}
