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

/// The trit that the byte begins with.
fn trit(byte: u8) -> i8 {
    ((u16::from(byte) * 3) >> 8) as i8 - 1
}

impl Block256 for BlockTq1_0 {
    const HAS_MIN: bool = false;

    fn unpack(&self) -> Unpacked256 {
        let mut qs = [0; 256];
        let mut power = 1u8;
        for n in 0..5 {
            for (i, byte) in self.qs.iter().enumerate() {
                let at = if i < 32 { 32 * n + i } else { 160 + 16 * n + i - 32 };
                qs[at] = trit(byte.wrapping_mul(power));
            }
            for (i, byte) in self.qh.iter().enumerate().filter(|_| n < 4) {
                qs[240 + 4 * n + i] = trit(byte.wrapping_mul(power));
            }
            power = power.wrapping_mul(3);
        }
        Unpacked256 { qs, scales: [1; 16], mins: [0; 16], d: f16(self.d), dmin: 0.0 }
    }
}
