//! IQ2_XXS: 256 weights in 66 bytes, `w = (d / 8 * (2 s + 1)) * g`, a scale per 32 weights, `g` from a codebook of
//! eights.
//!
//! ```text
//! byte 0..2    d           f16
//! byte 2..66   groups[8]   of 32 weights: four bytes, an entry of the grid for eight weights each; then a u32:
//!                          bits 7l..7l+7 are seven signs of eight l (the eighth makes the minuses even), bits 28..32 s
//! ```

use super::grids::{self, iq2xxs::GRID, wide};
use super::staging;
use super::wide::{Wide, WideBlock};
use super::{Block256, Unpacked256, f16};
use bytemuck::{Pod, Zeroable};

/// The block as it lies in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct BlockIq2Xxs {
    /// Scale, little-endian f16.
    pub d: [u8; 2],
    /// Four entries and 32 bits of signs and scale for each 32 weights.
    pub groups: [[[u8; 4]; 2]; 8],
}

impl Block256 for BlockIq2Xxs {
    const HAS_MIN: bool = false;

    fn unpack(&self) -> Unpacked256 {
        let signs = self.groups.map(|[_, signs]| u32::from_le_bytes(signs));
        let qs = grids::iq2(
            &core::array::from_fn(|e| GRID[usize::from(self.groups[e / 4][0][e % 4])]),
            &core::array::from_fn(|e| grids::even_signs(signs[e / 4] >> (7 * (e % 4)))),
        );
        let scales = core::array::from_fn(|g| (signs[g / 2] >> 28) as i8 * 2 + 1);
        Unpacked256 { qs, scales, mins: [0; 16], d: f16(self.d) / 8.0, dmin: 0.0 }
    }
}

impl WideBlock<Unpacked256> for BlockIq2Xxs {
    #[inline(always)]
    fn unpack_wide<W: Wide>(&self, w: W, plain: &mut [Unpacked256]) {
        let plain = &mut plain[0];
        let Some(entries) = wide::iq2_xxs() else { return staging::unpack256(self, plain) };
        let halves: &[[u8; 32]; 2] = bytemuck::cast_ref(&self.groups);
        let v = w.odd_words(w.load(&halves[0]), w.load(&halves[1]));
        let signs = wide::signs_and_scales(w, v, bytemuck::cast_mut(&mut plain.scales));
        for (g, out) in bytemuck::cast_mut::<_, [[u8; 32]; 8]>(&mut plain.qs).iter_mut().enumerate() {
            let v = w.eights(self.groups[g][0].map(|entry| entries[usize::from(entry)]));
            w.store(w.negate(v, signs[g]), out);
        }
        plain.d = w.f16(self.d) / 8.0;
    }
}
