//! Greedy merging of neighbours, shared by byte-level BPE and SentencePiece.
//!
//! The pair with the lowest priority value merges first; among equals, the leftmost. A heap over a linked list takes
//! O(n log n): a merge creates at most two new pairs, and each merge removes one symbol.

use alloc::collections::BinaryHeap;
use alloc::vec::Vec;
use core::cmp::{Ordering, Reverse};

/// Marks a symbol without a neighbour.
const NONE: u32 = u32::MAX;

/// A stretch of the text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Symbol {
    /// Offset of its first byte.
    pub(super) start: u32,
    /// Number of bytes; 0 once the symbol has been merged into its left neighbour.
    pub(super) len: u32,
    /// The caller's number for the symbol.
    pub(super) id: u32,
    previous: u32,
    next: u32,
}

/// A symbol that may merge with the one after it.
#[derive(Clone, Copy, Debug)]
struct Pair {
    /// Priority in the high half, position in the low half; the least pair comes first.
    order: u64,
    /// Bytes of both symbols when the pair was queued. The entry is outdated if their length has changed.
    len: u32,
    merged: u32,
}

impl Pair {
    fn left(&self) -> usize {
        self.order as u32 as usize
    }
}

impl Ord for Pair {
    fn cmp(&self, other: &Self) -> Ordering {
        self.order.cmp(&other.order)
    }
}

impl PartialOrd for Pair {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Pair {
    fn eq(&self, other: &Self) -> bool {
        self.order == other.order
    }
}

impl Eq for Pair {}

/// The symbols of one text, and the memory to merge them. It is reused for the next text.
#[derive(Debug, Default)]
pub(super) struct Merger {
    symbols: Vec<Symbol>,
    queue: BinaryHeap<Reverse<Pair>>,
}

impl Merger {
    /// Forgets the symbols of the last text.
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

    /// Merges until no pair can merge. `join` gives the priority (lowest first) and the new id of a pair that may
    /// merge.
    pub(super) fn merge(&mut self, mut join: impl FnMut(&Symbol, &Symbol) -> Option<(u32, u32)>) {
        for left in 0..self.symbols.len() {
            self.enqueue(left, &mut join);
        }
        while let Some(Reverse(pair)) = self.queue.pop() {
            let left = self.symbols[pair.left()];
            // Symbols only grow or vanish, so equal length means that the pair is unchanged.
            let Some(&right) = self.symbols.get(left.next as usize) else { continue };
            if left.len == 0 || left.len + right.len != pair.len {
                continue;
            }
            self.symbols[left.next as usize].len = 0;
            self.symbols[pair.left()] = Symbol { len: pair.len, id: pair.merged, next: right.next, ..left };
            if let Some(next) = self.symbols.get_mut(right.next as usize) {
                next.previous = pair.left() as u32;
            }
            self.enqueue(pair.left(), &mut join);
            if left.previous != NONE {
                self.enqueue(left.previous as usize, &mut join);
            }
        }
    }

    /// The remaining symbols, in order.
    pub(super) fn symbols(&self) -> impl Iterator<Item = &Symbol> {
        self.symbols.iter().filter(|symbol| symbol.len > 0)
    }

    /// Queues a symbol with its right neighbour, if the two may merge.
    fn enqueue(&mut self, at: usize, join: &mut impl FnMut(&Symbol, &Symbol) -> Option<(u32, u32)>) {
        let left = &self.symbols[at];
        let Some(right) = self.symbols.get(left.next as usize) else { return };
        if let Some((priority, merged)) = join(left, right) {
            let order = u64::from(priority) << 32 | at as u64;
            self.queue.push(Reverse(Pair { order, len: left.len + right.len, merged }));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    /// Merges a text of `ids`, one byte each, by rules `(left, right, priority, merged)`. Also returns how many pairs
    /// were tried.
    fn merge(ids: &[u32], rules: &[(u32, u32, u32, u32)]) -> (Vec<(u32, u32)>, usize) {
        let mut merger = Merger::default();
        for &id in ids {
            merger.push(1, id);
        }
        let mut n_looked_at = 0;
        merger.merge(|left, right| {
            n_looked_at += 1;
            let rule = rules.iter().find(|rule| (rule.0, rule.1) == (left.id, right.id))?;
            Some((rule.2, rule.3))
        });
        (merger.symbols().map(|symbol| (symbol.id, symbol.len)).collect(), n_looked_at)
    }

    #[test]
    fn least_priority_goes_first() {
        // In 1 2 3, the pair (2, 3) goes before (1, 2), and its result merges with 1.
        let rules = [(1, 2, 5, 12), (2, 3, 4, 23), (1, 23, 9, 123)];
        assert_eq!(merge(&[1, 2, 3], &rules).0, [(123, 3)]);
        assert_eq!(merge(&[1, 2, 3], &rules[..2]).0, [(1, 1), (23, 2)]);
    }

    #[test]
    fn leftmost_goes_first_among_equals() {
        assert_eq!(merge(&[1, 1, 1], &[(1, 1, 0, 2)]).0, [(2, 2), (1, 1)]);
        let overlapping = [(1, 2, 7, 12), (2, 1, 7, 21)];
        assert_eq!(merge(&[1, 2, 1, 2, 1], &overlapping).0, [(12, 2), (12, 2), (1, 1)]);
    }

    #[test]
    fn outdated_pairs_are_dropped() {
        // (2, 3) is queued, then 2 merges into 1.
        assert_eq!(merge(&[1, 2, 3], &[(1, 2, 0, 12), (2, 3, 1, 23)]).0, [(12, 2), (3, 1)]);
        // (3, 4) is queued, then 4 merges with 5.
        assert_eq!(merge(&[3, 4, 5], &[(4, 5, 0, 45), (3, 4, 1, 34)]).0, [(3, 1), (45, 2)]);
    }

    #[test]
    fn cycles_end() {
        let rules = [(1, 1, 0, 1), (1, 2, 0, 2), (2, 1, 0, 1)];
        assert_eq!(merge(&[1; 1000], &rules).0, [(1, 1000)]);
    }

    #[test]
    fn work_is_linear_in_the_text() {
        for n in [1_000, 100_000] {
            let doubling = [(1, 1, 0, 2), (2, 2, 1, 3), (3, 3, 2, 4), (4, 4, 3, 5)];
            let (left, n_looked_at) = merge(&vec![1; n], &doubling);
            assert_eq!(left.len(), n.div_ceil(16));
            assert!(n_looked_at < 3 * n, "{n_looked_at} pairs for {n} symbols");
        }
    }
}
