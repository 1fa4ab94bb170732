//! Products straight from the rows as they lie in the file: where the blocks come from, for the loops over rows.

use super::blocks32::Simd32;
use super::blocks256::Simd256;
use super::dot::Dot;
use super::staged::{self, PlainRows};
use super::{matvec32, matvec256};
use crate::activations::QuantizedRows;
use crate::formats::staging::Staging;
use crate::matrix::Matrix;
use crate::packed::RawProduct;
use crate::tiles::TileMut;
use core::marker::PhantomData;

/// Blocks as the loops over rows read them.
pub(super) trait RawRows<D: Dot>: Copy {
    /// Multiplies all rows with some tokens from `token` on: how many.
    fn multiply_raw(self, dot: D, w: &Matrix<'_>, x: &QuantizedRows<'_>, token: usize, out: &mut TileMut<'_>) -> usize;
}

/// Products of rows as they lie in the file with the dot products of `D`.
#[derive(Clone, Copy)]
pub(super) struct Raw<D, Q> {
    pub(super) dot: D,
    pub(super) source: Q,
}

impl<D: Dot, Q: RawRows<D>> RawProduct for Raw<D, Q> {
    #[inline(always)]
    fn multiply_raw(self, w: &Matrix<'_>, x: &QuantizedRows<'_>, token: usize, out: &mut TileMut<'_>) -> usize {
        self.source.multiply_raw(self.dot, w, x, token, out)
    }
}

/// Blocks of a format, unpacked in registers.
macro_rules! in_registers {
    ($(#[$doc:meta])* $name:ident, $blocks:ident, $matvec:ident) => {
        $(#[$doc])*
        pub(super) struct $name<F>(PhantomData<F>);

        impl<F> $name<F> {
            pub(super) const NEW: Self = Self(PhantomData);
        }

        impl<F> Clone for $name<F> {
            #[inline(always)]
            fn clone(&self) -> Self {
                *self
            }
        }

        impl<F> Copy for $name<F> {}

        impl<D: Dot, F: $blocks> RawRows<D> for $name<F> {
            #[inline(always)]
            fn multiply_raw(
                self,
                dot: D,
                w: &Matrix<'_>,
                x: &QuantizedRows<'_>,
                token: usize,
                out: &mut TileMut<'_>,
            ) -> usize {
                // SAFETY: `dot` proves NEON, which the functions are compiled for.
                unsafe {
                    if x.n_rows - token >= 2 {
                        $matvec::matvec::<D, F, 2>(dot, w, x, token, out);
                        2
                    } else {
                        $matvec::matvec::<D, F, 1>(dot, w, x, token, out);
                        1
                    }
                }
            }
        }
    };
}

in_registers!(
    /// 32-weight blocks of the file.
    Blocks32,
    Simd32,
    matvec32
);
in_registers!(
    /// Super-blocks of the file.
    Blocks256,
    Simd256,
    matvec256
);

impl<D: Dot, P: PlainRows> RawRows<D> for Staging<P> {
    #[inline(always)]
    fn multiply_raw(self, dot: D, w: &Matrix<'_>, x: &QuantizedRows<'_>, _: usize, out: &mut TileMut<'_>) -> usize {
        // Blocks are staged once for all tokens.
        // SAFETY: `dot` proves NEON, which the function is compiled for.
        unsafe { staged::matvec(dot, self, w, x, out) };
        x.n_rows
    }
}
