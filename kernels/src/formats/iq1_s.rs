//! IQ1_S: 256 weights in 50 bytes, `w = (d / 8 * (2 s + 1)) * (8 g + shift)`, a scale and a shift of 1 or -1 per 32
//! weights, `g` in `-1..=1` from a codebook of eights.
//!
//! ```text
//! byte 0..2    d       f16
//! byte 2..34   qs[32]  low eight bits of an entry of the grid for eight weights each
//! byte 34..50  qh[8]   u16 for 32 weights: bits 3l..3l+3 high bits of the entry of eight l, bits 12..15 s, bit 15
//!                      set if the shift is -1
//! ```

use super::grids::{self, iq1s::GRID, wide};
use super::staging;
use super::wide::{Wide, WideBlock};
use super::{Block256, Unpacked256, f16};
use bytemuck::{Pod, Zeroable};

/// The block as it lies in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct BlockIq1S {
    /// Scale, little-endian f16.
    pub d: [u8; 2],
    /// Low bits of entries.
    pub qs: [u8; 32],
    /// High bits, scales and shifts, little-endian u16.
    pub qh: [[u8; 2]; 8],
}

impl Block256 for BlockIq1S {
    const HAS_MIN: bool = false;
    const LARGEST: u32 = 9;

    fn unpack(&self) -> Unpacked256 {
        let qh = self.qh.map(u16::from_le_bytes);
        let entries = core::array::from_fn(|e| {
            let high = qh[e / 4] >> (3 * (e % 4)) & 7;
            GRID[usize::from(self.qs[e]) | usize::from(high) << 8]
        });
        let qs = grids::iq1(&entries, &core::array::from_fn(|e| (qh[e / 4] >> 15) as u8));
        let scales = core::array::from_fn(|g| (qh[g / 2] >> 12 & 7) as i8 * 2 + 1);
        Unpacked256 { qs, scales, mins: [0; 16], d: f16(self.d) / 8.0, dmin: 0.0 }
    }
}

impl WideBlock<Unpacked256> for BlockIq1S {
    #[inline(always)]
    fn unpack_wide<W: Wide>(&self, w: W, plain: &mut [Unpacked256]) {
        let plain = &mut plain[0];
        let Some(entries) = wide::iq1() else { return staging::unpack256(self, plain) };
        let low = wide::lanes(w, w.load(&self.qs), w.splat(0));
        for (g, out) in bytemuck::cast_mut::<_, [[u8; 32]; 8]>(&mut plain.qs).iter_mut().enumerate() {
            let qh = u16::from_le_bytes(self.qh[g]);
            // Three bits `l` go to bit 8 of lane `l`: the copies of the twelve do not meet.
            let high = u64::from(qh & 0xfff) * (1 << 8 | 1 << 21 | 1 << 34 | 1 << 47);
            let v = wide::eights(w, entries, low[g] | (high & 0x0700_0700_0700_0700));
            let shift = w.splat(((qh as i16 >> 15) | 1) as u8);
            w.store(w.add(v, shift), out);
        }
        const HIGH_TWICE: [u8; 16] = [1, 1, 3, 3, 5, 5, 7, 7, 9, 9, 11, 11, 13, 13, 15, 15];
        let v = w.shuffle(w.repeat(bytemuck::cast_ref(&self.qh)), w.repeat(&HIGH_TWICE));
        let scales = wide::odd(w, w.and(w.shr16(v, 4), w.splat(7)));
        w.store16(scales, bytemuck::cast_mut(&mut plain.scales));
        plain.d = w.f16(self.d) / 8.0;
    }
}
