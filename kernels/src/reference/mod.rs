//! The one arithmetic in portable Rust: the specification every SIMD table is held to (docs/NUMERICS.md).
//!
//! Written to be read and to be checked against that page, not to be fast; it is also the table of a machine that has
//! no other.

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
use crate::table::Kernels;

pub mod attention;
pub mod elementwise;
pub mod math;
pub mod matmul;
pub mod norm;
pub mod quantize;
pub mod rope;

use matmul::{block32, block256, dequantize_float, dequantize32, dequantize256, float};

/// The scalar table. It needs no features.
pub static TABLE: Kernels = Kernels {
    name: "scalar",
    matvec_rows: 16,
    matmul_rows: 16,
    max_matmul_rows: 64,
    scratch_bytes: |_| 0,
    // In discriminant order of `WeightType`.
    matmul: [
        float::<F32>,
        float::<F16>,
        float::<Bf16>,
        block32::<BlockQ4_0>,
        block32::<BlockQ4_1>,
        block32::<BlockQ5_0>,
        block32::<BlockQ5_1>,
        block32::<BlockQ8_0>,
        block256::<BlockQ2K>,
        block256::<BlockQ3K>,
        block256::<BlockQ4K>,
        block256::<BlockQ5K>,
        block256::<BlockQ6K>,
        block256::<BlockQ8K>,
        block32::<BlockIq4Nl>,
        block256::<BlockIq4Xs>,
        block32::<BlockMxfp4>,
    ],
    dequantize: [
        dequantize_float::<F32>,
        dequantize_float::<F16>,
        dequantize_float::<Bf16>,
        dequantize32::<BlockQ4_0>,
        dequantize32::<BlockQ4_1>,
        dequantize32::<BlockQ5_0>,
        dequantize32::<BlockQ5_1>,
        dequantize32::<BlockQ8_0>,
        dequantize256::<BlockQ2K>,
        dequantize256::<BlockQ3K>,
        dequantize256::<BlockQ4K>,
        dequantize256::<BlockQ5K>,
        dequantize256::<BlockQ6K>,
        dequantize256::<BlockQ8K>,
        dequantize32::<BlockIq4Nl>,
        dequantize256::<BlockIq4Xs>,
        dequantize32::<BlockMxfp4>,
    ],
    quantize_q8: quantize::quantize_q8,
    quantize_q8k: quantize::quantize_q8k,
    rms_scale: norm::rms_scale,
    rms_norm: norm::rms_norm,
    softmax: norm::softmax,
    rope: rope::rope,
    silu_mul: elementwise::silu_mul,
    gelu_mul: elementwise::gelu_mul,
    add: elementwise::add,
    add_scaled: elementwise::add_scaled,
    scale: elementwise::scale,
    softcap: elementwise::softcap,
    attend: attention::attend,
    merge: attention::merge,
    store_key: attention::store_key,
    store_value: attention::store_value,
};
