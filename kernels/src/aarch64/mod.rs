//! AArch64: `neon` (every core: Cortex-A53, A72), `dotprod` (A55, A76, Neoverse N1) and `i8mm` (Neoverse V1, Apple M2).
//!
//! The float operations come from [`crate::lanes`] and are the same in all three tables, as are the writers of the KV
//! layout: plain NEON. The tables differ in their integer products. One or two tokens are multiplied straight from the
//! rows as they lie in the file ([`matvec32`], [`matvec256`]), more of them from packed panels ([`packed`]); `neon`
//! does all from the rows.

mod blocks256;
mod blocks32;
mod dot;
mod dotprod;
mod i8mm;
mod lanes;
mod matvec256;
mod matvec32;
mod neon;
mod packed;
mod panel;
mod proof;
mod rows;
mod staged;
mod tile;
mod tokens;
mod vectors;
mod wide;

use crate::features::{Feature, Features};
use crate::table::Kernels;

/// The products of a format: an entry point of the module of a table.
macro_rules! product {
    (float, $block:path, $len:literal) => {
        neon::entry::float_matmul
    };
    (block32, $block:path, $len:literal) => {
        block32::<$block>
    };
    (block256, $block:path, $len:literal) => {
        block256::<$block>
    };
    (staged32, $block:path, $len:literal) => {
        staged::<staging::Of32<$block, { $len / 32 }>>
    };
    (staged16, $block:path, $len:literal) => {
        staged::<staging::Of32<$block, { $len / 16 }>>
    };
    (staged256, $block:path, $len:literal) => {
        staged::<staging::Of256<$block>>
    };
}

/// A table of NEON operations with its own products: the module it stands in has `block32` and `block256`.
macro_rules! table {
    ($features:literal, $name:literal, $matvec_rows:literal, $max_matmul_rows:expr, $scratch:expr) => {
        /// The table. Safe to call, and its entries safe to keep, only where the features exist.
        #[target_feature(enable = $features)]
        pub(super) fn table() -> &'static Kernels {
            use crate::aarch64::{neon, product};
            use crate::formats::{by_format, staging};
            use crate::lanes::entry::operations;
            &Kernels {
                name: $name,
                matvec_rows: $matvec_rows,
                matmul_rows: 16,
                max_matmul_rows: $max_matmul_rows,
                few: (0, 0),
                scratch_bytes: $scratch,
                matmul: by_format!(product),
                operations: operations!(neon::entry),
            }
        }
    };
}

/// The products of a table that packs panels, by the shapes of its panels.
macro_rules! packed_products {
    ($features:literal, $proof:ident, $of_32:ident, $of_256:ident) => {
        use $crate::aarch64::blocks32::Simd32;
        use $crate::aarch64::blocks256::Simd256;
        use $crate::aarch64::packed::{Format, matmul};
        use $crate::aarch64::proof::Neon;
        use $crate::aarch64::rows::RawRows;
        use $crate::aarch64::staged::{self, PlainRows};
        use $crate::aarch64::tile::{Pack, Shape, pack, $of_32, $of_256};
        use $crate::activations::Activations;
        use $crate::formats::staging::StagedWide;
        use $crate::formats::{Unpacked32, Unpacked256};
        use $crate::matrix::Matrix;
        use $crate::reference::matmul::quantized_rows;
        use $crate::tiles::TileMut;

        const fn format32<F: Simd32, S: Shape<Proof = $proof> + Pack<F>>() -> Format<$proof> {
            Format::new::<S>(1, RawRows::of_32::<F>(), pack::<F, S>)
        }

        const fn format256<F: Simd256, S: Shape<Proof = $proof> + Pack<F>>() -> Format<$proof> {
            Format::new::<S>(1, RawRows::of_256::<F>(), pack::<F, S>)
        }

        const fn format_staged<F, S>() -> Format<$proof>
        where
            F: StagedWide<Neon, Plain: PlainRows>,
            S: Shape<Proof = $proof> + Pack<F::Plain>,
        {
            Format::new::<S>(F::STAGING.parts, RawRows::Staged(staged::all_rows::<_, F>), staged::pack_rows::<F, S>)
        }

        #[target_feature(enable = $features)]
        fn block32<F: Simd32>(w: &Matrix<'_>, x: &Activations<'_>, out: &mut TileMut<'_>, scratch: &mut [u8]) {
            let format =
                const { &if F::HAS_MIN { format32::<F, $of_32<true>>() } else { format32::<F, $of_32<false>>() } };
            matmul($proof::new(), format, w, &quantized_rows(x), out, scratch);
        }

        #[target_feature(enable = $features)]
        fn block256<F: Simd256>(w: &Matrix<'_>, x: &Activations<'_>, out: &mut TileMut<'_>, scratch: &mut [u8]) {
            let format = const {
                &match (if F::FOLDS { 1 } else { F::SUBS }, F::HAS_MIN) {
                    (1, false) => format256::<F, $of_256<1, false>>(),
                    (1, true) => format256::<F, $of_256<1, true>>(),
                    (8, false) => format256::<F, $of_256<8, false>>(),
                    (8, true) => format256::<F, $of_256<8, true>>(),
                    (_, false) => format256::<F, $of_256<16, false>>(),
                    (_, true) => format256::<F, $of_256<16, true>>(),
                }
            };
            matmul($proof::new(), format, w, &quantized_rows(x), out, scratch);
        }

        #[target_feature(enable = $features)]
        fn staged<F: StagedWide<Neon, Plain: PackedPlain>>(
            w: &Matrix<'_>,
            x: &Activations<'_>,
            out: &mut TileMut<'_>,
            scratch: &mut [u8],
        ) {
            let format = const { &format_staged::<F, <F::Plain as PackedPlain>::Shape>() };
            matmul($proof::new(), format, w, &quantized_rows(x), out, scratch);
        }

        /// Plain blocks as they are packed here.
        trait PackedPlain: PlainRows {
            type Shape: Pack<Self, Proof = $proof>;
        }

        impl PackedPlain for Unpacked32 {
            type Shape = $of_32<false>;
        }

        impl PackedPlain for Unpacked256 {
            type Shape = $of_256<16, false>;
        }
    };
}

use {packed_products, product, table};

/// The `neon` table, if these features allow it.
pub(crate) fn neon_table(features: Features) -> Option<&'static Kernels> {
    // SAFETY: `Features` vouches for NEON, which the function is compiled for.
    features.has(Feature::Neon).then(|| unsafe { neon::table() })
}

/// The `dotprod` table, if these features allow it.
pub(crate) fn dotprod_table(features: Features) -> Option<&'static Kernels> {
    // SAFETY: `Features` vouches for NEON and `sdot`, which the function is compiled for.
    features.has_all(&[Feature::Neon, Feature::Dotprod]).then(|| unsafe { dotprod::table() })
}

/// The `i8mm` table, if these features allow it.
pub(crate) fn i8mm_table(features: Features) -> Option<&'static Kernels> {
    // SAFETY: `Features` vouches for NEON, `sdot` and `smmla`, which the function is compiled for.
    features.has_all(&[Feature::Neon, Feature::Dotprod, Feature::I8mm]).then(|| unsafe { i8mm::table() })
}
