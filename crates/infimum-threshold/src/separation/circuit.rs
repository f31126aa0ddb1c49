//! Exact multipliers of a circuit found in `f64`: the step without which nothing becomes a lemma.
//!
//! Given points and approximate multipliers ν (positive on the left side, negative on the right) with `Σ ν_p (x_p, 1) ≈ 0`, integers
//! of the same signs with exactly 0. First ν is scaled by k/min|ν|, k = 1 … 24, and rounded, which hits nearly always on Boolean data. Else the null vector of
//! the integer matrix with columns (x_p, 1) is computed modulo 62-bit primes: elimination gives its entries as minors (Cramer), and the Chinese remainders
//! of as many primes as are needed give them as integers. Whatever came out is *verified* by exact sums; a wrong guess can only fail.

use std::sync::{Mutex, PoisonError};

use dashu_int::{IBig, Sign, UBig, ops::Gcd};
use infimum_problem::Points;

/// Most primes: 62 bits of every multiplier each.
const MOST_PRIMES: usize = 400;
/// Most points for which signs are proven in `f64`.
const CERTAIN_UP_TO: usize = 130;
/// Multipliers tried for the smallest entry.
const SMALLEST_UP_TO: u32 = 24;

/// A point's side in a circuit, and its multiplier; 0 if it is not made yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Side {
    /// Whether it is on the left side: wanted positive.
    pub(crate) left: bool,
    pub(crate) multiplier: UBig,
}

impl Side {
    /// From a signed multiplier.
    pub(crate) fn of(value: IBig) -> Side {
        let (sign, multiplier) = value.into_parts();
        Side { left: sign == Sign::Positive, multiplier }
    }
}

/// The same as [`exact`], but where the signs alone are proven the multipliers are left 0: they are made when a proof needs them.
pub(crate) fn exact_or_certain(points: &Points, support: &[u32], approximate: &[f64]) -> Option<Vec<(u32, Side)>> {
    if let Some(small) = by_rounding(points, support, approximate) {
        return Some(small.into_iter().map(|(p, value)| (p, Side::of(value))).collect());
    }
    if signs_are_certain(points, support, approximate) {
        let side = |&value: &f64| Side { left: value > 0.0, multiplier: UBig::ZERO };
        return Some(support.iter().copied().zip(approximate.iter().map(side)).collect());
    }
    let terms = by_remainders(points, support, approximate)?;
    Some(terms.into_iter().map(|(p, value)| (p, Side::of(value))).collect())
}

/// Integers with the signs of `approximate` and `Σ ν_p (x_p, 1) = 0`, and their points; points whose exact multiplier is 0 are left out. `None`
/// if there are none.
pub(crate) fn exact(points: &Points, support: &[u32], approximate: &[f64]) -> Option<Vec<(u32, IBig)>> {
    if let Some(small) = by_rounding(points, support, approximate) {
        return Some(small);
    }
    by_remainders(points, support, approximate)
}

