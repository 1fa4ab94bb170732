//! Characters that a machine takes one after the other, by kinds, so that whole subtrees of a vocabulary are decided at
//! once.
//!
//! Inside a JSON string nearly every token is allowed, or, if the string must not be much longer, every token of few
//! characters. [`Run`] says which kinds of characters lead from a state on, and for how long; a
//! [`TokenTrie`](super::TokenTrie) knows for each of its nodes which kinds of characters come behind.

use super::grammar::Grammar;
use super::machine::{DEAD, Machine};
use alloc::vec;
use alloc::vec::Vec;

/// A set of kinds of characters. ASCII characters have a kind each, or share one: digits but 0, letters of hexadecimal
/// numbers and others, in two cases, and controls. Others have a kind by the length of their UTF-8. One more says that
/// bytes from 0x80 on stand where valid UTF-8 has none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Kinds(u64);

/// What a state does with one character: where as many kinds as possible lead alike.
#[derive(Clone, Copy, Debug)]
pub(super) struct Link {
    to: u32,
    kinds: Kinds,
}

/// What a state does with characters of some kinds, in any order.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    pub(super) kinds: Kinds,
    /// So many of these characters lead to states that are not dead. The last one may be incomplete.
    pub(super) n: usize,
    /// Whether one more leads to the dead state.
    pub(super) is_all: bool,
}

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

/// Characters one of which tells where most lead: common in texts, and between them of many kinds.
const TRIED: [u8; 8] = *b"ae1A -0_";

impl Run {
    /// Any number of characters.
    const ENDLESS: usize = usize::MAX;
    /// Characters that a run is followed for. Few tokens have more.
    const MOST: usize = 32;

    /// What a state does with up to `n_wanted` characters, or [`Self::MOST`] if that is less.
    pub(super) fn new(grammar: &Grammar, machine: &mut Machine, state: u32, n_wanted: usize) -> Self {
        let n_wanted = n_wanted.min(Self::MOST);
        let mut kinds = Kinds::ALL;
        let mut from = state;
        for n in 0..n_wanted {
            let link = machine.link(grammar, from);
            kinds = kinds.intersection(link.kinds);
            if link.to == from {
                return Self { kinds, n: Self::ENDLESS, is_all: false };
            }
            if link.to == DEAD {
                return Self { kinds, n, is_all: true };
            }
            from = link.to;
        }
        Self { kinds, n: n_wanted, is_all: false }
    }
}

impl Link {
    pub(super) fn new(grammar: &Grammar, machine: &mut Machine, from: u32) -> Self {
        let next = TRIED.map(|byte| machine.step(grammar, from, byte));
        let to = next.into_iter().find(|&to| to != DEAD).unwrap_or(DEAD);
        Self { to, kinds: Kinds::leading(grammar, machine, from, to) }
    }
}

impl Kinds {
    const ALL: Self = Self(u64::MAX);
    /// The mark of bytes that are not UTF-8.
    pub(super) const NOT_UTF8: Self = Self(1 << NOT_UTF8);

    /// The kinds whose characters all lead from a state to another, and, if that is not the dead one, not to the dead
    /// one on the way.
    fn leading(grammar: &Grammar, machine: &mut Machine, from: u32, to: u32) -> Self {
        let mut others = 0_u64;
        for byte in 0..128_u8 {
            let kind = ASCII[usize::from(byte)];
            if others >> kind & 1 == 0 && machine.step(grammar, from, byte) != to {
                others |= 1 << kind;
            }
        }
        for (kind, ranges) in SEQUENCES {
            if others >> kind & 1 == 0 && !lead(grammar, machine, (from, to), ranges) {
                others |= 1 << kind;
            }
        }
        // Such bytes are no characters that could be counted.
        if to != from || (0x80..=0xff).any(|byte| machine.step(grammar, from, byte) != to) {
            others |= 1 << NOT_UTF8;
        }
        Self(!others)
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

    pub(super) fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether all kinds of `other` are among these.
    pub(super) fn contains(self, other: Self) -> bool {
        other.0 & !self.0 == 0
    }
}

/// Whether all byte sequences of some ranges lead from a state to another: if that is the dead one, by their first
/// byte, and otherwise through no dead state.
fn lead(grammar: &Grammar, machine: &mut Machine, (from, to): (u32, u32), ranges: &[(u8, u8)]) -> bool {
    /// States after a part of a character, at most; characters with more are taken for such that lead elsewhere.
    const MOST: usize = 16;
    let ranges = if to == DEAD { &ranges[..1] } else { ranges };
    let mut reached = vec![from];
    for &(low, high) in ranges {
        let mut next: Vec<u32> = Vec::new();
        for &from in &reached {
            let mut previous = None;
            for byte in low..=high {
                let class = grammar.class(byte);
                if previous.replace(class) == Some(class) {
                    continue;
                }
                let reached = machine.step(grammar, from, byte);
                if reached == DEAD && to != DEAD {
                    return false;
                }
                if !next.contains(&reached) {
                    next.push(reached);
                }
            }
        }
        if next.len() > MOST {
            return false;
        }
        reached = next;
    }
    reached == [to]
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
