//! Exact numbers as integer points: every column scaled by the smallest power of its base that makes all its values integers.
//!
//! The scale `s` of a column is the largest power such that all values are multiples of `base^s`: the least exponent of its non-zero
//! values once the mantissas have no factor of the base. Mantissas are stored with such factors, so a value's exponent is only a lower
//! bound; it is refined where it lies below the scale found so far, and hardly ever is. Then the integers are `mantissa · base^(exponent − s)`.

use dashu_int::{IBig, ops::BitTest};
use infimum_problem::{ColumnNames, ColumnScale, IntegerMatrix, Points};

use crate::error::{DataError, one_line};
use crate::exact::decimal::MOST_DIGITS;
use crate::exact::numbers::Number;

/// Rows of a matrix on its way to integers.
pub(super) trait Cells {
    /// Number of rows.
    fn rows(&self) -> usize;

    /// Gives column and number of every entry of a row that is not known to be 0 to `put`, columns increasing.
    fn visit(&self, row: usize, put: impl FnMut(u32, Number));
}

/// What numbers are multiples of powers of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Base {
    /// Decimal text.
    Ten,
    /// Arrays.
    Two,
}

/// Scale of a column without a value other than 0.
const NONE: i32 = i32::MAX;
/// Largest magnitude of [`Points::Narrow`].
const NARROW: u64 = 1 << 62;

/// Bits of 10^[`MOST_DIGITS`]; no smaller number has more.
const LIMIT_BITS: usize = 13_288;

const POWERS: [i64; 19] = {
    let mut powers = [1i64; 19];
    let mut k = 1;
    while k < 19 {
        powers[k] = powers[k - 1] * 10;
        k += 1;
    }
    powers
};

impl Base {
    /// Exponent once the mantissa, which is not 0, has no factor of the base.
    fn refined(self, mut mantissa: i64, mut exponent: i32) -> i32 {
        match self {
            Base::Two => exponent + mantissa.trailing_zeros() as i32,
            Base::Ten => {
                while mantissa % 10 == 0 {
                    mantissa /= 10;
                    exponent += 1;
                }
                exponent
            }
        }
    }

    /// `mantissa · base^(exponent − scale)` if it is narrow; an integer, for the scale divides it.
    #[inline(always)]
    fn narrow(self, mantissa: i64, shift: i32) -> Option<i64> {
        if shift == 0 || mantissa == 0 {
            return Some(mantissa);
        }
        let value = match self {
            Base::Ten if shift > 0 => mantissa.checked_mul(*POWERS.get(shift as usize)?)?,
            Base::Ten => mantissa / POWERS.get(-shift as usize)?,
            Base::Two if shift > 0 && shift < 63 => mantissa.checked_mul(1 << shift)?,
            Base::Two if shift > 0 => return None,
            Base::Two => mantissa >> -shift,
        };
        (value.unsigned_abs() <= NARROW).then_some(value)
    }

    /// The same beyond 62 bits.
    fn wide(self, mantissa: &IBig, shift: i32) -> IBig {
        if let (Ok(mantissa), Base::Ten, Some(power)) = (i64::try_from(mantissa), self, POWERS.get(shift as usize)) {
            // Below 2^123.
            return (i128::from(mantissa) * i128::from(*power)).into();
        }
        let power = shift.unsigned_abs() as usize;
        match (self, shift >= 0) {
            (Base::Ten, true) => mantissa * IBig::from(10).pow(power),
            (Base::Ten, false) => mantissa / IBig::from(10).pow(power),
            (Base::Two, true) => mantissa << power,
            (Base::Two, false) => mantissa >> power,
        }
    }

    fn scale(self, power: i32) -> ColumnScale {
        match (self, power) {
            (_, NONE) => ColumnScale::default(),
            (Base::Ten, ten) => ColumnScale { ten, two: 0 },
            (Base::Two, two) => ColumnScale { ten: 0, two },
        }
    }
}

/// The points and the columns' scales.
pub(super) fn points(
    path: &str,
    cells: &impl Cells,
    names: &ColumnNames,
    base: Base,
) -> Result<(Points, Vec<ColumnScale>), DataError> {
    let mut scales = vec![NONE; names.len()];
    let mut stored = 0usize;
    for row in 0..cells.rows() {
        cells.visit(row, |column, number| {
            let scale = &mut scales[column as usize];
            match number {
                Number::Short(0, _) => return,
                Number::Short(mantissa, exponent) if exponent < *scale => {
                    *scale = (*scale).min(base.refined(mantissa, exponent));
                }
                Number::Long(_, exponent) => *scale = (*scale).min(exponent),
                Number::Short(..) => {}
            }
            stored += 1;
        });
    }
    let points = match narrow(cells, &scales, base, stored) {
        Some(matrix) => Points::Narrow(matrix),
        None => Points::Wide(wide(path, cells, names, &scales, base)?),
    };
    Ok((points, scales.into_iter().map(|power| base.scale(power)).collect()))
}

/// All integers, if all are narrow.
fn narrow(cells: &impl Cells, scales: &[i32], base: Base, stored: usize) -> Option<IntegerMatrix<i64>> {
    let mut matrix = IntegerMatrix::new(scales.len());
    matrix.row_starts.reserve(cells.rows());
    matrix.column_indices.reserve_exact(stored);
    matrix.values.reserve_exact(stored);
    for row in 0..cells.rows() {
        let mut fits = true;
        cells.visit(row, |column, number| match number {
            Number::Short(0, _) => {}
            Number::Short(mantissa, exponent) => match base.narrow(mantissa, exponent - scales[column as usize]) {
                Some(value) => {
                    matrix.column_indices.push(column);
                    matrix.values.push(value);
                }
                None => fits = false,
            },
            Number::Long(..) => fits = false,
        });
        if !fits {
            return None;
        }
        matrix.row_starts.push(matrix.values.len());
    }
    Some(matrix)
}

fn wide(
    path: &str,
    cells: &impl Cells,
    names: &ColumnNames,
    scales: &[i32],
    base: Base,
) -> Result<IntegerMatrix<IBig>, DataError> {
    let limit = IBig::from(10).pow(MOST_DIGITS);
    let mut matrix = IntegerMatrix::new(scales.len());
    for row in 0..cells.rows() {
        let mut fault = None;
        cells.visit(row, |column, number| {
            let (mantissa, exponent) = match number {
                Number::Short(0, _) => return,
                Number::Short(mantissa, exponent) => (IBig::from(mantissa), exponent),
                Number::Long(mantissa, exponent) => (mantissa.clone(), exponent),
            };
            let value = base.wide(&mantissa, exponent - scales[column as usize]);
            if value.bit_len() >= LIMIT_BITS && (value >= limit || -&value >= limit) {
                fault = fault.or(Some(column as usize));
            } else if fault.is_none() {
                matrix.column_indices.push(column);
                matrix.values.push(value);
            }
        });
        if let Some(column) = fault {
            return Err(too_wide(path, &names.name(column), row, scales[column]));
        }
        matrix.row_starts.push(matrix.values.len());
    }
    Ok(matrix)
}

fn too_wide(path: &str, column: &str, row: usize, scale: i32) -> DataError {
    let message = format!(
        "column `{}`: expected values that are at most {MOST_DIGITS} digits long in units of its finest place (10^{scale}), got a longer one in data row {}",
        one_line(column),
        row + 1
    );
    DataError::input(path, message)
}