/// Whether it is proven that integers with the signs of `approximate` and `Σ ν_p (x_p, 1) = 0` exist, by `f64` alone: the fast case of as many points as columns plus
/// two in general position. With B all columns of the matrix but the last, a the last, and R ≈ B⁻¹: if ‖I − R B‖ ≤ c < 1, B is regular, the null vector with
/// last entry 1 solves B ν = −a, and |ν − ν̃| ≤ ‖R(a + B ν̃)‖/(1 − c) in the maximum norm (Rump, Acta Numerica 2010, section 10). Every sum of n products is wrong by at most
/// n·2⁻⁵²·Σ|products|, which is twice what it can be.
pub(crate) fn signs_are_certain(points: &Points, support: &[u32], approximate: &[f64]) -> bool {
    let Points::Narrow(matrix) = points else { return false };
    let s = support.len();
    if s != matrix.columns + 2 || s > CERTAIN_UP_TO {
        return false;
    }
    let n = s - 1;
    // Rows are columns of the data and the constant, scaled by powers of two.
    let mut entries = vec![0.0f64; n * s];
    for (column, &p) in support.iter().enumerate() {
        let (indices, values) = matrix.row(p as usize);
        for (&j, &value) in indices.iter().zip(values) {
            if value.unsigned_abs() > 1 << 53 {
                return false;
            }
            entries[j as usize * s + column] = value as f64;
        }
        entries[(n - 1) * s + column] = 1.0;
    }
    for row in entries.chunks_exact_mut(s) {
        let most = row.iter().fold(0.0f64, |most, value| most.max(value.abs()));
        if most == 0.0 {
            return false;
        }
        let scale = (-most.log2().floor()).exp2();
        row.iter_mut().for_each(|value| *value *= scale);
    }
    let Some(inverse) = inverse_of(&entries, n) else { return false };
    let bound = n as f64 * f64::EPSILON;
    let b = |k: usize, j: usize| entries[k * s + j];
    let mut defect = 0.0f64;
    let (mut sums, mut sizes) = (vec![0.0; n], vec![0.0; n]);
    for i in 0..n {
        sums.fill(0.0);
        sizes.fill(0.0);
        for k in 0..n {
            let factor = inverse[i * n + k];
            for (j, &value) in entries[k * s..k * s + n].iter().enumerate() {
                sums[j] += factor * value;
                sizes[j] += (factor * value).abs();
            }
        }
        sums[i] -= 1.0;
        let row: f64 = sums.iter().zip(&sizes).map(|(sum, size)| sum.abs() + bound * (size + 1.0)).sum();
        defect = defect.max(row * (1.0 + bound));
    }
    if !(defect < 0.5) {
        return false;
    }
    let last = approximate[n];
    let guess: Vec<f64> = approximate[..n].iter().map(|value| value / last).collect();
    let residual: Vec<f64> = (0..n)
        .map(|k| {
            let mut sum = b(k, n);
            let mut size = sum.abs();
            for (j, &value) in guess.iter().enumerate() {
                sum += b(k, j) * value;
                size += (b(k, j) * value).abs();
            }
            sum.abs() + 2.0 * bound * size
        })
        .collect();
    let error =
        (0..n).map(|i| -> f64 { (0..n).map(|k| inverse[i * n + k].abs() * residual[k]).sum() }).fold(0.0f64, f64::max);
    let radius = error * (1.0 + 2.0 * bound) / (1.0 - defect) * (1.0 + 1e-9);
    radius.is_finite() && guess.iter().all(|value| value.abs() > radius)
}

/// The inverse of the first n columns, by Gauss and Jordan with row exchanges.
fn inverse_of(entries: &[f64], n: usize) -> Option<Vec<f64>> {
    let s = n + 1;
    let mut left: Vec<f64> = (0..n).flat_map(|k| entries[k * s..k * s + n].iter().copied()).collect();
    let mut right = vec![0.0; n * n];
    (0..n).for_each(|i| right[i * n + i] = 1.0);
    for column in 0..n {
        let pivot = (column..n).max_by(|&a, &b| left[a * n + column].abs().total_cmp(&left[b * n + column].abs()))?;
        let value = left[pivot * n + column];
        if !(value.abs() > 1e-13) {
            return None;
        }
        for j in 0..n {
            left.swap(pivot * n + j, column * n + j);
            right.swap(pivot * n + j, column * n + j);
        }
        for matrix in [&mut left, &mut right] {
            matrix[column * n..(column + 1) * n].iter_mut().for_each(|entry| *entry /= value);
        }
        let (left_row, right_row) =
            (left[column * n..(column + 1) * n].to_vec(), right[column * n..(column + 1) * n].to_vec());
        for i in (0..n).filter(|&i| i != column) {
            let factor = left[i * n + column];
            if factor != 0.0 {
                for (matrix, row) in [(&mut left, &left_row), (&mut right, &right_row)] {
                    matrix[i * n..(i + 1) * n].iter_mut().zip(row).for_each(|(entry, step)| *entry -= factor * step);
                }
            }
        }
    }
    Some(right)
}

/// Whether `Σ multiplier·(x, 1) = 0` exactly.
pub(crate) fn balances(points: &Points, terms: &[(u32, IBig)]) -> bool {
    let small: Option<Vec<(u32, i64)>> =
        terms.iter().map(|(p, value)| i64::try_from(value).ok().map(|value| (*p, value))).collect();
    match (points, small) {
        (Points::Narrow(_), Some(small)) => balances_small(points, &small),
        _ => balances_big(points, terms),
    }
}

fn balances_big(points: &Points, terms: &[(u32, IBig)]) -> bool {
    let mut sums = vec![IBig::ZERO; points.columns()];
    let mut total = IBig::ZERO;
    for (p, multiplier) in terms {
        total += multiplier;
        for (j, value) in points.row(*p as usize) {
            sums[j as usize] += multiplier * &*value;
        }
    }
    total.is_zero() && sums.iter().all(IBig::is_zero)
}

