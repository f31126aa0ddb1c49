//! Stored numbers: singles where every one of them is exact as a single, else doubles.
//!
//! What a list is stored as changes no result: a single is widened to the `f64` that it is before anything is computed with
//! it. Loops over many numbers are written once for both types and chosen outside of the loop, with [`with_values!`].

use std::fmt::Debug;
use std::ops::Range;

/// Elements that are converted before the memory they stood in is given back.
const CONVERTED: usize = 1 << 20;

/// A type that numbers are stored as; `into` gives the `f64` that it is.
pub trait Stored: Copy + Default + Debug + PartialEq + From<u8> + Into<f64> + Send + Sync + 'static {}

impl Stored for f32 {}
impl Stored for f64 {}

/// A list of numbers. Two are equal if their numbers are, whatever these are stored as.
#[derive(Debug, Clone)]
pub enum Values {
    /// Numbers that are all exact as `f32`.
    Singles(Vec<f32>),
    /// Any numbers.
    Doubles(Vec<f64>),
}

/// A part of [`Values`].
#[derive(Debug, Clone, Copy)]
pub enum ValueSlice<'a> {
    /// Numbers that are all exact as `f32`.
    Singles(&'a [f32]),
    /// Any numbers.
    Doubles(&'a [f64]),
}

/// Evaluates an expression for a [`ValueSlice`] with the name bound to the slice inside, a `&[f32]` or a `&[f64]`.
#[macro_export]
macro_rules! with_values {
    ($values:expr, |$slice:ident| $body:expr) => {
        match $values {
            $crate::ValueSlice::Singles($slice) => $body,
            $crate::ValueSlice::Doubles($slice) => $body,
        }
    };
}

/// The single that is exactly `value`.
#[inline(always)]
fn single(value: f64) -> Option<f32> {
    let single = value as f32;
    (f64::from(single) == value || value.is_nan()).then_some(single)
}

/// Converts from the end, giving memory back on the way; the result has room for `capacity` elements.
fn converted<A: Stored, B: Stored>(mut from: Vec<A>, capacity: usize, convert: impl Fn(A) -> B) -> Vec<B> {
    // Pages of zeros are no memory yet.
    let mut into = vec![B::default(); capacity.max(from.len())];
    into.truncate(from.len());
    while !from.is_empty() {
        let start = from.len().saturating_sub(CONVERTED);
        into[start..].iter_mut().zip(&from[start..]).for_each(|(into, &value)| *into = convert(value));
        from.truncate(start);
        from.shrink_to_fit();
    }
    into
}

impl Values {
    /// How many numbers there are.
    pub fn len(&self) -> usize {
        self.as_slice().len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of each number: 4 or 8.
    pub fn width(&self) -> usize {
        self.as_slice().width()
    }

    /// All of them.
    #[inline]
    pub fn as_slice(&self) -> ValueSlice<'_> {
        match self {
            Values::Singles(values) => ValueSlice::Singles(values),
            Values::Doubles(values) => ValueSlice::Doubles(values),
        }
    }

    /// Those at `range`.
    #[inline]
    pub fn slice(&self, range: Range<usize>) -> ValueSlice<'_> {
        match self {
            Values::Singles(values) => ValueSlice::Singles(&values[range]),
            Values::Doubles(values) => ValueSlice::Doubles(&values[range]),
        }
    }

    /// The number at `place`.
    #[inline]
    pub fn get(&self, place: usize) -> f64 {
        match self {
            Values::Singles(values) => f64::from(values[place]),
            Values::Doubles(values) => values[place],
        }
    }

    /// All numbers in order.
    pub fn iter(&self) -> impl Iterator<Item = f64> + '_ {
        self.as_slice().iter()
    }

    /// Replaces the number at `place`; all become doubles if it is no single.
    #[inline]
    pub fn set(&mut self, place: usize, value: f64) {
        match (&mut *self, single(value)) {
            (Values::Singles(values), Some(single)) => values[place] = single,
            _ => self.doubles()[place] = value,
        }
    }

    /// None, of the same kind, with room for so many: growing step by step would take half as much memory again.
    pub(crate) fn none_of(&self, count: usize) -> Values {
        match self {
            Values::Singles(_) => Values::Singles(Vec::with_capacity(count)),
            Values::Doubles(_) => Values::Doubles(Vec::with_capacity(count)),
        }
    }

    /// Makes room for so many more.
    pub fn reserve(&mut self, count: usize) {
        match self {
            Values::Singles(values) => values.reserve(count),
            Values::Doubles(values) => values.reserve(count),
        }
    }

    /// Appends a number; all become doubles if it is no single.
    #[inline]
    pub fn push(&mut self, value: f64) {
        match (&mut *self, single(value)) {
            (Values::Singles(values), Some(single)) => values.push(single),
            _ => self.doubles().push(value),
        }
    }

    /// Appends numbers. Doubles that follow singles are looked at, and singles that follow doubles are widened.
    pub fn extend(&mut self, more: ValueSlice) {
        match (&mut *self, more) {
            (Values::Singles(values), ValueSlice::Singles(more)) => values.extend_from_slice(more),
            (Values::Singles(values), ValueSlice::Doubles(more)) if more.iter().all(|&x| single(x).is_some()) => {
                values.extend(more.iter().map(|&x| x as f32));
            }
            (_, ValueSlice::Singles(more)) => self.doubles().extend(more.iter().map(|&x| f64::from(x))),
            (_, ValueSlice::Doubles(more)) => self.doubles().extend_from_slice(more),
        }
    }

    /// Keeps the numbers at the places that are `wanted`, asked in order.
    pub fn retain(&mut self, mut wanted: impl FnMut(usize) -> bool) {
        let mut next = 0..;
        let mut wanted = || next.next().is_some_and(&mut wanted);
        match self {
            Values::Singles(values) => values.retain(|_| wanted()),
            Values::Doubles(values) => values.retain(|_| wanted()),
        }
    }

    /// Drops the numbers from `length` on.
    pub fn truncate(&mut self, length: usize) {
        match self {
            Values::Singles(values) => values.truncate(length),
            Values::Doubles(values) => values.truncate(length),
        }
    }

    /// The same numbers, as singles if all are exact so. Peak memory is about that of the doubles.
    pub fn narrowed(self) -> Values {
        match self {
            Values::Doubles(values) if values.iter().all(|&x| single(x).is_some()) => {
                let length = values.len();
                Values::Singles(converted(values, length, |x: f64| x as f32))
            }
            values => values,
        }
    }

    /// The numbers as doubles, which they are from here on.
    fn doubles(&mut self) -> &mut Vec<f64> {
        if let Values::Singles(values) = self {
            let values = std::mem::take(values);
            let capacity = values.capacity();
            *self = Values::Doubles(converted(values, capacity, f64::from));
        }
        match self {
            Values::Doubles(values) => values,
            Values::Singles(_) => unreachable!("singles were widened"),
        }
    }
}

