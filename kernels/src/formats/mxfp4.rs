//! MXFP4: 32 weights in 17 bytes, `w = 2^(e - 128) * CODEBOOK[q]` (OCP Microscaling Formats 1.0, E2M1 elements).
//!
//! ```text
//! byte 0       e       biased exponent (E8M0)
//! byte 1..17   qs[16]  low nibble: weight i, high nibble: weight i + 16
//! ```
//!
//! The codebook holds twice the E2M1 values, so that they are integers; the exponent makes up for it.

use super::{Block32, Unpacked32};
use bytemuck::{Pod, Zeroable};

/// Twice the values of E2M1.
pub const CODEBOOK: [i8; 16] = [0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12];

/// The block as it lies in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct BlockMxfp4 {
    /// Biased exponent.
    pub e: u8,
    /// Nibbles.
    pub qs: [u8; 16],
}

/// `2^(e - 128)`; subnormal for `e < 2`.
#[inline]
pub(crate) fn scale(e: u8) -> f32 {
    let e = u32::from(e);
    f32::from_bits(if e < 2 { 0x0020_0000 + 0x0020_0000 * e } else { (e << 23) - (1 << 23) })
}

/// Twice the E2M1 values of eight nibbles, a byte each, as signed bytes: [`CODEBOOK`] as arithmetic on all bytes of an
/// integer at once.
#[inline]
pub(crate) fn values_of_eight(nibbles: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let bit = |n: u32| (nibbles >> n) & ONES;
    // 5, 6 and 7 mean 6, 8 and 12.
    let (five_or_seven, six_or_seven) = (bit(2) & bit(0), bit(2) & bit(1));
    let more = five_or_seven + 2 * six_or_seven + 2 * (five_or_seven & six_or_seven);
    let magnitude = (nibbles & (7 * ONES)) + more;
    let negative = magnitude & (bit(3) * 255);
    // 128 in front, so that no byte borrows from the next.
    (magnitude + 128 * ONES - 2 * negative) ^ (128 * ONES)
}

/// The low nibbles of eight bytes, or the high ones with a shift of 4.
#[inline]
pub(crate) fn nibbles_of_eight(bytes: [u8; 8], shift: u32) -> u64 {
    (u64::from_le_bytes(bytes) >> shift) & 0x0f0f_0f0f_0f0f_0f0f
}

impl Block32 for BlockMxfp4 {
    const HAS_MIN: bool = false;

    #[inline]
    fn unpack(&self) -> Unpacked32 {
        let [low, high] = [0, 4].map(|shift| {
            let eights: [[u8; 8]; 2] = bytemuck::cast(self.qs);
            eights.map(|eight| values_of_eight(nibbles_of_eight(eight, shift)).to_le())
        });
        Unpacked32 { qs: bytemuck::cast([low, high]), d: scale(self.e), m: 0.0 }
    }
}
