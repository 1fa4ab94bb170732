//! Products with `smmla`; one to three tokens have no second token to pair with and stay with `sdot`.

use super::blocks32::Simd32;
use super::blocks256::Simd256;
use super::proof::I8mm;
use super::staged::{self, PlainRows};
use super::{gemm, matvec32, matvec256, shapes, table};
use crate::activations::Activations;
use crate::formats::staging::{Staged, Staging};
use crate::formats::{Unpacked32, Unpacked256};
use crate::matrix::Matrix;
use crate::reference::matmul::quantized_rows;
use crate::table::Kernels;
use crate::tiles::TileMut;

table!("neon,dotprod,i8mm", "i8mm", 16, gemm::ROWS, |_| gemm::SCRATCH_BYTES);

/// From this many tokens on packing pays.
const MIN_PACKED_TOKENS: usize = 4;

#[target_feature(enable = "neon,dotprod,i8mm")]
fn block32<F: Simd32>(w: &Matrix<'_>, x: &Activations<'_>, out: &mut TileMut<'_>, scratch: &mut [u8]) {
    let x = quantized_rows(x);
    match x.n_rows {
        0 => {}
        1 => matvec32::matvec::<_, F, 1>(I8mm::new().dotprod(), w, &x, 0, out),
        2 => matvec32::matvec::<_, F, 2>(I8mm::new().dotprod(), w, &x, 0, out),
        3 => {
            matvec32::matvec::<_, F, 2>(I8mm::new().dotprod(), w, &x, 0, out);
            matvec32::matvec::<_, F, 1>(I8mm::new().dotprod(), w, &x, 2, out);
        }
        MIN_PACKED_TOKENS.. if F::HAS_MIN => {
            gemm::matmul::<shapes::Smmla32<true>>(I8mm::new(), gemm::InRegisters::<F>::NEW, w, &x, out, scratch)
        }
        MIN_PACKED_TOKENS.. => {
            gemm::matmul::<shapes::Smmla32<false>>(I8mm::new(), gemm::InRegisters::<F>::NEW, w, &x, out, scratch)
        }
    }
}

#[target_feature(enable = "neon,dotprod,i8mm")]
fn block256<F: Simd256>(w: &Matrix<'_>, x: &Activations<'_>, out: &mut TileMut<'_>, scratch: &mut [u8]) {
    let x = quantized_rows(x);
    match x.n_rows {
        0 => {}
        1 => matvec256::matvec::<_, F, 1>(I8mm::new().dotprod(), w, &x, 0, out),
        2 => matvec256::matvec::<_, F, 2>(I8mm::new().dotprod(), w, &x, 0, out),
        3 => {
            matvec256::matvec::<_, F, 2>(I8mm::new().dotprod(), w, &x, 0, out);
            matvec256::matvec::<_, F, 1>(I8mm::new().dotprod(), w, &x, 2, out);
        }
        MIN_PACKED_TOKENS.. => match (F::SUBS, F::HAS_MIN) {
            (8, false) => gemm::matmul::<shapes::Smmla256<8, false>>(
                I8mm::new(),
                gemm::InRegisters::<F>::NEW,
                w,
                &x,
                out,
                scratch,
            ),
            (8, true) => {
                gemm::matmul::<shapes::Smmla256<8, true>>(I8mm::new(), gemm::InRegisters::<F>::NEW, w, &x, out, scratch)
            }
            (_, false) => gemm::matmul::<shapes::Smmla256<16, false>>(
                I8mm::new(),
                gemm::InRegisters::<F>::NEW,
                w,
                &x,
                out,
                scratch,
            ),
            (_, true) => gemm::matmul::<shapes::Smmla256<16, true>>(
                I8mm::new(),
                gemm::InRegisters::<F>::NEW,
                w,
                &x,
                out,
                scratch,
            ),
        },
    }
}

#[target_feature(enable = "neon,dotprod,i8mm")]
fn staged<S: Staged<Plain: PackedPlain>>(
    w: &Matrix<'_>,
    x: &Activations<'_>,
    out: &mut TileMut<'_>,
    scratch: &mut [u8],
) {
    plain(S::STAGING, w, x, out, scratch);
}

// Out of line: one copy for all formats.
#[inline(never)]
#[target_feature(enable = "neon,dotprod,i8mm")]
fn plain<P: PackedPlain>(
    staging: Staging<P>,
    w: &Matrix<'_>,
    x: &Activations<'_>,
    out: &mut TileMut<'_>,
    scratch: &mut [u8],
) {
    let x = quantized_rows(x);
    if x.n_rows < MIN_PACKED_TOKENS {
        staged::matvec(I8mm::new().dotprod(), staging, w, &x, out);
    } else {
        gemm::matmul::<P::Shape>(I8mm::new(), staging, w, &x, out, scratch);
    }
}

/// Plain blocks as they are packed here.
trait PackedPlain: PlainRows {
    type Shape: shapes::Pack<Self, Proof = I8mm>;
}

impl PackedPlain for Unpacked32 {
    type Shape = shapes::Smmla32<false>;
}

impl PackedPlain for Unpacked256 {
    type Shape = shapes::Smmla256<16, false>;
}
