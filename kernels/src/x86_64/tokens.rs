//! A tile of tokens.

use crate::activations::QuantizedRows;

/// `T` rows of quantized activations. Where a batch has fewer left, its last one again.
///
/// Three slices per token and nothing else: a tile makes one of these right after it has written its results, and
/// copying a larger struct through the stack waits for those writes.
pub(super) struct Tokens<'a, const T: usize> {
    qs: [&'a [[i8; 4]]; T],
    scales: [&'a [f32]; T],
    sums: [&'a [i16]; T],
    n_cols: usize,
}

impl<'a, const T: usize> Tokens<'a, T> {
    /// Tokens `first ..` of `x`, which has that one.
    #[inline(never)]
    pub(super) fn new(x: &QuantizedRows<'a>, first: usize) -> Self {
        let mut tokens = Self { qs: [&[]; T], scales: [&[]; T], sums: [&[]; T], n_cols: x.n_cols };
        for t in 0..T {
            let row = x.row((first + t).min(x.n_rows - 1));
            tokens.qs[t] = row.qs.as_chunks().0;
            tokens.scales[t] = row.scales;
            tokens.sums[t] = row.sums;
        }
        tokens
    }

    /// Values per token.
    #[inline(always)]
    pub(super) fn n_cols(&self) -> usize {
        self.n_cols
    }

    /// Four values at a time, those of block `b` of `4 * N`.
    #[inline(always)]
    pub(super) fn qs<const N: usize>(&self, b: usize) -> [&'a [[i8; 4]; N]; T] {
        self.qs.map(|qs| &qs.as_chunks::<N>().0[b])
    }

    /// Scales of block `b`.
    #[inline(always)]
    pub(super) fn scales(&self, b: usize) -> [f32; T] {
        self.scales.map(|scales| scales[b])
    }

    /// The `N` sums of block `b`.
    #[inline(always)]
    pub(super) fn sums<const N: usize>(&self, b: usize) -> [&'a [i16; N]; T] {
        self.sums.map(|sums| &sums.as_chunks::<N>().0[b])
    }
}
