//! The one arithmetic in portable Rust: the specification every SIMD table is held to (docs/NUMERICS.md).
//!
//! Written to be read and to be checked against that page, not to be fast; it is also the table of a machine that has
//! no other.

use crate::formats::staging::{Of32, Of256};
use crate::formats::{WeightType, by_format};
use crate::operations::Operations;
use crate::table::Kernels;

pub mod attention;
pub mod delta;
pub mod elementwise;
pub mod math;
pub mod matmul;
pub mod norm;
pub mod quantize;
pub mod recurrence;
pub mod rope;

/// The products of a format.
macro_rules! product {
    (float, $block:path, $len:literal) => {
        matmul::float::<$block>
    };
    (block32, $block:path, $len:literal) => {
        matmul::block32::<Of32<$block, 1>>
    };
    (staged32, $block:path, $len:literal) => {
        matmul::block32::<Of32<$block, { $len / 32 }>>
    };
    (staged16, $block:path, $len:literal) => {
        matmul::block32::<Of32<$block, { $len / 16 }>>
    };
    ($of_256:ident, $block:path, $len:literal) => {
        matmul::block256::<Of256<$block>>
    };
}

/// The dequantization of a format.
macro_rules! dequantizer {
    (float, $block:path, $len:literal) => {
        matmul::dequantize_float::<$block>
    };
    (block32, $block:path, $len:literal) => {
        matmul::dequantize32::<Of32<$block, 1>>
    };
    (staged32, $block:path, $len:literal) => {
        matmul::dequantize32::<Of32<$block, { $len / 32 }>>
    };
    (staged16, $block:path, $len:literal) => {
        matmul::dequantize32::<Of32<$block, { $len / 16 }>>
    };
    ($of_256:ident, $block:path, $len:literal) => {
        matmul::dequantize256::<Of256<$block>>
    };
}

type Dequantize = fn(&[u8], &mut [f32]);

/// The dequantization of each format.
pub(crate) static DEQUANTIZE: [Dequantize; WeightType::COUNT] = by_format!(dequantizer);

/// The scalar table. It needs no features.
pub static TABLE: Kernels = Kernels {
    name: "scalar",
    matvec_rows: 16,
    matmul_rows: 16,
    max_matmul_rows: 64,
    few: (0, 0),
    scratch_bytes: |_| 0,
    matmul: by_format!(product),
    operations: Operations::REFERENCE,
};
