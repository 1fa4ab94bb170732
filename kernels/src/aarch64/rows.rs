//! Products straight from the rows as they lie in the file: four rows at a time with one token or two where blocks are
//! unpacked in registers, all of them at once where blocks are staged.

use super::blocks32::Simd32;
use super::blocks256::Simd256;
use super::dot::Dot;
use super::{matvec32, matvec256};
use crate::activations::QuantizedRows;
use crate::matrix::Matrix;
use crate::tiles::TileMut;
use bytemuck::Pod;

/// Bytes of the rows that all tokens pass, two at a time: about a first cache.
const BAND_BYTES: usize = 24 << 10;
/// Such rows come in multiples of this.
const BAND_UNIT: usize = 16;

/// Rows as they lie in the file, for the loops that take four at a time.
#[derive(Clone, Copy)]
pub(super) struct Rows<'a> {
    bytes: &'a [u8],
    row_bytes: usize,
    /// Bytes from a row to the next: none if all are the same one.
    step: usize,
}

impl<'a> Rows<'a> {
    /// Rows that follow each other, or a single one as often as is asked for.
    #[inline(always)]
    fn new(w: &Matrix<'a>) -> Self {
        let step = if w.n_rows() == 1 { 0 } else { w.row_bytes() };
        Self { bytes: w.bytes(), row_bytes: w.row_bytes(), step }
    }

    /// The blocks.
    #[inline(always)]
    pub(super) fn blocks<F: Pod>(self) -> Blocks<'a, F> {
        let size = size_of::<F>();
        Blocks { all: bytemuck::cast_slice(self.bytes), n: self.row_bytes / size, step: self.step / size }
    }
}

/// [`Rows`] as blocks.
#[derive(Clone, Copy)]
pub(super) struct Blocks<'a, F> {
    all: &'a [F],
    n: usize,
    step: usize,
}

impl<'a, F> Blocks<'a, F> {
    /// Rows `4 i .. 4 i + 4`.
    #[inline(always)]
    pub(super) fn four(self, i: usize) -> [&'a [F]; 4] {
        [0, 1, 2, 3].map(|row| &self.all[(4 * i + row) * self.step..][..self.n])
    }
}

/// The products of rows, four at a time, with `T` tokens: as many as the slices of the output have room for. Wants
/// NEON.
type RowsByFours<D, const T: usize> = unsafe fn(D, Rows<'_>, &[QuantizedRows<'_>; T], [&mut [f32]; T]);

/// The products of all rows with all tokens. Wants NEON.
type AllRows<D> = unsafe fn(D, &Matrix<'_>, &QuantizedRows<'_>, &mut TileMut<'_>);

/// How a format's rows are multiplied with the dot products of `D`.
#[derive(Clone, Copy)]
pub(super) enum RawRows<D> {
    /// Blocks are unpacked in registers.
    InRegisters { one: RowsByFours<D, 1>, two: RowsByFours<D, 2> },
    /// Blocks are staged, once for all tokens.
    Staged(AllRows<D>),
}

impl<D: Dot> RawRows<D> {
    /// Of 32-weight blocks.
    pub(super) const fn of_32<F: Simd32>() -> Self {
        Self::InRegisters { one: matvec32::rows32::<D, F, 1>, two: matvec32::rows32::<D, F, 2> }
    }

    /// Of super-blocks.
    pub(super) const fn of_256<F: Simd256>() -> Self {
        Self::InRegisters { one: matvec256::rows256::<D, F, 1>, two: matvec256::rows256::<D, F, 2> }
    }
}

/// Products of rows as they lie in the file. A value proves the instructions.
#[derive(Clone, Copy)]
pub(super) struct Raw<'f, D> {
    pub(super) dot: D,
    pub(super) rows: &'f RawRows<D>,
}

impl<D: Dot> Raw<'_, D> {
    /// Every row against every token.
    #[inline(always)]
    pub(super) fn matmul(self, w: &Matrix<'_>, x: &QuantizedRows<'_>, out: &mut TileMut<'_>) {
        let (one, two) = match *self.rows {
            RawRows::InRegisters { one, two } => (one, two),
            // SAFETY: `dot` proves NEON.
            RawRows::Staged(all) => return unsafe { all(self.dot, w, x, out) },
        };
        let band_rows =
            if x.n_rows <= 2 { w.n_rows() } else { (BAND_BYTES / w.row_bytes() / BAND_UNIT).max(1) * BAND_UNIT };
        for first_row in (0..w.n_rows()).step_by(band_rows.max(1)) {
            let band = w.rows(first_row, band_rows.min(w.n_rows() - first_row));
            let out = &mut out.cols_mut(first_row, band.n_rows());
            for token in (0..x.n_rows).step_by(2) {
                if token + 1 < x.n_rows {
                    matvec(self.dot, two, &band, x, token, out);
                } else {
                    matvec(self.dot, one, &band, x, token, out);
                }
            }
        }
    }
}

/// All rows against tokens `first_token .. first_token + T`.
#[inline(always)]
fn matvec<D: Dot, const T: usize>(
    dot: D,
    kernel: RowsByFours<D, T>,
    w: &Matrix<'_>,
    x: &QuantizedRows<'_>,
    first_token: usize,
    out: &mut TileMut<'_>,
) {
    let tokens = core::array::from_fn(|t| x.row(first_token + t));
    let n = w.n_rows() / 4 * 4;
    let whole = out.rows_mut_at(first_token).map(|row| &mut row[..n]);
    // SAFETY: `dot` proves NEON.
    unsafe { kernel(dot, Rows::new(&w.rows(0, n)), &tokens, whole) };
    // What is left, row by row as four times the same one.
    for r in n..w.n_rows() {
        let mut sums = [[0.0; 4]; T];
        // SAFETY: `dot` proves NEON.
        unsafe { kernel(dot, Rows::new(&w.rows(r, 1)), &tokens, sums.each_mut().map(|sums| &mut sums[..])) };
        for t in 0..T {
            out.row_mut(first_token + t)[r] = sums[t][0];
        }
    }
}