fn balances_small(points: &Points, terms: &[(u32, i64)]) -> bool {
    let Points::Narrow(matrix) = points else { return false };
    if terms.iter().map(|term| i128::from(term.1)).sum::<i128>() != 0 {
        return false;
    }
    let few = terms.iter().map(|term| matrix.row(term.0 as usize).0.len()).sum::<usize>();
    let mut sums: Vec<(u32, i128)> = Vec::with_capacity(few);
    for &(p, multiplier) in terms {
        let (columns, values) = matrix.row(p as usize);
        sums.extend(columns.iter().zip(values).map(|(&j, &value)| (j, i128::from(value) * i128::from(multiplier))));
    }
    sums.sort_unstable_by_key(|entry| entry.0);
    // A product is below 2^125; sums of up to four fit, more are added with a check.
    sums.chunk_by(|a, b| a.0 == b.0)
        .all(|chunk| chunk.iter().try_fold(0i128, |sum, entry| sum.checked_add(entry.1)) == Some(0))
}

fn by_rounding(points: &Points, support: &[u32], approximate: &[f64]) -> Option<Vec<(u32, IBig)>> {
    let least = approximate.iter().fold(f64::INFINITY, |least, value| least.min(value.abs()));
    let most = approximate.iter().fold(0.0f64, |most, value| most.max(value.abs()));
    if !(least > 0.0) || !(most / least < 1e9) {
        return None;
    }
    let mut terms = Vec::with_capacity(support.len());
    'scales: for k in 1..=SMALLEST_UP_TO {
        let scale = f64::from(k) / least;
        terms.clear();
        for (&p, &value) in support.iter().zip(approximate) {
            let (wanted, whole) = (value * scale, (value * scale).round());
            if (wanted - whole).abs() > 1e-5 * whole.abs().max(1.0) {
                continue 'scales;
            }
            terms.push((p, whole as i64));
        }
        if balances_small(points, &terms) {
            return Some(terms.into_iter().map(|(p, value)| (p, value.into())).collect());
        }
    }
    None
}

/// The k-th prime below 2^62, largest first; found by a deterministic test when first asked for.
fn prime(k: usize) -> u64 {
    static PRIMES: Mutex<Vec<u64>> = Mutex::new(Vec::new());
    let mut primes = PRIMES.lock().unwrap_or_else(PoisonError::into_inner);
    while primes.len() <= k {
        let mut candidate = primes.last().map_or((1 << 62) - 1, |last| last - 2);
        while !is_prime(candidate) {
            candidate -= 2;
        }
        primes.push(candidate);
    }
    primes[k]
}

fn multiply(a: u64, b: u64, p: u64) -> u64 {
    (u128::from(a) * u128::from(b) % u128::from(p)) as u64
}

fn power(mut base: u64, mut exponent: u64, p: u64) -> u64 {
    let mut result = 1;
    while exponent > 0 {
        if exponent & 1 == 1 {
            result = multiply(result, base, p);
        }
        base = multiply(base, base, p);
        exponent >>= 1;
    }
    result
}

/// Miller–Rabin with the first twelve primes, which decides below 3.3e24 (Sorenson and Webster 2015).
fn is_prime(n: u64) -> bool {
    const BASES: [u64; 12] = [2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37];
    if BASES.iter().any(|&base| n.is_multiple_of(base)) {
        return BASES.contains(&n);
    }
    let (shift, odd) = ((n - 1).trailing_zeros(), (n - 1) >> (n - 1).trailing_zeros());
    BASES.iter().all(|&base| {
        let mut x = power(base, odd, n);
        if x == 1 || x == n - 1 {
            return true;
        }
        (1..shift).any(|_| {
            x = multiply(x, x, n);
            x == n - 1
        })
    })
}

/// Arithmetic modulo an odd p < 2^62 on residues a·2^64 mod p (Montgomery 1985).
struct Field {
    p: u64,
    /// −1/p modulo 2^64.
    negated_inverse: u64,
    /// 2^128 modulo p.
    square: u64,
}

impl Field {
    fn new(p: u64) -> Field {
        // Newton's iteration doubles the bits that are right; p itself is right in three.
        let inverse = (0..5).fold(p, |x, _| x.wrapping_mul(2u64.wrapping_sub(p.wrapping_mul(x))));
        let one = ((1u128 << 64) % u128::from(p)) as u64;
        Field { p, negated_inverse: inverse.wrapping_neg(), square: multiply(one, one, p) }
    }

