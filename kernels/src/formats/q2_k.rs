//! Q2_K: 256 weights in 84 bytes, `w = (d * scale) * q - dmin * min`, a scale and minimum per 16 weights.
//!
//! ```text
//! byte 0..16   scales[16]  low nibble: scale of group g, high nibble: its minimum
//! byte 16..80  qs[64]      two bits each: weight 128 n + 32 j + l is bits 2j, 2j+1 of qs[32 n + l]  (l < 32, j < 4)
//! byte 80..82  d           f16
//! byte 82..84  dmin        f16
//! ```

use super::{Block256, Unpacked256, f16};
use bytemuck::{Pod, Zeroable};

/// The block as it lies in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct BlockQ2K {
    /// Scales and minima, a nibble each.
    pub scales: [u8; 16],
    /// Pairs of bits.
    pub qs: [u8; 64],
    /// Scale of the scales, little-endian f16.
    pub d: [u8; 2],
    /// Scale of the minima, little-endian f16.
    pub dmin: [u8; 2],
}

impl Block256 for BlockQ2K {
    const HAS_MIN: bool = true;
    const FOLDS: bool = true;

    #[inline]
    fn unpack(&self) -> Unpacked256 {
        let mut qs = [0; 256];
        for (i, q) in qs.iter_mut().enumerate() {
            let (n, j, l) = (i / 128, i / 32 % 4, i % 32);
            *q = (self.qs[32 * n + l] >> (2 * j) & 3) as i8;
        }
        Unpacked256 {
            qs,
            scales: self.scales.map(|s| (s & 15) as i8),
            mins: self.scales.map(|s| s >> 4),
            d: f16(self.d),
            dmin: f16(self.dmin),
        }
    }
}
