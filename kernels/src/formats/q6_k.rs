//! Q6_K: 256 weights in 210 bytes, `w = (d * scale) * (q - 32)`, a scale per 16 weights.
//!
//! ```text
//! byte 0..128    ql[128]     low four bits: weight 128 n + 32 j + l (l < 32, n < 2) has for j = 0, 1 the low nibble
//!                            and for j = 2, 3 the high nibble of ql[64 n + 32 (j % 2) + l]
//! byte 128..192  qh[64]      high two bits: bits 2j, 2j+1 of qh[32 n + l]
//! byte 192..208  scales[16]  i8
//! byte 208..210  d           f16
//! ```

use super::{Block256, Unpacked256, f16};
use bytemuck::{Pod, Zeroable};

/// The block as it lies in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct BlockQ6K {
    /// Nibbles.
    pub ql: [u8; 128],
    /// Pairs of high bits.
    pub qh: [u8; 64],
    /// Scales of the groups of 16.
    pub scales: [i8; 16],
    /// Scale of the scales, little-endian f16.
    pub d: [u8; 2],
}

/// Where weight `i` lies: `(index in ql, shift in ql, index in qh, shift in qh)`.
fn place(i: usize) -> (usize, usize, usize, usize) {
    let (n, j, l) = (i / 128, i / 32 % 4, i % 32);
    (64 * n + 32 * (j % 2) + l, j / 2 * 4, 32 * n + l, 2 * j)
}

impl Block256 for BlockQ6K {
    const HAS_MIN: bool = false;

    #[inline]
    fn unpack(&self) -> Unpacked256 {
        let qs = core::array::from_fn(|i| {
            let (low, low_shift, high, high_shift) = place(i);
            (self.ql[low] >> low_shift & 15 | (self.qh[high] >> high_shift & 3) << 4) as i8 - 32
        });
        Unpacked256 { qs, scales: self.scales, mins: [0; 16], d: f16(self.d), dmin: 0.0 }
    }
}
