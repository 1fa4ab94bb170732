//! x86-64: `avx2` (with FMA and F16C), `avxvnni` and `avx512vnni`.
//!
//! The bodies are generic over a proof, [`Avx2`] or [`Avx512`], that functions compiled for its features make
//! ([`proof`]). The float operations come from [`crate::lanes`], the integer products from [`packed`]. Each table is a
//! `#[target_feature]` function that names the entry points compiled for the same features.

mod blocks256;
mod blocks32;
mod few;
mod lanes;
mod matvec256;
mod matvec32;
mod narrow;
mod packed;
mod panel;
mod proof;
mod rows;
mod staged;
mod tile;
mod tokens;
mod unpack;
mod vectors;
mod wide;

use crate::features::{Feature, Features};
use crate::table::Kernels;
use proof::{Avx2, Avx512};

/// The products of a format: an entry point of a table's module, with the matrix-matrix products of `M`.
macro_rules! product {
    (float, $block:path, $len:literal) => {
        entry::float_matmul
    };
    (block32, $block:path, $len:literal) => {
        matmul32::<$block, M>
    };
    (block256, $block:path, $len:literal) => {
        matmul256::<$block, M>
    };
    (staged32, $block:path, $len:literal) => {
        matmul_staged32::<staging::Of32<$block, { $len / 32 }>, M>
    };
    (staged16, $block:path, $len:literal) => {
        matmul_staged32::<staging::Of32<$block, { $len / 16 }>, M>
    };
    (staged256, $block:path, $len:literal) => {
        matmul_staged256::<$block, M>
    };
}

