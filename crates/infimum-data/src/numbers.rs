//! How the numbers of a file are kept: rounded to `f64` (columns as [`Values`], other lists as they are), or exact
//! ([`crate::exact`]). Readers are written once for all.

use std::fmt::Debug;

use infimum_problem::{Stored, Values, with_values};

use crate::npy::{Element, Kind};
use crate::number;

/// A growing list of numbers.
pub(crate) trait Numbers: Clone + Debug + Default + PartialEq + Send {
    /// How many there are.
    fn len(&self) -> usize;

    /// Makes room for so many more.
    fn reserve(&mut self, count: usize);

    /// Appends the number that the field says. `Err`: the field is no usable number, and says what is expected instead, or nothing if
    /// it is no number at all; a place-holder is appended.
    fn push_text(&mut self, field: &[u8]) -> Result<(), Option<&'static str>>;

    /// Appends the numbers of another list.
    fn append(&mut self, other: Self);

    /// Whether the number at `place` is 0.
    fn is_zero(&self, place: usize) -> bool;

    /// Replaces the numbers from `start` on by those at `places`.
    fn pick(&mut self, start: usize, places: &[usize]);

    /// An empty list with room for so many of a kind; `None` if there is none.
    fn with_room(count: usize, kind: Kind) -> Option<Self>;

    /// So many zeros, to be replaced by elements of a kind; `None` if there is no room.
    fn zeros(count: usize, kind: Kind) -> Option<Self>;

    /// Appends the elements of an array; whether all are usable.
    fn push_elements(&mut self, kind: Kind, bytes: &[u8]) -> bool;

    /// Replaces the number at `place`; whether the element is usable.
    fn set_element(&mut self, place: usize, element: Element) -> bool;
}

fn nearest(element: Element) -> f64 {
    match element {
        Element::Float(value) => value,
        Element::Signed(value) => value as f64,
        Element::Unsigned(value) => value as f64,
    }
}

/// An empty list with room for so many.
fn room<T>(count: usize) -> Option<Vec<T>> {
    let mut values = Vec::new();
    values.try_reserve_exact(count).ok().map(|()| values)
}

fn zeros<T: Stored>(count: usize) -> Option<Vec<T>> {
    let mut values = room(count)?;
    values.resize(count, T::default());
    Some(values)
}

/// Replaces the elements from `start` on by those at `places`.
fn pick<T: Stored>(values: &mut Vec<T>, start: usize, places: &[usize]) {
    let picked: Vec<T> = places.iter().map(|&place| values[place]).collect();
    values.truncate(start);
    values.extend(picked);
}

fn all_usable<T: Stored>(values: &[T]) -> bool {
    values.iter().all(|&value| number::objection(value.into()).is_none())
}

/// The number that the field says; NaN and what is expected instead if it is none that can be used.
#[inline(always)]
fn parsed(field: &[u8]) -> (f64, Result<(), Option<&'static str>>) {
    match number::parse(field) {
        Some(value) if number::objection(value).is_none() => (value, Ok(())),
        value => (f64::NAN, Err(value.and_then(number::objection))),
    }
}

impl Numbers for Values {
    fn len(&self) -> usize {
        self.len()
    }

    fn reserve(&mut self, count: usize) {
        self.reserve(count);
    }

    #[inline(always)]
    fn push_text(&mut self, field: &[u8]) -> Result<(), Option<&'static str>> {
        let (value, usable) = parsed(field);
        self.push(value);
        usable
    }

    fn append(&mut self, other: Self) {
        self.extend(other.as_slice());
    }

    fn is_zero(&self, place: usize) -> bool {
        self.get(place) == 0.0
    }

    fn pick(&mut self, start: usize, places: &[usize]) {
        match self {
            Values::Singles(values) => pick(values, start, places),
            Values::Doubles(values) => pick(values, start, places),
        }
    }

    fn with_room(count: usize, kind: Kind) -> Option<Self> {
        if kind.is_single() { room(count).map(Values::Singles) } else { room(count).map(Values::Doubles) }
    }

    fn zeros(count: usize, kind: Kind) -> Option<Self> {
        if kind.is_single() { zeros(count).map(Values::Singles) } else { zeros(count).map(Values::Doubles) }
    }

    fn push_elements(&mut self, kind: Kind, bytes: &[u8]) -> bool {
        let first = self.len();
        match self {
            Values::Singles(values) if kind.is_single() => {
                values.extend(bytes.chunks_exact(kind.size).map(|chunk| nearest(kind.element(chunk)) as f32));
            }
            Values::Singles(_) => {
                bytes.chunks_exact(kind.size).for_each(|chunk| self.push(nearest(kind.element(chunk))))
            }
            Values::Doubles(values) => return values.push_elements(kind, bytes),
        }
        with_values!(self.slice(first..self.len()), |values| all_usable(values))
    }

    fn set_element(&mut self, place: usize, element: Element) -> bool {
        let value = nearest(element);
        self.set(place, value);
        number::objection(value).is_none()
    }
}

impl Numbers for Vec<f64> {
    fn len(&self) -> usize {
        self.len()
    }

    fn reserve(&mut self, count: usize) {
        self.reserve(count);
    }

    #[inline(always)]
    fn push_text(&mut self, field: &[u8]) -> Result<(), Option<&'static str>> {
        let (value, usable) = parsed(field);
        self.push(value);
        usable
    }

    fn append(&mut self, other: Self) {
        self.extend_from_slice(&other);
    }

    fn is_zero(&self, place: usize) -> bool {
        self[place] == 0.0
    }

    fn pick(&mut self, start: usize, places: &[usize]) {
        pick(self, start, places);
    }

    fn with_room(count: usize, _kind: Kind) -> Option<Self> {
        room(count)
    }

    fn zeros(count: usize, _kind: Kind) -> Option<Self> {
        zeros(count)
    }

    fn push_elements(&mut self, kind: Kind, bytes: &[u8]) -> bool {
        let first = self.len();
        if (kind.letter, kind.size, kind.big_endian) == (b'f', 8, false) {
            self.extend(bytes.as_chunks::<8>().0.iter().map(|&chunk| f64::from_le_bytes(chunk)));
        } else {
            self.extend(bytes.chunks_exact(kind.size).map(|chunk| nearest(kind.element(chunk))));
        }
        all_usable(&self[first..])
    }

    fn set_element(&mut self, place: usize, element: Element) -> bool {
        self[place] = nearest(element);
        number::objection(self[place]).is_none()
    }
}
