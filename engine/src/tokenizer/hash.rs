//! A hash table of `u32`s whose keys are stored elsewhere: pieces in the file, merges in a vector.
//!
//! The hash is folded multiplication, keyed by a digest of everything that goes into the table. An attacker who
//! searches for colliding pieces changes the key with every piece, so building and searching stay linear.

use alloc::vec;
use alloc::vec::Vec;

const K1: u64 = 0x9e37_79b9_7f4a_7c15;
const K2: u64 = 0xd1b5_4a32_d192_ed03;

fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}

/// A keyed hash.
#[derive(Clone, Copy, Debug)]
pub(super) struct Key(u64);

impl Key {
    /// A key that depends on every one of `parts`.
    pub(super) fn from_parts<'p>(parts: impl Iterator<Item = &'p [u8]>) -> Self {
        Self(parts.fold(K2, |state, part| Key(state).mix(part)))
    }

    /// A key that depends on every one of `pairs`.
    pub(super) fn from_pairs(pairs: impl Iterator<Item = (u32, u32)>) -> Self {
        Self(pairs.fold(K2, |state, (a, b)| fold(state ^ pack(a, b), K1).wrapping_add(K2)))
    }

    /// Hash of a byte string.
    pub(super) fn bytes(self, bytes: &[u8]) -> u32 {
        (fold(self.mix(bytes), K2) >> 16) as u32
    }

    /// Hash of a pair.
    pub(super) fn pair(self, a: u32, b: u32) -> u32 {
        (fold(fold(self.0 ^ pack(a, b), K1), K2) >> 16) as u32
    }

    fn mix(self, bytes: &[u8]) -> u64 {
        let mut state = self.0.wrapping_add((bytes.len() as u64).wrapping_mul(K2));
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            state = fold(state ^ u64::from_le_bytes(*word), K1).wrapping_add(K2);
        }
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        fold(state ^ u64::from_le_bytes(last), K1).wrapping_add(K2)
    }
}

fn pack(a: u32, b: u32) -> u64 {
    u64::from(a) << 32 | u64::from(b)
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    hash: u32,
    value: u32,
}

/// Marks a free slot. No real value is this large: values count entries of arrays in memory.
const EMPTY: Slot = Slot { hash: 0, value: u32::MAX };

/// Open addressing with linear probing, at most three quarters full.
#[derive(Clone, Debug)]
pub(super) struct Table {
    slots: Vec<Slot>,
    len: usize,
}

impl Table {
    /// A table for `n` values; the table grows if more are inserted.
    pub(super) fn with_capacity(n: usize) -> Self {
        Self { slots: vec![EMPTY; (n + n / 3 + 1).next_power_of_two().max(16)], len: 0 }
    }

    /// The value with this hash that `is_it` accepts, if there is one.
    pub(super) fn find(&self, hash: u32, mut is_it: impl FnMut(u32) -> bool) -> Option<u32> {
        let mask = self.slots.len() - 1;
        let mut at = hash as usize & mask;
        loop {
            let slot = self.slots[at];
            if slot.value == EMPTY.value {
                return None;
            }
            if slot.hash == hash && is_it(slot.value) {
                return Some(slot.value);
            }
            at = (at + 1) & mask;
        }
    }

    /// Adds a value that is not in the table.
    pub(super) fn insert(&mut self, hash: u32, value: u32) {
        if self.len >= self.slots.len() / 4 * 3 {
            let doubled = vec![EMPTY; self.slots.len() * 2];
            let old = core::mem::replace(&mut self.slots, doubled);
            for slot in old {
                if slot.value != EMPTY.value {
                    self.place(slot);
                }
            }
        }
        self.len += 1;
        self.place(Slot { hash, value });
    }

    fn place(&mut self, slot: Slot) {
        let mask = self.slots.len() - 1;
        let mut at = slot.hash as usize & mask;
        while self.slots[at].value != EMPTY.value {
            at = (at + 1) & mask;
        }
        self.slots[at] = slot;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_was_inserted_and_nothing_else() {
        let key = Key::from_parts([b"some".as_slice(), b"pieces"].into_iter());
        let mut table = Table::with_capacity(3);
        for value in 0..1000_u32 {
            table.insert(key.bytes(&value.to_le_bytes()), value);
        }
        for value in 0..1000_u32 {
            assert_eq!(table.find(key.bytes(&value.to_le_bytes()), |found| found == value), Some(value));
        }
        assert_eq!(table.find(key.bytes(&1000_u32.to_le_bytes()), |found| found == 1000), None);
    }

    #[test]
    fn padding_does_not_collide() {
        let key = Key::from_parts(core::iter::empty());
        assert_ne!(key.bytes(b"a"), key.bytes(b"a\0"));
        assert_ne!(key.bytes(b""), key.bytes(b"\0"));
    }
}
