//! TQ1_0: 256 weights in 54 bytes, `w = d * q`, `q` in `-1..=1`.
//!
//! ```text
//! byte 0..48   qs[48]  five weights each: trit n of byte i is weight 32 n + i (i < 32) or 160 + 16 n + (i - 32)
//! byte 48..52  qh[4]   four weights each: trit n of byte i is weight 240 + 4 n + i
//! byte 52..54  d       f16
//! ```
//!
//! Trit `n` of a byte `b` is the whole part of `3 * ((3^n b) mod 256) / 256`, less 1.

use super::{Block256, Unpacked256, f16};
use bytemuck::{Pod, Zeroable};

/// The block as it lies in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct BlockTq1_0 {
    /// Five trits each.
    pub qs: [u8; 48],
    /// Four trits each.
    pub qh: [u8; 4],
    /// Scale, little-endian f16.
    pub d: [u8; 2],
}

/// Trit `n` of each byte.
#[inline(always)]
fn trits<const N: usize>(bytes: &[u8; N], n: usize) -> [i8; N] {
    const POWERS: [u8; 5] = [1, 3, 9, 27, 81];
    bytes.map(|byte| ((u16::from(byte.wrapping_mul(POWERS[n])) * 3) >> 8) as i8 - 1)
}

impl Block256 for BlockTq1_0 {
    const HAS_MIN: bool = false;

    fn unpack(&self) -> Unpacked256 {
        let (first, second) = self.qs.split_first_chunk::<32>().expect("48 bytes");
        let second = second.first_chunk::<16>().expect("48 bytes");
        let mut qs = [0; 256];
        for n in 0..5 {
            qs[32 * n..][..32].copy_from_slice(&trits(first, n));
            qs[160 + 16 * n..][..16].copy_from_slice(&trits(second, n));
        }
        for n in 0..4 {
            qs[240 + 4 * n..][..4].copy_from_slice(&trits(&self.qh, n));
        }
        Unpacked256 { qs, scales: [1; 16], mins: [0; 16], d: f16(self.d), dmin: 0.0 }
    }
}