    #[inline]
    fn product(&self, a: u64, b: u64) -> u64 {
        let wide = u128::from(a) * u128::from(b);
        let factor = (wide as u64).wrapping_mul(self.negated_inverse);
        // Below (p² + 2^64·p) / 2^64 < 2p.
        let reduced = ((wide + u128::from(factor) * u128::from(self.p)) >> 64) as u64;
        if reduced >= self.p { reduced - self.p } else { reduced }
    }

    /// a − b.
    #[inline]
    fn difference(&self, a: u64, b: u64) -> u64 {
        if a >= b { a - b } else { a + self.p - b }
    }

    fn enter(&self, value: u64) -> u64 {
        self.product(value, self.square)
    }

    fn leave(&self, value: u64) -> u64 {
        self.product(value, 1)
    }

    /// 1/value by Fermat's theorem.
    fn inverse(&self, value: u64) -> u64 {
        let (mut result, mut base, mut exponent) = (self.enter(1), value, self.p - 2);
        while exponent > 0 {
            if exponent & 1 == 1 {
                result = self.product(result, base);
            }
            base = self.product(base, base);
            exponent >>= 1;
        }
        result
    }
}

/// The matrix with columns (x_p, 1), rows in any order; `entries[row][column]`.
struct Integers {
    rows: Vec<Vec<IBig>>,
}

impl Integers {
    fn new(points: &Points, support: &[u32]) -> Integers {
        let mut place = std::collections::HashMap::new();
        let mut rows: Vec<Vec<IBig>> = vec![vec![IBig::ONE; support.len()]];
        for (column, &p) in support.iter().enumerate() {
            for (j, value) in points.row(p as usize) {
                let row = *place.entry(j).or_insert_with(|| {
                    rows.push(vec![IBig::ZERO; support.len()]);
                    rows.len() - 1
                });
                rows[row][column] = value.into_owned();
            }
        }
        Integers { rows }
    }

    fn modulo(&self, p: u64) -> Vec<Vec<u64>> {
        let modulus = IBig::from(p);
        let residue = |value: &IBig| {
            let rest: IBig = value % &modulus;
            let rest = i64::try_from(&rest).unwrap_or(0);
            if rest < 0 { (rest + p as i64) as u64 } else { rest as u64 }
        };
        self.rows.iter().map(|row| row.iter().map(residue).collect()).collect()
    }
}

/// The null vector modulo p in a form that does not depend on p: entry of the free column det, others by elimination times det, where det is the
/// determinant of the chosen rows and columns; all are minors of the integer matrix. `None` unless the rank is one less than the number of columns. `shape`: the
/// chosen rows and the free column, taken from the first prime so that all primes speak of the same minors.
fn null_vector(matrix: Vec<Vec<u64>>, field: &Field, shape: &mut Option<(Vec<usize>, usize)>) -> Option<Vec<u64>> {
    let columns = matrix.first()?.len();
    let fixed = shape.as_ref().map(|shape| shape.1);
    let enter = |row: &[u64]| row.iter().map(|&value| field.enter(value)).collect::<Vec<u64>>();
    let mut rows: Vec<(usize, Vec<u64>)> = match shape {
        Some((chosen, _)) => chosen.iter().map(|&i| (i, enter(&matrix[i]))).collect(),
        None => matrix.iter().map(|row| enter(row)).enumerate().collect(),
    };
    let mut determinant = field.enter(1);
    let mut pivots: Vec<(usize, usize)> = Vec::new();
    let mut free = None;
    let mut next = 0;
    for column in 0..columns {
        if fixed == Some(column) {
            free = Some(column);
            continue;
        }
        let Some(found) = (next..rows.len()).find(|&i| rows[i].1[column] != 0) else {
            if free.is_some() || fixed.is_some() {
                return None;
            }
            free = Some(column);
            continue;
        };
        if found != next {
            // With all rows at hand an exchange only renames them; with chosen rows it changes the sign.
            rows.swap(found, next);
            if fixed.is_some() {
                determinant = field.difference(0, determinant);
            }
        }
        let pivot = rows[next].1[column];
        determinant = field.product(determinant, pivot);
        let inverse = field.inverse(pivot);
        rows[next].1[column..].iter_mut().for_each(|value| *value = field.product(*value, inverse));
        let pivot_row = std::mem::take(&mut rows[next].1);
        for (_, row) in rows.iter_mut().filter(|entry| !entry.1.is_empty()) {
            let factor = row[column];
            if factor != 0 {
                for (value, &step) in row[column..].iter_mut().zip(&pivot_row[column..]) {
                    *value = field.difference(*value, field.product(factor, step));
                }
            }
        }
        rows[next].1 = pivot_row;
        pivots.push((next, column));
        next += 1;
    }
    let free = free?;
    let mut vector = vec![0; columns];
    vector[free] = field.leave(determinant);
    for &(row, column) in &pivots {
        vector[column] = field.leave(field.product(field.difference(0, rows[row].1[free]), determinant));
    }
    if fixed.is_none() {
        *shape = Some((rows[..next].iter().map(|row| row.0).collect(), free));
    }
    Some(vector)
}

