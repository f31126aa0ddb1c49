//! The grammar of CSV and TSV, in two readers that must agree: [`Fields`] takes a text apart, [`Splitter`] only finds where
//! records end, so that a long text can be cut into pieces.
//!
//! A record ends at a line feed, a field at a delimiter. A quote opens a quoted field only where nothing but blanks stands
//! before it in its field; inside, `""` is a quote and everything else but `"` stands for itself. Any other quote is a
//! character like others (`5" pipe`).

use crate::error::DataError;

/// Splits text into trimmed fields. Call `next` until it says the record ends.
pub(crate) struct Fields<'a> {
    text: &'a [u8],
    /// Just after the last field.
    pub(crate) position: usize,
    delimiter: u8,
    scratch: Vec<u8>,
    /// 1-based line of the current position.
    pub(crate) line: u64,
}

/// Which bytes a field is.
enum Span {
    /// To be trimmed.
    Plain(usize, usize),
    /// As it stands.
    Quoted(usize, usize),
    /// In the scratch buffer: quoted, with quotes in it.
    Scratch,
}

impl<'a> Fields<'a> {
    pub(crate) fn new(text: &'a [u8], delimiter: u8) -> Self {
        Fields { text, position: 0, delimiter, scratch: Vec::new(), line: 1 }
    }

    /// Skips empty lines; whether a record follows.
    pub(crate) fn at_record(&mut self) -> bool {
        while self.position < self.text.len() {
            match self.text[self.position] {
                b'\n' => {
                    self.line += 1;
                    self.position += 1;
                }
                b'\r' if self.text.get(self.position + 1) == Some(&b'\n') => self.position += 1,
                _ => return true,
            }
        }
        false
    }

    /// The next field and whether it is the record's last.
    #[inline]
    pub(crate) fn next(&mut self) -> Result<(&[u8], bool), DataError> {
        let (span, last) = self.span()?;
        Ok(match span {
            Span::Plain(start, end) => (self.text[start..end].trim_ascii(), last),
            Span::Quoted(start, end) => (&self.text[start..end], last),
            Span::Scratch => (&self.scratch, last),
        })
    }

    #[inline]
    fn span(&mut self) -> Result<(Span, bool), DataError> {
        let start = self.position;
        let mut end = start;
        let mut plain = false;
        while let Some(&byte) = self.text.get(end) {
            if byte == self.delimiter || byte == b'\n' {
                break;
            }
            if byte == b'"' && !plain {
                if self.text[start..end].trim_ascii_start().is_empty() {
                    return self.quoted(end);
                }
                plain = true;
            }
            end += 1;
        }
        Ok((Span::Plain(start, end), self.leave(end)))
    }

    /// A quoted field whose opening quote stands at `open`.
    fn quoted(&mut self, open: usize) -> Result<(Span, bool), DataError> {
        let first_line = self.line;
        self.scratch.clear();
        let mut start = open + 1;
        let close = loop {
            let Some(found) = memchr::memchr(b'"', &self.text[start..]) else {
                return Err(DataError::field(first_line, None, "a closing quote `\"`", &self.text[open..]));
            };
            let quote = start + found;
            self.line += memchr::memchr_iter(b'\n', &self.text[start..quote]).count() as u64;
            if self.text.get(quote + 1) != Some(&b'"') {
                break quote;
            }
            self.scratch.extend_from_slice(&self.text[start..=quote]);
            start = quote + 2;
        };
        let rest = &self.text[close + 1..];
        let end = rest.iter().position(|&byte| byte == self.delimiter || byte == b'\n').unwrap_or(rest.len());
        if !rest[..end].trim_ascii().is_empty() {
            let got = &self.text[open..close + 1 + end];
            return Err(DataError::field(self.line, None, "a delimiter or the line's end after a closing quote", got));
        }
        let span = if self.scratch.is_empty() {
            Span::Quoted(start, close)
        } else {
            self.scratch.extend_from_slice(&self.text[start..close]);
            Span::Scratch
        };
        Ok((span, self.leave(close + 1 + end)))
    }

    /// Steps over the delimiter or line feed at `end`; whether the record ends there.
    #[inline]
    fn leave(&mut self, end: usize) -> bool {
        let byte = self.text.get(end);
        self.line += u64::from(byte == Some(&b'\n'));
        self.position = (end + 1).min(self.text.len());
        byte != Some(&self.delimiter)
    }
}

/// Finds where records end in a text that comes in parts; every byte is looked at once.
pub(crate) struct Splitter {
    /// The delimiter of quoted fields; `None` where quotes mean nothing and every line is a record.
    delimiter: Option<u8>,
    /// Up to here the text has been looked at.
    position: usize,
    /// Whether a quoted field is open there.
    inside: bool,
}

impl Splitter {
    /// Records of CSV or TSV.
    pub(crate) fn records(delimiter: u8) -> Splitter {
        Splitter { delimiter: Some(delimiter), position: 0, inside: false }
    }

