//! Which part of a row, or of a number of rows, each rank computes.

use crate::peers::{MAX_RANKS, Share};
use core::ops::Range;

/// Whether there can be several ranks.
pub(crate) const SEVERAL: bool = cfg!(feature = "ranks");

/// What is there only where there are several ranks: where there cannot be, the compiler sees that it is not.
pub(crate) fn several<T>(of_ranks: Option<T>) -> Option<T> {
    if SEVERAL { of_ranks } else { None }
}

/// The ranks among which rows are split, and this rank.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ranks<'a> {
    rank: usize,
    shares: &'a [u32],
}

/// Columns that are split among ranks: one or several equal runs of them, of each of which a rank computes a range.
/// Ranges consist of whole units, in the order of ranks; a rank may have none.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Split<'a> {
    ranks: Ranks<'a>,
    /// Number of units of a run, and columns of a unit.
    n_units: usize,
    unit: usize,
    n_runs: usize,
}

/// Equal runs of rows that are a rank's part of a matrix, or of channels that are its part of a convolution.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Runs {
    /// Number of runs, and rows of one.
    pub n: usize,
    pub len: usize,
    /// The first row of the first run, and how far the first rows of runs are apart.
    pub first: usize,
    stride: usize,
}

impl Runs {
    /// A rank's part; if it has no more than one run, the run's range.
    pub(crate) fn of(split: Split<'_>) -> Result<Self, Range<usize>> {
        if split.is_whole() {
            return Err(0..split.width());
        }
        let own = split.own();
        match split.n_runs == 1 || own.is_empty() {
            true => Err(own),
            false => Ok(Self { n: split.n_runs, len: own.len(), first: own.start, stride: split.run() }),
        }
    }

    /// Rows of all runs.
    pub(crate) fn n_rows(&self) -> usize {
        self.n * self.len
    }

    /// Where row `i` of the runs is in the whole.
    pub(crate) fn at(&self, i: usize) -> usize {
        self.first + i / self.len * self.stride + i % self.len
    }

    /// The number of rows of a band, at most `n`, with which no band reaches beyond a run.
    pub(crate) fn whole_bands(&self, n: usize) -> usize {
        (1..=n).rev().find(|&n| self.len.is_multiple_of(n)).unwrap_or(1)
    }
}

impl<'a> Ranks<'a> {
    /// The ranks that share the rows of a model, if there are several.
    pub(crate) fn of_rows(share: Share<'a>) -> Self {
        match share {
            Share::Rows { rank, shares } => Self { rank, shares },
            Share::Whole | Share::Layers { .. } => Self { rank: 0, shares: &[1] },
        }
    }

    /// The ranks that share the layers of a model, if there are several.
    pub(crate) fn of_layers(share: Share<'a>) -> Self {
        match share {
            Share::Layers { rank, shares } => Self { rank, shares },
            Share::Whole | Share::Rows { .. } => Self { rank: 0, shares: &[1] },
        }
    }

    /// Splits `n` columns into units of `unit`, or into single ones if `unit` does not divide them.
    pub(crate) fn split(self, n: usize, unit: usize) -> Split<'a> {
        let unit = if n.is_multiple_of(unit) { unit } else { 1 };
        Split { ranks: self, n_units: n / unit, unit, n_runs: 1 }
    }
}

