//! IQ2_S: 256 weights in 82 bytes, `w = (d / 8 * (2 s + 1)) * g`, a scale per 16 weights, `g` from a codebook of
//! eights.
//!
//! ```text
//! byte 0..2    d          f16
//! byte 2..34   qs[32]     low eight bits of an entry of the grid for eight weights each
//! byte 34..66  signs[32]  bit j: the sign of weight j of eight
//! byte 66..74  qh[8]      bits 2l, 2l+1 of qh[g]: high bits of entry 4 g + l
//! byte 74..82  scales[8]  as in IQ2_XS
//! ```

use super::grids::{self, iq2s::GRID, wide};
use super::iq2_xs::{odd_nibbles, wide_nibbles};
use super::staging;
use super::wide::{Wide, WideBlock};
use super::{Block256, Unpacked256, f16};
use bytemuck::{Pod, Zeroable};

/// The block as it lies in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct BlockIq2S {
    /// Scale, little-endian f16.
    pub d: [u8; 2],
    /// Low bits of entries.
    pub qs: [u8; 32],
    /// Signs.
    pub signs: [u8; 32],
    /// High bits of entries.
    pub qh: [u8; 8],
    /// Nibbles.
    pub scales: [u8; 8],
}

impl Block256 for BlockIq2S {
    const HAS_MIN: bool = false;

    fn unpack(&self) -> Unpacked256 {
        let entries = core::array::from_fn(|e| {
            let high = self.qh[e / 4] >> (2 * (e % 4)) & 3;
            GRID[usize::from(self.qs[e]) | usize::from(high) << 8]
        });
        let qs = grids::iq2(&entries, &self.signs);
        let scales = odd_nibbles(&self.scales);
        Unpacked256 { qs, scales, mins: [0; 16], d: f16(self.d) / 8.0, dmin: 0.0 }
    }
}

impl WideBlock<Unpacked256> for BlockIq2S {
    #[inline(always)]
    fn unpack_wide<W: Wide>(&self, w: W, plain: &mut [Unpacked256]) {
        let plain = &mut plain[0];
        let Some(entries) = wide::iq2_s() else { return staging::unpack256(self, plain) };
        let low = wide::lanes(w, w.load(&self.qs), w.splat(0));
        let signs: &[[u8; 4]; 8] = bytemuck::cast_ref(&self.signs);
        for (g, out) in bytemuck::cast_mut::<_, [[u8; 32]; 8]>(&mut plain.qs).iter_mut().enumerate() {
            // Pair `l` of the bits goes to bit 8 of lane `l`: the copies of the byte do not meet.
            let high = (u64::from(self.qh[g]) * (1 << 8 | 1 << 22 | 1 << 36 | 1 << 50)) & 0x0300_0300_0300_0300;
            let v = wide::eights(w, entries, low[g] | high);
            w.store(w.negate(v, u32::from_le_bytes(signs[g])), out);
        }
        w.store16(wide_nibbles(w, self), bytemuck::cast_mut(&mut plain.scales));
        plain.d = w.f16(self.d) / 8.0;
    }
}
