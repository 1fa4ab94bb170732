//! Sets of bytes, and the byte sequences of characters.

use alloc::vec::Vec;

/// A set of bytes, one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ByteSet([u64; 4]);

impl ByteSet {
    pub(super) const ALL: Self = Self([u64::MAX; 4]);

    /// The bytes from `low` to `high`, both included.
    pub(super) fn range(low: u8, high: u8) -> Self {
        let mut set = Self::default();
        (low..=high).for_each(|byte| set.insert(byte));
        set
    }

    pub(super) fn insert(&mut self, byte: u8) {
        self.0[usize::from(byte >> 6)] |= 1 << (byte & 63);
    }

    pub(super) fn remove(&mut self, byte: u8) {
        self.0[usize::from(byte >> 6)] &= !(1 << (byte & 63));
    }

    pub(super) fn contains(&self, byte: u8) -> bool {
        self.0[usize::from(byte >> 6)] >> (byte & 63) & 1 == 1
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0 == [0; 4]
    }
}

/// Largest code point.
const LAST: u32 = 0x10_ffff;

/// Characters as ranges of code points, both ends included.
///
/// Sorted and merged by [`CharSet::new`], without surrogates, which no UTF-8 holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct CharSet(Vec<(u32, u32)>);

impl CharSet {
    /// The characters of some ranges, in any order; those that end before they begin are empty.
    pub(super) fn new(ranges: impl IntoIterator<Item = (u32, u32)>) -> Self {
        let mut ranges: Vec<(u32, u32)> = ranges.into_iter().map(|(low, high)| (low, high.min(LAST))).collect();
        ranges.retain(|(low, high)| low <= high);
        ranges.sort_unstable();
        let mut merged: Vec<(u32, u32)> = Vec::with_capacity(ranges.len());
        for (low, high) in ranges {
            match merged.last_mut() {
                Some(last) if low <= last.1.saturating_add(1) => last.1 = last.1.max(high),
                _ => merged.push((low, high)),
            }
        }
        let around = |(low, high): (u32, u32)| [(low, high.min(0xd7ff)), (low.max(0xe000), high)];
        let whole = merged.into_iter().flat_map(around).filter(|(low, high)| low <= high).collect();
        Self(whole)
    }

    /// Every character.
    pub(super) fn all() -> Self {
        Self::new([(0, LAST)])
    }

    /// The characters that are not in this set.
    pub(super) fn complement(&self) -> Self {
        let mut next = 0;
        let mut gaps = Vec::with_capacity(self.0.len() + 1);
        for &(low, high) in &self.0 {
            if low > next {
                gaps.push((next, low - 1));
            }
            next = high + 1;
        }
        gaps.push((next, LAST));
        Self::new(gaps)
    }

    /// The characters of both sets.
    pub(super) fn intersection(&self, other: &Self) -> Self {
        // Not in one of them is not in both.
        Self::new(self.complement().0.into_iter().chain(other.complement().0)).complement()
    }

    pub(super) fn ranges(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        self.0.iter().copied()
    }

    pub(super) fn contains(&self, c: char) -> bool {
        self.0.iter().any(|&(low, high)| (low..=high).contains(&(c as u32)))
    }

    /// The UTF-8 of the characters, as sequences of byte ranges: a text is one of the characters if and only if its
    /// bytes lie in the ranges of one sequence. Single bytes come first.
    pub(super) fn sequences(&self) -> Vec<Vec<(u8, u8)>> {
        /// First code points behind those of one, two, three bytes.
        const ENDS: [u32; 4] = [0x80, 0x800, 0x1_0000, LAST + 1];
        let mut sequences = Vec::new();
        for &(low, high) in &self.0 {
            let mut low = low;
            for end in ENDS {
                if low < end && low <= high {
                    split(low, high.min(end - 1), &mut sequences);
                    low = end;
                }
            }
        }
        sequences.sort_by_key(Vec::len);
        sequences
    }
}

/// Cuts a range of code points, whose encodings are equally long, where a byte other than the last would carry.
fn split(low: u32, high: u32, out: &mut Vec<Vec<(u8, u8)>>) {
    for n_bits in [6, 12, 18] {
        let mask = (1 << n_bits) - 1;
        if low < 0x80 || low >> n_bits == high >> n_bits {
            break;
        }
        if low & mask != 0 {
            split(low, low | mask, out);
            return split((low | mask) + 1, high, out);
        }
        if high & mask != mask {
            split(low, (high & !mask) - 1, out);
            return split(high & !mask, high, out);
        }
    }
    let (mut first, mut last) = ([0; 4], [0; 4]);
    // A range has no surrogates, so both ends are characters.
    let (Some(low), Some(high)) = (char::from_u32(low), char::from_u32(high)) else { return };
    let (first, last) = (low.encode_utf8(&mut first).as_bytes(), high.encode_utf8(&mut last).as_bytes());
    out.push(first.iter().copied().zip(last.iter().copied()).collect());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepts(sequences: &[Vec<(u8, u8)>], c: char) -> usize {
        let mut bytes = [0; 4];
        let bytes = c.encode_utf8(&mut bytes).as_bytes();
        let fits = |ranges: &&Vec<(u8, u8)>| {
            let mut pairs = ranges.iter().zip(bytes);
            ranges.len() == bytes.len() && pairs.all(|((low, high), byte)| (low..=high).contains(&byte))
        };
        sequences.iter().filter(fits).count()
    }

    #[test]
    fn sequences_are_exactly_the_characters() {
        let ends = [0, 1, 0x7f, 0x80, 0xbf, 0xc0, 0x7ff, 0x800, 0xfff, 0x1000, 0xd7ff, 0xd800, 0xdfff, 0xe000, 0xffff];
        let ends: Vec<u32> =
            ends.into_iter().chain([0x1_0000, 0x1_ffff, 0x3_1234, 0xf_ffff, 0x10_0000, LAST]).collect();
        for &low in &ends {
            for &high in ends.iter().filter(|&&high| high >= low) {
                let sequences = CharSet::new([(low, high)]).sequences();
                for c in ends.iter().flat_map(|&end| end.saturating_sub(2)..=end + 2).filter_map(char::from_u32) {
                    let inside = (low..=high).contains(&(c as u32));
                    assert_eq!(accepts(&sequences, c), usize::from(inside), "{c:?} in {low:x}..={high:x}");
                }
            }
        }
    }

    #[test]
    fn sets_of_characters_merge() {
        let set = CharSet::new([(50, 60), (10, 20), (15, 49), (70, 65)]);
        assert_eq!(set, CharSet::new([(10, 60)]));
        assert_eq!(set.complement(), CharSet::new([(0, 9), (61, LAST)]));
        assert_eq!(set.complement().complement(), set);
        assert_eq!(CharSet::all().complement(), CharSet::default());
        assert_eq!(set.intersection(&CharSet::new([(0, 12), (60, 99)])), CharSet::new([(10, 12), (60, 60)]));
        assert_eq!(CharSet::all().sequences().len(), 9);
    }
}
