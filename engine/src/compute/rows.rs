//! Rows of f32 values, with their shape.

use super::Arena;
use nanocamelid_kernels::TilesMut;

/// `n` rows of `width` values; row `i` starts at `i * stride`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rows<'a> {
    data: &'a [f32],
    n: usize,
    width: usize,
    stride: usize,
}

/// `n` rows of `width` values, one after the other.
#[derive(Debug)]
pub(crate) struct RowsMut<'a> {
    data: &'a mut [f32],
    n: usize,
    width: usize,
}

impl<'a> Rows<'a> {
    /// Number of rows.
    pub(crate) fn n(&self) -> usize {
        self.n
    }

    /// One row.
    pub(crate) fn row(&self, i: usize) -> &'a [f32] {
        &self.data[i * self.stride..][..self.width]
    }

    /// All rows, in order.
    pub(crate) fn iter(self) -> impl Iterator<Item = &'a [f32]> + Send {
        (0..self.n).map(move |i| self.row(i))
    }

    /// Columns `first .. first + width` of every row: a head, a part of a fused projection, a share.
    pub(crate) fn cols(self, first: usize, width: usize) -> Self {
        assert!(first + width <= self.width, "columns {first}+{width} of {}", self.width);
        Self { data: self.data.get(first..).unwrap_or_default(), width, ..self }
    }
}

impl<'a> RowsMut<'a> {
    /// Takes rows out of an arena; the contents are arbitrary.
    pub(crate) fn carve(arena: &mut Arena<'a>, n: usize, width: usize) -> Self {
        Self { data: arena.take(n.saturating_mul(width)), n, width }
    }

    /// Number of rows.
    pub(crate) fn n(&self) -> usize {
        self.n
    }

    /// Number of values per row.
    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// All values, `[n][width]`.
    pub(crate) fn values(&self) -> &[f32] {
        self.data
    }

    /// All values, `[n][width]`.
    pub(crate) fn values_mut(&mut self) -> &mut [f32] {
        self.data
    }

    /// One row.
    pub(crate) fn row_mut(&mut self, i: usize) -> &mut [f32] {
        &mut self.data[i * self.width..][..self.width]
    }

    /// The same rows, for reading.
    pub(crate) fn rows(&self) -> Rows<'_> {
        Rows { data: self.data, n: self.n, width: self.width, stride: self.width }
    }

    /// All rows, in order.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut [f32]> + Send {
        // `chunks_exact_mut` refuses a chunk size of 0; rows of width 0 have no data.
        self.data.chunks_exact_mut(self.width.max(1))
    }

    /// Rows `first .. first + n`.
    pub(crate) fn part(&mut self, first: usize, n: usize) -> RowsMut<'_> {
        RowsMut { data: &mut self.data[first * self.width..][..n * self.width], n, width: self.width }
    }

    /// [`RowsMut::tiles_mut`] for as long as the rows are borrowed.
    pub(crate) fn into_tiles(self, tile_rows: usize, tile_cols: usize) -> TilesMut<'a> {
        TilesMut::new(self.data, self.n, self.width, tile_rows, tile_cols)
    }

    /// Disjoint rectangles of at most `tile_rows x tile_cols`.
    pub(crate) fn tiles_mut(&mut self, tile_rows: usize, tile_cols: usize) -> TilesMut<'_> {
        self.part(0, self.n).into_tiles(tile_rows, tile_cols)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn columns_are_parts_of_every_row() {
        let mut memory = [0u8; 256];
        let mut rows = RowsMut::carve(&mut Arena::new(&mut memory), 2, 3);
        for (i, row) in rows.iter_mut().enumerate() {
            row.copy_from_slice(&[0.0, 1.0, 2.0].map(|x| x + 10.0 * i as f32));
        }
        assert_eq!(rows.values(), [0.0, 1.0, 2.0, 10.0, 11.0, 12.0]);
        let parts = |rows: Rows<'_>| rows.iter().map(<[f32]>::to_vec).collect::<Vec<_>>();
        assert_eq!(parts(rows.rows().cols(1, 2)), [[1.0, 2.0], [11.0, 12.0]]);
        assert_eq!(parts(rows.rows().cols(1, 2).cols(1, 1)), [[2.0], [12.0]]);
        assert_eq!(parts(rows.part(1, 1).rows()), [[10.0, 11.0, 12.0]]);
        // Columns of width 0: as many rows, all empty.
        assert_eq!(parts(rows.rows().cols(3, 0)), [[0.0; 0]; 2]);
    }
}
