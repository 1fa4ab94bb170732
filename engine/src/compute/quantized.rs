//! One quantized form of an input, in an arena.

use super::Arena;
use nanocamelid_kernels::{ActivationType, QuantizedRows, QuantizedRowsMut, TileMut, TilesMut};

/// `n` rows of `width` quantized values.
pub(super) struct Quantized<'a> {
    kind: ActivationType,
    n: usize,
    width: usize,
    qs: &'a mut [i8],
    scales: &'a mut [f32],
    sums: &'a mut [i16],
}

/// A rectangle of quantized values, whole blocks of every row.
pub(super) struct QuantizedTile<'a> {
    kind: ActivationType,
    qs: TileMut<'a, i8>,
    scales: TileMut<'a>,
    sums: TileMut<'a, i16>,
}

impl<'a> Quantized<'a> {
    pub(super) fn carve(arena: &mut Arena<'a>, kind: ActivationType, n: usize, width: usize) -> Self {
        let n_values = n.saturating_mul(width);
        Self {
            kind,
            n,
            width,
            qs: arena.take(n_values),
            scales: arena.take(n_values / kind.block_len()),
            sums: arena.take(n_values / kind.sum_len()),
        }
    }

    pub(super) fn kind(&self) -> ActivationType {
        self.kind
    }

    /// Number of scales and of sums of a row.
    fn per_row(&self) -> (usize, usize) {
        (self.width / self.kind.block_len(), self.width / self.kind.sum_len())
    }

    /// All rows.
    pub(super) fn rows(&self) -> QuantizedRows<'_> {
        QuantizedRows::new(self.kind, self.qs, self.scales, self.sums, self.n, self.width)
    }

    /// The rows as destinations of quantization, in order.
    pub(super) fn rows_mut(&mut self) -> impl Iterator<Item = QuantizedRowsMut<'_>> + Send {
        let (kind, width) = (self.kind, self.width);
        let (n_scales, n_sums) = self.per_row();
        // Chunks of 0 values are refused; rows of width 0 have no data.
        let qs = self.qs.chunks_exact_mut(width.max(1));
        let scales = self.scales.chunks_exact_mut(n_scales.max(1));
        let sums = self.sums.chunks_exact_mut(n_sums.max(1));
        qs.zip(scales)
            .zip(sums)
            .map(move |((qs, scales), sums)| QuantizedRowsMut::new(kind, qs, scales, sums, 1, width))
    }

    /// Rectangles as destinations of quantization: all rows, `tile_cols` columns each, a multiple of the block length.
    pub(super) fn tiles_mut(&mut self, tile_cols: usize) -> impl Iterator<Item = QuantizedTile<'_>> + Send {
        let (kind, n, width) = (self.kind, self.n, self.width);
        let (n_scales, n_sums) = self.per_row();
        let qs = TilesMut::new(self.qs, n, width, n, tile_cols);
        let scales = TilesMut::new(self.scales, n, n_scales, n, tile_cols / kind.block_len());
        let sums = TilesMut::new(self.sums, n, n_sums, n, tile_cols / kind.sum_len());
        qs.zip(scales).zip(sums).map(move |((qs, scales), sums)| QuantizedTile { kind, qs, scales, sums })
    }

    /// Copies rows `tokens` of `from`, one after the other.
    pub(super) fn gather(&mut self, from: QuantizedRows<'_>, tokens: &[u32]) {
        for (to, &token) in self.rows_mut().zip(tokens) {
            let from = from.row(token as usize);
            to.qs.copy_from_slice(from.qs);
            to.scales.copy_from_slice(from.scales);
            to.sums.copy_from_slice(from.sums);
        }
    }
}

impl QuantizedTile<'_> {
    /// First column, counted in the whole input.
    pub(super) fn first_col(&self) -> usize {
        self.qs.first_col()
    }

    /// Columns of the tile.
    pub(super) fn n_cols(&self) -> usize {
        self.qs.n_cols()
    }

    /// The tile's part of a row.
    pub(super) fn row_mut(&mut self, row: usize) -> QuantizedRowsMut<'_> {
        let n_cols = self.n_cols();
        let Self { kind, qs, scales, sums } = self;
        QuantizedRowsMut::new(*kind, qs.row_mut(row), scales.row_mut(row), sums.row_mut(row), 1, n_cols)
    }
}
