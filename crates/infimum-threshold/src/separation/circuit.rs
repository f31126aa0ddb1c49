//! Exact multipliers of a circuit found in `f64`: the step without which nothing becomes a lemma.
//!
//! Given points and approximate multipliers ν (positive on the left side, negative on the right) with `Σ ν_p (x_p, 1) ≈ 0`, integers
//! of the same signs with exactly 0. First ν is scaled by k/min|ν|, k = 1 … 24, and rounded, which hits nearly always on Boolean data. Else the null vector of
//! the integer matrix with columns (x_p, 1) is computed modulo 62-bit primes: elimination gives its entries as minors (Cramer), and the Chinese remainders
//! of as many primes as are needed give them as integers. Whatever came out is *verified* by exact sums; a wrong guess can only fail.

use dashu_int::{IBig, UBig, ops::Gcd};
use infimum_problem::Points;

/// Most primes: 62 bits of every multiplier each.
const MOST_PRIMES: usize = 400;
/// Multipliers tried for the smallest entry.
const SMALLEST_UP_TO: u32 = 24;

/// Integers with the signs of `approximate` and `Σ ν_p (x_p, 1) = 0`, and their points; points whose exact multiplier is 0 are left out. `None`
/// if there are none.
pub(crate) fn exact(points: &Points, support: &[u32], approximate: &[f64]) -> Option<Vec<(u32, IBig)>> {
    if let Some(small) = by_rounding(points, support, approximate) {
        return Some(small);
    }
    by_remainders(points, support, approximate)
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
    'scales: for k in 1..=SMALLEST_UP_TO {
        let scale = f64::from(k) / least;
        let mut terms = Vec::with_capacity(support.len());
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

/// Primes just below 2^62, largest first; found by a deterministic test.
fn primes() -> impl Iterator<Item = u64> {
    (0u64..).map(|k| (1u64 << 62) - 1 - 2 * k).filter(|&candidate| is_prime(candidate))
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
    if BASES.iter().any(|&base| n % base == 0) {
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

/// The null vector modulo p in a form that does not depend on p: entry of the free column 1·det, others by elimination times det, where det is the
/// determinant of the chosen rows and columns. `None` unless the rank is one less than the number of columns. `shape`: the chosen rows and the free column,
/// taken from the first prime so that all primes speak of the same minors.
fn null_vector(matrix: &[Vec<u64>], p: u64, shape: &mut Option<(Vec<usize>, usize)>) -> Option<Vec<u64>> {
    let columns = matrix.first()?.len();
    let fixed = shape.clone();
    let mut rows: Vec<(usize, Vec<u64>)> = match &fixed {
        Some((chosen, _)) => chosen.iter().map(|&i| (i, matrix[i].clone())).collect(),
        None => matrix.iter().cloned().enumerate().collect(),
    };
    let mut determinant = 1u64;
    let mut pivots: Vec<(usize, usize)> = Vec::new();
    let mut free = None;
    let mut next = 0;
    for column in 0..columns {
        if fixed.as_ref().is_some_and(|fixed| fixed.1 == column) {
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
                determinant = (p - determinant) % p;
            }
        }
        let pivot = rows[next].1[column];
        determinant = multiply(determinant, pivot, p);
        let inverse = power(pivot, p - 2, p);
        rows[next].1.iter_mut().for_each(|value| *value = multiply(*value, inverse, p));
        let pivot_row = rows[next].1.clone();
        for (l, (_, row)) in rows.iter_mut().enumerate() {
            let factor = row[column];
            if l == next || factor == 0 {
                continue;
            }
            for (value, &step) in row.iter_mut().zip(&pivot_row).skip(column) {
                *value = (*value + (p - multiply(factor, step, p))) % p;
            }
        }
        pivots.push((next, column));
        next += 1;
    }
    let free = free?;
    let mut vector = vec![0; columns];
    vector[free] = determinant;
    for &(row, column) in &pivots {
        vector[column] = multiply((p - rows[row].1[free]) % p, determinant, p);
    }
    if fixed.is_none() {
        // The determinant of the rows in increasing order of the pivots is what later primes reproduce.
        *shape = Some((rows[..next].iter().map(|row| row.0).collect(), free));
    }
    Some(vector)
}

fn by_remainders(points: &Points, support: &[u32], approximate: &[f64]) -> Option<Vec<(u32, IBig)>> {
    let matrix = Integers::new(points, support);
    let mut shape = None;
    let mut modulus = IBig::ONE;
    let mut values: Vec<IBig> = vec![IBig::ZERO; support.len()];
    let mut wait = 1;
    for (count, p) in primes().take(MOST_PRIMES).enumerate() {
        let Some(vector) = null_vector(&matrix.modulo(p), p, &mut shape) else {
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

fn signed_and_verified(points: &Points, support: &[u32], values: &[IBig], approximate: &[f64]) -> Verified {
    let divisor = values.iter().fold(UBig::ZERO, |divisor, value| {
        let magnitude = value.clone().into_parts().1;
        if divisor.is_zero() || magnitude.is_zero() { divisor + magnitude } else { divisor.gcd(magnitude) }
    });
    if divisor.is_zero() {
        return Verified::NotYet;
    }
    let divisor = IBig::from(divisor);
    let terms: Vec<(u32, IBig)> = support.iter().zip(values).map(|(&p, value)| (p, value / &divisor)).collect();
    if !balances(points, &terms) {
        return Verified::NotYet;
    }
    let agree = |flip: bool| {
        terms.iter().zip(approximate).all(|((_, value), &wanted)| {
            value.is_zero() || (*value > IBig::ZERO) == ((wanted > 0.0) != flip)
        })
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
