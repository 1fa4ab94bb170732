//! IQ2_XS: 256 weights in 74 bytes, `w = (d / 8 * (2 s + 1)) * g`, a scale per 16 weights, `g` from a codebook of
//! eights.
//!
//! ```text
//! byte 0..2    d          f16
//! byte 2..66   qs[32]     u16, eight weights each: bits 0..9 an entry of the grid, bits 9..16 seven signs (the eighth
//!                         makes the minuses even)
//! byte 66..74  scales[8]  s of group g (of 16 weights): low nibble of scales[g / 2] for even g, high nibble for odd g
//! ```

use super::grids::{self, iq2xs::GRID, wide};
use super::staging;
use super::wide::{Wide, WideBlock};
use super::{Block256, Unpacked256, f16};
use bytemuck::{Pod, Zeroable};

/// The block as it lies in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct BlockIq2Xs {
    /// Scale, little-endian f16.
    pub d: [u8; 2],
    /// Entries and signs, little-endian u16.
    pub qs: [[u8; 2]; 32],
    /// Nibbles.
    pub scales: [u8; 8],
}

impl Block256 for BlockIq2Xs {
    const HAS_MIN: bool = false;

    fn unpack(&self) -> Unpacked256 {
        let qs = self.qs.map(u16::from_le_bytes);
        let qs = grids::iq2(&qs.map(|q| GRID[usize::from(q & 511)]), &qs.map(|q| grids::even_signs(u32::from(q >> 9))));
        let scales = odd_nibbles(&self.scales);
        Unpacked256 { qs, scales, mins: [0; 16], d: f16(self.d) / 8.0, dmin: 0.0 }
    }
}

/// `2 s + 1` for each nibble `s`, the low one first.
pub(super) fn odd_nibbles(bytes: &[u8; 8]) -> [i8; 16] {
    core::array::from_fn(|g| (bytes[g / 2] >> (g % 2 * 4) & 15) as i8 * 2 + 1)
}

impl WideBlock<Unpacked256> for BlockIq2Xs {
    #[inline(always)]
    fn unpack_wide<W: Wide>(&self, w: W, plain: &mut [Unpacked256]) {
        let plain = &mut plain[0];
        let Some(entries) = wide::iq2_xs() else { return staging::unpack256(self, plain) };
        let [a, b] = bytemuck::cast_ref::<_, [[u8; 32]; 2]>(&self.qs).each_ref();
        let [a, b] = [a, b].map(|half| w.shr16(w.load(half), 9));
        let signs = wide::words(w, w.make_even(w.narrow(a, b)));
        let quads: &[[u8; 8]; 8] = bytemuck::cast_ref(&self.qs);
        for (g, out) in bytemuck::cast_mut::<_, [[u8; 32]; 8]>(&mut plain.qs).iter_mut().enumerate() {
            let v = wide::eights(w, entries, u64::from_le_bytes(quads[g]));
            w.store(w.negate(v, signs[g]), out);
        }
        w.store16(wide_nibbles(w, self), bytemuck::cast_mut(&mut plain.scales));
        plain.d = w.f16(self.d) / 8.0;
    }
}

/// [`odd_nibbles`] of the last eight bytes of a block.
#[inline(always)]
pub(super) fn wide_nibbles<W: Wide, B: Pod>(w: W, block: &B) -> W::V {
    const TWICE: [u8; 16] = [8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13, 14, 14, 15, 15];
    let Some(end) = bytemuck::bytes_of(block).last_chunk() else { unreachable!("blocks have more than 16 bytes") };
    wide::odd_nibbles(w, w.shuffle(w.repeat(end), w.repeat(&TWICE)))
}
