//! Products with `sdot`.

use super::blocks32::Simd32;
use super::blocks256::Simd256;
use super::proof::Dotprod;
use super::staged::{self, PlainRows};
use super::{gemm, matvec32, matvec256, shapes, table};
use crate::activations::Activations;
use crate::formats::staging::{Staged, Staging};
use crate::formats::{Unpacked32, Unpacked256};
use crate::matrix::Matrix;
use crate::reference::matmul::quantized_rows;
use crate::table::Kernels;
use crate::tiles::TileMut;

table!("neon,dotprod", "dotprod", 16, gemm::ROWS, |_| gemm::SCRATCH_BYTES);

/// From this many tokens on packing pays.
const MIN_PACKED_TOKENS: usize = 4;

#[target_feature(enable = "neon,dotprod")]
fn block32<F: Simd32>(w: &Matrix<'_>, x: &Activations<'_>, out: &mut TileMut<'_>, scratch: &mut [u8]) {
    let x = quantized_rows(x);
    match x.n_rows {
        0 => {}
        1 => matvec32::matvec::<_, F, 1>(Dotprod::new(), w, &x, 0, out),
        2 => matvec32::matvec::<_, F, 2>(Dotprod::new(), w, &x, 0, out),
        3 => {
            matvec32::matvec::<_, F, 2>(Dotprod::new(), w, &x, 0, out);
            matvec32::matvec::<_, F, 1>(Dotprod::new(), w, &x, 2, out);
        }
        MIN_PACKED_TOKENS.. if F::HAS_MIN => {
            gemm::matmul::<shapes::Sdot32<true>>(Dotprod::new(), gemm::InRegisters::<F>::NEW, w, &x, out, scratch)
        }
        MIN_PACKED_TOKENS.. => {
            gemm::matmul::<shapes::Sdot32<false>>(Dotprod::new(), gemm::InRegisters::<F>::NEW, w, &x, out, scratch)
        }
    }
}

#[target_feature(enable = "neon,dotprod")]
fn block256<F: Simd256>(w: &Matrix<'_>, x: &Activations<'_>, out: &mut TileMut<'_>, scratch: &mut [u8]) {
    let x = quantized_rows(x);
    match x.n_rows {
        0 => {}
        1 => matvec256::matvec::<_, F, 1>(Dotprod::new(), w, &x, 0, out),
        2 => matvec256::matvec::<_, F, 2>(Dotprod::new(), w, &x, 0, out),
        3 => {
            matvec256::matvec::<_, F, 2>(Dotprod::new(), w, &x, 0, out);
            matvec256::matvec::<_, F, 1>(Dotprod::new(), w, &x, 2, out);
        }
        MIN_PACKED_TOKENS.. => match (F::SUBS, F::HAS_MIN) {
            (8, false) => gemm::matmul::<shapes::Sdot256<8, false>>(
                Dotprod::new(),
                gemm::InRegisters::<F>::NEW,
                w,
                &x,
                out,
                scratch,
            ),
            (8, true) => gemm::matmul::<shapes::Sdot256<8, true>>(
                Dotprod::new(),
                gemm::InRegisters::<F>::NEW,
                w,
                &x,
                out,
                scratch,
            ),
            (_, false) => gemm::matmul::<shapes::Sdot256<16, false>>(
                Dotprod::new(),
                gemm::InRegisters::<F>::NEW,
                w,
                &x,
                out,
                scratch,
            ),
            (_, true) => gemm::matmul::<shapes::Sdot256<16, true>>(
                Dotprod::new(),
                gemm::InRegisters::<F>::NEW,
                w,
                &x,
                out,
                scratch,
            ),
        },
    }
}

#[target_feature(enable = "neon,dotprod")]
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
#[target_feature(enable = "neon,dotprod")]
fn plain<P: PackedPlain>(
    staging: Staging<P>,
    w: &Matrix<'_>,
    x: &Activations<'_>,
    out: &mut TileMut<'_>,
    scratch: &mut [u8],
) {
    let x = quantized_rows(x);
    if x.n_rows < MIN_PACKED_TOKENS {
        staged::matvec(Dotprod::new(), staging, w, &x, out);
    } else {
        gemm::matmul::<P::Shape>(Dotprod::new(), staging, w, &x, out, scratch);
    }
}

/// Plain blocks as they are packed here.
trait PackedPlain: PlainRows {
    type Shape: shapes::Pack<Self, Proof = Dotprod>;
}

impl PackedPlain for Unpacked32 {
    type Shape = shapes::Sdot32<false>;
}

impl PackedPlain for Unpacked256 {
    type Shape = shapes::Sdot256<16, false>;
}
