//! A hash table of `u32`s whose keys are stored elsewhere: in the file.
//!
//! The hash is folded multiplication, keyed by a digest of everything that goes into a tokenizer's tables. An attacker
//! who searches for colliding pieces changes the key with every piece, so building and searching stay linear.

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
    /// A key that depends on every byte of both parts.
    pub(super) fn new(parts: [&[u8]; 2]) -> Self {
        Self(parts.into_iter().fold(K2, |state, part| Key(state).mix(part)))
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
        let state = self.0.wrapping_add((bytes.len() as u64).wrapping_mul(K2));
        let step = |state, word| fold(state ^ word, K1).wrapping_add(K2);
        let state = bytes.as_chunks().0.iter().fold(state, |state, word| step(state, u64::from_le_bytes(*word)));
        // The length tells apart what the last words have in common with the words before, and which bytes they repeat.
        step(
            state,
            match (bytes.last_chunk(), bytes.first_chunk(), bytes.last_chunk()) {
                (Some(word), ..) => u64::from_le_bytes(*word),
                (None, Some(first), Some(last)) => pack(u32::from_le_bytes(*first), u32::from_le_bytes(*last)),
                _ => bytes.iter().fold(0, |word, &byte| word << 8 | u64::from(byte)),
            },
        )
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

/// Marks a free slot. No real value is this large: values are entries of arrays in memory, or places in one.
const EMPTY: Slot = Slot { hash: 0, value: u32::MAX };

/// Open addressing with linear probing, at most three quarters full.
#[derive(Clone, Debug)]
pub(super) struct Table {
    slots: Vec<Slot>,
}

impl Table {
    /// A table for at most `n` values.
    pub(super) fn with_capacity(n: usize) -> Self {
        Self { slots: vec![EMPTY; (n + n / 3 + 1).next_power_of_two()] }
    }

    /// The value with this hash that `is_it` accepts, if there is one.
    pub(super) fn find(&self, hash: u32, is_it: impl FnMut(u32) -> bool) -> Option<u32> {
        Some(self.slots[self.place(hash, is_it)].value).filter(|&value| value != EMPTY.value)
    }

    /// Adds a value, unless there is one with this hash that `is_it` accepts. Whether there was none.
    pub(super) fn insert(&mut self, hash: u32, value: u32, is_it: impl FnMut(u32) -> bool) -> bool {
        let place = self.place(hash, is_it);
        let slot = &mut self.slots[place];
        let is_new = slot.value == EMPTY.value;
        if is_new {
            *slot = Slot { hash, value };
        }
        is_new
    }

    /// Where the value with this hash is that `is_it` accepts; or else the free slot for it, of which there is always
    /// one, because a quarter of all are.
    fn place(&self, hash: u32, mut is_it: impl FnMut(u32) -> bool) -> usize {
        let mask = self.slots.len() - 1;
        let mut at = hash as usize & mask;
        loop {
            let slot = self.slots[at];
            if slot.value == EMPTY.value || slot.hash == hash && is_it(slot.value) {
                return at;
            }
            at = (at + 1) & mask;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_was_inserted_and_nothing_else() {
        let key = Key::new([b"some", b"pieces"]);
        let mut table = Table::with_capacity(1000);
        for value in 0..1000_u32 {
            assert!(table.insert(key.bytes(&value.to_le_bytes()), value, |found| found == value));
        }
        for value in 0..1000_u32 {
            let hash = key.bytes(&value.to_le_bytes());
            assert_eq!(table.find(hash, |found| found == value), Some(value));
            assert!(!table.insert(hash, value + 1000, |found| found == value));
        }
        assert_eq!(table.find(key.bytes(&1000_u32.to_le_bytes()), |found| found == 1000), None);
    }

    #[test]
    fn padding_does_not_collide() {
        let key = Key::new([b"", b""]);
        assert_ne!(key.bytes(b"a"), key.bytes(b"a\0"));
        assert_ne!(key.bytes(b""), key.bytes(b"\0"));
    }

    /// Texts of up to 24 bytes that differ in one byte, or in the number of equal bytes.
    #[test]
    fn every_byte_and_the_length_count() {
        let key = Key::new([b"", b""]);
        let mut seen = alloc::collections::BTreeSet::new();
        for len in 0..=24 {
            let zeros = vec![0; len];
            assert!(seen.insert(key.mix(&zeros)), "{len}");
            for at in 0..len {
                let mut bytes = zeros.clone();
                bytes[at] = 1;
                assert!(seen.insert(key.mix(&bytes)), "{at} of {len}");
            }
        }
        assert_ne!(Key::new([b"a", b"b"]).0, Key::new([b"b", b"a"]).0);
        assert_ne!(Key::new([b"ab", b""]).0, Key::new([b"a", b"b"]).0);
    }
}
