//! Exact rank reduction: rows as exact combinations of fewer of their columns.

use infimum_rigor::ExactSum;

use crate::Points;

/// `x_p = C_p T` exactly, C_p the entries of x_p in `columns`.
#[derive(Debug)]
pub(super) struct Reduction {
    /// r columns, ascending.
    pub(super) columns: Vec<usize>,
    /// T, r × D row-major; the identity in `columns`.
    pub(super) coefficients: Vec<f64>,
    /// D.
    pub(super) dimension: usize,
}

/// Columns whose part orthogonal to those before is shorter than this, relative to them, are tried as combinations.
const DEPENDENT: f64 = 1e-9;

/// Smallest pivot of T Tᵀ with unit diagonal at which it is still inverted: rounding is amplified by no more than its
/// inverse.
const WELL_CONDITIONED: f64 = 1e-4;

/// Finds r columns, and coefficients which are checked in exact arithmetic; a column that is not exactly such a
/// combination counts as independent. `None` if D = 0, if a number is not finite, or if more than `largest` columns are
/// needed.
///
/// Columns are orthogonalised one after the other (modified Gram–Schmidt, twice), the last one, which may be the
/// constant, first. The coefficients of a dependent column are those of least squares, rounded to multiples of 2^-20 of
/// a power of two.
pub(super) fn reduce(points: &Points, largest: usize) -> Option<Reduction> {
    let dimension = points.dimension;
    if dimension == 0 || points.values.iter().any(|value| !value.is_finite()) {
        return None;
    }
    let column = |j: usize| (0..points.len()).map(|p| points.point(p)[j]).collect::<Vec<f64>>();
    let mut pivots: Vec<usize> = Vec::new();
    let mut directions: Vec<Vec<f64>> = Vec::new();
    let mut combinations: Vec<Option<Vec<(usize, f64)>>> = vec![None; dimension];
    for j in (0..dimension).rev() {
        let mut rest = column(j);
        let scale = rest.iter().fold(0.0f64, |largest, value| largest.max(value.abs()));
        if scale == 0.0 {
            combinations[j] = Some(Vec::new());
            continue;
        }
        rest.iter_mut().for_each(|value| *value /= scale);
        let length = norm(&rest);
        for _ in 0..2 {
            for direction in &directions {
                let along = dot(&rest, direction);
                rest.iter_mut().zip(direction).for_each(|(value, d)| *value -= along * d);
            }
        }
        let left = norm(&rest);
        if left <= DEPENDENT * length
            && let Some(combination) = exact_combination(points, j, &pivots)
        {
            combinations[j] = Some(combination);
            continue;
        }
        pivots.push(j);
        if pivots.len() > largest {
            return None;
        }
        if left > DEPENDENT * length {
            rest.iter_mut().for_each(|value| *value /= left);
            directions.push(rest);
        }
    }
    if pivots.is_empty() {
        // All rows are 0.
        pivots.push(0);
        combinations[0] = None;
    }
    let mut reduction = assemble(dimension, pivots, &combinations);
    if !well_conditioned(&reduction) {
        if dimension > largest {
            return None;
        }
        reduction = assemble(dimension, (0..dimension).collect(), &vec![None; dimension]);
    }
    Some(reduction)
}

fn assemble(dimension: usize, mut columns: Vec<usize>, combinations: &[Option<Vec<(usize, f64)>>]) -> Reduction {
    columns.sort_unstable();
    let mut coefficients = vec![0.0; columns.len() * dimension];
    for (place, &pivot) in columns.iter().enumerate() {
        let row = &mut coefficients[place * dimension..(place + 1) * dimension];
        row[pivot] = 1.0;
        for (j, combination) in combinations.iter().enumerate() {
            let of_pivot = combination.iter().flatten().find(|&&(column, _)| column == pivot);
            if let Some(&(_, coefficient)) = of_pivot {
                row[j] = coefficient;
            }
        }
    }
    Reduction { columns, coefficients, dimension }
}

impl Reduction {
    /// Row j of T.
    pub(super) fn row(&self, j: usize) -> &[f64] {
        &self.coefficients[j * self.dimension..(j + 1) * self.dimension]
    }

    /// T Tᵀ, r × r row-major.
    pub(super) fn gram(&self) -> Vec<f64> {
        let r = self.columns.len();
        (0..r * r).map(|entry| dot(self.row(entry / r), self.row(entry % r))).collect()
    }
}

