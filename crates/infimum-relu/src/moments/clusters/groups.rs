//! Which rows are in a cluster together: products of their slacks are bounded beside each other.

use super::super::blocks::{Rows, dot};

/// Rows whose directions have a larger cosine are not put into one cluster: the products of their slacks are determined by what is known of each,
/// and leave the relaxation no interior.
const PARALLEL: f64 = 1.0 - 1e-5;

/// Disjoint clusters of at most `size` rows that cover all of them. The row with the largest `importance` that is left takes those
/// with the most parallel or opposite directions (of the pairs, these have the most to gain: two slacks are as good as one another where rows are parallel,
/// and independent where they are orthogonal).
pub(super) fn groups(rows: &Rows, importance: &[f64], size: usize) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..rows.len()).collect();
    order.sort_by(|&a, &b| importance[b].total_cmp(&importance[a]));
    let mut free = vec![true; rows.len()];
    let mut out = Vec::new();
    for &seed in &order {
        if !free[seed] {
            continue;
        }
        free[seed] = false;
        let mut members = vec![seed];
        if size > 1 {
            let x = rows.unit.col_as_slice(seed);
            let mut near: Vec<(f64, usize)> =
                (0..rows.len()).filter(|&i| free[i]).map(|i| (dot(x, rows.unit.col_as_slice(i)).abs(), i)).collect();
            near.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
            for (_, i) in near {
                let y = rows.unit.col_as_slice(i);
                if members.iter().all(|&j| dot(y, rows.unit.col_as_slice(j)).abs() <= PARALLEL) {
                    free[i] = false;
                    members.push(i);
                    if members.len() == size {
                        break;
                    }
                }
            }
        }
        out.push(members);
    }
    out
}
