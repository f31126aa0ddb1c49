//! The simplex in integers: decides in all cases what the one in `f64` could not.
//!
//! `s_p = (1/D) Σ_j T[p][j]·v_j` for every wanted point p, at first over the weights and the bias (T = (x_p, 1), D = 1). A pivot divides exactly (Edmonds
//! 1967; Bareiss 1968), so the entries stay minors of the data. Bland's rule (1977) makes it end. A blocked row is a circuit with its multipliers.

use dashu_int::IBig;
use infimum_problem::Points;

use crate::separation::circuit::Side;
use crate::separation::engine::Terms;

/// What was found.
pub(crate) enum Exact {
    /// Weights over the group's columns and, last, the bias.
    Separated(Vec<IBig>),
    /// A circuit, multipliers positive for points wanted positive.
    Conflict(Terms),
    /// Told to stop.
    Stopped,
}

struct Integral {
    entries: Vec<Vec<IBig>>,
    denominator: IBig,
    /// Points are their place in `wanted`; weight j is `wanted.len() + j`.
    basic: Vec<usize>,
    nonbasic: Vec<usize>,
    /// Value of every nonbasic variable, by column.
    values: Vec<IBig>,
}

/// Separates the points wanted positive (1) from those wanted negative (−1).
pub(crate) fn separate(points: &Points, wanted: &[(u32, i8)], stop: &dyn Fn() -> bool) -> Exact {
    let n = points.columns() + 1;
    let m = wanted.len();
    let mut tableau = Integral {
        entries: (wanted.iter())
            .map(|&(p, _)| {
                let mut row = vec![IBig::ZERO; n];
                points.row(p as usize).into_iter().for_each(|(j, value)| row[j as usize] = value.into_owned());
                row[n - 1] = IBig::ONE;
                row
            })
            .collect(),
        denominator: IBig::ONE,
        basic: (0..m).collect(),
        nonbasic: (m..m + n).collect(),
        values: vec![IBig::ZERO; n],
    };
    // The weights' own rows, once they are basic, are rows like others: free.
    let side = |variable: usize| wanted.get(variable).map_or(0, |entry| entry.1);
    loop {
        if stop() {
            return Exact::Stopped;
        }
        let violated = (0..tableau.basic.len())
            .filter(|&i| {
                let value = tableau.value(i);
                match side(tableau.basic[i]) {
                    1 => value < tableau.denominator,
                    -1 => value > -&tableau.denominator,
                    _ => false,
                }
            })
            .min_by_key(|&i| tableau.basic[i]);
        let Some(i) = violated else {
            return Exact::Separated(tableau.weights(m, n));
        };
        let wanted_side = side(tableau.basic[i]);
        let enters = (0..n)
            .filter(|&j| {
                let entry = &tableau.entries[i][j];
                if entry.is_zero() {
                    return false;
                }
                let up = (*entry > IBig::ZERO) == (wanted_side > 0);
                // Nonbasic points stand at their bounds, so they move one way alone.
                match side(tableau.nonbasic[j]) {
                    1 => up,
                    -1 => !up,
                    _ => true,
                }
            })
            .min_by_key(|&j| tableau.nonbasic[j]);
        match enters {
            Some(j) => {
                tableau.pivot(i, j);
                tableau.values[j] = IBig::from(wanted_side);
            }
            None => return Exact::Conflict(tableau.circuit(i, wanted)),
        }
    }
}

impl Integral {
    /// D times the value of the basic variable of row i.
    fn value(&self, i: usize) -> IBig {
        self.entries[i].iter().zip(&self.values).map(|(entry, value)| entry * value).sum()
    }

    fn pivot(&mut self, i: usize, j: usize) {
        let mut pivot = self.entries[i][j].clone();
        let mut pivot_row = self.entries[i].clone();
        let negative = pivot < IBig::ZERO;
        for (l, row) in self.entries.iter_mut().enumerate().filter(|entry| entry.0 != i) {
            let _ = l;
            let factor = row[j].clone();
            for (k, value) in row.iter_mut().enumerate().filter(|entry| entry.0 != j) {
                *value = (&*value * &pivot - &factor * &pivot_row[k]) / &self.denominator;
            }
            row[j] = factor;
            if negative {
                row.iter_mut().for_each(|value| *value = -std::mem::take(value));
            }
        }
        pivot_row.iter_mut().for_each(|value| *value = -std::mem::take(value));
        pivot_row[j] = self.denominator.clone();
        if negative {
            pivot_row.iter_mut().for_each(|value| *value = -std::mem::take(value));
            pivot = -pivot;
        }
        self.entries[i] = pivot_row;
        self.denominator = pivot;
        std::mem::swap(&mut self.basic[i], &mut self.nonbasic[j]);
    }

    /// D times the weights.
    fn weights(&self, m: usize, n: usize) -> Vec<IBig> {
        let mut weights = vec![IBig::ZERO; n];
        for (i, &variable) in self.basic.iter().enumerate().filter(|entry| *entry.1 >= m) {
            weights[variable - m] = self.value(i);
        }
        for (j, &variable) in self.nonbasic.iter().enumerate().filter(|entry| *entry.1 >= m) {
            weights[variable - m] = &self.values[j] * &self.denominator;
        }
        weights
    }

    fn circuit(&self, i: usize, wanted: &[(u32, i8)]) -> Terms {
        let orientation = wanted[self.basic[i]].1;
        let mut terms = vec![(wanted[self.basic[i]].0, Side::of(&self.denominator * IBig::from(orientation)))];
        for (entry, &variable) in self.entries[i].iter().zip(&self.nonbasic) {
            // A blocked row has no entry for a weight.
            if let Some(point) = wanted.get(variable).filter(|_| !entry.is_zero()) {
                terms.push((point.0, Side::of(-entry * IBig::from(orientation))));
            }
        }
        terms
    }
}

#[cfg(test)]
mod tests {
    use infimum_problem::IntegerMatrix;

    use super::*;
    use crate::separation::circuit::balances;

    fn points(rows: &[&[i64]]) -> Points {
        let mut matrix = IntegerMatrix::new(rows[0].len());
        for row in rows {
            matrix.push_row(row.iter().enumerate().map(|(j, &value)| (j as u32, value)));
        }
        Points::Narrow(matrix)
    }

    #[test]
    fn exclusive_or_has_a_circuit_of_four() {
        let points = points(&[&[0, 0], &[0, 1], &[1, 0], &[1, 1]]);
        let wanted = [(0, -1), (1, 1), (2, 1), (3, -1)];
        let Exact::Conflict(terms) = separate(&points, &wanted, &|| false) else { panic!("not separable") };
        assert_eq!(terms.len(), 4);
        let signed = |side: &Side| IBig::from(side.multiplier.clone()) * if side.left { 1 } else { -1 };
        assert!(balances(&points, &terms.iter().map(|(p, side)| (*p, signed(side))).collect::<Vec<_>>()));
        assert!(terms.iter().all(|(p, side)| side.left == (wanted[*p as usize].1 > 0)));
    }

    #[test]
    fn found_weights_separate() {
        let points = points(&[&[3, 1], &[5, -2], &[-4, 7], &[0, 0], &[9, 9]]);
        let wanted = [(0, 1), (1, 1), (2, -1), (3, 1), (4, -1)];
        let Exact::Separated(weights) = separate(&points, &wanted, &|| false) else { panic!("separable") };
        for (p, side) in wanted {
            let mut sum = weights[2].clone();
            points.row(p as usize).into_iter().for_each(|(j, value)| sum += &weights[j as usize] * &*value);
            assert!(sum * IBig::from(side) > IBig::ZERO);
        }
    }
}
