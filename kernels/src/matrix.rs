//! A weight matrix as it lies in the file.

use crate::formats::WeightType;

/// `n_rows` rows of `n_cols` weights, in the file's own blocks and the file's own bytes (any alignment).
#[derive(Clone, Copy, Debug)]
pub struct Matrix<'a> {
    weight_type: WeightType,
    bytes: &'a [u8],
    n_rows: usize,
    n_cols: usize,
    row_bytes: usize,
}

impl<'a> Matrix<'a> {
    /// A view of `bytes`; `None` if the columns are no whole number of blocks or the length does not fit the shape.
    pub fn new(weight_type: WeightType, bytes: &'a [u8], n_rows: usize, n_cols: usize) -> Option<Self> {
        let row_bytes = weight_type.row_bytes(n_cols)?;
        (row_bytes.checked_mul(n_rows)? == bytes.len()).then_some(Self {
            weight_type,
            bytes,
            n_rows,
            n_cols,
            row_bytes,
        })
    }

    /// The weights' format.
    pub fn weight_type(&self) -> WeightType {
        self.weight_type
    }

    /// Output width: rows of the matrix.
    pub fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// Input width: weights per row.
    pub fn n_cols(&self) -> usize {
        self.n_cols
    }

    /// Bytes of one row.
    pub fn row_bytes(&self) -> usize {
        self.row_bytes
    }

    /// All bytes, row after row.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// One row's bytes.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn row(&self, row: usize) -> &'a [u8] {
        assert!(row < self.n_rows, "row {row} of {}", self.n_rows);
        &self.bytes[row * self.row_bytes..][..self.row_bytes]
    }

    /// Rows `first .. first + n`.
    ///
    /// # Panics
    /// If there are no such rows.
    pub fn rows(&self, first: usize, n: usize) -> Matrix<'a> {
        assert!(first <= self.n_rows && n <= self.n_rows - first, "rows {first}+{n} of {}", self.n_rows);
        Matrix { bytes: &self.bytes[first * self.row_bytes..][..n * self.row_bytes], n_rows: n, ..*self }
    }
}
