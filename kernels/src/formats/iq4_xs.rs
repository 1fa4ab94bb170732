//! IQ4_XS: 256 weights in 136 bytes, `w = (d * scale) * CODEBOOK[q]`, a scale per 32 weights, the codebook of IQ4_NL.
//!
//! ```text
//! byte 0..2    d            f16
//! byte 2..4    scales_h     u16, bits 2j, 2j+1: high two bits of scale j  (j < 8)
//! byte 4..8    scales_l[4]  low four bits: low nibble of scales_l[j / 2] for even j, high nibble for odd j
//! byte 8..136  qs[128]      low nibble of qs[16 j + l]: weight 32 j + l, high nibble: weight 32 j + 16 + l  (l < 16)
//! ```
//!
//! Scales are stored plus 32.

use super::iq4_nl::CODEBOOK;
use super::{Block256, Unpacked256, f16};
use bytemuck::{Pod, Zeroable};

/// The block as it lies in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct BlockIq4Xs {
    /// Scale of the scales, little-endian f16.
    pub d: [u8; 2],
    /// High bits of the scales, little-endian u16.
    pub scales_h: [u8; 2],
    /// Low bits of the scales.
    pub scales_l: [u8; 4],
    /// Nibbles.
    pub qs: [u8; 128],
}

impl BlockIq4Xs {
    /// The eight scales, `-32..=31`.
    pub(crate) fn unpack_scales(&self) -> [i8; 8] {
        let high = u16::from_le_bytes(self.scales_h);
        core::array::from_fn(|j| {
            let low = self.scales_l[j / 2] >> (j % 2 * 4) & 15;
            (low | ((high >> (2 * j) & 3) << 4) as u8) as i8 - 32
        })
    }
}

impl Block256 for BlockIq4Xs {
    const HAS_MIN: bool = false;

    #[inline]
    fn unpack(&self) -> Unpacked256 {
        let qs =
            core::array::from_fn(|i| CODEBOOK[usize::from(self.qs[i / 32 * 16 + i % 16] >> (i / 16 % 2 * 4) & 15)]);
        let scales = self.unpack_scales();
        Unpacked256 { qs, scales: core::array::from_fn(|g| scales[g / 2]), mins: [0; 16], d: f16(self.d), dmin: 0.0 }
    }
}
