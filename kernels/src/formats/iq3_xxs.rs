//! IQ3_XXS: 256 weights in 98 bytes, `w = (d / 4 * (2 s + 1)) * g`, a scale per 32 weights, `g` from a codebook of
//! fours.
//!
//! ```text
//! byte 0..2    d         f16
//! byte 2..66   qs[64]    an entry of the grid for four weights each
//! byte 66..98  signs[8]  u32 for 32 weights: bits 7l..7l+7 are seven signs of eight l (the eighth makes the minuses
//!                        even), bits 28..32 s
//! ```

use super::grids::{self, iq3xxs::GRID, wide};
use super::staging;
use super::wide::{Wide, WideBlock};
use super::{Block256, Unpacked256, f16};
use bytemuck::{Pod, Zeroable};

/// The block as it lies in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct BlockIq3Xxs {
    /// Scale, little-endian f16.
    pub d: [u8; 2],
    /// Entries of fours, by eights.
    pub qs: [[u8; 2]; 32],
    /// Signs and scales, little-endian u32.
    pub signs: [[u8; 4]; 8],
}

impl Block256 for BlockIq3Xxs {
    const HAS_MIN: bool = false;

    fn unpack(&self) -> Unpacked256 {
        let signs = self.signs.map(u32::from_le_bytes);
        let qs = grids::iq3_xxs(
            &self.qs.map(|two| two.map(|entry| GRID[usize::from(entry)])),
            &core::array::from_fn(|e| grids::even_signs(signs[e / 4] >> (7 * (e % 4)))),
        );
        let scales = core::array::from_fn(|g| (signs[g / 2] >> 28) as i8 * 2 + 1);
        Unpacked256 { qs, scales, mins: [0; 16], d: f16(self.d) / 4.0, dmin: 0.0 }
    }
}

impl WideBlock<Unpacked256> for BlockIq3Xxs {
    #[inline(always)]
    fn unpack_wide<W: Wide>(&self, w: W, plain: &mut [Unpacked256]) {
        let plain = &mut plain[0];
        let Some(entries) = wide::iq3_xxs() else { return staging::unpack256(self, plain) };
        let v = w.load(bytemuck::cast_ref(&self.signs));
        let signs = wide::signs_and_scales(w, v, bytemuck::cast_mut(&mut plain.scales));
        let eights: &[[u8; 8]; 8] = bytemuck::cast_ref(&self.qs);
        for (g, out) in bytemuck::cast_mut::<_, [[u8; 32]; 8]>(&mut plain.qs).iter_mut().enumerate() {
            let v = w.fours(eights[g].map(|entry| entries[usize::from(entry)]));
            w.store(w.negate(v, signs[g]), out);
        }
        plain.d = w.f16(self.d) / 4.0;
    }
}
