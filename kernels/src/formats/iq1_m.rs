//! IQ1_M: 256 weights in 56 bytes, `w = (d / 8 * (2 s + 1)) * (8 g + shift)`, a scale per 16 weights, a shift of 1 or
//! -1 per eight, `g` in `-1..=1` from the codebook of IQ1_S.
//!
//! ```text
//! byte 0..32   qs[32]     low eight bits of an entry of the grid for eight weights each
//! byte 32..48  qh[16]     a nibble for each eight, the low one first: three high bits of its entry; the fourth is
//!                         set if the shift is -1
//! byte 48..56  scales[4]  u16: bits 3i..3i+3 of scales[j] are s of group 4 j + i (of 16 weights); bits 12..16 are
//!                         bits 4j..4j+4 of the f16 d
//! ```

use super::grids::{self, iq1s::GRID};
use super::{Block256, Unpacked256, f16};
use bytemuck::{Pod, Zeroable};

/// The block as it lies in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct BlockIq1M {
    /// Low bits of entries.
    pub qs: [u8; 32],
    /// High bits and shifts.
    pub qh: [u8; 16],
    /// Scales and the scale of the scales, little-endian u16.
    pub scales: [[u8; 2]; 4],
}

impl Block256 for BlockIq1M {
    const HAS_MIN: bool = false;

    fn unpack(&self) -> Unpacked256 {
        let packed = self.scales.map(u16::from_le_bytes);
        let d = packed.iter().rev().fold(0, |d, s| d << 4 | s >> 12);
        let nibbles: [u8; 32] = core::array::from_fn(|e| self.qh[e / 2] >> (e % 2 * 4) & 15);
        let entries = core::array::from_fn(|e| GRID[usize::from(self.qs[e]) | usize::from(nibbles[e] & 7) << 8]);
        let qs = grids::iq1(&entries, &nibbles.map(|nibble| nibble >> 3));
        let scales = core::array::from_fn(|g| (packed[g / 4] >> (3 * (g % 4)) & 7) as i8 * 2 + 1);
        Unpacked256 { qs, scales, mins: [0; 16], d: f16(d.to_le_bytes()) / 8.0, dmin: 0.0 }
    }
}
