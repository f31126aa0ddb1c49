//! How the numbers of a file are kept: rounded to `f64`, or exact ([`crate::exact`]). Readers are written once for both.

use std::fmt::Debug;

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

    /// An empty list with room for so many; `None` if there is none.
    fn with_room(count: usize) -> Option<Self>;

    /// So many zeros; `None` if there is no room.
    fn zeros(count: usize) -> Option<Self>;

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

impl Numbers for Vec<f64> {
    fn len(&self) -> usize {
        self.len()
    }

    fn reserve(&mut self, count: usize) {
        self.reserve(count);
    }

    #[inline(always)]
    fn push_text(&mut self, field: &[u8]) -> Result<(), Option<&'static str>> {
        match number::parse(field) {
            Some(value) if number::objection(value).is_none() => {
                self.push(value);
                Ok(())
            }
            value => {
                self.push(f64::NAN);
                Err(value.and_then(number::objection))
            }
        }
    }

    fn append(&mut self, other: Self) {
        self.extend_from_slice(&other);
    }

    fn is_zero(&self, place: usize) -> bool {
        self[place] == 0.0
    }

    fn pick(&mut self, start: usize, places: &[usize]) {
        let values: Vec<f64> = places.iter().map(|&place| self[place]).collect();
        self.truncate(start);
        self.extend(values);
    }

    fn with_room(count: usize) -> Option<Self> {
        let mut values = Vec::new();
        values.try_reserve_exact(count).ok().map(|()| values)
    }

    fn zeros(count: usize) -> Option<Self> {
        let mut values = Self::with_room(count)?;
        values.resize(count, 0.0);
        Some(values)
    }

    fn push_elements(&mut self, kind: Kind, bytes: &[u8]) -> bool {
        let first = self.len();
        if (kind.letter, kind.size, kind.big_endian) == (b'f', 8, false) {
            self.extend(bytes.as_chunks::<8>().0.iter().map(|&chunk| f64::from_le_bytes(chunk)));
        } else {
            self.extend(bytes.chunks_exact(kind.size).map(|chunk| nearest(kind.element(chunk))));
        }
        self[first..].iter().all(|&value| number::objection(value).is_none())
    }

    fn set_element(&mut self, place: usize, element: Element) -> bool {
        self[place] = nearest(element);
        number::objection(self[place]).is_none()
    }
}
