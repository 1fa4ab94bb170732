//! Q5_K: 256 weights in 176 bytes, `w = (d * scale) * q - dmin * min`, a scale and minimum per 32 weights.
//!
//! ```text
//! byte 0..2     d           f16
//! byte 2..4     dmin        f16
//! byte 4..16    scales[12]  eight scales and eight minima of six bits, as in Q4_K
//! byte 16..48   qh[32]      weight 32 j + l (j < 8): bit j of qh[l] is its fifth bit
//! byte 48..176  qs[128]     low nibble of qs[32 n + l]: weight 64 n + l, high nibble: weight 64 n + 32 + l  (l < 32)
//! ```

use super::q4_k::unpack_scales;
use super::{Block256, Unpacked256, f16};
use bytemuck::{Pod, Zeroable};

/// The block as it lies in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct BlockQ5K {
    /// Scale of the scales, little-endian f16.
    pub d: [u8; 2],
    /// Scale of the minima, little-endian f16.
    pub dmin: [u8; 2],
    /// Packed six-bit scales and minima.
    pub scales: [u8; 12],
    /// Fifth bits.
    pub qh: [u8; 32],
    /// Nibbles.
    pub qs: [u8; 128],
}

impl Block256 for BlockQ5K {
    const HAS_MIN: bool = true;

    #[inline]
    fn unpack(&self) -> Unpacked256 {
        let mut qs = [0; 256];
        for (i, q) in qs.iter_mut().enumerate() {
            let low = self.qs[i / 64 * 32 + i % 32] >> (i / 32 % 2 * 4) & 15;
            let high = self.qh[i % 32] >> (i / 32) & 1;
            *q = (low | high << 4) as i8;
        }
        let (scales, mins) = unpack_scales(&self.scales);
        Unpacked256 {
            qs,
            scales: core::array::from_fn(|g| scales[g / 2] as i8),
            mins: core::array::from_fn(|g| mins[g / 2]),
            d: f16(self.d),
            dmin: f16(self.dmin),
        }
    }
}
