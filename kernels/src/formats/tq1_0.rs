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
use super::wide::{Wide, WideBlock};
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
    const LARGEST: u32 = 1;

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

impl WideBlock<Unpacked256> for BlockTq1_0 {
    #[inline(always)]
    fn unpack_wide<W: Wide>(&self, w: W, plain: &mut [Unpacked256]) {
        let plain = &mut plain[0];
        let (out_32, out_16) = bytemuck::cast_mut::<_, [u8; 256]>(&mut plain.qs).split_at_mut(160);
        let (out_32, out_16) = (out_32.as_chunks_mut().0, out_16.as_chunks_mut().0);
        let [first, second, third]: &[[u8; 16]; 3] = bytemuck::cast_ref(&self.qs);
        let mut v = w.load(bytemuck::cast_ref(&[*first, *second]));
        let mut half = w.repeat(third);
        let mut last = w.repeat4(u32::from_le_bytes(self.qh));
        for n in 0..5 {
            w.store(first_trits(w, v), &mut out_32[n]);
            w.store16(first_trits(w, half), &mut out_16[n]);
            v = w.add(w.add(v, v), v);
            half = w.add(w.add(half, half), half);
        }
        // Trit `n` in the 32-bit lane `n`, which is multiplied by 3 as often.
        for lanes in &FROM_LANE {
            let twice = w.and(w.add(last, last), w.repeat(lanes));
            last = w.add(last, twice);
        }
        w.store16(first_trits(w, last), &mut out_16[5]);
        plain.scales = [1; 16];
        plain.d = w.f16(self.d);
    }
}

/// Trit 0 of each byte, less 1.
#[inline(always)]
fn first_trits<W: Wide>(w: W, v: W::V) -> W::V {
    // `3 b / 256` is `(b + b / 2) / 2 / 64`, rounded down. A mean that is rounded up is one of inverted bytes that is
    // rounded down, inverted.
    let ones = w.splat(255);
    let inverted = w.xor(v, ones);
    let mean = w.mean(inverted, w.mean(inverted, ones));
    w.sub(w.splat(2), w.and(w.shr16(mean, 6), w.splat(3)))
}

static FROM_LANE: [[u8; 16]; 3] = [
    [0, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255],
    [0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255],
    [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255],
];