impl Default for Values {
    fn default() -> Values {
        Values::Singles(Vec::new())
    }
}

impl PartialEq for Values {
    fn eq(&self, other: &Values) -> bool {
        self.as_slice() == other.as_slice()
    }
}

/// Singles if all numbers are exact so.
impl FromIterator<f64> for Values {
    fn from_iter<I: IntoIterator<Item = f64>>(numbers: I) -> Values {
        let mut values = Values::default();
        numbers.into_iter().for_each(|x| values.push(x));
        values
    }
}

/// Singles as they are.
impl From<Vec<f32>> for Values {
    fn from(values: Vec<f32>) -> Values {
        Values::Singles(values)
    }
}

/// Doubles as they are; see [`Values::narrowed`].
impl From<Vec<f64>> for Values {
    fn from(values: Vec<f64>) -> Values {
        Values::Doubles(values)
    }
}

impl<'a> ValueSlice<'a> {
    /// How many numbers there are.
    #[inline]
    pub fn len(self) -> usize {
        with_values!(self, |values| values.len())
    }

    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Bytes of each number: 4 or 8.
    pub fn width(self) -> usize {
        match self {
            ValueSlice::Singles(_) => size_of::<f32>(),
            ValueSlice::Doubles(_) => size_of::<f64>(),
        }
    }

