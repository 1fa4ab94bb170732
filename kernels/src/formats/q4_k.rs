//! Q4_K: 256 weights in 144 bytes, `w = (d * scale) * q - dmin * min`, a scale and minimum per 32 weights.
//!
//! ```text
//! byte 0..2     d           f16
//! byte 2..4     dmin        f16
//! byte 4..16    scales[12]  eight scales and eight minima of six bits, see below
//! byte 16..144  qs[128]     low nibble of qs[32 n + l]: weight 64 n + l, high nibble: weight 64 n + 32 + l  (l < 32)
//! ```
//!
//! Scale and minimum `j < 4` are the low six bits of `scales[j]` and `scales[j + 4]`. For `j >= 4` their low four bits
//! are the low and high nibble of `scales[j + 4]`, their high two the top bits of `scales[j - 4]` and `scales[j]`.

use super::{Block256, Unpacked256, f16};
use bytemuck::{Pod, Zeroable};

/// The block as it lies in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct BlockQ4K {
    /// Scale of the scales, little-endian f16.
    pub d: [u8; 2],
    /// Scale of the minima, little-endian f16.
    pub dmin: [u8; 2],
    /// Packed six-bit scales and minima.
    pub scales: [u8; 12],
    /// Nibbles.
    pub qs: [u8; 128],
}

impl Block256 for BlockQ4K {
    const HAS_MIN: bool = true;

    #[inline]
    fn unpack(&self) -> Unpacked256 {
        let mut qs = [0; 256];
        for (i, q) in qs.iter_mut().enumerate() {
            *q = (self.qs[i / 64 * 32 + i % 32] >> (i / 32 % 2 * 4) & 15) as i8;
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

/// Eight scales and eight minima, `0..=63`.
pub(crate) fn unpack_scales(packed: &[u8; 12]) -> ([u8; 8], [u8; 8]) {
    let mut scales = [0; 8];
    let mut mins = [0; 8];
    for j in 0..4 {
        scales[j] = packed[j] & 63;
        mins[j] = packed[j + 4] & 63;
        scales[j + 4] = packed[j + 8] & 15 | packed[j] >> 6 << 4;
        mins[j + 4] = packed[j + 8] >> 4 | packed[j + 4] >> 6 << 4;
    }
    (scales, mins)
}