/// The exact multipliers by Chinese remainders; of `approximate` the signs alone matter.
pub(crate) fn by_remainders(points: &Points, support: &[u32], approximate: &[f64]) -> Option<Vec<(u32, IBig)>> {
    let matrix = Integers::new(points, support);
    let mut shape = None;
    let mut modulus = IBig::ONE;
    let mut values: Vec<IBig> = vec![IBig::ZERO; support.len()];
    let mut wait = 1;
    for count in 0..MOST_PRIMES {
        let p = prime(count);
        let Some(vector) = null_vector(matrix.modulo(p), &Field::new(p), &mut shape) else {
            // Of full rank modulo a prime is of full rank; another defect may be the prime's.
            if shape.is_none() && count >= 1 {
                return None;
            }
            continue;
        };
        // Garner: value += modulus · ((residue − value) / modulus mod p).
        let big = IBig::from(p);
        let modulus_rest = i64::try_from(&(&modulus % &big)).unwrap_or(0) as u64;
        let inverse = power(modulus_rest, p - 2, p);
        for (value, &residue) in values.iter_mut().zip(&vector) {
            let rest = i64::try_from(&(&*value % &big)).unwrap_or(0);
            let rest = if rest < 0 { (rest + p as i64) as u64 } else { rest as u64 };
            let digit = multiply((residue + (p - rest)) % p, inverse, p);
            // The representative nearest to 0, so that negative numbers become stable too.
            let digit = if digit > p / 2 { IBig::from(digit) - &big } else { IBig::from(digit) };
            *value += digit * &modulus;
        }
        modulus *= big;
        // To verify is cheap beside the elimination, but not for free: after 1, 2, 3, 5, 8, … primes.
        if count + 1 >= wait {
            wait += 1 + wait / 2;
            match signed_and_verified(points, support, &values, approximate) {
                Verified::Yes(terms) => return Some(terms),
                Verified::OtherSigns => return None,
                Verified::NotYet => {}
            }
        }
    }
    None
}

enum Verified {
    Yes(Vec<(u32, IBig)>),
    /// Balanced, but not with the signs wanted.
    OtherSigns,
    NotYet,
}

/// The greatest common divisor; 0 of nothing but zeros.
pub(crate) fn common_divisor(values: &[IBig]) -> UBig {
    values.iter().fold(UBig::ZERO, |divisor, value| {
        let magnitude = value.clone().into_parts().1;
        if divisor.is_zero() || magnitude.is_zero() { divisor + magnitude } else { divisor.gcd(magnitude) }
    })
}

fn signed_and_verified(points: &Points, support: &[u32], values: &[IBig], approximate: &[f64]) -> Verified {
    let divisor = common_divisor(values);
    if divisor.is_zero() {
        return Verified::NotYet;
    }
    let divisor = IBig::from(divisor);
    let terms: Vec<(u32, IBig)> = support.iter().zip(values).map(|(&p, value)| (p, value / &divisor)).collect();
    if !balances(points, &terms) {
        return Verified::NotYet;
    }
    let agree = |flip: bool| {
        terms
            .iter()
            .zip(approximate)
            .all(|((_, value), &wanted)| value.is_zero() || (*value > IBig::ZERO) == ((wanted > 0.0) != flip))
    };
    let flip = if agree(false) {
        false
    } else if agree(true) {
        true
    } else {
        return Verified::OtherSigns;
    };
    let kept = terms.into_iter().filter(|term| !term.1.is_zero());
    Verified::Yes(kept.map(|(p, value)| (p, if flip { -value } else { value })).collect())
}