/// The entry points of a table: plain functions compiled for its features, and the table that names them.
macro_rules! table {
    ($module:ident, $proof:path, $features:literal) => {
        mod $module {
            use super::packed::{self, Format, Packing};
            use super::proof::Avx2;
            use super::rows::{Band, Rows};
            use super::staged::{self, PlainRows};
            use super::tokens::Tokens;
            use super::unpack::{Unpack32, Unpack256};
            use super::vectors::Int;
            use super::{few, matvec32, matvec256, panel, rows};
            use crate::activations::Activations;
            use crate::formats::staging::{self, Of256, StagedWide, Staging};
            use crate::formats::wide::WideBlock;
            use crate::formats::{Block256, Unpacked32, Unpacked256, by_format};
            use crate::lanes::entry::{entry_points, operations};
            use crate::matrix::Matrix;
            use crate::reference::matmul::quantized_rows;
            use crate::table::Kernels;
            use crate::tiles::TileMut;

            entry_points!($proof, $features);

            type Bytes = <$proof as Int>::Bytes;
            type Sums<const T: usize> = [<$proof as Int>::F; T];

            #[target_feature(enable = $features)]
            fn pack32<B: Unpack32>(rows: &Rows<'_>, panel: &mut [Bytes]) {
                panel::pack32(<$proof>::new(), &Band::<B>::new(rows), panel);
            }

            #[target_feature(enable = $features)]
            fn pack256<B: Unpack256, const FOLDED: bool>(rows: &Rows<'_>, panel: &mut [Bytes]) {
                panel::pack256::<_, _, FOLDED>(<$proof>::new(), &Band::<B>::new(rows), panel);
            }

            #[target_feature(enable = $features)]
            fn rows32<B: Unpack32, const T: usize>(rows: &Rows<'_>, x: &Tokens<'_, T>) -> Sums<T> {
                let proof = <$proof>::new();
                matvec32::rows32(proof, &Band::<B>::new(rows), x, rows::Sums::start(proof))
            }

            #[target_feature(enable = $features)]
            fn rows256<B: Unpack256, const T: usize>(rows: &Rows<'_>, x: &Tokens<'_, T>) -> Sums<T> {
                let proof = <$proof>::new();
                matvec256::rows256(proof, &Band::<B>::new(rows), x, rows::Sums::start(proof))
            }

            #[target_feature(enable = $features)]
            fn matmul32<B: Unpack32, M: Int<Bytes = Bytes>>(
                w: &Matrix<'_>,
                x: &Activations<'_>,
                out: &mut TileMut<'_>,
                scratch: &mut [u8],
            ) {
                let packing = Packing { weights: packed::weights32::<M, B>(), pack: pack32::<B> };
                let format = &Format {
                    block_len: 32,
                    vectors: panel::VECTORS_32,
                    few: packing,
                    many: packing,
                    multiply: M::multiply,
                    multiply_few: M::multiply_few,
                    one: rows32::<B, 1>,
                    two: if B::IN_PAIRS { Some(rows32::<B, 2>) } else { None },
                };
                matmul(<$proof>::new(), format, w, x, out, scratch);
            }

            #[target_feature(enable = $features)]
            fn matmul256<B: Unpack256, M: Int<Bytes = Bytes>>(
                w: &Matrix<'_>,
                x: &Activations<'_>,
                out: &mut TileMut<'_>,
                scratch: &mut [u8],
            ) {
                let few = Packing { weights: packed::weights256::<M, B>(), pack: pack256::<B, false> };
                let many = if const { M::FOLDS && B::FOLDS } {
                    Packing { weights: packed::folded_weights::<M, B>(), pack: pack256::<B, true> }
                } else {
                    few
                };
                let format = &Format {
                    block_len: 256,
                    vectors: panel::VECTORS_256,
                    few,
                    many,
                    multiply: M::multiply,
                    multiply_few: M::multiply_few,
                    one: rows256::<B, 1>,
                    two: if B::IN_PAIRS { Some(rows256::<B, 2>) } else { None },
                };
                matmul(<$proof>::new(), format, w, x, out, scratch);
            }

            #[inline(never)]
            #[target_feature(enable = $features)]
            fn pack_plain<P: PlainRows>(staging: &Staging<P, Avx2>, rows: &Rows<'_>, panel: &mut [Bytes]) {
                staged::pack(<$proof>::new(), staging, rows, panel);
            }

            #[inline(never)]
            #[target_feature(enable = $features)]
            fn rows_plain<P: PlainRows>(staging: &Staging<P, Avx2>, rows: &Rows<'_>, x: &Tokens<'_, 1>) -> Sums<1> {
                staged::rows(<$proof>::new(), staging, rows, x)
            }

            #[target_feature(enable = $features)]
            fn pack_staged<S: StagedWide<Avx2, Plain: PlainRows>>(rows: &Rows<'_>, panel: &mut [Bytes]) {
                pack_plain(S::WIDE, rows, panel);
            }

            #[target_feature(enable = $features)]
            fn rows_staged<S: StagedWide<Avx2, Plain: PlainRows>>(rows: &Rows<'_>, x: &Tokens<'_, 1>) -> Sums<1> {
                rows_plain(S::WIDE, rows, x)
            }

            #[target_feature(enable = $features)]
            fn matmul_staged32<S: StagedWide<Avx2, Plain = Unpacked32>, M: Int<Bytes = Bytes>>(
                w: &Matrix<'_>,
                x: &Activations<'_>,
                out: &mut TileMut<'_>,
                scratch: &mut [u8],
            ) {
                let packing = Packing { weights: packed::weights32::<M, Unpacked32>(), pack: pack_staged::<S> };
                let format = &Format {
                    block_len: 32 / S::STAGING.parts,
                    vectors: panel::VECTORS_32,
                    few: packing,
                    many: packing,
                    multiply: M::multiply,
                    multiply_few: M::multiply_few,
                    one: rows_staged::<S>,
                    two: None,
                };
                matmul(<$proof>::new(), format, w, x, out, scratch);
            }

            #[target_feature(enable = $features)]
            fn matmul_staged256<B: Block256 + WideBlock<Unpacked256>, M: Int<Bytes = Bytes>>(
                w: &Matrix<'_>,
                x: &Activations<'_>,
                out: &mut TileMut<'_>,
                scratch: &mut [u8],
            ) {
                let packing = Packing { weights: packed::staged_weights::<M, B>(), pack: pack_staged::<Of256<B>> };
                let format = &Format {
                    block_len: 256,
                    vectors: panel::VECTORS_256,
                    few: packing,
                    many: packing,
                    multiply: M::multiply,
                    multiply_few: M::multiply_few,
                    one: rows_staged::<Of256<B>>,
                    two: None,
                };
                matmul(<$proof>::new(), format, w, x, out, scratch);
            }

            #[inline(never)]
            #[target_feature(enable = $features)]
            fn matmul(
                i: $proof,
                format: &Format<$proof>,
                w: &Matrix<'_>,
                x: &Activations<'_>,
                out: &mut TileMut<'_>,
                scratch: &mut [u8],
            ) {
                packed::matmul(packed::OfFormat::new(i, format), w, &quantized_rows(x), out, scratch);
            }

            /// The table with the matrix-matrix products of `M`.
            ///
            /// # Safety
            /// The features exist, and those of `M`, wherever the table is used.
            #[target_feature(enable = $features)]
            pub(super) unsafe fn table<M: Int<Bytes = Bytes>>() -> &'static Kernels {
                &Kernels {
                    name: M::NAME,
                    matvec_rows: 64,
                    matmul_rows: packed::MAX_ROWS,
                    max_matmul_rows: const { packed::MAX_ROWS * if M::NARROWS { 4 } else { 1 } },
                    few: (few::MOST_TOKENS, few::MAX_ROWS),
                    scratch_bytes: packed::scratch_bytes::<$proof>,
                    matmul: by_format!(product),
                    operations: operations!(self::entry),
                }
            }
        }
    };
}

table!(avx2, crate::x86_64::proof::Avx2, "avx2,fma,f16c");
table!(avx512vnni, crate::x86_64::proof::Avx512, "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni");

/// The `avx2` table, if these features allow it.
pub(crate) fn avx2_table(features: Features) -> Option<&'static Kernels> {
    // SAFETY: `Features` vouches for every feature that the function is compiled for.
    features.has_all(&[Feature::Avx2, Feature::Fma, Feature::F16c]).then(|| unsafe { avx2::table::<Avx2>() })
}

/// The `avxvnni` table, if these features allow it: `avx2` with other matrix-matrix products.
pub(crate) fn avxvnni_table(features: Features) -> Option<&'static Kernels> {
    avx2_table(features)?;
    // SAFETY: `Features` vouches for AVX-VNNI, and for what the `avx2` table needs, which there is.
    features.has(Feature::AvxVnni).then(|| unsafe { avx2::table::<Avx2<true>>() })
}

/// The `avx512vnni` table, if these features allow it.
pub(crate) fn avx512vnni_table(features: Features) -> Option<&'static Kernels> {
    avx2_table(features)?;
    // SAFETY: `Features` vouches for AVX-512, and for what the `avx2` table needs, which there is.
    features.has_all(&[Feature::Avx512, Feature::Avx512Vnni]).then(|| unsafe { avx512vnni::table::<Avx512>() })
}
