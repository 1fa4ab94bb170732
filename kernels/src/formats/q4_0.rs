//! Q4_0: 32 weights in 18 bytes, `w = d * (q - 8)`.
//!
//! ```text
//! byte 0..2    d       f16
//! byte 2..18   qs[16]  low nibble: weight i, high nibble: weight i + 16, stored plus 8
//! ```

use super::{Block32, Unpacked32, f16};
use bytemuck::{Pod, Zeroable};

/// The block as it lies in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct BlockQ4_0 {
    /// Scale, little-endian f16.
    pub d: [u8; 2],
    /// Nibbles.
    pub qs: [u8; 16],
}

impl Block32 for BlockQ4_0 {
    const HAS_MIN: bool = false;

    #[inline]
    fn unpack(&self) -> Unpacked32 {
        let mut qs = [0; 32];
        for (i, &byte) in self.qs.iter().enumerate() {
            qs[i] = (byte & 15) as i8 - 8;
            qs[i + 16] = (byte >> 4) as i8 - 8;
        }
        Unpacked32 { qs, d: f16(self.d), m: 0.0 }
    }
}
