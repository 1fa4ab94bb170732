//! Finds special tokens in a text.
//!
//! As in llama.cpp, longer tokens are found first, in the whole text, then shorter ones in the remaining stretches.
//! Among tokens of equal length, the lower id goes first, then the leftmost position. A heap of the best token at each
//! position avoids a pass over the text for each token.

use alloc::collections::BinaryHeap;
use alloc::vec;
use alloc::vec::Vec;
use core::cmp::Reverse;
use core::ops::Range;

use super::vocabulary::{TokenKind, Vocabulary};

/// Marks an entry without a parent.
const NONE: u32 = u32::MAX;

/// The special tokens of a vocabulary: user-defined, control and unknown ones.
#[derive(Clone, Debug)]
pub(super) struct SpecialTokens {
    /// The entries, sorted by piece.
    entries: Vec<Entry>,
    /// For each byte, whether some piece starts with it.
    starts: [bool; 256],
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    id: u32,
    /// The longest other entry that is a prefix of this piece.
    parent: u32,
    strip: Strip,
}

/// The white space that a token strips.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Strip {
    pub(super) left: bool,
    pub(super) right: bool,
}

/// A part of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fragment<'t> {
    Text(&'t str),
    Token(u32),
}

/// A token at a position; the candidate that goes first compares greatest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Candidate {
    len: u32,
    id: Reverse<u32>,
    at: Reverse<u32>,
    entry: u32,
}

impl SpecialTokens {
    /// Collects the special tokens; `strip` says which white space each strips. Empty pieces and pieces that are not
    /// UTF-8 occur in no text. Of several tokens with one piece, the first counts; for control tokens, the first
    /// special one.
    pub(super) fn new(vocabulary: &Vocabulary<'_>, strip: impl Fn(u32) -> Strip) -> Self {
        let entry = |(id, kind)| {
            let piece = vocabulary.piece(id);
            let is_found = matches!(kind, TokenKind::UserDefined | TokenKind::Control | TokenKind::Unknown)
                && !piece.is_empty()
                && core::str::from_utf8(piece).is_ok()
                && (kind == TokenKind::Control || !vocabulary.is_duplicate(id));
            is_found.then(|| Entry { id, parent: NONE, strip: strip(id) })
        };
        let mut entries: Vec<Entry> = vocabulary.kinds().filter_map(entry).collect();
        entries.sort_unstable_by_key(|entry| (vocabulary.piece(entry.id), entry.id));
        entries.dedup_by_key(|entry| vocabulary.piece(entry.id));
        let mut tokens = Self { entries, starts: [false; 256] };
        for at in 0..tokens.entries.len() {
            let piece = vocabulary.piece(tokens.entries[at].id);
            tokens.starts[usize::from(piece[0])] = true;
            if let Some(before) = at.checked_sub(1) {
                let is_prefix = |entry: &Entry| piece.starts_with(vocabulary.piece(entry.id));
                tokens.entries[at].parent = tokens.ancestor(before as u32, is_prefix);
            }
        }
        tokens
    }

    /// Calls `emit` with the fragments of `text`, in order; `text` must be shorter than 2^32 bytes. `allowed` receives
    /// a token's id and the bytes that the token would take, and decides whether the token may take them.
    pub(super) fn partition<'t>(
        &self,
        vocabulary: &Vocabulary<'_>,
        text: &'t str,
        allowed: impl Fn(u32, Range<usize>) -> bool,
        mut emit: impl FnMut(Fragment<'t>),
    ) {
        let longest = |bytes: &[u8], at| self.longest(vocabulary, bytes, at, &allowed);
        let mut queue: BinaryHeap<Candidate> = BinaryHeap::new();
        let bytes = text.as_bytes();
        for at in (0..bytes.len()).filter(|&at| self.starts[usize::from(bytes[at])]) {
            queue.extend(longest(&bytes[at..], at));
        }
        if queue.is_empty() {
            if !text.is_empty() {
                emit(Fragment::Text(text));
            }
            return;
        }
        // The bytes of tokens, and of the white space that tokens strip.
        let mut taken = vec![false; bytes.len()];
        let mut found = Vec::new();
        while let Some(candidate) = queue.pop() {
            let at = candidate.at.0 as usize;
            if taken[at] {
                continue;
            }
            let (mut start, mut end) = (at, at + candidate.len as usize);
            if let Some(n_free) = taken[start..end].iter().position(|&taken| taken) {
                queue.extend(longest(&bytes[at..at + n_free], at));
                continue;
            }
            let Entry { id, strip, .. } = self.entries[candidate.entry as usize];
            while strip.left && start > 0 && !taken[start - 1] && is_space(bytes[start - 1]) {
                start -= 1;
            }
            while strip.right && end < bytes.len() && !taken[end] && is_space(bytes[end]) {
                end += 1;
            }
            taken[start..end].fill(true);
            found.push((at, id));
        }
        found.sort_unstable();
        let mut found = found.into_iter().peekable();
        let mut start = 0;
        for stretch in taken.chunk_by(|one, next| one == next) {
            let end = start + stretch.len();
            if !stretch[0] {
                while let Some((_, id)) = found.next_if(|&(at, _)| at < start) {
                    emit(Fragment::Token(id));
                }
                emit(Fragment::Text(&text[start..end]));
            }
            start = end;
        }
        found.for_each(|(_, id)| emit(Fragment::Token(id)));
    }

    /// The longest allowed token that `text` starts with, as a candidate at position `at`.
    fn longest(
        &self,
        vocabulary: &Vocabulary<'_>,
        text: &[u8],
        at: usize,
        allowed: impl Fn(u32, Range<usize>) -> bool,
    ) -> Option<Candidate> {
        let piece = |entry: &Entry| vocabulary.piece(entry.id);
        // Every piece that the text starts with is the last entry not greater than the text, or an ancestor of that
        // entry.
        let n_before = self.entries.partition_point(|entry| piece(entry) <= text);
        let last = n_before.checked_sub(1)? as u32;
        let found = self
            .ancestor(last, |entry| text.starts_with(piece(entry)) && allowed(entry.id, at..at + piece(entry).len()));
        let entry = self.entries.get(found as usize)?;
        let (len, at) = (piece(entry).len() as u32, at as u32);
        Some(Candidate { len, id: Reverse(entry.id), at: Reverse(at), entry: found })
    }

    /// The first accepted one among an entry, its parent, the parent's parent and so on, or [`NONE`].
    fn ancestor(&self, mut at: u32, accept: impl Fn(&Entry) -> bool) -> u32 {
        while let Some(entry) = self.entries.get(at as usize) {
            if accept(entry) {
                break;
            }
            at = entry.parent;
        }
        at
    }
}

/// The white space of C's `isspace`, which llama.cpp strips.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}
