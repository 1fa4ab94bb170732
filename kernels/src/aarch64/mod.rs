//! AArch64: `neon` (every core: Cortex-A53, A72), `dotprod` (A55, A76, Neoverse N1) and `i8mm` (Neoverse V1, Apple M2).
//!
//! The float operations come from [`crate::lanes`] and are the same in all three tables, as are dequantization and the
//! writers of the KV layout: plain NEON. The tables differ in their integer products. One or two tokens are multiplied
//! straight from the rows as they lie in the file ([`matvec32`], [`matvec256`]), more of them from packed panels
//! ([`gemm`]); `neon` does all from the rows.

mod blocks256;
mod blocks32;
mod dequantize;
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
mod tile_dotprod;
mod tile_i8mm;
mod tokens;
mod vectors;

use crate::features::{Feature, Features};
use crate::table::Kernels;

/// A table of NEON operations with its own products: `$module` has `block32` and `block256`.
macro_rules! table {
    ($module:ident, $features:literal, $name:literal, $matvec_rows:literal, $max_matmul_rows:expr, $scratch:expr) => {
        /// The table. Safe to call, and its entries safe to keep, only where the features exist.
        #[target_feature(enable = $features)]
        pub(super) fn table() -> &'static Kernels {
            use crate::aarch64::neon;
            use crate::formats::float::{Bf16, F16, F32};
            use crate::formats::iq4_nl::BlockIq4Nl;
            use crate::formats::iq4_xs::BlockIq4Xs;
            use crate::formats::mxfp4::BlockMxfp4;
            use crate::formats::q2_k::BlockQ2K;
            use crate::formats::q3_k::BlockQ3K;
            use crate::formats::q4_0::BlockQ4_0;
            use crate::formats::q4_1::BlockQ4_1;
            use crate::formats::q4_k::BlockQ4K;
            use crate::formats::q5_0::BlockQ5_0;
            use crate::formats::q5_1::BlockQ5_1;
            use crate::formats::q5_k::BlockQ5K;
            use crate::formats::q6_k::BlockQ6K;
            use crate::formats::q8_0::BlockQ8_0;
            use crate::formats::q8_k::BlockQ8K;
            use crate::reference;
            &Kernels {
                name: $name,
                matvec_rows: $matvec_rows,
                matmul_rows: 16,
                max_matmul_rows: $max_matmul_rows,
                scratch_bytes: $scratch,
                // In discriminant order of `WeightType`.
                matmul: [
                    neon::float_matmul::<F32>,
                    neon::float_matmul::<F16>,
                    neon::float_matmul::<Bf16>,
                    $module::block32::<BlockQ4_0>,
                    $module::block32::<BlockQ4_1>,
                    $module::block32::<BlockQ5_0>,
                    $module::block32::<BlockQ5_1>,
                    $module::block32::<BlockQ8_0>,
                    $module::block256::<BlockQ2K>,
                    $module::block256::<BlockQ3K>,
                    $module::block256::<BlockQ4K>,
                    $module::block256::<BlockQ5K>,
                    $module::block256::<BlockQ6K>,
                    reference::matmul::block256::<BlockQ8K>,
                    $module::block32::<BlockIq4Nl>,
                    $module::block256::<BlockIq4Xs>,
                    $module::block32::<BlockMxfp4>,
                ],
                dequantize: [
                    reference::matmul::dequantize_float::<F32>,
                    neon::dequantize_half::<F16>,
                    neon::dequantize_half::<Bf16>,
                    neon::dequantize32::<BlockQ4_0>,
                    neon::dequantize32::<BlockQ4_1>,
                    neon::dequantize32::<BlockQ5_0>,
                    neon::dequantize32::<BlockQ5_1>,
                    neon::dequantize32::<BlockQ8_0>,
                    neon::dequantize256::<BlockQ2K>,
                    neon::dequantize256::<BlockQ3K>,
                    neon::dequantize256::<BlockQ4K>,
                    neon::dequantize256::<BlockQ5K>,
                    neon::dequantize256::<BlockQ6K>,
                    reference::matmul::dequantize256::<BlockQ8K>,
                    neon::dequantize32::<BlockIq4Nl>,
                    neon::dequantize256::<BlockIq4Xs>,
                    neon::dequantize32::<BlockMxfp4>,
                ],
                quantize_q8: neon::quantize_q8,
                quantize_q8k: neon::quantize_q8k,
                rms_scale: neon::rms_scale,
                rms_norm: neon::rms_norm,
                softmax: neon::softmax,
                rope: neon::rope,
                silu_mul: neon::silu_mul,
                gelu_mul: neon::gelu_mul,
                add: neon::add,
                add_scaled: neon::add_scaled,
                scale: neon::scale,
                softcap: neon::softcap,
                attend: neon::attend,
                merge: neon::merge,
                store_key: reference::attention::store_key,
                store_value: neon::store_value,
            }
        }
    };
}
use table;

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
