//! IQ4_NL: 32 weights in 18 bytes, `w = d * CODEBOOK[q]`.
//!
//! ```text
//! byte 0..2    d       f16
//! byte 2..18   qs[16]  low nibble: weight i, high nibble: weight i + 16
//! ```

use super::{Block32, Unpacked32, f16};
use bytemuck::{Pod, Zeroable};

/// The sixteen levels, denser around zero (`kvalues_iq4nl` in ggml).
pub const CODEBOOK: [i8; 16] = [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113];

/// The block as it lies in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct BlockIq4Nl {
    /// Scale, little-endian f16.
    pub d: [u8; 2],
    /// Nibbles.
    pub qs: [u8; 16],
}

impl Block32 for BlockIq4Nl {
    const HAS_MIN: bool = false;

    #[inline]
    fn unpack(&self) -> Unpacked32 {
        let mut qs = [0; 32];
        for (i, &byte) in self.qs.iter().enumerate() {
            qs[i] = CODEBOOK[usize::from(byte & 15)];
            qs[i + 16] = CODEBOOK[usize::from(byte >> 4)];
        }
        Unpacked32 { qs, d: f16(self.d), m: 0.0 }
    }
}
