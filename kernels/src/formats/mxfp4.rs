//! MXFP4: 32 weights in 17 bytes, `w = 2^(e - 128) * CODEBOOK[q]` (OCP Microscaling Formats 1.0, E2M1 elements).
//!
//! ```text
//! byte 0       e       biased exponent (E8M0)
//! byte 1..17   qs[16]  low nibble: weight i, high nibble: weight i + 16
//! ```
//!
//! The codebook holds twice the E2M1 values, so that they are integers; the exponent makes up for it.

use super::{Block32, Unpacked32};
use bytemuck::{Pod, Zeroable};

/// Twice the values of E2M1.
pub const CODEBOOK: [i8; 16] = [0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12];

/// The block as it lies in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct BlockMxfp4 {
    /// Biased exponent.
    pub e: u8,
    /// Nibbles.
    pub qs: [u8; 16],
}

/// `2^(e - 128)`; subnormal for `e < 2`.
pub(crate) fn scale(e: u8) -> f32 {
    f32::from_bits(if e < 2 { 0x0020_0000 << e } else { u32::from(e - 1) << 23 })
}

impl Block32 for BlockMxfp4 {
    const HAS_MIN: bool = false;

    #[inline]
    fn unpack(&self) -> Unpacked32 {
        let mut qs = [0; 32];
        for (i, &byte) in self.qs.iter().enumerate() {
            qs[i] = CODEBOOK[usize::from(byte & 15)];
            qs[i + 16] = CODEBOOK[usize::from(byte >> 4)];
        }
        Unpacked32 { qs, d: scale(self.e), m: 0.0 }
    }
}
