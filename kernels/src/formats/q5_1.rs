//! Q5_1: 32 weights in 24 bytes, `w = d * q + m`.
//!
//! ```text
//! byte 0..2    d       f16
//! byte 2..4    m       f16
//! byte 4..8    qh      u32, bit i: fifth bit of weight i
//! byte 8..24   qs[16]  low nibble: weight i, high nibble: weight i + 16
//! ```

use super::q5_0::unpack5;
use super::{Block32, Unpacked32, f16};
use bytemuck::{Pod, Zeroable};

/// The block as it lies in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct BlockQ5_1 {
    /// Scale, little-endian f16.
    pub d: [u8; 2],
    /// Minimum, little-endian f16.
    pub m: [u8; 2],
    /// Fifth bits, little-endian u32.
    pub qh: [u8; 4],
    /// Nibbles.
    pub qs: [u8; 16],
}

impl Block32 for BlockQ5_1 {
    const HAS_MIN: bool = true;

    #[inline]
    fn unpack(&self) -> Unpacked32 {
        Unpacked32 { qs: unpack5(self.qh, &self.qs), d: f16(self.d), m: f16(self.m) }
    }
}