    /// Lines.
    pub(crate) fn lines() -> Splitter {
        Splitter { delimiter: None, position: 0, inside: false }
    }

    /// Looks at what is new in `text`, which begins with a record. Returns positions just after record ends: for each of the
    /// `wanted` positions (increasing) the first at or after it, or else the last; then the last of all, 0 if there is none.
    /// `ended`: nothing will follow.
    pub(crate) fn cuts(&mut self, text: &[u8], wanted: &[usize], ended: bool) -> Vec<usize> {
        let (mut ends, mut last) = (Vec::with_capacity(wanted.len() + 1), 0);
        while self.position < text.len() {
            let start = self.position;
            let quote = self.delimiter.and_then(|_| memchr::memchr(b'"', &text[start..])).map(|found| start + found);
            if self.inside {
                match quote {
                    None => self.position = text.len(),
                    Some(quote) if quote + 1 == text.len() && !ended => {
                        // The next byte decides whether the field ends.
                        self.position = quote;
                        break;
                    }
                    Some(quote) if text.get(quote + 1) == Some(&b'"') => self.position = quote + 2,
                    Some(quote) => (self.inside, self.position) = (false, quote + 1),
                }
                continue;
            }
            let stop = quote.unwrap_or(text.len());
            if let Some(feed) = memchr::memrchr(b'\n', &text[start..stop]) {
                last = start + feed + 1;
                while let Some(from) = wanted.get(ends.len()).map(|&wanted| wanted.saturating_sub(1).max(start))
                    && let Some(feed) = text.get(from..last).and_then(|part| memchr::memchr(b'\n', part))
                {
                    ends.push(from + feed + 1);
                }
            }
            self.inside = quote.is_some_and(|quote| self.opens(text, quote));
            self.position = (stop + 1).min(text.len());
        }
        ends.resize(wanted.len(), last);
        ends.push(last);
        ends
    }

    /// Whether the quote opens a field: only blanks stand between it and the field's start.
    fn opens(&self, text: &[u8], quote: usize) -> bool {
        let ends_field = |byte: u8| byte == b'\n' || Some(byte) == self.delimiter;
        let before = text[..quote].iter().rev().find(|&&byte| ends_field(byte) || !byte.is_ascii_whitespace());
        before.is_none_or(|&byte| ends_field(byte))
    }

    /// The first `count` bytes of the text are gone.
    pub(crate) fn forget(&mut self, count: usize) {
        self.position -= count;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Ends of all records by [`Fields`], or `None` if it finds an error.
    fn ends_by_fields(text: &[u8]) -> Option<Vec<usize>> {
        let mut fields = Fields::new(text, b',');
        let mut ends = Vec::new();
        while fields.at_record() {
            while !fields.next().ok()?.1 {}
            ends.push(fields.position);
        }
        Some(ends)
    }

    proptest! {
        /// Where the text is right, both readers see the same records, however the text comes in.
        #[test]
        fn both_readers_agree(text in "([a\" ,\r\n]|\"[a,\n]\"){0,60}\n", parts in prop::collection::vec(1usize..9, 1..40)) {
            let text = text.as_bytes();
            let Some(expected) = ends_by_fields(text) else { return Ok(()) };
            let (mut splitter, mut seen, mut gone) = (Splitter::records(b','), 0, 0);
            let mut parts = parts.iter().cycle();
            while seen < text.len() {
                seen = (seen + parts.next().unwrap_or(&1)).min(text.len());
                let wanted: Vec<usize> = (1..=seen - gone).collect();
                let cuts = splitter.cuts(&text[gone..seen], &wanted, seen == text.len());
                let last = cuts[wanted.len()];
                let found: Vec<usize> = wanted.iter().filter(|end| cuts.contains(end)).map(|end| gone + end).collect();
                for end in expected.iter().filter(|&&end| end > gone && end <= gone + last) {
                    prop_assert!(found.contains(end), "{end} of {expected:?}, found {found:?}");
                }
                for end in &found {
                    let line = text[..end - 1].iter().rposition(|&byte| byte == b'\n').map_or(0, |feed| feed + 1);
                    let empty = !Fields::new(&text[line..*end], b',').at_record();
                    prop_assert!(expected.contains(end) || empty, "{end} is no record's end: {expected:?}");
                }
                splitter.forget(last);
                gone += last;
            }
            prop_assert_eq!(gone, text.len());
        }
    }

    #[test]
    fn stray_quotes_are_characters_and_cost_nothing() {
        let mut splitter = Splitter::records(b',');
        assert_eq!(splitter.cuts(b"5\" pipe,1\n \"a\n\",2\nx", &[1, 11], false), [10, 18, 18]);
        let many = [b" ".repeat(1 << 20), b"x".to_vec(), b"\"".repeat(1 << 20), b"\n".to_vec()].concat();
        assert_eq!(Splitter::records(b',').cuts(&many, &[], false), [many.len()]);
        assert!(Fields::new(&many, b',').next().is_ok_and(|field| field.1));
    }
}
