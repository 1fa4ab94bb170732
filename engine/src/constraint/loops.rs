//! Bytes that keep a machine in its state, by kinds, so that whole subtrees of a vocabulary are accepted at once.
//!
//! Inside a JSON string nearly every token is allowed. [`Loops`] says which kinds of bytes lead from a state back to
//! the state; a [`TokenTrie`](super::TokenTrie) knows for each of its nodes which kinds of bytes come behind.

use super::grammar::Grammar;
use super::machine::{DEAD, Machine};
use alloc::vec;
use alloc::vec::Vec;

/// A set of kinds of bytes. ASCII bytes have a kind each, or share one: digits but 0, letters of hexadecimal numbers
/// and others, in two cases, and controls. Characters of several bytes have a kind by their length. The last kind says
/// that bytes from 0x80 on stand where valid UTF-8 has none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Loops(u64);

const N_ASCII_KINDS: u8 = 48;
const TWO_BYTES: u8 = 48;
const THREE_BYTES: u8 = 49;
const FOUR_BYTES: u8 = 50;
const NOT_UTF8: u8 = 51;

/// The kind of an ASCII byte.
const ASCII: [u8; 128] = {
    let mut kinds = [0; 128];
    let mut byte = 0_u8;
    let mut next = 8_u8;
    while byte < 128 {
        kinds[byte as usize] = match byte {
            b'\t' => 1,
            b'\n' => 2,
            0..b' ' | 127 => 0,
            b'1'..=b'9' => 3,
            b'a'..=b'f' => 4,
            b'g'..=b'z' => 5,
            b'A'..=b'F' => 6,
            b'G'..=b'Z' => 7,
            _ => {
                next += 1;
                next - 1
            }
        };
        byte += 1;
    }
    assert!(next <= N_ASCII_KINDS);
    kinds
};

/// Valid sequences by the kind of their character: ranges of the first byte, the second, and those behind.
const SEQUENCES: [(u8, &[(u8, u8)]); 8] = [
    (TWO_BYTES, &[(0xc2, 0xdf), (0x80, 0xbf)]),
    (THREE_BYTES, &[(0xe0, 0xe0), (0xa0, 0xbf), (0x80, 0xbf)]),
    (THREE_BYTES, &[(0xe1, 0xec), (0x80, 0xbf), (0x80, 0xbf)]),
    (THREE_BYTES, &[(0xed, 0xed), (0x80, 0x9f), (0x80, 0xbf)]),
    (THREE_BYTES, &[(0xee, 0xef), (0x80, 0xbf), (0x80, 0xbf)]),
    (FOUR_BYTES, &[(0xf0, 0xf0), (0x90, 0xbf), (0x80, 0xbf), (0x80, 0xbf)]),
    (FOUR_BYTES, &[(0xf1, 0xf3), (0x80, 0xbf), (0x80, 0xbf), (0x80, 0xbf)]),
    (FOUR_BYTES, &[(0xf4, 0xf4), (0x80, 0x8f), (0x80, 0xbf), (0x80, 0xbf)]),
];

impl Loops {
    /// The kinds that keep `machine` in `state`.
    pub(super) fn new(grammar: &Grammar, machine: &mut Machine, state: u32) -> Self {
        let mut leaving = 0_u64;
        for byte in 0..128_u8 {
            let kind = ASCII[usize::from(byte)];
            if leaving >> kind & 1 == 0 && machine.step(grammar, state, byte) != state {
                leaving |= 1 << kind;
            }
        }
        for (kind, ranges) in SEQUENCES {
            if leaving >> kind & 1 == 0 && !returns(grammar, machine, state, ranges) {
                leaving |= 1 << kind;
            }
        }
        if (0x80..=0xff).any(|byte| machine.step(grammar, state, byte) != state) {
            leaving |= 1 << NOT_UTF8;
        }
        Self(!leaving)
    }

    /// The kind of a byte that begins a character of valid UTF-8; of other bytes, none.
    pub(super) fn of(byte: u8) -> Self {
        let kind = match byte {
            0..0x80 => ASCII[usize::from(byte)],
            0xc2..0xe0 => TWO_BYTES,
            0xe0..0xf0 => THREE_BYTES,
            0xf0..=0xf4 => FOUR_BYTES,
            _ => return Self(0),
        };
        Self(1 << kind)
    }

    /// The mark of bytes that are not UTF-8.
    pub(super) const NOT_UTF8: Self = Self(1 << NOT_UTF8);

    pub(super) fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all kinds of `other` are among these.
    pub(super) fn contains(self, other: Self) -> bool {
        other.0 & !self.0 == 0
    }
}

/// Whether all byte sequences of some ranges lead from a state back to the state.
fn returns(grammar: &Grammar, machine: &mut Machine, state: u32, ranges: &[(u8, u8)]) -> bool {
    /// States after a part of a character, at most; a state with more is taken for one that is left.
    const MOST: usize = 16;
    let mut reached = vec![state];
    for &(low, high) in ranges {
        let mut next: Vec<u32> = Vec::new();
        for &from in &reached {
            let mut previous = None;
            for byte in low..=high {
                let class = grammar.class(byte);
                if previous.replace(class) == Some(class) {
                    continue;
                }
                let to = machine.step(grammar, from, byte);
                if to == DEAD {
                    return false;
                }
                if !next.contains(&to) {
                    next.push(to);
                }
            }
        }
        if next.len() > MOST {
            return false;
        }
        reached = next;
    }
    reached == [state]
}

/// Places in a character of valid UTF-8: between characters, or which bytes may come next and how many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Utf8Places(u8);

impl Utf8Places {
    pub(super) const ALL: Self = Self(u8::MAX);

    /// Whether the place between characters is among these.
    pub(super) fn has_boundary(self) -> bool {
        self.0 & 1 == 1
    }

    /// The places from which a byte leads to one of these.
    pub(super) fn before(self, byte: u8) -> Self {
        let is_among = |place: u8| self.0 >> place & 1;
        // Place 0 is between characters; 1, 2, 3: so many bytes are to come; 4 to 7: behind E0, ED, F0, F4.
        let lead = match byte {
            0..0x80 => is_among(0),
            0xc2..0xe0 => is_among(1),
            0xe0 => is_among(4),
            0xed => is_among(5),
            0xe1..0xf0 => is_among(2),
            0xf0 => is_among(6),
            0xf1..0xf4 => is_among(3),
            0xf4 => is_among(7),
            _ => 0,
        };
        let follows = |low: u8, high: u8, to: u8| if (low..=high).contains(&byte) { is_among(to) } else { 0 };
        let inside = [
            follows(0x80, 0xbf, 0),
            follows(0x80, 0xbf, 1),
            follows(0x80, 0xbf, 2),
            follows(0xa0, 0xbf, 1),
            follows(0x80, 0x9f, 1),
            follows(0x90, 0xbf, 2),
            follows(0x80, 0x8f, 2),
        ];
        Self(inside.iter().rev().fold(0, |places, place| places << 1 | place) << 1 | lead)
    }

    pub(super) fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}