/// Cholesky factor L (lower, row-major) of a matrix with order n; `None` unless it is positive definite.
pub(super) fn cholesky(matrix: &[f64], n: usize) -> Option<Vec<f64>> {
    let mut factor = vec![0.0; n * n];
    for i in 0..n {
        for j in 0..=i {
            let rest = matrix[i * n + j] - (0..j).map(|k| factor[i * n + k] * factor[j * n + k]).sum::<f64>();
            factor[i * n + j] = match i == j {
                true if rest > 0.0 && rest.is_finite() => rest.sqrt(),
                true => return None,
                false => rest / factor[j * n + j],
            };
        }
    }
    Some(factor)
}

fn well_conditioned(reduction: &Reduction) -> bool {
    let (r, mut gram) = (reduction.columns.len(), reduction.gram());
    let scales: Vec<f64> = (0..r).map(|j| gram[j * r + j].sqrt()).collect();
    (0..r * r).for_each(|entry| gram[entry] /= scales[entry / r] * scales[entry % r]);
    cholesky(&gram, r).is_some_and(|factor| (0..r).all(|j| factor[j * r + j].powi(2) > WELL_CONDITIONED))
}

/// Column j as an exact combination of the columns `pivots`.
fn exact_combination(points: &Points, j: usize, pivots: &[usize]) -> Option<Vec<(usize, f64)>> {
    let n = pivots.len();
    let scale_of = |j: usize| (0..points.len()).fold(0.0f64, |largest, p| largest.max(points.point(p)[j].abs()));
    let scales: Vec<f64> = pivots.iter().map(|&pivot| scale_of(pivot)).collect();
    let own = scale_of(j);
    let mut gram = vec![0.0; n * n];
    let mut right = vec![0.0; n];
    for p in 0..points.len() {
        let row = points.point(p);
        for a in 0..n {
            let value = row[pivots[a]] / scales[a];
            right[a] += value * (row[j] / own);
            (0..n).for_each(|b| gram[a * n + b] += value * (row[pivots[b]] / scales[b]));
        }
    }
    let factor = cholesky(&gram, n)?;
    let solution = solve(&factor, n, &right);
    let combination: Vec<(usize, f64)> = (0..n)
        .map(|a| (pivots[a], rounded(solution[a] * (own / scales[a]))))
        .filter(|&(_, coefficient)| coefficient != 0.0)
        .collect();
    (0..points.len()).all(|p| is_combination(points.point(p), j, &combination)).then_some(combination)
}

fn solve(factor: &[f64], n: usize, right: &[f64]) -> Vec<f64> {
    let mut x = right.to_vec();
    for i in 0..n {
        let known: f64 = (0..i).map(|k| factor[i * n + k] * x[k]).sum();
        x[i] = (x[i] - known) / factor[i * n + i];
    }
    for i in (0..n).rev() {
        let known: f64 = (i + 1..n).map(|k| factor[k * n + i] * x[k]).sum();
        x[i] = (x[i] - known) / factor[i * n + i];
    }
    x
}

/// The nearest number with 20 bits behind the leading one; 0 if it is below 1e-9.
fn rounded(value: f64) -> f64 {
    if value.abs() < DEPENDENT {
        return 0.0;
    }
    let unit = 2f64.powi(value.abs().log2().floor() as i32 - 20);
    (value / unit).round() * unit
}

/// Products whose error is an `f64` for sure, see `infimum_rigor::Sum`.
const SAFE: std::ops::Range<f64> = 1e-250..1e300;

fn is_combination(row: &[f64], j: usize, combination: &[(usize, f64)]) -> bool {
    let mut sum = ExactSum::new();
    sum.add(row[j]);
    for &(column, coefficient) in combination {
        let product = row[column] * coefficient;
        if product == 0.0 && (row[column] == 0.0 || coefficient == 0.0) {
            continue;
        }
        if !SAFE.contains(&product.abs()) {
            return false;
        }
        sum.subtract(product);
        sum.subtract(row[column].mul_add(coefficient, -product));
    }
    sum.is_zero()
}

pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

pub(super) fn norm(values: &[f64]) -> f64 {
    dot(values, values).sqrt()
}
