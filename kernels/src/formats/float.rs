//! F32, F16 and BF16: weights that are floats already.
//!
//! ```text
//! F32   4 bytes  IEEE 754 binary32
//! F16   2 bytes  IEEE 754 binary16
//! BF16  2 bytes  the upper half of a binary32
//! ```

use super::{WeightType, f16};
use bytemuck::{Pod, Zeroable};

/// A float weight, little-endian at any alignment.
pub trait Float: Pod {
    /// Which format this is.
    const TYPE: WeightType;
    /// The value; exact.
    fn to_f32(self) -> f32;
}

/// 32 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(transparent)]
pub struct F32(pub [u8; 4]);

/// 16 bits, 5 of them exponent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(transparent)]
pub struct F16(pub [u8; 2]);

/// 16 bits, 8 of them exponent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(transparent)]
pub struct Bf16(pub [u8; 2]);

impl Float for F32 {
    const TYPE: WeightType = WeightType::F32;

    #[inline]
    fn to_f32(self) -> f32 {
        f32::from_le_bytes(self.0)
    }
}

impl Float for F16 {
    const TYPE: WeightType = WeightType::F16;

    #[inline]
    fn to_f32(self) -> f32 {
        f16(self.0)
    }
}

impl Float for Bf16 {
    const TYPE: WeightType = WeightType::BF16;

    #[inline]
    fn to_f32(self) -> f32 {
        f32::from_bits(u32::from(u16::from_le_bytes(self.0)) << 16)
    }
}
