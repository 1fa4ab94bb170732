//! TQ1_0: 256 weights in 54 bytes, `w = d * q`, `q` in `-1..=1`.
//!
//! ```text
//! byte 0..48   qs[48]  five weights each: trit n of byte i is weight 32 n + i (i < 32) or 160 + 16 n + (i - 32)
//! byte 48..52  qh[4]   four weights each: trit n of byte i is weight 240 + 4 n + i
//! byte 52..54  d       f16
//! ```
//!
//! Trit `n` of a byte `b` is the whole part of `3 * ((3^n b) mod 256) / 256`, less 1.

use super::grids;
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

impl Block256 for BlockTq1_0 {
    const HAS_MIN: bool = false;

    fn unpack(&self) -> Unpacked256 {
        let mut qs = [[0; 8]; 32];
        for n in 0..5 {
            for (i, bytes) in self.qs.as_chunks().0.iter().enumerate() {
                let at = if i < 4 { 4 * n + i } else { 20 + 2 * n + i - 4 };
                qs[at] = grids::trit_of_eight(*bytes, n);
            }
        }
        let [a, b, c, d] = self.qh;
        let mut last = [[0; 4]; 4];
        for (n, last) in last.iter_mut().enumerate() {
            let [a, b, c, d, ..] = grids::trit_of_eight([a, b, c, d, 0, 0, 0, 0], n);
            *last = [a, b, c, d];
        }
        qs[30..].copy_from_slice(&bytemuck::cast::<_, [[i8; 8]; 2]>(last));
        Unpacked256 { qs: bytemuck::cast(qs), scales: [1; 16], mins: [0; 16], d: f16(self.d), dmin: 0.0 }
    }
}
