//! A tile of tokens.

use crate::activations::QuantizedRows;

/// `T` rows of quantized activations. Where a batch has fewer left, its last one again.
pub(super) struct Tokens<'a, const T: usize> {
    rows: [QuantizedRows<'a>; T],
}

impl<'a, const T: usize> Tokens<'a, T> {
    /// Tokens `first ..` of `x`, which has that one.
    #[inline(always)]
    pub(super) fn new(x: &QuantizedRows<'a>, first: usize) -> Self {
        let mut rows = [x.row(first); T];
        for (t, row) in rows.iter_mut().enumerate() {
            *row = x.row((first + t).min(x.n_rows - 1));
        }
        Self { rows }
    }

    /// Values per token.
    #[inline(always)]
    pub(super) fn n_cols(&self) -> usize {
        self.rows[0].n_cols
    }

    /// Four values at a time, those of block `b` of `4 * N`.
    #[inline(always)]
    pub(super) fn qs<const N: usize>(&self, b: usize) -> [&'a [[i8; 4]; N]; T] {
        let mut qs = [&[[0; 4]; N]; T];
        for (qs, row) in qs.iter_mut().zip(&self.rows) {
            *qs = &row.qs.as_chunks::<4>().0.as_chunks::<N>().0[b];
        }
        qs
    }

    /// Scales of block `b`.
    #[inline(always)]
    pub(super) fn scales(&self, b: usize) -> [f32; T] {
        let mut scales = [0.0; T];
        for (scale, row) in scales.iter_mut().zip(&self.rows) {
            *scale = row.scales[b];
        }
        scales
    }

    /// The `N` sums of block `b`.
    #[inline(always)]
    pub(super) fn sums<const N: usize>(&self, b: usize) -> [&'a [i16; N]; T] {
        let mut sums = [&[0; N]; T];
        for (sums, row) in sums.iter_mut().zip(&self.rows) {
            *sums = &row.sums.as_chunks::<N>().0[b];
        }
        sums
    }
}
