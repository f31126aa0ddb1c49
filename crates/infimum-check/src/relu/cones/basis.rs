//! The rows as `x_p = Tᵀ C_p`, `C_p ∈ R^r`, exactly.

use infimum_problem::Basis;
use infimum_rigor::{ExactSum, Interval, Sum};

use crate::relu::points::Points;

/// Coefficients have magnitudes in here, or are 0, so that their products with the rows' numbers are exact pairs.
const COEFFICIENTS: std::ops::RangeInclusive<f64> = 1e-150..=1e150;

/// Products have magnitudes in here, or are 0, for their errors to be `f64`.
const PRODUCTS: std::ops::RangeInclusive<f64> = 1e-280..=1e290;

/// Coordinates C_p of all rows, and `T Tᵀ`.
pub(super) struct Coordinates {
    /// r × M, row-major: coordinate j of all rows in one piece.
    pub(super) values: Vec<f64>,
    /// M.
    pub(super) points: usize,
    /// r.
    pub(super) places: usize,
    /// `T Tᵀ`, r × r; `None` where T = I.
    gram: Option<Vec<Interval>>,
}

impl Coordinates {
    /// Checks `x_p = Tᵀ C_p` for every row, by exact arithmetic.
    pub(super) fn new(points: &Points, basis: Option<&Basis>, r: usize) -> Result<Coordinates, String> {
        let (m, d) = (points.len(), points.dimension());
        let columns: Vec<usize> = match basis {
            None => (0..d).collect(),
            Some(basis) => basis.columns.iter().map(|&column| column as usize).collect(),
        };
        if columns.len() != r {
            return Err(format!("{r} lengths of the fan for {} coordinates", columns.len()));
        }
        if let Some(column) = columns.iter().find(|&&column| column >= d) {
            return Err(format!("the basis names column {column} of {d}"));
        }
        if let Some(Basis { coefficients, .. }) = basis {
            let fits = |t: &f64| *t == 0.0 || COEFFICIENTS.contains(&t.abs());
            if r.checked_mul(d) != Some(coefficients.len()) || !coefficients.iter().all(fits) {
                return Err(format!("{r}·{d} coefficients of the basis expected, each 0 or within 1e±150"));
            }
        }
        let mut values = vec![0.0; r * m];
        let (mut x, mut own) = (vec![0.0; d], vec![0.0; r]);
        for p in 0..m {
            points.fill(p, &mut x);
            for (j, &column) in columns.iter().enumerate() {
                own[j] = x[column];
                values[j * m + p] = x[column];
            }
            if let Some(Basis { coefficients, .. }) = basis
                && let Some(column) = (0..d).find(|&column| !combines(&own, coefficients, column, x[column]))
            {
                return Err(format!("distinct row {} is not what the basis makes of it in column {column}", p + 1));
            }
        }
        let gram = basis.map(|basis| gram(&basis.coefficients, r, d));
        Ok(Coordinates { values, points: m, places: r, gram })
    }

    /// A number that ‖Tᵀq‖ does not exceed.
    pub(super) fn norm(&self, q: &[f64]) -> f64 {
        let mut sum = Sum::new();
        match &self.gram {
            None => q.iter().for_each(|&q| sum.add_product(q, q)),
            Some(gram) => {
                for (&a, row) in q.iter().zip(gram.chunks_exact(self.places)) {
                    for (&b, &entry) in q.iter().zip(row) {
                        sum.add((Interval::point(a) * Interval::point(b) * entry).upper);
                    }
                }
            }
        }
        Interval::new(0.0, sum.enclose().upper.max(0.0)).sqrt().upper
    }
}

/// Whether `Σ_j own_j T_j,column = x`, exactly. Where every product and partial sum is an `f64` their errors are seen to be 0.
fn combines(own: &[f64], coefficients: &[f64], column: usize, x: f64) -> bool {
    let d = coefficients.len() / own.len().max(1);
    let products = || {
        own.iter().enumerate().map(|(j, &c)| (c, coefficients[j * d + column])).filter(|&(c, t)| c != 0.0 && t != 0.0)
    };
    let mut sum = ExactSum::new();
    let (mut plain, mut exact) = (0.0, true);
    for (c, t) in products() {
        let product: f64 = c * t;
        if !PRODUCTS.contains(&product.abs()) {
            return false;
        }
        let total: f64 = plain + product;
        let part = total - plain;
        let error = (plain - (total - part)) + (product - part);
        exact &= c.mul_add(t, -product) == 0.0 && error == 0.0;
        plain = total;
    }
    if exact {
        return plain == x;
    }
    for (c, t) in products() {
        let product = c * t;
        sum.add(product);
        sum.add(c.mul_add(t, -product));
    }
    sum.subtract(x);
    sum.is_zero()
}

fn gram(coefficients: &[f64], r: usize, d: usize) -> Vec<Interval> {
    let row = |j: usize| &coefficients[j * d..(j + 1) * d];
    let entry = |place: usize| {
        let mut sum = Sum::new();
        row(place / r).iter().zip(row(place % r)).for_each(|(&a, &b)| sum.add_product(a, b));
        sum.enclose()
    };
    (0..r * r).map(entry).collect()
}
