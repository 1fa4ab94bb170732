//! Products straight from the rows as they lie in the file: four rows at a time with one token or two where blocks are
//! unpacked in registers, all of them at once where blocks are staged.

use super::blocks32::Simd32;
use super::blocks256::Simd256;
use super::dot::Dot;
use super::vectors::store_up_to_4;
use super::{matvec32, matvec256};
use crate::activations::QuantizedRows;
use crate::matrix::Matrix;
use crate::packed::RawProduct;
use crate::tiles::TileMut;
use core::arch::aarch64::float32x4_t;

/// The products of four rows, as bytes, with `T` tokens: a token's in a vector. Wants NEON.
type FourRows<D, const T: usize> = unsafe fn(D, [&[u8]; 4], &[QuantizedRows<'_>; T]) -> [float32x4_t; T];

/// The products of all rows with all tokens. Wants NEON.
type AllRows<D> = unsafe fn(D, &Matrix<'_>, &QuantizedRows<'_>, &mut TileMut<'_>);

/// How a format's rows are multiplied with the dot products of `D`.
#[derive(Clone, Copy)]
pub(super) enum RawRows<D> {
    /// Blocks are unpacked in registers.
    InRegisters { one: FourRows<D, 1>, two: FourRows<D, 2> },
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

impl<D: Dot> RawProduct for Raw<'_, D> {
    #[inline(always)]
    fn multiply_raw(self, w: &Matrix<'_>, x: &QuantizedRows<'_>, token: usize, out: &mut TileMut<'_>) -> usize {
        match *self.rows {
            RawRows::InRegisters { two, .. } if x.n_rows - token > 1 => matvec(self.dot, two, w, x, token, out),
            RawRows::InRegisters { one, .. } => matvec(self.dot, one, w, x, token, out),
            RawRows::Staged(all) => {
                // SAFETY: `dot` proves NEON.
                unsafe { all(self.dot, w, x, out) };
                x.n_rows
            }
        }
    }
}

/// All rows against tokens `first_token .. first_token + T`: `T`.
#[inline(always)]
fn matvec<D: Dot, const T: usize>(
    dot: D,
    kernel: FourRows<D, T>,
    w: &Matrix<'_>,
    x: &QuantizedRows<'_>,
    first_token: usize,
    out: &mut TileMut<'_>,
) -> usize {
    let tokens = core::array::from_fn(|t| x.row(first_token + t));
    for first in (0..w.n_rows()).step_by(4) {
        let n = (w.n_rows() - first).min(4);
        // Rows beyond the end are the last one again.
        let rows = core::array::from_fn(|i| w.row(first + i.min(n - 1)));
        // SAFETY: `dot` proves NEON.
        unsafe {
            let sums = kernel(dot, rows, &tokens);
            for t in 0..T {
                store_up_to_4(sums[t], &mut out.row_mut(first_token + t)[first..first + n]);
            }
        }
    }
    T
}
