//! IQ3_S: 256 weights in 110 bytes, `w = (d * (2 s + 1)) * g`, a scale per 32 weights, `g` from a codebook of fours.
//!
//! ```text
//! byte 0..2      d          f16
//! byte 2..66     qs[64]     low eight bits of an entry of the grid for four weights each
//! byte 66..74    qh[8]      bit k of qh[j]: high bit of entry 8 j + k
//! byte 74..106   signs[32]  bit j: the sign of weight j of eight
//! byte 106..110  scales[4]  s of group j (of 32 weights): a nibble of scales[j / 2], the low one for even j
//! ```

use super::grids::{self, iq3s::GRID, wide};
use super::staging;
use super::wide::{Wide, WideBlock};
use super::{Block256, Unpacked256, f16};
use bytemuck::{Pod, Zeroable};

/// The block as it lies in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct BlockIq3S {
    /// Scale, little-endian f16.
    pub d: [u8; 2],
    /// Low bits of entries of fours, by eights.
    pub qs: [[u8; 2]; 32],
    /// High bits of entries.
    pub qh: [u8; 8],
    /// Signs.
    pub signs: [u8; 32],
    /// Nibbles.
    pub scales: [u8; 4],
}

impl Block256 for BlockIq3S {
    const HAS_MIN: bool = false;
    const LARGEST: u32 = 15;

    fn unpack(&self) -> Unpacked256 {
        let entries = core::array::from_fn(|e| {
            let high = usize::from(self.qh[e / 4]) >> (2 * (e % 4));
            let [a, b] = self.qs[e].map(usize::from);
            [GRID[a | (high & 1) << 8], GRID[b | (high >> 1 & 1) << 8]]
        });
        let qs = grids::iq3_s(&entries, &self.signs);
        let scales = core::array::from_fn(|g| (self.scales[g / 4] >> (g / 2 % 2 * 4) & 15) as i8 * 2 + 1);
        Unpacked256 { qs, scales, mins: [0; 16], d: f16(self.d), dmin: 0.0 }
    }
}

impl WideBlock<Unpacked256> for BlockIq3S {
    #[inline(always)]
    fn unpack_wide<W: Wide>(&self, w: W, plain: &mut [Unpacked256]) {
        let plain = &mut plain[0];
        let Some(entries) = wide::iq3_s() else { return staging::unpack256(self, plain) };
        let low: &[[u8; 32]; 2] = bytemuck::cast_ref(&self.qs);
        let high: &[[u8; 4]; 2] = bytemuck::cast_ref(&self.qh);
        let signs: &[[u8; 4]; 8] = bytemuck::cast_ref(&self.signs);
        let out: &mut [[[u8; 32]; 4]; 2] = bytemuck::cast_mut(&mut plain.qs);
        for half in 0..2 {
            let high = w.and(w.mask(u32::from_le_bytes(high[half])), w.splat(1));
            let indices: [[u64; 2]; 4] = bytemuck::cast(wide::lanes(w, w.load(&low[half]), high));
            for g in 0..4 {
                let v = wide::fours(w, entries, indices[g]);
                w.store(w.negate(v, u32::from_le_bytes(signs[4 * half + g])), &mut out[half][g]);
            }
        }
        const FOUR_TIMES: [u8; 16] = [12, 12, 12, 12, 13, 13, 13, 13, 14, 14, 14, 14, 15, 15, 15, 15];
        let Some(end) = bytemuck::bytes_of(self).last_chunk() else { unreachable!("a block has more than 16 bytes") };
        let v = w.shuffle(w.repeat(end), w.repeat(&FOUR_TIMES));
        let low = w.and(v, w.repeat4(0x0000_0f0f));
        let scales = wide::odd(w, w.or(low, w.and(w.shr16(v, 4), w.repeat4(0x0f0f_0000))));
        w.store16(scales, bytemuck::cast_mut(&mut plain.scales));
        plain.d = w.f16(self.d);
    }
}
