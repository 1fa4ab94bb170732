//! Products with `sdot`.

use super::blocks32::Simd32;
use super::blocks256::Simd256;
use super::{Dotprod, Neon, matvec32, matvec256, table};
use crate::activations::Activations;
use crate::matrix::Matrix;
use crate::reference::matmul::quantized_rows;
use crate::table::Kernels;
use crate::tiles::TileMut;

table!(self, "neon,dotprod", "dotprod", 16, 16, |_| 0);

/// The token, inside functions compiled for the feature.
#[inline]
#[target_feature(enable = "neon,dotprod")]
fn token() -> Dotprod {
    Dotprod(Neon(()))
}

#[target_feature(enable = "neon,dotprod")]
fn block32<F: Simd32>(w: &Matrix<'_>, x: &Activations<'_>, out: &mut TileMut<'_>, _: &mut [u8]) {
    let x = quantized_rows(x);
    let mut t = 0;
    while t + 2 <= x.n_rows {
        matvec32::matvec::<_, F, 2>(token(), w, &x, t, out);
        t += 2;
    }
    if t < x.n_rows {
        matvec32::matvec::<_, F, 1>(token(), w, &x, t, out);
    }
}

#[target_feature(enable = "neon,dotprod")]
fn block256<F: Simd256>(w: &Matrix<'_>, x: &Activations<'_>, out: &mut TileMut<'_>, _: &mut [u8]) {
    let x = quantized_rows(x);
    let mut t = 0;
    while t + 2 <= x.n_rows {
        matvec256::matvec::<_, F, 2>(token(), w, &x, t, out);
        t += 2;
    }
    if t < x.n_rows {
        matvec256::matvec::<_, F, 1>(token(), w, &x, t, out);
    }
}
