//! Problems of rows of small integers, for the tests of this crate, inside and outside.

use infimum_problem::{ColumnNames, ColumnScale, IntegerMatrix, LoadingProblem, Network, Points};

/// Rows, the targets of all outputs row by row, and a network.
pub(crate) fn of_rows(rows: &[Vec<i64>], targets: Vec<Option<bool>>, network: Network) -> LoadingProblem {
    let d = rows[0].len();
    assert_eq!(network.fault(d), None);
    let mut matrix = IntegerMatrix::new(d);
    rows.iter().for_each(|row| matrix.push_row((0..).zip(row.iter().copied()).filter(|entry| entry.1 != 0)));
    LoadingProblem {
        points: Points::Narrow(matrix),
        scales: vec![ColumnScale::default(); d],
        column_names: ColumnNames::numbered(d),
        targets,
        output_names: network.outputs.iter().map(ToString::to_string).collect(),
        network,
    }
}
