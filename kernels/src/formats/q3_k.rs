//! Q3_K: 256 weights in 110 bytes, `w = (d * scale) * q`, a scale per 16 weights, `q` in `-4..=3`.
//!
//! ```text
//! byte 0..32     hmask[32]   weight 32 j + l (j < 8): bit j of hmask[l] is its third bit
//! byte 32..96    qs[64]      two bits each: weight 128 n + 32 j + l is bits 2j, 2j+1 of qs[32 n + l]  (l < 32, j < 4)
//! byte 96..108   scales[12]  six bits each, stored plus 32. Scale g: its low four bits are a nibble of byte g % 8
//!                            (low for g < 8, high for the others), its high two are bits 2(g/4).. of byte 8 + g % 4
//! byte 108..110  d           f16
//! ```
//!
//! The three bits are `q + 4`.

use super::{Block256, Unpacked256, f16};
use bytemuck::{Pod, Zeroable};

/// The block as it lies in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct BlockQ3K {
    /// Third bits.
    pub hmask: [u8; 32],
    /// Pairs of low bits.
    pub qs: [u8; 64],
    /// Packed six-bit scales.
    pub scales: [u8; 12],
    /// Scale of the scales, little-endian f16.
    pub d: [u8; 2],
}

impl BlockQ3K {
    /// The sixteen scales, `-32..=31`, four at a time in general registers.
    pub(crate) fn unpack_scales(&self) -> [i8; 16] {
        let [a, b, c] = [0, 4, 8].map(|i| u32::from_le_bytes(*self.scales[i..].first_chunk().expect("twelve bytes")));
        let mut scales = [[0; 4]; 4];
        for (i, four) in scales.iter_mut().enumerate() {
            let low = [a, b][i % 2] >> (i / 2 * 4) & 0x0f0f_0f0f;
            let high = c >> (2 * i) & 0x0303_0303;
            // Less 32 in every byte: the top bits keep borrows from spreading.
            *four = (((low | high << 4 | 0x8080_8080) - 0x2020_2020) ^ 0x8080_8080).to_le_bytes();
        }
        bytemuck::cast(scales)
    }
}

impl Block256 for BlockQ3K {
    const HAS_MIN: bool = false;
    const FOLDS: bool = true;

    #[inline]
    fn unpack(&self) -> Unpacked256 {
        let mut qs = [0; 256];
        for (i, q) in qs.iter_mut().enumerate() {
            let (n, j, l) = (i / 128, i / 32 % 4, i % 32);
            let low = self.qs[32 * n + l] >> (2 * j) & 3;
            let high = self.hmask[l] >> (i / 32) & 1;
            *q = (low | high << 2) as i8 - 4;
        }
        Unpacked256 { qs, scales: self.unpack_scales(), mins: [0; 16], d: f16(self.d), dmin: 0.0 }
    }
}
