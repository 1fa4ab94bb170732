//! AArch64: `neon` (every core: Cortex-A53, A72), `dotprod` (A55, A76, Neoverse N1) and `i8mm` (Neoverse V1, Apple M2).
//!
//! The float operations come from [`crate::lanes`] and are the same in all three tables, as are the writers of the KV
//! layout: plain NEON. The tables differ in their integer products. One or two tokens are multiplied straight from the
//! rows as they lie in the file ([`matvec32`], [`matvec256`]), more of them from packed panels ([`gemm`]); `neon` does
//! all from the rows.

mod blocks256;
mod blocks32;
mod dot;
mod dotprod;
mod gemm;
mod i8mm;
mod matvec256;
mod matvec32;
mod neon;
mod neon_lanes;
mod ops;
mod panel;
mod proof;
mod shapes;
mod staged;
mod tile_dotprod;
mod tile_i8mm;
mod tokens;
mod vectors;

use crate::features::{Feature, Features};
use crate::table::Kernels;

/// The products of a format: an entry point of the module of a table.
macro_rules! product {
    (float, $block:path, $len:literal) => {
        neon::float_matmul::<$block>
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
            use crate::reference;
            &Kernels {
                name: $name,
                matvec_rows: $matvec_rows,
                matmul_rows: 16,
                max_matmul_rows: $max_matmul_rows,
                scratch_bytes: $scratch,
                matmul: by_format!(product),
                quantize_q8: neon::quantize_q8,
                quantize_q8k: neon::quantize_q8k,
                rms_scale: neon::rms_scale,
                rms_norm: neon::rms_norm,
                softmax: neon::softmax,
                rope: neon::rope,
                silu_mul: neon::silu_mul,
                sigmoid_mul: neon::sigmoid_mul,
                gelu_mul: neon::gelu_mul,
                add: neon::add,
                add_scaled: neon::add_scaled,
                scale: neon::scale,
                softcap: neon::softcap,
                delta_step: neon::delta_step,
                attend: neon::attend,
                merge: neon::merge,
                store_key: reference::attention::store_key,
                store_value: neon::store_value,
            }
        }
    };
}
use {product, table};

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
