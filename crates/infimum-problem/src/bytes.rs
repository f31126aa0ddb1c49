//! Numbers as bytes, for the tensors of certificates that are lists of unequal things.
//!
//! Whole numbers are LEB128: seven bits a byte, the lowest first, the eighth set if more follow. Signed numbers are folded as 0, −1,
//! 1, −2, …; large ones are a length (of magnitude bytes; for signed ones twice that, plus 1 if negative) and the little-endian magnitude.
//! Floating-point numbers are their IEEE 754 bytes, little-endian.

use dashu_int::{IBig, Sign, UBig};

/// Writes numbers one after the other.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    pub(crate) bytes: Vec<u8>,
}

impl Writer {
    pub(crate) fn put(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.bytes.push(value as u8);
    }

    pub(crate) fn signed(&mut self, value: i64) {
        self.put(((value << 1) ^ (value >> 63)) as u64);
    }

    pub(crate) fn magnitude(&mut self, value: &UBig) {
        let bytes = value.to_le_bytes();
        self.put(bytes.len() as u64);
        self.bytes.extend_from_slice(&bytes);
    }

    pub(crate) fn double(&mut self, value: f64) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    pub(crate) fn single(&mut self, value: f32) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    pub(crate) fn large(&mut self, value: &IBig) {
        let (sign, magnitude) = value.clone().into_parts();
        let bytes = magnitude.to_le_bytes();
        self.put(2 * bytes.len() as u64 + u64::from(sign == Sign::Negative));
        self.bytes.extend_from_slice(&bytes);
    }
}

/// Reads what a [`Writer`] wrote; every method gives `None` where the bytes end early or are not what was written.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { bytes }
    }

    pub(crate) fn get(&mut self) -> Option<u64> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let (&byte, rest) = self.bytes.split_first()?;
            self.bytes = rest;
            let part = u64::from(byte & 0x7f);
            if part << shift >> shift != part {
                return None;
            }
            value |= part << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    /// A number of things to come, each at least one byte long, so that a damaged count asks for no memory.
    pub(crate) fn count(&mut self) -> Option<usize> {
        let count = usize::try_from(self.get()?).ok()?;
        (count <= self.bytes.len()).then_some(count)
    }

    pub(crate) fn signed(&mut self) -> Option<i64> {
        let value = self.get()?;
        Some((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    pub(crate) fn take(&mut self, length: u64) -> Option<&[u8]> {
        let (taken, rest) = self.bytes.split_at_checked(usize::try_from(length).ok()?)?;
        self.bytes = rest;
        Some(taken)
    }

    pub(crate) fn byte(&mut self) -> Option<u8> {
        let (&byte, rest) = self.bytes.split_first()?;
        self.bytes = rest;
        Some(byte)
    }

    pub(crate) fn double(&mut self) -> Option<f64> {
        let (value, rest) = self.bytes.split_first_chunk::<8>()?;
        self.bytes = rest;
        Some(f64::from_le_bytes(*value))
    }

    pub(crate) fn single(&mut self) -> Option<f32> {
        let (value, rest) = self.bytes.split_first_chunk::<4>()?;
        self.bytes = rest;
        Some(f32::from_le_bytes(*value))
    }

    pub(crate) fn magnitude(&mut self) -> Option<UBig> {
        let length = self.get()?;
        self.take(length).map(UBig::from_le_bytes)
    }

    pub(crate) fn large(&mut self) -> Option<IBig> {
        let head = self.get()?;
        let magnitude = UBig::from_le_bytes(self.take(head >> 1)?);
        let sign = if head & 1 == 1 { Sign::Negative } else { Sign::Positive };
        Some(IBig::from_parts(sign, magnitude))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub(crate) fn end<T>(&self, value: T) -> Option<T> {
        self.bytes.is_empty().then_some(value)
    }
}
