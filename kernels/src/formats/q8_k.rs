//! Q8_K: 256 weights in 292 bytes, `w = d * q`.
//!
//! ```text
//! byte 0..4      d          f32
//! byte 4..260    qs[256]    i8
//! byte 260..292  bsums[16]  i16, sums of the groups of 16; not read here
//! ```

use super::wide::{Wide, WideBlock};
use super::{Block256, Unpacked256};
use bytemuck::{Pod, Zeroable};

/// The block as it lies in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct BlockQ8K {
    /// Scale, little-endian f32.
    pub d: [u8; 4],
    /// Weights.
    pub qs: [i8; 256],
    /// Sums of the groups of 16, little-endian i16.
    pub bsums: [[u8; 2]; 16],
}

impl Block256 for BlockQ8K {
    const HAS_MIN: bool = false;

    #[inline]
    fn unpack(&self) -> Unpacked256 {
        Unpacked256 { qs: self.qs, scales: [1; 16], mins: [0; 16], d: f32::from_le_bytes(self.d), dmin: 0.0 }
    }
}

impl WideBlock<Unpacked256> for BlockQ8K {
    #[inline(always)]
    fn unpack_wide<W: Wide>(&self, _: W, plain: &mut [Unpacked256]) {
        plain[0] = self.unpack();
    }
}