impl Split<'_> {
    /// As many runs of the same columns one after the other.
    pub(crate) fn repeated(self, n_runs: usize) -> Self {
        Self { n_runs, ..self }
    }

    /// The same columns, all of which every rank computes.
    pub(crate) fn whole(self) -> Self {
        Self { ranks: Ranks { rank: 0, shares: &[1] }, ..self }
    }

    /// Whether this rank computes everything.
    pub(crate) fn is_whole(&self) -> bool {
        !SEVERAL || self.ranks.shares.len() == 1
    }

    pub(crate) fn rank(&self) -> usize {
        self.ranks.rank
    }

    pub(crate) fn n_ranks(&self) -> usize {
        self.ranks.shares.len()
    }

    pub(crate) fn n_runs(&self) -> usize {
        self.n_runs
    }

    /// All columns.
    pub(crate) fn width(&self) -> usize {
        self.n_runs * self.run()
    }

    /// Columns of a run.
    pub(crate) fn run(&self) -> usize {
        self.n_units * self.unit
    }

    /// The range of a rank in every run.
    pub(crate) fn range(&self, rank: usize) -> Range<usize> {
        let sum = |shares: &[u32]| shares.iter().map(|&share| u64::from(share)).sum::<u64>();
        let (before, of) = self.ranks.shares.split_at(rank);
        let (before, share, all) = (sum(before), u64::from(of[0]), sum(self.ranks.shares));
        let end = |part: u64| (self.n_units as u64 * part / all) as usize * self.unit;
        end(before)..end(before + share)
    }

    /// This rank's range in every run.
    pub(crate) fn own(&self) -> Range<usize> {
        if self.is_whole() { 0..self.run() } else { self.range(self.rank()) }
    }

    /// Columns of this rank, in all runs.
    pub(crate) fn own_width(&self) -> usize {
        if self.is_whole() { self.width() } else { self.n_runs * self.own().len() }
    }

    /// Whether all ranges consist of whole blocks of so many columns.
    pub(crate) fn has_whole_blocks(&self, block: usize) -> bool {
        self.run().is_multiple_of(block) && (0..self.n_ranks()).all(|rank| self.range(rank).start.is_multiple_of(block))
    }

    /// The end of each rank's part of `n` rows, in bytes, where a rank's columns of one run take `bytes` of them.
    pub(super) fn ends(&self, n: usize, bytes: impl Fn(usize) -> usize) -> [usize; MAX_RANKS] {
        let (mut ends, mut end) = ([0; MAX_RANKS], 0);
        for (rank, at) in ends.iter_mut().enumerate().take(self.n_ranks()) {
            end += n * self.n_runs * bytes(self.range(rank).len());
            *at = end;
        }
        ends
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn ranges(n: usize, unit: usize, shares: &[u32]) -> Vec<Range<usize>> {
        let split = Ranks::of_rows(Share::Rows { rank: 0, shares }).split(n, unit);
        (0..shares.len()).map(|rank| split.range(rank)).collect()
    }

    #[test]
    fn ranges_cover_everything_in_whole_units() {
        assert_eq!(ranges(128, 32, &[1, 1]), [0..64, 64..128]);
        assert_eq!(ranges(128, 32, &[3, 2, 3]), [0..32, 32..64, 64..128]);
        // Fewer units than ranks: some have none.
        assert_eq!(ranges(2, 1, &[1, 1, 1]), [0..0, 0..1, 1..2]);
        // Columns that are no whole units are split one by one.
        assert_eq!(ranges(10, 32, &[1, 4]), [0..2, 2..10]);
        for n in 0..70 {
            for unit in [1, 2, 32] {
                let ranges = ranges(n, unit, &[u32::MAX, 1, 7, u32::MAX]);
                assert_eq!((ranges[0].start, ranges[3].end), (0, n));
                assert!(ranges.windows(2).all(|pair| pair[0].end == pair[1].start));
            }
        }
    }

    #[test]
    fn one_rank_has_everything() {
        for share in [Share::Whole, Share::Layers { rank: 1, shares: &[1, 1] }] {
            let split = Ranks::of_rows(share).split(100, 32);
            assert!(split.is_whole());
            assert_eq!((split.own(), split.own_width(), split.width()), (0..100, 100, 100));
        }
    }

    #[test]
    #[cfg(feature = "ranks")]
    fn runs_repeat_the_ranges() {
        let split = Ranks::of_rows(Share::Rows { rank: 1, shares: &[1, 1] }).split(8, 4).repeated(3);
        assert_eq!((split.own(), split.own_width(), split.run(), split.width()), (4..8, 12, 8, 24));
        assert_eq!(split.ends(2, |n| 10 * n)[..2], [240, 480]);
        assert!(split.has_whole_blocks(4) && !split.has_whole_blocks(8));
    }
}