    /// Those at `range`.
    #[inline]
    pub fn slice(self, range: Range<usize>) -> ValueSlice<'a> {
        match self {
            ValueSlice::Singles(values) => ValueSlice::Singles(&values[range]),
            ValueSlice::Doubles(values) => ValueSlice::Doubles(&values[range]),
        }
    }

    /// All numbers in order.
    pub fn iter(self) -> impl Iterator<Item = f64> + 'a {
        let (singles, doubles): (&[f32], &[f64]) = match self {
            ValueSlice::Singles(values) => (values, &[]),
            ValueSlice::Doubles(values) => (&[], values),
        };
        singles.iter().map(|&x| f64::from(x)).chain(doubles.iter().copied())
    }
}

impl PartialEq for ValueSlice<'_> {
    fn eq(&self, other: &ValueSlice) -> bool {
        self.iter().eq(other.iter())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bits(values: &Values) -> Vec<u64> {
        values.iter().map(f64::to_bits).collect()
    }

    #[test]
    fn singles_are_the_numbers_that_are_exact_so() {
        for exact in [0.0, -0.0, 1.0, 0.1f32.into(), f32::MAX.into(), f32::MIN_POSITIVE.into(), 2f64.powi(-149)] {
            let values = Values::from(vec![1.0, exact]).narrowed();
            assert!(matches!(values, Values::Singles(_)), "{exact:e}");
            assert_eq!(bits(&values), [1f64.to_bits(), exact.to_bits()]);
        }
        for other in [0.1, 1e300, 1e-100, 16_777_217.0, 2f64.powi(-150), f64::from(f32::MAX) * 2.0] {
            assert!(matches!(Values::from(vec![1.0, other]).narrowed(), Values::Doubles(_)), "{other:e}");
        }
    }

    #[test]
    fn long_lists_are_converted_in_pieces() {
        let numbers: Vec<f64> = (0..2 * CONVERTED + 17).map(|place| (place % 1_000) as f64).collect();
        let mut values = Values::from(numbers.clone()).narrowed();
        assert!(matches!(values, Values::Singles(_)) && values.iter().eq(numbers.iter().copied()));
        values.push(0.1);
        assert!(matches!(values, Values::Doubles(_)) && values.iter().eq(numbers.into_iter().chain([0.1])));
    }

    proptest! {
        #[test]
        fn any_way_to_the_same_numbers_gives_them(
            numbers in prop::collection::vec(prop_oneof![any::<f32>().prop_map(f64::from), any::<f64>()], 0..40),
            cut in 0usize..40,
        ) {
            let numbers: Vec<f64> = numbers.into_iter().filter(|x| !x.is_nan()).collect();
            let cut = cut.min(numbers.len());
            let expected: Vec<u64> = numbers.iter().map(|x| x.to_bits()).collect();
            let pushed: Values = numbers.iter().copied().collect();
            let mut extended = Values::default();
            extended.extend(Values::from(numbers[..cut].to_vec()).narrowed().as_slice());
            extended.extend(Values::from(numbers[cut..].to_vec()).as_slice());
            let narrowed = Values::from(numbers.clone()).narrowed();
            for values in [&pushed, &extended, &narrowed] {
                prop_assert_eq!(bits(values), expected.clone());
                prop_assert_eq!(values, &narrowed);
                prop_assert_eq!(values.width(), narrowed.width());
                prop_assert!((0..numbers.len()).all(|place| values.get(place).to_bits() == expected[place]));
            }
            let mut kept = narrowed;
            kept.retain(|place| place % 3 != 1);
            kept.truncate(cut);
            let wanted = expected.iter().enumerate().filter(|entry| entry.0 % 3 != 1).map(|entry| *entry.1);
            prop_assert_eq!(bits(&kept), wanted.take(cut).collect::<Vec<_>>());
        }
    }
}
