//! Greedy merging of neighbours, the part that byte-level BPE and SentencePiece share.
//!
//! The pair of least priority merges first, the leftmost among equals. A heap over a linked list does that in
//! O(n log n): a merge leaves at most two new pairs, and each merge takes a symbol away.

use alloc::collections::BinaryHeap;
use alloc::vec::Vec;
use core::cmp::{Ordering, Reverse};

/// No neighbour.
const NONE: u32 = u32::MAX;

/// A stretch of the text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Symbol {
    /// Byte where it starts.
    pub(super) start: u32,
    /// Its bytes; 0 once it has been merged into its left neighbour.
    pub(super) len: u32,
    /// What it is called by whoever merges.
    pub(super) id: u32,
    previous: u32,
    next: u32,
}

/// Two neighbours that may merge.
#[derive(Clone, Copy, Debug)]
struct Pair {
    priority: u32,
    left: u32,
    right: u32,
    /// Bytes of both when the pair was found: it is outdated if they have changed.
    len: u32,
    merged: u32,
}

impl Pair {
    fn order(&self) -> (u32, u32) {
        (self.priority, self.left)
    }
}

impl Ord for Pair {
    fn cmp(&self, other: &Self) -> Ordering {
        self.order().cmp(&other.order())
    }
}

impl PartialOrd for Pair {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Pair {
    fn eq(&self, other: &Self) -> bool {
        self.order() == other.order()
    }
}

impl Eq for Pair {}

/// Symbols of one text, and the memory to merge them; reused from text to text.
#[derive(Debug, Default)]
pub(super) struct Merger {
    symbols: Vec<Symbol>,
    queue: BinaryHeap<Reverse<Pair>>,
}

impl Merger {
    /// Forgets the last text.
    pub(super) fn clear(&mut self) {
        self.symbols.clear();
        self.queue.clear();
    }

    /// Appends a symbol of `len` bytes.
    pub(super) fn push(&mut self, len: u32, id: u32) {
        let at = self.symbols.len() as u32;
        let start = self.symbols.last().map_or(0, |last| last.start + last.len);
        if let Some(last) = self.symbols.last_mut() {
            last.next = at;
        }
        self.symbols.push(Symbol { start, len, id, previous: at.wrapping_sub(1), next: NONE });
    }

    /// Merges until nothing is left to merge. `join` gives the priority (least first) and the id of a pair that may.
    pub(super) fn merge(&mut self, mut join: impl FnMut(&Symbol, &Symbol) -> Option<(u32, u32)>) {
        for right in 1..self.symbols.len() as u32 {
            self.enqueue(right - 1, right, &mut join);
        }
        while let Some(Reverse(pair)) = self.queue.pop() {
            let (left, right) = (self.symbols[pair.left as usize], self.symbols[pair.right as usize]);
            if left.len == 0 || right.len == 0 || left.len + right.len != pair.len {
                continue;
            }
            let merged = &mut self.symbols[pair.left as usize];
            merged.len = pair.len;
            merged.id = pair.merged;
            merged.next = right.next;
            self.symbols[pair.right as usize].len = 0;
            if right.next != NONE {
                self.symbols[right.next as usize].previous = pair.left;
                self.enqueue(pair.left, right.next, &mut join);
            }
            if left.previous != NONE {
                self.enqueue(left.previous, pair.left, &mut join);
            }
        }
    }

    /// What is left, in order.
    pub(super) fn symbols(&self) -> impl Iterator<Item = &Symbol> {
        self.symbols.iter().filter(|symbol| symbol.len > 0)
    }

    fn enqueue(&mut self, left: u32, right: u32, join: &mut impl FnMut(&Symbol, &Symbol) -> Option<(u32, u32)>) {
        let (l, r) = (&self.symbols[left as usize], &self.symbols[right as usize]);
        if let Some((priority, merged)) = join(l, r) {
            self.queue.push(Reverse(Pair { priority, left, right, len: l.len + r.len, merged }));
        }
    }
}
