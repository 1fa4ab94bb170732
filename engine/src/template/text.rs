//! Strings that know where they come from.

use crate::chat::Piece;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Range;

/// A string and which of its bytes came from a message rather than from the template.
///
/// Every operation of the template language is built from `Text::push_slice` alone, so a byte cannot lose its origin
/// on the way from a message to the output, whatever the template does to it.
#[derive(Clone, Debug, Default)]
pub struct Text {
    string: String,
    /// Sorted, disjoint, not touching, not empty.
    from_messages: Vec<Range<usize>>,
}

impl Text {
    /// Text of the template's.
    pub fn literal(string: impl Into<String>) -> Self {
        Self { string: string.into(), from_messages: Vec::new() }
    }

    /// Text of a message's.
    pub fn message(string: impl Into<String>) -> Self {
        let string = string.into();
        let from_messages = if string.is_empty() { Vec::new() } else { alloc::vec![0..string.len()] };
        Self { string, from_messages }
    }

    /// The characters alone.
    pub fn as_str(&self) -> &str {
        &self.string
    }

    /// Bytes.
    pub fn len(&self) -> usize {
        self.string.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.string.is_empty()
    }

    /// The byte ranges that came from messages, in order.
    pub fn from_messages(&self) -> &[Range<usize>] {
        &self.from_messages
    }

    /// The maximal runs of one origin, in order.
    pub fn pieces(&self) -> impl Iterator<Item = Piece<'_>> {
        let mut at = 0;
        let mut ranges = self.from_messages.iter().peekable();
        core::iter::from_fn(move || {
            if at == self.string.len() {
                return None;
            }
            let start = at;
            match ranges.peek() {
                Some(range) if range.start == at => {
                    at = range.end;
                    ranges.next();
                    Some(Piece::Text(&self.string[start..at]))
                }
                next => {
                    at = next.map_or(self.string.len(), |range| range.start);
                    Some(Piece::Special(&self.string[start..at]))
                }
            }
        })
    }

    /// Heap bytes this string stands for in a memory budget.
    pub(super) fn cost(&self) -> usize {
        self.string.len() + self.from_messages.len() * size_of::<Range<usize>>()
    }

    pub(super) fn push_literal(&mut self, string: &str) {
        self.string.push_str(string);
    }

    /// Appends a string of the given origin.
    pub fn push_str(&mut self, string: &str, from_message: bool) {
        let start = self.string.len();
        self.string.push_str(string);
        if from_message {
            self.mark(start..self.string.len());
        }
    }

    /// Appends a string of the same origin as the byte `at` of `source`.
    pub(super) fn push_derived(&mut self, string: &str, source: &Self, at: usize) {
        self.push_str(string, source.is_from_message(at));
    }

    /// Every run of one origin mapped by itself.
    pub(super) fn map(&self, change: impl Fn(&str) -> String) -> Self {
        let mut out = Self::default();
        for piece in self.pieces() {
            out.push_str(&change(piece.as_str()), matches!(piece, Piece::Text(_)));
        }
        out
    }

    pub(super) fn push(&mut self, other: &Self) {
        self.push_slice(other, 0..other.len());
    }

    /// Appends a byte range of another text.
    pub(super) fn push_slice(&mut self, other: &Self, range: Range<usize>) {
        let start = self.string.len();
        self.string.push_str(&other.string[range.clone()]);
        let first = other.from_messages.partition_point(|marked| marked.end <= range.start);
        for marked in other.from_messages[first..].iter().take_while(|marked| marked.start < range.end) {
            let (from, to) = (marked.start.max(range.start), marked.end.min(range.end));
            self.mark(start + from - range.start..start + to - range.start);
        }
    }

    pub(super) fn slice(&self, range: Range<usize>) -> Self {
        let mut out = Self::default();
        out.push_slice(self, range);
        out
    }

    /// The slice that `part`, a subslice of [`Text::as_str`], covers.
    pub(super) fn part(&self, part: &str) -> Self {
        let start = part.as_ptr() as usize - self.string.as_ptr() as usize;
        self.slice(start..start + part.len())
    }

    fn is_from_message(&self, at: usize) -> bool {
        let next = self.from_messages.partition_point(|marked| marked.end <= at);
        self.from_messages.get(next).is_some_and(|marked| marked.start <= at)
    }

    /// Marks a range behind everything marked so far.
    fn mark(&mut self, range: Range<usize>) {
        match self.from_messages.last_mut() {
            Some(last) if last.end == range.start => last.end = range.end,
            _ if range.is_empty() => {}
            _ => self.from_messages.push(range),
        }
    }
}

impl<'p> FromIterator<Piece<'p>> for Text {
    fn from_iter<I: IntoIterator<Item = Piece<'p>>>(pieces: I) -> Self {
        let mut text = Self::default();
        for piece in pieces {
            text.push_str(piece.as_str(), matches!(piece, Piece::Text(_)));
        }
        text
    }
}

/// Python's `str.isspace`: Unicode white space and the four ASCII separators.
pub fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

/// The string without leading and trailing characters that satisfy `strips`.
pub fn trim(string: &str, strips: impl Fn(char) -> bool) -> &str {
    string.trim_start_matches(&strips).trim_end_matches(&strips)
}
