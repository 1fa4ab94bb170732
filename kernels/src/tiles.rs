//! Disjoint rectangular views of a row-major matrix.
//!
//! A matrix product writes `out[token][column]`; workers take rectangles of it, which are strided in memory and so
//! beyond `chunks_mut`. [`TilesMut`] is `chunks_mut` for rectangles. Values are f32 where nothing else is said.

use core::marker::PhantomData;

/// Iterator over the tiles of an `n_rows x n_cols` matrix: for each band of rows, left to right.
#[derive(Debug)]
pub struct TilesMut<'a, T = f32> {
    base: *mut T,
    n_rows: usize,
    n_cols: usize,
    tile_rows: usize,
    tile_cols: usize,
    row: usize,
    col: usize,
    borrow: PhantomData<&'a mut [T]>,
}

// SAFETY: an exclusive borrow of values with a position; like `&mut [T]` it may move to another thread.
unsafe impl<T: Send> Send for TilesMut<'_, T> {}

impl<'a, T> TilesMut<'a, T> {
    /// Tiles of at most `tile_rows x tile_cols`; the last ones of a row or column are smaller where it does not divide.
    ///
    /// # Panics
    /// If `out` is not `n_rows * n_cols` long, or a tile extent is 0.
    pub fn new(out: &'a mut [T], n_rows: usize, n_cols: usize, tile_rows: usize, tile_cols: usize) -> Self {
        assert_eq!(Some(out.len()), n_rows.checked_mul(n_cols), "the matrix is n_rows x n_cols values");
        assert!(tile_rows > 0 && tile_cols > 0, "a tile has at least one value");
        // Without columns there is no tile; start past the end.
        let row = if n_cols == 0 { n_rows } else { 0 };
        let base = out.as_mut_ptr();
        Self { base, n_rows, n_cols, tile_rows, tile_cols, row, col: 0, borrow: PhantomData }
    }
}

impl<'a, T> Iterator for TilesMut<'a, T> {
    type Item = TileMut<'a, T>;

    fn next(&mut self) -> Option<TileMut<'a, T>> {
        if self.row >= self.n_rows {
            return None;
        }
        let n_rows = self.tile_rows.min(self.n_rows - self.row);
        let n_cols = self.tile_cols.min(self.n_cols - self.col);
        // Each (row, col) start is yielded once and tiles do not reach past the next start: tiles never overlap.
        let tile = TileMut {
            // SAFETY: row < n_rows and col < n_cols, so the offset lies inside the borrowed values.
            base: unsafe { self.base.add(self.row * self.n_cols + self.col) },
            stride: self.n_cols,
            first_row: self.row,
            first_col: self.col,
            n_rows,
            n_cols,
            borrow: PhantomData,
        };
        self.col += n_cols;
        if self.col == self.n_cols {
            self.col = 0;
            self.row += n_rows;
        }
        Some(tile)
    }
}

/// A rectangle of a matrix, exclusively borrowed.
#[derive(Debug)]
pub struct TileMut<'a, T = f32> {
    base: *mut T,
    stride: usize,
    first_row: usize,
    first_col: usize,
    n_rows: usize,
    n_cols: usize,
    borrow: PhantomData<&'a mut [T]>,
}

// SAFETY: an exclusive view of its values (see `TilesMut::next`), like `&mut [T]`.
unsafe impl<T: Send> Send for TileMut<'_, T> {}

impl<'a, T> TileMut<'a, T> {
    /// A tile that is a whole `n_rows x n_cols` matrix.
    ///
    /// # Panics
    /// If `out` has another length.
    pub fn whole(out: &'a mut [T], n_rows: usize, n_cols: usize) -> Self {
        assert_eq!(Some(out.len()), n_rows.checked_mul(n_cols), "the matrix is n_rows x n_cols values");
        let base = out.as_mut_ptr();
        Self { base, stride: n_cols, first_row: 0, first_col: 0, n_rows, n_cols, borrow: PhantomData }
    }

    /// Columns `first .. first + n` of the tile, counted from the tile's own first column.
    ///
    /// # Panics
    /// If there are not that many.
    pub fn cols_mut(&mut self, first: usize, n: usize) -> TileMut<'_, T> {
        assert!(first <= self.n_cols && n <= self.n_cols - first, "columns {first}+{n} of {}", self.n_cols);
        // Within the tile, or at the end of its first row where there are none: nothing wraps.
        let base = self.base.wrapping_add(first);
        TileMut { base, first_col: self.first_col + first, n_cols: n, borrow: PhantomData, ..*self }
    }

    /// First row, in the whole matrix's counting.
    pub fn first_row(&self) -> usize {
        self.first_row
    }

    /// First column, in the whole matrix's counting.
    pub fn first_col(&self) -> usize {
        self.first_col
    }

    /// Rows of the tile.
    pub fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// Columns of the tile.
    pub fn n_cols(&self) -> usize {
        self.n_cols
    }

    /// The tile's part of its row `row` (counted from the tile's own first row).
    ///
    /// # Panics
    /// If there is no such row.
    pub fn row_mut(&mut self, row: usize) -> &mut [T] {
        assert!(row < self.n_rows, "row {row} of {}", self.n_rows);
        // SAFETY: row < n_rows, and whoever made the tile placed n_rows rows of n_cols values, `stride` apart, inside
        // the exclusive borrow; no other tile has these values, and `&mut self` keeps this tile's own views apart.
        unsafe { core::slice::from_raw_parts_mut(self.base.add(row * self.stride), self.n_cols) }
    }

    /// As [`TileMut::row_mut`], `N` rows from `first`.
    ///
    /// # Panics
    /// If there are not that many.
    pub fn rows_mut_at<const N: usize>(&mut self, first: usize) -> [&mut [T]; N] {
        assert!(first <= self.n_rows && N <= self.n_rows - first, "rows {first}+{N} of {}", self.n_rows);
        // SAFETY: as in `row_mut`, and every row comes once.
        core::array::from_fn(|i| unsafe {
            core::slice::from_raw_parts_mut(self.base.add((first + i) * self.stride), self.n_cols)
        })
    }

    /// The tile's parts of all its rows.
    pub fn rows_mut(&mut self) -> impl Iterator<Item = &mut [T]> {
        // SAFETY: as in `row_mut`, and every row comes once.
        (0..self.n_rows)
            .map(|row| unsafe { core::slice::from_raw_parts_mut(self.base.add(row * self.stride), self.n_cols) })
    }

    /// As [`TileMut::row_mut`], read only.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn row(&self, row: usize) -> &[T] {
        assert!(row < self.n_rows, "row {row} of {}", self.n_rows);
        // SAFETY: as in `row_mut`; `&self` allows reading only.
        unsafe { core::slice::from_raw_parts(self.base.add(row * self.stride), self.n_cols) }
    }
}
