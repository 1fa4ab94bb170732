//! Quantizers by plain rounding, which make valid blocks from values. The program has no quantizer, because model files
//! are already quantized.

mod blocks256;
mod blocks32;
mod fit;

use bytemuck::Pod;
use nanocamelid_kernels::WeightType;
use nanocamelid_kernels::formats::float::{Bf16, F16, F32};

/// A block that can be made from the values of its `N` weights.
pub trait Quantize<const N: usize>: Pod {
    /// The format of the block.
    const TYPE: WeightType;
    /// The block whose weights are near `values`.
    fn quantize(values: &[f32; N]) -> Self;
}

impl Quantize<1> for F32 {
    const TYPE: WeightType = WeightType::F32;

    fn quantize(values: &[f32; 1]) -> Self {
        Self(values[0].to_le_bytes())
    }
}

impl Quantize<1> for F16 {
    const TYPE: WeightType = WeightType::F16;

    fn quantize(values: &[f32; 1]) -> Self {
        Self(fit::to_f16(values[0]))
    }
}

impl Quantize<1> for Bf16 {
    const TYPE: WeightType = WeightType::BF16;

    fn quantize(values: &[f32; 1]) -> Self {
        Self(half::bf16::from_f32(values[0]).to_le_bytes())
    }
}
