//! A list of exact numbers `mantissa · base^exponent`, base 10 for text and 2 for arrays.

use dashu_int::IBig;

use crate::exact::decimal::{self, Decimal};
use crate::npy::{Element, Kind};
use crate::numbers::Numbers;

/// Marks the exponent of a number whose mantissa is in the list of long ones; exponents lie within ±4,020.
const LONG: i16 = 1 << 14;
const LONG_FROM: i16 = 1 << 13;

/// Exact numbers in 8 bytes each while all exponents are 0, 10 bytes else; mantissas beyond ±2^62 stand apart.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct ExactNumbers {
    /// Mantissas, or places in `long`.
    mantissas: Vec<i64>,
    /// Exponents; none while all are 0.
    exponents: Vec<i16>,
    long: Vec<IBig>,
    /// The first element that is no number, and its place.
    pub(super) unusable: Option<(usize, f64)>,
}

/// A number of the list.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Number<'a> {
    /// |mantissa| ≤ 2^62, and the exponent.
    Short(i64, i32),
    /// |mantissa| > 2^62, not divisible by the base.
    Long(&'a IBig, i32),
}

impl ExactNumbers {
    /// The number at `place`.
    #[inline(always)]
    pub(super) fn get(&self, place: usize) -> Number<'_> {
        let (mantissa, exponent) = (self.mantissas[place], self.exponents.get(place).copied().unwrap_or(0));
        if exponent < LONG_FROM {
            Number::Short(mantissa, exponent.into())
        } else {
            Number::Long(&self.long[mantissa as usize], (exponent - LONG).into())
        }
    }

    /// Gives every number an exponent of its own.
    fn spread(&mut self) {
        self.exponents.resize(self.mantissas.len(), 0);
    }

    #[inline(always)]
    fn push(&mut self, mantissa: i64, exponent: i16) {
        if exponent != 0 || !self.exponents.is_empty() {
            self.spread();
            self.exponents.push(exponent);
        }
        self.mantissas.push(mantissa);
    }

    /// A long mantissa's place and mark.
    fn long(&mut self, mantissa: IBig, exponent: i16) -> (i64, i16) {
        self.long.push(mantissa);
        (self.long.len() as i64 - 1, exponent + LONG)
    }

    /// Mantissa and exponent to store for an element; 0 for one that is no number, which is noted as standing at `place`.
    fn parts(&mut self, element: Element, place: usize) -> (i64, i16) {
        match element {
            Element::Signed(value) if value.unsigned_abs() <= 1 << 62 => (value, 0),
            Element::Signed(value) => binary(self, value.into()),
            Element::Unsigned(value) if value <= 1 << 62 => (value as i64, 0),
            Element::Unsigned(value) => binary(self, value.into()),
            Element::Float(value) if value.is_finite() => {
                let bits = value.to_bits();
                let (biased, fraction) = ((bits >> 52 & 0x7ff) as i16, (bits & ((1 << 52) - 1)) as i64);
                let mantissa = if biased == 0 { fraction } else { fraction | 1 << 52 };
                if mantissa == 0 {
                    return (0, 0);
                }
                let zeros = mantissa.trailing_zeros();
                let mantissa = mantissa >> zeros;
                (if value < 0.0 { -mantissa } else { mantissa }, biased.max(1) - 1075 + zeros as i16)
            }
            Element::Float(value) => {
                if self.unusable.is_none_or(|(earlier, _)| place < earlier) {
                    self.unusable = Some((place, value));
                }
                (0, 0)
            }
        }
    }
}

/// A mantissa beyond ±2^62, of base 2: without its factors of two it may be a short one.
fn binary(numbers: &mut ExactNumbers, value: i128) -> (i64, i16) {
    let zeros = value.trailing_zeros();
    let value = value >> zeros;
    match i64::try_from(value) {
        Ok(short) if short.unsigned_abs() <= 1 << 62 => (short, zeros as i16),
        _ => numbers.long(value.into(), zeros as i16),
    }
}

impl Numbers for ExactNumbers {
    fn len(&self) -> usize {
        self.mantissas.len()
    }

    fn reserve(&mut self, count: usize) {
        self.mantissas.reserve(count);
        if !self.exponents.is_empty() {
            self.exponents.reserve(count);
        }
    }

    #[inline(always)]
    fn push_text(&mut self, field: &[u8]) -> Result<(), Option<&'static str>> {
        match decimal::parse(field) {
            Ok(Decimal::Short(mantissa, exponent)) => {
                self.push(mantissa, exponent);
                Ok(())
            }
            Ok(Decimal::Long(mantissa, exponent)) => {
                let (place, exponent) = self.long(mantissa, exponent);
                self.push(place, exponent);
                Ok(())
            }
            Err(expected) => {
                self.push(0, 0);
                Err(expected)
            }
        }
    }

    fn append(&mut self, mut other: Self) {
        let (before, long) = (self.len(), self.long.len() as i64);
        if !other.exponents.is_empty() || !self.exponents.is_empty() {
            self.spread();
            other.spread();
        }
        if long > 0 {
            let marked =
                other.mantissas.iter_mut().zip(&other.exponents).filter(|(_, exponent)| **exponent >= LONG_FROM);
            marked.for_each(|(mantissa, _)| *mantissa += long);
        }
        self.unusable = self.unusable.or(other.unusable.map(|(place, value)| (before + place, value)));
        self.mantissas.extend_from_slice(&other.mantissas);
        self.exponents.extend_from_slice(&other.exponents);
        self.long.append(&mut other.long);
    }

    fn is_zero(&self, place: usize) -> bool {
        self.get(place) == Number::Short(0, self.exponents.get(place).copied().unwrap_or(0).into())
    }

    fn pick(&mut self, start: usize, places: &[usize]) {
        let picked = |values: &[i64]| places.iter().map(|&place| values[place]).collect::<Vec<i64>>();
        let mantissas = picked(&self.mantissas);
        self.mantissas.truncate(start);
        self.mantissas.extend(mantissas);
        if !self.exponents.is_empty() {
            let exponents: Vec<i16> = places.iter().map(|&place| self.exponents[place]).collect();
            self.exponents.truncate(start);
            self.exponents.extend(exponents);
        }
    }

    fn with_room(count: usize, _kind: Kind) -> Option<Self> {
        let mut mantissas = Vec::new();
        mantissas.try_reserve_exact(count).ok()?;
        Some(ExactNumbers { mantissas, ..ExactNumbers::default() })
    }

    fn zeros(count: usize, kind: Kind) -> Option<Self> {
        let mut zeros = Self::with_room(count, kind)?;
        zeros.mantissas.resize(count, 0);
        Some(zeros)
    }

    fn push_elements(&mut self, kind: Kind, bytes: &[u8]) -> bool {
        for element in bytes.chunks_exact(kind.size) {
            let (mantissa, exponent) = self.parts(kind.element(element), self.len());
            self.push(mantissa, exponent);
        }
        self.unusable.is_none()
    }

    fn set_element(&mut self, place: usize, element: Element) -> bool {
        let (mantissa, exponent) = self.parts(element, place);
        self.mantissas[place] = mantissa;
        if exponent != 0 || !self.exponents.is_empty() {
            self.spread();
            self.exponents[place] = exponent;
        }
        self.unusable.is_none()
    }
}
