//! What is left of a character without its accents: the first one of its canonical decomposition, by Unicode 15.1.

use super::unicode_bases_table::{N_RUNS, RUNS};
use alloc::vec::Vec;

/// Hangul syllables, the consonants that they begin with, and how many begin with each.
const SYLLABLES: core::ops::RangeInclusive<u32> = 0xAC00..=0xD7A3;
const FIRST_CONSONANT: u32 = 0x1100;
const PER_CONSONANT: u32 = 588;

/// Characters that begin another way than they are written.
#[derive(Clone, Debug)]
pub(super) struct Bases {
    /// Ascending.
    runs: Vec<Run>,
}

/// Code points with one base.
#[derive(Clone, Copy, Debug)]
struct Run {
    first: u32,
    /// One past the last.
    end: u32,
    base: char,
}

impl Bases {
    /// Unpacks the table.
    pub(super) fn new() -> Self {
        let mut numbers = numbers(&RUNS);
        let (mut end, mut base) = (0, 0);
        let mut next = || {
            let gap = numbers.next()?;
            let first = end + (gap >> 1);
            end = first + if gap & 1 == 1 { numbers.next()? } else { 1 };
            let step = numbers.next()?;
            base = if step & 1 == 0 { base + (step >> 1) } else { base - step.div_ceil(2) };
            Some(Run { first, end, base: char::from_u32(base)? })
        };
        let mut runs = Vec::with_capacity(N_RUNS);
        runs.extend(core::iter::from_fn(&mut next));
        Self { runs }
    }

    /// The base of a character, in most cases itself.
    pub(super) fn of(&self, c: char) -> char {
        let code_point = u32::from(c);
        if c.is_ascii() {
            return c;
        }
        if SYLLABLES.contains(&code_point) {
            let consonant = FIRST_CONSONANT + (code_point - SYLLABLES.start()) / PER_CONSONANT;
            return char::from_u32(consonant).unwrap_or(c);
        }
        let n_before = self.runs.partition_point(|run| run.first <= code_point);
        match n_before.checked_sub(1).map(|last| self.runs[last]) {
            Some(run) if code_point < run.end => run.base,
            _ => c,
        }
    }
}

/// Numbers of seven bits a byte, the lowest first.
fn numbers(bytes: &[u8]) -> impl Iterator<Item = u32> {
    bytes
        .chunk_by(|byte, _| byte & 0x80 != 0)
        .map(|number| number.iter().rev().fold(0, |value, byte| value << 7 | u32::from(byte & 0x7F)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_of_the_table_is_read() {
        let bases = Bases::new();
        assert_eq!(bases.runs.len(), N_RUNS);
        assert!(bases.runs.windows(2).all(|pair| pair[0].end <= pair[1].first));
        // As many characters as the standard decomposes, and the Hangul syllables.
        let n = ('\0'..=char::MAX).filter(|&c| bases.of(c) != c).count();
        assert_eq!(n, 13_233);
    }

    #[test]
    fn bases_of_some_characters() {
        let bases = Bases::new();
        for (c, base) in [
            ('a', 'a'),
            ('é', 'e'),
            ('Å', 'A'),
            ('ǖ', 'u'),
            ('Ω', 'Ω'),
            ('\u{2126}', 'Ω'),
            ('ệ', 'e'),
            ('й', 'и'),
            ('が', 'か'),
            ('가', 'ᄀ'),
            ('힣', 'ᄒ'),
            ('豈', '豈'),
            ('\u{f900}', '豈'),
            ('\u{2fa1d}', '\u{2a600}'),
            ('ø', 'ø'),
            ('ß', 'ß'),
            ('\u{301}', '\u{301}'),
        ] {
            assert_eq!(bases.of(c), base, "{c:?}");
        }
    }
}
