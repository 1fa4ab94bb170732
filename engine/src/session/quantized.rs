//! Quantized activations in a session's arena.

use super::arena::Arena;
use crate::model::ActivationKinds;
use nanocamelid_kernels::{ActivationType, Activations, F32Rows, QuantizedRows, QuantizedRowsMut, TileMut, TilesMut};

/// Both quantized forms of a batch of activations; the one that the model does not need is empty.
pub(super) struct QuantizedBuffers<'a> {
    q8: QuantizedBuffer<'a>,
    q8k: QuantizedBuffer<'a>,
}

struct QuantizedBuffer<'a> {
    kind: ActivationType,
    qs: &'a mut [i8],
    scales: &'a mut [f32],
    sums: &'a mut [i16],
}

/// A rectangle of quantized activations, whole blocks of every token.
pub(super) struct QuantizedTile<'a> {
    kind: ActivationType,
    qs: TileMut<'a, i8>,
    scales: TileMut<'a>,
    sums: TileMut<'a, i16>,
}

impl QuantizedTile<'_> {
    /// First column, in the whole activations' counting.
    pub(super) fn first_col(&self) -> usize {
        self.qs.first_col()
    }

    /// Columns of the tile.
    pub(super) fn n_cols(&self) -> usize {
        self.qs.n_cols()
    }

    /// The tile's part of a token.
    pub(super) fn row_mut(&mut self, row: usize) -> QuantizedRowsMut<'_> {
        let n_cols = self.n_cols();
        let Self { kind, qs, scales, sums } = self;
        QuantizedRowsMut::new(*kind, qs.row_mut(row), scales.row_mut(row), sums.row_mut(row), 1, n_cols)
    }
}

impl<'a> QuantizedBuffers<'a> {
    /// For `n_rows` tokens of up to `n_cols` values, in the forms `kinds`.
    pub(super) fn carve(arena: &mut Arena<'a>, kinds: ActivationKinds, n_rows: usize, n_cols: usize) -> Self {
        let mut buffer = |wanted: bool, kind: ActivationType| {
            // Rounded up, since the widest input need not be one this kind serves.
            let n = if wanted { n_rows * n_cols.next_multiple_of(256) } else { 0 };
            QuantizedBuffer {
                kind,
                qs: arena.take(n),
                scales: arena.take(n / kind.block_len()),
                sums: arena.take(n / kind.sum_len()),
            }
        };
        Self { q8: buffer(kinds.q8, ActivationType::Q8), q8k: buffer(kinds.q8k, ActivationType::Q8K) }
    }

    /// Rows to quantize into, for each of `n_rows` tokens in both forms; a form that is not wanted is `None`.
    pub(super) fn rows_mut(
        &mut self,
        wanted: ActivationKinds,
        n_rows: usize,
        n_cols: usize,
    ) -> impl Iterator<Item = [Option<QuantizedRowsMut<'_>>; 2]> + Send {
        let q8 = self.q8.rows_mut(wanted.q8, n_rows, n_cols);
        let q8k = self.q8k.rows_mut(wanted.q8k, n_rows, n_cols);
        q8.zip(q8k).map(|(q8, q8k)| [q8, q8k])
    }

    /// Rectangles of `tile_cols` columns to quantize into, all tokens each, of the form with blocks of 32.
    pub(super) fn tiles_mut(
        &mut self,
        n_rows: usize,
        n_cols: usize,
        tile_cols: usize,
    ) -> impl Iterator<Item = QuantizedTile<'_>> + Send {
        let QuantizedBuffer { kind, qs, scales, sums } = &mut self.q8;
        let (kind, block, sum) = (*kind, kind.block_len(), kind.sum_len());
        let qs = TilesMut::new(&mut qs[..n_rows * n_cols], n_rows, n_cols, n_rows, tile_cols);
        let scales =
            TilesMut::new(&mut scales[..n_rows * n_cols / block], n_rows, n_cols / block, n_rows, tile_cols / block);
        let sums = TilesMut::new(&mut sums[..n_rows * n_cols / sum], n_rows, n_cols / sum, n_rows, tile_cols / sum);
        qs.zip(scales).zip(sums).map(move |((qs, scales), sums)| QuantizedTile { kind, qs, scales, sums })
    }

    /// The activations that weights of `kind` multiply: `f32s` itself or its quantized form.
    pub(super) fn view<'v>(
        &'v self,
        kind: ActivationType,
        f32s: &'v [f32],
        n_rows: usize,
        n_cols: usize,
    ) -> Activations<'v> {
        match self.quantized(kind, n_rows, n_cols) {
            Some(quantized) => Activations::Quantized(quantized),
            None => Activations::F32(F32Rows::new(&f32s[..n_rows * n_cols], n_rows, n_cols)),
        }
    }

    /// The quantized form of that kind; `None` for f32.
    pub(super) fn quantized(&self, kind: ActivationType, n_rows: usize, n_cols: usize) -> Option<QuantizedRows<'_>> {
        match kind {
            ActivationType::F32 => None,
            ActivationType::Q8 => Some(self.q8.view(n_rows, n_cols)),
            ActivationType::Q8K => Some(self.q8k.view(n_rows, n_cols)),
        }
    }

    /// Copies the rows `tokens` of `from` here, one after the other.
    pub(super) fn gather(&mut self, from: &Self, wanted: ActivationKinds, tokens: &[u32], n_cols: usize) {
        for (to, from, wanted) in [(&mut self.q8, &from.q8, wanted.q8), (&mut self.q8k, &from.q8k, wanted.q8k)] {
            if !wanted {
                continue;
            }
            let (n_scales, n_sums) = (n_cols / to.kind.block_len(), n_cols / to.kind.sum_len());
            for (i, &token) in tokens.iter().enumerate() {
                let t = token as usize;
                to.qs[i * n_cols..][..n_cols].copy_from_slice(&from.qs[t * n_cols..][..n_cols]);
                to.scales[i * n_scales..][..n_scales].copy_from_slice(&from.scales[t * n_scales..][..n_scales]);
                to.sums[i * n_sums..][..n_sums].copy_from_slice(&from.sums[t * n_sums..][..n_sums]);
            }
        }
    }
}

impl QuantizedBuffer<'_> {
    fn view(&self, n_rows: usize, n_cols: usize) -> QuantizedRows<'_> {
        let n = n_rows * n_cols;
        QuantizedRows::new(
            self.kind,
            &self.qs[..n],
            &self.scales[..n / self.kind.block_len()],
            &self.sums[..n / self.kind.sum_len()],
            n_rows,
            n_cols,
        )
    }

    fn rows_mut(
        &mut self,
        wanted: bool,
        n_rows: usize,
        n_cols: usize,
    ) -> impl Iterator<Item = Option<QuantizedRowsMut<'_>>> + Send {
        let kind = self.kind;
        let (n_scales, n_sums) = (n_cols / kind.block_len(), n_cols / kind.sum_len());
        // chunks_mut takes no length of 0; a narrow input has no row of this kind and none is wanted.
        let mut qs = self.qs.chunks_mut(n_cols.max(1));
        let mut scales = self.scales.chunks_mut(n_scales.max(1));
        let mut sums = self.sums.chunks_mut(n_sums.max(1));
        (0..n_rows).map(move |_| {
            if !wanted {
                return None;
            }
            Some(QuantizedRowsMut::new(kind, qs.next()?, scales.next()?, sums.next()?, 1, n_cols))
        })
    }
}
